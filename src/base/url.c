#include "livecore/url.h"

#include <string.h>

static const struct {
	const char *text;
	uint16_t port;
	bool tls, websocket;
} schemes[] = {
	[LC_URL_WS] = {"ws", 80, false, true},
	[LC_URL_WSS] = {"wss", 443, true, true},
	[LC_URL_HTTP] = {"http", 80, false, false},
	[LC_URL_HTTPS] = {"https", 443, true, false},
};

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_hex(char c)
{
	c = to_lower(c);
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_host_char(char c)
{
	c = to_lower(c);
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
}

static enum lc_err parse_scheme(const char **at, struct lc_url *out, struct lc_error *err)
{
	const char *end = strstr(*at, "://");
	size_t len = end ? (size_t)(end - *at) : 0;
	for (size_t i = 0; end && i < sizeof schemes / sizeof *schemes; i++) {
		size_t same = 0;
		while (same < len && to_lower((*at)[same]) == schemes[i].text[same]) {
			same++;
		}
		if (same == len && schemes[i].text[len] == '\0') {
			out->scheme = (enum lc_url_scheme)i;
			out->tls = schemes[i].tls;
			out->websocket = schemes[i].websocket;
			out->port = schemes[i].port;
			*at = end + 3;
			return LC_OK;
		}
	}
	return lc_error_set(
		err, LC_ERR_INVALID, "a URL begins with ws://, wss://, http:// or https://");
}

/* The host up to its end: a colon, a slash, a question mark or the end of the text. */
static enum lc_err parse_host(const char **at, struct lc_url *out, struct lc_error *err)
{
	const char *p = *at;
	size_t len = 0;
	out->ipv6_literal = *p == '[';
	p += out->ipv6_literal;
	while (out->ipv6_literal ? is_hex(*p) || *p == ':' || *p == '.' : is_host_char(*p)) {
		if (len == sizeof out->host - 1) {
			return lc_error_set(err, LC_ERR_TOO_LARGE,
				"the host of a URL is at most %zu characters",
				sizeof out->host - 1);
		}
		out->host[len++] = to_lower(*p++);
	}
	out->host[len] = '\0';
	if (out->ipv6_literal && *p++ != ']') {
		return lc_error_set(err, LC_ERR_INVALID, "the IPv6 address of a URL ends with ]");
	}
	if (len == 0 || (*p != '\0' && *p != ':' && *p != '/' && *p != '?')) {
		return lc_error_set(err, LC_ERR_INVALID,
			"the host of a URL is a name or an address (no user name, no password)");
	}
	*at = p;
	return LC_OK;
}

static enum lc_err parse_port(const char **at, struct lc_url *out, struct lc_error *err)
{
	if (**at != ':') {
		return LC_OK;
	}
	unsigned port = 0;
	const char *p = *at + 1;
	while (*p >= '0' && *p <= '9' && port <= UINT16_MAX) {
		port = port * 10 + (unsigned)(*p++ - '0');
	}
	if (port == 0 || port > UINT16_MAX || (*p != '\0' && *p != '/' && *p != '?')) {
		return lc_error_set(
			err, LC_ERR_INVALID, "the port of a URL is a number from 1 to 65535");
	}
	out->port = (uint16_t)port;
	*at = p;
	return LC_OK;
}

static enum lc_err parse_path(const char *at, struct lc_url *out, struct lc_error *err)
{
	size_t len = 0;
	if (*at != '/') {
		out->path[len++] = '/';
	}
	for (; *at; at++) {
		unsigned char c = (unsigned char)*at;
		if (c <= 0x20 || c >= 0x7f || c == '#') {
			return lc_error_set(err, LC_ERR_INVALID,
				"the path of a URL has no spaces, control or non-ASCII characters "
				"and no #");
		}
		if (len == sizeof out->path - 1) {
			return lc_error_set(err, LC_ERR_TOO_LARGE,
				"the path of a URL is at most %zu characters",
				sizeof out->path - 1);
		}
		out->path[len++] = *at;
	}
	out->path[len] = '\0';
	return LC_OK;
}

enum lc_err lc_url_parse(const char *text, struct lc_url *out, struct lc_error *err)
{
	enum lc_err code = parse_scheme(&text, out, err);
	if (code == LC_OK) {
		code = parse_host(&text, out, err);
	}
	if (code == LC_OK) {
		code = parse_port(&text, out, err);
	}
	return code == LC_OK ? parse_path(text, out, err) : code;
}

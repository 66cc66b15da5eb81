#include "request.h"

#include "livecore/url.h"

#include <stdio.h>
#include <string.h>

void lc_request_headers(const char *user_agent, const char *referer, struct lc_request_headers *out)
{
	size_t n = 0;
	if (user_agent[0]) {
		snprintf(out->user_agent, sizeof(out->user_agent), "User-Agent: %s", user_agent);
		out->lines[n++] = out->user_agent;
	}
	if (referer[0]) {
		snprintf(out->referer, sizeof(out->referer), "Referer: %s", referer);
		out->lines[n++] = out->referer;
	}
	out->lines[n++] = "Accept: */*";
	out->lines[n] = NULL;
}

void lc_request_address(const char *url, struct lc_buf *out)
{
	size_t len = strlen(url);
	while (len > 0 && url[len - 1] == '/') {
		len--;
	}
	lc_buf_append(out, url, len);
}

enum lc_err lc_request_check_address(const char *text, struct lc_error *err)
{
	struct lc_url url;
	enum lc_err code = lc_url_parse(text, &url, err);
	if (code == LC_OK && (url.websocket || strchr(url.path, '?'))) {
		return lc_error_set(err, LC_ERR_INVALID,
			"%s is not a server's address: write https://HOST", text);
	}
	return code;
}

enum lc_err lc_request_check_line(const char *text, struct lc_error *err)
{
	if (strlen(text) >= LC_REQUEST_MAX_TEXT) {
		return lc_error_set(
			err, LC_ERR_TOO_LARGE, "longer than %d bytes", LC_REQUEST_MAX_TEXT - 1);
	}
	for (const char *c = text; *c; c++) {
		if (*c < ' ' || *c > '~') {
			return lc_error_set(err, LC_ERR_INVALID, "holds a control character");
		}
	}
	return LC_OK;
}

enum lc_err lc_request_check_secret(const char *text, struct lc_error *err)
{
	if (strlen(text) > LC_REQUEST_MAX_SECRET) {
		return lc_error_set(
			err, LC_ERR_TOO_LARGE, "longer than %d bytes", LC_REQUEST_MAX_SECRET);
	}
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c > '~') {
			return lc_error_set(err, LC_ERR_INVALID,
				"holds a space or a control character: copy the key again");
		}
	}
	return LC_OK;
}

#include "http_priv.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void http_apply_defaults(struct lc_http_server_options *options)
{
#define DEFAULT(field, value) options->field = options->field == 0 ? (value) : options->field
	DEFAULT(max_connections, 64);
	DEFAULT(max_header_bytes, 8192);
	DEFAULT(max_body_bytes, 1 << 20);
	DEFAULT(max_message_bytes, 1 << 20);
	DEFAULT(max_pending_bytes, 1 << 20);
	DEFAULT(request_timeout_ms, 10000);
	DEFAULT(idle_timeout_ms, 60000);
	DEFAULT(write_timeout_ms, 30000);
#undef DEFAULT
	if (options->max_header_bytes > 60 * 1024) {
		options->max_header_bytes = 60 * 1024;
	}
}

/* "127.0.0.1:8080", "[::1]:0", ":8080". */
static enum lc_err parse_address(
	const char *address, char *host, size_t size, int *port, struct lc_error *err)
{
	const char *colon = strrchr(address, ':');
	size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
	bool number = digits > 0 && digits < 6 && colon[1 + digits] == '\0';
	long value = number ? strtol(colon + 1, NULL, 10) : -1;
	size_t len = colon != NULL ? (size_t)(colon - address) : 0;
	bool bracket = len >= 2 && address[0] == '[' && address[len - 1] == ']';
	if (value < 0 || value > 65535 || len >= size) {
		return lc_error_set(err, LC_ERR_INVALID,
			"http address '%s' is not HOST:PORT (127.0.0.1:8080)", address);
	}
	if (len == 0) {
		snprintf(host, size, "127.0.0.1");
	} else {
		snprintf(host, size, "%.*s", (int)(bracket ? len - 2 : len), address + bracket);
	}
	*port = (int)value;
	return LC_OK;
}

/* Names are not looked up: it would hold the loop. */
static enum lc_err find_address(
	const char *host, int number, struct addrinfo **found, struct lc_error *err)
{
	char port[8];
	snprintf(port, sizeof(port), "%d", number);
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	if (getaddrinfo(host, port, &hints, found) != 0) {
		return lc_error_set(err, LC_ERR_INVALID,
			"http address '%s' is not a numeric address, as 127.0.0.1 or [::1]", host);
	}
	return LC_OK;
}

enum lc_err lc_http_check_address(const char *address, struct lc_error *err)
{
	char host[sizeof((struct lc_http_server){0}.host)];
	int port = 0;
	struct addrinfo *found = NULL;
	enum lc_err rc = parse_address(address, host, sizeof(host), &port, err);
	rc = rc ? rc : find_address(host, port, &found, err);
	if (found) {
		freeaddrinfo(found);
	}
	return rc;
}

enum lc_err http_parse_address(struct lc_http_server *server, struct lc_error *err)
{
	return parse_address(
		server->options.address, server->host, sizeof(server->host), &server->port, err);
}

/* libwebsockets does not say why it could not bind, and a context cannot be undone at once: so the
 * address is tried before there is one. */
enum lc_err http_try_bind(const struct lc_http_server *server, struct lc_error *err)
{
	struct addrinfo *found = NULL;
	enum lc_err rc = find_address(server->host, server->port, &found, err);
	if (rc != LC_OK) {
		return rc;
	}
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	bool bound = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 &&
		     listen(fd, 1) == 0;
	int error = errno;
	freeaddrinfo(found);
	if (fd >= 0) {
		close(fd);
	}
	return bound ? LC_OK
		     : lc_error_set(err, LC_ERR_IO, "cannot listen on %s port %d: %s", server->host,
			       server->port, strerror(error));
}

enum lc_err http_check_tls(const struct lc_http_server_options *options, struct lc_error *err)
{
	if (options->tls_cert == NULL) {
		return LC_OK;
	}
	const char *files[] = {options->tls_cert, options->tls_key};
	for (int i = 0; i < 2; i++) {
		if (files[i] == NULL || access(files[i], R_OK) != 0) {
			return lc_error_set(err, LC_ERR_INVALID, "TLS %s '%s' cannot be read",
				i == 0 ? "certificate" : "key", files[i] != NULL ? files[i] : "");
		}
	}
	return LC_OK;
}

bool http_create_context(struct lc_http_server *server)
{
	const struct lc_http_server_options *options = &server->options;
	void *loops[] = {lc_loop_uv(server->loop)};
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   (options->tls_cert != NULL ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
		.foreign_loops = loops,
		.pcontext = &server->context, /* NULL again when it is really gone */
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.user = server,
		.pt_serv_buf_size = 65536,
		.fd_limit_per_thread = (unsigned)options->max_connections + HTTP_ENDING_MAX + 32,
		.max_http_header_data = (unsigned short)options->max_header_bytes,
		.max_http_header_pool = (unsigned short)(options->max_connections +
							 HTTP_ENDING_MAX + 1),
		/* Our own deadlines are finer; these only have to be later. */
		.timeout_secs = (unsigned)(options->request_timeout_ms / 1000 + 2),
		.timeout_secs_ah_idle = (unsigned)(options->request_timeout_ms / 1000 + 2),
	};
	server->context = lws_create_context(&info);
	return server->context != NULL;
}

bool http_create_vhost(struct lc_http_server *server)
{
	static const struct lws_extension extensions[] = {
		{"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate"},
		{NULL, NULL, NULL},
	};
	const struct lc_http_server_options *options = &server->options;
	server->protocols[0] = (struct lws_protocols){
		.name = "livecore", .callback = http_on_lws, .rx_buffer_size = 16384};
	/* Without DISABLE_IPV6 libwebsockets takes an IPv4 interface address for "all of them". */
	bool v6 = strchr(server->host, ':') != NULL;
	struct lws_context_creation_info info = {
		.port = server->port,
		.iface = server->host,
		.protocols = server->protocols,
		.extensions = options->deflate ? extensions : NULL,
		.options = v6 ? LWS_SERVER_OPTION_IPV6_V6ONLY_MODIFY |
					   LWS_SERVER_OPTION_IPV6_V6ONLY_VALUE
			      : LWS_SERVER_OPTION_DISABLE_IPV6,
		.ssl_cert_filepath = options->tls_cert,
		.ssl_private_key_filepath = options->tls_key,
		.alpn = "http/1.1",
		.keepalive_timeout = (int)(options->idle_timeout_ms / 1000 + 2),
	};
	if (options->tls_cert != NULL) {
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	}
	if (strcmp(server->host, "0.0.0.0") == 0) {
		info.iface = NULL;
	}
	server->vhost = lws_create_vhost(server->context, &info);
	return server->vhost != NULL;
}

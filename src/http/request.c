#include "http_priv.h"

#include <string.h>

static const struct {
	enum lws_token_indexes token;
	const char *method;
} methods[] = {
	{WSI_TOKEN_GET_URI, "GET"},
	{WSI_TOKEN_POST_URI, "POST"},
	{WSI_TOKEN_HEAD_URI, "HEAD"},
	{WSI_TOKEN_PUT_URI, "PUT"},
	{WSI_TOKEN_DELETE_URI, "DELETE"},
	{WSI_TOKEN_PATCH_URI, "PATCH"},
	{WSI_TOKEN_OPTIONS_URI, "OPTIONS"},
};

static const struct {
	enum lws_token_indexes token;
	const char *name;
} known_headers[] = {
	{WSI_TOKEN_HTTP_ACCEPT, "accept"},
	{WSI_TOKEN_HTTP_ACCEPT_ENCODING, "accept-encoding"},
	{WSI_TOKEN_HTTP_AUTHORIZATION, "authorization"},
	{WSI_TOKEN_HTTP_CONTENT_TYPE, "content-type"},
	{WSI_TOKEN_HOST, "host"},
	{WSI_TOKEN_HTTP_IF_NONE_MATCH, "if-none-match"},
	{WSI_TOKEN_ORIGIN, "origin"},
	{WSI_TOKEN_HTTP_USER_AGENT, "user-agent"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Copies one token, NUL-terminated; false when there is none or no room. */
static bool copy_token(struct http_conn *conn, enum lws_token_indexes token)
{
	struct lc_buf *text = &conn->exchange.text;
	int len = lws_hdr_total_length(conn->wsi, token);
	if (len <= 0 || text->len + (size_t)len + 1 > text->capacity) {
		return false;
	}
	int n = lws_hdr_copy(conn->wsi, text->data + text->len, len + 1, token);
	if (n < 0) {
		return false;
	}
	text->len += (size_t)n + 1;
	return true;
}

static void copy_named(struct lc_buf *text, const char *name)
{
	lc_buf_append(text, name, strlen(name) + 1);
}

static void copy_known_headers(struct http_conn *conn)
{
	struct lc_buf *text = &conn->exchange.text;
	for (size_t i = 0; i < COUNT(known_headers); i++) {
		size_t before = text->len;
		copy_named(text, known_headers[i].name);
		if (!copy_token(conn, known_headers[i].token)) {
			text->len = before;
		}
	}
}

/* Headers that libwebsockets has no number for are found by "name:". */
static void copy_custom_headers(struct http_conn *conn)
{
	struct lc_buf *text = &conn->exchange.text;
	const char *const *names = conn->server->options.headers;
	for (; names != NULL && *names != NULL; names++) {
		char key[64];
		int key_len = snprintf(key, sizeof(key), "%s:", *names);
		int len = lws_hdr_custom_length(conn->wsi, key, key_len);
		size_t need = strlen(*names) + 1 + (size_t)(len < 0 ? 0 : len) + 1;
		if (len < 0 || text->len + need > text->capacity) {
			continue;
		}
		copy_named(text, *names);
		int n = lws_hdr_custom_copy(
			conn->wsi, text->data + text->len, len + 1, key, key_len);
		text->data[text->len + (size_t)(n < 0 ? 0 : n)] = '\0';
		text->len += (size_t)(n < 0 ? 0 : n) + 1;
	}
}

/* Each parameter becomes "name=value" with a NUL behind it; an empty string ends them. */
static void copy_query(struct http_conn *conn)
{
	struct lc_buf *text = &conn->exchange.text;
	for (int i = 0; i < 64; i++) {
		size_t room = text->capacity - text->len;
		if (room < 2) {
			break;
		}
		int n = lws_hdr_copy_fragment(conn->wsi, text->data + text->len, (int)room - 1,
			WSI_TOKEN_HTTP_URI_ARGS, i);
		if (n < 0) {
			break;
		}
		text->data[text->len + (size_t)n] = '\0';
		text->len += n == 0 ? 0 : (size_t)n + 1;
	}
	lc_buf_putc(text, '\0');
}

static bool copy_method_and_path(struct http_conn *conn)
{
	struct lc_exchange *exchange = &conn->exchange;
	for (size_t i = 0; i < COUNT(methods); i++) {
		if (lws_hdr_total_length(conn->wsi, methods[i].token) > 0) {
			exchange->request.method = methods[i].method;
			return copy_token(conn, methods[i].token);
		}
	}
	return false;
}

static bool header_says(struct lws *wsi, enum lws_token_indexes token, const char *word)
{
	char text[64];
	return lws_hdr_copy(wsi, text, sizeof(text), token) > 0 && strcasestr(text, word) != NULL;
}

/* False with *status set when the length is not one that will be read. */
static bool read_length(struct http_conn *conn, int *status)
{
	struct lc_exchange *exchange = &conn->exchange;
	const char *method = exchange->request.method;
	bool carries = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
		       strcmp(method, "PATCH") == 0;
	char text[24];
	int len = lws_hdr_copy(conn->wsi, text, sizeof(text), WSI_TOKEN_HTTP_CONTENT_LENGTH);
	if (lws_hdr_total_length(conn->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0 ||
		(carries && len <= 0)) {
		*status = 411;
		return false;
	}
	uint64_t value = 0;
	for (int i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			*status = 400;
			return false;
		}
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (len > 18 || value > conn->server->options.max_body_bytes) {
		conn->server->stats.too_large++;
		*status = 413;
		return false;
	}
	/* libwebsockets reads no body of a GET: it would be taken for the next request. */
	if (value > 0 && !carries) {
		*status = 400;
		return false;
	}
	exchange->body_expected = (size_t)value;
	return true;
}

static void refuse(struct http_conn *conn, int status)
{
	const struct lc_response response = {.status = status, .close = true};
	conn->state = CONN_ANSWERING;
	lc_exchange_respond(&conn->exchange, &response);
}

void http_exchange_init(struct http_conn *conn)
{
	struct lc_exchange *exchange = &conn->exchange;
	const struct lc_http_server_options *options = &conn->server->options;
	lc_buf_init(&exchange->text, 2 * options->max_header_bytes + 1024);
	lc_buf_init(&exchange->body, options->max_body_bytes + 1);
	lc_buf_init(&exchange->head, 65536);
	lc_buf_init(&exchange->out, SIZE_MAX / 4);
}

/* Ready for the next request of the connection. */
void http_exchange_reset(struct lc_exchange *exchange)
{
	lc_buf_clear(&exchange->text);
	lc_buf_finish(&exchange->body);
	lc_buf_clear(&exchange->head);
	lc_buf_finish(&exchange->out);
	exchange->request = (struct lc_request){0};
	exchange->out_at = 0;
	exchange->body_expected = 0;
	exchange->head_only = exchange->chunked = exchange->keep = false;
	exchange->ended = exchange->tail_sent = false;
	exchange->on_gone = NULL;
}

void http_exchange_finish(struct lc_exchange *exchange)
{
	lc_buf_finish(&exchange->text);
	lc_buf_finish(&exchange->body);
	lc_buf_finish(&exchange->head);
	lc_buf_finish(&exchange->out);
}

bool http_request_read(struct http_conn *conn)
{
	struct lc_exchange *exchange = &conn->exchange;
	http_exchange_reset(exchange);
	size_t most = conn->server->options.max_header_bytes;
	if (lc_buf_reserve(&exchange->text, 2 * most + 1000) == NULL) {
		http_conn_kill(conn);
		return false;
	}
	bool readable = copy_method_and_path(conn);
	exchange->query_at = exchange->text.len;
	copy_query(conn);
	exchange->headers_at = exchange->text.len;
	copy_known_headers(conn);
	copy_custom_headers(conn);
	exchange->request.path = exchange->text.data;
	exchange->head_only = readable && strcmp(exchange->request.method, "HEAD") == 0;
	bool http_1_0 = header_says(conn->wsi, WSI_TOKEN_HTTP, "HTTP/1.0");
	exchange->chunked = !http_1_0;
	exchange->keep = !http_1_0 && !header_says(conn->wsi, WSI_TOKEN_CONNECTION, "close");
	int status = 400;
	if (!readable || !read_length(conn, &status)) {
		refuse(conn, status);
		return false;
	}
	return true;
}

const struct lc_request *lc_exchange_request(const struct lc_exchange *exchange)
{
	return &exchange->request;
}

const char *lc_exchange_query(const struct lc_exchange *exchange, const char *name)
{
	size_t len = strlen(name);
	for (const char *p = exchange->text.data + exchange->query_at; *p != '\0';
		p += strlen(p) + 1) {
		if (strncmp(p, name, len) == 0 && (p[len] == '=' || p[len] == '\0')) {
			return p + len + (p[len] == '=');
		}
	}
	return NULL;
}

const char *lc_exchange_header(const struct lc_exchange *exchange, const char *name)
{
	const char *end = exchange->text.data + exchange->text.len;
	const char *p = exchange->text.data + exchange->headers_at;
	while (p < end) {
		const char *value = p + strlen(p) + 1;
		if (strcmp(p, name) == 0) {
			return value;
		}
		p = value + strlen(value) + 1;
	}
	return NULL;
}

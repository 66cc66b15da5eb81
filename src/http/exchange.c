#include "http_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct http_conn *conn_of(struct lc_exchange *exchange)
{
	return container_of(exchange, struct http_conn, exchange);
}

static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {{200, "OK"}, {202, "Accepted"}, {204, "No Content"}, {304, "Not Modified"},
		{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
		{405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"},
		{411, "Length Required"}, {413, "Content Too Large"},
		{422, "Unprocessable Content"}, {429, "Too Many Requests"},
		{500, "Internal Server Error"}, {503, "Service Unavailable"}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].status == status) {
			return texts[i].text;
		}
	}
	return "Status";
}

/* length < 0: the answer is a stream. */
static void write_head(
	struct lc_exchange *exchange, const struct lc_response *response, int64_t length)
{
	struct lc_buf *head = &exchange->head;
	lc_buf_clear(head);
	lc_buf_printf(head, "HTTP/1.1 %d %s\r\n", response->status, status_text(response->status));
	if (response->content_type != NULL) {
		lc_buf_printf(head, "Content-Type: %s\r\n", response->content_type);
	}
	if (length >= 0) {
		lc_buf_printf(head, "Content-Length: %lld\r\n", (long long)length);
	} else if (exchange->chunked) {
		lc_buf_puts(head, "Transfer-Encoding: chunked\r\n");
	}
	for (const char *const *h = response->headers; h != NULL && *h != NULL; h++) {
		lc_buf_printf(head, "%s\r\n", *h);
	}
	exchange->keep = exchange->keep && !response->close && (length >= 0 || exchange->chunked);
	lc_buf_puts(head, exchange->keep ? "\r\n" : "Connection: close\r\n\r\n");
}

static void wait_to_write(struct http_conn *conn)
{
	int64_t timeout_ms = conn->server->options.write_timeout_ms;
	conn->deadline_ns = http_now_ns(conn) + timeout_ms * LC_NS_PER_MS;
	lws_callback_on_writable(conn->wsi);
}

static enum lc_err start_answer(struct http_conn *conn)
{
	struct lc_exchange *exchange = &conn->exchange;
	conn->state = CONN_WRITING;
	exchange->on_gone = NULL;
	if (exchange->head_only) {
		lc_buf_clear(&exchange->out);
	}
	if (exchange->head.failed || exchange->out.failed) {
		http_conn_kill(conn);
		return LC_ERR_NOMEM;
	}
	wait_to_write(conn);
	return LC_OK;
}

/* Copies the next piece of the body behind LWS_PRE, as a chunk when it is a stream's. */
static size_t make_piece(struct http_conn *conn, char *piece)
{
	struct lc_exchange *exchange = &conn->exchange;
	size_t left = exchange->out.len - exchange->out_at;
	size_t len = left < HTTP_PIECE_BYTES - 32 ? left : HTTP_PIECE_BYTES - 32;
	bool chunk = conn->state == CONN_STREAMING && exchange->chunked;
	size_t at = 0;
	if (len > 0) {
		at += chunk ? (size_t)sprintf(piece, "%zx\r\n", len) : 0;
		memcpy(piece + at, exchange->out.data + exchange->out_at, len);
		at += len;
		exchange->out_at += len;
		at += chunk ? (size_t)sprintf(piece + at, "\r\n") : 0;
	}
	if (chunk && exchange->ended && exchange->out_at == exchange->out.len) {
		at += (size_t)sprintf(piece + at, "0\r\n\r\n");
		exchange->tail_sent = true;
	}
	return at;
}

/* Does anything of the answer, so far as it is known, still wait? */
static bool more_to_write(const struct http_conn *conn)
{
	const struct lc_exchange *exchange = &conn->exchange;
	bool tail = conn->state == CONN_STREAMING && exchange->chunked && exchange->ended;
	return exchange->head.len > 0 || exchange->out_at < exchange->out.len ||
	       (tail && !exchange->tail_sent);
}

/* -1: the connection is lost. */
static int write_piece(struct http_conn *conn)
{
	unsigned char piece[LWS_PRE + HTTP_PIECE_BYTES];
	size_t len = make_piece(conn, (char *)piece + LWS_PRE);
	if (len == 0) {
		return 0;
	}
	bool last = !more_to_write(conn) && (conn->state == CONN_WRITING || conn->exchange.ended);
	int n = lws_write(
		conn->wsi, piece + LWS_PRE, len, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP);
	return n < 0 ? -1 : 0;
}

static int write_header_block(struct http_conn *conn)
{
	struct lc_buf *head = &conn->exchange.head;
	unsigned char *block = malloc(LWS_PRE + head->len);
	if (block == NULL) {
		return -1;
	}
	memcpy(block + LWS_PRE, head->data, head->len);
	int n = lws_write(conn->wsi, block + LWS_PRE, head->len, LWS_WRITE_HTTP_HEADERS);
	free(block);
	lc_buf_clear(head);
	return n < 0 ? -1 : 0;
}

static int finish_answer(struct http_conn *conn)
{
	struct lc_exchange *exchange = &conn->exchange;
	bool keep = exchange->keep;
	exchange->on_gone = NULL;
	http_exchange_reset(exchange);
	conn->state = CONN_READING;
	conn->deadline_ns = http_now_ns(conn) +
			    conn->server->options.idle_timeout_ms * LC_NS_PER_MS;
	if (!keep) {
		return -1;
	}
	lc_list_remove(&conn->node);
	lc_list_append(&conn->server->conns, &conn->node);
	return lws_http_transaction_completed(conn->wsi) != 0 ? -1 : 0;
}

/* A stream whose queue is empty waits for more, or is over. */
static int stream_drained(struct http_conn *conn)
{
	struct lc_exchange *exchange = &conn->exchange;
	lc_buf_clear(&exchange->out);
	exchange->out_at = 0;
	if (exchange->ended) {
		return finish_answer(conn);
	}
	conn->deadline_ns = INT64_MAX;
	return 0;
}

int http_exchange_writable(struct http_conn *conn)
{
	if (conn->state != CONN_WRITING && conn->state != CONN_STREAMING) {
		return 0;
	}
	bool head = conn->exchange.head.len > 0;
	if ((head ? write_header_block(conn) : write_piece(conn)) < 0) {
		return -1;
	}
	if (more_to_write(conn)) {
		wait_to_write(conn);
		return 0;
	}
	return conn->state == CONN_STREAMING ? stream_drained(conn) : finish_answer(conn);
}

int http_exchange_write_now(struct http_conn *conn)
{
	if (write_header_block(conn) < 0) {
		return -1;
	}
	while (more_to_write(conn)) {
		if (write_piece(conn) < 0) {
			return -1;
		}
	}
	return 0;
}

void http_exchange_gone(struct http_conn *conn)
{
	void (*on_gone)(void *arg) = conn->exchange.on_gone;
	conn->exchange.on_gone = NULL;
	if (on_gone != NULL) {
		on_gone(conn->exchange.gone_arg);
	}
}

void lc_exchange_on_gone(struct lc_exchange *exchange, void (*on_gone)(void *arg), void *arg)
{
	exchange->on_gone = on_gone;
	exchange->gone_arg = arg;
}

enum lc_err lc_exchange_respond(struct lc_exchange *exchange, const struct lc_response *response)
{
	struct http_conn *conn = conn_of(exchange);
	assert(conn->state == CONN_ANSWERING);
	write_head(exchange, response, (int64_t)response->body_len);
	lc_buf_append(&exchange->out, response->body, response->body_len);
	return start_answer(conn);
}

enum lc_err lc_exchange_respond_buf(
	struct lc_exchange *exchange, const struct lc_response *response, struct lc_buf *body)
{
	struct http_conn *conn = conn_of(exchange);
	assert(conn->state == CONN_ANSWERING);
	write_head(exchange, response, (int64_t)body->len);
	size_t limit = body->limit;
	lc_buf_finish(&exchange->out);
	exchange->out = *body;
	lc_buf_init(body, limit);
	return start_answer(conn);
}

enum lc_err lc_exchange_fail(struct lc_exchange *exchange, int status, const char *text)
{
	struct lc_buf body;
	lc_buf_init(&body, 4096);
	lc_buf_puts(&body, "{\"error\":");
	lc_buf_json_string(&body, text, strlen(text));
	lc_buf_puts(&body, "}\n");
	const struct lc_response response = {.status = status, .content_type = "application/json"};
	return lc_exchange_respond_buf(exchange, &response, &body);
}

void lc_exchange_abort(struct lc_exchange *exchange)
{
	exchange->on_gone = NULL;
	http_conn_kill(conn_of(exchange));
}

enum lc_err lc_exchange_stream(struct lc_exchange *exchange, const struct lc_response *response)
{
	struct http_conn *conn = conn_of(exchange);
	assert(conn->state == CONN_ANSWERING);
	/* What follows the head of a HEAD request is dropped, and the end is the connection's. */
	exchange->chunked = exchange->chunked && !exchange->head_only;
	write_head(exchange, response, -1);
	if (!exchange->head_only) {
		lc_buf_append(&exchange->out, response->body, response->body_len);
	}
	conn->state = CONN_STREAMING;
	if (exchange->head.failed || exchange->out.failed) {
		exchange->on_gone = NULL;
		http_conn_kill(conn);
		return LC_ERR_NOMEM;
	}
	wait_to_write(conn);
	return LC_OK;
}

enum lc_err lc_exchange_write(struct lc_exchange *exchange, const void *data, size_t len)
{
	struct http_conn *conn = conn_of(exchange);
	assert(conn->state == CONN_STREAMING && !exchange->ended);
	size_t pending = exchange->head.len + exchange->out.len - exchange->out_at;
	if (pending + len > conn->server->options.max_pending_bytes) {
		conn->server->stats.full++;
		return LC_ERR_FULL;
	}
	if (exchange->head_only) {
		return LC_OK;
	}
	if (exchange->out_at > exchange->out.len / 2) {
		lc_buf_consume(&exchange->out, exchange->out_at);
		exchange->out_at = 0;
	}
	bool waits = exchange->out.len > 0;
	lc_buf_append(&exchange->out, data, len);
	if (exchange->out.failed) {
		return LC_ERR_NOMEM;
	}
	if (!waits) {
		wait_to_write(conn);
	}
	return LC_OK;
}

void lc_exchange_end(struct lc_exchange *exchange)
{
	exchange->ended = true;
	exchange->on_gone = NULL;
	wait_to_write(conn_of(exchange));
}

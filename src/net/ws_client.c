#include "livecore/ws_client.h"

#include "ws_priv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nothing of lws's own keep-alive: it counts in seconds and would close what we paused. */
static const lws_retry_bo_t no_validity = {0};

/* lws copies the name to check the certificate against into 128 bytes and cuts it silently. */
#define LWS_HOST_MAX 127

static void drop_wsi(struct lc_ws *ws)
{
	if (ws->wsi) {
		lws_set_opaque_user_data(ws->wsi, NULL);
		lws_set_timeout(ws->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
		ws->wsi = NULL;
		lc_ws_wake_lws(ws->hub);
	}
}

static void dial(struct lc_ws *ws)
{
	const char *address = ws->addresses[ws->next_address++];
	memcpy(ws->info.address, address, sizeof ws->info.address);
	struct lws_client_connect_info info = {
		.context = ws->hub->context,
		.vhost = ws->vhost,
		.address = ws->info.address,
		.port = ws->url.port,
		.ssl_connection = (ws->url.tls ? LCCSCF_USE_SSL : 0) |
				  LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
		.path = ws->url.path,
		.host = ws->host, /* also what the certificate must name */
		.protocol = ws->subprotocol[0] ? ws->subprotocol : NULL,
		.local_protocol_name = WS_PROTOCOL_NAME,
		.alpn = ws->url.tls ? "http/1.1" : NULL,
		.retry_and_idle_policy = &no_validity,
		.opaque_user_data = ws,
		.pwsi = &ws->wsi,
	};
	ws->state = WS_DIALLING;
	/* The rest of the time is shared by the addresses that are left, so that a dead one does
	 * not use it all. */
	size_t left = ws->address_count - ws->next_address;
	if (left) {
		int64_t rest_ms = (ws->deadline_ns - lc_loop_mono_ns(ws->hub->loop)) / LC_NS_PER_MS;
		int64_t share_ms = rest_ms / (int64_t)(left + 1);
		lc_timer_start(ws->attempt, share_ms > 0 ? share_ms : 0, 0);
	}
	if (!lws_client_connect_via_info(&info) && ws->state == WS_DIALLING) {
		ws->wsi = NULL;
		lc_ws_dial_failed(ws, LC_ERR_REFUSED, "cannot start to connect");
	}
	lc_ws_wake_lws(ws->hub);
}

static void on_attempt(void *arg)
{
	struct lc_ws *ws = arg;
	if (ws->state == WS_RESOLVING || (ws->state == WS_DIALLING && !ws->upgrade_sent)) {
		drop_wsi(ws);
		dial(ws);
	}
}

static void on_addresses(
	void *arg, const char (*addresses)[46], size_t count, const struct lc_error *err)
{
	struct lc_ws *ws = arg;
	ws->resolve = NULL;
	if (count == 0) {
		lc_ws_finish(ws, err->code, "%s", err->text);
		return;
	}
	memcpy(ws->addresses, addresses, count * sizeof *addresses);
	ws->address_count = count;
	dial(ws);
}

static void on_deadline(void *arg)
{
	struct lc_ws *ws = arg;
	if (ws->state == WS_CLOSING) {
		/* The peer did not answer our close frame; we wanted the end, and this is it. */
		lc_ws_finish(ws, LC_OK, "closed");
		return;
	}
	const char *stage = ws->resolve        ? "looking up the name"
			    : ws->upgrade_sent ? "waiting for the answer to the upgrade"
					       : "connecting";
	lc_ws_finish(ws, LC_ERR_TIMEOUT, "%s:%u: not open after %lld ms (%s)", ws->url.host,
		ws->url.port, (long long)ws->connect_timeout_ms, stage);
}

static void on_ping(void *arg)
{
	struct lc_ws *ws = arg;
	if (ws->state == WS_OPEN) {
		ws->ping_due = true;
		lws_callback_on_writable(ws->wsi);
		if (!ws->pong_awaited && !ws->paused) {
			lc_timer_start(ws->pong, ws->pong_ms, 0);
		}
		ws->pong_awaited = true;
	}
}

static void on_pong_missing(void *arg)
{
	struct lc_ws *ws = arg;
	lc_ws_finish(ws, LC_ERR_TIMEOUT, "%s:%u: no pong within %lld ms", ws->url.host,
		ws->url.port, (long long)ws->pong_ms);
}

static bool valid_header(const struct lc_ws_header *header)
{
	return header->name[0] && header->value && !strpbrk(header->name, "\r\n: ") &&
	       !strpbrk(header->value, "\r\n");
}

static enum lc_err copy_headers(
	struct lc_ws *ws, const struct lc_ws_header *headers, struct lc_error *err)
{
	for (size_t i = 0; i < LC_WS_MAX_HEADERS && headers[i].name; i++) {
		if (!valid_header(&headers[i])) {
			return lc_error_set(
				err, LC_ERR_INVALID, "header %s is not valid", headers[i].name);
		}
		size_t room = sizeof ws->header_block - ws->header_block_len;
		int len = snprintf(ws->header_block + ws->header_block_len, room, "%s: %s\r\n",
			headers[i].name, headers[i].value);
		if (len < 0 || (size_t)len >= room) {
			return lc_error_set(
				err, LC_ERR_INVALID, "the request headers are too long");
		}
		ws->header_block_len += (size_t)len;
	}
	return LC_OK;
}

static enum lc_err copy_url(struct lc_ws *ws, const char *text, struct lc_error *err)
{
	enum lc_err code = lc_url_parse(text, &ws->url, err);
	if (code != LC_OK) {
		return code;
	}
	if (!ws->url.websocket) {
		return lc_error_set(
			err, LC_ERR_INVALID, "a WebSocket URL begins with ws:// or wss://");
	}
	/* lws would cut such a host before it checks the certificate, and so check nothing. */
	if (ws->url.tls && (ws->url.ipv6_literal || strlen(ws->url.host) > LWS_HOST_MAX)) {
		return lc_error_set(err, LC_ERR_INVALID,
			"wss:// needs a host name of at most %d characters or an IPv4 address",
			LWS_HOST_MAX);
	}
	const char *open = ws->url.ipv6_literal ? "[" : "",
		   *close = ws->url.ipv6_literal ? "]" : "";
	if (ws->url.port == (ws->url.tls ? 443 : 80)) {
		snprintf(ws->host, sizeof ws->host, "%s%s%s", open, ws->url.host, close);
	} else {
		snprintf(ws->host, sizeof ws->host, "%s%s%s:%u", open, ws->url.host, close,
			ws->url.port);
	}
	return LC_OK;
}

static void copy_limits(struct lc_ws *ws, const struct lc_ws_options *options)
{
	ws->deflate = options->deflate;
	ws->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : 10000;
	ws->ping_ms = options->ping_ms ? options->ping_ms : 30000;
	ws->pong_ms = options->pong_ms ? options->pong_ms : 60000;
	ws->max_message_bytes = options->max_message_bytes ? options->max_message_bytes : 16u << 20;
	ws->max_send_bytes = options->max_send_bytes ? options->max_send_bytes : 1u << 20;
	lc_buf_init(&ws->message, ws->max_message_bytes);
	snprintf(ws->subprotocol, sizeof ws->subprotocol, "%s",
		options->subprotocol ? options->subprotocol : "");
}

static enum lc_err create_timers(struct lc_ws *ws)
{
	struct lc_loop *loop = ws->hub->loop;
	enum lc_err err = lc_timer_create(loop, on_deadline, ws, &ws->deadline);
	if (err == LC_OK) {
		err = lc_timer_create(loop, on_attempt, ws, &ws->attempt);
	}
	if (err == LC_OK) {
		err = lc_timer_create(loop, on_ping, ws, &ws->ping);
	}
	return err == LC_OK ? lc_timer_create(loop, on_pong_missing, ws, &ws->pong) : err;
}

static enum lc_err start(
	struct lc_ws *ws, const struct lc_ws_options *options, struct lc_error *err)
{
	enum lc_err code = copy_url(ws, options->url, err);
	if (code == LC_OK) {
		code = copy_headers(ws, options->headers, err);
	}
	if (code == LC_OK && options->ca_file && access(options->ca_file, R_OK) != 0) {
		/* lws would go on without it. */
		code = lc_error_set(err, LC_ERR_INVALID, "cannot read %s", options->ca_file);
	}
	if (code == LC_OK) {
		code = lc_ws_vhost(ws->hub, ws->url.tls, options->ca_file, &ws->vhost, err);
	}
	if (code != LC_OK) {
		return code;
	}
	copy_limits(ws, options);
	const char *host = options->address ? options->address : ws->url.host;
	code = create_timers(ws);
	if (code == LC_OK) {
		code = lc_resolve_start(ws->hub->loop, host, on_addresses, ws, &ws->resolve);
	}
	if (code != LC_OK) {
		return lc_error_set(
			err, code, "cannot start to connect to %s: %s", host, lc_err_text(code));
	}
	ws->deadline_ns = lc_loop_mono_ns(ws->hub->loop) + ws->connect_timeout_ms * LC_NS_PER_MS;
	lc_timer_start(ws->deadline, ws->connect_timeout_ms, 0);
	return LC_OK;
}

void lc_ws_finish(struct lc_ws *ws, enum lc_err code, const char *format, ...)
{
	if (ws->state == WS_ENDED) {
		return;
	}
	va_list args;
	va_start(args, format);
	vsnprintf(ws->closed.err.text, sizeof ws->closed.err.text, format, args);
	va_end(args);
	ws->closed.err.code = code;
	ws->state = WS_ENDED;
	drop_wsi(ws);
	lc_resolve_cancel(ws->resolve);
	ws->resolve = NULL;
	lc_timer_stop(ws->deadline);
	lc_timer_stop(ws->attempt);
	lc_timer_stop(ws->ping);
	lc_timer_stop(ws->pong);
	lc_list_remove(&ws->node);
	lc_list_append(&ws->hub->ended, &ws->node);
	lc_drain_wake(ws->hub->drain);
}

void lc_ws_dial_failed(struct lc_ws *ws, enum lc_err code, const char *text)
{
	if (ws->state == WS_ENDED) {
		return;
	}
	if (ws->next_address < ws->address_count) {
		/* Not from here: lws may be calling us. */
		ws->state = WS_RESOLVING;
		lc_timer_start(ws->attempt, 0, 0);
		return;
	}
	lc_ws_finish(
		ws, code, "%s:%u (%s): %s", ws->url.host, ws->url.port, ws->info.address, text);
}

void lc_ws_opened(struct lc_ws *ws)
{
	ws->state = WS_OPEN;
	ws->closed.was_open = true;
	lc_timer_stop(ws->deadline);
	lc_timer_stop(ws->attempt);
	if (ws->ping_ms > 0) {
		lc_timer_start(ws->ping, ws->ping_ms, ws->ping_ms);
	}
	if (ws->handler.on_open) {
		ws->handler.on_open(ws->arg, ws);
	}
}

void lc_ws_free(struct lc_ws *ws)
{
	lc_timer_destroy(ws->deadline);
	lc_timer_destroy(ws->attempt);
	lc_timer_destroy(ws->ping);
	lc_timer_destroy(ws->pong);
	lc_buf_finish(&ws->message);
	lc_list_each (node, &ws->tx) {
		free(container_of(node, struct ws_tx, node));
	}
	free(ws);
}

enum lc_err lc_ws_connect(struct lc_ws_hub *hub, const struct lc_ws_options *options,
	const struct lc_ws_handler *handler, void *arg, struct lc_ws **out, struct lc_error *err)
{
	assert(handler->on_message && handler->on_close);
	if (hub->destroying) {
		return lc_error_set(err, LC_ERR_CLOSED, "the WebSocket client is being destroyed");
	}
	struct lc_ws *ws = calloc(1, sizeof *ws);
	if (!ws) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	ws->hub = hub;
	ws->handler = *handler;
	ws->arg = arg;
	ws->closed.retry_after_s = -1;
	lc_list_init(&ws->node);
	lc_list_init(&ws->tx);
	enum lc_err code = start(ws, options, err);
	if (code != LC_OK) {
		lc_ws_free(ws);
		return code;
	}
	lc_list_append(&hub->live, &ws->node);
	*out = ws;
	return LC_OK;
}

enum lc_err lc_ws_send(struct lc_ws *ws, const void *data, size_t len, bool binary)
{
	if (ws->state != WS_OPEN) {
		return ws->state < WS_OPEN ? LC_ERR_AGAIN : LC_ERR_CLOSED;
	}
	if (len > ws->max_send_bytes - ws->tx_bytes) {
		return LC_ERR_FULL;
	}
	struct ws_tx *tx = malloc(sizeof *tx + LWS_PRE + len);
	if (!tx) {
		return LC_ERR_NOMEM;
	}
	tx->len = len;
	tx->binary = binary;
	if (len) {
		memcpy(tx->data + LWS_PRE, data, len);
	}
	lc_list_append(&ws->tx, &tx->node);
	ws->tx_bytes += len;
	lws_callback_on_writable(ws->wsi);
	return LC_OK;
}

void lc_ws_close(struct lc_ws *ws, int code, const char *reason, int64_t timeout_ms)
{
	if (ws->state >= WS_CLOSING) {
		return;
	}
	if (ws->state < WS_OPEN) {
		lc_ws_finish(ws, LC_OK, "closed before it was open");
		return;
	}
	ws->state = WS_CLOSING;
	ws->close_code = code;
	snprintf(ws->close_reason, sizeof ws->close_reason, "%s", reason ? reason : "");
	lc_timer_stop(ws->ping);
	lc_timer_stop(ws->pong);
	lc_timer_start(ws->deadline, timeout_ms, 0);
	if (ws->paused) {
		lc_ws_resume(ws); /* the peer's close frame must be read */
	}
	lws_callback_on_writable(ws->wsi);
}

void lc_ws_abort(struct lc_ws *ws)
{
	lc_ws_finish(ws, LC_ERR_CANCELLED, "aborted");
}

void lc_ws_ping(struct lc_ws *ws)
{
	if (ws->state == WS_OPEN) {
		ws->ping_due = true;
		lws_callback_on_writable(ws->wsi);
		lc_ws_wake_lws(ws->hub);
	}
}

void lc_ws_pause(struct lc_ws *ws)
{
	if (ws->state == WS_OPEN && !ws->paused) {
		ws->paused = true;
		lc_timer_stop(ws->pong); /* pongs are not read either */
		lws_rx_flow_control(ws->wsi, 0);
	}
}

void lc_ws_resume(struct lc_ws *ws)
{
	if (ws->paused && ws->wsi) {
		ws->paused = false;
		lws_rx_flow_control(ws->wsi, 1);
		lc_ws_wake_lws(ws->hub);
		if (ws->pong_awaited && ws->state == WS_OPEN) {
			lc_timer_start(ws->pong, ws->pong_ms, 0);
		}
	}
}

struct lc_ws_info lc_ws_info(const struct lc_ws *ws)
{
	return ws->info;
}

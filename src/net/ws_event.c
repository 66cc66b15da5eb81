#include "ws_priv.h"

#include <stdlib.h>
#include <string.h>

/* What lws calls LWS_WRITE_CLOSE in a header that it does not install; 4 in 4.1 and 4.3, and free
 * in its public enum. */
#define WRITE_CLOSE ((enum lws_write_protocol)4)

/* Seconds, -1 for a date (RFC 9110 10.2.3); at most a day, so that nobody is put off for ever. */
static int retry_after(struct lws *wsi)
{
	char text[16];
	int len = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_RETRY_AFTER);
	int seconds = len > 0 ? 0 : -1;
	for (int i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return -1;
		}
		seconds = seconds * 10 + (text[i] - '0');
		seconds = seconds > 86400 ? 86400 : seconds;
	}
	return seconds;
}

/* Once a turn: lws reads a socket at most once in it. */
static int64_t stamp(struct lc_ws *ws)
{
	uint64_t turn = lc_loop_watch(ws->hub->loop).turns;
	if (turn != ws->stamp_turn || ws->stamp_wall_ns == 0) {
		ws->stamp_turn = turn;
		ws->stamp_wall_ns = lc_loop_wall_ns(ws->hub->loop);
	}
	return ws->stamp_wall_ns;
}

static int on_append_headers(struct lc_ws *ws, unsigned char **at, size_t room)
{
	ws->upgrade_sent = true;
	lc_timer_stop(ws->attempt);
	if (ws->header_block_len > room) {
		lc_ws_finish(ws, LC_ERR_TOO_LARGE, "the request headers are too long");
		return -1;
	}
	memcpy(*at, ws->header_block, ws->header_block_len);
	*at += ws->header_block_len;
	return 0;
}

static enum lc_err refusal(int status)
{
	switch (status) {
	case 401:
	case 403:
		return LC_ERR_AUTH;
	case 429:
	case 503:
		return LC_ERR_LIMIT;
	default:
		return LC_ERR_REFUSED;
	}
}

/* The answer's headers are here, and only here: later lws has dropped them. */
static int on_upgrade_answer(struct lc_ws *ws, struct lws *wsi)
{
	int status = (int)lws_http_client_http_response(wsi);
	if (status == 101) {
		return 0;
	}
	ws->closed.http_status = status;
	ws->closed.retry_after_s = retry_after(wsi);
	ws->wsi = NULL;
	lws_set_opaque_user_data(wsi, NULL);
	lc_ws_finish(ws, refusal(status), "%s:%u answered the upgrade with status %d", ws->url.host,
		ws->url.port, status);
	return -1;
}

static bool is_about_tls(const char *text)
{
	return strstr(text, "tls") || strstr(text, "ssl") || strstr(text, "SSL") ||
	       strstr(text, "certificate") || strstr(text, "cert");
}

/* Refused, unreachable, TLS, or hung up before the upgrade was answered. */
static void on_connection_error(struct lc_ws *ws, const char *in, size_t len)
{
	char text[160];
	len = in ? strnlen(in, len < sizeof text - 1 ? len : sizeof text - 1) : 0;
	memcpy(text, len ? in : "", len);
	text[len] = '\0';
	ws->wsi = NULL;
	/* That is how lws puts a refused connection, and one that ended. */
	bool vague = !len || strcmp(text, "closed before established") == 0 ||
		     strcmp(text, "read failed") == 0;
	if (ws->upgrade_sent && !vague) {
		lc_ws_finish(ws, LC_ERR_PROTOCOL,
			"%s:%u did not answer the upgrade as a WebSocket server does (%s)",
			ws->url.host, ws->url.port, text);
	} else if (ws->upgrade_sent) {
		lc_ws_finish(ws, LC_ERR_CLOSED,
			"%s:%u closed the connection instead of answering the upgrade",
			ws->url.host, ws->url.port);
	} else if (ws->url.tls && is_about_tls(text)) {
		lc_ws_dial_failed(ws, LC_ERR_PROTOCOL,
			"TLS failed: wrong name, unknown authority, expired, or no common version "
			"(openssl s_client -connect HOST:PORT tells which; ca_file names an "
			"authority of your own)");
	} else {
		lc_ws_dial_failed(ws, LC_ERR_REFUSED,
			vague ? "the connection was refused, or ended before it began" : text);
	}
}

/* lws says it is over, in one of several ways; what was said before this counts more. */
static void on_gone(struct lc_ws *ws)
{
	ws->wsi = NULL;
	if (ws->state < WS_OPEN) {
		on_connection_error(ws, NULL, 0);
	} else if (ws->state == WS_CLOSING || ws->closed.close_code) {
		lc_ws_finish(ws, LC_OK, "closed");
	} else {
		lc_ws_finish(ws, LC_ERR_CLOSED, "%s:%u: the connection was lost", ws->url.host,
			ws->url.port);
	}
}

static void on_peer_close(struct lc_ws *ws, const unsigned char *in, size_t len)
{
	/* 1005: the close frame had no code (RFC 6455 7.1.5). */
	ws->closed.close_code = len >= 2 ? in[0] << 8 | in[1] : 1005;
	size_t n = len > 2 ? len - 2 : 0;
	n = n < sizeof ws->closed.close_reason ? n : sizeof ws->closed.close_reason - 1;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = in[2 + i];
		ws->closed.close_reason[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
}

static void on_established(struct lc_ws *ws, struct lws *wsi)
{
	/* Also how to learn whether deflate was agreed on. Its default is to hand over 1 KB at a
	 * time; 2^16 is our read size. */
	ws->info.deflate = lws_set_extension_option(
				   wsi, "permessage-deflate", "rx_buf_size", "16") == 0;
	lc_ws_opened(ws);
}

static void deliver(struct lc_ws *ws, const void *data, size_t len, bool binary)
{
	ws->info.rx_messages++;
	ws->info.rx_bytes += len;
	ws->handler.on_message(ws->arg, ws, data, len, binary, stamp(ws));
}

static void on_piece(struct lc_ws *ws, struct lws *wsi, const void *in, size_t len)
{
	if (ws->state != WS_OPEN) {
		return; /* closing: nobody wants it any more */
	}
	bool last = lws_is_final_fragment(wsi);
	bool binary = lws_frame_is_binary(wsi);
	if (len > ws->max_message_bytes - ws->message.len) {
		lc_ws_finish(ws, LC_ERR_TOO_LARGE, "%s:%u sent a message longer than %zu bytes",
			ws->url.host, ws->url.port, ws->max_message_bytes);
	} else if (last && ws->message.len == 0) {
		deliver(ws, in, len, binary); /* usual: whole, nothing is copied */
	} else {
		lc_buf_append(&ws->message, in, len);
		if (ws->message.failed) {
			lc_ws_finish(ws, LC_ERR_NOMEM, "out of memory for a message");
		} else if (last) {
			deliver(ws, ws->message.data, ws->message.len, binary);
			lc_buf_clear(&ws->message);
		}
	}
}

static void on_pong(struct lc_ws *ws)
{
	ws->pong_awaited = false;
	ws->info.pong_ns = lc_loop_mono_ns(ws->hub->loop);
	lc_timer_stop(ws->pong);
}

static int write_ping(struct lc_ws *ws, struct lws *wsi)
{
	unsigned char data[LWS_PRE + 4] = {0};
	ws->ping_due = false;
	return lws_write(wsi, data + LWS_PRE, 4, LWS_WRITE_PING) < 0 ? -1 : 0;
}

static int write_message(struct lc_ws *ws, struct lws *wsi)
{
	struct ws_tx *tx = container_of(ws->tx.next, struct ws_tx, node);
	lc_list_remove(&tx->node);
	ws->tx_bytes -= tx->len;
	int written = lws_write(
		wsi, tx->data + LWS_PRE, tx->len, tx->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
	free(tx);
	ws->info.tx_messages += written >= 0;
	return written < 0 ? -1 : 0;
}

/* Not by lws_close_reason() and a failing callback: 4.1.6 then closed the socket without sending
 * anything. */
static int write_close(struct lc_ws *ws, struct lws *wsi)
{
	unsigned char data[LWS_PRE + 2 + sizeof ws->close_reason];
	size_t len = strlen(ws->close_reason);
	data[LWS_PRE] = (unsigned char)(ws->close_code >> 8);
	data[LWS_PRE + 1] = (unsigned char)ws->close_code;
	memcpy(data + LWS_PRE + 2, ws->close_reason, len);
	ws->close_sent = true;
	return lws_write(wsi, data + LWS_PRE, len + 2, WRITE_CLOSE) < 0 ? -1 : 0;
}

static bool more_to_write(const struct lc_ws *ws)
{
	return ws->ping_due || !lc_list_empty(&ws->tx) ||
	       (ws->state == WS_CLOSING && !ws->close_sent);
}

/* One write a call is all that lws allows. */
static int on_writeable(struct lc_ws *ws, struct lws *wsi)
{
	int rc = 0;
	if (ws->ping_due && ws->state == WS_OPEN) {
		rc = write_ping(ws, wsi);
	} else if (!lc_list_empty(&ws->tx)) {
		rc = write_message(ws, wsi);
	} else if (ws->state == WS_CLOSING && !ws->close_sent) {
		return write_close(ws, wsi);
	}
	if (rc == 0 && more_to_write(ws)) {
		lws_callback_on_writable(wsi);
	}
	return rc;
}

static int on_event(
	struct lc_ws *ws, struct lws *wsi, enum lws_callback_reasons reason, void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return on_append_headers(ws, in, len);
	case LWS_CALLBACK_CLIENT_CONFIRM_EXTENSION_SUPPORTED:
		return ws->deflate ? 0 : 1;
	case LWS_CALLBACK_CLIENT_HTTP_REDIRECT:
		return -1;
	case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
		return on_upgrade_answer(ws, wsi);
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		on_established(ws, wsi);
		break;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		on_piece(ws, wsi, in, len);
		break;
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		on_pong(ws);
		break;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writeable(ws, wsi);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		on_peer_close(ws, in, len);
		return ws->close_sent ? -1 : 0; /* it answers ours, or lws is to answer it */
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		lws_set_opaque_user_data(wsi, NULL);
		on_connection_error(ws, in, len);
		return 0;
	case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		lws_set_opaque_user_data(wsi, NULL);
		on_gone(ws);
		return 0;
	default:
		return 0;
	}
	/* The callback may have ended it: then lws is to close its side now. */
	return ws->state == WS_ENDED ? -1 : 0;
}

int lc_ws_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	(void)user;
	struct lc_ws *ws = wsi ? lws_get_opaque_user_data(wsi) : NULL;
	/* Callbacks about the context and its vhosts have no connection, and those of one that we
	 * have dropped are of no interest. */
	if (!ws || (ws->wsi && ws->wsi != wsi)) {
		return reason == LWS_CALLBACK_CLIENT_RECEIVE ||
				       reason == LWS_CALLBACK_CLIENT_WRITEABLE
			       ? -1
			       : 0;
	}
	return on_event(ws, wsi, reason, in, len);
}

#include "http_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* How long a client may take to answer a close frame. */
#define CLOSE_WAIT_NS (5 * LC_NS_PER_S)

#define PACK_BYTES 32768

static struct http_conn *conn_of(const struct lc_ws_peer *peer)
{
	return container_of((struct lc_ws_peer *)(uintptr_t)peer, struct http_conn, peer);
}

static void wait_to_write(struct http_conn *conn)
{
	int64_t timeout_ms = conn->server->options.write_timeout_ms;
	if (conn->peer.queued_bytes > 0) {
		conn->deadline_ns = http_now_ns(conn) + timeout_ms * LC_NS_PER_MS;
	}
	lws_callback_on_writable(conn->wsi);
}

static void drop_queue(struct lc_ws_peer *peer)
{
	lc_list_each (node, &peer->queue) {
		lc_list_remove(node);
		free(container_of(node, struct ws_message, node));
	}
	peer->queued_bytes = 0;
}

static int write_next(struct http_conn *conn)
{
	struct lc_ws_peer *peer = &conn->peer;
	struct ws_message *message = container_of(peer->queue.next, struct ws_message, node);
	lc_list_remove(&message->node);
	int n = lws_write(conn->wsi, message->data + LWS_PRE, message->len,
		message->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
	peer->queued_bytes -= message->len;
	free(message);
	return n < 0 ? -1 : 0;
}

/* Closing from a writable callback would count as a broken connection and send nothing: the frame
 * is written here, and libwebsockets closes when the client answers it, or the deadline does. */
static int write_close(struct http_conn *conn)
{
	struct lc_ws_peer *peer = &conn->peer;
	unsigned char frame[LWS_PRE + 4 + sizeof(peer->close_reason)];
	size_t len = strlen(peer->close_reason);
	unsigned char *p = frame + LWS_PRE;
	p[0] = 0x88;
	p[1] = (unsigned char)(len + 2);
	p[2] = (unsigned char)(peer->close_code >> 8);
	p[3] = (unsigned char)peer->close_code;
	memcpy(p + 4, peer->close_reason, len);
	peer->close_sent = true;
	conn->deadline_ns = http_now_ns(conn) + CLOSE_WAIT_NS;
	/* LWS_WRITE_HTTP passes the bytes as they are. */
	return lws_write(conn->wsi, p, len + 4, LWS_WRITE_HTTP) < 0 ? -1 : 0;
}

/* libwebsockets encrypts, and keeps what the kernel does not take. */
static enum lc_err raw_tls(struct http_conn *conn, const void *data, size_t len, size_t *written)
{
	size_t most = len < HTTP_PIECE_BYTES ? len : HTTP_PIECE_BYTES;
	unsigned char piece[LWS_PRE + HTTP_PIECE_BYTES];
	memcpy(piece + LWS_PRE, data, most);
	if (lws_send_pipe_choked(conn->wsi)) {
		return LC_OK;
	}
	if (lws_write(conn->wsi, piece + LWS_PRE, most, LWS_WRITE_HTTP) < 0) {
		return LC_ERR_CLOSED;
	}
	*written = most;
	return LC_OK;
}

/* The head of an unmasked frame; returns its length, at most 4. */
static size_t put_head(unsigned char *out, const struct ws_message *message)
{
	out[0] = message->binary ? 0x82 : 0x81;
	if (message->len < 126) {
		out[1] = (unsigned char)message->len;
		return 2;
	}
	out[1] = 126;
	out[2] = (unsigned char)(message->len >> 8);
	out[3] = (unsigned char)message->len;
	return 4;
}

/* Many small messages in one write: a system call for each would cost ten times as much. */
static int write_packed(struct http_conn *conn)
{
	struct lc_ws_peer *peer = &conn->peer;
	unsigned char piece[LWS_PRE + PACK_BYTES];
	size_t at = LWS_PRE;
	lc_list_each (node, &peer->queue) {
		struct ws_message *message = container_of(node, struct ws_message, node);
		if (at + 4 + message->len > sizeof(piece)) {
			break;
		}
		at += put_head(piece + at, message);
		memcpy(piece + at, message->data + LWS_PRE, message->len);
		at += message->len;
		peer->queued_bytes -= message->len;
		lc_list_remove(node);
		free(message);
	}
	return lws_write(conn->wsi, piece + LWS_PRE, at - LWS_PRE, LWS_WRITE_HTTP) < 0 ? -1 : 0;
}

static int write_some(struct http_conn *conn)
{
	const struct ws_message *first = container_of(
		conn->peer.queue.next, struct ws_message, node);
	bool pack = !conn->peer.deflated && first->len + 4 <= PACK_BYTES;
	return pack ? write_packed(conn) : write_next(conn);
}

void http_peer_init(struct http_conn *conn)
{
	lc_list_init(&conn->peer.queue);
	lc_buf_init(&conn->peer.rx, conn->server->options.max_message_bytes);
}

void http_peer_finish(struct http_conn *conn)
{
	drop_queue(&conn->peer);
	lc_buf_finish(&conn->peer.rx);
}

void http_peer_open(struct http_conn *conn)
{
	struct lc_ws_peer *peer = &conn->peer;
	if (peer->handler == NULL) {
		return;
	}
	conn->state = CONN_WS;
	conn->deadline_ns = INT64_MAX;
	peer->open = true;
	http_exchange_reset(&conn->exchange);
	/* It fails when the extension was not agreed on. Inflated input comes in bigger pieces. */
	peer->deflated = lws_set_extension_option(
				 conn->wsi, "permessage-deflate", "rx_buf_size", "14") == 0;
	if (peer->handler->on_open != NULL) {
		peer->handler->on_open(peer->arg, peer);
	}
	if (!lc_list_empty(&peer->queue) || peer->closing || peer->want_drained) {
		wait_to_write(conn);
	}
}

int http_peer_receive(struct http_conn *conn, const void *data, size_t len)
{
	struct lc_ws_peer *peer = &conn->peer;
	if (peer->handler == NULL) {
		return -1;
	}
	if (lws_is_first_fragment(conn->wsi)) {
		lc_buf_clear(&peer->rx);
	}
	lc_buf_append(&peer->rx, data, len);
	if (peer->rx.failed) {
		conn->server->stats.too_large++;
		lws_close_reason(conn->wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
		return -1;
	}
	if (!lws_is_final_fragment(conn->wsi) || lws_remaining_packet_payload(conn->wsi) > 0) {
		return 0;
	}
	if (peer->handler->on_message != NULL && !peer->closing) {
		peer->handler->on_message(peer->arg, peer, peer->rx.len > 0 ? peer->rx.data : "",
			peer->rx.len, lws_frame_is_binary(conn->wsi) != 0);
	}
	lc_buf_clear(&peer->rx);
	return 0;
}

int http_peer_writable(struct http_conn *conn)
{
	struct lc_ws_peer *peer = &conn->peer;
	/* libwebsockets keeps what the kernel did not take and comes back when it is gone: several
	 * writes a turn save turns. */
	for (int i = 0; i < 32 && !lc_list_empty(&peer->queue); i++) {
		if (write_some(conn) < 0) {
			return -1;
		}
		if (lws_send_pipe_choked(conn->wsi)) {
			break;
		}
	}
	if (!lc_list_empty(&peer->queue)) {
		wait_to_write(conn);
		return 0;
	}
	if (peer->closing) {
		return peer->close_sent ? 0 : write_close(conn);
	}
	conn->deadline_ns = INT64_MAX;
	if (peer->want_drained && peer->handler->on_drained != NULL) {
		peer->want_drained = false;
		peer->handler->on_drained(peer->arg, peer);
	}
	return 0;
}

void http_peer_closed(struct http_conn *conn)
{
	struct lc_ws_peer *peer = &conn->peer;
	const struct lc_ws_peer_handler *handler = peer->handler;
	peer->handler = NULL;
	peer->open = false;
	drop_queue(peer);
	if (handler != NULL && handler->on_close != NULL) {
		handler->on_close(peer->arg);
	}
}

enum lc_err lc_exchange_accept(struct lc_exchange *exchange,
	const struct lc_ws_peer_handler *handler, void *arg, struct lc_ws_peer **out)
{
	struct http_conn *conn = container_of(exchange, struct http_conn, exchange);
	assert(conn->state == CONN_ANSWERING && exchange->request.upgrade && !conn->accepted);
	exchange->on_gone = NULL;
	conn->accepted = true;
	conn->peer.handler = handler;
	conn->peer.arg = arg;
	*out = &conn->peer;
	return LC_OK;
}

enum lc_err lc_ws_peer_send(struct lc_ws_peer *peer, const void *data, size_t len, bool binary)
{
	struct http_conn *conn = conn_of(peer);
	if (peer->closing || conn->hang_up) {
		return LC_ERR_CLOSED;
	}
	if (peer->queued_bytes + len > conn->server->options.max_pending_bytes) {
		conn->server->stats.full++;
		return LC_ERR_FULL;
	}
	struct ws_message *message = malloc(sizeof(*message) + LWS_PRE + len);
	if (message == NULL) {
		return LC_ERR_NOMEM;
	}
	message->len = len;
	message->binary = binary;
	memcpy(message->data + LWS_PRE, data, len);
	bool first = lc_list_empty(&peer->queue);
	lc_list_append(&peer->queue, &message->node);
	peer->queued_bytes += len;
	if (peer->open && first) {
		wait_to_write(conn);
	}
	return LC_OK;
}

size_t lc_ws_peer_pending(const struct lc_ws_peer *peer)
{
	return peer->queued_bytes;
}

void lc_ws_peer_want_drained(struct lc_ws_peer *peer)
{
	peer->want_drained = true;
	if (peer->open) {
		lws_callback_on_writable(conn_of(peer)->wsi);
	}
}

void lc_ws_peer_close(struct lc_ws_peer *peer, int code, const char *reason)
{
	if (peer->closing) {
		return;
	}
	peer->closing = true;
	peer->close_code = code;
	snprintf(peer->close_reason, sizeof(peer->close_reason), "%s", reason);
	if (peer->open) {
		wait_to_write(conn_of(peer));
	}
}

void lc_ws_peer_abort(struct lc_ws_peer *peer)
{
	http_conn_kill(conn_of(peer));
}

void lc_ws_peer_mute(struct lc_ws_peer *peer, bool muted)
{
	if (peer->muted == muted || !peer->open) {
		return;
	}
	peer->muted = muted;
	lws_rx_flow_control(conn_of(peer)->wsi, muted ? 0 : 1);
}

enum lc_err lc_ws_peer_raw(struct lc_ws_peer *peer, const void *data, size_t len, size_t *written)
{
	struct http_conn *conn = conn_of(peer);
	*written = 0;
	if (peer->closing || conn->hang_up || !peer->open) {
		return LC_ERR_CLOSED;
	}
	if (conn->server->options.tls_cert != NULL) {
		return raw_tls(conn, data, len, written);
	}
	ssize_t n = send(lws_get_socket_fd(conn->wsi), data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0) {
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? LC_OK
										 : LC_ERR_CLOSED;
	}
	*written = (size_t)n;
	return LC_OK;
}

enum lc_err lc_ws_peer_raw_rest(struct lc_ws_peer *peer, const void *data, size_t len)
{
	struct http_conn *conn = conn_of(peer);
	if (conn->hang_up || !peer->open) {
		return LC_ERR_CLOSED;
	}
	unsigned char *copy = malloc(LWS_PRE + len);
	if (copy == NULL) {
		http_conn_kill(conn);
		return LC_ERR_NOMEM;
	}
	memcpy(copy + LWS_PRE, data, len);
	int n = lws_write(conn->wsi, copy + LWS_PRE, len, LWS_WRITE_HTTP);
	free(copy);
	return n < 0 ? LC_ERR_CLOSED : LC_OK;
}

bool lc_ws_peer_deflated(const struct lc_ws_peer *peer)
{
	return peer->deflated;
}

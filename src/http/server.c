#include "http_priv.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_MS 100

int64_t http_now_ns(const struct http_conn *conn)
{
	return lc_loop_mono_ns(conn->server->loop);
}

void http_conn_kill(struct http_conn *conn)
{
	if (conn->hang_up) {
		return;
	}
	conn->hang_up = true;
	conn->deadline_ns = INT64_MAX;
	lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
	/* A timer that is set outside libwebsockets' own callbacks waits for its next turn. */
	lws_cancel_service(conn->server->context);
}

static struct http_conn *conn_create(struct lc_http_server *server, struct lws *wsi)
{
	struct http_conn *conn = calloc(1, sizeof(*conn));
	if (conn == NULL) {
		return NULL;
	}
	conn->server = server;
	conn->wsi = wsi;
	conn->deadline_ns = lc_loop_mono_ns(server->loop) +
			    server->options.request_timeout_ms * LC_NS_PER_MS;
	http_exchange_init(conn);
	http_peer_init(conn);
	lc_list_append(&server->conns, &conn->node);
	server->stats.connections++;
	server->stats.accepted++;
	lws_set_opaque_user_data(wsi, conn);
	if (!lc_timer_active(server->sweep)) {
		lc_timer_start(server->sweep, SWEEP_MS, SWEEP_MS);
	}
	return conn;
}

static void conn_destroy(struct http_conn *conn)
{
	if (conn->peer.handler != NULL) {
		http_peer_closed(conn);
	}
	http_exchange_gone(conn);
	lws_set_opaque_user_data(conn->wsi, NULL);
	lc_list_remove(&conn->node);
	conn->server->stats.connections--;
	http_exchange_finish(&conn->exchange);
	http_peer_finish(conn);
	free(conn);
}

static void hand_over(struct http_conn *conn)
{
	struct lc_exchange *exchange = &conn->exchange;
	conn->state = CONN_ANSWERING;
	conn->deadline_ns = INT64_MAX;
	exchange->request.body = exchange->body.data;
	exchange->request.body_len = exchange->body.len;
	conn->server->stats.requests++;
	conn->server->options.on_request(conn->server->options.arg, exchange);
}

/* Parks connections that stay without an answer: libwebsockets is told to refuse them, and closes
 * its descriptor while ours keeps the connection open. */
static void park(struct lc_http_server *server, int fd)
{
	size_t most = sizeof(server->held_fds) / sizeof(server->held_fds[0]);
	int copy = server->held_count < most ? dup(fd) : -1;
	if (copy >= 0) {
		server->held_fds[server->held_count++] = copy;
	}
}

/* Who only waits gives way to who comes: otherwise a few clients that say nothing would keep a
 * health check out. The list has them by their last answer, oldest first. */
static bool end_longest_waiting(struct lc_http_server *server)
{
	lc_list_each (node, &server->conns) {
		struct http_conn *conn = container_of(node, struct http_conn, node);
		if (conn->state == CONN_READING && !conn->hang_up) {
			server->stats.displaced++;
			http_conn_kill(conn);
			return true;
		}
	}
	return false;
}

static int on_connection(struct lc_http_server *server, void *in)
{
	int fd = (int)(intptr_t)in;
	if (server->held) {
		park(server, fd);
		return -1;
	}
	size_t most = server->options.max_connections;
	if (server->stats.connections < most) {
		return 0;
	}
	/* Those that end are still counted until libwebsockets lets go of them. */
	if (server->stats.connections < most + HTTP_ENDING_MAX && end_longest_waiting(server)) {
		return 0;
	}
	server->stats.refused++;
	return -1;
}

static int on_headers(struct http_conn *conn)
{
	lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
	if (conn->state != CONN_READING) {
		return -1;
	}
	if (!http_request_read(conn)) {
		return 0;
	}
	if (conn->exchange.body_expected == 0) {
		hand_over(conn);
	}
	return 0;
}

static int on_body(struct http_conn *conn, const void *data, size_t len)
{
	if (conn->state != CONN_READING) {
		return 0;
	}
	lc_buf_append(&conn->exchange.body, data, len);
	return conn->exchange.body.failed ? -1 : 0;
}

static int on_body_end(struct http_conn *conn)
{
	if (conn->state == CONN_READING && conn->exchange.body_expected > 0) {
		hand_over(conn);
	}
	return 0;
}

/* 0 goes on with the upgrade, 1 was answered and keeps the connection, -1 hangs up. The text that
 * libwebsockets passes is not looked at: after an unknown upgrade it points to freed memory. */
static int on_upgrade(struct http_conn *conn)
{
	char what[16];
	int len = lws_hdr_copy(conn->wsi, what, sizeof(what), WSI_TOKEN_UPGRADE);
	if (len <= 0 || strcasecmp(what, "websocket") != 0 || conn->state != CONN_READING) {
		return -1;
	}
	if (http_request_read(conn)) {
		conn->exchange.request.upgrade = true;
		hand_over(conn);
	}
	if (conn->hang_up) {
		return -1;
	}
	if (conn->accepted) {
		return 0;
	}
	/* An upgrade cannot be answered later. */
	if (conn->state == CONN_ANSWERING) {
		lc_exchange_fail(&conn->exchange, 500, "upgrade was not answered");
	}
	if (conn->state == CONN_WRITING) {
		http_exchange_write_now(conn);
	}
	return -1;
}

static int on_event(struct http_conn *conn, enum lws_callback_reasons reason, void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return on_headers(conn);
	case LWS_CALLBACK_HTTP_BODY:
		return on_body(conn, in, len);
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return on_body_end(conn);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return conn->hang_up ? -1 : http_exchange_writable(conn);
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return on_upgrade(conn);
	case LWS_CALLBACK_ESTABLISHED:
		http_peer_open(conn);
		return 0;
	case LWS_CALLBACK_RECEIVE:
		return http_peer_receive(conn, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return conn->hang_up ? -1 : http_peer_writable(conn);
	case LWS_CALLBACK_CLOSED:
		http_peer_closed(conn);
		return 0;
	case LWS_CALLBACK_CLOSED_HTTP:
		http_exchange_gone(conn);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		conn_destroy(conn);
		return 0;
	default:
		return 0;
	}
}

int http_on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	(void)user;
	if (wsi == NULL || lws_get_context(wsi) == NULL) {
		return 0;
	}
	struct lc_http_server *server = lws_context_user(lws_get_context(wsi));
	if (reason == LWS_CALLBACK_FILTER_NETWORK_CONNECTION) {
		return on_connection(server, in);
	}
	if (reason == LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED) {
		return conn_create(server, wsi) != NULL ? 0 : -1;
	}
	struct http_conn *conn = lws_get_opaque_user_data(wsi);
	return conn != NULL ? on_event(conn, reason, in, len) : 0;
}

/* libwebsockets does not read while an answer is awaited, so it would not see the client leave. */
static bool client_left(const struct http_conn *conn)
{
	if (conn->state != CONN_ANSWERING && conn->state != CONN_STREAMING) {
		return false;
	}
	struct pollfd fd = {.fd = lws_get_socket_fd(conn->wsi), .events = POLLRDHUP};
	return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* The owner is told at once: libwebsockets may linger for seconds over the closing. */
static void give_up(struct http_conn *conn)
{
	http_conn_kill(conn);
	http_exchange_gone(conn);
	if (conn->peer.handler != NULL) {
		http_peer_closed(conn);
	}
}

static void on_sweep(void *arg)
{
	struct lc_http_server *server = arg;
	int64_t now_ns = lc_loop_mono_ns(server->loop);
	lc_list_each (node, &server->conns) {
		struct http_conn *conn = container_of(node, struct http_conn, node);
		bool late = conn->deadline_ns <= now_ns;
		server->stats.timeouts += late;
		if (!conn->hang_up && (late || client_left(conn))) {
			give_up(conn);
		}
	}
	if (lc_list_empty(&server->conns)) {
		lc_timer_stop(server->sweep);
	}
}

/* libwebsockets' handles close in the turns after lws_context_destroy(), which must then be called
 * again: without the turns between it would free what libuv still uses. */
static void on_destroy_turn(void *arg)
{
	struct lc_http_server *server = arg;
	if (server->destroy_turns++ < 3) {
		return;
	}
	if (server->context != NULL) {
		lws_context_destroy(server->context);
	}
	if (server->context != NULL) {
		server->destroy_turns = 1;
		return;
	}
	lc_timer_destroy(server->sweep);
	void (*done)(void *arg) = server->done;
	void *done_arg = server->done_arg;
	free(server);
	if (done != NULL) {
		done(done_arg);
	}
}

enum lc_err lc_http_server_create(struct lc_loop *loop,
	const struct lc_http_server_options *options, struct lc_http_server **out,
	struct lc_error *err)
{
	*out = NULL;
	struct lc_http_server *server = calloc(1, sizeof(*server));
	if (server == NULL) {
		return LC_ERR_NOMEM;
	}
	server->loop = loop;
	server->options = *options;
	http_apply_defaults(&server->options);
	lc_list_init(&server->conns);
	enum lc_err rc = http_parse_address(server, err);
	if (rc == LC_OK) {
		rc = http_check_tls(options, err);
	}
	if (rc == LC_OK) {
		rc = http_try_bind(server, err);
	}
	if (rc == LC_OK) {
		rc = lc_timer_create(loop, on_sweep, server, &server->sweep);
	}
	if (rc != LC_OK) {
		free(server);
		return rc;
	}
	lws_set_log_level(0, NULL);
	if (!http_create_context(server)) {
		lc_timer_destroy(server->sweep);
		free(server);
		return lc_error_set(err, LC_ERR_IO,
			"libwebsockets did not start: is libwebsockets-evlib-uv installed?");
	}
	if (!http_create_vhost(server)) {
		rc = lc_error_set(err, LC_ERR_IO,
			"cannot listen on %s port %d (TLS files that do not match?)", server->host,
			server->port);
		lc_http_server_destroy(server, NULL, NULL);
		return rc;
	}
	server->port = lws_get_vhost_listen_port(server->vhost);
	*out = server;
	return LC_OK;
}

void lc_http_server_destroy(struct lc_http_server *server, void (*done)(void *arg), void *arg)
{
	if (server == NULL) {
		return;
	}
	lc_http_server_hold(server, false);
	server->done = done;
	server->done_arg = arg;
	lc_timer_destroy(server->sweep);
	lws_context_destroy(server->context);
	enum lc_err rc = lc_timer_create(server->loop, on_destroy_turn, server, &server->sweep);
	assert(rc == LC_OK);
	(void)rc;
	lc_timer_start(server->sweep, 2, 2);
}

int lc_http_server_port(const struct lc_http_server *server)
{
	return server->port;
}

struct lc_http_server_stats lc_http_server_stats(const struct lc_http_server *server)
{
	return server->stats;
}

void lc_http_server_hold(struct lc_http_server *server, bool held)
{
	server->held = held;
	while (!held && server->held_count > 0) {
		close(server->held_fds[--server->held_count]);
	}
}

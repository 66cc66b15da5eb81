/* A scripted TCP server on loopback, on the loop of the test: it accepts, collects what comes in,
 * and lets the test answer byte by byte. Everything it makes is closed by tcp_server_close(). */
#pragma once

#include "livecore/list.h"
#include "loop_fixture.h"

#include <stdlib.h>
#include <string.h>

struct tcp_conn;
typedef void (*tcp_script)(struct tcp_conn *conn); /* called when bytes have come */

struct tcp_server {
	uv_tcp_t listener;
	struct lc_list conns;
	int port, accepted, closed_by_peer;
	tcp_script script;
	void *arg; /* of the test */
};

struct tcp_conn {
	struct lc_list node;
	uv_tcp_t tcp;
	struct tcp_server *server;
	char in[256 * 1024]; /* what came and was not consumed, NUL-terminated */
	size_t in_len;
	int number; /* 1 for the first connection */
	int stage;  /* for the script */
};

static inline void on_conn_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static inline void conn_close(struct tcp_conn *conn)
{
	if (!uv_is_closing((uv_handle_t *)&conn->tcp)) {
		lc_list_remove(&conn->node);
		uv_close((uv_handle_t *)&conn->tcp, on_conn_closed);
	}
}

static inline void conn_reset(struct tcp_conn *conn)
{
	lc_list_remove(&conn->node);
	uv_tcp_close_reset(&conn->tcp, on_conn_closed);
}

static inline void on_conn_written(uv_write_t *req, int status)
{
	(void)status;
	free(req);
}

static inline void conn_write(struct tcp_conn *conn, const void *data, size_t len)
{
	uv_write_t *req = malloc(sizeof *req + len);
	cr_assert_not_null(req);
	memcpy(req + 1, data, len);
	uv_buf_t buf = uv_buf_init((char *)(req + 1), (unsigned)len);
	cr_assert_eq(uv_write(req, (uv_stream_t *)&conn->tcp, &buf, 1, on_conn_written), 0);
}

static inline void conn_puts(struct tcp_conn *conn, const char *text)
{
	conn_write(conn, text, strlen(text));
}

static inline void on_conn_shutdown(uv_shutdown_t *req, int status)
{
	(void)status;
	conn_close(req->handle->data);
	free(req);
}

/* Closes once everything is written. */
static inline void conn_finish(struct tcp_conn *conn)
{
	uv_shutdown_t *req = malloc(sizeof *req);
	cr_assert_not_null(req);
	cr_assert_eq(uv_shutdown(req, (uv_stream_t *)&conn->tcp, on_conn_shutdown), 0);
}

static inline void conn_consume(struct tcp_conn *conn, size_t len)
{
	memmove(conn->in, conn->in + len, conn->in_len - len + 1);
	conn->in_len -= len;
}

/* Takes one request (its headers) off the input; false when it is not complete. */
static inline bool conn_request(struct tcp_conn *conn, char *out, size_t size)
{
	const char *end = strstr(conn->in, "\r\n\r\n");
	if (!end) {
		return false;
	}
	size_t len = (size_t)(end - conn->in) + 4;
	cr_assert_lt(len, size);
	memcpy(out, conn->in, len);
	out[len] = '\0';
	conn_consume(conn, len);
	return true;
}

static inline void on_conn_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct tcp_conn *conn = handle->data;
	(void)suggested;
	*buf = uv_buf_init(conn->in + conn->in_len, (unsigned)(sizeof conn->in - 1 - conn->in_len));
}

static inline void on_conn_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct tcp_conn *conn = stream->data;
	(void)buf;
	if (n < 0) {
		conn->server->closed_by_peer++;
		conn_close(conn);
		return;
	}
	conn->in_len += (size_t)n;
	conn->in[conn->in_len] = '\0';
	conn->server->script(conn);
}

static inline void on_server_accept(uv_stream_t *listener, int status)
{
	struct tcp_server *server = listener->data;
	struct tcp_conn *conn = calloc(1, sizeof *conn);
	cr_assert(status == 0 && conn);
	uv_tcp_init(listener->loop, &conn->tcp);
	conn->tcp.data = conn;
	conn->server = server;
	conn->number = ++server->accepted;
	lc_list_append(&server->conns, &conn->node);
	cr_assert_eq(uv_accept(listener, (uv_stream_t *)&conn->tcp), 0);
	uv_tcp_nodelay(&conn->tcp, 1);
	uv_read_start((uv_stream_t *)&conn->tcp, on_conn_alloc, on_conn_read);
}

static inline void tcp_server_open(
	struct tcp_server *server, struct fixture *f, tcp_script script, void *arg)
{
	struct sockaddr_in address;
	int len = sizeof address;
	*server = (struct tcp_server){.script = script, .arg = arg};
	lc_list_init(&server->conns);
	uv_tcp_init(lc_loop_uv(f->loop), &server->listener);
	server->listener.data = server;
	uv_ip4_addr("127.0.0.1", 0, &address);
	cr_assert_eq(uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0), 0);
	cr_assert_eq(uv_listen((uv_stream_t *)&server->listener, 16, on_server_accept), 0);
	cr_assert_eq(uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
}

static inline void tcp_server_close(struct tcp_server *server)
{
	lc_list_each (node, &server->conns) {
		conn_close(container_of(node, struct tcp_conn, node));
	}
	uv_close((uv_handle_t *)&server->listener, NULL);
}

/* What the files of the server share. Never leaves this folder. */
#pragma once

#include "livecore/http_server.h"
#include "livecore/list.h"

#include <libwebsockets.h>

/* libwebsockets stalls on bigger pieces of a body. */
#define HTTP_PIECE_BYTES 8192

/* Connections that are ending, beside max_connections. */
#define HTTP_ENDING_MAX 16

enum conn_state {
	CONN_READING,   /* headers or body, the first or the next request's */
	CONN_ANSWERING, /* the handler has the request */
	CONN_WRITING,   /* a whole answer waits or is being written */
	CONN_STREAMING,
	CONN_WS,
	CONN_DEAD, /* no call into it any more; it waits for libwebsockets to let go */
};

struct lc_exchange {
	struct lc_request request;
	struct lc_buf text; /* path, query and headers, each NUL-terminated; never grows past its
			       first size, so that pointers into it stay */
	size_t query_at, headers_at;
	struct lc_buf body; /* the request's */
	size_t body_expected;
	struct lc_buf head; /* the answer's status line and headers */
	struct lc_buf out;  /* the answer's body, or what a stream has queued */
	size_t out_at;
	bool head_only, chunked, keep, ended, tail_sent;
	void (*on_gone)(void *arg);
	void *gone_arg;
};

struct ws_message {
	struct lc_list node;
	size_t len;
	bool binary;
	unsigned char data[]; /* LWS_PRE bytes of room, then the message */
};

struct lc_ws_peer {
	const struct lc_ws_peer_handler *handler; /* borrowed */
	void *arg;
	struct lc_list queue;
	size_t queued_bytes;
	struct lc_buf rx;
	bool open, closing, close_sent, want_drained, deflated, muted;
	int close_code;
	char close_reason[124];
};

/* One connection: at a time it is one exchange, or a WebSocket. */
struct http_conn {
	struct lc_list node;
	struct lc_http_server *server;
	struct lws *wsi;
	enum conn_state state;
	int64_t deadline_ns; /* monotonic; INT64_MAX: none */
	bool hang_up;        /* close at the next chance */
	bool accepted;       /* the handler accepted the upgrade that is being confirmed */
	struct lc_exchange exchange;
	struct lc_ws_peer peer;
};

struct lc_http_server {
	struct lc_loop *loop;
	struct lc_http_server_options options;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct lws_protocols protocols[2];
	struct lc_list conns;
	struct lc_timer *sweep; /* looks for passed deadlines */
	struct lc_http_server_stats stats;
	char host[64];
	int port;
	bool held;
	int held_fds[64];
	size_t held_count;
	void (*done)(void *arg);
	void *done_arg;
	int destroy_turns;
};

int64_t http_now_ns(const struct http_conn *conn);
/* Ends the connection in a later turn. */
void http_conn_kill(struct http_conn *conn);

/* server.c: libwebsockets' callback */
int http_on_lws(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);

/* listen.c: from options to a listening vhost, in this order */
void http_apply_defaults(struct lc_http_server_options *options);
enum lc_err http_parse_address(struct lc_http_server *server, struct lc_error *err);
enum lc_err http_check_tls(const struct lc_http_server_options *options, struct lc_error *err);
enum lc_err http_try_bind(const struct lc_http_server *server, struct lc_error *err);
bool http_create_context(struct lc_http_server *server);
bool http_create_vhost(struct lc_http_server *server);

/* request.c: copies what the handler may ask for. False: the request is answered or refused. */
bool http_request_read(struct http_conn *conn);
void http_exchange_init(struct http_conn *conn);
void http_exchange_reset(struct lc_exchange *exchange);
void http_exchange_finish(struct lc_exchange *exchange);

/* exchange.c: writes what waits; nonzero: libwebsockets closes the connection. */
int http_exchange_writable(struct http_conn *conn);
/* Writes a whole answer at once: for an upgrade that is refused. */
int http_exchange_write_now(struct http_conn *conn);
void http_exchange_gone(struct http_conn *conn);

/* ws_peer.c */
void http_peer_init(struct http_conn *conn);
void http_peer_finish(struct http_conn *conn);
void http_peer_open(struct http_conn *conn);
int http_peer_receive(struct http_conn *conn, const void *data, size_t len);
int http_peer_writable(struct http_conn *conn);
void http_peer_closed(struct http_conn *conn);

/* An HTTP/1.1 and WebSocket server on the loop: health, metrics, the API and the vendors'
 * simulators. Loop thread only. It binds exactly the address it is given, reads a whole request
 * within a time and a size, and gives up on a client that does not take its answer, so that a slow
 * or hostile client costs a bounded amount. It never blocks, and calls back only from the loop's
 * own turns: never from inside a call of this header. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"
#include "livecore/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lc_http_server;
struct lc_exchange; /* one request and its answer */
struct lc_ws_peer;  /* a client that was accepted as a WebSocket */

/* Called with each whole request. It must be answered, now or later, by exactly one of respond,
 * respond_buf, stream, accept (an upgrade, in this call only) and abort. */
typedef void (*lc_exchange_cb)(void *arg, struct lc_exchange *exchange);

/* Everything is copied, but headers, which is borrowed for the server's life. Zeros mean the
 * default that the comment names. */
struct lc_http_server_options {
	const char *address; /* "127.0.0.1:8080", "[::1]:8080", "0.0.0.0:8080"; ":8080" is loopback;
				 port 0: any free one */
	const char *tls_cert; /* PEM files; NULL: no TLS */
	const char *tls_key;
	const char *const
		*headers; /* names in lower case, ended by NULL, that handlers may ask for,
				       besides those of lc_exchange_header() */
	/* One more ends the connection that has waited longest for a request; when none waits, the
	 * new one is closed at once; 64. */
	size_t max_connections;
	size_t max_header_bytes;  /* of one request, at most 60 KB; 8 KB */
	size_t max_body_bytes;    /* of one request; 1 MB */
	size_t max_message_bytes; /* of one WebSocket message; 1 MB */
	/* of a stream or a WebSocket, not yet taken by the kernel; 1 MB */
	size_t max_pending_bytes;
	int64_t request_timeout_ms; /* from the connection to a whole request; 10,000 */
	int64_t idle_timeout_ms;    /* of a kept connection, to the next whole request; 60,000 */
	int64_t write_timeout_ms;   /* without the client taking a byte that waits; 30,000 */
	bool deflate;               /* permessage-deflate, when the client offers it */
	lc_exchange_cb on_request;
	void *arg;
};

/* Can this be listened on, as far as its text tells? LC_ERR_INVALID. Any thread. */
enum lc_err lc_http_check_address(const char *address, struct lc_error *err);

/* Binds and listens. LC_ERR_INVALID (address, TLS files) and LC_ERR_IO (bind) with *err. */
enum lc_err lc_http_server_create(struct lc_loop *loop,
	const struct lc_http_server_options *options, struct lc_http_server **out,
	struct lc_error *err);
/* Closes every connection: on_gone and on_close are still called. done (may be NULL) is called
 * once, later, when the loop holds nothing of the server any more: stop the loop only after it.
 * NULL server: nothing happens, done is not called. */
void lc_http_server_destroy(struct lc_http_server *server, void (*done)(void *arg), void *arg);

/* While held, new connections are accepted and never answered (a fault for simulators; at most 64).
 * Releasing closes them. */
void lc_http_server_hold(struct lc_http_server *server, bool held);

/* The port in use. */
int lc_http_server_port(const struct lc_http_server *server);

struct lc_http_server_stats {
	uint64_t connections; /* open now */
	uint64_t accepted;
	uint64_t refused;   /* over max_connections */
	uint64_t displaced; /* ended while they waited, for one that came */
	uint64_t requests;  /* handed to on_request, upgrades among them */
	uint64_t too_large; /* header, body or message */
	uint64_t timeouts;  /* request, idle and write */
	uint64_t full;      /* writes refused for max_pending_bytes */
};
struct lc_http_server_stats lc_http_server_stats(const struct lc_http_server *server);

/* Valid until the exchange is over. */
struct lc_request {
	const char *method; /* "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH" */
	const char *path;   /* percent-decoded, without the query */
	const void *body;
	size_t body_len;
	bool upgrade; /* the client asks for a WebSocket */
};
const struct lc_request *lc_exchange_request(const struct lc_exchange *exchange);
/* The decoded value of the first query parameter of that name ("" when it has none), or NULL. */
const char *lc_exchange_query(const struct lc_exchange *exchange, const char *name);
/* The value of a header, or NULL: accept, accept-encoding, authorization, content-type, host,
 * if-none-match, last-event-id, origin, user-agent, and the options' headers. */
const char *lc_exchange_header(const struct lc_exchange *exchange, const char *name);

/* Called when the client goes away before the answer was written; the exchange is gone when it
 * returns. Not called once an answer is complete, nor after abort. */
void lc_exchange_on_gone(struct lc_exchange *exchange, void (*on_gone)(void *arg), void *arg);

struct lc_response {
	int status;
	const char *content_type;   /* NULL: none */
	const char *const *headers; /* "Name: value" lines, ended by NULL; or NULL */
	const void *body;
	size_t body_len;
	bool close; /* close the connection behind the answer */
};

/* Each ends the caller's use of the exchange. respond copies; respond_buf takes the buffer's memory
 * and leaves it empty (response->body is ignored). LC_ERR_NOMEM: the connection is closed. A HEAD
 * request gets the same headers and no body. */
enum lc_err lc_exchange_respond(struct lc_exchange *exchange, const struct lc_response *response);
enum lc_err lc_exchange_respond_buf(
	struct lc_exchange *exchange, const struct lc_response *response, struct lc_buf *body);
/* A JSON {"error": text} answer with that status. */
enum lc_err lc_exchange_fail(struct lc_exchange *exchange, int status, const char *text);
/* Closes the connection without an answer. */
void lc_exchange_abort(struct lc_exchange *exchange);

/* An answer without a known end, in chunks. The exchange stays the caller's until end, abort, or
 * on_gone. response->body is what is written first. */
enum lc_err lc_exchange_stream(struct lc_exchange *exchange, const struct lc_response *response);
/* Queues a copy. LC_ERR_FULL: max_pending_bytes would be passed, and nothing was queued. */
enum lc_err lc_exchange_write(struct lc_exchange *exchange, const void *data, size_t len);
void lc_exchange_end(struct lc_exchange *exchange);

struct lc_ws_peer_handler {
	/* The upgrade was answered; may be NULL. */
	void (*on_open)(void *arg, struct lc_ws_peer *peer);
	/* One whole message, valid for the call. May be NULL. */
	void (*on_message)(
		void *arg, struct lc_ws_peer *peer, const void *data, size_t len, bool binary);
	/* The socket takes more and nothing waits, once for each lc_ws_peer_want_drained(). May be
	 * NULL. */
	void (*on_drained)(void *arg, struct lc_ws_peer *peer);
	/* The last callback, exactly once; the peer is gone when it returns. */
	void (*on_close)(void *arg);
};

/* Accepts an upgrade; the exchange is gone. handler is borrowed for the peer's life. on_open comes
 * later, or on_close when the client went away. */
enum lc_err lc_exchange_accept(struct lc_exchange *exchange,
	const struct lc_ws_peer_handler *handler, void *arg, struct lc_ws_peer **out);

/* Queues a copy of one message. LC_ERR_FULL beyond max_pending_bytes, LC_ERR_CLOSED when
 * closing. */
enum lc_err lc_ws_peer_send(struct lc_ws_peer *peer, const void *data, size_t len, bool binary);
size_t lc_ws_peer_pending(const struct lc_ws_peer *peer);
void lc_ws_peer_want_drained(struct lc_ws_peer *peer);
/* Sends what is queued, then a close frame. */
void lc_ws_peer_close(struct lc_ws_peer *peer, int code, const char *reason);
/* Closes the connection without a close frame. */
void lc_ws_peer_abort(struct lc_ws_peer *peer);
/* Reads nothing from the client (its pings too) while muted: what a dead peer looks like. */
void lc_ws_peer_mute(struct lc_ws_peer *peer, bool muted);
/* Writes bytes past the WebSocket layer, for simulators: whole prebuilt frames, or broken ones.
 * *written may be less than len (0 when the kernel is full); use it only while nothing is pending,
 * and go on with the rest in on_drained. LC_ERR_CLOSED. */
enum lc_err lc_ws_peer_raw(struct lc_ws_peer *peer, const void *data, size_t len, size_t *written);
/* Hands over the rest of a frame that lc_ws_peer_raw() began: it is written before anything else.
 */
enum lc_err lc_ws_peer_raw_rest(struct lc_ws_peer *peer, const void *data, size_t len);
/* True when permessage-deflate was agreed on: raw frames may still be uncompressed ones. */
bool lc_ws_peer_deflated(const struct lc_ws_peer *peer);

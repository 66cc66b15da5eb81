/* WebSocket client connections (RFC 6455, permessage-deflate) on the loop. Loop thread only.
 * A connection is one attempt: it opens, carries messages and ends, and never reconnects by itself.
 * Names are looked up off the loop, TLS certificates are always verified, and everything that comes
 * in is bounded. Callbacks never come from inside a call of this header: not from lc_ws_connect(),
 * not from lc_ws_send(), not from lc_ws_abort(). */
#pragma once

#include "livecore/error.h"
#include "livecore/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LC_WS_MAX_HEADERS 16

/* What all connections of a process share. Creating it loads the system's certificate authorities
 * (50 ms and more), so it belongs before the loop runs. */
struct lc_ws_hub;
enum lc_err lc_ws_hub_create(struct lc_loop *loop, struct lc_ws_hub **out, struct lc_error *err);
/* Call it when no other library's threads run any more (Kafka's): libwebsockets 4.1 closes one
 * descriptor twice. Aborts what is still open (each on_close is called, with LC_ERR_CANCELLED),
 * then frees the hub. done (may be NULL) is called once, later, when the loop holds nothing of the
 * hub any more: stop the loop only after it. NULL hub: nothing happens, done is not called. */
void lc_ws_hub_destroy(struct lc_ws_hub *hub, void (*done)(void *arg), void *arg);

/* libwebsockets' version, as loaded. Static storage. */
const char *lc_ws_library_version(void);

struct lc_ws;

struct lc_ws_header {
	const char *name; /* "APCA-API-KEY-ID", without colon */
	const char *value;
};

/* Why and how a connection ended. err.code:
 *   LC_OK            the peer or we closed it in good order
 *   LC_ERR_NOT_FOUND the name could not be looked up
 *   LC_ERR_TIMEOUT   not open within connect_timeout_ms, or no pong in time
 *   LC_ERR_AUTH      the upgrade was answered 401 or 403
 *   LC_ERR_LIMIT     the upgrade was answered 429 or 503
 *   LC_ERR_REFUSED   TCP was refused, or the upgrade was answered with any other status
 *   LC_ERR_TOO_LARGE a message longer than max_message_bytes
 *   LC_ERR_PROTOCOL  TLS could not be agreed on or verified, or the upgrade was answered wrongly
 *   LC_ERR_CLOSED    the connection was lost without a closing handshake, or broke the protocol
 *   LC_ERR_CANCELLED lc_ws_abort(), or the hub is being destroyed
 *   LC_ERR_NOMEM
 */
struct lc_ws_closed {
	struct lc_error err;
	bool was_open;          /* on_open had been called */
	int http_status;        /* of a refused upgrade, else 0 */
	int retry_after_s;      /* its Retry-After in seconds, -1 when absent or a date */
	int close_code;         /* of the peer's close frame (1000 …), 0 when there was none */
	char close_reason[124]; /* its text, NUL-terminated, unchecked bytes replaced by '?' */
};

struct lc_ws_handler {
	/* The upgrade was accepted. May be NULL. */
	void (*on_open)(void *arg, struct lc_ws *ws);
	/* One complete message, in memory of the connection, valid for the call. received_wall_ns
	 * is the loop's wall time read when its last bytes were. The callback may send, close,
	 * pause and abort. */
	void (*on_message)(void *arg, struct lc_ws *ws, const void *data, size_t len, bool binary,
		int64_t received_wall_ns);
	/* Exactly once for each lc_ws_connect() that returned LC_OK, and the last callback: ws is
	 * gone when it returns and must not be used in it. */
	void (*on_close)(void *arg, const struct lc_ws_closed *closed);
};

/* Everything is copied. Zeros mean the default that the comment names. */
struct lc_ws_options {
	const char *url;     /* ws:// or wss:// */
	const char *address; /* a numeric address to dial instead of looking the host up; NULL: look
				it up */
	struct lc_ws_header headers[LC_WS_MAX_HEADERS]; /* up to the first with a NULL name */
	const char *subprotocol;                        /* NULL: none */
	bool deflate;                                   /* offer permessage-deflate */
	const char *ca_file; /* PEM, instead of the system's authorities; NULL: the system's */
	int64_t connect_timeout_ms; /* look-up, TCP, TLS and upgrade together; 10,000 */
	int64_t ping_ms;            /* how often we ping; 30,000; -1: never */
	int64_t pong_ms;            /* the longest time without a pong since a ping; 60,000 */
	size_t max_message_bytes;   /* after inflating; 16 MB */
	size_t max_send_bytes;      /* queued and not yet written; 1 MB */
};

/* LC_OK: on_close will be called. Otherwise (LC_ERR_INVALID with *err, LC_ERR_NOMEM) nothing will
 * be. */
enum lc_err lc_ws_connect(struct lc_ws_hub *hub, const struct lc_ws_options *options,
	const struct lc_ws_handler *handler, void *arg, struct lc_ws **out, struct lc_error *err);

/* Queues a copy of one message. LC_ERR_FULL when max_send_bytes would be passed, LC_ERR_AGAIN
 * before on_open, LC_ERR_CLOSED when closing has begun. */
enum lc_err lc_ws_send(struct lc_ws *ws, const void *data, size_t len, bool binary);

/* Sends what is queued and a close frame (code 1000 … 4999), and waits up to timeout_ms for the
 * peer's. Messages that come meanwhile are dropped. Calling it again does nothing. */
void lc_ws_close(struct lc_ws *ws, int code, const char *reason, int64_t timeout_ms);
/* Ends it now, without a close frame; on_close follows in a later turn with LC_ERR_CANCELLED. No
 * other callback comes. */
void lc_ws_abort(struct lc_ws *ws);

/* Pings now, besides those of ping_ms: the answer shows in lc_ws_info.pong_ns. */
void lc_ws_ping(struct lc_ws *ws);

/* Stops and resumes reading: the kernel's buffer fills, and the peer must wait. No message is
 * handed over while paused: what had been read already waits. */
void lc_ws_pause(struct lc_ws *ws);
void lc_ws_resume(struct lc_ws *ws);

/* The address that was dialled ("" before), and bytes and messages so far. */
struct lc_ws_info {
	char address[46];
	uint64_t rx_bytes; /* payload, inflated */
	uint64_t rx_messages;
	uint64_t tx_messages;
	bool deflate;    /* agreed on */
	int64_t pong_ns; /* monotonic: the last pong; 0: none yet */
};
struct lc_ws_info lc_ws_info(const struct lc_ws *ws);

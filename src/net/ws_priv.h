/* What the files of the WebSocket client share. Never leaves this folder. */
#pragma once

#include "livecore/buf.h"
#include "livecore/list.h"
#include "livecore/url.h"
#include "livecore/ws_client.h"

#include <libwebsockets.h>
#include <uv.h>

#define WS_PROTOCOL_NAME "livecore"
#define WS_READ_BYTES 65536      /* the most that one socket is read in a turn */
#define WS_HEADER_BLOCK_MAX 8192 /* our extra request headers together */
#define WS_LWS_HANDLES 8

struct lc_ws_hub {
	struct lc_loop *loop;        /* borrowed: outlives the hub */
	struct lws_context *context; /* lws sets it to NULL when it has freed it */
	struct lc_list vhosts;       /* one for each file of authorities */
	struct lc_list live;
	struct lc_list ended;                 /* connections whose on_close is due */
	struct lc_drain *drain;               /* where on_close is called from */
	uv_handle_t *handles[WS_LWS_HANDLES]; /* lws's own timer and idle handle */
	size_t handle_count;
	int turns_since_closed;
	bool destroying;
	void (*on_destroyed)(void *arg);
	void *on_destroyed_arg;
};

enum ws_state {
	WS_RESOLVING, /* also between two addresses */
	WS_DIALLING,
	WS_OPEN,
	WS_CLOSING, /* our close frame is on its way */
	WS_ENDED,
};

struct ws_tx {
	struct lc_list node;
	size_t len;
	bool binary;
	unsigned char data[]; /* LWS_PRE bytes of room, then the message */
};

struct lc_ws {
	struct lc_list node;
	struct lc_ws_hub *hub;   /* borrowed: outlives the connection */
	struct lws_vhost *vhost; /* borrowed from lws */
	struct lws *wsi;         /* NULL when lws has none for us */
	struct lc_ws_handler handler;
	void *arg;
	enum ws_state state;

	struct lc_url url;
	/* With its port when it is not the scheme's own: the Host header. */
	char host[LC_URL_HOST_MAX + 8];
	char header_block[WS_HEADER_BLOCK_MAX];
	size_t header_block_len;
	char subprotocol[128];
	bool deflate;
	int64_t ping_ms, pong_ms, connect_timeout_ms, deadline_ns;
	size_t max_message_bytes, max_send_bytes;

	struct lc_resolve *resolve; /* while the name is looked up */
	char addresses[LC_RESOLVE_MAX][46];
	size_t address_count, next_address;
	bool upgrade_sent; /* TCP and TLS are up: another address would not help */

	struct lc_timer *deadline; /* of the connect, later of the close */
	struct lc_timer *attempt;  /* of one address; fires to dial the next */
	struct lc_timer *ping, *pong;
	bool ping_due, pong_awaited, paused;

	struct lc_buf message; /* a message that comes in pieces */
	uint64_t stamp_turn;
	int64_t stamp_wall_ns; /* the wall time read in that turn of the loop */

	struct lc_list tx;
	size_t tx_bytes;
	bool close_sent;
	int close_code;
	char close_reason[124];

	struct lc_ws_info info;
	struct lc_ws_closed closed;
};

/* The only callback that lws knows (ws_event.c). */
int lc_ws_event(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);

/* The vhost for plain connections, or for TLS with this file of authorities (NULL: the system's);
 * made at the first call. */
enum lc_err lc_ws_vhost(struct lc_ws_hub *hub, bool tls, const char *ca_file,
	struct lws_vhost **out, struct lc_error *err);
/* lws sees what was changed from outside its callbacks only when it is woken. */
void lc_ws_wake_lws(struct lc_ws_hub *hub);

/* Ends the connection with this reason; the first reason stays. on_close follows from the drain. */
void lc_ws_finish(struct lc_ws *ws, enum lc_err code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A dial failed before the upgrade was sent: the next address, or the end. lws has let go of the
 * wsi. */
void lc_ws_dial_failed(struct lc_ws *ws, enum lc_err code, const char *text);
void lc_ws_opened(struct lc_ws *ws);
void lc_ws_free(struct lc_ws *ws);

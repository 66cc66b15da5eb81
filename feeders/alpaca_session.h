/* One session with Alpaca's stream, and what is said in it besides ticks: welcome, authentication,
 * the answers to subscribe messages, errors. Private to alpaca.c (the connection, ticks and the
 * feeder's slots) and alpaca_control.c. Loop thread. */
#pragma once

#include "alpaca_priv.h"
#include "alpaca_subs.h"
#include "alpaca_wire.h"

#include "livecore/json.h"
#include "livecore/msgpack.h"

struct lc_ws;

enum lc_alpaca_state {
	LC_ALPACA_STATE_IDLE,
	LC_ALPACA_STATE_FAILED,     /* no connection was begun; down() follows from the timer */
	LC_ALPACA_STATE_CONNECTING, /* until the upgrade is accepted */
	LC_ALPACA_STATE_WELCOME,    /* until `connected` */
	LC_ALPACA_STATE_AUTH,       /* until `authenticated` */
	LC_ALPACA_STATE_UP,
	LC_ALPACA_STATE_CLOSING, /* why is known; down() follows from on_close */
};

struct lc_alpaca {
	struct lc_feeder base;
	const struct lc_alpaca_settings *settings; /* borrowed; the newest */
	enum lc_alpaca_state state;
	struct lc_ws *ws;       /* NULL when there is no connection */
	struct lc_timer *timer; /* of the step under way */
	struct lc_down why;     /* in LC_ALPACA_STATE_FAILED and LC_ALPACA_STATE_CLOSING */

	struct lc_json_parser *json;
	struct lc_msgpack_reader *msgpack;
	struct lc_buf out; /* the message being sent */
	struct lc_alpaca_subs *subs;
	struct lc_alpaca_reference *reference;
	struct lc_alpaca_backfill *backfill;
	struct lc_conditions_seen conditions;
	uint64_t *counted[LC_ALPACA_TYPES]; /* messages by type; the metrics' own */
	struct lc_alpaca_msg msg; /* the element being read: too large for the stack of each call */

	char feed[12];
	bool send_msgpack, delayed, paused;
	bool changing;        /* a change was given and changed() was not yet called */
	bool reauth;          /* 401 came while up, and auth was sent again */
	unsigned limit_waits; /* 406 in a row */
	int64_t received_ns, received_mono_ns; /* of the frame being read */
};

struct lc_log *lc_alpaca_log(const struct lc_alpaca *self);

/* Hides the key and the secret in what the vendor said. */
void lc_alpaca_mask(const struct lc_alpaca *self, char *text, size_t len);
/* Why the session ends: kept until down() is called. */
void lc_alpaca_set_why(struct lc_alpaca *self, enum lc_down_kind kind, int64_t wait_ms,
	enum lc_err code, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Begins to close the connection for that reason; down() follows from its last callback. */
void lc_alpaca_close(struct lc_alpaca *self);
/* The step under way may take this long. */
void lc_alpaca_arm(struct lc_alpaca *self, int64_t ms);

/* Sends the next subscription message, or says that the change is done. */
void lc_alpaca_pump(struct lc_alpaca *self);
/* Authenticated: ready for changes. */
void lc_alpaca_become_up(struct lc_alpaca *self);

/* Each may close the session. */
void lc_alpaca_on_success(struct lc_alpaca *self, const struct lc_alpaca_msg *msg);
void lc_alpaca_on_subscription(struct lc_alpaca *self, const struct lc_value *item);
void lc_alpaca_on_error(struct lc_alpaca *self, const struct lc_alpaca_msg *msg);

/* What a vendor's feeder is: it opens one session with the vendor, keeps its subscriptions as told,
 * and parses. It never reconnects, never backs off, never decides what to follow: the supervisor
 * does, once for all vendors. Loop thread.
 *
 * A new vendor is one file with a `const struct lc_feeder_impl` and one line in
 * feeders/registry.c. */
#pragma once

#include "livecore/bar.h"
#include "livecore/config.h"
#include "livecore/loop.h"
#include "livecore/symbol.h"
#include "livecore/tick.h"

/* Values in one message of a vendor that are read: a frame of 8,000 ticks, or the answer that lists
 * 40,000 subscriptions. Reading so many takes about 5 ms; a message with more counts as unreadable,
 * since the loop stands still meanwhile. */
#define LC_FEEDER_VALUES_MAX 120000
/* Bytes of one WebSocket message of a vendor: what those values take. A longer one ends the
 * session. */
#define LC_FEEDER_FRAME_MAX ((size_t)1 << 20)

struct lc_feeder; /* the base that each feeder embeds */
struct lc_ws_hub;
struct lc_http;

/* Why a session ended, and what the supervisor is to do. */
enum lc_down_kind {
	LC_DOWN_RETRY, /* a failure: back off, then connect again */
	/* e.g. slow client: connect again at once, the first time in a row; then back off */
	LC_DOWN_RETRY_NOW,
	/* not our fault, not before wait_ms (ban, connection limit, Retry-After): connect then */
	LC_DOWN_WAIT,
	/* pointless to try (wrong key, feed not in the plan): stay stopped until reload or
	 * feeder_start */
	LC_DOWN_STOP,
	LC_DOWN_ASKED, /* the answer to impl->stop() */
};

struct lc_down {
	enum lc_down_kind kind;
	int64_t wait_ms;
	struct lc_error error; /* what happened and, for STOP, what a person should do */
};

/* What a feed did not bring is asked of the vendor over HTTP. */
enum lc_backfill_kind {
	LC_BACKFILL_TRADES,  /* every trade of the interval: backfilled() */
	LC_BACKFILL_MINUTES, /* the vendor's bars of the minutes that begin in it: minute() */
};

struct lc_backfill {
	enum lc_backfill_kind what;
	const uint32_t *symbols; /* at most impl->backfill_most() */
	size_t count;
	int64_t from_ns, until_ns; /* event times, both included */
	size_t max_requests;       /* HTTP requests that it may take, at least 1 */
};

struct lc_backfill_end {
	/* LC_OK: all of it was given. LC_ERR_LIMIT: max_requests were not enough. LC_ERR_INVALID:
	 * the vendor does not know one of the symbols. Else it failed. */
	enum lc_err code;
	const char *why; /* "" for LC_OK; for this call */
	size_t requests; /* made */
	/* By position in the request: everything before it has been given; above until_ns when that
	 * is all, from_ns when it is nothing. For this call. */
	const int64_t *reached_ns;
};

/* What a feeder may call. All on the loop thread, never from inside a slot of the feeder itself but
 * for `changed`. */
struct lc_feeder_host {
	/* One tick, complete but for seq. tick is the feeder's, read during the call. */
	void (*tick)(struct lc_feeder *feeder, const struct lc_tick *tick);
	/* The last price of a symbol before ticks came. */
	void (*reference)(struct lc_feeder *feeder, const struct lc_reference *reference);
	/* A message the vendor sent could not be read: counted by reason ("malformed",
	 * "unknown_type", "unscaled" …; a static string); sample may be logged, cut, once a
	 * minute. */
	void (*bad_input)(
		struct lc_feeder *feeder, const char *reason, const char *sample, size_t len);
	/* The session works: connected, authenticated, ready for changes. */
	void (*up)(struct lc_feeder *feeder);
	/* Exactly once for every impl->start(). The feeder holds no connection any more. */
	void (*down)(struct lc_feeder *feeder, const struct lc_down *why);
	/* The change given last has been taken (each symbol is subscribed, or was rejected before
	 * this call). May be called from inside impl->change(). */
	void (*changed)(struct lc_feeder *feeder);
	/* The vendor refuses one symbol of the change under way. limit: because of the plan's
	 * symbol limit. */
	void (*rejected)(struct lc_feeder *feeder, uint32_t symbol, bool limit, const char *reason);
	/* The vendor told a followed symbol again and said nothing new, so there was no tick: the
	 * subscription lives. data_ns: the vendor's own time of what it said, 0: none. May be
	 * NULL. */
	void (*same)(struct lc_feeder *feeder, uint32_t symbol, int64_t data_ns);
	/* A trade that impl->backfill() asked for, in order within its symbol; complete but for
	 * seq. It may have been seen before. */
	void (*backfilled)(struct lc_feeder *feeder, const struct lc_tick *tick);
	void (*minute)(struct lc_feeder *feeder, const struct lc_bar *bar);
	/* Asked before each request of a backfill: false when the queue has no room for its
	 * answer. */
	bool (*backfill_room)(struct lc_feeder *feeder);
	/* Exactly once for every impl->backfill() that returned LC_OK, unless down() comes first
	 * or it was cancelled. */
	void (*backfill_end)(struct lc_feeder *feeder, const struct lc_backfill_end *end);
};

/* What shows that a session's connection itself is alive; data or not. */
struct lc_feeder_signs {
	/* Monotonic: when bytes, a pong or an answer came last; 0: none did in this session. */
	int64_t heard_ns;
	int64_t cadence_ns; /* of a feeder that polls: from one request to the next; 0: the vendor
			       pushes */
};

/* What a feeder is given at creation; borrowed for its life. */
struct lc_feeder_env {
	struct lc_loop *loop;
	struct lc_symbols *symbols;
	struct lc_ws_hub *ws;
	struct lc_http *http;
	const struct lc_feeder_host *host;
	void *host_data; /* the host's own, found again as feeder->env.host_data */
	uint8_t source;  /* for tick.source */
	/* the feeder's section, see lc_feeder_impl.config; valid until configure() gives another */
	const void *config;
};

struct lc_feeder_impl {
	const char *name;   /* "alpaca": its section, its label, the message's `source` */
	const char *origin; /* the vendor behind it: failover never stays within one origin */
	const struct lc_section *config;
	/* At most this many symbols in one change(); 0: any number, as when it is NULL. Removals
	 * and additions count together. */
	size_t (*max_change)(const struct lc_feeder *feeder);

	enum lc_err (*create)(
		const struct lc_feeder_env *env, struct lc_feeder **out, struct lc_error *err);
	/* Only when no session is open. */
	void (*destroy)(struct lc_feeder *feeder);

	/* Is it configured at all (URL, key)? When not, err says which setting is missing. */
	enum lc_err (*usable)(const struct lc_feeder *feeder, struct lc_error *err);

	/* Opens the session; answers with up() or down(), never from inside this call. */
	void (*start)(struct lc_feeder *feeder);
	/* Closes the session; answers with down(LC_DOWN_ASKED), never from inside this call. */
	void (*stop)(struct lc_feeder *feeder);
	/* Follows `add` and leaves `remove`, both in the order symbols came to be followed. Only
	 * while up, only one change at a time (until changed()). The arrays are read during the
	 * call only. A session starts with nothing subscribed. */
	void (*change)(struct lc_feeder *feeder, const uint32_t *add, size_t n_add,
		const uint32_t *remove, size_t n_remove);
	/* Stops or resumes reading (back pressure). Idempotent; a new session starts reading. */
	void (*pause)(struct lc_feeder *feeder, bool paused);
	/* New settings on reload. They apply as their rows say; the supervisor restarts the session
	 * when a LC_APPLY_RECONNECT row changed. */
	void (*configure)(struct lc_feeder *feeder, const void *config);
	/* `livecore check`: appends lines about limits, such as how old a quote can get with n
	 * symbols. May be NULL. */
	void (*explain)(const void *config, size_t n_symbols, struct lc_buf *out);

	/* Only while up. Asks the vendor for a sign of life (a ping, one request), which then shows
	 * in signs(). NULL: it is asked all the time, or cannot be. */
	void (*probe)(struct lc_feeder *feeder);
	/* Only while up; called some times a second. NULL: there is nothing to see but ticks. */
	void (*signs)(const struct lc_feeder *feeder, struct lc_feeder_signs *out);

	/* Its ticks are states: a symbol is seen again with its next tick, not with its
	 * subscription. */
	bool snapshots;
	/* How many symbols one backfill() of this kind takes; 0: the vendor does not offer it for
	 * this symbol. NULL: for none. */
	size_t (*backfill_most)(
		const struct lc_feeder *feeder, enum lc_backfill_kind what, uint32_t symbol);
	/* Asks for what was missed, at the feeder's own pace, behind its live work. Only while up,
	 * one at a time; the request is read during the call. Answers with the host's slots, never
	 * from inside this call. Errors: LC_ERR_NOMEM. */
	enum lc_err (*backfill)(struct lc_feeder *feeder, const struct lc_backfill *request);
};

struct lc_feeder {
	const struct lc_feeder_impl *impl;
	struct lc_feeder_env env;
};

/* All feeders, in a fixed order; NULL-terminated. */
extern const struct lc_feeder_impl *const lc_feeders[];

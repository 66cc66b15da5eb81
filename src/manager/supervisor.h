/* Keeps one feeder's session up: connects, backs off with full jitter, resubscribes the whole set
 * after every reconnect, and gives changes to the vendor no faster than allowed. The same for all
 * vendors; it tries for as long as the process lives. Loop thread. It never parses and never
 * touches a socket. */
#pragma once

#include "livecore/feeder.h"
#include "manager/subscriptions.h"

#include <stdbool.h>
#include <stdint.h>

enum lc_feed_state {
	LC_FEED_DISCONNECTED, /* not started yet, or waiting for its first connection's turn */
	LC_FEED_CONNECTING,
	LC_FEED_CONNECTED,
	LC_FEED_RECONNECTING, /* waiting to connect again */
	LC_FEED_STOPPED,      /* by command, by configuration, or because trying is pointless */
	LC_FEED_STANDBY,      /* behind other sources: it connects when it is given a symbol */
};
const char *lc_feed_state_name(enum lc_feed_state state); /* "CONNECTED" … */

/* The section `supervisor`. */
struct lc_supervisor_config {
	int64_t backoff_min, backoff_max; /* ms */
	int64_t healthy;                  /* ms: a session that lived so long resets the backoff */
	int64_t alert_after;              /* failures in a row */
	double connect_rate;              /* connections a second */
	int64_t connect_burst;
	double change_rate; /* changes of subscriptions a second */
	int64_t change_burst;
};
extern const struct lc_section lc_supervisor_section;

struct lc_supervisor;

/* What the supervisor tells its owner. The owner must not call back into the supervisor from
 * them. */
struct lc_supervisor_events {
	/* Every change of state; reason is for people, "" when there is none. */
	void (*state)(void *owner, struct lc_supervisor *feed, enum lc_feed_state from,
		enum lc_feed_state to, const char *reason);
	/* alert_after failures in a row (raised), or a healthy session after them (not raised). */
	void (*trouble)(void *owner, struct lc_supervisor *feed, bool raised, const char *reason);
	/* Trying is pointless until a reload or feeder_start: wrong key, feed not in the plan. */
	void (*gave_up)(void *owner, struct lc_supervisor *feed, const char *reason);
	void (*rejected)(void *owner, struct lc_supervisor *feed, uint32_t symbol, bool limit,
		const char *reason);
	/* STOPPED, and its session is closed: it may be destroyed. */
	void (*closed)(void *owner, struct lc_supervisor *feed);
};

struct lc_supervisor_setup {
	const struct lc_feeder_impl *impl;
	struct lc_feeder_env env;
	/* Borrowed; lc_supervisor_configure() gives another. */
	const struct lc_supervisor_config *config;
	size_t max_symbols;
	const struct lc_supervisor_events *events;
	void *owner;
};

enum lc_err lc_supervisor_create(
	const struct lc_supervisor_setup *setup, struct lc_supervisor **out, struct lc_error *err);
/* Only when STOPPED or DISCONNECTED. */
void lc_supervisor_destroy(struct lc_supervisor *feed);

/* Begins to connect, from any state that is not yet trying. A feeder that is not usable (no URL, no
 * key) becomes STOPPED with the reason. */
void lc_supervisor_start(struct lc_supervisor *feed);
/* One that stands by asks nothing of its vendor, not even a connection, while it has no symbols: it
 * is STANDBY instead of connecting, and when a session of it ends. An open one stays. */
void lc_supervisor_stand_by(struct lc_supervisor *feed, bool stands_by);
/* Ends the session; the state event to STOPPED follows, at once or when the session is closed. */
void lc_supervisor_stop(struct lc_supervisor *feed, const char *reason);
/* New settings; with reconnect the session is closed and opened again. */
void lc_supervisor_configure(struct lc_supervisor *feed, const struct lc_supervisor_config *config,
	const void *feeder_config, bool reconnect);

enum lc_err lc_supervisor_follow(struct lc_supervisor *feed, uint32_t symbol);
void lc_supervisor_leave(struct lc_supervisor *feed, uint32_t symbol);
void lc_supervisor_pause(struct lc_supervisor *feed, bool paused);

/* For liveness; each does nothing when no session is up. Asks the vendor for a sign of life, if it
 * offers one. */
void lc_supervisor_probe(struct lc_supervisor *feed);
/* Leaves and follows anew, LC_SYMBOL_NONE: all that the vendor has. False: nothing to renew. */
bool lc_supervisor_resubscribe(struct lc_supervisor *feed, uint32_t symbol);
/* Closes the session and opens another, with the wait of a failure: none the first time, the
 * backoff's in a row. */
void lc_supervisor_reconnect(struct lc_supervisor *feed, const char *reason);

/* The feeder's host forwards these (struct lc_feeder_host). */
void lc_supervisor_on_up(struct lc_supervisor *feed);
void lc_supervisor_on_down(struct lc_supervisor *feed, const struct lc_down *why);
void lc_supervisor_on_changed(struct lc_supervisor *feed);
void lc_supervisor_on_rejected(
	struct lc_supervisor *feed, uint32_t symbol, bool limit, const char *reason);

struct lc_supervisor_status {
	const char *name;
	enum lc_feed_state state;
	const char *reason; /* why it is not CONNECTED; "" when it is */
	int64_t since_ns;   /* monotonic time of the last change of state */
	uint64_t connects, reconnects, failures_in_row;
	struct lc_subscription_counts symbols;
	bool changes_pending;
};
struct lc_supervisor_status lc_supervisor_status(const struct lc_supervisor *feed);
/* Is a session open, or still closing? */
bool lc_supervisor_open(const struct lc_supervisor *feed);
struct lc_feeder *lc_supervisor_feeder(struct lc_supervisor *feed);
const struct lc_subscriptions *lc_supervisor_subscriptions(const struct lc_supervisor *feed);

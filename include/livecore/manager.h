/* The manager: follows what portfolios want, keeps the feeders' sessions, judges and numbers ticks,
 * and publishes them on Kafka. One a process. Loop thread. It never exits by itself and never
 * waits. */
#pragma once

#include "livecore/config.h"
#include "livecore/loop.h"

struct lc_manager;

struct lc_manager_options {
	/* Reads the configuration again for a reload: a new one, or NULL with every error in
	 * errors. NULL slot: reload is refused. */
	struct lc_config *(*load)(void *arg, struct lc_buf *errors);
	/* lc_manager_create() reads the log of the process before, which may take long: so many of
	 * its files are read. The loop turns meanwhile. May be NULL. */
	void (*reading)(void *arg, size_t done, size_t files);
	void *arg;
	/* No Kafka of its own: this bootstrap address is used instead of kafka.brokers (the
	 * embedded broker). NULL: the setting. */
	const char *brokers;
	bool tape; /* the core's clock follows the ticks' event times */
};

/* Takes config over when it succeeds. Connects, reads the interest topic to its end, then follows.
 * When it fails, err says what to do, config stays the caller's, and what was opened is in *out, to
 * be stopped (NULL: nothing was). */
enum lc_err lc_manager_create(struct lc_loop *loop, struct lc_config *config,
	const struct lc_manager_options *options, struct lc_manager **out, struct lc_error *err);

/* Feeders first, then the queues, then Kafka until acknowledged, within shutdown.timeout. stopped
 * is called once, later, with the exit code: 0, or 1 when something that was accepted is not known
 * to be on Kafka; the manager may be asked for totals in it and is gone when it returns. Calling it
 * again ends the waiting at once. */
void lc_manager_stop(
	struct lc_manager *manager, void (*stopped)(void *arg, int exit_code), void *arg);

/* SIGHUP: as the reload command; what changed and what waits for a restart is logged and an
 * event. */
void lc_manager_reload(struct lc_manager *manager);

/* --- for /readyz, /api/v1/status, the demo --- */

enum lc_ready { LC_READY, LC_DEGRADED, LC_NOT_READY };
/* Appends {"status":"ready","checks":{…}} with each reason. */
enum lc_ready lc_manager_ready(struct lc_manager *manager, struct lc_buf *out);
/* Appends the status as one JSON object. Cost: some microseconds; no symbol lists. */
void lc_manager_status(struct lc_manager *manager, struct lc_buf *out);
/* Brings the gauges of /metrics up to date. */
void lc_manager_gauges(struct lc_manager *manager);

struct lc_manager_totals {
	uint64_t ticks;  /* parsed */
	uint64_t prices; /* PriceUpdates accepted */
	/* Records of every kind: accepted = acknowledged + refused + unacknowledged. */
	uint64_t published, acknowledged, refused, unacknowledged;
	uint64_t reconnects, dropped, merged;
	uint64_t followed;
	size_t queued;
};
struct lc_manager_totals lc_manager_totals(struct lc_manager *manager);
/* Calls each() for every reason with a count, over all feeders. */
void lc_manager_drops(struct lc_manager *manager,
	void (*each)(void *arg, const char *reason, uint64_t count), void *arg);

/* A feeder's line in the demo's table. */
struct lc_feed_view {
	const char *name, *state, *reason;
	uint64_t ticks, reconnects;
	size_t queued, queue_capacity, wanted, subscribed;
};
/* Fills up to max rows and returns how many. */
size_t lc_manager_feeds(struct lc_manager *manager, struct lc_feed_view *out, size_t max);

/* A symbol's row. Decimals are known when their bit (enum lc_tick_field) is set in has. */
struct lc_quote_view {
	char symbol[16];
	const char *feeder;
	uint32_t has;
	bool halted;
	struct lc_decimal price, prev_close, bid, ask;
	int64_t received_mono_ns; /* monotonic; 0: no tick yet */
};
/* The followed symbols in a stable order from index `from` on; returns how many were filled. */
size_t lc_manager_quotes(
	struct lc_manager *manager, size_t from, struct lc_quote_view *out, size_t max);

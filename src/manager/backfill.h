/* Asks vendors for what their feeds did not bring, one gap at a time and feeder, and says what came
 * of it (`gap_filled`; what stays open as `gap_opened` with the reason as its cause). Loop thread.
 * It never asks faster than the feeder's own pace, never more than backfill.max_requests a gap. */
#pragma once

#include "livecore/bars.h"
#include "livecore/feeder.h"
#include "livecore/queue.h"
#include "manager/backfill_plan.h"
#include "manager/bar_flow.h"
#include "manager/settings.h"

struct lc_backfills; /* one feed's */

struct lc_backfills_host {
	/* Has the feed a session that can be asked? */
	bool (*ready)(void *arg);
	/* Judges, numbers and queues a trade, flagged as backfilled; false: it was dropped. */
	bool (*take)(void *arg, struct lc_tick *tick);
	/* Has all left the queue that was in it when mark() was called last? */
	void (*mark)(void *arg);
	bool (*passed)(void *arg);
	/* The symbol's hole is done with. */
	void (*closed)(void *arg, uint32_t symbol);
};

struct lc_backfills_setup {
	struct lc_loop *loop; /* borrowed, as are all */
	const struct lc_symbols *symbols;
	struct lc_gaps *gaps;
	struct lc_bar_flow *bars; /* NULL: none */
	struct lc_feeder *feeder;
	const struct lc_backfill_config *config;
	const struct lc_backfills_host *host;
	void *arg;
};

enum lc_err lc_backfills_create(const struct lc_backfills_setup *setup, struct lc_backfills **out);
void lc_backfills_destroy(struct lc_backfills *backfills);
void lc_backfills_configure(
	struct lc_backfills *backfills, const struct lc_backfill_config *config);

/* Can the symbol be asked for at all? */
bool lc_backfills_can(const struct lc_backfills *backfills, uint32_t symbol);
/* Queues the holes of a gap that ended. bars_from_ns: after a restart, since when the bars lack
 * ticks; the minutes from there to a hole's begin are the vendor's to tell; 0: they lack none.
 * LC_ERR_NOMEM, LC_ERR_FULL: the holes stay open. */
enum lc_err lc_backfills_add(struct lc_backfills *backfills, const char *gap,
	enum lc_gap_cause cause, const struct lc_plan_entry *entries, size_t count,
	int64_t bars_from_ns);
/* Queues one minute, whose vendor's bar is to take the place of ours, when it is over. */
void lc_backfills_minute(struct lc_backfills *backfills, uint32_t symbol, int64_t start_ns);
/* The session ended: what is under way is asked for again in the next. */
void lc_backfills_interrupted(struct lc_backfills *backfills);
/* Every 250 ms or so. Does a bounded piece of work; true when there is more at once. */
bool lc_backfills_turn(struct lc_backfills *backfills);

/* What the feeder's host forwards. */
void lc_backfills_on_tick(struct lc_backfills *backfills, const struct lc_tick *tick);
void lc_backfills_on_minute(struct lc_backfills *backfills, const struct lc_bar *bar);
void lc_backfills_on_end(struct lc_backfills *backfills, const struct lc_backfill_end *end);

struct lc_backfills_stats {
	size_t waiting;                                  /* gaps, the one under way included */
	uint64_t requests, ticks, minutes, filled, left; /* symbols filled and left */
};
struct lc_backfills_stats lc_backfills_stats(const struct lc_backfills *backfills);

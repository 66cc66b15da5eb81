/* A livecore that misbehaves, for the check that has to notice it: three executables of the tests
 * link it around two calls of the tick's way (--wrap); livecore itself knows nothing of it. One
 * tick in SABOTAGE_EVERY (100,000) meets it.
 *
 * drop: a tick is gone before it gets its number, so no seq shows it.
 * swap: two ticks change places and numbers, so every seq is in its place.
 * resend: a tick comes behind its successor under its own number, as from a log that is sent again
 * in the wrong order. */
#include "livecore/quality.h"
#include "livecore/queue.h"

#include <stdlib.h>

enum lc_verdict __real_lc_quality_judge(
	struct lc_quality *quality, struct lc_tick *tick, int64_t now_ns, enum lc_drop *reason);
enum lc_verdict __wrap_lc_quality_judge(
	struct lc_quality *quality, struct lc_tick *tick, int64_t now_ns, enum lc_drop *reason);
void __real_lc_queue_push(struct lc_queue *queue, const struct lc_tick *tick);
void __wrap_lc_queue_push(struct lc_queue *queue, const struct lc_tick *tick);

/* The only state of its kind: this is no part of livecore. */
static uint64_t seen;
static struct lc_tick held;
static bool holding;

static bool is_due(void)
{
	const char *every = getenv("SABOTAGE_EVERY");
	uint64_t number = every != NULL ? strtoull(every, NULL, 10) : 100000;
	return ++seen % (number > 0 ? number : 1) == 0;
}

enum lc_verdict __wrap_lc_quality_judge(
	struct lc_quality *quality, struct lc_tick *tick, int64_t now_ns, enum lc_drop *reason)
{
	if (SABOTAGE_DROP && tick->kind == LC_TICK_TRADE && is_due()) {
		return LC_HOLD; /* which nobody counts */
	}
	return __real_lc_quality_judge(quality, tick, now_ns, reason);
}

void __wrap_lc_queue_push(struct lc_queue *queue, const struct lc_tick *tick)
{
	bool next = holding && tick->symbol == held.symbol && tick->kind == held.kind;
	if (next) {
		struct lc_tick first = *tick;
		if (SABOTAGE_SWAP) {
			first.seq = held.seq;
			held.seq = tick->seq;
		}
		__real_lc_queue_push(queue, &first);
		__real_lc_queue_push(queue, &held);
		holding = false;
	} else if (!SABOTAGE_DROP && !holding && tick->kind == LC_TICK_TRADE && is_due()) {
		held = *tick;
		holding = true;
	} else {
		__real_lc_queue_push(queue, tick);
	}
}

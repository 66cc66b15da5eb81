#include "manager/failover.h"

#include "manager/failover_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 200
/* A source is healthy while its probes give ticks at least so often. */
#define FRESH_NS (60 * LC_NS_PER_S)
/* A symbol that gives no tick on its new source is taken to be quiet. */
#define SETTLE_NS (10 * LC_NS_PER_S)
/* Ticks older than those published of the source before are waited out for so long. */
#define PATIENCE_NS (3 * LC_NS_PER_S)
#define SETTLED_A_LOOK 500

/* --- looking after it --- */

/* A source that was left is healthy again when it is connected and its probes give ticks; one that
 * has nothing to give, when it is connected. True when that changed. */
static bool look_at_health(struct lc_failover *failover, uint8_t index, int64_t now_ns)
{
	struct lc_failover_side *side = &failover->sides[index];
	struct lc_feed *feed = lc_failover_feed(failover, index);
	if (*feed->ticks != side->ticks) {
		side->ticks = *feed->ticks;
		side->fresh_ns = now_ns;
	}
	enum lc_source_state before = failover->sources.items[index].state;
	bool idle = lc_supervisor_status(feed->supervisor).symbols.wanted == 0;
	bool fresh = idle || side->told ||
		     (side->fresh_ns > 0 && now_ns - side->fresh_ns < FRESH_NS);
	lc_sources_health(&failover->sources, index, lc_failover_connected(feed) && fresh, now_ns);
	return failover->sources.items[index].state != before;
}

/* Symbols that are quiet on their new source count as taken over when the old one fails: waiting
 * for it is no use. */
static void settle(struct lc_failover *failover, int64_t now_ns)
{
	size_t count = lc_symbols_count(failover->manager->symbols), done = 0;
	for (uint32_t symbol = 0; symbol < count && failover->pending > 0; symbol++) {
		uint8_t next = failover->next_of[symbol];
		if (next == LC_NO_FEED ||
			lc_failover_good(failover, failover->manager->feed_of[symbol]) ||
			now_ns - failover->sides[next].begun_ns < SETTLE_NS) {
			continue;
		}
		const struct lc_supervisor *supervisor = lc_failover_feed(failover, next)
								 ->supervisor;
		if (lc_subscriptions_held(lc_supervisor_subscriptions(supervisor), symbol) &&
			!lc_failover_waits(failover, failover->manager->feed_of[symbol])) {
			lc_failover_take_over(failover, symbol);
			if (++done >= SETTLED_A_LOOK) {
				return;
			}
		}
	}
}

static void on_look(void *arg)
{
	struct lc_failover *failover = arg;
	int64_t now_ns = lc_loop_mono_ns(failover->manager->loop);
	bool changed = failover->move.again && !failover->move.slice;
	lc_failover_look(failover);
	for (uint8_t i = 0; i < lc_failover_count(failover); i++) {
		struct lc_failover_side *side = &failover->sides[i];
		changed |= side->was_ready != failover->sources.items[i].ready;
		side->was_ready = failover->sources.items[i].ready;
		if (!lc_failover_good(failover, i)) {
			changed |= look_at_health(failover, i, now_ns);
		}
	}
	changed |= lc_sources_advance(&failover->sources, now_ns);
	if (changed) {
		lc_failover_move_all(failover);
	}
	settle(failover, now_ns);
	if (!lc_sources_troubled(&failover->sources) && failover->pending == 0 &&
		!failover->move.slice) {
		lc_timer_stop(failover->timer);
	}
}

static void look_after(struct lc_failover *failover)
{
	if (!lc_timer_active(failover->timer)) {
		lc_timer_start(failover->timer, LOOK_MS, LOOK_MS);
	}
}

/* --- what others call --- */

enum lc_err lc_failover_create(struct lc_manager *manager, struct lc_failover **out)
{
	const struct lc_symbols_config *symbols = lc_config_section(manager->config, "symbols");
	struct lc_failover *failover = calloc(1, sizeof *failover);
	if (!failover) {
		return LC_ERR_NOMEM;
	}
	failover->manager = manager;
	lc_sources_init(&failover->sources, 0, 0);
	for (size_t i = 0; i < manager->feed_count; i++) {
		lc_sources_add(&failover->sources, manager->feeds[i].impl->origin);
	}
	failover->next_of = malloc((size_t)symbols->max);
	if (!failover->next_of ||
		lc_timer_create(manager->loop, on_look, failover, &failover->timer) != LC_OK) {
		lc_failover_destroy(failover);
		return LC_ERR_NOMEM;
	}
	memset(failover->next_of, LC_NO_FEED, (size_t)symbols->max);
	lc_failover_configure(failover);
	*out = failover;
	return LC_OK;
}

void lc_failover_destroy(struct lc_failover *failover)
{
	if (!failover) {
		return;
	}
	lc_failover_move_finish(&failover->move);
	lc_timer_destroy(failover->timer);
	free(failover->next_of);
	free(failover);
}

void lc_failover_configure(struct lc_failover *failover)
{
	const struct lc_failover_config *config = lc_failover_config_of(failover->manager);
	lc_sources_configure(&failover->sources, config->quarantine * LC_NS_PER_MS,
		config->quarantine_max * LC_NS_PER_MS);
	for (size_t i = 0; i < failover->sources.count; i++) {
		failover->sides[i].delayed = 0; /* what may give delayed prices is seen anew */
	}
	if (lc_sources_troubled(&failover->sources)) {
		lc_failover_move_all(failover);
	}
}

bool lc_failover_leave(struct lc_feed *feed, const char *why)
{
	struct lc_failover *failover = feed->manager->failover;
	bool there_is = false;
	if (!failover || feed->manager->phase == LC_PHASE_STOPPING) {
		return false;
	}
	struct lc_failover_side *side = &failover->sides[feed->index];
	lc_failover_look(failover);
	if (!lc_failover_has_other(failover, feed->index, &there_is)) {
		return false;
	}
	int64_t now_ns = lc_loop_mono_ns(feed->manager->loop);
	bool was_good = lc_failover_good(failover, feed->index);
	if (lc_sources_leave(&failover->sources, feed->index, now_ns)) {
		side->told = false;
		side->fresh_ns = 0;
		side->ticks = *feed->ticks;
		side->left_wall_ns = was_good ? lc_loop_wall_ns(feed->manager->loop)
					      : side->left_wall_ns;
		snprintf(side->why, sizeof side->why, "%s", why);
		lc_log(feed->manager->log, LC_LOG_WARN, "failover", "left",
			LC_S("feeder", feed->impl->name), LC_S("reason", why));
		lc_failover_move_all(failover);
		look_after(failover);
		lc_failover_has_other(failover, feed->index, &there_is);
	}
	return there_is;
}

void lc_failover_recovered(struct lc_feed *feed)
{
	struct lc_failover *failover = feed->manager->failover;
	if (failover && !lc_failover_good(failover, feed->index)) {
		failover->sides[feed->index].told = true;
	}
}

void lc_failover_down(struct lc_feed *feed, const struct lc_down *why)
{
	bool trying = lc_supervisor_status(feed->supervisor).state == LC_FEED_RECONNECTING;
	if (trying && why->kind == LC_DOWN_WAIT && feed->manager->failover &&
		why->wait_ms > lc_failover_config_of(feed->manager)->ban_wait) {
		lc_failover_leave(feed, why->error.text);
	}
}

uint8_t lc_failover_source(struct lc_manager *manager, uint32_t symbol, uint8_t current)
{
	struct lc_failover *failover = manager->failover;
	uint8_t first;
	size_t n;
	lc_failover_look(failover);
	uint8_t got = lc_failover_pick(failover, symbol, current, &first, &n);
	return got != LC_NO_FEED ? got : first;
}

void lc_failover_forget(struct lc_manager *manager, uint32_t symbol)
{
	struct lc_failover *failover = manager->failover;
	lc_failover_drop_pending(failover, symbol);
	for (uint8_t i = 0; i < lc_failover_count(failover); i++) {
		lc_failover_drop_probe(failover, i, symbol);
	}
}

/* Never back in time, as long as waiting can mend that. */
static bool is_behind(struct lc_failover *failover, const struct lc_feed *feed,
	const struct lc_tick *tick, uint8_t active)
{
	int64_t waited_ns = tick->received_mono_ns - failover->sides[feed->index].begun_ns;
	int64_t newest_ns = lc_quality_newest(
		failover->manager->quality, tick->symbol, (enum lc_tick_kind)tick->kind);
	if (tick->event_ns >= newest_ns || tick->delayed) {
		return false;
	}
	return lc_failover_good(failover, active) ? waited_ns < SETTLE_NS : waited_ns < PATIENCE_NS;
}

/* What says no price is no reason to change. */
static bool says_something(const struct lc_tick *tick)
{
	bool priced = tick->has & LC_HAS_PRICE && tick->price.mantissa > 0;
	return tick->kind == LC_TICK_QUOTE || priced;
}

bool lc_failover_takes(struct lc_feed *feed, const struct lc_tick *tick)
{
	struct lc_failover *failover = feed->manager->failover;
	uint8_t active = feed->manager->feed_of[tick->symbol];
	/* While the active one's queue waits itself, three would wait for one another: later. */
	if (failover->next_of[tick->symbol] != feed->index || !says_something(tick) ||
		lc_failover_waits(failover, active) || lc_failover_refuses(failover, feed, tick) ||
		is_behind(failover, feed, tick, active)) {
		return false;
	}
	lc_failover_take_over(failover, tick->symbol);
	return true;
}

bool lc_failover_may_drain(const struct lc_feed *feed)
{
	struct lc_failover *failover = feed->manager->failover;
	const struct lc_failover_gate *gate = &failover->sides[feed->index].gate;
	return !gate->shut || lc_queue_begin(feed->queue) < gate->from ||
	       !lc_failover_waits(failover, feed->index);
}

static bool held_by(const struct lc_failover *failover, uint8_t index, uint32_t symbol)
{
	if (index == LC_NO_FEED || !lc_failover_good(failover, index)) {
		return false;
	}
	const struct lc_feed *feed = lc_failover_feed(failover, index);
	return lc_failover_connected(feed) &&
	       lc_subscriptions_held(lc_supervisor_subscriptions(feed->supervisor), symbol);
}

bool lc_failover_watched(const struct lc_manager *manager, uint32_t symbol)
{
	return held_by(manager->failover, manager->feed_of[symbol], symbol) ||
	       held_by(manager->failover, manager->failover->next_of[symbol], symbol);
}

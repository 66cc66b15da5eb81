/* From a feeder's tick to its queue: followed? believable? then numbered and queued. This runs for
 * every tick. */
#include "manager/manager_priv.h"

#include <string.h>

#define SAY_EVERY_NS (60 * LC_NS_PER_S)

static const char *symbol_text(const struct lc_manager *manager, uint32_t symbol)
{
	return lc_symbols_get(manager->symbols, symbol)->text;
}

/* One line a minute and reason, with an example. */
static void say(struct lc_feed *feed, struct lc_reason_count *count, int64_t mono_ns)
{
	lc_log(feed->manager->log, count->level, "quality", count->event,
		LC_S("feeder", feed->impl->name), LC_S("reason", count->reason),
		LC_U("count", count->unsaid),
		LC_S("example", symbol_text(feed->manager, count->example)));
	count->unsaid = 0;
	count->next_ns = mono_ns + SAY_EVERY_NS;
}

static void add(struct lc_feed *feed, struct lc_reason_count *count, const struct lc_tick *tick)
{
	uint64_t ticks = 1 + tick->conflated;
	*count->total += ticks;
	count->unsaid += ticks;
	count->example = tick->symbol;
	if (tick->received_mono_ns >= count->next_ns) {
		say(feed, count, tick->received_mono_ns);
	}
}

void lc_intake_drop(struct lc_feed *feed, const struct lc_tick *tick, enum lc_drop reason)
{
	add(feed, &feed->dropped[reason], tick);
}

static void add_doubts(struct lc_feed *feed, const struct lc_tick *tick)
{
	for (int i = 0; tick->doubts >> i; i++) {
		if (tick->doubts >> i & 1) {
			add(feed, &feed->doubted[i], tick);
		}
	}
}

static void say_due(
	struct lc_feed *feed, struct lc_reason_count *counts, size_t reasons, int64_t now_ns)
{
	for (size_t i = 0; i < reasons; i++) {
		if (counts[i].unsaid > 0 && now_ns >= counts[i].next_ns) {
			say(feed, &counts[i], now_ns);
		}
	}
}

void lc_intake_say_counts(struct lc_manager *manager)
{
	int64_t now_ns = lc_loop_mono_ns(manager->loop);
	for (size_t i = 0; i < manager->feed_count; i++) {
		struct lc_feed *feed = &manager->feeds[i];
		say_due(feed, feed->dropped, LC_DROP_REASONS, now_ns);
		say_due(feed, feed->doubted, LC_DOUBT_REASONS, now_ns);
		lc_bad_input_say(&feed->bad_input, now_ns);
	}
}

void lc_intake_queue_drop(void *arg, const struct lc_tick *tick, enum lc_drop reason)
{
	struct lc_feed *feed = arg;
	/* It will not be published, but its price is true: what comes after it must know. */
	struct lc_tick copy = *tick;
	lc_last_value_apply(feed->manager->last, &copy);
	lc_bar_flow_tick(feed->manager->bars, &copy);
	lc_intake_drop(feed, tick, reason);
}

static void push(struct lc_feed *feed, const struct lc_tick *tick)
{
	lc_queue_push(feed->queue, tick);
	lc_drain_wake(feed->manager->drain);
	if (!feed->paused && lc_queue_blocked(feed->queue)) {
		feed->paused = true;
		lc_supervisor_pause(feed->supervisor, true);
	}
}

static void release_held(struct lc_feed *feed, uint32_t symbol)
{
	struct lc_tick held;
	if (lc_quality_release(feed->manager->quality, symbol, &held)) {
		push(feed, &held);
	}
}

static void on_tick(struct lc_feeder *feeder, const struct lc_tick *seen)
{
	struct lc_feed *feed = feeder->env.host_data;
	struct lc_manager *manager = feed->manager;
	enum lc_drop reason;
	++*feed->ticks;
	if (manager->feed_of[seen->symbol] != feed->index && !lc_failover_takes(feed, seen)) {
		lc_watch_tick(manager->watch, feed->index, seen, true);
		lc_intake_drop(feed, seen,
			lc_subscriptions_wanted(
				lc_supervisor_subscriptions(feed->supervisor), seen->symbol)
				? LC_DROP_STANDBY
				: LC_DROP_NOT_FOLLOWED);
		return;
	}
	struct lc_tick tick = *seen;
	if (manager->options.tape) { /* each feed's own tape: they may be of different days */
		lc_clock_tape_advance(lc_loop_clock(manager->loop), tick.event_ns);
		tick.received_ns = tick.event_ns;
	}
	enum lc_verdict verdict = lc_quality_judge(
		manager->quality, &tick, tick.received_ns, &reason);
	bool told_before = verdict == LC_DROP &&
			   (reason == LC_DROP_DUPLICATE || reason == LC_DROP_STALE);
	lc_watch_tick(manager->watch, feed->index, &tick, !told_before);
	switch (verdict) {
	case LC_PASS:
		push(feed, &tick);
		break;
	case LC_PASS_RELEASE:
		push(feed, &tick);
		release_held(feed, tick.symbol);
		break;
	case LC_DROP:
		lc_intake_drop(feed, &tick, reason);
		lc_feed_gaps_tick(feed, &tick, false);
		return;
	case LC_HOLD:
		break;
	}
	add_doubts(feed, &tick);
	lc_feed_gaps_tick(feed, &tick, true);
}

bool lc_intake_backfilled(struct lc_feed *feed, struct lc_tick *tick)
{
	enum lc_drop reason;
	enum lc_verdict verdict = lc_quality_judge(
		feed->manager->quality, tick, lc_loop_wall_ns(feed->manager->loop), &reason);
	if (verdict == LC_PASS || verdict == LC_PASS_RELEASE) {
		push(feed, tick);
		add_doubts(feed, tick);
		return true;
	}
	if (verdict == LC_DROP) {
		lc_intake_drop(feed, tick, reason);
	}
	return false;
}

static void on_backfilled(struct lc_feeder *feeder, const struct lc_tick *tick)
{
	lc_feed_gaps_backfilled(feeder->env.host_data, tick);
}

static void on_minute(struct lc_feeder *feeder, const struct lc_bar *bar)
{
	lc_feed_gaps_minute(feeder->env.host_data, bar);
}

static bool on_backfill_room(struct lc_feeder *feeder)
{
	return lc_feed_gaps_room(feeder->env.host_data);
}

static void on_backfill_end(struct lc_feeder *feeder, const struct lc_backfill_end *end)
{
	lc_feed_gaps_backfill_end(feeder->env.host_data, end);
}

static void on_reference(struct lc_feeder *feeder, const struct lc_reference *reference)
{
	struct lc_feed *feed = feeder->env.host_data;
	struct lc_manager *manager = feed->manager;
	if (manager->feed_of[reference->symbol] != feed->index) {
		return;
	}
	lc_last_value_reference(manager->last, reference);
	lc_bar_flow_reference(manager->bars, reference);
	if (lc_quality_reference(manager->quality, reference)) {
		release_held(feed, reference->symbol);
	}
}

static void on_bad_input(
	struct lc_feeder *feeder, const char *reason, const char *sample, size_t len)
{
	struct lc_feed *feed = feeder->env.host_data;
	lc_bad_input_add(
		&feed->bad_input, reason, sample, len, lc_loop_mono_ns(feed->manager->loop));
}

static void on_up(struct lc_feeder *feeder)
{
	struct lc_feed *feed = feeder->env.host_data;
	feed->paused = false;
	lc_quality_source_reset(feed->manager->quality, feed->index);
	lc_supervisor_on_up(feed->supervisor);
}

static void on_down(struct lc_feeder *feeder, const struct lc_down *why)
{
	struct lc_feed *feed = feeder->env.host_data;
	bool was_up = lc_supervisor_status(feed->supervisor).state == LC_FEED_CONNECTED;
	if (was_up) { /* while it is known what the session held */
		lc_feed_gaps_lost(feed,
			why->error.code == LC_ERR_FULL ? LC_GAP_OVERLOAD : LC_GAP_DISCONNECT,
			why->error.text);
	}
	lc_feed_gaps_down(feed);
	lc_supervisor_on_down(feed->supervisor, why);
	lc_failover_down(feed, why);
}

static void on_changed(struct lc_feeder *feeder)
{
	struct lc_feed *feed = feeder->env.host_data;
	lc_supervisor_on_changed(feed->supervisor);
	lc_feed_gaps_subscribed(feed);
}

static void on_rejected(struct lc_feeder *feeder, uint32_t symbol, bool limit, const char *reason)
{
	struct lc_feed *feed = feeder->env.host_data;
	lc_supervisor_on_rejected(feed->supervisor, symbol, limit, reason);
}

static void on_same(struct lc_feeder *feeder, uint32_t symbol, int64_t data_ns)
{
	struct lc_feed *feed = feeder->env.host_data;
	lc_watch_same(feed->manager->watch, feed->index, symbol, data_ns);
	lc_feed_gaps_same(feed, symbol);
}

const struct lc_feeder_host lc_intake_host = {
	.tick = on_tick,
	.reference = on_reference,
	.bad_input = on_bad_input,
	.up = on_up,
	.down = on_down,
	.changed = on_changed,
	.rejected = on_rejected,
	.same = on_same,
	.backfilled = on_backfilled,
	.minute = on_minute,
	.backfill_room = on_backfill_room,
	.backfill_end = on_backfill_end,
};

static void on_quality_drop(void *arg, const struct lc_tick *tick, enum lc_drop reason)
{
	struct lc_manager *manager = arg;
	lc_intake_drop(&manager->feeds[tick->source], tick, reason);
}

static void on_quality_clock(void *arg, uint8_t source, bool skewed, int64_t median_ns)
{
	struct lc_manager *manager = arg;
	const char *name = manager->feeds[source].impl->name;
	int64_t offset_ms = median_ns / LC_NS_PER_MS;
	lc_log(manager->log, skewed ? LC_LOG_WARN : LC_LOG_INFO, "quality", "clock_skew",
		LC_S("feeder", name), LC_B("skewed", skewed), LC_I("offset_ms", offset_ms));
	lc_event(&manager->outbox, "clock_skew", LC_S("feeder", name), LC_B("skewed", skewed),
		LC_I("offset_ms", offset_ms));
	lc_alert(&manager->outbox, skewed ? "clock_skew" : "resolved",
		skewed ? LC_SEVERITY_WARNING : LC_SEVERITY_INFO, LC_S("feeder", name),
		LC_S("resolves", skewed ? NULL : "clock_skew"), LC_I("actual", offset_ms),
		LC_I("threshold", 2000));
}

const struct lc_quality_host lc_intake_quality_host = {
	.drop = on_quality_drop, .clock = on_quality_clock};

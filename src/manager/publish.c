/* From the queues to the journal: last values, then messages. Runs once a turn of the loop, behind
 * reading, in bounded slices. */
#include "manager/manager_priv.h"

#include <string.h>

#define TICKS_A_TURN 256 /* about 0.5 ms of work, bars included */

static void conditions_json(const struct lc_conditions *conditions, struct lc_buf *out)
{
	lc_buf_putc(out, '[');
	for (uint8_t i = 0; i < conditions->count; i++) {
		if (i > 0) {
			lc_buf_putc(out, ',');
		}
		lc_buf_json_string(out, conditions->code[i],
			strnlen(conditions->code[i], sizeof conditions->code[i]));
	}
	lc_buf_putc(out, ']');
}

/* {"trade_id":"…","price":…,"volume":…,"conditions":[…]} */
static void trade_json(uint64_t id, struct lc_decimal price, struct lc_decimal volume,
	const struct lc_conditions *conditions, struct lc_buf *out)
{
	lc_buf_printf(out, "{\"trade_id\":\"%llu\",\"price\":", (unsigned long long)id);
	lc_buf_decimal(out, price);
	lc_buf_puts(out, ",\"volume\":");
	lc_buf_decimal(out, volume);
	lc_buf_puts(out, ",\"conditions\":");
	conditions_json(conditions, out);
	lc_buf_putc(out, '}');
}

static void publish_correction(
	struct lc_feed *feed, const struct lc_tick *tick, const char *symbol, const char *when)
{
	struct lc_buf before, after;
	lc_buf_init(&before, 4096);
	lc_buf_init(&after, 4096);
	trade_json(tick->trade_id, tick->price, tick->volume, &tick->conditions, &before);
	trade_json(tick->u.correction.trade_id, tick->u.correction.price, tick->u.correction.volume,
		&tick->u.correction.conditions, &after);
	lc_event(&feed->manager->outbox, "trade_corrected", LC_S("symbol", symbol),
		LC_S("source", feed->impl->name), LC_S("event_time", when),
		LC_S("exchange", tick->exchange), LC_J("before", lc_buf_text(&before)),
		LC_J("after", lc_buf_text(&after)));
	lc_buf_finish(&before);
	lc_buf_finish(&after);
}

static void publish_cancel(
	struct lc_feed *feed, const struct lc_tick *tick, const char *symbol, const char *when)
{
	struct lc_buf trade;
	lc_buf_init(&trade, 4096);
	trade_json(tick->trade_id, tick->price, tick->volume, &tick->conditions, &trade);
	lc_event(&feed->manager->outbox, "trade_cancelled", LC_S("symbol", symbol),
		LC_S("source", feed->impl->name), LC_S("event_time", when),
		LC_S("exchange", tick->exchange), LC_J("trade", lc_buf_text(&trade)));
	lc_buf_finish(&trade);
}

static void publish_status(
	struct lc_feed *feed, const struct lc_tick *tick, const char *symbol, const char *when)
{
	if (tick->u.status.action == LC_STATUS_INFO) {
		/* a price indication and the like: nobody trades on it, and the contract has no
		 * event for it */
		return;
	}
	lc_event(&feed->manager->outbox,
		tick->u.status.action == LC_STATUS_HALT ? "halt" : "resume", LC_S("symbol", symbol),
		LC_S("source", feed->impl->name), LC_S("event_time", when),
		LC_S("status_code", tick->u.status.code), LC_S("status", tick->u.status.text),
		LC_S("reason_code", tick->u.status.reason),
		LC_S("reason", tick->u.status.reason_text));
}

/* Corrections, cancels and halts are events: an old consumer would trade on them. */
static void publish_event(struct lc_feed *feed, const struct lc_tick *tick)
{
	const struct lc_message_context *context = &feed->manager->outbox.context;
	const struct lc_symbol *symbol = lc_symbols_get(feed->manager->symbols, tick->symbol);
	const struct lc_zone *zone = context->time_format == LC_TIME_OFFSET
					     ? context->zones[symbol->market]
					     : context->naive_zone;
	char when[LC_TIME_TEXT_MAX + 1];
	when[lc_time_format(tick->event_ns, context->time_format, zone, when)] = '\0';
	switch (tick->kind) {
	case LC_TICK_CORRECTION:
		publish_correction(feed, tick, symbol->text, when);
		break;
	case LC_TICK_CANCEL:
		publish_cancel(feed, tick, symbol->text, when);
		break;
	default:
		publish_status(feed, tick, symbol->text, when);
		break;
	}
}

static enum lc_err publish_price(struct lc_feed *feed, const struct lc_tick *tick)
{
	struct lc_manager *manager = feed->manager;
	const struct lc_symbol *symbol = lc_symbols_get(manager->symbols, tick->symbol);
	const struct lc_last *last = lc_last_value_get(manager->last, tick->symbol);
	enum lc_session session = lc_session_at(
		manager->calendar, (enum lc_market)symbol->market, tick->event_ns);
	const struct lc_price_context extra = {
		.symbol = symbol,
		.source = feed->impl->name,
		.session = lc_session_name(session),
		.last_price = last && (last->has & LC_HAS_PRICE) ? &last->price : NULL,
		.halted = last && last->halted,
	};
	return lc_outbox_price(&manager->outbox, tick, &extra);
}

static void publish(struct lc_feed *feed, struct lc_tick *tick)
{
	enum lc_err rc = lc_last_value_apply(feed->manager->last, tick);
	if (tick->kind > LC_TICK_SNAPSHOT) {
		publish_event(feed, tick);
		return;
	}
	if (rc == LC_OK) {
		rc = publish_price(feed, tick);
	}
	if (rc != LC_OK) {
		lc_intake_drop(
			feed, tick, rc == LC_ERR_NOT_FOUND ? LC_DROP_NO_PRICE : LC_DROP_MEMORY);
		return;
	}
	lc_histogram_observe_ns(feed->latency, lc_clock_mono_ns() - tick->received_mono_ns);
}

/* Takes up to max ticks out of one queue; returns how many. */
static size_t drain_feed(struct lc_feed *feed, size_t max)
{
	size_t done = 0;
	struct lc_tick *tick;
	while (done < max && lc_outbox_has_room(&feed->manager->outbox) &&
		(tick = lc_queue_front(feed->queue)) != NULL && lc_failover_may_drain(feed)) {
		publish(feed, tick);
		lc_bar_flow_tick(feed->manager->bars, tick); /* behind what somebody waits for */
		lc_queue_pop(feed->queue);
		feed->drained++;
		done++;
	}
	if (feed->paused && !lc_queue_blocked(feed->queue)) {
		feed->paused = false;
		lc_supervisor_pause(feed->supervisor, false);
	}
	return done;
}

bool lc_publish_drain(void *arg)
{
	struct lc_manager *manager = arg;
	size_t done = 0, waiting = 0;
	for (size_t i = 0; i < manager->feed_count; i++) {
		struct lc_feed
			*feed = &manager->feeds[(manager->next_feed + i) % manager->feed_count];
		done += drain_feed(feed, TICKS_A_TURN / manager->feed_count + 1);
		waiting += lc_queue_length(feed->queue);
	}
	manager->next_feed++;
	if (done > 0) {
		lc_outbox_wake(&manager->outbox);
	}
	/* Without room the sender's progress wakes the drain again. */
	return waiting > 0 && lc_outbox_has_room(&manager->outbox);
}

void lc_publish_refresh(struct lc_manager *manager, uint32_t symbol)
{
	struct lc_tick tick;
	uint8_t feed = manager->feed_of[symbol];
	if (feed == LC_NO_FEED || lc_last_value_refresh(manager->last, symbol, &tick) != LC_OK) {
		return; /* nothing is known yet: its first tick is what the portfolio waits for */
	}
	tick.received_mono_ns = 0;
	/* Under the name of the source that gave it, which may have been left since. */
	if (publish_price(&manager->feeds[tick.source], &tick) == LC_OK) {
		lc_outbox_wake(&manager->outbox);
	}
}

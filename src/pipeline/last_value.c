#include "livecore/last_value.h"

#include "livecore/clock.h"

#include <stdlib.h>
#include <string.h>

struct lc_last_value {
	const struct lc_symbols *symbols; /* borrowed */
	struct lc_calendar *calendar;     /* borrowed */
	struct lc_last *rows;             /* owned; by symbol */
	size_t count;
};

enum {
	SESSION_FIELDS = LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW,
	LEVEL_FIELDS = LC_HAS_BID | LC_HAS_ASK | LC_HAS_BID_VOLUME | LC_HAS_ASK_VOLUME,
};

/* A time so far ahead of its arrival is no clock that differs but a wrong time. */
#define WILD_NS (3600 * LC_NS_PER_S)

/* A wild time may pass while its feed's clock is not known yet; every true one is older. */
static void forget_wild(struct lc_last *last, const struct lc_tick *tick)
{
	if (last->event_ns <= tick->received_ns + WILD_NS ||
		tick->event_ns > tick->received_ns + WILD_NS) {
		return;
	}
	last->day = INT32_MIN;
	last->event_ns = last->price_event_ns = INT64_MIN;
}

/* A new local day begins without open, high, low and totals. */
static void enter_day(struct lc_last *last, int32_t day)
{
	if (day <= last->day) {
		return;
	}
	last->day = day;
	last->has &= ~(uint32_t)(SESSION_FIELDS | LC_HAS_VOLUME | LC_HAS_AMOUNT);
	last->session_known = false;
	last->before_open = false;
}

static void take_price(struct lc_last *last, struct lc_decimal price, int64_t event_ns)
{
	last->price = price;
	last->price_event_ns = event_ns;
	last->has |= LC_HAS_PRICE;
	last->has &= ~(uint32_t)LC_HAS_TRADE_ID;
}

static void take_levels(struct lc_last *last, const struct lc_tick *tick)
{
	last->has &= ~(uint32_t)LEVEL_FIELDS;
	last->has |= tick->has & LEVEL_FIELDS;
	last->bid = tick->bid;
	last->ask = tick->ask;
	last->bid_volume = tick->bid_volume;
	last->ask_volume = tick->ask_volume;
}

static void take_common(struct lc_last *last, const struct lc_tick *tick)
{
	if (tick->event_ns >= last->event_ns) {
		last->event_ns = tick->event_ns;
	}
	last->received_ns = tick->received_ns;
	last->received_mono_ns = tick->received_mono_ns;
	last->source = tick->source;
	last->delayed = tick->delayed;
	memcpy(last->feed, tick->feed, sizeof last->feed);
}

/* The range of a trade, with all that was merged into it. */
static void widen(struct lc_last *last, const struct lc_tick *tick)
{
	struct lc_decimal high = tick->conflated ? tick->merged.high : tick->price;
	struct lc_decimal low = tick->conflated ? tick->merged.low : tick->price;
	if (!(last->has & LC_HAS_HIGH) || lc_decimal_compare(high, last->high) > 0) {
		last->high = high;
	}
	if (!(last->has & LC_HAS_LOW) || lc_decimal_compare(low, last->low) < 0) {
		last->low = low;
	}
	last->has |= LC_HAS_HIGH | LC_HAS_LOW;
}

/* Trades make the session's open, high and low only where all of the session was seen, or a
 * reference told what had been before. */
static void take_session(
	struct lc_last_value *values, struct lc_last *last, const struct lc_tick *tick)
{
	enum lc_session session = lc_session_at(
		values->calendar, (enum lc_market)last->market, tick->event_ns);
	if (session == LC_SESSION_PRE || session == LC_SESSION_AUCTION ||
		session == LC_SESSION_CLOSED) {
		last->before_open |= !last->session_known;
		return;
	}
	if (session != LC_SESSION_OPEN || tick->kind != LC_TICK_TRADE ||
		!(tick->effect & LC_UPDATES_HIGH_LOW)) {
		return;
	}
	if (!last->session_known && last->before_open && tick->effect & LC_UPDATES_LAST) {
		last->open = tick->conflated ? tick->merged.open : tick->price;
		last->has |= LC_HAS_OPEN;
		last->session_known = true;
	}
	if (last->session_known) {
		widen(last, tick);
	}
}

static void on_trade(
	struct lc_last_value *values, struct lc_last *last, const struct lc_tick *tick, int32_t day)
{
	/* Late, or older than what a reference told: bars get it, the last value does not. */
	if (tick->flags & LC_FLAG_LATE || day < last->day) {
		return;
	}
	take_session(values, last, tick);
	if (tick->effect & LC_UPDATES_LAST &&
		(tick->event_ns >= last->price_event_ns || !(last->has & LC_HAS_PRICE))) {
		take_price(last, tick->price, tick->event_ns);
		last->trade_id = tick->trade_id;
		last->has |= tick->has & LC_HAS_TRADE_ID;
		memcpy(last->exchange, tick->exchange, sizeof last->exchange);
	}
}

static void on_snapshot(struct lc_last *last, const struct lc_tick *tick, int32_t day)
{
	if (day < last->day) {
		return;
	}
	if (tick->has & LC_HAS_PRICE) {
		take_price(last, tick->price, tick->event_ns);
	}
	if (tick->has & SESSION_FIELDS) {
		last->session_known = (tick->has & SESSION_FIELDS) == SESSION_FIELDS;
	}
	uint32_t given = SESSION_FIELDS | LC_HAS_VOLUME | LC_HAS_AMOUNT;
	last->has = (last->has & ~given) | (tick->has & given);
	last->open = tick->open;
	last->high = tick->high;
	last->low = tick->low;
	last->volume = tick->volume;
	last->amount = tick->amount;
	take_levels(last, tick);
}

static void on_correction(struct lc_last *last, const struct lc_tick *tick)
{
	bool is_last = last->has & LC_HAS_TRADE_ID && last->trade_id == tick->trade_id &&
		       strcmp(last->exchange, tick->exchange) == 0;
	if (is_last && tick->u.correction.price.mantissa > 0 &&
		tick->u.correction.effect & LC_UPDATES_LAST) {
		last->price = tick->u.correction.price;
		last->trade_id = tick->u.correction.trade_id;
	}
}

static void on_status(struct lc_last *last, const struct lc_tick *tick)
{
	if (tick->u.status.action != LC_STATUS_INFO) {
		last->halted = tick->u.status.action == LC_STATUS_HALT;
	}
}

/* Gives a tick what it does not carry itself. */
static void complete(const struct lc_last *last, struct lc_tick *tick, int32_t day)
{
	if (tick->kind != LC_TICK_TRADE && !(tick->has & LC_HAS_PRICE)) {
		tick->price = last->price;
		tick->has |= last->has & LC_HAS_PRICE;
	}
	/* Of snapshots none that was merged may have had a price. */
	bool priceless = tick->kind == LC_TICK_QUOTE ||
			 (tick->kind == LC_TICK_SNAPSHOT && lc_decimal_is_zero(tick->merged.high));
	if (tick->conflated && priceless) {
		tick->merged.open = tick->merged.high = tick->merged.low = last->price;
	}
	if (!(tick->has & LC_HAS_PREV_CLOSE) && last->has & LC_HAS_PREV_CLOSE) {
		tick->prev_close = last->prev_close;
		tick->has |= LC_HAS_PREV_CLOSE;
	}
	bool bare = tick->kind != LC_TICK_SNAPSHOT && !(tick->has & SESSION_FIELDS);
	if (bare && last->session_known && last->day == day) {
		tick->open = last->open;
		tick->high = last->high;
		tick->low = last->low;
		tick->has |= last->has & SESSION_FIELDS;
	}
}

/* The vendor knows the whole session; what was seen since can only have widened it. */
static void reference_session(struct lc_last *last, const struct lc_reference *reference)
{
	last->open = reference->open;
	if (!last->session_known || lc_decimal_compare(reference->high, last->high) > 0) {
		last->high = reference->high;
	}
	if (!last->session_known || lc_decimal_compare(reference->low, last->low) < 0) {
		last->low = reference->low;
	}
	last->has |= SESSION_FIELDS;
	last->session_known = true;
}

static struct lc_last *row_for(struct lc_last_value *values, uint32_t symbol)
{
	if (symbol >= values->count) {
		return NULL;
	}
	struct lc_last *last = &values->rows[symbol];
	if (!last->known) {
		*last = (struct lc_last){
			.known = true,
			.market = lc_symbols_get(values->symbols, symbol)->market,
			.day = INT32_MIN,
			.event_ns = INT64_MIN,
			.price_event_ns = INT64_MIN,
		};
	}
	return last;
}

enum lc_err lc_last_value_create(
	const struct lc_symbols *symbols, struct lc_calendar *calendar, struct lc_last_value **out)
{
	struct lc_last_value *values = calloc(1, sizeof *values);
	if (!values) {
		return LC_ERR_NOMEM;
	}
	values->symbols = symbols;
	values->calendar = calendar;
	*out = values;
	return LC_OK;
}

void lc_last_value_destroy(struct lc_last_value *values)
{
	if (!values) {
		return;
	}
	free(values->rows);
	free(values);
}

enum lc_err lc_last_value_reserve(struct lc_last_value *values, size_t count)
{
	if (count <= values->count) {
		return LC_OK;
	}
	size_t grown = values->count ? values->count : 256;
	while (grown < count) {
		grown *= 2;
	}
	/* The first room is not written to: the kernel gives its pages as symbols come. */
	struct lc_last *rows = values->count ? realloc(values->rows, grown * sizeof *rows)
					     : calloc(grown, sizeof *rows);
	if (!rows) {
		return LC_ERR_NOMEM;
	}
	if (values->count) {
		memset(rows + values->count, 0, (grown - values->count) * sizeof *rows);
	}
	values->rows = rows;
	values->count = grown;
	return LC_OK;
}

enum lc_err lc_last_value_apply(struct lc_last_value *values, struct lc_tick *tick)
{
	struct lc_last *last = row_for(values, tick->symbol);
	if (!last) {
		return tick->has & LC_HAS_PRICE ? LC_OK : LC_ERR_NOT_FOUND;
	}
	if (tick->kind == LC_TICK_CORRECTION) {
		on_correction(last, tick);
		return LC_OK;
	}
	if (tick->kind == LC_TICK_STATUS) {
		on_status(last, tick);
		return LC_OK;
	}
	if (tick->kind == LC_TICK_CANCEL) {
		return LC_OK;
	}
	int32_t day = lc_trading_date(
		values->calendar, (enum lc_market)last->market, tick->event_ns);
	if (tick->flags & LC_FLAG_BACKFILLED) { /* bars get it, the last value is newer */
		complete(last, tick, day);
		return tick->has & LC_HAS_PRICE ? LC_OK : LC_ERR_NOT_FOUND;
	}
	forget_wild(last, tick);
	enter_day(last, day);
	if (tick->has & LC_HAS_PREV_CLOSE) {
		last->prev_close = tick->prev_close;
		last->has |= LC_HAS_PREV_CLOSE;
	}
	if (tick->kind == LC_TICK_TRADE) {
		on_trade(values, last, tick, day);
	} else if (tick->kind == LC_TICK_SNAPSHOT) {
		on_snapshot(last, tick, day);
	} else {
		take_session(values, last, tick);
		take_levels(last, tick);
	}
	take_common(last, tick);
	complete(last, tick, day);
	return tick->has & LC_HAS_PRICE ? LC_OK : LC_ERR_NOT_FOUND;
}

void lc_last_value_reference(struct lc_last_value *values, const struct lc_reference *reference)
{
	struct lc_last *last = row_for(values, reference->symbol);
	if (!last) {
		return;
	}
	int32_t day = lc_trading_date(
		values->calendar, (enum lc_market)last->market, reference->event_ns);
	enter_day(last, day);
	bool has_price = reference->has & LC_HAS_PRICE && reference->price.mantissa > 0;
	if (has_price &&
		(!(last->has & LC_HAS_PRICE) || reference->event_ns > last->price_event_ns)) {
		take_price(last, reference->price, reference->event_ns);
		last->event_ns = reference->event_ns > last->event_ns ? reference->event_ns
								      : last->event_ns;
	}
	if (!(last->has & LC_HAS_PREV_CLOSE) && reference->has & LC_HAS_PREV_CLOSE) {
		last->prev_close = reference->prev_close;
		last->has |= LC_HAS_PREV_CLOSE;
	}
	if ((reference->has & SESSION_FIELDS) == SESSION_FIELDS && day == last->day) {
		reference_session(last, reference);
	}
}

void lc_last_value_forget(struct lc_last_value *values, uint32_t symbol)
{
	if (symbol < values->count) {
		values->rows[symbol].known = false;
	}
}

const struct lc_last *lc_last_value_get(const struct lc_last_value *values, uint32_t symbol)
{
	bool known = symbol < values->count && values->rows[symbol].known;
	return known ? &values->rows[symbol] : NULL;
}

enum lc_err lc_last_value_refresh(
	const struct lc_last_value *values, uint32_t symbol, struct lc_tick *out)
{
	const struct lc_last *last = lc_last_value_get(values, symbol);
	if (!last || !(last->has & LC_HAS_PRICE)) {
		return LC_ERR_NOT_FOUND;
	}
	uint32_t fields = LC_HAS_PRICE | LEVEL_FIELDS | LC_HAS_PREV_CLOSE;
	if (last->session_known) {
		fields |= SESSION_FIELDS;
	}
	*out = (struct lc_tick){
		.symbol = symbol,
		.kind = LC_TICK_QUOTE,
		.effect = LC_UPDATES_ALL,
		.flags = LC_FLAG_REFRESH,
		.source = last->source,
		.has = (last->has & fields) | LC_HAS_EVENT_TIME,
		.delayed = last->delayed,
		.event_ns = last->event_ns,
		.received_ns = last->received_ns ? last->received_ns : last->event_ns,
		.price = last->price,
		.bid = last->bid,
		.ask = last->ask,
		.bid_volume = last->bid_volume,
		.ask_volume = last->ask_volume,
		.open = last->open,
		.high = last->high,
		.low = last->low,
		.prev_close = last->prev_close,
	};
	memcpy(out->feed, last->feed, sizeof out->feed);
	return LC_OK;
}

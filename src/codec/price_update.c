#include "put_priv.h"

#include <assert.h>
#include <string.h>

/* The worst case, term by term; a byte of text may become six (\u001f). */
enum {
	ROOM_NAMES = 700, /* every field name, quotes, colons, commas, constant words */
	ROOM_DECIMALS = 17 * LC_DECIMAL_TEXT_MAX,
	ROOM_NUMBERS = 3 * 20,
	ROOM_TIMES = 2 * LC_TIME_TEXT_MAX,
	ROOM_IDS = 3 * 6 * LC_MESSAGE_ID_MAX,
	ROOM_SHORT = 6 * (2 * NAME_MAX_BYTES + LC_SYMBOL_MAX + 4 + 12 + 3 * LC_TICK_CONDITIONS),
};
static_assert(ROOM_NAMES + ROOM_DECIMALS + ROOM_NUMBERS + ROOM_TIMES + ROOM_IDS + ROOM_SHORT <=
		      LC_PRICE_UPDATE_MAX,
	"a PriceUpdate could be longer than its buffer");

/* price, volume and amount are never null: the old consumers' models require them. */
static char *put_totals(
	char *p, const struct lc_tick *tick, struct lc_decimal price, bool *no_amount)
{
	bool quote = tick->kind == LC_TICK_QUOTE;
	struct lc_decimal volume = {0}, amount = {0};
	if (!quote && (tick->has & LC_HAS_VOLUME)) {
		volume = tick->volume;
	}
	*no_amount = (tick->flags & LC_FLAG_NO_AMOUNT) != 0;
	if (!quote && (tick->has & LC_HAS_AMOUNT)) {
		amount = tick->amount;
	} else if (tick->kind == LC_TICK_TRADE) {
		amount = lc_decimal_mul(price, volume);
	} else if (!quote) {
		*no_amount = true;
	}
	PUT_FIELD(p, "price", lc_put_decimal, price);
	PUT_FIELD(p, "volume", lc_put_decimal, volume);
	PUT_FIELD(p, "amount", lc_put_decimal, amount);
	return p;
}

static char *put_levels(char *p, const struct lc_tick *tick)
{
	PUT_FIELD(p, "bid_price", lc_put_known, tick->has & LC_HAS_BID, tick->bid);
	PUT_FIELD(p, "ask_price", lc_put_known, tick->has & LC_HAS_ASK, tick->ask);
	PUT_FIELD(p, "bid_volume", lc_put_known, tick->has & LC_HAS_BID_VOLUME, tick->bid_volume);
	PUT_FIELD(p, "ask_volume", lc_put_known, tick->has & LC_HAS_ASK_VOLUME, tick->ask_volume);
	PUT_FIELD(p, "open_price", lc_put_known, tick->has & LC_HAS_OPEN, tick->open);
	PUT_FIELD(p, "high_price", lc_put_known, tick->has & LC_HAS_HIGH, tick->high);
	PUT_FIELD(p, "low_price", lc_put_known, tick->has & LC_HAS_LOW, tick->low);
	return p;
}

static char *put_origin(char *p, const struct lc_message_context *context,
	const struct lc_tick *tick, const struct lc_price_context *extra)
{
	bool counted = !extra->bar && !(tick->flags & LC_FLAG_REFRESH);
	PUT_FIELD(p, "source", lc_put_text, extra->source, NAME_MAX_BYTES);
	PUT_FIELD(p, "trace_id", lc_put_text_or_null, extra->trace_id);
	PUT_FIELD(p, "span_id", lc_put_text_or_null, extra->span_id);
	PUT_FIELD(p, "kind", lc_put_text, extra->bar ? "bar" : lc_tick_kind_name(tick->kind),
		NAME_MAX_BYTES);
	PUT_FIELD(p, "market", lc_put_text, lc_market_name(extra->symbol->market), NAME_MAX_BYTES);
	PUT_FIELD(p, "received_at", lc_put_time, context, extra->symbol->market, tick->received_ns);
	PUT_FIELD(p, "stream", lc_put_text, context->stream, LC_MESSAGE_ID_MAX);
	PUT_FIELD(p, "seq", lc_put_uint, counted ? tick->seq : 0);
	PUT_FIELD(p, "conflated", lc_put_uint, tick->conflated);
	return p;
}

static char *put_conditions(char *p, const struct lc_conditions *conditions)
{
	uint8_t count = conditions->count;
	PUT(p, ",\"conditions\":[");
	for (uint8_t i = 0; i < count && i < LC_TICK_CONDITIONS; i++) {
		if (i > 0) {
			*p++ = ',';
		}
		p = lc_put_text(p, conditions->code[i], sizeof conditions->code[i]);
	}
	*p++ = ']';
	return p;
}

/* What the vendor says of the trade, as it names it. */
static char *put_trade(char *p, const struct lc_tick *tick)
{
	if (tick->has & LC_HAS_PREV_CLOSE) {
		PUT_FIELD(p, "prev_close", lc_put_decimal, tick->prev_close);
	}
	if (tick->has & LC_HAS_TRADE_ID) {
		PUT(p, ",\"trade_id\":\"");
		p = lc_put_uint(p, tick->trade_id);
		*p++ = '"';
	}
	if (tick->exchange[0] != '\0') {
		PUT_FIELD(p, "exchange", lc_put_text, tick->exchange, sizeof tick->exchange);
	}
	if (tick->conditions.count > 0) {
		p = put_conditions(p, &tick->conditions);
	}
	if (tick->feed[0] != '\0') {
		PUT_FIELD(p, "feed", lc_put_text, tick->feed, sizeof tick->feed);
	}
	if (tick->kind == LC_TICK_TRADE && !(tick->effect & LC_UPDATES_LAST)) {
		PUT(p, ",\"eligible\":false");
	}
	return p;
}

static char *put_flags(char *p, unsigned flags)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = {
		{LC_FLAG_LATE, "late"},
		{LC_FLAG_BACKFILLED, "backfilled"},
		{LC_FLAG_BEYOND_LIMIT, "beyond_limit"},
		{LC_FLAG_REFRESH, "refresh"},
		{LC_FLAG_UNPROTECTED, "unprotected"},
		{LC_FLAG_NO_AMOUNT, "no_amount"},
	};
	PUT(p, ",\"flags\":[");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (flags & names[i].flag) {
			p = lc_put_text(p, names[i].name, NAME_MAX_BYTES);
			*p++ = ',';
		}
	}
	p[-1] = ']'; /* instead of the last comma: at least one flag is set */
	return p;
}

static char *put_state(
	char *p, const struct lc_tick *tick, const struct lc_price_context *extra, unsigned flags)
{
	if (extra->halted) {
		PUT(p, ",\"halted\":true");
	}
	if (tick->delayed) {
		PUT(p, ",\"delayed\":true");
	}
	if (extra->session != NULL) {
		PUT_FIELD(p, "session", lc_put_text, extra->session, NAME_MAX_BYTES);
	}
	if (flags != 0) {
		p = put_flags(p, flags);
	}
	return p;
}

/* A quote has no prices to sum up. */
static char *put_merged(char *p, const struct lc_tick *tick)
{
	if (tick->conflated == 0 || tick->kind == LC_TICK_QUOTE) {
		return p;
	}
	PUT_FIELD(p, "conflated_high", lc_put_decimal, tick->merged.high);
	PUT_FIELD(p, "conflated_low", lc_put_decimal, tick->merged.low);
	PUT_FIELD(p, "conflated_volume", lc_put_decimal, tick->merged.volume);
	PUT_FIELD(p, "conflated_amount", lc_put_decimal, tick->merged.amount);
	return p;
}

enum lc_err lc_price_update_encode(const struct lc_message_context *context,
	const struct lc_tick *tick, const struct lc_price_context *extra, char *out, size_t *len)
{
	assert(tick->kind <= LC_TICK_SNAPSHOT);
	const struct lc_decimal *price = (tick->has & LC_HAS_PRICE) ? &tick->price
								    : extra->last_price;
	if (price == NULL) {
		return LC_ERR_NOT_FOUND;
	}
	const uint8_t all_flags = LC_FLAG_LATE | LC_FLAG_BACKFILLED | LC_FLAG_BEYOND_LIMIT |
				  LC_FLAG_REFRESH | LC_FLAG_UNPROTECTED;
	bool no_amount;
	char *p = out;
	PUT(p, "{\"symbol\":");
	p = lc_put_text(p, extra->symbol->text, LC_SYMBOL_MAX);
	PUT_FIELD(p, "timestamp", lc_put_time, context, extra->symbol->market,
		tick->has & LC_HAS_EVENT_TIME ? tick->event_ns : tick->received_ns);
	p = put_totals(p, tick, *price, &no_amount);
	p = put_levels(p, tick);
	p = put_origin(p, context, tick, extra);
	p = put_trade(p, tick);
	p = put_state(
		p, tick, extra, (tick->flags & all_flags) | (no_amount ? LC_FLAG_NO_AMOUNT : 0u));
	p = put_merged(p, tick);
	*p++ = '}';
	*len = (size_t)(p - out);
	return LC_OK;
}

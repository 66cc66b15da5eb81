#include "livecore/messages.h"

#include <assert.h>
#include <string.h>

/* Appends a string literal; p moves on. The length is known when compiling, so this is a few
 * stores. */
#define PUT(p, literal) \
	((p) = (char *)memcpy((p), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

enum { NAME_MAX_BYTES = 32 };

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

static char *put_escaped(char *p, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	if (c == '"' || c == '\\') {
		*p++ = '\\';
		*p++ = (char)c;
	} else if (c < 0x20) {
		PUT(p, "\\u00");
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	} else {
		PUT(p, "\xef\xbf\xbd"); /* U+FFFD: the codes that stand here are ASCII */
	}
	return p;
}

/* A quoted text of at most max bytes; what is longer is cut. */
static char *put_text(char *p, const char *text, size_t max)
{
	*p++ = '"';
	for (size_t i = 0; i < max && text[i] != '\0'; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			*p++ = (char)c;
		} else {
			p = put_escaped(p, c);
		}
	}
	*p++ = '"';
	return p;
}

static char *put_text_or_null(char *p, const char *text)
{
	if (text == NULL) {
		return PUT(p, "null");
	}
	return put_text(p, text, LC_MESSAGE_ID_MAX);
}

static char *put_uint(char *p, uint64_t value)
{
	char digits[20];
	char *d = digits + sizeof digits;
	do {
		*--d = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	size_t len = (size_t)(digits + sizeof digits - d);
	memcpy(p, d, len);
	return p + len;
}

static char *put_decimal(char *p, struct lc_decimal value)
{
	return p + lc_decimal_format(value, p);
}

static char *put_known(char *p, bool known, struct lc_decimal value)
{
	return known ? put_decimal(p, value) : PUT(p, "null");
}

static char *put_time(char *p, const struct lc_message_context *context, uint8_t market, int64_t ns)
{
	const struct lc_zone *zone = context->time_format == LC_TIME_OFFSET ? context->zones[market]
									    : context->naive_zone;
	*p++ = '"';
	p += lc_time_format(ns, context->time_format, zone, p);
	*p++ = '"';
	return p;
}

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
	PUT(p, ",\"price\":");
	p = put_decimal(p, price);
	PUT(p, ",\"volume\":");
	p = put_decimal(p, volume);
	PUT(p, ",\"amount\":");
	return put_decimal(p, amount);
}

static char *put_levels(char *p, const struct lc_tick *tick)
{
	PUT(p, ",\"bid_price\":");
	p = put_known(p, tick->has & LC_HAS_BID, tick->bid);
	PUT(p, ",\"ask_price\":");
	p = put_known(p, tick->has & LC_HAS_ASK, tick->ask);
	PUT(p, ",\"bid_volume\":");
	p = put_known(p, tick->has & LC_HAS_BID_VOLUME, tick->bid_volume);
	PUT(p, ",\"ask_volume\":");
	p = put_known(p, tick->has & LC_HAS_ASK_VOLUME, tick->ask_volume);
	PUT(p, ",\"open_price\":");
	p = put_known(p, tick->has & LC_HAS_OPEN, tick->open);
	PUT(p, ",\"high_price\":");
	p = put_known(p, tick->has & LC_HAS_HIGH, tick->high);
	PUT(p, ",\"low_price\":");
	return put_known(p, tick->has & LC_HAS_LOW, tick->low);
}

static char *put_origin(char *p, const struct lc_message_context *context,
	const struct lc_tick *tick, const struct lc_price_context *extra)
{
	bool counted = !extra->bar && !(tick->flags & LC_FLAG_REFRESH);
	PUT(p, ",\"source\":");
	p = put_text(p, extra->source, NAME_MAX_BYTES);
	PUT(p, ",\"trace_id\":");
	p = put_text_or_null(p, extra->trace_id);
	PUT(p, ",\"span_id\":");
	p = put_text_or_null(p, extra->span_id);
	PUT(p, ",\"kind\":");
	p = put_text(p, extra->bar ? "bar" : lc_tick_kind_name(tick->kind), NAME_MAX_BYTES);
	PUT(p, ",\"market\":");
	p = put_text(p, lc_market_name(extra->symbol->market), NAME_MAX_BYTES);
	PUT(p, ",\"received_at\":");
	p = put_time(p, context, extra->symbol->market, tick->received_ns);
	PUT(p, ",\"stream\":");
	p = put_text(p, context->stream, LC_MESSAGE_ID_MAX);
	PUT(p, ",\"seq\":");
	p = put_uint(p, counted ? tick->seq : 0);
	PUT(p, ",\"conflated\":");
	return put_uint(p, tick->conflated);
}

static char *put_conditions(char *p, const struct lc_conditions *conditions)
{
	uint8_t count = conditions->count;
	PUT(p, ",\"conditions\":[");
	for (uint8_t i = 0; i < count && i < LC_TICK_CONDITIONS; i++) {
		if (i > 0) {
			*p++ = ',';
		}
		p = put_text(p, conditions->code[i], sizeof conditions->code[i]);
	}
	*p++ = ']';
	return p;
}

/* What the vendor says of the trade, as it names it. */
static char *put_trade(char *p, const struct lc_tick *tick)
{
	if (tick->has & LC_HAS_PREV_CLOSE) {
		PUT(p, ",\"prev_close\":");
		p = put_decimal(p, tick->prev_close);
	}
	if (tick->has & LC_HAS_TRADE_ID) {
		PUT(p, ",\"trade_id\":\"");
		p = put_uint(p, tick->trade_id);
		*p++ = '"';
	}
	if (tick->exchange[0] != '\0') {
		PUT(p, ",\"exchange\":");
		p = put_text(p, tick->exchange, sizeof tick->exchange);
	}
	if (tick->conditions.count > 0) {
		p = put_conditions(p, &tick->conditions);
	}
	if (tick->feed[0] != '\0') {
		PUT(p, ",\"feed\":");
		p = put_text(p, tick->feed, sizeof tick->feed);
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
			p = put_text(p, names[i].name, NAME_MAX_BYTES);
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
		PUT(p, ",\"session\":");
		p = put_text(p, extra->session, NAME_MAX_BYTES);
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
	PUT(p, ",\"conflated_high\":");
	p = put_decimal(p, tick->merged.high);
	PUT(p, ",\"conflated_low\":");
	p = put_decimal(p, tick->merged.low);
	PUT(p, ",\"conflated_volume\":");
	p = put_decimal(p, tick->merged.volume);
	PUT(p, ",\"conflated_amount\":");
	return put_decimal(p, tick->merged.amount);
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
	p = put_text(p, extra->symbol->text, LC_SYMBOL_MAX);
	PUT(p, ",\"timestamp\":");
	p = put_time(p, context, extra->symbol->market,
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

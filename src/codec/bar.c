#include "put_priv.h"

#include <assert.h>

/* The worst case, term by term. */
enum {
	ROOM_NAMES = 320, /* every field name, quotes, colons, commas, constant words */
	ROOM_DECIMALS = 10 * LC_DECIMAL_TEXT_MAX,
	ROOM_NUMBERS = 2 * 20,
	ROOM_TIMES = LC_TIME_TEXT_MAX,
	ROOM_SHORT = 6 * (NAME_MAX_BYTES + LC_SYMBOL_MAX + 4),
};
static_assert(ROOM_NAMES + ROOM_DECIMALS + ROOM_NUMBERS + ROOM_TIMES + ROOM_SHORT <= LC_BAR_MAX,
	"a Bar could be longer than its buffer");

static char *put_bool(char *p, bool value)
{
	return value ? PUT(p, "true") : PUT(p, "false");
}

static char *put_prices(char *p, const struct lc_bar *bar)
{
	PUT_FIELD(p, "open", lc_put_decimal, bar->open);
	PUT_FIELD(p, "high", lc_put_decimal, bar->high);
	PUT_FIELD(p, "low", lc_put_decimal, bar->low);
	PUT_FIELD(p, "close", lc_put_decimal, bar->close);
	PUT_FIELD(p, "volume", lc_put_decimal, bar->volume);
	PUT_FIELD(p, "amount", lc_put_known, bar->has & LC_BAR_HAS_AMOUNT, bar->amount);
	PUT_FIELD(p, "turnover", lc_put_known, bar->has & LC_BAR_HAS_TURNOVER, bar->turnover);
	PUT_FIELD(p, "change", lc_put_known, bar->has & LC_BAR_HAS_CHANGE, bar->change);
	PUT_FIELD(p, "change_pct", lc_put_known, bar->has & LC_BAR_HAS_CHANGE, bar->change_pct);
	return p;
}

size_t lc_bar_encode(const struct lc_message_context *context, const struct lc_bar *bar,
	const struct lc_symbol *symbol, const char *source, char *out)
{
	char *p = out;
	PUT(p, "{\"symbol\":");
	p = lc_put_text(p, symbol->text, LC_SYMBOL_MAX);
	PUT_FIELD(p, "period", lc_put_text, lc_period_name((enum lc_period)bar->period),
		NAME_MAX_BYTES);
	PUT_FIELD(p, "timestamp", lc_put_time, context, symbol->market, bar->start_ns);
	p = put_prices(p, bar);
	PUT_FIELD(p, "source", lc_put_text, source, NAME_MAX_BYTES);
	PUT_FIELD(p, "final", put_bool, bar->final);
	PUT_FIELD(p, "revision", lc_put_uint, bar->revision);
	PUT_FIELD(p, "complete", put_bool, bar->complete);
	PUT_FIELD(p, "gap_volume", lc_put_decimal, bar->gap_volume);
	PUT_FIELD(p, "tick_count", lc_put_uint, bar->tick_count);
	*p++ = '}';
	return (size_t)(p - out);
}

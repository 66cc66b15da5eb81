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
	PUT(p, ",\"open\":");
	p = lc_put_decimal(p, bar->open);
	PUT(p, ",\"high\":");
	p = lc_put_decimal(p, bar->high);
	PUT(p, ",\"low\":");
	p = lc_put_decimal(p, bar->low);
	PUT(p, ",\"close\":");
	p = lc_put_decimal(p, bar->close);
	PUT(p, ",\"volume\":");
	p = lc_put_decimal(p, bar->volume);
	PUT(p, ",\"amount\":");
	p = lc_put_known(p, bar->has & LC_BAR_HAS_AMOUNT, bar->amount);
	PUT(p, ",\"turnover\":");
	p = lc_put_known(p, bar->has & LC_BAR_HAS_TURNOVER, bar->turnover);
	PUT(p, ",\"change\":");
	p = lc_put_known(p, bar->has & LC_BAR_HAS_CHANGE, bar->change);
	PUT(p, ",\"change_pct\":");
	return lc_put_known(p, bar->has & LC_BAR_HAS_CHANGE, bar->change_pct);
}

size_t lc_bar_encode(const struct lc_message_context *context, const struct lc_bar *bar,
	const struct lc_symbol *symbol, const char *source, char *out)
{
	char *p = out;
	PUT(p, "{\"symbol\":");
	p = lc_put_text(p, symbol->text, LC_SYMBOL_MAX);
	PUT(p, ",\"period\":\"");
	const char *period = lc_period_name((enum lc_period)bar->period);
	p = (char *)memcpy(p, period, strlen(period)) + strlen(period);
	PUT(p, "\",\"timestamp\":");
	p = lc_put_time(p, context, symbol->market, bar->start_ns);
	p = put_prices(p, bar);
	PUT(p, ",\"source\":");
	p = lc_put_text(p, source, NAME_MAX_BYTES);
	PUT(p, ",\"final\":");
	p = put_bool(p, bar->final);
	PUT(p, ",\"revision\":");
	p = lc_put_uint(p, bar->revision);
	PUT(p, ",\"complete\":");
	p = put_bool(p, bar->complete);
	PUT(p, ",\"gap_volume\":");
	p = lc_put_decimal(p, bar->gap_volume);
	PUT(p, ",\"tick_count\":");
	p = lc_put_uint(p, bar->tick_count);
	*p++ = '}';
	return (size_t)(p - out);
}

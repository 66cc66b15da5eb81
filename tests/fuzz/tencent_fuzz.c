/* An answer of Tencent's. Every row handed on names a valid symbol; a tick has something to say,
 * its prices are above zero, its time is sane, and what it has comes out as text. */
#include "tencent_wire.h"

#include <stdlib.h>

static void require(bool ok)
{
	if (!ok) {
		abort();
	}
}

static void check_decimal(struct lc_decimal value)
{
	char text[LC_DECIMAL_TEXT_MAX];
	require(lc_decimal_format(value, text) < LC_DECIMAL_TEXT_MAX);
}

static void on_row(void *arg, const char *symbol, size_t len, const struct lc_tick *tick)
{
	struct lc_symbol parsed;
	(void)arg;
	require(lc_symbol_parse(symbol, len, &parsed) == LC_OK);
	if (!tick) {
		return;
	}
	require(tick->kind == LC_TICK_SNAPSHOT && tick->symbol == 0);
	require(tick->has & (LC_HAS_PRICE | LC_HAS_BID | LC_HAS_ASK));
	require(!(tick->has & LC_HAS_PRICE) || tick->price.mantissa > 0);
	require(!(tick->has & LC_HAS_BID) == !(tick->has & LC_HAS_BID_VOLUME));
	require(!tick->delayed || parsed.market == LC_MARKET_HK);
	check_decimal(tick->price);
	check_decimal(tick->volume);
	check_decimal(tick->amount);
	if (tick->has & LC_HAS_EVENT_TIME) {
		struct lc_civil civil = lc_civil_from_ns(NULL, tick->event_ns);
		require(civil.year >= 1677 && civil.year <= 2262);
	}
}

static void on_bad(void *arg, const char *reason, const char *text, size_t len)
{
	size_t *bad = arg;
	require(reason[0] && text && len > 0);
	++*bad;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bad = 0;
	/* without zones the times are UTC: nothing here needs the markets' */
	const struct lc_tencent_reader reader = {.row = on_row, .bad = on_bad, .arg = &bad};
	lc_tencent_parse(&reader, (const char *)data, size, NULL);
	require(bad <= 101);
	return 0;
}

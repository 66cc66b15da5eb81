/* An answer or an event of EastMoney's: as rows merged into one cache and made into ticks, as a
 * series, and as a message of the WebSocket stand-in. Prices must come out finite and times sane;
 * the rest the sanitizers watch. */
#include "eastmoney_series.h"
#include "eastmoney_wire.h"

#include <stdlib.h>
#include <string.h>

struct fuzz {
	struct lc_json_parser *json;
	struct lc_eastmoney_row cache;
};

static void require(bool ok)
{
	if (!ok) {
		abort();
	}
}

static void make_tick(const struct lc_eastmoney_row *row, unsigned units)
{
	struct lc_tick tick = {0};
	char symbol[LC_SYMBOL_MAX], text[LC_DECIMAL_TEXT_MAX];
	size_t len;
	if (lc_eastmoney_symbol(row, symbol, &len) == LC_OK) {
		require(len > 0 && len < LC_SYMBOL_MAX);
	}
	require(lc_eastmoney_decimals(row) >= 0 && lc_eastmoney_decimals(row) <= 9);
	lc_eastmoney_halted(row);
	lc_eastmoney_tick(row, units, &tick);
	if (tick.has & LC_HAS_PRICE) {
		require(!lc_decimal_is_zero(tick.price) || (units & LC_EM_SCALED));
		require(lc_decimal_format(tick.price, text) < LC_DECIMAL_TEXT_MAX);
	}
	if (tick.has & LC_HAS_EVENT_TIME) {
		require(tick.event_ns > 0);
	}
}

static void on_row(void *arg, const struct lc_eastmoney_answer *answer, uint32_t position,
	const struct lc_eastmoney_row *row)
{
	struct fuzz *fuzz = arg;
	require(position < LC_EASTMONEY_MAX_ROWS);
	require((row->known & ~row->given) == 0);
	lc_eastmoney_row_apply(&fuzz->cache, row, answer->full);
	require(!lc_eastmoney_row_apply(&fuzz->cache, row, answer->full) ||
		!(row->given & ((1u << LC_EM_VALUES) - 1)));
	make_tick(row, LC_EM_SCALED | LC_EM_LOTS);
	make_tick(&fuzz->cache, LC_EM_LOTS);
}

static void on_series_row(void *arg, const struct lc_eastmoney_series *series, struct lc_text row)
{
	struct lc_eastmoney_detail detail;
	struct lc_eastmoney_bar bar;
	(void)arg;
	(void)series;
	if (lc_eastmoney_detail_parse(row, &detail) == LC_OK) {
		require(detail.second >= 0 && detail.second < 86400 && detail.trades >= 0);
	}
	if (lc_eastmoney_bar_parse(row, &bar) == LC_OK) {
		require(bar.time.month >= 1 && bar.time.month <= 12);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	if (!fuzz.json && lc_json_parser_create(NULL, &fuzz.json) != LC_OK) {
		abort();
	}
	const char *text = (const char *)data;
	struct lc_eastmoney_answer answer;
	struct lc_eastmoney_series series;
	struct lc_eastmoney_row row;
	memset(&fuzz.cache, 0, sizeof(fuzz.cache));
	lc_eastmoney_parse(fuzz.json, text, size, &answer, on_row, &fuzz, NULL);
	lc_eastmoney_series_parse(fuzz.json, text, size, &series, on_series_row, NULL, NULL);
	if (lc_eastmoney_ws_parse(fuzz.json, text, size, &row, NULL) == LC_OK) {
		make_tick(&row, 0);
	}
	return 0;
}

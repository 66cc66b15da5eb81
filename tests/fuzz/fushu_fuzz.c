/* An answer of a FuShu server. Every row handed on has a symbol and a price that is not zero; the
 * rest the sanitizers watch. */
#include "fushu_wire.h"

#include <stdlib.h>

static void on_row(void *arg, const char *symbol, size_t len, const struct lc_tick *tick)
{
	struct lc_symbol parsed;
	(void)arg;
	if (len == 0 || len >= LC_SYMBOL_MAX || !(tick->has & LC_HAS_PRICE) ||
		lc_decimal_is_zero(tick->price)) {
		abort();
	}
	lc_symbol_parse(symbol, len, &parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lc_json_parser *json;
	size_t bad;
	if (!json && lc_json_parser_create(NULL, &json) != LC_OK) {
		abort();
	}
	/* without a zone naive times are UTC: nothing here needs Hong Kong's */
	lc_fushu_parse(json, (const char *)data, size, NULL, on_row, NULL, &bad, NULL);
	return 0;
}

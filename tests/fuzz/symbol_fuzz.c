/* A symbol as a stranger writes it, and the same bytes as a routing pattern. What is accepted is
 * found again under the same index, is what was given, and matches itself; what is not accepted
 * leaves the table alone. */
#include "livecore/symbol.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds) {
		abort();
	}
}

static void intern(struct lc_symbols *symbols, const char *text, size_t len)
{
	struct lc_symbol symbol;
	uint32_t index = LC_SYMBOL_NONE;
	enum lc_err parsed = lc_symbol_parse(text, len, &symbol);
	size_t before = lc_symbols_count(symbols);
	expect(lc_symbols_intern(symbols, text, len, &index) == parsed);
	if (parsed != LC_OK) {
		expect(lc_symbols_count(symbols) == before);
		expect(lc_symbols_find(symbols, text, len) == LC_SYMBOL_NONE);
		return;
	}
	expect(lc_symbols_find(symbols, text, len) == index);
	const struct lc_symbol *known = lc_symbols_get(symbols, index);
	expect(known->len == len && memcmp(known->text, text, len) == 0);
	expect(known->market < LC_MARKETS && known->market == symbol.market);
	expect(lc_symbol_match(known->text, known->text) && lc_symbol_match("*", known->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lc_symbols *symbols;
	if (size > 64 || lc_symbols_create(4, size, &symbols) != LC_OK) {
		return 0;
	}
	char text[65] = {0};
	memcpy(text, data, size);
	intern(symbols, "600000.SH", 9);
	intern(symbols, text, size);
	for (size_t len = 0; len < size && lc_symbols_count(symbols) < 4; len++) {
		intern(symbols, text, len);
	}
	lc_symbol_match(text, "600000.SH");
	lc_symbols_destroy(symbols);
	return 0;
}

#include "livecore/symbol.h"
#include "livecore/tick.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char *const valid[] = {"000001.SZ", "600000.SH", "920047.BJ", "00700.HK", "AAPL", "F",
	"GOOGL", "BRK.B", "BAC.PRL", "ACHR.WS", "ABCDE.ABC.ABC", "FAKEPACA", "A.B.C", "SH", "HK",
	"SH.A"};
static const char *const invalid[] = {"", "00001.SZ", "0000001.SZ", "600000.SS", "600000.sh",
	"600000", "700.HK", "000700.HK", "60000A.SH", "aapl", "AAPLXY", "BRK.", ".B", "BRK..B",
	"BRK.ABCD", "A.B.C.D", "AAPL.SH", "AAPL.HK", "A.B.SZ", "BRK B", "BRK/B", "FAKEPACB",
	"ABCDE.ABC.ABCD", "12345.SH", "600000.SH ", " AAPL", "AAPL\n", "600000.BJX"};

Test(symbol, validity_follows_the_contract)
{
	struct lc_symbol symbol;
	for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
		cr_assert_eq(lc_symbol_parse(valid[i], strlen(valid[i]), &symbol), LC_OK, "%s",
			valid[i]);
		cr_assert_str_eq(symbol.text, valid[i]);
		cr_assert_eq(symbol.len, strlen(valid[i]));
	}
	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
		cr_assert_eq(lc_symbol_parse(invalid[i], strlen(invalid[i]), &symbol),
			LC_ERR_INVALID, "%s", invalid[i]);
	}
	cr_assert_eq(lc_symbol_parse("AA\0L", 4, &symbol), LC_ERR_INVALID);
	cr_assert_eq(lc_symbol_parse("AAPLAAPLAAPLAAPLAAPL", 20, &symbol), LC_ERR_INVALID);
}

Test(symbol, market_and_venue_come_from_the_suffix)
{
	static const struct {
		const char *text;
		enum lc_market market;
		enum lc_venue venue;
	} cases[] = {{"600000.SH", LC_MARKET_CN, LC_VENUE_SH},
		{"000001.SZ", LC_MARKET_CN, LC_VENUE_SZ}, {"920047.BJ", LC_MARKET_CN, LC_VENUE_BJ},
		{"00700.HK", LC_MARKET_HK, LC_VENUE_HK}, {"BRK.B", LC_MARKET_US, LC_VENUE_US}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_symbol symbol;
		cr_assert_eq(lc_symbol_parse(cases[i].text, strlen(cases[i].text), &symbol), LC_OK);
		cr_assert_eq(symbol.market, cases[i].market);
		cr_assert_eq(symbol.venue, cases[i].venue);
	}
	cr_assert_str_eq(lc_market_name(LC_MARKET_CN), "cn");
	cr_assert_str_eq(lc_market_name(LC_MARKET_HK), "hk");
	cr_assert_str_eq(lc_market_name(LC_MARKET_US), "us");
}

Test(symbol, indices_are_dense_and_stay)
{
	struct lc_symbols *symbols;
	cr_assert_eq(lc_symbols_create(100000, 7, &symbols), LC_OK);
	for (uint32_t i = 0; i < 20000; i++) {
		char text[16];
		int len = snprintf(text, sizeof text, "%06u.%s", i / 2, i % 2 ? "SZ" : "SH");
		cr_assert_eq(lc_symbols_find(symbols, text, (size_t)len), LC_SYMBOL_NONE);
		uint32_t index;
		cr_assert_eq(lc_symbols_intern(symbols, text, (size_t)len, &index), LC_OK);
		cr_assert_eq(index, i);
		cr_assert_eq(lc_symbols_intern(symbols, text, (size_t)len, &index), LC_OK);
		cr_assert_eq(index, i);
	}
	cr_assert_eq(lc_symbols_count(symbols), 20000);
	for (uint32_t i = 0; i < 20000; i++) {
		const struct lc_symbol *symbol = lc_symbols_get(symbols, i);
		cr_assert_eq(lc_symbols_find(symbols, symbol->text, symbol->len), i);
	}
	cr_assert_eq(lc_symbols_find(symbols, "600000.SHANGHAI.X", 17), LC_SYMBOL_NONE);
	cr_assert_eq(lc_symbols_find(symbols, "", 0), LC_SYMBOL_NONE);
	cr_assert_eq(lc_symbols_find(symbols, "000001.SZ\0", 10), LC_SYMBOL_NONE);
	uint32_t index;
	cr_assert_eq(lc_symbols_intern(symbols, "000001.SZ\0", 10, &index), LC_ERR_INVALID);
	lc_symbols_destroy(symbols);
	lc_symbols_destroy(NULL);
}

Test(symbol, the_table_is_bounded_and_takes_no_rubbish)
{
	struct lc_symbols *symbols;
	uint32_t index = 99;
	cr_assert_eq(lc_symbols_create(2, 7, &symbols), LC_OK);
	cr_assert_eq(lc_symbols_intern(symbols, "aapl", 4, &index), LC_ERR_INVALID);
	cr_assert_eq(lc_symbols_intern(symbols, "AAPL", 4, &index), LC_OK);
	cr_assert_eq(lc_symbols_intern(symbols, "MSFT", 4, &index), LC_OK);
	cr_assert_eq(lc_symbols_intern(symbols, "IBM", 3, &index), LC_ERR_LIMIT);
	cr_assert_eq(lc_symbols_intern(symbols, "AAPL", 4, &index), LC_OK);
	cr_assert_eq(index, 0);
	lc_symbols_destroy(symbols);
}

Test(symbol, indices)
{
	static const char *const indices[] = {"000001.SH", "000300.SH", "399001.SZ"};
	static const char *const others[] = {
		"000001.SZ", "600000.SH", "399001.SH", "00700.HK", "AAPL"};
	struct lc_symbol symbol;
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(lc_symbol_parse(indices[i], strlen(indices[i]), &symbol), LC_OK);
		cr_assert(lc_symbol_is_index(&symbol), "%s", indices[i]);
	}
	for (size_t i = 0; i < 5; i++) {
		cr_assert_eq(lc_symbol_parse(others[i], strlen(others[i]), &symbol), LC_OK);
		cr_assert_not(lc_symbol_is_index(&symbol), "%s", others[i]);
	}
}

Test(symbol, patterns_match_runs)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {{"*", "AAPL", true}, {"*", "", true}, {"*.SH", "600000.SH", true},
		{"*.SH", "600000.SZ", false}, {"*.SH", ".SH", true}, {"AAPL", "AAPL", true},
		{"AAPL", "AAPLX", false}, {"6*.SH", "600000.SH", true},
		{"6*.SH", "500000.SH", false}, {"*A*A*", "BANANA", true}, {"*X*", "BANANA", false},
		{"BRK*", "BRK.B", true}, {"", "A", false}, {"", "", true}, {"**", "A", true},
		{"*00*1.SZ", "000001.SZ", true}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_eq(lc_symbol_match(cases[i].pattern, cases[i].text), cases[i].matches,
			"%s %s", cases[i].pattern, cases[i].text);
	}
}

Test(symbol, tick_kinds_have_the_contracts_names)
{
	cr_assert_str_eq(lc_tick_kind_name(LC_TICK_TRADE), "trade");
	cr_assert_str_eq(lc_tick_kind_name(LC_TICK_QUOTE), "quote");
	cr_assert_str_eq(lc_tick_kind_name(LC_TICK_SNAPSHOT), "snapshot");
	cr_assert_str_eq(lc_tick_kind_name(LC_TICK_STATUS), "status");
	cr_assert_str_eq(lc_tick_kind_name(LC_TICK_KINDS), "unknown");
}

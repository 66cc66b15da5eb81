#include "app/symbol_args.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

static const struct lc_usage usage = {"subscribe", "", ""};

Test(symbol_args, valid_ones_pass)
{
	static char words[][16] = {"600000.SH", "000001.SZ", "920047.BJ", "00700.HK", "AAPL",
		"BRK.B", "BAC.PRL", "FAKEPACA"};
	char *list[8];
	for (size_t i = 0; i < 8; i++) {
		list[i] = words[i];
	}
	cr_assert_eq(lc_symbol_args_check(&usage, list, 8, false), -1);
	cr_assert_eq(lc_symbol_args_check(&usage, list, 0, false), -1);
}

Test(symbol_args, patterns_pass_only_where_they_are_asked_for, .init = cr_redirect_stderr)
{
	static char pattern[] = "*.SH";
	char *list[] = {pattern};
	cr_assert_eq(lc_symbol_args_check(&usage, list, 1, true), -1);
	cr_assert_eq(lc_symbol_args_check(&usage, list, 1, false), LC_EXIT_USAGE);
}

Test(symbol_args, advice)
{
	static const struct {
		const char *word, *advice;
	} cases[] = {
		{"aapl", "write AAPL"},
		{"600000.sh", "write 600000.SH"},
		{"brk.b", "write BRK.B"},
		{"SH600000", "write 600000.SH"},
		{"sz000001", "write 000001.SZ"},
		{"700.HK", "write 00700.HK"},
		{"0005.hk", "write 00005.HK"},
		{"600000", "probably 600000.SH"},
		{"000001", "probably 000001.SZ"},
		{"920047", "probably 920047.BJ"},
		{"700", "write 00700.HK"},
		{"00700", "write 00700.HK"},
		{"AAPL,MSFT", "spaces"},
		{"", "look like"},
		{"600000.XX", "look like"},
		{"TOOLONGNAME", "look like"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "look like"},
		{"12345678901234567890", "look like"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char advice[128];
		lc_symbol_advice(cases[i].word, advice, sizeof advice);
		cr_assert(strstr(advice, cases[i].advice), "%s: %s", cases[i].word, advice);
	}
}

Test(symbol_args, every_wrong_one_is_named, .init = cr_redirect_stderr)
{
	static char good[] = "AAPL", low[] = "msft", digits[] = "600519";
	char *list[] = {low, good, digits};
	cr_assert_eq(lc_symbol_args_check(&usage, list, 3, false), LC_EXIT_USAGE);
	fflush(stderr);
	char said[2048];
	FILE *from = cr_get_redirected_stderr();
	said[fread(said, 1, sizeof said - 1, from)] = '\0';
	fclose(from);
	cr_assert(strstr(said, "\"msft\" is no symbol: write MSFT"), "%s", said);
	cr_assert(strstr(said, "\"600519\" is no symbol"), "%s", said);
	cr_assert(strstr(said, "2 of 3 symbols"), "%s", said);
	cr_assert_null(strstr(said, "\"AAPL\""));
}

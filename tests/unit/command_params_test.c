#include "app/command_params.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum lc_err parse_one(const char *word, struct lc_params *params, struct lc_error *err)
{
	static char copy[256];
	snprintf(copy, sizeof copy, "%s", word);
	char *words[] = {copy};
	return lc_params_parse(params, words, 1, err);
}

Test(command_params, values_become_what_they_look_like)
{
	static const struct {
		const char *word, *key, *json;
	} cases[] = {
		{"days=5", "days", "5"},
		{"x=-1.5e3", "x", "-1.5e3"},
		{"full=true", "full", "true"},
		{"force=false", "force", "false"},
		{"x=null", "x", "null"},
		{"feeder=alpaca", "feeder", "\"alpaca\""},
		{"x=True", "x", "\"True\""},
		{"x=007", "x", "\"007\""}, /* not a JSON number */
		{"x=1.", "x", "\"1.\""},
		{"x=", "x", "\"\""},
		{"x=a=b", "x", "\"a=b\""},
		{"x=say \"hi\"", "x", "\"say \\\"hi\\\"\""},
		{"codes=AAPL", "codes", "[\"AAPL\"]"},
		{"codes=000001.SZ,AAPL", "codes", "[\"000001.SZ\",\"AAPL\"]"},
		{"codes=600000", "codes", "[\"600000\"]"}, /* a code is never a number */
		{"code=600000", "code", "\"600000\""},
		{"codes=[\"A\",\"B\"]", "codes", "[\"A\",\"B\"]"},
		{"x=1,true,a", "x", "[1,true,\"a\"]"},
		{"start_date=20240102", "start_date", "\"20240102\""},
		{"end_date=20240102", "end_date", "\"20240102\""},
		{"x={\"a\": [1, 2]}", "x", "{\"a\": [1, 2]}"},
		{"x=\"5\"", "x", "\"5\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_params params;
		struct lc_error err;
		cr_assert_eq(parse_one(cases[i].word, &params, &err), LC_OK, "%s", cases[i].word);
		cr_assert_str_eq(params.fields[0].key, cases[i].key);
		cr_assert_eq(params.fields[0].type, LC_FIELD_JSON);
		cr_assert_str_eq(params.fields[0].v.str, cases[i].json);
		cr_assert_eq(params.fields[1].type, LC_FIELD_END);
		lc_params_finish(&params);
	}
}

Test(command_params, mistakes_name_the_word)
{
	static const struct {
		const char *word, *said;
	} cases[] = {
		{"alpaca", "\"alpaca\" is no parameter"},
		{"=5", "\"=5\" is no parameter"},
		{"x=[1,", "x: its value begins like JSON"},
		{"x={", "x: its value"},
		{"x=\"open", "x: its value"},
		{"x=[1],[2]", "more than one value"},
		{"x=[1]}", "x: its value"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_params params;
		struct lc_error err;
		cr_assert_eq(parse_one(cases[i].word, &params, &err), LC_ERR_INVALID, "%s",
			cases[i].word);
		cr_assert(strstr(err.text, cases[i].said), "%s: %s", cases[i].word, err.text);
		lc_params_finish(&params);
	}
}

Test(command_params, many_keep_their_order_and_too_many_are_refused)
{
	static char texts[LC_PARAMS_MAX + 1][600];
	char *words[LC_PARAMS_MAX + 1];
	struct lc_params params;
	struct lc_error err;
	for (int i = 0; i <= LC_PARAMS_MAX; i++) {
		/* Long enough that the buffer moves while it grows. */
		snprintf(texts[i], sizeof texts[i], "key%d=%0500d", i, i);
		words[i] = texts[i];
	}
	cr_assert_eq(lc_params_parse(&params, words, LC_PARAMS_MAX, &err), LC_OK);
	for (int i = 0; i < LC_PARAMS_MAX; i++) {
		char key[16];
		snprintf(key, sizeof key, "key%d", i);
		cr_assert_str_eq(params.fields[i].key, key);
		cr_assert_eq(atoi(params.fields[i].v.str + 1), i);
	}
	lc_params_finish(&params);
	cr_assert_eq(lc_params_parse(&params, words, LC_PARAMS_MAX + 1, &err), LC_ERR_LIMIT);
	lc_params_finish(&params);
	cr_assert_eq(lc_params_parse(&params, words, 0, &err), LC_OK);
	cr_assert_eq(params.fields[0].type, LC_FIELD_END);
	lc_params_finish(&params);
}

Test(command_params, a_name_stands_once)
{
	char *words[] = {(char[]){"a=1"}, (char[]){"ab=2"}, (char[]){"a=3"}};
	struct lc_params params;
	struct lc_error err;
	cr_assert_eq(lc_params_parse(&params, words, 2, &err), LC_OK);
	lc_params_finish(&params);
	cr_assert_eq(lc_params_parse(&params, words, 3, &err), LC_ERR_INVALID);
	cr_assert_not_null(strstr(err.text, "a=3"));
	lc_params_finish(&params);
}

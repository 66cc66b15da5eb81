#include "store/clickhouse_text.h"

#include "bar_fixture.h"
#include "store/bar_row.h"
#include "xorshift.h"

Test(clickhouse_text, rows_and_back)
{
	struct lc_buf out;
	struct lc_bar_row rows[50], back;
	lc_buf_init(&out, 1 << 20);
	for (int i = 0; i < 50; i++) {
		rows[i] = (struct lc_bar_row){.bar = day_bar(i)};
		rows[i].bar.gap_volume = dec("0.00000001");
		snprintf(rows[i].symbol, sizeof rows[i].symbol, "%.*s", 1 + i % 15,
			"ABCDEFGHIJKLMNO");
		clickhouse_put_row(&out, &rows[i]);
	}
	const uint8_t *data = (const uint8_t *)out.data;
	size_t len = out.len;
	for (int i = 0; i < 50; i++) {
		/* A SELECT has no rank behind the row. */
		size_t row_len = len;
		cr_assert_eq(clickhouse_get_row(&data, &row_len, &back), LC_OK);
		cr_assert_str_eq(back.symbol, rows[i].symbol);
		cr_assert_eq(back.bar.start_ns, rows[i].bar.start_ns);
		cr_assert_eq(lc_decimal_compare(back.bar.change_pct, rows[i].bar.change_pct), 0);
		cr_assert_eq(lc_decimal_compare(back.bar.gap_volume, rows[i].bar.gap_volume), 0);
		data += 8;
		len = row_len - 8;
	}
	cr_assert_eq(clickhouse_get_row(&data, &len, &back), LC_ERR_END);
	lc_buf_finish(&out);
}

Test(clickhouse_text, what_a_server_sends_is_not_trusted)
{
	struct lc_buf out;
	struct lc_bar_row row = {.symbol = "600000.SH", .bar = day_bar(0)}, back;
	uint64_t state = 42;
	lc_buf_init(&out, 1 << 20);
	clickhouse_put_row(&out, &row);
	for (size_t len = 1; len + 8 < out.len; len++) { /* cut anywhere */
		uint8_t *copy = malloc(len);
		memcpy(copy, out.data, len);
		const uint8_t *at = copy;
		size_t left = len;
		cr_assert_eq(clickhouse_get_row(&at, &left, &back), LC_ERR_INVALID);
		free(copy);
	}
	for (int i = 0; i < 20000; i++) { /* any bytes */
		uint8_t bytes[200];
		for (size_t j = 0; j < sizeof bytes; j++) {
			bytes[j] = (uint8_t)xorshift(&state);
		}
		bytes[0] &= 15;
		const uint8_t *at = bytes;
		size_t left = sizeof bytes;
		if (clickhouse_get_row(&at, &left, &back) == LC_OK) {
			cr_assert_eq(bar_row_check(&back), LC_OK);
		}
	}
	lc_buf_finish(&out);
}

Test(clickhouse_text, names_cannot_leave_their_quotes)
{
	static const char symbols[2][LC_SYMBOL_MAX] = {"a' OR 1=1 --", "\\'b"};
	struct lc_buf out;
	lc_buf_init(&out, 1 << 16);
	clickhouse_select_latest(
		&out, "db", (struct clickhouse_version){18, 16}, symbols, 2, INT64_MIN, INT64_MAX);
	cr_assert(strstr(lc_buf_text(&out), "IN ('a\\' OR 1=1 --','\\\\\\'b')"), "%s",
		lc_buf_text(&out));
	cr_assert(strstr(lc_buf_text(&out), ">= -9223372036854775807 "), "%s", lc_buf_text(&out));
	lc_buf_finish(&out);
}

Test(clickhouse_text, settings_by_version)
{
	static const struct {
		const char *text;
		enum lc_err rc;
		int major, minor;
	} cases[] = {{"18.16.1", LC_OK, 18, 16}, {"26.9.1.1-testing", LC_OK, 26, 9},
		{"", LC_ERR_INVALID, 0, 0}, {"<html>", LC_ERR_INVALID, 0, 0},
		{"18", LC_ERR_INVALID, 0, 0}};
	const struct lc_bar_query query = {.symbol = "AAPL", .period = LC_PERIOD_5M, .limit = 60};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct clickhouse_version version;
		struct lc_buf out;
		cr_assert_eq(
			clickhouse_version_parse(cases[i].text, strlen(cases[i].text), &version),
			cases[i].rc);
		if (cases[i].rc != LC_OK) {
			continue;
		}
		cr_assert_eq(version.major, cases[i].major);
		cr_assert_eq(version.minor, cases[i].minor);
		lc_buf_init(&out, 1 << 16);
		clickhouse_select_range(&out, "db", version, &query);
		cr_assert_eq(strstr(lc_buf_text(&out), "SETTINGS") != NULL, version.major > 18);
		cr_assert(strstr(lc_buf_text(&out), "period = '5m'"));
		lc_buf_finish(&out);
	}
}

/* So many symbols' minutes as are asked for, with a holiday; never before what was asked for. */
Test(clickhouse_text, the_newest_are_looked_for_in_the_last_days)
{
	const int64_t day_ns = 86400 * LC_NS_PER_S, now_ns = 20000 * day_ns;
	static const struct {
		enum lc_period period;
		size_t limit;
		int days;
	} cases[] = {{LC_PERIOD_1D, 60, 105}, {LC_PERIOD_1M, 60, 15}, {LC_PERIOD_1M, 2400, 30},
		{LC_PERIOD_60M, 400, 165}, {LC_PERIOD_5M, 1, 15}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_bar_query query = {.period = cases[i].period,
			.from_ns = INT64_MIN,
			.to_ns = INT64_MAX,
			.limit = cases[i].limit};
		int64_t back_ns = cases[i].days * day_ns;
		cr_assert_eq(clickhouse_first_from(&query, now_ns), now_ns - back_ns, "%zu", i);
		query.to_ns = now_ns - 1000 * day_ns;
		cr_assert_eq(clickhouse_first_from(&query, now_ns), query.to_ns - back_ns);
		query.from_ns = query.to_ns - day_ns;
		cr_assert_eq(clickhouse_first_from(&query, now_ns), query.from_ns);
	}
	struct lc_bar_query all = {.period = LC_PERIOD_1D,
		.from_ns = INT64_MIN,
		.to_ns = INT64_MAX,
		.limit = LC_BAR_QUERY_MAX};
	cr_assert_eq(clickhouse_first_from(&all, now_ns), INT64_MIN);
	all.limit = 60;
	all.to_ns = INT64_MIN;
	cr_assert_eq(clickhouse_first_from(&all, now_ns), INT64_MIN);
}

Test(clickhouse_text, errors_say_what_to_do)
{
	static char user[] = "trader", database[] = "live", password[] = "not-a-secret";
	static const struct lc_store_config config = {.clickhouse_user = user,
		.clickhouse_database = database,
		.clickhouse_password = password};
	static const struct {
		int status;
		const char *text;
		enum lc_err rc;
		const char *says;
	} cases[] = {{404, "Code: 81, e.displayText() = DB::Exception: Database", LC_ERR_NOT_FOUND,
			     "store init"},
		{404, "Code: 60. DB::Exception: Table live.bars", LC_ERR_NOT_FOUND, "store init"},
		{401, "Code: 193, e.displayText() = DB::Exception: Wrong password for user trader",
			LC_ERR_AUTH, "trader"},
		{403, "Code: 516. DB::Exception: trader: Authentication failed", LC_ERR_AUTH,
			"trader"},
		{500, "Code: 497. DB::Exception: trader: Not enough privileges", LC_ERR_AUTH,
			"lacks a right"},
		{500, "Code: 241. DB::Exception: Memory limit\nmore", LC_ERR_IO, "Memory limit"},
		{403, "<html>", LC_ERR_AUTH, "403"}, {502, "", LC_ERR_IO, "502"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_error err;
		cr_assert_eq(clickhouse_explain(cases[i].status, cases[i].text,
				     strlen(cases[i].text), &config, &err),
			cases[i].rc, "%s", cases[i].text);
		cr_assert(strstr(err.text, cases[i].says), "%s", err.text);
		cr_assert(!strstr(err.text, "more") && !strstr(err.text, password));
	}
}

#include "eastmoney_samples.h"
#include "eastmoney_series.h"
#include "xorshift.h"

static struct lc_json_parser *json;

static void open_parser(void)
{
	cr_assert_eq(lc_json_parser_create(NULL, &json), LC_OK);
}

static void close_parser(void)
{
	lc_json_parser_destroy(json);
}

TestSuite(eastmoney_wire, .init = open_parser, .fini = close_parser);

#define LIVE (LC_EM_SCALED | LC_EM_LOTS) /* fltt=1 */
#define TEXT LC_EM_LOTS                  /* fltt=2 */

/* What a payload says, as text. */
static char *read_text(const char *data, size_t len, unsigned units, bool states,
	struct lc_eastmoney_answer *answer)
{
	struct rows_text text = {.units = units, .states = states};
	struct lc_error err = {0};
	lc_buf_init(&text.out, 1 << 20);
	cr_assert_eq(lc_eastmoney_parse(json, data, len, answer, put_row, &text, &err), LC_OK,
		"%s in %.200s", err.text, data);
	char *copy = strdup(lc_buf_text(&text.out));
	lc_buf_finish(&text.out);
	return copy;
}

static struct lc_eastmoney_answer expect(
	const char *before, const char *name, const char *after, unsigned units, const char *want)
{
	struct lc_eastmoney_answer answer;
	size_t len;
	char *data = sample_wrapped(before, name, after, &len);
	/* an event stream's line is what stands behind "data: " */
	size_t skip = strncmp(data, "data: ", 6) == 0 ? 6 : 0;
	char *got = read_text(data + skip, len - skip, units, false, &answer);
	cr_assert_str_eq(got, want, "%s:\n got %s\nwant %s", name, got, want);
	free(got);
	free(data);
	return answer;
}

Test(eastmoney_wire, single_instruments)
{
	static const struct {
		const char *name;
		unsigned units;
		const char *want;
	} cases[] = {
		{"stock_get-sh600000-close-ladder.json", TEXT,
			"0:600000.SH p=8.74 v=37682900 a=328719168 b=8.73 bv=355300 s=8.74 "
			"sv=853100 "
			"o=8.7 h=8.76 l=8.67 pc=8.69 up=9.56 down=7.82 t=1644566391;"},
		{"stock_get-sh000001-index-close.json", LIVE,
			"0:000001.SH p=3462.95 v=36135609100 a=426297925632 o=3472.28 h=3500.15 "
			"l=3459.33 pc=3485.91 t=1644566379;"},
		{"stock_get-hk00700-close.json", LIVE,
			"0:00700.HK p=478.8 v=16319939 a=7803757312 o=479 h=483.2 l=475.4 "
			"pc=479.2;"},
		{"stock_get-us-tsla-jsonp.txt", LIVE, "0:TSLA;"},
		{"stock_get-us-tsla-narrow-jsonp.txt", LIVE, "0:TSLA;"},
		{"stock_get-sz300059-limits-jsonp.txt", TEXT, "0:-;"},
		{"stock_get-sz002572-jsonp.txt", TEXT, "0:-;"},
		{"stock_get-no-fields-empty-data.json", LIVE, "0:-;"},
		{"stock_get-etf510300-push2delay.json", LIVE, "0:-;"},
		{"stock_get-sh688138-preopen-jsonp.txt", LIVE, "0:-;"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_eastmoney_answer answer = expect(
			"", cases[i].name, "", cases[i].units, cases[i].want);
		cr_assert(answer.rc == 0 && answer.full && answer.has_data);
	}
	expect("{\"rc\":0,", "stock_get-etf515450-data-fragment.txt", "}", LIVE,
		"0:- p=1.494 pc=1.496;");
}

Test(eastmoney_wire, lists)
{
	expect("", "ulist_np-sh-sz-hk-fltt1.json", "", LIVE,
		"0:- p=1302.8;1:- p=11.73;2:- p=445.4;");
	expect("", "ulist_np-close-20260930-fltt2.json", "", TEXT,
		"0:600000.SH p=9.48 v=147484800 a=1386209937 o=9.22 h=9.49 l=9.16 pc=9.18 "
		"t=1790755897;"
		"1:000001.SZ p=11.57 v=104535700 a=1205814857.64 o=11.36 h=11.65 l=11.33 pc=11.35 "
		"t=1790753694;"
		"2:000001.SH p=3842.19 v=41456024700 a=679398992444.8 o=3839.25 h=3851.22 "
		"l=3833.09 pc=3830.45 t=1790755920;"
		"3:300750.SZ p=291.11 v=29699500 a=8613929784.25 o=290 h=292.7 l=285.8 pc=286.8 "
		"t=1790753658;"
		"4:601398.SH p=8.28 v=293171100 a=2417869721 o=8.17 h=8.3 l=8.15 pc=8.16 "
		"t=1790755918;");
	expect("", "ulist_np-us-hk-cn-invt3-null.json", "", TEXT,
		"0:PDD p=81.63 v=6224107 h=82.5 l=81.27 pc=82.25;"
		"1:BRK.B p=508.13 v=3850190 h=508.95 l=505.21 pc=505.24;"
		"2:600036.SH;"
		"3:01211.HK p=85.7 v=17224379 h=86.3 l=85 pc=85.25;"
		"4:UNKNOWN p=10 v=100 h=10.1 l=9.9 pc=9.9;");
	expect("", "clist-sh-top-limitup-jsonp.txt", "", TEXT,
		"0:600107.SH p=3.69 v=8958500 a=32711449 o=3.5 h=3.69 l=3.48 pc=3.35;"
		"1:600768.SH p=7.48 v=1955500 a=14626856 o=7.48 h=7.48 l=7.48 pc=6.8;"
		"2:600157.SH p=1.21 v=587574300 a=709769910 o=1.21 h=1.21 l=1.18 pc=1.1;"
		"3:600266.SH p=4.37 v=126846200 a=543384533 o=4.04 h=4.44 l=4.01 pc=4.04;");
	/* no f13: codes alone name nothing; the halted row has no price and makes no tick */
	expect("", "clist-halted-row.json", "", TEXT,
		"0:- p=10.47 v=80522100 a=840465778.05 o=10.46 h=10.51 l=10.35 pc=10.5 "
		"t=1783409697;"
		"1:- p=2.99 v=110730700 a=332291104.94 o=3.06 h=3.06 l=2.97 pc=3.07 t=1783409697;"
		"2:-;");
	expect("{\"rc\":0,\"data\":{\"diff\":[", "clist-row-bj920992.json", "]}}", TEXT,
		"0:920992.BJ p=13.32 v=1367900 a=18062960.11 o=12.67 h=13.42 l=12.66 pc=12.69;");
}

Test(eastmoney_wire, nothing_known_and_keepalives)
{
	static const char *const names[] = {
		"clist-gone-rc102.json", "ulist_np-all-unknown-rc102.json"};
	for (size_t i = 0; i < 2; i++) {
		struct lc_eastmoney_answer answer = expect("", names[i], "", LIVE, "");
		cr_assert(answer.rc == 102 && !answer.has_data && answer.rows == 0);
	}
	struct lc_eastmoney_answer answer = expect("", "details_sse-null-event.txt", "", LIVE, "");
	cr_assert(answer.rc == 0 && answer.full && !answer.has_data);
}

Test(eastmoney_wire, delayed_markets)
{
	struct lc_eastmoney_answer hk = expect(
		"", "stock_get-us-tsla-jsonp.txt", "", LIVE, "0:TSLA;");
	cr_assert(hk.delayed_hk && !hk.delayed_us);
	struct lc_eastmoney_answer none = expect(
		"", "stock_get-us-tsla-narrow-jsonp.txt", "", LIVE, "0:TSLA;");
	cr_assert(!none.delayed_hk && !none.delayed_us);
}

Test(eastmoney_wire, states_in_lists)
{
	struct lc_eastmoney_answer answer;
	size_t len;
	char *data = sample_wrapped("", "ulist_np-indices-fltt1-2020.json", "", &len);
	char *got = read_text(data, len, LIVE, true, &answer);
	cr_assert_str_eq(got,
		"0:000001.SH p=3400.8 state=2;1:399001.SZ p=14167.97 state=2;"
		"2:399006.SZ p=2884.5 state=2;3:- p=26865.64 state=2;4:- p=30335.67 state=5;"
		"5:- p=12850.22 state=5;",
		"%s", got);
	free(got);
	free(data);
}

Test(eastmoney_wire, first_events_of_streams)
{
	expect("", "stock_sse-sh000001-first.txt", "", LIVE, "0:- p=3092.98;");
	expect("", "ulist_sse-4-stocks-first.txt", "", LIVE,
		"0:000882.SZ p=1.87 v=30535400 a=57473902 b=1.86 s=1.87 pc=1.9;"
		"1:002336.SZ p=15.02 v=10552400 a=160100475.2 b=15.02 s=15.03 pc=15.37;"
		"2:002176.SZ p=9.2 v=31893300 a=297280622.78 b=9.2 s=9.21 pc=9.58;"
		"3:300059.SZ p=15.34 v=200123200 a=3089386792.63 b=15.34 s=15.35 pc=15.66;");
}

/* --- series --- */

struct series_text {
	struct lc_buf out;
	struct lc_eastmoney_series series;
};

static void put_series_row(void *arg, const struct lc_eastmoney_series *series, struct lc_text row)
{
	struct series_text *text = arg;
	struct lc_eastmoney_detail detail;
	struct lc_eastmoney_bar bar;
	if (series->kind == LC_EASTMONEY_DETAILS) {
		cr_assert_eq(lc_eastmoney_detail_parse(row, &detail), LC_OK);
		lc_buf_printf(&text->out, "%d p=", detail.second);
		lc_buf_decimal(&text->out, detail.price);
		lc_buf_puts(&text->out, " lots=");
		lc_buf_decimal(&text->out, detail.lots);
		lc_buf_printf(
			&text->out, " n=%lld side=%u;", (long long)detail.trades, detail.side);
		return;
	}
	cr_assert_eq(lc_eastmoney_bar_parse(row, &bar), LC_OK);
	lc_buf_printf(&text->out, "%04d%02u%02u", bar.time.year, bar.time.month, bar.time.day);
	if (bar.has_minute) {
		lc_buf_printf(&text->out, " %02u%02u", bar.time.hour, bar.time.minute);
	}
	const struct lc_decimal values[] = {
		bar.open, bar.close, bar.high, bar.low, bar.volume, bar.amount};
	for (size_t i = 0; i < 6; i++) {
		lc_buf_putc(&text->out, ' ');
		lc_buf_decimal(&text->out, values[i]);
	}
	lc_buf_putc(&text->out, ';');
}

static struct lc_eastmoney_series expect_series(
	const char *before, const char *name, const char *after, size_t rows, const char *begins)
{
	struct series_text text = {0};
	struct lc_error err = {0};
	size_t len;
	char *data = sample_wrapped(before, name, after, &len);
	size_t skip = strncmp(data, "data: ", 6) == 0 ? 6 : 0;
	lc_buf_init(&text.out, 1 << 20);
	cr_assert_eq(lc_eastmoney_series_parse(json, data + skip, len - skip, &text.series,
			     put_series_row, &text, &err),
		LC_OK, "%s: %s", name, err.text);
	cr_assert_eq(text.series.rows, rows, "%s", name);
	cr_assert_eq(strncmp(lc_buf_text(&text.out), begins, strlen(begins)), 0, "%s: %s", name,
		lc_buf_text(&text.out));
	lc_buf_finish(&text.out);
	free(data);
	return text.series;
}

Test(eastmoney_wire, details)
{
	/* 09:24:57 has no trades: indicative; 15:20:15 is after hours */
	struct lc_eastmoney_series day = expect_series("", "details_get-sz000001-4rows.json", "", 4,
		"33897 p=11.19 lots=16628 n=0 side=4;33900 p=11.2 lots=21048 n=607 side=2;"
		"34203 p=11.19 lots=8879 n=369 side=1;55215 p=11.1 lots=18 n=2 side=1;");
	cr_assert(day.has_prev_price);
	struct lc_eastmoney_series delta = expect_series("", "details_sse-delta-payload.json", "",
		2, "37365 p=16.37 lots=52 n=3 side=1;37368 p=16.37 lots=54 n=2 side=1;");
	cr_assert(!delta.full && delta.code.len == 0 && !delta.has_prev_price);
	struct lc_eastmoney_series first = expect_series(
		"", "details_sse-first-empty.txt", "", 0, "");
	cr_assert(first.full && first.kind == LC_EASTMONEY_DETAILS);
	cr_assert_eq(lc_decimal_compare(first.prev_price, (struct lc_decimal){16, -1}), 0);
	struct lc_eastmoney_series none = expect_series(
		"", "details_sse-null-event.txt", "", 0, "");
	cr_assert_eq(none.kind, LC_EASTMONEY_NO_SERIES);
}

Test(eastmoney_wire, klines)
{
	struct lc_eastmoney_series day = expect_series("", "kline-day-sh601872.json", "", 10,
		"20241218 6.11 6.18 6.28 6.1 842743 542829495;");
	cr_assert(!day.full && day.kind == LC_EASTMONEY_KLINES);
	struct lc_eastmoney_series week = expect_series("", "kline-week-us-app-jsonp.txt", "", 6,
		"20210416 70 61 71.51 58.65 15643711 1034038718;");
	cr_assert_eq(lc_decimal_compare(week.prev_price, lc_decimal_from_int(80)), 0);
	struct lc_eastmoney_series empty = expect_series(
		"", "kline-empty-sh000300-jsonp.txt", "", 0, "");
	cr_assert(empty.kind == LC_EASTMONEY_KLINES && !empty.has_prev_price);
	struct lc_eastmoney_series gone = expect_series(
		"", "kline-no-klines-key-jsonp.txt", "", 0, "");
	cr_assert_eq(gone.kind, LC_EASTMONEY_NO_SERIES);
	expect_series("{\"rc\":0,\"data\":{", "kline-1m-row-sh600986.txt", "}}", 1,
		"20260206 0931 14.6 13.97 14.78 13.97 366811 527498432;");
}

Test(eastmoney_wire, trends)
{
	expect_series("{\"rc\":0,\"data\":{", "trends2-15cols-row.txt", "}}", 1,
		"20260107 1500 88.63 88.63 88.63 88.63 2638 23380594;");
	expect_series("", "trends2-etf159941-2rows.json", "", 2,
		"20260618 1031 1.689 1.684 1.691 1.683 340307 57425767;"
		"20260618 1032 1.684 1.687 1.687 1.684 250214 42181464;");
	/* not JSON, and said so */
	struct lc_eastmoney_series series;
	struct lc_error err = {0};
	size_t len;
	char *data = sample_wrapped("", "trends2-sz300059-envelope.txt", "", &len);
	cr_assert_eq(
		lc_eastmoney_series_parse(json, data, len, &series, put_series_row, NULL, &err),
		LC_ERR_INVALID);
	free(data);
}

Test(eastmoney_wire, series_rows_that_are_refused)
{
	static const char *const details[] = {"", "09:30", "09:30:03", "9:30:03,1,2,3,4",
		"24:00:00,1,2,3,4", "09:30:03,x,2,3,4", "09:30:03,1,2,-3,4", "09:30:03,1,2,3,44",
		"09:30:03,1,2,99999999999999999999,4", "09:30:03,1,2,3,"};
	static const char *const bars[] = {"", "2026-02-06", "2026-13-06,1,2,3,4,5,6",
		"2026-02-06 09:3,1,2,3,4,5,6", "2026-02-06T09:31,1,2,3,4,5,6",
		"2026-02-06,1,2,3,4,5", "2026-02-06,1,2,3,4,5,\"6\"", "0000-01-01,1,2,3,4,5,6"};
	struct lc_eastmoney_detail detail;
	struct lc_eastmoney_bar bar;
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
		struct lc_text row = {details[i], strlen(details[i])};
		cr_assert_eq(
			lc_eastmoney_detail_parse(row, &detail), LC_ERR_INVALID, "%s", details[i]);
	}
	for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
		struct lc_text row = {bars[i], strlen(bars[i])};
		cr_assert_eq(lc_eastmoney_bar_parse(row, &bar), LC_ERR_INVALID, "%s", bars[i]);
	}
}

/* --- values --- */

static void row_of(const char *fields, struct lc_eastmoney_row *out);

static void keep_row(void *arg, const struct lc_eastmoney_answer *answer, uint32_t position,
	const struct lc_eastmoney_row *row)
{
	(void)answer;
	(void)position;
	*(struct lc_eastmoney_row *)arg = *row;
}

static void row_of(const char *fields, struct lc_eastmoney_row *out)
{
	char text[1024];
	struct lc_eastmoney_answer answer;
	int len = snprintf(text, sizeof(text), "{\"rc\":0,\"data\":{\"diff\":[{%s}]}}", fields);
	cr_assert_eq(
		lc_eastmoney_parse(json, text, (size_t)len, &answer, keep_row, out, NULL), LC_OK);
	cr_assert_eq(answer.rows, 1);
}

Test(eastmoney_wire, missing_values)
{
	static const struct {
		const char *fields;
		uint32_t has;
	} cases[] = {
		{"\"f2\":1058", LC_HAS_PRICE}, {"\"f2\":\"-\"", 0}, {"\"f2\":null", 0},
		{"\"f2\":0", 0}, {"\"f2\":0.0", 0}, {"\"f2\":\"1058\"", 0},
		{"\"f2\":1058,\"f2\":\"-\"", 0}, /* the last one counts */
		{"\"f2\":1058,\"f17\":0", LC_HAS_PRICE},
		{"\"f2\":1058,\"f31\":0,\"f32\":\"-\"", LC_HAS_PRICE},
		{"\"f2\":1058,\"f5\":0,\"f6\":0.0", LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT},
		{"\"f2\":1058,\"f124\":0.0", LC_HAS_PRICE},
		{"\"f2\":1058,\"f124\":-5", LC_HAS_PRICE},
		{"\"f2\":1058,\"f124\":1.5", LC_HAS_PRICE},
		{"\"f2\":1058,\"f124\":1793001600.0", LC_HAS_PRICE | LC_HAS_EVENT_TIME},
		{"\"f2\":1058,\"f124\":99999999999999", LC_HAS_PRICE}, {"\"f2\":1e99", 0},
		{"\"f31\":1057", LC_HAS_BID},
		{"\"f43\":1058,\"f002\":1", LC_HAS_PRICE}, /* f002 is f2 as well */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_eastmoney_row row;
		struct lc_tick tick = {0};
		row_of(cases[i].fields, &row);
		bool made = lc_eastmoney_tick(&row, LIVE, &tick);
		cr_assert_eq(tick.has, cases[i].has, "%s: %x", cases[i].fields, tick.has);
		cr_assert_eq(made, cases[i].has != 0);
	}
}

Test(eastmoney_wire, decimals_by_field_else_by_market)
{
	static const struct {
		const char *fields;
		int want;
	} cases[] = {{"\"f1\":2", 2}, {"\"f1\":4,\"f12\":\"600000\",\"f13\":1", 4},
		{"\"f1\":\"-\",\"f12\":\"600000\",\"f13\":1", 2},
		{"\"f1\":77,\"f12\":\"600000\",\"f13\":1", 2},
		{"\"f12\":\"510300\",\"f13\":1", 3},                                      /* fund */
		{"\"f12\":\"159941\",\"f13\":0", 3}, {"\"f12\":\"113050\",\"f13\":1", 3}, /* bond */
		{"\"f12\":\"900901\",\"f13\":1", 3}, {"\"f12\":\"200002\",\"f13\":0", 3}, /* B */
		{"\"f12\":\"920992\",\"f13\":0", 2}, {"\"f12\":\"000001\",\"f13\":0", 2},
		{"\"f12\":\"00700\",\"f13\":116", 3}, {"\"f12\":\"AAPL\",\"f13\":105", 3},
		{"\"f12\":\"00700\"", 3}, {"\"f12\":\"AAPL\"", 3}, {"\"f12\":\"600519\"", 2},
		{"\"f12\":\"515450\"", 3}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_eastmoney_row row;
		row_of(cases[i].fields, &row);
		cr_assert_eq(lc_eastmoney_decimals(&row), cases[i].want, "%s", cases[i].fields);
	}
}

Test(eastmoney_wire, symbols_and_secids)
{
	static const struct {
		const char *symbol, *secid;
		unsigned us;
	} cases[] = {{"000001.SZ", "0.000001", 0}, {"600000.SH", "1.600000", 0},
		{"000001.SH", "1.000001", 0}, {"920047.BJ", "0.920047", 0},
		{"430047.BJ", "0.430047", 0}, {"830799.BJ", "0.830799", 0},
		{"00700.HK", "116.00700", 0}, {"AAPL", "105.AAPL", 105},
		{"BRK.B", "106.BRK_B", 106}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_symbol symbol;
		char secid[LC_EASTMONEY_SECID_MAX], text[LC_SYMBOL_MAX] = {0}, fields[64];
		struct lc_eastmoney_row row;
		size_t len;
		cr_assert_eq(
			lc_symbol_parse(cases[i].symbol, strlen(cases[i].symbol), &symbol), LC_OK);
		cr_assert_eq(
			lc_eastmoney_secid(&symbol, cases[i].us, secid), strlen(cases[i].secid));
		cr_assert_str_eq(secid, cases[i].secid);
		/* and back, as f13 and f12 */
		char *dot = strchr(secid, '.');
		*dot = '\0';
		snprintf(fields, sizeof(fields), "\"f13\":%s,\"f12\":\"%s\"", secid, dot + 1);
		row_of(fields, &row);
		cr_assert_eq(lc_eastmoney_symbol(&row, text, &len), LC_OK);
		cr_assert(len == strlen(cases[i].symbol) && memcmp(text, cases[i].symbol, len) == 0,
			"%s", fields);
	}
}

Test(eastmoney_wire, codes_that_name_nothing)
{
	static const char *const cases[] = {"\"f12\":\"000001\"", "\"f13\":1",
		"\"f12\":\"00001\",\"f13\":1", "\"f12\":\"0000012\",\"f13\":0",
		"\"f12\":\"ABCDEF\",\"f13\":0", "\"f12\":\"000700\",\"f13\":116",
		"\"f12\":\"HSI\",\"f13\":100", "\"f12\":\"\",\"f13\":105",
		"\"f12\":\"ABCDEFGHIJKLMNOPQRSTUVWXYZ\",\"f13\":105", "\"f12\":600000,\"f13\":1",
		"\"f12\":\"600000\",\"f13\":\"-\"", "\"f12\":\"600000\",\"f13\":1.5"};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_eastmoney_row row;
		char text[LC_SYMBOL_MAX];
		size_t len;
		row_of(cases[i], &row);
		cr_assert_eq(lc_eastmoney_symbol(&row, text, &len), LC_ERR_INVALID, "%s", cases[i]);
	}
}

Test(eastmoney_wire, lots_are_chinas_alone)
{
	static const struct {
		const char *fields;
		int64_t shares;
	} cases[] = {{"\"f12\":\"600000\",\"f13\":1,", 12300},
		{"\"f12\":\"920047\",\"f13\":0,", 12300}, {"\"f12\":\"00700\",\"f13\":116,", 123},
		{"\"f12\":\"00700\",\"f13\":128,", 123}, {"\"f12\":\"AAPL\",\"f13\":107,", 123},
		{"\"f12\":\"600000\",", 12300}, {"\"f12\":\"00700\",", 123}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char fields[128];
		struct lc_eastmoney_row row;
		struct lc_tick tick = {0};
		snprintf(fields, sizeof(fields), "%s\"f2\":100,\"f5\":123", cases[i].fields);
		row_of(fields, &row);
		cr_assert(lc_eastmoney_tick(&row, LIVE, &tick));
		cr_assert_eq(lc_decimal_compare(tick.volume, lc_decimal_from_int(cases[i].shares)),
			0, "%s", fields);
	}
}

Test(eastmoney_wire, halts)
{
	for (unsigned state = 0; state <= 20; state++) {
		char fields[64];
		struct lc_eastmoney_row row;
		snprintf(fields, sizeof(fields), "\"f107\":%u,\"f292\":\"-\"", state);
		row_of(fields, &row);
		cr_assert_eq(row.state, state <= 19 ? state : 0);
		cr_assert_eq(lc_eastmoney_halted(&row), state == 6 || state == 14);
	}
}

Test(eastmoney_wire, hostile_payloads)
{
	static const struct {
		const char *text;
		enum lc_err code;
		size_t rows, bad;
	} cases[] = {
		{"", LC_ERR_INVALID, 0, 0},
		{"<html>", LC_ERR_INVALID, 0, 0},
		{"cb({\"rc\":0", LC_ERR_INVALID, 0, 0},
		{"cb()", LC_ERR_INVALID, 0, 0},
		{"[]", LC_ERR_PROTOCOL, 0, 0},
		{"{}", LC_ERR_PROTOCOL, 0, 0},
		{"{\"rc\":\"0\"}", LC_ERR_PROTOCOL, 0, 0},
		{"{\"rc\":0}", LC_OK, 0, 0},
		{"{\"rc\":0,\"data\":[]}", LC_OK, 0, 0},
		{"{\"rc\":0,\"data\":{\"diff\":null}}", LC_OK, 0, 0},
		{"{\"rc\":0,\"data\":{\"diff\":[1,\"x\",null,{}]}}", LC_OK, 1, 3},
		{"{\"rc\":0,\"data\":{\"diff\":{\"0\":{},\"x\":{},\"99999\":{},\"-1\":{}}}}", LC_OK,
			1, 3},
		{"  cb ({\"rc\":0,\"data\":{\"diff\":[{}]}}) ; \n", LC_OK, 1, 0},
		{"{\"rc\":5,\"data\":{\"diff\":[{}]}}", LC_OK, 0, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_eastmoney_answer answer;
		enum lc_err code = lc_eastmoney_parse(
			json, cases[i].text, strlen(cases[i].text), &answer, NULL, NULL, NULL);
		cr_assert_eq(code, cases[i].code, "%s: %d", cases[i].text, code);
		cr_assert(answer.rows == cases[i].rows && answer.bad_rows == cases[i].bad, "%s",
			cases[i].text);
	}
}

/* --- merging --- */

static const char *const merged_fields[] = {
	"f2", "f5", "f6", "f15", "f16", "f17", "f18", "f31", "f32", "f107", "f124"};
#define MERGED (sizeof(merged_fields) / sizeof(merged_fields[0]))

static void row_text(const struct lc_eastmoney_row *row, struct lc_buf *out)
{
	struct lc_tick tick = {0};
	lc_buf_clear(out);
	lc_eastmoney_tick(row, LIVE, &tick);
	put_tick(out, &tick);
	lc_buf_printf(out, " state=%u %s.%u", row->state, row->code, row->market);
}

struct merge {
	uint64_t random;
	int now[MERGED]; /* 0: missing */
	struct lc_eastmoney_row cache;
	struct lc_buf text, before, after;
};

/* Every field as it is now. */
static void whole_row(struct merge *merge, struct lc_eastmoney_row *row)
{
	lc_buf_clear(&merge->text);
	lc_buf_puts(&merge->text, "\"f1\":2,\"f12\":\"600000\",\"f13\":1");
	for (size_t i = 0; i < MERGED; i++) {
		lc_buf_printf(&merge->text, merge->now[i] ? ",\"%s\":%d" : ",\"%s\":\"-\"",
			merged_fields[i], merge->now[i]);
	}
	row_of(lc_buf_text(&merge->text), row);
}

/* Some fields change, or become missing; a state cannot. */
static void some_delta(struct merge *merge, struct lc_eastmoney_row *row)
{
	lc_buf_clear(&merge->text);
	for (size_t i = 0; i < MERGED; i++) {
		if (xorshift(&merge->random) % 4 != 0) {
			continue;
		}
		merge->now[i] = (int)(xorshift(&merge->random) % 16);
		if (merge->now[i] == 0 && strcmp(merged_fields[i], "f107") == 0) {
			merge->now[i] = 5;
		}
		lc_buf_printf(&merge->text, merge->now[i] ? "%s\"%s\":%d" : "%s\"%s\":\"-\"",
			merge->text.len ? "," : "", merged_fields[i], merge->now[i]);
	}
	row_of(lc_buf_text(&merge->text), row);
}

/* A row's text without its time, which alone is no change. */
static char *without_time(struct lc_buf *text)
{
	char *copy = strdup(lc_buf_text(text));
	char *time = strstr(copy, " t="), *state = strstr(copy, " state=");
	if (time) {
		memmove(time, state, strlen(state) + 1);
	}
	return copy;
}

static void merge_one(struct merge *merge)
{
	struct lc_eastmoney_row row;
	some_delta(merge, &row);
	row_text(&merge->cache, &merge->before);
	bool changed = lc_eastmoney_row_apply(&merge->cache, &row, false);
	row_text(&merge->cache, &merge->after);
	char *before = without_time(&merge->before), *after = without_time(&merge->after);
	cr_assert_eq(changed, strcmp(before, after) != 0, "%s -> %s", before, after);
	free(before);
	free(after);
}

/* Any way to cut the same changes into deltas ends at the same values, and a row is told exactly
 * when it changed. */
Test(eastmoney_wire, any_split_into_deltas_gives_the_same_row)
{
	struct merge merge;
	struct lc_eastmoney_row row;
	lc_buf_init(&merge.text, 4096);
	lc_buf_init(&merge.before, 4096);
	lc_buf_init(&merge.after, 4096);
	for (uint64_t seed = 1; seed <= 300; seed++) {
		merge.random = seed * 0x9e3779b97f4a7c15u;
		merge.cache = (struct lc_eastmoney_row){0};
		for (size_t i = 0; i < MERGED; i++) {
			merge.now[i] = 1 + (int)(xorshift(&merge.random) % 15);
		}
		whole_row(&merge, &row);
		cr_assert(lc_eastmoney_row_apply(&merge.cache, &row, true));
		cr_assert(!lc_eastmoney_row_apply(&merge.cache, &row, true), "no news");
		for (unsigned step = 0; step < 20; step++) {
			merge_one(&merge);
		}
		whole_row(&merge, &row);
		row_text(&row, &merge.before);
		row_text(&merge.cache, &merge.after);
		cr_assert_str_eq(lc_buf_text(&merge.after), lc_buf_text(&merge.before));
		cr_assert(!lc_eastmoney_row_apply(&merge.cache, &row, true));
	}
	lc_buf_finish(&merge.text);
	lc_buf_finish(&merge.before);
	lc_buf_finish(&merge.after);
}

/* --- the WebSocket stand-in --- */

Test(eastmoney_wire, ws_messages)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"{\"code\":\"600000\",\"market\":1,\"price\":9.87,\"volume\":12000,\"amount\":"
		 "118440.0,\"timestamp\":1767945000}",
			"600000.SH p=9.87 v=12000 a=118440 t=1767945000"},
		{"{\"code\":\"000001\",\"market\":0,\"price\":10.58}", "000001.SZ p=10.58"},
		{"{\"code\":\"920047\",\"market\":0,\"price\":10.58}", "920047.BJ p=10.58"},
		{"{\"code\":\"1.600000\",\"price\":10.58}", "600000.SH p=10.58"},
		{"{\"code\":\"600000.SH\",\"market\":0,\"price\":10.58}", "600000.SH p=10.58"},
		{"{\"code\":\"00700.HK\",\"price\":482.4}", "00700.HK p=482.4"},
		{"{\"code\":\"116.00700\",\"price\":482.4}", "00700.HK p=482.4"},
		{"{\"code\":\"BRK.B\",\"market\":106,\"price\":482.4}", "BRK.B p=482.4"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_eastmoney_row row;
		struct lc_tick tick = {0};
		struct lc_buf out;
		char symbol[LC_SYMBOL_MAX];
		size_t len;
		lc_buf_init(&out, 512);
		cr_assert_eq(lc_eastmoney_ws_parse(
				     json, cases[i].text, strlen(cases[i].text), &row, NULL),
			LC_OK);
		cr_assert_eq(lc_eastmoney_symbol(&row, symbol, &len), LC_OK, "%s", cases[i].text);
		lc_buf_append(&out, symbol, len);
		cr_assert(lc_eastmoney_tick(&row, 0, &tick));
		put_tick(&out, &tick);
		cr_assert_str_eq(lc_buf_text(&out), cases[i].want);
		lc_buf_finish(&out);
	}
	static const char *const bad[] = {"{}", "{\"code\":\"600000\"}", "{\"price\":1}",
		"{\"code\":\"x.600000\",\"price\":1}", "{\"code\":\"\",\"price\":1}",
		"{\"code\":\"600000\",\"price\":\"-\"}", "[1]",
		"{\"code\":\"12345.600000\",\"price\":1}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lc_eastmoney_row row;
		cr_assert_eq(lc_eastmoney_ws_parse(json, bad[i], strlen(bad[i]), &row, NULL),
			LC_ERR_PROTOCOL, "%s", bad[i]);
	}
}

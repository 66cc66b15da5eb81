#include "alpaca_rest.h"

#include "alpaca_priv.h"
#include "alpaca_samples.h"

static struct lc_json_parser *json;
static struct lc_conditions_seen seen;

static void open_parser(void)
{
	cr_assert_eq(lc_json_parser_create(NULL, &json), LC_OK);
}

static void close_parser(void)
{
	lc_json_parser_destroy(json);
}

TestSuite(alpaca_rest, .init = open_parser, .fini = close_parser);

/* A page as read, with its text kept alive. */
struct page {
	char *text;
	const struct lc_value *root;
	struct lc_alpaca_msg msg[32];
	size_t count;
	struct lc_alpaca_page page;
	enum lc_err code;
};

static void on_item(void *arg, const struct lc_alpaca_msg *msg)
{
	struct page *page = arg;
	cr_assert_lt(page->count, 32u);
	page->msg[page->count++] = *msg;
}

static void read_root(struct page *page, const char *name)
{
	size_t len;
	memset(page, 0, sizeof(*page));
	page->text = sample_read(name, &len);
	cr_assert_eq(
		lc_json_parse(json, page->text, len, len, &page->root, NULL), LC_OK, "%s", name);
}

static void read_page(struct page *page, const char *name)
{
	read_root(page, name);
	page->code = lc_alpaca_rest_page(page->root, &seen, on_item, page, &page->page);
	cr_assert_eq(page->page.bad, 0u, "%s", name);
	cr_assert_eq(page->page.items, page->count);
}

static void expect_decimal(struct lc_decimal value, const char *text)
{
	char out[LC_DECIMAL_TEXT_MAX] = {0};
	out[lc_decimal_format(value, out)] = '\0';
	cr_assert_str_eq(out, text);
}

static bool text_is(struct lc_text text, const char *wanted)
{
	return text.len == strlen(wanted) && memcmp(text.data, wanted, text.len) == 0;
}

static int64_t ns_of(const char *text)
{
	int64_t ns;
	cr_assert_eq(lc_time_parse(text, strlen(text), NULL, &ns), LC_OK);
	return ns;
}

/* name, items, the first one's symbol, time and price (trade's price, quote's bid, bar's close),
 * the token's beginning */
struct expected {
	const char *name;
	size_t count;
	enum lc_alpaca_type type;
	const char *symbol, *time, *number, *token;
};

static const struct expected pages[] = {
	{"alpaca-rest-trades-AAPL-page1.json", 5, LC_ALPACA_TRADE, "AAPL",
		"2021-10-13T08:00:00.08960768Z", "140.2",
		"QUFQTHwyMDIxLTEwLTEzVDA4OjAwOjAxLjQ0NzY3MDI3Mlp8UHwwOTIyMzM3MjAzNjg1NDc3NTgxMw=="},
	{"alpaca-rest-trades-canceled-A.json", 2, LC_ALPACA_TRADE, "A",
		"2022-10-21T20:19:03.752176Z", "129.88", NULL},
	{"alpaca-rest-trades-multi-F-GE.json", 4, LC_ALPACA_TRADE, "F", "2018-06-04T19:18:17.4392Z",
		"11.715", NULL},
	{"alpaca-rest-trades-AAPL-2022.json", 2, LC_ALPACA_TRADE, "AAPL",
		"2022-03-09T05:00:02.183Z", "159.07",
		"QUFQTHwyMDIyLTAzLTA5VDA1OjAwOjE2LjkxMDAwMDAwMFp8RHwwOTIyMzM3MjAzNjg1NDc3NTk3Ng=="},
	{"alpaca-rest-trades-empty-MXN.json", 0, LC_ALPACA_TRADE, NULL, NULL, NULL, NULL},
	{"alpaca-rest-quotes-IBM-page1.json", 10, LC_ALPACA_QUOTE, "IBM",
		"2021-10-04T18:00:14.012577217Z", "143.68",
		"SUJNfDIwMjEtMTAtMDRUMTg6MDA6MTQuMTgwNTIyMDAwWnwxMzQ0OTQ0Mw=="},
	{"alpaca-rest-quotes-IBM-page2.json", 2, LC_ALPACA_QUOTE, "IBM",
		"2021-10-04T18:00:14.180608Z", "143.69", NULL},
	{"alpaca-rest-quotes-crossed-AAPL.json", 2, LC_ALPACA_QUOTE, "AAPL",
		"2022-03-09T09:00:00.000059Z", "159.52",
		"QUFQTHwyMDIyLTAzLTA5VDA5OjAwOjAwLjAwMDA1OTAwMFp8Q0ZEQUU5QTg="},
	{"alpaca-rest-bars-15min-AMZN.json", 5, LC_ALPACA_BAR, "AMZN", "2021-10-15T16:00:00Z",
		"3379.72", NULL},
	{"alpaca-rest-bars-day-META-page1.json", 2, LC_ALPACA_BAR, "META", "2022-06-08T04:00:00Z",
		"196.64", "TUVUQXxEfDIwMjItMDYtMDlUMDQ6MDA6MDAuMDAwMDAwMDAwWg=="},
	{"alpaca-rest-bars-day-META-page2.json", 2, LC_ALPACA_BAR, "META", "2022-06-10T04:00:00Z",
		"175.57", "TUVUQXxEfDIwMjItMDYtMTNUMDQ6MDA6MDAuMDAwMDAwMDAwWg=="},
	{"alpaca-rest-bars-desc-TSLA.json", 3, LC_ALPACA_BAR, "TSLA", "2023-09-27T04:00:00Z",
		"240.5", "VFNMQXxEfDc1Mjc3NTc2MzYwMDAwMDAwMDA="},
	{"alpaca-rest-latest-bars-NIO-AAPL.json", 2, LC_ALPACA_BAR, "NIO", "2021-10-11T23:59:00Z",
		"35.6", NULL},
	{"alpaca-rest-latest-trades-IBM-MSFT.json", 2, LC_ALPACA_TRADE, "IBM",
		"2021-10-11T23:42:47.895547Z", "142.2", NULL},
	{"alpaca-rest-crypto-latest-trade-BTC.json", 1, LC_ALPACA_TRADE, "BTC/USD",
		"2021-11-22T08:32:39.313396Z", "57527", NULL},
	{"alpaca-rest-crypto-bars-BCH.json", 11, LC_ALPACA_BAR, "BCH/USD", "2021-11-11T11:11:00Z",
		"679.26", NULL},
};

static struct lc_decimal number_of(const struct lc_alpaca_msg *msg)
{
	return msg->type == LC_ALPACA_TRADE   ? msg->u.tick.price
	       : msg->type == LC_ALPACA_QUOTE ? msg->u.tick.bid
					      : msg->u.bar.close;
}

Test(alpaca_rest, every_recorded_page)
{
	static struct page page;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		const struct expected *wanted = &pages[i];
		read_page(&page, wanted->name);
		cr_assert_eq(page.code, LC_OK, "%s", wanted->name);
		cr_assert_eq(page.count, wanted->count, "%s", wanted->name);
		if (wanted->count > 0) {
			cr_assert_eq(page.msg[0].type, wanted->type);
			cr_assert(text_is(page.msg[0].symbol, wanted->symbol), "%s", wanted->name);
			cr_assert_eq(page.msg[0].time_ns, ns_of(wanted->time), "%s", wanted->name);
			expect_decimal(number_of(&page.msg[0]), wanted->number);
		}
		cr_assert_eq(
			page.page.next.data == NULL, wanted->token == NULL, "%s", wanted->name);
		cr_assert(!wanted->token || text_is(page.page.next, wanted->token), "%s",
			wanted->name);
		free(page.text);
	}
}

/* The rows' own checks, beyond what every page is held against. */
Test(alpaca_rest, trades_to_the_digit)
{
	static struct page page;
	read_page(&page, "alpaca-rest-trades-canceled-A.json");
	cr_assert(page.msg[0].withdrawn);
	cr_assert_eq(page.msg[0].u.tick.trade_id, 71697353758036);
	cr_assert_eq(page.msg[1].u.tick.trade_id, 71697353815352);
	free(page.text);

	read_page(&page, "alpaca-rest-trades-multi-F-GE.json");
	cr_assert(text_is(page.msg[3].symbol, "GE"));
	expect_decimal(page.msg[3].u.tick.price, "13.7317");
	cr_assert_str_eq(page.msg[3].u.tick.conditions.code[0], " ");
	cr_assert_eq(page.msg[3].u.tick.effect, LC_UPDATES_VOLUME); /* 4, and B on tape A */
	cr_assert_eq(page.msg[3].time_ns, ns_of("2018-06-04T19:18:18.6206Z"));
	free(page.text);

	read_page(&page, "alpaca-rest-trades-AAPL-2022.json");
	cr_assert_str_eq(page.msg[0].u.tick.exchange, "D");
	cr_assert_eq(page.msg[0].u.tick.effect & LC_UPDATES_LAST, 0); /* T, I */
	free(page.text);

	read_page(&page, "alpaca-rest-latest-trades-IBM-MSFT.json");
	cr_assert_eq(page.msg[0].u.tick.trade_id, 52983525503560);
	cr_assert_str_eq(page.msg[0].u.tick.conditions.code[0], " ");
	cr_assert(text_is(page.msg[1].symbol, "MSFT"));
	free(page.text);

	read_page(&page, "alpaca-rest-crypto-latest-trade-BTC.json");
	expect_decimal(page.msg[0].u.tick.volume, "0.0755");
	free(page.text);
}

Test(alpaca_rest, quotes_and_bars_to_the_digit)
{
	static struct page page;
	read_page(&page, "alpaca-rest-quotes-crossed-AAPL.json");
	const struct lc_tick *tick = &page.msg[0].u.tick;
	cr_assert_gt(lc_decimal_compare(tick->bid, tick->ask), 0); /* crossed, and kept so */
	expect_decimal(tick->ask, "158.65");
	expect_decimal(tick->bid_volume, "400");
	cr_assert_eq(page.msg[0].time_ns, page.msg[1].time_ns);
	free(page.text);

	read_page(&page, "alpaca-rest-bars-day-META-page1.json");
	expect_decimal(page.msg[1].u.bar.close, "184"); /* an integer */
	expect_decimal(page.msg[1].u.bar.vwap, "190.750577");
	cr_assert_eq(page.msg[1].u.bar.trades, 281546);
	free(page.text);

	read_page(&page, "alpaca-rest-bars-desc-TSLA.json");
	cr_assert_gt(page.msg[0].time_ns, page.msg[2].time_ns);
	expect_decimal(page.msg[0].u.bar.open, "244.262");
	free(page.text);

	read_page(&page, "alpaca-rest-crypto-bars-BCH.json");
	expect_decimal(page.msg[0].u.bar.vwap, "679.6324449731");
	expect_decimal(page.msg[0].u.bar.volume, "3.67960285");
	free(page.text);
}

Test(alpaca_rest, what_is_no_page)
{
	static struct page page;
	read_page(&page, "alpaca-rest-v1-legacy-bars-CRM.json"); /* the dead form: refused */
	cr_assert_eq(page.code, LC_ERR_INVALID);
	struct lc_alpaca_msg msg;
	const char *reason;
	const struct lc_value *first = lc_value_find(page.root, "CRM") + 1;
	cr_assert_eq(
		lc_alpaca_parse_as(LC_ALPACA_BAR, first, &seen, &msg, &reason), LC_ERR_INVALID);
	free(page.text);

	read_page(&page, "alpaca-rest-error-404-unknown-symbol.json");
	cr_assert_eq(page.code, LC_ERR_INVALID);
	struct lc_text message;
	cr_assert_eq(lc_alpaca_rest_error(page.root, &message), LC_OK);
	cr_assert(text_is(message, "resource not found"));
	free(page.text);

	read_page(&page, "alpaca-rest-snapshot-AAPL.json");
	cr_assert_eq(page.code, LC_ERR_INVALID);
	cr_assert_eq(lc_alpaca_rest_error(page.root, &message), LC_ERR_INVALID);
	free(page.text);
}

/* The trading API's calendar and clock: not market data, but their times are read as all others. */
Test(alpaca_rest, calendar_and_clock)
{
	static struct page page;
	read_root(&page, "alpaca-rest-calendar-2019-06.json");
	cr_assert_eq(page.root->len, 21u);
	const struct lc_value *day;
	lc_value_each (day, page.root) {
		cr_assert(lc_value_is(lc_value_find(day, "open"), "09:30"));
		cr_assert(lc_value_is(lc_value_find(day, "close"), "16:00"));
	}
	free(page.text);
	read_root(&page, "alpaca-rest-clock-20190707.json");
	int64_t ns;
	cr_assert_eq(lc_value_time(lc_value_find(page.root, "timestamp"), NULL, &ns), LC_OK);
	cr_assert_eq(ns, ns_of("2019-07-07T16:55:08.427247519Z"));
	free(page.text);
}

/* --- snapshots --- */

static struct lc_reference found;
static char found_symbol[16];
static size_t n_found;

static void on_snapshot(void *arg, struct lc_text symbol, const struct lc_reference *reference)
{
	(void)arg;
	snprintf(found_symbol, sizeof(found_symbol), "%.*s", (int)symbol.len, symbol.data);
	found = *reference;
	n_found++;
}

static enum lc_err snapshots_of(const char *text, size_t *bad)
{
	const struct lc_value *root;
	cr_assert_eq(lc_json_parse(json, text, strlen(text), strlen(text), &root, NULL), LC_OK,
		"%s", text);
	return lc_alpaca_rest_snapshots(root, &seen, on_snapshot, NULL, bad);
}

Test(alpaca_rest, snapshot_sample)
{
	size_t bad, len;
	char *text = sample_read("alpaca-rest-snapshot-AAPL.json", &len);
	cr_assert_eq(snapshots_of(text, &bad), LC_OK);
	cr_assert_eq(n_found, 1u);
	cr_assert_str_eq(found_symbol, "AAPL");
	expect_decimal(found.price, "133.55");
	expect_decimal(found.open, "132.04");
	expect_decimal(found.high, "134.07");
	expect_decimal(found.low, "131.83");
	expect_decimal(found.volume, "25094213");
	expect_decimal(found.prev_close, "131.46");
	cr_assert_eq(found.event_ns, ns_of("2021-05-03T14:45:50.456Z"));
	cr_assert_eq(found.has, LC_HAS_PRICE | LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW |
					LC_HAS_VOLUME | LC_HAS_PREV_CLOSE);
	free(text);
	text = sample_read("alpaca-rest-snapshots-none.json", &len);
	cr_assert_eq(snapshots_of(text, &bad), LC_OK);
	cr_assert_eq(n_found, 1u);
	free(text);
}

#define TRADE(time, codes) \
	"\"latestTrade\":{\"t\":\"" time "\",\"p\":10.5,\"s\":1,\"c\":" codes ",\"z\":\"A\"}"
#define DAY(name, time, close) \
	"\"" name "\":{\"t\":\"" time "\",\"o\":9,\"h\":11,\"l\":8,\"c\":" close ",\"v\":100}"

Test(alpaca_rest, snapshot_price_of_an_odd_lot_is_the_day_bars_close)
{
	size_t bad;
	cr_assert_eq(snapshots_of("{\"A\":{" TRADE("2026-03-04T15:30:00Z", "[\" \",\"I\"]") "," DAY(
					  "dailyBar", "2026-03-04T05:00:00Z", "10.4") "}}",
			     &bad),
		LC_OK);
	expect_decimal(found.price, "10.4");
	cr_assert_eq(found.event_ns, ns_of("2026-03-04T15:30:00Z"));
	cr_assert(found.has & LC_HAS_OPEN && !(found.has & LC_HAS_PREV_CLOSE));
}

Test(alpaca_rest, snapshot_before_the_open_has_yesterdays_bar)
{
	size_t bad;
	cr_assert_eq(
		snapshots_of("{\"A\":{" TRADE("2026-03-05T10:00:00Z", "[\" \"]") "," DAY("dailyBar",
				     "2026-03-04T05:00:00Z", "10.4") "," DAY("prevDailyBar",
				     "2026-03-03T05:00:00Z", "10.1") "}}",
			&bad),
		LC_OK);
	expect_decimal(found.price, "10.5");
	/* Yesterday's close, not that of the day before. */
	expect_decimal(found.prev_close, "10.4");
	cr_assert_eq(found.has, LC_HAS_PRICE | LC_HAS_PREV_CLOSE);
}

Test(alpaca_rest, snapshots_null_empty_and_broken)
{
	size_t bad;
	cr_assert_eq(
		snapshots_of("{\"A\":null,\"B\":{},\"C\":{\"latestTrade\":null,\"dailyBar\":null}}",
			&bad),
		LC_OK);
	cr_assert_eq(n_found, 0u);
	cr_assert_eq(bad, 0u);
	cr_assert_eq(snapshots_of("{\"A\":{\"latestTrade\":{\"p\":1}},\"B\":7,\"C\":{" TRADE(
					  "2026-03-05T10:00:00Z", "null") "}}",
			     &bad),
		LC_OK);
	cr_assert_eq(bad, 2u);
	cr_assert_eq(n_found, 1u);
	cr_assert_str_eq(found_symbol, "C");
	cr_assert_eq(snapshots_of("[]", &bad), LC_ERR_INVALID);
}

/* What a person reads when a request was refused. */
Test(alpaca_rest, a_refusal_is_told_in_the_vendors_words)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
		{"{\"code\":42210000,\"message\":\"invalid symbol: X\"}",
			"HTTP status 400: invalid symbol: X"},
		{"{\"message\":\"forbidden.\"}", "HTTP status 400: forbidden."},
		{"<html>", "HTTP status 400"},
		{"", "HTTP status 400"},
		{"{\"message\":7}", "HTTP status 400"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct lc_http_answer answer = {
			.status = 400, .body = cases[i].body, .body_len = strlen(cases[i].body)};
		char why[LC_ALPACA_WHY_MAX];
		lc_alpaca_describe(json, &answer, why);
		cr_assert_str_eq(why, cases[i].want);
	}
}

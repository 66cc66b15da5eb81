#include "livecore/json.h"
#include "livecore/messages.h"
#include "livecore/msgpack.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE_NS (INT64_C(60) * 1000000000)
#define EVENT_NS (INT64_C(1767922200123456789)) /* 2026-01-09T01:30:00.123456789Z */
#define RECORD_NS (EVENT_NS / 1000 * 1000)

static const struct lc_field no_fields[] = {{.type = LC_FIELD_END}};

static struct lc_zone *shanghai, *new_york;
static struct lc_decoder *decoder;
static struct lc_message_context context;
static struct lc_symbol symbol;
static struct lc_price_context extra;
static char text[LC_PRICE_UPDATE_MAX + 1];

static void set_up(void)
{
	cr_assert_eq(lc_zone_load("Asia/Shanghai", &shanghai, NULL), LC_OK);
	cr_assert_eq(lc_zone_load("America/New_York", &new_york, NULL), LC_OK);
	cr_assert_eq(lc_decoder_create(&decoder), LC_OK);
	cr_assert_eq(lc_symbol_parse("KO", 2, &symbol), LC_OK);
	context = (struct lc_message_context){
		.naive_zone = shanghai,
		.zones = {shanghai, shanghai, new_york},
		.node_id = "node-1",
		.stream = "s-01",
	};
	extra = (struct lc_price_context){.symbol = &symbol, .source = "alpaca"};
}

static void tear_down(void)
{
	lc_decoder_destroy(decoder);
	lc_zone_destroy(shanghai);
	lc_zone_destroy(new_york);
}

TestSuite(messages, .init = set_up, .fini = tear_down);

static const char *encoded(const struct lc_tick *tick)
{
	size_t len = 0;
	cr_assert_eq(lc_price_update_encode(&context, tick, &extra, text, &len), LC_OK);
	cr_assert_leq(len, LC_PRICE_UPDATE_MAX);
	text[len] = '\0';
	return text;
}

static struct lc_tick trade(void)
{
	return (struct lc_tick){
		.kind = LC_TICK_TRADE,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_TRADE_ID | LC_HAS_EVENT_TIME,
		.event_ns = EVENT_NS,
		.received_ns = EVENT_NS + 1000000,
		.seq = 7,
		.trade_id = UINT64_C(9007199254740993),
		.price = {68410, -3},
		.volume = {25, 0},
		.exchange = "V",
		.feed = "iex",
		.conditions = {.count = 2, .code = {"@", "I"}},
	};
}

Test(messages, a_trade_is_written_as_the_contract_says)
{
	struct lc_tick tick = trade();
	cr_assert_str_eq(encoded(&tick),
		"{\"symbol\":\"KO\",\"timestamp\":\"2026-01-09T01:30:00.123456Z\",\"price\":68.41,"
		"\"volume\":25,\"amount\":1710.25,\"bid_price\":null,\"ask_price\":null,"
		"\"bid_volume\":null,\"ask_volume\":null,\"open_price\":null,\"high_price\":null,"
		"\"low_price\":null,\"source\":\"alpaca\",\"trace_id\":null,\"span_id\":null,"
		"\"kind\":\"trade\",\"market\":\"us\",\"received_at\":\"2026-01-09T01:30:00."
		"124456Z\","
		"\"stream\":\"s-01\",\"seq\":7,\"conflated\":0,\"trade_id\":\"9007199254740993\","
		"\"exchange\":\"V\",\"conditions\":[\"@\",\"I\"],\"feed\":\"iex\"}");
}

Test(messages, what_is_not_usual_is_said)
{
	struct lc_tick tick = trade();
	tick.effect = LC_UPDATES_VOLUME;
	tick.delayed = true;
	tick.flags = LC_FLAG_LATE | LC_FLAG_UNPROTECTED;
	tick.conflated = 2;
	tick.has |= LC_HAS_AMOUNT | LC_HAS_PREV_CLOSE;
	tick.has &= ~(uint32_t)LC_HAS_EVENT_TIME;
	tick.amount = (struct lc_decimal){17, 2};
	tick.prev_close = (struct lc_decimal){70, 0};
	tick.merged = (struct lc_merged){
		.high = {685, -1}, .low = {684, -1}, .volume = {300, 0}, .amount = {20505, 0}};
	extra.halted = true;
	extra.session = "open";
	extra.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
	extra.span_id = "00f067aa0ba902b7";
	const char *got = encoded(&tick);
	cr_assert_not_null(
		strstr(got, "\"timestamp\":\"2026-01-09T01:30:00.124456Z\""), "received");
	cr_assert_not_null(strstr(got, "\"amount\":1700,"), "%s", got);
	cr_assert_not_null(strstr(got, "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
				       "\"span_id\":\"00f067aa0ba902b7\""));
	cr_assert_not_null(
		strstr(got, "\"conflated\":2,\"prev_close\":70,\"trade_id\":\"9007199254740993\""));
	cr_assert_not_null(strstr(got,
		"\"feed\":\"iex\",\"eligible\":false,\"halted\":true,\"delayed\":true,"
		"\"session\":\"open\",\"flags\":[\"late\",\"unprotected\"],"
		"\"conflated_high\":68.5,\"conflated_low\":68.4,\"conflated_volume\":300,"
		"\"conflated_amount\":20505}"));
}

Test(messages, a_quote_carries_the_last_eligible_price)
{
	struct lc_tick tick = {
		.kind = LC_TICK_QUOTE,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_BID | LC_HAS_ASK | LC_HAS_BID_VOLUME | LC_HAS_ASK_VOLUME,
		.bid = {6840, -2},
		.ask = {6842, -2},
		.bid_volume = {2, 2},
		.ask_volume = {100, 0},
		.volume = {5, 0},
		.received_ns = EVENT_NS,
		.seq = 1,
		.conflated = 3,
	};
	size_t len;
	cr_assert_eq(lc_price_update_encode(&context, &tick, &extra, text, &len), LC_ERR_NOT_FOUND);
	struct lc_decimal last = {6841, -2};
	extra.last_price = &last;
	const char *got = encoded(&tick);
	cr_assert_not_null(
		strstr(got, "\"price\":68.41,\"volume\":0,\"amount\":0,\"bid_price\":68.4,"
			    "\"ask_price\":68.42,\"bid_volume\":200,\"ask_volume\":100,"));
	cr_assert_not_null(strstr(got, "\"kind\":\"quote\""));
	cr_assert_null(strstr(got, "flags"));
	cr_assert_null(strstr(got, "conflated_high"), "a quote has nothing to sum up");

	tick.flags = LC_FLAG_REFRESH;
	got = encoded(&tick);
	cr_assert_not_null(strstr(got, "\"seq\":0,"));
	cr_assert_not_null(strstr(got, "\"flags\":[\"refresh\"]}"));
}

Test(messages, a_snapshot_without_amount_says_so)
{
	cr_assert_eq(lc_symbol_parse("600519.SH", 9, &symbol), LC_OK);
	struct lc_tick tick = {
		.kind = LC_TICK_SNAPSHOT,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW |
		       LC_HAS_EVENT_TIME,
		.event_ns = EVENT_NS,
		.received_ns = EVENT_NS,
		.price = {150000, -2},
		.open = {149900, -2},
		.high = {15100, -1},
		.low = {1490, 0},
		.volume = {12345, 2},
	};
	extra.source = "eastmoney";
	context.time_format = LC_TIME_OFFSET;
	const char *got = encoded(&tick);
	cr_assert_not_null(strstr(got, "\"timestamp\":\"2026-01-09T09:30:00.123456+08:00\""));
	cr_assert_not_null(strstr(got, "\"price\":1500,\"volume\":1234500,\"amount\":0,"));
	cr_assert_not_null(
		strstr(got, "\"open_price\":1499,\"high_price\":1510,\"low_price\":1490"));
	cr_assert_not_null(strstr(got, "\"flags\":[\"no_amount\"]"));
	tick.has |= LC_HAS_AMOUNT;
	tick.amount = (struct lc_decimal){185, 7};
	got = encoded(&tick);
	cr_assert_not_null(strstr(got, "\"amount\":1850000000,"));
	cr_assert_null(strstr(got, "flags"));
	extra.bar = true;
	extra.source = "bar_snapshot";
	tick.seq = 9;
	got = encoded(&tick);
	cr_assert_not_null(strstr(got, "\"source\":\"bar_snapshot\""));
	cr_assert_not_null(strstr(got, "\"kind\":\"bar\""));
	cr_assert_not_null(strstr(got, "\"seq\":0,"), "bars stand outside the count");
}

Test(messages, times_in_three_formats)
{
	struct lc_tick tick = trade();
	const struct {
		enum lc_time_format format;
		const char *timestamp;
	} cases[] = {
		{LC_TIME_UTC, "\"2026-01-09T01:30:00.123456Z\""},
		{LC_TIME_OFFSET, "\"2026-01-08T20:30:00.123456-05:00\""},
		{LC_TIME_NAIVE, "\"2026-01-09T09:30:00.123456\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		context.time_format = cases[i].format;
		cr_assert_not_null(strstr(encoded(&tick), cases[i].timestamp));
	}
}

/* Everything as long as it can be, and every byte of text in need of six. */
Test(messages, the_longest_update_fits_and_is_json)
{
	static char ids[200], name[100];
	memset(ids, '\x01', sizeof ids - 1);
	memset(name, '\x02', sizeof name - 1);
	struct lc_tick tick = trade();
	struct lc_decimal longest = {-999999999999999999, -30}, big = {INT64_MIN, 30};
	tick.kind = LC_TICK_SNAPSHOT;
	tick.has = UINT32_MAX;
	tick.flags = (uint8_t)~LC_FLAG_REFRESH;
	tick.conflated = UINT32_MAX;
	tick.seq = tick.trade_id = UINT64_MAX;
	tick.delayed = true;
	tick.event_ns = INT64_MIN;
	tick.received_ns = INT64_MAX;
	struct lc_decimal *decimals[] = {&tick.price, &tick.volume, &tick.amount, &tick.bid,
		&tick.ask, &tick.bid_volume, &tick.ask_volume, &tick.open, &tick.high, &tick.low,
		&tick.prev_close, &tick.merged.high, &tick.merged.low, &tick.merged.volume,
		&tick.merged.amount};
	for (size_t i = 0; i < sizeof decimals / sizeof decimals[0]; i++) {
		*decimals[i] = i % 2 ? longest : big;
	}
	memset(tick.exchange, '\x1f', sizeof tick.exchange);
	memset(tick.feed, '"', sizeof tick.feed);
	tick.conditions.count = 255;
	memset(tick.conditions.code, '\xff', sizeof tick.conditions.code);
	context.stream = ids;
	context.time_format = LC_TIME_OFFSET;
	extra = (struct lc_price_context){.symbol = &symbol,
		.source = name,
		.session = name,
		.trace_id = ids,
		.span_id = ids,
		.halted = true};
	memset(text, 'Z', sizeof text);
	size_t len;
	cr_assert_eq(lc_price_update_encode(&context, &tick, &extra, text, &len), LC_OK);
	cr_assert_lt(len, LC_PRICE_UPDATE_MAX);
	struct lc_price_view view;
	struct lc_message_in in = {.data = text, .len = len, .naive_zone = shanghai};
	struct lc_error err;
	enum lc_err rc = lc_price_update_decode(decoder, &in, &view, &err);
	/* The stream is longer than what we read (but not than what we write). */
	cr_assert(rc == LC_OK, "%s", err.text);
	cr_assert_eq(view.stream.len, LC_MESSAGE_ID_MAX);
	cr_assert_eq(view.seq, UINT64_MAX);
}

/* ---- JSON and msgpack of one tick publish equal bytes ---- */

static uint64_t random_state = 88172645463325252u;

static char *big_endian(char *p, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--) {
		*p++ = (char)(value >> (8 * i));
	}
	return p;
}

static size_t as_msgpack(
	char *out, uint64_t id, double price, uint32_t size, int64_t seconds, uint32_t ns)
{
	uint64_t bits;
	memcpy(&bits, &price, sizeof bits);
	char *p = out;
	p = stpcpy(p, "\x84\xa1i\xcf");
	p = big_endian(p, id, 8);
	p = stpcpy(p, "\xa1p\xcb");
	p = big_endian(p, bits, 8);
	p = stpcpy(p, "\xa1s\xce");
	p = big_endian(p, size, 4);
	p = stpcpy(p, "\xa1t\xd7\xff");
	p = big_endian(p, (uint64_t)ns << 34 | (uint64_t)seconds, 8);
	return (size_t)(p - out);
}

static void fill(const struct lc_value *root, struct lc_tick *tick)
{
	const struct lc_value *key, *value;
	int known = 0;
	*tick = trade();
	lc_value_each_field (key, value, root) {
		switch (lc_value_key(key)) {
		case LC_KEY1('i'):
			known += lc_value_uint(value, &tick->trade_id) == LC_OK;
			break;
		case LC_KEY1('p'):
			known += lc_value_decimal(value, &tick->price) == LC_OK;
			break;
		case LC_KEY1('s'):
			known += lc_value_decimal(value, &tick->volume) == LC_OK;
			break;
		case LC_KEY1('t'):
			known += lc_value_time(value, NULL, &tick->event_ns) == LC_OK;
			break;
		}
	}
	cr_assert_eq(known, 4);
}

Test(messages, json_and_msgpack_publish_equal_bytes)
{
	struct lc_json_parser *json;
	struct lc_msgpack_reader *msgpack;
	cr_assert_eq(lc_json_parser_create(NULL, &json), LC_OK);
	cr_assert_eq(lc_msgpack_reader_create(NULL, &msgpack), LC_OK);
	for (int i = 0; i < 20000; i++) {
		uint64_t id = xorshift(&random_state) >> (xorshift(&random_state) % 64);
		uint64_t units = xorshift(&random_state) % 100000000;
		int places = (int)(xorshift(&random_state) % 7);
		double scale = 1;
		for (int n = 0; n < places; n++) {
			scale *= 10;
		}
		double price = (double)units / scale;
		uint32_t size = (uint32_t)xorshift(&random_state),
			 ns = (uint32_t)(xorshift(&random_state) % 1000000000);
		int64_t seconds = (int64_t)(xorshift(&random_state) % 4000000000);
		char time[LC_TIME_TEXT_MAX], a[300], b[100], first[LC_PRICE_UPDATE_MAX + 1];
		size_t time_len = lc_time_format(seconds * 1000000000, LC_TIME_UTC, NULL, time);
		int a_len = snprintf(a, sizeof a,
			"{\"i\":%llu,\"p\":%.*f,\"s\":%u,\"t\":\"%.*s.%09uZ\"}",
			(unsigned long long)id, places, price, size, (int)time_len - 8, time, ns);
		size_t b_len = as_msgpack(b, id, price, size, seconds, ns);
		const struct lc_value *root;
		struct lc_tick tick;
		cr_assert_eq(lc_json_parse(json, a, (size_t)a_len, sizeof a, &root, NULL), LC_OK,
			"%s", a);
		fill(root, &tick);
		strcpy(first, encoded(&tick));
		cr_assert_eq(lc_msgpack_parse(msgpack, b, b_len, &root, NULL), LC_OK);
		fill(root, &tick);
		cr_assert_str_eq(encoded(&tick), first, "%s", a);
	}
	lc_json_parser_destroy(json);
	lc_msgpack_reader_destroy(msgpack);
}

/* ---- events, notifications, and what the tools send ---- */

Test(messages, events_and_notifications)
{
	struct lc_buf out;
	lc_buf_init(&out, 4096);
	lc_system_event_encode(&context, "gap_opened", "ev-1", EVENT_NS,
		(const struct lc_field[]){LC_S("feeder", "al\"paca"), LC_I("n", -1),
			LC_U("u", UINT64_MAX), LC_D("ratio", 0.1), LC_D("nan", 0.0 / 0.0),
			LC_B("ok", true), LC_S("none", NULL), LC_J("symbols", "[\"KO\"]"),
			{.type = LC_FIELD_END}},
		&out);
	cr_assert_str_eq(lc_buf_text(&out),
		"{\"type\":\"gap_opened\",\"timestamp\":\"2026-01-09T01:30:00.123456Z\","
		"\"node_id\":\"node-1\",\"stream\":\"s-01\",\"id\":\"ev-1\",\"data\":{"
		"\"feeder\":\"al\\\"paca\",\"n\":-1,\"u\":18446744073709551615,\"ratio\":0.1,"
		"\"nan\":null,\"ok\":true,\"none\":null,\"symbols\":[\"KO\"]}}");
	lc_buf_clear(&out);
	context.time_format = LC_TIME_OFFSET;
	lc_notification_encode(
		&context, "data_collection_alert", LC_SEVERITY_WARNING, EVENT_NS, no_fields, &out);
	cr_assert_str_eq(lc_buf_text(&out),
		"{\"type\":\"data_collection_alert\",\"timestamp\":\"2026-01-09T09:30:00.123456+08:"
		"00\","
		"\"source\":\"node-1\",\"severity\":\"WARNING\",\"data\":{}}");
	lc_buf_finish(&out);
}

static bool text_is(struct lc_text got, const char *wanted)
{
	return got.len == strlen(wanted) &&
	       (got.len == 0 || memcmp(got.data, wanted, got.len) == 0);
}

static struct lc_message_in message(const char *json)
{
	return (struct lc_message_in){
		.data = json, .len = strlen(json), .record_ns = RECORD_NS, .naive_zone = shanghai};
}

static enum lc_err interest(const char *json, struct lc_interest_update *out)
{
	struct lc_message_in in = message(json);
	struct lc_error err = {.text = ""};
	enum lc_err rc = lc_interest_update_decode(decoder, &in, out, &err);
	cr_assert(rc == LC_OK || (err.code == rc && err.text[0] != '\0'));
	return rc;
}

static enum lc_err command(const char *json, struct lc_control_command *out)
{
	struct lc_message_in in = message(json);
	struct lc_error err = {.text = ""};
	enum lc_err rc = lc_control_command_decode(decoder, &in, out, &err);
	cr_assert(rc == LC_OK || (err.code == rc && err.text[0] != '\0'));
	return rc;
}

Test(messages, interest_there_and_back)
{
	struct lc_buf out;
	lc_buf_init(&out, 4096);
	for (int type = LC_INTEREST_REPLACE; type <= LC_INTEREST_REMOVE; type++) {
		lc_buf_clear(&out);
		lc_interest_update_encode(&context, "p-1", (enum lc_interest_type)type,
			(const char *const[]){"KO", "600519.SH"}, 2, EVENT_NS, &out);
		struct lc_interest_update got;
		cr_assert_eq(interest(lc_buf_text(&out), &got), LC_OK);
		cr_assert_eq((int)got.type, type);
		cr_assert(text_is(got.portfolio_id, "p-1") && text_is(got.node_id, "node-1"));
		cr_assert_eq(got.count, 2);
		cr_assert(text_is(got.symbols[0], "KO") && text_is(got.symbols[1], "600519.SH"));
		cr_assert_eq(got.timestamp_ns, RECORD_NS);
		cr_assert_not(got.clamped);
	}
	lc_buf_finish(&out);
}

Test(messages, interest_as_python_writes_it)
{
	struct lc_interest_update got;
	cr_assert_eq(
		interest("{\"portfolio_id\": \"p\", \"node_id\": null, \"symbols\": [\"KO\", 5, "
			 "null, \"x y\"],"
			 "\"timestamp\": \"2026-01-09T09:29:59.500000\", \"later\": {\"a\": [1]}}",
			&got),
		LC_OK);
	cr_assert_eq(got.type, LC_INTEREST_REPLACE);
	cr_assert_eq(got.count, 2, "not judged here");
	cr_assert_eq(got.not_texts, 2);
	cr_assert_eq(got.timestamp_ns, INT64_C(1767922199500000000), "naive: in the naive zone");
	cr_assert_eq(got.node_id.len, 0);
	cr_assert_eq(interest("{\"portfolio_id\":\"p\",\"symbols\":[],\"timestamp\":null}", &got),
		LC_OK);
	cr_assert_eq(got.timestamp_ns, RECORD_NS, "the record's");
	cr_assert_eq(got.count, 0);
}

Test(messages, times_too_far_ahead_are_clamped)
{
	const struct {
		const char *time;
		bool clamped;
		int64_t ns;
	} cases[] = {
		{"2026-01-09T01:35:00.123456Z", false, RECORD_NS + 5 * MINUTE_NS},
		{"2026-01-09T01:35:00.123457Z", true, RECORD_NS},
		{"2262-04-11T00:00:00Z", true, RECORD_NS},
		{"2026-01-08T01:30:00Z", false, INT64_C(1767835800000000000)},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char json[200];
		snprintf(json, sizeof json,
			"{\"portfolio_id\":\"p\",\"symbols\":[],\"timestamp\":\"%s\"}",
			cases[i].time);
		struct lc_interest_update got;
		cr_assert_eq(interest(json, &got), LC_OK);
		cr_assert_eq(got.clamped, cases[i].clamped, "%s", json);
		cr_assert_eq(got.timestamp_ns, cases[i].ns, "%s", json);
	}
}

Test(messages, interest_that_cannot_be_read)
{
	struct lc_interest_update got;
	const char *bad[] = {"", "[]", "null", "{\"portfolio_id\":\"p\"}", "{\"symbols\":[]}",
		"{\"portfolio_id\":\"\",\"symbols\":[]}", "{\"portfolio_id\":5,\"symbols\":[]}",
		"{\"portfolio_id\":\"p\",\"symbols\":\"KO\"}",
		"{\"portfolio_id\":\"p\",\"symbols\":null}",
		"{\"portfolio_id\":\"p\",\"symbols\":[],\"update_type\":\"merge\"}",
		"{\"portfolio_id\":\"p\",\"symbols\":[],\"update_type\":1}",
		"{\"portfolio_id\":\"p\",\"symbols\":[],\"timestamp\":\"yesterday\"}",
		"{\"portfolio_id\":\"p\",\"symbols\":[],\"timestamp\":1767922200}",
		"{\"portfolio_id\":\"p\",\"symbols\":[],\"node_id\":[]}",
		"{\"portfolio_id\":\"p\",\"symbols\":[]} {}"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		cr_assert_eq(interest(bad[i], &got), LC_ERR_INVALID, "%s", bad[i]);
	}
	char json[LC_MESSAGE_TEXT_MAX + 100];
	for (int len = LC_MESSAGE_TEXT_MAX; len <= LC_MESSAGE_TEXT_MAX + 1; len++) {
		snprintf(json, sizeof json, "{\"portfolio_id\":\"%0*d\",\"symbols\":[]}", len, 1);
		cr_assert_eq(
			interest(json, &got), len > LC_MESSAGE_TEXT_MAX ? LC_ERR_INVALID : LC_OK);
	}
}

Test(messages, long_lists_are_bounded)
{
	struct lc_interest_update got;
	for (size_t n = LC_MESSAGE_SYMBOLS_MAX; n <= LC_MESSAGE_SYMBOLS_MAX + 1; n++) {
		struct lc_buf out;
		lc_buf_init(&out, 4 * LC_MESSAGE_IN_MAX);
		lc_buf_puts(&out, "{\"portfolio_id\":\"p\",\"symbols\":[\"000001.SZ\"");
		for (size_t i = 1; i < n; i++) {
			lc_buf_puts(&out, ",\"600000.SH\"");
		}
		lc_buf_puts(&out, "]}");
		cr_assert_eq(interest(lc_buf_text(&out), &got),
			n > LC_MESSAGE_SYMBOLS_MAX ? LC_ERR_TOO_LARGE : LC_OK);
		lc_buf_finish(&out);
	}
	char *huge = malloc(LC_MESSAGE_IN_MAX + 2);
	memset(huge, ' ', LC_MESSAGE_IN_MAX + 1);
	huge[LC_MESSAGE_IN_MAX + 1] = '\0';
	cr_assert_eq(interest(huge, &got), LC_ERR_TOO_LARGE);
	free(huge);
}

Test(messages, commands_there_and_back)
{
	struct lc_buf out;
	lc_buf_init(&out, 4096);
	struct lc_control_command got;
	lc_control_command_encode(&context, "bar_snapshot", "rule-1@2026-01-09T07:05:00Z", "cli",
		(const struct lc_field[]){LC_J("codes", "[\"KO\",\"AAPL\"]"),
			LC_S("frequency", "1d"), LC_B("full", true), LC_I("days", 5),
			{.type = LC_FIELD_END}},
		EVENT_NS, &out);
	cr_assert_eq(command(lc_buf_text(&out), &got), LC_OK);
	cr_assert_eq(got.command, LC_COMMAND_BAR_SNAPSHOT);
	cr_assert(text_is(got.name, "bar_snapshot") && text_is(got.source, "cli"));
	cr_assert(text_is(got.id, "rule-1@2026-01-09T07:05:00Z"));
	const struct lc_text *codes;
	size_t count;
	cr_assert_eq(lc_command_codes(decoder, &got, &codes, &count), LC_OK);
	cr_assert(count == 2 && text_is(codes[0], "KO") && text_is(codes[1], "AAPL"));
	struct lc_text frequency;
	bool full = false, force = true;
	int64_t days = 0;
	cr_assert_eq(lc_command_text(&got, "frequency", &frequency), LC_OK);
	cr_assert(text_is(frequency, "1d"));
	cr_assert_eq(lc_command_bool(&got, "full", &full), LC_OK);
	cr_assert(full);
	cr_assert_eq(lc_command_bool(&got, "force", &force), LC_ERR_NOT_FOUND);
	cr_assert(force, "left alone");
	cr_assert_eq(lc_command_int(&got, "days", &days), LC_OK);
	cr_assert_eq(days, 5);
	cr_assert_eq(lc_command_int(&got, "frequency", &days), LC_ERR_INVALID);
	lc_buf_finish(&out);
}

Test(messages, commands_of_others)
{
	struct lc_control_command got;
	cr_assert_eq(
		command("{\"command\":\"tick\",\"timestamp\":\"2026-01-09T09:30:00\",\"params\":"
			"{\"code\":\"000001.SZ\",\"full\":null},\"correlation_id\":\"c-1\",\"trace_"
			"id\":\"t\","
			"\"span_id\":\"s\",\"version\":\"1.0\"}",
			&got),
		LC_OK);
	cr_assert_eq(got.command, LC_COMMAND_TICK);
	cr_assert(
		text_is(got.id, "c-1") && text_is(got.trace_id, "t") && text_is(got.span_id, "s"));
	cr_assert(text_is(got.version, "1.0") && got.request_id.data == NULL);
	const struct lc_text *codes;
	size_t count;
	bool full = true;
	cr_assert_eq(lc_command_codes(decoder, &got, &codes, &count), LC_OK);
	cr_assert(count == 1 && text_is(codes[0], "000001.SZ"));
	cr_assert_eq(lc_command_bool(&got, "full", &full), LC_ERR_NOT_FOUND, "null is absent");
	cr_assert_eq(command("{\"command\":\"trade_day\"}", &got), LC_OK);
	cr_assert_eq(got.command, LC_COMMAND_UNKNOWN);
	cr_assert(text_is(got.name, "trade_day"));
	cr_assert_eq(lc_command_codes(decoder, &got, &codes, &count), LC_ERR_NOT_FOUND);
	for (int c = LC_COMMAND_BAR_SNAPSHOT; c <= LC_COMMAND_FEEDER_STOP; c++) {
		char json[100];
		snprintf(json, sizeof json, "{\"command\":\"%s\"}",
			lc_command_name((enum lc_command)c));
		cr_assert_eq(command(json, &got), LC_OK);
		cr_assert_eq((int)got.command, c);
	}
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define OTHER "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

/* The body's trace counts before its record's, which counts where the body makes none. */
Test(messages, a_commands_trace)
{
	static const struct {
		const char *body, *header, *traceparent, *trace_id, *span_id;
	} cases[] = {
		{"", NULL, "", "", ""},
		{"", "", "", "", ""},
		{"", OTHER, OTHER, "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"},
		{"", OTHER "-", "", "", ""},
		{",\"trace_id\":null,\"span_id\":\"\"", OTHER, OTHER,
			"0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"},
		{",\"trace_id\":\"" TRACE "\",\"span_id\":\"" SPAN "\"", NULL,
			"00-" TRACE "-" SPAN "-01", TRACE, SPAN},
		{",\"trace_id\":\"" TRACE "\",\"span_id\":\"" SPAN "\"", OTHER,
			"00-" TRACE "-" SPAN "-01", TRACE, SPAN},
		{",\"trace_id\":\"job 7\"", OTHER, OTHER, "job 7", ""},
		{",\"trace_id\":\"" TRACE "\"", NULL, "", TRACE, ""},
		{",\"span_id\":\"" SPAN "\"", "nonsense", "", "", SPAN},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char json[300];
		struct lc_control_command got;
		struct lc_error err;
		snprintf(json, sizeof json, "{\"command\":\"reload\"%s}", cases[i].body);
		struct lc_message_in in = message(json);
		in.traceparent = cases[i].header;
		in.traceparent_len = cases[i].header ? strlen(cases[i].header) : 0;
		cr_assert_eq(lc_control_command_decode(decoder, &in, &got, &err), LC_OK);
		cr_assert_str_eq(got.traceparent, cases[i].traceparent, "%zu", i);
		cr_assert(text_is(got.trace_id, cases[i].trace_id), "%zu", i);
		cr_assert(text_is(got.span_id, cases[i].span_id), "%zu", i);
	}
}

Test(messages, commands_that_cannot_be_read)
{
	struct lc_control_command got;
	const char *bad[] = {"", "[1]", "{}", "{\"command\":\"\"}", "{\"command\":5}",
		"{\"type\":\"reload\"}", "{\"command\":\"reload\",\"params\":[]}",
		"{\"command\":\"reload\",\"request_id\":5}",
		"{\"command\":\"reload\",\"timestamp\":\"x\"}"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		cr_assert_eq(command(bad[i], &got), LC_ERR_INVALID, "%s", bad[i]);
	}
	const struct lc_text *codes;
	size_t count;
	cr_assert_eq(
		command("{\"command\":\"reload\",\"params\":{\"codes\":[\"KO\",5]}}", &got), LC_OK);
	cr_assert_eq(lc_command_codes(decoder, &got, &codes, &count), LC_ERR_INVALID);
	cr_assert_eq(command("{\"command\":\"reload\",\"params\":{\"codes\":5}}", &got), LC_OK);
	cr_assert_eq(lc_command_codes(decoder, &got, &codes, &count), LC_ERR_INVALID);
}

Test(messages, a_price_update_is_read_back)
{
	struct lc_tick tick = trade();
	tick.has |= LC_HAS_BID | LC_HAS_ASK;
	tick.bid = (struct lc_decimal){684, -1};
	tick.ask = (struct lc_decimal){685, -1};
	tick.conflated = 4;
	context.time_format = LC_TIME_NAIVE;
	struct lc_message_in in = message(encoded(&tick));
	struct lc_price_view view;
	cr_assert_eq(lc_price_update_decode(decoder, &in, &view, NULL), LC_OK);
	cr_assert(text_is(view.symbol, "KO") && text_is(view.kind, "trade"));
	cr_assert(text_is(view.source, "alpaca") && text_is(view.stream, "s-01"));
	cr_assert_eq(view.has, LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT | LC_HAS_BID |
				       LC_HAS_ASK | LC_HAS_EVENT_TIME);
	cr_assert_eq(lc_decimal_compare(view.price, tick.price), 0);
	cr_assert_eq(lc_decimal_compare(view.ask, tick.ask), 0);
	cr_assert_eq(view.event_ns, RECORD_NS);
	cr_assert_eq(view.received_ns, RECORD_NS + 1000000);
	cr_assert(view.seq == 7 && view.conflated == 4);
	in = message("{\"symbol\":\"KO\",\"price\":null,\"seq\":-1}");
	cr_assert_eq(lc_price_update_decode(decoder, &in, &view, NULL), LC_OK);
	cr_assert(view.has == 0 && view.seq == 0);
	in = message("{\"price\":1}");
	cr_assert_eq(lc_price_update_decode(decoder, &in, &view, NULL), LC_ERR_INVALID);
}

/* --- bars --- */

static const char *encoded_bar(const struct lc_bar *bar, const char *source)
{
	size_t len = lc_bar_encode(&context, bar, &symbol, source, text);
	cr_assert_leq(len, LC_BAR_MAX);
	text[len] = '\0';
	return text;
}

Test(messages, a_bar_has_every_field_in_order)
{
	struct lc_bar bar = {.period = LC_PERIOD_5M,
		.final = true,
		.complete = true,
		.revision = 2,
		.tick_count = 17,
		.start_ns = EVENT_NS,
		.has = LC_BAR_HAS_AMOUNT | LC_BAR_HAS_CHANGE,
		.open = {1050, -2},
		.high = {11, 0},
		.low = {1000, -2},
		.close = {10500, -3},
		.volume = {12, 2},
		.amount = {1260005, -2},
		.change = {-5, -1},
		.change_pct = {-45455, -4}};
	cr_assert_str_eq(encoded_bar(&bar, "live"),
		"{\"symbol\":\"KO\",\"period\":\"5m\",\"timestamp\":\"2026-01-09T01:30:00."
		"123456Z\","
		"\"open\":10.5,\"high\":11,\"low\":10,\"close\":10.5,\"volume\":1200,"
		"\"amount\":12600.05,\"turnover\":null,\"change\":-0.5,\"change_pct\":-4.5455,"
		"\"source\":\"live\",\"final\":true,\"revision\":2,\"complete\":true,"
		"\"gap_volume\":0,\"tick_count\":17}");
	bar = (struct lc_bar){.period = LC_PERIOD_1D, .gap_volume = {7, 0}};
	const char *day = encoded_bar(&bar, "live");
	cr_assert_not_null(strstr(day, "\"period\":\"1d\""));
	cr_assert_not_null(strstr(day, "\"amount\":null,\"turnover\":null,\"change\":null"));
	cr_assert_not_null(strstr(day, "\"final\":false"));
	cr_assert_not_null(strstr(day, "\"gap_volume\":7"));
}

Test(messages, the_longest_bar_fits)
{
	const struct lc_decimal longest = {-999999999999999999, -30};
	char source[200];
	memset(source, 1, sizeof source - 1);
	source[sizeof source - 1] = '\0';
	context.time_format = LC_TIME_OFFSET;
	struct lc_bar bar = {.period = LC_PERIOD_60M,
		.has = 7,
		.revision = UINT32_MAX,
		.tick_count = UINT32_MAX,
		.start_ns = INT64_MAX,
		.open = longest,
		.high = longest,
		.low = longest,
		.close = longest,
		.volume = longest,
		.amount = longest,
		.turnover = longest,
		.change = longest,
		.change_pct = longest,
		.gap_volume = longest};
	cr_assert_eq(lc_symbol_parse("ABCDE.ABC.ABC", 13, &symbol), LC_OK);
	cr_assert_gt(strlen(encoded_bar(&bar, source)), 800u);
}

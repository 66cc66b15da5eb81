#include "alpaca_wire.h"

#include "alpaca_samples.h"
#include "xorshift.h"

static struct lc_json_parser *json;
static struct lc_msgpack_reader *msgpack;
static struct lc_conditions_seen seen;

static void open_parsers(void)
{
	cr_assert_eq(lc_json_parser_create(NULL, &json), LC_OK);
	cr_assert_eq(lc_msgpack_reader_create(NULL, &msgpack), LC_OK);
	memset(&seen, 0, sizeof(seen));
}

static void close_parsers(void)
{
	lc_json_parser_destroy(json);
	lc_msgpack_reader_destroy(msgpack);
}

TestSuite(alpaca_wire, .init = open_parsers, .fini = close_parsers);

static const struct lc_value *parse_json(const char *text, size_t len)
{
	const struct lc_value *root;
	struct lc_error err;
	cr_assert_eq(lc_json_parse(json, text, len, len, &root, &err), LC_OK, "%s in %s", err.text,
		text);
	return root;
}

/* All elements of a sample, one array or object a line, kept with their text. */
struct sample {
	char *text;
	size_t count;
	struct lc_alpaca_msg msg[16];
	enum lc_err code[16];
	const char *reason[16];
};

/* Texts point into the parser, which reads the next line over them. */
static void keep(struct lc_text *text, char copy[64])
{
	cr_assert_lt(text->len, 64u);
	text->data = text->data ? memcpy(copy, text->data, text->len) : NULL;
}

static void take(struct sample *sample, const struct lc_value *item)
{
	size_t i = sample->count++;
	cr_assert_lt(i, 16u);
	sample->code[i] = lc_alpaca_parse(item, &seen, &sample->msg[i], &sample->reason[i]);
	if (sample->code[i] == LC_OK) {
		static char copies[16][64];
		bool control = sample->msg[i].type >= LC_ALPACA_SUCCESS;
		keep(control ? &sample->msg[i].u.control.text : &sample->msg[i].symbol, copies[i]);
	}
}

static struct sample load(const char *name)
{
	struct sample sample = {0};
	size_t len;
	sample.text = sample_read(name, &len);
	for (char *line = sample.text, *end; *line; line = end + 1) {
		end = strchrnul(line, '\n');
		if (end > line) {
			const struct lc_value *root = parse_json(line, (size_t)(end - line)), *item;
			if (root->type == LC_VALUE_OBJECT) {
				take(&sample, root);
			}
			lc_value_each (item, root) {
				take(&sample, item);
			}
		}
		if (!*end) {
			break;
		}
	}
	return sample;
}

static void expect_types(
	const struct sample *sample, const enum lc_alpaca_type *types, size_t count)
{
	cr_assert_eq(sample->count, count, "%zu", sample->count);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(sample->code[i], LC_OK, "element %zu", i);
		cr_assert_eq(sample->msg[i].type, types[i], "element %zu", i);
	}
}

#define EXPECT_TYPES(sample, ...)                                                 \
	do {                                                                      \
		const enum lc_alpaca_type types[] = {__VA_ARGS__};                \
		expect_types(&(sample), types, sizeof(types) / sizeof(types[0])); \
	} while (0)

static void expect_decimal(struct lc_decimal value, const char *text)
{
	char out[LC_DECIMAL_TEXT_MAX] = {0};
	out[lc_decimal_format(value, out)] = '\0';
	cr_assert_str_eq(out, text);
}

static void expect_text(struct lc_text text, const char *wanted)
{
	cr_assert_eq(text.len, strlen(wanted));
	cr_assert_eq(memcmp(text.data, wanted, text.len), 0);
}

static int64_t ns_of(const char *text)
{
	int64_t ns;
	cr_assert_eq(lc_time_parse(text, strlen(text), NULL, &ns), LC_OK);
	return ns;
}

static struct lc_alpaca_msg one(const char *text)
{
	struct lc_alpaca_msg msg;
	const char *reason = "";
	cr_assert_eq(lc_alpaca_parse(parse_json(text, strlen(text)), &seen, &msg, &reason), LC_OK,
		"%s: %s", reason, text);
	return msg;
}

/* --- the recorded samples --- */

Test(alpaca_wire, sample_sip_session_20230406)
{
	struct sample s = load("alpaca-stream-sip-session-20230406.jsonl");
	EXPECT_TYPES(s, LC_ALPACA_SUCCESS, LC_ALPACA_SUCCESS, LC_ALPACA_SUBSCRIPTION,
		LC_ALPACA_QUOTE, LC_ALPACA_TRADE, LC_ALPACA_TRADE, LC_ALPACA_TRADE,
		LC_ALPACA_QUOTE);
	expect_text(s.msg[1].u.control.text, "authenticated");
	const uint64_t ids[] = {628, 75, 1465}; /* not increasing */
	for (size_t i = 0; i < 3; i++) {
		const struct lc_tick *tick = &s.msg[4 + i].u.tick;
		cr_assert_eq(tick->trade_id, ids[i]);
		cr_assert_eq(tick->kind, LC_TICK_TRADE);
		cr_assert_eq(tick->conditions.count, 4);
		cr_assert_str_eq(tick->conditions.code[3], "I");
		cr_assert_eq(tick->effect, LC_UPDATES_VOLUME); /* an odd lot, and T */
		cr_assert_str_eq(tick->tape, "C");
	}
	cr_assert_eq(s.msg[4].time_ns, ns_of("2023-04-06T11:54:26Z") + 838232225);
	cr_assert_eq(s.msg[6].time_ns, ns_of("2023-04-06T11:54:26Z") + 839159730); /* 8 digits */
	expect_decimal(s.msg[6].u.tick.price, "162.91");
	expect_decimal(s.msg[6].u.tick.volume, "71");
	expect_decimal(s.msg[6].u.tick.amount, "11566.61");
	cr_assert_str_eq(s.msg[5].u.tick.exchange, "Z");
	expect_decimal(s.msg[3].u.tick.bid, "91.95");
	expect_decimal(s.msg[3].u.tick.bid_volume, "200"); /* round lots in 2023 */
	expect_decimal(s.msg[7].u.tick.ask_volume, "100");
	expect_text(s.msg[7].symbol, "AMD");
	free(s.text);
}

Test(alpaca_wire, sample_sip_session_20210222_other_key_order)
{
	struct sample s = load("alpaca-stream-sip-session-20210222.jsonl");
	EXPECT_TYPES(s, LC_ALPACA_SUCCESS, LC_ALPACA_SUCCESS, LC_ALPACA_TRADE, LC_ALPACA_QUOTE,
		LC_ALPACA_QUOTE, LC_ALPACA_QUOTE);
	cr_assert_eq(s.msg[2].u.tick.trade_id, 96921);
	expect_text(s.msg[2].symbol, "AAPL");
	cr_assert_eq(s.msg[2].time_ns, ns_of("2021-02-22T15:51:44Z") + 208000000);
	cr_assert_eq(s.msg[3].time_ns, ns_of("2021-02-22T15:51:45Z") + 335567700); /* 7 digits */
	cr_assert_eq(s.msg[5].time_ns, ns_of("2021-02-22T15:51:45Z") + 335806018);
	expect_decimal(s.msg[4].u.tick.ask_volume, "400");
	free(s.text);
}

Test(alpaca_wire, sample_correction_cancel_status_bar)
{
	struct sample s = load("alpaca-stream-doc-correction-cancel-status.jsonl");
	EXPECT_TYPES(s, LC_ALPACA_CORRECTION, LC_ALPACA_CANCEL, LC_ALPACA_STATUS, LC_ALPACA_BAR);
	const struct lc_tick *tick = &s.msg[0].u.tick;
	cr_assert_eq(tick->kind, LC_TICK_CORRECTION);
	cr_assert_eq(tick->trade_id, 52983525033527); /* past 2^32 */
	cr_assert_eq(tick->u.correction.trade_id, 52983525034326);
	expect_decimal(tick->price, "39.1582");
	expect_decimal(tick->volume, "440000");
	expect_decimal(tick->u.correction.price, "39.1809");
	cr_assert_eq(tick->conditions.count, 2);
	cr_assert_str_eq(tick->conditions.code[0], " ");
	cr_assert_eq(tick->u.correction.effect, LC_UPDATES_VOLUME); /* 7 */

	tick = &s.msg[1].u.tick;
	cr_assert_eq(tick->kind, LC_TICK_CANCEL);
	cr_assert_eq(tick->trade_id, 465);
	expect_decimal(tick->price, "105.31");
	expect_decimal(tick->volume, "300");
	cr_assert_str_eq(tick->exchange, "D");

	tick = &s.msg[2].u.tick;
	cr_assert_eq(tick->kind, LC_TICK_STATUS);
	cr_assert_eq(tick->u.status.action, LC_STATUS_HALT);
	cr_assert_str_eq(tick->u.status.code, "H");
	cr_assert_str_eq(tick->u.status.reason, "T12");
	cr_assert_str_eq(tick->u.status.text, "Trading Halt");
	cr_assert_str_eq(
		tick->u.status.reason_text, "Trading Halted; For information requested by NASDAQ");

	cr_assert(!s.msg[3].u.bar.has_trades && !s.msg[3].u.bar.has_vwap);
	expect_decimal(s.msg[3].u.bar.open, "388.985");
	expect_decimal(s.msg[3].u.bar.volume, "49378");
	free(s.text);
}

Test(alpaca_wire, sample_test_feed)
{
	struct sample s = load("alpaca-stream-test-fakepaca-20240724.jsonl");
	EXPECT_TYPES(s, LC_ALPACA_SUCCESS, LC_ALPACA_SUCCESS, LC_ALPACA_SUBSCRIPTION,
		LC_ALPACA_QUOTE, LC_ALPACA_QUOTE, LC_ALPACA_BAR);
	cr_assert_str_eq(s.msg[3].u.tick.exchange, "O"); /* a letter the vendor made up */
	expect_text(s.msg[3].symbol, "FAKEPACA");
	expect_decimal(s.msg[5].u.bar.high, "136"); /* an integer */
	cr_assert(s.msg[5].u.bar.has_trades && s.msg[5].u.bar.has_vwap);
	cr_assert_eq(s.msg[5].u.bar.trades, 16);
	expect_decimal(s.msg[5].u.bar.vwap, "133.7");
	free(s.text);
}

Test(alpaca_wire, sample_handshake_leaves_out_empty_channels)
{
	struct sample s = load("alpaca-stream-iex-handshake-20260526.jsonl");
	EXPECT_TYPES(s, LC_ALPACA_SUCCESS, LC_ALPACA_SUCCESS, LC_ALPACA_SUBSCRIPTION);
	free(s.text);
}

Test(alpaca_wire, sample_crypto_ids_pass_a_double)
{
	struct sample s = load("alpaca-stream-crypto-trades.jsonl");
	EXPECT_TYPES(s, LC_ALPACA_TRADE, LC_ALPACA_TRADE, LC_ALPACA_TRADE);
	cr_assert_eq(s.msg[1].u.tick.trade_id, UINT64_C(8102483281662395354));
	cr_assert_eq(s.msg[2].u.tick.trade_id, UINT64_C(4327835828814694871));
	expect_text(s.msg[0].symbol, "BTC/USD");
	expect_decimal(s.msg[2].u.tick.volume, "0.002028277");
	free(s.text);
}

Test(alpaca_wire, sample_bar_without_time_is_refused)
{
	struct sample s = load("alpaca-stream-iex-bar-no-time-fragment.txt");
	cr_assert_eq(s.count, 1u);
	cr_assert_eq(s.code[0], LC_ERR_INVALID);
	cr_assert_str_eq(s.reason[0], "no_time");
	free(s.text);
}

/* --- JSON and msgpack say the same --- */

static bool same(struct lc_decimal a, struct lc_decimal b)
{
	return lc_decimal_compare(a, b) == 0;
}

static void expect_same_tick(const struct lc_tick *a, const struct lc_tick *b)
{
	cr_assert_eq(a->kind, b->kind);
	cr_assert_eq(a->has, b->has);
	cr_assert_eq(a->effect, b->effect);
	cr_assert_eq(a->event_ns, b->event_ns);
	cr_assert_eq(a->trade_id, b->trade_id);
	cr_assert(same(a->price, b->price) && same(a->volume, b->volume) &&
		  same(a->amount, b->amount));
	cr_assert(same(a->bid, b->bid) && same(a->ask, b->ask));
	cr_assert(same(a->bid_volume, b->bid_volume) && same(a->ask_volume, b->ask_volume));
	cr_assert_str_eq(a->exchange, b->exchange);
	cr_assert_str_eq(a->tape, b->tape);
	cr_assert_eq(memcmp(&a->conditions, &b->conditions, sizeof(a->conditions)), 0);
	if (a->kind == LC_TICK_STATUS) {
		cr_assert_eq(memcmp(&a->u.status, &b->u.status, sizeof(a->u.status)), 0);
	} else if (a->kind == LC_TICK_CORRECTION) {
		cr_assert_eq(a->u.correction.trade_id, b->u.correction.trade_id);
		cr_assert(same(a->u.correction.price, b->u.correction.price));
		cr_assert(same(a->u.correction.volume, b->u.correction.volume));
		cr_assert_eq(a->u.correction.effect, b->u.correction.effect);
	}
}

static void expect_same_both_ways(const struct lc_value *item)
{
	struct lc_alpaca_msg a, b;
	const char *why_a = "", *why_b = "";
	struct lc_buf packed;
	const struct lc_value *root;
	lc_buf_init(&packed, 65536);
	msgpack_value(&packed, item, false);
	cr_assert_eq(lc_msgpack_parse(msgpack, packed.data, packed.len, &root, NULL), LC_OK);
	enum lc_err code = lc_alpaca_parse(item, &seen, &a, &why_a);
	cr_assert_eq(lc_alpaca_parse(root, &seen, &b, &why_b), code);
	cr_assert_str_eq(why_a, why_b);
	cr_assert_eq(a.type, b.type);
	if (code == LC_OK) {
		cr_assert_eq(a.time_ns, b.time_ns);
		cr_assert_eq(a.symbol.len, b.symbol.len);
		if (lc_alpaca_is_tick(a.type)) {
			expect_same_tick(&a.u.tick, &b.u.tick);
		} else if (a.type >= LC_ALPACA_BAR && a.type <= LC_ALPACA_DAILY_BAR) {
			cr_assert(same(a.u.bar.open, b.u.bar.open) &&
				  same(a.u.bar.close, b.u.bar.close));
			cr_assert(same(a.u.bar.vwap, b.u.bar.vwap) &&
				  a.u.bar.trades == b.u.bar.trades);
		}
	}
	lc_buf_finish(&packed);
}

static const char *const stream_samples[] = {
	"alpaca-stream-sip-session-20230406.jsonl",
	"alpaca-stream-sip-session-20210222.jsonl",
	"alpaca-stream-doc-correction-cancel-status.jsonl",
	"alpaca-stream-test-fakepaca-20240724.jsonl",
	"alpaca-stream-iex-handshake-20260526.jsonl",
	"alpaca-stream-crypto-trades.jsonl",
	"alpaca-stream-iex-bar-no-time-fragment.txt",
};

#define N_SAMPLES (sizeof(stream_samples) / sizeof(stream_samples[0]))

Test(alpaca_wire, json_and_msgpack_give_the_same)
{
	for (size_t i = 0; i < N_SAMPLES; i++) {
		size_t len;
		char *text = sample_read(stream_samples[i], &len), *rest = text, *line;
		while ((line = strsep(&rest, "\n"))) {
			if (!*line) {
				continue;
			}
			const struct lc_value *root = parse_json(line, strlen(line)), *item;
			if (root->type == LC_VALUE_OBJECT) {
				expect_same_both_ways(root);
			}
			lc_value_each (item, root) {
				expect_same_both_ways(item);
			}
		}
		free(text);
	}
}

Test(alpaca_wire, msgpack_frames_of_the_reference)
{
	static const uint8_t error[] = {0x91, 0x83, 0xa1, 0x54, 0xa5, 0x65, 0x72, 0x72, 0x6f, 0x72,
		0xa4, 0x63, 0x6f, 0x64, 0x65, 0xcd, 0x01, 0x96, 0xa3, 0x6d, 0x73, 0x67, 0xb9, 0x63,
		0x6f, 0x6e, 0x6e, 0x65, 0x63, 0x74, 0x69, 0x6f, 0x6e, 0x20, 0x6c, 0x69, 0x6d, 0x69,
		0x74, 0x20, 0x65, 0x78, 0x63, 0x65, 0x65, 0x64, 0x65, 0x64};
	static const uint8_t trade[] = {0x91, 0x89, 0xa1, 0x54, 0xa1, 0x74, 0xa1, 0x53, 0xa2, 0x4b,
		0x4f, 0xa1, 0x69, 0xce, 0x00, 0x01, 0x16, 0x23, 0xa1, 0x78, 0xa1, 0x56, 0xa1, 0x70,
		0xcb, 0x40, 0x51, 0x1a, 0x8f, 0x5c, 0x28, 0xf5, 0xc3, 0xa1, 0x73, 0x19, 0xa1, 0x63,
		0x92, 0xa1, 0x40, 0xa1, 0x49, 0xa1, 0x7a, 0xa1, 0x41, 0xa1, 0x74, 0xd7, 0xff, 0x1c,
		0xb4, 0xa2, 0x00, 0x69, 0xa8, 0x4f, 0xf8};
	const struct lc_value *root;
	struct lc_alpaca_msg msg;
	const char *reason;
	cr_assert_eq(lc_msgpack_parse(msgpack, error, sizeof(error), &root, NULL), LC_OK);
	cr_assert_eq(lc_alpaca_parse(root + 1, &seen, &msg, &reason), LC_OK);
	cr_assert_eq(msg.type, LC_ALPACA_ERROR);
	cr_assert_eq(msg.u.control.code, 406);
	expect_text(msg.u.control.text, "connection limit exceeded");

	cr_assert_eq(lc_msgpack_parse(msgpack, trade, sizeof(trade), &root, NULL), LC_OK);
	cr_assert_eq(lc_alpaca_parse(root + 1, &seen, &msg, &reason), LC_OK);
	expect_text(msg.symbol, "KO");
	expect_decimal(msg.u.tick.price, "68.415");
	expect_decimal(msg.u.tick.volume, "25");
	cr_assert_eq(msg.u.tick.trade_id, 71203);
	cr_assert_eq(msg.time_ns, INT64_C(1772638200) * 1000000000 + 120400000);
}

Test(alpaca_wire, msgpack_float32_and_the_other_time_forms)
{
	/* {"T":"t","S":"KO","p":float32 68.25,"s":1,"t":…} with a 32-bit and a 96-bit time */
	static const uint8_t head[] = {0x85, 0xa1, 'T', 0xa1, 't', 0xa1, 'S', 0xa2, 'K', 'O', 0xa1,
		'p', 0xca, 0x42, 0x88, 0x80, 0x00, 0xa1, 's', 0x01, 0xa1, 't'};
	static const uint8_t time32[] = {0xd6, 0xff, 0x69, 0xa8, 0x4f, 0xf8};
	static const uint8_t time96[] = {0xc7, 0x0c, 0xff, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00,
		0x00, 0x69, 0xa8, 0x4f, 0xf8};
	uint8_t bytes[64];
	const struct lc_value *root;
	struct lc_alpaca_msg msg;
	const char *reason;
	memcpy(bytes, head, sizeof(head));
	memcpy(bytes + sizeof(head), time32, sizeof(time32));
	cr_assert_eq(lc_msgpack_parse(msgpack, bytes, sizeof(head) + sizeof(time32), &root, NULL),
		LC_OK);
	cr_assert_eq(lc_alpaca_parse(root, &seen, &msg, &reason), LC_OK);
	expect_decimal(msg.u.tick.price, "68.25");
	cr_assert_eq(msg.time_ns, INT64_C(1772638200) * 1000000000);
	memcpy(bytes + sizeof(head), time96, sizeof(time96));
	cr_assert_eq(lc_msgpack_parse(msgpack, bytes, sizeof(head) + sizeof(time96), &root, NULL),
		LC_OK);
	cr_assert_eq(lc_alpaca_parse(root, &seen, &msg, &reason), LC_OK);
	cr_assert_eq(msg.time_ns, INT64_C(1772638200) * 1000000000 + 7);
}

/* --- what the samples do not show --- */

Test(alpaca_wire, every_other_type)
{
	struct lc_alpaca_msg msg = one("{\"T\":\"u\",\"S\":\"A\",\"o\":1,\"h\":2,\"l\":1,\"c\":2,"
				       "\"v\":3,\"t\":\"2026-03-04T15:30:00Z\"}");
	cr_assert_eq(msg.type, LC_ALPACA_UPDATED_BAR);
	msg = one("{\"T\":\"d\",\"S\":\"A\",\"o\":1,\"h\":2,\"l\":1,\"c\":2,\"v\":3,\"t\":\"2026-"
		  "03-04T15:30:00Z\"}");
	cr_assert_eq(msg.type, LC_ALPACA_DAILY_BAR);
	msg = one("{\"T\":\"l\",\"S\":\"A\",\"u\":3.24,\"d\":2.65,\"i\":\"B\",\"t\":\"2026-03-"
		  "04T15:30:00Z\",\"z\":\"A\"}");
	cr_assert_eq(msg.type, LC_ALPACA_LULD);
	expect_decimal(msg.u.band.up, "3.24");
	expect_decimal(msg.u.band.down, "2.65");
	msg = one(
		"{\"T\":\"i\",\"S\":\"A\",\"p\":9.12,\"z\":\"C\",\"t\":\"2026-03-04T15:30:00Z\"}");
	cr_assert_eq(msg.type, LC_ALPACA_IMBALANCE);
	expect_decimal(msg.u.price, "9.12");
	msg = one("{\"T\":\"o\",\"S\":\"BTC/"
		  "USD\",\"t\":\"2026-03-04T15:30:00Z\",\"b\":[{\"p\":1,\"s\":0.5},{\"p\":0.9,"
		  "\"s\":0}],\"a\":[{\"p\":2,\"s\":1}],\"r\":true}");
	cr_assert_eq(msg.type, LC_ALPACA_ORDERBOOK);
	cr_assert(msg.u.levels.bids == 2 && msg.u.levels.asks == 1 && msg.u.levels.full);
}

Test(alpaca_wire, quote_sizes_are_lots_before_the_change_and_shares_since)
{
	static const char format[] = "{\"T\":\"q\",\"S\":\"A\",\"bx\":\"V\",\"bp\":1.5,\"bs\":%d,"
				     "\"ax\":\"V\",\"ap\":1.6,\"as\":3,\"t\":\"%s\"}";
	char text[256];
	snprintf(text, sizeof(text), format, 2, "2025-11-03T04:59:59.999999999Z");
	expect_decimal(one(text).u.tick.bid_volume, "200");
	snprintf(text, sizeof(text), format, 200, "2025-11-03T05:00:00Z");
	expect_decimal(one(text).u.tick.bid_volume, "200");
	expect_decimal(one(text).u.tick.ask_volume, "3");
}

Test(alpaca_wire, a_side_without_a_price_is_no_quote)
{
	struct lc_alpaca_msg msg = one(
		"{\"T\":\"q\",\"S\":\"A\",\"bx\":\" \",\"bp\":0,\"bs\":0,\"ax\":\"V\",\"ap\":1.60,"
		"\"as\":300,\"c\":[\"R\"],\"t\":\"2026-03-04T15:30:00Z\"}");
	cr_assert_eq(msg.u.tick.has, LC_HAS_ASK | LC_HAS_ASK_VOLUME | LC_HAS_EVENT_TIME);
	expect_decimal(msg.u.tick.ask, "1.6");
	msg = one("{\"T\":\"q\",\"S\":\"A\",\"ap\":0.0,\"as\":7,\"t\":\"2026-03-04T15:30:00Z\"}");
	cr_assert_eq(msg.u.tick.has, LC_HAS_EVENT_TIME);
}

Test(alpaca_wire, status_codes_of_all_tapes)
{
	static const struct {
		const char *code;
		enum lc_status_action action;
	} cases[] = {{"2", LC_STATUS_HALT}, {"3", LC_STATUS_RESUME}, {"H", LC_STATUS_HALT},
		{"P", LC_STATUS_HALT}, {"T", LC_STATUS_RESUME}, {"Q", LC_STATUS_INFO},
		{"5", LC_STATUS_INFO}, {"6", LC_STATUS_INFO}, {"7", LC_STATUS_INFO},
		{"9", LC_STATUS_INFO}, {"A", LC_STATUS_INFO}, {"C", LC_STATUS_INFO},
		{"D", LC_STATUS_INFO}, {"E", LC_STATUS_INFO}, {"F", LC_STATUS_INFO},
		{"", LC_STATUS_INFO}, {"HH", LC_STATUS_INFO}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_text text = {cases[i].code, strlen(cases[i].code)};
		cr_assert_eq(lc_alpaca_status_action(text), cases[i].action, "%s", cases[i].code);
	}
}

Test(alpaca_wire, conditions_decide_what_a_trade_updates)
{
	static const struct {
		const char *codes, *tape;
		unsigned effect;
	} cases[] = {{"[\"@\"]", "C", LC_UPDATES_ALL}, {"null", "A", LC_UPDATES_ALL},
		{"[\"@\",\"I\"]", "C", LC_UPDATES_VOLUME}, {"[\"M\"]", "A", 0},
		{"[\"B\"]", "A", LC_UPDATES_VOLUME}, {"[\"B\"]", "C", LC_UPDATES_ALL},
		{"[\"9\"]", "A", LC_UPDATES_LAST | LC_UPDATES_HIGH_LOW},
		{"[\" \",\"Z\"]", "A",
			LC_UPDATES_LAST_IF_FIRST | LC_UPDATES_HIGH_LOW | LC_UPDATES_VOLUME}};
	char text[256];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* The tape comes after the conditions, as on the wire. */
		snprintf(text, sizeof(text),
			"{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1,\"c\":%s,\"z\":\"%s\",\"t\":"
			"\"2026-03-04T15:30:00Z\"}",
			cases[i].codes, cases[i].tape);
		cr_assert_eq(one(text).u.tick.effect, cases[i].effect, "%s", text);
	}
}

Test(alpaca_wire, unknown_condition_is_told_once)
{
	static const char text[] = "{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1,\"c\":[\"~\"],\"t\":"
				   "\"2026-03-04T15:30:00Z\"}";
	struct lc_alpaca_msg msg;
	const char *reason;
	const struct lc_value *root = parse_json(text, sizeof(text) - 1);
	cr_assert_eq(lc_alpaca_parse(root, &seen, &msg, &reason), LC_OK);
	cr_assert_str_eq(msg.unknown_condition, "~");
	cr_assert_eq(msg.u.tick.effect, LC_UPDATES_ALL);
	cr_assert_eq(lc_alpaca_parse(root, &seen, &msg, &reason), LC_OK);
	cr_assert_null(msg.unknown_condition);
}

Test(alpaca_wire, texts_are_cut_and_made_printable)
{
	struct lc_alpaca_msg msg = one(
		"{\"T\":\"s\",\"S\":\"A\",\"sc\":\"HALTED\",\"sm\":\"a\\u0000b\\u00e9\",\"rc\":"
		"null,\"rm\":"
		"\"0123456789012345678901234567890123456789012345678901234567890123456789\",\"t\":"
		"\"2026-03-04T15:30:00Z\"}");
	cr_assert_str_eq(msg.u.tick.u.status.code, "HAL");
	cr_assert_str_eq(msg.u.tick.u.status.text, "a?b??");
	cr_assert_eq(strlen(msg.u.tick.u.status.reason_text),
		sizeof(msg.u.tick.u.status.reason_text) - 1);
	msg = one("{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1,\"x\":\"LONGNAME\",\"c\":[\"1\",\"2\","
		  "\"3\",\"4\",\"5\",\"6\",\"7\",\"8x9\"],"
		  "\"t\":\"2026-03-04T15:30:00Z\"}");
	cr_assert_str_eq(msg.u.tick.exchange, "LON");
	cr_assert_eq(msg.u.tick.conditions.count, LC_TICK_CONDITIONS);
}

static const struct {
	const char *text;
	enum lc_err code;
	const char *reason;
} malformed[] = {
	{"[]", LC_ERR_INVALID, "malformed"},
	{"{}", LC_ERR_INVALID, "malformed"},
	{"{\"T\":7}", LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"zz\"}", LC_ERR_UNSUPPORTED, "unknown_type"},
	{"{\"T\":\"\"}", LC_ERR_UNSUPPORTED, "unknown_type"},
	{"{\"T\":\"n\",\"headline\":\"x\"}", LC_ERR_UNSUPPORTED, "unknown_type"},
	{"{\"T\":\"t\"}", LC_ERR_INVALID, "no_time"},
	{"{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1}", LC_ERR_INVALID, "no_time"},
	{"{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1,\"t\":1772638200}", LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1,\"t\":\"yesterday\"}", LC_ERR_INVALID,
		"malformed"},
	{"{\"T\":\"t\",\"S\":\"A\",\"s\":1,\"t\":\"2026-03-04T15:30:00Z\"}", LC_ERR_INVALID,
		"malformed"},
	{"{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"t\":\"2026-03-04T15:30:00Z\"}", LC_ERR_INVALID,
		"malformed"},
	{"{\"T\":\"t\",\"p\":1,\"s\":1,\"t\":\"2026-03-04T15:30:00Z\"}", LC_ERR_INVALID,
		"malformed"},
	{"{\"T\":\"t\",\"S\":5,\"p\":1,\"s\":1,\"t\":\"2026-03-04T15:30:00Z\"}", LC_ERR_INVALID,
		"malformed"},
	{"{\"T\":\"t\",\"S\":\"A\",\"p\":\"1\",\"s\":1,\"t\":\"2026-03-04T15:30:00Z\"}",
		LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1,\"i\":-1,\"t\":\"2026-03-04T15:30:"
	 "00Z\"}",
		LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1,\"c\":\"@\",\"t\":\"2026-03-04T15:30:"
	 "00Z\"}",
		LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1,\"c\":[1],\"t\":\"2026-03-04T15:30:"
	 "00Z\"}",
		LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"t\",\"S\":\"A\",\"p\":1e99,\"s\":1,\"t\":\"2026-03-04T15:30:00Z\"}",
		LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"q\",\"S\":\"A\",\"bp\":[],\"t\":\"2026-03-04T15:30:00Z\"}", LC_ERR_INVALID,
		"malformed"},
	{"{\"T\":\"x\",\"S\":\"A\",\"p\":1,\"s\":1,\"t\":\"2026-03-04T15:30:00Z\"}", LC_ERR_INVALID,
		"malformed"},
	{"{\"T\":\"s\",\"S\":\"A\",\"sc\":2,\"t\":\"2026-03-04T15:30:00Z\"}", LC_ERR_INVALID,
		"malformed"},
	{"{\"T\":\"c\",\"S\":\"A\",\"op\":1,\"os\":1,\"cp\":1,\"t\":\"2026-03-04T15:30:"
	 "00Z\"}",
		LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"o\",\"S\":\"A\",\"b\":[{\"p\":1}],\"t\":\"2026-03-04T15:30:00Z\"}",
		LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"o\",\"S\":\"A\",\"b\":7,\"t\":\"2026-03-04T15:30:00Z\"}", LC_ERR_INVALID,
		"malformed"},
	{"{\"T\":\"error\",\"msg\":\"x\"}", LC_ERR_INVALID, "malformed"},
	{"{\"T\":\"success\"}", LC_ERR_INVALID, "malformed"},
};

Test(alpaca_wire, malformed_elements)
{
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		struct lc_alpaca_msg msg;
		const char *reason = "";
		const struct lc_value *root = parse_json(
			malformed[i].text, strlen(malformed[i].text));
		cr_assert_eq(lc_alpaca_parse(root, &seen, &msg, &reason), malformed[i].code, "%s",
			malformed[i].text);
		cr_assert_str_eq(reason, malformed[i].reason, "%s", malformed[i].text);
	}
}

static void parse_any(const struct lc_value *root)
{
	struct lc_alpaca_msg msg;
	const char *reason;
	const struct lc_value *item;
	lc_value_each (item, root) {
		(void)lc_alpaca_parse(item, &seen, &msg, &reason);
	}
}

/* Damaged frames end in an error or in fewer ticks, never in a crash; the sanitizers watch. */
Test(alpaca_wire, damaged_frames)
{
	uint64_t random = 88172645463325252;
	const struct lc_value *root;
	size_t len;
	char *text = sample_read("alpaca-stream-sip-session-20230406.jsonl", &len), *rest = text,
	     *line;
	while ((line = strsep(&rest, "\n"))) {
		size_t n = strlen(line);
		if (n == 0) {
			continue;
		}
		struct lc_buf packed;
		lc_buf_init(&packed, 65536);
		msgpack_value(&packed, parse_json(line, n), false);
		for (size_t i = 0; i < 500; i++) {
			char *copy = malloc(n), *binary = malloc(packed.len);
			memcpy(copy, line, n);
			memcpy(binary, packed.data, packed.len);
			copy[xorshift(&random) % n] = (char)xorshift(&random);
			binary[xorshift(&random) % packed.len] = (char)xorshift(&random);
			size_t cut = i % 2 ? n : xorshift(&random) % n;
			if (lc_json_parse(json, copy, cut, cut, &root, NULL) == LC_OK) {
				parse_any(root);
			}
			cut = i % 2 ? packed.len : xorshift(&random) % packed.len;
			if (lc_msgpack_parse(msgpack, binary, cut, &root, NULL) == LC_OK) {
				parse_any(root);
			}
			free(copy);
			free(binary);
		}
		lc_buf_finish(&packed);
	}
	free(text);
}

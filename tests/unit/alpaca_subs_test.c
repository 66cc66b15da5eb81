#include "alpaca_subs.h"

#include "alpaca_samples.h"
#include "xorshift.h"

#define MOST 600

/* A vendor in a few lines: it keeps the sets, and answers as Alpaca does. */
struct vendor {
	bool set[3][MOST]; /* statuses, trades, quotes */
	bool bad[MOST];    /* 400 */
	size_t limit;      /* pairs of channel and symbol; 0: none */
	bool counts_statuses, no_statuses, no_quotes;
	uint32_t forgets; /* left out of replies */
	size_t messages, longest, most_symbols;
};

static const char *const channels[] = {"statuses", "trades", "quotes"};

static struct lc_symbols *symbols;
static struct lc_alpaca_subs *subs;
static struct lc_json_parser *json;
static struct lc_msgpack_reader *msgpack;
static struct vendor vendor;
static struct lc_buf out;

static size_t n_accepted, n_rejected, n_limited, lost;
static bool is_rejected[MOST];
static uint32_t last_rejected;

static void on_accepted(void *arg, uint32_t symbol)
{
	(void)arg;
	is_rejected[symbol] = false;
	n_accepted++;
}

static void on_rejected(void *arg, uint32_t symbol, bool limit, const char *reason)
{
	(void)arg;
	cr_assert_gt(strlen(reason), 0u);
	cr_assert_not(is_rejected[symbol]);
	is_rejected[symbol] = true;
	last_rejected = symbol;
	n_rejected++;
	n_limited += limit;
}

static void on_lost(void *arg, size_t count, const char *text)
{
	(void)arg;
	cr_assert_gt(strlen(text), 0u);
	lost += count;
}

static const struct lc_alpaca_subs_events events = {on_accepted, on_rejected, on_lost};

static struct lc_alpaca_subs_options options = {.max_symbols = 100,
	.max_message = 16384,
	.channels = LC_ALPACA_STATUSES | LC_ALPACA_PRICES};

static void set_up(void)
{
	cr_assert_eq(lc_symbols_create(MOST, 1, &symbols), LC_OK);
	for (uint32_t i = 0; i < MOST; i++) {
		char name[8] = {'A', (char)('A' + i / 676), (char)('A' + i / 26 % 26),
			(char)('A' + i % 26)};
		uint32_t index;
		cr_assert_eq(lc_symbols_intern(symbols, name, 4, &index), LC_OK);
		cr_assert_eq(index, i);
	}
	cr_assert_eq(lc_json_parser_create(NULL, &json), LC_OK);
	cr_assert_eq(lc_msgpack_reader_create(NULL, &msgpack), LC_OK);
	cr_assert_eq(lc_alpaca_subs_create(symbols, &events, NULL, &subs), LC_OK);
	lc_buf_init(&out, 1 << 20);
	vendor.forgets = UINT32_MAX;
	lc_alpaca_subs_reset(subs, &options);
}

static void tear_down(void)
{
	lc_buf_finish(&out);
	lc_alpaca_subs_destroy(subs);
	lc_json_parser_destroy(json);
	lc_msgpack_reader_destroy(msgpack);
	lc_symbols_destroy(symbols);
}

TestSuite(alpaca_subs, .init = set_up, .fini = tear_down);

static size_t pairs(bool set[3][MOST])
{
	size_t count = 0;
	for (size_t c = vendor.counts_statuses ? 0 : 1; c < 3; c++) {
		for (size_t i = 0; i < MOST; i++) {
			count += set[c][i];
		}
	}
	return count;
}

/* The new sets, or the error of the message. */
static int64_t apply(const struct lc_value *message, bool next[3][MOST])
{
	bool subscribe = lc_value_is(lc_value_find(message, "action"), "subscribe");
	cr_assert(subscribe || lc_value_is(lc_value_find(message, "action"), "unsubscribe"));
	for (size_t c = 0; c < 3; c++) {
		const struct lc_value *list = lc_value_find(message, channels[c]), *name;
		if (!list) {
			continue;
		}
		if ((c == 0 && vendor.no_statuses) || (c == 2 && vendor.no_quotes)) {
			return 410;
		}
		cr_assert_gt(list->len, 0u);
		vendor.most_symbols = list->len > vendor.most_symbols ? list->len
								      : vendor.most_symbols;
		lc_value_each (name, list) {
			uint32_t symbol = lc_symbols_find(symbols, name->v.text, name->len);
			cr_assert_neq(symbol, LC_SYMBOL_NONE);
			if (vendor.bad[symbol]) {
				return 400;
			}
			next[c][symbol] = subscribe;
		}
	}
	return vendor.limit > 0 && pairs(next) > vendor.limit ? 405 : 0;
}

static void reply(void)
{
	struct lc_buf text;
	size_t missing;
	lc_buf_init(&text, 1 << 20);
	lc_buf_puts(&text, "{\"T\":\"subscription\"");
	for (size_t c = 0; c < 3; c++) {
		bool any = false;
		for (uint32_t i = 0; i < MOST; i++) {
			if (!vendor.set[c][i] || i == vendor.forgets) {
				continue;
			}
			/* An empty channel is left out, as the real one does. */
			lc_buf_printf(&text, any ? ",\"%s\"" : ",\"%s\":[",
				any ? lc_symbols_get(symbols, i)->text : channels[c]);
			if (!any) {
				lc_buf_printf(&text, "\"%s\"", lc_symbols_get(symbols, i)->text);
			}
			any = true;
		}
		lc_buf_puts(&text, any ? "]" : "");
	}
	lc_buf_puts(&text, "}");
	const struct lc_value *root;
	cr_assert_eq(lc_json_parse(json, text.data, text.len, text.len, &root, NULL), LC_OK);
	cr_assert(lc_alpaca_subs_reply(subs, root, &missing));
	lc_buf_finish(&text);
}

/* One message there and back. Returns what next() said. */
static enum lc_err step(void)
{
	enum lc_err code = lc_alpaca_subs_next(subs, &out);
	if (code != LC_OK) {
		return code;
	}
	cr_assert(lc_alpaca_subs_in_flight(subs));
	cr_assert_eq(lc_alpaca_subs_next(subs, &out), LC_ERR_AGAIN);
	vendor.messages++;
	vendor.longest = out.len > vendor.longest ? out.len : vendor.longest;
	const struct lc_value *message;
	bool next[3][MOST];
	memcpy(next, vendor.set, sizeof(next));
	cr_assert_eq(options.msgpack
			     ? lc_msgpack_parse(msgpack, out.data, out.len, &message, NULL)
			     : lc_json_parse(json, out.data, out.len, out.len, &message, NULL),
		LC_OK);
	int64_t error = apply(message, next);
	if (error) {
		return lc_alpaca_subs_error(subs, error);
	}
	memcpy(vendor.set, next, sizeof(next));
	reply();
	return LC_OK;
}

static void settle(void)
{
	for (size_t i = 0; i < 5000; i++) {
		enum lc_err code = step();
		if (code == LC_ERR_END) {
			return;
		}
		cr_assert_eq(code, LC_OK);
	}
	cr_assert_fail("never done");
}

static void change(uint32_t from, uint32_t to, uint32_t remove_from, uint32_t remove_to)
{
	uint32_t add[MOST], remove[MOST];
	size_t n_add = 0, n_remove = 0;
	for (uint32_t i = from; i < to; i++) {
		add[n_add++] = i;
	}
	for (uint32_t i = remove_from; i < remove_to; i++) {
		remove[n_remove++] = i;
	}
	cr_assert_eq(lc_alpaca_subs_change(subs, add, n_add, remove, n_remove), LC_OK);
	settle();
}

/* The vendor's sets hold exactly [from, to) in a channel. */
static void expect_channel(size_t channel, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < MOST; i++) {
		cr_assert_eq(
			vendor.set[channel][i], i >= from && i < to, "%s %u", channels[channel], i);
	}
}

static void expect_prices(uint32_t from, uint32_t to)
{
	expect_channel(1, from, to);
	expect_channel(2, from, to);
	for (uint32_t i = 0; i < MOST; i++) {
		cr_assert_eq(lc_alpaca_subs_wants(subs, i), i >= from && i < to);
	}
}

Test(alpaca_subs, batches_of_max_symbols)
{
	change(0, 250, 0, 0);
	expect_prices(0, 250);
	expect_channel(0, 0, 250);
	cr_assert_eq(vendor.messages, 3u);
	cr_assert_eq(vendor.most_symbols, 100u);
	cr_assert_eq(n_accepted, 250u);
	change(0, 0, 0, 240);
	expect_prices(240, 250);
	expect_channel(0, 240, 250);
	change(0, 0, 0, 250); /* those not held are not removed again */
	cr_assert_eq(vendor.messages, 3u + 3u + 1u);
	expect_prices(0, 0);
}

Test(alpaca_subs, a_message_never_passes_max_message)
{
	for (int packed = 0; packed < 2; packed++) {
		options.max_message = 256;
		options.msgpack = packed;
		memset(&vendor, 0, sizeof(vendor));
		vendor.forgets = UINT32_MAX;
		lc_alpaca_subs_reset(subs, &options);
		change(0, 200, 0, 0);
		expect_prices(0, 200);
		cr_assert_leq(vendor.longest, 256u);
		cr_assert_gt(vendor.most_symbols, 5u);
	}
}

Test(alpaca_subs, the_first_message_to_the_byte)
{
	uint32_t add[] = {0, 1};
	cr_assert_eq(lc_alpaca_subs_change(subs, add, 2, NULL, 0), LC_OK);
	cr_assert_eq(lc_alpaca_subs_next(subs, &out), LC_OK);
	cr_assert_str_eq(lc_buf_text(&out),
		"{\"action\":\"subscribe\",\"statuses\":[\"AAAA\",\"AAAB\"],"
		"\"trades\":[\"AAAA\",\"AAAB\"],\"quotes\":[\"AAAA\",\"AAAB\"]}");
	cr_assert(lc_alpaca_subs_wants(subs, 0)); /* its ticks may overtake the reply */
	lc_buf_clear(&out);
	cr_assert_eq(lc_alpaca_subs_again(subs, &out), LC_OK);
	cr_assert_eq(out.data[0], '{');
}

Test(alpaca_subs, a_bad_symbol_is_found_and_the_rest_taken)
{
	const uint32_t places[] = {0, 1, 49, 50, 98, 99, 137};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		memset(&vendor, 0, sizeof(vendor));
		memset(is_rejected, 0, sizeof(is_rejected));
		vendor.forgets = UINT32_MAX;
		vendor.bad[places[i]] = true;
		n_rejected = n_accepted = n_limited = 0;
		lc_alpaca_subs_reset(subs, &options);
		change(0, 200, 0, 0);
		cr_assert_eq(n_rejected, 1u);
		cr_assert_eq(n_limited, 0u);
		cr_assert_eq(last_rejected, places[i]);
		cr_assert_eq(n_accepted, 199u);
		cr_assert_leq(vendor.messages, 20u);
		cr_assert_not(lc_alpaca_subs_wants(subs, places[i]));
	}
}

Test(alpaca_subs, many_bad_symbols)
{
	for (uint32_t i = 0; i < 300; i += 7) {
		vendor.bad[i] = true;
	}
	change(0, 300, 0, 0);
	for (uint32_t i = 0; i < 300; i++) {
		cr_assert_eq(vendor.set[1][i], i % 7 != 0, "%u", i);
		cr_assert_eq(is_rejected[i], i % 7 == 0);
	}
}

Test(alpaca_subs, over_the_limit_the_earliest_keep_their_place)
{
	vendor.limit = 60; /* 30 symbols with trades and quotes */
	change(0, 200, 0, 0);
	expect_prices(0, 30);
	cr_assert_eq(n_limited, 170u);
	cr_assert_eq(n_rejected, 170u);
	/* This plan does not count statuses: all came back at the end. */
	expect_channel(0, 0, 30);
	cr_assert_eq(lost, 0u);
	cr_assert_leq(vendor.messages, 20u);
}

Test(alpaca_subs, statuses_are_the_first_to_go)
{
	vendor.limit = 20;
	vendor.counts_statuses = true;
	change(0, 6, 0, 0);
	expect_channel(0, 0, 6);
	change(6, 9, 0, 0); /* 9 × 2 = 18 fit, and two statuses: those of the earliest */
	expect_prices(0, 9);
	expect_channel(0, 0, 2);
	cr_assert_eq(n_rejected, 0u);
	cr_assert_eq(lost, 7u);
	change(9, 12, 0, 0);
	expect_prices(0, 10);
	expect_channel(0, 0, 0);
	cr_assert_eq(n_limited, 2u);
}

Test(alpaca_subs, leaving_makes_room_in_the_same_change)
{
	vendor.limit = 20;
	change(0, 10, 0, 0);
	memset(is_rejected, 0, sizeof(is_rejected));
	change(10, 14, 0, 4);
	expect_prices(4, 14);
	cr_assert_eq(n_rejected, 0u);
}

Test(alpaca_subs, configured_limit_is_not_asked_for)
{
	options.symbol_limit = 30;
	lc_alpaca_subs_reset(subs, &options);
	change(0, 50, 0, 0);
	expect_prices(0, 30);
	cr_assert_eq(n_limited, 20u);
	cr_assert_eq(vendor.messages, 1u);
	change(30, 35, 0, 5);
	expect_prices(5, 35);
}

Test(alpaca_subs, a_feed_without_statuses)
{
	vendor.no_statuses = true;
	change(0, 150, 0, 0);
	expect_prices(0, 150);
	cr_assert_eq(vendor.messages, 3u); /* one refused, then no more statuses */
	cr_assert_eq(lost, 100u);
}

Test(alpaca_subs, a_feed_without_quotes_cannot_be_used)
{
	uint32_t add[] = {1};
	vendor.no_quotes = true;
	cr_assert_eq(lc_alpaca_subs_change(subs, add, 1, NULL, 0), LC_OK);
	options.channels = LC_ALPACA_PRICES;
	lc_alpaca_subs_reset(subs, &options);
	cr_assert_eq(lc_alpaca_subs_change(subs, add, 1, NULL, 0), LC_OK);
	cr_assert_eq(step(), LC_ERR_UNSUPPORTED);
}

Test(alpaca_subs, a_reply_that_leaves_a_symbol_out)
{
	vendor.forgets = 3;
	change(0, 10, 0, 0);
	cr_assert_eq(n_rejected, 1u);
	cr_assert_eq(last_rejected, 3u);
	for (uint32_t i = 0; i < MOST; i++) {
		cr_assert_eq(lc_alpaca_subs_wants(subs, i), i < 10 && i != 3);
	}
}

Test(alpaca_subs, wildcards_and_unasked_replies)
{
	static const char text[] = "{\"T\":\"subscription\",\"trades\":[\"*\"],\"quotes\":[\"*\",7,"
				   "\"NEVER\"],\"statuses\":[\"*\"]}";
	const struct lc_value *root;
	size_t missing;
	cr_assert_eq(
		lc_json_parse(json, text, sizeof(text) - 1, sizeof(text) - 1, &root, NULL), LC_OK);
	cr_assert_not(lc_alpaca_subs_reply(subs, root, &missing)); /* nothing was asked */
	cr_assert_eq(lc_alpaca_subs_error(subs, 405), LC_ERR_END);
	uint32_t add[] = {5, 5, 6};
	cr_assert_eq(lc_alpaca_subs_change(subs, add, 3, NULL, 0), LC_OK);
	cr_assert_eq(lc_alpaca_subs_next(subs, &out), LC_OK);
	cr_assert(lc_alpaca_subs_reply(subs, root, &missing));
	cr_assert_eq(missing, 0u);
	cr_assert_eq(n_accepted, 2u); /* named twice, followed once */
	cr_assert_eq(lc_alpaca_subs_next(subs, &out), LC_ERR_END);
}

/* After any changes, what we think is held is what the vendor holds, and every symbol wanted is
 * held or was rejected. */
Test(alpaca_subs, any_changes_agree_with_the_vendor)
{
	uint64_t random = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 60; round++) {
		bool wanted[MOST] = {false};
		memset(&vendor, 0, sizeof(vendor));
		memset(is_rejected, 0, sizeof(is_rejected));
		vendor.forgets = UINT32_MAX;
		vendor.limit = round % 3 == 0 ? 0 : 20 + xorshift(&random) % 200;
		vendor.counts_statuses = xorshift(&random) % 2;
		vendor.no_statuses = xorshift(&random) % 8 == 0;
		for (size_t i = 0; i < 5; i++) {
			vendor.bad[xorshift(&random) % 120] = true;
		}
		options.max_symbols = 1 + xorshift(&random) % 40;
		options.msgpack = xorshift(&random) % 2;
		lc_alpaca_subs_reset(subs, &options);
		for (int i = 0; i < 8; i++) {
			uint32_t add[120], remove[120];
			size_t n_add = 0, n_remove = 0;
			for (uint32_t s = 0; s < 120; s++) {
				uint64_t dice = xorshift(&random) % 8;
				if (dice == 0 && (!wanted[s] || is_rejected[s])) {
					add[n_add++] = s;
					wanted[s] = true;
					is_rejected[s] = false;
				} else if (dice == 1 && wanted[s]) {
					remove[n_remove++] = s;
					wanted[s] = is_rejected[s] = false;
				}
			}
			cr_assert_eq(
				lc_alpaca_subs_change(subs, add, n_add, remove, n_remove), LC_OK);
			settle();
			for (uint32_t s = 0; s < 120; s++) {
				bool held = lc_alpaca_subs_wants(subs, s);
				cr_assert_eq(held, wanted[s] && !is_rejected[s]);
				cr_assert_eq(held, vendor.set[1][s]);
				cr_assert_eq(held, vendor.set[2][s]);
				cr_assert(held || !vendor.set[0][s]);
			}
		}
	}
}

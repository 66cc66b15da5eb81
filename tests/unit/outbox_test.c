#include "outbox_fixture.h"

static struct lc_tick snapshot(int64_t price)
{
	return (struct lc_tick){.kind = LC_TICK_SNAPSHOT,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME,
		.seq = 1,
		.price = {.mantissa = price, .exponent = -2},
		.volume = {.mantissa = 100},
		.event_ns = 1700000000 * LC_NS_PER_S,
		.received_ns = 1700000001 * LC_NS_PER_S,
		.received_mono_ns = 77};
}

static enum lc_err price(struct out *out, const char *text)
{
	struct lc_symbol symbol;
	cr_assert_eq(lc_symbol_parse(text, strlen(text), &symbol), LC_OK);
	const struct lc_tick tick = snapshot(1050);
	const struct lc_price_context extra = {.symbol = &symbol, .source = "fushu"};
	return lc_outbox_price(&out->outbox, &tick, &extra);
}

Test(outbox, prices_are_keyed_by_their_symbol)
{
	struct out out;
	out_open(&out, 4 << 20, false);
	cr_assert(lc_outbox_has_room(&out.outbox));
	cr_assert_eq(price(&out, "00700.HK"), LC_OK);
	cr_assert(out_next(&out));
	cr_assert_eq(out.record.topic, LC_TOPIC_MARKET);
	cr_assert_eq(out.record.schema, LC_SCHEMA_PRICE_UPDATE);
	cr_assert_eq(out.record.key_len, 8);
	cr_assert_eq(memcmp(out.record.key, "00700.HK", 8), 0);
	cr_assert_eq(out.record.timestamp_ns, 1700000001 * LC_NS_PER_S);
	cr_assert_eq(out.record.received_mono_ns, 77);
	cr_assert(out_is(&out, "price", "10.5"));
	cr_assert(out_is(&out, "stream", "stream-1"));
	cr_assert(out_is(&out, "trace_id", NULL));
	cr_assert_eq(*out.outbox.prices, 1);
	cr_assert_not(out_next(&out));
	out_close(&out);
}

Test(outbox, markets_have_topics_of_their_own_when_asked)
{
	static const struct {
		const char *symbol;
		enum lc_topic topic;
	} cases[] = {{"00700.HK", LC_TOPIC_MARKET_HK}, {"600000.SH", LC_TOPIC_MARKET_CN},
		{"920047.BJ", LC_TOPIC_MARKET_CN}, {"AAPL", LC_TOPIC_MARKET_US}};
	struct out out;
	out_open(&out, 4 << 20, true);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_eq(price(&out, cases[i].symbol), LC_OK);
		cr_assert(out_next(&out));
		cr_assert_eq(out.record.topic, cases[i].topic, "%s", cases[i].symbol);
	}
	out_close(&out);
}

Test(outbox, a_quote_without_a_price_leaves_nothing_behind)
{
	struct out out;
	struct lc_symbol symbol;
	out_open(&out, 4 << 20, false);
	cr_assert_eq(lc_symbol_parse("AAPL", 4, &symbol), LC_OK);
	struct lc_tick tick = snapshot(1);
	tick.kind = LC_TICK_QUOTE;
	tick.has = LC_HAS_BID;
	const struct lc_price_context extra = {.symbol = &symbol, .source = "alpaca"};
	cr_assert_eq(lc_outbox_price(&out.outbox, &tick, &extra), LC_ERR_NOT_FOUND);
	cr_assert_eq(*out.outbox.prices, 0);
	cr_assert_not(out_next(&out));
	out_close(&out);
}

Test(outbox, events_are_numbered_and_keyed_by_the_node)
{
	struct out out;
	out_open(&out, 4 << 20, false);
	lc_event(&out.outbox, "overload", LC_S("feeder", "a\"b"), LC_U("count", 7),
		LC_B("on", true), LC_S("nothing", NULL), LC_J("list", "[1,2]"), LC_J("failed", ""));
	lc_event(&out.outbox, "started");
	cr_assert(out_next(&out));
	cr_assert_eq(out.record.topic, LC_TOPIC_EVENTS);
	cr_assert_eq(out.record.schema, LC_SCHEMA_SYSTEM_EVENT);
	cr_assert_eq(out.record.key_len, 6);
	cr_assert_eq(memcmp(out.record.key, "node-1", 6), 0);
	cr_assert(out_is(&out, "type", "overload") && out_is(&out, "id", "stream-1-1"));
	cr_assert(out_is(&out, "node_id", "node-1") && out_is(&out, "stream", "stream-1"));
	cr_assert(out_is(&out, "data.feeder", "a\"b") && out_is(&out, "data.count", "7"));
	cr_assert(out_is(&out, "data.on", "true") && out_is(&out, "data.nothing", NULL));
	cr_assert(out_is(&out, "data.failed", NULL), "a buffer that failed is no broken JSON");
	cr_assert(out_next(&out));
	cr_assert(out_is(&out, "id", "stream-1-2"));
	cr_assert_eq(*out.outbox.events_appended, 2);
	out_close(&out);
}

Test(outbox, alerts_go_to_the_notifications)
{
	struct out out;
	out_open(&out, 4 << 20, false);
	lc_alert(&out.outbox, "feed_down", LC_SEVERITY_ERROR, LC_S("feeder", "alpaca"),
		LC_U("actual", 5));
	cr_assert(out_next(&out));
	cr_assert_eq(out.record.topic, LC_TOPIC_NOTIFICATIONS);
	cr_assert_eq(out.record.schema, LC_SCHEMA_NOTIFICATION);
	cr_assert(
		out_is(&out, "type", "data_collection_alert") && out_is(&out, "severity", "ERROR"));
	cr_assert(out_is(&out, "source", "node-1") && out_is(&out, "data.alert_type", "feed_down"));
	cr_assert(out_is(&out, "data.feeder", "alpaca") && out_is(&out, "data.actual", "5"));
	/* More fields than an alert holds are cut, not overrun. */
	struct lc_field fields[40];
	for (size_t i = 0; i < 39; i++) {
		fields[i] = LC_U("n", i);
	}
	fields[39].type = LC_FIELD_END;
	lc_outbox_alert(&out.outbox, "gap", LC_SEVERITY_INFO, fields);
	cr_assert(out_next(&out));
	cr_assert(out_is(&out, "data.n", "15"));
	out_close(&out);
}

Test(outbox, prices_leave_room_for_events)
{
	struct out out;
	out_open(&out, LC_JOURNAL_SEGMENT, false);
	for (size_t i = 0; lc_outbox_has_room(&out.outbox); i++) {
		cr_assert_eq(price(&out, "AAPL"), LC_OK);
		cr_assert_lt(i, 100000);
	}
	for (int i = 0; i < 300; i++) {
		lc_event(&out.outbox, "halt", LC_S("symbol", "AAPL"),
			LC_S("reason", "Halt News Pending"));
	}
	cr_assert_eq(*out.outbox.events_appended, 300);
	cr_assert_eq(*out.outbox.events_dropped, 0);
	out_close(&out);
}

Test(outbox, what_does_not_fit_is_counted)
{
	struct out out;
	size_t appended = 0;
	out_open(&out, LC_JOURNAL_SEGMENT, false);
	while (lc_outbox_has_room(&out.outbox)) {
		cr_assert_eq(price(&out, "AAPL"), LC_OK);
		cr_assert_lt(appended++, 100000);
	}
	enum lc_err rc;
	while ((rc = price(&out, "AAPL")) == LC_OK) {
		cr_assert_lt(appended++, 100000);
	}
	cr_assert_eq(rc, LC_ERR_FULL);
	struct lc_buf list;
	lc_buf_init(&list, 64 * 1024);
	for (int i = 0; i < 1000; i++) {
		lc_buf_puts(&list, i ? ",\"00700.HK\"" : "[\"00700.HK\"");
	}
	lc_buf_putc(&list, ']');
	lc_event(&out.outbox, "gap_opened", LC_J("symbols", lc_buf_text(&list)));
	lc_alert(&out.outbox, "gap", LC_SEVERITY_ERROR, LC_J("affected_codes", lc_buf_text(&list)));
	lc_buf_finish(&list);
	cr_assert_eq(*out.outbox.events_dropped, 2);
	cr_assert_eq(*out.outbox.events_appended, 0);
	cr_assert_eq(*out.outbox.prices, appended);
	for (size_t i = 0; i < appended; i++) {
		cr_assert(out_next(&out), "what was accepted is whole");
	}
	out_close(&out);
}

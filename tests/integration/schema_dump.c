/* Prints one message of every kind that livecore writes, each as "schema-name<TAB>json", for
 * schema_check.py. */
#include "livecore/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_NS INT64_C(1772638200120400000)

static void print_tick(const struct lc_message_context *context, const char *symbol_text,
	struct lc_tick tick, struct lc_price_context extra)
{
	struct lc_symbol symbol;
	char out[LC_PRICE_UPDATE_MAX];
	size_t len;
	if (lc_symbol_parse(symbol_text, strlen(symbol_text), &symbol) != LC_OK) {
		abort();
	}
	extra.symbol = &symbol;
	tick.received_ns = NOW_NS;
	if (lc_price_update_encode(context, &tick, &extra, out, &len) != LC_OK) {
		abort();
	}
	printf("price_update\t%.*s\n", (int)len, out);
}

static void print_ticks(const struct lc_message_context *context)
{
	struct lc_decimal last = {68415, -3};
	print_tick(context, "KO",
		(struct lc_tick){.kind = LC_TICK_TRADE,
			.effect = LC_UPDATES_VOLUME,
			.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_TRADE_ID | LC_HAS_PREV_CLOSE,
			.flags = LC_FLAG_LATE | LC_FLAG_BACKFILLED,
			.price = last,
			.volume = {25, 0},
			.trade_id = 71203,
			.seq = 3,
			.conflated = 2,
			.delayed = true,
			.exchange = "V",
			.feed = "iex",
			.conditions = {.count = 2, .code = {"@", " "}}},
		(struct lc_price_context){.source = "alpaca",
			.session = "open",
			.trace_id = "4bf9",
			.span_id = "00f0",
			.halted = true});
	print_tick(context, "BRK.B",
		(struct lc_tick){.kind = LC_TICK_QUOTE,
			.has = LC_HAS_BID,
			.bid = last,
			.conflated = 1,
			.seq = 2},
		(struct lc_price_context){.source = "alpaca", .last_price = &last});
	struct lc_tick snapshot = {.kind = LC_TICK_SNAPSHOT,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW,
		.price = last,
		.open = last,
		.high = last,
		.low = last,
		.volume = {1234, 2},
		.seq = 1};
	print_tick(context, "00700.HK", snapshot, (struct lc_price_context){.source = "fushu"});
	print_tick(context, "600519.SH", snapshot,
		(struct lc_price_context){.source = "bar_snapshot", .bar = true});
}

static void print_bars(const struct lc_message_context *context)
{
	struct lc_symbol symbol;
	char out[LC_BAR_MAX];
	(void)lc_symbol_parse("600519.SH", 9, &symbol);
	struct lc_bar bar = {.final = true, .complete = true, .start_ns = NOW_NS, .tick_count = 7};
	for (enum lc_period period = LC_PERIOD_1M; period <= LC_PERIOD_1D; period++) {
		bar.period = (uint8_t)period;
		bar.open = bar.high = bar.low = bar.close = (struct lc_decimal){141288, -2};
		bar.has = (uint8_t)(period == LC_PERIOD_1D ? 7 : 0);
		bar.gap_volume = lc_decimal_from_int(period == LC_PERIOD_1D ? 300 : 0);
		size_t len = lc_bar_encode(context, &bar, &symbol, "live", out);
		printf("bar\t%.*s\n", (int)len, out);
	}
}

static void print_buf(const char *schema, struct lc_buf *out)
{
	printf("%s\t%s\n", schema, lc_buf_text(out));
	lc_buf_clear(out);
}

static void print_others(const struct lc_message_context *context)
{
	struct lc_buf out;
	lc_buf_init(&out, 1 << 16);
	const struct lc_field alert[] = {LC_S("alert_type", "feed_mute"), LC_I("threshold", 30),
		LC_J("affected_codes", "[\"KO\"]"), {.type = LC_FIELD_END}};
	lc_system_event_encode(context, "started", "id-1", NOW_NS, alert + 3, &out);
	print_buf("system_event", &out);
	lc_notification_encode(
		context, "data_collection_alert", LC_SEVERITY_WARNING, NOW_NS, alert, &out);
	print_buf("notification", &out);
	const char *const symbols[] = {"KO", "000001.SZ"};
	lc_interest_update_encode(context, "p", LC_INTEREST_ADD, symbols, 2, NOW_NS, &out);
	print_buf("interest_update", &out);
	const struct lc_field params[] = {LC_J("codes", "[\"KO\"]"), LC_B("full", true),
		LC_I("days", 5), {.type = LC_FIELD_END}};
	lc_control_command_encode(context, "update_data", "r-1", "cli", params, NOW_NS, &out);
	print_buf("control_command", &out);
	lc_buf_finish(&out);
}

int main(void)
{
	struct lc_zone *zone;
	if (lc_zone_load("Asia/Shanghai", &zone, NULL) != LC_OK) {
		return 1;
	}
	for (int format = LC_TIME_UTC; format <= LC_TIME_NAIVE; format++) {
		struct lc_message_context context = {
			.time_format = (enum lc_time_format)format,
			.naive_zone = zone,
			.zones = {zone, zone, zone},
			.node_id = "node-1",
			.stream = "node-1-0001",
		};
		print_ticks(&context);
		print_bars(&context);
		print_others(&context);
	}
	lc_zone_destroy(zone);
	return 0;
}

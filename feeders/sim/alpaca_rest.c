/* Alpaca's REST answers that a feeder asks for: snapshots of the symbols it begins to follow, and
 * the way to what was missed. */
#include "alpaca_priv.h"

#include <stdlib.h>
#include <string.h>

static bool authorised(struct sim *sim, struct lc_exchange *exchange)
{
	const char *key = lc_exchange_header(exchange, "apca-api-key-id");
	const char *secret = lc_exchange_header(exchange, "apca-api-secret-key");
	const char *known = sim->options.key != NULL ? sim->options.key : "demo-key";
	return key != NULL && secret != NULL && strcmp(key, known) == 0 &&
	       strcmp(secret, sim->options.secret) == 0;
}

/* REST objects are the stream's without T and S. */
static void put_trade(struct lc_buf *out, const struct sim_symbol *symbol, int64_t id)
{
	char time[40];
	sim_format_time(symbol->trade_ns ? symbol->trade_ns : symbol->time_ns, time);
	lc_buf_printf(out, "\"latestTrade\":{\"t\":\"%s\",\"x\":\"V\",\"p\":", time);
	sim_put_price(out, symbol->last);
	lc_buf_printf(out, ",\"s\":%lld,\"c\":[\"@\"%s],\"i\":%lld,\"z\":\"C\"}",
		(long long)symbol->last_size, symbol->last_size < 100 ? ",\"I\"" : "",
		(long long)id);
}

static void put_quote(struct lc_buf *out, const struct sim_symbol *symbol)
{
	char time[40];
	sim_format_time(symbol->time_ns, time);
	lc_buf_printf(out, ",\"latestQuote\":{\"t\":\"%s\",\"ax\":\"V\",\"ap\":", time);
	sim_put_price(out, symbol->ask[0]);
	lc_buf_printf(out, ",\"as\":%lld,\"bx\":\"V\",\"bp\":", (long long)symbol->ask_size[0]);
	sim_put_price(out, symbol->bid[0]);
	lc_buf_printf(
		out, ",\"bs\":%lld,\"c\":[\"R\"],\"z\":\"C\"}", (long long)symbol->bid_size[0]);
}

static void put_bar(struct lc_buf *out, const char *name, const struct sim_bar *bar)
{
	char time[40];
	sim_format_time(bar->minute * 60 * LC_NS_PER_S, time);
	const struct {
		const char *key;
		int64_t value;
	} prices[] = {{"o", bar->open}, {"h", bar->high}, {"l", bar->low}, {"c", bar->close}};
	lc_buf_printf(out, ",\"%s\":{\"t\":\"%s\"", name, time);
	for (size_t i = 0; i < sizeof(prices) / sizeof(prices[0]); i++) {
		lc_buf_printf(out, ",\"%s\":", prices[i].key);
		sim_put_price(out, prices[i].value);
	}
	lc_buf_printf(out, ",\"v\":%lld,\"n\":%lld,\"vw\":", (long long)bar->volume,
		(long long)bar->trades);
	sim_put_price(out, bar->volume > 0 ? bar->value / bar->volume : bar->close);
	lc_buf_putc(out, '}');
}

static void put_snapshot(struct sim *sim, struct lc_buf *out, struct sim_symbol *symbol)
{
	struct alpaca *alpaca = sim->state;
	int64_t day = symbol->time_ns / (86400 * LC_NS_PER_S) * 1440;
	struct sim_bar daily = {.minute = day + 240,
		.open = symbol->open,
		.high = symbol->high,
		.low = symbol->low,
		.close = symbol->lot_last,
		.volume = symbol->volume,
		.value = symbol->value,
		.trades = symbol->trades};
	struct sim_bar before = {.minute = day + 240 - 1440,
		.open = symbol->prev_close,
		.high = symbol->prev_close,
		.low = symbol->prev_close,
		.close = symbol->prev_close};
	lc_buf_putc(out, '{');
	put_trade(out, symbol, alpaca->trade_id - 1);
	if (symbol->bid[0] > 0) {
		put_quote(out, symbol);
	}
	put_bar(out, "minuteBar", symbol->bar.minute != 0 ? &symbol->bar : &daily);
	put_bar(out, "dailyBar", &daily);
	if (symbol->prev_close > 0) {
		put_bar(out, "prevDailyBar", &before);
	} else {
		lc_buf_puts(out, ",\"prevDailyBar\":null");
	}
	lc_buf_putc(out, '}');
}

static void put_symbol(struct sim *sim, struct lc_buf *out, const char *text)
{
	lc_buf_json_string(out, text, strlen(text));
	lc_buf_putc(out, ':');
	bool rejected = sim_in_list(sim->options.reject, text);
	struct sim_symbol *symbol = rejected ? NULL : sim_walk_symbol(sim->walk, text);
	if (symbol == NULL) {
		lc_buf_puts(out, "null");
		return;
	}
	if (symbol->time_ns == 0) {
		symbol->time_ns = lc_loop_wall_ns(sim->loop);
	}
	put_snapshot(sim, out, symbol);
}

static void serve_snapshots(struct sim *sim, struct lc_exchange *exchange, const char *symbols)
{
	struct lc_buf out;
	lc_buf_init(&out, 8 << 20);
	lc_buf_putc(&out, '{');
	for (const char *p = symbols; *p != '\0';) {
		char text[20];
		size_t len = strcspn(p, ",");
		size_t kept = len < sizeof(text) ? len : sizeof(text) - 1;
		memcpy(text, p, kept);
		text[kept] = '\0';
		lc_buf_puts(&out, p == symbols ? "" : ",");
		put_symbol(sim, &out, text);
		p += len + (p[len] == ',');
	}
	lc_buf_puts(&out, "}\n");
	sim_reply_json(exchange, 200, &out);
}

void rest_message(struct lc_exchange *exchange, int status, const char *message)
{
	struct lc_buf out;
	lc_buf_init(&out, 256);
	lc_buf_printf(&out, "{\"message\":\"%s\"}\n", message);
	sim_reply_json(exchange, status, &out);
}

void rest_request(struct sim *sim, struct lc_exchange *exchange)
{
	const char *symbols = lc_exchange_query(exchange, "symbols");
	const char *path = lc_exchange_request(exchange)->path;
	bool trades = strcmp(path, "/v2/stocks/trades") == 0;
	bool bars = strcmp(path, "/v2/stocks/bars") == 0;
	if (!trades && !bars && strcmp(path, "/v2/stocks/snapshots") != 0) {
		rest_message(exchange, 404, "endpoint not found.");
	} else if (!authorised(sim, exchange)) {
		sim->stats.auth_failures++;
		rest_message(exchange, 403, "forbidden.");
	} else if (symbols == NULL || symbols[0] == '\0') {
		rest_message(exchange, 400, "symbols is required");
	} else if (trades || bars) {
		history_serve(sim, exchange, bars);
	} else {
		serve_snapshots(sim, exchange, symbols);
	}
}

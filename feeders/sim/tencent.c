/* Tencent's quote server: one text line a symbol, fields between tildes, names in GBK. Faults
 * beside the common ones: mute and half-open (no answer), cut (an empty body), malformed (a page),
 * correct (a body that breaks off), duplicate (a row twice), zero (a last price of 0). */
#include "sim_priv.h"

#include "livecore/zone.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SYMBOLS 1000
#define FOLLOWED_AFTER_POLL_NS (60 * LC_NS_PER_S)
#define CN_FIELDS 62
#define HK_FIELDS 78
#define WAN 10000

struct tencent {
	int64_t followed_until_ns[SIM_SYMBOLS_MAX];
	struct lc_zone *new_york;
};

static const struct prefix {
	const char *text, *suffix;
	size_t digits; /* 0: US */
	const char *market;
} prefixes[] = {
	{"sh", ".SH", 6, "1"},
	{"sz", ".SZ", 6, "51"},
	{"bj", ".BJ", 6, "62"},
	{"r_hk", ".HK", 5, "100"},
	{"hk", ".HK", 5, "100"},
	{"us", "", 0, "200"},
};

struct asked {
	const char *key; /* as it was asked for; not terminated */
	size_t key_len;
	const struct prefix *prefix;
	struct sim_symbol *symbol;
	bool utf8;
};

static bool find(struct sim *sim, const char *text, size_t len, struct asked *out)
{
	char name[24];
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const struct prefix *prefix = &prefixes[i];
		size_t start = strlen(prefix->text);
		if (len <= start || len >= 16 || memcmp(text, prefix->text, start) != 0) {
			continue;
		}
		snprintf(name, sizeof(name), "%.*s%s", (int)(len - start), text + start,
			prefix->suffix);
		size_t digits = strspn(text + start, "0123456789");
		if ((prefix->digits > 0 &&
			    (digits < prefix->digits || len - start != prefix->digits)) ||
			sim_in_list(sim->options.reject, name)) {
			return false;
		}
		*out = (struct asked){.key = text,
			.key_len = len,
			.prefix = prefix,
			.symbol = sim_walk_symbol(sim->walk, name)};
		return out->symbol != NULL;
	}
	return false;
}

/* --- fields --- */

/* Some names hold a character whose second byte in GBK is a tilde. */
static void put_name(const struct asked *asked, struct lc_buf *out)
{
	bool tilde = asked->symbol->index % 2 == 1;
	if (asked->utf8) {
		lc_buf_puts(out, tilde ? "模拟\xe5\xaa\xac" : "模拟");
	} else {
		lc_buf_puts(out, tilde ? "\xc4\xa3\xc4\xe2\x8b\x7e" : "\xc4\xa3\xc4\xe2");
	}
}

static void put_fixed(struct lc_buf *out, int64_t value, int decimals)
{
	lc_buf_printf(out, "%.*f", decimals, (double)value / SIM_PRICE_SCALE);
}

static void put_time(const struct sim *sim, const struct sim_symbol *symbol, struct lc_buf *out)
{
	const struct tencent *tencent = sim->state;
	bool us = symbol->market == SIM_US;
	int64_t east_ns = us ? 0 : 8 * 3600 * LC_NS_PER_S;
	struct lc_civil c = lc_civil_from_ns(
		us ? tencent->new_york : NULL, symbol->time_ns + east_ns);
	const char *day = symbol->market == SIM_CN ? "" : us ? "-" : "/";
	const char *gap = day[0] ? " " : "", *colon = day[0] ? ":" : "";
	lc_buf_printf(out, "%04d%s%02d%s%02d%s%02d%s%02d%s%02d", c.year, day, c.month, day, c.day,
		gap, c.hour, colon, c.minute, colon, c.second);
}

/* 9 … 28: five bids, then five asks, as price, size in lots. Hong Kong and the US repeat the last
 * price at both best levels. */
static void put_ladder(const struct sim_symbol *symbol, size_t at, int decimals, struct lc_buf *out)
{
	bool bid = at < 19;
	size_t level = (at - (bid ? 9 : 19)) / 2;
	bool price = (at - (bid ? 9 : 19)) % 2 == 0;
	if (symbol->market != SIM_CN) {
		if (price && level == 0) {
			put_fixed(out, symbol->last, decimals);
		} else {
			lc_buf_putc(out, '0');
		}
	} else if (price) {
		put_fixed(out, bid ? symbol->bid[level] : symbol->ask[level], decimals);
	} else {
		lc_buf_int(out,
			(bid ? symbol->bid_size[level] : symbol->ask_size[level]) / symbol->lot);
	}
}

static void put_volume(const struct sim_symbol *symbol, struct lc_buf *out)
{
	bool china = symbol->market == SIM_CN;
	lc_buf_int(out, china ? symbol->volume / symbol->lot : symbol->volume);
	if (symbol->market == SIM_HK) {
		lc_buf_puts(out, ".0");
	}
}

static void put_amount(const struct sim_symbol *symbol, struct lc_buf *out)
{
	int64_t money = symbol->value / SIM_PRICE_SCALE;
	if (symbol->market == SIM_CN) {
		lc_buf_int(out, money / WAN);
	} else {
		lc_buf_printf(out, "%lld.%03lld", (long long)money,
			(long long)(symbol->value % SIM_PRICE_SCALE / 10));
	}
}

static void put_triple(const struct sim_symbol *symbol, int decimals, struct lc_buf *out)
{
	put_fixed(out, symbol->last, decimals);
	if (symbol->market == SIM_CN) {
		lc_buf_putc(out, '/');
		put_volume(symbol, out);
		lc_buf_printf(out, "/%lld", (long long)(symbol->value / SIM_PRICE_SCALE));
	}
}

static void put_limit(const struct sim_symbol *symbol, bool up, struct lc_buf *out)
{
	if (symbol->market == SIM_CN) {
		put_fixed(out, sim_symbol_limit(symbol, up ? 1 : -1), symbol->decimals);
	} else if (up) {
		lc_buf_puts(out, "1.11"); /* another market's field */
	} else {
		put_fixed(out, symbol->prev_close * 2, symbol->decimals);
	}
}

static bool put_price(const struct sim_symbol *symbol, size_t at, int decimals, struct lc_buf *out)
{
	int64_t change = symbol->last - symbol->prev_close, close = symbol->prev_close;
	int64_t percent = close > 0 ? change * 100 * SIM_PRICE_SCALE / close : 0;
	const struct {
		size_t at;
		int64_t value;
	} prices[] = {{3, symbol->last}, {4, symbol->prev_close}, {5, symbol->open}, {31, change},
		{32, percent}, {33, symbol->high}, {34, symbol->low}};
	for (size_t i = 0; i < sizeof(prices) / sizeof(prices[0]); i++) {
		if (prices[i].at == at) {
			put_fixed(out, prices[i].value, at == 32 ? 2 : decimals);
			return true;
		}
	}
	return false;
}

static bool put_text(const struct asked *asked, size_t at, struct lc_buf *out)
{
	const struct sim_symbol *symbol = asked->symbol;
	switch (at) {
	case 0:
		lc_buf_puts(out, asked->prefix->market);
		return true;
	case 1:
		put_name(asked, out);
		return true;
	case 2:
		lc_buf_append(
			out, symbol->text, strlen(symbol->text) - strlen(asked->prefix->suffix));
		lc_buf_puts(out, symbol->market == SIM_US ? ".OQ" : "");
		return true;
	case 46:
		lc_buf_puts(out, symbol->market == SIM_CN ? "0.79" : "SIMULATED");
		return true;
	case 75:
		lc_buf_puts(out, symbol->market == SIM_HK ? "HKD" : "USD");
		return true;
	default:
		return false;
	}
}

static void put_field(
	const struct sim *sim, const struct asked *asked, size_t at, struct lc_buf *out)
{
	const struct sim_symbol *symbol = asked->symbol;
	bool penny = symbol->prev_close < 2 * SIM_PRICE_SCALE;
	int decimals = symbol->market != SIM_US ? symbol->decimals : penny ? 4 : 2;
	if (put_price(symbol, at, decimals, out)) {
		return;
	}
	if (at >= 9 && at <= 28) {
		put_ladder(symbol, at, decimals, out);
		return;
	}
	if (put_text(asked, at, out)) {
		return;
	}
	switch (at) {
	case 6:
	case 36:
		put_volume(symbol, out);
		break;
	case 30:
		put_time(sim, symbol, out);
		break;
	case 35:
		put_triple(symbol, decimals, out);
		break;
	case 37:
		put_amount(symbol, out);
		break;
	case 47:
	case 48:
		put_limit(symbol, at == 47, out);
		break;
	default: /* what livecore does not read: outer and inner volume, ratios */
		lc_buf_puts(out, at % 7 == 1 ? "" : "0");
		break;
	}
}

static void put_row(struct sim *sim, const struct asked *asked, struct lc_buf *out)
{
	struct sim_symbol *symbol = asked->symbol;
	int64_t last = symbol->last;
	if (sim_faults_take(&sim->faults.zero_left)) {
		symbol->last = 0;
	}
	lc_buf_printf(out, "v_%.*s=\"", (int)asked->key_len, asked->key);
	size_t fields = symbol->market == SIM_CN ? CN_FIELDS : HK_FIELDS;
	for (size_t i = 0; i < fields; i++) {
		if (i > 0) {
			lc_buf_putc(out, '~');
		}
		put_field(sim, asked, i, out);
	}
	lc_buf_puts(out, "\";\n");
	sim->stats.ticks++;
	sim->stats.snapshots++;
	sim_sent_add(sim, &(struct sim_sent){.time_ns = symbol->time_ns / LC_NS_PER_S * LC_NS_PER_S,
				  .symbol = symbol->text,
				  .kind = "snapshot",
				  .id = symbol->volume,
				  .price = symbol->last,
				  .volume = symbol->volume,
				  .amount = -1,
				  .bid = symbol->bid[0],
				  .ask = symbol->ask[0],
				  .bid_size = symbol->bid_size[0],
				  .ask_size = symbol->ask_size[0]});
	symbol->last = last;
}

/* --- answers --- */

static bool is_tape(const struct sim *sim, const struct sim_symbol *symbol)
{
	return sim->tape != NULL && strcmp(sim->tape->symbol, symbol->text) == 0;
}

static void put_rows(struct sim *sim, const char *symbols, bool utf8, struct lc_buf *out)
{
	struct tencent *tencent = sim->state;
	int64_t mono_ns = lc_loop_mono_ns(sim->loop);
	size_t count = 0;
	for (const char *p = symbols; *p != '\0' && count < MOST_SYMBOLS; count++) {
		size_t len = strcspn(p, ",");
		struct asked asked;
		bool known = find(sim, p, len, &asked);
		p += len + (p[len] == ',');
		if (!known) {
			continue;
		}
		asked.utf8 = utf8;
		tencent->followed_until_ns[asked.symbol->index] = mono_ns + FOLLOWED_AFTER_POLL_NS;
		if (is_tape(sim, asked.symbol) && isinf(sim->options.speed)) {
			sim_tape_advance(sim, asked.symbol, mono_ns); /* a row a poll */
		}
		if (asked.symbol->time_ns == 0) {
			asked.symbol->time_ns = lc_loop_wall_ns(sim->loop);
		}
		put_row(sim, &asked, out);
		if (sim_faults_take(&sim->faults.duplicate_left)) {
			put_row(sim, &asked, out);
		}
	}
	if (out->len == 0) {
		lc_buf_puts(out, "v_pv_none_match=\"1\";\n");
	}
	sim_log_subscribe(sim, count, strlen(symbols), false);
}

static void reply(struct lc_exchange *exchange, const char *type, struct lc_buf *body)
{
	const struct lc_response response = {.status = 200, .content_type = type};
	lc_exchange_respond_buf(exchange, &response, body);
	lc_buf_finish(body);
}

static void on_request(struct sim *sim, struct lc_exchange *exchange)
{
	const struct lc_request *request = lc_exchange_request(exchange);
	bool utf8 = strncmp(request->path, "/utf8/", 6) == 0;
	const char *path = request->path + (utf8 ? 5 : 0);
	if (request->upgrade || strncmp(path, "/q=", 3) != 0) {
		lc_exchange_fail(exchange, 404, "not found");
		return;
	}
	if (sim_held_back(sim) != NULL) {
		return; /* no answer comes: the client has to give up by itself */
	}
	struct lc_buf out;
	lc_buf_init(&out, 4 << 20);
	if (!sim_poll_spoiled(sim, &out)) {
		put_rows(sim, path + 3, utf8, &out);
		sim_poll_break_off(sim, &out);
	}
	sim_sent_flush(sim);
	reply(exchange, utf8 ? "text/html; charset=UTF-8" : "text/html; charset=GBK", &out);
}

/* At full speed a poll takes the next row instead. */
static void play_tape(struct sim *sim, int64_t mono_ns)
{
	const struct tencent *tencent = sim->state;
	struct sim_symbol *symbol = sim_walk_symbol(sim->walk, sim->tape->symbol);
	if (symbol != NULL && tencent->followed_until_ns[symbol->index] != 0 &&
		!isinf(sim->options.speed)) {
		sim_tape_advance(sim, symbol, mono_ns);
	}
}

static void on_turn(struct sim *sim, int64_t mono_ns, int64_t wall_ns)
{
	if (sim->tape != NULL) {
		play_tape(sim, mono_ns);
		return;
	}
	uint64_t due = sim_due(sim, mono_ns);
	while (sim_next_trade(sim, &due, wall_ns) != NULL) {
	}
}

static bool is_followed(const struct sim *sim, size_t index)
{
	const struct tencent *tencent = sim->state;
	return tencent->followed_until_ns[index] > lc_loop_mono_ns(sim->loop);
}

static enum lc_err start(struct sim *sim, struct lc_error *err)
{
	struct tencent *tencent = calloc(1, sizeof(*tencent));
	if (tencent == NULL) {
		return LC_ERR_NOMEM;
	}
	sim->state = tencent;
	return lc_zone_load("America/New_York", &tencent->new_york, err);
}

static void stop(struct sim *sim)
{
	struct tencent *tencent = sim->state;
	lc_zone_destroy(tencent->new_york);
	free(tencent);
}

const struct sim_vendor sim_tencent = {
	.name = "tencent",
	.faults = SIM_FAULT_BIT(SIM_FAULT_QUIET_HK),
	.scheme = "http",
	.path = "",
	.tapes = SIM_TAPES_OF_SNAPSHOTS,
	.start = start,
	.on_request = on_request,
	.on_turn = on_turn,
	.on_fault = sim_poll_fault,
	.is_followed = is_followed,
	.stop = stop,
};

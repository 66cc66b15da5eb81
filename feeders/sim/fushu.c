/* FuShu as the replaced system describes it: one poll for all symbols, in two shapes of answer. The
 * vendor itself is unverified. Faults beside the common ones are Tencent's. */
#include "sim_priv.h"

#include "livecore/zone.h"

#include <stdlib.h>
#include <string.h>

#define MOST_SYMBOLS 1000

struct fushu {
	bool followed[SIM_SYMBOLS_MAX];
};

/* Hong Kong time without a zone, as `datetime.fromisoformat` of old Pythons reads it. */
static void put_time(struct lc_buf *out, int64_t time_ns)
{
	struct lc_civil c = lc_civil_from_ns(NULL, time_ns + 8 * 3600 * LC_NS_PER_S);
	lc_buf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06d\"", c.year, c.month, c.day, c.hour,
		c.minute, c.second, c.nanosecond / 1000);
}

static void put_number(struct lc_buf *out, const char *key, int64_t value, bool price)
{
	lc_buf_printf(out, ",\"%s\":", key);
	if (price) {
		sim_put_price(out, value);
	} else {
		lc_buf_int(out, value);
	}
}

static void put_row(struct sim *sim, struct lc_buf *out, const struct sim_symbol *symbol)
{
	bool zero = sim_faults_take(&sim->faults.zero_left);
	int64_t price = zero ? 0 : symbol->last;
	if (strcmp(sim->options.shape, "spec") == 0) {
		lc_buf_printf(out, "{\"code\":\"%.5s\"", symbol->text);
		put_number(out, "price", price, true);
		put_number(out, "volume", symbol->volume, false);
		put_number(out, "amount", symbol->value, true);
	} else {
		lc_buf_printf(out, "{\"symbol\":\"%s\"", symbol->text);
		put_number(out, "price", price, true);
		put_number(out, "volume", symbol->volume, false);
		lc_buf_puts(out, ",\"timestamp\":");
		put_time(out, symbol->time_ns);
		put_number(out, "bid_price", symbol->bid[0], true);
		put_number(out, "ask_price", symbol->ask[0], true);
		put_number(out, "bid_volume", symbol->bid_size[0], false);
		put_number(out, "ask_volume", symbol->ask_size[0], false);
	}
	lc_buf_putc(out, '}');
	sim->stats.ticks++;
	sim->stats.snapshots++;
	bool spec = strcmp(sim->options.shape, "spec") == 0;
	/* The shape "spec" says no time. */
	sim_sent_add(sim, &(struct sim_sent){.time_ns = spec ? 0 : symbol->time_ns,
				  .symbol = symbol->text,
				  .kind = "snapshot",
				  .id = symbol->volume,
				  .price = price,
				  .volume = symbol->volume,
				  .amount = spec ? symbol->value : -1,
				  .bid = spec ? 0 : symbol->bid[0],
				  .ask = spec ? 0 : symbol->ask[0],
				  .bid_size = spec ? 0 : symbol->bid_size[0],
				  .ask_size = spec ? 0 : symbol->ask_size[0],
				  .mark = zero ? "zero" : NULL});
}

/* Hong Kong symbols alone; others and refused ones are left out of the answer. */
static struct sim_symbol *find(struct sim *sim, const char *text, size_t len)
{
	char name[20];
	if (len != 8 || memcmp(text + 5, ".HK", 3) != 0 || strspn(text, "0123456789") < 5) {
		return NULL;
	}
	memcpy(name, text, len);
	name[len] = '\0';
	return sim_in_list(sim->options.reject, name) ? NULL : sim_walk_symbol(sim->walk, name);
}

static void put_rows(struct sim *sim, struct lc_buf *out, const char *symbols)
{
	struct fushu *fushu = sim->state;
	memset(fushu->followed, 0, sizeof(fushu->followed));
	bool first = true;
	size_t count = 0;
	for (const char *p = symbols; *p != '\0' && count < MOST_SYMBOLS; count++) {
		size_t len = strcspn(p, ",");
		struct sim_symbol *symbol = find(sim, p, len);
		p += len + (p[len] == ',');
		if (symbol == NULL) {
			continue;
		}
		if (symbol->time_ns == 0) {
			sim_symbol_trade(symbol, lc_loop_wall_ns(sim->loop));
		}
		fushu->followed[symbol->index] = true;
		lc_buf_puts(out, first ? "" : ",");
		first = false;
		put_row(sim, out, symbol);
		if (sim_faults_take(&sim->faults.duplicate_left)) {
			lc_buf_putc(out, ',');
			put_row(sim, out, symbol);
		}
	}
	if (count > 0) { /* a probe asks for nothing */
		sim_log_subscribe(sim, count, strlen(symbols), false);
	}
}

static bool authorised(struct sim *sim, struct lc_exchange *exchange)
{
	if (sim->options.key == NULL) {
		return true;
	}
	const char *header = lc_exchange_header(exchange, "authorization");
	bool ok = header != NULL && strncmp(header, "Bearer ", 7) == 0 &&
		  strcmp(header + 7, sim->options.key) == 0;
	sim->stats.auths += ok;
	sim->stats.auth_failures += !ok;
	return ok;
}

static void on_request(struct sim *sim, struct lc_exchange *exchange)
{
	const struct lc_request *request = lc_exchange_request(exchange);
	if (request->upgrade || strcmp(request->path, "/v1/tick") != 0) {
		lc_exchange_fail(exchange, 404, "not found");
		return;
	}
	if (!authorised(sim, exchange)) {
		lc_exchange_fail(exchange, 401, "unauthorized");
		return;
	}
	if (sim_held_back(sim) != NULL) {
		return; /* no answer comes: the client has to give up by itself */
	}
	struct lc_buf out;
	lc_buf_init(&out, 4 << 20);
	const char *symbols = lc_exchange_query(exchange, "symbols");
	if (!sim_poll_spoiled(sim, &out)) {
		lc_buf_puts(&out, "{\"data\":[");
		put_rows(sim, &out, symbols != NULL ? symbols : "");
		lc_buf_puts(&out, "]}");
		sim_poll_break_off(sim, &out);
	}
	sim_sent_flush(sim);
	sim_reply_json(exchange, 200, &out);
}

static void on_turn(struct sim *sim, int64_t mono_ns, int64_t wall_ns)
{
	uint64_t due = sim_due(sim, mono_ns);
	while (sim_next_trade(sim, &due, wall_ns) != NULL) {
	}
}

static bool is_followed(const struct sim *sim, size_t index)
{
	const struct fushu *fushu = sim->state;
	return fushu->followed[index];
}

static enum lc_err start(struct sim *sim, struct lc_error *err)
{
	(void)err;
	sim->state = calloc(1, sizeof(struct fushu));
	return sim->state != NULL ? LC_OK : LC_ERR_NOMEM;
}

static void stop(struct sim *sim)
{
	free(sim->state);
}

const struct sim_vendor sim_fushu = {
	.name = "fushu",
	.faults = SIM_FAULT_BIT(SIM_FAULT_QUIET_HK),
	.scheme = "http",
	.path = "/v1",
	.start = start,
	.on_request = on_request,
	.on_turn = on_turn,
	.on_fault = sim_poll_fault,
	.is_followed = is_followed,
	.stop = stop,
};

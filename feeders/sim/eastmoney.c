/* EastMoney's push2: polls, event streams, and the WebSocket that only the replaced system
 * knows. */
#include "eastmoney_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FOLLOWED_AFTER_POLL_NS (60 * LC_NS_PER_S)

static unsigned server_number(struct sim *sim)
{
	return 177542000u + (unsigned)(sim_random(&sim->random) % 100000);
}

void em_put_head(struct sim *sim, struct lc_buf *out, int rc, int rt, bool full)
{
	lc_buf_printf(out,
		"{\"rc\":%d,\"rt\":%d,\"svr\":%u,\"lt\":1,\"full\":%d,\"dlmkts\":\"\",\"data\":",
		rc, rt, server_number(sim), full);
}

void em_count(struct sim *sim, const struct sim_symbol *symbol, bool socket)
{
	bool lots = symbol->market == SIM_CN &&
		    !(socket && strcmp(sim->options.ws_volume, "shares") == 0);
	int64_t volume = lots ? symbol->volume / 100 * 100 : symbol->volume;
	sim->stats.ticks++;
	sim->stats.snapshots++;
	/* Money is said with one decimal but on the socket, times in whole seconds. */
	sim_sent_add(sim, &(struct sim_sent){.time_ns = symbol->time_ns / LC_NS_PER_S * LC_NS_PER_S,
				  .symbol = symbol->text,
				  .kind = "snapshot",
				  .id = volume,
				  .price = symbol->last,
				  .volume = volume,
				  .amount = socket ? symbol->value : symbol->value / 1000 * 1000,
				  .bid = symbol->bid[0],
				  .ask = symbol->ask[0],
				  .bid_size = symbol->bid_size[0],
				  .ask_size = symbol->ask_size[0]});
}

void em_follow(struct sim *sim, const struct em_query *query, int64_t until_ns)
{
	struct eastmoney *em = sim->state;
	int64_t now_ns = lc_loop_wall_ns(sim->loop);
	for (size_t i = 0; i < query->row_count; i++) {
		struct sim_symbol *symbol = query->rows[i];
		int64_t *until = &em->followed_until_ns[symbol->index];
		*until = *until > until_ns ? *until : until_ns;
		if (symbol->time_ns == 0) {
			symbol->time_ns = now_ns;
		}
	}
}

/* Streams and sockets may have left: what they followed is followed no more. */
void em_refollow(struct sim *sim)
{
	struct eastmoney *em = sim->state;
	for (size_t i = 0; i < SIM_SYMBOLS_MAX; i++) {
		if (em->followed_until_ns[i] == INT64_MAX) {
			em->followed_until_ns[i] = 0;
		}
	}
	lc_list_each (node, &em->streams) {
		em_follow(sim, &container_of(node, struct em_stream, node)->query, INT64_MAX);
	}
	lc_list_each (node, &em->sockets) {
		const struct em_ws *ws = container_of(node, struct em_ws, node);
		for (size_t i = 0; i < sim_walk_count(sim->walk); i++) {
			em->followed_until_ns[i] = ws->follows[i] ? INT64_MAX
								  : em->followed_until_ns[i];
		}
	}
}

/* The tape's next due row becomes its symbol's state; NULL when none is due. */
static struct sim_symbol *advance_tape(struct sim *sim, int64_t mono_ns)
{
	struct eastmoney *em = sim->state;
	struct sim_symbol *symbol = sim_walk_symbol(sim->walk, sim->tape->symbol);
	if (symbol == NULL || em->followed_until_ns[symbol->index] == 0) {
		return NULL;
	}
	return sim_tape_advance(sim, symbol, mono_ns) ? symbol : NULL;
}

/* Replaces out's content by its gzip form; false leaves it alone. */
static bool gzip(struct lc_buf *out)
{
	z_stream z = {0};
	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		return false;
	}
	struct lc_buf packed;
	lc_buf_init(&packed, 16 << 20);
	size_t room = deflateBound(&z, out->len);
	char *to = lc_buf_reserve(&packed, room);
	z.next_in = (unsigned char *)out->data;
	z.avail_in = (unsigned)out->len;
	z.next_out = (unsigned char *)to;
	z.avail_out = (unsigned)room;
	bool ok = to != NULL && deflate(&z, Z_FINISH) == Z_STREAM_END;
	packed.len = ok ? z.total_out : 0;
	deflateEnd(&z);
	if (ok) {
		lc_buf_finish(out);
		*out = packed;
	} else {
		lc_buf_finish(&packed);
	}
	return ok;
}

static bool callback_name(const char *cb)
{
	return cb != NULL && cb[0] != '\0' && strlen(cb) < 100 &&
	       strspn(cb, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.") ==
		       strlen(cb);
}

static void reply(struct sim *sim, struct lc_exchange *exchange, struct lc_buf *body)
{
	const char *cb = lc_exchange_query(exchange, "cb");
	const char *accept = lc_exchange_header(exchange, "accept-encoding");
	if (callback_name(cb)) {
		struct lc_buf wrapped;
		lc_buf_init(&wrapped, 16 << 20);
		lc_buf_printf(&wrapped, "%s(", cb);
		lc_buf_append(&wrapped, body->data, body->len);
		lc_buf_puts(&wrapped, ");");
		lc_buf_finish(body);
		*body = wrapped;
	}
	sim_sent_flush(sim);
	bool packed = accept != NULL && strstr(accept, "gzip") != NULL && gzip(body);
	const char *const headers[] = {"Content-Encoding: gzip", NULL};
	const struct lc_response response = {.status = 200,
		.content_type = callback_name(cb) ? "application/javascript; charset=UTF-8"
						  : "application/json; charset=UTF-8",
		.headers = packed ? headers : NULL};
	lc_exchange_respond_buf(exchange, &response, body);
	lc_buf_finish(body);
}

size_t em_say_row(struct sim *sim, const struct em_query *query, struct sim_symbol *symbol,
	uint32_t *known, struct lc_buf *out)
{
	int64_t last = symbol->last;
	if (sim_faults_take(&sim->faults.zero_left)) {
		symbol->last = 0;
	}
	size_t fields = em_put_row(query, symbol, known, out);
	if (fields > 0) {
		em_count(sim, symbol, false);
	}
	symbol->last = last;
	return fields;
}

/* Nobody listens to a stream or a socket. */
static bool is_polled(const struct sim *sim)
{
	const struct eastmoney *em = sim->state;
	return lc_list_empty(&em->streams) && lc_list_empty(&em->sockets);
}

static void put_list(struct sim *sim, const struct em_query *query, bool array, struct lc_buf *out)
{
	lc_buf_printf(out, "{\"total\":%zu,\"diff\":%c", query->row_count, array ? '[' : '{');
	for (size_t i = 0; i < query->row_count; i++) {
		lc_buf_puts(out, i == 0 ? "" : ",");
		if (!array) {
			lc_buf_printf(out, "\"%zu\":", i);
		}
		em_say_row(sim, query, query->rows[i], NULL, out);
		if (array && is_polled(sim) && sim_faults_take(&sim->faults.duplicate_left)) {
			lc_buf_putc(out, ',');
			em_put_row(query, query->rows[i], NULL, out);
		}
	}
	lc_buf_puts(out, array ? "]}" : "}}");
}

static void serve_get(struct sim *sim, struct lc_exchange *exchange, bool single, bool array)
{
	struct eastmoney *em = sim->state;
	struct em_query *query = &em->query;
	struct lc_buf out;
	lc_buf_init(&out, 16 << 20);
	bool read = em_query_read(sim, exchange, single, query);
	int64_t mono_ns = lc_loop_mono_ns(sim->loop);
	em_follow(sim, query, mono_ns + FOLLOWED_AFTER_POLL_NS);
	if (sim->tape != NULL && isinf(sim->options.speed)) {
		advance_tape(sim, mono_ns); /* a row a poll */
	}
	sim_log_subscribe(sim, query->row_count, 0, false);
	if (sim_poll_spoiled(sim, &out)) {
		reply(sim, exchange, &out);
		return;
	}
	if (!read || query->row_count == 0) {
		em_put_head(sim, &out, read && single ? 100 : 102, single ? 4 : 1, true);
		lc_buf_puts(&out, "null}");
	} else if (single) {
		em_put_head(sim, &out, 0, 4, true);
		em_put_row(query, query->rows[0], NULL, &out);
		lc_buf_putc(&out, '}');
		em_count(sim, query->rows[0], false);
	} else {
		em_put_head(sim, &out, 0, 11, true);
		put_list(sim, query, array, &out);
		lc_buf_putc(&out, '}');
	}
	sim_poll_break_off(sim, &out);
	reply(sim, exchange, &out);
}

static void serve_details(struct sim *sim, struct lc_exchange *exchange)
{
	const struct eastmoney *em = sim->state;
	const char *secid = lc_exchange_query(exchange, "secid");
	const char *pos = lc_exchange_query(exchange, "pos");
	struct sim_symbol *symbol = secid != NULL ? em_symbol(sim, secid, strlen(secid)) : NULL;
	bool asked = symbol != NULL && pos != NULL &&
		     lc_exchange_query(exchange, "fields2") != NULL;
	struct lc_buf out;
	lc_buf_init(&out, 16 << 20);
	em_put_head(sim, &out, asked ? 0 : 102, 12, asked);
	if (asked) {
		em_history_put(&em->history, symbol, strtoul(pos + (*pos == '-'), NULL, 10), &out);
	} else {
		lc_buf_puts(&out, "null");
	}
	lc_buf_putc(&out, '}');
	reply(sim, exchange, &out);
}

static void on_request(struct sim *sim, struct lc_exchange *exchange)
{
	const struct lc_request *request = lc_exchange_request(exchange);
	const char *path = request->path;
	if (request->upgrade) {
		if (strcmp(path, "/ws/qt/stock/klt.min") == 0) {
			em_ws_serve(sim, exchange);
		} else {
			lc_exchange_fail(exchange, 404, "not found");
		}
	} else if (strcmp(path, "/api/qt/stock/sse") == 0) {
		em_sse_serve(sim, exchange, true);
	} else if (strcmp(path, "/api/qt/ulist/sse") == 0 ||
		   strcmp(path, "/api/qt/ulist.np/sse") == 0) {
		em_sse_serve(sim, exchange, false);
	} else if (sim_held_back(sim) != NULL) {
		return; /* no answer comes: the client has to give up by itself */
	} else if (strcmp(path, "/api/qt/stock/details/get") == 0) {
		serve_details(sim, exchange);
	} else if (strcmp(path, "/api/qt/stock/get") == 0) {
		serve_get(sim, exchange, true, true);
	} else if (strcmp(path, "/api/qt/ulist.np/get") == 0) {
		serve_get(sim, exchange, false, true);
	} else if (strcmp(path, "/api/qt/ulist/get") == 0) {
		const char *np = lc_exchange_query(exchange, "np");
		serve_get(sim, exchange, false, np != NULL && strcmp(np, "1") == 0);
	} else {
		lc_exchange_fail(exchange, 404, "not found");
	}
}

static void walk_due(struct sim *sim, int64_t mono_ns, int64_t wall_ns)
{
	struct eastmoney *em = sim->state;
	uint64_t due = sim_due(sim, mono_ns);
	struct sim_symbol *symbol;
	while ((symbol = sim_next_trade(sim, &due, wall_ns)) != NULL) {
		em_history_add(&em->history, symbol, wall_ns);
		if (sim_held_back(sim) == NULL) {
			em_ws_tick(sim, symbol);
		}
	}
}

static void on_turn(struct sim *sim, int64_t mono_ns, int64_t wall_ns)
{
	bool poll_only = is_polled(sim);
	if (sim->tape == NULL) {
		walk_due(sim, mono_ns, wall_ns);
		em_sse_turn(sim, mono_ns, false);
		return;
	}
	/* At full speed a poll takes the next row; a stream gets every row. */
	for (int i = 0; i < 20 && !(poll_only && isinf(sim->options.speed)); i++) {
		const struct sim_symbol *symbol = advance_tape(sim, mono_ns);
		if (symbol == NULL) {
			break;
		}
		em_ws_tick(sim, symbol);
		em_sse_turn(sim, mono_ns, true);
	}
	em_sse_turn(sim, mono_ns, false);
}

static void on_fault(struct sim *sim, const struct sim_fault *fault)
{
	if (is_polled(sim)) {
		sim_poll_fault(sim, fault);
	}
	em_sse_fault(sim, fault);
	em_ws_fault(sim, fault);
}

static bool is_followed(const struct sim *sim, size_t index)
{
	const struct eastmoney *em = sim->state;
	return em->followed_until_ns[index] > lc_loop_mono_ns(sim->loop);
}

static enum lc_err start(struct sim *sim, struct lc_error *err)
{
	(void)err;
	struct eastmoney *em = calloc(1, sizeof(*em));
	if (em == NULL) {
		return LC_ERR_NOMEM;
	}
	lc_list_init(&em->streams);
	lc_list_init(&em->sockets);
	lc_buf_init(&em->text, 16 << 20);
	em->history = em_history_empty();
	sim->state = em;
	return LC_OK;
}

static void stop(struct sim *sim)
{
	struct eastmoney *em = sim->state;
	lc_buf_finish(&em->text);
	sim_ring_finish(&em->history);
	free(em);
}

const struct sim_vendor sim_eastmoney = {
	.name = "eastmoney",
	.faults = SIM_FAULT_BIT(SIM_FAULT_QUIET_HK) | SIM_FAULT_BIT(SIM_FAULT_BAD_FRAME) |
		  SIM_FAULT_BIT(SIM_FAULT_CLOSE) | SIM_FAULT_BIT(SIM_FAULT_DROP),
	.scheme = "http",
	.path = "",
	.tapes = SIM_TAPES_OF_SNAPSHOTS,
	.start = start,
	.on_request = on_request,
	.on_turn = on_turn,
	.on_fault = on_fault,
	.is_followed = is_followed,
	.stop = stop,
};

/* EastMoney's push2: polls, event streams, and the WebSocket that only the replaced system knows. */
#include "control.h"
#include "eastmoney_priv.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FOLLOWED_AFTER_POLL_NS (60 * LC_NS_PER_S)
#define KEEP_ALIVE_NS (3 * LC_NS_PER_S)

struct stream {
	struct lc_list node;
	struct sim *sim;
	struct lc_exchange *exchange;
	struct em_query query;
	uint32_t *known; /* what was said last: query.field_count a row */
	int64_t interval_ns, next_ns, last_said_ns;
	bool first;
};

struct ws {
	struct lc_list node;
	struct sim *sim;
	struct lc_ws_peer *peer;
	bool follows[SIM_SYMBOLS_MAX];
	bool remove; /* while a message is read */
	size_t named;
};

struct eastmoney {
	struct lc_list streams, sockets;
	int64_t followed_until_ns[SIM_SYMBOLS_MAX]; /* INT64_MAX: by a stream or a socket */
	size_t next;
	struct lc_buf text; /* scratch */
	struct em_query query;
};

static unsigned server_number(struct sim *sim)
{
	return 177542000u + (unsigned)(sim_random(&sim->random) % 100000);
}

static void put_head(struct sim *sim, struct lc_buf *out, int rc, int rt, bool full)
{
	lc_buf_printf(out,
		"{\"rc\":%d,\"rt\":%d,\"svr\":%u,\"lt\":1,\"full\":%d,\"dlmkts\":\"\",\"data\":",
		rc, rt, server_number(sim), full);
}

static void count_snapshot(struct sim *sim, const struct sim_symbol *symbol)
{
	int64_t volume = symbol->market == SIM_CN ? symbol->volume / 100 * 100 : symbol->volume;
	sim->stats.ticks++;
	sim->stats.snapshots++;
	sim_sent(sim, symbol->time_ns, symbol->text, "snapshot", volume, symbol->last);
}

static void follow(struct sim *sim, const struct em_query *query, int64_t until_ns)
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
static void refollow(struct sim *sim)
{
	struct eastmoney *em = sim->state;
	for (size_t i = 0; i < SIM_SYMBOLS_MAX; i++) {
		if (em->followed_until_ns[i] == INT64_MAX) {
			em->followed_until_ns[i] = 0;
		}
	}
	lc_list_each (node, &em->streams) {
		follow(sim, &container_of(node, struct stream, node)->query, INT64_MAX);
	}
	lc_list_each (node, &em->sockets) {
		const struct ws *ws = container_of(node, struct ws, node);
		for (size_t i = 0; i < sim_walk_count(sim->walk); i++) {
			em->followed_until_ns[i] = ws->follows[i] ? INT64_MAX
								  : em->followed_until_ns[i];
		}
	}
}

static void apply_row(struct sim *sim, struct sim_symbol *symbol, const struct sim_tape_row *row)
{
	bool zero = sim_faults_take(&sim->faults.zero_left);
	symbol->prev_close = row->prev_close;
	symbol->open = row->open;
	symbol->high = row->high;
	symbol->low = row->low;
	symbol->last = zero ? 0 : row->last;
	symbol->volume = row->volume;
	symbol->value = row->value;
	symbol->time_ns = row->time_ns;
	memcpy(symbol->bid, row->bid, sizeof(symbol->bid));
	memcpy(symbol->ask, row->ask, sizeof(symbol->ask));
	memcpy(symbol->bid_size, row->bid_size, sizeof(symbol->bid_size));
	memcpy(symbol->ask_size, row->ask_size, sizeof(symbol->ask_size));
}

/* The tape's next due row becomes its symbol's state; NULL when none is due. */
static struct sim_symbol *advance_tape(struct sim *sim, int64_t mono_ns)
{
	struct eastmoney *em = sim->state;
	struct sim_symbol *symbol = sim_walk_symbol(sim->walk, sim->tape->symbol);
	if (symbol == NULL || em->followed_until_ns[symbol->index] == 0) {
		return NULL;
	}
	const struct sim_tape_row *row = sim_tape_next(sim->tape, sim->options.speed, mono_ns);
	if (row == NULL) {
		return NULL;
	}
	apply_row(sim, symbol, row);
	return symbol;
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

static void reply(struct lc_exchange *exchange, struct lc_buf *body)
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
	bool packed = accept != NULL && strstr(accept, "gzip") != NULL && gzip(body);
	const char *const headers[] = {"Content-Encoding: gzip", NULL};
	const struct lc_response response = {.status = 200,
		.content_type = callback_name(cb) ? "application/javascript; charset=UTF-8"
						  : "application/json; charset=UTF-8",
		.headers = packed ? headers : NULL};
	lc_exchange_respond_buf(exchange, &response, body);
	lc_buf_finish(body);
}

static void put_list(struct sim *sim, const struct em_query *query, bool array, struct lc_buf *out)
{
	lc_buf_printf(out, "{\"total\":%zu,\"diff\":%c", query->row_count, array ? '[' : '{');
	for (size_t i = 0; i < query->row_count; i++) {
		lc_buf_puts(out, i == 0 ? "" : ",");
		if (!array) {
			lc_buf_printf(out, "\"%zu\":", i);
		}
		em_put_row(query, query->rows[i], NULL, out);
		count_snapshot(sim, query->rows[i]);
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
	follow(sim, query, mono_ns + FOLLOWED_AFTER_POLL_NS);
	if (sim->tape != NULL && isinf(sim->options.speed)) {
		advance_tape(sim, mono_ns); /* a row a poll */
	}
	sim_log_subscribe(sim, query->row_count, 0, false);
	if (!read || query->row_count == 0) {
		put_head(sim, &out, read && single ? 100 : 102, single ? 4 : 1, true);
		lc_buf_puts(&out, "null}");
	} else if (single) {
		put_head(sim, &out, 0, 4, true);
		em_put_row(query, query->rows[0], NULL, &out);
		lc_buf_putc(&out, '}');
		count_snapshot(sim, query->rows[0]);
	} else {
		put_head(sim, &out, 0, 11, true);
		put_list(sim, query, array, &out);
		lc_buf_putc(&out, '}');
	}
	if (sim_faults_take(&sim->faults.correct_left)) {
		out.len /= 2; /* a body that breaks off */
	}
	reply(exchange, &out);
}

static void say(struct stream *stream, struct lc_buf *text)
{
	lc_buf_puts(text, "}\n\n");
	lc_exchange_write(stream->exchange, text->data, text->len);
	stream->sim->stats.frames++;
}

/* What changed since the last event, or everything in the first. */
static bool say_rows(struct stream *stream, struct lc_buf *text)
{
	struct sim *sim = stream->sim;
	const struct em_query *query = &stream->query;
	size_t said = 0;
	lc_buf_clear(text);
	lc_buf_puts(text, "data: ");
	put_head(sim, text, 0, query->single ? 4 : 5, stream->first);
	if (!query->single) {
		lc_buf_printf(text, "{\"total\":%zu,\"diff\":{", query->row_count);
	}
	for (size_t i = 0; i < query->row_count; i++) {
		size_t before = text->len;
		if (!query->single) {
			lc_buf_printf(text, "%s\"%zu\":", said == 0 ? "" : ",", i);
		}
		uint32_t *known = stream->known + i * query->field_count;
		if (em_put_row(query, query->rows[i], known, text) == 0) {
			text->len = before;
			continue;
		}
		said++;
		count_snapshot(sim, query->rows[i]);
	}
	if (said == 0) {
		return false;
	}
	lc_buf_puts(text, query->single ? "" : "}}");
	say(stream, text);
	stream->first = false;
	return true;
}

static void say_null(struct stream *stream, struct lc_buf *text)
{
	lc_buf_clear(text);
	lc_buf_puts(text, "\ndata: ");
	put_head(stream->sim, text, 0, 2, true);
	lc_buf_puts(text, "null");
	say(stream, text);
}

static void stream_turn(struct stream *stream, int64_t mono_ns, bool force)
{
	struct eastmoney *em = stream->sim->state;
	const struct sim_faults *faults = &stream->sim->faults;
	if ((!force && stream->next_ns > mono_ns) || faults->mute_until_ns > mono_ns ||
		faults->half_open_until_ns > mono_ns) {
		return;
	}
	stream->next_ns = mono_ns + stream->interval_ns;
	if (say_rows(stream, &em->text)) {
		stream->last_said_ns = mono_ns;
	}
	bool now_and_then = !force && sim_random(&stream->sim->random) % 10 == 0;
	if (now_and_then || mono_ns - stream->last_said_ns > KEEP_ALIVE_NS) {
		say_null(stream, &em->text);
		stream->last_said_ns = mono_ns;
	}
}

static void stream_destroy(void *arg)
{
	struct stream *stream = arg;
	lc_list_remove(&stream->node);
	refollow(stream->sim);
	stream->sim->stats.sessions--;
	free(stream->known);
	free(stream);
}

static void serve_sse(struct sim *sim, struct lc_exchange *exchange, bool single)
{
	struct eastmoney *em = sim->state;
	struct stream *stream = calloc(1, sizeof(*stream));
	if (stream == NULL) {
		lc_exchange_fail(exchange, 500, "out of memory");
		return;
	}
	em_query_read(sim, exchange, single, &stream->query);
	stream->known = calloc(
		stream->query.row_count * stream->query.field_count + 1, sizeof(*stream->known));
	const char *mpi = lc_exchange_query(exchange, "mpi");
	long interval_ms = mpi != NULL ? strtol(mpi, NULL, 10) : 1000;
	stream->interval_ns = (interval_ms < 10 ? 10 : interval_ms) * LC_NS_PER_MS;
	stream->sim = sim;
	stream->exchange = exchange;
	stream->first = true;
	lc_list_append(&em->streams, &stream->node);
	sim->stats.sessions++;
	sim_log_subscribe(sim, stream->query.row_count, 0, false);
	lc_exchange_on_gone(exchange, stream_destroy, stream);
	const char *const headers[] = {"Cache-Control: no-cache", NULL};
	lc_exchange_stream(exchange, &(struct lc_response){.status = 200,
					     .content_type = "text/event-stream; charset=UTF-8",
					     .headers = headers});
	follow(sim, &stream->query, INT64_MAX);
	if (stream->query.row_count > 0 && stream->known != NULL) {
		stream_turn(stream, lc_loop_mono_ns(sim->loop), true);
	} else {
		stream->query.row_count = 0;
	}
}

/* The sources disagree about the unit; the written example has shares. */
static int64_t ws_volume(const struct sim *sim, const struct sim_symbol *symbol)
{
	bool lots = strcmp(sim->options.ws_volume, "lots") == 0 && symbol->market == SIM_CN;
	return lots ? symbol->volume / 100 : symbol->volume;
}

/* The replaced system's form of a tick. */
static void ws_tick(struct sim *sim, const struct sim_symbol *symbol)
{
	struct eastmoney *em = sim->state;
	struct lc_buf *text = &em->text;
	bool said = false;
	lc_list_each (node, &em->sockets) {
		struct ws *ws = container_of(node, struct ws, node);
		if (!ws->follows[symbol->index] || symbol->last == 0) {
			continue;
		}
		if (!said) {
			lc_buf_clear(text);
			lc_buf_printf(text, "{\"code\":\"%.*s\",\"market\":%d,\"price\":",
				(int)strcspn(symbol->text, "."), symbol->text,
				symbol->vendor_board);
			sim_put_price(text, symbol->last);
			lc_buf_printf(text,
				",\"volume\":%lld,\"amount\":", (long long)ws_volume(sim, symbol));
			sim_put_price(text, symbol->value);
			lc_buf_printf(text, ",\"timestamp\":%lld}",
				(long long)(symbol->time_ns / LC_NS_PER_S));
			count_snapshot(sim, symbol);
			said = true;
		}
		lc_ws_peer_send(ws->peer, text->data, text->len, false);
		sim->stats.frames++;
	}
}

/* Bare, suffixed and secid forms are all understood. */
static struct sim_symbol *ws_symbol(struct sim *sim, const char *text)
{
	char secid[32];
	size_t len = strlen(text);
	if (len == 6 && strspn(text, "0123456789") == 6) {
		snprintf(secid, sizeof(secid), "%c.%s", strchr("569", text[0]) != NULL ? '1' : '0',
			text);
		if (strncmp(text, "92", 2) == 0) {
			secid[0] = '0';
		}
	} else if (len == 9 && text[6] == '.') {
		snprintf(secid, sizeof(secid), "%c.%.6s", strcmp(text + 6, ".SH") == 0 ? '1' : '0',
			text);
	} else if (len == 8 && strcmp(text + 5, ".HK") == 0) {
		snprintf(secid, sizeof(secid), "116.%.5s", text);
	} else {
		snprintf(secid, sizeof(secid), "%.30s", text);
	}
	return em_symbol(sim, secid, strlen(secid));
}

static void on_cmd(void *arg, const char *key, const char *text)
{
	struct ws *ws = arg;
	if (strcmp(key, "cmd") == 0) {
		ws->remove = strcmp(text, "unsub") == 0;
	}
}

static void on_code(void *arg, const char *key, const char *text)
{
	struct ws *ws = arg;
	if (strcmp(key, "codes") != 0 && strcmp(key, "symbols") != 0) {
		return;
	}
	struct sim_symbol *symbol = ws_symbol(ws->sim, text);
	ws->named++;
	if (symbol != NULL) {
		ws->follows[symbol->index] = !ws->remove;
		if (symbol->time_ns == 0) {
			symbol->time_ns = lc_loop_wall_ns(ws->sim->loop);
		}
	}
}

static void on_message(
	void *arg, struct lc_ws_peer *peer, const void *data, size_t len, bool binary)
{
	struct ws *ws = arg;
	(void)peer;
	(void)binary;
	ws->named = 0;
	ws->remove = false;
	if (sim_control_json(data, len, on_cmd, ws)) {
		sim_control_json(data, len, on_code, ws);
		sim_log_subscribe(ws->sim, ws->named, len, ws->remove);
		refollow(ws->sim);
	}
}

static void on_close(void *arg)
{
	struct ws *ws = arg;
	lc_list_remove(&ws->node);
	ws->sim->stats.sessions--;
	refollow(ws->sim);
	free(ws);
}

static const struct lc_ws_peer_handler ws_handler = {
	.on_message = on_message,
	.on_close = on_close,
};

static void serve_ws(struct sim *sim, struct lc_exchange *exchange)
{
	struct eastmoney *em = sim->state;
	const char *authorization = lc_exchange_header(exchange, "authorization");
	char wanted[256];
	snprintf(wanted, sizeof(wanted), "Bearer %s",
		sim->options.key != NULL ? sim->options.key : "");
	if (sim->options.key != NULL &&
		(authorization == NULL || strcmp(authorization, wanted) != 0)) {
		sim->stats.auth_failures++;
		lc_exchange_fail(exchange, 401, "unauthorized");
		return;
	}
	struct ws *ws = calloc(1, sizeof(*ws));
	if (ws == NULL) {
		lc_exchange_fail(exchange, 500, "out of memory");
		return;
	}
	ws->sim = sim;
	lc_list_append(&em->sockets, &ws->node);
	sim->stats.sessions++;
	lc_exchange_accept(exchange, &ws_handler, ws, &ws->peer);
}

static void on_request(struct sim *sim, struct lc_exchange *exchange)
{
	const struct lc_request *request = lc_exchange_request(exchange);
	const char *path = request->path;
	int64_t mono_ns = lc_loop_mono_ns(sim->loop);
	if (request->upgrade) {
		if (strcmp(path, "/ws/qt/stock/klt.min") == 0) {
			serve_ws(sim, exchange);
		} else {
			lc_exchange_fail(exchange, 404, "not found");
		}
	} else if (strcmp(path, "/api/qt/stock/sse") == 0) {
		serve_sse(sim, exchange, true);
	} else if (strcmp(path, "/api/qt/ulist/sse") == 0 ||
		   strcmp(path, "/api/qt/ulist.np/sse") == 0) {
		serve_sse(sim, exchange, false);
	} else if (sim->faults.mute_until_ns > mono_ns ||
		   sim->faults.half_open_until_ns > mono_ns) {
		return; /* no answer comes: the client has to give up by itself */
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

static void push_streams(struct sim *sim, int64_t mono_ns, bool force)
{
	struct eastmoney *em = sim->state;
	lc_list_each (node, &em->streams) {
		stream_turn(container_of(node, struct stream, node), mono_ns, force);
	}
}

static void walk_due(struct sim *sim, int64_t mono_ns, int64_t wall_ns)
{
	struct eastmoney *em = sim->state;
	uint64_t due = sim_due(sim, mono_ns);
	size_t count = sim_walk_count(sim->walk), looked = 0;
	bool muted = sim->faults.mute_until_ns > mono_ns ||
		     sim->faults.half_open_until_ns > mono_ns;
	while (due > 0 && looked++ < count + due && count > 0) {
		em->next = (em->next + 1) % count;
		struct sim_symbol *symbol = sim_walk_at(sim->walk, em->next);
		if (em->followed_until_ns[em->next] <= mono_ns) {
			continue;
		}
		sim_symbol_trade(symbol, wall_ns);
		due--;
		if (!muted) {
			ws_tick(sim, symbol);
		}
	}
}

static void on_turn(struct sim *sim, int64_t mono_ns, int64_t wall_ns)
{
	struct eastmoney *em = sim->state;
	bool poll_only = lc_list_empty(&em->streams) && lc_list_empty(&em->sockets);
	if (sim->tape == NULL) {
		walk_due(sim, mono_ns, wall_ns);
		push_streams(sim, mono_ns, false);
		return;
	}
	/* At full speed a poll takes the next row; a stream gets every row. */
	for (int i = 0; i < 20 && !(poll_only && isinf(sim->options.speed)); i++) {
		const struct sim_symbol *symbol = advance_tape(sim, mono_ns);
		if (symbol == NULL) {
			break;
		}
		ws_tick(sim, symbol);
		push_streams(sim, mono_ns, true);
	}
	push_streams(sim, mono_ns, false);
}

static void fault_stream(struct stream *stream, const struct sim_fault *fault)
{
	static const char garbage[] = "data: {\"rc\":0,\"data\":{\"f43\":,}}\n\n";
	static const char cut[] = "data: {\"rc\":0,\"rt\":4,\"full\":0,\"data\":{\"f4";
	bool malformed = fault->kind == SIM_FAULT_MALFORMED || fault->kind == SIM_FAULT_BAD_FRAME;
	if (malformed) {
		lc_exchange_write(stream->exchange, garbage, sizeof(garbage) - 1);
	} else if (fault->kind == SIM_FAULT_CUT) {
		lc_exchange_write(stream->exchange, cut, sizeof(cut) - 1);
	}
	if (fault->kind == SIM_FAULT_CUT || fault->kind == SIM_FAULT_CLOSE) {
		lc_exchange_end(stream->exchange);
		stream_destroy(stream);
	} else if (fault->kind == SIM_FAULT_DROP || fault->kind == SIM_FAULT_BAN) {
		lc_exchange_abort(stream->exchange);
		stream_destroy(stream);
	}
}

static void on_fault(struct sim *sim, const struct sim_fault *fault)
{
	struct eastmoney *em = sim->state;
	lc_list_each (node, &em->streams) {
		fault_stream(container_of(node, struct stream, node), fault);
	}
	lc_list_each (node, &em->sockets) {
		struct ws *ws = container_of(node, struct ws, node);
		if (fault->kind == SIM_FAULT_MALFORMED) {
			lc_ws_peer_send(ws->peer, "{\"code\":", 8, false);
		} else if (fault->kind == SIM_FAULT_CLOSE) {
			lc_ws_peer_close(ws->peer, (int)fault->value, "scripted");
		} else if (fault->kind == SIM_FAULT_DROP || fault->kind == SIM_FAULT_CUT ||
			   fault->kind == SIM_FAULT_BAN) {
			lc_ws_peer_abort(ws->peer);
		} else if (fault->kind == SIM_FAULT_HALF_OPEN) {
			lc_ws_peer_mute(ws->peer, fault->value > 0);
		} else if (fault->kind == SIM_FAULT_CLEAR) {
			lc_ws_peer_mute(ws->peer, false);
		}
	}
}

static void write_symbols(struct sim *sim, struct lc_buf *out)
{
	const struct eastmoney *em = sim->state;
	int64_t now_ns = lc_loop_mono_ns(sim->loop);
	bool first = true;
	for (size_t i = 0; i < sim_walk_count(sim->walk); i++) {
		if (em->followed_until_ns[i] > now_ns) {
			lc_buf_printf(
				out, "%s\"%s\"", first ? "" : ",", sim_walk_at(sim->walk, i)->text);
			first = false;
		}
	}
}

static enum lc_err start(struct sim *sim, struct lc_error *err)
{
	if (sim->tape != NULL && (sim->tape->count == 0 || sim->tape->rows[0].size != 0)) {
		return lc_error_set(err, LC_ERR_INVALID, "eastmoney plays tapes of snapshots");
	}
	struct eastmoney *em = calloc(1, sizeof(*em));
	if (em == NULL) {
		return LC_ERR_NOMEM;
	}
	lc_list_init(&em->streams);
	lc_list_init(&em->sockets);
	lc_buf_init(&em->text, 16 << 20);
	sim->state = em;
	return LC_OK;
}

static void stop(struct sim *sim)
{
	struct eastmoney *em = sim->state;
	lc_buf_finish(&em->text);
	free(em);
}

const struct sim_vendor sim_eastmoney = {
	.name = "eastmoney",
	.scheme = "http",
	.path = "",
	.start = start,
	.on_request = on_request,
	.on_turn = on_turn,
	.on_fault = on_fault,
	.write_symbols = write_symbols,
	.stop = stop,
};

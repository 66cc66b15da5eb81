/* EastMoney's event streams: the first event is whole, later ones carry what changed. Faults beside
 * the common ones: duplicate (an event twice), zero (no last price). */
#include "eastmoney_priv.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_ALIVE_NS (3 * LC_NS_PER_S)

static void say(struct em_stream *stream, struct lc_buf *text)
{
	lc_buf_puts(text, "}\n\n");
	sim_sent_flush(stream->sim);
	do {
		lc_exchange_write(stream->exchange, text->data, text->len);
		stream->sim->stats.frames++;
	} while (sim_faults_take(&stream->sim->faults.duplicate_left));
}

static size_t say_row(struct em_stream *stream, size_t row, struct lc_buf *text)
{
	struct sim *sim = stream->sim;
	const struct em_query *query = &stream->query;
	struct sim_symbol *symbol = query->rows[row];
	return em_say_row(sim, query, symbol, stream->known + row * query->field_count, text);
}

/* What changed since the last event, or everything in the first. */
static bool say_rows(struct em_stream *stream, struct lc_buf *text)
{
	struct sim *sim = stream->sim;
	const struct em_query *query = &stream->query;
	size_t said = 0;
	lc_buf_clear(text);
	lc_buf_puts(text, "data: ");
	em_put_head(sim, text, 0, query->single ? 4 : 5, stream->first);
	if (!query->single) {
		lc_buf_printf(text, "{\"total\":%zu,\"diff\":{", query->row_count);
	}
	for (size_t i = 0; i < query->row_count; i++) {
		size_t before = text->len;
		if (!query->single) {
			lc_buf_printf(text, "%s\"%zu\":", said == 0 ? "" : ",", i);
		}
		if (say_row(stream, i, text) == 0) {
			text->len = before;
			continue;
		}
		said++;
	}
	if (said == 0) {
		return false;
	}
	lc_buf_puts(text, query->single ? "" : "}}");
	say(stream, text);
	stream->first = false;
	return true;
}

static void say_null(struct em_stream *stream, struct lc_buf *text)
{
	lc_buf_clear(text);
	lc_buf_puts(text, "\ndata: ");
	em_put_head(stream->sim, text, 0, 2, true);
	lc_buf_puts(text, "null");
	say(stream, text);
}

static void stream_turn(struct em_stream *stream, int64_t mono_ns, bool force)
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
	struct em_stream *stream = arg;
	lc_list_remove(&stream->node);
	em_refollow(stream->sim);
	stream->sim->stats.sessions--;
	free(stream->known);
	free(stream);
}

void em_sse_serve(struct sim *sim, struct lc_exchange *exchange, bool single)
{
	struct eastmoney *em = sim->state;
	struct em_stream *stream = calloc(1, sizeof(*stream));
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
	em_follow(sim, &stream->query, INT64_MAX);
	if (stream->query.row_count > 0 && stream->known != NULL) {
		stream_turn(stream, lc_loop_mono_ns(sim->loop), true);
	} else {
		stream->query.row_count = 0;
	}
}

void em_sse_turn(struct sim *sim, int64_t mono_ns, bool force)
{
	struct eastmoney *em = sim->state;
	lc_list_each (node, &em->streams) {
		stream_turn(container_of(node, struct em_stream, node), mono_ns, force);
	}
}

static void fault_stream(struct em_stream *stream, const struct sim_fault *fault)
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

void em_sse_fault(struct sim *sim, const struct sim_fault *fault)
{
	struct eastmoney *em = sim->state;
	lc_list_each (node, &em->streams) {
		fault_stream(container_of(node, struct em_stream, node), fault);
	}
}

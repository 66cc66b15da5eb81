#include "alpaca_priv.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_TICKS 4096
#define BLOCK_BYTES (4 << 20)
/* What may wait in the connection when frames go through libwebsockets (TLS, deflate). */
#define QUEUE_BYTES (1 << 20)
/* Bytes a turn, so that the loop still hears others. */
#define TURN_BYTES (1 << 20)

struct bench {
	struct lc_buf block;
	struct bench_tick {
		size_t id_at, time_at; /* offsets in the block; id_at 0: a quote */
		struct sim_sent sent;
	} ticks[BLOCK_TICKS];
	size_t tick_count;
	struct bench_frame {
		size_t start, payload, end; /* offsets in the block */
		size_t tick_end;
	} frames[BLOCK_TICKS];
	size_t frame_count;
	size_t pass_frames; /* of this pass */
	size_t at;          /* bytes of the pass that are written */
	size_t frame;       /* frames of the pass that are queued, through libwebsockets */
	bool passing;
	bool rebuild; /* the subscription changed during the pass */
};

static size_t find_after(const struct lc_buf *block, size_t from, const char *what, size_t len)
{
	const char *at = memmem(block->data + from, block->len - from, what, len);
	return at != NULL ? (size_t)(at - block->data) + len : 0;
}

static void note_tick(struct session *session, size_t from, struct sim_symbol *symbol, bool trade)
{
	struct bench *bench = session->bench;
	struct bench_tick *tick = &bench->ticks[bench->tick_count++];
	bool pack = session->msgpack;
	*tick = (struct bench_tick){.sent = {.symbol = symbol->text,
					    .kind = trade ? "trade" : "quote",
					    .price = trade ? symbol->last : symbol->bid[0],
					    .volume = trade ? symbol->last_size : 0,
					    .amount = trade ? symbol->last * symbol->last_size : -1,
					    .bid = trade ? 0 : symbol->bid[0],
					    .ask = trade ? 0 : symbol->ask[0],
					    .bid_size = trade ? 0 : symbol->bid_size[0],
					    .ask_size = trade ? 0 : symbol->ask_size[0]}};
	if (trade) {
		tick->id_at = pack ? find_after(&bench->block, from, "\xa1i\xcf", 3)
				   : find_after(&bench->block, from, "\"i\":", 4);
	}
	tick->time_at = pack ? find_after(&bench->block, from, "\xa1t\xd7\xff", 4)
			     : find_after(&bench->block, from, "\"t\":\"", 5);
}

/* One message with an id and a time of full width, to be written over in each pass. */
static void add_message(struct session *session, struct sim_symbol *symbol, bool trade)
{
	const int64_t wide_time_ns = INT64_C(1700000000123456789);
	struct bench *bench = session->bench;
	struct alpaca *alpaca = session->sim->state;
	struct enc enc = {.out = &bench->block, .msgpack = session->msgpack};
	size_t from = bench->block.len;
	sim_symbol_trade(symbol, 0);
	if (trade) {
		enc_trade(&enc,
			&(struct trade){.symbol = symbol->text,
				.id = alpaca->trade_id,
				.price = symbol->last,
				.size = symbol->last_size,
				.time_ns = wide_time_ns,
				.exchange = "V",
				.tape = "C",
				.conditions = "@"},
			false);
	} else {
		enc_quote(&enc, symbol, wide_time_ns);
	}
	note_tick(session, from, symbol, trade);
}

/* Room for the longest frame head is left, and the head put right before the payload. */
static void close_frame(struct session *session, struct lc_buf *payload, size_t first_tick)
{
	struct bench *bench = session->bench;
	size_t len = payload->len;
	char head[10] = {(char)(session->msgpack ? 0x82 : 0x81)};
	size_t head_len = len < 126 ? 2 : len < 65536 ? 4 : 10;
	head[1] = (char)(len < 126 ? len : len < 65536 ? 126 : 127);
	for (size_t i = 2; i < head_len; i++) {
		head[i] = (char)(len >> (8 * (head_len - 1 - i)));
	}
	struct bench_frame *frame = &bench->frames[bench->frame_count++];
	frame->start = bench->block.len;
	lc_buf_append(&bench->block, head, head_len);
	frame->payload = bench->block.len;
	lc_buf_append(&bench->block, payload->data, len);
	frame->end = bench->block.len;
	frame->tick_end = bench->tick_count;
	for (size_t i = first_tick; i < bench->tick_count; i++) {
		bench->ticks[i].time_at += frame->payload;
		bench->ticks[i].id_at += bench->ticks[i].id_at != 0 ? frame->payload : 0;
	}
}

/* The kinds that the session follows of this symbol: 0 none, else bits of trades and quotes. */
static unsigned kinds(const struct session *session, const struct sim_symbol *symbol)
{
	return (session_follows(session, symbol, 1u << CH_TRADES) ? 1u : 0) |
	       (session_follows(session, symbol, 1u << CH_QUOTES) ? 2u : 0);
}

static void build(struct session *session)
{
	struct bench *bench = session->bench;
	struct sim *sim = session->sim;
	size_t per_frame = (size_t)sim->options.per_frame, next = 0;
	struct lc_buf block = bench->block, payload;
	lc_buf_init(&payload, BLOCK_BYTES);
	lc_buf_clear(&block);
	bench->tick_count = bench->frame_count = 0;
	size_t symbols = sim_walk_count(sim->walk);
	while (bench->tick_count + per_frame <= BLOCK_TICKS && block.len < BLOCK_BYTES / 2) {
		size_t first = bench->tick_count;
		lc_buf_clear(&payload);
		bench->block = payload;
		enc_array(&bench->block, session->msgpack, per_frame);
		for (size_t i = 0; bench->tick_count < first + per_frame; i++) {
			struct sim_symbol *symbol = sim_walk_at(sim->walk, next++ % symbols);
			unsigned kind = kinds(session, symbol);
			if (kind == 0) {
				continue;
			}
			bool comma = !session->msgpack && bench->tick_count > first;
			lc_buf_append(&bench->block, ",", comma);
			add_message(session, symbol, kind == 1 || (kind == 3 && i % 2 == 0));
		}
		enc_array_end(&bench->block, session->msgpack);
		payload = bench->block;
		bench->block = block;
		close_frame(session, &payload, first);
		block = bench->block;
	}
	lc_buf_finish(&payload);
}

static void write_digits(char *at, uint64_t value, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		at[i] = (char)('0' + value % 10);
		value /= 10;
	}
}

static void write_be(char *at, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(at, &value, 8);
}

static void stamp(struct session *session, struct bench_tick *tick, uint64_t id, int64_t time_ns,
	const char *second)
{
	char *block = session->bench->block.data;
	uint64_t nanos = (uint64_t)(time_ns % LC_NS_PER_S);
	if (session->msgpack) {
		write_be(block + tick->time_at, nanos << 34 | (uint64_t)(time_ns / LC_NS_PER_S));
	} else {
		memcpy(block + tick->time_at, second, 20);
		write_digits(block + tick->time_at + 20, nanos, 9);
	}
	if (tick->id_at != 0 && session->msgpack) {
		write_be(block + tick->id_at, id);
	} else if (tick->id_at != 0) {
		write_digits(block + tick->id_at, id, 17);
	}
}

static size_t frames_left(const struct session *session)
{
	const struct sim *sim = session->sim;
	const struct bench *bench = session->bench;
	int64_t limit = sim->options.limit_ticks;
	uint64_t left = limit == 0                           ? UINT64_MAX
			: (uint64_t)limit > sim->stats.ticks ? (uint64_t)limit - sim->stats.ticks
							     : 0;
	size_t frames = bench->frame_count;
	while (frames > 0 && bench->frames[frames - 1].tick_end > left) {
		frames--;
	}
	return frames;
}

/* Fresh ids and the present time for a whole pass. False when there is nothing to send. */
static bool begin_pass(struct session *session)
{
	struct bench *bench = session->bench;
	struct sim *sim = session->sim;
	struct alpaca *alpaca = sim->state;
	bench->pass_frames = frames_left(session);
	bench->at = bench->frame = 0;
	if (bench->pass_frames == 0) {
		return false;
	}
	int64_t now_ns = lc_loop_wall_ns(sim->loop);
	int64_t room = LC_NS_PER_S - now_ns % LC_NS_PER_S;
	now_ns -= room <= BLOCK_TICKS ? BLOCK_TICKS : 0; /* all within one second */
	char second[40];
	sim_format_time(now_ns - now_ns % LC_NS_PER_S + 1, second);
	size_t ticks = bench->frames[bench->pass_frames - 1].tick_end;
	for (size_t i = 0; i < ticks; i++) {
		struct bench_tick *tick = &bench->ticks[i];
		stamp(session, tick, (uint64_t)alpaca->trade_id, now_ns + (int64_t)i, second);
		tick->sent.time_ns = now_ns + (int64_t)i;
		tick->sent.id = alpaca->trade_id;
		sim_sent_add(sim, &tick->sent);
		alpaca->trade_id += tick->id_at != 0;
		sim->stats.trades += tick->id_at != 0;
		sim->stats.quotes += tick->id_at == 0;
	}
	sim_sent_flush(sim);
	sim->stats.ticks += ticks;
	sim->stats.messages += ticks;
	sim->stats.frames += bench->pass_frames;
	bench->passing = true;
	return true;
}

/* Past libwebsockets, as many bytes as the kernel takes. A frame that was begun is given to
 * libwebsockets to end, so that its own pongs cannot come in the middle. */
static bool push_raw(struct session *session)
{
	struct bench *bench = session->bench;
	const char *block = bench->block.data;
	size_t end = bench->frames[bench->pass_frames - 1].end;
	size_t written = 0;
	enum lc_err rc = lc_ws_peer_raw(
		session->peer, block + bench->at, end - bench->at, &written);
	bench->at += written;
	while (bench->frame < bench->pass_frames && bench->frames[bench->frame].end <= bench->at) {
		bench->frame++;
	}
	if (bench->frame < bench->pass_frames && bench->at > bench->frames[bench->frame].start) {
		size_t rest = bench->frames[bench->frame].end - bench->at;
		lc_ws_peer_raw_rest(session->peer, block + bench->at, rest);
		bench->at += rest;
	}
	bench->passing = bench->at < end;
	return rc == LC_OK && written > 0 && !bench->passing;
}

static bool push_queued(struct session *session)
{
	struct bench *bench = session->bench;
	while (bench->frame < bench->pass_frames &&
		lc_ws_peer_pending(session->peer) < QUEUE_BYTES) {
		const struct bench_frame *frame = &bench->frames[bench->frame++];
		if (lc_ws_peer_send(session->peer, bench->block.data + frame->payload,
			    frame->end - frame->payload, session->msgpack) != LC_OK) {
			return false;
		}
	}
	bench->passing = bench->frame < bench->pass_frames;
	return !bench->passing;
}

void bench_drained(struct session *session)
{
	struct bench *bench = session->bench;
	if (bench == NULL) {
		return;
	}
	struct sim *sim = session->sim;
	bool raw = sim->options.tls_cert == NULL && !lc_ws_peer_deflated(session->peer);
	bool muted = sim->faults.mute_until_ns > lc_loop_mono_ns(sim->loop);
	if (muted) {
		return; /* the turns wake it */
	}
	for (size_t sent = 0; sent < TURN_BYTES; sent += bench->block.len) {
		if (!bench->passing && bench->rebuild) {
			bench->rebuild = false;
			bench_wake(session);
			return;
		}
		if (!bench->passing && !begin_pass(session)) {
			return;
		}
		if (!(raw ? push_raw(session) : push_queued(session))) {
			break;
		}
	}
	lc_ws_peer_want_drained(session->peer);
}

void bench_wake(struct session *session)
{
	if (session->sim->tape != NULL) {
		return;
	}
	bool follows = false;
	for (size_t i = 0; i < sim_walk_count(session->sim->walk); i++) {
		follows = follows || kinds(session, sim_walk_at(session->sim->walk, i)) != 0;
	}
	struct bench *bench = session->bench;
	if (bench == NULL && follows) {
		bench = session->bench = calloc(1, sizeof(*bench));
		if (bench == NULL) {
			return;
		}
		lc_buf_init(&bench->block, BLOCK_BYTES);
	}
	if (bench == NULL) {
		return;
	}
	if (bench->passing) {
		/* What is stamped is sent; the new set follows then. */
		bench->rebuild = true;
		return;
	}
	if (!follows) {
		bench_destroy(bench);
		session->bench = NULL;
		return;
	}
	build(session);
	lc_ws_peer_want_drained(session->peer);
}

void bench_destroy(struct bench *bench)
{
	if (bench != NULL) {
		lc_buf_finish(&bench->block);
		free(bench);
	}
}

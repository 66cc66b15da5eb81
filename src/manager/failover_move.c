#include "manager/failover_priv.h"

#include <stdlib.h>

#define WORK_A_STEP 2000 /* symbols passed over in one slice; one that is judged counts as */
#define WORK_A_SYMBOL 10
#define FIRST_MOVED 256

static bool is_probe(const struct lc_failover_side *side, uint32_t symbol)
{
	for (size_t i = 0; i < side->n_probes; i++) {
		if (side->probes[i] == symbol) {
			return true;
		}
	}
	return false;
}

static void forget_probe(struct lc_failover_side *side, uint32_t symbol)
{
	for (size_t i = 0; i < side->n_probes; i++) {
		if (side->probes[i] == symbol) {
			side->probes[i] = side->probes[--side->n_probes];
			return;
		}
	}
}

void lc_failover_drop_probe(struct lc_failover *failover, uint8_t index, uint32_t symbol)
{
	if (is_probe(&failover->sides[index], symbol)) {
		forget_probe(&failover->sides[index], symbol);
		lc_supervisor_leave(lc_failover_feed(failover, index)->supervisor, symbol);
	}
}

/* A source that was left keeps a few symbols, whose ticks show when it works again. */
static void release(struct lc_failover *failover, uint8_t index, uint32_t symbol)
{
	struct lc_failover_side *side = &failover->sides[index];
	if (is_probe(side, symbol)) {
		return;
	}
	if (!lc_failover_good(failover, index) && side->n_probes < LC_FAILOVER_PROBES) {
		side->probes[side->n_probes++] = symbol;
		return;
	}
	lc_supervisor_leave(lc_failover_feed(failover, index)->supervisor, symbol);
}

void lc_failover_drop_pending(struct lc_failover *failover, uint32_t symbol)
{
	uint8_t next = failover->next_of[symbol];
	if (next != LC_NO_FEED) {
		failover->next_of[symbol] = LC_NO_FEED;
		failover->pending--;
		release(failover, next, symbol);
	}
}

bool lc_failover_waits(struct lc_failover *failover, uint8_t index)
{
	struct lc_failover_gate *gate = &failover->sides[index].gate;
	for (uint8_t i = 0; gate->shut && i < lc_failover_count(failover); i++) {
		if (gate->waits[i] &&
			lc_queue_begin(lc_failover_feed(failover, i)->queue) < gate->until[i]) {
			return true;
		}
	}
	gate->shut = false;
	return false;
}

/* Ticks of the new source wait for those of the old one that are queued already. */
static void queue_behind(struct lc_failover *failover, uint8_t from, uint8_t to)
{
	struct lc_failover_gate *gate = &failover->sides[to].gate;
	uint64_t end = lc_queue_end(lc_failover_feed(failover, from)->queue);
	if (lc_queue_begin(lc_failover_feed(failover, from)->queue) >= end) {
		return;
	}
	if (!lc_failover_waits(failover, to)) {
		*gate = (struct lc_failover_gate){
			.shut = true, .from = lc_queue_end(lc_failover_feed(failover, to)->queue)};
	}
	gate->waits[from] = true;
	gate->until[from] = end;
}

void lc_failover_behind(struct lc_manager *manager, uint8_t from, uint8_t to)
{
	struct lc_failover *failover = manager->failover;
	/* While it waits itself, nobody waits for it: two queues would wait for each other. */
	if (from != LC_NO_FEED && to != LC_NO_FEED && !lc_failover_waits(failover, from)) {
		queue_behind(failover, from, to);
	}
}

void lc_failover_take_over(struct lc_failover *failover, uint32_t symbol)
{
	struct lc_manager *manager = failover->manager;
	uint8_t from = manager->feed_of[symbol], to = failover->next_of[symbol];
	queue_behind(failover, from, to);
	failover->next_of[symbol] = LC_NO_FEED;
	failover->pending--;
	manager->feed_of[symbol] = to;
	forget_probe(&failover->sides[to], symbol);
	release(failover, from, symbol);
}

static bool begin(struct lc_failover *failover, uint32_t symbol, uint8_t to)
{
	struct lc_manager *manager = failover->manager;
	if (lc_supervisor_follow(lc_failover_feed(failover, to)->supervisor, symbol) != LC_OK) {
		lc_log(manager->log, LC_LOG_ERROR, "failover", "out_of_memory",
			LC_S("symbol", lc_symbols_get(manager->symbols, symbol)->text));
		return false;
	}
	failover->next_of[symbol] = to;
	failover->pending++;
	failover->sides[to].begun_ns = lc_loop_mono_ns(manager->loop);
	if (!lc_failover_good(failover, manager->feed_of[symbol])) {
		lc_bar_flow_lost(manager->bars, symbol);
	}
	return true;
}

/* Without memory it is counted, and not named. */
static void note_moved(struct lc_failover_moved *moved, uint32_t symbol)
{
	if (moved->listed == moved->room && moved->listed == moved->count) {
		size_t room = moved->room > 0 ? moved->room * 2 : FIRST_MOVED;
		uint32_t *symbols = realloc(moved->symbols, room * sizeof *symbols);
		moved->symbols = symbols ? symbols : moved->symbols;
		moved->room = symbols ? room : moved->room;
	}
	if (moved->listed == moved->count && moved->listed < moved->room) {
		moved->symbols[moved->listed++] = symbol;
	}
	moved->count++;
}

/* Where should this symbol be, and is it on its way? */
static void judge(struct lc_failover *failover, uint32_t symbol)
{
	struct lc_failover_move *move = &failover->move;
	uint8_t active = failover->manager->feed_of[symbol], next = failover->next_of[symbol];
	uint8_t now = next != LC_NO_FEED ? next : active, first;
	size_t n;
	uint8_t want = lc_failover_pick(failover, symbol, now, &first, &n);
	if (want == LC_NO_FEED) {
		move->stuck[active] += n > 1;
		want = active;
	}
	if (want == now) {
		return;
	}
	lc_failover_drop_pending(failover, symbol);
	if (want != active && begin(failover, symbol, want)) {
		note_moved(&move->moved[active][want], symbol);
	}
}

static bool on_move_step(void *arg)
{
	struct lc_failover *failover = arg;
	struct lc_manager *manager = failover->manager;
	size_t count = lc_symbols_count(manager->symbols);
	struct lc_failover_move *move = &failover->move;
	for (size_t work = 0; move->next < count && work < WORK_A_STEP; move->next++) {
		bool followed = manager->feed_of[move->next] != LC_NO_FEED;
		work += followed ? WORK_A_SYMBOL : 1;
		if (followed) {
			judge(failover, move->next);
		}
	}
	return move->next < count || lc_failover_say_moved(failover);
}

static void drop_probes(struct lc_failover *failover, uint8_t index)
{
	struct lc_failover_side *side = &failover->sides[index];
	while (side->n_probes > 0) {
		uint32_t symbol = side->probes[--side->n_probes];
		if (failover->manager->feed_of[symbol] != index &&
			failover->next_of[symbol] != index) {
			lc_supervisor_leave(lc_failover_feed(failover, index)->supervisor, symbol);
		}
	}
}

static void on_move_done(void *arg)
{
	struct lc_failover *failover = arg;
	failover->move.slice = NULL;
	for (uint8_t from = 0; from < lc_failover_count(failover); from++) {
		lc_failover_say_alone(failover, from);
		if (lc_failover_good(failover, from)) {
			drop_probes(failover, from);
		}
	}
	bool again = failover->move.again;
	lc_failover_move_finish(&failover->move);
	if (again) {
		lc_failover_move_all(failover);
	}
}

void lc_failover_move_finish(struct lc_failover_move *move)
{
	lc_slice_cancel(move->slice);
	for (size_t from = 0; from < LC_FEEDS_MAX; from++) {
		for (size_t to = 0; to < LC_FEEDS_MAX; to++) {
			free(move->moved[from][to].symbols);
		}
	}
	*move = (struct lc_failover_move){0};
}

void lc_failover_move_all(struct lc_failover *failover)
{
	struct lc_failover_move *move = &failover->move;
	if (move->slice) {
		move->again = true;
		return;
	}
	lc_failover_move_finish(move);
	lc_failover_look(failover);
	/* Without memory for a slice the next look tries again. */
	move->again = lc_slice_start(failover->manager->loop, "failover", on_move_step,
			      on_move_done, failover, &move->slice) != LC_OK;
}

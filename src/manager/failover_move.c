#include "manager/failover_priv.h"

#include <stdio.h>

#define WORK_A_STEP 2000 /* symbols passed over in one slice; one that is judged counts as */
#define WORK_A_SYMBOL 10

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

bool lc_failover_gate_is_open(struct lc_failover *failover, uint8_t index)
{
	struct lc_failover_gate *gate = &failover->sides[index].gate;
	for (uint8_t i = 0; gate->open && i < lc_failover_count(failover); i++) {
		if (gate->waits[i] &&
			lc_queue_begin(lc_failover_feed(failover, i)->queue) < gate->until[i]) {
			return true;
		}
	}
	gate->open = false;
	return false;
}

/* Ticks of the new source wait for those of the old one that are queued already. */
static void close_behind(struct lc_failover *failover, uint8_t from, uint8_t to)
{
	struct lc_failover_gate *gate = &failover->sides[to].gate;
	uint64_t end = lc_queue_end(lc_failover_feed(failover, from)->queue);
	if (lc_queue_begin(lc_failover_feed(failover, from)->queue) >= end) {
		return;
	}
	if (!lc_failover_gate_is_open(failover, to)) {
		*gate = (struct lc_failover_gate){
			.open = true, .from = lc_queue_end(lc_failover_feed(failover, to)->queue)};
	}
	gate->waits[from] = true;
	gate->until[from] = end;
}

void lc_failover_behind(struct lc_manager *manager, uint8_t from, uint8_t to)
{
	struct lc_failover *failover = manager->failover;
	/* While it waits itself, nobody waits for it: two queues would wait for each other. */
	if (from != LC_NO_FEED && to != LC_NO_FEED && !lc_failover_gate_is_open(failover, from)) {
		close_behind(failover, from, to);
	}
}

void lc_failover_take_over(struct lc_failover *failover, uint32_t symbol)
{
	struct lc_manager *manager = failover->manager;
	uint8_t from = manager->feed_of[symbol], to = failover->next_of[symbol];
	close_behind(failover, from, to);
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
		if (move->moved[active][want]++ == 0) {
			move->example[active][want] = symbol;
		}
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
	return move->next < count;
}

/* --- saying it --- */

const char *lc_failover_time(
	const struct lc_failover *failover, int64_t ns, char out[LC_TIME_TEXT_MAX + 1])
{
	const struct lc_message_context *context = &failover->manager->outbox.context;
	out[lc_time_format(ns, context->time_format, context->naive_zone, out)] = '\0';
	return out;
}

static void count_switches(
	const struct lc_failover *failover, uint8_t from, uint8_t to, size_t symbols)
{
	struct lc_metrics *metrics = lc_loop_metrics(failover->manager->loop);
	char labels[160], a[72], b[72];
	lc_metrics_label(a, sizeof a, "from", lc_failover_feed(failover, from)->impl->name);
	lc_metrics_label(b, sizeof b, "to", lc_failover_feed(failover, to)->impl->name);
	snprintf(labels, sizeof labels, "%s,%s", a, b);
	++*lc_metrics_counter(metrics, "livecore_failover_switches_total", labels,
		"how often symbols went from one source to another");
	*lc_metrics_counter(metrics, "livecore_failover_symbols_total", labels,
		"symbols that went from one source to another") += symbols;
}

static void say_switch(struct lc_failover *failover, uint8_t from, uint8_t to)
{
	struct lc_manager *manager = failover->manager;
	const struct lc_failover_move *move = &failover->move;
	bool failed = !lc_failover_good(failover, from);
	const struct lc_failover_side *side = &failover->sides[failed ? from : to];
	const char *example = lc_symbols_get(manager->symbols, move->example[from][to])->text;
	const char *reason = failed ? side->why : "the source before it in the route is good";
	char since[LC_TIME_TEXT_MAX + 1] = "";
	if (side->left_wall_ns > 0) {
		lc_failover_time(failover, side->left_wall_ns, since);
	}
	const char *a = lc_failover_feed(failover, from)->impl->name,
		   *b = lc_failover_feed(failover, to)->impl->name;
	lc_log(manager->log, failed ? LC_LOG_WARN : LC_LOG_INFO, "failover", "switch",
		LC_S("from", a), LC_S("to", b), LC_U("symbols", move->moved[from][to]),
		LC_S("example", example), LC_S("reason", reason));
	lc_event(&manager->outbox, "failover", LC_S("from", a), LC_S("to", b),
		LC_U("count", move->moved[from][to]), LC_S("example", example),
		LC_S("reason", reason), LC_S("since", since[0] ? since : NULL),
		LC_B("returning", !failed));
	count_switches(failover, from, to, move->moved[from][to]);
}

/* No source is left for some symbols of this feed, or there is one again. */
static void say_alone(struct lc_failover *failover, uint8_t index)
{
	struct lc_failover_side *side = &failover->sides[index];
	struct lc_manager *manager = failover->manager;
	const char *name = lc_failover_feed(failover, index)->impl->name;
	bool alone = failover->move.stuck[index] > 0;
	if (alone == side->alone) {
		return;
	}
	side->alone = alone;
	lc_log(manager->log, alone ? LC_LOG_ERROR : LC_LOG_INFO, "failover",
		alone ? "no_source_left" : "source_found", LC_S("feeder", name),
		LC_U("symbols", failover->move.stuck[index]), LC_S("reason", side->why));
	lc_alert(&manager->outbox, alone ? "source_error" : "resolved",
		alone ? LC_SEVERITY_ERROR : LC_SEVERITY_INFO, LC_S("feeder", name),
		LC_S("resolves", alone ? NULL : "source_error"),
		LC_U("actual", failover->move.stuck[index]),
		LC_S("reason", alone ? "no source of another origin is left" : NULL),
		LC_S("cause", alone ? side->why : NULL));
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
		for (uint8_t to = 0; to < lc_failover_count(failover); to++) {
			if (failover->move.moved[from][to] > 0) {
				say_switch(failover, from, to);
			}
		}
		say_alone(failover, from);
		if (lc_failover_good(failover, from)) {
			drop_probes(failover, from);
		}
	}
	if (failover->move.again) {
		lc_failover_move_all(failover);
	}
}

void lc_failover_move_all(struct lc_failover *failover)
{
	struct lc_failover_move *move = &failover->move;
	if (move->slice) {
		move->again = true;
		return;
	}
	*move = (struct lc_failover_move){0};
	lc_failover_look(failover);
	/* Without memory for a slice the next look tries again. */
	move->again = lc_slice_start(failover->manager->loop, "failover", on_move_step,
			      on_move_done, failover, &move->slice) != LC_OK;
}

#include "manager/feed_gaps_priv.h"

#include <string.h>

#define FILLED_A_TURN 200 /* symbols whose bars hear of their gap, about 0.2 ms */
/* Records go to Kafka while they are being written: what came shortly after the last event in the
 * log of a process that was killed may be there. */
#define BEHIND_LAST_NS (LC_NS_PER_S / 4)

/* --- what ended --- */

/* Where filling begins: what a killed process may have sent already is left out, since it would
 * come twice under two numbers. It stays said as missing. */
static int64_t fill_from(const struct lc_gap_side *side, const struct lc_hole *hole)
{
	int64_t certain_ns = side->before_ns + BEHIND_LAST_NS;
	bool unsure = side->filling_cause == LC_GAP_RESTART && side->killed;
	return unsure && hole->from_ns < certain_ns ? certain_ns : hole->from_ns;
}

static void drop_edge(const struct lc_feed_gaps *gaps, uint32_t symbol)
{
	/* A new hole of the symbol needs its edges. */
	if (gaps->hole_of[symbol] == LC_NO_HOLE) {
		lc_quality_edge(gaps->manager->quality, symbol, false);
	}
}

static void fill_one(struct lc_feed_gaps *gaps, const struct lc_hole *hole)
{
	const struct lc_gap_side *side = gaps->filling;
	lc_bar_flow_missed(gaps->manager->bars, hole->symbol, hole->from_ns, hole->until_ns);
	if (!lc_backfills_can(side->backfills, hole->symbol)) {
		return;
	}
	int64_t from_ns = fill_from(side, hole);
	if (from_ns < hole->until_ns) {
		gaps->plan[gaps->planned++] = (struct lc_plan_entry){
			.symbol = hole->symbol, .from_ns = from_ns, .until_ns = hole->until_ns};
	} else {
		drop_edge(gaps, hole->symbol);
	}
}

/* What the backfill does not take stays open, as was said. */
void lc_feed_gaps_fill(struct lc_feed_gaps *gaps)
{
	struct lc_gap_side *side = gaps->filling;
	size_t stop = gaps->filled + FILLED_A_TURN;
	for (; gaps->filled < gaps->to_fill && gaps->filled < stop; gaps->filled++) {
		fill_one(gaps, &gaps->ended[gaps->filled]);
	}
	if (gaps->filled < gaps->to_fill) {
		return;
	}
	gaps->filling = NULL;
	int64_t bars_from_ns = side->filling_cause == LC_GAP_RESTART ? gaps->before_ns : 0;
	if (gaps->planned > 0 &&
		lc_backfills_add(side->backfills, side->filling_id, side->filling_cause, gaps->plan,
			gaps->planned, bars_from_ns) != LC_OK) {
		for (size_t i = 0; i < gaps->planned; i++) {
			drop_edge(gaps, gaps->plan[i].symbol);
		}
	}
}

void lc_feed_gaps_begin_fill(struct lc_gap_side *side, size_t count)
{
	struct lc_feed_gaps *gaps = side->all;
	for (size_t i = 0; i < count; i++) {
		gaps->hole_of[gaps->ended[i].symbol] = LC_NO_HOLE;
	}
	gaps->filling = side;
	gaps->to_fill = count;
	gaps->filled = gaps->planned = 0;
	side->filling_cause = side->cause;
	memcpy(side->filling_id, side->id, sizeof side->filling_id);
}

/* --- backfill's host --- */

static bool on_ready(void *arg)
{
	const struct lc_gap_side *side = arg;
	return lc_supervisor_status(side->feed->supervisor).state == LC_FEED_CONNECTED;
}

static bool on_take(void *arg, struct lc_tick *tick)
{
	const struct lc_gap_side *side = arg;
	bool passed = lc_intake_backfilled(side->feed, tick);
	*side->ticks += passed;
	return passed;
}

static void on_mark(void *arg)
{
	struct lc_gap_side *side = arg;
	side->marked = side->feed->drained + lc_queue_length(side->feed->queue);
}

static bool on_passed(void *arg)
{
	const struct lc_gap_side *side = arg;
	return side->feed->drained >= side->marked || lc_queue_length(side->feed->queue) == 0;
}

static void on_closed(void *arg, uint32_t symbol)
{
	const struct lc_gap_side *side = arg;
	drop_edge(side->all, symbol);
}

static const struct lc_backfills_host backfills_host = {.ready = on_ready,
	.take = on_take,
	.mark = on_mark,
	.passed = on_passed,
	.closed = on_closed};

enum lc_err lc_feed_gaps_make_backfills(struct lc_gap_side *side)
{
	const struct lc_manager *manager = side->feed->manager;
	const struct lc_backfills_setup setup = {.loop = manager->loop,
		.symbols = manager->symbols,
		.gaps = manager->gaps,
		.bars = manager->bars,
		.feeder = lc_supervisor_feeder(side->feed->supervisor),
		.config = lc_config_section(manager->config, "backfill"),
		.host = &backfills_host,
		.arg = side};
	return lc_backfills_create(&setup, &side->backfills);
}

/* --- what the feeder gives --- */

void lc_feed_gaps_doubt(struct lc_manager *manager, uint32_t symbol, int64_t start_ns)
{
	struct lc_feed_gaps *gaps = manager->feed_gaps;
	uint8_t index = manager->feed_of[symbol];
	if (gaps && index != LC_NO_FEED) {
		lc_backfills_minute(gaps->sides[index].backfills, symbol, start_ns);
		lc_feed_gaps_wake(gaps, LC_FEED_GAPS_TURN_MS);
	}
}

void lc_feed_gaps_backfilled(struct lc_feed *feed, const struct lc_tick *tick)
{
	struct lc_gap_side *side = lc_feed_gaps_side(feed);
	if (side) {
		lc_backfills_on_tick(side->backfills, tick);
	}
}

void lc_feed_gaps_minute(struct lc_feed *feed, const struct lc_bar *bar)
{
	struct lc_gap_side *side = lc_feed_gaps_side(feed);
	if (side) {
		lc_backfills_on_minute(side->backfills, bar);
	}
}

/* An answer of a page must fit without pushing out what the stream gives. */
bool lc_feed_gaps_room(const struct lc_feed *feed)
{
	struct lc_queue_stats stats = lc_queue_stats(feed->queue);
	return !feed->paused && stats.length * 4 < stats.capacity;
}

void lc_feed_gaps_backfill_end(struct lc_feed *feed, const struct lc_backfill_end *end)
{
	struct lc_gap_side *side = lc_feed_gaps_side(feed);
	if (side) {
		*side->requests += end->requests;
		lc_backfills_on_end(side->backfills, end);
		lc_feed_gaps_wake(side->all, 0);
	}
}

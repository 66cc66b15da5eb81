#include "manager/feed_gaps.h"

#include "manager/backfill.h"
#include "manager/holes.h"
#include "manager/manager_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MS 100
/* So long the end of a gap waits for the symbols that are not back yet, to be one event. */
#define SETTLE_NS (2 * LC_NS_PER_S)
#define BACK_A_TURN 5000  /* symbols looked at, about 0.1 ms */
#define EDGES_A_TURN 500  /* symbols, 2 KB each: about 1 ms */
#define FILLED_A_TURN 500 /* symbols whose bars hear of their gap, about 0.5 ms */
#define NO_FEED UINT8_MAX
/* About the last event in the log of a process that was killed: a vendor's times are not quite in
 * order, so what happened shortly before it may not have come yet; and records go to Kafka while
 * they are being written, so what came shortly after it may be there. */
#define BEFORE_LAST_NS LC_NS_PER_S
#define BEHIND_LAST_NS (LC_NS_PER_S / 4)

/* One feed's gap: at most one at a time is open. */
struct side {
	struct lc_feed *feed;           /* borrowed */
	struct lc_feed_gaps *all;       /* borrowed */
	struct lc_holes *holes;         /* owned */
	struct lc_backfills *backfills; /* owned */
	char id[LC_GAP_ID_MAX + 1];
	char evidence[256];
	enum lc_gap_cause cause;
	char filling_id[LC_GAP_ID_MAX +
			1]; /* of what is handed on: a new gap may begin meanwhile */
	enum lc_gap_cause filling_cause;
	bool open;                     /* there are holes that were not told as ended */
	bool lost;                     /* it gives nothing now */
	bool in[LC_MARKETS];           /* the market's symbols were added since it was lost */
	int64_t begins_ns[LC_MARKETS]; /* when its session begins, while it is out of session */
	size_t told;                   /* holes said to be open */
	size_t edged;                  /* … whose edges are kept */
	size_t looked;                 /* where the look at them goes on */
	int64_t first_end_ns; /* monotonic: when the first of the untold ends came; 0: none */
	uint64_t connects;    /* sessions when it was lost */
	uint64_t marked;      /* ticks that leave the queue until the mark has passed */
	int64_t before_ns;    /* last event of the process before; 0: not known */
	bool killed;          /* that process did not end in order */
	char before_why[160];
	double *gauge;
	uint64_t *opened, *ticks, *requests;
};

struct lc_feed_gaps {
	struct lc_manager *manager; /* borrowed */
	struct side sides[LC_FEEDS_MAX];
	size_t count, max_symbols;
	uint8_t *hole_of;  /* owned; by symbol: the feed whose hole is open; NO_FEED */
	int64_t before_ns; /* what the process before saved last; 0: not known, or over */
	bool starting;     /* until it is known who follows what */
	bool known;        /* what the process before knew is read */
	struct lc_timer *timer;
	struct lc_hole *ended; /* owned; LC_GAPS_PIECE of scratch, as are the next two */
	struct lc_gap_entry *entries;
	struct lc_plan_entry *plan;
	struct side *filling;            /* whose ended holes are handed on now; NULL: nobody's */
	size_t to_fill, filled, planned; /* of `ended`; and of `plan` */
};

static struct side *side_of(const struct lc_feed *feed)
{
	struct lc_feed_gaps *gaps = feed->manager->feed_gaps;
	return gaps ? &gaps->sides[feed->index] : NULL;
}

static int64_t now_ns(const struct lc_feed_gaps *gaps)
{
	return lc_loop_wall_ns(gaps->manager->loop);
}

static void wake(struct lc_feed_gaps *gaps, int64_t ms)
{
	if (!lc_timer_active(gaps->timer) || ms == 0) {
		lc_timer_start(gaps->timer, ms, 0);
	}
}

/* --- which symbols count --- */

static bool in_session(const struct lc_feed_gaps *gaps, enum lc_market market, int64_t at_ns)
{
	enum lc_session session = lc_session_at(gaps->manager->calendar, market, at_ns);
	return session != LC_SESSION_LUNCH && session != LC_SESSION_CLOSED;
}

static bool is_halted(const struct lc_feed_gaps *gaps, uint32_t symbol)
{
	const struct lc_last *last = lc_last_value_get(gaps->manager->last, symbol);
	return last && last->halted;
}

static bool is_held(const struct side *side, uint32_t symbol)
{
	return lc_subscriptions_held(lc_supervisor_subscriptions(side->feed->supervisor), symbol);
}

/* --- opening --- */

static void name_entry(
	const struct side *side, const struct lc_hole *hole, struct lc_gap_entry *out)
{
	*out = (struct lc_gap_entry){.from_ns = hole->from_ns, .until_ns = hole->until_ns};
	const struct lc_symbol *known = lc_symbols_get(side->feed->manager->symbols, hole->symbol);
	memcpy(out->symbol, known->text, known->len + 1);
}

static void say(struct side *side, size_t count, bool alert)
{
	const struct lc_gap_event event = {.type = "gap_opened",
		.gap = side->id,
		.cause = side->cause,
		.feeder = side->feed->impl->name,
		.evidence = side->evidence,
		.alert = alert};
	lc_gaps_say(side->feed->manager->gaps, &event, side->all->entries, count);
}

/* Says the next piece of the holes that opened; false: all are told. */
static bool tell_opened(struct side *side)
{
	size_t count = lc_holes_count(side->holes), n = 0;
	for (; side->told < count && n < LC_GAPS_PIECE; side->told++) {
		name_entry(side, lc_holes_at(side->holes, side->told), &side->all->entries[n]);
		side->all->entries[n++].until_ns = 0;
	}
	if (n > 0) {
		say(side, n, false);
	}
	return n > 0;
}

static void open_hole(struct side *side, uint32_t symbol, int64_t floor_ns, int64_t at_ns)
{
	struct lc_feed_gaps *gaps = side->all;
	if (gaps->hole_of[symbol] != NO_FEED || is_halted(gaps, symbol) ||
		!lc_holes_open(side->holes, symbol, floor_ns, at_ns)) {
		return;
	}
	gaps->hole_of[symbol] = side->feed->index;
	lc_bar_flow_lost(gaps->manager->bars, symbol);
}

/* Trades about the ends of what will be fetched are to be known again, so that none comes twice.
 * Of thousands of symbols this is prepared in pieces, before the vendor has them again; true when
 * there is more. */
static bool make_edges(struct side *side)
{
	size_t count = lc_holes_count(side->holes), stop = side->edged + EDGES_A_TURN;
	for (; side->edged < count && side->edged < stop; side->edged++) {
		const struct lc_hole *hole = lc_holes_at(side->holes, side->edged);
		if (!hole->ended && lc_backfills_can(side->backfills, hole->symbol)) {
			lc_quality_edge(side->all->manager->quality, hole->symbol, true);
		}
	}
	return side->edged < count;
}

/* Opens holes for the feed's symbols of a market; floor: not before it. */
static void open_market(
	struct side *side, enum lc_market market, int64_t floor_ns, int64_t at_ns, bool held_only)
{
	const struct lc_manager *manager = side->feed->manager;
	size_t count = lc_symbols_count(manager->symbols);
	side->in[market] = true;
	for (uint32_t symbol = 0; symbol < count; symbol++) {
		if (manager->feed_of[symbol] == side->feed->index &&
			lc_symbols_get(manager->symbols, symbol)->market == market &&
			(!held_only || is_held(side, symbol))) {
			open_hole(side, symbol, floor_ns, at_ns);
		}
	}
}

/* Begins the gap, or goes on with the one that is open, with the symbols that are in session. */
static void begin_gap(struct side *side, enum lc_gap_cause cause, const char *evidence)
{
	if (!side->open) {
		lc_gaps_id(side->feed->manager->gaps, side->id);
		side->cause = cause;
		if (evidence != side->evidence) { /* what was seen before still holds */
			snprintf(side->evidence, sizeof side->evidence, "%.250s", evidence);
		}
		side->told = side->looked = side->edged = 0;
		side->first_end_ns = 0;
	}
}

static void began(struct side *side)
{
	if (!side->open && lc_holes_count(side->holes) > 0) {
		side->open = true;
		++*side->opened;
	}
	if (make_edges(side)) {
		wake(side->all, 0);
	}
	tell_opened(side);
}

static void open_markets(struct side *side, int64_t floor_ns, bool held_only)
{
	int64_t at_ns = now_ns(side->all);
	for (int market = 0; market < LC_MARKETS; market++) {
		side->in[market] = false;
		side->begins_ns[market] = 0;
		if (in_session(side->all, (enum lc_market)market, at_ns)) {
			open_market(side, (enum lc_market)market, floor_ns, at_ns, held_only);
		}
	}
}

/* While the feed gives nothing, a session that begins is missed from its begin on. */
static void watch_sessions(struct side *side)
{
	struct lc_feed_gaps *gaps = side->all;
	int64_t at_ns = now_ns(gaps);
	for (int market = 0; market < LC_MARKETS; market++) {
		if (!in_session(gaps, (enum lc_market)market, at_ns)) {
			side->in[market] = false;
			side->begins_ns[market] = lc_session_ends(
				gaps->manager->calendar, (enum lc_market)market, at_ns);
		} else if (!side->in[market]) {
			begin_gap(side, side->cause, side->evidence);
			open_market(side, (enum lc_market)market, side->begins_ns[market], at_ns,
				false);
			began(side);
		}
	}
}

/* --- ending --- */

/* A symbol is back when the vendor has its subscription, in a session after the one that was
 * lost. */
static void look_for_back(struct side *side)
{
	struct lc_manager *manager = side->feed->manager;
	struct lc_supervisor_status status = lc_supervisor_status(side->feed->supervisor);
	if (status.state != LC_FEED_CONNECTED || status.connects <= side->connects) {
		return;
	}
	size_t count = lc_holes_count(side->holes);
	for (size_t n = 0; n < BACK_A_TURN && n < count; n++) {
		side->looked = side->looked < count ? side->looked : 0;
		const struct lc_hole *hole = lc_holes_at(side->holes, side->looked++);
		if (!hole->ended && manager->feed_of[hole->symbol] == side->feed->index &&
			is_held(side, hole->symbol)) {
			lc_holes_back(side->holes, hole->symbol);
		}
	}
}

/* Where filling begins: what a killed process may have sent already is left out, since it would
 * come twice under two numbers. It stays said as missing. */
static int64_t fill_from(const struct side *side, const struct lc_hole *hole)
{
	int64_t certain_ns = side->before_ns + BEHIND_LAST_NS;
	bool unsure = side->filling_cause == LC_GAP_RESTART && side->killed;
	return unsure && hole->from_ns < certain_ns ? certain_ns : hole->from_ns;
}

static void drop_edge(const struct lc_feed_gaps *gaps, uint32_t symbol)
{
	/* A new hole of the symbol needs its edges. */
	if (gaps->hole_of[symbol] == NO_FEED) {
		lc_quality_edge(gaps->manager->quality, symbol, false);
	}
}

static void fill_one(struct lc_feed_gaps *gaps, const struct lc_hole *hole)
{
	const struct side *side = gaps->filling;
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

/* Hands what ended to the bars and then to the backfill. What that does not take stays open, as was
 * said. */
static void fill(struct lc_feed_gaps *gaps)
{
	struct side *side = gaps->filling;
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

static void begin_fill(struct side *side, size_t count)
{
	struct lc_feed_gaps *gaps = side->all;
	for (size_t i = 0; i < count; i++) {
		gaps->hole_of[gaps->ended[i].symbol] = NO_FEED;
	}
	gaps->filling = side;
	gaps->to_fill = count;
	gaps->filled = gaps->planned = 0;
	side->filling_cause = side->cause;
	memcpy(side->filling_id, side->id, sizeof side->filling_id);
}

/* Says the next piece of what is over; true when there is more at once. */
static bool tell_ended(struct side *side)
{
	int64_t mono_ns = lc_loop_mono_ns(side->feed->manager->loop);
	size_t ended = lc_holes_ended(side->holes), count = lc_holes_count(side->holes);
	if (ended == 0) {
		side->open = side->open && count > 0;
		return false;
	}
	side->first_end_ns = side->first_end_ns ? side->first_end_ns : mono_ns;
	if (ended < count && mono_ns - side->first_end_ns < SETTLE_NS) {
		return false;
	}
	size_t n = lc_holes_take(side->holes, side->all->ended, LC_GAPS_PIECE);
	for (size_t i = 0; i < n; i++) {
		name_entry(side, &side->all->ended[i], &side->all->entries[i]);
	}
	side->told = side->edged = lc_holes_count(side->holes);
	say(side, n, true);
	begin_fill(side, n);
	if (lc_holes_ended(side->holes) == 0) {
		side->first_end_ns = 0;
	}
	side->open = lc_holes_count(side->holes) > 0;
	return true;
}

/* --- turns --- */

/* True when there is more at once. */
static bool turn(struct side *side)
{
	if (side->lost) {
		watch_sessions(side);
	}
	if (side->open) {
		if (make_edges(side)) {
			return true;
		}
		look_for_back(side);
		if (tell_opened(side) || tell_ended(side)) {
			return true;
		}
	}
	return lc_backfills_turn(side->backfills);
}

static void on_turn(void *arg)
{
	struct lc_feed_gaps *gaps = arg;
	bool more = false;
	if (gaps->manager->phase == LC_PHASE_STOPPING) {
		return;
	}
	if (gaps->filling) {
		fill(gaps);
		more = true;
	}
	for (size_t i = 0; i < gaps->count && !more && !gaps->filling; i++) {
		more |= turn(&gaps->sides[i]);
	}
	wake(gaps, more ? 0 : TURN_MS);
}

/* --- backfill's host --- */

static bool on_ready(void *arg)
{
	const struct side *side = arg;
	return lc_supervisor_status(side->feed->supervisor).state == LC_FEED_CONNECTED;
}

static bool on_take(void *arg, struct lc_tick *tick)
{
	const struct side *side = arg;
	bool passed = lc_intake_backfilled(side->feed, tick);
	*side->ticks += passed;
	return passed;
}

static void on_mark(void *arg)
{
	struct side *side = arg;
	side->marked = side->feed->drained + lc_queue_length(side->feed->queue);
}

static bool on_passed(void *arg)
{
	const struct side *side = arg;
	return side->feed->drained >= side->marked || lc_queue_length(side->feed->queue) == 0;
}

static void on_closed(void *arg, uint32_t symbol)
{
	const struct side *side = arg;
	drop_edge(side->all, symbol);
}

static const struct lc_backfills_host backfills_host = {.ready = on_ready,
	.take = on_take,
	.mark = on_mark,
	.passed = on_passed,
	.closed = on_closed};

/* --- making it --- */

static void make_metrics(struct side *side)
{
	struct lc_metrics *metrics = lc_loop_metrics(side->feed->manager->loop);
	char label[64];
	lc_metrics_label(label, sizeof label, "feeder", side->feed->impl->name);
	side->gauge = lc_metrics_gauge(metrics, "livecore_gap_symbols", label,
		"symbols in a gap that is open: nothing is seen of them");
	side->opened = lc_metrics_counter(
		metrics, "livecore_gaps_total", label, "gaps of a feed, each of many symbols");
	side->ticks = lc_metrics_counter(metrics, "livecore_backfilled_ticks_total", label,
		"ticks of gaps that were fetched afterwards");
	side->requests = lc_metrics_counter(metrics, "livecore_backfill_requests_total", label,
		"requests to vendors for what gaps left out");
}

static enum lc_err make_side(struct lc_feed_gaps *gaps, struct lc_feed *feed)
{
	struct lc_manager *manager = gaps->manager;
	struct side *side = &gaps->sides[feed->index];
	*side = (struct side){.feed = feed, .all = gaps};
	make_metrics(side);
	enum lc_err rc = lc_holes_create(gaps->max_symbols, feed->impl->snapshots, &side->holes);
	const struct lc_backfills_setup setup = {.loop = manager->loop,
		.symbols = manager->symbols,
		.gaps = manager->gaps,
		.bars = manager->bars,
		.feeder = lc_supervisor_feeder(feed->supervisor),
		.config = lc_config_section(manager->config, "backfill"),
		.host = &backfills_host,
		.arg = side};
	return rc ? rc : lc_backfills_create(&setup, &side->backfills);
}

enum lc_err lc_feed_gaps_create(struct lc_manager *manager, struct lc_feed_gaps **out)
{
	const struct lc_symbols_config *symbols = lc_config_section(manager->config, "symbols");
	struct lc_feed_gaps *gaps = calloc(1, sizeof *gaps);
	if (!gaps) {
		return LC_ERR_NOMEM;
	}
	*out = gaps;
	gaps->manager = manager;
	gaps->max_symbols = (size_t)symbols->max;
	gaps->hole_of = malloc(gaps->max_symbols + 1);
	gaps->starting = true;
	gaps->ended = malloc(LC_GAPS_PIECE * sizeof *gaps->ended);
	gaps->entries = malloc(LC_GAPS_PIECE * sizeof *gaps->entries);
	gaps->plan = malloc(LC_GAPS_PIECE * sizeof *gaps->plan);
	if (!gaps->hole_of || !gaps->ended || !gaps->entries || !gaps->plan) {
		return LC_ERR_NOMEM;
	}
	memset(gaps->hole_of, NO_FEED, gaps->max_symbols + 1);
	enum lc_err rc = lc_timer_create(manager->loop, on_turn, gaps, &gaps->timer);
	for (size_t i = 0; i < manager->feed_count && rc == LC_OK; i++) {
		gaps->count = i + 1;
		rc = make_side(gaps, &manager->feeds[i]);
	}
	if (rc == LC_OK) {
		wake(gaps, TURN_MS);
	}
	return rc;
}

void lc_feed_gaps_destroy(struct lc_feed_gaps *gaps)
{
	if (!gaps) {
		return;
	}
	for (size_t i = 0; i < gaps->count; i++) {
		lc_holes_destroy(gaps->sides[i].holes);
		lc_backfills_destroy(gaps->sides[i].backfills);
	}
	lc_timer_destroy(gaps->timer);
	free(gaps->hole_of);
	free(gaps->ended);
	free(gaps->entries);
	free(gaps->plan);
	free(gaps);
}

void lc_feed_gaps_configure(struct lc_feed_gaps *gaps)
{
	for (size_t i = 0; i < gaps->count; i++) {
		lc_backfills_configure(gaps->sides[i].backfills,
			lc_config_section(gaps->manager->config, "backfill"));
	}
}

/* --- what happens to feeds --- */

void lc_feed_gaps_tick(struct lc_feed *feed, const struct lc_tick *tick, bool passed)
{
	struct side *side = side_of(feed);
	if (!side) {
		return;
	}
	uint8_t hole = side->all->hole_of[tick->symbol];
	struct lc_holes *other = hole != NO_FEED && hole != feed->index
					 ? side->all->sides[hole].holes
					 : NULL;
	if (passed) {
		lc_holes_seen(side->holes, tick);
	} else {
		lc_holes_same(side->holes, tick);
	}
	if (other && passed) { /* another source took over */
		lc_holes_seen(other, tick);
	}
	if (side->open && side->cause == LC_GAP_MUTE && hole == feed->index &&
		lc_supervisor_status(feed->supervisor).connects == side->connects) {
		side->lost = false; /* it was silent, and speaks again */
		if (!feed->impl->snapshots) {
			lc_holes_all_back(side->holes, tick->event_ns);
		}
	}
}

void lc_feed_gaps_same(struct lc_feed *feed, uint32_t symbol)
{
	struct side *side = side_of(feed);
	if (side && feed->impl->snapshots) {
		int64_t at_ns = now_ns(side->all);
		const struct lc_tick tick = {
			.symbol = symbol, .event_ns = at_ns, .received_ns = at_ns};
		lc_holes_same(side->holes, &tick);
	}
}

void lc_feed_gaps_lost(struct lc_feed *feed, enum lc_gap_cause cause, const char *evidence)
{
	struct side *side = side_of(feed);
	if (!side || feed->manager->phase == LC_PHASE_STOPPING || now_ns(side->all) <= 0) {
		return;
	}
	begin_gap(side, cause, evidence);
	open_markets(side, 0, true);
	side->lost = true;
	side->connects = lc_supervisor_status(feed->supervisor).connects;
	began(side);
}

void lc_feed_gaps_market(struct lc_feed *feed, enum lc_market market, const char *evidence)
{
	struct side *side = side_of(feed);
	if (!side || side->lost || feed->manager->phase == LC_PHASE_STOPPING) {
		return;
	}
	begin_gap(side, LC_GAP_MUTE, evidence);
	side->connects = lc_supervisor_status(feed->supervisor).connects;
	open_market(side, market, 0, now_ns(side->all), true);
	began(side);
}

void lc_feed_gaps_subscribed(struct lc_feed *feed)
{
	struct side *side = side_of(feed);
	int64_t median_ns = 0;
	bool skewed;
	if (side) {
		lc_quality_offset(feed->manager->quality, feed->index, &median_ns, &skewed);
		lc_holes_subscribed(side->holes, now_ns(side->all) + median_ns);
		side->lost = false;
	}
}

void lc_feed_gaps_down(struct lc_feed *feed)
{
	struct side *side = side_of(feed);
	if (side) {
		lc_backfills_interrupted(side->backfills);
	}
}

void lc_feed_gaps_forget(struct lc_manager *manager, uint32_t symbol)
{
	struct lc_feed_gaps *gaps = manager->feed_gaps;
	for (size_t i = 0; gaps && i < gaps->count; i++) {
		struct side *side = &gaps->sides[i];
		size_t before = lc_holes_count(side->holes);
		lc_holes_forget(side->holes, symbol);
		size_t gone = before - lc_holes_count(side->holes);
		side->told -= gone <= side->told ? gone : 0;
		side->edged -= gone <= side->edged ? gone : 0;
	}
	if (gaps) {
		gaps->hole_of[symbol] = NO_FEED;
	}
}

/* --- restarts --- */

void lc_feed_gaps_before(
	struct lc_manager *manager, const char *feeder, int64_t last_event_ns, bool clean)
{
	struct lc_feed *feed = lc_feeds_find(manager, feeder);
	struct side *side = feed ? side_of(feed) : NULL;
	if (side && last_event_ns > side->before_ns) {
		side->before_ns = last_event_ns + clean;
		side->killed = !clean;
		snprintf(side->before_why, sizeof side->before_why, "%s",
			clean ? "the last event that the process before logged; it ended in order"
			      : "a second before the last event that the process before "
				"logged; it did not end in order");
	}
}

void lc_feed_gaps_saved(struct lc_manager *manager, int64_t saved_ns)
{
	struct lc_feed_gaps *gaps = manager->feed_gaps;
	if (gaps && saved_ns > gaps->before_ns) {
		gaps->before_ns = saved_ns;
	}
}

/* Nothing was seen of the feed's symbols since the process before ended. */
static void open_restart(struct side *side, uint32_t symbol)
{
	struct lc_feed_gaps *gaps = side->all;
	int64_t at_ns = now_ns(gaps);
	int64_t from_ns = side->before_ns ? side->before_ns : gaps->before_ns;
	from_ns -= side->killed ? BEFORE_LAST_NS : 0;
	enum lc_market market = (enum lc_market)lc_symbols_get(gaps->manager->symbols, symbol)
					->market;
	if (from_ns == 0 || at_ns <= 0 || !in_session(gaps, market, at_ns)) {
		return;
	}
	begin_gap(side, LC_GAP_RESTART,
		side->before_why[0] ? side->before_why : "the time of the last saved state");
	side->connects = 0;
	open_hole(side, symbol, from_ns, at_ns);
	side->open |= lc_holes_count(side->holes) > 0;
	/* It must be in the log before the first new tick, or a second kill would hide it. */
	wake(gaps, 0);
}

void lc_feed_gaps_followed(struct lc_manager *manager, uint32_t symbol)
{
	struct lc_feed_gaps *gaps = manager->feed_gaps;
	uint8_t index = manager->feed_of[symbol];
	if (gaps && gaps->starting && gaps->known && index != LC_NO_FEED) {
		open_restart(&gaps->sides[index], symbol);
	}
}

void lc_feed_gaps_known(struct lc_manager *manager)
{
	size_t count = lc_symbols_count(manager->symbols);
	if (manager->feed_gaps) {
		manager->feed_gaps->known = true;
	}
	for (uint32_t symbol = 0; symbol < count; symbol++) {
		lc_feed_gaps_followed(manager, symbol);
	}
}

void lc_feed_gaps_started(struct lc_manager *manager)
{
	if (manager->feed_gaps) {
		manager->feed_gaps->starting = false;
	}
}

/* --- backfill --- */

void lc_feed_gaps_doubt(struct lc_manager *manager, uint32_t symbol, int64_t start_ns)
{
	struct lc_feed_gaps *gaps = manager->feed_gaps;
	uint8_t index = manager->feed_of[symbol];
	if (gaps && index != LC_NO_FEED) {
		lc_backfills_minute(gaps->sides[index].backfills, symbol, start_ns);
		wake(gaps, TURN_MS);
	}
}

void lc_feed_gaps_backfilled(struct lc_feed *feed, const struct lc_tick *tick)
{
	struct side *side = side_of(feed);
	if (side) {
		lc_backfills_on_tick(side->backfills, tick);
	}
}

void lc_feed_gaps_minute(struct lc_feed *feed, const struct lc_bar *bar)
{
	struct side *side = side_of(feed);
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
	struct side *side = side_of(feed);
	if (side) {
		*side->requests += end->requests;
		lc_backfills_on_end(side->backfills, end);
		wake(side->all, 0);
	}
}

bool lc_feed_gaps_is_open(const struct lc_manager *manager, uint32_t symbol)
{
	const struct lc_feed_gaps *gaps = manager->feed_gaps;
	uint8_t index = gaps ? gaps->hole_of[symbol] : NO_FEED;
	return index != NO_FEED && lc_holes_is_open(gaps->sides[index].holes, symbol);
}

/* --- what it says of itself --- */

void lc_feed_gaps_status(const struct lc_feed *feed, struct lc_buf *out)
{
	const struct side *side = side_of(feed);
	if (!side) {
		return;
	}
	struct lc_backfills_stats stats = lc_backfills_stats(side->backfills);
	lc_buf_printf(out,
		",\"gaps\":{\"opened\":%llu,\"symbols\":%zu,\"filling\":%zu,\"ticks\":%llu,"
		"\"requests\":%llu,\"filled\":%llu,\"left\":%llu,\"minutes\":%llu}",
		(unsigned long long)*side->opened, lc_holes_count(side->holes), stats.waiting,
		(unsigned long long)stats.ticks, (unsigned long long)stats.requests,
		(unsigned long long)stats.filled, (unsigned long long)stats.left,
		(unsigned long long)stats.minutes);
}

void lc_feed_gaps_gauges(struct lc_manager *manager)
{
	struct lc_feed_gaps *gaps = manager->feed_gaps;
	for (size_t i = 0; gaps && i < gaps->count; i++) {
		struct side *side = &gaps->sides[i];
		*side->gauge = (double)(lc_holes_count(side->holes) - lc_holes_ended(side->holes));
	}
}

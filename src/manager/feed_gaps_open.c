#include "manager/feed_gaps_priv.h"

#include <stdio.h>

#define EDGES_A_TURN 100 /* symbols, 2 KB each: about 0.2 ms */

/* --- which symbols count --- */

bool lc_feed_gaps_in_session(const struct lc_feed_gaps *gaps, enum lc_market market, int64_t at_ns)
{
	enum lc_session session = lc_session_at(gaps->manager->calendar, market, at_ns);
	return session != LC_SESSION_LUNCH && session != LC_SESSION_CLOSED;
}

static bool is_halted(const struct lc_feed_gaps *gaps, uint32_t symbol)
{
	const struct lc_last *last = lc_last_value_get(gaps->manager->last, symbol);
	return last && last->halted;
}

bool lc_feed_gaps_is_held(const struct lc_gap_side *side, uint32_t symbol)
{
	return lc_subscriptions_held(lc_supervisor_subscriptions(side->feed->supervisor), symbol);
}

/* --- opening --- */

void lc_feed_gaps_open(struct lc_gap_side *side, uint32_t symbol, int64_t floor_ns, int64_t at_ns)
{
	struct lc_feed_gaps *gaps = side->all;
	if (gaps->hole_of[symbol] != LC_NO_HOLE || is_halted(gaps, symbol) ||
		!lc_holes_open(side->holes, symbol, floor_ns, at_ns)) {
		return;
	}
	gaps->hole_of[symbol] = side->feed->index;
	lc_bar_flow_lost(gaps->manager->bars, symbol);
}

bool lc_feed_gaps_make_edges(struct lc_gap_side *side)
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
static void open_market(struct lc_gap_side *side, enum lc_market market, int64_t floor_ns,
	int64_t at_ns, bool held_only)
{
	const struct lc_manager *manager = side->feed->manager;
	size_t count = lc_symbols_count(manager->symbols);
	side->in[market] = true;
	for (uint32_t symbol = 0; symbol < count; symbol++) {
		if (manager->feed_of[symbol] == side->feed->index &&
			lc_symbols_get(manager->symbols, symbol)->market == market &&
			(!held_only || lc_feed_gaps_is_held(side, symbol))) {
			lc_feed_gaps_open(side, symbol, floor_ns, at_ns);
		}
	}
}

void lc_feed_gaps_begin(struct lc_gap_side *side, enum lc_gap_cause cause, const char *evidence)
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

static void began(struct lc_gap_side *side)
{
	if (!side->open && lc_holes_count(side->holes) > 0) {
		side->open = true;
		++*side->opened;
	}
	lc_feed_gaps_make_edges(side); /* of a few symbols that is all; the rest comes in steps */
	lc_feed_gaps_wake(side->all, 0);
}

static void open_markets(struct lc_gap_side *side, int64_t floor_ns, bool held_only)
{
	int64_t at_ns = lc_feed_gaps_now_ns(side->all);
	for (int market = 0; market < LC_MARKETS; market++) {
		side->in[market] = false;
		side->begins_ns[market] = 0;
		if (lc_feed_gaps_in_session(side->all, (enum lc_market)market, at_ns)) {
			open_market(side, (enum lc_market)market, floor_ns, at_ns, held_only);
		}
	}
}

void lc_feed_gaps_watch_sessions(struct lc_gap_side *side)
{
	struct lc_feed_gaps *gaps = side->all;
	int64_t at_ns = lc_feed_gaps_now_ns(gaps);
	for (int market = 0; market < LC_MARKETS; market++) {
		if (!lc_feed_gaps_in_session(gaps, (enum lc_market)market, at_ns)) {
			side->in[market] = false;
			side->begins_ns[market] = lc_session_ends(
				gaps->manager->calendar, (enum lc_market)market, at_ns);
		} else if (!side->in[market]) {
			lc_feed_gaps_begin(side, side->cause, side->evidence);
			open_market(side, (enum lc_market)market, side->begins_ns[market], at_ns,
				false);
			began(side);
		}
	}
}

/* --- a feed is lost --- */

void lc_feed_gaps_lost(struct lc_feed *feed, enum lc_gap_cause cause, const char *evidence)
{
	struct lc_gap_side *side = lc_feed_gaps_side(feed);
	if (!side || feed->manager->phase == LC_PHASE_STOPPING ||
		lc_feed_gaps_now_ns(side->all) <= 0) {
		return;
	}
	lc_feed_gaps_begin(side, cause, evidence);
	open_markets(side, 0, true);
	side->lost = true;
	side->connects = lc_supervisor_status(feed->supervisor).connects;
	began(side);
}

void lc_feed_gaps_market(struct lc_feed *feed, enum lc_market market, const char *evidence)
{
	struct lc_gap_side *side = lc_feed_gaps_side(feed);
	if (!side || side->lost || feed->manager->phase == LC_PHASE_STOPPING) {
		return;
	}
	lc_feed_gaps_begin(side, LC_GAP_MUTE, evidence);
	side->connects = lc_supervisor_status(feed->supervisor).connects;
	open_market(side, market, 0, lc_feed_gaps_now_ns(side->all), true);
	began(side);
}

#include "manager/feed_gaps_priv.h"

#include <string.h>

/* So long the end of a gap waits for the symbols that are not back yet, to be one event. */
#define SETTLE_NS (2 * LC_NS_PER_S)
#define BACK_A_TURN 5000 /* symbols looked at, about 0.1 ms */

static void name_entry(
	const struct lc_gap_side *side, const struct lc_hole *hole, struct lc_gap_entry *out)
{
	*out = (struct lc_gap_entry){.from_ns = hole->from_ns, .until_ns = hole->until_ns};
	const struct lc_symbol *known = lc_symbols_get(side->feed->manager->symbols, hole->symbol);
	memcpy(out->symbol, known->text, known->len + 1);
}

static void say(struct lc_gap_side *side, size_t count, bool alert)
{
	const struct lc_gap_event event = {.type = "gap_opened",
		.gap = side->id,
		.cause = side->cause,
		.feeder = side->feed->impl->name,
		.evidence = side->evidence,
		.alert = alert};
	lc_gaps_say(side->feed->manager->gaps, &event, side->all->entries, count);
}

bool lc_feed_gaps_tell_opened(struct lc_gap_side *side)
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

/* A symbol is back when the vendor has its subscription, in a session after the one that was
 * lost. */
void lc_feed_gaps_look_for_back(struct lc_gap_side *side)
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
			lc_feed_gaps_is_held(side, hole->symbol)) {
			lc_holes_back(side->holes, hole->symbol);
		}
	}
}

bool lc_feed_gaps_tell_ended(struct lc_gap_side *side)
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
	lc_feed_gaps_begin_fill(side, n);
	if (lc_holes_ended(side->holes) == 0) {
		side->first_end_ns = 0;
	}
	side->open = lc_holes_count(side->holes) > 0;
	return true;
}

#include "manager/feed_gaps_priv.h"

#include <stdio.h>

/* A vendor's times are not quite in order: what happened shortly before the last event in the log
 * of a process that was killed may not have come yet. */
#define BEFORE_LAST_NS LC_NS_PER_S

void lc_feed_gaps_before(
	struct lc_manager *manager, const char *feeder, int64_t last_event_ns, bool clean)
{
	struct lc_feed *feed = lc_feeds_find(manager, feeder);
	struct lc_gap_side *side = feed ? lc_feed_gaps_side(feed) : NULL;
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
static void open_restart(struct lc_gap_side *side, uint32_t symbol)
{
	struct lc_feed_gaps *gaps = side->all;
	int64_t at_ns = lc_feed_gaps_now_ns(gaps);
	int64_t from_ns = side->before_ns ? side->before_ns : gaps->before_ns;
	from_ns -= side->killed ? BEFORE_LAST_NS : 0;
	enum lc_market market = (enum lc_market)lc_symbols_get(gaps->manager->symbols, symbol)
					->market;
	if (from_ns == 0 || at_ns <= 0 || !lc_feed_gaps_in_session(gaps, market, at_ns)) {
		return;
	}
	lc_feed_gaps_begin(side, LC_GAP_RESTART,
		side->before_why[0] ? side->before_why : "the time of the last saved state");
	side->connects = 0;
	lc_feed_gaps_open(side, symbol, from_ns, at_ns);
	side->open |= lc_holes_count(side->holes) > 0;
	/* It must be in the log before the first new tick, or a second kill would hide it. */
	lc_feed_gaps_wake(gaps, 0);
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

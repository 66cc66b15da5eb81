#include "manager/feed_gaps_priv.h"

#include <stdlib.h>
#include <string.h>

struct lc_gap_side *lc_feed_gaps_side(const struct lc_feed *feed)
{
	struct lc_feed_gaps *gaps = feed->manager->feed_gaps;
	return gaps ? &gaps->sides[feed->index] : NULL;
}

int64_t lc_feed_gaps_now_ns(const struct lc_feed_gaps *gaps)
{
	return lc_loop_wall_ns(gaps->manager->loop);
}

/* --- turns --- */

/* True when there is more at once. */
static bool turn(struct lc_gap_side *side)
{
	if (side->lost) {
		lc_feed_gaps_watch_sessions(side);
	}
	if (side->open) {
		if (lc_feed_gaps_make_edges(side)) {
			return true;
		}
		lc_feed_gaps_look_for_back(side);
		if (lc_feed_gaps_tell_opened(side) || lc_feed_gaps_tell_ended(side)) {
			return true;
		}
	}
	return lc_backfills_turn(side->backfills);
}

/* A step is a piece of one feed's work: all of them together hold the loop no longer than one. */
static bool on_step(void *arg)
{
	struct lc_feed_gaps *gaps = arg;
	bool more = false;
	gaps->again = false;
	if (gaps->manager->phase == LC_PHASE_STOPPING) {
		return false;
	}
	if (gaps->filling) {
		lc_feed_gaps_fill(gaps);
		return true;
	}
	for (size_t i = 0; i < gaps->count && !more && !gaps->filling; i++) {
		more |= turn(&gaps->sides[i]);
	}
	return more || gaps->again;
}

static void on_done(void *arg)
{
	struct lc_feed_gaps *gaps = arg;
	gaps->slice = NULL;
	lc_timer_start(gaps->timer, LC_FEED_GAPS_TURN_MS, 0);
}

static void on_turn(void *arg)
{
	struct lc_feed_gaps *gaps = arg;
	if (lc_slice_start(gaps->manager->loop, "gaps", on_step, on_done, gaps, &gaps->slice) !=
		LC_OK) {
		lc_timer_start(gaps->timer, LC_FEED_GAPS_TURN_MS, 0);
	}
}

void lc_feed_gaps_wake(struct lc_feed_gaps *gaps, int64_t ms)
{
	if (gaps->slice) {
		gaps->again |= ms == 0;
	} else if (ms == 0) {
		lc_timer_stop(gaps->timer);
		on_turn(gaps);
	} else if (!lc_timer_active(gaps->timer)) {
		lc_timer_start(gaps->timer, ms, 0);
	}
}

/* --- making it --- */

static void make_metrics(struct lc_gap_side *side)
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
	struct lc_gap_side *side = &gaps->sides[feed->index];
	*side = (struct lc_gap_side){.feed = feed, .all = gaps};
	make_metrics(side);
	enum lc_err rc = lc_holes_create(gaps->max_symbols, feed->impl->snapshots, &side->holes);
	return rc ? rc : lc_feed_gaps_make_backfills(side);
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
	memset(gaps->hole_of, LC_NO_HOLE, gaps->max_symbols + 1);
	enum lc_err rc = lc_timer_create(manager->loop, on_turn, gaps, &gaps->timer);
	for (size_t i = 0; i < manager->feed_count && rc == LC_OK; i++) {
		gaps->count = i + 1;
		rc = make_side(gaps, &manager->feeds[i]);
	}
	if (rc == LC_OK) {
		lc_feed_gaps_wake(gaps, LC_FEED_GAPS_TURN_MS);
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
	lc_slice_cancel(gaps->slice);
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
	struct lc_gap_side *side = lc_feed_gaps_side(feed);
	if (!side) {
		return;
	}
	uint8_t hole = side->all->hole_of[tick->symbol];
	struct lc_holes *other = hole != LC_NO_HOLE && hole != feed->index
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
	struct lc_gap_side *side = lc_feed_gaps_side(feed);
	if (side && feed->impl->snapshots) {
		int64_t at_ns = lc_feed_gaps_now_ns(side->all);
		const struct lc_tick tick = {
			.symbol = symbol, .event_ns = at_ns, .received_ns = at_ns};
		lc_holes_same(side->holes, &tick);
	}
}

void lc_feed_gaps_subscribed(struct lc_feed *feed)
{
	struct lc_gap_side *side = lc_feed_gaps_side(feed);
	int64_t median_ns = 0;
	bool skewed;
	if (side) {
		lc_quality_offset(feed->manager->quality, feed->index, &median_ns, &skewed);
		lc_holes_subscribed(side->holes, lc_feed_gaps_now_ns(side->all) + median_ns);
		side->lost = false;
	}
}

void lc_feed_gaps_down(struct lc_feed *feed)
{
	struct lc_gap_side *side = lc_feed_gaps_side(feed);
	if (side) {
		lc_backfills_interrupted(side->backfills);
	}
}

void lc_feed_gaps_forget(struct lc_manager *manager, uint32_t symbol)
{
	struct lc_feed_gaps *gaps = manager->feed_gaps;
	for (size_t i = 0; gaps && i < gaps->count; i++) {
		struct lc_gap_side *side = &gaps->sides[i];
		size_t before = lc_holes_count(side->holes);
		lc_holes_forget(side->holes, symbol);
		size_t gone = before - lc_holes_count(side->holes);
		side->told -= gone <= side->told ? gone : 0;
		side->edged -= gone <= side->edged ? gone : 0;
	}
	if (gaps) {
		gaps->hole_of[symbol] = LC_NO_HOLE;
	}
}

bool lc_feed_gaps_is_open(const struct lc_manager *manager, uint32_t symbol)
{
	const struct lc_feed_gaps *gaps = manager->feed_gaps;
	uint8_t index = gaps ? gaps->hole_of[symbol] : LC_NO_HOLE;
	return index != LC_NO_HOLE && lc_holes_is_open(gaps->sides[index].holes, symbol);
}

/* --- what it says of itself --- */

void lc_feed_gaps_status(const struct lc_feed *feed, struct lc_buf *out)
{
	const struct lc_gap_side *side = lc_feed_gaps_side(feed);
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
		struct lc_gap_side *side = &gaps->sides[i];
		*side->gauge = (double)(lc_holes_count(side->holes) - lc_holes_ended(side->holes));
	}
}

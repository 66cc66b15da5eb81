#include "feeds_fixture.h"

static struct lc_feed *feed(struct rig *rig, int source)
{
	return &rig->manager.feeds[source];
}

/* `count` symbols are followed over these sources, and each gave a tick. */
static void begin(
	struct rig *rig, const char *route, const char *more, uint32_t *symbols, unsigned count)
{
	rig_open(rig);
	rig_route(rig, route);
	if (more) {
		rig_set(rig, more);
	}
	rig_start(rig);
	for (unsigned i = 0; i < count; i++) {
		char text[16];
		snprintf(text, sizeof text, "%06u.SH", 600000 + i);
		symbols[i] = rig_follow(rig, text);
	}
	rig_run(rig);
	RIG_UNTIL(rig, vendors[ONE].held == count);
	for (unsigned i = 0; i < count; i++) {
		rig_tick(rig, ONE, symbols[i]);
	}
	RIG_UNTIL(rig, lc_queue_length(feed(rig, ONE)->queue) == 0);
}

static bool is_open(struct rig *rig, uint32_t symbol)
{
	return lc_feed_gaps_is_open(&rig->manager, symbol);
}

/* The next gap_opened that tells an end, or a begin. */
static bool gap(struct rig *rig, bool ended)
{
	while (rig_event(rig, "gap_opened")) {
		const struct lc_value *data = lc_value_find(rig->out.root, "data");
		const struct lc_value *until = lc_value_find(data, "until");
		if ((until && until->type == LC_VALUE_STRING) == ended) {
			return true;
		}
	}
	return false;
}

Test(feed_gaps, a_cut_is_said_its_end_too_and_it_is_filled)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney", NULL, symbols, 3);
	vendor_drop(ONE, LC_DOWN_RETRY, 0, "reset by peer");
	RIG_UNTIL(&rig, is_open(&rig, symbols[0]));
	cr_assert(is_open(&rig, symbols[2]));
	RIG_UNTIL(&rig, gap(&rig, false));
	cr_assert(out_is(&rig.out, "data.cause", "disconnect"));
	cr_assert(out_is(&rig.out, "data.feeder", "eastmoney"));
	cr_assert(out_is(&rig.out, "data.count", "3"));
	cr_assert(out_is(&rig.out, "data.evidence", "reset by peer"));
	RIG_UNTIL(&rig, gap(&rig, true));
	cr_assert(out_is(&rig.out, "data.count", "3"));
	cr_assert_not(is_open(&rig, symbols[0]));
	RIG_UNTIL(&rig, rig_event(&rig, "gap_filled"));
	cr_assert(out_is(&rig.out, "data.count", "3"));
	cr_assert(out_is(&rig.out, "data.left_open", "0"));
	cr_assert_eq(vendors[ONE].requests, 1);
	cr_assert_eq(vendors[ONE].asked.count, 3);
	cr_assert_not(gap(&rig, false), "one gap, said once");
	rig_close(&rig);
}

Test(feed_gaps, only_what_the_vendor_held_and_what_is_not_halted)
{
	struct rig rig;
	uint32_t symbols[4];
	begin(&rig, "eastmoney", NULL, symbols, 3);
	struct lc_tick halt = rig_trade(&rig, ONE, symbols[1]);
	halt.kind = LC_TICK_STATUS;
	halt.has = LC_HAS_EVENT_TIME;
	halt.u.status.action = LC_STATUS_HALT;
	rig_give(ONE, &halt);
	RIG_UNTIL(&rig, lc_queue_length(feed(&rig, ONE)->queue) == 0);
	symbols[3] = rig_follow(&rig, "600999.SH"); /* the vendor does not have it yet */
	lc_feed_gaps_lost(feed(&rig, ONE), LC_GAP_DISCONNECT, "gone");
	cr_assert(is_open(&rig, symbols[0]) && is_open(&rig, symbols[2]));
	cr_assert_not(is_open(&rig, symbols[1]), "halted");
	cr_assert_not(is_open(&rig, symbols[3]), "not held");
	rig_close(&rig);
}

Test(feed_gaps, the_end_waits_for_those_that_are_not_back_but_not_for_ever)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney", NULL, symbols, 3);
	vendor_drop(ONE, LC_DOWN_RETRY, 0, "reset by peer");
	RIG_UNTIL(&rig, is_open(&rig, symbols[0]));
	rig.manager.feed_of[symbols[2]] = TWO; /* which gives nothing */
	RIG_UNTIL(&rig, !is_open(&rig, symbols[0]) && !is_open(&rig, symbols[1]));
	int64_t until_ns = lc_clock_mono_ns() + 300 * LC_NS_PER_MS; /* three turns */
	RIG_UNTIL(&rig, lc_clock_mono_ns() > until_ns);
	cr_assert_not(gap(&rig, true));
	rig_pass(2000);
	RIG_UNTIL(&rig, gap(&rig, true));
	cr_assert(out_is(&rig.out, "data.count", "2"));
	cr_assert(is_open(&rig, symbols[2]));
	rig_tick(&rig, TWO, symbols[2]); /* another source took over */
	cr_assert_not(is_open(&rig, symbols[2]));
	RIG_UNTIL(&rig, gap(&rig, true));
	cr_assert(out_is(&rig.out, "data.count", "1"));
	rig_close(&rig);
}

Test(feed_gaps, a_feed_that_was_mute_ends_its_gap_by_speaking)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney", NULL, symbols, 3);
	lc_feed_gaps_lost(feed(&rig, ONE), LC_GAP_MUTE, "nothing for 9 s");
	cr_assert(is_open(&rig, symbols[0]));
	rig_pass(1000);
	rig_tick(&rig, ONE, symbols[1]);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_not(is_open(&rig, symbols[i]), "the session was there all along");
	}
	RIG_UNTIL(&rig, gap(&rig, true));
	cr_assert(out_is(&rig.out, "data.cause", "mute"));
	rig_close(&rig);
}

Test(feed_gaps, a_market_may_be_lost_alone)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney", NULL, symbols, 3);
	uint32_t us = rig_follow(&rig, "AAPL");
	RIG_UNTIL(&rig, vendors[ONE].has[us]);
	lc_feed_gaps_market(feed(&rig, ONE), LC_MARKET_US, "silent while others are not");
	cr_assert(is_open(&rig, us));
	cr_assert_not(is_open(&rig, symbols[0]));
	rig_close(&rig);
}

Test(feed_gaps, thousands_of_symbols_go_in_pieces)
{
	struct rig rig;
	enum { MANY = LC_GAPS_PIECE * 2 + 7 };
	static const char *const counts[] = {"500", "500", "7"};
	uint32_t symbols[MANY];
	begin(&rig, "eastmoney", NULL, symbols, MANY);
	vendor_drop(ONE, LC_DOWN_RETRY, 0, "reset by peer");
	for (int ended = 0; ended < 2; ended++) {
		for (size_t i = 0; i < 3; i++) {
			RIG_UNTIL(&rig, gap(&rig, ended));
			cr_assert(out_is(&rig.out, "data.count", counts[i]), "%d %zu", ended, i);
		}
	}
	for (size_t i = 0; i < 3; i++) {
		RIG_UNTIL(&rig, rig_event(&rig, "gap_filled"));
	}
	cr_assert_eq(vendors[ONE].requests, (MANY + PAGE - 1) / PAGE);
	rig_close(&rig);
}

Test(feed_gaps, what_does_not_fit_the_budget_stays_open)
{
	struct rig rig;
	uint32_t symbols[3 * PAGE];
	begin(&rig, "eastmoney", "backfill.max_requests=2", symbols, 3 * PAGE);
	vendor_drop(ONE, LC_DOWN_RETRY, 0, "reset by peer");
	RIG_UNTIL(&rig, rig_event(&rig, "gap_filled"));
	cr_assert(out_is(&rig.out, "data.count", "200"));
	cr_assert(out_is(&rig.out, "data.left_open", "100"));
	RIG_UNTIL(&rig, rig_event(&rig, "gap_opened"));
	cr_assert(out_is(&rig.out, "data.cause", "budget"));
	cr_assert(out_is(&rig.out, "data.count", "100"));
	rig_close(&rig);
}

Test(feed_gaps, a_request_that_a_cut_broke_off_is_made_again)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney", NULL, symbols, 3);
	vendors[ONE].keeps_requests = true;
	vendor_drop(ONE, LC_DOWN_RETRY, 0, "the first");
	RIG_UNTIL(&rig, vendors[ONE].requests == 1);
	vendors[ONE].keeps_requests = false;
	vendor_drop(ONE, LC_DOWN_RETRY, 0, "the second");
	RIG_UNTIL(&rig, rig_event(&rig, "gap_filled"));
	RIG_UNTIL(&rig, rig_event(&rig, "gap_filled"));
	cr_assert_eq(vendors[ONE].requests, 3, "the first gap's again, and the second's");
	rig_close(&rig);
}

Test(feed_gaps, who_is_left_is_not_spoken_of)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney", NULL, symbols, 3);
	vendor_drop(ONE, LC_DOWN_RETRY, 0, "reset by peer");
	RIG_UNTIL(&rig, is_open(&rig, symbols[0]));
	lc_feeds_leave(&rig.manager, symbols[0]);
	cr_assert_not(is_open(&rig, symbols[0]));
	RIG_UNTIL(&rig, gap(&rig, true));
	cr_assert(out_is(&rig.out, "data.count", "2"));
	rig_close(&rig);
}

Test(feed_gaps, a_stop_is_no_gap)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney", NULL, symbols, 3);
	rig.manager.phase = LC_PHASE_STOPPING;
	lc_feed_gaps_lost(feed(&rig, ONE), LC_GAP_STOPPED, "");
	lc_feed_gaps_market(feed(&rig, ONE), LC_MARKET_CN, "");
	cr_assert_not(is_open(&rig, symbols[0]));
	rig_close(&rig);
}

/* What a killed process sent last is in doubt on both sides: it is said from a second before, and
 * asked for from a quarter of a second behind. One that ended in order knows to the nanosecond. */
Test(feed_gaps, a_restart_is_a_gap_since_the_last_event)
{
	for (int clean = 0; clean < 2; clean++) {
		struct rig rig;
		rig_open(&rig);
		rig_route(&rig, "eastmoney");
		rig_start(&rig);
		int64_t last_ns = lc_clock_wall_ns(NULL) - 60 * LC_NS_PER_S;
		lc_feed_gaps_before(&rig.manager, "eastmoney", last_ns, clean);
		lc_feed_gaps_before(&rig.manager, "nobody", last_ns, clean);
		uint32_t before = rig_follow(&rig, "600000.SH");
		cr_assert_not(is_open(&rig, before), "not known yet");
		rig_run(&rig);
		cr_assert(is_open(&rig, before));
		uint32_t later = rig_follow(&rig, "600001.SH");
		cr_assert_not(is_open(&rig, later), "nobody followed it before");
		RIG_UNTIL(&rig, gap(&rig, false));
		cr_assert(out_is(&rig.out, "data.cause", "restart"));
		char from[LC_TIME_TEXT_MAX + 1];
		int64_t from_ns = clean ? last_ns + 1 : last_ns - LC_NS_PER_S;
		from[lc_time_format(from_ns, LC_TIME_UTC, NULL, from)] = '\0';
		cr_assert(out_is(&rig.out, "data.from", from), "not %s", from);
		RIG_UNTIL(&rig, vendors[ONE].requests == 1);
		int64_t asked_ns = clean ? last_ns + 1 : last_ns + LC_NS_PER_S / 4;
		cr_assert_eq(vendors[ONE].asked.from_ns, asked_ns);
		cr_assert_eq(vendors[ONE].asked.count, 1);
		rig_close(&rig);
	}
}

Test(feed_gaps, without_a_log_the_saved_state_tells_when_it_was_seen_last)
{
	struct rig rig;
	rig_open(&rig);
	rig_route(&rig, "eastmoney");
	rig_start(&rig);
	int64_t saved_ns = lc_clock_wall_ns(NULL) - 30 * LC_NS_PER_S;
	lc_feed_gaps_saved(&rig.manager, saved_ns);
	lc_feed_gaps_saved(&rig.manager, saved_ns - 1);
	uint32_t symbol = rig_follow(&rig, "600000.SH");
	rig_run(&rig);
	cr_assert(is_open(&rig, symbol));
	RIG_UNTIL(&rig, vendors[ONE].requests == 1);
	cr_assert_eq(vendors[ONE].asked.from_ns, saved_ns);
	rig_close(&rig);
}

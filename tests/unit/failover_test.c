#include "feeds_fixture.h"

#include "manager/failover_priv.h"

static struct lc_feed *feed(struct rig *rig, int source)
{
	return &rig->manager.feeds[source];
}

static enum lc_source_state state(struct rig *rig, int source)
{
	return rig->manager.failover->sources.items[source].state;
}

static int followed_by(struct rig *rig, uint32_t symbol)
{
	return rig->manager.feed_of[symbol];
}

/* Feeds that run, over this route; three symbols are followed, and their first source gave each a
 * tick. */
static void begin(struct rig *rig, const char *route, const char *more, uint32_t symbols[3])
{
	rig_open(rig);
	rig_set(rig, "failover.quarantine=10s");
	rig_route(rig, route);
	if (more) {
		rig_set(rig, more);
	}
	rig_follow_three(rig, symbols);
	for (size_t i = 0; i < 3; i++) {
		rig_tick(rig, ONE, symbols[i]);
	}
}

/* A symbol's ticks come from `to` from now on. */
static void take_over(struct rig *rig, int to, uint32_t symbol)
{
	RIG_UNTIL(rig, vendors[to].has[symbol]);
	rig_tick(rig, to, symbol);
	cr_assert_eq(followed_by(rig, symbol), to);
}

Test(failover, the_next_of_another_origin_takes_over)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,fushu,tencent,alpaca", NULL, symbols);
	cr_assert_eq(vendors[TWO].starts, 0, "nothing is asked of what stands behind others");
	cr_assert(lc_failover_leave(feed(&rig, ONE), "it is silent"));
	cr_assert(lc_failover_leave(feed(&rig, ONE), "again"));
	RIG_UNTIL(&rig, vendors[TWO].held == 3);
	cr_assert_eq(vendors[TWIN].starts, 0, "the same origin fails");
	cr_assert_eq(vendors[THREE].starts, 0, "one after the other");
	rig_tick(&rig, ONE, symbols[0]);
	cr_assert_eq(followed_by(&rig, symbols[0]), ONE, "the new one has not spoken yet");
	rig_tick(&rig, TWO, symbols[0]);
	cr_assert_eq(followed_by(&rig, symbols[0]), TWO);
	cr_assert_eq(followed_by(&rig, symbols[1]), ONE);
	uint64_t dropped = *feed(&rig, ONE)->dropped[LC_DROP_STANDBY].total;
	rig_tick(&rig, ONE, symbols[0]);
	cr_assert_eq(*feed(&rig, ONE)->dropped[LC_DROP_STANDBY].total, dropped + 1);
	cr_assert(lc_failover_watched(&rig.manager, symbols[0]));
	cr_assert(lc_failover_watched(&rig.manager, symbols[1]), "by the one that is to take over");

	cr_assert(rig_event(&rig, "failover"));
	cr_assert(out_is(&rig.out, "data.from", "eastmoney"));
	cr_assert(out_is(&rig.out, "data.to", "tencent"));
	cr_assert(out_is(&rig.out, "data.reason", "it is silent"));
	cr_assert(out_is(&rig.out, "data.returning", "false"));
	cr_assert(out_is(&rig.out, "data.total", "3"));
	cr_assert_not(rig_event(&rig, "failover"), "once");
	rig_close(&rig);
}

Test(failover, sources_go_in_their_order)
{
	static const struct {
		const char *route;
		int unusable, to;
	} cases[] = {
		{"eastmoney,tencent,alpaca", -1, TWO},
		{"eastmoney,alpaca,tencent", -1, THREE},
		{"eastmoney,tencent,alpaca", TWO, THREE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig rig;
		uint32_t symbols[3];
		begin(&rig, cases[i].route, NULL, symbols);
		if (cases[i].unusable >= 0) {
			vendors[cases[i].unusable].unusable = true;
		}
		cr_assert(lc_failover_leave(feed(&rig, ONE), "it is silent"));
		RIG_UNTIL(&rig, vendors[cases[i].to].held == 3);
		cr_assert_eq(vendors[TWO + THREE - cases[i].to].held, 0, "case %zu", i);
		rig_close(&rig);
	}
}

Test(failover, one_after_another_fails_and_the_last_has_nobody_behind_it)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent,alpaca", NULL, symbols);
	lc_failover_leave(feed(&rig, ONE), "the first");
	for (size_t i = 0; i < 3; i++) {
		take_over(&rig, TWO, symbols[i]);
	}
	cr_assert(lc_failover_leave(feed(&rig, TWO), "the second"));
	for (size_t i = 0; i < 3; i++) {
		take_over(&rig, THREE, symbols[i]);
	}
	cr_assert_not(lc_failover_leave(feed(&rig, THREE), "the third"));
	cr_assert_eq(followed_by(&rig, symbols[0]), THREE, "it goes on trying");
	RIG_UNTIL(&rig, rig_alert(&rig, "source_error"));
	cr_assert(out_is(&rig.out, "data.cause", "the third"));
	rig_close(&rig);
}

Test(failover, never_within_an_origin_that_fails)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,fushu", "failover.quarantine=100ms", symbols);
	cr_assert_not(lc_failover_leave(feed(&rig, ONE), "it is silent"));
	RIG_UNTIL(&rig, rig_alert(&rig, "source_error"));
	cr_assert(out_is(&rig.out, "data.actual", "3"), "symbols without a good source");
	cr_assert_eq(vendors[TWIN].starts, 0);
	cr_assert_eq(followed_by(&rig, symbols[0]), ONE);
	rig_tick(&rig, ONE, symbols[0]);
	RIG_UNTIL(&rig, state(&rig, ONE) == LC_SOURCE_GOOD);
	RIG_UNTIL(&rig, rig_alert(&rig, "resolved"));
	cr_assert(out_is(&rig.out, "data.resolves", "source_error"));
	rig_close(&rig);
}

Test(failover, with_one_source_there_is_nothing_to_leave_it_for)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney", NULL, symbols);
	cr_assert_not(lc_failover_leave(feed(&rig, ONE), "it is silent"));
	cr_assert_eq(state(&rig, ONE), LC_SOURCE_GOOD);
	rig_close(&rig);
}

Test(failover, delayed_prices_stand_in_only_when_allowed)
{
	for (int allowed = 0; allowed < 2; allowed++) {
		struct rig rig;
		uint32_t symbols[3];
		begin(&rig, "eastmoney,tencent", allowed ? "failover.allow_delayed=true" : NULL,
			symbols);
		struct lc_tick first = rig_trade(&rig, ONE, symbols[0]);
		first.delayed = true;
		uint64_t dropped = *feed(&rig, ONE)->dropped[LC_DROP_STANDBY].total;
		rig_give(ONE, &first);
		cr_assert_eq(*feed(&rig, ONE)->dropped[LC_DROP_STANDBY].total, dropped,
			"the first of a route may be delayed");
		lc_failover_leave(feed(&rig, ONE), "it is silent");
		RIG_UNTIL(&rig, vendors[TWO].held == 3);
		struct lc_tick late = rig_trade(&rig, TWO, symbols[1]);
		late.delayed = true;
		rig_give(TWO, &late);
		cr_assert_eq(followed_by(&rig, symbols[1]), allowed ? TWO : ONE);
		if (!allowed) {
			RIG_UNTIL(&rig, vendors[TWO].held == 0);
			RIG_UNTIL(&rig, rig_alert(&rig, "source_error"));
			cr_assert_eq(followed_by(&rig, symbols[1]), ONE);
		}
		rig_close(&rig);
	}
}

Test(failover, the_first_comes_back_although_its_prices_are_delayed)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent", "failover.quarantine=100ms", symbols);
	for (int again = 0; again < 2; again++) { /* then it is known that they are */
		lc_failover_leave(feed(&rig, ONE), "it is silent");
		for (size_t i = 0; i < 3; i++) {
			take_over(&rig, TWO, symbols[i]);
		}
		lc_failover_recovered(feed(&rig, ONE));
		for (size_t i = 0; i < 3; i++) {
			RIG_UNTIL(&rig, rig.manager.failover->next_of[symbols[i]] == ONE);
			struct lc_tick late = rig_trade(&rig, ONE, symbols[i]);
			late.delayed = true;
			rig_give(ONE, &late);
			cr_assert_eq(followed_by(&rig, symbols[i]), ONE);
		}
	}
	rig_close(&rig);
}

Test(failover, it_goes_back_after_the_quarantine_and_not_before)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent", NULL, symbols);
	lc_failover_leave(feed(&rig, ONE), "it is silent");
	for (size_t i = 0; i < 3; i++) {
		take_over(&rig, TWO, symbols[i]);
	}
	cr_assert_eq(state(&rig, ONE), LC_SOURCE_LEFT);
	cr_assert_eq(vendors[ONE].held, 3, "its probes");
	rig_tick(&rig, ONE, symbols[0]);
	RIG_UNTIL(&rig, state(&rig, ONE) == LC_SOURCE_QUARANTINE);
	rig_pass(9000);
	rig_tick(&rig, ONE, symbols[0]);
	rig_tick(&rig, TWO, symbols[0]);
	int64_t until_ns = lc_clock_mono_ns() + 500 * LC_NS_PER_MS; /* two looks */
	RIG_UNTIL(&rig, lc_clock_mono_ns() > until_ns);
	cr_assert_eq(state(&rig, ONE), LC_SOURCE_QUARANTINE);
	cr_assert_eq(followed_by(&rig, symbols[0]), TWO);

	rig_pass(1000);
	RIG_UNTIL(&rig, state(&rig, ONE) == LC_SOURCE_GOOD);
	RIG_UNTIL(&rig, rig.manager.failover->next_of[symbols[0]] == ONE);
	cr_assert_eq(followed_by(&rig, symbols[0]), TWO, "until the first speaks");
	for (size_t i = 0; i < 3; i++) {
		take_over(&rig, ONE, symbols[i]);
	}
	RIG_UNTIL(&rig, vendors[TWO].held == 0);
	cr_assert(rig_event(&rig, "failover") && rig_event(&rig, "failover"));
	cr_assert(out_is(&rig.out, "data.from", "tencent"));
	cr_assert(out_is(&rig.out, "data.returning", "true"));
	rig_close(&rig);
}

Test(failover, a_quarantine_breaks_off_with_the_session)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent", NULL, symbols);
	lc_failover_leave(feed(&rig, ONE), "it is silent");
	take_over(&rig, TWO, symbols[0]);
	rig_tick(&rig, ONE, symbols[0]);
	RIG_UNTIL(&rig, state(&rig, ONE) == LC_SOURCE_QUARANTINE);
	vendors[ONE].mute = true;
	vendor_drop(ONE, LC_DOWN_RETRY, 0, "broken off");
	RIG_UNTIL(&rig, state(&rig, ONE) == LC_SOURCE_LEFT);
	vendor_answer(&vendors[ONE], ANSWER_UP);
	RIG_UNTIL(&rig, state(&rig, ONE) == LC_SOURCE_QUARANTINE);
	rig_close(&rig);
}

Test(failover, a_connection_without_ticks_is_not_health)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent", NULL, symbols);
	lc_failover_leave(feed(&rig, ONE), "it is silent");
	take_over(&rig, TWO, symbols[0]);
	int64_t until_ns = lc_clock_mono_ns() + 500 * LC_NS_PER_MS;
	RIG_UNTIL(&rig, lc_clock_mono_ns() > until_ns);
	cr_assert_eq(state(&rig, ONE), LC_SOURCE_LEFT, "it is connected, and gives nothing");
	lc_failover_recovered(feed(&rig, ONE));
	RIG_UNTIL(&rig, state(&rig, ONE) == LC_SOURCE_QUARANTINE);
	rig_close(&rig);
}

Test(failover, a_long_ban_is_left_and_a_short_one_waited_out)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent", "failover.ban_wait=10s", symbols);
	vendor_drop(ONE, LC_DOWN_WAIT, 50, "not so fast");
	RIG_UNTIL(&rig, vendors[ONE].starts == 2 && vendors[ONE].held == 3);
	cr_assert_eq(state(&rig, ONE), LC_SOURCE_GOOD);
	vendor_drop(ONE, LC_DOWN_WAIT, 60000, "go away");
	RIG_UNTIL(&rig, vendors[TWO].held == 3);
	cr_assert_eq(state(&rig, ONE), LC_SOURCE_LEFT);
	rig_close(&rig);
}

Test(failover, what_the_old_source_queued_goes_out_first)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent", NULL, symbols);
	lc_failover_leave(feed(&rig, ONE), "it is silent");
	RIG_UNTIL(&rig, vendors[TWO].held == 3);
	RIG_UNTIL(&rig, lc_queue_length(feed(&rig, ONE)->queue) == 0);
	while (out_next(&rig.out)) {
	}
	for (size_t i = 0; i < 20; i++) {
		rig_tick(&rig, ONE, symbols[0]);
	}
	rig.manager.next_feed = TWO; /* it is its turn */
	for (size_t i = 0; i < 20; i++) {
		rig_tick(&rig, TWO, symbols[0]);
	}
	cr_assert_not(lc_failover_may_drain(feed(&rig, TWO)));
	RIG_UNTIL(&rig, lc_queue_length(feed(&rig, TWO)->queue) == 0);
	static const char *const sources[] = {"eastmoney", "tencent"};
	for (size_t i = 0; i < 40; i++) {
		do {
			cr_assert(out_next(&rig.out), "%zu of 40", i);
		} while (rig.out.record.topic != LC_TOPIC_MARKET);
		cr_assert(out_is(&rig.out, "source", sources[i / 20]), "record %zu", i);
	}
	rig_close(&rig);
}

Test(failover, what_is_older_waits_for_a_while)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent", NULL, symbols);
	lc_failover_leave(feed(&rig, ONE), "it is silent");
	RIG_UNTIL(&rig, vendors[TWO].held == 3);
	struct lc_tick old = rig_trade(&rig, TWO, symbols[0]);
	old.event_ns -= 2 * LC_NS_PER_S;
	rig_give(TWO, &old);
	cr_assert_eq(followed_by(&rig, symbols[0]), ONE, "not back in time");
	struct lc_tick empty = rig_trade(&rig, TWO, symbols[1]);
	empty.has &= ~(uint32_t)LC_HAS_PRICE;
	rig_give(TWO, &empty);
	cr_assert_eq(followed_by(&rig, symbols[1]), ONE, "it says no price");
	rig_pass(3500);
	old = rig_trade(&rig, TWO, symbols[0]);
	old.event_ns -= 10 * LC_NS_PER_S;
	rig_give(TWO, &old);
	cr_assert_eq(followed_by(&rig, symbols[0]), TWO, "better old than none");
	rig_close(&rig);
}

Test(failover, a_quiet_symbol_counts_as_taken_over)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent", NULL, symbols);
	lc_failover_leave(feed(&rig, ONE), "it is silent");
	RIG_UNTIL(&rig, vendors[TWO].held == 3);
	cr_assert_eq(rig.manager.failover->pending, 3);
	rig_pass(10000);
	RIG_UNTIL(&rig, rig.manager.failover->pending == 0);
	cr_assert_eq(followed_by(&rig, symbols[2]), TWO);
	rig_close(&rig);
}

Test(failover, a_symbol_that_is_left_is_left_everywhere)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "eastmoney,tencent", NULL, symbols);
	lc_failover_leave(feed(&rig, ONE), "it is silent");
	take_over(&rig, TWO, symbols[0]); /* the first keeps it as a probe */
	RIG_UNTIL(&rig, vendors[TWO].held == 3);
	lc_feeds_leave(&rig.manager, symbols[0]);
	lc_feeds_leave(&rig.manager, symbols[1]); /* on its way */
	RIG_UNTIL(&rig, vendors[TWO].held == 1 && vendors[ONE].held == 1);
	cr_assert_eq(rig.manager.failover->pending, 1);
	uint64_t dropped = *feed(&rig, TWO)->dropped[LC_DROP_NOT_FOLLOWED].total;
	rig_tick(&rig, TWO, symbols[1]);
	cr_assert_eq(*feed(&rig, TWO)->dropped[LC_DROP_NOT_FOLLOWED].total, dropped + 1);
	rig_close(&rig);
}

Test(failover, thousands_are_said_in_pieces_and_a_few_stay_as_probes)
{
	struct rig rig;
	enum { MANY = LC_GAPS_PIECE * 2 + 7 };
	uint32_t symbols[MANY];
	rig_open(&rig);
	rig_route(&rig, "eastmoney,tencent");
	rig_start(&rig);
	for (unsigned i = 0; i < MANY; i++) {
		char text[16];
		snprintf(text, sizeof text, "%06u.SH", 600000 + i);
		symbols[i] = rig_follow(&rig, text);
	}
	rig_run(&rig);
	RIG_UNTIL(&rig, vendors[ONE].held == MANY);
	lc_failover_leave(feed(&rig, ONE), "it is silent");
	RIG_UNTIL(&rig, vendors[TWO].held == MANY);
	for (unsigned i = 0; i < MANY; i++) {
		rig_tick(&rig, TWO, symbols[i]);
	}
	RIG_UNTIL(&rig, vendors[ONE].held == LC_FAILOVER_PROBES);
	static const char *const counts[] = {"500", "500", "7"};
	for (size_t i = 0; i < 3; i++) {
		cr_assert(rig_event(&rig, "failover"));
		cr_assert(out_is(&rig.out, "data.count", counts[i]), "event %zu", i);
		cr_assert(out_is(&rig.out, "data.total", "1007"));
	}
	cr_assert_not(rig_event(&rig, "failover"));
	rig_close(&rig);
}

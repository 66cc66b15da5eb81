#include "liveness_fixture.h"

/* 2026-11-18 is a Wednesday. New York opens at 14:30 UTC, Shanghai and Hong Kong at 01:30 UTC. */
#define US_OPEN at(2026, 11, 18, 14, 30)
#define ASIA_OPEN at(2026, 11, 18, 1, 30)

/* Ten ordinary minutes of 30 symbols, two ticks a second each; then not one more. */
static void open_then_mute(struct live_fixture *f)
{
	open_live(f, "US", 30, 2, US_OPEN + HOUR);
	run(f, 10 * MINUTE);
	f->mute = true;
}

static void halt_all(struct live_fixture *f, bool halted)
{
	for (size_t i = 0; i < f->count; i++) {
		f->halted[i] = halted;
	}
}

/* By what the verdict is bound to be there, for so many symbols at this rate: what is counted of
 * each in a second, and the patience for few symbols. */
static double bound_s(const struct live_fixture *f, double count, double rate)
{
	double slot_s = 0.268435456, counted = (1 - exp(-rate * slot_s)) / slot_s;
	double need = f->config.patience * (1 + 3 / count);
	return fmax((double)f->config.min_silence / 1000, need / (count * counted));
}

Test(liveness, a_feed_that_goes_mute_is_noticed_in_seconds)
{
	static const struct {
		size_t count;
		double rate;
	} cases[] = {{1, 20}, {2, 5}, {10, 1}, {30, 2}, {100, 0.2}, {300, 1}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct live_fixture f;
		open_live(&f, "US", cases[i].count, cases[i].rate, US_OPEN + HOUR);
		run(&f, 10 * MINUTE);
		cr_assert_eq(f.steps, 0);
		cr_assert_eq(view_of(&f).subscription, LC_LIVE_FLOWS);
		cr_assert_eq(view_of(&f).socket, LC_SOCKET_ANSWERS);
		f.mute = true;
		double took_s = (double)run_until(&f, LC_STAGE_PROBE, 5 * MINUTE) / 1e9;
		double most_s = bound_s(&f, (double)cases[i].count, cases[i].rate) * 1.3 + 0.5;
		cr_assert(took_s > 0 && took_s <= most_s, "%zu x %g: %g s, not %g s",
			cases[i].count, cases[i].rate, took_s, most_s);
		cr_assert_eq(f.step.verdict, LC_LIVE_MUTE);
		cr_assert_geq(f.step.silent_ns, 4750 * LC_NS_PER_MS);
		cr_assert_geq(f.step.expected_ticks, 25);
		close_live(&f);
	}
}

/* Hours of chance at several paces; then it stops, and that is noticed. */
Test(liveness, chance_alone_is_no_alarm, .timeout = 120)
{
	static const struct {
		size_t count;
		double rate;
	} cases[] = {{1, 0.02}, {1, 1}, {5, 0.1}, {3, 0.005}, {40, 0.05}, {60, 3}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct live_fixture f;
		open_live(&f, "", cases[i].count, cases[i].rate, US_OPEN);
		f.random ^= i;
		run(&f, 8 * HOUR);
		cr_assert_eq(f.steps, 0, "%zu x %g: stage %d", cases[i].count, cases[i].rate,
			(int)f.step.stage);
		cr_assert_eq(f.silent, 0);
		f.mute = true;
		double took_s = (double)run_until(&f, LC_STAGE_PROBE, 24 * HOUR) / 1e9;
		/* what was seen of late may be half of what is usual */
		double most_s = bound_s(&f, (double)cases[i].count, cases[i].rate) * 3 + 0.5;
		cr_assert(took_s > 0 && took_s <= most_s, "%zu x %g: %g s, not %g s",
			cases[i].count, cases[i].rate, took_s, most_s);
		close_live(&f);
	}
}

/* Each symbol in bursts of its own, and all quiet down to a tenth at times. */
Test(liveness, bursts_and_lulls_are_no_alarm, .timeout = 120)
{
	struct live_fixture f;
	open_live(&f, "", 20, 1, US_OPEN);
	for (int minute = 0; minute < 6 * 60; minute++) {
		double mood = minute % 45 < 15 ? 0.1 : 1;
		for (size_t i = 0; i < f.count; i++) {
			f.rate[i] = mood * (draw(&f) % 5 == 0 ? 3 : 0.3);
		}
		run(&f, MINUTE);
		cr_assert_eq(f.stages[LC_STAGE_RECONNECT], 0, "in minute %d", minute);
	}
	/* a sudden lull may be looked into; nothing is done for it */
	cr_assert_leq(f.stages[LC_STAGE_PROBE], 4);
	cr_assert_eq(f.stages[LC_STAGE_RESUBSCRIBE], 0);
	close_live(&f);
}

Test(liveness, no_alarm_when_nothing_is_to_be_expected)
{
	const struct {
		const char *suffix;
		int64_t begin_ns, quiet_ns, until_ns;
	} cases[] = {
		/* lunch in Shanghai, in Hong Kong; after hours and the night behind them */
		{".SH", ASIA_OPEN + 90 * MINUTE, at(2026, 11, 18, 3, 30), at(2026, 11, 18, 5, 0)},
		{".HK", ASIA_OPEN + 120 * MINUTE, at(2026, 11, 18, 4, 0), at(2026, 11, 18, 5, 0)},
		{".SH", ASIA_OPEN + 5 * HOUR, at(2026, 11, 18, 7, 0), at(2026, 11, 19, 1, 30)},
		{".HK", ASIA_OPEN + 6 * HOUR, at(2026, 11, 18, 8, 0), at(2026, 11, 19, 1, 30)},
		{"US", US_OPEN + 6 * HOUR, at(2026, 11, 18, 21, 0), at(2026, 11, 19, 14, 30)},
		/* the weekend; Thanksgiving; the half day behind it, from 13:00 on */
		{"US", at(2026, 11, 20, 20, 30), at(2026, 11, 20, 21, 0), at(2026, 11, 23, 9, 0)},
		{"US", at(2026, 11, 25, 20, 30), at(2026, 11, 25, 21, 0), at(2026, 11, 27, 9, 0)},
		{"US", at(2026, 11, 27, 17, 30), at(2026, 11, 27, 18, 0), at(2026, 11, 30, 9, 0)},
		/* Christmas Eve in Hong Kong ends at noon */
		{".HK", at(2026, 12, 24, 3, 30), at(2026, 12, 24, 4, 0), at(2026, 12, 24, 12, 0)},
		/* the pause of the call auctions */
		{".SH", ASIA_OPEN + 5 * HOUR, at(2026, 11, 18, 6, 57), at(2026, 11, 18, 7, 0)},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct live_fixture f;
		open_live(&f, cases[i].suffix, 50, 1, cases[i].begin_ns);
		run(&f, cases[i].quiet_ns - cases[i].begin_ns);
		cr_assert_eq(f.steps, 0, "case %zu: before", i);
		f.mute = true;
		skip_to(&f, cases[i].until_ns);
		cr_assert_eq(f.steps, 0, "case %zu: stage %d", i, (int)f.step.stage);
		cr_assert_eq(f.silent + f.asked, 0, "case %zu", i);
		close_live(&f);
	}
}

/* And the next morning it is noticed, once the grace is over, from what was learned before. */
Test(liveness, what_was_learned_holds_in_the_next_session)
{
	struct live_fixture f;
	open_live(&f, ".SH", 50, 1, ASIA_OPEN);
	run(&f, 20 * MINUTE);
	f.mute = true;
	skip_to(&f, at(2026, 11, 18, 1, 50));
	f.mute = false;
	run(&f, 10 * MINUTE);
	f.mute = true;
	f.link.connected = false;
	skip_to(&f, at(2026, 11, 19, 1, 20));
	f.link.connected = true;
	f.link.heard_ns = f.mono_ns;
	int before = f.steps;
	run(&f, 10 * MINUTE + 10 * SECOND - TURN_NS);
	cr_assert_eq(f.steps, before, "in the auction, or in the grace");
	double took_s = (double)run_until(&f, LC_STAGE_PROBE, MINUTE) / 1e9;
	cr_assert(took_s > 0 && took_s <= 6, "%g s", took_s);
	close_live(&f);
}

Test(liveness, the_first_seconds_are_grace)
{
	struct live_fixture f;
	open_live(&f, ".SH", 50, 1, ASIA_OPEN);
	run(&f, 10 * MINUTE);
	/* a new session: it is to be told what to follow first */
	f.mute = true;
	f.link.connected = false;
	run(&f, 5 * SECOND);
	f.link.connected = true;
	f.link.settled = false;
	run(&f, 20 * SECOND);
	cr_assert_eq(f.steps, 0);
	cr_assert_eq(view_of(&f).subscription, LC_LIVE_GRACE);
	f.link.settled = true;
	run(&f, 9 * SECOND);
	cr_assert_eq(f.steps, 0);
	cr_assert_gt(run_until(&f, LC_STAGE_PROBE, 10 * SECOND), 0);
	close_live(&f);
}

Test(liveness, the_pre_market_counts_only_where_it_was_learned)
{
	struct live_fixture f;
	open_live(&f, "US", 20, 1, US_OPEN - 20 * MINUTE);
	f.mute = true;
	run(&f, 15 * MINUTE);
	cr_assert_eq(f.steps, 0);
	f.mute = false;
	skip_to(&f, at(2026, 11, 19, 14, 5));
	run(&f, 10 * MINUTE);
	cr_assert_eq(f.steps, 0);
	f.mute = true;
	cr_assert_gt(run_until(&f, LC_STAGE_PROBE, 3 * MINUTE), 0);
	close_live(&f);
}

Test(liveness, halted_symbols_are_not_expected_to_speak)
{
	struct live_fixture f;
	open_live(&f, "US", 3, 2, US_OPEN + HOUR);
	run(&f, 10 * MINUTE);
	f.halted[0] = true;
	run(&f, 10 * MINUTE);
	cr_assert_eq(f.asked, 0);
	halt_all(&f, true);
	run(&f, HOUR);
	cr_assert_eq(f.steps + f.asked, 0);
	cr_assert_eq(view_of(&f).subscription, LC_LIVE_IDLE);
	halt_all(&f, false);
	f.mute = true;
	cr_assert_gt(run_until(&f, LC_STAGE_PROBE, MINUTE), 0);
	close_live(&f);
}

/* --- one symbol --- */

Test(liveness, a_silent_symbol_is_asked_for_once_and_then_said)
{
	struct live_fixture f;
	open_live(&f, "US", 20, 2, US_OPEN + HOUR);
	f.rate[7] = 0.002; /* rarely traded */
	run(&f, 29 * MINUTE);
	cr_assert_eq(f.asked, 0);
	f.dropped[3] = true;
	run(&f, 59 * SECOND);
	cr_assert_eq(f.asked, 0);
	run(&f, 5 * SECOND);
	cr_assert_eq(f.asked, 1);
	cr_assert_eq(f.which, 3);
	run(&f, 54 * SECOND);
	cr_assert_eq(f.silent, 0);
	run(&f, 10 * MINUTE);
	cr_assert_eq(f.asked, 1);
	cr_assert_eq(f.silent, 1);
	cr_assert_eq(view_of(&f).silent, 1);
	int64_t silent_ns, expected_ns;
	lc_liveness_symbol(f.live, 3, &silent_ns, &expected_ns);
	cr_assert_geq(silent_ns, 10 * MINUTE);
	cr_assert(expected_ns >= MINUTE && expected_ns < 3 * MINUTE);
	f.dropped[3] = false;
	run(&f, 10 * SECOND);
	cr_assert_eq(f.back, 1);
	cr_assert_eq(view_of(&f).silent, 0);
	cr_assert_eq(f.steps, 0, "the feed was well all the time");
	close_live(&f);
}

Test(liveness, subscribing_anew_may_mend_a_symbol_and_a_mute_feed_is_no_matter_of_symbols)
{
	struct live_fixture f;
	open_live(&f, "US", 20, 2, US_OPEN + HOUR);
	run(&f, 20 * MINUTE);
	f.dropped[3] = true;
	run(&f, 65 * SECOND);
	cr_assert_eq(f.asked, 1);
	f.dropped[3] = false;
	run(&f, 5 * MINUTE);
	cr_assert_eq(f.silent + f.back, 0);
	f.mute = true;
	run(&f, 10 * MINUTE);
	cr_assert_eq(f.asked, 1);
	cr_assert_eq(f.silent, 0);
	close_live(&f);
}

/* --- the stages --- */

Test(liveness, the_stages_come_in_order_each_with_its_patience)
{
	struct live_fixture f;
	open_then_mute(&f);
	cr_assert_gt(run_until(&f, LC_STAGE_PROBE, 10 * SECOND), 0);
	double resubscribe_s = (double)run_until(&f, LC_STAGE_RESUBSCRIBE, MINUTE) / 1e9;
	cr_assert(resubscribe_s >= 1 && resubscribe_s <= 3.5, "%g s", resubscribe_s);
	double reconnect_s = (double)run_until(&f, LC_STAGE_RECONNECT, MINUTE) / 1e9;
	cr_assert(reconnect_s >= 5 && reconnect_s <= 6, "%g s", reconnect_s);
	f.link.connected = false;
	run(&f, 2 * SECOND);
	f.link.connected = true;
	double over_s = (double)run_until(&f, LC_STAGE_FAIL_OVER, MINUTE) / 1e9;
	cr_assert(over_s >= 10 && over_s <= 13, "%g s", over_s);
	cr_assert_eq(f.step.attempt, 1);
	double waits_s[3];
	for (int i = 0; i < 3; i++) { /* no other source: it goes on, ever more slowly */
		f.link.connected = false;
		run(&f, SECOND);
		f.link.connected = true;
		waits_s[i] = (double)run_until(&f, LC_STAGE_FAIL_OVER, 30 * MINUTE) / 1e9;
		cr_assert_eq(f.step.attempt, (unsigned)i + 2);
	}
	cr_assert(waits_s[0] >= 58 && waits_s[1] >= 118 && waits_s[2] >= 238, "%g %g %g",
		waits_s[0], waits_s[1], waits_s[2]);
	f.mute = false;
	cr_assert_gt(run_until(&f, LC_STAGE_OVER, 2 * SECOND), 0);
	run(&f, 10 * MINUTE);
	cr_assert_eq(f.stages[LC_STAGE_OVER], 1);
	cr_assert_eq(f.stages[LC_STAGE_PROBE], 1);
	cr_assert_eq(view_of(&f).subscription, LC_LIVE_FLOWS);
	close_live(&f);
}

/* A session can end and another begin between two turns; and a feed whose symbols were moved away
 * is still to be mended. */
Test(liveness, a_quick_session_counts_and_a_feed_that_was_left_is_tried_again)
{
	struct live_fixture f;
	open_then_mute(&f);
	cr_assert_gt(run_until(&f, LC_STAGE_RECONNECT, MINUTE), 0);
	f.link.session++;
	cr_assert_gt(run_until(&f, LC_STAGE_FAIL_OVER, 20 * SECOND), 0);
	f.link.session++;
	f.link.moved = true;
	halt_all(&f, true); /* as good as not followed */
	double took_s = (double)run_until(&f, LC_STAGE_FAIL_OVER, 5 * MINUTE) / 1e9;
	cr_assert(took_s >= 59 && took_s <= 61, "%g s", took_s);
	/* its probes speak again: symbols that another feed follows */
	lc_liveness_data(f.live, 0, 3, f.wall_ns, f.mono_ns);
	cr_assert_gt(run_until(&f, LC_STAGE_OVER, SECOND), 0);
	f.link.moved = false;
	skip_to(&f, at(2026, 11, 18, 20, 0));
	cr_assert_eq(f.stages[LC_STAGE_PROBE], 1);
	cr_assert_eq(view_of(&f).subscription, LC_LIVE_IDLE);
	close_live(&f);
}

Test(liveness, a_dead_connection_is_left_without_asking_for_symbols)
{
	struct live_fixture f;
	open_then_mute(&f);
	f.answers = false;
	cr_assert_gt(run_until(&f, LC_STAGE_PROBE, 10 * SECOND), 0);
	double took_s = (double)run_until(&f, LC_STAGE_RECONNECT, MINUTE) / 1e9;
	cr_assert(took_s >= 3 && took_s <= 3.5, "%g s", took_s);
	cr_assert_eq(f.stages[LC_STAGE_RESUBSCRIBE], 0);
	cr_assert_eq(f.step.socket, LC_SOCKET_DEAD);
	/* and when it cannot be connected again, another source is wanted */
	f.link.connected = false;
	took_s = (double)run_until(&f, LC_STAGE_FAIL_OVER, 2 * MINUTE) / 1e9;
	cr_assert(took_s >= 30 && took_s <= 31, "%g s", took_s);
	close_live(&f);
}

Test(liveness, pings_are_no_data_and_a_paused_feed_is_not_judged)
{
	struct live_fixture f;
	open_then_mute(&f);
	f.link.reading = false;
	run(&f, 10 * MINUTE);
	cr_assert_eq(f.steps, 0);
	f.link.reading = true;
	run(&f, 9 * SECOND);
	cr_assert_eq(f.steps, 0);
	for (int i = 0; i < 40; i++) {
		f.link.heard_ns = f.mono_ns; /* pongs, all the time */
		turn(&f);
	}
	cr_assert_eq(f.stages[LC_STAGE_PROBE], 1);
	close_live(&f);
}

Test(liveness, data_in_time_ends_the_stages_and_a_lull_is_got_used_to)
{
	struct live_fixture f;
	open_then_mute(&f);
	f.answers = false;
	cr_assert_gt(run_until(&f, LC_STAGE_PROBE, 10 * SECOND), 0);
	f.mute = false; /* it was a lull of 6 s, as it turns out */
	cr_assert_gt(run_until(&f, LC_STAGE_OVER, 2 * SECOND), 0);
	run(&f, MINUTE);
	f.mute = true;
	run(&f, 9 * SECOND);
	cr_assert_eq(f.stages[LC_STAGE_PROBE], 1, "twice as long as the lull is ordinary now");
	run(&f, 6 * SECOND);
	cr_assert_eq(f.stages[LC_STAGE_PROBE], 2);
	close_live(&f);
}

Test(liveness, when_the_session_ends_or_nobody_follows_there_is_nothing_to_mend)
{
	struct live_fixture f;
	open_live(&f, "US", 30, 2, US_OPEN + 6 * HOUR + 15 * MINUTE);
	run(&f, 15 * MINUTE - 10 * SECOND);
	f.mute = true;
	cr_assert_gt(run_until(&f, LC_STAGE_PROBE, 9 * SECOND), 0);
	cr_assert_gt(run_until(&f, LC_STAGE_OVER, 10 * SECOND), 0);
	skip_to(&f, at(2026, 11, 19, 1, 0));
	cr_assert_eq(f.stages[LC_STAGE_RECONNECT], 0);
	close_live(&f);
	open_then_mute(&f);
	cr_assert_gt(run_until(&f, LC_STAGE_RECONNECT, MINUTE), 0);
	f.link.connected = false;
	run(&f, SECOND);
	f.link.connected = true;
	halt_all(&f, true); /* as good as not followed */
	cr_assert_gt(run_until(&f, LC_STAGE_OVER, 15 * SECOND), 0);
	close_live(&f);
	open_then_mute(&f);
	cr_assert_gt(run_until(&f, LC_STAGE_RECONNECT, MINUTE), 0);
	f.link.connected = false;
	f.link.stopped = true; /* by command, or for a wrong key */
	cr_assert_gt(run_until(&f, LC_STAGE_OVER, SECOND), 0);
	run(&f, 10 * MINUTE);
	cr_assert_eq(f.stages[LC_STAGE_FAIL_OVER], 0);
	close_live(&f);
}

Test(liveness, a_feed_of_which_nothing_is_known_is_asked_again_and_no_more)
{
	struct live_fixture f;
	open_live(&f, "US", 5, 2, US_OPEN + MINUTE);
	f.mute = true;
	double took_s = (double)run_until(&f, LC_STAGE_PROBE, HOUR) / 1e9;
	cr_assert(took_s >= 300 && took_s <= 320, "%g s", took_s);
	cr_assert_eq(f.step.verdict, LC_LIVE_UNHEARD);
	run(&f, 3 * HOUR);
	cr_assert_eq(f.stages[LC_STAGE_RESUBSCRIBE], 1);
	cr_assert_eq(f.stages[LC_STAGE_RECONNECT], 0);
	cr_assert_eq(f.stages[LC_STAGE_FAIL_OVER], 0);
	close_live(&f);
}

Test(liveness, a_loop_that_stood_still_is_no_silence_of_the_vendor)
{
	struct live_fixture f;
	open_live(&f, "US", 30, 2, US_OPEN + HOUR);
	run(&f, 10 * MINUTE);
	f.mono_ns += HOUR;
	f.wall_ns += HOUR;
	f.mute = true; /* nothing was read meanwhile */
	turn(&f);
	turn(&f);
	cr_assert_eq(f.steps, 0);
	close_live(&f);
}

/* --- polls --- */

Test(liveness, polls_without_news_are_a_quiet_market_until_they_are_frozen)
{
	struct live_fixture f;
	open_live(&f, ".HK", 20, 0.2, ASIA_OPEN + 20 * MINUTE);
	f.polls = true;
	f.link.cadence_ns = 3 * SECOND;
	run(&f, 30 * MINUTE);
	cr_assert_eq(f.steps, 0);
	f.mute = true; /* answered, and always the same */
	double took_s = (double)run_until(&f, LC_STAGE_PROBE, 5 * MINUTE) / 1e9;
	cr_assert_eq(f.step.verdict, LC_LIVE_FROZEN);
	cr_assert_eq(f.step.socket, LC_SOCKET_ANSWERS);
	/* four times the patience: 115 ticks of 4 a second */
	cr_assert(took_s >= 20 && took_s <= 60, "%g s", took_s);
	close_live(&f);
	/* not answered at all: sooner */
	open_live(&f, ".HK", 20, 0.2, ASIA_OPEN + 20 * MINUTE);
	f.polls = true;
	f.link.cadence_ns = 3 * SECOND;
	run(&f, 30 * MINUTE);
	f.polls = false;
	f.mute = true;
	double sooner_s = (double)run_until(&f, LC_STAGE_PROBE, 5 * MINUTE) / 1e9;
	cr_assert(sooner_s > 0 && sooner_s < took_s, "%g s and %g s", sooner_s, took_s);
	close_live(&f);
}

Test(liveness, a_poll_whose_time_moves_on_is_data)
{
	struct live_fixture f;
	open_live(&f, ".HK", 4, 1, ASIA_OPEN + 20 * MINUTE);
	f.link.cadence_ns = 3 * SECOND;
	run(&f, 10 * MINUTE);
	f.mute = true;
	for (int i = 0; i < 4 * 60 * 20; i++) {
		if (i % 12 == 0) {
			lc_liveness_same(f.live, 0, 0, f.wall_ns, f.mono_ns);
		}
		turn(&f);
	}
	cr_assert_eq(f.stages[LC_STAGE_RESUBSCRIBE], 0);
	close_live(&f);
}

/* A whole round of polls at once, and between them nothing: chance it is not. */
Test(liveness, the_beat_of_polls_is_no_silence)
{
	struct live_fixture f;
	open_live(&f, ".SH", 100, 0, ASIA_OPEN + 5 * MINUTE);
	f.link.cadence_ns = 5 * SECOND;
	for (int i = 0; i < 4 * 60 * 60; i++) {
		if (i % 20 == 0) {
			for (uint32_t s = 0; s < f.count; s++) {
				lc_liveness_data(f.live, 0, s, f.wall_ns, f.mono_ns);
			}
			f.link.heard_ns = f.mono_ns;
		}
		turn(&f);
	}
	cr_assert_eq(f.steps + f.asked, 0);
	close_live(&f);
}

/* --- over a restart --- */

Test(liveness, what_was_learned_survives_a_restart)
{
	struct live_fixture f;
	uint8_t saved[40][LC_LIVE_SAVED_MAX];
	size_t len[40];
	open_live(&f, "US", 40, 1, US_OPEN + 2 * HOUR);
	run(&f, 20 * MINUTE);
	for (uint32_t i = 0; i < f.count; i++) {
		cr_assert(lc_liveness_changed(f.live, i));
		len[i] = lc_liveness_save(f.live, i, f.wall_ns, saved[i]);
		cr_assert(len[i] > 0 && len[i] <= LC_LIVE_SAVED_MAX);
		cr_assert(!lc_liveness_changed(f.live, i));
	}
	lc_liveness_destroy(f.live);
	make_live(&f);
	for (uint32_t i = 0; i < f.count; i++) {
		cr_assert_eq(lc_liveness_restore(f.live, i, saved[i], len[i], f.wall_ns), LC_OK);
	}
	f.mute = true; /* from the first moment on */
	double took_s = (double)run_until(&f, LC_STAGE_PROBE, MINUTE) / 1e9;
	cr_assert(took_s > 10 && took_s <= 16, "%g s, grace included", took_s);
	cr_assert_eq(
		lc_liveness_restore(f.live, 0, saved[0], len[0] - 1, f.wall_ns), LC_ERR_INVALID);
	cr_assert_eq(lc_liveness_restore(f.live, 0, saved[0], len[0], f.wall_ns + 50 * 24 * HOUR),
		LC_ERR_END);
	saved[0][0]++;
	cr_assert_eq(lc_liveness_restore(f.live, 0, saved[0], len[0], f.wall_ns), LC_ERR_INVALID);
	close_live(&f);
}

Test(liveness, saved_bytes_that_are_damaged_do_no_harm)
{
	struct live_fixture f;
	uint8_t bytes[LC_LIVE_SAVED_MAX];
	open_live(&f, "US", 40, 1, US_OPEN + 2 * HOUR);
	run(&f, MINUTE);
	size_t len = lc_liveness_save(f.live, 0, f.wall_ns, bytes);
	lc_liveness_destroy(f.live);
	make_live(&f);
	for (uint32_t i = 0; i < f.count; i++) {
		for (size_t at = 3; at < len; at++) {
			bytes[at] = (uint8_t)draw(&f);
		}
		lc_liveness_restore(f.live, i, bytes, len, f.wall_ns);
	}
	run(&f, 20 * MINUTE);
	cr_assert_leq(f.stages[LC_STAGE_RECONNECT], 1);
	close_live(&f);
}

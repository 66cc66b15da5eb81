#include "liveness_fixture.h"

/* 2026-11-18 is a Wednesday. New York 10:00 is 15:00 UTC, Shanghai 10:00 is 02:00 UTC. */
#define US_OPEN at(2026, 11, 18, 14, 30)
#define CN_OPEN at(2026, 11, 18, 1, 30)

Test(liveness, a_busy_feed_that_goes_mute_is_noticed_in_seconds)
{
	struct live_fixture f;
	open_live(&f, "US", 30, 2, US_OPEN + HOUR);
	run(&f, 5 * MINUTE);
	cr_assert_eq(f.steps, 0);
	cr_assert_eq(view_of(&f).subscription, LC_LIVE_FLOWS);
	cr_assert_eq(view_of(&f).socket, LC_SOCKET_ANSWERS);
	f.mute = true;
	int64_t took_ns = run_until(&f, LC_STAGE_PROBE, MINUTE);
	cr_assert(took_ns > 0 && took_ns <= 6 * SECOND, "%g s", (double)took_ns / 1e9);
	cr_assert_eq(f.step.verdict, LC_LIVE_MUTE);
	cr_assert_geq(f.step.silent_ns, 5 * SECOND);
	cr_assert_geq(f.step.expected_ticks, 25);
	close_live(&f);
}

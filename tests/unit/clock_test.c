#include "livecore/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(clock, wall_time_is_the_machines)
{
	struct lc_clock clock = {0};
	int64_t low = (int64_t)time(NULL) - 2;
	int64_t now = lc_clock_wall_ns(&clock);
	cr_assert_gt(now, low * LC_NS_PER_S);
	cr_assert_lt(now, (low + 60) * LC_NS_PER_S);
	lc_clock_tape_advance(&clock, INT64_MAX);
	cr_assert_lt(lc_clock_wall_ns(&clock), INT64_MAX, "without a tape nothing moves it");
}

Test(clock, a_tape_leads_and_never_goes_back)
{
	struct lc_clock clock = {.tape = true, .tape_ns = 1000};
	cr_assert_eq(lc_clock_wall_ns(&clock), 1000);
	lc_clock_tape_advance(&clock, 5000);
	lc_clock_tape_advance(&clock, 3000);
	cr_assert_eq(lc_clock_wall_ns(&clock), 5000);
}

Test(clock, monotonic_and_cpu_time_do_not_go_back)
{
	int64_t mono = lc_clock_mono_ns();
	int64_t cpu = lc_clock_thread_cpu_ns();
	cr_assert_gt(cpu, 0);
	for (int i = 0; i < 1000; i++) {
		int64_t next_mono = lc_clock_mono_ns();
		int64_t next_cpu = lc_clock_thread_cpu_ns();
		cr_assert_geq(next_mono, mono);
		cr_assert_geq(next_cpu, cpu);
		mono = next_mono;
		cpu = next_cpu;
	}
}

#include "pace.h"

#include "livecore/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define MS LC_NS_PER_MS

Test(pace, one_an_interval)
{
	struct lc_pace pace = {INT64_MIN};
	cr_assert_leq(lc_pace_next(&pace, 1000, false, 0), 0, "the first goes at once");
	cr_assert_leq(lc_pace_next(&pace, 1000, true, 0), 0);
	lc_pace_use(&pace, 1000, 5 * MS);
	cr_assert_eq(lc_pace_next(&pace, 1000, false, 6 * MS), 1005 * MS);
	/* what is urgent goes up to three quarters early, and is paid for */
	cr_assert_eq(lc_pace_next(&pace, 1000, true, 6 * MS), 255 * MS);
	lc_pace_use(&pace, 1000, 255 * MS);
	cr_assert_eq(lc_pace_next(&pace, 1000, false, 256 * MS), 2005 * MS);
	/* a slot that was not used is not saved up */
	lc_pace_use(&pace, 1000, 9000 * MS);
	cr_assert_eq(lc_pace_next(&pace, 1000, false, 9000 * MS), 10000 * MS);
}

Test(pace, a_shorter_interval_counts_at_once)
{
	struct lc_pace pace = {INT64_MIN};
	lc_pace_use(&pace, 3600000, 0);
	cr_assert_eq(lc_pace_next(&pace, 1000, false, 10 * MS), 1010 * MS);
}

/* However many are urgent: never more than one an interval, in the long run. */
Test(pace, the_long_run)
{
	srand(7);
	for (int64_t interval_ms = 1; interval_ms < 10000; interval_ms *= 7) {
		struct lc_pace pace = {INT64_MIN};
		int64_t now_ns = 0, sent = 0;
		for (int i = 0; i < 2000; i++) {
			now_ns += rand() % (interval_ms * MS / 2 + 1);
			if (now_ns >= lc_pace_next(&pace, interval_ms, rand() % 2, now_ns)) {
				lc_pace_use(&pace, interval_ms, now_ns);
				sent++;
			}
			cr_assert_leq(sent, now_ns / (interval_ms * MS) + 2);
		}
		cr_assert_geq(sent, now_ns / (interval_ms * MS) / 2, "and it is used");
	}
}

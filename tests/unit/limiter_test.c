#include "livecore/limiter.h"

#include <criterion/criterion.h>

#define S INT64_C(1000000000)

Test(limiter, bursts_then_paces)
{
	struct lc_limiter limiter;
	lc_limiter_init(&limiter, 10, 3, 5 * S);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(lc_limiter_take(&limiter, 1, 5 * S), 0);
	}
	cr_assert_eq(lc_limiter_take(&limiter, 1, 5 * S), S / 10);
	cr_assert_eq(lc_limiter_take(&limiter, 1, 5 * S), S / 10, "refusing takes nothing");
	cr_assert_eq(lc_limiter_take(&limiter, 1, 5 * S + S / 20), S / 20);
	cr_assert_eq(lc_limiter_take(&limiter, 1, 5 * S + S / 10), 0);
	cr_assert_eq(lc_limiter_take(&limiter, 2, 5 * S + S / 10), S / 5);
}

Test(limiter, idle_time_saves_at_most_a_burst)
{
	struct lc_limiter limiter;
	lc_limiter_init(&limiter, 1, 5, 0);
	int taken = 0;
	while (lc_limiter_take(&limiter, 1, 1000 * S) == 0) {
		taken++;
	}
	cr_assert_eq(taken, 5);
	cr_assert_eq(lc_limiter_take(&limiter, 99, 1005 * S), 0, "more than a burst is a burst");
	cr_assert_eq(lc_limiter_take(&limiter, 1, 1005 * S), S);
}

Test(limiter, never_more_than_rate_and_burst_in_any_time)
{
	struct lc_limiter limiter;
	lc_limiter_init(&limiter, 200, 7, 0);
	uint64_t random = 9;
	int64_t now = 0;
	long taken = 0;
	for (int i = 0; i < 20000; i++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		now += (int64_t)(random >> 40) % (S / 300);
		taken += lc_limiter_take(&limiter, 1, now) == 0;
		cr_assert(taken <= 7 + now / (S / 200), "%ld at %ld", taken, (long)now);
	}
	cr_assert(taken > now / (S / 200) * 9 / 10, "and nearly all of it");
}

Test(limiter, no_rate_is_no_limit_and_extremes_do_not_overflow)
{
	struct lc_limiter limiter;
	lc_limiter_init(&limiter, 0, 0, 0);
	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(lc_limiter_take(&limiter, 1, 0), 0);
	}
	lc_limiter_init(&limiter, 1e-300, 1, 0);
	cr_assert_eq(lc_limiter_take(&limiter, 1, 0), 0);
	cr_assert(lc_limiter_take(&limiter, 1, 0) > 0);
	lc_limiter_init(&limiter, 1e300, UINT32_MAX, 0);
	cr_assert_eq(lc_limiter_take(&limiter, 1, 0), 0);
}

Test(limiter, a_new_rate_keeps_what_was_taken)
{
	struct lc_limiter limiter;
	lc_limiter_init(&limiter, 1, 2, 0);
	lc_limiter_take(&limiter, 2, 0);
	lc_limiter_configure(&limiter, 10, 2);
	cr_assert(lc_limiter_take(&limiter, 1, 0) > 0);
	cr_assert_eq(lc_limiter_take(&limiter, 1, 2 * S), 0);
}

#include "livecore/backoff.h"
#include "xorshift.h"

#include <criterion/criterion.h>

#define S INT64_C(1000000000)

Test(backoff, ceiling_doubles_to_a_minute)
{
	struct lc_backoff backoff;
	lc_backoff_init(&backoff, 0, 0, 0);
	int64_t expected = S / 2;
	for (int i = 0; i < 200; i++) {
		cr_assert_eq(lc_backoff_ceiling(&backoff), expected);
		int64_t wait = lc_backoff_down(&backoff, UINT64_MAX, i);
		cr_assert_eq(wait, expected, "the largest random waits the whole ceiling");
		expected = expected * 2 < 60 * S ? expected * 2 : 60 * S;
	}
	cr_assert_eq(lc_backoff_failures(&backoff, 0), 200);
}

Test(backoff, jitter_is_full_and_uniform)
{
	struct lc_backoff backoff;
	uint64_t random = 42;
	int below_half = 0;
	for (int i = 0; i < 1000; i++) {
		lc_backoff_init(&backoff, 4 * S, 0, 0);
		int64_t wait = lc_backoff_down(&backoff, xorshift(&random), 0);
		cr_assert(wait >= 0 && wait <= 4 * S);
		below_half += wait < 2 * S;
	}
	cr_assert(below_half > 430 && below_half < 570, "%d", below_half);
	lc_backoff_init(&backoff, 4 * S, 0, 0);
	cr_assert_eq(lc_backoff_down(&backoff, 0, 0), 0);
}

Test(backoff, only_a_healthy_minute_forgets)
{
	struct lc_backoff backoff;
	lc_backoff_init(&backoff, 0, 0, 0);
	for (int i = 0; i < 5; i++) {
		lc_backoff_down(&backoff, 1, 0);
	}
	lc_backoff_up(&backoff, 100 * S);
	lc_backoff_up(&backoff, 140 * S); /* said again: the minute runs on */
	cr_assert_eq(lc_backoff_failures(&backoff, 159 * S), 5);
	cr_assert_eq(lc_backoff_failures(&backoff, 160 * S), 0);
	lc_backoff_down(&backoff, 1, 130 * S);
	cr_assert_eq(lc_backoff_failures(&backoff, 130 * S), 6, "30 s were not enough");
	lc_backoff_up(&backoff, 200 * S);
	lc_backoff_down(&backoff, 1, 260 * S);
	cr_assert_eq(lc_backoff_failures(&backoff, 260 * S), 1);
	cr_assert_eq(lc_backoff_ceiling(&backoff), S);
}

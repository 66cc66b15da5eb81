#include "livecore/sources.h"
#include "xorshift.h"

#include <criterion/criterion.h>

#define S INT64_C(1000000000)
#define QUARANTINE (300 * S)
#define LONGEST (3600 * S)

/* 0: eastmoney, 1: a mirror of it, 2: tencent, 3: fushu. All usable and ready. */
static void four(struct lc_sources *sources)
{
	static const char *const origins[] = {"eastmoney", "eastmoney", "tencent", "fushu"};
	lc_sources_init(sources, QUARANTINE, LONGEST);
	for (size_t i = 0; i < 4; i++) {
		uint8_t index = lc_sources_add(sources, origins[i]);
		cr_assert_eq(index, i);
		sources->items[index].usable = sources->items[index].ready = true;
	}
}

static const uint8_t order[] = {0, 1, 2, 3};

static uint8_t pick(const struct lc_sources *sources, uint8_t current)
{
	return lc_sources_pick(sources, order, 4, current);
}

Test(sources, the_first_good_one_of_another_origin)
{
	struct lc_sources sources;
	four(&sources);
	cr_assert_eq(pick(&sources, LC_NO_SOURCE), 0);
	cr_assert_not(lc_sources_troubled(&sources));
	cr_assert(lc_sources_leave(&sources, 0, 10 * S));
	cr_assert_not(lc_sources_leave(&sources, 0, 11 * S), "it is known already");
	cr_assert(lc_sources_troubled(&sources));
	cr_assert_eq(pick(&sources, 0), 2, "never within an origin that fails");
	cr_assert(lc_sources_leave(&sources, 2, 12 * S));
	cr_assert_eq(pick(&sources, 2), 3);
	cr_assert(lc_sources_leave(&sources, 3, 13 * S));
	cr_assert_eq(pick(&sources, 3), LC_NO_SOURCE, "the mirror is no way out either");
}

Test(sources, what_is_not_usable_is_passed_over)
{
	struct lc_sources sources;
	four(&sources);
	sources.items[0].usable = sources.items[1].usable = false;
	cr_assert_eq(pick(&sources, LC_NO_SOURCE), 2);
	sources.items[2].usable = sources.items[3].usable = false;
	cr_assert_eq(pick(&sources, LC_NO_SOURCE), LC_NO_SOURCE);
}

Test(sources, one_that_is_ready_comes_before_one_that_is_not)
{
	struct lc_sources sources;
	four(&sources);
	sources.items[0].ready = false;
	cr_assert_eq(pick(&sources, LC_NO_SOURCE), 0, "the first is waited for");
	lc_sources_leave(&sources, 0, S);
	sources.items[2].ready = false;
	cr_assert_eq(pick(&sources, 0), 3);
	cr_assert_eq(pick(&sources, 2), 2, "what is followed already stays");
	sources.items[3].ready = false;
	cr_assert_eq(pick(&sources, 0), 2, "when none is ready, the order counts");
}

Test(sources, it_comes_back_after_a_healthy_quarantine)
{
	struct lc_sources sources;
	four(&sources);
	lc_sources_leave(&sources, 0, 10 * S);
	cr_assert_not(lc_sources_advance(&sources, 10 * S + 2 * LONGEST), "it is not healthy");
	lc_sources_health(&sources, 0, true, 100 * S);
	cr_assert_eq(sources.items[0].state, LC_SOURCE_QUARANTINE);
	cr_assert_not(lc_sources_advance(&sources, 100 * S + QUARANTINE - 1));
	cr_assert_eq(pick(&sources, 2), 2);
	lc_sources_health(&sources, 0, false, 200 * S); /* begins anew */
	lc_sources_health(&sources, 0, true, 300 * S);
	cr_assert_not(lc_sources_advance(&sources, 100 * S + QUARANTINE));
	cr_assert(lc_sources_advance(&sources, 300 * S + QUARANTINE));
	cr_assert_eq(pick(&sources, 2), 0);
	cr_assert_not(lc_sources_troubled(&sources));
}

Test(sources, one_in_quarantine_is_better_than_none)
{
	struct lc_sources sources;
	four(&sources);
	for (uint8_t i = 0; i < 4; i++) {
		lc_sources_leave(&sources, i, S);
	}
	lc_sources_health(&sources, 2, true, 2 * S);
	cr_assert_eq(pick(&sources, 3), 2);
	cr_assert(lc_sources_leave(&sources, 2, 3 * S), "it failed again");
	cr_assert_eq(pick(&sources, 2), LC_NO_SOURCE);
	cr_assert_eq(sources.items[2].times_left, 1, "it never was good in between");
}

/* How long the quarantine is of a source that comes back and fails again after so long. */
static int64_t again(struct lc_sources *sources, int64_t *now_ns, int64_t good_for_ns)
{
	lc_sources_leave(sources, 0, *now_ns);
	lc_sources_health(sources, 0, true, *now_ns);
	int64_t quarantine_ns = sources->items[0].quarantine_ns;
	*now_ns += quarantine_ns;
	cr_assert(lc_sources_advance(sources, *now_ns));
	*now_ns += good_for_ns;
	return quarantine_ns;
}

Test(sources, the_quarantine_of_one_that_flaps_grows)
{
	struct lc_sources sources;
	int64_t now_ns = 5 * S;
	four(&sources);
	static const int64_t expected[] = {300, 600, 1200, 2400, 3600, 3600};
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		cr_assert_eq(again(&sources, &now_ns, 60 * S), expected[i] * S);
	}
	now_ns += LONGEST; /* it was good for long: that is forgotten */
	cr_assert_eq(again(&sources, &now_ns, 60 * S), QUARANTINE);
	lc_sources_configure(&sources, 10 * S, 5 * S);
	cr_assert_eq(again(&sources, &now_ns, S), 10 * S, "the longest is never below the first");
	cr_assert_eq(again(&sources, &now_ns, S), 10 * S);
}

/* Whatever happens: what is picked is usable, in the list, and, unless nothing is good, of an
 * origin of which no source was left. */
Test(sources, never_a_failing_origin_while_there_is_another)
{
	struct lc_sources sources;
	uint64_t random = 88172645463325252u;
	four(&sources);
	for (int64_t step = 1; step < 20000; step++) {
		xorshift(&random);
		uint8_t at = (uint8_t)(random >> 8 & 3);
		int64_t now_ns = step * 20 * S;
		switch (random & 7) {
		case 0:
			lc_sources_leave(&sources, at, now_ns);
			break;
		case 1:
			sources.items[at].usable = random >> 20 & 1;
			break;
		default:
			lc_sources_health(&sources, at, random >> 21 & 3, now_ns);
			break;
		}
		lc_sources_advance(&sources, now_ns);
		uint8_t got = pick(&sources, at);
		bool any_good = false;
		bool em = sources.items[0].state == LC_SOURCE_GOOD &&
			  sources.items[1].state == LC_SOURCE_GOOD;
		for (uint8_t i = 0; i < 4; i++) {
			any_good |= sources.items[i].usable &&
				    (i < 2 ? em : sources.items[i].state == LC_SOURCE_GOOD);
		}
		if (got == LC_NO_SOURCE) {
			cr_assert_not(any_good);
			continue;
		}
		cr_assert(sources.items[got].usable);
		cr_assert_eq(
			any_good, sources.items[got].state == LC_SOURCE_GOOD && (got > 1 || em));
	}
}

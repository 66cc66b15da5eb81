#include "manager/backfill_plan.h"

#include "livecore/clock.h"

#include <criterion/criterion.h>
#include <string.h>

#define S LC_NS_PER_S

static size_t most_trades, most_minutes;

static size_t on_most(void *arg, enum lc_backfill_kind what, uint32_t symbol)
{
	(void)arg;
	if (symbol >= 900) {
		return 0; /* of a market that the vendor has no history of */
	}
	return what == LC_BACKFILL_TRADES ? most_trades : most_minutes;
}

static void make(struct lc_plan *plan, size_t count, size_t budget)
{
	struct lc_plan_entry entries[200] = {0};
	for (size_t i = 0; i < count; i++) {
		entries[i] = (struct lc_plan_entry){.symbol = (uint32_t)i,
			.from_ns = (100 + (int64_t)i) * S,
			.until_ns = (200 + (int64_t)i) * S};
	}
	cr_assert_eq(lc_plan_init(plan, entries, count, budget), LC_OK);
	most_trades = most_minutes = 50;
}

/* The request's end: every symbol reached so far, and so many requests were made. */
static void answer(struct lc_plan *plan, enum lc_err code, size_t requests, int64_t reached_ns)
{
	int64_t reached[64];
	for (size_t i = 0; i < plan->n_asked; i++) {
		reached[i] = reached_ns;
	}
	const struct lc_backfill_end end = {
		.code = code, .why = "as it said", .requests = requests, .reached_ns = reached};
	lc_plan_end(plan, &end);
}

static size_t count_filled(const struct lc_plan *plan)
{
	size_t n = 0;
	for (size_t i = 0; i < plan->count; i++) {
		n += lc_plan_filled(&plan->entries[i]);
	}
	return n;
}

Test(backfill_plan, several_symbols_a_request)
{
	struct lc_plan plan;
	struct lc_backfill request;
	make(&plan, 120, 60);
	for (size_t left = 120; left > 0; left -= request.count) {
		cr_assert(lc_plan_next(&plan, on_most, NULL, &request));
		cr_assert_eq(request.what, LC_BACKFILL_TRADES);
		cr_assert_eq(request.count, left < 50 ? left : 50);
		int64_t first = 120 - (int64_t)left;
		cr_assert_eq(request.from_ns, (100 + first) * S);
		cr_assert_eq(request.until_ns, (200 + first + (int64_t)request.count - 1) * S);
		answer(&plan, LC_OK, 2, 1000 * S);
	}
	cr_assert_eq(plan.done, 120);
	cr_assert_eq(plan.used, 6);
	cr_assert_eq(count_filled(&plan), 120);
	cr_assert_not(lc_plan_next(&plan, on_most, NULL, &request));
	lc_plan_finish(&plan);
}

/* What does not fit gets its bars with the last request, and stays open for the budget. */
Test(backfill_plan, more_holes_within_the_same_budget)
{
	struct lc_plan plan;
	struct lc_backfill request;
	make(&plan, 60, 3);
	cr_assert(lc_plan_next(&plan, on_most, NULL, &request));
	const struct lc_plan_entry more[] = {
		{.symbol = 70, .from_ns = 100 * S, .until_ns = 200 * S},
		{.symbol = 71, .from_ns = 101 * S, .until_ns = 201 * S}};
	cr_assert_eq(lc_plan_append(&plan, more, 2), LC_OK); /* while a request is under way */
	answer(&plan, LC_OK, 1, 1000 * S);
	cr_assert_eq(count_filled(&plan), 50);
	cr_assert(lc_plan_next(&plan, on_most, NULL, &request));
	cr_assert_eq(request.count, 12);
	cr_assert_eq(request.symbols[11], 71);
	answer(&plan, LC_OK, 1, 1000 * S);
	cr_assert_eq(count_filled(&plan), 62);
	cr_assert_eq(plan.done, 62);
	lc_plan_finish(&plan);
}

Test(backfill_plan, the_budget_ends)
{
	struct lc_plan plan;
	struct lc_backfill request;
	make(&plan, 60, 5);
	cr_assert(lc_plan_next(&plan, on_most, NULL, &request));
	cr_assert_eq(request.max_requests, 4, "one is kept for bars");
	answer(&plan, LC_ERR_LIMIT, 4, 150 * S);
	cr_assert(lc_plan_next(&plan, on_most, NULL, &request));
	cr_assert_eq(request.what, LC_BACKFILL_MINUTES);
	cr_assert_eq(request.max_requests, 1);
	cr_assert_eq(request.from_ns, 120 * S, "whole minutes");
	answer(&plan, LC_OK, 1, 0);
	cr_assert_not(lc_plan_next(&plan, on_most, NULL, &request));
	cr_assert_eq(plan.done, 60);
	cr_assert_eq(count_filled(&plan), 0);
	for (size_t i = 0; i < 60; i++) {
		cr_assert_eq(plan.entries[i].left, LC_GAP_BUDGET);
		cr_assert_eq(plan.entries[i].minutes, i < 50);
	}
	cr_assert(strstr(plan.why, "max_requests"));
	lc_plan_finish(&plan);
	make(&plan, 1, 1);
	cr_assert(lc_plan_next(&plan, on_most, NULL, &request) && request.max_requests == 1);
	cr_assert_eq(request.what, LC_BACKFILL_TRADES);
	answer(&plan, LC_ERR_LIMIT, 1, 150 * S);
	cr_assert_not(lc_plan_next(&plan, on_most, NULL, &request));
	cr_assert_eq(plan.entries[0].left, LC_GAP_BUDGET);
	lc_plan_finish(&plan);
}

/* One that the vendor refuses is found by halves and harms no other. */
Test(backfill_plan, a_culprit_is_found)
{
	struct lc_plan plan;
	struct lc_backfill request;
	make(&plan, 40, 60);
	while (lc_plan_next(&plan, on_most, NULL, &request)) {
		bool culprit = false;
		for (size_t i = 0; i < request.count; i++) {
			culprit |= request.symbols[i] == 23;
		}
		answer(&plan, culprit ? LC_ERR_INVALID : LC_OK, 1, culprit ? 0 : 1000 * S);
	}
	cr_assert_eq(count_filled(&plan), 39);
	cr_assert_eq(plan.entries[23].left, LC_GAP_VENDOR);
	cr_assert_lt(plan.used, 20);
	lc_plan_finish(&plan);
}

Test(backfill_plan, a_vendor_that_fails_and_one_that_has_no_history)
{
	struct lc_plan plan;
	struct lc_backfill request;
	make(&plan, 3, 60);
	plan.entries[1].symbol = 901;
	cr_assert(lc_plan_next(&plan, on_most, NULL, &request));
	cr_assert_eq(request.count, 2);
	answer(&plan, LC_ERR_TIMEOUT, 3, 120 * S);
	cr_assert_not(lc_plan_next(&plan, on_most, NULL, &request));
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(plan.entries[i].left, LC_GAP_VENDOR);
	}
	lc_plan_finish(&plan);
}

/* The session ended: what was reached before counts, what was under way is asked for again. */
Test(backfill_plan, goes_on_in_the_next_session)
{
	struct lc_plan plan;
	struct lc_backfill request;
	make(&plan, 2, 60);
	cr_assert(lc_plan_next(&plan, on_most, NULL, &request));
	cr_assert_not_null(lc_plan_find(&plan, 1, 101 * S));
	cr_assert_null(lc_plan_find(&plan, 1, 100 * S), "before its own hole");
	cr_assert_null(lc_plan_find(&plan, 0, 201 * S), "behind it");
	cr_assert_null(lc_plan_find(&plan, 7, 150 * S));
	lc_plan_interrupted(&plan);
	cr_assert_null(lc_plan_find(&plan, 1, 150 * S), "nothing is under way");
	cr_assert(lc_plan_next(&plan, on_most, NULL, &request));
	cr_assert_eq(request.count, 2);
	cr_assert_eq(plan.used, 1);
	answer(&plan, LC_OK, 1, 1000 * S);
	cr_assert_eq(count_filled(&plan), 2);
	lc_plan_finish(&plan);
}

Test(backfill_plan, doubtful_minutes_are_bars_alone)
{
	struct lc_plan plan;
	struct lc_backfill request;
	make(&plan, 1, 3);
	plan.minutes_only = true;
	plan.entries[0].from_ns = plan.entries[0].until_ns = plan.entries[0].reached_ns = 120 * S;
	cr_assert(lc_plan_next(&plan, on_most, NULL, &request));
	cr_assert_eq(request.what, LC_BACKFILL_MINUTES);
	cr_assert(request.from_ns == 120 * S && request.until_ns == 120 * S);
	answer(&plan, LC_OK, 1, 0);
	cr_assert_eq(plan.done, 1);
	cr_assert_not(lc_plan_next(&plan, on_most, NULL, &request));
	lc_plan_finish(&plan);
}

#include "manager/holes.h"

#include "livecore/clock.h"
#include "xorshift.h"

#include <criterion/criterion.h>

#define S LC_NS_PER_S
#define MANY 50

static struct lc_holes *holes;

static void open_trades(void)
{
	cr_assert_eq(lc_holes_create(MANY, false, &holes), LC_OK);
}

static void close_holes(void)
{
	lc_holes_destroy(holes);
	lc_holes_destroy(NULL);
}

TestSuite(holes, .init = open_trades, .fini = close_holes);

static void seen(uint32_t symbol, int64_t event_ns, int64_t received_ns)
{
	const struct lc_tick tick = {
		.symbol = symbol, .event_ns = event_ns, .received_ns = received_ns};
	lc_holes_seen(holes, &tick);
}

static struct lc_hole take_one(void)
{
	struct lc_hole hole;
	cr_assert_eq(lc_holes_ended(holes), 1);
	cr_assert_eq(lc_holes_take(holes, &hole, 1), 1);
	return hole;
}

/* A symbol that traded up to the end is missing from its own last trade on; a quiet one from a
 * second before the feed's last, since its trades may be behind another's. */
Test(holes, begins_where_the_feed_was_seen_last)
{
	seen(1, 100 * S, 0);
	seen(2, 40 * S, 0);
	seen(3, 99 * S + S / 2, 0);
	for (uint32_t symbol = 1; symbol <= 3; symbol++) {
		cr_assert(lc_holes_open(holes, symbol, 0, 200 * S));
		cr_assert_not(lc_holes_open(holes, symbol, 0, 200 * S), "it is open");
	}
	cr_assert_eq(
		lc_holes_at(holes, 0)->from_ns, 100 * S - S / 100, "times are not quite in order");
	cr_assert_eq(lc_holes_at(holes, 1)->from_ns, 99 * S);
	cr_assert_eq(lc_holes_at(holes, 2)->from_ns, 99 * S + S / 2 - S / 100);
	cr_assert(lc_holes_open(holes, 4, 150 * S, 200 * S));
	cr_assert_eq(lc_holes_at(holes, 3)->from_ns, 150 * S, "not before the floor");
	seen(5, 300 * S, 0);
	cr_assert(lc_holes_open(holes, 5, 0, 200 * S));
	cr_assert_eq(lc_holes_at(holes, 4)->from_ns, 200 * S, "not in the future");
}

/* The first tick may be stamped before what was lost: the subscription is the proof. */
Test(holes, ends_with_the_subscription_or_the_first_tick_whichever_is_later)
{
	seen(1, 100 * S, 0);
	lc_holes_open(holes, 1, 0, 101 * S);
	lc_holes_subscribed(holes, 110 * S);
	seen(1, 107 * S, 0);
	struct lc_hole hole = take_one();
	cr_assert_eq(hole.until_ns, 110 * S);
	seen(1, 111 * S, 0);
	lc_holes_open(holes, 1, 0, 112 * S);
	lc_holes_subscribed(holes, 120 * S);
	seen(1, 125 * S, 0);
	cr_assert_eq(take_one().until_ns, 125 * S);
	/* A quiet one is back with its subscription. */
	lc_holes_open(holes, 2, 0, 126 * S);
	lc_holes_subscribed(holes, 130 * S);
	lc_holes_back(holes, 2);
	hole = take_one();
	cr_assert_eq(hole.from_ns, 124 * S);
	cr_assert_eq(hole.until_ns, 130 * S);
	/* What ended is seen: the next hole begins there. */
	lc_holes_open(holes, 2, 0, 140 * S);
	cr_assert_eq(lc_holes_at(holes, 0)->from_ns, 130 * S - S / 100);
}

Test(holes, snapshots_are_seen_with_their_answers)
{
	lc_holes_destroy(holes);
	cr_assert_eq(lc_holes_create(MANY, true, &holes), LC_OK);
	seen(1, 100 * S, 100 * S);
	seen(2, 40 * S, 100 * S);
	const struct lc_tick same = {.symbol = 2, .event_ns = 40 * S, .received_ns = 105 * S};
	lc_holes_same(holes, &same);
	lc_holes_open(holes, 1, 0, 110 * S);
	lc_holes_open(holes, 2, 0, 110 * S);
	cr_assert_eq(lc_holes_at(holes, 0)->from_ns, 100 * S);
	cr_assert_eq(lc_holes_at(holes, 1)->from_ns, 104 * S, "a quiet one was asked for");
	lc_holes_subscribed(holes, 120 * S);
	lc_holes_back(holes, 1);
	cr_assert_eq(lc_holes_ended(holes), 0, "a subscription shows nothing");
	seen(1, 50 * S, 121 * S);
	cr_assert_eq(take_one().until_ns, 121 * S, "nothing is missing once it answered");
	cr_assert(lc_holes_is_open(holes, 2) && !lc_holes_is_open(holes, 1));
}

Test(holes, a_feed_that_speaks_again_ends_all)
{
	seen(1, 100 * S, 0);
	for (uint32_t symbol = 1; symbol < 10; symbol++) {
		lc_holes_open(holes, symbol, 0, 101 * S);
	}
	seen(1, 130 * S, 0);
	lc_holes_all_back(holes, 130 * S);
	cr_assert_eq(lc_holes_ended(holes), 9);
	struct lc_hole taken[20];
	cr_assert_eq(lc_holes_take(holes, taken, 4), 4);
	cr_assert_eq(lc_holes_take(holes, taken + 4, 20), 5);
	for (uint32_t i = 0; i < 9; i++) {
		cr_assert_eq(taken[i].symbol, i + 1, "in the order in which they opened");
		cr_assert_eq(taken[i].until_ns, 130 * S);
	}
}

/* Any order of opening, ending, forgetting and taking: no hole is lost, and none comes twice. */
Test(holes, any_order)
{
	uint64_t random = 88172645463325252;
	int state[MANY] = {0}; /* 0 none, 1 open, 2 ended and not taken */
	int ended[MANY] = {0};
	int64_t now = 1000 * S;
	for (int step = 0; step < 20000; step++) {
		xorshift(&random);
		uint32_t symbol = (uint32_t)(random >> 32) % MANY;
		now += S;
		switch (random % 5) {
		case 0:
			cr_assert_eq(lc_holes_open(holes, symbol, 0, now), state[symbol] != 1);
			state[symbol] = 1;
			break;
		case 1:
			seen(symbol, now, now);
			ended[symbol] += state[symbol] == 1;
			state[symbol] = 0;
			break;
		case 2:
			lc_holes_forget(holes, symbol);
			state[symbol] = 0;
			break;
		default: {
			struct lc_hole taken[7];
			size_t n = lc_holes_take(holes, taken, random % 7);
			for (size_t i = 0; i < n; i++) {
				cr_assert(taken[i].ended && taken[i].until_ns >= taken[i].from_ns);
				cr_assert_gt(ended[taken[i].symbol]--, 0);
			}
			break;
		}
		}
		size_t open = 0, over = 0;
		for (int i = 0; i < MANY; i++) {
			cr_assert_eq(lc_holes_is_open(holes, (uint32_t)i), state[i] == 1);
			open += state[i] == 1;
			over += (size_t)ended[i];
		}
		cr_assert_eq(lc_holes_ended(holes), over);
		cr_assert_eq(lc_holes_count(holes), open + over);
	}
}

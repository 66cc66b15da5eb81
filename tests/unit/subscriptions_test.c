#include "manager/subscriptions.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <string.h>

#define SYMBOLS 64

/* One change as it was handed out. */
struct change {
	uint32_t add[SYMBOLS], remove[SYMBOLS];
	size_t n_add, n_remove;
};

static struct lc_subscriptions *make(void)
{
	struct lc_subscriptions *subs;
	cr_assert_eq(lc_subscriptions_create(SYMBOLS, &subs), LC_OK);
	return subs;
}

static void follow_all(struct lc_subscriptions *subs, const uint32_t *symbols, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(lc_subscriptions_follow(subs, symbols[i]), LC_OK);
	}
}
#define FOLLOW(subs, ...) \
	follow_all((subs), (const uint32_t[]){__VA_ARGS__}, sizeof(uint32_t[]){__VA_ARGS__} / 4)

static bool next(struct lc_subscriptions *subs, size_t max, struct change *change)
{
	return lc_subscriptions_next(
		subs, max, change->add, &change->n_add, change->remove, &change->n_remove);
}

static void expect_list(const uint32_t *got, size_t n_got, const uint32_t *want, size_t n_want)
{
	cr_assert_eq(n_got, n_want, "%zu symbols, not %zu", n_got, n_want);
	for (size_t i = 0; i < n_want; i++) {
		cr_assert_eq(got[i], want[i], "place %zu: %u, not %u", i, got[i], want[i]);
	}
}
#define EXPECT(list, count, ...)                                      \
	expect_list((list), (count), (const uint32_t[]){__VA_ARGS__}, \
		sizeof(uint32_t[]){__VA_ARGS__} / 4)

/* What is subscribed, in order. */
static void expect_order(struct lc_subscriptions *subs, const uint32_t *expected, size_t count)
{
	uint32_t symbol, order[SYMBOLS];
	size_t cursor = 0, n = 0;
	while (lc_subscriptions_each(subs, &cursor, &symbol)) {
		order[n++] = symbol;
	}
	expect_list(order, n, expected, count);
}
#define EXPECT_ORDER(subs, ...) \
	expect_order((subs), (const uint32_t[]){__VA_ARGS__}, sizeof(uint32_t[]){__VA_ARGS__} / 4)

static void take_all(struct lc_subscriptions *subs)
{
	struct change change;
	while (next(subs, SYMBOLS, &change)) {
		lc_subscriptions_changed(subs);
	}
}

Test(subscriptions, gives_additions_in_the_order_of_following)
{
	struct lc_subscriptions *subs = make();
	struct change change;
	FOLLOW(subs, 9, 3, 7, 3, 1);
	cr_assert(lc_subscriptions_pending(subs));
	cr_assert(next(subs, 3, &change));
	EXPECT(change.add, change.n_add, 9, 3, 7);
	cr_assert_eq(change.n_remove, 0);
	cr_assert_not(lc_subscriptions_pending(subs), "a change is under way");
	cr_assert_not(next(subs, 3, &change));
	lc_subscriptions_changed(subs);
	cr_assert(next(subs, 3, &change));
	EXPECT(change.add, change.n_add, 1);
	lc_subscriptions_changed(subs);
	cr_assert_not(lc_subscriptions_pending(subs));
	cr_assert_eq(lc_subscriptions_counts(subs).subscribed, 4);
	EXPECT_ORDER(subs, 9, 3, 7, 1);
	lc_subscriptions_destroy(subs);
}

Test(subscriptions, gives_removals_first_and_at_most_max_together)
{
	struct lc_subscriptions *subs = make();
	struct change change;
	FOLLOW(subs, 1, 2, 3);
	take_all(subs);
	FOLLOW(subs, 4, 5);
	lc_subscriptions_leave(subs, 3);
	lc_subscriptions_leave(subs, 1);
	lc_subscriptions_leave(subs, 1);
	cr_assert(next(subs, 3, &change));
	EXPECT(change.remove, change.n_remove, 3, 1);
	EXPECT(change.add, change.n_add, 4);
	lc_subscriptions_changed(subs);
	cr_assert(next(subs, 3, &change));
	EXPECT(change.add, change.n_add, 5);
	lc_subscriptions_changed(subs);
	cr_assert_eq(lc_subscriptions_counts(subs).subscribed, 3);
	cr_assert_eq(lc_subscriptions_counts(subs).wanted, 3);
	lc_subscriptions_destroy(subs);
}

Test(subscriptions, leaves_what_was_left_while_it_was_added)
{
	struct lc_subscriptions *subs = make();
	struct change change;
	FOLLOW(subs, 1, 2);
	cr_assert(next(subs, SYMBOLS, &change));
	lc_subscriptions_leave(subs, 1);
	lc_subscriptions_changed(subs);
	cr_assert(next(subs, SYMBOLS, &change));
	EXPECT(change.remove, change.n_remove, 1);
	cr_assert_eq(change.n_add, 0);
	lc_subscriptions_changed(subs);
	cr_assert_not(next(subs, SYMBOLS, &change));
	cr_assert_eq(lc_subscriptions_counts(subs).subscribed, 1);
	lc_subscriptions_destroy(subs);
}

Test(subscriptions, follows_again_what_was_being_left)
{
	struct lc_subscriptions *subs = make();
	struct change change;
	FOLLOW(subs, 1, 2);
	take_all(subs);
	lc_subscriptions_leave(subs, 1);
	cr_assert(next(subs, SYMBOLS, &change));
	FOLLOW(subs, 1);
	cr_assert(lc_subscriptions_wanted(subs, 1));
	lc_subscriptions_changed(subs);
	cr_assert(next(subs, SYMBOLS, &change));
	EXPECT(change.add, change.n_add, 1);
	lc_subscriptions_changed(subs);
	/* Left and followed again before the vendor heard of it: nothing to say. */
	lc_subscriptions_leave(subs, 2);
	FOLLOW(subs, 2);
	cr_assert_not(next(subs, SYMBOLS, &change));
	cr_assert_eq(lc_subscriptions_counts(subs).subscribed, 2);
	lc_subscriptions_destroy(subs);
}

Test(subscriptions, does_not_ask_again_for_what_was_rejected)
{
	struct lc_subscriptions *subs = make();
	struct change change;
	FOLLOW(subs, 1, 2, 3);
	cr_assert(next(subs, SYMBOLS, &change));
	lc_subscriptions_rejected(subs, 2, false);
	lc_subscriptions_changed(subs);
	struct lc_subscription_counts counts = lc_subscriptions_counts(subs);
	cr_assert_eq(counts.subscribed, 2);
	cr_assert_eq(counts.rejected, 1);
	cr_assert_eq(counts.over_limit, 0);
	lc_subscriptions_leave(subs, 1);
	cr_assert(next(subs, SYMBOLS, &change));
	cr_assert_eq(change.n_add, 0, "a free place is not for what is refused");
	lc_subscriptions_changed(subs);
	/* Left and followed again it is a new wish. */
	lc_subscriptions_leave(subs, 2);
	cr_assert_eq(lc_subscriptions_counts(subs).rejected, 0);
	FOLLOW(subs, 2);
	cr_assert(next(subs, SYMBOLS, &change));
	EXPECT(change.add, change.n_add, 2);
	lc_subscriptions_destroy(subs);
}

Test(subscriptions, gives_free_places_to_the_earliest_over_the_limit)
{
	struct lc_subscriptions *subs = make();
	struct change change;
	FOLLOW(subs, 1, 2, 3, 4, 5);
	cr_assert(next(subs, SYMBOLS, &change));
	for (uint32_t symbol = 3; symbol <= 5; symbol++) {
		lc_subscriptions_rejected(subs, symbol, true);
	}
	lc_subscriptions_changed(subs);
	cr_assert_eq(lc_subscriptions_counts(subs).over_limit, 3);
	cr_assert_not(lc_subscriptions_pending(subs), "no place, no asking");
	lc_subscriptions_leave(subs, 4); /* one that had no place frees none */
	cr_assert_eq(lc_subscriptions_counts(subs).over_limit, 2);
	cr_assert_not(next(subs, SYMBOLS, &change));
	lc_subscriptions_leave(subs, 1);
	FOLLOW(subs, 6);
	cr_assert(next(subs, SYMBOLS, &change));
	EXPECT(change.remove, change.n_remove, 1);
	EXPECT(change.add, change.n_add, 3, 6);
	lc_subscriptions_rejected(subs, 6, true);
	lc_subscriptions_changed(subs);
	struct lc_subscription_counts counts = lc_subscriptions_counts(subs);
	cr_assert_eq(counts.subscribed, 2);
	cr_assert_eq(counts.over_limit, 2);
	lc_subscriptions_destroy(subs);
}

Test(subscriptions, begins_from_nothing_after_a_reset)
{
	struct lc_subscriptions *subs = make();
	struct change change;
	FOLLOW(subs, 8, 6, 7, 5);
	cr_assert(next(subs, SYMBOLS, &change));
	lc_subscriptions_rejected(subs, 7, false);
	lc_subscriptions_rejected(subs, 5, true);
	lc_subscriptions_changed(subs);
	lc_subscriptions_leave(subs, 8);
	cr_assert(next(subs, SYMBOLS, &change));
	lc_subscriptions_reset(subs);
	struct lc_subscription_counts counts = lc_subscriptions_counts(subs);
	cr_assert_eq(counts.subscribed + counts.rejected + counts.over_limit, 0);
	cr_assert_eq(counts.wanted, 3);
	cr_assert(next(subs, SYMBOLS, &change), "the change under way was forgotten");
	EXPECT(change.add, change.n_add, 6, 7, 5);
	cr_assert_eq(change.n_remove, 0);
	lc_subscriptions_destroy(subs);
}

Test(subscriptions, survives_late_and_foreign_answers)
{
	struct lc_subscriptions *subs = make();
	lc_subscriptions_changed(subs);
	lc_subscriptions_rejected(subs, 3, true);
	FOLLOW(subs, 1);
	take_all(subs);
	lc_subscriptions_rejected(subs, 1, false); /* it is held: too late */
	struct lc_subscription_counts counts = lc_subscriptions_counts(subs);
	cr_assert_eq(counts.subscribed, 1);
	cr_assert_eq(counts.rejected + counts.over_limit, 0);
	lc_subscriptions_destroy(subs);
	lc_subscriptions_destroy(NULL);
}

/* --- against a vendor with a limit --- */

#define PLACES 10

struct vendor {
	bool has[SYMBOLS];
	size_t count;
};

/* Takes a change as a vendor with PLACES places does. */
static void vendor_takes(
	struct vendor *vendor, struct lc_subscriptions *subs, const struct change *change)
{
	for (size_t i = 0; i < change->n_remove; i++) {
		cr_assert(vendor->has[change->remove[i]], "left what it never had");
		vendor->has[change->remove[i]] = false;
		vendor->count--;
	}
	for (size_t i = 0; i < change->n_add; i++) {
		cr_assert_not(vendor->has[change->add[i]], "asked for what it has");
		if (vendor->count == PLACES) {
			lc_subscriptions_rejected(subs, change->add[i], true);
			continue;
		}
		vendor->has[change->add[i]] = true;
		vendor->count++;
	}
	lc_subscriptions_changed(subs);
}

static void settle(struct vendor *vendor, struct lc_subscriptions *subs, size_t max)
{
	struct change change;
	for (int turns = 0; next(subs, max, &change); turns++) {
		cr_assert_leq(change.n_add + change.n_remove, max);
		cr_assert_lt(turns, 1000, "it never settles");
		vendor_takes(vendor, subs, &change);
	}
}

struct model {
	uint32_t order[SYMBOLS];
	size_t count;
};

static void model_leave(struct model *model, uint32_t symbol)
{
	size_t kept = 0;
	for (size_t i = 0; i < model->count; i++) {
		if (model->order[i] != symbol) {
			model->order[kept++] = model->order[i];
		}
	}
	model->count = kept;
}

static void check(const struct vendor *vendor, const struct model *model,
	const struct lc_subscriptions *subs, bool exact)
{
	size_t held = model->count < PLACES ? model->count : PLACES;
	struct lc_subscription_counts counts = lc_subscriptions_counts(subs);
	cr_assert_eq(vendor->count, held);
	cr_assert_eq(counts.wanted, model->count);
	cr_assert_eq(counts.subscribed, held);
	cr_assert_eq(counts.over_limit, model->count - held);
	for (size_t i = 0; exact && i < model->count; i++) {
		cr_assert_eq(vendor->has[model->order[i]], i < PLACES, "place %zu", i);
	}
}

/* After quiescence the vendor has the first PLACES wanted. With exact, a symbol that was left is
 * not followed again before the vendor has heard of it: else it keeps the place that it has. */
static void walk(uint64_t seed, bool exact)
{
	struct lc_subscriptions *subs = make();
	struct vendor vendor = {0};
	struct model model = {0};
	struct change change;
	uint64_t state = seed;
	for (int round = 0; round < 300; round++) {
		bool left[SYMBOLS] = {false};
		size_t max = 1 + xorshift(&state) % 8;
		for (int i = (int)(xorshift(&state) % 12); i > 0; i--) {
			uint32_t symbol = (uint32_t)(xorshift(&state) % 24);
			bool wanted = lc_subscriptions_wanted(subs, symbol);
			if (wanted) {
				lc_subscriptions_leave(subs, symbol);
				model_leave(&model, symbol);
				left[symbol] = true;
			} else if (!exact || !left[symbol]) {
				FOLLOW(subs, symbol);
				model.order[model.count++] = symbol;
			}
			if (xorshift(&state) % 4 == 0 && next(subs, max, &change)) {
				vendor_takes(&vendor, subs, &change);
			}
		}
		if (xorshift(&state) % 20 == 0) {
			lc_subscriptions_reset(subs);
			memset(&vendor, 0, sizeof vendor);
		}
		settle(&vendor, subs, max);
		check(&vendor, &model, subs, exact);
	}
	lc_subscriptions_destroy(subs);
}

Test(subscriptions, the_earliest_wanted_have_the_places)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		walk(seed * 0x9e3779b97f4a7c15, true);
		walk(seed * 0x9e3779b97f4a7c15, false);
	}
}

/* A symbol that fell silent is left and followed anew, and nobody takes its place meanwhile. */
Test(subscriptions, renews_what_is_held_in_its_place)
{
	struct lc_subscriptions *subs = make();
	struct change change;
	FOLLOW(subs, 1, 2, 3, 4);
	cr_assert(next(subs, SYMBOLS, &change));
	cr_assert_not(lc_subscriptions_renew(subs, 1), "it is not held yet");
	lc_subscriptions_rejected(subs, 4, true);
	lc_subscriptions_changed(subs);
	cr_assert(lc_subscriptions_renew(subs, 2));
	cr_assert(lc_subscriptions_renew(subs, 2), "twice is once");
	cr_assert_not(lc_subscriptions_renew(subs, 4));
	cr_assert_not(lc_subscriptions_renew(subs, 9));
	cr_assert(next(subs, SYMBOLS, &change));
	EXPECT(change.remove, change.n_remove, 2);
	cr_assert_eq(change.n_add, 0, "no place became free for the one over the limit");
	lc_subscriptions_changed(subs);
	cr_assert(next(subs, SYMBOLS, &change));
	EXPECT(change.add, change.n_add, 2);
	cr_assert_eq(change.n_remove, 0);
	lc_subscriptions_changed(subs);
	cr_assert_not(lc_subscriptions_pending(subs));
	cr_assert_eq(lc_subscriptions_counts(subs).subscribed, 3);
	EXPECT_ORDER(subs, 1, 2, 3, 4);
	/* left while it is renewed: it stays left */
	cr_assert(lc_subscriptions_renew(subs, 3));
	lc_subscriptions_leave(subs, 3);
	take_all(subs);
	cr_assert_not(lc_subscriptions_held(subs, 3));
	/* a session that ends forgets it */
	cr_assert(lc_subscriptions_renew(subs, 1));
	lc_subscriptions_reset(subs);
	cr_assert(next(subs, SYMBOLS, &change));
	EXPECT(change.add, change.n_add, 1, 2, 4);
	cr_assert_eq(change.n_remove, 0);
	lc_subscriptions_destroy(subs);
}

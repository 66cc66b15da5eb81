#include "livecore/interest.h"

#include "interest_fixture.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 12, PORTFOLIOS = 3, UPDATES = 14 };

static const char *const names[NAMES] = {"AAPL", "MSFT", "IBM", "BRK.B", "F", "GE", "600000.SH",
	"000001.SZ", "00700.HK", "920047.BJ", "KO", "T"};

static struct lc_symbols *symbols;

/* What the callbacks said, kept as a consumer would keep it. */
struct seen {
	bool followed[NAMES + 1];
	int follows, leaves, refreshes, rejects;
	enum lc_interest_reject reason;
	uint32_t last;
	char order[256];
};

static void on_follow(void *arg, uint32_t symbol)
{
	struct seen *seen = arg;
	if (symbol < NAMES) {
		cr_assert_not(seen->followed[symbol], "followed twice");
		seen->followed[symbol] = true;
	}
	seen->follows++;
	seen->last = symbol;
}

static void on_leave(void *arg, uint32_t symbol)
{
	struct seen *seen = arg;
	if (symbol < NAMES) {
		cr_assert(seen->followed[symbol], "left without having been followed");
		seen->followed[symbol] = false;
	}
	seen->leaves++;
	seen->last = symbol;
}

static void on_refresh(void *arg, uint32_t symbol)
{
	struct seen *seen = arg;
	seen->refreshes++;
	seen->last = symbol;
}

static void on_reject(void *arg, const char *text, size_t len, enum lc_interest_reject reason)
{
	struct seen *seen = arg;
	(void)text;
	(void)len;
	seen->rejects++;
	seen->reason = reason;
}

static const struct lc_interest_host host = {on_follow, on_leave, on_refresh, on_reject};

static struct lc_interest *create(struct seen *seen)
{
	struct lc_interest *interest;
	memset(seen, 0, sizeof *seen);
	struct lc_interest_options options = {
		.symbols = symbols, .seed = 5, .host = &host, .arg = seen};
	cr_assert_eq(lc_interest_create(&options, &interest), LC_OK);
	return interest;
}

static void make_symbols(void)
{
	cr_assert_eq(lc_symbols_create(20000, 1, &symbols), LC_OK);
	for (uint32_t i = 0; i < NAMES; i++) {
		uint32_t index;
		cr_assert_eq(lc_symbols_intern(symbols, names[i], strlen(names[i]), &index), LC_OK);
		cr_assert_eq(index, i);
	}
}

static void free_symbols(void)
{
	lc_symbols_destroy(symbols);
}

TestSuite(interest, .init = make_symbols, .fini = free_symbols);

struct update {
	unsigned portfolio;
	enum lc_interest_type type;
	int64_t timestamp_ns;
	uint32_t named; /* bits */
};

static void apply(struct lc_interest *interest, const struct update *update, size_t step)
{
	char id[8];
	int len = snprintf(id, sizeof id, "p%u", update->portfolio);
	cr_assert_eq(
		lc_interest_begin(interest, id, (size_t)len, update->type, update->timestamp_ns),
		LC_OK);
	for (unsigned i = 0; i < NAMES; i++) {
		if (update->named >> i & 1) {
			while (!lc_interest_make_room(interest, 1, step)) {
			}
			lc_interest_name(interest, names[i], strlen(names[i]));
		}
	}
	while (!lc_interest_sweep(interest, step)) {
		cr_assert(lc_interest_busy(interest));
	}
	cr_assert_not(lc_interest_busy(interest));
}

/* The contract, said in the plainest way: the latest decision counts, follow wins ties. */
static bool wanted(const struct update *updates, unsigned portfolio, unsigned symbol)
{
	int64_t follow = INT64_MIN, against = INT64_MIN;
	for (unsigned i = 0; i < UPDATES; i++) {
		const struct update *u = &updates[i];
		if (u->portfolio != portfolio) {
			continue;
		}
		bool named = u->named >> symbol & 1;
		if (named && u->type != LC_INTEREST_REMOVE && u->timestamp_ns > follow) {
			follow = u->timestamp_ns;
		}
		if ((u->type == LC_INTEREST_REPLACE ? !named
						    : u->type == LC_INTEREST_REMOVE && named) &&
			u->timestamp_ns > against) {
			against = u->timestamp_ns;
		}
	}
	return follow != INT64_MIN && follow >= against;
}

static bool follows(const struct lc_interest *interest, unsigned portfolio, uint32_t symbol)
{
	char id[8];
	snprintf(id, sizeof id, "p%u", portfolio);
	for (size_t p = 0; p < lc_interest_portfolios(interest); p++) {
		struct lc_interest_portfolio one;
		lc_interest_portfolio(interest, p, &one);
		for (size_t e = 0; strcmp(one.id, id) == 0 && e < one.entries; e++) {
			struct lc_interest_entry entry;
			lc_interest_entry(interest, p, e, &entry);
			if (entry.symbol == symbol) {
				return entry.since_ns != INT64_MIN;
			}
		}
	}
	return false;
}

static void compare_to_model(
	const struct lc_interest *interest, const struct update *updates, const struct seen *seen)
{
	size_t count = 0;
	for (uint32_t s = 0; s < NAMES; s++) {
		bool any = false;
		for (unsigned p = 0; p < PORTFOLIOS; p++) {
			bool expected = wanted(updates, p, s);
			cr_assert_eq(follows(interest, p, s), expected, "p%u %s", p, names[s]);
			any |= expected;
		}
		cr_assert_eq(lc_interest_follows(interest, s), any);
		cr_assert_eq(seen->followed[s], any);
		count += any;
	}
	cr_assert_eq(lc_interest_count(interest), count);
}

static void copy_state(const struct lc_interest *from, struct lc_interest *to)
{
	for (size_t p = 0; p < lc_interest_portfolios(from); p++) {
		struct lc_interest_portfolio portfolio;
		size_t index;
		lc_interest_portfolio(from, p, &portfolio);
		cr_assert_eq(lc_interest_restore(to, &portfolio, &index), LC_OK);
		cr_assert_eq(lc_interest_restore(to, &portfolio, &index), LC_ERR_EXISTS);
		for (size_t e = 0; e < portfolio.entries; e++) {
			struct lc_interest_entry entry;
			lc_interest_entry(from, p, e, &entry);
			cr_assert_eq(lc_interest_restore_entry(to, index, &entry), LC_OK);
			cr_assert_eq(lc_interest_restore_entry(to, index, &entry), LC_ERR_EXISTS);
		}
	}
}

/* The followed symbols in order, sorted in steps of that size. Returns how many. */
static size_t sort(const struct lc_interest *interest, size_t step, uint32_t order[NAMES])
{
	struct lc_interest_sort *sort;
	size_t count, steps = 1;
	cr_assert_eq(lc_interest_sort_create(interest, &sort), LC_OK);
	while (!lc_interest_sort_step(sort, step)) {
		steps++;
	}
	const uint32_t *sorted = lc_interest_sorted(sort, &count);
	cr_assert(count < 2 || step > 1 || steps > count, "in steps");
	for (size_t i = 0; i < count; i++) {
		order[i] = sorted[i];
		cr_assert(i == 0 || lc_interest_compare(interest, order[i - 1], order[i]) < 0);
	}
	lc_interest_sort_destroy(sort);
	return count;
}

static void assert_same_state(const struct lc_interest *a, const struct lc_interest *b)
{
	uint32_t order_a[NAMES], order_b[NAMES];
	cr_assert_eq(lc_interest_portfolios(a), lc_interest_portfolios(b));
	for (size_t p = 0; p < lc_interest_portfolios(a); p++) {
		struct lc_interest_portfolio pa, pb;
		lc_interest_portfolio(a, p, &pa);
		lc_interest_portfolio(b, p, &pb);
		cr_assert_str_eq(pa.id, pb.id);
		cr_assert(pa.replace_ns == pb.replace_ns && pa.latest_ns == pb.latest_ns);
		cr_assert(pa.entries == pb.entries && pa.followed == pb.followed);
		for (size_t e = 0; e < pa.entries; e++) {
			struct lc_interest_entry ea, eb;
			lc_interest_entry(a, p, e, &ea);
			lc_interest_entry(b, p, e, &eb);
			cr_assert(ea.symbol == eb.symbol && ea.follow_ns == eb.follow_ns &&
				  ea.remove_ns == eb.remove_ns && ea.since_ns == eb.since_ns);
		}
	}
	size_t n = sort(a, NAMES, order_a);
	for (size_t step = 1; step < 64; step *= 5) { /* however small the steps are */
		cr_assert_eq(sort(b, step, order_b), n);
		cr_assert_arr_eq(order_a, order_b, n * sizeof *order_a);
	}
}

Test(interest, any_order_and_any_slicing_give_the_same_set)
{
	uint64_t random = 20260109;
	for (int round = 0; round < 400; round++) {
		struct update updates[UPDATES];
		for (unsigned i = 0; i < UPDATES; i++) {
			updates[i] = (struct update){
				.portfolio = xorshift(&random) % PORTFOLIOS,
				.type = xorshift(&random) % 3,
				.timestamp_ns = (int64_t)(xorshift(&random) % 8) - 2,
				.named = (uint32_t)xorshift(&random) & 0xfff & xorshift(&random),
			};
		}
		for (int permutation = 0; permutation < 4; permutation++) {
			struct seen seen, restored_seen;
			struct lc_interest *interest = create(&seen);
			struct lc_interest *restored = create(&restored_seen);
			for (unsigned i = UPDATES; i > 1; i--) {
				unsigned other = xorshift(&random) % i;
				struct update swap = updates[i - 1];
				updates[i - 1] = updates[other];
				updates[other] = swap;
			}
			for (unsigned i = 0; i < UPDATES; i++) {
				apply(interest, &updates[i], 1 + xorshift(&random) % 4);
				/* Kafka may deliver again. */
				apply(interest, &updates[xorshift(&random) % (i + 1)], 100);
			}
			compare_to_model(interest, updates, &seen);
			copy_state(interest, restored);
			assert_same_state(interest, restored);
			cr_assert_eq(restored_seen.follows, 0, "restoring is silent");
			/* What was restored goes on like the original. */
			struct update more = {.portfolio = 1,
				.type = LC_INTEREST_REPLACE,
				.timestamp_ns = 2,
				.named = 0x2a5};
			apply(interest, &more, 2);
			memcpy(restored_seen.followed, seen.followed, sizeof seen.followed);
			for (uint32_t s = 0; s < NAMES; s++) {
				restored_seen.followed[s] = lc_interest_follows(restored, s);
			}
			apply(restored, &more, 3);
			for (uint32_t s = 0; s < NAMES; s++) {
				cr_assert_eq(lc_interest_follows(restored, s),
					lc_interest_follows(interest, s));
			}
			lc_interest_destroy(interest);
			lc_interest_destroy(restored);
		}
	}
}

static void step(struct lc_interest *interest, const char *portfolio, enum lc_interest_type type,
	int64_t timestamp_ns, const char *a, const char *b)
{
	const char *list[] = {a, b};
	cr_assert_eq(
		interest_apply(interest, portfolio, type, timestamp_ns, list, !!a + !!b), LC_OK);
}

Test(interest, differences_are_those_of_the_union)
{
	struct seen seen;
	struct lc_interest *interest = create(&seen);
	step(interest, "one", LC_INTEREST_REPLACE, 10, "AAPL", "MSFT");
	cr_assert(seen.follows == 2 && seen.refreshes == 0);
	step(interest, "two", LC_INTEREST_ADD, 11, "AAPL", NULL);
	cr_assert(seen.follows == 2 && seen.refreshes == 1 && seen.last == 0);
	step(interest, "one", LC_INTEREST_REPLACE, 12, "MSFT", "IBM");
	cr_assert(seen.follows == 3 && seen.leaves == 0 && seen.refreshes == 2,
		"AAPL is still two's, MSFT is said again");
	step(interest, "two", LC_INTEREST_REMOVE, 13, "AAPL", NULL);
	cr_assert(seen.leaves == 1 && seen.last == 0);
	step(interest, "two", LC_INTEREST_ADD, 12, "AAPL", NULL);
	cr_assert(seen.follows == 3 && seen.refreshes == 2, "too late to count");
	step(interest, "two", LC_INTEREST_ADD, 13, "AAPL", "AAPL");
	cr_assert(seen.follows == 4 && seen.refreshes == 2, "a tie follows; twice is once");
	step(interest, "one", LC_INTEREST_REPLACE, 20, NULL, NULL);
	cr_assert(seen.leaves == 3);
	cr_assert_eq(lc_interest_count(interest), 1);
	lc_interest_destroy(interest);
	lc_interest_destroy(NULL);
}

Test(interest, what_is_wrong_is_reported_and_the_rest_takes_effect)
{
	struct seen seen;
	struct lc_interest *interest = create(&seen);
	step(interest, "one", LC_INTEREST_ADD, 1, "aapl", "IBM");
	cr_assert(seen.follows == 1 && seen.rejects == 1 && seen.reason == LC_REJECT_INVALID);
	cr_assert_eq(lc_interest_begin(interest, "", 0, LC_INTEREST_ADD, 1), LC_ERR_INVALID);
	char long_id[LC_PORTFOLIO_ID_MAX + 1];
	memset(long_id, 'x', sizeof long_id);
	cr_assert_eq(lc_interest_begin(interest, long_id, sizeof long_id, LC_INTEREST_ADD, 1),
		LC_ERR_INVALID);
	cr_assert_eq(lc_interest_begin(interest, "a\0b", 3, LC_INTEREST_ADD, 1), LC_ERR_INVALID);
	cr_assert_str_eq(lc_interest_reject_name(LC_REJECT_INVALID), "invalid_symbol");
	cr_assert_str_eq(lc_interest_reject_name(LC_REJECT_LIMIT), "symbol_limit");
	lc_interest_destroy(interest);
}

/* A portfolio's table grows by a bounded number of entries a call, however large it is. */
Test(interest, room_is_made_in_steps)
{
	enum { MANY = 10000, STEP = 100 };
	struct seen seen;
	struct lc_interest *interest = create(&seen);
	size_t calls = 0;
	cr_assert_eq(lc_interest_begin(interest, "p", 1, LC_INTEREST_REPLACE, 1), LC_OK);
	for (unsigned i = 0; i < MANY; i++) {
		char name[16];
		int len = snprintf(name, sizeof name, "%06u.SH", i);
		for (; !lc_interest_make_room(interest, 1, STEP); calls++) {
		}
		lc_interest_name(interest, name, (size_t)len);
	}
	cr_assert_geq(calls, 80u, "8192 entries were moved in %zu calls", calls);
	cr_assert(lc_interest_sweep(interest, SIZE_MAX));
	cr_assert_eq(lc_interest_count(interest), (size_t)MANY);
	cr_assert(lc_interest_follows(interest, lc_symbols_find(symbols, "009999.SH", 9)));
	lc_interest_destroy(interest);
}

Test(interest, everything_is_bounded)
{
	struct seen seen = {0};
	struct lc_interest *interest;
	struct lc_symbols *few;
	cr_assert_eq(lc_symbols_create(3, 1, &few), LC_OK);
	struct lc_interest_options options = {
		.symbols = few, .max_portfolios = 2, .max_entries = 2, .host = &host, .arg = &seen};
	cr_assert_eq(lc_interest_create(&options, &interest), LC_OK);
	const char *three[] = {"AAPL", "MSFT", "IBM"};
	cr_assert_eq(interest_apply(interest, "a", LC_INTEREST_ADD, 1, three, 3), LC_OK);
	cr_assert(seen.follows == 2 && seen.rejects == 1 && seen.reason == LC_REJECT_LIMIT);
	const char *other[] = {"IBM", "KO"};
	cr_assert_eq(interest_apply(interest, "b", LC_INTEREST_ADD, 1, other, 2), LC_OK);
	cr_assert(seen.follows == 3 && seen.rejects == 2, "the symbol table is full");
	cr_assert_eq(lc_interest_begin(interest, "c", 1, LC_INTEREST_ADD, 1), LC_ERR_LIMIT);
	lc_interest_destroy(interest);
	lc_symbols_destroy(few);
}

static void assert_order(const struct lc_interest *interest, const char *expected)
{
	uint32_t order[NAMES];
	char text[256] = "";
	size_t count = sort(interest, NAMES, order);
	for (size_t i = 0; i < count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, lc_symbols_get(symbols, order[i])->text);
	}
	cr_assert_str_eq(text, expected);
}

Test(interest, the_earliest_followed_come_first_and_keep_their_place)
{
	struct seen seen;
	struct lc_interest *interest = create(&seen);
	step(interest, "one", LC_INTEREST_ADD, 30, "AAPL", NULL);
	step(interest, "one", LC_INTEREST_ADD, 10, "T", "F");
	step(interest, "two", LC_INTEREST_ADD, 20, "AAPL", "KO");
	assert_order(interest, "F T AAPL KO");
	step(interest, "one", LC_INTEREST_ADD, 99, "F", NULL);
	assert_order(interest, "F T AAPL KO");
	step(interest, "two", LC_INTEREST_REMOVE, 40, "AAPL", NULL);
	assert_order(interest, "F T KO AAPL");
	step(interest, "one", LC_INTEREST_REMOVE, 50, "T", NULL);
	step(interest, "one", LC_INTEREST_ADD, 60, "T", NULL);
	assert_order(interest, "F KO AAPL T");
	step(interest, "one", LC_INTEREST_REPLACE, 70, "AAPL", "T");
	step(interest, "one", LC_INTEREST_REPLACE, 80, "AAPL", "F");
	assert_order(interest, "KO AAPL F");
	lc_interest_destroy(interest);
}

Test(interest, a_late_message_that_broke_the_following_moves_its_place)
{
	struct seen seen;
	struct lc_interest *interest = create(&seen);
	step(interest, "one", LC_INTEREST_REPLACE, 10, "AAPL", "KO");
	step(interest, "one", LC_INTEREST_REPLACE, 30, "AAPL", "KO");
	step(interest, "one", LC_INTEREST_REPLACE, 20, "KO", NULL);
	assert_order(interest, "KO AAPL");
	step(interest, "one", LC_INTEREST_REMOVE, 25, "KO", NULL);
	assert_order(interest, "AAPL KO");
	cr_assert_eq(seen.leaves, 0);
	lc_interest_destroy(interest);
}

Test(interest, removals_are_remembered_only_while_needed)
{
	struct seen seen;
	struct lc_interest *interest = create(&seen);
	struct lc_interest_portfolio portfolio;
	step(interest, "one", LC_INTEREST_REMOVE, 10, "AAPL", "KO");
	lc_interest_portfolio(interest, 0, &portfolio);
	cr_assert_eq(portfolio.entries, 2);
	step(interest, "one", LC_INTEREST_ADD, 9, "AAPL", NULL);
	cr_assert_eq(seen.follows, 0);
	step(interest, "one", LC_INTEREST_REPLACE, 11, "IBM", NULL);
	lc_interest_portfolio(interest, 0, &portfolio);
	cr_assert_eq(portfolio.entries, 1, "the replace says the same");
	step(interest, "one", LC_INTEREST_REMOVE, 12, "IBM", "KO");
	while (!lc_interest_prune(interest, 12, 1)) {
	}
	lc_interest_portfolio(interest, 0, &portfolio);
	cr_assert_eq(portfolio.entries, 2);
	uint64_t version = portfolio.version;
	while (!lc_interest_prune(interest, 13, 1)) {
	}
	lc_interest_portfolio(interest, 0, &portfolio);
	cr_assert_eq(portfolio.entries, 0);
	cr_assert_neq(portfolio.version, version);
	lc_interest_destroy(interest);
}

Test(interest, silent_portfolios_expire)
{
	struct seen seen;
	struct lc_interest *interest = create(&seen);
	step(interest, "one", LC_INTEREST_ADD, 10, "AAPL", "KO");
	step(interest, "two", LC_INTEREST_ADD, 20, "AAPL", "IBM");
	step(interest, "three", LC_INTEREST_ADD, 11, "T", NULL);
	int expired = 0;
	while (lc_interest_expire(interest, 15)) {
		expired++;
		while (!lc_interest_sweep(interest, 1)) {
		}
	}
	cr_assert_eq(expired, 2);
	cr_assert_eq(seen.leaves, 2);
	cr_assert_eq(lc_interest_portfolios(interest), 1);
	assert_order(interest, "AAPL IBM");
	step(interest, "one", LC_INTEREST_ADD, 30, "KO", NULL);
	assert_order(interest, "AAPL IBM KO");
	lc_interest_destroy(interest);
}

Test(interest, five_thousand_symbols_and_back)
{
	struct seen seen;
	struct lc_interest *interest = create(&seen);
	for (int round = 0; round < 3; round++) {
		cr_assert_eq(
			lc_interest_begin(interest, "big", 3, LC_INTEREST_REPLACE, 100 + round),
			LC_OK);
		for (int i = 0; i < 5000; i++) {
			char text[16];
			int len = snprintf(text, sizeof text, "%06d.SH", i + round * 1000);
			lc_interest_name(interest, text, (size_t)len);
		}
		while (!lc_interest_sweep(interest, 512)) {
		}
		cr_assert_eq(lc_interest_count(interest), 5000);
	}
	cr_assert(seen.follows == 7000 && seen.leaves == 2000);
	lc_interest_destroy(interest);
}

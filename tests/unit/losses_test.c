#include "app/losses.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lc_text text(const char *s)
{
	return (struct lc_text){s, strlen(s)};
}

static enum lc_seen note(struct lc_losses *losses, const char *symbol, const char *kind,
	const char *stream, uint64_t seq, uint64_t conflated, uint64_t *lost)
{
	const struct lc_price_view view = {.symbol = text(symbol),
		.kind = text(kind),
		.stream = text(stream),
		.seq = seq,
		.conflated = conflated};
	*lost = 0;
	return lc_losses_note(losses, &view, lost);
}

Test(losses, the_formula_of_the_contract)
{
	static const struct {
		uint64_t seq, conflated;
		enum lc_seen seen;
		uint64_t lost;
	} steps[] = {
		{7, 3, LC_SEEN_NEXT, 0}, /* the first that we saw: what came before was not ours */
		{8, 0, LC_SEEN_NEXT, 0},
		{8, 0, LC_SEEN_REPEAT, 0},
		{5, 0, LC_SEEN_REPEAT, 0},
		{10, 0, LC_SEEN_LOSS, 1},
		{15, 4, LC_SEEN_NEXT, 0}, /* stands for 11 … 15 */
		{20, 3, LC_SEEN_LOSS, 1}, /* stands for 17 … 20 */
		{0, 0, LC_SEEN_NEXT, 0},  /* outside the count */
		{21, 9, LC_SEEN_NEXT, 0}, /* claims more than there can be: nothing is lost */
		{UINT64_MAX, 0, LC_SEEN_LOSS, UINT64_MAX - 22},
		{0, 0, LC_SEEN_NEXT, 0},
		{22, 0, LC_SEEN_REPEAT, 0},
	};
	struct lc_losses *losses;
	uint64_t lost;
	cr_assert_eq(lc_losses_create(1, &losses), LC_OK);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		cr_assert_eq(
			note(losses, "AAPL", "trade", "s", steps[i].seq, steps[i].conflated, &lost),
			steps[i].seen, "step %zu", i);
		cr_assert_eq(lost, steps[i].lost, "step %zu", i);
	}
	struct lc_losses_totals totals = lc_losses_totals(losses);
	cr_assert_eq(totals.updates, 12);
	cr_assert_eq(totals.repeats, 3);
	cr_assert_eq(totals.series, 1);
	lc_losses_destroy(losses);
}

Test(losses, each_symbol_kind_and_stream_counts_for_itself)
{
	static const char *const parts[][3] = {{"AAPL", "trade", "one"}, {"AAPL", "quote", "one"},
		{"AAPL", "trade", "two"}, {"KO", "trade", "one"}, {"AAPLt", "rade", "one"},
		{"", "", ""}};
	struct lc_losses *losses;
	uint64_t lost;
	cr_assert_eq(lc_losses_create(2, &losses), LC_OK);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
			cr_assert_eq(
				note(losses, parts[i][0], parts[i][1], parts[i][2], seq, 0, &lost),
				LC_SEEN_NEXT);
		}
	}
	cr_assert_eq(note(losses, "AAPL", "quote", "one", 5, 0, &lost), LC_SEEN_LOSS);
	cr_assert_eq(note(losses, "AAPL", "trade", "one", 4, 0, &lost), LC_SEEN_NEXT);
	cr_assert_eq(lc_losses_totals(losses).series, 6);
	cr_assert_eq(lc_losses_totals(losses).lost, 1);
	lc_losses_destroy(losses);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Any stream that is conflated, dropped from and repeated: what is counted lost is exactly what was
 * dropped. */
Test(losses, what_is_dropped_is_what_is_counted)
{
	for (uint32_t seed = 1; seed <= 50; seed++) {
		struct lc_losses *losses;
		uint32_t state = seed;
		uint64_t seq = 1, dropped = 0, conflated = 0, lost;
		cr_assert_eq(lc_losses_create(seed, &losses), LC_OK);
		note(losses, "A", "trade", "s", seq, 0, &lost);
		for (int i = 0; i < 500; i++) {
			uint64_t merged = next_random(&state) % 4;
			seq += merged + 1;
			bool last = i == 499;
			if (!last && next_random(&state) % 5 == 0) {
				dropped += merged + 1;
				continue;
			}
			conflated += merged;
			cr_assert_neq(note(losses, "A", "trade", "s", seq, merged, &lost),
				LC_SEEN_REPEAT);
			if (next_random(&state) % 7 == 0) {
				cr_assert_eq(note(losses, "A", "trade", "s", seq, merged, &lost),
					LC_SEEN_REPEAT);
			}
		}
		cr_assert_eq(lc_losses_totals(losses).lost, dropped);
		cr_assert_eq(lc_losses_totals(losses).conflated, conflated);
		lc_losses_destroy(losses);
	}
}

/* Names from the network may be long; they must not run over. */
Test(losses, hostile_names)
{
	struct lc_losses *losses;
	uint64_t lost;
	char *name = malloc(100001);
	memset(name, 'x', 100000);
	name[100000] = '\0';
	cr_assert_eq(lc_losses_create(3, &losses), LC_OK);
	cr_assert_eq(note(losses, name, name, name, 1, 0, &lost), LC_SEEN_NEXT);
	cr_assert_eq(note(losses, name, name, name, 1, 0, &lost), LC_SEEN_REPEAT);
	lc_losses_destroy(losses);
	lc_losses_destroy(NULL);
	free(name);
}

Test(losses, memory_is_bounded)
{
	struct lc_losses *losses;
	uint64_t lost;
	char symbol[16];
	cr_assert_eq(lc_losses_create(4, &losses), LC_OK);
	for (int i = 0; i < LC_LOSSES_MAX + 10; i++) {
		snprintf(symbol, sizeof symbol, "S%d", i);
		cr_assert_eq(note(losses, symbol, "trade", "s", 1, 0, &lost), LC_SEEN_NEXT);
	}
	cr_assert_eq(lc_losses_totals(losses).series, LC_LOSSES_MAX);
	lc_losses_destroy(losses);
}

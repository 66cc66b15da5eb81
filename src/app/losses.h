/* What a consumer has lost, by the contract's formula: seq - the last seq - 1 - conflated, per
 * symbol, kind and stream. Pure, one thread. Bounded: beyond LC_LOSSES_MAX series new ones are not
 * followed. */
#pragma once

#include "livecore/messages.h"

#define LC_LOSSES_MAX 300000

struct lc_losses;

enum lc_seen {
	LC_SEEN_NEXT,   /* the first of its series, or as expected, or outside the count */
	LC_SEEN_LOSS,   /* some before it are missing: *lost of them */
	LC_SEEN_REPEAT, /* a seq at or below the last one: to be dropped */
};

enum lc_err lc_losses_create(uint64_t seed, struct lc_losses **out);
void lc_losses_destroy(struct lc_losses *losses);

/* lost is set on LC_SEEN_LOSS alone. */
enum lc_seen lc_losses_note(
	struct lc_losses *losses, const struct lc_price_view *view, uint64_t *lost);

struct lc_losses_totals {
	uint64_t updates; /* repeats included */
	uint64_t lost, conflated, repeats;
	size_t series;
};
struct lc_losses_totals lc_losses_totals(const struct lc_losses *losses);

/* What one feed did not bring: of each symbol up to when it was seen, and where a hole in it begins
 * and ends. Pure; loop thread. It decides no cause and says nothing: feed_gaps.c does.
 *
 * A feed of trades that comes in order was seen up to its newest event, a quiet symbol of it too,
 * but for the second by which trades of other symbols may be ahead. A feed of snapshots saw a
 * symbol when it answered last. A hole ends where the vendor has the symbol again for certain:
 * rather late than early, since what came twice is known, and what is left out is not. */
#pragma once

#include "livecore/tick.h"

#include "livecore/error.h"

#include <stddef.h>

struct lc_hole {
	uint32_t symbol;
	bool ended;
	int64_t from_ns, until_ns; /* event times; until 0: open */
};

struct lc_holes;

enum lc_err lc_holes_create(size_t max_symbols, bool snapshots, struct lc_holes **out);
void lc_holes_destroy(struct lc_holes *holes);

/* A tick that was believed; ends its symbol's hole. About 2 ns while there is none. */
void lc_holes_seen(struct lc_holes *holes, const struct lc_tick *tick);
/* A tick that says what was known: of snapshots it shows that nothing was missed. */
void lc_holes_same(struct lc_holes *holes, const struct lc_tick *tick);
/* The vendor took a subscription at now_ns by its own clock: what it sends from then on is seen. */
void lc_holes_subscribed(struct lc_holes *holes, int64_t now_ns);

/* Begins a hole at the time up to which the symbol was seen, but not before floor_ns and not after
 * now_ns. False: it has one already, or memory ran out. */
bool lc_holes_open(struct lc_holes *holes, uint32_t symbol, int64_t floor_ns, int64_t now_ns);
/* The vendor has the symbol again. Of snapshots only the next one is a proof. */
void lc_holes_back(struct lc_holes *holes, uint32_t symbol);
/* Every hole ends: the feed was silent without having lost its subscriptions. */
void lc_holes_all_back(struct lc_holes *holes, int64_t at_ns);
/* Nobody follows it any more. */
void lc_holes_forget(struct lc_holes *holes, uint32_t symbol);
bool lc_holes_is_open(const struct lc_holes *holes, uint32_t symbol);

/* The holes that were not taken, in the order in which they were opened. */
size_t lc_holes_count(const struct lc_holes *holes);
size_t lc_holes_ended(const struct lc_holes *holes); /* of them */
const struct lc_hole *lc_holes_at(const struct lc_holes *holes, size_t i);
/* Takes at most max that ended out, into the caller's array; returns how many. */
size_t lc_holes_take(struct lc_holes *holes, struct lc_hole *out, size_t max);

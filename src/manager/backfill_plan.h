/* What to ask a vendor for so that a gap is filled, and what is left of it: requests over several
 * symbols, within a budget. Pure; loop thread. The trades come first; when the budget does not
 * reach for them, its last request is for minute bars, so that at least the bars are right. */
#pragma once

#include "livecore/feeder.h"
#include "manager/gaps.h"

#define LC_PLAN_ASKED 128 /* symbols in one request, at most */

struct lc_plan_entry {
	uint32_t symbol;
	int64_t from_ns, until_ns;
	int64_t reached_ns; /* everything before was given */
	uint64_t ticks;     /* that came and were new; the owner's to count */
	bool done;          /* filled or left */
	bool minutes;       /* the vendor's bars of its minutes were given */
	uint8_t left;       /* enum lc_gap_cause when done and not filled */
};

struct lc_plan {
	struct lc_plan_entry *entries; /* owned */
	size_t count;
	bool minutes_only;   /* bars, and nothing else */
	size_t budget, used; /* requests */
	size_t done;
	size_t most; /* symbols in a request, while a culprit is looked for; 0: as many as fit */
	size_t asked[LC_PLAN_ASKED]; /* entries of the request under way, in its order */
	uint32_t symbols[LC_PLAN_ASKED];
	size_t n_asked;
	enum lc_backfill_kind what; /* of that request */
	char why[160];              /* the first reason for what was left */
};

/* Copies the holes. LC_ERR_NOMEM. */
enum lc_err lc_plan_init(
	struct lc_plan *plan, const struct lc_plan_entry *entries, size_t count, size_t budget);
/* More holes of the same gap, within the same budget. LC_ERR_NOMEM: none of them is taken. */
enum lc_err lc_plan_append(struct lc_plan *plan, const struct lc_plan_entry *entries, size_t count);
void lc_plan_finish(struct lc_plan *plan);

/* The next request, for symbols as the first that is open: most of them in one request (0: the
 * vendor gives nothing of this kind). False: there is none, all entries are done. */
typedef size_t (*lc_plan_most_cb)(void *arg, enum lc_backfill_kind what, uint32_t symbol);
bool lc_plan_next(
	struct lc_plan *plan, lc_plan_most_cb most, void *arg, struct lc_backfill *request);
/* That request's end. */
void lc_plan_end(struct lc_plan *plan, const struct lc_backfill_end *end);
/* The session ended: the request is to be made again. */
void lc_plan_interrupted(struct lc_plan *plan);
/* Leaves all that is not done. */
void lc_plan_give_up(struct lc_plan *plan, enum lc_gap_cause cause, const char *why);

/* The entry of the request under way that holds a trade, or NULL when it is none's. */
struct lc_plan_entry *lc_plan_find(struct lc_plan *plan, uint32_t symbol, int64_t event_ns);
bool lc_plan_filled(const struct lc_plan_entry *entry);

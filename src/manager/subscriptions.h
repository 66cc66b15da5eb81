/* What one feeder should be subscribed to and what it is: the set wanted, in the order in which
 * symbols came to be followed, the set the vendor has taken, and the changes still to be given to
 * it. Pure, loop thread. Written once for all vendors. */
#pragma once

#include "livecore/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lc_subscriptions;

/* max_symbols bounds the symbol indices (symbols.max). */
enum lc_err lc_subscriptions_create(size_t max_symbols, struct lc_subscriptions **out);
void lc_subscriptions_destroy(struct lc_subscriptions *subs);

/* Wants a symbol, behind all that are wanted already; wanting it twice changes nothing.
 * LC_ERR_NOMEM. */
enum lc_err lc_subscriptions_follow(struct lc_subscriptions *subs, uint32_t symbol);
void lc_subscriptions_leave(struct lc_subscriptions *subs, uint32_t symbol);

/* A session begins (or ended): nothing is subscribed, and the whole wanted set is to be given
 * again, the rejected included. */
void lc_subscriptions_reset(struct lc_subscriptions *subs);

/* A symbol that the vendor has is left and followed anew, in its place in the order; any other is
 * as it was. False: it is not held, or memory ran out. */
bool lc_subscriptions_renew(struct lc_subscriptions *subs, uint32_t symbol);

/* May lc_subscriptions_next() have something to give? False while a change is under way. */
bool lc_subscriptions_pending(const struct lc_subscriptions *subs);

/* Takes the next change of at most max symbols together (removals first, then additions in follow
 * order) into the caller's arrays of max entries. Returns false when there is nothing to change or
 * a change is under way already. */
bool lc_subscriptions_next(struct lc_subscriptions *subs, size_t max, uint32_t *add, size_t *n_add,
	uint32_t *remove, size_t *n_remove);
/* The vendor refused one symbol of the change under way. With limit, it is tried again when a place
 * becomes free. */
void lc_subscriptions_rejected(struct lc_subscriptions *subs, uint32_t symbol, bool limit);
/* The change under way has been taken. */
void lc_subscriptions_changed(struct lc_subscriptions *subs);

/* Has the vendor taken it? */
bool lc_subscriptions_held(const struct lc_subscriptions *subs, uint32_t symbol);
bool lc_subscriptions_wanted(const struct lc_subscriptions *subs, uint32_t symbol);

struct lc_subscription_counts {
	size_t wanted, subscribed, rejected, over_limit;
};
struct lc_subscription_counts lc_subscriptions_counts(const struct lc_subscriptions *subs);

/* The wanted symbols in follow order: start with *cursor = 0; false at the end. */
bool lc_subscriptions_each(const struct lc_subscriptions *subs, size_t *cursor, uint32_t *symbol);

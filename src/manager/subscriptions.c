#include "manager/subscriptions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	WANTED = 1 << 0,
	HELD = 1 << 1,     /* the vendor has it */
	REJECTED = 1 << 2, /* the vendor refused it: not asked again in this session */
	LIMITED = 1 << 3,  /* refused for the plan's limit: asked again when a place is free */
	CHANGING = 1 << 4, /* part of the change under way */
	ORDERED = 1 << 5,  /* stands in `order` */
	RENEWED = 1 << 6,  /* wanted and held, and to be left for a moment */
};

/* A growable array of symbols. */
struct symbols {
	uint32_t *items;
	size_t count, capacity;
};

struct lc_subscriptions {
	uint8_t *state; /* by symbol */
	size_t max;
	/* wanted ones in follow order; those left since are passed over and swept out later */
	struct symbols order;
	/* To be given to the vendor, in the order in which they were left. */
	struct symbols removals;
	size_t next;             /* the additions to be looked at start here in order */
	size_t stale;            /* entries of order that are no longer wanted */
	struct symbols changing; /* the change under way */
	bool under_way;
	struct lc_subscription_counts counts;
};

static enum lc_err push(struct symbols *list, uint32_t symbol)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		uint32_t *items = realloc(list->items, capacity * sizeof *items);
		if (!items) {
			return LC_ERR_NOMEM;
		}
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = symbol;
	return LC_OK;
}

/* Sweeps symbols that were left out of the order, so that it never grows beyond twice the wanted
 * set. */
static void sweep(struct lc_subscriptions *subs)
{
	size_t kept = 0, next = 0;
	for (size_t i = 0; i < subs->order.count; i++) {
		uint32_t symbol = subs->order.items[i];
		if (i == subs->next) {
			next = kept;
		}
		if (subs->state[symbol] & WANTED) {
			subs->order.items[kept++] = symbol;
		} else {
			subs->state[symbol] &= (uint8_t)~ORDERED;
		}
	}
	subs->next = subs->next >= subs->order.count ? kept : next;
	subs->order.count = kept;
	subs->stale = 0;
}

static void forget_refusal(struct lc_subscriptions *subs, uint32_t symbol)
{
	if (subs->state[symbol] & REJECTED) {
		subs->counts.rejected--;
	}
	if (subs->state[symbol] & LIMITED) {
		subs->counts.over_limit--;
	}
	subs->state[symbol] &= (uint8_t) ~(REJECTED | LIMITED);
}

/* Places became free: the earliest of those over the limit are asked for again. */
static void retry_limited(struct lc_subscriptions *subs, size_t places)
{
	for (size_t i = 0; i < subs->order.count && places > 0 && subs->counts.over_limit > 0;
		i++) {
		uint32_t symbol = subs->order.items[i];
		if (subs->state[symbol] & LIMITED) {
			forget_refusal(subs, symbol);
			places--;
			if (i < subs->next) {
				subs->next = i;
			}
		}
	}
}

enum lc_err lc_subscriptions_create(size_t max_symbols, struct lc_subscriptions **out)
{
	struct lc_subscriptions *subs = calloc(1, sizeof *subs);
	if (!subs) {
		return LC_ERR_NOMEM;
	}
	subs->max = max_symbols;
	subs->state = calloc(max_symbols ? max_symbols : 1, 1);
	if (!subs->state) {
		free(subs);
		return LC_ERR_NOMEM;
	}
	*out = subs;
	return LC_OK;
}

void lc_subscriptions_destroy(struct lc_subscriptions *subs)
{
	if (!subs) {
		return;
	}
	free(subs->order.items);
	free(subs->removals.items);
	free(subs->changing.items);
	free(subs->state);
	free(subs);
}

enum lc_err lc_subscriptions_follow(struct lc_subscriptions *subs, uint32_t symbol)
{
	assert(symbol < subs->max);
	uint8_t *state = &subs->state[symbol];
	if (*state & WANTED) {
		return LC_OK;
	}
	if (*state & ORDERED) {
		sweep(subs); /* it was left and comes back: it goes to the end */
	}
	if (push(&subs->order, symbol) != LC_OK) {
		return LC_ERR_NOMEM;
	}
	*state |= WANTED | ORDERED;
	subs->counts.wanted++;
	return LC_OK;
}

void lc_subscriptions_leave(struct lc_subscriptions *subs, uint32_t symbol)
{
	assert(symbol < subs->max);
	uint8_t *state = &subs->state[symbol];
	if (!(*state & WANTED)) {
		return;
	}
	*state &= (uint8_t)~WANTED;
	subs->counts.wanted--;
	subs->stale++;
	if (!(*state & (HELD | CHANGING | REJECTED | LIMITED))) {
		/* The place that it was about to ask for is the next one's. */
		retry_limited(subs, 1);
	}
	forget_refusal(subs, symbol);
	if ((*state & (HELD | CHANGING)) && push(&subs->removals, symbol) != LC_OK) {
		/* Out of memory: it stays subscribed until the next session; its ticks count as not
		 * followed. */
	}
	if (subs->stale > 64 && subs->stale > subs->counts.wanted) {
		sweep(subs);
	}
}

void lc_subscriptions_reset(struct lc_subscriptions *subs)
{
	sweep(subs);
	for (size_t i = 0; i < subs->max; i++) {
		subs->state[i] &= WANTED | ORDERED;
	}
	subs->removals.count = 0;
	subs->changing.count = 0;
	subs->next = 0;
	subs->under_way = false;
	subs->counts.subscribed = subs->counts.rejected = subs->counts.over_limit = 0;
}

bool lc_subscriptions_pending(const struct lc_subscriptions *subs)
{
	return !subs->under_way && (subs->removals.count > 0 || subs->next < subs->order.count);
}

static bool take(struct lc_subscriptions *subs, uint32_t symbol, uint32_t *out, size_t *count)
{
	if (push(&subs->changing, symbol) != LC_OK) {
		return false;
	}
	subs->state[symbol] |= CHANGING;
	out[(*count)++] = symbol;
	return true;
}

/* Returns how many places they leave: those renewed keep theirs. */
static size_t take_removals(
	struct lc_subscriptions *subs, size_t max, uint32_t *remove, size_t *n_remove)
{
	struct symbols *removals = &subs->removals;
	size_t next = 0, places = 0;
	for (; *n_remove < max && next < removals->count; next++) {
		uint32_t symbol = removals->items[next];
		uint8_t state = subs->state[symbol];
		bool leaves = !(state & WANTED);
		if ((state & HELD) && !(state & CHANGING) && (leaves || state & RENEWED)) {
			if (!take(subs, symbol, remove, n_remove)) {
				break;
			}
			places += leaves;
		}
	}
	removals->count -= next;
	if (next > 0) {
		memmove(removals->items, removals->items + next,
			removals->count * sizeof *removals->items);
	}
	return places;
}

bool lc_subscriptions_next(struct lc_subscriptions *subs, size_t max, uint32_t *add, size_t *n_add,
	uint32_t *remove, size_t *n_remove)
{
	*n_add = *n_remove = 0;
	if (subs->under_way) {
		return false;
	}
	/* The places that these leave belong to the earliest over the limit, not to who comes
	 * behind them. */
	retry_limited(subs, take_removals(subs, max, remove, n_remove));
	while (*n_add + *n_remove < max && subs->next < subs->order.count) {
		uint32_t symbol = subs->order.items[subs->next];
		uint8_t state = subs->state[symbol];
		if ((state & WANTED) && !(state & (HELD | REJECTED | LIMITED)) &&
			!take(subs, symbol, add, n_add)) {
			break;
		}
		subs->next++;
	}
	subs->under_way = *n_add + *n_remove > 0;
	return subs->under_way;
}

bool lc_subscriptions_renew(struct lc_subscriptions *subs, uint32_t symbol)
{
	uint8_t *state = &subs->state[symbol];
	if ((*state & (WANTED | HELD | CHANGING | RENEWED)) != (WANTED | HELD) ||
		push(&subs->removals, symbol) != LC_OK) {
		return *state & RENEWED;
	}
	*state |= RENEWED;
	return true;
}

void lc_subscriptions_rejected(struct lc_subscriptions *subs, uint32_t symbol, bool limit)
{
	uint8_t *state = &subs->state[symbol];
	if (!(*state & WANTED) || (*state & (HELD | REJECTED | LIMITED))) {
		*state &= (uint8_t)~CHANGING;
		return;
	}
	*state = (uint8_t)((*state & ~CHANGING) | (limit ? LIMITED : REJECTED));
	subs->counts.rejected += !limit;
	subs->counts.over_limit += limit;
}

void lc_subscriptions_changed(struct lc_subscriptions *subs)
{
	for (size_t i = 0; i < subs->changing.count; i++) {
		uint32_t symbol = subs->changing.items[i];
		uint8_t *state = &subs->state[symbol];
		if (!(*state & CHANGING)) {
			continue; /* rejected */
		}
		*state = (uint8_t)((*state ^ (CHANGING | HELD)) & ~RENEWED);
		if (*state & HELD) {
			subs->counts.subscribed++;
			if (!(*state & WANTED) && push(&subs->removals, symbol) != LC_OK) {
				continue; /* as in leave() */
			}
		} else {
			subs->counts.subscribed--;
			if (*state & WANTED) {
				subs->next = 0; /* followed again while it was being left */
			}
		}
	}
	subs->changing.count = 0;
	subs->under_way = false;
}

bool lc_subscriptions_held(const struct lc_subscriptions *subs, uint32_t symbol)
{
	return symbol < subs->max && (subs->state[symbol] & HELD);
}

bool lc_subscriptions_wanted(const struct lc_subscriptions *subs, uint32_t symbol)
{
	return symbol < subs->max && (subs->state[symbol] & WANTED);
}

struct lc_subscription_counts lc_subscriptions_counts(const struct lc_subscriptions *subs)
{
	return subs->counts;
}

bool lc_subscriptions_each(const struct lc_subscriptions *subs, size_t *cursor, uint32_t *symbol)
{
	while (*cursor < subs->order.count) {
		uint32_t candidate = subs->order.items[(*cursor)++];
		if (subs->state[candidate] & WANTED) {
			*symbol = candidate;
			return true;
		}
	}
	return false;
}

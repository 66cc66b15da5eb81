#include "livecore/interest.h"

#include "interest_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PORTFOLIOS = 10000, MAX_ENTRIES = 200000 };

/* Can an entry be forgotten? It can when the portfolio's replace says all that it says. */
static bool is_redundant(const struct portfolio *portfolio, const struct entry *entry)
{
	return entry->since_ns == NEVER && entry->remove_ns <= portfolio->replace_ns;
}

static void reject(
	struct lc_interest *interest, const char *text, size_t len, enum lc_interest_reject reason)
{
	if (interest->options.host && interest->options.host->reject) {
		interest->options.host->reject(interest->options.arg, text, len, reason);
	}
}

/* The current portfolio's entry for a name, made when there is none. NULL: rejected, or nothing
 * that would have to be remembered. */
static struct entry *entry_for(struct lc_interest *interest, const char *text, size_t len)
{
	struct portfolio *portfolio = interest->current;
	uint32_t symbol;
	enum lc_err rc = lc_symbols_intern(interest->options.symbols, text, len, &symbol);
	struct entry *entry = rc == LC_OK ? lc_portfolio_find(portfolio, symbol) : NULL;
	if (entry) {
		return entry;
	}
	if (rc == LC_OK) {
		/* A later replace (or, for a removal, an equally late one) has decided already. */
		bool follows = interest->type != LC_INTEREST_REMOVE;
		if (follows ? interest->timestamp_ns < portfolio->replace_ns
			    : interest->timestamp_ns <= portfolio->replace_ns) {
			return NULL;
		}
		rc = portfolio->count < interest->options.max_entries
			     ? lc_union_reserve(interest, symbol)
			     : LC_ERR_LIMIT;
	}
	if (rc == LC_OK) {
		rc = lc_portfolio_add(portfolio, symbol, &entry);
	}
	if (rc != LC_OK) {
		reject(interest, text, len,
			rc == LC_ERR_INVALID ? LC_REJECT_INVALID
			: rc == LC_ERR_NOMEM ? LC_REJECT_MEMORY
					     : LC_REJECT_LIMIT);
	}
	return entry;
}

static void name_followed(struct lc_interest *interest, struct entry *entry)
{
	const struct lc_interest_host *host = interest->options.host;
	struct portfolio *portfolio = interest->current;
	int64_t now = interest->timestamp_ns;
	bool counts = now >= later_of(entry->remove_ns, portfolio->replace_ns);
	entry->follow_ns = later_of(entry->follow_ns, now);
	if (!counts) {
		return;
	}
	bool first = false;
	if (entry->since_ns == NEVER) {
		first = lc_union_join(interest, portfolio, entry, entry->follow_ns);
	} else if (now < entry->since_ns) {
		lc_union_move_since(interest, entry, now);
	}
	if (first && host && host->follow) {
		host->follow(interest->options.arg, entry->symbol);
	} else if (!first && host && host->refresh) {
		host->refresh(interest->options.arg, entry->symbol);
	}
}

static void name_removed(struct lc_interest *interest, struct entry *entry)
{
	entry->remove_ns = later_of(entry->remove_ns, interest->timestamp_ns);
	if (entry->since_ns == NEVER) {
		return;
	}
	if (!lc_portfolio_follows(interest->current, entry)) {
		lc_union_part(interest, interest->current, entry);
	} else if (entry->since_ns < interest->timestamp_ns) {
		/* A removal that comes late: it was followed, left and followed again. */
		lc_union_move_since(interest, entry, entry->follow_ns);
	}
}

/* After a replace: an entry that it did not list. */
static void sweep_entry(struct lc_interest *interest, size_t index)
{
	struct portfolio *portfolio = interest->current;
	struct entry *entry = &portfolio->entries[index];
	if (entry->since_ns != NEVER && !lc_portfolio_follows(portfolio, entry)) {
		lc_union_part(interest, portfolio, entry);
	} else if (entry->since_ns != NEVER && entry->named != interest->update &&
		   entry->since_ns < interest->timestamp_ns) {
		lc_union_move_since(interest, entry, entry->follow_ns);
	}
	if (is_redundant(portfolio, entry)) {
		lc_portfolio_drop(portfolio, index);
	}
}

static void forget_portfolio(struct lc_interest *interest, struct portfolio *portfolio)
{
	lc_map_remove(interest->by_id, portfolio->id, strlen(portfolio->id));
	struct portfolio *last = interest->portfolios[--interest->count];
	last->index = portfolio->index;
	interest->portfolios[portfolio->index] = last;
	lc_portfolio_destroy(portfolio);
}

/* Prunes one portfolio from where the last call stopped. */
static size_t prune_some(
	struct lc_interest *interest, struct portfolio *portfolio, int64_t before_ns, size_t max)
{
	size_t done = 0;
	if (interest->prune_entry > portfolio->count) {
		interest->prune_entry = portfolio->count;
	}
	while (interest->prune_entry > 0 && done < max) {
		const struct entry *entry = &portfolio->entries[--interest->prune_entry];
		done++;
		if (entry->since_ns == NEVER && entry->remove_ns < before_ns) {
			lc_portfolio_drop(portfolio, interest->prune_entry);
			portfolio->version = ++interest->version;
		}
	}
	return done;
}

bool lc_registry_valid_id(const char *id, size_t len)
{
	return len > 0 && len <= LC_PORTFOLIO_ID_MAX && !memchr(id, '\0', len);
}

enum lc_err lc_registry_add(
	struct lc_interest *interest, const char *id, size_t len, struct portfolio **out)
{
	if (interest->count >= interest->options.max_portfolios) {
		return LC_ERR_LIMIT;
	}
	if (interest->count == interest->capacity) {
		size_t capacity = interest->capacity ? interest->capacity * 2 : 16;
		struct portfolio **grown = realloc(
			interest->portfolios, capacity * sizeof(struct portfolio *));
		if (!grown) {
			return LC_ERR_NOMEM;
		}
		interest->portfolios = grown;
		interest->capacity = capacity;
	}
	struct portfolio *portfolio;
	if (lc_portfolio_create(id, len, &portfolio) != LC_OK) {
		return LC_ERR_NOMEM;
	}
	if (lc_map_put(interest->by_id, id, len, portfolio) != LC_OK) {
		lc_portfolio_destroy(portfolio);
		return LC_ERR_NOMEM;
	}
	portfolio->index = interest->count;
	interest->portfolios[interest->count++] = portfolio;
	*out = portfolio;
	return LC_OK;
}

const char *lc_interest_reject_name(enum lc_interest_reject reason)
{
	static const char *const names[] = {"invalid_symbol", "symbol_limit", "memory"};
	return (unsigned)reason < sizeof names / sizeof *names ? names[reason] : "unknown";
}

enum lc_err lc_interest_create(const struct lc_interest_options *options, struct lc_interest **out)
{
	struct lc_interest *interest = calloc(1, sizeof *interest);
	if (!interest) {
		return LC_ERR_NOMEM;
	}
	interest->options = *options;
	if (options->max_portfolios == 0) {
		interest->options.max_portfolios = MAX_PORTFOLIOS;
	}
	if (options->max_entries == 0) {
		interest->options.max_entries = MAX_ENTRIES;
	}
	if (lc_map_create(options->seed, &interest->by_id) != LC_OK) {
		free(interest);
		return LC_ERR_NOMEM;
	}
	*out = interest;
	return LC_OK;
}

void lc_interest_destroy(struct lc_interest *interest)
{
	if (!interest) {
		return;
	}
	for (size_t i = 0; i < interest->count; i++) {
		lc_portfolio_destroy(interest->portfolios[i]);
	}
	lc_map_destroy(interest->by_id, NULL);
	free(interest->portfolios);
	free(interest->wanted);
	free(interest);
}

enum lc_err lc_interest_begin(struct lc_interest *interest, const char *portfolio, size_t len,
	enum lc_interest_type type, int64_t timestamp_ns)
{
	assert(interest->phase == IDLE);
	if (!lc_registry_valid_id(portfolio, len)) {
		return LC_ERR_INVALID;
	}
	struct portfolio *current = lc_map_get(interest->by_id, portfolio, len);
	if (!current) {
		enum lc_err rc = lc_registry_add(interest, portfolio, len, &current);
		if (rc != LC_OK) {
			return rc;
		}
	}
	current->latest_ns = later_of(current->latest_ns, timestamp_ns);
	current->version = ++interest->version;
	if (type == LC_INTEREST_REPLACE) {
		current->replace_ns = later_of(current->replace_ns, timestamp_ns);
	}
	interest->phase = APPLYING;
	interest->current = current;
	interest->type = type;
	interest->timestamp_ns = timestamp_ns;
	interest->update++;
	interest->sweep = SIZE_MAX;
	return LC_OK;
}

bool lc_interest_make_room(struct lc_interest *interest, size_t names, size_t max)
{
	assert(interest->phase == APPLYING);
	return lc_portfolio_reserve(interest->current, names, max);
}

void lc_interest_name(struct lc_interest *interest, const char *text, size_t len)
{
	assert(interest->phase == APPLYING);
	struct entry *entry = entry_for(interest, text, len);
	if (!entry || entry->named == interest->update) {
		return;
	}
	entry->named = interest->update;
	if (interest->type == LC_INTEREST_REMOVE) {
		name_removed(interest, entry);
	} else {
		name_followed(interest, entry);
	}
}

bool lc_interest_sweep(struct lc_interest *interest, size_t max)
{
	assert(interest->phase != IDLE);
	struct portfolio *portfolio = interest->current;
	if (interest->phase == APPLYING && interest->type != LC_INTEREST_REPLACE) {
		interest->sweep = 0;
	}
	if (interest->sweep == SIZE_MAX) {
		interest->sweep = portfolio->count;
	}
	/* From the end, because dropping an entry moves the last one to its place. */
	for (; interest->sweep > 0 && max > 0; max--) {
		size_t index = --interest->sweep;
		if (interest->phase == APPLYING) {
			sweep_entry(interest, index);
			continue;
		}
		if (portfolio->entries[index].since_ns != NEVER) {
			lc_union_part(interest, portfolio, &portfolio->entries[index]);
		}
		lc_portfolio_drop(portfolio, index);
	}
	if (interest->sweep > 0) {
		return false;
	}
	if (interest->phase == EXPIRING) {
		forget_portfolio(interest, portfolio);
	}
	interest->phase = IDLE;
	interest->current = NULL;
	return true;
}

bool lc_interest_busy(const struct lc_interest *interest)
{
	return interest->phase != IDLE;
}

bool lc_interest_expire(struct lc_interest *interest, int64_t before_ns)
{
	assert(interest->phase == IDLE);
	for (size_t i = 0; i < interest->count; i++) {
		if (interest->portfolios[i]->latest_ns < before_ns) {
			interest->phase = EXPIRING;
			interest->current = interest->portfolios[i];
			interest->sweep = SIZE_MAX;
			interest->version++;
			return true;
		}
	}
	return false;
}

bool lc_interest_prune(struct lc_interest *interest, int64_t before_ns, size_t max)
{
	assert(interest->phase == IDLE);
	while (max > 0 && interest->prune_portfolio < interest->count) {
		struct portfolio *portfolio = interest->portfolios[interest->prune_portfolio];
		size_t done = prune_some(interest, portfolio, before_ns, max);
		if (interest->prune_entry > 0) {
			return false;
		}
		/* A visit costs something even when there was nothing in it. */
		max -= done > 0 ? done : 1;
		interest->prune_portfolio++;
		interest->prune_entry = SIZE_MAX;
	}
	if (interest->prune_portfolio < interest->count) {
		return false;
	}
	interest->prune_portfolio = 0;
	interest->prune_entry = SIZE_MAX;
	return true;
}

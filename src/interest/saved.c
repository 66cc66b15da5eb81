#include "interest_priv.h"

#include <assert.h>
#include <string.h>

size_t lc_interest_portfolios(const struct lc_interest *interest)
{
	return interest->count;
}

void lc_interest_portfolio(
	const struct lc_interest *interest, size_t index, struct lc_interest_portfolio *out)
{
	assert(index < interest->count);
	const struct portfolio *portfolio = interest->portfolios[index];
	*out = (struct lc_interest_portfolio){
		.id = portfolio->id,
		.replace_ns = portfolio->replace_ns,
		.latest_ns = portfolio->latest_ns,
		.entries = portfolio->count,
		.followed = portfolio->followed,
		.version = portfolio->version,
	};
}

void lc_interest_entry(const struct lc_interest *interest, size_t portfolio, size_t index,
	struct lc_interest_entry *out)
{
	assert(portfolio < interest->count && index < interest->portfolios[portfolio]->count);
	const struct entry *entry = &interest->portfolios[portfolio]->entries[index];
	*out = (struct lc_interest_entry){
		entry->symbol, entry->follow_ns, entry->remove_ns, entry->since_ns};
}

enum lc_err lc_interest_restore(
	struct lc_interest *interest, const struct lc_interest_portfolio *portfolio, size_t *index)
{
	assert(interest->phase == IDLE);
	size_t len = strlen(portfolio->id);
	if (!lc_registry_valid_id(portfolio->id, len)) {
		return LC_ERR_INVALID;
	}
	if (lc_map_get(interest->by_id, portfolio->id, len)) {
		return LC_ERR_EXISTS;
	}
	struct portfolio *added;
	enum lc_err rc = lc_registry_add(interest, portfolio->id, len, &added);
	if (rc != LC_OK) {
		return rc;
	}
	added->replace_ns = portfolio->replace_ns;
	added->latest_ns = portfolio->latest_ns;
	added->version = ++interest->version;
	*index = added->index;
	return LC_OK;
}

enum lc_err lc_interest_restore_entry(
	struct lc_interest *interest, size_t portfolio, const struct lc_interest_entry *saved)
{
	assert(interest->phase == IDLE && portfolio < interest->count);
	struct portfolio *owner = interest->portfolios[portfolio];
	if (saved->symbol >= lc_symbols_count(interest->options.symbols)) {
		return LC_ERR_INVALID;
	}
	if (lc_portfolio_find(owner, saved->symbol)) {
		return LC_ERR_EXISTS;
	}
	if (owner->count >= interest->options.max_entries) {
		return LC_ERR_LIMIT;
	}
	struct entry *entry;
	if (lc_union_reserve(interest, saved->symbol) != LC_OK ||
		lc_portfolio_add(owner, saved->symbol, &entry) != LC_OK) {
		return LC_ERR_NOMEM;
	}
	entry->follow_ns = saved->follow_ns;
	entry->remove_ns = saved->remove_ns;
	/* Whether it is followed follows from the times; what was saved only says since when. */
	if (lc_portfolio_follows(owner, entry)) {
		lc_union_join(interest, owner, entry,
			saved->since_ns == NEVER ? entry->follow_ns : saved->since_ns);
	}
	return LC_OK;
}

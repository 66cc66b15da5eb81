#include "interest_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void find_earliest(struct lc_interest *interest, uint32_t symbol)
{
	int64_t earliest = INT64_MAX;
	for (size_t i = 0; i < interest->count; i++) {
		const struct entry *entry = lc_portfolio_find(interest->portfolios[i], symbol);
		if (entry && entry->since_ns != NEVER && entry->since_ns < earliest) {
			earliest = entry->since_ns;
		}
	}
	interest->wanted[symbol].since_ns = earliest;
}

enum lc_err lc_union_reserve(struct lc_interest *interest, uint32_t symbol)
{
	if (symbol < interest->n_wanted) {
		return LC_OK;
	}
	size_t count = interest->n_wanted ? interest->n_wanted : 1024;
	while (count <= symbol) {
		count *= 2;
	}
	struct wanted *wanted = realloc(interest->wanted, count * sizeof *wanted);
	if (!wanted) {
		return LC_ERR_NOMEM;
	}
	memset(wanted + interest->n_wanted, 0, (count - interest->n_wanted) * sizeof *wanted);
	interest->wanted = wanted;
	interest->n_wanted = count;
	return LC_OK;
}

bool lc_union_join(struct lc_interest *interest, struct portfolio *portfolio, struct entry *entry,
	int64_t since_ns)
{
	struct wanted *wanted = &interest->wanted[entry->symbol];
	entry->since_ns = since_ns;
	portfolio->followed++;
	if (wanted->followers++ == 0) {
		wanted->since_ns = since_ns;
		interest->followed++;
		return true;
	}
	if (since_ns < wanted->since_ns) {
		wanted->since_ns = since_ns;
	}
	return false;
}

void lc_union_part(struct lc_interest *interest, struct portfolio *portfolio, struct entry *entry)
{
	struct wanted *wanted = &interest->wanted[entry->symbol];
	int64_t since_ns = entry->since_ns;
	entry->since_ns = NEVER;
	portfolio->followed--;
	if (--wanted->followers == 0) {
		interest->followed--;
		if (interest->options.host && interest->options.host->leave) {
			interest->options.host->leave(interest->options.arg, entry->symbol);
		}
	} else if (since_ns == wanted->since_ns) {
		find_earliest(interest, entry->symbol);
	}
}

void lc_union_move_since(struct lc_interest *interest, struct entry *entry, int64_t since_ns)
{
	struct wanted *wanted = &interest->wanted[entry->symbol];
	bool was_earliest = entry->since_ns == wanted->since_ns;
	entry->since_ns = since_ns;
	if (since_ns < wanted->since_ns) {
		wanted->since_ns = since_ns;
	} else if (was_earliest) {
		find_earliest(interest, entry->symbol);
	}
}

bool lc_interest_follows(const struct lc_interest *interest, uint32_t symbol)
{
	return symbol < interest->n_wanted && interest->wanted[symbol].followers > 0;
}

size_t lc_interest_count(const struct lc_interest *interest)
{
	return interest->followed;
}

int lc_interest_compare(const struct lc_interest *interest, uint32_t a, uint32_t b)
{
	int64_t since_a = interest->wanted[a].since_ns;
	int64_t since_b = interest->wanted[b].since_ns;
	if (since_a != since_b) {
		return since_a < since_b ? -1 : 1;
	}
	return strcmp(lc_symbols_get(interest->options.symbols, a)->text,
		lc_symbols_get(interest->options.symbols, b)->text);
}

size_t lc_interest_list(const struct lc_interest *interest, uint32_t *out, size_t max)
{
	assert(max >= interest->followed);
	(void)max;
	size_t count = 0;
	for (size_t i = 0; i < interest->n_wanted; i++) {
		if (interest->wanted[i].followers > 0) {
			out[count++] = (uint32_t)i;
		}
	}
	return count;
}

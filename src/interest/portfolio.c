#include "interest_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ENTRIES = 8 };

/* Indices are dense and ours, so spreading them is all a hash has to do. */
static size_t home_slot(const struct portfolio *portfolio, uint32_t symbol)
{
	uint64_t spread = (uint64_t)symbol * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(spread >> 32) & (portfolio->n_slots - 1);
}

static size_t find_slot(const struct portfolio *portfolio, uint32_t symbol)
{
	size_t slot = home_slot(portfolio, symbol);
	while (portfolio->slots[slot] != 0 &&
		portfolio->entries[portfolio->slots[slot] - 1].symbol != symbol) {
		slot = (slot + 1) & (portfolio->n_slots - 1);
	}
	return slot;
}

static enum lc_err grow(struct portfolio *portfolio)
{
	size_t capacity = portfolio->capacity ? portfolio->capacity * 2 : FIRST_ENTRIES;
	struct entry *entries = realloc(portfolio->entries, capacity * sizeof *entries);
	if (!entries) {
		return LC_ERR_NOMEM;
	}
	portfolio->entries = entries;
	uint32_t *slots = calloc(capacity * 2, sizeof *slots);
	if (!slots) {
		return LC_ERR_NOMEM;
	}
	free(portfolio->slots);
	portfolio->slots = slots;
	portfolio->n_slots = capacity * 2;
	portfolio->capacity = capacity;
	for (size_t i = 0; i < portfolio->count; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): realloc keeps them */
		slots[find_slot(portfolio, entries[i].symbol)] = (uint32_t)i + 1;
	}
	return LC_OK;
}

/* Frees a slot and moves back what had been pushed past it, so that searches need no markers. */
static void clear_slot(struct portfolio *portfolio, size_t slot)
{
	size_t mask = portfolio->n_slots - 1;
	size_t hole = slot;
	for (size_t i = (slot + 1) & mask; portfolio->slots[i] != 0; i = (i + 1) & mask) {
		size_t home = home_slot(
			portfolio, portfolio->entries[portfolio->slots[i] - 1].symbol);
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			portfolio->slots[hole] = portfolio->slots[i];
			hole = i;
		}
	}
	portfolio->slots[hole] = 0;
}

enum lc_err lc_portfolio_create(const char *id, size_t len, struct portfolio **out)
{
	struct portfolio *portfolio = calloc(1, sizeof *portfolio);
	if (!portfolio) {
		return LC_ERR_NOMEM;
	}
	portfolio->id = strndup(id, len);
	portfolio->replace_ns = portfolio->latest_ns = NEVER;
	if (!portfolio->id || grow(portfolio) != LC_OK) {
		lc_portfolio_destroy(portfolio);
		return LC_ERR_NOMEM;
	}
	*out = portfolio;
	return LC_OK;
}

void lc_portfolio_destroy(struct portfolio *portfolio)
{
	if (!portfolio) {
		return;
	}
	free(portfolio->id);
	free(portfolio->entries);
	free(portfolio->slots);
	free(portfolio);
}

struct entry *lc_portfolio_find(const struct portfolio *portfolio, uint32_t symbol)
{
	uint32_t position = portfolio->slots[find_slot(portfolio, symbol)];
	return position ? &portfolio->entries[position - 1] : NULL;
}

enum lc_err lc_portfolio_add(struct portfolio *portfolio, uint32_t symbol, struct entry **out)
{
	assert(!lc_portfolio_find(portfolio, symbol));
	if (portfolio->count == portfolio->capacity && grow(portfolio) != LC_OK) {
		return LC_ERR_NOMEM;
	}
	size_t slot = find_slot(portfolio, symbol);
	*out = &portfolio->entries[portfolio->count++];
	**out = (struct entry){
		.symbol = symbol, .follow_ns = NEVER, .remove_ns = NEVER, .since_ns = NEVER};
	portfolio->slots[slot] = (uint32_t)portfolio->count;
	return LC_OK;
}

void lc_portfolio_drop(struct portfolio *portfolio, size_t index)
{
	assert(index < portfolio->count);
	clear_slot(portfolio, find_slot(portfolio, portfolio->entries[index].symbol));
	size_t last = --portfolio->count;
	if (index != last) {
		size_t slot = find_slot(portfolio, portfolio->entries[last].symbol);
		portfolio->entries[index] = portfolio->entries[last];
		portfolio->slots[slot] = (uint32_t)index + 1;
	}
}

bool lc_portfolio_follows(const struct portfolio *portfolio, const struct entry *entry)
{
	return entry->follow_ns != NEVER &&
	       entry->follow_ns >= later_of(entry->remove_ns, portfolio->replace_ns);
}

#include "interest_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ENTRIES = 8 };

/* Indices are dense and ours, so spreading them is all a hash has to do. */
static size_t home_slot(uint32_t symbol, size_t n_slots)
{
	uint64_t spread = (uint64_t)symbol * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(spread >> 32) & (n_slots - 1);
}

static size_t find_slot(const struct portfolio *portfolio, uint32_t symbol)
{
	size_t slot = home_slot(symbol, portfolio->n_slots);
	while (portfolio->slots[slot] != 0 &&
		portfolio->entries[portfolio->slots[slot] - 1].symbol != symbol) {
		slot = (slot + 1) & (portfolio->n_slots - 1);
	}
	return slot;
}

/* Begins a table of twice the room. */
static bool begin_growing(struct portfolio *portfolio)
{
	size_t capacity = portfolio->capacity ? portfolio->capacity * 2 : FIRST_ENTRIES;
	struct entry *entries = realloc(portfolio->entries, capacity * sizeof *entries);
	if (!entries) {
		return false;
	}
	portfolio->entries = entries;
	portfolio->moved = 0;
	portfolio->next_slots = calloc(capacity * 2, sizeof *portfolio->next_slots);
	return portfolio->next_slots != NULL;
}

/* Takes up to max entries over into the larger table; true when it is in use. */
static bool go_on_growing(struct portfolio *portfolio, size_t max)
{
	size_t capacity = portfolio->capacity ? portfolio->capacity * 2 : FIRST_ENTRIES;
	for (; portfolio->moved < portfolio->count && max > 0; max--) {
		size_t at = portfolio->moved++;
		size_t slot = home_slot(portfolio->entries[at].symbol, capacity * 2);
		while (portfolio->next_slots[slot] != 0) {
			slot = (slot + 1) & (capacity * 2 - 1);
		}
		portfolio->next_slots[slot] = (uint32_t)at + 1;
	}
	if (portfolio->moved < portfolio->count) {
		return false;
	}
	free(portfolio->slots);
	portfolio->slots = portfolio->next_slots;
	portfolio->next_slots = NULL;
	portfolio->n_slots = capacity * 2;
	portfolio->capacity = capacity;
	return true;
}

static enum lc_err grow(struct portfolio *portfolio)
{
	if (!portfolio->next_slots && !begin_growing(portfolio)) {
		return LC_ERR_NOMEM;
	}
	go_on_growing(portfolio, SIZE_MAX);
	return LC_OK;
}

/* Frees a slot and moves back what had been pushed past it, so that searches need no markers. */
static void clear_slot(struct portfolio *portfolio, size_t slot)
{
	size_t mask = portfolio->n_slots - 1;
	size_t hole = slot;
	for (size_t i = (slot + 1) & mask; portfolio->slots[i] != 0; i = (i + 1) & mask) {
		size_t home = home_slot(
			portfolio->entries[portfolio->slots[i] - 1].symbol, portfolio->n_slots);
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
	free(portfolio->next_slots);
	free(portfolio);
}

struct entry *lc_portfolio_find(const struct portfolio *portfolio, uint32_t symbol)
{
	uint32_t position = portfolio->slots[find_slot(portfolio, symbol)];
	return position ? &portfolio->entries[position - 1] : NULL;
}

bool lc_portfolio_reserve(struct portfolio *portfolio, size_t more, size_t max)
{
	while (portfolio->count + more > portfolio->capacity) {
		if (!portfolio->next_slots && !begin_growing(portfolio)) {
			return true;
		}
		if (!go_on_growing(portfolio, max)) {
			return false;
		}
	}
	return true;
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

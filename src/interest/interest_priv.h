/* One portfolio's decisions: a dense array of entries and an index over it. Loop thread; it knows
 * nothing of other portfolios, of the union or of callbacks. */
#pragma once

#include "livecore/interest.h"

#define NEVER INT64_MIN

struct entry {
	uint32_t symbol;
	uint32_t named; /* the update that named it last */
	int64_t follow_ns, remove_ns, since_ns;
};

struct portfolio {
	char *id; /* owned */
	size_t index;
	struct entry *entries; /* owned */
	size_t count, capacity, followed;
	uint32_t *slots; /* owned; position in entries + 1, 0 is free */
	size_t n_slots;  /* a power of two, at least twice count */
	int64_t replace_ns, latest_ns;
	uint64_t version;
};

enum lc_err portfolio_create(const char *id, size_t len, struct portfolio **out);
void portfolio_destroy(struct portfolio *portfolio);

/* Valid until the next add or drop. */
struct entry *portfolio_find(const struct portfolio *portfolio, uint32_t symbol);
/* A new entry without decisions; the symbol has none yet. LC_ERR_NOMEM. */
enum lc_err portfolio_add(struct portfolio *portfolio, uint32_t symbol, struct entry **out);
/* Takes an entry out; the last one moves to its place. */
void portfolio_drop(struct portfolio *portfolio, size_t index);

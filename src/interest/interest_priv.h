/* The parts of the registry: one portfolio's decisions, the union over all portfolios, and what
 * they are kept in. Loop thread. Only leaving the union calls back. */
#pragma once

#include "livecore/interest.h"
#include "livecore/map.h"

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
	/* A larger table that is being filled, or NULL; so many entries are in it. */
	uint32_t *next_slots; /* owned */
	size_t moved;
	int64_t replace_ns, latest_ns;
	uint64_t version;
};

enum lc_err lc_portfolio_create(const char *id, size_t len, struct portfolio **out);
void lc_portfolio_destroy(struct portfolio *portfolio);

/* Valid until the next add or drop. */
struct entry *lc_portfolio_find(const struct portfolio *portfolio, uint32_t symbol);
/* A new entry without decisions; the symbol has none yet. LC_ERR_NOMEM. */
enum lc_err lc_portfolio_add(struct portfolio *portfolio, uint32_t symbol, struct entry **out);
/* Makes room for so many entries more, at most max of those there a call. True: it is there, or
 * memory is short and lc_portfolio_add() is to say so. Before, no entry is added or dropped. */
bool lc_portfolio_reserve(struct portfolio *portfolio, size_t more, size_t max);
/* Takes an entry out; the last one moves to its place. */
void lc_portfolio_drop(struct portfolio *portfolio, size_t index);

static inline int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Do its times say that it is followed? */
bool lc_portfolio_follows(const struct portfolio *portfolio, const struct entry *entry);

/* What all portfolios together want of one symbol. */
struct wanted {
	uint32_t followers;
	int64_t since_ns; /* the earliest of its followers' */
};

enum phase { IDLE, APPLYING, EXPIRING };

struct lc_interest {
	struct lc_interest_options options;
	struct lc_map *by_id;
	struct portfolio **portfolios; /* owned, each too */
	size_t count, capacity;
	struct wanted *wanted; /* owned; by symbol */
	size_t n_wanted, followed;
	uint64_t version;
	/* The update under way. */
	enum phase phase;
	struct portfolio *current;
	enum lc_interest_type type;
	int64_t timestamp_ns;
	uint32_t update; /* marks the entries it named */
	size_t sweep;    /* entries below this index are still to be looked at */
	/* Where pruning goes on. */
	size_t prune_portfolio, prune_entry;
};

bool lc_registry_valid_id(const char *id, size_t len);
/* A new portfolio; there is none of this id. LC_ERR_LIMIT, LC_ERR_NOMEM. */
enum lc_err lc_registry_add(
	struct lc_interest *interest, const char *id, size_t len, struct portfolio **out);

/* Room for a symbol. LC_ERR_NOMEM. */
enum lc_err lc_union_reserve(struct lc_interest *interest, uint32_t symbol);
/* Counts a new follower; true when it is the first. */
bool lc_union_join(struct lc_interest *interest, struct portfolio *portfolio, struct entry *entry,
	int64_t since_ns);
/* Takes a follower away and tells the host when it was the last. */
void lc_union_part(struct lc_interest *interest, struct portfolio *portfolio, struct entry *entry);
/* It has been followed without a break since another time than was thought. */
void lc_union_move_since(struct lc_interest *interest, struct entry *entry, int64_t since_ns);

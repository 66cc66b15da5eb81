/* Who wants what: each portfolio's own set of symbols, and their union, which is what livecore
 * follows. The latest decision per portfolio and symbol counts, by the message's timestamp, at
 * equal times follow wins; so the order in which messages arrive never matters. Pure; loop thread.
 * It never talks to a vendor, a disk or a clock.
 *
 * An update is applied in steps, so that a caller can slice 5,000 symbols: lc_interest_begin(),
 * lc_interest_name() once for each symbol (about 100 ns), lc_interest_sweep() until it says
 * done. Between these calls nothing else of this header that changes state may be called.
 * Callbacks come from within name() and sweep() and must not call back into the registry's
 * changing functions. */
#pragma once

#include "livecore/interest_type.h"
#include "livecore/symbol.h"

#define LC_PORTFOLIO_ID_MAX 128 /* bytes of an id, without NUL */

enum lc_interest_reject {
	LC_REJECT_INVALID, /* not a symbol of the contract */
	LC_REJECT_LIMIT,   /* symbols.max is reached, or the portfolio names too many */
	LC_REJECT_MEMORY,
};
/* "invalid_symbol", "symbol_limit", "memory" */
const char *lc_interest_reject_name(enum lc_interest_reject reason);

struct lc_interest;

/* Differences in the union, in the order of the message. */
struct lc_interest_host {
	void (*follow)(void *arg, uint32_t symbol); /* nobody followed it until now */
	void (*leave)(void *arg, uint32_t symbol);  /* nobody follows it any more */
	/* It was followed already, and an add or replace that counts names it (again): it gets
	 * its last value again. */
	void (*refresh)(void *arg, uint32_t symbol);
	/* text is what the message said, not NUL-terminated, possibly hostile. */
	void (*reject)(void *arg, const char *text, size_t len, enum lc_interest_reject reason);
};

struct lc_interest_options {
	struct lc_symbols *symbols;          /* borrowed; names are interned there */
	size_t max_portfolios;               /* 0: 10,000 */
	size_t max_entries;                  /* per portfolio, tombstones included; 0: 200,000 */
	uint64_t seed;                       /* of the hashes; random in production */
	const struct lc_interest_host *host; /* borrowed; any slot may be NULL */
	void *arg;
};

enum lc_err lc_interest_create(const struct lc_interest_options *options, struct lc_interest **out);
void lc_interest_destroy(struct lc_interest *interest);

/* Begins an update of one portfolio. Errors: LC_ERR_INVALID (empty or over-long id),
 * LC_ERR_LIMIT (too many portfolios), LC_ERR_NOMEM; then nothing has begun. */
enum lc_err lc_interest_begin(struct lc_interest *interest, const char *portfolio, size_t len,
	enum lc_interest_type type, int64_t timestamp_ns);
/* Room for so many names of the update more, at most max entries' worth of work a call; true when
 * it is there. Optional: without it a large portfolio now and then makes room in one go. */
bool lc_interest_make_room(struct lc_interest *interest, size_t names, size_t max);
/* One symbol of the update. What is wrong with it goes to host->reject. */
void lc_interest_name(struct lc_interest *interest, const char *text, size_t len);
/* Ends the update: looks at up to max of the portfolio's symbols (a replace drops those it did
 * not list). True when done. */
bool lc_interest_sweep(struct lc_interest *interest, size_t max);
/* Is an update (or expiry) between its begin and its last sweep? */
bool lc_interest_busy(const struct lc_interest *interest);

/* interest.ttl: begins to forget one portfolio whose latest message is older than before_ns.
 * False when there is none; after true call lc_interest_sweep() until done, then expire() again. */
bool lc_interest_expire(struct lc_interest *interest, int64_t before_ns);

/* Forgets removals older than before_ns (a removal must be remembered only as long as an older
 * message may still arrive), at most max entries' worth of work a call. True when it has been
 * through all of them. */
bool lc_interest_prune(struct lc_interest *interest, int64_t before_ns, size_t max);

/* --- questions --- */

bool lc_interest_follows(const struct lc_interest *interest, uint32_t symbol);
size_t lc_interest_count(const struct lc_interest *interest); /* symbols in the union */
/* The union in no particular order. max is at least lc_interest_count(); returns how many were
 * written. */
size_t lc_interest_list(const struct lc_interest *interest, uint32_t *out, size_t max);
/* Which came to be followed first, and then by name: less than, equal to, greater than 0. Both
 * symbols are followed. */
int lc_interest_compare(const struct lc_interest *interest, uint32_t a, uint32_t b);

struct lc_interest_portfolio {
	const char *id;     /* NUL-terminated, borrowed until the portfolio is forgotten */
	int64_t replace_ns; /* the latest replace; INT64_MIN: none yet */
	int64_t latest_ns;  /* the latest message of any type */
	size_t entries;     /* for lc_interest_entry(), tombstones included */
	size_t followed;
	uint64_t version; /* changes whenever the portfolio changes: for saving only what did */
};
struct lc_interest_entry {
	uint32_t symbol;
	int64_t follow_ns, remove_ns; /* INT64_MIN: never */
	int64_t since_ns;             /* followed without a break since; INT64_MIN: not followed */
};

/* The whole state, by dense index, for saving and for pages; indices hold until the next change. */
size_t lc_interest_portfolios(const struct lc_interest *interest);
void lc_interest_portfolio(
	const struct lc_interest *interest, size_t index, struct lc_interest_portfolio *out);
void lc_interest_entry(const struct lc_interest *interest, size_t portfolio, size_t index,
	struct lc_interest_entry *out);

/* Puts saved state back, without callbacks; id, replace_ns, latest_ns are read from portfolio.
 * Only into a registry that does not have the portfolio yet (LC_ERR_EXISTS). *index is what
 * lc_interest_restore_entry() wants. */
enum lc_err lc_interest_restore(
	struct lc_interest *interest, const struct lc_interest_portfolio *portfolio, size_t *index);
enum lc_err lc_interest_restore_entry(
	struct lc_interest *interest, size_t portfolio, const struct lc_interest_entry *entry);

/* The union in the order symbols came to be followed: earliest first, then by name; the same after
 * a restart. Sorted in steps, for a loop that may not stand still. When the registry changes
 * between steps, what changed may be out of its place or missing, and nothing worse. */
struct lc_interest_sort;
enum lc_err lc_interest_sort_create(
	const struct lc_interest *interest, struct lc_interest_sort **out);
/* Handles up to max symbols (about 100 ns each); true: it is done. */
bool lc_interest_sort_step(struct lc_interest_sort *sort, size_t max);
/* After the last step; valid until it is destroyed. */
const uint32_t *lc_interest_sorted(const struct lc_interest_sort *sort, size_t *count);
void lc_interest_sort_destroy(struct lc_interest_sort *sort);

/* Where the followed sets survive a restart: each portfolio's decisions and, in the same
 * transaction, the offsets of the interest topic up to which they count. Two kinds: SQLite in the
 * state directory (all work is done in the pool, never on the loop), and Redis (in pieces of 16 KB,
 * one command at a time). Both keep the promises below; one suite tests them. Loop thread. A store
 * never retries by itself and never stands in the way of ticks. */
#pragma once

#include "livecore/loop.h"
#include "livecore/redis.h"

#include <stddef.h>
#include <stdint.h>

struct lc_saved_entry {
	char symbol[16];                        /* canonical text */
	int64_t follow_ns, remove_ns, since_ns; /* INT64_MIN: never; as struct lc_interest_entry */
};

struct lc_saved_portfolio {
	char *id; /* owned */
	int64_t replace_ns, latest_ns;
	struct lc_saved_entry *entries; /* owned */
	size_t count;
	bool gone; /* saving: delete it */
};

struct lc_saved_offset {
	int32_t partition;
	int64_t next; /* the next offset to read */
};

/* What is loaded, or one save: the portfolios that changed (each replaces what was stored of it)
 * and all offsets. */
struct lc_saved_interest {
	struct lc_saved_portfolio *portfolios; /* owned */
	size_t portfolio_count;
	struct lc_saved_offset *offsets; /* owned */
	size_t offset_count;
	bool complete;   /* saving: these are all the portfolios; others that are stored go */
	char topic[256]; /* whose offsets they are; another topic's are not used */
};
void lc_saved_interest_free(struct lc_saved_interest *saved);

struct lc_interest_store;

/* saved: the callee's to free, empty when nothing is stored; NULL with err when it failed. */
typedef void (*lc_interest_loaded_cb)(
	void *arg, struct lc_saved_interest *saved, const struct lc_error *err);
typedef void (*lc_interest_saved_cb)(void *arg, const struct lc_error *err); /* NULL: it is */

/* Opens (and makes) DIR/interest.db, with the directory (mode 0700), and loads it. loaded is called
 * exactly once, later; err when the file cannot be used (it says what to do); a damaged file is set
 * aside as interest.db.damaged-TIME, said in the log, and counts as empty: the topic has
 * everything. That one process alone uses the directory is its owner's care (lc_file_lock()). */
enum lc_err lc_interest_store_open(struct lc_loop *loop, const char *dir,
	lc_interest_loaded_cb loaded, void *arg, struct lc_interest_store **out);

/* The same in Redis, under keys livecore:interest:NODE (docs/operating.md); for processes without a
 * disk of their own. loaded with LC_ERR_AGAIN: Redis is away; a complete save may do later. Data
 * that does not hold together is said in the log and counts as empty. redis and node are copied.
 * LC_ERR_INVALID: redis names no address. */
enum lc_err lc_interest_store_open_redis(struct lc_loop *loop, const struct lc_redis_config *redis,
	const char *node, lc_interest_loaded_cb loaded, void *arg, struct lc_interest_store **out,
	struct lc_error *err);

/* Saves in one transaction; takes saved over. done is called exactly once, later. Only one save at
 * a time (assert). After an open that failed, after a save that failed, and when LC_ERR_EXISTS says
 * that another process wrote here, the next save must be complete. */
void lc_interest_store_save(struct lc_interest_store *store, struct lc_saved_interest *saved,
	lc_interest_saved_cb done, void *arg);

/* After the save under way, if any; done is called once, later. NULL store: done is called at
 * once. */
void lc_interest_store_close(struct lc_interest_store *store, void (*done)(void *arg), void *arg);

/* "SQLite 3.40.1", "Redis"; static storage. */
const char *lc_interest_store_server(const struct lc_interest_store *store);

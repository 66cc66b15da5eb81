/* Between the registry of interest and its store: restores the sets at start, and saves the
 * portfolios that changed together with the offsets up to which they count. Loop thread; the disk's
 * work is the store's, in the pool. */
#pragma once

#include "livecore/interest.h"
#include "livecore/loop.h"
#include "livecore/reader.h"
#include "livecore/redis.h"

struct lc_interest_saver;

struct lc_interest_saver_setup {
	struct lc_loop *loop;
	const char *dir, *topic;
	const struct lc_redis_config *redis; /* NULL: the sets are kept in dir, else there */
	const char *node;                    /* for Redis's keys */
	struct lc_symbols *symbols;
	/* Once: the registry is restored, reading goes on at these positions. why (or NULL): the
	 * store cannot be used now, and nothing survives a restart but what the topic holds. */
	void (*loaded)(void *arg, const struct lc_reader_position *positions, size_t count,
		const struct lc_error *why);
	/* What comes before `next` is stored. */
	void (*saved)(void *arg, int32_t partition, int64_t next);
	/* After each save: why it failed, or NULL. */
	void (*health)(void *arg, const struct lc_error *why);
	void *arg;
};

/* setup's pointers and the registry are borrowed. */
enum lc_err lc_interest_saver_create(const struct lc_interest_saver_setup *setup,
	struct lc_interest *registry, struct lc_interest_saver **out, struct lc_error *err);
/* Everything before `next` of this partition is in the registry now. */
void lc_interest_saver_at(struct lc_interest_saver *saver, int32_t partition, int64_t next);
/* Stores what changed; when a save is under way, again after it. */
void lc_interest_saver_save(struct lc_interest_saver *saver);
/* Saves what is left, then frees it; done is called once. NULL saver: done is called at once. */
void lc_interest_saver_close(struct lc_interest_saver *saver, void (*done)(void *arg), void *arg);

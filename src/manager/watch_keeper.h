/* Keeps what liveness learned over a restart: gives it back at the start, and stores what changed,
 * some symbols a minute, and the rest at the stop. Loop thread; everything is done in slices, and
 * the disk is the pool's. Without a store nothing is kept, which is said once. */
#pragma once

#include "livecore/liveness.h"
#include "livecore/loop.h"

struct lc_watch_keeper;

struct lc_watch_keeper_setup {
	struct lc_loop *loop; /* borrowed, as are all */
	struct lc_symbols *symbols;
	size_t max_symbols;
	const char *dir;
	struct lc_liveness *live;
	/* A stored symbol; false: it is worth nothing, and goes. */
	bool (*restore)(void *arg, uint32_t symbol, const void *data, size_t len);
	void *arg;
};

enum lc_err lc_watch_keeper_create(
	const struct lc_watch_keeper_setup *setup, struct lc_watch_keeper **out);
/* Stores what is not stored yet, then frees; done is called once, later. live is used until
 * then. */
void lc_watch_keeper_stop(struct lc_watch_keeper *keeper, void (*done)(void *arg), void *arg);

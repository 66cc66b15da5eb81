/* One piece of work at a time in the pool, whose end is always told, and always later: also when
 * there was no memory to start it. Loop thread. It never cancels and never retries. */
#pragma once

#include "livecore/loop.h"

struct pool_work {
	struct lc_loop *loop;       /* borrowed */
	struct lc_timer *fail_soon; /* when no job could be started */
	void (*work)(void *arg);    /* in the pool: touches only what the loop leaves alone now */
	void (*done)(void *arg, const struct lc_error *err); /* err NULL: work() has run */
	void *arg;
	bool busy; /* between start and done */
	struct lc_error err;
};

/* LC_ERR_NOMEM. pool_work_finish() also after an error. */
enum lc_err pool_work_init(struct pool_work *pool, struct lc_loop *loop, void (*work)(void *arg),
	void (*done)(void *arg, const struct lc_error *err), void *arg);
void pool_work_finish(struct pool_work *pool);

/* Asserts that it is not busy. done may start the next one. */
void pool_work_start(struct pool_work *pool);

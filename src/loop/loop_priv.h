/* What the files of the loop share. Never leaves this folder. */
#pragma once

#include "livecore/list.h"
#include "livecore/loop.h"

#include <uv.h>

struct watchdog {
	uv_prepare_t prepare; /* once a turn, just before the loop polls */
	uv_timer_t tick;
	struct lc_loop_watch seen;
	int64_t turn_started_cpu_ns; /* -1 before the first turn */
	int64_t next_tick_ns;        /* monotonic time at which the tick is due */
	uint64_t *turns_total;
	struct lc_histogram *turn_seconds;
	double *lag_seconds, *longest_turn_seconds, *longest_slice_seconds;
};

struct lc_loop {
	uv_loop_t uv;
	struct lc_log *log;         /* borrowed from the caller */
	struct lc_metrics *metrics; /* borrowed from the caller */
	struct lc_clock clock;
	uint64_t random_state;
	bool stopped;
	bool in_timer; /* a timer's callback runs */

	uv_check_t check; /* after reading: drains, then one slice */
	uv_idle_t idle;   /* active while a drain or slice wants the loop not to block */
	struct lc_list drains;
	struct lc_list slices;
	bool in_drains; /* drains that are destroyed now are freed afterwards */

	struct lc_list signals;
	struct lc_list jobs; /* in the pool, or waiting for it */
	struct watchdog watchdog;
};

void lc_loop_watchdog_init(struct lc_loop *loop);
void lc_loop_watchdog_close(struct lc_loop *loop);
void lc_loop_watchdog_slice(struct lc_loop *loop, const char *name, int64_t cpu_ns);

void lc_loop_slices_init(struct lc_loop *loop);
void lc_loop_slices_close(struct lc_loop *loop);

/* Takes out of the pool's queue what has not begun. */
void lc_loop_jobs_cancel(struct lc_loop *loop);

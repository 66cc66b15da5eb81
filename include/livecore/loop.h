/* The one loop: timers, signals, thread-pool jobs, name look-up, sliced work and the watchdog that
 * measures them. Everything here is called on the loop thread, and every callback runs there. No
 * callback of ours may hold the loop for more than 1 ms. */
#pragma once

#include "livecore/clock.h"
#include "livecore/error.h"
#include "livecore/log.h"
#include "livecore/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lc_loop;
struct uv_loop_s;

/* log and metrics are borrowed and outlive the loop. */
enum lc_err lc_loop_create(struct lc_log *log, struct lc_metrics *metrics, struct lc_loop **out);
/* Call after lc_loop_run() returned: runs what close callbacks are left, asserts that no handle is
 * leaked. It waits up to 1 s for threads of the pool; false: one is still busy (a name look-up), it
 * keeps the loop's memory, and an ordinary exit() would wait for it. */
bool lc_loop_destroy(struct lc_loop *loop);

/* Runs until lc_loop_stop(). */
void lc_loop_run(struct lc_loop *loop);
/* One turn, which waits for something to come: for what has to be awaited before lc_loop_run().
 * Never from inside a callback. */
void lc_loop_turn(struct lc_loop *loop);
void lc_loop_stop(struct lc_loop *loop);

struct uv_loop_s *lc_loop_uv(struct lc_loop *loop); /* for adapters alone */
struct lc_log *lc_loop_log(struct lc_loop *loop);
struct lc_metrics *lc_loop_metrics(struct lc_loop *loop);
struct lc_clock *lc_loop_clock(struct lc_loop *loop);

/* Wall time by the loop's clock (it follows the tape in a replay), and monotonic time: each reads
 * the clock. */
int64_t lc_loop_wall_ns(struct lc_loop *loop);
int64_t lc_loop_mono_ns(struct lc_loop *loop);

/* libuv's, as loaded. Static storage. */
const char *lc_loop_library_version(void);

/* Randomness, for jitter and seeds. */
uint64_t lc_loop_random(struct lc_loop *loop);

/* Timers. A timer is made stopped; destroying it stops it, and its callback never runs again; the
 * caller may destroy a timer in any callback, its own included. */
struct lc_timer;
typedef void (*lc_timer_cb)(void *arg);
enum lc_err lc_timer_create(struct lc_loop *loop, lc_timer_cb cb, void *arg, struct lc_timer **out);
/* repeat_ms 0: once. One that runs begins anew. */
void lc_timer_start(struct lc_timer *timer, int64_t delay_ms, int64_t repeat_ms);
void lc_timer_stop(struct lc_timer *timer);
bool lc_timer_active(const struct lc_timer *timer);
void lc_timer_destroy(struct lc_timer *timer);

/* Signals: one callback a signal number, until the loop is destroyed. */
typedef void (*lc_signal_cb)(void *arg, int signo);
enum lc_err lc_loop_on_signal(struct lc_loop *loop, int signo, lc_signal_cb cb, void *arg);

/* A job for the pool: work() runs in another thread and may touch only what arg points to; done()
 * runs on the loop, exactly once, with cancelled true when the loop ended before work() started. */
enum lc_err lc_loop_job(struct lc_loop *loop, void (*work)(void *arg),
	void (*done)(void *arg, bool cancelled), void *arg);

/* Long work in slices: step() does at most about 0.2 ms of work and returns true while more is
 * left; steps take turns with reading. done (may be NULL) follows the last step. Cancel drops the
 * rest and calls nothing, and is not allowed once done was called. out may be NULL. */
struct lc_slice;
typedef bool (*lc_slice_step_cb)(void *arg);
enum lc_err lc_slice_start(struct lc_loop *loop, const char *name, lc_slice_step_cb step,
	void (*done)(void *arg), void *arg, struct lc_slice **out);
void lc_slice_cancel(struct lc_slice *slice);

/* A hook that runs once a turn, after what was ready has been read: where the queue drains. Returns
 * true to be called again without waiting for input (the loop does not block in poll meanwhile).
 * wake makes the next turn call it. */
struct lc_drain;
typedef bool (*lc_drain_cb)(void *arg);
enum lc_err lc_drain_create(struct lc_loop *loop, lc_drain_cb cb, void *arg, struct lc_drain **out);
void lc_drain_wake(struct lc_drain *drain);
void lc_drain_destroy(struct lc_drain *drain);

/* Name look-up in the pool. Answers exactly once, never before the call returns: addresses are
 * numeric text, at most LC_RESOLVE_MAX; count 0 with err set when it failed. Cancelled look-ups do
 * not answer. LC_ERR_INVALID: no host name. */
#define LC_RESOLVE_MAX 8
struct lc_resolve;
typedef void (*lc_resolve_cb)(
	void *arg, const char (*addresses)[46], size_t count, const struct lc_error *err);
enum lc_err lc_resolve_start(struct lc_loop *loop, const char *host, lc_resolve_cb cb, void *arg,
	struct lc_resolve **out);
void lc_resolve_cancel(struct lc_resolve *resolve);

/* The watchdog's figures, in CPU time of the loop thread; the longest since the loop began. */
struct lc_loop_watch {
	uint64_t turns;
	int64_t longest_turn_ns;   /* CPU time of one turn of the loop */
	int64_t longest_slice_ns;  /* CPU time of one slice of long work */
	const char *longest_slice; /* its name, or NULL */
	int64_t lag_ns;            /* how late the last 100 ms tick of the watchdog's timer was */
};
struct lc_loop_watch lc_loop_watch(const struct lc_loop *loop);

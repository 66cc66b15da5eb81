#include "loop_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

/* The longest lc_loop_destroy() waits for a thread of the pool: a name look-up cannot be broken
 * off, and a client of Kafka's takes its time on a busy machine. */
#define DESTROY_WAIT_MS 2000

struct signal_watch {
	struct lc_list node;
	uv_signal_t uv;
	lc_signal_cb cb;
	void *arg;
};

/* splitmix64 (Steele, Lea, Flood 2014): for jitter and seeds, not for secrets. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t random_seed(void)
{
	uint64_t seed;
	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
		seed = (uint64_t)lc_clock_mono_ns();
	}
	return seed;
}

static void on_signal(uv_signal_t *handle, int signo)
{
	struct signal_watch *watch = handle->data;
	watch->cb(watch->arg, signo);
}

static void on_signal_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_deadline(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

static void on_walk(uv_handle_t *handle, void *arg)
{
	struct lc_loop *loop = arg;
	lc_log(loop->log, LC_LOG_ERROR, "loop", "leaked_handle",
		LC_S("type", uv_handle_type_name(uv_handle_get_type(handle))));
	assert(!"a handle outlives the loop");
}

static void close_own_handles(struct lc_loop *loop)
{
	lc_loop_watchdog_close(loop);
	lc_loop_slices_close(loop);
	lc_loop_jobs_cancel(loop);
	lc_list_each (node, &loop->signals) {
		struct signal_watch *watch = container_of(node, struct signal_watch, node);
		lc_list_remove(node);
		uv_close((uv_handle_t *)&watch->uv, on_signal_closed);
	}
}

/* Runs close callbacks and what still comes from the pool. The timer is on the stack of the caller,
 * so it is closed and gone before this returns. */
static void run_to_the_end(struct lc_loop *loop)
{
	bool late = false;
	uv_timer_t deadline;
	uv_timer_init(&loop->uv, &deadline);
	deadline.data = &late;
	uv_update_time(&loop->uv);
	uv_timer_start(&deadline, on_deadline, DESTROY_WAIT_MS, 0);
	uv_unref((uv_handle_t *)&deadline);
	while (uv_loop_alive(&loop->uv) && !late) {
		uv_run(&loop->uv, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&deadline, NULL);
	uv_run(&loop->uv, UV_RUN_NOWAIT);
}

enum lc_err lc_loop_create(struct lc_log *log, struct lc_metrics *metrics, struct lc_loop **out)
{
	struct lc_loop *loop = calloc(1, sizeof *loop);
	if (!loop) {
		return LC_ERR_NOMEM;
	}
	int rc = uv_loop_init(&loop->uv);
	if (rc) {
		free(loop);
		return rc == UV_ENOMEM ? LC_ERR_NOMEM : LC_ERR_IO;
	}
	loop->log = log;
	loop->metrics = metrics;
	loop->random_state = random_seed();
	lc_list_init(&loop->signals);
	lc_list_init(&loop->jobs);
	lc_loop_slices_init(loop);
	lc_loop_watchdog_init(loop);
	*out = loop;
	return LC_OK;
}

bool lc_loop_destroy(struct lc_loop *loop)
{
	if (!loop) {
		return true;
	}
	close_own_handles(loop);
	run_to_the_end(loop);
	if (uv_loop_close(&loop->uv)) {
		/* A thread of the pool still uses the loop: its memory must stay, and so do the
		 * handles that its job will close. The process is ending anyway. */
		if (lc_list_empty(&loop->jobs)) {
			uv_walk(&loop->uv, on_walk, loop);
		}
		lc_log(loop->log, LC_LOG_WARN, "loop", "pool_still_busy");
		return false;
	}
	free(loop);
	return true;
}

void lc_loop_run(struct lc_loop *loop)
{
	loop->watchdog.turn_started_cpu_ns = -1; /* what was done between two runs was no turn */
	while (!loop->stopped) {
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	}
	loop->stopped = false;
}

void lc_loop_turn(struct lc_loop *loop)
{
	loop->watchdog.turn_started_cpu_ns = -1;
	uv_run(&loop->uv, UV_RUN_ONCE);
}

void lc_loop_stop(struct lc_loop *loop)
{
	loop->stopped = true;
	uv_stop(&loop->uv);
}

struct uv_loop_s *lc_loop_uv(struct lc_loop *loop)
{
	return &loop->uv;
}

struct lc_log *lc_loop_log(struct lc_loop *loop)
{
	return loop->log;
}

struct lc_metrics *lc_loop_metrics(struct lc_loop *loop)
{
	return loop->metrics;
}

struct lc_clock *lc_loop_clock(struct lc_loop *loop)
{
	return &loop->clock;
}

int64_t lc_loop_wall_ns(struct lc_loop *loop)
{
	return lc_clock_wall_ns(&loop->clock);
}

int64_t lc_loop_mono_ns(struct lc_loop *loop)
{
	(void)loop;
	return lc_clock_mono_ns();
}

uint64_t lc_loop_random(struct lc_loop *loop)
{
	return next_random(&loop->random_state);
}

enum lc_err lc_loop_on_signal(struct lc_loop *loop, int signo, lc_signal_cb cb, void *arg)
{
	struct signal_watch *watch = calloc(1, sizeof *watch);
	if (!watch) {
		return LC_ERR_NOMEM;
	}
	if (uv_signal_init(&loop->uv, &watch->uv)) {
		free(watch);
		return LC_ERR_IO;
	}
	watch->uv.data = watch;
	watch->cb = cb;
	watch->arg = arg;
	if (uv_signal_start(&watch->uv, on_signal, signo)) {
		uv_close((uv_handle_t *)&watch->uv, on_signal_closed);
		return LC_ERR_INVALID;
	}
	lc_list_append(&loop->signals, &watch->node);
	return LC_OK;
}

const char *lc_loop_library_version(void)
{
	return uv_version_string();
}

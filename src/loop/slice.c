#include "loop_priv.h"

#include <stdlib.h>

struct lc_drain {
	struct lc_list node;
	struct lc_loop *loop; /* borrowed: the loop outlives it */
	lc_drain_cb cb;
	void *arg;
	bool woken;
	bool dead; /* destroyed while the drains run */
};

struct lc_slice {
	struct lc_list node;
	struct lc_loop *loop; /* borrowed: the loop outlives it */
	const char *name;     /* borrowed: a static string */
	lc_slice_step_cb step;
	void (*done)(void *arg);
	void *arg;
	bool running, cancelled;
};

static void on_idle(uv_idle_t *idle)
{
	(void)idle; /* being active is its whole effect: the loop does not block in poll */
}

static void keep_turning(struct lc_loop *loop)
{
	uv_idle_start(&loop->idle, on_idle);
}

static void free_dead_drains(struct lc_loop *loop)
{
	lc_list_each (node, &loop->drains) {
		struct lc_drain *drain = container_of(node, struct lc_drain, node);
		if (drain->dead) {
			lc_list_remove(node);
			free(drain);
		}
	}
}

static bool run_drains(struct lc_loop *loop)
{
	bool more = false;
	loop->in_drains = true;
	lc_list_each (node, &loop->drains) {
		struct lc_drain *drain = container_of(node, struct lc_drain, node);
		if (drain->dead || !drain->woken) {
			continue;
		}
		drain->woken = false;
		if (drain->cb(drain->arg) && !drain->dead) {
			drain->woken = true;
		}
	}
	loop->in_drains = false;
	free_dead_drains(loop);
	lc_list_each (node, &loop->drains) {
		more |= container_of(node, struct lc_drain, node)->woken;
	}
	return more;
}

/* One step of one slice a turn, in rotation, so that any number of them holds the loop no longer
 * than one. */
static void run_slice(struct lc_loop *loop)
{
	if (lc_list_empty(&loop->slices)) {
		return;
	}
	struct lc_slice *slice = container_of(loop->slices.next, struct lc_slice, node);
	lc_list_remove(&slice->node);
	slice->running = true;
	int64_t started = lc_clock_thread_cpu_ns();
	bool more = slice->step(slice->arg);
	lc_loop_watchdog_slice(loop, slice->name, lc_clock_thread_cpu_ns() - started);
	slice->running = false;
	if (slice->cancelled) {
		free(slice);
	} else if (more) {
		lc_list_append(&loop->slices, &slice->node);
	} else {
		void (*done)(void *) = slice->done;
		void *arg = slice->arg;
		free(slice);
		if (done) {
			done(arg);
		}
	}
}

static void on_check(uv_check_t *check)
{
	struct lc_loop *loop = check->data;
	bool more = run_drains(loop);
	run_slice(loop);
	/* A slice or its done() may have woken a drain. */
	lc_list_each (node, &loop->drains) {
		more |= container_of(node, struct lc_drain, node)->woken;
	}
	if (!more && lc_list_empty(&loop->slices)) {
		uv_idle_stop(&loop->idle);
	}
}

void lc_loop_slices_init(struct lc_loop *loop)
{
	lc_list_init(&loop->drains);
	lc_list_init(&loop->slices);
	uv_idle_init(&loop->uv, &loop->idle);
	uv_check_init(&loop->uv, &loop->check);
	loop->check.data = loop;
	uv_check_start(&loop->check, on_check);
	uv_unref((uv_handle_t *)&loop->check);
}

void lc_loop_slices_close(struct lc_loop *loop)
{
	lc_list_each (node, &loop->slices) {
		lc_list_remove(node);
		free(container_of(node, struct lc_slice, node));
	}
	uv_close((uv_handle_t *)&loop->idle, NULL);
	uv_close((uv_handle_t *)&loop->check, NULL);
}

enum lc_err lc_slice_start(struct lc_loop *loop, const char *name, lc_slice_step_cb step,
	void (*done)(void *arg), void *arg, struct lc_slice **out)
{
	struct lc_slice *slice = calloc(1, sizeof *slice);
	if (!slice) {
		return LC_ERR_NOMEM;
	}
	slice->loop = loop;
	slice->name = name;
	slice->step = step;
	slice->done = done;
	slice->arg = arg;
	lc_list_append(&loop->slices, &slice->node);
	keep_turning(loop);
	if (out) {
		*out = slice;
	}
	return LC_OK;
}

void lc_slice_cancel(struct lc_slice *slice)
{
	if (!slice) {
		return;
	}
	if (slice->running) {
		slice->cancelled = true;
		return;
	}
	lc_list_remove(&slice->node);
	free(slice);
}

enum lc_err lc_drain_create(struct lc_loop *loop, lc_drain_cb cb, void *arg, struct lc_drain **out)
{
	struct lc_drain *drain = calloc(1, sizeof *drain);
	if (!drain) {
		return LC_ERR_NOMEM;
	}
	drain->loop = loop;
	drain->cb = cb;
	drain->arg = arg;
	lc_list_append(&loop->drains, &drain->node);
	*out = drain;
	return LC_OK;
}

void lc_drain_wake(struct lc_drain *drain)
{
	if (!drain->woken) {
		drain->woken = true;
		keep_turning(drain->loop);
	}
}

void lc_drain_destroy(struct lc_drain *drain)
{
	if (!drain) {
		return;
	}
	drain->woken = false;
	if (drain->loop->in_drains) {
		drain->dead = true;
		return;
	}
	lc_list_remove(&drain->node);
	free(drain);
}

#include "loop_priv.h"

#include <assert.h>
#include <stdlib.h>

struct lc_timer {
	uv_timer_t uv;
	struct lc_loop *loop; /* borrowed: the loop outlives it */
	lc_timer_cb cb;
	void *arg;
};

static void on_timer(uv_timer_t *handle)
{
	struct lc_timer *timer = container_of(handle, struct lc_timer, uv);
	struct lc_loop *loop = timer->loop;
	loop->in_timer = true;
	timer->cb(timer->arg); /* may destroy the timer */
	loop->in_timer = false;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

enum lc_err lc_timer_create(struct lc_loop *loop, lc_timer_cb cb, void *arg, struct lc_timer **out)
{
	struct lc_timer *timer = calloc(1, sizeof *timer);
	if (!timer) {
		return LC_ERR_NOMEM;
	}
	uv_timer_init(&loop->uv, &timer->uv); /* cannot fail */
	timer->uv.data = timer;
	timer->loop = loop;
	timer->cb = cb;
	timer->arg = arg;
	*out = timer;
	return LC_OK;
}

void lc_timer_start(struct lc_timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
	assert(delay_ms >= 0 && repeat_ms >= 0);
	if (!timer->loop->in_timer) {
		/* The loop's idea of now is as old as this turn, and before the first turn as old
		 * as the loop. */
		uv_update_time(timer->uv.loop);
	} else if (delay_ms == 0) {
		/* A timer that restarts itself for now would keep libuv (before 1.45) in its timers
		 * for ever. */
		delay_ms = 1;
	}
	uv_timer_start(&timer->uv, on_timer, (uint64_t)delay_ms, (uint64_t)repeat_ms);
}

void lc_timer_stop(struct lc_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

bool lc_timer_active(const struct lc_timer *timer)
{
	return uv_is_active((const uv_handle_t *)&timer->uv);
}

void lc_timer_destroy(struct lc_timer *timer)
{
	if (timer) {
		uv_close((uv_handle_t *)&timer->uv, on_closed);
	}
}

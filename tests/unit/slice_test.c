#include "loop_fixture.h"

struct work {
	struct lc_slice *slice;
	int steps, left, other_steps_seen, cancel_at;
	struct work *other;
	bool done;
};

static bool on_step(void *arg)
{
	struct work *work = arg;
	work->steps++;
	if (work->other) {
		/* Taking turns: the other one is never more than one step ahead or behind while
		 * both run. */
		cr_assert_leq(abs(work->steps - work->other->steps), 1);
	}
	if (work->steps == work->cancel_at) {
		lc_slice_cancel(work->slice);
	}
	return --work->left > 0;
}

static void on_done(void *arg)
{
	struct work *work = arg;
	cr_assert_not(work->done);
	work->done = true;
}

Test(slice, steps_take_turns_and_done_follows)
{
	struct fixture f;
	fixture_open(&f);
	struct work a = {.left = 50}, b = {.left = 50, .other = &a};
	cr_assert_eq(lc_slice_start(f.loop, "a", on_step, on_done, &a, &a.slice), LC_OK);
	cr_assert_eq(lc_slice_start(f.loop, "b", on_step, on_done, &b, &b.slice), LC_OK);
	cr_assert_eq(a.steps, 0, "nothing runs inside the call");
	run_until(&f, &b.done);
	cr_assert(a.done);
	cr_assert_eq(a.steps, 50);
	cr_assert_eq(b.steps, 50);
	cr_assert_gt(lc_loop_watch(f.loop).turns, 99, "one step a turn");
	cr_assert_not_null(lc_loop_watch(f.loop).longest_slice);
	cr_assert_gt(lc_loop_watch(f.loop).longest_slice_ns, 0);
	fixture_close(&f);
}

Test(slice, cancelled_slices_call_nothing)
{
	struct fixture f;
	fixture_open(&f);
	struct work self = {.left = 50, .cancel_at = 3}, outside = {.left = 50}, last = {.left = 1},
		    rest = {.left = 1000000};
	cr_assert_eq(lc_slice_start(f.loop, "self", on_step, on_done, &self, &self.slice), LC_OK);
	cr_assert_eq(lc_slice_start(f.loop, "outside", on_step, on_done, &outside, &outside.slice),
		LC_OK);
	lc_slice_cancel(outside.slice);
	while (self.steps < 3) {
		uv_run(lc_loop_uv(f.loop), UV_RUN_ONCE);
	}
	cr_assert_eq(lc_slice_start(f.loop, "last", on_step, on_done, &last, NULL), LC_OK);
	cr_assert_eq(lc_slice_start(f.loop, "rest", on_step, on_done, &rest, NULL), LC_OK);
	run_until(&f, &last.done);
	cr_assert_eq(self.steps, 3);
	cr_assert_eq(outside.steps, 0);
	cr_assert(!self.done && !outside.done);
	fixture_close(&f); /* frees the one that is left */
	cr_assert_not(rest.done);
}

struct queue {
	struct lc_drain *drain;
	struct queue *destroy; /* this one's drain is destroyed in the callback */
	int calls, items;
	bool empty;
};

static bool on_drain(void *arg)
{
	struct queue *queue = arg;
	queue->calls++;
	if (queue->destroy) {
		lc_drain_destroy(queue->destroy->drain);
	}
	queue->items -= queue->items > 0;
	queue->empty = queue->items == 0;
	return !queue->empty;
}

static void on_tick(void *arg)
{
	*(bool *)arg = true;
}

Test(slice, a_drain_runs_when_woken_until_it_is_empty)
{
	struct fixture f;
	fixture_open(&f);
	struct queue queue = {.items = 10};
	bool ticked = false;
	struct lc_timer *timer;
	cr_assert_eq(lc_drain_create(f.loop, on_drain, &queue, &queue.drain), LC_OK);
	cr_assert_eq(lc_timer_create(f.loop, on_tick, &ticked, &timer), LC_OK);
	lc_timer_start(timer, 5, 0);
	run_until(&f, &ticked);
	cr_assert_eq(queue.calls, 0, "not woken");
	lc_drain_wake(queue.drain);
	lc_drain_wake(queue.drain);
	run_until(&f, &queue.empty);
	cr_assert_eq(queue.calls, 10);
	uint64_t turns = lc_loop_watch(f.loop).turns;
	ticked = false;
	lc_timer_start(timer, 50, 0);
	run_until(&f, &ticked);
	cr_assert_eq(queue.calls, 10);
	cr_assert_lt(
		lc_loop_watch(f.loop).turns - turns, 10, "an empty drain must let the loop sleep");
	lc_timer_destroy(timer);
	lc_drain_destroy(queue.drain);
	lc_drain_destroy(NULL);
	fixture_close(&f);
}

Test(slice, drains_may_be_destroyed_in_a_drain)
{
	struct fixture f;
	fixture_open(&f);
	struct queue self = {.items = 5}, killer = {.items = 1}, victim = {.items = 5};
	self.destroy = &self;
	killer.destroy = &victim;
	cr_assert_eq(lc_drain_create(f.loop, on_drain, &self, &self.drain), LC_OK);
	cr_assert_eq(lc_drain_create(f.loop, on_drain, &killer, &killer.drain), LC_OK);
	cr_assert_eq(lc_drain_create(f.loop, on_drain, &victim, &victim.drain), LC_OK);
	lc_drain_wake(self.drain);
	lc_drain_wake(killer.drain);
	lc_drain_wake(victim.drain);
	run_until(&f, &killer.empty);
	cr_assert_eq(self.calls, 1);
	cr_assert_eq(victim.calls, 0);
	lc_drain_destroy(killer.drain);
	fixture_close(&f);
}

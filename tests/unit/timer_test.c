#include "loop_fixture.h"

struct shot {
	struct lc_loop *loop;
	struct lc_timer *timer;
	int count, destroy_at, restart_ms;
	bool reached;
	int64_t at_ns;
};

static void on_shot(void *arg)
{
	struct shot *shot = arg;
	shot->count++;
	shot->at_ns = lc_loop_mono_ns(shot->loop);
	shot->reached = true;
	if (shot->count == shot->destroy_at) {
		lc_timer_destroy(shot->timer);
	} else if (shot->restart_ms >= 0) {
		lc_timer_start(shot->timer, shot->restart_ms, 0);
	}
}

static struct shot make(struct fixture *f)
{
	return (struct shot){.loop = f->loop, .restart_ms = -1};
}

Test(timer, fires_once_and_not_too_early)
{
	struct fixture f;
	fixture_open(&f);
	struct shot shot = make(&f);
	cr_assert_eq(lc_timer_create(f.loop, on_shot, &shot, &shot.timer), LC_OK);
	cr_assert_not(lc_timer_active(shot.timer));
	usleep(30000); /* makes the loop's own idea of now stale: it must not shorten the delay */
	int64_t started = lc_loop_mono_ns(f.loop);
	lc_timer_start(shot.timer, 20, 0);
	cr_assert(lc_timer_active(shot.timer));
	run_until(&f, &shot.reached);
	cr_assert_geq(shot.at_ns - started, 19 * LC_NS_PER_MS);
	cr_assert_not(lc_timer_active(shot.timer));
	lc_timer_destroy(shot.timer);
	lc_timer_destroy(NULL);
	fixture_close(&f);
}

Test(timer, repeats_until_destroyed_in_its_own_callback)
{
	struct fixture f;
	fixture_open(&f);
	struct shot shot = make(&f), late = make(&f);
	shot.destroy_at = 5;
	cr_assert_eq(lc_timer_create(f.loop, on_shot, &shot, &shot.timer), LC_OK);
	cr_assert_eq(lc_timer_create(f.loop, on_shot, &late, &late.timer), LC_OK);
	lc_timer_start(shot.timer, 1, 1);
	lc_timer_start(late.timer, 60, 0);
	run_until(&f, &late.reached);
	cr_assert_eq(shot.count, 5);
	lc_timer_destroy(late.timer);
	fixture_close(&f);
}

Test(timer, stopped_or_destroyed_timers_stay_silent)
{
	struct fixture f;
	fixture_open(&f);
	struct shot stopped = make(&f), destroyed = make(&f), late = make(&f);
	cr_assert_eq(lc_timer_create(f.loop, on_shot, &stopped, &stopped.timer), LC_OK);
	cr_assert_eq(lc_timer_create(f.loop, on_shot, &destroyed, &destroyed.timer), LC_OK);
	cr_assert_eq(lc_timer_create(f.loop, on_shot, &late, &late.timer), LC_OK);
	lc_timer_start(stopped.timer, 1, 1);
	lc_timer_start(destroyed.timer, 1, 1);
	lc_timer_start(late.timer, 30, 0);
	lc_timer_stop(stopped.timer);
	lc_timer_destroy(destroyed.timer);
	run_until(&f, &late.reached);
	cr_assert_eq(stopped.count + destroyed.count, 0);
	lc_timer_destroy(stopped.timer);
	lc_timer_destroy(late.timer);
	fixture_close(&f);
}

Test(timer, restarting_for_now_does_not_hold_the_loop)
{
	struct fixture f;
	fixture_open(&f);
	struct shot greedy = make(&f), other = make(&f);
	greedy.restart_ms = 0;
	cr_assert_eq(lc_timer_create(f.loop, on_shot, &greedy, &greedy.timer), LC_OK);
	cr_assert_eq(lc_timer_create(f.loop, on_shot, &other, &other.timer), LC_OK);
	lc_timer_start(greedy.timer, 0, 0);
	lc_timer_start(other.timer, 20, 0);
	run_until(&f, &other.reached);
	cr_assert_gt(greedy.count, 1);
	lc_timer_destroy(greedy.timer);
	lc_timer_destroy(other.timer);
	fixture_close(&f);
}

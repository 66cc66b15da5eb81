#include "loop_fixture.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

struct run {
	struct lc_loop *loop;
	struct lc_timer *timer;
	int count;
};

static void on_count(void *arg)
{
	struct run *run = arg;
	if (++run->count == 3) {
		lc_timer_destroy(run->timer);
		lc_loop_stop(run->loop);
	}
}

Test(loop, runs_until_stopped)
{
	struct fixture f;
	fixture_open(&f);
	struct run run = {.loop = f.loop};
	cr_assert_eq(lc_timer_create(f.loop, on_count, &run, &run.timer), LC_OK);
	lc_timer_start(run.timer, 1, 1);
	lc_loop_run(f.loop);
	cr_assert_eq(run.count, 3);
	cr_assert_gt(lc_loop_watch(f.loop).turns, 2);
	cr_assert_eq(*lc_metrics_counter(f.metrics, "livecore_loop_turns_total", "", ""),
		lc_loop_watch(f.loop).turns);
	lc_loop_stop(f.loop); /* before run: returns at once */
	lc_loop_run(f.loop);
	fixture_close(&f);
}

static void on_signal(void *arg, int signo)
{
	cr_assert_eq(signo, SIGUSR1);
	*(bool *)arg = true;
}

Test(loop, signals_arrive_on_the_loop)
{
	struct fixture f;
	fixture_open(&f);
	bool seen = false;
	cr_assert_eq(lc_loop_on_signal(f.loop, SIGUSR1, on_signal, &seen), LC_OK);
	cr_assert_eq(lc_loop_on_signal(f.loop, 9999, on_signal, &seen), LC_ERR_INVALID);
	raise(SIGUSR1);
	run_until(&f, &seen);
	fixture_close(&f);
}

struct job {
	pthread_t thread;
	int value;
	bool done, cancelled;
};

static void work(void *arg)
{
	struct job *job = arg;
	job->thread = pthread_self();
	job->value = 7;
}

static void on_done(void *arg, bool cancelled)
{
	struct job *job = arg;
	cr_assert_not(job->done);
	job->done = true;
	job->cancelled = cancelled;
}

Test(loop, a_job_works_elsewhere_and_answers_here)
{
	struct fixture f;
	fixture_open(&f);
	struct job job = {0};
	cr_assert_eq(lc_loop_job(f.loop, work, on_done, &job), LC_OK);
	run_until(&f, &job.done);
	cr_assert_eq(job.value, 7);
	cr_assert_not(job.cancelled);
	cr_assert_not(pthread_equal(job.thread, pthread_self()));
	fixture_close(&f);
}

static atomic_int blocked, release;

static void block(void *arg)
{
	(void)arg;
	atomic_fetch_add(&blocked, 1);
	while (!atomic_load(&release)) {
		usleep(1000);
	}
}

static void on_block_done(void *arg, bool cancelled)
{
	cr_assert_not(cancelled);
	(*(int *)arg)++;
}

static void *let_go(void *arg)
{
	(void)arg;
	usleep(50000); /* the loop is inside lc_loop_destroy() by then, or about to be: both must
			  work */
	atomic_store(&release, 1);
	return NULL;
}

static void on_never(void *arg)
{
	(void)arg;
}

/* A look-up that nobody answers keeps its thread and the handles that it would close, and not the
 * process. */
Test(loop, destroy_leaves_a_thread_that_does_not_come_back)
{
	struct fixture f;
	fixture_open(&f);
	int ended = 0;
	struct lc_timer *timer;
	cr_assert_eq(lc_timer_create(f.loop, on_never, NULL, &timer), LC_OK);
	cr_assert_eq(lc_loop_job(f.loop, block, on_block_done, &ended), LC_OK);
	while (atomic_load(&blocked) < 1) {
		usleep(1000);
	}
	int64_t started_ns = lc_clock_mono_ns();
	cr_assert_not(lc_loop_destroy(f.loop));
	cr_assert_lt(lc_clock_mono_ns() - started_ns, 3900 * LC_NS_PER_MS);
	cr_assert_eq(ended, 0);
	atomic_store(&release, 1);
}

Test(loop, destroy_cancels_jobs_that_wait_and_ends_those_that_run)
{
	struct fixture f;
	fixture_open(&f);
	int ended = 0;
	for (int i = 0; i < 4; i++) { /* the pool has four threads */
		cr_assert_eq(lc_loop_job(f.loop, block, on_block_done, &ended), LC_OK);
	}
	while (atomic_load(&blocked) < 4) {
		usleep(1000);
	}
	struct job job = {0};
	cr_assert_eq(lc_loop_job(f.loop, work, on_done, &job), LC_OK);
	pthread_t thread;
	cr_assert_eq(pthread_create(&thread, NULL, let_go, NULL), 0);
	fixture_close(&f);
	pthread_join(thread, NULL);
	cr_assert(job.done && job.cancelled);
	cr_assert_eq(job.value, 0);
	cr_assert_eq(ended, 4);
}

static void burn(int64_t ns)
{
	int64_t until = lc_clock_thread_cpu_ns() + ns;
	while (lc_clock_thread_cpu_ns() < until) {
	}
}

static void on_burn(void *arg)
{
	burn(20 * LC_NS_PER_MS);
	*(bool *)arg = true;
}

static void on_tick(void *arg)
{
	*(bool *)arg = true;
}

/* Waits on the loop, without using CPU, for two ticks of the watchdog. */
static void let_tick(struct fixture *f)
{
	bool ticked = false;
	struct lc_timer *timer;
	cr_assert_eq(lc_timer_create(f->loop, on_tick, &ticked, &timer), LC_OK);
	lc_timer_start(timer, 250, 0);
	run_until(f, &ticked);
	lc_timer_destroy(timer);
}

Test(loop, the_watchdog_measures_cpu_time_of_turns)
{
	struct fixture f;
	fixture_open(&f);
	bool burnt = false;
	struct lc_timer *timer;
	cr_assert_eq(lc_timer_create(f.loop, on_burn, &burnt, &timer), LC_OK);
	let_tick(&f);
	lc_timer_start(timer, 1, 0);
	run_until(&f, &burnt);
	let_tick(&f);
	struct lc_loop_watch watch = lc_loop_watch(f.loop);
	cr_assert_geq(watch.longest_turn_ns, 20 * LC_NS_PER_MS);
	cr_assert_lt(watch.longest_turn_ns, 60 * LC_NS_PER_MS, "waiting must not count");
	double *gauge = lc_metrics_gauge(
		f.metrics, "livecore_loop_longest_turn_cpu_seconds", "", "");
	cr_assert_float_eq(*gauge, (double)watch.longest_turn_ns / 1e9, 1e-9);
	lc_timer_destroy(timer);
	fixture_close(&f);
}

Test(loop, random_numbers_differ)
{
	struct fixture f;
	fixture_open(&f);
	uint64_t a = lc_loop_random(f.loop), b = lc_loop_random(f.loop);
	cr_assert_neq(a, b);
	cr_assert_gt(lc_loop_wall_ns(f.loop), INT64_C(1600000000) * LC_NS_PER_S);
	lc_loop_clock(f.loop)->tape = true;
	lc_clock_tape_advance(lc_loop_clock(f.loop), 12345);
	cr_assert_eq(lc_loop_wall_ns(f.loop), 12345);
	fixture_close(&f);
}

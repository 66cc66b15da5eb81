/* What is found in a log's folder: a large log, and what nobody wrote there in order. */
#include "journal_fixture.h"

struct reading {
	size_t calls, done, files;
	int turns;
};

static void on_reading(void *arg, size_t done, size_t files)
{
	struct reading *reading = arg;
	cr_assert_eq(done, reading->calls, "the lock is taken and nothing read at the first");
	reading->calls++;
	reading->done = done;
	reading->files = files;
}

static void on_turn(void *arg)
{
	((struct reading *)arg)->turns++;
}

Test(journal_found, the_loop_turns_while_it_is_read)
{
	struct scene scene;
	setup(&scene);
	for (uint64_t i = 1; i <= 30; i++) {
		append_surely(&scene, i, 100 * 1000);
	}
	run_until(&scene, all_written);
	lc_journal_destroy(scene.journal);
	struct reading reading = {0};
	struct lc_timer *timer;
	cr_assert_eq(lc_timer_create(scene.loop, on_turn, &reading, &timer), LC_OK);
	lc_timer_start(timer, 0, 0);
	struct lc_error err;
	cr_assert_eq(
		lc_journal_open(scene.loop, scene.dir, MEMORY, &scene.config,
			(struct lc_journal_progress){on_reading, &reading}, &scene.journal, &err),
		LC_OK, "%s", err.text);
	cr_assert_geq(reading.files, 3);
	cr_assert_eq(reading.done, reading.files);
	cr_assert_eq(reading.calls, reading.files + 1);
	cr_assert_eq(reading.turns, 1, "others on the loop went on");
	cr_assert_eq(lc_journal_recovered(scene.journal)->to_send, 30);
	lc_timer_destroy(timer);
	finish(&scene);
}

/* The log on disk: what a process appended and reported, the next one finds. */
#include "journal_fixture.h"
#include "xorshift.h"

#include <signal.h>
#include <sys/resource.h>

static uint64_t state = 1;

Test(journal_disk, what_is_not_reported_comes_again)
{
	struct scene scene;
	setup(&scene);
	struct lc_record record;
	cr_assert_not(lc_journal_recovered(scene.journal)->found);
	for (uint64_t i = 1; i <= 100; i++) {
		cr_assert_eq(append(&scene, i, 300, LC_SCHEMA_PRICE_UPDATE), LC_OK);
	}
	run_until(&scene, all_written);
	crash(&scene);
	const struct lc_journal_recovery *found = lc_journal_recovered(scene.journal);
	cr_assert(found->found && !found->clean);
	cr_assert(found->records == 100 && found->to_send == 100 && found->torn == 0);
	cr_assert(found->source_count == 1 && !strcmp(found->sources[0].name, "alpaca"));
	cr_assert_eq(found->sources[0].last_event_ns, 100);
	cr_assert_eq(append(&scene, 101, 300, LC_SCHEMA_PRICE_UPDATE), LC_OK);
	for (uint64_t i = 1; i <= 101; i++) {
		cr_assert_eq(read_next(&scene, &record), LC_OK);
		cr_assert_eq(number_of(&record), i);
		cr_assert_eq(record.id, i);
		cr_assert_eq(record.replayed, i <= 100);
		cr_assert_eq(record.received_mono_ns, i <= 100 ? 0 : 7);
		lc_journal_report(scene.journal, record.id);
	}
	cr_assert_eq(read_next(&scene, &record), LC_ERR_END);
	end_well(&scene);
	cr_assert_eq(count_files(&scene), 0, "an empty log keeps no files");
	open_journal(&scene);
	found = lc_journal_recovered(scene.journal);
	cr_assert(found->found && found->clean && found->to_send == 0);
	cr_assert(found->source_count == 1 && found->sources[0].last_event_ns == 101);
	cr_assert_eq(append(&scene, 1, 300, LC_SCHEMA_BAR), LC_OK);
	cr_assert_eq(read_next(&scene, &record), LC_OK);
	cr_assert_eq(record.id, 102, "ids go on");
	finish(&scene);
}

static bool marks_stored(struct scene *scene)
{
	static int64_t since;
	int64_t now = lc_loop_mono_ns(scene->loop);
	since = since ? since : now;
	return now - since > LC_NS_PER_S;
}

Test(journal_disk, what_is_reported_does_not_come_again)
{
	struct scene scene;
	setup(&scene);
	struct lc_record record;
	for (uint64_t i = 1; i <= 1000; i++) {
		cr_assert_eq(append(&scene, i, 300, LC_SCHEMA_PRICE_UPDATE), LC_OK);
		cr_assert_eq(read_next(&scene, &record), LC_OK);
		if (i % 3 != 0) {
			lc_journal_report(scene.journal, i);
		}
	}
	run_until(&scene, marks_stored);
	crash(&scene);
	cr_assert_eq(lc_journal_recovered(scene.journal)->to_send, 333);
	for (uint64_t i = 3; i <= 999; i += 3) {
		cr_assert_eq(read_next(&scene, &record), LC_OK);
		cr_assert_eq(number_of(&record), i);
	}
	cr_assert_eq(read_next(&scene, &record), LC_ERR_END);
	lc_journal_rewind(scene.journal);
	cr_assert_eq(read_next(&scene, &record), LC_OK);
	cr_assert_eq(number_of(&record), 3);
	finish(&scene);
}

/* 40 MB through 6 MB of memory, while nothing is acknowledged; then all of it in order. */
Test(journal_disk, more_than_memory_holds, .timeout = 100)
{
	struct scene scene;
	setup(&scene);
	struct lc_record record;
	for (uint64_t i = 1; i <= 40000; i++) {
		append_surely(&scene, i, 1000);
		cr_assert_leq(lc_journal_stats(scene.journal).bytes, MEMORY);
	}
	cr_assert_gt(lc_journal_stats(scene.journal).on_disk, 30);
	uint64_t reported = 0;
	bool rewound = false;
	for (uint64_t i = 1; i <= 40000; i++) {
		cr_assert_eq(read_next(&scene, &record), LC_OK);
		cr_assert_eq(number_of(&record), i);
		cr_assert_leq(lc_journal_stats(scene.journal).bytes, MEMORY);
		while (i - reported > 500) {
			lc_journal_report(scene.journal, ++reported);
		}
		if (i == 20000 && !rewound) {
			rewound = true;
			lc_journal_rewind(scene.journal);
			i = reported;
		}
	}
	while (reported < 40000) {
		lc_journal_report(scene.journal, ++reported);
	}
	cr_assert_eq(read_next(&scene, &record), LC_ERR_END);
	end_well(&scene);
	cr_assert_eq(count_files(&scene), 0);
	end_loop(&scene);
	scratch_remove(scene.dir);
}

Test(journal_disk, a_second_process_is_told)
{
	struct scene scene;
	struct lc_journal *other;
	struct lc_error err;
	setup(&scene);
	cr_assert_eq(lc_journal_open(scene.loop, scene.dir, MEMORY, &scene.config,
			     (struct lc_journal_progress){0}, &other, &err),
		LC_ERR_EXISTS);
	char pid[16];
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	cr_assert(strstr(err.text, pid) && strstr(err.text, scene.dir), "%s", err.text);
	finish(&scene);
}

static bool fully_lost(struct scene *scene)
{
	return scene->lost_ends > 0 && lc_journal_stats(scene->journal).disk_bytes < 17 << 20;
}

Test(journal_disk, at_its_size_limit_the_oldest_goes, .timeout = 100)
{
	struct scene scene;
	setup(&scene);
	end_well(&scene);
	scene.config.max_bytes = 16 << 20;
	open_journal(&scene);
	struct lc_record record;
	cr_assert_eq(append(&scene, 0, 300, LC_SCHEMA_SYSTEM_EVENT), LC_OK);
	for (uint64_t i = 1; i <= 30000; i++) {
		append_surely(&scene, i, 1000);
	}
	run_until(&scene, fully_lost);
	/* Of 33 MB, 16 have room on disk and some in memory. */
	cr_assert_gt(scene.lost_records, 5000);
	uint64_t seen = 0, events = 0, last = 0;
	while (read_next(&scene, &record) == LC_OK) {
		if (record.schema == LC_SCHEMA_SYSTEM_EVENT) {
			cr_assert_eq(number_of(&record), 0);
			events++;
		} else {
			cr_assert_gt(number_of(&record), last);
			last = number_of(&record);
			seen++;
		}
		lc_journal_report(scene.journal, record.id);
	}
	cr_assert_eq(last, 30000);
	cr_assert_eq(seen + scene.lost_records, 30000, "%llu seen, %llu said to be lost",
		(unsigned long long)seen, (unsigned long long)scene.lost_records);
	cr_assert_geq(events, 1, "an event is written again");
	struct lc_journal_stats stats = lc_journal_stats(scene.journal);
	cr_assert(stats.unsent == 0 && stats.appended == stats.reported);
	finish(&scene);
}

Test(journal_disk, market_data_that_is_too_old_is_not_sent)
{
	struct scene scene;
	setup(&scene);
	struct lc_record record;
	for (uint64_t i = 1; i <= 70; i++) {
		cr_assert_eq(append(&scene, i, 300, LC_SCHEMA_PRICE_UPDATE), LC_OK);
	}
	cr_assert_eq(append(&scene, 71, 300, LC_SCHEMA_SYSTEM_EVENT), LC_OK);
	run_until(&scene, all_written);
	scene.config.restart_max_age_ms = 1;
	crash(&scene);
	const struct lc_journal_recovery *found = lc_journal_recovered(scene.journal);
	cr_assert(found->expired == 70 && found->to_send == 1);
	cr_assert(scene.lost == 7 && scene.lost_records == 70 && scene.lost_ends == 1);
	cr_assert_eq(read_next(&scene, &record), LC_OK);
	cr_assert_eq(number_of(&record), 71);
	cr_assert_eq(read_next(&scene, &record), LC_ERR_END);
	finish(&scene);
}

static bool is_unprotected(struct scene *scene)
{
	return scene->unprotected > 0;
}

static bool is_protected_again(struct scene *scene)
{
	return scene->protected_again > 0;
}

/* A limit of the process's file sizes stands for a full disk. */
Test(journal_disk, a_disk_that_takes_no_records)
{
	struct scene scene;
	setup(&scene);
	struct lc_record record;
	signal(SIGXFSZ, SIG_IGN);
	append_surely(&scene, 1, 1000);
	run_until(&scene, all_written);
	struct rlimit limit;
	getrlimit(RLIMIT_FSIZE, &limit);
	const struct rlimit none = {.rlim_cur = 100, .rlim_max = limit.rlim_max};
	setrlimit(RLIMIT_FSIZE, &none);
	append_surely(&scene, 2, 1000);
	run_until(&scene, is_unprotected);
	cr_assert_not(lc_journal_protected(scene.journal));
	for (uint64_t i = 1; i <= 10000; i++) {
		if (i > 2) {
			append_surely(&scene, i, 1000);
		}
		cr_assert_eq(read_next(&scene, &record), LC_OK);
		cr_assert_eq(number_of(&record), i);
		if (i != 9999) {
			lc_journal_report(scene.journal, record.id);
		}
	}
	setrlimit(RLIMIT_FSIZE, &limit);
	run_until(&scene, is_protected_again);
	cr_assert(lc_journal_protected(scene.journal));
	cr_assert_eq(scene.unprotected, 1);
	run_until(&scene, all_written);
	crash(&scene);
	cr_assert_eq(read_next(&scene, &record), LC_OK);
	cr_assert_leq(number_of(&record), 9999);
	finish(&scene);
}

static bool is_after_two_marks(struct scene *scene)
{
	return lc_loop_mono_ns(scene->loop) > scene->give_up_ns - (WAIT_MS - 2500) * LC_NS_PER_MS;
}

/* Marks are still written when records are not: they must not say that events were logged which
 * were in memory alone, or a restart's gap begins too late. */
Test(journal_disk, the_last_times_are_of_what_is_on_disk)
{
	struct scene scene;
	setup(&scene);
	struct lc_record record;
	signal(SIGXFSZ, SIG_IGN);
	append_surely(&scene, 1, 1000);
	append_surely(&scene, 2, 1000);
	run_until(&scene, all_written);
	struct rlimit limit;
	getrlimit(RLIMIT_FSIZE, &limit);
	const struct rlimit marks = {.rlim_cur = LC_JOURNAL_DATA, .rlim_max = limit.rlim_max};
	setrlimit(RLIMIT_FSIZE, &marks);
	for (uint64_t i = 3; i <= 50; i++) {
		append_surely(&scene, i, 1000);
	}
	run_until(&scene, is_unprotected);
	cr_assert_eq(read_next(&scene, &record), LC_OK);
	lc_journal_report(scene.journal, record.id);
	run_until(&scene, is_after_two_marks);
	crash(&scene);
	setrlimit(RLIMIT_FSIZE, &limit);
	const struct lc_journal_recovery *found = lc_journal_recovered(scene.journal);
	cr_assert_eq(found->to_send, 1, "the first was marked");
	cr_assert_eq(found->source_count, 1);
	cr_assert_eq(found->sources[0].last_event_ns, 2);
	finish(&scene);
}

/* --- a property: whatever happens, nothing is lost and order is kept --- */

#define MODEL_MAX 200000

struct model {
	bool reported[MODEL_MAX];
	uint64_t appended, last_read;
};

/* Numbers and ids are the same as long as no tail is torn. */
static void model_report(struct scene *scene, struct model *model, uint64_t number)
{
	lc_journal_report(scene->journal, number);
	model->reported[number] = true;
}

/* What was read and not reported stays in memory: as at a sender, whose reports come in time. */
static void model_append(struct scene *scene, struct model *model)
{
	if (!lc_journal_has_room(scene->journal, 4000)) {
		for (uint64_t i = 1; i <= model->last_read; i++) {
			model_report(scene, model, i);
		}
	}
	append_surely(scene, ++model->appended, 20 + xorshift(&state) % 3000);
}

static void model_read(struct scene *scene, struct model *model)
{
	struct lc_record record;
	if (read_next(scene, &record) != LC_OK) {
		for (uint64_t i = model->last_read + 1; i <= model->appended; i++) {
			cr_assert(model->reported[i], "%llu never came", (unsigned long long)i);
		}
		return;
	}
	uint64_t number = number_of(&record);
	cr_assert(number > model->last_read && number <= model->appended);
	for (uint64_t i = model->last_read + 1; i < number; i++) {
		cr_assert(model->reported[i], "%llu was passed over", (unsigned long long)i);
	}
	model->last_read = number;
	if (xorshift(&state) % 4 != 0) {
		model_report(scene, model, number);
	}
}

static void model_crash(struct scene *scene, struct model *model)
{
	if (!scene->config.memory_dir) {
		run_until(scene, all_written);
	}
	crash(scene);
	model->last_read = 0;
	/* What was reported in the last second may come again: it is a repeat. */
	struct lc_record record;
	enum lc_err err;
	uint64_t last = 0;
	while ((err = read_next(scene, &record)) == LC_OK) {
		uint64_t number = number_of(&record);
		cr_assert(number > last && record.replayed);
		for (uint64_t i = last + 1; i < number; i++) {
			cr_assert(model->reported[i], "%llu is lost", (unsigned long long)i);
		}
		model_report(scene, model, number);
		last = number;
	}
	for (uint64_t i = last + 1; i <= model->appended; i++) {
		cr_assert(model->reported[i], "%llu is lost", (unsigned long long)i);
	}
	model->last_read = last;
}

static void play_model(struct scene *scene)
{
	static struct model model;
	for (int step = 0; step < 3000; step++) {
		unsigned what = xorshift(&state) % 100;
		if (what < 45) {
			for (unsigned n = xorshift(&state) % 40; n > 0; n--) {
				model_append(scene, &model);
			}
		} else if (what < 98) {
			for (unsigned n = xorshift(&state) % 40; n > 0; n--) {
				model_read(scene, &model);
			}
		} else if (what == 98) {
			lc_journal_rewind(scene->journal);
			model.last_read = 0;
		} else {
			model_crash(scene, &model);
		}
	}
	cr_assert_gt(model.appended, 10000);
}

Test(journal_disk, nothing_is_lost_whatever_happens, .timeout = 100)
{
	struct scene scene;
	setup(&scene);
	play_model(&scene);
	finish(&scene);
}

Test(journal_disk, nothing_is_lost_when_it_is_killed_at_any_moment, .timeout = 100)
{
	struct scene scene;
	setup_shared(&scene);
	play_model(&scene);
	finish(&scene);
}

/* --- memory that outlives its process --- */

/* Three are appended, a fourth is begun: where it is to stand. */
static char *append_three_and_begin(struct scene *scene)
{
	const struct lc_record begun = {.key = "S", .key_len = 1};
	char *value;
	for (uint64_t i = 1; i <= 3; i++) {
		append_surely(scene, i, 1000);
	}
	cr_assert_eq(lc_journal_reserve(scene->journal, &begun, 100, &value), LC_OK);
	return value;
}

Test(journal_disk, what_is_not_on_disk_outlives_its_process)
{
	struct scene scene;
	setup_shared(&scene);
	struct lc_record record;
	char *value = append_three_and_begin(&scene);
	memset(value, 'x', 100); /* killed before it is committed */
	crash(&scene);
	const struct lc_journal_recovery *found = lc_journal_recovered(scene.journal);
	cr_assert(found->found && !found->clean);
	cr_assert_eq(found->to_send, 3);
	cr_assert_eq(found->sources[0].last_event_ns, 3);
	cr_assert_str_eq(found->sources[0].name, "alpaca");
	for (uint64_t i = 1; i <= 3; i++) {
		cr_assert_eq(read_next(&scene, &record), LC_OK);
		cr_assert_eq(number_of(&record), i);
		cr_assert(record.replayed);
		lc_journal_report(scene.journal, record.id);
	}
	cr_assert_eq(read_next(&scene, &record), LC_ERR_END);
	append_surely(&scene, 4, 1000);
	cr_assert_eq(read_next(&scene, &record), LC_OK);
	cr_assert_not(record.replayed);
	finish(&scene);
}

static size_t count_memory(const struct scene *scene)
{
	size_t count = 0;
	DIR *dir = opendir(scene->memory);
	struct dirent *entry;
	while ((entry = readdir(dir))) {
		count += entry->d_name[0] != '.';
	}
	closedir(dir);
	return count;
}

static struct lc_journal_memory memory_of(const struct scene *scene, uint64_t first_id)
{
	struct lc_journal_memory memory;
	cr_assert_eq(lc_journal_memory_read(scene->memory, scene->dir, first_id, &memory), LC_OK);
	return memory;
}

Test(journal_disk, its_memory_can_be_looked_at)
{
	struct scene scene;
	setup_shared(&scene);
	struct lc_record record;
	append_three_and_begin(&scene);
	struct lc_journal_memory memory = memory_of(&scene, 0);
	cr_assert_eq(memory.state, LC_OK, "beside the process that writes it");
	cr_assert_eq(memory.records, 3, "what is begun is not there");
	cr_assert_geq(memory.bytes, 3000);
	cr_assert_eq(memory.torn, 0);
	cr_assert_eq(memory_of(&scene, 3).records, 1, "the others are in files");
	lc_journal_commit(scene.journal, 0);
	crash(&scene);
	cr_assert_eq(memory_of(&scene, 0).records, 3, "taken over");
	for (uint64_t i = 1; i <= 3; i++) {
		cr_assert_eq(read_next(&scene, &record), LC_OK);
		lc_journal_report(scene.journal, record.id);
	}
	end_well(&scene);
	cr_assert_eq(memory_of(&scene, 0).state, LC_ERR_NOT_FOUND);
	open_journal(&scene);
	append_surely(&scene, 4, 1000);
	lc_journal_destroy(scene.journal);
	char command[200];
	snprintf(command, sizeof command, "for f in %s/*; do echo no >$f; truncate -s 1M $f; done",
		scene.memory);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(memory_of(&scene, 0).state, LC_ERR_INVALID);
	open_journal(&scene);
	finish(&scene);
}

Test(journal_disk, an_orderly_end_leaves_no_memory)
{
	struct scene scene;
	setup_shared(&scene);
	struct lc_record record;
	append_surely(&scene, 1, 1000);
	cr_assert_eq(count_memory(&scene), 1);
	end_well(&scene);
	cr_assert_eq(count_memory(&scene), 0);
	open_journal(&scene);
	cr_assert_eq(read_next(&scene, &record), LC_OK);
	cr_assert_eq(number_of(&record), 1);
	cr_assert_eq(read_next(&scene, &record), LC_ERR_END);
	finish(&scene);
}

static bool is_told(struct scene *scene)
{
	return scene->lost_ends > 0;
}

/* What is too old is said first: until then the file of the process that left it stays. */
Test(journal_disk, old_memory_goes_when_all_of_it_is_taken_over)
{
	struct scene scene;
	setup_shared(&scene);
	for (uint64_t i = 1; i <= 30; i++) {
		append_surely(&scene, i, 100 * 1000);
	}
	scene.config.restart_max_age_ms = 1;
	lc_journal_destroy(scene.journal);
	usleep(10000);
	for (int again = 0; again < 2; again++) { /* killed before it could say it */
		struct lc_error err;
		cr_assert_eq(lc_journal_open(scene.loop, scene.dir, MEMORY, &scene.config,
				     (struct lc_journal_progress){0}, &scene.journal, &err),
			LC_OK);
		cr_assert_eq(lc_journal_recovered(scene.journal)->expired, 30);
		lc_journal_destroy(scene.journal);
	}
	open_journal(&scene);
	run_until(&scene, is_told);
	cr_assert_eq(scene.lost_records, 30);
	crash(&scene);
	cr_assert_eq(lc_journal_recovered(scene.journal)->expired, 0);
	finish(&scene);
}

Test(journal_disk, memory_that_is_no_good_is_said_and_left)
{
	struct scene scene;
	setup_shared(&scene);
	struct lc_record record;
	append_surely(&scene, 1, 1000);
	lc_journal_destroy(scene.journal);
	char command[200];
	snprintf(command, sizeof command, "for f in %s/*; do echo no >$f; truncate -s 1M $f; done",
		scene.memory);
	cr_assert_eq(system(command), 0);
	open_journal(&scene);
	cr_assert_eq(lc_journal_recovered(scene.journal)->damaged, 1);
	crash(&scene);
	snprintf(scene.memory, sizeof scene.memory, "/nowhere");
	crash(&scene);
	append_surely(&scene, 2, 1000);
	cr_assert_eq(read_next(&scene, &record), LC_OK);
	cr_assert_eq(number_of(&record), 2);
	finish(&scene);
}

/* What is found in a log's folder: a large log, and what nobody wrote there in order. */
#include "journal_fixture.h"
#include "xorshift.h"

#include <signal.h>
#include <sys/resource.h>

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
	fill(&scene, 30);
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

/* --- damage --- */

#define RECORDS 60

static uint64_t state = 1;

/* The names of the log's files, in any order. */
static size_t list_files(const struct scene *scene, char names[][LC_JOURNAL_NAME_BYTES], size_t max)
{
	size_t count = 0;
	DIR *dir = opendir(scene->dir);
	struct dirent *entry;
	uint32_t slot;
	while ((entry = readdir(dir)) && count < max) {
		if (lc_journal_file_slot(entry->d_name, &slot)) {
			snprintf(names[count++], LC_JOURNAL_NAME_BYTES, "%s", entry->d_name);
		}
	}
	closedir(dir);
	return count;
}

static void flip(const struct scene *scene, const char *name, size_t offset)
{
	char path[128], byte;
	snprintf(path, sizeof path, "%s/%s", scene->dir, name);
	FILE *file = fopen(path, "r+b");
	cr_assert(
		file && fseek(file, (long)offset, SEEK_SET) == 0 && fread(&byte, 1, 1, file) == 1);
	byte ^= (char)(1 << xorshift(&state) % 8);
	cr_assert(fseek(file, (long)offset, SEEK_SET) == 0 && fwrite(&byte, 1, 1, file) == 1);
	fclose(file);
}

/* Whole and in order; what is missing happened in the time that was told. */
static void read_what_is_left(struct scene *scene, uint64_t records)
{
	struct lc_record record;
	uint64_t expected = 1;
	while (expected <= records) {
		uint64_t number = read_next(scene, &record) == LC_OK ? number_of(&record)
								     : records + 1;
		cr_assert_geq(number, expected);
		for (; expected < number; expected++) {
			cr_assert(scene->damages > 0, "%llu is lost without a word",
				(unsigned long long)expected);
			cr_assert(scene->hole_from_ns <= (int64_t)expected &&
					  scene->hole_until_ns >= (int64_t)expected,
				"%llu is not in %lld … %lld", (unsigned long long)expected,
				(long long)scene->hole_from_ns, (long long)scene->hole_until_ns);
		}
		cr_assert(number > records ||
			  record.value[record.value_len - 1] == (char)('a' + number % 26));
		expected++;
	}
}

Test(journal_found, flipped_bits_are_no_crash_and_no_secret, .timeout = 100)
{
	for (int round = 0; round < 25; round++) {
		struct scene scene;
		char names[16][LC_JOURNAL_NAME_BYTES];
		setup(&scene);
		for (uint64_t i = 1; i <= RECORDS; i++) {
			append_surely(&scene, i, 1000 + xorshift(&state) % 100000);
		}
		run_until(&scene, all_written);
		lc_journal_destroy(scene.journal);
		size_t count = list_files(&scene, names, 16);
		for (uint64_t flips = 1 + xorshift(&state) % 4; flips > 0; flips--) {
			size_t span = xorshift(&state) % 2 ? 2 * LC_JOURNAL_PAGE
							   : LC_JOURNAL_SEGMENT;
			flip(&scene, names[xorshift(&state) % count], xorshift(&state) % span);
		}
		open_journal(&scene);
		read_what_is_left(&scene, RECORDS);
		finish(&scene);
	}
}

Test(journal_found, what_is_damaged_while_it_waits_is_counted, .timeout = 100)
{
	struct scene scene;
	char names[32][LC_JOURNAL_NAME_BYTES];
	setup(&scene);
	fill(&scene, 2 * RECORDS);
	size_t count = list_files(&scene, names, 32);
	for (size_t i = 0; i < count; i++) {
		flip(&scene, names[i], LC_JOURNAL_DATA + 450 * 1000);
	}
	struct lc_record record;
	uint64_t found = 0;
	while (read_next(&scene, &record) == LC_OK) {
		found++;
		lc_journal_report(scene.journal, record.id);
	}
	cr_assert(scene.damages > 0 && scene.damaged_records > 0);
	cr_assert_eq(found + scene.damaged_records, 2 * RECORDS);
	cr_assert(scene.hole_from_ns > 0 && scene.hole_from_ns <= 2 * RECORDS);
	cr_assert_eq(lc_journal_stats(scene.journal).lost, scene.damaged_records);
	finish(&scene);
}

/* --- what is none of ours --- */

static char *path_in(const struct scene *scene, const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", scene->dir, name);
	return path;
}

static void put_file(const struct scene *scene, const char *name, const void *data, size_t len)
{
	FILE *file = fopen(path_in(scene, name), "wb");
	cr_assert(file && fwrite(data, 1, len, file) == len);
	fclose(file);
}

static bool is_there(const struct scene *scene, const char *name)
{
	struct stat there;
	return lstat(path_in(scene, name), &there) == 0;
}

static void put_a_later_version(const struct scene *scene, const char *name)
{
	char page[LC_JOURNAL_PAGE];
	const struct lc_journal_head head = {.first_id = 1, .data_bytes = LC_JOURNAL_SEGMENT};
	lc_journal_head_write(&head, page);
	page[8] = 2;
	put_file(scene, name, page, sizeof page);
}

Test(journal_found, others_files_are_put_aside_and_never_written_over)
{
	struct scene scene;
	setup(&scene);
	lc_journal_destroy(scene.journal);
	for (int again = 0; again < 2; again++) {
		cr_assert_eq(mkfifo(path_in(&scene, "00000007.log"), 0600), 0);
		cr_assert_eq(symlink("/dev/zero", path_in(&scene, "00000008.log")), 0);
		cr_assert_eq(mkdir(path_in(&scene, "00000009.log"), 0700), 0);
		put_a_later_version(&scene, "00000010.log");
		put_file(&scene, "00000011.log", "something else, and longer than a head", 38);
		open_journal(&scene);
		cr_assert_eq(lc_journal_recovered(scene.journal)->damaged, 5);
		cr_assert_eq(lc_journal_recovered(scene.journal)->to_send, (uint64_t)again);
		cr_assert_eq(scene.damages, (uint64_t)again + 1, "said as one gap");
		append_surely(&scene, 1, 1000);
		run_until(&scene, all_written);
		lc_journal_destroy(scene.journal);
	}
	for (int slot = 7; slot <= 11; slot++) {
		char name[64];
		const char *kind = slot == 10 ? "later" : "damaged";
		snprintf(name, sizeof name, "%08d.log.%s", slot, kind);
		cr_assert(is_there(&scene, name), "%s", name);
		snprintf(name, sizeof name, "%08d.log.%s.2", slot, kind);
		cr_assert(is_there(&scene, name), "%s", name);
	}
	open_journal(&scene);
	finish(&scene);
}

/* Numbers of more digits than a name has would be files that nobody finds again. */
Test(journal_found, after_the_last_number_comes_the_first_free_one)
{
	struct scene scene;
	char from[128];
	setup(&scene);
	for (uint64_t i = 1; i <= 90; i++) {
		append_surely(&scene, i, 100 * 1000);
		if (i == 30) { /* its files are 0, 1, 2, and perhaps a spare one */
			run_until(&scene, all_written);
			lc_journal_destroy(scene.journal);
			snprintf(from, sizeof from, "%s", path_in(&scene, "00000001.log"));
			cr_assert_eq(rename(from, path_in(&scene, "99999998.log")), 0);
			open_journal(&scene);
		}
	}
	run_until(&scene, all_written);
	cr_assert(is_there(&scene, "99999999.log") && is_there(&scene, "00000001.log"));
	crash(&scene);
	cr_assert_eq(lc_journal_recovered(scene.journal)->to_send, 90);
	cr_assert_eq(lc_journal_recovered(scene.journal)->damaged, 0);
	finish(&scene);
}

/* Somebody's copy: its records are sent once. */
Test(journal_found, a_file_that_was_copied_counts_once)
{
	struct scene scene;
	char command[300];
	setup(&scene);
	fill(&scene, 30);
	lc_journal_destroy(scene.journal);
	snprintf(command, sizeof command, "cp %s/00000001.log %s/00000050.log", scene.dir,
		scene.dir);
	cr_assert_eq(system(command), 0);
	open_journal(&scene);
	cr_assert_eq(lc_journal_recovered(scene.journal)->to_send, 30);
	cr_assert_eq(lc_journal_recovered(scene.journal)->damaged, 1);
	cr_assert_eq(scene.damages, 0, "nothing is missing");
	read_what_is_left(&scene, 30);
	finish(&scene);
}

/* --- marks --- */

static bool waited_long(struct scene *scene)
{
	return lc_loop_mono_ns(scene->loop) > scene->give_up_ns - (WAIT_MS - 2000) * LC_NS_PER_MS;
}

Test(journal_found, marks_of_many_files_are_stored_at_once, .timeout = 100)
{
	struct scene scene;
	setup(&scene);
	fill(&scene, 640);
	for (uint64_t id = 1; id <= 640; id += 9) {
		lc_journal_report(scene.journal, id);
	}
	run_until(&scene, waited_long);
	crash(&scene);
	cr_assert_eq(lc_journal_recovered(scene.journal)->to_send, 640 - 72);
	finish(&scene);
}

Test(journal_found, marks_that_the_disk_did_not_take_are_stored_later)
{
	struct scene scene;
	setup(&scene);
	for (uint64_t i = 1; i <= 3; i++) {
		append_surely(&scene, i, 1000);
	}
	run_until(&scene, all_written);
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit limit;
	getrlimit(RLIMIT_FSIZE, &limit);
	const struct rlimit none = {.rlim_cur = 100, .rlim_max = limit.rlim_max};
	run_until(&scene, waited_long); /* with the marks of the records' round behind it */
	setrlimit(RLIMIT_FSIZE, &none);
	lc_journal_report(scene.journal, 2);
	run_until(&scene, waited_long);
	setrlimit(RLIMIT_FSIZE, &limit);
	run_until(&scene, waited_long);
	crash(&scene);
	cr_assert_eq(lc_journal_recovered(scene.journal)->to_send, 2);
	finish(&scene);
}

/* A feed that begins to speak when the file's marks have been written is known after a crash. */
Test(journal_found, a_source_that_comes_later_is_known)
{
	struct scene scene;
	setup(&scene);
	append_surely(&scene, 1, 1000);
	run_until(&scene, all_written);
	run_until(&scene, waited_long);
	const struct lc_record record = {.key = "S1",
		.key_len = 2,
		.value = "2 ",
		.value_len = 2,
		.event_ns = 77,
		.source = "eastmoney",
		.schema = LC_SCHEMA_PRICE_UPDATE};
	cr_assert_eq(lc_journal_append(scene.journal, &record), LC_OK);
	run_until(&scene, waited_long);
	crash(&scene);
	const struct lc_journal_recovery *found = lc_journal_recovered(scene.journal);
	cr_assert_eq(found->source_count, 2);
	cr_assert_str_eq(found->sources[1].name, "eastmoney");
	cr_assert_eq(found->sources[1].last_event_ns, 77);
	finish(&scene);
}

/* --- a disk that fails once --- */

static struct scene *failing;

/* The first try to read a file found it away; it is back now. */
static void on_readable(void *arg)
{
	char away[128];
	(void)arg;
	if (is_there(failing, "away")) {
		snprintf(away, sizeof away, "%s", path_in(failing, "away"));
		cr_assert_eq(rename(away, path_in(failing, "00000002.log")), 0);
	}
}

Test(journal_found, a_read_that_fails_is_tried_again)
{
	struct scene scene;
	char name[128];
	setup(&scene);
	fill(&scene, 60);
	crash(&scene);
	failing = &scene;
	snprintf(name, sizeof name, "%s", path_in(&scene, "00000002.log"));
	cr_assert_eq(rename(name, path_in(&scene, "away")), 0);
	lc_journal_on_readable(scene.journal, on_readable, NULL);
	read_what_is_left(&scene, 60);
	cr_assert_not(is_there(&scene, "away"));
	cr_assert_eq(scene.damages, 0);
	finish(&scene);
}

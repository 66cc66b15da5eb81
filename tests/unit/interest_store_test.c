#include "interest_bench.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What another program does to the file while the store is closed. */
static void run_sql(const struct bench *b, const char *sql)
{
	char path[160];
	sqlite3 *db;
	snprintf(path, sizeof path, "%s/interest.db", b->dir);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

Test(interest_store, a_first_start_is_empty_and_private)
{
	struct bench b;
	struct stat st;
	bench_open(&b, SQLITE);
	open_store(&b);
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	cr_assert_eq(b.loaded->portfolio_count + b.loaded->offset_count, 0);
	cr_assert_str_empty(b.loaded->topic);
	cr_assert_eq(stat(b.dir, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	char path[160];
	snprintf(path, sizeof path, "%s/interest.db", b.dir);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	close_store(&b);
	bench_close(&b);
}

static void save_and_load(enum kind kind)
{
	struct bench b;
	bench_open(&b, kind);
	open_store(&b);
	struct lc_saved_interest *saved = make_saved(3, 12);
	add_portfolio(saved, "growth", 300);
	add_portfolio(saved, "价值'; DROP TABLE entries; --", 2);
	add_portfolio(saved, "nothing", 0)->replace_ns = 7;
	save(&b, saved);
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	reopen(&b);
	cr_assert_eq(b.loaded->portfolio_count, 3);
	cr_assert_eq(b.loaded->offset_count, 12);
	cr_assert_str_eq(b.loaded->topic, TOPIC);
	for (size_t i = 0; i < 12; i++) {
		cr_assert_eq(b.loaded->offsets[i].partition, i);
		cr_assert_eq(b.loaded->offsets[i].next, 1000 + i);
	}
	const struct lc_saved_portfolio *growth = find(b.loaded, "growth");
	cr_assert_eq(growth->count, 300);
	cr_assert_eq(growth->replace_ns, INT64_MIN);
	cr_assert_eq(growth->latest_ns, 1767922200123456789);
	for (size_t i = 0; i < 300; i++) {
		const struct lc_saved_entry *entry = &growth->entries[i];
		cr_assert_eq(entry->follow_ns, INT64_MAX - entry->since_ns);
		cr_assert_eq(entry->remove_ns, INT64_MIN);
		cr_assert_eq(atoi(entry->symbol), entry->since_ns + 1);
	}
	cr_assert_eq(find(b.loaded, "价值'; DROP TABLE entries; --")->count, 2);
	cr_assert_eq(find(b.loaded, "nothing")->replace_ns, 7);
	close_store(&b);
	bench_close(&b);
}

Test(interest_store, what_was_saved_is_loaded)
{
	for (enum kind kind = SQLITE; kind < KINDS; kind++) {
		save_and_load(kind);
	}
}

static void replace_some(enum kind kind)
{
	struct bench b;
	bench_open(&b, kind);
	open_store(&b);
	struct lc_saved_interest *saved = make_saved(3, 4);
	add_portfolio(saved, "kept", 5);
	add_portfolio(saved, "changed", 5);
	add_portfolio(saved, "gone", 5);
	save(&b, saved);
	saved = make_saved(2, 2);
	add_portfolio(saved, "changed", 1);
	add_portfolio(saved, "gone", 0)->gone = true;
	saved->offsets[1].next = 2000;
	save(&b, saved);
	reopen(&b);
	cr_assert_eq(b.loaded->portfolio_count, 2);
	cr_assert_eq(find(b.loaded, "kept")->count, 5);
	cr_assert_eq(find(b.loaded, "changed")->count, 1);
	cr_assert_null(find(b.loaded, "gone"));
	cr_assert_eq(b.loaded->offset_count, 2, "offsets are all replaced");
	cr_assert_eq(b.loaded->offsets[1].next, 2000);
	/* Another topic's offsets take the place of the first one's. */
	saved = make_saved(0, 1);
	strcpy(saved->topic, "other");
	save(&b, saved);
	reopen(&b);
	cr_assert_eq(b.loaded->offset_count, 1);
	cr_assert_str_eq(b.loaded->topic, "other");
	cr_assert_eq(b.loaded->portfolio_count, 2);
	close_store(&b);
	bench_close(&b);
}

Test(interest_store, a_save_replaces_its_portfolios_and_leaves_the_others)
{
	for (enum kind kind = SQLITE; kind < KINDS; kind++) {
		replace_some(kind);
	}
}

static void complete_save(enum kind kind)
{
	struct bench b;
	bench_open(&b, kind);
	open_store(&b);
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	struct lc_saved_interest *saved = make_saved(150, 1);
	for (int i = 0; i < 150; i++) {
		char id[16];
		snprintf(id, sizeof id, "p%d", i);
		add_portfolio(saved, id, (size_t)i % 3);
	}
	save(&b, saved);
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	reopen(&b);
	cr_assert_eq(b.loaded->portfolio_count, 150);
	saved = make_saved(2, 1);
	saved->complete = true;
	add_portfolio(saved, "p7", 9);
	add_portfolio(saved, "new", 1);
	save(&b, saved);
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	save(&b, make_saved(0, 0));
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	reopen(&b);
	cr_assert_eq(b.loaded->portfolio_count, 2, "%zu", b.loaded->portfolio_count);
	cr_assert_eq(find(b.loaded, "p7")->count, 9);
	cr_assert_eq(find(b.loaded, "new")->count, 1);
	cr_assert_eq(b.loaded->offset_count, 0);
	close_store(&b);
	bench_close(&b);
}

Test(interest_store, a_complete_save_leaves_nothing_else)
{
	for (enum kind kind = SQLITE; kind < KINDS; kind++) {
		complete_save(kind);
	}
}

/* Something fails in the middle of a save: neither sets nor offsets may move. */
Test(interest_store, sets_and_offsets_move_together_or_not_at_all)
{
	struct bench b;
	bench_open(&b, SQLITE);
	open_store(&b);
	struct lc_saved_interest *saved = make_saved(1, 2);
	add_portfolio(saved, "p", 3);
	save(&b, saved);
	close_store(&b);
	run_sql(&b, "CREATE TRIGGER t BEFORE INSERT ON offsets WHEN new.partition = 1 "
		    "BEGIN SELECT RAISE(ABORT, 'no more'); END");
	open_store(&b);
	saved = make_saved(2, 2);
	add_portfolio(saved, "p", 1);
	add_portfolio(saved, "q", 1);
	saved->offsets[0].next = 5000;
	save(&b, saved);
	cr_assert_eq(b.err.code, LC_ERR_IO);
	cr_assert(strstr(b.err.text, "no more"), "%s", b.err.text);
	reopen(&b);
	cr_assert_eq(b.loaded->portfolio_count, 1);
	cr_assert_eq(find(b.loaded, "p")->count, 3);
	cr_assert_eq(b.loaded->offset_count, 2);
	cr_assert_eq(b.loaded->offsets[0].next, 1000);
	close_store(&b);
	bench_close(&b);
}

static void write_file(const char *path, const void *data, size_t len, off_t at)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	cr_assert(fd >= 0);
	cr_assert_eq(pwrite(fd, data, len, at), (ssize_t)len);
	close(fd);
}

static int count_damaged(const struct bench *b)
{
	char command[256];
	int count = -1;
	snprintf(
		command, sizeof command, "ls %s | grep -c 'interest.db.damaged-[0-9T]*Z$'", b->dir);
	FILE *pipe = popen(command, "r");
	cr_assert_eq(fscanf(pipe, "%d", &count), 1);
	pclose(pipe);
	return count;
}

Test(interest_store, a_damaged_file_is_set_aside)
{
	static char noise[4096];
	memset(noise, 0xa5, sizeof noise);
	/* Not SQLite at all, and a page in the middle overwritten. */
	for (int page = 0; page < 2; page++) {
		struct bench b;
		char path[160];
		bench_open(&b, SQLITE);
		lc_log_set_levels(b.f.log, "off", NULL);
		open_store(&b);
		struct lc_saved_interest *saved = make_saved(1, 2);
		add_portfolio(saved, "p", 3000);
		save(&b, saved);
		close_store(&b);
		snprintf(path, sizeof path, "%s/interest.db", b.dir);
		write_file(path, noise, sizeof noise, page ? 4096 * 4 : 0);
		open_store(&b);
		cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
		cr_assert_eq(b.loaded->portfolio_count + b.loaded->offset_count, 0);
		cr_assert_eq(count_damaged(&b), 1);
		saved = make_saved(1, 1);
		add_portfolio(saved, "again", 1);
		save(&b, saved);
		cr_assert_eq(b.err.code, LC_OK, "the new file works: %s", b.err.text);
		reopen(&b);
		cr_assert_eq(b.loaded->portfolio_count, 1);
		close_store(&b);
		bench_close(&b);
	}
}

Test(interest_store, a_newer_file_is_left_alone)
{
	struct bench b;
	bench_open(&b, SQLITE);
	open_store(&b);
	close_store(&b);
	run_sql(&b, "PRAGMA user_version=99");
	open_store(&b);
	cr_assert_eq(b.err.code, LC_ERR_UNSUPPORTED);
	cr_assert(strstr(b.err.text, "version 99"), "%s", b.err.text);
	cr_assert_eq(count_damaged(&b), 0);
	/* A save all the same is answered, not done. */
	save(&b, make_saved(0, 1));
	cr_assert_eq(b.err.code, LC_ERR_CLOSED);
	close_store(&b);
	bench_close(&b);
}

Test(interest_store, a_directory_that_cannot_be_written_is_an_error)
{
	struct bench b;
	bench_open(&b, SQLITE);
	snprintf(b.dir, sizeof b.dir, "%s/file/state", b.root);
	char path[160];
	snprintf(path, sizeof path, "%s/file", b.root);
	write_file(path, "x", 1, 0);
	open_store(&b);
	cr_assert_eq(b.err.code, LC_ERR_IO);
	cr_assert(strstr(b.err.text, path), "%s", b.err.text);
	close_store(&b);

	snprintf(b.dir, sizeof b.dir, "%s/readonly", b.root);
	cr_assert_eq(mkdir(b.dir, 0500), 0);
	cr_assert_eq(chmod(b.root, 0755), 0);
	bool root = geteuid() == 0; /* root may write everywhere */
	cr_assert(!root || seteuid(65534) == 0);
	open_store(&b);
	cr_assert_eq(b.err.code, LC_ERR_IO);
	cr_assert(strstr(b.err.text, "Permission denied"), "%s", b.err.text);
	close_store(&b);
	cr_assert(!root || seteuid(0) == 0);
	bench_close(&b);
}

static void close_early(enum kind kind)
{
	struct bench b;
	bench_open(&b, kind);
	start_store(&b);
	close_store(&b);
	cr_assert_eq(b.loads, 1, "loaded is called all the same");
	open_store(&b);
	struct lc_saved_interest *saved = make_saved(1, 1);
	add_portfolio(saved, "p", 1000);
	lc_interest_store_save(b.store, saved, on_saved, &b);
	close_store(&b);
	cr_assert_eq(b.saves, 1);
	cr_assert_eq(b.err.code, LC_OK);
	open_store(&b);
	cr_assert_eq(find(b.loaded, "p")->count, 1000);
	close_store(&b);
	cr_assert_eq(b.closes, 3);
	b.was_closed = false;
	lc_interest_store_close(NULL, on_closed, &b);
	cr_assert(b.was_closed, "nothing to close");
	bench_close(&b);
}

Test(interest_store, closing_waits_for_what_is_under_way)
{
	for (enum kind kind = SQLITE; kind < KINDS; kind++) {
		close_early(kind);
	}
}

static void on_saved_close(void *arg, const struct lc_error *err)
{
	struct bench *b = arg;
	on_saved(arg, err);
	lc_interest_store_close(b->store, on_closed, b);
}

static void on_saved_again(void *arg, const struct lc_error *err)
{
	struct bench *b = arg;
	on_saved(arg, err);
	struct lc_saved_interest *saved = make_saved(1, 1);
	add_portfolio(saved, "second", 1);
	lc_interest_store_save(b->store, saved, on_saved_close, b);
}

static void save_inside_done(enum kind kind)
{
	struct bench b;
	bench_open(&b, kind);
	open_store(&b);
	lc_interest_store_save(b.store, make_saved(0, 1), on_saved_again, &b);
	run_until(&b.f, &b.was_closed);
	cr_assert_eq(b.saves, 2);
	open_store(&b);
	cr_assert_not_null(find(b.loaded, "second"));
	close_store(&b);
	bench_close(&b);
}

Test(interest_store, a_save_may_follow_and_a_close_may_come_inside_done)
{
	for (enum kind kind = SQLITE; kind < KINDS; kind++) {
		save_inside_done(kind);
	}
}

/* The file goes bad under a process that runs: the save fails and says so, and the next one finds a
 * file that works. */
Test(interest_store, damage_found_by_a_save_is_set_aside)
{
	static char noise[65536];
	struct bench b;
	char path[160];
	memset(noise, 0xa5, sizeof noise);
	bench_open(&b, SQLITE);
	lc_log_set_levels(b.f.log, "off", NULL);
	open_store(&b);
	struct lc_saved_interest *saved = make_saved(1, 2);
	add_portfolio(saved, "p", 300);
	save(&b, saved);
	reopen(&b);
	/* So that the store's cached pages do not count. */
	run_sql(&b, "CREATE TABLE foreign_hand(x)");
	snprintf(path, sizeof path, "%s/interest.db", b.dir);
	write_file(path, noise, sizeof noise, 0);
	saved = make_saved(1, 2);
	add_portfolio(saved, "p", 300);
	save(&b, saved);
	cr_assert_eq(b.err.code, LC_ERR_IO);
	cr_assert_eq(count_damaged(&b), 1);
	saved = make_saved(1, 2);
	add_portfolio(saved, "p", 2);
	save(&b, saved);
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	reopen(&b);
	cr_assert_eq(find(b.loaded, "p")->count, 2);
	close_store(&b);
	bench_close(&b);
}

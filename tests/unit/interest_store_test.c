#include "livecore/interest_store.h"
#include "loop_fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TOPIC "ginkgo.live.interest.updates"

struct bench {
	struct fixture f;
	char root[64], dir[128];
	struct lc_interest_store *store;
	struct lc_saved_interest *loaded; /* of the last open; owned */
	struct lc_error err;
	int loads, saves, closes;
	bool was_loaded, was_saved, was_closed;
};

static void on_loaded(void *arg, struct lc_saved_interest *saved, const struct lc_error *err)
{
	struct bench *b = arg;
	b->loads++;
	b->was_loaded = true;
	b->err = err ? *err : (struct lc_error){.code = LC_OK};
	cr_assert(err ? !saved : saved != NULL, "either saved or err");
	lc_saved_interest_free(b->loaded);
	b->loaded = saved;
}

static void on_saved(void *arg, const struct lc_error *err)
{
	struct bench *b = arg;
	b->saves++;
	b->was_saved = true;
	b->err = err ? *err : (struct lc_error){.code = LC_OK};
}

static void on_closed(void *arg)
{
	struct bench *b = arg;
	b->closes++;
	b->was_closed = true;
	b->store = NULL;
}

static void bench_open(struct bench *b)
{
	*b = (struct bench){0};
	fixture_open(&b->f);
	strcpy(b->root, "/tmp/livecore-store-XXXXXX");
	cr_assert(mkdtemp(b->root));
	snprintf(b->dir, sizeof b->dir, "%s/state/of/it", b->root);
}

static void bench_close(struct bench *b)
{
	char command[256];
	lc_saved_interest_free(b->loaded);
	snprintf(command, sizeof command, "rm -rf %s", b->root);
	cr_assert_eq(system(command), 0);
	fixture_close(&b->f);
}

static void open_store(struct bench *b)
{
	b->was_loaded = false;
	cr_assert_eq(lc_interest_store_open(b->f.loop, b->dir, on_loaded, b, &b->store), LC_OK);
	cr_assert(!b->was_loaded, "never from inside the call");
	run_until(&b->f, &b->was_loaded);
}

static void close_store(struct bench *b)
{
	b->was_closed = false;
	lc_interest_store_close(b->store, on_closed, b);
	run_until(&b->f, &b->was_closed);
}

static void save(struct bench *b, struct lc_saved_interest *saved)
{
	b->was_saved = false;
	lc_interest_store_save(b->store, saved, on_saved, b);
	cr_assert(!b->was_saved, "never from inside the call");
	run_until(&b->f, &b->was_saved);
}

static struct lc_saved_interest *make_saved(size_t portfolios, size_t offsets)
{
	struct lc_saved_interest *saved = calloc(1, sizeof *saved);
	saved->portfolios = calloc(portfolios + 1, sizeof *saved->portfolios);
	saved->offsets = calloc(offsets + 1, sizeof *saved->offsets);
	saved->offset_count = offsets;
	strcpy(saved->topic, TOPIC);
	for (size_t i = 0; i < offsets; i++) {
		saved->offsets[i] = (struct lc_saved_offset){(int32_t)i, 1000 + (int64_t)i};
	}
	return saved;
}

static struct lc_saved_portfolio *add_portfolio(
	struct lc_saved_interest *saved, const char *id, size_t count)
{
	struct lc_saved_portfolio *portfolio = &saved->portfolios[saved->portfolio_count++];
	portfolio->id = strdup(id);
	portfolio->replace_ns = INT64_MIN;
	portfolio->latest_ns = 1767922200123456789;
	portfolio->entries = calloc(count + 1, sizeof *portfolio->entries);
	portfolio->count = count;
	for (size_t i = 0; i < count; i++) {
		struct lc_saved_entry *entry = &portfolio->entries[i];
		snprintf(entry->symbol, sizeof entry->symbol, "%06zu.SZ", i + 1);
		entry->follow_ns = INT64_MAX - (int64_t)i;
		entry->remove_ns = INT64_MIN;
		entry->since_ns = (int64_t)i;
	}
	return portfolio;
}

static const struct lc_saved_portfolio *find(const struct lc_saved_interest *saved, const char *id)
{
	for (size_t i = 0; i < saved->portfolio_count; i++) {
		if (strcmp(saved->portfolios[i].id, id) == 0) {
			return &saved->portfolios[i];
		}
	}
	return NULL;
}

static void reopen(struct bench *b)
{
	close_store(b);
	open_store(b);
	cr_assert_eq(b->err.code, LC_OK, "%s", b->err.text);
}

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
	bench_open(&b);
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

Test(interest_store, what_was_saved_is_loaded)
{
	struct bench b;
	bench_open(&b);
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

Test(interest_store, a_save_replaces_its_portfolios_and_leaves_the_others)
{
	struct bench b;
	bench_open(&b);
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

/* Something fails in the middle of a save: neither sets nor offsets may move. */
Test(interest_store, sets_and_offsets_move_together_or_not_at_all)
{
	struct bench b;
	bench_open(&b);
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
		bench_open(&b);
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
	bench_open(&b);
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
	bench_open(&b);
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

Test(interest_store, closing_waits_for_what_is_under_way)
{
	struct bench b;
	bench_open(&b);
	cr_assert_eq(lc_interest_store_open(b.f.loop, b.dir, on_loaded, &b, &b.store), LC_OK);
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

Test(interest_store, a_save_may_follow_and_a_close_may_come_inside_done)
{
	struct bench b;
	bench_open(&b);
	open_store(&b);
	lc_interest_store_save(b.store, make_saved(0, 1), on_saved_again, &b);
	run_until(&b.f, &b.was_closed);
	cr_assert_eq(b.saves, 2);
	open_store(&b);
	cr_assert_not_null(find(b.loaded, "second"));
	close_store(&b);
	bench_close(&b);
}

/* The file goes bad under a process that runs: the save fails and says so, and the next one finds a
 * file that works. */
Test(interest_store, damage_found_by_a_save_is_set_aside)
{
	static char noise[65536];
	struct bench b;
	char path[160];
	memset(noise, 0xa5, sizeof noise);
	bench_open(&b);
	lc_log_set_levels(b.f.log, "off", NULL);
	open_store(&b);
	struct lc_saved_interest *saved = make_saved(1, 2);
	add_portfolio(saved, "p", 300);
	save(&b, saved);
	reopen(&b);
	run_sql(&b,
		"CREATE TABLE foreign_hand(x)"); /* so that the store's cached pages do not count */
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

#include "livecore/bar_state.h"
#include "loop_fixture.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
	struct fixture f;
	char root[64], dir[96];
	struct lc_bar_state *state;
	struct lc_bar_pieces seen; /* what was loaded, all batches */
	int64_t saved_ns;
	size_t count;
	bool answered, closed;
	struct lc_error err;
};

static void on_loaded(
	void *arg, const struct lc_bar_pieces *pieces, int64_t saved_ns, const struct lc_error *err)
{
	struct bench *b = arg;
	b->answered = true;
	b->saved_ns = saved_ns;
	b->count = pieces->count;
	b->err = err ? *err : (struct lc_error){.code = LC_OK};
	lc_buf_append(&b->seen.buf, pieces->buf.data ? pieces->buf.data : "", pieces->buf.len);
}

static void on_saved(void *arg, const struct lc_error *err)
{
	struct bench *b = arg;
	b->answered = true;
	b->err = err ? *err : (struct lc_error){.code = LC_OK};
}

static void on_closed(void *arg)
{
	((struct bench *)arg)->closed = true;
}

static void open_state(struct bench *b)
{
	cr_assert_eq(lc_bar_state_create(b->f.loop, b->dir, &b->state), LC_OK);
}

static void close_state(struct bench *b)
{
	b->closed = false;
	lc_bar_state_close(b->state, on_closed, b);
	run_until(&b->f, &b->closed);
}

static void bench_open(struct bench *b)
{
	memset(b, 0, sizeof *b);
	fixture_open(&b->f);
	strcpy(b->root, "/tmp/livecore-bar-state-XXXXXX");
	cr_assert(mkdtemp(b->root));
	snprintf(b->dir, sizeof b->dir, "%s/of/it", b->root);
	lc_bar_pieces_init(&b->seen);
	open_state(b);
}

static void bench_close(struct bench *b)
{
	close_state(b);
	lc_bar_pieces_finish(&b->seen);
	fixture_close(&b->f);
	scratch_remove(b->root);
}

static void save(struct bench *b, struct lc_bar_pieces *pieces, int64_t saved_ns)
{
	b->answered = false;
	lc_bar_state_save(b->state, pieces, saved_ns, on_saved, b);
	cr_assert_eq(pieces->count, 0, "they are taken over");
	run_until(&b->f, &b->answered);
}

/* Loads everything; returns how many pieces. */
static size_t load(struct bench *b)
{
	size_t total = 0;
	lc_bar_pieces_finish(&b->seen);
	do {
		b->answered = false;
		lc_bar_state_load(b->state, on_loaded, b);
		run_until(&b->f, &b->answered);
		total += b->count;
	} while (b->count > 0 && b->err.code == LC_OK);
	return total;
}

Test(bar_state, pieces_come_back_in_order_and_the_newest_of_each)
{
	struct bench b;
	struct lc_bar_pieces pieces;
	struct lc_bar_piece piece;
	bench_open(&b);
	cr_assert_eq(load(&b), 0);
	cr_assert_eq(b.saved_ns, 0);
	lc_bar_pieces_init(&pieces);
	for (int32_t key = 9999; key >= 0; key--) { /* more than one batch */
		cr_assert_eq(lc_bar_pieces_add(&pieces, "IBM", key, &key, sizeof key), LC_OK);
	}
	lc_bar_pieces_add(&pieces, "AAPL", 0, "old", 3);
	lc_bar_pieces_add(&pieces, "GONE", 0, "x", 1);
	save(&b, &pieces, 0);
	lc_bar_pieces_add(&pieces, "AAPL", 0, "new", 3);
	lc_bar_pieces_add(&pieces, "GONE", LC_BAR_PIECE_FORGET, NULL, 0);
	lc_bar_pieces_add(&pieces, "BACK", LC_BAR_PIECE_FORGET, NULL, 0);
	lc_bar_pieces_add(&pieces, "BACK", 0, "y", 1);
	save(&b, &pieces, 77);
	close_state(&b);
	open_state(&b);
	cr_assert_eq(load(&b), 10002);
	cr_assert_eq(b.saved_ns, 77);
	size_t cursor = 0;
	cr_assert(lc_bar_pieces_next(&b.seen, &cursor, &piece));
	cr_assert_str_eq(piece.symbol, "AAPL");
	cr_assert(piece.len == 3 && memcmp(piece.data, "new", 3) == 0);
	cr_assert(lc_bar_pieces_next(&b.seen, &cursor, &piece));
	cr_assert_str_eq(piece.symbol, "BACK");
	for (int32_t key = 0; key < 10000; key++) {
		cr_assert(lc_bar_pieces_next(&b.seen, &cursor, &piece));
		cr_assert_eq(piece.key, key);
		cr_assert(piece.len == sizeof key && memcmp(piece.data, &key, sizeof key) == 0);
	}
	cr_assert_not(lc_bar_pieces_next(&b.seen, &cursor, &piece));
	bench_close(&b);
}

Test(bar_state, only_one_process_has_the_file)
{
	struct bench b;
	bench_open(&b);
	cr_assert_eq(load(&b), 0);
	struct lc_bar_state *first = b.state;
	open_state(&b);
	load(&b);
	cr_assert_eq(b.err.code, LC_ERR_EXISTS);
	close_state(&b);
	b.state = first;
	bench_close(&b);
}

Test(bar_state, a_damaged_file_is_set_aside)
{
	struct bench b;
	struct lc_bar_pieces pieces;
	char path[128];
	bench_open(&b);
	lc_bar_pieces_init(&pieces);
	lc_bar_pieces_add(&pieces, "IBM", 0, "x", 1);
	save(&b, &pieces, 5);
	close_state(&b);
	snprintf(path, sizeof path, "%s/bar_state.db", b.dir);
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 1000; i++) {
		fputs("no database", file);
	}
	fclose(file);
	open_state(&b);
	cr_assert_eq(load(&b), 0);
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	lc_bar_pieces_add(&pieces, "IBM", 0, "y", 1);
	save(&b, &pieces, 6);
	cr_assert_eq(b.err.code, LC_OK, "%s", b.err.text);
	close_state(&b);
	open_state(&b);
	cr_assert_eq(load(&b), 1);
	bench_close(&b);
}

#include "livecore/bar_state.h"

#include "store/bar_state_db.h"
#include "store/pool_work.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOADED_AT_ONCE 4000 /* pieces: some ms in the pool, some 400 KB */

/* In front of each piece in a batch. */
struct head {
	char symbol[LC_SYMBOL_MAX];
	int32_t key;
	uint32_t len;
};

enum work { WORK_LOAD, WORK_SAVE, WORK_CLOSE };

struct lc_bar_state {
	struct pool_work pool;
	struct bar_state_db db;      /* the pool's while it works */
	struct lc_bar_pieces pieces; /* what is being loaded or saved */
	struct lc_error err;
	int64_t wall_ns, saved_ns;
	enum work work;
	bool closing;
	lc_bar_state_load_cb loaded;
	lc_bar_state_cb done;
	void *arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* --- batches --- */

void lc_bar_pieces_init(struct lc_bar_pieces *pieces)
{
	lc_buf_init(&pieces->buf, LC_BAR_PIECES_BYTES);
	pieces->count = 0;
}

void lc_bar_pieces_finish(struct lc_bar_pieces *pieces)
{
	lc_buf_finish(&pieces->buf);
	pieces->count = 0;
}

enum lc_err lc_bar_pieces_add(
	struct lc_bar_pieces *pieces, const char *symbol, int32_t key, const void *data, size_t len)
{
	struct head head = {.key = key, .len = (uint32_t)len};
	snprintf(head.symbol, sizeof head.symbol, "%s", symbol);
	char *at = lc_buf_reserve(&pieces->buf, sizeof head + len);
	if (!at) {
		return LC_ERR_NOMEM;
	}
	memcpy(at, &head, sizeof head);
	if (len > 0) {
		memcpy(at + sizeof head, data, len);
	}
	pieces->buf.len += sizeof head + len;
	pieces->count++;
	return LC_OK;
}

bool lc_bar_pieces_next(
	const struct lc_bar_pieces *pieces, size_t *cursor, struct lc_bar_piece *out)
{
	struct head head;
	if (*cursor >= pieces->buf.len) {
		return false;
	}
	memcpy(&head, pieces->buf.data + *cursor, sizeof head);
	*out = (struct lc_bar_piece){
		.key = head.key, .len = head.len, .data = pieces->buf.data + *cursor + sizeof head};
	memcpy(out->symbol, head.symbol, sizeof head.symbol);
	*cursor += sizeof head + head.len;
	return true;
}

/* --- in the pool --- */

static void do_work(void *arg)
{
	struct lc_bar_state *state = arg;
	if (state->work == WORK_CLOSE) {
		bar_state_db_close(&state->db);
		return;
	}
	if (bar_state_db_open(&state->db, state->wall_ns, &state->err) != LC_OK) {
		return;
	}
	if (state->work == WORK_SAVE) {
		bar_state_db_save(
			&state->db, state->wall_ns, &state->pieces, state->saved_ns, &state->err);
		return;
	}
	enum lc_err rc = bar_state_db_load(&state->db, state->wall_ns, LOADED_AT_ONCE,
		&state->pieces, &state->saved_ns, &state->err);
	if (rc != LC_OK && state->db.set_aside[0]) {
		state->err.code = LC_OK; /* it counts as empty */
		lc_bar_pieces_finish(&state->pieces);
	}
}

/* --- on the loop --- */

static void say_set_aside(struct lc_bar_state *state)
{
	if (state->db.set_aside[0]) {
		lc_log(lc_loop_log(state->pool.loop), LC_LOG_ERROR, "bars",
			"damaged_file_set_aside", LC_S("file", state->db.set_aside));
		state->db.set_aside[0] = '\0';
	}
}

static void finish_close(struct lc_bar_state *state)
{
	void (*closed)(void *) = state->closed;
	void *arg = state->closed_arg;
	pool_work_finish(&state->pool);
	lc_bar_pieces_finish(&state->pieces);
	free(state);
	closed(arg);
}

static void start(struct lc_bar_state *state, enum work work)
{
	state->work = work;
	state->wall_ns = lc_loop_wall_ns(state->pool.loop);
	state->err = (struct lc_error){.code = LC_OK};
	pool_work_start(&state->pool);
}

static void on_worked(void *arg, const struct lc_error *not_run)
{
	struct lc_bar_state *state = arg;
	say_set_aside(state);
	if (state->work == WORK_CLOSE) {
		if (not_run) {
			bar_state_db_close(&state->db);
		}
		finish_close(state);
		return;
	}
	/* The answer may start the next piece of work, which uses these again. */
	struct lc_error err = not_run ? *not_run : state->err;
	struct lc_bar_pieces pieces = state->pieces;
	const struct lc_error *wrong = err.code != LC_OK ? &err : NULL;
	lc_bar_pieces_init(&state->pieces);
	if (state->work == WORK_LOAD) {
		state->loaded(state->arg, &pieces, state->saved_ns, wrong);
	} else {
		state->done(state->arg, wrong);
	}
	lc_bar_pieces_finish(&pieces);
	if (state->closing && !state->pool.busy) {
		start(state, WORK_CLOSE);
	}
}

enum lc_err lc_bar_state_create(struct lc_loop *loop, const char *dir, struct lc_bar_state **out)
{
	return lc_bar_state_create_as(loop, dir, "bar_state", out);
}

enum lc_err lc_bar_state_create_as(
	struct lc_loop *loop, const char *dir, const char *name, struct lc_bar_state **out)
{
	struct lc_bar_state *state = calloc(1, sizeof *state);
	if (!state) {
		return LC_ERR_NOMEM;
	}
	state->db.lock_fd = -1;
	state->db.name = name;
	state->db.key = INT32_MIN;
	lc_bar_pieces_init(&state->pieces);
	size_t len = (size_t)snprintf(state->db.dir, sizeof state->db.dir, "%s", dir);
	enum lc_err rc = len < sizeof state->db.dir ? LC_OK : LC_ERR_TOO_LARGE;
	rc = rc ? rc : pool_work_init(&state->pool, loop, do_work, on_worked, state);
	if (rc != LC_OK) {
		free(state);
		return rc;
	}
	*out = state;
	return LC_OK;
}

void lc_bar_state_load(struct lc_bar_state *state, lc_bar_state_load_cb loaded, void *arg)
{
	assert(!state->closing);
	state->loaded = loaded;
	state->arg = arg;
	start(state, WORK_LOAD);
}

void lc_bar_state_save(struct lc_bar_state *state, struct lc_bar_pieces *pieces, int64_t saved_ns,
	lc_bar_state_cb done, void *arg)
{
	assert(!state->closing);
	lc_bar_pieces_finish(&state->pieces);
	state->pieces = *pieces;
	lc_bar_pieces_init(pieces);
	state->saved_ns = saved_ns;
	state->done = done;
	state->arg = arg;
	start(state, WORK_SAVE);
}

void lc_bar_state_close(struct lc_bar_state *state, void (*done)(void *arg), void *arg)
{
	if (!state) {
		done(arg);
		return;
	}
	assert(!state->closing);
	state->closing = true;
	state->closed = done;
	state->closed_arg = arg;
	if (!state->pool.busy) {
		start(state, WORK_CLOSE);
	}
}

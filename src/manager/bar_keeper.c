#include "manager/bar_keeper.h"

#include "livecore/bar_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAVE_MS 5000
#define GIVE_UP_MS 15000 /* ticks matter more than what a disk may still say */
#define RESTORED_A_STEP 100
#define SAVED_A_STEP 100
#define BATCH_BYTES (1 << 20)

enum phase { PHASE_LOADING, PHASE_READY, PHASE_STOPPING };

struct lc_bar_keeper {
	struct lc_bar_keeper_setup setup;
	struct lc_bar_state *state;
	struct lc_timer *save_timer, *give_up_timer;
	struct lc_slice *slice;
	struct lc_bar_pieces pieces; /* being given back, or collected */
	enum phase phase;
	bool late;         /* the loading was given up; its answer may still come */
	bool loading;      /* the state is at work for us */
	bool saving;       /* a round is under way: slices and transactions in turns */
	bool writing;      /* … a transaction */
	bool all;          /* the next round stores everything */
	bool final;        /* the round under way is that of the stop */
	size_t cursor;     /* in pieces, or the next symbol of a round */
	int64_t saved_ns;  /* of what is given back */
	int64_t round_ns;  /* when the round began, wall time */
	uint32_t current;  /* the symbol being given back */
	bool failed_round; /* some piece of it is not stored */
	char last[LC_SYMBOL_MAX];
	struct lc_bar_keeper_status status;
	void (*done)(void *arg);
	void *done_arg;
};

static struct lc_log *log_of(const struct lc_bar_keeper *keeper)
{
	return lc_loop_log(keeper->setup.loop);
}

static void save_step_or_write(struct lc_bar_keeper *keeper);

/* --- the end --- */

static void on_state_closed(void *arg)
{
	struct lc_bar_keeper *keeper = arg;
	void (*done)(void *) = keeper->done;
	void *done_arg = keeper->done_arg;
	lc_timer_destroy(keeper->save_timer);
	lc_timer_destroy(keeper->give_up_timer);
	lc_bar_pieces_finish(&keeper->pieces);
	free(keeper);
	done(done_arg);
}

static void close_state(struct lc_bar_keeper *keeper)
{
	struct lc_bar_state *state = keeper->state;
	lc_bar_state_close(state, on_state_closed, keeper);
}

/* --- giving back --- */

static void become_ready(struct lc_bar_keeper *keeper)
{
	lc_timer_stop(keeper->give_up_timer);
	lc_bar_pieces_finish(&keeper->pieces);
	if (keeper->phase == PHASE_LOADING) {
		keeper->phase = PHASE_READY;
		keeper->cursor = 0;
		lc_timer_start(keeper->save_timer, SAVE_MS, SAVE_MS);
		keeper->setup.host->ready(keeper->setup.arg);
	}
}

static void restore_piece(struct lc_bar_keeper *keeper, const struct lc_bar_piece *piece)
{
	if (strcmp(piece->symbol, keeper->last) != 0) {
		snprintf(keeper->last, sizeof keeper->last, "%s", piece->symbol);
		if (lc_symbols_intern(keeper->setup.symbols, piece->symbol, strlen(piece->symbol),
			    &keeper->current) != LC_OK) {
			keeper->current = LC_SYMBOL_NONE;
		}
	}
	if (keeper->current == LC_SYMBOL_NONE) {
		keeper->status.damaged++;
		return;
	}
	enum lc_err rc = lc_bars_restore(
		keeper->setup.bars, keeper->current, piece->key, piece->data, piece->len);
	keeper->status.restored += rc == LC_OK;
	keeper->status.damaged += rc != LC_OK && rc != LC_ERR_NOT_FOUND;
	if (rc == LC_OK && piece->key == 0) {
		keeper->setup.host->restored(keeper->setup.arg, keeper->current, keeper->saved_ns);
	}
}

static void load_more(struct lc_bar_keeper *keeper);

static bool on_restore_step(void *arg)
{
	struct lc_bar_keeper *keeper = arg;
	struct lc_bar_piece piece;
	for (int n = 0; n < RESTORED_A_STEP; n++) {
		if (!lc_bar_pieces_next(&keeper->pieces, &keeper->cursor, &piece)) {
			return false;
		}
		restore_piece(keeper, &piece);
	}
	return true;
}

static void on_restore_done(void *arg)
{
	struct lc_bar_keeper *keeper = arg;
	keeper->slice = NULL;
	lc_bar_pieces_finish(&keeper->pieces);
	load_more(keeper);
}

static void say_restored(struct lc_bar_keeper *keeper, const struct lc_error *err)
{
	snprintf(keeper->status.why, sizeof keeper->status.why, "%s", err ? err->text : "");
	if (err) {
		lc_log(log_of(keeper), LC_LOG_ERROR, "bars", "state_unusable",
			LC_S("error", err->text));
	}
	if (keeper->status.damaged > 0) {
		lc_log(log_of(keeper), LC_LOG_WARN, "bars", "state_partly_unusable",
			LC_U("pieces", keeper->status.damaged));
	}
}

static void on_loaded(
	void *arg, const struct lc_bar_pieces *pieces, int64_t saved_ns, const struct lc_error *err)
{
	struct lc_bar_keeper *keeper = arg;
	keeper->loading = false;
	if (keeper->phase == PHASE_STOPPING) {
		close_state(keeper);
		return;
	}
	if (keeper->late) {
		return; /* ready was said long ago */
	}
	if (err || pieces->count == 0) {
		say_restored(keeper, err);
		become_ready(keeper);
		return;
	}
	/* The batch is the state's: a copy is cheaper than a second way to own it. */
	lc_buf_append(&keeper->pieces.buf, pieces->buf.data, pieces->buf.len);
	keeper->cursor = 0;
	keeper->saved_ns = saved_ns;
	if (keeper->pieces.buf.failed ||
		lc_slice_start(keeper->setup.loop, "restore_bars", on_restore_step, on_restore_done,
			keeper, &keeper->slice) != LC_OK) {
		const struct lc_error memory = {LC_ERR_NOMEM, "out of memory"};
		say_restored(keeper, &memory);
		become_ready(keeper);
	}
}

static void load_more(struct lc_bar_keeper *keeper)
{
	keeper->loading = true;
	lc_bar_state_load(keeper->state, on_loaded, keeper);
}

static void on_give_up(void *arg)
{
	struct lc_bar_keeper *keeper = arg;
	const struct lc_error slow = {LC_ERR_TIMEOUT,
		"the disk did not give back the day's bars in 15 s: they begin anew where they are "
		"missing"};
	keeper->late = true;
	lc_slice_cancel(keeper->slice);
	keeper->slice = NULL;
	say_restored(keeper, &slow);
	become_ready(keeper);
}

/* --- storing --- */

static void collect(void *arg, uint32_t symbol, int32_t key, const void *data, size_t len)
{
	struct lc_bar_keeper *keeper = arg;
	const char *text = lc_symbols_get(keeper->setup.symbols, symbol)->text;
	if (lc_bar_pieces_add(&keeper->pieces, text, key, data, len) != LC_OK) {
		keeper->failed_round = true;
	}
}

static void end_round(struct lc_bar_keeper *keeper)
{
	keeper->saving = false;
	keeper->all = keeper->failed_round;
	if (keeper->phase == PHASE_STOPPING && keeper->final) {
		close_state(keeper);
	} else if (keeper->phase == PHASE_STOPPING) {
		keeper->final = true;
		save_step_or_write(keeper);
	}
}

static void on_written(void *arg, const struct lc_error *err)
{
	struct lc_bar_keeper *keeper = arg;
	keeper->writing = false;
	keeper->failed_round |= err != NULL;
	keeper->status.saves += err == NULL;
	keeper->status.failures += err != NULL;
	if (err && strcmp(keeper->status.why, err->text) != 0) {
		lc_log(log_of(keeper), LC_LOG_ERROR, "bars", "state_not_stored",
			LC_S("error", err->text));
	}
	snprintf(keeper->status.why, sizeof keeper->status.why, "%s", err ? err->text : "");
	if (err || keeper->cursor >= lc_symbols_count(keeper->setup.symbols)) {
		end_round(keeper);
	} else {
		save_step_or_write(keeper);
	}
}

static void write_batch(struct lc_bar_keeper *keeper)
{
	bool whole = keeper->cursor >= lc_symbols_count(keeper->setup.symbols);
	keeper->writing = true;
	lc_bar_state_save(keeper->state, &keeper->pieces,
		whole && !keeper->failed_round ? keeper->round_ns : 0, on_written, keeper);
}

static bool on_save_step(void *arg)
{
	struct lc_bar_keeper *keeper = arg;
	size_t count = lc_symbols_count(keeper->setup.symbols);
	for (int looked = 0, pieces = 0; looked < SAVED_A_STEP && pieces < SAVED_A_STEP; looked++) {
		if (keeper->cursor >= count || keeper->pieces.buf.len >= BATCH_BYTES) {
			return false;
		}
		uint32_t symbol = (uint32_t)keeper->cursor++;
		if (keeper->setup.host->holds(keeper->setup.arg, symbol)) {
			pieces += (int)lc_bars_save(
				keeper->setup.bars, symbol, keeper->all, collect, keeper);
		}
	}
	return true;
}

static void on_save_collected(void *arg)
{
	struct lc_bar_keeper *keeper = arg;
	keeper->slice = NULL;
	write_batch(keeper);
}

/* Goes on with a round, or begins one. */
static void save_step_or_write(struct lc_bar_keeper *keeper)
{
	if (!keeper->saving) {
		keeper->saving = true;
		keeper->failed_round = false;
		keeper->cursor = 0;
		keeper->round_ns = lc_loop_wall_ns(keeper->setup.loop);
	}
	if (lc_slice_start(keeper->setup.loop, "save_bars", on_save_step, on_save_collected, keeper,
		    &keeper->slice) != LC_OK) {
		keeper->failed_round = true;
		keeper->cursor = SIZE_MAX;
		write_batch(keeper);
	}
}

static void on_save_due(void *arg)
{
	struct lc_bar_keeper *keeper = arg;
	if (!keeper->saving && !keeper->loading) {
		save_step_or_write(keeper);
	}
}

/* --- public --- */

enum lc_err lc_bar_keeper_create(
	const struct lc_bar_keeper_setup *setup, struct lc_bar_keeper **out)
{
	struct lc_bar_keeper *keeper = calloc(1, sizeof *keeper);
	if (!keeper) {
		return LC_ERR_NOMEM;
	}
	keeper->setup = *setup;
	lc_bar_pieces_init(&keeper->pieces);
	enum lc_err rc = lc_timer_create(setup->loop, on_save_due, keeper, &keeper->save_timer);
	rc = rc ? rc : lc_timer_create(setup->loop, on_give_up, keeper, &keeper->give_up_timer);
	rc = rc ? rc : lc_bar_state_create(setup->loop, setup->dir, &keeper->state);
	if (rc != LC_OK) {
		lc_timer_destroy(keeper->save_timer);
		lc_timer_destroy(keeper->give_up_timer);
		free(keeper);
		return rc;
	}
	lc_timer_start(keeper->give_up_timer, GIVE_UP_MS, 0);
	load_more(keeper);
	*out = keeper;
	return LC_OK;
}

void lc_bar_keeper_forget(struct lc_bar_keeper *keeper, uint32_t symbol)
{
	const char *text = lc_symbols_get(keeper->setup.symbols, symbol)->text;
	/* In the order of things: when it is followed again, its new pieces come behind. What is
	 * not stored (no memory, still loading) is swept out after the next start. */
	if (keeper->phase == PHASE_READY) {
		lc_bar_pieces_add(&keeper->pieces, text, LC_BAR_PIECE_FORGET, NULL, 0);
	}
}

void lc_bar_keeper_stop(struct lc_bar_keeper *keeper, void (*done)(void *arg), void *arg)
{
	enum phase before = keeper->phase;
	keeper->phase = PHASE_STOPPING;
	keeper->done = done;
	keeper->done_arg = arg;
	lc_timer_stop(keeper->save_timer);
	lc_timer_stop(keeper->give_up_timer);
	if (before == PHASE_LOADING) {
		lc_slice_cancel(keeper->slice);
		keeper->slice = NULL;
		if (!keeper->loading) {
			close_state(keeper);
		}
	} else if (!keeper->saving && !keeper->loading) {
		keeper->final = true;
		save_step_or_write(keeper);
	} /* else the round under way ends first */
}

struct lc_bar_keeper_status lc_bar_keeper_status(const struct lc_bar_keeper *keeper)
{
	return keeper->status;
}

#include "manager/watch_keeper.h"

#include "livecore/bar_state.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME "liveness" /* .db, in the state directory */
#define SAVE_MS 60000
#define SAVED_A_MINUTE 20000 /* symbols: 1.6 MB */
#define LOOKED_A_STEP 1000   /* about 0.1 ms */
#define RESTORED_A_STEP 200
#define BATCH_BYTES (1 << 20)
#define KEY 0

enum phase { PHASE_LOADING, PHASE_READY, PHASE_STOPPING };

struct lc_watch_keeper {
	struct lc_watch_keeper_setup setup;
	struct lc_bar_state *state;
	struct lc_timer *timer;
	struct lc_slice *slice;
	struct lc_bar_pieces loaded; /* being given back */
	struct lc_bar_pieces pieces; /* to be stored next */
	enum phase phase;
	bool loading, saving;
	bool said;       /* that nothing is kept */
	size_t cursor;   /* in loaded; then the next symbol to be looked at */
	size_t looked;   /* symbols of this round */
	size_t most;     /* symbols that this round may still store */
	size_t restored; /* symbols */
	void (*done)(void *arg);
	void *done_arg;
};

static struct lc_log *log_of(const struct lc_watch_keeper *keeper)
{
	return lc_loop_log(keeper->setup.loop);
}

/* --- the end --- */

static void on_state_closed(void *arg)
{
	struct lc_watch_keeper *keeper = arg;
	void (*done)(void *) = keeper->done;
	void *done_arg = keeper->done_arg;
	lc_timer_destroy(keeper->timer);
	lc_bar_pieces_finish(&keeper->loaded);
	lc_bar_pieces_finish(&keeper->pieces);
	free(keeper);
	done(done_arg);
}

static void say_not_kept(struct lc_watch_keeper *keeper, const struct lc_error *err)
{
	if (err && !keeper->said) {
		lc_log(log_of(keeper), LC_LOG_WARN, "liveness", "not_kept",
			LC_S("error", err->text));
	}
	keeper->said = err != NULL;
}

/* --- giving back --- */

/* Symbols that nobody follows any more must not fill the table. */
static uint32_t symbol_of(const struct lc_watch_keeper *keeper, const char *text)
{
	struct lc_symbols *symbols = keeper->setup.symbols;
	uint32_t symbol = lc_symbols_find(symbols, text, strlen(text));
	bool room = lc_symbols_count(symbols) < keeper->setup.max_symbols / 4 * 3;
	if (symbol == LC_SYMBOL_NONE && room &&
		lc_symbols_intern(symbols, text, strlen(text), &symbol) != LC_OK) {
		symbol = LC_SYMBOL_NONE;
	}
	return symbol;
}

static void restore(struct lc_watch_keeper *keeper, const struct lc_bar_piece *piece)
{
	uint32_t symbol = symbol_of(keeper, piece->symbol);
	if (symbol != LC_SYMBOL_NONE &&
		keeper->setup.restore(keeper->setup.arg, symbol, piece->data, piece->len)) {
		keeper->restored++;
	} else if (lc_bar_pieces_add(
			   &keeper->pieces, piece->symbol, LC_BAR_PIECE_FORGET, NULL, 0) != LC_OK) {
		return; /* it is passed over after the next start as well */
	}
}

static bool on_restore_step(void *arg)
{
	struct lc_watch_keeper *keeper = arg;
	struct lc_bar_piece piece;
	for (int n = 0; n < RESTORED_A_STEP; n++) {
		if (!lc_bar_pieces_next(&keeper->loaded, &keeper->cursor, &piece)) {
			return false;
		}
		restore(keeper, &piece);
	}
	return true;
}

static void load_more(struct lc_watch_keeper *keeper);

static void on_restore_done(void *arg)
{
	struct lc_watch_keeper *keeper = arg;
	keeper->slice = NULL;
	lc_bar_pieces_finish(&keeper->loaded);
	load_more(keeper);
}

static void become_ready(struct lc_watch_keeper *keeper, const struct lc_error *err)
{
	say_not_kept(keeper, err);
	lc_log(log_of(keeper), LC_LOG_INFO, "liveness", "restored",
		LC_U("symbols", keeper->restored));
	lc_bar_pieces_finish(&keeper->loaded);
	keeper->phase = PHASE_READY;
	keeper->cursor = 0;
	lc_timer_start(keeper->timer, SAVE_MS, SAVE_MS);
}

static void on_loaded(
	void *arg, const struct lc_bar_pieces *pieces, int64_t saved_ns, const struct lc_error *err)
{
	struct lc_watch_keeper *keeper = arg;
	(void)saved_ns;
	keeper->loading = false;
	if (keeper->phase == PHASE_STOPPING) {
		lc_bar_state_close(keeper->state, on_state_closed, keeper);
		return;
	}
	if (err || pieces->count == 0) {
		become_ready(keeper, err);
		return;
	}
	/* The batch is the store's. */
	lc_buf_append(&keeper->loaded.buf, pieces->buf.data, pieces->buf.len);
	keeper->cursor = 0;
	if (keeper->loaded.buf.failed ||
		lc_slice_start(keeper->setup.loop, "restore_liveness", on_restore_step,
			on_restore_done, keeper, &keeper->slice) != LC_OK) {
		const struct lc_error memory = {LC_ERR_NOMEM, "out of memory"};
		become_ready(keeper, &memory);
	}
}

static void load_more(struct lc_watch_keeper *keeper)
{
	keeper->loading = true;
	lc_bar_state_load(keeper->state, on_loaded, keeper);
}

/* --- storing --- */

static bool stopping(const struct lc_watch_keeper *keeper)
{
	return keeper->phase == PHASE_STOPPING;
}

static bool round_is_over(const struct lc_watch_keeper *keeper)
{
	return keeper->looked >= lc_symbols_count(keeper->setup.symbols) || keeper->most == 0;
}

static void look_at(struct lc_watch_keeper *keeper, uint32_t symbol)
{
	uint8_t data[LC_LIVE_SAVED_MAX];
	if (!lc_liveness_changed(keeper->setup.live, symbol)) {
		return;
	}
	size_t len = lc_liveness_save(
		keeper->setup.live, symbol, lc_loop_wall_ns(keeper->setup.loop), data);
	const char *text = lc_symbols_get(keeper->setup.symbols, symbol)->text;
	keeper->most--;
	if (len > 0 && lc_bar_pieces_add(&keeper->pieces, text, KEY, data, len) != LC_OK) {
		lc_liveness_unsaved(keeper->setup.live, symbol);
		keeper->most = 0;
	}
}

static bool on_save_step(void *arg)
{
	struct lc_watch_keeper *keeper = arg;
	size_t count = lc_symbols_count(keeper->setup.symbols);
	for (int n = 0; n < LOOKED_A_STEP; n++) {
		if (round_is_over(keeper) || keeper->pieces.buf.len >= BATCH_BYTES) {
			return false;
		}
		keeper->cursor = keeper->cursor < count ? keeper->cursor : 0;
		keeper->looked++;
		look_at(keeper, (uint32_t)keeper->cursor++);
	}
	return true;
}

static void collect(struct lc_watch_keeper *keeper);

static void end_round(struct lc_watch_keeper *keeper)
{
	keeper->saving = false;
	if (stopping(keeper)) {
		lc_bar_state_close(keeper->state, on_state_closed, keeper);
	}
}

static void on_written(void *arg, const struct lc_error *err)
{
	struct lc_watch_keeper *keeper = arg;
	say_not_kept(keeper, err); /* what is lost is learned again within days */
	if (err || round_is_over(keeper)) {
		end_round(keeper);
	} else {
		collect(keeper);
	}
}

static void on_collected(void *arg)
{
	struct lc_watch_keeper *keeper = arg;
	keeper->slice = NULL;
	if (keeper->pieces.count == 0) {
		end_round(keeper);
	} else {
		lc_bar_state_save(keeper->state, &keeper->pieces, 0, on_written, keeper);
	}
}

static void collect(struct lc_watch_keeper *keeper)
{
	if (lc_slice_start(keeper->setup.loop, "save_liveness", on_save_step, on_collected, keeper,
		    &keeper->slice) != LC_OK) {
		end_round(keeper);
	}
}

static void begin_round(struct lc_watch_keeper *keeper)
{
	keeper->saving = true;
	keeper->looked = 0;
	keeper->most = stopping(keeper) ? SIZE_MAX : SAVED_A_MINUTE;
	collect(keeper);
}

static void on_save_due(void *arg)
{
	struct lc_watch_keeper *keeper = arg;
	if (!keeper->saving) {
		begin_round(keeper);
	}
}

/* --- public --- */

enum lc_err lc_watch_keeper_create(
	const struct lc_watch_keeper_setup *setup, struct lc_watch_keeper **out)
{
	struct lc_watch_keeper *keeper = calloc(1, sizeof *keeper);
	if (!keeper) {
		return LC_ERR_NOMEM;
	}
	keeper->setup = *setup;
	lc_bar_pieces_init(&keeper->loaded);
	lc_bar_pieces_init(&keeper->pieces);
	enum lc_err rc = lc_timer_create(setup->loop, on_save_due, keeper, &keeper->timer);
	rc = rc ? rc : lc_bar_state_create_as(setup->loop, setup->dir, FILE_NAME, &keeper->state);
	if (rc != LC_OK) {
		lc_timer_destroy(keeper->timer);
		free(keeper);
		return rc;
	}
	load_more(keeper);
	*out = keeper;
	return LC_OK;
}

void lc_watch_keeper_stop(struct lc_watch_keeper *keeper, void (*done)(void *arg), void *arg)
{
	enum phase before = keeper->phase;
	keeper->phase = PHASE_STOPPING;
	keeper->done = done;
	keeper->done_arg = arg;
	lc_timer_stop(keeper->timer);
	if (before == PHASE_LOADING) {
		lc_slice_cancel(keeper->slice);
		keeper->slice = NULL;
		if (!keeper->loading) {
			lc_bar_state_close(keeper->state, on_state_closed, keeper);
		}
	} else if (!keeper->saving) {
		begin_round(keeper);
	} else {
		keeper->looked = 0; /* the round under way goes on until all is stored */
		keeper->most = SIZE_MAX;
	}
}

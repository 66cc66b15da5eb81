/* What the bars need to go on after a restart: the pieces of lc_bars_save(), kept by the symbol's
 * text and the piece's key. SQLite in the state directory (bar_state.db); all of its work is done
 * in the pool, never on the loop. Loop thread. It never looks into a piece. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"
#include "livecore/loop.h"
#include "livecore/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One piece; data is borrowed from its batch. */
struct lc_bar_piece {
	char symbol[LC_SYMBOL_MAX];
	int32_t key; /* LC_BAR_PIECE_FORGET: all pieces of the symbol are to go */
	uint32_t len;
	const void *data;
};
#define LC_BAR_PIECE_FORGET (-1)

/* Some pieces, one behind the other. */
struct lc_bar_pieces {
	struct lc_buf buf;
	size_t count;
};
#define LC_BAR_PIECES_BYTES (16 << 20) /* the most one batch takes */

void lc_bar_pieces_init(struct lc_bar_pieces *pieces);
void lc_bar_pieces_finish(struct lc_bar_pieces *pieces);
/* Copies a piece to the end. LC_ERR_NOMEM, also when the batch is full. */
enum lc_err lc_bar_pieces_add(struct lc_bar_pieces *pieces, const char *symbol, int32_t key,
	const void *data, size_t len);
/* The piece at *cursor (0 at first), which moves behind it; false at the end. */
bool lc_bar_pieces_next(
	const struct lc_bar_pieces *pieces, size_t *cursor, struct lc_bar_piece *out);

struct lc_bar_state;

/* err is NULL when it was done. */
typedef void (*lc_bar_state_cb)(void *arg, const struct lc_error *err);
/* A batch, in order of symbol, then key; borrowed for the call. saved_ns: when the last whole
 * save began, 0: never. With count 0 there are no more. */
typedef void (*lc_bar_state_load_cb)(void *arg, const struct lc_bar_pieces *pieces,
	int64_t saved_ns, const struct lc_error *err);

/* Nothing is opened yet: the first load or save does. LC_ERR_NOMEM. */
enum lc_err lc_bar_state_create(struct lc_loop *loop, const char *dir, struct lc_bar_state **out);
/* The same for something else than bars that is kept by symbol, in NAME.db; the name is static. */
enum lc_err lc_bar_state_create_as(
	struct lc_loop *loop, const char *dir, const char *name, struct lc_bar_state **out);

/* The calls below answer exactly once, later; only one is under way at a time (assert). */

/* The next some thousand pieces. A damaged file is set aside, which is said in the log, and counts
 * as empty. Errors: LC_ERR_EXISTS (another process has it), LC_ERR_IO, LC_ERR_UNSUPPORTED (made by
 * a newer livecore). */
void lc_bar_state_load(struct lc_bar_state *state, lc_bar_state_load_cb loaded, void *arg);

/* Stores the pieces in one transaction, and with saved_ns > 0 that time as well. Empties *pieces at
 * once: they are its own from then on. */
void lc_bar_state_save(struct lc_bar_state *state, struct lc_bar_pieces *pieces, int64_t saved_ns,
	lc_bar_state_cb done, void *arg);

/* Behind what is under way, if anything; done is called once, later. NULL state: at once. */
void lc_bar_state_close(struct lc_bar_state *state, void (*done)(void *arg), void *arg);

/* The file behind the bars' state, DIR/bar_state.db: all that touches SQLite. Every function
 * blocks: pool threads only, one at a time for each struct. It never logs and never reads time. */
#pragma once

#include "livecore/bar_state.h"

#include <limits.h>

struct sqlite3;
struct sqlite3_stmt;

struct bar_state_db {
	char dir[PATH_MAX - 128];
	const char *name;                         /* of the file, without .db */
	struct sqlite3 *sqlite;                   /* NULL: not open */
	struct sqlite3_stmt *put, *forget, *next; /* made with it */
	int lock_fd;                              /* -1: not held */
	char symbol[LC_SYMBOL_MAX];               /* of the piece loaded last */
	int32_t key;
	char set_aside[PATH_MAX]; /* where a damaged file was moved; "" when none was */
};

/* Takes the lock and opens or makes the file; nothing to do when it is open. */
enum lc_err bar_state_db_open(struct bar_state_db *db, int64_t wall_ns, struct lc_error *err);
/* Appends at most max pieces behind those loaded before. */
enum lc_err bar_state_db_load(struct bar_state_db *db, int64_t wall_ns, size_t max,
	struct lc_bar_pieces *out, int64_t *saved_ns, struct lc_error *err);
/* One transaction: all or nothing. A file that proves damaged is set aside; the save has failed all
 * the same. */
enum lc_err bar_state_db_save(struct bar_state_db *db, int64_t wall_ns,
	const struct lc_bar_pieces *pieces, int64_t saved_ns, struct lc_error *err);
void bar_state_db_close(struct bar_state_db *db);

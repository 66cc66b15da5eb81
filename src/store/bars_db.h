/* The bar store's SQLite file, DIR/bars.db: all that touches SQLite. Every function blocks: pool
 * threads only, one at a time for each struct. It never logs and never reads time. */
#pragma once

#include "livecore/bar_store.h"

#include <limits.h>

/* The tables' form; 1 is the first. A later one brings an earlier one up when it opens the file. */
#define BARS_DB_SCHEMA 1

struct sqlite3;
struct sqlite3_stmt;

struct bars_db {
	char dir[PATH_MAX - 128];
	bool read_only;
	struct sqlite3 *sqlite;           /* NULL: not open */
	struct sqlite3_stmt *put, *range; /* made with it */
	char set_aside[PATH_MAX];         /* where a damaged file was moved; "" when none was */
};

/* Opens or makes the file and its tables; nothing to do when it is open. A damaged file is set
 * aside (wall_ns names it) and an empty one takes its place. On an error it is not open. */
enum lc_err bars_db_open(struct bars_db *db, int64_t wall_ns, struct lc_error *err);
/* One transaction: all rows or none. When the file proves damaged it is set aside, and the rows go
 * into the empty one. */
enum lc_err bars_db_write(struct bars_db *db, int64_t wall_ns, const struct lc_bar_row *rows,
	size_t count, struct lc_error *err);
/* Appends to *out what was found, in order of symbol, then time. */
enum lc_err bars_db_read(struct bars_db *db, int64_t wall_ns, const struct lc_bar_query *query,
	struct lc_bar_rows *out, struct lc_error *err);
enum lc_err bars_db_latest(struct bars_db *db, int64_t wall_ns,
	const char (*symbols)[LC_SYMBOL_MAX], size_t count, int64_t from_ns, int64_t at_ns,
	struct lc_bar_rows *out, struct lc_error *err);
void bars_db_close(struct bars_db *db);

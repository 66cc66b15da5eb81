/* The interest store's file: all that touches SQLite and the directory. Every function blocks: pool
 * threads only, one at a time for each struct. It never logs and never reads time. */
#pragma once

#include "livecore/interest_store.h"

#include <limits.h>

struct sqlite3;

struct interest_db {
	char dir[PATH_MAX - 64];  /* room for the names of the files in it */
	struct sqlite3 *sqlite;   /* NULL: not open */
	char set_aside[PATH_MAX]; /* where a damaged file was moved; "" when none was */
};

/* Opens or makes the file, loads it into *out. wall_ns names a damaged file. On an
 * error nothing stays open. */
enum lc_err interest_db_open(struct interest_db *db, int64_t wall_ns, struct lc_saved_interest *out,
	struct lc_error *err);
/* One transaction: all of it or nothing. When the file proves damaged it is set aside and an empty
 * one takes its place, and the save has failed all the same: the caller saves everything again. */
enum lc_err interest_db_save(struct interest_db *db, int64_t wall_ns,
	const struct lc_saved_interest *saved, struct lc_error *err);
void interest_db_close(struct interest_db *db);

const char *interest_db_server(void); /* "SQLite 3.40.1" */

/* What the SQLite files of the state directory have in common: readable for their owner alone, told
 * apart when damaged, and then set aside. Every function blocks: pool threads only. It never logs
 * and never reads time. */
#pragma once

#include "livecore/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct sqlite3;

/* Makes the file, mode 0600, when it is missing; SQLite would make it readable for everyone. 0, or
 * what errno was. */
int sqlite_file_make(const char *path);
/* Opens it for reading and writing; with make, makes it first. Waits busy_ms for other programs.
 * SQLite's code; *out is the caller's to close even after an error. */
int sqlite_file_open(const char *path, bool make, int busy_ms, struct sqlite3 **out);
/* The first number that a statement gives; 0 when it gives none. SQLite's code. */
int sqlite_file_number(struct sqlite3 *sqlite, const char *sql, int64_t *out);

/* Whether SQLite's code says so. */
bool sqlite_file_damaged(int rc);
/* Renames a closed file to PATH.damaged-TIME, and its WAL with it: applied to the new file it would
 * damage that too. set_aside: where it is now. 0, or what errno was. */
int sqlite_file_set_aside(const char *path, int64_t wall_ns, char set_aside[PATH_MAX]);
/* LC_ERR_UNSUPPORTED: the file is of a newer livecore; err says what to do. */
enum lc_err sqlite_file_too_new(
	const char *path, int64_t version, int64_t known, struct lc_error *err);
/* LC_ERR_IO, with what SQLite says of the file and what to look at; sqlite may be NULL. */
enum lc_err sqlite_file_error(struct sqlite3 *sqlite, const char *path, struct lc_error *err);

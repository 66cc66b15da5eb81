#include "store/interest_db.h"

#include "livecore/file.h"
#include "store/interest_impl.h"
#include "store/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA_VERSION 1
#define BUSY_MS 2000 /* someone looks into the file with another program */

/* NORMAL is enough with a WAL: a power cut may lose the last save, but sets and offsets go back
 * together. */
static const char settings_sql[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;";

static const char schema_sql[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE portfolios(id TEXT PRIMARY KEY, replace_ns INTEGER NOT NULL,"
	" latest_ns INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE entries(portfolio TEXT NOT NULL, symbol TEXT NOT NULL,"
	" follow_ns INTEGER NOT NULL, remove_ns INTEGER NOT NULL, since_ns INTEGER NOT NULL,"
	" PRIMARY KEY(portfolio, symbol)) WITHOUT ROWID;"
	"CREATE TABLE offsets(topic TEXT NOT NULL, partition INTEGER NOT NULL,"
	" next INTEGER NOT NULL, PRIMARY KEY(topic, partition)) WITHOUT ROWID;"
	"PRAGMA user_version=1;"
	"COMMIT;";

/* --- the directory --- */

static void path_of(const struct interest_db *db, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/interest.db", db->dir);
}

static enum lc_err directory_error(const struct interest_db *db, int code, struct lc_error *err)
{
	return lc_error_set(err, LC_ERR_IO,
		"state directory %.120s: %s: make it writable for this user or name another one",
		db->dir, strerror(code));
}

/* --- opening --- */

static enum lc_err sqlite_error(const struct interest_db *db, struct lc_error *err)
{
	char path[PATH_MAX];
	path_of(db, path);
	return sqlite_file_error(db->sqlite, path, err);
}

static void close_file(struct interest_db *db)
{
	sqlite3_close(db->sqlite);
	db->sqlite = NULL;
}

static int on_check_row(void *arg, int count, char **values, char **names)
{
	(void)names;
	bool *sound = arg;
	*sound = count == 1 && values[0] && strcmp(values[0], "ok") == 0;
	return 0;
}

/* Returns SQLite's code; SQLITE_MISMATCH with err set: the file is from a newer program. */
static int prepare_file(struct interest_db *db, struct lc_error *err)
{
	bool sound = false;
	int64_t version = 0;
	int rc = sqlite3_exec(db->sqlite, settings_sql, NULL, NULL, NULL);
	rc = rc ? rc
		: sqlite3_exec(db->sqlite, "PRAGMA quick_check(1)", on_check_row, &sound, NULL);
	rc = rc ? rc : sqlite_file_number(db->sqlite, "PRAGMA user_version", &version);
	if (rc != SQLITE_OK) {
		return rc;
	}
	if (!sound) {
		return SQLITE_CORRUPT;
	}
	if (version > SCHEMA_VERSION) {
		char path[PATH_MAX];
		path_of(db, path);
		sqlite_file_too_new(path, version, SCHEMA_VERSION, err);
		return SQLITE_MISMATCH;
	}
	return version == 0 ? sqlite3_exec(db->sqlite, schema_sql, NULL, NULL, NULL) : SQLITE_OK;
}

static int open_file(struct interest_db *db, struct lc_error *err)
{
	char path[PATH_MAX];
	path_of(db, path);
	int rc = sqlite_file_open(path, true, BUSY_MS, &db->sqlite);
	return rc ? rc : prepare_file(db, err);
}

static enum lc_err start_afresh(struct interest_db *db, int64_t wall_ns, struct lc_error *err)
{
	char path[PATH_MAX];
	path_of(db, path);
	close_file(db);
	int code = sqlite_file_set_aside(path, wall_ns, db->set_aside);
	if (code != 0) {
		return directory_error(db, code, err);
	}
	return open_file(db, err) == SQLITE_OK ? LC_OK : sqlite_error(db, err);
}

/* --- loading --- */

static int load_entries(sqlite3_stmt *query, struct lc_saved_portfolio *portfolio)
{
	int rc = sqlite3_bind_text(query, 1, portfolio->id, -1, SQLITE_STATIC);
	while (rc == SQLITE_OK && (rc = sqlite3_step(query)) == SQLITE_ROW) {
		void *items = portfolio->entries;
		struct lc_saved_entry *entry = interest_grow(
			&items, portfolio->count, sizeof *entry);
		if (!entry) {
			return SQLITE_NOMEM;
		}
		portfolio->entries = items;
		portfolio->count++;
		const unsigned char *symbol = sqlite3_column_text(query, 0);
		if (!symbol || strlen((const char *)symbol) >= sizeof entry->symbol) {
			return SQLITE_CORRUPT;
		}
		strcpy(entry->symbol, (const char *)symbol);
		entry->follow_ns = sqlite3_column_int64(query, 1);
		entry->remove_ns = sqlite3_column_int64(query, 2);
		entry->since_ns = sqlite3_column_int64(query, 3);
		rc = SQLITE_OK;
	}
	sqlite3_reset(query);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int load_portfolios(
	sqlite3_stmt *query, sqlite3_stmt *entries, struct lc_saved_interest *out)
{
	int rc;
	while ((rc = sqlite3_step(query)) == SQLITE_ROW) {
		void *items = out->portfolios;
		struct lc_saved_portfolio *portfolio = interest_grow(
			&items, out->portfolio_count, sizeof *portfolio);
		if (!portfolio) {
			return SQLITE_NOMEM;
		}
		out->portfolios = items;
		out->portfolio_count++;
		const unsigned char *id = sqlite3_column_text(query, 0);
		portfolio->id = id ? strdup((const char *)id) : NULL;
		if (!portfolio->id) {
			return id ? SQLITE_NOMEM : SQLITE_CORRUPT;
		}
		portfolio->replace_ns = sqlite3_column_int64(query, 1);
		portfolio->latest_ns = sqlite3_column_int64(query, 2);
		if ((rc = load_entries(entries, portfolio)) != SQLITE_OK) {
			return rc;
		}
	}
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int load_offsets(sqlite3_stmt *query, struct lc_saved_interest *out)
{
	int rc;
	while ((rc = sqlite3_step(query)) == SQLITE_ROW) {
		void *items = out->offsets;
		struct lc_saved_offset *offset = interest_grow(
			&items, out->offset_count, sizeof *offset);
		if (!offset) {
			return SQLITE_NOMEM;
		}
		out->offsets = items;
		out->offset_count++;
		const unsigned char *topic = sqlite3_column_text(query, 0);
		snprintf(out->topic, sizeof out->topic, "%s", topic ? (const char *)topic : "");
		offset->partition = sqlite3_column_int(query, 1);
		offset->next = sqlite3_column_int64(query, 2);
	}
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int load(struct interest_db *db, struct lc_saved_interest *out)
{
	sqlite3_stmt *portfolios = NULL, *entries = NULL, *offsets = NULL;
	int rc = sqlite3_prepare_v2(db->sqlite, "SELECT id, replace_ns, latest_ns FROM portfolios",
		-1, &portfolios, NULL);
	rc = rc ? rc
		: sqlite3_prepare_v2(db->sqlite,
			  "SELECT symbol, follow_ns, remove_ns, since_ns FROM entries WHERE "
			  "portfolio = ?",
			  -1, &entries, NULL);
	rc = rc ? rc
		: sqlite3_prepare_v2(db->sqlite, "SELECT topic, partition, next FROM offsets", -1,
			  &offsets, NULL);
	rc = rc ? rc : load_portfolios(portfolios, entries, out);
	rc = rc ? rc : load_offsets(offsets, out);
	sqlite3_finalize(portfolios);
	sqlite3_finalize(entries);
	sqlite3_finalize(offsets);
	return rc;
}

/* --- saving --- */

/* Binds what types says (t: text, i: int64) and runs the statement. */
static int run(sqlite3_stmt *statement, const char *types, ...)
{
	va_list args;
	int rc = SQLITE_OK;
	va_start(args, types);
	for (int i = 0; rc == SQLITE_OK && types[i]; i++) {
		rc = types[i] == 't' ? sqlite3_bind_text(statement, i + 1,
					       va_arg(args, const char *), -1, SQLITE_STATIC)
				     : sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
	}
	va_end(args);
	rc = rc ? rc : sqlite3_step(statement);
	sqlite3_reset(statement);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum statement {
	FORGET_ENTRIES,
	FORGET_PORTFOLIO,
	PUT_PORTFOLIO,
	PUT_ENTRY,
	PUT_OFFSET,
	STATEMENTS
};

static int save_portfolio(
	sqlite3_stmt *const *statements, const struct lc_saved_portfolio *portfolio)
{
	int rc = run(statements[FORGET_ENTRIES], "t", portfolio->id);
	if (portfolio->gone) {
		return rc ? rc : run(statements[FORGET_PORTFOLIO], "t", portfolio->id);
	}
	rc = rc ? rc
		: run(statements[PUT_PORTFOLIO], "tii", portfolio->id, portfolio->replace_ns,
			  portfolio->latest_ns);
	for (size_t i = 0; rc == SQLITE_OK && i < portfolio->count; i++) {
		const struct lc_saved_entry *entry = &portfolio->entries[i];
		rc = run(statements[PUT_ENTRY], "ttiii", portfolio->id, entry->symbol,
			entry->follow_ns, entry->remove_ns, entry->since_ns);
	}
	return rc;
}

static int save_all(struct interest_db *db, const struct lc_saved_interest *saved)
{
	static const char *const sql[STATEMENTS] = {
		[FORGET_ENTRIES] = "DELETE FROM entries WHERE portfolio = ?",
		[FORGET_PORTFOLIO] = "DELETE FROM portfolios WHERE id = ?",
		[PUT_PORTFOLIO] = "REPLACE INTO portfolios VALUES(?, ?, ?)",
		[PUT_ENTRY] = "REPLACE INTO entries VALUES(?, ?, ?, ?, ?)",
		[PUT_OFFSET] = "REPLACE INTO offsets VALUES(?, ?, ?)",
	};
	sqlite3_stmt *statements[STATEMENTS] = {NULL};
	int rc = sqlite3_exec(db->sqlite, "DELETE FROM offsets", NULL, NULL, NULL);
	if (rc == SQLITE_OK && saved->complete) {
		rc = sqlite3_exec(db->sqlite, "DELETE FROM entries; DELETE FROM portfolios", NULL,
			NULL, NULL);
	}
	for (size_t i = 0; rc == SQLITE_OK && i < STATEMENTS; i++) {
		rc = sqlite3_prepare_v2(db->sqlite, sql[i], -1, &statements[i], NULL);
	}
	for (size_t i = 0; rc == SQLITE_OK && i < saved->portfolio_count; i++) {
		rc = save_portfolio(statements, &saved->portfolios[i]);
	}
	for (size_t i = 0; rc == SQLITE_OK && i < saved->offset_count; i++) {
		rc = run(statements[PUT_OFFSET], "tii", saved->topic,
			(int64_t)saved->offsets[i].partition, saved->offsets[i].next);
	}
	for (size_t i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(statements[i]);
	}
	return rc;
}

/* --- public --- */

enum lc_err interest_db_open(struct interest_db *db, int64_t wall_ns, struct lc_saved_interest *out,
	struct lc_error *err)
{
	enum lc_err result = LC_OK;
	if (lc_make_directories(db->dir) != 0 ||
		faccessat(AT_FDCWD, db->dir, W_OK | X_OK, AT_EACCESS) != 0) {
		return directory_error(db, errno, err);
	}
	int rc = open_file(db, err);
	rc = rc ? rc : load(db, out);
	if (sqlite_file_damaged(rc)) {
		interest_clear(out);
		result = start_afresh(db, wall_ns, err);
	} else if (rc == SQLITE_MISMATCH) {
		result = LC_ERR_UNSUPPORTED;
	} else if (rc != SQLITE_OK) {
		result = sqlite_error(db, err);
	}
	if (result != LC_OK) {
		interest_clear(out);
		interest_db_close(db);
	}
	return result;
}

enum lc_err interest_db_save(struct interest_db *db, int64_t wall_ns,
	const struct lc_saved_interest *saved, struct lc_error *err)
{
	if (!db->sqlite) {
		return lc_error_set(err, LC_ERR_CLOSED,
			"%.120s/interest.db could not be opened: nothing is stored", db->dir);
	}
	int rc = sqlite3_exec(db->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	rc = rc ? rc : save_all(db, saved);
	rc = rc ? rc : sqlite3_exec(db->sqlite, "COMMIT", NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		return LC_OK;
	}
	enum lc_err result = sqlite_error(db, err); /* before ROLLBACK replaces the text */
	if (sqlite_file_damaged(rc)) {
		struct lc_error afresh;
		if (start_afresh(db, wall_ns, &afresh) != LC_OK) {
			*err = afresh;
		}
	} else if (!sqlite3_get_autocommit(db->sqlite)) {
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
	}
	return result;
}

void interest_db_close(struct interest_db *db)
{
	close_file(db);
}

const char *interest_db_server(void)
{
	return "SQLite " SQLITE_VERSION;
}

#include "store/bars_db.h"

#include "livecore/file.h"
#include "store/bar_row.h"
#include "store/sqlite_file.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 5000 /* a tool or a worker writes into the same file */

/* FULL: what was confirmed survives a power cut. It is one sync a batch, in the pool. */
static const char settings_sql[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				   "PRAGMA journal_size_limit=67108864;";

#define TEXT_OF(number) #number
#define VERSION_TEXT(number) TEXT_OF(number)

/* Decimals are text: exact, and readable. A range of one symbol lies together in the file. */
static const char schema_sql[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE bars(symbol TEXT NOT NULL, period TEXT NOT NULL,"
	" start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, revision INTEGER NOT NULL,"
	" final INTEGER NOT NULL, complete INTEGER NOT NULL, has INTEGER NOT NULL,"
	" tick_count INTEGER NOT NULL, open TEXT NOT NULL, high TEXT NOT NULL, low TEXT NOT NULL,"
	" close TEXT NOT NULL, volume TEXT NOT NULL, amount TEXT NOT NULL, turnover TEXT NOT NULL,"
	" change TEXT NOT NULL, change_pct TEXT NOT NULL, gap_volume TEXT NOT NULL,"
	" PRIMARY KEY(symbol, period, start_ns)) WITHOUT ROWID;"
	"PRAGMA user_version=" VERSION_TEXT(BARS_DB_SCHEMA) ";"
							    "COMMIT;";

#define COLUMNS                                                                                \
	"symbol, period, start_ns, end_ns, revision, final, complete, has, tick_count, open, " \
	"high, low, close, volume, amount, turnover, change, change_pct, gap_volume"

enum column { SYMBOL, PERIOD, START, END, REVISION, FINAL, COMPLETE, HAS, TICKS, FIRST_DECIMAL };

#define DECIMALS 10

static const char tables_sql[] = "SELECT count(*) FROM sqlite_master";
static const char put_sql[] =
	"INSERT INTO bars(" COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
	" ON CONFLICT(symbol, period, start_ns) DO UPDATE SET end_ns=excluded.end_ns,"
	" revision=excluded.revision, final=excluded.final, complete=excluded.complete,"
	" has=excluded.has, tick_count=excluded.tick_count, open=excluded.open,"
	" high=excluded.high, low=excluded.low, close=excluded.close, volume=excluded.volume,"
	" amount=excluded.amount, turnover=excluded.turnover, change=excluded.change,"
	" change_pct=excluded.change_pct, gap_volume=excluded.gap_volume"
	" WHERE excluded.revision * 2 + excluded.final >= bars.revision * 2 + bars.final";
static const char range_sql[] = "SELECT " COLUMNS " FROM bars WHERE symbol = ?1 AND period = ?2"
				" AND start_ns >= ?3 AND start_ns <= ?4"
				" ORDER BY start_ns DESC LIMIT ?5";

/* --- errors --- */

static enum lc_err sqlite_error(const struct bars_db *db, struct lc_error *err)
{
	int rc = db->sqlite ? sqlite3_errcode(db->sqlite) : SQLITE_NOMEM;
	const char *text = db->sqlite ? sqlite3_errmsg(db->sqlite) : "out of memory";
	const char *advice = (rc & 0xff) == SQLITE_FULL   ? ": make room on the disk"
			     : (rc & 0xff) == SQLITE_BUSY ? ": another program holds it"
							  : "";
	return lc_error_set(err, rc == SQLITE_NOMEM ? LC_ERR_NOMEM : LC_ERR_IO,
		"%.120s/bars.db: %.60s%s", db->dir, text, advice);
}

/* --- the file --- */

static void path_of(const struct bars_db *db, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/bars.db", db->dir);
}

static int prepare_statements(struct bars_db *db)
{
	int rc = sqlite3_prepare_v3(
		db->sqlite, range_sql, -1, SQLITE_PREPARE_PERSISTENT, &db->range, NULL);
	return rc || db->read_only ? rc
				   : sqlite3_prepare_v3(db->sqlite, put_sql, -1,
					     SQLITE_PREPARE_PERSISTENT, &db->put, NULL);
}

/* The version is set together with the tables: without one, tables are somebody else's. */
static enum lc_err check_version(
	const struct bars_db *db, int64_t version, int64_t tables, struct lc_error *err)
{
	if (version > BARS_DB_SCHEMA || version < 0) {
		char path[PATH_MAX];
		path_of(db, path);
		return sqlite_file_too_new(path, version, BARS_DB_SCHEMA, err);
	}
	if (version == 0 && tables > 0) {
		return lc_error_set(err, LC_ERR_UNSUPPORTED,
			"%.120s/bars.db has tables that livecore did not make: move the file away, "
			"or name another state.dir",
			db->dir);
	}
	if (version == 0 && db->read_only) {
		return lc_error_set(err, LC_ERR_NOT_FOUND,
			"%.120s/bars.db has no tables yet: livecore store init, or livecore run",
			db->dir);
	}
	return LC_OK;
}

/* Two programs may start at once: the second finds the first one's tables. */
static int make_tables(struct bars_db *db)
{
	int64_t version = 0;
	int rc = sqlite3_exec(db->sqlite, schema_sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		return rc;
	}
	if (!sqlite3_get_autocommit(db->sqlite)) {
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
	}
	bool made = sqlite_file_number(db->sqlite, "PRAGMA user_version", &version) == SQLITE_OK &&
		    version == BARS_DB_SCHEMA;
	return made ? SQLITE_OK : rc;
}

/* LC_ERR_AGAIN: damaged. */
static enum lc_err prepare_file(struct bars_db *db, struct lc_error *err)
{
	int64_t version = 0, tables = 0;
	int rc = db->read_only ? SQLITE_OK
			       : sqlite3_exec(db->sqlite, settings_sql, NULL, NULL, NULL);
	rc = rc ? rc : sqlite_file_number(db->sqlite, "PRAGMA user_version", &version);
	rc = rc ? rc : sqlite_file_number(db->sqlite, tables_sql, &tables);
	enum lc_err wrong = rc == SQLITE_OK ? check_version(db, version, tables, err) : LC_OK;
	if (wrong != LC_OK) {
		return wrong;
	}
	rc = rc || version != 0 ? rc : make_tables(db);
	rc = rc ? rc : prepare_statements(db);
	if (sqlite_file_damaged(rc)) {
		sqlite_error(db, err);
		return LC_ERR_AGAIN;
	}
	return rc ? sqlite_error(db, err) : LC_OK;
}

static enum lc_err open_file(struct bars_db *db, struct lc_error *err)
{
	char path[PATH_MAX];
	path_of(db, path);
	if (db->read_only && access(path, F_OK) != 0) {
		return lc_error_set(err, LC_ERR_NOT_FOUND,
			"there is no %.150s yet: livecore store init, or livecore run, makes it",
			path);
	}
	if (!db->read_only) {
		lc_make_directories(db->dir);
		int code = sqlite_file_make(path);
		if (code != 0) {
			return lc_error_set(err, LC_ERR_IO,
				"%.150s: %s: make state.dir writable for this user or name another "
				"one",
				path, strerror(code));
		}
	}
	/* A reader of a WAL needs to write its index, so it opens for writing too. */
	if (sqlite_file_open(path, !db->read_only, BUSY_MS, &db->sqlite) != SQLITE_OK) {
		return sqlite_error(db, err);
	}
	return prepare_file(db, err);
}

static enum lc_err set_aside(struct bars_db *db, int64_t wall_ns, struct lc_error *err)
{
	char path[PATH_MAX];
	path_of(db, path);
	bars_db_close(db);
	int code = sqlite_file_set_aside(path, wall_ns, db->set_aside);
	return code == 0 ? LC_OK
			 : lc_error_set(err, LC_ERR_IO,
				   "%.150s is damaged and cannot be moved away: %s", path,
				   strerror(code));
}

/* Sets the damaged file aside and opens an empty one. */
static enum lc_err start_afresh(struct bars_db *db, int64_t wall_ns, struct lc_error *err)
{
	enum lc_err rc = set_aside(db, wall_ns, err);
	rc = rc ? rc : open_file(db, err);
	if (rc != LC_OK) {
		bars_db_close(db);
	}
	return rc == LC_ERR_AGAIN ? LC_ERR_IO : rc;
}

/* --- rows --- */

static void decimals_of(struct lc_bar *bar, struct lc_decimal *out[DECIMALS])
{
	struct lc_decimal *const all[DECIMALS] = {&bar->open, &bar->high, &bar->low, &bar->close,
		&bar->volume, &bar->amount, &bar->turnover, &bar->change, &bar->change_pct,
		&bar->gap_volume};
	memcpy(out, all, sizeof all);
}

static int put_row(sqlite3_stmt *put, const struct lc_bar_row *row)
{
	struct lc_bar bar = row->bar;
	struct lc_decimal *decimals[DECIMALS];
	char text[LC_DECIMAL_TEXT_MAX];
	int rc = sqlite3_bind_text(put, SYMBOL + 1, row->symbol, -1, SQLITE_STATIC);
	rc |= sqlite3_bind_text(put, PERIOD + 1, lc_period_name(bar.period), -1, SQLITE_STATIC);
	const int64_t numbers[] = {bar.start_ns, bar.end_ns, bar.revision, bar.final, bar.complete,
		bar.has, bar.tick_count};
	for (int i = START; i < FIRST_DECIMAL; i++) {
		rc |= sqlite3_bind_int64(put, i + 1, numbers[i - START]);
	}
	decimals_of(&bar, decimals);
	for (int i = 0; i < DECIMALS; i++) {
		size_t len = lc_decimal_format(*decimals[i], text);
		rc |= sqlite3_bind_text(
			put, FIRST_DECIMAL + i + 1, text, (int)len, SQLITE_TRANSIENT);
	}
	if (rc != SQLITE_OK) {
		return SQLITE_NOMEM;
	}
	rc = sqlite3_step(put);
	sqlite3_reset(put);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* LC_ERR_INVALID: not what livecore wrote. */
static enum lc_err get_row(sqlite3_stmt *query, struct lc_bar_row *out)
{
	struct lc_bar *bar = &out->bar;
	struct lc_decimal *decimals[DECIMALS];
	const unsigned char *symbol = sqlite3_column_text(query, SYMBOL);
	const unsigned char *period = sqlite3_column_text(query, PERIOD);
	*out = (struct lc_bar_row){.bar.symbol = LC_SYMBOL_NONE};
	if (!symbol || !period || strlen((const char *)symbol) >= sizeof out->symbol) {
		return LC_ERR_INVALID;
	}
	strcpy(out->symbol, (const char *)symbol);
	bar->period = (uint8_t)lc_period_find((const char *)period);
	bar->start_ns = sqlite3_column_int64(query, START);
	bar->end_ns = sqlite3_column_int64(query, END);
	bar->revision = (uint32_t)sqlite3_column_int64(query, REVISION);
	bar->final = sqlite3_column_int(query, FINAL) != 0;
	bar->complete = sqlite3_column_int(query, COMPLETE) != 0;
	bar->has = (uint8_t)sqlite3_column_int(query, HAS);
	bar->tick_count = (uint32_t)sqlite3_column_int64(query, TICKS);
	decimals_of(bar, decimals);
	for (int i = 0; i < DECIMALS; i++) {
		const char *text = (const char *)sqlite3_column_text(query, FIRST_DECIMAL + i);
		size_t len = (size_t)sqlite3_column_bytes(query, FIRST_DECIMAL + i);
		if (!text || lc_decimal_parse(text, len, decimals[i]) != LC_OK) {
			return LC_ERR_INVALID;
		}
	}
	return bar_row_check(out);
}

/* The rows of one range, newest first, appended. SQLite's code; SQLITE_MISMATCH: strange rows. */
static int get_range(struct bars_db *db, const struct lc_bar_query *query, int64_t last_ns,
	size_t limit, struct lc_bar_rows *out, size_t *capacity)
{
	int rc = sqlite3_bind_text(db->range, 1, query->symbol, -1, SQLITE_STATIC);
	rc |= sqlite3_bind_text(db->range, 2, lc_period_name(query->period), -1, SQLITE_STATIC);
	rc |= sqlite3_bind_int64(db->range, 3, query->from_ns);
	rc |= sqlite3_bind_int64(db->range, 4, last_ns);
	rc |= sqlite3_bind_int64(db->range, 5, (int64_t)limit);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(db->range);
		if (rc != SQLITE_ROW) {
			break;
		}
		struct lc_bar_row *row = bar_rows_add(out, capacity);
		if (!row) {
			rc = SQLITE_NOMEM;
		} else if (get_row(db->range, row) != LC_OK) {
			rc = SQLITE_MISMATCH;
		}
	}
	sqlite3_reset(db->range);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* After a failed read: a damaged file does not stay. */
static enum lc_err read_failed(struct bars_db *db, int rc, int64_t wall_ns, struct lc_error *err)
{
	if (rc == SQLITE_MISMATCH) {
		return lc_error_set(err, LC_ERR_INVALID,
			"%.120s/bars.db holds rows that livecore did not write", db->dir);
	}
	if (rc == SQLITE_NOMEM) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	enum lc_err result = sqlite_error(db, err);
	struct lc_error afresh;
	if (sqlite_file_damaged(rc) && !db->read_only &&
		start_afresh(db, wall_ns, &afresh) != LC_OK) {
		*err = afresh;
		return afresh.code;
	}
	return result;
}

static enum lc_err need_open(const struct bars_db *db, struct lc_error *err)
{
	return db->sqlite ? LC_OK
			  : lc_error_set(err, LC_ERR_CLOSED, "%.120s/bars.db is not open", db->dir);
}

/* Reads newest first, so that a limit keeps the newest. */
static void reverse(struct lc_bar_rows *rows)
{
	for (size_t i = 0, j = rows->count; i + 1 < j; i++) {
		struct lc_bar_row row = rows->items[--j];
		rows->items[j] = rows->items[i];
		rows->items[i] = row;
	}
}

static int write_rows(struct bars_db *db, const struct lc_bar_row *rows, size_t count)
{
	int rc = sqlite3_exec(db->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
		rc = put_row(db->put, &rows[i]);
	}
	return rc ? rc : sqlite3_exec(db->sqlite, "COMMIT", NULL, NULL, NULL);
}

/* --- public --- */

enum lc_err bars_db_open(struct bars_db *db, int64_t wall_ns, struct lc_error *err)
{
	if (db->sqlite) {
		return LC_OK;
	}
	enum lc_err rc = open_file(db, err);
	if (rc == LC_ERR_AGAIN) {
		rc = db->read_only ? LC_ERR_IO : start_afresh(db, wall_ns, err);
	}
	if (rc != LC_OK) {
		bars_db_close(db);
	}
	return rc;
}

enum lc_err bars_db_write(struct bars_db *db, int64_t wall_ns, const struct lc_bar_row *rows,
	size_t count, struct lc_error *err)
{
	enum lc_err result = need_open(db, err);
	if (result != LC_OK) {
		return result;
	}
	int rc = write_rows(db, rows, count);
	if (sqlite_file_damaged(rc)) {
		result = start_afresh(db, wall_ns, err);
		if (result != LC_OK) {
			return result;
		}
		rc = write_rows(db, rows, count);
	}
	if (rc != SQLITE_OK) {
		result = sqlite_error(db, err); /* before ROLLBACK replaces the text */
		if (!sqlite3_get_autocommit(db->sqlite)) {
			sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
		}
	}
	return result;
}

enum lc_err bars_db_read(struct bars_db *db, int64_t wall_ns, const struct lc_bar_query *query,
	struct lc_bar_rows *out, struct lc_error *err)
{
	size_t capacity = out->count;
	enum lc_err result = need_open(db, err);
	if (result != LC_OK || query->to_ns == INT64_MIN) {
		return result;
	}
	int64_t last_ns = query->to_ns == INT64_MAX ? INT64_MAX : query->to_ns - 1;
	int rc = get_range(db, query, last_ns, query->limit, out, &capacity);
	if (rc != SQLITE_OK) {
		return read_failed(db, rc, wall_ns, err);
	}
	reverse(out);
	return LC_OK;
}

enum lc_err bars_db_latest(struct bars_db *db, int64_t wall_ns,
	const char (*symbols)[LC_SYMBOL_MAX], size_t count, int64_t from_ns, int64_t at_ns,
	struct lc_bar_rows *out, struct lc_error *err)
{
	size_t capacity = out->count;
	enum lc_err result = need_open(db, err);
	/* One snapshot for all of them, and no lock taken for each. */
	int rc = result ? SQLITE_OK : sqlite3_exec(db->sqlite, "BEGIN", NULL, NULL, NULL);
	for (size_t i = 0; result == LC_OK && rc == SQLITE_OK && i < count; i++) {
		struct lc_bar_query query = {.period = LC_PERIOD_1D, .from_ns = from_ns};
		memcpy(query.symbol, symbols[i], LC_SYMBOL_MAX);
		rc = get_range(db, &query, at_ns, 1, out, &capacity);
	}
	if (result != LC_OK) {
		return result;
	}
	if (rc != SQLITE_OK) {
		result = read_failed(db, rc, wall_ns, err);
	}
	if (db->sqlite && !sqlite3_get_autocommit(db->sqlite)) {
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
	}
	bar_rows_sort(out);
	return result;
}

void bars_db_close(struct bars_db *db)
{
	sqlite3_finalize(db->put);
	sqlite3_finalize(db->range);
	db->put = db->range = NULL;
	sqlite3_close(db->sqlite);
	db->sqlite = NULL;
}

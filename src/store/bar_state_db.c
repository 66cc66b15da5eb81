#include "store/bar_state_db.h"

#include "livecore/file.h"
#include "store/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SCHEMA_VERSION 1
#define BUSY_MS 2000 /* someone looks into the file with another program */

/* NORMAL: a power cut may lose the last seconds, which a restart shows as a gap. */
static const char settings_sql[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;";

static const char schema_sql[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE pieces(symbol TEXT NOT NULL, key INTEGER NOT NULL, data BLOB NOT NULL,"
	" PRIMARY KEY(symbol, key)) WITHOUT ROWID;"
	"CREATE TABLE saved(one INTEGER PRIMARY KEY CHECK(one = 1), ns INTEGER NOT NULL);"
	"PRAGMA user_version=1;"
	"COMMIT;";

static void path_of(const struct bar_state_db *db, const char *suffix, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s.%s", db->dir, db->name, suffix);
}

/* --- the lock --- */

/* The state directory's own lock is the interest store's, which works without when it cannot have
 * it; two writers of one day's bars would mix them up. */
static enum lc_err take_lock(struct bar_state_db *db, struct lc_error *err)
{
	char path[PATH_MAX];
	if (db->lock_fd >= 0) {
		return LC_OK;
	}
	if (lc_make_directories(db->dir) != 0) {
		return lc_error_set(err, LC_ERR_IO, "%.150s: %s", db->dir, strerror(errno));
	}
	path_of(db, "lock", path);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		return lc_error_set(err, LC_ERR_IO,
			"%.150s: %s: make state.dir writable for this user or name another one",
			path, strerror(errno));
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		enum lc_err rc = errno == EWOULDBLOCK ? LC_ERR_EXISTS : LC_ERR_IO;
		close(fd);
		return lc_error_set(err, rc,
			"%.120s is in use by another livecore: what it keeps begins anew here "
			"after a restart",
			path);
	}
	db->lock_fd = fd;
	return LC_OK;
}

/* --- opening --- */

static enum lc_err sqlite_error(const struct bar_state_db *db, struct lc_error *err)
{
	char path[PATH_MAX];
	path_of(db, "db", path);
	return sqlite_file_error(db->sqlite, path, err);
}

static void close_file(struct bar_state_db *db)
{
	sqlite3_finalize(db->put);
	sqlite3_finalize(db->forget);
	sqlite3_finalize(db->next);
	sqlite3_close(db->sqlite);
	db->put = db->forget = db->next = NULL;
	db->sqlite = NULL;
}

static int prepare(struct bar_state_db *db)
{
	int rc = sqlite3_prepare_v2(
		db->sqlite, "REPLACE INTO pieces VALUES(?, ?, ?)", -1, &db->put, NULL);
	rc = rc ? rc
		: sqlite3_prepare_v2(
			  db->sqlite, "DELETE FROM pieces WHERE symbol = ?", -1, &db->forget, NULL);
	return rc ? rc
		  : sqlite3_prepare_v2(db->sqlite,
			    "SELECT symbol, key, data FROM pieces WHERE (symbol, key) > (?, ?)"
			    " ORDER BY symbol, key LIMIT ?",
			    -1, &db->next, NULL);
}

/* Returns SQLite's code; SQLITE_MISMATCH: the file is from a newer program. */
static int open_file(struct bar_state_db *db)
{
	char path[PATH_MAX];
	int64_t version;
	path_of(db, "db", path);
	int rc = sqlite_file_open(path, true, BUSY_MS, &db->sqlite);
	if (rc != SQLITE_OK) {
		return rc;
	}
	rc = sqlite3_exec(db->sqlite, settings_sql, NULL, NULL, NULL);
	rc = rc ? rc : sqlite_file_number(db->sqlite, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK && version > SCHEMA_VERSION) {
		return SQLITE_MISMATCH;
	}
	if (rc == SQLITE_OK && version == 0) {
		rc = sqlite3_exec(db->sqlite, schema_sql, NULL, NULL, NULL);
	}
	return rc ? rc : prepare(db);
}

static int set_aside(struct bar_state_db *db, int64_t wall_ns)
{
	char path[PATH_MAX];
	path_of(db, "db", path);
	close_file(db);
	return sqlite_file_set_aside(path, wall_ns, db->set_aside);
}

/* What SQLite said becomes our error; a damaged file is replaced by an empty one. */
static enum lc_err judge(struct bar_state_db *db, int rc, int64_t wall_ns, struct lc_error *err)
{
	if (rc == SQLITE_OK) {
		return LC_OK;
	}
	if (rc == SQLITE_MISMATCH) {
		close_file(db);
		return lc_error_set(err, LC_ERR_UNSUPPORTED,
			"%.120s/%s.db was made by a newer livecore: run that one, or move the "
			"file away",
			db->dir, db->name);
	}
	sqlite_error(db, err);
	if (sqlite_file_damaged(rc) && set_aside(db, wall_ns) == 0 && open_file(db) == SQLITE_OK) {
		return LC_ERR_IO;
	}
	if (sqlite_file_damaged(rc) || !db->put) {
		close_file(db);
	}
	return LC_ERR_IO;
}

enum lc_err bar_state_db_open(struct bar_state_db *db, int64_t wall_ns, struct lc_error *err)
{
	if (db->sqlite) {
		return LC_OK;
	}
	enum lc_err rc = take_lock(db, err);
	rc = rc ? rc : judge(db, open_file(db), wall_ns, err);
	if (rc == LC_ERR_IO && db->sqlite) { /* what was damaged counts as empty */
		*err = (struct lc_error){.code = LC_OK};
		rc = LC_OK;
	}
	return rc;
}

void bar_state_db_close(struct bar_state_db *db)
{
	close_file(db);
	if (db->lock_fd >= 0) {
		close(db->lock_fd);
		db->lock_fd = -1;
	}
}

/* --- loading and saving --- */

static int load_piece(struct bar_state_db *db, struct lc_bar_pieces *out)
{
	const char *symbol = (const char *)sqlite3_column_text(db->next, 0);
	const void *data = sqlite3_column_blob(db->next, 2);
	int len = sqlite3_column_bytes(db->next, 2);
	if (!symbol || strlen(symbol) >= sizeof db->symbol || len < 0) {
		return SQLITE_CORRUPT;
	}
	strcpy(db->symbol, symbol);
	db->key = sqlite3_column_int(db->next, 1);
	enum lc_err rc = lc_bar_pieces_add(out, db->symbol, db->key, data, (size_t)len);
	return rc == LC_OK ? SQLITE_OK : SQLITE_NOMEM;
}

enum lc_err bar_state_db_load(struct bar_state_db *db, int64_t wall_ns, size_t max,
	struct lc_bar_pieces *out, int64_t *saved_ns, struct lc_error *err)
{
	int rc = sqlite_file_number(db->sqlite, "SELECT ns FROM saved", saved_ns);
	rc = rc ? rc : sqlite3_bind_text(db->next, 1, db->symbol, -1, SQLITE_TRANSIENT);
	rc = rc ? rc : sqlite3_bind_int(db->next, 2, db->key);
	rc = rc ? rc : sqlite3_bind_int64(db->next, 3, (sqlite3_int64)max);
	while (rc == SQLITE_OK && (rc = sqlite3_step(db->next)) == SQLITE_ROW) {
		rc = load_piece(db, out);
	}
	if (db->next) {
		sqlite3_reset(db->next);
	}
	return judge(db, rc == SQLITE_DONE ? SQLITE_OK : rc, wall_ns, err);
}

static int save_piece(struct bar_state_db *db, const struct lc_bar_piece *piece)
{
	sqlite3_stmt *statement = piece->key == LC_BAR_PIECE_FORGET ? db->forget : db->put;
	int rc = sqlite3_bind_text(statement, 1, piece->symbol, -1, SQLITE_STATIC);
	if (statement == db->put) {
		rc = rc ? rc : sqlite3_bind_int(statement, 2, piece->key);
		rc = rc ? rc
			: sqlite3_bind_blob(
				  statement, 3, piece->data, (int)piece->len, SQLITE_STATIC);
	}
	rc = rc ? rc : sqlite3_step(statement);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum lc_err bar_state_db_save(struct bar_state_db *db, int64_t wall_ns,
	const struct lc_bar_pieces *pieces, int64_t saved_ns, struct lc_error *err)
{
	struct lc_bar_piece piece;
	char sql[80];
	size_t cursor = 0;
	int rc = sqlite3_exec(db->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	while (rc == SQLITE_OK && lc_bar_pieces_next(pieces, &cursor, &piece)) {
		rc = save_piece(db, &piece);
	}
	if (rc == SQLITE_OK && saved_ns > 0) {
		snprintf(
			sql, sizeof sql, "REPLACE INTO saved VALUES(1, %lld)", (long long)saved_ns);
		rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
	}
	rc = rc ? rc : sqlite3_exec(db->sqlite, "COMMIT", NULL, NULL, NULL);
	enum lc_err result = judge(db, rc, wall_ns, err);
	if (db->sqlite && !sqlite3_get_autocommit(db->sqlite)) {
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
	}
	return result;
}

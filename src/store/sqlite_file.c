#include "store/sqlite_file.h"

#include "livecore/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int sqlite_file_make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		return errno;
	}
	close(fd);
	return 0;
}

int sqlite_file_open(const char *path, bool make, int busy_ms, struct sqlite3 **out)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	if (make) {
		sqlite_file_make(path); /* when it cannot be made, SQLite says so below */
		flags |= SQLITE_OPEN_CREATE;
	}
	int rc = sqlite3_open_v2(path, out, flags, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_extended_result_codes(*out, 1);
		sqlite3_busy_timeout(*out, busy_ms);
	}
	return rc;
}

int sqlite_file_number(struct sqlite3 *sqlite, const char *sql, int64_t *out)
{
	sqlite3_stmt *statement = NULL;
	*out = 0;
	int rc = sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL);
	rc = rc ? rc : sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		*out = sqlite3_column_int64(statement, 0);
	}
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

bool sqlite_file_damaged(int rc)
{
	return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

int sqlite_file_set_aside(const char *path, int64_t wall_ns, char set_aside[PATH_MAX])
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char stamp[32], from[PATH_MAX], to[PATH_MAX];
	time_t seconds = (time_t)(wall_ns / LC_NS_PER_S);
	struct tm utc;
	gmtime_r(&seconds, &utc);
	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
		snprintf(to, sizeof to, "%s.damaged-%s%s", path, stamp, suffixes[i]);
		if (rename(from, to) != 0 && errno != ENOENT) {
			return errno;
		}
	}
	snprintf(set_aside, PATH_MAX, "%s.damaged-%s", path, stamp);
	return 0;
}

enum lc_err sqlite_file_error(struct sqlite3 *sqlite, const char *path, struct lc_error *err)
{
	return lc_error_set(err, LC_ERR_IO,
		"%.150s: %s: is the disk full, or the file not writable for this user?", path,
		sqlite ? sqlite3_errmsg(sqlite) : "out of memory");
}

enum lc_err sqlite_file_too_new(
	const char *path, int64_t version, int64_t known, struct lc_error *err)
{
	return lc_error_set(err, LC_ERR_UNSUPPORTED,
		"%.130s is version %lld, this livecore knows up to %lld: run the newer livecore, "
		"or move the file away",
		path, (long long)version, (long long)known);
}

#include "livecore/bar_store.h"

#include "livecore/file.h"

#include <string.h>

#define STORE(field) offsetof(struct lc_store_config, field)

static enum lc_err check_url(const char *text, struct lc_error *err)
{
	if (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0) {
		return LC_OK;
	}
	return lc_error_set(err, LC_ERR_INVALID,
		"\"%.100s\" is no URL: write http://HOST:8123 or https://HOST:8443", text);
}

/* It stands in SQL, and there is no other safe way to put it there. */
static enum lc_err check_name(const char *text, struct lc_error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char rest[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	size_t len = strlen(text);
	if (len <= 64 && strchr(letters, text[0]) && strspn(text, rest) == len) {
		return LC_OK;
	}
	return lc_error_set(err, LC_ERR_INVALID,
		"\"%.100s\" is no name: use letters, digits and _, a letter first, at most 64",
		text);
}

/* They become a header line. */
static enum lc_err check_header(const char *text, struct lc_error *err)
{
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 127) {
			return lc_error_set(
				err, LC_ERR_INVALID, "control characters are not allowed here");
		}
	}
	return strlen(text) <= 256
		       ? LC_OK
		       : lc_error_set(err, LC_ERR_INVALID, "longer than 256 characters");
}

static const char *const backends[] = {"sqlite", "clickhouse", "none", NULL};

static const struct lc_setting settings[] = {
	{"backend", LC_SET_ENUM, STORE(backend), .fallback = "sqlite", .choices = backends,
		.apply = LC_APPLY_RESTART,
		.help = "where bars are kept: sqlite (bars.db in state.dir), clickhouse or none"},
	{"clickhouse_url", LC_SET_STRING, STORE(clickhouse_url),
		.fallback = "http://127.0.0.1:8123", .apply = LC_APPLY_RESTART, .check = check_url,
		.help = "ClickHouse's HTTP interface (18.16 or newer)"},
	{"clickhouse_ca_file", LC_SET_STRING, STORE(clickhouse_ca_file), .fallback = "",
		.apply = LC_APPLY_RESTART, .check = lc_file_check_exists,
		.help = "PEM file with the authorities to trust for an https:// URL; empty: the "
			"system's"},
	{"clickhouse_database", LC_SET_STRING, STORE(clickhouse_database), .fallback = "livecore",
		.apply = LC_APPLY_RESTART, .check = check_name,
		.help = "the database that holds the tables; made when it is missing"},
	{"clickhouse_user", LC_SET_STRING, STORE(clickhouse_user), .fallback = "default",
		.apply = LC_APPLY_RESTART, .check = check_header, .help = "the user's name"},
	{"clickhouse_password", LC_SET_STRING, STORE(clickhouse_password), .fallback = "",
		.apply = LC_APPLY_RESTART, .flags = LC_SETTING_SECRET, .check = check_header,
		.help = "the user's password; empty: none"},
	{"batch_rows", LC_SET_INT, STORE(batch_rows), .fallback = "1000", .min = 1, .max = 10000,
		.apply = LC_APPLY_RESTART, .help = "so many bars are written at once"},
	{"batch_interval", LC_SET_DURATION, STORE(batch_interval), .fallback = "1s", .min = 1,
		.max = 60000, .apply = LC_APPLY_RESTART,
		.help = "fewer bars are written so long after the first of them came"},
	{"spool_size", LC_SET_SIZE, STORE(spool_size), .fallback = "256MB", .min = 2097152,
		.max = 1099511627776, .apply = LC_APPLY_RESTART,
		.help = "bars that wait on disk (bars.spool in state.dir) while the store is away; "
			"the oldest are given up beyond it"},
	{"timeout", LC_SET_DURATION, STORE(timeout), .fallback = "10s", .min = 100, .max = 3.6e6,
		.apply = LC_APPLY_RESTART, .help = "how long one answer of ClickHouse may take"},
};

const struct lc_section lc_store_section = {
	.name = "store",
	.help = "where bars are kept",
	.settings = settings,
	.count = sizeof settings / sizeof *settings,
	.size = sizeof(struct lc_store_config),
};

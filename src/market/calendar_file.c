#include "market_priv.h"

#include "livecore/buf.h"
#include "livecore/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_BYTES = 1024, FILE_MAX_BYTES = 1 << 20 };

/* Passes mistakes on, and keeps the first one. */
struct first_mistake {
	const struct lc_calendar_report *report;
	struct lc_error *err;
	bool any;
};

static void on_mistake(void *arg, const char *file, int line, const char *text)
{
	struct first_mistake *first = arg;
	if (!first->any) {
		first->any = true;
		lc_error_set(first->err, LC_ERR_INVALID, "%s:%d: %s", file, line, text);
	}
	if (first->report && first->report->mistake) {
		first->report->mistake(first->report->arg, file, line, text);
	}
}

static enum lc_err file_path(
	const char *dir, enum lc_market market, char path[PATH_MAX_BYTES], struct lc_error *err)
{
	int len = snprintf(path, PATH_MAX_BYTES, "%s/%s.csv", dir, lc_market_name(market));
	return len < PATH_MAX_BYTES ? LC_OK
				    : lc_error_set(err, LC_ERR_INVALID, "calendar.dir is too long");
}

static enum lc_err overlay_market(struct exceptions *exceptions, const char *dir,
	enum lc_market market, struct first_mistake *first)
{
	const struct lc_calendar_report report = {on_mistake, first};
	char path[PATH_MAX_BYTES], *text;
	size_t len;
	enum lc_err rc = file_path(dir, market, path, first->err);
	rc = rc ? rc : lc_file_read(path, FILE_MAX_BYTES, &text, &len, first->err);
	if (rc != LC_OK || !text) {
		return rc;
	}
	rc = lc_calendar_text_read(
		exceptions, &lc_market_rules[market], text, len, true, path, &report);
	free(text);
	return rc == LC_ERR_NOMEM ? lc_error_set(first->err, rc, "out of memory") : rc;
}

enum lc_err lc_calendar_overlay(struct exceptions exceptions[LC_MARKETS], const char *dir,
	const struct lc_calendar_report *report, struct lc_error *err)
{
	if (!dir || !*dir) {
		return LC_OK;
	}
	if (!lc_file_is_folder(dir)) {
		return lc_error_set(err, LC_ERR_NOT_FOUND, "calendar.dir: %s is no directory", dir);
	}
	struct first_mistake first = {report, err, false};
	enum lc_err result = LC_OK;
	for (int market = 0; market < LC_MARKETS; market++) {
		enum lc_err rc = overlay_market(
			&exceptions[market], dir, (enum lc_market)market, &first);
		if (rc != LC_OK && rc != LC_ERR_INVALID) {
			return rc;
		}
		result = rc ? rc : result;
	}
	return result;
}

/* --- writing --- */

/* Does a line say something of this day? */
static bool is_about(const char *line, size_t len, const char *day)
{
	const char *comma = memchr(line, ',', len);
	if (!comma || *line == '#') {
		return false;
	}
	const char *at = comma + 1, *end = line + len;
	while (at < end && (*at == ' ' || *at == '\t')) {
		at++;
	}
	bool verb = strncmp(line, "close", 5) == 0 || strncmp(line, "early", 5) == 0 ||
		    strncmp(line, "add", 3) == 0;
	return verb && (size_t)(end - at) >= strlen(day) && memcmp(at, day, strlen(day)) == 0;
}

static void write_lines(struct lc_buf *out, const char *text, size_t len, const char *day)
{
	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t size = end ? (size_t)(end - text) - at : len - at;
		if (!is_about(text + at, size, day)) {
			lc_buf_append(out, text + at, size);
			lc_buf_putc(out, '\n');
		}
		at += size + 1;
	}
}

static void write_day(struct lc_buf *out, const char *day, int early, const char *why)
{
	if (early >= 0) {
		lc_buf_printf(out, "early,%s,%02d:%02d", day, early / 60, early % 60);
	} else {
		lc_buf_printf(out, "%s,%s", early == DAY_CLOSED ? "close" : "add", day);
	}
	lc_buf_printf(out, "%s%s\n", *why ? "," : "", why);
}

static enum lc_err replace_file(const char *path, const char *text, size_t len, const char *day,
	int early, const char *why, struct lc_error *err)
{
	struct lc_buf out;
	lc_buf_init(&out, 2 * FILE_MAX_BYTES);
	write_lines(&out, text, len, day);
	write_day(&out, day, early, why);
	enum lc_err rc = out.failed ? lc_error_set(err, LC_ERR_NOMEM, "out of memory")
				    : lc_file_replace(path, out.data, out.len, err);
	lc_buf_finish(&out);
	return rc;
}

enum lc_err lc_calendar_write(const char *dir, enum lc_market market, int32_t day, int early,
	const char *why, struct lc_error *err)
{
	char path[PATH_MAX_BYTES], *text, day_text[16];
	size_t len;
	struct lc_civil civil = {0};
	lc_civil_from_days(day, &civil);
	snprintf(day_text, sizeof day_text, "%04d-%02u-%02u", (int)civil.year, civil.month,
		civil.day);
	if (early >= 0 && !lc_phases_may_close(&lc_market_rules[market], early)) {
		return lc_error_set(err, LC_ERR_INVALID,
			"%02d:%02d is not within a session: the market cannot close then",
			early / 60, early % 60);
	}
	enum lc_err rc = file_path(dir, market, path, err);
	rc = rc ? rc : lc_file_make_folder(dir, err);
	rc = rc ? rc : lc_file_read(path, FILE_MAX_BYTES, &text, &len, err);
	if (rc != LC_OK) {
		return rc;
	}
	/* What has mistakes is a person's to mend. */
	struct first_mistake first = {NULL, err, false};
	const struct lc_calendar_report report = {on_mistake, &first};
	struct exceptions scratch = {0};
	rc = text ? lc_calendar_text_read(
			    &scratch, &lc_market_rules[market], text, len, true, path, &report)
		  : LC_OK;
	if (rc == LC_OK) {
		rc = replace_file(
			path, text ? text : "", len, day_text, early, why ? why : "", err);
	}
	free(scratch.days);
	free(text);
	return rc;
}

#include "market_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 200, FIELDS_MAX = 4, DAYS_MAX = 10000, YEAR_MIN = 1990, YEAR_MAX = 2200 };

struct reading {
	struct exceptions *exceptions;
	const struct market_rules *rules;
	const struct lc_calendar_report *report;
	const char *name;
	int line;
	bool overlay, failed, no_memory;
};

__attribute__((format(printf, 2, 3))) static void mistake(
	struct reading *reading, const char *format, ...)
{
	char text[200];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	reading->failed = true;
	if (reading->report && reading->report->mistake) {
		reading->report->mistake(reading->report->arg, reading->name, reading->line, text);
	}
}

static bool read_digits(const char *text, int count, int *value)
{
	*value = 0;
	for (int i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		*value = *value * 10 + (text[i] - '0');
	}
	return true;
}

bool lc_calendar_day_parse(const char *text, int32_t *day)
{
	int year, month, date;
	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
		!read_digits(text, 4, &year) || !read_digits(text + 5, 2, &month) ||
		!read_digits(text + 8, 2, &date)) {
		return false;
	}
	if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || date < 1) {
		return false;
	}
	*day = lc_days_from_civil(year, (unsigned)month, (unsigned)date);
	struct lc_civil civil;
	lc_civil_from_days(*day, &civil);
	return civil.month == month && civil.day == date; /* no 31st of June */
}

bool lc_calendar_time_parse(const char *text, int *minute)
{
	int hour, rest;
	if (strlen(text) != 5 || text[2] != ':' || !read_digits(text, 2, &hour) ||
		!read_digits(text + 3, 2, &rest) || hour > 23 || rest > 59) {
		return false;
	}
	*minute = HHMM(hour, rest);
	return true;
}

const struct exception *lc_exceptions_find(const struct exceptions *exceptions, int32_t day)
{
	size_t low = 0, high = exceptions->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (exceptions->days[middle].day < day) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	bool found = low < exceptions->count && exceptions->days[low].day == day;
	return found ? &exceptions->days[low] : NULL;
}

/* Adds, or takes the place of what was there. */
static enum lc_err put_exception(struct exceptions *exceptions, const struct exception *day)
{
	size_t at = exceptions->count;
	while (at > 0 && exceptions->days[at - 1].day >= day->day) {
		at--;
	}
	if (at < exceptions->count && exceptions->days[at].day == day->day) {
		exceptions->days[at] = *day;
		return LC_OK;
	}
	if (exceptions->count == exceptions->room) {
		size_t room = exceptions->room ? 2 * exceptions->room : 128;
		struct exception *days = realloc(exceptions->days, room * sizeof *days);
		if (!days) {
			return LC_ERR_NOMEM;
		}
		exceptions->days = days;
		exceptions->room = room;
	}
	memmove(&exceptions->days[at + 1], &exceptions->days[at],
		(exceptions->count - at) * sizeof *exceptions->days);
	exceptions->days[at] = *day;
	exceptions->count++;
	return LC_OK;
}

/* Cuts a line at its first commas; the last field keeps the rest. Spaces around a field do not
 * count. */
static int split(char *line, char *fields[FIELDS_MAX], int max)
{
	int count = 0;
	for (char *at = line; at && count < max;) {
		char *comma = count + 1 < max ? strchr(at, ',') : NULL;
		if (comma) {
			*comma = '\0';
		}
		at += strspn(at, " \t");
		for (size_t len = strlen(at); len > 0 && strchr(" \t\r", at[len - 1]); len--) {
			at[len - 1] = '\0';
		}
		fields[count++] = at;
		at = comma ? comma + 1 : NULL;
	}
	return count;
}

static void put(struct reading *reading, int32_t day, int early, const char *why)
{
	struct exception exception = {
		.day = day, .early = (int16_t)early, .overlaid = reading->overlay};
	snprintf(exception.why, sizeof exception.why, "%s", why);
	const struct exception *before = lc_exceptions_find(reading->exceptions, day);
	if (before && before->overlaid == reading->overlay) {
		mistake(reading, "this day is given twice");
		return;
	}
	if (reading->exceptions->count >= DAYS_MAX) {
		mistake(reading, "more than %d days", DAYS_MAX);
		return;
	}
	reading->no_memory |= put_exception(reading->exceptions, &exception) != LC_OK;
}

static bool read_day(struct reading *reading, const char *text, int32_t *day)
{
	if (!lc_calendar_day_parse(text, day)) {
		mistake(reading, "\"%.40s\" is no day: YYYY-MM-DD", text);
		return false;
	}
	return true;
}

static void read_covers(struct reading *reading, char *fields[FIELDS_MAX], int count)
{
	int32_t first, last;
	if (count != 3) {
		mistake(reading, "covers,FIRST-DAY,LAST-DAY");
		return;
	}
	if (!read_day(reading, fields[1], &first) || !read_day(reading, fields[2], &last)) {
		return;
	}
	if (last < first) {
		mistake(reading, "the last day is before the first");
		return;
	}
	struct exceptions *exceptions = reading->exceptions;
	/* An overlay adds to what is known; with days in between it begins anew. */
	bool joined = reading->overlay && first <= exceptions->last_day + 1;
	exceptions->first_day = joined && exceptions->first_day < first ? exceptions->first_day
									: first;
	exceptions->last_day = joined && exceptions->last_day > last ? exceptions->last_day : last;
}

static void read_early(struct reading *reading, char *fields[FIELDS_MAX], int count)
{
	int32_t day;
	int minute;
	if (count < 3 || !read_day(reading, fields[1], &day)) {
		if (count < 3) {
			mistake(reading, "early,DAY,TIME");
		}
		return;
	}
	if (!lc_calendar_time_parse(fields[2], &minute)) {
		mistake(reading, "\"%.40s\" is no time: HH:MM", fields[2]);
		return;
	}
	if (!lc_phases_may_close(reading->rules, minute)) {
		mistake(reading, "%.5s is not within a session: the market cannot close then",
			fields[2]);
		return;
	}
	put(reading, day, minute, count > 3 ? fields[3] : "");
}

static void read_line(struct reading *reading, char *line)
{
	char *fields[FIELDS_MAX];
	char *comma = strchr(line, ',');
	bool timed = strncmp(line, "early", 5) == 0;
	int max = strncmp(line, "source", 6) == 0 ? 2 : timed ? 4 : 3;
	int32_t day;
	int count = split(line, fields, max);
	if (!comma && fields[0][0] == '\0') {
		return;
	}
	if (strcmp(fields[0], "source") == 0) {
		snprintf(reading->exceptions->source, sizeof reading->exceptions->source, "%s",
			count > 1 ? fields[1] : "");
	} else if (strcmp(fields[0], "covers") == 0) {
		read_covers(reading, fields, count);
	} else if (strcmp(fields[0], "early") == 0) {
		read_early(reading, fields, count);
	} else if (strcmp(fields[0], "close") != 0 && strcmp(fields[0], "add") != 0) {
		mistake(reading, "\"%.40s\": only source, covers, close, early and add are known",
			fields[0]);
	} else if (count < 2) {
		mistake(reading, "%s,DAY", fields[0]);
	} else if (read_day(reading, fields[1], &day)) {
		put(reading, day, fields[0][0] == 'c' ? DAY_CLOSED : DAY_OPEN,
			count > 2 ? fields[2] : "");
	}
}

enum lc_err lc_calendar_text_read(struct exceptions *exceptions, const struct market_rules *rules,
	const char *text, size_t len, bool overlay, const char *name,
	const struct lc_calendar_report *report)
{
	struct reading reading = {exceptions, rules, report, name, 0, overlay, false, false};
	const char *end = text + len;
	for (const char *at = text; at < end;) {
		const char *next = memchr(at, '\n', (size_t)(end - at));
		size_t size = (size_t)((next ? next : end) - at);
		char line[LINE_MAX_BYTES];
		reading.line++;
		if (size >= sizeof line) {
			mistake(&reading, "a line of more than %d bytes", LINE_MAX_BYTES - 1);
		} else if (memchr(at, '\0', size)) {
			mistake(&reading, "a NUL byte");
		} else if (size > 0 && *at != '#') {
			memcpy(line, at, size);
			line[size] = '\0';
			read_line(&reading, line);
		}
		at = next ? next + 1 : end;
	}
	if (reading.no_memory) {
		return LC_ERR_NOMEM;
	}
	return reading.failed ? LC_ERR_INVALID : LC_OK;
}

#include "livecore/zone.h"

#include "livecore/clock.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <string.h>

#define TICK INT64_C(1767922200123456789) /* 2026-01-09T01:30:00.123456789Z */

static void assert_format(
	int64_t ns, enum lc_time_format format, const struct lc_zone *zone, const char *expected)
{
	char text[LC_TIME_TEXT_MAX];
	size_t len = lc_time_format(ns, format, zone, text);
	cr_assert_lt(len, LC_TIME_TEXT_MAX);
	text[len] = '\0';
	cr_assert_str_eq(text, expected, "%s, not %s", text, expected);
}

static struct lc_zone *load(const char *name)
{
	struct lc_zone *zone = NULL;
	cr_assert_eq(lc_zone_load(name, &zone, NULL), LC_OK);
	return zone;
}

Test(time, days_and_dates_match)
{
	cr_assert_eq(lc_days_from_civil(1970, 1, 1), 0);
	cr_assert_eq(lc_days_from_civil(2000, 3, 1), 11017);
	cr_assert_eq(lc_days_from_civil(1969, 12, 31), -1);
	struct lc_civil date = {0};
	struct lc_civil last = {.year = 1599, .month = 12, .day = 31};
	int weekday = 6; /* 1600-01-01 was a Saturday */
	for (int32_t day = lc_days_from_civil(1600, 1, 1); day < lc_days_from_civil(2401, 1, 1);
		day++) {
		lc_civil_from_days(day, &date);
		cr_assert_eq(lc_days_from_civil(date.year, date.month, date.day), day);
		cr_assert_eq(date.weekday, weekday);
		bool next_day = date.month == last.month && date.day == last.day + 1;
		bool next_month = date.day == 1 && (date.month == last.month + 1 ||
							   (date.month == 1 && last.month == 12));
		cr_assert(next_day || next_month);
		weekday = (weekday + 1) % 7;
		last = date;
	}
	cr_assert_eq(date.year, 2400);
}

Test(time, formats)
{
	struct lc_zone *shanghai = load("Asia/Shanghai");
	struct lc_zone *new_york = load("America/New_York");
	struct lc_zone *kolkata = load("Asia/Kolkata");
	assert_format(TICK, LC_TIME_UTC, shanghai, "2026-01-09T01:30:00.123456Z");
	assert_format(TICK, LC_TIME_OFFSET, shanghai, "2026-01-09T09:30:00.123456+08:00");
	assert_format(TICK, LC_TIME_NAIVE, shanghai, "2026-01-09T09:30:00.123456");
	assert_format(TICK, LC_TIME_OFFSET, new_york, "2026-01-08T20:30:00.123456-05:00");
	assert_format(TICK, LC_TIME_OFFSET, kolkata, "2026-01-09T07:00:00.123456+05:30");
	assert_format(TICK, LC_TIME_OFFSET, NULL, "2026-01-09T01:30:00.123456+00:00");
	assert_format(0, LC_TIME_UTC, NULL, "1970-01-01T00:00:00.000000Z");
	assert_format(-1, LC_TIME_UTC, NULL, "1969-12-31T23:59:59.999999Z");
	assert_format(INT64_MAX, LC_TIME_UTC, NULL, "2262-04-11T23:47:16.854775Z");
	assert_format(INT64_MIN, LC_TIME_UTC, NULL, "1677-09-21T00:12:43.145224Z");
	lc_zone_destroy(shanghai);
	lc_zone_destroy(new_york);
	lc_zone_destroy(kolkata);
}

Test(time, reads_iso_8601)
{
	struct lc_zone *shanghai = load("Asia/Shanghai");
	static const struct {
		const char *text;
		int64_t late_ns; /* than TICK cut to seconds */
	} cases[] = {
		{"2026-01-09T01:30:00Z", 0},
		{"2026-01-09 01:30:00Z", 0},
		{"2026-01-09T01:30:00.123456789Z", 123456789},
		{"2026-01-09T01:30:00.1234567891234Z", 123456789},
		{"2026-01-09T01:30:00.5Z", 500000000},
		{"2026-01-09T09:30:00+08:00", 0},
		{"2026-01-09T09:30:00.000001+0800", 1000},
		{"2026-01-08T20:30:00-05:00", 0},
		{"2026-01-09T09:30:00", 0}, /* naive: Shanghai's */
		{"2026-01-09 09:30:00.25", 250000000},
	};
	int64_t base = TICK / LC_NS_PER_S * LC_NS_PER_S;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t ns = 0;
		enum lc_err err = lc_time_parse(
			cases[i].text, strlen(cases[i].text), shanghai, &ns);
		cr_assert_eq(err, LC_OK, "%s", cases[i].text);
		cr_assert_eq(ns, base + cases[i].late_ns, "%s", cases[i].text);
	}
	int64_t ns = 0;
	cr_assert_eq(lc_time_parse("2026-01-09T01:30:00", 19, NULL, &ns), LC_OK, "NULL is UTC");
	cr_assert_eq(ns, base);
	cr_assert_eq(lc_time_parse("2024-02-29T00:00:00Z", 20, NULL, &ns), LC_OK);
	lc_zone_destroy(shanghai);
}

Test(time, refuses_what_is_no_time)
{
	static const char *const wrong[] = {"", "2026-01-09", "2026-01-09T", "2026-01-09T01:30",
		"2026-1-09T01:30:00Z", "2026-01-09T01:30:00.Z", "2026-01-09T01:30:00.",
		"2026-01-09T01:30:00ZZ", "2026-01-09T01:30:00+08", "2026-01-09T01:30:00+08:0",
		"2026-01-09T01:30:00+08:000", "2026-01-09T01:30:00+24:00",
		"2026-01-09T01:30:00+08:60", "2026-13-09T01:30:00Z", "2026-00-09T01:30:00Z",
		"2026-01-32T01:30:00Z", "2026-01-00T01:30:00Z", "2026-02-29T01:30:00Z",
		"2100-02-29T01:30:00Z", "2026-04-31T01:30:00Z", "2026-01-09T24:00:00Z",
		"2026-01-09T01:60:00Z", "2026-01-09T01:30:60Z", "2026-01-09X01:30:00Z",
		" 2026-01-09T01:30:00Z", "2026-01-09T01:30:00 Z", "+2026-01-09T01:30:00Z",
		"2026/01/09T01:30:00Z", "9999-01-09T01:30:00Z", "0000-01-01T00:00:00Z",
		"2262-04-11T23:47:17Z", "1677-09-21T00:12:42Z", "2026-01-09T-1:30:00Z",
		"2026-01-09T01:30:00+-8:00"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int64_t ns = 42;
		enum lc_err err = lc_time_parse(wrong[i], strlen(wrong[i]), NULL, &ns);
		cr_assert_eq(err, LC_ERR_INVALID, "%s", wrong[i]);
		cr_assert_eq(ns, 42);
	}
}

Test(time, text_comes_back)
{
	struct lc_zone *zone = load("America/New_York");
	uint64_t state = 3;
	for (int i = 0; i < 20000; i++) {
		xorshift(&state);
		int64_t ns = (int64_t)state / 1000 * 1000;
		char text[LC_TIME_TEXT_MAX];
		int64_t back = 0;
		size_t len = lc_time_format(ns, LC_TIME_UTC, NULL, text);
		cr_assert_eq(lc_time_parse(text, len, zone, &back), LC_OK);
		cr_assert_eq(back, ns);
		ns = TICK / 1000 * 1000 + (int64_t)(state % 100000000) * LC_NS_PER_S;
		len = lc_time_format(ns, LC_TIME_OFFSET, zone, text);
		cr_assert_eq(lc_time_parse(text, len, NULL, &back), LC_OK);
		cr_assert_eq(back, ns);
	}
	lc_zone_destroy(zone);
}

Test(time, fields_out_of_range_are_invalid)
{
	static const struct lc_civil wrong[] = {{.year = 2026, .month = 1},
		{.year = 2026, .month = 0, .day = 1}, {.year = 2026, .month = 255, .day = 1},
		{.year = 2026, .month = 1, .day = 1, .nanosecond = -1},
		{.year = 2026, .month = 1, .day = 1, .nanosecond = 1000000000},
		{.year = INT32_MAX, .month = 1, .day = 1},
		{.year = INT32_MIN, .month = 1, .day = 1},
		{.year = 2026, .month = 1, .day = 1, .hour = 24}};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int64_t ns;
		cr_assert_eq(lc_civil_to_ns(NULL, &wrong[i], &ns, NULL), LC_ERR_INVALID);
	}
}

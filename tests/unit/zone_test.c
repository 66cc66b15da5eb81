#include "livecore/zone.h"

#include "livecore/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define H 3600

static struct lc_zone *load(const char *name)
{
	struct lc_zone *zone = NULL;
	struct lc_error err = {0};
	cr_assert_eq(lc_zone_load(name, &zone, &err), LC_OK, "%s", err.text);
	return zone;
}

static int64_t utc_s(int32_t year, unsigned month, unsigned day, int hour, int minute)
{
	return lc_days_from_civil(year, month, day) * INT64_C(86400) + hour * H + minute * 60;
}

static int64_t local_s(const struct lc_zone *zone, struct lc_civil civil, int expected_kind)
{
	int64_t ns = 0;
	int kind = -1;
	cr_assert_eq(lc_civil_to_ns(zone, &civil, &ns, &kind), LC_OK);
	cr_assert_eq(kind, expected_kind, "kind %d", kind);
	return ns / LC_NS_PER_S;
}

/* A version 2 file with no transitions, one type and this footer. */
static size_t make_file(unsigned char *out, const char *footer)
{
	static const unsigned char header[44] = {'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4};
	static const unsigned char body[10] = {0, 0, 0, 0, 0, 0, 'L', 'M', 'T', 0};
	size_t len = 0;
	for (int i = 0; i < 2; i++) {
		memcpy(out + len, header, sizeof header);
		memcpy(out + len + sizeof header, body, sizeof body);
		len += sizeof header + sizeof body;
	}
	out[len++] = '\n';
	memcpy(out + len, footer, strlen(footer));
	len += strlen(footer);
	out[len++] = '\n';
	return len;
}

static struct lc_zone *from_footer(const char *footer)
{
	unsigned char file[512];
	struct lc_zone *zone = NULL;
	size_t len = make_file(file, footer);
	return lc_zone_parse(file, len, &zone) == LC_OK ? zone : NULL;
}

Test(zone, new_york_changes_of_2026)
{
	struct lc_zone *zone = load("America/New_York");
	int64_t spring = utc_s(2026, 3, 8, 7, 0);
	int64_t autumn = utc_s(2026, 11, 1, 6, 0);
	cr_assert_eq(lc_zone_offset(zone, spring - 1), -5 * H);
	cr_assert_eq(lc_zone_offset(zone, spring), -4 * H);
	cr_assert_eq(lc_zone_offset(zone, autumn - 1), -4 * H);
	cr_assert_eq(lc_zone_offset(zone, autumn), -5 * H);
	/* 02:30 does not exist on March 8; 01:30 exists twice on November 1. */
	struct lc_civil skipped = {
		.year = 2026, .month = 3, .day = 8, .hour = 2, .minute = 30, .nanosecond = 5};
	cr_assert_eq(local_s(zone, skipped, 1), spring);
	struct lc_civil twice = {.year = 2026, .month = 11, .day = 1, .hour = 1, .minute = 30};
	cr_assert_eq(local_s(zone, twice, 2), utc_s(2026, 11, 1, 5, 30));
	/* The edges of both. */
	struct lc_civil edge = {.year = 2026, .month = 3, .day = 8, .hour = 1, .minute = 59};
	cr_assert_eq(local_s(zone, edge, 0), spring - 60);
	edge.hour = 3;
	edge.minute = 0;
	cr_assert_eq(local_s(zone, edge, 0), spring);
	edge = (struct lc_civil){.year = 2026, .month = 11, .day = 1, .hour = 2};
	cr_assert_eq(local_s(zone, edge, 0), autumn + H);
	edge = (struct lc_civil){.year = 2026, .month = 11, .day = 1, .hour = 1};
	cr_assert_eq(local_s(zone, edge, 2), autumn - H);
	lc_zone_destroy(zone);
}

Test(zone, a_whole_day_can_be_skipped)
{
	struct lc_zone *zone = load("Pacific/Apia");
	struct lc_civil noon = {.year = 2011, .month = 12, .day = 30, .hour = 12};
	cr_assert_eq(local_s(zone, noon, 1), utc_s(2011, 12, 30, 10, 0));
	lc_zone_destroy(zone);
}

Test(zone, far_future_follows_the_footer)
{
	struct lc_zone *zone = load("America/New_York");
	/* Second Sunday of March, first of November; and 400 and 4000 years on the same dates. */
	cr_assert_eq(lc_zone_offset(zone, utc_s(2100, 3, 14, 6, 59)), -5 * H);
	cr_assert_eq(lc_zone_offset(zone, utc_s(2100, 3, 14, 7, 0)), -4 * H);
	for (int32_t year = 2026; year < 7000; year += 400) {
		cr_assert_eq(lc_zone_offset(zone, utc_s(year, 3, 8, 6, 59)), -5 * H);
		cr_assert_eq(lc_zone_offset(zone, utc_s(year, 3, 8, 7, 0)), -4 * H);
		cr_assert_eq(lc_zone_offset(zone, utc_s(year, 11, 1, 5, 59)), -4 * H);
		cr_assert_eq(lc_zone_offset(zone, utc_s(year, 11, 1, 6, 0)), -5 * H);
	}
	cr_assert_eq(lc_zone_offset(zone, INT64_MIN), -17762, "local mean time");
	lc_zone_offset(zone, INT64_MAX);
	lc_zone_destroy(zone);
}

Test(zone, shanghai_and_utc)
{
	struct lc_zone *zone = load("Asia/Shanghai");
	cr_assert_eq(lc_zone_offset(zone, utc_s(2026, 7, 1, 0, 0)), 8 * H);
	cr_assert_eq(lc_zone_offset(zone, utc_s(1988, 7, 1, 0, 0)), 9 * H, "summer time of 1988");
	struct lc_civil civil = lc_civil_from_ns(zone, INT64_C(1767922200123456789));
	cr_assert_eq(civil.year, 2026);
	cr_assert_eq(civil.month, 1);
	cr_assert_eq(civil.day, 9);
	cr_assert_eq(civil.hour, 9);
	cr_assert_eq(civil.minute, 30);
	cr_assert_eq(civil.nanosecond, 123456789);
	cr_assert_eq(civil.weekday, 5);
	lc_zone_destroy(zone);
	zone = load("UTC");
	cr_assert_eq(lc_zone_offset(zone, 0), 0);
	cr_assert_eq(lc_zone_offset(NULL, 0), 0);
	lc_zone_destroy(zone);
	lc_zone_destroy(NULL);
}

Test(zone, wrong_names)
{
	static const char *const wrong[] = {
		"", "../etc/passwd", "/etc/passwd", "Asia/../UTC", "Asia/Shang hai"};
	struct lc_zone *zone;
	struct lc_error err;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		cr_assert_eq(lc_zone_load(wrong[i], &zone, &err), LC_ERR_INVALID, "%s", wrong[i]);
	}
	cr_assert_eq(lc_zone_load("Asia/Atlantis", &zone, &err), LC_ERR_NOT_FOUND);
	cr_assert(strstr(err.text, "tzdata"), "%s", err.text);
	cr_assert_eq(lc_zone_load("Asia", &zone, &err), LC_ERR_INVALID, "a folder");
	cr_assert_eq(lc_zone_load("tzdata.zi", &zone, &err), LC_ERR_INVALID);
}

Test(zone, utc_needs_no_files)
{
	setenv("LIVECORE_ZONEINFO", "/nonexistent", 1);
	struct lc_zone *zone = load("UTC");
	cr_assert_eq(lc_zone_offset(zone, 1), 0);
	lc_zone_destroy(zone);
	struct lc_error err;
	cr_assert_eq(lc_zone_load("Asia/Shanghai", &zone, &err), LC_ERR_NOT_FOUND);
	cr_assert(strstr(err.text, "/nonexistent"));
}

Test(zone, footers)
{
	static const struct {
		const char *footer;
		int32_t january, july; /* hours east */
	} cases[] = {
		{"EST5EDT,M3.2.0,M11.1.0", -5, -4},
		{"<+08>-8", 8, 8},
		{"<-03>3", -3, -3},
		{"IST-1GMT0,M10.5.0,M3.5.0/1", 0, 1},       /* Dublin: DST in winter */
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", 11, 10},   /* south of the equator */
		{"<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", 0, 2}, /* Troll */
		{"XXX3YYY,J60/0,J300", -3, -2},
		{"XXX3YYY,59/0,300/-1:30:15", -3, -2},
		{"EST5EDT,0/0,J365/25", -4, -4}, /* DST all year */
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -2, -1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_zone *zone = from_footer(cases[i].footer);
		cr_assert(zone, "%s", cases[i].footer);
		for (int32_t year = 2020; year < 2030; year++) {
			int32_t january = lc_zone_offset(zone, utc_s(year, 1, 15, 0, 0));
			int32_t july = lc_zone_offset(zone, utc_s(year, 7, 15, 0, 0));
			cr_assert_eq(
				january, cases[i].january * H, "%s %d", cases[i].footer, january);
			cr_assert_eq(july, cases[i].july * H, "%s %d", cases[i].footer, july);
		}
		lc_zone_destroy(zone);
	}
}

/* J60 is March 1 in every year; 59 (counted from 0) is February 29 in a leap year. */
Test(zone, days_of_the_year_and_leap_days)
{
	struct lc_zone *julian = from_footer("XXX0YYY,J60/0,J300/0");
	struct lc_zone *counted = from_footer("XXX0YYY,59/0,300/0");
	for (int32_t year = 2023; year <= 2024; year++) {
		int64_t march = utc_s(year, 3, 1, 0, 0);
		int64_t leap_day = year == 2024 ? march - 86400 : march;
		cr_assert_eq(lc_zone_offset(julian, march - 1), 0);
		cr_assert_eq(lc_zone_offset(julian, march), H);
		cr_assert_eq(lc_zone_offset(counted, leap_day - 1), 0);
		cr_assert_eq(lc_zone_offset(counted, leap_day), H);
	}
	lc_zone_destroy(julian);
	lc_zone_destroy(counted);
}

Test(zone, broken_footers)
{
	static const char *const broken[] = {"X", "EST", "EST5EDT", "EST5EDT,", "EST5EDT,M3.2.0",
		"EST25", "<+08-8", "EST5EDT,M13.1.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0",
		"EST5EDT,M3.2.7,M11.1.0", "EST5EDT,M0.1.0,M11.1.0", "EST5EDT,J0,J300",
		"EST5EDT,J366,J1", "EST5EDT,M3.2.0/168,M11.1.0", "EST5EDT,M3.2.0,M11.1.0x",
		"EST5:", "EST5:60", "EST5EDT,M3.2.0/,M11.1.0", "E5", "EST99999999999"};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		cr_assert_null(from_footer(broken[i]), "%s", broken[i]);
	}
}

/* Every cut and every single changed byte of a file: an error or a zone, and never a read
 * outside (the sanitizers see to that, as the copy has its exact size). */
Test(zone, hostile_files)
{
	unsigned char file[512];
	size_t len = make_file(file, "EST5EDT,M3.2.0,M11.1.0");
	for (size_t cut = 0; cut <= len; cut++) {
		unsigned char *copy = malloc(cut ? cut : 1);
		memcpy(copy, file, cut);
		struct lc_zone *zone = NULL;
		cr_assert_eq(lc_zone_parse(copy, cut, &zone) == LC_OK, cut == len);
		lc_zone_destroy(zone);
		free(copy);
	}
	static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
	for (size_t i = 0; i < len * sizeof values; i++) {
		unsigned char *copy = malloc(len);
		memcpy(copy, file, len);
		copy[i / sizeof values] = values[i % sizeof values];
		struct lc_zone *zone = NULL;
		if (lc_zone_parse(copy, len, &zone) == LC_OK) {
			for (int64_t s = -10000000000; s < 20000000000; s += 3000000000) {
				int32_t offset = lc_zone_offset(zone, s);
				cr_assert(offset >= -26 * H && offset <= 26 * H);
			}
			struct lc_civil civil = {.year = 2026, .month = 3, .day = 8, .hour = 2};
			int64_t ns;
			lc_civil_to_ns(zone, &civil, &ns, NULL);
			lc_zone_destroy(zone);
		}
		free(copy);
	}
}

Test(zone, local_times_come_back)
{
	static const char *const names[] = {"America/New_York", "Australia/Lord_Howe",
		"Europe/Dublin", "Asia/Hong_Kong", "Africa/Casablanca"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct lc_zone *zone = load(names[i]);
		/* 41 minutes at a time hits all kinds of places around changes. */
		for (int64_t s = utc_s(2025, 1, 1, 0, 0); s < utc_s(2027, 1, 1, 0, 0); s += 2467) {
			struct lc_civil civil = lc_civil_from_ns(zone, s * LC_NS_PER_S + 7);
			int64_t ns;
			int kind;
			cr_assert_eq(lc_civil_to_ns(zone, &civil, &ns, &kind), LC_OK);
			cr_assert_neq(kind, 1, "what exists is not skipped");
			int64_t late = s * LC_NS_PER_S + 7 - ns;
			cr_assert(late == 0 ||
				  (kind == 2 && late > 0 && late <= 2 * H * LC_NS_PER_S));
		}
		lc_zone_destroy(zone);
	}
}

#include "livecore/cron.h"

#include "../lib/cron_matches.h"
#include "livecore/clock.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct lc_zone *load(const char *name)
{
	struct lc_zone *zone = NULL;
	struct lc_error err = {0};
	cr_assert_eq(lc_zone_load(name, &zone, &err), LC_OK, "%s", err.text);
	return zone;
}

static struct lc_cron parse(const char *text, enum lc_cron_rules rules)
{
	struct lc_cron cron;
	struct lc_error err = {0};
	cr_assert_eq(lc_cron_parse(text, rules, &cron, &err), LC_OK, "%s: %s", text, err.text);
	return cron;
}

static int64_t at(const char *text)
{
	int64_t ns = 0;
	cr_assert_eq(lc_time_parse(text, strlen(text), NULL, &ns), LC_OK, "%s", text);
	return ns;
}

/* From `after` on, the times must be those of `times`, separated by spaces; "never" ends them. */
struct known {
	const char *expression;
	enum lc_cron_rules rules;
	const char *zone, *after, *times;
};

static void check_known(const struct known *known)
{
	struct lc_zone *zone = load(known->zone);
	struct lc_cron cron = parse(known->expression, known->rules);
	int64_t now = at(known->after);
	char times[512];
	snprintf(times, sizeof times, "%s", known->times);
	for (char *save, *text = strtok_r(times, " ", &save); text;
		text = strtok_r(NULL, " ", &save)) {
		int64_t next = 0;
		enum lc_err rc = lc_cron_next(&cron, zone, now, &next);
		if (strcmp(text, "never") == 0) {
			cr_assert_eq(rc, LC_ERR_END, "%s has a time", known->expression);
			break;
		}
		char got[LC_TIME_TEXT_MAX] = "";
		cr_assert_eq(rc, LC_OK, "%s: no time %s", known->expression, text);
		lc_time_format(next, LC_TIME_OFFSET, zone, got);
		cr_expect_eq(next, at(text), "%s in %s after %s: %s, not %s", known->expression,
			known->zone, known->after, got, text);
		now = next;
	}
	lc_zone_destroy(zone);
}

#define CRON LC_CRON_RULES
#define MONDAY LC_CRON_MONDAY_RULES

static const struct known table[] = {
	/* leap days */
	{"0 0 29 2 *", CRON, "UTC", "2024-02-28T23:59:59.999999999Z",
		"2024-02-29T00:00:00Z 2028-02-29T00:00:00Z"},
	{"0 0 29 2 *", CRON, "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
	{"0 0 29 2 *", CRON, "UTC", "1999-01-01T00:00:00Z", "2000-02-29T00:00:00Z"},
	{"0 0 29 2 0", MONDAY, "UTC", "2024-03-01T00:00:00Z",
		"2044-02-29T00:00:00Z 2072-02-29T00:00:00Z"},
	{"0 0 29 2 FRI", MONDAY, "UTC", "2088-03-01T00:00:00Z", "2092-02-29T00:00:00Z"},
	{"0 0 29 2 SUN", MONDAY, "UTC", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00Z"},
	{"0 0 29 2 MON", CRON, "UTC", "2026-02-22T00:00:00Z",
		"2026-02-23T00:00:00Z 2027-02-01T00:00:00Z"},
	/* days that no month has */
	{"0 0 30 2 *", CRON, "UTC", "2026-01-01T00:00:00Z", "never"},
	{"0 0 31 4,6,9,11 *", CRON, "UTC", "2026-01-01T00:00:00Z", "never"},
	{"0 0 30 2 1", MONDAY, "UTC", "2026-01-01T00:00:00Z", "never"},
	{"0 0 31 * *", CRON, "UTC", "2026-01-31T00:00:00Z",
		"2026-03-31T00:00:00Z 2026-05-31T00:00:00Z 2026-07-31T00:00:00Z "
		"2026-08-31T00:00:00Z"},
	/* day of month and weekday */
	{"0 0 13 * 5", CRON, "UTC", "2026-02-10T00:00:00Z",
		"2026-02-13T00:00:00Z 2026-02-20T00:00:00Z 2026-02-27T00:00:00Z "
		"2026-03-06T00:00:00Z "
		"2026-03-13T00:00:00Z"},
	{"0 0 13 * 4", MONDAY, "UTC", "2026-02-10T00:00:00Z",
		"2026-02-13T00:00:00Z 2026-03-13T00:00:00Z 2026-11-13T00:00:00Z"},
	{"0 0 */2 * 1", CRON, "UTC", "2026-02-01T00:00:00Z",
		"2026-02-09T00:00:00Z 2026-02-23T00:00:00Z"},
	{"0 0 1-31 * 1", CRON, "UTC", "2026-02-02T12:00:00Z", "2026-02-03T00:00:00Z"},
	{"0 0 1,15 * */2", CRON, "UTC", "2026-02-02T00:00:00Z",
		"2026-02-15T00:00:00Z 2026-03-01T00:00:00Z 2026-03-15T00:00:00Z"},
	/* weekday numbers */
	{"0 21 * * 0", CRON, "Asia/Shanghai", "2026-11-20T00:00:00Z", "2026-11-22T21:00:00+08:00"},
	{"0 21 * * 7", CRON, "Asia/Shanghai", "2026-11-20T00:00:00Z", "2026-11-22T21:00:00+08:00"},
	{"0 21 * * 0", MONDAY, "Asia/Shanghai", "2026-11-20T00:00:00Z",
		"2026-11-23T21:00:00+08:00"},
	{"0 21 * * 6", MONDAY, "Asia/Shanghai", "2026-11-20T00:00:00Z",
		"2026-11-22T21:00:00+08:00"},
	{"0 0 * * fri-mon", CRON, "UTC", "2026-11-19T12:00:00Z",
		"2026-11-20T00:00:00Z 2026-11-21T00:00:00Z 2026-11-22T00:00:00Z "
		"2026-11-23T00:00:00Z "
		"2026-11-27T00:00:00Z"},
	{"0 0 * * 5-7", CRON, "UTC", "2026-11-19T12:00:00Z",
		"2026-11-20T00:00:00Z 2026-11-21T00:00:00Z 2026-11-22T00:00:00Z "
		"2026-11-27T00:00:00Z"},
	{"0 0 * * 0-4/2", MONDAY, "UTC", "2026-11-21T00:00:00Z",
		"2026-11-23T00:00:00Z 2026-11-25T00:00:00Z 2026-11-27T00:00:00Z "
		"2026-11-30T00:00:00Z"},
	/* steps, lists, seconds, names */
	{"5/20 * * * *", CRON, "UTC", "2026-01-01T00:00:00Z",
		"2026-01-01T00:05:00Z 2026-01-01T00:25:00Z 2026-01-01T00:45:00Z "
		"2026-01-01T01:05:00Z"},
	{"*/7 * * * *", CRON, "UTC", "2026-01-01T00:50:00Z",
		"2026-01-01T00:56:00Z 2026-01-01T01:00:00Z"},
	{"58-59 59 23 31 DEC *", CRON, "UTC", "2026-01-01T00:00:00Z",
		"2026-12-31T23:59:58Z 2026-12-31T23:59:59Z 2027-12-31T23:59:58Z"},
	{"* * * * * *", CRON, "UTC", "2026-12-31T23:59:58.000000001Z",
		"2026-12-31T23:59:59Z 2027-01-01T00:00:00Z"},
	{"@hourly", CRON, "UTC", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"},
	{"@weekly", MONDAY, "UTC", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
	{"@Yearly", CRON, "UTC", "2026-11-21T00:00:00Z", "2027-01-01T00:00:00Z"},
	/* before 1970 */
	{"0 0 1 1 *", CRON, "UTC", "1968-06-01T00:00:00.5Z",
		"1969-01-01T00:00:00Z 1970-01-01T00:00:00Z"},
	/* spring: what is skipped comes once, at the first instant after */
	{"30 2 * * *", CRON, "America/New_York", "2026-03-07T12:00:00Z",
		"2026-03-08T03:00:00-04:00 2026-03-09T02:30:00-04:00"},
	{"0,10,20 2 * * *", CRON, "America/New_York", "2026-03-07T12:00:00Z",
		"2026-03-08T03:00:00-04:00 2026-03-09T02:00:00-04:00"},
	{"0 2,3 * * *", CRON, "America/New_York", "2026-03-08T05:00:00Z",
		"2026-03-08T03:00:00-04:00 2026-03-09T02:00:00-04:00"},
	{"*/30 * * * *", CRON, "America/New_York", "2026-03-08T01:30:00-05:00",
		"2026-03-08T03:00:00-04:00 2026-03-08T03:30:00-04:00"},
	{"30 2 * * *", CRON, "Europe/Berlin", "2026-03-28T12:00:00Z",
		"2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00"},
	{"30 2 * * *", CRON, "Australia/Sydney", "2026-10-03T06:00:00Z",
		"2026-10-04T03:00:00+11:00 2026-10-05T02:30:00+11:00"},
	{"15 2 * * *", CRON, "Australia/Lord_Howe", "2026-10-03T06:00:00Z",
		"2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00"},
	{"0 12 30 12 *", CRON, "Pacific/Apia", "2011-12-29T00:00:00Z",
		"2011-12-31T00:00:00+14:00 2012-12-30T12:00:00+14:00"},
	/* autumn: of the two, the first */
	{"30 1 * * *", CRON, "America/New_York", "2026-10-31T12:00:00Z",
		"2026-11-01T01:30:00-04:00 2026-11-02T01:30:00-05:00"},
	{"30 1 * * *", CRON, "America/New_York", "2026-11-01T01:15:00-05:00",
		"2026-11-02T01:30:00-05:00"},
	{"*/30 * * * *", CRON, "America/New_York", "2026-11-01T01:00:00-04:00",
		"2026-11-01T01:30:00-04:00 2026-11-01T02:00:00-05:00"},
	{"30 2 * * *", CRON, "Europe/Berlin", "2026-10-24T12:00:00Z",
		"2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
	{"45 1 * * *", CRON, "Australia/Lord_Howe", "2026-04-04T06:00:00Z",
		"2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30"},
	{"0 3 * * *", CRON, "Australia/Sydney", "2026-04-04T06:00:00Z",
		"2026-04-05T03:00:00+10:00"},
	{"0 * * * * *", CRON, "Europe/Berlin", "2026-10-25T02:59:00+02:00",
		"2026-10-25T03:00:00+01:00"},
};

Test(cron, known_hard_expressions)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		check_known(&table[i]);
	}
}

/* What is said must name the field and what it takes. */
static const struct {
	const char *expression;
	enum lc_cron_rules rules;
	const char *said[3];
} mistakes[] = {
	{"60 * * * *", CRON, {"minute \"60\"", "out of range", "0 to 59"}},
	{"* 24 * * *", CRON, {"hour \"24\"", "0 to 23"}},
	{"* * 0 * *", CRON, {"day of month \"0\"", "1 to 31"}},
	{"* * * 13 *", CRON, {"month \"13\"", "1 to 12 or JAN to DEC"}},
	{"* * * JAM *", CRON, {"month \"JAM\"", "not a value", "JAN to DEC"}},
	{"* * * * 8", CRON, {"weekday \"8\"", "0 and 7 are Sunday"}},
	{"* * * * 7", MONDAY, {"weekday \"7\"", "0 is Monday"}},
	{"60 * * * * *", CRON, {"second \"60\"", "0 to 59"}},
	{"*/0 * * * *", CRON, {"minute \"*/0\"", "from 1 on"}},
	{"*/60 * * * *", CRON, {"minute \"*/60\"", "longer than the field"}},
	{"*/ * * * *", CRON, {"minute \"*/\"", "step"}},
	{"1, * * * *", CRON, {"minute \"\"", "missing"}},
	{"-5 * * * *", CRON, {"minute \"-5\"", "missing"}},
	{"9-5 * * * *", CRON, {"minute \"9-5\"", "ends before"}},
	{"*-5 * * * *", CRON, {"minute \"*-5\"", "no *"}},
	{"1-2-3 * * * *", CRON, {"minute \"1-2-3\""}},
	{"1/2/3 * * * *", CRON, {"minute \"1/2/3\""}},
	{"0 0 ? * MON", CRON, {"day of month \"?\""}},
	{"0 0 L * *", CRON, {"day of month \"L\""}},
	{"0 0 * * MON#1", CRON, {"weekday \"MON#1\""}},
	{"99999999999 * * * *", CRON, {"minute \"99999999999\""}},
	{"* * * *", CRON, {"five fields", "has 4"}},
	{"* * * * * * *", CRON, {"has 7"}},
	{"", CRON, {"has 0"}},
	{"@reboot", CRON, {"no \"@reboot\"", "@hourly"}},
	{"* * * * \xC3\xA9", CRON, {"plain ASCII"}},
};

Test(cron, mistakes_name_the_field_and_what_is_allowed)
{
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct lc_cron cron;
		struct lc_error err = {0};
		cr_assert_eq(lc_cron_parse(mistakes[i].expression, mistakes[i].rules, &cron, &err),
			LC_ERR_INVALID, "%s parsed", mistakes[i].expression);
		for (size_t j = 0; j < 3 && mistakes[i].said[j]; j++) {
			cr_expect(strstr(err.text, mistakes[i].said[j]),
				"%s: \"%s\" without \"%s\"", mistakes[i].expression, err.text,
				mistakes[i].said[j]);
		}
	}
}

Test(cron, outside_of_the_known_years_there_is_no_time)
{
	const struct lc_cron cron = parse("* * * * *", CRON);
	int64_t next;
	cr_assert_eq(lc_cron_next(&cron, NULL, INT64_MAX, &next), LC_ERR_END);
	cr_assert_eq(lc_cron_next(&cron, NULL, INT64_MIN, &next), LC_ERR_END);
}

/* --- properties, over random expressions, zones and times --- */

static uint64_t random_state = 88172645463325252u;

static unsigned draw(unsigned n)
{
	return (unsigned)(xorshift(&random_state) >> 33) % n;
}

static void random_field(char *out, size_t size, unsigned min, unsigned max)
{
	unsigned a = min + draw(max - min + 1), b = min + draw(max - min + 1);
	unsigned low = a < b ? a : b, high = a < b ? b : a;
	switch (draw(6)) {
	case 0:
		snprintf(out, size, "%u", a);
		break;
	case 1:
		snprintf(out, size, "%u-%u", low, high);
		break;
	case 2:
		snprintf(out, size, "*/%u", 1 + draw(max - min));
		break;
	case 3:
		snprintf(out, size, "%u,%u-%u/%u", a, low, high, 1 + draw(3));
		break;
	default:
		snprintf(out, size, "*");
		break;
	}
}

static struct lc_cron random_cron(char *text, size_t size)
{
	char fields[6][32];
	static const unsigned limits[6][2] = {{0, 59}, {0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}};
	for (size_t i = 0; i < 6; i++) {
		random_field(fields[i], sizeof fields[i], limits[i][0], limits[i][1]);
	}
	snprintf(text, size, "%s %s %s %s %s %s", fields[0], fields[1], fields[2], fields[3],
		fields[4], fields[5]);
	return parse(text, draw(2) ? CRON : MONDAY);
}

/* Does an instant belong to the rule? It matches by the wall clock (and is the first of its kind),
 * or it is the first one after a gap. */
static bool belongs(const struct lc_cron *cron, const struct lc_zone *zone, int64_t ns)
{
	struct lc_civil civil = lc_civil_from_ns(zone, ns);
	int64_t s = ns / LC_NS_PER_S, first = 0;
	if (cron_matches(cron, &civil)) {
		lc_civil_to_ns(zone, &civil, &first, NULL);
		return first == ns;
	}
	return lc_zone_offset(zone, s) > lc_zone_offset(zone, s - 1);
}

Test(cron, next_lies_ahead_matches_and_never_goes_back)
{
	static const char *const names[] = {"UTC", "Asia/Shanghai", "America/New_York",
		"Europe/Berlin", "Australia/Sydney", "Australia/Lord_Howe"};
	for (size_t z = 0; z < sizeof names / sizeof *names; z++) {
		struct lc_zone *zone = load(names[z]);
		for (int i = 0; i < 400; i++) {
			char text[256];
			struct lc_cron cron = random_cron(text, sizeof text);
			int64_t t = at("2026-01-01T00:00:00Z") +
				    (int64_t)draw(365 * 86400) * LC_NS_PER_S + draw(1000);
			int64_t next, again, later = t + (int64_t)draw(86400) * LC_NS_PER_S;
			if (lc_cron_next(&cron, zone, t, &next) != LC_OK) {
				continue;
			}
			cr_assert_gt(next, t, "%s", text);
			cr_assert(belongs(&cron, zone, next), "%s in %s after %lld", text, names[z],
				(long long)t);
			/* Nothing lies between: one ns earlier than the answer has the same
			 * answer. */
			cr_assert_eq(lc_cron_next(&cron, zone, next - 1, &again), LC_OK);
			cr_assert_eq(again, next, "%s", text);
			cr_assert_eq(lc_cron_next(&cron, zone, later, &again), LC_OK);
			cr_assert_geq(again, next, "%s", text);
		}
		lc_zone_destroy(zone);
	}
}

/* The plainest oracle: every second of some hours is looked at. */
Test(cron, nothing_is_passed_over)
{
	static const char *const starts[] = {"2026-03-08T05:30:00Z", "2026-11-01T04:30:00Z"};
	struct lc_zone *zone = load("America/New_York");
	for (int i = 0; i < 60; i++) {
		char text[256];
		struct lc_cron cron = random_cron(text, sizeof text);
		int64_t t = at(starts[i % 2]), next;
		if (lc_cron_next(&cron, zone, t, &next) != LC_OK) {
			continue;
		}
		for (int64_t s = t + LC_NS_PER_S; s < next && s < t + 3 * 3600 * LC_NS_PER_S;
			s += LC_NS_PER_S) {
			struct lc_civil civil = lc_civil_from_ns(zone, s);
			int64_t first = s;
			cr_assert_eq(lc_civil_to_ns(zone, &civil, &first, NULL), LC_OK);
			cr_assert(first != s || !cron_matches(&cron, &civil), "%s passes over %lld",
				text, (long long)s);
		}
	}
	lc_zone_destroy(zone);
}

/* livecore calendar: what is known of a market's days, and what is to be known of one from now
 * on. */
#include "app/commands.h"
#include "app/process.h"
#include "livecore/clock.h"
#include "livecore/market.h"
#include "manager/calendars.h"

#include <stdio.h>
#include <string.h>

static const struct lc_usage usage = {"calendar", "MARKET [DATE]",
	"Shows a day (YYYY-MM-DD; today) of a market (cn, hk, us): its sessions in local time, and "
	"how long its calendar lasts.\n"
	"--close, --early and --open write into calendar.dir, which must be set; a running "
	"livecore reads it when it starts\n"
	"and on reload."};

struct writing {
	const char *close, *early, *open, *why;
};

static void on_mistake(void *arg, const char *file, int line, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s:%d: %s\n", file, line, text);
}

static bool find_market(const char *name, enum lc_market *market)
{
	for (int i = 0; i < LC_MARKETS; i++) {
		if (strcmp(lc_market_name((enum lc_market)i), name) == 0) {
			*market = (enum lc_market)i;
			return true;
		}
	}
	return false;
}

static int64_t wall_ns(void)
{
	const struct lc_clock clock = {0};
	return lc_clock_wall_ns(&clock);
}

static void print_date(int32_t day)
{
	struct lc_civil civil = {0};
	lc_civil_from_days(day, &civil);
	printf("%04d-%02u-%02u", (int)civil.year, civil.month, civil.day);
}

static void print_time(const struct lc_zone *zone, int64_t ns)
{
	struct lc_civil civil = lc_civil_from_ns(zone, ns);
	printf("%02u:%02u", civil.hour, civil.minute);
}

static void print_coverage(
	struct lc_calendar *calendar, enum lc_market market, const struct lc_calendar_day *day)
{
	int32_t last = lc_calendar_last_day(calendar, market);
	if (last == INT32_MAX) {
		printf("calendar.always_open is set: every instant is in session\n");
		return;
	}
	printf("covered to ");
	print_date(last);
	printf(" (%s)\n", lc_calendar_source(calendar, market));
	if (!day->covered) {
		printf("this day is not covered: only weekends are known\n");
	}
	int32_t left = lc_calendar_days_left(calendar, market, wall_ns());
	if (left < LC_CALENDAR_WARN_DAYS) {
		printf("%d days are left: a newer livecore, or days and covers in calendar.dir\n",
			(int)(left > 0 ? left : 0));
	}
}

static void print_day(struct lc_calendar *calendar, enum lc_market market, int32_t number)
{
	static const char *const weekdays[] = {
		"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
	struct lc_calendar_day day;
	struct lc_civil civil = {0};
	lc_civil_from_days(number, &civil);
	lc_calendar_day(calendar, market, number, &day);
	printf("%s ", lc_market_name(market));
	print_date(number);
	printf(" %s: %s%s%s%s%s\n", weekdays[civil.weekday],
		!day.trades ? "closed"
		: day.half  ? "open, closes early"
			    : "open",
		*day.why ? " (" : "", day.why, *day.why ? ")" : "",
		day.overlaid ? ", by calendar.dir" : "");
	const struct lc_zone *zone = lc_calendar_zone(calendar, market);
	for (int i = 0; day.trades && i < day.phases; i++) {
		if (day.phase[i].session == LC_SESSION_CLOSED) {
			continue;
		}
		printf("  ");
		print_time(zone, day.phase[i].from_ns);
		printf("-");
		print_time(zone, day.phase[i].to_ns);
		printf("  %s\n", lc_session_name(day.phase[i].session));
	}
	print_coverage(calendar, market, &day);
}

/* "2026-11-20=13:00" */
static bool read_early(const char *text, int32_t *day, int *minute)
{
	char date[11];
	if (strlen(text) != 16 || text[10] != '=') {
		return false;
	}
	memcpy(date, text, 10);
	date[10] = '\0';
	return lc_calendar_day_parse(date, day) && lc_calendar_time_parse(text + 11, minute);
}

static int count_options(const struct writing *writing)
{
	return !!writing->close + !!writing->early + !!writing->open;
}

/* -1, or the exit code after having said what is wrong. */
static int check_writing(const struct writing *writing, int32_t *day, int *early)
{
	const char *date = writing->close ? writing->close : writing->open;
	if (count_options(writing) == 0) {
		return writing->why
			       ? lc_args_wrong(&usage, "--why goes with --close, --early or --open")
			       : -1;
	}
	if (count_options(writing) > 1) {
		return lc_args_wrong(&usage, "only one of --close, --early and --open");
	}
	if (writing->early && !read_early(writing->early, day, early)) {
		return lc_args_wrong(&usage,
			"--early takes DATE=TIME such as 2026-11-20=12:00, not \"%s\"",
			writing->early);
	}
	if (date && !lc_calendar_day_parse(date, day)) {
		return lc_args_wrong(&usage, "\"%s\" is no day such as 2026-11-20", date);
	}
	if (writing->why && strpbrk(writing->why, "\r\n")) {
		return lc_args_wrong(&usage, "--why is one line");
	}
	return -1;
}

/* -1 to go on, or the exit code. *day is what was written. */
static int write_overlay(
	const struct writing *writing, const char *dir, enum lc_market market, int32_t *day)
{
	int early = -1;
	int rc = check_writing(writing, day, &early);
	if (rc >= 0 || count_options(writing) == 0) {
		return rc;
	}
	if (!*dir) {
		return lc_args_wrong(
			&usage, "calendar.dir is not set: it is the folder that is written");
	}
	struct lc_error err = {0};
	if (lc_calendar_write(dir, market, *day, writing->open ? -2 : early, writing->why, &err) !=
		LC_OK) {
		fprintf(stderr, "livecore calendar: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	return -1;
}

static int32_t today(struct lc_calendar *calendar, enum lc_market market)
{
	return lc_trading_date(calendar, market, wall_ns());
}

static int show(const struct lc_calendar_config *config, const struct writing *writing,
	enum lc_market market, const char *date)
{
	int32_t day = INT32_MIN;
	if (date && !lc_calendar_day_parse(date, &day)) {
		return lc_args_wrong(&usage, "\"%s\" is no day such as 2026-11-20", date);
	}
	int rc = write_overlay(writing, config->dir, market, &day);
	if (rc >= 0) {
		return rc;
	}
	const struct lc_calendar_report report = {on_mistake, NULL};
	struct lc_calendar *calendar;
	struct lc_error err = {0};
	enum lc_err opened = lc_calendar_open(
		config->always_open, config->dir, &report, &calendar, &err);
	if (opened != LC_OK) {
		if (opened != LC_ERR_INVALID) {
			fprintf(stderr, "livecore calendar: %s\n", err.text);
		}
		return LC_EXIT_FAILED;
	}
	print_day(calendar, market, day == INT32_MIN ? today(calendar, market) : day);
	lc_calendar_destroy(calendar);
	return LC_EXIT_OK;
}

int lc_command_calendar(int argc, char **argv)
{
	struct lc_process process = {0};
	struct writing writing = {0};
	enum lc_market market;
	const struct lc_option options[] = {
		LC_PROCESS_OPTIONS(&process),
		{"close", LC_OPTION_TEXT, &writing.close, "DATE", "this day is closed (a typhoon)"},
		{"early", LC_OPTION_TEXT, &writing.early, "DATE=TIME",
			"this day closes early, at this local time"},
		{"open", LC_OPTION_TEXT, &writing.open, "DATE",
			"this day is an ordinary one after all"},
		{"why", LC_OPTION_TEXT, &writing.why, "TEXT",
			"a word on it, for whoever looks later"},
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc < 2 || argc > 3 || !find_market(argv[1], &market)) {
		return lc_args_wrong(&usage, "which market: cn, hk or us, and at most one day");
	}
	rc = lc_process_load(&process);
	if (rc < 0) {
		rc = show(lc_config_section(process.config, "calendar"), &writing, market,
			argc > 2 ? argv[2] : NULL);
	}
	lc_process_finish(&process);
	return rc;
}

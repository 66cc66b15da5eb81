/* What a manager says of its calendars, by a clock that follows a tape. */
#include "manager/calendars.h"
#include "outbox_fixture.h"

#include <stdio.h>
#include <stdlib.h>

struct rig {
	struct out out;
	struct lc_calendar *calendar;
	struct lc_calendars *calendars;
	char dir[64], path[96];
};

static void rig_open(struct rig *rig)
{
	struct lc_error err;
	out_open(&rig->out, 4 << 20, false);
	strcpy(rig->dir, "/tmp/lc_calendars_test_XXXXXX");
	cr_assert(mkdtemp(rig->dir));
	snprintf(rig->path, sizeof rig->path, "%s/us.csv", rig->dir);
	cr_assert_eq(lc_calendar_create(false, &rig->calendar, &err), LC_OK, "%s", err.text);
	cr_assert_eq(lc_calendars_create(
			     rig->out.f.loop, rig->calendar, &rig->out.outbox, &rig->calendars),
		LC_OK);
	*lc_loop_clock(rig->out.f.loop) = (struct lc_clock){.tape = true};
}

static void rig_close(struct rig *rig)
{
	lc_calendars_destroy(rig->calendars);
	lc_calendar_destroy(rig->calendar);
	out_close(&rig->out);
	remove(rig->path);
	remove(rig->dir);
}

/* So many days after the last that all three markets cover, at noon UTC. */
static void set_day(struct rig *rig, int32_t after_last)
{
	int64_t day = lc_calendar_last_day(rig->calendar, LC_MARKET_US) + after_last;
	lc_clock_tape_advance(lc_loop_clock(rig->out.f.loop), (day * 24 + 12) * 3600 * LC_NS_PER_S);
}

static void overlay(struct rig *rig, const char *text)
{
	FILE *file = fopen(rig->path, "w");
	cr_assert(file && fputs(text, file) >= 0);
	fclose(file);
}

static int events(struct rig *rig, const char *market)
{
	int count = 0;
	while (out_next(&rig->out)) {
		count += out_is(&rig->out, "type", "calendar_expired") &&
			 out_is(&rig->out, "data.market", market);
	}
	return count;
}

static const char *trouble(struct rig *rig, enum lc_market market)
{
	static char text[128];
	lc_calendars_trouble(rig->calendars, market, text, sizeof text);
	return text;
}

static double gauge(struct rig *rig, const char *name)
{
	lc_calendars_gauges(rig->calendars);
	return *lc_metrics_gauge(rig->out.f.metrics, name, "market=\"us\"", "");
}

Test(calendars, nothing_is_said_while_they_last)
{
	struct rig rig;
	rig_open(&rig);
	lc_calendars_look(rig.calendars); /* before a tape begins it is no time at all */
	cr_assert_str_empty(trouble(&rig, LC_MARKET_US));
	set_day(&rig, -60);
	lc_calendars_look(rig.calendars);
	cr_assert_str_empty(trouble(&rig, LC_MARKET_US));
	cr_assert_not(out_next(&rig.out));
	cr_assert_eq(gauge(&rig, "livecore_calendar_days_left"), 60);
	rig_close(&rig);
}

Test(calendars, sixty_days_before_the_end_it_warns)
{
	struct rig rig;
	rig_open(&rig);
	set_day(&rig, -59);
	lc_calendars_look(rig.calendars);
	cr_assert_str_eq(
		trouble(&rig, LC_MARKET_US), "the calendar ends on 2026-12-31, in 59 days");
	set_day(&rig, 0);
	lc_calendars_look(rig.calendars);
	cr_assert(strstr(trouble(&rig, LC_MARKET_CN), "in 0 days"));
	cr_assert_not(out_next(&rig.out), "a warning is no event");
	cr_assert_eq(gauge(&rig, "livecore_calendar_expired"), 0);
	rig_close(&rig);
}

Test(calendars, after_the_end_it_is_an_event_a_day)
{
	struct rig rig;
	rig_open(&rig);
	set_day(&rig, 1);
	for (int minute = 0; minute < 10; minute++) {
		lc_calendars_look(rig.calendars);
	}
	cr_assert(out_next(&rig.out) && out_is(&rig.out, "type", "calendar_expired"));
	cr_assert(
		out_is(&rig.out, "data.market", "cn") && out_is(&rig.out, "data.days_left", "-1"));
	cr_assert(out_is(&rig.out, "data.last_day", "2026-12-31"));
	cr_assert_eq(events(&rig, "us"), 1, "once a day and market");
	cr_assert(strstr(trouble(&rig, LC_MARKET_US), "weekdays count as sessions"));
	cr_assert_eq(gauge(&rig, "livecore_calendar_expired"), 1);
	set_day(&rig, 2);
	lc_calendars_look(rig.calendars);
	cr_assert_eq(events(&rig, "us"), 1, "and again the day after");
	/* 2027-01-01 was a holiday that nobody knows of: a Friday is a session. */
	cr_assert(lc_calendar_trades_on(
		rig.calendar, LC_MARKET_US, lc_days_from_civil(2027, 1, 1), NULL));
	cr_assert_not(lc_calendar_trades_on(
		rig.calendar, LC_MARKET_US, lc_days_from_civil(2027, 1, 2), NULL));
	rig_close(&rig);
}

Test(calendars, an_overlay_that_is_read_again_ends_it)
{
	struct rig rig;
	struct lc_error err;
	rig_open(&rig);
	set_day(&rig, 1);
	lc_calendars_look(rig.calendars);
	cr_assert_eq(events(&rig, "us"), 1);
	overlay(&rig, "covers,2027-01-01,2027-12-31\nclose,2027-01-01,New Year\n");
	cr_assert_eq(lc_calendars_reload(rig.calendars, rig.dir, &err), LC_OK, "%s", err.text);
	cr_assert_str_empty(trouble(&rig, LC_MARKET_US));
	cr_assert_eq(gauge(&rig, "livecore_calendar_expired"), 0);
	cr_assert_eq(gauge(&rig, "livecore_calendar_days_left"), 364);
	cr_assert_not(lc_calendar_trades_on(
		rig.calendar, LC_MARKET_US, lc_days_from_civil(2027, 1, 1), NULL));
	cr_assert_eq(events(&rig, "us"), 0, "the others have ended still");
	overlay(&rig, "covers,2027-01-01,2028-12-31\nclose,tomorrow\n");
	cr_assert_eq(lc_calendars_reload(rig.calendars, rig.dir, &err), LC_ERR_INVALID);
	cr_assert(strstr(err.text, "us.csv:2"), "%s", err.text);
	cr_assert_eq(gauge(&rig, "livecore_calendar_days_left"), 364, "it stays as it was");
	rig_close(&rig);
}

Test(calendars, the_status_names_the_end_and_the_source)
{
	struct rig rig;
	struct lc_buf text;
	rig_open(&rig);
	set_day(&rig, -10);
	lc_buf_init(&text, 4096);
	lc_calendars_status(rig.calendars, &text);
	cr_assert(strstr(lc_buf_text(&text),
			  "\"us\":{\"last_day\":\"2026-12-31\",\"days_left\":10,\"source\":\""),
		"%s", lc_buf_text(&text));
	lc_buf_finish(&text);
	rig_close(&rig);
}

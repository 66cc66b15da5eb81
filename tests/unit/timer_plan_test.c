#include "timer/plan.h"

#include "livecore/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct scene {
	struct timer_rules *rules;
	struct lc_calendar *calendar;
	struct timer_plan plan;
	char log[4096]; /* "name decision time;" for each decision */
	size_t counts[TIMER_DECISIONS];
};

static int64_t at(const char *text)
{
	int64_t ns = 0;
	cr_assert_eq(lc_time_parse(text, strlen(text), NULL, &ns), LC_OK, "%s", text);
	return ns;
}

static void set_up(struct scene *scene, const char *text, const char *now)
{
	struct lc_buf errors;
	struct lc_error err;
	memset(scene, 0, sizeof *scene);
	lc_buf_init(&errors, 64 * 1024);
	cr_assert_eq(timer_rules_parse("t", text, strlen(text), &scene->rules, &errors), LC_OK,
		"%s", lc_buf_text(&errors));
	lc_buf_finish(&errors);
	cr_assert_eq(lc_calendar_create(false, &scene->calendar, &err), LC_OK);
	cr_assert_eq(timer_plan_init(&scene->plan, scene->rules, scene->calendar, at(now)), LC_OK);
}

static void tear_down(struct scene *scene)
{
	timer_plan_finish(&scene->plan);
	lc_calendar_destroy(scene->calendar);
	timer_rules_destroy(scene->rules);
}

static void decide(void *arg, size_t index, int64_t scheduled_ns, enum timer_decision decision)
{
	static const char *const names[] = {"fire", "missed", "coalesced", "closed"};
	struct scene *scene = arg;
	char time[LC_TIME_TEXT_MAX];
	size_t len = strlen(scene->log);
	size_t time_len = lc_time_format(scheduled_ns, LC_TIME_UTC, NULL, time);
	cr_assert_geq(time_len, 19);
	snprintf(scene->log + len, sizeof scene->log - len, "%s %s %.19s;",
		scene->rules->items[index].name, names[decision], time);
	scene->counts[decision]++;
}

/* Steps to a time and expects these decisions. Returns when the next is due. */
static int64_t step(struct scene *scene, const char *now, const char *expected)
{
	scene->log[0] = '\0';
	int64_t next_ns = timer_plan_step(&scene->plan, at(now), decide, scene);
	cr_expect_str_eq(
		scene->log, expected, "at %s: \"%s\", not \"%s\"", now, scene->log, expected);
	return next_ns;
}

#define DAILY(options)                                                \
	"scheduler: {timezone: UTC, misfire_grace: 10m" options "}\n" \
	"rules:\n- {name: a, cron: 0 21 * * *, command: reload}\n"

Test(timer_plan, a_rule_fires_once_at_its_time)
{
	struct scene scene;
	set_up(&scene, DAILY(""), "2026-11-20T20:59:59Z");
	cr_expect_eq(step(&scene, "2026-11-20T20:59:59.999Z", ""), at("2026-11-20T21:00:00Z"));
	cr_expect_eq(step(&scene, "2026-11-20T21:00:00Z", "a fire 2026-11-20T21:00:00;"),
		at("2026-11-21T21:00:00Z"));
	step(&scene, "2026-11-20T21:00:00Z", "");
	step(&scene, "2026-11-20T21:00:05Z", "");
	tear_down(&scene);
}

Test(timer_plan, what_is_late_fires_within_its_grace_only)
{
	struct scene scene;
	set_up(&scene, DAILY(""), "2026-11-20T20:00:00Z");
	step(&scene, "2026-11-20T21:10:00Z", "a fire 2026-11-20T21:00:00;");
	step(&scene, "2026-11-21T21:10:00.000001Z", "a missed 2026-11-21T21:00:00;");
	step(&scene, "2026-11-23T21:00:00Z",
		"a missed 2026-11-22T21:00:00;a fire 2026-11-23T21:00:00;");
	tear_down(&scene);
}

#define MINUTES(coalesce)                                                           \
	"scheduler: {timezone: UTC, misfire_grace: 150s, coalesce: " coalesce "}\n" \
	"rules:\n- {name: a, cron: '* * * * *', command: reload}\n"                 \
	"- {name: off, cron: '* * * * *', command: reload, enabled: false}\n"

Test(timer_plan, missed_times_are_coalesced_or_fired_each)
{
	struct scene scene;
	set_up(&scene, MINUTES("true"), "2026-11-20T10:00:30Z");
	step(&scene, "2026-11-20T10:05:10Z",
		"a missed 2026-11-20T10:01:00;a missed 2026-11-20T10:02:00;"
		"a coalesced 2026-11-20T10:03:00;a coalesced 2026-11-20T10:04:00;"
		"a fire 2026-11-20T10:05:00;");
	tear_down(&scene);
	set_up(&scene, MINUTES("false"), "2026-11-20T10:00:30Z");
	step(&scene, "2026-11-20T10:05:10Z",
		"a missed 2026-11-20T10:01:00;a missed 2026-11-20T10:02:00;"
		"a fire 2026-11-20T10:03:00;a fire 2026-11-20T10:04:00;"
		"a fire 2026-11-20T10:05:00;");
	tear_down(&scene);
}

Test(timer_plan, a_year_missed_takes_no_time)
{
	struct scene scene;
	set_up(&scene,
		"scheduler: {timezone: UTC, misfire_grace: 2s}\n"
		"rules:\n- {name: a, cron: '* * * * * *', command: reload}\n",
		"2025-11-20T10:00:00Z");
	timer_plan_step(&scene.plan, at("2026-11-20T10:00:00Z"), decide, &scene);
	cr_expect_eq(scene.counts[TIMER_FIRE], 1);
	cr_expect_eq(scene.counts[TIMER_COALESCED], 2);
	cr_expect_geq(scene.counts[TIMER_MISSED], 50);
	cr_expect_leq(scene.counts[TIMER_MISSED], 100);
	step(&scene, "2026-11-20T10:00:01Z", "a fire 2026-11-20T10:00:01;");
	tear_down(&scene);
}

Test(timer_plan, a_restart_goes_on_where_the_last_run_was)
{
	struct scene scene;
	set_up(&scene, DAILY(""), "2026-11-20T21:05:00Z");
	timer_plan_restore(&scene.plan, 0, at("2026-11-19T21:00:00Z"), at("2026-11-20T21:05:00Z"));
	step(&scene, "2026-11-20T21:05:00Z", "a fire 2026-11-20T21:00:00;");
	/* What the last run did is not done again. */
	timer_plan_restore(&scene.plan, 0, at("2026-11-20T21:00:00Z"), at("2026-11-20T21:05:00Z"));
	step(&scene, "2026-11-20T21:05:01Z", "");
	/* A state from the future is a clock that was wrong. */
	timer_plan_restore(&scene.plan, 0, at("2099-01-01T00:00:00Z"), at("2026-11-20T21:05:00Z"));
	step(&scene, "2026-11-21T21:00:00Z", "a fire 2026-11-21T21:00:00;");
	tear_down(&scene);
}

Test(timer_plan, a_clock_set_back_repeats_nothing_and_silences_nothing)
{
	struct scene scene;
	set_up(&scene, MINUTES("true"), "2026-11-20T10:00:30Z");
	step(&scene, "2026-11-20T10:01:00Z", "a fire 2026-11-20T10:01:00;");
	/* A little back: 10:01 has been. */
	cr_expect(!timer_plan_set_back(&scene.plan, at("2026-11-20T10:00:58Z")));
	step(&scene, "2026-11-20T10:00:58Z", "");
	step(&scene, "2026-11-20T10:01:01Z", "");
	step(&scene, "2026-11-20T10:02:00Z", "a fire 2026-11-20T10:02:00;");
	/* A day back: the clock was wrong before. */
	cr_expect(timer_plan_set_back(&scene.plan, at("2026-11-19T10:02:30Z")));
	cr_expect(!timer_plan_set_back(&scene.plan, at("2026-11-19T10:02:31Z")));
	step(&scene, "2026-11-19T10:03:00Z", "a fire 2026-11-19T10:03:00;");
	tear_down(&scene);
}

#define ON(market, cron)                                             \
	"scheduler: {timezone: Asia/Shanghai, misfire_grace: 96h}\n" \
	"rules:\n- {name: a, cron: " cron ", command: reload, trading_days: " market "}\n"

Test(timer_plan, trading_days_are_the_markets_own)
{
	struct scene scene;
	/* 2026-10-01 is the mainland's National Day (a Thursday); Hong Kong is closed on it, New
	 * York is not. */
	set_up(&scene, ON("cn", "0 16 * * *"), "2026-09-30T00:00:00Z");
	step(&scene, "2026-09-30T08:00:00Z", "a fire 2026-09-30T08:00:00;");
	step(&scene, "2026-10-01T08:00:00Z", "a closed 2026-10-01T08:00:00;");
	tear_down(&scene);
	set_up(&scene, ON("us", "0 16 * * *"), "2026-10-01T00:00:00Z");
	step(&scene, "2026-10-01T08:00:00Z", "a fire 2026-10-01T08:00:00;");
	tear_down(&scene);
	/* Saturday 05:00 in Shanghai is Friday in New York, Monday 05:00 is Sunday. */
	set_up(&scene, ON("us", "0 5 * * *"), "2026-11-13T12:00:00Z");
	step(&scene, "2026-11-13T21:00:00Z", "a fire 2026-11-13T21:00:00;");
	step(&scene, "2026-11-15T21:00:00Z",
		"a closed 2026-11-14T21:00:00;a closed 2026-11-15T21:00:00;");
	tear_down(&scene);
	/* Coalescing passes over closed days: Friday's is not lost to the weekend. */
	set_up(&scene, ON("cn", "0 16 * * *"), "2026-11-13T00:00:00Z");
	step(&scene, "2026-11-15T09:00:00Z",
		"a fire 2026-11-13T08:00:00;a closed 2026-11-14T08:00:00;a closed "
		"2026-11-15T08:00:00;");
	cr_expect_eq(timer_plan_next(scene.rules, &scene.rules->items[0], scene.calendar,
			     at("2026-11-13T08:00:00Z")),
		at("2026-11-16T08:00:00Z"));
	tear_down(&scene);
}

Test(timer_plan, one_rule_does_not_hold_another)
{
	struct scene scene;
	set_up(&scene,
		"scheduler: {timezone: UTC}\nrules:\n"
		"- {name: never, cron: 0 0 29 2 *, command: reload}\n"
		"- {name: a, cron: 0 21 * * *, command: reload}\n"
		"- {name: b, cron: 1 21 * * *, command: reload}\n",
		"2026-11-20T20:00:00Z");
	cr_expect_eq(step(&scene, "2026-11-20T21:00:00Z", "a fire 2026-11-20T21:00:00;"),
		at("2026-11-20T21:01:00Z"));
	step(&scene, "2026-11-20T21:01:00Z", "b fire 2026-11-20T21:01:00;");
	tear_down(&scene);
}

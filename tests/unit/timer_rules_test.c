#include "timer/rules.h"

#include "livecore/clock.h"

#include <criterion/criterion.h>
#include <string.h>

static struct timer_rules *parse(const char *text)
{
	struct timer_rules *rules = NULL;
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	cr_assert_eq(timer_rules_parse("t.yaml", text, strlen(text), &rules, &errors), LC_OK, "%s",
		lc_buf_text(&errors));
	lc_buf_finish(&errors);
	return rules;
}

/* Every text of `said` (ends with NULL) must be in the errors. */
static void check_wrong(const char *text, const char *const *said)
{
	struct timer_rules *rules = NULL;
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	cr_assert_eq(timer_rules_parse("t.yaml", text, strlen(text), &rules, &errors),
		LC_ERR_INVALID, "no mistake in %s", text);
	cr_assert_null(rules);
	for (; *said; said++) {
		cr_expect(strstr(lc_buf_text(&errors), *said), "\"%s\" is not in:\n%s", *said,
			lc_buf_text(&errors));
	}
	lc_buf_finish(&errors);
}

Test(timer_rules, a_whole_file)
{
	struct timer_rules *rules = parse(
		"scheduler:\n"
		"  timezone: America/New_York\n"
		"  coalesce: false\n"
		"  misfire_grace: 90s\n"
		"  commands: [trade_day]\n"
		"rules:\n"
		"  - name: snapshot\n"
		"    description: the day's bars\n"
		"    cron: '30 16 * * MON-FRI'\n"
		"    command: bar_snapshot\n"
		"    params: {codes: [000001, 600000.SH], full: yes, days: 5,\n"
		"      rate: 1.50, start_date: 20260101, note: '5', x: ~, y: 1e5,\n"
		"      deep: {a: [1, b]}}\n"
		"    trading_days: us\n"
		"  - {name: days, cron: 0 0 * * 0, type: trade_day, enabled: no}\n"
		"  - name: nested\n"
		"    cron: '@hourly'\n"
		"    command: {type: update_data, payload: {days: 3}}\n");
	cr_assert_eq(rules->count, 3);
	cr_expect_str_eq(rules->zone_name, "America/New_York");
	cr_expect_eq(rules->coalesce, false);
	cr_expect_eq(rules->grace_ms, 90000);
	cr_expect_eq(rules->old_shape, false);
	cr_expect(strstr(timer_rules_numbering(rules), "7 = Sunday"));
	const struct timer_rule *rule = timer_rules_find(rules, "snapshot");
	cr_assert_not_null(rule);
	cr_expect_str_eq(rule->description, "the day's bars");
	cr_expect_str_eq(rule->cron_text, "30 16 * * MON-FRI");
	cr_expect_str_eq(rule->command, "bar_snapshot");
	cr_expect_str_eq(rule->params,
		"{\"codes\":[\"000001\",\"600000.SH\"],\"full\":true,\"days\":5,\"rate\":1.50,"
		"\"start_date\":\"20260101\",\"note\":\"5\",\"x\":null,\"y\":\"1e5\","
		"\"deep\":{\"a\":[1,\"b\"]}}");
	cr_expect_eq(rule->market, LC_MARKET_US);
	cr_expect(rule->enabled);
	cr_expect(!rules->items[1].enabled);
	cr_expect_eq(rules->items[1].market, -1);
	cr_expect_eq(rules->items[1].cron.weekdays, 1, "0 is Sunday here");
	cr_expect_str_eq(rules->items[1].params, "{}");
	cr_expect_str_eq(rules->items[2].command, "update_data");
	cr_expect_str_eq(rules->items[2].params, "{\"days\":3}");
	timer_rules_destroy(rules);
}

Test(timer_rules, the_old_shape_counts_from_monday_and_both_days_must_match)
{
	struct timer_rules *rules = parse("scheduled_tasks:\n"
					  "- name: bar_snapshot\n"
					  "  cron: \"0 21 13 * 0\"\n"
					  "  command: bar_snapshot\n"
					  "  enabled: true\n");
	cr_assert_eq(rules->count, 1);
	cr_expect(rules->old_shape);
	cr_expect_str_eq(rules->zone_name, "Asia/Shanghai");
	cr_expect_eq(rules->items[0].cron.weekdays, 2, "0 is Monday here");
	cr_expect(!rules->items[0].cron.either);
	cr_expect(rules->coalesce);
	cr_expect_eq(rules->grace_ms, TIMER_GRACE_DEFAULT_MS);
	cr_expect(strstr(timer_rules_numbering(rules), "0 = Monday"));
	timer_rules_destroy(rules);
}

Test(timer_rules, a_bare_grace_is_seconds_and_no_rules_are_fine)
{
	struct timer_rules *rules = parse("scheduler: {misfire_grace: 300}\nrules: []\n");
	cr_expect_eq(rules->grace_ms, 300000);
	cr_expect_eq(rules->count, 0);
	timer_rules_destroy(rules);
	rules = parse("scheduler:\nrules:\n");
	cr_expect_eq(rules->count, 0);
	timer_rules_destroy(rules);
}

static const struct {
	const char *text;
	const char *said[8];
} mistakes[] = {
	{"rulez: []\n", {"t.yaml:1:1: unknown key \"rulez\" in the file: did you mean rules?"}},
	{"", {"t.yaml: the file is empty"}},
	{"- a\n", {"t.yaml:1:1: the file is a mapping"}},
	{"rules: {a: 1}\n", {"t.yaml:1:8: rules is a list"}},
	{"rules: [a]\n", {"t.yaml:1:9: a rule is a mapping"}},
	{"rules: []\nscheduled_tasks: []\n", {"t.yaml:2:1: scheduled_tasks numbers weekdays"}},
	{"scheduler: {timezon: UTC}\nrules: []\n", {"t.yaml:1:13:", "did you mean timezone?"}},
	{"scheduler: {timezone: Asia/Shanghia}\nrules: []\n", {"t.yaml:1:23: timezone: "}},
	{"scheduler: {coalesce: maybe, misfire_grace: 5x}\nrules: []\n",
		{"t.yaml:1:23: coalesce: ", "t.yaml:1:45: misfire_grace: "}},
	{"scheduler: {misfire_grace: 0}\nrules: []\n", {"misfire_grace is 1s to 168h"}},
	{"rules:\n- name: a\n  cron: 61 * * * *\n  command: bar_snapshoot\n  enabld: true\n  "
	 "trading_days: cm\n",
		{"t.yaml:3:9: cron: minute \"61\": out of range",
			"t.yaml:4:12: unknown command \"bar_snapshoot\": did you mean "
			"bar_snapshot?",
			"t.yaml:5:3: unknown key \"enabld\" in a rule: did you mean enabled?",
			"t.yaml:6:17: unknown market \"cm\": did you mean cn?"}},
	{"rules:\n- {}\n", {"t.yaml:2:3: the rule has no name", "no cron", "no command"}},
	{"rules:\n- {name: a, cron: 0 0 30 2 *, command: reload}\n",
		{"t.yaml:2:19: cron: no year has such a day"}},
	{"rules:\n- {name: a, cron: 0 0 * * *, command: reload}\n- {name: a, cron: 0 0 * * *, "
	 "command: reload}\n",
		{"t.yaml:3:10: there is another rule with the name \"a\""}},
	{"rules:\n- {name: a, cron: 0 0 * * *, command: reload, type: reload}\n",
		{"t.yaml:2:47: command and type mean the same"}},
	{"rules:\n- {name: a, cron: 0 0 * * *, command: {typ: reload}}\n",
		{"did you mean type?", "the command has no type"}},
	{"rules:\n- {name: a, cron: 0 0 * * *, command: reload, params: [1]}\n",
		{"t.yaml:2:55: params is a mapping"}},
	{"rules:\n- {name: \"a\\e[31m\", cron: 0 0 * * *, command: reload}\n",
		{"a control character in the name"}},
	{"scheduled_tasks:\n- {name: a, cron: 0 0 * * 7, command: reload}\n",
		{"weekday \"7\": out of range", "0 is Monday"}},
	{"rules:\n- {name: a, name: b}\n", {"duplicate key \"name\""}},
	{"rules: [\n", {"YAML syntax"}},
};

Test(timer_rules, every_mistake_is_told_with_its_place)
{
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		check_wrong(mistakes[i].text, mistakes[i].said);
	}
}

Test(timer_rules, a_file_that_is_not_there)
{
	struct timer_rules *rules;
	struct lc_buf errors;
	lc_buf_init(&errors, 4096);
	cr_assert_eq(timer_rules_load("/nowhere/timer.yaml", &rules, &errors), LC_ERR_INVALID);
	cr_assert(strstr(lc_buf_text(&errors), "/nowhere/timer.yaml: cannot be opened"), "%s",
		lc_buf_text(&errors));
	lc_buf_finish(&errors);
}

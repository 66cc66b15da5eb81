#include "livecore/task_timer.h"

#include "bus_fixture.h"
#include "timer/saved.h"


/* The wall clock is a tape: it moves when the test moves it. */
struct scene {
	struct bus bus;
	struct lc_calendar *calendar;
	struct lc_message_context context;
	struct lc_task_timer *timer;
	struct lc_timer *poll;
	bool (*wanted)(struct scene *scene);
	char dir[64], rules[96], state[96];
};

static int64_t at(const char *text)
{
	int64_t ns = 0;
	cr_assert_eq(lc_time_parse(text, strlen(text), NULL, &ns), LC_OK, "%s", text);
	return ns;
}

static void set_clock(struct scene *scene, const char *time)
{
	*lc_loop_clock(scene->bus.loop) = (struct lc_clock){.tape = true, .tape_ns = at(time)};
}

static void write_rules(struct scene *scene, const char *text)
{
	FILE *file = fopen(scene->rules, "w");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void start(struct scene *scene)
{
	const struct lc_task_timer_options options = {.kafka = &scene->bus.kafka,
		.topic = "control",
		.rules = scene->rules,
		.state_dir = scene->dir,
		.context = &scene->context,
		.calendar = scene->calendar};
	struct lc_buf errors;
	lc_buf_init(&errors, 4096);
	cr_assert_eq(lc_task_timer_create(scene->bus.loop, &options, &scene->timer, &errors), LC_OK,
		"%s", lc_buf_text(&errors));
	lc_buf_finish(&errors);
}

static void set_up(struct scene *scene, const char *rules, const char *time)
{
	struct lc_error err;
	memset(scene, 0, sizeof *scene);
	bus_set_up(&scene->bus, true);
	snprintf(scene->dir, sizeof scene->dir, "/tmp/livecore-timer.XXXXXX");
	cr_assert(mkdtemp(scene->dir));
	snprintf(scene->rules, sizeof scene->rules, "%s/rules.yaml", scene->dir);
	snprintf(scene->state, sizeof scene->state, "%s/timer.json", scene->dir);
	cr_assert_eq(lc_calendar_create(false, &scene->calendar, &err), LC_OK);
	scene->context = (struct lc_message_context){.node_id = "n", .stream = "s"};
	set_clock(scene, time);
	write_rules(scene, rules);
	start(scene);
}

static void on_poll(void *arg)
{
	struct scene *scene = arg;
	if (scene->wanted(scene)) {
		lc_loop_stop(scene->bus.loop);
	}
}

static void until(struct scene *scene, bool (*wanted)(struct scene *scene), const char *what)
{
	scene->wanted = wanted;
	cr_assert_eq(lc_timer_create(scene->bus.loop, on_poll, scene, &scene->poll), LC_OK);
	lc_timer_start(scene->poll, 5, 5);
	bus_run(&scene->bus, what);
	lc_timer_destroy(scene->poll);
}

static void on_stopped(void *arg)
{
	struct scene *scene = arg;
	scene->timer = NULL;
	lc_loop_stop(scene->bus.loop);
}

static void stop(struct scene *scene)
{
	lc_task_timer_stop(scene->timer, 10000, on_stopped, scene);
	bus_run(&scene->bus, "the timer does not stop");
}

static void tear_down(struct scene *scene)
{
	if (scene->timer) {
		stop(scene);
	}
	lc_calendar_destroy(scene->calendar);
	unlink(scene->rules);
	unlink(scene->state);
	rmdir(scene->dir);
	bus_tear_down(&scene->bus);
}

static bool one_sent(struct scene *scene)
{
	return lc_task_timer_stats(scene->timer).sent == 1;
}

static bool two_sent(struct scene *scene)
{
	return lc_task_timer_stats(scene->timer).sent == 2;
}

static bool one_expired(struct scene *scene)
{
	return lc_task_timer_stats(scene->timer).expired == 1;
}

static bool one_waits(struct scene *scene)
{
	return lc_task_timer_stats(scene->timer).waiting == 1;
}

static bool one_missed(struct scene *scene)
{
	return lc_task_timer_stats(scene->timer).missed == 1;
}

static bool state_written(struct scene *scene)
{
	return access(scene->state, F_OK) == 0;
}

#define RULES(grace)                                                                              \
	"scheduler: {timezone: Asia/Shanghai, misfire_grace: " grace "}\nrules:\n"                \
	"- {name: close, cron: 0 21 * * *, command: bar_snapshot, params: {codes: [AAPL], full: " \
	"false}}\n"                                                                               \
	"- {name: later, cron: 5 21 * * *, command: reload}\n"

Test(task_timer, a_command_is_what_the_contract_says)
{
	struct scene scene;
	struct bus_seen seen[4];
	set_up(&scene, RULES("60s"), "2026-11-20T12:59:59.900Z");
	set_clock(&scene, "2026-11-20T13:00:00.010Z");
	until(&scene, one_sent, "nothing was sent");
	cr_assert_eq(bus_read_all(scene.bus.address, "control", 3, seen, 4), 1);
	cr_expect_str_eq(seen[0].key, "close@2026-11-20T13:00:00Z");
	cr_expect_str_eq(seen[0].schema, "control_command/1");
	cr_expect(strstr(seen[0].value, "{\"command\":\"bar_snapshot\",\"timestamp\":\"2026"), "%s",
		seen[0].value);
	cr_expect_eq(lc_task_timer_stats(scene.timer).next_ns, at("2026-11-20T13:05:00Z"));
	tear_down(&scene);
}

Test(task_timer, a_restart_fires_what_was_missed_within_its_grace_and_nothing_twice)
{
	struct scene scene;
	set_up(&scene, RULES("10m"), "2026-11-20T12:00:00Z");
	until(&scene, state_written, "no state");
	stop(&scene);
	set_clock(&scene, "2026-11-20T13:02:00Z");
	start(&scene);
	until(&scene, one_sent, "the missed one was not sent");
	stop(&scene);
	start(&scene);
	set_clock(&scene, "2026-11-20T13:05:00Z");
	until(&scene, one_sent, "the later one was not sent");
	cr_expect_eq(lc_task_timer_stats(scene.timer).fired, 1, "only the later one");
	stop(&scene);
	/* A day on, both are missed for good. */
	set_clock(&scene, "2026-11-21T13:12:00Z");
	start(&scene);
	until(&scene, one_missed, "nothing was missed");
	until(&scene, one_sent, "13:05 is within the grace");
	tear_down(&scene);
}

Test(task_timer, what_kafka_did_not_take_is_sent_after_a_restart)
{
	struct scene scene;
	set_up(&scene, RULES("10m"), "2026-11-20T12:59:59Z");
	rd_kafka_mock_broker_set_down(lc_embedded_broker_mock(scene.bus.broker), 1);
	set_clock(&scene, "2026-11-20T13:00:00Z");
	until(&scene, one_waits, "nothing waits");
	lc_task_timer_stop(scene.timer, 50, on_stopped, &scene);
	bus_run(&scene.bus, "the timer does not stop");
	rd_kafka_mock_broker_set_up(lc_embedded_broker_mock(scene.bus.broker), 1);
	start(&scene);
	until(&scene, one_sent, "it was forgotten");
	tear_down(&scene);
}

Test(task_timer, what_is_over_its_grace_is_counted_as_expired)
{
	struct scene scene;
	struct bus_seen seen[4];
	set_up(&scene, RULES("1s"), "2026-11-20T12:59:59Z");
	rd_kafka_mock_broker_set_down(lc_embedded_broker_mock(scene.bus.broker), 1);
	set_clock(&scene, "2026-11-20T13:00:00Z");
	until(&scene, one_expired, "it waits for ever");
	rd_kafka_mock_broker_set_up(lc_embedded_broker_mock(scene.bus.broker), 1);
	set_clock(&scene, "2026-11-20T13:05:00Z");
	until(&scene, one_sent, "the next is not sent");
	cr_assert_eq(bus_read_all(scene.bus.address, "control", 3, seen, 4), 1);
	cr_assert_str_eq(seen[0].key, "later@2026-11-20T13:05:00Z");
	tear_down(&scene);
}

Test(task_timer, a_broken_file_leaves_the_running_rules)
{
	struct scene scene;
	struct lc_buf errors;
	set_up(&scene, RULES("60s"), "2026-11-20T12:00:00Z");
	lc_buf_init(&errors, 4096);
	write_rules(&scene, "rules:\n- {name: x, cron: nonsense, command: reload}\n");
	cr_assert_eq(lc_task_timer_reload(scene.timer, NULL, &errors), LC_ERR_INVALID);
	cr_assert(strstr(lc_buf_text(&errors), "rules.yaml:2:19: cron: "), "%s",
		lc_buf_text(&errors));
	set_clock(&scene, "2026-11-20T13:00:00Z");
	until(&scene, one_sent, "the rules before are gone");
	/* The same schedule goes on: 13:00 is not sent again. */
	write_rules(&scene, RULES("120s"));
	cr_assert_eq(lc_task_timer_reload(scene.timer, NULL, &errors), LC_OK);
	set_clock(&scene, "2026-11-20T13:05:00Z");
	until(&scene, two_sent, "the later one is not sent");
	cr_expect_eq(lc_task_timer_stats(scene.timer).fired, 2);
	lc_buf_finish(&errors);
	tear_down(&scene);
}

Test(task_timer, a_wrong_rules_file_starts_nothing)
{
	struct scene scene;
	struct lc_buf errors;
	struct lc_task_timer *timer = NULL;
	set_up(&scene, RULES("60s"), "2026-11-20T12:00:00Z");
	const struct lc_task_timer_options options = {.kafka = &scene.bus.kafka,
		.topic = "control",
		.rules = "/nowhere/rules.yaml",
		.state_dir = "",
		.context = &scene.context,
		.calendar = scene.calendar};
	lc_buf_init(&errors, 4096);
	cr_assert_eq(
		lc_task_timer_create(scene.bus.loop, &options, &timer, &errors), LC_ERR_INVALID);
	cr_assert(strstr(lc_buf_text(&errors), "cannot be opened"));
	lc_buf_finish(&errors);
	tear_down(&scene);
}

/* --- the state file --- */

Test(timer_saved, what_is_written_is_read_again)
{
	struct timer_saved saved;
	struct lc_buf out;
	struct lc_error err;
	lc_buf_init(&out, 4096);
	timer_saved_begin(&out);
	timer_saved_add(&out, "a \"quoted\" one", "0 21 * * * UTC", at("2026-11-20T13:00:00Z"));
	timer_saved_add(&out, "b", "x", 0);
	timer_saved_end(&out);
	cr_assert_eq(timer_saved_parse(out.data, out.len, &saved, &err), LC_OK, "%s", err.text);
	cr_assert_eq(saved.count, 2);
	const struct timer_saved_rule *rule = timer_saved_find(
		&saved, "a \"quoted\" one", "0 21 * * * UTC");
	cr_assert(rule && rule->done_ns == at("2026-11-20T13:00:00Z"));
	cr_assert_null(timer_saved_find(&saved, "b", "another schedule"));
	timer_saved_finish(&saved);
	lc_buf_finish(&out);
}

Test(timer_saved, rubbish_is_an_error_and_a_broken_rule_is_left_out)
{
	static const char *const rubbish[] = {"", "[]", "{", "{\"rules\":1}", "{}", "\x00\xff"};
	struct timer_saved saved;
	struct lc_error err;
	for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
		cr_expect_neq(timer_saved_parse(rubbish[i], strlen(rubbish[i]), &saved, &err),
			LC_OK, "%s", rubbish[i]);
		timer_saved_finish(&saved);
	}
	const char
		*half = "{\"rules\":[{\"name\":\"a\",\"schedule\":\"s\",\"done\":\"yesterday\"},1,"
			"{\"name\":\"b\",\"schedule\":\"s\",\"done\":\"2026-01-01T00:00:00Z\"}]}";
	cr_assert_eq(timer_saved_parse(half, strlen(half), &saved, &err), LC_OK);
	cr_assert_eq(saved.count, 1);
	cr_assert_not_null(timer_saved_find(&saved, "b", "s"));
	timer_saved_finish(&saved);
	cr_assert_eq(timer_saved_read("/nowhere/at/all", &saved, &err), LC_ERR_NOT_FOUND);
	cr_assert_eq(timer_saved_write("/proc/nowhere/x", "a", 1, &err), LC_ERR_IO);
}

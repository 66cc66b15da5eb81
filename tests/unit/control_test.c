#include "manager/control.h"

#include "outbox_fixture.h"

struct rig {
	struct out out;
	struct lc_control *control;
	int heartbeats, reloads, starts, stops;
	char feeder[64];
	int snapshots;
	size_t codes; /* of the last one; SIZE_MAX: all */
	char code[32];
	enum lc_err answer;
	bool long_result, stopped;
};

static enum lc_err finish(struct rig *rig, struct lc_buf *result, struct lc_error *err)
{
	if (rig->answer != LC_OK) {
		return lc_error_set(err, rig->answer, "it \"went\" wrong");
	}
	for (int i = 0; rig->long_result && i < 100000; i++) {
		lc_buf_puts(result, "[[[[");
	}
	lc_buf_printf(
		result, "{\"n\":%d}", rig->heartbeats + rig->reloads + rig->starts + rig->stops);
	return LC_OK;
}

static enum lc_err on_heartbeat(void *owner, struct lc_buf *result, struct lc_error *err)
{
	struct rig *rig = owner;
	rig->heartbeats++;
	return finish(rig, result, err);
}

static enum lc_err on_reload(void *owner, struct lc_buf *result, struct lc_error *err)
{
	struct rig *rig = owner;
	rig->reloads++;
	return finish(rig, result, err);
}

static enum lc_err on_feeder(
	void *owner, const char *name, bool start, struct lc_buf *result, struct lc_error *err)
{
	struct rig *rig = owner;
	snprintf(rig->feeder, sizeof rig->feeder, "%s", name);
	rig->starts += start;
	rig->stops += !start;
	return finish(rig, result, err);
}

static enum lc_err on_bar_snapshot(void *owner, const struct lc_control_command *command,
	const struct lc_text *codes, size_t count, struct lc_error *err)
{
	struct rig *rig = owner;
	cr_assert_eq(command->command, LC_COMMAND_BAR_SNAPSHOT);
	rig->snapshots++;
	rig->codes = codes ? count : SIZE_MAX;
	snprintf(rig->code, sizeof rig->code, "%.*s", codes ? (int)codes[0].len : 0,
		codes ? codes[0].data : "");
	return rig->answer ? lc_error_set(err, rig->answer, "no bars here") : LC_OK;
}

static const struct lc_control_actions actions = {.heartbeat = on_heartbeat,
	.reload = on_reload,
	.bar_snapshot = on_bar_snapshot,
	.feeder = on_feeder};

static void rig_open(struct rig *rig)
{
	struct lc_error err;
	memset(rig, 0, sizeof *rig);
	out_open(&rig->out, 64 << 20, false);
	const struct lc_control_setup setup = {.loop = rig->out.f.loop,
		.topic = "control",
		.group = "g",
		.max_age_ms = 600000,
		.outbox = &rig->out.outbox,
		.actions = &actions,
		.owner = rig};
	cr_assert_eq(lc_control_create(&setup, &rig->control, &err), LC_OK);
}

static void on_stopped(void *arg)
{
	((struct rig *)arg)->stopped = true;
}

static void rig_close(struct rig *rig)
{
	lc_control_stop(rig->control, on_stopped, rig);
	cr_assert(rig->stopped);
	out_close(&rig->out);
}

static void send_at(struct rig *rig, const char *text, size_t len, int64_t timestamp_ms)
{
	char *copy = malloc(len + LC_JSON_PADDING);
	memcpy(copy, text, len);
	const struct lc_reader_message message = {
		.topic = "control", .value = copy, .value_len = len, .timestamp_ms = timestamp_ms};
	lc_control_handle(rig->control, &message);
	free(copy);
}

static int64_t now_ms(const struct rig *rig)
{
	return lc_loop_wall_ns(rig->out.f.loop) / LC_NS_PER_MS;
}

static void say(struct rig *rig, const char *text)
{
	send_at(rig, text, strlen(text), now_ms(rig));
}

/* One answer, and no more. */
static void expect(struct rig *rig, const char *id, const char *ok, const char *repeated)
{
	cr_assert(out_next(&rig->out), "no answer");
	cr_assert_eq(rig->out.record.topic, LC_TOPIC_EVENTS);
	cr_assert(out_is(&rig->out, "type", "command_result"));
	cr_assert(out_is(&rig->out, "data.role", "manager"));
	cr_assert(out_is(&rig->out, "data.request_id", id), "id");
	cr_assert(out_is(&rig->out, "data.ok", ok), "ok");
	cr_assert(out_is(&rig->out, "data.repeated", repeated), "repeated");
}

static void expect_silence(struct rig *rig)
{
	cr_assert_not(
		out_next(&rig->out), "%.*s", (int)rig->out.record.value_len, rig->out.record.value);
}

Test(control, every_command_of_ours_is_done_and_answered)
{
	struct rig rig;
	rig_open(&rig);
	say(&rig, "{\"command\":\"heartbeat_test\",\"request_id\":\"a\"}");
	expect(&rig, "a", "true", "false");
	cr_assert(out_is(&rig.out, "data.command", "heartbeat_test"));
	cr_assert(out_is(&rig.out, "data.error", NULL));
	say(&rig, "{\"command\":\"reload\",\"correlation_id\":\"b\",\"source\":\"me\",\"version\":"
		  "\"2\"}");
	expect(&rig, "b", "true", "false");
	say(&rig, "{\"command\":\"feeder_stop\",\"request_id\":\"c\",\"params\":{\"feeder\":"
		  "\"alpaca\"}}");
	expect(&rig, "c", "true", "false");
	say(&rig, "{\"command\":\"feeder_start\",\"params\":{\"feeder\":\"alpaca\"}}");
	expect(&rig, NULL, "true", "false");
	cr_assert_str_eq(rig.feeder, "alpaca");
	cr_assert(rig.heartbeats == 1 && rig.reloads == 1 && rig.starts == 1 && rig.stops == 1);
	expect_silence(&rig);
	rig_close(&rig);
}

Test(control, a_command_that_takes_its_time_is_answered_when_it_is_done)
{
	struct rig rig;
	const char *command = "{\"command\":\"bar_snapshot\",\"request_id\":\"d\",\"params\":{"
			      "\"codes\":[\"600000.SH\",\"AAPL\"],\"full\":true}}";
	rig_open(&rig);
	say(&rig, command);
	expect_silence(&rig);
	cr_assert(rig.snapshots == 1 && rig.codes == 2);
	cr_assert_str_eq(rig.code, "600000.SH");
	lc_control_answer(rig.control, "{\"published\":2}", NULL);
	expect(&rig, "d", "true", "false");
	cr_assert(out_is(&rig.out, "data.command", "bar_snapshot"));
	/* Seen again, it is not done again. */
	say(&rig, command);
	expect(&rig, "d", "true", "true");
	cr_assert_eq(rig.snapshots, 1);
	/* Without codes, or with none, it is about all; an error is an answer too. */
	static const char *const all[] = {"{\"command\":\"bar_snapshot\"}",
		"{\"command\":\"bar_snapshot\",\"params\":{\"codes\":[]}}",
		"{\"command\":\"bar_snapshot\",\"params\":{\"codes\":null}}"};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		say(&rig, all[i]);
		cr_assert_eq(rig.codes, SIZE_MAX);
		lc_control_answer(rig.control, "{}", i ? NULL : "the store is down");
		expect(&rig, NULL, i ? "true" : "false", "false");
	}
	rig_close(&rig);
}

Test(control, a_command_that_cannot_begin_is_answered_at_once)
{
	struct rig rig;
	rig_open(&rig);
	say(&rig, "{\"command\":\"bar_snapshot\",\"params\":{\"codes\":{\"a\":1}}}");
	expect(&rig, NULL, "false", "false");
	cr_assert_eq(rig.snapshots, 0);
	rig.answer = LC_ERR_UNSUPPORTED;
	say(&rig, "{\"command\":\"bar_snapshot\",\"request_id\":\"x\"}");
	expect(&rig, "x", "false", "false");
	cr_assert(out_is(&rig.out, "data.error", "no bars here"));
	rig.answer = LC_OK;
	/* Stopped while it waits: no answer, and nothing is left behind. */
	say(&rig, "{\"command\":\"bar_snapshot\",\"request_id\":\"y\"}");
	expect_silence(&rig);
	rig_close(&rig);
}

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define OTHER "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

static void say_traced(struct rig *rig, const char *text, const char *traceparent)
{
	char copy[1024] = {0};
	snprintf(copy, sizeof copy, "%s", text);
	const struct lc_reader_message message = {.topic = "control",
		.value = copy,
		.value_len = strlen(text),
		.timestamp_ms = now_ms(rig),
		.traceparent = traceparent,
		.traceparent_len = traceparent ? strlen(traceparent) : 0};
	lc_control_handle(rig->control, &message);
}

static bool is_traced(const struct rig *rig, const char *traceparent)
{
	const char *trace = rig->out.record.traceparent;
	return traceparent ? trace && memcmp(trace, traceparent, LC_TRACEPARENT_LEN) == 0 : !trace;
}

Test(control, an_answer_carries_the_trace_of_its_command)
{
	struct rig rig;
	rig_open(&rig);
	say_traced(&rig, "{\"command\":\"reload\",\"request_id\":\"a\"}", OTHER);
	expect(&rig, "a", "true", "false");
	cr_assert(is_traced(&rig, OTHER));
	/* The same command again, by somebody else: its own trace. */
	say_traced(&rig,
		"{\"command\":\"reload\",\"request_id\":\"a\",\"trace_id\":"
		"\"4bf92f3577b34da6a3ce929"
		"d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\"}",
		OTHER);
	expect(&rig, "a", "true", "true");
	cr_assert(is_traced(&rig, TRACE));
	say_traced(&rig, "{\"command\":\"bar_snapshot\",\"request_id\":\"b\"}", TRACE);
	lc_event(&rig.out.outbox, "halt");
	cr_assert(out_next(&rig.out) && is_traced(&rig, NULL), "it does not follow from it");
	lc_control_answer(rig.control, "{}", NULL);
	expect(&rig, "b", "true", "false");
	cr_assert(is_traced(&rig, TRACE));
	say_traced(&rig, "{\"command\":\"reload\",\"request_id\":\"c\"}", "00-nonsense");
	expect(&rig, "c", "true", "false");
	cr_assert(is_traced(&rig, NULL));
	say_traced(&rig, "no command", TRACE);
	lc_event(&rig.out.outbox, "halt");
	cr_assert(out_next(&rig.out) && is_traced(&rig, NULL));
	rig_close(&rig);
}

Test(control, failures_are_answered_with_what_is_wrong)
{
	struct rig rig;
	rig_open(&rig);
	rig.answer = LC_ERR_INVALID;
	say(&rig, "{\"command\":\"reload\",\"request_id\":\"a\"}");
	expect(&rig, "a", "false", "false");
	cr_assert(out_is(&rig.out, "data.error", "it \"went\" wrong"));
	rig.answer = LC_OK;
	static const char *const bad[] = {"{}", "{\"feeder\":3}", "{\"feeder\":\"\"}",
		"{\"feeder\":\"a-name-that-is-far-too-long-to-be-one\"}", "null"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[200];
		snprintf(text, sizeof text, "{\"command\":\"feeder_start\",\"params\":%s}", bad[i]);
		say(&rig, text);
		expect(&rig, NULL, "false", "false");
	}
	cr_assert_eq(rig.starts, 0);
	rig.long_result = true;
	say(&rig, "{\"command\":\"heartbeat_test\"}");
	expect(&rig, NULL, "true", "false");
	rig_close(&rig);
}

Test(control, an_id_seen_before_gets_the_first_answer)
{
	struct rig rig;
	char text[128];
	rig_open(&rig);
	for (int i = 0; i < 3; i++) {
		say(&rig, "{\"command\":\"heartbeat_test\",\"request_id\":\"same\"}");
		expect(&rig, "same", "true", i ? "true" : "false");
		const struct lc_value *data = lc_value_find(rig.out.root, "data");
		int64_t n;
		cr_assert_eq(
			lc_value_int(lc_value_find(lc_value_find(data, "result"), "n"), &n), LC_OK);
		cr_assert_eq(n, 1);
	}
	cr_assert_eq(rig.heartbeats, 1);
	/* A failure is an answer as well. */
	rig.answer = LC_ERR_IO;
	say(&rig, "{\"command\":\"reload\",\"request_id\":\"f\"}");
	expect(&rig, "f", "false", "false");
	rig.answer = LC_OK;
	say(&rig, "{\"command\":\"reload\",\"request_id\":\"f\"}");
	expect(&rig, "f", "false", "true");
	/* An id with a NUL is another one. */
	say(&rig, "{\"command\":\"heartbeat_test\",\"request_id\":\"same\\u0000x\"}");
	cr_assert(out_next(&rig.out));
	cr_assert(out_is(&rig.out, "data.repeated", "false"));
	/* The memory of answers is bounded: the oldest goes first. */
	for (int i = 0; i < 1100; i++) {
		snprintf(text, sizeof text,
			"{\"command\":\"heartbeat_test\",\"request_id\":\"id-%d\"}", i);
		say(&rig, text);
		cr_assert(out_next(&rig.out));
	}
	say(&rig, "{\"command\":\"heartbeat_test\",\"request_id\":\"id-1000\"}");
	expect(&rig, "id-1000", "true", "true");
	say(&rig, "{\"command\":\"heartbeat_test\",\"request_id\":\"same\"}");
	expect(&rig, "same", "true", "false");
	rig_close(&rig);
}

Test(control, what_is_too_old_is_not_done)
{
	struct rig rig;
	const char *plain = "{\"command\":\"reload\",\"request_id\":\"x\"}";
	rig_open(&rig);
	send_at(&rig, plain, strlen(plain), now_ms(&rig) - 601000);
	expect(&rig, "x", "false", "false");
	cr_assert(out_is(&rig.out, "data.error", "expired: older than control.max_age"));
	say(&rig, "{\"command\":\"reload\",\"timestamp\":\"2020-01-01T00:00:00Z\"}");
	expect(&rig, NULL, "false", "false");
	say(&rig, "{\"command\":\"reload\",\"timestamp\":\"1678-01-01T00:00:00Z\"}");
	expect(&rig, NULL, "false", "false");
	cr_assert_eq(rig.reloads, 0);
	lc_control_set_max_age(rig.control, 700000);
	send_at(&rig, plain, strlen(plain), now_ms(&rig) - 601000);
	expect(&rig, "x", "true", "false");
	/* Others' old commands are not ours to answer. */
	say(&rig, "{\"command\":\"deploy\",\"timestamp\":\"2020-01-01T00:00:00Z\"}");
	expect_silence(&rig);
	rig_close(&rig);
}

Test(control, record_times_are_not_trusted)
{
	static const int64_t times[] = {-1, INT64_MAX, INT64_MAX / 1000, INT64_MIN};
	const char *plain = "{\"command\":\"heartbeat_test\"}";
	struct rig rig;
	rig_open(&rig);
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		send_at(&rig, plain, strlen(plain), times[i]);
		expect(&rig, NULL, "true", "false");
	}
	char line[512] = "";
	int ends[2], terminal = dup(STDERR_FILENO);
	cr_assert_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	cr_assert_eq(lc_log_set_levels(rig.out.f.log, "warn", NULL), LC_OK);
	say(&rig, "{\"command\":\"heartbeat_test\",\"timestamp\":\"2200-01-01T00:00:00Z\"}");
	dup2(terminal, STDERR_FILENO);
	cr_assert_gt(read(ends[0], line, sizeof line - 1), 0, "it is reported");
	cr_assert_not_null(strstr(line, "WARN control"), "%s", line);
	expect(&rig, NULL, "true", "false");
	rig_close(&rig);
}

Test(control, others_unknown_and_unreadable_ones_pass_in_silence)
{
	static const char *const texts[] = {"{\"command\":\"deploy\",\"request_id\":\"a\"}",
		"{\"command\":\"unload\"}", "{\"command\":\"update_selector\"}",
		"{\"command\":\"paper_trading\"}", "{\"command\":\"update_data\"}",
		"{\"command\":\"stockinfo\"}", "{\"command\":\"tick\"}",
		"{\"command\":\"dance\\u0000\\n\"}", "", "{", "[]", "null", "{\"command\":7}",
		"{\"command\":\"\"}", "{\"no\":1}", "\xff\xfe",
		"{\"command\":\"reload\",\"timestamp\":\"noon\"}"};
	struct rig rig;
	rig_open(&rig);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		say(&rig, texts[i]);
		expect_silence(&rig);
	}
	const struct lc_reader_message tombstone = {
		.topic = "control", .timestamp_ms = now_ms(&rig)};
	lc_control_handle(rig.control, &tombstone);
	expect_silence(&rig);
	cr_assert_eq(rig.reloads + rig.heartbeats, 0);
	rig_close(&rig);
}

#include "store/beat.h"

#include "loop_fixture.h"

#include <string.h>

#define S LC_NS_PER_S
#define WALL_NS (INT64_C(1767922200) * S) /* 2026-01-09T01:30:00Z */

static const struct lc_message_context context = {
	.time_format = LC_TIME_UTC, .node_id = "node-1", .stream = "s1"};

static struct beat make(void)
{
	return (struct beat){
		.type = "data_manager", .context = &context, .host = "h\"1", .pid = 42};
}

static const struct lc_value *parse(struct lc_json_parser *parser, const char *text)
{
	const struct lc_value *root;
	size_t len = strlen(text);
	cr_assert_eq(lc_json_parse(parser, text, len, len, &root, NULL), LC_OK, "%s", text);
	return root;
}

Test(heartbeat, message)
{
	static const char *const names[] = {"STOPPED", "STARTING", "RUNNING", "STOPPING", "ERROR"};
	static const char *const texts[] = {"component_type", "data_manager", "component_id",
		"node-1", "host", "h\"1", "stream", "s1", "timestamp",
		"2026-01-09T01:30:00.000000Z"};
	struct beat beat = make();
	struct lc_json_parser *parser;
	struct lc_buf out;
	int64_t number;
	cr_assert_eq(lc_json_parser_create(NULL, &parser), LC_OK);
	lc_buf_init(&out, BEAT_MAX);
	for (int state = 0; state < 5; state++) {
		lc_buf_clear(&out);
		beat_write(
			&beat, (enum lc_heartbeat_state)state, WALL_NS, "\"a\":1,\"b\":22", &out);
		const struct lc_value *root = parse(parser, lc_buf_text(&out));
		for (size_t i = 0; i < sizeof texts / sizeof *texts; i += 2) {
			cr_assert(lc_value_is(lc_value_find(root, texts[i]), texts[i + 1]), "%s",
				texts[i]);
		}
		const struct lc_value *status = lc_value_find(root, "status");
		cr_assert(lc_value_is(lc_value_find(status, "name"), names[state]));
		cr_assert(lc_value_int(lc_value_find(status, "code"), &number) == LC_OK &&
			  number == state);
		cr_assert(
			lc_value_int(lc_value_find(root, "pid"), &number) == LC_OK && number == 42);
		/* the counters stand in both places */
		const struct lc_value *places[] = {root, lc_value_find(root, "stats")};
		for (int i = 0; i < 2; i++) {
			cr_assert(lc_value_int(lc_value_find(places[i], "b"), &number) == LC_OK &&
				  number == 22);
		}
	}
	lc_buf_clear(&out);
	beat_write(&beat, LC_HEARTBEAT_RUNNING, WALL_NS, "", &out);
	cr_assert_eq(lc_value_find(parse(parser, lc_buf_text(&out)), "stats")->len, 0);
	lc_buf_finish(&out);
	lc_json_parser_destroy(parser);
}

Test(heartbeat, when)
{
	struct beat beat = make();
	int64_t now_ns = 5 * S;
	int beats = 0;
	for (int second = 0; second < 100; second++) {
		beats += beat_due(&beat, LC_HEARTBEAT_RUNNING, now_ns + second * S);
	}
	cr_assert_eq(beats, 10);
	now_ns += 100 * S;
	/* A change is due at once, the same again is not. */
	cr_assert(beat_due(&beat, LC_HEARTBEAT_ERROR, now_ns));
	cr_assert_not(beat_due(&beat, LC_HEARTBEAT_ERROR, now_ns + 9 * S));
	/* One that failed is due again. */
	beat_failed(&beat);
	cr_assert(beat_due(&beat, LC_HEARTBEAT_ERROR, now_ns + 9 * S));
	/* After a long pause one is due, not those that were missed. */
	now_ns += 1000 * S;
	cr_assert(beat_due(&beat, LC_HEARTBEAT_ERROR, now_ns));
	cr_assert_not(beat_due(&beat, LC_HEARTBEAT_ERROR, now_ns + S));
}

Test(heartbeat, twins)
{
	static const struct {
		const char *text;
		bool twin;
	} cases[] = {
		{"{\"stream\":\"s1\",\"status\":{\"code\":2}}", false},
		{"{\"stream\":\"s2\",\"status\":{\"code\":2},\"host\":\"h2\",\"pid\":7}", true},
		{"{\"stream\":\"s2\",\"status\":{\"code\":3}}", true},
		{"{\"stream\":\"s2\",\"status\":{\"code\":0}}", false},
		{"{\"stream\":\"s2\"}", true},
		{"{\"status\":\"running\"}", true}, /* another program's */
		{"{\"stream\":12,\"status\":[],\"host\":{},\"pid\":\"x\"}", true},
		{"[]", true},
	};
	struct lc_json_parser *parser;
	struct lc_heartbeat_twin twin;
	cr_assert_eq(lc_json_parser_create(NULL, &parser), LC_OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct beat beat = make();
		const struct lc_value *root = parse(parser, cases[i].text);
		cr_assert_not(beat_is_twin(&beat, root, &twin), "left by an earlier life: %s",
			cases[i].text);
		beat.written = true;
		cr_assert_eq(beat_is_twin(&beat, root, &twin), cases[i].twin, "%s", cases[i].text);
		if (i == 1) {
			cr_assert(!strcmp(twin.stream, "s2") && !strcmp(twin.host, "h2") &&
				  twin.pid == 7);
		}
	}
	struct beat beat = make();
	int reports = 0;
	for (int second = 1; second <= 300; second += 10) {
		reports += beat_may_report(&beat, second * S);
	}
	cr_assert_eq(reports, 5);
	lc_json_parser_destroy(parser);
}

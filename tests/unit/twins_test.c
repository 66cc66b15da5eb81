/* Which system events are a sign of another live process under our name. */
#include "livecore/json.h"
#include "livecore/twins.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define SINCE_NS (INT64_C(1767225600) * 1000000000) /* 2026-01-01T00:00:00Z */

static bool is_twin(const char *role, const char *text, char stream[LC_MESSAGE_ID_MAX + 1])
{
	const struct lc_message_context context = {.node_id = "lc-1", .stream = "mine"};
	const struct lc_twins_options options = {.context = &context, .role = role};
	const struct lc_json_limits limits = {.max_bytes = 16384, .max_values = 4096};
	struct lc_json_parser *parser;
	cr_assert_eq(lc_json_parser_create(&limits, &parser), LC_OK);
	bool found = lc_twins_is_one(parser, text, strlen(text), &options, SINCE_NS, stream);
	lc_json_parser_destroy(parser);
	return found;
}

#define EVENT(type, time, node, stream, data)                                   \
	"{\"type\":\"" type "\",\"timestamp\":\"" time "\",\"node_id\":\"" node \
	"\",\"stream\":\"" stream "\",\"id\":\"x\",\"data\":" data "}"
#define LATER "2026-01-01T00:00:01.000000Z"
#define MANAGER "{\"role\":\"manager\"}"
#define TIMER "{\"role\":\"timer\"}"

Test(twins, another_stream_of_our_node_and_role)
{
	static const struct {
		const char *role, *text;
		bool twin;
	} cases[] = {
		{"manager", EVENT("started", LATER, "lc-1", "theirs", MANAGER), true},
		{"manager", EVENT("started", LATER, "lc-1", "mine", MANAGER), false},
		{"manager", EVENT("started", LATER, "lc-2", "theirs", MANAGER), false},
		{"manager", EVENT("started", LATER, "lc-1", "theirs", TIMER), false},
		{"timer", EVENT("started", LATER, "lc-1", "theirs", TIMER), true},
		{"timer", EVENT("twin", LATER, "lc-1", "theirs", TIMER), true},
		{"timer", EVENT("started", LATER, "lc-1", "theirs", MANAGER), false},
		/* What has no role is a manager's. */
		{"manager", EVENT("feeder_state", LATER, "lc-1", "theirs", "{}"), true},
		{"timer", EVENT("feeder_state", LATER, "lc-1", "theirs", "{}"), false},
		/* The last words of the life before this one, also when they are sent again. */
		{"manager",
			EVENT("stopping", "2025-12-31T23:59:59.999999Z", "lc-1", "theirs", MANAGER),
			false},
		{"manager", EVENT("started", "yesterday", "lc-1", "theirs", MANAGER), false},
		{"manager", EVENT("started", LATER, "lc-1", "", MANAGER), false},
		{"manager", "{\"node_id\":\"lc-1\",\"stream\":7,\"timestamp\":\"" LATER "\"}",
			false},
		{"manager", "[1]", false},
		{"manager", "{\"node_id\":", false},
		{"manager", "", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char stream[LC_MESSAGE_ID_MAX + 1] = "";
		bool twin = is_twin(cases[i].role, cases[i].text, stream);
		cr_assert_eq(twin, cases[i].twin, "%s: %s", cases[i].role, cases[i].text);
		cr_assert(!twin || strcmp(stream, "theirs") == 0);
	}
}

Test(twins, a_stream_that_is_too_long_is_none_of_ours)
{
	char text[1024], name[200], stream[LC_MESSAGE_ID_MAX + 1];
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	snprintf(text, sizeof text,
		"{\"node_id\":\"lc-1\",\"stream\":\"%s\",\"timestamp\":\"" LATER
		"\",\"data\":" MANAGER "}",
		name);
	cr_assert_not(is_twin("manager", text, stream));
}

/* livecore command: sends a control command, and with --wait shows what was answered. */
#include "app/command_params.h"
#include "app/commands.h"
#include "app/tool.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define BODY_MAX ((size_t)2 * 1024 * 1024)
#define PROGRESS_MS 1000

static const struct lc_usage usage = {"command", "NAME [key=value…]",
	"Sends a ControlCommand, for example:\n"
	"  livecore command heartbeat_test --wait\n"
	"  livecore command feeder_stop feeder=alpaca --wait\n"
	"  livecore command bar_snapshot codes=600000.SH,AAPL frequency=1d --wait --role worker\n"
	"Values that look like JSON (numbers, true, false, [lists]) are sent as such, A,B as a "
	"list; start_date and end_date\n"
	"stay text. With --wait the answer is printed; exit code 1 when it is not ok, or none came "
	"in time."};

struct sending {
	struct lc_tool tool;
	const char *name, *role;
	bool wait, any, json;
	int64_t timeout_ms;
	int64_t deadline_ns;
	struct lc_params params;
	char id[64];
	struct lc_reader *reader;
	struct lc_json_parser *parser;
	enum lc_err why; /* the last word on why the answers are not read */
	bool caught_up, answered, ok, progress;
};

/* --- the answer --- */

static void print_value(FILE *out, const struct lc_value *value)
{
	const struct lc_value *item, *key;
	const char *separator = "";
	if (lc_value_is_container(value) && value->len == 0) {
		fputs("none", out);
		return;
	}
	switch (value->type) {
	case LC_VALUE_NULL:
		fputs("-", out);
		break;
	case LC_VALUE_BOOL:
		fputs(value->v.b ? "yes" : "no", out);
		break;
	case LC_VALUE_NUMBER:
	case LC_VALUE_STRING:
		lc_printable_put(out, (struct lc_text){value->v.text, value->len});
		break;
	case LC_VALUE_ARRAY:
		lc_value_each (item, value) {
			fputs(separator, out);
			print_value(out, item);
			separator = ", ";
		}
		break;
	case LC_VALUE_OBJECT:
		lc_value_each_field (key, item, value) {
			fputs(separator, out);
			print_value(out, key);
			fputc('=', out);
			print_value(out, item);
			separator = " ";
		}
		break;
	default:
		break; /* msgpack's types: not in JSON */
	}
}

static void print_result(const struct lc_value *result)
{
	const struct lc_value *key, *value;
	if (!result) {
		return;
	}
	lc_value_each_field (key, value, result) {
		fputs("  ", stdout);
		print_value(stdout, key);
		fputs(": ", stdout);
		print_value(stdout, value);
		fputc('\n', stdout);
	}
}

static void print_answer(
	const struct sending *sending, const struct lc_value *root, const struct lc_value *data)
{
	const struct lc_value *node = lc_value_find(root, "node_id"),
			      *role = lc_value_find(data, "role");
	const struct lc_value *repeated = lc_value_find(data, "repeated"),
			      *error = lc_value_find(data, "error");
	if (role) {
		print_value(stdout, role);
	}
	if (node) {
		fputs(" on ", stdout);
		print_value(stdout, node);
	}
	printf(": %s", sending->ok ? "ok" : "failed");
	if (error && error->type == LC_VALUE_STRING) {
		fputs(": ", stdout);
		print_value(stdout, error);
	}
	bool again = false;
	if (repeated && lc_value_bool(repeated, &again) == LC_OK && again) {
		fputs(" (the first answer, given again)", stdout);
	}
	fputc('\n', stdout);
	print_result(lc_value_find(data, "result"));
}

static bool is_text(const struct lc_value *object, const char *key, const char *text)
{
	const struct lc_value *value = lc_value_find(object, key);
	return value && lc_value_is(value, text);
}

static void end_progress(struct sending *sending)
{
	if (sending->progress) {
		fputs("\r\033[K", stderr);
		sending->progress = false;
	}
}

static void on_event(void *arg, const struct lc_reader_message *message)
{
	struct sending *sending = arg;
	const struct lc_value *root;
	if (sending->answered || !message->value || message->value_len > LC_MESSAGE_IN_MAX ||
		lc_json_parse(sending->parser, message->value, message->value_len,
			message->value_len, &root, NULL) != LC_OK) {
		return;
	}
	const struct lc_value *data = lc_value_find(root, "data");
	if (!data || !is_text(root, "type", "command_result") ||
		!is_text(data, "request_id", sending->id) ||
		(sending->role && !is_text(data, "role", sending->role))) {
		return;
	}
	const struct lc_value *ok = lc_value_find(data, "ok");
	sending->answered = true;
	sending->ok = ok && ok->type == LC_VALUE_BOOL && ok->v.b;
	end_progress(sending);
	if (sending->json) {
		printf("%.*s\n", (int)message->value_len, message->value);
	} else {
		print_answer(sending, root, data);
	}
	lc_tool_wake(&sending->tool);
}

static void on_caught_up(void *arg)
{
	struct sending *sending = arg;
	sending->caught_up = true;
	lc_tool_wake(&sending->tool);
}

static void on_state(void *arg, bool reading, const struct lc_error *why)
{
	struct sending *sending = arg;
	sending->why = why->code;
	if (!reading) {
		end_progress(sending);
		fprintf(stderr, "livecore: waiting for topic %s: %s\n",
			lc_process_topics(&sending->tool.process)->events, why->text);
	}
}

/* --- waiting --- */

static int64_t left_ms(const struct sending *sending)
{
	int64_t left = (sending->deadline_ns - lc_clock_mono_ns()) / LC_NS_PER_MS;
	return left > 0 ? left : 0;
}

/* Waits for *flag until the deadline; a person at a terminal sees how long it takes already. */
static bool wait_for(struct sending *sending, const bool *flag, const char *what)
{
	int64_t started_ns = lc_clock_mono_ns();
	bool terminal = isatty(STDERR_FILENO) != 0;
	while (!*flag && left_ms(sending) > 0 && !sending->tool.interrupted) {
		int64_t step = left_ms(sending) < PROGRESS_MS ? left_ms(sending) : PROGRESS_MS;
		lc_tool_wait(&sending->tool, step);
		if (terminal && !*flag) {
			fprintf(stderr, "\r\033[Kwaiting for %s … %.0f s", what,
				(double)(lc_clock_mono_ns() - started_ns) / 1e9);
			sending->progress = true;
		}
	}
	end_progress(sending);
	return *flag;
}

/* Reading begins before the command is sent: a quick answer must not slip by. */
static int start_reading(struct sending *sending)
{
	static const struct lc_reader_handlers handlers = {
		.message = on_event, .caught_up = on_caught_up, .state = on_state};
	struct lc_process *process = &sending->tool.process;
	const struct lc_reader_options options = {
		.topic = lc_process_topics(process)->events, .start = LC_START_LATEST};
	struct lc_error err;
	if (lc_json_parser_create(NULL, &sending->parser) != LC_OK) {
		fputs("livecore: out of memory\n", stderr);
		return LC_EXIT_FAILED;
	}
	if (lc_reader_create(process->loop, lc_process_kafka(process), &options, &handlers, sending,
		    &sending->reader, &err) != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	if (!wait_for(sending, &sending->caught_up, "Kafka")) {
		lc_error_set(&err, sending->why, "nothing was sent: topic %s could not be read",
			options.topic);
		return lc_tool_failed(&err);
	}
	return -1;
}

static int send_command(struct sending *sending)
{
	struct lc_tool *tool = &sending->tool;
	const char *topic = lc_process_topics(&tool->process)->control;
	struct lc_buf body;
	struct lc_tool_place place;
	struct lc_error err;
	lc_buf_init(&body, BODY_MAX);
	lc_control_command_encode(&tool->context, sending->name, sending->id, "livecore command",
		sending->params.fields, lc_loop_wall_ns(tool->process.loop), &body);
	enum lc_err rc = LC_ERR_TOO_LARGE;
	if (body.failed) {
		lc_error_set(&err, rc, "the parameters do not fit into one message");
	} else {
		const struct lc_message message = {.topic = topic,
			.key = sending->id,
			.key_len = strlen(sending->id),
			.value = body.data,
			.value_len = body.len};
		rc = lc_tool_publish(tool, &message, left_ms(sending) + 1, &place, &err);
	}
	lc_buf_finish(&body);
	if (rc != LC_OK) {
		return lc_tool_failed(&err);
	}
	fprintf(sending->json ? stderr : stdout,
		"sent %s: request_id=%s topic=%s partition=%d offset=%lld\n", sending->name,
		sending->id, topic, place.partition, (long long)place.offset);
	return -1;
}

static int await_answer(struct sending *sending)
{
	fflush(stdout);
	if (wait_for(sending, &sending->answered, "the answer")) {
		return sending->ok ? LC_EXIT_OK : LC_EXIT_FAILED;
	}
	fprintf(stderr,
		"livecore: no answer%s%s%s: does a livecore run that does %s? (livecore status)\n",
		sending->role ? " of a " : "", sending->role ? sending->role : "",
		sending->tool.interrupted ? " before the interruption" : " in time (--timeout)",
		sending->name);
	return LC_EXIT_FAILED;
}

static int run(struct sending *sending)
{
	snprintf(sending->id, sizeof sending->id, "cli-%016" PRIx64 "%016" PRIx64,
		lc_loop_random(sending->tool.process.loop),
		lc_loop_random(sending->tool.process.loop));
	sending->deadline_ns = lc_clock_mono_ns() + sending->timeout_ms * LC_NS_PER_MS;
	int rc = sending->wait ? start_reading(sending) : -1;
	rc = rc >= 0 ? rc : send_command(sending);
	if (rc < 0) {
		rc = sending->wait ? await_answer(sending) : LC_EXIT_OK;
	}
	lc_tool_stop_reader(&sending->tool, sending->reader);
	lc_json_parser_destroy(sending->parser);
	return rc;
}

/* --- arguments --- */

static bool known(const char *name)
{
#define X(id, text) || strcmp(name, text) == 0
	return false LC_COMMANDS(X);
#undef X
}

static int check(struct sending *sending, int argc, char **argv)
{
	struct lc_error err;
	if (argc < 2) {
		return lc_args_wrong(&usage, "which command? For example heartbeat_test");
	}
	sending->name = argv[1];
	if (!sending->any && !known(sending->name)) {
#define X(id, text) " " text
		return lc_args_wrong(&usage,
			"there is no command \"%s\"; there are%s (--any sends it all the same)",
			sending->name, LC_COMMANDS(X));
#undef X
	}
	if (!sending->wait && (sending->role || sending->json)) {
		return lc_args_wrong(&usage, "--role and --json go with --wait");
	}
	if (sending->timeout_ms <= 0) {
		return lc_args_wrong(&usage, "--timeout must be more than 0");
	}
	if (lc_params_parse(&sending->params, argv + 2, (size_t)argc - 2, &err) != LC_OK) {
		return lc_args_wrong(&usage, "%s", err.text);
	}
	return -1;
}

static int check_role(const struct sending *sending)
{
	const char *role = sending->role;
	if (!role || strcmp(role, "manager") == 0 || strcmp(role, "worker") == 0) {
		return -1;
	}
	return lc_args_wrong(&usage, "--role takes manager or worker, not \"%s\"", role);
}

int lc_command_command(int argc, char **argv)
{
	struct sending sending = {.why = LC_ERR_TIMEOUT, .timeout_ms = 30000};
	const struct lc_option options[] = {
		{"wait", LC_OPTION_FLAG, &sending.wait, NULL, "wait for the answer and print it"},
		{"role", LC_OPTION_TEXT, &sending.role, "ROLE",
			"whose answer: manager or worker (default: the first)"},
		{"timeout", LC_OPTION_DURATION, &sending.timeout_ms, "TIME",
			"for Kafka and the answer together (default 30s)"},
		{"json", LC_OPTION_FLAG, &sending.json, NULL,
			"with --wait: the answer as it is on Kafka"},
		{"any", LC_OPTION_FLAG, &sending.any, NULL,
			"send a command that livecore does not know"},
		LC_TOOL_OPTIONS(&sending.tool),
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	rc = check_role(&sending);
	rc = rc >= 0 ? rc : check(&sending, argc, argv);
	if (rc < 0) {
		rc = lc_tool_open(&sending.tool, true);
		rc = rc >= 0 ? rc : run(&sending);
		lc_tool_close(&sending.tool);
	}
	lc_params_finish(&sending.params);
	return rc;
}

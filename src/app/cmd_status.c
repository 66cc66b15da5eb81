/* livecore status: what a running livecore says of itself over HTTP, as a table. */
#include "app/commands.h"
#include "app/status_all.h"
#include "app/tool.h"

#include <inttypes.h>
#include <string.h>

#define BODY_MAX ((size_t)4 * 1024 * 1024)
#define TEXT_MAX 256

static const struct lc_usage usage = {"status", "",
	"Shows readiness, feeders, queues and Kafka of a running livecore. Exit code 1 when it "
	"does not answer or is not ready. With --all: who beats in Redis, who has stopped, who is "
	"missing; exit code 1 when one is missing or in error."};

struct status {
	struct lc_tool tool;
	const char *url;
	int64_t timeout_ms;
	bool json;
	struct lc_buf page, ready; /* JSON of /api/v1/status and /readyz */
	int page_status, ready_status;
	struct lc_json_parser *parser;
};

/* --- reading fields: what is absent shows as "-" --- */

static const struct lc_value *find(const struct lc_value *object, const char *key)
{
	return object ? lc_value_find(object, key) : NULL;
}

static uint64_t number(const struct lc_value *object, const char *key)
{
	const struct lc_value *value = find(object, key);
	uint64_t out = 0;
	if (value) {
		(void)lc_value_uint(value, &out); /* stays 0: another version's field */
	}
	return out;
}

static const char *text(const struct lc_value *object, const char *key, char out[TEXT_MAX])
{
	const struct lc_value *value = find(object, key);
	struct lc_text found = {"-", 1};
	if (value && (value->type == LC_VALUE_STRING || value->type == LC_VALUE_NUMBER)) {
		found = (struct lc_text){value->v.text, value->len};
	}
	lc_printable_copy(found, out, TEXT_MAX);
	return out;
}

static bool is_true(const struct lc_value *object, const char *key)
{
	const struct lc_value *value = find(object, key);
	return value && value->type == LC_VALUE_BOOL && value->v.b;
}

/* --- the table --- */

static void print_duration(uint64_t seconds)
{
	if (seconds >= 86400) {
		printf("%" PRIu64 "d ", seconds / 86400);
	}
	printf("%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600 % 24, seconds / 60 % 60,
		seconds % 60);
}

static void print_head(const struct lc_value *root)
{
	char version[TEXT_MAX], role[TEXT_MAX], node[TEXT_MAX], phase[TEXT_MAX], stream[TEXT_MAX];
	printf("livecore %s, %s on %s: %s for ", text(root, "version", version),
		text(root, "role", role), text(root, "node_id", node), text(root, "phase", phase));
	print_duration(number(root, "uptime_seconds"));
	printf(", stream %s\n", text(root, "stream", stream));
	uint64_t followed = number(root, "followed"), portfolios = number(root, "portfolios");
	printf("follows %" PRIu64 " symbol%s for %" PRIu64 " portfolio%s; published %" PRIu64
	       ", acknowledged %" PRIu64 ", on their way %" PRIu64 "\n",
		followed, followed == 1 ? "" : "s", portfolios, portfolios == 1 ? "" : "s",
		number(root, "published"), number(root, "acknowledged"),
		number(root, "unacknowledged"));
}

static uint64_t sum(const struct lc_value *object)
{
	const struct lc_value *key, *value;
	uint64_t total = 0, one;
	if (object) {
		lc_value_each_field (key, value, object) {
			total += lc_value_uint(value, &one) == LC_OK ? one : 0;
		}
	}
	return total;
}

static void print_feeder(const struct lc_value *feeder)
{
	char name[TEXT_MAX], state[TEXT_MAX], reason[TEXT_MAX], symbols[48], depth[48];
	const struct lc_value *queue = find(feeder, "queue"), *followed = find(feeder, "symbols");
	snprintf(symbols, sizeof symbols, "%" PRIu64 "/%" PRIu64, number(followed, "subscribed"),
		number(followed, "wanted"));
	snprintf(depth, sizeof depth, "%" PRIu64 "/%" PRIu64, number(queue, "length"),
		number(queue, "capacity"));
	printf("%-11s %-13s %13s %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %13s %10" PRIu64,
		text(feeder, "name", name), text(feeder, "state", state), symbols,
		number(feeder, "ticks"), sum(find(feeder, "dropped")), number(feeder, "reconnects"),
		depth, number(queue, "merged"));
	text(feeder, "reason", reason);
	printf("%s%s%s\n",
		is_true(feeder, "paused") || is_true(queue, "paused") ? "  reading paused" : "",
		reason[0] && strcmp(reason, "-") != 0 ? "  " : "",
		strcmp(reason, "-") != 0 ? reason : "");
}

static void print_feeders(const struct lc_value *root)
{
	const struct lc_value *feeders = find(root, "feeders"), *feeder;
	printf("\n%-11s %-13s %13s %12s %10s %10s %13s %10s\n", "feeder", "state", "symbols",
		"ticks", "dropped", "reconnects", "queue", "merged");
	if (feeders) {
		lc_value_each (feeder, feeders) {
			print_feeder(feeder);
		}
	}
}

static void print_verdicts(const struct lc_value *root)
{
	const struct lc_value *feeders = find(root, "feeders"), *feeder;
	char name[TEXT_MAX], socket[TEXT_MAX], subscription[TEXT_MAX], stage[TEXT_MAX];
	char silent[TEXT_MAX], expected[TEXT_MAX];
	printf("\n%-11s %-8s %-12s %-12s %12s %14s %14s\n", "liveness", "socket", "subscription",
		"stage", "silent s", "ordinary s", "silent symbols");
	if (!feeders) {
		return;
	}
	lc_value_each (feeder, feeders) {
		const struct lc_value *liveness = find(feeder, "liveness");
		printf("%-11s %-8s %-12s %-12s %12s %14s %14" PRIu64 "\n",
			text(feeder, "name", name), text(liveness, "socket", socket),
			text(liveness, "subscription", subscription),
			text(liveness, "stage", stage), text(liveness, "silent_seconds", silent),
			text(liveness, "expected_seconds", expected),
			number(liveness, "symbols_silent"));
	}
}

static void print_kafka(const struct lc_value *root)
{
	char brokers[TEXT_MAX];
	const struct lc_value *kafka = find(root, "kafka");
	printf("\nKafka %s: %s, in flight %" PRIu64
	       " (%.1f MB), buffer %.1f of %.0f MB, refused %" PRIu64 ", replayed %" PRIu64
	       ", producer resets %" PRIu64 "\n",
		text(kafka, "brokers", brokers),
		is_true(kafka, "reachable") ? "reachable" : "NOT REACHABLE",
		number(kafka, "in_flight"), (double)number(kafka, "in_flight_bytes") / 1048576,
		(double)number(kafka, "buffer_bytes") / 1048576,
		(double)number(kafka, "buffer_capacity_bytes") / 1048576, number(kafka, "refused"),
		number(kafka, "replayed"), number(kafka, "resets"));
}

static void print_checks(const struct lc_value *checks, const char *of)
{
	const struct lc_value *key, *check;
	char reason[TEXT_MAX], name[TEXT_MAX];
	lc_value_each_field (key, check, checks) {
		lc_printable_copy((struct lc_text){key->v.text, key->len}, name, sizeof name);
		if (!find(check, "ok")) {
			print_checks(check, strcmp(name, "markets") == 0 ? "market " : "feeder ");
		} else if (!is_true(check, "ok")) {
			const struct lc_value *why = lc_tool_reason(check);
			lc_printable_copy(why ? (struct lc_text){why->v.text, why->len}
					      : (struct lc_text){"-", 1},
				reason, sizeof reason);
			printf("  %s%s: %s\n", of, name, reason);
		}
	}
}

static const struct lc_value *parse(struct status *status, const struct lc_buf *body)
{
	const struct lc_value *root;
	if (lc_json_parse(status->parser, body->data, body->len, body->len, &root, NULL) != LC_OK) {
		return NULL;
	}
	return root;
}

static int print_table(struct status *status)
{
	char word[TEXT_MAX];
	const struct lc_value *root = parse(status, &status->page);
	if (!root || status->page_status != 200) {
		fprintf(stderr, "livecore: /api/v1/status answered HTTP %d%s\n",
			status->page_status,
			status->page_status == 503
				? ": it is starting, or stopping"
				: ": is that a livecore? --url names another address");
		root = parse(status, &status->ready);
		if (root && find(root, "checks")) {
			print_checks(find(root, "checks"), "");
		}
		return LC_EXIT_FAILED;
	}
	print_head(root);
	print_feeders(root);
	print_verdicts(root);
	print_kafka(root);
	root = parse(status, &status->ready);
	printf("\n%s\n", text(root, "status", word));
	if (find(root, "checks")) {
		print_checks(find(root, "checks"), "");
	}
	return LC_EXIT_OK;
}

/* Both pages as one object, or what was sent instead. */
static int print_json(const struct status *status)
{
	if (status->page_status != 200) {
		fprintf(stderr, "livecore: /api/v1/status answered HTTP %d\n", status->page_status);
		return LC_EXIT_FAILED;
	}
	printf("{\"status\":%.*s,\"ready\":%.*s}\n", (int)strcspn(status->page.data, "\n"),
		status->page.data, (int)strcspn(status->ready.data, "\n"), status->ready.data);
	return LC_EXIT_OK;
}

static int show(struct status *status)
{
	struct lc_error err;
	enum lc_err rc = lc_tool_get(&status->tool, status->url, "/api/v1/status",
		status->timeout_ms, &status->page_status, &status->page, &err);
	rc = rc ? rc
		: lc_tool_get(&status->tool, status->url, "/readyz", status->timeout_ms,
			  &status->ready_status, &status->ready, &err);
	if (rc != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return rc == LC_ERR_INVALID ? LC_EXIT_USAGE : LC_EXIT_FAILED;
	}
	lc_buf_putc(&status->page, '\0'); /* for strcspn */
	lc_buf_putc(&status->ready, '\0');
	if (status->page.failed || status->ready.failed ||
		lc_json_parser_create(NULL, &status->parser) != LC_OK) {
		fputs("livecore: the answer is too large\n", stderr);
		return LC_EXIT_FAILED;
	}
	status->page.len--;
	status->ready.len--;
	int exit_code = status->json ? print_json(status) : print_table(status);
	return exit_code == LC_EXIT_OK && status->ready_status != 200 ? LC_EXIT_FAILED : exit_code;
}

int lc_command_status(int argc, char **argv)
{
	struct status status = {.tool.process.lenient = true, .timeout_ms = 5000};
	bool all = false;
	const struct lc_option options[] = {
		{"url", LC_OPTION_TEXT, &status.url, "URL",
			"of the livecore (default: http.address of the settings)"},
		{"json", LC_OPTION_FLAG, &status.json, NULL,
			"{\"status\": …, \"ready\": …} on one line"},
		{"all", LC_OPTION_FLAG, &all, NULL,
			"every component with a heartbeat in redis.address, not only this one"},
		{"timeout", LC_OPTION_DURATION, &status.timeout_ms, "TIME",
			"for each answer (default 5s)"},
		LC_PROCESS_OPTIONS(&status.tool.process),
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc > 1) {
		return lc_args_wrong(&usage, "status takes no arguments, not \"%s\"", argv[1]);
	}
	lc_buf_init(&status.page, BODY_MAX);
	lc_buf_init(&status.ready, BODY_MAX);
	rc = lc_tool_open(&status.tool, false);
	if (rc < 0) {
		rc = all ? lc_status_all(&status.tool, status.timeout_ms, status.json)
			 : show(&status);
	}
	lc_json_parser_destroy(status.parser);
	lc_buf_finish(&status.page);
	lc_buf_finish(&status.ready);
	lc_tool_close(&status.tool);
	return rc;
}

/* livecore topics: which topics should exist, which do, and making those that are missing. */
#include "app/commands.h"
#include "app/tool.h"
#include "livecore/topics.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct lc_usage usage = {"topics", "[create]",
	"Lists the topics that these settings need, with what exists. With create, those that are "
	"missing are made with these\n"
	"partition counts, kafka.replication_factor and kafka.retention; what exists is never "
	"changed.\n"
	"Exit code 1 when a topic is missing or Kafka cannot be asked."};

struct listing {
	struct lc_tool tool;
	int64_t timeout_ms;
	bool create, answered;
	int exit_code;
};

static const char *state_text(const struct lc_topic_state *state)
{
	if (state->err.code != LC_OK) {
		return "failed";
	}
	if (state->created) {
		return "created";
	}
	if (state->existing == 0) {
		return "missing";
	}
	return state->existing == state->spec.partitions ? "ok" : "differs";
}

static void print_state(const struct lc_topic_state *state, int width)
{
	char existing[16] = "-";
	if (state->existing > 0) {
		snprintf(existing, sizeof existing, "%d", state->existing);
	}
	printf("%-*s %6d %8s  %s", width, state->spec.name, state->spec.partitions, existing,
		state_text(state));
	if (state->err.code != LC_OK) {
		printf(": %s", state->err.text);
	}
	putchar('\n');
}

static void summarise(struct listing *listing, const struct lc_topics_result *result)
{
	size_t missing = 0, differs = 0;
	for (size_t i = 0; i < result->count; i++) {
		const struct lc_topic_state *state = &result->states[i];
		missing += state->existing == 0 || state->err.code != LC_OK;
		differs += state->existing > 0 && state->existing != state->spec.partitions;
	}
	if (differs > 0) {
		printf("\n%zu with another partition count: that works and is left alone; order "
		       "per symbol holds within one count\n",
			differs);
	}
	if (missing > 0) {
		printf("\n%zu missing: %s\n", missing,
			listing->create ? "see the reasons above"
					: "livecore topics create makes them");
	}
	listing->exit_code = missing > 0 ? LC_EXIT_FAILED : LC_EXIT_OK;
}

static void on_topics(void *arg, const struct lc_topics_result *result)
{
	struct listing *listing = arg;
	listing->answered = true;
	lc_tool_wake(&listing->tool);
	if (result->err.code != LC_OK) {
		struct lc_error err;
		lc_error_set(&err, result->err.code, "Kafka at %.100s could not be asked: %s",
			lc_process_kafka(&listing->tool.process)->brokers, result->err.text);
		listing->exit_code = lc_tool_failed(&err);
		return;
	}
	int width = 5;
	for (size_t i = 0; i < result->count; i++) {
		int len = (int)strlen(result->states[i].spec.name);
		width = len > width ? len : width;
	}
	printf("%-*s %6s %8s  %s\n", width, "topic", "wanted", "existing", "state");
	for (size_t i = 0; i < result->count; i++) {
		print_state(&result->states[i], width);
	}
	summarise(listing, result);
}

static int list(struct listing *listing)
{
	struct lc_process *process = &listing->tool.process;
	struct lc_error err;
	enum lc_err rc = lc_topics_run(process->loop, lc_process_kafka(process),
		lc_process_topics(process), listing->create, listing->timeout_ms, on_topics,
		listing, &err);
	if (rc != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return rc == LC_ERR_INVALID ? LC_EXIT_USAGE : LC_EXIT_FAILED;
	}
	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "asking Kafka at %s …\n", lc_process_kafka(process)->brokers);
	}
	while (!listing->answered && !listing->tool.interrupted) {
		lc_tool_wait(&listing->tool, -1);
	}
	if (!listing->answered) {
		fflush(NULL);
		_exit(130); /* its job cannot be called back, and what it points to lives here */
	}
	return listing->exit_code;
}

int lc_command_topics(int argc, char **argv)
{
	struct listing listing = {.timeout_ms = 15000};
	const struct lc_option options[] = {
		LC_TOOL_OPTIONS(&listing.tool),
		{"timeout", LC_OPTION_DURATION, &listing.timeout_ms, "TIME",
			"how long Kafka may take (default 15s)"},
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	listing.create = argc == 2 && strcmp(argv[1], "create") == 0;
	if (argc > 2 || (argc == 2 && !listing.create)) {
		return lc_args_wrong(
			&usage, "topics takes nothing or \"create\", not \"%s\"", argv[argc - 1]);
	}
	rc = lc_tool_open(&listing.tool, true);
	rc = rc >= 0 ? rc : list(&listing);
	lc_tool_close(&listing.tool);
	return rc;
}

#include "app/check.h"
#include "livecore/file.h"
#include "livecore/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KAFKA_ANSWER_MS 5000 /* one that lives answers in a fraction of it */

void lc_check_report(
	struct check *check, const char *what, bool ok, int64_t started_ns, const char *text)
{
	double ms = (double)(lc_clock_mono_ns() - started_ns) / 1e6;
	printf("%-10s %-6s %8.1f ms  %s\n", what, ok ? "ok" : "FAILED", ms, text);
	fflush(stdout);
	check->failed |= !ok;
}

void lc_check_skip(const char *what, const char *how, const char *why)
{
	printf("%-10s %-6s %11s  %s\n", what, how, "", why);
}

/* --- Kafka --- */

static void on_topics(void *arg, const struct lc_topics_result *result)
{
	struct check *check = arg;
	int64_t started_ns = lc_clock_mono_ns() - result->elapsed_ms * LC_NS_PER_MS;
	char text[512];
	size_t missing = 0;
	check->kafka_waits = false;
	if (result->err.code != LC_OK) {
		lc_check_report(check, "kafka", false, started_ns,
			lc_kafka_explain(result->err.code, result->err.text, text, sizeof text));
	} else {
		for (size_t i = 0; i < result->count; i++) {
			missing += result->states[i].existing == 0;
		}
		snprintf(text, sizeof text,
			"%s answered: %s; cluster %s of %d broker(s), led by %d; client librdkafka "
			"%s; %zu of %zu topics are missing%s",
			result->address, result->server,
			result->cluster[0] ? result->cluster : "without a name",
			(int)result->brokers, (int)result->controller, lc_kafka_library_version(),
			missing, result->count, missing ? ": livecore topics create" : "");
		lc_check_report(check, "kafka", true, started_ns, text);
	}
	lc_check_settled(check);
}

static void try_kafka(struct check *check)
{
	struct lc_error err;
	if (lc_process_kafka(&check->process)->brokers[0] == '\0') {
		lc_check_skip("kafka", "off", "kafka.brokers is not set");
		return;
	}
	check->waiting++;
	check->kafka_waits = true;
	if (lc_topics_run(check->process.loop, lc_process_kafka(&check->process),
		    lc_process_topics(&check->process), false, KAFKA_ANSWER_MS, on_topics, check,
		    &err) != LC_OK) {
		check->waiting--;
		check->kafka_waits = false;
		lc_check_report(check, "kafka", false, lc_clock_mono_ns(), err.text);
	}
}

/* --- the end --- */

static void on_part_closed(void *arg)
{
	struct check *check = arg;
	if (--check->closing == 0) {
		lc_loop_stop(check->process.loop);
	}
}

void lc_check_settled(struct check *check)
{
	check->waiting--;
	if (check->waiting > 0 || check->closing > 0) {
		return;
	}
	for (size_t i = 0; i < check->trial_count; i++) {
		if (check->trials[i].feeder) {
			check->trials[i].impl->destroy(check->trials[i].feeder);
			check->trials[i].feeder = NULL;
		}
	}
	check->closing = 2;
	lc_timer_destroy(check->deadline);
	check->deadline = NULL;
	lc_timer_destroy(check->progress);
	check->progress = NULL;
	lc_ws_hub_destroy(check->ws, on_part_closed, check);
	lc_http_destroy(check->http, on_part_closed, check);
}

/* Who watches a terminal sees what is still out, once a second. */
static void on_progress(void *arg)
{
	const struct check *check = arg;
	fprintf(stderr, "waiting for an answer of:%s", check->kafka_waits ? " kafka" : "");
	for (size_t i = 0; i < check->trial_count; i++) {
		const struct trial *trial = &check->trials[i];
		if (trial->open && !trial->answered) {
			fprintf(stderr, " %s", trial->impl->name);
		}
	}
	fprintf(stderr, " (%d s)\n", (int)((lc_clock_mono_ns() - check->started_ns) / LC_NS_PER_S));
}

static void on_deadline(void *arg)
{
	struct check *check = arg;
	lc_check_vendors_late(check);
}

int lc_check_connect(struct check *check)
{
	struct lc_loop *loop = check->process.loop;
	struct lc_error err;
	enum lc_err rc = lc_ws_hub_create(loop, &check->ws, &err);
	rc = rc ? rc : lc_http_create(loop, NULL, &check->http, &err);
	if (rc == LC_OK &&
		(lc_symbols_create(16, 1, &check->symbols) != LC_OK ||
			lc_timer_create(loop, on_deadline, check, &check->deadline) != LC_OK ||
			lc_timer_create(loop, on_progress, check, &check->progress) != LC_OK)) {
		rc = lc_error_set(&err, LC_ERR_NOMEM, "out of memory");
	}
	if (rc != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	check->waiting++; /* held until all were started */
	lc_timer_start(check->deadline, LC_CHECK_ANSWER_S * 1000, 0);
	check->started_ns = lc_clock_mono_ns();
	if (isatty(STDERR_FILENO)) {
		lc_timer_start(check->progress, 1000, 1000);
		fprintf(stderr, "trying what the settings name, %d s at most\n", LC_CHECK_ANSWER_S);
	}
	try_kafka(check);
	lc_check_vendors(check);
	lc_check_stores(check);
	lc_check_settled(check);
	lc_loop_run(loop);
	lc_redis_destroy(check->redis);
	lc_symbols_destroy(check->symbols);
	lc_file_unlock(check->state_lock);
	return check->failed ? LC_EXIT_FAILED : LC_EXIT_OK;
}

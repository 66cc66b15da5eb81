/* The topics that this process needs. Those that are missing are made (kafka.create_topics), once
 * Kafka answers, so that it takes no time and stopping need not wait for it. Their partition counts
 * are kept in state.dir: order per symbol holds only within one count, so that another one than was
 * seen last, by this process or by one before it, is a warning. */
#include "livecore/file.h"
#include "livecore/topics.h"
#include "manager/manager_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 10000
#define AGAIN_NS (10 * 60 * LC_NS_PER_S)
#define NAME_ROOM 256
#define FILE_BYTES ((size_t)64 * 1024)

struct seen {
	char name[NAME_ROOM];
	long now, before; /* partitions; before is 0 when the topic was never seen */
};

/* One look at the file, in the pool: a line a topic, its name and its count. */
struct comparison {
	struct lc_log *log; /* borrowed */
	char path[600];
	struct seen topics[LC_TOPICS_MAX];
	size_t count;
	struct lc_error err;
};

/* --- the counts --- */

/* A line of the file: what was seen of a topic; those that are not ours now stay. */
static void take_line(
	struct comparison *comparison, const char *line, size_t len, struct lc_buf *others)
{
	size_t name = strcspn(line, " \n");
	for (size_t i = 0; i < comparison->count; i++) {
		struct seen *topic = &comparison->topics[i];
		if (strlen(topic->name) == name && memcmp(topic->name, line, name) == 0) {
			topic->before = strtol(line + name, NULL, 10);
			return;
		}
	}
	lc_buf_append(others, line, len);
	lc_buf_putc(others, '\n');
}

static void write_counts(struct comparison *comparison, struct lc_buf *out)
{
	bool changed = false;
	for (size_t i = 0; i < comparison->count; i++) {
		const struct seen *topic = &comparison->topics[i];
		lc_buf_printf(out, "%s %ld\n", topic->name, topic->now);
		changed |= topic->now != topic->before;
	}
	if (changed && !out->failed) {
		comparison->err.code = lc_file_replace(
			comparison->path, out->data, out->len, &comparison->err);
	}
}

static void work(void *arg)
{
	struct comparison *comparison = arg;
	struct lc_buf out;
	char *text;
	size_t len;
	comparison->err.code = lc_file_read(
		comparison->path, FILE_BYTES, &text, &len, &comparison->err);
	if (comparison->err.code != LC_OK) {
		return;
	}
	lc_buf_init(&out, FILE_BYTES);
	for (const char *line = text ? text : ""; *line;) {
		size_t line_len = strcspn(line, "\n");
		take_line(comparison, line, line_len, &out);
		line += line_len + (line[line_len] == '\n');
	}
	write_counts(comparison, &out);
	lc_buf_finish(&out);
	free(text);
}

static void on_compared(void *arg, bool cancelled)
{
	struct comparison *comparison = arg;
	for (size_t i = 0; i < comparison->count && !cancelled; i++) {
		const struct seen *topic = &comparison->topics[i];
		if (topic->before > 0 && topic->before != topic->now) {
			lc_log(comparison->log, LC_LOG_WARN, "kafka", "partition_count_changed",
				LC_S("topic", topic->name), LC_I("before", topic->before),
				LC_I("now", topic->now),
				LC_S("effect", "order per key holds only within one count"));
		}
	}
	if (comparison->err.code != LC_OK && !cancelled) {
		lc_log(comparison->log, LC_LOG_WARN, "kafka", "partition_counts_not_kept",
			LC_S("error", comparison->err.text));
	}
	free(comparison);
}

static void compare(struct lc_manager *manager, const struct lc_topics_result *result)
{
	struct comparison *comparison = calloc(1, sizeof *comparison);
	if (!comparison) {
		return; /* the next look compares */
	}
	comparison->log = manager->log;
	snprintf(comparison->path, sizeof comparison->path, "%s/topics", manager->state_dir);
	for (size_t i = 0; i < result->count; i++) {
		const struct lc_topic_state *state = &result->states[i];
		if (state->existing > 0) {
			struct seen *topic = &comparison->topics[comparison->count++];
			snprintf(topic->name, sizeof topic->name, "%s", state->spec.name);
			topic->now = state->existing;
		}
	}
	if (lc_loop_job(manager->loop, work, on_compared, comparison) != LC_OK) {
		free(comparison);
	}
}

/* --- asking --- */

static void say_made(struct lc_manager *manager, const struct lc_topic_state *state)
{
	if (state->err.code != LC_OK) {
		manager->topics_made = false; /* Kafka may only have been starting */
	}
	if (state->created || state->err.code != LC_OK) {
		lc_log(manager->log, state->created ? LC_LOG_INFO : LC_LOG_WARN, "kafka",
			state->created ? "topic_created" : "topic_not_created",
			LC_S("topic", state->spec.name), LC_I("partitions", state->spec.partitions),
			LC_S("error", state->err.code != LC_OK ? state->err.text : NULL));
	}
}

static void on_topics(void *arg, const struct lc_topics_result *result)
{
	struct lc_manager *manager = arg;
	manager->topics_running = false;
	if (manager->phase == LC_PHASE_STOPPING) {
		manager->closing--;
		lc_stop_soon(manager);
	}
	if (result->err.code != LC_OK) {
		lc_log(manager->log, LC_LOG_WARN, "kafka", "topics_not_checked",
			LC_S("error", result->err.text));
		manager->topics_made = false; /* when it is reachable again */
		return;
	}
	for (size_t i = 0; manager->kafka.create_topics && i < result->count; i++) {
		say_made(manager, &result->states[i]);
	}
	compare(manager, result);
}

void lc_topic_watch_look(struct lc_manager *manager)
{
	int64_t now_ns = lc_loop_mono_ns(manager->loop);
	bool make = manager->kafka.create_topics && !manager->topics_made;
	bool due = manager->topics_looked_ns == 0 || now_ns - manager->topics_looked_ns > AGAIN_NS;
	struct lc_error err;
	if (!manager->kafka_reachable || manager->topics_running || (!make && !due) ||
		manager->phase == LC_PHASE_STOPPING) {
		return;
	}
	manager->topics_looked_ns = now_ns;
	manager->topics_made |= make;
	manager->topics_running = lc_topics_run(manager->loop, &manager->kafka,
					  lc_config_section(manager->first_config, "topics"), make,
					  ASK_MS, on_topics, manager, &err) == LC_OK;
	if (!manager->topics_running) {
		manager->topics_made = false;
		lc_log(manager->log, LC_LOG_ERROR, "kafka", "topics_not_checked",
			LC_S("error", err.text));
	}
}

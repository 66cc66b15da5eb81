#include "app/timer_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_MAX (64 * 1024)

void lc_timer_rules_path(
	const struct lc_process *process, const struct lc_config *config, char *out, size_t size)
{
	const struct lc_timer_config *timer = lc_config_section(config, "timer");
	const char *slash = strrchr(process->path, '/');
	if (slash && timer->rules[0] && timer->rules[0] != '/') {
		snprintf(out, size, "%.*s%s", (int)(slash - process->path) + 1, process->path,
			timer->rules);
		if (access(out, F_OK) == 0) {
			return;
		}
	}
	snprintf(out, size, "%s", timer->rules);
}

static int say(const char *what, const char *text)
{
	fprintf(stderr, "livecore: %s%s\n", what, text);
	return LC_EXIT_FAILED;
}

static int find_state_dir(struct lc_timer_part *part)
{
	const struct lc_state_config *state = lc_config_section(part->config, "state");
	struct lc_error err;
	return lc_settings_state_dir(state, part->state_dir, sizeof part->state_dir, &err) == LC_OK
		       ? -1
		       : say("", err.text);
}

/* Who we are, and how times are written. */
static int make_context(struct lc_timer_part *part)
{
	const struct lc_node_config *node = lc_config_section(part->config, "node");
	const struct lc_time_config *time = lc_config_section(part->config, "time");
	struct lc_error err;
	char host[LC_MESSAGE_ID_MAX + 1] = "";
	if (node->id[0] == '\0' && (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')) {
		return say("", "this host has no name: set node.id");
	}
	snprintf(part->node_id, sizeof part->node_id, "%s", node->id[0] ? node->id : host);
	snprintf(part->stream, sizeof part->stream, "%016" PRIx64,
		lc_loop_random(part->process->loop));
	if (lc_zone_load(time->naive_zone, &part->naive_zone, &err) != LC_OK) {
		return say("time.naive_zone: ", err.text);
	}
	part->context = (struct lc_message_context){
		.time_format = (enum lc_time_format)time->format,
		.naive_zone = part->naive_zone,
		.node_id = part->node_id,
		.stream = part->stream,
	};
	return -1;
}

static int make_parts(struct lc_timer_part *part, const char *brokers)
{
	const struct lc_calendar_config *calendar = lc_config_section(part->config, "calendar");
	struct lc_error err;
	part->kafka = *(const struct lc_kafka_config *)lc_config_section(part->config, "kafka");
	if (brokers) {
		part->kafka.brokers = (char *)(uintptr_t)brokers; /* only ever read */
	}
	if (lc_calendar_open(calendar->always_open, calendar->dir, NULL, &part->calendar, &err) !=
		LC_OK) {
		return say("calendar: ", err.text);
	}
	int rc = find_state_dir(part);
	return rc >= 0 ? rc : make_context(part);
}

static int create(struct lc_timer_part *part, const char *path)
{
	const struct lc_topics_config *topics = lc_config_section(part->config, "topics");
	const struct lc_task_timer_options options = {
		.kafka = &part->kafka,
		.topic = topics->control,
		.rules = path,
		.state_dir = part->state_dir,
		.context = &part->context,
		.calendar = part->calendar,
	};
	struct lc_buf errors;
	lc_buf_init(&errors, ERRORS_MAX);
	enum lc_err rc = lc_task_timer_create(part->process->loop, &options, &part->timer, &errors);
	fputs(lc_buf_text(&errors), stderr);
	lc_buf_finish(&errors);
	return rc == LC_OK ? -1 : rc == LC_ERR_INVALID ? LC_EXIT_USAGE : LC_EXIT_FAILED;
}

/* --- its heartbeat --- */

static enum lc_heartbeat_state on_beat_state(void *arg)
{
	const struct lc_timer_part *part = arg;
	if (!part->timer || part->stopped) {
		return LC_HEARTBEAT_STOPPING;
	}
	return lc_task_timer_stats(part->timer).kafka_away ? LC_HEARTBEAT_ERROR
							   : LC_HEARTBEAT_RUNNING;
}

static void on_beat_stats(void *arg, struct lc_buf *members)
{
	const struct lc_timer_part *part = arg;
	if (part->timer) {
		struct lc_task_timer_stats stats = lc_task_timer_stats(part->timer);
		lc_buf_printf(members,
			"\"jobs_count\":%zu,\"rules\":%zu,\"waiting\":%zu,\"sent\":%" PRIu64
			",\"failed\":%" PRIu64 ",\"expired\":%" PRIu64 ",\"missed\":%" PRIu64,
			stats.enabled, stats.rules, stats.waiting, stats.sent, stats.failed,
			stats.expired, stats.missed);
	}
}

static void on_beat_twin(void *arg, const struct lc_heartbeat_twin *twin)
{
	const struct lc_timer_part *part = arg;
	timer_presence_twin(part->presence, twin);
}

/* On the system events. */
static int show_presence(struct lc_timer_part *part)
{
	const struct lc_topics_config *topics = lc_config_section(part->config, "topics");
	const struct timer_presence_options options = {
		.kafka = &part->kafka, .events = topics->events, .context = &part->context};
	struct lc_error err;
	enum lc_err rc = timer_presence_create(
		part->process->loop, &options, &part->presence, &err);
	return rc == LC_OK ? -1 : say("", err.text);
}

static int start_beating(struct lc_timer_part *part)
{
	static const struct lc_heartbeat_host host = {
		.state = on_beat_state, .stats = on_beat_stats, .twin = on_beat_twin};
	struct lc_error err;
	enum lc_err rc = lc_heartbeat_create(part->process->loop,
		lc_config_section(part->config, "redis"), "task_timer", &part->context, &host, part,
		&part->heartbeat, &err);
	return rc == LC_OK ? -1 : say("", err.text);
}

int lc_timer_part_start(struct lc_timer_part *part, struct lc_process *process, const char *brokers)
{
	char path[4096];
	struct lc_buf errors;
	part->process = process;
	lc_buf_init(&errors, ERRORS_MAX);
	/* The process's own may be taken over by a manager, which lets it go at its reloads. */
	part->config = lc_process_reload(process, &errors);
	fputs(lc_buf_text(&errors), stderr);
	lc_buf_finish(&errors);
	if (!part->config) {
		return LC_EXIT_USAGE;
	}
	lc_timer_rules_path(process, part->config, path, sizeof path);
	if (path[0] == '\0') {
		lc_timer_part_finish(part);
		return -1;
	}
	int rc = make_parts(part, brokers);
	rc = rc >= 0 ? rc : create(part, path);
	rc = rc >= 0 ? rc : start_beating(part);
	return rc >= 0 ? rc : show_presence(part);
}

enum lc_err lc_timer_part_reload(
	struct lc_timer_part *part, const struct lc_config *fresh, struct lc_buf *errors)
{
	const struct lc_calendar_config *settings = lc_config_section(fresh, "calendar");
	struct lc_calendar *calendar = NULL;
	struct lc_error err;
	char path[4096];
	lc_timer_rules_path(part->process, fresh, path, sizeof path);
	if (!part->timer || path[0] == '\0') {
		return LC_OK;
	}
	enum lc_err rc = lc_calendar_open(
		settings->always_open, settings->dir, NULL, &calendar, &err);
	if (rc != LC_OK) {
		lc_buf_printf(errors, "%s\n", err.text);
		return rc;
	}
	rc = lc_task_timer_reload(part->timer, path, errors);
	if (rc != LC_OK) {
		lc_calendar_destroy(calendar);
		return rc;
	}
	lc_task_timer_calendar(part->timer, calendar);
	lc_calendar_destroy(part->calendar);
	part->calendar = calendar;
	return LC_OK;
}

static void on_absent(void *arg)
{
	struct lc_timer_part *part = arg;
	part->last_beat = false;
	part->stopped(part->arg);
}

static void on_silent(void *arg)
{
	struct lc_timer_part *part = arg;
	struct timer_presence *presence = part->presence;
	part->heartbeat = NULL;
	part->presence = NULL;
	timer_presence_stop(presence, on_absent, part);
}

static void on_stopped(void *arg)
{
	struct lc_timer_part *part = arg;
	part->timer = NULL;
	part->last_beat = true;
	lc_heartbeat_stop(part->heartbeat, on_silent, part);
}

void lc_timer_part_stop(
	struct lc_timer_part *part, int64_t deadline_ms, void (*stopped)(void *arg), void *arg)
{
	part->stopped = stopped;
	part->arg = arg;
	timer_presence_stopping(part->presence);
	if (part->timer) {
		lc_task_timer_stop(part->timer, deadline_ms, on_stopped, part);
	} else if (!part->last_beat) {
		stopped(arg);
	}
}

void lc_timer_part_finish(struct lc_timer_part *part)
{
	lc_calendar_destroy(part->calendar);
	lc_zone_destroy(part->naive_zone);
	lc_config_destroy(part->config);
	part->calendar = NULL;
	part->naive_zone = NULL;
	part->config = NULL;
}

#include "manager/control.h"

#include "livecore/map.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODES_MAX 20000 /* of a bar_snapshot: sorting out more holds the loop */
#define REMEMBERED 1024 /* answers kept, so that a command seen again gets its first answer */

/* What was answered to one request. */
struct answer {
	char id[LC_MESSAGE_TEXT_MAX];
	size_t id_len;
	bool ok;
	char *error, *result; /* owned texts; error NULL when ok, result a JSON object */
};

/* A command that was begun and waits for its answer. */
struct pending {
	bool active;
	char name[LC_MESSAGE_TEXT_MAX], id[LC_MESSAGE_TEXT_MAX];
	size_t name_len, id_len;
	bool has_id;
	char traceparent[LC_TRACEPARENT_LEN + 1];
	int32_t partition;
	int64_t offset;
};

struct lc_control {
	struct lc_control_setup setup;
	struct lc_reader *reader;
	struct lc_decoder *decoder;
	struct lc_map *by_id;               /* id -> struct answer, borrowed from answers */
	struct answer *answers[REMEMBERED]; /* owned; a ring, the oldest is forgotten first */
	size_t next;
	struct lc_buf result;
	struct pending pending;
	uint64_t *done, *failed, *expired, *unreadable;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static void free_answer(struct answer *answer)
{
	if (answer) {
		free(answer->error);
		free(answer->result);
		free(answer);
	}
}

static void publish_answer(struct lc_control *control, const struct lc_control_command *command,
	bool ok, const char *error, const char *result, bool repeated)
{
	char name[LC_MESSAGE_TEXT_MAX + 1], id[LC_MESSAGE_TEXT_MAX + 1];
	snprintf(name, sizeof name, "%.*s", (int)command->name.len, command->name.data);
	snprintf(id, sizeof id, "%.*s", (int)command->id.len,
		command->id.data ? command->id.data : "");
	lc_event(control->setup.outbox, "command_result",
		LC_S("request_id", command->id.data ? id : NULL), LC_S("command", name),
		LC_S("role", "manager"), LC_B("ok", ok), LC_B("repeated", repeated),
		LC_S("error", error), LC_J("result", result));
	lc_log(lc_loop_log(control->setup.loop), ok ? LC_LOG_INFO : LC_LOG_WARN, "control",
		"command", LC_S("command", name), LC_S("request_id", command->id.data ? id : NULL),
		LC_B("ok", ok), LC_S("error", error));
}

/* Remembers an answer under the command's id; without memory, or without an id, the command would
 * simply be done again. */
static void remember(struct lc_control *control, const struct lc_control_command *command, bool ok,
	const char *error, const char *result)
{
	struct answer *answer = command->id.len > 0 ? calloc(1, sizeof *answer) : NULL;
	if (!answer) {
		return;
	}
	answer->id_len = command->id.len < sizeof answer->id ? command->id.len : sizeof answer->id;
	memcpy(answer->id, command->id.data, answer->id_len);
	answer->ok = ok;
	answer->error = error ? strdup(error) : NULL;
	answer->result = strdup(result);
	if (!answer->result ||
		lc_map_put(control->by_id, answer->id, answer->id_len, answer) != LC_OK) {
		free_answer(answer);
		return;
	}
	struct answer **place = &control->answers[control->next++ % REMEMBERED];
	if (*place && lc_map_get(control->by_id, (*place)->id, (*place)->id_len) == *place) {
		lc_map_remove(control->by_id, (*place)->id, (*place)->id_len);
	}
	free_answer(*place);
	*place = answer;
}

static enum lc_err feeder_command(struct lc_control *control,
	const struct lc_control_command *command, bool start, struct lc_error *err)
{
	struct lc_text name;
	if (lc_command_text(command, "feeder", &name) != LC_OK || name.len == 0 || name.len > 32) {
		return lc_error_set(err, LC_ERR_INVALID,
			"params.feeder is missing: name the feeder, for example "
			"{\"feeder\": \"alpaca\"}");
	}
	char text[33];
	snprintf(text, sizeof text, "%.*s", (int)name.len, name.data);
	return control->setup.actions->feeder(
		control->setup.owner, text, start, &control->result, err);
}

static void copy_text(const struct lc_text *text, char out[LC_MESSAGE_TEXT_MAX], size_t *len)
{
	*len = text->len < LC_MESSAGE_TEXT_MAX ? text->len : LC_MESSAGE_TEXT_MAX;
	memcpy(out, text->data ? text->data : "", text->data ? *len : 0);
}

/* Its answer comes later: the command is kept, since the decoder will not, and reading waits. */
static enum lc_err bar_snapshot(
	struct lc_control *control, const struct lc_control_command *command, struct lc_error *err)
{
	const struct lc_text *codes = NULL;
	size_t count = 0;
	enum lc_err rc = lc_command_codes(control->decoder, command, &codes, &count);
	if (rc != LC_OK && rc != LC_ERR_NOT_FOUND) {
		return lc_error_set(err, LC_ERR_INVALID,
			"params.codes is no list of symbols, such as [\"600000.SH\"]");
	}
	if (count > CODES_MAX) {
		return lc_error_set(err, LC_ERR_TOO_LARGE,
			"params.codes names %zu symbols, at most %d are taken: send several "
			"commands",
			count, CODES_MAX);
	}
	rc = control->setup.actions->bar_snapshot(
		control->setup.owner, command, count > 0 ? codes : NULL, count, err);
	if (rc != LC_OK) {
		return rc;
	}
	struct pending *pending = &control->pending;
	pending->active = true;
	pending->has_id = command->id.data != NULL;
	copy_text(&command->name, pending->name, &pending->name_len);
	copy_text(&command->id, pending->id, &pending->id_len);
	memcpy(pending->traceparent, command->traceparent, sizeof pending->traceparent);
	if (control->reader) {
		lc_reader_pause(control->reader);
	}
	return LC_ERR_AGAIN;
}

/* Does a command that is ours. LC_ERR_AGAIN: it was begun. LC_ERR_UNSUPPORTED with an empty text:
 * it is somebody else's. */
static enum lc_err act(
	struct lc_control *control, const struct lc_control_command *command, struct lc_error *err)
{
	const struct lc_control_actions *actions = control->setup.actions;
	err->text[0] = '\0';
	switch (command->command) {
	case LC_COMMAND_HEARTBEAT_TEST:
		return actions->heartbeat(control->setup.owner, &control->result, err);
	case LC_COMMAND_RELOAD:
		return actions->reload(control->setup.owner, &control->result, err);
	case LC_COMMAND_FEEDER_START:
	case LC_COMMAND_FEEDER_STOP:
		return feeder_command(
			control, command, command->command == LC_COMMAND_FEEDER_START, err);
	case LC_COMMAND_BAR_SNAPSHOT:
		return bar_snapshot(control, command, err);
	default:
		return LC_ERR_UNSUPPORTED;
	}
}

static void settle(struct lc_control *control, const struct lc_control_command *command,
	const char *result, const char *error)
{
	++*(error ? control->failed : control->done);
	remember(control, command, !error, error, result);
	publish_answer(control, command, !error, error, result, false);
}

static void perform(struct lc_control *control, const struct lc_control_command *command)
{
	struct lc_error err;
	lc_buf_clear(&control->result);
	enum lc_err rc = act(control, command, &err);
	if (rc == LC_ERR_AGAIN) {
		return;
	}
	if (rc == LC_ERR_UNSUPPORTED && err.text[0] == '\0') {
		if (command->command == LC_COMMAND_UNKNOWN) {
			char name[LC_MESSAGE_TEXT_MAX + 1];
			snprintf(name, sizeof name, "%.*s", (int)command->name.len,
				command->name.data);
			lc_log(lc_loop_log(control->setup.loop), LC_LOG_WARN, "control",
				"unknown_command", LC_S("command", name));
		}
		return;
	}
	const char *result = control->result.failed    ? "{\"truncated\":true}"
			     : control->result.len > 0 ? lc_buf_text(&control->result)
						       : "{}";
	settle(control, command, result, rc == LC_OK ? NULL : err.text);
}

static void commit(struct lc_control *control, int32_t partition, int64_t offset)
{
	if (control->reader) {
		lc_reader_commit(control->reader, partition, offset + 1);
	}
}

void lc_control_answer(struct lc_control *control, const char *result, const char *error)
{
	struct pending *pending = &control->pending;
	assert(pending->active);
	const struct lc_control_command command = {
		.command = LC_COMMAND_BAR_SNAPSHOT,
		.name = {pending->name, pending->name_len},
		.id = {pending->has_id ? pending->id : NULL, pending->id_len},
	};
	pending->active = false;
	lc_outbox_trace(control->setup.outbox, pending->traceparent);
	settle(control, &command, result, error);
	lc_outbox_trace(control->setup.outbox, NULL);
	commit(control, pending->partition, pending->offset);
	if (control->reader) {
		lc_reader_resume(control->reader);
	}
}

static bool is_ours(enum lc_command command)
{
	return command == LC_COMMAND_HEARTBEAT_TEST || command == LC_COMMAND_RELOAD ||
	       command == LC_COMMAND_FEEDER_START || command == LC_COMMAND_FEEDER_STOP ||
	       command == LC_COMMAND_BAR_SNAPSHOT;
}

static void judge(struct lc_control *control, const struct lc_control_command *command)
{
	int64_t oldest_ns = lc_loop_wall_ns(control->setup.loop) -
			    control->setup.max_age_ms * LC_NS_PER_MS;
	const struct answer *before = command->id.len ? lc_map_get(control->by_id, command->id.data,
								command->id.len)
						      : NULL;
	if (is_ours(command->command) && before) {
		publish_answer(control, command, before->ok, before->error, before->result, true);
	} else if (is_ours(command->command) && command->timestamp_ns < oldest_ns) {
		++*control->expired;
		publish_answer(control, command, false, "expired: older than control.max_age",
			"{\"expired\":true}", false);
	} else {
		perform(control, command);
	}
}

void lc_control_handle(struct lc_control *control, const struct lc_reader_message *message)
{
	const struct lc_message_in in = {
		.data = message->value ? message->value : "",
		.len = message->value_len,
		.record_ns = lc_reader_time_ns(message, lc_loop_wall_ns(control->setup.loop)),
		.naive_zone = control->setup.naive_zone,
		.traceparent = message->traceparent,
		.traceparent_len = message->traceparent_len,
	};
	struct lc_control_command command;
	struct lc_error err = {0};
	assert(!control->pending.active);
	if (lc_control_command_decode(control->decoder, &in, &command, &err) != LC_OK) {
		++*control->unreadable;
		lc_log(lc_loop_log(control->setup.loop), LC_LOG_WARN, "control", "unreadable",
			LC_S("topic", message->topic), LC_I("partition", message->partition),
			LC_I("offset", message->offset), LC_S("error", err.text));
	} else {
		if (command.clamped) {
			lc_log(lc_loop_log(control->setup.loop), LC_LOG_WARN, "control",
				"time_ahead", LC_S("topic", message->topic),
				LC_I("partition", message->partition),
				LC_I("offset", message->offset),
				LC_S("note", "more than 5 min after its record: the record's time "
					     "is taken"));
		}
		lc_outbox_trace(control->setup.outbox, command.traceparent);
		judge(control, &command);
		lc_outbox_trace(control->setup.outbox, NULL);
	}
	if (control->pending.active) {
		control->pending.partition = message->partition;
		control->pending.offset = message->offset;
	} else {
		commit(control, message->partition, message->offset);
	}
}

static void on_message(void *arg, const struct lc_reader_message *message)
{
	lc_control_handle(arg, message);
}

static void release(struct lc_control *control)
{
	for (size_t i = 0; i < REMEMBERED; i++) {
		free_answer(control->answers[i]);
	}
	lc_map_destroy(control->by_id, NULL);
	lc_decoder_destroy(control->decoder);
	lc_buf_finish(&control->result);
	free(control);
}

static void on_reader_stopped(void *arg)
{
	struct lc_control *control = arg;
	void (*stopped)(void *) = control->stopped;
	void *stopped_arg = control->stopped_arg;
	release(control);
	stopped(stopped_arg);
}

static void make_counters(struct lc_control *control)
{
	struct lc_metrics *metrics = lc_loop_metrics(control->setup.loop);
	const char *name = "livecore_commands_total", *help = "control commands read, by outcome";
	control->done = lc_metrics_counter(metrics, name, "outcome=\"done\"", help);
	control->failed = lc_metrics_counter(metrics, name, "outcome=\"failed\"", help);
	control->expired = lc_metrics_counter(metrics, name, "outcome=\"expired\"", help);
	control->unreadable = lc_metrics_counter(metrics, name, "outcome=\"unreadable\"", help);
}

enum lc_err lc_control_create(
	const struct lc_control_setup *setup, struct lc_control **out, struct lc_error *err)
{
	struct lc_control *control = calloc(1, sizeof *control);
	if (!control) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	control->setup = *setup;
	lc_buf_init(&control->result, 64 * 1024);
	make_counters(control);
	const struct lc_reader_options options = {.topic = setup->topic,
		.group = setup->group,
		.start = LC_START_COMMITTED_OR_LATEST,
		.budget =
			1, /* one may hold the loop for milliseconds: ticks have their turn between */
		.traces = true};
	const struct lc_reader_handlers handlers = {.message = on_message};
	enum lc_err rc = lc_map_create(lc_loop_random(setup->loop), &control->by_id);
	rc = rc ? rc : lc_decoder_create(&control->decoder);
	if (rc) {
		lc_error_set(err, rc, "out of memory");
	} else if (setup->kafka) {
		rc = lc_reader_create(setup->loop, setup->kafka, &options, &handlers, control,
			&control->reader, err);
	}
	if (rc) {
		release(control);
		return rc;
	}
	*out = control;
	return LC_OK;
}

void lc_control_set_max_age(struct lc_control *control, int64_t max_age_ms)
{
	control->setup.max_age_ms = max_age_ms;
}

void lc_control_stop(struct lc_control *control, void (*done)(void *arg), void *arg)
{
	control->stopped = done;
	control->stopped_arg = arg;
	if (control->reader) {
		lc_reader_stop(control->reader, on_reader_stopped, control);
	} else {
		on_reader_stopped(control);
	}
}

struct lc_reader_stats lc_control_stats(const struct lc_control *control)
{
	return control->reader ? lc_reader_stats(control->reader) : (struct lc_reader_stats){0};
}

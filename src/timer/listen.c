#include "timer/listen.h"

#include "timer/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERRORS_MAX (64 * 1024)

struct timer_listen {
	struct lc_loop *loop;
	struct timer_listen_options options;
	struct lc_decoder *decoder;
	struct lc_reader *reader;
	struct lc_courier *courier; /* for the events topic */
	int closing;
	void (*done)(void *arg);
	void *done_arg;
};

static void on_answered(void *arg, const struct lc_error *err, int32_t partition, int64_t offset)
{
	struct timer_listen *listen = arg;
	(void)partition, (void)offset;
	if (err->code != LC_OK) {
		lc_log(lc_loop_log(listen->loop), LC_LOG_WARN, "timer", "answer_not_sent",
			LC_S("error", err->text));
	}
}

static void answer(
	struct timer_listen *listen, const struct lc_control_command *command, const char *error)
{
	char request[LC_MESSAGE_TEXT_MAX + 1];
	snprintf(request, sizeof request, "%.*s", (int)command->id.len,
		command->id.data ? command->id.data : "");
	const struct lc_field data[] = {LC_S("request_id", command->id.data ? request : NULL),
		LC_S("command", "reload"), LC_S("role", "timer"), LC_B("ok", error == NULL),
		LC_B("repeated", false), LC_S("error", error), LC_J("result", "{}"),
		{.type = LC_FIELD_END}};
	timer_event_send(listen->loop, listen->courier, listen->options.context, "command_result",
		data, command->traceparent, on_answered, listen);
}

static void reload(struct timer_listen *listen, const struct lc_control_command *command)
{
	struct lc_buf errors;
	int64_t age_ns = lc_loop_wall_ns(listen->loop) - command->timestamp_ns;
	if (age_ns > listen->options.max_age_ms * LC_NS_PER_MS) {
		answer(listen, command, "expired: older than control.max_age");
		return;
	}
	lc_buf_init(&errors, ERRORS_MAX);
	enum lc_err rc = listen->options.reload(listen->options.arg, &errors);
	answer(listen, command,
		rc == LC_OK      ? NULL
		: errors.len > 0 ? lc_buf_text(&errors)
				 : lc_err_text(rc));
	lc_buf_finish(&errors);
}

static void on_message(void *arg, const struct lc_reader_message *message)
{
	struct timer_listen *listen = arg;
	const struct lc_message_in in = {
		.data = message->value ? message->value : "",
		.len = message->value_len,
		.record_ns = lc_reader_time_ns(message, lc_loop_wall_ns(listen->loop)),
		.naive_zone = listen->options.context->naive_zone,
		.traceparent = message->traceparent,
		.traceparent_len = message->traceparent_len,
	};
	struct lc_control_command command;
	struct lc_error err;
	/* What cannot be read is told by the managers and workers. */
	if (lc_control_command_decode(listen->decoder, &in, &command, &err) == LC_OK &&
		command.command == LC_COMMAND_RELOAD) {
		reload(listen, &command);
	}
}

/* From here on a command is heard: who sends one at a start waits for this line. */
static void on_caught_up(void *arg)
{
	struct timer_listen *listen = arg;
	lc_log(lc_loop_log(listen->loop), LC_LOG_INFO, "timer", "hears_commands",
		LC_S("topic", listen->options.control));
}

static void end(struct timer_listen *listen)
{
	void (*done)(void *) = listen->done;
	void *arg = listen->done_arg;
	lc_decoder_destroy(listen->decoder);
	free(listen);
	if (done) {
		done(arg);
	}
}

static void on_part_gone(void *arg)
{
	struct timer_listen *listen = arg;
	if (--listen->closing == 0) {
		end(listen);
	}
}

enum lc_err timer_listen_create(struct lc_loop *loop, const struct timer_listen_options *options,
	struct timer_listen **out, struct lc_error *err)
{
	static const struct lc_reader_handlers handlers = {
		.message = on_message, .caught_up = on_caught_up};
	const struct lc_reader_options reader = {
		.topic = options->control, .start = LC_START_LATEST, .traces = true};
	struct timer_listen *listen = calloc(1, sizeof *listen);
	if (!listen || lc_decoder_create(&listen->decoder) != LC_OK) {
		free(listen);
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	listen->loop = loop;
	listen->options = *options;
	enum lc_err rc = lc_courier_create(
		loop, options->kafka, options->events, &listen->courier, err);
	if (rc == LC_OK) {
		rc = lc_reader_create(
			loop, options->kafka, &reader, &handlers, listen, &listen->reader, err);
	}
	if (rc != LC_OK) {
		lc_courier_destroy(listen->courier, NULL, NULL);
		lc_decoder_destroy(listen->decoder);
		free(listen);
		return rc;
	}
	*out = listen;
	return LC_OK;
}

void timer_listen_stop(struct timer_listen *listen, void (*done)(void *arg), void *arg)
{
	listen->done = done;
	listen->done_arg = arg;
	listen->closing = 2;
	lc_reader_stop(listen->reader, on_part_gone, listen);
	lc_courier_destroy(listen->courier, on_part_gone, listen);
}

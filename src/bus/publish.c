#include "livecore/sender.h"

#include "bus_priv.h"

#include <stdlib.h>
#include <string.h>

struct lc_publish {
	struct lc_loop *loop;
	rd_kafka_t *rk;
	struct event_port *port;
	struct lc_timer *deadline; /* librdkafka's own timeout is looked at once a second only */
	lc_publish_cb done;
	void *arg;
	bool ended;
	struct lc_error last; /* what the client last complained of: says more than "timed out" */
};

static void on_taken_down(void *arg)
{
	free(arg);
}

/* Answers once, and takes the client down. */
static void end(
	struct lc_publish *publish, const struct lc_error *err, int32_t partition, int64_t offset)
{
	if (publish->ended) {
		return;
	}
	publish->ended = true;
	lc_timer_destroy(publish->deadline);
	rd_kafka_purge(publish->rk,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	if (publish->done && err) {
		publish->done(publish->arg, err, partition, offset);
	}
	kafka_take_down(publish->loop, publish->rk, publish->port, on_taken_down, publish);
}

static void on_deadline(void *arg)
{
	struct lc_publish *publish = arg;
	struct lc_error err;
	lc_error_set(&err, publish->last.code ? publish->last.code : LC_ERR_TIMEOUT, "%s",
		publish->last.code ? publish->last.text
				   : "Kafka did not acknowledge the message in time");
	end(publish, &err, -1, -1);
}

/* What an event means for the message. */
struct outcome {
	bool known;
	struct lc_error err;
	int32_t partition;
	int64_t offset;
};

static void read_report(const rd_kafka_message_t *message, struct outcome *out)
{
	out->known = true;
	out->partition = message->partition;
	out->offset = message->offset;
	lc_error_set(&out->err, kafka_err(message->err), "%s",
		message->err ? rd_kafka_err2str(message->err) : "");
}

static void read_error(struct lc_publish *publish, rd_kafka_event_t *event, struct outcome *out)
{
	char text[KAFKA_TEXT_MAX];
	kafka_error_text(event, text);
	lc_error_set(&publish->last, kafka_err(rd_kafka_event_error(event)), "%s", text);
	if (rd_kafka_event_error_is_fatal(event)) {
		*out = (struct outcome){true, publish->last, -1, -1};
	}
}

static void read_event(struct lc_publish *publish, rd_kafka_event_t *event, struct outcome *out)
{
	switch (rd_kafka_event_type(event)) {
	case RD_KAFKA_EVENT_DR:
		read_report(rd_kafka_event_message_next(event), out);
		break;
	case RD_KAFKA_EVENT_ERROR:
		read_error(publish, event, out);
		break;
	case RD_KAFKA_EVENT_LOG:
		kafka_log_event(publish->loop, event);
		break;
	default:
		break;
	}
}

static void on_ready(void *arg)
{
	struct lc_publish *publish = arg;
	rd_kafka_queue_t *queue = event_port_queue(publish->port);
	struct outcome outcome = {0};
	rd_kafka_event_t *event;
	while (!outcome.known && (event = rd_kafka_queue_poll(queue, 0))) {
		read_event(publish, event, &outcome);
		rd_kafka_event_destroy(event); /* before the client goes: it points into it */
	}
	if (outcome.known && outcome.err.code == LC_ERR_TIMEOUT) {
		on_deadline(publish);
	} else if (outcome.known) {
		end(publish, &outcome.err, outcome.partition, outcome.offset);
	}
}

static enum lc_err produce(
	struct lc_publish *publish, const struct lc_message *message, struct lc_error *err)
{
	rd_kafka_headers_t *headers = NULL;
	if (message->headers && message->headers->count) {
		headers = rd_kafka_headers_new(message->headers->count);
		for (size_t i = 0; i < message->headers->count; i++) {
			rd_kafka_header_add(headers, message->headers->items[i].key, -1,
				message->headers->items[i].value, -1);
		}
	}
	rd_kafka_vu_t args[6] = {
		{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = message->topic},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_VALUE,
			.u.mem = {(void *)(uintptr_t)message->value, message->value_len}},
		{.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = message->timestamp_ms},
	};
	size_t count = 4;
	if (message->key) {
		args[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY,
			.u.mem = {(void *)(uintptr_t)message->key, message->key_len}};
	}
	if (headers) {
		args[count++] = (rd_kafka_vu_t){
			.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
	}
	rd_kafka_error_t *error = rd_kafka_produceva(publish->rk, args, count);
	if (!error) {
		return LC_OK;
	}
	enum lc_err code = lc_error_set(
		err, kafka_err(rd_kafka_error_code(error)), "%s", rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	if (headers) {
		rd_kafka_headers_destroy(headers);
	}
	return code;
}

static enum lc_err open_client(struct lc_publish *publish, const struct lc_kafka_config *config,
	int64_t timeout_ms, struct lc_error *err)
{
	struct kafka_conf_options options = {.role = KAFKA_PUBLISHER, .timeout_ms = timeout_ms};
	rd_kafka_conf_t *conf;
	enum lc_err code = kafka_conf_build(config, &options, &conf, err);
	if (!code) {
		code = kafka_new(RD_KAFKA_PRODUCER, conf, &publish->rk, err);
	}
	if (code) {
		return code;
	}
	rd_kafka_set_log_queue(publish->rk, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(publish->rk);
	code = event_port_create(publish->loop, queue, on_ready, publish, &publish->port);
	if (code) {
		rd_kafka_queue_destroy(queue);
		kafka_take_down(publish->loop, publish->rk, NULL, NULL, NULL);
		lc_error_set(err, code, "no descriptor or memory for Kafka's events");
	}
	return code;
}

enum lc_err lc_publish_once(struct lc_loop *loop, const struct lc_kafka_config *config,
	const struct lc_message *message, int64_t timeout_ms, lc_publish_cb done, void *arg,
	struct lc_publish **out, struct lc_error *err)
{
	struct lc_publish *publish = calloc(1, sizeof *publish);
	if (!publish) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	publish->loop = loop;
	publish->done = done;
	publish->arg = arg;
	enum lc_err code = lc_timer_create(loop, on_deadline, publish, &publish->deadline);
	if (code) {
		lc_error_set(err, code, "%s", lc_err_text(code));
		goto free_it;
	}
	code = open_client(publish, config, timeout_ms, err);
	if (code) {
		goto destroy_timer;
	}
	code = produce(publish, message, err);
	if (code) {
		end(publish, NULL, -1, -1);
		return code;
	}
	lc_timer_start(publish->deadline, timeout_ms, 0);
	if (out) {
		*out = publish;
	}
	return LC_OK;
destroy_timer:
	lc_timer_destroy(publish->deadline);
free_it:
	free(publish);
	return code;
}

void lc_publish_cancel(struct lc_publish *publish)
{
	if (publish) {
		end(publish, NULL, -1, -1);
	}
}

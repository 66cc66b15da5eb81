#include "producer.h"

#include <stdlib.h>
#include <string.h>

struct producer {
	struct lc_loop *loop;
	rd_kafka_t *rk;
	struct event_port *port;
	const struct lc_topics_config *topics;    /* borrowed */
	rd_kafka_topic_t *handles[LC_TOPICS_OUT]; /* made at first use */
	rd_kafka_event_t *reports; /* a report event whose messages are not all read */
	struct probe *probe;       /* under way, or answered */
	struct kafka_complaint complaint;
	char text[KAFKA_TEXT_MAX]; /* of the last error event: what it is given out with */
	void (*on_ready)(void *arg);
	void *arg;
	void (*done)(void *arg); /* destroying: waits for the probe */
	void *done_arg;
	bool destroying;
};

struct probe {
	struct producer *producer;
	rd_kafka_t *rk;
	int timeout_ms;
	rd_kafka_resp_err_t code;
	bool answered;
};

static const struct {
	const char *text;
	size_t len;
} schemas[LC_SCHEMAS] = {
	[LC_SCHEMA_PRICE_UPDATE] = {"price_update/1", 14},
	[LC_SCHEMA_BAR] = {"bar/1", 5},
	[LC_SCHEMA_SYSTEM_EVENT] = {"system_event/1", 14},
	[LC_SCHEMA_NOTIFICATION] = {"notification/1", 14},
};

/* What no later attempt can mend. Everything else comes back to the sender, which never drops. */
static bool is_final(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
		return true;
	default:
		return false;
	}
}

static rd_kafka_topic_t *handle_of(struct producer *producer, enum lc_topic topic)
{
	if (!producer->handles[topic]) {
		producer->handles[topic] = rd_kafka_topic_new(
			producer->rk, lc_kafka_topic_name(producer->topics, topic), NULL);
	}
	return producer->handles[topic];
}

static uint8_t topic_of(const struct producer *producer, const rd_kafka_topic_t *handle)
{
	uint8_t topic = 0;
	while (topic < LC_TOPICS_OUT - 1 && producer->handles[topic] != handle) {
		topic++;
	}
	return topic;
}

static void fill_report(
	struct producer *producer, const rd_kafka_message_t *message, struct producer_event *out)
{
	rd_kafka_resp_err_t code = message->err;
	*out = (struct producer_event){
		.kind = code == RD_KAFKA_RESP_ERR_NO_ERROR             ? PRODUCER_ACKED
			: code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? PRODUCER_TOO_LARGE
			: is_final(code)                               ? PRODUCER_REFUSED
								       : PRODUCER_RETURNED,
		.record =
			{
				.id = (uint64_t)(uintptr_t)message->_private,
				.key = message->key,
				.value = message->payload,
				.key_len = (uint32_t)message->key_len,
				.value_len = (uint32_t)message->len,
				.topic = topic_of(producer, message->rkt),
			},
		.err = kafka_err(code),
		.why = "",
	};
	if (code) {
		out->why = rd_kafka_err2str(code);
		return;
	}
	kafka_complaint_clear(&producer->complaint);
	int64_t latency_us = rd_kafka_message_latency(message);
	out->latency_ns = latency_us > 0 ? latency_us * 1000 : 0;
}

/* The next message of the report event under way. */
static bool next_report(struct producer *producer, struct producer_event *out)
{
	if (!producer->reports) {
		return false;
	}
	const rd_kafka_message_t *message = rd_kafka_event_message_next(producer->reports);
	if (!message) {
		rd_kafka_event_destroy(producer->reports);
		producer->reports = NULL;
		return false;
	}
	fill_report(producer, message, out);
	return true;
}

static bool fill_error(
	struct producer *producer, rd_kafka_event_t *event, struct producer_event *out)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	kafka_error_text(event, producer->text);
	*out = (struct producer_event){.err = kafka_err(code), .why = producer->text};
	if (code == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_event_error_is_fatal(event)) {
		out->kind = PRODUCER_FATAL;
	} else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		out->kind = PRODUCER_DOWN;
		out->err = kafka_complaint_explain(&producer->complaint, code, &out->why);
	} else {
		if (kafka_complaint_note(&producer->complaint, code, out->why)) {
			lc_log(lc_loop_log(producer->loop), LC_LOG_WARN, "kafka", "client_error",
				LC_S("code", rd_kafka_err2name(code)), LC_S("text", out->why));
		}
		return false;
	}
	return true;
}

static bool next_probe(struct producer *producer, struct producer_event *out)
{
	struct probe *probe = producer->probe;
	if (!probe || !probe->answered) {
		return false;
	}
	*out = (struct producer_event){.kind = PRODUCER_PROBE};
	out->err = kafka_complaint_explain(&producer->complaint, probe->code, &out->why);
	producer->probe = NULL;
	free(probe);
	return true;
}

static void finish(struct producer *producer)
{
	if (producer->reports) {
		rd_kafka_event_destroy(producer->reports);
	}
	for (size_t i = 0; i < LC_TOPICS_OUT; i++) {
		if (producer->handles[i]) {
			rd_kafka_topic_destroy(producer->handles[i]);
		}
	}
	free(producer->probe);
	kafka_take_down(
		producer->loop, producer->rk, producer->port, producer->done, producer->done_arg);
	free(producer);
}

static void work_probe(void *arg)
{
	struct probe *probe = arg;
	const struct rd_kafka_metadata *metadata = NULL;
	probe->code = rd_kafka_metadata(probe->rk, 0, NULL, &metadata, probe->timeout_ms);
	if (!probe->code) {
		rd_kafka_metadata_destroy(metadata);
	}
}

static void on_probed(void *arg, bool cancelled)
{
	struct probe *probe = arg;
	struct producer *producer = probe->producer;
	probe->answered = true;
	if (cancelled) {
		probe->code = RD_KAFKA_RESP_ERR__DESTROY;
	}
	if (producer->destroying) {
		finish(producer);
	} else {
		producer->on_ready(producer->arg);
	}
}

enum lc_err producer_create(struct lc_loop *loop, const struct lc_kafka_config *config,
	const struct lc_topics_config *topics, int64_t batch_bytes, void (*on_ready)(void *arg),
	void *arg, struct producer **out, struct lc_error *err)
{
	struct producer *producer = calloc(1, sizeof *producer);
	if (!producer) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	producer->loop = loop;
	producer->topics = topics;
	producer->on_ready = on_ready;
	producer->arg = arg;
	struct kafka_conf_options options = {.role = KAFKA_SENDER, .batch_bytes = batch_bytes};
	rd_kafka_conf_t *conf;
	enum lc_err code = kafka_conf_build(config, &options, &conf, err);
	if (!code) {
		code = kafka_new(RD_KAFKA_PRODUCER, conf, &producer->rk, err);
	}
	if (code) {
		free(producer);
		return code;
	}
	rd_kafka_set_log_queue(producer->rk, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(producer->rk);
	code = event_port_create(loop, queue, on_ready, arg, &producer->port);
	if (code) {
		rd_kafka_queue_destroy(queue);
		kafka_take_down(loop, producer->rk, NULL, NULL, NULL);
		free(producer);
		return lc_error_set(err, code, "no descriptor or memory for Kafka's events");
	}
	*out = producer;
	return LC_OK;
}

/* The caller owns them until librdkafka has taken the record. Headers given one by one
 * (RD_KAFKA_VTYPE_HEADER) are freed twice by 2.0.2 when a record is refused because of its topic's
 * state. */
static rd_kafka_headers_t *make_headers(const struct lc_record *record)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
	rd_kafka_header_add(headers, "schema", 6, schemas[record->schema].text,
		(ssize_t)schemas[record->schema].len);
	if (record->replayed) {
		rd_kafka_header_add(headers, "replayed", 8, "1", 1);
	}
	if (record->traceparent) {
		rd_kafka_header_add(
			headers, "traceparent", 11, record->traceparent, LC_TRACEPARENT_LEN);
	}
	return headers;
}

enum lc_err producer_send(
	struct producer *producer, const struct lc_record *record, const char **why)
{
	rd_kafka_topic_t *handle = handle_of(producer, record->topic);
	if (!handle) {
		*why = rd_kafka_err2str(rd_kafka_last_error());
		return LC_ERR_REFUSED;
	}
	rd_kafka_headers_t *headers = make_headers(record);
	rd_kafka_vu_t args[] = {
		{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = handle},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = 0},
		{.vtype = RD_KAFKA_VTYPE_KEY,
			.u.mem = {(char *)(uintptr_t)record->key, record->key_len}},
		{.vtype = RD_KAFKA_VTYPE_VALUE,
			.u.mem = {(char *)(uintptr_t)record->value, record->value_len}},
		{.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = record->timestamp_ns / LC_NS_PER_MS},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)record->id},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
	};
	rd_kafka_error_t *error = rd_kafka_produceva(
		producer->rk, args, sizeof args / sizeof *args);
	if (!error) {
		return LC_OK;
	}
	rd_kafka_headers_destroy(headers);
	rd_kafka_resp_err_t code = rd_kafka_error_code(error);
	rd_kafka_error_destroy(error);
	*why = rd_kafka_err2str(code);
	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
		return LC_ERR_AGAIN;
	}
	if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || is_final(code)) {
		return kafka_err(code);
	}
	return LC_ERR_CLOSED;
}

bool producer_poll(struct producer *producer, struct producer_event *out)
{
	if (next_report(producer, out) || next_probe(producer, out)) {
		return true;
	}
	rd_kafka_event_t *event;
	while ((event = rd_kafka_queue_poll(event_port_queue(producer->port), 0))) {
		switch (rd_kafka_event_type(event)) {
		case RD_KAFKA_EVENT_DR:
			producer->reports = event;
			if (next_report(producer, out)) {
				return true;
			}
			continue;
		case RD_KAFKA_EVENT_ERROR:
			if (fill_error(producer, event, out)) {
				rd_kafka_event_destroy(event);
				return true;
			}
			break;
		case RD_KAFKA_EVENT_LOG:
			kafka_log_event(producer->loop, event);
			break;
		default:
			break;
		}
		rd_kafka_event_destroy(event);
	}
	return false;
}

bool producer_probe(struct producer *producer, int64_t timeout_ms)
{
	if (producer->probe) {
		return false;
	}
	struct probe *probe = calloc(1, sizeof *probe);
	if (!probe) {
		return false;
	}
	*probe = (struct probe){
		.producer = producer, .rk = producer->rk, .timeout_ms = (int)timeout_ms};
	if (lc_loop_job(producer->loop, work_probe, on_probed, probe)) {
		free(probe);
		return false;
	}
	producer->probe = probe;
	return true;
}

void producer_purge(struct producer *producer)
{
	rd_kafka_purge(producer->rk,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

size_t producer_outstanding(const struct producer *producer)
{
	int count = rd_kafka_outq_len(producer->rk);
	return count > 0 ? (size_t)count : 0;
}

void producer_kill(struct producer *producer)
{
	rd_kafka_test_fatal_error(
		producer->rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "made by a test");
}

void producer_destroy(struct producer *producer, void (*done)(void *arg), void *arg)
{
	producer->done = done;
	producer->done_arg = arg;
	producer->destroying = true;
	if (!producer->probe || producer->probe->answered) {
		finish(producer);
	}
}

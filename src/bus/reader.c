#include "livecore/reader.h"

#include "bus_priv.h"
#include "reader_lookup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 100
#define STOP_TICK_MS 10
#define BUDGET 200
#define COMMIT_MS 1000
#define STOP_COMMIT_MS 1000
#define RETRY_MS 500 /* between look-ups while the topic is not there */
/* An assignment that takes the place of another stops its fetchers first. librdkafka (2.0 to 2.8)
 * aborts the process when they are stopped a second time meanwhile: by one more, or by the close. */
#define SETTLE_MS 1000

struct partition {
	int64_t next;      /* the offset to read next, or RD_KAFKA_OFFSET_BEGINNING */
	int64_t end;       /* the end as first seen; -1: not yet */
	int64_t done;      /* work is done before this offset; -1: nothing said */
	int64_t committed; /* Kafka knows this much of done */
	bool at_end;       /* has been read to its first end */
};

enum reader_state { STATE_UNKNOWN, STATE_NOT_READING, STATE_READING };

struct lc_reader {
	struct lc_loop *loop;
	const struct lc_kafka_config *config;
	struct lc_reader_handlers handlers;
	void *arg;
	char *topic, *group;
	enum lc_reader_start start;
	struct lc_reader_position *positions;
	size_t position_count;
	int budget;
	bool traces;
	int32_t told; /* the count of the last look-up */
	rd_kafka_t *rk;
	struct event_port *port;
	rd_kafka_queue_t *commit_queue; /* served even when paused */
	struct lc_timer *tick;
	struct partition *partitions;
	int32_t count;
	struct reader_lookup *lookup; /* under way */
	unsigned failures;            /* look-ups in a row */
	int64_t next_lookup_ms, next_commit_ms;
	bool commit_under_way;
	bool assigned, assign_wanted;
	int64_t settled_ms; /* no assignment, and no close, before it */
	enum reader_state state;
	enum lc_err why; /* of not reading */
	struct kafka_complaint complaint;
	bool stopping;
	int64_t stop_at_ms;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct lc_reader_stats stats;
};

static int64_t now_ms(const struct lc_reader *reader)
{
	return lc_loop_mono_ns(reader->loop) / LC_NS_PER_MS;
}

static struct lc_log *log_of(const struct lc_reader *reader)
{
	return lc_loop_log(reader->loop);
}

static void set_state(struct lc_reader *reader, rd_kafka_resp_err_t kafka_code)
{
	const char *text;
	enum lc_err code = kafka_complaint_explain(&reader->complaint, kafka_code, &text);
	if (!code) {
		kafka_complaint_clear(&reader->complaint);
	}
	enum reader_state state = code ? STATE_NOT_READING : STATE_READING;
	if (reader->state == state && reader->why == code) {
		return;
	}
	reader->state = state;
	reader->why = code;
	reader->stats.reading = !code;
	lc_log(log_of(reader), code ? LC_LOG_WARN : LC_LOG_INFO, "kafka",
		code ? "not_reading" : "reading", LC_S("topic", reader->topic),
		LC_I("partitions", reader->count), LC_S("reason", code ? text : "ok"));
	if (reader->handlers.state && !reader->stopping) {
		struct lc_error err = {.code = code};
		lc_error_set(&err, code, "%s", code ? text : "");
		reader->handlers.state(reader->arg, !code, &err);
	}
}

static void check_caught_up(struct lc_reader *reader)
{
	if (reader->stats.caught_up || !reader->count) {
		return;
	}
	for (int32_t i = 0; i < reader->count; i++) {
		if (!reader->partitions[i].at_end) {
			return;
		}
	}
	reader->stats.caught_up = true;
	if (reader->handlers.caught_up && !reader->stopping) {
		reader->handlers.caught_up(reader->arg);
	}
}

static struct partition *partition_of(struct lc_reader *reader, int32_t partition)
{
	return partition >= 0 && partition < reader->count ? &reader->partitions[partition] : NULL;
}

/* Assigns every known partition at its own next offset, if that is wanted and the one before has
 * settled (else the next tick does); what librdkafka had fetched ahead is dropped by it. */
static void assign(struct lc_reader *reader)
{
	if (!reader->assign_wanted || now_ms(reader) < reader->settled_ms) {
		return;
	}
	reader->settled_ms = reader->assigned ? now_ms(reader) + SETTLE_MS : 0;
	reader->assigned = true;
	reader->assign_wanted = false;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(reader->count);
	for (int32_t i = 0; i < reader->count; i++) {
		rd_kafka_topic_partition_list_add(list, reader->topic, i)
			->offset = reader->partitions[i].next;
	}
	rd_kafka_resp_err_t code = rd_kafka_assign(reader->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code) {
		set_state(reader, code);
	}
}

/* Where a partition seen for the first time is read from. */
static struct partition fresh_partition(
	const struct lc_reader *reader, int32_t number, const struct reader_lookup *lookup)
{
	struct partition partition = {
		.next = RD_KAFKA_OFFSET_BEGINNING, .end = -1, .done = -1, .committed = -1};
	if (lookup->ends) {
		partition.end = lookup->ends[number];
		partition.next = lookup->starts[number];
		partition.at_end = partition.next >= partition.end;
	}
	if (lookup->committed) {
		/* Committed even when nothing came: after a restart "nothing is known" must not be
		 * true again. */
		partition.done = partition.next;
		partition.committed = lookup->committed[number] ? partition.next : -1;
	}
	for (size_t i = 0; i < reader->position_count; i++) {
		if (reader->positions[i].partition == number) {
			partition.next = reader->positions[i].offset;
			partition.at_end = false;
			partition.end = -1;
		}
	}
	return partition;
}

static void warn_of_count(struct lc_reader *reader, int32_t before, int32_t count)
{
	lc_log(log_of(reader), LC_LOG_WARN, "kafka", "partition_count_changed",
		LC_S("topic", reader->topic), LC_I("before", before), LC_I("now", count),
		LC_S("effect", "order per key holds only within one count"));
}

static void adopt_partitions(struct lc_reader *reader, const struct reader_lookup *lookup)
{
	if (reader->count && reader->count != lookup->count && reader->told != lookup->count) {
		warn_of_count(reader, reader->count, lookup->count);
	}
	reader->told = lookup->count;
	if (lookup->count <= reader->count) {
		return;
	}
	struct partition *grown = realloc(
		reader->partitions, (size_t)lookup->count * sizeof *grown);
	if (!grown) {
		return; /* the next look-up tries again */
	}
	reader->partitions = grown;
	for (int32_t i = reader->count; i < lookup->count; i++) {
		grown[i] = fresh_partition(reader, i, lookup);
	}
	reader->count = reader->stats.partitions = lookup->count;
	reader->assign_wanted = true;
	assign(reader);
	if (reader->handlers.partitions && !reader->stopping) {
		reader->handlers.partitions(reader->arg, reader->count);
	}
	check_caught_up(reader);
}

static void on_looked_up(void *arg, bool cancelled)
{
	struct reader_lookup *lookup = arg;
	struct lc_reader *reader = lookup->reader;
	reader->lookup = NULL;
	if (!cancelled && !reader->stopping) {
		if (lookup->code) {
			set_state(reader, lookup->code);
		} else {
			adopt_partitions(reader, lookup);
			set_state(reader, RD_KAFKA_RESP_ERR_NO_ERROR);
		}
	}
	reader->failures = lookup->code ? reader->failures + 1 : 0;
	bool settled = reader->count && reader->state == STATE_READING;
	reader->next_lookup_ms = now_ms(reader) +
				 (settled ? reader->config->metadata_ms : RETRY_MS);
	reader_lookup_free(lookup);
}

static void start_lookup(struct lc_reader *reader)
{
	struct reader_lookup *lookup = calloc(1, sizeof *lookup);
	if (!lookup) {
		return;
	}
	*lookup = (struct reader_lookup){
		.reader = reader,
		.rk = reader->rk,
		.topic = reader->topic,
		.timeout_ms = (int)kafka_patience_ms(reader->failures),
		.want_ends = reader->start != LC_START_EARLIEST && !reader->count,
		.want_committed = reader->start == LC_START_COMMITTED_OR_LATEST && reader->group,
	};
	if (lc_loop_job(reader->loop, reader_lookup_work, on_looked_up, lookup)) {
		free(lookup);
		return;
	}
	reader->lookup = lookup;
}

static void note_end(struct lc_reader *reader, struct partition *partition, int32_t number)
{
	if (partition->at_end) {
		return;
	}
	if (partition->end < 0) {
		int64_t low = -1, high = -1;
		rd_kafka_get_watermark_offsets(reader->rk, reader->topic, number, &low, &high);
		partition->end = high;
	}
	partition->at_end = partition->end >= 0 && partition->next >= partition->end;
}

static void take_trace(const rd_kafka_message_t *message, struct lc_reader_message *out)
{
	rd_kafka_headers_t *headers;
	const void *value;
	size_t len;
	if (!rd_kafka_message_headers(message, &headers) &&
		!rd_kafka_header_get_last(headers, "traceparent", &value, &len) && value) {
		out->traceparent = value;
		out->traceparent_len = len;
	}
}

static void on_message(struct lc_reader *reader, const rd_kafka_message_t *message)
{
	struct partition *partition = partition_of(reader, message->partition);
	if (!partition || (partition->next >= 0 && message->offset < partition->next)) {
		return; /* fetched before the last assign */
	}
	partition->next = message->offset + 1;
	note_end(reader, partition, message->partition);
	rd_kafka_timestamp_type_t type;
	int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
	struct lc_reader_message out = {
		.topic = reader->topic,
		.key = message->key,
		.key_len = message->key_len,
		.value = message->payload,
		.value_len = message->len,
		.offset = message->offset,
		.partition = message->partition,
		.timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
	};
	if (reader->traces) {
		take_trace(message, &out);
	}
	reader->stats.messages++;
	reader->stats.bytes += message->len;
	reader->handlers.message(reader->arg, &out);
	check_caught_up(reader);
}

static void on_out_of_range(struct lc_reader *reader, int32_t number, const char *text)
{
	struct partition *partition = partition_of(reader, number);
	if (!partition || partition->next == RD_KAFKA_OFFSET_BEGINNING) {
		return;
	}
	lc_log(log_of(reader), LC_LOG_WARN, "kafka", "offset_out_of_range",
		LC_S("topic", reader->topic), LC_I("partition", number),
		LC_I("asked", partition->next), LC_S("reason", text),
		LC_S("effect", "reading on from the earliest"));
	partition->next = RD_KAFKA_OFFSET_BEGINNING;
	reader->assign_wanted = true; /* at the next tick: others may be out of range too */
}

static void on_error(struct lc_reader *reader, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	rd_kafka_topic_partition_t *place = rd_kafka_event_topic_partition(event);
	struct partition *partition = place ? partition_of(reader, place->partition) : NULL;
	char text[KAFKA_TEXT_MAX];
	kafka_error_text(event, text);
	switch (code) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		if (partition) {
			partition->at_end = true;
			check_caught_up(reader);
		}
		break;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		if (place) {
			on_out_of_range(reader, place->partition, text);
		}
		break;
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		set_state(reader, code);
		reader->next_lookup_ms = 0;
		break;
	default:
		reader->stats.errors++;
		if (kafka_complaint_note(&reader->complaint, code, text)) {
			lc_log(log_of(reader), LC_LOG_WARN, "kafka", "reader_error",
				LC_S("topic", reader->topic), LC_S("code", rd_kafka_err2name(code)),
				LC_S("text", text));
		}
		break;
	}
	if (place) {
		rd_kafka_topic_partition_destroy(place);
	}
}

static void on_event(struct lc_reader *reader, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message;
	switch (rd_kafka_event_type(event)) {
	case RD_KAFKA_EVENT_FETCH:
		while ((message = rd_kafka_event_message_next(event))) {
			on_message(reader, message);
		}
		break;
	case RD_KAFKA_EVENT_ERROR:
		on_error(reader, event);
		break;
	case RD_KAFKA_EVENT_LOG:
		kafka_log_event(reader->loop, event);
		break;
	default:
		break;
	}
}

static void on_ready(void *arg)
{
	struct lc_reader *reader = arg;
	for (int budget = reader->budget; budget; budget--) {
		if (reader->stats.paused || reader->stopping) {
			return;
		}
		rd_kafka_event_t *event = rd_kafka_queue_poll(event_port_queue(reader->port), 0);
		if (!event) {
			return;
		}
		on_event(reader, event);
		rd_kafka_event_destroy(event);
	}
	event_port_again(reader->port);
}

static bool commit_due(const struct lc_reader *reader)
{
	for (int32_t i = 0; i < reader->count; i++) {
		if (reader->partitions[i].done > reader->partitions[i].committed) {
			return true;
		}
	}
	return false;
}

static void send_commit(struct lc_reader *reader)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(reader->count);
	for (int32_t i = 0; i < reader->count; i++) {
		if (reader->partitions[i].done > reader->partitions[i].committed) {
			rd_kafka_topic_partition_list_add(list, reader->topic, i)
				->offset = reader->partitions[i].done;
		}
	}
	reader->commit_under_way = !rd_kafka_commit_queue(
		reader->rk, list, reader->commit_queue, NULL, NULL);
	rd_kafka_topic_partition_list_destroy(list);
	reader->next_commit_ms = now_ms(reader) + COMMIT_MS;
}

static void on_committed(struct lc_reader *reader, rd_kafka_event_t *event)
{
	reader->commit_under_way = false;
	rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	for (int i = 0; list && i < list->cnt; i++) {
		struct partition *partition = partition_of(reader, list->elems[i].partition);
		if (!code && list->elems[i].err) {
			code = list->elems[i].err;
		} else if (!code && partition && list->elems[i].offset > partition->committed) {
			partition->committed = list->elems[i].offset;
		}
	}
	if (!code) {
		reader->stats.commits++;
		return;
	}
	reader->stats.commit_failures++;
	lc_log(log_of(reader), LC_LOG_WARN, "kafka", "commit_failed", LC_S("topic", reader->topic),
		LC_S("group", reader->group), LC_S("reason", rd_kafka_err2str(code)));
}

static void serve_commits(struct lc_reader *reader)
{
	rd_kafka_event_t *event;
	while ((event = rd_kafka_queue_poll(reader->commit_queue, 0))) {
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT) {
			on_committed(reader, event);
		}
		rd_kafka_event_destroy(event);
	}
	bool wanted = reader->stopping || now_ms(reader) >= reader->next_commit_ms;
	if (reader->group && !reader->commit_under_way && wanted && commit_due(reader)) {
		send_commit(reader);
	}
}

static void free_reader(struct lc_reader *reader)
{
	lc_timer_destroy(reader->tick);
	free(reader->partitions);
	free(reader->positions);
	free(reader->topic);
	free(reader->group);
	free(reader);
}

static void on_taken_down(void *arg)
{
	struct lc_reader *reader = arg;
	void (*stopped)(void *) = reader->stopped;
	void *stopped_arg = reader->stopped_arg;
	free_reader(reader);
	if (stopped) {
		stopped(stopped_arg);
	}
}

/* Stopping waits for the look-up (its thread uses the client), and a second at most for the
 * commit. */
static void try_to_end(struct lc_reader *reader)
{
	bool committing = reader->group && (reader->commit_under_way || commit_due(reader));
	if (reader->lookup || now_ms(reader) < reader->settled_ms ||
		(committing && now_ms(reader) < reader->stop_at_ms)) {
		return;
	}
	lc_timer_stop(reader->tick);
	rd_kafka_queue_destroy(reader->commit_queue);
	kafka_take_down(reader->loop, reader->rk, reader->port, on_taken_down, reader);
}

static void on_tick(void *arg)
{
	struct lc_reader *reader = arg;
	serve_commits(reader);
	if (reader->stopping) {
		try_to_end(reader);
		return;
	}
	assign(reader);
	if (!reader->lookup && now_ms(reader) >= reader->next_lookup_ms) {
		start_lookup(reader);
	}
}

static enum lc_err copy_options(struct lc_reader *reader, const struct lc_reader_options *options)
{
	reader->start = options->start;
	reader->budget = options->budget > 0 ? options->budget : BUDGET;
	reader->traces = options->traces;
	reader->position_count = options->position_count;
	reader->topic = strdup(options->topic);
	reader->group = options->group ? strdup(options->group) : NULL;
	reader->positions = calloc(options->position_count + 1, sizeof *reader->positions);
	if (!reader->topic || (options->group && !reader->group) || !reader->positions) {
		return LC_ERR_NOMEM;
	}
	if (options->position_count) {
		memcpy(reader->positions, options->positions,
			options->position_count * sizeof *reader->positions);
	}
	return LC_OK;
}

static enum lc_err open_client(struct lc_reader *reader, struct lc_error *err)
{
	struct kafka_conf_options options = {.role = KAFKA_READER, .group = reader->group};
	rd_kafka_conf_t *conf;
	enum lc_err code = kafka_conf_build(reader->config, &options, &conf, err);
	if (!code) {
		code = kafka_new(RD_KAFKA_CONSUMER, conf, &reader->rk, err);
	}
	if (code) {
		return code;
	}
	rd_kafka_set_log_queue(reader->rk, NULL);
	rd_kafka_poll_set_consumer(reader->rk);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(reader->rk);
	code = event_port_create(reader->loop, queue, on_ready, reader, &reader->port);
	if (code) {
		rd_kafka_queue_destroy(queue);
		kafka_take_down(reader->loop, reader->rk, NULL, NULL, NULL);
		return lc_error_set(err, code, "no descriptor or memory for Kafka's events");
	}
	reader->commit_queue = rd_kafka_queue_new(reader->rk);
	return LC_OK;
}

enum lc_err lc_reader_create(struct lc_loop *loop, const struct lc_kafka_config *config,
	const struct lc_reader_options *options, const struct lc_reader_handlers *handlers,
	void *arg, struct lc_reader **out, struct lc_error *err)
{
	assert(handlers->message);
	struct lc_reader *reader = calloc(1, sizeof *reader);
	if (!reader) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	reader->loop = loop;
	reader->config = config;
	reader->handlers = *handlers;
	reader->arg = arg;
	enum lc_err code = copy_options(reader, options);
	if (!code) {
		code = lc_timer_create(loop, on_tick, reader, &reader->tick);
	}
	if (code) {
		lc_error_set(err, code, "%s", lc_err_text(code));
		goto free_it;
	}
	code = open_client(reader, err);
	if (code) {
		goto free_it;
	}
	lc_timer_start(reader->tick, 1, TICK_MS);
	*out = reader;
	return LC_OK;
free_it:
	free_reader(reader);
	return code;
}

void lc_reader_pause(struct lc_reader *reader)
{
	reader->stats.paused = true;
}

void lc_reader_resume(struct lc_reader *reader)
{
	reader->stats.paused = false;
	event_port_again(reader->port);
}

void lc_reader_commit(struct lc_reader *reader, int32_t partition, int64_t offset)
{
	struct partition *place = partition_of(reader, partition);
	if (place && offset > place->done) {
		place->done = offset;
	}
}

void lc_reader_stop(struct lc_reader *reader, void (*done)(void *arg), void *arg)
{
	assert(!reader->stopping);
	reader->stopping = true;
	reader->stopped = done;
	reader->stopped_arg = arg;
	reader->stop_at_ms = now_ms(reader) + STOP_COMMIT_MS;
	lc_timer_start(reader->tick, 1, STOP_TICK_MS);
}

struct lc_reader_stats lc_reader_stats(const struct lc_reader *reader)
{
	return reader->stats;
}

#include "livecore/topics.h"

#include "bus_priv.h"
#include "kafka_version.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 256
#define ASK_MS 5000 /* one question; a Kafka that is slow and not away answers within it */

struct topics_job {
	rd_kafka_conf_t *conf; /* consumed by the work */
	int64_t replication_factor;
	int64_t timeout_ms;
	int64_t started_ns;
	bool create;
	void (*done)(void *arg, const struct lc_topics_result *result);
	void *arg;
	struct lc_topics_result result;
};

size_t lc_topics_wanted(const struct lc_kafka_config *config, const struct lc_topics_config *topics,
	struct lc_topic_spec out[LC_TOPICS_MAX])
{
	int64_t retention = config->retention_ms;
	size_t n = 0;
	if (config->per_market) {
		out[n++] = (struct lc_topic_spec){topics->market_data_cn, 24, retention};
		out[n++] = (struct lc_topic_spec){topics->market_data_hk, 24, retention};
		out[n++] = (struct lc_topic_spec){topics->market_data_us, 24, retention};
	} else {
		out[n++] = (struct lc_topic_spec){topics->market_data, 24, retention};
	}
	out[n++] = (struct lc_topic_spec){topics->bars, 24, retention};
	/* The sets can always be built again from it. */
	out[n++] = (struct lc_topic_spec){topics->interest, 12, -1};
	out[n++] = (struct lc_topic_spec){topics->control, 3, retention};
	out[n++] = (struct lc_topic_spec){topics->data_update, 24, retention};
	out[n++] = (struct lc_topic_spec){topics->events, 3, retention};
	out[n++] = (struct lc_topic_spec){topics->notifications, 3, retention};
	return n;
}

static int left_ms(const struct topics_job *job)
{
	int64_t left = job->timeout_ms - (lc_clock_mono_ns() - job->started_ns) / LC_NS_PER_MS;
	return left > 1 ? (int)left : 1;
}

static void note_existing(struct lc_topic_state *state, const struct rd_kafka_metadata *metadata)
{
	for (int i = 0; i < metadata->topic_cnt; i++) {
		const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
		if (strcmp(topic->topic, state->spec.name)) {
			continue;
		}
		state->existing = topic->partition_cnt;
		if (topic->err && topic->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
			topic->err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
			lc_error_set(&state->err, kafka_err(topic->err), "%s",
				rd_kafka_err2str(topic->err));
		}
	}
}

/* Takes what the client complained of meanwhile: why there is no answer. */
static void take_complaints(rd_kafka_t *rk, struct kafka_complaint *complaint)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(rk);
	rd_kafka_event_t *event;
	while ((event = rd_kafka_queue_poll(queue, 0))) {
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
			char text[KAFKA_TEXT_MAX];
			kafka_error_text(event, text);
			kafka_complaint_note(complaint, rd_kafka_event_error(event), text);
		}
		rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(queue);
}

/* Of all topics: asking for one by name would make some brokers create it. Ends early when a person
 * has to act: a wrong password does not become right by waiting. */
static bool ask_metadata(
	struct topics_job *job, rd_kafka_t *rk, const struct rd_kafka_metadata **metadata)
{
	struct kafka_complaint complaint = {0};
	rd_kafka_resp_err_t code;
	do {
		int patience = left_ms(job) < ASK_MS ? left_ms(job) : ASK_MS;
		code = rd_kafka_metadata(rk, 1, NULL, metadata, patience);
		if (!code) {
			return true;
		}
		take_complaints(rk, &complaint);
	} while (complaint.code != LC_ERR_AUTH && left_ms(job) > 1);
	const char *text;
	enum lc_err err = kafka_complaint_explain(&complaint, code, &text);
	lc_error_set(&job->result.err, err, "%s", text);
	return false;
}

/* The client's log since it was made: in it is what the broker can do. */
static void read_log(struct topics_job *job, rd_kafka_queue_t *log)
{
	struct kafka_version version = {.produce = -1, .fetch = -1};
	const char *facility, *text;
	rd_kafka_event_t *event;
	int level;
	while ((event = rd_kafka_queue_poll(log, 0))) {
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_LOG &&
			rd_kafka_event_log(event, &facility, &text, &level) == 0) {
			kafka_version_note(&version, text);
		}
		rd_kafka_event_destroy(event);
	}
	kafka_version_text(&version, job->result.server, sizeof job->result.server);
}

static void describe_cluster(struct topics_job *job, rd_kafka_t *rk)
{
	char *cluster = rd_kafka_clusterid(rk, 0);
	snprintf(job->result.cluster, sizeof job->result.cluster, "%s", cluster ? cluster : "");
	job->result.controller = rd_kafka_controllerid(rk, 0);
	if (cluster) {
		rd_kafka_mem_free(rk, cluster);
	}
}

static bool ask(struct topics_job *job, rd_kafka_t *rk)
{
	struct lc_topics_result *result = &job->result;
	const struct rd_kafka_metadata *metadata = NULL;
	if (!ask_metadata(job, rk, &metadata)) {
		return false;
	}
	result->brokers = metadata->broker_cnt;
	if (metadata->broker_cnt) {
		const struct rd_kafka_metadata_broker *broker = &metadata->brokers[0];
		for (int i = 0; i < metadata->broker_cnt; i++) {
			if (metadata->brokers[i].id == metadata->orig_broker_id) {
				broker = &metadata->brokers[i];
			}
		}
		snprintf(result->address, sizeof result->address, "%s:%d", broker->host,
			broker->port);
	}
	for (size_t i = 0; i < result->count; i++) {
		note_existing(&result->states[i], metadata);
	}
	rd_kafka_metadata_destroy(metadata);
	return true;
}

static rd_kafka_NewTopic_t *new_topic(
	const struct topics_job *job, const struct lc_topic_spec *spec)
{
	char text[TEXT_MAX];
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
		spec->name, spec->partitions, (int)job->replication_factor, text, sizeof text);
	if (topic) {
		snprintf(text, sizeof text, "%" PRId64, spec->retention_ms);
		rd_kafka_NewTopic_set_config(topic, "retention.ms", text);
	}
	return topic;
}

static void note_created(struct topics_job *job, rd_kafka_event_t *event)
{
	const rd_kafka_CreateTopics_result_t *created = rd_kafka_event_CreateTopics_result(event);
	size_t count = 0;
	const rd_kafka_topic_result_t **topics = created ? rd_kafka_CreateTopics_result_topics(
								   created, &count)
							 : NULL;
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < job->result.count; j++) {
			struct lc_topic_state *state = &job->result.states[j];
			if (strcmp(rd_kafka_topic_result_name(topics[i]), state->spec.name)) {
				continue;
			}
			rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
			if (!code) {
				state->created = true;
				state->existing = state->spec.partitions;
			} else if (code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
				const char *text = rd_kafka_topic_result_error_string(topics[i]);
				lc_error_set(&state->err, kafka_err(code), "%s",
					text ? text : rd_kafka_err2str(code));
			}
		}
	}
}

static void fail_missing(struct topics_job *job, enum lc_err code, const char *text)
{
	for (size_t i = 0; i < job->result.count; i++) {
		if (!job->result.states[i].existing && !job->result.states[i].err.code) {
			lc_error_set(&job->result.states[i].err, code, "%s", text);
		}
	}
}

static void create_missing(struct topics_job *job, rd_kafka_t *rk)
{
	rd_kafka_NewTopic_t *topics[LC_TOPICS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < job->result.count; i++) {
		struct lc_topic_state *state = &job->result.states[i];
		if (!state->existing && !state->err.code) {
			topics[count] = new_topic(job, &state->spec);
			count += topics[count] != NULL;
		}
	}
	if (!count) {
		return;
	}
	char text[TEXT_MAX];
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(
		rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_AdminOptions_set_request_timeout(options, left_ms(job), text, sizeof text);
	rd_kafka_AdminOptions_set_operation_timeout(options, left_ms(job), text, sizeof text);
	rd_kafka_CreateTopics(rk, topics, count, options, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, left_ms(job) + 1000);
	if (event && !rd_kafka_event_error(event)) {
		note_created(job, event);
	} else {
		rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event)
						 : RD_KAFKA_RESP_ERR__TIMED_OUT;
		fail_missing(job, kafka_err(code), rd_kafka_err2str(code));
	}
	if (event) {
		rd_kafka_event_destroy(event);
	}
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	rd_kafka_NewTopic_destroy_array(topics, count);
}

static void work(void *arg)
{
	struct topics_job *job = arg;
	rd_kafka_t *rk;
	job->started_ns = lc_clock_mono_ns();
	enum lc_err code = kafka_new(RD_KAFKA_PRODUCER, job->conf, &rk, &job->result.err);
	job->conf = NULL;
	if (code) {
		return;
	}
	rd_kafka_queue_t *log = rd_kafka_queue_new(rk);
	rd_kafka_set_log_queue(rk, log);
	bool answered = ask(job, rk);
	if (answered) {
		describe_cluster(job, rk);
		read_log(job, log);
	}
	if (answered && job->create) {
		create_missing(job, rk);
	}
	rd_kafka_set_log_queue(rk, NULL);
	rd_kafka_queue_destroy(log);
	rd_kafka_destroy(rk);
	job->result.elapsed_ms = (lc_clock_mono_ns() - job->started_ns) / LC_NS_PER_MS;
}

static void on_done(void *arg, bool cancelled)
{
	struct topics_job *job = arg;
	if (cancelled) {
		lc_error_set(
			&job->result.err, LC_ERR_CANCELLED, "%s", lc_err_text(LC_ERR_CANCELLED));
		rd_kafka_conf_destroy(job->conf);
	}
	job->done(job->arg, &job->result);
	free(job);
}

enum lc_err lc_topics_run(struct lc_loop *loop, const struct lc_kafka_config *config,
	const struct lc_topics_config *topics, bool create, int64_t timeout_ms,
	void (*done)(void *arg, const struct lc_topics_result *result), void *arg,
	struct lc_error *err)
{
	struct topics_job *job = calloc(1, sizeof *job);
	if (!job) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	struct kafka_conf_options options = {.role = KAFKA_ADMIN};
	enum lc_err code = kafka_conf_build(config, &options, &job->conf, err);
	if (code) {
		free(job);
		return code;
	}
	/* Its log is read here, not shown; for what the broker can do it is the only source. */
	char text[TEXT_MAX];
	rd_kafka_conf_set(job->conf, "debug", "feature", text, sizeof text);
	job->replication_factor = config->replication_factor;
	job->timeout_ms = timeout_ms;
	job->create = create;
	job->done = done;
	job->arg = arg;
	struct lc_topic_spec wanted[LC_TOPICS_MAX];
	job->result.count = lc_topics_wanted(config, topics, wanted);
	for (size_t i = 0; i < job->result.count; i++) {
		job->result.states[i].spec = wanted[i];
	}
	code = lc_loop_job(loop, work, on_done, job);
	if (code) {
		rd_kafka_conf_destroy(job->conf);
		free(job);
		return lc_error_set(err, code, "%s", lc_err_text(code));
	}
	return LC_OK;
}

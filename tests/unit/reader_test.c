#include "bus_fixture.h"

struct scene {
	struct bus bus;
	struct lc_reader *reader;
	struct lc_timer *step;
	uint64_t messages, sum, caught_up, at_caught_up;
	int64_t last_offset[64];
	int32_t partitions;
	int reading; /* -1: nothing said */
	enum lc_err why;
	uint64_t stop_at; /* messages */
	bool commit_all, stop_on_caught_up, stopped;
	int phase;
	char key[32], value[32], traces[5][64]; /* of each message; "-": none */
	int64_t timestamp_ms;
};

static void end_reading(struct scene *scene);

static void on_message(void *arg, const struct lc_reader_message *message)
{
	struct scene *scene = arg;
	cr_assert(!scene->stopped);
	cr_assert_lt(message->partition, 64);
	cr_assert_gt(message->offset + 1, scene->last_offset[message->partition],
		"offset %lld came again", (long long)message->offset);
	scene->last_offset[message->partition] = message->offset + 1;
	char *trace = scene->traces[scene->messages % 5];
	bus_copy(trace, sizeof scene->traces[0], message->traceparent ? message->traceparent : "-",
		message->traceparent ? message->traceparent_len : 1);
	scene->messages++;
	scene->sum += strtoull(message->value, NULL, 10);
	scene->timestamp_ms = message->timestamp_ms;
	bus_copy(scene->key, sizeof scene->key, message->key ? message->key : "none",
		message->key ? message->key_len : 4);
	bus_copy(scene->value, sizeof scene->value, message->value, message->value_len);
	if (scene->commit_all) {
		lc_reader_commit(scene->reader, message->partition, message->offset + 1);
	}
	if (scene->messages == scene->stop_at) {
		end_reading(scene);
	}
}

static void on_caught_up(void *arg)
{
	struct scene *scene = arg;
	scene->caught_up++;
	scene->at_caught_up = scene->messages;
	if (scene->stop_on_caught_up) {
		end_reading(scene);
	}
}

static void on_partitions(void *arg, int32_t count)
{
	struct scene *scene = arg;
	scene->partitions = count;
}

static void on_state(void *arg, bool reading, const struct lc_error *why)
{
	struct scene *scene = arg;
	cr_assert_eq(reading, !why->code);
	scene->reading = reading;
	scene->why = why->code;
}

static void on_stopped(void *arg)
{
	struct scene *scene = arg;
	scene->stopped = true;
	lc_loop_stop(scene->bus.loop);
}

static void end_reading(struct scene *scene)
{
	lc_reader_stop(scene->reader, on_stopped, scene);
}

static void start(struct scene *scene, bool with_broker)
{
	memset(scene, 0, sizeof *scene);
	scene->reading = -1;
	bus_set_up(&scene->bus, with_broker);
}

static void open_reader(struct scene *scene, const struct lc_reader_options *options)
{
	static const struct lc_reader_handlers handlers = {.message = on_message,
		.caught_up = on_caught_up,
		.partitions = on_partitions,
		.state = on_state};
	struct lc_error err;
	cr_assert_eq(lc_reader_create(scene->bus.loop, &scene->bus.kafka, options, &handlers, scene,
			     &scene->reader, &err),
		LC_OK, "%s", err.text);
}

static void every_ms(struct scene *scene, lc_timer_cb cb)
{
	cr_assert_eq(lc_timer_create(scene->bus.loop, cb, scene, &scene->step), LC_OK);
	lc_timer_start(scene->step, 5, 5);
}

static void finish(struct scene *scene)
{
	cr_assert(scene->stopped);
	lc_timer_destroy(scene->step);
	bus_tear_down(&scene->bus);
}

/* Writes the numbers first … first + count - 1, spread over the partitions, and waits until they
 * are there. */
static void fill(struct scene *scene, const char *topic, int partitions, int first, int count)
{
	char text[200];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", scene->bus.address, text, sizeof text);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
	for (int i = first; i < first + count; i++) {
		int len = snprintf(text, sizeof text, "%d", i);
		cr_assert_eq(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
				     RD_KAFKA_V_PARTITION(i % partitions),
				     RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				     RD_KAFKA_V_VALUE(text, (size_t)len), RD_KAFKA_V_KEY("k", 1),
				     RD_KAFKA_V_TIMESTAMP(1700000000001), RD_KAFKA_V_END),
			RD_KAFKA_RESP_ERR_NO_ERROR);
	}
	cr_assert_eq(rd_kafka_flush(rk, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_destroy(rk);
}

Test(reader, reads_everything_then_says_so)
{
	struct scene scene;
	start(&scene, true);
	fill(&scene, "interest", 12, 1, 3000);
	scene.stop_on_caught_up = true;
	open_reader(&scene, &(struct lc_reader_options){.topic = "interest"});
	bus_run(&scene.bus, "not caught up");
	cr_assert_eq(scene.messages, 3000);
	cr_assert_eq(scene.sum, 3000ull * 3001 / 2);
	cr_assert_eq(scene.caught_up, 1);
	cr_assert_eq(scene.partitions, 12);
	cr_assert_eq(scene.reading, 1);
	cr_assert_str_eq(scene.key, "k");
	cr_assert_eq(scene.timestamp_ms, 1700000000001);
	finish(&scene);
}

#define TOO_MANY 100001 /* librdkafka reads no headers of a record that has so many */

static rd_kafka_headers_t *headers_of(int number)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
	rd_kafka_header_add(headers, number ? "other" : "Traceparent", -1, "o", 1);
	if (number == 3) {
		rd_kafka_header_add(headers, "traceparent", -1, NULL, 0);
	} else if (number > 0) {
		rd_kafka_header_add(headers, "traceparent", -1, "a\0b", 3);
	}
	if (number == 2) {
		rd_kafka_header_add(headers, "traceparent", -1, "last", 4);
	}
	for (int i = 2; number == 4 && i < TOO_MANY; i++) {
		rd_kafka_header_add(headers, "", 0, "", 0);
	}
	return headers;
}

/* A message without the header, one with it, one that has it twice, one where it is NULL, and one
 * with too many. */
static void send_traces(struct scene *scene)
{
	char text[200];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", scene->bus.address, text, sizeof text);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
	strcpy(text, "1");
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(
			rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("control"), RD_KAFKA_V_PARTITION(0),
				RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(text, 1),
				RD_KAFKA_V_HEADERS(headers_of(i)), RD_KAFKA_V_END),
			RD_KAFKA_RESP_ERR_NO_ERROR);
	}
	cr_assert_eq(rd_kafka_flush(rk, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_destroy(rk);
}

Test(reader, gives_the_traceparent_to_who_wants_it)
{
	for (int traces = 0; traces < 2; traces++) {
		struct scene scene;
		start(&scene, true);
		send_traces(&scene);
		scene.stop_on_caught_up = true;
		open_reader(&scene,
			&(struct lc_reader_options){.topic = "control", .traces = traces == 1});
		bus_run(&scene.bus, "not caught up");
		cr_assert_eq(scene.messages, 5);
		cr_assert_str_eq(scene.traces[0], "-");
		cr_assert_str_eq(scene.traces[1], traces ? "a" : "-");
		cr_assert_str_eq(scene.traces[2], traces ? "last" : "-");
		cr_assert_str_eq(scene.traces[3], "-");
		cr_assert_str_eq(scene.traces[4], "-");
		finish(&scene);
	}
}

Test(reader, an_empty_topic_is_caught_up_at_once)
{
	struct scene scene;
	start(&scene, true);
	scene.stop_on_caught_up = true;
	open_reader(&scene, &(struct lc_reader_options){.topic = "interest"});
	bus_run(&scene.bus, "not caught up");
	cr_assert_eq(scene.messages, 0);
	finish(&scene);
}

static void step_latest(void *arg)
{
	struct scene *scene = arg;
	if (scene->caught_up && scene->phase++ == 0) {
		fill(scene, "control", 3, 1000, 5);
	}
}

Test(reader, latest_skips_what_was_there_and_nothing_after)
{
	struct scene scene;
	start(&scene, true);
	fill(&scene, "control", 3, 1, 100);
	scene.stop_at = 5;
	open_reader(
		&scene, &(struct lc_reader_options){.topic = "control", .start = LC_START_LATEST});
	every_ms(&scene, step_latest);
	bus_run(&scene.bus, "the new messages did not come");
	cr_assert_eq(scene.sum, 1000 + 1001 + 1002 + 1003 + 1004);
	cr_assert_eq(scene.at_caught_up, 0);
	finish(&scene);
}

Test(reader, given_positions_count_and_out_of_range_is_the_earliest)
{
	struct scene scene;
	start(&scene, true);
	fill(&scene, "events", 3, 0, 300);
	/* Partition 0 has offsets 0 … 99. */
	static const struct lc_reader_position positions[] = {{0, 90}, {1, 100}, {2, 5000}};
	scene.stop_at = 10 + 0 + 100;
	open_reader(
		&scene, &(struct lc_reader_options){
				.topic = "events", .positions = positions, .position_count = 3});
	bus_run(&scene.bus, "the messages did not come");
	cr_assert_eq(scene.last_offset[0], 100);
	cr_assert_eq(scene.last_offset[1], 0);
	cr_assert_eq(scene.last_offset[2], 100);
	finish(&scene);
}

/* librdkafka aborts when an assignment takes the place of one that is not settled. */
Test(reader, all_positions_are_out_of_range)
{
	enum { PARTITIONS = 24, EACH = 3 };
	struct scene scene;
	struct lc_reader_position positions[PARTITIONS];
	start(&scene, true);
	fill(&scene, "bars", PARTITIONS, 0, PARTITIONS * EACH);
	for (int i = 0; i < PARTITIONS; i++) {
		positions[i] = (struct lc_reader_position){.partition = i, .offset = 1000 + i};
	}
	scene.stop_at = PARTITIONS * EACH;
	open_reader(&scene,
		&(struct lc_reader_options){
			.topic = "bars", .positions = positions, .position_count = PARTITIONS});
	bus_run(&scene.bus, "the messages did not come");
	finish(&scene);
}

static void step_missing(void *arg)
{
	struct scene *scene = arg;
	if (scene->reading == 0 && scene->phase == 0) {
		cr_assert_eq(scene->why, LC_ERR_NOT_FOUND);
		scene->phase = 1;
		rd_kafka_mock_cluster_t *mock = lc_embedded_broker_mock(scene->bus.broker);
		rd_kafka_mock_topic_set_error(mock, "bars", RD_KAFKA_RESP_ERR_NO_ERROR);
		fill(scene, "bars", 24, 1, 3);
	}
}

Test(reader, a_topic_that_is_missing_is_waited_for)
{
	struct scene scene;
	start(&scene, true);
	rd_kafka_mock_topic_set_error(lc_embedded_broker_mock(scene.bus.broker), "bars",
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	scene.stop_at = 3;
	open_reader(&scene, &(struct lc_reader_options){.topic = "bars"});
	every_ms(&scene, step_missing);
	bus_run(&scene.bus, "the topic was not found");
	cr_assert(scene.phase == 1 && scene.sum == 6);
	finish(&scene);
}

static void step_absent(void *arg)
{
	struct scene *scene = arg;
	if (scene->reading == 0 && scene->phase++ == 0) {
		rd_kafka_mock_broker_set_up(lc_embedded_broker_mock(scene->bus.broker), 1);
	}
}

Test(reader, kafka_that_comes_later_is_found)
{
	struct scene scene;
	start(&scene, true);
	fill(&scene, "control", 3, 1, 10);
	rd_kafka_mock_broker_set_down(lc_embedded_broker_mock(scene.bus.broker), 1);
	scene.stop_on_caught_up = true;
	open_reader(&scene, &(struct lc_reader_options){.topic = "control"});
	every_ms(&scene, step_absent);
	bus_run(&scene.bus, "Kafka was not found");
	cr_assert(scene.messages == 10 && scene.phase >= 1);
	finish(&scene);
}

/* What a group has committed, of all partitions together; -1 for none. */
static int64_t committed(struct scene *scene, const char *group, const char *topic, int partitions)
{
	char text[200];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", scene->bus.address, text, sizeof text);
	rd_kafka_conf_set(conf, "group.id", group, text, sizeof text);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	for (int i = 0; i < partitions; i++) {
		rd_kafka_topic_partition_list_add(list, topic, i);
	}
	cr_assert_eq(rd_kafka_committed(rk, list, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
	int64_t sum = -1;
	for (int i = 0; i < partitions; i++) {
		if (list->elems[i].offset >= 0) {
			sum = (sum < 0 ? 0 : sum) + list->elems[i].offset;
		}
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
	return sum;
}

Test(reader, commits_what_is_done_and_nothing_else)
{
	struct scene scene;
	start(&scene, true);
	fill(&scene, "control", 3, 1, 90);
	scene.stop_on_caught_up = true;
	open_reader(&scene, &(struct lc_reader_options){.topic = "control", .group = "silent"});
	bus_run(&scene.bus, "not caught up");
	cr_assert_eq(committed(&scene, "silent", "control", 3), -1);
	scene.stopped = false;
	scene.messages = 0;
	memset(scene.last_offset, 0, sizeof scene.last_offset);
	scene.commit_all = true;
	open_reader(&scene, &(struct lc_reader_options){.topic = "control", .group = "worker"});
	bus_run(&scene.bus, "not caught up");
	cr_assert_eq(scene.messages, 90);
	cr_assert_eq(committed(&scene, "worker", "control", 3), 90);
	finish(&scene);
}

static void open_again(struct scene *scene)
{
	scene->stopped = false;
	scene->messages = scene->sum = scene->caught_up = 0;
	memset(scene->last_offset, 0, sizeof scene->last_offset);
	open_reader(scene, &(struct lc_reader_options){.topic = "control",
				   .group = "manager",
				   .start = LC_START_COMMITTED_OR_LATEST});
	bus_run(&scene->bus, "not caught up");
}

/* A restart goes on where the last life ended: nothing twice, and nothing left out that came in
 * between. */
Test(reader, what_was_committed_is_where_a_restart_begins)
{
	struct scene scene;
	start(&scene, true);
	fill(&scene, "control", 3, 1, 90);
	scene.stop_on_caught_up = scene.commit_all = true;
	open_again(&scene);
	cr_assert_eq(scene.messages, 0, "nothing is known: the latest");
	cr_assert_eq(committed(&scene, "manager", "control", 3), 90);
	fill(&scene, "control", 3, 1000, 4);
	open_again(&scene);
	cr_assert_eq(scene.sum, 1000 + 1001 + 1002 + 1003);
	open_again(&scene);
	cr_assert_eq(scene.messages, 0);
	cr_assert_eq(committed(&scene, "manager", "control", 3), 94);
	finish(&scene);
}

static void step_pause(void *arg)
{
	struct scene *scene = arg;
	if (scene->phase == 0 && scene->messages) {
		lc_reader_pause(scene->reader);
		scene->at_caught_up = scene->messages;
	} else if (!scene->messages) {
		return;
	}
	cr_assert_eq(scene->messages, scene->at_caught_up, "a paused reader gave a message");
	if (++scene->phase == 20) {
		lc_timer_stop(scene->step);
		lc_reader_resume(scene->reader);
	}
}

Test(reader, a_pause_holds_messages_and_loses_none)
{
	struct scene scene;
	start(&scene, true);
	fill(&scene, "control", 3, 1, 50);
	scene.stop_at = 5000;
	open_reader(&scene, &(struct lc_reader_options){.topic = "control", .budget = 1});
	every_ms(&scene, step_pause);
	/* A budget of one message a turn: the pause falls into the middle. */
	fill(&scene, "control", 3, 51, 4950);
	bus_run(&scene.bus, "the messages did not come");
	cr_assert_eq(scene.sum, 5000ull * 5001 / 2);
	finish(&scene);
}

static void step_outage(void *arg)
{
	struct scene *scene = arg;
	rd_kafka_mock_cluster_t *mock = lc_embedded_broker_mock(scene->bus.broker);
	if (scene->phase == 0 && scene->caught_up) {
		rd_kafka_mock_broker_set_down(mock, 1);
		scene->phase = 1;
	} else if (scene->phase == 1 && scene->reading == 0) {
		rd_kafka_mock_broker_set_up(mock, 1);
		fill(scene, "control", 3, 51, 50);
		scene->phase = 2;
	}
}

Test(reader, an_outage_is_said_and_nothing_is_missing)
{
	struct scene scene;
	start(&scene, true);
	fill(&scene, "control", 3, 1, 50);
	scene.stop_at = 100;
	open_reader(&scene, &(struct lc_reader_options){.topic = "control"});
	every_ms(&scene, step_outage);
	bus_run(&scene.bus, "the messages did not come");
	cr_assert(scene.phase == 2 && scene.sum == 100 * 101 / 2);
	finish(&scene);
}

Test(reader, stops_without_kafka_and_refuses_bad_settings)
{
	struct scene scene;
	start(&scene, false);
	open_reader(&scene, &(struct lc_reader_options){.topic = "control", .group = "g"});
	int64_t before = lc_clock_mono_ns();
	end_reading(&scene);
	bus_run(&scene.bus, "the reader did not stop");
	cr_assert_lt(lc_clock_mono_ns() - before, 15 * LC_NS_PER_S);
	struct lc_error err;
	static const struct lc_reader_handlers handlers = {.message = on_message};
	scene.bus.kafka.brokers = scene.bus.empty;
	cr_assert_eq(lc_reader_create(scene.bus.loop, &scene.bus.kafka,
			     &(struct lc_reader_options){.topic = "t"}, &handlers, &scene,
			     &scene.reader, &err),
		LC_ERR_INVALID);
	finish(&scene);
}

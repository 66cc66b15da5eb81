#include "bus_fixture.h"
#include "trace_of.h"

#define MAX_SEEN 20000

static struct bus_seen *seen; /* of the checker; one process a test */

struct scene {
	/* What the embedded broker took and could not confirm before it went down comes again: it
	 * knows no producer's numbers. A real one does (kafka_kill_test). */
	bool forgetful;
	struct bus bus;
	struct lc_journal *journal;
	struct lc_sender *sender;
	struct lc_timer *step;
	uint64_t unacknowledged, refused, resets;
	enum lc_err refused_err;
	int reachable; /* -1 unknown, 0, 1 */
	uint64_t appended;
	int phase;
	size_t in_flight_max;
	bool stopped;
};

static void on_refused(void *arg, const struct lc_record *record, enum lc_err err, const char *why)
{
	struct scene *scene = arg;
	cr_assert(record->id && record->value_len && *why);
	scene->refused++;
	scene->refused_err = err;
}

static void on_reset(void *arg, const char *why, uint64_t resets)
{
	struct scene *scene = arg;
	cr_assert(*why);
	scene->resets = resets;
}

static void on_reachable(void *arg, bool reachable, const char *why)
{
	struct scene *scene = arg;
	scene->reachable = reachable;
	cr_assert_eq(*why == '\0', reachable);
}

static void on_stopped(void *arg, uint64_t unacknowledged)
{
	struct scene *scene = arg;
	scene->unacknowledged = unacknowledged;
	scene->stopped = true;
	cr_assert_eq(lc_sender_stats(scene->sender).refused, scene->refused);
	if (scene->step) {
		lc_timer_stop(scene->step); /* it looks at the sender, which is gone */
	}
	lc_loop_stop(scene->bus.loop);
}

static void start(struct scene *scene, bool with_broker)
{
	memset(scene, 0, sizeof *scene);
	scene->reachable = -1;
	bus_set_up(&scene->bus, with_broker);
	cr_assert_eq(lc_journal_create(64 << 20, &scene->journal), LC_OK);
}

static void open_sender(struct scene *scene)
{
	static const struct lc_sender_handlers handlers = {
		.refused = on_refused, .producer_reset = on_reset, .reachable = on_reachable};
	struct lc_error err;
	cr_assert_eq(lc_sender_create(scene->bus.loop, scene->journal, &scene->bus.kafka,
			     &scene->bus.topics, &handlers, scene, &scene->sender, &err),
		LC_OK, "%s", err.text);
}

static void finish(struct scene *scene)
{
	cr_assert(scene->stopped);
	lc_timer_destroy(scene->step);
	lc_journal_destroy(scene->journal);
	bus_tear_down(&scene->bus);
	free(seen);
}

/* Appends one record: its key is one of `keys` symbols, its value counts up. */
static void append(struct scene *scene, unsigned keys, enum lc_topic topic)
{
	char key[16], value[32], trace[LC_TRACEPARENT_LEN + 1];
	uint64_t n = scene->appended++;
	int key_len = snprintf(key, sizeof key, "S%u", (unsigned)(n % keys));
	int value_len = snprintf(value, sizeof value, "%llu", (unsigned long long)n);
	struct lc_record record = {.key = key,
		.value = value,
		.key_len = (uint32_t)key_len,
		.value_len = (uint32_t)value_len,
		.timestamp_ns = INT64_C(1700000000123) * LC_NS_PER_MS,
		.traceparent = trace_of(n, trace),
		.topic = topic,
		.schema = LC_SCHEMA_PRICE_UPDATE};
	cr_assert_eq(lc_journal_append(scene->journal, &record), LC_OK);
	if (scene->sender) {
		lc_sender_wake(scene->sender);
	}
}

static void every_ms(struct scene *scene, lc_timer_cb cb)
{
	cr_assert_eq(lc_timer_create(scene->bus.loop, cb, scene, &scene->step), LC_OK);
	lc_timer_start(scene->step, 1, 1);
}

/* Reads the market topic and checks that nothing is missing and that each key's order is kept;
 * repeats are allowed only when marked. Returns the number of repeats. */
static size_t check_complete(struct scene *scene, unsigned keys)
{
	seen = calloc(MAX_SEEN, sizeof *seen);
	size_t count = bus_read_all(scene->bus.address, "market", 24, seen, MAX_SEEN);
	char *found = calloc(scene->appended + 1, 1);
	int64_t *last = calloc(keys, sizeof *last);
	size_t repeats = 0, distinct = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t n = strtoull(seen[i].value, NULL, 10);
		unsigned key = (unsigned)(n % keys);
		cr_assert_lt(n, scene->appended);
		cr_assert_str_eq(seen[i].schema, "price_update/1");
		const char *trace = seen[i].traceparent;
		cr_assert(is_trace_of(n, trace[0] ? trace : NULL), "%s: %s", seen[i].value, trace);
		if (found[n]) {
			cr_assert(seen[i].replayed || scene->forgetful,
				"%s came twice and is not marked", seen[i].value);
			repeats++;
			continue;
		}
		cr_assert_geq((int64_t)n + 1, last[key], "%s came after %lld", seen[i].value,
			(long long)last[key]);
		last[key] = (int64_t)n + 1;
		found[n] = 1;
		distinct++;
	}
	cr_assert_eq(distinct, scene->appended, "%zu of %llu arrived", distinct,
		(unsigned long long)scene->appended);
	free(found);
	free(last);
	return repeats;
}

Test(sender, sends_in_order_with_key_headers_and_time)
{
	struct scene scene;
	start(&scene, true);
	for (int i = 0; i < 3000; i++) {
		append(&scene, 50, LC_TOPIC_MARKET);
	}
	open_sender(&scene);
	lc_sender_stop(scene.sender, 20000, on_stopped, &scene);
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_eq(scene.unacknowledged, 0);
	cr_assert_eq(scene.reachable, 1);
	cr_assert_eq(check_complete(&scene, 50), 0);
	cr_assert_eq(seen[0].timestamp_ms, INT64_C(1700000000123));
	cr_assert_eq(seen[0].key[0], 'S');
	cr_assert_eq(lc_journal_stats(scene.journal).bytes, LC_JOURNAL_SEGMENT);
	finish(&scene);
}

static void step_fatal(void *arg)
{
	struct scene *scene = arg;
	if (scene->appended == 4000) {
		if (scene->resets == 0) {
			return; /* the first one is still being mended */
		}
		lc_sender_inject_fatal(scene->sender);
	}
	for (int i = 0; i < 20 && scene->appended < 6000; i++) {
		append(scene, 40, LC_TOPIC_MARKET);
	}
	if (scene->appended == 2000) {
		lc_sender_inject_fatal(scene->sender);
	}
	if (scene->appended == 6000 && scene->resets == 2 && scene->phase++ == 0) {
		lc_sender_stop(scene->sender, 20000, on_stopped, scene);
	}
}

Test(sender, a_fatal_error_loses_nothing_and_keeps_the_order)
{
	struct scene scene;
	start(&scene, true);
	rd_kafka_mock_broker_set_rtt(lc_embedded_broker_mock(scene.bus.broker), 1, 20);
	open_sender(&scene);
	every_ms(&scene, step_fatal);
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_eq(scene.resets, 2);
	cr_assert_eq(scene.unacknowledged, 0);
	check_complete(&scene, 40);
	finish(&scene);
}

static void step_until_in_flight(void *arg)
{
	struct scene *scene = arg;
	struct lc_sender_stats stats = lc_sender_stats(scene->sender);
	if (stats.in_flight_bytes > scene->in_flight_max) {
		scene->in_flight_max = stats.in_flight_bytes;
	}
	if (stats.acknowledged > 0 && scene->phase++ == 0) {
		lc_sender_stop(scene->sender, 20000, on_stopped, scene);
	}
}

Test(sender, no_more_is_on_its_way_than_allowed)
{
	struct scene scene;
	start(&scene, true);
	scene.bus.kafka.in_flight_bytes = 100 * 1000;
	rd_kafka_mock_broker_set_rtt(lc_embedded_broker_mock(scene.bus.broker), 1, 30);
	for (int i = 0; i < 5000; i++) {
		append(&scene, 10, LC_TOPIC_MARKET);
	}
	open_sender(&scene);
	every_ms(&scene, step_until_in_flight);
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_leq(scene.in_flight_max, 100 * 1000);
	cr_assert_geq(scene.in_flight_max, 90 * 1000);
	cr_assert_eq(scene.unacknowledged, 0);
	cr_assert_eq(check_complete(&scene, 10), 0);
	finish(&scene);
}

/* A broker that goes away and comes back: nothing missing, no repeat, and it is said. */
static void step_outage(void *arg)
{
	struct scene *scene = arg;
	rd_kafka_mock_cluster_t *mock = lc_embedded_broker_mock(scene->bus.broker);
	if (scene->appended < 3000) {
		append(scene, 30, LC_TOPIC_MARKET);
		append(scene, 30, LC_TOPIC_MARKET);
	}
	switch (scene->phase) {
	case 0:
		if (lc_sender_stats(scene->sender).acknowledged > 200) {
			rd_kafka_mock_broker_set_down(mock, 1);
			scene->phase++;
		}
		break;
	case 1:
		if (scene->reachable == 0 && scene->appended == 3000) {
			rd_kafka_mock_broker_set_up(mock, 1);
			scene->phase++;
		}
		break;
	case 2:
		if (scene->reachable == 1) {
			scene->phase++;
			lc_sender_stop(scene->sender, 20000, on_stopped, scene);
		}
		break;
	}
}

Test(sender, an_outage_is_said_and_nothing_is_missing)
{
	struct scene scene;
	start(&scene, true);
	scene.forgetful = true;
	open_sender(&scene);
	every_ms(&scene, step_outage);
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_eq(scene.phase, 3);
	cr_assert_eq(scene.unacknowledged, 0);
	check_complete(&scene, 30);
	finish(&scene);
}

Test(sender, without_kafka_it_stops_at_its_deadline_and_counts)
{
	struct scene scene;
	start(&scene, false);
	for (int i = 0; i < 10; i++) {
		append(&scene, 10, LC_TOPIC_MARKET);
	}
	open_sender(&scene);
	int64_t before = lc_clock_mono_ns();
	lc_sender_stop(scene.sender, 60000, NULL, NULL);
	lc_sender_stop(scene.sender, 200, on_stopped, &scene); /* the shorter one counts */
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_lt(lc_clock_mono_ns() - before, 15 * LC_NS_PER_S);
	cr_assert_eq(scene.unacknowledged, 10);
	cr_assert_neq(scene.reachable, 1);
	finish(&scene);
}

static void on_late_broker(void *arg)
{
	struct scene *scene = arg;
	if (scene->reachable == 1 && scene->phase++ == 0) {
		lc_sender_stop(scene->sender, 20000, on_stopped, scene);
	}
}

static void on_up(void *arg)
{
	struct scene *scene = arg;
	if (scene->reachable == 0) {
		rd_kafka_mock_broker_set_up(lc_embedded_broker_mock(scene->bus.broker), 1);
	}
}

Test(sender, kafka_that_comes_later_is_found)
{
	struct scene scene;
	start(&scene, true);
	rd_kafka_mock_broker_set_down(lc_embedded_broker_mock(scene.bus.broker), 1);
	append(&scene, 1, LC_TOPIC_MARKET);
	open_sender(&scene);
	every_ms(&scene, on_late_broker);
	struct lc_timer *later;
	lc_timer_create(scene.bus.loop, on_up, &scene, &later);
	lc_timer_start(later, 50, 50);
	bus_run(&scene.bus, "the sender did not stop");
	lc_timer_destroy(later);
	cr_assert_eq(scene.unacknowledged, 0);
	check_complete(&scene, 1);
	finish(&scene);
}

static void step_after_refusal(void *arg)
{
	struct scene *scene = arg;
	if (scene->refused && lc_sender_stats(scene->sender).acknowledged < 20) {
		append(scene, 1, LC_TOPIC_EVENTS);
	} else if (scene->refused && scene->phase++ == 0) {
		lc_sender_stop(scene->sender, 20000, on_stopped, scene);
	}
}

Test(sender, what_kafka_refuses_for_good_blocks_nobody)
{
	struct scene scene;
	start(&scene, true);
	rd_kafka_mock_push_request_errors(lc_embedded_broker_mock(scene.bus.broker),
		0 /* Produce */, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	for (int i = 0; i < 50; i++) {
		append(&scene, 1, LC_TOPIC_EVENTS);
	}
	open_sender(&scene);
	every_ms(&scene, step_after_refusal);
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_eq(scene.unacknowledged, 0);
	/* librdkafka refuses by itself, too, until it has asked for the topic again. */
	cr_assert(scene.refused >= 1 && scene.refused < scene.appended);
	cr_assert_eq(scene.refused_err, LC_ERR_AUTH);
	cr_assert_eq(scene.resets, 0);
	seen = calloc(MAX_SEEN, sizeof *seen);
	cr_assert_eq(bus_read_all(scene.bus.address, "events", 3, seen, MAX_SEEN),
		scene.appended - scene.refused);
	finish(&scene);
}

Test(sender, a_batch_that_is_too_large_is_sent_in_smaller_ones)
{
	struct scene scene;
	start(&scene, true);
	/* One request for all: a real broker refuses what follows a gap, the mock does not. */
	scene.bus.kafka.linger_ms = 300;
	/* As a topic with a small max.message.bytes answers: the whole batch is refused. */
	rd_kafka_mock_push_request_errors(lc_embedded_broker_mock(scene.bus.broker),
		0 /* Produce */, 2, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
		RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	for (int i = 0; i < 500; i++) {
		append(&scene, 1, LC_TOPIC_MARKET);
	}
	open_sender(&scene);
	lc_sender_stop(scene.sender, 20000, on_stopped, &scene);
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_eq(scene.refused, 0);
	/* Both refused batches can be on their way at the same time. */
	cr_assert(scene.resets == 1 || scene.resets == 2);
	cr_assert_eq(scene.unacknowledged, 0);
	check_complete(&scene, 1);
	finish(&scene);
}

static char large[400000];

Test(sender, a_record_that_is_too_large_alone_is_refused)
{
	struct scene scene;
	start(&scene, true);
	memset(large, '7', sizeof large);
	rd_kafka_mock_push_request_errors(lc_embedded_broker_mock(scene.bus.broker),
		0 /* Produce */, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	struct lc_record record = {.key = "K",
		.key_len = 1,
		.value = large,
		.value_len = sizeof large,
		.topic = LC_TOPIC_MARKET};
	cr_assert_eq(lc_journal_append(scene.journal, &record), LC_OK);
	cr_assert_eq(lc_journal_append(scene.journal, &record), LC_OK);
	open_sender(&scene);
	lc_sender_stop(scene.sender, 20000, on_stopped, &scene);
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_eq(scene.refused, 1);
	cr_assert_eq(scene.refused_err, LC_ERR_TOO_LARGE);
	cr_assert_eq(scene.resets, 0);
	cr_assert_eq(scene.unacknowledged, 0);
	finish(&scene);
}

/* Errors that go away, and a leader that moves, are librdkafka's to mend: no reset, no repeat, no
 * loss. */
Test(sender, passing_errors_are_retried_in_order)
{
	struct scene scene;
	start(&scene, true);
	rd_kafka_mock_push_request_errors(lc_embedded_broker_mock(scene.bus.broker),
		0 /* Produce */, 5, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT,
		RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
	for (int i = 0; i < 3000; i++) {
		append(&scene, 20, LC_TOPIC_MARKET);
	}
	open_sender(&scene);
	lc_sender_stop(scene.sender, 20000, on_stopped, &scene);
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_eq(scene.unacknowledged, 0);
	cr_assert_eq(scene.resets, 0);
	cr_assert_eq(check_complete(&scene, 20), 0);
	finish(&scene);
}

Test(sender, per_topic_and_partition_as_java_would)
{
	struct scene scene;
	start(&scene, true);
	for (int i = 0; i < 7; i++) {
		append(&scene, 3,
			(enum lc_topic)(
				LC_TOPIC_MARKET + (i == 0 || i == 4 || i == 5 || i == 6 ? i : 0)));
	}
	/* Kafka's own test value: murmur2 of "abc" gives 479470107, so partition 3 of 24. */
	struct lc_record record = {.key = "abc",
		.key_len = 3,
		.value = "x",
		.value_len = 1,
		.topic = LC_TOPIC_MARKET,
		.schema = LC_SCHEMA_BAR};
	cr_assert_eq(lc_journal_append(scene.journal, &record), LC_OK);
	open_sender(&scene);
	lc_sender_stop(scene.sender, 20000, on_stopped, &scene);
	bus_run(&scene.bus, "the sender did not stop");
	cr_assert_eq(scene.unacknowledged, 0);
	seen = calloc(MAX_SEEN, sizeof *seen);
	cr_assert_eq(bus_read_all(scene.bus.address, "bars", 24, seen, MAX_SEEN), 1);
	cr_assert_eq(bus_read_all(scene.bus.address, "notes", 3, seen, MAX_SEEN), 1);
	size_t count = bus_read_all(scene.bus.address, "market", 24, seen, MAX_SEEN);
	cr_assert_eq(count, 5);
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(seen[i].key, "abc")) {
			cr_assert_eq(seen[i].partition, 479470107 % 24);
			cr_assert_str_eq(seen[i].schema, "bar/1");
		}
	}
	finish(&scene);
}

Test(sender, settings_that_librdkafka_refuses_are_an_error)
{
	struct scene scene;
	start(&scene, false);
	char key[] = "acks", value[] = "1";
	struct lc_pair pair = {key, value};
	scene.bus.kafka.properties = (struct lc_pairs){&pair, 1};
	static const struct lc_sender_handlers none;
	struct lc_error err;
	cr_assert_eq(lc_sender_create(scene.bus.loop, scene.journal, &scene.bus.kafka,
			     &scene.bus.topics, &none, NULL, &scene.sender, &err),
		LC_ERR_INVALID);
	cr_assert_not_null(strstr(err.text, "acks"));
	scene.stopped = true;
	finish(&scene);
}

/* One message by itself. */

static void on_published(void *arg, const struct lc_error *err, int32_t partition, int64_t offset)
{
	struct scene *scene = arg;
	scene->refused_err = err->code;
	scene->phase = partition;
	scene->appended = (uint64_t)offset;
	scene->stopped = true;
	cr_assert_eq(*err->text == '\0', !err->code);
	cr_assert_null(strstr(err->text, "(after"), "equal errors have equal texts: %s", err->text);
	lc_loop_stop(scene->bus.loop);
}

Test(publish, one_message_is_acknowledged)
{
	struct scene scene;
	start(&scene, true);
	char name[] = "schema", text[] = "control_command/1";
	struct lc_pair header = {name, text};
	struct lc_pairs headers = {&header, 1};
	struct lc_message message = {.topic = "control",
		.key = "id-1",
		.key_len = 4,
		.value = "{}",
		.value_len = 2,
		.timestamp_ms = 1700000000000,
		.headers = &headers};
	struct lc_error err;
	cr_assert_eq(lc_publish_once(scene.bus.loop, &scene.bus.kafka, &message, 5000, on_published,
			     &scene, NULL, &err),
		LC_OK);
	bus_run(&scene.bus, "no answer");
	cr_assert_eq(scene.refused_err, LC_OK);
	cr_assert(scene.phase >= 0 && scene.phase < 3 && scene.appended == 0);
	seen = calloc(MAX_SEEN, sizeof *seen);
	cr_assert_eq(bus_read_all(scene.bus.address, "control", 3, seen, MAX_SEEN), 1);
	cr_assert_str_eq(seen[0].key, "id-1");
	cr_assert_str_eq(seen[0].value, "{}");
	cr_assert_str_eq(seen[0].schema, "control_command/1");
	cr_assert_eq(seen[0].timestamp_ms, 1700000000000);
	finish(&scene);
}

Test(publish, times_out_and_says_why)
{
	struct scene scene;
	start(&scene, false);
	struct lc_message message = {.topic = "control", .value = "{}", .value_len = 2};
	struct lc_error err;
	struct lc_publish *cancelled;
	cr_assert_eq(lc_publish_once(scene.bus.loop, &scene.bus.kafka, &message, 300, on_published,
			     NULL, &cancelled, &err),
		LC_OK);
	lc_publish_cancel(cancelled); /* its callback would crash */
	cr_assert_eq(lc_publish_once(scene.bus.loop, &scene.bus.kafka, &message, 300, on_published,
			     &scene, NULL, &err),
		LC_OK);
	bus_run(&scene.bus, "no answer");
	cr_assert_eq(scene.refused_err, LC_ERR_CLOSED, "nothing listens, and that is known");
	cr_assert_not_null(strstr(lc_kafka_advice(scene.refused_err), "kafka.brokers"));
	finish(&scene);
}

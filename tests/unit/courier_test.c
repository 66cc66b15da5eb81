#include "livecore/courier.h"

#include "bus_fixture.h"

struct answer {
	struct bus *bus;
	size_t count, stop_at;
	struct lc_error err[8];
	int64_t offset[8];
	struct lc_courier *destroy; /* in the first answer */
};

static void on_answer(void *arg, const struct lc_error *err, int32_t partition, int64_t offset)
{
	struct answer *answer = arg;
	(void)partition;
	answer->err[answer->count] = *err;
	answer->offset[answer->count++] = offset;
	if (answer->destroy) {
		lc_courier_destroy(answer->destroy, NULL, NULL);
		answer->destroy = NULL;
	}
	if (answer->count == answer->stop_at) {
		lc_loop_stop(answer->bus->loop);
	}
}

static void on_gone(void *arg)
{
	lc_loop_stop(arg);
}

static struct lc_courier *create(struct bus *bus)
{
	struct lc_courier *courier = NULL;
	struct lc_error err = {0};
	cr_assert_eq(lc_courier_create(bus->loop, &bus->kafka, "control", &courier, &err), LC_OK,
		"%s", err.text);
	return courier;
}

static void post(
	struct lc_courier *courier, const char *key, int64_t timeout_ms, struct answer *answer)
{
	char *names[] = {strdup("schema"), strdup("control_command/1")};
	struct lc_pair pair = {names[0], names[1]};
	const struct lc_pairs headers = {&pair, 1};
	const struct lc_message message = {.key = key,
		.key_len = strlen(key),
		.value = "{}",
		.value_len = 2,
		.timestamp_ms = 1700000000000,
		.headers = &headers};
	struct lc_error err = {0};
	cr_assert_eq(
		lc_courier_send(courier, &message, timeout_ms, on_answer, answer, &err), LC_OK);
	free(names[0]);
	free(names[1]);
}

static void finish(struct bus *bus, struct lc_courier *courier)
{
	lc_courier_destroy(courier, on_gone, bus->loop);
	bus_run(bus, "the courier does not go");
	bus_tear_down(bus);
}

Test(courier, messages_arrive_whole_and_once)
{
	struct bus bus;
	struct bus_seen seen[8];
	bus_set_up(&bus, true);
	struct lc_courier *courier = create(&bus);
	struct answer answer = {.bus = &bus, .stop_at = 3};
	post(courier, "a", 20000, &answer);
	post(courier, "b", 20000, &answer);
	post(courier, "c", 20000, &answer);
	cr_assert_eq(lc_courier_waiting(courier), 3);
	bus_run(&bus, "no answers");
	cr_assert_eq(lc_courier_waiting(courier), 0);
	size_t count = bus_read_all(bus.address, "control", 3, seen, 8);
	cr_assert_eq(count, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_eq(answer.err[i].code, LC_OK);
		cr_expect_geq(answer.offset[i], 0);
		cr_expect_str_eq(seen[i].value, "{}");
		cr_expect_str_eq(seen[i].schema, "control_command/1");
		cr_expect_eq(seen[i].timestamp_ms, 1700000000000);
	}
	finish(&bus, courier);
}

Test(courier, what_is_over_is_answered_and_never_sent_and_the_rest_goes_when_kafka_is_back)
{
	struct bus bus;
	struct bus_seen seen[8];
	bus_set_up(&bus, true);
	rd_kafka_mock_broker_set_down(lc_embedded_broker_mock(bus.broker), 1);
	struct lc_courier *courier = create(&bus);
	struct answer answer = {.bus = &bus, .stop_at = 1};
	post(courier, "short", 150, &answer);
	post(courier, "long", 20000, &answer);
	bus_run(&bus, "the deadline passed unnoticed");
	cr_assert_eq(answer.err[0].code, LC_ERR_TIMEOUT);
	cr_assert_eq(lc_courier_waiting(courier), 1);
	rd_kafka_mock_broker_set_up(lc_embedded_broker_mock(bus.broker), 1);
	answer.stop_at = 2;
	bus_run(&bus, "the other was forgotten");
	cr_assert_eq(answer.err[1].code, LC_OK, "%s", answer.err[1].text);
	cr_assert_eq(bus_read_all(bus.address, "control", 3, seen, 8), 1);
	cr_assert_str_eq(seen[0].key, "long");
	finish(&bus, courier);
}

static void on_next(void *arg, const struct lc_error *err, int32_t partition, int64_t offset);

/* Sends one short-lived message after the other until one arrives. */
struct stream {
	struct bus *bus;
	struct lc_courier *courier;
	size_t expired;
	bool arrived;
};

static void post_next(struct stream *stream)
{
	const struct lc_message message = {.key = "k", .key_len = 1, .value = "{}", .value_len = 2};
	struct lc_error err;
	cr_assert_eq(lc_courier_send(stream->courier, &message, 40, on_next, stream, &err), LC_OK);
}

static void on_next(void *arg, const struct lc_error *err, int32_t partition, int64_t offset)
{
	struct stream *stream = arg;
	(void)partition, (void)offset;
	stream->expired += err->code != LC_OK;
	stream->arrived |= err->code == LC_OK;
	if (stream->expired == 5) {
		rd_kafka_mock_broker_set_up(lc_embedded_broker_mock(stream->bus->broker), 1);
	}
	if (stream->arrived) {
		lc_loop_stop(stream->bus->loop);
	} else {
		post_next(stream);
	}
}

Test(courier, a_stream_of_short_deadlines_does_not_keep_it_from_connecting)
{
	struct bus bus;
	bus_set_up(&bus, true);
	rd_kafka_mock_broker_set_down(lc_embedded_broker_mock(bus.broker), 1);
	struct stream stream = {.bus = &bus, .courier = create(&bus)};
	post_next(&stream);
	bus_run(&bus, "no message ever arrived");
	cr_assert_geq(stream.expired, 5);
	finish(&bus, stream.courier);
}

Test(courier, it_says_why_kafka_is_away)
{
	struct bus bus;
	bus_set_up(&bus, false);
	struct lc_courier *courier = create(&bus);
	struct answer answer = {.bus = &bus, .stop_at = 1};
	post(courier, "a", 500, &answer);
	bus_run(&bus, "no answer");
	cr_assert(strstr(answer.err[0].text, "refused"), "%s", answer.err[0].text);
	cr_assert(strstr(lc_courier_complaint(courier), "refused"));
	finish(&bus, courier);
}

Test(courier, an_owner_may_destroy_it_in_an_answer)
{
	struct bus bus;
	bus_set_up(&bus, true);
	struct lc_courier *courier = create(&bus);
	struct answer answer = {.bus = &bus, .stop_at = 1, .destroy = courier};
	post(courier, "a", 20000, &answer);
	post(courier, "b", 20000, &answer);
	bus_run(&bus, "no answer");
	cr_assert_eq(answer.count, 1);
	bus_tear_down(&bus);
}

Test(courier, settings_that_librdkafka_refuses_are_told)
{
	struct bus bus;
	struct lc_courier *courier = NULL;
	struct lc_error err = {0};
	char name[] = "security.protocol", value[] = "nonsense";
	struct lc_pair pair = {name, value};
	bus_set_up(&bus, false);
	bus.kafka.properties = (struct lc_pairs){&pair, 1};
	cr_assert_eq(
		lc_courier_create(bus.loop, &bus.kafka, "control", &courier, &err), LC_ERR_INVALID);
	cr_assert(strstr(err.text, "security.protocol"), "%s", err.text);
	bus_tear_down(&bus);
}

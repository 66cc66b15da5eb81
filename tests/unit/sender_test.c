#include "bus_fixture.h"

#define MAX_SEEN 20000

static struct bus_seen *seen; /* of the checker; one process a test */

struct scene {
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
	char key[16], value[32];
	uint64_t n = scene->appended++;
	int key_len = snprintf(key, sizeof key, "S%u", (unsigned)(n % keys));
	int value_len = snprintf(value, sizeof value, "%llu", (unsigned long long)n);
	struct lc_record record = {.key = key,
		.value = value,
		.key_len = (uint32_t)key_len,
		.value_len = (uint32_t)value_len,
		.timestamp_ns = INT64_C(1700000000123) * LC_NS_PER_MS,
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

/* Reads the market topic and checks that nothing is missing and that each key's order is kept; repeats are allowed only when
 * marked. Returns the number of repeats. */
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
		if (found[n]) {
			cr_assert(
				seen[i].replayed, "%s came twice and is not marked", seen[i].value);
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
	for (int i = 0; i < 20 && scene->appended < 6000; i++) {
		append(scene, 40, LC_TOPIC_MARKET);
	}
	if (scene->appended == 2000 || scene->appended == 4000) {
		lc_sender_inject_fatal(scene->sender);
	}
	if (scene->appended == 6000 && scene->phase++ == 0) {
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

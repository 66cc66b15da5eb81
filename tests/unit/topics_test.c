#include "bus_fixture.h"

struct scene {
	struct bus bus;
	struct lc_topics_result result;
	int answers;
};

static void on_topics(void *arg, const struct lc_topics_result *result)
{
	struct scene *scene = arg;
	scene->result = *result;
	scene->answers++;
	lc_loop_stop(scene->bus.loop);
}

static void ask(struct scene *scene, bool create, int64_t timeout_ms)
{
	struct lc_error err;
	cr_assert_eq(lc_topics_run(scene->bus.loop, &scene->bus.kafka, &scene->bus.topics, create,
			     timeout_ms, on_topics, scene, &err),
		LC_OK);
	cr_assert_eq(scene->answers, 0, "the answer must not come from inside the call");
	bus_run(&scene->bus, "no answer about the topics");
	cr_assert_eq(scene->answers, 1);
	scene->answers = 0;
}

static const struct lc_topic_spec *find(
	const struct lc_topic_spec *specs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(specs[i].name, name)) {
			return &specs[i];
		}
	}
	return NULL;
}

Test(topics, what_the_contract_wants)
{
	struct bus bus;
	memset(&bus, 0, sizeof bus);
	bus_settings(&bus);
	struct lc_topic_spec specs[LC_TOPICS_MAX];
	size_t count = lc_topics_wanted(&bus.kafka, &bus.topics, specs);
	cr_assert_eq(count, 7);
	static const struct {
		const char *name;
		int partitions;
	} table[] = {{"market", 24}, {"bars", 24}, {"interest", 12}, {"control", 3}, {"update", 24},
		{"events", 3}, {"notes", 3}};
	for (size_t i = 0; i < 7; i++) {
		const struct lc_topic_spec *spec = find(specs, count, table[i].name);
		cr_assert(spec && spec->partitions == table[i].partitions, "%s", table[i].name);
		cr_assert_eq(spec->retention_ms, strcmp(spec->name, "interest") ? 3600000 : -1);
	}
	bus.kafka.per_market = true;
	count = lc_topics_wanted(&bus.kafka, &bus.topics, specs);
	cr_assert_eq(count, 9);
	cr_assert(
		!find(specs, count, "market") && find(specs, count, "market.hk")->partitions == 24);
}

Test(topics, lists_what_exists)
{
	struct scene scene = {0};
	bus_set_up(&scene.bus, true);
	char other[] = "is.missing";
	scene.bus.topics.notifications = other;
	ask(&scene, false, 5000);
	cr_assert_eq(scene.result.err.code, LC_OK, "%s", scene.result.err.text);
	cr_assert_eq(scene.result.brokers, 1);
	cr_assert_str_eq(scene.result.address, scene.bus.address);
	for (size_t i = 0; i < scene.result.count; i++) {
		const struct lc_topic_state *topic = &scene.result.states[i];
		cr_assert_eq(topic->existing,
			topic->spec.name == other ? 0 : topic->spec.partitions, "%s: %d",
			topic->spec.name, topic->existing);
		cr_assert_eq(topic->err.code, LC_OK);
	}
	bus_tear_down(&scene.bus);
}

Test(topics, the_embedded_broker_cannot_create_and_that_is_said)
{
	struct scene scene = {0};
	bus_set_up(&scene.bus, true);
	char other[] = "is.missing";
	scene.bus.topics.notifications = other;
	ask(&scene, true, 500);
	cr_assert_eq(scene.result.err.code, LC_OK);
	const struct lc_topic_state *missing = &scene.result.states[scene.result.count - 1];
	cr_assert_str_eq(missing->spec.name, other);
	cr_assert(!missing->created && missing->err.code && *missing->err.text);
	bus_tear_down(&scene.bus);
}

Test(topics, without_a_broker_there_is_an_answer_too)
{
	struct scene scene = {0};
	bus_set_up(&scene.bus, false);
	ask(&scene, true, 300);
	cr_assert(scene.result.err.code && *scene.result.err.text);
	struct lc_error err;
	scene.bus.kafka.brokers = scene.bus.empty;
	cr_assert_eq(lc_topics_run(scene.bus.loop, &scene.bus.kafka, &scene.bus.topics, false, 100,
			     on_topics, &scene, &err),
		LC_ERR_INVALID);
	cr_assert_not_null(strstr(err.text, "kafka.brokers"));
	bus_tear_down(&scene.bus);
}

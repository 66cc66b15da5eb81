#include "manager/settings.h"

#include "livecore/feeder.h"
#include "livecore/kafka.h"
#include "manager/routes.h"
#include "manager/setting_checks.h"
#include "manager/supervisor.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lc_config *load(const char *file, const char *const *sets, struct lc_buf *errors)
{
	struct lc_config *config = NULL;
	size_t count;
	const struct lc_section *const *sections = lc_settings_sections(&count);
	const struct lc_config_sources sources = {.file = file, .sets = sets};
	lc_buf_clear(errors);
	lc_config_load(sections, count, &sources, &config, errors);
	return config;
}

static void expect_route(
	const struct lc_routing_config *routing, const char *symbol, bool fushu, const char *want)
{
	uint8_t sources[LC_ROUTE_SOURCES];
	size_t count = lc_route_sources(routing, symbol, fushu, sources);
	const char *got = count > 0 ? lc_feeders[sources[0]]->name : NULL;
	cr_assert((got == NULL) == (want == NULL) && (!want || strcmp(got, want) == 0),
		"%s goes to %s, not %s", symbol, got ? got : "nobody", want ? want : "nobody");
}

Test(settings, the_default_routes)
{
	struct lc_routing_config routing = {0};
	for (int fushu = 0; fushu <= 1; fushu++) {
		expect_route(&routing, "600000.SH", fushu, "eastmoney");
		expect_route(&routing, "000001.SZ", fushu, "eastmoney");
		expect_route(&routing, "920047.BJ", fushu, "eastmoney");
		expect_route(&routing, "00700.HK", fushu, fushu ? "fushu" : "eastmoney");
		expect_route(&routing, "AAPL", fushu, "alpaca");
		expect_route(&routing, "BRK.B", fushu, "alpaca");
		expect_route(&routing, "FAKEPACA", fushu, "alpaca");
	}
}

Test(settings, the_first_pattern_that_matches_decides)
{
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	const char *const sets[] = {
		"routing.routes=600000.SH=none,6*.SH=eastmoney,00700.HK=alpaca,*.HK=fushu", NULL};
	struct lc_config *config = load(NULL, sets, &errors);
	cr_assert(config, "%s", lc_buf_text(&errors));
	const struct lc_routing_config *routing = lc_config_section(config, "routing");
	expect_route(routing, "600000.SH", true, NULL);
	expect_route(routing, "600001.SH", true, "eastmoney");
	expect_route(routing, "00700.HK", false, "alpaca");
	expect_route(routing, "00005.HK", false, "fushu");
	expect_route(routing, "AAPL", true, NULL);
	lc_config_destroy(config);
	lc_buf_finish(&errors);
}

Test(settings, routes_and_feeders_are_checked)
{
	static const char *const bad[] = {"routing.routes=*.SH", "routing.routes==eastmoney",
		"routing.routes=*.SH=bloomberg", "routing.feeders=alpaca,reuters",
		"routing.routes=*.SH=", "time.naive_zone=Mars/Olympus", "supervisor.backoff_min=0",
		"symbols.max=0", "queue.policy=forget", "supervisor.connect_rate=0"};
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *const sets[] = {bad[i], NULL};
		cr_assert_null(load(NULL, sets, &errors), "%s", bad[i]);
		cr_assert(errors.len > 0);
	}
	char pattern[200] = "routing.routes=";
	memset(pattern + strlen(pattern), '*', 100);
	strcat(pattern, "=alpaca");
	const char *const sets[] = {pattern, NULL};
	cr_assert_null(load(NULL, sets, &errors), "a pattern longer than any that can match");
	lc_buf_finish(&errors);
}

Test(settings, every_section_has_a_name_of_its_own)
{
	size_t count, again;
	const struct lc_section *const *sections = lc_settings_sections(&count);
	cr_assert_eq(lc_settings_sections(&again), sections);
	cr_assert_eq(count, again);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			cr_assert_str_neq(sections[i]->name, sections[j]->name);
		}
		for (size_t k = 0; k < sections[i]->count; k++) {
			cr_assert(sections[i]->settings[k].help && *sections[i]->settings[k].help,
				"%s.%s", sections[i]->name, sections[i]->settings[k].key);
		}
	}
	static const char *const expected[] = {"node", "log", "time", "http", "state", "symbols",
		"routing", "queue", "interest", "control", "shutdown", "calendar", "supervisor",
		"kafka", "topics"};
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	struct lc_config *config = load(NULL, NULL, &errors);
	cr_assert(config, "%s", lc_buf_text(&errors));
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		cr_assert(lc_config_section(config, expected[i]), "%s", expected[i]);
	}
	for (size_t i = 0; lc_feeders[i]; i++) {
		cr_assert(
			lc_config_section(config, lc_feeders[i]->name), "%s", lc_feeders[i]->name);
	}
	lc_config_destroy(config);
	lc_buf_finish(&errors);
}

static void write_file(const char *path, struct lc_buf *text)
{
	FILE *file = fopen(path, "w");
	cr_assert(file);
	fputs(lc_buf_text(text), file);
	fclose(file);
}

static void on_difference(void *arg, const struct lc_config_change *change)
{
	(void)arg;
	cr_assert_fail(
		"%s.%s: %s is not %s", change->section, change->key, change->after, change->before);
}

Test(settings, the_reference_file_is_the_defaults)
{
	char path[] = "/tmp/lc_settings_test_XXXXXX";
	struct lc_buf text, errors;
	size_t count;
	const struct lc_section *const *sections = lc_settings_sections(&count);
	lc_buf_init(&text, 1 << 20);
	lc_buf_init(&errors, 64 * 1024);
	lc_config_reference_yaml(sections, count, &text);
	cr_assert_not(text.failed);
	close(mkstemp(path));
	write_file(path, &text);
	struct lc_config *defaults = load(NULL, NULL, &errors),
			 *reference = load(path, NULL, &errors);
	cr_assert(reference, "%s", lc_buf_text(&errors));
	lc_config_diff(defaults, reference, on_difference, NULL);
	lc_config_destroy(defaults);
	lc_config_destroy(reference);
	lc_buf_finish(&text);
	lc_buf_finish(&errors);
	unlink(path);
}

Test(settings, the_supervisors_defaults_are_the_contracts)
{
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	struct lc_config *config = load(NULL, NULL, &errors);
	const struct lc_supervisor_config *supervisor = lc_config_section(config, "supervisor");
	cr_assert_eq(supervisor->backoff_min, 500);
	cr_assert_eq(supervisor->backoff_max, 60000);
	cr_assert_eq(supervisor->healthy, 60000);
	cr_assert_eq(supervisor->alert_after, 5);
	cr_assert_eq(
		((const struct lc_queue_config *)lc_config_section(config, "queue"))->size, 10000);
	cr_assert_eq(
		((const struct lc_control_config *)lc_config_section(config, "control"))->max_age,
		600000);
	cr_assert_eq(
		((const struct lc_shutdown_config *)lc_config_section(config, "shutdown"))->timeout,
		30000);
	lc_config_destroy(config);
	lc_buf_finish(&errors);
}

static const struct {
	const char *set;
	bool valid;
} checked[] = {
	{"log.level=loud", false},
	{"log.level=info,loud", false},
	{"log.level=info,feeder=loud", false},
	{"log.level=info,feder=debug", false},
	{"log.level=info,=debug", false},
	{"log.level=warn", true},
	{"log.level=info,feeder=debug,kafka=off", true},
	{"http.address=foo", false},
	{"http.address=127.0.0.1", false},
	{"http.address=127.0.0.1:", false},
	{"http.address=127.0.0.1:+80", false},
	{"http.address=127.0.0.1:65536", false},
	{"http.address=99.1.1.1.1:80", false},
	{"http.address=localhost:80", false}, /* names are not looked up at the start */
	{"http.address=127.0.0.1:0", true},
	{"http.address=[::1]:8080", true},
	{"http.address=:8080", true},
	{"node.id=a b", false},
	{"node.id=a\nb", false},
	{"node.id=md-01.example", true},
	{"kafka.brokers=a b:9092", false},
	{"kafka.brokers=a:99999", false},
	{"kafka.brokers=a:9092,,b:9092", false},
	{"kafka.brokers=a:9092,b:x", false},
	{"kafka.brokers=ws://a:9092/x", false},
	{"kafka.brokers=:9092", false},
	{"kafka.brokers=a:0", false},
	{"kafka.brokers=a", true},
	{"kafka.brokers=a:9092, b:9093 ,[::1]:9094", true},
	{"kafka.brokers=SSL://a:9093", true},
};

/* A mistyped level or address is found by check, not at the next start. */
Test(settings, values_are_checked_beyond_their_type)
{
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	for (size_t i = 0; i < sizeof checked / sizeof *checked; i++) {
		const char *const sets[] = {checked[i].set, NULL};
		struct lc_config *config = load(NULL, sets, &errors);
		cr_assert_eq(config != NULL, checked[i].valid, "%s: %s", checked[i].set,
			lc_buf_text(&errors));
		lc_config_destroy(config);
	}
	lc_buf_finish(&errors);
}

static const struct {
	const char *const sets[4];
	const char *said; /* "": nothing is wrong */
} together[] = {
	{{"kafka.brokers=a:1"}, ""},
	{{"interest.store=redis"}, "--set: interest.store: is redis: set redis.address\n"},
	{{"interest.store=redis", "redis.address=a:1"}, ""},
	{{"kafka.buffer=8MB"},
		"--set: kafka.buffer: is smaller than kafka.in_flight: what is on its way stays in "
		"the buffer\n"},
	{{"kafka.in_flight=128MB"},
		"--set: kafka.buffer: is smaller than kafka.in_flight: what is on its way stays in "
		"the buffer\n"},
	{{"topics.control=mine", "topics.interest=mine"},
		"--set: topics.control: is the same topic as topics.interest\n"},
	{{"topics.bars=ginkgo.live.control.commands"},
		"--set: topics.control: is the same topic as topics.bars\n"},
	{{"topics.events=mine", "topics.notifications=mine"}, ""}, /* both go out */
	{{"supervisor.backoff_min=2m"},
		"--set: supervisor.backoff_min: is longer than supervisor.backoff_max\n"},
	{{"failover.quarantine=2h", "failover.quarantine_max=2h"}, ""},
	{{"failover.quarantine_max=1s"},
		"--set: failover.quarantine: is longer than failover.quarantine_max\n"},
};

/* What one setting needs of another, said where the one that was set stands. */
Test(settings, values_are_checked_together)
{
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	for (size_t i = 0; i < sizeof together / sizeof *together; i++) {
		struct lc_config *config = load(NULL, together[i].sets, &errors);
		cr_assert(config, "%s", lc_buf_text(&errors));
		lc_settings_check_together(config, &errors);
		cr_assert_str_eq(lc_buf_text(&errors), together[i].said);
		lc_config_destroy(config);
	}
	lc_buf_finish(&errors);
}

#include "manager_fixture.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/* A manager that follows, with a broker and readers. */
static void begin(struct rig *rig)
{
	rig_broker(rig);
	rig_readers(rig);
	rig_start(rig);
	RIG_UNTIL(rig, rig_ready(rig));
}

/* Does a line of market data about this symbol hold this text? */
static bool priced(struct rig *rig, const char *symbol, const char *text)
{
	const char *line = lc_buf_text(&rig->seen);
	while (*line) {
		size_t len = strcspn(line, "\n");
		const char *at = strstr(line, text);
		if (strncmp(line, symbol, strlen(symbol)) == 0 && line[strlen(symbol)] == ' ' &&
			at && at < line + len) {
			return true;
		}
		line += len + (line[len] == '\n');
	}
	return false;
}

Test(manager, a_tick_goes_from_the_vendor_to_kafka)
{
	struct rig rig;
	rig_open(&rig);
	begin(&rig);
	rig_interest(&rig, "p1", "add", "\"00700.HK\",\"00005.HK\",\"nonsense\"");
	RIG_UNTIL(&rig, priced(&rig, "00700.HK", "\"kind\":\"snapshot\"") &&
				priced(&rig, "00005.HK", ".5,"));
	const char *line = strstr(lc_buf_text(&rig.seen), "00700.HK ") + strlen("00700.HK ");
	static const char *const fields[] = {"\"symbol\":\"00700.HK\"", "\"timestamp\":\"",
		"\"price\":", "\"volume\":", "\"amount\":", "\"source\":\"fushu\"",
		"\"market\":\"hk\"", "\"received_at\":\"", "\"stream\":\"", "\"seq\":1,",
		"\"conflated\":0", "\"trace_id\":null"};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		const char *at = strstr(line, fields[i]);
		cr_assert(at && at < line + strcspn(line, "\n"), "%s is missing: %.500s", fields[i],
			line);
	}
	RIG_UNTIL(&rig, rig_has(&rig.said, "\"interest_rejected\""));
	cr_assert(rig_has(&rig.said, "{\"symbol\":\"nonsense\",\"reason\":\"invalid_symbol\"}"));
	cr_assert(rig_has(&rig.said, "\"type\":\"started\""));
	rig_stop(&rig);
	cr_assert_eq(rig.exit_code, 0);
	cr_assert_eq(rig.totals.unacknowledged, 0);
	cr_assert_eq(rig.totals.published, rig.totals.acknowledged);
	cr_assert_gt(rig.totals.prices, 1);
	RIG_UNTIL(&rig, rig_has(&rig.said, "\"type\":\"stopping\""));
	rig_close(&rig);
}

Test(manager, portfolios_share_a_symbol_and_one_leaves)
{
	struct rig rig;
	rig_open(&rig);
	begin(&rig);
	rig_interest(&rig, "p1", "replace", "\"00700.HK\"");
	RIG_UNTIL(&rig, priced(&rig, "00700.HK", "\"seq\":1,"));
	cr_assert_not(rig_has(&rig.seen, "refresh"));
	rig_interest(&rig, "p2", "add", "\"00700.HK\"");
	RIG_UNTIL(&rig, priced(&rig, "00700.HK", "\"flags\":[\"refresh\"]"));
	cr_assert(priced(&rig, "00700.HK", "\"seq\":0,"));
	rig_interest(&rig, "p1", "remove", "\"00700.HK\"");
	RIG_UNTIL(&rig, rig_has(&rig.said, "\"update_type\":\"remove\""));
	uint64_t prices = lc_manager_totals(rig.manager).prices;
	RIG_UNTIL(&rig, lc_manager_totals(rig.manager).prices > prices + 2);
	cr_assert_eq(lc_manager_totals(rig.manager).followed, 1);
	rig_interest(&rig, "p2", "replace", "");
	RIG_UNTIL(&rig, lc_manager_totals(rig.manager).followed == 0);
	unsigned polls = rig.vendor_polls;
	for (int i = 0; i < 20; i++) {
		uv_run(lc_loop_uv(rig.loop), UV_RUN_NOWAIT);
	}
	cr_assert_leq(rig.vendor_polls, polls + 1, "nobody is asked for");
	rig_close(&rig);
}

Test(manager, a_reload_applies_what_changed_and_says_what_waits)
{
	struct rig rig;
	rig_open(&rig);
	begin(&rig);
	rig_interest(&rig, "p1", "add", "\"00700.HK\"");
	RIG_UNTIL(&rig, priced(&rig, "00700.HK", "\"seq\":1,"));
	rig_set(&rig, "fushu.timeout=3s");
	rig_set(&rig, "time.format=naive");
	rig_command(&rig, "{\"command\":\"reload\",\"request_id\":\"r1\"}");
	RIG_UNTIL(&rig, rig_has(&rig.said, "\"request_id\":\"r1\""));
	cr_assert(rig_has(&rig.said, "{\"setting\":\"fushu.timeout\",\"before\":\"10s\",\"after\":"
				     "\"3s\",\"effect\":\"applied\"}"));
	cr_assert(rig_has(&rig.said, "\"setting\":\"time.format\",\"before\":\"utc\",\"after\":"
				     "\"naive\",\"effect\":\"waits_for_restart\""));
	cr_assert(rig_has(&rig.said, "\"applied\":1,\"reconnecting\":0,\"waiting_for_restart\":1"));
	cr_assert_eq(lc_manager_totals(rig.manager).reconnects, 0, "no connection was touched");
	/* It still waits, and that is said again. */
	rig_command(&rig, "{\"command\":\"reload\",\"request_id\":\"r2\"}");
	RIG_UNTIL(&rig,
		rig_has(&rig.said, "\"applied\":0,\"reconnecting\":0,\"waiting_for_restart\":1"));
	rig.broken = "livecore.yaml:3:1: unknown key\n";
	rig_command(&rig, "{\"command\":\"reload\",\"request_id\":\"r3\"}");
	RIG_UNTIL(&rig, rig_has(&rig.said, "nothing changed: livecore.yaml:3:1: unknown key\""));
	/* Another address is another session; another route moves what is followed. */
	rig.broken = NULL;
	snprintf(rig.sets[3], sizeof rig.sets[3], "fushu.url=http://127.0.0.1:%d/v2",
		lc_http_server_port(rig.vendor));
	rig_command(&rig, "{\"command\":\"reload\",\"request_id\":\"r4\"}");
	RIG_UNTIL(&rig, lc_manager_totals(rig.manager).reconnects == 1);
	rig_set(&rig, "routing.routes=00700.HK=none,*=fushu");
	lc_manager_reload(rig.manager);
	RIG_UNTIL(&rig, rig_has(&rig.said, "no feeder follows it"));
	cr_assert(
		rig_has(&rig.said, "\"portfolio_id\":\"p1\",\"reason\":\"no feeder follows it: see "
				   "routing.routes\",\"count\":1,\"symbols\":[\"00700.HK\"]"));
	rig_close(&rig);
}

Test(manager, a_feeder_is_stopped_and_started_by_command)
{
	struct rig rig;
	rig_open(&rig);
	begin(&rig);
	rig_interest(&rig, "p1", "add", "\"00700.HK\"");
	RIG_UNTIL(&rig, priced(&rig, "00700.HK", "\"seq\":1,"));
	rig_command(&rig, "{\"command\":\"feeder_stop\",\"request_id\":\"s1\",\"params\":{"
			  "\"feeder\":\"fushu\"}}");
	RIG_UNTIL(&rig, rig_has(&rig.said, "{\"feeder\":\"fushu\",\"state\":\"STOPPED\"}"));
	lc_manager_reload(rig.manager);
	unsigned requests = rig.vendor_requests;
	rig_interest(&rig, "p1", "add", "\"00005.HK\"");
	RIG_UNTIL(&rig, rig_has(&rig.said, "fushu is stopped: stopped by command"));
	cr_assert_leq(rig.vendor_requests, requests, "a reload does not start it");
	rig_command(&rig, "{\"command\":\"feeder_start\",\"request_id\":\"s2\",\"params\":{"
			  "\"feeder\":\"fushu\"}}");
	RIG_UNTIL(&rig, priced(&rig, "00005.HK", "\"seq\":1,"));
	rig_command(&rig, "{\"command\":\"feeder_start\",\"request_id\":\"s3\",\"params\":{"
			  "\"feeder\":\"bloomberg\"}}");
	RIG_UNTIL(&rig, rig_has(&rig.said, "there is no feeder \\\"bloomberg\\\""));
	rig_close(&rig);
}

Test(manager, refused_keys_stop_a_feeder_with_an_alert)
{
	struct rig rig;
	rig_open(&rig);
	rig.vendor_status = 401;
	begin(&rig);
	RIG_UNTIL(&rig, rig_has(&rig.alerts, "\"alert_type\":\"auth_failed\""));
	RIG_UNTIL(&rig, rig_has(&rig.said, "\"type\":\"auth_failed\""));
	rig.vendor_status = 200;
	rig_interest(&rig, "p1", "add", "\"00700.HK\"");
	lc_manager_reload(rig.manager);
	RIG_UNTIL(&rig, priced(&rig, "00700.HK", "\"seq\":1,"));
	rig_close(&rig);
}

Test(manager, thousands_of_refusals_are_a_handful_of_events)
{
	struct rig rig;
	rig_open(&rig);
	rig_set(&rig, "routing.routes=*.HK=none");
	begin(&rig);
	struct lc_buf symbols;
	lc_buf_init(&symbols, 1 << 20);
	for (int i = 1; i <= 5000; i++) {
		lc_buf_printf(&symbols, "%s\"%05d.HK\"", i > 1 ? "," : "", i);
	}
	rig_interest(&rig, "p1", "replace", lc_buf_text(&symbols));
	rig_interest(&rig, "p2", "add", "\"00001.HK\",\"00002.HK\"");
	RIG_UNTIL(&rig,
		rig_has(&rig.said, "\"portfolio_id\":\"p1\",\"reason\":\"no feeder follows it"));
	RIG_UNTIL(&rig, rig_has(&rig.said, "\"05000.HK\"]"));
	cr_assert_leq(lc_manager_totals(rig.manager).published, 20);
	lc_buf_finish(&symbols);
	rig_close(&rig);
}

Test(manager, the_sets_survive_a_restart_and_the_loss_of_the_disk)
{
	struct rig rig;
	rig_open(&rig);
	begin(&rig);
	rig_interest(&rig, "p1", "replace", "\"00700.HK\",\"00005.HK\"");
	rig_interest(&rig, "p2", "add", "\"00700.HK\",\"09988.HK\"");
	rig_interest(&rig, "p1", "remove", "\"00005.HK\"");
	RIG_UNTIL(&rig, rig_has(&rig.said, "\"update_type\":\"remove\""));
	for (int round = 0; round < 3; round++) {
		rig_stop(&rig);
		cr_assert_eq(rig.exit_code, 0);
		if (round == 1) {
			scratch_remove(rig.dir);
			cr_assert_eq(mkdir(rig.dir, 0700), 0);
		}
		lc_buf_clear(&rig.seen);
		rig_start(&rig);
		RIG_UNTIL(&rig, rig_ready(&rig));
		cr_assert_eq(lc_manager_totals(rig.manager).followed, 2, "round %d", round);
		RIG_UNTIL(&rig, priced(&rig, "00700.HK", "\"seq\":1,") &&
					priced(&rig, "09988.HK", "\"seq\":1,"));
	}
	rig_close(&rig);
}

Test(manager, waits_for_a_kafka_that_is_absent)
{
	struct rig rig;
	rig_open(&rig);
	rig_set(&rig, "shutdown.timeout=5s");
	rig_broker(&rig);
	rd_kafka_mock_broker_set_down(lc_embedded_broker_mock(rig.broker), 1);
	rig_start(&rig);
	for (int i = 0; i < 50; i++) {
		uv_run(lc_loop_uv(rig.loop), UV_RUN_NOWAIT);
	}
	cr_assert_not(rig_ready(&rig));
	struct lc_buf out;
	lc_buf_init(&out, 64 * 1024);
	cr_assert_eq(lc_manager_ready(rig.manager, &out), LC_NOT_READY);
	cr_assert(strstr(lc_buf_text(&out), "\"kafka\":{\"ok\":false,\"reason\":\""));
	cr_assert(strstr(lc_buf_text(&out), "\"interest\":{\"ok\":false,\"reason\":\""));
	lc_buf_finish(&out);
	rd_kafka_mock_broker_set_up(lc_embedded_broker_mock(rig.broker), 1);
	RIG_UNTIL(&rig, rig_ready(&rig));
	rig_readers(&rig);
	rig_interest(&rig, "p1", "add", "\"00700.HK\"");
	RIG_UNTIL(&rig, priced(&rig, "00700.HK", "\"seq\":1,"));
	rig_stop(&rig);
	cr_assert_eq(rig.exit_code, 0);
	rig_close(&rig);
}

Test(manager, stops_in_time_without_a_kafka_and_says_what_is_lost)
{
	struct rig rig;
	rig_open(&rig);
	strcpy(rig.address, "127.0.0.1:1");
	rig_set(&rig, "shutdown.timeout=300ms");
	rig_start(&rig);
	int64_t began = lc_clock_mono_ns();
	rig_stop(&rig);
	cr_assert_eq(rig.exit_code, 1);
	cr_assert_gt(rig.totals.unacknowledged, 0);
	cr_assert_lt(lc_clock_mono_ns() - began, 15 * LC_NS_PER_S, "by default it is 30 s");
	rig_close(&rig);
}

Test(manager, a_second_stop_ends_the_waiting)
{
	struct rig rig;
	rig_open(&rig);
	strcpy(rig.address, "127.0.0.1:1");
	rig_start(&rig);
	lc_manager_stop(rig.manager, rig_on_stopped, &rig);
	for (int i = 0; i < 5; i++) {
		uv_run(lc_loop_uv(rig.loop), UV_RUN_NOWAIT);
	}
	int64_t began = lc_clock_mono_ns();
	rig_stop(&rig);
	cr_assert_eq(rig.exit_code, 1);
	cr_assert_lt(
		lc_clock_mono_ns() - began, 15 * LC_NS_PER_S, "not the 30 s of shutdown.timeout");
	rig_close(&rig);
}

/* Stops after n turns of the loop: in the middle of loading, connecting, handing over 3,000
 * symbols, publishing. */
Test(manager, stops_at_any_moment)
{
	struct rig rig;
	rig_open(&rig);
	rig_set(&rig, "shutdown.timeout=5s");
	begin(&rig);
	struct lc_buf symbols;
	lc_buf_init(&symbols, 1 << 20);
	for (int i = 1; i <= 3000; i++) {
		lc_buf_printf(&symbols, "%s\"%05d.HK\"", i > 1 ? "," : "", i);
	}
	rig_interest(&rig, "p1", "replace", lc_buf_text(&symbols));
	for (int turns = 0; turns < 400; turns += turns < 20 ? 5 : 60) {
		rig_stop(&rig);
		rig_start(&rig);
		for (int i = 0; i < turns; i++) {
			uv_run(lc_loop_uv(rig.loop), i % 4 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
		}
		lc_manager_reload(rig.manager);
	}
	rig_stop(&rig);
	cr_assert_eq(rig.exit_code, 0);
	lc_buf_finish(&symbols);
	rig_close(&rig);
}

Test(manager, a_manager_that_cannot_be_made_is_stopped_all_the_same)
{
	struct rig rig;
	struct lc_error err;
	rig_open(&rig);
	struct lc_config *config = settings_made(rig.set);
	const struct lc_manager_options options = {.brokers = ""};
	struct lc_kafka_config *kafka = (struct lc_kafka_config *)(uintptr_t)lc_config_section(
		config, "kafka");
	struct lc_pair pair = {
		.key = (char *)(uintptr_t) "no.such.property", .value = (char *)(uintptr_t) "1"};
	struct lc_pairs properties = kafka->properties;
	kafka->properties = (struct lc_pairs){.items = &pair, .count = 1};
	cr_assert_neq(lc_manager_create(rig.loop, config, &options, &rig.manager, &err), LC_OK);
	cr_assert(rig.manager);
	rig_stop(&rig);
	kafka->properties = properties;
	lc_config_destroy(config);
	rig_close(&rig);
}

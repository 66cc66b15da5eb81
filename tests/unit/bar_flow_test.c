/* From ticks to bars on Kafka: with the gaps that feeds leave, and over a restart. */
#include "manager/bar_flow.h"
#include "bar_rig.h"

struct scene {
	struct bar_rig rig;
	struct lc_bar_flow *flow;
	struct lc_bars_config config;
	struct lc_store_config store;
	char *periods[2];
	bool ready, watched, unwanted;
	uint32_t symbol;
	int64_t saved_ns;
};

static void on_ready(void *arg)
{
	((struct scene *)arg)->ready = true;
}

static bool on_watched(void *arg, uint32_t symbol)
{
	(void)symbol;
	return ((const struct scene *)arg)->watched;
}

static bool on_unwanted(void *arg, uint32_t symbol)
{
	(void)symbol;
	return ((const struct scene *)arg)->unwanted;
}

static void on_saved(void *arg, int64_t saved_ns)
{
	((struct scene *)arg)->saved_ns = saved_ns;
}

static void on_doubt(void *arg, uint32_t symbol, int64_t start_ns)
{
	(void)arg, (void)symbol, (void)start_ns;
}

static void start(struct scene *scene)
{
	static const struct lc_bar_flow_host host = {.ready = on_ready,
		.watched = on_watched,
		.unwanted = on_unwanted,
		.saved = on_saved,
		.doubt = on_doubt};
	const struct lc_bar_flow_setup setup = {.loop = scene->rig.out.f.loop,
		.symbols = scene->rig.symbols,
		.max_symbols = 6000,
		.calendar = scene->rig.calendar,
		.outbox = &scene->rig.out.outbox,
		.config = &scene->config,
		.store = &scene->store,
		.state_dir = scene->rig.dir,
		.host = &host,
		.arg = scene};
	struct lc_error err;
	scene->ready = false;
	cr_assert_eq(lc_bar_flow_create(&setup, &scene->flow, &err), LC_OK, "%s", err.text);
	run_until(&scene->rig.out.f, &scene->ready);
}

static void set_up(struct scene *scene)
{
	static char minute[] = "1m", day[] = "1d";
	memset(scene, 0, sizeof *scene);
	rig_open(&scene->rig, 4 << 20);
	scene->periods[0] = minute;
	scene->periods[1] = day;
	scene->config = (struct lc_bars_config){.enabled = true};
	scene->config.periods.items = scene->periods;
	scene->config.periods.count = 2;
	scene->store.backend = LC_BARS_NONE;
	scene->watched = true;
	scene->symbol = rig_symbol(&scene->rig, "600000.SH");
	start(scene);
}

static void stop(struct scene *scene)
{
	scene->rig.done = false;
	while (!lc_bar_flow_end(scene->flow)) {
		uv_run(lc_loop_uv(scene->rig.out.f.loop), UV_RUN_NOWAIT);
	}
	lc_bar_flow_stop(scene->flow, rig_on_done, &scene->rig);
	run_until(&scene->rig.out.f, &scene->rig.done);
}

static void tick(struct scene *scene, const char *when, int64_t volume)
{
	struct lc_tick one = rig_tick(&scene->rig, scene->symbol, when, volume);
	rig_clock(&scene->rig, when);
	lc_bar_flow_tick(scene->flow, &one);
}

/* Followed, and its feed has it: nothing is unseen any more. */
static void follow(struct scene *scene)
{
	struct lc_metrics *metrics = scene->rig.out.f.metrics;
	int64_t give_up = lc_clock_mono_ns() + 20 * LC_NS_PER_S;
	cr_assert_eq(lc_bar_flow_follow(scene->flow, scene->symbol), LC_OK);
	do {
		uv_run(lc_loop_uv(scene->rig.out.f.loop), UV_RUN_ONCE);
		lc_bar_flow_gauges(scene->flow);
		cr_assert_lt(lc_clock_mono_ns(), give_up);
	} while (*lc_metrics_gauge(metrics, "livecore_bars_unseen_symbols", "", "") > 0);
}

/* Turns the loop until the next bar is in the log. */
static void next_bar(struct scene *scene)
{
	int64_t give_up = lc_clock_mono_ns() + 20 * LC_NS_PER_S;
	while (!out_next(&scene->rig.out)) {
		uv_run(lc_loop_uv(scene->rig.out.f.loop), UV_RUN_ONCE);
		cr_assert_lt(lc_clock_mono_ns(), give_up, "no bar came");
	}
	cr_assert_eq(scene->rig.out.record.schema, LC_SCHEMA_BAR);
}

static bool is(const struct scene *scene, const char *field, const char *text)
{
	return out_is(&scene->rig.out, field, text);
}

Test(bar_flow, minutes_close_and_a_late_tick_revises)
{
	struct scene scene;
	set_up(&scene);
	follow(&scene);
	tick(&scene, "2026-03-04 09:30:05", 100);
	tick(&scene, "2026-03-04 09:31:05", 300);
	next_bar(&scene);
	cr_assert(is(&scene, "symbol", "600000.SH") && is(&scene, "period", "1m"));
	cr_assert(is(&scene, "volume", "100") && is(&scene, "revision", "0"));
	cr_assert(is(&scene, "timestamp", "2026-03-04T01:30:00.000000Z"));
	cr_assert(is(&scene, "complete", "true"));
	stop(&scene);
	cr_assert_not(out_next(&scene.rig.out), "what is open is not said");
	rig_close(&scene.rig);
}

Test(bar_flow, what_a_feed_did_not_see_is_not_complete)
{
	struct scene scene;
	set_up(&scene);
	follow(&scene);
	tick(&scene, "2026-03-04 09:30:05", 100);
	rig_clock(&scene.rig, "2026-03-04 09:30:20");
	scene.watched = false;
	lc_bar_flow_lost(scene.flow, scene.symbol);
	rig_clock(&scene.rig, "2026-03-04 09:30:50");
	struct lc_bar minute = {.complete = true};
	while (minute.complete) { /* told while it lasts */
		uv_run(lc_loop_uv(scene.rig.out.f.loop), UV_RUN_ONCE);
		cr_assert_eq(lc_bars_get(lc_bar_flow_bars(scene.flow), scene.symbol, LC_PERIOD_1M,
				     rig_at(&scene.rig, "2026-03-04 09:30:00"), &minute),
			LC_OK);
	}
	rig_clock(&scene.rig, "2026-03-04 09:31:01");
	next_bar(&scene);
	cr_assert(is(&scene, "volume", "100") && is(&scene, "complete", "false"), "%.*s",
		(int)scene.rig.out.record.value_len, scene.rig.out.record.value);
	/* Back in 09:33: what was traded between is in no minute. */
	tick(&scene, "2026-03-04 09:33:30", 500);
	tick(&scene, "2026-03-04 09:33:40", 700);
	scene.watched = true;
	rig_clock(&scene.rig, "2026-03-04 09:34:01");
	next_bar(&scene);
	cr_assert(is(&scene, "timestamp", "2026-03-04T01:33:00.000000Z"));
	cr_assert(is(&scene, "volume", "200") && is(&scene, "complete", "false"));
	struct lc_bar day;
	cr_assert_eq(lc_bars_day(lc_bar_flow_bars(scene.flow), scene.symbol,
			     rig_at(&scene.rig, "2026-03-04 09:34:01"), &day),
		LC_OK);
	cr_assert_eq(lc_decimal_compare(day.gap_volume, lc_decimal_from_int(400)), 0);
	stop(&scene);
	rig_close(&scene.rig);
}

Test(bar_flow, a_restart_goes_on_and_who_is_unwanted_is_left)
{
	struct scene scene;
	set_up(&scene);
	follow(&scene);
	tick(&scene, "2026-03-04 09:30:05", 100);
	stop(&scene);
	rig_clock(&scene.rig, "2026-03-04 09:30:30");
	start(&scene);
	cr_assert_eq(scene.saved_ns, rig_at(&scene.rig, "2026-03-04 09:30:05"));
	tick(&scene, "2026-03-04 09:30:35", 250);
	tick(&scene, "2026-03-04 09:31:35", 300);
	next_bar(&scene);
	/* The break was within one minute: its volume is that minute's, which is not complete. */
	cr_assert(is(&scene, "volume", "250") && is(&scene, "complete", "false"));
	stop(&scene);
	scene.unwanted = true;
	scene.watched = false;
	start(&scene);
	int64_t give_up = lc_clock_mono_ns() + 20 * LC_NS_PER_S;
	while (lc_bars_stats(lc_bar_flow_bars(scene.flow)).symbols > 0) {
		uv_run(lc_loop_uv(scene.rig.out.f.loop), UV_RUN_ONCE);
		cr_assert_lt(lc_clock_mono_ns(), give_up);
	}
	stop(&scene);
	rig_close(&scene.rig);
}

Test(bar_flow, off_is_no_flow_at_all)
{
	struct scene scene;
	struct lc_error err;
	memset(&scene, 0, sizeof scene);
	rig_open(&scene.rig, 4 << 20);
	const struct lc_bar_flow_setup setup = {.config = &scene.config};
	cr_assert_eq(lc_bar_flow_create(&setup, &scene.flow, &err), LC_OK);
	cr_assert_null(scene.flow);
	struct lc_tick one = rig_tick(&scene.rig, 0, "2026-03-04 09:30:05", 1);
	lc_bar_flow_tick(scene.flow, &one);
	cr_assert_eq(lc_bar_flow_follow(scene.flow, 0), LC_OK);
	lc_bar_flow_lost(scene.flow, 0);
	lc_bar_flow_leave(scene.flow, 0);
	lc_bar_flow_calendar(scene.flow);
	cr_assert_null(lc_bar_flow_bars(scene.flow));
	lc_bar_flow_stop(scene.flow, rig_on_done, &scene.rig);
	cr_assert(scene.rig.done);
	rig_close(&scene.rig);
}

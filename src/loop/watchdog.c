#include "loop_priv.h"

#define TICK_MS 100

/* CPU time, not wall time: a busy machine must not look like a slow callback. Read once a turn
 * because a read takes about 400 ns. */
static void on_prepare(uv_prepare_t *handle)
{
	struct watchdog *dog = container_of(handle, struct watchdog, prepare);
	int64_t now = lc_clock_thread_cpu_ns();
	int64_t turn = now - dog->turn_started_cpu_ns;
	if (dog->turn_started_cpu_ns >= 0 && turn > dog->seen.longest_turn_ns) {
		dog->seen.longest_turn_ns = turn;
	}
	if (dog->turn_started_cpu_ns >= 0) {
		lc_histogram_observe_ns(dog->turn_seconds, turn);
	}
	dog->turn_started_cpu_ns = now;
	dog->seen.turns++;
	(*dog->turns_total)++;
}

static void on_tick(uv_timer_t *handle)
{
	struct watchdog *dog = container_of(handle, struct watchdog, tick);
	int64_t now = lc_clock_mono_ns();
	dog->seen.lag_ns = now > dog->next_tick_ns ? now - dog->next_tick_ns : 0;
	dog->next_tick_ns = now + TICK_MS * LC_NS_PER_MS;
	*dog->lag_seconds = (double)dog->seen.lag_ns / 1e9;
	*dog->longest_turn_seconds = (double)dog->seen.longest_turn_ns / 1e9;
	*dog->longest_slice_seconds = (double)dog->seen.longest_slice_ns / 1e9;
}

void lc_loop_watchdog_init(struct lc_loop *loop)
{
	struct watchdog *dog = &loop->watchdog;
	dog->turns_total = lc_metrics_counter(
		loop->metrics, "livecore_loop_turns_total", "", "Turns of the event loop.");
	dog->turn_seconds = lc_metrics_histogram(loop->metrics, "livecore_loop_turn_cpu_seconds",
		"", "CPU time of the event loop's turns.");
	dog->lag_seconds = lc_metrics_gauge(loop->metrics, "livecore_loop_lag_seconds", "",
		"How late the loop's last 100 ms timer was.");
	dog->longest_turn_seconds = lc_metrics_gauge(loop->metrics,
		"livecore_loop_longest_turn_cpu_seconds", "",
		"CPU time of the longest turn of the event loop.");
	dog->longest_slice_seconds = lc_metrics_gauge(loop->metrics,
		"livecore_loop_longest_slice_cpu_seconds", "",
		"CPU time of the longest slice of long work.");
	dog->turn_started_cpu_ns = -1;
	uv_prepare_init(&loop->uv, &dog->prepare);
	uv_prepare_start(&dog->prepare, on_prepare);
	uv_unref((uv_handle_t *)&dog->prepare);
	uv_timer_init(&loop->uv, &dog->tick);
	uv_update_time(&loop->uv);
	uv_timer_start(&dog->tick, on_tick, TICK_MS, TICK_MS);
	dog->next_tick_ns = lc_clock_mono_ns() + TICK_MS * LC_NS_PER_MS;
}

void lc_loop_watchdog_close(struct lc_loop *loop)
{
	uv_close((uv_handle_t *)&loop->watchdog.prepare, NULL);
	uv_close((uv_handle_t *)&loop->watchdog.tick, NULL);
}

void lc_loop_watchdog_slice(struct lc_loop *loop, const char *name, int64_t cpu_ns)
{
	struct lc_loop_watch *seen = &loop->watchdog.seen;
	if (cpu_ns > seen->longest_slice_ns) {
		seen->longest_slice_ns = cpu_ns;
		seen->longest_slice = name;
	}
}

struct lc_loop_watch lc_loop_watch(const struct lc_loop *loop)
{
	return loop->watchdog.seen;
}

/* Stopping: the feeders first, then what is queued, then Kafka until all is acknowledged, then the
 * clients. Each step begins when the one before has ended or time is over. A timer looks where we
 * are, so that no part is freed from inside a callback of its own. */
#include "manager/disk_log.h"
#include "manager/manager_priv.h"

#include <stdlib.h>

#define CHECK_MS 20
#define CLIENTS_MS 3000 /* after shutdown.timeout, for clients to end */
#define FEEDERS_MS 2000 /* a vendor that does not answer our close does not hold up the rest */

static bool feeders_closed(const struct lc_manager *manager)
{
	for (size_t i = 0; i < manager->feed_count; i++) {
		if (manager->feeds[i].supervisor &&
			lc_supervisor_open(manager->feeds[i].supervisor)) {
			return false;
		}
	}
	return true;
}

static bool queues_empty(const struct lc_manager *manager)
{
	for (size_t i = 0; i < manager->feed_count; i++) {
		if (manager->feeds[i].queue && lc_queue_length(manager->feeds[i].queue) > 0) {
			return false;
		}
	}
	return true;
}

/* Time is over: what is still queued is lost, and said. */
static void give_up_queues(struct lc_manager *manager)
{
	for (size_t i = 0; i < manager->feed_count; i++) {
		if (manager->feeds[i].queue) {
			lc_queue_drop_all(manager->feeds[i].queue, LC_DROP_SHUTDOWN);
		}
	}
	lc_intake_say_counts(manager);
}

static int64_t left_ms(const struct lc_manager *manager)
{
	int64_t left_ns = manager->deadline_ns - lc_loop_mono_ns(manager->loop);
	return left_ns > 0 ? left_ns / LC_NS_PER_MS : 0;
}

static void on_part_closed(void *arg)
{
	struct lc_manager *manager = arg;
	manager->closing--;
	lc_stop_soon(manager);
}

/* Behind all that appends and reads: what Kafka did not take is kept for the next start. */
static void close_log(struct lc_manager *manager)
{
	manager->closing++;
	lc_disk_log_stop(manager, on_part_closed);
}

static void on_sender_stopped(void *arg, uint64_t unacknowledged)
{
	struct lc_manager *manager = arg;
	manager->sender = NULL;
	manager->outbox.sender = NULL;
	manager->unacknowledged = unacknowledged;
	if (unacknowledged > 0) {
		lc_log(manager->log, LC_LOG_ERROR, "manager", "not_delivered",
			LC_U("records", unacknowledged),
			LC_S("reason", "Kafka did not acknowledge them in time"));
	}
	close_log(manager);
	lc_stop_soon(manager);
}

static void stop_sender(struct lc_manager *manager)
{
	manager->sender_stopping = true;
	if (manager->sender) {
		lc_sender_stop(manager->sender, left_ms(manager), on_sender_stopped, manager);
	} else {
		close_log(manager);
		lc_stop_soon(manager);
	}
}

/* All ticks are in: what they made is said, and kept for the next start. */
static void stop_bars(struct lc_manager *manager)
{
	if (manager->watch) {
		struct lc_watch *watch = manager->watch;
		manager->watch = NULL;
		manager->closing++;
		lc_watch_stop(watch, on_part_closed, manager);
	}
	if (manager->bars) {
		struct lc_bar_flow *bars = manager->bars;
		manager->bars = NULL;
		manager->closing++;
		lc_bar_flow_stop(bars, on_part_closed, manager);
	}
}

static void close_hubs(struct lc_manager *manager)
{
	manager->hubs_closing = true;
	manager->closing += 1 + (manager->ws != NULL) + (manager->http != NULL);
	lc_heartbeat_stop(manager->heartbeat, on_part_closed, manager);
	manager->heartbeat = NULL;
	lc_ws_hub_destroy(manager->ws, on_part_closed, manager);
	lc_http_destroy(manager->http, on_part_closed, manager);
	lc_stop_soon(manager);
}

/* 1 when something that was accepted is not known to be on Kafka; says how it ended. */
static int conclude(const struct lc_manager *manager, const char *reason)
{
	uint64_t unsent = 0;
	for (size_t i = 0; i < manager->feed_count; i++) {
		unsent += manager->feeds[i].dropped[LC_DROP_SHUTDOWN].total
				  ? *manager->feeds[i].dropped[LC_DROP_SHUTDOWN].total
				  : 0;
	}
	lc_log(manager->log, reason ? LC_LOG_WARN : LC_LOG_INFO, "manager", "stopped",
		LC_U("unacknowledged", manager->unacknowledged),
		LC_U("kept_for_next_start", manager->journal ? lc_disk_log_kept(manager) : 0),
		LC_U("refused", manager->refusals.total), LC_U("unsent", unsent),
		LC_S("reason", reason));
	return manager->unacknowledged + manager->refusals.total + unsent > 0;
}

static void finish(struct lc_manager *manager)
{
	void (*stopped)(void *, int) = manager->stopped;
	stopped(manager->stopped_arg, conclude(manager, NULL));
	lc_manager_free(manager);
}

/* Looks where we are, and goes on as far as it can now. The last step frees the manager: only the
 * timer calls this. */
static void advance(struct lc_manager *manager)
{
	bool late = left_ms(manager) == 0;
	if (manager->hubs_closing) {
		if (manager->closing == 0 && feeders_closed(manager)) {
			finish(manager);
		}
		return;
	}
	if (manager->sender_stopping) {
		if (!manager->sender && manager->closing == 0) {
			close_hubs(manager);
		}
		return;
	}
	int64_t now_ns = lc_loop_mono_ns(manager->loop);
	bool feeders_late = now_ns > manager->stop_ns + FEEDERS_MS * LC_NS_PER_MS;
	if (!feeders_closed(manager) && !late && !feeders_late) {
		return;
	}
	if (!queues_empty(manager) && !late) {
		lc_drain_wake(manager->drain);
		return;
	}
	if (!lc_bar_flow_end(manager->bars) && !late) {
		return;
	}
	give_up_queues(manager);
	stop_bars(manager);
	stop_sender(manager);
}

/* librdkafka's threads may go on for a minute when Kafka went away in the middle of a question. All
 * that could be delivered was, and what could not was said: nothing is lost by not waiting for
 * them. */
static void leave_clients(const struct lc_manager *manager)
{
	bool decided = manager->sender_stopping && !manager->sender;
	if (decided &&
		lc_loop_mono_ns(manager->loop) > manager->deadline_ns + CLIENTS_MS * LC_NS_PER_MS) {
		_Exit(conclude(manager, "Kafka's clients did not end in time and were left"));
	}
}

static void on_check(void *arg)
{
	leave_clients(arg);
	advance(arg);
}

void lc_stop_soon(struct lc_manager *manager)
{
	if (manager->phase == LC_PHASE_STOPPING) {
		lc_timer_start(manager->stop_timer, 0, CHECK_MS);
	}
}

enum lc_err lc_stop_prepare(struct lc_manager *manager)
{
	return lc_timer_create(manager->loop, on_check, manager, &manager->stop_timer);
}

static void close_inputs(struct lc_manager *manager)
{
	manager->closing += (manager->interest != NULL) + (manager->control != NULL) +
			    (manager->twins != NULL) + manager->topics_running;
	lc_feeds_cancel_reroute(manager);
	lc_bar_snapshot_cancel(manager->snapshot);
	manager->snapshot = NULL;
	if (manager->twins) {
		lc_twins_stop(manager->twins, on_part_closed, manager);
		manager->twins = NULL;
	}
	if (manager->control) {
		lc_control_stop(manager->control, on_part_closed, manager);
		manager->control = NULL;
	}
	if (manager->interest) {
		lc_interest_sync_stop(manager->interest, on_part_closed, manager);
		manager->interest = NULL;
	}
	for (size_t i = 0; i < manager->feed_count; i++) {
		if (manager->feeds[i].supervisor) {
			lc_supervisor_stop(manager->feeds[i].supervisor, "stopping");
		}
	}
}

void lc_manager_stop(
	struct lc_manager *manager, void (*stopped)(void *arg, int exit_code), void *arg)
{
	manager->stopped = stopped;
	manager->stopped_arg = arg;
	int64_t now_ns = lc_loop_mono_ns(manager->loop);
	if (manager->phase == LC_PHASE_STOPPING) { /* asked again: no more waiting */
		manager->deadline_ns = now_ns;
		if (manager->sender && manager->sender_stopping) {
			lc_sender_stop(manager->sender, 0, on_sender_stopped, manager);
		}
		return;
	}
	manager->phase = LC_PHASE_STOPPING;
	manager->stop_ns = now_ns;
	manager->deadline_ns = now_ns;
	if (manager->config) {
		const struct lc_shutdown_config *shutdown = lc_config_section(
			manager->config, "shutdown");
		manager->deadline_ns += shutdown->timeout * LC_NS_PER_MS;
	}
	if (manager->outbox.sender) {
		lc_log(manager->log, LC_LOG_INFO, "manager", "stopping");
		lc_event(&manager->outbox, "stopping", LC_S("role", "manager"));
	}
	close_inputs(manager);
	if (manager->stop_timer) {
		lc_stop_soon(manager);
	} else {
		finish(manager); /* it is the first part that is made, so there is no other */
	}
}

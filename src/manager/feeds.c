/* The feeders: making them, routing symbols to them, and saying what happens to their sessions. */
#include "manager/manager_priv.h"
#include "manager/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SORTED_A_STEP 1000
#define REROUTED_A_STEP 200 /* about 0.2 ms */

static void make_counts(struct lc_metrics *metrics, const char *feeder,
	struct lc_reason_count *counts, int reasons, const char *name, const char *help)
{
	char labels[160], reason[64];
	for (int i = 0; i < reasons; i++) {
		if (counts[i].reason) {
			lc_metrics_label(reason, sizeof reason, "reason", counts[i].reason);
			snprintf(labels, sizeof labels, "%s,%s", feeder, reason);
			counts[i].total = lc_metrics_counter(metrics, name, labels, help);
		}
	}
}

static void make_reasons(struct lc_feed *feed, const char *label)
{
	struct lc_metrics *metrics = lc_loop_metrics(feed->manager->loop);
	for (int i = LC_DROP_NONE + 1; i < LC_DROP_REASONS; i++) {
		feed->dropped[i] = (struct lc_reason_count){.level = LC_LOG_WARN,
			.event = "dropped",
			.reason = lc_drop_name((enum lc_drop)i)};
	}
	for (int i = 0; i < LC_DOUBT_REASONS; i++) {
		feed->doubted[i] = (struct lc_reason_count){.level = LC_LOG_INFO,
			.event = "doubtful",
			.reason = lc_doubt_name((enum lc_doubt)i)};
	}
	make_counts(metrics, label, feed->dropped, LC_DROP_REASONS, "livecore_feeder_dropped_total",
		"ticks that do not reach Kafka, by reason");
	make_counts(metrics, label, feed->doubted, LC_DOUBT_REASONS,
		"livecore_feeder_doubtful_total",
		"ticks that are published and remarkable, by reason");
}

static void make_metrics(struct lc_feed *feed)
{
	struct lc_metrics *metrics = lc_loop_metrics(feed->manager->loop);
	char label[64];
	lc_metrics_label(label, sizeof label, "feeder", feed->impl->name);
	feed->ticks = lc_metrics_counter(
		metrics, "livecore_feeder_ticks_total", label, "ticks parsed");
	lc_bad_input_init(&feed->bad_input, metrics, feed->manager->log, feed->impl->name);
	feed->reconnects = lc_metrics_counter(metrics, "livecore_feeder_reconnects_total", label,
		"sessions opened after the first");
	make_reasons(feed, label);
	feed->state = lc_metrics_gauge(metrics, "livecore_feeder_state", label,
		"0 disconnected, 1 connecting, 2 connected, 3 reconnecting, 4 stopped, "
		"5 standing by");
	feed->depth = lc_metrics_gauge(
		metrics, "livecore_feeder_queue_ticks", label, "ticks in the feeder's queue");
	feed->wanted = lc_metrics_gauge(
		metrics, "livecore_feeder_symbols_wanted", label, "symbols to be followed");
	feed->subscribed = lc_metrics_gauge(
		metrics, "livecore_feeder_symbols_subscribed", label, "symbols the vendor took");
	feed->over_limit = lc_metrics_gauge(metrics, "livecore_feeder_symbols_over_limit", label,
		"symbols the vendor's plan has no room for");
	feed->clock_offset = lc_metrics_gauge(metrics, "livecore_feeder_clock_offset_seconds",
		label, "running median of event time - arrival; 0 until it is known");
	feed->latency = lc_metrics_histogram(metrics, "livecore_receive_to_publish_seconds", label,
		"from the last byte of a tick to its place in the log for Kafka");
}

static void lose_symbols(struct lc_feed *feed)
{
	struct lc_manager *manager = feed->manager;
	size_t count = lc_symbols_count(manager->symbols);
	for (uint32_t symbol = 0; manager->bars && symbol < count; symbol++) {
		if (manager->feed_of[symbol] == feed->index) {
			lc_bar_flow_lost(manager->bars, symbol);
		}
	}
}

static void on_state(void *owner, struct lc_supervisor *supervisor, enum lc_feed_state from,
	enum lc_feed_state to, const char *reason)
{
	struct lc_feed *feed = owner;
	struct lc_manager *manager = feed->manager;
	(void)supervisor;
	*feed->state = to;
	if (from == LC_FEED_CONNECTED) {
		lose_symbols(feed);
		lc_feed_gaps_lost(
			feed, to == LC_FEED_STOPPED ? LC_GAP_STOPPED : LC_GAP_DISCONNECT, reason);
	}
	bool bad = to == LC_FEED_RECONNECTING ||
		   (to == LC_FEED_STOPPED && feed->enabled && manager->phase != LC_PHASE_STOPPING);
	lc_log(manager->log, bad ? LC_LOG_WARN : LC_LOG_INFO, "feeder", "state",
		LC_S("feeder", feed->impl->name), LC_S("from", lc_feed_state_name(from)),
		LC_S("to", lc_feed_state_name(to)), LC_S("reason", *reason ? reason : NULL));
	lc_event(&manager->outbox, "feeder_state", LC_S("feeder", feed->impl->name),
		LC_S("from", lc_feed_state_name(from)), LC_S("to", lc_feed_state_name(to)),
		LC_S("reason", *reason ? reason : NULL));
}

static void on_trouble(
	void *owner, struct lc_supervisor *supervisor, bool raised, const char *reason)
{
	struct lc_feed *feed = owner;
	struct lc_manager *manager = feed->manager;
	uint64_t failures = raised ? lc_supervisor_status(supervisor).failures_in_row : 0;
	lc_log(manager->log, raised ? LC_LOG_ERROR : LC_LOG_INFO, "feeder",
		raised ? "down" : "recovered", LC_S("feeder", feed->impl->name),
		LC_U("failures", failures), LC_S("reason", reason));
	lc_event(&manager->outbox, "feeder_state", LC_S("feeder", feed->impl->name),
		LC_B("down", raised), LC_U("failures", failures), LC_S("reason", reason));
	lc_alert(&manager->outbox, raised ? "feed_down" : "resolved",
		raised ? LC_SEVERITY_ERROR : LC_SEVERITY_INFO, LC_S("feeder", feed->impl->name),
		LC_S("resolves", raised ? NULL : "feed_down"), LC_U("actual", failures),
		LC_S("reason", reason));
	if (raised) {
		lc_failover_leave(feed, reason);
	}
}

static void on_gave_up(void *owner, struct lc_supervisor *supervisor, const char *reason)
{
	struct lc_feed *feed = owner;
	(void)supervisor;
	lc_log(feed->manager->log, LC_LOG_ERROR, "feeder", "auth_failed",
		LC_S("feeder", feed->impl->name), LC_S("reason", reason),
		LC_S("todo", "mend it, then send the command reload or feeder_start"));
	lc_event(&feed->manager->outbox, "auth_failed", LC_S("feeder", feed->impl->name),
		LC_S("reason", reason));
	lc_alert(&feed->manager->outbox, "auth_failed", LC_SEVERITY_ERROR,
		LC_S("feeder", feed->impl->name), LC_S("reason", reason));
	lc_failover_leave(feed, reason);
}

/* The vendor refused a symbol: who wanted it must know. */
static void on_rejected(void *owner, struct lc_supervisor *supervisor, uint32_t symbol, bool limit,
	const char *reason)
{
	struct lc_feed *feed = owner;
	(void)supervisor;
	lc_limits_add(feed->manager->limits, feed->impl->name,
		limit ? LC_LIMITS_OVER : LC_LIMITS_REFUSED, reason, symbol);
}

static void on_closed(void *owner, struct lc_supervisor *supervisor)
{
	struct lc_feed *feed = owner;
	(void)supervisor;
	lc_stop_soon(feed->manager);
}

static const struct lc_supervisor_events supervisor_events = {
	.state = on_state,
	.trouble = on_trouble,
	.gave_up = on_gave_up,
	.rejected = on_rejected,
	.closed = on_closed,
};

static struct lc_interest *registry_of(void *owner)
{
	const struct lc_manager *manager = owner;
	return manager->interest ? lc_interest_sync_registry(manager->interest) : NULL;
}

static void on_limit_batch(void *owner, const char *feeder, enum lc_limits_kind kind,
	const char *reason, size_t count, const char *example)
{
	struct lc_manager *manager = owner;
	struct lc_feed *feed = feeder ? lc_feeds_find(manager, feeder) : NULL;
	bool over = kind == LC_LIMITS_OVER;
	lc_log(manager->log, LC_LOG_WARN, "feeder", over ? "symbol_limit" : "symbols_rejected",
		LC_S("feeder", feeder), LC_U("count", count), LC_S("reason", reason),
		LC_S("example", example));
	if (over && feed && !feed->limit_raised) {
		feed->limit_raised = true;
		lc_alert(&manager->outbox, "symbol_limit", LC_SEVERITY_WARNING,
			LC_S("feeder", feeder), LC_U("actual", count), LC_S("reason", reason),
			LC_S("example", example));
	}
}

void lc_feeds_check_limits(struct lc_manager *manager)
{
	for (size_t i = 0; i < manager->feed_count; i++) {
		struct lc_feed *feed = &manager->feeds[i];
		struct lc_supervisor_status status = lc_supervisor_status(feed->supervisor);
		if (!feed->limit_raised || status.symbols.over_limit > 0 ||
			status.state != LC_FEED_CONNECTED || status.changes_pending) {
			continue;
		}
		feed->limit_raised = false;
		lc_alert(&manager->outbox, "resolved", LC_SEVERITY_INFO,
			LC_S("feeder", feed->impl->name), LC_S("resolves", "symbol_limit"),
			LC_U("actual", 0));
	}
}

bool lc_feeds_enabled(const struct lc_manager *manager, const char *name)
{
	return lc_route_runs(lc_config_section(manager->config, "routing"), name);
}

static enum lc_err create_feed(struct lc_feed *feed, struct lc_error *err)
{
	struct lc_manager *manager = feed->manager;
	const struct lc_queue_config *queue = lc_config_section(manager->config, "queue");
	const struct lc_symbols_config *symbols = lc_config_section(manager->config, "symbols");
	const struct lc_queue_options queue_options = {.capacity = (size_t)queue->size,
		.policy = (enum lc_queue_policy)queue->policy,
		.drop = lc_intake_queue_drop,
		.arg = feed};
	if (lc_queue_create(&queue_options, &feed->queue) != LC_OK) {
		return lc_error_set(
			err, LC_ERR_NOMEM, "out of memory for the queue of %s", feed->impl->name);
	}
	const struct lc_supervisor_setup setup = {
		.impl = feed->impl,
		.env = {.loop = manager->loop,
			.symbols = manager->symbols,
			.ws = manager->ws,
			.http = manager->http,
			.host = &lc_intake_host,
			.host_data = feed,
			.source = feed->index,
			.config = lc_config_section(manager->config, feed->impl->config->name)},
		.config = lc_config_section(manager->config, "supervisor"),
		.max_symbols = (size_t)symbols->max,
		.events = &supervisor_events,
		.owner = feed,
	};
	return lc_supervisor_create(&setup, &feed->supervisor, err);
}

enum lc_err lc_feeds_create(struct lc_manager *manager, struct lc_error *err)
{
	const struct lc_symbols_config *symbols = lc_config_section(manager->config, "symbols");
	const struct lc_limits_setup limits = {.loop = manager->loop,
		.symbols = manager->symbols,
		.outbox = &manager->outbox,
		.max_symbols = (size_t)symbols->max,
		.interest = registry_of,
		.batch = on_limit_batch,
		.owner = manager};
	if (lc_limits_create(&limits, &manager->limits) != LC_OK) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; lc_feeders[i] && i < LC_FEEDS_MAX; i++) {
		struct lc_feed *feed = &manager->feeds[i];
		feed->manager = manager;
		feed->impl = lc_feeders[i];
		feed->index = (uint8_t)i;
		feed->enabled = lc_feeds_enabled(manager, feed->impl->name);
		make_metrics(feed);
		manager->feed_count = i + 1;
		enum lc_err rc = create_feed(feed, err);
		if (rc != LC_OK) {
			return rc;
		}
		/* Room for all: growing by copies would hold the loop. A failure shows, and is
		 * handled, when it is needed. */
		lc_queue_reserve(feed->queue, (size_t)symbols->max);
	}
	lc_last_value_reserve(manager->last, (size_t)symbols->max);
	if (lc_failover_create(manager, &manager->failover) != LC_OK) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	return LC_OK;
}

void lc_feeds_destroy(struct lc_manager *manager)
{
	lc_feeds_cancel_reroute(manager);
	lc_failover_destroy(manager->failover);
	manager->failover = NULL;
	lc_limits_destroy(manager->limits);
	for (size_t i = 0; i < manager->feed_count; i++) {
		lc_supervisor_destroy(manager->feeds[i].supervisor);
		lc_queue_destroy(manager->feeds[i].queue);
	}
	manager->feed_count = 0;
}

struct lc_feed *lc_feeds_find(struct lc_manager *manager, const char *name)
{
	for (size_t i = 0; i < manager->feed_count; i++) {
		if (strcmp(manager->feeds[i].impl->name, name) == 0) {
			return &manager->feeds[i];
		}
	}
	return NULL;
}

void lc_feeds_start(struct lc_manager *manager)
{
	for (size_t i = 0; i < manager->feed_count; i++) {
		if (manager->feeds[i].enabled) {
			lc_supervisor_stand_by(manager->feeds[i].supervisor,
				lc_failover_stands_by(&manager->feeds[i]));
			lc_supervisor_start(manager->feeds[i].supervisor);
		} else {
			lc_supervisor_stop(
				manager->feeds[i].supervisor, "not among routing.feeders");
		}
	}
}

/* Room for a symbol's state everywhere on its way; false when memory ran out. */
static bool make_room(struct lc_manager *manager, uint32_t symbol)
{
	size_t count = lc_symbols_count(manager->symbols);
	enum lc_err rc = lc_last_value_reserve(manager->last, count);
	for (size_t i = 0; i < manager->feed_count && rc == LC_OK; i++) {
		rc = lc_queue_reserve(manager->feeds[i].queue, count);
	}
	return rc == LC_OK && lc_quality_follow(manager->quality, symbol, true) == LC_OK;
}

/* A symbol of a feeder that stands still is kept for when it runs again, but who wants it must not
 * wait in vain. */
static void say_stopped(struct lc_feed *feed, uint32_t symbol)
{
	struct lc_supervisor_status status = lc_supervisor_status(feed->supervisor);
	char reason[300];
	if (status.state != LC_FEED_STOPPED || lc_supervisor_open(feed->supervisor)) {
		return; /* or it is about to connect again */
	}
	snprintf(reason, sizeof reason, "%s is stopped: %s", feed->impl->name, status.reason);
	lc_limits_add(feed->manager->limits, feed->impl->name, LC_LIMITS_REFUSED, reason, symbol);
}

void lc_feeds_follow(struct lc_manager *manager, uint32_t symbol)
{
	const char *text = lc_symbols_get(manager->symbols, symbol)->text;
	uint8_t index = lc_failover_source(manager, symbol, LC_NO_FEED);
	if (index == LC_NO_FEED) {
		lc_limits_add(manager->limits, NULL, LC_LIMITS_REFUSED,
			"no feeder follows it: see routing.routes", symbol);
		return;
	}
	say_stopped(&manager->feeds[index], symbol);
	if (!make_room(manager, symbol) ||
		lc_supervisor_follow(manager->feeds[index].supervisor, symbol) != LC_OK) {
		lc_log(manager->log, LC_LOG_ERROR, "interest", "out_of_memory",
			LC_S("symbol", text));
		return;
	}
	manager->feed_of[symbol] = index;
	if (lc_bar_flow_follow(manager->bars, symbol) != LC_OK) {
		lc_log(manager->log, LC_LOG_ERROR, "bars", "out_of_memory", LC_S("symbol", text));
	}
	lc_feed_gaps_followed(manager, symbol);
}

bool lc_feeds_watched(const struct lc_manager *manager, uint32_t symbol)
{
	return lc_failover_watched(manager, symbol);
}

static void detach(struct lc_manager *manager, uint32_t symbol)
{
	uint8_t index = manager->feed_of[symbol];
	lc_failover_forget(manager, symbol);
	if (index != LC_NO_FEED) {
		lc_supervisor_leave(manager->feeds[index].supervisor, symbol);
		manager->feed_of[symbol] = LC_NO_FEED;
	}
}

void lc_feeds_leave(struct lc_manager *manager, uint32_t symbol)
{
	detach(manager, symbol);
	lc_quality_follow(manager->quality, symbol, false);
	lc_last_value_forget(manager->last, symbol);
	lc_bar_flow_leave(manager->bars, symbol);
	lc_feed_gaps_forget(manager, symbol);
}

static bool on_reroute_step(void *arg)
{
	struct lc_manager *manager = arg;
	const struct lc_interest *interest = lc_interest_sync_registry(manager->interest);
	size_t count;
	if (!manager->reroute_sorted) {
		manager->reroute_sorted = lc_interest_sort_step(manager->reroute, SORTED_A_STEP);
		return true;
	}
	const uint32_t *order = lc_interest_sorted(manager->reroute, &count);
	for (size_t n = 0; manager->reroute_next < count && n < REROUTED_A_STEP; n++) {
		uint32_t symbol = order[manager->reroute_next++];
		if (lc_interest_follows(interest, symbol) &&
			lc_failover_source(manager, symbol, manager->feed_of[symbol]) !=
				manager->feed_of[symbol]) {
			uint8_t from = manager->feed_of[symbol];
			detach(manager, symbol);
			lc_feeds_follow(manager, symbol);
			lc_failover_behind(manager, from, manager->feed_of[symbol]);
		}
	}
	return manager->reroute_next < count;
}

static void on_reroute_done(void *arg)
{
	struct lc_manager *manager = arg;
	manager->reroute_slice = NULL;
	lc_feeds_cancel_reroute(manager);
}

void lc_feeds_cancel_reroute(struct lc_manager *manager)
{
	lc_slice_cancel(manager->reroute_slice);
	manager->reroute_slice = NULL;
	lc_interest_sort_destroy(manager->reroute);
	manager->reroute = NULL;
	manager->reroute_sorted = false;
	manager->reroute_next = 0;
}

void lc_feeds_reroute(struct lc_manager *manager)
{
	const struct lc_interest *interest = lc_interest_sync_registry(manager->interest);
	lc_feeds_cancel_reroute(manager);
	if (lc_interest_sort_create(interest, &manager->reroute) != LC_OK) {
		lc_log(manager->log, LC_LOG_ERROR, "interest", "out_of_memory",
			LC_S("todo", "send the command reload again"));
		return;
	}
	if (lc_slice_start(manager->loop, "reroute", on_reroute_step, on_reroute_done, manager,
		    &manager->reroute_slice)) {
		while (on_reroute_step(
			manager)) { /* no memory for a slice: better late than lost */
		}
		on_reroute_done(manager);
	}
}

void lc_feeds_gauges(struct lc_manager *manager)
{
	lc_failover_gauges(manager);
	lc_feed_gaps_gauges(manager);
	*lc_metrics_gauge(lc_loop_metrics(manager->loop), "livecore_quotes_held", "",
		"quotes held back until their symbol has a price") = (double)
		lc_quality_held(manager->quality);
	for (size_t i = 0; i < manager->feed_count; i++) {
		struct lc_feed *feed = &manager->feeds[i];
		struct lc_supervisor_status status = lc_supervisor_status(feed->supervisor);
		int64_t offset_ns = 0;
		bool skewed;
		lc_quality_offset(manager->quality, feed->index, &offset_ns, &skewed);
		*feed->clock_offset = (double)offset_ns / 1e9;
		*feed->state = status.state;
		*feed->reconnects = status.reconnects;
		*feed->depth = (double)lc_queue_length(feed->queue);
		*feed->wanted = (double)status.symbols.wanted;
		*feed->subscribed = (double)status.symbols.subscribed;
		*feed->over_limit = (double)status.symbols.over_limit;
	}
}

/* What the manager says of itself: readiness with its reasons, status, totals and the rows of the
 * demo's table. */
#include "manager/disk_log.h"
#include "manager/manager_priv.h"

#include <stdio.h>
#include <string.h>

static void check_json(
	struct lc_buf *out, bool first, const char *name, bool ok, const char *reason)
{
	lc_buf_printf(out, "%s\"%s\":{\"ok\":%s", first ? "" : ",", name, ok ? "true" : "false");
	if (reason && *reason) {
		lc_buf_puts(out, ",\"reason\":");
		lc_buf_json_string(out, reason, strlen(reason));
	}
	lc_buf_putc(out, '}');
}

/* A topic that is read: which one, and why it is not. */
static void check_topic(
	struct lc_buf *out, const char *name, bool ok, const char *topic, const char *reason)
{
	char text[640];
	snprintf(text, sizeof text, "%s: %s", topic, reason);
	check_json(out, false, name, ok, ok ? NULL : text);
}

/* A vendor's outage is degraded, not unready: restarting us would not mend it. */
static bool feeders_json(struct lc_manager *manager, struct lc_buf *out)
{
	bool degraded = false;
	lc_buf_puts(out, ",\"feeders\":{");
	for (size_t i = 0; i < manager->feed_count; i++) {
		struct lc_supervisor_status status = lc_supervisor_status(
			manager->feeds[i].supervisor);
		bool needed = status.symbols.wanted > 0;
		char mute[200];
		lc_watch_trouble(&manager->feeds[i], mute, sizeof mute);
		const char *reason = status.reason[0] ? status.reason : mute;
		bool fine = (!needed || status.state == LC_FEED_CONNECTED) && mute[0] == '\0';
		degraded |= !fine;
		lc_buf_printf(out, "%s\"%s\":{\"ok\":%s,\"state\":\"%s\"", i > 0 ? "," : "",
			status.name, fine ? "true" : "false", lc_feed_state_name(status.state));
		if (reason[0]) {
			lc_buf_puts(out, ",\"reason\":");
			lc_buf_json_string(out, reason, strlen(reason));
		}
		lc_buf_putc(out, '}');
	}
	lc_buf_putc(out, '}');
	return degraded;
}

/* Which markets have followed symbols, as bits of enum lc_market. */
static unsigned followed_markets(const struct lc_manager *manager)
{
	const unsigned all = (1u << LC_MARKETS) - 1;
	unsigned seen = 0;
	size_t count = lc_symbols_count(manager->symbols);
	for (uint32_t symbol = 0; symbol < count && seen != all; symbol++) {
		if (manager->feed_of[symbol] != LC_NO_FEED) {
			seen |= 1u << lc_symbols_get(manager->symbols, symbol)->market;
		}
	}
	return seen;
}

/* A closed market sends nothing, which is no fault of ours but worth knowing; and of a calendar
 * that ends soon who follows the market must know. */
static bool markets_json(struct lc_manager *manager, struct lc_buf *out)
{
	unsigned followed = followed_markets(manager);
	int64_t now_ns = lc_loop_wall_ns(manager->loop);
	bool degraded = false, first = true;
	lc_buf_puts(out, ",\"markets\":{");
	for (int market = 0; market < LC_MARKETS; market++) {
		if (!(followed & 1u << market)) {
			continue;
		}
		enum lc_session session = lc_session_at(
			manager->calendar, (enum lc_market)market, now_ns);
		bool open = session != LC_SESSION_CLOSED;
		char trouble[128];
		lc_calendars_trouble(
			manager->calendars, (enum lc_market)market, trouble, sizeof trouble);
		bool fine = open && trouble[0] == '\0';
		degraded |= !fine;
		lc_buf_printf(out, "%s\"%s\":{\"ok\":%s,\"session\":\"%s\"%s%s%s}",
			first ? "" : ",", lc_market_name((enum lc_market)market),
			fine ? "true" : "false", lc_session_name(session),
			trouble[0] ? ",\"reason\":\"" : "", trouble, trouble[0] ? "\"" : "");
		first = false;
	}
	lc_buf_putc(out, '}');
	return degraded;
}

/* Where sets, bars and open days are kept; returns whether one of them is in trouble. */
static bool stores_json(
	struct lc_manager *manager, const char *interest_trouble, struct lc_buf *checks)
{
	char store[256], state[256];
	lc_bar_flow_trouble(manager->bars, store, state);
	if (interest_trouble[0]) {
		check_json(checks, false, "store", false, interest_trouble);
	}
	if (manager->bars) {
		check_json(checks, false, "bar_store", store[0] == '\0', store);
		check_json(checks, false, "bar_state", state[0] == '\0', state);
	}
	return interest_trouble[0] || store[0] || state[0];
}

enum lc_ready lc_manager_ready(struct lc_manager *manager, struct lc_buf *out)
{
	struct lc_interest_sync_status interest = {0};
	if (manager->interest) {
		interest = lc_interest_sync_status(manager->interest);
	}
	bool stopping = manager->phase == LC_PHASE_STOPPING;
	bool ready = !stopping && interest.ready && manager->kafka_reachable;
	struct lc_buf checks;
	lc_buf_init(&checks, 64 * 1024);
	check_json(&checks, true, "settings", true, NULL);
	/* Sets that stand are served when their topic is gone, but nobody can change them. */
	bool follows = interest.ready && interest.reading;
	const struct lc_topics_config *topics = lc_config_section(manager->first_config, "topics");
	const char *unread = interest.reason[0] ? interest.reason : "not read to its end yet";
	check_topic(&checks, "interest", follows, topics->interest, unread);
	check_json(&checks, false, "kafka", manager->kafka_reachable, manager->kafka_reason);
	/* Commands sent before this are missed; without the topic there are none, so that does not
	 * make it unready. */
	bool hears = manager->control && lc_control_stats(manager->control).caught_up &&
		     lc_control_stats(manager->control).reading;
	check_topic(&checks, "control", hears, topics->control, "it is not being read");
	char refused[LC_REFUSALS_TEXT];
	lc_refusals_trouble(
		&manager->refusals, lc_loop_mono_ns(manager->loop), refused, sizeof refused);
	check_json(&checks, false, "publishing", refused[0] == '\0', refused);
	if (stopping) {
		check_json(&checks, false, "lifecycle", false, "stopping");
	}
	bool degraded = !follows || !hears || refused[0];
	degraded |= stores_json(manager, interest.store, &checks);
	degraded |= feeders_json(manager, &checks);
	degraded |= markets_json(manager, &checks);
	lc_buf_printf(out, "{\"status\":\"%s\",\"checks\":{%s}}",
		!ready     ? "not_ready"
		: degraded ? "degraded"
			   : "ready",
		lc_buf_text(&checks));
	lc_buf_finish(&checks);
	return !ready ? LC_NOT_READY : degraded ? LC_DEGRADED : LC_READY;
}

struct lc_manager_totals lc_manager_totals(struct lc_manager *manager)
{
	if (!manager->outbox.prices) {
		return (struct lc_manager_totals){0}; /* it could not be made */
	}
	struct lc_journal_stats journal = lc_journal_stats(manager->journal);
	struct lc_manager_totals totals = {
		.prices = *manager->outbox.prices,
		.published = journal.appended,
		.acknowledged = journal.reported - journal.lost - manager->refusals.total,
		.refused = manager->refusals.total,
		.unacknowledged = journal.appended - journal.reported,
	};
	totals.followed = manager->interest
				  ? lc_interest_count(lc_interest_sync_registry(manager->interest))
				  : 0;
	for (size_t i = 0; i < manager->feed_count; i++) {
		struct lc_feed *feed = &manager->feeds[i];
		if (!feed->supervisor) {
			continue; /* it could not be made */
		}
		struct lc_queue_stats queue = lc_queue_stats(feed->queue);
		totals.ticks += *feed->ticks;
		totals.queued += queue.length;
		totals.merged += queue.merged;
		totals.reconnects += lc_supervisor_status(feed->supervisor).reconnects;
		for (int reason = LC_DROP_NONE + 1; reason < LC_DROP_REASONS; reason++) {
			totals.dropped += *feed->dropped[reason].total;
		}
	}
	return totals;
}

void lc_manager_drops(struct lc_manager *manager,
	void (*each)(void *arg, const char *reason, uint64_t count), void *arg)
{
	for (int reason = LC_DROP_NONE + 1; reason < LC_DROP_REASONS; reason++) {
		uint64_t count = 0;
		for (size_t i = 0; i < manager->feed_count; i++) {
			count += *manager->feeds[i].dropped[reason].total;
		}
		if (count > 0) {
			each(arg, lc_drop_name((enum lc_drop)reason), count);
		}
	}
}

static void counts_json(
	const char *name, const struct lc_reason_count *counts, size_t reasons, struct lc_buf *out)
{
	lc_buf_printf(out, ",\"%s\":{", name);
	const char *comma = "";
	for (size_t i = 0; i < reasons; i++) {
		if (counts[i].total && *counts[i].total > 0) {
			lc_buf_printf(out, "%s\"%s\":%llu", comma, counts[i].reason,
				(unsigned long long)*counts[i].total);
			comma = ",";
		}
	}
	lc_buf_putc(out, '}');
}

static void feed_json(struct lc_feed *feed, struct lc_buf *out)
{
	struct lc_supervisor_status status = lc_supervisor_status(feed->supervisor);
	struct lc_queue_stats queue = lc_queue_stats(feed->queue);
	int64_t offset_ns;
	bool skewed;
	lc_buf_printf(out, "{\"name\":\"%s\",\"state\":\"%s\",\"reason\":", status.name,
		lc_feed_state_name(status.state));
	lc_buf_json_string(out, status.reason, strlen(status.reason));
	lc_buf_printf(out,
		",\"connects\":%llu,\"reconnects\":%llu,\"failures_in_row\":%llu,\"ticks\":%llu,"
		"\"bad_input\":%llu,"
		"\"symbols\":{\"wanted\":%zu,\"subscribed\":%zu,\"rejected\":%zu,\"over_limit\":%"
		"zu},"
		"\"queue\":{\"length\":%zu,\"capacity\":%zu,\"peak\":%zu,\"merged\":%llu,"
		"\"dropped\":%llu,\"paused\":%s}",
		(unsigned long long)status.connects, (unsigned long long)status.reconnects,
		(unsigned long long)status.failures_in_row, (unsigned long long)*feed->ticks,
		(unsigned long long)feed->bad_input.total, status.symbols.wanted,
		status.symbols.subscribed, status.symbols.rejected, status.symbols.over_limit,
		queue.length, queue.capacity, queue.peak, (unsigned long long)queue.merged,
		(unsigned long long)queue.dropped, feed->paused ? "true" : "false");
	if (lc_quality_offset(feed->manager->quality, feed->index, &offset_ns, &skewed)) {
		lc_buf_printf(
			out, ",\"clock_offset_ms\":%lld", (long long)(offset_ns / LC_NS_PER_MS));
	}
	lc_failover_status(feed, out);
	lc_watch_status(feed, out);
	lc_feed_gaps_status(feed, out);
	counts_json("dropped", feed->dropped, LC_DROP_REASONS, out);
	counts_json("doubtful", feed->doubted, LC_DOUBT_REASONS, out);
	lc_buf_putc(out, '}');
}

static void kafka_json(struct lc_manager *manager, struct lc_buf *out)
{
	struct lc_sender_stats sender = {0};
	if (manager->sender) {
		sender = lc_sender_stats(manager->sender);
	}
	struct lc_journal_stats journal = lc_journal_stats(manager->journal);
	lc_buf_puts(out, ",\"kafka\":{\"brokers\":");
	lc_buf_json_string(out, manager->kafka.brokers, strlen(manager->kafka.brokers));
	lc_buf_printf(out,
		",\"reachable\":%s,\"produced\":%llu,\"acknowledged\":%llu,\"refused\":%llu,"
		"\"replayed\":%llu,\"resets\":%llu,"
		"\"in_flight\":%zu,\"in_flight_bytes\":%zu,\"unacknowledged\":%llu,\"buffer_"
		"bytes\":%zu,"
		"\"buffer_capacity_bytes\":%zu}",
		manager->kafka_reachable ? "true" : "false", (unsigned long long)sender.produced,
		(unsigned long long)sender.acknowledged, (unsigned long long)sender.refused,
		(unsigned long long)sender.replayed, (unsigned long long)sender.resets,
		sender.in_flight_messages, sender.in_flight_bytes,
		(unsigned long long)(journal.appended - journal.reported), journal.bytes,
		journal.capacity);
}

void lc_manager_status(struct lc_manager *manager, struct lc_buf *out)
{
	static const char *const phases[] = {"loading", "running", "stopping"};
	struct lc_manager_totals totals = lc_manager_totals(manager);
	lc_buf_printf(out, "{\"version\":\"%s\",\"role\":\"manager\",\"phase\":\"%s\",\"node_id\":",
		LC_VERSION, phases[manager->phase]);
	lc_buf_json_string(out, manager->node_id, strlen(manager->node_id));
	lc_buf_printf(out,
		",\"stream\":\"%s\",\"uptime_seconds\":%lld,\"followed\":%llu,\"portfolios\":%zu,"
		"\"published\":%llu,"
		"\"acknowledged\":%llu,\"unacknowledged\":%llu,\"feeders\":[",
		manager->stream,
		(long long)((lc_loop_mono_ns(manager->loop) - manager->started_ns) / LC_NS_PER_S),
		(unsigned long long)totals.followed,
		manager->interest
			? lc_interest_portfolios(lc_interest_sync_registry(manager->interest))
			: 0,
		(unsigned long long)totals.published, (unsigned long long)totals.acknowledged,
		(unsigned long long)totals.unacknowledged);
	for (size_t i = 0; i < manager->feed_count; i++) {
		lc_buf_puts(out, i > 0 ? "," : "");
		feed_json(&manager->feeds[i], out);
	}
	lc_buf_putc(out, ']');
	lc_bar_flow_status(manager->bars, out);
	lc_calendars_status(manager->calendars, out);
	kafka_json(manager, out);
	lc_disk_log_status(manager, out);
	lc_buf_putc(out, '}');
}

void lc_manager_gauges(struct lc_manager *manager)
{
	struct lc_metrics *metrics = lc_loop_metrics(manager->loop);
	struct lc_journal_stats journal = lc_journal_stats(manager->journal);
	lc_feeds_gauges(manager);
	lc_bar_flow_gauges(manager->bars);
	lc_watch_gauges(manager->watch);
	lc_calendars_gauges(manager->calendars);
	lc_disk_log_gauges(manager);
	*lc_metrics_gauge(metrics, "livecore_log_bytes", "",
		"memory of the log between encoder and Kafka") = (double)journal.bytes;
	*lc_metrics_gauge(metrics, "livecore_log_unacknowledged_records", "",
		"records that Kafka has not acknowledged yet") = (double)(journal.appended -
									  journal.reported);
	*lc_metrics_gauge(metrics, "livecore_symbols_followed", "",
		"symbols that portfolios follow") = manager->interest
							    ? (double)lc_interest_count(
								      lc_interest_sync_registry(
									      manager->interest))
							    : 0;
	*lc_metrics_gauge(metrics, "livecore_kafka_reachable", "",
		"1 when Kafka answers") = manager->kafka_reachable;
}

size_t lc_manager_feeds(struct lc_manager *manager, struct lc_feed_view *out, size_t max)
{
	size_t n = 0;
	for (; n < manager->feed_count && n < max; n++) {
		struct lc_feed *feed = &manager->feeds[n];
		struct lc_supervisor_status status = lc_supervisor_status(feed->supervisor);
		struct lc_queue_stats queue = lc_queue_stats(feed->queue);
		out[n] = (struct lc_feed_view){.name = status.name,
			.state = lc_feed_state_name(status.state),
			.reason = status.reason,
			.ticks = *feed->ticks,
			.reconnects = status.reconnects,
			.queued = queue.length,
			.queue_capacity = queue.capacity,
			.wanted = status.symbols.wanted,
			.subscribed = status.symbols.subscribed};
	}
	return n;
}

static void quote_view(struct lc_manager *manager, uint32_t symbol, struct lc_quote_view *out)
{
	const struct lc_last *last = lc_last_value_get(manager->last, symbol);
	*out = (struct lc_quote_view){
		.feeder = manager->feeds[manager->feed_of[symbol]].impl->name};
	snprintf(out->symbol, sizeof out->symbol, "%s",
		lc_symbols_get(manager->symbols, symbol)->text);
	if (!last) {
		return;
	}
	out->has = last->has;
	out->halted = last->halted;
	out->price = last->price;
	out->prev_close = last->prev_close;
	out->bid = last->bid;
	out->ask = last->ask;
	out->received_mono_ns = last->received_mono_ns;
}

size_t lc_manager_quotes(
	struct lc_manager *manager, size_t from, struct lc_quote_view *out, size_t max)
{
	size_t n = 0, seen = 0, count = lc_symbols_count(manager->symbols);
	for (uint32_t symbol = 0; symbol < count && n < max; symbol++) {
		if (manager->feed_of[symbol] != LC_NO_FEED && seen++ >= from) {
			quote_view(manager, symbol, &out[n++]);
		}
	}
	return n;
}

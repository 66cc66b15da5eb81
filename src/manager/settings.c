#include "manager/settings.h"

#include "livecore/bar.h"
#include "livecore/bar_store.h"
#include "livecore/feeder.h"
#include "livecore/http_server.h"
#include "livecore/kafka.h"
#include "livecore/redis.h"
#include "manager/routes.h"
#include "manager/setting_checks.h"
#include "manager/supervisor.h"
#include "manager/watch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SECTION(id, type, text)                                            \
	{                                                                  \
		.name = #id, .help = (text), .settings = id##_settings,    \
		.count = COUNT(id##_settings), .size = sizeof(struct type) \
	}

static enum lc_err check_zone(const char *text, struct lc_error *err)
{
	struct lc_zone *zone;
	enum lc_err rc = lc_zone_load(text, &zone, err);
	if (rc == LC_OK) {
		lc_zone_destroy(zone);
	}
	return rc;
}

static enum lc_err check_period(const char *text, struct lc_error *err)
{
	if (lc_period_find(text) != LC_PERIODS) {
		return LC_OK;
	}
	return lc_error_set(err, LC_ERR_INVALID,
		"\"%.40s\" is no period; there are 1m, 5m, 15m, 30m, 60m and 1d", text);
}

static const char *const log_formats[] = {"text", "json", NULL};
static const char *const time_formats[] = {"utc", "offset", "naive", NULL};
static const char *const policies[] = {"conflate", "drop_oldest", "drop_newest", "block", NULL};

static const struct lc_setting node_settings[] = {
	{"id", LC_SET_STRING, offsetof(struct lc_node_config, id), .fallback = "",
		.apply = LC_APPLY_RESTART, .check = lc_setting_check_node_id,
		.help = "names this process in events and consumer groups, must survive restarts; "
			"empty: the host's name"},
};
static const struct lc_setting log_settings[] = {
	{"level", LC_SET_STRING, offsetof(struct lc_log_config, level), .fallback = "info",
		.apply = LC_APPLY_LIVE, .check = lc_setting_check_log_level,
		.help = "trace, debug, info, warn, error or off, then MODULE=LEVEL pairs: "
			"info,feeder=debug"},
	{"format", LC_SET_ENUM, offsetof(struct lc_log_config, format), .fallback = "text",
		.choices = log_formats, .apply = LC_APPLY_LIVE,
		.help = "one line an event: key=value text, or JSON"},
};
static const struct lc_setting time_settings[] = {
	{"format", LC_SET_ENUM, offsetof(struct lc_time_config, format), .fallback = "utc",
		.choices = time_formats, .apply = LC_APPLY_RESTART,
		.help = "times in messages: utc (…Z), offset (the market's own zone) or naive "
			"(time.naive_zone, no suffix)"},
	{"naive_zone", LC_SET_STRING, offsetof(struct lc_time_config, naive_zone),
		.fallback = "Asia/Shanghai", .apply = LC_APPLY_RESTART, .check = check_zone,
		.help = "IANA zone of every time without a zone that is written to or read from "
			"Kafka"},
};
static const struct lc_setting http_settings[] = {
	{"enabled", LC_SET_BOOL, offsetof(struct lc_http_config, enabled), .fallback = "true",
		.apply = LC_APPLY_RESTART,
		.help = "serve /metrics, /livez, /readyz and /api/v1/status"},
	{"address", LC_SET_STRING, offsetof(struct lc_http_config, address),
		.fallback = "127.0.0.1:8080", .apply = LC_APPLY_RESTART,
		.check = lc_http_check_address,
		.help = "host:port to listen on; port 0 takes any free one"},
};
static const struct lc_setting state_settings[] = {
	{"dir", LC_SET_STRING, offsetof(struct lc_state_config, dir), .fallback = "",
		.apply = LC_APPLY_RESTART,
		.help = "directory of what survives a restart; empty: $STATE_DIRECTORY, else "
			"~/.local/state/livecore"},
};
static const struct lc_setting symbols_settings[] = {
	{"max", LC_SET_INT, offsetof(struct lc_symbols_config, max), .fallback = "100000", .min = 1,
		.max = 1000000, .apply = LC_APPLY_RESTART,
		.help = "the most symbols known at once; interest beyond it is rejected"},
};
static const struct lc_setting routing_settings[] = {
	{"routes", LC_SET_LIST, offsetof(struct lc_routing_config, routes), .fallback = "",
		.apply = LC_APPLY_LIVE, .check = lc_route_check,
		.help = "PATTERN=FEEDER, the first that matches wins; \"PATTERN=FEEDER,FEEDER\" in "
			"quotes: several sources in order, the next takes over when one fails; "
			"empty: *.SH *.SZ *.BJ eastmoney,tencent, *.HK fushu (when its url is "
			"set),eastmoney,tencent, the rest alpaca"},
	{"feeders", LC_SET_LIST, offsetof(struct lc_routing_config, feeders),
		.fallback = "alpaca,eastmoney,fushu,tencent", .apply = LC_APPLY_LIVE,
		.check = lc_route_check_feeder,
		.help = "the feeders that run; the others stay stopped; one that stands only "
			"behind others in routes (tencent) connects when they fail"},
};
#define FAILOVER(field) offsetof(struct lc_failover_config, field)
static const struct lc_setting failover_settings[] = {
	{"quarantine", LC_SET_DURATION, FAILOVER(quarantine), .fallback = "5m", .min = 100,
		.max = 8.64e7, .apply = LC_APPLY_LIVE,
		.help = "a source that was left is gone back to when it has been healthy for so "
			"long; it doubles when it fails again soon"},
	{"quarantine_max", LC_SET_DURATION, FAILOVER(quarantine_max), .fallback = "1h", .min = 100,
		.max = 8.64e8, .apply = LC_APPLY_LIVE,
		.help = "the longest quarantine; a source that was good for so long begins anew"},
	{"ban_wait", LC_SET_DURATION, FAILOVER(ban_wait), .fallback = "10s", .min = 0,
		.max = 8.64e7, .apply = LC_APPLY_LIVE,
		.help = "a vendor that bans us for longer than this is left for the next source"},
	{"allow_delayed", LC_SET_BOOL, FAILOVER(allow_delayed), .fallback = "false",
		.apply = LC_APPLY_LIVE,
		.help = "a source behind the first of its route may give delayed prices; its "
			"messages say delayed"},
};
static const struct lc_setting queue_settings[] = {
	{"size", LC_SET_INT, offsetof(struct lc_queue_config, size), .fallback = "10000", .min = 16,
		.max = 10000000, .apply = LC_APPLY_RESTART,
		.help = "ticks that may wait in one feeder's queue"},
	{"policy", LC_SET_ENUM, offsetof(struct lc_queue_config, policy), .fallback = "conflate",
		.choices = policies, .apply = LC_APPLY_LIVE,
		.help = "when the queue is full: conflate (merge into the newest of the symbol), "
			"drop_oldest, drop_newest, block (stop reading)"},
};
static const char *const interest_stores[] = {"embedded", "redis", NULL};
static const struct lc_setting interest_settings[] = {
	{"ttl", LC_SET_DURATION, offsetof(struct lc_interest_config, ttl), .fallback = "0",
		.min = 0, .max = 3.2e10, .apply = LC_APPLY_LIVE,
		.help = "drop portfolios that said nothing for so long; 0: never"},
	{"group", LC_SET_STRING, offsetof(struct lc_interest_config, group),
		.fallback = "data_manager_interest_", .apply = LC_APPLY_RESTART,
		.help = "prefix of the group under which interest offsets are committed, for lag "
			"monitors; the node id follows"},
	{"store", LC_SET_ENUM, offsetof(struct lc_interest_config, store), .fallback = "embedded",
		.choices = interest_stores, .apply = LC_APPLY_RESTART,
		.help = "where the followed sets survive a restart: embedded (interest.db in "
			"state.dir) or redis (redis.address)"},
};
static const struct lc_setting control_settings[] = {
	{"max_age", LC_SET_DURATION, offsetof(struct lc_control_config, max_age), .fallback = "10m",
		.min = 1000, .max = 8.64e8, .apply = LC_APPLY_LIVE,
		.help = "commands older than this are answered expired and not done"},
	{"group", LC_SET_STRING, offsetof(struct lc_control_config, group),
		.fallback = "data_manager_control_", .apply = LC_APPLY_RESTART,
		.help = "prefix of the group under which command offsets are committed; the node "
			"id follows"},
};
static const struct lc_setting shutdown_settings[] = {
	{"timeout", LC_SET_DURATION, offsetof(struct lc_shutdown_config, timeout),
		.fallback = "30s", .min = 0, .max = 3.6e6, .apply = LC_APPLY_LIVE,
		.help = "how long stopping may wait for Kafka to acknowledge what was accepted"},
};
static const struct lc_setting calendar_settings[] = {
	{"always_open", LC_SET_BOOL, offsetof(struct lc_calendar_config, always_open),
		.fallback = "false", .apply = LC_APPLY_RESTART,
		.help = "treat every instant as in session: for the demo and for tests"},
	{"dir", LC_SET_STRING, offsetof(struct lc_calendar_config, dir), .fallback = "",
		.apply = LC_APPLY_LIVE,
		.help = "folder of cn.csv, hk.csv and us.csv, which add days to the built-in "
			"calendars (livecore calendar); empty: none"},
};
static const struct lc_setting backfill_settings[] = {
	{"enabled", LC_SET_BOOL, offsetof(struct lc_backfill_config, enabled), .fallback = "true",
		.apply = LC_APPLY_LIVE,
		.help = "ask vendors over HTTP for what a gap left out, where they offer it"},
	{"max_requests", LC_SET_INT, offsetof(struct lc_backfill_config, max_requests),
		.fallback = "60", .min = 1, .max = 100000, .apply = LC_APPLY_LIVE,
		.help = "requests for one gap, at most; what does not fit stays open, with the "
			"cause budget"},
};
static const struct lc_setting bars_settings[] = {
	{"enabled", LC_SET_BOOL, offsetof(struct lc_bars_config, enabled), .fallback = "true",
		.apply = LC_APPLY_RESTART,
		.help = "make bars from the ticks: for Kafka, the bar store and bar_snapshot"},
	{"periods", LC_SET_LIST, offsetof(struct lc_bars_config, periods),
		.fallback = "1m,5m,15m,30m,60m,1d", .apply = LC_APPLY_LIVE, .check = check_period,
		.help = "which bars are published and stored"},
	{"grace", LC_SET_DURATION, offsetof(struct lc_bars_config, grace), .fallback = "3s",
		.min = 0, .max = 60000, .apply = LC_APPLY_LIVE,
		.help = "a bar closes so long after its end; ticks that come later amend it"},
	{"partial_ms", LC_SET_INT, offsetof(struct lc_bars_config, partial_ms), .fallback = "0",
		.min = 0, .max = 3.6e6, .apply = LC_APPLY_LIVE,
		.help = "open bars are published so often, in milliseconds; 0: never"},
	{"us_extended", LC_SET_BOOL, offsetof(struct lc_bars_config, us_extended),
		.fallback = "false", .apply = LC_APPLY_RESTART,
		.help = "US bars before and after the regular session as well; never part of 1d"},
};

static const struct lc_setting timer_settings[] = {
	{"rules", LC_SET_STRING, offsetof(struct lc_timer_config, rules), .fallback = "",
		.apply = LC_APPLY_LIVE,
		.help = "file of what is sent when; a relative path is looked for beside the "
			"settings file first; empty: run has no timer (whether it has one is "
			"decided at start)"},
};

#define SUPERVISOR(field) offsetof(struct lc_supervisor_config, field)
static const struct lc_setting supervisor_settings[] = {
	{"backoff_min", LC_SET_DURATION, SUPERVISOR(backoff_min), .fallback = "500ms", .min = 1,
		.max = 3.6e6, .apply = LC_APPLY_LIVE,
		.help = "the first wait before reconnecting is between 0 and this; it doubles"},
	{"backoff_max", LC_SET_DURATION, SUPERVISOR(backoff_max), .fallback = "60s", .min = 1,
		.max = 8.64e7, .apply = LC_APPLY_LIVE,
		.help = "the longest wait before reconnecting"},
	{"healthy", LC_SET_DURATION, SUPERVISOR(healthy), .fallback = "60s", .min = 1,
		.max = 8.64e7, .apply = LC_APPLY_LIVE,
		.help = "a session that lives so long resets the backoff"},
	{"alert_after", LC_SET_INT, SUPERVISOR(alert_after), .fallback = "5", .min = 1, .max = 1000,
		.apply = LC_APPLY_LIVE, .help = "failures in a row after which an alert is sent"},
	{"connect_rate", LC_SET_DOUBLE, SUPERVISOR(connect_rate), .fallback = "1", .min = 0.01,
		.max = 1000, .apply = LC_APPLY_LIVE,
		.help = "connections a second that a feeder may open"},
	{"connect_burst", LC_SET_INT, SUPERVISOR(connect_burst), .fallback = "3", .min = 1,
		.max = 1000, .apply = LC_APPLY_LIVE,
		.help = "connections that it may open at once after a quiet time"},
	{"change_rate", LC_SET_DOUBLE, SUPERVISOR(change_rate), .fallback = "10", .min = 0.1,
		.max = 10000, .apply = LC_APPLY_LIVE,
		.help = "changes of what is followed a second that a vendor is told; where it "
			"answers, the messages of one follow one another's answers"},
	{"change_burst", LC_SET_INT, SUPERVISOR(change_burst), .fallback = "20", .min = 1,
		.max = 10000, .apply = LC_APPLY_LIVE,
		.help = "changes that it is told at once after a quiet time"},
};

#define LIVENESS(field) offsetof(struct lc_liveness_config, field)
static const struct lc_setting liveness_settings[] = {
	{"enabled", LC_SET_BOOL, LIVENESS(enabled), .fallback = "true", .apply = LC_APPLY_LIVE,
		.help = "notice feeds that are connected and silent, and do something about it"},
	{"patience", LC_SET_DOUBLE, LIVENESS(patience), .fallback = "25", .min = 5, .max = 1000,
		.apply = LC_APPLY_LIVE,
		.help = "a silence is mute when so many ticks were to be expected in it, by what "
			"was learned"},
	{"min_silence", LC_SET_DURATION, LIVENESS(min_silence), .fallback = "5s", .min = 1000,
		.max = 3.6e6, .apply = LC_APPLY_LIVE, .help = "no shorter silence is mute"},
	{"max_silence", LC_SET_DURATION, LIVENESS(max_silence), .fallback = "5m", .min = 10000,
		.max = 8.64e7, .apply = LC_APPLY_LIVE,
		.help = "a feed of which nothing is known yet is subscribed anew after such a "
			"silence in session, and no more"},
	{"symbol_silence", LC_SET_DURATION, LIVENESS(symbol_silence), .fallback = "60s",
		.min = 5000, .max = 8.64e7, .apply = LC_APPLY_LIVE,
		.help = "no shorter silence of one symbol, while others speak, is a fault"},
	{"grace", LC_SET_DURATION, LIVENESS(grace), .fallback = "10s", .min = 0, .max = 3.6e6,
		.apply = LC_APPLY_LIVE,
		.help = "after an open, or after a feed was subscribed, silence counts only from "
			"then on"},
	{"probe_wait", LC_SET_DURATION, LIVENESS(probe_wait), .fallback = "3s", .min = 100,
		.max = 600000, .apply = LC_APPLY_LIVE,
		.help = "the longest wait for the answer to a probe; then the connection is dead"},
	{"resubscribe_wait", LC_SET_DURATION, LIVENESS(resubscribe_wait), .fallback = "5s",
		.min = 100, .max = 600000, .apply = LC_APPLY_LIVE,
		.help = "for data after subscribing anew, at least; it doubles with each failure"},
	{"reconnect_wait", LC_SET_DURATION, LIVENESS(reconnect_wait), .fallback = "30s", .min = 100,
		.max = 600000, .apply = LC_APPLY_LIVE,
		.help = "for another session, at least, before the next try; it doubles, up to 10 "
			"minutes"},
};
const struct lc_section lc_liveness_section = SECTION(
	liveness, lc_liveness_config, "feeds that are connected and silent");

const struct lc_section lc_supervisor_section = SECTION(
	supervisor, lc_supervisor_config, "how sessions with vendors are kept up");

static const struct lc_section sections_here[] = {
	SECTION(node, lc_node_config, "this process"),
	SECTION(log, lc_log_config, "the log on stderr"),
	SECTION(time, lc_time_config, "times in messages"),
	SECTION(http, lc_http_config, "health, metrics and status over HTTP"),
	SECTION(state, lc_state_config, "what survives a restart"),
	SECTION(symbols, lc_symbols_config, "the symbol table"),
	SECTION(routing, lc_routing_config, "which feeder follows which symbol"),
	SECTION(failover, lc_failover_config, "from a source that fails to the next of its route"),
	SECTION(queue, lc_queue_config, "the bounded queue of each feeder"),
	SECTION(interest, lc_interest_config, "who wants which symbols"),
	SECTION(control, lc_control_config, "commands"),
	SECTION(shutdown, lc_shutdown_config, "stopping"),
	SECTION(calendar, lc_calendar_config, "market sessions"),
	SECTION(bars, lc_bars_config, "bars made from ticks"),
	SECTION(backfill, lc_backfill_config, "what gaps left out, asked for afterwards"),
	SECTION(timer, lc_timer_config, "commands at their times"),
};

#define SECTIONS_MAX 32

const struct lc_section *const *lc_settings_sections(size_t *count)
{
	/* Filled at the first call with the same values each time: as good as a constant. */
	static const struct lc_section *all[SECTIONS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < COUNT(sections_here); i++) {
		all[n++] = &sections_here[i];
	}
	all[n++] = &lc_supervisor_section;
	all[n++] = &lc_liveness_section;
	all[n++] = &lc_kafka_section;
	all[n++] = &lc_topics_section;
	all[n++] = &lc_journal_section;
	all[n++] = &lc_redis_section;
	all[n++] = &lc_store_section;
	for (size_t i = 0; lc_feeders[i] && n < SECTIONS_MAX; i++) {
		all[n++] = lc_feeders[i]->config;
	}
	*count = n;
	return all;
}

enum lc_err lc_settings_state_dir(
	const struct lc_state_config *state, char *out, size_t size, struct lc_error *err)
{
	const char *systemd = getenv("STATE_DIRECTORY"), *home = getenv("HOME");
	int len;
	if (state->dir[0]) {
		len = snprintf(out, size, "%s", state->dir);
	} else if (systemd && *systemd) {
		len = snprintf(out, size, "%s", systemd);
	} else if (home && *home) {
		len = snprintf(out, size, "%s/.local/state/livecore", home);
	} else {
		out[0] = '\0';
		return lc_error_set(
			err, LC_ERR_INVALID, "no home directory to keep state in: set state.dir");
	}
	return (size_t)len < size ? LC_OK
				  : lc_error_set(err, LC_ERR_INVALID,
					    "state.dir: a path of %d bytes is too long", len);
}

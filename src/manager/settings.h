/* The settings of the process that belong to no adapter and no feeder: plain structs, one a
 * section, filled from the typed tables in settings.c. Adapters and feeders bring their own
 * sections; lc_settings_sections() gives all of them. */
#pragma once

#include "livecore/config.h"
#include "livecore/zone.h"

#include <stdbool.h>
#include <stdint.h>

struct lc_node_config {
	char *id; /* "" : the host's name */
};

struct lc_log_config {
	char *level; /* "info,feeder=debug" */
	int format;  /* 0 text, 1 json */
};

struct lc_time_config {
	int format; /* enum lc_time_format */
	char *naive_zone;
};

struct lc_http_config {
	bool enabled;
	char *address;
};

struct lc_state_config {
	char *dir;
};

struct lc_symbols_config {
	int64_t max;
};

struct lc_routing_config {
	struct lc_strings routes;  /* "PATTERN=FEEDER[,FEEDER…]", the first that matches */
	struct lc_strings feeders; /* the feeders that run */
};

struct lc_failover_config {
	int64_t quarantine, quarantine_max, ban_wait; /* ms */
	bool allow_delayed;
};

struct lc_queue_config {
	int64_t size;
	int policy; /* enum lc_queue_policy */
};

enum lc_interest_kept { LC_INTEREST_EMBEDDED, LC_INTEREST_REDIS };

struct lc_interest_config {
	int64_t ttl; /* ms */
	char *group;
	int store; /* enum lc_interest_kept */
};

struct lc_control_config {
	int64_t max_age; /* ms */
	char *group;
};

struct lc_shutdown_config {
	int64_t timeout; /* ms */
};

struct lc_timer_config {
	char *rules;
};

struct lc_bars_config {
	bool enabled;
	struct lc_strings periods; /* "1m" … "1d" */
	int64_t grace;             /* ms */
	int64_t partial_ms;
	bool us_extended;
};

/* The section `backfill`: see manager/backfill.h. */
struct lc_backfill_config {
	bool enabled;
	int64_t max_requests; /* a gap */
};

struct lc_calendar_config {
	bool always_open;
	char *dir;
};

/* Every section of the program: those above, Kafka's, the supervisor's and each feeder's. Static;
 * *count is set. */
const struct lc_section *const *lc_settings_sections(size_t *count);

/* state.dir, or where it is by default. LC_ERR_INVALID: there is no home, or it is too long. */
enum lc_err lc_settings_state_dir(
	const struct lc_state_config *state, char *out, size_t size, struct lc_error *err);

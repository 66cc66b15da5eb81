/* livecore check --connect: everything that the settings name is tried at the same time, and each
 * says what answered, its version as far as it tells one, how long it took, and what to do. */
#pragma once

#include "app/commands.h"
#include "app/process.h"
#include "livecore/bar_store.h"
#include "livecore/feeder.h"
#include "livecore/http_client.h"
#include "livecore/interest_store.h"
#include "livecore/redis.h"
#include "livecore/ws_client.h"

#define LC_CHECK_FEEDERS_MAX 16
#define LC_CHECK_ANSWER_S 15 /* longer nothing is waited for */

struct check;

/* One vendor being tried: its feeder opens a session (a vendor that is polled: with one request)
 * and closes it again. */
struct trial {
	struct check *check; /* borrowed */
	const struct lc_feeder_impl *impl;
	struct lc_feeder *feeder;
	int64_t started_ns;
	bool answered, open;
};

struct check {
	struct lc_process process;
	struct lc_timer *deadline, *progress;
	int64_t started_ns;
	bool kafka_waits; /* for its answer */
	struct lc_ws_hub *ws;
	struct lc_http *http;
	struct lc_symbols *symbols;
	struct lc_interest_store *store;
	struct lc_bar_store *bars;
	char state_dir[512];
	int state_lock; /* -1: not held */
	struct trial trials[LC_CHECK_FEEDERS_MAX];
	size_t trial_count;
	int waiting; /* things that have not answered yet */
	int closing;
	bool failed;
	int64_t store_started_ns, redis_started_ns, bars_started_ns;
	struct lc_redis *redis;
	bool redis_answered;
	const char *symbols_text;
};

/* One line on stdout. */
void lc_check_report(
	struct check *check, const char *what, bool ok, int64_t started_ns, const char *text);
/* The same for what is not tried: how is "off" or "new". */
void lc_check_skip(const char *what, const char *how, const char *why);
/* One thing that was waited for is settled. The last one ends the check. */
void lc_check_settled(struct check *check);

/* Each begins; what takes its time raises check->waiting and ends in lc_check_settled(). */
void lc_check_vendors(struct check *check);
void lc_check_stores(struct check *check);
/* Vendors that did not answer in time are said, and stopped. */
void lc_check_vendors_late(struct check *check);

/* Everything named by the settings of check->process; an exit code. */
int lc_check_connect(struct check *check);

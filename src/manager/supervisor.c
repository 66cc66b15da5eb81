#include "manager/supervisor.h"

#include "livecore/backoff.h"
#include "livecore/limiter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_MAX 100000 /* symbols in one change of a feeder that takes any number */

struct lc_supervisor {
	const struct lc_feeder_impl *impl;
	struct lc_feeder *feeder;         /* owned */
	struct lc_subscriptions *symbols; /* owned */
	const struct lc_supervisor_config *config;
	const struct lc_supervisor_events *events;
	void *owner; /* borrowed */
	struct lc_loop *loop;
	struct lc_timer *timer;    /* the next step: connect, or a change */
	struct lc_timer *pump;     /* gives changes to the vendor */
	struct lc_timer *recovery; /* a session has lived for a healthy while */
	struct lc_backoff backoff;
	struct lc_limiter connects, changes;
	enum lc_feed_state state;
	char reason[256];
	int64_t since_ns;
	uint64_t sessions, reconnects, failures;
	bool open;              /* impl->start() was called and down() has not come */
	bool restart;           /* connect again when the session is closed */
	bool leaving;           /* impl->stop() was called to connect anew */
	bool in_trouble;        /* trouble() was raised */
	bool stands_by;         /* no session without symbols */
	uint32_t *add, *remove; /* scratch for one change, made at need */
	size_t scratch;
};

static const char *const state_names[] = {
	"DISCONNECTED", "CONNECTING", "CONNECTED", "RECONNECTING", "STOPPED", "STANDBY"};

static void enter(struct lc_supervisor *feed, enum lc_feed_state state, const char *reason)
{
	enum lc_feed_state from = feed->state;
	snprintf(feed->reason, sizeof feed->reason, "%s", reason);
	feed->state = state;
	feed->since_ns = lc_loop_mono_ns(feed->loop);
	if (from == state) {
		return;
	}
	feed->events->state(feed->owner, feed, from, state, feed->reason);
}

static void connect_after(struct lc_supervisor *feed, int64_t delay_ms)
{
	lc_timer_start(feed->timer, delay_ms, 0);
}

/* Nobody needs it: what went wrong is over. True when it stands by now. */
static bool stand_by(struct lc_supervisor *feed)
{
	if (!feed->stands_by || lc_subscriptions_counts(feed->symbols).wanted > 0) {
		return false;
	}
	lc_timer_stop(feed->timer);
	enter(feed, LC_FEED_STANDBY, "stands by until a source before it fails");
	feed->failures = 0;
	if (feed->in_trouble) {
		feed->in_trouble = false;
		feed->events->trouble(feed->owner, feed, false, "nothing is asked of it any more");
	}
	return true;
}

/* Limits how fast we connect, then opens a session. */
static void on_connect_due(void *arg)
{
	struct lc_supervisor *feed = arg;
	if (stand_by(feed)) {
		return;
	}
	int64_t wait_ns = lc_limiter_take(&feed->connects, 1, lc_loop_mono_ns(feed->loop));
	if (wait_ns > 0) {
		connect_after(feed, wait_ns / LC_NS_PER_MS + 1);
		return;
	}
	feed->sessions++;
	feed->reconnects += feed->sessions > 1;
	feed->open = true;
	enter(feed, LC_FEED_CONNECTING, "");
	feed->impl->start(feed->feeder);
}

static bool make_scratch(struct lc_supervisor *feed, size_t max)
{
	if (feed->scratch >= max) {
		return true;
	}
	uint32_t *add = realloc(feed->add, max * sizeof *add);
	feed->add = add ? add : feed->add;
	uint32_t *remove = realloc(feed->remove, max * sizeof *remove);
	feed->remove = remove ? remove : feed->remove;
	if (!add || !remove) {
		return false;
	}
	feed->scratch = max;
	return true;
}

static size_t change_size(const struct lc_supervisor *feed)
{
	size_t most = feed->impl->max_change ? feed->impl->max_change(feed->feeder) : 0;
	if (most > 0) {
		return most;
	}
	size_t wanted = lc_subscriptions_counts(feed->symbols).wanted;
	size_t held = lc_subscriptions_counts(feed->symbols).subscribed;
	size_t all = wanted + held + 1;
	return all < BATCH_MAX ? all : BATCH_MAX;
}

/* Gives the vendor the next change, as fast as the limit allows. */
static void on_pump(void *arg)
{
	struct lc_supervisor *feed = arg;
	size_t max = change_size(feed), n_add, n_remove;
	if (feed->state != LC_FEED_CONNECTED || !lc_subscriptions_pending(feed->symbols)) {
		return;
	}
	int64_t wait_ns = lc_limiter_take(&feed->changes, 1, lc_loop_mono_ns(feed->loop));
	if (wait_ns > 0 || !make_scratch(feed, max)) {
		lc_timer_start(feed->pump, wait_ns / LC_NS_PER_MS + 1, 0);
		return;
	}
	if (!lc_subscriptions_next(
		    feed->symbols, max, feed->add, &n_add, feed->remove, &n_remove)) {
		return;
	}
	feed->impl->change(feed->feeder, feed->add, n_add, feed->remove, n_remove);
}

static void pump_soon(struct lc_supervisor *feed)
{
	if (feed->state == LC_FEED_CONNECTED && !lc_timer_active(feed->pump)) {
		lc_timer_start(feed->pump, 0, 0);
	}
}

/* A session has lived for long enough: what went wrong before is over. */
static void on_recovered(void *arg)
{
	struct lc_supervisor *feed = arg;
	feed->failures = 0;
	if (feed->in_trouble) {
		feed->in_trouble = false;
		feed->events->trouble(feed->owner, feed, false, "connected and healthy again");
	}
}

static void give_up(struct lc_supervisor *feed, const char *reason)
{
	enter(feed, LC_FEED_STOPPED, reason);
	feed->events->gave_up(feed->owner, feed, reason);
}

static void count_failure(struct lc_supervisor *feed, const char *reason)
{
	feed->failures++;
	if (!feed->in_trouble && feed->failures >= (uint64_t)feed->config->alert_after) {
		feed->in_trouble = true;
		feed->events->trouble(feed->owner, feed, true, reason);
	}
}

static void retry(struct lc_supervisor *feed, const struct lc_down *why)
{
	if (stand_by(feed)) {
		return;
	}
	int64_t delay_ms = why->wait_ms;
	bool now = why->kind == LC_DOWN_RETRY_NOW && feed->failures == 0;
	/* Also one that we wait for: nothing comes meanwhile. */
	count_failure(feed, why->error.text);
	if (why->kind != LC_DOWN_WAIT) {
		int64_t wait_ns = lc_backoff_down(
			&feed->backoff, lc_loop_random(feed->loop), lc_loop_mono_ns(feed->loop));
		delay_ms = now ? 0 : wait_ns / LC_NS_PER_MS;
	}
	enter(feed, LC_FEED_RECONNECTING, why->error.text);
	connect_after(feed, delay_ms);
}

static void forget_failures(struct lc_supervisor *feed)
{
	feed->failures = 0;
	lc_backoff_init(&feed->backoff, feed->config->backoff_min * LC_NS_PER_MS,
		feed->config->backoff_max * LC_NS_PER_MS, feed->config->healthy * LC_NS_PER_MS);
}

static void use_config(struct lc_supervisor *feed, const struct lc_supervisor_config *config)
{
	feed->config = config;
	forget_failures(feed);
	lc_limiter_configure(
		&feed->connects, config->connect_rate, (unsigned)config->connect_burst);
	lc_limiter_configure(&feed->changes, config->change_rate, (unsigned)config->change_burst);
}

static void init_limits(struct lc_supervisor *feed, const struct lc_supervisor_config *config)
{
	int64_t now_ns = lc_loop_mono_ns(feed->loop);
	lc_limiter_init(
		&feed->connects, config->connect_rate, (unsigned)config->connect_burst, now_ns);
	lc_limiter_init(
		&feed->changes, config->change_rate, (unsigned)config->change_burst, now_ns);
}

const char *lc_feed_state_name(enum lc_feed_state state)
{
	return state_names[state];
}

enum lc_err lc_supervisor_create(
	const struct lc_supervisor_setup *setup, struct lc_supervisor **out, struct lc_error *err)
{
	struct lc_supervisor *feed = calloc(1, sizeof *feed);
	if (!feed) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	feed->impl = setup->impl;
	feed->events = setup->events;
	feed->owner = setup->owner;
	feed->loop = setup->env.loop;
	feed->since_ns = lc_loop_mono_ns(feed->loop);
	init_limits(feed, setup->config);
	use_config(feed, setup->config);
	enum lc_err rc = lc_subscriptions_create(setup->max_symbols, &feed->symbols);
	rc = rc ? rc : lc_timer_create(feed->loop, on_connect_due, feed, &feed->timer);
	rc = rc ? rc : lc_timer_create(feed->loop, on_pump, feed, &feed->pump);
	rc = rc ? rc : lc_timer_create(feed->loop, on_recovered, feed, &feed->recovery);
	if (rc) {
		lc_error_set(err, rc, "%s: %s", feed->impl->name, lc_err_text(rc));
	} else {
		rc = feed->impl->create(&setup->env, &feed->feeder, err);
	}
	if (rc) {
		lc_supervisor_destroy(feed);
		return rc;
	}
	*out = feed;
	return LC_OK;
}

void lc_supervisor_destroy(struct lc_supervisor *feed)
{
	if (!feed) {
		return;
	}
	assert(!feed->open);
	if (feed->feeder) {
		feed->impl->destroy(feed->feeder);
	}
	lc_timer_destroy(feed->timer);
	lc_timer_destroy(feed->pump);
	lc_timer_destroy(feed->recovery);
	lc_subscriptions_destroy(feed->symbols);
	free(feed->add);
	free(feed->remove);
	free(feed);
}

void lc_supervisor_start(struct lc_supervisor *feed)
{
	if (feed->open || lc_timer_active(feed->timer)) {
		feed->restart = feed->open && feed->state == LC_FEED_STOPPED;
		return;
	}
	struct lc_error err;
	if (feed->impl->usable(feed->feeder, &err) != LC_OK) {
		enter(feed, LC_FEED_STOPPED, err.text);
		return;
	}
	forget_failures(feed);
	if (!stand_by(feed)) {
		enter(feed, LC_FEED_DISCONNECTED, "");
		connect_after(feed, 0);
	}
}

static void wake(struct lc_supervisor *feed)
{
	if (feed->state == LC_FEED_STANDBY) {
		lc_supervisor_start(feed);
	}
}

void lc_supervisor_stand_by(struct lc_supervisor *feed, bool stands_by)
{
	feed->stands_by = stands_by;
	if (!stands_by) {
		wake(feed);
	}
}

void lc_supervisor_stop(struct lc_supervisor *feed, const char *reason)
{
	lc_timer_stop(feed->timer);
	lc_timer_stop(feed->pump);
	lc_timer_stop(feed->recovery);
	feed->restart = false;
	if (feed->state == LC_FEED_STOPPED) {
		return;
	}
	enter(feed, LC_FEED_STOPPED, reason);
	if (feed->open && !feed->leaving) {
		feed->impl->stop(feed->feeder);
	}
}

void lc_supervisor_configure(struct lc_supervisor *feed, const struct lc_supervisor_config *config,
	const void *feeder_config, bool reconnect)
{
	bool was_running = feed->state != LC_FEED_STOPPED;
	use_config(feed, config);
	feed->impl->configure(feed->feeder, feeder_config);
	if (!reconnect || !was_running) {
		return;
	}
	bool open = feed->open;
	lc_supervisor_stop(feed, "reconnecting with new settings");
	if (open) {
		feed->restart = true;
	} else {
		lc_supervisor_start(feed);
	}
}

enum lc_err lc_supervisor_follow(struct lc_supervisor *feed, uint32_t symbol)
{
	enum lc_err rc = lc_subscriptions_follow(feed->symbols, symbol);
	wake(feed);
	pump_soon(feed);
	return rc;
}

void lc_supervisor_leave(struct lc_supervisor *feed, uint32_t symbol)
{
	lc_subscriptions_leave(feed->symbols, symbol);
	pump_soon(feed);
}

void lc_supervisor_pause(struct lc_supervisor *feed, bool paused)
{
	if (feed->open) {
		feed->impl->pause(feed->feeder, paused);
	}
}

void lc_supervisor_probe(struct lc_supervisor *feed)
{
	if (feed->state == LC_FEED_CONNECTED && feed->impl->probe) {
		feed->impl->probe(feed->feeder);
	}
}

bool lc_supervisor_resubscribe(struct lc_supervisor *feed, uint32_t symbol)
{
	bool any = false;
	if (feed->state != LC_FEED_CONNECTED) {
		return false;
	}
	if (symbol != LC_SYMBOL_NONE) {
		any = lc_subscriptions_renew(feed->symbols, symbol);
	} else {
		size_t cursor = 0;
		while (lc_subscriptions_each(feed->symbols, &cursor, &symbol)) {
			any |= lc_subscriptions_renew(feed->symbols, symbol);
		}
	}
	pump_soon(feed);
	return any;
}

void lc_supervisor_reconnect(struct lc_supervisor *feed, const char *reason)
{
	if (feed->state != LC_FEED_CONNECTED) {
		return; /* it is at it already */
	}
	lc_timer_stop(feed->pump);
	lc_timer_stop(feed->recovery);
	feed->leaving = true;
	enter(feed, LC_FEED_RECONNECTING, reason);
	feed->impl->stop(feed->feeder);
}

void lc_supervisor_on_up(struct lc_supervisor *feed)
{
	if (feed->state != LC_FEED_CONNECTING) {
		return; /* it is being stopped */
	}
	enter(feed, LC_FEED_CONNECTED, "");
	lc_backoff_up(&feed->backoff, feed->since_ns);
	lc_timer_start(feed->recovery, feed->config->healthy, 0);
	pump_soon(feed);
}

void lc_supervisor_on_down(struct lc_supervisor *feed, const struct lc_down *why)
{
	assert(feed->open);
	bool leaving = feed->leaving;
	feed->open = feed->leaving = false;
	lc_timer_stop(feed->pump);
	lc_timer_stop(feed->recovery);
	lc_subscriptions_reset(feed->symbols);
	if (feed->state == LC_FEED_STOPPED) {
		if (feed->restart) {
			feed->restart = false;
			lc_supervisor_start(feed);
		} else {
			feed->events->closed(feed->owner, feed);
		}
		return;
	}
	if (why->kind == LC_DOWN_STOP) {
		give_up(feed, why->error.text);
	} else if (leaving) {
		struct lc_down again = {.kind = LC_DOWN_RETRY_NOW};
		lc_error_set(&again.error, LC_ERR_TIMEOUT, "%s", feed->reason);
		retry(feed, &again);
	} else {
		retry(feed, why);
	}
}

void lc_supervisor_on_changed(struct lc_supervisor *feed)
{
	lc_subscriptions_changed(feed->symbols);
	pump_soon(feed);
}

void lc_supervisor_on_rejected(
	struct lc_supervisor *feed, uint32_t symbol, bool limit, const char *reason)
{
	lc_subscriptions_rejected(feed->symbols, symbol, limit);
	feed->events->rejected(feed->owner, feed, symbol, limit, reason);
}

struct lc_supervisor_status lc_supervisor_status(const struct lc_supervisor *feed)
{
	return (struct lc_supervisor_status){
		.name = feed->impl->name,
		.state = feed->state,
		.reason = feed->reason,
		.since_ns = feed->since_ns,
		.connects = feed->sessions,
		.reconnects = feed->reconnects,
		.failures_in_row = feed->failures,
		.symbols = lc_subscriptions_counts(feed->symbols),
		.changes_pending = lc_timer_active(feed->pump),
	};
}

bool lc_supervisor_open(const struct lc_supervisor *feed)
{
	return feed->open;
}

struct lc_feeder *lc_supervisor_feeder(struct lc_supervisor *feed)
{
	return feed->feeder;
}

const struct lc_subscriptions *lc_supervisor_subscriptions(const struct lc_supervisor *feed)
{
	return feed->symbols;
}

/* The feeds of a manager without Kafka and without a network: vendors that do what the test says, a
 * clock that the test moves on, and what was appended for Kafka. `lc_feeders` and the clock are the
 * test's own, in place of the library's. */
#pragma once

#include "manager/manager_priv.h"
#include "outbox_fixture.h"
#include "scratch.h"
#include "settings_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define VENDORS 4
#define SYMBOLS_MAX 8192
#define PAGE 100 /* symbols in one backfill */

/* --- the clock: the machine's, and what the test let pass --- */

static int64_t passed_ns;

static inline int64_t machine_ns(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return now.tv_sec * LC_NS_PER_S + now.tv_nsec;
}

int64_t lc_clock_wall_ns(const struct lc_clock *clock)
{
	(void)clock;
	return machine_ns(CLOCK_REALTIME) + passed_ns;
}

void lc_clock_tape_advance(struct lc_clock *clock, int64_t event_ns)
{
	(void)clock;
	(void)event_ns;
}

int64_t lc_clock_mono_ns(void)
{
	return machine_ns(CLOCK_MONOTONIC) + passed_ns;
}

int64_t lc_clock_thread_cpu_ns(void)
{
	return machine_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* --- the vendors --- */

/* By source. It answers from its timer only, as the interface wants. */
static struct vendor {
	struct lc_feeder base;
	bool unusable, mute; /* mute: it does not answer when a session is opened */
	bool open;
	struct lc_down down;
	enum { ANSWER_NONE, ANSWER_UP, ANSWER_DOWN, ANSWER_FILLED } answer;
	struct lc_timer *timer;
	bool has[SYMBOLS_MAX];
	size_t held;
	int starts, probes, renewed; /* renewed: symbols taken out of a session */
	int64_t heard_ns;
	struct lc_backfill asked; /* last; its symbols are borrowed */
	size_t requests;
	bool keeps_requests;
} vendors[VENDORS];

static inline struct vendor *vendor_of(const struct lc_feeder *feeder)
{
	return &vendors[feeder->env.source];
}

static inline void vendor_answer(struct vendor *vendor, int answer)
{
	vendor->answer = answer;
	lc_timer_start(vendor->timer, 0, 0);
}

static inline void vendor_fill(struct vendor *vendor)
{
	int64_t reached_ns[PAGE];
	for (size_t i = 0; i < PAGE; i++) {
		reached_ns[i] = vendor->asked.until_ns + 1;
	}
	const struct lc_backfill_end end = {.why = "", .requests = 1, .reached_ns = reached_ns};
	vendor->base.env.host->backfill_end(&vendor->base, &end);
}

static inline void vendor_on_timer(void *arg)
{
	struct vendor *vendor = arg;
	const struct lc_feeder_host *host = vendor->base.env.host;
	int answer = vendor->answer;
	vendor->answer = ANSWER_NONE;
	if (answer == ANSWER_UP) {
		vendor->heard_ns = lc_clock_mono_ns();
		host->up(&vendor->base);
	} else if (answer == ANSWER_DOWN) {
		struct lc_down down = vendor->down;
		vendor->down = (struct lc_down){0};
		vendor->open = false;
		memset(vendor->has, 0, sizeof vendor->has);
		vendor->held = 0;
		host->down(&vendor->base, &down);
	} else if (answer == ANSWER_FILLED) {
		vendor_fill(vendor);
	}
}

/* Its session breaks off. */
static inline void vendor_drop(int source, enum lc_down_kind kind, int64_t wait_ms, const char *why)
{
	struct vendor *vendor = &vendors[source];
	cr_assert(vendor->open);
	vendor->down = (struct lc_down){.kind = kind, .wait_ms = wait_ms};
	lc_error_set(&vendor->down.error, LC_ERR_IO, "%s", why);
	vendor_answer(vendor, ANSWER_DOWN);
}

static inline enum lc_err fake_create(
	const struct lc_feeder_env *env, struct lc_feeder **out, struct lc_error *err)
{
	struct vendor *vendor = &vendors[env->source];
	(void)err;
	vendor->base = (struct lc_feeder){.impl = lc_feeders[env->source], .env = *env};
	*out = &vendor->base;
	return lc_timer_create(env->loop, vendor_on_timer, vendor, &vendor->timer);
}

static inline void fake_destroy(struct lc_feeder *feeder)
{
	cr_assert_not(vendor_of(feeder)->open);
	lc_timer_destroy(vendor_of(feeder)->timer);
}

static inline enum lc_err fake_usable(const struct lc_feeder *feeder, struct lc_error *err)
{
	return vendor_of(feeder)->unusable ? lc_error_set(err, LC_ERR_NOT_FOUND, "no key") : LC_OK;
}

static inline void fake_start(struct lc_feeder *feeder)
{
	struct vendor *vendor = vendor_of(feeder);
	vendor->open = true;
	vendor->starts++;
	vendor->heard_ns = 0;
	if (!vendor->mute) {
		vendor_answer(vendor, ANSWER_UP);
	}
}

static inline void fake_stop(struct lc_feeder *feeder)
{
	vendor_drop(feeder->env.source, LC_DOWN_ASKED, 0, "");
}

static inline void fake_change(struct lc_feeder *feeder, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	struct vendor *vendor = vendor_of(feeder);
	for (size_t i = 0; i < n_remove; i++) {
		cr_assert(vendor->has[remove[i]]);
		vendor->has[remove[i]] = false;
	}
	for (size_t i = 0; i < n_add; i++) {
		vendor->has[add[i]] = true;
	}
	vendor->held += n_add - n_remove;
	vendor->renewed += (int)n_remove;
	feeder->env.host->changed(feeder);
}

static inline void fake_pause(struct lc_feeder *feeder, bool paused)
{
	(void)feeder;
	(void)paused;
}

static inline void fake_configure(struct lc_feeder *feeder, const void *config)
{
	(void)feeder;
	(void)config;
}

static inline void fake_probe(struct lc_feeder *feeder)
{
	vendor_of(feeder)->probes++;
}

static inline void fake_signs(const struct lc_feeder *feeder, struct lc_feeder_signs *out)
{
	out->heard_ns = vendor_of(feeder)->heard_ns;
}

static inline size_t fake_most(
	const struct lc_feeder *feeder, enum lc_backfill_kind what, uint32_t symbol)
{
	(void)feeder;
	(void)symbol;
	return what == LC_BACKFILL_TRADES ? PAGE : 0;
}

static inline enum lc_err fake_backfill(struct lc_feeder *feeder, const struct lc_backfill *request)
{
	struct vendor *vendor = vendor_of(feeder);
	vendor->asked = *request;
	vendor->requests++;
	if (!vendor->keeps_requests) {
		vendor_answer(vendor, ANSWER_FILLED);
	}
	return LC_OK;
}

#define FAKE(NAME, ORIGIN)                                                                 \
	{                                                                                  \
		.name = NAME, .origin = ORIGIN,                                            \
		.config = &(const struct lc_section){.name = NAME, .size = 1},             \
		.create = fake_create, .destroy = fake_destroy, .usable = fake_usable,     \
		.start = fake_start, .stop = fake_stop, .change = fake_change,             \
		.pause = fake_pause, .configure = fake_configure, .probe = fake_probe,     \
		.signs = fake_signs, .backfill_most = fake_most, .backfill = fake_backfill \
	}

enum { ONE, TWIN, TWO, THREE };

/* They bear the names of real feeders, which the settings' defaults name. The twin is another way
 * to the vendor of the first. */
static const struct lc_feeder_impl fakes[VENDORS] = {[ONE] = FAKE("eastmoney", "first"),
	[TWIN] = FAKE("fushu", "first"),
	[TWO] = FAKE("tencent", "second"),
	[THREE] = FAKE("alpaca", "third")};

const struct lc_feeder_impl *const lc_feeders[] = {
	&fakes[ONE], &fakes[TWIN], &fakes[TWO], &fakes[THREE], NULL};

/* --- the rig --- */

struct rig {
	struct out out;
	struct lc_manager manager;
	char sets[16][160];
	const char *set[17];
	size_t n_sets;
	char dir[64];
	bool watch_stopped;
	uint64_t trades; /* ids given */
};

static inline void rig_set(struct rig *rig, const char *setting)
{
	cr_assert_lt(rig->n_sets, 16);
	snprintf(rig->sets[rig->n_sets], sizeof rig->sets[0], "%s", setting);
	rig->set[rig->n_sets] = rig->sets[rig->n_sets];
	rig->n_sets++;
}

/* Every symbol's sources, in order. */
static inline void rig_route(struct rig *rig, const char *sources)
{
	char setting[160];
	snprintf(setting, sizeof setting, "routing.routes=\"*=%s\"", sources);
	rig_set(rig, setting);
}

/* Settings come between this and rig_start(). */
static inline void rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof *rig);
	memset(vendors, 0, sizeof vendors);
	passed_ns = 0;
	strcpy(rig->dir, "/tmp/lc_feeds_test_XXXXXX");
	cr_assert(mkdtemp(rig->dir));
	static const char *const sets[] = {"routing.feeders=eastmoney,fushu,tencent,alpaca",
		"symbols.max=8000", "supervisor.backoff_min=1ms", "supervisor.backoff_max=2ms",
		"supervisor.connect_rate=1000", "supervisor.connect_burst=1000",
		"supervisor.change_rate=1000", "supervisor.change_burst=1000"};
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		rig_set(rig, sets[i]);
	}
}

static inline void rig_core(struct rig *rig)
{
	struct lc_manager *manager = &rig->manager;
	struct lc_error err;
	cr_assert_eq(lc_calendar_open(true, NULL, NULL, &manager->calendar, &err), LC_OK);
	cr_assert_eq(lc_symbols_create(SYMBOLS_MAX, 1, &manager->symbols), LC_OK);
	const struct lc_quality_options quality = {.symbols = manager->symbols,
		.calendar = manager->calendar,
		.host = &lc_intake_quality_host,
		.arg = manager};
	cr_assert_eq(lc_quality_create(&quality, &manager->quality), LC_OK);
	cr_assert_eq(
		lc_last_value_create(manager->symbols, manager->calendar, &manager->last), LC_OK);
	manager->feed_of = malloc(SYMBOLS_MAX);
	cr_assert(manager->feed_of);
	memset(manager->feed_of, LC_NO_FEED, SYMBOLS_MAX);
}

static inline void rig_start(struct rig *rig)
{
	struct lc_manager *manager = &rig->manager;
	struct lc_error err;
	out_open(&rig->out, 64 << 20, false);
	manager->loop = rig->out.f.loop;
	manager->log = rig->out.f.log;
	manager->config = settings_made(rig->set);
	manager->journal = rig->out.journal;
	manager->outbox = rig->out.outbox;
	manager->phase = LC_PHASE_LOADING;
	snprintf(manager->state_dir, sizeof manager->state_dir, "%s", rig->dir);
	rig_core(rig);
	cr_assert_eq(
		lc_drain_create(manager->loop, lc_publish_drain, manager, &manager->drain), LC_OK);
	cr_assert_eq(lc_gaps_create(manager->loop, 8000, &manager->outbox, &manager->gaps), LC_OK);
	cr_assert_eq(lc_feeds_create(manager, &err), LC_OK, "%s", err.text);
	cr_assert_eq(lc_watch_create(manager, &manager->watch), LC_OK);
	cr_assert_eq(lc_feed_gaps_create(manager, &manager->feed_gaps), LC_OK);
}

/* It is known who follows what. */
static inline void rig_run(struct rig *rig)
{
	rig->manager.phase = LC_PHASE_RUNNING;
	lc_feed_gaps_known(&rig->manager);
	lc_feed_gaps_started(&rig->manager);
	lc_feeds_start(&rig->manager);
}

static inline void rig_on_tick(uv_timer_t *timer)
{
	(void)timer; /* turns the loop, so that conditions are looked at */
}

static inline void rig_on_closed(uv_handle_t *handle)
{
	*(bool *)handle->data = true;
}

#define RIG_UNTIL(rig, condition)                                                                 \
	do {                                                                                      \
		int64_t give_up = machine_ns(CLOCK_MONOTONIC) + 60 * LC_NS_PER_S;                 \
		uv_loop_t *uv = lc_loop_uv((rig)->out.f.loop);                                    \
		uv_timer_t tick;                                                                  \
		bool closed = false;                                                              \
		uv_timer_init(uv, &tick);                                                         \
		uv_timer_start(&tick, rig_on_tick, 2, 2);                                         \
		while (!(condition)) {                                                            \
			uv_run(uv, UV_RUN_ONCE);                                                  \
			cr_assert_lt(machine_ns(CLOCK_MONOTONIC), give_up, "never: " #condition); \
		}                                                                                 \
		tick.data = &closed;                                                              \
		uv_close((uv_handle_t *)&tick, rig_on_closed);                                    \
		while (!closed) {                                                                 \
			uv_run(uv, UV_RUN_NOWAIT);                                                \
		}                                                                                 \
	} while (0)

/* Lets so much time pass at once. */
static inline void rig_pass(int64_t ms)
{
	passed_ns += ms * LC_NS_PER_MS;
}

static inline uint32_t rig_symbol(struct rig *rig, const char *text)
{
	uint32_t symbol;
	cr_assert_eq(lc_symbols_intern(rig->manager.symbols, text, strlen(text), &symbol), LC_OK);
	return symbol;
}

static inline uint32_t rig_follow(struct rig *rig, const char *text)
{
	uint32_t symbol = rig_symbol(rig, text);
	lc_feeds_follow(&rig->manager, symbol);
	return symbol;
}

/* Starts with three symbols, and waits until the first vendor has them. */
static inline void rig_follow_three(struct rig *rig, uint32_t symbols[3])
{
	static const char *const names[] = {"AAPL", "IBM", "KO"};
	rig_start(rig);
	for (size_t i = 0; i < 3; i++) {
		symbols[i] = rig_follow(rig, names[i]);
	}
	rig_run(rig);
	RIG_UNTIL(rig, vendors[ONE].held == 3);
}

/* A trade, as it happens now. */
static inline struct lc_tick rig_trade(struct rig *rig, int source, uint32_t symbol)
{
	int64_t now_ns = lc_clock_wall_ns(NULL);
	return (struct lc_tick){.symbol = symbol,
		.kind = LC_TICK_TRADE,
		.effect = LC_UPDATES_ALL,
		.source = (uint8_t)source,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_TRADE_ID | LC_HAS_EVENT_TIME,
		.event_ns = now_ns,
		.received_ns = now_ns,
		.received_mono_ns = lc_clock_mono_ns(),
		.trade_id = ++rig->trades,
		.price = {.mantissa = 1050, .exponent = -2},
		.volume = {.mantissa = 100}};
}

static inline void rig_give(int source, const struct lc_tick *tick)
{
	vendors[source].heard_ns = tick->received_mono_ns;
	lc_intake_host.tick(&vendors[source].base, tick);
}

static inline void rig_tick(struct rig *rig, int source, uint32_t symbol)
{
	const struct lc_tick tick = rig_trade(rig, source, symbol);
	rig_give(source, &tick);
}

/* The next record of this type, or with this alert_type, and of this topic; false: there is
 * none. */
static inline bool rig_next(struct rig *rig, enum lc_topic topic, const char *type)
{
	while (out_next(&rig->out)) {
		const char *path = topic == LC_TOPIC_EVENTS ? "type" : "data.alert_type";
		if (rig->out.record.topic == topic && out_is(&rig->out, path, type)) {
			return true;
		}
	}
	return false;
}

static inline bool rig_event(struct rig *rig, const char *type)
{
	return rig_next(rig, LC_TOPIC_EVENTS, type);
}

static inline bool rig_alert(struct rig *rig, const char *type)
{
	return rig_next(rig, LC_TOPIC_NOTIFICATIONS, type);
}

static inline void rig_on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static inline bool rig_sessions(void)
{
	bool open = false;
	for (int i = 0; i < VENDORS; i++) {
		open |= vendors[i].open;
	}
	return open;
}

static inline void rig_close(struct rig *rig)
{
	struct lc_manager *manager = &rig->manager;
	struct lc_watch *watch = manager->watch;
	manager->phase = LC_PHASE_LOADING; /* nothing is said about what ends now */
	manager->watch = NULL;
	lc_watch_stop(watch, rig_on_stopped, &rig->watch_stopped);
	for (size_t i = 0; i < manager->feed_count; i++) {
		lc_supervisor_stop(manager->feeds[i].supervisor, "the end");
	}
	RIG_UNTIL(rig, !rig_sessions() && rig->watch_stopped);
	lc_feed_gaps_destroy(manager->feed_gaps);
	manager->feed_gaps = NULL;
	lc_feeds_destroy(manager);
	lc_gaps_destroy(manager->gaps);
	lc_drain_destroy(manager->drain);
	lc_quality_destroy(manager->quality);
	lc_last_value_destroy(manager->last);
	lc_symbols_destroy(manager->symbols);
	lc_calendar_destroy(manager->calendar);
	free(manager->feed_of);
	lc_config_destroy(manager->config);
	rig->out.outbox = manager->outbox;
	out_close(&rig->out);
	scratch_remove(rig->dir);
}

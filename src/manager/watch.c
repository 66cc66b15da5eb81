#include "manager/watch.h"

#include "manager/failover.h"
#include "manager/manager_priv.h"
#include "manager/watch_keeper.h"
#include "manager/watch_say.h"

#include <stdlib.h>

#define TURN_MS 250
#define VISITS_A_TURN 2000 /* about 0.1 ms, at most 0.3 */
#define FRESH_NS (60 * LC_NS_PER_S)
#define RENEWALS_A_MINUTE 50 /* of single silent symbols, a feed */

struct lc_watch {
	struct lc_manager *manager; /* borrowed */
	const struct lc_liveness_config *config;
	struct lc_liveness *live;
	struct lc_watch_keeper *keeper;
	struct lc_timer *timer;
	uint32_t next; /* the symbol to be visited next */
	struct lc_watch_feed feeds[LC_FEEDS_MAX];
	void (*done)(void *arg);
	void *done_arg;
};

/* --- what the stages do --- */

static void fail_over(struct lc_feed *feed, struct lc_watch_feed *side, const char *why)
{
	side->moved = lc_failover_leave(feed, why);
	/* Left or not, only another session can make it well. */
	lc_supervisor_reconnect(feed->supervisor, why);
}

static void act(struct lc_feed *feed, struct lc_watch_feed *side, const struct lc_live_step *step)
{
	char why[200];
	lc_watch_why(step, why, sizeof why);
	if (step->stage == LC_STAGE_RESUBSCRIBE || step->stage == LC_STAGE_RECONNECT ||
		step->stage == LC_STAGE_FAIL_OVER) {
		lc_feed_gaps_lost(feed, LC_GAP_MUTE, why); /* while it is known what it held */
	}
	switch (step->stage) {
	case LC_STAGE_PROBE:
		lc_supervisor_probe(feed->supervisor);
		break;
	case LC_STAGE_RESUBSCRIBE:
		lc_supervisor_resubscribe(feed->supervisor, LC_SYMBOL_NONE);
		break;
	case LC_STAGE_RECONNECT:
		lc_supervisor_reconnect(feed->supervisor, why);
		break;
	case LC_STAGE_FAIL_OVER:
		fail_over(feed, side, why);
		break;
	case LC_STAGE_OVER:
		if (side->moved) {
			lc_failover_recovered(feed);
		}
		side->moved = false;
		break;
	default:
		break;
	}
}

static struct lc_live_link link_of(const struct lc_feed *feed, const struct lc_watch_feed *side)
{
	struct lc_supervisor_status status = lc_supervisor_status(feed->supervisor);
	struct lc_feeder_signs signs = {0};
	size_t answered = status.symbols.subscribed + status.symbols.rejected +
			  status.symbols.over_limit;
	bool up = status.state == LC_FEED_CONNECTED;
	if (up && feed->impl->signs) {
		feed->impl->signs(lc_supervisor_feeder(feed->supervisor), &signs);
	}
	return (struct lc_live_link){.connected = up,
		.stopped = status.state == LC_FEED_STOPPED || status.state == LC_FEED_STANDBY,
		.session = status.connects,
		.settled = answered >= status.symbols.wanted,
		.reading = !feed->paused,
		.moved = side->moved,
		.heard_ns = signs.heard_ns,
		.cadence_ns = signs.cadence_ns};
}

/* --- markets --- */

static void renew_market(struct lc_feed *feed, enum lc_market market)
{
	const struct lc_manager *manager = feed->manager;
	size_t count = lc_symbols_count(manager->symbols);
	for (uint32_t symbol = 0; symbol < count; symbol++) {
		if (manager->feed_of[symbol] == feed->index &&
			lc_symbols_get(manager->symbols, symbol)->market == market) {
			lc_supervisor_resubscribe(feed->supervisor, symbol);
		}
	}
}

static void judge_market(struct lc_watch *watch, struct lc_feed *feed, enum lc_market market,
	const struct lc_live_link *link)
{
	struct lc_live_step step;
	enum lc_live_part part = lc_liveness_part(watch->live, feed->index, market, link, &step);
	if (part == LC_PART_FINE) {
		return;
	}
	if (part == LC_PART_ASK_AGAIN) {
		char why[200];
		lc_watch_why(&step, why, sizeof why);
		lc_feed_gaps_market(feed, market, why);
		renew_market(feed, market);
	}
	lc_watch_say_part(feed, &watch->feeds[feed->index], market, part, &step);
}

/* --- feeds --- */

static void judge_feed(struct lc_watch *watch, struct lc_feed *feed)
{
	struct lc_watch_feed *side = &watch->feeds[feed->index];
	struct lc_live_link link = link_of(feed, side);
	struct lc_live_step step;
	lc_liveness_feed(watch->live, feed->index, &link, &step);
	if (step.stage != LC_STAGE_NONE) {
		act(feed, side, &step);
		lc_watch_say_stage(feed, side, &step);
	}
	for (int market = 0; market < LC_MARKETS; market++) {
		judge_market(watch, feed, (enum lc_market)market, &link);
	}
}

/* --- symbols --- */

static void judge_symbol(struct lc_watch *watch, uint32_t symbol)
{
	struct lc_manager *manager = watch->manager;
	uint8_t index = manager->feed_of[symbol];
	struct lc_feed *feed = index != LC_NO_FEED ? &manager->feeds[index] : NULL;
	const struct lc_last *last = feed ? lc_last_value_get(manager->last, symbol) : NULL;
	bool held = feed &&
		    lc_subscriptions_held(lc_supervisor_subscriptions(feed->supervisor), symbol);
	enum lc_live_symbol verdict = lc_liveness_visit(
		watch->live, symbol, index, held, last && last->halted);
	if (verdict == LC_SYMBOL_FINE || !feed) {
		return;
	}
	struct lc_watch_feed *side = &watch->feeds[index];
	if (verdict == LC_SYMBOL_ASK_AGAIN && side->renewals < RENEWALS_A_MINUTE) {
		side->renewals++;
		++*side->counted[LC_WATCH_SYMBOL];
		lc_supervisor_resubscribe(feed->supervisor, symbol);
	} else if (verdict == LC_SYMBOL_SILENT) {
		lc_watch_add_silent(feed, side, symbol);
	}
}

static void judge_symbols(struct lc_watch *watch)
{
	size_t count = lc_symbols_count(watch->manager->symbols);
	size_t most = count < VISITS_A_TURN ? count : VISITS_A_TURN;
	for (size_t n = 0; n < most; n++) {
		watch->next = watch->next < count ? watch->next : 0;
		judge_symbol(watch, watch->next++);
	}
}

static void on_turn(void *arg)
{
	struct lc_watch *watch = arg;
	struct lc_manager *manager = watch->manager;
	int64_t now_ns = lc_loop_mono_ns(manager->loop);
	lc_liveness_turn(watch->live, lc_loop_wall_ns(manager->loop), now_ns);
	for (size_t i = 0; i < manager->feed_count; i++) {
		judge_feed(watch, &manager->feeds[i]);
		lc_watch_say_silent(&manager->feeds[i], &watch->feeds[i], watch->live, now_ns);
	}
	judge_symbols(watch);
}

/* --- what is learned --- */

static bool on_piece(void *arg, uint32_t symbol, const void *data, size_t len)
{
	struct lc_watch *watch = arg;
	int64_t wall_ns = lc_loop_wall_ns(watch->manager->loop);
	return lc_liveness_restore(watch->live, symbol, data, len, wall_ns) == LC_OK;
}

/* --- public --- */

static void configure(struct lc_watch *watch)
{
	bool runs = watch->config->enabled && !watch->manager->options.tape;
	lc_liveness_configure(watch->live, watch->config);
	if (runs && !lc_timer_active(watch->timer)) {
		lc_timer_start(watch->timer, TURN_MS, TURN_MS);
	} else if (!runs && lc_timer_active(watch->timer)) {
		lc_timer_stop(watch->timer);
		for (size_t i = 0; i < watch->manager->feed_count; i++) {
			lc_watch_end_alerts(&watch->manager->feeds[i], &watch->feeds[i]);
		}
	}
}

static enum lc_err create_parts(struct lc_watch *watch)
{
	struct lc_manager *manager = watch->manager;
	const struct lc_symbols_config *symbols = lc_config_section(manager->config, "symbols");
	const struct lc_liveness_options options = {.max_symbols = (size_t)symbols->max,
		.feeds = manager->feed_count,
		.symbols = manager->symbols,
		.calendar = manager->calendar,
		.config = watch->config,
		.mono_ns = lc_loop_mono_ns(manager->loop)};
	enum lc_err rc = lc_liveness_create(&options, &watch->live);
	const struct lc_watch_keeper_setup setup = {.loop = manager->loop,
		.symbols = manager->symbols,
		.max_symbols = (size_t)symbols->max,
		.dir = manager->state_dir,
		.live = watch->live,
		.restore = on_piece,
		.arg = watch};
	rc = rc ? rc : lc_timer_create(manager->loop, on_turn, watch, &watch->timer);
	return rc ? rc : lc_watch_keeper_create(&setup, &watch->keeper);
}

enum lc_err lc_watch_create(struct lc_manager *manager, struct lc_watch **out)
{
	struct lc_watch *watch = calloc(1, sizeof *watch);
	if (!watch) {
		return LC_ERR_NOMEM;
	}
	watch->manager = manager;
	watch->config = lc_config_section(manager->config, "liveness");
	enum lc_err rc = create_parts(watch);
	if (rc != LC_OK) {
		lc_timer_destroy(watch->timer);
		lc_liveness_destroy(watch->live);
		free(watch);
		return rc;
	}
	for (size_t i = 0; i < manager->feed_count; i++) {
		lc_watch_feed_init(&watch->feeds[i], &manager->feeds[i]);
	}
	configure(watch);
	*out = watch;
	return LC_OK;
}

static void on_kept(void *arg)
{
	struct lc_watch *watch = arg;
	void (*done)(void *) = watch->done;
	void *done_arg = watch->done_arg;
	lc_liveness_destroy(watch->live);
	free(watch);
	done(done_arg);
}

void lc_watch_stop(struct lc_watch *watch, void (*done)(void *arg), void *arg)
{
	if (!watch) {
		done(arg);
		return;
	}
	watch->done = done;
	watch->done_arg = arg;
	lc_timer_destroy(watch->timer);
	watch->timer = NULL;
	lc_watch_keeper_stop(watch->keeper, on_kept, watch);
}

void lc_watch_configure(struct lc_watch *watch, const struct lc_liveness_config *config)
{
	if (watch) {
		watch->config = config;
		configure(watch);
	}
}

void lc_watch_tick(struct lc_watch *watch, uint8_t feed, const struct lc_tick *tick, bool news)
{
	if (!watch) {
		return;
	}
	if (watch->manager->feed_of[tick->symbol] != feed) {
		/* What a frozen source says again is old. */
		news = tick->received_ns - tick->event_ns < FRESH_NS;
	}
	if (news) {
		lc_liveness_data(
			watch->live, feed, tick->symbol, tick->event_ns, tick->received_mono_ns);
	} else {
		lc_liveness_same(watch->live, feed, tick->symbol,
			tick->has & LC_HAS_EVENT_TIME ? tick->event_ns : 0, tick->received_mono_ns);
	}
}

void lc_watch_same(struct lc_watch *watch, uint8_t feed, uint32_t symbol, int64_t data_ns)
{
	if (watch) {
		lc_liveness_same(
			watch->live, feed, symbol, data_ns, lc_loop_mono_ns(watch->manager->loop));
	}
}

void lc_watch_status(const struct lc_feed *feed, struct lc_buf *out)
{
	const struct lc_watch *watch = feed->manager->watch;
	struct lc_live_view view;
	if (watch) {
		lc_liveness_view(watch->live, feed->index, &view);
		lc_watch_view_json(&view, watch->config->enabled, out);
	}
}

void lc_watch_trouble(const struct lc_feed *feed, char *out, size_t size)
{
	const struct lc_watch *watch = feed->manager->watch;
	struct lc_live_view view;
	out[0] = '\0';
	if (watch && lc_timer_active(watch->timer)) {
		lc_liveness_view(watch->live, feed->index, &view);
		lc_watch_view_trouble(&view, out, size);
	}
}

void lc_watch_gauges(struct lc_watch *watch)
{
	for (size_t i = 0; watch && i < watch->manager->feed_count; i++) {
		struct lc_live_view view;
		lc_liveness_view(watch->live, (uint8_t)i, &view);
		lc_watch_feed_gauges(&watch->feeds[i], &view);
	}
}

#include "manager/bar_flow_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MS 250

/* Tapes may be of different days, and the loop's clock is that of the newest: each market has its
 * own time then; 0 before its tape begins. */
int64_t bar_flow_market_ns(const struct lc_bar_flow *flow, enum lc_market market)
{
	if (!flow->setup.tape) {
		return lc_loop_wall_ns(flow->setup.loop);
	}
	int64_t newest_ns = lc_bars_watermark(flow->bars, market);
	return newest_ns > 0 ? newest_ns : 0;
}

/* --- what the bars say --- */

static void count_bar(struct lc_bar_flow *flow, const struct lc_bar *bar)
{
	if (!bar->final) {
		++*flow->partials;
	} else if (bar->revision > 0) {
		++*flow->revisions;
	} else {
		++*flow->bars_total[bar->period];
	}
}

static void on_bar(void *arg, const struct lc_bar *bar)
{
	struct lc_bar_flow *flow = arg;
	const struct lc_symbol *symbol = lc_symbols_get(flow->setup.symbols, bar->symbol);
	count_bar(flow, bar);
	if (lc_outbox_bar(flow->setup.outbox, bar, symbol) == LC_OK) {
		flow->said = true;
	} else {
		++*flow->no_room;
	}
	/* An open bar is for who watches; what is stored is final. */
	if (flow->store && bar->final &&
		lc_bar_store_write(flow->store, symbol->text, bar) != LC_OK) {
		++*flow->not_stored;
	}
}

static void on_doubt(void *arg, uint32_t symbol, int64_t start_ns)
{
	struct lc_bar_flow *flow = arg;
	flow->setup.host->doubt(flow->setup.arg, symbol, start_ns);
}

static const struct lc_bars_host bars_host = {.bar = on_bar, .doubt = on_doubt};

void bar_flow_wake(struct lc_bar_flow *flow)
{
	if (flow->said) {
		flow->said = false;
		lc_outbox_wake(flow->setup.outbox);
	}
}

static struct lc_bars_options options_of(
	struct lc_bar_flow *flow, const struct lc_bars_config *config)
{
	struct lc_bars_options options = {.symbols = flow->setup.symbols,
		.calendar = flow->setup.calendar,
		.grace_ns = config->grace * LC_NS_PER_MS,
		.partial_ns = config->partial_ms * LC_NS_PER_MS,
		.us_extended = config->us_extended,
		.host = &bars_host,
		.arg = flow};
	for (size_t i = 0; i < config->periods.count; i++) {
		options.periods |= 1u << lc_period_find(config->periods.items[i]);
	}
	return options;
}

/* --- turns --- */

static bool on_turn_step(void *arg)
{
	struct lc_bar_flow *flow = arg;
	if (flow->cursor != SIZE_MAX) {
		if (!bar_flow_look_at_unseen(flow)) {
			flow->cursor = SIZE_MAX;
		}
		bar_flow_wake(flow);
		return true;
	}
	enum lc_market market = (enum lc_market)flow->market;
	if (!lc_bars_advance(flow->bars, market, bar_flow_market_ns(flow, market))) {
		flow->market++;
	}
	bar_flow_wake(flow);
	return flow->market < LC_MARKETS;
}

static void on_turn_done(void *arg)
{
	struct lc_bar_flow *flow = arg;
	flow->slice = NULL;
}

static void on_turn(void *arg)
{
	struct lc_bar_flow *flow = arg;
	if (flow->slice) {
		return; /* the one before is not done yet */
	}
	flow->cursor = 0;
	flow->market = 0;
	lc_bars_measure(flow->bars); /* one step; how large it is need not be of this moment */
	/* Without memory the next turn tries again: bars close later. */
	lc_slice_start(flow->setup.loop, "bars", on_turn_step, on_turn_done, flow, &flow->slice);
}

/* --- what was kept --- */

static void on_restored(void *arg, uint32_t symbol, int64_t saved_ns)
{
	struct lc_bar_flow *flow = arg;
	flow->held[symbol] = true;
	bar_flow_mark_unseen(flow, symbol, saved_ns);
	lc_bars_saved_at(flow->bars, saved_ns);
	flow->setup.host->saved(flow->setup.arg, saved_ns);
}

static void on_ready(void *arg)
{
	struct lc_bar_flow *flow = arg;
	flow->running = true;
	lc_timer_start(flow->turn, TURN_MS, TURN_MS);
	flow->setup.host->ready(flow->setup.arg);
}

static bool on_holds(void *arg, uint32_t symbol)
{
	const struct lc_bar_flow *flow = arg;
	return flow->held[symbol];
}

static const struct lc_bar_keeper_host keeper_host = {
	.restored = on_restored, .ready = on_ready, .holds = on_holds};

/* --- the store --- */

static void on_store_changed(void *arg)
{
	struct lc_bar_flow *flow = arg;
	struct lc_bar_store_status status = lc_bar_store_status(flow->store);
	struct lc_log *log = lc_loop_log(flow->setup.loop);
	if (status.state == LC_BAR_STORE_DOWN && !flow->store_down) {
		flow->store_down = true;
		lc_log(log, LC_LOG_ERROR, "bars", "store_down", LC_S("backend", status.backend),
			LC_S("error", status.why));
	} else if (status.state == LC_BAR_STORE_UP) {
		lc_log(log, LC_LOG_INFO, "bars", "store_up", LC_S("backend", status.backend),
			LC_S("server", status.server), LC_U("spooled", status.spool_rows));
		flow->store_down = false;
	}
}

/* --- making it --- */

static void make_counters(struct lc_bar_flow *flow)
{
	struct lc_metrics *metrics = lc_loop_metrics(flow->setup.loop);
	for (int period = 0; period < LC_PERIODS; period++) {
		char label[48];
		lc_metrics_label(
			label, sizeof label, "period", lc_period_name((enum lc_period)period));
		flow->bars_total[period] = lc_metrics_counter(
			metrics, "livecore_bars_total", label, "bars closed, by period");
	}
	flow->revisions = lc_metrics_counter(metrics, "livecore_bar_revisions_total", "",
		"closed bars said again because late ticks or corrections amended them");
	flow->partials = lc_metrics_counter(
		metrics, "livecore_bar_partials_total", "", "open bars published");
	const char *name = "livecore_bars_dropped_total",
		   *help = "bars that did not get where they should, by reason";
	flow->no_room = lc_metrics_counter(metrics, name, "reason=\"log_full\"", help);
	flow->not_stored = lc_metrics_counter(metrics, name, "reason=\"store_full\"", help);
}

static enum lc_err open_store(struct lc_bar_flow *flow, struct lc_error *err)
{
	const struct lc_bar_store_options options = {.loop = flow->setup.loop,
		.config = flow->setup.store,
		.state_dir = flow->setup.state_dir,
		.changed = on_store_changed,
		.arg = flow};
	if (flow->setup.store->backend == LC_BARS_NONE) {
		return LC_OK;
	}
	return lc_bar_store_open(&options, &flow->store, err);
}

static enum lc_err make_parts(
	struct lc_bar_flow *flow, const struct lc_bars_config *config, struct lc_error *err)
{
	const struct lc_bars_options options = options_of(flow, config);
	enum lc_err rc = lc_bars_create(&options, &flow->bars);
	rc = rc ? rc : lc_timer_create(flow->setup.loop, on_turn, flow, &flow->turn);
	flow->unseen = calloc(flow->setup.max_symbols, sizeof *flow->unseen);
	flow->held = calloc(flow->setup.max_symbols, sizeof *flow->held);
	if (rc != LC_OK || !flow->unseen || !flow->held) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory for bars");
	}
	const struct lc_bar_keeper_setup keeper = {.loop = flow->setup.loop,
		.symbols = flow->setup.symbols,
		.bars = flow->bars,
		.dir = flow->setup.state_dir,
		.host = &keeper_host,
		.arg = flow};
	rc = open_store(flow, err);
	if (rc == LC_OK && lc_bar_keeper_create(&keeper, &flow->keeper) != LC_OK) {
		rc = lc_error_set(err, LC_ERR_NOMEM, "out of memory for bars");
	}
	return rc;
}

enum lc_err lc_bar_flow_create(
	const struct lc_bar_flow_setup *setup, struct lc_bar_flow **out, struct lc_error *err)
{
	if (!setup->config->enabled) {
		*out = NULL;
		return LC_OK;
	}
	struct lc_bar_flow *flow = calloc(1, sizeof *flow);
	if (!flow) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory for bars");
	}
	flow->setup = *setup;
	flow->setup.config = NULL;
	make_counters(flow);
	*out = flow; /* what was made is the caller's to stop, as with the manager itself */
	return make_parts(flow, setup->config, err);
}

void lc_bar_flow_configure(struct lc_bar_flow *flow, const struct lc_bars_config *config)
{
	if (flow) {
		const struct lc_bars_options options = options_of(flow, config);
		lc_bars_configure(flow->bars, &options);
	}
}

void lc_bar_flow_calendar(struct lc_bar_flow *flow)
{
	if (flow) {
		lc_bars_calendar(flow->bars, flow->setup.calendar);
	}
}

/* --- stopping --- */

static void on_part_closed(void *arg)
{
	struct lc_bar_flow *flow = arg;
	if (--flow->closing > 0) {
		return;
	}
	void (*done)(void *) = flow->done;
	void *done_arg = flow->done_arg;
	lc_timer_destroy(flow->turn);
	lc_bars_destroy(flow->bars);
	free(flow->unseen);
	free(flow->held);
	free(flow);
	done(done_arg);
}

static bool on_end_step(void *arg)
{
	struct lc_bar_flow *flow = arg;
	int64_t now_ns = flow->setup.tape ? 0 : lc_loop_wall_ns(flow->setup.loop);
	bool more = bar_flow_tell_gaps(flow) || lc_bars_flush(flow->bars, now_ns);
	bar_flow_wake(flow);
	return more;
}

static void on_end_done(void *arg)
{
	struct lc_bar_flow *flow = arg;
	flow->slice = NULL;
	flow->end = ENDED;
}

bool lc_bar_flow_end(struct lc_bar_flow *flow)
{
	if (!flow || flow->end == ENDED) {
		return true;
	}
	if (flow->end == GOING_ON) {
		lc_slice_cancel(flow->slice);
		flow->slice = NULL;
		lc_timer_stop(flow->turn);
		flow->cursor = 0;
		flow->end = flow->running ? ENDING : ENDED;
		flow->running = false;
	}
	if (flow->end == ENDING && !flow->slice) {
		/* Without memory it is tried again at the next call. */
		lc_slice_start(
			flow->setup.loop, "end_bars", on_end_step, on_end_done, flow, &flow->slice);
	}
	return flow->end == ENDED;
}

void lc_bar_flow_stop(struct lc_bar_flow *flow, void (*done)(void *arg), void *arg)
{
	if (!flow) {
		done(arg);
		return;
	}
	flow->done = done;
	flow->done_arg = arg;
	flow->closing = 1 + (flow->store != NULL) + (flow->keeper != NULL);
	/* What is not said yet is kept, and said after the next start. */
	(void)lc_bar_flow_end(flow);
	lc_slice_cancel(flow->slice);
	flow->slice = NULL;
	if (flow->keeper) {
		lc_bar_keeper_stop(flow->keeper, on_part_closed, flow);
	}
	if (flow->store) {
		lc_bar_store_close(flow->store, on_part_closed, flow);
	}
	on_part_closed(flow);
}

struct lc_bars *lc_bar_flow_bars(struct lc_bar_flow *flow)
{
	return flow ? flow->bars : NULL;
}

struct lc_bar_store *lc_bar_flow_store(struct lc_bar_flow *flow)
{
	return flow ? flow->store : NULL;
}

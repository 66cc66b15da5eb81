#include "manager/bar_flow_priv.h"

#define LOOKED_A_STEP 300 /* symbols; a gap told to the bars costs about 0.2 us */

static int64_t symbol_ns(const struct lc_bar_flow *flow, uint32_t symbol)
{
	return bar_flow_market_ns(
		flow, (enum lc_market)lc_symbols_get(flow->setup.symbols, symbol)->market);
}

/* --- what was not seen --- */

static void tell_gap(struct lc_bar_flow *flow, uint32_t symbol, int64_t at_ns)
{
	if (at_ns > flow->unseen[symbol]) {
		lc_bars_gap(flow->bars, symbol, flow->unseen[symbol], at_ns);
	}
}

static void seen_again(struct lc_bar_flow *flow, uint32_t symbol, int64_t at_ns)
{
	tell_gap(flow, symbol, at_ns);
	flow->unseen[symbol] = 0;
	flow->open--;
}

void bar_flow_mark_unseen(struct lc_bar_flow *flow, uint32_t symbol, int64_t since_ns)
{
	flow->open += flow->unseen[symbol] == 0;
	flow->unseen[symbol] = since_ns > 0 ? since_ns : 1;
}

/* A gap ends when the vendor has the symbol again, or with its first tick. Until then it is told
 * as far as it has come, so that a bar that closes meanwhile is not called complete. */
static void look_at(struct lc_bar_flow *flow, uint32_t symbol, int64_t at_ns)
{
	if (flow->setup.host->watched(flow->setup.arg, symbol)) {
		seen_again(flow, symbol, at_ns);
	} else {
		tell_gap(flow, symbol, at_ns);
	}
}

/* Everything from the cursor on, LOOKED_A_STEP at a time; true when there is more. */
bool bar_flow_look_at_unseen(struct lc_bar_flow *flow)
{
	size_t count = lc_symbols_count(flow->setup.symbols), left = flow->open ? LOOKED_A_STEP : 0;
	for (; flow->open > 0 && flow->cursor < count; flow->cursor++) {
		uint32_t symbol = (uint32_t)flow->cursor;
		if (flow->unseen[symbol] == 0) {
			continue;
		}
		if (left-- == 0) {
			return true;
		}
		if (flow->setup.host->unwanted(flow->setup.arg, symbol)) {
			lc_bar_flow_leave(flow, symbol); /* it was kept, and nobody wants it */
		} else {
			look_at(flow, symbol, symbol_ns(flow, symbol));
		}
	}
	return false;
}

bool bar_flow_tell_gaps(struct lc_bar_flow *flow)
{
	size_t count = lc_symbols_count(flow->setup.symbols);
	for (int n = 0; n < LOOKED_A_STEP && flow->cursor < count; n++) {
		uint32_t symbol = (uint32_t)flow->cursor++;
		if (flow->unseen[symbol] != 0) {
			tell_gap(flow, symbol, symbol_ns(flow, symbol));
		}
	}
	return flow->cursor < count;
}

/* --- symbols and ticks --- */

enum lc_err lc_bar_flow_follow(struct lc_bar_flow *flow, uint32_t symbol)
{
	if (!flow) {
		return LC_OK;
	}
	enum lc_err rc = lc_bars_follow(flow->bars, symbol, symbol_ns(flow, symbol));
	if (rc == LC_OK) {
		flow->held[symbol] = true;
		lc_bar_flow_lost(flow, symbol); /* until its feed has it */
	}
	return rc;
}

void lc_bar_flow_leave(struct lc_bar_flow *flow, uint32_t symbol)
{
	if (!flow || !flow->held[symbol]) {
		return;
	}
	lc_bars_unfollow(flow->bars, symbol);
	lc_bar_keeper_forget(flow->keeper, symbol);
	flow->held[symbol] = false;
	flow->open -= flow->unseen[symbol] != 0;
	flow->unseen[symbol] = 0;
}

void lc_bar_flow_lost(struct lc_bar_flow *flow, uint32_t symbol)
{
	int64_t at_ns = flow ? symbol_ns(flow, symbol) : 0;
	/* Before a tape begins it is no time at all, and nothing was missed. */
	if (at_ns > 0 && flow->held[symbol] && flow->unseen[symbol] == 0) {
		bar_flow_mark_unseen(flow, symbol, at_ns);
	}
}

void lc_bar_flow_tick(struct lc_bar_flow *flow, const struct lc_tick *tick)
{
	if (!flow || !flow->running) {
		return;
	}
	/* What was received before the gap is still in the queue when it opens. */
	if (flow->unseen[tick->symbol] != 0 && tick->received_ns > flow->unseen[tick->symbol]) {
		seen_again(flow, tick->symbol, tick->received_ns);
	}
	lc_bars_tick(flow->bars, tick);
}

void lc_bar_flow_missed(struct lc_bar_flow *flow, uint32_t symbol, int64_t from_ns, int64_t to_ns)
{
	if (flow && flow->running && flow->held[symbol]) {
		lc_bars_gap(flow->bars, symbol, from_ns, to_ns);
	}
}

void lc_bar_flow_filled(struct lc_bar_flow *flow, uint32_t symbol, int64_t from_ns, int64_t to_ns)
{
	if (!flow || !flow->running || !flow->held[symbol]) {
		return;
	}
	/* That nothing is seen may not have been told yet: it would undo this. */
	if (flow->unseen[symbol] != 0 && flow->setup.host->watched(flow->setup.arg, symbol)) {
		seen_again(flow, symbol, to_ns);
	}
	lc_bars_filled(flow->bars, symbol, from_ns, to_ns);
}

void lc_bar_flow_replace(struct lc_bar_flow *flow, const struct lc_bar *minute)
{
	if (flow && flow->running && flow->held[minute->symbol]) {
		lc_bars_replace(flow->bars, minute);
	}
}

void lc_bar_flow_reference(struct lc_bar_flow *flow, const struct lc_reference *reference)
{
	if (flow && flow->running) {
		lc_bars_reference(flow->bars, reference);
		bar_flow_wake(flow);
	}
}

#include "bars_priv.h"

/* A slice: whichever comes first. About 0.1 ms, half of it for what is done with the bars. */
enum { SLICE_BARS = 32, SLICE_SYMBOLS = 1024, SLICE_ROWS = 800 };

/* When anything of this day is due next, after now_ns. */
static int64_t next_due(const struct day_plan *plan, int64_t now_ns, int64_t grace_ns)
{
	int64_t next = plan->next_ns + grace_ns;
	if (plan->slots > 0 && plan->final_ns > now_ns && plan->final_ns < next) {
		next = plan->final_ns;
	}
	int ended = lc_day_ended(plan, now_ns - grace_ns);
	if (ended < plan->slots) {
		int64_t end = lc_day_slot_start(plan, ended) + MINUTE_NS + grace_ns;
		next = end < next ? end : next;
	}
	return next;
}

static bool begin_round(struct lc_bars *bars, enum lc_market market, int64_t now_ns)
{
	struct market_bars *m = &bars->markets[market];
	bool close = now_ns >= m->next_close_ns;
	bool dirty = m->dirty > 0 && now_ns - m->dirty_ns >= SECOND_NS;
	bool partial = bars->options.partial_ns > 0 &&
		       now_ns - m->partial_ns >= bars->options.partial_ns;
	if (!close && !dirty && !partial) {
		return false;
	}
	if (close) {
		int32_t day = lc_trading_date(bars->options.calendar, market, now_ns);
		m->next_close_ns = next_due(
			lc_bars_plan(bars, market, day), now_ns, bars->options.grace_ns);
	}
	if (dirty) {
		m->dirty = 0;
		m->dirty_ns = now_ns;
	}
	m->partial_ns = partial ? now_ns : m->partial_ns;
	m->round = (struct market_round){
		.active = true, .dirty = dirty, .partial = partial, .now_ns = now_ns};
	return true;
}

static size_t advance_symbol(struct lc_bars *bars, uint32_t index, const struct market_round *round)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	const struct day_plan *plan = lc_bars_plan(bars, (enum lc_market)s->market, s->d.day);
	int64_t grace_ns = bars->options.grace_ns;
	if (plan->slots == 0 || round->now_ns >= plan->next_ns + grace_ns) {
		uint64_t before = bars->stats.bars + bars->stats.revisions;
		lc_bars_finish_day(bars, index);
		return (size_t)(bars->stats.bars + bars->stats.revisions - before);
	}
	int ended = lc_day_ended(plan, round->now_ns - grace_ns);
	size_t said = lc_bars_close(bars, index, plan, ended, round->now_ns >= plan->final_ns);
	if (s->dirty && round->dirty) {
		said += lc_bars_revise(bars, index, plan);
	} else if (s->dirty) {
		/* It was counted in an earlier round that has gone past it, or in none. */
		bars->markets[s->market].dirty += bars->markets[s->market].dirty == 0;
	}
	if (round->partial && s->touched) {
		said += lc_bars_partial(bars, index, plan, round->now_ns);
	}
	return said;
}

bool lc_bars_advance(struct lc_bars *bars, enum lc_market market, int64_t now_ns)
{
	struct market_bars *m = &bars->markets[market];
	now_ns = m->watermark_ns > now_ns ? m->watermark_ns : now_ns;
	if (!m->round.active && !begin_round(bars, market, now_ns)) {
		return false;
	}
	size_t said = 0, looked = 0, work = bars->work;
	for (; m->round.cursor < bars->count; m->round.cursor++) {
		if (said >= SLICE_BARS || ++looked > SLICE_SYMBOLS ||
			bars->work - work >= SLICE_ROWS) {
			return true;
		}
		const struct symbol_bars *s = lc_bars_at(bars, m->round.cursor);
		if (s->followed && s->market == market && s->d.day != INT32_MIN && !s->d.over) {
			said += advance_symbol(bars, (uint32_t)m->round.cursor, &m->round);
		}
	}
	m->round.active = false;
	return false;
}

int64_t lc_bars_watermark(const struct lc_bars *bars, enum lc_market market)
{
	return bars->markets[market].watermark_ns;
}

/* What became dirty in the last round, or was left by it. */
static bool flush_rest(struct lc_bars *bars)
{
	size_t said = 0, looked = 0, work = bars->work;
	for (; bars->flush.cursor < bars->count; bars->flush.cursor++) {
		if (said >= SLICE_BARS || ++looked > SLICE_SYMBOLS ||
			bars->work - work >= SLICE_ROWS) {
			return true;
		}
		struct symbol_bars *s = lc_bars_at(bars, bars->flush.cursor);
		if (s->followed && s->dirty) {
			enum lc_market market = (enum lc_market)s->market;
			said += lc_bars_revise(bars, (uint32_t)bars->flush.cursor,
				lc_bars_plan(bars, market, s->d.day));
		}
	}
	return false;
}

bool lc_bars_flush(struct lc_bars *bars, int64_t now_ns)
{
	struct flush *flush = &bars->flush;
	for (; flush->market < LC_MARKETS; flush->market++) {
		struct market_bars *m = &bars->markets[flush->market];
		if (!flush->begun) {
			flush->begun = true;
			m->round.active = false;
			m->next_close_ns = INT64_MIN;
			m->dirty_ns = INT64_MIN / 2;
		}
		if (lc_bars_advance(bars, (enum lc_market)flush->market, now_ns)) {
			return true;
		}
		flush->begun = false;
	}
	if (flush_rest(bars)) {
		return true;
	}
	*flush = (struct flush){0};
	return false;
}

#include "bars_priv.h"

#include <stdlib.h>
#include <string.h>

enum { MEASURED_A_STEP = 500 };

static void set_options(struct lc_bars *bars, const struct lc_bars_options *options)
{
	bars->options = *options;
	if (bars->options.periods == 0) {
		bars->options.periods = (1u << LC_PERIODS) - 1;
	}
	if (bars->options.grace_ns < 0) {
		bars->options.grace_ns = 3 * SECOND_NS;
	}
	if (bars->options.hole_ns == 0) {
		bars->options.hole_ns = 10 * SECOND_NS;
	}
}

static void forget_plans(struct lc_bars *bars)
{
	for (int i = 0; i < LC_MARKETS; i++) {
		bars->markets[i].plans[0].day = bars->markets[i].plans[1].day = INT32_MIN;
		bars->markets[i].next_close_ns = INT64_MIN;
	}
}

/* As many slots as a day of this market can have: an early close that is taken back must fit. */
static int most_slots(
	const struct lc_bars *bars, enum lc_market market, const struct day_plan *plan)
{
	static const int usual[LC_MARKETS] = {
		[LC_MARKET_CN] = 240, [LC_MARKET_HK] = 330, [LC_MARKET_US] = 390};
	int most = usual[market];
	if (market == LC_MARKET_US && bars->options.us_extended) {
		most = 960;
	}
	return plan->slots > most ? plan->slots : most;
}

const struct day_plan *lc_bars_plan(struct lc_bars *bars, enum lc_market market, int32_t day)
{
	struct market_bars *m = &bars->markets[market];
	for (int i = 0; i < 2; i++) {
		if (m->plans[i].day == day) {
			return &m->plans[i];
		}
	}
	struct day_plan *plan = &m->plans[m->oldest];
	m->oldest = 1 - m->oldest;
	lc_day_plan_make(plan, bars->options.calendar, market, day, bars->options.us_extended,
		bars->options.grace_ns);
	return plan;
}

/* Followed after the first minute began: what was before is not seen. */
static void begin_late(struct symbol_bars *s, const struct day_plan *plan)
{
	int first, last;
	int64_t open_ns = plan->segments[0].from_ns;
	if (s->watch_ns > open_ns && lc_day_overlap(plan, open_ns, s->watch_ns, &first, &last)) {
		lc_symbol_hole(s, first, last);
		s->d.unseen = true;
		s->d.unseen_from_ns = plan->begin_ns;
	}
}

const struct day_plan *lc_bars_enter(
	struct lc_bars *bars, uint32_t index, struct symbol_bars *s, int64_t ns)
{
	enum lc_market market = (enum lc_market)s->market;
	int32_t day = lc_trading_date(bars->options.calendar, market, ns);
	if (day < s->d.day || (day == s->d.day && s->d.over)) {
		bars->stats.other_day++;
		return NULL;
	}
	const struct day_plan *plan = lc_bars_plan(bars, market, day);
	if (plan->slots == 0 || ns < plan->begin_ns) {
		return NULL;
	}
	if (day == s->d.day) {
		return plan;
	}
	lc_bars_finish_day(bars, index);
	/* The day before may have taken the plan's place. */
	plan = lc_bars_plan(bars, market, day);
	lc_symbol_start(s, day);
	if (lc_meta_make(s, most_slots(bars, market, plan)) != LC_OK) {
		bars->stats.no_memory++;
	}
	begin_late(s, plan);
	return plan;
}

void lc_bars_dirty(struct lc_bars *bars, struct symbol_bars *s)
{
	bars->markets[s->market].dirty += !s->dirty;
	s->dirty = true;
}

void lc_bars_changed(
	struct lc_bars *bars, struct symbol_bars *s, const struct day_plan *plan, struct row *row)
{
	s->unsaved = s->touched = true;
	if (row) {
		row->flags |= ROW_UNSAVED;
	}
	if (s->d.day_said) {
		s->d.day_dirty = true;
		lc_bars_dirty(bars, s);
	}
	if (!row || row->slot >= s->d.closed_to) {
		return;
	}
	row->flags |= ROW_DIRTY;
	lc_bars_dirty(bars, s);
	const struct segment *segment = lc_day_segment(plan, row->slot);
	for (enum lc_period p = LC_PERIOD_5M; p < LC_PERIOD_1D; p++) {
		int minutes = lc_period_minutes(p), into = row->slot - segment->first;
		int first = segment->first + into / minutes * minutes;
		int end = first + minutes, segment_end = segment->first + segment->count;
		uint16_t *meta = lc_meta_at(s, p, (int)(segment - plan->segments), first);
		if (meta && (end < segment_end ? end : segment_end) <= s->d.closed_to) {
			*meta |= META_DIRTY;
			s->meta_unsaved = true;
		}
	}
}

static struct symbol_bars *symbol_at(const struct lc_bars *bars, uint32_t symbol)
{
	bool followed = symbol < bars->count && lc_bars_at(bars, symbol)->followed;
	return followed ? lc_bars_at(bars, symbol) : NULL;
}

static enum lc_err reserve(struct lc_bars *bars, uint32_t symbol)
{
	while (bars->count <= symbol) {
		size_t blocks = bars->count / BLOCK_SYMBOLS;
		struct symbol_bars **grown = realloc(
			bars->blocks, (blocks + 1) * sizeof(struct symbol_bars *));
		if (!grown) {
			return LC_ERR_NOMEM;
		}
		bars->blocks = grown;
		grown[blocks] = calloc(BLOCK_SYMBOLS, sizeof *grown[blocks]);
		if (!grown[blocks]) {
			return LC_ERR_NOMEM;
		}
		bars->count += BLOCK_SYMBOLS;
	}
	return LC_OK;
}

enum lc_err lc_bars_create(const struct lc_bars_options *options, struct lc_bars **out)
{
	struct lc_bars *bars = calloc(1, sizeof *bars);
	if (!bars) {
		return LC_ERR_NOMEM;
	}
	set_options(bars, options);
	forget_plans(bars);
	for (int i = 0; i < LC_MARKETS; i++) {
		bars->markets[i].watermark_ns = INT64_MIN;
		bars->markets[i].dirty_ns = bars->markets[i].partial_ns = INT64_MIN / 2;
	}
	*out = bars;
	return LC_OK;
}

void lc_bars_destroy(struct lc_bars *bars)
{
	if (!bars) {
		return;
	}
	for (size_t i = 0; i < bars->count; i++) {
		lc_rows_free(lc_bars_at(bars, i));
		free(lc_bars_at(bars, i)->meta);
	}
	for (size_t i = 0; i < bars->count / BLOCK_SYMBOLS; i++) {
		free(bars->blocks[i]);
	}
	free(bars->blocks);
	free(bars);
}

void lc_bars_configure(struct lc_bars *bars, const struct lc_bars_options *options)
{
	struct lc_bars_options wanted = bars->options;
	wanted.periods = options->periods;
	wanted.grace_ns = options->grace_ns;
	wanted.partial_ns = options->partial_ns;
	set_options(bars, &wanted);
	forget_plans(bars);
}

void lc_bars_calendar(struct lc_bars *bars, struct lc_calendar *calendar)
{
	bars->options.calendar = calendar;
	forget_plans(bars);
}

enum lc_err lc_bars_follow(struct lc_bars *bars, uint32_t symbol, int64_t now_ns)
{
	if (symbol_at(bars, symbol)) {
		return LC_OK;
	}
	enum lc_err rc = reserve(bars, symbol);
	if (rc != LC_OK) {
		return rc;
	}
	struct symbol_bars *s = lc_bars_at(bars, symbol);
	*s = (struct symbol_bars){.followed = true, .unsaved = true, .watch_ns = now_ns};
	s->market = lc_symbols_get(bars->options.symbols, symbol)->market;
	s->d.day = INT32_MIN;
	bars->stats.symbols++;
	return LC_OK;
}

void lc_bars_unfollow(struct lc_bars *bars, uint32_t symbol)
{
	struct symbol_bars *s = symbol_at(bars, symbol);
	if (!s) {
		return;
	}
	lc_rows_free(s);
	free(s->meta);
	*s = (struct symbol_bars){0};
	bars->stats.symbols--;
}

void lc_bars_tick(struct lc_bars *bars, const struct lc_tick *tick)
{
	struct symbol_bars *s = symbol_at(bars, tick->symbol);
	if (!s) {
		bars->stats.unfollowed++;
		return;
	}
	struct market_bars *m = &bars->markets[s->market];
	if (tick->event_ns > m->watermark_ns) {
		m->watermark_ns = tick->event_ns;
	}
	switch (tick->kind) {
	case LC_TICK_TRADE:
		lc_bars_trade(bars, tick->symbol, tick);
		break;
	case LC_TICK_SNAPSHOT:
		lc_bars_snapshot(bars, tick->symbol, tick);
		break;
	case LC_TICK_CORRECTION:
	case LC_TICK_CANCEL:
		lc_bars_cancel(bars, tick->symbol, tick);
		break;
	default:
		break;
	}
}

/* The vendor's session, never less than it was said to be. */
static void refer_prices(struct day_state *d, const struct lc_reference *reference)
{
	struct session_values *session = &d->session;
	uint32_t has = reference->has;
	if (has & LC_HAS_OPEN) {
		session->open = reference->open;
	}
	if (has & LC_HAS_HIGH && (!(session->has & LC_HAS_HIGH) ||
					 lc_decimal_compare(reference->high, session->high) > 0)) {
		session->high = reference->high;
	}
	if (has & LC_HAS_LOW && (!(session->has & LC_HAS_LOW) ||
					lc_decimal_compare(reference->low, session->low) < 0)) {
		session->low = reference->low;
	}
	session->price = has & LC_HAS_PRICE ? reference->price : session->price;
	session->has |= has & (LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW | LC_HAS_PRICE);
}

void lc_bars_reference(struct lc_bars *bars, const struct lc_reference *reference)
{
	struct symbol_bars *s = symbol_at(bars, reference->symbol);
	if (!s) {
		return;
	}
	const struct day_plan *plan = lc_bars_enter(
		bars, reference->symbol, s, reference->event_ns);
	struct day_state *d = &s->d;
	if (reference->has & LC_HAS_PREV_CLOSE && !(d->session.has & LC_HAS_PREV_CLOSE)) {
		d->session.prev_close = reference->prev_close;
		d->session.has |= LC_HAS_PREV_CLOSE;
	}
	if (!plan || d->snapshots || !(reference->has & LC_HAS_VOLUME)) {
		return;
	}
	refer_prices(d, reference);
	if (lc_decimal_compare(reference->volume, d->volume) > 0) {
		d->volume = reference->volume;
	}
	if (reference->has & LC_HAS_AMOUNT &&
		lc_decimal_compare(reference->amount, d->amount) > 0) {
		d->amount = reference->amount;
		d->session.has |= LC_HAS_AMOUNT;
	}
	if (reference->event_ns > d->covered_ns) {
		d->covered_ns = reference->event_ns;
	}
	d->day_doubt = false;
	lc_bars_changed(bars, s, plan, NULL);
}

/* Rows of slots [first, last] that were whole before and are not any more are said again. */
static void doubt_rows(struct lc_bars *bars, struct symbol_bars *s, const struct day_plan *plan,
	const struct day_state *before, int first, int last)
{
	struct rows_view view;
	const struct row *seen;
	lc_rows_view(&view, s);
	for (int at = lc_row_from(s, first); (seen = lc_row_until(&view, at, last)); at++) {
		if (lc_day_has_hole(before, seen->slot, seen->slot)) {
			continue;
		}
		struct row *row = lc_row_edit(s, at);
		if (row) {
			lc_bars_changed(bars, s, plan, row);
		}
		lc_rows_view(&view, s); /* it may have left its chunk */
	}
}

void lc_bars_gap(struct lc_bars *bars, uint32_t symbol, int64_t from_ns, int64_t to_ns)
{
	struct symbol_bars *s = symbol_at(bars, symbol);
	const struct day_plan *plan = s ? lc_bars_enter(bars, symbol, s, to_ns) : NULL;
	if (!plan) {
		return;
	}
	from_ns = from_ns > plan->begin_ns ? from_ns : plan->begin_ns;
	if (s->d.snapshots && to_ns - from_ns <= bars->options.hole_ns) {
		return; /* samples are no closer than that at times */
	}
	int first, last;
	if (lc_day_overlap(plan, from_ns, to_ns, &first, &last)) {
		/* Told again and again as it grows: only what is new is looked at. */
		const struct day_state before = s->d;
		struct hole hole = lc_symbol_hole(s, first, last);
		doubt_rows(bars, s, plan, &before, hole.first, hole.last);
	}
	if (!s->d.unseen) {
		s->d.unseen = true;
		s->d.unseen_from_ns = from_ns;
	}
	s->unsaved = true;
}

static void fill_hole(struct day_state *d, int first, int last)
{
	int n = 0;
	struct hole kept[HOLES_MAX];
	for (int i = 0; i < d->n_holes; i++) {
		struct hole hole = d->holes[i];
		/* One that is filled in its middle stays whole: there is no telling it in two when
		 * all places are taken. */
		if (hole.first >= first && hole.last <= last) {
			continue;
		}
		if (hole.first >= first && hole.first <= last) {
			hole.first = (int16_t)(last + 1);
		} else if (hole.last >= first && hole.last <= last) {
			hole.last = (int16_t)(first - 1);
		}
		kept[n++] = hole;
	}
	memcpy(d->holes, kept, (size_t)n * sizeof *kept);
	d->n_holes = (uint8_t)n;
}

void lc_bars_filled(struct lc_bars *bars, uint32_t symbol, int64_t from_ns, int64_t to_ns)
{
	struct symbol_bars *s = symbol_at(bars, symbol);
	const struct day_plan *plan = s ? lc_bars_enter(bars, symbol, s, to_ns) : NULL;
	int first, last;
	if (!plan || !lc_day_overlap(plan, from_ns, to_ns, &first, &last)) {
		return;
	}
	fill_hole(&s->d, first, last);
	s->unsaved = true;
	int from = lc_row_from(s, first), to = lc_row_from(s, last + 1);
	for (int at = from; at < to; at++) {
		struct row *row = lc_row_edit(s, at);
		if (row) {
			lc_bars_changed(bars, s, plan, row);
		}
	}
}

/* The day moves by what the minute moved, where that was seen here and not counted by a vendor. */
static void move_day(struct day_state *d, struct lc_decimal volume, struct lc_decimal amount)
{
	d->placed = lc_decimal_add(d->placed, volume);
	if (volume.mantissa < 0 || lc_day_unplaced(d).mantissa < 0) {
		struct lc_decimal sum = lc_decimal_add(d->volume, volume);
		struct lc_decimal least = lc_decimal_add(d->placed, d->outside);
		bool more = volume.mantissa < 0;
		d->volume = more && lc_decimal_compare(sum, least) >= 0 ? sum : least;
		d->amount = lc_decimal_add(d->amount, amount);
	}
}

enum lc_err lc_bars_replace(struct lc_bars *bars, const struct lc_bar *minute)
{
	struct symbol_bars *s = symbol_at(bars, minute->symbol);
	const struct day_plan *plan = s ? lc_bars_enter(bars, minute->symbol, s, minute->start_ns)
					: NULL;
	int slot = plan ? lc_day_slot(plan, minute->start_ns) : SLOT_NONE;
	if (slot < 0 || lc_day_slot_start(plan, slot) != minute->start_ns) {
		return LC_ERR_NOT_FOUND;
	}
	struct row *row = lc_row_make(s, slot);
	if (!row) {
		return LC_ERR_NOMEM;
	}
	if (lc_day_segment(plan, slot)->regular && !s->d.snapshots) {
		bool amount = minute->has & LC_BAR_HAS_AMOUNT;
		move_day(&s->d, lc_decimal_sub(minute->volume, ROW_GET(row, volume)),
			amount ? lc_decimal_sub(minute->amount, ROW_GET(row, amount))
			       : (struct lc_decimal){0});
	}
	ROW_SET(row, open, minute->open);
	ROW_SET(row, high, minute->high);
	ROW_SET(row, low, minute->low);
	ROW_SET(row, close, minute->close);
	ROW_SET(row, volume, minute->volume);
	if (minute->has & LC_BAR_HAS_AMOUNT) {
		ROW_SET(row, amount, minute->amount);
	}
	row->flags = (uint8_t)((row->flags & ~ROW_DOUBT) | ROW_LAST | ROW_RANGE);
	fill_hole(&s->d, slot, slot);
	lc_bars_changed(bars, s, plan, row);
	return LC_OK;
}

enum lc_err lc_bars_get(struct lc_bars *bars, uint32_t symbol, enum lc_period period,
	int64_t start_ns, struct lc_bar *out)
{
	struct symbol_bars *s = symbol_at(bars, symbol);
	if (!s || s->d.day == INT32_MIN || period >= LC_PERIOD_1D) {
		return LC_ERR_NOT_FOUND;
	}
	const struct day_plan *plan = lc_bars_plan(bars, (enum lc_market)s->market, s->d.day);
	int slot = lc_day_slot(plan, start_ns);
	if (slot < 0) {
		return LC_ERR_NOT_FOUND;
	}
	const struct segment *segment = lc_day_segment(plan, slot);
	int minutes = lc_period_minutes(period);
	int first = segment->first + (slot - segment->first) / minutes * minutes;
	int last = first + minutes - 1, end = segment->first + segment->count - 1;
	*out = (struct lc_bar){.symbol = symbol, .period = (uint8_t)period};
	last = last < end ? last : end;
	if (!lc_bar_build(s, plan, first, last, out)) {
		return LC_ERR_NOT_FOUND;
	}
	out->final = last < s->d.closed_to;
	if (period == LC_PERIOD_1M) {
		struct rows_view view;
		lc_rows_view(&view, s);
		const struct row *row = lc_row_until(&view, lc_row_from(s, first), first);
		out->revision = row ? row->revision : 0;
	} else {
		const uint16_t *meta = lc_meta_at(
			s, period, (int)(segment - plan->segments), first);
		unsigned said = meta ? *meta & META_COUNT : 0;
		out->revision = said > 0 ? said - 1 : 0;
	}
	return LC_OK;
}

/* The day of the market's latest session that has begun. */
static int32_t session_day(struct lc_bars *bars, enum lc_market market, int64_t now_ns)
{
	int32_t day = lc_trading_date(bars->options.calendar, market, now_ns);
	const struct day_plan *plan = lc_bars_plan(bars, market, day);
	if (plan->slots > 0 && now_ns >= plan->begin_ns) {
		return day;
	}
	int32_t first = day - 30;
	do {
		day--;
	} while (day > first && !lc_calendar_trades_on(bars->options.calendar, market, day, NULL));
	return day;
}

int64_t lc_bars_session_start(struct lc_bars *bars, enum lc_market market, int64_t now_ns)
{
	return lc_bars_plan(bars, market, session_day(bars, market, now_ns))->midnight_ns;
}

enum lc_err lc_bars_day(struct lc_bars *bars, uint32_t symbol, int64_t now_ns, struct lc_bar *out)
{
	struct symbol_bars *s = symbol_at(bars, symbol);
	if (!s || s->d.day != session_day(bars, (enum lc_market)s->market, now_ns)) {
		return LC_ERR_NOT_FOUND;
	}
	const struct day_plan *plan = lc_bars_plan(bars, (enum lc_market)s->market, s->d.day);
	if (!lc_bar_build_day(s, plan, out)) {
		return LC_ERR_NOT_FOUND;
	}
	out->symbol = symbol;
	out->final = s->d.day_said;
	out->revision = s->d.day_revision;
	return LC_OK;
}

bool lc_bars_measure(struct lc_bars *bars)
{
	struct lc_bars_stats *sum = &bars->measured;
	size_t *cursor = &bars->measure_cursor;
	for (size_t n = 0; *cursor < bars->count && n < MEASURED_A_STEP; n++) {
		const struct symbol_bars *s = lc_bars_at(bars, (*cursor)++);
		sum->rows += (size_t)lc_row_count(s);
		sum->memory_bytes += (size_t)s->room * sizeof(struct row) + s->packed_bytes;
		sum->memory_bytes += (size_t)s->chunk_room * sizeof *s->chunks;
		sum->memory_bytes += (size_t)s->n_meta * sizeof(uint16_t);
	}
	if (*cursor < bars->count) {
		return true;
	}
	bars->stats.rows = sum->rows;
	bars->stats.memory_bytes = sizeof *bars + bars->count * sizeof(struct symbol_bars) +
				   sum->memory_bytes;
	*sum = (struct lc_bars_stats){0};
	*cursor = 0;
	return false;
}

struct lc_bars_stats lc_bars_stats(const struct lc_bars *bars)
{
	return bars->stats;
}

#include "bars_priv.h"

/* Open days are saved every 5 s. */
#define UNSAVED_MAX_NS (10 * SECOND_NS)

static const struct lc_decimal zero;

/* 100 x (close - before) / before, rounded half to even to four decimals. */
static struct lc_decimal per_cent(struct lc_decimal change, struct lc_decimal before)
{
	/* Both to a common exponent; beyond 18 digits it is no price. */
	__int128 up = change.mantissa, down = before.mantissa;
	int shift = change.exponent - before.exponent + 6;
	for (; shift > 0 && up < ((__int128)1 << 120) / 10 && up > -((__int128)1 << 120) / 10;
		shift--) {
		up *= 10;
	}
	for (; shift < 0 && down < ((__int128)1 << 120) / 10; shift++) {
		down *= 10;
	}
	__int128 quotient = up / down, rest = up % down;
	__int128 twice = 2 * (rest < 0 ? -rest : rest);
	if (twice > down || (twice == down && quotient % 2 != 0)) {
		quotient += up < 0 ? -1 : 1;
	}
	bool fits = shift == 0 && quotient < INT64_MAX / 10 && quotient > INT64_MIN / 10;
	return fits ? (struct lc_decimal){(int64_t)quotient, -4} : zero;
}

static void set_change(struct lc_bar *bar, bool known, struct lc_decimal before)
{
	if (known && before.mantissa > 0) {
		bar->has |= LC_BAR_HAS_CHANGE;
		bar->change = lc_decimal_sub(bar->close, before);
		bar->change_pct = per_cent(bar->change, before);
	}
}

/* The last eligible price before a row; false when none is known. */
static bool carried(const struct symbol_bars *s, int at, struct lc_decimal *price)
{
	struct rows_view view;
	lc_rows_view(&view, s);
	while (--at >= 0) {
		const struct row *row = lc_row_at(&view, at);
		if (row->flags & ROW_LAST) {
			*price = ROW_GET(row, close);
			return true;
		}
	}
	*price = s->d.session.prev_close;
	return s->d.session.has & LC_HAS_PREV_CLOSE;
}

static void widen(struct lc_bar *bar, struct lc_decimal high, struct lc_decimal low, bool first)
{
	if (first || lc_decimal_compare(high, bar->high) > 0) {
		bar->high = high;
	}
	if (first || lc_decimal_compare(low, bar->low) < 0) {
		bar->low = low;
	}
}

struct sum {
	bool traded, last, range;
	int first_slot; /* with last: where open was traded */
	int32_t first_ms;
};

static void add_row(struct lc_bar *bar, const struct row *row, struct sum *sum)
{
	sum->traded = sum->traded || lc_row_traded(row);
	if (row->flags & (ROW_RANGE | ROW_LAST)) {
		widen(bar, ROW_GET(row, high), ROW_GET(row, low), !sum->range);
		sum->range = true;
	}
	if (row->flags & ROW_LAST) {
		if (!sum->last) {
			bar->open = ROW_GET(row, open);
			sum->first_slot = row->slot;
			sum->first_ms = row->first_ms;
		}
		bar->close = ROW_GET(row, close);
		sum->last = true;
	}
	bar->volume = lc_decimal_add(bar->volume, ROW_GET(row, volume));
	bar->amount = lc_decimal_add(bar->amount, ROW_GET(row, amount));
	bar->tick_count += row->ticks;
}

/* Those from a position on, up to a slot; *first_open (may be NULL): the open of the first. */
static void add_rows(const struct symbol_bars *s, int from, int last, struct lc_bar *bar,
	struct sum *sum, struct lc_decimal *first_open)
{
	struct rows_view view;
	const struct row *row;
	lc_rows_view(&view, s);
	for (int at = from; (row = lc_row_until(&view, at, last)); at++) {
		if (at == from && first_open) {
			*first_open = ROW_GET(row, open);
		}
		add_row(bar, row, sum);
	}
}

/* Trades that make no price have volume all the same: such a bar stays at the price before. */
static void fill_prices(struct lc_bar *bar, const struct sum *sum, struct lc_decimal price)
{
	if (!sum->last) {
		bar->open = bar->close = price;
		widen(bar, price, price, !sum->range);
	}
}

bool lc_bar_build(
	struct symbol_bars *s, const struct day_plan *plan, int first, int last, struct lc_bar *bar)
{
	struct sum sum = {0};
	int from = lc_row_from(s, first);
	struct lc_decimal before = zero, first_open = zero;
	add_rows(s, from, last, bar, &sum, &first_open);
	if (!sum.traded) {
		return false;
	}
	bool known = carried(s, from, &before);
	fill_prices(bar, &sum, known ? before : first_open);
	set_change(bar, known, before);
	bar->has |= !s->d.snapshots || s->d.session.has & LC_HAS_AMOUNT ? LC_BAR_HAS_AMOUNT : 0;
	bar->start_ns = lc_day_slot_start(plan, first);
	bar->end_ns = lc_day_slot_start(plan, last) + MINUTE_NS;
	bar->complete = lc_symbol_whole(s, first, last);
	return true;
}

static void regular_slots(const struct day_plan *plan, int *first, int *last)
{
	*first = plan->slots;
	*last = -1;
	for (int i = 0; i < plan->n_segments; i++) {
		const struct segment *segment = &plan->segments[i];
		if (segment->regular) {
			*first = segment->first < *first ? segment->first : *first;
			*last = segment->first + segment->count - 1;
		}
	}
}

/* Prices that are in no minute. The close is the session's. */
static void add_apart(struct lc_bar *bar, const struct day_plan *plan,
	const struct apart_prices *apart, struct sum *sum)
{
	if (!apart->known) {
		return;
	}
	widen(bar, apart->high, apart->low, !sum->range);
	sum->range = true;
	int64_t row_ns = lc_day_slot_start(plan, sum->first_slot) +
			 sum->first_ms * INT64_C(1000000);
	if (!sum->last || apart->first_ns < row_ns) {
		bar->open = apart->open;
	}
}

/* What the vendor says of the session wins; of trades it can only have missed the newest. */
static void take_session(struct lc_bar *bar, const struct day_state *d, const struct sum *sum)
{
	const struct session_values *session = &d->session;
	bool own = d->snapshots;
	if (session->has & LC_HAS_PRICE && (own || !sum->last)) {
		bar->close = session->price;
	}
	if (d->printed) {
		bar->close = d->print;
	}
	if (!sum->last && !d->apart.known) {
		bar->open = bar->high = bar->low = bar->close;
	}
	bar->open = session->has & LC_HAS_OPEN ? session->open : bar->open;
	own = own && !d->mixed; /* one source may have missed what another saw */
	if (session->has & LC_HAS_HIGH &&
		(own || lc_decimal_compare(session->high, bar->high) > 0)) {
		bar->high = session->high;
	}
	if (session->has & LC_HAS_LOW && (own || lc_decimal_compare(session->low, bar->low) < 0)) {
		bar->low = session->low;
	}
}

/* Of what was traded in a hole the vendor's totals tell the volume, and its open, high and low the
 * prices. Trades alone tell neither; a reference behind the hole does. */
static bool day_complete(
	const struct symbol_bars *s, const struct day_plan *plan, int first, int last)
{
	const struct day_state *d = &s->d;
	bool told = (d->session.has & SESSION_FIELDS) == SESSION_FIELDS;
	if (d->day_doubt || (d->snapshots && told)) {
		return !d->day_doubt;
	}
	for (int i = 0; i < d->n_holes; i++) {
		int64_t end_ns = lc_day_slot_start(plan, d->holes[i].last);
		if (d->holes[i].last >= first && d->covered_ns < end_ns) {
			return false;
		}
	}
	struct rows_view view;
	const struct row *row;
	lc_rows_view(&view, s);
	for (int at = lc_row_from(s, first); (row = lc_row_until(&view, at, last)); at++) {
		if (row->flags & ROW_DOUBT) {
			return false;
		}
	}
	return true;
}

bool lc_bar_build_day(struct symbol_bars *s, const struct day_plan *plan, struct lc_bar *bar)
{
	const struct day_state *d = &s->d;
	struct sum sum = {0};
	int first, last;
	*bar = (struct lc_bar){.period = LC_PERIOD_1D};
	regular_slots(plan, &first, &last);
	add_rows(s, lc_row_from(s, first), last, bar, &sum, NULL);
	add_apart(bar, plan, &d->apart, &sum);
	bool priced = sum.last || d->printed || d->session.has & LC_HAS_PRICE;
	if (d->volume.mantissa <= 0 || !priced) {
		return false;
	}
	take_session(bar, d, &sum);
	bar->volume = d->volume;
	bar->amount = d->amount;
	bar->gap_volume = lc_decimal_sub(d->volume, lc_decimal_add(d->placed, d->outside));
	if (bar->gap_volume.mantissa <= 0) {
		bar->gap_volume = zero;
	}
	bool whole_amount = d->session.has & LC_HAS_AMOUNT ||
			    (!d->snapshots && bar->gap_volume.mantissa == 0);
	bar->has |= whole_amount ? LC_BAR_HAS_AMOUNT : 0;
	bar->tick_count = d->day_ticks;
	bar->start_ns = plan->midnight_ns;
	bar->end_ns = plan->final_ns;
	bar->complete = day_complete(s, plan, first, last);
	set_change(bar, d->session.has & LC_HAS_PREV_CLOSE, d->session.prev_close);
	return true;
}

/* --- saying --- */

static size_t say(struct lc_bars *bars, uint32_t index, struct lc_bar *bar, enum lc_period period,
	uint32_t revision)
{
	bar->symbol = index;
	bar->period = (uint8_t)period;
	bar->revision = revision;
	unsigned wanted = bars->options.periods;
	if (!(wanted & 1u << period)) {
		return 0;
	}
	if (!bar->final) {
		bars->stats.partials++;
	} else if (revision > 0) {
		bars->stats.revisions++;
	} else {
		bars->stats.bars++;
	}
	bars->options.host->bar(bars->options.arg, bar);
	return 1;
}

/* A process that was killed may have said a bar that ended behind its last save: what is said of it
 * now is another revision, or Kafka and the store would keep different ones. */
static bool may_be_said(const struct lc_bars *bars, int64_t end_ns)
{
	int64_t grace_ns = bars->options.grace_ns;
	return bars->saved_ns != 0 && end_ns + grace_ns > bars->saved_ns &&
	       end_ns <= bars->saved_ns + UNSAVED_MAX_NS;
}

static size_t say_minute(struct lc_bars *bars, uint32_t index, const struct day_plan *plan, int at)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	struct row *row = lc_row_edit(s, at);
	if (!row) {
		bars->stats.no_memory++;
		return 0;
	}
	struct lc_bar bar = {.final = true};
	bool said = row->flags & ROW_SAID;
	row->flags = (uint8_t)((row->flags & ~ROW_DIRTY) | ROW_UNSAVED);
	if (!lc_bar_build(s, plan, row->slot, row->slot, &bar)) {
		if (!said) {
			return 0;
		}
		/* All of it was cancelled: it is said without volume, at the price before. */
		struct lc_decimal before = ROW_GET(row, open);
		(void)carried(s, at, &before);
		bar.open = bar.high = bar.low = bar.close = before;
		bar.start_ns = lc_day_slot_start(plan, row->slot);
		bar.end_ns = bar.start_ns + MINUTE_NS;
	}
	said = said || may_be_said(bars, bar.end_ns);
	row->revision = (uint16_t)(row->revision + said);
	row->flags |= ROW_SAID;
	return say(bars, index, &bar, LC_PERIOD_1M, row->revision);
}

/* The slots of the longer bar that a slot is in. */
struct span {
	int segment, first, last;
};

static struct span span_of(const struct day_plan *plan, enum lc_period period, int slot)
{
	const struct segment *segment = lc_day_segment(plan, slot);
	int minutes = lc_period_minutes(period);
	int first = segment->first + (slot - segment->first) / minutes * minutes;
	int last = first + minutes - 1, end = segment->first + segment->count - 1;
	return (struct span){(int)(segment - plan->segments), first, last < end ? last : end};
}

static size_t say_long(struct lc_bars *bars, uint32_t index, const struct day_plan *plan,
	enum lc_period period, const struct span *span)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	uint16_t *meta = lc_meta_at(s, period, span->segment, span->first);
	if (!meta) {
		return 0;
	}
	struct lc_bar bar = {.final = true};
	bars->work += (size_t)(span->last - span->first);
	unsigned said = *meta & META_COUNT;
	*meta = (uint16_t)said;
	if (!lc_bar_build(s, plan, span->first, span->last, &bar)) {
		return 0;
	}
	said = said == 0 && may_be_said(bars, bar.end_ns) ? 1 : said;
	*meta = (uint16_t)(said < META_COUNT ? said + 1 : said);
	s->meta_unsaved = true;
	return say(bars, index, &bar, period, said);
}

/* Longer bars that ended among the slots [from, to). */
static size_t close_long(struct lc_bars *bars, uint32_t index, const struct day_plan *plan,
	enum lc_period period, int from, int to)
{
	size_t said = 0;
	for (int slot = from; slot < to;) {
		struct span span = span_of(plan, period, slot);
		if (span.last >= to) {
			break;
		}
		said += say_long(bars, index, plan, period, &span);
		slot = span.last + 1;
	}
	return said;
}

static size_t say_day(struct lc_bars *bars, uint32_t index, const struct day_plan *plan)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	struct lc_bar bar;
	s->d.day_dirty = false;
	s->unsaved = true;
	bars->work += (size_t)lc_row_count(s);
	if (!lc_bar_build_day(s, plan, &bar)) {
		return 0;
	}
	bar.final = true;
	s->d.day_revision += s->d.day_said || may_be_said(bars, bar.end_ns);
	s->d.day_said = true;
	return say(bars, index, &bar, LC_PERIOD_1D, s->d.day_revision);
}

size_t lc_bars_close(
	struct lc_bars *bars, uint32_t index, const struct day_plan *plan, int to, bool day)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	int from = s->d.closed_to;
	size_t said = 0;
	if (from < to) {
		s->d.closed_to = to;
		s->unsaved = true;
		int end = lc_row_from(s, to);
		for (int at = lc_row_from(s, from); at < end; at++) {
			said += say_minute(bars, index, plan, at);
		}
		for (enum lc_period p = LC_PERIOD_5M; p < LC_PERIOD_1D; p++) {
			/* One that began before `from` ends here. */
			int begin = span_of(plan, p, from).first;
			said += close_long(bars, index, plan, p, begin, to);
		}
		lc_rows_settle(s);
	}
	if (day && !s->d.day_said) {
		said += say_day(bars, index, plan);
	}
	return said;
}

static size_t revise_long(struct lc_bars *bars, uint32_t index, const struct day_plan *plan)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	size_t said = 0;
	/* Fewer than were closed when the calendar now says that the day ended early. */
	int closed = s->d.closed_to < plan->slots ? s->d.closed_to : plan->slots;
	for (enum lc_period p = LC_PERIOD_5M; p < LC_PERIOD_1D; p++) {
		for (int slot = 0; slot < closed;) {
			struct span span = span_of(plan, p, slot);
			uint16_t *meta = lc_meta_at(s, p, span.segment, span.first);
			if (meta && *meta & META_DIRTY) {
				said += say_long(bars, index, plan, p, &span);
			}
			slot = span.last + 1;
		}
	}
	return said;
}

size_t lc_bars_revise(struct lc_bars *bars, uint32_t index, const struct day_plan *plan)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	size_t said = 0;
	s->dirty = false;
	/* None of those in chunks is dirty. */
	int in_chunks = s->n_chunks * CHUNK_ROWS;
	for (int i = 0; i < s->n_rows && s->rows[i].slot < s->d.closed_to; i++) {
		if (s->rows[i].flags & ROW_DIRTY) {
			said += say_minute(bars, index, plan, in_chunks + i);
		}
	}
	said += revise_long(bars, index, plan);
	if (s->d.day_dirty) {
		said += say_day(bars, index, plan);
	}
	lc_rows_settle(s);
	return said;
}

size_t lc_bars_partial(
	struct lc_bars *bars, uint32_t index, const struct day_plan *plan, int64_t now_ns)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	size_t said = 0;
	s->touched = false;
	int slot = lc_day_slot(plan, now_ns);
	for (enum lc_period p = LC_PERIOD_1M; slot >= s->d.closed_to && p < LC_PERIOD_1D; p++) {
		struct span span = span_of(plan, p, slot);
		struct lc_bar bar = {0};
		if (lc_bar_build(s, plan, span.first, span.last, &bar)) {
			said += say(bars, index, &bar, p, 0);
		}
	}
	struct lc_bar day;
	bars->work += (size_t)lc_row_count(s);
	if (!s->d.day_said && lc_bar_build_day(s, plan, &day)) {
		said += say(bars, index, &day, LC_PERIOD_1D, 0);
	}
	return said;
}

void lc_bars_finish_day(struct lc_bars *bars, uint32_t index)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	if (s->d.day == INT32_MIN || s->d.over) {
		return;
	}
	const struct day_plan *plan = lc_bars_plan(bars, (enum lc_market)s->market, s->d.day);
	s->d.over = true;
	bars->work += (size_t)lc_row_count(s);
	if (plan->slots == 0) {
		s->dirty = false;
		return; /* the calendar changed its mind */
	}
	struct lc_bar day;
	lc_bars_close(bars, index, plan, plan->slots, true);
	lc_bars_revise(bars, index, plan);
	if (lc_bar_build_day(s, plan, &day)) {
		s->d.session.price = day.close;
		s->d.session.has |= LC_HAS_PRICE;
	}
}

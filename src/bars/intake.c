#include "bars_priv.h"

#include <string.h>

static struct lc_decimal add(struct lc_decimal a, struct lc_decimal b)
{
	return lc_decimal_add(a, b);
}

struct lc_decimal lc_day_unplaced(const struct day_state *d)
{
	return lc_decimal_sub(d->volume, add(d->placed, d->outside));
}

/* A traded volume enters the day, except where a reference counted it already. */
static void day_volume(struct day_state *d, struct lc_decimal *part, const struct lc_tick *tick,
	struct lc_decimal volume, struct lc_decimal amount)
{
	*part = add(*part, volume);
	bool counted = tick->event_ns <= d->covered_ns;
	if (!counted) {
		d->volume = add(d->volume, volume);
	} else if (lc_day_unplaced(d).mantissa < 0) {
		d->volume = add(d->placed, d->outside);
	}
	if (!counted || !(d->session.has & LC_HAS_AMOUNT)) {
		d->amount = add(d->amount, amount);
	}
}

static int32_t offset_ms(const struct day_plan *plan, int slot, int64_t ns)
{
	return (int32_t)((ns - lc_day_slot_start(plan, slot)) / 1000000);
}

static struct row_prices prices_of(
	const struct lc_tick *tick, const struct day_plan *plan, int slot, uint8_t effect)
{
	int32_t at_ms = offset_ms(plan, slot, tick->event_ns);
	struct row_prices prices = {
		tick->price, tick->price, tick->price, tick->price, at_ms, at_ms, effect};
	if (tick->conflated > 0) {
		prices.open = tick->merged.open;
		prices.high = tick->merged.high;
		prices.low = tick->merged.low;
		prices.close = tick->merged.close;
		prices.first_ms = offset_ms(plan, slot, tick->merged.first_ns);
	}
	return prices;
}

static void take_prev_close(struct symbol_bars *s, const struct lc_tick *tick)
{
	if (tick->has & LC_HAS_PREV_CLOSE) {
		s->d.session.prev_close = tick->prev_close;
		s->d.session.has |= LC_HAS_PREV_CLOSE;
	}
}

/* --- trades --- */

static struct lc_decimal volume_of(const struct lc_tick *tick)
{
	return tick->conflated ? tick->merged.volume : tick->volume;
}

static struct lc_decimal amount_of(const struct lc_tick *tick)
{
	return tick->conflated ? tick->merged.amount : tick->amount;
}

void lc_bars_closing_print(struct lc_bars *bars, struct symbol_bars *s, const struct day_plan *plan,
	const struct lc_tick *tick)
{
	struct day_state *d = &s->d;
	day_volume(d, &d->outside, tick, volume_of(tick), amount_of(tick));
	d->print = tick->price;
	d->printed = true;
	d->day_ticks += tick->conflated + 1;
	lc_bars_changed(bars, s, plan, NULL);
}

void lc_bars_place_trade(struct lc_bars *bars, struct symbol_bars *s, const struct day_plan *plan,
	const struct lc_tick *tick, int slot, uint8_t effect)
{
	struct row *row = lc_row_make(s, slot);
	if (!row) {
		bars->stats.no_memory++;
		return;
	}
	const struct row_prices prices = prices_of(tick, plan, slot, effect);
	lc_row_prices(row, &prices);
	bool regular = lc_day_segment(plan, slot)->regular;
	if (effect & LC_UPDATES_VOLUME) {
		lc_row_volume(row, volume_of(tick), amount_of(tick));
		if (regular) {
			day_volume(&s->d, &s->d.placed, tick, volume_of(tick), amount_of(tick));
		}
	}
	row->ticks += tick->conflated + 1;
	s->d.day_ticks += regular ? tick->conflated + 1 : 0;
	lc_bars_changed(bars, s, plan, row);
}

/* A trade of a hole in a symbol's snapshots: its volume is in the day already, as gap_volume. What
 * exceeds that is in some minute, since the hole was too short to be one. */
static void place_backfilled(struct lc_bars *bars, struct symbol_bars *s,
	const struct day_plan *plan, const struct lc_tick *tick)
{
	struct lc_decimal left = lc_day_unplaced(&s->d), volume = volume_of(tick);
	int slot = lc_day_slot(plan, tick->event_ns);
	if (slot < 0 || left.mantissa <= 0) {
		return;
	}
	struct row *row = lc_row_make(s, slot);
	if (!row) {
		bars->stats.no_memory++;
		return;
	}
	const struct row_prices prices = prices_of(tick, plan, slot, LC_UPDATES_ALL);
	lc_row_prices(row, &prices);
	volume = lc_decimal_compare(volume, left) > 0 ? left : volume;
	lc_row_volume(row, volume, lc_decimal_mul(tick->price, volume));
	s->d.placed = add(s->d.placed, volume);
	row->ticks += tick->conflated + 1;
	lc_bars_changed(bars, s, plan, row);
}

/* Another source goes on with the day. Its totals are not the other's: the first is a new base. */
static bool change_source(struct day_state *d, const struct lc_tick *tick)
{
	bool begun = d->snapshots || d->volume.mantissa > 0;
	bool changed = begun && tick->source != d->source;
	d->source = tick->source;
	d->mixed |= changed;
	return changed;
}

void lc_bars_trade(struct lc_bars *bars, uint32_t index, const struct lc_tick *tick)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	const struct day_plan *plan = lc_bars_enter(bars, index, s, tick->event_ns);
	if (plan && s->d.snapshots && tick->flags & LC_FLAG_BACKFILLED) {
		place_backfilled(bars, s, plan, tick);
		return;
	}
	if (!plan || (s->d.snapshots && tick->source == s->d.source)) {
		return;
	}
	change_source(&s->d, tick);
	s->d.snapshots = false;
	s->d.seen_ns = tick->event_ns > s->d.seen_ns ? tick->event_ns : s->d.seen_ns;
	take_prev_close(s, tick);
	enum lc_conditions_class class = LC_CONDITIONS_ORDINARY;
	if (s->market == LC_MARKET_US && tick->conditions.count > 0) {
		class = lc_conditions_class(&tick->conditions);
	}
	if (class == LC_CONDITIONS_CLOSING) {
		lc_bars_closing_print(bars, s, plan, tick);
		return;
	}
	int slot = lc_day_slot(plan, tick->event_ns);
	if (slot == SLOT_OUTSIDE) {
		day_volume(&s->d, &s->d.outside, tick, volume_of(tick), amount_of(tick));
		lc_bars_changed(bars, s, plan, NULL);
	} else if (slot != SLOT_NONE && tick->effect != 0) {
		bool late_hours = !lc_day_segment(plan, slot)->regular &&
				  class == LC_CONDITIONS_EXTENDED;
		lc_bars_place_trade(
			bars, s, plan, tick, slot, late_hours ? LC_UPDATES_ALL : tick->effect);
	}
}

/* --- snapshots --- */

/* Was the volume since the last snapshot traded while nothing was seen, in minutes that cannot be
 * told? */
static bool is_hole(const struct lc_bars *bars, const struct symbol_bars *s,
	const struct day_plan *plan, const struct lc_tick *tick)
{
	if (!s->d.unseen) {
		return false;
	}
	int64_t from_ns = s->d.unseen_from_ns;
	from_ns = s->d.seen_ns > from_ns ? s->d.seen_ns : from_ns;
	int first, last;
	return tick->event_ns - from_ns > bars->options.hole_ns &&
	       lc_day_overlap(plan, from_ns, tick->event_ns, &first, &last) && first < last;
}

static bool is_first_price(const struct symbol_bars *s, const struct row *row)
{
	struct rows_view view;
	lc_rows_view(&view, s);
	for (int at = lc_row_from(s, row->slot) - 1; at >= 0; at--) {
		if (lc_row_at(&view, at)->flags & ROW_LAST) {
			return false;
		}
	}
	return true;
}

/* An open, high or low of the session that the samples stepped over was traded since the last time
 * that volume rose: it enters this row. Those of a hole (row NULL) enter none. */
static void enter_session(struct symbol_bars *s, const struct lc_tick *tick, struct row *row)
{
	struct session_values *known = &s->d.known;
	uint32_t had = known->has, has = tick->has;
	bool high = has & LC_HAS_HIGH &&
		    (!(had & LC_HAS_HIGH) || lc_decimal_compare(tick->high, known->high) > 0);
	bool low = has & LC_HAS_LOW &&
		   (!(had & LC_HAS_LOW) || lc_decimal_compare(tick->low, known->low) < 0);
	if (row && row->flags & ROW_LAST) {
		if (has & LC_HAS_OPEN && !(had & LC_HAS_OPEN) && is_first_price(s, row)) {
			ROW_SET(row, open, tick->open);
		}
		if (high && lc_decimal_compare(tick->high, ROW_GET(row, high)) > 0) {
			ROW_SET(row, high, tick->high);
		}
		if (low && lc_decimal_compare(tick->low, ROW_GET(row, low)) < 0) {
			ROW_SET(row, low, tick->low);
		}
	}
	known->has |= has & SESSION_FIELDS;
	known->high = high ? tick->high : known->high;
	known->low = low ? tick->low : known->low;
}

/* True when a value of the day changed. */
static bool take_field(struct session_values *session, const struct lc_tick *tick, uint32_t field,
	struct lc_decimal *to, struct lc_decimal from)
{
	if (!(tick->has & field)) {
		return false;
	}
	bool changed = !(session->has & field) || lc_decimal_compare(*to, from) != 0;
	session->has |= field;
	*to = from;
	return changed;
}

static struct lc_decimal larger(struct lc_decimal a, struct lc_decimal b)
{
	return lc_decimal_compare(a, b) >= 0 ? a : b;
}

/* Of several sources none may know all: the day is the most that any of them told. True when it
 * changed. */
static bool take_mixed_day(struct symbol_bars *s, const struct lc_tick *tick)
{
	struct day_state *d = &s->d;
	struct session_values *session = &d->session;
	const struct day_state before = *d;
	uint32_t had = session->has;
	if (tick->has & LC_HAS_OPEN && !(had & LC_HAS_OPEN)) {
		session->open = tick->open;
	}
	if (tick->has & LC_HAS_HIGH &&
		(!(had & LC_HAS_HIGH) || lc_decimal_compare(tick->high, session->high) > 0)) {
		session->high = tick->high;
	}
	if (tick->has & LC_HAS_LOW &&
		(!(had & LC_HAS_LOW) || lc_decimal_compare(tick->low, session->low) < 0)) {
		session->low = tick->low;
	}
	session->has |= tick->has & (SESSION_FIELDS | LC_HAS_AMOUNT);
	d->volume = larger(d->volume, tick->volume);
	d->amount = larger(d->amount, tick->amount);
	return session->has != had || lc_decimal_compare(before.session.high, session->high) != 0 ||
	       lc_decimal_compare(before.session.low, session->low) != 0 ||
	       lc_decimal_compare(before.volume, d->volume) != 0 ||
	       lc_decimal_compare(before.amount, d->amount) != 0;
}

/* The day is the vendor's own. True when it changed. */
static bool take_day(struct symbol_bars *s, const struct lc_tick *tick, bool rose)
{
	struct day_state *d = &s->d;
	struct session_values *session = &d->session;
	bool changed = rose;
	if (d->mixed) {
		changed |= take_mixed_day(s, tick);
	} else {
		changed |= lc_decimal_compare(tick->volume, d->volume) != 0;
		changed |= take_field(session, tick, LC_HAS_OPEN, &session->open, tick->open);
		changed |= take_field(session, tick, LC_HAS_HIGH, &session->high, tick->high);
		changed |= take_field(session, tick, LC_HAS_LOW, &session->low, tick->low);
		changed |= take_field(session, tick, LC_HAS_AMOUNT, &d->amount, tick->amount);
		d->volume = tick->volume;
	}
	if (rose && tick->has & LC_HAS_PRICE) {
		session->price = tick->conflated ? tick->merged.close : tick->price;
		session->has |= LC_HAS_PRICE;
	}
	d->total = tick->volume;
	d->total_amount = tick->has & LC_HAS_AMOUNT ? tick->amount : d->total_amount;
	return changed;
}

/* How much of what rose within one source belongs to its minute: all, but on a day of several
 * sources no more than is in none yet of the most that was told. */
static struct lc_decimal placeable(
	const struct day_state *d, const struct lc_tick *tick, struct lc_decimal traded)
{
	if (!d->mixed || traded.mantissa <= 0) {
		return traded;
	}
	struct lc_decimal known = larger(d->volume, tick->volume);
	struct lc_decimal room = lc_decimal_sub(known, add(d->placed, d->outside));
	room = larger(room, (struct lc_decimal){0});
	return lc_decimal_compare(traded, room) < 0 ? traded : room;
}

/* What the new source knows above the most that was told was traded between the two, in minutes
 * that cannot be told. */
static void between_sources(
	struct symbol_bars *s, const struct day_plan *plan, const struct lc_tick *tick)
{
	int first, last;
	if (lc_decimal_compare(tick->volume, s->d.volume) > 0 && s->d.seen_ns > 0 &&
		lc_day_overlap(plan, s->d.seen_ns, tick->event_ns, &first, &last)) {
		lc_symbol_hole(s, first, last);
	}
}

/* Where volumes are lots, odd shares move the money alone: it enters its minute all the same. */
static struct lc_decimal money_of(const struct day_state *d, const struct lc_tick *tick,
	struct lc_decimal traded, struct lc_decimal placed)
{
	bool rose = traded.mantissa > 0;
	if (rose && lc_decimal_compare(placed, traded) < 0) {
		return lc_decimal_mul(tick->price, placed);
	}
	if (!(tick->has & LC_HAS_AMOUNT) || tick->volume.mantissa <= 0 || (d->mixed && !rose)) {
		return (struct lc_decimal){0};
	}
	return larger(lc_decimal_sub(tick->amount, d->total_amount), (struct lc_decimal){0});
}

/* What was traded since the last snapshot, in its minute. */
static struct row *place_snapshot(struct lc_bars *bars, struct symbol_bars *s,
	const struct day_plan *plan, const struct lc_tick *tick, int slot, struct lc_decimal traded)
{
	struct lc_decimal volume = placeable(&s->d, tick, traded);
	struct row *row = lc_row_make(s, slot);
	if (!row) {
		bars->stats.no_memory++;
		return NULL;
	}
	bool rose = traded.mantissa > 0;
	if (rose && tick->has & LC_HAS_PRICE) {
		const struct row_prices prices = prices_of(tick, plan, slot, LC_UPDATES_ALL);
		lc_row_prices(row, &prices);
	}
	volume = rose ? volume : (struct lc_decimal){0};
	lc_row_volume(row, volume, money_of(&s->d, tick, traded, volume));
	s->d.placed = add(s->d.placed, volume);
	row->ticks += tick->conflated + 1;
	row->flags |= ROW_UNSAVED;
	return row;
}

/* A price whose minute cannot be told was traded on this day all the same: without it the day's
 * open would be the first price of its first minute, and move when that comes. */
static void keep_apart(struct apart_prices *apart, const struct lc_tick *tick)
{
	bool merged = tick->conflated > 0;
	struct lc_decimal open = merged ? tick->merged.open : tick->price;
	struct lc_decimal high = merged ? tick->merged.high : tick->price;
	struct lc_decimal low = merged ? tick->merged.low : tick->price;
	int64_t first_ns = merged ? tick->merged.first_ns : tick->event_ns;
	if (!apart->known) {
		*apart = (struct apart_prices){true, first_ns, open, high, low};
		return;
	}
	if (first_ns < apart->first_ns) {
		apart->first_ns = first_ns;
		apart->open = open;
	}
	apart->high = larger(apart->high, high);
	apart->low = lc_decimal_compare(low, apart->low) < 0 ? low : apart->low;
}

void lc_bars_snapshot(struct lc_bars *bars, uint32_t index, const struct lc_tick *tick)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	const struct day_plan *plan = lc_bars_enter(bars, index, s, tick->event_ns);
	int slot = plan ? lc_day_slot(plan, tick->event_ns) : SLOT_NONE;
	if (slot == SLOT_NONE || !(tick->has & LC_HAS_VOLUME)) {
		return;
	}
	struct day_state *d = &s->d;
	bool other = change_source(d, tick);
	d->snapshots = true;
	take_prev_close(s, tick);
	struct lc_decimal traded = lc_decimal_sub(tick->volume, other ? tick->volume : d->total);
	bool hole = is_hole(bars, s, plan, tick), rose = traded.mantissa > 0;
	if (other) {
		between_sources(s, plan, tick);
	}
	struct row *row = NULL;
	if (slot == SLOT_OUTSIDE) {
		d->outside = rose && !hole ? add(d->outside, placeable(d, tick, traded))
					   : d->outside;
	} else if (!hole) {
		row = place_snapshot(bars, s, plan, tick, slot, traded);
	}
	if (rose && !row && tick->has & LC_HAS_PRICE) {
		keep_apart(&d->apart, tick);
	}
	if (rose || other) {
		enter_session(s, tick, rose ? row : NULL);
	}
	d->unseen = false;
	d->seen_ns = tick->event_ns;
	d->day_ticks += tick->conflated + 1;
	s->unsaved = true;
	/* Before anything is traded, what a vendor shows may be the day's before. */
	if (tick->volume.mantissa > 0 && take_day(s, tick, rose)) {
		lc_bars_changed(bars, s, plan, row);
	}
}

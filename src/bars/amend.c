#include "bars_priv.h"

/* A trade as it was, or as it should have been. */
struct amended {
	struct lc_decimal price, volume;
	uint8_t effect;
	bool closing;
};

static struct amended before_of(const struct symbol_bars *s, const struct lc_tick *tick)
{
	struct amended before = {tick->price, tick->volume, LC_UPDATES_ALL, false};
	if (s->market == LC_MARKET_US && tick->conditions.count > 0) {
		struct lc_conditions_seen seen = {0};
		before.effect = lc_conditions_effect(&tick->conditions, tick->tape[0], &seen, NULL);
		before.closing = lc_conditions_class(&tick->conditions) == LC_CONDITIONS_CLOSING;
	}
	return before;
}

static struct amended after_of(const struct symbol_bars *s, const struct lc_tick *tick)
{
	struct amended after = {tick->u.correction.price, tick->u.correction.volume,
		tick->u.correction.effect, false};
	after.closing = s->market == LC_MARKET_US &&
			lc_conditions_class(&tick->u.correction.conditions) ==
				LC_CONDITIONS_CLOSING;
	return after;
}

static bool is_price_of(const struct row *row, struct lc_decimal price)
{
	return lc_decimal_compare(price, ROW_GET(row, open)) == 0 ||
	       lc_decimal_compare(price, ROW_GET(row, high)) == 0 ||
	       lc_decimal_compare(price, ROW_GET(row, low)) == 0 ||
	       lc_decimal_compare(price, ROW_GET(row, close)) == 0;
}

static struct lc_decimal at_most(struct lc_decimal value, struct lc_decimal most)
{
	return lc_decimal_compare(value, most) > 0 ? most : value;
}

static void subtract(struct lc_decimal *from, struct lc_decimal value)
{
	*from = lc_decimal_sub(*from, value);
}

/* A volume that was seen leaves its minute and the day; one that was not seen leaves the gap. */
static void take_back(struct symbol_bars *s, struct row *row, const struct amended *before)
{
	struct day_state *d = &s->d;
	if (!(before->effect & LC_UPDATES_VOLUME) && !before->closing) {
		return;
	}
	struct lc_decimal volume = before->volume;
	if (before->closing) {
		volume = at_most(volume, d->outside);
		subtract(&d->outside, volume);
	} else if (row) {
		volume = at_most(volume, ROW_GET(row, volume));
		struct lc_decimal amount = at_most(
			lc_decimal_mul(before->price, volume), ROW_GET(row, amount));
		lc_row_volume(row, lc_decimal_sub((struct lc_decimal){0}, volume),
			lc_decimal_sub((struct lc_decimal){0}, amount));
		subtract(&d->placed, volume);
	} else {
		volume = at_most(volume, lc_day_unplaced(d));
	}
	subtract(&d->volume, volume);
	subtract(&d->amount, at_most(lc_decimal_mul(before->price, volume), d->amount));
}

static void say_doubt(struct lc_bars *bars, uint32_t index, const struct day_plan *plan, int slot)
{
	if (bars->options.host->doubt) {
		bars->options.host->doubt(bars->options.arg, index, lc_day_slot_start(plan, slot));
	}
}

/* The price may have made the bar; what made it else, only the vendor knows. */
static void doubt_prices(struct lc_bars *bars, uint32_t index, const struct day_plan *plan,
	struct row *row, const struct amended *before)
{
	struct day_state *d = &lc_bars_at(bars, index)->d;
	bool counted = before->effect & (LC_UPDATES_LAST | LC_UPDATES_HIGH_LOW);
	if (before->closing && d->printed && lc_decimal_compare(before->price, d->print) == 0) {
		d->printed = false;
		d->day_doubt = true;
	}
	if (before->closing || !counted) {
		return;
	}
	bool high = d->session.has & LC_HAS_HIGH &&
		    lc_decimal_compare(before->price, d->session.high) == 0;
	bool low = d->session.has & LC_HAS_LOW &&
		   lc_decimal_compare(before->price, d->session.low) == 0;
	if (high || low) {
		d->session.has &= ~(uint32_t)(high ? LC_HAS_HIGH : LC_HAS_LOW);
		d->day_doubt = true;
	}
	if (row && row->flags & (ROW_LAST | ROW_RANGE) && is_price_of(row, before->price)) {
		row->flags |= ROW_DOUBT;
		say_doubt(bars, index, plan, row->slot);
	}
}

static void put_instead(struct lc_bars *bars, struct symbol_bars *s, const struct day_plan *plan,
	const struct lc_tick *tick, int slot)
{
	const struct amended after = after_of(s, tick);
	struct lc_tick trade = *tick;
	trade.kind = LC_TICK_TRADE;
	trade.price = after.price;
	trade.volume = after.volume;
	trade.amount = lc_decimal_mul(after.price, after.volume);
	if (after.closing) {
		lc_bars_closing_print(bars, s, plan, &trade);
	} else if (slot >= 0 && after.effect != 0) {
		lc_bars_place_trade(bars, s, plan, &trade, slot, after.effect);
		/* The trade was counted when it came first. */
		struct row *row = lc_row_find(s, slot);
		row->ticks -= row->ticks > 1;
		s->d.day_ticks -= s->d.day_ticks > 1;
	}
}

/* The vendor's time of a correction or cancel is that of the trade: the only one there is. */
void lc_bars_cancel(struct lc_bars *bars, uint32_t index, const struct lc_tick *tick)
{
	struct symbol_bars *s = lc_bars_at(bars, index);
	const struct day_plan *plan = lc_bars_enter(bars, index, s, tick->event_ns);
	if (!plan || s->d.snapshots) {
		return;
	}
	const struct amended before = before_of(s, tick);
	int slot = lc_day_slot(plan, tick->event_ns);
	struct row *row = slot >= 0 ? lc_row_find(s, slot) : NULL;
	if (slot < 0 && !before.closing) {
		return;
	}
	take_back(s, row, &before);
	doubt_prices(bars, index, plan, row, &before);
	lc_bars_changed(bars, s, plan, row);
	if (tick->kind == LC_TICK_CORRECTION) {
		put_instead(bars, s, plan, tick, slot);
	}
}

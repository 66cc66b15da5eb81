#include "quality_priv.h"

#include "livecore/clock.h"

#include <stddef.h>
#include <string.h>

/* After so many snapshots in a row that agree on a lower volume, the vendor has corrected
 * itself. */
enum { ACCEPTED_DECREASES = 3 };

#define SESSION_SLACK_NS (60 * LC_NS_PER_S)

static void doubt(struct lc_tick *tick, enum lc_doubt why)
{
	tick->doubts |= (uint8_t)(1u << why);
}

static const struct lc_decimal *field_at(const struct lc_tick *tick, size_t offset)
{
	return (const struct lc_decimal *)((const char *)tick + offset);
}

/* Vendors write 0 for a price that there is not. */
static enum lc_drop check_optional_prices(struct lc_tick *tick)
{
	static const struct {
		uint32_t has;
		size_t offset;
	} prices[] = {
		{LC_HAS_BID, offsetof(struct lc_tick, bid)},
		{LC_HAS_ASK, offsetof(struct lc_tick, ask)},
		{LC_HAS_OPEN, offsetof(struct lc_tick, open)},
		{LC_HAS_HIGH, offsetof(struct lc_tick, high)},
		{LC_HAS_LOW, offsetof(struct lc_tick, low)},
		{LC_HAS_PREV_CLOSE, offsetof(struct lc_tick, prev_close)},
	};
	for (size_t i = 0; i < sizeof prices / sizeof *prices; i++) {
		if (!(tick->has & prices[i].has)) {
			continue;
		}
		int64_t mantissa = field_at(tick, prices[i].offset)->mantissa;
		if (mantissa < 0) {
			return LC_DROP_BAD_PRICE;
		}
		if (mantissa == 0) {
			tick->has &= ~prices[i].has;
		}
	}
	return LC_DROP_NONE;
}

static bool any_negative_volume(const struct lc_tick *tick)
{
	return (tick->has & LC_HAS_VOLUME && tick->volume.mantissa < 0) ||
	       (tick->has & LC_HAS_AMOUNT && tick->amount.mantissa < 0) ||
	       (tick->has & LC_HAS_BID_VOLUME && tick->bid_volume.mantissa < 0) ||
	       (tick->has & LC_HAS_ASK_VOLUME && tick->ask_volume.mantissa < 0);
}

static bool outside(struct lc_decimal value, struct lc_decimal low, struct lc_decimal high)
{
	return lc_decimal_compare(value, low) < 0 || lc_decimal_compare(value, high) > 0;
}

static bool inconsistent(const struct lc_tick *tick, uint8_t market)
{
	uint32_t range = LC_HAS_HIGH | LC_HAS_LOW;
	if (tick->kind != LC_TICK_SNAPSHOT || (tick->has & range) != range) {
		return false;
	}
	if (lc_decimal_compare(tick->high, tick->low) < 0) {
		return true;
	}
	/* In the US an odd lot may print outside of the session's high and low. */
	if (market == LC_MARKET_US) {
		return false;
	}
	return (tick->has & LC_HAS_PRICE && outside(tick->price, tick->low, tick->high)) ||
	       (tick->has & LC_HAS_OPEN && outside(tick->open, tick->low, tick->high));
}

/* Amount / (volume x price) of a full snapshot is the average price over the last one: near 1. A
 * lot taken for a share, or a share for a lot, makes it 100 or 0.01. */
static bool unit_is_wrong(const struct symbol_state *state, const struct lc_tick *tick)
{
	uint32_t needed = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT;
	if (!tick->full_snapshot || (tick->has & needed) != needed) {
		return state->wrong_unit;
	}
	double value = lc_decimal_to_double(tick->volume) * lc_decimal_to_double(tick->price);
	if (value <= 0 || lc_decimal_is_zero(tick->amount)) {
		return state->wrong_unit;
	}
	double ratio = lc_decimal_to_double(tick->amount) / value;
	return (ratio >= 50 && ratio <= 200) || (ratio >= 0.005 && ratio <= 0.02);
}

static bool sane_limits(const struct lc_tick *tick)
{
	uint32_t both = LC_HAS_LIMIT_UP | LC_HAS_LIMIT_DOWN;
	return (tick->has & both) == both && tick->limit_down.mantissa > 0 &&
	       lc_decimal_compare(tick->limit_up, tick->limit_down) > 0;
}

void lc_check_prev_close(struct symbol_state *state, uint32_t has, struct lc_decimal prev_close)
{
	bool same = state->prev_close.mantissa == prev_close.mantissa &&
		    state->prev_close.exponent == prev_close.exponent;
	if (has & LC_HAS_PREV_CLOSE && state->board != LC_BOARD_NONE && !same) {
		state->prev_close = prev_close;
		state->has_computed = lc_price_limits(
			(enum lc_board)state->board, prev_close, &state->up, &state->down);
	}
}

enum lc_drop lc_check_values(struct lc_tick *tick, uint8_t market)
{
	bool needs_price = tick->kind == LC_TICK_TRADE;
	if ((needs_price && !(tick->has & LC_HAS_PRICE)) ||
		(tick->has & LC_HAS_PRICE && tick->price.mantissa <= 0)) {
		return LC_DROP_BAD_PRICE;
	}
	enum lc_drop drop = check_optional_prices(tick);
	if (drop != LC_DROP_NONE) {
		return drop;
	}
	if (any_negative_volume(tick)) {
		return LC_DROP_NEGATIVE_VOLUME;
	}
	return inconsistent(tick, market) ? LC_DROP_INCONSISTENT : LC_DROP_NONE;
}

static uint8_t traded(const struct symbol_state *state, const struct lc_tick *tick)
{
	int rose = state->has_volume ? lc_decimal_compare(tick->volume, state->volume) : -1;
	return rose < 0 ? LC_TRADED_FIRST : rose > 0 ? LC_TRADED_YES : LC_TRADED_NO;
}

enum lc_drop lc_check_snapshot(struct symbol_state *state, struct lc_tick *tick)
{
	state->wrong_unit = unit_is_wrong(state, tick);
	if (state->wrong_unit) {
		return LC_DROP_WRONG_UNIT;
	}
	if (!(tick->has & LC_HAS_VOLUME)) {
		return LC_DROP_NONE;
	}
	if (state->has_volume && lc_decimal_compare(tick->volume, state->volume) < 0 &&
		++state->decreases < ACCEPTED_DECREASES) {
		return LC_DROP_VOLUME_DECREASED;
	}
	state->decreases = 0;
	tick->traded = traded(state, tick);
	state->has_volume = true;
	state->volume = tick->volume;
	return LC_DROP_NONE;
}

enum lc_drop lc_check_limits(struct symbol_state *state, struct lc_tick *tick)
{
	if (sane_limits(tick)) {
		state->has_vendor = true;
		state->vendor_up = tick->limit_up;
		state->vendor_down = tick->limit_down;
	}
	lc_check_prev_close(state, tick->has, tick->prev_close);
	if (!(tick->has & LC_HAS_PRICE)) {
		return LC_DROP_NONE;
	}
	if (state->has_vendor) {
		return outside(tick->price, state->vendor_down, state->vendor_up)
			       ? LC_DROP_BEYOND_VENDOR_LIMIT
			       : LC_DROP_NONE;
	}
	if (state->has_computed && outside(tick->price, state->down, state->up)) {
		if (state->board == LC_BOARD_UNLIMITED) {
			doubt(tick, LC_DOUBT_LARGE_MOVE);
		} else {
			tick->flags |= LC_FLAG_BEYOND_LIMIT;
		}
	}
	return LC_DROP_NONE;
}

/* In the US a trade may print between two steps: at the middle of the spread, or improved. */
static bool off_step(const struct symbol_state *state, const struct lc_tick *tick)
{
	enum lc_price_steps steps = (enum lc_price_steps)state->steps;
	bool judged = tick->kind != LC_TICK_QUOTE && steps != LC_STEPS_US;
	return (judged && tick->has & LC_HAS_PRICE && !lc_price_on_step(steps, tick->price)) ||
	       (tick->has & LC_HAS_BID && !lc_price_on_step(steps, tick->bid)) ||
	       (tick->has & LC_HAS_ASK && !lc_price_on_step(steps, tick->ask));
}

/* Was it traded when its market was closed, by more than a minute? Some feeds are of markets that
 * trade by night. */
static bool out_of_session(
	enum lc_market market, const struct lc_tick *tick, struct lc_calendar *calendar)
{
	bool is_traded = tick->kind == LC_TICK_TRADE ||
			 (tick->kind == LC_TICK_SNAPSHOT && tick->traded == LC_TRADED_YES);
	int64_t at = tick->event_ns;
	return is_traded && lc_session_at(calendar, market, at) == LC_SESSION_CLOSED &&
	       lc_session_at(calendar, market, at - SESSION_SLACK_NS) == LC_SESSION_CLOSED &&
	       lc_session_at(calendar, market, at + SESSION_SLACK_NS) == LC_SESSION_CLOSED &&
	       strcmp(tick->feed, "boats") != 0 && strcmp(tick->feed, "overnight") != 0;
}

void lc_check_doubts(
	const struct symbol_state *state, struct lc_tick *tick, struct lc_calendar *calendar)
{
	if (tick->flags & LC_FLAG_LATE) {
		doubt(tick, LC_DOUBT_LATE);
	}
	if (tick->flags & LC_FLAG_BEYOND_LIMIT) {
		doubt(tick, LC_DOUBT_BEYOND_LIMIT);
	}
	if (off_step(state, tick)) {
		doubt(tick, LC_DOUBT_OFF_STEP);
	}
	if (out_of_session((enum lc_market)state->market, tick, calendar)) {
		doubt(tick, LC_DOUBT_OUT_OF_SESSION);
	}
}

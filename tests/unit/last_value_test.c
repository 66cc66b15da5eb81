#include "livecore/last_value.h"

#include "livecore/clock.h"
#include "resident.h"

#include <criterion/criterion.h>
#include <string.h>

#define S LC_NS_PER_S
#define DAY (24 * 3600 * S)

enum { US, SH };

static struct lc_symbols *symbols;
static struct lc_calendar *calendar;
static struct lc_last_value *values;
static int64_t opening; /* 2026-01-09T09:30 in New York */

static void open_values(void)
{
	const char *start = "2026-01-09T14:30:00Z";
	uint32_t index;
	cr_assert_eq(lc_time_parse(start, strlen(start), NULL, &opening), LC_OK);
	cr_assert_eq(lc_symbols_create(1000, 1, &symbols), LC_OK);
	cr_assert_eq(lc_symbols_intern(symbols, "AAPL", 4, &index), LC_OK);
	cr_assert_eq(lc_symbols_intern(symbols, "600000.SH", 9, &index), LC_OK);
	cr_assert_eq(lc_calendar_create(false, &calendar, NULL), LC_OK);
	cr_assert_eq(lc_last_value_create(symbols, calendar, &values), LC_OK);
	cr_assert_eq(lc_last_value_reserve(values, 2), LC_OK);
}

static void close_values(void)
{
	lc_last_value_destroy(values);
	lc_calendar_destroy(calendar);
	lc_symbols_destroy(symbols);
}

TestSuite(last_value, .init = open_values, .fini = close_values);

static bool is(struct lc_decimal value, int64_t expected)
{
	return lc_decimal_compare(value, lc_decimal_from_int(expected)) == 0;
}

static struct lc_tick trade(int64_t price, int64_t event_ns)
{
	return (struct lc_tick){.symbol = US,
		.kind = LC_TICK_TRADE,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_TRADE_ID,
		.event_ns = event_ns,
		.received_ns = event_ns + 5,
		.trade_id = (uint64_t)price,
		.price = lc_decimal_from_int(price),
		.volume = lc_decimal_from_int(100),
		.exchange = "V",
		.feed = "iex"};
}

static struct lc_tick quote(int64_t bid, int64_t event_ns)
{
	return (struct lc_tick){.symbol = US,
		.kind = LC_TICK_QUOTE,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_BID,
		.event_ns = event_ns,
		.received_ns = event_ns,
		.bid = lc_decimal_from_int(bid)};
}

static struct lc_tick apply(struct lc_tick tick)
{
	cr_assert_eq(lc_last_value_apply(values, &tick), LC_OK);
	return tick;
}

static struct lc_reference reference(int64_t price, int64_t event_ns)
{
	return (struct lc_reference){.symbol = US,
		.event_ns = event_ns,
		.has = LC_HAS_PRICE | LC_HAS_PREV_CLOSE,
		.price = lc_decimal_from_int(price),
		.prev_close = lc_decimal_from_int(90)};
}

Test(last_value, a_quote_carries_the_last_eligible_price)
{
	struct lc_tick early = quote(9, opening);
	cr_assert_eq(lc_last_value_apply(values, &early), LC_ERR_NOT_FOUND);
	apply(trade(100, opening + S));
	struct lc_tick got = apply(quote(99, opening + S));
	cr_assert(got.has & LC_HAS_PRICE && is(got.price, 100));
	struct lc_tick odd_lot = trade(200, opening + 2 * S);
	odd_lot.effect = LC_UPDATES_VOLUME;
	cr_assert(is(apply(odd_lot).price, 200), "a trade keeps its own price");
	struct lc_tick late = trade(50, opening + 3 * S);
	late.flags = LC_FLAG_LATE;
	apply(late);
	got = quote(98, opening + 4 * S);
	got.conflated = 3;
	got = apply(got);
	cr_assert(is(got.price, 100) && is(got.merged.high, 100) && is(got.merged.low, 100));
	const struct lc_last *last = lc_last_value_get(values, US);
	cr_assert(is(last->bid, 98) && last->event_ns == opening + 4 * S);
}

Test(last_value, a_reference_fills_in_and_never_replaces_what_is_newer)
{
	struct lc_reference old = reference(80, opening - 5 * DAY);
	lc_last_value_reference(values, &old);
	struct lc_tick got = apply(quote(9, opening));
	cr_assert(is(got.price, 80) && is(got.prev_close, 90));
	apply(trade(100, opening + S));
	struct lc_reference late = reference(70, opening);
	lc_last_value_reference(values, &late);
	cr_assert(is(lc_last_value_get(values, US)->price, 100));
	/* An older trade that comes after the reference does not move it back either. */
	struct lc_reference newer = reference(110, opening + 9 * S);
	lc_last_value_reference(values, &newer);
	apply(trade(105, opening + 8 * S));
	cr_assert(is(lc_last_value_get(values, US)->price, 110));
	apply(trade(106, opening + 9 * S));
	cr_assert(is(lc_last_value_get(values, US)->price, 106));
}

Test(last_value, the_session_is_known_when_all_of_it_was_seen)
{
	struct lc_tick extended = trade(99, opening - S);
	extended.effect = LC_UPDATES_VOLUME;
	apply(extended);
	struct lc_tick first = apply(trade(100, opening));
	cr_assert(is(first.open, 100) && is(first.high, 100) && is(first.low, 100));
	struct lc_tick merged = trade(101, opening + S);
	merged.conflated = 2;
	merged.merged = (struct lc_merged){lc_decimal_from_int(103), lc_decimal_from_int(109),
		lc_decimal_from_int(95), lc_decimal_from_int(300), lc_decimal_from_int(3000)};
	apply(merged);
	struct lc_tick got = apply(quote(100, opening + 2 * S));
	cr_assert(is(got.open, 100) && is(got.high, 109) && is(got.low, 95));
	struct lc_tick odd_lot = trade(500, opening + 3 * S);
	odd_lot.effect = LC_UPDATES_VOLUME;
	cr_assert(is(apply(odd_lot).high, 109));
	/* The next day begins with nothing, and halfway through it nothing is made up. */
	got = apply(trade(120, opening + 3 * DAY + 3600 * S));
	cr_assert_not(got.has & (LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW));
	struct lc_reference whole = reference(121, opening + 3 * DAY + 3601 * S);
	whole.has |= LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW;
	whole.open = lc_decimal_from_int(115);
	whole.high = lc_decimal_from_int(130);
	whole.low = lc_decimal_from_int(114);
	lc_last_value_reference(values, &whole);
	got = apply(trade(140, opening + 3 * DAY + 3602 * S));
	cr_assert(is(got.open, 115) && is(got.high, 140) && is(got.low, 114));
	/* After a gap the reference knows better what the session was. */
	whole.low = lc_decimal_from_int(113);
	lc_last_value_reference(values, &whole);
	got = apply(quote(1, opening + 3 * DAY + 3603 * S));
	cr_assert(is(got.low, 113) && is(got.high, 140));
}

Test(last_value, quotes_and_the_opening_quote_make_no_session)
{
	struct lc_reference known = reference(100, opening - S);
	lc_last_value_reference(values, &known);
	apply(quote(1, opening - S));
	struct lc_tick got = apply(quote(2, opening + S));
	cr_assert_not(got.has & (LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW));
}

Test(last_value, snapshots_bring_their_own_session)
{
	struct lc_tick tick = {.symbol = SH,
		.kind = LC_TICK_SNAPSHOT,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_PRICE | LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW | LC_HAS_VOLUME |
		       LC_HAS_PREV_CLOSE | LC_HAS_ASK,
		.event_ns = opening,
		.price = lc_decimal_from_int(10),
		.open = lc_decimal_from_int(9),
		.high = lc_decimal_from_int(11),
		.low = lc_decimal_from_int(8),
		.volume = lc_decimal_from_int(500),
		.prev_close = lc_decimal_from_int(7),
		.ask = lc_decimal_from_int(12)};
	apply(tick);
	const struct lc_last *last = lc_last_value_get(values, SH);
	cr_assert(is(last->price, 10) && is(last->high, 11) && is(last->volume, 500));
	cr_assert(last->session_known && is(last->ask, 12));
	struct lc_tick bare = {.symbol = SH, .kind = LC_TICK_SNAPSHOT, .event_ns = opening + S};
	bare = apply(bare);
	cr_assert(is(bare.price, 10) && is(bare.prev_close, 7));
	cr_assert_not(bare.has & LC_HAS_OPEN, "a snapshot says itself what its session is");
}

Test(last_value, halts_and_corrections_of_the_last_trade_are_taken_in)
{
	apply(trade(100, opening));
	struct lc_tick status = {.symbol = US, .kind = LC_TICK_STATUS};
	status.u.status.action = LC_STATUS_HALT;
	lc_last_value_apply(values, &status);
	cr_assert(lc_last_value_get(values, US)->halted);
	status.u.status.action = LC_STATUS_INFO;
	lc_last_value_apply(values, &status);
	cr_assert(lc_last_value_get(values, US)->halted);
	status.u.status.action = LC_STATUS_RESUME;
	lc_last_value_apply(values, &status);
	cr_assert_not(lc_last_value_get(values, US)->halted);
	struct lc_tick correction = {.symbol = US,
		.kind = LC_TICK_CORRECTION,
		.trade_id = 99,
		.exchange = "V",
		.price = lc_decimal_from_int(100)};
	correction.u.correction.price = lc_decimal_from_int(101);
	correction.u.correction.trade_id = 555;
	correction.u.correction.effect = LC_UPDATES_ALL;
	lc_last_value_apply(values, &correction);
	cr_assert(is(lc_last_value_get(values, US)->price, 100), "another trade's");
	correction.trade_id = 100;
	lc_last_value_apply(values, &correction);
	cr_assert(is(lc_last_value_get(values, US)->price, 101));
}

Test(last_value, a_refresh_stands_outside_the_count)
{
	struct lc_tick got;
	cr_assert_eq(lc_last_value_refresh(values, US, &got), LC_ERR_NOT_FOUND);
	apply(trade(100, opening));
	apply(quote(99, opening + S));
	cr_assert_eq(lc_last_value_refresh(values, US, &got), LC_OK);
	cr_assert(got.kind == LC_TICK_QUOTE && got.seq == 0 && got.flags == LC_FLAG_REFRESH);
	cr_assert(got.symbol == US && is(got.price, 100) && is(got.bid, 99));
	cr_assert(lc_decimal_is_zero(got.volume) && lc_decimal_is_zero(got.amount));
	cr_assert(got.event_ns == opening + S && got.conflated == 0);
	lc_last_value_forget(values, US);
	cr_assert_null(lc_last_value_get(values, US));
	cr_assert_eq(lc_last_value_refresh(values, US, &got), LC_ERR_NOT_FOUND);
	cr_assert_eq(lc_last_value_refresh(values, 4000000, &got), LC_ERR_NOT_FOUND);
}

Test(last_value, symbols_without_room_pass_unchanged)
{
	struct lc_tick tick = trade(100, opening);
	tick.symbol = 4000000;
	cr_assert_eq(lc_last_value_apply(values, &tick), LC_OK);
	struct lc_reference known = reference(1, opening);
	known.symbol = 4000000;
	lc_last_value_reference(values, &known);
	lc_last_value_forget(values, 4000000);
	lc_last_value_destroy(NULL);
}

Test(last_value, a_wild_time_does_not_hold_the_price_for_ever)
{
	apply(trade(100, opening));
	struct lc_tick wild = trade(500, opening + 365 * DAY);
	wild.received_ns = opening + S;
	apply(wild);
	apply(trade(101, opening + 2 * S));
	struct lc_tick quoted = apply(quote(99, opening + 3 * S));
	cr_assert(is(quoted.price, 101), "the price is that of the last true trade");
	struct lc_tick again;
	cr_assert_eq(lc_last_value_refresh(values, US, &again), LC_OK);
	cr_assert_eq(again.event_ns, opening + 3 * S);
}

Test(last_value, a_vendor_whose_clock_is_a_day_ahead_is_followed_all_the_same)
{
	struct lc_tick first = trade(100, opening + DAY),
		       second = trade(101, opening + DAY + 2 * S);
	first.received_ns = opening;
	second.received_ns = opening + 2 * S;
	apply(first);
	apply(second);
	struct lc_tick older = trade(99, opening + DAY + S);
	older.received_ns = opening + 3 * S;
	apply(older);
	struct lc_tick quoted = quote(98, opening + DAY + 3 * S);
	quoted.received_ns = opening + 3 * S;
	quoted = apply(quoted);
	cr_assert(is(quoted.price, 101));
}

Test(last_value, merged_snapshots_without_a_price_have_the_last_one)
{
	apply(trade(100, opening));
	struct lc_tick merged = {.symbol = US,
		.kind = LC_TICK_SNAPSHOT,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_VOLUME,
		.event_ns = opening + S,
		.received_ns = opening + S,
		.volume = lc_decimal_from_int(7),
		.conflated = 2,
		.merged = {.volume = lc_decimal_from_int(7)}};
	merged = apply(merged);
	cr_assert(is(merged.price, 100));
	cr_assert(is(merged.merged.high, 100) && is(merged.merged.low, 100), "not 0");
	cr_assert(is(merged.merged.volume, 7));
}

/* It is older than what is known: it is told, and changes nothing. */
Test(last_value, backfilled_trades_change_nothing)
{
	apply(trade(100, opening + 60 * S));
	struct lc_tick old = trade(200, opening + 30 * S);
	old.flags = LC_FLAG_BACKFILLED;
	cr_assert(is(apply(old).price, 200));
	struct lc_tick newer = trade(300, opening + DAY);
	newer.flags = LC_FLAG_BACKFILLED;
	apply(newer);
	const struct lc_last *last = lc_last_value_get(values, US);
	cr_assert(is(last->price, 100));
	cr_assert_eq(last->event_ns, opening + 60 * S);
}

/* Room for every symbol there may be: the pages come with the symbols. Writing to all of it at once
 * would hold the loop. */
Test(last_value, room_costs_nothing_before_it_is_used)
{
	struct lc_last_value *many;
	cr_assert_eq(lc_last_value_create(symbols, calendar, &many), LC_OK);
	double before = resident_mb();
	cr_assert_eq(lc_last_value_reserve(many, 1000000), LC_OK);
	cr_assert_lt(resident_mb() - before, 60);
	lc_last_value_destroy(many);
}

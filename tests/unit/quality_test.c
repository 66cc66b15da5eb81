#include "livecore/quality.h"

#include "livecore/clock.h"
#include "resident.h"

#include <criterion/criterion.h>
#include <string.h>

#define S LC_NS_PER_S

static const char *const names[] = {"600000.SH", "AAPL", "00700.HK", "000001.SH"};
enum { SH, US, HK, INDEX };

static struct lc_symbols *symbols;
static struct lc_calendar *calendar;
static struct lc_quality *quality;
static int64_t now; /* 2026-01-09T10:30 in New York, a trading day everywhere */

static int dropped[LC_DROP_REASONS], clock_calls;
static bool clock_skewed;
static int64_t clock_median;
static struct lc_tick last_dropped;

static void on_drop(void *arg, const struct lc_tick *tick, enum lc_drop reason)
{
	(void)arg;
	dropped[reason]++;
	last_dropped = *tick;
}

static void on_clock(void *arg, uint8_t source, bool skewed, int64_t median_ns)
{
	(void)arg;
	(void)source;
	clock_calls++;
	clock_skewed = skewed;
	clock_median = median_ns;
}

static const struct lc_quality_host host = {on_drop, on_clock};

static void open_quality(void)
{
	const char *start = "2026-01-09T15:30:00Z";
	cr_assert_eq(lc_time_parse(start, strlen(start), NULL, &now), LC_OK);
	cr_assert_eq(lc_symbols_create(1000, 1, &symbols), LC_OK);
	cr_assert_eq(lc_calendar_create(false, &calendar, NULL), LC_OK);
	struct lc_quality_options options = {
		.symbols = symbols, .calendar = calendar, .seed = 3, .max_held = 2, .host = &host};
	cr_assert_eq(lc_quality_create(&options, &quality), LC_OK);
	for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
		uint32_t index;
		cr_assert_eq(lc_symbols_intern(symbols, names[i], strlen(names[i]), &index), LC_OK);
		cr_assert_eq(lc_quality_follow(quality, index, true), LC_OK);
	}
}

static void close_quality(void)
{
	lc_quality_destroy(quality);
	lc_calendar_destroy(calendar);
	lc_symbols_destroy(symbols);
}

TestSuite(quality, .init = open_quality, .fini = close_quality);

static struct lc_decimal dec(const char *text)
{
	struct lc_decimal value;
	cr_assert_eq(lc_decimal_parse(text, strlen(text), &value), LC_OK);
	return value;
}

static struct lc_tick base(uint32_t symbol, enum lc_tick_kind kind, int64_t event_ns)
{
	return (struct lc_tick){.symbol = symbol,
		.kind = kind,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_EVENT_TIME,
		.event_ns = event_ns,
		.received_ns = event_ns};
}

static struct lc_tick trade(uint64_t id, const char *price, int64_t event_ns)
{
	struct lc_tick tick = base(US, LC_TICK_TRADE, event_ns);
	tick.has |= LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_TRADE_ID;
	tick.price = dec(price);
	tick.volume = dec("100");
	tick.trade_id = id;
	strcpy(tick.exchange, "V");
	strcpy(tick.tape, "C");
	return tick;
}

static struct lc_tick quote(const char *bid, const char *ask, int64_t event_ns)
{
	struct lc_tick tick = base(US, LC_TICK_QUOTE, event_ns);
	tick.has |= LC_HAS_BID | LC_HAS_ASK | LC_HAS_BID_VOLUME;
	tick.bid = dec(bid);
	tick.ask = dec(ask);
	tick.bid_volume = dec("300");
	return tick;
}

static struct lc_tick snapshot(uint32_t symbol, const char *price, const char *volume,
	const char *amount, int64_t event_ns)
{
	struct lc_tick tick = base(symbol, LC_TICK_SNAPSHOT, event_ns);
	tick.has |= LC_HAS_PRICE | LC_HAS_VOLUME;
	tick.price = dec(price);
	tick.volume = dec(volume);
	tick.full_snapshot = true;
	if (amount) {
		tick.has |= LC_HAS_AMOUNT;
		tick.amount = dec(amount);
	}
	return tick;
}

/* Judges and returns the reason, LC_DROP_NONE when it passed. */
static enum lc_drop judge(struct lc_tick *tick)
{
	enum lc_drop reason = LC_DROP_NONE;
	enum lc_verdict verdict = lc_quality_judge(quality, tick, now, &reason);
	cr_assert_eq(verdict == LC_DROP, reason != LC_DROP_NONE);
	return reason;
}

#define ASSERT_DROP(tick, why)                                                                    \
	do {                                                                                      \
		struct lc_tick judged = tick;                                                     \
		enum lc_drop got = judge(&judged);                                                \
		cr_assert_eq(got, why, "%s instead of %s", lc_drop_name(got), lc_drop_name(why)); \
	} while (0)
#define ASSERT_PASS(tick) ASSERT_DROP(tick, LC_DROP_NONE)

Test(quality, only_what_is_followed_passes)
{
	struct lc_tick tick = trade(1, "10", now);
	tick.symbol = 77777;
	ASSERT_DROP(tick, LC_DROP_NOT_FOLLOWED);
	cr_assert_eq(lc_quality_follow(quality, US, false), LC_OK);
	tick.symbol = US;
	ASSERT_DROP(tick, LC_DROP_NOT_FOLLOWED);
	tick.kind = LC_TICK_STATUS;
	ASSERT_DROP(tick, LC_DROP_NOT_FOLLOWED);
	cr_assert_eq(lc_quality_follow(quality, US, true), LC_OK);
	ASSERT_PASS(tick);
	cr_assert_eq(lc_quality_follow(quality, 500000, false), LC_OK);
}

Test(quality, numbers_run_per_symbol_and_kind_and_never_start_again)
{
	for (uint64_t i = 1; i <= 5; i++) {
		struct lc_tick tick = trade(i, "10", now + (int64_t)i);
		cr_assert_eq(judge(&tick), LC_DROP_NONE);
		cr_assert_eq(tick.seq, i);
		struct lc_tick bad = trade(i, "10", now + (int64_t)i);
		cr_assert_eq(judge(&bad), LC_DROP_DUPLICATE, "a drop takes no number");
	}
	struct lc_tick q = quote("9", "11", now);
	cr_assert_eq(judge(&q), LC_DROP_NONE);
	cr_assert_eq(q.seq, 1);
	lc_quality_follow(quality, US, false);
	lc_quality_follow(quality, US, true);
	struct lc_tick again = trade(3, "10", now);
	cr_assert_eq(judge(&again), LC_DROP_NONE);
	cr_assert_eq(again.seq, 6);
}

Test(quality, values_that_cannot_be_are_dropped)
{
	ASSERT_DROP(trade(1, "0", now), LC_DROP_BAD_PRICE);
	ASSERT_DROP(trade(1, "-1", now), LC_DROP_BAD_PRICE);
	struct lc_tick tick = trade(1, "1", now);
	tick.has &= ~(uint32_t)LC_HAS_PRICE;
	ASSERT_DROP(tick, LC_DROP_BAD_PRICE);
	tick = trade(1, "1", now);
	tick.volume = dec("-1");
	ASSERT_DROP(tick, LC_DROP_NEGATIVE_VOLUME);
	ASSERT_DROP(snapshot(SH, "10", "100", "-5", now), LC_DROP_NEGATIVE_VOLUME);
	ASSERT_PASS(trade(1, "10", now));
	ASSERT_DROP(quote("-1", "2", now), LC_DROP_BAD_PRICE);
	struct lc_tick one_sided = quote("0", "2", now);
	cr_assert_eq(judge(&one_sided), LC_DROP_NONE);
	cr_assert_not(one_sided.has & LC_HAS_BID, "0 is no bid, not a bid of 0");
	ASSERT_PASS(quote("3", "2", now + 1)); /* crossed quotes are real */
}

Test(quality, high_and_low_must_fit)
{
	struct lc_tick tick = snapshot(SH, "10", "100", NULL, now);
	tick.has |= LC_HAS_HIGH | LC_HAS_LOW | LC_HAS_OPEN;
	tick.open = dec("9.9");
	tick.high = dec("9.8");
	tick.low = dec("9.9");
	ASSERT_DROP(tick, LC_DROP_INCONSISTENT);
	tick.high = dec("9.95");
	ASSERT_DROP(tick, LC_DROP_INCONSISTENT);
	tick.high = dec("10.00");
	ASSERT_PASS(tick);
	tick.event_ns++;
	tick.open = dec("10.01");
	ASSERT_DROP(tick, LC_DROP_INCONSISTENT);
	tick.symbol = US;
	ASSERT_PASS(tick); /* an odd lot may print outside */
	tick.event_ns++;
	tick.low = dec("10.5");
	ASSERT_DROP(tick, LC_DROP_INCONSISTENT);
}

Test(quality, repeated_trades_are_known_by_exchange_tape_and_id)
{
	ASSERT_PASS(trade(7, "10", now));
	ASSERT_DROP(trade(7, "11", now + S), LC_DROP_DUPLICATE);
	struct lc_tick other = trade(7, "10", now);
	strcpy(other.exchange, "Q");
	ASSERT_PASS(other);
	other = trade(7, "10", now);
	strcpy(other.tape, "A");
	ASSERT_PASS(other);
	/* The same id on the next day is another trade. */
	now += 24 * 3600 * S;
	ASSERT_PASS(trade(7, "10", now));
	struct lc_tick unnamed = trade(7, "10", now);
	unnamed.has &= ~(uint32_t)LC_HAS_TRADE_ID;
	ASSERT_PASS(unnamed);
	ASSERT_PASS(unnamed);
}

Test(quality, trades_without_an_id_are_repeats_only_after_a_reconnect)
{
	struct lc_tick rows[4];
	lc_quality_source_reset(quality, 0);
	for (int i = 0; i < 4; i++) {
		rows[i] = trade(0, i % 2 ? "10" : "10.5", now + i / 2 * S);
		rows[i].has &= ~(uint32_t)LC_HAS_TRADE_ID;
		ASSERT_PASS(rows[i]);
	}
	ASSERT_PASS(rows[3]); /* as much again for the same price */
	lc_quality_source_reset(quality, 0);
	ASSERT_DROP(rows[2], LC_DROP_DUPLICATE);
	ASSERT_DROP(rows[3], LC_DROP_DUPLICATE);
	struct lc_tick missed = rows[3];
	missed.volume = dec("300");
	ASSERT_PASS(missed); /* it was not told before */
	missed.event_ns += S;
	ASSERT_PASS(missed);
	ASSERT_PASS(missed);
}

Test(quality, the_last_trades_of_each_symbol_are_remembered)
{
	for (uint64_t id = 1; id <= 5000; id++) {
		ASSERT_PASS(trade(id, "10", now));
		if (id > 12) {
			ASSERT_DROP(trade(id - 12, "10", now), LC_DROP_DUPLICATE);
		}
	}
}

Test(quality, equal_quotes_and_snapshots_are_repeats)
{
	ASSERT_PASS(trade(1, "10", now));
	ASSERT_PASS(quote("9", "11", now));
	ASSERT_DROP(quote("9", "11", now), LC_DROP_DUPLICATE);
	ASSERT_PASS(quote("9", "11", now + 1));
	ASSERT_PASS(quote("9", "10.5", now + 1));
	ASSERT_PASS(quote("9", "11", now + 1)); /* equal to one before the last */
	struct lc_tick size = quote("9", "11", now + 1);
	size.bid_volume = dec("200");
	ASSERT_PASS(size);
	size.conditions = (struct lc_conditions){.count = 1, .code = {"R1"}};
	ASSERT_PASS(size);
	strcpy(size.conditions.code[0], "R2");
	ASSERT_PASS(size);
	ASSERT_DROP(size, LC_DROP_DUPLICATE);
	ASSERT_PASS(snapshot(SH, "10", "100", "1000", now));
	ASSERT_DROP(snapshot(SH, "10", "100", "1000", now), LC_DROP_DUPLICATE);
	ASSERT_PASS(snapshot(SH, "10", "100", "1001", now));
	/* Without event times arrival must not make a difference. */
	struct lc_tick untimed = snapshot(HK, "10", "100", "1000", now);
	untimed.has &= ~(uint32_t)LC_HAS_EVENT_TIME;
	ASSERT_PASS(untimed);
	untimed.event_ns += S;
	ASSERT_DROP(untimed, LC_DROP_DUPLICATE);
}

Test(quality, old_quotes_and_snapshots_are_stale_and_old_trades_late)
{
	ASSERT_PASS(trade(1, "10", now));
	ASSERT_PASS(quote("9", "11", now));
	ASSERT_DROP(quote("9", "12", now - 1), LC_DROP_STALE);
	ASSERT_PASS(quote("9", "12", now));
	ASSERT_PASS(snapshot(SH, "10", "100", "1000", now));
	ASSERT_DROP(snapshot(SH, "10", "200", "2000", now - 1), LC_DROP_STALE);
	struct lc_tick late = trade(2, "10", now - 10 * S);
	cr_assert_eq(judge(&late), LC_DROP_NONE);
	cr_assert(late.flags & LC_FLAG_LATE);
	struct lc_tick prompt = trade(3, "10", now);
	cr_assert_eq(judge(&prompt), LC_DROP_NONE);
	cr_assert_not(prompt.flags & LC_FLAG_LATE, "a late one does not move the newest back");
}

Test(quality, future_is_measured_against_the_feeds_own_clock)
{
	/* The vendor is a minute ahead of us: that is skew, not future. */
	for (uint64_t i = 0; i < 20; i++) {
		ASSERT_PASS(trade(100 + i, "10", now + 60 * S));
		now += S;
	}
	cr_assert(clock_calls == 1 && clock_skewed && clock_median == 60 * S);
	ASSERT_PASS(trade(1, "10", now + 64 * S));
	ASSERT_DROP(trade(2, "10", now + 66 * S), LC_DROP_FUTURE);
	int64_t median;
	bool skewed;
	cr_assert(lc_quality_offset(quality, 0, &median, &skewed) && skewed && median == 60 * S);
	cr_assert_not(lc_quality_offset(quality, 1, &median, &skewed));
	/* Our clock is put right. */
	for (uint64_t i = 0; i < 80; i++) {
		now += S;
		judge(&(struct lc_tick[]){trade(1000 + i, "10", now)}[0]);
	}
	cr_assert(clock_calls == 2 && !clock_skewed);
}

Test(quality, what_is_not_ahead_of_now_is_not_of_the_future)
{
	/* All of it came late, since we were held up; then we are not any more. */
	for (uint64_t i = 0; i < 20; i++) {
		ASSERT_PASS(trade(100 + i, "10", now - 60 * S));
		now += S;
	}
	ASSERT_PASS(trade(1, "10", now));
	ASSERT_PASS(trade(2, "10", now + 4 * S));
	ASSERT_DROP(trade(3, "10", now + 6 * S), LC_DROP_FUTURE);
}

Test(quality, our_clock_may_be_set)
{
	int64_t event = now;
	for (uint64_t i = 0; i < 200; i++) {
		now += i == 100 ? 3600 * S : i == 150 ? -7200 * S : S / 10;
		event += S / 10;
		ASSERT_PASS(trade(100 + i, "10", event));
	}
}

static void run_snapshots(int64_t offset_ns)
{
	lc_quality_source_reset(quality, 0);
	for (int i = 0; i < 30; i++) {
		now += S;
		struct lc_tick tick = snapshot(SH, "10", "100", NULL, now + offset_ns);
		cr_assert_eq(judge(&tick), LC_DROP_NONE);
	}
}

Test(quality, snapshots_may_lag_without_being_skewed)
{
	run_snapshots(-20 * S);
	cr_assert_eq(clock_calls, 0);
	run_snapshots(20 * S);
	cr_assert(clock_calls == 1 && clock_skewed);
}

Test(quality, quotes_that_lag_are_skewed)
{
	ASSERT_PASS(trade(1, "10", now - 20 * S));
	for (int i = 0; i < 30; i++) {
		now += S;
		ASSERT_PASS(quote("9", i % 2 ? "11" : "12", now - 20 * S));
	}
	cr_assert(clock_calls == 1 && clock_skewed && clock_median == -20 * S);
}

Test(quality, stale_clocks_of_closed_markets_are_no_skew)
{
	/* At night every first snapshot is hours old, and repeats say nothing new. */
	for (int i = 0; i < 100; i++) {
		now += S;
		struct lc_tick tick = snapshot(SH, "10", "100", "1000", now - 5000 * S - i * S);
		judge(&tick);
	}
	int64_t median;
	bool skewed;
	cr_assert_not(lc_quality_offset(quality, 0, &median, &skewed));
	cr_assert_eq(clock_calls, 0);
}

Test(quality, a_wild_time_at_the_start_does_not_silence_its_symbol)
{
	ASSERT_PASS(trade(1, "10", now));
	ASSERT_PASS(quote("9", "11", now + 1000000 * S)); /* nothing to measure it by yet */
	for (uint64_t i = 2; i < 20; i++) {
		ASSERT_PASS(trade(i, "10", now));
	}
	ASSERT_PASS(quote("9", "12", now));
	ASSERT_DROP(quote("9", "13", now - 1), LC_DROP_STALE);
}

Test(quality, only_the_vendors_limits_drop)
{
	struct lc_tick tick = snapshot(SH, "11.01", "100", NULL, now);
	tick.has |= LC_HAS_PREV_CLOSE;
	tick.prev_close = dec("10");
	cr_assert_eq(judge(&tick), LC_DROP_NONE);
	cr_assert(tick.flags & LC_FLAG_BEYOND_LIMIT, "computed: 11.00");
	tick = snapshot(SH, "11.00", "200", NULL, now);
	tick.has |= LC_HAS_LIMIT_UP | LC_HAS_LIMIT_DOWN;
	tick.limit_up = dec("10.50");
	tick.limit_down = dec("9.50");
	ASSERT_DROP(tick, LC_DROP_BEYOND_VENDOR_LIMIT);
	ASSERT_DROP(snapshot(SH, "9.49", "200", NULL, now), LC_DROP_BEYOND_VENDOR_LIMIT);
	ASSERT_PASS(snapshot(SH, "9.50", "200", NULL, now));
	/* They are this day's; and an index has no rule at all. */
	now += 3 * 24 * 3600 * S;
	struct lc_tick next = snapshot(SH, "9.49", "200", NULL, now);
	cr_assert_eq(judge(&next), LC_DROP_NONE);
	cr_assert_not(next.flags & LC_FLAG_BEYOND_LIMIT);
	struct lc_tick index = snapshot(INDEX, "9999", "100", NULL, now);
	index.has |= LC_HAS_PREV_CLOSE;
	index.prev_close = dec("3000");
	cr_assert_eq(judge(&index), LC_DROP_NONE);
	cr_assert_not(index.flags & LC_FLAG_BEYOND_LIMIT);
}

/* What is remarked about a tick that passes. */
static uint8_t doubts(struct lc_tick tick)
{
	cr_assert_eq(judge(&tick), LC_DROP_NONE);
	return tick.doubts;
}

#define DOUBT(name) (1 << LC_DOUBT_##name)

Test(quality, remarks_on_what_passes_flags_among_them)
{
	cr_assert_eq(doubts(trade(1, "10", now)), 0);
	cr_assert_eq(doubts(trade(2, "10", now - S)), DOUBT(LATE));
	/* At night in Shanghai; its first snapshot tells nothing of when it was traded. */
	struct lc_tick tick = snapshot(SH, "10", "100", NULL, now);
	tick.has |= LC_HAS_PREV_CLOSE;
	tick.prev_close = dec("10");
	cr_assert_eq(doubts(tick), 0);
	cr_assert_eq(doubts(snapshot(SH, "11.01", "100", NULL, now + 1)), DOUBT(BEYOND_LIMIT));
	cr_assert_eq(doubts(snapshot(SH, "10", "101", NULL, now + 2)), DOUBT(OUT_OF_SESSION));
	cr_assert_eq(doubts(snapshot(INDEX, "3000.1234", "101", NULL, now)), 0);
}

Test(quality, prices_between_two_steps_are_remarked)
{
	cr_assert_eq(doubts(snapshot(SH, "10.005", "100", NULL, now)), DOUBT(OFF_STEP));
	cr_assert_eq(doubts(snapshot(HK, "60.55", "100", NULL, now)), 0);
	cr_assert_eq(doubts(snapshot(HK, "60.52", "100", NULL, now + 1)), DOUBT(OFF_STEP));
	cr_assert_eq(doubts(trade(1, "10.1234", now)), 0, "the middle of a spread");
	cr_assert_eq(doubts(quote("10.01", "10.015", now)), 0);
	cr_assert_eq(doubts(quote("10.01", "10.012", now + 1)), DOUBT(OFF_STEP));
	cr_assert_eq(doubts(quote("10.011", "10.02", now + 2)), DOUBT(OFF_STEP));
}

Test(quality, moves_of_over_half_a_days_price_are_remarked)
{
	struct lc_reference reference = {.symbol = US,
		.has = LC_HAS_PRICE | LC_HAS_PREV_CLOSE,
		.event_ns = now,
		.price = dec("10"),
		.prev_close = dec("10.01")};
	cr_assert_not(lc_quality_reference(quality, &reference));
	cr_assert_eq(doubts(trade(1, "15.015", now + 1)), 0);
	cr_assert_eq(doubts(trade(2, "15.016", now + 2)), DOUBT(LARGE_MOVE));
	cr_assert_eq(doubts(trade(3, "5.004", now + 3)), DOUBT(LARGE_MOVE));
	/* An older one does not take its place, and tomorrow it is not known. */
	reference.event_ns = now - 24 * 3600 * S;
	reference.prev_close = dec("5");
	lc_quality_reference(quality, &reference);
	cr_assert_eq(doubts(trade(4, "10", now + 4)), 0);
	now += 3 * 24 * 3600 * S;
	cr_assert_eq(doubts(trade(5, "50", now)), 0);
	struct lc_tick hk = snapshot(HK, "300", "100", NULL, now);
	hk.has |= LC_HAS_PREV_CLOSE;
	hk.prev_close = dec("190");
	cr_assert_eq(doubts(hk), DOUBT(LARGE_MOVE));
}

Test(quality, trades_while_the_market_is_closed_are_remarked)
{
	const char *close = "2026-01-10T01:00:00Z"; /* 20:00 in New York */
	cr_assert_eq(lc_time_parse(close, strlen(close), NULL, &now), LC_OK);
	cr_assert_eq(doubts(trade(1, "10", now + 59 * S)), 0);
	now += 62 * S;
	cr_assert_eq(doubts(trade(2, "10", now)), DOUBT(OUT_OF_SESSION));
	struct lc_tick night = trade(3, "10", now);
	strcpy(night.feed, "overnight");
	cr_assert_eq(doubts(night), 0);
	cr_assert_eq(doubts(quote("9", "11", now)), 0);
}

Test(quality, a_volume_in_the_wrong_unit_is_held_back)
{
	ASSERT_DROP(snapshot(SH, "10", "100", "100000", now), LC_DROP_WRONG_UNIT);
	struct lc_tick delta = snapshot(SH, "10", "101", "101000", now + 1);
	delta.full_snapshot = false;
	ASSERT_DROP(delta, LC_DROP_WRONG_UNIT);
	ASSERT_DROP(snapshot(SH, "10", "10000", "1000", now + 2), LC_DROP_WRONG_UNIT);
	ASSERT_PASS(snapshot(SH, "10", "10000", "100500", now + 3));
	delta = snapshot(SH, "10", "10001", "100510", now + 4);
	delta.full_snapshot = false;
	ASSERT_PASS(delta);
	ASSERT_PASS(snapshot(SH, "10", "10002", "30000", now + 5)); /* odd, but no unit */
}

Test(quality, volume_never_goes_back_within_a_day_unless_it_stays_there)
{
	ASSERT_PASS(snapshot(SH, "10", "1000", NULL, now));
	ASSERT_DROP(snapshot(SH, "10", "900", NULL, now + 1), LC_DROP_VOLUME_DECREASED);
	ASSERT_PASS(snapshot(SH, "10", "1000", NULL, now + 2));
	ASSERT_DROP(snapshot(SH, "10", "900", NULL, now + 3), LC_DROP_VOLUME_DECREASED);
	ASSERT_DROP(snapshot(SH, "10", "901", NULL, now + 4), LC_DROP_VOLUME_DECREASED);
	ASSERT_PASS(snapshot(SH, "10", "902", NULL, now + 5));
	now += 24 * 3600 * S;
	ASSERT_PASS(snapshot(SH, "10", "5", NULL, now));
}

Test(quality, quotes_wait_for_a_price_and_the_newest_counts)
{
	enum lc_drop reason;
	struct lc_tick held;
	struct lc_tick first = quote("9", "11", now), second = quote("9.5", "11", now + 1);
	cr_assert_eq(lc_quality_judge(quality, &first, now, &reason), LC_HOLD);
	cr_assert_eq(dropped[LC_DROP_NO_PRICE], 0);
	cr_assert_eq(lc_quality_judge(quality, &second, now, &reason), LC_HOLD);
	cr_assert_eq(dropped[LC_DROP_NO_PRICE], 1);
	cr_assert(last_dropped.seq == 0 && last_dropped.bid.mantissa == 9);
	cr_assert_eq(lc_quality_held(quality), 1);
	cr_assert_not(lc_quality_release(quality, US, &held));
	/* A trade that does not make a price lets it wait on. */
	struct lc_tick odd_lot = trade(1, "10", now);
	odd_lot.effect = LC_UPDATES_VOLUME;
	cr_assert_eq(lc_quality_judge(quality, &odd_lot, now, &reason), LC_PASS);
	struct lc_tick price = trade(2, "10", now);
	cr_assert_eq(lc_quality_judge(quality, &price, now, &reason), LC_PASS_RELEASE);
	cr_assert(lc_quality_release(quality, US, &held));
	cr_assert(held.seq == 1 && lc_decimal_compare(held.bid, dec("9.5")) == 0);
	cr_assert_not(lc_quality_release(quality, US, &held));
	cr_assert_eq(lc_quality_held(quality), 0);
	struct lc_tick third = quote("9.6", "11", now + 2);
	cr_assert_eq(lc_quality_judge(quality, &third, now, &reason), LC_PASS);
	cr_assert_eq(third.seq, 2);
}

Test(quality, a_reference_is_a_price_and_what_is_held_is_bounded)
{
	enum lc_drop reason;
	struct lc_tick held;
	for (uint32_t symbol = US; symbol <= INDEX; symbol++) {
		struct lc_tick tick = quote("9", "11", now);
		tick.symbol = symbol;
		cr_assert_eq(lc_quality_judge(quality, &tick, now, &reason),
			symbol < INDEX ? LC_HOLD : LC_DROP);
	}
	cr_assert_eq(reason, LC_DROP_NO_PRICE, "only two may be held");
	struct lc_reference reference = {.symbol = US, .event_ns = now};
	cr_assert_not(lc_quality_reference(quality, &reference), "it says nothing of a price");
	reference.has = LC_HAS_PRICE;
	reference.price = dec("10");
	cr_assert(lc_quality_reference(quality, &reference));
	cr_assert(lc_quality_release(quality, US, &held));
	cr_assert_not(lc_quality_reference(quality, &reference));
	/* What was left is reported as such. */
	lc_quality_follow(quality, HK, false);
	cr_assert_eq(dropped[LC_DROP_NOT_FOLLOWED], 1);
	cr_assert_eq(lc_quality_held(quality), 0);
	struct lc_tick empty = base(HK, LC_TICK_SNAPSHOT, now);
	lc_quality_follow(quality, HK, true);
	ASSERT_DROP(empty, LC_DROP_NO_PRICE);
}

Test(quality, amounts_and_effects_are_completed)
{
	struct lc_tick tick = trade(1, "10.5", now);
	tick.effect = LC_UPDATES_VOLUME | LC_UPDATES_HIGH_LOW | LC_UPDATES_LAST_IF_FIRST;
	cr_assert_eq(judge(&tick), LC_DROP_NONE);
	cr_assert_eq(tick.effect, LC_UPDATES_ALL, "the first of the day");
	cr_assert_eq(lc_decimal_compare(tick.amount, dec("1050")), 0);
	tick = trade(2, "10.5", now);
	tick.effect = LC_UPDATES_VOLUME | LC_UPDATES_HIGH_LOW | LC_UPDATES_LAST_IF_FIRST;
	cr_assert_eq(judge(&tick), LC_DROP_NONE);
	cr_assert_eq(tick.effect, LC_UPDATES_VOLUME | LC_UPDATES_HIGH_LOW);
	now += 24 * 3600 * S;
	tick = trade(3, "10.5", now);
	tick.effect = LC_UPDATES_LAST_IF_FIRST;
	cr_assert_eq(judge(&tick), LC_DROP_NONE);
	cr_assert_eq(tick.effect, LC_UPDATES_LAST);
	struct lc_tick bare = snapshot(SH, "10", "100", NULL, now);
	cr_assert_eq(judge(&bare), LC_DROP_NONE);
	cr_assert(bare.flags & LC_FLAG_NO_AMOUNT && lc_decimal_is_zero(bare.amount));
	cr_assert_eq(bare.effect, LC_UPDATES_ALL);
}

Test(quality, corrections_cancels_and_statuses_pass_unnumbered)
{
	for (int kind = LC_TICK_CORRECTION; kind <= LC_TICK_STATUS; kind++) {
		struct lc_tick tick = base(US, kind, now - 100000 * S);
		ASSERT_PASS(tick);
		ASSERT_PASS(tick);
		cr_assert_eq(tick.seq, 0);
	}
}

Test(quality, every_reason_has_a_name)
{
	cr_assert_str_eq(lc_drop_name(LC_DROP_NO_PRICE), "no_price");
	cr_assert_str_eq(lc_drop_name(LC_DROP_SHUTDOWN), "shutdown");
	cr_assert_str_eq(lc_drop_name(LC_DROP_REASONS), "unknown");
	for (int i = 0; i < LC_DROP_REASONS; i++) {
		cr_assert_str_neq(lc_drop_name(i), "unknown");
	}
	lc_quality_destroy(NULL);
}

/* What was asked for after a gap: what the stream gave at its edges is known however many trades
 * came since, what it fetched is not late, and the stream's own repeats stay known. */
Test(quality, backfilled_trades)
{
	for (uint64_t id = 1; id <= 50; id++) {
		ASSERT_PASS(trade(id, "10", now - 4 * S));
	}
	lc_quality_edge(quality, US, true);
	for (uint64_t id = 1000; id < 3000; id++) {
		ASSERT_PASS(trade(id, "10", now));
	}
	struct lc_tick late = trade(77, "10", now - 2 * S);
	ASSERT_PASS(late);
	for (uint64_t id = 40; id <= 80; id++) {
		struct lc_tick tick = trade(id, "11", now - 3 * S);
		tick.flags = LC_FLAG_BACKFILLED;
		struct lc_tick asked = tick;
		enum lc_drop seen = id <= 50 || id == 77 ? LC_DROP_DUPLICATE : LC_DROP_NONE;
		cr_assert_eq(judge(&asked), seen, "%d", (int)id);
		cr_assert_eq(asked.flags, LC_FLAG_BACKFILLED);
		ASSERT_DROP(tick, LC_DROP_DUPLICATE);
	}
	ASSERT_DROP(trade(2999, "10", now), LC_DROP_DUPLICATE);
	ASSERT_DROP(trade(2990, "10", now), LC_DROP_DUPLICATE);
	/* The stream may give behind what was fetched. */
	ASSERT_DROP(trade(80, "11", now), LC_DROP_DUPLICATE);
	lc_quality_edge(quality, US, false);
	for (uint64_t id = 76; id <= 80; id++) {
		ASSERT_DROP(trade(id, "11", now), LC_DROP_DUPLICATE);
	}
	ASSERT_DROP(trade(2999, "10", now), LC_DROP_DUPLICATE);
	lc_quality_edge(quality, 999, true);
	/* It makes no price: a quote waits for one of the stream's. */
	struct lc_tick first = base(HK, LC_TICK_TRADE, now - S);
	first.has |= LC_HAS_PRICE;
	first.price = dec("300");
	first.flags = LC_FLAG_BACKFILLED;
	ASSERT_PASS(first);
	struct lc_tick waits = base(HK, LC_TICK_QUOTE, now);
	enum lc_drop reason;
	cr_assert_eq(lc_quality_judge(quality, &waits, now, &reason), LC_HOLD);
}

static void judge_history(uint64_t id, int64_t event_ns, enum lc_drop expected)
{
	struct lc_tick tick = trade(id, "10", event_ns);
	tick.flags = LC_FLAG_BACKFILLED;
	cr_assert_eq(judge(&tick), expected, "%d", (int)id);
}

/* A history that reaches further than the hole repeats what the stream gave by the thousand: more
 * than is remembered of it. */
Test(quality, history_beyond_the_holes_end)
{
	int64_t begin = now;
	ASSERT_PASS(trade(1, "10", begin));
	for (uint64_t hole = 1; hole <= 2; hole++) {
		lc_quality_edge(quality, US, true);
		now += S;
		for (uint64_t i = 0; i < 2000; i++) {
			ASSERT_PASS(trade(hole * 10000 + i, "10", now += S / 1000));
		}
	}
	/* Of the first hole, then of what came between the two, of the second, and after it. */
	judge_history(2, begin + S / 2, LC_DROP_NONE);
	judge_history(11000, begin + 2 * S, LC_DROP_DUPLICATE);
	judge_history(11980, begin + S + 1985 * S / 1000, LC_DROP_DUPLICATE);
	judge_history(3, begin + 3 * S + S / 2, LC_DROP_NONE);
	judge_history(21000, begin + 5 * S, LC_DROP_DUPLICATE);
}

/* What the stream gives late says nothing of the hole's end, however much it is. */
Test(quality, late_trades_push_nothing_out_of_the_holes_end)
{
	lc_quality_edge(quality, US, true);
	int64_t begin = now;
	for (uint64_t id = 1; id <= 100; id++) {
		ASSERT_PASS(trade(id, "10", begin + (int64_t)id * S / 1000));
	}
	for (uint64_t id = 1000; id < 3000; id++) {
		ASSERT_PASS(trade(id, "10", begin + 90 * S / 1000));
	}
	judge_history(1000, begin + 90 * S / 1000, LC_DROP_DUPLICATE);
	for (uint64_t id = 1; id <= 5; id++) {
		judge_history(id, begin + (int64_t)id * S / 1000, LC_DROP_DUPLICATE);
	}
	judge_history(500, begin + S / 1000, LC_DROP_NONE);
}

static struct lc_tick of_source(struct lc_tick tick, uint8_t source)
{
	tick.source = source;
	return tick;
}

/* A snapshot of source 1 that passed is the second, and nothing is merged with it. */
static void assert_first(struct lc_tick tick, uint64_t seq)
{
	cr_assert_eq(judge(&tick), LC_DROP_NONE);
	cr_assert_eq(tick.seq, seq, "numbers go on");
	cr_assert_eq(tick.traded, LC_TRADED_FIRST);
}

Test(quality, another_source_is_judged_by_itself)
{
	ASSERT_PASS(snapshot(SH, "10", "100000", "1000000", now));
	/* In lots: held back as long as this source gives it. */
	ASSERT_DROP(snapshot(SH, "10", "1001", "1001000", now + 1), LC_DROP_WRONG_UNIT);
	/* A little behind, and it knows of less. */
	struct lc_tick behind = snapshot(SH, "10", "99000", "990000", now - 3 * S);
	assert_first(of_source(behind, 1), 2);
	ASSERT_DROP(of_source(behind, 1), LC_DROP_DUPLICATE);
	behind.event_ns -= S;
	ASSERT_DROP(of_source(behind, 1), LC_DROP_STALE);
	cr_assert_eq(lc_quality_newest(quality, SH, LC_TICK_SNAPSHOT), now - 3 * S);
	assert_first(snapshot(SH, "10", "100200", "1002000", now + 2), 3); /* back again */
	cr_assert_eq(lc_quality_newest(quality, SH, LC_TICK_TRADE), INT64_MIN);
	cr_assert_eq(lc_quality_newest(quality, 999, LC_TICK_TRADE), INT64_MIN);
}

/* Room for every symbol there may be: the pages come with the symbols. Writing to all of it at once
 * would hold the loop. */
Test(quality_room, room_costs_nothing_before_it_is_used)
{
	struct lc_quality *many;
	const struct lc_quality_options options = {.symbols_at_start = 1000000};
	double before = resident_mb();
	cr_assert_eq(lc_quality_create(&options, &many), LC_OK);
	cr_assert_lt(resident_mb() - before, 60);
	lc_quality_destroy(many);
}

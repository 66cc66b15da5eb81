/* Golden tapes of US trades, their bars worked out by hand from the rules. */
#include "bars_fixture.h"

static void cancel(struct bars_fixture *f, const char *when, const char *price, const char *size)
{
	struct lc_tick tick = trade_tick(f, when, price, size, "");
	tick.kind = LC_TICK_CANCEL;
	lc_bars_tick(f->bars, &tick);
}

static void correct(struct bars_fixture *f, const char *when, const char *price, const char *size,
	const char *new_price, const char *new_size)
{
	struct lc_tick tick = trade_tick(f, when, price, size, "");
	tick.kind = LC_TICK_CORRECTION;
	tick.u.correction.price = dec(new_price);
	tick.u.correction.volume = dec(new_size);
	tick.u.correction.effect = LC_UPDATES_ALL;
	lc_bars_tick(f->bars, &tick);
}

static void late(struct bars_fixture *f, const char *when, const char *price, const char *size)
{
	struct lc_tick tick = trade_tick(f, when, price, size, "");
	tick.flags = LC_FLAG_LATE;
	lc_bars_tick(f->bars, &tick);
}

static void refer(struct bars_fixture *f, const char *when, const char *open, const char *high,
	const char *low, const char *price, const char *volume)
{
	struct lc_reference reference = {.symbol = f->symbol,
		.event_ns = at(f, when),
		.has = LC_HAS_PRICE | LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW | LC_HAS_VOLUME,
		.price = dec(price),
		.open = dec(open),
		.high = dec(high),
		.low = dec(low),
		.volume = dec(volume)};
	lc_bars_reference(f->bars, &reference);
}

/* Outside of the regular session nothing; the closing print is the day's close and volume only. */
Test(bars_us, session_and_closing_print)
{
	struct bars_fixture f;
	open_day(&f, "IBM", ONLY_1M_1D);
	trades(&f, "2026-03-04",
		"09:29:59.9 99 100 T\n"
		"09:30:00.1 100 100 O\n"
		"09:30:30 101 50 @\n"
		"15:59:59.9 102 10 @\n"
		"16:00:00.5 110 30 T");
	advance(&f, "2026-03-04 16:00:03");
	EXPECT(&f, "1m 09:30 100 101 100 101 150 15050 2\n"
		   "1m 15:59 102 102 102 102 10 1020 1\n"
		   "1d 00:00 100 102 100 102 160 16070 3\n");
	trades(&f, "2026-03-04",
		"16:01:12 103 5000 6\n"
		/* The official close updates nothing. */
		"16:01:13 104 5000 M");
	advance(&f, "2026-03-04 16:01:14");
	EXPECT(&f, "1d 00:00 100 102 100 103 5160 531070 4 r1\n");
	fixture_close(&f);
}

/* Odd lots have volume and no price; average prices reach neither. */
Test(bars_us, trades_that_are_not_eligible)
{
	struct bars_fixture f;
	open_day(&f, "IBM", ONLY_1M_1D);
	trades(&f, "2026-03-04",
		"09:30:01 100 100 @\n"
		"09:30:02 120 7 I\n"
		/* Reported out of sequence: high and low, not last. */
		"09:30:03 101 10 Z\n"
		"09:30:04 90 9 M\n"
		/* A minute of odd lots alone stays at the price before. */
		"09:31:00 130 3 I");
	advance(&f, "2026-03-04 16:00:03");
	EXPECT(&f, "1m 09:30 100 101 100 100 117 11850 3\n"
		   "1m 09:31 100 100 100 100 3 390 1\n"
		   "1d 00:00 100 101 100 100 120 12240 4\n");
	fixture_close(&f);
}

/* A late trade amends its own minute, and every longer bar and the day with it. */
Test(bars_us, late_trade)
{
	struct bars_fixture f;
	open_day(&f, "IBM", 1 << LC_PERIOD_1M | 1 << LC_PERIOD_5M);
	trades(&f, "2026-03-04",
		"09:30:10 100 10 @\n"
		"09:30:50 101 10 @\n"
		"09:36:00 102 10 @");
	advance(&f, "2026-03-04 09:36:00");
	EXPECT(&f, "1m 09:30 100 101 100 101 20 2010 2\n5m 09:30 100 101 100 101 20 2010 2\n");
	late(&f, "2026-03-04 09:30:05", "99", "1");
	late(&f, "2026-03-04 09:30:20", "103", "2");
	late(&f, "2026-03-04 09:32:00", "98", "4");
	advance(&f, "2026-03-04 09:36:02");
	EXPECT(&f, "1m 09:30 99 103 99 101 23 2315 4 r1\n"
		   "1m 09:32 98 98 98 98 4 392 1\n"
		   "5m 09:30 99 103 98 98 27 2707 5 r1\n");
	fixture_close(&f);
}

/* A cancel takes volume and amount away; a price that may have made the bar is in doubt until the
 * vendor has told the minute. */
Test(bars_us, cancel)
{
	struct bars_fixture f;
	open_day(&f, "IBM", ONLY_1M_1D);
	trades(&f, "2026-03-04",
		"09:30:10 100 10 @\n"
		"09:30:20 105 20 @\n"
		"09:30:30 103 30 @\n"
		"09:30:40 101 40 @");
	advance(&f, "2026-03-04 09:31:03");
	EXPECT(&f, "1m 09:30 100 105 100 101 100 10230 4\n");
	cancel(&f, "2026-03-04 09:30:30", "103", "30");
	advance(&f, "2026-03-04 09:31:10");
	EXPECT(&f, "1m 09:30 100 105 100 101 70 7140 4 r1\n");
	cr_assert_eq(f.doubts, 0u);
	cancel(&f, "2026-03-04 09:30:20", "105", "20");
	cr_assert_eq(f.doubts, 1u);
	cr_assert_eq(f.doubt_ns, at(&f, "2026-03-04 09:30:00"));
	advance(&f, "2026-03-04 09:31:20");
	EXPECT(&f, "1m 09:30 100 105 100 101 50 5040 4 r2 !\n");
	struct lc_bar vendor = {.symbol = f.symbol, .start_ns = f.doubt_ns};
	vendor.open = dec("100");
	vendor.high = dec("101");
	vendor.low = dec("100");
	vendor.close = dec("101");
	vendor.volume = dec("50");
	cr_assert_eq(lc_bars_replace(f.bars, &vendor), LC_OK);
	vendor.start_ns++;
	cr_assert_eq(lc_bars_replace(f.bars, &vendor), LC_ERR_NOT_FOUND);
	advance(&f, "2026-03-04 09:31:30");
	EXPECT(&f, "1m 09:30 100 101 100 101 50 5040 4 r3\n");
	advance(&f, "2026-03-04 16:00:03");
	EXPECT(&f, "1d 00:00 100 101 100 101 50 5040 4\n");
	fixture_close(&f);
}

Test(bars_us, correction)
{
	struct bars_fixture f;
	open_day(&f, "IBM", ONLY_1M_1D);
	trades(&f, "2026-03-04",
		"09:30:10 100 10 @\n"
		"09:30:20 102 20 @\n"
		"09:30:30 104 20 @\n"
		"09:30:40 103 10 @");
	correct(&f, "2026-03-04 09:30:20", "102", "20", "101", "25");
	advance(&f, "2026-03-04 16:00:03");
	/* 1000 + 2040 + 2080 + 1030 - 2040 + 2525 */
	EXPECT(&f, "1m 09:30 100 104 100 103 65 6635 4\n"
		   "1d 00:00 100 104 100 103 65 6635 4\n");
	cr_assert_eq(f.doubts, 0u);
	fixture_close(&f);
}

/* The day as the vendor tells it, then trades; what it counted already is not counted again. */
Test(bars_us, late_start_with_a_reference)
{
	struct bars_fixture f;
	fixture_open(&f, "IBM", ONLY_1M_1D, false);
	follow(&f, "2026-03-04 10:00:20");
	trade(&f, "2026-03-04 10:00:21", "101", "10", "@");
	struct lc_bar day;
	cr_assert_eq(lc_bars_day(f.bars, f.symbol, at(&f, "2026-03-04 10:00:22"), &day), LC_OK);
	cr_assert_not(day.complete);
	refer(&f, "2026-03-04 10:00:23", "100", "105", "98", "101", "5000");
	trades(&f, "2026-03-04",
		"10:00:22 101 20 @\n"
		"10:00:24 106 30 @");
	advance(&f, "2026-03-04 16:00:03");
	EXPECT(&f, "1m 10:00 101 106 101 106 60 6210 3 !\n"
		   "1d 00:00 100 106 98 106 5030 6210 3 gap=4970\n");
	fixture_close(&f);
}

/* Lost trades: the bars they may have been in are not complete, nor is the day until it is told;
 * ticks that come after all make them whole. */
Test(bars_us, gap_and_backfill)
{
	struct bars_fixture f;
	open_day(&f, "IBM", ONLY_1M_1D);
	trade(&f, "2026-03-04 10:00:10", "100", "10", "@");
	advance(&f, "2026-03-04 10:01:03");
	f.n_said = 0;
	lc_bars_gap(f.bars, f.symbol, at(&f, "2026-03-04 10:00:30"), at(&f, "2026-03-04 10:02:30"));
	trade(&f, "2026-03-04 10:02:40", "102", "10", "@");
	advance(&f, "2026-03-04 10:03:03");
	EXPECT(&f,
		"1m 10:02 102 102 102 102 10 1020 1 !\n1m 10:00 100 100 100 100 10 1000 1 r1 !\n");
	refer(&f, "2026-03-04 10:02:50", "100", "103", "100", "102", "50");
	late(&f, "2026-03-04 10:01:10", "103", "30");
	lc_bars_filled(
		f.bars, f.symbol, at(&f, "2026-03-04 10:00:30"), at(&f, "2026-03-04 10:02:30"));
	advance(&f, "2026-03-04 10:03:05");
	EXPECT(&f, "1m 10:00 100 100 100 100 10 1000 1 r2\n"
		   "1m 10:01 103 103 103 103 30 3090 1\n"
		   "1m 10:02 102 102 102 102 10 1020 1 r1\n");
	advance(&f, "2026-03-04 16:00:03");
	EXPECT(&f, "1d 00:00 100 103 100 102 50 5110 3\n");
	fixture_close(&f);
}

/* With bars.us.extended, Form T makes prices in bars of their own segments; the day stays
 * regular. */
Test(bars_us, extended_hours)
{
	struct bars_fixture f;
	fixture_open(&f, "IBM", 1 << LC_PERIOD_60M | 1 << LC_PERIOD_1D, true);
	follow(&f, "2026-03-04 03:00:00");
	trades(&f, "2026-03-04",
		"04:00:01 99 100 T\n"
		"09:29:00 99.5 100 T\n"
		"09:30:01 100 100 @\n"
		"15:59:59 101 100 @\n"
		"16:00:01 102 100 T\n"
		"19:59:59 103 100 T\n"
		"20:00:01 104 100 T");
	advance(&f, "2026-03-04 20:00:03");
	EXPECT(&f, "60m 04:00 99 99 99 99 100 9900 1\n"
		   "60m 09:00 99.5 99.5 99.5 99.5 100 9950 1\n"
		   "60m 09:30 100 100 100 100 100 10000 1\n"
		   "60m 15:30 101 101 101 101 100 10100 1\n"
		   "60m 16:00 102 102 102 102 100 10200 1\n"
		   "60m 19:00 103 103 103 103 100 10300 1\n"
		   "1d 00:00 100 101 100 101 200 20100 2\n");
	fixture_close(&f);
}

/* An early close at 13:00, and both changes of the clock: 09:30 in New York is another instant. */
Test(bars_us, half_day_and_daylight_saving)
{
	struct bars_fixture f;
	fixture_open(&f, "IBM", ONLY_1M_1D, false);
	follow(&f, "2026-03-06 08:00:00");
	static const char *const opens[] = {"2026-03-06 14:30:00", "2026-03-09 13:30:00",
		"2026-10-30 13:30:00", "2026-11-02 14:30:00"};
	for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
		int64_t open_ns;
		cr_assert_eq(lc_time_parse(opens[i], 19, NULL, &open_ns), LC_OK);
		struct lc_tick tick = trade_tick(&f, "2026-03-04 09:30:00", "100", "10", "@");
		tick.event_ns = open_ns - 1;
		lc_bars_tick(f.bars, &tick);
		tick.event_ns = open_ns;
		lc_bars_tick(f.bars, &tick);
		while (lc_bars_advance(f.bars, LC_MARKET_US, open_ns + 7 * 60 * MINUTE)) {
		}
		EXPECT(&f,
			"1m 09:30 100 100 100 100 10 1000 1\n1d 00:00 100 100 100 100 10 1000 1\n");
	}
	trades(&f, "2026-11-27",
		"12:59:59 100 10 @\n"
		"13:00:00 101 10 T");
	advance(&f, "2026-11-27 13:00:03");
	EXPECT(&f, "1m 12:59 100 100 100 100 10 1000 1\n1d 00:00 100 100 100 100 10 1000 1\n");
	fixture_close(&f);
}

/* Open bars are said in between when they are asked for. */
Test(bars_us, partials)
{
	struct bars_fixture f;
	fixture_open(&f, "IBM", ONLY_1M_1D, false);
	lc_bars_destroy(f.bars);
	open_bars(&f, &f.bars, ONLY_1M_1D, SECOND, false);
	follow(&f, "2026-03-04 08:00:00");
	advance(&f, "2026-03-04 09:30:09");
	trade(&f, "2026-03-04 09:30:10", "100", "10", "@");
	advance(&f, "2026-03-04 09:30:10");
	EXPECT(&f, "1m 09:30 100 100 100 100 10 1000 1 open\n1d 00:00 100 100 100 100 10 1000 1 "
		   "open\n");
	/* Nothing new, nothing said; and not more often than asked. */
	advance(&f, "2026-03-04 09:30:11");
	trade(&f, "2026-03-04 09:30:11.5", "100", "10", "@");
	advance(&f, "2026-03-04 09:30:11.9");
	EXPECT(&f, "");
	advance(&f, "2026-03-04 09:30:12");
	EXPECT(&f, "1m 09:30 100 100 100 100 20 2000 2 open\n1d 00:00 100 100 100 100 20 2000 2 "
		   "open\n");
	fixture_close(&f);
}

/* A day that turns out to be short, and one that turns out to be closed. */
Test(bars_us, the_calendar_changes_in_the_day)
{
	char dir[] = "/tmp/livecore-bars-XXXXXX", path[64];
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/us.csv", dir);
	struct bars_fixture f;
	struct lc_error err;
	open_day(&f, "IBM", ONLY_1M_1D);
	trade(&f, "2026-03-04 09:30:10", "100", "10", "@");
	advance(&f, "2026-03-04 11:00:00");
	EXPECT(&f, "1m 09:30 100 100 100 100 10 1000 1\n");
	int32_t day = lc_days_from_civil(2026, 3, 4);
	cr_assert_eq(lc_calendar_write(dir, LC_MARKET_US, day, 12 * 60, "", &err), LC_OK);
	cr_assert_eq(lc_calendar_reload(f.calendar, dir, NULL, &err), LC_OK);
	lc_bars_calendar(f.bars, f.calendar);
	trades(&f, "2026-03-04",
		"11:59:59 101 10 @\n"
		"12:00:01 102 10 @");
	advance(&f, "2026-03-04 12:00:03");
	EXPECT(&f, "1m 11:59 101 101 101 101 10 1010 1\n1d 00:00 100 101 100 101 20 2010 2\n");
	cr_assert_eq(lc_calendar_write(dir, LC_MARKET_US, day, -1, "", &err), LC_OK);
	cr_assert_eq(lc_calendar_reload(f.calendar, dir, NULL, &err), LC_OK);
	lc_bars_calendar(f.bars, f.calendar);
	struct lc_bar bar;
	(void)lc_bars_day(f.bars, f.symbol, at(&f, "2026-03-04 12:10:00"), &bar);
	(void)lc_bars_get(f.bars, f.symbol, LC_PERIOD_1M, at(&f, "2026-03-04 09:30:00"), &bar);
	trade(&f, "2026-03-04 12:11:00", "102", "10", "@");
	advance(&f, "2026-03-05 00:00:10");
	EXPECT(&f, "");
	remove(path);
	remove(dir);
	fixture_close(&f);
}

/* Told at two in the afternoon that the day ended at noon, and then that there was no day: what was
 * closed behind that stays as it was said, what waits to be said again neither comes nor hangs. */
Test(bars_us, an_early_close_that_is_told_too_late)
{
	char dir[] = "/tmp/livecore-bars-XXXXXX", path[64];
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/us.csv", dir);
	static const int closes[] = {12 * 60, -1};
	for (size_t i = 0; i < sizeof closes / sizeof *closes; i++) {
		struct bars_fixture f;
		struct lc_error err;
		fixture_open(&f, "IBM", 1 << LC_PERIOD_60M | 1 << LC_PERIOD_5M, false);
		follow(&f, "2026-03-04 08:00:00");
		trade(&f, "2026-03-04 11:50:10", "100", "10", "@");
		trade(&f, "2026-03-04 13:00:10", "101", "10", "@");
		advance(&f, "2026-03-04 14:02:00");
		f.n_said = 0;
		trade(&f, "2026-03-04 13:00:20", "102", "10", "@");
		trade(&f, "2026-03-04 11:50:20", "103", "10", "@");
		int32_t day = lc_days_from_civil(2026, 3, 4);
		cr_assert_eq(lc_calendar_write(dir, LC_MARKET_US, day, closes[i], "", &err), LC_OK);
		cr_assert_eq(lc_calendar_reload(f.calendar, dir, NULL, &err), LC_OK);
		lc_bars_calendar(f.bars, f.calendar);
		advance(&f, "2026-03-04 14:03:00");
		while (lc_bars_flush(f.bars, at(&f, "2026-03-04 14:04:00"))) {
		}
		EXPECT(&f, i == 0 ? "5m 11:50 100 103 100 103 20 2030 2 r1\n"
				    "60m 11:30 100 103 100 103 20 2030 2 r1\n"
				  : "");
		fixture_close(&f);
	}
	remove(path);
	remove(dir);
}

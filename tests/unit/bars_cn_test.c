/* Golden tapes of the mainland's snapshots, their bars worked out by hand from the rules. */
#include "bars_fixture.h"

/* The opening auction at 09:25 enters the 09:30 bar; indicative prices before it enter nothing. */
Test(bars_cn, opening_auction_enters_the_first_minute)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	/* Yesterday's totals, shown again in the morning. */
	snapshots(&f, "2026-03-04",
		"08:50:00 9.9 777700 7700000 9.8 10 9.7\n"
		"09:20:00 11 0 0\n"
		"09:24:57 10.5 0 0\n"
		"09:25:03 10 5000 50000 10 10 10\n"
		"09:30:03 10.1 6000 60100 10 10.1 10");
	advance(&f, "2026-03-04 09:31:02.9");
	EXPECT(&f, "");
	advance(&f, "2026-03-04 09:31:03");
	EXPECT(&f, "1m 09:30 10 10.1 10 10.1 6000 60100 4\n");
	fixture_close(&f);
}

Test(bars_cn, without_volume_a_price_enters_nothing)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	snapshots(&f, "2026-03-04",
		"09:30:03 10 100 1000 10 10 10\n"
		/* The closing auction's indications. */
		"14:58:00 12 100 1000 10 10 10\n"
		"14:59:30 13 100 1000 10 10 10\n"
		"15:00:03 11 300 3200 10 11 10\n"
		"15:00:09 14 300 3200 10 11 10");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1m 09:30 10 10 10 10 100 1000 1\n"
		   "1m 14:59 11 11 11 11 200 2200 3\n"
		   "1d 00:00 10 11 10 11 300 3200 5\n");
	fixture_close(&f);
}

/* A high that no sample showed as a price enters the bar in which it appeared. */
Test(bars_cn, session_extremes_that_were_stepped_over)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	snapshots(&f, "2026-03-04",
		"09:30:03 10 100 1000 10 10 10\n"
		"09:31:03 10.1 200 2010 10 10.4 9.9\n"
		"09:32:03 10.2 300 3030 10 10.4 9.9");
	advance(&f, "2026-03-04 09:33:03");
	EXPECT(&f, "1m 09:30 10 10 10 10 100 1000 1\n"
		   "1m 09:31 10.1 10.4 9.9 10.1 100 1010 1\n"
		   "1m 09:32 10.2 10.2 10.2 10.2 100 1020 1\n");
	fixture_close(&f);
}

/* Periods restart after lunch; 11:30:xx is 11:29. */
Test(bars_cn, across_the_lunch_break)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", 0);
	snapshots(&f, "2026-03-04",
		"11:28:30 10 100 1000 10 10 10\n"
		"11:30:02 10.2 300 3040 10 10.2 10");
	advance(&f, "2026-03-04 11:30:03");
	EXPECT(&f, "1m 11:28 10 10 10 10 100 1000 1\n"
		   "1m 11:29 10.2 10.2 10.2 10.2 200 2040 1\n"
		   "5m 11:25 10 10.2 10 10.2 300 3040 2\n"
		   "15m 11:15 10 10.2 10 10.2 300 3040 2\n"
		   "30m 11:00 10 10.2 10 10.2 300 3040 2\n"
		   "60m 10:30 10 10.2 10 10.2 300 3040 2\n");
	snapshot(&f, "2026-03-04 13:00:01", "10.1", "400", "4050", "10", "10.2", "10");
	advance(&f, "2026-03-04 13:05:03");
	EXPECT(&f, "1m 13:00 10.1 10.1 10.1 10.1 100 1010 1\n"
		   "5m 13:00 10.1 10.1 10.1 10.1 100 1010 1\n");
	advance(&f, "2026-03-04 14:00:03");
	EXPECT(&f, "15m 13:00 10.1 10.1 10.1 10.1 100 1010 1\n"
		   "30m 13:00 10.1 10.1 10.1 10.1 100 1010 1\n"
		   "60m 13:00 10.1 10.1 10.1 10.1 100 1010 1\n");
	fixture_close(&f);
}

/* 15:00:xx is 14:59; fixed-price trades enter 1d alone, which is final at 15:31. */
Test(bars_cn, close_and_fixed_price)
{
	struct bars_fixture f;
	open_day(&f, "688001.SH", ONLY_1M_1D);
	snapshot(&f, "2026-03-04 14:56:59", "10", "100", "1000", "10", "10", "10");
	advance(&f, "2026-03-04 15:00:03");
	EXPECT(&f, "1m 14:56 10 10 10 10 100 1000 1\n");
	snapshots(&f, "2026-03-04",
		"15:00:04 10.3 600 6150 10 10.3 10\n"
		"15:12:00 10.3 700 7180 10 10.3 10");
	advance(&f, "2026-03-04 15:30:59");
	EXPECT(&f, "1m 14:59 10.3 10.3 10.3 10.3 500 5150 1\n");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1d 00:00 10 10.3 10 10.3 700 7180 3\n");
	/* The exchange's last word comes late. */
	snapshot(&f, "2026-03-04 16:11:37", "10.3", "800", "8210", "10", "10.3", "10");
	advance(&f, "2026-03-04 16:11:38");
	EXPECT(&f, "1d 00:00 10 10.3 10 10.3 800 8210 4 r1\n");
	fixture_close(&f);
}

/* What was traded while nothing was seen is in 1d and gap_volume, in no minute. */
Test(bars_cn, volume_across_a_hole)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	snapshots(&f, "2026-03-04",
		"09:30:03 10 100 1000 10 10 10\n"
		"10:00:10 10 200 2000 10 10 10");
	advance(&f, "2026-03-04 10:01:03");
	EXPECT(&f, "1m 09:30 10 10 10 10 100 1000 1\n1m 10:00 10 10 10 10 100 1000 1\n");
	lc_bars_gap(f.bars, f.symbol, at(&f, "2026-03-04 10:00:30"), at(&f, "2026-03-04 10:05:10"));
	snapshots(&f, "2026-03-04",
		"10:05:12 10.5 900 9200 10 10.6 10\n"
		"10:05:15 10.4 1000 10240 10 10.6 10\n"
		"10:06:15 10.4 1100 11280 10 10.6 10");
	advance(&f, "2026-03-04 10:07:03");
	EXPECT(&f, "1m 10:05 10.4 10.4 10.4 10.4 100 1040 1 !\n"
		   "1m 10:06 10.4 10.4 10.4 10.4 100 1040 1\n"
		   "1m 10:00 10 10 10 10 100 1000 1 r1 !\n");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1d 00:00 10 10.6 10 10.4 1100 11280 5 gap=700\n");
	fixture_close(&f);
}

static void backfill(
	struct bars_fixture *f, const char *when, const char *price, const char *volume)
{
	struct lc_tick tick = trade_tick(f, when, price, volume, "");
	tick.flags = LC_FLAG_BACKFILLED;
	lc_bars_tick(f->bars, &tick);
}

/* Rows of trades that the vendor gives afterwards take the hole's volume out of gap_volume into
 * their minutes, no more than there is, and the day stays as it is. */
Test(bars_cn, backfill_places_the_volume_of_a_hole)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	snapshot(&f, "2026-03-04 10:00:10", "10", "200", "2000", "10", "10", "10");
	lc_bars_gap(f.bars, f.symbol, at(&f, "2026-03-04 10:00:30"), at(&f, "2026-03-04 10:02:10"));
	snapshot(&f, "2026-03-04 10:02:12", "10.5", "900", "9200", "10", "10.6", "10");
	advance(&f, "2026-03-04 10:03:03");
	f.n_said = 0;
	backfill(&f, "2026-03-04 10:00:40", "10.1", "100");
	backfill(&f, "2026-03-04 10:01:30", "10.6", "500");
	backfill(&f, "2026-03-04 10:02:03", "10.4", "300");
	backfill(&f, "2026-03-04 10:02:06", "99", "300");
	lc_bars_filled(
		f.bars, f.symbol, at(&f, "2026-03-04 10:00:30"), at(&f, "2026-03-04 10:02:10"));
	advance(&f, "2026-03-04 10:03:05");
	EXPECT(&f, "1m 10:00 10 10.1 10 10.1 300 3010 2 r1\n"
		   "1m 10:01 10.6 10.6 10.6 10.6 500 5300 1\n"
		   "1m 10:02 10.4 10.4 10.4 10.4 100 1040 1\n");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1d 00:00 10 10.6 10 10.5 900 9200 2\n");
	fixture_close(&f);
}

/* A break of seconds, or one within a minute, loses no volume. */
Test(bars_cn, short_breaks_are_no_holes)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	snapshot(&f, "2026-03-04 09:30:58", "10", "100", "1000", "10", "10", "10");
	lc_bars_gap(f.bars, f.symbol, at(&f, "2026-03-04 09:30:59"), at(&f, "2026-03-04 09:31:02"));
	snapshot(&f, "2026-03-04 09:31:03", "10", "200", "2000", "10", "10", "10");
	lc_bars_gap(f.bars, f.symbol, at(&f, "2026-03-04 09:31:05"), at(&f, "2026-03-04 09:31:50"));
	snapshot(&f, "2026-03-04 09:31:51", "10", "300", "3000", "10", "10", "10");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1m 09:30 10 10 10 10 100 1000 1\n"
		   "1m 09:31 10 10 10 10 200 2000 2 !\n"
		   "1d 00:00 10 10 10 10 300 3000 3\n");
	fixture_close(&f);
}

/* Followed in the middle: the minute in which that was is not complete, nor the longer ones; the
 * day is the vendor's own and is. */
Test(bars_cn, late_start)
{
	struct bars_fixture f;
	fixture_open(
		&f, "600000.SH", 1 << LC_PERIOD_1M | 1 << LC_PERIOD_5M | 1 << LC_PERIOD_1D, false);
	follow(&f, "2026-03-04 10:02:20");
	snapshots(&f, "2026-03-04",
		"10:02:21 10.2 5000 50000 10 11 9\n"
		"10:02:24 10.3 5100 51030 10 11 9\n"
		"10:03:00 10.1 5200 52040 10 11 9");
	advance(&f, "2026-03-04 10:05:03");
	EXPECT(&f, "1m 10:02 10.3 10.3 10.3 10.3 100 1030 1 !\n"
		   "1m 10:03 10.1 10.1 10.1 10.1 100 1010 1\n"
		   "5m 10:00 10.3 10.3 10.1 10.1 200 2040 2 !\n");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1d 00:00 10 11 9 10.1 5200 52040 3 gap=5000\n");
	fixture_close(&f);
}

/* Started within the first minute: everything before is in that minute. */
Test(bars_cn, late_start_in_the_first_minute)
{
	struct bars_fixture f;
	fixture_open(&f, "600000.SH", ONLY_1M_1D, false);
	follow(&f, "2026-03-04 09:30:20");
	snapshot(&f, "2026-03-04 09:30:21", "10.2", "5000", "50000", "10", "11", "9");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1m 09:30 10 11 9 10.2 5000 50000 1 !\n"
		   "1d 00:00 10 11 9 10.2 5000 50000 1\n");
	fixture_close(&f);
}

/* A day begins anew without a word from the vendor; the day before is closed by then. */
Test(bars_cn, next_day_and_closed_days)
{
	struct bars_fixture f;
	fixture_open(&f, "600000.SH", ONLY_1M_1D, false);
	follow(&f, "2026-03-06 08:00:00");
	snapshot(&f, "2026-03-06 14:00:00", "10", "100", "1000", "10", "10", "10");
	/* A Saturday, and a Sunday on which offices work: nothing is traded. */
	snapshot(&f, "2026-03-07 10:00:00", "12", "500", "6000", "12", "12", "12");
	snapshot(&f, "2026-03-08 10:00:00", "12", "600", "7000", "12", "12", "12");
	struct lc_bar day;
	cr_assert_eq(lc_bars_day(f.bars, f.symbol, at(&f, "2026-03-09 08:00:00"), &day), LC_OK);
	cr_assert_eq(day.start_ns, at(&f, "2026-03-06 00:00:00"));
	snapshot(&f, "2026-03-09 09:25:02", "11", "50", "550", "11", "11", "11");
	EXPECT(&f, "1m 14:00 10 10 10 10 100 1000 1\n1d 00:00 10 10 10 10 100 1000 1\n");
	cr_assert_eq(lc_bars_day(f.bars, f.symbol, at(&f, "2026-03-09 09:26:00"), &day), LC_OK);
	cr_assert_eq(day.start_ns, at(&f, "2026-03-09 00:00:00"));
	cr_assert_not(day.final);
	/* Against the close before. */
	cr_assert_eq(lc_decimal_compare(day.change, dec("1")), 0);
	cr_assert_eq(lc_decimal_compare(day.change_pct, dec("10")), 0);
	advance(&f, "2026-03-09 15:31:00");
	EXPECT(&f, "1m 09:30 11 11 11 11 50 550 1\n1d 00:00 11 11 11 11 50 550 1\n");
	/* Friday is over. */
	snapshot(&f, "2026-03-06 14:59:00", "10", "900", "9000", "10", "10", "10");
	advance(&f, "2026-03-09 15:40:00");
	EXPECT(&f, "");
	cr_assert_eq(lc_bars_stats(f.bars).other_day, 1u);
	fixture_close(&f);
}

/* A vendor takes volume back: the day is its own, and no minute becomes negative. */
Test(bars_cn, total_goes_back)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	snapshots(&f, "2026-03-04",
		"09:30:03 10 1000 10000 10 10 10\n"
		"09:31:03 10 900 9000 10 10 10\n"
		"09:32:03 10.1 1000 10010 10 10.1 10");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1m 09:30 10 10 10 10 1000 10000 1\n"
		   "1m 09:32 10.1 10.1 10.1 10.1 100 1010 1\n"
		   "1d 00:00 10 10.1 10 10.1 1000 10010 3\n");
	fixture_close(&f);
}

/* The feed's own time closes bars where it is ahead of the loop's. */
Test(bars_cn, watermark_closes)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	snapshot(&f, "2026-03-04 09:30:03", "10", "100", "1000", "10", "10", "10");
	struct lc_tick quote = {.symbol = f.symbol, .kind = LC_TICK_QUOTE};
	quote.event_ns = at(&f, "2026-03-04 09:31:02.9");
	lc_bars_tick(f.bars, &quote);
	advance(&f, "2026-03-04 09:31:00");
	EXPECT(&f, "");
	quote.event_ns = at(&f, "2026-03-04 09:31:03");
	lc_bars_tick(f.bars, &quote);
	advance(&f, "2026-03-04 09:31:00");
	EXPECT(&f, "1m 09:30 10 10 10 10 100 1000 1\n");
	fixture_close(&f);
}

/* Where volumes come in lots, odd shares move the money alone: it enters the minute in which it
 * appeared, or at least its longer bars. */
Test(bars_cn, odd_shares_move_the_money_alone)
{
	struct bars_fixture f;
	open_day(&f, "688293.SH", 1 << LC_PERIOD_1M | 1 << LC_PERIOD_5M);
	snapshots(&f, "2026-03-04",
		"09:30:03 10 100 1000 10 10 10\n"
		"09:30:33 10 100 1070 10 10 10\n"
		"09:31:03 10 100 1100 10 10 10\n"
		"09:32:03 10 100 1130 10 10 10\n"
		"09:32:33 10 200 2130 10 10 10");
	advance(&f, "2026-03-04 09:35:03");
	EXPECT(&f, "1m 09:30 10 10 10 10 100 1070 2\n"
		   "1m 09:32 10 10 10 10 100 1030 2\n"
		   "5m 09:30 10 10 10 10 200 2130 5\n");
	fixture_close(&f);
}

/* Golden tapes of Hong Kong, their bars worked out by hand from the rules. */
#include "bars_fixture.h"

Test(bars_hk, auctions_and_lunch)
{
	struct bars_fixture f;
	open_day(&f, "00700.HK", ONLY_1M_1D);
	snapshots(&f, "2026-03-04",
		"09:21:00 478 10000 4780000 478 478 478\n"
		"09:30:01 479 10100 4827900 478 479 478");
	advance(&f, "2026-03-04 09:31:03");
	EXPECT(&f, "1m 09:30 478 479 478 479 10100 4827900 2\n");
	snapshots(&f, "2026-03-04",
		"12:00:04 480 10200 4875900 478 480 478\n"
		"13:00:00 481 10300 4924000 478 481 478\n"
		"15:59:59 480 10400 4972000 478 481 478");
	advance(&f, "2026-03-04 16:00:03");
	EXPECT(&f, "1m 11:59 480 480 480 480 100 48000 1\n"
		   "1m 13:00 481 481 481 481 100 48100 1\n"
		   "1m 15:59 480 480 480 480 100 48000 1\n");
	/* The closing auction is a revision of 15:59. */
	snapshots(&f, "2026-03-04",
		"16:05:00 490 10400 4972000 478 481 478\n"
		"16:09:12 482 20400 9792000 478 482 478");
	advance(&f, "2026-03-04 16:10:02.9");
	EXPECT(&f, "1m 15:59 480 482 480 482 10100 4868000 3 r1\n");
	advance(&f, "2026-03-04 16:10:03");
	EXPECT(&f, "1d 00:00 478 482 478 482 20400 9792000 7\n");
	fixture_close(&f);
}

static void expect_day(struct bars_fixture *f, const char *when, const char *text)
{
	struct lc_bar bar;
	cr_assert_eq(lc_bars_day(f->bars, f->symbol, at(f, when), &bar), LC_OK, "%s", when);
	f->n_said = 0;
	f->said[f->n_said++] = bar;
	EXPECT(f, text);
}

/* The first snapshot's price is in no minute when it is seen late: it is the day's open all the
 * same, and stays it when the first minute comes. */
Test(bars_hk, an_open_that_the_vendor_does_not_tell)
{
	struct bars_fixture f;
	fixture_open(&f, "00700.HK", ONLY_1M_1D, false);
	follow(&f, "2026-03-04 10:00:00");
	snapshot(&f, "2026-03-04 10:00:02", "477.8", "10000", "0", "", "", "");
	expect_day(&f, "2026-03-04 10:00:02",
		"1d 00:00 477.8 477.8 477.8 477.8 10000 0 1 open ! gap=10000\n");
	snapshots(&f, "2026-03-04",
		"10:00:03 478 10100 47800\n"
		"10:00:04 477.9 10200 95590");
	expect_day(&f, "2026-03-04 10:00:04",
		"1d 00:00 477.8 478 477.8 477.9 10200 95590 3 open ! gap=10000\n");
	/* A hole in the middle: its price is a low of the day, and no minute's. */
	lc_bars_gap(f.bars, f.symbol, at(&f, "2026-03-04 10:10:00"), at(&f, "2026-03-04 10:20:00"));
	snapshots(&f, "2026-03-04",
		"10:20:01 470 20200 4800000\n"
		"10:20:02 471 20300 4847100");
	advance(&f, "2026-03-04 16:10:03");
	EXPECT(&f, "1m 10:00 478 478 477.9 477.9 200 95590 2 !\n"
		   "1m 10:20 471 471 471 471 100 47100 1 !\n"
		   "1d 00:00 477.8 478 470 471 20300 4847100 5 ! gap=20000\n");
	fixture_close(&f);
}

/* The same over a restart, which keeps that price. */
static void give_back(void *arg, uint32_t symbol, int32_t key, const void *data, size_t len)
{
	struct lc_bars *bars = arg;
	cr_assert_eq(lc_bars_restore(bars, symbol, key, data, len), LC_OK);
}

Test(bars_hk, an_open_survives_a_restart)
{
	struct bars_fixture f;
	fixture_open(&f, "00700.HK", ONLY_1M_1D, false);
	follow(&f, "2026-03-04 10:00:00");
	snapshot(&f, "2026-03-04 10:00:02", "477.8", "10000", "0", "", "", "");
	struct lc_bars *again;
	open_bars(&f, &again, ONLY_1M_1D, 0, false);
	lc_bars_save(f.bars, f.symbol, true, give_back, again);
	lc_bars_destroy(f.bars);
	f.bars = again;
	snapshot(&f, "2026-03-04 10:00:03", "478", "10100", "47800", "", "", "");
	expect_day(&f, "2026-03-04 10:00:04",
		"1d 00:00 477.8 478 477.8 478 10100 47800 2 open ! gap=10000\n");
	fixture_close(&f);
}

/* Killed a second after a minute was said, three after the save: Kafka has it as revision 0. */
Test(bars_hk, what_a_killed_process_may_have_said_is_a_revision)
{
	struct bars_fixture f;
	fixture_open(&f, "00700.HK", ONLY_1M_1D | 1 << LC_PERIOD_5M, false);
	follow(&f, "2026-03-04 09:20:00");
	snapshot(&f, "2026-03-04 09:34:55", "478", "100", "47800", "478", "478", "478");
	struct lc_bars *again;
	open_bars(&f, &again, ONLY_1M_1D | 1 << LC_PERIOD_5M, 0, false);
	lc_bars_save(f.bars, f.symbol, true, give_back, again);
	lc_bars_saved_at(again, at(&f, "2026-03-04 09:35:00.5"));
	snapshot(&f, "2026-03-04 09:34:59", "478", "200", "95600", "478", "478", "478");
	advance(&f, "2026-03-04 09:35:03");
	EXPECT(&f, "1m 09:34 478 478 478 478 200 95600 2\n5m 09:30 478 478 478 478 200 95600 2\n");
	lc_bars_destroy(f.bars);
	f.bars = again;
	f.n_said = 0;
	lc_bars_gap(
		f.bars, f.symbol, at(&f, "2026-03-04 09:35:00.5"), at(&f, "2026-03-04 09:35:10"));
	advance(&f, "2026-03-04 09:35:10");
	EXPECT(&f, "1m 09:34 478 478 478 478 100 47800 1 r1\n5m 09:30 478 478 478 478 100 47800 1 "
		   "r1\n");
	/* The next minutes are nobody's but ours. */
	snapshot(&f, "2026-03-04 09:36:01", "478", "300", "143400", "478", "478", "478");
	snapshot(&f, "2026-03-04 09:36:02", "478", "400", "191200", "478", "478", "478");
	advance(&f, "2026-03-04 09:37:03");
	cr_assert_eq(f.said[f.n_said - 1].revision, 0);
	fixture_close(&f);
}

/* 150 minutes in the morning: the third hour is half an hour, and the afternoon begins anew. */
Test(bars_hk, the_last_of_a_segment_may_be_short)
{
	struct bars_fixture f;
	open_day(&f, "00700.HK", 1 << LC_PERIOD_60M);
	static const char *const times[] = {"2026-03-04 09:45:00", "2026-03-04 10:29:59",
		"2026-03-04 10:30:00", "2026-03-04 11:31:00", "2026-03-04 13:30:00",
		"2026-03-04 14:10:00", "2026-03-04 15:10:00"};
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		char volume[16];
		snprintf(volume, sizeof volume, "%zu", 100 * (i + 1));
		snapshot(&f, times[i], "10", volume, volume, "10", "10", "10");
	}
	advance(&f, "2026-03-04 17:00:00");
	cr_assert_eq(f.said[2].end_ns - f.said[2].start_ns, 30 * MINUTE);
	EXPECT(&f, "60m 09:30 10 10 10 10 200 200 2\n"
		   "60m 10:30 10 10 10 10 100 100 1\n"
		   "60m 11:30 10 10 10 10 100 100 1\n"
		   "60m 13:00 10 10 10 10 100 100 1\n"
		   "60m 14:00 10 10 10 10 100 100 1\n"
		   "60m 15:00 10 10 10 10 100 100 1\n");
	fixture_close(&f);
}

/* New Year's Eve: the morning only, its closing auction to 12:10 is the 11:59 bar. */
Test(bars_hk, half_day)
{
	struct bars_fixture f;
	fixture_open(&f, "00700.HK", ONLY_1M_1D, false);
	follow(&f, "2026-12-31 08:00:00");
	snapshot(&f, "2026-12-31 11:59:58", "478", "100", "47800", "478", "478", "478");
	advance(&f, "2026-12-31 12:00:03");
	EXPECT(&f, "1m 11:59 478 478 478 478 100 47800 1\n");
	snapshot(&f, "2026-12-31 12:09:30", "479", "300", "143600", "478", "479", "478");
	advance(&f, "2026-12-31 12:10:03");
	EXPECT(&f, "1d 00:00 478 479 478 479 300 143600 2\n"
		   "1m 11:59 478 479 478 479 300 143600 2 r1\n");
	fixture_close(&f);
}

/* Revisions of one bar are a second apart, and each says all that happened meanwhile. */
Test(bars_hk, one_revision_a_second)
{
	struct bars_fixture f;
	open_day(&f, "00700.HK", 1 << LC_PERIOD_1M);
	snapshot(&f, "2026-03-04 15:59:59", "480", "100", "48000", "480", "480", "480");
	advance(&f, "2026-03-04 16:00:03");
	f.n_said = 0;
	for (int i = 0; i < 20; i++) {
		char when[40], volume[16];
		snprintf(when, sizeof when, "2026-03-04 16:08:%02d.%d", i / 10, i % 10);
		snprintf(volume, sizeof volume, "%d", 200 + i);
		snapshot(&f, when, "480", volume, "48000", "480", "480", "480");
		advance(&f, when);
	}
	advance(&f, "2026-03-04 16:08:03");
	EXPECT(&f, "1m 15:59 480 480 480 480 200 48000 2 r1\n"
		   "1m 15:59 480 480 480 480 210 48000 12 r2\n"
		   "1m 15:59 480 480 480 480 219 48000 21 r3\n");
	fixture_close(&f);
}

/* Golden tapes of Hong Kong, their bars worked out by hand from the rules. */
#include "bars_fixture.h"

enum { ONLY_1M_1D = 1 << LC_PERIOD_1M | 1 << LC_PERIOD_1D };

Test(bars_hk, auctions_and_lunch)
{
	struct bars_fixture f;
	fixture_open(&f, "00700.HK", ONLY_1M_1D, false);
	follow(&f, "2026-03-04 08:00:00");
	snapshot(&f, "2026-03-04 09:21:00", "478", "10000", "4780000", "478", "478", "478");
	snapshot(&f, "2026-03-04 09:30:01", "479", "10100", "4827900", "478", "479", "478");
	advance(&f, "2026-03-04 09:31:03");
	EXPECT(&f, "1m 09:30 478 479 478 479 10100 4827900 2\n");
	snapshot(&f, "2026-03-04 12:00:04", "480", "10200", "4875900", "478", "480", "478");
	snapshot(&f, "2026-03-04 13:00:00", "481", "10300", "4924000", "478", "481", "478");
	snapshot(&f, "2026-03-04 15:59:59", "480", "10400", "4972000", "478", "481", "478");
	advance(&f, "2026-03-04 16:00:03");
	EXPECT(&f, "1m 11:59 480 480 480 480 100 48000 1\n"
		   "1m 13:00 481 481 481 481 100 48100 1\n"
		   "1m 15:59 480 480 480 480 100 48000 1\n");
	/* The closing auction is a revision of 15:59. */
	snapshot(&f, "2026-03-04 16:05:00", "490", "10400", "4972000", "478", "481", "478");
	snapshot(&f, "2026-03-04 16:09:12", "482", "20400", "9792000", "478", "482", "478");
	advance(&f, "2026-03-04 16:10:02.9");
	EXPECT(&f, "1m 15:59 480 482 480 482 10100 4868000 3 r1\n");
	advance(&f, "2026-03-04 16:10:03");
	EXPECT(&f, "1d 00:00 478 482 478 482 20400 9792000 7\n");
	fixture_close(&f);
}

/* 150 minutes in the morning: the third hour is half an hour, and the afternoon begins anew. */
Test(bars_hk, the_last_of_a_segment_may_be_short)
{
	struct bars_fixture f;
	fixture_open(&f, "00700.HK", 1 << LC_PERIOD_60M, false);
	follow(&f, "2026-03-04 08:00:00");
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
	fixture_open(&f, "00700.HK", 1 << LC_PERIOD_1M, false);
	follow(&f, "2026-03-04 08:00:00");
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

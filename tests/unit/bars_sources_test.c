/* A day of which several sources tell: what one of them knows more or less than another is no trade
 * of the minute in which they changed, and the sums hold. */
#include "bars_fixture.h"
#include "xorshift.h"

/* A tape of snapshots with their source: "1 09:30:03 price volume amount". */
static void told(struct bars_fixture *f, const char *tape)
{
	char w[TAPE_WORDS][24], when[64];
	for (int n; (n = next_line(&tape, w)) > 0;) {
		cr_assert_eq(n, 5, "%s has %d words", w[1], n);
		snprintf(when, sizeof when, "2026-03-04 %s", w[1]);
		struct lc_tick tick = snapshot_tick(f, when, w[2], w[3], w[4], "", "", "");
		tick.source = (uint8_t)atoi(w[0]);
		lc_bars_tick(f->bars, &tick);
	}
}

/* B knows 300 more than A: they were traded sometime between the two, in no minute, at prices that
 * nobody tells. */
Test(bars_sources, one_that_knows_more)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	told(&f, "1 09:30:03 10 1000 10000\n"
		 "1 09:31:03 10 1500 15000\n"
		 "2 09:32:03 10 1800 18000\n"
		 "2 09:33:03 10.2 1900 19020\n"
		 "1 09:34:03 10.1 1600 16020\n" /* back */
		 "1 09:35:03 10.1 2600 26120");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1m 09:30 10 10 10 10 1000 10000 1\n"
		   "1m 09:31 10 10 10 10 500 5000 1 !\n"
		   "1m 09:33 10.2 10.2 10.2 10.2 100 1020 1\n"
		   "1m 09:35 10.1 10.1 10.1 10.1 1000 10100 1\n"
		   "1d 00:00 10 10.2 10 10.1 2600 26120 6 !\n");
	fixture_close(&f);
}

/* B knows less: that it catches up is no trade, its prices are. */
Test(bars_sources, one_that_knows_less)
{
	struct bars_fixture f;
	open_day(&f, "600000.SH", ONLY_1M_1D);
	told(&f, "1 09:30:03 10 1000 10000\n"
		 "2 09:31:03 10 900 9000\n"
		 "2 09:32:03 10.3 1000 10030\n"
		 "2 09:33:03 10.1 1200 12050\n"
		 "1 09:34:03 10 1350 13550\n" /* back */
		 "1 09:35:03 10 1400 14050");
	advance(&f, "2026-03-04 15:31:00");
	EXPECT(&f, "1m 09:30 10 10 10 10 1000 10000 1\n"
		   "1m 09:32 10.3 10.3 10.3 10.3 0 0 1\n"
		   "1m 09:33 10.1 10.1 10.1 10.1 200 2020 1 !\n"
		   "1m 09:35 10 10 10 10 50 500 1\n"
		   "1d 00:00 10 10.3 10 10 1400 14050 6 ! gap=150\n");
	fixture_close(&f);
}

/* Trades of a stream, then snapshots, then trades again: the day's total is no minute's volume. */
Test(bars_sources, trades_and_snapshots_in_one_day)
{
	struct bars_fixture f;
	open_day(&f, "AAPL", ONLY_1M_1D);
	trade(&f, "2026-03-04 09:30:03", "200", "100", "@");
	told(&f, "2 09:31:03 200 150 30000\n"
		 "2 09:32:03 201 250 50100");
	trade(&f, "2026-03-04 09:33:03", "202", "10", "@");
	advance(&f, "2026-03-05 03:00:00");
	EXPECT(&f, "1m 09:30 200 200 200 200 100 20000 1 !\n"
		   "1m 09:32 201 201 201 201 100 20100 1\n"
		   "1m 09:33 202 202 202 202 10 2020 1\n"
		   "1d 00:00 200 202 200 202 260 52120 4 ! gap=50\n");
	fixture_close(&f);
}

/* Any number of changes between sources that know a little more or less, or are a little behind. */
struct teller {
	int64_t offset; /* shares it counts more than there were */
	int64_t lag;    /* seconds it is behind */
};

static int64_t volume_of_minutes(const struct bars_fixture *f, int64_t *largest)
{
	int64_t sum = 0;
	for (size_t i = 0; i < f->n_said; i++) {
		if (f->said[i].period == LC_PERIOD_1M) {
			int64_t volume = (int64_t)lc_decimal_to_double(f->said[i].volume);
			sum += volume;
			*largest = volume > *largest ? volume : *largest;
		}
	}
	return sum;
}

static void play(struct bars_fixture *f, uint64_t seed)
{
	enum { SECONDS = 7200 };
	static int64_t truth[SECONDS + 1];
	struct teller tellers[3] = {{0, 0}, {0, 0}, {0, 0}};
	uint64_t random = seed * 7919 + 1;
	int64_t most = 0, begin_ns = at(f, "2026-03-04 09:30:00");
	for (int i = 0; i < 3; i++) {
		tellers[i].offset = (int64_t)(xorshift(&random) % 2001) - 1000;
		tellers[i].lag = (int64_t)(xorshift(&random) % 5);
	}
	for (int second = 1; second <= SECONDS; second++) {
		truth[second] = truth[second - 1] + (int64_t)(xorshift(&random) % 20);
	}
	uint8_t source = 0;
	for (int second = 1000; second <= SECONDS; second += 3) {
		source = xorshift(&random) % 100 == 0 ? (uint8_t)(xorshift(&random) % 3) : source;
		struct lc_tick tick = {.symbol = f->symbol,
			.kind = LC_TICK_SNAPSHOT,
			.effect = LC_UPDATES_ALL,
			.source = source,
			.seq = ++f->seq,
			.event_ns = begin_ns + second * SECOND,
			.has = LC_HAS_PRICE | LC_HAS_VOLUME,
			.price = {1000 + (int64_t)(xorshift(&random) % 9), -2}};
		tick.volume.mantissa = truth[second - tellers[source].lag] + tellers[source].offset;
		most = tick.volume.mantissa > most ? tick.volume.mantissa : most;
		lc_bars_tick(f->bars, &tick);
	}
	advance(f, "2026-03-04 15:31:00");
	int64_t largest = 0, minutes = volume_of_minutes(f, &largest);
	const struct lc_bar *day = &f->said[f->n_said - 1];
	cr_assert_eq(day->period, LC_PERIOD_1D);
	int64_t total = (int64_t)lc_decimal_to_double(day->volume);
	int64_t gap = (int64_t)lc_decimal_to_double(day->gap_volume);
	cr_assert_eq(total, most, "seed %llu: the day is the most that was told",
		(unsigned long long)seed);
	cr_assert_eq(minutes + gap, total, "seed %llu: %lld + %lld != %lld",
		(unsigned long long)seed, (long long)minutes, (long long)gap, (long long)total);
	/* 20 ticks of at most 3 x 19 shares, and one more across its edge. */
	cr_assert_leq(largest, 21 * 3 * 19, "seed %llu: a jump", (unsigned long long)seed);
}

Test(bars_sources, no_jump_and_the_sums_hold)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct bars_fixture f;
		fixture_open(&f, "600000.SH", ONLY_1M_1D, false);
		follow(&f, "2026-03-04 09:45:00"); /* the day's first total is a gap */
		play(&f, seed);
		fixture_close(&f);
	}
}

/* Real days: what we make of a vendor's ticks and minutes against the vendor's own bars, field by
 * field. Where they differ the test says why. Snapshots and trades are given as a feeder gives
 * them. */
#include "bars_fixture.h"

enum { ROW_FIELDS = 40 };

static FILE *open_data(const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", LC_TEST_DATA, name);
	FILE *file = fopen(path, "r");
	cr_assert_not_null(file, "%s", path);
	return file;
}

static int split(char *line, char *fields[ROW_FIELDS])
{
	int count = 0;
	line[strcspn(line, "\r\n")] = '\0';
	for (char *at_ = line; at_ && count < ROW_FIELDS;) {
		fields[count++] = at_;
		at_ = strchr(at_, ',');
		if (at_) {
			*at_++ = '\0';
		}
	}
	return count;
}

static void assert_equal(struct lc_decimal got, const char *want, const char *what)
{
	char text[LC_DECIMAL_TEXT_MAX] = {0};
	text[lc_decimal_format(got, text)] = '\0';
	cr_assert_eq(lc_decimal_compare(got, dec(want)), 0, "%s: %s, not %s", what, text, want);
}

static void assert_prices(const struct lc_bar *bar, const char *open, const char *high,
	const char *low, const char *close)
{
	assert_equal(bar->open, open, "open");
	assert_equal(bar->high, high, "high");
	assert_equal(bar->low, low, "low");
	assert_equal(bar->close, close, "close");
}

/* A price that is 0 is none. */
static void put_price(struct lc_tick *tick, uint32_t has, struct lc_decimal *to, const char *text)
{
	*to = dec(text);
	tick->has |= to->mantissa > 0 ? has : 0;
}

static void finish(struct bars_fixture *f, int64_t now_ns)
{
	while (lc_bars_advance(f->bars, f->market, now_ns)) {
	}
	while (lc_bars_flush(f->bars, now_ns)) {
	}
}

static struct lc_decimal sum_of(
	const struct bars_fixture *f, enum lc_period period, bool amount, size_t *count)
{
	struct lc_decimal sum = {0};
	*count = 0;
	for (size_t i = 0; i < f->n_said; i++) {
		const struct lc_bar *bar = &f->said[i];
		if (bar->period == period && bar->revision == 0) {
			sum = lc_decimal_add(sum, amount ? bar->amount : bar->volume);
			++*count;
		}
	}
	return sum;
}

/* Every period adds up to the same, and to the day. */
static void assert_day(
	struct bars_fixture *f, int64_t now_ns, const char *volume, struct lc_bar *day)
{
	cr_assert_eq(lc_bars_day(f->bars, f->symbol, now_ns, day), LC_OK);
	assert_equal(day->volume, volume, "volume");
	cr_assert_eq(day->gap_volume.mantissa, 0);
	size_t count;
	for (enum lc_period p = LC_PERIOD_1M; p < LC_PERIOD_1D; p++) {
		assert_equal(sum_of(f, p, false, &count), volume, lc_period_name(p));
		cr_assert_gt(count, 0u);
	}
}

/* --- mainland: level-1 snapshots --- */

/* Where a recording has what: numbers of fields. */
struct columns {
	int count, time, prev_close, price, open, high, low, volume, amount;
};

/* Plays a recorded day of snapshots, with a header line, and lets the bars close behind each;
 * returns the rows, and the last one's time. */
static int play_snapshots(struct bars_fixture *f, const char *name, const char *date,
	const struct columns *at_field, int64_t *last_ns)
{
	FILE *file = open_data(name);
	char line[2000], when[40], *fields[ROW_FIELDS];
	int rows = 0;
	cr_assert(fgets(line, sizeof line, file));
	while (fgets(line, sizeof line, file)) {
		cr_assert_geq(split(line, fields), at_field->count);
		const char *time = fields[at_field->time], *behind_date = strchr(time, 'T');
		snprintf(when, sizeof when, "%s %s", date, behind_date ? behind_date + 1 : time);
		struct lc_tick tick = {.symbol = f->symbol,
			.kind = LC_TICK_SNAPSHOT,
			.event_ns = at(f, when),
			.has = LC_HAS_VOLUME | LC_HAS_AMOUNT};
		tick.volume = dec(fields[at_field->volume]);
		tick.amount = dec(fields[at_field->amount]);
		put_price(&tick, LC_HAS_PREV_CLOSE, &tick.prev_close, fields[at_field->prev_close]);
		put_price(&tick, LC_HAS_PRICE, &tick.price, fields[at_field->price]);
		put_price(&tick, LC_HAS_OPEN, &tick.open, fields[at_field->open]);
		put_price(&tick, LC_HAS_HIGH, &tick.high, fields[at_field->high]);
		put_price(&tick, LC_HAS_LOW, &tick.low, fields[at_field->low]);
		lc_bars_tick(f->bars, &tick);
		while (lc_bars_advance(f->bars, f->market, tick.event_ns)) {
		}
		*last_ns = tick.event_ns;
		rows++;
	}
	fclose(file);
	return rows;
}

Test(bars_days, sh688293_20230323_snapshots)
{
	struct bars_fixture f;
	fixture_open(&f, "688293.SH", 0, false);
	/* The calendar begins in 2024; before, weekdays are sessions, as this Thursday was. */
	follow(&f, "2023-03-23 08:00:00");
	const struct columns columns = {.count = 11,
		.time = 2,
		.prev_close = 3,
		.volume = 4,
		.amount = 5,
		.price = 6,
		.open = 7,
		.high = 9,
		.low = 10};
	int64_t now;
	int rows = play_snapshots(
		&f, "day-cn-sh688293-20230323-snapshots.csv", "2023-03-23", &columns, &now);
	cr_assert_eq(rows, 2386);
	finish(&f, now);
	struct lc_bar day;
	assert_day(&f, now, "189104", &day);
	assert_prices(&day, "112.3", "113.68", "109.45", "110.17");
	assert_equal(day.amount, "20981577", "amount");
	assert_equal(day.change, "-2.13", "change");
	assert_equal(day.change_pct, "-1.8967", "change_pct");
	cr_assert(day.final && day.complete);
	/* The minutes' money is the day's too, and no minute is outside of the day's range. */
	size_t count;
	assert_equal(sum_of(&f, LC_PERIOD_1M, true, &count), "20981577", "amount of the minutes");
	struct lc_decimal high = {0}, low = {1000000, 0};
	for (size_t i = 0; i < f.n_said; i++) {
		const struct lc_bar *bar = &f.said[i];
		if (bar->period == LC_PERIOD_1M) {
			cr_assert(bar->complete);
			high = lc_decimal_compare(bar->high, high) > 0 ? bar->high : high;
			low = lc_decimal_compare(bar->low, low) < 0 ? bar->low : low;
		}
	}
	assert_equal(high, "113.68", "high of the minutes");
	assert_equal(low, "109.45", "low of the minutes");
	/* The first was traded at 09:30:05: nothing in the auction. */
	assert_equal(f.said[0].open, "112.3", "the first minute's open");
	fixture_close(&f);
}

Test(bars_days, sh600103_20211201_morning)
{
	struct bars_fixture f;
	fixture_open(&f, "600103.SH", 0, false);
	follow(&f, "2021-12-01 08:00:00");
	const struct columns columns = {.count = 9,
		.time = 1, /* with the date */
		.prev_close = 2,
		.open = 3,
		.high = 4,
		.low = 5,
		.price = 6,
		.volume = 7,
		.amount = 8};
	int64_t now;
	int rows = play_snapshots(
		&f, "day-cn-sh600103-20211201-morning-snapshots.csv", "2021-12-01", &columns, &now);
	cr_assert_eq(rows, 1284);
	/* The vendor's last row is the day so far; half past ten ends the last bars. */
	finish(&f, at(&f, "2021-12-01 10:30:03"));
	struct lc_bar day;
	assert_day(&f, now, "104006205", &day);
	assert_prices(&day, "2.74", "2.99", "2.74", "2.92");
	assert_equal(day.amount, "302124899.71000004", "amount");
	cr_assert_not(day.final);
	fixture_close(&f);
}

/* --- mainland: minutes --- */

static struct lc_bar minute_bar(const struct bars_fixture *f, int64_t start_ns)
{
	return (struct lc_bar){.symbol = f->symbol, .period = LC_PERIOD_1M, .start_ns = start_ns};
}

/* An index' minutes, stamped at their end; the day's volume is in lots. */
static void index_day(struct bars_fixture *f, const char *date, struct lc_bar *day)
{
	FILE *file = open_data("day-cn-index000001-1m-20200713_and_15.csv");
	char line[500], *fields[ROW_FIELDS], when[40];
	int rows = 0;
	fixture_open(f, "000001.SH", 0, false);
	snprintf(when, sizeof when, "%s 08:00:00", date);
	follow(f, when);
	while (fgets(line, sizeof line, file)) {
		split(line, fields);
		if (strncmp(fields[1], date, 10) != 0) {
			continue;
		}
		struct lc_bar bar = minute_bar(f, at(f, fields[1]) - MINUTE);
		bar.open = dec(fields[2]);
		bar.close = dec(fields[3]);
		bar.high = dec(fields[4]);
		bar.low = dec(fields[5]);
		bar.volume = dec(fields[6]);
		cr_assert_eq(lc_bars_replace(f->bars, &bar), LC_OK, "%s", fields[1]);
		rows++;
	}
	fclose(file);
	cr_assert_eq(rows, 240);
	snprintf(when, sizeof when, "%s 16:00:00", date);
	finish(f, at(f, when));
	cr_assert_eq(lc_bars_day(f->bars, f->symbol, at(f, when), day), LC_OK);
	size_t count;
	(void)sum_of(f, LC_PERIOD_60M, false, &count);
	cr_assert_eq(count, 4u);
	(void)sum_of(f, LC_PERIOD_5M, false, &count);
	cr_assert_eq(count, 48u);
}

Test(bars_days, index000001_minutes)
{
	struct bars_fixture f;
	struct lc_bar day;
	index_day(&f, "2020-07-15", &day);
	assert_prices(&day, "3422.08", "3432.45", "3345.75", "3361.3");
	assert_equal(lc_decimal_scale(day.volume, -2), "492030542", "volume in lots");
	fixture_close(&f);
	index_day(&f, "2020-07-13", &day);
	/* The day row's low is 3369.04: an instant that no minute of this vendor shows. */
	assert_prices(&day, "3379.39", "3458.79", "3369.59", "3443.29");
	assert_equal(lc_decimal_scale(day.volume, -2), "558006875", "volume in lots");
	fixture_close(&f);
}

/* --- US --- */

static int64_t midnight(const struct bars_fixture *f, const char *date)
{
	char when[40];
	snprintf(when, sizeof when, "%s 00:00:00", date);
	return at(f, when);
}

static struct lc_decimal dollars(const char *text)
{
	return lc_decimal_scale(dec(text), -4);
}

/* LEAN's minutes, stamped at their start. Those outside of the session have no place; returns how
 * many have one. */
static int put_minutes(struct bars_fixture *f, const char *name, int64_t midnight_ns)
{
	FILE *file = open_data(name);
	char line[200], *fields[ROW_FIELDS];
	int placed = 0;
	while (fgets(line, sizeof line, file)) {
		split(line, fields);
		struct lc_bar bar = minute_bar(f, midnight_ns + atoll(fields[0]) * 1000000);
		bar.open = dollars(fields[1]);
		bar.high = dollars(fields[2]);
		bar.low = dollars(fields[3]);
		bar.close = dollars(fields[4]);
		bar.volume = dec(fields[5]);
		placed += lc_bars_replace(f->bars, &bar) == LC_OK;
	}
	fclose(file);
	return placed;
}

static int us_day(struct bars_fixture *f, const char *symbol, const char *name, const char *date,
	struct lc_bar *day)
{
	fixture_open(f, symbol, 0, false);
	int64_t from = midnight(f, date);
	cr_assert_eq(lc_bars_follow(f->bars, f->symbol, from), LC_OK);
	int placed = put_minutes(f, name, from);
	finish(f, from + 21 * 60 * MINUTE);
	cr_assert_eq(lc_bars_day(f->bars, f->symbol, from + 21 * 60 * MINUTE, day), LC_OK);
	return placed;
}

Test(bars_days, us_minutes)
{
	struct bars_fixture f;
	struct lc_bar day;
	size_t count;
	cr_assert_eq(
		us_day(&f, "AAPL", "day-us-aapl-20140605-minute-trade.csv", "2014-06-05", &day),
		390);
	/* The day row but for its high, 649.35: the minutes have a print at 649.37 that this
	 * vendor's day leaves out. */
	assert_prices(&day, "646.25", "649.37", "642.61", "647.35");
	assert_equal(day.volume, "10445282", "volume");
	/* 390 minutes: the seventh hour is half an hour. */
	assert_equal(sum_of(&f, LC_PERIOD_60M, false, &count), "10445282", "hours");
	cr_assert_eq(count, 7u);
	fixture_close(&f);
	us_day(&f, "SPY", "day-us-spy-20230803-minute-trade.csv", "2023-08-03", &day);
	assert_prices(&day, "448.04", "450.79", "447.38", "448.84");
	assert_equal(day.volume, "56894355", "volume");
	fixture_close(&f);
}

Test(bars_days, goog_20151224_closes_early)
{
	struct bars_fixture f;
	fixture_open(&f, "GOOG", 0, false);
	fixture_close(&f);
	/* The built-in calendar begins in 2024: the half day is told by an overlay. */
	char dir[] = "/tmp/livecore-bars-XXXXXX", path[64];
	cr_assert_not_null(mkdtemp(dir));
	struct lc_error err;
	int32_t half = lc_days_from_civil(2015, 12, 24);
	cr_assert_eq(lc_calendar_write(dir, LC_MARKET_US, half, 780, "", &err), LC_OK);
	struct lc_calendar *overlaid;
	cr_assert_eq(lc_calendar_open(false, dir, NULL, &overlaid, &err), LC_OK, "%s", err.text);
	snprintf(path, sizeof path, "%s/us.csv", dir);
	remove(path);
	remove(dir);
	fixture_open(&f, "GOOG", 0, false);
	lc_bars_calendar(f.bars, overlaid);
	int64_t from = midnight(&f, "2015-12-24");
	cr_assert_eq(lc_bars_follow(f.bars, f.symbol, from), LC_OK);
	int placed = put_minutes(&f, "day-us-goog-20151224-halfday-minute-trade.csv", from);
	cr_assert_eq(placed, 210);
	finish(&f, from + 13 * 60 * MINUTE + 3 * SECOND);
	struct lc_bar day;
	/* The day row has 517,084, 1,512 more: prints after the close, which no regular minute has;
	 * and 751.30 and 746.56 as high and low, since it leaves out prints that its minutes
	 * have. */
	assert_day(&f, from + 14 * 60 * MINUTE, "515572", &day);
	assert_prices(&day, "749.55", "751.35", "746.34", "748.4");
	cr_assert(day.final);
	fixture_close(&f);
	lc_calendar_destroy(overlaid);
}

/* The recording's bits by the letters of the tape: 6 the closing print, T out of hours, M and Q a
 * market's official close and open (which are no trades), V and W volume alone. */
static const char *letters_of(unsigned long bits, char out[8])
{
	static const struct {
		unsigned long bit;
		char letter;
	} letters[] = {{0x80, '6'}, {0x200, '4'}, {0x2000, 'T'}, {0x40000, 'V'}, {0x100000, 'W'},
		{0x1000000, 'M'}, {0x2000000, 'P'}, {0x4000000, 'Q'}};
	size_t len = 0;
	out[len++] = '@';
	for (size_t i = 0; i < sizeof letters / sizeof *letters && len < 6; i++) {
		if (bits & letters[i].bit) {
			out[len++] = letters[i].letter;
		}
	}
	out[len] = '\0';
	return out;
}

/* Trade by trade. */
Test(bars_days, ibm_20131011_trades)
{
	struct bars_fixture f;
	fixture_open(&f, "IBM", 0, false);
	int64_t from = midnight(&f, "2013-10-11");
	cr_assert_eq(lc_bars_follow(f.bars, f.symbol, from), LC_OK);
	FILE *file = open_data("day-us-ibm-20131011-tick-trades.csv");
	char line[200], *fields[ROW_FIELDS];
	int64_t after_close = 0;
	while (fgets(line, sizeof line, file)) {
		split(line, fields);
		unsigned long flags = strtoul(fields[4], NULL, 16);
		char letters[8];
		const char *code = letters_of(flags, letters);
		struct lc_tick tick = trade_tick(&f, "2013-10-11 00:00:00", "1", fields[2], code);
		tick.event_ns = from + atoll(fields[0]) * 1000000;
		tick.price = dollars(fields[1]);
		tick.amount = lc_decimal_mul(tick.price, tick.volume);
		lc_bars_tick(f.bars, &tick);
		while (lc_bars_advance(f.bars, f.market, tick.event_ns)) {
		}
		int64_t ms = atoll(fields[0]);
		bool soon = ms >= 57600000 && ms < 57900000; /* until 16:05 */
		after_close += soon && flags & 0x2000 ? atoll(fields[2]) : 0;
	}
	fclose(file);
	finish(&f, from + 21 * 60 * MINUTE);
	struct lc_bar day;
	cr_assert_eq(lc_bars_day(f.bars, f.symbol, from + 21 * 60 * MINUTE, &day), LC_OK);
	/* High, low and close are the day row's. Its open, 185.28, is the listing exchange's
	 * opening print, which came after trades elsewhere at 185.25: ours is the first eligible
	 * trade. */
	assert_prices(&day, "185.25", "186.23", "184.12", "186.16");
	/* The minutes have 2,965,182 (the recording's 2,965,482 but for two official opens, 300)
	 * and the closing print 181,242. The day row has 6,073 more: 4,300 and 1,633 at 16:01:14
	 * and 140 at 16:03:14, which were reported out of hours and make no bars. */
	assert_equal(day.volume, "3146424", "volume");
	cr_assert_eq(after_close, 4300 + 1633 + 140);
	cr_assert_eq(3146424 + after_close, 3152497);
	size_t count;
	assert_equal(sum_of(&f, LC_PERIOD_1M, false, &count), "2965182", "minutes");
	cr_assert_eq(count, 389u); /* in one minute nothing was traded */
	assert_equal(sum_of(&f, LC_PERIOD_60M, false, &count), "2965182", "hours");
	fixture_close(&f);
}

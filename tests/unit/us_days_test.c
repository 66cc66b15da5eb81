/* The recorded US days of tests/data add up to what is known of them, so that what is tested with
 * them stands on firm ground. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define OPEN_MS (34200 * 1000)  /* 09:30 */
#define CLOSE_MS (57600 * 1000) /* 16:00 */

/* Prices are x 10000. */
struct day {
	size_t rows, regular;
	int64_t open, high, low, close, volume; /* of the regular session */
	int64_t first_ms, last_ms;
};

static void add(
	struct day *day, int64_t ms, const int64_t price[4], int64_t volume, int64_t close_ms)
{
	if (day->rows++ == 0) {
		day->first_ms = ms;
	}
	cr_assert_geq(ms, day->last_ms, "row %zu goes back", day->rows);
	day->last_ms = ms;
	if (ms < OPEN_MS || ms >= close_ms) {
		return;
	}
	if (day->regular++ == 0) {
		day->open = price[0];
		day->high = price[1];
		day->low = price[2];
	}
	day->high = price[1] > day->high ? price[1] : day->high;
	day->low = price[2] < day->low ? price[2] : day->low;
	day->close = price[3];
	day->volume += volume;
}

static FILE *open_data(const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", LC_TEST_DATA, name);
	FILE *file = fopen(path, "r");
	cr_assert_not_null(file, "%s", path);
	return file;
}

static struct day minutes(const char *name, int64_t close_ms)
{
	struct day day = {0};
	FILE *file = open_data(name);
	long ms, price[4], volume;
	while (fscanf(file, "%ld,%ld,%ld,%ld,%ld,%ld\n", &ms, &price[0], &price[1], &price[2],
		       &price[3], &volume) == 6) {
		const int64_t prices[4] = {price[0], price[1], price[2], price[3]};
		cr_assert(price[2] <= price[0] && price[0] <= price[1]);
		cr_assert(price[2] <= price[3] && price[3] <= price[1]);
		add(&day, ms, prices, volume, close_ms);
	}
	cr_assert(feof(file), "%s: a row that cannot be read", name);
	fclose(file);
	return day;
}

Test(us_days, spy_20230803)
{
	struct day day = minutes("day-us-spy-20230803-minute-trade.csv", CLOSE_MS);
	cr_assert_eq(day.rows, 947u);
	cr_assert_eq(day.first_ms, 14400000); /* 04:00 */
	cr_assert_eq(day.last_ms, 71940000);  /* 19:59 */
	cr_assert_eq(day.open, 4480400);
	cr_assert_eq(day.high, 4507900);
	cr_assert_eq(day.low, 4473800);
	cr_assert_eq(day.close, 4488400);
	cr_assert_eq(day.volume, 56894355);
}

Test(us_days, aapl_20140605)
{
	struct day day = minutes("day-us-aapl-20140605-minute-trade.csv", CLOSE_MS);
	cr_assert_eq(day.rows, 686u);
	cr_assert_eq(day.regular, 390u);
	cr_assert_eq(day.volume, 10445282); /* the day row's, exactly */
	cr_assert_eq(day.high, 6493700);    /* 649.35 in the day row */
}

Test(us_days, goog_20151224_closes_early)
{
	struct day day = minutes("day-us-goog-20151224-halfday-minute-trade.csv", 46800 * 1000);
	cr_assert_eq(day.regular, 210u);
	cr_assert_eq(day.volume, 515572);
	cr_assert_eq(day.close, 7484000);
}

Test(us_days, ibm_20131011_trade_by_trade)
{
	struct day day = {0};
	FILE *file = open_data("day-us-ibm-20131011-tick-trades.csv");
	long ms, price, size;
	char exchange[4], conditions[16], suspicious[4];
	int64_t last = 0;
	while (fscanf(file, "%ld,%ld,%ld,%3[^,],%15[^,],%3[^\n]\n", &ms, &price, &size, exchange,
		       conditions, suspicious) == 6) {
		const int64_t prices[4] = {price, price, price, price};
		add(&day, ms, prices, size, CLOSE_MS);
		last = ms < CLOSE_MS ? price : last;
	}
	cr_assert(feof(file));
	fclose(file);
	cr_assert_eq(day.rows, 19264u);
	cr_assert_eq(day.volume, 2965482);
	cr_assert_eq(day.high, 1862300);
	cr_assert_eq(day.low, 1841200);
	cr_assert_eq(last, 1862200); /* the closing auction prints after 16:00:00 */
}

Test(us_days, day_rows)
{
	FILE *file = open_data("day-us-daybars.csv");
	char symbol[8], date[16];
	long price[4], volume;
	bool found = false;
	while (fscanf(file, "%7[^,],%15[^,],%ld,%ld,%ld,%ld,%ld\n", symbol, date, &price[0],
		       &price[1], &price[2], &price[3], &volume) == 7) {
		found = found ||
			(strcmp(symbol, "ibm") == 0 && volume == 3152497 && price[3] == 1861600);
	}
	cr_assert(feof(file));
	cr_assert(found);
	fclose(file);
}

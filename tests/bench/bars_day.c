/* A whole day of the US market in the bars alone: 5,000 symbols, every one of 390 minutes traded.
 * Prints memory, time a tick, and the longest slices. usage: bench_bars_day [SYMBOLS [TICKS]] (of a
 * symbol and minute) */
#include "livecore/bars.h"
#include "livecore/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTES = 390 };
#define MINUTE_NS (60 * LC_NS_PER_S)

struct day {
	struct lc_symbols *symbols;
	struct lc_calendar *calendar;
	struct lc_bars *bars;
	uint32_t count;
	int64_t open_ns;
	uint64_t random, said, saved;
	int64_t tick_ns;
	struct slices {
		int64_t longest_ns;
		uint64_t count, long_ones; /* of over half a millisecond */
	} closing, saving, flushing;
};

static uint64_t next_random(struct day *day)
{
	day->random ^= day->random << 13;
	day->random ^= day->random >> 7;
	day->random ^= day->random << 17;
	return day->random;
}

static void on_bar(void *arg, const struct lc_bar *bar)
{
	struct day *day = arg;
	day->said += bar->final;
}

static void on_save(void *arg, uint32_t symbol, int32_t key, const void *data, size_t len)
{
	struct day *day = arg;
	(void)symbol, (void)key, (void)data;
	day->saved += len;
}

static double anonymous_mb(void)
{
	char line[128];
	long kb = 0;
	FILE *file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof line, file)) {
		sscanf(line, "RssAnon: %ld", &kb);
	}
	if (file) {
		fclose(file);
	}
	return (double)kb / 1024;
}

static void check(enum lc_err rc)
{
	if (rc != LC_OK) {
		fprintf(stderr, "%s\n", lc_err_text(rc));
		exit(1);
	}
}

static void make(struct day *day)
{
	static const struct lc_bars_host host = {.bar = on_bar};
	struct lc_civil open = {.year = 2026, .month = 3, .day = 4, .hour = 9, .minute = 30};
	struct lc_error err;
	check(lc_symbols_create(day->count, 1, &day->symbols));
	check(lc_calendar_create(false, &day->calendar, &err));
	const struct lc_bars_options options = {.symbols = day->symbols,
		.calendar = day->calendar,
		.grace_ns = 3 * LC_NS_PER_S,
		.host = &host,
		.arg = day};
	check(lc_bars_create(&options, &day->bars));
	check(lc_civil_to_ns(
		lc_calendar_zone(day->calendar, LC_MARKET_US), &open, &day->open_ns, NULL));
	for (uint32_t i = 0; i < day->count; i++) {
		char text[8];
		uint32_t symbol;
		snprintf(text, sizeof text, "%c%c%c%c", 'A' + (int)(i / 17576 % 26),
			'A' + (int)(i / 676 % 26), 'A' + (int)(i / 26 % 26), 'A' + (int)(i % 26));
		check(lc_symbols_intern(day->symbols, text, 4, &symbol));
		check(lc_bars_follow(day->bars, symbol, day->open_ns - MINUTE_NS));
	}
}

static void trade(struct day *day, uint32_t symbol, int64_t at_ns)
{
	struct lc_tick tick = {.symbol = symbol,
		.kind = LC_TICK_TRADE,
		.effect = LC_UPDATES_ALL,
		.event_ns = at_ns,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT};
	tick.price = (struct lc_decimal){
		10000 + (int64_t)symbol + (int64_t)(next_random(day) % 41), -2};
	tick.volume = lc_decimal_from_int(1 + (int64_t)(next_random(day) % 500));
	tick.amount = lc_decimal_mul(tick.price, tick.volume);
	lc_bars_tick(day->bars, &tick);
}

static void count_slice(struct slices *slices, int64_t started_ns)
{
	int64_t took_ns = lc_clock_thread_cpu_ns() - started_ns;
	slices->longest_ns = took_ns > slices->longest_ns ? took_ns : slices->longest_ns;
	slices->long_ones += took_ns > LC_NS_PER_MS / 2;
	slices->count++;
}

static void print_slices(const char *what, const struct slices *slices)
{
	printf("%s: %llu slices, %llu of them over 0.5 ms of CPU, the longest %.3f ms\n", what,
		(unsigned long long)slices->count, (unsigned long long)slices->long_ones,
		(double)slices->longest_ns / 1e6);
}

static void close_minute(struct day *day, int64_t now_ns)
{
	bool more = true;
	while (more) {
		int64_t started_ns = lc_clock_thread_cpu_ns();
		more = lc_bars_advance(day->bars, LC_MARKET_US, now_ns);
		count_slice(&day->closing, started_ns);
	}
	for (uint32_t symbol = 0; symbol < day->count;) {
		int64_t started_ns = lc_clock_thread_cpu_ns();
		for (int n = 0; n < 50 && symbol < day->count; n++) {
			lc_bars_save(day->bars, symbol++, false, on_save, day);
		}
		count_slice(&day->saving, started_ns);
	}
}

static void run_minute(struct day *day, int minute, int ticks)
{
	int64_t from_ns = day->open_ns + minute * MINUTE_NS;
	int64_t started_ns = lc_clock_thread_cpu_ns();
	for (int n = 0; n < ticks; n++) {
		for (uint32_t symbol = 0; symbol < day->count; symbol++) {
			trade(day, symbol, from_ns + n * (MINUTE_NS / ticks) + symbol);
		}
	}
	day->tick_ns += lc_clock_thread_cpu_ns() - started_ns;
	close_minute(day, from_ns + MINUTE_NS + 3 * LC_NS_PER_S);
}

/* As at a stop: late trades made every bar of the last hour wait to be said again. */
static void flush(struct day *day)
{
	int64_t end_ns = day->open_ns + MINUTES * MINUTE_NS;
	for (int minute = MINUTES - 60; minute < MINUTES; minute++) {
		for (uint32_t symbol = 0; symbol < day->count; symbol++) {
			trade(day, symbol, day->open_ns + minute * MINUTE_NS);
		}
	}
	bool more = true;
	while (more) {
		int64_t started_ns = lc_clock_thread_cpu_ns();
		more = lc_bars_flush(day->bars, end_ns + 4 * LC_NS_PER_S);
		count_slice(&day->flushing, started_ns);
	}
}

int main(int argc, char **argv)
{
	struct day day = {
		.count = argc > 1 ? (uint32_t)atoi(argv[1]) : 5000, .random = 88172645463325252};
	int ticks = argc > 2 ? atoi(argv[2]) : 5;
	double before = anonymous_mb();
	make(&day);
	for (int minute = 0; minute < MINUTES; minute++) {
		run_minute(&day, minute, ticks);
	}
	while (lc_bars_measure(day.bars)) {
	}
	struct lc_bars_stats stats = lc_bars_stats(day.bars);
	double used = anonymous_mb() - before;
	printf("%u symbols, %zu minutes: RssAnon %.1f MB (%.1f bytes a minute, all in all), "
	       "counted "
	       "%.1f MB\n",
		day.count, stats.rows, used, used * 1048576 / (double)stats.rows,
		(double)stats.memory_bytes / 1048576);
	printf("%.0f ns a tick; %llu bars\n",
		(double)day.tick_ns / ((double)day.count * MINUTES * ticks),
		(unsigned long long)day.said);
	print_slices("closing", &day.closing);
	print_slices("saving 50 symbols", &day.saving);
	uint64_t said = day.said;
	flush(&day);
	printf("at a stop: %llu bars said again; ", (unsigned long long)(day.said - said));
	print_slices("flushing", &day.flushing);
	lc_bars_destroy(day.bars);
	lc_calendar_destroy(day.calendar);
	lc_symbols_destroy(day.symbols);
	return 0;
}

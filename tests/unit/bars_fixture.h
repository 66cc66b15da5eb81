/* A bars aggregator of one symbol, fed by tapes and written down as text. */
#pragma once

#include "livecore/bars.h"
#include "livecore/buf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define SAID_MAX 20000
#define TAPE_WORDS 7

enum { ONLY_1M_1D = 1 << LC_PERIOD_1M | 1 << LC_PERIOD_1D };

struct bars_fixture {
	struct lc_symbols *symbols;
	struct lc_calendar *calendar;
	struct lc_bars *bars;
	enum lc_market market;
	uint32_t symbol;
	struct lc_bar *said; /* everything that was said, in order */
	size_t n_said;
	size_t doubts;
	int64_t doubt_ns;
	uint64_t seq;
};

static void on_bar(void *arg, const struct lc_bar *bar)
{
	struct bars_fixture *f = arg;
	cr_assert_lt(f->n_said, (size_t)SAID_MAX);
	f->said[f->n_said++] = *bar;
}

static void on_doubt(void *arg, uint32_t symbol, int64_t start_ns)
{
	struct bars_fixture *f = arg;
	cr_assert_eq(symbol, f->symbol);
	f->doubts++;
	f->doubt_ns = start_ns;
}

static inline void open_bars(struct bars_fixture *f, struct lc_bars **bars, unsigned periods,
	int64_t partial_ns, bool extended)
{
	static const struct lc_bars_host host = {.bar = on_bar, .doubt = on_doubt};
	const struct lc_bars_options options = {.symbols = f->symbols,
		.calendar = f->calendar,
		.periods = periods,
		.grace_ns = 3 * SECOND,
		.partial_ns = partial_ns,
		.us_extended = extended,
		.host = &host,
		.arg = f};
	cr_assert_eq(lc_bars_create(&options, bars), LC_OK);
}

static inline void fixture_open(
	struct bars_fixture *f, const char *symbol, unsigned periods, bool extended)
{
	*f = (struct bars_fixture){0};
	f->said = calloc(SAID_MAX, sizeof *f->said);
	cr_assert_eq(lc_symbols_create(100, 1, &f->symbols), LC_OK);
	cr_assert_eq(lc_symbols_intern(f->symbols, symbol, strlen(symbol), &f->symbol), LC_OK);
	f->market = (enum lc_market)lc_symbols_get(f->symbols, f->symbol)->market;
	cr_assert_eq(lc_calendar_create(false, &f->calendar, NULL), LC_OK);
	open_bars(f, &f->bars, periods, 0, extended);
}

static inline void fixture_close(struct bars_fixture *f)
{
	lc_bars_destroy(f->bars);
	lc_calendar_destroy(f->calendar);
	lc_symbols_destroy(f->symbols);
	free(f->said);
}

/* "2026-03-04 09:25:03.5" in the market's own time. */
static inline int64_t at(const struct bars_fixture *f, const char *text)
{
	int64_t ns = 0;
	cr_assert_eq(
		lc_time_parse(text, strlen(text), lc_calendar_zone(f->calendar, f->market), &ns),
		LC_OK, "%s", text);
	return ns;
}

static inline struct lc_decimal dec(const char *text)
{
	struct lc_decimal value = {0};
	cr_assert_eq(lc_decimal_parse(text, strlen(text), &value), LC_OK, "%s", text);
	return value;
}

static inline void follow(struct bars_fixture *f, const char *when)
{
	cr_assert_eq(lc_bars_follow(f->bars, f->symbol, at(f, when)), LC_OK);
}

/* Opens a Wednesday on which all markets trade. */
static inline void open_day(struct bars_fixture *f, const char *symbol, unsigned periods)
{
	fixture_open(f, symbol, periods, false);
	follow(f, "2026-03-04 08:00:00");
}

/* The words of a tape's next line: how many; 0 at its end. */
static inline int next_line(const char **tape, char words[TAPE_WORDS][24])
{
	char line[TAPE_WORDS * 24];
	size_t len = strcspn(*tape, "\n");
	snprintf(line, sizeof line, "%.*s", (int)len, *tape);
	*tape += len + ((*tape)[len] == '\n');
	int count = sscanf(line, "%23s %23s %23s %23s %23s %23s %23s", words[0], words[1], words[2],
		words[3], words[4], words[5], words[6]);
	return count > 0 ? count : 0;
}

/* A snapshot: price, total volume, total amount; open, high and low "" when not given. */
static inline struct lc_tick snapshot_tick(struct bars_fixture *f, const char *when,
	const char *price, const char *volume, const char *amount, const char *open,
	const char *high, const char *low)
{
	struct lc_tick tick = {.symbol = f->symbol,
		.kind = LC_TICK_SNAPSHOT,
		.effect = LC_UPDATES_ALL,
		.seq = ++f->seq,
		.event_ns = at(f, when),
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT};
	tick.price = dec(price);
	tick.volume = dec(volume);
	tick.amount = dec(amount);
	if (*open) {
		tick.open = dec(open);
		tick.has |= LC_HAS_OPEN;
	}
	if (*high) {
		tick.high = dec(high);
		tick.low = dec(low);
		tick.has |= LC_HAS_HIGH | LC_HAS_LOW;
	}
	return tick;
}

static inline void snapshot(struct bars_fixture *f, const char *when, const char *price,
	const char *volume, const char *amount, const char *open, const char *high, const char *low)
{
	struct lc_tick tick = snapshot_tick(f, when, price, volume, amount, open, high, low);
	lc_bars_tick(f->bars, &tick);
}

/* A tape of snapshots, a line each: "09:30:03 price volume amount", then open, high and low when
 * they are given. */
static inline void snapshots(struct bars_fixture *f, const char *day, const char *tape)
{
	char w[TAPE_WORDS][24], when[64];
	for (int n; (n = next_line(&tape, w)) > 0;) {
		cr_assert(n == 4 || n == 7, "%s has %d words", w[0], n);
		snprintf(when, sizeof when, "%s %s", day, w[0]);
		snapshot(f, when, w[1], w[2], w[3], n == 7 ? w[4] : "", n == 7 ? w[5] : "",
			n == 7 ? w[6] : "");
	}
}

/* A trade with conditions of one character each: "@I". */
static inline struct lc_tick trade_tick(struct bars_fixture *f, const char *when, const char *price,
	const char *size, const char *conditions)
{
	struct lc_tick tick = {.symbol = f->symbol,
		.kind = LC_TICK_TRADE,
		.seq = ++f->seq,
		.event_ns = at(f, when),
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT};
	tick.price = dec(price);
	tick.volume = dec(size);
	tick.amount = lc_decimal_mul(tick.price, tick.volume);
	for (; *conditions; conditions++) {
		tick.conditions.code[tick.conditions.count++][0] = *conditions;
	}
	struct lc_conditions_seen seen = {0};
	tick.effect = lc_conditions_effect(&tick.conditions, 'A', &seen, NULL);
	return tick;
}

static inline void trade(struct bars_fixture *f, const char *when, const char *price,
	const char *size, const char *conditions)
{
	struct lc_tick tick = trade_tick(f, when, price, size, conditions);
	lc_bars_tick(f->bars, &tick);
}

/* A tape of trades, a line each: "09:30:03 price size", then conditions when there are any. */
static inline void trades(struct bars_fixture *f, const char *day, const char *tape)
{
	char w[TAPE_WORDS][24], when[64];
	for (int n; (n = next_line(&tape, w)) > 0;) {
		cr_assert(n == 3 || n == 4, "%s has %d words", w[0], n);
		snprintf(when, sizeof when, "%s %s", day, w[0]);
		trade(f, when, w[1], w[2], n == 4 ? w[3] : "");
	}
}

static inline void advance(struct bars_fixture *f, const char *when)
{
	while (lc_bars_advance(f->bars, f->market, at(f, when))) {
	}
}

static inline void put_dec(struct lc_buf *out, struct lc_decimal value)
{
	lc_buf_putc(out, ' ');
	lc_buf_decimal(out, value);
}

/* "1m 09:30 O H L C volume amount ticks", then "r1" a revision, "open" not final, "!" not complete,
 * "gap=…". */
static inline void bar_text(
	const struct bars_fixture *f, const struct lc_bar *bar, struct lc_buf *out)
{
	struct lc_civil start = lc_civil_from_ns(
		lc_calendar_zone(f->calendar, f->market), bar->start_ns);
	lc_buf_printf(out, "%s %02d:%02d", lc_period_name((enum lc_period)bar->period), start.hour,
		start.minute);
	put_dec(out, bar->open);
	put_dec(out, bar->high);
	put_dec(out, bar->low);
	put_dec(out, bar->close);
	put_dec(out, bar->volume);
	put_dec(out, bar->amount);
	lc_buf_printf(out, " %u", bar->tick_count);
	if (bar->revision) {
		lc_buf_printf(out, " r%u", bar->revision);
	}
	lc_buf_puts(out, bar->final ? "" : " open");
	lc_buf_puts(out, bar->complete ? "" : " !");
	if (bar->gap_volume.mantissa) {
		lc_buf_puts(out, " gap=");
		lc_buf_decimal(out, bar->gap_volume);
	}
	lc_buf_putc(out, '\n');
}

/* What was said since the last look is exactly this. */
#define EXPECT(f, text)                                                                   \
	do {                                                                              \
		struct lc_buf buf_;                                                       \
		lc_buf_init(&buf_, 1 << 20);                                              \
		for (size_t i_ = 0; i_ < (f)->n_said; i_++) {                             \
			bar_text((f), &(f)->said[i_], &buf_);                             \
		}                                                                         \
		cr_expect_str_eq(lc_buf_text(&buf_), text, "line %d: said\n%s", __LINE__, \
			lc_buf_text(&buf_));                                              \
		lc_buf_finish(&buf_);                                                     \
		(f)->n_said = 0;                                                          \
	} while (0)

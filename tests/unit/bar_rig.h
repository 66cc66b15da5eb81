/* What the manager's parts for bars need: an outbox without a sender, symbols, calendars, a folder,
 * and a clock that the test moves. */
#pragma once

#include "livecore/bars.h"
#include "outbox_fixture.h"
#include "scratch.h"

#include <stdlib.h>
#include <unistd.h>

struct bar_rig {
	struct out out;
	struct lc_symbols *symbols;
	struct lc_calendar *calendar;
	char dir[64];
	bool done;
};

static inline void rig_on_done(void *arg)
{
	((struct bar_rig *)arg)->done = true;
}

static inline int64_t rig_at(const struct bar_rig *rig, const char *text)
{
	int64_t ns = 0;
	cr_assert_eq(lc_time_parse(text, strlen(text),
			     lc_calendar_zone(rig->calendar, LC_MARKET_CN), &ns),
		LC_OK, "%s", text);
	return ns;
}

/* The loop's clock; it goes forward only. */
static inline void rig_clock(struct bar_rig *rig, const char *text)
{
	*lc_loop_clock(rig->out.f.loop) = (struct lc_clock){
		.tape = true, .tape_ns = rig_at(rig, text)};
}

static inline uint32_t rig_symbol(struct bar_rig *rig, const char *text)
{
	uint32_t symbol;
	cr_assert_eq(lc_symbols_intern(rig->symbols, text, strlen(text), &symbol), LC_OK);
	return symbol;
}

static inline void rig_open(struct bar_rig *rig, size_t journal)
{
	struct lc_error err;
	memset(rig, 0, sizeof *rig);
	out_open(&rig->out, journal, false);
	strcpy(rig->dir, "/tmp/livecore-bar-rig-XXXXXX");
	cr_assert(mkdtemp(rig->dir));
	cr_assert_eq(lc_symbols_create(6000, 1, &rig->symbols), LC_OK);
	cr_assert_eq(lc_calendar_create(false, &rig->calendar, &err), LC_OK, "%s", err.text);
	rig_clock(rig, "2026-03-04 09:20:00");
}

static inline void rig_close(struct bar_rig *rig)
{
	lc_symbols_destroy(rig->symbols);
	lc_calendar_destroy(rig->calendar);
	out_close(&rig->out);
	scratch_remove(rig->dir);
}

/* The session so far of a mainland share: at 10.00, so many shares. */
static inline struct lc_tick rig_tick(
	struct bar_rig *rig, uint32_t symbol, const char *when, int64_t volume)
{
	struct lc_tick tick = {.symbol = symbol,
		.kind = LC_TICK_SNAPSHOT,
		.effect = LC_UPDATES_ALL,
		.event_ns = rig_at(rig, when),
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT | LC_HAS_OPEN | LC_HAS_HIGH |
		       LC_HAS_LOW | LC_HAS_EVENT_TIME};
	tick.received_ns = tick.event_ns;
	tick.price = tick.open = tick.high = tick.low = lc_decimal_from_int(10);
	tick.volume = lc_decimal_from_int(volume);
	tick.amount = lc_decimal_from_int(10 * volume);
	return tick;
}

static inline void rig_ignore_bar(void *arg, const struct lc_bar *bar)
{
	(void)arg, (void)bar;
}

static inline struct lc_bars *rig_bars(struct bar_rig *rig)
{
	static const struct lc_bars_host host = {.bar = rig_ignore_bar};
	const struct lc_bars_options options = {.symbols = rig->symbols,
		.calendar = rig->calendar,
		.grace_ns = 3 * LC_NS_PER_S,
		.host = &host};
	struct lc_bars *bars;
	cr_assert_eq(lc_bars_create(&options, &bars), LC_OK);
	return bars;
}

/* Bars from ticks: 1m 5m 15m 30m 60m 1d of each followed symbol, by event time, by the market's own
 * sessions. Fed every tick that leaves a queue, merged or not: bars with and without conflation are
 * equal. Pure; loop thread. It never looks at a clock, never allocates per tick (a symbol's rows
 * grow as its day goes on), and says bars only from lc_bars_advance() and lc_bars_flush(), and,
 * when a new day begins before the old one was closed, from the call that began it.
 *
 * A minute is the smallest unit: a tick changes one row, and longer bars are sums of rows, made
 * when they are due. Rows stay until the day's end, so that late ticks, corrections and cancels
 * amend them. The sum holds for each symbol and day: minutes + gap_volume + what is traded outside
 * of the minutes (fixed price, closing print) = 1d. */
#pragma once

#include "livecore/bar.h"
#include "livecore/market.h"
#include "livecore/symbol.h"
#include "livecore/tick.h"

struct lc_bars_host {
	/* A final bar (revision 0), a revision of one, or, with partial_ns, an open one. Borrowed
	 * for the call. Must not call back into the bars. */
	void (*bar)(void *arg, const struct lc_bar *bar);
	/* May be NULL; from within lc_bars_tick(). A cancelled or corrected price made a minute
	 * doubtful: ask the vendor for that minute's bar, and give it to lc_bars_replace(). Until
	 * then it is not complete. */
	void (*doubt)(void *arg, uint32_t symbol, int64_t start_ns);
};

struct lc_bars_options {
	const struct lc_symbols *symbols; /* borrowed */
	struct lc_calendar *calendar;     /* borrowed; may be exchanged: lc_bars_calendar() */
	unsigned periods;                 /* bits 1 << enum lc_period; 0: all six */
	int64_t grace_ns;                 /* a bar closes so long after its end; < 0: 3 s */
	int64_t partial_ns;               /* open bars are said so often; 0: never */
	int64_t hole_ns;  /* snapshots further apart than this, with a gap between: 0: 10 s */
	bool us_extended; /* bars before and after the regular session in the US */
	const struct lc_bars_host *host; /* borrowed */
	void *arg;
};

struct lc_bars;

enum lc_err lc_bars_create(const struct lc_bars_options *options, struct lc_bars **out);
void lc_bars_destroy(struct lc_bars *bars);
/* Periods, grace and partials of a reload; the rest stays as it was created. */
void lc_bars_configure(struct lc_bars *bars, const struct lc_bars_options *options);
/* The calendar was read again, or is another one from now on (borrowed). The days that are under
 * way keep their times where they are the same; what was final stays final. */
void lc_bars_calendar(struct lc_bars *bars, struct lc_calendar *calendar);

/* A symbol is followed from now_ns on: what was traded of its day before is not seen, and the
 * short bar in which that falls is not complete. Makes room; LC_ERR_NOMEM. A symbol that is
 * followed or restored already stays as it is. Ticks of symbols not followed are passed over. */
enum lc_err lc_bars_follow(struct lc_bars *bars, uint32_t symbol, int64_t now_ns);
/* Forgets a symbol; its open bars are not said. */
void lc_bars_unfollow(struct lc_bars *bars, uint32_t symbol);

/* A tick that left the queue. Quotes and statuses only move the market's watermark. */
void lc_bars_tick(struct lc_bars *bars, const struct lc_tick *tick);
/* The day so far as the vendor tells it, up to event_ns (Alpaca's dailyBar). It never makes less
 * of what was seen. Its volume in excess of what was seen is gap_volume. */
void lc_bars_reference(struct lc_bars *bars, const struct lc_reference *reference);
/* Nothing of this symbol was received from from_ns to to_ns (the feed is back: call it then, not
 * when the gap opens). Bars that it touches are not complete; what snapshots show to have been
 * traded meanwhile is gap_volume, unless the break was short or within one minute. */
void lc_bars_gap(struct lc_bars *bars, uint32_t symbol, int64_t from_ns, int64_t to_ns);
/* Everything that was traded from from_ns to to_ns has been given after all (backfilled ticks):
 * those minutes are complete. */
void lc_bars_filled(struct lc_bars *bars, uint32_t symbol, int64_t from_ns, int64_t to_ns);
/* The vendor's own bar of one minute (period 1m, start_ns) takes the place of ours.
 * LC_ERR_NOT_FOUND: not a minute of the day that is held. */
enum lc_err lc_bars_replace(struct lc_bars *bars, const struct lc_bar *minute);

/* Closes what is due at now_ns or at the market's watermark, whichever is later; says revisions
 * (at most one a bar a second) and partials. Does one bounded slice and returns true when more is
 * left: call it again. Every 100 to 500 ms is often enough. */
bool lc_bars_advance(struct lc_bars *bars, enum lc_market market, int64_t now_ns);
/* The newest event time of a market; INT64_MIN: none was seen. */
int64_t lc_bars_watermark(const struct lc_bars *bars, enum lc_market market);
/* Says every revision that waits, without the limit of one a second: at stop. One bounded slice, as
 * lc_bars_advance(): call it while it returns true. */
bool lc_bars_flush(struct lc_bars *bars, int64_t now_ns);

/* The day's bar of a symbol's latest session that has begun at now_ns. LC_ERR_NOT_FOUND: nothing
 * of that session is known here. */
enum lc_err lc_bars_day(struct lc_bars *bars, uint32_t symbol, int64_t now_ns, struct lc_bar *out);
/* The bar of a short period that holds start_ns, as it is now, final or not. LC_ERR_NOT_FOUND. */
enum lc_err lc_bars_get(struct lc_bars *bars, uint32_t symbol, enum lc_period period,
	int64_t start_ns, struct lc_bar *out);
/* Local midnight of the market's latest session that has begun. */
int64_t lc_bars_session_start(struct lc_bars *bars, enum lc_market market, int64_t now_ns);

/* --- what survives a restart --- */

/* One piece of a symbol's state: keep the newest of each (symbol, key), by the symbol's text; keys
 * are small and not negative. Opaque bytes of this machine and version. */
typedef void (*lc_bars_save_cb)(
	void *arg, uint32_t symbol, int32_t key, const void *data, size_t len);
#define LC_BARS_PIECE_MAX 1024

/* The pieces of a symbol that changed since the last save, or all of them. Every 5 s and at stop,
 * some hundred symbols a slice. Pieces of an older day that is kept under the same key are told
 * apart when they are restored. Returns how many. */
size_t lc_bars_save(
	struct lc_bars *bars, uint32_t symbol, bool all, lc_bars_save_cb save, void *arg);
/* Gives a piece back, before the first tick; a symbol's key 0 first. Then call lc_bars_gap() with
 * the time of the save and the time when ticks come again. Errors: LC_ERR_INVALID (another version,
 * damaged), LC_ERR_NOT_FOUND (a row of another day than key 0's: pass over it), LC_ERR_NOMEM. */
enum lc_err lc_bars_restore(
	struct lc_bars *bars, uint32_t symbol, int32_t key, const void *data, size_t len);
/* When all of that was saved. A bar that ended a moment later may have been said by the process
 * that was killed then, so it is said as revision 1. */
void lc_bars_saved_at(struct lc_bars *bars, int64_t saved_ns);

struct lc_bars_stats {
	uint64_t bars, revisions, partials;
	uint64_t other_day;  /* ticks of a day that is over */
	uint64_t unfollowed; /* ticks of symbols not followed */
	uint64_t no_memory;  /* ticks that did not get in: memory ran out */
	size_t symbols;
	size_t rows, memory_bytes; /* as lc_bars_measure() found them last */
};
/* Adds up rows and memory, some hundred symbols a call; true when there are more: call it again.
 * There may be 100,000 symbols, so asking for the figures does not count them. */
bool lc_bars_measure(struct lc_bars *bars);
struct lc_bars_stats lc_bars_stats(const struct lc_bars *bars);

/* What a market's rules say about an instant, a symbol or a trade: sessions and holidays, price
 * limits by board, trade conditions. Pure but for lc_calendar_create(), which reads time zones.
 * Loop thread. It never looks at a clock, and it guesses nothing: where no rule is known there
 * is no rule. */
#pragma once

#include "livecore/symbol.h"
#include "livecore/tick.h"
#include "livecore/zone.h"

/* The phases of a market's day, as the message's `session` names them. */
enum lc_session {
	LC_SESSION_PRE,     /* before the regular session: US from 04:00 */
	LC_SESSION_AUCTION, /* opening or closing call auction, and the pause after the first */
	LC_SESSION_OPEN,    /* continuous trading */
	LC_SESSION_LUNCH,
	LC_SESSION_POST, /* CN fixed-price trading, US after-hours */
	LC_SESSION_CLOSED,
	LC_SESSIONS
};

const char *lc_session_name(
	enum lc_session session); /* "pre", "auction", "open", "lunch", "post", "closed" */

struct lc_calendar;

/* The built-in calendars of the three markets. always_open: every instant is in session (the
 * demo). Errors: those of lc_zone_load(), LC_ERR_NOMEM. */
enum lc_err lc_calendar_create(bool always_open, struct lc_calendar **out, struct lc_error *err);
void lc_calendar_destroy(struct lc_calendar *calendar);

/* Every mistake in a calendar's file. */
struct lc_calendar_report {
	void (*mistake)(void *arg, const char *file, int line, const char *text);
	void *arg;
};

/* The same, overlaid with cn.csv, hk.csv and us.csv of dir, as far as they are there; NULL or "":
 * no overlay. Lines: `close,DAY[,why]`, `early,DAY,TIME[,why]`, `add,DAY[,why]` (open, and not
 * early), `covers,FIRST,LAST` and `source,TEXT`; days YYYY-MM-DD, times HH:MM local. report may be
 * NULL; err is the first mistake. Errors besides: LC_ERR_INVALID (mistakes), LC_ERR_NOT_FOUND (no
 * such dir). Reads files: at start and reload. */
enum lc_err lc_calendar_open(bool always_open, const char *dir,
	const struct lc_calendar_report *report, struct lc_calendar **out, struct lc_error *err);

/* Reads dir again, into a calendar that others hold already: at reload. On an error nothing
 * changed. Tell the bars with lc_bars_calendar(). Errors as of lc_calendar_open(). */
enum lc_err lc_calendar_reload(struct lc_calendar *calendar, const char *dir,
	const struct lc_calendar_report *report, struct lc_error *err);

/* Writes a day into the overlay file of a market (dir is made when missing), in place of what it
 * says of that day; the file is replaced at once. early: minute of the day, or -1: closed all day,
 * or -2: open and not early. Errors: LC_ERR_INVALID (the file has mistakes: err), LC_ERR_IO. */
enum lc_err lc_calendar_write(const char *dir, enum lc_market market, int32_t day, int early,
	const char *why, struct lc_error *err);

/* "2026-11-20"; "13:00" as minutes of the day. The whole text; false when it is none. */
bool lc_calendar_day_parse(const char *text, int32_t *day);
bool lc_calendar_time_parse(const char *text, int *minute);

/* The market's phase at an instant. Called per tick: remembers the interval it answered for
 * last, so that the next call within it is two comparisons. */
enum lc_session lc_session_at(struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns);

/* When the phase that holds at unix_ns ends. */
int64_t lc_session_ends(struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns);

/* The local calendar day of an instant, in days since 1970-01-01 (lc_civil_from_days). As quick
 * as lc_session_at(). */
int32_t lc_trading_date(struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns);
/* Local midnight of that day; *next_ns (may be NULL): of the day after. */
int64_t lc_day_begin(
	struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns, int64_t *next_ns);

/* Is the market open on this local day at all? *half (may be NULL): it closes early. */
bool lc_calendar_trades_on(
	const struct lc_calendar *calendar, enum lc_market market, int32_t day, bool *half);

/* Is the day among those whose holidays are known? Outside them only weekends are (event
 * `calendar_expired`). */
bool lc_calendar_covers(const struct lc_calendar *calendar, enum lc_market market, int32_t day);

/* The last day that is covered; INT32_MAX when always open. After it weekdays count as sessions. */
int32_t lc_calendar_last_day(const struct lc_calendar *calendar, enum lc_market market);
/* Covered days that are left after today's; negative: expired. Warn below 60. */
int32_t lc_calendar_days_left(struct lc_calendar *calendar, enum lc_market market, int64_t now_ns);
/* Where the days are from, as their file says; borrowed. */
const char *lc_calendar_source(const struct lc_calendar *calendar, enum lc_market market);

struct lc_calendar_day {
	bool trades, half, covered;
	bool overlaid;   /* calendar.dir says so */
	const char *why; /* borrowed; "" when the file does not say */
	int phases;
	struct lc_calendar_phase {
		int64_t from_ns, to_ns;
		enum lc_session session;
	} phase[12]; /* from midnight to midnight */
};
/* All that is known of a local day. */
void lc_calendar_day(struct lc_calendar *calendar, enum lc_market market, int32_t day,
	struct lc_calendar_day *out);

/* The market's zone, borrowed from the calendar. */
const struct lc_zone *lc_calendar_zone(const struct lc_calendar *calendar, enum lc_market market);

/* --- how far and in which steps a price may move --- */

enum lc_board {
	LC_BOARD_NONE,
	LC_BOARD_MAIN,
	LC_BOARD_CHINEXT,
	LC_BOARD_STAR,
	LC_BOARD_BSE,
	LC_BOARD_ETF,
	LC_BOARD_ETF_WIDE,
	/* No limit; more than half a day's previous close is still remarkable: US and HK
	 * shares. */
	LC_BOARD_UNLIMITED
};

/* The board that a code's prefix tells; LC_BOARD_NONE for indices, B shares, bonds, warrants and
 * other funds. */
enum lc_board lc_board_of(const struct lc_symbol *symbol);

/* Limit prices computed from the previous close: close x (1 +- rate), rounded half up to 0.01
 * (ETF 0.001; 50 % of LC_BOARD_UNLIMITED to 10^-6). False when the board has no rule or prev_close
 * is not positive. They only ever flag a price: ST state, first listing days and the like cannot be
 * told from a code. */
bool lc_price_limits(enum lc_board board, struct lc_decimal prev_close, struct lc_decimal *up,
	struct lc_decimal *down);

/* In which steps a market's prices are, by the code; where no rule is known there is none. */
enum lc_price_steps {
	LC_STEPS_NONE,
	LC_STEPS_CN,     /* shares: 0.01 */
	LC_STEPS_CN_ETF, /* 0.001 */
	LC_STEPS_HK,     /* by price: the exchange's spread table for shares */
	LC_STEPS_US,     /* orders and quotes; trades may print between them */
};
enum lc_price_steps lc_price_steps_of(const struct lc_symbol *symbol);
bool lc_price_on_step(enum lc_price_steps steps, struct lc_decimal price);

/* --- trade conditions (US tapes) --- */

/* Which unknown codes were reported already. Zeroed at start; one a process or feeder. */
struct lc_conditions_seen {
	uint64_t codes[4]; /* by first byte; longer codes share their first byte's bit */
};

/* What a trade with these conditions updates: enum lc_tick_effect bits, of several codes the
 * strictest. May hold LC_UPDATES_LAST_IF_FIRST instead of LC_UPDATES_LAST, which quality
 * resolves. tape: 'A', 'B', 'C' or '\0'. An unknown code counts as an ordinary one; *unknown
 * (may be NULL) is set to it the first time (borrowed from conditions), else to NULL. */
uint8_t lc_conditions_effect(const struct lc_conditions *conditions, char tape,
	struct lc_conditions_seen *seen, const char **unknown);

/* The trades for which bars have a rule of their own. */
enum lc_conditions_class {
	LC_CONDITIONS_ORDINARY,
	/* `T`: outside of the regular session, and nothing else against it */
	LC_CONDITIONS_EXTENDED,
	LC_CONDITIONS_CLOSING, /* `6`: the closing print */
};
enum lc_conditions_class lc_conditions_class(const struct lc_conditions *conditions);

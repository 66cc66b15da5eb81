/* A market's exceptional days and ordinary phases, shared by the table, its files and its reader.
 * Loop thread. */
#pragma once

#include "livecore/market.h"

enum { DAY_MINUTES = 24 * 60, PHASES_MAX = 10 };
#define HHMM(hour, minute) ((hour)*60 + (minute))

/* From this minute of the local day on, the market is in this phase. Before the first it is
 * closed. */
struct market_phase {
	int16_t minute;
	uint8_t session;
};

struct market_rules {
	const char *zone;
	const struct market_phase *phases; /* of an ordinary day */
	int n_phases;
	const struct market_phase *after_early; /* what follows an early close, minutes after it */
	int n_after_early;
	const char *text; /* the built-in file */
};
extern const struct market_rules lc_market_rules[LC_MARKETS];

/* The files of config/calendars. */
extern const char lc_calendar_text_cn[], lc_calendar_text_hk[], lc_calendar_text_us[];

/* A day that is not what its weekday says. */
struct exception {
	int32_t day;
	int16_t early; /* minute of the close, or one of the two below */
	bool overlaid; /* from calendar.dir */
	char why[40];
};
enum { DAY_CLOSED = -1, DAY_OPEN = -2 };

struct exceptions {
	struct exception *days; /* owned; ascending */
	size_t count, room;
	int32_t first_day, last_day; /* covered */
	char source[100];
};

const struct exception *lc_exceptions_find(const struct exceptions *exceptions, int32_t day);

/* Reads a file's text; every mistake is reported with its line and the rest is read on.
 * LC_ERR_INVALID when there was any, LC_ERR_NOMEM. */
enum lc_err lc_calendar_text_read(struct exceptions *exceptions, const struct market_rules *rules,
	const char *text, size_t len, bool overlay, const char *name,
	const struct lc_calendar_report *report);

/* Reads the overlay files of dir into the markets' exceptions. */
enum lc_err lc_calendar_overlay(struct exceptions exceptions[LC_MARKETS], const char *dir,
	const struct lc_calendar_report *report, struct lc_error *err);

/* The phases of a day that trades; early: minute of the close, or DAY_OPEN. Returns how many. */
int lc_phases_of(const struct market_rules *rules, int early, struct market_phase *phases);
/* May a day close early at this minute: has trading begun, and does it not rest? */
bool lc_phases_may_close(const struct market_rules *rules, int minute);

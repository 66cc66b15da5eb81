/* The calendars' tables, shared by the table and its reader. Constant data, any thread; never
 * allocated. */
#pragma once

#include "livecore/market.h"

#define HHMM(hour, minute) ((hour)*60 + (minute))

/* From this minute of the local day on, the market is in this phase. */
struct market_phase {
	int16_t minute;
	uint8_t session;
};

/* Days are yyyymmdd, ascending. Before the first phase, and on closed days, the market is closed. */
struct market_rules {
	const char *zone;
	int16_t first_year, last_year; /* of the holiday table */
	const struct market_phase *day;
	size_t n_day;
	const struct market_phase *half_day;
	size_t n_half_day;
	const int32_t *closed;
	size_t n_closed;
	const int32_t *half;
	size_t n_half;
};

extern const struct market_rules lc_market_rules[LC_MARKETS];

/* One bar: what was traded of one symbol in one period. Plain data, copied, never owned. Volumes
 * are shares, amounts money in the market's currency. A bar is known by its symbol, period, start
 * and revision. */
#pragma once

#include "livecore/decimal.h"

#include <stdbool.h>
#include <stdint.h>

enum lc_period {
	LC_PERIOD_1M,
	LC_PERIOD_5M,
	LC_PERIOD_15M,
	LC_PERIOD_30M,
	LC_PERIOD_60M,
	LC_PERIOD_1D,
	LC_PERIODS
};

/* Which of the optional decimals are known. */
enum lc_bar_field {
	LC_BAR_HAS_TURNOVER = 1 << 0, /* only where a vendor gives it */
	LC_BAR_HAS_CHANGE = 1 << 1,   /* change and change_pct */
	LC_BAR_HAS_AMOUNT = 1 << 2,   /* else amount is 0: the vendor gives none */
};

struct lc_bar {
	uint32_t symbol;     /* index in the symbol table */
	uint8_t period;      /* enum lc_period */
	uint8_t has;         /* enum lc_bar_field bits */
	bool final;          /* false while the bar is still open */
	bool complete;       /* false when a gap, or a cancelled price, touched it */
	uint32_t revision;   /* 0, then 1 more each time a final bar is amended */
	uint32_t tick_count; /* trades, or snapshots looked at */
	int64_t start_ns;    /* of 1d local midnight of the trading day */
	int64_t end_ns;      /* where the next bar may begin; of 1d when the day's bar is final */
	struct lc_decimal open, high, low, close, volume, amount;
	struct lc_decimal turnover;   /* per cent of the floating shares */
	struct lc_decimal change;     /* close - the close before; of 1d the previous day's */
	struct lc_decimal change_pct; /* of that close, rounded half to even to four decimals */
	/* Of 1d: traded while we did not see it; in this volume, but in no shorter bar's. Else
	 * 0. */
	struct lc_decimal gap_volume;
};

/* "1m", "5m", "15m", "30m", "60m", "1d" */
const char *lc_period_name(enum lc_period period);
/* The period of a name; LC_PERIODS when there is none such. */
enum lc_period lc_period_find(const char *name);
/* 1, 5, 15, 30, 60; 0 for 1d. */
int lc_period_minutes(enum lc_period period);

/* A seeded random walk of many symbols: what the simulators play when they have no tape. Pure: no
 * I/O, no clock. The same seed and symbol give the same prices, whatever else is walked.
 * Prices are whole numbers of 1/10,000 of the currency. */
#pragma once

#include "livecore/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_PRICE_SCALE 10000
#define SIM_SYMBOLS_MAX 20000

enum sim_market { SIM_CN, SIM_HK, SIM_US };

struct sim_bar {
	int64_t minute; /* since 1970; 0: no trade yet */
	int64_t open, high, low, close, volume, trades;
	int64_t value; /* price x volume */
};

struct sim_symbol {
	char text[20]; /* canonical: 600000.SH, 00700.HK, AAPL; BTC/USD for crypto */
	size_t index;
	enum sim_market market;
	int decimals;     /* of the price as EastMoney quotes it */
	int vendor_board; /* EastMoney's market prefix: 0, 1, 116, 105, 106, 107 */
	int64_t lot;      /* shares in a round lot */
	int64_t prev_close, open, high, low, last;
	int64_t bid[5], ask[5];           /* best first; 0: none */
	int64_t bid_size[5], ask_size[5]; /* shares */
	int64_t volume;                   /* shares of the session: only rises */
	int64_t value;                    /* price x shares of the session */
	int64_t trades;
	int64_t last_size;
	int64_t lot_last; /* price of the newest trade that was no odd lot: a day's close */
	int64_t trade_ns; /* of the newest trade; 0: none yet */
	int64_t time_ns;  /* of the last change */
	struct sim_bar bar, last_bar;
	uint64_t random;
};

struct sim_walk;

enum lc_err sim_walk_create(uint64_t seed, struct sim_walk **out);
void sim_walk_destroy(struct sim_walk *walk);

/* The symbol, made at the first call with a believable state; NULL when it is too long, the table
 * is full, or memory ran out. Stays where it is until the walk is destroyed. */
struct sim_symbol *sim_walk_symbol(struct sim_walk *walk, const char *text);
size_t sim_walk_count(const struct sim_walk *walk);
struct sim_symbol *sim_walk_at(const struct sim_walk *walk, size_t index);

/* Names of the built-in table of real symbols; NULL beyond its end. */
const char *sim_walk_known(enum sim_market market, size_t index);

/* One trade: moves the last price by a few ticks, within 9 % of the previous close. */
void sim_symbol_trade(struct sim_symbol *symbol, int64_t time_ns);
/* New bids and asks around the last price. */
void sim_symbol_quote(struct sim_symbol *symbol, int64_t time_ns);
/* The price step at a price. */
int64_t sim_symbol_tick(const struct sim_symbol *symbol, int64_t price);
/* A mainland symbol's limit of the day, by its board; sign: 1 up, -1 down. */
int64_t sim_symbol_limit(const struct sim_symbol *symbol, int sign);

uint64_t sim_random(uint64_t *state);

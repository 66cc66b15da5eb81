#include "livecore/market.h"

#include <stdlib.h>

/* Steps are counted in units of 10^-4. */
enum { UNIT_EXPONENT = -4 };

struct band {
	int64_t below, step; /* units */
};

/* HKEX, Rules of the Exchange, Second Schedule, Part A, with the reductions of 2025-08-04 and of
 * 2026 (0.5 to 10: 0.005), https://www.hkex.com.hk/Services/Trading/Securities/Overview/
 * Trading-Mechanism/Reduction-of-Minimum-Spreads. What was on a step before is on one now. */
static const struct band hk_bands[] = {
	{2500, 10},
	{100000, 50},
	{200000, 100},
	{500000, 200},
	{1000000, 500},
	{2000000, 1000},
	{5000000, 2000},
	{10000000, 5000},
	{20000000, 10000},
	{50000000, 20000},
	{INT64_MAX, 50000},
};

/* Regulation NMS, rule 612 (17 CFR 242.612), with the half cents of its 2024 amendment. */
static const struct band us_bands[] = {{10000, 1}, {INT64_MAX, 50}};

static const struct band cn_bands[] = {{INT64_MAX, 100}};
static const struct band cn_etf_bands[] = {{INT64_MAX, 10}};

static const struct {
	const struct band *bands;
	int always; /* with no more decimals than this a price is on a step; HK: none are */
} rules[] = {
	[LC_STEPS_CN] = {cn_bands, 2},
	[LC_STEPS_CN_ETF] = {cn_etf_bands, 3},
	[LC_STEPS_HK] = {hk_bands, -30},
	[LC_STEPS_US] = {us_bands, 2},
};

/* HKEX's Stock Code Allocation Plan: shares and REITs. Funds have a spread table of their own. */
static const struct {
	int first, last;
} hk_shares[] = {{1, 2799}, {3500, 3999}, {6000, 6999}, {8000, 8999}, {9600, 9799}, {9850, 9999}};

static bool is_hk_share(const struct lc_symbol *symbol)
{
	int code = atoi(symbol->text);
	for (size_t i = 0; i < sizeof hk_shares / sizeof *hk_shares; i++) {
		if (code >= hk_shares[i].first && code <= hk_shares[i].last) {
			return true;
		}
	}
	return false;
}

enum lc_price_steps lc_price_steps_of(const struct lc_symbol *symbol)
{
	if (symbol->market == LC_MARKET_US) {
		return LC_STEPS_US;
	}
	if (symbol->market == LC_MARKET_HK) {
		return is_hk_share(symbol) ? LC_STEPS_HK : LC_STEPS_NONE;
	}
	switch (lc_board_of(symbol)) {
	case LC_BOARD_NONE:
		return LC_STEPS_NONE;
	case LC_BOARD_ETF:
	case LC_BOARD_ETF_WIDE:
		return LC_STEPS_CN_ETF;
	default:
		return LC_STEPS_CN;
	}
}

bool lc_price_on_step(enum lc_price_steps steps, struct lc_decimal price)
{
	if (steps == LC_STEPS_NONE || price.exponent >= -rules[steps].always) {
		return true;
	}
	for (; price.exponent < UNIT_EXPONENT; price.exponent++) {
		if (price.mantissa % 10 != 0) {
			return false;
		}
		price.mantissa /= 10;
	}
	for (; price.exponent > UNIT_EXPONENT; price.exponent--) {
		if (price.mantissa > INT64_MAX / 10) {
			return true; /* no price: other rules say so */
		}
		price.mantissa *= 10;
	}
	const struct band *band = rules[steps].bands;
	while (price.mantissa >= band->below) {
		band++;
	}
	return price.mantissa % band->step == 0;
}

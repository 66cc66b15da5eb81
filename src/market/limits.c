#include "livecore/market.h"

#include <string.h>

/* Decimal exponents between which a price is plausible; beyond them the arithmetic would
 * overflow. */
enum { MIN_EXPONENT = -12, MAX_EXPONENT = 6 };

static const struct {
	uint8_t venue;
	const char *prefixes; /* of three digits (two and a blank: any third) */
	uint8_t board;
} boards[] = {
	{LC_VENUE_SH, "600 601 603 605", LC_BOARD_MAIN},
	{LC_VENUE_SH, "688 689", LC_BOARD_STAR},
	{LC_VENUE_SH, "588 589", LC_BOARD_ETF_WIDE},
	{LC_VENUE_SH, "510 511 512 513 515 516 517 518 560 561 562 563", LC_BOARD_ETF},
	{LC_VENUE_SZ, "000 001 002 003", LC_BOARD_MAIN},
	{LC_VENUE_SZ, "300 301", LC_BOARD_CHINEXT},
	/* Shenzhen's ETFs share one prefix; ChiNext's own among them may move 20 %, and a limit
	 * that only flags should rather miss than accuse. */
	{LC_VENUE_SZ, "159", LC_BOARD_ETF_WIDE},
	{LC_VENUE_BJ, "920", LC_BOARD_BSE},
	{LC_VENUE_BJ, "43 83 87 88 ", LC_BOARD_BSE},
};

static const struct {
	uint8_t percent, decimals;
} rates[] = {
	[LC_BOARD_NONE] = {0, 0},
	[LC_BOARD_MAIN] = {10, 2},
	[LC_BOARD_CHINEXT] = {20, 2},
	[LC_BOARD_STAR] = {20, 2},
	[LC_BOARD_BSE] = {30, 2},
	[LC_BOARD_ETF] = {10, 3},
	[LC_BOARD_ETF_WIDE] = {20, 3},
	[LC_BOARD_UNLIMITED] = {50, 6},
};

static bool has_prefix(const char *prefixes, const char *code)
{
	size_t len = strlen(prefixes);
	/* Both spellings step by their width: "600 601" by four, "43 83 " by three. */
	size_t digits = prefixes[2] == ' ' ? 2 : 3;
	for (size_t at = 0; at + digits <= len; at += digits + 1) {
		if (memcmp(prefixes + at, code, digits) == 0) {
			return true;
		}
	}
	return false;
}

static __int128 power_of_ten(int exponent)
{
	__int128 power = 1;
	while (exponent-- > 0) {
		power *= 10;
	}
	return power;
}

/* price x percent / 100, rounded half up to so many decimals. */
static struct lc_decimal percent_of(struct lc_decimal price, int percent, int decimals)
{
	__int128 product = (__int128)price.mantissa * percent;
	int surplus = -decimals - (price.exponent - 2); /* digits to round away */
	if (surplus > 0) {
		__int128 unit = power_of_ten(surplus);
		product = (product + unit / 2) / unit;
	} else {
		product *= power_of_ten(-surplus);
	}
	return (struct lc_decimal){(int64_t)product, -decimals};
}

enum lc_board lc_board_of(const struct lc_symbol *symbol)
{
	if (symbol->market == LC_MARKET_US) {
		return LC_BOARD_UNLIMITED;
	}
	if (symbol->market == LC_MARKET_HK) { /* from 10000 on: warrants and the like */
		return symbol->text[0] == '0' ? LC_BOARD_UNLIMITED : LC_BOARD_NONE;
	}
	for (size_t i = 0; i < sizeof boards / sizeof *boards; i++) {
		if (boards[i].venue == symbol->venue &&
			has_prefix(boards[i].prefixes, symbol->text)) {
			return (enum lc_board)boards[i].board;
		}
	}
	return LC_BOARD_NONE;
}

bool lc_price_limits(enum lc_board board, struct lc_decimal prev_close, struct lc_decimal *up,
	struct lc_decimal *down)
{
	bool plausible = prev_close.mantissa > 0 && prev_close.mantissa < INT64_C(1000000000000) &&
			 prev_close.exponent >= MIN_EXPONENT && prev_close.exponent <= MAX_EXPONENT;
	if (board == LC_BOARD_NONE || !plausible) {
		return false;
	}
	*up = percent_of(prev_close, 100 + rates[board].percent, rates[board].decimals);
	*down = percent_of(prev_close, 100 - rates[board].percent, rates[board].decimals);
	return true;
}

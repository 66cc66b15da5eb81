#include "eastmoney_wire.h"

#include <stdio.h>
#include <string.h>

#define MARKET_SZ 0 /* and Beijing */
#define MARKET_SH 1
#define LOT_POWER 2 /* a lot is 100 shares */
#define STATE_SUSPENDED 6
#define STATE_HALTED 14

/* --- symbols --- */

static bool is_us(unsigned market)
{
	return market >= LC_EASTMONEY_US_FIRST &&
	       market < LC_EASTMONEY_US_FIRST + LC_EASTMONEY_US_MARKETS;
}

bool lc_eastmoney_market(unsigned prefix, enum lc_market *out)
{
	if (prefix == MARKET_SZ || prefix == MARKET_SH) {
		*out = LC_MARKET_CN;
	} else if (prefix == LC_EASTMONEY_HK || prefix == LC_EASTMONEY_HK_LIST) {
		*out = LC_MARKET_HK;
	} else if (is_us(prefix)) {
		*out = LC_MARKET_US;
	} else {
		return false;
	}
	return true;
}

static const char *china_suffix(unsigned market, const char *code)
{
	if (market == MARKET_SH) {
		return ".SH";
	}
	bool beijing = code[0] == '4' || code[0] == '8' || (code[0] == '9' && code[1] == '2');
	return beijing ? ".BJ" : ".SZ";
}

enum lc_err lc_eastmoney_symbol(
	const struct lc_eastmoney_row *row, char out[LC_SYMBOL_MAX], size_t *len)
{
	const uint32_t both = LC_EM_BIT(LC_EM_CODE) | LC_EM_BIT(LC_EM_MARKET);
	enum lc_market market;
	size_t n = strlen(row->code);
	if ((row->known & both) != both || !lc_eastmoney_market(row->market, &market) ||
		n + sizeof(".SH") > LC_SYMBOL_MAX) {
		return LC_ERR_INVALID;
	}
	memcpy(out, row->code, n);
	if (market == LC_MARKET_US) {
		for (size_t i = 0; i < n; i++) {
			out[i] = out[i] == '_' ? '.' : out[i];
		}
		*len = n;
		return LC_OK;
	}
	if (n != (market == LC_MARKET_HK ? 5 : 6) || !lc_symbol_is_digits(row->code, n)) {
		return LC_ERR_INVALID;
	}
	memcpy(out + n, market == LC_MARKET_HK ? ".HK" : china_suffix(row->market, row->code), 3);
	*len = n + 3;
	return LC_OK;
}

size_t lc_eastmoney_secid(
	const struct lc_symbol *symbol, unsigned us_market, char out[LC_EASTMONEY_SECID_MAX])
{
	size_t bare = symbol->market == LC_MARKET_US ? symbol->len : symbol->len - 3u;
	unsigned market = us_market;
	switch ((enum lc_venue)symbol->venue) {
	case LC_VENUE_SH:
		market = MARKET_SH;
		break;
	case LC_VENUE_SZ:
	case LC_VENUE_BJ:
		market = MARKET_SZ;
		break;
	case LC_VENUE_HK:
		market = LC_EASTMONEY_HK;
		break;
	case LC_VENUE_US:
		break;
	}
	int n = snprintf(
		out, LC_EASTMONEY_SECID_MAX, "%u.%.*s", market % 1000, (int)bare, symbol->text);
	for (char *c = strchr(out, '.') + 1; *c; c++) {
		*c = *c == '.' ? '_' : *c;
	}
	return (size_t)n;
}

bool lc_eastmoney_split_code(struct lc_eastmoney_row *row)
{
	struct lc_symbol symbol;
	size_t len = strlen(row->code);
	char *dot = strchr(row->code, '.');
	if (!dot) {
		return true;
	}
	if (lc_symbol_parse(row->code, len, &symbol) == LC_OK) {
		char secid[LC_EASTMONEY_SECID_MAX];
		unsigned us = is_us(row->market) ? row->market : LC_EASTMONEY_US_FIRST;
		lc_eastmoney_secid(&symbol, us, secid);
		snprintf(row->code, sizeof(row->code), "%.*s", (int)sizeof(row->code) - 1, secid);
		dot = strchr(row->code, '.');
	}
	unsigned market = 0;
	if (dot == row->code || dot - row->code > 3 ||
		!lc_symbol_is_digits(row->code, (size_t)(dot - row->code))) {
		return false;
	}
	for (const char *c = row->code; c < dot; c++) {
		market = market * 10 + (unsigned)(*c - '0');
	}
	row->market = (uint16_t)market;
	row->known |= LC_EM_BIT(LC_EM_MARKET);
	memmove(row->code, dot + 1, strlen(dot));
	return true;
}

/* --- ticks --- */

/* China's codes with three decimals: funds, bonds, B shares. */
static bool china_fine(const struct lc_eastmoney_row *row)
{
	const char *code = row->code;
	bool market_known = row->known & LC_EM_BIT(LC_EM_MARKET);
	if (code[0] == '5' || code[0] == '1') {
		return true;
	}
	return code[0] == '9' ? code[1] == '0' && !(market_known && row->market == MARKET_SZ)
			      : code[0] == '2' && code[1] == '0';
}

int lc_eastmoney_decimals(const struct lc_eastmoney_row *row)
{
	enum lc_market market;
	if (row->known & LC_EM_BIT(LC_EM_DECIMALS)) {
		return row->decimals;
	}
	size_t n = row->known & LC_EM_BIT(LC_EM_CODE) ? strlen(row->code) : 0;
	if (row->known & LC_EM_BIT(LC_EM_MARKET) && lc_eastmoney_market(row->market, &market)) {
		return market == LC_MARKET_CN && !china_fine(row) ? 2 : 3;
	}
	if (n == 6 && lc_symbol_is_digits(row->code, n)) {
		return china_fine(row) ? 3 : 2;
	}
	return n == 0 ? 2 : 3;
}

bool lc_eastmoney_halted(const struct lc_eastmoney_row *row)
{
	return (row->known & LC_EM_BIT(LC_EM_STATE)) &&
	       (row->state == STATE_SUSPENDED || row->state == STATE_HALTED);
}

static const struct {
	uint32_t has;
	size_t offset;
} tick_fields[LC_EM_VALUES] = {
	[LC_EM_LAST] = {LC_HAS_PRICE, offsetof(struct lc_tick, price)},
	[LC_EM_HIGH] = {LC_HAS_HIGH, offsetof(struct lc_tick, high)},
	[LC_EM_LOW] = {LC_HAS_LOW, offsetof(struct lc_tick, low)},
	[LC_EM_OPEN] = {LC_HAS_OPEN, offsetof(struct lc_tick, open)},
	[LC_EM_PREV_CLOSE] = {LC_HAS_PREV_CLOSE, offsetof(struct lc_tick, prev_close)},
	[LC_EM_BID] = {LC_HAS_BID, offsetof(struct lc_tick, bid)},
	[LC_EM_ASK] = {LC_HAS_ASK, offsetof(struct lc_tick, ask)},
	[LC_EM_LIMIT_UP] = {LC_HAS_LIMIT_UP, offsetof(struct lc_tick, limit_up)},
	[LC_EM_LIMIT_DOWN] = {LC_HAS_LIMIT_DOWN, offsetof(struct lc_tick, limit_down)},
	[LC_EM_VOLUME] = {LC_HAS_VOLUME, offsetof(struct lc_tick, volume)},
	[LC_EM_AMOUNT] = {LC_HAS_AMOUNT, offsetof(struct lc_tick, amount)},
	[LC_EM_BID_VOLUME] = {LC_HAS_BID_VOLUME, offsetof(struct lc_tick, bid_volume)},
	[LC_EM_ASK_VOLUME] = {LC_HAS_ASK_VOLUME, offsetof(struct lc_tick, ask_volume)},
};

/* Volumes are in lots in China: by market, and where that is not known by the form of the code. */
static int volume_power(const struct lc_eastmoney_row *row)
{
	enum lc_market market;
	if (row->known & LC_EM_BIT(LC_EM_MARKET) && lc_eastmoney_market(row->market, &market)) {
		return market == LC_MARKET_CN ? LOT_POWER : 0;
	}
	return strlen(row->code) == 6 && lc_symbol_is_digits(row->code, 6) ? LOT_POWER : 0;
}

bool lc_eastmoney_tick(const struct lc_eastmoney_row *row, unsigned units, struct lc_tick *tick)
{
	int price_power = units & LC_EM_SCALED ? -lc_eastmoney_decimals(row) : 0;
	int lots = units & LC_EM_LOTS ? volume_power(row) : 0;
	tick->kind = LC_TICK_SNAPSHOT;
	tick->effect = LC_UPDATES_ALL;
	for (unsigned i = 0; i < LC_EM_VALUES; i++) {
		if (!(row->known & LC_EM_BIT(i))) {
			continue;
		}
		int power = i < LC_EM_PRICES ? price_power : i == LC_EM_AMOUNT ? 0 : lots;
		struct lc_decimal *at = (void *)((char *)tick + tick_fields[i].offset);
		*at = power ? lc_decimal_scale(row->value[i], power) : row->value[i];
		tick->has |= tick_fields[i].has;
	}
	if (row->known & LC_EM_BIT(LC_EM_TIME)) {
		tick->event_ns = row->time_s * INT64_C(1000000000);
		tick->has |= LC_HAS_EVENT_TIME;
	}
	return tick->has & (LC_HAS_PRICE | LC_HAS_BID | LC_HAS_ASK);
}

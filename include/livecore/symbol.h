/* Symbols in the one canonical form (000001.SZ, 600000.SH, 920047.BJ, 00700.HK, AAPL, BRK.B) and
 * the dense table that gives each an index for the life of the process. Pure; loop thread. The
 * table never forgets an index. */
#pragma once

#include "livecore/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lc_market { LC_MARKET_CN, LC_MARKET_HK, LC_MARKET_US, LC_MARKETS };
enum lc_venue { LC_VENUE_SH, LC_VENUE_SZ, LC_VENUE_BJ, LC_VENUE_HK, LC_VENUE_US };

#define LC_SYMBOL_MAX 16 /* bytes with the NUL; the longest valid one is ABCDE.ABC.ABC */
#define LC_SYMBOL_NONE UINT32_MAX

struct lc_symbol {
	char text[LC_SYMBOL_MAX];
	uint8_t len;
	uint8_t market; /* enum lc_market */
	uint8_t venue;  /* enum lc_venue */
};

const char *lc_market_name(enum lc_market market); /* "cn", "hk", "us" */

/* Checks text[0..len) by the rules of the contract (validity only: a fund, an index and a share are
 * alike). LC_ERR_INVALID. */
enum lc_err lc_symbol_parse(const char *text, size_t len, struct lc_symbol *out);
/* Digits alone, as the codes of China and Hong Kong are? */
bool lc_symbol_is_digits(const char *text, size_t len);

/* An index of Shanghai (000…) or Shenzhen (399…): its points have no shares, so volume x last is
 * not near the amount. */
bool lc_symbol_is_index(const struct lc_symbol *symbol);

struct lc_symbols;

/* At most max symbols (symbols.max). seed: random in production. */
enum lc_err lc_symbols_create(size_t max, uint64_t seed, struct lc_symbols **out);
void lc_symbols_destroy(struct lc_symbols *symbols);

/* The index of a symbol, given at its first call. Errors: LC_ERR_INVALID, LC_ERR_LIMIT (table
 * full), LC_ERR_NOMEM. */
enum lc_err lc_symbols_intern(
	struct lc_symbols *symbols, const char *text, size_t len, uint32_t *index);
/* The index of a symbol that is in the table, or LC_SYMBOL_NONE. The per-tick look-up: never
 * allocates. */
uint32_t lc_symbols_find(const struct lc_symbols *symbols, const char *text, size_t len);
/* index < lc_symbols_count(). Valid until the next intern. */
const struct lc_symbol *lc_symbols_get(const struct lc_symbols *symbols, uint32_t index);
size_t lc_symbols_count(const struct lc_symbols *symbols);

/* Does a pattern of the routing table ("*.SH", "AAPL", "6*.SH", "*") match? `*` stands for any run
 * of characters. */
bool lc_symbol_match(const char *pattern, const char *text);

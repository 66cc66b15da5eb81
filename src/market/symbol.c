#include "livecore/symbol.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct lc_symbols {
	struct lc_symbol *items; /* owned; dense, by index */
	size_t count, max;
	uint32_t *slots; /* owned; index + 1, 0 is free */
	size_t n_slots;  /* a power of two, at least twice max */
	uint64_t seed[2];
};

static size_t count_capitals(const char *text, size_t len)
{
	size_t n = 0;
	while (n < len && text[n] >= 'A' && text[n] <= 'Z') {
		n++;
	}
	return n;
}

/* Is this the suffix of a market that writes digits before it? */
static bool is_numeric_suffix(const char *suffix, size_t len)
{
	return len == 2 && (memcmp(suffix, "SH", 2) == 0 || memcmp(suffix, "SZ", 2) == 0 ||
				   memcmp(suffix, "BJ", 2) == 0 || memcmp(suffix, "HK", 2) == 0);
}

static bool parse_numeric(const char *text, size_t len, struct lc_symbol *out)
{
	static const struct {
		char suffix[4];
		uint8_t digits, market, venue;
	} forms[] = {
		{".SH", 6, LC_MARKET_CN, LC_VENUE_SH},
		{".SZ", 6, LC_MARKET_CN, LC_VENUE_SZ},
		{".BJ", 6, LC_MARKET_CN, LC_VENUE_BJ},
		{".HK", 5, LC_MARKET_HK, LC_VENUE_HK},
	};
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t digits = forms[i].digits;
		if (len == digits + 3 && memcmp(text + digits, forms[i].suffix, 3) == 0) {
			out->market = forms[i].market;
			out->venue = forms[i].venue;
			return lc_symbol_is_digits(text, digits);
		}
	}
	return false;
}

static bool is_us(const char *text, size_t len)
{
	if (len == 8 && memcmp(text, "FAKEPACA", 8) == 0) {
		return true;
	}
	size_t at = count_capitals(text, len);
	if (at < 1 || at > 5) {
		return false;
	}
	for (unsigned suffixes = 0; at < len; suffixes++) {
		if (text[at] != '.' || suffixes == 2) {
			return false;
		}
		size_t n = count_capitals(text + at + 1, len - at - 1);
		if (n < 1 || n > 3 || is_numeric_suffix(text + at + 1, n)) {
			return false;
		}
		at += 1 + n;
	}
	return true;
}

/* One multiplication of 64 x 64 to 128 bits folded over: spreads every input bit, and without the
 * seed nobody can choose colliding names. */
static uint64_t hash_words(uint64_t a, uint64_t b, const uint64_t seed[2])
{
	unsigned __int128 product = (unsigned __int128)(a ^ seed[0]) * (b ^ seed[1]);
	uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);
	return folded ^ folded >> 32;
}

/* The text padded with zeros, as two words: what is hashed and compared. */
static void load_words(const char *text, size_t len, uint64_t words[2])
{
	words[0] = words[1] = 0;
	memcpy(words, text, len);
}

/* The slot that holds the text, or the free one where it belongs. */
static size_t find_slot(const struct lc_symbols *symbols, const uint64_t words[2])
{
	size_t mask = symbols->n_slots - 1;
	size_t slot = hash_words(words[0], words[1], symbols->seed) & mask;
	while (symbols->slots[slot] != 0 &&
		memcmp(symbols->items[symbols->slots[slot] - 1].text, words, LC_SYMBOL_MAX) != 0) {
		slot = (slot + 1) & mask;
	}
	return slot;
}

const char *lc_market_name(enum lc_market market)
{
	static const char *const names[] = {"cn", "hk", "us"};
	return (size_t)market < LC_MARKETS ? names[market] : "unknown";
}

bool lc_symbol_is_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
	}
	return true;
}

enum lc_err lc_symbol_parse(const char *text, size_t len, struct lc_symbol *out)
{
	if (len == 0 || len >= LC_SYMBOL_MAX) {
		return LC_ERR_INVALID;
	}
	struct lc_symbol symbol = {
		.len = (uint8_t)len, .market = LC_MARKET_US, .venue = LC_VENUE_US};
	if (!parse_numeric(text, len, &symbol) && !is_us(text, len)) {
		return LC_ERR_INVALID;
	}
	memcpy(symbol.text, text, len);
	*out = symbol;
	return LC_OK;
}

bool lc_symbol_is_index(const struct lc_symbol *symbol)
{
	return (symbol->venue == LC_VENUE_SH && strncmp(symbol->text, "000", 3) == 0) ||
	       (symbol->venue == LC_VENUE_SZ && strncmp(symbol->text, "399", 3) == 0);
}

enum lc_err lc_symbols_create(size_t max, uint64_t seed, struct lc_symbols **out)
{
	assert(max > 0 && max < LC_SYMBOL_NONE);
	struct lc_symbols *symbols = calloc(1, sizeof *symbols);
	if (!symbols) {
		return LC_ERR_NOMEM;
	}
	symbols->max = max;
	symbols->n_slots = 2;
	while (symbols->n_slots < max * 2) {
		symbols->n_slots *= 2;
	}
	/* All of it at once: what nobody touches is not resident, and growing holds the loop. */
	symbols->items = calloc(max, sizeof *symbols->items);
	symbols->slots = calloc(symbols->n_slots, sizeof *symbols->slots);
	if (!symbols->items || !symbols->slots) {
		lc_symbols_destroy(symbols);
		return LC_ERR_NOMEM;
	}
	symbols->seed[0] = seed ^ UINT64_C(0x9e3779b97f4a7c15);
	symbols->seed[1] = seed * UINT64_C(0xbf58476d1ce4e5b9) ^ UINT64_C(0x94d049bb133111eb);
	*out = symbols;
	return LC_OK;
}

void lc_symbols_destroy(struct lc_symbols *symbols)
{
	if (!symbols) {
		return;
	}
	free(symbols->items);
	free(symbols->slots);
	free(symbols);
}

enum lc_err lc_symbols_intern(
	struct lc_symbols *symbols, const char *text, size_t len, uint32_t *index)
{
	uint32_t known = lc_symbols_find(symbols, text, len);
	if (known != LC_SYMBOL_NONE) {
		*index = known;
		return LC_OK;
	}
	struct lc_symbol symbol;
	enum lc_err rc = lc_symbol_parse(text, len, &symbol);
	if (rc == LC_OK && symbols->count >= symbols->max) {
		rc = LC_ERR_LIMIT;
	}
	if (rc != LC_OK) {
		return rc;
	}
	uint64_t words[2];
	load_words(text, len, words);
	symbols->items[symbols->count] = symbol;
	*index = (uint32_t)symbols->count++;
	symbols->slots[find_slot(symbols, words)] = *index + 1;
	return LC_OK;
}

uint32_t lc_symbols_find(const struct lc_symbols *symbols, const char *text, size_t len)
{
	if (len == 0 || len >= LC_SYMBOL_MAX) {
		return LC_SYMBOL_NONE;
	}
	uint64_t words[2];
	load_words(text, len, words);
	uint32_t slot = symbols->slots[find_slot(symbols, words)];
	/* Padding with zeros hides a NUL at the end of a hostile text. */
	return slot && symbols->items[slot - 1].len == len ? slot - 1 : LC_SYMBOL_NONE;
}

const struct lc_symbol *lc_symbols_get(const struct lc_symbols *symbols, uint32_t index)
{
	assert(index < symbols->count);
	return &symbols->items[index];
}

size_t lc_symbols_count(const struct lc_symbols *symbols)
{
	return symbols->count;
}

bool lc_symbol_match(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;
	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			/* Let the last star take one character more. */
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*') {
		pattern++;
	}
	return *pattern == '\0';
}

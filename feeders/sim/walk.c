#include "walk.h"

#include "livecore/map.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

struct sim_walk {
	uint64_t seed;
	struct lc_map *by_name;
	struct sim_symbol **symbols;
	size_t count, capacity;
};

uint64_t sim_random(uint64_t *state)
{
	/* xorshift64* */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static int64_t between(uint64_t *state, int64_t low, int64_t high)
{
	return low + (int64_t)((sim_random(state) >> 11) % (uint64_t)(high - low + 1));
}

static uint64_t hash(const char *text)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (; *text != '\0'; text++) {
		h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
	}
	return h;
}

static enum sim_market market_of(const char *text)
{
	const char *dot = strrchr(text, '.');
	if (dot != NULL && strcmp(dot, ".HK") == 0) {
		return SIM_HK;
	}
	bool cn = dot != NULL && strlen(text) == 9 &&
		  (strcmp(dot, ".SH") == 0 || strcmp(dot, ".SZ") == 0 || strcmp(dot, ".BJ") == 0);
	return cn ? SIM_CN : SIM_US;
}

/* Funds are quoted to 0.001 in Shanghai (5…) and Shenzhen (1…). */
static bool is_fund(const struct sim_symbol *symbol)
{
	const char *text = symbol->text;
	return symbol->market == SIM_CN &&
	       ((text[0] == '5' && strcmp(text + 6, ".SH") == 0) ||
		       (text[0] == '1' && strcmp(text + 6, ".SZ") == 0));
}

static const struct sim_known *find_known(enum sim_market market, const char *text)
{
	size_t count;
	const struct sim_known *rows = sim_known_table(market, &count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].text, text) == 0) {
			return &rows[i];
		}
	}
	return NULL;
}

static int default_board(const struct sim_symbol *symbol)
{
	switch (symbol->market) {
	case SIM_CN:
		return strcmp(symbol->text + 6, ".SH") == 0 ? 1 : 0;
	case SIM_HK:
		return 116;
	default:
		return 105;
	}
}

/* HKEX's spread table, in prices of 1/10,000. */
static int64_t hk_tick(int64_t price)
{
	static const struct {
		int64_t below, tick;
	} steps[] = {{2500, 10}, {5000, 50}, {200000, 100}, {500000, 200}, {1000000, 500},
		{2000000, 1000}, {5000000, 2000}, {10000000, 5000}, {20000000, 10000},
		{50000000, 20000}};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (price < steps[i].below) {
			return steps[i].tick;
		}
	}
	return 50000;
}

static void start(struct sim_symbol *symbol)
{
	const struct sim_known *known = find_known(symbol->market, symbol->text);
	uint64_t *random = &symbol->random;
	symbol->decimals = symbol->market == SIM_CN && !is_fund(symbol) ? 2 : 3;
	symbol->vendor_board = known != NULL ? known->vendor_board : default_board(symbol);
	symbol->lot = 100;
	symbol->prev_close = known != NULL ? known->prev_close * 10
					   : between(random, 30000, 3000000);
	symbol->prev_close -= symbol->prev_close % sim_symbol_tick(symbol, symbol->prev_close);
	int64_t tick = sim_symbol_tick(symbol, symbol->prev_close);
	symbol->last = symbol->prev_close + tick * between(random, -5, 5);
	symbol->last -= symbol->last % sim_symbol_tick(symbol, symbol->last);
	symbol->open = symbol->high = symbol->low = symbol->lot_last = symbol->last;
	symbol->last_size = symbol->lot * between(random, 1, 20);
	symbol->volume = symbol->lot * between(random, 1000, 50000);
	symbol->value = symbol->volume * symbol->last;
	symbol->trades = symbol->volume / symbol->lot / 7 + 1;
	sim_symbol_quote(symbol, 0);
}

static void count_in_bar(struct sim_symbol *symbol, int64_t time_ns)
{
	int64_t minute = time_ns / INT64_C(60000000000);
	struct sim_bar *bar = &symbol->bar;
	if (bar->minute != minute) {
		symbol->last_bar = *bar;
		*bar = (struct sim_bar){.minute = minute,
			.open = symbol->last,
			.high = symbol->last,
			.low = symbol->last};
	}
	bar->high = symbol->last > bar->high ? symbol->last : bar->high;
	bar->low = symbol->last < bar->low ? symbol->last : bar->low;
	bar->close = symbol->last;
	bar->volume += symbol->last_size;
	bar->value += symbol->last_size * symbol->last;
	bar->trades++;
}

static bool grow(struct sim_walk *walk)
{
	if (walk->count < walk->capacity) {
		return true;
	}
	size_t capacity = walk->capacity == 0 ? 256 : 2 * walk->capacity;
	struct sim_symbol **symbols = realloc(walk->symbols, capacity * sizeof(*symbols));
	if (symbols == NULL) {
		return false;
	}
	walk->symbols = symbols;
	walk->capacity = capacity;
	return true;
}

enum lc_err sim_walk_create(uint64_t seed, struct sim_walk **out)
{
	struct sim_walk *walk = calloc(1, sizeof(*walk));
	if (walk == NULL) {
		return LC_ERR_NOMEM;
	}
	walk->seed = seed;
	if (lc_map_create(seed, &walk->by_name) != LC_OK) {
		free(walk);
		return LC_ERR_NOMEM;
	}
	*out = walk;
	return LC_OK;
}

void sim_walk_destroy(struct sim_walk *walk)
{
	if (walk == NULL) {
		return;
	}
	lc_map_destroy(walk->by_name, free);
	free(walk->symbols);
	free(walk);
}

struct sim_symbol *sim_walk_symbol(struct sim_walk *walk, const char *text)
{
	size_t len = strlen(text);
	struct sim_symbol *symbol = lc_map_get(walk->by_name, text, len);
	if (symbol != NULL) {
		return symbol;
	}
	if (len == 0 || len >= sizeof(symbol->text) || walk->count == SIM_SYMBOLS_MAX ||
		!grow(walk)) {
		return NULL;
	}
	symbol = calloc(1, sizeof(*symbol));
	if (symbol == NULL) {
		return NULL;
	}
	memcpy(symbol->text, text, len + 1);
	symbol->market = market_of(text);
	symbol->random = hash(text) ^ (walk->seed * UINT64_C(0x9e3779b97f4a7c15));
	symbol->random |= symbol->random == 0;
	if (lc_map_put(walk->by_name, text, len, symbol) != LC_OK) {
		free(symbol);
		return NULL;
	}
	symbol->index = walk->count;
	walk->symbols[walk->count++] = symbol;
	start(symbol);
	return symbol;
}

size_t sim_walk_count(const struct sim_walk *walk)
{
	return walk->count;
}

struct sim_symbol *sim_walk_at(const struct sim_walk *walk, size_t index)
{
	return walk->symbols[index];
}

const char *sim_walk_known(enum sim_market market, size_t index)
{
	size_t count;
	const struct sim_known *rows = sim_known_table(market, &count);
	return index < count ? rows[index].text : NULL;
}

int64_t sim_symbol_tick(const struct sim_symbol *symbol, int64_t price)
{
	switch (symbol->market) {
	case SIM_CN:
		return is_fund(symbol) ? 10 : 100;
	case SIM_HK:
		return hk_tick(price);
	default:
		return price < SIM_PRICE_SCALE ? 1 : 100;
	}
}

int64_t sim_symbol_limit(const struct sim_symbol *symbol, int sign)
{
	const char *text = symbol->text;
	bool wide = strncmp(text, "68", 2) == 0 || strncmp(text, "30", 2) == 0;
	int percent = strcmp(text + 6, ".BJ") == 0 ? 30 : wide ? 20 : 10;
	int64_t exact = symbol->prev_close * (100 + sign * percent) / 100;
	int64_t tick = sim_symbol_tick(symbol, exact);
	return (exact + tick / 2) / tick * tick;
}

void sim_symbol_trade(struct sim_symbol *symbol, int64_t time_ns)
{
	int64_t tick = sim_symbol_tick(symbol, symbol->last);
	int64_t most = symbol->prev_close * 9 / 100;
	/* A pull towards the previous close grows with the distance: at 9 % it always wins. */
	int64_t pull = (symbol->last - symbol->prev_close) * 1000 / (most + 1);
	int64_t step = between(&symbol->random, -1000, 1000) > pull ? 1 : -1;
	int64_t next = symbol->last + step * tick * between(&symbol->random, 0, 2);
	next -= next % sim_symbol_tick(symbol, next);
	if (next > 0 && llabs(next - symbol->prev_close) <= most) {
		symbol->last = next;
	}
	bool odd = symbol->market == SIM_US && between(&symbol->random, 0, 3) == 0;
	symbol->last_size = odd ? between(&symbol->random, 1, 99)
				: symbol->lot * between(&symbol->random, 1, 9);
	symbol->volume += symbol->last_size;
	symbol->value += symbol->last_size * symbol->last;
	symbol->trades++;
	symbol->lot_last = odd ? symbol->lot_last : symbol->last;
	symbol->trade_ns = time_ns;
	symbol->high = symbol->last > symbol->high ? symbol->last : symbol->high;
	symbol->low = symbol->last < symbol->low ? symbol->last : symbol->low;
	count_in_bar(symbol, time_ns);
	sim_symbol_quote(symbol, time_ns);
}

void sim_symbol_quote(struct sim_symbol *symbol, int64_t time_ns)
{
	int64_t tick = sim_symbol_tick(symbol, symbol->last);
	int64_t best = symbol->last - tick * between(&symbol->random, 0, 1);
	for (int i = 0; i < 5; i++) {
		int64_t bid = best - tick * i;
		symbol->bid[i] = bid > 0 ? bid : 0;
		symbol->ask[i] = best + tick * (i + 1);
		symbol->bid_size[i] = bid > 0 ? symbol->lot * between(&symbol->random, 1, 300) : 0;
		symbol->ask_size[i] = symbol->lot * between(&symbol->random, 1, 300);
	}
	symbol->time_ns = time_ns;
}

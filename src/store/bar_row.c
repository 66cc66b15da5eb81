#include "store/bar_row.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FORM 1 /* of the bytes; another number is another form */
#define DECIMALS 10

/* The decimals of a bar in the order of the bytes. */
static void decimals_of(const struct lc_bar *bar, struct lc_decimal out[DECIMALS])
{
	const struct lc_decimal all[DECIMALS] = {bar->open, bar->high, bar->low, bar->close,
		bar->volume, bar->amount, bar->turnover, bar->change, bar->change_pct,
		bar->gap_volume};
	memcpy(out, all, sizeof all);
}

static void put(uint8_t **at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++) {
		*(*at)++ = (uint8_t)(value >> (8 * i));
	}
}

static uint64_t get(const uint8_t **at, int bytes)
{
	uint64_t value = 0;
	for (int i = 0; i < bytes; i++) {
		value |= (uint64_t) * (*at)++ << (8 * i);
	}
	return value;
}

void bar_row_encode(const struct lc_bar_row *row, uint8_t out[BAR_ROW_BYTES])
{
	const struct lc_bar *bar = &row->bar;
	struct lc_decimal decimals[DECIMALS];
	uint8_t *at = out;
	put(&at, FORM, 1);
	memset(at, 0, LC_SYMBOL_MAX);
	memcpy(at, row->symbol, strnlen(row->symbol, LC_SYMBOL_MAX - 1));
	at += LC_SYMBOL_MAX;
	put(&at, bar->period, 1);
	put(&at, bar->has, 1);
	put(&at, (uint64_t)bar->final | (uint64_t)bar->complete << 1, 1);
	put(&at, bar->revision, 4);
	put(&at, bar->tick_count, 4);
	put(&at, (uint64_t)bar->start_ns, 8);
	put(&at, (uint64_t)bar->end_ns, 8);
	decimals_of(bar, decimals);
	for (int i = 0; i < DECIMALS; i++) {
		put(&at, (uint64_t)decimals[i].mantissa, 8);
		put(&at, (uint8_t)decimals[i].exponent, 1);
	}
	/* Room for what a later form may add. */
	put(&at, 0, 4);
	assert(at == out + BAR_ROW_BYTES);
}

enum lc_err bar_row_decode(const uint8_t in[BAR_ROW_BYTES], struct lc_bar_row *out)
{
	struct lc_bar *bar = &out->bar;
	const uint8_t *at = in;
	*out = (struct lc_bar_row){.bar.symbol = LC_SYMBOL_NONE};
	if (get(&at, 1) != FORM || at[LC_SYMBOL_MAX - 1] != 0) {
		return LC_ERR_INVALID;
	}
	memcpy(out->symbol, at, LC_SYMBOL_MAX);
	at += LC_SYMBOL_MAX;
	bar->period = (uint8_t)get(&at, 1);
	bar->has = (uint8_t)get(&at, 1);
	uint64_t flags = get(&at, 1);
	bar->final = flags & 1;
	bar->complete = flags >> 1 & 1;
	bar->revision = (uint32_t)get(&at, 4);
	bar->tick_count = (uint32_t)get(&at, 4);
	bar->start_ns = (int64_t)get(&at, 8);
	bar->end_ns = (int64_t)get(&at, 8);
	struct lc_decimal *const decimals[DECIMALS] = {&bar->open, &bar->high, &bar->low,
		&bar->close, &bar->volume, &bar->amount, &bar->turnover, &bar->change,
		&bar->change_pct, &bar->gap_volume};
	for (int i = 0; i < DECIMALS; i++) {
		decimals[i]->mantissa = (int64_t)get(&at, 8);
		int exponent = (int)get(&at, 1);
		decimals[i]->exponent = exponent < 128 ? exponent : exponent - 256;
	}
	return bar_row_check(out);
}

enum lc_err bar_scaled(struct lc_decimal value, int scale, int digits, __int128 *out)
{
	__int128 scaled = value.mantissa, limit = 1;
	int power = scaled == 0 ? 0 : value.exponent + scale;
	for (int i = 0; i < digits; i++) {
		limit *= 10;
	}
	for (; power > 0; power--) {
		scaled *= 10;
		if (scaled >= limit || scaled <= -limit) {
			return LC_ERR_RANGE;
		}
	}
	if (power < 0) {
		__int128 divisor = 1;
		for (; power < 0 && divisor <= (__int128)INT64_MAX * 10; power++) {
			divisor *= 10;
		}
		__int128 quotient = scaled / divisor, rest = scaled % divisor;
		__int128 twice = 2 * (rest < 0 ? -rest : rest);
		if (twice > divisor || (twice == divisor && quotient % 2 != 0)) {
			quotient += scaled < 0 ? -1 : 1;
		}
		scaled = quotient;
	}
	if (scaled >= limit || scaled <= -limit) {
		return LC_ERR_RANGE;
	}
	*out = scaled;
	return LC_OK;
}

enum lc_err bar_unscaled(__int128 value, int scale, struct lc_decimal *out)
{
	while (scale > 0 && value % 10 == 0) {
		value /= 10;
		scale--;
	}
	if (value > INT64_MAX || value < -INT64_MAX) {
		return LC_ERR_RANGE;
	}
	*out = (struct lc_decimal){(int64_t)value, -scale};
	return LC_OK;
}

/* Less than 10^power, as a column of scale 8 holds it. */
static bool below(struct lc_decimal value, int power)
{
	__int128 scaled;
	return bar_scaled(value, BAR_SCALE, power + BAR_SCALE, &scaled) == LC_OK;
}

enum lc_err bar_row_check(const struct lc_bar_row *row)
{
	const struct lc_bar *bar = &row->bar;
	if (bar->period >= LC_PERIODS || row->symbol[0] == '\0') {
		return LC_ERR_INVALID;
	}
	bool prices = below(bar->open, 10) && below(bar->high, 10) && below(bar->low, 10) &&
		      below(bar->close, 10) && below(bar->change, 10) &&
		      below(bar->change_pct, 10) && below(bar->turnover, 10);
	bool sums = below(bar->volume, 20) && below(bar->amount, 20) && below(bar->gap_volume, 20);
	return prices && sums ? LC_OK : LC_ERR_RANGE;
}

uint64_t bar_row_rank(const struct lc_bar *bar)
{
	return (uint64_t)bar->revision << 1 | (bar->final ? 1 : 0);
}

static int compare_rows(const void *a, const void *b)
{
	const struct lc_bar_row *left = a, *right = b;
	int order = strcmp(left->symbol, right->symbol);
	if (order != 0) {
		return order;
	}
	return (left->bar.start_ns > right->bar.start_ns) -
	       (left->bar.start_ns < right->bar.start_ns);
}

void bar_rows_sort(struct lc_bar_rows *rows)
{
	if (rows->count > 1) {
		qsort(rows->items, rows->count, sizeof *rows->items, compare_rows);
	}
}

struct lc_bar_row *bar_rows_add(struct lc_bar_rows *rows, size_t *capacity)
{
	if (rows->count == *capacity) {
		size_t wanted = *capacity ? *capacity * 2 : 64;
		struct lc_bar_row *items = realloc(rows->items, wanted * sizeof *items);
		if (!items) {
			return NULL;
		}
		rows->items = items;
		*capacity = wanted;
	}
	return &rows->items[rows->count++];
}

void lc_bar_rows_free(struct lc_bar_rows *rows)
{
	if (rows) {
		free(rows->items);
		free(rows);
	}
}

/* A stored bar as plain data: its checks, its order, its fixed form of bytes. Pure; any thread. */
#pragma once

#include "livecore/bar_store.h"

/* Bytes of a row in the spool: little endian, the same on every machine. */
#define BAR_ROW_BYTES 138

void bar_row_encode(const struct lc_bar_row *row, uint8_t out[BAR_ROW_BYTES]);
/* LC_ERR_INVALID: bytes that are no row. */
enum lc_err bar_row_decode(const uint8_t in[BAR_ROW_BYTES], struct lc_bar_row *out);

/* Digits after the point in columns that are integers at a scale. */
#define BAR_SCALE 8

/* value x 10^scale, rounded half to even. LC_ERR_RANGE: |result| >= 10^digits. */
enum lc_err bar_scaled(struct lc_decimal value, int scale, int digits, __int128 *out);
/* The decimal of a mantissa at a scale, without trailing zeros. LC_ERR_RANGE: more than 18
 * significant digits. */
enum lc_err bar_unscaled(__int128 value, int scale, struct lc_decimal *out);

/* Every price below 10^10, every volume and amount below 10^20, a known period, a symbol. */
enum lc_err bar_row_check(const struct lc_bar_row *row);
/* Which of two rows of one key is kept: the higher. */
uint64_t bar_row_rank(const struct lc_bar *bar);
/* Puts rows in order of symbol, then time. */
void bar_rows_sort(struct lc_bar_rows *rows);
/* Room for one more row in an array of *capacity; NULL when memory runs out (the array stays). */
struct lc_bar_row *bar_rows_add(struct lc_bar_rows *rows, size_t *capacity);

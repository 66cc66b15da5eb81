/* Exact decimal numbers: value = mantissa x 10^exponent. Prices, sizes and amounts stay decimal
 * from the vendor's text to ours; nothing here passes through binary floating point, except the
 * two conversions that say so. Pure, any thread, never allocates. */
#pragma once

#include "livecore/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LC_DECIMAL_TEXT_MAX 48 /* the longest canonical text, with its NUL */

struct lc_decimal {
	int64_t mantissa;
	int32_t exponent; /* -30 … 30 after parsing and arithmetic */
};

/* Reads a JSON number (sign, digits, fraction, exponent) that fills text[0..len) entirely. What
 * is beyond 18 significant digits or below 10^-30 is rounded half to even, once. Errors:
 * LC_ERR_INVALID (anything that is not a JSON number, "" and "1.5" in quotes among it),
 * LC_ERR_RANGE (beyond 10^30 or below 10^-30). */
enum lc_err lc_decimal_parse(const char *text, size_t len, struct lc_decimal *out);

/* Writes the canonical form (no exponent, no trailing zeros after the point, no -0) without a NUL;
 * at most LC_DECIMAL_TEXT_MAX - 1 bytes. Returns the length. */
size_t lc_decimal_format(struct lc_decimal value, char *out);

/* The shortest decimal that reads back as the same double (float for _f32). LC_ERR_INVALID for
 * NaN and infinities, LC_ERR_RANGE as in parsing. */
enum lc_err lc_decimal_from_double(double value, struct lc_decimal *out);
enum lc_err lc_decimal_from_float(float value, struct lc_decimal *out);

/* The nearest double: for ratios and displays only, never for what is published. */
double lc_decimal_to_double(struct lc_decimal value);

struct lc_decimal lc_decimal_from_int(int64_t value);

/* value x 10^power: moves the point, exactly while the result stays within 10^-30 … 10^30
 * (beyond it saturates, below it rounds). For vendors' scaled integers and lots. */
struct lc_decimal lc_decimal_scale(struct lc_decimal value, int power);

/* Three-way comparison by value: 1.50 equals 1.5. Exact for every input. */
int lc_decimal_compare(struct lc_decimal a, struct lc_decimal b);
bool lc_decimal_is_zero(struct lc_decimal value);

/* Sum, difference and product; rounded half to even at 18 significant digits, saturating at the
 * largest magnitude, 10^30. */
struct lc_decimal lc_decimal_add(struct lc_decimal a, struct lc_decimal b);
struct lc_decimal lc_decimal_sub(struct lc_decimal a, struct lc_decimal b);
struct lc_decimal lc_decimal_mul(struct lc_decimal a, struct lc_decimal b);

#include "livecore/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 18    /* significant digits that parsing and arithmetic keep */
#define EXPONENT_MAX 30  /* both ways */
#define SAFE_EXPONENT 11 /* any int64 times 10^11 stays below 10^30 */

/* What a scan of a number's text found. */
struct scan {
	const char *digits; /* from here on, digits and at most one point */
	const char *digits_end;
	bool negative;
	uint64_t mantissa;   /* right only when digit_count <= DIGITS_MAX */
	int64_t digit_count; /* significant ones: without leading zeros */
	int64_t exponent;    /* of the last digit */
};

static const uint64_t powers[20] = {
	1u,
	10u,
	100u,
	1000u,
	10000u,
	100000u,
	1000000u,
	10000000u,
	100000000u,
	1000000000u,
	10000000000u,
	100000000000u,
	1000000000000u,
	10000000000000u,
	100000000000000u,
	1000000000000000u,
	10000000000000000u,
	100000000000000000u,
	1000000000000000000u,
	10000000000000000000u,
};

static bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

static int digit_count64(uint64_t value)
{
	int n = 1;
	while (n < 20 && value >= powers[n]) {
		n++;
	}
	return n;
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static unsigned __int128 power128(int n)
{
	return n <= 19 ? powers[n] : (unsigned __int128)powers[19] * powers[n - 19];
}

static int digit_count128(unsigned __int128 value)
{
	if (value <= UINT64_MAX) {
		return digit_count64((uint64_t)value);
	}
	int n = 20;
	while (n < 39 && value >= power128(n)) {
		n++;
	}
	return n;
}

static struct lc_decimal make(bool negative, uint64_t mantissa, int64_t exponent)
{
	return (struct lc_decimal){
		.mantissa = negative ? -(int64_t)mantissa : (int64_t)mantissa,
		.exponent = mantissa ? (int32_t)exponent : 0,
	};
}

/* Takes any mantissa below 10^38 into the range of parsed numbers: one rounding, half to even, at
 * the eighteenth digit or at 10^-30, whichever comes first; 10^30 is the largest magnitude. */
static struct lc_decimal fit(bool negative, unsigned __int128 m, int64_t exponent)
{
	int digits = digit_count128(m);
	int64_t drop = digits > DIGITS_MAX ? digits - DIGITS_MAX : 0;
	if (m && drop < -EXPONENT_MAX - exponent) {
		drop = -EXPONENT_MAX - exponent;
	}
	if (m == 0 || drop > digits) {
		return make(false, 0, 0);
	}
	if (drop > 0) {
		unsigned __int128 unit = power128((int)drop);
		unsigned __int128 rest = m % unit;
		m /= unit;
		exponent += drop;
		if (rest > unit / 2 || (rest == unit / 2 && (m & 1))) {
			m++;
		}
		digits = digit_count128(m);
	}
	if (digits + exponent > EXPONENT_MAX + 1 ||
		(digits + exponent == EXPONENT_MAX + 1 && m != power128(digits - 1))) {
		return make(negative, 1, EXPONENT_MAX);
	}
	if (exponent > EXPONENT_MAX) { /* cannot be: m >= 1 and m x 10^exponent <= 10^30 */
		exponent = EXPONENT_MAX;
	}
	return make(negative, (uint64_t)m, exponent);
}

static struct lc_decimal fit_value(struct lc_decimal value, int64_t exponent)
{
	return fit(value.mantissa < 0, magnitude(value.mantissa), exponent);
}

/* The exponent part; p is after the 'e'. Capped, as its value only has to be known to be absurd. */
static const char *scan_exponent(const char *p, const char *end, int64_t *exponent)
{
	bool negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+')) {
		p++;
	}
	if (p == end || !is_digit(*p)) {
		return NULL;
	}
	int64_t value = 0;
	for (; p < end && is_digit(*p); p++) {
		if (value < INT64_C(1000000000000000)) {
			value = value * 10 + (*p - '0');
		}
	}
	*exponent += negative ? -value : value;
	return p;
}

/* Leading zeros do not count as digits, so that 0.000…1 keeps all of its precision. */
static const char *scan_digits(const char *p, const char *end, struct scan *scan)
{
	uint64_t m = scan->mantissa;
	int64_t count = scan->digit_count;
	for (; p < end && is_digit(*p); p++) {
		m = m * 10 + (uint64_t)(*p - '0'); /* wraps only after DIGITS_MAX digits */
		count += count || *p != '0';
	}
	scan->mantissa = m;
	scan->digit_count = count;
	return p;
}

static bool scan_number(const char *text, size_t len, struct scan *scan)
{
	const char *p = text;
	const char *end = text + len;
	*scan = (struct scan){.negative = len && *p == '-'};
	p += scan->negative;
	if (p == end || !is_digit(*p)) {
		return false;
	}
	scan->digits = p;
	if (*p == '0') {
		p++;
		if (p < end && is_digit(*p)) {
			return false;
		}
	} else {
		p = scan_digits(p, end, scan);
	}
	if (p < end && *p == '.') {
		const char *fraction = ++p;
		p = scan_digits(p, end, scan);
		if (p == fraction) {
			return false;
		}
		scan->exponent = fraction - p;
	}
	scan->digits_end = p;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p = scan_exponent(p + 1, end, &scan->exponent);
	}
	return p == end;
}

/* Reads again what does not fit: the first `keep` significant digits, rounded by the rest. */
static uint64_t round_digits(const struct scan *scan, int64_t keep)
{
	uint64_t m = 0;
	int64_t seen = 0;
	char next = '0';
	bool sticky = false;
	for (const char *p = scan->digits; p < scan->digits_end; p++) {
		if (*p == '.' || (seen == 0 && *p == '0')) {
			continue;
		}
		if (seen < keep) {
			m = m * 10 + (uint64_t)(*p - '0');
		} else if (seen == keep) {
			next = *p;
		} else {
			sticky |= *p != '0';
		}
		seen++;
	}
	bool up = next > '5' || (next == '5' && (sticky || (m & 1)));
	return m + up;
}

/* The rare numbers: many digits, or far from 1. */
static enum lc_err finish_scan(const struct scan *scan, struct lc_decimal *out)
{
	int64_t top = scan->digit_count + scan->exponent; /* value < 10^top */
	int64_t keep = top + EXPONENT_MAX;                /* digits at or above 10^-30 */
	if (top > EXPONENT_MAX + 1 || keep < 1) {
		return LC_ERR_RANGE;
	}
	if (keep > DIGITS_MAX) {
		keep = DIGITS_MAX;
	}
	uint64_t m = scan->mantissa;
	int64_t exponent = scan->exponent;
	if (keep < scan->digit_count) {
		m = round_digits(scan, keep);
		exponent += scan->digit_count - keep;
	}
	int digits = digit_count64(m);
	if (digits + exponent > EXPONENT_MAX &&
		(m != powers[digits - 1] || digits + exponent > EXPONENT_MAX + 1)) {
		return LC_ERR_RANGE;
	}
	*out = make(scan->negative, m, exponent);
	return LC_OK;
}

enum lc_err lc_decimal_parse(const char *text, size_t len, struct lc_decimal *out)
{
	struct scan scan;
	if (!scan_number(text, len, &scan)) {
		return LC_ERR_INVALID;
	}
	if (scan.digit_count == 0) {
		*out = make(false, 0, 0);
		return LC_OK;
	}
	if (scan.digit_count <= DIGITS_MAX && scan.exponent >= -EXPONENT_MAX &&
		scan.exponent <= SAFE_EXPONENT) {
		*out = make(scan.negative, scan.mantissa, scan.exponent);
		return LC_OK;
	}
	return finish_scan(&scan, out);
}

static char *write_zeros(char *p, int n)
{
	memset(p, '0', (size_t)n);
	return p + n;
}

/* The point goes into the digits, or zeros go before or after them. */
static size_t place_point(const char *digits, int count, int exponent, char *out)
{
	char *p = out;
	if (exponent >= 0) {
		memcpy(p, digits, (size_t)count);
		return (size_t)(write_zeros(p + count, exponent) - out);
	}
	int whole = count + exponent;
	if (whole > 0) {
		memcpy(p, digits, (size_t)whole);
		p += whole;
		digits += whole;
		count -= whole;
		*p++ = '.';
	} else {
		*p++ = '0';
		*p++ = '.';
		p = write_zeros(p, -whole);
	}
	memcpy(p, digits, (size_t)count);
	p += count;
	while (p[-1] == '0') {
		p--;
	}
	return (size_t)(p - (p[-1] == '.') - out);
}

size_t lc_decimal_format(struct lc_decimal value, char *out)
{
	if (value.mantissa == 0) {
		*out = '0';
		return 1;
	}
	if (value.exponent < -EXPONENT_MAX || value.exponent > SAFE_EXPONENT) {
		value = fit_value(value, value.exponent);
		if (value.mantissa == 0) {
			*out = '0';
			return 1;
		}
	}
	char digits[20];
	char *p = digits + sizeof digits;
	uint64_t m = magnitude(value.mantissa);
	while (m >= 10) {
		*--p = (char)('0' + m % 10);
		m /= 10;
	}
	*--p = (char)('0' + m);
	bool negative = value.mantissa < 0;
	*out = '-';
	return negative +
	       place_point(p, (int)(digits + sizeof digits - p), value.exponent, out + negative);
}

/* A decimal of at most 15 digits is the only one of that length near its double, so the first hit
 * is the shortest form. Prices as vendors send them end here. */
static bool from_short_double(double value, struct lc_decimal *out)
{
	static const double scales[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
	for (int n = 0; n < 7; n++) {
		double k = nearbyint(value * scales[n]);
		if (!(fabs(k) < 1e15)) {
			return false;
		}
		if (k / scales[n] == value) {
			*out = (struct lc_decimal){
				.mantissa = (int64_t)k, .exponent = k == 0 ? 0 : -n};
			return true;
		}
	}
	return false;
}

enum lc_err lc_decimal_from_double(double value, struct lc_decimal *out)
{
	if (!isfinite(value)) {
		return LC_ERR_INVALID;
	}
	if (from_short_double(value, out)) {
		return LC_OK;
	}
	char text[40];
	int len = 0;
	for (int precision = 15; precision <= 17; precision++) {
		len = snprintf(text, sizeof text, "%.*g", precision, value);
		if (strtod(text, NULL) == value) {
			break;
		}
	}
	return lc_decimal_parse(text, (size_t)len, out);
}

/* As above with the 6 digits that a float always keeps. */
static bool from_short_float(float value, struct lc_decimal *out)
{
	static const float scales[] = {1, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f};
	for (int n = 0; n < 7; n++) {
		float k = nearbyintf(value * scales[n]);
		if (!(fabsf(k) < 1e6f)) {
			return false;
		}
		if (k / scales[n] == value) {
			*out = (struct lc_decimal){
				.mantissa = (int64_t)k, .exponent = k == 0 ? 0 : -n};
			return true;
		}
	}
	return false;
}

enum lc_err lc_decimal_from_float(float value, struct lc_decimal *out)
{
	if (!isfinite(value)) {
		return LC_ERR_INVALID;
	}
	if (from_short_float(value, out)) {
		return LC_OK;
	}
	char text[40];
	int len = 0;
	for (int precision = 6; precision <= 9; precision++) {
		len = snprintf(text, sizeof text, "%.*g", precision, (double)value);
		if (strtof(text, NULL) == value) {
			break;
		}
	}
	return lc_decimal_parse(text, (size_t)len, out);
}

double lc_decimal_to_double(struct lc_decimal value)
{
	/* Both operands are exact doubles here, so the one operation rounds correctly. */
	if (magnitude(value.mantissa) < UINT64_C(1) << 53 && value.exponent >= -19 &&
		value.exponent <= 19) {
		double power = (double)powers[abs(value.exponent)];
		double mantissa = (double)value.mantissa;
		return value.exponent < 0 ? mantissa / power : mantissa * power;
	}
	char text[48];
	snprintf(text, sizeof text, "%llde%d", (long long)value.mantissa, (int)value.exponent);
	return strtod(text, NULL);
}

struct lc_decimal lc_decimal_from_int(int64_t value)
{
	return (struct lc_decimal){.mantissa = value};
}

struct lc_decimal lc_decimal_scale(struct lc_decimal value, int power)
{
	int64_t exponent = (int64_t)value.exponent + power;
	if (value.mantissa == 0) {
		return make(false, 0, 0);
	}
	if (exponent >= -EXPONENT_MAX && exponent <= SAFE_EXPONENT) {
		return (struct lc_decimal){
			.mantissa = value.mantissa, .exponent = (int32_t)exponent};
	}
	return fit_value(value, exponent);
}

static int compare_magnitude(struct lc_decimal a, struct lc_decimal b)
{
	uint64_t am = magnitude(a.mantissa);
	uint64_t bm = magnitude(b.mantissa);
	int64_t a_top = (int64_t)digit_count64(am) + a.exponent;
	int64_t b_top = (int64_t)digit_count64(bm) + b.exponent;
	if (a_top != b_top) {
		return a_top < b_top ? -1 : 1;
	}
	/* Equal tops: the exponents differ by less than 19, and 10^19 x 10^18 fits in 127 bits. */
	int64_t shift = (int64_t)a.exponent - b.exponent;
	unsigned __int128 left = (unsigned __int128)am * powers[shift > 0 ? shift : 0];
	unsigned __int128 right = (unsigned __int128)bm * powers[shift < 0 ? -shift : 0];
	return (left > right) - (left < right);
}

int lc_decimal_compare(struct lc_decimal a, struct lc_decimal b)
{
	if (a.exponent == b.exponent) {
		return (a.mantissa > b.mantissa) - (a.mantissa < b.mantissa);
	}
	int a_sign = (a.mantissa > 0) - (a.mantissa < 0);
	int b_sign = (b.mantissa > 0) - (b.mantissa < 0);
	if (a_sign != b_sign) {
		return a_sign < b_sign ? -1 : 1;
	}
	return a_sign == 0 ? 0 : a_sign * compare_magnitude(a, b);
}

bool lc_decimal_is_zero(struct lc_decimal value)
{
	return value.mantissa == 0;
}

struct lc_decimal lc_decimal_add(struct lc_decimal a, struct lc_decimal b)
{
	if (a.mantissa == 0 || b.mantissa == 0) {
		struct lc_decimal other = a.mantissa ? a : b;
		return fit_value(other, other.exponent);
	}
	struct lc_decimal hi = a.exponent >= b.exponent ? a : b;
	struct lc_decimal lo = a.exponent >= b.exponent ? b : a;
	int64_t diff = (int64_t)hi.exponent - lo.exponent;
	/* hi takes as many zeros as 37 digits allow; what is left of diff cuts digits off lo. */
	int64_t shift = 37 - digit_count64(magnitude(hi.mantissa));
	shift = diff < shift ? diff : shift;
	int64_t cut = diff - shift;
	__int128 sum = (__int128)hi.mantissa * (__int128)power128((int)shift);
	int64_t unit = cut <= DIGITS_MAX ? (int64_t)powers[cut] : 0;
	sum += unit ? lo.mantissa / unit : 0;
	bool inexact = unit ? lo.mantissa % unit != 0 : true;
	if (inexact && sum % 5 == 0) { /* not to be mistaken for an exact half */
		sum += lo.mantissa < 0 ? -1 : 1;
	}
	unsigned __int128 m = sum < 0 ? 0 - (unsigned __int128)sum : (unsigned __int128)sum;
	return fit(sum < 0, m, hi.exponent - shift);
}

struct lc_decimal lc_decimal_sub(struct lc_decimal a, struct lc_decimal b)
{
	if (b.mantissa == INT64_MIN) {
		/* Its negative is no int64; one digit less is within the rounding. */
		b = fit_value(b, b.exponent);
	}
	b.mantissa = -b.mantissa;
	return lc_decimal_add(a, b);
}

struct lc_decimal lc_decimal_mul(struct lc_decimal a, struct lc_decimal b)
{
	unsigned __int128 m = (unsigned __int128)magnitude(a.mantissa) * magnitude(b.mantissa);
	return fit((a.mantissa < 0) != (b.mantissa < 0), m, (int64_t)a.exponent + b.exponent);
}

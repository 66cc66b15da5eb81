#include "livecore/decimal.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct lc_decimal parse(const char *text)
{
	struct lc_decimal value = {0};
	cr_assert_eq(lc_decimal_parse(text, strlen(text), &value), LC_OK, "'%s'", text);
	return value;
}

static const char *format(struct lc_decimal value, char out[LC_DECIMAL_TEXT_MAX])
{
	size_t len = lc_decimal_format(value, out);
	cr_assert_lt(len, LC_DECIMAL_TEXT_MAX);
	out[len] = '\0';
	return out;
}

static void assert_text(struct lc_decimal value, const char *expected)
{
	char text[LC_DECIMAL_TEXT_MAX];
	cr_assert_str_eq(format(value, text), expected, "'%s', not '%s'", text, expected);
}

/* Any mantissa of up to 18 digits, any exponent that keeps it in range. */
static struct lc_decimal random_decimal(uint64_t *state)
{
	int64_t limit = 1;
	for (uint64_t n = xorshift(state) % 19; n > 0; n--) {
		limit *= 10;
	}
	int64_t mantissa = (int64_t)(xorshift(state) % (uint64_t)limit);
	return (struct lc_decimal){
		.mantissa = xorshift(state) & 1 ? -mantissa : mantissa,
		.exponent = (int32_t)(xorshift(state) % 42) - 30,
	};
}

Test(decimal, canonical_text)
{
	static const char *const pairs[][2] = {
		{"0", "0"},
		{"-0", "0"},
		{"-0.000", "0"},
		{"0e99999999999999999999", "0"},
		{"10.50", "10.5"},
		{"105.0", "105"},
		{"-1.20", "-1.2"},
		{"1e3", "1000"},
		{"1E+3", "1000"},
		{"12.5e-1", "1.25"},
		{"1.5e1", "15"},
		{"0.0001", "0.0001"},
		{"100", "100"},
		{"1e30", "1000000000000000000000000000000"},
		{"-1e-30", "-0.000000000000000000000000000001"},
		{"123456789012345678", "123456789012345678"},
		{"0.123456789012345678", "0.123456789012345678"},
		/* the nineteenth digit: down, half to even twice, just above half */
		{"1234567890123456784", "1234567890123456780"},
		{"1234567890123456785", "1234567890123456780"},
		{"1234567890123456775", "1234567890123456780"},
		{"12345678901234567850000001", "12345678901234567900000000"},
		{"999999999999999999.9", "1000000000000000000"},
		{"2.5e-30", "0.000000000000000000000000000002"},
		{"100000000000000000000000.00", "100000000000000000000000"},
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		assert_text(parse(pairs[i][0]), pairs[i][1]);
	}
}

Test(decimal, only_json_numbers)
{
	static const char *const wrong[] = {"", "-", "+1", "01", "-01", "00", ".5", "-.5", "1.",
		"1.e1", "1e", "1e+", "1e1.5", "\"1.5\"", " 1", "1 ", "1\n", "tru", "true", "null",
		"NaN", "Infinity", "0x10", "1,5", "1_000", "--1", "1.2.3", "1e2e3", "１"};
	struct lc_decimal value = {.mantissa = 42};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		enum lc_err err = lc_decimal_parse(wrong[i], strlen(wrong[i]), &value);
		cr_assert_eq(err, LC_ERR_INVALID, "'%s'", wrong[i]);
	}
	cr_assert_eq(lc_decimal_parse("1\0", 2, &value), LC_ERR_INVALID);
	cr_assert_eq(value.mantissa, 42, "left alone");
}

Test(decimal, range)
{
	static const char *const wrong[] = {"1e31", "1.000001e30", "-1e31", "9e-31", "1e-31",
		"1e999999999999999999999", "1e-999999999999999999999",
		"999999999999999999999999999999.9"};
	struct lc_decimal value;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		enum lc_err err = lc_decimal_parse(wrong[i], strlen(wrong[i]), &value);
		if (i < 7) {
			cr_assert_eq(err, LC_ERR_RANGE, "'%s'", wrong[i]);
		} else { /* rounds to the largest, which is in range */
			cr_assert_eq(err, LC_OK);
			assert_text(value, "1000000000000000000000000000000");
		}
	}
}

Test(decimal, only_len_bytes_are_read)
{
	struct lc_decimal value;
	cr_assert_eq(lc_decimal_parse("12.345,\"x\"", 6, &value), LC_OK);
	assert_text(value, "12.345");
	cr_assert_eq(lc_decimal_parse("12.345", 3, &value), LC_ERR_INVALID);
}

Test(decimal, text_reads_back)
{
	uint64_t state = 7;
	for (int i = 0; i < 20000; i++) {
		struct lc_decimal value = random_decimal(&state);
		char text[LC_DECIMAL_TEXT_MAX];
		char again[LC_DECIMAL_TEXT_MAX];
		struct lc_decimal back = parse(format(value, text));
		cr_assert_eq(lc_decimal_compare(value, back), 0, "%s", text);
		cr_assert_str_eq(format(back, again), text);
		cr_assert(!strchr(text, '.') || text[strlen(text) - 1] != '0', "%s", text);
	}
}

/* The order of decimals is that of doubles wherever doubles are far enough apart to tell. */
Test(decimal, compare_is_an_order)
{
	uint64_t state = 11;
	for (int i = 0; i < 20000; i++) {
		struct lc_decimal a = random_decimal(&state);
		struct lc_decimal b = random_decimal(&state);
		struct lc_decimal c = random_decimal(&state);
		int ab = lc_decimal_compare(a, b);
		int bc = lc_decimal_compare(b, c);
		cr_assert_eq(ab, -lc_decimal_compare(b, a));
		cr_assert_eq(lc_decimal_compare(a, a), 0);
		cr_assert(!(ab <= 0 && bc <= 0) || lc_decimal_compare(a, c) <= 0);
		double x = lc_decimal_to_double(a);
		double y = lc_decimal_to_double(b);
		if (fabs(x - y) > 1e-9 * fmax(fabs(x), fabs(y))) {
			cr_assert_eq(ab, x < y ? -1 : 1);
		}
	}
	cr_assert_eq(lc_decimal_compare(parse("1.50"), parse("1.5")), 0);
	cr_assert_eq(lc_decimal_compare(parse("1e30"), parse("999999999999999999")), 1);
	cr_assert_eq(lc_decimal_compare(parse("0.1"), parse("0.10000000000000001")), -1);
	struct lc_decimal extreme = {.mantissa = INT64_MIN, .exponent = INT32_MAX};
	struct lc_decimal least = {.mantissa = INT64_MIN, .exponent = INT32_MIN};
	cr_assert_eq(lc_decimal_compare(extreme, least), -1);
}

Test(decimal, sums_come_back)
{
	uint64_t state = 13;
	for (int i = 0; i < 20000; i++) {
		/* 8 digits and exponents near each other: nothing is rounded. */
		struct lc_decimal a = {(int64_t)(xorshift(&state) % 200000000) - 100000000,
			-(int32_t)(xorshift(&state) % 9)};
		struct lc_decimal b = {(int64_t)(xorshift(&state) % 200000000) - 100000000,
			-(int32_t)(xorshift(&state) % 9)};
		struct lc_decimal sum = lc_decimal_add(a, b);
		cr_assert_eq(lc_decimal_compare(lc_decimal_sub(sum, b), a), 0);
		cr_assert_eq(lc_decimal_compare(sum, lc_decimal_add(b, a)), 0);
		struct lc_decimal twice = lc_decimal_mul(a, lc_decimal_from_int(2));
		cr_assert_eq(lc_decimal_compare(twice, lc_decimal_add(a, a)), 0);
		cr_assert(lc_decimal_is_zero(lc_decimal_sub(a, a)));
	}
}

Test(decimal, arithmetic_rounds_half_to_even_and_saturates)
{
	assert_text(lc_decimal_add(parse("0.1"), parse("0.2")), "0.3");
	assert_text(
		lc_decimal_add(parse("100000000000000000"), parse("0.5")), "100000000000000000");
	assert_text(
		lc_decimal_add(parse("100000000000000001"), parse("0.5")), "100000000000000002");
	/* A tail far below must tip a half, in either direction. */
	struct lc_decimal half = lc_decimal_add(
		(struct lc_decimal){1000000000000000005, 0}, parse("1e-30"));
	assert_text(half, "1000000000000000010");
	half = lc_decimal_sub((struct lc_decimal){1000000000000000015, 0}, parse("1e-30"));
	assert_text(half, "1000000000000000010");
	assert_text(lc_decimal_mul(parse("123.45"), parse("-0.01")), "-1.2345");
	assert_text(lc_decimal_mul(parse("999999999999999999"), parse("999999999999999999")),
		"1000000000000000000000000000000");
	assert_text(
		lc_decimal_mul(parse("-1e30"), parse("10")), "-1000000000000000000000000000000");
	assert_text(lc_decimal_mul(parse("1e-30"), parse("0.1")), "0");
	assert_text(lc_decimal_sub(parse("1"), (struct lc_decimal){INT64_MIN, 0}),
		"9223372036854775810");
}

Test(decimal, scaling_is_exact)
{
	uint64_t state = 17;
	for (int i = 0; i < 5000; i++) {
		struct lc_decimal a = random_decimal(&state);
		int power = (int)(xorshift(&state) % 10);
		if (a.exponent + power <= 11) {
			struct lc_decimal moved = lc_decimal_scale(a, power);
			cr_assert_eq(lc_decimal_compare(lc_decimal_scale(moved, -power), a), 0);
		}
	}
	assert_text(lc_decimal_scale(parse("1234500"), -4), "123.45");
	assert_text(lc_decimal_scale(parse("0.05"), 2), "5");
	assert_text(lc_decimal_scale(parse("1"), 30), "1000000000000000000000000000000");
	assert_text(lc_decimal_scale(parse("3"), INT32_MAX), "1000000000000000000000000000000");
	assert_text(lc_decimal_scale(parse("3"), INT32_MIN), "0");
}

Test(decimal, doubles_take_their_shortest_form)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {{105.0, "105"}, {0.1, "0.1"}, {-0.0, "0"}, {1.005, "1.005"},
		{0.1 + 0.2, "0.30000000000000004"}, {189.4275, "189.4275"},
		{1e22, "10000000000000000000000"}, {1e-7, "0.0000001"},
		{1.0 / 3, "0.3333333333333333"}, {9007199254740993.0, "9007199254740992"},
		{123456789.123456, "123456789.123456"}, {-2.5, "-2.5"}};
	struct lc_decimal value;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_eq(lc_decimal_from_double(cases[i].value, &value), LC_OK);
		assert_text(value, cases[i].text);
	}
	cr_assert_eq(lc_decimal_from_float(0.1f, &value), LC_OK);
	assert_text(value, "0.1");
	cr_assert_eq(lc_decimal_from_float(16777216.0f, &value), LC_OK);
	assert_text(value, "16777216");
	cr_assert_eq(lc_decimal_from_double(NAN, &value), LC_ERR_INVALID);
	cr_assert_eq(lc_decimal_from_double(INFINITY, &value), LC_ERR_INVALID);
	cr_assert_eq(lc_decimal_from_float(-INFINITY, &value), LC_ERR_INVALID);
	cr_assert_eq(lc_decimal_from_double(DBL_MAX, &value), LC_ERR_RANGE);
	cr_assert_eq(lc_decimal_from_double(DBL_MIN, &value), LC_ERR_RANGE);
}

Test(decimal, doubles_come_back)
{
	uint64_t state = 19;
	for (int i = 0; i < 20000; i++) {
		double price = (double)(xorshift(&state) % 100000000) / 10000;
		double wild = ldexp(
			(double)(xorshift(&state) >> 11), (int)(xorshift(&state) % 80) - 80);
		float narrow = (float)wild;
		struct lc_decimal value;
		char text[LC_DECIMAL_TEXT_MAX];
		cr_assert_eq(lc_decimal_from_double(price, &value), LC_OK);
		cr_assert_eq(lc_decimal_to_double(value), price);
		cr_assert_geq(value.exponent, -4);
		cr_assert_eq(lc_decimal_from_double(wild, &value), LC_OK);
		cr_assert_eq(lc_decimal_to_double(value), wild);
		cr_assert_eq(strtod(format(value, text), NULL), wild);
		cr_assert_eq(lc_decimal_from_float(narrow, &value), LC_OK);
		cr_assert_eq(strtof(format(value, text), NULL), narrow);
	}
}

Test(decimal, formatting_survives_any_bits)
{
	uint64_t state = 23;
	char text[LC_DECIMAL_TEXT_MAX];
	for (int i = 0; i < 20000; i++) {
		struct lc_decimal value = {(int64_t)xorshift(&state), (int32_t)xorshift(&state)};
		value.exponent = i % 2 ? value.exponent : value.exponent % 64;
		parse(format(value, text));
	}
	assert_text((struct lc_decimal){INT64_MIN, 0}, "-9223372036854775808");
}

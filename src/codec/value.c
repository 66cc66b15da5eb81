#include "livecore/value.h"

#include "codec/values_priv.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

/* Digits only: what is left of a whole number once its sign is gone. */
static enum lc_err parse_digits(const char *text, size_t len, uint64_t *out)
{
	if (len == 0 || (len > 1 && text[0] == '0')) {
		return LC_ERR_INVALID;
	}
	uint64_t sum = 0;
	bool too_big = false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned char)text[i] - (unsigned)'0';
		if (digit > 9) {
			return LC_ERR_INVALID;
		}
		too_big |= __builtin_mul_overflow(sum, UINT64_C(10), &sum);
		too_big |= __builtin_add_overflow(sum, (uint64_t)digit, &sum);
	}
	*out = sum;
	return too_big ? LC_ERR_RANGE : LC_OK;
}

enum lc_err lc_values_grow(struct lc_values *values)
{
	if (values->capacity >= values->max) {
		return LC_ERR_TOO_LARGE;
	}
	size_t capacity = values->capacity == 0 ? FIRST_CAPACITY : values->capacity * 2;
	if (capacity > values->max) {
		capacity = values->max;
	}
	struct lc_value *items = realloc(values->items, capacity * sizeof *items);
	if (items == NULL) {
		return LC_ERR_NOMEM;
	}
	values->items = items;
	values->capacity = capacity;
	return LC_OK;
}

const struct lc_value *lc_value_find(const struct lc_value *object, const char *key)
{
	const struct lc_value *name, *value, *found = NULL;
	lc_value_each_field (name, value, object) {
		if (lc_value_is(name, key)) {
			found = value;
		}
	}
	return found;
}

enum lc_err lc_value_text(const struct lc_value *value, struct lc_text *out)
{
	if (value->type != LC_VALUE_STRING) {
		return LC_ERR_INVALID;
	}
	*out = (struct lc_text){.data = value->v.text, .len = value->len};
	return LC_OK;
}

enum lc_err lc_value_bool(const struct lc_value *value, bool *out)
{
	if (value->type != LC_VALUE_BOOL) {
		return LC_ERR_INVALID;
	}
	*out = value->v.b;
	return LC_OK;
}

enum lc_err lc_value_decimal(const struct lc_value *value, struct lc_decimal *out)
{
	char digits[20];
	size_t len = sizeof digits;
	switch (value->type) {
	case LC_VALUE_NUMBER:
		return lc_decimal_parse(value->v.text, value->len, out);
	case LC_VALUE_INT:
		*out = lc_decimal_from_int(value->v.i);
		return LC_OK;
	case LC_VALUE_UINT:
		if (value->v.u <= INT64_MAX) {
			*out = lc_decimal_from_int((int64_t)value->v.u);
			return LC_OK;
		}
		for (uint64_t rest = value->v.u; rest > 0; rest /= 10) {
			digits[--len] = (char)('0' + rest % 10);
		}
		return lc_decimal_parse(digits + len, sizeof digits - len, out);
	case LC_VALUE_FLOAT:
		return lc_decimal_from_float((float)value->v.d, out);
	case LC_VALUE_DOUBLE:
		return lc_decimal_from_double(value->v.d, out);
	default:
		return LC_ERR_INVALID;
	}
}

enum lc_err lc_value_int(const struct lc_value *value, int64_t *out)
{
	if (value->type == LC_VALUE_INT) {
		*out = value->v.i;
		return LC_OK;
	}
	bool negative = value->type == LC_VALUE_NUMBER && value->len > 0 && value->v.text[0] == '-';
	uint64_t magnitude;
	enum lc_err rc;
	if (negative) {
		rc = parse_digits(value->v.text + 1, value->len - 1, &magnitude);
	} else {
		rc = lc_value_uint(value, &magnitude);
	}
	if (rc != LC_OK) {
		return rc;
	}
	if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
		return LC_ERR_RANGE;
	}
	*out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return LC_OK;
}

enum lc_err lc_value_uint(const struct lc_value *value, uint64_t *out)
{
	uint64_t parsed;
	switch (value->type) {
	case LC_VALUE_UINT:
		*out = value->v.u;
		return LC_OK;
	case LC_VALUE_INT:
		return LC_ERR_RANGE;
	case LC_VALUE_NUMBER:
		break;
	default:
		return LC_ERR_INVALID;
	}
	bool negative = value->len > 0 && value->v.text[0] == '-';
	enum lc_err rc = parse_digits(value->v.text + negative, value->len - negative, &parsed);
	if (rc == LC_OK && negative && parsed != 0) {
		rc = LC_ERR_RANGE;
	}
	if (rc == LC_OK) {
		*out = parsed;
	}
	return rc;
}

enum lc_err lc_value_time(
	const struct lc_value *value, const struct lc_zone *naive_zone, int64_t *unix_ns)
{
	if (value->type == LC_VALUE_TIME) {
		*unix_ns = value->v.i;
		return LC_OK;
	}
	if (value->type != LC_VALUE_STRING) {
		return LC_ERR_INVALID;
	}
	return lc_time_parse(value->v.text, value->len, naive_zone, unix_ns);
}

enum lc_err lc_value_copy(const struct lc_value *value, char *out, size_t size)
{
	if (value->type != LC_VALUE_STRING) {
		return LC_ERR_INVALID;
	}
	if (value->len >= size || memchr(value->v.text, '\0', value->len) != NULL) {
		return LC_ERR_TOO_LARGE;
	}
	memcpy(out, value->v.text, value->len);
	out[value->len] = '\0';
	return LC_OK;
}

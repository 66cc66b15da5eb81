/* Walks a parsed message for the fuzz targets: calls every accessor on every value, reads every
 * byte of every text, and aborts when the array is not well formed. */
#pragma once

#include "livecore/value.h"

#include <stdlib.h>

static void touch(const struct lc_value *value)
{
	struct lc_decimal decimal;
	struct lc_text text;
	char small[16];
	int64_t i;
	uint64_t u;
	bool b;
	if (lc_value_int(value, &i) == LC_OK && i >= 0 &&
		(lc_value_uint(value, &u) != LC_OK || u != (uint64_t)i)) {
		abort();
	}
	(void)lc_value_decimal(value, &decimal);
	(void)lc_value_time(value, NULL, &i);
	(void)lc_value_bool(value, &b);
	(void)lc_value_copy(value, small, sizeof small);
	(void)lc_value_key(value);
	(void)lc_value_find(value, "a");
	if (lc_value_text(value, &text) == LC_OK) {
		volatile unsigned sum = 0;
		for (size_t n = 0; n < text.len; n++) {
			sum = sum + (unsigned char)text.data[n];
		}
	}
}

/* Recursion is bounded by the parsers' limit of depth. */
static void walk(const struct lc_value *value)
{
	const struct lc_value *key, *item, *end = lc_value_next(value);
	uint32_t count = 0;
	touch(value);
	lc_value_each_field (key, item, value) {
		walk(key);
		walk(item);
		count++;
	}
	lc_value_each (item, value) {
		walk(item);
		count++;
	}
	bool container = lc_value_is_container(value);
	if (container && (count != value->len || end <= value)) {
		abort();
	}
}

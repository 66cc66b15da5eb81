/* The growing array that both parsers fill. Internal to this folder. */
#pragma once

#include "livecore/value.h"

struct lc_values {
	struct lc_value *items; /* owned */
	size_t count;
	size_t capacity;
	size_t max;
};

/* Makes room for one more value. LC_ERR_TOO_LARGE at max, LC_ERR_NOMEM. */
enum lc_err lc_values_grow(struct lc_values *values);

/* Room for one more value; NULL with *rc set when there is none. Its content is undefined. */
static inline struct lc_value *lc_values_add(struct lc_values *values, enum lc_err *rc)
{
	if (values->count == values->capacity) {
		*rc = lc_values_grow(values);
		if (*rc != LC_OK) {
			return NULL;
		}
	}
	return &values->items[values->count++];
}

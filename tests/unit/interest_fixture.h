/* One whole update of the interest registry in one call. */
#pragma once

#include "livecore/interest.h"

#include <string.h>

static inline enum lc_err interest_apply(struct lc_interest *interest, const char *portfolio,
	enum lc_interest_type type, int64_t timestamp_ns, const char *const *symbols, size_t count)
{
	enum lc_err rc = lc_interest_begin(
		interest, portfolio, strlen(portfolio), type, timestamp_ns);
	if (rc != LC_OK) {
		return rc;
	}
	for (size_t i = 0; i < count; i++) {
		lc_interest_name(interest, symbols[i], strlen(symbols[i]));
	}
	lc_interest_sweep(interest, SIZE_MAX);
	return LC_OK;
}

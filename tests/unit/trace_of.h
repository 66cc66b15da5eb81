/* Each third record has a trace of its own: what a test appends, and what it must read back. */
#ifndef TESTS_UNIT_TRACE_OF_H
#define TESTS_UNIT_TRACE_OF_H

#include "livecore/traceparent.h"

#include <stdint.h>
#include <stdio.h>

/* NULL: none. */
static inline const char *trace_of(uint64_t number, char out[LC_TRACEPARENT_LEN + 1])
{
	if (number % 3 != 0) {
		return NULL;
	}
	snprintf(
		out, LC_TRACEPARENT_LEN + 1, "00-%032llx-%016llx-01", number + 1ULL, number + 1ULL);
	return out;
}

static inline bool is_trace_of(uint64_t number, const char *traceparent)
{
	char text[LC_TRACEPARENT_LEN + 1];
	const char *expected = trace_of(number, text);
	return expected ? traceparent && memcmp(traceparent, expected, LC_TRACEPARENT_LEN) == 0
			: !traceparent;
}

#endif

/* The inside of a latency histogram: what rendering needs to see. Loop thread only. */
#pragma once

#include <stdint.h>

#define HISTOGRAM_BOUNDS 19 /* and one bucket more, for what is above all of them */

struct lc_histogram {
	uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* not cumulative */
	uint64_t count;
	int64_t sum_ns; /* saturates, after 292 years of latency */
};

/* The upper bounds, inclusive, 10 us … 10 s. */
extern const int64_t histogram_bounds_ns[HISTOGRAM_BOUNDS];

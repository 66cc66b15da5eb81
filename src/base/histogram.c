#include "histogram_priv.h"

#include "livecore/clock.h"
#include "livecore/metrics.h"

const int64_t histogram_bounds_ns[HISTOGRAM_BOUNDS] = {
	10 * LC_NS_PER_US,
	20 * LC_NS_PER_US,
	50 * LC_NS_PER_US,
	100 * LC_NS_PER_US,
	200 * LC_NS_PER_US,
	500 * LC_NS_PER_US,
	1 * LC_NS_PER_MS,
	2 * LC_NS_PER_MS,
	5 * LC_NS_PER_MS,
	10 * LC_NS_PER_MS,
	20 * LC_NS_PER_MS,
	50 * LC_NS_PER_MS,
	100 * LC_NS_PER_MS,
	200 * LC_NS_PER_MS,
	500 * LC_NS_PER_MS,
	1 * LC_NS_PER_S,
	2 * LC_NS_PER_S,
	5 * LC_NS_PER_S,
	10 * LC_NS_PER_S,
};

/* Clocks of two machines can make a latency negative; that counts as none. */
void lc_histogram_observe_ns(struct lc_histogram *histogram, int64_t ns)
{
	ns = ns < 0 ? 0 : ns;
	size_t i = 0;
	while (i < HISTOGRAM_BOUNDS && ns > histogram_bounds_ns[i]) {
		i++;
	}
	histogram->buckets[i]++;
	histogram->count++;
	if (__builtin_add_overflow(histogram->sum_ns, ns, &histogram->sum_ns)) {
		histogram->sum_ns = INT64_MAX;
	}
}

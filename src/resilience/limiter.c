#include "livecore/limiter.h"

/* The bucket is kept as the time at which it will be full again (the generic cell rate algorithm):
 * taking a token moves that time on by one interval, and what would move it more than a whole
 * bucket beyond now has to wait. Integers only, so nothing drifts. */

static void set_rate(struct lc_limiter *limiter, double per_second, unsigned burst)
{
	/* A rate of almost nothing must not overflow: at most 1,000 s between two. */
	double interval = per_second > 0 ? 1e9 / per_second : 0;
	limiter->interval_ns = interval > 1e12 ? INT64_C(1000000000000) : (int64_t)interval;
	uint64_t tokens = burst > 1000000 ? 1000000 : burst > 0 ? burst : 1;
	limiter->burst_ns = (int64_t)(tokens * (uint64_t)limiter->interval_ns);
}

void lc_limiter_init(struct lc_limiter *limiter, double per_second, unsigned burst, int64_t now_ns)
{
	set_rate(limiter, per_second, burst);
	limiter->full_ns = now_ns;
}

void lc_limiter_configure(struct lc_limiter *limiter, double per_second, unsigned burst)
{
	set_rate(limiter, per_second, burst);
}

int64_t lc_limiter_take(struct lc_limiter *limiter, unsigned count, int64_t now_ns)
{
	if (limiter->interval_ns == 0) {
		return 0;
	}
	uint64_t whole = (uint64_t)(limiter->burst_ns / limiter->interval_ns);
	int64_t cost = (int64_t)(count < whole ? count : whole) * limiter->interval_ns;
	int64_t from = limiter->full_ns > now_ns ? limiter->full_ns : now_ns;
	int64_t wait_ns = from + cost - limiter->burst_ns - now_ns;
	if (wait_ns > 0) {
		return wait_ns;
	}
	limiter->full_ns = from + cost;
	return 0;
}

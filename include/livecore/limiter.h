/* A token bucket: at most `burst` at once and `rate` a second in the long run. Pure, any thread;
 * takes monotonic time. Never waits. */
#pragma once

#include <stdint.h>

struct lc_limiter {
	int64_t interval_ns; /* between two tokens; 0: no limit */
	int64_t burst_ns;    /* burst x interval */
	int64_t full_ns;     /* when the bucket is full again; before it, some tokens are out */
};

/* per_second <= 0: no limit. burst: at least 1. The bucket starts full. */
void lc_limiter_init(struct lc_limiter *limiter, double per_second, unsigned burst, int64_t now_ns);
/* New rate on reload; what was taken stays taken. */
void lc_limiter_configure(struct lc_limiter *limiter, double per_second, unsigned burst);
/* Takes count tokens (1 … burst; more counts as burst) and returns 0, or takes nothing and
 * returns how long to wait until they are there. */
int64_t lc_limiter_take(struct lc_limiter *limiter, unsigned count, int64_t now_ns);

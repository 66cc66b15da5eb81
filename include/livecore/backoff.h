/* How long to wait before trying again: full jitter (a uniform choice between nothing and a
 * ceiling that doubles with each failure), so that many clients of a recovered server do not
 * come at once. Pure, any thread; takes time and randomness. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lc_backoff {
	int64_t first_ns, max_ns, healthy_ns;
	unsigned failures; /* in a row */
	int64_t up_ns;     /* when the current success began; INT64_MIN: down */
};

#define LC_BACKOFF_FIRST_NS INT64_C(500000000)
#define LC_BACKOFF_MAX_NS INT64_C(60000000000)
#define LC_BACKOFF_HEALTHY_NS INT64_C(60000000000)

/* Zeros take the defaults above: 0.5 s doubling to 60 s, forgotten after a healthy minute. */
void lc_backoff_init(
	struct lc_backoff *backoff, int64_t first_ns, int64_t max_ns, int64_t healthy_ns);
/* It works (again). */
void lc_backoff_up(struct lc_backoff *backoff, int64_t now_ns);
/* It failed: counts, and returns how long to wait, 0 … ceiling. random: 64 uniform bits. A
 * success that held for healthy_ns makes this the first failure. */
int64_t lc_backoff_down(struct lc_backoff *backoff, uint64_t random, int64_t now_ns);
/* The ceiling that the next lc_backoff_down() would draw from. */
int64_t lc_backoff_ceiling(const struct lc_backoff *backoff);
/* Failures in a row; 0 once it was healthy long enough. */
unsigned lc_backoff_failures(const struct lc_backoff *backoff, int64_t now_ns);

#include "livecore/backoff.h"

enum { MAX_DOUBLINGS = 32 };

void lc_backoff_init(
	struct lc_backoff *backoff, int64_t first_ns, int64_t max_ns, int64_t healthy_ns)
{
	*backoff = (struct lc_backoff){
		.first_ns = first_ns > 0 ? first_ns : LC_BACKOFF_FIRST_NS,
		.max_ns = max_ns > 0 ? max_ns : LC_BACKOFF_MAX_NS,
		.healthy_ns = healthy_ns > 0 ? healthy_ns : LC_BACKOFF_HEALTHY_NS,
		.up_ns = INT64_MIN,
	};
}

void lc_backoff_up(struct lc_backoff *backoff, int64_t now_ns)
{
	/* A second report of the same success must not start its minute again. */
	if (backoff->up_ns == INT64_MIN) {
		backoff->up_ns = now_ns;
	}
}

int64_t lc_backoff_ceiling(const struct lc_backoff *backoff)
{
	int64_t ceiling = backoff->first_ns;
	for (unsigned i = 0; i < backoff->failures && i < MAX_DOUBLINGS; i++) {
		if (ceiling >= backoff->max_ns / 2) {
			return backoff->max_ns;
		}
		ceiling *= 2;
	}
	return ceiling < backoff->max_ns ? ceiling : backoff->max_ns;
}

int64_t lc_backoff_down(struct lc_backoff *backoff, uint64_t random, int64_t now_ns)
{
	backoff->failures = lc_backoff_failures(backoff, now_ns);
	backoff->up_ns = INT64_MIN;
	uint64_t choices = (uint64_t)lc_backoff_ceiling(backoff) + 1;
	if (backoff->failures < UINT32_MAX) {
		backoff->failures++;
	}
	return (int64_t)(((unsigned __int128)random * choices) >> 64);
}

unsigned lc_backoff_failures(const struct lc_backoff *backoff, int64_t now_ns)
{
	bool healthy = backoff->up_ns != INT64_MIN &&
		       now_ns - backoff->up_ns >= backoff->healthy_ns;
	return healthy ? 0 : backoff->failures;
}

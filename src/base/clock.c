#include "livecore/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return now.tv_sec * LC_NS_PER_S + now.tv_nsec;
}

int64_t lc_clock_wall_ns(const struct lc_clock *clock)
{
	return clock->tape ? clock->tape_ns : read_ns(CLOCK_REALTIME);
}

void lc_clock_tape_advance(struct lc_clock *clock, int64_t event_ns)
{
	if (clock->tape && event_ns > clock->tape_ns) {
		clock->tape_ns = event_ns;
	}
}

int64_t lc_clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

int64_t lc_clock_thread_cpu_ns(void)
{
	return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

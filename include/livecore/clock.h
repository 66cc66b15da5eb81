/* The only place that reads time. Everything else is handed `now_ns`. Loop thread only.
 * Wall time is nanoseconds since 1970-01-01T00:00:00Z; it can jump. Monotonic time cannot.
 * With a tape the wall clock follows the tape's event times instead of the machine's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LC_NS_PER_US INT64_C(1000)
#define LC_NS_PER_MS INT64_C(1000000)
#define LC_NS_PER_S INT64_C(1000000000)

struct lc_clock {
	bool tape;       /* true: wall time is tape_ns */
	int64_t tape_ns; /* the latest event time of the tape, never going back */
};

/* Wall time by this clock. */
int64_t lc_clock_wall_ns(const struct lc_clock *clock);

/* Moves a tape's clock on to event_ns; earlier times and clocks without a tape are left alone. */
void lc_clock_tape_advance(struct lc_clock *clock, int64_t event_ns);

/* The machine's monotonic time. */
int64_t lc_clock_mono_ns(void);

/* CPU time used by the calling thread. About 400 ns a call: per turn of the loop, never per
 * tick. */
int64_t lc_clock_thread_cpu_ns(void);

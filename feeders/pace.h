/* When a feeder's next request may go out: one an interval in the long run. What cannot wait for a
 * whole interval takes the next slot up to three quarters early. Pure: takes now_ns (monotonic). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lc_pace {
	int64_t next_ns; /* no request before it; INT64_MIN: none was sent yet */
};

/* A request goes out now: the next comes an interval after it, or after the slot it took early. */
void lc_pace_use(struct lc_pace *pace, int64_t interval_ms, int64_t now_ns);

/* From when the next request may go out. interval_ms is the setting of now, which may have become
 * shorter. urgent: something waits that was not asked for yet. */
int64_t lc_pace_next(struct lc_pace *pace, int64_t interval_ms, bool urgent, int64_t now_ns);

/* How old the data of polled vendors gets, and how their requests fare: one set of metrics for all
 * of them, by feeder. Loop thread. */
#pragma once

#include "livecore/metrics.h"

struct lc_refresh {
	uint64_t *polls, *failed; /* requests */
	struct lc_histogram *ages;
	double *oldest; /* seconds */
};

void lc_refresh_init(struct lc_refresh *refresh, struct lc_metrics *metrics, const char *feeder);

/* One PriceUpdate as one line: columns on a terminal, key=value elsewhere. Pure but for writing to
 * stdout. */
#pragma once

#include "livecore/messages.h"

#include <stdio.h>

struct lc_watch_view {
	FILE *out;
	bool columns;
	const struct lc_zone *zone; /* of the times shown; NULL: UTC */
	unsigned rows;              /* printed since the last heading */
};

/* now_ns: when it was read, for the latency. */
void lc_watch_view_print(
	struct lc_watch_view *view, const struct lc_price_view *price, int64_t now_ns);

/* The simulators' built-in symbols: about forty real ones of each market. Constant data. */
#pragma once

#include "walk.h"

struct sim_known {
	const char *text;
	int64_t prev_close; /* in 1/1000 of the currency */
	int vendor_board;
};

const struct sim_known *sim_known_table(enum sim_market market, size_t *count);

#include "livecore/bar.h"

#include <string.h>

static const struct {
	const char *name;
	int minutes;
} periods[LC_PERIODS] = {
	[LC_PERIOD_1M] = {"1m", 1},
	[LC_PERIOD_5M] = {"5m", 5},
	[LC_PERIOD_15M] = {"15m", 15},
	[LC_PERIOD_30M] = {"30m", 30},
	[LC_PERIOD_60M] = {"60m", 60},
	[LC_PERIOD_1D] = {"1d", 0},
};

const char *lc_period_name(enum lc_period period)
{
	return (unsigned)period < LC_PERIODS ? periods[period].name : "unknown";
}

enum lc_period lc_period_find(const char *name)
{
	int found = 0;
	while (found < LC_PERIODS && strcmp(periods[found].name, name) != 0) {
		found++;
	}
	return (enum lc_period)found;
}

int lc_period_minutes(enum lc_period period)
{
	return (unsigned)period < LC_PERIODS ? periods[period].minutes : 0;
}

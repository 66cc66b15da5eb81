/* Does a cron rule match a local time? As the manual says it, field by field: what lc_cron_next()
 * finds by skipping is held against it. */
#pragma once

#include "livecore/cron.h"

static inline bool cron_matches(const struct lc_cron *cron, const struct lc_civil *at)
{
	bool day = cron->days >> at->day & 1, weekday = cron->weekdays >> at->weekday & 1;
	return (cron->either ? day || weekday : day && weekday) && cron->months >> at->month & 1 &&
	       cron->hours >> at->hour & 1 && cron->minutes >> at->minute & 1 &&
	       cron->seconds >> at->second & 1;
}

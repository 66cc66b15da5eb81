/* Cron expressions: when is the next time? Pure, any thread; takes time, never reads it, and
 * allocates nothing. It knows the years 1700 to 2261.
 *
 * Five fields: minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, weekday 0-7 or
 * SUN-SAT. A sixth, leading field is seconds 0-59. A field is `*` or a list of values, ranges
 * (`9-17`, `MON-FRI`, weekdays also over the week's end: `FRI-MON`), each with a step (`0-30/10`;
 * of one value, to the field's end: `5/15`). Letter case does not matter. @yearly (@annually),
 * @monthly, @weekly, @daily (@midnight) and @hourly stand for what cron says. */
#pragma once

#include "livecore/error.h"
#include "livecore/zone.h"

#include <stdbool.h>
#include <stdint.h>

enum lc_cron_rules {
	/* crontab(5): 0 and 7 are Sunday; when day of month and weekday are both restricted,
	 * either matches. A field that begins with `*` (also with a step) is not restricted. */
	LC_CRON_RULES,
	/* APScheduler's: 0 is Monday, 6 Sunday, 7 nothing; day of month and weekday must both
	 * match. */
	LC_CRON_MONDAY_RULES,
};

/* Bit n: the value n. */
struct lc_cron {
	uint64_t seconds, minutes;
	uint32_t hours, days; /* days: bits 1-31 */
	uint16_t months;      /* bits 1-12 */
	uint8_t weekdays;     /* bit 0: Sunday, whatever the numbering was */
	bool either;          /* a day needs to match only one of days and weekdays */
};

#define LC_CRON_TEXT_MAX 256

/* LC_ERR_INVALID: err names the field, what is wrong in it, and what is allowed there. A date that
 * no year has (30 February) is no error here: lc_cron_next() finds no time. */
enum lc_err lc_cron_parse(
	const char *text, enum lc_cron_rules rules, struct lc_cron *out, struct lc_error *err);

/* The first time after after_ns, by the clocks of zone (NULL: UTC). A local time that daylight
 * saving skips counts as the first instant after the gap (all that were skipped as one); one that
 * occurs twice is the first of the two only. So `* * * * *` rests for the repeated hour; UTC has
 * no such hours. LC_ERR_END: it never comes. Some microseconds; a search that finds nothing goes
 * through the months of 40 years. */
enum lc_err lc_cron_next(
	const struct lc_cron *cron, const struct lc_zone *zone, int64_t after_ns, int64_t *next_ns);

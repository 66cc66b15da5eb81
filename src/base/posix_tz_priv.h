/* The rule in a TZif footer: a POSIX TZ string with the extensions of RFC 8536 3.3. Pure, any
 * thread, never allocates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A day of the year and a time on it: Mm.w.d, Jn (1-365, no leap day) or n (0-365). */
struct posix_tz_day {
	char form; /* 'M', 'J' or '0' */
	int16_t month, week, day;
	int32_t time_s; /* local wall time, -167 h … 167 h */
};

struct posix_tz {
	int32_t std_s; /* seconds east of UTC (the text counts west) */
	int32_t dst_s;
	bool has_dst;
	struct posix_tz_day start, stop; /* of DST */
};

/* False for anything that is not such a string, to its last byte. */
bool posix_tz_parse(const char *text, size_t len, struct posix_tz *out);

/* The instants of a year's changes, Unix seconds. */
int64_t posix_tz_start(const struct posix_tz *rule, int32_t year);
int64_t posix_tz_stop(const struct posix_tz *rule, int32_t year);

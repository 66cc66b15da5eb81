#include "livecore/cron.h"

#include "livecore/clock.h"

enum { DAY_S = 86400, LAST_YEAR = 2261 };
#define FIRST_S INT64_C(-8520336000) /* 1700 */
#define LAST_S INT64_C(9214646400)   /* 2262 */

/* The longest wait for a day that exists: 29 February on one weekday, around a year like 2100. */
enum { YEARS_MAX = 40 };

static bool has(uint64_t bits, unsigned n)
{
	return bits >> n & 1;
}

static bool day_matches(const struct lc_cron *cron, const struct lc_civil *day)
{
	bool by_day = has(cron->days, day->day), by_weekday = has(cron->weekdays, day->weekday);
	return has(cron->months, day->month) &&
	       (cron->either ? by_day || by_weekday : by_day && by_weekday);
}

/* The lowest value from n on, or -1. */
static int from(uint64_t bits, int n)
{
	uint64_t left = n > 63 ? 0 : bits >> n << n;
	return left ? __builtin_ctzll(left) : -1;
}

/* The first matching second of a day from `second` on, or -1. */
static int32_t second_from(const struct lc_cron *cron, int32_t second)
{
	int h = second / 3600, m = second / 60 % 60, s = from(cron->seconds, second % 60);
	if (s < 0) {
		m++;
	}
	int minute = from(cron->minutes, m);
	if (!has(cron->hours, (unsigned)h)) {
		minute = -1;
	}
	if (minute >= 0) {
		return h * 3600 + minute * 60 +
		       (minute == second / 60 % 60 && s >= 0 ? s : from(cron->seconds, 0));
	}
	int hour = from(cron->hours, h + 1);
	return hour < 0 ? -1 : hour * 3600 + from(cron->minutes, 0) * 60 + from(cron->seconds, 0);
}

/* The first matching day from *day on. */
static bool find_day(const struct lc_cron *cron, int32_t *day)
{
	struct lc_civil civil;
	lc_civil_from_days(*day, &civil);
	int32_t last_year = civil.year + YEARS_MAX < LAST_YEAR ? civil.year + YEARS_MAX : LAST_YEAR;
	while (civil.year <= last_year) {
		if (!has(cron->months, civil.month)) {
			int32_t year = civil.year + (civil.month == 12);
			*day = lc_days_from_civil(year, civil.month % 12 + 1, 1);
		} else if (day_matches(cron, &civil)) {
			return true;
		} else {
			++*day;
		}
		lc_civil_from_days(*day, &civil);
	}
	return false;
}

/* The first matching local second from *local_s (seconds since 1970 by the zone's clocks) on. */
static bool find_local(const struct lc_cron *cron, int64_t *local_s)
{
	int32_t day = (int32_t)(*local_s / DAY_S), second = (int32_t)(*local_s % DAY_S);
	if (second < 0) {
		day--;
		second += DAY_S;
	}
	int32_t first = day;
	if (!find_day(cron, &day)) {
		return false;
	}
	second = second_from(cron, day == first ? second : 0);
	if (second < 0) {
		/* This day's times are over, and the next day that matches has some. */
		day++;
		if (!find_day(cron, &day)) {
			return false;
		}
		second = second_from(cron, 0);
	}
	*local_s = (int64_t)day * DAY_S + second;
	return true;
}

/* The instant that a local second counts as; false beyond what zones cover. It never decreases with
 * local_s: that is what makes the search below right. */
static bool instant_of(const struct lc_zone *zone, int64_t local_s, int64_t *ns)
{
	/* UTC: only the fields. */
	const struct lc_civil civil = lc_civil_from_ns(NULL, local_s * LC_NS_PER_S);
	return lc_civil_to_ns(zone, &civil, ns, NULL) == LC_OK;
}

/* In the repeat of an hour, the local seconds up to the hour's end have had their time. Returns the
 * first one that has not. */
static int64_t skip_repeated(const struct lc_zone *zone, int64_t local_s, int64_t after_ns)
{
	int64_t low = local_s - 1, high = local_s + DAY_S, ns;
	if (!instant_of(zone, local_s, &ns) || ns > after_ns) {
		return local_s;
	}
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;
		if (instant_of(zone, middle, &ns) && ns <= after_ns) {
			low = middle;
		} else {
			high = middle;
		}
	}
	return high;
}

enum lc_err lc_cron_next(
	const struct lc_cron *cron, const struct lc_zone *zone, int64_t after_ns, int64_t *next_ns)
{
	int64_t after_s = after_ns / LC_NS_PER_S - (after_ns % LC_NS_PER_S < 0);
	if (after_s < FIRST_S || after_s > LAST_S) {
		return LC_ERR_END;
	}
	int64_t local_s = after_s + lc_zone_offset(zone, after_s) + 1;
	local_s = skip_repeated(zone, local_s, after_ns);
	if (!find_local(cron, &local_s) || !instant_of(zone, local_s, next_ns)) {
		return LC_ERR_END;
	}
	return LC_OK;
}

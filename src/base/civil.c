#include "livecore/zone.h"

#include "livecore/clock.h"

#define DAY_S INT64_C(86400)

int32_t lc_days_from_civil(int32_t year, unsigned month, unsigned day)
{
	/* Howard Hinnant, "chrono-compatible low-level date algorithms": years start in March, so
	 * that the leap day is the last; an era is 400 years. */
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned year_of_era = (unsigned)(y - era * 400);
	unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return (int32_t)(era * 146097 + (int64_t)day_of_era - 719468);
}

void lc_civil_from_days(int32_t days, struct lc_civil *out)
{
	int64_t z = (int64_t)days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned day_of_era = (unsigned)(z - era * 146097);
	unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
				       day_of_era / 146096) /
			       365;
	unsigned day_of_year = day_of_era -
			       (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month = (5 * day_of_year + 2) / 153; /* from March on */
	out->day = (uint8_t)(day_of_year - (153 * month + 2) / 5 + 1);
	out->month = (uint8_t)(month < 10 ? month + 3 : month - 9);
	out->year = (int32_t)(year_of_era + era * 400 + (out->month <= 2));
	int weekday = (int)(((int64_t)days + 4) % 7); /* 1970-01-01 was a Thursday */
	out->weekday = (uint8_t)(weekday < 0 ? weekday + 7 : weekday);
}

struct lc_civil lc_civil_from_ns(const struct lc_zone *zone, int64_t unix_ns)
{
	int64_t s = unix_ns / LC_NS_PER_S;
	int64_t ns = unix_ns % LC_NS_PER_S;
	if (ns < 0) {
		ns += LC_NS_PER_S;
		s--;
	}
	s += lc_zone_offset(zone, s);
	int64_t days = s / DAY_S;
	int64_t second = s % DAY_S;
	if (second < 0) {
		second += DAY_S;
		days--;
	}
	struct lc_civil civil = {.nanosecond = (int32_t)ns};
	lc_civil_from_days((int32_t)days, &civil);
	civil.hour = (uint8_t)(second / 3600);
	civil.minute = (uint8_t)(second / 60 % 60);
	civil.second = (uint8_t)(second % 60);
	return civil;
}

static bool in_range(const struct lc_civil *c)
{
	static const uint8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (c->year < 1600 || c->year > 2300 || c->month < 1 || c->month > 12 || c->day < 1 ||
		c->day > lengths[c->month - 1]) {
		return false;
	}
	bool leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
	if (c->month == 2 && c->day == 29 && !leap) {
		return false;
	}
	return c->hour < 24 && c->minute < 60 && c->second < 60 && c->nanosecond >= 0 &&
	       c->nanosecond < LC_NS_PER_S;
}

/* The first instant in (low, high] that no longer has the offset of low. */
static int64_t find_change(const struct lc_zone *zone, int64_t low, int64_t high)
{
	int32_t before = lc_zone_offset(zone, low);
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;
		if (lc_zone_offset(zone, middle) == before) {
			low = middle;
		} else {
			high = middle;
		}
	}
	return high;
}

/* No offset exceeds 26 hours and no change of one exceeds 24, so a day before and a day after the
 * local time, taken as UTC, lie on either side of the one change that can matter. */
static int64_t resolve(const struct lc_zone *zone, int64_t local_s, int *kind)
{
	int32_t before = lc_zone_offset(zone, local_s - DAY_S);
	int32_t after = lc_zone_offset(zone, local_s + DAY_S);
	bool is_before = lc_zone_offset(zone, local_s - before) == before;
	bool is_after = lc_zone_offset(zone, local_s - after) == after;
	*kind = 0;
	if (is_before && is_after) {
		*kind = before == after ? 0 : 2;
		return local_s - (before > after ? before : after);
	}
	if (is_before || is_after) {
		return local_s - (is_before ? before : after);
	}
	*kind = 1;
	return find_change(zone, local_s - DAY_S, local_s + DAY_S);
}

enum lc_err lc_civil_to_ns(
	const struct lc_zone *zone, const struct lc_civil *civil, int64_t *unix_ns, int *kind)
{
	if (!in_range(civil)) {
		return LC_ERR_INVALID;
	}
	int64_t local_s = lc_days_from_civil(civil->year, civil->month, civil->day) * DAY_S +
			  civil->hour * 3600 + civil->minute * 60 + civil->second;
	int found = 0;
	int64_t unix_s = zone ? resolve(zone, local_s, &found) : local_s;
	int64_t ns;
	if (__builtin_mul_overflow(unix_s, LC_NS_PER_S, &ns) ||
		__builtin_add_overflow(ns, found == 1 ? 0 : civil->nanosecond, &ns)) {
		return LC_ERR_INVALID;
	}
	*unix_ns = ns;
	if (kind) {
		*kind = found;
	}
	return LC_OK;
}

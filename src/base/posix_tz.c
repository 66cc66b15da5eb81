#include "posix_tz_priv.h"

#include "livecore/zone.h"

#define DAY_S 86400

struct cursor {
	const char *p;
	const char *end;
};

static bool take(struct cursor *in, char c)
{
	if (in->p == in->end || *in->p != c) {
		return false;
	}
	in->p++;
	return true;
}

/* A number of 1-3 digits up to max, or -1. */
static int take_number(struct cursor *in, int max)
{
	int value = 0;
	int digits = 0;
	for (; in->p < in->end && (unsigned char)(*in->p - '0') <= 9 && digits < 3;
		in->p++, digits++) {
		value = value * 10 + (*in->p - '0');
	}
	return digits == 0 || value > max ? -1 : value;
}

/* A name in letters, or anything alphanumeric in <…>. */
static bool take_name(struct cursor *in)
{
	bool quoted = take(in, '<');
	const char *start = in->p;
	for (; in->p < in->end; in->p++) {
		char c = *in->p;
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		bool other = (c >= '0' && c <= '9') || c == '+' || c == '-';
		if (!letter && !(quoted && other)) {
			break;
		}
	}
	return in->p - start >= 3 && (!quoted || take(in, '>'));
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool take_time(struct cursor *in, int hours_max, int32_t *out)
{
	bool negative = take(in, '-');
	if (!negative) {
		take(in, '+');
	}
	int hours = take_number(in, hours_max);
	int minutes = hours >= 0 && take(in, ':') ? take_number(in, 59) : 0;
	int seconds = hours >= 0 && minutes >= 0 && take(in, ':') ? take_number(in, 59) : 0;
	if (hours < 0 || minutes < 0 || seconds < 0) {
		return false;
	}
	int32_t value = hours * 3600 + minutes * 60 + seconds;
	*out = negative ? -value : value;
	return true;
}

static bool take_month_day(struct cursor *in, struct posix_tz_day *out)
{
	int month = take_number(in, 12);
	int week = take(in, '.') ? take_number(in, 5) : -1;
	int day = take(in, '.') ? take_number(in, 6) : -1;
	*out = (struct posix_tz_day){'M', (int16_t)month, (int16_t)week, (int16_t)day, 0};
	return month >= 1 && week >= 1 && day >= 0;
}

static bool take_day(struct cursor *in, struct posix_tz_day *out)
{
	bool valid;
	if (take(in, 'M')) {
		valid = take_month_day(in, out);
	} else {
		bool julian = take(in, 'J');
		int day = take_number(in, 365);
		*out = (struct posix_tz_day){.form = julian ? 'J' : '0', .day = (int16_t)day};
		valid = day >= (julian ? 1 : 0);
	}
	out->time_s = 2 * 3600;
	return valid && (!take(in, '/') || take_time(in, 167, &out->time_s));
}

static bool parse_dst(struct cursor *in, struct posix_tz *out)
{
	out->has_dst = true;
	out->dst_s = out->std_s + 3600;
	if (!take_name(in)) {
		return false;
	}
	if (in->p < in->end && *in->p != ',') {
		if (!take_time(in, 24, &out->dst_s)) {
			return false;
		}
		out->dst_s = -out->dst_s;
	}
	return take(in, ',') && take_day(in, &out->start) && take(in, ',') &&
	       take_day(in, &out->stop);
}

bool posix_tz_parse(const char *text, size_t len, struct posix_tz *out)
{
	struct cursor in = {text, text + len};
	*out = (struct posix_tz){0};
	if (!take_name(&in) || !take_time(&in, 24, &out->std_s)) {
		return false;
	}
	out->std_s = -out->std_s;
	if (in.p < in.end && !parse_dst(&in, out)) {
		return false;
	}
	return in.p == in.end;
}

static int32_t day_of(const struct posix_tz_day *day, int32_t year)
{
	int32_t january = lc_days_from_civil(year, 1, 1);
	if (day->form == '0') {
		return january + day->day;
	}
	if (day->form == 'J') { /* 60 is always March 1 */
		bool leap = lc_days_from_civil(year, 3, 1) - january == 60;
		return january + day->day - 1 + (leap && day->day >= 60);
	}
	struct lc_civil first;
	int32_t days = lc_days_from_civil(year, (unsigned)day->month, 1);
	lc_civil_from_days(days, &first);
	days += (day->day - first.weekday + 7) % 7 + (day->week - 1) * 7;
	int32_t next_month = day->month == 12
				     ? lc_days_from_civil(year + 1, 1, 1)
				     : lc_days_from_civil(year, (unsigned)day->month + 1, 1);
	return days >= next_month ? days - 7 : days; /* week 5 is the last one */
}

int64_t posix_tz_start(const struct posix_tz *rule, int32_t year)
{
	return (int64_t)day_of(&rule->start, year) * DAY_S + rule->start.time_s - rule->std_s;
}

int64_t posix_tz_stop(const struct posix_tz *rule, int32_t year)
{
	return (int64_t)day_of(&rule->stop, year) * DAY_S + rule->stop.time_s - rule->dst_s;
}

#include "livecore/zone.h"

#include "livecore/clock.h"

#include <string.h>

#define DAY_S INT64_C(86400)

static void put2(char *p, unsigned value)
{
	p[0] = (char)('0' + value / 10);
	p[1] = (char)('0' + value % 10);
}

static char *put_offset(char *p, int32_t offset_s)
{
	unsigned minutes = (unsigned)(offset_s < 0 ? -offset_s : offset_s) / 60;
	*p = offset_s < 0 ? '-' : '+';
	put2(p + 1, minutes / 60);
	p[3] = ':';
	put2(p + 4, minutes % 60);
	return p + 6;
}

/* An int64 of nanoseconds ends in the year 2262, so the year always has four digits. */
size_t lc_time_format(
	int64_t unix_ns, enum lc_time_format format, const struct lc_zone *zone, char *out)
{
	struct lc_civil c = lc_civil_from_ns(format == LC_TIME_UTC ? NULL : zone, unix_ns);
	memcpy(out, "0000-00-00T00:00:00.000000", 26);
	put2(out, (unsigned)c.year / 100);
	put2(out + 2, (unsigned)c.year % 100);
	put2(out + 5, c.month);
	put2(out + 8, c.day);
	put2(out + 11, c.hour);
	put2(out + 14, c.minute);
	put2(out + 17, c.second);
	unsigned us = (unsigned)c.nanosecond / 1000;
	put2(out + 20, us / 10000);
	put2(out + 22, us / 100 % 100);
	put2(out + 24, us % 100);
	char *p = out + 26;
	if (format == LC_TIME_UTC) {
		*p++ = 'Z';
	} else if (format == LC_TIME_OFFSET) {
		int64_t s = unix_ns / LC_NS_PER_S - (unix_ns % LC_NS_PER_S < 0);
		p = put_offset(p, lc_zone_offset(zone, s));
	}
	return (size_t)(p - out);
}

/* Reads exactly n digits and moves on; -1 when they are not there. */
static int take_digits(const char **p, const char *end, int n)
{
	int value = 0;
	if (end - *p < n) {
		return -1;
	}
	for (; n > 0; n--, (*p)++) {
		unsigned digit = (unsigned char)(**p - '0');
		if (digit > 9) {
			return -1;
		}
		value = value * 10 + (int)digit;
	}
	return value;
}

static bool take_char(const char **p, const char *end, char c)
{
	if (*p == end || **p != c) {
		return false;
	}
	(*p)++;
	return true;
}

/* After a '.': at least one digit; those beyond nanoseconds are cut. */
static int32_t take_fraction(const char **p, const char *end)
{
	int32_t ns = 0;
	int32_t unit = 100000000;
	const char *start = *p;
	for (; *p < end && (unsigned char)(**p - '0') <= 9; (*p)++) {
		ns += (**p - '0') * unit;
		unit /= 10;
	}
	return *p == start ? -1 : ns;
}

static bool take_date(const char **p, const char *end, struct lc_civil *c)
{
	int year = take_digits(p, end, 4);
	int month = take_char(p, end, '-') ? take_digits(p, end, 2) : -1;
	int day = take_char(p, end, '-') ? take_digits(p, end, 2) : -1;
	if (year < 0 || month < 0 || day < 0) {
		return false;
	}
	c->year = year;
	c->month = (uint8_t)month;
	c->day = (uint8_t)day;
	return take_char(p, end, 'T') || take_char(p, end, ' ');
}

static bool take_clock(const char **p, const char *end, struct lc_civil *c)
{
	int hour = take_digits(p, end, 2);
	int minute = take_char(p, end, ':') ? take_digits(p, end, 2) : -1;
	int second = take_char(p, end, ':') ? take_digits(p, end, 2) : -1;
	if (hour < 0 || minute < 0 || second < 0) {
		return false;
	}
	c->hour = (uint8_t)hour;
	c->minute = (uint8_t)minute;
	c->second = (uint8_t)second;
	if (take_char(p, end, '.')) {
		c->nanosecond = take_fraction(p, end);
	}
	return c->nanosecond >= 0;
}

/* ±hh:mm or ±hhmm, to the end of the text. */
static bool take_offset(const char **p, const char *end, int32_t *offset_s)
{
	bool west = **p == '-';
	if (!west && **p != '+') {
		return false;
	}
	(*p)++;
	int hours = take_digits(p, end, 2);
	take_char(p, end, ':');
	int minutes = take_digits(p, end, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
		return false;
	}
	*offset_s = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return *p == end;
}

enum lc_err lc_time_parse(
	const char *text, size_t len, const struct lc_zone *naive_zone, int64_t *unix_ns)
{
	const char *p = text;
	const char *end = text + len;
	struct lc_civil civil = {0};
	if (!take_date(&p, end, &civil) || !take_clock(&p, end, &civil)) {
		return LC_ERR_INVALID;
	}
	if (p == end) {
		return lc_civil_to_ns(naive_zone, &civil, unix_ns, NULL);
	}
	int32_t offset_s = 0;
	if (!(take_char(&p, end, 'Z') ? p == end : take_offset(&p, end, &offset_s))) {
		return LC_ERR_INVALID;
	}
	int64_t ns;
	enum lc_err err = lc_civil_to_ns(NULL, &civil, &ns, NULL);
	if (err == LC_OK && __builtin_sub_overflow(ns, offset_s * LC_NS_PER_S, &ns)) {
		err = LC_ERR_INVALID;
	}
	if (err == LC_OK) {
		*unix_ns = ns;
	}
	return err;
}

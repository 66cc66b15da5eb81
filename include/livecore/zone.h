/* IANA time zones, read from TZif files (RFC 8536, versions 1-3 with the footer's rule), and ISO
 * 8601 text. Never localtime(), never setenv(TZ). Pure but for lc_zone_load(). Any one thread. */
#pragma once

#include "livecore/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lc_zone;

/* A point on a wall calendar. */
struct lc_civil {
	int32_t year;
	uint8_t month, day; /* 1-12, 1-31 */
	uint8_t hour, minute, second;
	uint8_t weekday; /* 0 = Sunday … 6 */
	int32_t nanosecond;
};

/* Loads a zone by name ("Asia/Shanghai", "UTC") from $LIVECORE_ZONEINFO or /usr/share/zoneinfo.
 * Reads a file: at set-up and reload, not per tick. Errors: LC_ERR_NOT_FOUND (err says which
 * package brings zones), LC_ERR_INVALID. */
enum lc_err lc_zone_load(const char *name, struct lc_zone **out, struct lc_error *err);
/* From memory, for tests and fuzzing; data is not kept. */
enum lc_err lc_zone_parse(const void *data, size_t len, struct lc_zone **out);
void lc_zone_destroy(struct lc_zone *zone);

/* Seconds east of UTC at an instant. zone NULL is UTC. */
int32_t lc_zone_offset(const struct lc_zone *zone, int64_t unix_s);

struct lc_civil lc_civil_from_ns(const struct lc_zone *zone, int64_t unix_ns);

/* The instant of a local time. A time that DST skips gives the first instant after the gap; one
 * that occurs twice gives the first. *kind (may be NULL): 0 unique, 1 skipped, 2 ambiguous.
 * Fields out of range: LC_ERR_INVALID. */
enum lc_err lc_civil_to_ns(
	const struct lc_zone *zone, const struct lc_civil *civil, int64_t *unix_ns, int *kind);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back. */
int32_t lc_days_from_civil(int32_t year, unsigned month, unsigned day);
/* Sets year, month, day, weekday only. */
void lc_civil_from_days(int32_t days, struct lc_civil *out);

enum lc_time_format { LC_TIME_UTC, LC_TIME_OFFSET, LC_TIME_NAIVE };
#define LC_TIME_TEXT_MAX 40

/* 2026-01-09T01:30:00.123456Z, …+08:00 in zone, or without a zone in zone; microseconds, rounded
 * down. Writes no NUL, returns the length (< LC_TIME_TEXT_MAX). Fast: called per tick, it keeps
 * no state. */
size_t lc_time_format(
	int64_t unix_ns, enum lc_time_format format, const struct lc_zone *zone, char *out);

/* Reads ISO 8601: date, 'T' or ' ', time, any fraction length (cut at ns), then Z, ±hh:mm, ±hhmm
 * or nothing (then naive_zone applies). The whole of text[0..len) must be one time.
 * LC_ERR_INVALID. */
enum lc_err lc_time_parse(
	const char *text, size_t len, const struct lc_zone *naive_zone, int64_t *unix_ns);

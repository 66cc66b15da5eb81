#include "livecore/zone.h"

#include "posix_tz_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX 262144
#define TRANSITIONS_MAX 16384
#define HEADER_BYTES 44
#define OFFSET_MAX 93600 /* 26 hours, RFC 8536 3.2 */
#define YEARS_CYCLE 400  /* the calendar, weekdays included, repeats after these */
#define CYCLE_S (INT64_C(146097) * 86400)
#define FIRST_RULE_YEAR 1800

struct transition {
	int64_t at_s;
	int32_t offset_s;
};

/* The footer's rule is written out as transitions for 400 years, so that a look-up is one search;
 * later times are taken back by whole cycles. */
struct lc_zone {
	int32_t first_s; /* the offset before the first transition */
	bool cyclic;     /* times after the last transition repeat the cycle before it */
	size_t count;
	struct transition transitions[];
};

/* One data block of a file (RFC 8536 3.1 and 3.2). */
struct block {
	uint64_t utc_count, standard_count, leap_count, time_count, type_count, char_count;
	const unsigned char *data;
	size_t len;
};

static uint32_t read_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_i64(const unsigned char *p)
{
	return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

/* Reads a header at *p and takes its block off; time_bytes is 4 or 8. */
static bool take_block(const unsigned char **p, const unsigned char *end, size_t time_bytes,
	char *version, struct block *out)
{
	if (end - *p < HEADER_BYTES || memcmp(*p, "TZif", 4) != 0) {
		return false;
	}
	const unsigned char *h = *p + 20;
	*version = (char)(*p)[4];
	*out = (struct block){
		.utc_count = read_u32(h),
		.standard_count = read_u32(h + 4),
		.leap_count = read_u32(h + 8),
		.time_count = read_u32(h + 12),
		.type_count = read_u32(h + 16),
		.char_count = read_u32(h + 20),
		.data = *p + HEADER_BYTES,
	};
	uint64_t len = out->time_count * (time_bytes + 1) + out->type_count * 6 + out->char_count +
		       out->leap_count * (time_bytes + 4) + out->standard_count + out->utc_count;
	if (len > (uint64_t)(end - out->data) || out->type_count == 0 || out->type_count > 256 ||
		out->time_count > TRANSITIONS_MAX) {
		return false;
	}
	out->len = (size_t)len;
	*p = out->data + len;
	return true;
}

static bool read_transitions(const struct block *block, size_t time_bytes, struct lc_zone *zone)
{
	const unsigned char *indexes = block->data + block->time_count * time_bytes;
	const unsigned char *types = indexes + block->time_count;
	for (size_t i = 0; i < block->type_count; i++) {
		int32_t offset = (int32_t)read_u32(types + i * 6);
		if (offset > OFFSET_MAX || offset < -OFFSET_MAX) {
			return false;
		}
	}
	zone->first_s = (int32_t)read_u32(types);
	for (size_t i = 0; i < block->time_count; i++) {
		const unsigned char *p = block->data + i * time_bytes;
		int64_t at = time_bytes == 8 ? read_i64(p) : (int32_t)read_u32(p);
		bool ascending = i == 0 || at > zone->transitions[i - 1].at_s;
		if (!ascending || indexes[i] >= block->type_count) {
			return false;
		}
		zone->transitions[i].at_s = at;
		zone->transitions[i].offset_s = (int32_t)read_u32(types + indexes[i] * 6);
	}
	zone->count = block->time_count;
	return true;
}

/* The text between the two newlines after a second block, without them. */
static bool take_footer(
	const unsigned char *p, const unsigned char *end, const char **text, size_t *len)
{
	if (p == end || *p != '\n') {
		return false;
	}
	p++;
	const unsigned char *newline = memchr(p, '\n', (size_t)(end - p));
	if (!newline) {
		return false;
	}
	*text = (const char *)p;
	*len = (size_t)(newline - p);
	return true;
}

/* At the same instant the later call wins: a rule for DST all year ends one year's where the next
 * begins. */
static void add_transition(struct lc_zone *zone, size_t from_file, struct transition next)
{
	bool after = zone->count == 0 || next.at_s > zone->transitions[zone->count - 1].at_s;
	if (after) {
		zone->transitions[zone->count++] = next;
	} else if (zone->count > from_file &&
		   next.at_s == zone->transitions[zone->count - 1].at_s) {
		zone->transitions[zone->count - 1] = next;
	}
}

/* Writes the rule out from the year of the last transition on; room for them was made. */
static void extend(struct lc_zone *zone, const struct posix_tz *rule)
{
	if (!rule->has_dst) {
		if (zone->count == 0) {
			zone->first_s = rule->std_s;
		}
		return;
	}
	struct lc_civil civil = {.year = FIRST_RULE_YEAR};
	if (zone->count) {
		int64_t days = zone->transitions[zone->count - 1].at_s / 86400;
		if (days > 1000000) {
			return; /* hostile: a last transition after the year 4700 */
		}
		if (days > -60000) {
			lc_civil_from_days((int32_t)days, &civil);
		}
	}
	size_t from_file = zone->count;
	/* Two years more than the cycle, because the last transition may lie before or after this
	 * year's. */
	for (int32_t year = civil.year; year <= civil.year + YEARS_CYCLE + 2; year++) {
		struct transition start = {posix_tz_start(rule, year), rule->dst_s};
		struct transition stop = {posix_tz_stop(rule, year), rule->std_s};
		add_transition(zone, from_file, start.at_s < stop.at_s ? start : stop);
		add_transition(zone, from_file, start.at_s < stop.at_s ? stop : start);
	}
	zone->cyclic = true;
}

enum lc_err lc_zone_parse(const void *data, size_t len, struct lc_zone **out)
{
	const unsigned char *p = data;
	const unsigned char *end = p + len;
	struct block block;
	char version;
	size_t time_bytes = 4;
	if (!take_block(&p, end, 4, &version, &block)) {
		return LC_ERR_INVALID;
	}
	struct posix_tz rule;
	bool has_rule = false;
	if (version >= '2') {
		const char *text;
		size_t text_len;
		time_bytes = 8;
		if (!take_block(&p, end, 8, &version, &block) ||
			!take_footer(p, end, &text, &text_len)) {
			return LC_ERR_INVALID;
		}
		has_rule = text_len > 0;
		if (has_rule && !posix_tz_parse(text, text_len, &rule)) {
			return LC_ERR_INVALID;
		}
	}
	size_t room = block.time_count + (has_rule && rule.has_dst ? 2 * (YEARS_CYCLE + 3) : 0);
	struct lc_zone *zone = calloc(1, sizeof *zone + room * sizeof zone->transitions[0]);
	if (!zone) {
		return LC_ERR_NOMEM;
	}
	if (!read_transitions(&block, time_bytes, zone)) {
		free(zone);
		return LC_ERR_INVALID;
	}
	if (has_rule) {
		extend(zone, &rule);
	}
	*out = zone;
	return LC_OK;
}

/* Names become paths, so they hold nothing that leads out of the folder. */
static bool is_zone_name(const char *name)
{
	size_t len = strspn(
		name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");
	return len > 0 && len < 64 && name[len] == '\0' && name[0] != '/';
}

/* Reads a regular file of at most `size` bytes whole. */
static enum lc_err read_file(const char *path, unsigned char *data, size_t size, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return errno == ENOENT || errno == ENOTDIR ? LC_ERR_NOT_FOUND : LC_ERR_IO;
	}
	struct stat info;
	enum lc_err err = LC_OK;
	*len = 0;
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || (size_t)info.st_size > size) {
		err = LC_ERR_INVALID;
	}
	while (err == LC_OK && *len < size) {
		ssize_t n = read(fd, data + *len, size - *len);
		if (n < 0 && errno != EINTR) {
			err = LC_ERR_IO;
		}
		if (n == 0) {
			break;
		}
		*len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return err;
}

static enum lc_err load_file(const char *path, struct lc_zone **out)
{
	unsigned char *data = malloc(FILE_BYTES_MAX);
	if (!data) {
		return LC_ERR_NOMEM;
	}
	size_t len;
	enum lc_err err = read_file(path, data, FILE_BYTES_MAX, &len);
	if (err == LC_OK) {
		err = lc_zone_parse(data, len, out);
	}
	free(data);
	return err;
}

enum lc_err lc_zone_load(const char *name, struct lc_zone **out, struct lc_error *err)
{
	if (!is_zone_name(name)) {
		return lc_error_set(
			err, LC_ERR_INVALID, "time zone '%.64s': not a zone name", name);
	}
	const char *folder = getenv("LIVECORE_ZONEINFO");
	if (!folder || !*folder) {
		folder = "/usr/share/zoneinfo";
	}
	char path[4096];
	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
		return lc_error_set(err, LC_ERR_INVALID, "LIVECORE_ZONEINFO is too long");
	}
	enum lc_err code = load_file(path, out);
	if (code == LC_ERR_NOT_FOUND && strcmp(name, "UTC") == 0) { /* needs no file */
		*out = calloc(1, sizeof **out);
		return *out ? LC_OK : lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	if (code == LC_ERR_NOT_FOUND) {
		return lc_error_set(err, code,
			"time zone '%s' is not in %s: check the name, or install the package "
			"tzdata (old names: tzdata-legacy)",
			name, folder);
	}
	if (code != LC_OK) {
		return lc_error_set(
			err, code, "time zone file %.150s: %s", path, lc_err_text(code));
	}
	return LC_OK;
}

void lc_zone_destroy(struct lc_zone *zone)
{
	free(zone);
}

int32_t lc_zone_offset(const struct lc_zone *zone, int64_t unix_s)
{
	if (!zone) {
		return 0;
	}
	if (zone->cyclic && unix_s >= zone->transitions[zone->count - 1].at_s) {
		int64_t past = unix_s - zone->transitions[zone->count - 1].at_s;
		unix_s -= (past / CYCLE_S + 1) * CYCLE_S;
	}
	size_t low = 0; /* the first transition after unix_s is in [low, high] */
	size_t high = zone->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (zone->transitions[middle].at_s <= unix_s) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low ? zone->transitions[low - 1].offset_s : zone->first_s;
}

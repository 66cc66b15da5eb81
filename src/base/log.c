#include "livecore/log.h"

#include "livecore/buf.h"
#include "livecore/clock.h"
#include "livecore/utf8.h"
#include "livecore/zone.h"
#include "log_priv.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULES_MAX 32
#define MODULE_NAME_MAX 32
#define KINDS 256 /* kinds of line that are watched for repetition; a power of two */
#define PROBES 8
#define LINE_BYTES_MAX 65536

/* How often one kind of line came in its current second. */
struct kind {
	uint64_t hash; /* 0: free */
	int64_t since_ns;
	uint32_t written;
	uint32_t repeated; /* left out since the last line written */
};

struct module_level {
	char name[MODULE_NAME_MAX];
	enum lc_log_level level;
};

struct levels {
	enum lc_log_level general;
	size_t count;
	struct module_level modules[MODULES_MAX];
};

struct lc_log {
	int fd; /* borrowed */
	bool json;
	bool torn; /* the last line went out only in part */
	struct levels levels;
	uint64_t dropped;          /* lines, in all */
	uint64_t dropped_reported; /* of these, how many a line has told of */
	struct kind kinds[KINDS];
	struct lc_buf line;
};

static const char *const level_names[] = {"trace", "debug", "info", "warn", "error", "off"};
static const char *const level_labels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};

/* FNV-1a; kinds are the program's own names, nobody can choose them. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++) {
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	}
	return hash * UINT64_C(0x100000001b3);
}

static struct kind *find_kind(
	struct lc_log *log, enum lc_log_level level, const char *module, const char *event)
{
	uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325) + level, module);
	hash = hash_text(hash, event) | 1;
	struct kind *oldest = NULL;
	for (size_t i = 0; i < PROBES; i++) {
		struct kind *kind = &log->kinds[((hash >> 8) + i) % KINDS];
		if (kind->hash == hash) {
			return kind;
		}
		if (!oldest ||
			(oldest->hash && (!kind->hash || kind->since_ns < oldest->since_ns))) {
			oldest = kind;
		}
	}
	log->dropped += oldest->repeated; /* no line of that kind can tell any more */
	*oldest = (struct kind){.hash = hash, .since_ns = INT64_MIN};
	return oldest;
}

/* True when the line is to be written; *repeated is how many were left out before it. */
static bool admit(struct kind *kind, int64_t mono_ns, uint32_t *repeated)
{
	if (kind->since_ns == INT64_MIN || mono_ns - kind->since_ns >= LC_NS_PER_S) {
		kind->since_ns = mono_ns;
		kind->written = 0;
	}
	if (kind->written >= LC_LOG_BURST) {
		kind->repeated += kind->repeated < UINT32_MAX;
		return false;
	}
	kind->written++;
	*repeated = kind->repeated;
	kind->repeated = 0;
	return true;
}

static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7f) {
			return false;
		}
	}
	return len > 0;
}

/* Letters of other alphabets stay readable; controls (C1 and DEL too, terminals obey them, and what
 * turns the direction of writing) do not get through. */
static void put_quoted(struct lc_buf *line, const char *text, size_t len)
{
	lc_buf_putc(line, '"');
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)text[i];
		size_t n = c < 0x80 ? 1 : lc_utf8_length(text + i, len - i);
		size_t steers = lc_utf8_steers(text + i, len - i);
		if (n == 0 || steers == 3) {
			lc_buf_puts(line, "\xEF\xBF\xBD");
			n = n ? n : 1;
		} else if (c == '\n') {
			lc_buf_puts(line, "\\n");
		} else if (steers) {
			lc_buf_printf(line, "\\u%04x", (unsigned)(unsigned char)text[i + n - 1]);
		} else {
			if (c == '"' || c == '\\') {
				lc_buf_putc(line, '\\');
			}
			lc_buf_append(line, text + i, n);
		}
		i += n;
	}
	lc_buf_putc(line, '"');
}

static void put_string(struct lc_buf *line, bool json, const char *text)
{
	if (!text) {
		lc_buf_puts(line, json ? "null" : "-");
		return;
	}
	size_t len = strlen(text);
	if (json) {
		lc_buf_json_string(line, text, len);
	} else if (is_plain(text, len) && strcmp(text, "-") != 0) {
		lc_buf_append(line, text, len);
	} else {
		put_quoted(line, text, len);
	}
}

static void put_double(struct lc_buf *line, bool json, double value)
{
	struct lc_decimal decimal;
	if (!isfinite(value)) {
		lc_buf_puts(line, json           ? "null"
				  : isnan(value) ? "nan"
				  : value < 0    ? "-inf"
						 : "inf");
	} else if (lc_decimal_from_double(value, &decimal) == LC_OK) {
		lc_buf_decimal(line, decimal);
	} else {
		lc_buf_printf(line, "%.17g", value);
	}
}

static void put_value(struct lc_buf *line, bool json, const struct lc_field *field)
{
	switch (field->type) {
	case LC_FIELD_STR:
		put_string(line, json, field->v.str);
		break;
	case LC_FIELD_INT:
		lc_buf_int(line, field->v.i);
		break;
	case LC_FIELD_UINT:
		lc_buf_uint(line, field->v.u);
		break;
	case LC_FIELD_DOUBLE:
		put_double(line, json, field->v.d);
		break;
	case LC_FIELD_BOOL:
		lc_buf_puts(line, field->v.b ? "true" : "false");
		break;
	case LC_FIELD_JSON:
		if (json && field->v.str) {
			lc_buf_puts(line, field->v.str);
		} else {
			put_string(line, json, field->v.str);
		}
		break;
	case LC_FIELD_END:
		break;
	}
}

static void put_field(struct lc_buf *line, bool json, const struct lc_field *field)
{
	if (json) {
		lc_buf_putc(line, ',');
		lc_buf_json_string(line, field->key, strlen(field->key));
		lc_buf_putc(line, ':');
	} else {
		lc_buf_putc(line, ' ');
		lc_buf_puts(line, field->key);
		lc_buf_putc(line, '=');
	}
	put_value(line, json, field);
}

static void put_head(struct lc_log *log, int64_t wall_ns, enum lc_log_level level,
	const char *module, const char *event)
{
	struct lc_buf *line = &log->line;
	char time[LC_TIME_TEXT_MAX];
	size_t time_len = lc_time_format(wall_ns, LC_TIME_UTC, NULL, time);
	if (!log->json) {
		lc_buf_append(line, time, time_len);
		lc_buf_printf(line, " %s %s %s", level_labels[level], module, event);
		return;
	}
	lc_buf_puts(line, "{\"ts\":");
	lc_buf_json_string(line, time, time_len);
	put_field(line, true, &LC_S("level", level_names[level]));
	put_field(line, true, &LC_S("module", module));
	put_field(line, true, &LC_S("event", event));
}

/* Writes what the descriptor takes now. poll() promises PIPE_BUF bytes on a pipe, even on one that
 * blocks, so pieces of that size never hold the loop. False when something is left. */
static bool put_bytes(int fd, const char *data, size_t len, size_t *done)
{
	for (*done = 0; *done < len;) {
		struct pollfd ready = {.fd = fd, .events = POLLOUT};
		if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) {
			return false;
		}
		size_t piece = len - *done < PIPE_BUF ? len - *done : PIPE_BUF;
		ssize_t n = write(fd, data + *done, piece);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return false;
		}
		*done += (size_t)n;
	}
	return true;
}

static bool send_line(struct lc_log *log)
{
	size_t done = 0;
	/* What is left of a torn line must not run into this one. */
	if (log->torn && !put_bytes(log->fd, "\n", 1, &done)) {
		return false;
	}
	log->torn = false;
	if (put_bytes(log->fd, log->line.data, log->line.len, &done)) {
		return true;
	}
	log->torn = done > 0;
	return false;
}

static struct module_level *find_module(struct levels *levels, const char *name, size_t len)
{
	for (size_t i = 0; i < levels->count; i++) {
		if (strlen(levels->modules[i].name) == len &&
			memcmp(levels->modules[i].name, name, len) == 0) {
			return &levels->modules[i];
		}
	}
	return NULL;
}

static bool parse_level(const char *text, size_t len, enum lc_log_level *out)
{
	for (size_t i = 0; i <= LC_LOG_OFF; i++) {
		if (strlen(level_names[i]) == len && memcmp(level_names[i], text, len) == 0) {
			*out = (enum lc_log_level)i;
			return true;
		}
	}
	return false;
}

/* One word of a spec: a level, or module=level. */
static bool apply_word(struct levels *levels, const char *word, size_t len)
{
	const char *equals = memchr(word, '=', len);
	if (!equals) {
		return parse_level(word, len, &levels->general);
	}
	size_t name_len = (size_t)(equals - word);
	enum lc_log_level level;
	if (name_len == 0 || name_len >= MODULE_NAME_MAX ||
		!parse_level(equals + 1, len - name_len - 1, &level)) {
		return false;
	}
	struct module_level *module = find_module(levels, word, name_len);
	if (!module) {
		if (levels->count == MODULES_MAX) {
			return false;
		}
		module = &levels->modules[levels->count++];
		memcpy(module->name, word, name_len);
		module->name[name_len] = '\0';
	}
	module->level = level;
	return true;
}

void log_write_at(struct lc_log *log, int64_t wall_ns, int64_t mono_ns, enum lc_log_level level,
	const char *module, const char *event, const struct lc_field *fields)
{
	assert(level < LC_LOG_OFF);
	uint32_t repeated = 0;
	if (!admit(find_kind(log, level, module, event), mono_ns, &repeated)) {
		return;
	}
	struct lc_buf *line = &log->line;
	lc_buf_clear(line);
	put_head(log, wall_ns, level, module, event);
	for (; fields && fields->type != LC_FIELD_END; fields++) {
		put_field(line, log->json, fields);
	}
	if (line->failed) { /* too long: the event still counts for more than its fields */
		lc_buf_clear(line);
		put_head(log, wall_ns, level, module, event);
		put_field(line, log->json, &LC_B("cut", true));
	}
	uint64_t dropped = log->dropped - log->dropped_reported;
	if (repeated) {
		put_field(line, log->json, &LC_U("repeated", repeated));
	}
	if (dropped) {
		put_field(line, log->json, &LC_U("dropped", dropped));
	}
	lc_buf_puts(line, log->json ? "}\n" : "\n");
	if (line->failed || !send_line(log)) {
		log->dropped += 1 + (uint64_t)repeated;
		return;
	}
	log->dropped_reported += dropped;
}

bool lc_log_is_news(struct lc_log_said *said, const char *text, int64_t mono_ns)
{
	uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), text) | 1;
	if (said->hash == hash && mono_ns - said->at_ns < 60 * LC_NS_PER_S) {
		return false;
	}
	*said = (struct lc_log_said){hash, mono_ns};
	return true;
}

uint64_t log_dropped(const struct lc_log *log)
{
	return log->dropped;
}

enum lc_err lc_log_create(int fd, bool json, enum lc_log_level level, struct lc_log **out)
{
	struct lc_log *log = calloc(1, sizeof *log);
	if (!log) {
		return LC_ERR_NOMEM;
	}
	log->fd = fd;
	log->json = json;
	log->levels.general = level;
	lc_buf_init(&log->line, LINE_BYTES_MAX);
	*out = log;
	return LC_OK;
}

void lc_log_destroy(struct lc_log *log)
{
	if (log) {
		lc_buf_finish(&log->line);
		free(log);
	}
}

/* Into levels, whose default stays when the spec names none. */
static enum lc_err parse_levels(const char *spec, struct levels *levels, struct lc_error *err)
{
	for (const char *word = spec;; word++) {
		size_t len = strcspn(word, ",");
		if (!apply_word(levels, word, len)) {
			return lc_error_set(err, LC_ERR_INVALID,
				"log level '%.*s': expected trace, debug, info, warn, error or "
				"off, or module=level",
				(int)(len < 64 ? len : 64), word);
		}
		word += len;
		if (!*word) {
			break;
		}
	}
	return LC_OK;
}

enum lc_err lc_log_set_levels(struct lc_log *log, const char *spec, struct lc_error *err)
{
	/* The modules are those of the spec alone. */
	struct levels levels = {.general = log->levels.general};
	enum lc_err rc = parse_levels(spec, &levels, err);
	if (rc == LC_OK) {
		log->levels = levels;
	}
	return rc;
}

enum lc_err lc_log_check_levels(const char *spec, struct lc_error *err)
{
	struct levels levels = {.general = LC_LOG_INFO};
	return parse_levels(spec, &levels, err);
}

void lc_log_set_json(struct lc_log *log, bool json)
{
	log->json = json;
}

bool lc_log_enabled(const struct lc_log *log, enum lc_log_level level, const char *module)
{
	for (size_t i = 0; i < log->levels.count; i++) {
		if (strcmp(log->levels.modules[i].name, module) == 0) {
			return level >= log->levels.modules[i].level && level < LC_LOG_OFF;
		}
	}
	return level >= log->levels.general && level < LC_LOG_OFF;
}

void lc_log_write(struct lc_log *log, enum lc_log_level level, const char *module,
	const char *event, const struct lc_field *fields)
{
	static const struct lc_clock machine;
	log_write_at(
		log, lc_clock_wall_ns(&machine), lc_clock_mono_ns(), level, module, event, fields);
}

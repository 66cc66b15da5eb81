/* The process's log: an event and key=value fields, as text or JSON, to one file descriptor
 * (stderr). Loop thread only. A line that repeats (same module, event and level) is collapsed:
 * at most LC_LOG_BURST a second of one kind, then `repeated=N` on the next. Values are escaped,
 * so that what the network sent cannot forge a line. A descriptor that takes no more never holds
 * the loop: the line is dropped, and `dropped=N` is on the next that goes out. Secrets are never
 * passed in. */
#pragma once

#include "livecore/decimal.h"
#include "livecore/error.h"

#include <stdbool.h>
#include <stdint.h>

#define LC_LOG_BURST 10

enum lc_log_level {
	LC_LOG_TRACE,
	LC_LOG_DEBUG,
	LC_LOG_INFO,
	LC_LOG_WARN,
	LC_LOG_ERROR,
	LC_LOG_OFF
};

enum lc_field_type {
	LC_FIELD_END,
	LC_FIELD_STR,
	LC_FIELD_INT,
	LC_FIELD_UINT,
	LC_FIELD_DOUBLE,
	LC_FIELD_BOOL,
	LC_FIELD_JSON
};

/* One key and value of a log line or a system event. Strings are borrowed for the call. */
struct lc_field {
	const char *key;
	enum lc_field_type type;
	union {
		const char *str; /* NULL is written as null (JSON) or - (text) */
		int64_t i;
		uint64_t u;
		double d;
		bool b;
	} v;
};

#define LC_S(name, value) ((struct lc_field){.key = (name), .type = LC_FIELD_STR, .v.str = (value)})
#define LC_I(name, value) ((struct lc_field){.key = (name), .type = LC_FIELD_INT, .v.i = (value)})
#define LC_U(name, value) ((struct lc_field){.key = (name), .type = LC_FIELD_UINT, .v.u = (value)})
#define LC_D(name, value) \
	((struct lc_field){.key = (name), .type = LC_FIELD_DOUBLE, .v.d = (value)})
#define LC_B(name, value) ((struct lc_field){.key = (name), .type = LC_FIELD_BOOL, .v.b = (value)})
/* A value that is JSON text already (arrays of symbols in events). */
#define LC_J(name, value) \
	((struct lc_field){.key = (name), .type = LC_FIELD_JSON, .v.str = (value)})

struct lc_log;

/* fd is borrowed. json: one JSON object a line instead of text. */
enum lc_err lc_log_create(int fd, bool json, enum lc_log_level level, struct lc_log **out);
void lc_log_destroy(struct lc_log *log);

/* "info", or a default and modules: "info,feeder=debug,kafka=warn". LC_ERR_INVALID names the
 * word. */
enum lc_err lc_log_set_levels(struct lc_log *log, const char *spec, struct lc_error *err);
/* Would lc_log_set_levels() take it? Whether its modules exist is not known here. */
enum lc_err lc_log_check_levels(const char *spec, struct lc_error *err);
void lc_log_set_json(struct lc_log *log, bool json);

bool lc_log_enabled(const struct lc_log *log, enum lc_log_level level, const char *module);
/* fields ends with type LC_FIELD_END. module and event are static strings in snake_case. */
void lc_log_write(struct lc_log *log, enum lc_log_level level, const char *module,
	const char *event, const struct lc_field *fields);

/* For what is tried and fails again and again: true when text is not what was said last, or a
 * minute ago. Zero: nothing was said; set it to zero again when what failed is well. */
struct lc_log_said {
	uint64_t hash;
	int64_t at_ns;
};
bool lc_log_is_news(struct lc_log_said *said, const char *text, int64_t mono_ns);

/* lc_log(log, LC_LOG_INFO, "feeder", "connected", LC_S("feeder", name), LC_I("attempt", n)) */
#define lc_log(log, level, module, event, ...)                                              \
	do {                                                                                \
		if (lc_log_enabled((log), (level), (module))) {                             \
			lc_log_write((log), (level), (module), (event),                     \
				(const struct lc_field[]){                                  \
					__VA_ARGS__ __VA_OPT__(, ){.type = LC_FIELD_END}}); \
		}                                                                           \
	} while (0)

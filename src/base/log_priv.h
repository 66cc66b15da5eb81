/* The log's inside: writing with given times, so that collapsing can be tested without waiting.
 * Loop thread only. */
#pragma once

#include "livecore/log.h"

/* As lc_log_write(). wall_ns is what the line says, mono_ns decides what is collapsed. */
void log_write_at(struct lc_log *log, int64_t wall_ns, int64_t mono_ns, enum lc_log_level level,
	const char *module, const char *event, const struct lc_field *fields);

/* Lines lost because the descriptor took no more. */
uint64_t log_dropped(const struct lc_log *log);

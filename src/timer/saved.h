/* The timer's memory between two runs: up to which scheduled time each rule is done. One small
 * file, replaced atomically. What it says counts only for a rule whose schedule is still the same.
 * Reading and writing block: at start, and in the pool. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"

#include <stddef.h>
#include <stdint.h>

struct timer_saved_rule {
	char *name, *schedule; /* owned */
	int64_t done_ns;
};

struct timer_saved {
	struct timer_saved_rule *items; /* owned */
	size_t count;
};

/* LC_ERR_NOT_FOUND: there is no file yet. LC_ERR_INVALID: it cannot be read, err says why; it is to
 * be passed over. */
enum lc_err timer_saved_read(const char *path, struct timer_saved *out, struct lc_error *err);
enum lc_err timer_saved_parse(
	const char *data, size_t len, struct timer_saved *out, struct lc_error *err);
void timer_saved_finish(struct timer_saved *saved);
/* Both must be equal. */
const struct timer_saved_rule *timer_saved_find(
	const struct timer_saved *saved, const char *name, const char *schedule);

/* The file's content, built rule by rule. */
void timer_saved_begin(struct lc_buf *out);
void timer_saved_add(struct lc_buf *out, const char *name, const char *schedule, int64_t done_ns);
void timer_saved_end(struct lc_buf *out);

/* Makes the directory when it is missing, writes path.new, syncs it and renames it over path. */
enum lc_err timer_saved_write(const char *path, const char *data, size_t len, struct lc_error *err);

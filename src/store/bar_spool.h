/* The bar store's spool: bars that wait on disk while the store is down, first in, first out. One
 * directory of append-only segments; every record has its length and a checksum, so a torn tail
 * (power cut, full disk) is cut off when it is opened. Bounded: the oldest segment is given up for
 * the newest bars. Every function blocks: pool threads only, one at a time for each struct. It
 * never logs and never reads time. */
#pragma once

#include "livecore/bar_store.h"

#include <limits.h>

struct bar_segment {
	uint64_t id;    /* names the file; ascending */
	uint64_t bytes; /* of whole records */
	uint64_t rows;
};

struct bar_spool {
	char dir[PATH_MAX - 128];
	uint64_t limit;               /* bytes of all segments */
	struct bar_segment *segments; /* owned, oldest first */
	size_t count;
	uint64_t bytes, rows; /* of all segments, without what was read from the oldest */
	uint64_t read_offset; /* in the oldest segment */
	uint64_t read_rows;   /* of it, before read_offset */
	uint64_t peeked_bytes, peeked_rows; /* what bar_spool_take() takes away; 0 when given up */
	int lock_fd, append_fd;             /* -1: not held, not open */
	uint64_t given_up;        /* rows lost: for want of room, or damaged; never reset */
	uint64_t damaged_records; /* places where a segment could not be read on; never reset */
};

/* Sets the struct up; touches nothing on disk. */
void bar_spool_prepare(struct bar_spool *spool, const char *dir, uint64_t limit);
/* Makes or opens the directory (its parents too), takes its lock, cuts off a torn tail. Errors:
 * LC_ERR_EXISTS (another process has it), LC_ERR_IO, LC_ERR_NOMEM. Nothing stays open then. */
enum lc_err bar_spool_open(struct bar_spool *spool, struct lc_error *err);
/* Appends and syncs all rows, or none (LC_ERR_IO, LC_ERR_NOMEM). */
enum lc_err bar_spool_append(
	struct bar_spool *spool, const struct lc_bar_row *rows, size_t count, struct lc_error *err);
/* The oldest rows, at most max of them, without taking them away; *count 0: it is empty. */
enum lc_err bar_spool_peek(struct bar_spool *spool, struct lc_bar_row *rows, size_t max,
	size_t *count, struct lc_error *err);
/* Takes the rows of the last peek away, unless they were given up since. A crash brings some back:
 * writing a bar again is harmless. */
void bar_spool_take(struct bar_spool *spool);
void bar_spool_close(struct bar_spool *spool);

/* The log's memory, as one file on a tmpfs: what is not on disk yet outlives a process that is
 * killed, and the loop writes it without a system call. (Not a disk's file: the kernel may hold a
 * store to one until the disk answers.) Its buffers are segments' data; each has a page before it
 * that says which records are complete. Loop thread; the pool may read a buffer and seal its
 * records. A reboot takes it away, as a power failure takes what is not synced. */
#pragma once

#include "livecore/journal_file.h"

#include <stdatomic.h>

#define JOURNAL_SPARES 2 /* buffers whose space is kept, so that a steady flow asks for none */

struct journal_shared;

/* Before a buffer's data. A reader believes `used` bytes: it is stored after they are. */
struct journal_shared_head {
	_Atomic uint64_t first_id; /* 0: nothing here that is not elsewhere */
	_Atomic uint32_t used;
};

/* Makes a new file for the log in log_dir, in the folder memory_dir, beside the one that an earlier
 * process left; journal_shared_adopt() puts it in its place. count: buffers, of data_bytes each;
 * space is taken as they are. Errors (err says why): LC_ERR_IO, LC_ERR_NOMEM. */
enum lc_err journal_shared_create(const char *memory_dir, const char *log_dir, uint32_t data_bytes,
	size_t count, struct journal_shared **out, struct lc_error *err);
enum lc_err journal_shared_adopt(struct journal_shared *shared, struct lc_error *err);
/* All that stands in it is on disk, or reported: the next process needs no file. */
void journal_shared_remove(struct journal_shared *shared);
/* An adopted file stays, unless it was removed. NULL is allowed. */
void journal_shared_destroy(struct journal_shared *shared);

/* NULL: no buffer is left, or the tmpfs is full. */
char *journal_shared_take(struct journal_shared *shared);
/* False: it is none of these. The space of all but a few is given back. */
bool journal_shared_give(struct journal_shared *shared, char *data);
/* Records from first_id on will stand in it. NULL for data that is not one of its buffers. */
struct journal_shared_head *journal_shared_begin(
	struct journal_shared *shared, char *data, uint64_t first_id);
void journal_shared_commit(struct journal_shared_head *head, uint32_t used);
/* What stands in it is reported, or on disk. */
void journal_shared_forget(struct journal_shared_head *head);
/* The names that records' sources point to. */
void journal_shared_name(struct journal_shared *shared, size_t source, const char *name);

/* What an earlier process left: one of its buffers. Borrowed until the reader is destroyed. */
struct journal_shared_found {
	uint64_t first_id;
	const char *data;
	uint32_t used;
};
struct journal_shared_reader;

/* LC_ERR_NOT_FOUND: it left none; LC_ERR_INVALID: it is not sound; LC_ERR_NOMEM. */
enum lc_err journal_shared_open(
	const char *memory_dir, const char *log_dir, struct journal_shared_reader **out);
/* So many segments of this size hold all of it. */
size_t journal_shared_segments(const struct journal_shared_reader *reader, uint32_t data_bytes);
/* In ascending order; false at the end. */
bool journal_shared_next(struct journal_shared_reader *reader, struct journal_shared_found *out);
/* Is it still what stands there, while its process goes on? */
bool journal_shared_stands(const struct journal_shared_found *found);
/* NULL: none. */
const char *journal_shared_source(const struct journal_shared_reader *reader, uint8_t source);
void journal_shared_close(struct journal_shared_reader *reader);

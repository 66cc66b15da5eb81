/* The parts of finding a log again: its files, then the memory of the process before. Loop thread,
 * before the loop runs, but for what is said to run in the pool; never leaves this folder. */
#pragma once

#include "journal_priv.h"

#define JOURNAL_SEGMENT_MAX (4 * LC_JOURNAL_SEGMENT)

struct journal_found_file {
	uint32_t slot;
	/* LC_OK; LC_ERR_NOT_FOUND: not in use; of what is put aside: LC_ERR_INVALID,
	 * LC_ERR_UNSUPPORTED, LC_ERR_IO, LC_ERR_EXISTS: another one has its records */
	enum lc_err state;
	int error; /* with LC_ERR_IO: what errno was */
	struct lc_journal_head head;
};

/* One file, as the pool read it. */
struct journal_read {
	const struct journal_found_file *file;
	char *data; /* owned: its records */
	size_t data_bytes;
	struct lc_journal_marks marks;
	bool marks_damaged;
	struct lc_journal_scan scan; /* at the end of what is sound */
	int error;                   /* what errno was: nothing of it could be read */
};

struct journal_finder {
	struct journal_store *store;
	struct lc_journal_progress progress;
	struct journal_found_file *files; /* owned */
	size_t count, max;
	struct journal_read read;
	bool awaiting; /* a job of the pool */
	uint64_t read_bytes, said_bytes;
	int64_t oldest_ns;         /* market data before it is not sent */
	int64_t first_ns, last_ns; /* of the records found so far; 0: none */
	bool torn;                 /* after the last one, something could not be read */
	uint64_t after_files;      /* the id that follows what the files hold */
};

/* journal_recover.c: what both ask for */
enum lc_err journal_recover_nomem(struct lc_error *err);
bool journal_recover_is_expired(
	const struct journal_finder *finder, const struct lc_journal_entry *entry);
void journal_recover_count(
	struct lc_journal_recovery *recovery, const struct lc_journal_entry *entry);

/* journal_recover_read.c: in the pool, while the loop turns. The states and heads of all files; one
 * file's marks and sound records. */
void journal_recover_read_heads(struct journal_finder *finder);
void journal_recover_read_file(
	struct journal_finder *finder, const struct journal_found_file *file);

/* journal_recover_damage.c: a record is found; a file ends in the middle; and nothing is behind it,
 * nor in memory. Then what is no good is put aside. */
void journal_recover_seen(struct journal_finder *finder, const struct lc_journal_entry *entry);
void journal_recover_torn(struct journal_finder *finder, const struct segment *segment);
void journal_recover_torn_end(struct journal_finder *finder);
void journal_recover_set_aside(struct journal_finder *finder);

/* journal_recover_files.c: what is on disk */
enum lc_err journal_recover_files(
	struct journal_finder *finder, size_t memory_bytes, struct lc_error *err);

/* journal_recover_memory.c: what is in memory that outlived its process. It is in the new memory
 * before the old file goes. LC_ERR_NOMEM. */
enum lc_err journal_recover_memory(struct journal_finder *finder);

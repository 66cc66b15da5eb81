/* The parts of finding a log again: its files, then the memory of the process before. Loop thread,
 * before the loop runs; never leaves this folder. */
#pragma once

#include "journal_priv.h"

#define JOURNAL_SEGMENT_MAX (4 * LC_JOURNAL_SEGMENT)

struct journal_found_file {
	uint32_t slot;
	enum lc_err state; /* LC_OK, LC_ERR_NOT_FOUND: not in use, LC_ERR_INVALID */
	struct lc_journal_head head;
};

struct journal_finder {
	struct journal_store *store;
	struct journal_found_file *files; /* owned */
	size_t count, max;
	char *data; /* owned: a file's records */
	size_t data_bytes;
	uint64_t read_bytes, said_bytes;
	int64_t oldest_ns; /* market data before it is not sent */
};

/* journal_recover.c: what both ask for */
enum lc_err journal_recover_nomem(struct lc_error *err);
bool journal_recover_is_expired(
	const struct journal_finder *finder, const struct lc_journal_entry *entry);
void journal_recover_count(
	struct lc_journal_recovery *recovery, const struct lc_journal_entry *entry);

/* journal_recover_files.c: what is on disk */
enum lc_err journal_recover_files(
	struct journal_finder *finder, size_t memory_bytes, struct lc_error *err);

/* journal_recover_memory.c: what is in memory that outlived its process. It is in the new memory
 * before the old file goes. LC_ERR_NOMEM. */
enum lc_err journal_recover_memory(struct journal_finder *finder);

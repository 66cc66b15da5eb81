/* A file of the log: a page that says what it is, a page of marks, and records. Pure functions over
 * bytes, any one thread; nothing here opens a file. What is read may be anything: it is never
 * trusted before its checksum fits. Numbers are in the machine's order (little endian everywhere
 * livecore runs; a file of another order has another magic).
 *
 *   0     head: magic, version, the id of its first record, a salt, how many bytes of records fit
 *   4096  marks: a checksum, the feeders' last event times, a bit a record that is reported
 *   8192  records, each with a checksum seeded with the salt; 8 zero bytes end them
 *
 * A file is used again for later records with another salt, so what is left of the old ones never
 * passes for new. Head and marks are written in a page each: a process that is killed while it
 * writes leaves the old page or the new. */
#pragma once

#include "livecore/journal.h"

#define LC_JOURNAL_PAGE 4096
#define LC_JOURNAL_DATA (2 * LC_JOURNAL_PAGE) /* where records begin */
#define LC_JOURNAL_MARK_WORDS 478             /* 64 records each */
#define LC_JOURNAL_RECORDS (LC_JOURNAL_MARK_WORDS * 64)
#define LC_JOURNAL_NO_SOURCE UINT8_MAX
#define LC_JOURNAL_NAME_BYTES 32 /* of a file's name, with its NUL */

/* What stands before each record's key, traceparent and value, in memory and on disk. */
struct lc_journal_entry {
	uint32_t checksum; /* CRC-32 of all that follows, seeded; made when it is written to disk */
	uint32_t size;     /* of the whole entry, a multiple of 8 */
	uint64_t id;
	int64_t timestamp_ns, received_mono_ns, event_ns;
	uint32_t key_len, value_len;
	uint8_t topic, schema, replayed;
	uint8_t source; /* index into the sources of the marks, or LC_JOURNAL_NO_SOURCE */
	/* LC_TRACEPARENT_LEN, or 0: none. Files older than this field have a 0 here; a livecore
	 * older than it takes what has a trace for torn, and says so. */
	uint8_t trace_len;
	uint8_t unused[3];
};

struct lc_journal_head {
	uint64_t first_id;
	int64_t created_ns;
	uint32_t salt;
	uint32_t data_bytes;
};

struct lc_journal_marks {
	uint32_t source_count;
	struct lc_journal_source sources[LC_JOURNAL_SOURCES];
	uint64_t reported[LC_JOURNAL_MARK_WORDS];
};

#define LC_JOURNAL_SLOTS 100000000 /* numbers that a name has room for */
/* "00000012.log" */
void lc_journal_file_name(uint32_t slot, char out[LC_JOURNAL_NAME_BYTES]);
bool lc_journal_file_slot(const char *name, uint32_t *slot);

void lc_journal_head_write(const struct lc_journal_head *head, char page[LC_JOURNAL_PAGE]);
/* LC_ERR_NOT_FOUND: a file that is not in use; LC_ERR_UNSUPPORTED: of a later version;
 * LC_ERR_INVALID: damaged, or none of ours. */
enum lc_err lc_journal_head_read(const char page[LC_JOURNAL_PAGE], struct lc_journal_head *out);

void lc_journal_marks_write(
	const struct lc_journal_marks *marks, uint32_t salt, char page[LC_JOURNAL_PAGE]);
/* LC_ERR_NOT_FOUND: those of an earlier use of the file; LC_ERR_INVALID: damaged. *out is empty
 * then: what was reported is sent once more. */
enum lc_err lc_journal_marks_read(
	const char page[LC_JOURNAL_PAGE], uint32_t salt, struct lc_journal_marks *out);
bool lc_journal_marked(const uint64_t *reported, uint32_t index);

/* Makes the checksums of the records between two offsets. */
void lc_journal_seal(char *data, uint32_t from, uint32_t to, uint32_t salt);

/* Walks records whose bytes are sound. */
struct lc_journal_scan {
	const char *data; /* borrowed; aligned to 8 bytes */
	size_t len;
	uint64_t next_id;
	uint32_t salt;
	bool unsealed;          /* no checksums: memory, where a record is complete or not there */
	uint32_t used, records; /* behind what was given out */
	bool torn;              /* after the last one: there are bytes that are no whole record */
};
void lc_journal_scan_begin(struct lc_journal_scan *scan, const struct lc_journal_head *head,
	const char *data, size_t len);
/* The same in memory that an earlier process filled. */
void lc_journal_scan_memory(
	struct lc_journal_scan *scan, uint64_t first_id, const char *data, size_t len);
/* The next one, or NULL at the end. */
const struct lc_journal_entry *lc_journal_scan_next(struct lc_journal_scan *scan);

/* When what it says happened: of a tick, its event. */
int64_t lc_journal_entry_time(const struct lc_journal_entry *entry);
const char *lc_journal_entry_key(const struct lc_journal_entry *entry);
/* NULL: no trace is known. */
const char *lc_journal_entry_traceparent(const struct lc_journal_entry *entry);
const char *lc_journal_entry_value(const struct lc_journal_entry *entry);
uint32_t lc_journal_entry_size(size_t key_len, size_t trace_len, size_t value_len);

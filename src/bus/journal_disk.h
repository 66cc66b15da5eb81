/* The folder of a log: its lock, and what is done to its files. Everything here blocks: it runs in
 * the pool, or before the loop does. Knows nothing of segments. */
#pragma once

#include "livecore/journal_file.h"

enum disk_action {
	DISK_CREATE,  /* makes a file, with its space reserved: all of it, or none */
	DISK_HEAD,    /* data: marks page, then head page */
	DISK_RECORDS, /* data: a segment's bytes; from … to are written */
	DISK_MARKS,   /* data: marks page */
	DISK_FREE,    /* the file says that it is not in use */
	DISK_UNLINK,
	DISK_SYNC,
};

struct disk_step {
	enum disk_action action;
	uint32_t slot;
	uint32_t from, to, salt; /* DISK_RECORDS */
	char *data;              /* borrowed until it is done */
	void *owner;             /* the caller's */
};

struct journal_disk {
	char *path; /* owned */
	int dir_fd, lock_fd;
	uint32_t data_bytes; /* of records in each new file */
};

/* Makes the folder and takes its lock. Errors: LC_ERR_EXISTS (another process has it), LC_ERR_IO,
 * LC_ERR_NOMEM. */
enum lc_err journal_disk_open(
	const char *path, uint32_t data_bytes, struct journal_disk **out, struct lc_error *err);
void journal_disk_close(struct journal_disk *disk); /* gives the lock back */

/* 0, or what errno was. */
int journal_disk_do(const struct journal_disk *disk, const struct disk_step *step);
/* Reads len bytes from offset on into data; *got may be less where the file ends. */
int journal_disk_read(const struct journal_disk *disk, uint32_t slot, uint64_t offset, char *data,
	size_t len, size_t *got);
/* Bytes that a file takes. */
uint64_t journal_disk_file_bytes(const struct journal_disk *disk);

/* The mark of an orderly end: the id that comes next, and the feeders' last event times, since the
 * files may all be gone. Taken away when the log is opened. */
struct journal_clean {
	uint64_t next_id;
	struct lc_journal_marks marks; /* its sources */
};
int journal_disk_write_clean(const struct journal_disk *disk, const struct journal_clean *clean);
bool journal_disk_take_clean(const struct journal_disk *disk, struct journal_clean *out);

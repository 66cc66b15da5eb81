/* A log's folder as a person wants it: what its files hold, and whether they are sound. Reads files
 * and never changes, locks or makes one, so it works beside the process that has the log. */
#pragma once

#include "livecore/journal_file.h"
#include "livecore/journal_memory.h"

struct lc_journal_file_view {
	char name[LC_JOURNAL_NAME_BYTES];
	enum lc_err state; /* LC_OK, LC_ERR_NOT_FOUND: not in use, LC_ERR_INVALID, LC_ERR_IO */
	bool torn, marks_damaged;
	uint64_t first_id;
	uint32_t records, unmarked;
	uint64_t bytes;
	int64_t first_ns, last_ns; /* of the records' timestamps */
};

struct lc_journal_view {
	struct lc_journal_file_view *files; /* owned; by first id */
	size_t count, max;
	char holder[24]; /* the process that has it; "" : none */
	bool clean;      /* its last process ended in order */
	uint64_t records, unmarked;
	uint64_t topics[LC_TOPICS_OUT], unmarked_topics[LC_TOPICS_OUT];
	int64_t first_ns, last_ns;
	struct lc_journal_memory memory; /* what is in no file */
};

/* LC_ERR_IO (err says why), LC_ERR_NOMEM. */
enum lc_err lc_journal_view_read(const char *dir, const char *memory_dir,
	struct lc_journal_view *view, struct lc_error *err);
void lc_journal_view_finish(struct lc_journal_view *view);
/* What is wrong with a file, or NULL. While a process writes, its last record may be half there. */
const char *lc_journal_view_problem(
	const struct lc_journal_view *view, const struct lc_journal_file_view *file);
/* The same of its memory. */
const char *lc_journal_view_memory_problem(const struct lc_journal_view *view);
const char *lc_journal_view_topic(int topic);

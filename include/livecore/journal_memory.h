/* What stands in the memory of a log (journal.memory_dir) and not in its files: what the next
 * process would take over if this one were killed, or what one that was killed left. For people:
 * reads only, any one thread, also beside the process that writes it. */
#pragma once

#include "livecore/error.h"

#include <stdint.h>

struct lc_journal_memory {
	enum lc_err state; /* LC_OK; LC_ERR_NOT_FOUND: there is none; LC_ERR_INVALID: no good */
	uint64_t records, bytes;
	uint64_t torn; /* buffers that end in half a record: that and what follows is not read */
};

/* Records below first_id are in the log's files, and not counted. Checked as at the start of a
 * process. LC_ERR_NOMEM. */
enum lc_err lc_journal_memory_read(const char *memory_dir, const char *log_dir, uint64_t first_id,
	struct lc_journal_memory *out);

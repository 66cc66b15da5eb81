#include "livecore/journal_memory.h"

#include "journal_shared.h"

#include <stdlib.h>
#include <string.h>

static void count_records(struct lc_journal_memory *out, const struct journal_shared_found *found,
	const char *copy, uint64_t first_id)
{
	struct lc_journal_scan scan;
	const struct lc_journal_entry *entry;
	lc_journal_scan_memory(&scan, found->first_id, copy, found->used);
	while ((entry = lc_journal_scan_next(&scan))) {
		if (entry->id >= first_id) {
			out->records++;
			out->bytes += entry->size;
		}
	}
	out->torn += scan.torn;
}

/* Its process may fill the buffer with other records meanwhile: a copy is believed that was taken
 * of the same ones. */
static enum lc_err read_buffer(
	struct lc_journal_memory *out, const struct journal_shared_found *found, uint64_t first_id)
{
	char *copy = malloc(found->used);
	if (!copy) {
		return LC_ERR_NOMEM;
	}
	memcpy(copy, found->data, found->used);
	if (journal_shared_stands(found)) {
		count_records(out, found, copy, first_id);
	}
	free(copy);
	return LC_OK;
}

enum lc_err lc_journal_memory_read(const char *memory_dir, const char *log_dir, uint64_t first_id,
	struct lc_journal_memory *out)
{
	struct journal_shared_reader *reader;
	struct journal_shared_found found;
	*out = (struct lc_journal_memory){.state = LC_ERR_NOT_FOUND};
	enum lc_err rc = memory_dir[0] ? journal_shared_open(memory_dir, log_dir, &reader)
				       : LC_ERR_NOT_FOUND;
	if (rc == LC_ERR_NOMEM) {
		return rc;
	}
	out->state = rc;
	if (rc != LC_OK) {
		return LC_OK;
	}
	while (rc == LC_OK && journal_shared_next(reader, &found)) {
		rc = read_buffer(out, &found, first_id);
	}
	journal_shared_close(reader);
	return rc;
}

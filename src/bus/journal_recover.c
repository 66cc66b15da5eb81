/* Finding the log again, before the loop runs. */
#include "journal_recover.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENTS_OF_LIMIT 16 /* a limit is at least so many segments */

enum lc_err journal_recover_nomem(struct lc_error *err)
{
	return lc_error_set(err, LC_ERR_NOMEM, "out of memory for the log on disk");
}

bool journal_recover_is_expired(
	const struct journal_finder *finder, const struct lc_journal_entry *entry)
{
	return entry->schema == LC_SCHEMA_PRICE_UPDATE && entry->timestamp_ns < finder->oldest_ns;
}

void journal_recover_count(
	struct lc_journal_recovery *recovery, const struct lc_journal_entry *entry)
{
	recovery->records++;
	recovery->last_ns = entry->timestamp_ns > recovery->last_ns ? entry->timestamp_ns
								    : recovery->last_ns;
}

static void say_found(const struct journal_store *store)
{
	const struct lc_journal_recovery *recovery = &store->journal->recovery;
	if (recovery->found) {
		lc_log(lc_loop_log(store->loop), LC_LOG_INFO, "journal", "found",
			LC_S("dir", store->disk->path),
			LC_S("end", recovery->clean ? "clean" : "not clean"),
			LC_U("records", recovery->records), LC_U("to_send", recovery->to_send),
			LC_U("expired", recovery->expired), LC_U("torn", recovery->torn),
			LC_U("damaged", recovery->damaged));
	}
}

static void end_finding(struct journal_store *store)
{
	struct lc_journal *journal = store->journal;
	journal->unsent = journal->appended;
	journal->recovery.source_count = store->source_count;
	memcpy(journal->recovery.sources, store->sources, sizeof store->sources);
	if (journal->recovery.expired == 0) {
		losses_destroy(store->losses);
		store->losses = NULL;
		journal_adopt_memory(store);
	} /* else when they are told */
	say_found(store);
}

static uint32_t segment_bytes(size_t memory_bytes, int64_t max_bytes)
{
	size_t smaller = (uint64_t)max_bytes < memory_bytes ? (size_t)max_bytes : memory_bytes;
	size_t bytes = smaller / SEGMENTS_OF_LIMIT / LC_JOURNAL_PAGE * LC_JOURNAL_PAGE;
	bytes = bytes < LC_JOURNAL_SEGMENT ? LC_JOURNAL_SEGMENT : bytes;
	return (uint32_t)(bytes > JOURNAL_SEGMENT_MAX ? JOURNAL_SEGMENT_MAX : bytes);
}

enum lc_err lc_journal_open(struct lc_loop *loop, const char *dir, size_t memory_bytes,
	const struct lc_journal_config *config, struct lc_journal_progress progress,
	struct lc_journal **out, struct lc_error *err)
{
	struct lc_journal *journal = calloc(1, sizeof *journal);
	struct journal_store *store = calloc(1, sizeof *store);
	if (!journal || !store) {
		free(journal);
		free(store);
		return journal_recover_nomem(err);
	}
	journal->store = store;
	store->journal = journal;
	store->loop = loop;
	store->config = config;
	journal->segment_bytes = segment_bytes(memory_bytes, config->max_bytes);
	struct journal_finder finder = {.store = store, .progress = progress};
	enum lc_err rc = journal_disk_open(dir, journal->segment_bytes, &store->disk, err);
	rc = rc ? rc : journal_recover_files(&finder, memory_bytes, err);
	if (rc == LC_OK && (journal_store_start(store) || journal_recover_memory(&finder))) {
		rc = journal_recover_nomem(err);
	}
	free(finder.files);
	free(finder.read.data);
	if (rc) {
		journal_store_destroy(store);
		return rc;
	}
	journal_recover_torn_end(&finder);
	end_finding(store);
	*out = journal;
	return LC_OK;
}

/* The memory of the log that an earlier process left: what was not on disk is appended anew, to a
 * memory of our own, before the old one goes. */
#include "journal_recover.h"

#include <string.h>

static enum lc_err append_found(struct journal_finder *finder,
	const struct journal_shared_reader *left, const struct lc_journal_entry *entry)
{
	struct lc_journal *journal = finder->store->journal;
	struct lc_journal_recovery *recovery = &journal->recovery;
	journal_recover_count(recovery, entry);
	finder->torn = finder->torn && entry->id != finder->after_files;
	journal_recover_seen(finder, entry);
	if (journal_recover_is_expired(finder, entry)) {
		recovery->expired++;
		return losses_add(finder->store->losses, entry);
	}
	const struct lc_record record = {
		.timestamp_ns = entry->timestamp_ns,
		.event_ns = entry->event_ns,
		.source = journal_shared_source(left, entry->source),
		.key = lc_journal_entry_key(entry),
		.value = lc_journal_entry_value(entry),
		.traceparent = lc_journal_entry_traceparent(entry),
		.key_len = entry->key_len,
		.value_len = entry->value_len,
		.topic = entry->topic,
		.schema = entry->schema,
		.replayed = true,
	};
	recovery->to_send++;
	return lc_journal_append(journal, &record);
}

static enum lc_err take_left(struct journal_finder *finder, struct journal_shared_reader *left)
{
	struct lc_journal *journal = finder->store->journal;
	const uint64_t after = journal->next_id; /* before it: on disk */
	finder->after_files = after;
	const size_t max_memory = journal->max_memory;
	journal->max_memory = journal->max_segments; /* the earlier process may have had more */
	struct journal_shared_found found;
	enum lc_err rc = LC_OK;
	while (rc == LC_OK && journal_shared_next(left, &found)) {
		journal->recovery.found = true;
		if (found.first_id > journal->next_id) { /* what was between is reported */
			journal->next_id = found.first_id;
			rc = journal_segment_new(journal, true) ? LC_OK : LC_ERR_NOMEM;
		}
		struct lc_journal_scan scan;
		lc_journal_scan_memory(&scan, found.first_id, found.data, found.used);
		const struct lc_journal_entry *entry;
		while (rc == LC_OK && (entry = lc_journal_scan_next(&scan))) {
			rc = entry->id < after ? LC_OK : append_found(finder, left, entry);
		}
		journal->recovery.torn += scan.torn;
	}
	journal->max_memory = max_memory;
	memset(finder->store->source_keys, 0, sizeof finder->store->source_keys);
	return rc;
}

/* Without it, what is not on disk goes with the process: said, and lived with. */
static void make_memory(struct journal_store *store, size_t left)
{
	struct lc_journal *journal = store->journal;
	const size_t count = journal->max_memory + JOURNAL_SPARES + left;
	struct lc_error err;
	if (journal_shared_create(store->config->memory_dir, store->disk->path,
		    journal->segment_bytes, count, &journal->shared, &err)) {
		lc_log(lc_loop_log(store->loop), LC_LOG_WARN, "journal", "memory_not_shared",
			LC_S("error", err.text));
	}
	for (size_t i = 0; journal->shared && i < store->source_count; i++) {
		journal_shared_name(journal->shared, i, store->sources[i].name);
	}
}

enum lc_err journal_recover_memory(struct journal_finder *finder)
{
	struct journal_store *store = finder->store;
	const char *dir = store->config->memory_dir;
	struct journal_shared_reader *left = NULL;
	if (!dir || !dir[0]) {
		return LC_OK;
	}
	enum lc_err rc = journal_shared_open(dir, store->disk->path, &left);
	make_memory(store, left ? journal_shared_segments(left, store->journal->segment_bytes) : 0);
	if (rc == LC_ERR_INVALID) {
		lc_log(lc_loop_log(store->loop), LC_LOG_ERROR, "journal", "memory_damaged",
			LC_S("dir", dir));
		store->journal->recovery.damaged++;
	}
	rc = rc == LC_OK ? take_left(finder, left) : rc == LC_ERR_NOMEM ? rc : LC_OK;
	journal_shared_close(left);
	return rc;
}

void journal_adopt_memory(struct journal_store *store)
{
	struct journal_shared *shared = store->journal->shared;
	struct lc_error err;
	if (shared && journal_shared_adopt(shared, &err)) {
		lc_log(lc_loop_log(store->loop), LC_LOG_WARN, "journal", "memory_not_shared",
			LC_S("error", err.text));
	}
}

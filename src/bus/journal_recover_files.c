/* The files of the log that an earlier process left: whole ones become segments again. */
#include "journal_recover.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX 100000 /* in a folder: more are none of ours */
/* What is on its way to Kafka lies in up to three and cannot leave; one is read, one is written, and
 * one is for events. */
#define MEMORY_SEGMENTS_MIN 6
#define FILES_MIN 4
#define SAY_EVERY (256 << 20)

static enum lc_err add_file(struct journal_finder *finder, uint32_t slot)
{
	if (finder->count == finder->max) {
		size_t max = finder->max ? 2 * finder->max : 64;
		struct journal_found_file *files = realloc(finder->files, max * sizeof *files);
		if (!files) {
			return LC_ERR_NOMEM;
		}
		finder->files = files;
		finder->max = max;
	}
	finder->files[finder->count++] = (struct journal_found_file){.slot = slot};
	return LC_OK;
}

static enum lc_err list_files(struct journal_finder *finder, struct lc_error *err)
{
	const struct journal_disk *disk = finder->store->disk;
	DIR *dir = opendir(disk->path);
	if (!dir) {
		return lc_error_set(
			err, LC_ERR_IO, "journal.dir: %s: %s", disk->path, strerror(errno));
	}
	enum lc_err rc = LC_OK;
	struct dirent *entry;
	while (rc == LC_OK && (entry = readdir(dir)) && finder->count <= FILES_MAX) {
		uint32_t slot;
		if (lc_journal_file_slot(entry->d_name, &slot)) {
			rc = add_file(finder, slot);
		}
	}
	closedir(dir);
	if (finder->count > FILES_MAX) {
		return lc_error_set(err, LC_ERR_IO, "journal.dir: %s: more than %d files",
			disk->path, FILES_MAX);
	}
	return rc ? journal_recover_nomem(err) : LC_OK;
}

static int by_id(const void *a, const void *b)
{
	const struct journal_found_file *x = a, *y = b;
	return (x->head.first_id > y->head.first_id) - (x->head.first_id < y->head.first_id);
}

static void take_sources(struct journal_store *store, const struct lc_journal_marks *marks)
{
	for (uint32_t i = 0; i < marks->source_count; i++) {
		const struct lc_journal_source *source = &marks->sources[i];
		uint8_t own = journal_store_source(store, source->name);
		if (own != LC_JOURNAL_NO_SOURCE) {
			store->source_keys[own] = NULL; /* the text is not the caller's constant */
			if (source->last_event_ns > store->sources[own].last_event_ns) {
				store->sources[own].last_event_ns = source->last_event_ns;
			}
		}
	}
}

static void take_source(struct journal_store *store, const struct lc_journal_marks *marks,
	uint8_t source, int64_t at)
{
	if (source < marks->source_count) {
		uint8_t own = journal_store_source(store, marks->sources[source].name);
		if (own != LC_JOURNAL_NO_SOURCE) {
			int64_t *last = &store->sources[own].last_event_ns;
			store->source_keys[own] = NULL;
			*last = at > *last ? at : *last;
		}
	}
}

static enum lc_err take_record(struct journal_finder *finder, struct segment *segment,
	const struct lc_journal_entry *entry, uint32_t index)
{
	const struct lc_journal_marks *marks = &finder->read.marks;
	struct lc_journal_recovery *recovery = &finder->store->journal->recovery;
	journal_recover_count(recovery, entry);
	journal_recover_seen(finder, entry);
	take_source(finder->store, marks, entry->source, entry->event_ns);
	if (lc_journal_marked(marks->reported, index)) {
		return LC_OK;
	}
	if (!journal_recover_is_expired(finder, entry)) {
		segment->outstanding++;
		return LC_OK;
	}
	segment->reported[index / 64] |= UINT64_C(1) << (index % 64);
	segment->marks_dirty = true;
	segment->after_id = JOURNAL_NEVER;
	recovery->expired++;
	return losses_add(finder->store->losses, entry);
}

static enum lc_err take_records(struct journal_finder *finder, struct segment *segment)
{
	const struct journal_read *read = &finder->read;
	struct lc_journal_scan scan; /* their checksums fit: that was seen already */
	lc_journal_scan_memory(&scan, read->file->head.first_id, read->data, read->scan.used);
	memcpy(segment->reported, read->marks.reported, sizeof segment->reported);
	const struct lc_journal_entry *entry;
	while ((entry = lc_journal_scan_next(&scan))) {
		enum lc_err rc = take_record(finder, segment, entry, scan.records - 1);
		if (rc) {
			return rc;
		}
	}
	segment->used = segment->written = read->scan.used;
	segment->records = segment->written_records = read->scan.records;
	if (read->scan.torn) {
		journal_recover_torn(finder, segment);
	}
	return LC_OK;
}

static void say_progress(struct journal_finder *finder, size_t done, size_t bytes)
{
	if (finder->progress.reading) {
		finder->progress.reading(finder->progress.arg, done, finder->count);
	}
	finder->read_bytes += bytes;
	if (finder->read_bytes - finder->said_bytes >= SAY_EVERY) {
		finder->said_bytes = finder->read_bytes;
		lc_log(lc_loop_log(finder->store->loop), LC_LOG_INFO, "journal", "reading",
			LC_U("files", done), LC_U("of", finder->count),
			LC_U("mbytes", finder->read_bytes >> 20));
	}
}

static enum lc_err take_file(struct journal_finder *finder, struct journal_found_file *file)
{
	struct journal_store *store = finder->store;
	struct lc_journal *journal = store->journal;
	if (file->head.first_id < journal->next_id) {
		file->state = LC_ERR_EXISTS;
		return LC_OK;
	}
	journal_recover_read_file(finder, file);
	if (finder->read.error) {
		file->state = LC_ERR_IO;
		file->error = finder->read.error;
		return LC_OK;
	}
	if (finder->read.marks_damaged) {
		lc_log(lc_loop_log(store->loop), LC_LOG_WARN, "journal", "marks_damaged",
			LC_U("file", file->slot), LC_S("effect", "all of it is sent once more"));
	}
	journal->next_id = file->head.first_id;
	struct segment *segment = journal_segment_new(journal, false);
	if (!segment) {
		return LC_ERR_NOMEM;
	}
	segment->slot = file->slot;
	segment->salt = file->head.salt;
	segment->recovered = true;
	store->files++;
	if (file->slot >= store->next_slot) {
		store->next_slot = (file->slot + 1) % LC_JOURNAL_SLOTS;
	}
	take_sources(store, &finder->read.marks);
	enum lc_err rc = take_records(finder, segment);
	journal->next_id += segment->records;
	journal->appended += segment->outstanding;
	journal->recovery.to_send += segment->outstanding;
	if (rc == LC_OK && segment->outstanding == 0) {
		journal_release(journal, journal->count - 1);
	}
	return rc;
}

static enum lc_err take_files(struct journal_finder *finder)
{
	struct journal_store *store = finder->store;
	if (finder->count > 0) {
		qsort(finder->files, finder->count, sizeof *finder->files, by_id);
	}
	for (size_t i = 0; i < finder->count; i++) {
		struct journal_found_file *file = &finder->files[i];
		enum lc_err rc = LC_OK;
		size_t bytes = file->state == LC_OK ? file->head.data_bytes : 0;
		if (file->state == LC_OK) {
			rc = take_file(finder, file);
		} else if (file->state == LC_ERR_NOT_FOUND) {
			const struct disk_step step = {.action = DISK_UNLINK, .slot = file->slot};
			journal_disk_do(store->disk, &step);
		}
		say_progress(finder, i + 1, bytes);
		if (rc) {
			return rc;
		}
	}
	return LC_OK;
}

/* Files of a process that had more memory are larger than ours would be: buffers fit them all. */
static void fit_segments(struct journal_finder *finder)
{
	struct lc_journal *journal = finder->store->journal;
	for (size_t i = 0; i < finder->count; i++) {
		const struct journal_found_file *file = &finder->files[i];
		if (file->state == LC_OK && file->head.data_bytes > journal->segment_bytes) {
			journal->segment_bytes = file->head.data_bytes;
		}
	}
	finder->store->disk->data_bytes = journal->segment_bytes;
}

static enum lc_err make_tables(struct journal_finder *finder, size_t memory_bytes)
{
	struct journal_store *store = finder->store;
	struct lc_journal *journal = store->journal;
	uint64_t file = journal_disk_file_bytes(store->disk);
	store->max_files = (size_t)((uint64_t)store->config->max_bytes / file);
	store->max_files = store->max_files < FILES_MIN   ? FILES_MIN
			   : store->max_files > FILES_MAX ? FILES_MAX
							  : store->max_files;
	journal->max_memory = memory_bytes / journal->segment_bytes;
	journal->max_memory = journal->max_memory < MEMORY_SEGMENTS_MIN ? MEMORY_SEGMENTS_MIN
									: journal->max_memory;
	store->reserve = journal->max_memory < store->max_files / 3 ? journal->max_memory
								    : store->max_files / 3;
	journal->max_segments = store->max_files + finder->count + journal->max_memory;
	size_t slots = 2 * journal->max_segments;
	journal->segments = calloc(journal->max_segments, sizeof *journal->segments);
	store->freed = calloc(slots, sizeof *store->freed);
	store->free_slots = calloc(slots, sizeof *store->free_slots);
	store->losses = losses_create("too_old");
	bool good = journal->segments && store->freed && store->free_slots && store->losses;
	return good ? LC_OK : LC_ERR_NOMEM;
}

enum lc_err journal_recover_files(
	struct journal_finder *finder, size_t memory_bytes, struct lc_error *err)
{
	struct journal_store *store = finder->store;
	struct lc_journal *journal = store->journal;
	enum lc_err rc = list_files(finder, err);
	if (rc) {
		return rc;
	}
	if (finder->count > 0) {
		say_progress(finder, 0, 0);
		journal_recover_read_heads(finder);
	}
	fit_segments(finder);
	int64_t age_ms = store->config->restart_max_age_ms;
	finder->oldest_ns = age_ms ? lc_loop_wall_ns(store->loop) - age_ms * LC_NS_PER_MS : 0;
	journal->next_id = 1;
	rc = make_tables(finder, memory_bytes);
	rc = rc ? rc : take_files(finder);
	if (rc) {
		return journal_recover_nomem(err);
	}
	journal_recover_set_aside(finder);
	struct journal_clean clean;
	journal->recovery.clean = journal_disk_take_clean(store->disk, &clean);
	journal->recovery.found = journal->recovery.clean || finder->count > 0;
	journal->next_id = clean.next_id > journal->next_id ? clean.next_id : journal->next_id;
	take_sources(store, &clean.marks);
	return LC_OK;
}

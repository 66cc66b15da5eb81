/* Finding the log again: before the loop runs, so it may take its time. */
#include "journal_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX 100000 /* in a folder: more are none of ours */
#define SEGMENT_MAX (4 * LC_JOURNAL_SEGMENT)
#define SEGMENTS_OF_LIMIT 16 /* a limit is at least so many segments */
/* What is on its way to Kafka lies in up to three and cannot leave; one is read, one is written, and
 * one is for events. */
#define MEMORY_SEGMENTS_MIN 6
#define FILES_MIN 4
#define SAY_EVERY (256 << 20)

struct found {
	uint32_t slot;
	enum lc_err state; /* LC_OK, LC_ERR_NOT_FOUND: not in use, LC_ERR_INVALID */
	struct lc_journal_head head;
};

struct finder {
	struct journal_store *store;
	struct found *files; /* owned */
	size_t count, max;
	char *data; /* owned: a file's records */
	size_t data_bytes;
	uint64_t read_bytes, said_bytes;
	int64_t oldest_ns; /* market data before it is not sent */
};

static enum lc_err out_of_memory(struct lc_error *err)
{
	return lc_error_set(err, LC_ERR_NOMEM, "out of memory for the log on disk");
}

static enum lc_err add_file(struct finder *finder, uint32_t slot)
{
	if (finder->count == finder->max) {
		size_t max = finder->max ? 2 * finder->max : 64;
		struct found *files = realloc(finder->files, max * sizeof *files);
		if (!files) {
			return LC_ERR_NOMEM;
		}
		finder->files = files;
		finder->max = max;
	}
	finder->files[finder->count++] = (struct found){.slot = slot};
	return LC_OK;
}

static enum lc_err list_files(struct finder *finder, struct lc_error *err)
{
	const struct journal_disk *disk = finder->store->disk;
	DIR *dir = opendir(disk->path);
	if (!dir) {
		return lc_error_set(
			err, LC_ERR_IO, "journal.dir: %s: %s", disk->path, strerror(errno));
	}
	enum lc_err rc = LC_OK;
	struct dirent *entry;
	while (rc == LC_OK && (entry = readdir(dir)) && finder->count < FILES_MAX) {
		uint32_t slot;
		if (lc_journal_file_slot(entry->d_name, &slot)) {
			rc = add_file(finder, slot);
		}
	}
	closedir(dir);
	return rc ? out_of_memory(err) : LC_OK;
}

static void read_heads(struct finder *finder)
{
	for (size_t i = 0; i < finder->count; i++) {
		struct found *file = &finder->files[i];
		char page[LC_JOURNAL_PAGE];
		size_t got;
		int error = journal_disk_read(
			finder->store->disk, file->slot, 0, page, sizeof page, &got);
		memset(page + got, 0, sizeof page - got);
		file->state = error ? LC_ERR_IO : lc_journal_head_read(page, &file->head);
		if (file->state == LC_OK && file->head.data_bytes > SEGMENT_MAX) {
			file->state = LC_ERR_INVALID;
		}
	}
}

static int by_id(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	return (x->head.first_id > y->head.first_id) - (x->head.first_id < y->head.first_id);
}

/* Kept for a person to look at, out of the way of the next file with its number. */
static void set_aside(struct finder *finder, const struct found *file, const char *why)
{
	const struct journal_disk *disk = finder->store->disk;
	char name[LC_JOURNAL_NAME_BYTES], aside[LC_JOURNAL_NAME_BYTES + 8];
	lc_journal_file_name(file->slot, name);
	snprintf(aside, sizeof aside, "%s.damaged", name);
	renameat(disk->dir_fd, name, disk->dir_fd, aside);
	finder->store->journal->recovery.damaged++;
	lc_log(lc_loop_log(finder->store->loop), LC_LOG_ERROR, "journal", "file_set_aside",
		LC_S("file", aside), LC_S("reason", why));
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

static bool is_expired(const struct finder *finder, const struct lc_journal_entry *entry)
{
	return entry->schema == LC_SCHEMA_PRICE_UPDATE && entry->timestamp_ns < finder->oldest_ns;
}

static void count_record(struct lc_journal_recovery *recovery, const struct lc_journal_entry *entry)
{
	recovery->records++;
	recovery->last_ns = entry->timestamp_ns > recovery->last_ns ? entry->timestamp_ns
								    : recovery->last_ns;
}

static enum lc_err take_record(struct finder *finder, struct segment *segment,
	const struct lc_journal_marks *marks, const struct lc_journal_entry *entry, uint32_t index)
{
	struct lc_journal_recovery *recovery = &finder->store->journal->recovery;
	count_record(recovery, entry);
	take_source(finder->store, marks, entry->source, entry->event_ns);
	if (lc_journal_marked(marks->reported, index)) {
		return LC_OK;
	}
	if (!is_expired(finder, entry)) {
		segment->outstanding++;
		return LC_OK;
	}
	segment->reported[index / 64] |= UINT64_C(1) << (index % 64);
	segment->marks_dirty = true;
	segment->after_id = JOURNAL_NEVER;
	recovery->expired++;
	return losses_add(finder->store->losses, entry);
}

static enum lc_err scan_records(struct finder *finder, struct segment *segment,
	const struct found *file, const struct lc_journal_marks *marks, size_t len)
{
	struct lc_journal_scan scan;
	lc_journal_scan_begin(&scan, &file->head, finder->data, len);
	memcpy(segment->reported, marks->reported, sizeof segment->reported);
	const struct lc_journal_entry *entry;
	while ((entry = lc_journal_scan_next(&scan))) {
		enum lc_err rc = take_record(finder, segment, marks, entry, scan.records - 1);
		if (rc) {
			return rc;
		}
	}
	segment->used = segment->written = scan.used;
	segment->records = segment->written_records = scan.records;
	if (scan.torn) {
		finder->store->journal->recovery.torn++;
		lc_log(lc_loop_log(finder->store->loop), LC_LOG_WARN, "journal", "torn",
			LC_U("file", file->slot), LC_U("records", scan.records),
			LC_U("at_byte", scan.used));
		journal_disk_end(finder->store->disk, file->slot, scan.used);
	}
	return LC_OK;
}

static bool read_file(struct finder *finder, const struct found *file,
	struct lc_journal_marks *marks, size_t *len)
{
	const struct journal_disk *disk = finder->store->disk;
	char page[LC_JOURNAL_PAGE];
	size_t got;
	if (journal_disk_read(disk, file->slot, LC_JOURNAL_PAGE, page, sizeof page, &got)) {
		return false;
	}
	memset(page + got, 0, sizeof page - got);
	lc_journal_marks_read(page, file->head.salt, marks);
	if (finder->data_bytes < file->head.data_bytes) {
		char *data = realloc(finder->data, file->head.data_bytes);
		if (!data) {
			return false;
		}
		finder->data = data;
		finder->data_bytes = file->head.data_bytes;
	}
	return journal_disk_read(disk, file->slot, LC_JOURNAL_DATA, finder->data,
		       file->head.data_bytes, len) == 0;
}

static void say_progress(struct finder *finder, size_t done, size_t bytes)
{
	finder->read_bytes += bytes;
	if (finder->read_bytes - finder->said_bytes >= SAY_EVERY) {
		finder->said_bytes = finder->read_bytes;
		lc_log(lc_loop_log(finder->store->loop), LC_LOG_INFO, "journal", "reading",
			LC_U("files", done), LC_U("of", finder->count),
			LC_U("mbytes", finder->read_bytes >> 20));
	}
}

static enum lc_err take_file(struct finder *finder, const struct found *file)
{
	struct journal_store *store = finder->store;
	struct lc_journal *journal = store->journal;
	struct lc_journal_marks marks = {0};
	size_t len = 0;
	if (file->head.first_id < journal->next_id) {
		set_aside(finder, file, "its records are in another file too");
		return LC_OK;
	}
	if (!read_file(finder, file, &marks, &len)) {
		set_aside(finder, file, "it cannot be read");
		return LC_OK;
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
	take_sources(store, &marks);
	enum lc_err rc = scan_records(finder, segment, file, &marks, len);
	journal->next_id += segment->records;
	journal->appended += segment->outstanding;
	journal->recovery.to_send += segment->outstanding;
	if (rc == LC_OK && segment->outstanding == 0) {
		journal_release(journal, journal->count - 1);
	}
	return rc;
}

static enum lc_err take_files(struct finder *finder)
{
	struct journal_store *store = finder->store;
	if (finder->count > 0) {
		qsort(finder->files, finder->count, sizeof *finder->files, by_id);
	}
	for (size_t i = 0; i < finder->count; i++) {
		const struct found *file = &finder->files[i];
		enum lc_err rc = LC_OK;
		store->next_slot = file->slot >= store->next_slot ? file->slot + 1
								  : store->next_slot;
		if (file->state == LC_OK) {
			rc = take_file(finder, file);
			say_progress(finder, i + 1, file->head.data_bytes);
		} else if (file->state == LC_ERR_NOT_FOUND) {
			const struct disk_step step = {.action = DISK_UNLINK, .slot = file->slot};
			journal_disk_do(store->disk, &step);
		} else {
			set_aside(finder, file, "it is damaged, or no file of the log");
		}
		if (rc) {
			return rc;
		}
	}
	return LC_OK;
}

/* Files of a process that had more memory are larger than ours would be: buffers fit them all. */
static void fit_segments(struct finder *finder)
{
	struct lc_journal *journal = finder->store->journal;
	for (size_t i = 0; i < finder->count; i++) {
		const struct found *file = &finder->files[i];
		if (file->state == LC_OK && file->head.data_bytes > journal->segment_bytes) {
			journal->segment_bytes = file->head.data_bytes;
		}
	}
	finder->store->disk->data_bytes = journal->segment_bytes;
}

static enum lc_err make_tables(struct finder *finder, size_t memory_bytes)
{
	struct journal_store *store = finder->store;
	struct lc_journal *journal = store->journal;
	uint64_t file = journal_disk_file_bytes(store->disk);
	store->max_files = (size_t)((uint64_t)store->config->max_bytes / file);
	store->max_files = store->max_files < FILES_MIN ? FILES_MIN : store->max_files;
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

/* What is on disk. */
static enum lc_err find_files(struct finder *finder, size_t memory_bytes, struct lc_error *err)
{
	struct journal_store *store = finder->store;
	struct lc_journal *journal = store->journal;
	enum lc_err rc = list_files(finder, err);
	if (rc) {
		return rc;
	}
	read_heads(finder);
	fit_segments(finder);
	int64_t age_ms = store->config->restart_max_age_ms;
	finder->oldest_ns = age_ms ? lc_loop_wall_ns(store->loop) - age_ms * LC_NS_PER_MS : 0;
	journal->next_id = 1;
	rc = make_tables(finder, memory_bytes);
	rc = rc ? rc : take_files(finder);
	if (rc) {
		return out_of_memory(err);
	}
	struct journal_clean clean;
	journal->recovery.clean = journal_disk_take_clean(store->disk, &clean);
	journal->recovery.found = journal->recovery.clean || finder->count > 0;
	journal->next_id = clean.next_id > journal->next_id ? clean.next_id : journal->next_id;
	take_sources(store, &clean.marks);
	return LC_OK;
}

/* --- what is in memory that outlived its process --- */

static enum lc_err append_found(struct finder *finder, const struct journal_shared_reader *left,
	const struct lc_journal_entry *entry)
{
	struct lc_journal *journal = finder->store->journal;
	struct lc_journal_recovery *recovery = &journal->recovery;
	count_record(recovery, entry);
	if (is_expired(finder, entry)) {
		recovery->expired++;
		return losses_add(finder->store->losses, entry);
	}
	const struct lc_record record = {
		.timestamp_ns = entry->timestamp_ns,
		.event_ns = entry->event_ns,
		.source = journal_shared_source(left, entry->source),
		.key = lc_journal_entry_key(entry),
		.value = lc_journal_entry_value(entry),
		.key_len = entry->key_len,
		.value_len = entry->value_len,
		.topic = entry->topic,
		.schema = entry->schema,
		.replayed = true,
	};
	recovery->to_send++;
	return lc_journal_append(journal, &record);
}

static enum lc_err take_left(struct finder *finder, struct journal_shared_reader *left)
{
	struct lc_journal *journal = finder->store->journal;
	const uint64_t after = journal->next_id; /* before it: on disk */
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

/* What an earlier process left is in the new memory before the old file goes. */
static enum lc_err find_memory(struct finder *finder)
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
	return (uint32_t)(bytes > SEGMENT_MAX ? SEGMENT_MAX : bytes);
}

enum lc_err lc_journal_open(struct lc_loop *loop, const char *dir, size_t memory_bytes,
	const struct lc_journal_config *config, struct lc_journal **out, struct lc_error *err)
{
	struct lc_journal *journal = calloc(1, sizeof *journal);
	struct journal_store *store = calloc(1, sizeof *store);
	if (!journal || !store) {
		free(journal);
		free(store);
		return out_of_memory(err);
	}
	journal->store = store;
	store->journal = journal;
	store->loop = loop;
	store->config = config;
	journal->segment_bytes = segment_bytes(memory_bytes, config->max_bytes);
	struct finder finder = {.store = store};
	enum lc_err rc = journal_disk_open(dir, journal->segment_bytes, &store->disk, err);
	rc = rc ? rc : find_files(&finder, memory_bytes, err);
	if (rc == LC_OK && (journal_store_start(store) || find_memory(&finder))) {
		rc = out_of_memory(err);
	}
	free(finder.files);
	free(finder.data);
	if (rc) {
		journal_store_destroy(store);
		return rc;
	}
	end_finding(store);
	*out = journal;
	return LC_OK;
}

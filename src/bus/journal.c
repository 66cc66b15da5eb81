#include "journal_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum settled { SETTLED_RECORD, SETTLED_END, SETTLED_ON_DISK };

static char *entry_key(struct lc_journal_entry *entry)
{
	return (char *)(entry + 1);
}

static struct segment *tail(const struct lc_journal *journal)
{
	return journal->count ? journal->segments[journal->count - 1] : NULL;
}

static bool fits_tail(const struct lc_journal *journal, size_t size)
{
	struct segment *last = tail(journal);
	return last && !last->recovered && last->used + size <= journal->segment_bytes &&
	       last->records < LC_JOURNAL_RECORDS;
}

char *journal_take_buffer(struct lc_journal *journal)
{
	char *data = journal->shared ? journal_shared_take(journal->shared) : NULL;
	if (!data) {
		data = journal->spare_count ? journal->spares[--journal->spare_count]
					    : malloc(journal->segment_bytes);
	}
	journal->in_memory += data != NULL;
	return data;
}

void journal_give_buffer(struct lc_journal *journal, char *data)
{
	if (!data) {
		return;
	}
	journal->in_memory--;
	if (journal->shared && journal_shared_give(journal->shared, data)) {
		return;
	}
	if (journal->spare_count < JOURNAL_SPARES) {
		journal->spares[journal->spare_count++] = data;
	} else {
		free(data);
	}
}

/* What is committed there from now on is found by the next process. */
static void share(struct lc_journal *journal, struct segment *segment)
{
	if (journal->shared && segment->data) {
		segment->shared = journal_shared_begin(
			journal->shared, segment->data, segment->first_id);
	}
}

struct segment *journal_segment_new(struct lc_journal *journal, bool with_data)
{
	if (journal->count == journal->max_segments) {
		return NULL;
	}
	struct segment *segment = calloc(1, sizeof *segment);
	if (segment && with_data && !(segment->data = journal_take_buffer(journal))) {
		free(segment);
		segment = NULL;
	}
	if (segment) {
		segment->first_id = journal->next_id;
		segment->slot = JOURNAL_NO_SLOT;
		journal->segments[journal->count++] = segment;
		share(journal, segment);
	}
	return segment;
}

void journal_segment_put(struct lc_journal *journal, struct segment *segment)
{
	if (--segment->users == 0 && segment->released) {
		journal_give_buffer(journal, segment->data);
		free(segment);
	}
}

void journal_release(struct lc_journal *journal, size_t index)
{
	struct segment *segment = journal->segments[index];
	memmove(&journal->segments[index], &journal->segments[index + 1],
		(journal->count - index - 1) * sizeof(struct segment *));
	journal->count--;
	if (journal->cursor.segment > index) {
		journal->cursor.segment--;
	} else if (journal->cursor.segment == index) {
		journal->cursor = (struct cursor){.segment = index};
	}
	journal->last_hit = 0;
	if (journal->store && segment->slot != JOURNAL_NO_SLOT) {
		const struct freed freed = {
			.slot = segment->slot,
			.reuse = !segment->recovered,
			.after_id = segment->after_id,
		};
		journal_store_freed(journal->store, &freed);
	}
	if (segment->shared) {
		journal_shared_forget(segment->shared);
		segment->shared = NULL;
	}
	segment->released = true;
	segment->users++;
	journal_segment_put(journal, segment);
}

static bool at_memory_limit(const struct lc_journal *journal)
{
	return journal->in_memory >= journal->max_memory || journal->count == journal->max_segments;
}

static enum lc_err add_segment(struct lc_journal *journal)
{
	struct segment *last = tail(journal);
	if (last && !last->outstanding && journal->store) {
		journal_release(journal, journal->count - 1);
	}
	if (at_memory_limit(journal) && !(journal->store && journal_evict(journal))) {
		return LC_ERR_FULL;
	}
	return journal_segment_new(journal, true) ? LC_OK : LC_ERR_NOMEM;
}

/* A last segment whose records are all reported is used again from its start: an idle log in memory
 * keeps one. On disk its bytes may be on their way: it goes when it is full. */
static void tidy_tail(struct lc_journal *journal)
{
	struct segment *segment = tail(journal);
	if (segment->outstanding || journal->reserved || journal->store) {
		return;
	}
	memset(segment->reported, 0, (segment->records + 63) / 64 * sizeof(uint64_t));
	segment->used = segment->records = 0;
	segment->first_id = journal->next_id;
	if (journal->cursor.segment + 1 >= journal->count) {
		journal->cursor = (struct cursor){.segment = journal->count - 1};
	}
}

static bool holds(const struct segment *segment, uint64_t id)
{
	return id >= segment->first_id && id - segment->first_id < segment->records;
}

/* The segment that holds id, or count. */
static size_t find_segment(const struct lc_journal *journal, uint64_t id)
{
	size_t hit = journal->last_hit;
	if (hit < journal->count && holds(journal->segments[hit], id)) {
		return hit;
	}
	size_t low = 0, high = journal->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (journal->segments[middle]->first_id <= id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low && holds(journal->segments[low - 1], id) ? low - 1 : journal->count;
}

static struct lc_journal_entry *entry_at(const struct segment *segment, uint32_t offset)
{
	return (struct lc_journal_entry *)(void *)(segment->data + offset);
}

/* Moves the cursor over what is reported already, to the next record to send. */
static enum settled cursor_settle(struct lc_journal *journal)
{
	struct cursor *cursor = &journal->cursor;
	while (cursor->segment < journal->count) {
		struct segment *segment = journal->segments[cursor->segment];
		if (cursor->index == segment->records) {
			if (cursor->segment + 1 == journal->count) {
				return SETTLED_END; /* stays, for what will be appended here */
			}
			*cursor = (struct cursor){.segment = cursor->segment + 1};
			continue;
		}
		if (!segment->data || segment->loading || segment->victim) {
			return SETTLED_ON_DISK;
		}
		if (!lc_journal_marked(segment->reported, cursor->index)) {
			return SETTLED_RECORD;
		}
		cursor->offset += entry_at(segment, cursor->offset)->size;
		cursor->index++;
	}
	return SETTLED_END;
}

enum lc_err lc_journal_create(size_t capacity_bytes, struct lc_journal **out)
{
	struct lc_journal *journal = calloc(1, sizeof *journal);
	if (!journal) {
		return LC_ERR_NOMEM;
	}
	/* Two at least: one that Kafka has not acknowledged, one to append to. */
	journal->segment_bytes = LC_JOURNAL_SEGMENT;
	journal->max_memory = capacity_bytes / LC_JOURNAL_SEGMENT < 2
				      ? 2
				      : capacity_bytes / LC_JOURNAL_SEGMENT;
	journal->max_segments = journal->max_memory;
	journal->segments = calloc(journal->max_segments, sizeof(struct segment *));
	if (!journal->segments) {
		free(journal);
		return LC_ERR_NOMEM;
	}
	journal->next_id = 1;
	*out = journal;
	return LC_OK;
}

void journal_free(struct lc_journal *journal)
{
	for (size_t i = 0; i < journal->count; i++) {
		struct segment *segment = journal->segments[i];
		if (!segment->shared) {
			journal_give_buffer(journal, segment->data);
		}
		free(segment);
	}
	for (size_t i = 0; i < journal->spare_count; i++) {
		free(journal->spares[i]);
	}
	journal_shared_destroy(journal->shared);
	free(journal->segments);
	free(journal);
}

void lc_journal_destroy(struct lc_journal *journal)
{
	if (journal && journal->store) {
		journal_store_destroy(journal->store);
	} else if (journal) {
		journal_free(journal);
	}
}

enum lc_err lc_journal_reserve(
	struct lc_journal *journal, const struct lc_record *head, size_t max_value, char **value)
{
	assert(!journal->reserved);
	assert(head->topic < LC_TOPICS_OUT && head->schema < LC_SCHEMAS);
	if (max_value > LC_RECORD_MAX ||
		head->key_len > LC_JOURNAL_SEGMENT - LC_RECORD_MAX - 1024) {
		return LC_ERR_TOO_LARGE;
	}
	const uint8_t trace_len = head->traceparent ? LC_TRACEPARENT_LEN : 0;
	if (!fits_tail(journal, lc_journal_entry_size(head->key_len, trace_len, max_value))) {
		enum lc_err err = add_segment(journal);
		if (err) {
			return err;
		}
	}
	struct segment *segment = tail(journal);
	struct lc_journal_entry *entry = entry_at(segment, segment->used);
	*entry = (struct lc_journal_entry){
		.timestamp_ns = head->timestamp_ns,
		.received_mono_ns = head->received_mono_ns,
		.event_ns = head->event_ns,
		.key_len = head->key_len,
		.topic = head->topic,
		.schema = head->schema,
		.replayed = head->replayed,
		.trace_len = trace_len,
		.source = journal->store && head->source
				  ? journal_store_source(journal->store, head->source)
				  : LC_JOURNAL_NO_SOURCE,
	};
	if (head->key_len) {
		memcpy(entry_key(entry), head->key, head->key_len);
	}
	if (trace_len) {
		memcpy(entry_key(entry) + head->key_len, head->traceparent, trace_len);
	}
	journal->reserved = entry;
	journal->reserved_max = (uint32_t)max_value;
	*value = entry_key(entry) + head->key_len + trace_len;
	return LC_OK;
}

uint64_t lc_journal_commit(struct lc_journal *journal, size_t value_len)
{
	struct lc_journal_entry *entry = journal->reserved;
	assert(entry && value_len <= journal->reserved_max);
	journal->reserved = NULL;
	if (!value_len) {
		tidy_tail(journal);
		return 0;
	}
	struct segment *segment = tail(journal);
	uint64_t id = journal->next_id++;
	entry->id = id;
	entry->value_len = (uint32_t)value_len;
	entry->size = lc_journal_entry_size(entry->key_len, entry->trace_len, value_len);
	size_t end = sizeof *entry + entry->key_len + entry->trace_len + value_len;
	memset((char *)entry + end, 0, entry->size - end);
	segment->used += entry->size;
	if (segment->shared) {
		journal_shared_commit(segment->shared, segment->used);
	}
	segment->records++;
	segment->outstanding++;
	journal->appended++;
	journal->unsent++;
	if (journal->store) {
		journal_store_committed(journal->store, entry);
	}
	return id;
}

enum lc_err lc_journal_append(struct lc_journal *journal, const struct lc_record *record)
{
	char *value;
	enum lc_err err = lc_journal_reserve(journal, record, record->value_len, &value);
	if (err) {
		return err;
	}
	if (record->value_len) {
		memcpy(value, record->value, record->value_len);
	}
	return lc_journal_commit(journal, record->value_len) ? LC_OK : LC_ERR_INVALID;
}

bool lc_journal_has_room(const struct lc_journal *journal, size_t bytes)
{
	if (fits_tail(journal, lc_journal_entry_size(0, 0, bytes))) {
		return true;
	}
	if (!journal->store) {
		return !at_memory_limit(journal);
	}
	/* The last segment is left for events: they have no queue to wait in. */
	bool below = journal->in_memory + 1 < journal->max_memory;
	return journal->count < journal->max_segments && (below || journal_can_evict(journal));
}

static void read_out(
	const struct segment *segment, const struct lc_journal_entry *entry, struct lc_record *out)
{
	*out = (struct lc_record){
		.id = entry->id,
		.timestamp_ns = entry->timestamp_ns,
		.received_mono_ns = segment->recovered ? 0 : entry->received_mono_ns,
		.event_ns = entry->event_ns,
		.key = lc_journal_entry_key(entry),
		.value = lc_journal_entry_value(entry),
		.traceparent = lc_journal_entry_traceparent(entry),
		.key_len = entry->key_len,
		.value_len = entry->value_len,
		.topic = entry->topic,
		.schema = entry->schema,
		.replayed = entry->replayed || segment->recovered,
	};
}

enum lc_err lc_journal_next(struct lc_journal *journal, struct lc_record *out)
{
	struct cursor *cursor = &journal->cursor;
	enum settled settled = cursor_settle(journal);
	if (settled == SETTLED_ON_DISK) {
		journal_load(journal->store, cursor->segment);
		return LC_ERR_AGAIN;
	}
	if (settled == SETTLED_END) {
		return LC_ERR_END;
	}
	struct segment *segment = journal->segments[cursor->segment];
	struct lc_journal_entry *entry = entry_at(segment, cursor->offset);
	if (cursor->index == 0 && journal->store) {
		journal_load(journal->store, cursor->segment + 1);
	}
	read_out(segment, entry, out);
	out->replayed |= out->id <= journal->sent_high;
	if (out->id > journal->sent_high) {
		journal->sent_high = out->id;
	}
	cursor->offset += entry->size;
	cursor->index++;
	journal->unsent--;
	journal->read_ns = lc_journal_entry_time(entry);
	return LC_OK;
}

void lc_journal_on_readable(struct lc_journal *journal, void (*readable)(void *arg), void *arg)
{
	journal->readable = readable;
	journal->readable_arg = arg;
}

void lc_journal_report(struct lc_journal *journal, uint64_t id)
{
	size_t index = find_segment(journal, id);
	if (index == journal->count) {
		return; /* its segment is gone: it was reported before */
	}
	journal->last_hit = index;
	struct segment *segment = journal->segments[index];
	uint32_t place = (uint32_t)(id - segment->first_id);
	if (lc_journal_marked(segment->reported, place)) {
		return;
	}
	/* After a rewind the old producer's last reports come for records ahead of the cursor. */
	bool ahead = index > journal->cursor.segment ||
		     (index == journal->cursor.segment && place >= journal->cursor.index);
	if (ahead) {
		journal->unsent--;
	}
	segment->reported[place / 64] |= UINT64_C(1) << (place % 64);
	segment->marks_dirty = true;
	journal->reported_count++;
	if (--segment->outstanding) {
		return;
	}
	if (index + 1 < journal->count) {
		journal_release(journal, index);
	} else {
		tidy_tail(journal);
	}
}

void lc_journal_rewind(struct lc_journal *journal)
{
	journal->cursor = (struct cursor){0};
	journal->unsent = journal->appended - journal->reported_count;
}

struct lc_journal_stats lc_journal_stats(const struct lc_journal *journal)
{
	const struct journal_store *store = journal->store;
	struct lc_journal_stats stats = {
		.appended = journal->appended,
		.reported = journal->reported_count,
		.unsent = journal->unsent,
		.lost = journal->lost,
		.bytes = journal->in_memory * journal->segment_bytes,
		.capacity = journal->max_memory * journal->segment_bytes,
		.segments = journal->count,
	};
	if (store) {
		stats.disk_bytes = store->files * journal_disk_file_bytes(store->disk);
		stats.unwritten = journal_store_unwritten(store);
		stats.on_disk = journal->count - journal->in_memory;
		stats.written_bytes = store->written_bytes;
		stats.write_failures = store->failures;
	}
	return stats;
}

const struct lc_journal_recovery *lc_journal_recovered(const struct lc_journal *journal)
{
	return &journal->recovery;
}

bool lc_journal_protected(const struct lc_journal *journal)
{
	return !journal->unprotected;
}

void lc_journal_unprotect(struct lc_journal *journal)
{
	journal->unprotected = true;
}

#include "livecore/journal.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* What stands before each record's key and value in a segment. */
struct entry {
	int64_t timestamp_ns, received_mono_ns;
	uint32_t key_len, value_len;
	uint32_t size; /* of the whole entry, a multiple of 8 */
	uint8_t topic, schema;
	bool replayed;
};

#define SEGMENT_RECORDS (LC_JOURNAL_SEGMENT / sizeof(struct entry))
#define SPARES 2 /* empty segments kept, so that a steady flow makes none */

struct segment {
	uint64_t first_id;
	uint32_t records;     /* committed */
	uint32_t outstanding; /* of them not reported */
	uint32_t used;        /* bytes */
	uint64_t reported[(SEGMENT_RECORDS + 63) / 64];
	alignas(8) char data[LC_JOURNAL_SEGMENT];
};

/* Where the next record to send stands. segment == count when nothing follows. */
struct cursor {
	size_t segment;
	uint32_t offset;
	uint32_t index; /* records of the segment that are behind it */
};

struct lc_journal {
	struct segment **segments; /* owned, oldest first, ascending ids; room for max */
	size_t count, max;
	struct segment *spares[SPARES];
	size_t spare_count;
	struct cursor cursor;
	struct entry *reserved; /* the record begun, in the last segment; or NULL */
	uint32_t reserved_max;
	uint64_t next_id;
	uint64_t sent_high; /* the highest id that next() has given out */
	uint64_t appended, reported_count, unsent;
	size_t last_hit; /* the segment of the last report: most reports come in order */
};

static uint32_t entry_size(size_t key_len, size_t value_len)
{
	return (uint32_t)((sizeof(struct entry) + key_len + value_len + 7) & ~(size_t)7);
}

static char *entry_key(struct entry *entry)
{
	return (char *)(entry + 1);
}

static bool is_reported(const struct segment *segment, uint32_t index)
{
	return segment->reported[index / 64] >> (index % 64) & 1;
}

static struct segment *tail(const struct lc_journal *journal)
{
	return journal->count ? journal->segments[journal->count - 1] : NULL;
}

static bool fits_tail(const struct lc_journal *journal, size_t size)
{
	struct segment *last = tail(journal);
	return last && last->used + size <= LC_JOURNAL_SEGMENT && last->records < SEGMENT_RECORDS;
}

static enum lc_err add_segment(struct lc_journal *journal)
{
	if (journal->count == journal->max) {
		return LC_ERR_FULL;
	}
	struct segment *segment = journal->spare_count ? journal->spares[--journal->spare_count]
						       : malloc(sizeof *segment);
	if (!segment) {
		return LC_ERR_NOMEM;
	}
	memset(segment, 0, offsetof(struct segment, data));
	segment->first_id = journal->next_id;
	journal->segments[journal->count++] = segment;
	return LC_OK;
}

static void release_segment(struct lc_journal *journal, size_t index)
{
	struct segment *segment = journal->segments[index];
	memmove(&journal->segments[index], &journal->segments[index + 1],
		(journal->count - index - 1) * sizeof(struct segment *));
	journal->count--;
	if (journal->spare_count < SPARES) {
		journal->spares[journal->spare_count++] = segment;
	} else {
		free(segment);
	}
	if (journal->cursor.segment > index) {
		journal->cursor.segment--;
	} else if (journal->cursor.segment == index) {
		journal->cursor = (struct cursor){.segment = index};
	}
	journal->last_hit = 0;
}

/* A last segment whose records are all reported is used again from its start: an idle journal keeps
 * one. */
static void tidy_tail(struct lc_journal *journal)
{
	struct segment *segment = tail(journal);
	if (segment->outstanding || journal->reserved) {
		return;
	}
	memset(segment->reported, 0, (segment->records + 63) / 64 * sizeof(uint64_t));
	segment->used = segment->records = 0;
	segment->first_id = journal->next_id;
	if (journal->cursor.segment + 1 >= journal->count) {
		journal->cursor = (struct cursor){.segment = journal->count - 1};
	}
}

/* The segment that holds id, or count. */
static size_t find_segment(const struct lc_journal *journal, uint64_t id)
{
	size_t hit = journal->last_hit;
	if (hit < journal->count && id >= journal->segments[hit]->first_id &&
		id - journal->segments[hit]->first_id < journal->segments[hit]->records) {
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
	if (!low ||
		id - journal->segments[low - 1]->first_id >= journal->segments[low - 1]->records) {
		return journal->count;
	}
	return low - 1;
}

/* Moves the cursor over what is reported already, to the next record to send. */
static bool cursor_settle(struct lc_journal *journal)
{
	struct cursor *cursor = &journal->cursor;
	while (cursor->segment < journal->count) {
		struct segment *segment = journal->segments[cursor->segment];
		if (cursor->index == segment->records) {
			if (cursor->segment + 1 == journal->count) {
				return false; /* stays, for what will be appended here */
			}
			*cursor = (struct cursor){.segment = cursor->segment + 1};
			continue;
		}
		if (!is_reported(segment, cursor->index)) {
			return true;
		}
		struct entry *entry = (struct entry *)(void *)(segment->data + cursor->offset);
		cursor->offset += entry->size;
		cursor->index++;
	}
	return false;
}

enum lc_err lc_journal_create(size_t capacity_bytes, struct lc_journal **out)
{
	struct lc_journal *journal = calloc(1, sizeof *journal);
	if (!journal) {
		return LC_ERR_NOMEM;
	}
	/* Two at least: one that Kafka has not acknowledged, one to append to. */
	journal->max = capacity_bytes / LC_JOURNAL_SEGMENT < 2
			       ? 2
			       : capacity_bytes / LC_JOURNAL_SEGMENT;
	journal->segments = calloc(journal->max, sizeof(struct segment *));
	if (!journal->segments) {
		free(journal);
		return LC_ERR_NOMEM;
	}
	journal->next_id = 1;
	*out = journal;
	return LC_OK;
}

void lc_journal_destroy(struct lc_journal *journal)
{
	if (!journal) {
		return;
	}
	for (size_t i = 0; i < journal->count; i++) {
		free(journal->segments[i]);
	}
	for (size_t i = 0; i < journal->spare_count; i++) {
		free(journal->spares[i]);
	}
	free(journal->segments);
	free(journal);
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
	if (!fits_tail(journal, entry_size(head->key_len, max_value))) {
		enum lc_err err = add_segment(journal);
		if (err) {
			return err;
		}
	}
	struct segment *segment = tail(journal);
	struct entry *entry = (struct entry *)(void *)(segment->data + segment->used);
	*entry = (struct entry){
		.timestamp_ns = head->timestamp_ns,
		.received_mono_ns = head->received_mono_ns,
		.key_len = head->key_len,
		.topic = head->topic,
		.schema = head->schema,
		.replayed = head->replayed,
	};
	if (head->key_len) {
		memcpy(entry_key(entry), head->key, head->key_len);
	}
	journal->reserved = entry;
	journal->reserved_max = (uint32_t)max_value;
	*value = entry_key(entry) + head->key_len;
	return LC_OK;
}

uint64_t lc_journal_commit(struct lc_journal *journal, size_t value_len)
{
	struct entry *entry = journal->reserved;
	assert(entry && value_len <= journal->reserved_max);
	journal->reserved = NULL;
	if (!value_len) {
		tidy_tail(journal);
		return 0;
	}
	struct segment *segment = tail(journal);
	entry->value_len = (uint32_t)value_len;
	entry->size = entry_size(entry->key_len, value_len);
	segment->used += entry->size;
	segment->records++;
	segment->outstanding++;
	journal->appended++;
	journal->unsent++;
	return journal->next_id++;
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

enum lc_err lc_journal_next(struct lc_journal *journal, struct lc_record *out)
{
	if (!cursor_settle(journal)) {
		return LC_ERR_END;
	}
	struct cursor *cursor = &journal->cursor;
	struct segment *segment = journal->segments[cursor->segment];
	struct entry *entry = (struct entry *)(void *)(segment->data + cursor->offset);
	uint64_t id = segment->first_id + cursor->index;
	*out = (struct lc_record){
		.id = id,
		.timestamp_ns = entry->timestamp_ns,
		.received_mono_ns = entry->received_mono_ns,
		.key = entry_key(entry),
		.value = entry_key(entry) + entry->key_len,
		.key_len = entry->key_len,
		.value_len = entry->value_len,
		.topic = entry->topic,
		.schema = entry->schema,
		.replayed = entry->replayed || id <= journal->sent_high,
	};
	if (id > journal->sent_high) {
		journal->sent_high = id;
	}
	cursor->offset += entry->size;
	cursor->index++;
	journal->unsent--;
	return LC_OK;
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
	if (is_reported(segment, place)) {
		return;
	}
	/* After a rewind the old producer's last reports come for records ahead of the cursor. */
	bool ahead = index > journal->cursor.segment ||
		     (index == journal->cursor.segment && place >= journal->cursor.index);
	if (ahead) {
		journal->unsent--;
	}
	segment->reported[place / 64] |= UINT64_C(1) << (place % 64);
	journal->reported_count++;
	if (--segment->outstanding) {
		return;
	}
	if (index + 1 < journal->count) {
		release_segment(journal, index);
	} else {
		tidy_tail(journal);
	}
}

void lc_journal_rewind(struct lc_journal *journal)
{
	journal->cursor = (struct cursor){0};
	journal->unsent = journal->appended - journal->reported_count;
	cursor_settle(journal);
}

struct lc_journal_stats lc_journal_stats(const struct lc_journal *journal)
{
	return (struct lc_journal_stats){
		.appended = journal->appended,
		.reported = journal->reported_count,
		.unsent = journal->unsent,
		.bytes = journal->count * LC_JOURNAL_SEGMENT,
		.capacity = journal->max * LC_JOURNAL_SEGMENT,
	};
}

bool lc_journal_has_room(const struct lc_journal *journal, size_t bytes)
{
	return journal->count < journal->max || fits_tail(journal, entry_size(0, bytes));
}

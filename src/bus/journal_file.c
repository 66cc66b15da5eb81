#include "livecore/journal_file.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define MAGIC UINT64_C(0x31676f6c65726f63) /* "corelog1" where this is read right */
#define VERSION 1
#define VERSION_MAX 255 /* more is damage */
#define SLOT_DIGITS 8

struct head_page {
	uint64_t magic;
	uint32_t version, checksum; /* of what follows */
	uint64_t first_id;
	int64_t created_ns;
	uint32_t salt, data_bytes;
};

struct marks_page {
	uint32_t checksum; /* of what follows */
	uint32_t salt;
	struct lc_journal_marks marks;
};

_Static_assert(sizeof(struct marks_page) <= LC_JOURNAL_PAGE, "marks fit a page");
_Static_assert(sizeof(struct lc_journal_entry) % 8 == 0, "entries stay aligned");

static uint32_t checksum_of(uint32_t seed, const void *data, size_t len)
{
	return (uint32_t)crc32(seed, data, (uInt)len);
}

static uint32_t entry_checksum(const struct lc_journal_entry *entry, uint32_t salt)
{
	const size_t skip = offsetof(struct lc_journal_entry, size);
	return checksum_of(salt, (const char *)entry + skip, entry->size - skip);
}

void lc_journal_file_name(uint32_t slot, char out[LC_JOURNAL_NAME_BYTES])
{
	snprintf(out, LC_JOURNAL_NAME_BYTES, "%0*u.log", SLOT_DIGITS, slot);
}

bool lc_journal_file_slot(const char *name, uint32_t *slot)
{
	uint32_t value = 0;
	for (int i = 0; i < SLOT_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9') {
			return false;
		}
		value = value * 10 + (uint32_t)(name[i] - '0');
	}
	*slot = value;
	return strcmp(name + SLOT_DIGITS, ".log") == 0;
}

void lc_journal_head_write(const struct lc_journal_head *head, char page[LC_JOURNAL_PAGE])
{
	struct head_page out = {
		.magic = MAGIC,
		.version = VERSION,
		.first_id = head->first_id,
		.created_ns = head->created_ns,
		.salt = head->salt,
		.data_bytes = head->data_bytes,
	};
	const size_t skip = offsetof(struct head_page, first_id);
	out.checksum = checksum_of(0, (char *)&out + skip, sizeof out - skip);
	memset(page, 0, LC_JOURNAL_PAGE);
	memcpy(page, &out, sizeof out);
}

enum lc_err lc_journal_head_read(const char page[LC_JOURNAL_PAGE], struct lc_journal_head *out)
{
	static const char zero[sizeof(struct head_page)];
	struct head_page in;
	memcpy(&in, page, sizeof in);
	if (memcmp(&in, zero, sizeof in) == 0) {
		return LC_ERR_NOT_FOUND;
	}
	if (in.magic == MAGIC && in.version > VERSION && in.version <= VERSION_MAX) {
		return LC_ERR_UNSUPPORTED;
	}
	const size_t skip = offsetof(struct head_page, first_id);
	if (in.magic != MAGIC || in.version != VERSION ||
		in.checksum != checksum_of(0, (char *)&in + skip, sizeof in - skip) ||
		in.first_id == 0) {
		return LC_ERR_INVALID;
	}
	*out = (struct lc_journal_head){
		.first_id = in.first_id,
		.created_ns = in.created_ns,
		.salt = in.salt,
		.data_bytes = in.data_bytes,
	};
	return LC_OK;
}

void lc_journal_marks_write(
	const struct lc_journal_marks *marks, uint32_t salt, char page[LC_JOURNAL_PAGE])
{
	const size_t skip = offsetof(struct marks_page, salt);
	struct marks_page out = {.salt = salt, .marks = *marks};
	out.checksum = checksum_of(0, (char *)&out + skip, sizeof out - skip);
	memset(page, 0, LC_JOURNAL_PAGE);
	memcpy(page, &out, sizeof out);
}

enum lc_err lc_journal_marks_read(
	const char page[LC_JOURNAL_PAGE], uint32_t salt, struct lc_journal_marks *out)
{
	const size_t skip = offsetof(struct marks_page, salt);
	struct marks_page in;
	memcpy(&in, page, sizeof in);
	*out = (struct lc_journal_marks){0};
	if (in.checksum != checksum_of(0, (char *)&in + skip, sizeof in - skip) ||
		in.marks.source_count > LC_JOURNAL_SOURCES) {
		return LC_ERR_INVALID;
	}
	if (in.salt != salt) {
		return LC_ERR_NOT_FOUND;
	}
	*out = in.marks;
	for (uint32_t i = 0; i < out->source_count; i++) {
		out->sources[i].name[sizeof out->sources[i].name - 1] = '\0';
	}
	return LC_OK;
}

bool lc_journal_marked(const uint64_t *reported, uint32_t index)
{
	return reported[index / 64] >> (index % 64) & 1;
}

void lc_journal_seal(char *data, uint32_t from, uint32_t to, uint32_t salt)
{
	while (from < to) {
		struct lc_journal_entry *entry = (struct lc_journal_entry *)(void *)(data + from);
		entry->checksum = entry_checksum(entry, salt);
		from += entry->size;
	}
}

void lc_journal_scan_begin(struct lc_journal_scan *scan, const struct lc_journal_head *head,
	const char *data, size_t len)
{
	*scan = (struct lc_journal_scan){
		.data = data,
		.len = len < head->data_bytes ? len : head->data_bytes,
		.next_id = head->first_id,
		.salt = head->salt,
	};
}

void lc_journal_scan_memory(
	struct lc_journal_scan *scan, uint64_t first_id, const char *data, size_t len)
{
	*scan = (struct lc_journal_scan){
		.data = data, .len = len, .next_id = first_id, .unsealed = true};
}

static bool is_sound(const struct lc_journal_scan *scan, const struct lc_journal_entry *entry)
{
	return entry->size >= sizeof *entry && entry->size % 8 == 0 &&
	       entry->size <= scan->len - scan->used && entry->id == scan->next_id &&
	       entry->value_len <= LC_RECORD_MAX && entry->key_len <= entry->size &&
	       (entry->trace_len == 0 || entry->trace_len == LC_TRACEPARENT_LEN) &&
	       lc_journal_entry_size(entry->key_len, entry->trace_len, entry->value_len) ==
		       entry->size &&
	       entry->topic < LC_TOPICS_OUT && entry->schema < LC_SCHEMAS &&
	       (scan->unsealed || entry->checksum == entry_checksum(entry, scan->salt));
}

const struct lc_journal_entry *lc_journal_scan_next(struct lc_journal_scan *scan)
{
	static const char end[8];
	size_t left = scan->len - scan->used;
	if (scan->torn || left < sizeof end || memcmp(scan->data + scan->used, end, 8) == 0) {
		return NULL;
	}
	const struct lc_journal_entry *entry = (const void *)(scan->data + scan->used);
	if (left < sizeof *entry || scan->records >= LC_JOURNAL_RECORDS || !is_sound(scan, entry)) {
		scan->torn = true;
		return NULL;
	}
	scan->used += entry->size;
	scan->records++;
	scan->next_id++;
	return entry;
}

int64_t lc_journal_entry_time(const struct lc_journal_entry *entry)
{
	return entry->event_ns ? entry->event_ns : entry->timestamp_ns;
}

const char *lc_journal_entry_key(const struct lc_journal_entry *entry)
{
	return (const char *)(entry + 1);
}

const char *lc_journal_entry_traceparent(const struct lc_journal_entry *entry)
{
	return entry->trace_len ? lc_journal_entry_key(entry) + entry->key_len : NULL;
}

const char *lc_journal_entry_value(const struct lc_journal_entry *entry)
{
	return lc_journal_entry_key(entry) + entry->key_len + entry->trace_len;
}

uint32_t lc_journal_entry_size(size_t key_len, size_t trace_len, size_t value_len)
{
	const size_t size = sizeof(struct lc_journal_entry) + key_len + trace_len + value_len;
	return (uint32_t)((size + 7) & ~(size_t)7);
}

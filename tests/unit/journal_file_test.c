/* The format of the log's files: what is torn, flipped or left over never passes for a record. */
#include "livecore/journal_file.h"

#include <criterion/criterion.h>
#include <string.h>

#define RECORDS 5
#define ROOM 4096

struct file {
	_Alignas(8) char data[ROOM];
	struct lc_journal_head head;
	uint32_t used, begins[RECORDS + 1];
};

static const char *const values[RECORDS] = {"a", "{\"b\":1}", "", "something longer", "x"};
static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/* Each third one has a trace. */
static void add_record(struct file *file, uint64_t id, const char *key, const char *value)
{
	const uint8_t trace_len = id % 3 ? 0 : LC_TRACEPARENT_LEN;
	struct lc_journal_entry *entry = (void *)(file->data + file->used);
	*entry = (struct lc_journal_entry){
		.size = lc_journal_entry_size(strlen(key), trace_len, strlen(value)),
		.id = id,
		.timestamp_ns = (int64_t)id * 10,
		.key_len = (uint32_t)strlen(key),
		.value_len = (uint32_t)strlen(value),
		.topic = LC_TOPIC_EVENTS,
		.schema = LC_SCHEMA_SYSTEM_EVENT,
		.trace_len = trace_len,
	};
	memcpy(entry + 1, key, strlen(key));
	memcpy((char *)(entry + 1) + strlen(key), trace, trace_len);
	memcpy((char *)(entry + 1) + strlen(key) + trace_len, value, strlen(value));
	file->used += entry->size;
}

static void make(struct file *file, uint32_t salt, uint64_t first_id)
{
	memset(file, 0, sizeof *file);
	file->head = (struct lc_journal_head){
		.first_id = first_id, .created_ns = 5, .salt = salt, .data_bytes = ROOM};
	for (uint32_t i = 0; i < RECORDS; i++) {
		file->begins[i] = file->used;
		add_record(file, first_id + i, i % 2 ? "key" : "", values[i]);
	}
	file->begins[RECORDS] = file->used;
	lc_journal_seal(file->data, 0, file->used, salt);
}

static bool is_as_written(const struct file *file, const struct lc_journal_entry *entry)
{
	const char *value = values[entry->id - file->head.first_id];
	const char *traced = lc_journal_entry_traceparent(entry);
	return entry->value_len == strlen(value) &&
	       memcmp(lc_journal_entry_value(entry), value, entry->value_len) == 0 &&
	       (traced != NULL) == (entry->id % 3 == 0) &&
	       (!traced || memcmp(traced, trace, LC_TRACEPARENT_LEN) == 0);
}

static struct lc_journal_scan scan(const struct file *file, size_t len)
{
	struct lc_journal_scan scan;
	lc_journal_scan_begin(&scan, &file->head, file->data, len);
	const struct lc_journal_entry *entry;
	while ((entry = lc_journal_scan_next(&scan))) {
		cr_assert_eq(entry->id, file->head.first_id + scan.records - 1);
		cr_assert_eq(entry->timestamp_ns, (int64_t)entry->id * 10);
		cr_assert(is_as_written(file, entry));
	}
	return scan;
}

Test(journal_file, torn_at_each_byte)
{
	struct file file;
	make(&file, 99, 7);
	for (uint32_t len = 0; len <= file.used; len++) {
		uint32_t whole = 0;
		while (whole < RECORDS && file.begins[whole + 1] <= len) {
			whole++;
		}
		struct lc_journal_scan seen = scan(&file, len);
		cr_assert_eq(seen.records, whole, "%u bytes", len);
		cr_assert_eq(seen.used, file.begins[whole]);
		/* A file is longer than its records: zeros follow what was written. */
		struct file torn = file;
		memset(torn.data + len, 0, ROOM - len);
		seen = scan(&torn, ROOM);
		cr_assert(seen.records == whole || seen.records == whole + 1);
		cr_assert_eq(seen.torn, seen.used != len && file.begins[seen.records] < len &&
						seen.records < RECORDS);
	}
}

Test(journal_file, a_flipped_bit_ends_the_records)
{
	struct file file;
	make(&file, 99, 7);
	for (uint32_t bit = 0; bit < file.used * 8; bit++) {
		uint32_t hit = 0;
		while (file.begins[hit + 1] * 8 <= bit) {
			hit++;
		}
		file.data[bit / 8] ^= (char)(1 << (bit % 8));
		struct lc_journal_scan seen = scan(&file, ROOM);
		cr_assert_eq(seen.records, hit, "bit %u", bit);
		cr_assert(seen.torn);
		file.data[bit / 8] ^= (char)(1 << (bit % 8));
	}
	cr_assert_eq(scan(&file, ROOM).records, RECORDS);
}

/* A sound checksum over another length is no record: nothing is read beyond it. */
Test(journal_file, a_trace_is_there_or_not)
{
	struct file file;
	for (unsigned len = 0; len <= UINT8_MAX; len++) {
		memset(&file, 0, sizeof file);
		file.head = (struct lc_journal_head){.first_id = 3, .data_bytes = ROOM};
		add_record(&file, 3, "key", "value");
		((struct lc_journal_entry *)(void *)file.data)->trace_len = (uint8_t)len;
		lc_journal_seal(file.data, 0, file.used, 0);
		struct lc_journal_scan seen;
		lc_journal_scan_begin(&seen, &file.head, file.data, ROOM);
		cr_assert_eq(lc_journal_scan_next(&seen) != NULL, len == LC_TRACEPARENT_LEN);
	}
}

Test(journal_file, records_of_an_earlier_use_do_not_count)
{
	struct file old, now;
	make(&old, 1, 7);
	make(&now, 2, 7);
	memcpy(old.data, now.data, now.begins[2]);
	old.head = now.head;
	cr_assert_eq(scan(&old, ROOM).records, 2);
	make(&old, 2, 3); /* the same salt, other ids */
	old.head = now.head;
	cr_assert_eq(scan(&old, ROOM).records, 0);
}

Test(journal_file, heads)
{
	struct file file;
	char page[LC_JOURNAL_PAGE];
	struct lc_journal_head head;
	make(&file, 99, 7);
	lc_journal_head_write(&file.head, page);
	cr_assert_eq(lc_journal_head_read(page, &head), LC_OK);
	cr_assert(head.first_id == 7 && head.salt == 99 && head.data_bytes == ROOM);
	for (unsigned i = 0; i < 40; i++) {
		page[i] ^= 1;
		cr_assert_eq(lc_journal_head_read(page, &head), LC_ERR_INVALID, "byte %u", i);
		page[i] ^= 1;
	}
	page[8] = 2;
	cr_assert_eq(lc_journal_head_read(page, &head), LC_ERR_UNSUPPORTED, "a later version");
	memset(page, 0, sizeof page);
	cr_assert_eq(lc_journal_head_read(page, &head), LC_ERR_NOT_FOUND);
}

Test(journal_file, marks)
{
	char page[LC_JOURNAL_PAGE];
	struct lc_journal_marks marks = {.source_count = 1}, out;
	strcpy(marks.sources[0].name, "alpaca");
	marks.sources[0].last_event_ns = 12;
	marks.reported[3] = 1;
	lc_journal_marks_write(&marks, 5, page);
	cr_assert_eq(lc_journal_marks_read(page, 5, &out), LC_OK);
	cr_assert(lc_journal_marked(out.reported, 192) && !lc_journal_marked(out.reported, 193));
	cr_assert_str_eq(out.sources[0].name, "alpaca");
	cr_assert_eq(lc_journal_marks_read(page, 6, &out), LC_ERR_NOT_FOUND);
	page[1000] ^= 1;
	cr_assert_eq(lc_journal_marks_read(page, 5, &out), LC_ERR_INVALID);
	cr_assert_eq(out.source_count, 0, "nothing of it is believed");
}

Test(journal_file, names)
{
	char name[LC_JOURNAL_NAME_BYTES];
	uint32_t slot;
	lc_journal_file_name(12, name);
	cr_assert_str_eq(name, "00000012.log");
	cr_assert(lc_journal_file_slot(name, &slot) && slot == 12);
	cr_assert_not(lc_journal_file_slot("00000012.log.damaged", &slot));
	cr_assert_not(lc_journal_file_slot("lock", &slot));
	cr_assert_not(lc_journal_file_slot("", &slot));
}

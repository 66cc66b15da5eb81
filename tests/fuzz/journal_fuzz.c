/* Any bytes as a file of the log: what is taken for a record lies within them, and its checksum
 * fits. The input is a head page, a marks page and records; short ones are filled up with zeros. */
#include "livecore/journal_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_MAX (LC_JOURNAL_DATA + 65536)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct lc_journal_scan *scan, const struct lc_journal_entry *entry)
{
	const char *end = lc_journal_entry_value(entry) + entry->value_len;
	if (lc_journal_entry_key(entry) < scan->data || end > scan->data + scan->used ||
		scan->used > scan->len || entry->topic >= LC_TOPICS_OUT ||
		entry->schema >= LC_SCHEMAS ||
		(entry->trace_len && entry->trace_len != LC_TRACEPARENT_LEN)) {
		abort();
	}
}

static void scan_all(const struct lc_journal_head *head, const char *data, size_t len)
{
	struct lc_journal_scan scan;
	lc_journal_scan_begin(&scan, head, data, len);
	const struct lc_journal_entry *entry;
	while ((entry = lc_journal_scan_next(&scan))) {
		check_entry(&scan, entry);
	}
}

/* Checksums are hard to guess, so the input is tried again with sound ones. */
static void scan_sealed(char *data, size_t len)
{
	struct lc_journal_head head = {.first_id = 1, .salt = 7, .data_bytes = (uint32_t)len};
	uint32_t used = 0;
	for (uint64_t id = 1; used + sizeof(struct lc_journal_entry) <= len; id++) {
		struct lc_journal_entry *entry = (void *)(data + used);
		entry->id = id;
		if (entry->size < sizeof *entry || entry->size % 8 || entry->size > len - used) {
			break;
		}
		lc_journal_seal(data, used, used + entry->size, head.salt);
		used += entry->size;
	}
	scan_all(&head, data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lc_journal_head head = {.first_id = 1, .data_bytes = UINT32_MAX};
	struct lc_journal_marks marks;
	size = size > FUZZ_MAX ? FUZZ_MAX : size;
	size_t room = (size < LC_JOURNAL_DATA ? LC_JOURNAL_DATA : size) + 8;
	char *file = calloc(1, room);
	if (!file) {
		return 0;
	}
	if (size) {
		memcpy(file, data, size);
	}
	lc_journal_head_read(file, &head);
	lc_journal_marks_read(file + LC_JOURNAL_PAGE, head.salt, &marks);
	scan_all(&head, file + LC_JOURNAL_DATA, room - LC_JOURNAL_DATA);
	scan_all(&head, file, size & ~(size_t)7);
	scan_sealed(file, size & ~(size_t)7);
	free(file);
	return 0;
}

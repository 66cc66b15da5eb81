/* Reading the files of a log that is found again. A disk may take seconds for it, or never answer:
 * the pool waits for it, and the loop turns meanwhile. */
#include "journal_recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_read(void *arg, bool cancelled)
{
	struct journal_finder *finder = arg;
	(void)cancelled;
	finder->awaiting = false;
}

static void await(struct journal_finder *finder, void (*work)(void *arg))
{
	finder->awaiting = true;
	if (lc_loop_job(finder->store->loop, work, on_read, finder)) {
		work(finder);
		return;
	}
	while (finder->awaiting) {
		lc_loop_turn(finder->store->loop);
	}
}

/* What a file ends before counts as zero. */
static int read_page(const struct journal_finder *finder, uint32_t slot, uint64_t offset,
	char page[LC_JOURNAL_PAGE])
{
	size_t got;
	int error = journal_disk_read(
		finder->store->disk, slot, offset, page, LC_JOURNAL_PAGE, &got);
	memset(page + got, 0, LC_JOURNAL_PAGE - got);
	return error;
}

static void work_heads(void *arg)
{
	struct journal_finder *finder = arg;
	for (size_t i = 0; i < finder->count; i++) {
		struct journal_found_file *file = &finder->files[i];
		char page[LC_JOURNAL_PAGE];
		int error = read_page(finder, file->slot, 0, page);
		file->error = error;
		file->state = error ? LC_ERR_IO : lc_journal_head_read(page, &file->head);
		if (file->state == LC_OK && file->head.data_bytes > JOURNAL_SEGMENT_MAX) {
			file->state = LC_ERR_INVALID;
		}
	}
}

static bool make_room(struct journal_read *read, size_t bytes)
{
	if (read->data_bytes < bytes) {
		char *data = realloc(read->data, bytes);
		if (!data) {
			return false;
		}
		read->data = data;
		read->data_bytes = bytes;
	}
	return true;
}

/* The page of marks, and the records. */
static int read_parts(struct journal_finder *finder, char page[LC_JOURNAL_PAGE], size_t *len)
{
	struct journal_read *read = &finder->read;
	const size_t bytes = read->file->head.data_bytes;
	if (!make_room(read, bytes)) {
		return ENOMEM;
	}
	int error = read_page(finder, read->file->slot, LC_JOURNAL_PAGE, page);
	return error ? error
		     : journal_disk_read(finder->store->disk, read->file->slot, LC_JOURNAL_DATA,
			       read->data, bytes, len);
}

static void work_file(void *arg)
{
	struct journal_finder *finder = arg;
	struct journal_read *read = &finder->read;
	const struct lc_journal_head *head = &read->file->head;
	char page[LC_JOURNAL_PAGE];
	size_t len;
	read->error = read_parts(finder, page, &len);
	if (read->error) {
		return;
	}
	read->marks_damaged = lc_journal_marks_read(page, head->salt, &read->marks) ==
			      LC_ERR_INVALID;
	lc_journal_scan_begin(&read->scan, head, read->data, len);
	while (lc_journal_scan_next(&read->scan)) {
	}
}

void journal_recover_read_heads(struct journal_finder *finder)
{
	await(finder, work_heads);
}

void journal_recover_read_file(struct journal_finder *finder, const struct journal_found_file *file)
{
	finder->read.file = file;
	await(finder, work_file);
}

#include "app/journal_view.h"

#include "livecore/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DATA_MAX (16 * LC_JOURNAL_SEGMENT)
#define FILES_MAX 100000
#define LOCKS_MAX (4 << 20)

static const char *const topics[LC_TOPICS_OUT] = {
	[LC_TOPIC_MARKET] = "market_data",
	[LC_TOPIC_MARKET_CN] = "market_data_cn",
	[LC_TOPIC_MARKET_HK] = "market_data_hk",
	[LC_TOPIC_MARKET_US] = "market_data_us",
	[LC_TOPIC_BARS] = "bars",
	[LC_TOPIC_EVENTS] = "events",
	[LC_TOPIC_NOTIFICATIONS] = "notifications",
};

const char *lc_journal_view_topic(int topic)
{
	return topics[topic];
}

/* The kernel's list says who holds a lock without taking it: a process that starts at this moment
 * must not be turned away by us. */
static bool is_locked(const char *path)
{
	struct stat there;
	char *text = NULL, wanted[64];
	size_t len;
	struct lc_error err;
	if (stat(path, &there) != 0 || lc_file_read("/proc/locks", LOCKS_MAX, &text, &len, &err) ||
		!text) {
		return false;
	}
	snprintf(wanted, sizeof wanted, "%02x:%02x:%lu ", major(there.st_dev), minor(there.st_dev),
		(unsigned long)there.st_ino);
	bool found = strstr(text, wanted) != NULL;
	free(text);
	return found;
}

static bool is_there(const char *dir, const char *name)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void find_holder(const char *dir, struct lc_journal_view *view)
{
	char path[4200], *text;
	size_t len;
	struct lc_error err;
	snprintf(path, sizeof path, "%s/lock", dir);
	if (is_locked(path) && lc_file_read(path, 64, &text, &len, &err) == LC_OK && text) {
		snprintf(view->holder, sizeof view->holder, "%.*s", (int)len, text);
		view->holder[strcspn(view->holder, "\n")] = '\0';
		free(text);
	}
	view->clean = is_there(dir, "clean");
}

static void count_record(struct lc_journal_view *view, struct lc_journal_file_view *file,
	const struct lc_journal_entry *entry, bool marked)
{
	int64_t at = entry->timestamp_ns;
	file->first_ns = file->records == 0 || at < file->first_ns ? at : file->first_ns;
	file->last_ns = file->records == 0 || at > file->last_ns ? at : file->last_ns;
	view->first_ns = view->records == 0 || at < view->first_ns ? at : view->first_ns;
	view->last_ns = view->records == 0 || at > view->last_ns ? at : view->last_ns;
	file->records++;
	file->unmarked += !marked;
	view->records++;
	view->unmarked += !marked;
	view->topics[entry->topic]++;
	view->unmarked_topics[entry->topic] += !marked;
}

static void scan_file(struct lc_journal_view *view, struct lc_journal_file_view *file,
	const struct lc_journal_head *head, const char *text, size_t len)
{
	struct lc_journal_marks marks = {0};
	if (len >= LC_JOURNAL_DATA) {
		file->marks_damaged = lc_journal_marks_read(text + LC_JOURNAL_PAGE, head->salt,
					      &marks) == LC_ERR_INVALID;
	}
	struct lc_journal_scan scan;
	size_t begin = len < LC_JOURNAL_DATA ? len : LC_JOURNAL_DATA;
	lc_journal_scan_begin(&scan, head, text + begin, len - begin);
	const struct lc_journal_entry *entry;
	while ((entry = lc_journal_scan_next(&scan))) {
		count_record(
			view, file, entry, lc_journal_marked(marks.reported, scan.records - 1));
	}
	file->torn = scan.torn;
	file->bytes = scan.used;
	file->first_id = head->first_id;
}

/* A pipe would make its reader wait, and a link is none of ours. */
static bool is_plain(const char *path)
{
	struct stat there;
	return lstat(path, &there) == 0 && S_ISREG(there.st_mode);
}

static void read_file(
	const char *dir, struct lc_journal_view *view, struct lc_journal_file_view *file)
{
	char path[4200], *text = NULL, page[LC_JOURNAL_PAGE] = {0};
	size_t len = 0;
	struct lc_error err;
	struct lc_journal_head head;
	snprintf(path, sizeof path, "%s/%s", dir, file->name);
	if (!is_plain(path) || lc_file_read(path, LC_JOURNAL_DATA + DATA_MAX, &text, &len, &err) ||
		!text) {
		/* One that went away between listing and reading is not in use. */
		file->state = access(path, F_OK) == 0 ? LC_ERR_IO : LC_ERR_NOT_FOUND;
		return;
	}
	memcpy(page, text, len < sizeof page ? len : sizeof page);
	file->state = lc_journal_head_read(page, &head);
	if (file->state == LC_OK) {
		scan_file(view, file, &head, text, len);
	}
	free(text);
}

static enum lc_err add_file(struct lc_journal_view *view, const char *name)
{
	if (view->count == view->max) {
		size_t max = view->max ? 2 * view->max : 64;
		void *files = realloc(view->files, max * sizeof *view->files);
		if (!files) {
			return LC_ERR_NOMEM;
		}
		view->files = files;
		view->max = max;
	}
	struct lc_journal_file_view *file = &view->files[view->count++];
	*file = (struct lc_journal_file_view){.state = LC_ERR_NOT_FOUND};
	snprintf(file->name, sizeof file->name, "%s", name);
	return LC_OK;
}

static int by_id(const void *a, const void *b)
{
	const struct lc_journal_file_view *x = a, *y = b;
	return x->first_id != y->first_id
		       ? (x->first_id > y->first_id) - (x->first_id < y->first_id)
		       : strcmp(x->name, y->name);
}

static enum lc_err read_memory(
	const char *dir, const char *memory_dir, struct lc_journal_view *view)
{
	uint64_t next_id = 0;
	for (size_t i = 0; i < view->count; i++) {
		const struct lc_journal_file_view *file = &view->files[i];
		uint64_t behind = file->state == LC_OK ? file->first_id + file->records : 0;
		next_id = behind > next_id ? behind : next_id;
	}
	return lc_journal_memory_read(memory_dir, dir, next_id, &view->memory);
}

/* A process that had its log here left its lock; but state.dir has one as well. */
static enum lc_err check_used(const char *dir, struct lc_error *err)
{
	bool above = is_there(dir, "journal");
	if (is_there(dir, "lock") && !above) {
		return LC_OK;
	}
	return lc_error_set(err, LC_ERR_NOT_FOUND, "%s: there is no log in this folder%s", dir,
		above ? ": look at its folder journal" : "");
}

enum lc_err lc_journal_view_read(
	const char *dir, const char *memory_dir, struct lc_journal_view *view, struct lc_error *err)
{
	*view = (struct lc_journal_view){0};
	DIR *folder = opendir(dir);
	if (!folder) {
		return lc_error_set(err, LC_ERR_IO, "%s: %s", dir, strerror(errno));
	}
	find_holder(dir, view);
	struct dirent *entry;
	enum lc_err rc = LC_OK;
	while (rc == LC_OK && (entry = readdir(folder)) && view->count < FILES_MAX) {
		uint32_t slot;
		if (lc_journal_file_slot(entry->d_name, &slot)) {
			rc = add_file(view, entry->d_name);
		}
	}
	closedir(folder);
	if (rc) {
		return lc_error_set(err, rc, "out of memory");
	}
	for (size_t i = 0; i < view->count; i++) {
		read_file(dir, view, &view->files[i]);
	}
	if (view->count > 0) {
		qsort(view->files, view->count, sizeof *view->files, by_id);
	}
	if (view->count == 0 && check_used(dir, err)) {
		return LC_ERR_NOT_FOUND;
	}
	rc = read_memory(dir, memory_dir, view);
	return rc ? lc_error_set(err, rc, "out of memory") : LC_OK;
}

void lc_journal_view_finish(struct lc_journal_view *view)
{
	free(view->files);
}

const char *lc_journal_view_problem(
	const struct lc_journal_view *view, const struct lc_journal_file_view *file)
{
	bool written_now = view->holder[0] != '\0';
	if (file->state == LC_ERR_IO) {
		return "it cannot be read";
	}
	if (file->state == LC_ERR_UNSUPPORTED) {
		return "it is of a later version of livecore";
	}
	if (file->state == LC_ERR_INVALID) {
		return written_now ? NULL : "its head is damaged, or it is no file of a log";
	}
	if (file->torn && !written_now) {
		return "its last record is torn: it and what follows is not read";
	}
	return file->marks_damaged && !written_now
		       ? "its marks are damaged: what was reported will be sent once more"
		       : NULL;
}

const char *lc_journal_view_memory_problem(const struct lc_journal_view *view)
{
	if (view->memory.state == LC_ERR_INVALID) {
		return "its memory is damaged, or another user's";
	}
	return view->memory.torn > 0 && view->holder[0] == '\0'
		       ? "its memory ends in half a record: that is not read"
		       : NULL;
}

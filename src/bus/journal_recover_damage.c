/* What of a log cannot be read: its files are put aside, and the time that they held is remembered,
 * so that it can be said as a gap. Which symbols they held nobody knows any more. */
#include "journal_recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASIDE_BYTES (LC_JOURNAL_NAME_BYTES + 24)
#define ASIDE_MAX 1000 /* of one name */

static void widen(struct journal_finder *finder, int64_t from_ns, int64_t until_ns)
{
	struct lc_journal_recovery *recovery = &finder->store->journal->recovery;
	bool first = recovery->hole_until_ns == 0;
	if (first || from_ns < recovery->hole_from_ns) {
		recovery->hole_from_ns = from_ns;
	}
	if (until_ns > recovery->hole_until_ns) {
		recovery->hole_until_ns = until_ns;
	}
}

void journal_recover_seen(struct journal_finder *finder, const struct lc_journal_entry *entry)
{
	int64_t at = lc_journal_entry_time(entry);
	if (finder->torn) { /* what was torn off lies between the last one and this */
		finder->torn = false;
		widen(finder, finder->last_ns < at ? finder->last_ns : at, at);
	}
	finder->first_ns = !finder->first_ns || at < finder->first_ns ? at : finder->first_ns;
	finder->last_ns = at > finder->last_ns ? at : finder->last_ns;
}

void journal_recover_torn(struct journal_finder *finder, const struct segment *segment)
{
	finder->store->journal->recovery.torn++;
	finder->torn = true;
	finder->last_ns = finder->last_ns ? finder->last_ns : finder->read.file->head.created_ns;
	lc_log(lc_loop_log(finder->store->loop), LC_LOG_WARN, "journal", "torn",
		LC_U("file", segment->slot), LC_U("records", segment->records),
		LC_U("at_byte", segment->used));
}

void journal_recover_torn_end(struct journal_finder *finder)
{
	if (finder->torn) {
		finder->torn = false;
		widen(finder, finder->last_ns, lc_loop_wall_ns(finder->store->loop));
	}
}

/* A link, a pipe or a folder. */
static bool is_no_file(int error)
{
	return error == ELOOP || error == ESPIPE || error == EISDIR;
}

static const char *reason(const struct journal_found_file *file)
{
	switch (file->state) {
	case LC_ERR_IO:
		return is_no_file(file->error) ? "it is no plain file" : strerror(file->error);
	case LC_ERR_UNSUPPORTED:
		return "it is of a later version of livecore: give it its name back for that one";
	case LC_ERR_EXISTS:
		return "its records are in another file too";
	default:
		return "its head is damaged, or it is no file of a log";
	}
}

/* A name that no file has, so that nothing is ever lost to a later one. */
static bool find_name(
	int dir_fd, const struct journal_found_file *file, const char *name, char out[ASIDE_BYTES])
{
	const char *kind = file->state == LC_ERR_UNSUPPORTED ? "later" : "damaged";
	struct stat there;
	snprintf(out, ASIDE_BYTES, "%s.%s", name, kind);
	for (int i = 2; i < ASIDE_MAX; i++) {
		if (fstatat(dir_fd, out, &there, AT_SYMLINK_NOFOLLOW) != 0) {
			return true;
		}
		snprintf(out, ASIDE_BYTES, "%s.%s.%d", name, kind, i);
	}
	return false;
}

/* When it was written last: its records are older. */
static int64_t written_ns(int dir_fd, const char *name)
{
	struct stat there;
	return fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0
		       ? there.st_mtim.tv_sec * LC_NS_PER_S + there.st_mtim.tv_nsec
		       : 0;
}

static void set_aside(struct journal_finder *finder, const struct journal_found_file *file)
{
	const int dir_fd = finder->store->disk->dir_fd;
	char name[LC_JOURNAL_NAME_BYTES], aside[ASIDE_BYTES];
	lc_journal_file_name(file->slot, name);
	int64_t until = written_ns(dir_fd, name);
	if (until && file->state != LC_ERR_EXISTS) {
		bool after_first = finder->first_ns && finder->first_ns < until;
		widen(finder, after_first ? finder->first_ns : until, until);
	}
	bool moved = find_name(dir_fd, file, name, aside) &&
		     renameat(dir_fd, name, dir_fd, aside) == 0;
	finder->store->journal->recovery.damaged++;
	lc_log(lc_loop_log(finder->store->loop), LC_LOG_ERROR, "journal", "file_set_aside",
		LC_S("file", moved ? aside : name), LC_S("reason", reason(file)));
}

void journal_recover_set_aside(struct journal_finder *finder)
{
	for (size_t i = 0; i < finder->count; i++) {
		const struct journal_found_file *file = &finder->files[i];
		if (file->state != LC_OK && file->state != LC_ERR_NOT_FOUND) {
			set_aside(finder, file);
		}
	}
}

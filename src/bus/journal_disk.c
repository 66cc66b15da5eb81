#include "journal_disk.h"

#include "livecore/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define TERMINATOR 8 /* zero bytes behind the last record */
#define CLEAN_NAME "clean"
#define CLEAN_SALT 1
/* No link is followed, and a pipe with the name of one of our files is an error and no wait. */
#define PLAIN (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

static int write_all(int fd, const char *data, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)offset);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? errno : EIO;
		}
		data += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int create_file(const struct journal_disk *disk, const char *name)
{
	int fd = openat(disk->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0) {
		return errno;
	}
	int rc = posix_fallocate(fd, 0, (off_t)journal_disk_file_bytes(disk));
	close(fd);
	if (rc) {
		unlinkat(disk->dir_fd, name, 0); /* half a file would only take space */
	}
	return rc;
}

/* The marks first: a head with its salt never stands before marks of another use. */
static int write_head(int fd, const struct disk_step *step)
{
	int rc = write_all(fd, step->data, LC_JOURNAL_PAGE, LC_JOURNAL_PAGE);
	return rc ? rc : write_all(fd, step->data + LC_JOURNAL_PAGE, LC_JOURNAL_PAGE, 0);
}

static int write_records(const struct journal_disk *disk, int fd, const struct disk_step *step)
{
	static const char zero[TERMINATOR];
	lc_journal_seal(step->data, step->from, step->to, step->salt);
	uint64_t offset = LC_JOURNAL_DATA + step->from;
	size_t len = step->to - step->from;
	struct iovec parts[2] = {
		{.iov_base = step->data + step->from, .iov_len = len},
		{.iov_base = (char *)(uintptr_t)zero, .iov_len = sizeof zero},
	};
	int count = step->to + sizeof zero <= disk->data_bytes ? 2 : 1;
	ssize_t n = pwritev(fd, parts, count, (off_t)offset);
	if (n < 0 && errno != EINTR) {
		return errno;
	}
	size_t done = n < 0 ? 0 : (size_t)n;
	if (done >= len + (count == 2 ? sizeof zero : 0)) {
		return 0;
	}
	done = done < len ? done : len;
	int rc = write_all(fd, step->data + step->from + done, len - done, offset + done);
	return rc || count == 1 ? rc : write_all(fd, zero, sizeof zero, offset + len);
}

static int write_to(const struct journal_disk *disk, int fd, const struct disk_step *step)
{
	static const char empty[LC_JOURNAL_PAGE];
	switch (step->action) {
	case DISK_HEAD:
		return write_head(fd, step);
	case DISK_RECORDS:
		return write_records(disk, fd, step);
	case DISK_MARKS:
		return write_all(fd, step->data, LC_JOURNAL_PAGE, LC_JOURNAL_PAGE);
	case DISK_FREE:
		return write_all(fd, empty, sizeof empty, 0);
	default:
		return fdatasync(fd) == 0 ? 0 : errno;
	}
}

int journal_disk_do(const struct journal_disk *disk, const struct disk_step *step)
{
	char name[LC_JOURNAL_NAME_BYTES];
	lc_journal_file_name(step->slot, name);
	if (step->action == DISK_CREATE) {
		return create_file(disk, name);
	}
	if (step->action == DISK_UNLINK) {
		return unlinkat(disk->dir_fd, name, 0) == 0 || errno == ENOENT ? 0 : errno;
	}
	int fd = openat(disk->dir_fd, name, O_RDWR | PLAIN);
	if (fd < 0) {
		return errno;
	}
	int rc = write_to(disk, fd, step);
	close(fd);
	return rc;
}

int journal_disk_read(const struct journal_disk *disk, uint32_t slot, uint64_t offset, char *data,
	size_t len, size_t *got)
{
	char name[LC_JOURNAL_NAME_BYTES];
	lc_journal_file_name(slot, name);
	*got = 0;
	int fd = openat(disk->dir_fd, name, O_RDONLY | PLAIN);
	if (fd < 0) {
		return errno;
	}
	int rc = 0;
	while (*got < len) {
		ssize_t n = pread(fd, data + *got, len - *got, (off_t)(offset + *got));
		if (n < 0 && errno == EINTR) {
			continue;
		}
		rc = n < 0 ? errno : 0;
		if (n <= 0) {
			break;
		}
		*got += (size_t)n;
	}
	close(fd);
	return rc;
}

uint64_t journal_disk_file_bytes(const struct journal_disk *disk)
{
	return LC_JOURNAL_DATA + (uint64_t)disk->data_bytes;
}

enum lc_err journal_disk_open(
	const char *path, uint32_t data_bytes, struct journal_disk **out, struct lc_error *err)
{
	struct journal_disk *disk = calloc(1, sizeof *disk);
	if (!disk || !(disk->path = strdup(path))) {
		free(disk);
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	disk->dir_fd = -1;
	disk->data_bytes = data_bytes;
	enum lc_err rc = lc_file_lock(path, "journal.dir", &disk->lock_fd, err);
	if (rc == LC_OK) {
		disk->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = disk->dir_fd >= 0 ? LC_OK
				       : lc_error_set(err, LC_ERR_IO, "journal.dir %s: %s", path,
						 strerror(errno));
	}
	if (rc) {
		journal_disk_close(disk);
		return rc;
	}
	*out = disk;
	return LC_OK;
}

void journal_disk_close(struct journal_disk *disk)
{
	if (!disk) {
		return;
	}
	if (disk->dir_fd >= 0) {
		close(disk->dir_fd);
	}
	lc_file_unlock(disk->lock_fd);
	free(disk->path);
	free(disk);
}

int journal_disk_write_clean(const struct journal_disk *disk, const struct journal_clean *clean)
{
	char page[LC_JOURNAL_PAGE + 64];
	int len = snprintf(page, 64, "next_id %" PRIu64 "\n", clean->next_id);
	memset(page + len, '\n', 64 - (size_t)len);
	lc_journal_marks_write(&clean->marks, CLEAN_SALT, page + 64);
	int fd = openat(disk->dir_fd, CLEAN_NAME, O_WRONLY | O_CREAT | O_TRUNC | PLAIN, 0640);
	if (fd < 0) {
		return errno;
	}
	int rc = write_all(fd, page, sizeof page, 0);
	rc = rc || fdatasync(fd) == 0 ? rc : errno;
	close(fd);
	if (rc) {
		unlinkat(disk->dir_fd, CLEAN_NAME, 0);
	}
	return rc;
}

bool journal_disk_take_clean(const struct journal_disk *disk, struct journal_clean *out)
{
	char page[LC_JOURNAL_PAGE + 64] = "";
	*out = (struct journal_clean){0};
	int fd = openat(disk->dir_fd, CLEAN_NAME, O_RDONLY | PLAIN);
	if (fd < 0) {
		return false;
	}
	ssize_t n = read(fd, page, sizeof page);
	close(fd);
	unlinkat(disk->dir_fd, CLEAN_NAME, 0);
	page[63] = '\0';
	lc_journal_marks_read(page + 64, CLEAN_SALT, &out->marks);
	return n > 0 && sscanf(page, "next_id %" SCNu64, &out->next_id) == 1;
}

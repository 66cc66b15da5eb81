#include "livecore/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int lc_make_directories(const char *dir)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s", dir);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700); /* what is in the way shows at the last one */
		*slash = '/';
	}
	return mkdir(path, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

static enum lc_err unusable(const char *dir, const char *what, int why, struct lc_error *err)
{
	return lc_error_set(err, LC_ERR_IO,
		"%s %.120s: %s: make it writable for this user or name another one", what, dir,
		strerror(why));
}

static enum lc_err held(const char *dir, const char *what, int fd, struct lc_error *err)
{
	char pid[24] = "";
	ssize_t len = pread(fd, pid, sizeof pid - 1, 0);
	pid[len > 0 ? strcspn(pid, "\n") : 0] = '\0';
	return lc_error_set(err, LC_ERR_EXISTS,
		"%s %.120s is in use by another livecore (process %s): stop that one, or give this "
		"one a directory of its own",
		what, dir, pid[0] ? pid : "unknown");
}

static enum lc_err take(int fd, const char *dir, const char *what, struct lc_error *err)
{
	char pid[24];
	int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		return errno == EWOULDBLOCK ? held(dir, what, fd, err)
					    : unusable(dir, what, errno, err);
	}
	return ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len
		       ? unusable(dir, what, errno, err)
		       : LC_OK;
}

enum lc_err lc_file_lock(const char *dir, const char *what, int *fd, struct lc_error *err)
{
	char path[PATH_MAX];
	*fd = -1;
	if (snprintf(path, sizeof path, "%s/lock", dir) >= (int)sizeof path) {
		return unusable(dir, what, ENAMETOOLONG, err);
	}
	/* flock, not the file's existence: a file would stay when the process is killed. */
	int file = lc_make_directories(dir) == 0
			   ? open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)
			   : -1;
	enum lc_err rc = file < 0 ? unusable(dir, what, errno, err) : take(file, dir, what, err);
	if (rc != LC_OK && file >= 0) {
		close(file);
	} else {
		*fd = file;
	}
	return rc;
}

void lc_file_unlock(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

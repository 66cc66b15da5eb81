/* A disk that hangs, by LD_PRELOAD: while the file HANG_WHILE exists, writing, syncing, allocating
 * and opening in the folder HANG_DIR do not come back. The lab compiles it (cc -shared). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_inside(const char *path)
{
	const char *dir = getenv("HANG_DIR"); /* or how the names of files begin */
	return dir != NULL && strncmp(path, dir, strlen(dir)) == 0;
}

/* A name in the folder fd; "": fd itself. */
static bool is_below(int fd, const char *name)
{
	char link[64], path[2 * PATH_MAX];
	if (name[0] == '/' || fd < 0) {
		return is_inside(name);
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, PATH_MAX - 1);
	len = len > 0 ? len : 0;
	snprintf(path + len, sizeof(path) - (size_t)len, "%s%s", name[0] ? "/" : "", name);
	return is_inside(path);
}

static void hang(bool inside)
{
	const char *flag = getenv("HANG_WHILE");
	while (inside && flag != NULL && access(flag, F_OK) == 0) {
		usleep(5000);
	}
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define HANGING(type, name, parameters, arguments) \
	type name parameters                       \
	{                                          \
		hang(is_below(fd, ""));            \
		return NEXT(name) arguments;       \
	}

HANGING(ssize_t, write, (int fd, const void *data, size_t len), (fd, data, len))
HANGING(ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count))
HANGING(ssize_t, pwrite, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at))
HANGING(ssize_t, pwrite64, (int fd, const void *data, size_t len, off64_t at), (fd, data, len, at))
HANGING(ssize_t, pwritev, (int fd, const struct iovec *iov, int count, off_t at),
	(fd, iov, count, at))
HANGING(ssize_t, pwritev64, (int fd, const struct iovec *iov, int count, off64_t at),
	(fd, iov, count, at))
HANGING(int, posix_fallocate64, (int fd, off64_t at, off64_t len), (fd, at, len))
HANGING(int, fsync, (int fd), (fd))
HANGING(int, fdatasync, (int fd), (fd))
HANGING(int, ftruncate, (int fd, off_t len), (fd, len))
HANGING(int, posix_fallocate, (int fd, off_t at, off_t len), (fd, at, len))
HANGING(int, fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len))

#define OPENING(name)                                                                          \
	int name(int fd, const char *path, int flags, ...)                                     \
	{                                                                                      \
		va_list list;                                                                  \
		va_start(list, flags);                                                         \
		mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0; \
		va_end(list);                                                                  \
		hang(is_below(fd, path));                                                      \
		return NEXT(name)(fd, path, flags, mode);                                      \
	}

OPENING(openat)
OPENING(openat64)

int unlinkat(int fd, const char *path, int flags)
{
	hang(is_below(fd, path));
	return NEXT(unlinkat)(fd, path, flags);
}

#include "livecore/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static enum lc_err failed(const char *path, int why, struct lc_error *err)
{
	return lc_error_set(err, LC_ERR_IO, "%s: %s", path, strerror(why));
}

enum lc_err lc_file_read(
	const char *path, size_t max_bytes, char **out, size_t *len, struct lc_error *err)
{
	*out = NULL;
	*len = 0;
	FILE *file = fopen(path, "re");
	if (!file) {
		return errno == ENOENT ? LC_OK : failed(path, errno, err);
	}
	char *text = malloc(max_bytes + 1);
	size_t size = text ? fread(text, 1, max_bytes + 1, file) : 0;
	bool bad = ferror(file);
	fclose(file);
	if (!text) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	if (bad || size > max_bytes) {
		free(text);
		return lc_error_set(err, LC_ERR_IO,
			"%s: cannot be read, or has more than %zu bytes", path, max_bytes);
	}
	text[size] = '\0';
	*out = text;
	*len = size;
	return LC_OK;
}

enum lc_err lc_file_replace(const char *path, const char *data, size_t len, struct lc_error *err)
{
	char next[PATH_BYTES];
	if (snprintf(next, sizeof next, "%s.XXXXXX", path) >= (int)sizeof next) {
		return failed(path, ENAMETOOLONG, err);
	}
	int fd = mkstemp(next);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file) {
		enum lc_err rc = failed(next, errno, err);
		if (fd >= 0) {
			close(fd);
			unlink(next);
		}
		return rc;
	}
	bool good = fwrite(data, 1, len, file) == len && fflush(file) == 0 &&
		    fchmod(fd, 0644) == 0 && fsync(fd) == 0;
	good = fclose(file) == 0 && good;
	if (!good || rename(next, path) != 0) {
		enum lc_err rc = failed(path, errno, err);
		unlink(next);
		return rc;
	}
	return LC_OK;
}

enum lc_err lc_file_check_exists(const char *path, struct lc_error *err)
{
	struct stat status;
	return stat(path, &status) < 0 && errno == ENOENT
		       ? lc_error_set(err, LC_ERR_INVALID, "there is no file %s", path)
		       : LC_OK;
}

bool lc_file_is_folder(const char *path)
{
	struct stat there;
	return stat(path, &there) == 0 && S_ISDIR(there.st_mode);
}

enum lc_err lc_file_make_folder(const char *path, struct lc_error *err)
{
	return mkdir(path, 0755) == 0 || errno == EEXIST ? LC_OK : failed(path, errno, err);
}

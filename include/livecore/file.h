/* Small files, whole: read at start and reload, replaced at once. Blocks; never per tick, never on
 * what a network said. Any thread. */
#pragma once

#include "livecore/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The file's bytes and a zero behind them, to be freed by the caller; *out is NULL when there is no
 * such file. Errors: LC_ERR_IO (err says why; longer than max bytes is one), LC_ERR_NOMEM. */
enum lc_err lc_file_read(
	const char *path, size_t max_bytes, char **out, size_t *len, struct lc_error *err);
/* Writes a file in place of what is there: at once, or not at all. LC_ERR_IO. */
enum lc_err lc_file_replace(const char *path, const char *data, size_t len, struct lc_error *err);

/* Is something there? LC_ERR_INVALID when not, with its name: the check of a setting that names a
 * file. Whether it may be read is for who reads it. */
enum lc_err lc_file_check_exists(const char *path, struct lc_error *err);
bool lc_file_is_folder(const char *path);
/* Makes a folder, when it is missing; its parent must be there. LC_ERR_IO. */
enum lc_err lc_file_make_folder(const char *path, struct lc_error *err);
/* Makes a directory with all above it, mode 0700 (it is nobody else's business). 0, or -1 with
 * errno when it is not there afterwards. */
int lc_make_directories(const char *dir);

/* Makes DIR when it is missing and takes DIR/lock for this process: the kernel lets go of it
 * however the process ends. what names the directory in errors ("state directory").
 * LC_ERR_EXISTS: another process holds it, err says which; LC_ERR_IO: it cannot be written. The
 * lock is *fd's: lc_file_unlock(), which takes -1 too. */
enum lc_err lc_file_lock(const char *dir, const char *what, int *fd, struct lc_error *err);
void lc_file_unlock(int fd);

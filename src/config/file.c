/* Finding and reading the files. */
#include "config/config_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_private(
	struct lc_config_report *report, struct lc_config_place place, const struct stat *status)
{
	if (status->st_uid != geteuid() && status->st_uid != 0) {
		lc_config_complain(report, place,
			"holds secrets and belongs to another user (uid %u): chown it to uid %u or "
			"root",
			(unsigned)status->st_uid, (unsigned)geteuid());
		return false;
	}
	if (status->st_mode & 077) {
		lc_config_complain(report, place,
			"holds secrets and is open to others (mode %03o): chmod 600 %s",
			(unsigned)(status->st_mode & 0777), place.name);
		return false;
	}
	return true;
}

static bool is_acceptable(
	struct lc_config_report *report, struct lc_config_place place, int fd, bool secret)
{
	struct stat status;
	if (fstat(fd, &status) < 0) {
		lc_config_complain(report, place, "cannot be read: %s", strerror(errno));
	} else if (!S_ISREG(status.st_mode)) {
		lc_config_complain(report, place, "is not a regular file");
	} else if (status.st_size > LC_CONFIG_FILE_MAX) {
		lc_config_complain(report, place, "is larger than 1 MB");
	} else {
		return !secret || is_private(report, place, &status);
	}
	return false;
}

/* The file may grow while it is read: one byte more than allowed is room enough to see that. */
static bool read_all(struct lc_config_report *report, struct lc_config_place place, int fd,
	char *data, size_t *size)
{
	size_t len = 0;
	while (len <= LC_CONFIG_FILE_MAX) {
		ssize_t got = read(fd, data + len, LC_CONFIG_FILE_MAX + 1 - len);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			lc_config_complain(report, place, "cannot be read: %s", strerror(errno));
			return false;
		}
		if (got == 0) {
			*size = len;
			return true;
		}
		len += (size_t)got;
	}
	lc_config_complain(report, place, "is larger than 1 MB");
	return false;
}

bool lc_config_read_file(struct lc_config_arena *arena, struct lc_config_report *report,
	struct lc_config_place place, bool secret, char **data, size_t *size)
{
	/* O_NONBLOCK: a named pipe must not hold the loop; it is refused below. */
	int fd = open(place.name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		lc_config_complain(report, place, "cannot be opened: %s", strerror(errno));
		return false;
	}
	bool ok = is_acceptable(report, place, fd, secret);
	if (ok) {
		*data = lc_config_alloc(arena, LC_CONFIG_FILE_MAX + 1);
		ok = *data && read_all(report, place, fd, *data, size);
	}
	close(fd);
	return ok;
}

static enum lc_err take_path(const char *from, const char *file, const char *origin, char *path,
	size_t size, struct lc_error *err)
{
	int len = snprintf(path, size, "%s%s", from, file);
	if (len < 0 || (size_t)len >= size) {
		path[0] = '\0';
		return lc_error_set(
			err, LC_ERR_TOO_LARGE, "the path of the configuration is too long");
	}
	if (access(path, F_OK) == 0) {
		return LC_OK;
	}
	lc_error_set(err, LC_ERR_NOT_FOUND, "%s names %s: %s", origin, path, strerror(errno));
	path[0] = '\0';
	return LC_ERR_NOT_FOUND;
}

enum lc_err lc_config_find(const char *explicit_path, char *path, size_t size, struct lc_error *err)
{
	const char *variable = getenv("LIVECORE_CONFIG");
	const char *home = getenv("HOME");
	if (explicit_path) {
		return take_path(explicit_path, "", "--config", path, size, err);
	}
	if (variable && variable[0]) {
		return take_path(variable, "", "LIVECORE_CONFIG", path, size, err);
	}
	const char *const places[][2] = {
		{".", "/livecore.yaml"},
		{home && home[0] ? home : NULL, "/.config/livecore/livecore.yaml"},
		{"/etc", "/livecore/livecore.yaml"},
	};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (places[i][0] &&
			take_path(places[i][0], places[i][1], "", path, size, NULL) == LC_OK) {
			return LC_OK;
		}
	}
	path[0] = '\0';
	return LC_OK;
}

#include "timer/saved.h"

#include "livecore/json.h"
#include "livecore/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024, RULES_MAX = 10000 };

/* --- reading --- */

static char *copy_text(const struct lc_value *value)
{
	return value && value->type == LC_VALUE_STRING ? strndup(value->v.text, value->len) : NULL;
}

/* A rule that cannot be read is left out: it begins anew. */
static void take_rule(struct timer_saved *saved, const struct lc_value *value)
{
	const struct lc_value *done = lc_value_find(value, "done");
	struct timer_saved_rule rule = {.name = copy_text(lc_value_find(value, "name")),
		.schedule = copy_text(lc_value_find(value, "schedule"))};
	bool timed = done && done->type == LC_VALUE_STRING &&
		     lc_time_parse(done->v.text, done->len, NULL, &rule.done_ns) == LC_OK;
	if (timed && rule.name && rule.schedule) {
		saved->items[saved->count++] = rule;
	} else {
		free(rule.name);
		free(rule.schedule);
	}
}

static enum lc_err take_rules(
	struct timer_saved *saved, const struct lc_value *root, struct lc_error *err)
{
	const struct lc_value *rules = lc_value_find(root, "rules"), *rule;
	if (!rules || rules->type != LC_VALUE_ARRAY || rules->len > RULES_MAX) {
		return lc_error_set(err, LC_ERR_INVALID, "no list of rules in it");
	}
	saved->items = calloc(rules->len + 1, sizeof *saved->items);
	if (!saved->items) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	lc_value_each (rule, rules) {
		take_rule(saved, rule);
	}
	return LC_OK;
}

enum lc_err timer_saved_parse(
	const char *data, size_t len, struct timer_saved *out, struct lc_error *err)
{
	struct lc_json_parser *parser;
	const struct lc_value *root;
	*out = (struct timer_saved){0};
	enum lc_err rc = lc_json_parser_create(NULL, &parser);
	if (rc != LC_OK) {
		return lc_error_set(err, rc, "out of memory");
	}
	rc = lc_json_parse(parser, data, len, len, &root, err);
	rc = rc ? rc : take_rules(out, root, err);
	lc_json_parser_destroy(parser);
	return rc;
}

static enum lc_err read_all(int fd, char *data, size_t *len, struct lc_error *err)
{
	*len = 0;
	while (*len <= FILE_MAX) {
		ssize_t got = read(fd, data + *len, FILE_MAX + 1 - *len);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return lc_error_set(err, LC_ERR_INVALID, "%s", strerror(errno));
		}
		if (got == 0) {
			return LC_OK;
		}
		*len += (size_t)got;
	}
	return lc_error_set(err, LC_ERR_INVALID, "larger than 1 MB");
}

enum lc_err timer_saved_read(const char *path, struct timer_saved *out, struct lc_error *err)
{
	size_t len = 0;
	*out = (struct timer_saved){0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return lc_error_set(err, errno == ENOENT ? LC_ERR_NOT_FOUND : LC_ERR_INVALID, "%s",
			strerror(errno));
	}
	char *data = malloc(FILE_MAX + 1);
	enum lc_err rc = data ? read_all(fd, data, &len, err)
			      : lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	close(fd);
	rc = rc ? rc : timer_saved_parse(data, len, out, err);
	free(data);
	return rc;
}

void timer_saved_finish(struct timer_saved *saved)
{
	for (size_t i = 0; i < saved->count; i++) {
		free(saved->items[i].name);
		free(saved->items[i].schedule);
	}
	free(saved->items);
	*saved = (struct timer_saved){0};
}

const struct timer_saved_rule *timer_saved_find(
	const struct timer_saved *saved, const char *name, const char *schedule)
{
	for (size_t i = 0; i < saved->count; i++) {
		if (strcmp(saved->items[i].name, name) == 0 &&
			strcmp(saved->items[i].schedule, schedule) == 0) {
			return &saved->items[i];
		}
	}
	return NULL;
}

/* --- writing --- */

void timer_saved_begin(struct lc_buf *out)
{
	lc_buf_puts(out, "{\"version\":1,\"rules\":[");
}

void timer_saved_add(struct lc_buf *out, const char *name, const char *schedule, int64_t done_ns)
{
	char time[LC_TIME_TEXT_MAX];
	size_t len = lc_time_format(done_ns, LC_TIME_UTC, NULL, time);
	if (out->len > 0 && out->data[out->len - 1] == '}') {
		lc_buf_putc(out, ',');
	}
	lc_buf_puts(out, "\n{\"name\":");
	lc_buf_json_string(out, name, strlen(name));
	lc_buf_puts(out, ",\"schedule\":");
	lc_buf_json_string(out, schedule, strlen(schedule));
	lc_buf_puts(out, ",\"done\":");
	lc_buf_json_string(out, time, len);
	lc_buf_putc(out, '}');
}

void timer_saved_end(struct lc_buf *out)
{
	lc_buf_puts(out, "]}\n");
}

/* The directories above path, closed to others. What fails is told by the open() after it. */
static void make_directories(const char *path)
{
	char part[4096];
	if (strlen(path) >= sizeof part) {
		return;
	}
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		mkdir(part, 0700);
	}
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, data, len);
		if (put < 0 && errno == EINTR) {
			continue;
		}
		if (put < 0) {
			return false;
		}
		data += put;
		len -= (size_t)put;
	}
	return fsync(fd) == 0;
}

/* The rename itself must reach the disk too; where directories cannot be synced, that is as good as
 * it gets. */
static void sync_directory(const char *path)
{
	char directory[4096];
	const char *slash = strrchr(path, '/');
	snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - path) + 1 : 1,
		slash ? path : ".");
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

enum lc_err timer_saved_write(const char *path, const char *data, size_t len, struct lc_error *err)
{
	char fresh[4096];
	int name_len = snprintf(fresh, sizeof fresh, "%s.new", path);
	if (name_len < 0 || (size_t)name_len >= sizeof fresh) {
		return lc_error_set(err, LC_ERR_IO, "the path is too long");
	}
	make_directories(path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return lc_error_set(err, LC_ERR_IO, "%.180s: %s", fresh, strerror(errno));
	}
	bool ok = write_all(fd, data, len);
	int why = errno;
	close(fd);
	if (ok && rename(fresh, path) != 0) {
		why = errno;
		ok = false;
	}
	if (!ok) {
		unlink(fresh);
		return lc_error_set(err, LC_ERR_IO, "%.180s: %s", path, strerror(why));
	}
	sync_directory(path);
	return LC_OK;
}

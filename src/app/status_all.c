#include "app/status_all.h"

#include "livecore/heartbeat.h"
#include "livecore/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 20000
#define NAME_MAX_BYTES 512
#define VALUE_MAX ((size_t)16 * 1024)
#define SCAN_COUNT "1000"

/* One component by its name, TYPE:NODE. */
struct row {
	char name[NAME_MAX_BYTES], status[32], host[64], stream[64];
	int64_t pid, age_s; /* age_s -1: its time cannot be read */
	bool beats, known, ended;
};

struct all {
	struct lc_tool *tool;
	struct lc_redis *redis;
	struct lc_json_parser *parser;
	struct row *rows; /* owned */
	size_t count, capacity;
	int64_t deadline_ns;
	bool answered, failed, up;
	struct lc_error err;
	char cursor[32];
	size_t asked; /* the row whose value is being asked for */
};

static struct row *add(struct all *all, const char *text, size_t len)
{
	if (all->count == all->capacity) {
		size_t capacity = all->capacity ? all->capacity * 2 : 64;
		struct row *rows = capacity <= ROWS_MAX * 2
					   ? realloc(all->rows, capacity * sizeof *rows)
					   : NULL;
		if (!rows) {
			all->failed = true;
			lc_error_set(&all->err, LC_ERR_TOO_LARGE, "too many components");
			return NULL;
		}
		all->rows = rows;
		all->capacity = capacity;
	}
	struct row *row = &all->rows[all->count++];
	*row = (struct row){.age_s = -1};
	lc_printable_copy((struct lc_text){text, len}, row->name, sizeof row->name);
	return row;
}

/* --- Redis's answers --- */

static void on_state(void *arg, bool up, const char *why)
{
	struct all *all = arg;
	all->up = up;
	all->failed |= !up;
	if (!up) {
		lc_error_set(&all->err, LC_ERR_IO, "%s", why);
	}
	lc_tool_wake(all->tool);
}

/* An answer came; true when it is an error. */
static bool take_answer(struct all *all, const struct lc_error *err)
{
	all->answered = true;
	lc_tool_wake(all->tool);
	if (err) {
		all->failed = true;
		all->err = *err;
	}
	return err != NULL;
}

static void add_members(struct all *all, const struct lc_redis_reply *reply, bool known)
{
	for (size_t i = 0; i < lc_redis_reply_count(reply); i++) {
		size_t len;
		const char *text = lc_redis_reply_text(lc_redis_reply_item(reply, i), &len);
		struct row *row = text ? add(all, text, len) : NULL;
		if (row) {
			row->known = known;
			row->ended = !known;
		}
	}
}

static void on_known(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	if (!take_answer(arg, err)) {
		add_members(arg, reply, true);
	}
}

static void on_ended(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	if (!take_answer(arg, err)) {
		add_members(arg, reply, false);
	}
}

static void on_scanned(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct all *all = arg;
	size_t len;
	if (take_answer(all, err)) {
		return;
	}
	snprintf(all->cursor, sizeof all->cursor, "0");
	if (lc_redis_reply_count(reply) != 2) {
		return;
	}
	const char *cursor = lc_redis_reply_text(lc_redis_reply_item(reply, 0), &len);
	if (cursor && len < sizeof all->cursor) {
		snprintf(all->cursor, sizeof all->cursor, "%.*s", (int)len, cursor);
	}
	const struct lc_redis_reply *keys = lc_redis_reply_item(reply, 1);
	for (size_t i = 0; i < lc_redis_reply_count(keys); i++) {
		const char *key = lc_redis_reply_text(lc_redis_reply_item(keys, i), &len);
		size_t prefix = strlen(LC_HEARTBEAT_KEYS);
		if (key && len > prefix) {
			add(all, key + prefix, len - prefix);
		}
	}
}

static void copy(const struct lc_value *object, const char *key, char *out, size_t size)
{
	const struct lc_value *value = lc_value_find(object, key);
	if (value && value->type == LC_VALUE_STRING) {
		lc_printable_copy((struct lc_text){value->v.text, value->len}, out, size);
	}
}

/* {"code", "name"}, or the older "running". */
static void read_status(const struct lc_value *root, struct row *row)
{
	const struct lc_value *status = lc_value_find(root, "status");
	if (status && status->type == LC_VALUE_OBJECT) {
		copy(status, "name", row->status, sizeof row->status);
	} else {
		copy(root, "status", row->status, sizeof row->status);
	}
}

static void read_beat(struct all *all, const struct lc_value *root, struct row *row)
{
	const struct lc_value *time = lc_value_find(root, "timestamp");
	const struct lc_value *pid = lc_value_find(root, "pid");
	int64_t at_ns;
	read_status(root, row);
	copy(root, "host", row->host, sizeof row->host);
	copy(root, "stream", row->stream, sizeof row->stream);
	if (pid) {
		(void)lc_value_int(pid, &row->pid); /* stays 0: not said */
	}
	if (time && lc_value_time(time, all->tool->naive_zone, &at_ns) == LC_OK) {
		int64_t age_ns = lc_loop_wall_ns(all->tool->process.loop) - at_ns;
		row->age_s = age_ns > 0 ? age_ns / LC_NS_PER_S : 0;
	}
}

static void on_value(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct all *all = arg;
	struct row *row = &all->rows[all->asked];
	const struct lc_value *root;
	size_t len;
	if (err && err->code == LC_ERR_REFUSED) { /* the key holds something else */
		take_answer(all, NULL);
		return;
	}
	const char *text = take_answer(all, err) ? NULL : lc_redis_reply_text(reply, &len);
	if (!text) {
		return; /* it has run out since */
	}
	row->beats = true;
	if (len <= VALUE_MAX && lc_json_parse(all->parser, text, len, len, &root, NULL) == LC_OK) {
		read_beat(all, root, row);
	}
}

/* --- asking --- */

static bool wait_for(struct all *all, const bool *flag)
{
	while (!*flag && !all->failed) {
		int64_t left_ns = all->deadline_ns - lc_loop_mono_ns(all->tool->process.loop);
		if (left_ns <= 0 || all->tool->interrupted) {
			lc_error_set(&all->err, LC_ERR_TIMEOUT, "Redis did not answer in time");
			all->failed = true;
			break;
		}
		lc_tool_wait(all->tool, left_ns / LC_NS_PER_MS + 1);
	}
	return !all->failed;
}

static bool ask(struct all *all, const char *const *words, size_t count, lc_redis_cb cb)
{
	all->answered = false;
	enum lc_err rc = lc_redis_command(all->redis, words, count, cb, all);
	if (rc != LC_OK) {
		all->failed = true;
		lc_error_set(&all->err, rc, "Redis: %s", lc_err_text(rc));
	}
	return wait_for(all, &all->answered);
}

static bool ask_all(struct all *all)
{
	const char *known[] = {"SMEMBERS", LC_HEARTBEAT_COMPONENTS};
	const char *ended[] = {"SMEMBERS", LC_HEARTBEAT_STOPPED};
	static const char keys[] = LC_HEARTBEAT_KEYS "*";
	const char *scan[] = {"SCAN", all->cursor, "MATCH", keys, "COUNT", SCAN_COUNT};
	snprintf(all->cursor, sizeof all->cursor, "0");
	do {
		if (!ask(all, scan, 6, on_scanned)) {
			return false;
		}
	} while (strcmp(all->cursor, "0") != 0);
	size_t beating = all->count;
	for (all->asked = 0; all->asked < beating; all->asked++) {
		char key[NAME_MAX_BYTES + sizeof LC_HEARTBEAT_KEYS];
		snprintf(key, sizeof key, LC_HEARTBEAT_KEYS "%s", all->rows[all->asked].name);
		const char *get[] = {"GET", key};
		if (!ask(all, get, 2, on_value)) {
			return false;
		}
	}
	return ask(all, known, 2, on_known) && ask(all, ended, 2, on_ended);
}

/* --- showing --- */

static int by_name(const void *a, const void *b)
{
	const struct row *left = a, *right = b;
	int order = strcmp(left->name, right->name);
	/* The beat first: it is kept. */
	return order ? order : (int)right->beats - (int)left->beats;
}

/* One row a component. SCAN may give a key twice, too. */
static void merge(struct all *all)
{
	size_t kept = 0;
	if (all->count > 0) {
		qsort(all->rows, all->count, sizeof *all->rows, by_name);
	}
	for (size_t i = 0; i < all->count; i++) {
		struct row *row = &all->rows[i];
		if (kept > 0 && strcmp(all->rows[kept - 1].name, row->name) == 0) {
			all->rows[kept - 1].known |= row->known;
			all->rows[kept - 1].ended |= row->ended;
		} else {
			all->rows[kept++] = *row;
		}
	}
	all->count = kept;
}

static const char *verdict(const struct row *row)
{
	if (row->beats) {
		bool stopped = strcasecmp(row->status, "STOPPED") == 0;
		return stopped ? "stopped" : "alive";
	}
	return row->ended ? "stopped" : "missing";
}

static bool is_bad(const struct row *row)
{
	return strcmp(verdict(row), "missing") == 0 ||
	       (row->beats && strcasecmp(row->status, "ERROR") == 0);
}

/* A key that ran out while we read, of something that was never known, is nobody. */
static bool is_nobody(const struct row *row)
{
	return !row->beats && !row->known;
}

static void print_row(const struct row *row)
{
	char age[32] = "-", pid[24] = "-";
	if (row->age_s >= 0) {
		snprintf(age, sizeof age, "%" PRId64 " s", row->age_s);
	}
	if (row->pid > 0) {
		snprintf(pid, sizeof pid, "%" PRId64, row->pid);
	}
	printf("%-40s %-8s %-9s %8s %-24s %8s %s\n", row->name, verdict(row),
		row->status[0] ? row->status : "-", age, row->host[0] ? row->host : "-", pid,
		row->stream[0] ? row->stream : "-");
}

static void put_text(struct lc_buf *out, const char *key, const char *text)
{
	lc_buf_printf(out, ",\"%s\":", key);
	if (text[0]) {
		lc_buf_json_string(out, text, strlen(text));
	} else {
		lc_buf_puts(out, "null");
	}
}

static void put_row(const struct row *row, struct lc_buf *out)
{
	lc_buf_puts(out, out->data[out->len - 1] == '[' ? "{\"component\":" : ",{\"component\":");
	lc_buf_json_string(out, row->name, strlen(row->name));
	put_text(out, "state", verdict(row));
	put_text(out, "status", row->status);
	put_text(out, "host", row->host);
	put_text(out, "stream", row->stream);
	lc_buf_printf(out, ",\"pid\":%" PRId64, row->pid);
	lc_buf_puts(out, ",\"age_seconds\":");
	if (row->age_s >= 0) {
		lc_buf_printf(out, "%" PRId64 "}", row->age_s);
	} else {
		lc_buf_puts(out, "null}");
	}
}

static int show(struct all *all, bool json)
{
	struct lc_buf out;
	bool bad = false;
	lc_buf_init(&out, (size_t)64 << 20);
	lc_buf_puts(&out, "{\"components\":[");
	if (!json) {
		printf("%-40s %-8s %-9s %8s %-24s %8s %s\n", "component", "is", "status", "age",
			"host", "pid", "stream");
	}
	for (size_t i = 0; i < all->count && !out.failed; i++) {
		const struct row *row = &all->rows[i];
		if (is_nobody(row)) {
			continue;
		}
		bad |= is_bad(row);
		if (json) {
			put_row(row, &out);
		} else {
			print_row(row);
		}
	}
	lc_buf_puts(&out, "]}");
	if (json) {
		puts(lc_buf_text(&out));
	}
	bad |= out.failed;
	lc_buf_finish(&out);
	return bad ? LC_EXIT_FAILED : LC_EXIT_OK;
}

int lc_status_all(struct lc_tool *tool, int64_t timeout_ms, bool json)
{
	const struct lc_redis_config *config = lc_config_section(tool->process.config, "redis");
	struct all all = {.tool = tool};
	int exit_code = LC_EXIT_FAILED;
	if (config->address[0] == '\0') {
		fputs("livecore: heartbeats are in Redis, and redis.address is not set\n", stderr);
		return LC_EXIT_USAGE;
	}
	all.deadline_ns = lc_loop_mono_ns(tool->process.loop) + timeout_ms * LC_NS_PER_MS;
	if (lc_json_parser_create(NULL, &all.parser) != LC_OK) {
		lc_error_set(&all.err, LC_ERR_NOMEM, "out of memory");
	} else if (lc_redis_create(tool->process.loop, config, on_state, &all, &all.redis,
			   &all.err) == LC_OK &&
		   wait_for(&all, &all.up) && ask_all(&all)) {
		merge(&all);
		exit_code = show(&all, json);
	}
	if (all.err.code != LC_OK) {
		fprintf(stderr, "livecore: %s\n", all.err.text);
	}
	lc_redis_destroy(all.redis);
	lc_json_parser_destroy(all.parser);
	free(all.rows);
	return exit_code;
}

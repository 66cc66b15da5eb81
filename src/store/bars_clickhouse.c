/* Bars in ClickHouse, over its HTTP interface: 18.16 and newer. Rows are encoded and decoded in the
 * pool; the loop only moves bytes. */
#include "livecore/bar_store.h"
#include "livecore/http_client.h"
#include "livecore/list.h"
#include "livecore/url.h"
#include "store/bar_row.h"
#include "store/clickhouse_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATEST_SYMBOLS 5000   /* named in one SELECT: 256 KB is the longest that is parsed */
#define ANSWER_MAX (64 << 20) /* bytes */
#define REQUEST_MAX (8 << 20) /* bytes; 10,000 rows have 1.6 MB */
#define HEADER_MAX 320

struct clickhouse {
	struct lc_bar_backend base;
	struct lc_loop *loop;                 /* borrowed */
	const struct lc_store_config *config; /* borrowed */
	struct lc_http *http;                 /* owned */
	struct clickhouse_version version;
	char version_text[64]; /* "" while unknown */
	bool read_only;
	void (*destroyed)(void *arg);
	void *destroyed_arg;
};

enum kind { CALL_OPEN, CALL_WRITE, CALL_READ, CALL_LATEST };
/* Opening, request by request. */
enum step {
	VERSION,
	SCHEMA,
	EXISTS,
	CREATE_DATABASE,
	CREATE_SCHEMA,
	CREATE_BARS,
	CHECK_BARS,
	PUT_SCHEMA
};

/* One call, until it is answered. While a job runs, only the job touches it. */
struct call {
	struct clickhouse *ch;
	enum kind kind;
	enum step step;
	const struct lc_bar_row *rows;        /* borrowed: write */
	const char (*symbols)[LC_SYMBOL_MAX]; /* borrowed: latest */
	size_t count, next;                   /* next: the first symbol not asked for yet */
	struct lc_bar_query query;
	int64_t from_ns, at_ns;
	struct lc_buf request, answer;
	int status;
	struct lc_bar_rows *found; /* owned until it is handed over */
	struct lc_error err;
	lc_bar_done_cb done;
	lc_bar_rows_cb rows_done;
	void *arg;
};

static enum lc_err ask(struct call *call);

/* --- the call --- */

static void free_call(struct call *call)
{
	lc_buf_finish(&call->request);
	lc_buf_finish(&call->answer);
	lc_bar_rows_free(call->found);
	free(call);
}

static void answer(struct call *call)
{
	const struct lc_error *err = call->err.code != LC_OK ? &call->err : NULL;
	if (call->rows_done) {
		struct lc_bar_rows *found = err ? NULL : call->found;
		call->found = err ? call->found : NULL;
		call->rows_done(call->arg, found, err);
	} else {
		call->done(call->arg, err);
	}
	free_call(call);
}

static void fail(struct call *call, enum lc_err code)
{
	lc_error_set(&call->err, code, "%s", lc_err_text(code));
	answer(call);
}

static struct call *new_call(struct lc_bar_backend *backend, enum kind kind, void *arg)
{
	struct call *call = calloc(1, sizeof *call);
	if (call) {
		call->ch = container_of(backend, struct clickhouse, base);
		call->kind = kind;
		call->arg = arg;
		lc_buf_init(&call->request, REQUEST_MAX);
		lc_buf_init(&call->answer, ANSWER_MAX);
	}
	return call;
}

/* --- opening --- */

static const char *trim(struct lc_buf *text)
{
	while (text->len > 0 && (text->data[text->len - 1] == '\n')) {
		text->len--;
	}
	return lc_buf_text(text);
}

static enum lc_err check_version(struct call *call)
{
	struct clickhouse *ch = call->ch;
	const char *text = trim(&call->answer);
	if (clickhouse_version_parse(text, call->answer.len, &ch->version) != LC_OK) {
		return lc_error_set(&call->err, LC_ERR_PROTOCOL,
			"what answers at %.150s is no ClickHouse", ch->config->clickhouse_url);
	}
	snprintf(ch->version_text, sizeof ch->version_text, "%s", text);
	if (ch->version.major < 18 || (ch->version.major == 18 && ch->version.minor < 16)) {
		return lc_error_set(&call->err, LC_ERR_UNSUPPORTED,
			"ClickHouse %.40s is too old: 18.16 or newer is needed", text);
	}
	return LC_OK;
}

/* The stored version of the tables: 0 when there is none. */
static enum lc_err check_schema(struct call *call, enum step *next)
{
	const char *database = call->ch->config->clickhouse_database;
	int version = atoi(trim(&call->answer));
	if (version > CLICKHOUSE_SCHEMA) {
		return lc_error_set(&call->err, LC_ERR_UNSUPPORTED,
			"database %s is version %d, this livecore knows up to %d: run the newer "
			"livecore, or name another store.clickhouse_database",
			database, version, CLICKHOUSE_SCHEMA);
	}
	if (version == 0 && call->ch->read_only) {
		return clickhouse_explain(404, "Code: 60", 8, call->ch->config, &call->err);
	}
	*next = version == 0 ? CREATE_DATABASE : EXISTS;
	return LC_OK;
}

/* Takes the answer of a step. Returns true when the call is answered. */
static bool end_step(struct call *call)
{
	enum step next = call->step + 1;
	switch (call->step) {
	case VERSION:
		check_version(call);
		break;
	case SCHEMA:
		check_schema(call, &next);
		break;
	case EXISTS:
		next = CREATE_BARS;
		if (strcmp(trim(&call->answer), "1") == 0) {
			answer(call);
			return true;
		}
		if (call->ch->read_only) {
			clickhouse_explain(404, "Code: 60", 8, call->ch->config, &call->err);
		}
		break;
	case PUT_SCHEMA:
		answer(call);
		return true;
	case CREATE_DATABASE:
	case CREATE_SCHEMA:
	case CREATE_BARS:
	case CHECK_BARS:
		break;
	}
	call->step = next;
	if (call->err.code != LC_OK) {
		answer(call);
		return true;
	}
	return false;
}

/* That nothing was made yet is not an error when it may be made. */
static bool may_create(const struct call *call)
{
	return call->kind == CALL_OPEN && call->step == SCHEMA && !call->ch->read_only &&
	       call->err.code == LC_ERR_NOT_FOUND;
}

static void put_step(struct call *call, struct lc_buf *sql)
{
	const char *database = call->ch->config->clickhouse_database;
	switch (call->step) {
	case VERSION:
		lc_buf_puts(sql, "SELECT version()");
		break;
	case SCHEMA:
		lc_buf_printf(sql,
			"SELECT max(version) FROM %s.livecore_schema WHERE component = 'bars'",
			database);
		break;
	case EXISTS:
		lc_buf_printf(sql, "EXISTS TABLE %s.bars", database);
		break;
	case CREATE_DATABASE:
		lc_buf_printf(sql, "CREATE DATABASE IF NOT EXISTS %s", database);
		break;
	case CREATE_SCHEMA:
		clickhouse_create_schema(sql, database);
		break;
	case CREATE_BARS:
		clickhouse_create_bars(sql, database);
		break;
	case CHECK_BARS: /* one that was there before may be somebody else's */
		clickhouse_check_bars(sql, database);
		break;
	case PUT_SCHEMA:
		lc_buf_printf(sql,
			"INSERT INTO %s.livecore_schema (component, version) VALUES "
			"('bars', %d)",
			database, CLICKHOUSE_SCHEMA);
		break;
	}
}

/* --- jobs --- */

/* In the pool. */
static void encode(void *arg)
{
	struct call *call = arg;
	for (size_t i = 0; i < call->count; i++) {
		clickhouse_put_row(&call->request, &call->rows[i]);
	}
	if (call->request.failed) {
		lc_error_set(&call->err, LC_ERR_NOMEM, "out of memory");
	}
}

/* In the pool. */
static void decode(void *arg)
{
	struct call *call = arg;
	const uint8_t *data = (const uint8_t *)call->answer.data;
	size_t len = call->answer.len, capacity = call->found->count;
	enum lc_err rc = LC_OK;
	while (rc == LC_OK) {
		struct lc_bar_row row, *at;
		rc = clickhouse_get_row(&data, &len, &row);
		at = rc == LC_OK ? bar_rows_add(call->found, &capacity) : NULL;
		if (at) {
			*at = row;
		} else if (rc == LC_OK) {
			rc = LC_ERR_NOMEM;
		}
	}
	if (rc != LC_ERR_END) {
		lc_error_set(&call->err, rc,
			rc == LC_ERR_NOMEM ? "out of memory"
					   : "ClickHouse sent rows that livecore did not write");
		return;
	}
	bar_rows_sort(call->found);
}

static void on_encoded(void *arg, bool cancelled)
{
	struct call *call = arg;
	enum lc_err rc = cancelled ? LC_ERR_CANCELLED : call->err.code;
	rc = rc ? rc : ask(call);
	if (rc != LC_OK) {
		fail(call, rc);
	}
}

static void on_decoded(void *arg, bool cancelled)
{
	struct call *call = arg;
	if (cancelled) {
		fail(call, LC_ERR_CANCELLED);
	} else if (call->err.code != LC_OK || call->kind == CALL_READ ||
		   call->next == call->count) {
		answer(call);
	} else {
		enum lc_err rc = ask(call);
		if (rc != LC_OK) {
			fail(call, rc);
		}
	}
}

/* --- requests --- */

static void on_data(void *arg, struct lc_http_request *request, const void *data, size_t len,
	int64_t received_wall_ns)
{
	(void)request;
	(void)received_wall_ns;
	lc_buf_append(&((struct call *)arg)->answer, data, len);
}

static void on_headers(
	void *arg, struct lc_http_request *request, int status, const char *content_type)
{
	(void)request;
	(void)content_type;
	((struct call *)arg)->status = status;
}

/* NULL: the system's. */
static const char *authorities(const struct lc_store_config *config)
{
	const char *file = config->clickhouse_ca_file;
	return file && file[0] ? file : NULL;
}

/* What to do when bytes came and were not understood, or were not believed. */
static const char *tls_advice(const struct lc_store_config *config, enum lc_err code)
{
	bool https = strncmp(config->clickhouse_url, "https:", 6) == 0;
	if (code != LC_ERR_PROTOCOL && (https || code != LC_ERR_END)) {
		return "";
	}
	if (!https) {
		return ": is this an https:// port?";
	}
	return authorities(config) ? ": is store.clickhouse_ca_file its authority?"
				   : ": name its authority in store.clickhouse_ca_file";
}

static void explain_network(struct call *call, const struct lc_error *err)
{
	const char *url = call->ch->config->clickhouse_url;
	if (err->code == LC_ERR_REFUSED) {
		lc_error_set(&call->err, err->code,
			"nothing answers at %.150s: is ClickHouse running?", url);
	} else {
		lc_error_set(&call->err, err->code, "ClickHouse at %.80s: %.90s%s", url, err->text,
			tls_advice(call->ch->config, err->code));
	}
}

static void on_answered(struct call *call)
{
	enum lc_err rc = LC_OK;
	switch (call->kind) {
	case CALL_OPEN:
		if (end_step(call)) {
			return;
		}
		rc = ask(call);
		break;
	case CALL_WRITE:
		answer(call);
		return;
	case CALL_READ:
	case CALL_LATEST:
		rc = lc_loop_job(call->ch->loop, decode, on_decoded, call);
		break;
	}
	if (rc != LC_OK) {
		fail(call, rc);
	}
}

static void on_end(void *arg, const struct lc_http_answer *end)
{
	struct call *call = arg;
	if (end->err.code != LC_OK) {
		explain_network(call, &end->err);
	} else if (call->answer.failed) {
		lc_error_set(&call->err, LC_ERR_TOO_LARGE, "ClickHouse's answer is too large");
	} else if (call->status != 200) {
		clickhouse_explain(call->status, lc_buf_text(&call->answer), call->answer.len,
			call->ch->config, &call->err);
	}
	if (may_create(call)) {
		call->err = (struct lc_error){.code = LC_OK};
		call->answer.len = 0;
	}
	if (call->err.code != LC_OK) {
		answer(call);
	} else {
		on_answered(call);
	}
}

/* wait_end_of_query: without it an error in the middle would come behind a 200. */
static void put_url(struct call *call, struct lc_buf *url)
{
	const struct clickhouse *ch = call->ch;
	size_t len = strlen(ch->config->clickhouse_url);
	while (len > 0 && ch->config->clickhouse_url[len - 1] == '/') {
		len--;
	}
	lc_buf_append(url, ch->config->clickhouse_url, len);
	lc_buf_puts(url, "/?wait_end_of_query=1");
	if (call->kind == CALL_WRITE) {
		struct lc_buf sql;
		/* Newer servers may collect inserts of their own accord, and answer before. */
		lc_buf_puts(url, ch->version.major >= 22 ? "&async_insert=0&query=" : "&query=");
		lc_buf_init(&sql, 4096);
		clickhouse_insert_bars(&sql, ch->config->clickhouse_database);
		clickhouse_put_url(url, sql.data, sql.len);
		url->failed |= sql.failed;
		lc_buf_finish(&sql);
	}
}

static void put_body(struct call *call)
{
	const struct clickhouse *ch = call->ch;
	const char *database = ch->config->clickhouse_database;
	lc_buf_clear(&call->request);
	if (call->kind == CALL_OPEN) {
		put_step(call, &call->request);
	} else if (call->kind == CALL_READ) {
		clickhouse_select_range(&call->request, database, ch->version, &call->query);
	} else {
		size_t left = call->count - call->next;
		size_t some = left < LATEST_SYMBOLS ? left : LATEST_SYMBOLS;
		clickhouse_select_latest(&call->request, database, ch->version,
			call->symbols + call->next, some, call->from_ns, call->at_ns);
		call->next += some;
	}
}

/* Sends the next request of a call. On an error nothing is under way. */
static enum lc_err ask(struct call *call)
{
	static const struct lc_http_stream_handler handler = {
		.on_headers = on_headers, .on_data = on_data, .on_end = on_end};
	const struct lc_store_config *config = call->ch->config;
	char user[HEADER_MAX], key[HEADER_MAX];
	struct lc_buf url;
	struct lc_error err;
	lc_buf_init(&url, 8192);
	lc_buf_clear(&call->answer);
	call->status = 0;
	if (call->kind != CALL_WRITE) {
		put_body(call);
	}
	put_url(call, &url);
	snprintf(user, sizeof user, "X-ClickHouse-User: %s", config->clickhouse_user);
	snprintf(key, sizeof key, "X-ClickHouse-Key: %s", config->clickhouse_password);
	const char *const headers[] = {user, config->clickhouse_password[0] ? key : NULL, NULL};
	const struct lc_http_options options = {.method = "POST",
		.url = lc_buf_text(&url),
		.headers = headers,
		.body = call->request.data,
		.body_len = call->request.len,
		.connect_timeout_ms = config->timeout,
		.idle_timeout_ms = config->timeout,
		.no_gzip = true};
	enum lc_err rc = LC_ERR_NOMEM;
	if (!url.failed && !call->request.failed) {
		rc = lc_http_stream(call->ch->http, &options, &handler, call, NULL, &err);
	}
	explicit_bzero(key, sizeof key);
	lc_buf_finish(&url);
	return rc;
}

/* --- the interface --- */

static enum lc_err clickhouse_create(
	const struct lc_bar_backend_env *env, struct lc_bar_backend **out, struct lc_error *err)
{
	struct lc_url url;
	struct clickhouse *ch = calloc(1, sizeof *ch);
	if (!ch) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	enum lc_err rc = lc_url_parse(env->config->clickhouse_url, &url, err);
	if (rc == LC_OK && (url.websocket || strcmp(url.path, "/") != 0)) {
		rc = lc_error_set(err, LC_ERR_INVALID,
			"store.clickhouse_url: write http://HOST:PORT without a path");
	}
	const struct lc_http_client_options http = {.ca_file = authorities(env->config)};
	rc = rc ? rc : lc_http_create(env->loop, &http, &ch->http, err);
	if (rc != LC_OK) {
		free(ch);
		return rc;
	}
	ch->base.impl = &lc_bars_clickhouse;
	ch->loop = env->loop;
	ch->config = env->config;
	ch->read_only = env->read_only;
	*out = &ch->base;
	return LC_OK;
}

/* Starts a call; when that is not possible it is gone. */
static enum lc_err begin(struct call *call)
{
	enum lc_err rc = LC_OK;
	if (call->rows_done) {
		call->found = calloc(1, sizeof *call->found);
		rc = call->found ? LC_OK : LC_ERR_NOMEM;
	}
	if (rc == LC_OK) {
		rc = call->kind == CALL_WRITE
			     ? lc_loop_job(call->ch->loop, encode, on_encoded, call)
			     : ask(call);
	}
	if (rc != LC_OK) {
		free_call(call);
	}
	return rc;
}

static enum lc_err clickhouse_open(struct lc_bar_backend *backend, lc_bar_done_cb done, void *arg)
{
	struct call *call = new_call(backend, CALL_OPEN, arg);
	if (!call) {
		return LC_ERR_NOMEM;
	}
	call->done = done;
	return begin(call);
}

static enum lc_err clickhouse_write(struct lc_bar_backend *backend, const struct lc_bar_row *rows,
	size_t count, lc_bar_done_cb done, void *arg)
{
	struct call *call = new_call(backend, CALL_WRITE, arg);
	if (!call) {
		return LC_ERR_NOMEM;
	}
	call->rows = rows;
	call->count = count;
	call->done = done;
	return begin(call);
}

static enum lc_err clickhouse_read(struct lc_bar_backend *backend, const struct lc_bar_query *query,
	lc_bar_rows_cb done, void *arg)
{
	struct call *call = new_call(backend, CALL_READ, arg);
	if (!call) {
		return LC_ERR_NOMEM;
	}
	call->query = *query;
	call->rows_done = done;
	return begin(call);
}

static enum lc_err clickhouse_latest(struct lc_bar_backend *backend,
	const char (*symbols)[LC_SYMBOL_MAX], size_t count, int64_t from_ns, int64_t at_ns,
	lc_bar_rows_cb done, void *arg)
{
	struct call *call = new_call(backend, CALL_LATEST, arg);
	if (!call) {
		return LC_ERR_NOMEM;
	}
	call->symbols = symbols;
	call->count = count;
	call->from_ns = from_ns;
	call->at_ns = at_ns;
	call->rows_done = done;
	return begin(call);
}

static const char *clickhouse_server(const struct lc_bar_backend *backend)
{
	return container_of((struct lc_bar_backend *)(uintptr_t)backend, struct clickhouse, base)
		->version_text;
}

static void on_http_gone(void *arg)
{
	struct clickhouse *ch = arg;
	void (*destroyed)(void *) = ch->destroyed;
	void *destroyed_arg = ch->destroyed_arg;
	free(ch);
	destroyed(destroyed_arg);
}

static void clickhouse_destroy(struct lc_bar_backend *backend, void (*done)(void *arg), void *arg)
{
	struct clickhouse *ch = container_of(backend, struct clickhouse, base);
	ch->destroyed = done;
	ch->destroyed_arg = arg;
	lc_http_destroy(ch->http, on_http_gone, ch);
}

const struct lc_bar_backend_impl lc_bars_clickhouse = {
	.name = "clickhouse",
	.schema = CLICKHOUSE_SCHEMA,
	.create = clickhouse_create,
	.open = clickhouse_open,
	.write = clickhouse_write,
	.read = clickhouse_read,
	.latest = clickhouse_latest,
	.version = clickhouse_server,
	.destroy = clickhouse_destroy,
};

/* Bars in ClickHouse, over its HTTP interface: 18.16 and newer. Rows are encoded and decoded in the
 * pool; the loop only moves bytes. */
#include "livecore/list.h"
#include "livecore/url.h"
#include "store/bar_row.h"
#include "store/clickhouse_call.h"

#include <stdlib.h>
#include <string.h>

#define LATEST_SYMBOLS 5000 /* named in one SELECT: 256 KB is the longest that is parsed */

/* --- jobs --- */

/* In the pool. */
static void encode(void *arg)
{
	struct clickhouse_call *call = arg;
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
	struct clickhouse_call *call = arg;
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
	struct clickhouse_call *call = arg;
	enum lc_err rc = cancelled ? LC_ERR_CANCELLED : call->err.code;
	rc = rc ? rc : clickhouse_call_ask(call);
	if (rc != LC_OK) {
		clickhouse_call_fail(call, rc);
	}
}

/* Whether what was asked for at first is to be asked for in full. */
static bool is_too_few(const struct clickhouse_call *call)
{
	return !call->symbols && call->query.from_ns < call->first_from_ns &&
	       call->found->count < call->query.limit;
}

static void ask_in_full(struct clickhouse_call *call)
{
	call->first_from_ns = call->query.from_ns;
	free(call->found->items);
	*call->found = (struct lc_bar_rows){0};
}

static void on_decoded(void *arg, bool cancelled)
{
	struct clickhouse_call *call = arg;
	bool more = call->next < call->count;
	if (cancelled) {
		clickhouse_call_fail(call, LC_ERR_CANCELLED);
		return;
	}
	if (call->err.code == LC_OK && is_too_few(call)) {
		ask_in_full(call);
		more = true;
	}
	enum lc_err rc = LC_OK;
	if (call->err.code != LC_OK || !more) {
		clickhouse_call_answer(call);
	} else {
		rc = clickhouse_call_ask(call);
	}
	if (rc != LC_OK) {
		clickhouse_call_fail(call, rc);
	}
}

/* --- the kinds --- */

static enum lc_err on_rows_answered(struct clickhouse_call *call)
{
	return lc_loop_job(call->ch->loop, decode, on_decoded, call);
}

static enum lc_err on_written(struct clickhouse_call *call)
{
	clickhouse_call_answer(call);
	return LC_OK;
}

static void put_range(struct clickhouse_call *call, struct lc_buf *sql)
{
	struct lc_bar_query query = call->query;
	query.from_ns = call->first_from_ns;
	clickhouse_select_range(
		sql, call->ch->config->clickhouse_database, call->ch->version, &query);
}

static void put_latest(struct clickhouse_call *call, struct lc_buf *sql)
{
	size_t left = call->count - call->next;
	size_t some = left < LATEST_SYMBOLS ? left : LATEST_SYMBOLS;
	clickhouse_select_latest(sql, call->ch->config->clickhouse_database, call->ch->version,
		call->symbols + call->next, some, call->from_ns, call->at_ns);
	call->next += some;
}

static const struct clickhouse_call_kind writing = {.answered = on_written};
static const struct clickhouse_call_kind reading = {.put = put_range, .answered = on_rows_answered};
static const struct clickhouse_call_kind reading_latest = {
	.put = put_latest, .answered = on_rows_answered};

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
	const struct lc_http_client_options http = {.ca_file = clickhouse_authorities(env->config)};
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
static enum lc_err begin(struct clickhouse_call *call)
{
	enum lc_err rc = LC_OK;
	if (call->rows_done) {
		call->found = calloc(1, sizeof *call->found);
		rc = call->found ? LC_OK : LC_ERR_NOMEM;
	}
	if (rc == LC_OK) {
		rc = call->kind == &writing ? lc_loop_job(call->ch->loop, encode, on_encoded, call)
					    : clickhouse_call_ask(call);
	}
	if (rc != LC_OK) {
		clickhouse_call_free(call);
	}
	return rc;
}

static enum lc_err clickhouse_open(struct lc_bar_backend *backend, lc_bar_done_cb done, void *arg)
{
	struct clickhouse_call *call = clickhouse_call_new(backend, &clickhouse_opening, arg);
	if (!call) {
		return LC_ERR_NOMEM;
	}
	call->done = done;
	return begin(call);
}

static enum lc_err clickhouse_write(struct lc_bar_backend *backend, const struct lc_bar_row *rows,
	size_t count, lc_bar_done_cb done, void *arg)
{
	struct clickhouse_call *call = clickhouse_call_new(backend, &writing, arg);
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
	struct clickhouse_call *call = clickhouse_call_new(backend, &reading, arg);
	if (!call) {
		return LC_ERR_NOMEM;
	}
	call->query = *query;
	call->first_from_ns = clickhouse_first_from(query, lc_loop_wall_ns(call->ch->loop));
	call->rows_done = done;
	return begin(call);
}

static enum lc_err clickhouse_latest(struct lc_bar_backend *backend,
	const char (*symbols)[LC_SYMBOL_MAX], size_t count, int64_t from_ns, int64_t at_ns,
	lc_bar_rows_cb done, void *arg)
{
	struct clickhouse_call *call = clickhouse_call_new(backend, &reading_latest, arg);
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

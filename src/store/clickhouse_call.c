#include "store/clickhouse_call.h"

#include "livecore/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (64 << 20) /* bytes */
#define REQUEST_MAX (8 << 20) /* bytes; 10,000 rows have 1.6 MB */
#define HEADER_MAX 320

/* --- the call --- */

void clickhouse_call_free(struct clickhouse_call *call)
{
	lc_buf_finish(&call->request);
	lc_buf_finish(&call->answer);
	lc_bar_rows_free(call->found);
	free(call);
}

void clickhouse_call_answer(struct clickhouse_call *call)
{
	const struct lc_error *err = call->err.code != LC_OK ? &call->err : NULL;
	if (call->rows_done) {
		struct lc_bar_rows *found = err ? NULL : call->found;
		call->found = err ? call->found : NULL;
		call->rows_done(call->arg, found, err);
	} else {
		call->done(call->arg, err);
	}
	clickhouse_call_free(call);
}

void clickhouse_call_fail(struct clickhouse_call *call, enum lc_err code)
{
	lc_error_set(&call->err, code, "%s", lc_err_text(code));
	clickhouse_call_answer(call);
}

struct clickhouse_call *clickhouse_call_new(
	struct lc_bar_backend *backend, const struct clickhouse_call_kind *kind, void *arg)
{
	struct clickhouse_call *call = calloc(1, sizeof *call);
	if (call) {
		call->ch = container_of(backend, struct clickhouse, base);
		call->kind = kind;
		call->arg = arg;
		lc_buf_init(&call->request, REQUEST_MAX);
		lc_buf_init(&call->answer, ANSWER_MAX);
	}
	return call;
}

/* --- requests --- */

static void on_data(void *arg, struct lc_http_request *request, const void *data, size_t len,
	int64_t received_wall_ns)
{
	(void)request;
	(void)received_wall_ns;
	lc_buf_append(&((struct clickhouse_call *)arg)->answer, data, len);
}

static void on_headers(
	void *arg, struct lc_http_request *request, int status, const char *content_type)
{
	(void)request;
	(void)content_type;
	((struct clickhouse_call *)arg)->status = status;
}

/* NULL: the system's. */
const char *clickhouse_authorities(const struct lc_store_config *config)
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
	return clickhouse_authorities(config) ? ": is store.clickhouse_ca_file its authority?"
					      : ": name its authority in store.clickhouse_ca_file";
}

static void explain_network(struct clickhouse_call *call, const struct lc_error *err)
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

static void on_end(void *arg, const struct lc_http_answer *end)
{
	struct clickhouse_call *call = arg;
	if (end->err.code != LC_OK) {
		explain_network(call, &end->err);
	} else if (call->answer.failed) {
		lc_error_set(&call->err, LC_ERR_TOO_LARGE, "ClickHouse's answer is too large");
	} else if (call->status != 200) {
		clickhouse_explain(call->status, lc_buf_text(&call->answer), call->answer.len,
			call->ch->config, &call->err);
	}
	if (call->err.code != LC_OK && call->kind->forgives && call->kind->forgives(call)) {
		call->err = (struct lc_error){.code = LC_OK};
		call->answer.len = 0;
	}
	if (call->err.code != LC_OK) {
		clickhouse_call_answer(call);
		return;
	}
	enum lc_err rc = call->kind->answered(call);
	if (rc != LC_OK) {
		clickhouse_call_fail(call, rc);
	}
}

/* wait_end_of_query: without it an error in the middle would come behind a 200. */
static void put_url(struct clickhouse_call *call, struct lc_buf *url)
{
	const struct clickhouse *ch = call->ch;
	size_t len = strlen(ch->config->clickhouse_url);
	while (len > 0 && ch->config->clickhouse_url[len - 1] == '/') {
		len--;
	}
	lc_buf_append(url, ch->config->clickhouse_url, len);
	lc_buf_puts(url, "/?wait_end_of_query=1");
	if (!call->kind->put) {
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

enum lc_err clickhouse_call_ask(struct clickhouse_call *call)
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
	if (call->kind->put) {
		lc_buf_clear(&call->request);
		call->kind->put(call, &call->request);
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

/* One call to ClickHouse, from its first request to its answer: what the files of this backend
 * share. Loop thread; while a job of a call runs in the pool, only the job touches the call. A call
 * is answered exactly once, and gone then. */
#pragma once

#include "livecore/bar_store.h"
#include "livecore/buf.h"
#include "livecore/http_client.h"
#include "store/clickhouse_text.h"

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

/* Opening, request by request. */
enum clickhouse_step {
	CLICKHOUSE_VERSION,
	CLICKHOUSE_SCHEMA_VERSION,
	CLICKHOUSE_EXISTS,
	CLICKHOUSE_CREATE_DATABASE,
	CLICKHOUSE_CREATE_SCHEMA,
	CLICKHOUSE_CREATE_BARS,
	CLICKHOUSE_CHECK_BARS,
	CLICKHOUSE_PUT_SCHEMA
};

struct clickhouse_call;

/* What a kind of call says and makes of what it hears. */
struct clickhouse_call_kind {
	/* Writes the next request's SQL; NULL: the request holds rows for an INSERT. */
	void (*put)(struct clickhouse_call *call, struct lc_buf *sql);
	/* A 200 came, its body in call->answer: answers the call, goes on, or starts a job. On an
	 * error nothing is under way. */
	enum lc_err (*answered)(struct clickhouse_call *call);
	/* May be NULL. call->err is no failure here: an empty answer is to be taken instead. */
	bool (*forgives)(const struct clickhouse_call *call);
};

struct clickhouse_call {
	struct clickhouse *ch; /* borrowed */
	const struct clickhouse_call_kind *kind;
	enum clickhouse_step step;            /* open */
	const struct lc_bar_row *rows;        /* borrowed: write */
	const char (*symbols)[LC_SYMBOL_MAX]; /* borrowed: latest */
	size_t count, next;                   /* next: the first symbol not asked for yet */
	struct lc_bar_query query;
	int64_t first_from_ns; /* read: asked from here at first; query.from_ns: from there */
	int64_t from_ns, at_ns;
	struct lc_buf request, answer;
	int status;
	struct lc_bar_rows *found; /* owned until it is handed over */
	struct lc_error err;
	lc_bar_done_cb done;
	lc_bar_rows_cb rows_done;
	void *arg;
};

/* NULL: no memory. */
struct clickhouse_call *clickhouse_call_new(
	struct lc_bar_backend *backend, const struct clickhouse_call_kind *kind, void *arg);
void clickhouse_call_free(struct clickhouse_call *call);
/* Says call->err, or else what was found; the call is gone. */
void clickhouse_call_answer(struct clickhouse_call *call);
void clickhouse_call_fail(struct clickhouse_call *call, enum lc_err code);
/* Sends the next request of a call. On an error nothing is under way. */
enum lc_err clickhouse_call_ask(struct clickhouse_call *call);
/* The file of authorities; NULL: the system's. */
const char *clickhouse_authorities(const struct lc_store_config *config);

/* --- clickhouse_open.c --- */

extern const struct clickhouse_call_kind clickhouse_opening;

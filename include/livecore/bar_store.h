/* The bar store: bars by canonical symbol, period and start, one bar each, the highest revision.
 * Loop thread; nothing here blocks and no callback comes from inside a call: what waits for a disk
 * is done in the pool, what waits for a server over the HTTP client. Writes are collected and sent
 * in batches. A store that is down never disturbs the caller: writes then wait in a bounded spool
 * on disk, and go in first and in order when it is back. It never judges bars, and never reads
 * time but by the loop. */
#pragma once

#include "livecore/bar.h"
#include "livecore/config.h"
#include "livecore/error.h"
#include "livecore/http_client.h"
#include "livecore/loop.h"
#include "livecore/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- settings: section `store` --- */

enum lc_bar_backend_kind { LC_BARS_SQLITE, LC_BARS_CLICKHOUSE, LC_BARS_NONE };

struct lc_store_config {
	int backend; /* enum lc_bar_backend_kind */
	char *clickhouse_url, *clickhouse_database, *clickhouse_user, *clickhouse_password;
	char *clickhouse_ca_file; /* PEM; "": the system's authorities */
	int64_t batch_rows;       /* a batch of so many bars is sent at once */
	int64_t batch_interval;   /* ms: a smaller one so long after its first bar */
	int64_t spool_size;       /* bytes on disk while the store is down; oldest given up */
	int64_t timeout;          /* ms: one answer of ClickHouse */
};
extern const struct lc_section lc_store_section;

/* --- bars --- */

/* A bar under its symbol's text. bar.symbol is LC_SYMBOL_NONE in what is read. */
struct lc_bar_row {
	char symbol[LC_SYMBOL_MAX];
	struct lc_bar bar;
};

struct lc_bar_rows {
	struct lc_bar_row *items; /* owned */
	size_t count;
};
void lc_bar_rows_free(struct lc_bar_rows *rows); /* NULL is fine */

/* Bars with from_ns <= start < to_ns; when there are more than limit, the newest of them. */
struct lc_bar_query {
	char symbol[LC_SYMBOL_MAX];
	enum lc_period period;
	int64_t from_ns, to_ns; /* INT64_MIN, INT64_MAX: no bound */
	size_t limit;           /* 1 … LC_BAR_QUERY_MAX; 0: LC_BAR_QUERY_MAX */
};
#define LC_BAR_QUERY_MAX 100000

/* err is NULL when it was done. */
typedef void (*lc_bar_done_cb)(void *arg, const struct lc_error *err);
/* rows is the callee's to free, in order of symbol, then time; NULL with err set. */
typedef void (*lc_bar_rows_cb)(void *arg, struct lc_bar_rows *rows, const struct lc_error *err);

/* --- the store --- */

struct lc_bar_store;

enum lc_bar_store_state {
	LC_BAR_STORE_OPENING, /* nothing has answered yet: writes are collected */
	LC_BAR_STORE_UP,
	LC_BAR_STORE_DOWN, /* tried again with backoff, 0.5 s to 30 s */
};

struct lc_bar_store_options {
	struct lc_loop *loop;                 /* borrowed */
	const struct lc_store_config *config; /* borrowed until lc_bar_store_close() is done */
	const char *state_dir; /* holds bars.db, and the spool in bars.spool/; copied */
	/* For a tool beside a running manager: nothing is made and nothing spooled, and writing is
	 * not allowed. A store that was never made is LC_ERR_NOT_FOUND when it is read. */
	bool read_only;
	/* For a tool that writes beside a running manager, which has the spool: what the store does
	 * not take is given up. read_only implies it. */
	bool no_spool;
	/* May be NULL. The state changed: lc_bar_store_status() says to what. Must not close the
	 * store. */
	void (*changed)(void *arg);
	void *arg;
};

/* Starts opening; tables are made when they are missing. With backend none every write is taken and
 * forgotten, and reads answer LC_ERR_UNSUPPORTED. Errors: LC_ERR_INVALID (a setting, said in *err),
 * LC_ERR_NOMEM. */
enum lc_err lc_bar_store_open(const struct lc_bar_store_options *options, struct lc_bar_store **out,
	struct lc_error *err);

/* Answers once the tables are there, or with why they are not; tries at once. At most one at a
 * time (assert). */
void lc_bar_store_init(struct lc_bar_store *store, lc_bar_done_cb done, void *arg);

/* Copies the bar into the batch. Writing a bar again leaves one: that of the highest revision, a
 * final one before an open one, the later before the earlier. Errors, each counted: LC_ERR_FULL
 * (LC_BAR_STORE_WAITING_MAX bars wait in memory because the spool cannot keep up),
 * LC_ERR_RANGE (prices of 10^10 or more, volumes of 10^20 or more: no store holds them). */
enum lc_err lc_bar_store_write(
	struct lc_bar_store *store, const char *symbol, const struct lc_bar *bar);
#define LC_BAR_STORE_WAITING_MAX 100000

/* Sends what has been written so far at once. done (may be NULL) is called when all of it is in the
 * store or, when that is down, in the spool. At most one at a time (assert). */
void lc_bar_store_flush(struct lc_bar_store *store, lc_bar_done_cb done, void *arg);

/* Reads what is in the store: not the batch, nor the spool. While the store is opening the answer
 * waits for it. LC_ERR_NOMEM: done is not called. */
enum lc_err lc_bar_store_read(struct lc_bar_store *store, const struct lc_bar_query *query,
	lc_bar_rows_cb done, void *arg);
/* The latest day bar of each symbol with from_ns <= start <= at_ns; symbols without one are not
 * among the rows, and one named twice is there once. Symbols are copied. LC_ERR_NOMEM: done is not
 * called. */
enum lc_err lc_bar_store_latest(struct lc_bar_store *store, const char (*symbols)[LC_SYMBOL_MAX],
	size_t count, int64_t from_ns, int64_t at_ns, lc_bar_rows_cb done, void *arg);

/* Writes what waits (to the store, within timeout_ms of answers; else to the spool), then frees.
 * Reads under way are answered before. done is called once, later; NULL store: at once. */
void lc_bar_store_close(struct lc_bar_store *store, void (*done)(void *arg), void *arg);

struct lc_bar_store_status {
	enum lc_bar_store_state state;
	const char *backend;  /* "sqlite" */
	int schema;           /* the version of its tables; 0: no store */
	char server[64];      /* its version, "" while unknown */
	char why[256];        /* DOWN: what is wrong and what to do; else "" */
	uint64_t written;     /* bars that the store has confirmed */
	uint64_t spooled;     /* bars put into the spool since the start */
	uint64_t given_up;    /* bars lost: the spool was full, or damaged, or memory was */
	uint64_t refused;     /* bars that lc_bar_store_write() did not take */
	size_t waiting;       /* bars in memory */
	uint64_t spool_rows;  /* bars in the spool */
	uint64_t spool_bytes; /* on disk */
};
/* SQLite's, as loaded. Static storage. */
const char *lc_bar_store_library_version(void);

struct lc_bar_store_status lc_bar_store_status(const struct lc_bar_store *store);

/* --- a backend: one file and one line in the table of bar_store.c --- */

struct lc_bar_backend {
	const struct lc_bar_backend_impl *impl;
};

struct lc_bar_backend_env {
	struct lc_loop *loop; /* borrowed for the backend's life, as are all */
	const struct lc_store_config *config;
	const char *state_dir;
	bool read_only;
};

/* Every call but create and version answers exactly once, later; where it returns an error
 * (LC_ERR_NOMEM) it does not. The store starts one of open and write at a time, and reads whenever
 * open has succeeded once. An error's text says what a person can do. */
struct lc_bar_backend_impl {
	const char *name;
	int schema; /* the version of the tables that it makes and knows */
	/* Checks settings only: it does not touch disk or network. */
	enum lc_err (*create)(const struct lc_bar_backend_env *env, struct lc_bar_backend **out,
		struct lc_error *err);
	/* Connects and makes what is missing; after a failed write it is called again.
	 * LC_ERR_UNSUPPORTED: made by a newer livecore, or too old a server. */
	enum lc_err (*open)(struct lc_bar_backend *backend, lc_bar_done_cb done, void *arg);
	/* All rows or none count as written; those of one key come in order. rows is borrowed until
	 * done. */
	enum lc_err (*write)(struct lc_bar_backend *backend, const struct lc_bar_row *rows,
		size_t count, lc_bar_done_cb done, void *arg);
	/* As lc_bar_store_read() and lc_bar_store_latest(). */
	enum lc_err (*read)(struct lc_bar_backend *backend, const struct lc_bar_query *query,
		lc_bar_rows_cb done, void *arg);
	enum lc_err (*latest)(struct lc_bar_backend *backend, const char (*symbols)[LC_SYMBOL_MAX],
		size_t count, int64_t from_ns, int64_t at_ns, lc_bar_rows_cb done, void *arg);
	/* Of the library or the server, "" while unknown. */
	const char *(*version)(const struct lc_bar_backend *backend);
	/* Every call has been answered before. */
	void (*destroy)(struct lc_bar_backend *backend, void (*done)(void *arg), void *arg);
};

extern const struct lc_bar_backend_impl lc_bars_sqlite, lc_bars_clickhouse;

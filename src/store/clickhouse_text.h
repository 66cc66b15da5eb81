/* What goes to ClickHouse and comes from it, as bytes: SQL, rows in RowBinary, errors. Pure; any
 * thread. What a server sends is not trusted: every length is checked. */
#pragma once

#include "livecore/bar_store.h"
#include "livecore/buf.h"

/* The tables' form; 1 is the first. */
#define CLICKHOUSE_SCHEMA 1

struct clickhouse_version {
	int major, minor;
};

/* "18.16.1" or "26.9.1.1-testing". LC_ERR_INVALID. */
enum lc_err clickhouse_version_parse(const char *text, size_t len, struct clickhouse_version *out);

/* Statements that make what is missing, and `INSERT …` for rows as clickhouse_put_row() has
 * them. */
void clickhouse_create_schema(struct lc_buf *out, const char *database);
void clickhouse_create_bars(struct lc_buf *out, const char *database);
void clickhouse_check_bars(struct lc_buf *out, const char *database); /* fails: another's table */
void clickhouse_insert_bars(struct lc_buf *out, const char *database);
/* From when on the newest bars of a query are looked for at first, at query->from_ns or later: so
 * far back as to hold query->limit of a symbol that trades in each minute. Without it FINAL merges
 * all years of a symbol for its last days. now_ns is wall time. */
int64_t clickhouse_first_from(const struct lc_bar_query *query, int64_t now_ns);
/* SELECTs, answered in RowBinary; settings that older servers do not know are left out for them. */
void clickhouse_select_range(struct lc_buf *out, const char *database,
	struct clickhouse_version version, const struct lc_bar_query *query);
void clickhouse_select_latest(struct lc_buf *out, const char *database,
	struct clickhouse_version version, const char (*symbols)[LC_SYMBOL_MAX], size_t count,
	int64_t from_ns, int64_t at_ns);

/* Appends one row. It has passed bar_row_check(). */
void clickhouse_put_row(struct lc_buf *out, const struct lc_bar_row *row);
/* Takes one row from *data. LC_ERR_END at its end, LC_ERR_INVALID: no row. */
enum lc_err clickhouse_get_row(const uint8_t **data, size_t *len, struct lc_bar_row *out);

/* Appends text as part of a URL's query. */
void clickhouse_put_url(struct lc_buf *out, const char *text, size_t len);

/* What an answer that is not 200 says: LC_ERR_NOT_FOUND (database or table), LC_ERR_AUTH, or
 * LC_ERR_IO, with a sentence. */
enum lc_err clickhouse_explain(int status, const char *text, size_t len,
	const struct lc_store_config *config, struct lc_error *err);

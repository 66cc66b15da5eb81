/* A bar store for a test, calls that wait for their answer, and bars to write. The backend is the
 * one that LIVECORE_TEST_BARS names (sqlite when it is not set), so that one suite runs against
 * every backend; ClickHouse is at LIVECORE_TEST_CLICKHOUSE. */
#pragma once

#include "livecore/bar_store.h"
#include "loop_fixture.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS (86400 * LC_NS_PER_S)
#define MONDAY_NS INT64_C(1767571200000000000) /* 2026-01-05T00:00:00Z */

struct bar_bench {
	struct fixture f;
	char root[64];
	struct lc_store_config config;
	struct lc_bar_store *store;
	struct lc_error err;      /* of the last answer */
	struct lc_bar_rows *rows; /* of the last read; owned */
	bool answered;
	int changes;
};

static inline bool on_clickhouse(void)
{
	const char *name = getenv("LIVECORE_TEST_BARS");
	return name && strcmp(name, "clickhouse") == 0;
}

static inline void on_bar_done(void *arg, const struct lc_error *err)
{
	struct bar_bench *b = arg;
	cr_assert(!b->answered, "exactly one answer");
	b->answered = true;
	b->err = err ? *err : (struct lc_error){.code = LC_OK};
}

static inline void on_bar_rows(void *arg, struct lc_bar_rows *rows, const struct lc_error *err)
{
	struct bar_bench *b = arg;
	on_bar_done(arg, err);
	cr_assert(err ? !rows : rows != NULL, "either rows or err");
	lc_bar_rows_free(b->rows);
	b->rows = rows;
}

static inline void on_bar_closed(void *arg)
{
	struct bar_bench *b = arg;
	b->answered = true;
	b->store = NULL;
}

static inline void on_bar_changed(void *arg)
{
	((struct bar_bench *)arg)->changes++;
}

static inline enum lc_err bar_open(struct bar_bench *b, bool read_only, bool no_spool)
{
	const struct lc_bar_store_options options = {.loop = b->f.loop,
		.config = &b->config,
		.state_dir = b->root,
		.read_only = read_only,
		.no_spool = no_spool,
		.changed = on_bar_changed,
		.arg = b};
	return lc_bar_store_open(&options, &b->store, &b->err);
}

static inline void bar_bench_open(struct bar_bench *b)
{
	static char empty[] = "", user[] = "default", url[] = "http://127.0.0.1:1", database[80];
	const char *clickhouse = getenv("LIVECORE_TEST_CLICKHOUSE");
	const char *authority = getenv("LIVECORE_TEST_CLICKHOUSE_CA");
	*b = (struct bar_bench){0};
	fixture_open(&b->f);
	strcpy(b->root, "/tmp/livecore-bars-XXXXXX");
	cr_assert(mkdtemp(b->root));
	/* Each test has a database of its own. */
	snprintf(database, sizeof database, "test_%s", strrchr(b->root, '-') + 1);
	b->config = (struct lc_store_config){
		.backend = on_clickhouse() ? LC_BARS_CLICKHOUSE : LC_BARS_SQLITE,
		.clickhouse_url = clickhouse ? (char *)(uintptr_t)clickhouse : url,
		.clickhouse_database = database,
		.clickhouse_user = user,
		.clickhouse_password = empty,
		.clickhouse_ca_file = authority ? (char *)(uintptr_t)authority : empty,
		.batch_rows = 1000,
		.batch_interval = 20,
		.spool_size = 8 << 20,
		.timeout = 5000};
}

static inline void bar_wait(struct bar_bench *b)
{
	run_until(&b->f, &b->answered);
}

static inline void bar_close(struct bar_bench *b)
{
	if (b->store) {
		b->answered = false;
		lc_bar_store_close(b->store, on_bar_closed, b);
		bar_wait(b);
	}
}

static inline void bar_bench_close(struct bar_bench *b)
{
	bar_close(b);
	lc_bar_rows_free(b->rows);
	scratch_remove(b->root);
	fixture_close(&b->f);
}

static inline void bar_init(struct bar_bench *b)
{
	b->answered = false;
	lc_bar_store_init(b->store, on_bar_done, b);
	bar_wait(b);
}

/* Opens, and waits until the tables are there. */
static inline void bar_start(struct bar_bench *b)
{
	cr_assert_eq(bar_open(b, false, false), LC_OK, "%s", b->err.text);
	bar_init(b);
	cr_assert_eq(b->err.code, LC_OK, "%s", b->err.text);
}

static inline void bar_flush(struct bar_bench *b)
{
	b->answered = false;
	lc_bar_store_flush(b->store, on_bar_done, b);
	cr_assert(!b->answered, "never from inside the call");
	bar_wait(b);
}

static inline size_t bar_read(struct bar_bench *b, const char *symbol, enum lc_period period,
	int64_t from_ns, int64_t to_ns, size_t limit)
{
	struct lc_bar_query query = {
		.period = period, .from_ns = from_ns, .to_ns = to_ns, .limit = limit};
	snprintf(query.symbol, sizeof query.symbol, "%s", symbol);
	b->answered = false;
	cr_assert_eq(lc_bar_store_read(b->store, &query, on_bar_rows, b), LC_OK);
	cr_assert(!b->answered, "never from inside the call");
	bar_wait(b);
	cr_assert_eq(b->err.code, LC_OK, "%s", b->err.text);
	return b->rows->count;
}

static inline size_t bar_read_all(struct bar_bench *b, const char *symbol, enum lc_period period)
{
	return bar_read(b, symbol, period, INT64_MIN, INT64_MAX, 0);
}

static inline struct lc_decimal dec(const char *text)
{
	struct lc_decimal value;
	cr_assert_eq(lc_decimal_parse(text, strlen(text), &value), LC_OK);
	return value;
}

/* A final day bar, the nth day after MONDAY_NS. */
static inline struct lc_bar day_bar(int day)
{
	return (struct lc_bar){.symbol = 7,
		.period = LC_PERIOD_1D,
		.has = LC_BAR_HAS_AMOUNT | LC_BAR_HAS_CHANGE,
		.final = true,
		.complete = true,
		.tick_count = (uint32_t)day + 1,
		.start_ns = MONDAY_NS + day * DAY_NS,
		.end_ns = MONDAY_NS + day * DAY_NS + 15 * 3600 * LC_NS_PER_S,
		.open = dec("10.10"),
		.high = dec("10.5"),
		.low = dec("9.99"),
		.close = {1000 + day, -2},
		.volume = lc_decimal_from_int(123400 + day),
		.amount = dec("1246340.25"),
		.change = dec("-0.1"),
		.change_pct = dec("-0.9901")};
}

static inline void bar_put(struct bar_bench *b, const char *symbol, const struct lc_bar *bar)
{
	cr_assert_eq(lc_bar_store_write(b->store, symbol, bar), LC_OK);
}

/* How long 60 daily bars take to read from a store of 500 days of 1,000 symbols, 500,000 bars: from
 * the call to the rows, each of another symbol. SQLite in a folder of its own, or ClickHouse.
 *
 *   bench_bars_read [URL of ClickHouse [DATABASE]]
 *
 * A DATABASE has these symbols' bars, and whatever else, and is only read (tools/bench). */
#include "livecore/bar_store.h"
#include "livecore/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYMBOLS = 1000, DAYS = 500, PUT = 20000, READS = 201, WANTED = 60 };
#define DAY_NS (86400 * LC_NS_PER_S)
#define FIRST_NS INT64_C(1704412800000000000) /* 2024-01-05T00:00:00Z */

struct bench {
	struct lc_loop *loop;
	struct lc_store_config config;
	struct lc_bar_store *store;
	char dir[64];
	int put, reads; /* bars written, reads done */
	bool only_read;
	int64_t started_ns, took_ns[READS];
};

static void check(const struct lc_error *err)
{
	if (err && err->code != LC_OK) {
		fprintf(stderr, "%s\n", err->text);
		exit(1);
	}
}

static void name(int number, char out[LC_SYMBOL_MAX])
{
	snprintf(out, LC_SYMBOL_MAX, "6%05d.SH", number % SYMBOLS);
}

/* --- reading --- */

static int later(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

static void on_closed(void *arg)
{
	lc_loop_stop(((struct bench *)arg)->loop);
}

static void say(struct bench *bench)
{
	struct lc_bar_store_status status = lc_bar_store_status(bench->store);
	qsort(bench->took_ns, READS, sizeof *bench->took_ns, later);
	printf("%s %s: %d daily bars in %.2f ms, the median of %d reads (the fastest %.2f ms, the "
	       "slowest %.2f)\n",
		status.backend, status.server, WANTED, (double)bench->took_ns[READS / 2] / 1e6,
		READS, (double)bench->took_ns[0] / 1e6, (double)bench->took_ns[READS - 1] / 1e6);
	lc_bar_store_close(bench->store, on_closed, bench);
}

static void read_next(struct bench *bench);

static void on_rows(void *arg, struct lc_bar_rows *rows, const struct lc_error *err)
{
	struct bench *bench = arg;
	bench->took_ns[bench->reads++] = lc_clock_mono_ns() - bench->started_ns;
	check(err);
	if (rows->count != WANTED) {
		fprintf(stderr, "%zu bars instead of %d\n", rows->count, WANTED);
		exit(1);
	}
	lc_bar_rows_free(rows);
	if (bench->reads < READS) {
		read_next(bench);
	} else {
		say(bench);
	}
}

static void read_next(struct bench *bench)
{
	struct lc_bar_query query = {
		.period = LC_PERIOD_1D, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .limit = WANTED};
	name(bench->reads * 7, query.symbol);
	bench->started_ns = lc_clock_mono_ns();
	if (lc_bar_store_read(bench->store, &query, on_rows, bench) != LC_OK) {
		exit(1);
	}
}

/* --- writing --- */

static void put(struct bench *bench)
{
	char symbol[LC_SYMBOL_MAX];
	int day = bench->put / SYMBOLS;
	const struct lc_bar bar = {.period = LC_PERIOD_1D,
		.has = LC_BAR_HAS_AMOUNT,
		.final = true,
		.complete = true,
		.start_ns = FIRST_NS + day * DAY_NS,
		.end_ns = FIRST_NS + (day + 1) * DAY_NS,
		.open = {1000 + day, -2},
		.high = {1010 + day, -2},
		.low = {990 + day, -2},
		.close = {1005 + day, -2},
		.volume = {123400 + bench->put, 0},
		.amount = {12345678 + bench->put, -2}};
	name(bench->put, symbol);
	if (lc_bar_store_write(bench->store, symbol, &bar) != LC_OK) {
		fprintf(stderr, "the store does not take the bars\n");
		exit(1);
	}
	bench->put++;
}

static void on_written(void *arg, const struct lc_error *err)
{
	struct bench *bench = arg;
	check(err);
	if (bench->only_read || bench->put == SYMBOLS * DAYS) {
		read_next(bench);
		return;
	}
	for (int n = 0; n < PUT; n++) {
		put(bench);
	}
	lc_bar_store_flush(bench->store, on_written, bench);
}

/* --- */

static void open_store(struct bench *bench, char *url, char *filled)
{
	static char empty[] = "", user[] = "default", database[] = "livecore_bench";
	struct lc_error err;
	bench->config = (struct lc_store_config){
		.backend = url ? LC_BARS_CLICKHOUSE : LC_BARS_SQLITE,
		.clickhouse_url = url ? url : empty,
		.clickhouse_database = filled ? filled : database,
		.clickhouse_user = user,
		.clickhouse_password = empty,
		.clickhouse_ca_file = empty,
		.batch_rows = 10000,
		.batch_interval = 1000,
		.spool_size = 64 << 20,
		.timeout = 60000};
	const struct lc_bar_store_options options = {
		.loop = bench->loop, .config = &bench->config, .state_dir = bench->dir};
	if (lc_bar_store_open(&options, &bench->store, &err) != LC_OK) {
		check(&err);
	}
	lc_bar_store_init(bench->store, on_written, bench);
}

int main(int argc, char **argv)
{
	struct bench bench = {.dir = "/tmp/livecore-bench-XXXXXX"};
	struct lc_log *log;
	struct lc_metrics *metrics;
	char command[96];
	if (!mkdtemp(bench.dir) ||
		lc_log_create(STDERR_FILENO, false, LC_LOG_ERROR, &log) != LC_OK ||
		lc_metrics_create(&metrics) != LC_OK ||
		lc_loop_create(log, metrics, &bench.loop) != LC_OK) {
		return 1;
	}
	bench.only_read = argc > 2;
	open_store(&bench, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL);
	lc_loop_run(bench.loop);
	lc_loop_destroy(bench.loop);
	lc_metrics_destroy(metrics);
	lc_log_destroy(log);
	snprintf(command, sizeof command, "rm -r %s", bench.dir);
	return system(command) == 0 ? 0 : 1;
}

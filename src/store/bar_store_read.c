#include "store/bar_store_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One read, until it is answered. */
struct bar_reading {
	struct lc_list node;
	struct lc_bar_store *store;
	struct lc_bar_query query;
	char (*symbols)[LC_SYMBOL_MAX]; /* owned; NULL: a range */
	size_t count;
	int64_t from_ns, at_ns;
	struct lc_error err; /* it could not be started */
	lc_bar_rows_cb done;
	void *arg;
};

static void free_reading(struct bar_reading *reading)
{
	free(reading->symbols);
	free(reading);
}

static void on_rows(void *arg, struct lc_bar_rows *rows, const struct lc_error *err)
{
	struct bar_reading *reading = arg;
	struct lc_bar_store *store = reading->store;
	reading->done(reading->arg, rows, err);
	free_reading(reading);
	store->readings--;
	bar_store_step(store);
}

static enum lc_err start(struct bar_reading *reading)
{
	struct lc_bar_backend *backend = reading->store->backend;
	if (reading->symbols) {
		return backend->impl->latest(backend,
			(const char(*)[LC_SYMBOL_MAX])reading->symbols, reading->count,
			reading->from_ns, reading->at_ns, on_rows, reading);
	}
	return backend->impl->read(backend, &reading->query, on_rows, reading);
}

static void hold(struct bar_reading *reading)
{
	lc_list_append(&reading->store->held, &reading->node);
	lc_timer_start(reading->store->soon, 0, 0);
}

static void start_or_hold(struct bar_reading *reading)
{
	struct lc_bar_store *store = reading->store;
	if (!store->backend) {
		lc_error_set(&reading->err, LC_ERR_UNSUPPORTED,
			"no bars are kept: store.backend is none");
	} else if (store->ever_ready) {
		enum lc_err rc = start(reading);
		if (rc == LC_OK) {
			store->readings++;
			return;
		}
		lc_error_set(&reading->err, rc, "%s", lc_err_text(rc));
	}
	hold(reading);
}

static struct bar_reading *new_reading(struct lc_bar_store *store, lc_bar_rows_cb done, void *arg)
{
	struct bar_reading *reading = calloc(1, sizeof *reading);
	assert(!store->closing);
	if (reading) {
		lc_list_init(&reading->node);
		reading->store = store;
		reading->done = done;
		reading->arg = arg;
	}
	return reading;
}

void bar_store_release_reads(struct lc_bar_store *store)
{
	lc_list_each (node, &store->held) {
		struct bar_reading *reading = container_of(node, struct bar_reading, node);
		if (reading->err.code == LC_OK) {
			lc_list_remove(node);
			start_or_hold(reading);
		}
	}
}

void bar_store_fail_reads(struct lc_bar_store *store, const struct lc_error *err)
{
	struct lc_list failing;
	lc_list_init(&failing);
	/* Taken out first: a callback may read again. */
	lc_list_each (node, &store->held) {
		struct bar_reading *reading = container_of(node, struct bar_reading, node);
		if (err || reading->err.code != LC_OK) {
			lc_list_remove(node);
			lc_list_append(&failing, node);
		}
	}
	while (!lc_list_empty(&failing)) {
		struct bar_reading *reading = container_of(failing.next, struct bar_reading, node);
		lc_list_remove(&reading->node);
		reading->done(reading->arg, NULL, reading->err.code != LC_OK ? &reading->err : err);
		free_reading(reading);
	}
}

enum lc_err lc_bar_store_read(struct lc_bar_store *store, const struct lc_bar_query *query,
	lc_bar_rows_cb done, void *arg)
{
	struct bar_reading *reading = new_reading(store, done, arg);
	if (!reading) {
		return LC_ERR_NOMEM;
	}
	assert(query->period < LC_PERIODS);
	reading->query = *query;
	reading->query.symbol[LC_SYMBOL_MAX - 1] = '\0';
	if (query->limit == 0 || query->limit > LC_BAR_QUERY_MAX) {
		reading->query.limit = LC_BAR_QUERY_MAX;
	}
	start_or_hold(reading);
	return LC_OK;
}

static int compare_symbols(const void *a, const void *b)
{
	return strcmp(a, b);
}

enum lc_err lc_bar_store_latest(struct lc_bar_store *store, const char (*symbols)[LC_SYMBOL_MAX],
	size_t count, int64_t from_ns, int64_t at_ns, lc_bar_rows_cb done, void *arg)
{
	struct bar_reading *reading = new_reading(store, done, arg);
	if (!reading) {
		return LC_ERR_NOMEM;
	}
	reading->symbols = calloc(count + 1, LC_SYMBOL_MAX);
	if (!reading->symbols) {
		free_reading(reading);
		return LC_ERR_NOMEM;
	}
	memcpy(reading->symbols, symbols, count * LC_SYMBOL_MAX);
	qsort(reading->symbols, count, LC_SYMBOL_MAX, compare_symbols);
	for (size_t i = 0; i < count; i++) {
		if (reading->count == 0 ||
			strcmp(reading->symbols[reading->count - 1], reading->symbols[i]) != 0) {
			memmove(reading->symbols[reading->count++], reading->symbols[i],
				LC_SYMBOL_MAX);
		}
	}
	reading->from_ns = from_ns;
	reading->at_ns = at_ns;
	start_or_hold(reading);
	return LC_OK;
}

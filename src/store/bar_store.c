#include "store/bar_store_priv.h"

#include "store/bar_row.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct lc_bar_backend_impl *const backends[] = {
	[LC_BARS_SQLITE] = &lc_bars_sqlite,
	[LC_BARS_CLICKHOUSE] = &lc_bars_clickhouse,
	[LC_BARS_NONE] = NULL,
};

static void make_metrics(struct lc_bar_store *store)
{
	struct lc_metrics *m = lc_loop_metrics(store->loop);
	store->written_total = lc_metrics_counter(m, "livecore_store_bars_written_total", "",
		"Bars that the bar store has confirmed.");
	store->spooled_total = lc_metrics_counter(m, "livecore_store_bars_spooled_total", "",
		"Bars put into the spool because the bar store was away.");
	store->given_up_total = lc_metrics_counter(m, "livecore_store_bars_given_up_total", "",
		"Bars lost: the spool was full, or damaged.");
	store->refused_total = lc_metrics_counter(m, "livecore_store_bars_refused_total", "",
		"Bars not taken: too many waited, or a number was out of range.");
	store->up_gauge = lc_metrics_gauge(
		m, "livecore_store_up", "", "1 while the bar store answers.");
	store->spool_gauge = lc_metrics_gauge(
		m, "livecore_store_spool_bars", "", "Bars in the spool.");
}

static enum lc_err make_backend(struct lc_bar_store *store, struct lc_error *err)
{
	const struct lc_bar_backend_impl *impl = backends[store->config->backend];
	const struct lc_bar_backend_env env = {.loop = store->loop,
		.config = store->config,
		.state_dir = store->state_dir,
		.read_only = store->read_only};
	store->status.backend = impl ? impl->name : "none";
	return impl ? impl->create(&env, &store->backend, err) : LC_OK;
}

enum lc_err lc_bar_store_open(
	const struct lc_bar_store_options *options, struct lc_bar_store **out, struct lc_error *err)
{
	struct lc_bar_store *store = calloc(1, sizeof *store);
	if (!store) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	char spool_dir[sizeof store->spool.dir];
	store->loop = options->loop;
	store->config = options->config;
	store->read_only = options->read_only;
	store->changed = options->changed;
	store->changed_arg = options->arg;
	lc_list_init(&store->batches);
	lc_list_init(&store->held);
	lc_backoff_init(&store->backoff, 0, RETRY_MAX_NS, 0);
	enum lc_err rc = LC_OK;
	if (strlen(options->state_dir) >= sizeof store->state_dir) {
		rc = lc_error_set(err, LC_ERR_INVALID, "state.dir is too long");
	} else if (bar_store_make_timers(store) != LC_OK) {
		rc = lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	if (rc == LC_OK) {
		strcpy(store->state_dir, options->state_dir);
		make_metrics(store);
		rc = make_backend(store, err);
	}
	if (rc != LC_OK) {
		lc_timer_destroy(store->batch_timer);
		lc_timer_destroy(store->retry_timer);
		lc_timer_destroy(store->soon);
		free(store);
		return rc;
	}
	snprintf(spool_dir, sizeof spool_dir, "%s/bars.spool", store->state_dir);
	bar_spool_prepare(&store->spool, spool_dir, (uint64_t)store->config->spool_size);
	bool spools = store->backend && !options->read_only && !options->no_spool;
	store->spool_state = spools ? SPOOL_UNTRIED : SPOOL_NONE;
	store->status.state = store->backend ? LC_BAR_STORE_OPENING : LC_BAR_STORE_UP;
	store->want_open = store->backend != NULL;
	bar_store_step(store);
	*out = store;
	return LC_OK;
}

void lc_bar_store_init(struct lc_bar_store *store, lc_bar_done_cb done, void *arg)
{
	assert(!store->closing && !store->init_done);
	store->init_done = done;
	store->init_arg = arg;
	if (!store->backend) {
		lc_timer_start(store->soon, 0, 0);
	} else if (store->doing != BARS_OPENING) {
		store->want_open = true;
		bar_store_step(store);
	}
}

static enum lc_err refuse(struct lc_bar_store *store, enum lc_err why)
{
	store->status.refused++;
	++*store->refused_total;
	return why;
}

enum lc_err lc_bar_store_write(
	struct lc_bar_store *store, const char *symbol, const struct lc_bar *bar)
{
	struct lc_bar_row row = {.bar = *bar};
	assert(!store->closing && !store->read_only);
	snprintf(row.symbol, sizeof row.symbol, "%s", symbol);
	enum lc_err rc = bar_row_check(&row);
	if (rc != LC_OK) {
		return refuse(store, rc);
	}
	if (!store->backend) {
		store->status.written++;
		return LC_OK;
	}
	size_t waiting = store->pending + (store->sending ? store->sending->count : 0);
	struct bar_batch *batch = waiting < LC_BAR_STORE_WAITING_MAX ? bar_batch_open(store) : NULL;
	if (!batch) {
		return refuse(
			store, waiting < LC_BAR_STORE_WAITING_MAX ? LC_ERR_NOMEM : LC_ERR_FULL);
	}
	batch->rows[batch->count++] = row;
	store->accepted++;
	if (store->pending++ == 0) {
		lc_timer_start(store->batch_timer, store->config->batch_interval, 0);
	}
	if (store->pending >= (size_t)store->config->batch_rows) {
		bar_store_step(store);
	}
	return LC_OK;
}

static void on_flushed(void *arg, const struct lc_error *err)
{
	(void)arg;
	(void)err;
}

void lc_bar_store_flush(struct lc_bar_store *store, lc_bar_done_cb done, void *arg)
{
	assert(!store->closing && !store->flush_done);
	store->flush_done = done ? done : on_flushed;
	store->flush_arg = arg;
	store->flush_target = store->accepted;
	store->flush_given_up = store->memory_given_up;
	bar_store_step(store);
	lc_timer_start(store->soon, 0, 0);
}

void lc_bar_store_close(struct lc_bar_store *store, void (*done)(void *arg), void *arg)
{
	if (!store) {
		done(arg);
		return;
	}
	assert(!store->closing);
	store->closing = true;
	store->closed = done;
	store->closed_arg = arg;
	bar_store_step(store);
}

struct lc_bar_store_status lc_bar_store_status(const struct lc_bar_store *store)
{
	struct lc_bar_store_status status = store->status;
	status.waiting = store->pending + (store->sending ? store->sending->count : 0);
	if (store->backend) {
		status.schema = store->backend->impl->schema;
		snprintf(status.server, sizeof status.server, "%s",
			store->backend->impl->version(store->backend));
	}
	return status;
}

/* What the bar store does, one thing at a time: opening, writing batches, filling and emptying the
 * spool, and answering who waits for it. */
#include "store/bar_store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- state --- */

static struct lc_log *log_of(const struct lc_bar_store *store)
{
	return lc_loop_log(store->loop);
}

static void set_state(struct lc_bar_store *store, enum lc_bar_store_state state, const char *why)
{
	bool same = store->status.state == state && strcmp(store->status.why, why) == 0;
	snprintf(store->status.why, sizeof store->status.why, "%s", why);
	if (same) {
		return;
	}
	store->status.state = state;
	*store->up_gauge = state == LC_BAR_STORE_UP;
	if (state == LC_BAR_STORE_UP) {
		lc_log(log_of(store), LC_LOG_INFO, "store", "up",
			LC_S("backend", store->status.backend),
			LC_S("version", store->backend->impl->version(store->backend)));
	} else if (!store->read_only) { /* a tool's answer says it */
		lc_log(log_of(store), LC_LOG_WARN, "store", "down",
			LC_S("backend", store->status.backend), LC_S("why", why));
	}
	if (store->changed) {
		store->changed(store->changed_arg);
	}
}

static void go_up(struct lc_bar_store *store)
{
	lc_backoff_up(&store->backoff, lc_loop_mono_ns(store->loop));
	set_state(store, LC_BAR_STORE_UP, "");
}

static void go_down(struct lc_bar_store *store, const struct lc_error *err)
{
	int64_t wait_ns = lc_backoff_down(
		&store->backoff, lc_loop_random(store->loop), lc_loop_mono_ns(store->loop));
	store->ready = false;
	lc_timer_start(store->retry_timer, wait_ns / LC_NS_PER_MS + 1, 0);
	set_state(store, LC_BAR_STORE_DOWN, err->text);
}

static void give_up_sending(struct lc_bar_store *store)
{
	store->memory_given_up += store->sending->count;
	store->status.given_up += store->sending->count;
	store->settled += store->sending->count;
	*store->given_up_total += store->sending->count;
	lc_log(log_of(store), LC_LOG_ERROR, "store", "bars_given_up",
		LC_U("bars", store->sending->count), LC_S("why", store->status.why));
	store->sending->count = 0;
}
/* --- answers --- */

static void answer_flush(struct lc_bar_store *store)
{
	bool stuck = !store->ready &&
		     (store->spool_state != SPOOL_USABLE || store->spool_blocked) &&
		     store->status.state == LC_BAR_STORE_DOWN;
	bool done = store->settled >= store->flush_target &&
		    (!store->ready || store->status.spool_rows == 0);
	bool lost = store->memory_given_up != store->flush_given_up;
	if (!store->flush_done || store->doing != BARS_IDLE || (!done && !stuck)) {
		return;
	}
	lc_bar_done_cb answer = store->flush_done;
	struct lc_error err;
	lc_error_set(&err, LC_ERR_IO, "%.120s; and %.120s", store->status.why,
		store->spool_err.code != LC_OK ? store->spool_err.text : "there is no spool");
	store->flush_done = NULL;
	answer(store->flush_arg, done && !lost ? NULL : &err);
}

static void answer_init(struct lc_bar_store *store, const struct lc_error *err)
{
	lc_bar_done_cb answer = store->init_done;
	store->init_done = NULL;
	if (answer) {
		answer(store->init_arg, err);
	}
}

/* After something ended: the next, then who waits for it. */
static void proceed(struct lc_bar_store *store)
{
	bar_store_step(store);
	answer_flush(store);
}

/* --- the spool --- */

/* In the pool. */
static void do_spool(void *arg)
{
	struct lc_bar_store *store = arg;
	struct bar_spool *spool = &store->spool;
	struct lc_error *err = &store->spool_err;
	if (store->spool_taken) {
		bar_spool_take(spool);
	}
	switch (store->spool_work) {
	case SPOOL_OPEN:
		bar_spool_open(spool, err);
		break;
	case SPOOL_APPEND:
		bar_spool_append(spool, store->sending->rows, store->sending->count, err);
		break;
	case SPOOL_PEEK:
		bar_spool_peek(spool, store->drain->rows, (size_t)store->config->batch_rows,
			&store->drain->count, err);
		break;
	case SPOOL_CLOSE:
		bar_spool_close(spool);
		break;
	}
}

static void count_spool(struct lc_bar_store *store)
{
	uint64_t lost = store->spool.given_up - store->spool_given_up;
	store->spool_given_up = store->spool.given_up;
	store->status.spool_rows = store->spool.rows;
	store->status.spool_bytes = store->spool.bytes;
	*store->spool_gauge = (double)store->spool.rows;
	if (lost > 0) {
		store->status.given_up += lost;
		*store->given_up_total += lost;
		lc_log(log_of(store), LC_LOG_ERROR, "store", "bars_given_up", LC_U("bars", lost),
			LC_S("why", "the spool is full or damaged"),
			LC_U("damaged_places", store->spool.damaged_records));
	}
}

static void spool_failed(struct lc_bar_store *store)
{
	if (lc_log_is_news(
		    &store->spool_said, store->spool_err.text, lc_loop_mono_ns(store->loop))) {
		lc_log(log_of(store), LC_LOG_ERROR, "store", "spool_failed",
			LC_S("why", store->spool_err.text));
	}
	if (store->spool_work == SPOOL_OPEN) {
		store->spool_state = SPOOL_FAILED;
	} else {
		store->spool_blocked = true;
	}
	if (!lc_timer_active(store->retry_timer)) {
		lc_timer_start(store->retry_timer, RETRY_MAX_NS / LC_NS_PER_MS, 0);
	}
}

static void on_spooled(void *arg, bool cancelled)
{
	struct lc_bar_store *store = arg;
	bool failed = cancelled || store->spool_err.code != LC_OK;
	store->doing = BARS_IDLE;
	store->spool_taken = store->spool_taken && cancelled;
	if (store->spool_work == SPOOL_CLOSE) {
		if (cancelled) {
			bar_spool_close(&store->spool); /* the loop has ended: nobody waits */
		}
		store->spool_state = SPOOL_NONE;
	} else {
		count_spool(store);
	}
	if (failed && store->spool_work != SPOOL_CLOSE) {
		if (cancelled) {
			lc_error_set(&store->spool_err, LC_ERR_CANCELLED, "the process is ending");
		}
		spool_failed(store);
	} else if (store->spool_work == SPOOL_OPEN) {
		store->spool_state = SPOOL_USABLE;
	} else if (store->spool_work == SPOOL_APPEND) {
		store->spool_said = (struct lc_log_said){0};
		store->status.spooled += store->sending->count;
		*store->spooled_total += store->sending->count;
		store->settled += store->sending->count;
		bar_batch_release(store);
	} else if (store->spool_work == SPOOL_PEEK && store->drain->count == 0 && store->ready) {
		go_up(store); /* all that was left in it was damaged */
	}
	proceed(store);
}

static void fail_soon(struct lc_bar_store *store, enum lc_err rc)
{
	store->start_error = rc;
	lc_timer_start(store->soon, 0, 0);
}

static void start_spool(struct lc_bar_store *store, enum bar_spool_work work)
{
	store->doing = BARS_SPOOLING;
	store->spool_work = work;
	store->spool_err = (struct lc_error){.code = LC_OK};
	store->append_last = work == SPOOL_APPEND;
	enum lc_err rc = LC_OK;
	if (work == SPOOL_PEEK && !store->drain) {
		store->drain = bar_batch_new(store);
		rc = store->drain ? LC_OK : LC_ERR_NOMEM;
	}
	rc = rc ? rc : lc_loop_job(store->loop, do_spool, on_spooled, store);
	if (rc != LC_OK) {
		fail_soon(store, rc);
	}
}

/* --- the backend --- */

static void on_opened(void *arg, const struct lc_error *err)
{
	struct lc_bar_store *store = arg;
	store->doing = BARS_IDLE;
	if (err) {
		go_down(store, err);
		if (!store->ever_ready) {
			bar_store_fail_reads(store, err);
		}
	} else {
		store->ready = store->ever_ready = true;
		store->spool_blocked = false;
		if (store->spool_state != SPOOL_FAILED) {
			lc_timer_stop(store->retry_timer);
		}
		bar_store_release_reads(store);
		/* With bars waiting it is up when they go in: not before, or it would flap. */
		if (store->status.spool_rows == 0 && !store->sending) {
			go_up(store);
		}
	}
	answer_init(store, err);
	proceed(store);
}

static void on_written(void *arg, const struct lc_error *err)
{
	struct lc_bar_store *store = arg;
	struct bar_batch *batch = store->writing_drain ? store->drain : store->sending;
	store->doing = BARS_IDLE;
	if (err) {
		go_down(store, err);
	} else {
		store->status.written += batch->count;
		*store->written_total += batch->count;
		go_up(store);
	}
	if (store->writing_drain) {
		store->spool_taken = !err;
		batch->count = 0;
	} else if (!err) {
		store->settled += batch->count;
		bar_batch_release(store);
	}
	proceed(store);
}

static void start_open(struct lc_bar_store *store)
{
	store->want_open = false;
	store->doing = BARS_OPENING;
	enum lc_err rc = store->backend->impl->open(store->backend, on_opened, store);
	if (rc != LC_OK) {
		fail_soon(store, rc);
	}
}

static void start_write(struct lc_bar_store *store, bool drain)
{
	const struct bar_batch *batch = drain ? store->drain : store->sending;
	store->doing = BARS_WRITING;
	store->writing_drain = drain;
	enum lc_err rc = store->backend->impl->write(
		store->backend, batch->rows, batch->count, on_written, store);
	if (rc != LC_OK) {
		fail_soon(store, rc);
	}
}

/* --- what is next --- */

static bool can_spool(const struct lc_bar_store *store)
{
	return store->spool_state == SPOOL_USABLE && !store->spool_blocked;
}

/* A batch that was taken out: the spool when the store failed or has older ones to come. */
static void step_sending(struct lc_bar_store *store)
{
	if (store->ready && (store->status.spool_rows == 0 || !can_spool(store))) {
		start_write(store, false);
	} else if (can_spool(store)) {
		start_spool(store, SPOOL_APPEND);
	} else if (store->closing) {
		give_up_sending(store);
		bar_batch_release(store);
		bar_store_step(store);
	} else if (store->spool_state == SPOOL_NONE && !store->want_open) {
		give_up_sending(store); /* a tool: it says so when it flushes */
		bar_batch_release(store);
		bar_store_step(store);
	} else if (store->want_open) {
		start_open(store);
	}
}

static void step_ready(struct lc_bar_store *store)
{
	bool waits = store->status.spool_rows > 0 || store->spool_taken;
	if (store->drain && store->drain->count > 0) {
		start_write(store, true);
	} else if (waits && !(store->pending >= (size_t)store->config->batch_rows &&
				    can_spool(store) && !store->append_last)) {
		start_spool(store, SPOOL_PEEK);
	} else if (waits || bar_batch_is_due(store)) {
		bar_batch_take(store);
		step_sending(store);
	}
}

static void on_destroyed(void *arg)
{
	struct lc_bar_store *store = arg;
	void (*closed)(void *) = store->closed;
	void *closed_arg = store->closed_arg;
	lc_timer_destroy(store->batch_timer);
	lc_timer_destroy(store->retry_timer);
	lc_timer_destroy(store->soon);
	free(store->drain);
	free(store->spare);
	free(store);
	closed(closed_arg);
}

static void step_closing(struct lc_bar_store *store)
{
	if (store->pending > 0) {
		bar_batch_take(store);
		step_sending(store);
	} else if (!lc_list_empty(&store->held) || store->init_done || store->flush_done) {
		lc_timer_start(store->soon, 0, 0); /* they are answered first */
	} else if (store->readings > 0) {
		return; /* the last one's end comes here again */
	} else if (store->spool_state == SPOOL_USABLE) {
		start_spool(store, SPOOL_CLOSE);
	} else if (store->backend) {
		store->doing = BARS_ENDING;
		store->backend->impl->destroy(store->backend, on_destroyed, store);
	} else {
		store->doing = BARS_ENDING;
		lc_timer_start(store->soon, 0, 0);
	}
}

void bar_store_step(struct lc_bar_store *store)
{
	if (store->doing != BARS_IDLE) {
		return;
	}
	if (store->spool_state == SPOOL_UNTRIED) {
		start_spool(store, SPOOL_OPEN);
	} else if (store->sending) {
		step_sending(store);
	} else if (store->want_open &&
		   (!store->closing || store->status.state == LC_BAR_STORE_OPENING)) {
		start_open(store);
	} else if (store->closing) {
		step_closing(store);
	} else if (store->ready) {
		step_ready(store);
	} else if (store->status.state == LC_BAR_STORE_DOWN && bar_batch_is_due(store) &&
		   (can_spool(store) || store->spool_state == SPOOL_NONE)) {
		bar_batch_take(store);
		step_sending(store);
	}
}

/* --- timers --- */

static void on_batch_timer(void *arg)
{
	struct lc_bar_store *store = arg;
	store->due = true;
	proceed(store);
}

static void on_retry(void *arg)
{
	struct lc_bar_store *store = arg;
	store->want_open = !store->ready;
	store->spool_blocked = false;
	if (store->spool_state == SPOOL_FAILED) {
		store->spool_state = SPOOL_UNTRIED;
	}
	proceed(store);
}

/* What was started and failed at once ends here, as if it had failed later. */
static void end_failed_start(struct lc_bar_store *store)
{
	struct lc_error err;
	enum lc_err rc = store->start_error;
	store->start_error = LC_OK;
	lc_error_set(&err, rc, "%s", lc_err_text(rc));
	switch (store->doing) {
	case BARS_OPENING:
		on_opened(store, &err);
		break;
	case BARS_WRITING:
		on_written(store, &err);
		break;
	case BARS_SPOOLING:
		on_spooled(store, true);
		break;
	case BARS_IDLE:
	case BARS_ENDING:
		break;
	}
}

static void on_soon(void *arg)
{
	struct lc_bar_store *store = arg;
	static const struct lc_error ending = {LC_ERR_CANCELLED, "the store is being closed"};
	if (store->doing == BARS_ENDING) {
		on_destroyed(store);
		return;
	}
	if (store->start_error != LC_OK) {
		end_failed_start(store);
	}
	bar_store_fail_reads(store, store->closing ? &ending : NULL);
	if (!store->backend) {
		answer_init(store, NULL);
	} else if (store->closing && store->doing == BARS_IDLE) {
		answer_init(store, &ending);
	}
	if (store->closing && store->flush_done && store->doing == BARS_IDLE) {
		lc_bar_done_cb answer = store->flush_done;
		store->flush_done = NULL;
		answer(store->flush_arg,
			store->memory_given_up == store->flush_given_up ? NULL : &ending);
	}
	proceed(store);
}

enum lc_err bar_store_make_timers(struct lc_bar_store *store)
{
	enum lc_err rc = lc_timer_create(store->loop, on_batch_timer, store, &store->batch_timer);
	rc = rc ? rc : lc_timer_create(store->loop, on_retry, store, &store->retry_timer);
	return rc ? rc : lc_timer_create(store->loop, on_soon, store, &store->soon);
}

#include "livecore/list.h"
#include "store/interest_db.h"
#include "store/interest_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum work { WORK_OPEN, WORK_SAVE, WORK_CLOSE };

struct sqlite_store {
	struct lc_interest_store base;
	struct lc_loop *loop;       /* borrowed */
	struct lc_timer *fail_soon; /* when no job could be started, the answer still comes later */
	struct interest_db db;      /* the job's while one is under way */
	struct lc_saved_interest *saved; /* owned: what is being loaded or saved */
	struct lc_error err;
	int64_t wall_ns;
	enum work work;
	bool busy, closing;
	void (*loaded)(void *arg, struct lc_saved_interest *saved, const struct lc_error *err);
	void *loaded_arg;
	void (*done)(void *arg, const struct lc_error *err);
	void *done_arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* In the pool. */
static void do_work(void *arg)
{
	struct sqlite_store *store = arg;
	switch (store->work) {
	case WORK_OPEN:
		interest_db_open(&store->db, store->wall_ns, store->saved, &store->err);
		break;
	case WORK_SAVE:
		interest_db_save(&store->db, store->wall_ns, store->saved, &store->err);
		break;
	case WORK_CLOSE:
		interest_db_close(&store->db);
		break;
	}
}

static void say_set_aside(struct sqlite_store *store)
{
	if (store->db.set_aside[0]) {
		lc_log(lc_loop_log(store->loop), LC_LOG_ERROR, "interest", "damaged_file_set_aside",
			LC_S("file", store->db.set_aside));
		store->db.set_aside[0] = '\0';
	}
}

static void free_store(struct sqlite_store *store)
{
	lc_timer_destroy(store->fail_soon);
	if (store->saved) {
		lc_saved_interest_free(store->saved);
	}
	free(store);
}

static void finish_open(struct sqlite_store *store)
{
	struct lc_saved_interest *saved = store->saved;
	store->saved = NULL;
	if (store->err.code != LC_OK) {
		lc_saved_interest_free(saved);
		store->loaded(store->loaded_arg, NULL, &store->err);
	} else {
		store->loaded(store->loaded_arg, saved, NULL);
	}
}

static void finish_save(struct sqlite_store *store)
{
	lc_saved_interest_free(store->saved);
	store->saved = NULL;
	/* done() may start the next save, which uses store->err again. */
	struct lc_error err = store->err;
	store->done(store->done_arg, err.code != LC_OK ? &err : NULL);
}

static void finish_close(struct sqlite_store *store)
{
	void (*closed)(void *) = store->closed;
	void *arg = store->closed_arg;
	free_store(store);
	closed(arg);
}

static void start(struct sqlite_store *store, enum work work);

static void finish(struct sqlite_store *store)
{
	store->busy = false;
	say_set_aside(store);
	switch (store->work) {
	case WORK_OPEN:
		finish_open(store);
		break;
	case WORK_SAVE:
		finish_save(store);
		break;
	case WORK_CLOSE:
		finish_close(store);
		return;
	}
	if (store->closing && !store->busy) {
		start(store, WORK_CLOSE);
	}
}

static void on_worked(void *arg, bool cancelled)
{
	struct sqlite_store *store = arg;
	if (cancelled && store->work == WORK_CLOSE) {
		interest_db_close(
			&store->db); /* the loop has ended: nobody waits for it any more */
	} else if (cancelled) {
		lc_error_set(&store->err, LC_ERR_CANCELLED, "the process is ending");
	}
	finish(store);
}

static void on_fail_soon(void *arg)
{
	struct sqlite_store *store = arg;
	if (store->work == WORK_CLOSE) {
		interest_db_close(&store->db);
	}
	finish(store);
}

static void start(struct sqlite_store *store, enum work work)
{
	assert(!store->busy);
	store->busy = true;
	store->work = work;
	store->wall_ns = lc_loop_wall_ns(store->loop);
	store->err = (struct lc_error){.code = LC_OK};
	enum lc_err rc = lc_loop_job(store->loop, do_work, on_worked, store);
	if (rc != LC_OK) {
		lc_error_set(&store->err, rc, "%s", lc_err_text(rc));
		lc_timer_start(store->fail_soon, 0, 0);
	}
}

static struct sqlite_store *of(struct lc_interest_store *base)
{
	return container_of(base, struct sqlite_store, base);
}

static void save(struct lc_interest_store *base, struct lc_saved_interest *saved,
	void (*done)(void *arg, const struct lc_error *err), void *arg)
{
	struct sqlite_store *store = of(base);
	assert(!store->closing);
	assert(!store->saved);
	store->saved = saved;
	store->done = done;
	store->done_arg = arg;
	start(store, WORK_SAVE);
}

static void close_store(struct lc_interest_store *base, void (*done)(void *arg), void *arg)
{
	struct sqlite_store *store = of(base);
	assert(!store->closing);
	store->closing = true;
	store->closed = done;
	store->closed_arg = arg;
	if (!store->busy) {
		start(store, WORK_CLOSE);
	}
}

static const struct lc_interest_store_impl sqlite_impl = {
	.server = interest_db_server, .save = save, .close = close_store};

enum lc_err lc_interest_store_open(struct lc_loop *loop, const char *dir,
	void (*loaded)(void *arg, struct lc_saved_interest *saved, const struct lc_error *err),
	void *arg, struct lc_interest_store **out)
{
	struct sqlite_store *store = calloc(1, sizeof *store);
	if (!store) {
		return LC_ERR_NOMEM;
	}
	store->base.impl = &sqlite_impl;
	store->loop = loop;
	store->loaded = loaded;
	store->loaded_arg = arg;
	enum lc_err rc = LC_ERR_TOO_LARGE;
	if ((size_t)snprintf(store->db.dir, sizeof store->db.dir, "%s", dir) >=
		sizeof store->db.dir) {
		goto free_store;
	}
	rc = LC_ERR_NOMEM;
	store->saved = calloc(1, sizeof *store->saved);
	if (!store->saved ||
		lc_timer_create(loop, on_fail_soon, store, &store->fail_soon) != LC_OK) {
		goto free_store;
	}
	start(store, WORK_OPEN);
	*out = &store->base;
	return LC_OK;
free_store:
	free_store(store);
	return rc;
}

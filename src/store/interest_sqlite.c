#include "livecore/list.h"
#include "store/interest_db.h"
#include "store/interest_impl.h"
#include "store/pool_work.h"

#include <stdio.h>
#include <stdlib.h>

enum work { WORK_OPEN, WORK_SAVE, WORK_CLOSE };

struct sqlite_store {
	struct lc_interest_store base; /* its saved and err are the pool's while it works */
	struct pool_work pool;
	struct interest_db db; /* likewise */
	int64_t wall_ns;
	enum work work;
};

/* In the pool. */
static void do_work(void *arg)
{
	struct sqlite_store *store = arg;
	switch (store->work) {
	case WORK_OPEN:
		interest_db_open(&store->db, store->wall_ns, store->base.saved, &store->base.err);
		break;
	case WORK_SAVE:
		interest_db_save(&store->db, store->wall_ns, store->base.saved, &store->base.err);
		break;
	case WORK_CLOSE:
		interest_db_close(&store->db);
		break;
	}
}

static void start(struct sqlite_store *store, enum work work)
{
	store->work = work;
	store->wall_ns = lc_loop_wall_ns(store->pool.loop);
	pool_work_start(&store->pool);
}

static void say_set_aside(struct sqlite_store *store)
{
	if (store->db.set_aside[0]) {
		lc_log(lc_loop_log(store->pool.loop), LC_LOG_ERROR, "interest",
			"damaged_file_set_aside", LC_S("file", store->db.set_aside));
		store->db.set_aside[0] = '\0';
	}
}

static void free_store(struct sqlite_store *store)
{
	pool_work_finish(&store->pool);
	lc_saved_interest_free(store->base.saved);
	free(store);
}

static void finish_close(struct sqlite_store *store)
{
	void (*closed)(void *) = store->base.closed;
	void *arg = store->base.closed_arg;
	free_store(store);
	closed(arg);
}

static void on_worked(void *arg, const struct lc_error *err)
{
	struct sqlite_store *store = arg;
	say_set_aside(store);
	if (store->work == WORK_CLOSE) {
		if (err) { /* it did not run */
			interest_db_close(&store->db);
		}
		finish_close(store);
		return;
	}
	if (err) {
		store->base.err = *err;
	}
	if (store->work == WORK_OPEN) {
		interest_end_open(&store->base);
	} else {
		interest_end_save(&store->base);
	}
	if (store->base.closed && !store->pool.busy) {
		start(store, WORK_CLOSE);
	}
}

static struct sqlite_store *of(struct lc_interest_store *base)
{
	return container_of(base, struct sqlite_store, base);
}

static void save(struct lc_interest_store *base)
{
	start(of(base), WORK_SAVE);
}

static void close_store(struct lc_interest_store *base)
{
	struct sqlite_store *store = of(base);
	if (!store->pool.busy) {
		start(store, WORK_CLOSE);
	}
}

static const struct lc_interest_store_impl sqlite_impl = {
	.server = interest_db_server, .save = save, .close = close_store};

enum lc_err lc_interest_store_open(struct lc_loop *loop, const char *dir,
	lc_interest_loaded_cb loaded, void *arg, struct lc_interest_store **out)
{
	struct sqlite_store *store = calloc(1, sizeof *store);
	if (!store) {
		return LC_ERR_NOMEM;
	}
	enum lc_err rc = interest_store_init(&store->base, &sqlite_impl, loaded, arg);
	rc = rc ? rc : pool_work_init(&store->pool, loop, do_work, on_worked, store);
	size_t len = (size_t)snprintf(store->db.dir, sizeof store->db.dir, "%s", dir);
	if (rc == LC_OK && len >= sizeof store->db.dir) {
		rc = LC_ERR_TOO_LARGE;
	}
	if (rc != LC_OK) {
		free_store(store);
		return rc;
	}
	start(store, WORK_OPEN);
	*out = &store->base;
	return LC_OK;
}

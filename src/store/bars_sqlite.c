/* Bars in SQLite: jobs in the pool, one at a time, reads before a write that waits. */
#include "livecore/bar_store.h"
#include "livecore/list.h"
#include "store/bars_db.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum work { WORK_OPEN, WORK_WRITE, WORK_READ, WORK_LATEST, WORK_CLOSE };

struct sqlite_bars {
	struct lc_bar_backend base;
	struct lc_loop *loop;   /* borrowed */
	struct lc_timer *soon;  /* when no job could be started, the answer still comes later */
	struct bars_db db;      /* the job's while one runs */
	struct lc_list waiting; /* of struct job */
	struct job *running;
	struct job *last; /* owned: closes the file; made early, so that it cannot fail */
	void (*destroyed)(void *arg);
	void *destroyed_arg;
};

/* One call, until it is answered. In the pool only work() touches it. */
struct job {
	struct lc_list node;
	struct sqlite_bars *bars;
	enum work work;
	int64_t wall_ns;
	const struct lc_bar_row *rows;        /* borrowed: write */
	const char (*symbols)[LC_SYMBOL_MAX]; /* borrowed: latest */
	size_t count;
	struct lc_bar_query query;
	int64_t from_ns, at_ns;
	struct lc_bar_rows *found; /* owned until it is handed over */
	struct lc_error err;
	lc_bar_done_cb done;
	lc_bar_rows_cb rows_done;
	void *arg;
};

/* In the pool. */
static void do_work(void *arg)
{
	struct job *job = arg;
	struct bars_db *db = &job->bars->db;
	enum lc_err rc = LC_OK;
	switch (job->work) {
	case WORK_OPEN:
		rc = bars_db_open(db, job->wall_ns, &job->err);
		break;
	case WORK_WRITE:
		rc = bars_db_write(db, job->wall_ns, job->rows, job->count, &job->err);
		break;
	case WORK_READ:
		rc = bars_db_read(db, job->wall_ns, &job->query, job->found, &job->err);
		break;
	case WORK_LATEST:
		rc = bars_db_latest(db, job->wall_ns, job->symbols, job->count, job->from_ns,
			job->at_ns, job->found, &job->err);
		break;
	case WORK_CLOSE:
		bars_db_close(db);
		break;
	}
	job->err.code = rc; /* what went wrong may have been mended: a damaged file */
}

static void free_job(struct job *job)
{
	lc_bar_rows_free(job->found);
	free(job);
}

static void finish_destroy(struct sqlite_bars *bars)
{
	void (*destroyed)(void *) = bars->destroyed;
	void *arg = bars->destroyed_arg;
	lc_timer_destroy(bars->soon);
	free(bars->last);
	free(bars);
	destroyed(arg);
}

static void answer(struct job *job)
{
	const struct lc_error *err = job->err.code != LC_OK ? &job->err : NULL;
	if (job->rows_done) {
		struct lc_bar_rows *found = err ? NULL : job->found;
		job->found = err ? job->found : NULL;
		job->rows_done(job->arg, found, err);
	} else {
		job->done(job->arg, err);
	}
}

static void on_worked(void *arg, bool cancelled);

static void start_next(struct sqlite_bars *bars)
{
	if (bars->running || lc_list_empty(&bars->waiting)) {
		return;
	}
	struct job *job = container_of(bars->waiting.next, struct job, node);
	lc_list_remove(&job->node);
	bars->running = job;
	job->wall_ns = lc_loop_wall_ns(bars->loop);
	enum lc_err rc = lc_loop_job(bars->loop, do_work, on_worked, job);
	if (rc != LC_OK) {
		lc_error_set(&job->err, rc, "%s", lc_err_text(rc));
		lc_timer_start(bars->soon, 0, 0);
	}
}

static void finish(struct sqlite_bars *bars)
{
	struct job *job = bars->running;
	bars->running = NULL;
	if (bars->db.set_aside[0]) {
		lc_log(lc_loop_log(bars->loop), LC_LOG_ERROR, "store", "damaged_file_set_aside",
			LC_S("file", bars->db.set_aside));
		bars->db.set_aside[0] = '\0';
	}
	if (job->work == WORK_CLOSE) {
		finish_destroy(bars);
		return;
	}
	/* The next one starts first: the callback may add more, but nothing of it comes before. */
	start_next(bars);
	answer(job);
	free_job(job);
}

static void on_worked(void *arg, bool cancelled)
{
	struct job *job = arg;
	if (cancelled && job->work == WORK_CLOSE) {
		bars_db_close(&job->bars->db); /* the loop has ended: nobody waits for it */
	} else if (cancelled) {
		lc_error_set(&job->err, LC_ERR_CANCELLED, "the process is ending");
	}
	finish(job->bars);
}

static void on_soon(void *arg)
{
	struct sqlite_bars *bars = arg;
	if (bars->running->work == WORK_CLOSE) {
		bars_db_close(&bars->db);
	}
	finish(bars);
}

static struct job *new_job(struct lc_bar_backend *backend, enum work work, void *arg)
{
	struct job *job = calloc(1, sizeof *job);
	if (job) {
		job->bars = container_of(backend, struct sqlite_bars, base);
		job->work = work;
		job->arg = arg;
		lc_list_init(&job->node);
	}
	return job;
}

static enum lc_err submit(struct job *job)
{
	struct sqlite_bars *bars = job->bars;
	struct lc_list *before = &bars->waiting;
	if (job->work == WORK_READ || job->work == WORK_LATEST) {
		job->found = calloc(1, sizeof *job->found);
		if (!job->found) {
			free(job);
			return LC_ERR_NOMEM;
		}
		lc_list_each (node, &bars->waiting) {
			if (before == &bars->waiting &&
				container_of(node, struct job, node)->work == WORK_WRITE) {
				before = node;
			}
		}
	}
	lc_list_append(before, &job->node);
	start_next(bars);
	return LC_OK;
}

/* --- the interface --- */

static enum lc_err sqlite_create(
	const struct lc_bar_backend_env *env, struct lc_bar_backend **out, struct lc_error *err)
{
	struct sqlite_bars *bars = calloc(1, sizeof *bars);
	if (!bars) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	enum lc_err rc = LC_OK;
	bars->base.impl = &lc_bars_sqlite;
	bars->loop = env->loop;
	bars->db.read_only = env->read_only;
	lc_list_init(&bars->waiting);
	bars->last = new_job(&bars->base, WORK_CLOSE, NULL);
	if (strlen(env->state_dir) >= sizeof bars->db.dir) {
		rc = lc_error_set(err, LC_ERR_INVALID, "state.dir is too long");
	} else if (!bars->last || lc_timer_create(env->loop, on_soon, bars, &bars->soon) != LC_OK) {
		rc = lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	if (rc != LC_OK) {
		free(bars->last);
		free(bars);
		return rc;
	}
	strcpy(bars->db.dir, env->state_dir);
	*out = &bars->base;
	return LC_OK;
}

static enum lc_err sqlite_open_bars(struct lc_bar_backend *backend, lc_bar_done_cb done, void *arg)
{
	struct job *job = new_job(backend, WORK_OPEN, arg);
	if (!job) {
		return LC_ERR_NOMEM;
	}
	job->done = done;
	return submit(job);
}

static enum lc_err sqlite_write(struct lc_bar_backend *backend, const struct lc_bar_row *rows,
	size_t count, lc_bar_done_cb done, void *arg)
{
	struct job *job = new_job(backend, WORK_WRITE, arg);
	if (!job) {
		return LC_ERR_NOMEM;
	}
	job->rows = rows;
	job->count = count;
	job->done = done;
	return submit(job);
}

static enum lc_err sqlite_read(struct lc_bar_backend *backend, const struct lc_bar_query *query,
	lc_bar_rows_cb done, void *arg)
{
	struct job *job = new_job(backend, WORK_READ, arg);
	if (!job) {
		return LC_ERR_NOMEM;
	}
	job->query = *query;
	job->rows_done = done;
	return submit(job);
}

static enum lc_err sqlite_latest(struct lc_bar_backend *backend,
	const char (*symbols)[LC_SYMBOL_MAX], size_t count, int64_t from_ns, int64_t at_ns,
	lc_bar_rows_cb done, void *arg)
{
	struct job *job = new_job(backend, WORK_LATEST, arg);
	if (!job) {
		return LC_ERR_NOMEM;
	}
	job->symbols = symbols;
	job->count = count;
	job->from_ns = from_ns;
	job->at_ns = at_ns;
	job->rows_done = done;
	return submit(job);
}

static const char *sqlite_version(const struct lc_bar_backend *backend)
{
	(void)backend;
	return sqlite3_libversion();
}

static void sqlite_destroy(struct lc_bar_backend *backend, void (*done)(void *arg), void *arg)
{
	struct sqlite_bars *bars = container_of(backend, struct sqlite_bars, base);
	bars->destroyed = done;
	bars->destroyed_arg = arg;
	submit(bars->last);
}

const struct lc_bar_backend_impl lc_bars_sqlite = {
	.name = "sqlite",
	.schema = BARS_DB_SCHEMA,
	.create = sqlite_create,
	.open = sqlite_open_bars,
	.write = sqlite_write,
	.read = sqlite_read,
	.latest = sqlite_latest,
	.version = sqlite_version,
	.destroy = sqlite_destroy,
};

const char *lc_bar_store_library_version(void)
{
	return sqlite3_libversion();
}

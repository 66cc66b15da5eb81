#include "store/pool_work.h"

#include <assert.h>

static void do_work(void *arg)
{
	struct pool_work *pool = arg;
	pool->work(pool->arg);
}

static void end(struct pool_work *pool)
{
	struct lc_error err = pool->err; /* done() may start the next one, or free this one */
	pool->busy = false;
	pool->done(pool->arg, err.code != LC_OK ? &err : NULL);
}

static void on_worked(void *arg, bool cancelled)
{
	struct pool_work *pool = arg;
	if (cancelled) {
		lc_error_set(&pool->err, LC_ERR_CANCELLED, "the process is ending");
	}
	end(pool);
}

static void on_fail_soon(void *arg)
{
	end(arg);
}

enum lc_err pool_work_init(struct pool_work *pool, struct lc_loop *loop, void (*work)(void *arg),
	void (*done)(void *arg, const struct lc_error *err), void *arg)
{
	*pool = (struct pool_work){.loop = loop, .work = work, .done = done, .arg = arg};
	return lc_timer_create(loop, on_fail_soon, pool, &pool->fail_soon);
}

void pool_work_finish(struct pool_work *pool)
{
	lc_timer_destroy(pool->fail_soon);
}

void pool_work_start(struct pool_work *pool)
{
	assert(!pool->busy);
	pool->busy = true;
	pool->err = (struct lc_error){.code = LC_OK};
	enum lc_err rc = lc_loop_job(pool->loop, do_work, on_worked, pool);
	if (rc != LC_OK) {
		lc_error_set(&pool->err, rc, "%s", lc_err_text(rc));
		lc_timer_start(pool->fail_soon, 0, 0);
	}
}

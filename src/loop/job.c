#include "loop_priv.h"

#include <stdlib.h>

struct job {
	struct lc_list node;
	uv_work_t uv;
	void (*work)(void *arg);
	void (*done)(void *arg, bool cancelled);
	void *arg;
};

static void on_work(uv_work_t *req)
{
	struct job *job = container_of(req, struct job, uv);
	job->work(job->arg);
}

static void on_done(uv_work_t *req, int status)
{
	struct job *job = container_of(req, struct job, uv);
	void (*done)(void *, bool) = job->done;
	void *arg = job->arg;
	lc_list_remove(&job->node);
	free(job);
	done(arg, status == UV_ECANCELED);
}

enum lc_err lc_loop_job(struct lc_loop *loop, void (*work)(void *arg),
	void (*done)(void *arg, bool cancelled), void *arg)
{
	struct job *job = calloc(1, sizeof *job);
	if (!job) {
		return LC_ERR_NOMEM;
	}
	job->work = work;
	job->done = done;
	job->arg = arg;
	if (uv_queue_work(&loop->uv, &job->uv, on_work, on_done)) {
		free(job);
		return LC_ERR_IO;
	}
	lc_list_append(&loop->jobs, &job->node);
	return LC_OK;
}

void lc_loop_jobs_cancel(struct lc_loop *loop)
{
	lc_list_each (node, &loop->jobs) {
		struct job *job = container_of(node, struct job, node);
		/* UV_EBUSY: it runs already, and done() comes with its result. */
		uv_cancel((uv_req_t *)&job->uv);
	}
}

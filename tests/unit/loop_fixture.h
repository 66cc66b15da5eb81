/* A loop with its log and metrics for a test, and running it until a condition holds. */
#pragma once

#include "livecore/loop.h"

#include <criterion/criterion.h>
#include <unistd.h>
#include <uv.h>

struct fixture {
	struct lc_log *log;
	struct lc_metrics *metrics;
	struct lc_loop *loop;
};

static inline void fixture_open(struct fixture *f)
{
	cr_assert_eq(lc_log_create(STDERR_FILENO, false, LC_LOG_ERROR, &f->log), LC_OK);
	cr_assert_eq(lc_metrics_create(&f->metrics), LC_OK);
	cr_assert_eq(lc_loop_create(f->log, f->metrics, &f->loop), LC_OK);
}

static inline void fixture_close(struct fixture *f)
{
	lc_loop_destroy(f->loop);
	lc_metrics_destroy(f->metrics);
	lc_log_destroy(f->log);
}

/* Turns the loop until *flag is set; fails the test after a minute. */
static inline void run_until(struct fixture *f, const bool *flag)
{
	int64_t give_up = lc_clock_mono_ns() + 60 * LC_NS_PER_S;
	while (!*flag) {
		uv_run(lc_loop_uv(f->loop), UV_RUN_ONCE);
		cr_assert_lt(lc_clock_mono_ns(), give_up, "what was waited for did not come");
	}
}

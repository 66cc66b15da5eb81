/* The state file of the role: read at start, written in the pool after each change. */
#include "timer/role_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1024 * 1024)
#define SCHEDULE_MAX (LC_CRON_TEXT_MAX + 128)

/* A file on its way to the disk. */
struct write_job {
	struct timer_memory *memory;
	char path[4096];
	struct lc_buf content;
	struct lc_error err;
};

void timer_schedule_text(
	const struct timer_rules *rules, const struct timer_rule *rule, char *out, size_t size)
{
	snprintf(out, size, "%s%s %s", rules->numbering == LC_CRON_MONDAY_RULES ? "monday " : "",
		rule->cron_text, rules->zone_name);
}

static void restore(struct lc_task_timer *timer, const struct timer_saved *saved)
{
	int64_t now_ns = lc_loop_wall_ns(timer->loop);
	for (size_t i = 0; i < timer->rules->count; i++) {
		const struct timer_rule *rule = &timer->rules->items[i];
		char schedule[SCHEDULE_MAX];
		timer_schedule_text(timer->rules, rule, schedule, sizeof schedule);
		const struct timer_saved_rule *before = timer_saved_find(
			saved, rule->name, schedule);
		if (before) {
			timer_plan_restore(&timer->plan, i, before->done_ns, now_ns);
		}
	}
}

void timer_memory_load(struct lc_task_timer *timer, const char *state_dir)
{
	struct timer_memory *memory = &timer->memory;
	struct timer_saved saved;
	struct lc_error err;
	memory->timer = timer;
	memory->errors = lc_metrics_counter(timer->metrics, "livecore_timer_state_errors_total", "",
		"writes of the timer's state that failed");
	if (state_dir[0] == '\0') {
		return;
	}
	snprintf(memory->path, sizeof memory->path, "%s/timer.json", state_dir);
	enum lc_err rc = timer_saved_read(memory->path, &saved, &err);
	if (rc == LC_OK) {
		restore(timer, &saved);
	} else if (rc != LC_ERR_NOT_FOUND) {
		lc_log(timer->log, LC_LOG_WARN, "timer", "state_unreadable",
			LC_S("file", memory->path), LC_S("error", err.text),
			LC_S("effect", "what was missed while it was down is not known"));
	}
	timer_saved_finish(&saved);
}

/* A command that is still on its way is not done: a restart sends it again. */
static void put_rules(struct lc_task_timer *timer, struct lc_buf *out)
{
	timer_saved_begin(out);
	for (size_t i = 0; i < timer->plan.count; i++) {
		const struct timer_plan_rule *item = &timer->plan.items[i];
		char schedule[SCHEDULE_MAX];
		timer_schedule_text(timer->rules, item->rule, schedule, sizeof schedule);
		int64_t waiting_ns = timer_sendings_oldest(timer, item->rule->name);
		int64_t done_ns = waiting_ns <= item->decided_ns ? waiting_ns - LC_NS_PER_S
								 : item->decided_ns;
		timer_saved_add(out, item->rule->name, schedule, done_ns);
	}
	timer_saved_end(out);
}

static void work_write(void *arg)
{
	struct write_job *job = arg;
	timer_saved_write(job->path, job->content.data, job->content.len, &job->err);
}

static void write_now(struct timer_memory *memory);

static void on_written(void *arg, bool cancelled)
{
	struct write_job *job = arg;
	struct timer_memory *memory = job->memory;
	struct lc_task_timer *timer = memory->timer;
	if (cancelled) {
		work_write(job); /* the loop ends: it is the last word */
	}
	if (job->err.code != LC_OK) {
		++*memory->errors;
		if (!memory->failed) {
			lc_log(timer->log, LC_LOG_ERROR, "timer", "state_not_written",
				LC_S("error", job->err.text));
		}
	}
	memory->failed = job->err.code != LC_OK;
	memory->writing = false;
	lc_buf_finish(&job->content);
	free(job);
	if (memory->dirty && !cancelled) {
		write_now(memory);
	} else if (timer->stopping) {
		lc_timer_start(timer->tick, 0, 0); /* it waited for this */
	}
}

static void write_now(struct timer_memory *memory)
{
	struct write_job *job = calloc(1, sizeof *job);
	if (!job) {
		return; /* still dirty: the next change writes it */
	}
	job->memory = memory;
	memcpy(job->path, memory->path, sizeof job->path);
	lc_buf_init(&job->content, FILE_LIMIT);
	put_rules(memory->timer, &job->content);
	if (job->content.failed ||
		lc_loop_job(memory->timer->loop, work_write, on_written, job) != LC_OK) {
		++*memory->errors;
		lc_buf_finish(&job->content);
		free(job);
		return;
	}
	memory->dirty = false;
	memory->writing = true;
}

void timer_memory_changed(struct lc_task_timer *timer)
{
	struct timer_memory *memory = &timer->memory;
	memory->dirty = memory->path[0] != '\0';
	if (memory->dirty && !memory->writing) {
		write_now(memory);
	}
}

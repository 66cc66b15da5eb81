/* The timer role with what it borrows: settings of its own, a calendar, how its messages look. Used
 * by `run` and by `timer`. Loop thread. */
#pragma once

#include "app/process.h"
#include "livecore/heartbeat.h"
#include "livecore/task_timer.h"
#include "timer/presence.h"

struct lc_timer_part {
	struct lc_process *process;   /* borrowed */
	struct lc_config *config;     /* owned; of the start */
	struct lc_kafka_config kafka; /* points into config, but for brokers */
	struct lc_calendar *calendar; /* owned */
	struct lc_zone *naive_zone;   /* owned */
	struct lc_message_context context;
	char node_id[LC_MESSAGE_ID_MAX + 1], stream[24], state_dir[4096];
	struct lc_task_timer *timer;    /* NULL: no role runs */
	struct lc_heartbeat *heartbeat; /* NULL without Redis */
	struct timer_presence *presence;
	bool last_beat; /* the role is gone, its last heartbeat is under way */
	void (*stopped)(void *arg);
	void *arg;
};

/* The path of timer.rules: one that is relative is looked for beside the settings file, then in the
 * working directory. "" when unset. */
void lc_timer_rules_path(
	const struct lc_process *process, const struct lc_config *config, char *out, size_t size);

/* Starts the role when timer.rules is set. brokers: instead of kafka.brokers (NULL: as set). Says
 * on stderr what is wrong and returns the exit code, or -1. Call lc_timer_part_finish() in any
 * case. */
int lc_timer_part_start(
	struct lc_timer_part *part, struct lc_process *process, const char *brokers);
/* Takes the rules that fresh settings name. LC_ERR_INVALID with every mistake in errors: nothing
 * has changed. Whether there is a role at all is decided at start. */
enum lc_err lc_timer_part_reload(
	struct lc_timer_part *part, const struct lc_config *fresh, struct lc_buf *errors);
/* stopped is called once: later, or at once when no role runs. Again: the waiting ends. */
void lc_timer_part_stop(
	struct lc_timer_part *part, int64_t deadline_ms, void (*stopped)(void *arg), void *arg);
/* After it has stopped, or when it did not start. */
void lc_timer_part_finish(struct lc_timer_part *part);

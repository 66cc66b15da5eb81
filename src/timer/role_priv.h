/* What the files of the role share: deciding (task_timer.c), sending (sending.c), remembering
 * (memory.c). */
#pragma once

#include "livecore/courier.h"
#include "livecore/list.h"
#include "livecore/task_timer.h"
#include "timer/plan.h"
#include "timer/saved.h"

struct timer_memory {
	struct lc_task_timer *timer; /* borrowed */
	char path[4096];             /* "": nothing is kept */
	bool dirty, writing, failed; /* failed: the last write did, and was told */
	uint64_t *errors;
};

struct lc_task_timer {
	struct lc_loop *loop;
	struct lc_log *log;
	struct lc_metrics *metrics;
	const struct lc_message_context *context;
	const struct lc_calendar *calendar;
	struct timer_rules *rules;
	struct timer_plan plan;
	struct lc_timer *tick;
	struct lc_courier *courier;
	struct lc_list sendings; /* struct timer_sending */
	struct timer_memory memory;
	struct lc_task_timer_stats stats;
	double *rules_gauge, *waiting_gauge, *next_gauge;
	uint64_t *kafka_errors, *reload_failures;
	struct lc_histogram *lateness;
	bool stopping, courier_gone;
	int64_t stop_at_ns; /* monotonic */
	void (*done)(void *arg);
	void *done_arg;
};

/* A counter of one rule: livecore_timer_commands_total{rule=,outcome=}. */
void timer_count(struct lc_task_timer *timer, const char *rule, const char *outcome);

/* --- sending.c --- */

/* "NAME@2026-11-21T13:00:00Z": the same on every host with the same rules. */
void timer_request_id(const char *name, int64_t scheduled_ns, char *out, size_t size);
/* Hands a command to Kafka, with what is left of its grace as its time. */
void timer_send(struct lc_task_timer *timer, const struct timer_rule *rule, int64_t scheduled_ns);
/* Tries again what Kafka refused, and tells of what waits for longer than it should. Once a second
 * at least. */
void timer_sendings_tend(struct lc_task_timer *timer);
/* The oldest scheduled time of a rule that is still on its way; INT64_MAX: none. */
int64_t timer_sendings_oldest(const struct lc_task_timer *timer, const char *name);
/* Forgets all without an answer; the courier is gone by then, or never calls back. */
void timer_sendings_drop(struct lc_task_timer *timer);

/* --- memory.c --- */

/* Where the rules were when the last run ended. */
void timer_memory_load(struct lc_task_timer *timer, const char *state_dir);
/* Something was decided or sent: the file is written soon. */
void timer_memory_changed(struct lc_task_timer *timer);
/* What a rule's memory depends on. */
void timer_schedule_text(
	const struct timer_rules *rules, const struct timer_rule *rule, char *out, size_t size);

/* The timer role: sends the commands of its rules file on the control topic, each within
 * milliseconds of its time. One a process. Loop thread. It never gives a command up before its
 * grace is over, never sends one after it, and never lets one rule hold another. What was decided
 * is kept in the state directory, so that a restart knows what it missed. */
#pragma once

#include "livecore/kafka.h"
#include "livecore/loop.h"
#include "livecore/market.h"
#include "livecore/messages.h"

struct lc_task_timer;

struct lc_task_timer_options {
	const struct lc_kafka_config *kafka;      /* borrowed until stopped */
	const char *topic;                        /* the control topic; copied */
	const char *rules;                        /* the file's path; copied */
	const char *state_dir;                    /* copied; "": nothing is kept */
	const struct lc_message_context *context; /* borrowed until stopped */
	const struct lc_calendar *calendar;       /* borrowed until stopped or replaced */
};

/* Reads the rules, which blocks for a moment. LC_ERR_INVALID: every mistake is a line in errors. */
enum lc_err lc_task_timer_create(struct lc_loop *loop, const struct lc_task_timer_options *options,
	struct lc_task_timer **out, struct lc_buf *errors);

/* Reads the rules again, from path (NULL: the file as before). On LC_ERR_INVALID the running rules
 * stay, and errors says what is wrong. A rule whose name and schedule are the same goes on;
 * commands that wait for Kafka are sent as they were. */
enum lc_err lc_task_timer_reload(
	struct lc_task_timer *timer, const char *path, struct lc_buf *errors);

/* From now on these days count (a calendar that was read again); the one before is no longer
 * used. */
void lc_task_timer_calendar(struct lc_task_timer *timer, const struct lc_calendar *calendar);

/* Waits for what is on its way to Kafka, for deadline_ms at most. done is called once, later, and
 * the timer is gone then. What Kafka did not take is left for the next start, if still within its
 * grace then. A second call ends the waiting at once; its done replaces the first. */
void lc_task_timer_stop(
	struct lc_task_timer *timer, int64_t deadline_ms, void (*done)(void *arg), void *arg);

struct lc_task_timer_stats {
	size_t rules, enabled;
	size_t waiting; /* commands that Kafka has not acknowledged */
	uint64_t fired, sent, expired, failed;
	uint64_t missed, coalesced, not_trading;
	int64_t next_ns; /* INT64_MAX: never */
	bool kafka_away; /* a command waits for longer than it should */
};
struct lc_task_timer_stats lc_task_timer_stats(const struct lc_task_timer *timer);

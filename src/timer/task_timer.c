#include "livecore/task_timer.h"

#include "timer/role_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The wall clock may be set at any time, and a machine may sleep: it is looked at so often. */
#define LOOK_AGAIN_NS LC_NS_PER_S

static void count_as(struct lc_task_timer *timer, const char *name, const char *label,
	const char *rule, const char *what)
{
	char labels[512], rule_label[256];
	lc_metrics_label(rule_label, sizeof rule_label, "rule", rule);
	snprintf(labels, sizeof labels, "%s,%s=\"%s\"", rule_label, label, what);
	++*lc_metrics_counter(timer->metrics, name, labels,
		strcmp(label, "outcome") == 0
			? "commands of the timer's rules, by what became of them"
			: "scheduled times that were passed over");
}

void timer_count(struct lc_task_timer *timer, const char *rule, const char *outcome)
{
	count_as(timer, "livecore_timer_commands_total", "outcome", rule, outcome);
}

/* --- deciding --- */

static void pass_over(struct lc_task_timer *timer, const char *rule, int64_t scheduled_ns,
	enum timer_decision why)
{
	static const char *const names[] = {[TIMER_MISSED] = "missed",
		[TIMER_COALESCED] = "coalesced",
		[TIMER_NO_TRADING] = "not_trading"};
	uint64_t *counts[] = {[TIMER_MISSED] = &timer->stats.missed,
		[TIMER_COALESCED] = &timer->stats.coalesced,
		[TIMER_NO_TRADING] = &timer->stats.not_trading};
	char id[TIMER_ID_MAX];
	timer_request_id(rule, scheduled_ns, id, sizeof id);
	++*counts[why];
	count_as(timer, "livecore_timer_passed_over_total", "reason", rule, names[why]);
	lc_log(timer->log, why == TIMER_NO_TRADING ? LC_LOG_INFO : LC_LOG_WARN, "timer",
		"passed_over", LC_S("reason", names[why]), LC_S("rule", rule),
		LC_S("request_id", id));
}

static void on_decision(void *arg, size_t index, int64_t scheduled_ns, enum timer_decision decision)
{
	struct lc_task_timer *timer = arg;
	const struct timer_rule *rule = &timer->rules->items[index];
	if (decision == TIMER_FIRE) {
		timer_send(timer, rule, scheduled_ns);
	} else {
		pass_over(timer, rule->name, scheduled_ns, decision);
	}
}

static void run_plan(struct lc_task_timer *timer)
{
	int64_t now_ns = lc_loop_wall_ns(timer->loop);
	if (timer_plan_set_back(&timer->plan, now_ns)) {
		lc_log(timer->log, LC_LOG_WARN, "timer", "clock_set_back",
			LC_S("effect", "the rules begin anew at the present time"));
	}
	bool due = timer->stats.next_ns <= now_ns;
	timer->stats.next_ns = timer_plan_step(&timer->plan, now_ns, on_decision, timer);
	*timer->next_gauge = timer->stats.next_ns == INT64_MAX ? 0
							       : (double)timer->stats.next_ns / 1e9;
	if (due) {
		timer_memory_changed(timer);
	}
}

/* Never early: a wait is rounded up to a millisecond. */
static void arm(struct lc_task_timer *timer)
{
	int64_t wait_ns = timer->stats.next_ns - lc_loop_wall_ns(timer->loop);
	wait_ns = wait_ns < 0 ? 0 : wait_ns > LOOK_AGAIN_NS ? LOOK_AGAIN_NS : wait_ns;
	lc_timer_start(timer->tick, (wait_ns + LC_NS_PER_MS - 1) / LC_NS_PER_MS, 0);
}

/* --- stopping --- */

static void release(struct lc_task_timer *timer)
{
	void (*done)(void *) = timer->done;
	void *arg = timer->done_arg;
	lc_timer_destroy(timer->tick);
	timer_sendings_drop(timer); /* only now: the state's last write says what was on its way */
	timer_plan_finish(&timer->plan);
	timer_rules_destroy(timer->rules);
	free(timer);
	if (done) {
		done(arg);
	}
}

static void on_courier_gone(void *arg)
{
	struct lc_task_timer *timer = arg;
	timer->courier_gone = true;
	lc_timer_start(timer->tick, 0, 0);
}

/* First Kafka's answers, then the courier, then the state's last write. */
static void stop_step(struct lc_task_timer *timer)
{
	int64_t left_ns = timer->stop_at_ns - lc_loop_mono_ns(timer->loop);
	if (timer->courier && timer->stats.waiting > 0 && left_ns > 0) {
		timer_sendings_tend(timer);
		int64_t wait_ns = left_ns < LOOK_AGAIN_NS ? left_ns : LOOK_AGAIN_NS;
		lc_timer_start(timer->tick, wait_ns / LC_NS_PER_MS + 1, 0);
	} else if (timer->courier) {
		struct lc_courier *courier = timer->courier;
		if (timer->stats.waiting > 0) {
			lc_log(timer->log, LC_LOG_WARN, "timer", "unsent",
				LC_U("commands", timer->stats.waiting),
				LC_S("effect",
					"sent at the next start, if still within misfire_grace"));
		}
		timer->courier = NULL;
		timer_memory_changed(timer);
		lc_courier_destroy(courier, on_courier_gone, timer);
	} else if (timer->courier_gone && !timer->memory.writing) {
		release(timer);
	}
}

static void on_tick(void *arg)
{
	struct lc_task_timer *timer = arg;
	if (timer->stopping) {
		stop_step(timer);
		return;
	}
	run_plan(timer);
	timer_sendings_tend(timer);
	arm(timer);
}

/* --- rules --- */

static void say_rules(struct lc_task_timer *timer)
{
	timer->stats.rules = timer->rules->count;
	timer->stats.enabled = 0;
	for (size_t i = 0; i < timer->rules->count; i++) {
		timer->stats.enabled += timer->rules->items[i].enabled;
	}
	*timer->rules_gauge = (double)timer->stats.enabled;
	lc_log(timer->log, LC_LOG_INFO, "timer", "rules", LC_S("file", timer->rules->path),
		LC_U("rules", timer->stats.rules), LC_U("enabled", timer->stats.enabled),
		LC_S("timezone", timer->rules->zone_name),
		LC_S("numbering", timer_rules_numbering(timer->rules)));
}

/* Where a rule with the same schedule was under the rules before. */
static void carry_over(struct timer_plan *plan, const struct timer_plan *before, int64_t now_ns)
{
	for (size_t i = 0; i < plan->count; i++) {
		for (size_t j = 0; j < before->count; j++) {
			const struct timer_rule *a = plan->items[i].rule,
						*b = before->items[j].rule;
			char one[512], other[512];
			timer_schedule_text(plan->rules, a, one, sizeof one);
			timer_schedule_text(before->rules, b, other, sizeof other);
			/* A rule that was off has missed nothing. */
			if (b->enabled && strcmp(a->name, b->name) == 0 &&
				strcmp(one, other) == 0) {
				timer_plan_restore(plan, i, before->items[j].decided_ns, now_ns);
			}
		}
	}
}

enum lc_err lc_task_timer_reload(
	struct lc_task_timer *timer, const char *path, struct lc_buf *errors)
{
	struct timer_rules *rules = NULL;
	struct timer_plan plan;
	int64_t now_ns = lc_loop_wall_ns(timer->loop);
	if (timer->stopping) {
		return LC_ERR_CLOSED;
	}
	enum lc_err rc = timer_rules_load(path ? path : timer->rules->path, &rules, errors);
	if (rc == LC_OK) {
		rc = timer_plan_init(&plan, rules, timer->calendar, now_ns);
	}
	if (rc != LC_OK) {
		++*timer->reload_failures;
		timer_rules_destroy(rules);
		return rc;
	}
	carry_over(&plan, &timer->plan, now_ns);
	timer_plan_finish(&timer->plan);
	timer_rules_destroy(timer->rules);
	timer->rules = rules;
	timer->plan = plan;
	timer->stats.next_ns = 0; /* what the new rules need kept is written */
	say_rules(timer);
	lc_timer_start(timer->tick, 0, 0);
	return LC_OK;
}

/* --- public --- */

static void make_metrics(struct lc_task_timer *timer)
{
	struct lc_metrics *metrics = timer->metrics;
	timer->rules_gauge = lc_metrics_gauge(
		metrics, "livecore_timer_rules", "", "rules of the timer that are enabled");
	timer->waiting_gauge = lc_metrics_gauge(metrics, "livecore_timer_waiting", "",
		"commands of the timer that Kafka has not acknowledged");
	timer->next_gauge = lc_metrics_gauge(metrics, "livecore_timer_next_time_seconds", "",
		"when the next rule fires, since 1970; 0: never");
	timer->kafka_errors = lc_metrics_counter(metrics, "livecore_timer_kafka_errors_total", "",
		"commands of the timer that had to wait for Kafka or were refused by it");
	timer->reload_failures = lc_metrics_counter(metrics, "livecore_timer_reload_failures_total",
		"", "rules files that could not be read, so that the rules before stayed");
	timer->lateness = lc_metrics_histogram(metrics, "livecore_timer_lateness_seconds", "",
		"from a command's scheduled time to its handing over to the producer");
}

static enum lc_err load(struct lc_task_timer *timer, const struct lc_task_timer_options *options,
	struct lc_buf *errors)
{
	enum lc_err rc = timer_rules_load(options->rules, &timer->rules, errors);
	if (rc != LC_OK) {
		return rc;
	}
	return timer_plan_init(
		&timer->plan, timer->rules, timer->calendar, lc_loop_wall_ns(timer->loop));
}

enum lc_err lc_task_timer_create(struct lc_loop *loop, const struct lc_task_timer_options *options,
	struct lc_task_timer **out, struct lc_buf *errors)
{
	struct lc_error err = {0};
	struct lc_task_timer *timer = calloc(1, sizeof *timer);
	if (!timer) {
		return LC_ERR_NOMEM;
	}
	timer->loop = loop;
	timer->log = lc_loop_log(loop);
	timer->metrics = lc_loop_metrics(loop);
	timer->context = options->context;
	timer->calendar = options->calendar;
	lc_list_init(&timer->sendings);
	make_metrics(timer);
	enum lc_err rc = load(timer, options, errors);
	rc = rc ? rc : lc_timer_create(loop, on_tick, timer, &timer->tick);
	if (rc == LC_OK) {
		rc = lc_courier_create(loop, options->kafka, options->topic, &timer->courier, &err);
	}
	if (rc != LC_OK) {
		lc_buf_puts(errors, err.text);
		lc_timer_destroy(timer->tick);
		timer_plan_finish(&timer->plan);
		timer_rules_destroy(timer->rules);
		free(timer);
		return rc;
	}
	timer_memory_load(timer, options->state_dir);
	say_rules(timer);
	lc_timer_start(timer->tick, 0, 0);
	*out = timer;
	return LC_OK;
}

void lc_task_timer_calendar(struct lc_task_timer *timer, const struct lc_calendar *calendar)
{
	timer->calendar = calendar;
	timer->plan.calendar = calendar;
}

void lc_task_timer_stop(
	struct lc_task_timer *timer, int64_t deadline_ms, void (*done)(void *arg), void *arg)
{
	timer->stop_at_ns = timer->stopping
				    ? 0
				    : lc_loop_mono_ns(timer->loop) + deadline_ms * LC_NS_PER_MS;
	timer->stopping = true;
	timer->done = done;
	timer->done_arg = arg;
	lc_timer_start(timer->tick, 0, 0);
}

struct lc_task_timer_stats lc_task_timer_stats(const struct lc_task_timer *timer)
{
	return timer->stats;
}

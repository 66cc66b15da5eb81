/* Commands on their way to Kafka: each until it is acknowledged, refused for good, or its grace is
 * over. */
#include "timer/role_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AWAY_AFTER_NS (2 * LC_NS_PER_S)
#define RETRY_NS LC_NS_PER_S
#define BODY_MAX ((size_t)1024 * 1024)

struct timer_sending {
	struct lc_list node;
	struct lc_task_timer *timer; /* borrowed */
	char name[TIMER_NAME_MAX + 1], id[TIMER_ID_MAX];
	int64_t scheduled_ns;
	int64_t begun_ns, deadline_ns; /* monotonic */
	int64_t retry_ns;              /* monotonic; 0: it is with the courier */
	bool told;                     /* that it waits */
	struct lc_buf body;
};

void timer_request_id(const char *name, int64_t scheduled_ns, char *out, size_t size)
{
	char time[LC_TIME_TEXT_MAX];
	lc_time_format(scheduled_ns, LC_TIME_UTC, NULL, time);
	snprintf(out, size, "%s@%.19sZ", name, time);
}

static void forget(struct timer_sending *sending)
{
	struct lc_task_timer *timer = sending->timer;
	lc_list_remove(&sending->node);
	lc_buf_finish(&sending->body);
	free(sending);
	timer->stats.waiting--;
	*timer->waiting_gauge = (double)timer->stats.waiting;
}

/* The command is settled one way or the other. */
static void settle(struct timer_sending *sending)
{
	struct lc_task_timer *timer = sending->timer;
	bool last = timer->stats.waiting == 1;
	if (last && timer->stats.kafka_away) {
		timer->stats.kafka_away = false;
		lc_log(timer->log, LC_LOG_INFO, "timer", "kafka_back");
	}
	forget(sending);
	timer_memory_changed(timer);
	if (timer->stopping && last) {
		lc_timer_start(timer->tick, 0, 0);
	}
}

static void on_sent(struct timer_sending *sending, int32_t partition, int64_t offset)
{
	struct lc_task_timer *timer = sending->timer;
	int64_t late_ns = lc_loop_wall_ns(timer->loop) - sending->scheduled_ns;
	timer->stats.sent++;
	timer_count(timer, sending->name, "sent");
	lc_log(timer->log, LC_LOG_INFO, "timer", "sent", LC_S("rule", sending->name),
		LC_S("request_id", sending->id), LC_I("partition", partition),
		LC_I("offset", offset), LC_D("late_ms", (double)late_ns / 1e6));
	settle(sending);
}

static void give_up(struct timer_sending *sending, const char *outcome, const char *why)
{
	struct lc_task_timer *timer = sending->timer;
	bool expired = strcmp(outcome, "expired") == 0;
	timer->stats.expired += expired;
	timer->stats.failed += !expired;
	timer_count(timer, sending->name, outcome);
	lc_log(timer->log, LC_LOG_ERROR, "timer", outcome, LC_S("rule", sending->name),
		LC_S("request_id", sending->id), LC_S("error", why));
	settle(sending);
}

/* Kafka said no. A topic that is missing may come; a message that is too large stays so. */
static void refused(struct timer_sending *sending, const struct lc_error *err)
{
	struct lc_task_timer *timer = sending->timer;
	int64_t now_ns = lc_loop_mono_ns(timer->loop);
	++*timer->kafka_errors;
	if (err->code == LC_ERR_TOO_LARGE || err->code == LC_ERR_INVALID) {
		give_up(sending, "failed", err->text);
	} else if (err->code == LC_ERR_TIMEOUT || now_ns + RETRY_NS >= sending->deadline_ns) {
		give_up(sending, "expired", err->text);
	} else {
		sending->retry_ns = now_ns + RETRY_NS;
		lc_log(timer->log, LC_LOG_ERROR, "timer", "refused", LC_S("rule", sending->name),
			LC_S("request_id", sending->id), LC_S("error", err->text));
	}
}

static void on_answer(void *arg, const struct lc_error *err, int32_t partition, int64_t offset)
{
	struct timer_sending *sending = arg;
	if (err->code == LC_OK) {
		on_sent(sending, partition, offset);
	} else {
		refused(sending, err);
	}
}

static void hand_over(struct timer_sending *sending)
{
	static char schema[] = "schema", schema_text[] = "control_command/1";
	struct lc_pair header = {schema, schema_text};
	const struct lc_pairs headers = {&header, 1};
	const struct lc_message message = {.key = sending->id,
		.key_len = strlen(sending->id),
		.value = sending->body.data,
		.value_len = sending->body.len,
		.headers = &headers};
	int64_t now_ns = lc_loop_mono_ns(sending->timer->loop);
	int64_t left_ms = (sending->deadline_ns - now_ns) / LC_NS_PER_MS;
	struct lc_error err;
	sending->retry_ns = 0;
	enum lc_err rc = lc_courier_send(sending->timer->courier, &message,
		left_ms > 0 ? left_ms : 1, on_answer, sending, &err);
	if (rc != LC_OK) {
		refused(sending, &err);
	}
}

void timer_send(struct lc_task_timer *timer, const struct timer_rule *rule, int64_t scheduled_ns)
{
	int64_t wall_ns = lc_loop_wall_ns(timer->loop), mono_ns = lc_loop_mono_ns(timer->loop);
	struct timer_sending *sending = calloc(1, sizeof *sending);
	if (!sending) {
		timer->stats.failed++;
		timer_count(timer, rule->name, "failed");
		lc_log(timer->log, LC_LOG_ERROR, "timer", "failed", LC_S("rule", rule->name),
			LC_S("error", "out of memory"));
		return;
	}
	sending->timer = timer;
	sending->scheduled_ns = scheduled_ns;
	sending->begun_ns = mono_ns;
	sending->deadline_ns = mono_ns + timer->rules->grace_ms * LC_NS_PER_MS -
			       (wall_ns - scheduled_ns);
	snprintf(sending->name, sizeof sending->name, "%s", rule->name);
	timer_request_id(rule->name, scheduled_ns, sending->id, sizeof sending->id);
	lc_buf_init(&sending->body, BODY_MAX);
	lc_control_command_encode(timer->context, rule->command, sending->id, "task_timer",
		rule->fields, wall_ns, &sending->body);
	lc_list_append(&timer->sendings, &sending->node);
	timer->stats.waiting++;
	timer->stats.fired++;
	*timer->waiting_gauge = (double)timer->stats.waiting;
	lc_histogram_observe_ns(timer->lateness, wall_ns - scheduled_ns);
	if (sending->body.failed) {
		give_up(sending, "failed", "the command does not fit into a message");
	} else {
		hand_over(sending);
	}
}

/* Told once for each command, and counted: somebody should look at Kafka. */
static void tell_waiting(struct timer_sending *sending, int64_t now_ns)
{
	struct lc_task_timer *timer = sending->timer;
	if (sending->told || now_ns - sending->begun_ns < AWAY_AFTER_NS) {
		return;
	}
	const char *why = lc_courier_complaint(timer->courier);
	sending->told = true;
	timer->stats.kafka_away = true;
	++*timer->kafka_errors;
	lc_log(timer->log, LC_LOG_ERROR, "timer", "waits_for_kafka", LC_S("rule", sending->name),
		LC_S("request_id", sending->id),
		LC_S("error", why[0] ? why : "Kafka does not acknowledge it"),
		LC_I("left_s", (sending->deadline_ns - now_ns) / LC_NS_PER_S));
}

void timer_sendings_tend(struct lc_task_timer *timer)
{
	int64_t now_ns = lc_loop_mono_ns(timer->loop);
	lc_list_each (node, &timer->sendings) {
		struct timer_sending *sending = container_of(node, struct timer_sending, node);
		tell_waiting(sending, now_ns);
		if (sending->retry_ns && sending->retry_ns <= now_ns) {
			hand_over(sending);
		}
	}
}

int64_t timer_sendings_oldest(const struct lc_task_timer *timer, const char *name)
{
	int64_t oldest_ns = INT64_MAX;
	lc_list_each (node, &timer->sendings) {
		const struct timer_sending *sending = container_of(
			node, struct timer_sending, node);
		if (sending->scheduled_ns < oldest_ns && strcmp(sending->name, name) == 0) {
			oldest_ns = sending->scheduled_ns;
		}
	}
	return oldest_ns;
}

void timer_sendings_drop(struct lc_task_timer *timer)
{
	lc_list_each (node, &timer->sendings) {
		forget(container_of(node, struct timer_sending, node));
	}
}

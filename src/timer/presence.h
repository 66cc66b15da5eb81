/* The timer role as others see it on the system events: it says `started`, `stopping` and `twin`,
 * role "timer", and hears of twins of itself. Loop thread. It never waits for Kafka but, for half a
 * second, at the end. */
#pragma once

#include "livecore/heartbeat.h"
#include "livecore/kafka.h"
#include "livecore/messages.h"

struct timer_presence;

struct timer_presence_options {
	const struct lc_kafka_config *kafka; /* borrowed until stopped, as are all */
	const char *events;                  /* topic */
	const struct lc_message_context *context;
};

enum lc_err timer_presence_create(struct lc_loop *loop,
	const struct timer_presence_options *options, struct timer_presence **out,
	struct lc_error *err);
/* Another live timer has our node.id; it is in the log already. */
void timer_presence_twin(struct timer_presence *presence, const struct lc_heartbeat_twin *twin);
/* Says that the role ends. */
void timer_presence_stopping(struct timer_presence *presence);
/* done is called once, later; of NULL at once. */
void timer_presence_stop(struct timer_presence *presence, void (*done)(void *arg), void *arg);

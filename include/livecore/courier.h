/* A producer that stays connected for a few messages that each have a deadline: the timer's
 * commands. A message is handed to Kafka at once, waits there while Kafka is away, and after its
 * time is over is never sent any more. At most LC_COURIER_MAX at a time. Loop thread; librdkafka's
 * threads only wake it. (lc_publish_once() makes a client for each message: simpler, and too slow
 * for what must leave within milliseconds.) */
#pragma once

#include "livecore/kafka.h"
#include "livecore/loop.h"
#include "livecore/sender.h"

#define LC_COURIER_MAX 10000

struct lc_courier;

/* Connects by itself, and looks the topic up at once, so that the first message does not wait for
 * that. config is borrowed until stopped. topic is copied. An absent Kafka is no error. Errors:
 * LC_ERR_INVALID (err: what librdkafka said of the settings), LC_ERR_NOMEM. */
enum lc_err lc_courier_create(struct lc_loop *loop, const struct lc_kafka_config *config,
	const char *topic, struct lc_courier **out, struct lc_error *err);

/* Everything in message is copied (message->topic is not looked at: it is the courier's). done is
 * called exactly once, never from inside the call: LC_OK with where it went; LC_ERR_TIMEOUT when
 * timeout_ms is over (the text says what is wrong with Kafka), or what Kafka refused it for.
 * Errors: LC_ERR_FULL, LC_ERR_NOMEM. */
enum lc_err lc_courier_send(struct lc_courier *courier, const struct lc_message *message,
	int64_t timeout_ms, lc_publish_cb done, void *arg, struct lc_error *err);

/* Messages that wait for an answer. */
size_t lc_courier_waiting(const struct lc_courier *courier);
/* Why Kafka cannot be reached; "" when nothing is known to be wrong. */
const char *lc_courier_complaint(const struct lc_courier *courier);

/* Gives up what waits without calling its done, and takes the client down. gone (may be NULL) runs
 * when that is done. NULL courier: nothing. */
void lc_courier_destroy(struct lc_courier *courier, void (*gone)(void *arg), void *arg);

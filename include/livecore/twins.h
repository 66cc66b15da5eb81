/* Watches the system events for another live process with our node_id and role: by contract it is
 * known by its other `stream`. Reads from the latest on, by itself and in no group. Loop thread. A
 * Kafka that is absent is waited for. What an earlier life of ours said is no twin: its events are
 * older than our start. */
#pragma once

#include "livecore/kafka.h"
#include "livecore/loop.h"
#include "livecore/messages.h"

#define LC_TWINS_AGAIN_MS 5000 /* a first report is repeated: a twin that just began hears it */
#define LC_TWINS_EVERY_S 60    /* and then at most so often */

struct lc_twins_options {
	const struct lc_kafka_config *kafka; /* borrowed until stopped, as are all here */
	const char *topic;                   /* of the system events */
	const struct lc_message_context *context;
	const char *role; /* "manager", "timer" */
	/* Another process was heard; stream is borrowed for the call. Logged already. */
	void (*seen)(void *arg, const char *stream);
	void *arg;
};

struct lc_twins;

enum lc_err lc_twins_create(struct lc_loop *loop, const struct lc_twins_options *options,
	struct lc_twins **out, struct lc_error *err);
/* done is called once, later; of NULL at once. */
void lc_twins_stop(struct lc_twins *twins, void (*done)(void *arg), void *arg);

/* Is this system event (a JSON text) a sign of a twin that lives at or after since_ns? Writes its
 * stream. Pure; for lc_twins itself and its tests. */
struct lc_json_parser;
bool lc_twins_is_one(struct lc_json_parser *parser, const char *text, size_t len,
	const struct lc_twins_options *options, int64_t since_ns,
	char stream[LC_MESSAGE_ID_MAX + 1]);

/* The control topic as a timer that runs alone hears it: `reload`, and nothing else. Each is
 * answered with a command_result event, role "timer". (Inside `livecore run` the manager hears it
 * for both.) Loop thread. */
#pragma once

#include "livecore/messages.h"
#include "livecore/reader.h"
#include "livecore/sender.h"

struct timer_listen;

struct timer_listen_options {
	const struct lc_kafka_config *kafka;      /* borrowed until stopped */
	const char *control, *events;             /* topics; borrowed until stopped */
	const struct lc_message_context *context; /* borrowed until stopped */
	int64_t max_age_ms;                       /* older commands are answered as expired */
	/* Reads the settings and rules again; what is wrong is in errors. */
	enum lc_err (*reload)(void *arg, struct lc_buf *errors);
	void *arg;
};

enum lc_err timer_listen_create(struct lc_loop *loop, const struct timer_listen_options *options,
	struct timer_listen **out, struct lc_error *err);
/* done is called once, later; an answer on its way is given up. */
void timer_listen_stop(struct timer_listen *listen, void (*done)(void *arg), void *arg);

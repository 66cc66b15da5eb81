#include "timer/presence.h"

#include "livecore/twins.h"
#include "timer/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_MS 500

struct timer_presence {
	struct lc_loop *loop;
	struct timer_presence_options options;
	struct lc_courier *courier;
	struct lc_twins *twins;
	struct lc_timer *last; /* how long the end waits for what is on its way */
	bool stopping;
	int closing;
	void (*done)(void *arg);
	void *done_arg;
};

static void on_said(void *arg, const struct lc_error *err, int32_t partition, int64_t offset)
{
	struct timer_presence *presence = arg;
	(void)partition, (void)offset;
	if (err->code != LC_OK) {
		lc_log(lc_loop_log(presence->loop), LC_LOG_WARN, "timer", "event_not_sent",
			LC_S("error", err->text));
	}
	if (presence->stopping && lc_courier_waiting(presence->courier) == 0) {
		lc_timer_start(presence->last, 0, 0);
	}
}

static void say(struct timer_presence *presence, const char *type, const struct lc_field *data)
{
	timer_event_send(presence->loop, presence->courier, presence->options.context, type, data,
		NULL, on_said, presence);
}

void timer_presence_twin(struct timer_presence *presence, const struct lc_heartbeat_twin *twin)
{
	const struct lc_field data[] = {LC_S("role", "timer"), LC_S("stream", twin->stream),
		LC_S("host", twin->host[0] ? twin->host : NULL), LC_I("pid", twin->pid),
		{.type = LC_FIELD_END}};
	if (presence && !presence->stopping) {
		say(presence, "twin", data);
	}
}

static void on_seen(void *arg, const char *stream)
{
	struct lc_heartbeat_twin twin = {0};
	snprintf(twin.stream, sizeof twin.stream, "%s", stream);
	timer_presence_twin(arg, &twin);
}

static void say_started(struct timer_presence *presence)
{
	const struct lc_field data[] = {LC_S("role", "timer"), LC_S("version", LC_VERSION),
		LC_I("pid", getpid()), {.type = LC_FIELD_END}};
	say(presence, "started", data);
}

void timer_presence_stopping(struct timer_presence *presence)
{
	const struct lc_field data[] = {LC_S("role", "timer"), {.type = LC_FIELD_END}};
	if (presence && !presence->stopping) {
		say(presence, "stopping", data);
		presence->stopping = true;
	}
}

static void on_part_gone(void *arg)
{
	struct timer_presence *presence = arg;
	if (--presence->closing > 0) {
		return;
	}
	void (*done)(void *) = presence->done;
	void *done_arg = presence->done_arg;
	lc_timer_destroy(presence->last);
	free(presence);
	done(done_arg);
}

static void on_last(void *arg)
{
	struct timer_presence *presence = arg;
	struct lc_courier *courier = presence->courier;
	if (presence->done && courier) {
		presence->courier = NULL;
		lc_courier_destroy(courier, on_part_gone, presence);
	}
}

enum lc_err timer_presence_create(struct lc_loop *loop,
	const struct timer_presence_options *options, struct timer_presence **out,
	struct lc_error *err)
{
	struct timer_presence *presence = calloc(1, sizeof *presence);
	if (!presence || lc_timer_create(loop, on_last, presence, &presence->last) != LC_OK) {
		free(presence);
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	presence->loop = loop;
	presence->options = *options;
	const struct lc_twins_options twins = {.kafka = options->kafka,
		.topic = options->events,
		.context = options->context,
		.role = "timer",
		.seen = on_seen,
		.arg = presence};
	enum lc_err rc = lc_courier_create(
		loop, options->kafka, options->events, &presence->courier, err);
	rc = rc ? rc : lc_twins_create(loop, &twins, &presence->twins, err);
	if (rc != LC_OK) {
		lc_courier_destroy(presence->courier, NULL, NULL);
		lc_timer_destroy(presence->last);
		free(presence);
		return rc;
	}
	say_started(presence);
	*out = presence;
	return LC_OK;
}

void timer_presence_stop(struct timer_presence *presence, void (*done)(void *arg), void *arg)
{
	if (!presence) {
		done(arg);
		return;
	}
	timer_presence_stopping(presence);
	presence->done = done;
	presence->done_arg = arg;
	presence->closing = 2;
	lc_twins_stop(presence->twins, on_part_gone, presence);
	bool waits = lc_courier_waiting(presence->courier) > 0;
	lc_timer_start(presence->last, waits ? LAST_MS : 0, 0);
}

/* When a heartbeat is due, what it says, and what another's says. Pure: any one thread, no I/O,
 * times are passed in. */
#pragma once

#include "livecore/heartbeat.h"
#include "livecore/json.h"

#define BEAT_MAX ((size_t)16 * 1024) /* bytes; a larger one in the key is not ours */

struct beat {
	const char *type; /* borrowed, as the context */
	const struct lc_message_context *context;
	char host[256];
	int64_t pid;
	bool began;   /* a beat was due once */
	bool written; /* Redis has one of ours: what we find there was written since */
	enum lc_heartbeat_state last;
	int64_t due_ns, twin_ns; /* monotonic; the next beat, and no report of a twin before */
};

/* Is a beat due? Every LC_HEARTBEAT_EVERY_S, and when the state changed. True counts as done. */
bool beat_due(struct beat *beat, enum lc_heartbeat_state state, int64_t now_ns);
/* It could not be written: the next look makes it due again. */
void beat_failed(struct beat *beat);

/* Appends the message. members: the counters, without braces, "" for none. */
void beat_write(const struct beat *beat, enum lc_heartbeat_state state, int64_t wall_ns,
	const char *members, struct lc_buf *out);

/* Who wrote what the key held, when that is not us. A beat that was there before our first is what
 * an earlier life of this node left behind; one that says STOPPED is no twin either. */
bool beat_is_twin(
	const struct beat *beat, const struct lc_value *found, struct lc_heartbeat_twin *out);
/* May it be reported? Once a minute. True counts as done. */
bool beat_may_report(struct beat *beat, int64_t now_ns);

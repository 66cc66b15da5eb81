/* A system event of the timer role, by a courier of its own: the role has no log, so an event waits
 * half a minute for Kafka and is then given up. Loop thread. */
#pragma once

#include "livecore/courier.h"
#include "livecore/messages.h"

/* data: as lc_system_event_encode(). traceparent: of the command that it answers; "" or NULL: none.
 * done is called once, also from inside the call when the event cannot be taken; an event without
 * memory for it is said by nobody. */
void timer_event_send(struct lc_loop *loop, struct lc_courier *courier,
	const struct lc_message_context *context, const char *type, const struct lc_field *data,
	const char *traceparent, lc_publish_cb done, void *arg);

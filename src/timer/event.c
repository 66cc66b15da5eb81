#include "timer/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 30000
#define EVENT_MAX ((size_t)256 * 1024)

void timer_event_send(struct lc_loop *loop, struct lc_courier *courier,
	const struct lc_message_context *context, const char *type, const struct lc_field *data,
	const char *traceparent, lc_publish_cb done, void *arg)
{
	static char schema[] = "schema", schema_text[] = "system_event/1", trace[] = "traceparent";
	struct lc_pair pairs[] = {{schema, schema_text}, {trace, (char *)(uintptr_t)traceparent}};
	const struct lc_pairs headers = {pairs, traceparent && traceparent[0] ? 2 : 1};
	char id[40];
	struct lc_error err;
	struct lc_buf body;
	snprintf(id, sizeof id, "%016" PRIx64, lc_loop_random(loop));
	lc_buf_init(&body, EVENT_MAX);
	lc_system_event_encode(context, type, id, lc_loop_wall_ns(loop), data, &body);
	const struct lc_message message = {.key = context->node_id,
		.key_len = strlen(context->node_id),
		.value = body.data,
		.value_len = body.len,
		.headers = &headers};
	if (!body.failed && lc_courier_send(courier, &message, WAIT_MS, done, arg, &err) != LC_OK) {
		done(arg, &err, -1, -1);
	}
	lc_buf_finish(&body);
}

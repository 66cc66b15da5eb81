#include "store/beat.h"

#include "livecore/zone.h"

#include <inttypes.h>
#include <string.h>

#define REPORT_NS (INT64_C(60) * 1000000000)
#define EVERY_NS (INT64_C(1000000000) * LC_HEARTBEAT_EVERY_S)

static const char *state_name(enum lc_heartbeat_state state)
{
	static const char *const names[] = {"STOPPED", "STARTING", "RUNNING", "STOPPING", "ERROR"};
	return names[state];
}

bool beat_due(struct beat *beat, enum lc_heartbeat_state state, int64_t now_ns)
{
	if (beat->began && state == beat->last && now_ns < beat->due_ns) {
		return false;
	}
	/* Not due_ns + EVERY_NS: after a pause one beat is due, not those that were missed. */
	beat->due_ns = now_ns + EVERY_NS;
	beat->last = state;
	beat->began = true;
	return true;
}

void beat_failed(struct beat *beat)
{
	beat->due_ns = INT64_MIN;
}

static void put(struct lc_buf *out, const char *key, const char *text)
{
	lc_buf_printf(out, ",\"%s\":", key);
	lc_buf_json_string(out, text, strlen(text));
}

void beat_write(const struct beat *beat, enum lc_heartbeat_state state, int64_t wall_ns,
	const char *members, struct lc_buf *out)
{
	char time[LC_TIME_TEXT_MAX];
	const struct lc_message_context *context = beat->context;
	size_t len = lc_time_format(wall_ns, context->time_format, context->naive_zone, time);
	lc_buf_printf(out, "{\"timestamp\":\"%.*s\"", (int)len, time);
	put(out, "component_type", beat->type);
	put(out, "component_id", context->node_id);
	put(out, "host", beat->host);
	lc_buf_printf(out, ",\"pid\":%" PRId64, beat->pid);
	put(out, "stream", context->stream);
	lc_buf_printf(out, ",\"status\":{\"code\":%d,\"name\":\"%s\"},\"stats\":{%s}%s%s}",
		(int)state, state_name(state), members, members[0] ? "," : "", members);
}

static void copy(const struct lc_value *object, const char *key, char *out, size_t size)
{
	const struct lc_value *value = lc_value_find(object, key);
	if (!value || lc_value_copy(value, out, size) != LC_OK) {
		out[0] = '\0';
	}
}

bool beat_is_twin(
	const struct beat *beat, const struct lc_value *found, struct lc_heartbeat_twin *out)
{
	*out = (struct lc_heartbeat_twin){.pid = 0};
	copy(found, "stream", out->stream, sizeof out->stream);
	copy(found, "host", out->host, sizeof out->host);
	const struct lc_value *pid = lc_value_find(found, "pid");
	const struct lc_value *status = lc_value_find(found, "status");
	const struct lc_value *code = status ? lc_value_find(status, "code") : NULL;
	int64_t state = LC_HEARTBEAT_RUNNING;
	if (pid) {
		(void)lc_value_int(pid, &out->pid); /* stays 0 */
	}
	if (code) {
		(void)lc_value_int(code, &state); /* who says nothing that we can read is alive */
	}
	return beat->written && state != LC_HEARTBEAT_IS_STOPPED &&
	       strcmp(out->stream, beat->context->stream) != 0;
}

bool beat_may_report(struct beat *beat, int64_t now_ns)
{
	if (beat->twin_ns != 0 && now_ns < beat->twin_ns) {
		return false;
	}
	beat->twin_ns = now_ns + REPORT_NS;
	return true;
}

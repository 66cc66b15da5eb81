#include "livecore/messages.h"

#include <assert.h>
#include <string.h>

static void put_text(struct lc_buf *out, const char *text)
{
	if (text == NULL) {
		lc_buf_puts(out, "null");
	} else {
		lc_buf_json_string(out, text, strlen(text));
	}
}

static void put_key(struct lc_buf *out, const char *key)
{
	lc_buf_putc(out, ',');
	put_text(out, key);
	lc_buf_putc(out, ':');
}

/* These messages belong to no market, so an offset time is in the zone of the naive ones. */
static void put_time(struct lc_buf *out, const struct lc_message_context *context, int64_t ns)
{
	char text[LC_TIME_TEXT_MAX];
	size_t len = lc_time_format(ns, context->time_format, context->naive_zone, text);
	put_key(out, "timestamp");
	lc_buf_putc(out, '"');
	lc_buf_append(out, text, len);
	lc_buf_putc(out, '"');
}

/* JSON has no NaN and no infinity: they become null. */
static void put_double(struct lc_buf *out, double value)
{
	struct lc_decimal decimal;
	if (lc_decimal_from_double(value, &decimal) != LC_OK) {
		lc_buf_puts(out, "null");
	} else {
		lc_buf_decimal(out, decimal);
	}
}

static void put_value(struct lc_buf *out, const struct lc_field *field)
{
	switch (field->type) {
	case LC_FIELD_STR:
		put_text(out, field->v.str);
		break;
	case LC_FIELD_INT:
		lc_buf_int(out, field->v.i);
		break;
	case LC_FIELD_UINT:
		lc_buf_uint(out, field->v.u);
		break;
	case LC_FIELD_DOUBLE:
		put_double(out, field->v.d);
		break;
	case LC_FIELD_BOOL:
		lc_buf_puts(out, field->v.b ? "true" : "false");
		break;
	case LC_FIELD_JSON:
		/* A buffer that failed has no text. */
		lc_buf_puts(out,
			field->v.str != NULL && field->v.str[0] != '\0' ? field->v.str : "null");
		break;
	case LC_FIELD_END:
		break;
	}
}

static void put_object(struct lc_buf *out, const char *key, const struct lc_field *fields)
{
	put_key(out, key);
	lc_buf_putc(out, '{');
	for (const struct lc_field *field = fields; field->type != LC_FIELD_END; field++) {
		if (field != fields) {
			lc_buf_putc(out, ',');
		}
		put_text(out, field->key);
		lc_buf_putc(out, ':');
		put_value(out, field);
	}
	lc_buf_putc(out, '}');
}

void lc_system_event_encode(const struct lc_message_context *context, const char *type,
	const char *id, int64_t now_ns, const struct lc_field *data, struct lc_buf *out)
{
	lc_buf_puts(out, "{\"type\":");
	put_text(out, type);
	put_time(out, context, now_ns);
	put_key(out, "node_id");
	put_text(out, context->node_id);
	put_key(out, "stream");
	put_text(out, context->stream);
	put_key(out, "id");
	put_text(out, id);
	put_object(out, "data", data);
	lc_buf_putc(out, '}');
}

void lc_notification_encode(const struct lc_message_context *context, const char *type,
	enum lc_severity severity, int64_t now_ns, const struct lc_field *data, struct lc_buf *out)
{
	static const char *const names[] = {
		[LC_SEVERITY_INFO] = "INFO",
		[LC_SEVERITY_WARNING] = "WARNING",
		[LC_SEVERITY_ERROR] = "ERROR",
	};
	assert(severity <= LC_SEVERITY_ERROR);
	lc_buf_puts(out, "{\"type\":");
	put_text(out, type);
	put_time(out, context, now_ns);
	put_key(out, "source");
	put_text(out, context->node_id);
	put_key(out, "severity");
	put_text(out, names[severity]);
	put_object(out, "data", data);
	lc_buf_putc(out, '}');
}

void lc_interest_update_encode(const struct lc_message_context *context, const char *portfolio_id,
	enum lc_interest_type type, const char *const *symbols, size_t count, int64_t now_ns,
	struct lc_buf *out)
{
	static const char *const names[] = {
		[LC_INTEREST_REPLACE] = "replace",
		[LC_INTEREST_ADD] = "add",
		[LC_INTEREST_REMOVE] = "remove",
	};
	assert(type <= LC_INTEREST_REMOVE);
	lc_buf_puts(out, "{\"portfolio_id\":");
	put_text(out, portfolio_id);
	put_key(out, "node_id");
	put_text(out, context->node_id);
	put_key(out, "symbols");
	lc_buf_putc(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0) {
			lc_buf_putc(out, ',');
		}
		put_text(out, symbols[i]);
	}
	lc_buf_putc(out, ']');
	put_time(out, context, now_ns);
	put_key(out, "update_type");
	put_text(out, names[type]);
	lc_buf_putc(out, '}');
}

void lc_control_command_encode(const struct lc_message_context *context, const char *command,
	const char *request_id, const char *source, const struct lc_field *params, int64_t now_ns,
	struct lc_buf *out)
{
	lc_buf_puts(out, "{\"command\":");
	put_text(out, command);
	put_time(out, context, now_ns);
	put_object(out, "params", params);
	if (request_id != NULL) {
		put_key(out, "request_id");
		put_text(out, request_id);
	}
	put_key(out, "source");
	put_text(out, source);
	lc_buf_putc(out, '}');
}

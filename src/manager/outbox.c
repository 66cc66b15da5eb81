#include "manager/outbox.h"

#include <stdio.h>
#include <string.h>

#define ALERT_FIELDS_MAX 16
/* Prices wait when no more than this is left: they have a queue, halts' and commands' answers have
 * none. */
#define EVENTS_ROOM (128 * 1024)

static const uint8_t market_topics[LC_MARKETS] = {
	[LC_MARKET_CN] = LC_TOPIC_MARKET_CN,
	[LC_MARKET_HK] = LC_TOPIC_MARKET_HK,
	[LC_MARKET_US] = LC_TOPIC_MARKET_US,
};

/* Puts the message in scratch into the journal. */
static void append_scratch(
	struct lc_outbox *outbox, const char *what, enum lc_topic topic, enum lc_schema schema)
{
	const struct lc_record record = {
		.timestamp_ns = lc_loop_wall_ns(outbox->loop),
		.key = outbox->context.node_id,
		.key_len = (uint32_t)strlen(outbox->context.node_id),
		.value = outbox->scratch.data,
		.value_len = (uint32_t)outbox->scratch.len,
		.traceparent = outbox->trace,
		.topic = (uint8_t)topic,
		.schema = (uint8_t)schema,
	};
	enum lc_err rc = outbox->scratch.failed ? LC_ERR_TOO_LARGE
						: lc_journal_append(outbox->journal, &record);
	if (rc == LC_OK) {
		++*outbox->events_appended;
		lc_outbox_wake(outbox);
		return;
	}
	++*outbox->events_dropped;
	lc_log(lc_loop_log(outbox->loop), LC_LOG_ERROR, "outbox", "event_dropped",
		LC_S("type", what), LC_S("reason", lc_err_text(rc)));
}

void lc_outbox_init(struct lc_outbox *outbox, struct lc_loop *loop, struct lc_journal *journal,
	const struct lc_message_context *context, bool per_market)
{
	struct lc_metrics *metrics = lc_loop_metrics(loop);
	*outbox = (struct lc_outbox){
		.loop = loop,
		.journal = journal,
		.context = *context,
		.per_market = per_market,
		.prices = lc_metrics_counter(
			metrics, "livecore_published_total", "", "PriceUpdates accepted for Kafka"),
		.events_appended = lc_metrics_counter(metrics, "livecore_events_total", "",
			"system events and notifications accepted for Kafka"),
		.events_dropped = lc_metrics_counter(metrics, "livecore_events_dropped_total", "",
			"system events and notifications that did not fit into the buffer"),
	};
	lc_buf_init(&outbox->scratch, LC_RECORD_MAX);
}

void lc_outbox_finish(struct lc_outbox *outbox)
{
	lc_buf_finish(&outbox->scratch);
}

void lc_outbox_trace(struct lc_outbox *outbox, const char *traceparent)
{
	outbox->trace = traceparent && traceparent[0] ? traceparent : NULL;
}

bool lc_outbox_has_room(const struct lc_outbox *outbox)
{
	return lc_journal_has_room(outbox->journal, LC_PRICE_UPDATE_MAX + EVENTS_ROOM);
}

enum lc_err lc_outbox_price(
	struct lc_outbox *outbox, const struct lc_tick *tick, const struct lc_price_context *extra)
{
	struct lc_tick marked;
	if (!lc_journal_protected(outbox->journal)) {
		marked = *tick;
		marked.flags |= LC_FLAG_UNPROTECTED;
		tick = &marked;
	}
	bool live = !extra->bar && !(tick->flags & (LC_FLAG_REFRESH | LC_FLAG_BACKFILLED));
	const struct lc_record head = {
		.timestamp_ns = tick->received_ns,
		.received_mono_ns = tick->received_mono_ns,
		.event_ns = tick->event_ns,
		.source = live ? extra->source : NULL,
		.key = extra->symbol->text,
		.key_len = extra->symbol->len,
		.traceparent = outbox->trace,
		.topic = outbox->per_market ? market_topics[extra->symbol->market]
					    : LC_TOPIC_MARKET,
		.schema = LC_SCHEMA_PRICE_UPDATE,
	};
	char *value;
	enum lc_err rc = lc_journal_reserve(outbox->journal, &head, LC_PRICE_UPDATE_MAX, &value);
	if (rc != LC_OK) {
		return rc;
	}
	size_t len = 0;
	rc = lc_price_update_encode(&outbox->context, tick, extra, value, &len);
	lc_journal_commit(outbox->journal, rc == LC_OK ? len : 0);
	*outbox->prices += rc == LC_OK;
	return rc;
}

enum lc_err lc_outbox_bar(
	struct lc_outbox *outbox, const struct lc_bar *bar, const struct lc_symbol *symbol)
{
	const struct lc_record head = {
		.timestamp_ns = lc_loop_wall_ns(outbox->loop),
		.key = symbol->text,
		.key_len = symbol->len,
		.traceparent = outbox->trace,
		.topic = LC_TOPIC_BARS,
		.schema = LC_SCHEMA_BAR,
	};
	char *value;
	enum lc_err rc = lc_journal_reserve(outbox->journal, &head, LC_BAR_MAX, &value);
	if (rc == LC_OK) {
		lc_journal_commit(outbox->journal,
			lc_bar_encode(&outbox->context, bar, symbol, "live", value));
	}
	return rc;
}

void lc_outbox_wake(struct lc_outbox *outbox)
{
	if (outbox->sender) {
		lc_sender_wake(outbox->sender);
	}
}

void lc_outbox_event(struct lc_outbox *outbox, const char *type, const struct lc_field *data)
{
	char id[2 * LC_MESSAGE_ID_MAX];
	snprintf(id, sizeof id, "%s-%llu", outbox->context.stream,
		(unsigned long long)++outbox->events);
	lc_buf_clear(&outbox->scratch);
	lc_system_event_encode(
		&outbox->context, type, id, lc_loop_wall_ns(outbox->loop), data, &outbox->scratch);
	append_scratch(outbox, type, LC_TOPIC_EVENTS, LC_SCHEMA_SYSTEM_EVENT);
}

void lc_outbox_alert(struct lc_outbox *outbox, const char *alert_type, enum lc_severity severity,
	const struct lc_field *data)
{
	struct lc_field fields[ALERT_FIELDS_MAX + 2] = {LC_S("alert_type", alert_type)};
	size_t n = 1;
	for (; data->type != LC_FIELD_END && n <= ALERT_FIELDS_MAX; data++) {
		fields[n++] = *data;
	}
	fields[n].type = LC_FIELD_END;
	lc_buf_clear(&outbox->scratch);
	lc_notification_encode(&outbox->context, "data_collection_alert", severity,
		lc_loop_wall_ns(outbox->loop), fields, &outbox->scratch);
	append_scratch(outbox, alert_type, LC_TOPIC_NOTIFICATIONS, LC_SCHEMA_NOTIFICATION);
}

/* Everything the manager publishes goes through here: it encodes a message straight into the
 * journal and wakes the sender. Loop thread. What does not fit is counted and said, never waited
 * for. */
#pragma once

#include "livecore/journal.h"
#include "livecore/messages.h"
#include "livecore/sender.h"

struct lc_outbox {
	struct lc_loop *loop; /* borrowed, as all pointers here */
	struct lc_journal *journal;
	struct lc_sender *sender; /* NULL until it runs, and again once it is stopped */
	struct lc_message_context context;
	bool per_market;       /* market data goes to the topic of its market */
	struct lc_buf scratch; /* events are built here */
	uint64_t events;       /* numbers the events of this stream */
	const char *trace;     /* of the command under way: lc_outbox_trace() */
	uint64_t *prices;      /* counter: PriceUpdates appended */
	uint64_t *events_appended, *events_dropped; /* counters */
};

/* context's strings and zones stay borrowed. */
void lc_outbox_init(struct lc_outbox *outbox, struct lc_loop *loop, struct lc_journal *journal,
	const struct lc_message_context *context, bool per_market);
void lc_outbox_finish(struct lc_outbox *outbox);

/* What is appended from now on follows from the command with this traceparent: its records carry it
 * as a header. Borrowed until the next call. "" or NULL: from none, or from one without a trace. */
void lc_outbox_trace(struct lc_outbox *outbox, const char *traceparent);

/* Is there room for one more PriceUpdate, and for events behind it? Ask before taking a tick from
 * its queue. */
bool lc_outbox_has_room(const struct lc_outbox *outbox);

/* Appends a trade, quote or snapshot as a PriceUpdate. The hot path: no allocation, no copy.
 * LC_ERR_FULL, or what lc_price_update_encode() says. The caller wakes the sender once for a batch
 * (lc_outbox_wake). */
enum lc_err lc_outbox_price(
	struct lc_outbox *outbox, const struct lc_tick *tick, const struct lc_price_context *extra);
void lc_outbox_wake(struct lc_outbox *outbox);

/* Appends a bar. LC_ERR_FULL, LC_ERR_NOMEM. The caller wakes the sender. */
enum lc_err lc_outbox_bar(
	struct lc_outbox *outbox, const struct lc_bar *bar, const struct lc_symbol *symbol);

/* Appends a SystemEvent; data ends with LC_FIELD_END. One that does not fit is counted and
 * logged. */
void lc_outbox_event(struct lc_outbox *outbox, const char *type, const struct lc_field *data);

/* Appends a data_collection_alert; alert_type is the contract's ("feed_down", "auth_failed",
 * "resolved" …). */
void lc_outbox_alert(struct lc_outbox *outbox, const char *alert_type, enum lc_severity severity,
	const struct lc_field *data);

/* lc_event(outbox, "feeder_state", LC_S("feeder", name), …) and the same for alerts. */
#define lc_event(outbox, what, ...)       \
	lc_outbox_event((outbox), (what), \
		(const struct lc_field[]){__VA_ARGS__ __VA_OPT__(, ){.type = LC_FIELD_END}})
#define lc_alert(outbox, what, severity, ...)         \
	lc_outbox_alert((outbox), (what), (severity), \
		(const struct lc_field[]){__VA_ARGS__ __VA_OPT__(, ){.type = LC_FIELD_END}})

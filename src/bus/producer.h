/* One librdkafka producer in the sender's terms: records in, reports out. It lives from creation to
 * a fatal error or the end, and is never repaired. Loop thread. */
#pragma once

#include "bus_priv.h"

#include "livecore/journal.h"

struct producer;

enum producer_event_kind {
	PRODUCER_ACKED,
	PRODUCER_REFUSED,   /* for good: Kafka will never take this record */
	PRODUCER_TOO_LARGE, /* its batch was too large; refused for good when it was alone in it */
	PRODUCER_RETURNED,  /* not delivered for another reason: purged, or the producer died */
	PRODUCER_FATAL,     /* the producer is dead: nothing can be sent by it */
	PRODUCER_DOWN,      /* no broker can be reached */
	PRODUCER_PROBE,     /* the answer to producer_probe(): err is LC_OK when Kafka answered */
};

struct producer_event {
	enum producer_event_kind kind;
	/* of the first four; its pointers are valid until the next producer_poll() */
	struct lc_record record;
	int64_t latency_ns; /* from produce to report */
	enum lc_err err;
	const char *why;
};

enum lc_err producer_create(struct lc_loop *loop, const struct lc_kafka_config *config,
	const struct lc_topics_config *topics, int64_t batch_bytes, void (*on_ready)(void *arg),
	void *arg, struct producer **out, struct lc_error *err);

/* Hands a record over, without a copy: key and value stay where they are until its report, or until
 * the producer is gone. LC_ERR_AGAIN: librdkafka's queue is full, try after the next report.
 * LC_ERR_CLOSED: the producer is dead, PRODUCER_FATAL follows. Anything else: refused for good,
 * *why says so. */
enum lc_err producer_send(
	struct producer *producer, const struct lc_record *record, const char **why);

/* The next event; false when there is none now. */
bool producer_poll(struct producer *producer, struct producer_event *out);

/* Asks Kafka for its brokers, in the pool; the answer is a PRODUCER_PROBE event. One at a time:
 * true when one was begun. */
bool producer_probe(struct producer *producer, int64_t timeout_ms);

/* Gives back what is not delivered, as PRODUCER_RETURNED. */
void producer_purge(struct producer *producer);
/* Messages that are not reported yet. */
size_t producer_outstanding(const struct producer *producer);
void producer_kill(struct producer *producer); /* for tests: a fatal error */

/* done runs on the loop when no thread of librdkafka's is left, and nothing points at the records
 * any more. */
void producer_destroy(struct producer *producer, void (*done)(void *arg), void *arg);

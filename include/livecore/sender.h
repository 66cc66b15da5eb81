/* From the journal to Kafka: reads records in order, produces each once in a producer's life
 * (idempotent, acks=all, no time limit), and reports it to the journal when Kafka has it. At most
 * kafka.in_flight bytes are on their way. Loop thread; librdkafka's threads only wake it. It never
 * drops a record by itself and never blocks on one that Kafka refuses for good: that one is
 * reported, counted and handed to refused(). When a producer dies (a fatal error), a new one is
 * made and the journal is rewound: what may have been sent is sent again, marked `replayed`, in the
 * same order. */
#pragma once

#include "livecore/journal.h"
#include "livecore/kafka.h"
#include "livecore/loop.h"

struct lc_sender;

/* All may be NULL. Called on the loop, never from inside a call of this header. */
struct lc_sender_handlers {
	/* Kafka will never take this record (too large, not authorised, no such topic). It is
	 * reported already; record is valid for the call. why: librdkafka's text. */
	void (*refused)(
		void *arg, const struct lc_record *record, enum lc_err err, const char *why);
	/* A new producer replaces one that died. resets counts them. */
	void (*producer_reset)(void *arg, const char *why, uint64_t resets);
	/* Kafka became reachable or unreachable (first call: whichever is known first). why is ""
	 * when reachable. */
	void (*reachable)(void *arg, bool reachable, const char *why);
	/* Records were reported: the journal may have room again. At most once a turn. */
	void (*progress)(void *arg);
};

/* Everything is borrowed until stopped, but handlers, which is copied. Connects by itself; a Kafka
 * that is absent is no error. Errors: LC_ERR_INVALID (with err: what librdkafka said about the
 * settings), LC_ERR_NOMEM. */
enum lc_err lc_sender_create(struct lc_loop *loop, struct lc_journal *journal,
	const struct lc_kafka_config *config, const struct lc_topics_config *topics,
	const struct lc_sender_handlers *handlers, void *arg, struct lc_sender **out,
	struct lc_error *err);

/* Records were appended. Cheap: call it after each append or each batch of them. */
void lc_sender_wake(struct lc_sender *sender);

/* Sends what the journal holds until all of it is acknowledged or refused, or deadline_ms from now
 * is over (0: at once). Then the producer is taken down and done is called, once, with the number
 * of records that are not known to be on Kafka; the sender is gone when it returns, and nothing
 * points into the journal any more. A second call with a shorter deadline shortens the wait; its
 * done replaces the first. */
void lc_sender_stop(struct lc_sender *sender, int64_t deadline_ms,
	void (*done)(void *arg, uint64_t unacknowledged), void *arg);

struct lc_sender_stats {
	uint64_t produced;     /* handed to librdkafka, repeats included */
	uint64_t acknowledged; /* reported as on Kafka */
	uint64_t refused;      /* refused for good */
	uint64_t replayed;     /* handed over again after a reset */
	uint64_t resets;       /* producers replaced */
	size_t in_flight_messages, in_flight_bytes;
	uint64_t queued; /* records in the journal that wait to be handed over */
	bool reachable;
};
struct lc_sender_stats lc_sender_stats(const struct lc_sender *sender);

/* For tests: makes the producer fail for good, as librdkafka's own bugs and brokers' errors can. */
void lc_sender_inject_fatal(struct lc_sender *sender);

/* One message by a producer of its own, for tools and the timer. key and value are copied; NULL
 * key: none. done is called exactly once, never from inside the call, with LC_OK, LC_ERR_TIMEOUT
 * after timeout_ms, or what Kafka said; cancelling calls it no more. */
struct lc_publish;
struct lc_message {
	const char *topic;
	const char *key;
	const void *value;
	size_t key_len, value_len;
	int64_t timestamp_ms;           /* 0: now */
	const struct lc_pairs *headers; /* may be NULL */
};
typedef void (*lc_publish_cb)(
	void *arg, const struct lc_error *err, int32_t partition, int64_t offset);
enum lc_err lc_publish_once(struct lc_loop *loop, const struct lc_kafka_config *config,
	const struct lc_message *message, int64_t timeout_ms, lc_publish_cb done, void *arg,
	struct lc_publish **out, struct lc_error *err);
void lc_publish_cancel(struct lc_publish *publish);

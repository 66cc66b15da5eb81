/* Reads one topic as a whole: assigns itself every partition, finds new ones, and joins no group,
 * so that every reader hears every message. Loop thread; librdkafka's threads only wake it. A topic
 * that is missing, and a Kafka that is absent, are waited for. It never commits by itself: what is
 * committed is what lc_reader_commit() said, for lag monitors and for who wants it back. */
#pragma once

#include "livecore/kafka.h"
#include "livecore/loop.h"

struct lc_reader;

struct lc_reader_message {
	const char *topic;
	const char *key; /* NULL when the record has none */
	const char *value;
	size_t key_len, value_len; /* value_len 0 with value NULL: a tombstone */
	int64_t offset;
	int64_t timestamp_ms; /* of the Kafka record; -1 when it has none */
	int32_t partition;
	/* The header of this name, as it came; NULL: none, or options.traces is not set. */
	const char *traceparent;
	size_t traceparent_len;
};

/* A record's time as nanoseconds; now_ns when it has none, or one that does not fit: a producer may
 * write any 64 bits there. */
static inline int64_t lc_reader_time_ns(const struct lc_reader_message *message, int64_t now_ns)
{
	bool fits = message->timestamp_ms >= 0 && message->timestamp_ms <= INT64_MAX / LC_NS_PER_MS;
	return fits ? message->timestamp_ms * LC_NS_PER_MS : now_ns;
}

enum lc_reader_start {
	LC_START_EARLIEST,
	LC_START_COMMITTED_OR_LATEST, /* what the group committed, else as LC_START_LATEST */
	/* the end as seen when Kafka is first reached; partitions found later: the earliest */
	LC_START_LATEST,
};

/* The next offset to read of one partition. */
struct lc_reader_position {
	int32_t partition;
	int64_t offset;
};

struct lc_reader_options {
	const char *topic;
	const char *group; /* group.id under which offsets are committed; NULL: never commits */
	enum lc_reader_start start; /* for partitions that positions does not name */
	const struct lc_reader_position *positions; /* copied; may be NULL */
	size_t position_count;
	int budget; /* messages a turn; 0: 200 */
	/* Look for a traceparent in each record's headers. librdkafka makes a list of them first, of
	 * at most 100,000 (18 ms); in a record with more none is found. */
	bool traces;
};

/* On the loop, never from inside a call of this header; message() may call pause, commit and
 * stop. */
struct lc_reader_handlers {
	void (*message)(void *arg, const struct lc_reader_message *message);
	/* Once: every partition has been read to the end that it had at the start. May be NULL. */
	void (*caught_up)(void *arg);
	/* The topic's partitions are known, or there are more than before. May be NULL. */
	void (*partitions)(void *arg, int32_t count);
	/* Reading works or does not (Kafka absent, topic missing, not authorised); said on change,
	 * why is "" when it works. May be NULL. */
	void (*state)(void *arg, bool reading, const struct lc_error *why);
};

/* Copies options and handlers; config is borrowed until stopped. LC_ERR_INVALID with err,
 * LC_ERR_NOMEM. */
enum lc_err lc_reader_create(struct lc_loop *loop, const struct lc_kafka_config *config,
	const struct lc_reader_options *options, const struct lc_reader_handlers *handlers,
	void *arg, struct lc_reader **out, struct lc_error *err);

/* No message() until resumed; librdkafka fills a small buffer and then stops fetching. */
void lc_reader_pause(struct lc_reader *reader);
void lc_reader_resume(struct lc_reader *reader);

/* The work of every message before `offset` (last read + 1) is done. Sent at most once a second for
 * all partitions together; a failed commit is sent again with the next. */
void lc_reader_commit(struct lc_reader *reader, int32_t partition, int64_t offset);

/* Commits what is left (for at most a second), then frees everything; done (may be NULL) is called
 * once. No other callback comes after this call. */
void lc_reader_stop(struct lc_reader *reader, void (*done)(void *arg), void *arg);

struct lc_reader_stats {
	uint64_t messages, bytes, errors;
	uint64_t commits, commit_failures;
	int32_t partitions;
	bool reading, caught_up, paused;
};
struct lc_reader_stats lc_reader_stats(const struct lc_reader *reader);

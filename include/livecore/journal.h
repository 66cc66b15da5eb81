/* The log between encoder and Kafka: records are appended at its end, one sender reads them in
 * order through a cursor, and each is reported when Kafka has it (or refused it for good). A record
 * is *accepted* when lc_journal_commit() returned. Here it lives in memory: segments of
 * LC_JOURNAL_SEGMENT bytes, made on demand up to the capacity and given back when all their records
 * are reported, so memory follows what is outstanding. Loop thread. */
#pragma once

#include "livecore/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LC_JOURNAL_SEGMENT (1024 * 1024)
#define LC_RECORD_MAX (900 * 1000) /* bytes of one value: below Kafka's default message.max.bytes */

/* Where a record goes; the sender knows each one's name. */
enum lc_topic {
	LC_TOPIC_MARKET, /* or one of the next three, when per-market routing is on */
	LC_TOPIC_MARKET_CN,
	LC_TOPIC_MARKET_HK,
	LC_TOPIC_MARKET_US,
	LC_TOPIC_BARS,
	LC_TOPIC_EVENTS,
	LC_TOPIC_NOTIFICATIONS,
	LC_TOPICS_OUT
};

/* The `schema` header. */
enum lc_schema {
	LC_SCHEMA_PRICE_UPDATE,
	LC_SCHEMA_BAR,
	LC_SCHEMA_SYSTEM_EVENT,
	LC_SCHEMA_NOTIFICATION,
	LC_SCHEMAS
};

struct lc_record {
	uint64_t id;              /* its place in the log: 1, 2, 3 … */
	int64_t timestamp_ns;     /* the Kafka record's timestamp: received_at */
	int64_t received_mono_ns; /* for latency; 0: not measured */
	const char *key, *value;  /* borrowed from the log until the record is reported */
	uint32_t key_len, value_len;
	uint8_t topic;  /* enum lc_topic */
	uint8_t schema; /* enum lc_schema */
	bool replayed;  /* it may have been sent before */
};

struct lc_journal;

enum lc_err lc_journal_create(size_t capacity_bytes, struct lc_journal **out);
void lc_journal_destroy(struct lc_journal *journal);

/* Begins a record: copies what *head says but for value and id, and gives room for max_value bytes,
 * where the caller writes. Errors: LC_ERR_FULL (at capacity; nothing changed), LC_ERR_TOO_LARGE,
 * LC_ERR_NOMEM. One record at a time. */
enum lc_err lc_journal_reserve(
	struct lc_journal *journal, const struct lc_record *head, size_t max_value, char **value);
/* Ends the record begun with its value's length; returns its id. A length of 0 gives it up and
 * returns 0. */
uint64_t lc_journal_commit(struct lc_journal *journal, size_t value_len);
/* Both in one for values that exist already. */
enum lc_err lc_journal_append(struct lc_journal *journal, const struct lc_record *record);

/* The record at the cursor, which moves behind it. LC_ERR_END when there is none yet. */
enum lc_err lc_journal_next(struct lc_journal *journal, struct lc_record *out);
/* Kafka has it, or refused it for good. Reporting twice is harmless. */
void lc_journal_report(struct lc_journal *journal, uint64_t id);
/* A new producer: the cursor goes back to the lowest unreported record; what is read again says
 * replayed, and reported records are passed over. */
void lc_journal_rewind(struct lc_journal *journal);

struct lc_journal_stats {
	uint64_t appended, reported; /* records since creation */
	uint64_t unsent;             /* records behind the cursor's front */
	size_t bytes, capacity;      /* of the segments in use */
};
struct lc_journal_stats lc_journal_stats(const struct lc_journal *journal);
/* Is there room for a record of this size now? What the drain asks before it takes a tick from its
 * queue. */
bool lc_journal_has_room(const struct lc_journal *journal, size_t bytes);

/* The log between encoder and Kafka: records are appended at its end, one sender reads them in
 * order through a cursor, and each is reported when Kafka has it (or refused it for good). A record
 * lives in a segment of memory; with a folder, that memory outlives the process (it is a file on a
 * tmpfs: a record is *accepted* when it is committed there), and each segment is also a file on
 * disk, which the thread pool writes a few milliseconds behind.
 * Segments that are written and wait for Kafka leave memory and are read back when the cursor comes
 * to them, so memory stays within its limit and order stays as it was. Loop thread, but for
 * lc_journal_open(), which is called before the loop runs. The loop never waits for the disk. */
#pragma once

#include "livecore/config.h"
#include "livecore/error.h"
#include "livecore/loop.h"
#include "livecore/traceparent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LC_JOURNAL_SEGMENT (1024 * 1024) /* bytes; up to four times as many with a folder */
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
	int64_t event_ns;         /* of a tick, when it happened; else 0 */
	const char *source;       /* of a tick, its feeder: a constant; else NULL. Not given back */
	const char *key, *value;  /* borrowed from the log until the record is reported */
	/* Borrowed too: LC_TRACEPARENT_LEN characters, of the command that it follows from. NULL:
	 * no trace is known. */
	const char *traceparent;
	uint32_t key_len, value_len;
	uint8_t topic;  /* enum lc_topic */
	uint8_t schema; /* enum lc_schema */
	bool replayed;  /* it may have been sent before */
};

struct lc_journal;

/* A log in memory alone. */
enum lc_err lc_journal_create(size_t capacity_bytes, struct lc_journal **out);
/* Without lc_journal_close() before it, a log on disk is left as a crash would leave it. */
void lc_journal_destroy(struct lc_journal *journal);

/* --- on disk --- */

enum lc_journal_sync { LC_SYNC_NONE, LC_SYNC_INTERVAL };

struct lc_journal_config {
	bool enabled;
	char *dir;        /* "": in the state folder */
	char *memory_dir; /* a tmpfs; "" or NULL: what is not on disk goes with the process */
	int sync;         /* enum lc_journal_sync */
	int64_t sync_interval_ms;
	int64_t max_bytes;
	int64_t restart_max_age_ms; /* 0: no limit */
};
extern const struct lc_section lc_journal_section;

/* Told before the first file of the log is read, and behind each; not when there are none. */
struct lc_journal_progress {
	void (*reading)(void *arg, size_t done, size_t files); /* may be NULL */
	void *arg;
};

/* The log in this folder, which is made when it is missing. What is found in it is read first, in
 * the pool, while the loop turns so that what else is on it goes on: call it before the loop runs.
 * What is not reported there is sent first, marked replayed. memory_bytes bounds what is kept in
 * memory (6 segments at least); config is borrowed.
 * Errors: LC_ERR_EXISTS (another process has it, err says which), LC_ERR_IO, LC_ERR_NOMEM. */
enum lc_err lc_journal_open(struct lc_loop *loop, const char *dir, size_t memory_bytes,
	const struct lc_journal_config *config, struct lc_journal_progress progress,
	struct lc_journal **out, struct lc_error *err);

/* Records of one symbol that will not reach Kafka, because of `cause`: "journal_full", "too_old" or
 * "journal_damaged" (no key: which symbols cannot be read; records 0: nor how many). Texts are
 * valid for the call; the times are those of their events. */
struct lc_journal_loss {
	const char *cause;
	const char *key;
	uint32_t key_len;
	uint64_t records;
	int64_t first_ns, last_ns;
};

/* All may be NULL. Called on the loop, never from inside a call of this header but where it says
 * so. */
struct lc_journal_handlers {
	/* The disk does not take records (false), or takes them again. why: one sentence. */
	void (*protection)(void *arg, bool is_protected, const char *why);
	void (*lost)(void *arg, const struct lc_journal_loss *loss);
	/* The last of them was given: what is said about them must be in the log when this
	 * returns. records: PriceUpdates; others: what else was lost. */
	void (*lost_end)(void *arg, const char *cause, uint64_t records, uint64_t others);
	void (*room)(void *arg); /* there may be room again */
};
/* Calls lost() for what recovery left out, or could not read. */
void lc_journal_handle(
	struct lc_journal *journal, const struct lc_journal_handlers *handlers, void *arg);

/* What was found when the log was opened. */
#define LC_JOURNAL_SOURCES 8
struct lc_journal_source {
	char name[24];
	int64_t last_event_ns; /* event time of its latest tick in the log */
};
struct lc_journal_recovery {
	bool found;       /* there was a log */
	bool clean;       /* its process ended in order: nothing was missed without a word */
	uint64_t records; /* that it held */
	uint64_t to_send; /* of them, not reported and young enough */
	uint64_t expired; /* of them, market data older than restart_max_age */
	uint64_t torn;    /* files that ended in a broken record */
	uint64_t damaged; /* files that could not be read, and were put aside */
	/* When what could not be read happened; hole_until_ns 0: all could. */
	int64_t hole_from_ns, hole_until_ns;
	int64_t last_ns; /* timestamp of the last record; 0: none */
	size_t source_count;
	struct lc_journal_source sources[LC_JOURNAL_SOURCES];
};
/* Valid as long as the journal; all zero for one in memory. */
const struct lc_journal_recovery *lc_journal_recovered(const struct lc_journal *journal);

/* False while new records are in memory alone because the disk does not take them. True for a log
 * that has no folder, but for one that should have: lc_journal_unprotect(). */
bool lc_journal_protected(const struct lc_journal *journal);
void lc_journal_unprotect(struct lc_journal *journal);

/* Writes what is left, within timeout_ms; then done is called, also from inside this call. Nothing
 * may be appended any more. */
void lc_journal_close(
	struct lc_journal *journal, int64_t timeout_ms, void (*done)(void *arg), void *arg);

/* --- writing --- */

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
/* Is there room for a record of this size now? What the drain asks before it takes a tick from its
 * queue. */
bool lc_journal_has_room(const struct lc_journal *journal, size_t bytes);

/* --- reading: the sender --- */

/* The record at the cursor, which moves behind it. LC_ERR_END when there is none yet, LC_ERR_AGAIN
 * when it has to be read from disk first. */
enum lc_err lc_journal_next(struct lc_journal *journal, struct lc_record *out);
/* Called when what was LC_ERR_AGAIN can be read. NULL: nobody reads. */
void lc_journal_on_readable(struct lc_journal *journal, void (*readable)(void *arg), void *arg);
/* Kafka has it, or refused it for good. Reporting twice is harmless. */
void lc_journal_report(struct lc_journal *journal, uint64_t id);
/* A new producer: the cursor goes back to the lowest unreported record; what is read again says
 * replayed, and reported records are passed over. Nothing points at a record any more. */
void lc_journal_rewind(struct lc_journal *journal);

struct lc_journal_stats {
	/* Records: what was found unreported counts as appended, what was given up as reported. */
	uint64_t appended, reported;
	uint64_t unsent;            /* records behind the cursor's front */
	uint64_t lost;              /* given up, or too old after a restart */
	size_t bytes, capacity;     /* of the segments in memory */
	uint64_t disk_bytes;        /* of the files; 0: in memory alone */
	uint64_t unwritten;         /* bytes that are not on disk yet */
	uint64_t segments, on_disk; /* segments in use; of them not in memory */
	uint64_t written_bytes;     /* since it was opened */
	uint64_t write_failures;
};
struct lc_journal_stats lc_journal_stats(const struct lc_journal *journal);

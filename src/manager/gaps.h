/* Says what is missing, so that a consumer can trust the rest: which symbols, from when until when,
 * why, and how that is known. Three sources speak through it: Kafka's refusals and the journal give
 * records one by one and they are told together, once a second; a feed's holes are told by
 * feed_gaps.c. One event names many symbols, in pieces below LC_GAPS_MESSAGE_BYTES. Loop thread. It
 * never asks a vendor for anything and never waits. */
#pragma once

#include "livecore/symbol.h"
#include "manager/outbox.h"

#define LC_GAPS_MESSAGE_BYTES 480000 /* of one event's lists */
#define LC_GAPS_PIECE 500            /* symbols in one event: about 0.3 ms */
#define LC_GAP_ID_MAX (LC_MESSAGE_ID_MAX + 24)

#define LC_GAP_CAUSES(X)                                                                        \
	X(LC_GAP_DISCONNECT, "disconnect")           /* the session ended */                    \
	X(LC_GAP_MUTE, "mute")                       /* connected, and silent */                \
	X(LC_GAP_STOPPED, "stopped")                 /* by command or by configuration */       \
	X(LC_GAP_RESTART, "restart")                 /* between two processes */                \
	X(LC_GAP_OVERLOAD, "overload")               /* the vendor cut off a reader too slow */ \
	X(LC_GAP_REFUSED, "refused")                 /* Kafka will never take the records */    \
	X(LC_GAP_JOURNAL_FULL, "journal_full")       /* given up at the log's size limit */     \
	X(LC_GAP_JOURNAL_DAMAGED, "journal_damaged") /* in the log, and cannot be read */       \
	X(LC_GAP_TOO_OLD, "too_old")                 /* older than journal.restart_max_age */   \
	X(LC_GAP_BUDGET, "budget")                   /* backfill did not fit */                 \
	X(LC_GAP_VENDOR, "vendor")                   /* the vendor would not give it */

enum lc_gap_cause {
#define X(name, text) name,
	LC_GAP_CAUSES(X)
#undef X
		LC_GAP_CAUSES_COUNT
};

const char *lc_gap_cause_name(enum lc_gap_cause cause);

struct lc_gaps;

/* Everything is borrowed. max_symbols bounds what is remembered at a time; more is told sooner. */
enum lc_err lc_gaps_create(
	struct lc_loop *loop, size_t max_symbols, struct lc_outbox *outbox, struct lc_gaps **out);
/* What is not told yet is forgotten: lc_gaps_flush() before. */
void lc_gaps_destroy(struct lc_gaps *gaps);

/* Records (0: nobody knows how many) of one symbol will never be in Kafka: key is their symbol (one
 * that is not is counted and not named), from and until the times of the first and last, why what
 * was seen (cut at 200 bytes). Calls of the same cause and feeder (NULL: not known) within a second
 * become one gap; the first one's why is its evidence. Cheap, but for the first call of a symbol in
 * that second. */
void lc_gaps_missing(struct lc_gaps *gaps, enum lc_gap_cause cause, const char *feeder,
	const char *key, size_t len, int64_t from_ns, int64_t until_ns, uint64_t records,
	const char *why);
/* Tells what is collected, at once: before a stop. */
void lc_gaps_flush(struct lc_gaps *gaps);

/* --- one gap, told by its owner --- */

struct lc_gap_entry {
	char symbol[LC_SYMBOL_MAX];
	int64_t from_ns, until_ns; /* until 0: not over yet */
	uint64_t records;          /* that are missing, or that came after all; 0: not known */
};

struct lc_gap_event {
	const char *type; /* "gap_opened" or "gap_filled" */
	const char *gap;  /* its id, from lc_gaps_id() */
	enum lc_gap_cause cause;
	const char *feeder;          /* NULL: none */
	const char *evidence;        /* what was seen */
	const struct lc_field *more; /* further fields, at most 4, ended by LC_FIELD_END; or NULL */
	bool alert;                  /* say it on ginkgo.notifications too */
};

/* A name for a new gap, unlike any other's. */
void lc_gaps_id(struct lc_gaps *gaps, char out[LC_GAP_ID_MAX + 1]);
/* Says entries of a gap, at most LC_GAPS_PIECE. The event's interval is from the earliest begin to
 * the latest end (none while one is open); `ranges` lists the symbols for which it is another. */
void lc_gaps_say(struct lc_gaps *gaps, const struct lc_gap_event *event,
	const struct lc_gap_entry *entries, size_t count);

/* Is a tick to be believed? Each tick is passed, dropped with a reason, or held, by rules of
 * time, value, unit, limit and repetition; what passes is completed (flags, doubts, amount, effect)
 * and gets its number. Pure; loop thread. It never allocates per tick, never changes a price, and
 * never drops without a reason.
 *
 * How to use it, for each tick (the caller's own copy):
 * 	switch (lc_quality_judge(quality, &tick, now_ns, &reason)) {
 * 	case LC_PASS: push(&tick); break;
 * 	case LC_PASS_RELEASE:
 * 		push(&tick);
 * 		if (lc_quality_release(quality, tick.symbol, &held)) { push(&held); }
 * 		break;
 * 	case LC_HOLD: break;
 * 	case LC_DROP: count(reason); break;
 * 	} */
#pragma once

#include "livecore/market.h"

/* Every reason for which a tick does not reach Kafka: metrics label, log line, event. */
#define LC_DROPS(X)                                           \
	X(LC_DROP_NONE, "none")                               \
	X(LC_DROP_NOT_FOLLOWED, "not_followed")               \
	X(LC_DROP_STANDBY, "standby")                         \
	X(LC_DROP_NO_PRICE, "no_price")                       \
	X(LC_DROP_STALE, "stale")                             \
	X(LC_DROP_DUPLICATE, "duplicate")                     \
	X(LC_DROP_FUTURE, "future")                           \
	X(LC_DROP_BAD_PRICE, "bad_price")                     \
	X(LC_DROP_NEGATIVE_VOLUME, "negative_volume")         \
	X(LC_DROP_INCONSISTENT, "inconsistent")               \
	X(LC_DROP_BEYOND_VENDOR_LIMIT, "beyond_vendor_limit") \
	X(LC_DROP_WRONG_UNIT, "wrong_unit")                   \
	X(LC_DROP_VOLUME_DECREASED, "volume_decreased")       \
	X(LC_DROP_MEMORY, "memory")                           \
	X(LC_DROP_QUEUE_OLDEST, "queue_oldest")               \
	X(LC_DROP_QUEUE_NEWEST, "queue_newest")               \
	X(LC_DROP_QUEUE_FULL, "queue_full")                   \
	X(LC_DROP_SHUTDOWN, "shutdown")

enum lc_drop {
#define X(name, text) name,
	LC_DROPS(X)
#undef X
		LC_DROP_REASONS
};

const char *lc_drop_name(enum lc_drop reason);

/* What is remarkable about a tick that passes: metrics label, log line. The first two are its flags
 * too. */
#define LC_DOUBTS(X)                             \
	X(LC_DOUBT_LATE, "late")                 \
	X(LC_DOUBT_BEYOND_LIMIT, "beyond_limit") \
	X(LC_DOUBT_LARGE_MOVE, "large_move")     \
	X(LC_DOUBT_OFF_STEP, "off_step")         \
	X(LC_DOUBT_OUT_OF_SESSION, "out_of_session")

enum lc_doubt {
#define X(name, text) name,
	LC_DOUBTS(X)
#undef X
		LC_DOUBT_REASONS
};

const char *lc_doubt_name(enum lc_doubt doubt);

enum lc_verdict {
	LC_PASS,         /* numbered; queue it */
	LC_PASS_RELEASE, /* the same, and a quote waits for this price: release it behind */
	LC_DROP,
	LC_HOLD, /* a quote without a known price, kept inside */
};

struct lc_quality_host {
	/* A held quote was replaced by a newer one, or its symbol was left (LC_DROP_NO_PRICE,
	 * LC_DROP_NOT_FOLLOWED); seq is 0. The tick itself is never reported here: judge()
	 * returns its reason. */
	void (*drop)(void *arg, const struct lc_tick *tick, enum lc_drop reason);
	/* A feed's clock came to be more than 2 s off ours (skewed), or came back. A snapshot is
	 * as old as the round of polls that fetched it, so for a source of snapshots only a
	 * clock that is ahead counts. */
	void (*clock)(void *arg, uint8_t source, bool skewed, int64_t median_ns);
};

struct lc_quality_options {
	const struct lc_symbols *symbols;   /* borrowed */
	struct lc_calendar *calendar;       /* borrowed */
	uint64_t seed;                      /* of the repeat detection */
	int64_t future_ns;                  /* 0: 5 s ahead of now and of the feed's median */
	int64_t skew_ns;                    /* 0: 2 s */
	size_t symbols_at_start;            /* with room from the start, so that none is copied */
	size_t max_held;                    /* quotes without a price; 0: 10,000 */
	const struct lc_quality_host *host; /* borrowed; any slot may be NULL */
	void *arg;
};

struct lc_quality;

enum lc_err lc_quality_create(const struct lc_quality_options *options, struct lc_quality **out);
void lc_quality_destroy(struct lc_quality *quality);

/* A symbol is followed or left. Makes room for its state (LC_ERR_NOMEM). Numbers go on when it
 * is followed again; what was known of its price does not, and a quote that was held is dropped. */
enum lc_err lc_quality_follow(struct lc_quality *quality, uint32_t symbol, bool followed);

/* Judges one tick at now_ns (wall time when it was received) and completes it in place. *reason
 * is set when the verdict is LC_DROP. */
enum lc_verdict lc_quality_judge(
	struct lc_quality *quality, struct lc_tick *tick, int64_t now_ns, enum lc_drop *reason);

/* The vendor's answer to "what is its last price": true when a quote was waiting for it (call
 * lc_quality_release()). Give it to lc_last_value_reference() first: from now on quotes pass. */
bool lc_quality_reference(struct lc_quality *quality, const struct lc_reference *reference);
/* Takes out the held quote of a symbol whose price is known now, numbered; false when none
 * waits. */
bool lc_quality_release(struct lc_quality *quality, uint32_t symbol, struct lc_tick *out);

/* The feed's running median of event time - arrival; false while too few ticks came. */
bool lc_quality_offset(
	const struct lc_quality *quality, uint8_t source, int64_t *median_ns, bool *skewed);
/* A session of this feed ended: its clock is measured anew. */
void lc_quality_source_reset(struct lc_quality *quality, uint8_t source);

/* A hole begins in a symbol's trades that may be asked for again (keep), or is done with: until
 * then the trades at its edges are remembered, so that LC_FLAG_BACKFILLED ticks that were seen are
 * dropped as repeats. Such a tick is never late or stale and never makes the last price. */
void lc_quality_edge(struct lc_quality *quality, uint32_t symbol, bool keep);

/* The event time of the newest tick of a kind that passed; INT64_MIN: none. */
int64_t lc_quality_newest(
	const struct lc_quality *quality, uint32_t symbol, enum lc_tick_kind kind);
size_t lc_quality_held(const struct lc_quality *quality);

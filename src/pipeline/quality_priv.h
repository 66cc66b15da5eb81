/* The parts of quality: a feed's clock, the detection of repeats, and one symbol's state. Loop
 * thread; nothing here calls back. */
#pragma once

#include "livecore/quality.h"

/* --- how far a feed's clock is from ours --- */

enum { CLOCK_WINDOW = 63, CLOCK_MIN_SAMPLES = 9 };

struct feed_clock {
	int64_t ring[CLOCK_WINDOW];   /* event time - arrival, in order of arrival */
	int64_t sorted[CLOCK_WINDOW]; /* the same by size */
	unsigned count, next;
	int64_t sampled_ns;
	bool skewed;
	bool snapshots; /* their age cannot be told from a clock that is behind */
};

/* Takes a sample, at most one every 20 ms once the window is full. True when it was taken. */
bool lc_feed_clock_sample(struct feed_clock *clock, int64_t offset_ns, int64_t now_ns);
bool lc_feed_clock_median(const struct feed_clock *clock, int64_t *median_ns);
void lc_feed_clock_reset(struct feed_clock *clock);
/* True when `skewed` changed. */
bool lc_feed_clock_judge(struct feed_clock *clock, int64_t skew_ns);

/* --- repeats --- */

enum { REPEAT_SETS = 16, REPEAT_WAYS = 8, REPEAT_MERGED = 4 };

/* The last trades of one symbol by fingerprint; a set is one cache line, newest first. */
struct repeats {
	uint64_t sets[REPEAT_SETS][REPEAT_WAYS];
} __attribute__((aligned(64)));

bool lc_repeats_contain(const struct repeats *repeats, uint64_t fingerprint);
/* Begins to load what lc_repeats_contain() will look at. */
void lc_repeats_prefetch(const struct repeats *repeats, uint64_t fingerprint);
void lc_repeats_add(struct repeats *repeats, uint64_t fingerprint);
/* Adds the newest REPEAT_MERGED of each set of the others. */
void lc_repeats_merge(struct repeats *repeats, const struct repeats *others);

/* What makes a trade that trade: exchange, tape, id and day. Never 0. */
uint64_t lc_trade_fingerprint(const struct lc_tick *tick, int32_t day, uint64_t seed);
/* All that a tick says, its event time included. Never 0. */
uint64_t lc_content_fingerprint(const struct lc_tick *tick, uint64_t seed);

/* --- one symbol --- */

/* A vendor's times are in order but for this. */
#define EDGE_SLACK_NS (10 * LC_NS_PER_MS)

enum { NUMBERED_KINDS = LC_TICK_SNAPSHOT + 1, EDGE_TRADES = 32 };

/* What the stream gave just before and just after a hole, for as long as that is being filled. */
struct edge {
	struct repeats before; /* and, as time goes on in the hole, what was fetched of it */
	struct repeats after;
	unsigned live; /* trades of the stream in `after` */
	/* The newest of them; and once `after` is full, the time behind which the stream gave all. */
	int64_t newest_ns, sure_ns;
	/* From and until when it gave all before this hole, while the one before is being filled. */
	int64_t was_sure_ns, was_until_ns;
};

/* What is known of one kind of a symbol's ticks. */
struct kind_state {
	int64_t event_ns; /* of the newest; INT64_MIN: none */
	uint64_t content; /* of the newest quote or snapshot */
	uint64_t seq;
};

/* In the order of use: a trade touches the first cache line, a quote the first two. With thousands
 * of symbols each line costs more than all the arithmetic. */
struct symbol_state {
	bool followed, has_price, wrong_unit, has_volume, has_computed, has_vendor;
	uint8_t market, board, steps;
	uint8_t source;          /* of the newest tick */
	int32_t day;             /* of volume and limits */
	int32_t last_day;        /* on which an eligible price was seen last */
	struct repeats *repeats; /* owned; made with the first trade */
	struct lc_tick *held;    /* owned; the newest quote while no price is known */
	struct edge *edge;       /* owned; NULL: no hole is being filled */
	struct kind_state kinds[NUMBERED_KINDS];
	struct lc_decimal volume;
	struct lc_decimal vendor_up, vendor_down;
	struct lc_decimal prev_close, up, down; /* computed from prev_close */
	uint8_t decreases;                      /* snapshots in a row whose volume went back */
	uint32_t session;                       /* of the source that gave volume */
	/* Of trades without an id: the session of the newest, and the newest event time before it
	 * began. Up to that the vendor may tell again what it told. */
	uint32_t row_session;
	int64_t rows_before_ns;
} __attribute__((aligned(64)));

/* Those of a symbol, made with its first. Without memory (NULL) a repeat may pass, which its seq
 * cannot tell, but its trade id can. */
struct repeats *lc_repeats_of(struct symbol_state *state);

/* Was this trade published, of the stream or of the history? */
bool lc_edge_knows(const struct edge *edge, const struct lc_tick *tick, uint64_t fingerprint);
/* True when this is the only place in which it is to be remembered. */
bool lc_edge_remember(struct edge *edge, const struct lc_tick *tick, uint64_t fingerprint);
/* A hole begins, also behind one that is still being filled, or (keep false) is done with. */
void lc_edge_change(struct symbol_state *state, bool keep);

/* The rules that look at one tick and its symbol; LC_DROP_NONE when it passes. They clear fields
 * that say nothing (a price of 0 for "none"). */
enum lc_drop lc_check_values(struct lc_tick *tick, uint8_t market);
enum lc_drop lc_check_snapshot(struct symbol_state *state, struct lc_tick *tick);
/* Vendor limits drop; computed ones set LC_FLAG_BEYOND_LIMIT or LC_DOUBT_LARGE_MOVE. */
enum lc_drop lc_check_limits(struct symbol_state *state, struct lc_tick *tick);
/* From has & LC_HAS_PREV_CLOSE the limits are computed. */
void lc_check_prev_close(struct symbol_state *state, uint32_t has, struct lc_decimal prev_close);
/* Sets the other doubts of a tick that passes. */
void lc_check_doubts(
	const struct symbol_state *state, struct lc_tick *tick, struct lc_calendar *calendar);

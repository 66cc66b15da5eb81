/* What the files of liveness share. Never leaves this folder. */
#pragma once

#include "livecore/clock.h"
#include "livecore/liveness.h"

/* The times of a session between which a symbol's pace differs. Others are never judged. */
enum live_bucket {
	BUCKET_PRE_EARLY,
	BUCKET_PRE_MID,   /* the last two hours before the open */
	BUCKET_PRE_LATE,  /* the last half hour of these */
	BUCKET_OPENING,   /* 15 min */
	BUCKET_MORNING,   /* to 90 min after the open */
	BUCKET_MIDDAY,    /* and all of a market that is always open */
	BUCKET_REOPENING, /* 15 min after lunch */
	BUCKET_AFTERNOON, /* the last 90 min */
	BUCKET_CLOSING,   /* the last 15 min of these */
	BUCKETS,
	BUCKET_NONE = BUCKETS,
};

/* Where a market is in its day. Holds for from_ns <= wall time < until_ns. */
struct live_plan {
	int64_t from_ns, until_ns;
	int64_t phase_ns; /* when the phase began */
	enum live_bucket bucket;
};
void live_plan_at(struct live_plan *plan, struct lc_calendar *calendar, enum lc_market market,
	int64_t wall_ns);

/* What is learned of a symbol for one bucket: 4 bytes. */
struct live_cell {
	uint16_t rate;   /* ticks a second, as a logarithm; 0: none */
	uint8_t weight;  /* half minutes it was watched, at most WEIGHT_MAX */
	uint8_t longest; /* the longest silence that ended by itself, as a logarithm, decaying */
};

/* Times are stamps: units of 2^24 ns (17 ms) since the beginning, modulo 2^32 (2.3 years). */
struct live_symbol {
	uint32_t last;     /* data */
	uint32_t seen;     /* data, or an answer without news */
	uint32_t since;    /* its feed has had it from then on; after ASKED: when it was */
	uint32_t watch;    /* of its feed's watched time: from here on arrivals are counted */
	uint32_t data_s;   /* the vendor's time of what was said last */
	float counted;     /* what it contributes to its feed's sum */
	uint16_t arrivals; /* quarters of a second with data */
	uint8_t feed;      /* under which it is counted, or LC_LIVE_NO_FEED */
	uint8_t bucket;
	uint8_t market;
	uint8_t flags;
	struct live_cell cells[BUCKETS];
};

enum {
	SYMBOL_KNOWN = 1,  /* visited at least once: its market is set */
	SYMBOL_DIRTY = 2,  /* to be saved */
	SYMBOL_ASKED = 4,  /* it was silent and subscribed anew */
	SYMBOL_SILENT = 8, /* and that did not help */
};

/* How far the answer to one market's silence has gone. */
enum live_part { PART_FINE, PART_ASKED, PART_MUTE };

/* One feed's part in one market. */
struct live_market {
	int64_t sum;     /* of what its symbols contribute, in millionths of a tick a second */
	int64_t squares; /* of the same: how many symbols the sum rests on */
	size_t held, learned, silent;
	bool counting;       /* in session, connected, and no grace: silence means something */
	uint32_t from;       /* stamp: counting since */
	uint32_t arrivals;   /* since recent was last measured */
	int64_t waiting_ns;  /* … since data came last: it is watched_ns once data comes */
	int64_t watched_ns;  /* time in which it counted and was well */
	int64_t measured_ns; /* watched_ns when recent was last measured */
	double recent;       /* ticks a second lately */
	double recent_s, recent_n; /* what it rests on: seconds, ticks */
	bool spoke;                /* data since the last turn */
	bool spoken;               /* … before this turn */
	enum live_part part;
	int64_t part_ns;     /* since then */
	int64_t answered_ns; /* an answer without news */
	int64_t silent_ns, worst_ns;
	double expected; /* ticks that this silence should have held */
};

struct live_feed {
	struct live_market markets[LC_MARKETS];
	int64_t last_ns;     /* data */
	int64_t answered_ns; /* an answer without news */
	uint64_t session;
	bool spoke;       /* data since the last turn */
	int64_t ready_ns; /* connected, subscribed and reading since; 0: not */
	int64_t up_ns;    /* connected since; 0: not */
	bool was_down;    /* since the stage began */
	double expected;  /* ticks that the silence should have held */
	int64_t silent_ns;
	int64_t worst_ns; /* the longest silence of late that was no chance, and ended by itself */
	int64_t ordinary_ns; /* the longest silence that is taken for ordinary now */
	int64_t broken_ns; /* the same when the stages began: none is expected without a session */
	double rate;
	enum lc_live_stage stage;
	int64_t stage_ns, healthy_ns;
	int64_t probed_ns; /* 0: no answer is waited for */
	unsigned growth, attempt;
	enum lc_live_socket socket;
	enum lc_live_subscription verdict; /* as it is shown */
	enum lc_live_subscription fault;   /* for which the stages run */
};

struct lc_liveness {
	struct lc_liveness_options options;
	const struct lc_liveness_config *config;
	struct live_symbol *symbols; /* owned */
	struct live_feed *feeds;     /* owned */
	struct live_plan plans[LC_MARKETS];
	bool grace[LC_MARKETS];              /* the phase began only now */
	int64_t origin_ns, mono_ns, turn_ns; /* turn_ns: how long the last turn took, bounded */
	uint32_t now;                        /* the turn's stamp */
};

/* liveness_feed.c: ticks a second that are expected of one market now, and how much more patience
 * than usual what is known of it calls for. */
double live_pace_of(const struct live_market *market, enum live_bucket bucket);
double live_times_of(double rates, double squares, bool unsure);
bool live_unsure(const struct live_market *market);
/* The shortest silence that means anything: of this cadence of polls, and this longest one. */
double live_floor_ns(
	const struct lc_liveness *live, const struct lc_live_link *link, int64_t worst_ns);
bool live_answers_polls(
	const struct lc_liveness *live, int64_t answered_ns, const struct lc_live_link *link);

#define LIVE_FROZEN_TIMES 4 /* more patience while polls are answered */

#define STAMP_SHIFT 24
#define STAMPS_A_SECOND (1e9 / (1 << STAMP_SHIFT))

static inline uint32_t live_stamp(const struct lc_liveness *live, int64_t mono_ns)
{
	/* Not from 0, so that what never happened lies in the past. */
	return (uint32_t)((mono_ns - live->origin_ns) >> STAMP_SHIFT) + (UINT32_C(1) << 30);
}

static inline bool live_in_open(enum live_bucket bucket)
{
	return bucket >= BUCKET_OPENING && bucket < BUCKETS;
}

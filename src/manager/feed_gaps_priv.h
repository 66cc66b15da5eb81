/* The parts of the feeds' gaps. Loop thread; never leaves this folder. */
#pragma once

#include "manager/backfill.h"
#include "manager/feed_gaps.h"
#include "manager/holes.h"
#include "manager/manager_priv.h"

#define LC_FEED_GAPS_TURN_MS 100
#define LC_NO_HOLE UINT8_MAX

/* One feed's gap: at most one at a time is open. */
struct lc_gap_side {
	struct lc_feed *feed;           /* borrowed */
	struct lc_feed_gaps *all;       /* borrowed */
	struct lc_holes *holes;         /* owned */
	struct lc_backfills *backfills; /* owned */
	char id[LC_GAP_ID_MAX + 1];
	char evidence[256];
	enum lc_gap_cause cause;
	/* Of what is handed on: a new gap may begin meanwhile. */
	char filling_id[LC_GAP_ID_MAX + 1];
	enum lc_gap_cause filling_cause;
	bool open;                     /* there are holes that were not told as ended */
	bool lost;                     /* it gives nothing now */
	bool in[LC_MARKETS];           /* the market's symbols were added since it was lost */
	int64_t begins_ns[LC_MARKETS]; /* when its session begins, while it is out of session */
	size_t told;                   /* holes said to be open */
	size_t edged;                  /* … whose edges are kept */
	size_t looked;                 /* where the look at them goes on */
	int64_t first_end_ns; /* monotonic: when the first of the untold ends came; 0: none */
	uint64_t connects;    /* sessions when it was lost */
	uint64_t marked;      /* ticks that leave the queue until the mark has passed */
	int64_t before_ns;    /* last event of the process before; 0: not known */
	bool killed;          /* that process did not end in order */
	char before_why[160];
	double *gauge;
	uint64_t *opened, *ticks, *requests;
};

struct lc_feed_gaps {
	struct lc_manager *manager; /* borrowed */
	struct lc_gap_side sides[LC_FEEDS_MAX];
	size_t count, max_symbols;
	uint8_t *hole_of;       /* owned; by symbol: the feed whose hole is open; LC_NO_HOLE */
	int64_t before_ns;      /* what the process before saved last; 0: not known, or over */
	bool starting;          /* until it is known who follows what */
	bool known;             /* what the process before knew is read */
	struct lc_timer *timer; /* between its turns */
	struct lc_slice *slice; /* the turn under way, or NULL */
	bool again;             /* it was woken in a step */
	struct lc_hole *ended;  /* owned; LC_GAPS_PIECE of scratch, as are the next two */
	struct lc_gap_entry *entries;
	struct lc_plan_entry *plan;
	struct lc_gap_side *filling;     /* whose ended holes are handed on now; NULL: nobody's */
	size_t to_fill, filled, planned; /* of `ended`; and of `plan` */
};

/* feed_gaps.c: making it, and its turns */
/* NULL while the manager is made. */
struct lc_gap_side *lc_feed_gaps_side(const struct lc_feed *feed);
int64_t lc_feed_gaps_now_ns(const struct lc_feed_gaps *gaps);
/* The next turn comes in so many milliseconds; one that is due sooner stays. */
void lc_feed_gaps_wake(struct lc_feed_gaps *gaps, int64_t ms);

/* feed_gaps_open.c: which symbols count, and their holes */
bool lc_feed_gaps_in_session(const struct lc_feed_gaps *gaps, enum lc_market market, int64_t at_ns);
bool lc_feed_gaps_is_held(const struct lc_gap_side *side, uint32_t symbol);
/* Begins the gap, or goes on with the one that is open. */
void lc_feed_gaps_begin(struct lc_gap_side *side, enum lc_gap_cause cause, const char *evidence);
/* Opens a hole, but not for a symbol that is halted or has one; floor: not before it. */
void lc_feed_gaps_open(struct lc_gap_side *side, uint32_t symbol, int64_t floor_ns, int64_t at_ns);
/* While the feed gives nothing, a session that begins is missed from its begin on. */
void lc_feed_gaps_watch_sessions(struct lc_gap_side *side);
/* Trades about the ends of what will be fetched are to be known again, so that none comes twice.
 * Of thousands of symbols this is prepared in pieces, before the vendor has them again; true when
 * there is more. */
bool lc_feed_gaps_make_edges(struct lc_gap_side *side);

/* feed_gaps_tell.c: which symbols are back, and what consumers are told */
void lc_feed_gaps_look_for_back(struct lc_gap_side *side);
/* Says the next piece of the holes that opened; false: all are told. */
bool lc_feed_gaps_tell_opened(struct lc_gap_side *side);
/* Says the next piece of what is over, and hands it on; true when there is more at once. */
bool lc_feed_gaps_tell_ended(struct lc_gap_side *side);

/* feed_gaps_fill.c: handing what ended to the bars and to the backfill */
enum lc_err lc_feed_gaps_make_backfills(struct lc_gap_side *side);
/* The first count of `ended` are to be handed on. */
void lc_feed_gaps_begin_fill(struct lc_gap_side *side, size_t count);
/* The next piece of it. */
void lc_feed_gaps_fill(struct lc_feed_gaps *gaps);

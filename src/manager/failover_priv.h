/* The parts of failover. Loop thread; never leaves this folder. */
#pragma once

#include "livecore/sources.h"
#include "manager/failover.h"
#include "manager/manager_priv.h"

#define LC_FAILOVER_PROBES 8 /* symbols that a source which was left is still asked for */

/* Behind this position of a feed's queue stand ticks that must wait for those of another. */
struct lc_failover_gate {
	bool shut;
	uint64_t from;
	bool waits[LC_FEEDS_MAX];     /* for this feed's queue to come to until */
	uint64_t until[LC_FEEDS_MAX]; /* position of the other's queue */
};

/* What failover knows of a feed, beside its place among the sources. */
struct lc_failover_side {
	struct lc_failover_gate gate;
	uint32_t probes[LC_FAILOVER_PROBES];
	size_t n_probes;
	unsigned delayed; /* bits 1 << enum lc_market: it gave delayed prices */
	bool configured;  /* enabled, and complete in its settings */
	bool told;        /* lc_failover_recovered() */
	bool alone;       /* the alert that there is no other source was sent */
	bool was_ready;
	uint64_t ticks;   /* as of the last look */
	int64_t fresh_ns; /* when they rose last */
	int64_t begun_ns; /* when a symbol began to be followed here last */
	int64_t left_wall_ns;
	char why[200];
};

/* Symbols that went from one feed to another in one pass. */
struct lc_failover_moved {
	uint32_t *symbols; /* owned */
	size_t listed, room;
	size_t count; /* more than are listed when memory ran out */
	size_t said;
};

/* A pass over all symbols, in slices. */
struct lc_failover_move {
	struct lc_slice *slice;
	uint32_t next;
	bool again; /* something changed meanwhile */
	struct lc_failover_moved moved[LC_FEEDS_MAX][LC_FEEDS_MAX];
	size_t stuck[LC_FEEDS_MAX]; /* symbols that have no good source, by the one they are on */
};

struct lc_failover {
	struct lc_manager *manager; /* borrowed */
	struct lc_timer *timer;     /* while anything is not as it should be */
	struct lc_sources sources;  /* one a feed, same indices */
	struct lc_failover_side sides[LC_FEEDS_MAX];
	uint8_t *next_of; /* owned; by symbol: the feed that is to take over, or LC_NO_FEED */
	size_t pending;   /* symbols with one */
	struct lc_failover_move move;
};

/* failover_pick.c: which source is right */
const struct lc_failover_config *lc_failover_config_of(const struct lc_manager *manager);
struct lc_feed *lc_failover_feed(const struct lc_failover *failover, uint8_t index);
uint8_t lc_failover_count(const struct lc_failover *failover); /* feeds, by index */
bool lc_failover_good(const struct lc_failover *failover, uint8_t index);
bool lc_failover_connected(const struct lc_feed *feed);
/* Looks at what the feeds are: usable, ready. */
void lc_failover_look(struct lc_failover *failover);
/* The good source for a symbol; *first: the first of its route; *n: how many that has by the
 * settings. */
uint8_t lc_failover_pick(const struct lc_failover *failover, uint32_t symbol, uint8_t current,
	uint8_t *first, size_t *n);
/* Does any route of this feed name a source beside it; *now: one to go to? */
bool lc_failover_has_other(const struct lc_failover *failover, uint8_t index, bool *now);
/* Delayed prices behind the first source of a route need leave. */
bool lc_failover_refuses(
	struct lc_failover *failover, const struct lc_feed *feed, const struct lc_tick *tick);

/* failover_move.c: bringing symbols there */
/* Looks at every symbol, from the next turn of the loop on. */
void lc_failover_move_all(struct lc_failover *failover);
/* The feed that is to take over follows the symbol from now on. */
void lc_failover_take_over(struct lc_failover *failover, uint32_t symbol);
/* No feed is to take over any more. */
void lc_failover_drop_pending(struct lc_failover *failover, uint32_t symbol);
void lc_failover_drop_probe(struct lc_failover *failover, uint8_t index, uint32_t symbol);
/* Does the feed's queue still wait for another's? */
bool lc_failover_waits(struct lc_failover *failover, uint8_t index);
/* Ends the pass and gives back what it holds. */
void lc_failover_move_finish(struct lc_failover_move *move);

/* failover_say.c: what people and consumers are told */
/* Says the next switch, or the next piece of one; false: all are said. */
bool lc_failover_say_moved(struct lc_failover *failover);
/* No source is left for some symbols of this feed, or there is one again. */
void lc_failover_say_alone(struct lc_failover *failover, uint8_t index);

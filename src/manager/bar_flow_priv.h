/* The way of ticks into bars, inside: what its files share. Loop thread. */
#pragma once

#include "manager/bar_flow.h"

enum bar_flow_end { GOING_ON, ENDING, ENDED };

struct lc_bar_flow {
	struct lc_bar_flow_setup setup;
	struct lc_bars *bars;
	struct lc_bar_store *store; /* NULL: store.backend is none */
	struct lc_bar_keeper *keeper;
	struct lc_timer *turn;
	struct lc_slice *slice;
	int64_t *unseen; /* owned; by symbol: nothing was seen since, or 0 */
	bool *held;      /* owned; by symbol: it makes bars */
	size_t open;     /* symbols with unseen */
	size_t cursor;   /* of the look at them in the turn under way */
	int market;      /* to be advanced next in it */
	bool running;    /* what was kept is back */
	enum bar_flow_end end;
	bool said; /* bars were appended in this step */
	bool store_down;
	uint64_t *bars_total[LC_PERIODS], *revisions, *partials; /* counters */
	uint64_t *no_room, *not_stored;
	int closing;
	void (*done)(void *arg);
	void *done_arg;
};

/* --- bar_flow.c --- */

/* The time of a market; 0 before its tape begins. */
int64_t bar_flow_market_ns(const struct lc_bar_flow *flow, enum lc_market market);
/* What was appended in this step is sent. */
void bar_flow_wake(struct lc_bar_flow *flow);

/* --- bar_flow_symbols.c --- */

/* Nothing is seen of the symbol since then. */
void bar_flow_mark_unseen(struct lc_bar_flow *flow, uint32_t symbol, int64_t since_ns);
/* Looks at some of them, from flow->cursor on; true when there are more. */
bool bar_flow_look_at_unseen(struct lc_bar_flow *flow);
/* A gap that is open is told as far as it goes: after the restart it goes on. As above. */
bool bar_flow_tell_gaps(struct lc_bar_flow *flow);

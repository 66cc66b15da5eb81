/* Keeps the bars' state over a restart: gives it back at the start, and stores what changed every
 * 5 s and at the stop. Loop thread; everything is done in slices, and the disk is the pool's. */
#pragma once

#include "livecore/bars.h"
#include "livecore/loop.h"

struct lc_bar_keeper;

struct lc_bar_keeper_host {
	/* A symbol was given back; what was traded since saved_ns was not seen. */
	void (*restored)(void *arg, uint32_t symbol, int64_t saved_ns);
	/* Once, later: all that there was has been given back, or it was given up (said in the
	 * log). */
	void (*ready)(void *arg);
	/* Is the symbol to be stored? Asked for every symbol that is known. */
	bool (*holds)(void *arg, uint32_t symbol);
};

struct lc_bar_keeper_setup {
	struct lc_loop *loop;       /* borrowed, as are all */
	struct lc_symbols *symbols; /* what is given back is put into it */
	struct lc_bars *bars;
	const char *dir;
	const struct lc_bar_keeper_host *host;
	void *arg;
};

enum lc_err lc_bar_keeper_create(
	const struct lc_bar_keeper_setup *setup, struct lc_bar_keeper **out);
/* A symbol was left: its pieces are to go. */
void lc_bar_keeper_forget(struct lc_bar_keeper *keeper, uint32_t symbol);
/* Stores what is not stored yet, then frees; done is called once, later. Nothing else is called
 * after this call but host->holds. */
void lc_bar_keeper_stop(struct lc_bar_keeper *keeper, void (*done)(void *arg), void *arg);

struct lc_bar_keeper_status {
	uint64_t restored, damaged; /* pieces */
	uint64_t saves, failures;
	char why[256]; /* what is wrong; "" */
};
struct lc_bar_keeper_status lc_bar_keeper_status(const struct lc_bar_keeper *keeper);

/* What a kind of interest store is made of, and what the kinds share. */
#pragma once

#include "livecore/interest_store.h"

/* Every slot is required. */
struct lc_interest_store_impl {
	const char *(*server)(void); /* static storage */
	/* Begins to save base->saved; ends with interest_end_save(), later. */
	void (*save)(struct lc_interest_store *base);
	/* Begins to close, after what is under way: frees the store, then calls base->closed. */
	void (*close)(struct lc_interest_store *base);
};

/* The first part of every kind's own struct: what is under way, and who waits for it. */
struct lc_interest_store {
	const struct lc_interest_store_impl *impl;
	struct lc_saved_interest *saved; /* owned: being loaded or saved */
	struct lc_error err;             /* of what is under way */
	lc_interest_loaded_cb loaded;    /* until it is called */
	void *loaded_arg;
	lc_interest_saved_cb done; /* while a save is under way */
	void *done_arg;
	void (*closed)(void *arg); /* closing, or about to */
	void *closed_arg;
};

/* LC_ERR_NOMEM. What is to be loaded into is made with it. */
enum lc_err interest_store_init(struct lc_interest_store *base,
	const struct lc_interest_store_impl *impl, lc_interest_loaded_cb loaded, void *arg);
/* What was under way has ended with base->err: whoever waits is told, who may start the next save
 * in that call. */
void interest_end_open(struct lc_interest_store *base);
void interest_end_save(struct lc_interest_store *base);

/* Makes room for one more of `size` bytes each, in steps, and returns it zeroed; NULL: out of
 * memory. Any thread. */
void *interest_grow(void **items, size_t count, size_t size);
/* Frees what *saved holds, not the struct. Any thread. */
void interest_clear(struct lc_saved_interest *saved);

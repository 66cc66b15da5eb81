/* What a kind of interest store is made of, and what the kinds share. */
#pragma once

#include "livecore/interest_store.h"

/* Every slot is required; what each must do is said at lc_interest_store_save() and _close(). */
struct lc_interest_store_impl {
	const char *(*server)(void);
	void (*save)(struct lc_interest_store *store, struct lc_saved_interest *saved,
		void (*done)(void *arg, const struct lc_error *err), void *arg);
	void (*close)(struct lc_interest_store *store, void (*done)(void *arg), void *arg);
};

/* The first part of every kind's own struct. */
struct lc_interest_store {
	const struct lc_interest_store_impl *impl;
};

/* Makes room for one more of `size` bytes each, in steps, and returns it zeroed; NULL: out of
 * memory. Any thread. */
void *interest_grow(void **items, size_t count, size_t size);
/* Frees what *saved holds, not the struct. Any thread. */
void interest_clear(struct lc_saved_interest *saved);

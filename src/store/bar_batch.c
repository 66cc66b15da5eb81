#include "store/bar_store_priv.h"

#include <assert.h>
#include <stdlib.h>

struct bar_batch *bar_batch_new(const struct lc_bar_store *store)
{
	struct bar_batch *batch;
	batch = malloc(sizeof *batch + (size_t)store->config->batch_rows * sizeof *batch->rows);
	if (batch) {
		batch->count = 0;
		lc_list_init(&batch->node);
	}
	return batch;
}

/* The batch that still has room; NULL: no memory. */
struct bar_batch *bar_batch_open(struct lc_bar_store *store)
{
	if (!lc_list_empty(&store->batches)) {
		struct bar_batch *last = container_of(store->batches.prev, struct bar_batch, node);
		if (last->count < (size_t)store->config->batch_rows) {
			return last;
		}
	}
	struct bar_batch *batch = store->spare ? store->spare : bar_batch_new(store);
	store->spare = NULL;
	if (batch) {
		lc_list_append(&store->batches, &batch->node);
	}
	return batch;
}

void bar_batch_take(struct lc_bar_store *store)
{
	assert(!store->sending);
	store->sending = container_of(store->batches.next, struct bar_batch, node);
	lc_list_remove(&store->sending->node);
	store->pending -= store->sending->count;
	if (store->pending == 0) {
		store->due = false;
		lc_timer_stop(store->batch_timer);
	}
}

void bar_batch_release(struct lc_bar_store *store)
{
	store->sending->count = 0;
	if (store->spare) {
		free(store->sending);
	} else {
		store->spare = store->sending;
	}
	store->sending = NULL;
}

bool bar_batch_is_due(const struct lc_bar_store *store)
{
	return store->pending > 0 && (store->due || store->closing || store->flush_done ||
					     store->pending >= (size_t)store->config->batch_rows);
}

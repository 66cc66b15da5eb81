/* bar_snapshot: publishes the day's bar of each followed symbol, or of those that were named, as a
 * PriceUpdate: from the live bars where they know the day, else from the bar store. Loop thread;
 * in slices, so that ticks go on meanwhile. One at a time. */
#pragma once

#include "livecore/messages.h"
#include "manager/bar_flow.h"

#include <stdint.h>

struct lc_bar_snapshot;

struct lc_bar_snapshot_setup {
	struct lc_loop *loop; /* borrowed, as are all */
	struct lc_symbols *symbols;
	struct lc_outbox *outbox;
	struct lc_bars *bars;
	struct lc_bar_store *store; /* NULL: there is none */
	/* Of the command, for its messages; copied. Empty: not known. */
	struct lc_text trace_id, span_id;
	const char *traceparent; /* the same as a header, copied; "" or NULL: none */
	/* Once, later: result is a JSON object of what was done in numbers; error is NULL when all
	 * that could be asked was asked. Both borrowed for the call; the snapshot is gone then. */
	void (*done)(void *arg, const char *result, const char *error);
	void *arg;
};

/* What to publish: symbols of the table, copied. */
enum lc_err lc_bar_snapshot_start(const struct lc_bar_snapshot_setup *setup,
	const uint32_t *followed, size_t count, struct lc_bar_snapshot **out);
/* The same for texts; those that are no symbols are named in the result. */
enum lc_err lc_bar_snapshot_start_codes(const struct lc_bar_snapshot_setup *setup,
	const struct lc_text *codes, size_t count, struct lc_bar_snapshot **out);
/* Ends it without an answer. NULL is fine. */
void lc_bar_snapshot_cancel(struct lc_bar_snapshot *snapshot);

#include "manager/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLLECT_MS 200
#define ENTRIES_A_STEP 4000 /* about 0.2 ms */
#define REASON_MAX 200
/* batches with a text of their own; more texts go with the first of their feeder and kind */
#define REASONS_MAX 32

/* Symbols that share feeder, kind and reason. */
struct batch {
	struct batch *next;
	const char *feeder; /* borrowed: a static string, or NULL */
	enum lc_limits_kind kind;
	char reason[REASON_MAX + 1];
	uint32_t *symbols; /* owned */
	size_t count, capacity;
};

struct lc_limits {
	struct lc_limits_setup setup;
	struct lc_timer *timer;
	struct batch *collecting; /* owned */
	size_t n_collecting;
	struct batch *telling; /* owned; the first is being told */
	bool *marked;          /* owned; by symbol: in the first of telling */
	size_t portfolio;      /* those with an index below are still to be told */
	struct lc_slice *slice;
	struct lc_buf list;
};

static const char *const event_names[] = {
	[LC_LIMITS_OVER] = "symbol_limit", [LC_LIMITS_REFUSED] = "interest_rejected"};

static bool same_feeder(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static struct batch *find_batch(
	struct lc_limits *limits, const char *feeder, enum lc_limits_kind kind, const char *reason)
{
	for (struct batch *batch = limits->collecting; batch; batch = batch->next) {
		bool any_reason = limits->n_collecting >= REASONS_MAX;
		if (batch->kind == kind && same_feeder(batch->feeder, feeder) &&
			(any_reason || strncmp(batch->reason, reason, REASON_MAX) == 0)) {
			return batch;
		}
	}
	struct batch *batch = calloc(1, sizeof *batch);
	if (batch) {
		batch->feeder = feeder;
		batch->kind = kind;
		snprintf(batch->reason, sizeof batch->reason, "%s", reason);
		batch->next = limits->collecting;
		limits->collecting = batch;
		limits->n_collecting++;
	}
	return batch;
}

static bool add_symbol(struct batch *batch, uint32_t symbol)
{
	if (batch->count == batch->capacity) {
		size_t capacity = batch->capacity ? batch->capacity * 2 : 16;
		uint32_t *symbols = realloc(batch->symbols, capacity * sizeof *symbols);
		if (!symbols) {
			return false;
		}
		batch->symbols = symbols;
		batch->capacity = capacity;
	}
	batch->symbols[batch->count++] = symbol;
	return true;
}

static void free_batches(struct batch *batch)
{
	while (batch) {
		struct batch *next = batch->next;
		free(batch->symbols);
		free(batch);
		batch = next;
	}
}

static void mark(struct lc_limits *limits, bool marked)
{
	const struct batch *batch = limits->telling;
	for (size_t i = 0; i < batch->count; i++) {
		limits->marked[batch->symbols[i]] = marked;
	}
}

static void send_list(struct lc_limits *limits, const char *portfolio, size_t count)
{
	const struct batch *batch = limits->telling;
	lc_buf_putc(&limits->list, ']');
	lc_event(limits->setup.outbox, event_names[batch->kind], LC_S("feeder", batch->feeder),
		LC_S("portfolio_id", portfolio), LC_S("reason", batch->reason),
		LC_U("count", count), LC_J("symbols", lc_buf_text(&limits->list)));
	lc_buf_clear(&limits->list);
}

/* Tells one portfolio which of its symbols are in the batch; returns how many entries were looked
 * at. */
static size_t tell_portfolio(
	struct lc_limits *limits, const struct lc_interest *interest, size_t index)
{
	struct lc_interest_portfolio portfolio;
	size_t count = 0;
	lc_interest_portfolio(interest, index, &portfolio);
	lc_buf_clear(&limits->list);
	for (size_t i = 0; i < portfolio.entries; i++) {
		struct lc_interest_entry entry;
		lc_interest_entry(interest, index, i, &entry);
		if (entry.since_ns == INT64_MIN || entry.symbol >= limits->setup.max_symbols ||
			!limits->marked[entry.symbol]) {
			continue;
		}
		const struct lc_symbol *symbol = lc_symbols_get(
			limits->setup.symbols, entry.symbol);
		lc_buf_puts(&limits->list, count++ > 0 ? ",\"" : "[\"");
		lc_buf_append(&limits->list, symbol->text, symbol->len);
		lc_buf_putc(&limits->list, '"');
		if (limits->list.len > LC_LIMITS_MESSAGE_BYTES) {
			send_list(limits, portfolio.id, count);
			count = 0;
		}
	}
	if (count > 0) {
		send_list(limits, portfolio.id, count);
	}
	return portfolio.entries;
}

static void begin_batch(struct lc_limits *limits)
{
	const struct batch *batch = limits->telling;
	struct lc_interest *interest = limits->setup.interest(limits->setup.owner);
	limits->portfolio = interest ? lc_interest_portfolios(interest) : 0;
	mark(limits, true);
	limits->setup.batch(limits->setup.owner, batch->feeder, batch->kind, batch->reason,
		batch->count,
		batch->count > 0 ? lc_symbols_get(limits->setup.symbols, batch->symbols[0])->text
				 : NULL);
}

static void end_batch(struct lc_limits *limits)
{
	struct batch *batch = limits->telling;
	mark(limits, false);
	limits->telling = batch->next;
	batch->next = NULL;
	free_batches(batch);
}

static bool on_step(void *arg)
{
	struct lc_limits *limits = arg;
	struct lc_interest *interest = limits->setup.interest(limits->setup.owner);
	size_t looked = 0, known = interest ? lc_interest_portfolios(interest) : 0;
	/* From the last down: where a portfolio is forgotten meanwhile, the last takes its place,
	 * and that one has been told. */
	limits->portfolio = limits->portfolio < known ? limits->portfolio : known;
	while (limits->portfolio > 0 && looked < ENTRIES_A_STEP) {
		looked += 1 + tell_portfolio(limits, interest, --limits->portfolio);
	}
	if (limits->portfolio > 0) {
		return true;
	}
	end_batch(limits);
	if (limits->telling) {
		begin_batch(limits);
	}
	return limits->telling != NULL;
}

static void on_done(void *arg)
{
	struct lc_limits *limits = arg;
	limits->slice = NULL;
	if (limits->collecting && !lc_timer_active(limits->timer)) {
		lc_timer_start(limits->timer, COLLECT_MS, 0);
	}
}

static void on_collected(void *arg)
{
	struct lc_limits *limits = arg;
	if (limits->slice || !limits->collecting) {
		return; /* on_done() comes back to it */
	}
	limits->telling = limits->collecting;
	limits->collecting = NULL;
	limits->n_collecting = 0;
	begin_batch(limits);
	if (lc_slice_start(limits->setup.loop, "limits", on_step, on_done, limits,
		    &limits->slice) != LC_OK) {
		while (on_step(limits)) { /* no memory for a slice: better slow than silent */
		}
		on_done(limits);
	}
}

enum lc_err lc_limits_create(const struct lc_limits_setup *setup, struct lc_limits **out)
{
	struct lc_limits *limits = calloc(1, sizeof *limits);
	if (!limits) {
		return LC_ERR_NOMEM;
	}
	limits->setup = *setup;
	lc_buf_init(&limits->list, LC_LIMITS_MESSAGE_BYTES + 1024);
	limits->marked = calloc(setup->max_symbols + 1, sizeof *limits->marked);
	if (!limits->marked ||
		lc_timer_create(setup->loop, on_collected, limits, &limits->timer) != LC_OK) {
		lc_limits_destroy(limits);
		return LC_ERR_NOMEM;
	}
	*out = limits;
	return LC_OK;
}

void lc_limits_destroy(struct lc_limits *limits)
{
	if (!limits) {
		return;
	}
	lc_slice_cancel(limits->slice);
	lc_timer_destroy(limits->timer);
	free_batches(limits->collecting);
	free_batches(limits->telling);
	lc_buf_finish(&limits->list);
	free(limits->marked);
	free(limits);
}

void lc_limits_add(struct lc_limits *limits, const char *feeder, enum lc_limits_kind kind,
	const char *reason, uint32_t symbol)
{
	struct batch *batch = find_batch(limits, feeder, kind, reason ? reason : "");
	if (!batch || !add_symbol(batch, symbol)) {
		lc_log(lc_loop_log(limits->setup.loop), LC_LOG_ERROR, "feeder", event_names[kind],
			LC_S("feeder", feeder),
			LC_S("symbol", lc_symbols_get(limits->setup.symbols, symbol)->text),
			LC_S("reason", "out of memory: its portfolios are not told"));
	}
	if (!limits->slice && !lc_timer_active(limits->timer)) {
		lc_timer_start(limits->timer, COLLECT_MS, 0);
	}
}

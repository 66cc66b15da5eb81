#include "manager/backfill_plan.h"

#include "livecore/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_NS (60 * LC_NS_PER_S)

static int64_t minute_of(int64_t ns)
{
	return ns - ns % MINUTE_NS;
}

static void leave(
	struct lc_plan *plan, struct lc_plan_entry *entry, enum lc_gap_cause cause, const char *why)
{
	if (plan->why[0] == '\0') {
		snprintf(plan->why, sizeof plan->why, "%.150s", why);
	}
	entry->done = true;
	entry->left = (uint8_t)cause;
	plan->done++;
}

enum lc_err lc_plan_init(
	struct lc_plan *plan, const struct lc_plan_entry *entries, size_t count, size_t budget)
{
	*plan = (struct lc_plan){.budget = budget};
	return lc_plan_append(plan, entries, count);
}

enum lc_err lc_plan_append(struct lc_plan *plan, const struct lc_plan_entry *entries, size_t count)
{
	size_t all = plan->count + count;
	struct lc_plan_entry *list = realloc(plan->entries, (all + 1) * sizeof *list);
	if (!list) {
		return LC_ERR_NOMEM;
	}
	plan->entries = list;
	for (size_t i = 0; i < count; i++) {
		list[plan->count] = entries[i];
		list[plan->count++].reached_ns = entries[i].from_ns;
	}
	return LC_OK;
}

void lc_plan_finish(struct lc_plan *plan)
{
	free(plan->entries);
	plan->entries = NULL;
	plan->count = 0;
}

/* --- asking --- */

/* Does the vendor give minute bars of what is open? */
static bool has_minutes(const struct lc_plan *plan, lc_plan_most_cb most_of, void *arg)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (!plan->entries[i].done) {
			return most_of(arg, LC_BACKFILL_MINUTES, plan->entries[i].symbol) > 0;
		}
	}
	return false;
}

/* The last request is kept for the bars of what its trades did not fit in. */
static size_t reserve(const struct lc_plan *plan, lc_plan_most_cb most_of, void *arg)
{
	bool none = plan->minutes_only || plan->budget < 2 || !has_minutes(plan, most_of, arg);
	return none ? 0 : 1;
}

static bool wants(const struct lc_plan *plan, const struct lc_plan_entry *entry)
{
	return !entry->done && !(plan->what == LC_BACKFILL_MINUTES && entry->minutes);
}

static void choose_kind(struct lc_plan *plan, size_t reserved)
{
	bool trades = !plan->minutes_only && plan->used + reserved < plan->budget;
	plan->what = trades ? LC_BACKFILL_TRADES : LC_BACKFILL_MINUTES;
}

static void add(struct lc_plan *plan, size_t i, struct lc_backfill *request)
{
	const struct lc_plan_entry *entry = &plan->entries[i];
	int64_t from_ns = entry->reached_ns, until_ns = entry->until_ns;
	if (plan->what == LC_BACKFILL_MINUTES) {
		from_ns = minute_of(from_ns);
	}
	bool first = plan->n_asked == 0;
	request->from_ns = first || from_ns < request->from_ns ? from_ns : request->from_ns;
	request->until_ns = first || until_ns > request->until_ns ? until_ns : request->until_ns;
	plan->symbols[plan->n_asked] = entry->symbol;
	plan->asked[plan->n_asked++] = i;
}

static void collect(
	struct lc_plan *plan, lc_plan_most_cb most_of, void *arg, struct lc_backfill *request)
{
	size_t most = 0;
	for (size_t i = 0; i < plan->count && (most == 0 || plan->n_asked < most); i++) {
		struct lc_plan_entry *entry = &plan->entries[i];
		if (!wants(plan, entry)) {
			continue;
		}
		size_t fits = most_of(arg, plan->what, entry->symbol);
		if (fits == 0) {
			leave(plan, entry, LC_GAP_VENDOR, "the vendor does not give it");
			continue;
		}
		fits = plan->most > 0 && fits > plan->most ? plan->most : fits;
		fits = fits < LC_PLAN_ASKED ? fits : LC_PLAN_ASKED;
		most = most == 0 || fits < most ? fits : most;
		add(plan, i, request);
	}
}

bool lc_plan_next(
	struct lc_plan *plan, lc_plan_most_cb most, void *arg, struct lc_backfill *request)
{
	*request = (struct lc_backfill){.symbols = plan->symbols};
	size_t reserved = reserve(plan, most, arg);
	choose_kind(plan, reserved);
	plan->n_asked = 0;
	if (plan->used < plan->budget) {
		collect(plan, most, arg, request);
	}
	if (plan->n_asked == 0) {
		lc_plan_give_up(plan, LC_GAP_BUDGET, "backfill.max_requests were not enough");
		return false;
	}
	size_t kept = plan->what == LC_BACKFILL_TRADES ? reserved : 0;
	request->what = plan->what;
	request->count = plan->n_asked;
	request->max_requests = plan->budget - plan->used - kept;
	return true;
}

/* --- answers --- */

static void note_trades(struct lc_plan *plan, struct lc_plan_entry *entry, int64_t reached_ns)
{
	entry->reached_ns = reached_ns > entry->reached_ns ? reached_ns : entry->reached_ns;
	if (lc_plan_filled(entry) && !entry->done) {
		entry->done = true;
		plan->done++;
	}
}

static void note_minutes(struct lc_plan *plan, struct lc_plan_entry *entry, enum lc_err code)
{
	entry->minutes = true;
	if (plan->minutes_only) {
		entry->done = true;
		plan->done++;
	} else {
		leave(plan, entry, LC_GAP_BUDGET,
			code == LC_OK ? "backfill.max_requests were not enough for its trades: "
					"only its bars are whole"
				      : "backfill.max_requests were not enough");
	}
}

static void note(struct lc_plan *plan, size_t i, const struct lc_backfill_end *end)
{
	struct lc_plan_entry *entry = &plan->entries[plan->asked[i]];
	bool failed = end->code != LC_OK && end->code != LC_ERR_LIMIT;
	if (failed && end->code == LC_ERR_INVALID && plan->n_asked > 1) {
		return; /* one of them is refused: smaller requests find it */
	}
	if (plan->what == LC_BACKFILL_TRADES) {
		note_trades(plan, entry, end->reached_ns[i]);
	} else if (!failed) {
		note_minutes(plan, entry, end->code);
	}
	if (failed && !entry->done) {
		leave(plan, entry, LC_GAP_VENDOR, end->why);
	}
}

void lc_plan_end(struct lc_plan *plan, const struct lc_backfill_end *end)
{
	plan->used += end->requests;
	for (size_t i = 0; i < plan->n_asked; i++) {
		note(plan, i, end);
	}
	bool culprit = end->code == LC_ERR_INVALID && plan->n_asked > 1;
	plan->most = culprit ? plan->n_asked / 2 : 0;
	plan->n_asked = 0;
}

void lc_plan_interrupted(struct lc_plan *plan)
{
	plan->used += plan->n_asked > 0; /* some were made, nobody knows how many */
	plan->n_asked = 0;
}

void lc_plan_give_up(struct lc_plan *plan, enum lc_gap_cause cause, const char *why)
{
	plan->n_asked = 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (!plan->entries[i].done) {
			leave(plan, &plan->entries[i], cause, why);
		}
	}
}

struct lc_plan_entry *lc_plan_find(struct lc_plan *plan, uint32_t symbol, int64_t event_ns)
{
	for (size_t i = 0; i < plan->n_asked; i++) {
		struct lc_plan_entry *entry = &plan->entries[plan->asked[i]];
		if (entry->symbol == symbol && event_ns >= entry->from_ns &&
			event_ns <= entry->until_ns) {
			return entry;
		}
	}
	return NULL;
}

bool lc_plan_filled(const struct lc_plan_entry *entry)
{
	return entry->reached_ns > entry->until_ns;
}

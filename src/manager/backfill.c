#include "manager/backfill.h"

#include "livecore/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MAX 64
#define CLOSED_A_TURN 100 /* entries, about 0.2 ms */
#define DOUBTS_MAX 512
#define DOUBT_REQUESTS 3
#define DOUBTS_A_REQUEST 10
/* A vendor's bar is there some seconds after its minute's end. */
#define MINUTE_READY_NS (65 * LC_NS_PER_S)
#define MINUTE_NS (60 * LC_NS_PER_S)
/* Bars learn that a symbol is seen again within a turn of theirs. */
#define SEEN_AGAIN_NS LC_NS_PER_S

/* One gap's holes. */
struct job {
	struct lc_list node;
	char gap[LC_GAP_ID_MAX + 1]; /* "": doubtful minutes */
	enum lc_gap_cause cause;
	struct lc_plan plan;
	int64_t bars_from_ns; /* the bars lack ticks since then; 0: since the holes' begin */
	uint64_t ticks;
	bool drained;                          /* mark() was called: everything has come */
	size_t closed, told_filled, told_left; /* entries done with, in the turns of its end */
};

struct doubt {
	uint32_t symbol;
	int64_t start_ns;
};

struct lc_backfills {
	struct lc_backfills_setup setup;
	struct lc_list jobs; /* the first is under way */
	size_t n_jobs;
	bool asking;                       /* the feeder was asked and has not answered */
	char spent_gap[LC_GAP_ID_MAX + 1]; /* the gap of the last job that ended, and what its */
	size_t spent;                      /* jobs took: a gap that ends in pieces has one budget */
	struct doubt doubts[DOUBTS_MAX];
	size_t n_doubts;
	struct lc_backfills_stats stats;
	struct lc_gap_entry *entries; /* owned; scratch for one event */
};

static struct job *first_job(struct lc_backfills *backfills)
{
	return lc_list_empty(&backfills->jobs)
		       ? NULL
		       : container_of(backfills->jobs.next, struct job, node);
}

static void note_spent(struct lc_backfills *backfills, const struct job *job)
{
	if (job->gap[0] == '\0') {
		return;
	}
	if (strcmp(backfills->spent_gap, job->gap) != 0) {
		snprintf(backfills->spent_gap, sizeof backfills->spent_gap, "%s", job->gap);
		backfills->spent = 0;
	}
	backfills->spent += job->plan.used;
}

static void destroy_job(struct lc_backfills *backfills, struct job *job)
{
	note_spent(backfills, job);
	lc_list_remove(&job->node);
	backfills->n_jobs--;
	lc_plan_finish(&job->plan);
	free(job);
}

static size_t on_most(void *arg, enum lc_backfill_kind what, uint32_t symbol)
{
	const struct lc_backfills *backfills = arg;
	const struct lc_feeder *feeder = backfills->setup.feeder;
	return feeder->impl->backfill_most ? feeder->impl->backfill_most(feeder, what, symbol) : 0;
}

/* --- the end of a gap --- */

static void fill_entry(struct lc_gap_entry *out, const struct lc_symbols *symbols,
	const struct lc_plan_entry *entry)
{
	*out = (struct lc_gap_entry){
		.from_ns = entry->from_ns, .until_ns = entry->until_ns, .records = entry->ticks};
	const struct lc_symbol *known = lc_symbols_get(symbols, entry->symbol);
	memcpy(out->symbol, known->text, known->len + 1);
}

/* The next entries that were filled, or left for a cause, into the scratch list. */
static size_t gather(struct lc_backfills *backfills, const struct lc_plan *plan, size_t *cursor,
	bool filled, enum lc_gap_cause *cause)
{
	size_t n = 0;
	for (; *cursor < plan->count && n < LC_GAPS_PIECE; ++*cursor) {
		const struct lc_plan_entry *entry = &plan->entries[*cursor];
		if (lc_plan_filled(entry) != filled) {
			continue;
		}
		if (!filled && n > 0 && entry->left != *cause) {
			break;
		}
		*cause = (enum lc_gap_cause)entry->left;
		fill_entry(&backfills->entries[n++], backfills->setup.symbols, entry);
	}
	return n;
}

static void say(struct lc_backfills *backfills, const struct job *job, size_t n, bool filled,
	enum lc_gap_cause cause)
{
	const struct lc_plan *plan = &job->plan;
	size_t left = 0;
	for (size_t i = 0; i < plan->count; i++) {
		left += !lc_plan_filled(&plan->entries[i]);
	}
	const struct lc_field more[] = {LC_U("ticks", job->ticks), LC_U("requests", plan->used),
		LC_U("left_open", left), {.type = LC_FIELD_END}};
	const struct lc_gap_event event = {.type = filled ? "gap_filled" : "gap_opened",
		.gap = job->gap,
		.cause = filled ? job->cause : cause,
		.feeder = backfills->setup.feeder->impl->name,
		.evidence = filled ? "the vendor's trades of the interval" : plan->why,
		.more = more,
		.alert = !filled};
	lc_gaps_say(backfills->setup.gaps, &event, backfills->entries, n);
}

/* Says the next piece; false: all was said. */
static bool tell(struct lc_backfills *backfills, struct job *job)
{
	enum lc_gap_cause cause = LC_GAP_BUDGET;
	size_t n = gather(backfills, &job->plan, &job->told_filled, true, &cause);
	if (n > 0) {
		say(backfills, job, n, true, cause);
		return true;
	}
	n = gather(backfills, &job->plan, &job->told_left, false, &cause);
	if (n > 0) {
		say(backfills, job, n, false, cause);
		return true;
	}
	return false;
}

/* The ticks between the last save of the bars and the end of the process are published and in no
 * bar: those minutes stay as they are until the vendor's own take their place. */
static void fill_bars(
	struct lc_backfills *backfills, const struct job *job, const struct lc_plan_entry *entry)
{
	int64_t from_ns = entry->from_ns;
	if (job->bars_from_ns != 0) {
		int64_t lacking_ns = job->bars_from_ns < from_ns ? job->bars_from_ns : from_ns;
		for (int64_t at_ns = lacking_ns - lacking_ns % MINUTE_NS; at_ns <= from_ns;
			at_ns += MINUTE_NS) {
			lc_backfills_minute(backfills, entry->symbol, at_ns);
		}
		from_ns += MINUTE_NS - from_ns % MINUTE_NS;
	}
	if (from_ns <= entry->until_ns) {
		lc_bar_flow_filled(backfills->setup.bars, entry->symbol, from_ns,
			entry->until_ns + SEEN_AGAIN_NS);
	}
}

/* Everything that came is in the bars now; true while there is more to do. */
static bool close_entries(struct lc_backfills *backfills, struct job *job)
{
	size_t stop = job->closed + CLOSED_A_TURN;
	stop = stop < job->plan.count ? stop : job->plan.count;
	bool any = job->closed < stop;
	for (; job->closed < stop; job->closed++) {
		const struct lc_plan_entry *entry = &job->plan.entries[job->closed];
		bool filled = lc_plan_filled(entry);
		if (filled) {
			fill_bars(backfills, job, entry);
		}
		backfills->stats.filled += filled;
		backfills->stats.left += !filled;
		backfills->setup.host->closed(backfills->setup.arg, entry->symbol);
	}
	return any;
}

/* --- asking --- */

/* True when the feeder was asked. */
static bool ask(struct lc_backfills *backfills, struct job *job)
{
	struct lc_feeder *feeder = backfills->setup.feeder;
	struct lc_backfill request;
	if (!lc_plan_next(&job->plan, on_most, backfills, &request)) {
		return false;
	}
	backfills->asking = true;
	if (feeder->impl->backfill(feeder, &request) != LC_OK) {
		backfills->asking = false;
		lc_plan_give_up(&job->plan, LC_GAP_VENDOR, "out of memory");
		return false;
	}
	return true;
}

static bool work(struct lc_backfills *backfills, struct job *job)
{
	const struct lc_backfills_host *host = backfills->setup.host;
	if (job->plan.done < job->plan.count) {
		if (backfills->asking || !host->ready(backfills->setup.arg) ||
			ask(backfills, job)) {
			return false;
		}
	}
	if (job->gap[0] == '\0') {
		destroy_job(backfills, job);
		return true;
	}
	if (!job->drained) {
		job->drained = true;
		host->mark(backfills->setup.arg);
	}
	if (!host->passed(backfills->setup.arg)) {
		return false;
	}
	if (close_entries(backfills, job) || tell(backfills, job)) {
		return true;
	}
	destroy_job(backfills, job);
	return !lc_list_empty(&backfills->jobs);
}

/* --- jobs --- */

static enum lc_err add_job(struct lc_backfills *backfills, const char *gap, enum lc_gap_cause cause,
	const struct lc_plan_entry *entries, size_t count, size_t budget, int64_t bars_from_ns)
{
	struct job *job = calloc(1, sizeof *job);
	if (!job || lc_plan_init(&job->plan, entries, count, budget) != LC_OK) {
		free(job);
		return LC_ERR_NOMEM;
	}
	snprintf(job->gap, sizeof job->gap, "%s", gap);
	job->cause = cause;
	job->bars_from_ns = bars_from_ns;
	job->plan.minutes_only = gap[0] == '\0';
	lc_list_append(&backfills->jobs, &job->node);
	backfills->n_jobs++;
	return LC_OK;
}

/* Minutes that are over long enough become a job together. */
static void take_doubts(struct lc_backfills *backfills)
{
	struct lc_plan_entry due[DOUBTS_MAX];
	size_t n = 0, kept = 0;
	int64_t now_ns = lc_loop_wall_ns(backfills->setup.loop);
	for (size_t i = 0; i < backfills->n_doubts; i++) {
		const struct doubt *doubt = &backfills->doubts[i];
		if (now_ns < doubt->start_ns + MINUTE_READY_NS) {
			backfills->doubts[kept++] = *doubt;
			continue;
		}
		due[n++] = (struct lc_plan_entry){.symbol = doubt->symbol,
			.from_ns = doubt->start_ns,
			.until_ns = doubt->start_ns};
	}
	backfills->n_doubts = kept;
	if (n > 0) {
		add_job(backfills, "", LC_GAP_VENDOR, due, n, DOUBT_REQUESTS + n / DOUBTS_A_REQUEST,
			0);
	}
}

/* --- public --- */

enum lc_err lc_backfills_create(const struct lc_backfills_setup *setup, struct lc_backfills **out)
{
	struct lc_backfills *backfills = calloc(1, sizeof *backfills);
	if (!backfills) {
		return LC_ERR_NOMEM;
	}
	backfills->setup = *setup;
	lc_list_init(&backfills->jobs);
	backfills->entries = malloc(LC_GAPS_PIECE * sizeof *backfills->entries);
	if (!backfills->entries) {
		free(backfills);
		return LC_ERR_NOMEM;
	}
	*out = backfills;
	return LC_OK;
}

void lc_backfills_destroy(struct lc_backfills *backfills)
{
	if (!backfills) {
		return;
	}
	while (!lc_list_empty(&backfills->jobs)) {
		destroy_job(backfills, first_job(backfills));
	}
	free(backfills->entries);
	free(backfills);
}

void lc_backfills_configure(struct lc_backfills *backfills, const struct lc_backfill_config *config)
{
	backfills->setup.config = config;
}

bool lc_backfills_can(const struct lc_backfills *backfills, uint32_t symbol)
{
	return backfills->setup.config->enabled &&
	       on_most((void *)(uintptr_t)backfills, LC_BACKFILL_TRADES, symbol) > 0;
}

/* The job of the same gap that can take more: not the one whose end is being told. *spent: what
 * those before it took. */
static struct job *job_of(const struct lc_backfills *backfills, const char *gap, size_t *spent)
{
	struct job *found = NULL;
	*spent = strcmp(backfills->spent_gap, gap) == 0 ? backfills->spent : 0;
	lc_list_each (node, &backfills->jobs) {
		struct job *job = container_of(node, struct job, node);
		bool same = strcmp(job->gap, gap) == 0;
		*spent += same && job->drained ? job->plan.used : 0;
		found = same && !job->drained ? job : found;
	}
	return found;
}

enum lc_err lc_backfills_add(struct lc_backfills *backfills, const char *gap,
	enum lc_gap_cause cause, const struct lc_plan_entry *entries, size_t count,
	int64_t bars_from_ns)
{
	size_t spent, budget = (size_t)backfills->setup.config->max_requests;
	struct job *job = job_of(backfills, gap, &spent);
	if (job) {
		return lc_plan_append(&job->plan, entries, count);
	}
	if (backfills->n_jobs >= JOBS_MAX) {
		return LC_ERR_FULL;
	}
	return add_job(backfills, gap, cause, entries, count, budget > spent ? budget - spent : 0,
		bars_from_ns);
}

void lc_backfills_minute(struct lc_backfills *backfills, uint32_t symbol, int64_t start_ns)
{
	if (!backfills->setup.config->enabled ||
		on_most(backfills, LC_BACKFILL_MINUTES, symbol) == 0) {
		return;
	}
	for (size_t i = 0; i < backfills->n_doubts; i++) {
		const struct doubt *doubt = &backfills->doubts[i];
		if (doubt->symbol == symbol && doubt->start_ns == start_ns) {
			return;
		}
	}
	if (backfills->n_doubts < DOUBTS_MAX) {
		backfills->doubts[backfills->n_doubts++] = (struct doubt){symbol, start_ns};
	}
}

void lc_backfills_interrupted(struct lc_backfills *backfills)
{
	struct job *job = first_job(backfills);
	if (backfills->asking) {
		lc_plan_interrupted(&job->plan);
		backfills->asking = false;
	}
}

bool lc_backfills_turn(struct lc_backfills *backfills)
{
	if (backfills->n_doubts > 0) {
		take_doubts(backfills);
	}
	struct job *job = first_job(backfills);
	return job && work(backfills, job);
}

void lc_backfills_on_tick(struct lc_backfills *backfills, const struct lc_tick *seen)
{
	struct job *job = first_job(backfills);
	struct lc_plan_entry *entry = job ? lc_plan_find(&job->plan, seen->symbol, seen->event_ns)
					  : NULL;
	if (!entry) {
		return; /* of the same request, but not in this symbol's hole */
	}
	struct lc_tick tick = *seen;
	tick.flags |= LC_FLAG_BACKFILLED;
	if (backfills->setup.host->take(backfills->setup.arg, &tick)) {
		entry->ticks++;
		job->ticks++;
		backfills->stats.ticks++;
	}
}

void lc_backfills_on_minute(struct lc_backfills *backfills, const struct lc_bar *bar)
{
	struct job *job = first_job(backfills);
	bool over = bar->start_ns + MINUTE_NS <= lc_loop_wall_ns(backfills->setup.loop);
	bool asked = false;
	for (size_t i = 0; job && i < job->plan.n_asked; i++) {
		const struct lc_plan_entry *entry = &job->plan.entries[job->plan.asked[i]];
		asked |= entry->symbol == bar->symbol &&
			 bar->start_ns + MINUTE_NS > entry->from_ns &&
			 bar->start_ns <= entry->until_ns;
	}
	if (asked && over) {
		lc_bar_flow_replace(backfills->setup.bars, bar);
		backfills->stats.minutes++;
	}
}

void lc_backfills_on_end(struct lc_backfills *backfills, const struct lc_backfill_end *end)
{
	struct job *job = first_job(backfills);
	backfills->asking = false;
	backfills->stats.requests += end->requests;
	if (job) {
		lc_plan_end(&job->plan, end);
	}
}

struct lc_backfills_stats lc_backfills_stats(const struct lc_backfills *backfills)
{
	struct lc_backfills_stats stats = backfills->stats;
	stats.waiting = backfills->n_jobs;
	return stats;
}

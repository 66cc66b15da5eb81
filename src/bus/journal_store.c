/* The log's way to the disk: rounds of steps, one round in the pool at a time; and its end. */
#include "journal_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_MS 4 /* what was committed is written so much later, with what came after it */
#define TICK_MS 100
#define HUNG_MS 1000 /* a disk that takes so long protects nothing */
#define MARKS_MS 400 /* marks are stored so much later at most, and a round */

uint64_t journal_store_through(const struct journal_store *store)
{
	const struct segment *segment = journal_first_unwritten(store->journal);
	return segment ? segment->first_id + segment->written_records - 1
		       : store->journal->next_id - 1;
}

uint64_t journal_store_unwritten(const struct journal_store *store)
{
	uint64_t bytes = 0;
	const struct lc_journal *journal = store->journal;
	for (size_t i = journal->count; i > 0; i--) {
		const struct segment *segment = journal->segments[i - 1];
		if (segment->used > 0 && segment->written == segment->used) {
			break;
		}
		bytes += segment->used - segment->written;
	}
	return bytes;
}

/* --- protection --- */

void journal_store_protect(struct journal_store *store, bool is_protected, const char *why)
{
	if (store->journal->unprotected == !is_protected) {
		return;
	}
	store->journal->unprotected = !is_protected;
	lc_log(lc_loop_log(store->loop), is_protected ? LC_LOG_INFO : LC_LOG_ERROR, "journal",
		is_protected ? "protected_again" : "unprotected", LC_S("reason", why),
		LC_S("dir", store->disk->path));
	if (store->handlers.protection) {
		store->handlers.protection(store->arg, is_protected, why);
	}
}

void journal_store_fail(struct journal_store *store, int error)
{
	char why[160];
	snprintf(why, sizeof why, "the disk does not take records: %s", strerror(error));
	store->failures++;
	store->retry_ns = journal_now_ns(store) + JOURNAL_RETRY_MS * LC_NS_PER_MS;
	journal_store_protect(store, false, why);
}

void journal_store_damaged(
	struct journal_store *store, uint64_t records, int64_t from_ns, int64_t until_ns)
{
	const struct lc_journal_loss loss = {
		.cause = "journal_damaged",
		.key = "",
		.records = records,
		.first_ns = from_ns,
		.last_ns = until_ns,
	};
	if (store->handlers.lost) {
		store->handlers.lost(store->arg, &loss);
	}
	if (store->handlers.lost_end) {
		store->handlers.lost_end(store->arg, loss.cause, records, 0);
	}
}

/* --- a round in the pool --- */

bool journal_store_job_done(struct journal_store *store)
{
	store->jobs--;
	if (!store->orphan) {
		return true;
	}
	if (store->jobs == 0) {
		journal_store_destroy(store);
	}
	return false;
}

static void on_round(void *arg, bool cancelled)
{
	struct journal_store *store = arg;
	store->writing = false;
	store->late_ticks = 0;
	if (store->orphan) {
		for (unsigned i = 0; i < store->round.count; i++) {
			if (store->round.steps[i].owner) {
				journal_segment_put(store->journal, store->round.steps[i].owner);
			}
		}
	} else {
		journal_round_end(store, cancelled);
	}
	if (!journal_store_job_done(store)) {
		return;
	}
	if (store->handlers.room) {
		store->handlers.room(store->arg);
	}
	if (!cancelled) {
		journal_store_pump(store);
	}
}

/* --- the end --- */

static void finish_closing(struct journal_store *store)
{
	void (*done)(void *) = store->done;
	store->closed = true;
	store->done = NULL;
	if (done) {
		done(store->done_arg); /* the journal may be gone now */
	}
}

static void work_clean(void *arg)
{
	struct journal_store *store = arg;
	struct journal_clean clean = {.next_id = store->journal->next_id};
	clean.marks.source_count = (uint32_t)store->source_count;
	memcpy(clean.marks.sources, store->sources, sizeof store->sources);
	journal_disk_write_clean(store->disk, &clean);
}

static void on_clean(void *arg, bool cancelled)
{
	struct journal_store *store = arg;
	struct journal_shared *shared = store->journal->shared;
	store->writing = false;
	if (shared && !cancelled) {
		journal_shared_remove(shared);
	}
	if (journal_store_job_done(store) && !store->closed) {
		finish_closing(store);
	}
}

static bool all_stored(const struct journal_store *store)
{
	uint64_t through = journal_store_through(store);
	for (size_t i = 0; i < store->journal->count; i++) {
		if (journal_marks_wait(store->journal->segments[i], through)) {
			return false;
		}
	}
	return !journal_first_unwritten(store->journal) && store->freed_count == 0 &&
	       store->free_count == 0;
}

static void start_job(struct journal_store *store, void (*work)(void *arg),
	void (*done)(void *arg, bool cancelled))
{
	store->writing = true;
	store->round.started_ns = journal_now_ns(store);
	store->jobs++;
	if (lc_loop_job(store->loop, work, done, store)) {
		done(store, true); /* no memory for a job: the next tick tries again */
	}
}

static void advance_closing(struct journal_store *store)
{
	if (all_stored(store)) {
		start_job(store, work_clean, on_clean);
	}
}

void journal_store_pump(struct journal_store *store)
{
	if (store->writing || store->closed || store->orphan) {
		return;
	}
	journal_round_build(store);
	if (store->round.count > 0) {
		start_job(store, journal_round_work, on_round);
	} else if (store->closing) {
		advance_closing(store);
	}
	if (store->files + store->reserve >= store->max_files && store->free_count == 0 &&
		store->freed_count == 0 && !store->closing) {
		journal_give_up(store);
	}
}

static void on_tick(void *arg)
{
	struct journal_store *store = arg;
	int64_t now = journal_now_ns(store);
	bool late = store->writing && now - store->round.started_ns > HUNG_MS * LC_NS_PER_MS;
	/* Twice in a row: a loop that was held up itself hears of the answer after its timers. */
	store->late_ticks = late ? store->late_ticks + 1 : 0;
	if (store->late_ticks > 1) {
		journal_store_protect(store, false, "the disk has not answered for over 1 s");
	}
	if (now >= store->marks_ns) {
		store->marks_ns = now + MARKS_MS * LC_NS_PER_MS;
		store->marks_due = true;
	}
	if (store->config->sync == LC_SYNC_INTERVAL && !store->syncing && now >= store->sync_ns) {
		store->sync_ns = now + store->config->sync_interval_ms * LC_NS_PER_MS;
		journal_sync(store);
	}
	if (store->closing && now > store->close_by_ns && !store->closed) {
		finish_closing(store);
		return;
	}
	journal_store_pump(store);
	/* Reading back may have found no memory for it: what nobody else asks for again is asked
	 * for here. */
	if (store->journal->unsent > 0 && store->journal->readable) {
		store->journal->readable(store->journal->readable_arg);
	}
}

static void on_flush(void *arg)
{
	journal_store_pump(arg);
}

enum lc_err journal_store_start(struct journal_store *store)
{
	enum lc_err rc = lc_timer_create(store->loop, on_flush, store, &store->flush);
	rc = rc ? rc : lc_timer_create(store->loop, on_tick, store, &store->tick);
	journal_note_times(store, store->stored_event_ns);
	if (rc == LC_OK) {
		lc_timer_start(store->tick, 1, TICK_MS);
	}
	return rc;
}

void journal_store_committed(struct journal_store *store, const struct lc_journal_entry *entry)
{
	if (entry->source != LC_JOURNAL_NO_SOURCE) {
		int64_t *last = &store->sources[entry->source].last_event_ns;
		*last = entry->event_ns > *last ? entry->event_ns : *last;
	}
	if (!store->armed) {
		store->armed = true;
		lc_timer_start(store->flush, FLUSH_MS, 0);
	}
}

uint8_t journal_store_source(struct journal_store *store, const char *name)
{
	for (size_t i = 0; i < store->source_count; i++) {
		if (store->source_keys[i] == name) {
			return (uint8_t)i;
		}
	}
	size_t i = 0;
	while (i < store->source_count && strcmp(store->sources[i].name, name) != 0) {
		i++;
	}
	if (i == LC_JOURNAL_SOURCES) {
		return LC_JOURNAL_NO_SOURCE;
	}
	if (i == store->source_count) {
		snprintf(store->sources[i].name, sizeof store->sources[i].name, "%s", name);
		store->source_count++;
		if (store->journal->shared) {
			journal_shared_name(store->journal->shared, i, name);
		}
	}
	store->source_keys[i] = name;
	return (uint8_t)i;
}

void journal_store_freed(struct journal_store *store, const struct freed *freed)
{
	store->freed[store->freed_count++] = *freed;
}

static void tell_hole(struct journal_store *store)
{
	const struct lc_journal_recovery *recovery = &store->journal->recovery;
	if (recovery->hole_until_ns) {
		journal_store_damaged(store, 0, recovery->hole_from_ns, recovery->hole_until_ns);
	}
}

void lc_journal_handle(
	struct lc_journal *journal, const struct lc_journal_handlers *handlers, void *arg)
{
	if (journal->store) {
		journal->store->handlers = *handlers;
		journal->store->arg = arg;
		journal_tell_losses(journal->store);
		tell_hole(journal->store);
	}
}

void lc_journal_close(
	struct lc_journal *journal, int64_t timeout_ms, void (*done)(void *arg), void *arg)
{
	struct journal_store *store = journal->store;
	if (!store) {
		done(arg);
		return;
	}
	store->closing = true;
	store->close_by_ns = journal_now_ns(store) + timeout_ms * LC_NS_PER_MS;
	store->done = done;
	store->done_arg = arg;
	store->marks_due = true;
	if (journal->count > 0 && journal->segments[journal->count - 1]->outstanding == 0) {
		journal_release(journal, journal->count - 1);
	}
	journal_store_pump(store);
}

void journal_store_destroy(struct journal_store *store)
{
	if (!store->orphan) {
		lc_timer_destroy(store->flush);
		lc_timer_destroy(store->tick);
		if (store->telling) {
			lc_slice_cancel(store->telling);
		}
		store->orphan = true;
	}
	if (store->jobs > 0) {
		return;
	}
	struct lc_journal *journal = store->journal;
	losses_destroy(store->losses);
	journal_disk_close(store->disk);
	free(store->freed);
	free(store->free_slots);
	free(store);
	journal_free(journal);
}

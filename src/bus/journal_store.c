/* The log's way to the disk: rounds of steps, one round in the pool at a time. */
#include "journal_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_MS 4 /* what was committed is written so much later, with what came after it */
#define TICK_MS 100
#define HUNG_MS 1000 /* a disk that takes so long protects nothing */
#define RETRY_MS 500
#define MARKS_MS 400 /* marks are stored so much later at most, and a round */
/* Kept to be used again: their pages are in memory already, and new ones cost more. */
#define SPARE_FILES 8
#define MARKS_A_ROUND 8
#define FREED_A_ROUND 8

static int64_t now_ns(const struct journal_store *store)
{
	return lc_loop_mono_ns(store->loop);
}

/* Everything before it is written, or needs no writing. */
static struct segment *first_unwritten(const struct lc_journal *journal)
{
	struct segment *found = NULL;
	for (size_t i = journal->count; i > 0; i--) {
		struct segment *segment = journal->segments[i - 1];
		if (segment->used > 0 && segment->written == segment->used) {
			break;
		}
		found = segment->used > 0 ? segment : found;
	}
	return found;
}

uint64_t journal_store_through(const struct journal_store *store)
{
	const struct segment *segment = first_unwritten(store->journal);
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

static void set_protected(struct journal_store *store, bool is_protected, const char *why)
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
	store->retry_ns = now_ns(store) + RETRY_MS * LC_NS_PER_MS;
	set_protected(store, false, why);
}

/* --- a round --- */

static struct disk_step *add_step(
	struct journal_store *store, enum disk_action action, uint32_t slot, struct segment *owner)
{
	struct journal_round *round = &store->round;
	struct disk_step *step = &round->steps[round->count];
	*step = (struct disk_step){
		.action = action,
		.slot = slot,
		.data = round->pages[round->count],
		.owner = owner,
	};
	round->count++;
	if (owner) {
		owner->users++;
	}
	return step;
}

static void fill_marks(
	const struct journal_store *store, const struct segment *segment, bool empty, char *page)
{
	struct lc_journal_marks marks = {.source_count = (uint32_t)store->source_count};
	memcpy(marks.sources, store->sources, sizeof marks.sources);
	for (size_t i = 0; i < store->source_count; i++) {
		marks.sources[i].last_event_ns = store->stored_event_ns[i];
	}
	if (!empty) {
		memcpy(marks.reported, segment->reported, sizeof marks.reported);
	}
	lc_journal_marks_write(&marks, segment->salt, page);
}

static void add_head(struct journal_store *store, struct segment *segment)
{
	segment->slot = store->free_slots[--store->free_count];
	segment->salt = (uint32_t)lc_loop_random(store->loop);
	struct disk_step *step = add_step(store, DISK_HEAD, segment->slot, segment);
	const struct lc_journal_head head = {
		.first_id = segment->first_id,
		.created_ns = lc_loop_wall_ns(store->loop),
		.salt = segment->salt,
		.data_bytes = store->journal->segment_bytes,
	};
	fill_marks(store, segment, true, step->data);
	lc_journal_head_write(&head, step->data + LC_JOURNAL_PAGE);
}

static void add_create(struct journal_store *store)
{
	add_step(store, DISK_CREATE, store->next_slot, NULL);
}

static void note_times(const struct journal_store *store, int64_t out[LC_JOURNAL_SOURCES])
{
	for (size_t i = 0; i < store->source_count; i++) {
		out[i] = store->sources[i].last_event_ns;
	}
}

/* Returns whether a new file is needed for it. */
static bool add_records(struct journal_store *store)
{
	struct segment *segment = first_unwritten(store->journal);
	if (!segment) {
		note_times(store, store->stored_event_ns);
	}
	if (!segment || now_ns(store) < store->retry_ns) {
		return false;
	}
	if (segment->slot == JOURNAL_NO_SLOT) {
		if (store->free_count == 0) {
			return true;
		}
		add_head(store, segment);
	}
	struct disk_step *step = add_step(store, DISK_RECORDS, segment->slot, segment);
	step->data = segment->data;
	step->from = segment->written;
	step->to = segment->used;
	step->salt = segment->salt;
	store->round.to_records = segment->records;
	if (segment == store->journal->segments[store->journal->count - 1]) {
		store->armed = false;
		store->round.takes_all = true;
		note_times(store, store->round.last_event_ns);
	}
	return false;
}

static void add_freed(struct journal_store *store)
{
	const struct segment *segment = first_unwritten(store->journal);
	/* What is said about losses waits for a file, and the file for what is said: then the file
	 * goes first. There is a reserve, so this takes a burst that the disk cannot follow. */
	bool starved = segment && segment->slot == JOURNAL_NO_SLOT && store->free_count == 0 &&
		       store->files >= store->max_files;
	uint64_t through = starved ? JOURNAL_NEVER - 1 : journal_store_through(store);
	bool wait = now_ns(store) < store->freed_retry_ns;
	size_t kept = 0, taken = 0;
	size_t spare = store->free_count;
	for (size_t i = 0; i < store->freed_count; i++) {
		const struct freed freed = store->freed[i];
		if (taken == FREED_A_ROUND || freed.after_id > through || wait) {
			store->freed[kept++] = freed;
			continue;
		}
		bool keep = freed.reuse && spare < SPARE_FILES &&
			    store->files <= store->max_files && !store->closing;
		add_step(store, keep ? DISK_FREE : DISK_UNLINK, freed.slot, NULL);
		spare += keep;
		taken++;
	}
	store->freed_count = kept;
}

static bool marks_wait(const struct segment *segment, uint64_t through)
{
	return segment->marks_dirty && segment->written > 0 && segment->after_id <= through;
}

static void add_marks(struct journal_store *store)
{
	if (!store->marks_due) {
		return;
	}
	uint64_t through = journal_store_through(store);
	int left = MARKS_A_ROUND;
	for (size_t i = 0; i < store->journal->count && left > 0; i++) {
		struct segment *segment = store->journal->segments[i];
		if (marks_wait(segment, through)) {
			struct disk_step *step = add_step(
				store, DISK_MARKS, segment->slot, segment);
			fill_marks(store, segment, false, step->data);
			segment->marks_dirty = false;
			left--;
		}
	}
	store->marks_due = left == 0;
}

/* Files that nobody will use again, at the end. */
static void add_unlinks(struct journal_store *store)
{
	while (store->closing && store->free_count > 0 && store->round.count < ROUND_STEPS &&
		!first_unwritten(store->journal)) {
		add_step(store, DISK_UNLINK, store->free_slots[--store->free_count], NULL);
	}
}

static bool may_create(const struct journal_store *store, bool needed)
{
	return store->free_count == 0 && store->files < store->max_files &&
	       now_ns(store) >= store->retry_ns && (needed || !store->closing);
}

static void build_round(struct journal_store *store)
{
	store->round.count = 0;
	store->round.takes_all = false;
	bool needed = add_records(store);
	add_freed(store);
	add_marks(store);
	add_unlinks(store);
	if (store->round.count < ROUND_STEPS && may_create(store, needed)) {
		add_create(store);
	}
}

/* In the pool. */
static void work_round(void *arg)
{
	struct journal_store *store = arg;
	struct journal_round *round = &store->round;
	for (unsigned i = 0; i < round->count; i++) {
		const struct disk_step *step = &round->steps[i];
		bool headless = i > 0 && step->action == DISK_RECORDS && round->errors[i - 1] &&
				round->steps[i - 1].action == DISK_HEAD;
		round->errors[i] = headless ? round->errors[i - 1]
					    : journal_disk_do(store->disk, step);
	}
}

static void end_records(struct journal_store *store, const struct disk_step *step, int error)
{
	struct segment *segment = step->owner;
	if (error) {
		journal_store_fail(store, error);
		return;
	}
	store->written_bytes += step->to - step->from;
	segment->written = step->to;
	segment->written_records = store->round.to_records;
	segment->unsynced = true;
	if (store->round.takes_all) {
		memcpy(store->stored_event_ns, store->round.last_event_ns,
			sizeof store->stored_event_ns);
	}
	/* The feeders' last times stand among the marks. */
	segment->marks_dirty = true;
}

static void end_create(struct journal_store *store, int error)
{
	const struct segment *segment = first_unwritten(store->journal);
	if (!error) {
		store->files++;
		store->dir_unsynced = true;
		store->free_slots[store->free_count++] = store->next_slot++;
	} else if (segment && segment->slot == JOURNAL_NO_SLOT) {
		journal_store_fail(store, error);
	} else { /* the file in use still takes records */
		store->retry_ns = now_ns(store) + RETRY_MS * LC_NS_PER_MS;
	}
}

static void end_step(struct journal_store *store, const struct disk_step *step, int error)
{
	struct segment *segment = step->owner;
	switch (step->action) {
	case DISK_CREATE:
		end_create(store, error);
		break;
	case DISK_HEAD:
		if (error && !segment->released) { /* else its file is on its way back already */
			store->free_slots[store->free_count++] = step->slot;
			segment->slot = JOURNAL_NO_SLOT;
		}
		break;
	case DISK_RECORDS:
		end_records(store, step, error);
		break;
	case DISK_MARKS:
		segment->marks_dirty |= error != 0;
		break;
	default:
		if (error) {
			const struct freed again = {.slot = step->slot};
			journal_store_freed(store, &again);
			store->freed_retry_ns = now_ns(store) + RETRY_MS * LC_NS_PER_MS;
		} else if (step->action == DISK_FREE) {
			store->free_slots[store->free_count++] = step->slot;
		} else {
			store->files--;
		}
		break;
	}
}

static void end_round(struct journal_store *store, bool cancelled)
{
	struct journal_round *round = &store->round;
	bool wrote = false, failed = false;
	for (unsigned i = 0; i < round->count; i++) {
		const struct disk_step *step = &round->steps[i];
		int error = cancelled ? ECANCELED : round->errors[i];
		wrote |= step->action == DISK_RECORDS && !error;
		failed |= error != 0;
		end_step(store, step, error);
		if (step->owner) {
			journal_segment_put(store->journal, step->owner);
		}
	}
	const struct segment *rest = first_unwritten(store->journal);
	bool behind = rest && rest != store->journal->segments[store->journal->count - 1];
	if ((wrote || !rest) && !failed && !behind && !store->sync_failed) {
		set_protected(store, true, "the disk takes records again");
	}
}

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
		end_round(store, cancelled);
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
	(void)cancelled;
	store->writing = false;
	if (journal_store_job_done(store) && !store->closed) {
		finish_closing(store);
	}
}

static bool all_stored(const struct journal_store *store)
{
	uint64_t through = journal_store_through(store);
	for (size_t i = 0; i < store->journal->count; i++) {
		if (marks_wait(store->journal->segments[i], through)) {
			return false;
		}
	}
	return !first_unwritten(store->journal) && store->freed_count == 0 &&
	       store->free_count == 0;
}

static void start_job(struct journal_store *store, void (*work)(void *arg),
	void (*done)(void *arg, bool cancelled))
{
	store->writing = true;
	store->round.started_ns = now_ns(store);
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
	build_round(store);
	if (store->round.count > 0) {
		start_job(store, work_round, on_round);
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
	int64_t now = now_ns(store);
	bool late = store->writing && now - store->round.started_ns > HUNG_MS * LC_NS_PER_MS;
	/* Twice in a row: a loop that was held up itself hears of the answer after its timers. */
	store->late_ticks = late ? store->late_ticks + 1 : 0;
	if (store->late_ticks > 1) {
		set_protected(store, false, "the disk has not answered for over 1 s");
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
}

static void on_flush(void *arg)
{
	journal_store_pump(arg);
}

enum lc_err journal_store_start(struct journal_store *store)
{
	enum lc_err rc = lc_timer_create(store->loop, on_flush, store, &store->flush);
	rc = rc ? rc : lc_timer_create(store->loop, on_tick, store, &store->tick);
	note_times(store, store->stored_event_ns);
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
	}
	store->source_keys[i] = name;
	return (uint8_t)i;
}

void journal_store_freed(struct journal_store *store, const struct freed *freed)
{
	store->freed[store->freed_count++] = *freed;
}

void lc_journal_handle(
	struct lc_journal *journal, const struct lc_journal_handlers *handlers, void *arg)
{
	if (journal->store) {
		journal->store->handlers = *handlers;
		journal->store->arg = arg;
		journal_tell_losses(journal->store);
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
	store->close_by_ns = now_ns(store) + timeout_ms * LC_NS_PER_MS;
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

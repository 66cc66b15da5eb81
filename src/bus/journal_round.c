/* One round to the disk: which steps are due, doing them in the pool, and what came of each. */
#include "journal_priv.h"

#include <errno.h>
#include <string.h>

/* Kept to be used again: their pages are in memory already, and new ones cost more. */
#define SPARE_FILES 8
#define MARKS_A_ROUND 8
#define FREED_A_ROUND 8

struct segment *journal_first_unwritten(const struct lc_journal *journal)
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

/* --- what is due --- */

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

void journal_note_times(const struct journal_store *store, int64_t out[LC_JOURNAL_SOURCES])
{
	for (size_t i = 0; i < store->source_count; i++) {
		out[i] = store->sources[i].last_event_ns;
	}
}

/* Returns whether a new file is needed for it. */
static bool add_records(struct journal_store *store)
{
	struct segment *segment = journal_first_unwritten(store->journal);
	if (!segment) {
		journal_note_times(store, store->stored_event_ns);
	}
	if (!segment || journal_now_ns(store) < store->retry_ns) {
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
		journal_note_times(store, store->round.last_event_ns);
	}
	return false;
}

static void add_freed(struct journal_store *store)
{
	const struct segment *segment = journal_first_unwritten(store->journal);
	/* What is said about losses waits for a file, and the file for what is said: then the file
	 * goes first. There is a reserve, so this takes a burst that the disk cannot follow. */
	bool starved = segment && segment->slot == JOURNAL_NO_SLOT && store->free_count == 0 &&
		       store->files >= store->max_files;
	uint64_t through = starved ? JOURNAL_NEVER - 1 : journal_store_through(store);
	bool wait = journal_now_ns(store) < store->freed_retry_ns;
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

bool journal_marks_wait(const struct segment *segment, uint64_t through)
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
		if (journal_marks_wait(segment, through)) {
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
		!journal_first_unwritten(store->journal)) {
		add_step(store, DISK_UNLINK, store->free_slots[--store->free_count], NULL);
	}
}

static bool may_create(const struct journal_store *store, bool needed)
{
	return store->free_count == 0 && store->files < store->max_files &&
	       journal_now_ns(store) >= store->retry_ns && (needed || !store->closing);
}

void journal_round_build(struct journal_store *store)
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

void journal_round_work(void *arg)
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
	const struct segment *segment = journal_first_unwritten(store->journal);
	if (!error) {
		store->files++;
		store->dir_unsynced = true;
		store->free_slots[store->free_count++] = store->next_slot;
		store->next_slot = (store->next_slot + 1) % LC_JOURNAL_SLOTS;
	} else if (error == EEXIST) { /* another's, or one of an earlier process */
		store->next_slot = (store->next_slot + 1) % LC_JOURNAL_SLOTS;
	} else if (segment && segment->slot == JOURNAL_NO_SLOT) {
		journal_store_fail(store, error);
	} else { /* the file in use still takes records */
		store->retry_ns = journal_now_ns(store) + JOURNAL_RETRY_MS * LC_NS_PER_MS;
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
			store->freed_retry_ns = journal_now_ns(store) +
						JOURNAL_RETRY_MS * LC_NS_PER_MS;
		} else if (step->action == DISK_FREE) {
			store->free_slots[store->free_count++] = step->slot;
		} else {
			store->files--;
		}
		break;
	}
}

void journal_round_end(struct journal_store *store, bool cancelled)
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
	const struct segment *rest = journal_first_unwritten(store->journal);
	bool behind = rest && rest != store->journal->segments[store->journal->count - 1];
	if ((wrote || !rest) && !failed && !behind && !store->sync_failed) {
		journal_store_protect(store, true, "the disk takes records again");
	}
}

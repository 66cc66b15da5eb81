/* The log's way back from the disk: segments that the cursor comes to, and those that are given up
 * because there is no room for them. */
#include "journal_priv.h"

#include <stdlib.h>
#include <string.h>

#define READ_TRIES 5
#define APPEND_ROOM 2 /* segments of memory that reading leaves to writing */
#define LOSSES_A_SLICE 200

/* --- memory --- */

/* Behind the cursor nothing is on its way to Kafka, so nothing points into a segment there. */
static bool may_leave(const struct segment *segment)
{
	return segment->data && !segment->loading && segment->users == 0 &&
	       segment->slot != JOURNAL_NO_SLOT && segment->written == segment->used;
}

/* The newest first: they are needed last. */
static size_t find_evictable(const struct lc_journal *journal, size_t from)
{
	for (size_t i = journal->count - 1; i > from; i--) {
		if (may_leave(journal->segments[i - 1]) && i - 1 > from) {
			return i - 1;
		}
	}
	return journal->count;
}

static bool evict_behind(struct lc_journal *journal, size_t from)
{
	size_t index = journal->count ? find_evictable(journal, from) : 0;
	if (index == journal->count) {
		return false;
	}
	journal_give_buffer(journal, journal->segments[index]->data);
	journal->segments[index]->data = NULL;
	journal->segments[index]->shared = NULL;
	return true;
}

bool journal_evict(struct lc_journal *journal)
{
	return evict_behind(journal, journal->cursor.segment);
}

bool journal_can_evict(const struct lc_journal *journal)
{
	return journal->count && find_evictable(journal, journal->cursor.segment) != journal->count;
}

/* --- reading back --- */

struct load {
	struct journal_store *store;
	struct segment *segment; /* kept by a user of its own */
	char *data;
	uint32_t slot, used;
	struct lc_journal_head head;
	struct lc_journal_scan scan; /* what is sound */
	int64_t last_ns;             /* of it; 0: nothing */
	int error;
};

static void work_load(void *arg)
{
	struct load *load = arg;
	size_t got = 0;
	load->error = journal_disk_read(
		load->store->disk, load->slot, LC_JOURNAL_DATA, load->data, load->used, &got);
	lc_journal_scan_begin(&load->scan, &load->head, load->data, got);
	const struct lc_journal_entry *entry;
	while ((entry = lc_journal_scan_next(&load->scan))) {
		load->last_ns = lc_journal_entry_time(entry);
	}
}

/* The rest of the segment cannot be read any more. */
static void cut(const struct load *load)
{
	struct journal_store *store = load->store;
	struct lc_journal *journal = store->journal;
	struct segment *segment = load->segment;
	const uint32_t records = load->error ? 0 : load->scan.records;
	uint64_t gone = 0;
	for (uint32_t i = records; i < segment->records; i++) {
		gone += !lc_journal_marked(segment->reported, i);
	}
	lc_log(lc_loop_log(store->loop), LC_LOG_ERROR, "journal", "damaged",
		LC_U("file", segment->slot), LC_U("records_lost", gone),
		LC_S("reason", load->error ? strerror(load->error) : "a checksum does not fit"));
	segment->records = records;
	segment->outstanding -= (uint32_t)gone;
	journal->reported_count += gone;
	journal->lost += gone;
	journal->unsent -= gone;
	/* What it held lies between what was read last and now: nothing says more. */
	int64_t until = lc_loop_wall_ns(store->loop);
	int64_t from = load->last_ns ? load->last_ns : journal->read_ns;
	journal_store_damaged(store, gone, from && from < until ? from : until, until);
}

static void release_if_done(struct lc_journal *journal, const struct segment *segment)
{
	for (size_t i = 0; i + 1 < journal->count; i++) {
		if (journal->segments[i] == segment && segment->outstanding == 0) {
			journal_release(journal, i);
			return;
		}
	}
}

static void end_load(struct load *load, bool cancelled)
{
	struct journal_store *store = load->store;
	struct segment *segment = load->segment;
	bool sound = !load->error && load->scan.records == segment->records;
	if (cancelled || segment->released || (!sound && ++segment->read_failures < READ_TRIES)) {
		journal_give_buffer(store->journal, load->data);
		return;
	}
	segment->data = load->data;
	if (!sound) {
		cut(load);
		segment->used = segment->written = load->scan.used;
		release_if_done(store->journal, segment);
	}
}

static void on_loaded(void *arg, bool cancelled)
{
	struct load *load = arg;
	struct journal_store *store = load->store;
	struct lc_journal *journal = store->journal;
	load->segment->loading = false;
	end_load(load, cancelled);
	journal_segment_put(journal, load->segment);
	free(load);
	if (journal_store_job_done(store) && !cancelled && journal->readable) {
		journal->readable(journal->readable_arg);
	}
}

static char *buffer_for(struct lc_journal *journal, size_t index)
{
	while (journal->in_memory + APPEND_ROOM > journal->max_memory) {
		if (!evict_behind(journal, index)) {
			/* The one that the sender waits for may take from the writers' share. */
			if (index == journal->cursor.segment &&
				journal->in_memory < journal->max_memory) {
				break;
			}
			return NULL;
		}
	}
	return journal_take_buffer(journal);
}

static void start_load(struct journal_store *store, size_t index)
{
	struct lc_journal *journal = store->journal;
	struct segment *segment = journal->segments[index];
	struct load *load = calloc(1, sizeof *load);
	char *data = load ? buffer_for(journal, index) : NULL;
	if (!data) {
		free(load);
		return; /* it is asked for again */
	}
	*load = (struct load){
		.store = store,
		.segment = segment,
		.data = data,
		.slot = segment->slot,
		.used = segment->used,
		.head = {.first_id = segment->first_id,
			.salt = segment->salt,
			.data_bytes = segment->used},
	};
	segment->loading = true;
	segment->users++;
	store->jobs++;
	if (lc_loop_job(store->loop, work_load, on_loaded, load)) {
		on_loaded(load, true);
	}
}

void journal_load(struct journal_store *store, size_t index)
{
	const struct lc_journal *journal = store->journal;
	for (size_t i = index; i < index + 2 && i < journal->count; i++) {
		const struct segment *segment = journal->segments[i];
		if (!segment->data && !segment->loading && !segment->victim &&
			segment->slot != JOURNAL_NO_SLOT) {
			start_load(store, i);
		}
	}
}

/* --- giving up --- */

struct surrender {
	struct journal_store *store;
	struct segment *segment; /* kept by a user of its own */
	struct losses *losses;
	char *data;
	uint32_t slot, used;
	struct lc_journal_head head;
	bool complete;
	uint64_t reported[LC_JOURNAL_MARK_WORDS];
};

static void work_surrender(void *arg)
{
	struct surrender *work = arg;
	struct lc_journal_scan scan;
	size_t got = 0;
	work->data = malloc(work->used);
	if (!work->data || journal_disk_read(work->store->disk, work->slot, LC_JOURNAL_DATA,
				   work->data, work->used, &got)) {
		return;
	}
	lc_journal_scan_begin(&scan, &work->head, work->data, got);
	const struct lc_journal_entry *entry;
	while ((entry = lc_journal_scan_next(&scan))) {
		if (!lc_journal_marked(work->reported, scan.records - 1) &&
			losses_add(work->losses, entry)) {
			return;
		}
	}
	work->complete = true;
}

static void free_surrender(struct surrender *work)
{
	losses_destroy(work->losses);
	free(work->data);
	free(work);
}

/* Events in a segment that goes are written again behind the others: they may be gaps. */
static uint64_t append_kept(struct lc_journal *journal, struct losses *losses)
{
	uint64_t failed = 0;
	const struct lc_journal_entry *entry;
	while ((entry = losses_kept(losses))) {
		const struct lc_record record = {
			.timestamp_ns = entry->timestamp_ns,
			.key = lc_journal_entry_key(entry),
			.key_len = entry->key_len,
			.value = lc_journal_entry_value(entry),
			.traceparent = lc_journal_entry_traceparent(entry),
			.value_len = entry->value_len,
			.topic = entry->topic,
			.schema = entry->schema,
			.replayed = true,
		};
		failed += lc_journal_append(journal, &record) != LC_OK;
	}
	return failed;
}

/* Whatever was said stands in the log up to here: then marks and files may follow. */
static void end_telling(struct journal_store *store)
{
	struct lc_journal *journal = store->journal;
	uint64_t others = losses_others(store->losses) + append_kept(journal, store->losses);
	if (store->handlers.lost_end) {
		store->handlers.lost_end(store->arg, losses_cause(store->losses),
			losses_records(store->losses), others);
	}
	losses_destroy(store->losses);
	store->losses = NULL;
	store->giving_up = false;
	journal_adopt_memory(store);
	uint64_t last = journal->next_id - 1;
	for (size_t i = 0; i < journal->count; i++) {
		if (journal->segments[i]->after_id == JOURNAL_NEVER) {
			journal->segments[i]->after_id = last;
		}
	}
	for (size_t i = 0; i < store->freed_count; i++) {
		if (store->freed[i].after_id == JOURNAL_NEVER) {
			store->freed[i].after_id = last;
		}
	}
}

static bool on_telling(void *arg)
{
	struct journal_store *store = arg;
	struct lc_journal_loss loss;
	for (int n = 0; n < LOSSES_A_SLICE; n++) {
		if (!losses_next(store->losses, &loss)) {
			return false;
		}
		if (store->handlers.lost) {
			store->handlers.lost(store->arg, &loss);
		}
	}
	return true;
}

static void on_told(void *arg)
{
	struct journal_store *store = arg;
	store->telling = NULL;
	end_telling(store);
}

void journal_tell_losses(struct journal_store *store)
{
	if (!store->losses) {
		return;
	}
	while (on_telling(store)) {
	}
	end_telling(store);
}

static size_t index_of(const struct lc_journal *journal, const struct segment *segment)
{
	size_t index = 0;
	while (index < journal->count && journal->segments[index] != segment) {
		index++;
	}
	return index;
}

static void take_losses(struct journal_store *store, struct surrender *work)
{
	struct lc_journal *journal = store->journal;
	struct segment *segment = work->segment;
	size_t index = index_of(journal, segment);
	journal->lost += segment->outstanding;
	journal->reported_count += segment->outstanding;
	journal->unsent -= segment->outstanding;
	segment->after_id = JOURNAL_NEVER;
	lc_log(lc_loop_log(store->loop), LC_LOG_ERROR, "journal", "given_up",
		LC_U("records", segment->outstanding), LC_U("first_id", segment->first_id),
		LC_S("reason", "the log is at journal.max_bytes"));
	journal_release(journal, index);
	store->losses = work->losses;
	work->losses = NULL;
	if (lc_slice_start(
		    store->loop, "journal_losses", on_telling, on_told, store, &store->telling)) {
		journal_tell_losses(store);
	}
}

static void on_surrendered(void *arg, bool cancelled)
{
	struct surrender *work = arg;
	struct journal_store *store = work->store;
	work->segment->victim = false;
	if (cancelled || !work->complete || store->orphan || work->segment->released) {
		store->giving_up = false;
	} else {
		take_losses(store, work);
	}
	journal_segment_put(store->journal, work->segment);
	free_surrender(work);
	struct lc_journal *journal = store->journal;
	if (journal_store_job_done(store) && journal->readable) {
		journal->readable(journal->readable_arg);
	}
}

/* What is on its way to Kafka cannot be taken back, so it stays. */
static struct segment *find_victim(const struct lc_journal *journal)
{
	const struct cursor *cursor = &journal->cursor;
	size_t from = cursor->segment + (cursor->index > 0);
	for (size_t i = from; i + 1 < journal->count; i++) {
		struct segment *segment = journal->segments[i];
		if (segment->slot != JOURNAL_NO_SLOT && segment->written == segment->used &&
			segment->users == 0) {
			return segment;
		}
	}
	return NULL;
}

void journal_give_up(struct journal_store *store)
{
	struct segment *segment = store->giving_up || store->losses ? NULL
								    : find_victim(store->journal);
	struct surrender *work = segment ? calloc(1, sizeof *work) : NULL;
	if (!work) {
		return;
	}
	work->store = store;
	work->segment = segment;
	work->slot = segment->slot;
	work->used = segment->used;
	work->head = (struct lc_journal_head){
		.first_id = segment->first_id, .salt = segment->salt, .data_bytes = segment->used};
	memcpy(work->reported, segment->reported, sizeof work->reported);
	work->losses = losses_create("journal_full");
	if (!work->losses) {
		free_surrender(work);
		return;
	}
	segment->victim = true;
	segment->users++;
	store->giving_up = true;
	store->jobs++;
	if (lc_loop_job(store->loop, work_surrender, on_surrendered, work)) {
		on_surrendered(work, true);
	}
}

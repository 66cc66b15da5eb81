/* Syncing the log's files: a job of its own, since a disk may take seconds for it while it still
 * takes records. */
#include "journal_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct sync_job {
	struct journal_store *store;
	struct segment *segments[ROUND_STEPS];
	uint32_t slots[ROUND_STEPS];
	unsigned count;
	bool dir; /* files were made: their names as well */
	int error;
};

static void work_sync(void *arg)
{
	struct sync_job *job = arg;
	for (unsigned i = 0; i < job->count; i++) {
		const struct disk_step step = {.action = DISK_SYNC, .slot = job->slots[i]};
		int error = journal_disk_do(job->store->disk, &step);
		job->error = error ? error : job->error;
	}
	if (job->dir && fsync(job->store->disk->dir_fd) != 0) {
		job->error = errno;
	}
}

static void on_synced(void *arg, bool cancelled)
{
	struct sync_job *job = arg;
	struct journal_store *store = job->store;
	for (unsigned i = 0; i < job->count; i++) {
		job->segments[i]->unsynced |= job->error != 0 || cancelled;
		journal_segment_put(store->journal, job->segments[i]);
	}
	store->dir_unsynced |= job->dir && (job->error != 0 || cancelled);
	store->syncing = false;
	/* A file that is gone meanwhile needs no syncing. */
	store->sync_failed = job->error && job->error != ENOENT && !cancelled;
	if (store->sync_failed && !store->orphan) {
		journal_store_fail(store, job->error);
	}
	free(job);
	journal_store_job_done(store);
}

void journal_sync(struct journal_store *store)
{
	struct sync_job *job = calloc(1, sizeof *job);
	if (!job) {
		return;
	}
	job->store = store;
	for (size_t i = store->journal->count; i > 0 && job->count < ROUND_STEPS; i--) {
		struct segment *segment = store->journal->segments[i - 1];
		if (segment->unsynced && segment->slot != JOURNAL_NO_SLOT) {
			segment->unsynced = false;
			segment->users++;
			job->segments[job->count] = segment;
			job->slots[job->count++] = segment->slot;
		}
	}
	if (job->count == 0) {
		free(job);
		return;
	}
	job->dir = store->dir_unsynced;
	store->dir_unsynced = false;
	store->syncing = true;
	store->jobs++;
	if (lc_loop_job(store->loop, work_sync, on_synced, job)) {
		on_synced(job, true);
	}
}

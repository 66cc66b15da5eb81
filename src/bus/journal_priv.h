/* What the files of the log share: its segments, and the disk's side of it. journal.c is the log,
 * journal_store.c writes it in rounds (journal_round.c) and journal_sync.c syncs it, journal_load.c
 * reads it back and gives up what has no room, journal_recover.c finds it again, journal_shared.c
 * has its memory. Loop thread, but for what is said to run in the pool. */
#pragma once

#include "journal_disk.h"
#include "journal_losses.h"
#include "journal_shared.h"

#define JOURNAL_NO_SLOT UINT32_MAX
#define JOURNAL_NEVER UINT64_MAX /* an id that is never reached */
#define ROUND_STEPS 24
#define JOURNAL_RETRY_MS 500 /* after the disk refused */

struct segment {
	uint64_t first_id;
	uint32_t records;                  /* committed */
	uint32_t outstanding;              /* of them not reported */
	uint32_t used;                     /* bytes */
	uint32_t written, written_records; /* of them on disk */
	uint32_t slot, salt;               /* of its file */
	unsigned users;                    /* jobs that point here: its memory stays */
	unsigned read_failures;
	/* Its marks are stored, and its file is given back, when all up to this id is on disk: what
	 * is said about its losses. */
	uint64_t after_id;
	bool recovered;   /* written by an earlier process */
	bool loading;     /* data is being read */
	bool victim;      /* being given up */
	bool released;    /* out of the log: gone when its last user is */
	bool marks_dirty; /* marks that are not on disk */
	bool unsynced;
	char *data;                         /* owned; NULL: on disk only */
	struct journal_shared_head *shared; /* of data, while the next process must find it there */
	uint64_t reported[LC_JOURNAL_MARK_WORDS];
};

/* Where the next record to send stands. segment == count when nothing follows. */
struct cursor {
	size_t segment;
	uint32_t offset;
	uint32_t index; /* records of the segment that are behind it */
};

struct lc_journal {
	struct segment **segments; /* owned, oldest first, ascending ids; room for max_segments */
	size_t count, max_segments;
	size_t in_memory, max_memory; /* segments with data */
	uint32_t segment_bytes;
	struct journal_shared *shared; /* owned; NULL: its memory goes with the process */
	char *spares[JOURNAL_SPARES];
	size_t spare_count;
	struct cursor cursor;
	struct lc_journal_entry *reserved; /* the record begun, in the last segment; or NULL */
	uint32_t reserved_max;
	uint64_t next_id;
	uint64_t sent_high; /* the highest id that next() has given out */
	uint64_t appended, reported_count, unsent, lost;
	int64_t read_ns; /* when that happened which next() gave out last */
	size_t last_hit; /* the segment of the last report: most reports come in order */
	bool unprotected;
	void (*readable)(void *arg);
	void *readable_arg;
	struct journal_store *store; /* owned; NULL: in memory alone */
	struct lc_journal_recovery recovery;
};

/* A file that is not needed any more, once all up to after_id is on disk. */
struct freed {
	uint32_t slot;
	bool reuse; /* it is as large as ours */
	uint64_t after_id;
};

struct journal_round {
	struct disk_step steps[ROUND_STEPS];
	int errors[ROUND_STEPS];
	unsigned count;
	uint32_t to_records; /* of the segment whose records are written */
	bool takes_all;      /* nothing committed before it is left to be written */
	int64_t last_event_ns[LC_JOURNAL_SOURCES]; /* of the sources, when it began */
	int64_t started_ns;
	char pages[ROUND_STEPS][2 * LC_JOURNAL_PAGE];
};

struct journal_store {
	struct lc_journal *journal;
	struct lc_loop *loop;
	struct journal_disk *disk; /* owned */
	const struct lc_journal_config *config;
	struct lc_timer *flush, *tick;
	struct journal_round round;
	bool writing; /* the round is in the pool */
	bool armed;   /* something was committed since the last round */
	bool marks_due;
	unsigned late_ticks; /* in a row that found the round too long in the pool */
	int64_t retry_ns, freed_retry_ns, marks_ns, sync_ns;
	size_t max_files, files; /* that may be, and that are */
	size_t reserve;          /* of them, for what is said about losses */
	uint32_t next_slot;
	struct freed *freed; /* owned; room for max_files + what was found */
	size_t freed_count;
	uint32_t *free_slots; /* owned; as large: ready to be used again */
	size_t free_count;
	struct lc_journal_source sources[LC_JOURNAL_SOURCES];
	const char *source_keys[LC_JOURNAL_SOURCES]; /* the caller's constants */
	size_t source_count;
	/* Of the sources, before the first record that is in memory alone: all that a restart may
	 * believe. */
	int64_t stored_event_ns[LC_JOURNAL_SOURCES];
	struct lc_journal_handlers handlers;
	void *arg;
	struct losses *losses; /* owned; being told, or found by recovery */
	bool giving_up;        /* a job, or the telling of what it found */
	struct lc_slice *telling;
	bool dir_unsynced, sync_failed;
	bool syncing;  /* a job of it is in the pool */
	unsigned jobs; /* in the pool */
	bool closing, closed;
	bool orphan; /* destroyed while jobs ran: the last one frees it */
	int64_t close_by_ns;
	void (*done)(void *arg);
	void *done_arg;
	uint64_t written_bytes, failures;
};

/* journal.c */
struct segment *journal_segment_new(struct lc_journal *journal, bool with_data);
/* Takes a segment out of the log, and its file with it. */
void journal_release(struct lc_journal *journal, size_t index);
char *journal_take_buffer(struct lc_journal *journal); /* NULL: out of memory */
void journal_give_buffer(struct lc_journal *journal, char *data);
void journal_segment_put(struct lc_journal *journal, struct segment *segment); /* a user less */
void journal_free(struct lc_journal *journal);

/* journal_store.c */
enum lc_err journal_store_start(struct journal_store *store);
void journal_store_committed(struct journal_store *store, const struct lc_journal_entry *entry);
uint8_t journal_store_source(struct journal_store *store, const char *name);
void journal_store_freed(struct journal_store *store, const struct freed *freed);
/* What is on disk, or reported: the highest id up to which that is so. */
uint64_t journal_store_through(const struct journal_store *store);
void journal_store_pump(struct journal_store *store);
uint64_t journal_store_unwritten(const struct journal_store *store);
void journal_store_destroy(struct journal_store *store);
void journal_store_fail(struct journal_store *store, int error); /* what errno was */
/* Says that records (0: nobody knows how many) of that time cannot be read. */
void journal_store_damaged(
	struct journal_store *store, uint64_t records, int64_t from_ns, int64_t until_ns);
/* Ends a job; false: the journal was destroyed meanwhile and is gone now. */
bool journal_store_job_done(struct journal_store *store);

/* Whether the disk takes what is committed; says it when that changes. */
void journal_store_protect(struct journal_store *store, bool is_protected, const char *why);

/* journal_round.c */
static inline int64_t journal_now_ns(const struct journal_store *store)
{
	return lc_loop_mono_ns(store->loop);
}
/* Everything before it is written, or needs no writing; NULL: so is all. */
struct segment *journal_first_unwritten(const struct lc_journal *journal);
bool journal_marks_wait(const struct segment *segment, uint64_t through); /* to be stored */
/* The last event times of the sources, as they are now. */
void journal_note_times(const struct journal_store *store, int64_t out[LC_JOURNAL_SOURCES]);
/* Fills the round with what is due; it may be empty. */
void journal_round_build(struct journal_store *store);
void journal_round_work(void *store); /* in the pool: touches the round and what it points to */
void journal_round_end(struct journal_store *store, bool cancelled);

/* journal_sync.c: everything that was written since the last call */
void journal_sync(struct journal_store *store);

/* journal_load.c */
/* Brings a segment back, and the one behind it. */
void journal_load(struct journal_store *store, size_t index);
/* Makes room for one segment in memory; false: nothing can leave now. */
bool journal_evict(struct lc_journal *journal);
bool journal_can_evict(const struct lc_journal *journal);
/* The log is at its size limit: begins to give up the oldest segment that is not on its way. */
void journal_give_up(struct journal_store *store);
void journal_tell_losses(struct journal_store *store);

/* journal_recover_memory.c: all that an earlier process left is taken over, or said */
void journal_adopt_memory(struct journal_store *store);

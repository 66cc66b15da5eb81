/* The bar store's insides: what its files share. Loop thread. */
#pragma once

#include "livecore/backoff.h"
#include "livecore/bar_store.h"
#include "livecore/list.h"
#include "store/bar_spool.h"

#define RETRY_MAX_NS (30 * LC_NS_PER_S) /* the longest wait between two tries */

/* Bars that go together, filled up to batch_rows. */
struct bar_batch {
	struct lc_list node;
	size_t count;
	struct lc_bar_row rows[];
};

/* What is under way: one thing at a time, so that order is kept. */
enum bar_doing { BARS_IDLE, BARS_OPENING, BARS_WRITING, BARS_SPOOLING, BARS_ENDING };
enum bar_spool_work { SPOOL_OPEN, SPOOL_APPEND, SPOOL_PEEK, SPOOL_CLOSE };
enum bar_spool_state { SPOOL_NONE, SPOOL_UNTRIED, SPOOL_USABLE, SPOOL_FAILED };

struct lc_bar_store {
	struct lc_loop *loop;                 /* borrowed */
	const struct lc_store_config *config; /* borrowed */
	struct lc_bar_backend *backend;       /* owned; NULL: none */
	char state_dir[PATH_MAX - 160];
	bool read_only, closing;
	void (*changed)(void *arg);
	void *changed_arg;

	struct lc_timer *batch_timer; /* the first bar of a batch has waited long enough */
	struct lc_timer *retry_timer;
	struct lc_timer *soon; /* answers that may not come from inside a call */
	struct lc_backoff backoff;

	enum bar_doing doing;
	enum lc_err start_error; /* what is under way could not even be started */
	bool want_open;          /* try to open next */
	bool ready;              /* open succeeded, and no write failed since */
	bool ever_ready;
	struct lc_bar_store_status status;

	struct lc_list batches;    /* of struct bar_batch, oldest first; the last one is filled */
	struct bar_batch *sending; /* owned: taken from batches, not in store or spool yet */
	struct bar_batch *drain;   /* owned: what was read from the spool */
	struct bar_batch *spare;   /* owned, empty; or NULL */
	size_t pending;            /* bars in batches */
	bool due;                  /* a batch that is not full is sent too */
	bool writing_drain;        /* WRITING: drain, not sending */

	struct bar_spool spool; /* the job's while SPOOLING */
	enum bar_spool_state spool_state;
	enum bar_spool_work spool_work;
	struct lc_error spool_err;
	struct lc_log_said spool_said;
	bool spool_taken;         /* drain is in the store: it leaves the spool with the next job */
	bool spool_blocked;       /* appending failed: not again before the next try */
	bool append_last;         /* draining and appending take turns */
	uint64_t spool_given_up;  /* of the spool's count, what has been said */
	uint64_t memory_given_up; /* without having been in the spool */

	uint64_t accepted, settled; /* bars taken, and of them in store or spool or lost */
	uint64_t flush_target, flush_given_up;
	lc_bar_done_cb flush_done, init_done; /* NULL: nobody waits */
	void *flush_arg, *init_arg;

	struct lc_list held; /* of struct bar_reading: until the store is open */
	size_t readings;     /* that the backend has */
	void (*closed)(void *arg);
	void *closed_arg;

	uint64_t *written_total, *spooled_total, *given_up_total, *refused_total;
	double *up_gauge, *spool_gauge;
};

/* --- bar_batch.c --- */

/* An empty one; NULL: no memory. */
struct bar_batch *bar_batch_new(const struct lc_bar_store *store);
/* The one that still has room, behind the others; NULL: no memory. */
struct bar_batch *bar_batch_open(struct lc_bar_store *store);
/* The oldest becomes store->sending, of which there is none. */
void bar_batch_take(struct lc_bar_store *store);
/* What was sent is done with. */
void bar_batch_release(struct lc_bar_store *store);
bool bar_batch_is_due(const struct lc_bar_store *store);

/* --- bar_store_work.c --- */

enum lc_err bar_store_make_timers(struct lc_bar_store *store);
/* Goes on with whatever is next. Calls nobody back. */
void bar_store_step(struct lc_bar_store *store);

/* --- bar_store_read.c --- */

/* Hands what was held to the backend. Calls nobody back. */
void bar_store_release_reads(struct lc_bar_store *store);
/* Answers what is held with err. */
void bar_store_fail_reads(struct lc_bar_store *store, const struct lc_error *err);

/* The bounded queue between a feeder and the sender: one a feeder. When it is full its policy
 * decides, and every tick that is lost is reported. Memory is taken in blocks as it fills and
 * given back as it drains. Pure; loop thread. It never drops or merges corrections, cancels and
 * statuses, and never reorders a symbol's ticks of one kind. */
#pragma once

#include "livecore/quality.h"

enum lc_queue_policy {
	LC_QUEUE_CONFLATE, /* merge into the newest queued tick of the same symbol and kind */
	LC_QUEUE_DROP_OLDEST,
	LC_QUEUE_DROP_NEWEST,
	LC_QUEUE_BLOCK, /* the feeder stops reading */
};
/* "conflate", "drop_oldest", …; NULL-terminated */
extern const char *const lc_queue_policy_names[];

struct lc_queue_options {
	size_t capacity; /* ticks; 0: 10,000 */
	enum lc_queue_policy policy;
	/* Room beyond the capacity for what had been read when the feeder was told to stop; 0:
	 * 4,096. Past it ticks are dropped (LC_DROP_QUEUE_FULL). */
	size_t slack;
	/* A tick is lost: with its symbol, kind, seq and conflated (that many before it are lost
	 * too). It is still a true price: give it to lc_last_value_apply(). Must not touch the
	 * queue. */
	void (*drop)(void *arg, const struct lc_tick *tick, enum lc_drop reason);
	void *arg;
};

struct lc_queue;

enum lc_err lc_queue_create(const struct lc_queue_options *options, struct lc_queue **out);
/* What is still queued is freed unreported; lc_queue_drop_all() before it reports. */
void lc_queue_destroy(struct lc_queue *queue);
/* New capacity, slack and policy on reload; what is queued stays. LC_ERR_NOMEM: nothing changed. */
enum lc_err lc_queue_configure(struct lc_queue *queue, const struct lc_queue_options *options);
/* Room for symbols with an index below count, so that pushing them does not allocate.
 * LC_ERR_NOMEM. */
enum lc_err lc_queue_reserve(struct lc_queue *queue, size_t count);

/* Copies the tick in, merges it, or drops one, as the policy says. Afterwards look at
 * lc_queue_blocked(). */
void lc_queue_push(struct lc_queue *queue, const struct lc_tick *tick);

/* Must the feeder stop reading? True from the push that found it full with nothing to merge or
 * drop, until it has drained to half of the capacity. */
bool lc_queue_blocked(const struct lc_queue *queue);

/* The oldest tick, or NULL. It may be completed in place; valid until the next push or pop. */
struct lc_tick *lc_queue_front(struct lc_queue *queue);
/* Takes the oldest away. The queue is not empty. */
void lc_queue_pop(struct lc_queue *queue);
/* Reports everything as dropped for this reason and empties the queue. */
void lc_queue_drop_all(struct lc_queue *queue, enum lc_drop reason);

/* Where the queue begins and ends, as positions that only grow: what is pushed next stands at or
 * behind the end, and is taken once the begin has passed it. */
uint64_t lc_queue_begin(const struct lc_queue *queue);
uint64_t lc_queue_end(const struct lc_queue *queue);

struct lc_queue_stats {
	size_t length, capacity;
	size_t peak;                               /* the most ticks it ever held */
	uint64_t pushed, merged, dropped, blocked; /* blocked: how often */
	size_t memory_bytes;
};
struct lc_queue_stats lc_queue_stats(const struct lc_queue *queue);
size_t lc_queue_length(const struct lc_queue *queue);

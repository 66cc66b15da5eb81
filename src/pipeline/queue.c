#include "livecore/queue.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	CAPACITY = 10000,
	SLACK = 4096,
	BLOCK_TICKS = 32,
	SPARE_BLOCKS = 8, /* kept for the next burst; more are given back */
	/* Under drop_oldest this many corrections, cancels and statuses are stepped over to find a
	 * tick that may go; behind more of them the feeder waits instead. */
	PROTECTED_RUN = 64,
	MERGED_KINDS = LC_TICK_SNAPSHOT + 1,
};

struct block {
	struct block *next; /* of the spare ones */
	struct lc_tick ticks[BLOCK_TICKS];
};

/* Where the newest queued tick of each kind of a symbol is, plus 1; valid while it is at or behind
 * the head. */
struct newest {
	uint64_t at[MERGED_KINDS];
};

struct lc_queue {
	struct lc_queue_options options;
	struct block **blocks; /* owned; a ring, by position / BLOCK_TICKS */
	size_t n_blocks;
	struct block *spare; /* owned */
	size_t n_spare, in_use;
	uint64_t head, tail;   /* positions: ticks ever taken out, ever put in */
	struct newest *newest; /* owned; by symbol */
	size_t n_newest;
	bool blocked;
	struct lc_queue_stats stats;
};

static bool is_protected(const struct lc_tick *tick)
{
	return tick->kind >= MERGED_KINDS;
}

/* Only what is rare has anything in the union, which is a quarter of a tick. */
static void copy_tick(struct lc_tick *to, const struct lc_tick *from)
{
	memcpy(to, from, is_protected(from) ? sizeof *to : offsetof(struct lc_tick, u));
}

static struct block **block_of(const struct lc_queue *queue, uint64_t position)
{
	return &queue->blocks[position / BLOCK_TICKS % queue->n_blocks];
}

static struct lc_tick *tick_at(const struct lc_queue *queue, uint64_t position)
{
	return &(*block_of(queue, position))->ticks[position % BLOCK_TICKS];
}

static size_t length(const struct lc_queue *queue)
{
	return (size_t)(queue->tail - queue->head);
}

static size_t blocks_for(const struct lc_queue_options *options)
{
	/* Twice the slack, because protected ticks may go on where others are refused; one block
	 * more because head and tail need not be aligned. */
	return (options->capacity + 2 * options->slack) / BLOCK_TICKS + 2;
}

static void set_defaults(struct lc_queue_options *options)
{
	options->capacity = options->capacity ? options->capacity : CAPACITY;
	options->slack = options->slack ? options->slack : SLACK;
}

static struct block *take_block(struct lc_queue *queue)
{
	struct block *block = queue->spare;
	if (block) {
		queue->spare = block->next;
		queue->n_spare--;
	} else {
		block = malloc(sizeof *block);
	}
	queue->in_use += block != NULL;
	return block;
}

static void give_block(struct lc_queue *queue, struct block *block)
{
	queue->in_use--;
	if (queue->n_spare >= SPARE_BLOCKS) {
		free(block);
		return;
	}
	/* Last in, first out: the next one filled is still in the cache. */
	block->next = queue->spare;
	queue->spare = block;
	queue->n_spare++;
}

static void say_drop(struct lc_queue *queue, const struct lc_tick *tick, enum lc_drop reason)
{
	queue->stats.dropped += 1 + tick->conflated;
	if (queue->options.drop) {
		queue->options.drop(queue->options.arg, tick, reason);
	}
}

static void advance_head(struct lc_queue *queue)
{
	struct block **block = block_of(queue, queue->head);
	queue->head++;
	if (queue->head % BLOCK_TICKS == 0 || queue->head == queue->tail) {
		/* Emptied in the middle of a block, the next push begins a new one. */
		if (queue->head == queue->tail) {
			queue->head = queue->tail = (queue->tail + BLOCK_TICKS - 1) / BLOCK_TICKS *
						    BLOCK_TICKS;
		}
		give_block(queue, *block);
		*block = NULL;
	}
	if (queue->blocked && length(queue) <= queue->options.capacity / 2) {
		queue->blocked = false;
	}
}

static void note_newest(struct lc_queue *queue, const struct lc_tick *tick, uint64_t position)
{
	if (tick->symbol >= queue->n_newest &&
		lc_queue_reserve(queue, (size_t)tick->symbol + 1) != LC_OK) {
		return; /* such a tick is merged into by none, and that is all */
	}
	struct newest *newest = &queue->newest[tick->symbol];
	if (is_protected(tick)) {
		/* Nothing is merged past a correction, a cancel or a halt. */
		memset(newest, 0, sizeof *newest);
	} else {
		newest->at[tick->kind] = position + 1;
	}
}

/* LC_DROP_NONE when it is in. */
static enum lc_drop append(struct lc_queue *queue, const struct lc_tick *tick)
{
	size_t room = queue->options.capacity + queue->options.slack * (is_protected(tick) ? 2 : 1);
	if (length(queue) >= room) {
		return LC_DROP_QUEUE_FULL;
	}
	struct block **block = block_of(queue, queue->tail);
	if (!*block) {
		*block = take_block(queue);
		if (!*block) {
			return LC_DROP_MEMORY;
		}
	}
	copy_tick(tick_at(queue, queue->tail), tick);
	note_newest(queue, tick, queue->tail);
	queue->tail++;
	if (length(queue) > queue->stats.peak) {
		queue->stats.peak = length(queue);
	}
	return LC_DROP_NONE;
}

/* --- conflation --- */

static int64_t minute_of(int64_t event_ns)
{
	const int64_t minute = INT64_C(60000000000);
	return event_ns / minute - (event_ns % minute < 0);
}

/* Would bars treat the two alike? A late trade's place is its own time; some trades and snapshots
 * have a rule of their own. */
static bool same_in_bars(const struct lc_tick *queued, const struct lc_tick *tick)
{
	switch (tick->kind) {
	case LC_TICK_TRADE:
		return !(tick->flags & LC_FLAG_LATE) &&
		       lc_conditions_class(&queued->conditions) ==
			       lc_conditions_class(&tick->conditions);
	case LC_TICK_SNAPSHOT:
		return queued->traded != LC_TRADED_FIRST && tick->traded != LC_TRADED_FIRST;
	default:
		return true;
	}
}

/* The queued tick that this one may merge into, or NULL. */
static struct lc_tick *mergeable(const struct lc_queue *queue, const struct lc_tick *tick)
{
	if (is_protected(tick) || tick->symbol >= queue->n_newest) {
		return NULL;
	}
	uint64_t at = queue->newest[tick->symbol].at[tick->kind];
	if (at <= queue->head) {
		return NULL;
	}
	struct lc_tick *queued = tick_at(queue, at - 1);
	/* Under drop_oldest a place may have been given to a protected tick. */
	bool same = queued->symbol == tick->symbol && queued->kind == tick->kind;
	bool equal = queued->effect == tick->effect && queued->flags == tick->flags &&
		     queued->source == tick->source && queued->delayed == tick->delayed &&
		     minute_of(queued->event_ns) == minute_of(tick->event_ns);
	/* What a message stands for is a run of numbers without holes. */
	bool next = tick->seq - tick->conflated == queued->seq + 1;
	return same && equal && next && same_in_bars(queued, tick) ? queued : NULL;
}

static struct lc_decimal smaller(struct lc_decimal a, struct lc_decimal b)
{
	return lc_decimal_compare(b, a) < 0 ? b : a;
}

static struct lc_decimal larger(struct lc_decimal a, struct lc_decimal b)
{
	return lc_decimal_compare(b, a) > 0 ? b : a;
}

/* What a tick stands for by itself or with what was merged into it before. */
static struct lc_merged stands_for(const struct lc_tick *tick)
{
	return tick->conflated ? tick->merged
			       : (struct lc_merged){tick->price, tick->price, tick->price,
					 tick->volume, tick->amount, tick->price, tick->event_ns};
}

static struct lc_merged merge_trades(const struct lc_tick *queued, const struct lc_tick *tick)
{
	struct lc_merged a = stands_for(queued), b = stands_for(tick);
	return (struct lc_merged){
		.open = a.open,
		.high = larger(a.high, b.high),
		.low = smaller(a.low, b.low),
		.volume = lc_decimal_add(a.volume, b.volume),
		.amount = lc_decimal_add(a.amount, b.amount),
		.close = b.close,
		.first_ns = a.first_ns,
	};
}

/* Totals are the newest's; of the prices those count that were traded. */
static struct lc_merged merge_snapshots(const struct lc_tick *queued, const struct lc_tick *tick)
{
	struct lc_merged a = stands_for(queued), b = stands_for(tick);
	bool had = queued->has & LC_HAS_PRICE && queued->traded != LC_TRADED_NO;
	bool has = tick->has & LC_HAS_PRICE && tick->traded != LC_TRADED_NO;
	if (!had || !has) {
		a = had ? a : b;
		b = a;
	}
	return (struct lc_merged){
		.open = a.open,
		.high = larger(a.high, b.high),
		.low = smaller(a.low, b.low),
		.volume = tick->volume,
		.amount = tick->amount,
		.close = b.close,
		.first_ns = a.first_ns,
	};
}

static void merge(struct lc_tick *queued, const struct lc_tick *tick)
{
	struct lc_merged merged = {0};
	if (tick->kind == LC_TICK_TRADE) {
		merged = merge_trades(queued, tick);
	} else if (tick->kind == LC_TICK_SNAPSHOT) {
		merged = merge_snapshots(queued, tick);
	}
	uint32_t conflated = queued->conflated + tick->conflated + 1;
	uint8_t traded = queued->traded == LC_TRADED_YES ? queued->traded : tick->traded;
	copy_tick(queued, tick);
	queued->traded = traded;
	queued->conflated = conflated;
	queued->merged = merged;
}

/* --- dropping --- */

/* Drops the oldest tick that may go. The protected ones before it move up by one place, so that the
 * head can advance; they are few and short. */
static bool drop_oldest(struct lc_queue *queue)
{
	uint64_t at = queue->head;
	while (at < queue->tail && is_protected(tick_at(queue, at))) {
		if (++at - queue->head > PROTECTED_RUN) {
			return false;
		}
	}
	if (at == queue->tail) {
		return false;
	}
	say_drop(queue, tick_at(queue, at), LC_DROP_QUEUE_OLDEST);
	for (; at > queue->head; at--) {
		copy_tick(tick_at(queue, at), tick_at(queue, at - 1));
	}
	advance_head(queue);
	return true;
}

static void block(struct lc_queue *queue)
{
	queue->stats.blocked += !queue->blocked;
	queue->blocked = true;
}

/* The queue is at its capacity. True when the tick was taken care of. */
static bool make_way(struct lc_queue *queue, const struct lc_tick *tick)
{
	switch (queue->options.policy) {
	case LC_QUEUE_CONFLATE: {
		struct lc_tick *queued = mergeable(queue, tick);
		if (queued) {
			merge(queued, tick);
			queue->stats.merged++;
			return true;
		}
		block(queue);
		return false;
	}
	case LC_QUEUE_DROP_OLDEST:
		/* Two for one, so that a queue whose capacity was reduced comes down to it. */
		for (int i = 0; i < 2 && length(queue) >= queue->options.capacity; i++) {
			if (!drop_oldest(queue)) {
				block(queue);
				break;
			}
		}
		return false;
	case LC_QUEUE_DROP_NEWEST:
		if (is_protected(tick)) {
			return false;
		}
		say_drop(queue, tick, LC_DROP_QUEUE_NEWEST);
		return true;
	case LC_QUEUE_BLOCK:
		block(queue);
		return false;
	}
	return false;
}

/* Moves what is queued to a ring of another size. */
static enum lc_err resize(struct lc_queue *queue, size_t n_blocks)
{
	size_t needed = length(queue) / BLOCK_TICKS + 2;
	n_blocks = n_blocks > needed ? n_blocks : needed;
	struct block **blocks = calloc(n_blocks, sizeof(struct block *));
	if (!blocks) {
		return LC_ERR_NOMEM;
	}
	uint64_t first = queue->head / BLOCK_TICKS;
	uint64_t end = (queue->tail + BLOCK_TICKS - 1) / BLOCK_TICKS;
	for (uint64_t i = first; i < end; i++) {
		blocks[i % n_blocks] = queue->blocks[i % queue->n_blocks];
	}
	free(queue->blocks);
	queue->blocks = blocks;
	queue->n_blocks = n_blocks;
	return LC_OK;
}

const char *const lc_queue_policy_names[] = {
	"conflate", "drop_oldest", "drop_newest", "block", NULL};

enum lc_err lc_queue_create(const struct lc_queue_options *options, struct lc_queue **out)
{
	struct lc_queue *queue = calloc(1, sizeof *queue);
	if (!queue) {
		return LC_ERR_NOMEM;
	}
	queue->options = *options;
	set_defaults(&queue->options);
	queue->n_blocks = blocks_for(&queue->options);
	queue->blocks = calloc(queue->n_blocks, sizeof(struct block *));
	if (!queue->blocks) {
		free(queue);
		return LC_ERR_NOMEM;
	}
	*out = queue;
	return LC_OK;
}

void lc_queue_destroy(struct lc_queue *queue)
{
	if (!queue) {
		return;
	}
	for (size_t i = 0; i < queue->n_blocks; i++) {
		free(queue->blocks[i]);
	}
	while (queue->spare) {
		struct block *next = queue->spare->next;
		free(queue->spare);
		queue->spare = next;
	}
	free(queue->blocks);
	free(queue->newest);
	free(queue);
}

enum lc_err lc_queue_configure(struct lc_queue *queue, const struct lc_queue_options *options)
{
	struct lc_queue_options changed = *options;
	set_defaults(&changed);
	enum lc_err rc = resize(queue, blocks_for(&changed));
	if (rc != LC_OK) {
		return rc;
	}
	queue->options = changed;
	if (length(queue) <= changed.capacity / 2) {
		queue->blocked = false;
	}
	return LC_OK;
}

enum lc_err lc_queue_reserve(struct lc_queue *queue, size_t count)
{
	if (count <= queue->n_newest) {
		return LC_OK;
	}
	size_t grown = queue->n_newest ? queue->n_newest : 256;
	while (grown < count) {
		grown *= 2;
	}
	/* The first room is not written to: the kernel gives its pages as symbols come. */
	struct newest *newest = queue->n_newest ? realloc(queue->newest, grown * sizeof *newest)
						: calloc(grown, sizeof *newest);
	if (!newest) {
		return LC_ERR_NOMEM;
	}
	if (queue->n_newest) {
		memset(newest + queue->n_newest, 0, (grown - queue->n_newest) * sizeof *newest);
	}
	queue->newest = newest;
	queue->n_newest = grown;
	return LC_OK;
}

void lc_queue_push(struct lc_queue *queue, const struct lc_tick *tick)
{
	queue->stats.pushed++;
	if (length(queue) >= queue->options.capacity && make_way(queue, tick)) {
		return;
	}
	enum lc_drop why = append(queue, tick);
	if (why == LC_DROP_NONE) {
		return;
	}
	/* An empty queue has nothing whose leaving would end the wait. */
	if (length(queue) > 0) {
		block(queue);
	}
	say_drop(queue, tick, why);
}

bool lc_queue_blocked(const struct lc_queue *queue)
{
	return queue->blocked;
}

struct lc_tick *lc_queue_front(struct lc_queue *queue)
{
	return queue->head < queue->tail ? tick_at(queue, queue->head) : NULL;
}

void lc_queue_pop(struct lc_queue *queue)
{
	assert(queue->head < queue->tail);
	advance_head(queue);
}

void lc_queue_drop_all(struct lc_queue *queue, enum lc_drop reason)
{
	while (queue->head < queue->tail) {
		say_drop(queue, tick_at(queue, queue->head), reason);
		advance_head(queue);
	}
}

struct lc_queue_stats lc_queue_stats(const struct lc_queue *queue)
{
	struct lc_queue_stats stats = queue->stats;
	stats.length = length(queue);
	stats.capacity = queue->options.capacity;
	stats.memory_bytes = (queue->in_use + queue->n_spare) * sizeof(struct block) +
			     queue->n_blocks * sizeof(struct block *) +
			     queue->n_newest * sizeof *queue->newest;
	return stats;
}

size_t lc_queue_length(const struct lc_queue *queue)
{
	return length(queue);
}

uint64_t lc_queue_begin(const struct lc_queue *queue)
{
	return queue->head;
}

uint64_t lc_queue_end(const struct lc_queue *queue)
{
	return queue->tail;
}

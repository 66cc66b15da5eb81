#include "livecore/queue.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SYMBOLS = 5 };
#define MINUTE INT64_C(60000000000)

/* Everything that was pushed, merged and lost, summed so that nothing can hide. */
struct sums {
	uint64_t count, volume, amount;
	int64_t high, low, open;
};

struct ledger {
	uint64_t reported; /* ticks, those merged into them included */
	uint64_t by_reason[LC_DROP_REASONS];
	uint64_t protected_lost;
	uint64_t last_seq[SYMBOLS][LC_TICK_KINDS]; /* of what was dropped */
};

static void on_drop(void *arg, const struct lc_tick *tick, enum lc_drop reason)
{
	struct ledger *ledger = arg;
	ledger->reported += 1 + tick->conflated;
	ledger->by_reason[reason] += 1 + tick->conflated;
	ledger->protected_lost += tick->kind > LC_TICK_SNAPSHOT;
	ledger->last_seq[tick->symbol % SYMBOLS][tick->kind] = tick->seq;
}

static struct lc_queue *create(
	size_t capacity, enum lc_queue_policy policy, size_t slack, struct ledger *ledger)
{
	struct lc_queue *queue;
	memset(ledger, 0, sizeof *ledger);
	struct lc_queue_options options = {.capacity = capacity,
		.policy = policy,
		.slack = slack,
		.drop = on_drop,
		.arg = ledger};
	cr_assert_eq(lc_queue_create(&options, &queue), LC_OK);
	cr_assert_eq(lc_queue_reserve(queue, SYMBOLS), LC_OK);
	return queue;
}

static struct lc_tick make(
	uint32_t symbol, enum lc_tick_kind kind, uint64_t seq, int64_t price, int64_t volume)
{
	struct lc_tick tick = {.symbol = symbol,
		.kind = kind,
		.seq = seq,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT};
	tick.price = lc_decimal_from_int(price);
	tick.volume = lc_decimal_from_int(volume);
	tick.amount = lc_decimal_from_int(price * volume);
	return tick;
}

static bool equals(struct lc_decimal value, int64_t expected)
{
	return lc_decimal_compare(value, lc_decimal_from_int(expected)) == 0;
}

Test(queue, first_in_first_out)
{
	struct ledger ledger;
	struct lc_queue *queue = create(1000, LC_QUEUE_CONFLATE, 0, &ledger);
	cr_assert_null(lc_queue_front(queue));
	uint64_t in = 0, out = 0, random = 4;
	for (int round = 0; round < 2000; round++) {
		for (uint64_t n = xorshift(&random) % 100; n > 0; n--) {
			if (lc_queue_length(queue) < 1000) {
				struct lc_tick tick = make(0, LC_TICK_TRADE, ++in, 1, 1);
				lc_queue_push(queue, &tick);
			}
		}
		for (uint64_t n = xorshift(&random) % 110; n > 0; n--) {
			struct lc_tick *front = lc_queue_front(queue);
			if (front) {
				cr_assert_eq(front->seq, ++out);
				lc_queue_pop(queue);
			}
		}
		cr_assert_eq(lc_queue_length(queue), in - out);
	}
	cr_assert_eq(ledger.reported, 0);
	lc_queue_destroy(queue);
	lc_queue_destroy(NULL);
}

Test(queue, idle_queues_cost_nothing_and_memory_comes_back)
{
	struct ledger ledger;
	struct lc_queue *queue = create(10000, LC_QUEUE_CONFLATE, 0, &ledger);
	cr_assert_lt(lc_queue_stats(queue).memory_bytes, 32 * 1024);
	for (uint64_t i = 1; i <= 10000; i++) {
		struct lc_tick tick = make(0, LC_TICK_TRADE, i, 1, 1);
		lc_queue_push(queue, &tick);
	}
	struct lc_queue_stats full = lc_queue_stats(queue);
	cr_assert(full.length == 10000 && full.peak == 10000 && full.capacity == 10000);
	cr_assert_gt(full.memory_bytes, 10000 * sizeof(struct lc_tick));
	while (lc_queue_front(queue)) {
		lc_queue_pop(queue);
	}
	cr_assert_lt(
		lc_queue_stats(queue).memory_bytes, 32 * 1024 + 9 * 33 * sizeof(struct lc_tick));
	lc_queue_destroy(queue);
}

Test(queue, a_full_queue_merges_trades)
{
	struct ledger ledger;
	struct lc_queue *queue = create(2, LC_QUEUE_CONFLATE, 0, &ledger);
	struct lc_tick a = make(1, LC_TICK_TRADE, 1, 10, 100);
	struct lc_tick b = make(2, LC_TICK_TRADE, 1, 20, 100);
	struct lc_tick c = make(1, LC_TICK_TRADE, 2, 14, 50), d = make(1, LC_TICK_TRADE, 3, 9, 5);
	d.trade_id = 77;
	lc_queue_push(queue, &a);
	lc_queue_push(queue, &b);
	lc_queue_push(queue, &c);
	lc_queue_push(queue, &d);
	cr_assert_not(lc_queue_blocked(queue));
	cr_assert(lc_queue_length(queue) == 2 && lc_queue_stats(queue).merged == 2);
	struct lc_tick *front = lc_queue_front(queue);
	cr_assert(front->symbol == 1 && front->seq == 3 && front->conflated == 2);
	cr_assert(equals(front->price, 9) && equals(front->volume, 5) && front->trade_id == 77);
	cr_assert(equals(front->merged.open, 10) && equals(front->merged.high, 14) &&
		  equals(front->merged.low, 9));
	cr_assert(
		equals(front->merged.volume, 155) && equals(front->merged.amount, 1000 + 700 + 45));
	lc_queue_destroy(queue);
}

Test(queue, quotes_and_snapshots_keep_the_newest)
{
	struct ledger ledger;
	struct lc_queue *queue = create(2, LC_QUEUE_CONFLATE, 0, &ledger);
	struct lc_tick quote = make(1, LC_TICK_QUOTE, 1, 0, 0);
	struct lc_tick snapshot = make(1, LC_TICK_SNAPSHOT, 1, 12, 100);
	quote.has = LC_HAS_BID;
	lc_queue_push(queue, &quote);
	lc_queue_push(queue, &snapshot);
	quote.seq = 2;
	quote.bid = lc_decimal_from_int(7);
	lc_queue_push(queue, &quote);
	snapshot = make(1, LC_TICK_SNAPSHOT, 2, 15, 180);
	lc_queue_push(queue, &snapshot);
	snapshot = make(1, LC_TICK_SNAPSHOT, 3, 11, 200);
	lc_queue_push(queue, &snapshot);
	struct lc_tick *front = lc_queue_front(queue);
	cr_assert(front->kind == LC_TICK_QUOTE && front->seq == 2 && front->conflated == 1 &&
		  equals(front->bid, 7));
	lc_queue_pop(queue);
	front = lc_queue_front(queue);
	cr_assert(front->seq == 3 && front->conflated == 2 && equals(front->price, 11));
	cr_assert(equals(front->merged.high, 15) && equals(front->merged.low, 11) &&
		  equals(front->merged.open, 12));
	cr_assert(equals(front->merged.volume, 200) && equals(front->volume, 200));
	lc_queue_destroy(queue);
}

Test(queue, only_like_merges_with_like)
{
	struct lc_tick first = make(1, LC_TICK_TRADE, 1, 10, 100);
	first.event_ns = MINUTE - 1;
	struct lc_tick others[6];
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		others[i] = first;
		others[i].seq = 2;
	}
	others[0].event_ns = MINUTE;
	others[1].effect = LC_UPDATES_VOLUME;
	others[2].flags = LC_FLAG_LATE;
	others[3].kind = LC_TICK_QUOTE;
	others[4].symbol = 2;
	others[5].seq = 3; /* number 2 was lost: a hole is not to be papered over */
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct ledger ledger;
		struct lc_queue *queue = create(1, LC_QUEUE_CONFLATE, 4, &ledger);
		lc_queue_push(queue, &first);
		lc_queue_push(queue, &others[i]);
		cr_assert(lc_queue_blocked(queue), "case %zu", i);
		cr_assert_eq(lc_queue_length(queue), 2, "it was read already, so it is kept");
		lc_queue_pop(queue);
		cr_assert(lc_queue_blocked(queue));
		lc_queue_pop(queue);
		cr_assert_not(lc_queue_blocked(queue));
		lc_queue_destroy(queue);
	}
}

Test(queue, nothing_merges_past_a_correction)
{
	struct ledger ledger;
	struct lc_queue *queue = create(2, LC_QUEUE_CONFLATE, 4, &ledger);
	struct lc_tick trade = make(1, LC_TICK_TRADE, 1, 10, 100);
	struct lc_tick cancel = make(1, LC_TICK_CANCEL, 0, 10, 100);
	lc_queue_push(queue, &trade);
	lc_queue_push(queue, &cancel);
	trade.seq = 2;
	lc_queue_push(queue, &trade);
	cr_assert_eq(lc_queue_length(queue), 3);
	cr_assert(lc_queue_blocked(queue));
	/* Behind the correction they merge again. */
	trade.seq = 3;
	lc_queue_push(queue, &trade);
	cr_assert_eq(lc_queue_length(queue), 3);
	lc_queue_destroy(queue);
}

Test(queue, the_slack_is_bounded_and_what_it_cannot_take_is_reported)
{
	struct ledger ledger;
	struct lc_queue *queue = create(4, LC_QUEUE_BLOCK, 3, &ledger);
	for (uint64_t i = 1; i <= 10; i++) {
		struct lc_tick tick = make(1, LC_TICK_TRADE, i, 10, 1);
		lc_queue_push(queue, &tick);
		cr_assert_eq(lc_queue_blocked(queue), i > 4);
	}
	cr_assert_eq(lc_queue_length(queue), 7);
	cr_assert_eq(ledger.by_reason[LC_DROP_QUEUE_FULL], 3);
	cr_assert_eq(lc_queue_stats(queue).blocked, 1);
	/* A halt still finds room. */
	struct lc_tick halt = make(1, LC_TICK_STATUS, 0, 0, 0);
	for (int i = 0; i < 4; i++) {
		lc_queue_push(queue, &halt);
	}
	cr_assert_eq(lc_queue_length(queue), 10);
	cr_assert_eq(ledger.protected_lost, 1);
	lc_queue_destroy(queue);
}

Test(queue, drop_oldest_steps_over_what_must_stay)
{
	struct ledger ledger;
	struct lc_queue *queue = create(4, LC_QUEUE_DROP_OLDEST, 100, &ledger);
	struct lc_tick halt = make(1, LC_TICK_STATUS, 0, 0, 0);
	lc_queue_push(queue, &halt);
	for (uint64_t i = 1; i <= 100; i++) {
		struct lc_tick tick = make(1, LC_TICK_TRADE, i, 10, 1);
		lc_queue_push(queue, &tick);
	}
	cr_assert_not(lc_queue_blocked(queue));
	cr_assert_eq(lc_queue_length(queue), 4);
	cr_assert(ledger.by_reason[LC_DROP_QUEUE_OLDEST] == 97 && ledger.protected_lost == 0);
	cr_assert_eq(lc_queue_front(queue)->kind, LC_TICK_STATUS);
	lc_queue_pop(queue);
	for (uint64_t seq = 98; seq <= 100; seq++) {
		cr_assert_eq(lc_queue_front(queue)->seq, seq);
		lc_queue_pop(queue);
	}
	/* Full of what must stay, it waits. */
	for (int i = 0; i < 5; i++) {
		lc_queue_push(queue, &halt);
	}
	cr_assert(lc_queue_blocked(queue));
	cr_assert_eq(ledger.protected_lost, 0);
	lc_queue_destroy(queue);
}

Test(queue, a_new_configuration_keeps_what_is_queued)
{
	struct ledger ledger;
	struct lc_queue *queue = create(5000, LC_QUEUE_BLOCK, 10, &ledger);
	for (uint64_t i = 1; i <= 5000; i++) {
		struct lc_tick tick = make(1, LC_TICK_TRADE, i, 10, 1);
		lc_queue_push(queue, &tick);
	}
	struct lc_queue_options options = {.capacity = 100,
		.policy = LC_QUEUE_DROP_OLDEST,
		.slack = 10,
		.drop = on_drop,
		.arg = &ledger};
	cr_assert_eq(lc_queue_configure(queue, &options), LC_OK);
	cr_assert_eq(lc_queue_length(queue), 5000);
	for (uint64_t i = 5001; i <= 12000; i++) {
		struct lc_tick tick = make(1, LC_TICK_TRADE, i, 10, 1);
		lc_queue_push(queue, &tick);
	}
	cr_assert_eq(lc_queue_length(queue), 100);
	cr_assert_eq(lc_queue_front(queue)->seq, 11901);
	lc_queue_drop_all(queue, LC_DROP_SHUTDOWN);
	cr_assert_eq(ledger.by_reason[LC_DROP_SHUTDOWN], 100);
	cr_assert_eq(lc_queue_stats(queue).dropped, 12000);
	cr_assert_str_eq(lc_queue_policy_names[LC_QUEUE_DROP_NEWEST], "drop_newest");
	lc_queue_destroy(queue);
}

/* What a consumer sums up over a stretch of messages equals what it would have summed up over the
 * raw ticks, whichever were merged. */
static void add_raw(struct sums *sums, int64_t price, int64_t volume)
{
	sums->open = sums->count ? sums->open : price;
	sums->high = sums->count && sums->high > price ? sums->high : price;
	sums->low = sums->count && sums->low < price ? sums->low : price;
	sums->count++;
	sums->volume += (uint64_t)volume;
	sums->amount += (uint64_t)(price * volume);
}

static int64_t integer(struct lc_decimal value)
{
	return (int64_t)lc_decimal_to_double(value);
}

static void add_message(struct sums *sums, const struct lc_tick *tick)
{
	struct lc_merged m = tick->conflated ? tick->merged
					     : (struct lc_merged){tick->price, tick->price,
						       tick->price, tick->volume, tick->amount};
	sums->open = sums->count ? sums->open : integer(m.open);
	sums->high = sums->count && sums->high > integer(m.high) ? sums->high : integer(m.high);
	sums->low = sums->count && sums->low < integer(m.low) ? sums->low : integer(m.low);
	sums->count += 1 + tick->conflated;
	sums->volume += (uint64_t)integer(m.volume);
	sums->amount += (uint64_t)integer(m.amount);
}

static void take_one(struct lc_queue *queue, struct sums sums[SYMBOLS][4],
	uint64_t last_seq[SYMBOLS][LC_TICK_KINDS], uint64_t *taken)
{
	struct lc_tick *tick = lc_queue_front(queue);
	if (!tick) {
		return;
	}
	if (tick->kind <= LC_TICK_SNAPSHOT) {
		cr_assert_eq(tick->seq - tick->conflated, last_seq[tick->symbol][tick->kind] + 1,
			"no message of a symbol and kind is missing or out of order");
		last_seq[tick->symbol][tick->kind] = tick->seq;
	}
	*taken += 1 + tick->conflated;
	if (tick->kind == LC_TICK_TRADE) {
		add_message(&sums[tick->symbol][(size_t)(tick->event_ns / MINUTE) % 4], tick);
	}
	lc_queue_pop(queue);
}

Test(queue, conflation_keeps_count_volume_amount_open_high_and_low)
{
	uint64_t random = 77;
	for (int round = 0; round < 60; round++) {
		struct ledger ledger;
		struct lc_queue *queue = create(
			1 + xorshift(&random) % 40, LC_QUEUE_CONFLATE, 5000, &ledger);
		struct sums raw[SYMBOLS][4] = {0}, seen[SYMBOLS][4] = {0};
		uint64_t seq[SYMBOLS][LC_TICK_KINDS] = {0}, last[SYMBOLS][LC_TICK_KINDS] = {0};
		uint64_t taken = 0;
		for (int i = 0; i < 3000; i++) {
			uint32_t symbol = xorshift(&random) % SYMBOLS;
			bool rare = xorshift(&random) % 50 == 0;
			enum lc_tick_kind kind = rare ? LC_TICK_STATUS : xorshift(&random) % 3;
			int64_t price = 1 + (int64_t)(xorshift(&random) % 1000);
			int64_t volume = (int64_t)(xorshift(&random) % 500);
			struct lc_tick tick = make(symbol, kind, 0, price, volume);
			tick.seq = rare ? 0 : ++seq[symbol][kind];
			tick.event_ns = i / 750 * MINUTE;
			tick.flags = xorshift(&random) % 20 == 0 ? LC_FLAG_LATE : 0;
			if (kind == LC_TICK_TRADE) {
				add_raw(&raw[symbol][i / 750], price, volume);
			}
			lc_queue_push(queue, &tick);
			if (xorshift(&random) % 3 == 0) {
				take_one(queue, seen, last, &taken);
			}
		}
		while (lc_queue_front(queue)) {
			take_one(queue, seen, last, &taken);
		}
		cr_assert_eq(taken, 3000);
		cr_assert_eq(ledger.reported, 0);
		cr_assert_gt(lc_queue_stats(queue).merged, 0);
		cr_assert_arr_eq(raw, seen, sizeof raw);
		lc_queue_destroy(queue);
	}
}

Test(queue, under_every_policy_nothing_is_lost_without_a_report)
{
	uint64_t random = 99;
	for (int policy = LC_QUEUE_CONFLATE; policy <= LC_QUEUE_BLOCK; policy++) {
		for (int round = 0; round < 20; round++) {
			struct ledger ledger;
			struct lc_queue *queue = create(1 + xorshift(&random) % 50, policy,
				1 + xorshift(&random) % 20, &ledger);
			uint64_t pushed = 2000, taken = 0, seq[SYMBOLS][LC_TICK_KINDS] = {0};
			uint64_t last[SYMBOLS][LC_TICK_KINDS] = {0};
			for (uint64_t i = 0; i < pushed; i++) {
				uint32_t symbol = xorshift(&random) % SYMBOLS;
				enum lc_tick_kind kind = xorshift(&random) % LC_TICK_KINDS;
				struct lc_tick tick = make(symbol, kind, 0, 5, 5);
				tick.seq = ++seq[symbol][kind];
				lc_queue_push(queue, &tick);
				struct lc_tick *front = lc_queue_front(queue);
				if (xorshift(&random) % 2 && front) {
					cr_assert_gt(front->seq, last[front->symbol][front->kind]);
					last[front->symbol][front->kind] = front->seq;
					taken += 1 + front->conflated;
					lc_queue_pop(queue);
				}
			}
			lc_queue_drop_all(queue, LC_DROP_SHUTDOWN);
			cr_assert_eq(taken + ledger.reported, pushed, "policy %d", policy);
			cr_assert_eq(lc_queue_stats(queue).dropped, ledger.reported);
			lc_queue_destroy(queue);
		}
	}
}

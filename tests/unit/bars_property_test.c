/* What must hold of any tape: the sums, that conflation changes nothing, that a restart changes
 * nothing. */
#include "bars_fixture.h"
#include "livecore/queue.h"
#include "xorshift.h"

enum { TAPES = 60, TICKS = 1200 };

static uint64_t below(uint64_t *state, uint64_t n)
{
	return xorshift(state) % n;
}

/* --- tapes --- */

struct tape {
	struct lc_tick ticks[TICKS];
	int count;
	int64_t open_ns, end_ns;
};

/* Snapshots with sudden extremes, auctions that indicate prices, pauses and lost polls. */
static void make_cn(struct bars_fixture *f, struct tape *tape, uint64_t seed)
{
	uint64_t random = seed;
	int64_t now = at(f, "2026-03-04 09:24:00"), volume = 0, amount = 0, price = 1000;
	int64_t high = 0, low = 0, open = 0;
	tape->count = 0;
	tape->open_ns = now;
	tape->end_ns = at(f, "2026-03-04 15:40:00");
	while (tape->count < TICKS && now < tape->end_ns) {
		now += (int64_t)below(&random, 36) * SECOND + (int64_t)below(&random, SECOND);
		price += (int64_t)below(&random, 21) - 10;
		if (below(&random, 3) != 0) {
			int64_t size = 1 + (int64_t)below(&random, 900);
			int64_t over = below(&random, 9) == 0 ? 15 : 0;
			open = open ? open : price;
			high = price + over > high ? price + over : high;
			low = !low || price - over < low ? price - over : low;
			volume += size;
			amount += size * price;
		}
		struct lc_tick *tick = &tape->ticks[tape->count++];
		*tick = (struct lc_tick){.symbol = f->symbol,
			.kind = LC_TICK_SNAPSHOT,
			.effect = LC_UPDATES_ALL,
			.event_ns = now,
			.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT | LC_HAS_EVENT_TIME};
		tick->price = (struct lc_decimal){price, -2};
		tick->volume = lc_decimal_from_int(volume);
		tick->amount = (struct lc_decimal){amount, -2};
		if (volume > 0) {
			tick->has |= LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW;
			tick->open = (struct lc_decimal){open, -2};
			tick->high = (struct lc_decimal){high, -2};
			tick->low = (struct lc_decimal){low, -2};
		}
	}
}

static const char *const conditions[] = {"", "@", "@I", "I", "Z", "T", "6", "9", "M", "@F"};

static void make_us(struct bars_fixture *f, struct tape *tape, uint64_t seed)
{
	uint64_t random = seed;
	int64_t now = at(f, "2026-03-04 09:25:00"), price = 1000;
	tape->count = 0;
	tape->open_ns = now;
	tape->end_ns = at(f, "2026-03-04 16:20:00");
	while (tape->count < TICKS && now < tape->end_ns) {
		now += (int64_t)below(&random, 40) * SECOND + (int64_t)below(&random, SECOND);
		price += (int64_t)below(&random, 21) - 10;
		unsigned kind = (unsigned)below(&random, 60);
		bool closing = now > at(f, "2026-03-04 16:00:00");
		const char *code = conditions[below(&random, closing ? 10 : 5)];
		struct lc_tick *tick = &tape->ticks[tape->count++];
		*tick = trade_tick(f, "2026-03-04 10:00:00", "1", "1", code);
		tick->event_ns = now;
		tick->price = (struct lc_decimal){price, -2};
		tick->volume = lc_decimal_from_int(1 + (int64_t)below(&random, 500));
		tick->amount = lc_decimal_mul(tick->price, tick->volume);
		tick->trade_id = (uint64_t)tape->count;
		tick->has |= LC_HAS_TRADE_ID | LC_HAS_EVENT_TIME;
		if (tick->effect & LC_UPDATES_LAST_IF_FIRST) {
			tick->effect &= (uint8_t)~LC_UPDATES_LAST_IF_FIRST;
		}
		if (kind < 4) {
			tick->event_ns -= (int64_t)below(&random, 300) * SECOND;
			tick->flags |= LC_FLAG_LATE;
		} else if (kind == 4 && tape->count > 10) {
			struct lc_tick of = tape->ticks[tape->count - 2 - (int)below(&random, 8)];
			if (of.kind == LC_TICK_TRADE) {
				*tick = of;
				tick->kind = LC_TICK_CANCEL;
				/* A cancel does not tell what the trade had updated. */
				tick->conditions.count = 0;
			}
		}
	}
}

/* --- what came out --- */

struct result {
	struct lc_bar bars[2000];
	size_t count;
};

/* The last word on each bar; its revision aside, since that counts when we spoke. */
static void last_words(const struct bars_fixture *f, struct result *result)
{
	result->count = 0;
	for (size_t i = 0; i < f->n_said; i++) {
		struct lc_bar bar = f->said[i];
		size_t at_ = 0;
		while (at_ < result->count && (result->bars[at_].period != bar.period ||
						      result->bars[at_].start_ns != bar.start_ns)) {
			at_++;
		}
		bar.revision = 0;
		cr_assert_lt(at_, sizeof result->bars / sizeof *result->bars);
		result->bars[at_] = bar;
		result->count += at_ == result->count;
	}
}

static int by_start(const void *a, const void *b)
{
	const struct lc_bar *x = a, *y = b;
	if (x->period != y->period) {
		return x->period < y->period ? -1 : 1;
	}
	return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

static void assert_same(
	const struct bars_fixture *f, struct result *a, struct result *b, uint64_t seed)
{
	qsort(a->bars, a->count, sizeof *a->bars, by_start);
	qsort(b->bars, b->count, sizeof *b->bars, by_start);
	cr_assert_eq(a->count, b->count, "seed %llu: %zu, %zu", (unsigned long long)seed, a->count,
		b->count);
	struct lc_buf x, y;
	lc_buf_init(&x, 4096);
	lc_buf_init(&y, 4096);
	for (size_t i = 0; i < a->count; i++) {
		lc_buf_clear(&x);
		lc_buf_clear(&y);
		bar_text(f, &a->bars[i], &x);
		bar_text(f, &b->bars[i], &y);
		cr_assert_str_eq(lc_buf_text(&x), lc_buf_text(&y), "seed %llu: %s, %s",
			(unsigned long long)seed, lc_buf_text(&x), lc_buf_text(&y));
	}
	lc_buf_finish(&x);
	lc_buf_finish(&y);
}

static struct lc_decimal sum_of(const struct result *result, enum lc_period period)
{
	struct lc_decimal sum = {0};
	for (size_t i = 0; i < result->count; i++) {
		if (result->bars[i].period == period) {
			sum = lc_decimal_add(sum, result->bars[i].volume);
		}
	}
	return sum;
}

/* --- the sums --- */

/* Every period has the same volume; with the hole and what is outside of the minutes, it is the
 * day's. */
static void assert_sums(const struct bars_fixture *f, const struct result *result,
	struct lc_decimal outside, uint64_t seed)
{
	struct lc_decimal minutes = sum_of(result, LC_PERIOD_1M), gap = {0};
	for (enum lc_period p = LC_PERIOD_5M; p < LC_PERIOD_1D; p++) {
		cr_assert_eq(lc_decimal_compare(sum_of(result, p), minutes), 0, "seed %llu: %s",
			(unsigned long long)seed, lc_period_name(p));
	}
	for (size_t i = 0; i < result->count; i++) {
		const struct lc_bar *bar = &result->bars[i];
		gap = lc_decimal_add(gap, bar->gap_volume);
		cr_assert(bar->final);
		cr_assert(lc_decimal_compare(bar->low, bar->open) <= 0 ||
			  bar->period == LC_PERIOD_1D);
		cr_assert(lc_decimal_compare(bar->low, bar->high) <= 0);
		cr_assert(lc_decimal_compare(bar->close, bar->high) <= 0 ||
			  f->market == LC_MARKET_US);
	}
	struct lc_decimal all = lc_decimal_add(lc_decimal_add(minutes, gap), outside);
	cr_assert_eq(lc_decimal_compare(sum_of(result, LC_PERIOD_1D), all), 0, "seed %llu",
		(unsigned long long)seed);
}

static void finish_day(struct bars_fixture *f)
{
	while (lc_bars_advance(f->bars, f->market, at(f, "2026-03-04 23:00:00"))) {
	}
	while (lc_bars_flush(f->bars, at(f, "2026-03-04 23:00:00"))) {
	}
}

Test(bars_property, sums_with_holes)
{
	static struct tape tape;
	static struct result result;
	for (uint64_t seed = 1; seed <= TAPES; seed++) {
		struct bars_fixture f;
		uint64_t random = seed * 77;
		fixture_open(&f, "600000.SH", 0, false);
		make_cn(&f, &tape, seed);
		int64_t start = tape.open_ns + (int64_t)below(&random, 7200) * SECOND;
		cr_assert_eq(lc_bars_follow(f.bars, f.symbol, start), LC_OK);
		struct lc_decimal before = {0}, outside = {0};
		int64_t fixed_price = at(&f, "2026-03-04 15:05:00"), lost_from = 0;
		bool first = true;
		for (int i = 0; i < tape.count; i++) {
			const struct lc_tick *tick = &tape.ticks[i];
			if (tick->event_ns < start) {
				continue;
			}
			if (!lost_from && !first && below(&random, 50) == 0) {
				lost_from = tape.ticks[i - 1].event_ns;
			}
			bool ends = lost_from && (below(&random, 20) == 0 || i == tape.count - 1);
			if (lost_from && !ends) {
				continue;
			}
			bool hole = lost_from != 0;
			if (hole) {
				lc_bars_gap(f.bars, f.symbol, lost_from, tick->event_ns);
				lost_from = 0;
			}
			lc_bars_tick(f.bars, tick);
			while (below(&random, 2) &&
				lc_bars_advance(f.bars, f.market, tick->event_ns)) {
			}
			/* What the rule leaves to 1d alone; a hole's end is the hole's. */
			bool whole = !first && (!hole || tick->event_ns - start < 0);
			if (tick->event_ns >= fixed_price && whole) {
				outside = lc_decimal_add(
					outside, lc_decimal_sub(tick->volume, before));
			}
			before = tick->volume;
			first = false;
		}
		finish_day(&f);
		last_words(&f, &result);
		if (result.count > 0 && !first) {
			struct lc_bar day;
			cr_assert_eq(lc_bars_day(f.bars, f.symbol, tape.end_ns, &day), LC_OK);
			/* A hole that reaches past 15:05 may be outside or in the gap: both are in
			 * no minute. */
			struct lc_decimal minutes = sum_of(&result, LC_PERIOD_1M);
			struct lc_decimal rest = lc_decimal_sub(day.volume, minutes);
			cr_assert_geq(lc_decimal_compare(rest, day.gap_volume), 0);
			struct lc_decimal free = lc_decimal_sub(rest, day.gap_volume);
			cr_assert_geq(lc_decimal_compare(free, outside), 0);
			cr_assert_eq(lc_decimal_compare(day.volume, before), 0);
			assert_sums(&f, &result, free, seed);
		}
		fixture_close(&f);
	}
}

Test(bars_property, sums_of_trades)
{
	static struct tape tape;
	static struct result result;
	for (uint64_t seed = 1; seed <= TAPES; seed++) {
		struct bars_fixture f;
		fixture_open(&f, "IBM", 0, false);
		make_us(&f, &tape, seed);
		cr_assert_eq(lc_bars_follow(f.bars, f.symbol, tape.open_ns), LC_OK);
		struct lc_decimal outside = {0};
		for (int i = 0; i < tape.count; i++) {
			const struct lc_tick *tick = &tape.ticks[i];
			lc_bars_tick(f.bars, tick);
			bool closing = lc_conditions_class(&tick->conditions) ==
				       LC_CONDITIONS_CLOSING;
			if (tick->kind == LC_TICK_TRADE && closing) {
				outside = lc_decimal_add(outside, tick->volume);
			}
			while (lc_bars_advance(f.bars, f.market, tick->event_ns)) {
			}
		}
		finish_day(&f);
		last_words(&f, &result);
		assert_sums(&f, &result, outside, seed);
		fixture_close(&f);
	}
}

/* --- conflation --- */

static void drain(struct lc_queue *queue, struct bars_fixture *f, uint64_t *merged)
{
	struct lc_tick *tick;
	while ((tick = lc_queue_front(queue)) != NULL) {
		*merged += tick->conflated;
		lc_bars_tick(f->bars, tick);
		lc_queue_pop(queue);
	}
}

/* Through quality, which numbers and says what was traded, and a queue of `capacity`. */
static uint64_t run_queued(
	struct bars_fixture *f, const struct tape *tape, size_t capacity, uint64_t seed)
{
	struct lc_queue *queue;
	struct lc_quality *quality;
	const struct lc_queue_options options = {
		.capacity = capacity, .policy = LC_QUEUE_CONFLATE, .slack = 1 << 16};
	const struct lc_quality_host host = {0};
	const struct lc_quality_options judge = {.symbols = f->symbols,
		.calendar = f->calendar,
		.seed = 5,
		.future_ns = INT64_C(1) << 60,
		.host = &host};
	cr_assert_eq(lc_queue_create(&options, &queue), LC_OK);
	cr_assert_eq(lc_quality_create(&judge, &quality), LC_OK);
	cr_assert_eq(lc_quality_follow(quality, f->symbol, true), LC_OK);
	cr_assert_eq(lc_bars_follow(f->bars, f->symbol, tape->open_ns), LC_OK);
	uint64_t random = seed, merged = 0;
	for (int i = 0; i < tape->count; i++) {
		struct lc_tick tick = tape->ticks[i];
		enum lc_drop reason;
		/* A session that begins anew after a hole: its first snapshot is not merged. */
		if (i > 0 && tick.kind == LC_TICK_SNAPSHOT && below(&random, 80) == 0) {
			drain(queue, f, &merged);
			lc_quality_source_reset(quality, 0);
			lc_bars_gap(
				f->bars, f->symbol, tape->ticks[i - 1].event_ns, tick.event_ns - 1);
		}
		enum lc_verdict verdict = lc_quality_judge(quality, &tick, tick.event_ns, &reason);
		if (verdict == LC_PASS || verdict == LC_PASS_RELEASE) {
			lc_queue_push(queue, &tick);
		}
		if (below(&random, 12) == 0) {
			drain(queue, f, &merged);
			while (lc_bars_advance(f->bars, f->market, tick.event_ns)) {
			}
		}
	}
	drain(queue, f, &merged);
	finish_day(f);
	lc_quality_destroy(quality);
	lc_queue_destroy(queue);
	return merged;
}

static void compare_conflated(
	const char *symbol, void (*make)(struct bars_fixture *, struct tape *, uint64_t))
{
	static struct tape tape;
	static struct result plain, conflated;
	uint64_t merged = 0;
	for (uint64_t seed = 1; seed <= TAPES; seed++) {
		struct bars_fixture f;
		fixture_open(&f, symbol, 0, seed % 2);
		make(&f, &tape, seed);
		cr_assert_eq(run_queued(&f, &tape, 1 << 16, seed), 0u);
		last_words(&f, &plain);
		fixture_close(&f);
		fixture_open(&f, symbol, 0, seed % 2);
		merged += run_queued(&f, &tape, 1, seed);
		last_words(&f, &conflated);
		assert_same(&f, &plain, &conflated, seed);
		fixture_close(&f);
	}
	cr_assert_gt(merged, 2000u, "%llu", (unsigned long long)merged);
}

Test(bars_property, conflation_changes_no_snapshot_bar)
{
	compare_conflated("600000.SH", make_cn);
}

Test(bars_property, conflation_changes_no_trade_bar)
{
	compare_conflated("IBM", make_us);
}

/* --- restarts --- */

enum { PIECES = 4000 };

struct piece {
	int32_t key;
	size_t len;
	char data[LC_BARS_PIECE_MAX];
};

struct kept {
	struct piece pieces[PIECES];
	size_t count;
};

static void on_save(void *arg, uint32_t symbol, int32_t key, const void *data, size_t len)
{
	struct kept *kept = arg;
	(void)symbol;
	size_t i = 0;
	while (i < kept->count && kept->pieces[i].key != key) {
		i++;
	}
	cr_assert_lt(i, (size_t)PIECES);
	cr_assert_leq(len, (size_t)LC_BARS_PIECE_MAX);
	kept->count += i == kept->count;
	kept->pieces[i].key = key;
	kept->pieces[i].len = len;
	memcpy(kept->pieces[i].data, data, len);
}

static void restart(struct bars_fixture *f, const struct kept *kept)
{
	lc_bars_destroy(f->bars);
	open_bars(f, &f->bars, 0, 0, false);
	for (int first = 1; first >= 0; first--) {
		for (size_t i = 0; i < kept->count; i++) {
			const struct piece *piece = &kept->pieces[i];
			if ((piece->key == 0) == first) {
				cr_assert_eq(lc_bars_restore(f->bars, f->symbol, piece->key,
						     piece->data, piece->len),
					LC_OK);
			}
		}
	}
}

static void run_restarted(
	struct bars_fixture *f, const struct tape *tape, int restarts, uint64_t seed)
{
	static struct kept kept;
	uint64_t random = seed;
	kept.count = 0;
	cr_assert_eq(lc_bars_follow(f->bars, f->symbol, tape->open_ns), LC_OK);
	for (int i = 0; i < tape->count; i++) {
		lc_bars_tick(f->bars, &tape->ticks[i]);
		while (lc_bars_advance(f->bars, f->market, tape->ticks[i].event_ns)) {
		}
		bool save = below(&random, 20) == 0, stop = below(&random, 5) == 0;
		if (save && restarts) {
			lc_bars_save(f->bars, f->symbol, false, on_save, &kept);
			if (stop) {
				restart(f, &kept);
			}
		}
	}
	finish_day(f);
}

static void compare_restarted(
	const char *symbol, void (*make)(struct bars_fixture *, struct tape *, uint64_t))
{
	static struct tape tape;
	static struct result whole, restarted;
	for (uint64_t seed = 1; seed <= TAPES / 2; seed++) {
		struct bars_fixture f;
		fixture_open(&f, symbol, 0, false);
		make(&f, &tape, seed);
		run_restarted(&f, &tape, 0, seed);
		last_words(&f, &whole);
		fixture_close(&f);
		fixture_open(&f, symbol, 0, false);
		run_restarted(&f, &tape, 1, seed);
		last_words(&f, &restarted);
		assert_same(&f, &whole, &restarted, seed);
		for (size_t i = 0; i < f.n_said; i++) {
			/* No bar is said twice under one revision. */
			for (size_t j = 0; j < i && f.said[i].revision > 0; j++) {
				cr_assert_not(f.said[j].period == f.said[i].period &&
					      f.said[j].start_ns == f.said[i].start_ns &&
					      f.said[j].revision >= f.said[i].revision);
			}
		}
		fixture_close(&f);
	}
}

Test(bars_property, a_restart_changes_no_snapshot_bar)
{
	compare_restarted("600000.SH", make_cn);
}

Test(bars_property, a_restart_changes_no_trade_bar)
{
	compare_restarted("IBM", make_us);
}

/* Damaged pieces are refused, and none of them does harm. */
Test(bars_property, damaged_pieces)
{
	static struct tape tape;
	static struct kept kept;
	struct bars_fixture f;
	fixture_open(&f, "600000.SH", 0, false);
	make_cn(&f, &tape, 3);
	kept.count = 0;
	cr_assert_eq(lc_bars_follow(f.bars, f.symbol, tape.open_ns), LC_OK);
	for (int i = 0; i < 400; i++) {
		lc_bars_tick(f.bars, &tape.ticks[i]);
	}
	lc_bars_save(f.bars, f.symbol, true, on_save, &kept);
	uint64_t random = 9;
	for (int round = 0; round < 3000; round++) {
		struct piece piece = kept.pieces[below(&random, kept.count)];
		size_t len = below(&random, 3) ? piece.len : below(&random, piece.len + 1);
		piece.data[below(&random, piece.len)] ^= (char)(1 + below(&random, 255));
		(void)lc_bars_restore(f.bars, f.symbol, piece.key, piece.data, len);
		if (round % 100 == 0) {
			lc_bars_tick(f.bars, &tape.ticks[400 + round / 100]);
			while (lc_bars_advance(
				f.bars, f.market, tape.ticks[400 + round / 100].event_ns)) {
			}
			f.n_said = 0;
		}
	}
	cr_assert_eq(lc_bars_restore(f.bars, f.symbol, 0, "short", 5), LC_ERR_INVALID);
	fixture_close(&f);
}

/* Five thousand symbols: the slices are small, and so is the memory. */
Test(bars_property, five_thousand_symbols)
{
	enum { SYMBOLS = 5000 };
	struct bars_fixture f;
	fixture_open(&f, "600000.SH", 0, false);
	lc_symbols_destroy(f.symbols);
	lc_bars_destroy(f.bars);
	cr_assert_eq(lc_symbols_create(SYMBOLS, 1, &f.symbols), LC_OK);
	open_bars(&f, &f.bars, 1 << LC_PERIOD_1M, 0, false);
	for (unsigned i = 0; i < SYMBOLS; i++) {
		char text[16];
		uint32_t index;
		snprintf(text, sizeof text, "60%04u.SH", i);
		cr_assert_eq(lc_symbols_intern(f.symbols, text, strlen(text), &index), LC_OK);
		cr_assert_eq(lc_bars_follow(f.bars, index, at(&f, "2026-03-04 09:00:00")), LC_OK);
	}
	struct lc_tick tick = snapshot_tick(
		&f, "2026-03-04 09:30:03", "10", "100", "1000", "10", "10", "10");
	for (uint32_t i = 0; i < SYMBOLS; i++) {
		tick.symbol = i;
		lc_bars_tick(f.bars, &tick);
	}
	size_t slices = 0, most = 0, before = 0;
	bool more = true;
	while (more) {
		more = lc_bars_advance(f.bars, LC_MARKET_CN, at(&f, "2026-03-04 09:31:03"));
		most = f.n_said - before > most ? f.n_said - before : most;
		before = f.n_said;
		slices++;
	}
	cr_assert_eq(f.n_said, (size_t)SYMBOLS);
	cr_assert_leq(most, 64u);
	cr_assert_geq(slices, 70u);
	cr_assert_eq(lc_bars_stats(f.bars).symbols, (size_t)SYMBOLS);
	while (lc_bars_measure(f.bars)) {
	}
	cr_assert_gt(lc_bars_stats(f.bars).memory_bytes, (size_t)1 << 20);
	cr_assert_lt(lc_bars_stats(f.bars).memory_bytes, (size_t)24 << 20);
	fixture_close(&f);
}

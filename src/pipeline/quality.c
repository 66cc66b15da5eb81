#include "livecore/quality.h"

#include "livecore/clock.h"
#include "quality_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FUTURE_NS (5 * LC_NS_PER_S)
#define SKEW_NS (2 * LC_NS_PER_S)

enum { MAX_HELD = 10000, SOURCES = 256, FIRST_STATES = 256 };

struct lc_quality {
	struct lc_quality_options options;
	struct symbol_state *states; /* by symbol; in memory, where they are aligned */
	void *memory;                /* owned */
	size_t n_states;
	size_t held;
	struct feed_clock clocks[SOURCES];
	uint32_t sessions[SOURCES]; /* of each source, counted */
};

static void say_drop(struct lc_quality *quality, const struct lc_tick *tick, enum lc_drop reason)
{
	if (quality->options.host && quality->options.host->drop) {
		quality->options.host->drop(quality->options.arg, tick, reason);
	}
}

static void forget_held(struct lc_quality *quality, struct symbol_state *state)
{
	if (state->held) {
		free(state->held);
		state->held = NULL;
		quality->held--;
	}
}

/* Everything but the numbers, which go on for as long as the process lives. */
static void reset_state(struct symbol_state *state)
{
	struct symbol_state fresh = {.day = INT32_MIN, .last_day = INT32_MIN};
	for (int kind = 0; kind < NUMBERED_KINDS; kind++) {
		fresh.kinds[kind].event_ns = INT64_MIN;
		fresh.kinds[kind].seq = state->kinds[kind].seq;
	}
	free(state->repeats);
	free(state->edge);
	*state = fresh;
}

static enum lc_err reserve_states(struct lc_quality *quality, uint32_t symbol)
{
	if (symbol < quality->n_states) {
		return LC_OK;
	}
	size_t count = quality->n_states ? quality->n_states : FIRST_STATES;
	while (count <= symbol) {
		count *= 2;
	}
	/* Not written to here: the kernel gives zeroed pages as symbols come. */
	void *memory = calloc(count + 1, sizeof(struct symbol_state));
	if (!memory) {
		return LC_ERR_NOMEM;
	}
	uintptr_t mask = _Alignof(struct symbol_state) - 1;
	struct symbol_state *states = (void *)(((uintptr_t)memory + mask) & ~mask);
	if (quality->n_states > 0) {
		memcpy(states, quality->states, quality->n_states * sizeof *states);
	}
	free(quality->memory);
	quality->memory = memory;
	quality->states = states;
	quality->n_states = count;
	return LC_OK;
}

static void start_day(struct symbol_state *state, int32_t day)
{
	if (day == state->day) {
		return;
	}
	state->day = day;
	state->has_volume = state->has_vendor = state->has_computed = false;
	state->prev_close = (struct lc_decimal){0, 0};
	state->decreases = 0;
}

/* Another source goes on with a symbol. Its times and totals are not the other's: it is judged as at
 * its first tick, but the numbers go on. */
static void change_source(struct symbol_state *state, uint8_t source)
{
	state->source = source;
	for (int kind = 0; kind < NUMBERED_KINDS; kind++) {
		state->kinds[kind].event_ns = INT64_MIN;
	}
	state->wrong_unit = state->has_volume = state->has_vendor = state->has_computed = false;
	state->prev_close = (struct lc_decimal){0, 0};
	state->decreases = 0;
	state->row_session = 0; /* of the new one's none was seen */
}

/* Event times are measured only where they are fresh: the first snapshot of a symbol may be hours
 * old, and one that did not move says nothing about now. */
static void measure_clock(struct lc_quality *quality, const struct symbol_state *state,
	const struct lc_tick *tick, int64_t now_ns)
{
	bool fresh = tick->kind != LC_TICK_SNAPSHOT ||
		     (state->kinds[tick->kind].event_ns != INT64_MIN &&
			     tick->event_ns > state->kinds[tick->kind].event_ns);
	if (!fresh || tick->delayed || tick->flags & LC_FLAG_BACKFILLED ||
		!(tick->has & LC_HAS_EVENT_TIME)) {
		return;
	}
	struct feed_clock *clock = &quality->clocks[tick->source];
	clock->snapshots = tick->kind == LC_TICK_SNAPSHOT;
	if (!lc_feed_clock_sample(clock, tick->event_ns - now_ns, now_ns) ||
		!lc_feed_clock_judge(clock, quality->options.skew_ns)) {
		return;
	}
	int64_t median = 0;
	lc_feed_clock_median(clock, &median);
	if (quality->options.host && quality->options.host->clock) {
		quality->options.host->clock(
			quality->options.arg, tick->source, clock->skewed, median);
	}
}

/* Is a time more than 5 s ahead of what this feed's times usually are? That they usually are late (a
 * slow vendor, or what waited while we were held up) says nothing against one that is not. */
static bool is_future(
	const struct lc_quality *quality, uint8_t source, int64_t event_ns, int64_t now_ns)
{
	int64_t median;
	return lc_feed_clock_median(&quality->clocks[source], &median) &&
	       event_ns - now_ns > (median > 0 ? median : 0) + quality->options.future_ns;
}

static enum lc_drop check_time(struct lc_quality *quality, const struct symbol_state *state,
	struct lc_tick *tick, int64_t now_ns)
{
	if (is_future(quality, tick->source, tick->event_ns, now_ns)) {
		return LC_DROP_FUTURE;
	}
	int64_t newest = state->kinds[tick->kind].event_ns;
	/* A wild time that came before the feed's clock was known must not silence its symbol. */
	if (tick->event_ns >= newest || is_future(quality, tick->source, newest, now_ns)) {
		return LC_DROP_NONE;
	}
	if (tick->flags & LC_FLAG_BACKFILLED) {
		return LC_DROP_NONE; /* it is older by its nature */
	}
	if (tick->kind != LC_TICK_TRADE) {
		return LC_DROP_STALE;
	}
	tick->flags |= LC_FLAG_LATE;
	return LC_DROP_NONE;
}

/* What is remembered of a tick to know it again. A trade without an id is its whole row. */
static uint64_t fingerprint_of(const struct lc_quality *quality, const struct symbol_state *state,
	const struct lc_tick *tick, int32_t day)
{
	if (tick->kind != LC_TICK_TRADE) {
		return lc_content_fingerprint(tick, quality->options.seed);
	}
	uint64_t fingerprint = tick->has & LC_HAS_TRADE_ID
				       ? lc_trade_fingerprint(tick, day, quality->options.seed)
				       : lc_content_fingerprint(tick, quality->options.seed);
	if (state->repeats) {
		lc_repeats_prefetch(state->repeats, fingerprint);
	}
	return fingerprint;
}

/* Trades without an id may be alike: only what is not newer than the session can be one that was told
 * before it. */
static bool is_told_again(
	const struct lc_quality *quality, struct symbol_state *state, const struct lc_tick *tick)
{
	uint32_t session = quality->sessions[tick->source];
	if (state->row_session != session) {
		state->row_session = session;
		state->rows_before_ns = state->kinds[LC_TICK_TRADE].event_ns;
	}
	return tick->event_ns <= state->rows_before_ns;
}

static bool is_repeat(const struct lc_quality *quality, struct symbol_state *state,
	const struct lc_tick *tick, uint64_t fingerprint)
{
	const struct kind_state *kind = &state->kinds[tick->kind];
	if (tick->kind != LC_TICK_TRADE) {
		return kind->event_ns != INT64_MIN && kind->content == fingerprint;
	}
	if (!(tick->has & LC_HAS_TRADE_ID) && !is_told_again(quality, state, tick)) {
		return false;
	}
	if (state->edge && lc_edge_knows(state->edge, tick, fingerprint)) {
		return true;
	}
	return state->repeats && lc_repeats_contain(state->repeats, fingerprint);
}

static void remember(struct symbol_state *state, const struct lc_tick *tick, uint64_t fingerprint)
{
	if (!(tick->flags & (LC_FLAG_LATE | LC_FLAG_BACKFILLED))) {
		state->kinds[tick->kind].event_ns = tick->event_ns;
	}
	if (tick->kind != LC_TICK_TRADE) {
		state->kinds[tick->kind].content = fingerprint;
		return;
	}
	if (state->edge && lc_edge_remember(state->edge, tick, fingerprint)) {
		return;
	}
	struct repeats *repeats = lc_repeats_of(state);
	if (repeats) {
		lc_repeats_add(repeats, fingerprint);
	}
}

/* Fills what the contract promises on every message and the vendor left out. */
static void complete(struct symbol_state *state, struct lc_tick *tick, int32_t day)
{
	if (tick->kind != LC_TICK_TRADE) {
		tick->effect = LC_UPDATES_ALL;
	} else if (tick->effect & LC_UPDATES_LAST_IF_FIRST) {
		tick->effect &= (uint8_t)~LC_UPDATES_LAST_IF_FIRST;
		/* The first of the day is the first that could make a price. */
		tick->effect |= state->last_day < day ? LC_UPDATES_LAST : 0;
	}
	if (!(tick->has & LC_HAS_VOLUME)) {
		tick->volume = (struct lc_decimal){0, 0};
	}
	if (tick->has & LC_HAS_AMOUNT) {
		return;
	}
	tick->amount = (struct lc_decimal){0, 0};
	if (tick->kind == LC_TICK_TRADE) {
		tick->amount = lc_decimal_mul(tick->price, tick->volume);
		tick->has |= LC_HAS_AMOUNT;
	} else if (tick->kind == LC_TICK_SNAPSHOT) {
		tick->flags |= LC_FLAG_NO_AMOUNT;
	}
}

static bool makes_price(const struct lc_tick *tick)
{
	return tick->kind != LC_TICK_QUOTE && tick->has & LC_HAS_PRICE &&
	       tick->effect & LC_UPDATES_LAST &&
	       !(tick->flags & (LC_FLAG_LATE | LC_FLAG_BACKFILLED));
}

static enum lc_verdict drop(enum lc_drop why, enum lc_drop *reason)
{
	*reason = why;
	return LC_DROP;
}

static enum lc_verdict hold(struct lc_quality *quality, struct symbol_state *state,
	const struct lc_tick *tick, enum lc_drop *reason)
{
	if (state->held) {
		say_drop(quality, state->held, LC_DROP_NO_PRICE);
	} else {
		if (quality->held >= quality->options.max_held) {
			return drop(LC_DROP_NO_PRICE, reason);
		}
		/* Once a symbol, until its price is known. */
		state->held = malloc(sizeof *state->held);
		if (!state->held) {
			return drop(LC_DROP_MEMORY, reason);
		}
		quality->held++;
	}
	*state->held = *tick;
	return LC_HOLD;
}

/* The rules of value, for a tick whose time is good. */
static enum lc_drop check_content(
	struct lc_quality *quality, struct symbol_state *state, struct lc_tick *tick, int32_t day)
{
	if (tick->kind == LC_TICK_QUOTE) {
		return LC_DROP_NONE;
	}
	/* A late trade of the day before neither begins a day nor knows today's limits. */
	if (day != state->day && tick->flags & (LC_FLAG_LATE | LC_FLAG_BACKFILLED)) {
		return LC_DROP_NONE;
	}
	start_day(state, day);
	bool first = state->session != quality->sessions[tick->source];
	enum lc_drop why = lc_check_limits(state, tick);
	if (why == LC_DROP_NONE && tick->kind == LC_TICK_SNAPSHOT) {
		why = lc_check_snapshot(state, tick);
		/* What was traded between two sessions belongs to no moment: bars must see it
		 * alone. */
		tick->traded = first ? LC_TRADED_FIRST : tick->traded;
		state->session = quality->sessions[tick->source];
	}
	return why;
}

static enum lc_verdict number(struct lc_quality *quality, struct symbol_state *state,
	struct lc_tick *tick, int32_t day, enum lc_drop *reason)
{
	if (makes_price(tick)) {
		state->has_price = true;
		state->last_day = day;
	}
	if (!state->has_price && tick->kind == LC_TICK_QUOTE) {
		return hold(quality, state, tick, reason);
	}
	if (!state->has_price && !(tick->has & LC_HAS_PRICE)) {
		return drop(LC_DROP_NO_PRICE, reason);
	}
	tick->seq = ++state->kinds[tick->kind].seq;
	return state->has_price && state->held ? LC_PASS_RELEASE : LC_PASS;
}

const char *lc_drop_name(enum lc_drop reason)
{
	static const char *const names[] = {
#define X(name, text) [name] = text,
		LC_DROPS(X)
#undef X
	};
	return (unsigned)reason < LC_DROP_REASONS ? names[reason] : "unknown";
}

const char *lc_doubt_name(enum lc_doubt doubt)
{
	static const char *const names[] = {
#define X(name, text) [name] = text,
		LC_DOUBTS(X)
#undef X
	};
	return names[doubt];
}

enum lc_err lc_quality_create(const struct lc_quality_options *options, struct lc_quality **out)
{
	struct lc_quality *quality = calloc(1, sizeof *quality);
	if (!quality) {
		return LC_ERR_NOMEM;
	}
	quality->options = *options;
	if (options->future_ns == 0) {
		quality->options.future_ns = FUTURE_NS;
	}
	if (options->skew_ns == 0) {
		quality->options.skew_ns = SKEW_NS;
	}
	if (options->max_held == 0) {
		quality->options.max_held = MAX_HELD;
	}
	if (options->symbols_at_start > 0) {
		/* A failure shows, and is handled, when the room is needed. */
		reserve_states(quality, (uint32_t)options->symbols_at_start - 1);
	}
	*out = quality;
	return LC_OK;
}

void lc_quality_destroy(struct lc_quality *quality)
{
	if (!quality) {
		return;
	}
	for (size_t i = 0; i < quality->n_states; i++) {
		free(quality->states[i].repeats);
		free(quality->states[i].edge);
		free(quality->states[i].held);
	}
	free(quality->memory);
	free(quality);
}

enum lc_err lc_quality_follow(struct lc_quality *quality, uint32_t symbol, bool followed)
{
	if (symbol >= quality->n_states && !followed) {
		return LC_OK;
	}
	if (reserve_states(quality, symbol) != LC_OK) {
		return LC_ERR_NOMEM;
	}
	struct symbol_state *state = &quality->states[symbol];
	if (state->followed == followed) {
		return LC_OK;
	}
	if (state->held) {
		say_drop(quality, state->held, LC_DROP_NOT_FOLLOWED);
		forget_held(quality, state);
	}
	reset_state(state);
	if (followed) {
		const struct lc_symbol *known = lc_symbols_get(quality->options.symbols, symbol);
		state->market = known->market;
		state->board = (uint8_t)lc_board_of(known);
		state->steps = (uint8_t)lc_price_steps_of(known);
		state->followed = true;
	}
	return LC_OK;
}

enum lc_verdict lc_quality_judge(
	struct lc_quality *quality, struct lc_tick *tick, int64_t now_ns, enum lc_drop *reason)
{
	assert(tick->kind < LC_TICK_KINDS);
	if (tick->symbol >= quality->n_states || !quality->states[tick->symbol].followed) {
		return drop(LC_DROP_NOT_FOLLOWED, reason);
	}
	if (tick->kind >= NUMBERED_KINDS) {
		return LC_PASS;
	}
	struct symbol_state *state = &quality->states[tick->symbol];
	if (tick->source != state->source && !(tick->flags & LC_FLAG_BACKFILLED)) {
		change_source(state, tick->source);
	}
	measure_clock(quality, state, tick, now_ns);
	int32_t day = lc_trading_date(
		quality->options.calendar, (enum lc_market)state->market, tick->event_ns);
	uint64_t fingerprint = fingerprint_of(quality, state, tick, day);
	enum lc_drop why = check_time(quality, state, tick, now_ns);
	if (why == LC_DROP_NONE) {
		why = lc_check_values(tick, state->market);
	}
	if (why == LC_DROP_NONE && is_repeat(quality, state, tick, fingerprint)) {
		why = LC_DROP_DUPLICATE;
	}
	if (why != LC_DROP_NONE) {
		return drop(why, reason);
	}
	why = check_content(quality, state, tick, day);
	if (why != LC_DROP_NONE) {
		return drop(why, reason);
	}
	remember(state, tick, fingerprint);
	complete(state, tick, day);
	lc_check_doubts(state, tick, quality->options.calendar);
	return number(quality, state, tick, day, reason);
}

bool lc_quality_reference(struct lc_quality *quality, const struct lc_reference *reference)
{
	if (reference->symbol >= quality->n_states ||
		!quality->states[reference->symbol].followed) {
		return false;
	}
	struct symbol_state *state = &quality->states[reference->symbol];
	if (!(reference->has & LC_HAS_PRICE) || reference->price.mantissa <= 0) {
		return false;
	}
	int32_t day = lc_trading_date(
		quality->options.calendar, (enum lc_market)state->market, reference->event_ns);
	state->has_price = true;
	state->last_day = day > state->last_day ? day : state->last_day;
	if (day >= state->day) {
		start_day(state, day);
		lc_check_prev_close(state, reference->has, reference->prev_close);
	}
	return state->held != NULL;
}

bool lc_quality_release(struct lc_quality *quality, uint32_t symbol, struct lc_tick *out)
{
	if (symbol >= quality->n_states) {
		return false;
	}
	struct symbol_state *state = &quality->states[symbol];
	if (!state->held || !state->has_price) {
		return false;
	}
	*out = *state->held;
	out->seq = ++state->kinds[LC_TICK_QUOTE].seq;
	forget_held(quality, state);
	return true;
}

bool lc_quality_offset(
	const struct lc_quality *quality, uint8_t source, int64_t *median_ns, bool *skewed)
{
	*skewed = quality->clocks[source].skewed;
	return lc_feed_clock_median(&quality->clocks[source], median_ns);
}

void lc_quality_source_reset(struct lc_quality *quality, uint8_t source)
{
	lc_feed_clock_reset(&quality->clocks[source]);
	quality->sessions[source]++;
}

void lc_quality_edge(struct lc_quality *quality, uint32_t symbol, bool keep)
{
	if (symbol < quality->n_states && (!keep || quality->states[symbol].followed)) {
		lc_edge_change(&quality->states[symbol], keep);
	}
}

int64_t lc_quality_newest(const struct lc_quality *quality, uint32_t symbol, enum lc_tick_kind kind)
{
	bool known = symbol < quality->n_states && (unsigned)kind < NUMBERED_KINDS;
	return known ? quality->states[symbol].kinds[kind].event_ns : INT64_MIN;
}

size_t lc_quality_held(const struct lc_quality *quality)
{
	return quality->held;
}

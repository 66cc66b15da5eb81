/* Symbols: what they say, what is learned of it, and who is silent while his peers are not. */
#include "livecore/liveness.h"

#include "liveness_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_SHIFT 4 /* stamps that count once: 268 ms */
#define FOLD_S 30    /* what was counted so long becomes part of what is known */
#define FIRST_FOLD_S 10
#define WEIGHT_MIN 3   /* half minutes: with less, nothing is known */
#define WEIGHT_MAX 120 /* so that an hour of the same time of day is remembered */
#define JUDGED_WEIGHT 6
#define LONGEST_MIN 240 /* stamps: shorter silences are no news (4 s) */
#define LONGEST_TIMES 3
#define DECAY_FOLDS 120   /* an eighth of an octave an hour */
#define SYMBOL_PATIENCE 2 /* times the feed's: there are many symbols */
#define RATE_ZERO 32768
#define RATE_STEPS 2048 /* an octave */
#define SAVED_VERSION 1
#define SAVED_DAYS 40
#define DAY_NS (86400 * LC_NS_PER_S)

/* --- numbers in few bits --- */

static uint16_t rate_code(double rate)
{
	double code = RATE_ZERO + RATE_STEPS * log2(rate > 1e-9 ? rate : 1e-9);
	return code < 1 ? 1 : code > UINT16_MAX ? UINT16_MAX : (uint16_t)lround(code);
}

static double rate_of(uint16_t code)
{
	return code == 0 ? 0 : exp2((code - RATE_ZERO) / (double)RATE_STEPS);
}

/* The number of bits and the three below the first: never more than the stamps themselves. */
static uint8_t gap_code(uint32_t stamps)
{
	if (stamps < 8) {
		return (uint8_t)stamps;
	}
	unsigned top = 31 - (unsigned)__builtin_clz(stamps);
	return (uint8_t)(top << 3 | ((stamps >> (top - 3)) & 7));
}

static uint32_t gap_of(uint8_t code)
{
	unsigned top = code >> 3;
	return top < 3 ? code : (UINT32_C(8) | (code & 7)) << (top - 3);
}

static int64_t stamps_ns(uint32_t stamps)
{
	return (int64_t)stamps << STAMP_SHIFT;
}

/* --- the sums --- */

static void withdraw(struct lc_liveness *live, struct live_symbol *s)
{
	if (s->feed == LC_LIVE_NO_FEED) {
		return;
	}
	struct live_market *market = &live->feeds[s->feed].markets[s->market];
	market->sum -= (int64_t)(s->counted * 1e6F);
	market->squares -= (int64_t)(s->counted * s->counted * 1e6F);
	market->learned -= s->counted > 0;
	market->held--;
	s->counted = 0;
}

static void contribute(struct lc_liveness *live, struct live_symbol *s)
{
	if (s->feed == LC_LIVE_NO_FEED) {
		return;
	}
	struct live_market *market = &live->feeds[s->feed].markets[s->market];
	const struct live_cell *cell = s->bucket < BUCKETS ? &s->cells[s->bucket] : NULL;
	bool known = cell && cell->weight >= WEIGHT_MIN && !(s->flags & SYMBOL_SILENT);
	s->counted = known ? (float)rate_of(cell->rate) : 0;
	market->sum += (int64_t)(s->counted * 1e6F);
	market->squares += (int64_t)(s->counted * s->counted * 1e6F);
	market->learned += s->counted > 0;
	market->held++;
}

static uint32_t watch_stamp(const struct live_market *market)
{
	return (uint32_t)(market->watched_ns >> STAMP_SHIFT);
}

static void count_anew(const struct lc_liveness *live, struct live_symbol *s)
{
	s->arrivals = 0;
	if (s->feed != LC_LIVE_NO_FEED) {
		s->watch = watch_stamp(&live->feeds[s->feed].markets[s->market]);
	}
}

/* --- learning --- */

static void learn(struct live_symbol *s, double seconds)
{
	struct live_cell *cell = &s->cells[s->bucket];
	double known = rate_of(cell->rate), seen = s->arrivals / seconds;
	double folds = fmax(1, seconds / FOLD_S);
	cell->rate = rate_code(known + (seen - known) * folds / (cell->weight + folds));
	cell->weight = (uint8_t)fmin(cell->weight + folds, WEIGHT_MAX);
	s->flags |= SYMBOL_DIRTY;
}

static double watched_s(const struct lc_liveness *live, const struct live_symbol *s)
{
	const struct live_market *market = &live->feeds[s->feed].markets[s->market];
	return (watch_stamp(market) - s->watch) / STAMPS_A_SECOND;
}

/* Makes what was counted part of what is known, when it was counted long enough. A silence is not
 * learned from before it has ended: it may be a fault, which is not to be got used to. */
static void fold(struct lc_liveness *live, uint32_t symbol, struct live_symbol *s)
{
	struct live_cell *cell = &s->cells[s->bucket];
	double seconds = watched_s(live, s);
	if (seconds < (cell->weight < WEIGHT_MIN ? FIRST_FOLD_S : FOLD_S) ||
		(s->arrivals == 0 && cell->weight >= WEIGHT_MIN)) {
		return;
	}
	withdraw(live, s);
	learn(s, seconds);
	uint32_t turn = live->now / (uint32_t)(FOLD_S * STAMPS_A_SECOND);
	cell->longest -= cell->longest > 0 && (turn + symbol) % DECAY_FOLDS == 0;
	contribute(live, s);
	count_anew(live, s);
}

/* Of a time of day of which nothing is known, what was known a moment ago is a fair guess, soon
 * replaced. */
static void guess(struct live_symbol *s, enum live_bucket before)
{
	if (s->feed == LC_LIVE_NO_FEED || !live_in_open(before) ||
		!live_in_open((enum live_bucket)s->bucket)) {
		return;
	}
	struct live_cell *cell = &s->cells[s->bucket];
	if (cell->weight == 0 && s->cells[before].weight >= WEIGHT_MIN) {
		*cell = s->cells[before];
		cell->weight = cell->weight < JUDGED_WEIGHT ? cell->weight : JUDGED_WEIGHT;
	}
}

/* The time of day ends: so does a silence that nobody wondered at. */
static void fold_last(struct lc_liveness *live, struct live_symbol *s)
{
	if (s->feed != LC_LIVE_NO_FEED && s->bucket < BUCKETS &&
		!(s->flags & (SYMBOL_ASKED | SYMBOL_SILENT)) && watched_s(live, s) >= FOLD_S) {
		learn(s, watched_s(live, s));
	}
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void arrive(struct lc_liveness *live, uint8_t index, struct live_symbol *s, int64_t mono_ns)
{
	uint32_t now = live_stamp(live, mono_ns);
	struct live_feed *feed = &live->feeds[index];
	struct live_market *market = &feed->markets[s->market];
	feed->last_ns = mono_ns;
	feed->spoke = true;
	if (s->feed != index) {
		return; /* another feed's; or this one has it only since a moment */
	}
	market->spoke = true;
	if ((s->flags & SYMBOL_KNOWN) && market->counting && s->bucket < BUCKETS) {
		if (now >> SLOT_SHIFT != s->last >> SLOT_SHIFT) {
			s->arrivals += s->arrivals < UINT16_MAX;
			market->arrivals++;
		}
		uint32_t gap = least(least(now - s->last, now - s->since), now - market->from);
		if (gap > LONGEST_MIN && gap_code(gap) > s->cells[s->bucket].longest) {
			s->cells[s->bucket].longest = gap_code(gap);
		}
	}
	s->last = s->seen = now;
}

/* --- judging one symbol --- */

static uint32_t silence_of(const struct lc_liveness *live, const struct live_symbol *s)
{
	if (s->feed == LC_LIVE_NO_FEED) {
		return 0;
	}
	uint32_t from = live->feeds[s->feed].markets[s->market].from;
	return least(least(live->now - s->seen, live->now - s->since), live->now - from);
}

/* The longest silence of it that is taken for ordinary, in stamps. */
static double ordinary_of(const struct lc_liveness *live, const struct live_symbol *s)
{
	const struct live_cell *cell = &s->cells[s->bucket];
	double least_s = (double)live->config->symbol_silence / 1000;
	double chance_s = SYMBOL_PATIENCE * live->config->patience / rate_of(cell->rate);
	double known_s = LONGEST_TIMES * gap_of(cell->longest) / STAMPS_A_SECOND;
	return fmax(fmax(least_s, chance_s), known_s) * STAMPS_A_SECOND;
}

static enum lc_live_symbol recover(struct lc_liveness *live, struct live_symbol *s)
{
	bool said = s->flags & SYMBOL_SILENT;
	if (said && s->feed != LC_LIVE_NO_FEED) {
		live->feeds[s->feed].markets[s->market].silent--;
	}
	withdraw(live, s);
	s->flags &= (uint8_t) ~(SYMBOL_ASKED | SYMBOL_SILENT);
	contribute(live, s);
	return said ? LC_SYMBOL_BACK : LC_SYMBOL_FINE;
}

static enum lc_live_symbol judge(struct lc_liveness *live, struct live_symbol *s)
{
	struct live_feed *feed = &live->feeds[s->feed];
	struct live_market *market = &feed->markets[s->market];
	bool asked = s->flags & SYMBOL_ASKED;
	if (asked && (int32_t)(s->seen - s->since) > 0) {
		return recover(live, s);
	}
	/* While its feed or its market is in doubt, nothing can be said of one symbol. */
	if (!market->counting || market->part != PART_FINE || feed->stage != LC_STAGE_NONE ||
		feed->verdict != LC_LIVE_FLOWS || s->cells[s->bucket].weight < JUDGED_WEIGHT ||
		s->flags & SYMBOL_SILENT || silence_of(live, s) < ordinary_of(live, s)) {
		return LC_SYMBOL_FINE;
	}
	if (!asked) {
		s->flags |= SYMBOL_ASKED;
		s->since = live->now;
		return LC_SYMBOL_ASK_AGAIN;
	}
	withdraw(live, s);
	s->flags |= SYMBOL_SILENT;
	contribute(live, s);
	market->silent++;
	return LC_SYMBOL_SILENT;
}

/* --- public --- */

enum lc_err lc_liveness_create(const struct lc_liveness_options *options, struct lc_liveness **out)
{
	struct lc_liveness *live = calloc(1, sizeof *live);
	if (!live) {
		return LC_ERR_NOMEM;
	}
	live->options = *options;
	live->config = options->config;
	live->origin_ns = live->mono_ns = options->mono_ns;
	live->symbols = calloc(options->max_symbols + 1, sizeof *live->symbols);
	live->feeds = calloc(options->feeds + 1, sizeof *live->feeds);
	if (!live->symbols || !live->feeds) {
		lc_liveness_destroy(live);
		return LC_ERR_NOMEM;
	}
	live->now = live_stamp(live, options->mono_ns);
	*out = live;
	return LC_OK;
}

void lc_liveness_destroy(struct lc_liveness *live)
{
	if (live) {
		free(live->symbols);
		free(live->feeds);
		free(live);
	}
}

void lc_liveness_configure(struct lc_liveness *live, const struct lc_liveness_config *config)
{
	live->config = config;
}

void lc_liveness_data(
	struct lc_liveness *live, uint8_t feed, uint32_t symbol, int64_t event_ns, int64_t mono_ns)
{
	struct live_symbol *s = &live->symbols[symbol];
	if (s->feed == feed) {
		s->data_s = (uint32_t)(event_ns / LC_NS_PER_S);
	}
	arrive(live, feed, s, mono_ns);
}

void lc_liveness_same(
	struct lc_liveness *live, uint8_t feed, uint32_t symbol, int64_t data_ns, int64_t mono_ns)
{
	struct live_symbol *s = &live->symbols[symbol];
	uint32_t data_s = (uint32_t)(data_ns / LC_NS_PER_S);
	if (data_ns > 0 && data_s > s->data_s) {
		s->data_s = data_s;
		arrive(live, feed, s, mono_ns);
		return;
	}
	live->feeds[feed].answered_ns = mono_ns;
	if (s->feed == feed) {
		live->feeds[feed].markets[s->market].answered_ns = mono_ns;
		s->seen = live_stamp(live, mono_ns);
	}
}

enum lc_live_symbol lc_liveness_visit(
	struct lc_liveness *live, uint32_t symbol, uint8_t feed, bool held, bool halted)
{
	struct live_symbol *s = &live->symbols[symbol];
	uint8_t present = held && !halted ? feed : LC_LIVE_NO_FEED;
	if (!(s->flags & SYMBOL_KNOWN)) {
		s->market = lc_symbols_get(live->options.symbols, symbol)->market;
		s->feed = LC_LIVE_NO_FEED;
		s->bucket = BUCKET_NONE;
		s->flags |= SYMBOL_KNOWN;
	}
	enum live_bucket bucket = live->plans[s->market].bucket;
	if (present == s->feed && bucket == s->bucket) {
		if (present == LC_LIVE_NO_FEED || bucket == BUCKET_NONE) {
			return LC_SYMBOL_FINE;
		}
		fold(live, symbol, s);
		return judge(live, s);
	}
	uint8_t doubt = s->flags & (SYMBOL_ASKED | SYMBOL_SILENT);
	if (present == LC_LIVE_NO_FEED && feed == s->feed && !halted && doubt == SYMBOL_ASKED) {
		return LC_SYMBOL_FINE; /* the renewal takes it away for a moment */
	}
	enum lc_live_symbol result = LC_SYMBOL_FINE;
	if (present != s->feed || bucket == BUCKET_NONE) {
		result = recover(live, s);
		s->since = live->now;
	}
	withdraw(live, s);
	fold_last(live, s);
	enum live_bucket before = (enum live_bucket)s->bucket;
	s->feed = present;
	s->bucket = (uint8_t)bucket;
	guess(s, before);
	contribute(live, s);
	count_anew(live, s);
	return result;
}

void lc_liveness_symbol(
	const struct lc_liveness *live, uint32_t symbol, int64_t *silent_ns, int64_t *expected_ns)
{
	const struct live_symbol *s = &live->symbols[symbol];
	*silent_ns = stamps_ns(least(live->now - s->seen,
		s->feed != LC_LIVE_NO_FEED
			? live->now - live->feeds[s->feed].markets[s->market].from
			: UINT32_MAX));
	*expected_ns = 0;
	if (s->feed != LC_LIVE_NO_FEED && s->bucket < BUCKETS && s->cells[s->bucket].weight > 0) {
		*expected_ns = (int64_t)(ordinary_of(live, s) / STAMPS_A_SECOND * 1e9);
	}
}

/* --- over a restart: a version, the day, then the cells as bytes --- */

bool lc_liveness_changed(const struct lc_liveness *live, uint32_t symbol)
{
	return live->symbols[symbol].flags & SYMBOL_DIRTY;
}

void lc_liveness_unsaved(struct lc_liveness *live, uint32_t symbol)
{
	live->symbols[symbol].flags |= SYMBOL_DIRTY;
}

size_t lc_liveness_save(
	struct lc_liveness *live, uint32_t symbol, int64_t wall_ns, uint8_t out[LC_LIVE_SAVED_MAX])
{
	struct live_symbol *s = &live->symbols[symbol];
	uint16_t day = (uint16_t)(wall_ns / DAY_NS);
	size_t len = 0;
	bool any = false;
	out[len++] = SAVED_VERSION;
	out[len++] = (uint8_t)day;
	out[len++] = (uint8_t)(day >> 8);
	for (int i = 0; i < BUCKETS; i++) {
		const struct live_cell *cell = &s->cells[i];
		any |= cell->weight > 0;
		out[len++] = (uint8_t)cell->rate;
		out[len++] = (uint8_t)(cell->rate >> 8);
		out[len++] = cell->weight;
		out[len++] = cell->longest;
	}
	s->flags &= (uint8_t)~SYMBOL_DIRTY;
	return any ? len : 0;
}

enum lc_err lc_liveness_restore(
	struct lc_liveness *live, uint32_t symbol, const void *data, size_t len, int64_t wall_ns)
{
	const uint8_t *in = data;
	struct live_symbol *s = &live->symbols[symbol];
	if (len != 3 + 4 * BUCKETS || in[0] != SAVED_VERSION) {
		return LC_ERR_INVALID;
	}
	int64_t age = wall_ns / DAY_NS - (in[1] | in[2] << 8);
	if (age > SAVED_DAYS) {
		return LC_ERR_END;
	}
	in += 3;
	for (int i = 0; i < BUCKETS; i++, in += 4) {
		struct live_cell *cell = &s->cells[i];
		bool sound = in[2] <= WEIGHT_MAX && (in[2] == 0 || in[0] + in[1] > 0);
		if (cell->weight > 0 || !sound) {
			continue; /* what was learned since the start is newer */
		}
		*cell = (struct live_cell){
			.rate = (uint16_t)(in[0] | in[1] << 8), .weight = in[2], .longest = in[3]};
	}
	if (s->flags & SYMBOL_KNOWN) {
		withdraw(live, s);
		contribute(live, s);
	}
	return LC_OK;
}

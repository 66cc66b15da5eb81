#include "manager/backfill.h"

#include "outbox_fixture.h"

#define S(n) ((1700000000 + (int64_t)(n)) * LC_NS_PER_S)
#define MOST 50 /* symbols in one request */

/* A vendor that notes what it is asked, and answers when the test says. */
struct rig {
	struct out out;
	struct lc_symbols *symbols;
	struct lc_gaps *gaps;
	struct lc_feeder feeder;
	struct lc_backfill_config config;
	struct lc_backfills *backfills;
	struct lc_backfill asked; /* last; its symbols are borrowed */
	size_t requests, closed, taken;
	bool away, refuses, queued;
};

static struct rig *rig_of(struct lc_feeder *feeder)
{
	return container_of(feeder, struct rig, feeder);
}

static size_t fake_most(const struct lc_feeder *feeder, enum lc_backfill_kind what, uint32_t symbol)
{
	(void)feeder;
	(void)symbol;
	return what == LC_BACKFILL_TRADES ? MOST : 0;
}

static enum lc_err fake_backfill(struct lc_feeder *feeder, const struct lc_backfill *request)
{
	struct rig *rig = rig_of(feeder);
	rig->asked = *request;
	rig->requests++;
	return rig->refuses ? LC_ERR_NOMEM : LC_OK;
}

static const struct lc_feeder_impl fake = {
	.name = "fake", .backfill_most = fake_most, .backfill = fake_backfill};

static bool on_ready(void *arg)
{
	return !((struct rig *)arg)->away;
}

static bool on_take(void *arg, struct lc_tick *tick)
{
	struct rig *rig = arg;
	cr_assert(tick->flags & LC_FLAG_BACKFILLED);
	rig->taken++;
	return true;
}

static void on_mark(void *arg)
{
	(void)arg;
}

static bool on_passed(void *arg)
{
	return !((struct rig *)arg)->queued;
}

static void on_closed(void *arg, uint32_t symbol)
{
	(void)symbol;
	((struct rig *)arg)->closed++;
}

static const struct lc_backfills_host host = {.ready = on_ready,
	.take = on_take,
	.mark = on_mark,
	.passed = on_passed,
	.closed = on_closed};

static void rig_open(struct rig *rig, int64_t max_requests)
{
	memset(rig, 0, sizeof *rig);
	out_open(&rig->out, 64 << 20, false);
	cr_assert_eq(lc_symbols_create(10000, 1, &rig->symbols), LC_OK);
	for (unsigned i = 0; i < 5000; i++) {
		char text[LC_SYMBOL_MAX];
		uint32_t index;
		snprintf(text, sizeof text, "%06u.SH", 600000 + i);
		cr_assert_eq(lc_symbols_intern(rig->symbols, text, 9, &index), LC_OK);
	}
	rig->feeder.impl = &fake;
	rig->config = (struct lc_backfill_config){.enabled = true, .max_requests = max_requests};
	cr_assert_eq(lc_gaps_create(rig->out.f.loop, 10000, &rig->out.outbox, &rig->gaps), LC_OK);
	const struct lc_backfills_setup setup = {.loop = rig->out.f.loop,
		.symbols = rig->symbols,
		.gaps = rig->gaps,
		.feeder = &rig->feeder,
		.config = &rig->config,
		.host = &host,
		.arg = rig};
	cr_assert_eq(lc_backfills_create(&setup, &rig->backfills), LC_OK);
}

static void rig_close(struct rig *rig)
{
	lc_backfills_destroy(rig->backfills);
	lc_gaps_destroy(rig->gaps);
	lc_symbols_destroy(rig->symbols);
	out_close(&rig->out);
}

/* Holes of the symbols from first on, each from second 100 to 200. */
static enum lc_err add(struct rig *rig, const char *gap, uint32_t first, size_t count)
{
	static struct lc_plan_entry entries[LC_GAPS_PIECE];
	for (size_t i = 0; i < count; i++) {
		entries[i] = (struct lc_plan_entry){
			.symbol = first + (uint32_t)i, .from_ns = S(100), .until_ns = S(200)};
	}
	return lc_backfills_add(rig->backfills, gap, LC_GAP_DISCONNECT, entries, count, 0);
}

static void turns(struct rig *rig)
{
	while (lc_backfills_turn(rig->backfills)) {
	}
}

static void answer(struct rig *rig, enum lc_err code, size_t requests, int64_t reached_ns)
{
	int64_t reached[LC_PLAN_ASKED];
	for (size_t i = 0; i < LC_PLAN_ASKED; i++) {
		reached[i] = reached_ns;
	}
	const struct lc_backfill_end end = {
		.code = code, .why = "as it said", .requests = requests, .reached_ns = reached};
	lc_backfills_on_end(rig->backfills, &end);
	turns(rig);
}

/* The next event, and no alert. */
static bool next_event(struct rig *rig, const char *type)
{
	while (out_next(&rig->out)) {
		if (rig->out.record.topic == LC_TOPIC_EVENTS) {
			return out_is(&rig->out, "type", type);
		}
	}
	return false;
}

static void give(struct rig *rig, uint32_t symbol, int64_t event_ns)
{
	const struct lc_tick tick = {.symbol = symbol, .event_ns = event_ns};
	lc_backfills_on_tick(rig->backfills, &tick);
}

Test(backfills, a_gap_is_asked_for_and_said_to_be_filled)
{
	struct rig rig;
	rig_open(&rig, 60);
	cr_assert_eq(add(&rig, "g1", 0, 2), LC_OK);
	turns(&rig);
	cr_assert_eq(rig.requests, 1);
	cr_assert_eq(rig.asked.count, 2);
	cr_assert_eq(rig.asked.max_requests, 60, "none is kept for bars: this vendor has none");
	give(&rig, 0, S(150));
	give(&rig, 0, S(201)); /* outside of its hole */
	give(&rig, 7, S(150)); /* not asked for */
	cr_assert_eq(rig.taken, 1);
	rig.queued = true;
	answer(&rig, LC_OK, 1, S(201));
	cr_assert_not(next_event(&rig, "gap_filled"), "not before it has left the queue");
	cr_assert_eq(rig.closed, 0);
	rig.queued = false;
	turns(&rig);
	cr_assert(next_event(&rig, "gap_filled"));
	cr_assert(out_is(&rig.out, "data.gap", "g1"));
	cr_assert(out_is(&rig.out, "data.count", "2"));
	cr_assert(out_is(&rig.out, "data.ticks", "1"));
	cr_assert(out_is(&rig.out, "data.left_open", "0"));
	cr_assert_eq(rig.closed, 2);
	cr_assert_eq(lc_backfills_stats(rig.backfills).waiting, 0);
	rig_close(&rig);
}

Test(backfills, a_gap_that_ends_in_pieces_has_one_budget)
{
	struct rig rig;
	rig_open(&rig, 3);
	cr_assert_eq(add(&rig, "g1", 0, 100), LC_OK);
	turns(&rig);
	cr_assert_eq(add(&rig, "g1", 100, 100), LC_OK, "while its first piece is asked for");
	cr_assert_eq(lc_backfills_stats(rig.backfills).waiting, 1);
	for (int i = 0; i < 3; i++) {
		answer(&rig, LC_OK, 1, S(201));
	}
	cr_assert_eq(rig.requests, 3);
	cr_assert(next_event(&rig, "gap_filled"));
	cr_assert(out_is(&rig.out, "data.count", "150"));
	cr_assert(next_event(&rig, "gap_opened"));
	cr_assert(out_is(&rig.out, "data.cause", "budget"));
	cr_assert(out_is(&rig.out, "data.left_open", "50"));
	/* What ends later finds nothing left. */
	cr_assert_eq(add(&rig, "g1", 200, 100), LC_OK);
	turns(&rig);
	cr_assert_eq(rig.requests, 3);
	cr_assert_eq(rig.closed, 300);
	/* Another gap has its own. */
	cr_assert_eq(add(&rig, "g2", 0, 10), LC_OK);
	turns(&rig);
	cr_assert_eq(rig.requests, 4);
	rig_close(&rig);
}

Test(backfills, small_budgets)
{
	for (int64_t budget = 0; budget <= 1; budget++) {
		struct rig rig;
		rig_open(&rig, budget);
		cr_assert_eq(add(&rig, "g1", 0, 60), LC_OK);
		turns(&rig);
		cr_assert_eq(rig.requests, budget);
		if (budget > 0) {
			answer(&rig, LC_OK, 1, S(201));
			cr_assert(next_event(&rig, "gap_filled"));
		}
		cr_assert(next_event(&rig, "gap_opened"));
		cr_assert(out_is(&rig.out, "data.cause", "budget"));
		cr_assert(out_is(&rig.out, "data.count", budget > 0 ? "10" : "60"));
		cr_assert_eq(rig.closed, 60);
		rig_close(&rig);
	}
}

Test(backfills, one_gap_after_the_other_over_sessions)
{
	struct rig rig;
	rig_open(&rig, 60);
	cr_assert_eq(add(&rig, "g1", 0, 1), LC_OK);
	cr_assert_eq(add(&rig, "g2", 1, 1), LC_OK);
	turns(&rig);
	cr_assert_eq(rig.requests, 1);
	rig.away = true;
	lc_backfills_interrupted(rig.backfills);
	turns(&rig);
	cr_assert_eq(rig.requests, 1, "nothing is asked without a session");
	rig.away = false;
	turns(&rig);
	cr_assert_eq(rig.requests, 2);
	cr_assert_eq(rig.asked.symbols[0], 0, "the same again");
	answer(&rig, LC_ERR_REFUSED, 3, S(100));
	cr_assert(next_event(&rig, "gap_opened"));
	cr_assert(out_is(&rig.out, "data.cause", "vendor"));
	cr_assert(out_is(&rig.out, "data.evidence", "as it said"));
	cr_assert(out_is(&rig.out, "data.requests", "4"), "the one that broke off counts");
	cr_assert_eq(rig.asked.symbols[0], 1);
	answer(&rig, LC_OK, 1, S(201));
	cr_assert(next_event(&rig, "gap_filled"));
	cr_assert(out_is(&rig.out, "data.gap", "g2"));
	rig_close(&rig);
}

/* A vendor that flaps makes gaps faster than they can be filled. */
Test(backfills, what_waits_is_bounded_and_a_vendor_that_fails_at_once_is_given_up)
{
	struct rig rig;
	rig_open(&rig, 60);
	size_t taken = 0;
	char gap[16];
	for (int i = 0; i < 200; i++) {
		snprintf(gap, sizeof gap, "g%d", i);
		taken += add(&rig, gap, 0, 1) == LC_OK;
	}
	cr_assert_eq(taken, 64);
	rig.refuses = true;
	turns(&rig);
	cr_assert_eq(lc_backfills_stats(rig.backfills).waiting, 0);
	cr_assert_eq(lc_backfills_stats(rig.backfills).left, 64);
	rig.config.enabled = false;
	cr_assert_not(lc_backfills_can(rig.backfills, 0));
	rig_close(&rig);
}

Test(backfills, thousands_of_symbols_go_in_small_turns)
{
	struct rig rig;
	rig_open(&rig, 200);
	for (uint32_t first = 0; first < 5000; first += LC_GAPS_PIECE) {
		cr_assert_eq(add(&rig, "g1", first, LC_GAPS_PIECE), LC_OK);
	}
	size_t before = 0, most = 0;
	turns(&rig);
	while (rig.requests < 100) {
		answer(&rig, LC_OK, 1, S(201));
	}
	const int64_t reached[LC_PLAN_ASKED] = {0};
	const struct lc_backfill_end end = {
		.code = LC_ERR_REFUSED, .why = "", .requests = 1, .reached_ns = reached};
	lc_backfills_on_end(rig.backfills, &end);
	while (lc_backfills_turn(rig.backfills)) {
		most = rig.closed - before > most ? rig.closed - before : most;
		before = rig.closed;
	}
	cr_assert_eq(rig.closed, 5000);
	cr_assert_leq(most, 100);
	rig_close(&rig);
}

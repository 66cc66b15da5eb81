#include "manager/limits.h"

#include "interest_fixture.h"
#include "outbox_fixture.h"

#define MANY 60000

struct rig {
	struct out out;
	struct lc_symbols *symbols;
	struct lc_interest *interest;
	struct lc_limits *limits;
	int batches;
	size_t batch_count;
	bool gone;
};

static struct lc_interest *on_interest(void *owner)
{
	struct rig *rig = owner;
	return rig->gone ? NULL : rig->interest;
}

static void on_batch(void *owner, const char *feeder, enum lc_limits_kind kind, const char *reason,
	size_t count, const char *example)
{
	struct rig *rig = owner;
	(void)feeder;
	(void)kind;
	cr_assert(reason && example);
	rig->batches++;
	rig->batch_count += count;
}

static void rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof *rig);
	out_open(&rig->out, 64 << 20, false);
	cr_assert_eq(lc_symbols_create(MANY, 1, &rig->symbols), LC_OK);
	const struct lc_interest_options options = {.symbols = rig->symbols, .seed = 7};
	cr_assert_eq(lc_interest_create(&options, &rig->interest), LC_OK);
	const struct lc_limits_setup setup = {.loop = rig->out.f.loop,
		.symbols = rig->symbols,
		.outbox = &rig->out.outbox,
		.max_symbols = MANY,
		.interest = on_interest,
		.batch = on_batch,
		.owner = rig};
	cr_assert_eq(lc_limits_create(&setup, &rig->limits), LC_OK);
}

static void rig_close(struct rig *rig)
{
	lc_limits_destroy(rig->limits);
	lc_interest_destroy(rig->interest);
	lc_symbols_destroy(rig->symbols);
	out_close(&rig->out);
}

static void want(struct rig *rig, const char *portfolio, const char *const *symbols, size_t count)
{
	cr_assert_eq(
		interest_apply(rig->interest, portfolio, LC_INTEREST_ADD, 1000, symbols, count),
		LC_OK);
}

static uint32_t symbol(struct rig *rig, const char *text)
{
	return lc_symbols_find(rig->symbols, text, strlen(text));
}

static bool value_holds(const struct rig *rig, const char *text)
{
	return memmem(rig->out.record.value, rig->out.record.value_len, text, strlen(text)) != NULL;
}

Test(limits, each_portfolio_hears_of_its_own_symbols_once)
{
	struct rig rig;
	rig_open(&rig);
	want(&rig, "p1", (const char *const[]){"AAPL", "MSFT", "IBM"}, 3);
	want(&rig, "p2", (const char *const[]){"MSFT"}, 1);
	want(&rig, "p3", (const char *const[]){"IBM"}, 1);
	lc_limits_add(rig.limits, "alpaca", LC_LIMITS_OVER, "30 symbols", symbol(&rig, "MSFT"));
	lc_limits_add(rig.limits, "alpaca", LC_LIMITS_OVER, "30 symbols", symbol(&rig, "AAPL"));
	lc_limits_add(rig.limits, "alpaca", LC_LIMITS_OVER, "30 symbols", symbol(&rig, "AAPL"));
	out_until(&rig.out, 2);
	int seen = 0;
	while (out_next(&rig.out)) {
		bool first = out_is(&rig.out, "data.portfolio_id", "p1");
		cr_assert(out_is(&rig.out, "type", "symbol_limit"));
		cr_assert(out_is(&rig.out, "data.feeder", "alpaca"));
		cr_assert(out_is(&rig.out, "data.reason", "30 symbols"));
		cr_assert(out_is(&rig.out, "data.count", first ? "2" : "1"));
		cr_assert(value_holds(&rig, first ? "[\"AAPL\",\"MSFT\"]" : "[\"MSFT\"]"));
		seen += first ? 1 : 10;
	}
	cr_assert_eq(seen, 11);
	cr_assert_eq(rig.batches, 1);
	rig_close(&rig);
}

Test(limits, reasons_are_kept_apart_but_bounded)
{
	struct rig rig;
	char reason[300];
	rig_open(&rig);
	want(&rig, "p1", (const char *const[]){"AAPL"}, 1);
	memset(reason, 'x', sizeof reason);
	reason[299] = '\0';
	for (int i = 0; i < 200; i++) {
		snprintf(reason, 20, "reason %d", i);
		lc_limits_add(
			rig.limits, "alpaca", LC_LIMITS_REFUSED, reason, symbol(&rig, "AAPL"));
	}
	lc_limits_add(rig.limits, NULL, LC_LIMITS_REFUSED, "no route", symbol(&rig, "AAPL"));
	out_until(&rig.out, 33);
	cr_assert_eq(rig.batches, 33);
	cr_assert_eq(rig.batch_count, 201);
	cr_assert(out_next(&rig.out));
	cr_assert(out_is(&rig.out, "type", "interest_rejected"));
	cr_assert(out_is(&rig.out, "data.feeder", NULL));
	rig_close(&rig);
}

Test(limits, long_lists_go_in_pieces)
{
	struct rig rig;
	char text[16];
	size_t total = 0;
	rig_open(&rig);
	cr_assert_eq(lc_interest_begin(rig.interest, "p1", 2, LC_INTEREST_ADD, 1000), LC_OK);
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "%06d.SH", i);
		lc_interest_name(rig.interest, text, strlen(text));
	}
	while (!lc_interest_sweep(rig.interest, 1000)) {
	}
	for (uint32_t i = 0; i < lc_symbols_count(rig.symbols); i++) {
		lc_limits_add(rig.limits, "alpaca", LC_LIMITS_OVER, "full", i);
	}
	out_until(&rig.out, 2);
	while (out_next(&rig.out)) {
		const struct lc_value *data = lc_value_find(rig.out.root, "data");
		cr_assert_lt(rig.out.record.value_len, 500000);
		total += lc_value_find(data, "symbols")->len;
	}
	cr_assert_eq(total, MANY);
	rig_close(&rig);
}

Test(limits, nobody_is_told_when_nobody_wants_it_or_we_are_ending)
{
	struct rig rig;
	rig_open(&rig);
	want(&rig, "p1", (const char *const[]){"AAPL", "MSFT"}, 2);
	cr_assert_eq(interest_apply(rig.interest, "p1", LC_INTEREST_REMOVE, 2000,
			     (const char *const[]){"AAPL"}, 1),
		LC_OK);
	lc_limits_add(rig.limits, "alpaca", LC_LIMITS_OVER, "full", symbol(&rig, "AAPL"));
	int64_t give_up = lc_clock_mono_ns() + 60 * LC_NS_PER_S;
	while (rig.batches == 0 && lc_clock_mono_ns() < give_up) {
		uv_run(lc_loop_uv(rig.out.f.loop), UV_RUN_ONCE);
	}
	rig.gone = true;
	lc_limits_add(rig.limits, "alpaca", LC_LIMITS_OVER, "full", symbol(&rig, "MSFT"));
	while (rig.batches == 1 && lc_clock_mono_ns() < give_up) {
		uv_run(lc_loop_uv(rig.out.f.loop), UV_RUN_ONCE);
	}
	cr_assert_eq(rig.batches, 2);
	out_until(&rig.out, 0);
	/* Ending with something collected, and in the middle of telling. */
	lc_limits_add(rig.limits, "alpaca", LC_LIMITS_OVER, "full", symbol(&rig, "MSFT"));
	rig_close(&rig);
	lc_limits_destroy(NULL);
}

#include "manager/gaps.h"

#include "outbox_fixture.h"

#define MANY 60000
#define SECOND(n) ((1700000000 + (int64_t)(n)) * LC_NS_PER_S)

struct rig {
	struct out out;
	struct lc_gaps *gaps;
};

static void rig_open(struct rig *rig, size_t max)
{
	memset(rig, 0, sizeof *rig);
	out_open(&rig->out, 64 << 20, false);
	cr_assert_eq(lc_gaps_create(rig->out.f.loop, max, &rig->out.outbox, &rig->gaps), LC_OK);
}

static void rig_close(struct rig *rig)
{
	lc_gaps_destroy(rig->gaps);
	out_close(&rig->out);
}

static void miss(struct rig *rig, enum lc_gap_cause cause, const char *feeder, const char *key,
	int64_t second, uint64_t records)
{
	lc_gaps_missing(rig->gaps, cause, feeder, key, strlen(key), SECOND(second), SECOND(second),
		records, "as seen");
}

static bool holds(const struct rig *rig, const char *text)
{
	return memmem(rig->out.record.value, rig->out.record.value_len, text, strlen(text)) != NULL;
}

Test(gaps, refused_records_are_one_gap)
{
	struct rig rig;
	rig_open(&rig, MANY);
	for (int64_t i = 0; i < 1000; i++) {
		miss(&rig, LC_GAP_REFUSED, NULL, i % 2 ? "AAPL" : "MSFT", i, 1);
	}
	out_until(&rig.out, 2);
	cr_assert(out_next(&rig.out));
	cr_assert(out_is(&rig.out, "type", "gap_opened") &&
		  out_is(&rig.out, "data.cause", "refused"));
	cr_assert(out_is(&rig.out, "data.gap", "stream-1-gap-1"));
	cr_assert(out_is(&rig.out, "data.records", "1000") && out_is(&rig.out, "data.count", "2"));
	cr_assert(out_is(&rig.out, "data.evidence", "as seen"));
	cr_assert(out_is(&rig.out, "data.from", "2023-11-14T22:13:20.000000Z"));
	cr_assert(out_is(&rig.out, "data.until", "2023-11-14T22:29:59.000000Z"));
	cr_assert(holds(&rig, "[\"MSFT\",\"AAPL\"]"));
	cr_assert(holds(&rig, "{\"symbol\":\"AAPL\",\"from\":\"2023-11-14T22:13:21.000000Z\","
			      "\"until\":\"2023-11-14T22:29:59.000000Z\",\"records\":500}"));
	cr_assert(out_next(&rig.out));
	cr_assert(out_is(&rig.out, "data.alert_type", "gap") &&
		  out_is(&rig.out, "data.actual", "1000"));
	/* What comes later is another gap. */
	miss(&rig, LC_GAP_REFUSED, NULL, "AAPL", 1, 1);
	out_until(&rig.out, 4);
	cr_assert(out_next(&rig.out) && out_is(&rig.out, "data.gap", "stream-1-gap-2"));
	cr_assert_not(holds(&rig, "ranges"), "one interval needs no ranges");
	rig_close(&rig);
	lc_gaps_destroy(NULL);
}

Test(gaps, causes_and_feeders_are_told_apart)
{
	struct rig rig;
	rig_open(&rig, MANY);
	miss(&rig, LC_GAP_TOO_OLD, "alpaca", "AAPL", 0, 3);
	miss(&rig, LC_GAP_JOURNAL_FULL, NULL, "AAPL", 0, 4);
	miss(&rig, LC_GAP_TOO_OLD, "eastmoney", "600000.SH", 0, 5);
	out_until(&rig.out, 6);
	cr_assert(out_next(&rig.out) && out_is(&rig.out, "data.cause", "journal_full"));
	cr_assert(out_is(&rig.out, "data.feeder", NULL));
	out_next(&rig.out);
	cr_assert(out_next(&rig.out) && out_is(&rig.out, "data.feeder", "alpaca"));
	cr_assert(out_is(&rig.out, "data.cause", "too_old"));
	out_next(&rig.out);
	cr_assert(out_next(&rig.out) && out_is(&rig.out, "data.feeder", "eastmoney"));
	rig_close(&rig);
}

/* A key that is no symbol comes from a damaged log, or from another program's: it is counted. */
Test(gaps, what_is_no_symbol_is_counted_and_not_named)
{
	struct rig rig;
	rig_open(&rig, MANY);
	miss(&rig, LC_GAP_REFUSED, NULL, "no symbol, \"quotes\" and 0123456789", 0, 7);
	miss(&rig, LC_GAP_REFUSED, NULL, "", 5, 1);
	out_until(&rig.out, 2);
	cr_assert(out_next(&rig.out));
	cr_assert(out_is(&rig.out, "data.records", "8") && out_is(&rig.out, "data.count", "0"));
	cr_assert(holds(&rig, "\"symbols\":[]"));
	rig_close(&rig);
}

Test(gaps, many_symbols_go_in_pieces_that_a_broker_takes)
{
	struct rig rig;
	size_t total = 0;
	rig_open(&rig, MANY);
	for (int i = 0; i < MANY; i++) {
		char key[16];
		snprintf(key, sizeof key, "%06d.SZ", i);
		miss(&rig, LC_GAP_JOURNAL_FULL, NULL, key, i, 1);
	}
	lc_gaps_flush(rig.gaps);
	while (out_next(&rig.out)) {
		cr_assert_lt(rig.out.record.value_len, 500000);
		const struct lc_value *data = lc_value_find(rig.out.root, "data");
		const struct lc_value *symbols = lc_value_find(data, "symbols");
		total += symbols ? symbols->len : 0;
		cr_assert(out_is(&rig.out, "data.gap", "stream-1-gap-1"), "one gap, one id");
	}
	cr_assert_eq(total, MANY);
	rig_close(&rig);
}

Test(gaps, an_open_gap_has_no_end)
{
	struct rig rig;
	rig_open(&rig, 2);
	struct lc_gap_entry entries[] = {
		{"AAPL", SECOND(0), 0, 0}, {"MSFT", SECOND(1), SECOND(9), 0}};
	const struct lc_gap_event event = {.type = "gap_opened",
		.gap = "g",
		.cause = LC_GAP_DISCONNECT,
		.feeder = "alpaca",
		.evidence = "closed with 1006",
		.more = (const struct lc_field[]){LC_I("silent_ms", 5), {.type = LC_FIELD_END}}};
	lc_gaps_say(rig.gaps, &event, entries, 2);
	cr_assert(out_next(&rig.out));
	cr_assert(out_is(&rig.out, "data.until", NULL) && !holds(&rig, "records"));
	cr_assert(out_is(&rig.out, "data.silent_ms", "5"));
	cr_assert(holds(&rig, "\"ranges\":[{\"symbol\":\"MSFT\""));
	cr_assert_not(out_next(&rig.out), "no alert unless asked for");
	rig_close(&rig);
}

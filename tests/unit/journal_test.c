#include "livecore/journal.h"
#include "trace_of.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static struct lc_record record_of(const char *key, const char *value, size_t value_len)
{
	return (struct lc_record){.key = key,
		.key_len = (uint32_t)strlen(key),
		.value = value,
		.value_len = (uint32_t)value_len,
		.timestamp_ns = 5,
		.received_mono_ns = 6,
		.topic = LC_TOPIC_BARS,
		.schema = LC_SCHEMA_BAR};
}

Test(journal, a_record_comes_back_as_it_went_in)
{
	struct lc_journal *journal;
	cr_assert_eq(lc_journal_create(4 << 20, &journal), LC_OK);
	struct lc_record in = record_of("AAPL", "{\"x\":1}", 7), out;
	cr_assert_eq(lc_journal_next(journal, &out), LC_ERR_END);
	cr_assert_eq(lc_journal_append(journal, &in), LC_OK);
	cr_assert_eq(lc_journal_next(journal, &out), LC_OK);
	cr_assert_eq(out.id, 1);
	cr_assert(out.key_len == 4 && !memcmp(out.key, "AAPL", 4));
	cr_assert(out.value_len == 7 && !memcmp(out.value, "{\"x\":1}", 7));
	cr_assert(out.timestamp_ns == 5 && out.received_mono_ns == 6);
	cr_assert(out.topic == LC_TOPIC_BARS && out.schema == LC_SCHEMA_BAR && !out.replayed);
	cr_assert_eq(lc_journal_next(journal, &out), LC_ERR_END);
	lc_journal_report(journal, 1);
	lc_journal_report(journal, 1);
	lc_journal_report(journal, 99);
	struct lc_journal_stats stats = lc_journal_stats(journal);
	cr_assert(stats.appended == 1 && stats.reported == 1 && stats.unsent == 0);
	lc_journal_destroy(journal);
	lc_journal_destroy(NULL);
}

Test(journal, a_record_without_key_and_one_given_up)
{
	struct lc_journal *journal;
	cr_assert_eq(lc_journal_create(0, &journal), LC_OK);
	struct lc_record head = {.topic = LC_TOPIC_EVENTS}, out;
	char *value;
	for (int i = 0; i < 3000; i++) {
		cr_assert_eq(lc_journal_reserve(journal, &head, 1000, &value), LC_OK);
		memset(value, 'z', 1000);
		cr_assert_eq(lc_journal_commit(journal, 0), 0);
	}
	cr_assert_eq(lc_journal_stats(journal).appended, 0);
	cr_assert_eq(lc_journal_reserve(journal, &head, 1000, &value), LC_OK);
	memcpy(value, "short", 5);
	cr_assert_eq(lc_journal_commit(journal, 5), 1);
	cr_assert_eq(lc_journal_next(journal, &out), LC_OK);
	cr_assert(out.key_len == 0 && out.value_len == 5);
	cr_assert_eq(lc_journal_append(journal, &head), LC_ERR_INVALID);
	lc_journal_destroy(journal);
}

Test(journal, limits)
{
	struct lc_journal *journal;
	static char big[LC_RECORD_MAX + 1];
	cr_assert_eq(lc_journal_create(3 << 20, &journal), LC_OK);
	struct lc_record record = record_of("K", big, sizeof big), out;
	cr_assert_eq(lc_journal_append(journal, &record), LC_ERR_TOO_LARGE);
	record.value_len = LC_RECORD_MAX;
	for (int i = 0; i < 3; i++) {
		cr_assert(lc_journal_has_room(journal, LC_RECORD_MAX));
		cr_assert_eq(lc_journal_append(journal, &record), LC_OK);
	}
	cr_assert_not(lc_journal_has_room(journal, LC_RECORD_MAX));
	cr_assert(lc_journal_has_room(journal, 100));
	cr_assert_eq(lc_journal_append(journal, &record), LC_ERR_FULL);
	cr_assert_eq(lc_journal_stats(journal).appended, 3);
	/* What was refused for lack of room fits once the oldest is reported. */
	cr_assert_eq(lc_journal_next(journal, &out), LC_OK);
	lc_journal_report(journal, out.id);
	cr_assert(lc_journal_has_room(journal, LC_RECORD_MAX));
	cr_assert_eq(lc_journal_append(journal, &record), LC_OK);
	cr_assert_eq(lc_journal_stats(journal).bytes, 3 * LC_JOURNAL_SEGMENT);
	lc_journal_destroy(journal);
}

#define MODEL_MAX 200000

/* The log as it should be: an array. */
struct model {
	uint32_t *lengths;
	char *reported, *sent;
	uint64_t appended, reports, cursor; /* cursor: the last id given out */
};

static void model_append(struct model *model, struct lc_journal *journal)
{
	static char value[70000];
	size_t len = xorshift(&state) % 20 ? 1 + xorshift(&state) % 700
					   : 1 + xorshift(&state) % sizeof value;
	uint64_t id = model->appended + 1;
	char key[32];
	snprintf(key, sizeof key, "key-%llu", (unsigned long long)id);
	memset(value, (int)('a' + id % 26), len);
	struct lc_record record = record_of(key, value, len);
	char trace[LC_TRACEPARENT_LEN + 1];
	record.traceparent = trace_of(id, trace);
	bool room = lc_journal_has_room(journal, len + LC_TRACEPARENT_LEN + 32);
	enum lc_err err = lc_journal_append(journal, &record);
	if (err) {
		cr_assert_eq(err, LC_ERR_FULL);
		cr_assert_not(room);
		return;
	}
	model->appended = id;
	model->lengths[id] = (uint32_t)len;
}

static void model_next(struct model *model, struct lc_journal *journal)
{
	uint64_t id = model->cursor + 1;
	while (id <= model->appended && model->reported[id]) {
		id++;
	}
	struct lc_record record;
	enum lc_err err = lc_journal_next(journal, &record);
	if (id > model->appended) {
		cr_assert_eq(err, LC_ERR_END);
		return;
	}
	cr_assert_eq(err, LC_OK);
	cr_assert_eq(record.id, id);
	char key[32];
	int key_len = snprintf(key, sizeof key, "key-%llu", (unsigned long long)id);
	cr_assert(record.key_len == (uint32_t)key_len && !memcmp(record.key, key, record.key_len));
	cr_assert_eq(record.value_len, model->lengths[id]);
	cr_assert_eq(record.value[0], (char)('a' + id % 26));
	cr_assert_eq(record.value[record.value_len - 1], (char)('a' + id % 26));
	cr_assert(is_trace_of(id, record.traceparent));
	cr_assert_eq(record.replayed, model->sent[id]);
	model->sent[id] = 1;
	model->cursor = id;
}

static void model_report(struct model *model, struct lc_journal *journal, uint64_t id)
{
	lc_journal_report(journal, id);
	if (id && id <= model->appended && !model->reported[id]) {
		model->reported[id] = 1;
		model->reports++;
	}
}

static uint64_t model_unsent(const struct model *model)
{
	uint64_t count = 0;
	for (uint64_t id = model->cursor + 1; id <= model->appended; id++) {
		count += !model->reported[id];
	}
	return count;
}

static void model_step(struct model *model, struct lc_journal *journal)
{
	uint64_t dice = xorshift(&state) % 1000;
	if (dice < 400) {
		model_append(model, journal);
	} else if (dice < 700) {
		model_next(model, journal);
	} else if (dice < 980) {
		/* Near the cursor, as Kafka reports; now and then anywhere. */
		uint64_t back = xorshift(&state) % (dice < 960 ? 40 : 4000);
		model_report(model, journal,
			model->cursor > back ? model->cursor - back : model->cursor);
	} else if (dice < 990) {
		for (uint64_t id = 1; id <= model->cursor; id++) {
			model_report(model, journal, id);
		}
	} else if (dice < 994) {
		lc_journal_rewind(journal);
		model->cursor = 0;
	}
}

static void run_model(uint64_t seed)
{
	struct lc_journal *journal;
	struct model model = {.lengths = calloc(MODEL_MAX, sizeof(uint32_t)),
		.reported = calloc(MODEL_MAX, 1),
		.sent = calloc(MODEL_MAX, 1)};
	state = seed;
	cr_assert_eq(lc_journal_create(6 << 20, &journal), LC_OK);
	for (int i = 0; i < 30000; i++) {
		model_step(&model, journal);
		struct lc_journal_stats stats = lc_journal_stats(journal);
		cr_assert_eq(stats.appended, model.appended);
		cr_assert_eq(stats.reported, model.reports);
		cr_assert_leq(stats.bytes, stats.capacity);
		if (i % 100 == 0) {
			cr_assert_eq(stats.unsent, model_unsent(&model));
		}
	}
	cr_assert_gt(model.appended, 5000);
	for (uint64_t id = 1; id <= model.appended; id++) {
		model_report(&model, journal, id);
	}
	struct lc_journal_stats stats = lc_journal_stats(journal);
	cr_assert(stats.unsent == 0 && stats.reported == stats.appended);
	cr_assert_leq(stats.bytes, LC_JOURNAL_SEGMENT, "memory that nobody needs is kept");
	lc_journal_destroy(journal);
	free(model.lengths);
	free(model.reported);
	free(model.sent);
}

Test(journal, behaves_like_an_array)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		run_model(seed * UINT64_C(0x9e3779b97f4a7c15));
	}
}

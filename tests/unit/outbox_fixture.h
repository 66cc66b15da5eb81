/* An outbox over a journal without a sender, and reading back what was appended. */
#pragma once

#include "livecore/list.h"
#include "loop_fixture.h"
#include "manager/outbox.h"

#include <string.h>

struct out {
	struct fixture f;
	struct lc_journal *journal;
	struct lc_outbox outbox;
	struct lc_json_parser *json;
	struct lc_record record;     /* read last */
	const struct lc_value *root; /* its value, parsed */
};

static inline void out_open(struct out *out, size_t capacity, bool per_market)
{
	memset(out, 0, sizeof *out);
	cr_assert_eq(lc_log_create(2, false, LC_LOG_OFF, &out->f.log), LC_OK);
	cr_assert_eq(lc_metrics_create(&out->f.metrics), LC_OK);
	cr_assert_eq(lc_loop_create(out->f.log, out->f.metrics, &out->f.loop), LC_OK);
	cr_assert_eq(lc_journal_create(capacity, &out->journal), LC_OK);
	cr_assert_eq(lc_json_parser_create(NULL, &out->json), LC_OK);
	const struct lc_message_context context = {
		.time_format = LC_TIME_UTC, .node_id = "node-1", .stream = "stream-1"};
	lc_outbox_init(&out->outbox, out->f.loop, out->journal, &context, per_market);
}

static inline void out_close(struct out *out)
{
	lc_outbox_finish(&out->outbox);
	lc_journal_destroy(out->journal);
	lc_json_parser_destroy(out->json);
	fixture_close(&out->f);
}

/* Turns until n records were appended, then a little more: no others come. */
static inline void out_until(struct out *out, uint64_t n)
{
	int64_t give_up = lc_clock_mono_ns() + 60 * LC_NS_PER_S;
	while (lc_journal_stats(out->journal).appended < n) {
		uv_run(lc_loop_uv(out->f.loop), UV_RUN_ONCE);
		cr_assert_lt(lc_clock_mono_ns(), give_up, "no %d events", (int)n);
	}
	for (int i = 0; i < 10; i++) {
		uv_run(lc_loop_uv(out->f.loop), UV_RUN_NOWAIT);
	}
	cr_assert_eq(lc_journal_stats(out->journal).appended, n);
}

/* The next record, parsed; false when there is none. */
static inline bool out_next(struct out *out)
{
	struct lc_error err;
	if (lc_journal_next(out->journal, &out->record) != LC_OK) {
		return false;
	}
	cr_assert_eq(lc_json_parse(out->json, out->record.value, out->record.value_len,
			     out->record.value_len, &out->root, &err),
		LC_OK, "%s: %.*s", err.text, (int)out->record.value_len, out->record.value);
	return true;
}

/* Is the text at a dotted path of at most two names this one? NULL: it must be null. */
static inline bool out_is(const struct out *out, const char *path, const char *text)
{
	char name[64];
	const char *dot = strchr(path, '.');
	const struct lc_value *value = out->root;
	if (dot) {
		snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
		value = lc_value_find(value, name);
		path = dot + 1;
	}
	value = value ? lc_value_find(value, path) : NULL;
	if (!value) {
		return false;
	}
	if (value->type == LC_VALUE_BOOL) {
		return text && strcmp(text, value->v.b ? "true" : "false") == 0;
	}
	if (value->type == LC_VALUE_NUMBER) {
		return text && value->len == strlen(text) &&
		       memcmp(value->v.text, text, value->len) == 0;
	}
	return text ? lc_value_is(value, text) : value->type == LC_VALUE_NULL;
}

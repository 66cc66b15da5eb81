#include "manager/gaps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLLECT_MS 1000

struct lc_gaps {
	struct lc_loop *loop;
	const struct lc_symbols *symbols;
	struct lc_outbox *outbox;
	struct lc_timer *timer;
	bool *marked; /* owned; by symbol: in list */
	size_t max;
	struct lc_buf list;
	size_t count;
	uint64_t records;
	int64_t from_ns, until_ns;
	char why[201];
};

static void time_text(const struct lc_gaps *gaps, int64_t ns, char out[LC_TIME_TEXT_MAX + 1])
{
	const struct lc_message_context *context = &gaps->outbox->context;
	out[lc_time_format(ns, context->time_format, context->naive_zone, out)] = '\0';
}

static void tell(struct lc_gaps *gaps)
{
	char from[LC_TIME_TEXT_MAX + 1], until[LC_TIME_TEXT_MAX + 1];
	if (gaps->records == 0) {
		return;
	}
	time_text(gaps, gaps->from_ns, from);
	time_text(gaps, gaps->until_ns, until);
	lc_buf_putc(&gaps->list, ']');
	lc_event(gaps->outbox, "gap_opened", LC_S("cause", "refused"),
		LC_U("records", gaps->records), LC_S("from", from), LC_S("until", until),
		LC_S("evidence", gaps->why), LC_U("count", gaps->count),
		LC_J("symbols", lc_buf_text(&gaps->list)));
	lc_buf_clear(&gaps->list);
	lc_buf_putc(&gaps->list, '[');
	memset(gaps->marked, 0, gaps->max * sizeof *gaps->marked);
	gaps->count = 0;
	gaps->records = 0;
}

static void on_due(void *arg)
{
	tell(arg);
}

enum lc_err lc_gaps_create(struct lc_loop *loop, const struct lc_symbols *symbols,
	size_t max_symbols, struct lc_outbox *outbox, struct lc_gaps **out)
{
	struct lc_gaps *gaps = calloc(1, sizeof *gaps);
	if (!gaps) {
		return LC_ERR_NOMEM;
	}
	gaps->loop = loop;
	gaps->symbols = symbols;
	gaps->outbox = outbox;
	gaps->max = max_symbols;
	lc_buf_init(&gaps->list, LC_GAPS_MESSAGE_BYTES + 1024);
	lc_buf_putc(&gaps->list, '[');
	gaps->marked = calloc(max_symbols + 1, sizeof *gaps->marked);
	if (!gaps->marked || lc_timer_create(loop, on_due, gaps, &gaps->timer) != LC_OK) {
		lc_gaps_destroy(gaps);
		return LC_ERR_NOMEM;
	}
	*out = gaps;
	return LC_OK;
}

void lc_gaps_destroy(struct lc_gaps *gaps)
{
	if (gaps) {
		lc_timer_destroy(gaps->timer);
		lc_buf_finish(&gaps->list);
		free(gaps->marked);
		free(gaps);
	}
}

void lc_gaps_refused(
	struct lc_gaps *gaps, const char *key, size_t len, int64_t timestamp_ns, const char *why)
{
	uint32_t symbol = lc_symbols_find(gaps->symbols, key, len);
	bool first = gaps->records++ == 0;
	gaps->from_ns = first || timestamp_ns < gaps->from_ns ? timestamp_ns : gaps->from_ns;
	gaps->until_ns = first || timestamp_ns > gaps->until_ns ? timestamp_ns : gaps->until_ns;
	if (first) {
		snprintf(gaps->why, sizeof gaps->why, "%s", why);
	}
	if (symbol < gaps->max && !gaps->marked[symbol]) {
		gaps->marked[symbol] = true;
		lc_buf_puts(&gaps->list, gaps->count++ > 0 ? ",\"" : "\"");
		lc_buf_append(&gaps->list, key, len);
		lc_buf_putc(&gaps->list, '"');
	}
	if (gaps->list.len > LC_GAPS_MESSAGE_BYTES) {
		tell(gaps);
	} else if (!lc_timer_active(gaps->timer)) {
		lc_timer_start(gaps->timer, COLLECT_MS, 0);
	}
}

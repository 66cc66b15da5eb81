#include "manager/gaps.h"

#include "livecore/map.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLLECT_MS 1000
#define FIRST_ENTRIES 64
#define MORE_MAX 4

/* What is collected of one cause until it is told. */
struct heap {
	struct lc_map *map; /* owned; symbol to 1 + its place in entries; NULL: nothing yet */
	struct lc_gap_entry *entries; /* owned */
	size_t count, room;
	bool any, nameless; /* something was; of no known symbol */
	uint64_t unnamed;   /* their records */
	int64_t from_ns, until_ns;
	char feeder[33], why[201];
};

struct lc_gaps {
	struct lc_loop *loop;
	struct lc_outbox *outbox;
	struct lc_timer *timer;
	struct heap heaps[LC_GAP_CAUSES_COUNT];
	struct heap telling; /* taken out of heaps, and told a piece at a time */
	enum lc_gap_cause telling_cause;
	size_t told;
	char telling_id[LC_GAP_ID_MAX + 1];
	size_t max;
	struct lc_buf symbols, ranges; /* of the event being built */
	uint64_t ids;
};

static void time_text(const struct lc_gaps *gaps, int64_t ns, char out[LC_TIME_TEXT_MAX + 1])
{
	const struct lc_message_context *context = &gaps->outbox->context;
	out[lc_time_format(ns, context->time_format, context->naive_zone, out)] = '\0';
}

/* --- building an event --- */

struct span {
	int64_t from_ns, until_ns; /* until 0: open */
	uint64_t records;
};

static void add_range(struct lc_gaps *gaps, const struct lc_gap_entry *entry)
{
	char text[LC_TIME_TEXT_MAX + 1];
	lc_buf_puts(&gaps->ranges, gaps->ranges.len > 1 ? ",{\"symbol\":\"" : "{\"symbol\":\"");
	lc_buf_puts(&gaps->ranges, entry->symbol);
	time_text(gaps, entry->from_ns, text);
	lc_buf_puts(&gaps->ranges, "\",\"from\":\"");
	lc_buf_puts(&gaps->ranges, text);
	if (entry->until_ns != 0) {
		time_text(gaps, entry->until_ns, text);
		lc_buf_puts(&gaps->ranges, "\",\"until\":\"");
		lc_buf_puts(&gaps->ranges, text);
	}
	lc_buf_putc(&gaps->ranges, '"');
	if (entry->records > 0) {
		lc_buf_printf(
			&gaps->ranges, ",\"records\":%llu", (unsigned long long)entry->records);
	}
	lc_buf_putc(&gaps->ranges, '}');
}

static struct span span_of(const struct lc_gap_entry *entries, size_t count)
{
	struct span span = {0};
	bool open = false;
	for (size_t i = 0; i < count; i++) {
		const struct lc_gap_entry *entry = &entries[i];
		span.from_ns = i == 0 || entry->from_ns < span.from_ns ? entry->from_ns
								       : span.from_ns;
		span.until_ns = entry->until_ns > span.until_ns ? entry->until_ns : span.until_ns;
		span.records += entry->records;
		open |= entry->until_ns == 0;
	}
	span.until_ns = open ? 0 : span.until_ns;
	return span;
}

static void list_entries(struct lc_gaps *gaps, const struct lc_gap_entry *entries, size_t count,
	const struct span *span)
{
	lc_buf_clear(&gaps->symbols);
	lc_buf_clear(&gaps->ranges);
	lc_buf_putc(&gaps->symbols, '[');
	lc_buf_putc(&gaps->ranges, '[');
	for (size_t i = 0; i < count; i++) {
		const struct lc_gap_entry *entry = &entries[i];
		lc_buf_puts(&gaps->symbols, i > 0 ? ",\"" : "\"");
		lc_buf_puts(&gaps->symbols, entry->symbol);
		lc_buf_putc(&gaps->symbols, '"');
		if (entry->from_ns != span->from_ns || entry->until_ns != span->until_ns ||
			(count > 1 && entry->records > 0)) {
			add_range(gaps, entry);
		}
	}
	lc_buf_putc(&gaps->symbols, ']');
	lc_buf_putc(&gaps->ranges, ']');
}

static struct lc_field optional_text(const char *name, const char *text)
{
	return LC_S(name, text && *text ? text : NULL);
}

static void say_span(struct lc_gaps *gaps, const struct lc_gap_event *event, struct span span,
	size_t count, uint64_t records)
{
	char from[LC_TIME_TEXT_MAX + 1], until[LC_TIME_TEXT_MAX + 1] = "";
	struct lc_field fields[12 + MORE_MAX];
	size_t n = 0;
	time_text(gaps, span.from_ns, from);
	if (span.until_ns != 0) {
		time_text(gaps, span.until_ns, until);
	}
	fields[n++] = LC_S("gap", event->gap);
	fields[n++] = LC_S("cause", lc_gap_cause_name(event->cause));
	fields[n++] = optional_text("feeder", event->feeder);
	fields[n++] = LC_S("from", from);
	fields[n++] = optional_text("until", until);
	if (records > 0) {
		fields[n++] = LC_U("records", records);
	}
	fields[n++] = optional_text("evidence", event->evidence);
	for (const struct lc_field *more = event->more;
		more && more->type != LC_FIELD_END && n < 7 + MORE_MAX; more++) {
		fields[n++] = *more;
	}
	fields[n++] = LC_U("count", count);
	fields[n++] = LC_J("symbols", lc_buf_text(&gaps->symbols));
	if (gaps->ranges.len > 2) {
		fields[n++] = LC_J("ranges", lc_buf_text(&gaps->ranges));
	}
	fields[n].type = LC_FIELD_END;
	lc_outbox_event(gaps->outbox, event->type, fields);
	if (event->alert) {
		lc_alert(gaps->outbox, "gap", LC_SEVERITY_WARNING, LC_S("gap", event->gap),
			LC_S("cause", lc_gap_cause_name(event->cause)),
			optional_text("feeder", event->feeder), LC_S("from", from),
			optional_text("until", until), LC_U("actual", records),
			optional_text("reason", event->evidence), LC_U("count", count),
			LC_J("affected_codes", lc_buf_text(&gaps->symbols)));
	}
}

void lc_gaps_say(struct lc_gaps *gaps, const struct lc_gap_event *event,
	const struct lc_gap_entry *entries, size_t count)
{
	assert(count > 0 && count <= LC_GAPS_PIECE);
	struct span span = span_of(entries, count);
	list_entries(gaps, entries, count, &span);
	say_span(gaps, event, span, count, span.records);
}

/* --- what is collected --- */

static void empty(struct heap *heap)
{
	lc_map_destroy(heap->map, NULL);
	free(heap->entries);
	*heap = (struct heap){0};
}

/* Says the next piece of what is being told; false: there is no more. */
static bool tell_piece(struct lc_gaps *gaps)
{
	struct heap *heap = &gaps->telling;
	const struct lc_gap_event event = {.type = "gap_opened",
		.gap = gaps->telling_id,
		.cause = gaps->telling_cause,
		.feeder = heap->feeder,
		.evidence = heap->why,
		.alert = true};
	size_t left = heap->count - gaps->told;
	if (left > 0) {
		size_t count = left < LC_GAPS_PIECE ? left : LC_GAPS_PIECE;
		lc_gaps_say(gaps, &event, heap->entries + gaps->told, count);
		gaps->told += count;
		return true;
	}
	if (heap->nameless) {
		list_entries(gaps, NULL, 0, NULL);
		say_span(gaps, &event, (struct span){heap->from_ns, heap->until_ns, 0}, 0,
			heap->unnamed);
		heap->nameless = false;
		return true;
	}
	empty(heap);
	gaps->told = 0;
	return false;
}

/* Takes the next cause out to be told; false: nothing is collected. */
static bool tell_next(struct lc_gaps *gaps)
{
	for (int cause = 0; cause < LC_GAP_CAUSES_COUNT; cause++) {
		if (gaps->heaps[cause].any) {
			gaps->telling = gaps->heaps[cause];
			gaps->telling_cause = (enum lc_gap_cause)cause;
			gaps->heaps[cause] = (struct heap){0};
			lc_gaps_id(gaps, gaps->telling_id);
			return true;
		}
	}
	return false;
}

static void on_due(void *arg)
{
	struct lc_gaps *gaps = arg;
	if (tell_piece(gaps) || tell_next(gaps)) {
		lc_timer_start(gaps->timer, 0, 0);
	}
}

static struct lc_gap_entry *make_entry(
	struct lc_gaps *gaps, struct heap *heap, const char *key, size_t len)
{
	if (!heap->map && lc_map_create(lc_loop_random(gaps->loop), &heap->map) != LC_OK) {
		return NULL;
	}
	if (heap->count == heap->room) {
		size_t room = heap->room ? heap->room * 2 : FIRST_ENTRIES;
		struct lc_gap_entry *entries = realloc(heap->entries, room * sizeof *entries);
		if (!entries) {
			return NULL;
		}
		heap->entries = entries;
		heap->room = room;
	}
	/* Its place and not its address: the array moves. */
	if (lc_map_put(heap->map, key, len, (void *)(uintptr_t)(heap->count + 1)) != LC_OK) {
		return NULL;
	}
	struct lc_gap_entry *entry = &heap->entries[heap->count++];
	*entry = (struct lc_gap_entry){.from_ns = INT64_MAX};
	memcpy(entry->symbol, key, len);
	return entry;
}

/* NULL: no symbol's name, or no memory for it. What another process followed need not be in a table
 * of ours. */
static struct lc_gap_entry *find_entry(
	struct lc_gaps *gaps, struct heap *heap, const char *key, size_t len)
{
	struct lc_symbol symbol;
	uintptr_t place = heap->map && len > 0 ? (uintptr_t)lc_map_get(heap->map, key, len) : 0;
	if (place > 0) {
		return &heap->entries[place - 1];
	}
	return lc_symbol_parse(key, len, &symbol) == LC_OK
		       ? make_entry(gaps, heap, symbol.text, symbol.len)
		       : NULL;
}

static void widen(int64_t *from_ns, int64_t *until_ns, int64_t new_from_ns, int64_t new_until_ns)
{
	*from_ns = new_from_ns < *from_ns ? new_from_ns : *from_ns;
	*until_ns = new_until_ns > *until_ns ? new_until_ns : *until_ns;
}

/* --- public --- */

const char *lc_gap_cause_name(enum lc_gap_cause cause)
{
	static const char *const names[] = {
#define X(name, text) [name] = text,
		LC_GAP_CAUSES(X)
#undef X
	};
	return names[cause];
}

enum lc_err lc_gaps_create(
	struct lc_loop *loop, size_t max_symbols, struct lc_outbox *outbox, struct lc_gaps **out)
{
	struct lc_gaps *gaps = calloc(1, sizeof *gaps);
	if (!gaps) {
		return LC_ERR_NOMEM;
	}
	gaps->loop = loop;
	gaps->outbox = outbox;
	gaps->max = max_symbols;
	lc_buf_init(&gaps->symbols, LC_GAPS_MESSAGE_BYTES / 4);
	lc_buf_init(&gaps->ranges, LC_GAPS_MESSAGE_BYTES / 4 * 3);
	if (lc_timer_create(loop, on_due, gaps, &gaps->timer) != LC_OK) {
		lc_gaps_destroy(gaps);
		return LC_ERR_NOMEM;
	}
	*out = gaps;
	return LC_OK;
}

void lc_gaps_destroy(struct lc_gaps *gaps)
{
	if (!gaps) {
		return;
	}
	for (int cause = 0; cause < LC_GAP_CAUSES_COUNT; cause++) {
		empty(&gaps->heaps[cause]);
	}
	empty(&gaps->telling);
	lc_timer_destroy(gaps->timer);
	lc_buf_finish(&gaps->symbols);
	lc_buf_finish(&gaps->ranges);
	free(gaps);
}

void lc_gaps_missing(struct lc_gaps *gaps, enum lc_gap_cause cause, const char *feeder,
	const char *key, size_t len, int64_t from_ns, int64_t until_ns, uint64_t records,
	const char *why)
{
	struct heap *heap = &gaps->heaps[cause];
	feeder = feeder ? feeder : "";
	if (heap->any && (strcmp(heap->feeder, feeder) != 0 || heap->count == gaps->max)) {
		lc_gaps_flush(gaps);
	}
	if (!heap->any) {
		heap->any = true;
		snprintf(heap->feeder, sizeof heap->feeder, "%s", feeder);
		snprintf(heap->why, sizeof heap->why, "%s", why);
		heap->from_ns = INT64_MAX;
	}
	struct lc_gap_entry *entry = find_entry(gaps, heap, key, len);
	if (entry) {
		entry->records += records;
		widen(&entry->from_ns, &entry->until_ns, from_ns, until_ns);
	} else {
		heap->nameless = true;
		heap->unnamed += records;
		widen(&heap->from_ns, &heap->until_ns, from_ns, until_ns);
	}
	if (!lc_timer_active(gaps->timer)) {
		lc_timer_start(gaps->timer, COLLECT_MS, 0);
	}
}

void lc_gaps_flush(struct lc_gaps *gaps)
{
	while (tell_piece(gaps) || tell_next(gaps)) {
	}
}

void lc_gaps_id(struct lc_gaps *gaps, char out[LC_GAP_ID_MAX + 1])
{
	snprintf(out, LC_GAP_ID_MAX + 1, "%s-gap-%llu", gaps->outbox->context.stream,
		(unsigned long long)++gaps->ids);
}

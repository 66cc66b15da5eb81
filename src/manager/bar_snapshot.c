#include "manager/bar_snapshot.h"

#include "livecore/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREPARED_A_STEP 500
#define PUBLISHED_A_STEP 20 /* the sum of a whole day is about 25 us */
#define NAMES_MAX 1000      /* symbols without a bar that are named in the answer */
#define ROOM_MS 20          /* how soon to look again whether the log has room */
#define ROOM_TRIES 1500     /* 30 s: Kafka is away */

enum item_state { ITEM_OPEN, ITEM_PUBLISHED, ITEM_MISSING, ITEM_INVALID, ITEM_REPEATED };

struct item {
	struct lc_symbol symbol; /* a code's first bytes, while it is not prepared */
	uint32_t index;          /* LC_SYMBOL_NONE: not in the table, so there is no live bar */
	uint8_t state;           /* enum item_state */
};

enum stage { STAGE_PREPARE, STAGE_LIVE, STAGE_ROWS };

struct lc_bar_snapshot {
	struct lc_bar_snapshot_setup setup;
	char trace_id[LC_MESSAGE_ID_MAX + 1], span_id[LC_MESSAGE_ID_MAX + 1];
	char traceparent[LC_TRACEPARENT_LEN + 1];
	struct item *items; /* owned */
	size_t count;
	struct lc_map *by_text; /* -> item, borrowed from items */
	bool codes;             /* they are texts that somebody sent */
	enum stage stage;
	size_t cursor;            /* in items, or in rows */
	int market;               /* whose rows are asked for */
	struct lc_bar_rows *rows; /* owned */
	struct lc_slice *slice;
	struct lc_timer *room_timer; /* also says what could not be said at once */
	int room_tries;
	bool asking;    /* the store has not answered */
	bool cancelled; /* … and nobody waits for it */
	bool full;      /* the log has no room for now */
	int64_t now_ns, started_ns;
	size_t live, stored;
	struct lc_error err; /* the first thing that went wrong */
};

static void free_snapshot(struct lc_bar_snapshot *snapshot)
{
	lc_timer_destroy(snapshot->room_timer);
	lc_bar_rows_free(snapshot->rows);
	lc_map_destroy(snapshot->by_text, NULL);
	free(snapshot->items);
	free(snapshot);
}

/* --- the answer --- */

static void name_items(
	const struct lc_bar_snapshot *snapshot, enum item_state state, struct lc_buf *out)
{
	size_t named = 0;
	lc_buf_putc(out, '[');
	for (size_t i = 0; i < snapshot->count && named < NAMES_MAX; i++) {
		const struct item *item = &snapshot->items[i];
		if (item->state == state) {
			lc_buf_puts(out, named++ > 0 ? "," : "");
			lc_buf_json_string(out, item->symbol.text, strlen(item->symbol.text));
		}
	}
	lc_buf_putc(out, ']');
}

static size_t count_items(const struct lc_bar_snapshot *snapshot, enum item_state state)
{
	size_t count = 0;
	for (size_t i = 0; i < snapshot->count; i++) {
		count += snapshot->items[i].state == state;
	}
	return count;
}

static void answer(struct lc_bar_snapshot *snapshot)
{
	struct lc_buf result;
	int64_t took_ns = lc_loop_mono_ns(snapshot->setup.loop) - snapshot->started_ns;
	lc_buf_init(&result, 64 * 1024);
	lc_buf_printf(&result,
		"{\"symbols\":%zu,\"published\":%zu,\"from_live\":%zu,\"from_store\":%zu,"
		"\"missing\":%zu,\"invalid\":%zu,\"took_ms\":%lld,\"missing_symbols\":",
		snapshot->count - count_items(snapshot, ITEM_REPEATED),
		snapshot->live + snapshot->stored, snapshot->live, snapshot->stored,
		count_items(snapshot, ITEM_MISSING), count_items(snapshot, ITEM_INVALID),
		(long long)(took_ns / LC_NS_PER_MS));
	name_items(snapshot, ITEM_MISSING, &result);
	lc_buf_puts(&result, ",\"invalid_symbols\":");
	name_items(snapshot, ITEM_INVALID, &result);
	lc_buf_putc(&result, '}');
	void (*done)(void *, const char *, const char *) = snapshot->setup.done;
	void *arg = snapshot->setup.arg;
	struct lc_error err = snapshot->err;
	free_snapshot(snapshot);
	done(arg, lc_buf_text(&result), err.code == LC_OK ? NULL : err.text);
	lc_buf_finish(&result);
}

/* --- preparing --- */

static void prepare_code(struct lc_bar_snapshot *snapshot, struct item *item)
{
	struct lc_symbol symbol;
	size_t len = strlen(item->symbol.text);
	if (item->state == ITEM_OPEN && lc_symbol_parse(item->symbol.text, len, &symbol) == LC_OK) {
		item->symbol = symbol;
		item->index = lc_symbols_find(snapshot->setup.symbols, symbol.text, symbol.len);
	} else {
		item->state = ITEM_INVALID;
	}
}

/* Checks codes; what is named twice is published once. */
static bool prepare(struct lc_bar_snapshot *snapshot)
{
	for (int n = 0; n < PREPARED_A_STEP && snapshot->cursor < snapshot->count; n++) {
		struct item *item = &snapshot->items[snapshot->cursor++];
		if (snapshot->codes) {
			prepare_code(snapshot, item);
		}
		size_t len = strlen(item->symbol.text);
		if (lc_map_get(snapshot->by_text, item->symbol.text, len)) {
			item->state = ITEM_REPEATED;
		} else if (lc_map_put(snapshot->by_text, item->symbol.text, len, item) != LC_OK) {
			lc_error_set(&snapshot->err, LC_ERR_NOMEM, "out of memory");
		}
	}
	return snapshot->cursor < snapshot->count;
}

/* --- publishing --- */

/* The bar as a snapshot of its session; its time is the bar's start. */
static enum lc_err publish(
	struct lc_bar_snapshot *snapshot, const struct lc_symbol *symbol, const struct lc_bar *bar)
{
	const struct lc_price_context extra = {.symbol = symbol,
		.source = "bar_snapshot",
		.trace_id = snapshot->trace_id[0] ? snapshot->trace_id : NULL,
		.span_id = snapshot->span_id[0] ? snapshot->span_id : NULL,
		.bar = true};
	struct lc_tick tick = {.kind = LC_TICK_SNAPSHOT,
		.effect = LC_UPDATES_ALL,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW |
		       LC_HAS_EVENT_TIME,
		.event_ns = bar->start_ns,
		.received_ns = snapshot->now_ns,
		.price = bar->close,
		.volume = bar->volume,
		.amount = bar->amount,
		.open = bar->open,
		.high = bar->high,
		.low = bar->low};
	if (bar->has & LC_BAR_HAS_AMOUNT) {
		tick.has |= LC_HAS_AMOUNT;
	}
	return lc_outbox_price(snapshot->setup.outbox, &tick, &extra);
}

/* False when the log has no room: the same again later. */
static bool publish_item(
	struct lc_bar_snapshot *snapshot, struct item *item, const struct lc_bar *bar)
{
	enum lc_err rc = publish(snapshot, &item->symbol, bar);
	if (rc == LC_ERR_FULL) {
		snapshot->full = true;
		return false;
	}
	snapshot->room_tries = 0;
	if (rc != LC_OK) {
		lc_error_set(&snapshot->err, rc, "%s: %s", item->symbol.text, lc_err_text(rc));
		return true;
	}
	item->state = ITEM_PUBLISHED;
	if (snapshot->stage == STAGE_LIVE) {
		snapshot->live++;
	} else {
		snapshot->stored++;
	}
	return true;
}

/* Takes up to some hundred; true when there may be more. */
static bool publish_live(struct lc_bar_snapshot *snapshot)
{
	for (int n = 0; n < PUBLISHED_A_STEP && snapshot->cursor < snapshot->count; n++) {
		struct item *item = &snapshot->items[snapshot->cursor];
		struct lc_bar bar;
		if (item->state == ITEM_OPEN && item->index != LC_SYMBOL_NONE &&
			lc_bars_day(snapshot->setup.bars, item->index, snapshot->now_ns, &bar) ==
				LC_OK &&
			!publish_item(snapshot, item, &bar)) {
			return false;
		}
		snapshot->cursor++;
	}
	return snapshot->cursor < snapshot->count;
}

static bool publish_rows(struct lc_bar_snapshot *snapshot)
{
	for (int n = 0; n < PUBLISHED_A_STEP && snapshot->cursor < snapshot->rows->count; n++) {
		const struct lc_bar_row *row = &snapshot->rows->items[snapshot->cursor];
		struct item *item = lc_map_get(snapshot->by_text, row->symbol, strlen(row->symbol));
		if (item && item->state == ITEM_OPEN && !publish_item(snapshot, item, &row->bar)) {
			return false;
		}
		snapshot->cursor++;
	}
	return snapshot->cursor < snapshot->rows->count;
}

/* --- from stage to stage --- */

static void next_market(struct lc_bar_snapshot *snapshot);

static bool on_step(void *arg)
{
	struct lc_bar_snapshot *snapshot = arg;
	if (snapshot->stage == STAGE_PREPARE) {
		if (!prepare(snapshot)) {
			snapshot->stage = STAGE_LIVE;
			snapshot->cursor = 0;
		}
		return true;
	}
	lc_outbox_trace(snapshot->setup.outbox, snapshot->traceparent);
	bool more = snapshot->stage == STAGE_LIVE ? publish_live(snapshot) : publish_rows(snapshot);
	lc_outbox_trace(snapshot->setup.outbox, NULL);
	lc_outbox_wake(snapshot->setup.outbox);
	return more;
}

static void on_steps_done(void *arg)
{
	struct lc_bar_snapshot *snapshot = arg;
	snapshot->slice = NULL;
	if (snapshot->full) { /* the sender empties it, when Kafka is there */
		lc_timer_start(snapshot->room_timer, ROOM_MS, 0);
		return;
	}
	lc_bar_rows_free(snapshot->rows);
	snapshot->rows = NULL;
	next_market(snapshot);
}

static void run_steps(struct lc_bar_snapshot *snapshot)
{
	snapshot->full = false;
	if (lc_slice_start(snapshot->setup.loop, "bar_snapshot", on_step, on_steps_done, snapshot,
		    &snapshot->slice) != LC_OK) {
		lc_timer_start(snapshot->room_timer, ROOM_MS, 0); /* no memory for a slice now */
	}
}

static void on_room_due(void *arg)
{
	struct lc_bar_snapshot *snapshot = arg;
	if (++snapshot->room_tries <= ROOM_TRIES) {
		run_steps(snapshot);
		return;
	}
	lc_error_set(&snapshot->err, LC_ERR_FULL,
		"neither the log nor memory has room: send the command again when Kafka takes "
		"what waits");
	answer(snapshot);
}

static void on_rows(void *arg, struct lc_bar_rows *rows, const struct lc_error *err)
{
	struct lc_bar_snapshot *snapshot = arg;
	snapshot->asking = false;
	snapshot->rows = rows;
	if (snapshot->cancelled) {
		free_snapshot(snapshot);
		return;
	}
	if (err) {
		lc_error_set(
			&snapshot->err, err->code, "the bar store was not read: %s", err->text);
		next_market(snapshot);
		return;
	}
	snapshot->stage = STAGE_ROWS;
	snapshot->cursor = 0;
	run_steps(snapshot);
}

/* Asks for the bars of one market's open items; false when there is none. */
static bool ask(struct lc_bar_snapshot *snapshot, enum lc_market market)
{
	size_t count = 0;
	char(*texts)[LC_SYMBOL_MAX] = calloc(snapshot->count, sizeof *texts);
	for (size_t i = 0; texts && i < snapshot->count; i++) {
		const struct item *item = &snapshot->items[i];
		if (item->state == ITEM_OPEN && item->symbol.market == market) {
			memcpy(texts[count++], item->symbol.text, sizeof *texts);
		}
	}
	int64_t from_ns = lc_bars_session_start(snapshot->setup.bars, market, snapshot->now_ns);
	enum lc_err rc = !texts ? LC_ERR_NOMEM : LC_OK;
	if (count > 0) {
		snapshot->asking = true;
		rc = lc_bar_store_latest(snapshot->setup.store, texts, count, from_ns,
			snapshot->now_ns, on_rows, snapshot);
	}
	free(texts);
	if (rc != LC_OK) {
		snapshot->asking = false;
		lc_error_set(&snapshot->err, rc, "the bar store was not read: %s", lc_err_text(rc));
	}
	return snapshot->asking;
}

/* Without a store, or when all is asked, what is still open is missing. */
static void next_market(struct lc_bar_snapshot *snapshot)
{
	while (snapshot->setup.store && snapshot->market < LC_MARKETS) {
		if (ask(snapshot, (enum lc_market)snapshot->market++)) {
			return;
		}
	}
	for (size_t i = 0; i < snapshot->count; i++) {
		struct item *item = &snapshot->items[i];
		item->state = item->state == ITEM_OPEN ? ITEM_MISSING : item->state;
	}
	answer(snapshot);
}

/* --- */

/* One that is too long would not be the trace's any more. */
static void keep_id(const struct lc_text *text, char out[LC_MESSAGE_ID_MAX + 1])
{
	size_t len = text->data && text->len <= LC_MESSAGE_ID_MAX ? text->len : 0;
	memcpy(out, len > 0 ? text->data : "", len);
	out[len] = '\0';
}

static enum lc_err create(
	const struct lc_bar_snapshot_setup *setup, size_t count, struct lc_bar_snapshot **out)
{
	struct lc_bar_snapshot *snapshot = calloc(1, sizeof *snapshot);
	if (!snapshot) {
		return LC_ERR_NOMEM;
	}
	snapshot->setup = *setup;
	keep_id(&setup->trace_id, snapshot->trace_id);
	keep_id(&setup->span_id, snapshot->span_id);
	snprintf(snapshot->traceparent, sizeof snapshot->traceparent, "%s",
		setup->traceparent ? setup->traceparent : "");
	snapshot->now_ns = lc_loop_wall_ns(setup->loop);
	snapshot->started_ns = lc_loop_mono_ns(setup->loop);
	snapshot->items = calloc(count + 1, sizeof *snapshot->items);
	if (!snapshot->items ||
		lc_map_create(lc_loop_random(setup->loop), &snapshot->by_text) != LC_OK ||
		lc_timer_create(setup->loop, on_room_due, snapshot, &snapshot->room_timer) !=
			LC_OK) {
		free_snapshot(snapshot);
		return LC_ERR_NOMEM;
	}
	*out = snapshot;
	return LC_OK;
}

enum lc_err lc_bar_snapshot_start(const struct lc_bar_snapshot_setup *setup,
	const uint32_t *followed, size_t count, struct lc_bar_snapshot **out)
{
	enum lc_err rc = create(setup, count, out);
	if (rc != LC_OK) {
		return rc;
	}
	for (size_t i = 0; i < count; i++) {
		(*out)->items[(*out)->count++] = (struct item){
			.symbol = *lc_symbols_get(setup->symbols, followed[i]),
			.index = followed[i]};
	}
	run_steps(*out);
	return LC_OK;
}

enum lc_err lc_bar_snapshot_start_codes(const struct lc_bar_snapshot_setup *setup,
	const struct lc_text *codes, size_t count, struct lc_bar_snapshot **out)
{
	enum lc_err rc = create(setup, count, out);
	if (rc != LC_OK) {
		return rc;
	}
	for (size_t i = 0; i < count; i++) {
		struct item *item = &(*out)->items[(*out)->count++];
		size_t len = codes[i].len < LC_SYMBOL_MAX ? codes[i].len : LC_SYMBOL_MAX - 1;
		memcpy(item->symbol.text, codes[i].data, len);
		bool whole = len == codes[i].len && !memchr(codes[i].data, '\0', len);
		item->state = whole ? ITEM_OPEN : ITEM_INVALID;
	}
	(*out)->codes = true;
	run_steps(*out);
	return LC_OK;
}

void lc_bar_snapshot_cancel(struct lc_bar_snapshot *snapshot)
{
	if (!snapshot) {
		return;
	}
	lc_slice_cancel(snapshot->slice);
	snapshot->slice = NULL;
	lc_timer_stop(snapshot->room_timer);
	snapshot->cancelled = true;
	if (!snapshot->asking) {
		free_snapshot(snapshot);
	}
}

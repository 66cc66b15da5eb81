#include "eastmoney_priv.h"
#include "registry.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_BYTES 512
#define MAX_URL 4096
#define CLOSE_MS 500 /* for the closing handshake */

static struct lc_eastmoney *eastmoney_of(struct lc_feeder *feeder)
{
	return container_of(feeder, struct lc_eastmoney, base);
}

/* --- ending a session --- */

void lc_eastmoney_end(struct lc_eastmoney *self, enum lc_down_kind kind, int64_t wait_ms,
	enum lc_err code, const char *format, ...)
{
	char text[sizeof(self->why.error.text)];
	va_list args;
	bool opened = self->state == LC_EASTMONEY_UP;
	if (self->state == LC_EASTMONEY_ENDING) {
		return; /* the first reason counts; stop() replaces it by itself */
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	self->state = LC_EASTMONEY_ENDING;
	self->why = (struct lc_down){.kind = kind, .wait_ms = wait_ms};
	lc_error_set(&self->why.error, code, "%s", text);
	if (self->request) {
		lc_http_cancel(self->request);
		self->request = NULL;
	}
	lc_eastmoney_backfill_stop(self);
	lc_eastmoney_streams_close(self);
	if (self->ws && opened) {
		lc_ws_close(self->ws, 1000, "", CLOSE_MS);
	} else if (self->ws) {
		lc_ws_abort(self->ws);
	} else {
		lc_timer_start(self->timer, 0, 0);
	}
}

void lc_eastmoney_deliver(struct lc_eastmoney *self)
{
	struct lc_down why = self->why;
	lc_timer_stop(self->timer);
	self->state = LC_EASTMONEY_IDLE;
	self->ws = NULL;
	lc_eastmoney_book_clear(&self->book);
	self->base.env.host->down(&self->base, &why);
}

static void on_timer(void *arg)
{
	struct lc_eastmoney *self = arg;
	if (self->state == LC_EASTMONEY_ENDING) {
		lc_eastmoney_deliver(self);
	} else if (self->state == LC_EASTMONEY_UP) {
		lc_eastmoney_pump(self);
	}
}

/* --- rows --- */

void lc_eastmoney_bad(struct lc_eastmoney *self, const char *reason, const char *data, size_t len)
{
	self->base.env.host->bad_input(
		&self->base, reason, data, len < SAMPLE_BYTES ? len : SAMPLE_BYTES);
}

void lc_eastmoney_tell_missing(struct lc_eastmoney *self, const struct lc_eastmoney_entry *entry)
{
	struct lc_eastmoney_known *known = lc_eastmoney_book_known(&self->book, entry->symbol);
	if (entry->answered || known->missing_told) {
		return;
	}
	known->missing_told = true;
	lc_log(lc_loop_log(self->base.env.loop), LC_LOG_WARN, "feeder", "symbol_unknown",
		LC_S("feeder", "eastmoney"),
		LC_S("symbol", lc_symbols_get(self->base.env.symbols, entry->symbol)->text));
}

uint32_t lc_eastmoney_row_symbol(struct lc_eastmoney *self, const struct lc_eastmoney_row *row)
{
	char text[LC_SYMBOL_MAX];
	size_t len;
	if (lc_eastmoney_symbol(row, text, &len) != LC_OK) {
		return LC_SYMBOL_NONE;
	}
	uint32_t symbol = lc_symbols_find(self->base.env.symbols, text, len);
	return lc_eastmoney_book_find(&self->book, symbol) ? symbol : LC_SYMBOL_NONE;
}

static void stamp(struct lc_eastmoney *self, uint32_t symbol, struct lc_tick *tick)
{
	tick->symbol = symbol;
	tick->source = self->base.env.source;
	tick->received_ns = self->received_ns;
	tick->received_mono_ns = self->received_mono_ns;
	if (!(tick->has & LC_HAS_EVENT_TIME)) {
		tick->event_ns = tick->received_ns;
	}
}

/* States 6 (suspended) and 14 (halted in session) are a halt, any other state ends it. What was
 * told is kept over sessions, so that a resume during an outage is told after it. */
static void tell_state(
	struct lc_eastmoney *self, uint32_t symbol, const struct lc_eastmoney_row *row)
{
	struct lc_eastmoney_known *known = lc_eastmoney_book_known(&self->book, symbol);
	bool halted = lc_eastmoney_halted(row);
	if (!(row->known & LC_EM_BIT(LC_EM_STATE)) || halted == known->halted) {
		return; /* a row that does not tell its state ends no halt */
	}
	known->halted = halted;
	struct lc_tick tick = {.kind = LC_TICK_STATUS, .effect = 0};
	tick.u.status.action = halted ? LC_STATUS_HALT : LC_STATUS_RESUME;
	snprintf(tick.u.status.code, sizeof(tick.u.status.code), "%u", row->state);
	snprintf(tick.u.status.text, sizeof(tick.u.status.text), "%s",
		!halted           ? "trading again"
		: row->state == 6 ? "suspended"
				  : "halted in session");
	stamp(self, symbol, &tick);
	self->base.env.host->tick(&self->base, &tick);
}

static bool is_delayed(const struct lc_eastmoney_row *row, const struct lc_eastmoney_answer *answer)
{
	enum lc_market market;
	if (!answer || !lc_eastmoney_market(row->market, &market)) {
		return false;
	}
	return market == LC_MARKET_HK ? answer->delayed_hk
				      : market == LC_MARKET_US && answer->delayed_us;
}

void lc_eastmoney_take(struct lc_eastmoney *self, uint32_t symbol,
	const struct lc_eastmoney_row *row, const struct lc_eastmoney_answer *answer,
	unsigned units)
{
	struct lc_eastmoney_entry *entry = lc_eastmoney_book_find(&self->book, symbol);
	bool full = answer && answer->full;
	bool changed = lc_eastmoney_row_apply(&entry->row, row, full);
	enum lc_market market;
	if (lc_eastmoney_market(entry->row.market, &market) && market == LC_MARKET_US) {
		lc_eastmoney_book_known(&self->book, symbol)->us_market = (uint8_t)
										  entry->row.market;
	}
	lc_histogram_observe_ns(self->refresh.ages, self->received_mono_ns - entry->fresh_ns);
	entry->fresh_ns = self->received_mono_ns;
	entry->answered = true;
	entry->awaits_full &= !full;
	if (!changed) {
		(*self->unchanged)++;
		if (self->base.env.host->same) {
			self->base.env.host->same(
				&self->base, symbol, (int64_t)entry->row.time_s * LC_NS_PER_S);
		}
		return;
	}
	tell_state(self, symbol, &entry->row);
	struct lc_tick tick = {0};
	if (!lc_eastmoney_tick(&entry->row, units, &tick)) {
		return; /* nothing has traded yet, and nobody bids */
	}
	tick.full_snapshot = full &&
			     !lc_symbol_is_index(lc_symbols_get(self->base.env.symbols, symbol));
	tick.delayed = is_delayed(&entry->row, answer);
	stamp(self, symbol, &tick);
	self->base.env.host->tick(&self->base, &tick);
}

/* --- the feeder's slots --- */

static void eastmoney_destroy(struct lc_feeder *feeder)
{
	struct lc_eastmoney *self = eastmoney_of(feeder);
	assert(self->state == LC_EASTMONEY_IDLE);
	lc_eastmoney_book_finish(&self->book);
	lc_eastmoney_streams_finish(self);
	lc_timer_destroy(self->timer);
	lc_timer_destroy(self->backfill.timer);
	lc_json_parser_destroy(self->json);
	lc_buf_finish(&self->url);
	free(self);
}

static void make_metrics(struct lc_eastmoney *self)
{
	struct lc_metrics *metrics = lc_loop_metrics(self->base.env.loop);
	lc_refresh_init(&self->refresh, metrics, "eastmoney");
	self->unchanged = lc_metrics_counter(metrics, "livecore_eastmoney_unchanged_rows_total", "",
		"Rows from EastMoney that said nothing new");
	self->reopened = lc_metrics_counter(metrics, "livecore_eastmoney_streams_lost_total", "",
		"Event streams from EastMoney that ended and were opened again");
}

static enum lc_err eastmoney_create(
	const struct lc_feeder_env *env, struct lc_feeder **out, struct lc_error *err)
{
	struct lc_eastmoney *self = calloc(1, sizeof(*self));
	if (!self) {
		return lc_error_set(err, LC_ERR_NOMEM, "no memory for the feeder eastmoney");
	}
	self->base.impl = &lc_feeder_eastmoney;
	self->base.env = *env;
	self->settings = env->config;
	self->pace.next_ns = INT64_MIN;
	lc_eastmoney_book_init(&self->book, env->symbols);
	lc_buf_init(&self->url, MAX_URL + LC_REQUEST_MAX_TEXT);
	make_metrics(self);
	const struct lc_json_limits limits = {.max_values = LC_FEEDER_VALUES_MAX};
	enum lc_err code = lc_timer_create(env->loop, on_timer, self, &self->timer);
	if (code == LC_OK) {
		code = lc_json_parser_create(&limits, &self->json);
	}
	code = code ? code : lc_eastmoney_backfill_create(self);
	if (code != LC_OK) {
		eastmoney_destroy(&self->base);
		return lc_error_set(err, code, "the feeder eastmoney could not be made");
	}
	*out = &self->base;
	return LC_OK;
}

static enum lc_err eastmoney_usable(const struct lc_feeder *feeder, struct lc_error *err)
{
	const struct lc_eastmoney *self = (const struct lc_eastmoney *)feeder;
	if (self->settings->mode == LC_EASTMONEY_WS && !self->settings->ws_url[0]) {
		return lc_error_set(err, LC_ERR_NOT_FOUND,
			"eastmoney.ws_url is not set, and no public WebSocket is known: set "
			"eastmoney.mode to sse");
	}
	if (self->settings->mode != LC_EASTMONEY_WS && !self->settings->url[0]) {
		return lc_error_set(err, LC_ERR_NOT_FOUND,
			"eastmoney.url is empty: https://push2.eastmoney.com is the public server");
	}
	return LC_OK;
}

/* Over the WebSocket nothing is acknowledged: only the supervisor's limit paces what we send. */
static size_t eastmoney_max_change(const struct lc_feeder *feeder)
{
	const struct lc_eastmoney *self = (const struct lc_eastmoney *)feeder;
	return self->mode == LC_EASTMONEY_WS ? lc_eastmoney_ws_batch(self) : 0;
}

static void eastmoney_start(struct lc_feeder *feeder)
{
	struct lc_eastmoney *self = eastmoney_of(feeder);
	assert(self->state == LC_EASTMONEY_IDLE);
	self->state = LC_EASTMONEY_PROBING;
	self->mode = self->settings->mode;
	self->paused = false;
	lc_eastmoney_book_markets(&self->book, &self->settings->us_markets);
	if (self->mode == LC_EASTMONEY_WS) {
		lc_eastmoney_ws_start(self);
		return;
	}
	if (self->mode == LC_EASTMONEY_SSE && lc_eastmoney_streams_open(self) != LC_OK) {
		lc_eastmoney_end(self, LC_DOWN_RETRY, 0, LC_ERR_NOMEM, "no memory for streams");
		return;
	}
	lc_eastmoney_probe(self);
}

static void eastmoney_stop(struct lc_feeder *feeder)
{
	struct lc_eastmoney *self = eastmoney_of(feeder);
	assert(self->state != LC_EASTMONEY_IDLE);
	lc_eastmoney_end(self, LC_DOWN_ASKED, 0, LC_OK, "stopped");
	self->why = (struct lc_down){.kind = LC_DOWN_ASKED};
	lc_error_set(&self->why.error, LC_OK, "stopped");
}

static enum lc_err book_change(struct lc_eastmoney *self, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	int64_t now_ns = lc_loop_mono_ns(self->base.env.loop);
	struct lc_list *after = &self->book.polled;
	enum lc_err code = LC_OK;
	for (size_t i = 0; i < n_remove; i++) {
		lc_eastmoney_book_remove(&self->book, remove[i]);
	}
	for (size_t i = 0; i < n_add && code == LC_OK; i++) {
		code = lc_eastmoney_book_add(&self->book, add[i], now_ns, &after);
	}
	return code;
}

static void eastmoney_change(struct lc_feeder *feeder, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	struct lc_eastmoney *self = eastmoney_of(feeder);
	if (self->state != LC_EASTMONEY_UP) {
		return; /* ending: down() tells */
	}
	if (book_change(self, add, n_add, remove, n_remove) != LC_OK) {
		lc_eastmoney_end(self, LC_DOWN_RETRY, 0, LC_ERR_NOMEM, "no memory for symbols");
		return;
	}
	if (self->mode == LC_EASTMONEY_WS) {
		lc_eastmoney_ws_change(self, add, n_add, remove, n_remove);
	} else {
		lc_eastmoney_streams_fill(self);
		lc_eastmoney_pump(self);
	}
	if (self->state == LC_EASTMONEY_UP) {
		self->base.env.host->changed(&self->base);
	}
}

static void eastmoney_pause(struct lc_feeder *feeder, bool paused)
{
	struct lc_eastmoney *self = eastmoney_of(feeder);
	if (self->paused == paused || self->state == LC_EASTMONEY_IDLE ||
		self->state == LC_EASTMONEY_ENDING) {
		return;
	}
	self->paused = paused;
	lc_eastmoney_streams_pause(self, paused);
	if (self->ws && paused) {
		lc_ws_pause(self->ws);
	} else if (self->ws) {
		lc_ws_resume(self->ws);
	} else if (!paused) {
		lc_eastmoney_pump(self);
	}
}

static void eastmoney_configure(struct lc_feeder *feeder, const void *config)
{
	struct lc_eastmoney *self = eastmoney_of(feeder);
	self->settings = config;
	self->base.env.config = config;
}

static void eastmoney_probe(struct lc_feeder *feeder)
{
	struct lc_eastmoney *self = eastmoney_of(feeder);
	if (self->ws) {
		lc_ws_ping(self->ws);
	} else if (self->mode != LC_EASTMONEY_WS && self->state == LC_EASTMONEY_UP) {
		lc_eastmoney_knock(self);
	}
}

static void eastmoney_signs(const struct lc_feeder *feeder, struct lc_feeder_signs *out)
{
	const struct lc_eastmoney *self = (const struct lc_eastmoney *)feeder;
	int64_t pong_ns = self->ws ? lc_ws_info(self->ws).pong_ns : 0;
	bool polls = self->mode == LC_EASTMONEY_POLL;
	*out = (struct lc_feeder_signs){
		.heard_ns = pong_ns > self->heard_ns ? pong_ns : self->heard_ns,
		.cadence_ns = polls ? self->settings->poll_ms * LC_NS_PER_MS : 0};
}

const struct lc_feeder_impl lc_feeder_eastmoney = {
	.name = "eastmoney",
	.origin = "eastmoney",
	.config = &lc_eastmoney_section,
	.max_change = eastmoney_max_change,
	.snapshots = true,
	.create = eastmoney_create,
	.destroy = eastmoney_destroy,
	.usable = eastmoney_usable,
	.start = eastmoney_start,
	.stop = eastmoney_stop,
	.change = eastmoney_change,
	.pause = eastmoney_pause,
	.configure = eastmoney_configure,
	.explain = lc_eastmoney_explain,
	.probe = eastmoney_probe,
	.signs = eastmoney_signs,
	.backfill_most = lc_eastmoney_backfill_most,
	.backfill = lc_eastmoney_backfill,
};

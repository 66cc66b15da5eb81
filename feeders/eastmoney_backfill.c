/* Today's trades of a symbol that was not seen for a while: /api/qt/stock/details/get, whose rows
 * are sums over about 3 s. A symbol a request, in turn with the polls. */
#include "eastmoney_priv.h"
#include "eastmoney_series.h"

#include "livecore/clock.h"

#include <stdio.h>
#include <string.h>

#define MAX_TRIES 3
#define ROWS_MORE 60  /* than the interval has seconds: several a second occur */
#define ROWS_FEW 2000 /* for more, all of today is as good */
#define BEIJING_NS (8 * 3600 * LC_NS_PER_S)
#define DAY_NS (24 * 3600 * LC_NS_PER_S)
#define URL_BYTES 2048
#define MAX_BODY ((size_t)4 << 20)

static int64_t midnight_of(int64_t ns)
{
	return (ns + BEIJING_NS) / DAY_NS * DAY_NS - BEIJING_NS;
}

/* --- the end --- */

static void end(struct lc_eastmoney *self, enum lc_err code, const char *why)
{
	struct lc_eastmoney_backfill *fill = &self->backfill;
	fill->code = code;
	snprintf(fill->why, sizeof(fill->why), "%.150s", why);
	fill->waits = false;
	lc_timer_start(fill->timer, 0, 0);
}

static void on_timer(void *arg)
{
	struct lc_eastmoney *self = arg;
	struct lc_eastmoney_backfill *fill = &self->backfill;
	const struct lc_backfill_end answer = {.code = fill->code,
		.why = fill->why,
		.requests = fill->made,
		.reached_ns = &fill->reached_ns};
	fill->active = false;
	self->base.env.host->backfill_end(&self->base, &answer);
}

/* --- rows --- */

struct reading {
	struct lc_eastmoney *self;
	int64_t first_ns, midnight_ns; /* first: of the oldest row; INT64_MAX: none came */
	size_t bad;
};

static void give(struct lc_eastmoney *self, const struct lc_eastmoney_detail *row, int64_t event_ns)
{
	struct lc_tick tick = {.symbol = self->backfill.symbol,
		.kind = LC_TICK_TRADE,
		.effect = LC_UPDATES_ALL,
		.source = self->base.env.source,
		.has = LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_EVENT_TIME,
		.event_ns = event_ns,
		.received_ns = self->backfill.received_ns,
		.received_mono_ns = lc_loop_mono_ns(self->base.env.loop),
		.price = row->price,
		.volume = lc_decimal_mul(row->lots, lc_decimal_from_int(100))};
	self->base.env.host->backfilled(&self->base, &tick);
}

static void on_row(void *arg, const struct lc_eastmoney_series *series, struct lc_text text)
{
	struct reading *reading = arg;
	const struct lc_eastmoney_backfill *fill = &reading->self->backfill;
	struct lc_eastmoney_detail row;
	if (series->kind != LC_EASTMONEY_DETAILS ||
		lc_eastmoney_detail_parse(text, &row) != LC_OK) {
		reading->bad++;
		return;
	}
	int64_t event_ns = reading->midnight_ns + row.second * LC_NS_PER_S;
	reading->first_ns = event_ns < reading->first_ns ? event_ns : reading->first_ns;
	/* A row of the second of the last snapshot was in its totals. Rows without trades are
	 * indications. */
	if (event_ns > fill->from_ns && event_ns <= fill->until_ns && row.trades > 0) {
		give(reading->self, &row, event_ns);
	}
}

/* --- requests --- */

static void retry(struct lc_eastmoney *self, const char *why)
{
	struct lc_eastmoney_backfill *fill = &self->backfill;
	if (++fill->tries >= MAX_TRIES) {
		end(self, LC_ERR_REFUSED, why);
	} else {
		fill->waits = true;
		lc_eastmoney_pump(self);
	}
}

/* The rows wanted are the newest ones: are there as many as reach back to the interval's begin? */
static bool reaches(const struct lc_eastmoney_backfill *fill, const struct reading *reading,
	const struct lc_eastmoney_series *series)
{
	return fill->rows == 0 || series->rows < fill->rows || reading->first_ns <= fill->from_ns;
}

static void on_answer(void *arg, const struct lc_http_answer *answer)
{
	struct lc_eastmoney *self = arg;
	struct lc_eastmoney_backfill *fill = &self->backfill;
	struct lc_eastmoney_series series;
	struct lc_error err = {0};
	fill->request = NULL;
	if (!lc_eastmoney_judge(self, answer)) {
		if (self->state == LC_EASTMONEY_UP) {
			retry(self, "EastMoney did not answer");
		}
		return;
	}
	fill->received_ns = answer->received_wall_ns;
	struct reading reading = {
		.self = self, .first_ns = INT64_MAX, .midnight_ns = midnight_of(fill->until_ns)};
	if (lc_eastmoney_series_parse(self->json, answer->body, answer->body_len, &series, on_row,
		    &reading, &err) != LC_OK) {
		lc_eastmoney_bad(self, "malformed", answer->body, answer->body_len);
		retry(self, err.text);
		return;
	}
	lc_eastmoney_good(self);
	if (reading.bad > 0) {
		lc_eastmoney_bad(self, "malformed", answer->body, answer->body_len);
	}
	bool whole = reaches(fill, &reading, &series);
	fill->reached_ns = whole && reading.bad == 0 ? fill->until_ns + 1 : fill->reached_ns;
	end(self, whole ? LC_OK : LC_ERR_PROTOCOL, whole ? "" : "the rows do not reach back");
}

static enum lc_err write_url(struct lc_eastmoney *self, struct lc_buf *url)
{
	struct lc_eastmoney_backfill *fill = &self->backfill;
	char secid[LC_EASTMONEY_SECID_MAX];
	size_t len = lc_eastmoney_secid(
		lc_symbols_get(self->base.env.symbols, fill->symbol), 0, secid);
	lc_request_address(self->settings->url, url);
	lc_buf_puts(url, "/api/qt/stock/details/get?fields1=f1,f2,f3,f4&fields2=f51,f52,f53,f54,"
			 "f55&fltt=1&secid=");
	lc_buf_append(url, secid, len);
	lc_buf_printf(url, "&pos=-%zu&ut=%s", fill->rows, self->settings->ut);
	return url->failed ? LC_ERR_NOMEM : LC_OK;
}

bool lc_eastmoney_backfill_send(struct lc_eastmoney *self)
{
	struct lc_eastmoney_backfill *fill = &self->backfill;
	struct lc_request_headers headers;
	struct lc_buf url;
	if (!fill->waits || !self->base.env.host->backfill_room(&self->base)) {
		return false;
	}
	fill->waits = false;
	if (fill->made >= fill->max) {
		end(self, LC_ERR_LIMIT, "the requests that it may take were not enough");
		return false;
	}
	lc_buf_init(&url, URL_BYTES);
	lc_request_headers(self->settings->user_agent, self->settings->referer, &headers);
	enum lc_err code = write_url(self, &url);
	const struct lc_http_options options = {
		.url = code == LC_OK ? lc_buf_text(&url) : "",
		.headers = headers.lines,
		.connect_timeout_ms = self->settings->connect_ms,
		.timeout_ms = self->settings->timeout_ms,
		.max_body_bytes = MAX_BODY,
	};
	fill->made++;
	code = code ? code
		    : lc_http_send(
			      self->base.env.http, &options, on_answer, self, &fill->request, NULL);
	lc_buf_finish(&url);
	if (code != LC_OK) {
		fill->request = NULL;
		end(self, code, "the request could not be made");
	}
	return code == LC_OK;
}

/* --- the feeder's slots --- */

enum lc_err lc_eastmoney_backfill_create(struct lc_eastmoney *self)
{
	return lc_timer_create(self->base.env.loop, on_timer, self, &self->backfill.timer);
}

/* Volumes in lots, and the clock of Beijing: China's. */
size_t lc_eastmoney_backfill_most(
	const struct lc_feeder *feeder, enum lc_backfill_kind what, uint32_t symbol)
{
	const struct lc_eastmoney *self = (const struct lc_eastmoney *)feeder;
	bool polls = self->settings->mode != LC_EASTMONEY_WS;
	bool cn = lc_symbols_get(feeder->env.symbols, symbol)->market == LC_MARKET_CN;
	return what == LC_BACKFILL_TRADES && polls && cn ? 1 : 0;
}

enum lc_err lc_eastmoney_backfill(struct lc_feeder *feeder, const struct lc_backfill *request)
{
	struct lc_eastmoney *self = (struct lc_eastmoney *)feeder;
	struct lc_eastmoney_backfill *fill = &self->backfill;
	int64_t now_ns = lc_loop_wall_ns(feeder->env.loop);
	fill->active = true;
	fill->symbol = request->symbols[0];
	fill->from_ns = fill->reached_ns = request->from_ns;
	fill->until_ns = request->until_ns;
	fill->max = request->max_requests;
	fill->made = fill->tries = 0;
	int64_t seconds = (now_ns - request->from_ns) / LC_NS_PER_S;
	fill->rows = seconds < ROWS_FEW ? (size_t)(seconds > 0 ? seconds : 0) + ROWS_MORE : 0;
	if (request->from_ns < midnight_of(now_ns) || self->mode == LC_EASTMONEY_WS) {
		end(self, LC_ERR_UNSUPPORTED, "EastMoney gives the trades of today alone");
		return LC_OK;
	}
	fill->waits = true;
	return LC_OK;
}

void lc_eastmoney_backfill_stop(struct lc_eastmoney *self)
{
	struct lc_eastmoney_backfill *fill = &self->backfill;
	if (fill->request) {
		lc_http_cancel(fill->request);
		fill->request = NULL;
	}
	if (fill->timer) {
		lc_timer_stop(fill->timer);
	}
	fill->active = fill->waits = false;
}

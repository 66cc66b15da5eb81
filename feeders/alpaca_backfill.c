/* Trades and minute bars that the stream did not bring, page by page. */
#include "alpaca_priv.h"

#include "alpaca_rest.h"
#include "livecore/json.h"
#include "livecore/limiter.h"
#include "livecore/zone.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST 2
#define MAX_TRIES 3
#define RETRY_MS 1000
#define NO_ROOM_MS 50
#define TOKEN_MAX 512
#define URL_BYTES 8192

struct lc_alpaca_backfill {
	struct lc_feeder *feeder;                  /* borrowed */
	const struct lc_alpaca_settings *settings; /* borrowed while active */
	char feed[12];
	bool active, delayed;

	struct lc_backfill request; /* its symbols are those below */
	uint32_t symbols[LC_ALPACA_BACKFILL_SYMBOLS];
	int64_t reached_ns[LC_ALPACA_BACKFILL_SYMBOLS];
	size_t at;   /* the symbol of the item read last */
	size_t made; /* requests */
	unsigned tries;
	char token[TOKEN_MAX + 1]; /* of the next page; "": the first */
	int64_t received_ns, received_mono_ns;

	struct lc_limiter limiter;
	struct lc_http_request *http; /* NULL: none under way */
	struct lc_timer *timer;       /* before the next request, and before the end */
	enum lc_err end_code;
	bool ending;
	char why[160];
	struct lc_json_parser *parser;
	struct lc_conditions_seen seen;
};

/* --- the end --- */

static void end_soon(struct lc_alpaca_backfill *self, enum lc_err code, const char *why)
{
	self->ending = true;
	self->end_code = code;
	snprintf(self->why, sizeof(self->why), "%.150s", why);
	lc_timer_start(self->timer, 0, 0);
}

static void end(struct lc_alpaca_backfill *self)
{
	const struct lc_backfill_end answer = {.code = self->end_code,
		.why = self->why,
		.requests = self->made,
		.reached_ns = self->reached_ns};
	self->active = self->ending = false;
	self->feeder->env.host->backfill_end(self->feeder, &answer);
}

/* --- items --- */

static bool find_symbol(struct lc_alpaca_backfill *self, struct lc_text text)
{
	uint32_t symbol = lc_symbols_find(self->feeder->env.symbols, text.data, text.len);
	for (size_t i = 0; i < self->request.count; i++) {
		size_t at = (self->at + i) % self->request.count;
		if (self->symbols[at] == symbol) {
			self->at = at;
			return true;
		}
	}
	return false;
}

static void give_trade(struct lc_alpaca_backfill *self, const struct lc_alpaca_msg *msg)
{
	const struct lc_feeder_env *env = &self->feeder->env;
	struct lc_tick tick = msg->u.tick;
	tick.symbol = self->symbols[self->at];
	tick.source = env->source;
	tick.delayed = self->delayed;
	tick.received_ns = self->received_ns;
	tick.received_mono_ns = self->received_mono_ns;
	memcpy(tick.feed, self->feed, sizeof(tick.feed));
	env->host->backfilled(self->feeder, &tick);
}

static void give_minute(struct lc_alpaca_backfill *self, const struct lc_alpaca_msg *msg)
{
	const struct lc_alpaca_bar *seen = &msg->u.bar;
	struct lc_bar bar = {.symbol = self->symbols[self->at],
		.period = LC_PERIOD_1M,
		.final = true,
		.complete = true,
		.start_ns = msg->time_ns,
		.end_ns = msg->time_ns + 60 * LC_NS_PER_S,
		.open = seen->open,
		.high = seen->high,
		.low = seen->low,
		.close = seen->close,
		.volume = seen->volume};
	if (seen->has_vwap) {
		bar.has = LC_BAR_HAS_AMOUNT;
		bar.amount = lc_decimal_mul(seen->vwap, seen->volume);
	}
	self->feeder->env.host->minute(self->feeder, &bar);
}

static void on_item(void *arg, const struct lc_alpaca_msg *msg)
{
	struct lc_alpaca_backfill *self = arg;
	if (msg->withdrawn || !find_symbol(self, msg->symbol) ||
		msg->time_ns < self->request.from_ns || msg->time_ns > self->request.until_ns) {
		return; /* not what was asked for */
	}
	self->reached_ns[self->at] = msg->time_ns;
	if (self->request.what == LC_BACKFILL_TRADES) {
		give_trade(self, msg);
	} else {
		give_minute(self, msg);
	}
}

/* Pages come by symbol and then by time: a symbol is whole once another one follows it, and those
 * that did not come yet are not known to be. */
static void note_progress(struct lc_alpaca_backfill *self, bool last_page)
{
	for (size_t i = 0; i < self->request.count; i++) {
		bool whole = last_page ||
			     (self->reached_ns[i] > self->request.from_ns && i != self->at);
		self->reached_ns[i] = whole ? self->request.until_ns + 1 : self->reached_ns[i];
	}
}

/* --- answers --- */

static void on_page(struct lc_alpaca_backfill *self, const struct lc_http_answer *answer)
{
	const struct lc_value *root;
	struct lc_alpaca_page page;
	self->received_ns = answer->received_wall_ns;
	self->received_mono_ns = lc_loop_mono_ns(self->feeder->env.loop);
	if (lc_json_parse(self->parser, answer->body, answer->body_len, answer->body_len, &root,
		    NULL) != LC_OK ||
		lc_alpaca_rest_page(root, &self->seen, on_item, self, &page) != LC_OK ||
		page.next.len > TOKEN_MAX) {
		self->feeder->env.host->bad_input(
			self->feeder, "malformed_page", answer->body, answer->body_len);
		end_soon(self, LC_ERR_PROTOCOL, "an answer could not be read");
		return;
	}
	if (page.bad > 0) {
		self->feeder->env.host->bad_input(
			self->feeder, "malformed_page", answer->body, answer->body_len);
	}
	note_progress(self, page.next.len == 0);
	self->tries = 0;
	snprintf(self->token, sizeof(self->token), "%.*s", (int)page.next.len,
		page.next.len > 0 ? page.next.data : "");
	if (page.next.len == 0) {
		end_soon(self, LC_OK, "");
	} else {
		lc_timer_start(self->timer, 0, 0);
	}
}

static void retry(struct lc_alpaca_backfill *self, enum lc_err code, const char *why)
{
	if (++self->tries < MAX_TRIES) {
		lc_timer_start(self->timer, RETRY_MS, 0);
	} else {
		end_soon(self, code, why);
	}
}

static void on_answer(void *arg, const struct lc_http_answer *answer)
{
	struct lc_alpaca_backfill *self = arg;
	char why[LC_ALPACA_WHY_MAX] = "";
	self->http = NULL;
	if (answer->err.code != LC_OK) {
		retry(self, answer->err.code, answer->err.text);
		return;
	}
	if (answer->status != 200) {
		lc_alpaca_describe(self->parser, answer, why);
	}
	switch (answer->status) {
	case 200:
		on_page(self, answer);
		break;
	case 429:
		lc_timer_start(self->timer, lc_alpaca_limited_ms(answer->retry_after_s), 0);
		break;
	case 401:
	case 403:
		end_soon(self, LC_ERR_AUTH, why);
		break;
	case 400:
	case 422:
		end_soon(self, LC_ERR_INVALID, why);
		break;
	default:
		retry(self, LC_ERR_REFUSED, why);
		break;
	}
}

/* --- requests --- */

/* RFC 3339 with nine digits, which the query needs no escapes for. */
static void put_time(struct lc_buf *url, const char *name, int64_t ns)
{
	struct lc_civil c = lc_civil_from_ns(NULL, ns);
	lc_buf_printf(url, "&%s=%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", name, c.year, c.month, c.day,
		c.hour, c.minute, c.second, c.nanosecond);
}

static void put_escaped(struct lc_buf *url, const char *text)
{
	for (; *text; text++) {
		bool plain = (*text >= '0' && *text <= '9') || (*text >= 'A' && *text <= 'Z') ||
			     (*text >= 'a' && *text <= 'z') || *text == '-' || *text == '_';
		lc_buf_printf(url, plain ? "%c" : "%%%02X", (unsigned char)*text);
	}
}

static void write_url(struct lc_alpaca_backfill *self, struct lc_buf *url)
{
	bool trades = self->request.what == LC_BACKFILL_TRADES;
	lc_alpaca_put_url(self->settings,
		trades ? "/v2/stocks/trades?symbols=" : "/v2/stocks/bars?timeframe=1Min&symbols=",
		url);
	for (size_t i = 0; i < self->request.count; i++) {
		lc_buf_printf(url, "%s%s", i > 0 ? "," : "",
			lc_symbols_get(self->feeder->env.symbols, self->symbols[i])->text);
	}
	put_time(url, "start", self->request.from_ns);
	put_time(url, "end", self->request.until_ns);
	lc_buf_printf(url, "&limit=%" PRId64 "&sort=asc", self->settings->rest_page);
	if (lc_alpaca_feed_is_known(self->feed)) {
		/* History has no delayed feed: what is 15 min old is SIP's. */
		lc_buf_printf(url, "&feed=%s", self->delayed ? "sip" : self->feed);
	}
	if (self->token[0]) {
		lc_buf_puts(url, "&page_token=");
		put_escaped(url, self->token);
	}
}

static void send_next(struct lc_alpaca_backfill *self)
{
	struct lc_buf url;
	lc_buf_init(&url, URL_BYTES);
	write_url(self, &url);
	self->made++;
	if (url.failed || lc_alpaca_get(self->feeder, self->settings, lc_buf_text(&url), on_answer,
				  self, &self->http) != LC_OK) {
		end_soon(self, LC_ERR_NOMEM, "the request could not be made");
	}
	lc_buf_finish(&url);
}

static void on_timer(void *arg)
{
	struct lc_alpaca_backfill *self = arg;
	if (self->ending) {
		end(self);
		return;
	}
	if (self->made >= self->request.max_requests) {
		end_soon(self, LC_ERR_LIMIT, "the requests that it may take were not enough");
		return;
	}
	if (!self->feeder->env.host->backfill_room(self->feeder)) {
		lc_timer_start(self->timer, NO_ROOM_MS, 0);
		return;
	}
	int64_t wait_ns = lc_limiter_take(
		&self->limiter, 1, lc_loop_mono_ns(self->feeder->env.loop));
	if (wait_ns > 0) {
		lc_timer_start(self->timer, wait_ns / LC_NS_PER_MS + 1, 0);
		return;
	}
	send_next(self);
}

/* --- public --- */

enum lc_err lc_alpaca_backfill_create(struct lc_feeder *feeder, struct lc_alpaca_backfill **out)
{
	struct lc_alpaca_backfill *self = calloc(1, sizeof(*self));
	if (!self) {
		return LC_ERR_NOMEM;
	}
	self->feeder = feeder;
	struct lc_json_limits limits = {.max_bytes = LC_ALPACA_MAX_BODY};
	enum lc_err code = lc_json_parser_create(&limits, &self->parser);
	code = code ? code : lc_timer_create(feeder->env.loop, on_timer, self, &self->timer);
	if (code != LC_OK) {
		lc_alpaca_backfill_destroy(self);
		return code;
	}
	lc_limiter_init(&self->limiter, 1, BURST, lc_loop_mono_ns(feeder->env.loop));
	*out = self;
	return LC_OK;
}

void lc_alpaca_backfill_destroy(struct lc_alpaca_backfill *self)
{
	if (self) {
		assert(!self->http);
		lc_timer_destroy(self->timer);
		lc_json_parser_destroy(self->parser);
		free(self);
	}
}

enum lc_err lc_alpaca_backfill_start(struct lc_alpaca_backfill *self,
	const struct lc_alpaca_settings *settings, const char *feed, bool delayed,
	const struct lc_backfill *request)
{
	assert(!self->active && request->count > 0 && request->count <= LC_ALPACA_BACKFILL_SYMBOLS);
	self->settings = settings;
	snprintf(self->feed, sizeof(self->feed), "%s", feed);
	self->delayed = delayed;
	self->request = *request;
	self->request.symbols = self->symbols;
	memcpy(self->symbols, request->symbols, request->count * sizeof(*self->symbols));
	for (size_t i = 0; i < request->count; i++) {
		self->reached_ns[i] = request->from_ns;
	}
	self->at = self->made = self->tries = 0;
	self->token[0] = '\0';
	self->active = true;
	lc_limiter_configure(&self->limiter, settings->rest_rate, BURST);
	lc_timer_start(self->timer, 0, 0);
	return LC_OK;
}

void lc_alpaca_backfill_cancel(struct lc_alpaca_backfill *self)
{
	if (self->http) {
		lc_http_cancel(self->http);
		self->http = NULL;
	}
	lc_timer_stop(self->timer);
	self->active = self->ending = false;
}

void lc_alpaca_backfill_configure(
	struct lc_alpaca_backfill *self, const struct lc_alpaca_settings *settings)
{
	self->settings = settings;
	lc_limiter_configure(&self->limiter, settings->rest_rate, BURST);
}

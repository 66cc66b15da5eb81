#include "fushu_wire.h"
#include "livecore/buf.h"
#include "livecore/http_client.h"
#include "livecore/list.h"
#include "livecore/url.h"
#include "mask.h"
#include "registry.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct settings, field)
#define MAX_URL 4000 /* the longest request line that every server takes */
#define MAX_BODY ((size_t)4 << 20)
#define MAX_SECRET 512
#define LIMITED_MS 60000 /* after 429 or 503 without Retry-After */
#define MAX_WAIT_S 3600
#define FRESH_MS 1000 /* new symbols are asked for this soon after the last request */
#define DEAD_AFTER 3  /* failures to get any answer, in a row */
#define SAMPLE_BYTES 512

struct settings {
	char *url, *api_key;
	int64_t poll_ms, timeout_ms, max_symbols;
};

enum state {
	STATE_IDLE,
	STATE_PROBING, /* until a request without symbols was answered */
	STATE_UP,
	STATE_ENDING, /* why is known; down() follows from the timer */
};

/* One session polls one request an interval, round robin over its symbols. */
struct fushu {
	struct lc_feeder base;
	const struct settings *settings; /* borrowed; the newest */
	enum state state;
	struct lc_timer *timer;
	struct lc_http_request *request; /* at most one at a time */
	struct lc_down why;              /* in STATE_ENDING */
	struct lc_json_parser *json;
	struct lc_zone *zone; /* of times without one */
	struct lc_buf url;
	uint32_t *followed; /* in the order they came */
	size_t count, capacity;
	size_t next; /* where the next request begins in `followed` */
	bool paused;
	bool fresh;                            /* symbols came that were not asked for yet */
	int64_t sent_ns;                       /* monotonic: the last request */
	unsigned dead;                         /* requests in a row that got no answer at all */
	int64_t received_ns, received_mono_ns; /* of the answer being read */
	int64_t heard_ns;                      /* monotonic: the last usable answer */
	uint64_t *failed_polls;
};

static struct fushu *fushu_of(struct lc_feeder *feeder)
{
	return container_of(feeder, struct fushu, base);
}

static struct lc_log *log_of(const struct fushu *self)
{
	return lc_loop_log(self->base.env.loop);
}

/* --- settings --- */

static enum lc_err check_url(const char *text, struct lc_error *err)
{
	struct lc_url url;
	enum lc_err code = lc_url_parse(text, &url, err);
	if (code == LC_OK && (url.websocket || strchr(url.path, '?'))) {
		return lc_error_set(err, LC_ERR_INVALID,
			"%s is not the address of a FuShu server: write https://HOST/v1", text);
	}
	return code;
}

static enum lc_err check_secret(const char *text, struct lc_error *err)
{
	if (strlen(text) > MAX_SECRET) {
		return lc_error_set(err, LC_ERR_TOO_LARGE, "longer than %d bytes", MAX_SECRET);
	}
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c > '~') {
			return lc_error_set(err, LC_ERR_INVALID,
				"holds a space or a control character: copy the key again");
		}
	}
	return LC_OK;
}

static const struct lc_setting settings_table[] = {
	{"url", LC_SET_STRING, AT(url), "", .apply = LC_APPLY_RECONNECT, .check = check_url,
		.help = "the server, https://HOST/v1 (/tick is added); empty: FuShu is not used"},
	{"api_key", LC_SET_STRING, AT(api_key), "", .apply = LC_APPLY_RECONNECT,
		.flags = LC_SETTING_SECRET, .check = check_secret,
		.help = "sent as a bearer token; empty: none is sent"},
	{"poll_interval", LC_SET_DURATION, AT(poll_ms), "5s", 10, 3600000, .apply = LC_APPLY_LIVE,
		.help = "between two requests"},
	{"timeout", LC_SET_DURATION, AT(timeout_ms), "10s", 100, 120000, .apply = LC_APPLY_LIVE,
		.help = "the longest wait for an answer"},
	{"max_symbols", LC_SET_INT, AT(max_symbols), "100", 1, 400, .apply = LC_APPLY_LIVE,
		.help = "symbols in one request, at most; more are asked for in turn"},
};

static const struct lc_section section = {
	.name = "fushu",
	.help = "Hong Kong stocks by polling a FuShu server",
	.settings = settings_table,
	.count = sizeof(settings_table) / sizeof(settings_table[0]),
	.size = sizeof(struct settings),
};

/* --- ending a session --- */

static void end_session(struct fushu *self, enum lc_down_kind kind, int64_t wait_ms,
	enum lc_err code, const char *text)
{
	self->state = STATE_ENDING;
	self->why = (struct lc_down){.kind = kind, .wait_ms = wait_ms};
	lc_error_set(&self->why.error, code, "%s", text);
	if (self->request) {
		lc_http_cancel(self->request);
		self->request = NULL;
	}
	lc_timer_start(self->timer, 0, 0);
}

static void deliver_down(struct fushu *self)
{
	struct lc_down why = self->why;
	self->state = STATE_IDLE;
	self->count = self->next = 0;
	self->dead = 0;
	self->base.env.host->down(&self->base, &why);
}

/* --- answers --- */

static void report_bad(struct fushu *self, const char *reason, const char *data, size_t len)
{
	char sample[SAMPLE_BYTES];
	size_t sample_len = len < SAMPLE_BYTES ? len : SAMPLE_BYTES;
	memcpy(sample, data, sample_len);
	lc_feeder_mask(sample, sample_len, self->settings->api_key);
	self->base.env.host->bad_input(&self->base, reason, sample, sample_len);
}

static void on_row(void *arg, const char *symbol, size_t len, const struct lc_tick *row)
{
	struct fushu *self = arg;
	const struct lc_feeder_env *env = &self->base.env;
	uint32_t index = lc_symbols_find(env->symbols, symbol, len);
	if (index == LC_SYMBOL_NONE) {
		env->host->bad_input(&self->base, "unknown_symbol", symbol, len);
		return;
	}
	struct lc_tick tick = *row;
	tick.symbol = index;
	tick.source = env->source;
	tick.received_ns = self->received_ns;
	tick.received_mono_ns = self->received_mono_ns;
	if (!(tick.has & LC_HAS_EVENT_TIME)) {
		tick.event_ns = tick.received_ns;
	}
	env->host->tick(&self->base, &tick);
}

/* True when the session goes on. What refuses us ends it, a status that may pass only costs a
 * poll. */
static bool judge(struct fushu *self, const struct lc_http_answer *answer)
{
	char text[200];
	bool first = self->state == STATE_PROBING;
	if (answer->err.code != LC_OK) {
		(*self->failed_polls)++;
		self->dead++;
		lc_log(log_of(self), LC_LOG_WARN, "feeder", "poll_failed", LC_S("feeder", "fushu"),
			LC_S("error", answer->err.text));
		if (first || self->dead >= DEAD_AFTER) {
			end_session(self, LC_DOWN_RETRY, 0, answer->err.code, answer->err.text);
		}
		return false;
	}
	self->dead = 0;
	if (answer->status == 200) {
		return true;
	}
	(*self->failed_polls)++;
	snprintf(text, sizeof(text), "the FuShu server answered with status %d", answer->status);
	if (answer->status == 401 || answer->status == 403) {
		snprintf(text, sizeof(text),
			"the FuShu server refuses our key (status %d): set fushu.api_key",
			answer->status);
		end_session(self, LC_DOWN_STOP, 0, LC_ERR_AUTH, text);
	} else if (answer->status == 429 || answer->status == 503) {
		int64_t seconds = answer->retry_after_s < MAX_WAIT_S ? answer->retry_after_s
								     : MAX_WAIT_S;
		end_session(self, LC_DOWN_WAIT, seconds >= 0 ? seconds * 1000 : LIMITED_MS,
			LC_ERR_LIMIT, text);
	} else if (first) {
		end_session(self, LC_DOWN_RETRY, 0, LC_ERR_REFUSED, text);
	} else {
		lc_log(log_of(self), LC_LOG_WARN, "feeder", "poll_failed", LC_S("feeder", "fushu"),
			LC_I("status", answer->status));
	}
	return false;
}

/* The next request comes an interval after the last one, sooner when symbols are new. */
static void arm(struct fushu *self)
{
	if (self->state != STATE_UP || self->paused || self->count == 0 || self->request) {
		return;
	}
	int64_t passed_ms = (lc_loop_mono_ns(self->base.env.loop) - self->sent_ns) / LC_NS_PER_MS;
	int64_t wait_ms = self->settings->poll_ms;
	if (self->fresh && wait_ms > FRESH_MS) {
		wait_ms = FRESH_MS;
	}
	lc_timer_start(self->timer, passed_ms < wait_ms ? wait_ms - passed_ms : 0, 0);
}

static void on_probe(void *arg, const struct lc_http_answer *answer)
{
	struct fushu *self = arg;
	self->request = NULL;
	if (judge(self, answer)) {
		self->state = STATE_UP;
		self->base.env.host->up(&self->base);
	}
}

static void on_poll(void *arg, const struct lc_http_answer *answer)
{
	struct fushu *self = arg;
	struct lc_error err = {0};
	size_t bad_rows = 0;
	self->request = NULL;
	if (judge(self, answer)) {
		self->received_ns = answer->received_wall_ns;
		self->received_mono_ns = lc_loop_mono_ns(self->base.env.loop);
		self->heard_ns = self->received_mono_ns;
		enum lc_err code = lc_fushu_parse(self->json, answer->body, answer->body_len,
			self->zone, on_row, self, &bad_rows, &err);
		if (code != LC_OK || bad_rows > 0) {
			*self->failed_polls += code != LC_OK;
			report_bad(self, code == LC_OK ? "incomplete_row" : "malformed",
				answer->body, answer->body_len);
		}
	}
	arm(self);
}

/* --- requests --- */

static void build_url(struct fushu *self, bool with_symbols)
{
	const char *base = self->settings->url;
	size_t len = strlen(base);
	while (len > 0 && base[len - 1] == '/') {
		len--;
	}
	lc_buf_clear(&self->url);
	lc_buf_append(&self->url, base, len);
	if (len < 5 || strncmp(base + len - 5, "/tick", 5) != 0) {
		lc_buf_puts(&self->url, "/tick");
	}
	if (!with_symbols) {
		return;
	}
	size_t n = 0;
	while (n < self->count && n < (size_t)self->settings->max_symbols &&
		self->url.len + LC_SYMBOL_MAX < MAX_URL) {
		const struct lc_symbol *symbol = lc_symbols_get(
			self->base.env.symbols, self->followed[(self->next + n) % self->count]);
		lc_buf_puts(&self->url, n == 0 ? "?symbols=" : ",");
		lc_buf_append(&self->url, symbol->text, symbol->len);
		n++;
	}
	self->next = (self->next + n) % self->count;
}

static void send_request(struct fushu *self, bool with_symbols)
{
	char authorization[MAX_SECRET + 32];
	const char *headers[] = {"Content-Type: application/json", "Accept: application/json",
		self->settings->api_key[0] ? authorization : NULL, NULL};
	struct lc_error err = {0};
	snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s",
		self->settings->api_key);
	build_url(self, with_symbols);
	self->sent_ns = lc_loop_mono_ns(self->base.env.loop);
	self->fresh = false;
	struct lc_http_options options = {
		.url = lc_buf_text(&self->url),
		.headers = headers,
		.connect_timeout_ms = self->settings->timeout_ms,
		.timeout_ms = self->settings->timeout_ms,
		.max_body_bytes = MAX_BODY,
	};
	enum lc_err code = lc_http_send(self->base.env.http, &options,
		with_symbols ? on_poll : on_probe, self, &self->request, &err);
	if (code != LC_OK) {
		self->request = NULL;
		end_session(self, code == LC_ERR_INVALID ? LC_DOWN_STOP : LC_DOWN_RETRY, 0, code,
			err.text[0] ? err.text : lc_err_text(code));
	}
}

static void on_timer(void *arg)
{
	struct fushu *self = arg;
	if (self->state == STATE_ENDING) {
		deliver_down(self);
	} else if (self->state == STATE_UP && !self->request && !self->paused && self->count > 0) {
		send_request(self, true);
	}
}

/* --- the feeder's slots --- */

static void fushu_destroy(struct lc_feeder *feeder)
{
	struct fushu *self = fushu_of(feeder);
	assert(self->state == STATE_IDLE);
	if (self->timer) {
		lc_timer_destroy(self->timer);
	}
	lc_json_parser_destroy(self->json);
	lc_zone_destroy(self->zone);
	lc_buf_finish(&self->url);
	free(self->followed);
	free(self);
}

static enum lc_err fushu_create(
	const struct lc_feeder_env *env, struct lc_feeder **out, struct lc_error *err)
{
	struct fushu *self = calloc(1, sizeof(*self));
	if (!self) {
		return lc_error_set(err, LC_ERR_NOMEM, "no memory for the feeder fushu");
	}
	self->base.impl = &lc_feeder_fushu;
	self->base.env = *env;
	self->settings = env->config;
	lc_buf_init(&self->url, MAX_URL);
	self->failed_polls = lc_metrics_counter(lc_loop_metrics(env->loop),
		"livecore_fushu_failed_polls_total", "", "Polls of FuShu without a usable answer");
	enum lc_err code = lc_timer_create(env->loop, on_timer, self, &self->timer);
	if (code == LC_OK) {
		code = lc_json_parser_create(NULL, &self->json);
	}
	if (code != LC_OK) {
		lc_error_set(err, code, "the feeder fushu could not be made");
	} else {
		code = lc_zone_load("Asia/Hong_Kong", &self->zone, err);
	}
	if (code != LC_OK) {
		fushu_destroy(&self->base);
		return code;
	}
	*out = &self->base;
	return LC_OK;
}

static enum lc_err fushu_usable(const struct lc_feeder *feeder, struct lc_error *err)
{
	const struct fushu *self = (const struct fushu *)feeder;
	if (!self->settings->url[0]) {
		return lc_error_set(err, LC_ERR_NOT_FOUND,
			"fushu.url is not set: write the server's address, https://HOST/v1");
	}
	return LC_OK;
}

static size_t fushu_max_change(const struct lc_feeder *feeder)
{
	(void)feeder;
	return 0;
}

static size_t fushu_symbol_limit(const struct lc_feeder *feeder)
{
	(void)feeder;
	return 0;
}

static void fushu_start(struct lc_feeder *feeder)
{
	struct fushu *self = fushu_of(feeder);
	assert(self->state == STATE_IDLE);
	self->paused = false;
	self->state = STATE_PROBING;
	send_request(self, false);
}

static void fushu_stop(struct lc_feeder *feeder)
{
	struct fushu *self = fushu_of(feeder);
	assert(self->state != STATE_IDLE);
	end_session(self, LC_DOWN_ASKED, 0, LC_OK, "stopped");
}

/* Takes the symbols out in one pass, keeping the order of the others. */
static enum lc_err leave(struct fushu *self, const uint32_t *remove, size_t n_remove)
{
	if (n_remove == 0) {
		return LC_OK;
	}
	bool *leaving = calloc(lc_symbols_count(self->base.env.symbols), sizeof(*leaving));
	if (!leaving) {
		return LC_ERR_NOMEM;
	}
	for (size_t i = 0; i < n_remove; i++) {
		leaving[remove[i]] = true;
	}
	size_t kept = 0, next = 0;
	for (size_t i = 0; i < self->count; i++) {
		next = i == self->next ? kept : next;
		if (!leaving[self->followed[i]]) {
			self->followed[kept++] = self->followed[i];
		}
	}
	self->count = kept;
	self->next = next;
	free(leaving);
	return LC_OK;
}

static enum lc_err make_room(struct fushu *self, size_t more)
{
	size_t needed = self->count + more;
	if (needed <= self->capacity) {
		return LC_OK;
	}
	uint32_t *grown = realloc(self->followed, needed * 2 * sizeof(*grown));
	if (!grown) {
		return LC_ERR_NOMEM;
	}
	self->followed = grown;
	self->capacity = needed * 2;
	return LC_OK;
}

/* What is new is asked for next, so that its first price does not wait for a whole round. */
static void fushu_change(struct lc_feeder *feeder, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	struct fushu *self = fushu_of(feeder);
	if (self->state != STATE_UP) {
		return; /* ending: down() tells */
	}
	if (make_room(self, n_add) != LC_OK || leave(self, remove, n_remove) != LC_OK) {
		end_session(self, LC_DOWN_RETRY, 0, LC_ERR_NOMEM, "no memory for the symbols");
		return;
	}
	if (n_add > 0) {
		self->fresh = true;
		self->next = self->count;
		memcpy(self->followed + self->count, add, n_add * sizeof(*add));
		self->count += n_add;
	}
	if (self->next >= self->count) {
		self->next = 0;
	}
	arm(self);
	self->base.env.host->changed(&self->base);
}

static void fushu_pause(struct lc_feeder *feeder, bool paused)
{
	struct fushu *self = fushu_of(feeder);
	if (self->paused == paused) {
		return;
	}
	self->paused = paused;
	if (paused && self->state == STATE_UP) {
		lc_timer_stop(self->timer);
	}
	arm(self);
}

static void fushu_configure(struct lc_feeder *feeder, const void *config)
{
	struct fushu *self = fushu_of(feeder);
	self->settings = config;
	self->base.env.config = config;
}

static void fushu_signs(const struct lc_feeder *feeder, struct lc_feeder_signs *out)
{
	const struct fushu *self = (const struct fushu *)feeder;
	*out = (struct lc_feeder_signs){
		.heard_ns = self->heard_ns, .cadence_ns = self->settings->poll_ms * LC_NS_PER_MS};
}

static void fushu_explain(const void *config, size_t n_symbols, struct lc_buf *out)
{
	const struct settings *settings = config;
	size_t batch = (size_t)settings->max_symbols;
	size_t requests = n_symbols > batch ? (n_symbols + batch - 1) / batch : 1;
	double seconds = (double)(requests * (size_t)settings->poll_ms) / 1000;
	lc_buf_printf(out,
		"fushu: %zu symbols in %zu request%s, one every %g s: a quote can be %g s old\n",
		n_symbols, requests, requests == 1 ? "" : "s", (double)settings->poll_ms / 1000,
		seconds);
}

const struct lc_feeder_impl lc_feeder_fushu = {
	.name = "fushu",
	.origin = "fushu",
	.config = &section,
	.max_change = fushu_max_change,
	.symbol_limit = fushu_symbol_limit,
	.create = fushu_create,
	.destroy = fushu_destroy,
	.usable = fushu_usable,
	.start = fushu_start,
	.stop = fushu_stop,
	.change = fushu_change,
	.pause = fushu_pause,
	.configure = fushu_configure,
	.explain = fushu_explain,
	.signs = fushu_signs,
};

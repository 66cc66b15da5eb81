/* Requests of modes poll and sse: the probe, polls in turn at one pace, and what an answer, or
 * none, means. */
#include "eastmoney_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_BODY ((size_t)4 << 20)
#define DEAD_AFTER 3 /* failures of any kind in a row that end a session */
#define MAX_WAIT_S 3600
#define TURN_MS 1000
#define PROBE_SECID "1.000001" /* the Shanghai index: always there */

static struct lc_log *log_of(const struct lc_eastmoney *self)
{
	return lc_loop_log(self->base.env.loop);
}

void lc_eastmoney_headers(
	const struct lc_eastmoney_settings *settings, struct lc_eastmoney_headers *out)
{
	size_t n = 0;
	if (settings->user_agent[0]) {
		snprintf(out->user_agent, sizeof(out->user_agent), "User-Agent: %s",
			settings->user_agent);
		out->lines[n++] = out->user_agent;
	}
	if (settings->referer[0]) {
		snprintf(out->referer, sizeof(out->referer), "Referer: %s", settings->referer);
		out->lines[n++] = out->referer;
	}
	out->lines[n++] = "Accept: */*";
	out->lines[n] = NULL;
}

/* --- what an answer means --- */

enum meaning { GOOD, FAILED, CUT_OFF, BANNED, LIMITED };

/* A ban shows as connections that are closed without an answer (once is chance, several in a row
 * are not), or as a status, a redirect or a page where data should be. */
static enum meaning meaning_of(const struct lc_http_answer *answer)
{
	switch (answer->err.code) {
	case LC_OK:
		break;
	case LC_ERR_END:
	case LC_ERR_CLOSED:
		return CUT_OFF;
	default:
		return FAILED;
	}
	if (answer->status == 429 || answer->status == 503) {
		return LIMITED;
	}
	if (answer->status == 403 || (answer->status >= 300 && answer->status < 400) ||
		strncasecmp(answer->content_type, "text/html", 9) == 0) {
		return BANNED;
	}
	return answer->status == 200 ? GOOD : FAILED;
}

static void end_banned(struct lc_eastmoney *self, const char *how)
{
	const struct lc_eastmoney_settings *settings = self->settings;
	int64_t wait_ms = self->bans == 0   ? settings->ban_first_ms
			  : self->bans == 1 ? settings->ban_second_ms
					    : settings->ban_last_ms;
	self->bans++;
	self->refusals = self->failures = 0;
	/* A ban is over when data flows for as long as its first wait. */
	self->ban_forgotten_ns = lc_loop_mono_ns(self->base.env.loop) +
				 (wait_ms + settings->ban_first_ms) * LC_NS_PER_MS;
	lc_eastmoney_end(self, LC_DOWN_WAIT, wait_ms, LC_ERR_LIMIT,
		"EastMoney seems to have banned this address (%s): trying again in %g %s; fewer "
		"symbols or a longer eastmoney.poll_interval help",
		how, (double)wait_ms / (wait_ms < 60000 ? 1000 : 60000),
		wait_ms < 60000 ? "s" : "min");
}

static void describe(const struct lc_http_answer *answer, char *out, size_t size)
{
	if (answer->err.code != LC_OK) {
		snprintf(out, size, "%s",
			answer->err.text[0] ? answer->err.text : lc_err_text(answer->err.code));
	} else {
		snprintf(out, size, "status %d%s%s", answer->status,
			answer->content_type[0] ? ", " : "", answer->content_type);
	}
}

bool lc_eastmoney_judge(struct lc_eastmoney *self, const struct lc_http_answer *answer)
{
	char how[320];
	enum meaning meaning = meaning_of(answer);
	if (meaning == GOOD) {
		return true;
	}
	describe(answer, how, sizeof(how));
	(*self->failed)++;
	self->failures++;
	self->refusals = meaning == CUT_OFF ? self->refusals + 1 : 0;
	lc_log(log_of(self), LC_LOG_WARN, "feeder", "request_failed", LC_S("feeder", "eastmoney"),
		LC_S("error", how), LC_U("in_a_row", self->failures));
	if (meaning == BANNED) {
		end_banned(self, how);
	} else if (meaning == LIMITED) {
		int64_t seconds = answer->retry_after_s < MAX_WAIT_S ? answer->retry_after_s
								     : MAX_WAIT_S;
		lc_eastmoney_end(self, LC_DOWN_WAIT,
			seconds >= 0 ? seconds * 1000 : self->settings->ban_first_ms, LC_ERR_LIMIT,
			"EastMoney asks us to wait (%s)", how);
	} else if (self->refusals >= (unsigned)self->settings->ban_after) {
		char text[80];
		snprintf(text, sizeof(text), "%u connections closed without an answer",
			self->refusals);
		end_banned(self, text);
	} else if (self->state == LC_EASTMONEY_PROBING || self->failures >= DEAD_AFTER) {
		lc_eastmoney_end(self, LC_DOWN_RETRY, 0,
			answer->err.code ? answer->err.code : LC_ERR_REFUSED,
			"EastMoney does not answer: %s", how);
	}
	return false;
}

void lc_eastmoney_good(struct lc_eastmoney *self)
{
	self->heard_ns = lc_loop_mono_ns(self->base.env.loop);
	self->failures = self->refusals = 0;
	if (self->bans > 0 && lc_loop_mono_ns(self->base.env.loop) > self->ban_forgotten_ns) {
		self->bans = 0;
	}
}

/* An answer that came whole and still cannot be read. A page where data should be is a ban,
 * nothing at all is a connection cut off. */
static void take_unreadable(
	struct lc_eastmoney *self, const struct lc_http_answer *answer, const struct lc_error *err)
{
	struct lc_http_answer bad = *answer;
	const char *c = answer->body;
	while (*c == ' ' || *c == '\t' || *c == '\r' || *c == '\n') {
		c++;
	}
	if (answer->body_len == 0) {
		lc_error_set(&bad.err, LC_ERR_END, "an empty answer");
	} else if (*c == '<') {
		snprintf(bad.content_type, sizeof(bad.content_type), "text/html");
	} else {
		lc_eastmoney_bad(self, "malformed", answer->body, answer->body_len);
		lc_error_set(&bad.err, LC_ERR_PROTOCOL, "%.200s", err->text);
	}
	lc_eastmoney_judge(self, &bad);
}

/* --- the probe --- */

static void on_probe(void *arg, const struct lc_http_answer *answer)
{
	struct lc_eastmoney *self = arg;
	struct lc_eastmoney_answer envelope;
	struct lc_error err = {0};
	self->request = NULL;
	if (!lc_eastmoney_judge(self, answer)) {
		return;
	}
	if (lc_eastmoney_parse(self->json, answer->body, answer->body_len, &envelope, NULL, NULL,
		    &err) != LC_OK) {
		take_unreadable(self, answer, &err);
		return;
	}
	lc_eastmoney_good(self);
	self->state = LC_EASTMONEY_UP;
	self->base.env.host->up(&self->base);
}

static void begin_url(struct lc_eastmoney *self, const char *fields)
{
	size_t len = strlen(self->settings->url);
	while (len > 0 && self->settings->url[len - 1] == '/') {
		len--;
	}
	lc_buf_clear(&self->url);
	lc_buf_append(&self->url, self->settings->url, len);
	lc_buf_printf(&self->url,
		"/api/qt/ulist.np/get?fltt=1&invt=2&np=1&pn=1&pz=%" PRId64 "&ut=%s&fields=%s"
		"&secids=",
		self->settings->max_secids, self->settings->ut, fields);
}

static void send_get(struct lc_eastmoney *self, lc_http_done_cb done)
{
	struct lc_eastmoney_headers headers;
	struct lc_error err = {0};
	lc_eastmoney_headers(self->settings, &headers);
	struct lc_http_options options = {
		.url = lc_buf_text(&self->url),
		.headers = headers.lines,
		.connect_timeout_ms = self->settings->connect_ms,
		.timeout_ms = self->settings->timeout_ms,
		.max_body_bytes = MAX_BODY,
	};
	enum lc_err code = lc_http_send(
		self->base.env.http, &options, done, self, &self->request, &err);
	if (code != LC_OK) {
		self->request = NULL;
		lc_eastmoney_end(self, code == LC_ERR_INVALID ? LC_DOWN_STOP : LC_DOWN_RETRY, 0,
			code, "%s", err.text[0] ? err.text : lc_err_text(code));
	}
}

/* A request was sent: the next one comes an interval after it, or after the slot it was given
 * early. */
static void use_slot(struct lc_eastmoney *self, int64_t now_ns)
{
	int64_t from_ns = self->next_slot_ns > now_ns ? self->next_slot_ns : now_ns;
	self->next_slot_ns = from_ns + self->settings->poll_ms * LC_NS_PER_MS;
}

void lc_eastmoney_probe(struct lc_eastmoney *self)
{
	use_slot(self, lc_loop_mono_ns(self->base.env.loop));
	begin_url(self, "f12,f13");
	lc_buf_puts(&self->url, PROBE_SECID);
	send_get(self, on_probe);
}

static void on_knock(void *arg, const struct lc_http_answer *answer)
{
	struct lc_eastmoney *self = arg;
	self->request = NULL;
	if (lc_eastmoney_judge(self, answer)) {
		lc_eastmoney_good(self);
	}
	lc_eastmoney_pump(self);
}

void lc_eastmoney_knock(struct lc_eastmoney *self)
{
	if (self->request) {
		return; /* its answer is as good a sign */
	}
	use_slot(self, lc_loop_mono_ns(self->base.env.loop));
	begin_url(self, "f12,f13");
	lc_buf_puts(&self->url, PROBE_SECID);
	send_get(self, on_knock);
}

/* --- polls --- */

static void on_poll_row(void *arg, const struct lc_eastmoney_answer *answer, uint32_t position,
	const struct lc_eastmoney_row *row)
{
	struct lc_eastmoney *self = arg;
	uint32_t symbol = lc_eastmoney_row_symbol(self, row);
	(void)position; /* rows of unknown secids are left out: the place says nothing */
	if (symbol != LC_SYMBOL_NONE && self->state == LC_EASTMONEY_UP) {
		/* A row of a list is whole, whatever the envelope calls it. */
		struct lc_eastmoney_answer whole = *answer;
		whole.full = true;
		lc_eastmoney_take(self, symbol, row, &whole, LC_EM_SCALED | LC_EM_LOTS);
	}
}

/* The symbols of this round stand at the end of the list. */
static void tell_missing(struct lc_eastmoney *self)
{
	struct lc_list *head = &self->book.polled;
	for (struct lc_list *node = head->prev; node != head; node = node->prev) {
		const struct lc_eastmoney_entry *entry = container_of(
			node, struct lc_eastmoney_entry, node);
		if (entry->round != self->round) {
			return;
		}
		lc_eastmoney_tell_missing(self, entry);
	}
}

static void on_poll(void *arg, const struct lc_http_answer *answer)
{
	struct lc_eastmoney *self = arg;
	struct lc_eastmoney_answer envelope;
	struct lc_error err = {0};
	self->request = NULL;
	if (!lc_eastmoney_judge(self, answer)) {
		lc_eastmoney_pump(self);
		return;
	}
	self->received_ns = answer->received_wall_ns;
	self->received_mono_ns = lc_loop_mono_ns(self->base.env.loop);
	if (lc_eastmoney_parse(self->json, answer->body, answer->body_len, &envelope, on_poll_row,
		    self, &err) != LC_OK) {
		take_unreadable(self, answer, &err);
		lc_eastmoney_pump(self);
		return;
	}
	lc_eastmoney_good(self);
	if (envelope.bad_rows > 0) {
		lc_eastmoney_bad(self, "malformed", answer->body, answer->body_len);
	}
	tell_missing(self);
	lc_eastmoney_pump(self);
}

static bool send_poll(struct lc_eastmoney *self)
{
	if (self->request || self->book.n_polled == 0) {
		return false;
	}
	begin_url(self, LC_EASTMONEY_FIELDS);
	size_t max_url = (size_t)self->settings->max_url;
	size_t room = max_url > self->url.len ? max_url - self->url.len : 0;
	lc_eastmoney_book_batch(
		&self->book, ++self->round, (size_t)self->settings->max_secids, room, &self->url);
	(*self->polls)++;
	send_get(self, on_poll);
	return true;
}

/* The list's first entry was asked for longest ago; a stream is as fresh as its last event. */
static void measure_oldest(struct lc_eastmoney *self, int64_t now_ns)
{
	int64_t oldest_ns = now_ns;
	if (!lc_list_empty(&self->book.polled)) {
		const struct lc_eastmoney_entry *first = container_of(
			self->book.polled.next, struct lc_eastmoney_entry, node);
		oldest_ns = first->fresh_ns;
	}
	for (size_t i = 0; i < self->n_streams; i++) {
		const struct lc_eastmoney_stream *stream = &self->streams[i];
		if (stream->secids > 0 && stream->heard_ns < oldest_ns) {
			oldest_ns = stream->heard_ns;
		}
	}
	*self->oldest = (double)(now_ns - oldest_ns) / 1e9;
}

/* A change of what is followed does not wait for a whole interval: it takes the next slot up to
 * three quarters early, so that in the long run there is still one request an interval. */
static int64_t slot_ns(struct lc_eastmoney *self, int64_t now_ns)
{
	int64_t interval_ns = self->settings->poll_ms * LC_NS_PER_MS;
	if (self->next_slot_ns > now_ns + 2 * interval_ns) {
		self->next_slot_ns = now_ns + interval_ns; /* the setting became shorter */
	}
	bool urgent = lc_eastmoney_streams_due(self, now_ns);
	if (!urgent && !lc_list_empty(&self->book.polled)) {
		const struct lc_eastmoney_entry *first = container_of(
			self->book.polled.next, struct lc_eastmoney_entry, node);
		urgent = first->round == 0 && !self->request;
	}
	return urgent ? self->next_slot_ns - interval_ns / 4 * 3 : self->next_slot_ns;
}

void lc_eastmoney_pump(struct lc_eastmoney *self)
{
	if (self->state != LC_EASTMONEY_UP || self->paused) {
		return;
	}
	int64_t now_ns = lc_loop_mono_ns(self->base.env.loop);
	if (now_ns >= slot_ns(self, now_ns) &&
		(lc_eastmoney_streams_next(self, now_ns) || send_poll(self))) {
		use_slot(self, now_ns);
	}
	if (self->state != LC_EASTMONEY_UP) {
		return;
	}
	measure_oldest(self, now_ns);
	int64_t wait_ns = slot_ns(self, now_ns) - now_ns;
	int64_t wait_ms = wait_ns > 0 ? (wait_ns + LC_NS_PER_MS - 1) / LC_NS_PER_MS
				      : self->settings->poll_ms;
	/* Not later than a lost stream may be opened again, however slow the polls are. */
	lc_timer_start(self->timer, wait_ms < TURN_MS ? wait_ms : TURN_MS, 0);
}

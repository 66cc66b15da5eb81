/* Requests of modes poll and sse: the probe, polls in turn at one pace, and what an answer, or
 * none, means. */
#include "eastmoney_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_BODY ((size_t)1 << 20) /* ten times the largest known */
#define TURN_MS 1000
#define PROBE_SECID "1.000001" /* the Shanghai index: always there */

static struct lc_log *log_of(const struct lc_eastmoney *self)
{
	return lc_loop_log(self->base.env.loop);
}

/* --- what an answer means --- */

static bool failed(
	struct lc_eastmoney *self, enum lc_meaning meaning, const struct lc_http_answer *answer)
{
	char how[320];
	struct lc_down why;
	lc_answer_describe(answer, how, sizeof(how));
	bool over = lc_judge_failed(&self->judge, &self->settings->ban, "EastMoney", "eastmoney",
		meaning, answer, how, self->state == LC_EASTMONEY_PROBING,
		lc_loop_mono_ns(self->base.env.loop), &why);
	(*self->refresh.failed)++;
	lc_log(log_of(self), LC_LOG_WARN, "feeder", "request_failed", LC_S("feeder", "eastmoney"),
		LC_S("error", how), LC_U("in_a_row", self->judge.failures));
	if (over) {
		lc_eastmoney_end(self, why.kind, why.wait_ms, why.error.code, "%s", why.error.text);
	}
	return false;
}

bool lc_eastmoney_judge(struct lc_eastmoney *self, const struct lc_http_answer *answer)
{
	enum lc_meaning meaning = lc_answer_meaning(answer, true);
	return meaning == LC_MEANS_DATA || failed(self, meaning, answer);
}

void lc_eastmoney_good(struct lc_eastmoney *self)
{
	self->heard_ns = lc_loop_mono_ns(self->base.env.loop);
	lc_judge_good(&self->judge, self->heard_ns);
}

static void take_unreadable(
	struct lc_eastmoney *self, const struct lc_http_answer *answer, const struct lc_error *err)
{
	struct lc_http_answer bad = *answer;
	enum lc_meaning meaning = lc_answer_unreadable(answer);
	if (meaning == LC_MEANS_FAILURE) {
		lc_eastmoney_bad(self, "malformed", answer->body, answer->body_len);
		lc_error_set(&bad.err, LC_ERR_PROTOCOL, "%.200s", err->text);
	} else {
		lc_answer_explain(meaning, &bad.err);
	}
	failed(self, meaning, &bad);
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
	lc_buf_clear(&self->url);
	lc_eastmoney_list_url(self->settings, fields, &self->url);
}

static void send_get(struct lc_eastmoney *self, lc_http_done_cb done)
{
	struct lc_request_headers headers;
	struct lc_error err = {0};
	lc_request_headers(self->settings->user_agent, self->settings->referer, &headers);
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

static void use_slot(struct lc_eastmoney *self, int64_t now_ns)
{
	lc_pace_use(&self->pace, self->settings->poll_ms, now_ns);
}

/* Asks for the one symbol that is always there. */
static void send_probe(struct lc_eastmoney *self, lc_http_done_cb done)
{
	use_slot(self, lc_loop_mono_ns(self->base.env.loop));
	begin_url(self, "f12,f13");
	lc_buf_puts(&self->url, PROBE_SECID);
	send_get(self, done);
}

void lc_eastmoney_probe(struct lc_eastmoney *self)
{
	send_probe(self, on_probe);
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
	if (!self->request) { /* else its answer is as good a sign */
		send_probe(self, on_knock);
	}
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
	(*self->refresh.polls)++;
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
	*self->refresh.oldest = (double)(now_ns - oldest_ns) / 1e9;
}

/* A change of what is followed does not wait for a whole interval. */
static int64_t slot_ns(struct lc_eastmoney *self, int64_t now_ns)
{
	bool urgent = lc_eastmoney_streams_due(self, now_ns);
	if (!urgent && !lc_list_empty(&self->book.polled)) {
		const struct lc_eastmoney_entry *first = container_of(
			self->book.polled.next, struct lc_eastmoney_entry, node);
		urgent = first->round == 0 && !self->request;
	}
	return lc_pace_next(&self->pace, self->settings->poll_ms, urgent, now_ns);
}

/* Who has the slot: what was missed takes turns with the polls. */
static bool send_next(struct lc_eastmoney *self, int64_t now_ns)
{
	bool first = !self->backfill_last && lc_eastmoney_backfill_send(self);
	if (!first && (lc_eastmoney_streams_next(self, now_ns) || send_poll(self))) {
		self->backfill_last = false;
		return true;
	}
	self->backfill_last = first || lc_eastmoney_backfill_send(self);
	return self->backfill_last;
}

void lc_eastmoney_pump(struct lc_eastmoney *self)
{
	if (self->state != LC_EASTMONEY_UP || self->paused) {
		return;
	}
	int64_t now_ns = lc_loop_mono_ns(self->base.env.loop);
	if (now_ns >= slot_ns(self, now_ns) && send_next(self, now_ns)) {
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

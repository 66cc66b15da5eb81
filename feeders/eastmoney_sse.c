/* Mode sse: a few event streams, each with its part of the symbols. A stream that ends is opened
 * again by itself, at the common pace; only streams that end without having said anything end the
 * session. */
#include "eastmoney_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EVENT ((size_t)2 << 20)
#define REOPEN_NS LC_NS_PER_S /* the page of the vendor waits 0.5-3 s */

static struct lc_log *log_of(const struct lc_eastmoney *self)
{
	return lc_loop_log(self->base.env.loop);
}

/* --- events --- */

static void forget_positions(struct lc_eastmoney_stream *stream)
{
	for (size_t i = 0; i < LC_EASTMONEY_MAX_ROWS; i++) {
		stream->positions[i] = LC_SYMBOL_NONE;
	}
}

/* A row is known by its market and code; a delta that names neither, by the place where the last
 * full event of this connection had them. */
static void on_stream_row(void *arg, const struct lc_eastmoney_answer *answer, uint32_t position,
	const struct lc_eastmoney_row *row)
{
	struct lc_eastmoney_stream *stream = arg;
	struct lc_eastmoney *self = stream->owner;
	if (answer->full && stream->event_rows++ == 0) {
		forget_positions(stream);
	}
	if (row->code[0]) {
		stream->positions[position] = lc_eastmoney_row_symbol(self, row);
	}
	uint32_t symbol = stream->positions[position];
	struct lc_eastmoney_entry *entry = lc_eastmoney_book_find(&self->book, symbol);
	if (!entry || self->state != LC_EASTMONEY_UP) {
		return;
	}
	if (!answer->full && entry->awaits_full) {
		return; /* a change of what is not known */
	}
	lc_eastmoney_take(self, symbol, row, answer, LC_EM_SCALED | LC_EM_LOTS);
}

static enum lc_err on_event(void *arg, const char *event, const char *data, size_t len)
{
	struct lc_eastmoney_stream *stream = arg;
	struct lc_eastmoney *self = stream->owner;
	struct lc_eastmoney_answer answer;
	(void)event;
	stream->event_rows = 0;
	if (lc_eastmoney_parse(self->json, data, len, &answer, on_stream_row, stream, NULL) !=
		LC_OK) {
		lc_eastmoney_bad(self, "malformed", data, len);
		return LC_OK;
	}
	if (answer.bad_rows > 0) {
		lc_eastmoney_bad(self, "malformed", data, len);
	}
	if (answer.full && answer.has_data) {
		lc_list_each (node, &stream->entries) {
			lc_eastmoney_tell_missing(
				self, container_of(node, struct lc_eastmoney_entry, node));
		}
	}
	if (!stream->spoke) {
		stream->spoke = true;
		lc_eastmoney_good(self);
	}
	return self->state == LC_EASTMONEY_UP ? LC_OK : LC_ERR_CANCELLED;
}

/* --- connections --- */

static void on_data(void *arg, struct lc_http_request *request, const void *data, size_t len,
	int64_t received_wall_ns)
{
	struct lc_eastmoney_stream *stream = arg;
	struct lc_eastmoney *self = stream->owner;
	(void)request;
	self->received_ns = received_wall_ns;
	self->received_mono_ns = lc_loop_mono_ns(self->base.env.loop);
	stream->heard_ns = self->heard_ns = self->received_mono_ns;
	lc_sse_feed(stream->sse, data, len);
}

static void on_end(void *arg, const struct lc_http_answer *answer)
{
	struct lc_eastmoney_stream *stream = arg;
	struct lc_eastmoney *self = stream->owner;
	bool spoke = stream->spoke;
	stream->request = NULL;
	stream->changed = true;
	stream->not_before_ns = lc_loop_mono_ns(self->base.env.loop) + REOPEN_NS;
	(*self->reopened)++;
	if (spoke) {
		lc_log(log_of(self), LC_LOG_INFO, "feeder", "stream_ended",
			LC_S("feeder", "eastmoney"), LC_S("error", answer->err.text));
	} else {
		struct lc_http_answer bad = *answer;
		if (lc_answer_meaning(&bad, true) == LC_MEANS_DATA) {
			lc_error_set(&bad.err, LC_ERR_END, "a stream that ended without an event");
		}
		lc_eastmoney_judge(self, &bad);
	}
	lc_eastmoney_pump(self);
}

static const struct lc_http_stream_handler stream_handler = {
	.on_data = on_data,
	.on_end = on_end,
};

/* No delta is merged into what an earlier connection said: the next one begins with everything.
 * What was told last stays, so that it is not told again. */
static void begin_stream(struct lc_eastmoney_stream *stream)
{
	struct lc_eastmoney *self = stream->owner;
	bool first = true;
	lc_buf_clear(&self->url);
	lc_eastmoney_stream_url(self->settings, &self->url);
	lc_list_each (node, &stream->entries) {
		struct lc_eastmoney_entry *entry = container_of(
			node, struct lc_eastmoney_entry, node);
		entry->awaits_full = true;
		if (!first) {
			lc_buf_putc(&self->url, ',');
		}
		lc_eastmoney_book_secids(&self->book, entry, &self->url);
		first = false;
	}
	lc_sse_reset(stream->sse);
	forget_positions(stream);
	stream->changed = stream->spoke = false;
}

static void hang_up(struct lc_eastmoney_stream *stream)
{
	if (stream->request) {
		lc_http_cancel(stream->request);
		stream->request = NULL;
	}
}

static void open_stream(struct lc_eastmoney_stream *stream)
{
	struct lc_eastmoney *self = stream->owner;
	struct lc_request_headers headers;
	struct lc_error err = {0};
	hang_up(stream);
	begin_stream(stream);
	lc_request_headers(self->settings->user_agent, self->settings->referer, &headers);
	struct lc_http_options options = {
		.url = lc_buf_text(&self->url),
		.headers = headers.lines,
		.connect_timeout_ms = self->settings->connect_ms,
		.idle_timeout_ms = self->settings->idle_ms,
	};
	enum lc_err code = lc_http_stream(
		self->base.env.http, &options, &stream_handler, stream, &stream->request, &err);
	if (code != LC_OK) {
		stream->request = NULL;
		lc_eastmoney_end(self, code == LC_ERR_INVALID ? LC_DOWN_STOP : LC_DOWN_RETRY, 0,
			code, "%s", err.text[0] ? err.text : lc_err_text(code));
	}
}

enum lc_err lc_eastmoney_streams_open(struct lc_eastmoney *self)
{
	self->n_streams = 0;
	for (size_t i = 0; i < (size_t)self->settings->max_connections; i++) {
		struct lc_eastmoney_stream *stream = &self->streams[i];
		stream->owner = self;
		lc_list_init(&stream->entries);
		stream->secids = stream->bytes = 0;
		stream->changed = false;
		stream->not_before_ns = INT64_MIN;
		stream->heard_ns = lc_loop_mono_ns(self->base.env.loop);
		if (!stream->positions) {
			stream->positions = calloc(
				LC_EASTMONEY_MAX_ROWS, sizeof(*stream->positions));
		}
		if (!stream->positions ||
			(!stream->sse && lc_sse_create(MAX_EVENT, on_event, stream, &stream->sse) !=
						 LC_OK)) {
			return LC_ERR_NOMEM;
		}
		self->n_streams++;
	}
	return LC_OK;
}

void lc_eastmoney_streams_close(struct lc_eastmoney *self)
{
	for (size_t i = 0; i < self->n_streams; i++) {
		hang_up(&self->streams[i]);
	}
}

void lc_eastmoney_streams_finish(struct lc_eastmoney *self)
{
	for (size_t i = 0; i < LC_EASTMONEY_MAX_STREAMS; i++) {
		lc_sse_destroy(self->streams[i].sse);
		free(self->streams[i].positions);
	}
}

void lc_eastmoney_streams_fill(struct lc_eastmoney *self)
{
	if (self->mode != LC_EASTMONEY_SSE) {
		return;
	}
	lc_buf_clear(&self->url);
	lc_eastmoney_stream_url(self->settings, &self->url);
	size_t max_url = (size_t)self->settings->max_url;
	size_t room = max_url > self->url.len ? max_url - self->url.len : 0;
	for (size_t i = 0; i < self->n_streams; i++) {
		struct lc_eastmoney_stream *stream = &self->streams[i];
		lc_eastmoney_book_fill(
			&self->book, stream, (size_t)self->settings->max_secids, room);
		if (lc_list_empty(&stream->entries)) {
			hang_up(stream);
		}
	}
}

static struct lc_eastmoney_stream *find_due(struct lc_eastmoney *self, int64_t now_ns)
{
	for (size_t i = 0; i < self->n_streams; i++) {
		struct lc_eastmoney_stream *stream = &self->streams[i];
		if (stream->changed && !lc_list_empty(&stream->entries) &&
			now_ns >= stream->not_before_ns) {
			return stream;
		}
	}
	return NULL;
}

bool lc_eastmoney_streams_due(struct lc_eastmoney *self, int64_t now_ns)
{
	return find_due(self, now_ns) != NULL;
}

bool lc_eastmoney_streams_next(struct lc_eastmoney *self, int64_t now_ns)
{
	struct lc_eastmoney_stream *stream = find_due(self, now_ns);
	if (stream) {
		open_stream(stream);
	}
	return stream != NULL;
}

void lc_eastmoney_streams_pause(struct lc_eastmoney *self, bool paused)
{
	for (size_t i = 0; i < self->n_streams; i++) {
		struct lc_http_request *request = self->streams[i].request;
		if (request && paused) {
			lc_http_pause(request);
		} else if (request) {
			lc_http_resume(request);
		}
	}
}

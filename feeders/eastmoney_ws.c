/* Mode ws: the protocol of the system that livecore replaces, spoken by its own servers and by
 * simulators. Messages are {"cmd":"sub","param":{"codes":[…]}} and the same with "unsub"; nothing
 * is acknowledged. */
#include "eastmoney_priv.h"

#include <stdio.h>
#include <string.h>

#define MAX_SEND ((size_t)8 << 20)
#define MAX_CODES 100 /* in one message */
#define LIMITED_MS 60000
#define MAX_WAIT_S 3600

static void on_open(void *arg, struct lc_ws *ws)
{
	struct lc_eastmoney *self = arg;
	(void)ws;
	if (self->state == LC_EASTMONEY_PROBING) {
		self->state = LC_EASTMONEY_UP;
		self->base.env.host->up(&self->base);
	}
}

static void on_message(void *arg, struct lc_ws *ws, const void *data, size_t len, bool binary,
	int64_t received_wall_ns)
{
	struct lc_eastmoney *self = arg;
	struct lc_eastmoney_row row;
	/* Each message says all there is. */
	const struct lc_eastmoney_answer answer = {.full = true, .has_data = true};
	(void)ws;
	(void)binary;
	if (self->state != LC_EASTMONEY_UP) {
		return;
	}
	if (lc_eastmoney_ws_parse(self->json, data, len, &row, NULL) != LC_OK) {
		lc_eastmoney_bad(self, "malformed", data, len);
		return;
	}
	uint32_t symbol = lc_eastmoney_row_symbol(self, &row);
	if (symbol == LC_SYMBOL_NONE) {
		return; /* left since, or never asked for */
	}
	self->received_ns = received_wall_ns;
	self->received_mono_ns = lc_loop_mono_ns(self->base.env.loop);
	self->heard_ns = self->received_mono_ns;
	lc_eastmoney_take(self, symbol, &row, &answer,
		self->settings->ws_volume == LC_EASTMONEY_LOTS ? LC_EM_LOTS : 0);
}

static struct lc_down why_closed(const struct lc_ws_closed *closed)
{
	struct lc_down why = {.kind = LC_DOWN_RETRY, .error = closed->err};
	int status = closed->http_status;
	if (closed->err.code == LC_ERR_AUTH) {
		why.kind = LC_DOWN_STOP;
		lc_error_set(&why.error, LC_ERR_AUTH,
			"the server refuses our key (status %d): set eastmoney.api_key", status);
	} else if (closed->err.code == LC_ERR_LIMIT) {
		int64_t seconds = closed->retry_after_s < MAX_WAIT_S ? closed->retry_after_s
								     : MAX_WAIT_S;
		why.kind = LC_DOWN_WAIT;
		why.wait_ms = seconds >= 0 ? seconds * 1000 : LIMITED_MS;
	} else if (status == 404 || (status >= 300 && status < 400)) {
		why.kind = LC_DOWN_STOP;
		lc_error_set(&why.error, LC_ERR_UNSUPPORTED,
			"eastmoney.ws_url has no WebSocket (status %d); no public one is known: "
			"set eastmoney.mode to sse",
			status);
	} else if (closed->err.code == LC_OK) {
		lc_error_set(&why.error, LC_ERR_CLOSED, "the server closed the connection (%d %s)",
			closed->close_code, closed->close_reason);
	}
	return why;
}

static void on_close(void *arg, const struct lc_ws_closed *closed)
{
	struct lc_eastmoney *self = arg;
	self->ws = NULL;
	if (self->state != LC_EASTMONEY_ENDING) {
		self->why = why_closed(closed);
	}
	lc_eastmoney_deliver(self);
}

static const struct lc_ws_handler ws_handler = {
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
};

void lc_eastmoney_ws_start(struct lc_eastmoney *self)
{
	const struct lc_eastmoney_settings *settings = self->settings;
	char authorization[LC_REQUEST_MAX_TEXT + 8];
	struct lc_error err = {0};
	struct lc_ws_options options = {
		.url = settings->ws_url,
		.deflate = true,
		.connect_timeout_ms = settings->connect_ms,
		.ping_ms = settings->ping_ms,
		.pong_ms = settings->pong_ms,
		.max_message_bytes = LC_FEEDER_FRAME_MAX,
		.max_send_bytes = MAX_SEND,
	};
	snprintf(authorization, sizeof(authorization), "Bearer %s", settings->api_key);
	if (settings->api_key[0]) {
		options.headers[0] = (struct lc_ws_header){"Authorization", authorization};
	}
	enum lc_err code = lc_ws_connect(
		self->base.env.ws, &options, &ws_handler, self, &self->ws, &err);
	if (code != LC_OK) {
		self->ws = NULL;
		lc_eastmoney_end(self, code == LC_ERR_INVALID ? LC_DOWN_STOP : LC_DOWN_RETRY, 0,
			code, "%s", err.text[0] ? err.text : lc_err_text(code));
	}
}

/* China's codes go as secids, others as they stand: so did the old system. */
static void append_code(struct lc_eastmoney *self, uint32_t index)
{
	const struct lc_symbol *symbol = lc_symbols_get(self->base.env.symbols, index);
	char secid[LC_EASTMONEY_SECID_MAX];
	lc_buf_putc(&self->url, '"');
	if (symbol->market == LC_MARKET_CN) {
		lc_buf_append(&self->url, secid, lc_eastmoney_secid(symbol, 0, secid));
	} else {
		lc_buf_append(&self->url, symbol->text, symbol->len);
	}
	lc_buf_putc(&self->url, '"');
}

size_t lc_eastmoney_ws_batch(const struct lc_eastmoney *self)
{
	size_t most = (size_t)self->settings->max_secids;
	return most < MAX_CODES ? most : MAX_CODES;
}

static enum lc_err send_codes(
	struct lc_eastmoney *self, const char *cmd, const uint32_t *symbols, size_t n)
{
	size_t most = lc_eastmoney_ws_batch(self);
	for (size_t done = 0; done < n;) {
		size_t batch = n - done < most ? n - done : most;
		lc_buf_clear(&self->url);
		lc_buf_printf(&self->url, "{\"cmd\":\"%s\",\"param\":{\"codes\":[", cmd);
		for (size_t i = 0; i < batch; i++) {
			if (i > 0) {
				lc_buf_putc(&self->url, ',');
			}
			append_code(self, symbols[done + i]);
		}
		lc_buf_puts(&self->url, "]}}");
		enum lc_err code = self->url.failed ? LC_ERR_NOMEM
						    : lc_ws_send(self->ws, self->url.data,
							      self->url.len, false);
		if (code != LC_OK) {
			return code;
		}
		done += batch;
	}
	return LC_OK;
}

void lc_eastmoney_ws_change(struct lc_eastmoney *self, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	enum lc_err code = send_codes(self, "unsub", remove, n_remove);
	if (code == LC_OK) {
		code = send_codes(self, "sub", add, n_add);
	}
	if (code != LC_OK) {
		lc_eastmoney_end(self, LC_DOWN_RETRY, 0, code, "a message could not be sent: %s",
			lc_err_text(code));
	}
}

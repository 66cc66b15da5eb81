#include "alpaca_session.h"

#include "alpaca_out.h"
#include "livecore/ws_client.h"
#include "mask.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_TEXT_BYTES 80
#define CLOSE_MS 500         /* for the closing handshake */
#define HEADER_GRACE_MS 2000 /* authenticated by headers, when the vendor does not say so */
/* A session that was cut off counts for up to 90 s: we wait 5, 10, 20, 30, 30 … s. */
#define STALE_WAIT_MS 5000
#define STALE_WAIT_MAX_MS 30000

/* --- ending a session --- */

struct lc_log *lc_alpaca_log(const struct lc_alpaca *self)
{
	return lc_loop_log(self->base.env.loop);
}

void lc_alpaca_mask(const struct lc_alpaca *self, char *text, size_t len)
{
	lc_feeder_mask(text, len, self->settings->secret);
	lc_feeder_mask(text, len, self->settings->key);
}

void lc_alpaca_set_why(struct lc_alpaca *self, enum lc_down_kind kind, int64_t wait_ms,
	enum lc_err code, const char *format, ...)
{
	char text[sizeof(self->why.error.text)];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	lc_alpaca_mask(self, text, strlen(text));
	self->why = (struct lc_down){.kind = kind, .wait_ms = wait_ms};
	lc_error_set(&self->why.error, code, "%s", text);
}

void lc_alpaca_close(struct lc_alpaca *self)
{
	bool open = self->state > LC_ALPACA_STATE_CONNECTING;
	self->state = LC_ALPACA_STATE_CLOSING;
	lc_timer_stop(self->timer);
	lc_alpaca_reference_cancel(self->reference);
	if (open) {
		lc_ws_close(self->ws, 1000, "", CLOSE_MS);
	} else {
		lc_ws_abort(self->ws);
	}
}

void lc_alpaca_arm(struct lc_alpaca *self, int64_t ms)
{
	lc_timer_start(self->timer, ms, 0);
}

/* --- sending --- */

static void send_out(struct lc_alpaca *self)
{
	enum lc_err code = self->out.failed ? LC_ERR_NOMEM
					    : lc_ws_send(self->ws, self->out.data, self->out.len,
						      self->send_msgpack);
	if (code != LC_OK) {
		lc_alpaca_set_why(self, LC_DOWN_RETRY, 0, code, "a message could not be sent: %s",
			lc_err_text(code));
		lc_alpaca_close(self);
		return;
	}
	lc_alpaca_arm(self, self->settings->reply_ms);
}

static void send_auth(struct lc_alpaca *self)
{
	lc_alpaca_out_open(&self->out, self->send_msgpack, "auth", 2);
	lc_alpaca_out_text(&self->out, self->send_msgpack, "key", self->settings->key);
	lc_alpaca_out_text(&self->out, self->send_msgpack, "secret", self->settings->secret);
	lc_alpaca_out_close(&self->out, self->send_msgpack);
	send_out(self);
	lc_buf_clear(&self->out);
}

void lc_alpaca_pump(struct lc_alpaca *self)
{
	enum lc_err code = lc_alpaca_subs_next(self->subs, &self->out);
	if (self->state != LC_ALPACA_STATE_UP) {
		return; /* the host stopped us when it heard of a rejected symbol */
	}
	switch (code) {
	case LC_OK:
		send_out(self);
		break;
	case LC_ERR_AGAIN:
		break;
	case LC_ERR_END:
		lc_timer_stop(self->timer);
		lc_alpaca_reference_flush(self->reference);
		if (self->changing) {
			self->changing = false;
			self->base.env.host->changed(&self->base);
		}
		break;
	default:
		lc_alpaca_set_why(
			self, LC_DOWN_RETRY, 0, LC_ERR_NOMEM, "no memory for a subscribe message");
		lc_alpaca_close(self);
		break;
	}
}

/* --- control messages --- */

void lc_alpaca_become_up(struct lc_alpaca *self)
{
	const struct lc_alpaca_settings *settings = self->settings;
	struct lc_alpaca_subs_options options = {
		.max_symbols = (size_t)settings->max_symbols,
		.max_message = (size_t)settings->max_message_bytes,
		.symbol_limit = (size_t)settings->symbol_limit,
		.channels = (settings->trades ? LC_ALPACA_TRADES : 0U) |
			    (settings->quotes ? LC_ALPACA_QUOTES : 0U) |
			    (settings->statuses ? LC_ALPACA_STATUSES : 0U),
		.msgpack = self->send_msgpack,
	};
	self->state = LC_ALPACA_STATE_UP;
	self->limit_waits = 0;
	lc_timer_stop(self->timer);
	lc_alpaca_subs_reset(self->subs, &options);
	lc_alpaca_reference_begin(self->reference, settings, self->feed);
	self->base.env.host->up(&self->base);
}

/* `authenticated` came, or 403 that says the same. */
static void on_authenticated(struct lc_alpaca *self)
{
	if (self->state == LC_ALPACA_STATE_WELCOME || self->state == LC_ALPACA_STATE_AUTH) {
		lc_alpaca_become_up(self);
	} else if (self->reauth) {
		self->reauth = false;
		if (lc_alpaca_subs_again(self->subs, &self->out) == LC_OK) {
			send_out(self);
		}
	}
}

void lc_alpaca_on_success(struct lc_alpaca *self, const struct lc_alpaca_msg *msg)
{
	struct lc_text text = msg->u.control.text;
	if (text.len == 9 && memcmp(text.data, "connected", 9) == 0) {
		if (self->state != LC_ALPACA_STATE_WELCOME) {
			return;
		}
		self->state = LC_ALPACA_STATE_AUTH;
		if (self->settings->auth == LC_ALPACA_AUTH_MESSAGE) {
			send_auth(self);
		} else {
			int64_t most = self->settings->reply_ms;
			lc_alpaca_arm(self, most < HEADER_GRACE_MS ? most : HEADER_GRACE_MS);
		}
	} else if (text.len == 13 && memcmp(text.data, "authenticated", 13) == 0) {
		on_authenticated(self);
	}
}

void lc_alpaca_on_subscription(struct lc_alpaca *self, const struct lc_value *item)
{
	size_t missing;
	if (self->state != LC_ALPACA_STATE_UP ||
		!lc_alpaca_subs_reply(self->subs, item, &missing)) {
		return;
	}
	if (missing > 0) {
		lc_log(lc_alpaca_log(self), LC_LOG_WARN, "feeder", "subscription_differs",
			LC_S("feeder", "alpaca"), LC_U("symbols", missing));
	}
	if (self->state == LC_ALPACA_STATE_UP) {
		lc_alpaca_pump(self);
	}
}

static void on_not_authenticated(struct lc_alpaca *self, const char *text)
{
	if (self->state == LC_ALPACA_STATE_UP && !self->reauth) {
		self->reauth = true;
		send_auth(self);
		return;
	}
	lc_alpaca_set_why(self, LC_DOWN_RETRY, 0, LC_ERR_AUTH,
		"401 %s: the vendor lost our authentication", text);
	lc_alpaca_close(self);
}

static void on_subscribe_error(struct lc_alpaca *self, int64_t code, const char *text)
{
	if (self->state != LC_ALPACA_STATE_UP) {
		lc_alpaca_set_why(self, LC_DOWN_RETRY, 0, LC_ERR_PROTOCOL,
			"%" PRId64 " %s before authentication", code, text);
		lc_alpaca_close(self);
		return;
	}
	switch (lc_alpaca_subs_error(self->subs, code)) {
	case LC_OK:
		if (self->state == LC_ALPACA_STATE_UP) {
			lc_alpaca_pump(self);
		}
		break;
	case LC_ERR_UNSUPPORTED:
		lc_alpaca_set_why(self, LC_DOWN_STOP, 0, LC_ERR_UNSUPPORTED,
			"410 %s: the feed %s does not offer these channels; choose another feed in "
			"alpaca.url, or switch alpaca.trades or alpaca.quotes off",
			text, self->feed);
		lc_alpaca_close(self);
		break;
	default:
		lc_log(lc_alpaca_log(self), LC_LOG_WARN, "feeder", "vendor_error",
			LC_S("feeder", "alpaca"), LC_I("code", code), LC_S("text", text));
		break;
	}
}

/* Nothing but a person can help: stay stopped. */
static void stop_for(
	struct lc_alpaca *self, enum lc_err err, int64_t code, const char *text, const char *advice)
{
	lc_alpaca_set_why(self, LC_DOWN_STOP, 0, err,
		"%" PRId64 " %s: %s, then reload or feeder_start", code, text, advice);
	lc_alpaca_close(self);
}

static void on_connection_limit(struct lc_alpaca *self, const char *text)
{
	int64_t wait = STALE_WAIT_MS << (self->limit_waits < 3 ? self->limit_waits : 3);
	wait = wait < STALE_WAIT_MAX_MS ? wait : STALE_WAIT_MAX_MS;
	self->limit_waits++;
	lc_alpaca_set_why(self, LC_DOWN_WAIT, wait, LC_ERR_LIMIT,
		"406 %s: another session of this key is open, or one that was cut off still counts "
		"(up to 90 s)",
		text);
	lc_alpaca_close(self);
}

static void on_internal_error(struct lc_alpaca *self, const char *text)
{
	if (self->state == LC_ALPACA_STATE_UP && !lc_alpaca_subs_in_flight(self->subs)) {
		lc_log(lc_alpaca_log(self), LC_LOG_WARN, "feeder", "vendor_error",
			LC_S("feeder", "alpaca"), LC_I("code", 500), LC_S("text", text));
		return;
	}
	lc_alpaca_set_why(self, LC_DOWN_RETRY, 0, LC_ERR_IO, "500 %s: a fault at the vendor", text);
	lc_alpaca_close(self);
}

/* What the vendor says of an error. It is cut after the secrets are hidden, so that none is cut in
 * two. */
static void error_text(const struct lc_alpaca *self, struct lc_text sent, char *out)
{
	char whole[512];
	size_t len = sent.len < sizeof(whole) ? sent.len : sizeof(whole);
	memcpy(whole, sent.data ? sent.data : "", len);
	lc_alpaca_mask(self, whole, len);
	snprintf(out, ERROR_TEXT_BYTES, "%.*s", (int)len, whole);
}

/* Each code after what it means; protocol section "Error codes". */
void lc_alpaca_on_error(struct lc_alpaca *self, const struct lc_alpaca_msg *msg)
{
	char text[ERROR_TEXT_BYTES];
	int64_t code = msg->u.control.code;
	error_text(self, msg->u.control.text, text);
	switch (code) {
	case 400:
	case 405:
	case 410:
		on_subscribe_error(self, code, text);
		break;
	case 401:
		on_not_authenticated(self, text);
		break;
	case 402:
		stop_for(self, LC_ERR_AUTH, code, text, "check alpaca.key and alpaca.secret");
		break;
	case 403:
		on_authenticated(self);
		break;
	case 404:
		lc_alpaca_set_why(self, LC_DOWN_RETRY, 0, LC_ERR_TIMEOUT,
			"404 %s: our auth came too late", text);
		lc_alpaca_close(self);
		break;
	case 406:
		on_connection_limit(self, text);
		break;
	case 407:
		lc_alpaca_set_why(self, LC_DOWN_RETRY_NOW, 0, LC_ERR_FULL,
			"407 %s: we did not read fast enough, the vendor cut us off", text);
		lc_alpaca_close(self);
		break;
	case 408:
	case 409:
		stop_for(self, LC_ERR_UNSUPPORTED, code, text,
			"this feed is not in the plan: change alpaca.url or the plan");
		break;
	case 411:
		stop_for(self, LC_ERR_AUTH, code, text,
			"the token may not read market data: get one that may");
		break;
	case 500:
		on_internal_error(self, text);
		break;
	default:
		lc_log(lc_alpaca_log(self), LC_LOG_WARN, "feeder", "vendor_error",
			LC_S("feeder", "alpaca"), LC_I("code", code), LC_S("text", text));
		break;
	}
}

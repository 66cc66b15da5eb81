#include "alpaca_out.h"
#include "alpaca_priv.h"
#include "alpaca_subs.h"
#include "alpaca_wire.h"
#include "livecore/json.h"
#include "livecore/list.h"
#include "livecore/msgpack.h"
#include "livecore/ws_client.h"
#include "registry.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_MS 500         /* for the closing handshake */
#define HEADER_GRACE_MS 2000 /* authenticated by headers, when the vendor does not say so */
#define LIMITED_MS 30000     /* after an HTTP 429 without Retry-After */
#define STALE_WAIT_MS \
	5000 /* a session that was cut off counts for up to 90 s: 5, 10, 20, 30, 30 … s */
#define STALE_WAIT_MAX_MS 30000
#define MAX_WAIT_S 3600
#define SAMPLE_BYTES 512
#define AUTH_BYTES 8192

enum state {
	STATE_IDLE,
	STATE_FAILED, /* the connection could not even be begun; down() follows from the timer */
	STATE_CONNECTING, /* until the upgrade is accepted */
	STATE_WELCOME,    /* until `connected` */
	STATE_AUTH,       /* until `authenticated` */
	STATE_UP,
	STATE_CLOSING, /* why is known; down() follows from on_close */
};

struct alpaca {
	struct lc_feeder base;
	const struct lc_alpaca_settings *settings; /* borrowed; the newest */
	enum state state;
	struct lc_ws *ws;       /* NULL when there is no connection */
	struct lc_timer *timer; /* of the step under way */
	struct lc_down why;     /* in STATE_FAILED and STATE_CLOSING */

	struct lc_json_parser *json;
	struct lc_msgpack_reader *msgpack;
	struct lc_buf out; /* the message being sent */
	struct lc_alpaca_subs *subs;
	struct lc_alpaca_reference *reference;
	struct lc_conditions_seen conditions;
	struct lc_alpaca_msg msg; /* the element being read: too large for the stack of each call */

	char feed[12];
	bool send_msgpack, delayed, paused;
	bool changing;        /* a change was given and changed() was not yet called */
	bool reauth;          /* 401 came while up, and auth was sent again */
	unsigned limit_waits; /* 406 in a row */
	int64_t received_ns, received_mono_ns; /* of the frame being read */
};

static struct alpaca *alpaca_of(struct lc_feeder *feeder)
{
	return container_of(feeder, struct alpaca, base);
}

static const struct alpaca *const_alpaca_of(const struct lc_feeder *feeder)
{
	return (const struct alpaca *)feeder;
}

static struct lc_log *log_of(const struct alpaca *self)
{
	return lc_loop_log(self->base.env.loop);
}

/* --- ending a session --- */

static void deliver_down(struct alpaca *self)
{
	struct lc_down why = self->why;
	self->state = STATE_IDLE;
	self->ws = NULL;
	self->changing = self->reauth = false;
	lc_timer_stop(self->timer);
	lc_alpaca_reference_cancel(self->reference);
	self->base.env.host->down(&self->base, &why);
}

static void set_why(struct alpaca *self, enum lc_down_kind kind, int64_t wait_ms, enum lc_err code,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

static void set_why(struct alpaca *self, enum lc_down_kind kind, int64_t wait_ms, enum lc_err code,
	const char *format, ...)
{
	char text[sizeof(self->why.error.text)];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	self->why = (struct lc_down){.kind = kind, .wait_ms = wait_ms};
	lc_error_set(&self->why.error, code, "%s", text);
}

/* Ends the session for the reason in why. */
static void close_session(struct alpaca *self)
{
	bool open = self->state > STATE_CONNECTING;
	self->state = STATE_CLOSING;
	lc_timer_stop(self->timer);
	lc_alpaca_reference_cancel(self->reference);
	if (open) {
		lc_ws_close(self->ws, 1000, "", CLOSE_MS);
	} else {
		lc_ws_abort(self->ws);
	}
}

static void arm(struct alpaca *self, int64_t ms)
{
	lc_timer_start(self->timer, ms, 0);
}

/* --- sending --- */

static void send_out(struct alpaca *self)
{
	enum lc_err code = self->out.failed ? LC_ERR_NOMEM
					    : lc_ws_send(self->ws, self->out.data, self->out.len,
						      self->send_msgpack);
	if (code != LC_OK) {
		set_why(self, LC_DOWN_RETRY, 0, code, "a message could not be sent: %s",
			lc_err_text(code));
		close_session(self);
		return;
	}
	arm(self, self->settings->reply_ms);
}

static void send_auth(struct alpaca *self)
{
	lc_alpaca_out_open(&self->out, self->send_msgpack, "auth", 2);
	lc_alpaca_out_text(&self->out, self->send_msgpack, "key", self->settings->key);
	lc_alpaca_out_text(&self->out, self->send_msgpack, "secret", self->settings->secret);
	lc_alpaca_out_close(&self->out, self->send_msgpack);
	send_out(self);
	lc_buf_clear(&self->out);
}

/* Sends the next subscription message, or says that the change is done. */
static void pump(struct alpaca *self)
{
	switch (lc_alpaca_subs_next(self->subs, &self->out)) {
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
		set_why(self, LC_DOWN_RETRY, 0, LC_ERR_NOMEM, "no memory for a subscribe message");
		close_session(self);
		break;
	}
}

/* --- control messages --- */

static void become_up(struct alpaca *self)
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
	self->state = STATE_UP;
	self->limit_waits = 0;
	lc_timer_stop(self->timer);
	lc_alpaca_subs_reset(self->subs, &options);
	lc_alpaca_reference_begin(self->reference, settings, self->feed);
	self->base.env.host->up(&self->base);
}

/* `authenticated` came, or 403 that says the same. */
static void on_authenticated(struct alpaca *self)
{
	if (self->state == STATE_WELCOME || self->state == STATE_AUTH) {
		become_up(self);
	} else if (self->reauth) {
		self->reauth = false;
		if (lc_alpaca_subs_again(self->subs, &self->out) == LC_OK) {
			send_out(self);
		}
	}
}

static void on_success(struct alpaca *self, const struct lc_alpaca_msg *msg)
{
	struct lc_text text = msg->u.control.text;
	if (text.len == 9 && memcmp(text.data, "connected", 9) == 0) {
		if (self->state != STATE_WELCOME) {
			return;
		}
		self->state = STATE_AUTH;
		if (self->settings->auth == LC_ALPACA_AUTH_MESSAGE) {
			send_auth(self);
		} else {
			int64_t most = self->settings->reply_ms;
			arm(self, most < HEADER_GRACE_MS ? most : HEADER_GRACE_MS);
		}
	} else if (text.len == 13 && memcmp(text.data, "authenticated", 13) == 0) {
		on_authenticated(self);
	}
}

static void on_subscription(struct alpaca *self, const struct lc_value *item)
{
	size_t missing;
	if (self->state != STATE_UP || !lc_alpaca_subs_reply(self->subs, item, &missing)) {
		return;
	}
	if (missing > 0) {
		lc_log(log_of(self), LC_LOG_WARN, "feeder", "subscription_differs",
			LC_S("feeder", "alpaca"), LC_U("symbols", missing));
	}
	if (self->state == STATE_UP) {
		pump(self);
	}
}

static void on_not_authenticated(struct alpaca *self, const char *text)
{
	if (self->state == STATE_UP && !self->reauth) {
		self->reauth = true;
		send_auth(self);
		return;
	}
	set_why(self, LC_DOWN_RETRY, 0, LC_ERR_AUTH, "401 %s: the vendor lost our authentication",
		text);
	close_session(self);
}

static void on_subscribe_error(struct alpaca *self, int64_t code, const char *text)
{
	if (self->state != STATE_UP) {
		set_why(self, LC_DOWN_RETRY, 0, LC_ERR_PROTOCOL,
			"%" PRId64 " %s before authentication", code, text);
		close_session(self);
		return;
	}
	switch (lc_alpaca_subs_error(self->subs, code)) {
	case LC_OK:
		if (self->state == STATE_UP) {
			pump(self);
		}
		break;
	case LC_ERR_UNSUPPORTED:
		set_why(self, LC_DOWN_STOP, 0, LC_ERR_UNSUPPORTED,
			"410 %s: the feed %s does not offer these channels; choose another feed in "
			"alpaca.url, or switch alpaca.trades or alpaca.quotes off",
			text, self->feed);
		close_session(self);
		break;
	default:
		lc_log(log_of(self), LC_LOG_WARN, "feeder", "vendor_error",
			LC_S("feeder", "alpaca"), LC_I("code", code), LC_S("text", text));
		break;
	}
}

/* Nothing but a person can help: stay stopped. */
static void stop_for(
	struct alpaca *self, enum lc_err err, int64_t code, const char *text, const char *advice)
{
	set_why(self, LC_DOWN_STOP, 0, err, "%" PRId64 " %s: %s, then reload or feeder_start", code,
		text, advice);
	close_session(self);
}

static void on_connection_limit(struct alpaca *self, const char *text)
{
	int64_t wait = STALE_WAIT_MS << (self->limit_waits < 3 ? self->limit_waits : 3);
	wait = wait < STALE_WAIT_MAX_MS ? wait : STALE_WAIT_MAX_MS;
	self->limit_waits++;
	set_why(self, LC_DOWN_WAIT, wait, LC_ERR_LIMIT,
		"406 %s: another session of this key is open, or one that was cut off still counts "
		"(up to 90 s)",
		text);
	close_session(self);
}

static void on_internal_error(struct alpaca *self, const char *text)
{
	if (self->state == STATE_UP && !lc_alpaca_subs_in_flight(self->subs)) {
		lc_log(log_of(self), LC_LOG_WARN, "feeder", "vendor_error",
			LC_S("feeder", "alpaca"), LC_I("code", 500), LC_S("text", text));
		return;
	}
	set_why(self, LC_DOWN_RETRY, 0, LC_ERR_IO, "500 %s: a fault at the vendor", text);
	close_session(self);
}

/* Each code after what it means; protocol section "Error codes". */
static void on_error(struct alpaca *self, const struct lc_alpaca_msg *msg)
{
	char text[80];
	struct lc_text sent = msg->u.control.text;
	int64_t code = msg->u.control.code;
	snprintf(text, sizeof(text), "%.*s", (int)(sent.len < 79 ? sent.len : 79),
		sent.data ? sent.data : "");
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
		set_why(self, LC_DOWN_RETRY, 0, LC_ERR_TIMEOUT, "404 %s: our auth came too late",
			text);
		close_session(self);
		break;
	case 406:
		on_connection_limit(self, text);
		break;
	case 407:
		set_why(self, LC_DOWN_RETRY_NOW, 0, LC_ERR_FULL,
			"407 %s: we did not read fast enough, the vendor cut us off", text);
		close_session(self);
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
		lc_log(log_of(self), LC_LOG_WARN, "feeder", "vendor_error",
			LC_S("feeder", "alpaca"), LC_I("code", code), LC_S("text", text));
		break;
	}
}

/* --- ticks --- */

static void on_tick(struct alpaca *self, struct lc_alpaca_msg *msg)
{
	const struct lc_feeder_env *env = &self->base.env;
	struct lc_tick *tick = &msg->u.tick;
	tick->symbol = lc_symbols_find(env->symbols, msg->symbol.data, msg->symbol.len);
	if (!lc_alpaca_subs_wants(self->subs, tick->symbol)) {
		return; /* a few messages may still come after an unsubscribe */
	}
	if (msg->unknown_condition) {
		lc_log(log_of(self), LC_LOG_INFO, "feeder", "unknown_condition",
			LC_S("feeder", "alpaca"), LC_S("code", msg->unknown_condition),
			LC_S("symbol", lc_symbols_get(env->symbols, tick->symbol)->text));
	}
	tick->source = env->source;
	tick->delayed = self->delayed;
	tick->received_ns = self->received_ns;
	tick->received_mono_ns = self->received_mono_ns;
	memcpy(tick->feed, self->feed, sizeof(tick->feed));
	env->host->tick(&self->base, tick);
}

static void report_bad(struct alpaca *self, const char *reason, const void *data, size_t len)
{
	self->base.env.host->bad_input(
		&self->base, reason, data, len < SAMPLE_BYTES ? len : SAMPLE_BYTES);
}

static void on_item(struct alpaca *self, const struct lc_value *item, const void *data, size_t len)
{
	struct lc_alpaca_msg *msg = &self->msg;
	const char *reason;
	if (lc_alpaca_parse(item, &self->conditions, msg, &reason) != LC_OK) {
		report_bad(self, reason, data, len);
		return;
	}
	if (lc_alpaca_is_tick(msg->type)) {
		if (self->state == STATE_UP) {
			on_tick(self, msg);
		}
	} else if (msg->type == LC_ALPACA_SUCCESS) {
		on_success(self, msg);
	} else if (msg->type == LC_ALPACA_ERROR) {
		on_error(self, msg);
	} else if (msg->type == LC_ALPACA_SUBSCRIPTION) {
		on_subscription(self, item);
	}
}

/* --- the connection --- */

static void on_open(void *arg, struct lc_ws *ws)
{
	struct alpaca *self = arg;
	(void)ws;
	if (self->state == STATE_CONNECTING) {
		self->state = STATE_WELCOME;
		arm(self, self->settings->reply_ms);
	}
}

/* The frame's own kind decides how it is read: a server that ignores the encoding asked for is understood all the same. */
static void on_message(void *arg, struct lc_ws *ws, const void *data, size_t len, bool binary,
	int64_t received_wall_ns)
{
	struct alpaca *self = arg;
	const struct lc_value *root, *item;
	(void)ws;
	if (self->state == STATE_CLOSING) {
		return;
	}
	enum lc_err code = binary ? lc_msgpack_parse(self->msgpack, data, len, &root, NULL)
				  : lc_json_parse(self->json, data, len, len, &root, NULL);
	if (code != LC_OK || root->type != LC_VALUE_ARRAY) {
		report_bad(self, "malformed_frame", data, len);
		return;
	}
	self->received_ns = received_wall_ns;
	self->received_mono_ns = lc_loop_mono_ns(self->base.env.loop);
	lc_value_each(item, root)
	{
		if (self->state == STATE_CLOSING) {
			break;
		}
		on_item(self, item, data, len);
	}
}

static void why_refused(struct alpaca *self, const struct lc_ws_closed *closed)
{
	int status = closed->http_status, after = closed->retry_after_s;
	if (closed->err.code == LC_ERR_AUTH) {
		set_why(self, LC_DOWN_STOP, 0, LC_ERR_AUTH,
			"the upgrade was answered HTTP %d: check alpaca.key and alpaca.secret, "
			"then "
			"reload or feeder_start",
			status);
	} else if (status == 429 || (status == 503 && after > 0)) {
		int64_t seconds = after > MAX_WAIT_S ? MAX_WAIT_S : after;
		set_why(self, LC_DOWN_WAIT, after > 0 ? seconds * 1000 : LIMITED_MS, LC_ERR_LIMIT,
			"the upgrade was answered HTTP %d: the vendor asks us to wait", status);
	} else if (status == 404) {
		set_why(self, LC_DOWN_RETRY, 0, LC_ERR_REFUSED,
			"the upgrade was answered HTTP 404: check the path of alpaca.url");
	} else {
		set_why(self, LC_DOWN_RETRY, 0, closed->err.code, "%s", closed->err.text);
	}
}

static void on_close(void *arg, const struct lc_ws_closed *closed)
{
	struct alpaca *self = arg;
	self->ws = NULL;
	if (self->state != STATE_CLOSING) {
		if (!closed->was_open) {
			why_refused(self, closed);
		} else {
			bool was_up = self->state == STATE_UP;
			set_why(self, was_up ? LC_DOWN_RETRY_NOW : LC_DOWN_RETRY, 0,
				closed->err.code != LC_OK ? closed->err.code : LC_ERR_CLOSED,
				"the connection ended: %s (close code %d %s)",
				closed->err.text[0] ? closed->err.text : "by the vendor",
				closed->close_code, closed->close_reason);
		}
	}
	deliver_down(self);
}

static const struct lc_ws_handler ws_handler = {
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
};

static void on_step_late(struct alpaca *self, const char *what)
{
	set_why(self, LC_DOWN_RETRY, 0, LC_ERR_TIMEOUT, "no %s within %" PRId64 " ms", what,
		self->settings->reply_ms);
	close_session(self);
}

static void on_timer(void *arg)
{
	struct alpaca *self = arg;
	bool waits = self->state == STATE_UP && lc_alpaca_subs_in_flight(self->subs);
	if (self->paused && (waits || self->state == STATE_WELCOME || self->state == STATE_AUTH)) {
		arm(self, self->settings->reply_ms); /* the answer may be what we do not read */
		return;
	}
	switch (self->state) {
	case STATE_FAILED:
		deliver_down(self);
		break;
	case STATE_WELCOME:
		on_step_late(self, "`connected`");
		break;
	case STATE_AUTH:
		if (self->settings->auth == LC_ALPACA_AUTH_HEADERS) {
			become_up(
				self); /* were it not so, the first subscribe would be answered 401 */
		} else {
			on_step_late(self, "answer to auth");
		}
		break;
	case STATE_UP:
		if (waits) {
			on_step_late(self, "answer to a subscribe message");
		} else {
			pump(self);
		}
		break;
	default:
		break;
	}
}

/* --- subscriptions' events --- */

static void on_accepted(void *arg, uint32_t symbol)
{
	struct alpaca *self = arg;
	lc_alpaca_reference_add(self->reference, symbol);
}

static void on_rejected(void *arg, uint32_t symbol, bool limit, const char *reason)
{
	struct alpaca *self = arg;
	self->base.env.host->rejected(&self->base, symbol, limit, reason);
}

static void on_statuses_lost(void *arg, size_t count, const char *text)
{
	struct alpaca *self = arg;
	lc_log(log_of(self), LC_LOG_WARN, "feeder", "statuses_given_up", LC_S("feeder", "alpaca"),
		LC_U("symbols", count), LC_S("reason", text));
}

static const struct lc_alpaca_subs_events subs_events = {
	.accepted = on_accepted,
	.rejected = on_rejected,
	.statuses_lost = on_statuses_lost,
};

static bool wants(struct lc_feeder *feeder, uint32_t symbol)
{
	return lc_alpaca_subs_wants(alpaca_of(feeder)->subs, symbol);
}

/* --- the feeder's slots --- */

static void alpaca_destroy(struct lc_feeder *feeder)
{
	struct alpaca *self = alpaca_of(feeder);
	assert(self->state == STATE_IDLE);
	lc_alpaca_reference_destroy(self->reference);
	lc_alpaca_subs_destroy(self->subs);
	lc_json_parser_destroy(self->json);
	lc_msgpack_reader_destroy(self->msgpack);
	if (self->timer) {
		lc_timer_destroy(self->timer);
	}
	lc_buf_finish(&self->out);
	free(self);
}

static enum lc_err make_parts(struct alpaca *self)
{
	const struct lc_feeder_env *env = &self->base.env;
	enum lc_err code = lc_timer_create(env->loop, on_timer, self, &self->timer);
	if (code == LC_OK) {
		code = lc_json_parser_create(NULL, &self->json);
	}
	if (code == LC_OK) {
		code = lc_msgpack_reader_create(NULL, &self->msgpack);
	}
	if (code == LC_OK) {
		code = lc_alpaca_subs_create(env->symbols, &subs_events, self, &self->subs);
	}
	if (code == LC_OK) {
		code = lc_alpaca_reference_create(&self->base, wants, &self->reference);
	}
	return code;
}

static enum lc_err alpaca_create(
	const struct lc_feeder_env *env, struct lc_feeder **out, struct lc_error *err)
{
	struct alpaca *self = calloc(1, sizeof(*self));
	if (!self) {
		return lc_error_set(err, LC_ERR_NOMEM, "no memory for the feeder alpaca");
	}
	self->base.impl = &lc_feeder_alpaca;
	self->base.env = *env;
	self->settings = env->config;
	lc_buf_init(&self->out, LC_ALPACA_MAX_MESSAGE + AUTH_BYTES);
	enum lc_err code = make_parts(self);
	if (code != LC_OK) {
		alpaca_destroy(&self->base);
		return lc_error_set(
			err, code, "the feeder alpaca could not be made: %s", lc_err_text(code));
	}
	*out = &self->base;
	return LC_OK;
}

static enum lc_err alpaca_usable(const struct lc_feeder *feeder, struct lc_error *err)
{
	return lc_alpaca_settings_check(const_alpaca_of(feeder)->settings, err);
}

static size_t alpaca_max_change(const struct lc_feeder *feeder)
{
	(void)feeder;
	return 0;
}

static size_t alpaca_symbol_limit(const struct lc_feeder *feeder)
{
	return (size_t)const_alpaca_of(feeder)->settings->symbol_limit;
}

static void alpaca_start(struct lc_feeder *feeder)
{
	struct alpaca *self = alpaca_of(feeder);
	const struct lc_alpaca_settings *settings = self->settings;
	assert(self->state == STATE_IDLE);
	lc_alpaca_feed_label(settings->url, self->feed, sizeof(self->feed));
	self->delayed = strcmp(self->feed, "delayed_sip") == 0;
	self->send_msgpack = settings->encoding == LC_ALPACA_MSGPACK;
	self->paused = false;
	struct lc_alpaca_auth_headers auth = {0};
	struct lc_ws_options options = {
		.url = settings->url,
		.headers = {{"Content-Type",
			self->send_msgpack ? "application/msgpack" : "application/json"}},
		.deflate = settings->compression,
		.ca_file = settings->ca_file[0] ? settings->ca_file : NULL,
		.connect_timeout_ms = settings->connect_ms,
		.ping_ms = settings->ping_ms,
		.pong_ms = settings->pong_ms,
	};
	if (settings->auth == LC_ALPACA_AUTH_HEADERS) {
		lc_alpaca_auth_fill(settings, &auth);
		for (size_t i = 0; i < auth.count; i++) {
			options.headers[i + 1] = (struct lc_ws_header){auth.name[i], auth.value[i]};
		}
	}
	struct lc_error err = {0};
	enum lc_err code = lc_ws_connect(
		self->base.env.ws, &options, &ws_handler, self, &self->ws, &err);
	self->state = STATE_CONNECTING;
	if (code != LC_OK) {
		set_why(self, code == LC_ERR_INVALID ? LC_DOWN_STOP : LC_DOWN_RETRY, 0, code, "%s",
			err.text[0] ? err.text : lc_err_text(code));
		self->state = STATE_FAILED;
		arm(self, 0);
	}
}

static void alpaca_stop(struct lc_feeder *feeder)
{
	struct alpaca *self = alpaca_of(feeder);
	enum state before = self->state;
	assert(before != STATE_IDLE);
	set_why(self, LC_DOWN_ASKED, 0, LC_OK, "stopped");
	if (before != STATE_FAILED && before != STATE_CLOSING) {
		close_session(self);
	}
}

/* What is sent goes from the timer: rejected() may not be called from inside this call. */
static void alpaca_change(struct lc_feeder *feeder, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	struct alpaca *self = alpaca_of(feeder);
	assert(!self->changing);
	if (self->state != STATE_UP) {
		return; /* closing: down() tells */
	}
	if (lc_alpaca_subs_change(self->subs, add, n_add, remove, n_remove) != LC_OK) {
		set_why(self, LC_DOWN_RETRY, 0, LC_ERR_NOMEM, "no memory for the subscriptions");
		close_session(self);
		return;
	}
	self->changing = true;
	arm(self, 0);
}

static void alpaca_pause(struct lc_feeder *feeder, bool paused)
{
	struct alpaca *self = alpaca_of(feeder);
	if (self->paused == paused || !self->ws) {
		return;
	}
	self->paused = paused;
	if (paused) {
		lc_ws_pause(self->ws);
	} else {
		lc_ws_resume(self->ws);
	}
}

static void alpaca_configure(struct lc_feeder *feeder, const void *config)
{
	struct alpaca *self = alpaca_of(feeder);
	self->settings = config;
	self->base.env.config = config;
	lc_alpaca_reference_begin(self->reference, self->settings, self->feed);
}

static void alpaca_explain(const void *config, size_t n_symbols, struct lc_buf *out)
{
	const struct lc_alpaca_settings *settings = config;
	size_t batch = (size_t)settings->max_symbols;
	lc_buf_printf(out,
		"alpaca: %zu symbols in at least %zu subscribe messages; quotes come as they "
		"change\n",
		n_symbols, (n_symbols + batch - 1) / batch);
	if (settings->symbol_limit > 0 && n_symbols > (size_t)settings->symbol_limit) {
		lc_buf_printf(out,
			"alpaca: alpaca.symbol_limit is %" PRId64 ": %zu symbols will be refused\n",
			settings->symbol_limit, n_symbols - (size_t)settings->symbol_limit);
	}
}

const struct lc_feeder_impl lc_feeder_alpaca = {
	.name = "alpaca",
	.origin = "alpaca",
	.config = &lc_alpaca_section,
	.max_change = alpaca_max_change,
	.symbol_limit = alpaca_symbol_limit,
	.create = alpaca_create,
	.destroy = alpaca_destroy,
	.usable = alpaca_usable,
	.start = alpaca_start,
	.stop = alpaca_stop,
	.change = alpaca_change,
	.pause = alpaca_pause,
	.configure = alpaca_configure,
	.explain = alpaca_explain,
};

#include "alpaca_session.h"

#include "livecore/list.h"
#include "livecore/ws_client.h"
#include "registry.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMITED_MS 30000 /* after an HTTP 429 without Retry-After */
#define MAX_WAIT_S 3600
#define SAMPLE_BYTES 512
#define AUTH_BYTES 8192

static struct lc_alpaca *alpaca_of(struct lc_feeder *feeder)
{
	return container_of(feeder, struct lc_alpaca, base);
}

static const struct lc_alpaca *const_alpaca_of(const struct lc_feeder *feeder)
{
	return (const struct lc_alpaca *)feeder;
}

/* --- ending a session --- */

static void deliver_down(struct lc_alpaca *self)
{
	struct lc_down why = self->why;
	self->state = LC_ALPACA_STATE_IDLE;
	self->ws = NULL;
	self->changing = self->reauth = false;
	lc_timer_stop(self->timer);
	lc_alpaca_reference_cancel(self->reference);
	lc_alpaca_backfill_cancel(self->backfill);
	self->base.env.host->down(&self->base, &why);
}

/* --- ticks --- */

static void on_tick(struct lc_alpaca *self, struct lc_alpaca_msg *msg)
{
	const struct lc_feeder_env *env = &self->base.env;
	struct lc_tick *tick = &msg->u.tick;
	tick->symbol = lc_symbols_find(env->symbols, msg->symbol.data, msg->symbol.len);
	if (!lc_alpaca_subs_wants(self->subs, tick->symbol)) {
		return; /* a few messages may still come after an unsubscribe */
	}
	if (msg->unknown_condition) {
		lc_log(lc_alpaca_log(self), LC_LOG_INFO, "feeder", "unknown_condition",
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

static void report_bad(struct lc_alpaca *self, const char *reason, const void *data, size_t len)
{
	char sample[SAMPLE_BYTES];
	size_t sample_len = len < SAMPLE_BYTES ? len : SAMPLE_BYTES;
	memcpy(sample, data, sample_len);
	lc_alpaca_mask(self, sample, sample_len);
	self->base.env.host->bad_input(&self->base, reason, sample, sample_len);
}

static void on_item(
	struct lc_alpaca *self, const struct lc_value *item, const void *data, size_t len)
{
	struct lc_alpaca_msg *msg = &self->msg;
	const char *reason;
	if (lc_alpaca_parse(item, &self->conditions, msg, &reason) != LC_OK) {
		report_bad(self, reason, data, len);
		return;
	}
	++*self->counted[msg->type];
	if (lc_alpaca_is_tick(msg->type)) {
		if (self->state == LC_ALPACA_STATE_UP) {
			on_tick(self, msg);
		}
	} else if (msg->type == LC_ALPACA_SUCCESS) {
		lc_alpaca_on_success(self, msg);
	} else if (msg->type == LC_ALPACA_ERROR) {
		lc_alpaca_on_error(self, msg);
	} else if (msg->type == LC_ALPACA_SUBSCRIPTION) {
		lc_alpaca_on_subscription(self, item);
	}
}

/* --- the connection --- */

static void on_open(void *arg, struct lc_ws *ws)
{
	struct lc_alpaca *self = arg;
	(void)ws;
	if (self->state == LC_ALPACA_STATE_CONNECTING) {
		self->state = LC_ALPACA_STATE_WELCOME;
		lc_alpaca_arm(self, self->settings->reply_ms);
	}
}

/* The frame's own kind decides how it is read: a server that ignores the encoding asked for is
 * understood all the same. */
static void on_message(void *arg, struct lc_ws *ws, const void *data, size_t len, bool binary,
	int64_t received_wall_ns)
{
	struct lc_alpaca *self = arg;
	const struct lc_value *root, *item;
	(void)ws;
	if (self->state == LC_ALPACA_STATE_CLOSING) {
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
	lc_value_each (item, root) {
		if (self->state == LC_ALPACA_STATE_CLOSING) {
			break;
		}
		on_item(self, item, data, len);
	}
}

static void why_refused(struct lc_alpaca *self, const struct lc_ws_closed *closed)
{
	int status = closed->http_status, after = closed->retry_after_s;
	if (closed->err.code == LC_ERR_AUTH) {
		lc_alpaca_set_why(self, LC_DOWN_STOP, 0, LC_ERR_AUTH,
			"the upgrade was answered HTTP %d: check alpaca.key and alpaca.secret, "
			"then reload or feeder_start",
			status);
	} else if (status == 429 || (status == 503 && after > 0)) {
		int64_t seconds = after > MAX_WAIT_S ? MAX_WAIT_S : after;
		lc_alpaca_set_why(self, LC_DOWN_WAIT, after > 0 ? seconds * 1000 : LIMITED_MS,
			LC_ERR_LIMIT,
			"the upgrade was answered HTTP %d: the vendor asks us to wait", status);
	} else if (status == 404) {
		lc_alpaca_set_why(self, LC_DOWN_RETRY, 0, LC_ERR_REFUSED,
			"the upgrade was answered HTTP 404: check the path of alpaca.url");
	} else {
		lc_alpaca_set_why(self, LC_DOWN_RETRY, 0, closed->err.code, "%s", closed->err.text);
	}
}

static void on_close(void *arg, const struct lc_ws_closed *closed)
{
	struct lc_alpaca *self = arg;
	self->ws = NULL;
	if (self->state != LC_ALPACA_STATE_CLOSING) {
		if (!closed->was_open) {
			why_refused(self, closed);
		} else {
			bool was_up = self->state == LC_ALPACA_STATE_UP;
			lc_alpaca_set_why(self, was_up ? LC_DOWN_RETRY_NOW : LC_DOWN_RETRY, 0,
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

static void on_step_late(struct lc_alpaca *self, const char *what)
{
	lc_alpaca_set_why(self, LC_DOWN_RETRY, 0, LC_ERR_TIMEOUT, "no %s within %" PRId64 " ms",
		what, self->settings->reply_ms);
	lc_alpaca_close(self);
}

static void on_timer(void *arg)
{
	struct lc_alpaca *self = arg;
	bool waits = self->state == LC_ALPACA_STATE_UP && lc_alpaca_subs_in_flight(self->subs);
	if (self->paused && (waits || self->state == LC_ALPACA_STATE_WELCOME ||
				    self->state == LC_ALPACA_STATE_AUTH)) {
		/* The answer may be what we do not read. */
		lc_alpaca_arm(self, self->settings->reply_ms);
		return;
	}
	switch (self->state) {
	case LC_ALPACA_STATE_FAILED:
		deliver_down(self);
		break;
	case LC_ALPACA_STATE_WELCOME:
		on_step_late(self, "`connected`");
		break;
	case LC_ALPACA_STATE_AUTH:
		if (self->settings->auth == LC_ALPACA_AUTH_HEADERS) {
			/* Were it not so, the first subscribe would be answered 401. */
			lc_alpaca_become_up(self);
		} else {
			on_step_late(self, "answer to auth");
		}
		break;
	case LC_ALPACA_STATE_UP:
		if (waits) {
			on_step_late(self, "answer to a subscribe message");
		} else {
			lc_alpaca_pump(self);
		}
		break;
	default:
		break;
	}
}

/* --- subscriptions' events --- */

static void on_accepted(void *arg, uint32_t symbol)
{
	struct lc_alpaca *self = arg;
	lc_alpaca_reference_add(self->reference, symbol);
}

static void on_rejected(void *arg, uint32_t symbol, bool limit, const char *reason)
{
	struct lc_alpaca *self = arg;
	self->base.env.host->rejected(&self->base, symbol, limit, reason);
}

static void on_statuses_lost(void *arg, size_t count, const char *text)
{
	struct lc_alpaca *self = arg;
	lc_log(lc_alpaca_log(self), LC_LOG_WARN, "feeder", "statuses_given_up",
		LC_S("feeder", "alpaca"), LC_U("symbols", count), LC_S("reason", text));
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
	struct lc_alpaca *self = alpaca_of(feeder);
	assert(self->state == LC_ALPACA_STATE_IDLE);
	lc_alpaca_reference_destroy(self->reference);
	lc_alpaca_backfill_destroy(self->backfill);
	lc_alpaca_subs_destroy(self->subs);
	lc_json_parser_destroy(self->json);
	lc_msgpack_reader_destroy(self->msgpack);
	if (self->timer) {
		lc_timer_destroy(self->timer);
	}
	lc_buf_finish(&self->out);
	free(self);
}

static void make_counters(struct lc_alpaca *self)
{
	static const char *const names[LC_ALPACA_TYPES] = {"t", "q", "c", "x", "s", "b", "u", "d",
		"l", "i", "o", "success", "error", "subscription"};
	struct lc_metrics *metrics = lc_loop_metrics(self->base.env.loop);
	for (size_t i = 0; i < LC_ALPACA_UNKNOWN; i++) {
		char labels[64];
		snprintf(labels, sizeof(labels), "feeder=\"alpaca\",type=\"%s\"", names[i]);
		self->counted[i] = lc_metrics_counter(metrics, "livecore_feeder_messages_total",
			labels,
			"Messages read from the vendor, by the vendor's own type; those unread are "
			"livecore_feeder_bad_input_total");
	}
}

static enum lc_err make_parts(struct lc_alpaca *self)
{
	const struct lc_feeder_env *env = &self->base.env;
	const struct lc_json_limits json = {.max_values = LC_FEEDER_VALUES_MAX};
	const struct lc_msgpack_limits msgpack = {.max_values = LC_FEEDER_VALUES_MAX};
	enum lc_err code = lc_timer_create(env->loop, on_timer, self, &self->timer);
	if (code == LC_OK) {
		code = lc_json_parser_create(&json, &self->json);
	}
	if (code == LC_OK) {
		code = lc_msgpack_reader_create(&msgpack, &self->msgpack);
	}
	if (code == LC_OK) {
		code = lc_alpaca_subs_create(env->symbols, &subs_events, self, &self->subs);
	}
	if (code == LC_OK) {
		code = lc_alpaca_reference_create(&self->base, wants, &self->reference);
	}
	if (code == LC_OK) {
		code = lc_alpaca_backfill_create(&self->base, &self->backfill);
	}
	return code;
}

static enum lc_err alpaca_create(
	const struct lc_feeder_env *env, struct lc_feeder **out, struct lc_error *err)
{
	struct lc_alpaca *self = calloc(1, sizeof(*self));
	if (!self) {
		return lc_error_set(err, LC_ERR_NOMEM, "no memory for the feeder alpaca");
	}
	self->base.impl = &lc_feeder_alpaca;
	self->base.env = *env;
	self->settings = env->config;
	lc_buf_init(&self->out, LC_ALPACA_MAX_MESSAGE + AUTH_BYTES);
	make_counters(self);
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

static void alpaca_start(struct lc_feeder *feeder)
{
	struct lc_alpaca *self = alpaca_of(feeder);
	const struct lc_alpaca_settings *settings = self->settings;
	assert(self->state == LC_ALPACA_STATE_IDLE);
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
		.max_message_bytes = LC_FEEDER_FRAME_MAX,
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
	self->state = LC_ALPACA_STATE_CONNECTING;
	if (code != LC_OK) {
		lc_alpaca_set_why(self, code == LC_ERR_INVALID ? LC_DOWN_STOP : LC_DOWN_RETRY, 0,
			code, "%s", err.text[0] ? err.text : lc_err_text(code));
		self->state = LC_ALPACA_STATE_FAILED;
		lc_alpaca_arm(self, 0);
	}
}

static void alpaca_stop(struct lc_feeder *feeder)
{
	struct lc_alpaca *self = alpaca_of(feeder);
	enum lc_alpaca_state before = self->state;
	assert(before != LC_ALPACA_STATE_IDLE);
	lc_alpaca_set_why(self, LC_DOWN_ASKED, 0, LC_OK, "stopped");
	if (before != LC_ALPACA_STATE_FAILED && before != LC_ALPACA_STATE_CLOSING) {
		lc_alpaca_close(self);
	}
}

/* What is sent goes from the timer: rejected() may not be called from inside this call. */
static void alpaca_change(struct lc_feeder *feeder, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	struct lc_alpaca *self = alpaca_of(feeder);
	assert(!self->changing);
	if (self->state != LC_ALPACA_STATE_UP) {
		return; /* closing: down() tells */
	}
	if (lc_alpaca_subs_change(self->subs, add, n_add, remove, n_remove) != LC_OK) {
		lc_alpaca_set_why(
			self, LC_DOWN_RETRY, 0, LC_ERR_NOMEM, "no memory for the subscriptions");
		lc_alpaca_close(self);
		return;
	}
	self->changing = true;
	lc_alpaca_arm(self, 0);
}

static void alpaca_pause(struct lc_feeder *feeder, bool paused)
{
	struct lc_alpaca *self = alpaca_of(feeder);
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
	struct lc_alpaca *self = alpaca_of(feeder);
	self->settings = config;
	self->base.env.config = config;
	lc_alpaca_reference_begin(self->reference, self->settings, self->feed);
	lc_alpaca_backfill_configure(self->backfill, self->settings);
}

static size_t alpaca_backfill_most(
	const struct lc_feeder *feeder, enum lc_backfill_kind what, uint32_t symbol)
{
	(void)what;
	(void)symbol;
	return const_alpaca_of(feeder)->settings->trades ? LC_ALPACA_BACKFILL_SYMBOLS : 0;
}

static enum lc_err alpaca_backfill(struct lc_feeder *feeder, const struct lc_backfill *request)
{
	struct lc_alpaca *self = alpaca_of(feeder);
	return lc_alpaca_backfill_start(
		self->backfill, self->settings, self->feed, self->delayed, request);
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

static void alpaca_probe(struct lc_feeder *feeder)
{
	struct lc_alpaca *self = alpaca_of(feeder);
	if (self->ws) {
		lc_ws_ping(self->ws);
	}
}

static void alpaca_signs(const struct lc_feeder *feeder, struct lc_feeder_signs *out)
{
	const struct lc_alpaca *self = const_alpaca_of(feeder);
	int64_t pong_ns = self->ws ? lc_ws_info(self->ws).pong_ns : 0;
	int64_t read_ns = self->received_mono_ns;
	*out = (struct lc_feeder_signs){.heard_ns = pong_ns > read_ns ? pong_ns : read_ns};
}

const struct lc_feeder_impl lc_feeder_alpaca = {
	.name = "alpaca",
	.origin = "alpaca",
	.config = &lc_alpaca_section,
	.create = alpaca_create,
	.destroy = alpaca_destroy,
	.usable = alpaca_usable,
	.start = alpaca_start,
	.stop = alpaca_stop,
	.change = alpaca_change,
	.pause = alpaca_pause,
	.configure = alpaca_configure,
	.explain = alpaca_explain,
	.probe = alpaca_probe,
	.signs = alpaca_signs,
	.backfill_most = alpaca_backfill_most,
	.backfill = alpaca_backfill,
};

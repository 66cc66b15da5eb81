#include "fushu_wire.h"
#include "judge.h"
#include "livecore/list.h"
#include "mask.h"
#include "poller.h"
#include "registry.h"
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct settings, field)
#define LIMITED_MS 60000 /* after 429 or 503 without Retry-After */
#define DEAD_AFTER 3     /* failures to get any answer, in a row */
#define SAMPLE_BYTES 512

struct settings {
	struct lc_poller_settings poll; /* first: see poller.h */
	char *url, *api_key;
};

struct fushu {
	struct lc_poller poller; /* first */
	struct lc_json_parser *json;
	struct lc_zone *zone; /* of times without one */
	unsigned dead;        /* requests in a row that got no answer at all */
	/* Of the request being sent. */
	char authorization[LC_REQUEST_MAX_SECRET + 32];
	const char *headers[4];
};

static struct fushu *fushu_of(struct lc_poller *poller)
{
	return container_of(poller, struct fushu, poller);
}

static const struct settings *settings_of(const struct lc_poller *poller)
{
	return poller->base.env.config;
}

/* --- settings --- */

static const struct lc_setting settings_table[] = {
	{"url", LC_SET_STRING, AT(url), "", .apply = LC_APPLY_RECONNECT,
		.check = lc_request_check_address,
		.help = "the server, https://HOST/v1 (/tick is added); empty: FuShu is not used"},
	{"api_key", LC_SET_STRING, AT(api_key), "", .apply = LC_APPLY_RECONNECT,
		.flags = LC_SETTING_SECRET, .check = lc_request_check_secret,
		.help = "sent as a bearer token; empty: none is sent"},
	{"poll_interval", LC_SET_DURATION, AT(poll.poll_ms), "5s", 10, 3600000,
		.apply = LC_APPLY_LIVE, .help = "between two requests"},
	{"timeout", LC_SET_DURATION, AT(poll.timeout_ms), "10s", 100, 120000,
		.apply = LC_APPLY_LIVE, .help = "the longest wait for an answer"},
	{"max_symbols", LC_SET_INT, AT(poll.max_symbols), "100", 1, 400, .apply = LC_APPLY_LIVE,
		.help = "symbols in one request, at most; more are asked for in turn"},
};

static const struct lc_section section = {
	.name = "fushu",
	.help = "Hong Kong stocks by polling a FuShu server",
	.settings = settings_table,
	.count = sizeof(settings_table) / sizeof(settings_table[0]),
	.size = sizeof(struct settings),
};

/* --- requests --- */

static void put_url(struct lc_poller *poller, bool probe, struct lc_buf *out)
{
	lc_request_address(settings_of(poller)->url, out);
	if (out->len < 5 || memcmp(out->data + out->len - 5, "/tick", 5) != 0) {
		lc_buf_puts(out, "/tick");
	}
	lc_buf_puts(out, probe ? "" : "?symbols=");
}

static void put_symbol(struct lc_poller *poller, const struct lc_symbol *symbol, struct lc_buf *out)
{
	(void)poller;
	lc_buf_append(out, symbol->text, symbol->len);
}

static const char *const *headers(struct lc_poller *poller)
{
	struct fushu *self = fushu_of(poller);
	const char *key = settings_of(poller)->api_key;
	snprintf(self->authorization, sizeof(self->authorization), "Authorization: Bearer %s", key);
	self->headers[0] = "Content-Type: application/json";
	self->headers[1] = "Accept: application/json";
	self->headers[2] = key[0] ? self->authorization : NULL;
	return self->headers;
}

/* --- answers --- */

static void report_bad(
	struct lc_poller *poller, const char *reason, const struct lc_http_answer *answer)
{
	char sample[SAMPLE_BYTES];
	size_t len = answer->body_len < SAMPLE_BYTES ? answer->body_len : SAMPLE_BYTES;
	memcpy(sample, answer->body, len);
	lc_feeder_mask(sample, len, settings_of(poller)->api_key);
	lc_poller_bad(poller, reason, sample, len);
}

static void on_row(void *arg, const char *symbol, size_t len, const struct lc_tick *row)
{
	if (!lc_poller_row(arg, symbol, len, row)) {
		lc_poller_bad(arg, "unknown_symbol", symbol, len);
	}
}

static void end_session(struct lc_poller *poller, enum lc_down_kind kind, int64_t wait_ms,
	enum lc_err code, const char *text)
{
	struct lc_down why = {.kind = kind, .wait_ms = wait_ms};
	lc_error_set(&why.error, code, "%s", text);
	fushu_of(poller)->dead = 0;
	lc_poller_end(poller, &why);
}

/* Nothing came that could be called an answer. */
static void judge_silence(struct lc_poller *poller, const struct lc_http_answer *answer, bool probe)
{
	struct fushu *self = fushu_of(poller);
	self->dead++;
	lc_log(lc_loop_log(poller->base.env.loop), LC_LOG_WARN, "feeder", "poll_failed",
		LC_S("feeder", "fushu"), LC_S("error", answer->err.text));
	if (probe || self->dead >= DEAD_AFTER) {
		end_session(poller, LC_DOWN_RETRY, 0, answer->err.code, answer->err.text);
	}
}

/* What refuses us ends the session, a status that may pass only costs a poll. */
static void judge_status(struct lc_poller *poller, const struct lc_http_answer *answer, bool probe)
{
	char text[200];
	snprintf(text, sizeof(text), "the FuShu server answered with status %d", answer->status);
	if (answer->status == 401 || answer->status == 403) {
		snprintf(text, sizeof(text),
			"the FuShu server refuses our key (status %d): set fushu.api_key",
			answer->status);
		end_session(poller, LC_DOWN_STOP, 0, LC_ERR_AUTH, text);
	} else if (answer->status == 429 || answer->status == 503) {
		end_session(poller, LC_DOWN_WAIT, lc_answer_wait_ms(answer, LIMITED_MS),
			LC_ERR_LIMIT, text);
	} else if (probe) {
		end_session(poller, LC_DOWN_RETRY, 0, LC_ERR_REFUSED, text);
	} else {
		lc_log(lc_loop_log(poller->base.env.loop), LC_LOG_WARN, "feeder", "poll_failed",
			LC_S("feeder", "fushu"), LC_I("status", answer->status));
	}
}

/* No symbols were asked for, so any JSON will do, or nothing. A page is another server: a proxy, or
 * the network's login. */
static bool judge_probe(struct lc_poller *poller, const struct lc_http_answer *answer)
{
	const struct lc_value *root;
	if (answer->body_len == 0 ||
		lc_json_parse(fushu_of(poller)->json, answer->body, answer->body_len,
			answer->body_len, &root, NULL) == LC_OK) {
		return true;
	}
	end_session(poller, LC_DOWN_RETRY, 0, LC_ERR_PROTOCOL,
		"what answers is no FuShu server: its answer is not JSON");
	return false;
}

static bool on_answer(struct lc_poller *poller, const struct lc_http_answer *answer, bool probe)
{
	struct fushu *self = fushu_of(poller);
	struct lc_error err = {0};
	size_t bad_rows = 0;
	if (answer->err.code != LC_OK) {
		judge_silence(poller, answer, probe);
		return false;
	}
	self->dead = 0;
	if (answer->status != 200) {
		judge_status(poller, answer, probe);
		return false;
	}
	if (probe) {
		return judge_probe(poller, answer);
	}
	enum lc_err code = lc_fushu_parse(self->json, answer->body, answer->body_len, self->zone,
		on_row, poller, &bad_rows, &err);
	if (code != LC_OK || bad_rows > 0) {
		report_bad(poller, code == LC_OK ? "incomplete_row" : "malformed", answer);
	}
	return code == LC_OK;
}

static const struct lc_poller_vendor vendor = {
	.name = "fushu",
	.url = put_url,
	.name_symbol = put_symbol,
	.headers = headers,
	.answer = on_answer,
};

/* --- the feeder's slots --- */

static void fushu_destroy(struct lc_feeder *feeder)
{
	struct fushu *self = container_of(feeder, struct fushu, poller.base);
	lc_poller_finish(&self->poller);
	lc_json_parser_destroy(self->json);
	lc_zone_destroy(self->zone);
	free(self);
}

static enum lc_err fushu_create(
	const struct lc_feeder_env *env, struct lc_feeder **out, struct lc_error *err)
{
	struct fushu *self = calloc(1, sizeof(*self));
	if (!self) {
		return lc_error_set(err, LC_ERR_NOMEM, "no memory for the feeder fushu");
	}
	const struct lc_json_limits limits = {.max_values = LC_FEEDER_VALUES_MAX};
	enum lc_err code = lc_poller_init(&self->poller, &lc_feeder_fushu, &vendor, env);
	if (code == LC_OK) {
		code = lc_json_parser_create(&limits, &self->json);
	}
	if (code != LC_OK) {
		lc_error_set(err, code, "the feeder fushu could not be made");
	} else {
		code = lc_zone_load("Asia/Hong_Kong", &self->zone, err);
	}
	if (code != LC_OK) {
		fushu_destroy(&self->poller.base);
		return code;
	}
	*out = &self->poller.base;
	return LC_OK;
}

static enum lc_err fushu_usable(const struct lc_feeder *feeder, struct lc_error *err)
{
	const struct settings *settings = feeder->env.config;
	if (!settings->url[0]) {
		return lc_error_set(err, LC_ERR_NOT_FOUND,
			"fushu.url is not set: write the server's address, https://HOST/v1");
	}
	return LC_OK;
}

static void fushu_explain(const void *config, size_t n_symbols, struct lc_buf *out)
{
	const struct settings *settings = config;
	if (settings->url[0] != '\0') { /* without one it cannot run */
		lc_poller_explain(section.name, &settings->poll, settings->url,
			sizeof("00700.HK") - 1, n_symbols, out);
	}
}

const struct lc_feeder_impl lc_feeder_fushu = {
	.name = "fushu",
	.origin = "fushu",
	.config = &section,
	.snapshots = true,
	.create = fushu_create,
	.destroy = fushu_destroy,
	.usable = fushu_usable,
	.start = lc_poller_start,
	.stop = lc_poller_stop,
	.change = lc_poller_change,
	.pause = lc_poller_pause,
	.configure = lc_poller_configure,
	.explain = fushu_explain,
	.signs = lc_poller_signs,
};

/* Tencent's quote servers, polled: the second origin of mainland China and Hong Kong, and US
 * symbols as far as the same rows tell them. */
#include "judge.h"
#include "livecore/list.h"
#include "poller.h"
#include "registry.h"
#include "request.h"
#include "tencent_wire.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct settings, field)
#define PROBE "sh000001" /* the Shanghai index: always there */

enum hk_feed { HK_REAL_TIME, HK_DELAYED };

struct settings {
	struct lc_poller_settings poll; /* first: see poller.h */
	char *url, *user_agent, *referer;
	int hk_feed;
	bool allow_delayed;
	struct lc_ban_settings ban;
};

struct tencent {
	struct lc_poller poller; /* first */
	struct lc_judge judge;
	struct lc_zone *zones[LC_MARKETS];
	struct lc_request_headers headers; /* of the request being sent */
};

static struct tencent *tencent_of(struct lc_poller *poller)
{
	return container_of(poller, struct tencent, poller);
}

static const struct settings *settings_of(const struct lc_poller *poller)
{
	return poller->base.env.config;
}

/* --- settings --- */

static const char *const hk_feeds[] = {"r_hk", "hk", NULL};

static const struct lc_setting settings_table[] = {
	{"url", LC_SET_STRING, AT(url), "https://qt.gtimg.cn", .apply = LC_APPLY_RECONNECT,
		.check = lc_request_check_address,
		.help = "the server (/q=… is added); https://sqt.gtimg.cn/utf8 answers the same"},
	{"hk_feed", LC_SET_ENUM, AT(hk_feed), "r_hk", .choices = hk_feeds,
		.apply = LC_APPLY_RECONNECT,
		.help = "the series of Hong Kong: r_hk, in real time, or hk, which may be delayed "
			"and needs allow_delayed"},
	{"allow_delayed", LC_SET_BOOL, AT(allow_delayed), "false", .apply = LC_APPLY_RECONNECT,
		.help = "publish rows that the vendor delays; their messages say \"delayed\": "
			"true"},
	{"poll_interval", LC_SET_DURATION, AT(poll.poll_ms), "3s", 10, 3600000,
		.apply = LC_APPLY_LIVE, .help = "between two requests; less than 3 s risks a ban"},
	{"max_symbols", LC_SET_INT, AT(poll.max_symbols), "60", 1, 400, .apply = LC_APPLY_LIVE,
		.help = "symbols in one request, at most; more are asked for in turn"},
	{"max_url", LC_SET_SIZE, AT(poll.max_url), "2KB", 128, 8000, .apply = LC_APPLY_LIVE,
		.help = "bytes of one request's URL, at most"},
	{"user_agent", LC_SET_STRING, AT(user_agent),
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		.apply = LC_APPLY_RECONNECT, .check = lc_request_check_line,
		.help = "sent with each request"},
	{"referer", LC_SET_STRING, AT(referer), "https://gu.qq.com/", .apply = LC_APPLY_RECONNECT,
		.check = lc_request_check_line, .help = "sent with each request; empty: not sent"},
	{"connect_timeout", LC_SET_DURATION, AT(poll.connect_ms), "10s", 100, 120000,
		.apply = LC_APPLY_LIVE, .help = "the longest time for name, TCP and TLS together"},
	{"timeout", LC_SET_DURATION, AT(poll.timeout_ms), "10s", 100, 120000,
		.apply = LC_APPLY_LIVE, .help = "the longest wait for an answer"},
	{"ban_after", LC_SET_INT, AT(ban.after), "3", 1, 100, .apply = LC_APPLY_LIVE,
		.help = "connections closed without an answer, or empty answers, in a row, that "
			"mean a ban"},
	{"ban_wait", LC_SET_DURATION, AT(ban.first_ms), "5m", 10, 86400000, .apply = LC_APPLY_LIVE,
		.help = "the wait after a ban"},
	{"ban_wait_second", LC_SET_DURATION, AT(ban.second_ms), "15m", 10, 86400000,
		.apply = LC_APPLY_LIVE, .help = "the wait when it was not over then"},
	{"ban_wait_last", LC_SET_DURATION, AT(ban.last_ms), "60m", 10, 86400000,
		.apply = LC_APPLY_LIVE, .help = "the wait after each further one"},
};

static const struct lc_section section = {
	.name = "tencent",
	.help = "Chinese, Hong Kong and US instruments by polling Tencent's public servers",
	.settings = settings_table,
	.count = sizeof(settings_table) / sizeof(settings_table[0]),
	.size = sizeof(struct settings),
};

/* --- requests --- */

static void put_url(struct lc_poller *poller, bool probe, struct lc_buf *out)
{
	lc_request_address(settings_of(poller)->url, out);
	lc_buf_puts(out, probe ? "/q=" PROBE : "/q=");
}

static void put_symbol(struct lc_poller *poller, const struct lc_symbol *symbol, struct lc_buf *out)
{
	lc_tencent_code(symbol, settings_of(poller)->hk_feed == HK_DELAYED, out);
}

static const char *const *headers(struct lc_poller *poller)
{
	struct tencent *self = tencent_of(poller);
	const struct settings *settings = settings_of(poller);
	lc_request_headers(settings->user_agent, settings->referer, &self->headers);
	return self->headers.lines;
}

/* --- answers --- */

static void on_row(void *arg, const char *symbol, size_t len, const struct lc_tick *tick)
{
	struct lc_poller *poller = arg;
	if (tick && tick->delayed && !settings_of(poller)->allow_delayed) {
		lc_poller_bad(poller, "delayed", symbol, len);
		return;
	}
	if (!lc_poller_row(poller, symbol, len, tick)) {
		lc_poller_bad(poller, "unknown_symbol", symbol, len);
	}
}

static void on_bad(void *arg, const char *reason, const char *text, size_t len)
{
	lc_poller_bad(arg, reason, text, len);
}

/* A probe's rows are of no interest. */
static void pass_row(void *arg, const char *symbol, size_t len, const struct lc_tick *tick)
{
	(void)arg;
	(void)symbol;
	(void)len;
	(void)tick;
}

static bool failed(struct lc_poller *poller, enum lc_meaning meaning,
	const struct lc_http_answer *answer, bool probe)
{
	struct tencent *self = tencent_of(poller);
	struct lc_down why;
	char how[320];
	lc_answer_describe(answer, how, sizeof(how));
	bool over = lc_judge_failed(&self->judge, &settings_of(poller)->ban, "Tencent",
		section.name, meaning, answer, how, probe, lc_loop_mono_ns(poller->base.env.loop),
		&why);
	lc_log(lc_loop_log(poller->base.env.loop), LC_LOG_WARN, "feeder", "poll_failed",
		LC_S("feeder", section.name), LC_S("error", how),
		LC_U("in_a_row", self->judge.failures));
	if (over) {
		lc_poller_end(poller, &why);
	}
	return false;
}

/* The vendor calls its rows text/html, so only the body tells a page from data. */
static bool on_answer(struct lc_poller *poller, const struct lc_http_answer *answer, bool probe)
{
	struct tencent *self = tencent_of(poller);
	struct lc_tencent_reader reader = {
		.row = probe ? pass_row : on_row,
		.bad = on_bad,
		.arg = poller,
	};
	struct lc_http_answer unread = *answer;
	enum lc_meaning meaning = lc_answer_meaning(answer, false);
	if (meaning == LC_MEANS_SAME && !probe) {
		lc_judge_good(&self->judge, lc_loop_mono_ns(poller->base.env.loop));
		lc_poller_same(poller);
		return true;
	}
	if (meaning != LC_MEANS_DATA) {
		return failed(poller, meaning, answer, probe);
	}
	memcpy(reader.zones, self->zones, sizeof(reader.zones));
	if (lc_tencent_parse(&reader, answer->body, answer->body_len, &unread.err) == LC_OK) {
		lc_judge_good(&self->judge, lc_loop_mono_ns(poller->base.env.loop));
		return true;
	}
	meaning = lc_answer_unreadable(answer);
	if (meaning == LC_MEANS_FAILURE) {
		lc_poller_bad(poller, "malformed", answer->body, answer->body_len);
	} else {
		lc_answer_explain(meaning, &unread.err);
	}
	return failed(poller, meaning, &unread, probe);
}

static const struct lc_poller_vendor vendor = {
	.name = "tencent",
	.url = put_url,
	.name_symbol = put_symbol,
	.headers = headers,
	.answer = on_answer,
};

/* --- the feeder's slots --- */

static void tencent_destroy(struct lc_feeder *feeder)
{
	struct tencent *self = container_of(feeder, struct tencent, poller.base);
	lc_poller_finish(&self->poller);
	for (size_t i = 0; i < LC_MARKETS; i++) {
		lc_zone_destroy(self->zones[i]);
	}
	free(self);
}

static enum lc_err tencent_create(
	const struct lc_feeder_env *env, struct lc_feeder **out, struct lc_error *err)
{
	static const char *const zones[LC_MARKETS] = {[LC_MARKET_CN] = "Asia/Shanghai",
		[LC_MARKET_HK] = "Asia/Hong_Kong",
		[LC_MARKET_US] = "America/New_York"};
	struct tencent *self = calloc(1, sizeof(*self));
	if (!self) {
		return lc_error_set(err, LC_ERR_NOMEM, "no memory for the feeder tencent");
	}
	enum lc_err code = lc_poller_init(&self->poller, &lc_feeder_tencent, &vendor, env);
	if (code != LC_OK) {
		lc_error_set(err, code, "the feeder tencent could not be made");
	}
	for (size_t i = 0; i < LC_MARKETS && code == LC_OK; i++) {
		code = lc_zone_load(zones[i], &self->zones[i], err);
	}
	if (code != LC_OK) {
		tencent_destroy(&self->poller.base);
		return code;
	}
	*out = &self->poller.base;
	return LC_OK;
}

static enum lc_err tencent_usable(const struct lc_feeder *feeder, struct lc_error *err)
{
	const struct settings *settings = feeder->env.config;
	if (!settings->url[0]) {
		return lc_error_set(err, LC_ERR_NOT_FOUND,
			"tencent.url is empty: https://qt.gtimg.cn is the public server");
	}
	if (settings->hk_feed == HK_DELAYED && !settings->allow_delayed) {
		return lc_error_set(err, LC_ERR_INVALID,
			"tencent.hk_feed is hk, which may be delayed: set tencent.allow_delayed to "
			"true, or hk_feed to r_hk");
	}
	return LC_OK;
}

static void tencent_explain(const void *config, size_t n_symbols, struct lc_buf *out)
{
	const struct settings *settings = config;
	lc_poller_explain(section.name, &settings->poll, settings->url, sizeof("r_hk00700") - 1,
		n_symbols, out);
	if (settings->hk_feed == HK_DELAYED) {
		lc_buf_puts(out,
			"tencent: Hong Kong comes from the series hk, which may be delayed by 15 "
			"minutes\n");
	}
}

const struct lc_feeder_impl lc_feeder_tencent = {
	.name = "tencent",
	.origin = "tencent",
	.config = &section,
	.snapshots = true,
	.create = tencent_create,
	.destroy = tencent_destroy,
	.usable = tencent_usable,
	.start = lc_poller_start,
	.stop = lc_poller_stop,
	.change = lc_poller_change,
	.pause = lc_poller_pause,
	.configure = lc_poller_configure,
	.explain = tencent_explain,
	.signs = lc_poller_signs,
};

#include "alpaca_priv.h"

#include "livecore/file.h"
#include "livecore/url.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct lc_alpaca_settings, field)

static const char *const encodings[] = {"json", "msgpack", NULL};
static const char *const auths[] = {"message", "headers", NULL};

static enum lc_err check_stream_url(const char *text, struct lc_error *err)
{
	struct lc_url url;
	enum lc_err code = lc_url_parse(text, &url, err);
	if (code == LC_OK && !url.websocket) {
		return lc_error_set(err, LC_ERR_INVALID,
			"%s is not a stream: write wss://stream.data.alpaca.markets/v2/FEED", text);
	}
	return code;
}

static enum lc_err check_data_url(const char *text, struct lc_error *err)
{
	struct lc_url url;
	enum lc_err code = lc_url_parse(text, &url, err);
	if (code == LC_OK && url.websocket) {
		return lc_error_set(err, LC_ERR_INVALID,
			"%s is a stream: write https://data.alpaca.markets", text);
	}
	return code;
}

static const struct lc_setting settings_table[] = {
	{"enabled", LC_SET_BOOL, AT(enabled), "true", .apply = LC_APPLY_RECONNECT,
		.help = "whether this feeder may be used"},
	{"url", LC_SET_STRING, AT(url), "wss://stream.data.alpaca.markets/v2/iex",
		.apply = LC_APPLY_RECONNECT, .check = check_stream_url,
		.help = "the stream; its last part is the feed: iex, sip, delayed_sip, test"},
	{"data_url", LC_SET_STRING, AT(data_url), "https://data.alpaca.markets",
		.apply = LC_APPLY_LIVE, .check = check_data_url,
		.help = "where snapshots, and trades that were missed, are asked for"},
	{"key", LC_SET_STRING, AT(key), "", .apply = LC_APPLY_RECONNECT, .flags = LC_SETTING_SECRET,
		.check = lc_request_check_secret,
		.help = "the API key's id; oauth or access_token when secret is a bearer token"},
	{"secret", LC_SET_STRING, AT(secret), "", .apply = LC_APPLY_RECONNECT,
		.flags = LC_SETTING_SECRET, .check = lc_request_check_secret,
		.help = "the API key's secret, or the bearer token"},
	{"auth", LC_SET_ENUM, AT(auth), "message", .choices = auths, .apply = LC_APPLY_RECONNECT,
		.help = "how to authenticate: by the first message, or by request headers"},
	{"encoding", LC_SET_ENUM, AT(encoding), "json", .choices = encodings,
		.apply = LC_APPLY_RECONNECT, .help = "of the stream's messages"},
	{"compression", LC_SET_BOOL, AT(compression), "true", .apply = LC_APPLY_RECONNECT,
		.help = "offer permessage-deflate"},
	{"trades", LC_SET_BOOL, AT(trades), "true", .apply = LC_APPLY_RECONNECT,
		.help = "subscribe trades, with their corrections and cancels"},
	{"quotes", LC_SET_BOOL, AT(quotes), "true", .apply = LC_APPLY_RECONNECT,
		.help = "subscribe quotes"},
	{"statuses", LC_SET_BOOL, AT(statuses), "true", .apply = LC_APPLY_RECONNECT,
		.help = "subscribe trading statuses (halts); the first to be given up when the "
			"plan's limit is tight"},
	{"max_symbols", LC_SET_INT, AT(max_symbols), "100", 1, 10000, .apply = LC_APPLY_RECONNECT,
		.help = "symbols in one subscribe message, at most"},
	{"max_message", LC_SET_SIZE, AT(max_message_bytes), "16KB", 256, LC_ALPACA_MAX_MESSAGE,
		.apply = LC_APPLY_RECONNECT, .help = "bytes of one subscribe message, at most"},
	{"symbol_limit", LC_SET_INT, AT(symbol_limit), "0", 0, 100000, .apply = LC_APPLY_RECONNECT,
		.help = "symbols that the plan allows (Basic: 30); 0: find out from the vendor's "
			"refusal"},
	{"ping_interval", LC_SET_DURATION, AT(ping_ms), "30s", 1000, 600000,
		.apply = LC_APPLY_RECONNECT, .help = "how often the connection is pinged"},
	{"pong_timeout", LC_SET_DURATION, AT(pong_ms), "60s", 1000, 600000,
		.apply = LC_APPLY_RECONNECT, .help = "the longest wait for an answer to a ping"},
	{"connect_timeout", LC_SET_DURATION, AT(connect_ms), "10s", 100, 120000,
		.apply = LC_APPLY_RECONNECT,
		.help = "the longest time for name, TCP, TLS and upgrade together"},
	{"reply_timeout", LC_SET_DURATION, AT(reply_ms), "10s", 100, 120000, .apply = LC_APPLY_LIVE,
		.help = "the longest wait for the welcome, the answer to auth, and to each "
			"subscribe message"},
	{"ca_file", LC_SET_STRING, AT(ca_file), "", .apply = LC_APPLY_RECONNECT,
		.check = lc_file_check_exists,
		.help = "PEM file with the authorities to trust for the stream; empty: the "
			"system's"},
	{"snapshots", LC_SET_BOOL, AT(snapshots), "true", .apply = LC_APPLY_LIVE,
		.help = "ask for the last price of each newly followed symbol"},
	{"snapshot_batch", LC_SET_INT, AT(snapshot_batch), "100", 1, 500, .apply = LC_APPLY_LIVE,
		.help = "symbols in one snapshot request, at most"},
	{"snapshot_timeout", LC_SET_DURATION, AT(snapshot_ms), "10s", 100, 120000,
		.apply = LC_APPLY_LIVE,
		.help = "the longest wait for the answer to a request to data_url"},
	{"rest_rate", LC_SET_DOUBLE, AT(rest_rate), "3", 0.01, 1000, .apply = LC_APPLY_LIVE,
		.help = "requests a second for what a gap left out (plans: 200 a minute)"},
	{"rest_page", LC_SET_INT, AT(rest_page), "1000", 1, 10000, .apply = LC_APPLY_LIVE,
		.help = "trades in one answer; more than 1,000 hold the loop for over 1 ms"},
	{"allow_insecure", LC_SET_BOOL, AT(allow_insecure), "false", .apply = LC_APPLY_RECONNECT,
		.help = "send the key unencrypted (ws://, http://) to other hosts than this one"},
};

const struct lc_section lc_alpaca_section = {
	.name = "alpaca",
	.help = "US stocks from Alpaca's WebSocket stream",
	.settings = settings_table,
	.count = sizeof(settings_table) / sizeof(settings_table[0]),
	.size = sizeof(struct lc_alpaca_settings),
};

static bool is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	       strcmp(host, "::1") == 0;
}

static enum lc_err check_url(const struct lc_alpaca_settings *settings, const char *key,
	const char *text, enum lc_err (*check)(const char *, struct lc_error *),
	struct lc_error *err)
{
	struct lc_url url;
	enum lc_err code = check(text, err);
	if (code != LC_OK) {
		return code;
	}
	lc_url_parse(text, &url, NULL);
	if (!url.tls && !settings->allow_insecure && !is_loopback(url.host)) {
		return lc_error_set(err, LC_ERR_INVALID,
			"%s would send the key unencrypted to %s: use %s, or set "
			"alpaca.allow_insecure",
			key, url.host, url.websocket ? "wss://" : "https://");
	}
	return LC_OK;
}

enum lc_err lc_alpaca_settings_check(
	const struct lc_alpaca_settings *settings, struct lc_error *err)
{
	if (!settings->enabled) {
		return lc_error_set(err, LC_ERR_UNSUPPORTED, "alpaca.enabled is false");
	}
	if (!settings->key[0] || !settings->secret[0]) {
		return lc_error_set(err, LC_ERR_NOT_FOUND,
			"alpaca.%s is not set: put it into the secrets file or LIVECORE_ALPACA_%s",
			settings->key[0] ? "secret" : "key", settings->key[0] ? "SECRET" : "KEY");
	}
	if (!settings->trades && !settings->quotes) {
		return lc_error_set(err, LC_ERR_INVALID,
			"alpaca.trades and alpaca.quotes are both off: there is nothing to follow");
	}
	enum lc_err code = check_url(settings, "alpaca.url", settings->url, check_stream_url, err);
	if (code == LC_OK) {
		code = check_url(
			settings, "alpaca.data_url", settings->data_url, check_data_url, err);
	}
	return code;
}

void lc_alpaca_feed_label(const char *text, char *out, size_t size)
{
	struct lc_url url;
	out[0] = '\0';
	if (lc_url_parse(text, &url, NULL) != LC_OK) {
		return;
	}
	size_t len = strcspn(url.path, "?");
	while (len > 0 && url.path[len - 1] == '/') {
		len--;
	}
	size_t start = len;
	while (start > 0 && url.path[start - 1] != '/') {
		start--;
	}
	snprintf(out, size, "%.*s", (int)(len - start), url.path + start);
}

void lc_alpaca_auth_fill(
	const struct lc_alpaca_settings *settings, struct lc_alpaca_auth_headers *out)
{
	if (strcmp(settings->key, "oauth") == 0 || strcmp(settings->key, "access_token") == 0) {
		out->count = 1;
		out->name[0] = "Authorization";
		snprintf(out->value[0], sizeof(out->value[0]), "Bearer %s", settings->secret);
		return;
	}
	out->count = 2;
	out->name[0] = "APCA-API-KEY-ID";
	out->name[1] = "APCA-API-SECRET-KEY";
	snprintf(out->value[0], sizeof(out->value[0]), "%s", settings->key);
	snprintf(out->value[1], sizeof(out->value[1]), "%s", settings->secret);
}

#include "eastmoney_priv.h"

#include "livecore/url.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct lc_eastmoney_settings, field)

static const char *const modes[] = {"sse", "poll", "ws", NULL};
static const char *const volumes[] = {"shares", "lots", NULL};

static enum lc_err check_ws_url(const char *text, struct lc_error *err)
{
	struct lc_url url;
	enum lc_err code = lc_url_parse(text, &url, err);
	if (code == LC_OK && !url.websocket) {
		return lc_error_set(
			err, LC_ERR_INVALID, "%s is not a WebSocket: write wss://HOST/PATH", text);
	}
	return code;
}

static enum lc_err check_token(const char *text, struct lc_error *err)
{
	if (strpbrk(text, " &=#?\"")) {
		return lc_error_set(err, LC_ERR_INVALID, "holds a character that does not belong");
	}
	return lc_request_check_line(text, err);
}

static enum lc_err check_us_market(const char *text, struct lc_error *err)
{
	if (strcmp(text, "105") != 0 && strcmp(text, "106") != 0 && strcmp(text, "107") != 0) {
		return lc_error_set(err, LC_ERR_INVALID,
			"%s is no US market: 105 (NASDAQ), 106 (NYSE), 107 (AMEX, Arca)", text);
	}
	return LC_OK;
}

static const struct lc_setting settings_table[] = {
	{"mode", LC_SET_ENUM, AT(mode), "sse", .choices = modes, .apply = LC_APPLY_RECONNECT,
		.help = "sse: event streams, the rest polled; poll: requests in turn; ws: the "
			"older system's protocol, for which no public server is known"},
	{"url", LC_SET_STRING, AT(url), "https://push2.eastmoney.com", .apply = LC_APPLY_RECONNECT,
		.check = lc_request_check_address, .help = "the server of modes sse and poll"},
	{"ws_url", LC_SET_STRING, AT(ws_url), "", .apply = LC_APPLY_RECONNECT,
		.check = check_ws_url, .help = "the server of mode ws"},
	{"api_key", LC_SET_STRING, AT(api_key), "", .apply = LC_APPLY_RECONNECT,
		.flags = LC_SETTING_SECRET, .check = check_token,
		.help = "sent as a bearer token in mode ws; empty: none is sent"},
	{"max_secids", LC_SET_INT, AT(max_secids), "100", 1, 500, .apply = LC_APPLY_RECONNECT,
		.help = "instruments in one request or stream, at most (the server answers with "
			"100)"},
	{"max_url", LC_SET_SIZE, AT(max_url), "4KB", 512, 4096, .apply = LC_APPLY_RECONNECT,
		.help = "bytes of one request's URL, at most"},
	{"max_connections", LC_SET_INT, AT(max_connections), "4", 1, LC_EASTMONEY_MAX_STREAMS,
		.apply = LC_APPLY_RECONNECT,
		.help = "streams in mode sse, at most; what does not fit into them is polled"},
	{"mpi", LC_SET_DURATION, AT(mpi_ms), "1s", 100, 60000, .apply = LC_APPLY_RECONNECT,
		.help = "a stream's shortest time between two events"},
	{"poll_interval", LC_SET_DURATION, AT(poll_ms), "1s", 10, 3600000, .apply = LC_APPLY_LIVE,
		.help = "between two requests of any kind; more than one a second risks a ban"},
	{"us_markets", LC_SET_LIST, AT(us_markets), "105,106,107", .apply = LC_APPLY_RECONNECT,
		.check = check_us_market,
		.help = "the prefixes tried for US symbols, until one of them answers"},
	{"ut", LC_SET_STRING, AT(ut), "bd1d9ddb04089700cf9c27f6f7426281",
		.apply = LC_APPLY_RECONNECT, .check = check_token,
		.help = "the constant that the vendor's page sends with lists; not a secret"},
	{"stream_ut", LC_SET_STRING, AT(stream_ut), "6d2ffaa6a585d612eda28417681d58fb",
		.apply = LC_APPLY_RECONNECT, .check = check_token, .help = "the same for streams"},
	{"user_agent", LC_SET_STRING, AT(user_agent),
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		.apply = LC_APPLY_RECONNECT, .check = lc_request_check_line,
		.help = "sent with each request"},
	{"referer", LC_SET_STRING, AT(referer), "https://quote.eastmoney.com/",
		.apply = LC_APPLY_RECONNECT, .check = lc_request_check_line,
		.help = "sent with each request; empty: not sent"},
	{"connect_timeout", LC_SET_DURATION, AT(connect_ms), "10s", 100, 120000,
		.apply = LC_APPLY_LIVE, .help = "the longest time for name, TCP and TLS together"},
	{"timeout", LC_SET_DURATION, AT(timeout_ms), "10s", 100, 120000, .apply = LC_APPLY_LIVE,
		.help = "the longest wait for an answer"},
	{"idle_timeout", LC_SET_DURATION, AT(idle_ms), "90s", 1000, 3600000, .apply = LC_APPLY_LIVE,
		.help = "the longest silence of a stream before it is opened again"},
	{"ban_after", LC_SET_INT, AT(ban.after), "3", 1, 100, .apply = LC_APPLY_LIVE,
		.help = "connections closed without an answer, in a row, that mean a ban"},
	{"ban_wait", LC_SET_DURATION, AT(ban.first_ms), "5m", 10, 86400000, .apply = LC_APPLY_LIVE,
		.help = "the wait after a ban"},
	{"ban_wait_second", LC_SET_DURATION, AT(ban.second_ms), "15m", 10, 86400000,
		.apply = LC_APPLY_LIVE, .help = "the wait when it was not over then"},
	{"ban_wait_last", LC_SET_DURATION, AT(ban.last_ms), "60m", 10, 86400000,
		.apply = LC_APPLY_LIVE, .help = "the wait after each further one"},
	{"ws_volume", LC_SET_ENUM, AT(ws_volume), "shares", .choices = volumes,
		.apply = LC_APPLY_RECONNECT,
		.help = "the unit of Chinese volumes in mode ws: shares, or lots of 100"},
	{"ping_interval", LC_SET_DURATION, AT(ping_ms), "30s", 1000, 600000,
		.apply = LC_APPLY_RECONNECT,
		.help = "how often the connection of mode ws is pinged"},
	{"pong_timeout", LC_SET_DURATION, AT(pong_ms), "60s", 1000, 600000,
		.apply = LC_APPLY_RECONNECT, .help = "the longest wait for an answer to a ping"},
};

const struct lc_section lc_eastmoney_section = {
	.name = "eastmoney",
	.help = "Chinese, Hong Kong and US instruments from EastMoney's public servers",
	.settings = settings_table,
	.count = sizeof(settings_table) / sizeof(settings_table[0]),
	.size = sizeof(struct lc_eastmoney_settings),
};

void lc_eastmoney_list_url(
	const struct lc_eastmoney_settings *settings, const char *fields, struct lc_buf *out)
{
	lc_request_address(settings->url, out);
	lc_buf_printf(out,
		"/api/qt/ulist.np/get?fltt=1&invt=2&np=1&pn=1&pz=%" PRId64
		"&ut=%s&fields=%s&secids=",
		settings->max_secids, settings->ut, fields);
}

void lc_eastmoney_stream_url(const struct lc_eastmoney_settings *settings, struct lc_buf *out)
{
	lc_request_address(settings->url, out);
	lc_buf_printf(out,
		"/api/qt/ulist/sse?fltt=1&invt=2&mpi=%" PRId64 "&pn=1&pz=%" PRId64
		"&ut=%s&fields=%s&secids=",
		settings->mpi_ms, settings->max_secids, settings->stream_ut, LC_EASTMONEY_FIELDS);
}

/* How many Chinese symbols go into one request, whose URL begins with `head` bytes. */
static size_t batch_of(const struct lc_eastmoney_settings *settings, size_t head)
{
	size_t most = (size_t)settings->max_secids, max_url = (size_t)settings->max_url;
	size_t fit = max_url > head ? (max_url - head + 1) / sizeof("1.600000") : 0;
	size_t batch = fit < most ? fit : most;
	return batch > 0 ? batch : 1; /* the first always goes */
}

void lc_eastmoney_explain(const void *config, size_t n_symbols, struct lc_buf *out)
{
	const struct lc_eastmoney_settings *settings = config;
	struct lc_buf list, stream;
	size_t streamed = 0;
	if (settings->mode == LC_EASTMONEY_WS) {
		lc_buf_printf(out, "eastmoney: %zu symbols over one WebSocket, as they change\n",
			n_symbols);
		return;
	}
	lc_buf_init(&list, 16384);
	lc_buf_init(&stream, 16384);
	lc_eastmoney_list_url(settings, LC_EASTMONEY_FIELDS, &list);
	lc_eastmoney_stream_url(settings, &stream);
	if (settings->mode == LC_EASTMONEY_SSE) {
		size_t batch = batch_of(settings, stream.len);
		size_t most = batch * (size_t)settings->max_connections;
		streamed = n_symbols < most ? n_symbols : most;
		lc_buf_printf(out,
			"eastmoney: %zu symbols in %zu streams: a quote can be %g s old\n",
			streamed, (streamed + batch - 1) / batch, (double)settings->mpi_ms / 1000);
	}
	size_t polled = n_symbols - streamed;
	if (polled > 0) {
		size_t batch = batch_of(settings, list.len);
		size_t requests = (polled + batch - 1) / batch;
		lc_buf_printf(out,
			"eastmoney: %zu symbols polled in %zu requests, one every %g s: a quote "
			"can be %g s old\n",
			polled, requests, (double)settings->poll_ms / 1000,
			(double)requests * (double)settings->poll_ms / 1000);
	}
	lc_buf_finish(&list);
	lc_buf_finish(&stream);
}

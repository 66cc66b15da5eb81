/* For the tests of the Alpaca feeder's session: a small vendor on loopback that speaks the vendor's
 * own protocol over real sockets and does what its fields say, and a host that keeps what it is
 * told. Included by one test file. */
#pragma once

#include "alpaca_priv.h"

#include "alpaca_samples.h"
#include "livecore/http_server.h"
#include "livecore/ws_client.h"
#include "loop_fixture.h"
#include "registry.h"

#define MOST_TICKS 64

/* What the vendor does, and what it saw. */
struct vendor {
	struct lc_http_server *server;
	struct lc_ws_peer *peer;
	struct lc_json_parser *json;
	struct lc_msgpack_reader *msgpack;

	int refuse_status; /* of the upgrade; 0: accept */
	const char *retry_after;
	bool no_welcome, no_auth_answer, header_auth, binary;
	int auth_error;
	bool no_subscribe_answer;
	const char *bad_symbol; /* 400 */
	size_t limit;           /* symbols; 405 */
	int once;               /* this error for the first subscribe message */
	int snapshot_status;
	const char *snapshot_body;

	bool gone, sent;
	char key[64], secret[64], content_type[64], query[512], snapshot_key[64];
	size_t connects, auths, messages, snapshots;
	char trades[64][16];
	size_t n_trades;
};

/* What the host was told. */
struct host {
	struct fixture f;
	struct vendor v;
	struct lc_alpaca_settings settings;
	struct lc_symbols *symbols;
	struct lc_ws_hub *ws;
	struct lc_http *http;
	struct lc_feeder *feeder;
	char url[128], data_url[128];
	uint32_t aapl, ko, ibm;

	bool up, down, changed, got_reference, got_tick, got_bad, stop_in_tick, stop_in_rejected;
	struct lc_down why;
	struct lc_tick ticks[MOST_TICKS];
	size_t n_ticks, n_bad, n_changed, n_rejected, n_limited, n_references, n_up;
	uint32_t rejected;
	struct lc_reference reference;
	char bad_reason[32], bad_sample[513];
	bool closed_ws, closed_http, closed_server;
};

static struct host h;

/* --- the vendor --- */

static void vendor_send(const char *text)
{
	struct vendor *v = &h.v;
	if (!v->binary) {
		cr_assert_eq(lc_ws_peer_send(v->peer, text, strlen(text), false), LC_OK);
		return;
	}
	const struct lc_value *root;
	struct lc_buf out;
	lc_buf_init(&out, 1 << 20);
	cr_assert_eq(lc_json_parse(v->json, text, strlen(text), strlen(text), &root, NULL), LC_OK);
	msgpack_value(&out, root, false);
	cr_assert_eq(lc_ws_peer_send(v->peer, out.data, out.len, true), LC_OK);
	lc_buf_finish(&out);
}

static void vendor_error(int code, const char *msg)
{
	char text[256];
	snprintf(text, sizeof(text), "[{\"T\":\"error\",\"code\":%d,\"msg\":\"%s\"}]", code, msg);
	vendor_send(text);
}

static void on_auth(const struct lc_value *message)
{
	struct vendor *v = &h.v;
	v->auths++;
	lc_value_copy(lc_value_find(message, "key"), v->key, sizeof(v->key));
	lc_value_copy(lc_value_find(message, "secret"), v->secret, sizeof(v->secret));
	if (v->no_auth_answer) {
		v->sent = true;
	} else if (v->auth_error) {
		vendor_error(v->auth_error, "said at auth");
	} else {
		vendor_send("[{\"T\":\"success\",\"msg\":\"authenticated\"}]");
	}
}

static size_t find_trade(const char *name)
{
	size_t i = 0;
	while (i < h.v.n_trades && strcmp(h.v.trades[i], name) != 0) {
		i++;
	}
	return i;
}

static void vendor_reply(void)
{
	struct vendor *v = &h.v;
	char text[4096] = "[{\"T\":\"subscription\"";
	static const char *const channels[] = {"trades", "quotes", "statuses"};
	for (size_t c = 0; c < 3 && v->n_trades > 0; c++) {
		snprintf(
			text + strlen(text), sizeof(text) - strlen(text), ",\"%s\":[", channels[c]);
		for (size_t i = 0; i < v->n_trades; i++) {
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\"%s\"",
				i ? "," : "", v->trades[i]);
		}
		strcat(text, "]");
	}
	strcat(text, "}]");
	vendor_send(text);
}

static int subscribe_error(const struct lc_value *list, bool subscribe)
{
	struct vendor *v = &h.v;
	const struct lc_value *name;
	if (v->once) {
		int code = v->once;
		v->once = 0;
		return code;
	}
	lc_value_each (name, list) {
		if (v->bad_symbol && lc_value_is(name, v->bad_symbol)) {
			return 400;
		}
	}
	return subscribe && v->limit > 0 && v->n_trades + list->len > v->limit ? 405 : 0;
}

static void on_subscribe(const struct lc_value *message, bool subscribe)
{
	struct vendor *v = &h.v;
	const struct lc_value *list = lc_value_find(message, "trades"), *name;
	v->messages++;
	if (v->no_subscribe_answer) {
		return;
	}
	int code = list ? subscribe_error(list, subscribe) : 0;
	if (code) {
		vendor_error(code, "said at subscribe");
		return;
	}
	if (list) {
		lc_value_each (name, list) {
			char text[16];
			lc_value_copy(name, text, sizeof(text));
			size_t at = find_trade(text);
			if (subscribe && at == v->n_trades) {
				strcpy(v->trades[v->n_trades++], text);
			} else if (!subscribe && at < v->n_trades) {
				v->n_trades--;
				memmove(v->trades[at], v->trades[at + 1],
					(v->n_trades - at) * sizeof(v->trades[0]));
			}
		}
	}
	vendor_reply();
}

static void on_peer_open(void *arg, struct lc_ws_peer *peer)
{
	struct vendor *v = arg;
	v->peer = peer;
	if (!v->no_welcome) {
		vendor_send("[{\"T\":\"success\",\"msg\":\"connected\"}]");
	}
	if (v->header_auth) {
		vendor_send("[{\"T\":\"success\",\"msg\":\"authenticated\"}]");
	}
}

static void on_peer_message(
	void *arg, struct lc_ws_peer *peer, const void *data, size_t len, bool binary)
{
	struct vendor *v = arg;
	const struct lc_value *message;
	(void)peer;
	cr_assert_eq(binary ? lc_msgpack_parse(v->msgpack, data, len, &message, NULL)
			    : lc_json_parse(v->json, data, len, len, &message, NULL),
		LC_OK);
	const struct lc_value *action = lc_value_find(message, "action");
	if (lc_value_is(action, "auth")) {
		on_auth(message);
	} else {
		on_subscribe(message, lc_value_is(action, "subscribe"));
	}
}

static void on_peer_close(void *arg)
{
	struct vendor *v = arg;
	v->peer = NULL;
	v->gone = true;
}

static const struct lc_ws_peer_handler peer_handler = {
	.on_open = on_peer_open, .on_message = on_peer_message, .on_close = on_peer_close};

static void copy_header(struct lc_exchange *exchange, const char *name, char *out, size_t size)
{
	const char *value = lc_exchange_header(exchange, name);
	snprintf(out, size, "%s", value ? value : "");
}

static void respond(struct lc_exchange *exchange, int status, const char *body)
{
	char line[64];
	const char *headers[] = {line, NULL};
	snprintf(line, sizeof(line), "Retry-After: %s", h.v.retry_after ? h.v.retry_after : "");
	struct lc_response response = {.status = status,
		.content_type = "application/json",
		.headers = h.v.retry_after ? headers : NULL,
		.body = body,
		.body_len = strlen(body)};
	lc_exchange_respond(exchange, &response);
}

static void on_request(void *arg, struct lc_exchange *exchange)
{
	struct vendor *v = arg;
	const struct lc_request *request = lc_exchange_request(exchange);
	if (request->upgrade) {
		v->connects++;
		copy_header(exchange, "content-type", v->content_type, sizeof(v->content_type));
		copy_header(exchange, "apca-api-key-id", v->key, sizeof(v->key));
		if (v->refuse_status) {
			respond(exchange, v->refuse_status, "{}");
		} else {
			cr_assert_eq(
				lc_exchange_accept(exchange, &peer_handler, v, &v->peer), LC_OK);
		}
		return;
	}
	cr_assert_str_eq(request->path, "/v2/stocks/snapshots");
	const char *query = lc_exchange_query(exchange, "symbols");
	v->snapshots++;
	snprintf(v->query, sizeof(v->query), "%s", query ? query : "");
	copy_header(exchange, "apca-api-key-id", v->snapshot_key, sizeof(v->snapshot_key));
	int status = v->snapshot_status ? v->snapshot_status : 200;
	if (status == 429) {
		v->snapshot_status = 0; /* once */
	}
	if (status == 400 && !strchr(v->query, ',') && !strstr(v->query, "KO")) {
		status = 200;
	}
	respond(exchange, status, v->snapshot_body ? v->snapshot_body : "{}");
}

/* --- the host --- */

static void host_tick(struct lc_feeder *feeder, const struct lc_tick *tick)
{
	cr_assert_lt(h.n_ticks, (size_t)MOST_TICKS);
	h.ticks[h.n_ticks++] = *tick;
	h.got_tick = true;
	if (h.stop_in_tick) {
		h.stop_in_tick = false;
		feeder->impl->stop(feeder);
	}
}

static void host_reference(struct lc_feeder *feeder, const struct lc_reference *reference)
{
	(void)feeder;
	h.reference = *reference;
	h.n_references++;
	h.got_reference = true;
}

static void host_bad_input(
	struct lc_feeder *feeder, const char *reason, const char *sample, size_t len)
{
	(void)feeder;
	cr_assert(sample && len <= 512);
	snprintf(h.bad_reason, sizeof(h.bad_reason), "%s", reason);
	snprintf(h.bad_sample, sizeof(h.bad_sample), "%.*s", (int)len, sample);
	h.n_bad++;
	h.got_bad = true;
}

static void host_up(struct lc_feeder *feeder)
{
	(void)feeder;
	h.up = true;
	h.n_up++;
}

static void host_down(struct lc_feeder *feeder, const struct lc_down *why)
{
	(void)feeder;
	cr_assert_not(h.down, "down twice");
	h.why = *why;
	h.down = true;
}

static void host_changed(struct lc_feeder *feeder)
{
	(void)feeder;
	h.changed = true;
	h.n_changed++;
}

static void host_rejected(struct lc_feeder *feeder, uint32_t symbol, bool limit, const char *reason)
{
	cr_assert_gt(strlen(reason), 0u);
	h.rejected = symbol;
	if (h.stop_in_rejected) {
		h.stop_in_rejected = false;
		feeder->impl->stop(feeder);
	}
	h.n_rejected++;
	h.n_limited += limit;
}

static const struct lc_feeder_host host = {
	host_tick, host_reference, host_bad_input, host_up, host_down, host_changed, host_rejected};

static uint32_t intern(const char *text)
{
	uint32_t index;
	cr_assert_eq(lc_symbols_intern(h.symbols, text, strlen(text), &index), LC_OK);
	return index;
}

static void default_settings(void)
{
	static char key[] = "FAKEKEY", secret[] = "FAKESECRET", empty[] = "";
	int port = lc_http_server_port(h.v.server);
	snprintf(h.url, sizeof(h.url), "ws://127.0.0.1:%d/v2/iex", port);
	snprintf(h.data_url, sizeof(h.data_url), "http://127.0.0.1:%d", port);
	h.settings = (struct lc_alpaca_settings){.enabled = true,
		.trades = true,
		.quotes = true,
		.statuses = true,
		.url = h.url,
		.data_url = h.data_url,
		.key = key,
		.secret = secret,
		.ca_file = empty,
		.max_symbols = 100,
		.max_message_bytes = 16384,
		.snapshot_batch = 100,
		.ping_ms = 30000,
		.pong_ms = 60000,
		.connect_ms = 5000,
		.reply_ms = 5000,
		.snapshot_ms = 5000};
}

static void set_up(void)
{
	static const char *const headers[] = {"apca-api-key-id", "apca-api-secret-key", NULL};
	struct lc_error err = {0};
	memset(&h, 0, sizeof(h));
	fixture_open(&h.f);
	struct lc_http_server_options options = {.address = "127.0.0.1:0",
		.headers = headers,
		.deflate = true,
		.on_request = on_request,
		.arg = &h.v};
	cr_assert_eq(lc_http_server_create(h.f.loop, &options, &h.v.server, &err), LC_OK, "%s",
		err.text);
	cr_assert_eq(lc_json_parser_create(NULL, &h.v.json), LC_OK);
	cr_assert_eq(lc_msgpack_reader_create(NULL, &h.v.msgpack), LC_OK);
	cr_assert_eq(lc_symbols_create(1000, 1, &h.symbols), LC_OK);
	cr_assert_eq(lc_ws_hub_create(h.f.loop, &h.ws, &err), LC_OK, "%s", err.text);
	cr_assert_eq(lc_http_create(h.f.loop, NULL, &h.http, &err), LC_OK, "%s", err.text);
	default_settings();
	h.aapl = intern("AAPL");
	h.ko = intern("KO");
	h.ibm = intern("IBM");
	struct lc_feeder_env env = {.loop = h.f.loop,
		.symbols = h.symbols,
		.ws = h.ws,
		.http = h.http,
		.host = &host,
		.source = 3,
		.config = &h.settings};
	cr_assert_eq(lc_feeder_alpaca.create(&env, &h.feeder, &err), LC_OK, "%s", err.text);
}

static void on_flag(void *arg)
{
	*(bool *)arg = true;
}

static void tear_down(void)
{
	h.feeder->impl->destroy(h.feeder);
	lc_ws_hub_destroy(h.ws, on_flag, &h.closed_ws);
	run_until(&h.f, &h.closed_ws);
	lc_http_destroy(h.http, on_flag, &h.closed_http);
	run_until(&h.f, &h.closed_http);
	lc_http_server_destroy(h.v.server, on_flag, &h.closed_server);
	run_until(&h.f, &h.closed_server);
	lc_symbols_destroy(h.symbols);
	lc_json_parser_destroy(h.v.json);
	lc_msgpack_reader_destroy(h.v.msgpack);
	fixture_close(&h.f);
}

TestSuite(alpaca_session, .init = set_up, .fini = tear_down);

static void start(void)
{
	h.up = h.down = false;
	h.feeder->impl->start(h.feeder);
	cr_assert(!h.up && !h.down, "never from inside the call");
}

static void start_up(void)
{
	start();
	run_until(&h.f, &h.up);
}

static void stop(void)
{
	h.feeder->impl->stop(h.feeder);
	cr_assert_not(h.down);
	run_until(&h.f, &h.down);
	cr_assert_eq(h.why.kind, LC_DOWN_ASKED);
}

static void follow(const uint32_t *add, size_t n_add, const uint32_t *remove, size_t n_remove)
{
	h.changed = false;
	h.feeder->impl->change(h.feeder, add, n_add, remove, n_remove);
	run_until(&h.f, &h.changed);
}

static void expect_decimal(struct lc_decimal value, const char *text)
{
	char out[LC_DECIMAL_TEXT_MAX] = {0};
	out[lc_decimal_format(value, out)] = '\0';
	cr_assert_str_eq(out, text);
}

static void wait_ticks(size_t count)
{
	while (h.n_ticks < count) {
		h.got_tick = false;
		run_until(&h.f, &h.got_tick);
	}
}

/* Starts, waits for the end, and returns why. */
static struct lc_down start_and_fall(void)
{
	start();
	run_until(&h.f, &h.down);
	return h.why;
}

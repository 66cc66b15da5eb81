/* The Alpaca feeder against a small vendor on loopback: real sockets, the vendor's own protocol. */
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

	bool up, down, changed, got_reference, got_tick, got_bad, stop_in_tick;
	struct lc_down why;
	struct lc_tick ticks[MOST_TICKS];
	size_t n_ticks, n_bad, n_changed, n_rejected, n_limited, n_references, n_up;
	uint32_t rejected;
	struct lc_reference reference;
	char bad_reason[32];
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
	char text[128];
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
	lc_value_each(name, list)
	{
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
		lc_value_each(name, list)
		{
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
	(void)feeder;
	cr_assert_gt(strlen(reason), 0u);
	h.rejected = symbol;
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

/* --- tests --- */

static const char frame[] =
	"[{\"T\":\"t\",\"S\":\"KO\",\"i\":71203,\"x\":\"V\",\"p\":68.415,\"s\":25,\"c\":[\"@\","
	"\"I\"],\"z\":\"A\","
	"\"t\":\"2026-03-04T15:30:00.1204Z\"},"
	"{\"T\":\"zz\"},{\"T\":\"t\",\"S\":\"KO\"},"
	"{\"T\":\"b\",\"S\":\"KO\",\"o\":68.4,\"h\":68.45,\"l\":68.39,\"c\":68.42,\"v\":5120,\"t\":"
	"\"2026-03-04T15:30:00Z\"},"
	"{\"T\":\"t\",\"S\":\"MSFT\",\"i\":1,\"x\":\"V\",\"p\":1,\"s\":1,\"t\":\"2026-03-04T15:30:"
	"00Z\"},"
	"{\"T\":\"q\",\"S\":\"AAPL\",\"bx\":\"V\",\"bp\":180.10,\"bs\":300,\"ax\":\"Q\",\"ap\":180."
	"12,\"as\":200,"
	"\"c\":[\"R\"],\"z\":\"C\",\"t\":\"2026-03-04T15:30:00.5Z\"},"
	"{\"T\":\"s\",\"S\":\"AAPL\",\"sc\":\"T\",\"sm\":\"Trading "
	"Resumption\",\"rc\":\"R\",\"rm\":\"\",\"t\":\"2026-03-04T15:30:01Z\",\"z\":\"C\"}]";

static void check_frame(void)
{
	cr_assert_eq(h.n_ticks, 3u);
	cr_assert_eq(
		h.n_bad, 2u); /* an unknown type, and a trade without its fields: the rest counts */
	const struct lc_tick *tick = &h.ticks[0];
	cr_assert_eq(tick->symbol, h.ko);
	cr_assert_eq(tick->kind, LC_TICK_TRADE);
	cr_assert_eq(tick->source, 3);
	cr_assert_str_eq(tick->feed, "iex");
	cr_assert_not(tick->delayed);
	cr_assert_gt(tick->received_ns, tick->event_ns);
	cr_assert_gt(tick->received_mono_ns, 0);
	expect_decimal(tick->price, "68.415");
	expect_decimal(tick->amount, "1710.375");
	tick = &h.ticks[1];
	cr_assert_eq(tick->symbol, h.aapl);
	expect_decimal(tick->bid, "180.1");
	expect_decimal(tick->bid_volume, "300");
	cr_assert_eq(tick->received_ns, h.ticks[0].received_ns);
	cr_assert_eq(h.ticks[2].u.status.action, LC_STATUS_RESUME);
}

static void run_session(void)
{
	const uint32_t add[] = {h.ko, h.aapl};
	start_up();
	follow(add, 2, NULL, 0);
	cr_assert_eq(h.v.messages, 1u);
	vendor_send(frame);
	wait_ticks(3);
	check_frame();
	follow(NULL, 0, add, 1);
	cr_assert_eq(h.v.n_trades, 1u);
	cr_assert_str_eq(h.v.trades[0], "AAPL");
	vendor_send(frame); /* what was left still comes, and is passed over */
	wait_ticks(5);
	cr_assert_eq(h.ticks[3].symbol, h.aapl);
	stop();
}

Test(alpaca_session, json)
{
	run_session();
	cr_assert_str_eq(h.v.content_type, "application/json");
	cr_assert_str_eq(h.v.key, "FAKEKEY");
	cr_assert_str_eq(h.v.secret, "FAKESECRET");
}

Test(alpaca_session, msgpack_and_compression)
{
	h.settings.encoding = LC_ALPACA_MSGPACK;
	h.settings.compression = true;
	h.v.binary = true;
	run_session();
	cr_assert_str_eq(h.v.content_type, "application/msgpack");
	cr_assert_str_eq(h.v.secret, "FAKESECRET");
}

Test(alpaca_session, a_server_that_ignores_the_encoding)
{
	h.settings.encoding = LC_ALPACA_MSGPACK;
	run_session();
}

Test(alpaca_session, auth_by_headers)
{
	h.settings.auth = LC_ALPACA_AUTH_HEADERS;
	h.v.header_auth = true;
	start_up();
	cr_assert_eq(h.v.auths, 0u);
	cr_assert_str_eq(h.v.key, "FAKEKEY");
	stop();
	h.v.header_auth = false; /* nothing said: taken for granted after a while */
	h.settings.reply_ms = 100;
	start_up();
	cr_assert_eq(h.v.auths, 0u);
	h.v.once = 401; /* it was not so: auth is sent, and the message again */
	follow(&h.ko, 1, NULL, 0);
	cr_assert_eq(h.v.auths, 1u);
	cr_assert_eq(h.v.n_trades, 1u);
	stop();
}

Test(alpaca_session, error_codes_at_auth)
{
	static const struct {
		int code;
		enum lc_down_kind kind;
		int64_t wait_ms;
		const char *advice;
	} cases[] = {
		{402, LC_DOWN_STOP, 0, "alpaca.key"},
		{404, LC_DOWN_RETRY, 0, "404"},
		{406, LC_DOWN_WAIT, 5000, "another session"},
		{406, LC_DOWN_WAIT, 10000, "another session"},
		{406, LC_DOWN_WAIT, 20000, "90 s"},
		{406, LC_DOWN_WAIT, 30000, "90 s"},
		{406, LC_DOWN_WAIT, 30000, "90 s"},
		{408, LC_DOWN_STOP, 0, "plan"},
		{409, LC_DOWN_STOP, 0, "plan"},
		{411, LC_DOWN_STOP, 0, "token"},
		{400, LC_DOWN_RETRY, 0, "400"},
		{401, LC_DOWN_RETRY, 0, "401"},
		{500, LC_DOWN_RETRY, 0, "vendor"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		h.v.auth_error = cases[i].code;
		struct lc_down why = start_and_fall();
		cr_assert_eq(why.kind, cases[i].kind, "%d: %s", cases[i].code, why.error.text);
		cr_assert_eq(why.wait_ms, cases[i].wait_ms, "%d", cases[i].code);
		cr_assert(strstr(why.error.text, cases[i].advice), "%d: %s", cases[i].code,
			why.error.text);
		cr_assert_neq(why.error.code, LC_OK);
	}
	h.v.auth_error = 403; /* already authenticated is as good */
	start_up();
	stop();
	h.v.auth_error = 406; /* a session that worked begins the count anew */
	cr_assert_eq(start_and_fall().wait_ms, 5000);
}

Test(alpaca_session, errors_while_up)
{
	start_up();
	vendor_error(500, "internal error"); /* nothing asked: the stream goes on */
	vendor_error(499, "what is this");
	vendor_error(405, "nothing was asked");
	follow(&h.ko, 1, NULL, 0);
	cr_assert_not(h.down);
	vendor_error(407, "slow client");
	run_until(&h.f, &h.down);
	cr_assert_eq(h.why.kind, LC_DOWN_RETRY_NOW);
	cr_assert(strstr(h.why.error.text, "slow client"));
}

Test(alpaca_session, refused_upgrades)
{
	static const struct {
		int status;
		const char *retry_after;
		enum lc_down_kind kind;
		int64_t wait_ms;
	} cases[] = {
		{401, NULL, LC_DOWN_STOP, 0},
		{403, NULL, LC_DOWN_STOP, 0},
		{429, NULL, LC_DOWN_WAIT, 30000},
		{429, "7", LC_DOWN_WAIT, 7000},
		{503, NULL, LC_DOWN_RETRY, 0},
		{503, "12", LC_DOWN_WAIT, 12000},
		{404, NULL, LC_DOWN_RETRY, 0},
		{500, NULL, LC_DOWN_RETRY, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		h.v.refuse_status = cases[i].status;
		h.v.retry_after = cases[i].retry_after;
		struct lc_down why = start_and_fall();
		cr_assert_eq(why.kind, cases[i].kind, "%d: %s", cases[i].status, why.error.text);
		cr_assert_eq(why.wait_ms, cases[i].wait_ms, "%d", cases[i].status);
		cr_assert_gt(strlen(why.error.text), 0u);
	}
}

Test(alpaca_session, silence_at_each_step)
{
	h.settings.reply_ms = 100;
	h.v.no_welcome = true;
	struct lc_down why = start_and_fall();
	cr_assert_eq(why.kind, LC_DOWN_RETRY);
	cr_assert_eq(why.error.code, LC_ERR_TIMEOUT);
	cr_assert(strstr(why.error.text, "connected"), "%s", why.error.text);
	h.v.no_welcome = false;
	h.v.no_auth_answer = true;
	why = start_and_fall();
	cr_assert(strstr(why.error.text, "auth"), "%s", why.error.text);
	h.v.no_auth_answer = false;
	h.v.no_subscribe_answer = true;
	start_up();
	h.feeder->impl->change(h.feeder, &h.ko, 1, NULL, 0);
	run_until(&h.f, &h.down);
	cr_assert_eq(h.why.kind, LC_DOWN_RETRY);
	cr_assert(strstr(h.why.error.text, "subscribe"), "%s", h.why.error.text);
	cr_assert_eq(h.n_changed, 0u);
}

Test(alpaca_session, lost_connections)
{
	start_up();
	lc_ws_peer_abort(h.v.peer);
	run_until(&h.f, &h.down);
	cr_assert_eq(h.why.kind, LC_DOWN_RETRY_NOW);
	start_up();
	lc_ws_peer_close(h.v.peer, 1001, "going away");
	run_until(&h.f, &h.down);
	cr_assert_eq(h.why.kind, LC_DOWN_RETRY_NOW);
	cr_assert(strstr(h.why.error.text, "1001"), "%s", h.why.error.text);
	strcpy(h.url, "ws://127.0.0.1:1/v2/iex");
	cr_assert_eq(start_and_fall().kind, LC_DOWN_RETRY);
	strcpy(h.url, "no url");
	cr_assert_eq(start_and_fall().kind, LC_DOWN_STOP);
}

Test(alpaca_session, every_session_subscribes_from_nothing)
{
	const uint32_t add[] = {h.ko, h.aapl};
	for (int i = 0; i < 3; i++) {
		h.v.n_trades = 0;
		start_up();
		follow(add, 2, NULL, 0);
		cr_assert_eq(h.v.n_trades, 2u);
		stop();
	}
	cr_assert_eq(h.v.connects, 3u);
}

Test(alpaca_session, the_culprit_and_the_limit_are_told)
{
	const uint32_t add[] = {h.ko, h.aapl, h.ibm};
	h.v.bad_symbol = "AAPL";
	start_up();
	follow(add, 3, NULL, 0);
	cr_assert_eq(h.n_rejected, 1u);
	cr_assert_eq(h.rejected, h.aapl);
	cr_assert_eq(h.n_limited, 0u);
	stop();
	h.v = (struct vendor){
		.server = h.v.server, .json = h.v.json, .msgpack = h.v.msgpack, .limit = 2};
	start_up();
	follow(add, 3, NULL, 0);
	cr_assert_eq(h.v.n_trades, 2u);
	cr_assert_str_eq(h.v.trades[1], "AAPL");
	cr_assert_eq(h.rejected, h.ibm);
	cr_assert_eq(h.n_limited, 1u);
	stop();
}

Test(alpaca_session, unreadable_frames)
{
	static const char *const frames[] = {"", "{", "[{\"T\":\"t\"",
		"{\"T\":\"success\",\"msg\":\"connected\"}", "[7,null,[]]"};
	start_up();
	follow(&h.ko, 1, NULL, 0);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		size_t before = h.n_bad;
		h.got_bad = false;
		cr_assert_eq(lc_ws_peer_send(h.v.peer, frames[i], strlen(frames[i]), false), LC_OK);
		run_until(&h.f, &h.got_bad);
		cr_assert_gt(h.n_bad, before);
	}
	h.got_bad = false;
	cr_assert_eq(lc_ws_peer_send(h.v.peer, "\x91\x81\xa1", 3, true), LC_OK);
	run_until(&h.f, &h.got_bad);
	cr_assert_str_eq(h.bad_reason, "malformed_frame");
	cr_assert_not(h.down);
	vendor_send(frame);
	wait_ticks(1);
	stop();
}

Test(alpaca_session, stopping_at_any_time)
{
	start(); /* while connecting */
	stop();
	strcpy(h.url, "no url"); /* before the failure is told */
	start();
	stop();
	default_settings();
	start_up();
	follow(&h.ko, 1, NULL, 0);
	h.stop_in_tick = true; /* inside a frame: nothing of it follows */
	vendor_send(frame);
	run_until(&h.f, &h.down);
	cr_assert_eq(h.n_ticks, 1u);
	cr_assert_eq(h.why.kind, LC_DOWN_ASKED);
	start_up(); /* with a change under way */
	h.v.no_subscribe_answer = true;
	h.feeder->impl->change(h.feeder, &h.ko, 1, NULL, 0);
	stop();
}

static void on_later(void *arg)
{
	*(bool *)arg = true;
}

Test(alpaca_session, paused_reading_hands_over_nothing)
{
	const uint32_t add[] = {h.ko, h.aapl};
	bool later = false;
	struct lc_timer *timer;
	start_up();
	follow(add, 2, NULL, 0);
	h.feeder->impl->pause(h.feeder, true);
	h.feeder->impl->pause(h.feeder, true);
	vendor_send(frame);
	cr_assert_eq(lc_timer_create(h.f.loop, on_later, &later, &timer), LC_OK);
	lc_timer_start(timer, 50, 0); /* a while in which a tick would have come */
	run_until(&h.f, &later);
	cr_assert_eq(h.n_ticks, 0u);
	h.feeder->impl->pause(h.feeder, false);
	wait_ticks(3);
	lc_timer_destroy(timer);
	stop();
}

Test(alpaca_session, last_prices_come_from_snapshots)
{
	size_t len;
	const uint32_t add[] = {h.aapl, h.ko};
	char *body = sample_read("alpaca-rest-snapshot-AAPL.json", &len);
	h.settings.snapshots = true;
	h.v.snapshot_body = body;
	h.v.snapshot_status = 429; /* the first is told to wait */
	h.v.retry_after = "1";
	start_up();
	follow(add, 2, NULL, 0);
	run_until(&h.f, &h.got_reference);
	cr_assert_eq(h.v.snapshots, 2u);
	cr_assert_str_eq(h.v.query, "AAPL,KO");
	cr_assert_str_eq(h.v.snapshot_key, "FAKEKEY");
	cr_assert_eq(h.reference.symbol, h.aapl);
	expect_decimal(h.reference.price, "133.55");
	expect_decimal(h.reference.prev_close, "131.46");
	stop();
	free(body);
}

Test(alpaca_session, a_snapshot_refused_for_one_symbol)
{
	const uint32_t add[] = {h.aapl, h.ko, h.ibm};
	h.settings.snapshots = true;
	h.v.snapshot_status = 400; /* any request with KO, or with more than one symbol */
	h.v.snapshot_body = "{\"IBM\":{\"dailyBar\":{\"t\":\"2026-03-04T05:00:00Z\",\"o\":9,\"h\":"
			    "11,\"l\":8,\"c\":10,\"v\":100}}}";
	start_up();
	follow(add, 3, NULL, 0);
	while (strcmp(h.v.query, "IBM") != 0) {
		h.got_reference = false;
		run_until(&h.f, &h.got_reference);
	}
	cr_assert_eq(h.reference.symbol, h.ibm);
	stop();
}

Test(alpaca_session, usable_says_what_is_missing)
{
	static char empty[] = "", far[] = "ws://example.com/v2/iex", plain[] = "http://example.com";
	struct lc_error err;
	const struct lc_feeder_impl *impl = h.feeder->impl;
	cr_assert_eq(impl->usable(h.feeder, &err), LC_OK);
	h.settings.enabled = false;
	cr_assert_neq(impl->usable(h.feeder, &err), LC_OK);
	default_settings();
	h.settings.key = empty;
	cr_assert_neq(impl->usable(h.feeder, &err), LC_OK);
	cr_assert(strstr(err.text, "alpaca.key") && strstr(err.text, "LIVECORE_ALPACA_KEY"), "%s",
		err.text);
	default_settings();
	h.settings.secret = empty;
	cr_assert_neq(impl->usable(h.feeder, &err), LC_OK);
	cr_assert(strstr(err.text, "alpaca.secret"), "%s", err.text);
	default_settings();
	h.settings.trades = h.settings.quotes = false;
	cr_assert_neq(impl->usable(h.feeder, &err), LC_OK);
	default_settings();
	h.settings.url = far;
	cr_assert_neq(impl->usable(h.feeder, &err), LC_OK);
	cr_assert(strstr(err.text, "unencrypted"), "%s", err.text);
	h.settings.allow_insecure = true;
	cr_assert_eq(impl->usable(h.feeder, &err), LC_OK);
	default_settings();
	h.settings.snapshots = true;
	h.settings.data_url = plain;
	cr_assert_neq(impl->usable(h.feeder, &err), LC_OK);
}

Test(alpaca_session, feed_labels)
{
	static const char *const cases[][2] = {{"wss://stream.data.alpaca.markets/v2/sip", "sip"},
		{"wss://stream.data.alpaca.markets/v2/delayed_sip", "delayed_sip"},
		{"wss://stream.data.alpaca.markets/v1beta1/overnight/?x=1", "overnight"},
		{"wss://stream.data.alpaca.markets", ""}, {"nothing", ""},
		{"wss://h/a_label_that_is_long", "a_label_tha"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char feed[12];
		lc_alpaca_feed_label(cases[i][0], feed, sizeof(feed));
		cr_assert_str_eq(feed, cases[i][1]);
	}
}

Test(alpaca_session, tokens_are_bearers)
{
	static char oauth[] = "oauth";
	static struct lc_alpaca_auth_headers auth;
	h.settings.key = oauth;
	lc_alpaca_auth_fill(&h.settings, &auth);
	cr_assert_eq(auth.count, 1u);
	cr_assert_str_eq(auth.name[0], "Authorization");
	cr_assert_str_eq(auth.value[0], "Bearer FAKESECRET");
}

Test(alpaca_session, defaults_of_the_section)
{
	const struct lc_section *sections[] = {&lc_alpaca_section};
	static const char *const environ[] = {
		"LIVECORE_ALPACA_KEY=FAKE1", "LIVECORE_ALPACA_SECRET=FAKE2", NULL};
	struct lc_config_sources sources = {.environ = environ};
	struct lc_config *config = NULL;
	struct lc_buf errors, text;
	lc_buf_init(&errors, 65536);
	lc_buf_init(&text, 65536);
	cr_assert_eq(lc_config_load(sections, 1, &sources, &config, &errors), LC_OK, "%s",
		lc_buf_text(&errors));
	const struct lc_alpaca_settings *settings = lc_config_section(config, "alpaca");
	struct lc_error err;
	cr_assert_eq(lc_alpaca_settings_check(settings, &err), LC_OK, "%s", err.text);
	cr_assert_str_eq(settings->url, "wss://stream.data.alpaca.markets/v2/iex");
	cr_assert_eq(settings->max_symbols, 100);
	cr_assert_eq(settings->max_message_bytes, 16384);
	cr_assert_eq(settings->ping_ms, 30000);
	cr_assert_eq(settings->pong_ms, 60000);
	cr_assert(settings->trades && settings->quotes && settings->statuses &&
		  settings->compression);
	lc_feeder_alpaca.explain(settings, 5000, &text);
	cr_assert(strstr(lc_buf_text(&text), "50 subscribe messages"), "%s", lc_buf_text(&text));
	lc_buf_finish(&text);
	lc_buf_finish(&errors);
	lc_config_destroy(config);
}

#include "feeder_fixture.h"

#include "livecore/http_server.h"

/* A server that speaks the older system's protocol. */
struct ws_server {
	struct feeder_test t;
	struct lc_http_server *server;
	struct lc_ws_peer *peer;
	int refuse; /* answer the upgrade with this status */
	char authorization[128];
	char said[4][4096]; /* what the client sent */
	size_t n_said;
	bool heard, gone;
};

static void on_peer_message(
	void *arg, struct lc_ws_peer *peer, const void *data, size_t len, bool binary)
{
	struct ws_server *s = arg;
	(void)peer;
	cr_assert(!binary);
	cr_assert(s->n_said < 4 && len < sizeof(s->said[0]));
	memcpy(s->said[s->n_said++], data, len);
	s->heard = true;
}

static void on_peer_close(void *arg)
{
	struct ws_server *s = arg;
	s->peer = NULL;
	s->gone = true;
}

static const struct lc_ws_peer_handler peer_handler = {
	.on_message = on_peer_message,
	.on_close = on_peer_close,
};

static void on_request(void *arg, struct lc_exchange *exchange)
{
	struct ws_server *s = arg;
	const char *authorization = lc_exchange_header(exchange, "authorization");
	snprintf(s->authorization, sizeof(s->authorization), "%s",
		authorization ? authorization : "");
	if (s->refuse) {
		const char *headers[] = {
			s->refuse == 302 ? "Location: https://example.invalid/" : NULL, NULL};
		lc_exchange_respond(
			exchange, &(struct lc_response){.status = s->refuse, .headers = headers});
		return;
	}
	cr_assert_eq(lc_exchange_accept(exchange, &peer_handler, s, &s->peer), LC_OK);
}

static void no_script(struct tcp_conn *conn)
{
	(void)conn;
}

/* The fixture's own server is not used. */
static void open_ws(struct ws_server *s, const char *key, const char *volume)
{
	struct lc_error err = {0};
	char url[64] = "eastmoney.ws_url=ws://127.0.0.1:1/ws/qt/stock/klt.min";
	const char *sets[] = {"eastmoney.mode=ws", url, volume, key, NULL}; /* key may be NULL */
	memset(s, 0, sizeof(*s));
	feeder_test_open(&s->t, &lc_feeder_eastmoney, no_script, sets);
	const struct lc_http_server_options options = {
		.address = "127.0.0.1:0", .on_request = on_request, .arg = s};
	cr_assert_eq(lc_http_server_create(s->t.f.loop, &options, &s->server, &err), LC_OK, "%s",
		err.text);
	/* now that the port is known: the settings again, as on a reload */
	snprintf(url, sizeof(url), "eastmoney.ws_url=ws://127.0.0.1:%d/ws/qt/stock/klt.min",
		lc_http_server_port(s->server));
	feeder_test_reload(&s->t, sets);
}

static void close_ws(struct ws_server *s)
{
	bool done = false;
	lc_http_server_destroy(s->server, set_flag, &done);
	run_until(&s->t.f, &done);
	feeder_test_close(&s->t);
}

static void wait_said(struct ws_server *s, size_t n)
{
	while (s->n_said < n) {
		s->heard = false;
		run_until(&s->t.f, &s->heard);
	}
}

static void say(struct ws_server *s, const char *text)
{
	cr_assert_eq(lc_ws_peer_send(s->peer, text, strlen(text), false), LC_OK);
}

Test(eastmoney_ws, subscribes_by_difference_and_makes_snapshots)
{
	struct ws_server s;
	open_ws(&s, "LIVECORE_EASTMONEY_API_KEY=not-a-real-key", "eastmoney.ws_volume=lots");
	feeder_test_up(&s.t);
	cr_assert_eq(s.t.impl->max_change(s.t.feeder), 100, "a message a change: it is paced");
	cr_assert_str_eq(s.authorization, "Bearer not-a-real-key");
	follow(&s.t, "000001.SZ,600000.SH,920047.BJ,00700.HK", "");
	wait_said(&s, 1);
	cr_assert_str_eq(s.said[0],
		"{\"cmd\":\"sub\",\"param\":{\"codes\":[\"0.000001\",\"1.600000\",\"0.920047\","
		"\"00700.HK\"]}}");
	say(&s, "{\"code\":\"000001\",\"market\":0,\"price\":10.58,\"volume\":812345,"
		"\"amount\":858211000.0,\"timestamp\":1793001600}");
	wait_ticks(&s.t, 1);
	const struct lc_tick *tick = &s.t.ticks[0];
	cr_assert_eq(tick->symbol, symbol_of(&s.t, "000001.SZ"));
	cr_assert_eq(tick->kind, LC_TICK_SNAPSHOT);
	cr_assert_eq(lc_decimal_compare(tick->volume, lc_decimal_from_int(81234500)), 0);
	cr_assert_eq(tick->event_ns, INT64_C(1793001600) * LC_NS_PER_S);
	say(&s, "{\"code\":\"999999\",\"market\":1,\"price\":1}"); /* not asked for */
	say(&s, "{\"cmd\":\"what\"}");
	s.t.bad = false;
	run_until(&s.t.f, &s.t.bad);
	cr_assert(s.t.n_bad == 1 && s.t.n_ticks == 1);
	follow(&s.t, "600001.SH", "000001.SZ");
	wait_said(&s, 3);
	cr_assert_str_eq(s.said[1], "{\"cmd\":\"unsub\",\"param\":{\"codes\":[\"0.000001\"]}}");
	cr_assert_str_eq(s.said[2], "{\"cmd\":\"sub\",\"param\":{\"codes\":[\"1.600001\"]}}");
	feeder_test_stop(&s.t);
	close_ws(&s);
}

Test(eastmoney_ws, volume_in_shares_by_setting)
{
	struct ws_server s;
	open_ws(&s, NULL, "eastmoney.ws_volume=shares");
	feeder_test_up(&s.t);
	cr_assert_str_eq(s.authorization, "");
	follow(&s.t, "600000.SH", "");
	wait_said(&s, 1);
	say(&s, "{\"code\":\"600000.SH\",\"price\":9.87,\"volume\":12000,\"amount\":118440.0}");
	wait_ticks(&s.t, 1);
	cr_assert_eq(lc_decimal_compare(s.t.ticks[0].volume, lc_decimal_from_int(12000)), 0);
	feeder_test_stop(&s.t);
	close_ws(&s);
}

Test(eastmoney_ws, how_it_ends)
{
	static const struct {
		int status;
		enum lc_down_kind kind;
		const char *text;
	} cases[] = {{401, LC_DOWN_STOP, "eastmoney.api_key"}, {302, LC_DOWN_STOP, "mode to sse"},
		{404, LC_DOWN_STOP, "mode to sse"}, {503, LC_DOWN_WAIT, ""},
		{500, LC_DOWN_RETRY, ""}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ws_server s;
		open_ws(&s, NULL, "eastmoney.ws_volume=lots");
		s.refuse = cases[i].status;
		feeder_test_start(&s.t);
		run_until(&s.t.f, &s.t.down);
		cr_assert_eq(
			s.t.why.kind, cases[i].kind, "%d: %s", cases[i].status, s.t.why.error.text);
		cr_assert(strstr(s.t.why.error.text, cases[i].text), "%s", s.t.why.error.text);
		close_ws(&s);
	}
}

Test(eastmoney_ws, a_closed_connection_is_tried_again)
{
	struct ws_server s;
	open_ws(&s, NULL, "eastmoney.ws_volume=lots");
	feeder_test_up(&s.t);
	lc_ws_peer_close(s.peer, 1001, "bye");
	run_until(&s.t.f, &s.t.down);
	cr_assert_eq(s.t.why.kind, LC_DOWN_RETRY);
	cr_assert(strstr(s.t.why.error.text, "1001 bye"), "%s", s.t.why.error.text);
	feeder_test_up(&s.t);
	follow(&s.t, "600000.SH", "");
	wait_said(&s, 1);
	feeder_test_stop(&s.t);
	/* stopped while it connects */
	feeder_test_start(&s.t);
	feeder_test_stop(&s.t);
	close_ws(&s);
}

/* The Alpaca feeder against a small vendor on loopback. */
#include "alpaca_vendor.h"

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
	/* An unknown type, and a trade without its fields: the rest counts. */
	cr_assert_eq(h.n_bad, 2u);
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
	uint64_t *bars = lc_metrics_counter(
		h.f.metrics, "livecore_feeder_messages_total", "feeder=\"alpaca\",type=\"b\"", "");
	cr_assert_eq(*bars, 1u); /* read, counted, and published nowhere */
	vendor_send(frame);      /* what was left still comes, and is passed over */
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
	vendor_send("[{\"T\":\"zz\"}]");
	run_until(&h.f, &h.got_bad);
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

/* Many values would hold the loop for a long time: what is too much is not read to its end. */
Test(alpaca_session, a_frame_of_too_many_values_is_passed_over)
{
	size_t count = LC_FEEDER_VALUES_MAX + 1, len = 0;
	char *many = malloc(2 * count + 2);
	start_up();
	follow(&h.ko, 1, NULL, 0);
	many[len++] = '[';
	for (size_t i = 0; i < count; i++) {
		many[len++] = '1';
		many[len++] = i + 1 < count ? ',' : ']';
	}
	h.got_bad = false;
	size_t before = h.n_bad;
	cr_assert_eq(lc_ws_peer_send(h.v.peer, many, len, false), LC_OK);
	run_until(&h.f, &h.got_bad);
	cr_assert_str_eq(h.bad_reason, "malformed_frame");
	cr_assert_eq(h.n_bad, before + 1, "as a whole, not once for each");
	cr_assert_not(h.down);
	free(many);
	stop();
}

Test(alpaca_session, an_echo_does_not_give_the_secret_away)
{
	start_up();
	vendor_send("[{\"T\":\"?\",\"key\":\"FAKEKEY\",\"secret\":\"FAKESECRET\"}]");
	run_until(&h.f, &h.got_bad);
	cr_assert(strstr(h.bad_sample, "\"key\":\"*******\""), "%s", h.bad_sample);
	cr_assert_not(strstr(h.bad_sample, "FAKESECRET"), "%s", h.bad_sample);
	/* Where the text is cut, half a secret would be left. */
	vendor_error(407, "0123456789 123456789 123456789 123456789 123456789 123456789 123456789 "
			  "FAKESECRET");
	run_until(&h.f, &h.down);
	cr_assert(strstr(h.why.error.text, "0123"), "%s", h.why.error.text);
	cr_assert_not(strstr(h.why.error.text, "FAKE"), "%s", h.why.error.text);
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
	const uint32_t add[] = {h.ibm, h.aapl};
	h.v.bad_symbol = "IBM";
	h.stop_in_rejected = true;
	start_up();
	h.feeder->impl->change(h.feeder, add, 2, NULL, 0);
	run_until(&h.f, &h.down);
	cr_assert_eq(h.why.kind, LC_DOWN_ASKED);
	cr_assert_eq(h.n_rejected, 1u);
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

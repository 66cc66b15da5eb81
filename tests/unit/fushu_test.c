#include "feeder_fixture.h"

#include "fushu_wire.h"

/* --- wire --- */

struct wire_seen {
	size_t rows;
	char symbol[4][LC_SYMBOL_MAX];
	struct lc_tick tick[4];
};

static void on_row(void *arg, const char *symbol, size_t len, const struct lc_tick *tick)
{
	struct wire_seen *seen = arg;
	cr_assert_lt(seen->rows, 4u);
	snprintf(seen->symbol[seen->rows], LC_SYMBOL_MAX, "%.*s", (int)len, symbol);
	seen->tick[seen->rows++] = *tick;
}

static enum lc_err read_wire(const char *text, struct wire_seen *seen, size_t *bad)
{
	struct lc_json_parser *json;
	struct lc_zone *zone;
	struct lc_error err = {0};
	*seen = (struct wire_seen){0};
	*bad = 0;
	cr_assert_eq(lc_json_parser_create(NULL, &json), LC_OK);
	cr_assert_eq(lc_zone_load("Asia/Hong_Kong", &zone, &err), LC_OK, "%s", err.text);
	enum lc_err code = lc_fushu_parse(json, text, strlen(text), zone, on_row, seen, bad, &err);
	lc_zone_destroy(zone);
	lc_json_parser_destroy(json);
	return code;
}

static void is_number(struct lc_decimal got, const char *want)
{
	char text[LC_DECIMAL_TEXT_MAX] = {0};
	text[lc_decimal_format(got, text)] = '\0';
	cr_assert_str_eq(text, want);
}

Test(fushu, both_shapes)
{
	struct wire_seen seen;
	size_t bad;
	cr_assert_eq(read_wire("{\"data\":[{\"code\":\"00700\",\"price\":482.40,\"volume\":1200,"
			       "\"amount\":578880.0},"
			       "{\"symbol\":\"09988.HK\",\"price\":120,\"volume\":7,"
			       "\"timestamp\":\"2026-03-04T10:15:03.120000\",\"bid_price\":119.9,"
			       "\"ask_price\":120.1,\"bid_volume\":500,\"ask_volume\":300}]}",
			     &seen, &bad),
		LC_OK);
	cr_assert(seen.rows == 2 && bad == 0);
	cr_assert_str_eq(seen.symbol[0], "00700.HK");
	cr_assert_eq(seen.tick[0].has, LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_AMOUNT);
	cr_assert_eq(seen.tick[0].kind, LC_TICK_SNAPSHOT);
	is_number(seen.tick[0].price, "482.4");
	is_number(seen.tick[0].amount, "578880");
	cr_assert_str_eq(seen.symbol[1], "09988.HK");
	cr_assert_eq(seen.tick[1].has, LC_HAS_PRICE | LC_HAS_VOLUME | LC_HAS_BID | LC_HAS_ASK |
					       LC_HAS_BID_VOLUME | LC_HAS_ASK_VOLUME |
					       LC_HAS_EVENT_TIME);
	/* 10:15:03.12 in Hong Kong */
	cr_assert_eq(seen.tick[1].event_ns, INT64_C(1772590503120000000));
}

Test(fushu, times_with_a_zone_and_empty_sides)
{
	struct wire_seen seen;
	size_t bad;
	cr_assert_eq(
		read_wire("{\"data\":[{\"symbol\":\"00005.HK\",\"price\":1,\"timestamp\":"
			  "\"2026-03-04T02:15:03Z\",\"bid_price\":0,\"bid_volume\":9,"
			  "\"ask_price\":null,\"ask_volume\":9},"
			  "{\"symbol\":\"00005.HK\",\"price\":1,\"timestamp\":\"yesterday\"}]}",
			&seen, &bad),
		LC_OK);
	cr_assert_eq(seen.tick[0].event_ns, INT64_C(1772590503000000000));
	cr_assert_eq(seen.tick[0].has, LC_HAS_PRICE | LC_HAS_EVENT_TIME);
	cr_assert_eq(seen.tick[1].has, LC_HAS_PRICE);
}

Test(fushu, rows_and_answers_that_are_refused)
{
	static const struct {
		const char *text;
		enum lc_err code;
		size_t bad;
	} cases[] = {
		{"", LC_ERR_INVALID, 0},
		{"<html>", LC_ERR_INVALID, 0},
		{"[]", LC_ERR_PROTOCOL, 0},
		{"{\"data\":null}", LC_ERR_PROTOCOL, 0},
		{"{\"data\":{}}", LC_ERR_PROTOCOL, 0},
		{"{\"data\":[]}", LC_OK, 0},
		{"{\"data\":[1,null,\"x\",{}]}", LC_OK, 4},
		{"{\"data\":[{\"code\":\"00700\"}]}", LC_OK, 1},
		{"{\"data\":[{\"price\":1}]}", LC_OK, 1},
		{"{\"data\":[{\"code\":\"00700\",\"price\":0}]}", LC_OK, 1},
		{"{\"data\":[{\"code\":\"00700\",\"price\":\"1\"}]}", LC_OK, 1},
		{"{\"data\":[{\"code\":\"\",\"price\":1}]}", LC_OK, 1},
		{"{\"data\":[{\"code\":\"0123456789012345678\",\"price\":1}]}", LC_OK, 1},
		{"{\"data\":[{\"code\":\"012345678901234\",\"price\":1}]}", LC_OK, 1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_seen seen;
		size_t bad;
		cr_assert_eq(
			read_wire(cases[i].text, &seen, &bad), cases[i].code, "%s", cases[i].text);
		cr_assert(seen.rows == 0 && bad == cases[i].bad, "%s", cases[i].text);
	}
}

/* --- session --- */

enum { PLAIN, CUT, STATUS_401, STATUS_429, STATUS_500, GARBAGE, PAGE };

static void script(struct tcp_conn *conn)
{
	struct feeder_test *t = conn->server->arg;
	while (next_request(conn)) {
		bool probe = !strstr(t->last_request, "?symbols=");
		switch (t->mode) {
		case CUT:
			conn_reset(conn);
			return;
		case STATUS_401:
			answer_with(conn, "401 Unauthorized", "text/plain", "no");
			continue;
		case STATUS_429:
			conn_puts(conn, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"
					"Content-Length: 0\r\n\r\n");
			continue;
		case STATUS_500:
			answer_with(conn, "500 Oops", "text/plain", "oops");
			continue;
		case PAGE:
			answer_with(conn, "200 OK", "text/html", "<html>log in</html>");
			continue;
		case GARBAGE:
			answer_json(conn, probe ? "{}" : "{\"data\":[{\"code\":1}]}");
			continue;
		default:
			answer_json(conn, probe ? "{}"
						: "{\"data\":[{\"code\":\"00700\",\"price\":482.4,"
						  "\"volume\":5},"
						  "{\"symbol\":\"99999.HK\",\"price\":1}]}");
		}
	}
}

static const char *const settings[] = {"fushu.url=http://127.0.0.1:%d/v1",
	"fushu.poll_interval=10ms", "fushu.max_symbols=2", NULL};

Test(fushu, polls_what_is_followed)
{
	struct feeder_test t;
	feeder_test_open(&t, &lc_feeder_fushu, script, settings);
	feeder_test_up(&t);
	cr_assert(strstr(t.last_request, "GET /v1/tick HTTP/1.1\r\n"), "%s", t.last_request);
	cr_assert(!strstr(t.last_request, "Authorization"));
	follow(&t, "00700.HK,09988.HK,00005.HK", "");
	wait_ticks(&t, 1);
	cr_assert(strstr(t.last_request, "/tick?symbols=00700.HK,09988.HK "));
	const struct lc_tick *tick = &t.ticks[0];
	cr_assert_eq(tick->symbol, symbol_of(&t, "00700.HK"));
	cr_assert(tick->source == 3 && tick->received_ns > 0 && tick->received_mono_ns > 0);
	cr_assert_eq(tick->event_ns, tick->received_ns);
	cr_assert_str_eq(t.last_bad, "unknown_symbol");
	/* round robin: the third, then the first again */
	wait_requests(&t, 3);
	cr_assert(strstr(t.last_request, "?symbols=00005.HK,00700.HK "));
	/* what is left is not asked for any more */
	follow(&t, "", "00700.HK,00005.HK");
	wait_requests(&t, t.requests + 2);
	cr_assert(strstr(t.last_request, "?symbols=09988.HK "), "%s", t.last_request);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(fushu, the_key_is_sent_as_bearer)
{
	struct feeder_test t;
	static const char *const sets[] = {"fushu.url=http://127.0.0.1:%d/v1/tick",
		"LIVECORE_FUSHU_API_KEY=not-a-real-key", NULL};
	feeder_test_open(&t, &lc_feeder_fushu, script, sets);
	feeder_test_up(&t);
	cr_assert(strstr(t.last_request, "GET /v1/tick HTTP/1.1\r\n"), "/tick is not added twice");
	cr_assert(strstr(t.last_request, "Authorization: Bearer not-a-real-key\r\n"));
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(fushu, refusals)
{
	static const struct {
		int mode;
		enum lc_down_kind kind;
		int64_t wait_ms;
	} cases[] = {{STATUS_401, LC_DOWN_STOP, 0}, {STATUS_429, LC_DOWN_WAIT, 7000},
		{STATUS_500, LC_DOWN_RETRY, 0}, {PAGE, LC_DOWN_RETRY, 0}, {CUT, LC_DOWN_RETRY, 0}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct feeder_test t;
		feeder_test_open(&t, &lc_feeder_fushu, script, settings);
		t.mode = cases[i].mode;
		feeder_test_start(&t);
		run_until(&t.f, &t.down);
		cr_assert_eq(t.why.kind, cases[i].kind, "%zu: %s", i, t.why.error.text);
		cr_assert_eq(t.why.wait_ms, cases[i].wait_ms);
		cr_assert(!t.up && t.why.error.text[0]);
		feeder_test_close(&t);
	}
}

Test(fushu, a_failed_poll_costs_a_poll)
{
	struct feeder_test t;
	feeder_test_open(&t, &lc_feeder_fushu, script, settings);
	feeder_test_up(&t);
	follow(&t, "00700.HK", "");
	wait_ticks(&t, 1);
	t.mode = STATUS_500;
	wait_requests(&t, t.requests + 5);
	cr_assert(!t.down);
	t.mode = GARBAGE;
	t.n_bad = 0;
	wait_requests(&t, t.requests + 3);
	cr_assert(!t.down && t.n_bad > 0);
	/* nothing answers any more: three in a row end the session */
	t.mode = CUT;
	run_until(&t.f, &t.down);
	cr_assert_eq(t.why.kind, LC_DOWN_RETRY);
	feeder_test_close(&t);
}

Test(fushu, pause_stops_asking)
{
	struct feeder_test t;
	feeder_test_open(&t, &lc_feeder_fushu, script, settings);
	feeder_test_up(&t);
	follow(&t, "00700.HK", "");
	wait_ticks(&t, 1);
	t.impl->pause(t.feeder, true);
	t.impl->pause(t.feeder, true);
	unsigned before = t.requests;
	bool passed = false;
	struct lc_timer *timer;
	cr_assert_eq(lc_timer_create(t.f.loop, set_flag, &passed, &timer), LC_OK);
	lc_timer_start(timer, 100, 0); /* ten polls */
	run_until(&t.f, &passed);
	cr_assert_leq(t.requests, before + 1, "one may be under way");
	t.impl->pause(t.feeder, false);
	wait_requests(&t, before + 3);
	lc_timer_destroy(timer);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(fushu, not_configured)
{
	static const char *const sets[] = {NULL};
	struct feeder_test t;
	struct lc_error err = {0};
	feeder_test_open(&t, &lc_feeder_fushu, script, sets);
	cr_assert_eq(t.impl->usable(t.feeder, &err), LC_ERR_NOT_FOUND);
	cr_assert(strstr(err.text, "fushu.url"));
	feeder_test_close(&t);
}

Test(fushu, explains_the_age_of_quotes)
{
	struct feeder_test t;
	struct lc_buf out;
	static const char *const sets[] = {"fushu.url=http://127.0.0.1:%d/v1", NULL};
	feeder_test_open(&t, &lc_feeder_fushu, script, sets);
	lc_buf_init(&out, 1024);
	t.impl->explain(lc_config_section(t.config, "fushu"), 250, &out);
	cr_assert(strstr(lc_buf_text(&out), "can be 15 s old"), "%s", lc_buf_text(&out));
	lc_buf_finish(&out);
	feeder_test_close(&t);
}

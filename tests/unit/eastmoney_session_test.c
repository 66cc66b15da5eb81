#include "feeder_fixture.h"

#include "eastmoney_samples.h"

enum {
	ROWS, /* answer body */
	CUT,
	HTML,
	STATUS_403,
	STATUS_302,
	STATUS_429,
	STATUS_500,
	GARBAGE,
	SILENT,
	RECORDED_HEADERS,
};

static const char *body;      /* what a poll is answered with */
static char streams[4][2048]; /* the requests of the streams, in the order they came */
static struct tcp_conn *stream_conns[4];
static unsigned n_streams, n_polls;
static bool end_streams; /* a stream is closed as soon as it is opened */

#define NOTHING "{\"rc\":102,\"rt\":1,\"data\":null}"
#define LIST(rows) "{\"rc\":0,\"rt\":11,\"full\":1,\"data\":{\"total\":1,\"diff\":[" rows "]}}"
#define PINGAN(last)                                                                            \
	"{\"f1\":2,\"f2\":" #last ",\"f5\":8123,\"f6\":8594134.0,\"f12\":\"000001\",\"f13\":0," \
	"\"f18\":1060,\"f31\":1058,\"f32\":1059,\"f124\":1793001600,\"f107\":2}"
#define INDEX(last) "{\"f1\":2,\"f2\":" #last ",\"f5\":9,\"f6\":9,\"f12\":\"000001\",\"f13\":1}"

static void begin(const char *answer)
{
	body = answer;
	n_streams = n_polls = 0;
	end_streams = false;
	memset(streams, 0, sizeof(streams));
}

/* The recorded headers of a real answer, which say how long its body was. */
static void answer_recorded(struct tcp_conn *conn)
{
	size_t len;
	char *head = sample_wrapped("", "clist-http-headers.txt", "", &len);
	const char *at = strstr(head, "Content-Length: ");
	size_t want = strtoul(at + 16, NULL, 10), have = strlen(body);
	for (char *line = head; *line; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL)) {
		size_t n = strcspn(line, "\r\n");
		if (n > 0) {
			conn_write(conn, line, n);
			conn_puts(conn, "\r\n");
		}
	}
	conn_puts(conn, "\r\n");
	char *padded = malloc(want);
	memset(padded, ' ', want);
	memcpy(padded, body, have);
	conn_write(conn, padded, want);
	conn_finish(conn); /* Connection: close */
	free(padded);
	free(head);
}

static void answer_stream(struct feeder_test *t, struct tcp_conn *conn)
{
	cr_assert_lt(n_streams, 4u, "%s", t->last_request);
	snprintf(streams[n_streams], sizeof(streams[0]), "%.*s",
		(int)strcspn(t->last_request, "\r"), t->last_request);
	stream_conns[n_streams++] = conn;
	conn_puts(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=UTF-8\r\n"
			"Cache-Control: no-cache\r\n\r\n");
	if (end_streams) {
		conn_finish(conn);
	}
}

/* False when the connection is gone. */
static bool answer_one(struct feeder_test *t, struct tcp_conn *conn)
{
	switch (t->mode) {
	case CUT:
		conn_reset(conn);
		return false;
	case HTML:
		answer_with(conn, "200 OK", "text/html", "<html>please verify</html>");
		break;
	case STATUS_403:
		answer_with(conn, "403 Forbidden", "text/plain", "");
		break;
	case STATUS_302:
		conn_puts(conn, "HTTP/1.1 302 Found\r\nLocation: https://example.invalid/\r\n"
				"Content-Length: 0\r\n\r\n");
		break;
	case STATUS_429:
		conn_puts(conn, "HTTP/1.1 429 Too Many\r\nRetry-After: 9\r\n"
				"Content-Length: 0\r\n\r\n");
		break;
	case STATUS_500:
		answer_with(conn, "500 Oops", "text/plain", "oops");
		break;
	case GARBAGE:
		answer_json(conn, "{\"rc\":0,\"data\":");
		break;
	case SILENT:
		break;
	case RECORDED_HEADERS:
		answer_recorded(conn);
		return false;
	default:
		answer_json(conn, body);
	}
	return true;
}

static void script(struct tcp_conn *conn)
{
	struct feeder_test *t = conn->server->arg;
	while (next_request(conn)) {
		if (strstr(t->last_request, "/api/qt/ulist/sse?")) {
			answer_stream(t, conn);
			continue;
		}
		cr_assert(strstr(t->last_request, "GET /api/qt/ulist.np/get?"), "%s",
			t->last_request);
		n_polls += strstr(t->last_request, "fields=f12,f13&") == NULL;
		if (!answer_one(t, conn)) {
			return;
		}
	}
}

static const char *const poll_settings[] = {"eastmoney.mode=poll",
	"eastmoney.url=http://127.0.0.1:%d/", "eastmoney.poll_interval=10ms",
	"eastmoney.max_secids=3", "eastmoney.timeout=2s", NULL};
static const char *const sse_settings[] = {"eastmoney.url=http://127.0.0.1:%d",
	"eastmoney.poll_interval=10ms", "eastmoney.max_secids=2", "eastmoney.max_connections=1",
	"eastmoney.timeout=2s", NULL};

/* A session that is up, with this answer to each poll. */
static void open_up(struct feeder_test *t, const char *const *settings, const char *answer)
{
	begin(answer);
	feeder_test_open(t, &lc_feeder_eastmoney, script, settings);
	feeder_test_up(t);
}

static void secids_are(const char *request, const char *want)
{
	const char *at = strstr(request, "&secids=");
	cr_assert(at, "%s", request);
	at += strlen("&secids=");
	cr_assert(strncmp(at, want, strlen(want)) == 0 && at[strlen(want)] == ' ', "%.*s, not %s",
		(int)strcspn(at, " "), at, want);
}

static double gauge(struct feeder_test *t, const char *name)
{
	return *lc_metrics_gauge(t->f.metrics, name, "feeder=\"eastmoney\"", "");
}

static uint64_t counter(struct feeder_test *t, const char *name)
{
	return *lc_metrics_counter(t->f.metrics, name, "", "");
}

static void number_is(struct lc_decimal got, int64_t mantissa, int32_t exponent)
{
	cr_assert_eq(lc_decimal_compare(got, (struct lc_decimal){mantissa, exponent}), 0,
		"%lld e%d", (long long)got.mantissa, got.exponent);
}

static void pass_ms(struct feeder_test *t, int64_t ms)
{
	bool passed = false;
	struct lc_timer *timer;
	cr_assert_eq(lc_timer_create(t->f.loop, set_flag, &passed, &timer), LC_OK);
	lc_timer_start(timer, ms, 0);
	run_until(&t->f, &passed);
	lc_timer_destroy(timer);
}

/* --- polls --- */

Test(eastmoney_session, a_poll_makes_snapshots)
{
	struct feeder_test t;
	/* rows in another order than asked, one not asked for, one unknown left out */
	open_up(&t, poll_settings,
		LIST(INDEX(384219) "," PINGAN(1058) ",{\"f2\":1,\"f12\":\"600519\",\"f13\":1}"));
	secids_are(t.last_request, "1.000001");
	follow(&t, "000001.SZ,000001.SH", "");
	wait_ticks(&t, 2);
	cr_assert(strstr(t.last_request, "fltt=1&invt=2"));
	cr_assert(strstr(t.last_request, "&fields=" LC_EASTMONEY_FIELDS "&"));
	cr_assert(strstr(t.last_request, "\r\nUser-Agent: Mozilla/5.0"));
	cr_assert(strstr(t.last_request, "\r\nReferer: https://quote.eastmoney.com/\r\n"));
	cr_assert(
		strstr(t.last_request, "\r\nAccept-Encoding: ") && strstr(t.last_request, "gzip"));
	secids_are(t.last_request, "0.000001,1.000001");
	const struct lc_tick *index = &t.ticks[0], *stock = &t.ticks[1];
	cr_assert_eq(index->symbol, symbol_of(&t, "000001.SH"));
	cr_assert(!index->full_snapshot, "an index has no shares to check units with");
	cr_assert_eq(stock->symbol, symbol_of(&t, "000001.SZ"));
	cr_assert(stock->kind == LC_TICK_SNAPSHOT && stock->full_snapshot && stock->source == 3);
	number_is(stock->price, 1058, -2);
	number_is(stock->volume, 812300, 0);
	number_is(stock->bid, 1058, -2);
	cr_assert_eq(stock->event_ns, INT64_C(1793001600) * LC_NS_PER_S);
	cr_assert(stock->received_ns > 0 && stock->received_mono_ns > 0);
	/* the same again is not told again */
	wait_requests(&t, t.requests + 3);
	cr_assert_eq(t.n_ticks, 2);
	cr_assert_geq(counter(&t, "livecore_eastmoney_unchanged_rows_total"), 2);
	/* a row of a list is whole, whatever the envelope says */
	body = "{\"rc\":0,\"full\":0,\"data\":{\"diff\":[{\"f1\":2,\"f2\":1059,\"f12\":\"000001\","
	       "\"f13\":0}]}}";
	wait_ticks(&t, 3);
	number_is(t.ticks[2].price, 1059, -2);
	cr_assert_eq(t.ticks[2].has, LC_HAS_PRICE);
	feeder_test_stop(&t);
	cr_assert_eq(t.server.accepted, 1, "one connection carries all requests");
	feeder_test_close(&t);
}

Test(eastmoney_session, requests_go_round_and_new_symbols_first)
{
	struct feeder_test t;
	open_up(&t, poll_settings, NOTHING);
	follow(&t, "600000.SH,600001.SH,600002.SH,600003.SH,920047.BJ", "");
	wait_requests(&t, 2);
	secids_are(t.last_request, "1.600000,1.600001,1.600002");
	wait_requests(&t, 3);
	secids_are(t.last_request, "1.600003,0.920047,1.600000");
	follow(&t, "00700.HK", "600001.SH");
	wait_requests(&t, 4);
	secids_are(t.last_request, "116.00700,1.600002,1.600003");
	wait_requests(&t, 5);
	secids_are(t.last_request, "0.920047,1.600000,116.00700");
	cr_assert_gt(gauge(&t, "livecore_refresh_age_max_seconds"), 0);
	feeder_test_stop(&t);
	/* a session begins with nothing subscribed */
	feeder_test_up(&t);
	follow(&t, "600009.SH", "");
	unsigned before = t.requests;
	wait_requests(&t, before + 1);
	secids_are(t.last_request, "1.600009");
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

/* How long a change is on its way at one request a second. */
static int64_t change_ns(const char *mode)
{
	const char *sets[] = {mode, "eastmoney.url=http://127.0.0.1:%d", NULL};
	struct feeder_test t;
	open_up(&t, sets, NOTHING);
	int64_t start_ns = lc_clock_mono_ns();
	follow(&t, "600000.SH", "");
	wait_requests(&t, 2);
	int64_t took_ns = lc_clock_mono_ns() - start_ns;
	/* what was taken early is paid back: no third request within the second */
	follow(&t, "600001.SH", "");
	wait_requests(&t, 3);
	int64_t third_ns = lc_clock_mono_ns() - start_ns;
	cr_assert_gt(third_ns, 1000 * LC_NS_PER_MS);
	feeder_test_stop(&t);
	feeder_test_close(&t);
	return took_ns;
}

/* Well within that second. A busy machine may need another try. */
Test(eastmoney_session, a_change_does_not_wait_for_a_whole_interval)
{
	static const char *const modes[] = {"eastmoney.mode=poll", "eastmoney.mode=sse"};
	for (size_t i = 0; i < 2; i++) {
		int64_t took_ns = INT64_MAX;
		for (int tries = 0; tries < 4 && took_ns >= 600 * LC_NS_PER_MS; tries++) {
			took_ns = change_ns(modes[i]);
		}
		cr_assert(took_ns < 600 * LC_NS_PER_MS, "%lld", (long long)took_ns);
	}
}

Test(eastmoney_session, a_url_stays_within_its_limit)
{
	static const char *const sets[] = {"eastmoney.mode=poll",
		"eastmoney.url=http://127.0.0.1:%d", "eastmoney.poll_interval=10ms",
		"eastmoney.max_secids=500", "eastmoney.max_url=512", NULL};
	struct feeder_test t;
	char list[2048];
	size_t len = 0;
	open_up(&t, sets, NOTHING);
	for (unsigned i = 0; i < 100; i++) {
		len += (size_t)snprintf(
			list + len, sizeof(list) - len, "%s6%05u.SH", i ? "," : "", i);
	}
	follow(&t, list, "");
	for (unsigned i = 2; i < 8; i++) {
		wait_requests(&t, i);
		const char *end = strstr(t.last_request, " HTTP/1.1");
		size_t line = (size_t)(end - t.last_request) - strlen("GET ") +
			      strlen("http://127.0.0.1:12345");
		cr_assert(line <= 512 && line > 440, "%zu", line);
	}
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(eastmoney_session, the_prefix_of_a_us_symbol_is_found_once)
{
	struct feeder_test t;
	open_up(&t, poll_settings,
		LIST("{\"f1\":3,\"f2\":508130,\"f5\":7,\"f12\":\"BRK_B\",\"f13\":106}"));
	follow(&t, "BRK.B", "");
	wait_requests(&t, 2);
	secids_are(t.last_request, "105.BRK_B,106.BRK_B,107.BRK_B");
	wait_ticks(&t, 1);
	number_is(t.ticks[0].price, 50813, -2);
	number_is(t.ticks[0].volume, 7, 0);
	wait_requests(&t, 3);
	secids_are(t.last_request, "106.BRK_B");
	feeder_test_stop(&t);
	feeder_test_up(&t);
	unsigned before = t.requests;
	follow(&t, "BRK.B", "");
	wait_requests(&t, before + 1);
	secids_are(t.last_request, "106.BRK_B"); /* remembered over sessions */
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(eastmoney_session, halts_are_told_once_and_over_sessions)
{
#define STATE(state) LIST("{\"f1\":2,\"f2\":100,\"f12\":\"600000\",\"f13\":1,\"f107\":" #state "}")
	struct feeder_test t;
	open_up(&t, poll_settings, STATE(2));
	follow(&t, "600000.SH", "");
	wait_ticks(&t, 1);
	cr_assert_eq(t.ticks[0].kind, LC_TICK_SNAPSHOT);
	body = STATE(14);
	wait_ticks(&t, 3);
	cr_assert_eq(t.ticks[1].kind, LC_TICK_STATUS);
	cr_assert_eq(t.ticks[1].u.status.action, LC_STATUS_HALT);
	cr_assert_str_eq(t.ticks[1].u.status.code, "14");
	cr_assert_eq(t.ticks[2].kind, LC_TICK_SNAPSHOT);
	body = LIST("{\"f1\":2,\"f2\":101,\"f12\":\"600000\",\"f13\":1,\"f107\":\"-\"}");
	wait_ticks(&t, 4);
	cr_assert_eq(t.ticks[3].kind, LC_TICK_SNAPSHOT, "it does not say that it is over");
	feeder_test_stop(&t);
	body = STATE(2);
	feeder_test_up(&t);
	follow(&t, "600000.SH", "");
	wait_ticks(&t, 6);
	cr_assert_eq(t.ticks[4].u.status.action, LC_STATUS_RESUME);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(eastmoney_session, delayed_markets_are_marked)
{
	struct feeder_test t;
	begin("{\"rc\":0,\"dlmkts\":\"8,10,128\",\"data\":{\"diff\":[" PINGAN(
		1058) ",{\"f2\":478800,\"f12\":\"00700\",\"f13\":116}]}}");
	feeder_test_open(&t, &lc_feeder_eastmoney, script, poll_settings);
	feeder_test_up(&t);
	follow(&t, "000001.SZ,00700.HK", "");
	wait_ticks(&t, 2);
	cr_assert(!t.ticks[0].delayed && t.ticks[1].delayed);
	number_is(t.ticks[1].price, 4788, -1);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(eastmoney_session, recorded_headers_and_a_wrapper)
{
	struct feeder_test t;
	begin("jQuery112_1(" LIST(PINGAN(1058)) ");");
	feeder_test_open(&t, &lc_feeder_eastmoney, script, poll_settings);
	t.mode = RECORDED_HEADERS;
	feeder_test_up(&t);
	follow(&t, "000001.SZ", "");
	wait_ticks(&t, 1);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(eastmoney_session, pause_stops_polls)
{
	struct feeder_test t;
	open_up(&t, poll_settings, NOTHING);
	follow(&t, "600000.SH", "");
	wait_requests(&t, 3);
	t.impl->pause(t.feeder, true);
	t.impl->pause(t.feeder, true);
	unsigned before = t.requests;
	pass_ms(&t, 100); /* ten polls */
	cr_assert_leq(t.requests, before + 1, "one may be under way");
	t.impl->pause(t.feeder, false);
	wait_requests(&t, before + 3);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

/* --- bans and failures --- */

static void start_and_fail(struct feeder_test *t, enum lc_down_kind kind, int64_t wait_ms)
{
	feeder_test_start(t);
	run_until(&t->f, &t->down);
	cr_assert(!t->up);
	cr_assert_eq(t->why.kind, kind, "%s", t->why.error.text);
	cr_assert_eq(t->why.wait_ms, wait_ms, "%lld", (long long)t->why.wait_ms);
}

Test(eastmoney_session, connections_cut_off_in_a_row_are_a_ban)
{
	static const int64_t waits[] = {300000, 900000, 3600000, 3600000};
	struct feeder_test t;
	begin(NOTHING);
	feeder_test_open(&t, &lc_feeder_eastmoney, script, poll_settings);
	t.mode = CUT;
	for (size_t ban = 0; ban < 4; ban++) {
		start_and_fail(&t, LC_DOWN_RETRY, 0);
		start_and_fail(&t, LC_DOWN_RETRY, 0);
		start_and_fail(&t, LC_DOWN_WAIT, waits[ban]);
		cr_assert(strstr(t.why.error.text, "banned"), "%s", t.why.error.text);
	}
	/* one answer in between, and being cut off is chance again */
	t.mode = ROWS;
	feeder_test_up(&t);
	feeder_test_stop(&t);
	t.mode = CUT;
	start_and_fail(&t, LC_DOWN_RETRY, 0);
	feeder_test_close(&t);
}

Test(eastmoney_session, pages_statuses_and_redirects_are_a_ban)
{
	static const struct {
		int mode;
		enum lc_down_kind kind;
		int64_t wait_ms;
	} cases[] = {{HTML, LC_DOWN_WAIT, 300000}, {STATUS_403, LC_DOWN_WAIT, 300000},
		{STATUS_302, LC_DOWN_WAIT, 300000}, {STATUS_429, LC_DOWN_WAIT, 9000},
		{STATUS_500, LC_DOWN_RETRY, 0}, {GARBAGE, LC_DOWN_RETRY, 0},
		{SILENT, LC_DOWN_RETRY, 0}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct feeder_test t;
		begin(NOTHING);
		feeder_test_open(&t, &lc_feeder_eastmoney, script, poll_settings);
		t.mode = cases[i].mode;
		start_and_fail(&t, cases[i].kind, cases[i].wait_ms);
		feeder_test_close(&t);
	}
}

Test(eastmoney_session, a_failed_poll_costs_a_poll_and_three_the_session)
{
	struct feeder_test t;
	open_up(&t, poll_settings, LIST(PINGAN(1058)));
	follow(&t, "000001.SZ", "");
	wait_ticks(&t, 1);
	t.mode = STATUS_500;
	wait_requests(&t, t.requests + 1);
	t.mode = ROWS;
	body = LIST(PINGAN(1060));
	wait_ticks(&t, 2);
	t.mode = STATUS_500;
	run_until(&t.f, &t.down);
	cr_assert_eq(t.why.kind, LC_DOWN_RETRY);
	cr_assert(strstr(t.why.error.text, "500"), "%s", t.why.error.text);
	feeder_test_close(&t);
}

Test(eastmoney_session, stopping_at_every_stage)
{
	for (int stage = 0; stage < 3; stage++) {
		struct feeder_test t;
		begin(NOTHING);
		feeder_test_open(
			&t, &lc_feeder_eastmoney, script, stage ? poll_settings : sse_settings);
		t.mode = stage == 1 ? SILENT : ROWS;
		feeder_test_start(&t);
		if (stage == 1) {
			wait_requests(&t, 1);
		} else if (stage == 2) {
			run_until(&t.f, &t.up);
			follow(&t, "600000.SH", "");
			t.mode = SILENT;
			wait_requests(&t, t.requests + 1);
		}
		feeder_test_stop(&t);
		feeder_test_close(&t);
	}
}

/* --- streams --- */

static void wait_streams(struct feeder_test *t, unsigned n)
{
	while (n_streams < n) {
		wait_requests(t, t->requests + 1);
	}
}

#define EVENT(full, diff) \
	"data: {\"rc\":0,\"rt\":5,\"full\":" #full ",\"data\":{\"diff\":{" diff "}}}\n\n"

/* A session whose stream has given 000001.SZ at 10.58. */
static void open_stream(struct feeder_test *t)
{
	open_up(t, sse_settings, NOTHING);
	follow(t, "000001.SZ", "");
	wait_streams(t, 1);
	conn_puts(stream_conns[0], EVENT(1, "\"0\":" PINGAN(1058)));
	wait_ticks(t, 1);
}

Test(eastmoney_session, a_stream_and_its_deltas)
{
	struct feeder_test t;
	open_up(&t, sse_settings, NOTHING);
	follow(&t, "000001.SZ,600000.SH", "");
	wait_streams(&t, 1);
	cr_assert(strstr(streams[0], "mpi=1000"));
	secids_are(streams[0], "0.000001,1.600000");
	conn_puts(stream_conns[0], "data: {\"rc\":0,\"rt\":2,\"full\":1,\"data\":null}\n\n\n");
	conn_puts(stream_conns[0], EVENT(1, "\"0\":" PINGAN(1058)));
	wait_ticks(&t, 1);
	cr_assert(t.ticks[0].full_snapshot);
	/* an event may come in pieces */
	conn_puts(stream_conns[0],
		"data: {\"rc\":0,\"rt\":5,\"full\":0,\"data\":{\"diff\":{\"0\":{\"f2\"");
	conn_puts(stream_conns[0], ":1061,\"f31\":\"-\",\"f124\":1793001603}}}}\n\n");
	wait_ticks(&t, 2);
	const struct lc_tick *tick = &t.ticks[1];
	cr_assert_eq(tick->symbol, symbol_of(&t, "000001.SZ"));
	cr_assert(!tick->full_snapshot);
	number_is(tick->price, 1061, -2);
	number_is(tick->volume, 812300, 0);
	cr_assert(!(tick->has & LC_HAS_BID) && (tick->has & LC_HAS_ASK));
	cr_assert_eq(tick->event_ns, INT64_C(1793001603) * LC_NS_PER_S);
	/* nothing relevant, a place never named, no JSON: no tick, and the stream goes on */
	conn_puts(stream_conns[0],
		EVENT(0, "\"0\":{\"f124\":1793001604}") EVENT(0,
			"\"1\":{\"f2\":5}") "data: {\"rc\":0,\n\n" EVENT(0, "\"0\":{\"f2\":1062}"));
	wait_ticks(&t, 3);
	number_is(t.ticks[2].price, 1062, -2);
	cr_assert_eq(t.n_bad, 1);
	cr_assert_eq(n_polls, 0, "what streams is not polled");
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(eastmoney_session, a_lost_stream_is_opened_again_and_starts_anew)
{
	struct feeder_test t;
	open_stream(&t);
	conn_finish(stream_conns[0]);
	wait_streams(&t, 2);
	cr_assert(!t.down);
	cr_assert_eq(counter(&t, "livecore_eastmoney_streams_lost_total"), 1);
	/* before the first full event of a connection nothing is merged, though it names its
	 * symbol */
	conn_puts(stream_conns[1], EVENT(0, "\"0\":" PINGAN(1070)));
	conn_puts(stream_conns[1], EVENT(1, "\"0\":" PINGAN(1071)));
	wait_ticks(&t, 2);
	number_is(t.ticks[1].price, 1071, -2);
	/* what is as it was is not told again */
	conn_finish(stream_conns[1]);
	wait_streams(&t, 3);
	conn_puts(stream_conns[2], EVENT(1, "\"0\":" PINGAN(1071)) EVENT(0, "\"0\":{\"f2\":1072}"));
	wait_ticks(&t, 3);
	number_is(t.ticks[2].price, 1072, -2);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(eastmoney_session, streams_that_end_without_a_word_are_a_ban)
{
	struct feeder_test t;
	open_up(&t, sse_settings, NOTHING);
	end_streams = true;
	follow(&t, "000001.SZ", "");
	run_until(&t.f, &t.down);
	cr_assert_eq(n_streams, 3);
	cr_assert_eq(t.why.kind, LC_DOWN_WAIT, "%s", t.why.error.text);
	feeder_test_close(&t);
}

Test(eastmoney_session, what_does_not_fit_into_streams_is_polled)
{
	struct feeder_test t;
	open_up(&t, sse_settings, LIST("{\"f1\":2,\"f2\":300,\"f12\":\"600003\",\"f13\":1}"));
	follow(&t, "600001.SH,600002.SH,600003.SH", "");
	wait_ticks(&t, 1);
	cr_assert_eq(t.ticks[0].symbol, symbol_of(&t, "600003.SH"));
	secids_are(streams[0], "1.600001,1.600002");
	/* room in the stream goes to what was polled */
	follow(&t, "", "600001.SH");
	wait_streams(&t, 2);
	secids_are(streams[1], "1.600002,1.600003");
	unsigned polls = n_polls;
	pass_ms(&t, 60);
	cr_assert_leq(n_polls, polls + 1, "one may have been under way");
	/* without symbols no stream stays open */
	int closed = t.server.closed_by_peer;
	follow(&t, "", "600002.SH,600003.SH");
	for (int i = 0; i < 1000 && t.server.closed_by_peer == closed; i++) {
		pass_ms(&t, 10);
	}
	cr_assert_gt(t.server.closed_by_peer, closed);
	cr_assert_eq(n_streams, 2);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(eastmoney_session, pause_holds_streams)
{
	struct feeder_test t;
	open_stream(&t);
	t.impl->pause(t.feeder, true);
	conn_puts(stream_conns[0], EVENT(0, "\"0\":{\"f2\":1059}"));
	pass_ms(&t, 50);
	cr_assert_leq(t.n_ticks, 2u, "what had been read may still come");
	t.impl->pause(t.feeder, false);
	if (t.n_ticks < 2) {
		wait_ticks(&t, 2);
	}
	number_is(t.ticks[1].price, 1059, -2);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

/* --- settings --- */

Test(eastmoney_session, explains_the_age_of_quotes)
{
	static const struct {
		const char *mode, *want;
		size_t symbols;
	} cases[] = {
		{"eastmoney.mode=poll",
			"polled in 50 requests, one every 1 s: a quote can be 50 s old", 5000},
		{"eastmoney.mode=sse", "46 requests, one every 1 s: a quote can be 46 s old", 5000},
		{"eastmoney.mode=sse", "400 symbols in 4 streams: a quote can be 1 s old", 400},
		{"eastmoney.mode=ws", "5000 symbols over one WebSocket", 5000},
		{"eastmoney.max_url=512", "140 symbols in 4 streams", 5000},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *sets[] = {cases[i].mode, NULL};
		struct feeder_test t;
		struct lc_buf out;
		feeder_test_open(&t, &lc_feeder_eastmoney, script, sets);
		lc_buf_init(&out, 1024);
		t.impl->explain(lc_config_section(t.config, "eastmoney"), cases[i].symbols, &out);
		cr_assert(strstr(lc_buf_text(&out), cases[i].want), "%s", lc_buf_text(&out));
		lc_buf_finish(&out);
		feeder_test_close(&t);
	}
}

Test(eastmoney_session, ws_without_a_url_is_not_usable)
{
	static const char *const sets[] = {"eastmoney.mode=ws", NULL};
	struct feeder_test t;
	struct lc_error err = {0};
	feeder_test_open(&t, &lc_feeder_eastmoney, script, sets);
	cr_assert_eq(t.impl->usable(t.feeder, &err), LC_ERR_NOT_FOUND);
	cr_assert(strstr(err.text, "eastmoney.ws_url"));
	feeder_test_close(&t);
	static const char *const none[] = {NULL};
	feeder_test_open(&t, &lc_feeder_eastmoney, script, none);
	cr_assert_eq(t.impl->usable(t.feeder, &err), LC_OK);
	feeder_test_close(&t);
}

#include "feeder_fixture.h"

enum {
	ROWS, /* answer body */
	CUT,
	PAGE,
	EMPTY,
	STATUS_403,
	STATUS_302,
	STATUS_304,
	STATUS_429,
	STATUS_500,
	GARBAGE,
};

static const char *body;       /* what a poll is answered with */
static char targets[64][2048]; /* the first requests' first lines */

#define NONE "v_pv_none_match=\"1\";\n"
/* 38 fields, from the code on */
#define ZEROS(n) ZEROS_##n
#define ZEROS_23 "~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0"
#define ROW(key, code, last, time)                      \
	"v_" key "=\"1~\xc6\xbd\xb0\xb2~" code "~" last \
	"~1~1~9" ZEROS(23) "~" time "~0~0~" last "~" last "~0~0~0~0~0\";\n"
#define MOUTAI ROW("sh600519", "600519", "1258.60", "20260304101503")
#define PINGAN ROW("sz000001", "000001", "11.32", "20260304101503")

static void remember(unsigned n, const char *request)
{
	size_t len = strcspn(request, "\r");
	cr_assert_lt(len, sizeof(targets[0]));
	memcpy(targets[n % 64], request, len);
	targets[n % 64][len] = '\0';
}

static void script(struct tcp_conn *conn)
{
	static const char *const statuses[] = {[STATUS_403] = "403 Forbidden",
		[STATUS_302] = "302 Found",
		[STATUS_304] = "304 Not Modified",
		[STATUS_500] = "501 Not Implemented"};
	struct feeder_test *t = conn->server->arg;
	while (next_request(conn)) {
		remember(t->requests - 1, t->last_request);
		bool probe = strstr(t->last_request, "q=sh000001 ");
		switch (t->mode) {
		case CUT:
			conn_reset(conn);
			return;
		case PAGE:
			answer_with(
				conn, "200 OK", "text/html; charset=GBK", "\n<html>verify</html>");
			continue;
		case EMPTY:
			answer_with(conn, "200 OK", "text/html; charset=GBK", "");
			continue;
		case STATUS_429:
			conn_puts(conn, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"
					"Content-Length: 0\r\n\r\n");
			continue;
		case STATUS_403:
		case STATUS_302:
		case STATUS_304:
		case STATUS_500:
			answer_with(conn, statuses[t->mode], "text/plain", "no");
			continue;
		case GARBAGE:
			answer_with(
				conn, "200 OK", "text/html; charset=GBK", probe ? NONE : "what");
			continue;
		default:
			answer_with(conn, "200 OK", "text/html; charset=GBK", probe ? NONE : body);
		}
	}
}

static const char *const settings[] = {"tencent.url=http://127.0.0.1:%d/",
	"tencent.poll_interval=10ms", "tencent.max_symbols=2", "tencent.ban_wait=1m",
	"tencent.ban_wait_second=2m", "tencent.ban_wait_last=3m", NULL};

static void open_with(struct feeder_test *t, const char *const *sets, const char *answer)
{
	body = answer;
	memset(targets, 0, sizeof(targets));
	feeder_test_open(t, &lc_feeder_tencent, script, sets);
}

static const char *target(unsigned n)
{
	return targets[n % 64];
}

Test(tencent, polls_what_is_followed_in_turn)
{
	struct feeder_test t;
	open_with(&t, settings, NONE);
	feeder_test_up(&t);
	cr_assert_str_eq(target(0), "GET /q=sh000001 HTTP/1.1");
	cr_assert(strstr(t.last_request, "Referer: https://gu.qq.com/\r\n"));
	cr_assert(strstr(t.last_request, "User-Agent: Mozilla/5.0 "));
	follow(&t, "600519.SH,000001.SZ,00700.HK,920047.BJ,BRK.B", "");
	wait_requests(&t, 5);
	cr_assert_str_eq(target(1), "GET /q=sh600519,sz000001 HTTP/1.1");
	cr_assert_str_eq(target(2), "GET /q=r_hk00700,bj920047 HTTP/1.1");
	cr_assert_str_eq(target(3), "GET /q=usBRK.B,sh600519 HTTP/1.1");
	cr_assert_str_eq(target(4), "GET /q=sz000001,r_hk00700 HTTP/1.1");
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

/* New symbols do not wait for the round, and the round goes on where it was. */
Test(tencent, new_symbols_first)
{
	struct feeder_test t;
	open_with(&t, settings, NONE);
	feeder_test_up(&t);
	follow(&t, "000001.SZ,000002.SZ,000003.SZ,000004.SZ", "");
	wait_requests(&t, 2);
	follow(&t, "600000.SH,600001.SH", "");
	wait_requests(&t, 5);
	/* the answer of the first poll may not have come before the change */
	unsigned at = strstr(target(2), "sh600000") ? 2 : 3;
	cr_assert_str_eq(target(at), "GET /q=sh600000,sh600001 HTTP/1.1");
	cr_assert_str_eq(target(at + 1), at == 2 ? "GET /q=sz000003,sz000004 HTTP/1.1"
						 : "GET /q=sz000001,sz000002 HTTP/1.1");
	/* what is left is not asked for any more */
	follow(&t, "", "000001.SZ,000002.SZ,000003.SZ,600000.SH,600001.SH");
	wait_requests(&t, t.requests + 3);
	cr_assert(strstr(t.last_request, "/q=sz000004 "), "%s", t.last_request);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

/* No request is longer than max_url, and the first symbol always goes. */
Test(tencent, urls_have_a_limit)
{
	struct feeder_test t;
	static const char *const sets[] = {"tencent.url=http://127.0.0.1:%d",
		"tencent.poll_interval=10ms", "tencent.max_url=128", NULL};
	char list[1000] = "", *at = list;
	open_with(&t, sets, NONE);
	for (int i = 0; i < 40; i++) {
		at += sprintf(at, "%s6000%02d.SH", i ? "," : "", i);
	}
	feeder_test_up(&t);
	follow(&t, list, "");
	wait_requests(&t, 8);
	bool asked[40] = {false};
	for (unsigned i = 1; i < 8; i++) {
		cr_assert_leq(strlen(target(i)), 128u, "%s", target(i));
		for (const char *c = target(i); (c = strstr(c, "sh6000"));) {
			asked[atoi(c + 6)] = true;
			c += 6;
		}
	}
	for (int i = 0; i < 40; i++) {
		cr_assert(asked[i], "%d", i);
	}
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(tencent, rows_become_ticks)
{
	struct feeder_test t;
	open_with(
		&t, settings, MOUTAI ROW("sh600000", "600000", "9.2", "") "v_sz999999=\"1~2\";\n");
	feeder_test_up(&t);
	follow(&t, "600519.SH,600000.SH", "");
	while (t.n_ticks < 2) {
		t.ticked = false;
		run_until(&t.f, &t.ticked);
	}
	const struct lc_tick *tick = &t.ticks[0];
	cr_assert_eq(tick->symbol, symbol_of(&t, "600519.SH"));
	cr_assert(tick->source == 3 && tick->received_ns > 0 && tick->received_mono_ns > 0);
	cr_assert_eq(tick->event_ns, INT64_C(1772590503000000000));
	cr_assert(!tick->delayed);
	cr_assert_eq(t.ticks[1].event_ns, t.ticks[1].received_ns);
	cr_assert_str_eq(t.last_bad, "truncated");
	/* a row that says nothing new is handed on as well: quality knows it for a repeat */
	size_t seen = t.n_ticks;
	while (t.n_ticks < seen + 2) {
		t.ticked = false;
		run_until(&t.f, &t.ticked);
	}
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

/* Nothing new, or nothing to say yet: no tick, but the manager hears that the symbol was told. */
Test(tencent, answers_that_say_nothing_new)
{
	struct feeder_test t;
	open_with(&t, settings, ROW("sz000001", "000001", "0.00", ""));
	feeder_test_up(&t);
	follow(&t, "000001.SZ,600519.SH", "");
	run_until(&t.f, &t.same);
	cr_assert_eq(t.n_same, 1u);
	t.mode = STATUS_304;
	wait_requests(&t, t.requests + 2); /* one answer is read then */
	cr_assert_geq(t.n_same, 3u);
	cr_assert(t.n_ticks == 0 && !t.down);
	struct lc_feeder_signs signs;
	t.impl->signs(t.feeder, &signs);
	cr_assert(signs.heard_ns > 0 && signs.cadence_ns == 10 * LC_NS_PER_MS);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

/* Rows of symbols that nobody asked for, or that were left, make no ticks. */
Test(tencent, other_rows_are_refused)
{
	struct feeder_test t;
	open_with(&t, settings, MOUTAI PINGAN);
	feeder_test_up(&t);
	symbol_of(&t, "000001.SZ");
	follow(&t, "600000.SH", "");
	while (!t.bad) {
		run_until(&t.f, &t.bad);
	}
	cr_assert_str_eq(t.last_bad, "unknown_symbol"); /* never heard of 600519.SH */
	cr_assert_eq(t.n_ticks, 0u);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

/* --- delayed data --- */

#define TENCENT_HK(series) ROW(series "00700", "00700", "478.2", "2026/03/04 10:15:03")

Test(tencent, delayed_rows_need_leave)
{
	struct feeder_test t;
	open_with(&t, settings, TENCENT_HK("hk")); /* although r_hk was asked for */
	feeder_test_up(&t);
	follow(&t, "00700.HK", "");
	while (!t.bad) {
		run_until(&t.f, &t.bad);
	}
	cr_assert_str_eq(t.last_bad, "delayed");
	cr_assert_eq(t.n_ticks, 0u);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(tencent, the_delayed_series)
{
	struct feeder_test t;
	struct lc_error err = {0};
	static const char *const without[] = {"tencent.hk_feed=hk", NULL};
	open_with(&t, without, NONE);
	cr_assert_eq(t.impl->usable(t.feeder, &err), LC_ERR_INVALID);
	cr_assert(strstr(err.text, "tencent.allow_delayed"));
	feeder_test_close(&t);

	static const char *const with[] = {"tencent.url=http://127.0.0.1:%d", "tencent.hk_feed=hk",
		"tencent.allow_delayed=true", NULL};
	open_with(&t, with, TENCENT_HK("hk"));
	cr_assert_eq(t.impl->usable(t.feeder, &err), LC_OK);
	feeder_test_up(&t);
	follow(&t, "00700.HK", "");
	wait_ticks(&t, 1);
	cr_assert_str_eq(target(1), "GET /q=hk00700 HTTP/1.1");
	cr_assert(t.ticks[0].delayed);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

/* --- what answers mean --- */

Test(tencent, refusals_of_the_probe)
{
	static const struct {
		int mode;
		enum lc_down_kind kind;
		int64_t wait_ms;
	} cases[] = {{STATUS_403, LC_DOWN_WAIT, 60000}, {STATUS_302, LC_DOWN_WAIT, 60000},
		{PAGE, LC_DOWN_WAIT, 60000}, {STATUS_429, LC_DOWN_WAIT, 7000},
		{STATUS_500, LC_DOWN_RETRY, 0}, {CUT, LC_DOWN_RETRY, 0}, {EMPTY, LC_DOWN_RETRY, 0}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct feeder_test t;
		open_with(&t, settings, NONE);
		t.mode = cases[i].mode;
		feeder_test_start(&t);
		run_until(&t.f, &t.down);
		cr_assert_eq(t.why.kind, cases[i].kind, "%zu: %s", i, t.why.error.text);
		cr_assert_eq(t.why.wait_ms, cases[i].wait_ms, "%zu", i);
		cr_assert(!t.up && t.why.error.text[0]);
		feeder_test_close(&t);
	}
}

/* Once is chance; three in a row, without an answer or with an empty one, are a ban. The next ban
 * is waited out longer. */
Test(tencent, bans)
{
	static const int64_t waits[] = {60000, 120000, 180000, 180000};
	static const int modes[] = {CUT, EMPTY, STATUS_403, PAGE};
	struct feeder_test t;
	open_with(&t, settings, PINGAN);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		t.mode = ROWS;
		t.n_ticks = 0;
		feeder_test_up(&t);
		follow(&t, "000001.SZ", "");
		wait_ticks(&t, 1);
		t.mode = modes[i];
		run_until(&t.f, &t.down);
		cr_assert_eq(t.why.kind, LC_DOWN_WAIT, "%s", t.why.error.text);
		cr_assert_eq(t.why.wait_ms, waits[i], "%zu", i);
		cr_assert(strstr(t.why.error.text, "banned"), "%s", t.why.error.text);
		cr_assert(strstr(t.why.error.text, "tencent.poll_interval"));
	}
	feeder_test_close(&t);
}

Test(tencent, failures_that_pass)
{
	static const int modes[] = {STATUS_500, GARBAGE};
	struct feeder_test t;
	open_with(&t, settings, PINGAN);
	feeder_test_up(&t);
	follow(&t, "000001.SZ", "");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		t.n_ticks = 0;
		t.mode = modes[i];
		wait_requests(&t, t.requests + 1);
		t.mode = ROWS;
		t.ticked = false;
		run_until(&t.f, &t.ticked);
		cr_assert(!t.down);
	}
	/* three in a row end the session, so that it is opened anew */
	t.mode = GARBAGE;
	run_until(&t.f, &t.down);
	cr_assert_eq(t.why.kind, LC_DOWN_RETRY);
	cr_assert_str_eq(t.last_bad, "malformed");
	feeder_test_close(&t);
}

/* --- settings --- */

Test(tencent, pace_is_kept_and_changed_by_a_reload)
{
	struct feeder_test t;
	static const char *const slow[] = {
		"tencent.url=http://127.0.0.1:%d", "tencent.poll_interval=1h", NULL};
	open_with(&t, slow, PINGAN);
	feeder_test_up(&t);
	follow(&t, "000001.SZ", "");
	bool passed = false;
	struct lc_timer *timer;
	cr_assert_eq(lc_timer_create(t.f.loop, set_flag, &passed, &timer), LC_OK);
	lc_timer_start(timer, 100, 0);
	run_until(&t.f, &passed);
	cr_assert_eq(t.requests, 1u, "only the probe: the next is due in a quarter of an hour");
	feeder_test_reload(&t, settings);
	wait_requests(&t, 4);
	/* paused, nothing is asked */
	t.impl->pause(t.feeder, true);
	unsigned before = t.requests;
	passed = false;
	lc_timer_start(timer, 100, 0);
	run_until(&t.f, &passed);
	cr_assert_leq(t.requests, before + 1, "one may be under way");
	t.n_ticks = 0;
	t.impl->pause(t.feeder, false);
	wait_requests(&t, before + 3);
	lc_timer_destroy(timer);
	feeder_test_stop(&t);
	feeder_test_close(&t);
}

Test(tencent, explains_the_age_of_quotes)
{
	struct feeder_test t;
	struct lc_buf out;
	static const char *const sets[] = {
		"tencent.hk_feed=hk", "tencent.allow_delayed=true", NULL};
	open_with(&t, sets, NONE);
	lc_buf_init(&out, 1024);
	t.impl->explain(lc_config_section(t.config, "tencent"), 250, &out);
	cr_assert(strstr(lc_buf_text(&out), "250 symbols in 5 requests, one every 3 s"));
	cr_assert(strstr(lc_buf_text(&out), "can be 15 s old"), "%s", lc_buf_text(&out));
	cr_assert(strstr(lc_buf_text(&out), "delayed"));
	lc_buf_finish(&out);
	feeder_test_close(&t);
	/* 128 bytes of URL hold ten symbols or so */
	static const char *const narrow[] = {"tencent.max_url=128", NULL};
	open_with(&t, narrow, NONE);
	lc_buf_init(&out, 1024);
	t.impl->explain(lc_config_section(t.config, "tencent"), 100, &out);
	cr_assert(strstr(lc_buf_text(&out), "100 symbols in 10 requests"), "%s", lc_buf_text(&out));
	lc_buf_finish(&out);
	feeder_test_close(&t);
}

#include "livecore/http_client.h"

#include "tcp_server.h"

#include <stdio.h>

/* gzip of "hello hello hello hello\n", made with gzip -9n. */
static const unsigned char gzipped[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
	0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x27, 0xb9, 0x00, 0x00, 0x88, 0x59, 0x0b,
	0x18, 0x00, 0x00, 0x00};

struct test {
	struct fixture f;
	struct tcp_server server;
	struct lc_http *http;
	bool destroyed;
	char request[8192]; /* the last one that the server saw */
};

struct result {
	struct test *test;
	bool done;
	int times;
	struct lc_http_answer answer;
	char body[4096];
	/* of streams */
	struct lc_http_request *request;
	int status, headers, pause_at, cancel_at, chunks;
	size_t bytes;
	bool got_data;
	char type[64];
};

static void on_destroyed(void *arg)
{
	*(bool *)arg = true;
}

static void open_test(struct test *t, tcp_script script)
{
	memset(t, 0, sizeof *t);
	fixture_open(&t->f);
	tcp_server_open(&t->server, &t->f, script, t);
	struct lc_error err;
	cr_assert_eq(lc_http_create(t->f.loop, NULL, &t->http, &err), LC_OK);
}

static void close_test(struct test *t)
{
	lc_http_destroy(t->http, on_destroyed, &t->destroyed);
	cr_assert_not(t->destroyed);
	run_until(&t->f, &t->destroyed);
	tcp_server_close(&t->server);
	fixture_close(&t->f);
}

static const char *url_of(struct test *t, const char *path)
{
	static char url[256];
	snprintf(url, sizeof url, "http://127.0.0.1:%d%s", t->server.port, path);
	return url;
}

static void on_answer(void *arg, const struct lc_http_answer *answer)
{
	struct result *result = arg;
	result->done = true;
	result->times++;
	result->answer = *answer;
	snprintf(result->body, sizeof result->body, "%s", answer->body);
	cr_assert_eq(strlen(answer->body) <= answer->body_len, true);
}

static void ask(struct test *t, struct lc_http_options options, struct result *result)
{
	struct lc_error err = {0};
	*result = (struct result){.test = t};
	enum lc_err code = lc_http_send(t->http, &options, on_answer, result, NULL, &err);
	cr_assert_eq(code, LC_OK, "%s", err.text);
	cr_assert_not(result->done, "never inside the call");
	run_until(&t->f, &result->done);
	cr_assert_eq(result->times, 1);
}

/* Answers by the path that is asked for. */
static void serve(struct tcp_conn *conn)
{
	struct test *t = conn->server->arg;
	while (conn_request(conn, t->request, sizeof t->request)) {
		if (strstr(t->request, "GET /gzip ")) {
			char head[200];
			snprintf(head, sizeof head,
				"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
				"%zu\r\n\r\n",
				sizeof gzipped);
			conn_puts(conn, head);
			conn_write(conn, gzipped, sizeof gzipped);
		} else if (strstr(t->request, "GET /limit ")) {
			conn_puts(conn,
				"HTTP/1.1 429 Slow down\r\nretry-after:  17 \r\n"
				"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
		} else if (strstr(t->request, "GET /date ")) {
			conn_puts(conn,
				"HTTP/1.1 503 No\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n"
				"Content-Length: 0\r\n\r\n");
		} else if (strstr(t->request, "GET /redirect ")) {
			conn_puts(conn, "HTTP/1.1 302 Found\r\nLocation: /plain\r\nContent-Length: "
					"0\r\n\r\n");
		} else if (strstr(t->request, "GET /nothing ")) {
			conn_finish(conn);
		} else if (strstr(t->request, "GET /reset ")) {
			conn_reset(conn);
			return;
		} else if (strstr(t->request, "GET /cut ")) {
			conn_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
			conn_finish(conn);
		} else if (strstr(t->request, "GET /garbage ")) {
			conn_puts(conn, "SSH-2.0-OpenSSH\r\n\r\n");
			conn_finish(conn);
		} else if (strstr(t->request, "GET /mute ")) {
			/* never answers */
		} else {
			conn_puts(conn, "HTTP/1.1 200 OK\r\nContent-Type: "
					"text/plain\r\nContent-Length: 5\r\n\r\nplain");
		}
	}
}

Test(http_client, answers_and_keeps_the_connection)
{
	struct test t;
	struct result r;
	open_test(&t, serve);
	static const char *const headers[] = {"X-Key: abc", NULL};
	for (int i = 0; i < 3; i++) {
		int64_t before = lc_loop_wall_ns(t.f.loop);
		ask(&t,
			(struct lc_http_options){
				.url = url_of(&t, "/plain?a=1"), .headers = headers},
			&r);
		cr_assert_eq(r.answer.err.code, LC_OK, "%s", r.answer.err.text);
		cr_assert_eq(r.answer.status, 200);
		cr_assert_str_eq(r.body, "plain");
		cr_assert_eq(r.answer.body_len, 5);
		cr_assert_str_eq(r.answer.content_type, "text/plain");
		cr_assert_eq(r.answer.retry_after_s, -1);
		cr_assert_str_eq(r.answer.address, "127.0.0.1");
		cr_assert_eq(r.answer.reused, i > 0);
		cr_assert_geq(r.answer.received_wall_ns, before);
	}
	cr_assert_eq(t.server.accepted, 1);
	cr_assert_not_null(strstr(t.request, "GET /plain?a=1 HTTP/1.1\r\n"));
	cr_assert_not_null(strstr(t.request, "\r\nX-Key: abc\r\n"));
	cr_assert_not_null(strstr(t.request, "\r\nAccept-Encoding: gzip\r\n"));
	cr_assert_not_null(strstr(t.request, "\r\nUser-Agent: livecore/"));
	close_test(&t);
}

Test(http_client, statuses_are_answers)
{
	struct test t;
	struct result r;
	open_test(&t, serve);
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/gzip")}, &r);
	cr_assert_str_eq(r.body, "hello hello hello hello\n");
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/limit")}, &r);
	cr_assert_eq(r.answer.err.code, LC_OK);
	cr_assert_eq(r.answer.status, 429);
	cr_assert_eq(r.answer.retry_after_s, 17);
	cr_assert_str_eq(r.answer.content_type, "application/json");
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/date")}, &r);
	cr_assert_eq(r.answer.status, 503);
	cr_assert_eq(r.answer.retry_after_s, -1);
	cr_assert_eq(r.answer.body_len, 0);
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/redirect")}, &r);
	cr_assert_eq(r.answer.status, 302, "redirects are not followed");
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/post"), .body = "x=1", .body_len = 3},
		&r);
	cr_assert_not_null(strstr(t.request, "POST /post "));
	cr_assert_null(strstr(t.request, "Expect:"));
	close_test(&t);
}

Test(http_client, failures_are_told_apart)
{
	static const struct {
		const char *path;
		enum lc_err code;
	} cases[] = {
		{"/nothing", LC_ERR_END},
		{"/reset", LC_ERR_END},
		{"/cut", LC_ERR_CLOSED},
		{"/garbage", LC_ERR_PROTOCOL},
		{"/mute", LC_ERR_TIMEOUT},
	};
	struct test t;
	struct result r;
	open_test(&t, serve);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ask(&t,
			(struct lc_http_options){
				.url = url_of(&t, cases[i].path), .timeout_ms = 300},
			&r);
		cr_assert_eq(r.answer.err.code, cases[i].code, "%s: %s", cases[i].path,
			r.answer.err.text);
		cr_assert_gt(strlen(r.answer.err.text), 3);
	}
	ask(&t, (struct lc_http_options){.url = "http://no-such-host.invalid/"}, &r);
	cr_assert_eq(r.answer.err.code, LC_ERR_NOT_FOUND);
	char https[64];
	snprintf(https, sizeof https, "https://127.0.0.1:%d/", t.server.port);
	t.server.script = conn_finish;
	ask(&t, (struct lc_http_options){.url = https}, &r);
	cr_assert_eq(r.answer.err.code, LC_ERR_END, "hung up in the TLS handshake: %s",
		r.answer.err.text);
	close_test(&t);
}

Test(http_client, refused)
{
	struct test t;
	struct result r;
	open_test(&t, serve);
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", t.server.port);
	tcp_server_close(&t.server);
	ask(&t, (struct lc_http_options){.url = url}, &r);
	cr_assert_eq(r.answer.err.code, LC_ERR_REFUSED);
	cr_assert_eq(r.answer.status, 0);
	lc_http_destroy(t.http, on_destroyed, &t.destroyed);
	run_until(&t.f, &t.destroyed);
	fixture_close(&t.f);
}

Test(http_client, what_cannot_be_sent_is_refused_at_once)
{
	struct test t;
	open_test(&t, serve);
	static const char *const smuggled[] = {"X: a\r\nY: b", NULL};
	const struct lc_http_options cases[] = {
		{.url = "ftp://a/"},
		{.url = "ws://a/"},
		{.url = "http://user:pw@a/"},
		{.url = "http://a/", .headers = smuggled},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_error err = {0};
		cr_assert_eq(lc_http_send(t.http, &cases[i], on_answer, NULL, NULL, &err),
			LC_ERR_INVALID);
		cr_assert_gt(strlen(err.text), 10);
	}
	close_test(&t);
}

Test(http_client, a_body_is_bounded)
{
	struct test t;
	struct result r;
	open_test(&t, serve);
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/plain"), .max_body_bytes = 5}, &r);
	cr_assert_eq(r.answer.err.code, LC_OK);
	cr_assert_str_eq(r.body, "plain");
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/plain"), .max_body_bytes = 4}, &r);
	cr_assert_eq(r.answer.err.code, LC_ERR_TOO_LARGE);
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/gzip"), .max_body_bytes = 10}, &r);
	cr_assert_eq(r.answer.err.code, LC_ERR_TOO_LARGE, "inflated bytes count");
	cr_assert_str_eq(
		r.answer.err.text, "the answer's body is longer than the 10 bytes that are read");
	close_test(&t);
}

static void endless_headers(struct tcp_conn *conn)
{
	char line[1024];
	memset(line, 'a', sizeof line);
	memcpy(line, "X-A: ", 5);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	conn_puts(conn, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 80; i++) {
		conn_write(conn, line, sizeof line);
	}
}

Test(http_client, headers_are_bounded)
{
	struct test t;
	struct result r;
	open_test(&t, endless_headers);
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/")}, &r);
	cr_assert_eq(r.answer.err.code, LC_ERR_TOO_LARGE);
	cr_assert(strstr(r.answer.err.text, "headers are longer"), "%s", r.answer.err.text);
	close_test(&t);
}

Test(http_client, destroying_answers_everything_cancelling_nothing)
{
	struct test t;
	struct result a = {0}, b = {0};
	struct lc_http_request *cancelled;
	open_test(&t, serve);
	const struct lc_http_options mute = {.url = url_of(&t, "/mute")};
	cr_assert_eq(lc_http_send(t.http, &mute, on_answer, &a, NULL, NULL), LC_OK);
	cr_assert_eq(lc_http_send(t.http, &mute, on_answer, &b, &cancelled, NULL), LC_OK);
	while (t.server.accepted < 2) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
	}
	lc_http_cancel(cancelled);
	lc_http_cancel(NULL);
	lc_http_destroy(t.http, on_destroyed, &t.destroyed);
	cr_assert_not(a.done);
	cr_assert_eq(lc_http_send(t.http, &mute, on_answer, &b, NULL, NULL), LC_ERR_CLOSED);
	run_until(&t.f, &t.destroyed);
	cr_assert_eq(a.times, 1);
	cr_assert_eq(a.answer.err.code, LC_ERR_CANCELLED);
	cr_assert_eq(b.times, 0);
	tcp_server_close(&t.server);
	fixture_close(&t.f);
}

static void on_stream_headers(
	void *arg, struct lc_http_request *request, int status, const char *content_type)
{
	struct result *r = arg;
	(void)request;
	r->headers++;
	r->status = status;
	snprintf(r->type, sizeof r->type, "%s", content_type);
}

static void on_stream_data(void *arg, struct lc_http_request *request, const void *data, size_t len,
	int64_t received_wall_ns)
{
	struct result *r = arg;
	cr_assert_eq(r->headers, 1);
	cr_assert_gt(received_wall_ns, 0);
	if (r->bytes + len < sizeof r->body) {
		memcpy(r->body + r->bytes, data, len);
	}
	r->bytes += len;
	r->got_data = true;
	r->chunks++;
	if (r->chunks == r->pause_at) {
		lc_http_pause(request);
	}
	if (r->chunks == r->cancel_at) {
		lc_http_cancel(request);
	}
}

static void on_stream_end(void *arg, const struct lc_http_answer *answer)
{
	struct result *r = arg;
	r->done = true;
	r->times++;
	r->answer = *answer;
}

static const struct lc_http_stream_handler stream_handler = {
	.on_headers = on_stream_headers, .on_data = on_stream_data, .on_end = on_stream_end};

static void open_stream(struct test *t, struct result *r, int64_t idle_ms)
{
	struct lc_error err = {0};
	r->test = t;
	const struct lc_http_options options = {
		.url = url_of(t, "/sse"),
		.idle_timeout_ms = idle_ms,
		.timeout_ms = 1, /* must not count for a stream */
	};
	cr_assert_eq(
		lc_http_stream(t->http, &options, &stream_handler, r, &r->request, &err), LC_OK);
}

static void sse(struct tcp_conn *conn)
{
	conn_puts(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
			"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
	conn->in_len = 0;
}

static struct tcp_conn *first_conn(struct test *t)
{
	return container_of(t->server.conns.next, struct tcp_conn, node);
}

Test(http_client, a_stream_flows_pauses_and_ends)
{
	struct test t;
	struct result r = {.pause_at = 1};
	open_test(&t, sse);
	open_stream(&t, &r, 0);
	run_until(&t.f, &r.got_data);
	cr_assert_eq(r.status, 200);
	cr_assert_str_eq(r.type, "text/event-stream");
	cr_assert_eq(r.bytes, 9);
	/* Paused: what comes now stays in the kernel. */
	conn_puts(first_conn(&t), "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
	for (int i = 0; i < 20; i++) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_NOWAIT);
	}
	cr_assert_eq(r.bytes, 9);
	cr_assert_not(r.done);
	lc_http_resume(r.request);
	cr_assert_eq(r.bytes, 9, "never inside the call");
	run_until(&t.f, &r.done);
	cr_assert_eq(r.bytes, 18);
	cr_assert_eq(memcmp(r.body, "data: 1\n\ndata: 2\n\n", 18), 0);
	cr_assert_eq(r.answer.err.code, LC_OK);
	cr_assert_eq(r.times, 1);
	close_test(&t);
}

Test(http_client, a_silent_or_cut_stream_ends)
{
	struct test t;
	struct result r = {0};
	open_test(&t, sse);
	open_stream(&t, &r, 100);
	run_until(&t.f, &r.done);
	cr_assert_eq(r.answer.err.code, LC_ERR_TIMEOUT);
	cr_assert_eq(r.bytes, 9);

	struct result cut = {0};
	open_stream(&t, &cut, 0);
	run_until(&t.f, &cut.got_data);
	lc_list_each (node, &t.server.conns) {
		conn_reset(container_of(node, struct tcp_conn, node));
	}
	run_until(&t.f, &cut.done);
	cr_assert_eq(cut.answer.err.code, LC_ERR_CLOSED);
	close_test(&t);
}

Test(http_client, a_stream_may_be_cancelled_in_its_own_callback)
{
	struct test t;
	struct result r = {.cancel_at = 1};
	open_test(&t, sse);
	open_stream(&t, &r, 0);
	while (t.server.closed_by_peer == 0) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
	}
	cr_assert_eq(r.chunks, 1);
	cr_assert_eq(r.times, 0);
	close_test(&t);
}

/* A server that sends one byte now and then must not reset the clock of the whole transfer. */
static void drip(uv_timer_t *timer)
{
	struct test *t = timer->data;
	lc_list_each (node, &t->server.conns) {
		conn_puts(container_of(node, struct tcp_conn, node), "x");
	}
}

static void drip_head(struct tcp_conn *conn)
{
	conn_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
}

Test(http_client, a_slow_drip_ends_in_time)
{
	struct test t;
	struct result r;
	open_test(&t, drip_head);
	uv_timer_t timer;
	uv_timer_init(lc_loop_uv(t.f.loop), &timer);
	timer.data = &t;
	uv_timer_start(&timer, drip, 20, 20);
	ask(&t, (struct lc_http_options){.url = url_of(&t, "/"), .timeout_ms = 300}, &r);
	cr_assert_eq(r.answer.err.code, LC_ERR_TIMEOUT);
	cr_assert_eq(r.answer.status, 200);
	uv_close((uv_handle_t *)&timer, NULL);
	close_test(&t);
}

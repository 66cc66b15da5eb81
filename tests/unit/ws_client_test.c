#include "livecore/ws_client.h"

#include "tcp_server.h"

#include <libwebsockets.h>
#include <stdio.h>

#define FIN 0x80
#define RSV1 0x40
#define TEXT 1
#define BINARY 2
#define CLOSE 8
#define PING 9
#define PONG 10

struct test {
	struct fixture f;
	struct tcp_server server;
	struct lc_ws_hub *hub;
	bool destroyed;
	char request[8192];
	struct tcp_conn *conn; /* the last one that was upgraded */
	/* what the server saw of the client */
	int pings, closes;
	size_t echoed;
	bool saw_close;
};

struct client {
	struct lc_ws *ws;
	struct test *test;
	bool open, closed, got_message;
	int opens, messages, closes;
	bool binary;
	size_t last_len, bytes;
	uint32_t sum;
	char last[256];
	int64_t stamp;
	struct lc_ws_closed end;
	int abort_at, pause_at;
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
	struct lc_error err = {0};
	cr_assert_eq(lc_ws_hub_create(t->f.loop, &t->hub, &err), LC_OK, "%s", err.text);
}

static void close_test(struct test *t)
{
	lc_ws_hub_destroy(t->hub, on_destroyed, &t->destroyed);
	cr_assert_not(t->destroyed);
	run_until(&t->f, &t->destroyed);
	tcp_server_close(&t->server);
	fixture_close(&t->f);
}

static void on_open(void *arg, struct lc_ws *ws)
{
	struct client *c = arg;
	cr_assert_eq(c->ws, ws);
	c->open = true;
	c->opens++;
}

static void on_message(void *arg, struct lc_ws *ws, const void *data, size_t len, bool binary,
	int64_t received_wall_ns)
{
	struct client *c = arg;
	cr_assert(c->open && !c->closed);
	c->got_message = true;
	c->messages++;
	c->binary = binary;
	c->bytes += len;
	c->last_len = len;
	c->stamp = received_wall_ns;
	for (size_t i = 0; i < len; i++) {
		c->sum = c->sum * 31 + ((const unsigned char *)data)[i];
	}
	snprintf(c->last, sizeof c->last, "%.*s", (int)(len < 255 ? len : 255), (const char *)data);
	if (c->messages == c->pause_at) {
		lc_ws_pause(ws);
	}
	if (c->messages == c->abort_at) {
		lc_ws_abort(ws);
	}
}

static void on_close(void *arg, const struct lc_ws_closed *closed)
{
	struct client *c = arg;
	c->closed = true;
	c->closes++;
	c->end = *closed;
}

static const struct lc_ws_handler handler = {
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
};

static void dial(struct test *t, struct client *c, struct lc_ws_options options)
{
	char url[64];
	struct lc_error err = {0};
	c->test = t;
	if (!options.url) {
		snprintf(url, sizeof url, "ws://127.0.0.1:%d/v2/iex?a=b", t->server.port);
		options.url = url;
	}
	cr_assert_eq(
		lc_ws_connect(t->hub, &options, &handler, c, &c->ws, &err), LC_OK, "%s", err.text);
	cr_assert_eq(c->opens + c->closes, 0, "never inside the call");
}

static void server_frame(struct tcp_conn *conn, int first_byte, const void *data, size_t len)
{
	unsigned char head[10] = {(unsigned char)first_byte};
	size_t n = 2;
	if (len < 126) {
		head[1] = (unsigned char)len;
	} else if (len < 65536) {
		head[1] = 126;
		head[2] = (unsigned char)(len >> 8);
		head[3] = (unsigned char)len;
		n = 4;
	} else {
		head[1] = 127;
		for (int i = 0; i < 8; i++) {
			head[2 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
		}
		n = 10;
	}
	conn_write(conn, head, n);
	conn_write(conn, data, len);
}

static void upgrade(struct tcp_conn *conn, const char *extra)
{
	char key[128], accept[64], answer[512];
	unsigned char hash[20];
	const char *at = strstr(((struct test *)conn->server->arg)->request, "Sec-WebSocket-Key: ");
	cr_assert_not_null(at);
	snprintf(key, sizeof key, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", at + 19);
	lws_SHA1((unsigned char *)key, strlen(key), hash);
	lws_b64_encode_string((char *)hash, sizeof hash, accept, sizeof accept);
	snprintf(answer, sizeof answer,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: %s\r\n%s\r\n",
		accept, extra);
	conn_puts(conn, answer);
	conn->stage = 1;
	((struct test *)conn->server->arg)->conn = conn;
}

static void on_client_frame(
	struct tcp_conn *conn, int opcode, const unsigned char *data, size_t len)
{
	struct test *t = conn->server->arg;
	switch (opcode) {
	case PING:
		t->pings++;
		if (conn->stage == 1) {
			server_frame(conn, FIN | PONG, data, len);
		}
		break;
	case CLOSE:
		t->saw_close = true;
		t->closes++;
		if (conn->stage == 1) {
			server_frame(conn, FIN | CLOSE, data, len);
			conn_finish(conn);
		}
		break;
	case TEXT:
	case BINARY:
		t->echoed += len;
		server_frame(conn, FIN | opcode, data, len);
		break;
	default:
		break;
	}
}

/* Takes one frame of the client off the input; they are masked. */
static bool take_client_frame(struct tcp_conn *conn)
{
	unsigned char *in = (unsigned char *)conn->in;
	size_t head = 2, len = conn->in_len >= 2 ? in[1] & 0x7f : 0;
	if (len == 126 && conn->in_len >= 4) {
		len = (size_t)in[2] << 8 | in[3];
		head = 4;
	} else if (len == 127 && conn->in_len >= 10) {
		len = 0;
		for (int i = 0; i < 8; i++) {
			len = len << 8 | in[2 + i];
		}
		head = 10;
	}
	if (conn->in_len < 2 || conn->in_len < head + 4 + len) {
		return false;
	}
	cr_assert(in[1] & 0x80, "a client masks its frames");
	unsigned char *data = in + head + 4;
	for (size_t i = 0; i < len; i++) {
		data[i] ^= in[head + i % 4];
	}
	on_client_frame(conn, in[0] & 0x0f, data, len);
	conn_consume(conn, head + 4 + len);
	return true;
}

static void serve_with(struct tcp_conn *conn, const char *extra)
{
	struct test *t = conn->server->arg;
	if (conn->stage == 0) {
		if (!conn_request(conn, t->request, sizeof t->request)) {
			return;
		}
		upgrade(conn, extra);
	}
	while (take_client_frame(conn)) {
	}
}

static void echo(struct tcp_conn *conn)
{
	serve_with(conn, "");
}

Test(ws_client, opens_sends_receives_and_closes)
{
	struct test t;
	struct client c = {0};
	open_test(&t, echo);
	dial(&t, &c,
		(struct lc_ws_options){
			.headers = {{"Content-Type", "application/msgpack"}, {"X-Key", "fake"}}});
	cr_assert_eq(lc_ws_send(c.ws, "x", 1, false), LC_ERR_AGAIN);
	run_until(&t.f, &c.open);
	cr_assert_not_null(strstr(t.request, "GET /v2/iex?a=b HTTP/1.1\r\n"));
	cr_assert_not_null(
		strstr(t.request, "\r\nContent-Type: application/msgpack\r\nX-Key: fake\r\n"));
	char host[64];
	snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%d\r\n", t.server.port);
	cr_assert_not_null(strstr(t.request, host), "%s", t.request);
	cr_assert_null(strstr(t.request, "permessage-deflate"));
	int64_t before = lc_loop_wall_ns(t.f.loop);
	cr_assert_eq(lc_ws_send(c.ws, "{\"action\":\"auth\"}", 17, false), LC_OK);
	run_until(&t.f, &c.got_message);
	cr_assert_str_eq(c.last, "{\"action\":\"auth\"}");
	cr_assert_not(c.binary);
	cr_assert_geq(c.stamp, before);
	c.got_message = false;
	cr_assert_eq(lc_ws_send(c.ws, "\x81\xa1", 2, true), LC_OK);
	run_until(&t.f, &c.got_message);
	cr_assert(c.binary);
	cr_assert_str_eq(lc_ws_info(c.ws).address, "127.0.0.1");
	cr_assert_eq(lc_ws_info(c.ws).rx_messages, 2);
	cr_assert_eq(lc_ws_info(c.ws).tx_messages, 2);
	cr_assert_not(lc_ws_info(c.ws).deflate);
	lc_ws_close(c.ws, 1000, "bye", 5000);
	lc_ws_close(c.ws, 1000, "again", 5000);
	cr_assert_eq(lc_ws_send(c.ws, "x", 1, false), LC_ERR_CLOSED);
	run_until(&t.f, &c.closed);
	cr_assert_eq(c.end.err.code, LC_OK);
	cr_assert(c.end.was_open);
	cr_assert_eq(t.closes, 1);
	close_test(&t);
	cr_assert_eq(c.opens, 1);
	cr_assert_eq(c.closes, 1);
}

static const char *refusal_text;

static void refuse(struct tcp_conn *conn)
{
	struct test *t = conn->server->arg;
	if (conn_request(conn, t->request, sizeof t->request)) {
		conn_puts(conn, refusal_text);
		conn_finish(conn);
	}
}

Test(ws_client, refused_upgrades_say_why)
{
	static const struct {
		const char *answer;
		enum lc_err code;
		int status, retry_after;
	} cases[] = {
		{"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", LC_ERR_AUTH, 401, -1},
		{"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 2\r\n\r\n{}",
			LC_ERR_LIMIT, 429, 30},
		{"HTTP/1.1 503 No\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: "
		 "0\r\n\r\n",
			LC_ERR_LIMIT, 503, -1},
		{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", LC_ERR_REFUSED, 404, -1},
		{"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
			LC_ERR_REFUSED, 302, -1},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", LC_ERR_REFUSED, 200, -1},
		{"", LC_ERR_CLOSED, 0, -1},
		{"garbage\r\n\r\n", LC_ERR_CLOSED, 0, -1},
		{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
			LC_ERR_PROTOCOL, 0, -1},
	};
	struct test t;
	open_test(&t, refuse);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client c = {0};
		refusal_text = cases[i].answer;
		dial(&t, &c, (struct lc_ws_options){.connect_timeout_ms = 3000});
		run_until(&t.f, &c.closed);
		cr_assert_eq(c.end.err.code, cases[i].code, "%s -> %d %s", cases[i].answer,
			c.end.err.code, c.end.err.text);
		cr_assert_eq(c.end.http_status, cases[i].status, "%s", cases[i].answer);
		cr_assert_eq(c.end.retry_after_s, cases[i].retry_after);
		cr_assert_not(c.end.was_open);
		cr_assert_eq(c.opens, 0);
		cr_assert_eq(c.closes, 1);
	}
	close_test(&t);
}

static void mute(struct tcp_conn *conn)
{
	(void)conn;
}

static int64_t time_to_close(struct test *t, struct client *c)
{
	int64_t started = lc_clock_mono_ns();
	run_until(&t->f, &c->closed);
	return (lc_clock_mono_ns() - started) / LC_NS_PER_MS;
}

Test(ws_client, a_server_that_never_answers_fails_in_time)
{
	struct test t;
	struct client plain = {0}, tls = {0};
	open_test(&t, mute);
	dial(&t, &plain, (struct lc_ws_options){.connect_timeout_ms = 300});
	cr_assert_lt(time_to_close(&t, &plain), 2500);
	cr_assert_eq(plain.end.err.code, LC_ERR_TIMEOUT);
	cr_assert_not_null(strstr(plain.end.err.text, "upgrade"), "%s", plain.end.err.text);
	char url[64];
	snprintf(url, sizeof url, "wss://127.0.0.1:%d/", t.server.port);
	dial(&t, &tls, (struct lc_ws_options){.url = url, .connect_timeout_ms = 300});
	cr_assert_lt(time_to_close(&t, &tls), 2500);
	cr_assert_eq(tls.end.err.code, LC_ERR_TIMEOUT);
	close_test(&t);
}

Test(ws_client, what_cannot_be_reached)
{
	struct test t;
	open_test(&t, conn_finish);
	char closed_port[64], plain_server[64];
	snprintf(plain_server, sizeof plain_server, "wss://127.0.0.1:%d/", t.server.port);
	struct tcp_server other;
	tcp_server_open(&other, &t.f, mute, NULL);
	snprintf(closed_port, sizeof closed_port, "ws://localhost:%d/", other.port);
	tcp_server_close(&other);
	const struct {
		const char *url;
		enum lc_err code;
	} cases[] = {
		{closed_port, LC_ERR_REFUSED}, {"ws://no-such-host.invalid/", LC_ERR_NOT_FOUND},
		{plain_server, LC_ERR_PROTOCOL}, /* hangs up in the TLS handshake */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client c = {0};
		dial(&t, &c,
			(struct lc_ws_options){.url = cases[i].url, .connect_timeout_ms = 5000});
		run_until(&t.f, &c.closed);
		cr_assert(c.end.err.code == cases[i].code ||
				  (i == 2 && c.end.err.code == LC_ERR_REFUSED),
			"%s: %d %s", cases[i].url, c.end.err.code, c.end.err.text);
		cr_assert_eq(c.closes, 1);
	}
	close_test(&t);
}

Test(ws_client, the_next_address_is_tried)
{
	struct test t;
	struct client c = {0};
	char url[64];
	open_test(&t, echo);
	/* localhost is ::1 and 127.0.0.1 on most machines, and the server has only the latter. */
	snprintf(url, sizeof url, "ws://localhost:%d/", t.server.port);
	dial(&t, &c, (struct lc_ws_options){.url = url});
	run_until(&t.f, &c.open);
	cr_assert_str_eq(lc_ws_info(c.ws).address, "127.0.0.1");
	close_test(&t);
	cr_assert_eq(c.end.err.code, LC_ERR_CANCELLED);
}

Test(ws_client, what_is_wrong_is_refused_at_once)
{
	struct test t;
	open_test(&t, echo);
	const struct lc_ws_options cases[] = {
		{.url = "http://a/"},
		{.url = "wss://[::1]/"},
		{.url = "ws://a/", .headers = {{"A", "b\r\nC: d"}}},
		{.url = "ws://a/", .headers = {{"A: b", "c"}}},
		{.url = "ws://a/", .ca_file = "/nonexistent/ca.pem"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_error err = {0};
		struct lc_ws *ws;
		cr_assert_eq(lc_ws_connect(t.hub, &cases[i], &handler, NULL, &ws, &err),
			LC_ERR_INVALID, "%zu", i);
		cr_assert_gt(strlen(err.text), 10);
	}
	close_test(&t);
}

Test(ws_client, big_and_fragmented_messages_come_whole)
{
	struct test t;
	struct client c = {0};
	open_test(&t, echo);
	dial(&t, &c, (struct lc_ws_options){0});
	run_until(&t.f, &c.open);
	static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, 65537, 1 << 20};
	unsigned char *data = malloc(1 << 20);
	for (size_t i = 0; i < 1 << 20; i++) {
		data[i] = (unsigned char)(i * 7 + i / 251);
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint32_t sum = 0;
		for (size_t j = 0; j < sizes[i]; j++) {
			sum = sum * 31 + data[j];
		}
		for (int pieces = 1; pieces <= 5; pieces += 4) {
			c.got_message = false;
			c.sum = 0;
			size_t step = sizes[i] / (size_t)pieces, at = 0;
			for (int p = 0; p < pieces; p++) {
				size_t len = p == pieces - 1 ? sizes[i] - at : step;
				server_frame(t.conn, (p == pieces - 1 ? FIN : 0) | (p ? 0 : BINARY),
					data + at, len);
				if (p == 0 && pieces > 1) {
					/* Allowed between fragments. */
					server_frame(t.conn, FIN | PING, "mid", 3);
				}
				at += len;
			}
			run_until(&t.f, &c.got_message);
			cr_assert_eq(c.last_len, sizes[i], "%zu in %d: %zu", sizes[i], pieces,
				c.last_len);
			cr_assert_eq(c.sum, sum, "%zu in %d", sizes[i], pieces);
		}
	}
	cr_assert_eq(c.messages, 16);
	free(data);
	close_test(&t);
}

Test(ws_client, too_long_a_message_ends_it)
{
	for (int fragments = 1; fragments <= 3; fragments++) {
		struct test t;
		struct client c = {0};
		char data[600] = {0};
		open_test(&t, echo);
		dial(&t, &c, (struct lc_ws_options){.max_message_bytes = 1000});
		run_until(&t.f, &c.open);
		if (fragments == 1) {
			char long_data[1001] = {0};
			server_frame(t.conn, FIN | TEXT, long_data, sizeof long_data);
		}
		for (int i = 0; fragments > 1 && i < fragments; i++) {
			server_frame(t.conn, i ? 0 : TEXT, data, sizeof data);
		}
		run_until(&t.f, &c.closed);
		cr_assert_eq(c.end.err.code, LC_ERR_TOO_LARGE);
		cr_assert_eq(c.messages, 0);
		close_test(&t);
	}
}

Test(ws_client, the_peer_closes_or_vanishes)
{
	struct test t;
	struct client said = {0}, silent = {0}, mid = {0}, reset = {0};
	open_test(&t, echo);
	dial(&t, &said, (struct lc_ws_options){0});
	run_until(&t.f, &said.open);
	server_frame(t.conn, FIN | CLOSE, "\x03\xf0slow\x01", 7);
	run_until(&t.f, &said.closed);
	cr_assert_eq(said.end.err.code, LC_OK);
	cr_assert_eq(said.end.close_code, 1008);
	cr_assert_str_eq(said.end.close_reason, "slow?");

	dial(&t, &silent, (struct lc_ws_options){0});
	run_until(&t.f, &silent.open);
	conn_finish(t.conn);
	run_until(&t.f, &silent.closed);
	cr_assert_eq(silent.end.err.code, LC_ERR_CLOSED);
	cr_assert_eq(silent.end.close_code, 0);

	dial(&t, &mid, (struct lc_ws_options){0});
	run_until(&t.f, &mid.open);
	conn_write(t.conn, "\x81\x7e\x01\x00only a part", 15);
	conn_finish(t.conn);
	run_until(&t.f, &mid.closed);
	cr_assert_eq(mid.end.err.code, LC_ERR_CLOSED);
	cr_assert_eq(mid.messages, 0);

	dial(&t, &reset, (struct lc_ws_options){0});
	run_until(&t.f, &reset.open);
	conn_reset(t.conn);
	run_until(&t.f, &reset.closed);
	cr_assert_eq(reset.end.err.code, LC_ERR_CLOSED);
	close_test(&t);
}

Test(ws_client, broken_frames_end_it)
{
	static const char *const frames[] = {
		"\x83\x01x", "\xf1\x01x", "\x89\x7e\x01\x00", "\x80\x01x"};
	struct test t;
	open_test(&t, echo);
	for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
		struct client c = {0};
		dial(&t, &c, (struct lc_ws_options){0});
		run_until(&t.f, &c.open);
		conn_write(t.conn, frames[i], 4);
		conn_puts(t.conn, "xxxxxxxxxxxxxxxx");
		t.conn->stage = 2; /* answers nothing more */
		conn_finish(t.conn);
		run_until(&t.f, &c.closed);
		cr_assert_neq(c.end.err.code, LC_OK, "%zu", i);
		cr_assert_eq(c.closes, 1);
	}
	close_test(&t);
}

Test(ws_client, pings_are_sent_and_their_answer_awaited)
{
	struct test t;
	struct client good = {0}, bad = {0};
	open_test(&t, echo);
	dial(&t, &good, (struct lc_ws_options){.ping_ms = 20, .pong_ms = 2000});
	run_until(&t.f, &good.open);
	while (t.pings < 5) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
	}
	cr_assert_not(good.closed);
	lc_ws_abort(good.ws);
	run_until(&t.f, &good.closed);
	cr_assert_eq(good.end.err.code, LC_ERR_CANCELLED);

	dial(&t, &bad, (struct lc_ws_options){.ping_ms = 20, .pong_ms = 200});
	run_until(&t.f, &bad.open);
	t.conn->stage = 2; /* no pongs, but data: that does not count */
	int64_t started = lc_clock_mono_ns();
	while (!bad.closed) {
		if (!bad.closed && t.conn) {
			server_frame(t.conn, FIN | TEXT, "data", 4);
		}
		for (int i = 0; i < 50 && !bad.closed; i++) {
			uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
		}
		cr_assert_lt(lc_clock_mono_ns() - started, 10 * LC_NS_PER_S);
	}
	cr_assert_eq(bad.end.err.code, LC_ERR_TIMEOUT);
	cr_assert(bad.end.was_open);
	cr_assert_geq(lc_clock_mono_ns() - started, 150 * LC_NS_PER_MS);
	close_test(&t);
}

Test(ws_client, pausing_keeps_messages_back)
{
	struct test t;
	struct client c = {.pause_at = 2};
	open_test(&t, echo);
	dial(&t, &c, (struct lc_ws_options){.ping_ms = 10, .pong_ms = 50});
	run_until(&t.f, &c.open);
	for (int i = 0; i < 5; i++) {
		server_frame(t.conn, FIN | TEXT, "tick", 4);
	}
	/* Longer than pong_ms: it must not count now. */
	int64_t until = lc_clock_mono_ns() + 150 * LC_NS_PER_MS;
	while (lc_clock_mono_ns() < until) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
	}
	cr_assert_eq(c.messages, 2);
	cr_assert_not(c.closed);
	lc_ws_resume(c.ws);
	cr_assert_eq(c.messages, 2, "never inside the call");
	while (c.messages < 5) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
		cr_assert_not(c.closed, "%s", c.end.err.text);
	}
	close_test(&t);
}

Test(ws_client, sending_is_bounded_and_in_order)
{
	struct test t;
	struct client c = {0};
	open_test(&t, echo);
	dial(&t, &c, (struct lc_ws_options){.max_send_bytes = 100});
	run_until(&t.f, &c.open);
	for (int i = 0; i < 10; i++) {
		char text[11];
		snprintf(text, sizeof text, "message %02d", i);
		cr_assert_eq(lc_ws_send(c.ws, text, 10, false), LC_OK);
	}
	cr_assert_eq(lc_ws_send(c.ws, "x", 1, false), LC_ERR_FULL);
	while (c.messages < 10) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
	}
	cr_assert_str_eq(c.last, "message 09");
	/* What is queued still goes out before the close frame. */
	cr_assert_eq(lc_ws_send(c.ws, "last words", 10, false), LC_OK);
	lc_ws_close(c.ws, 1000, NULL, 5000);
	run_until(&t.f, &c.closed);
	cr_assert_eq(t.echoed, 110);
	cr_assert(t.saw_close);
	close_test(&t);
}

Test(ws_client, closing_a_peer_that_does_not_answer)
{
	struct test t;
	struct client c = {0};
	open_test(&t, echo);
	dial(&t, &c, (struct lc_ws_options){0});
	run_until(&t.f, &c.open);
	t.conn->stage = 2;
	lc_ws_close(c.ws, 1000, NULL, 100);
	cr_assert_lt(time_to_close(&t, &c), 2500);
	cr_assert_eq(c.end.err.code, LC_OK);
	close_test(&t);
}

Test(ws_client, aborting_anywhere_calls_on_close_once)
{
	struct test t;
	struct client inside = {.abort_at = 1}, resolving = {0}, dialling = {0}, open = {0};
	open_test(&t, echo);
	dial(&t, &inside, (struct lc_ws_options){0});
	run_until(&t.f, &inside.open);
	server_frame(t.conn, FIN | TEXT, "1", 1);
	server_frame(t.conn, FIN | TEXT, "2", 1);
	run_until(&t.f, &inside.closed);
	cr_assert_eq(inside.messages, 1);
	dial(&t, &resolving, (struct lc_ws_options){0});
	lc_ws_abort(resolving.ws);
	cr_assert_not(resolving.closed, "never inside the call");
	run_until(&t.f, &resolving.closed);
	t.server.script = mute;
	int accepted = t.server.accepted;
	dial(&t, &dialling, (struct lc_ws_options){0});
	while (t.server.accepted == accepted) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
	}
	lc_ws_abort(dialling.ws);
	run_until(&t.f, &dialling.closed);
	t.server.script = echo;
	dial(&t, &open, (struct lc_ws_options){0});
	run_until(&t.f, &open.open);
	close_test(&t); /* aborts the one that is left */
	cr_assert_eq(inside.closes + resolving.closes + dialling.closes + open.closes, 4);
	cr_assert_eq(open.end.err.code, LC_ERR_CANCELLED);
}

static void deflating(struct tcp_conn *conn)
{
	serve_with(conn,
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n");
}

/* A deflate stream of stored blocks (RFC 1951 3.2.4) with the end that RFC 7692 7.2.1 wants. */
static size_t stored(unsigned char *out, const unsigned char *data, size_t len)
{
	size_t n = 0;
	for (size_t at = 0; at < len;) {
		size_t piece = len - at < 60000 ? len - at : 60000;
		out[n++] = 0;
		out[n++] = (unsigned char)piece;
		out[n++] = (unsigned char)(piece >> 8);
		out[n++] = (unsigned char)~piece;
		out[n++] = (unsigned char)(~piece >> 8);
		memcpy(out + n, data + at, piece);
		n += piece;
		at += piece;
	}
	out[n++] = 0;
	return n;
}

Test(ws_client, permessage_deflate)
{
	struct test t;
	struct client c = {0};
	open_test(&t, deflating);
	dial(&t, &c, (struct lc_ws_options){.deflate = true, .ping_ms = 20});
	run_until(&t.f, &c.open);
	cr_assert_not_null(strstr(t.request, "permessage-deflate"));
	cr_assert(lc_ws_info(c.ws).deflate);
	static const size_t sizes[] = {1, 100, 60000, 200000};
	unsigned char *data = malloc(200000), *frame = malloc(210000);
	for (size_t i = 0; i < 200000; i++) {
		data[i] = (unsigned char)('a' + (i * 13 + i / 300) % 26);
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint32_t sum = 0;
		for (size_t j = 0; j < sizes[i]; j++) {
			sum = sum * 31 + data[j];
		}
		c.got_message = false;
		c.sum = 0;
		server_frame(t.conn, FIN | RSV1 | TEXT, frame, stored(frame, data, sizes[i]));
		run_until(&t.f, &c.got_message);
		cr_assert_eq(c.last_len, sizes[i], "%zu: %zu", sizes[i], c.last_len);
		cr_assert_eq(c.sum, sum);
	}
	/* Uncompressed messages are allowed too. */
	c.got_message = false;
	server_frame(t.conn, FIN | TEXT, "plain", 5);
	run_until(&t.f, &c.got_message);
	cr_assert_str_eq(c.last, "plain");
	cr_assert_eq(c.messages, 5);
	/* Pongs too. */
	for (int pings = t.pings; t.pings < pings + 3;) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
	}
	/* Large and uncompressed, and then compressed again. */
	server_frame(t.conn, FIN | TEXT, data, 200000);
	server_frame(t.conn, FIN | RSV1 | TEXT, frame, stored(frame, data, 100));
	while (c.messages < 7) {
		uv_run(lc_loop_uv(t.f.loop), UV_RUN_ONCE);
		cr_assert_not(c.closed);
	}
	cr_assert_eq(c.last_len, 100);
	cr_assert_eq(c.bytes, 1 + 100 + 60000 + 200000 + 5 + 200000 + 100);
	free(data);
	free(frame);
	close_test(&t);
}

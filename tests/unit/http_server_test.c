/* The server against raw sockets: what well-behaved, slow and hostile clients see and cost. Client
 * scripts run in the loop's thread pool, so that they may block. */
#include "livecore/http_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* More than the kernel takes for a reader that does not read. */
#define STREAM_PENDING ((size_t)16 << 20)

struct fixture {
	struct lc_log *log;
	struct lc_metrics *metrics;
	struct lc_loop *loop;
	struct lc_http_server *server;
	struct lc_timer *later;
	struct lc_exchange *waiting;
	int port;
	int gone, opened, closed, destroyed, unanswered;
	size_t stream_queued;
	char held_by_request[64];
};

static void on_later(void *arg)
{
	struct fixture *f = arg;
	const struct lc_response response = {.status = 200, .body = "late", .body_len = 4};
	if (f->waiting != NULL) {
		lc_exchange_respond(f->waiting, &response);
		f->waiting = NULL;
	}
}

static void on_gone(void *arg)
{
	struct fixture *f = arg;
	f->gone++;
	f->waiting = NULL;
}

static void on_message(
	void *arg, struct lc_ws_peer *peer, const void *data, size_t len, bool binary)
{
	(void)arg;
	if (len == 3 && memcmp(data, "bye", 3) == 0) {
		lc_ws_peer_close(peer, 4001, "as you wish");
		return;
	}
	lc_ws_peer_send(peer, data, len, binary);
}

static void on_open(void *arg, struct lc_ws_peer *peer)
{
	struct fixture *f = arg;
	f->opened++;
	lc_ws_peer_send(peer, "welcome", 7, false);
}

static void on_close(void *arg)
{
	struct fixture *f = arg;
	f->closed++;
}

static const struct lc_ws_peer_handler ws_handler = {
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
};

/* Fills the stream until its bound says no. */
static void fill_stream(struct fixture *f, struct lc_exchange *exchange)
{
	static char block[65536];
	memset(block, 'x', sizeof(block));
	while (lc_exchange_write(exchange, block, sizeof(block)) == LC_OK) {
		f->stream_queued += sizeof(block);
	}
}

static void start_stream(struct fixture *f, struct lc_exchange *exchange)
{
	const struct lc_response response = {.status = 200, .content_type = "text/event-stream"};
	lc_exchange_on_gone(exchange, on_gone, f);
	lc_exchange_stream(exchange, &response);
	if (lc_exchange_query(exchange, "short") != NULL) {
		lc_exchange_write(exchange, "data: 1\n\n", 9);
		lc_exchange_write(exchange, "data: 2\n\n", 9);
		lc_exchange_end(exchange);
		return;
	}
	fill_stream(f, exchange);
}

static void send_big(struct lc_exchange *exchange)
{
	struct lc_buf body;
	lc_buf_init(&body, 16 << 20);
	for (int i = 0; i < 500000; i++) {
		lc_buf_printf(&body, "%07d\n", i);
	}
	const struct lc_response response = {.status = 200, .content_type = "text/plain"};
	lc_exchange_respond_buf(exchange, &response, &body);
	cr_assert_eq(body.len, 0);
	lc_buf_finish(&body);
}

static void answer_hello(struct lc_exchange *exchange)
{
	const struct lc_request *request = lc_exchange_request(exchange);
	if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
		lc_exchange_fail(exchange, 405, "only GET");
		return;
	}
	char body[256];
	const char *name = lc_exchange_query(exchange, "name");
	const char *key = lc_exchange_header(exchange, "x-test-key");
	const char *agent = lc_exchange_header(exchange, "user-agent");
	int len = snprintf(body, sizeof(body), "hello %s key=%s agent=%s empty=%d\n",
		name != NULL ? name : "-", key != NULL ? key : "-", agent != NULL ? agent : "-",
		lc_exchange_query(exchange, "flag") != NULL);
	const char *const headers[] = {"X-Answer: yes", NULL};
	const struct lc_response response = {.status = 200,
		.content_type = "text/plain",
		.headers = headers,
		.body = body,
		.body_len = (size_t)len};
	lc_exchange_respond(exchange, &response);
}

static void on_request(void *arg, struct lc_exchange *exchange)
{
	struct fixture *f = arg;
	const struct lc_request *request = lc_exchange_request(exchange);
	if (request->upgrade && strcmp(request->path, "/ws") == 0) {
		struct lc_ws_peer *peer;
		lc_exchange_accept(exchange, &ws_handler, f, &peer);
	} else if (request->upgrade) {
		const char *const headers[] = {"Retry-After: 7", NULL};
		lc_exchange_respond(
			exchange, &(struct lc_response){.status = 429, .headers = headers});
	} else if (strcmp(request->path, "/hello") == 0) {
		answer_hello(exchange);
	} else if (strcmp(request->path, "/big") == 0) {
		send_big(exchange);
	} else if (strcmp(request->path, "/echo") == 0) {
		lc_exchange_respond(exchange, &(struct lc_response){.status = 200,
						      .body = request->body,
						      .body_len = request->body_len});
	} else if (strcmp(request->path, "/later") == 0) {
		f->waiting = exchange;
		lc_exchange_on_gone(exchange, on_gone, f);
		lc_timer_start(f->later, 50, 0);
	} else if (strcmp(request->path, "/never") == 0) {
		lc_exchange_on_gone(exchange, on_gone, f);
		f->unanswered++;
	} else if (strcmp(request->path, "/stream") == 0) {
		start_stream(f, exchange);
	} else if (strcmp(request->path, "/abort") == 0) {
		lc_exchange_abort(exchange);
	} else {
		lc_exchange_fail(exchange, 404, "no such page");
	}
}

static const char *const wanted[] = {"x-test-key", NULL};

static void setup(struct fixture *f, struct lc_http_server_options options)
{
	signal(SIGPIPE, SIG_IGN);
	memset(f, 0, sizeof(*f));
	cr_assert_eq(lc_log_create(STDERR_FILENO, false, LC_LOG_WARN, &f->log), LC_OK);
	cr_assert_eq(lc_metrics_create(&f->metrics), LC_OK);
	cr_assert_eq(lc_loop_create(f->log, f->metrics, &f->loop), LC_OK);
	cr_assert_eq(lc_timer_create(f->loop, on_later, f, &f->later), LC_OK);
	struct lc_error err = {0};
	options.address = options.address != NULL ? options.address : "127.0.0.1:0";
	options.headers = wanted;
	options.on_request = on_request;
	options.arg = f;
	enum lc_err rc = lc_http_server_create(f->loop, &options, &f->server, &err);
	cr_assert_eq(rc, LC_OK, "%s", err.text);
	f->port = lc_http_server_port(f->server);
	cr_assert_gt(f->port, 0);
}

static void on_destroyed(void *arg)
{
	struct fixture *f = arg;
	f->destroyed++;
	lc_loop_stop(f->loop);
}

static void on_script_done(void *arg, bool cancelled)
{
	struct fixture *f = arg;
	cr_assert(!cancelled);
	lc_timer_destroy(f->later);
	lc_http_server_destroy(f->server, on_destroyed, f);
}

/* Runs one client against the server, then takes everything down. */
static void run(struct fixture *f, struct lc_http_server_options options, void (*script)(void *arg))
{
	setup(f, options);
	cr_assert_eq(lc_loop_job(f->loop, script, on_script_done, f), LC_OK);
	lc_loop_run(f->loop);
	cr_assert_eq(f->destroyed, 1);
	lc_loop_destroy(f->loop);
	lc_metrics_destroy(f->metrics);
	lc_log_destroy(f->log);
}

static int dial_to(const char *ip, int port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	inet_pton(AF_INET, ip, &to.sin_addr);
	struct timeval wait = {.tv_sec = 10};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int dial(struct fixture *f)
{
	int fd = dial_to("127.0.0.1", f->port);
	cr_assert_geq(fd, 0);
	return fd;
}

static void say(int fd, const char *text)
{
	size_t len = strlen(text);
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, text + at, len - at, MSG_NOSIGNAL);
		if (n <= 0) {
			return;
		}
		at += (size_t)n;
	}
}

/* Reads until `until` is seen (NULL: the end) or the other side closes; returns what came. */
static size_t hear(int fd, char *out, size_t size, const char *until)
{
	size_t len = 0;
	out[0] = '\0';
	while (len + 1 < size) {
		ssize_t n = recv(fd, out + len, size - 1 - len, 0);
		cr_assert(n >= 0 || errno == ECONNRESET, "recv: %s", strerror(errno));
		if (n <= 0) {
			break;
		}
		len += (size_t)n;
		out[len] = '\0';
		if (until != NULL && strstr(out, until) != NULL) {
			break;
		}
	}
	return len;
}

static bool closed_by_peer(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void ordinary_script(void *arg)
{
	struct fixture *f = arg;
	char got[4096];
	int fd = dial(f);
	/* kept alive: several requests on one connection */
	for (int i = 0; i < 3; i++) {
		say(fd, "GET /hello?name=a%20b%2Cc&flag HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\n"
			"X-Test-Key: k1\r\n\r\n");
		hear(fd, got, sizeof(got), "empty=1\n");
		cr_assert(strstr(got, "HTTP/1.1 200 OK\r\n") == got, "%s", got);
		cr_assert(strstr(got, "hello a b,c key=k1 agent=t empty=1\n"), "%s", got);
		cr_assert(strstr(got, "X-Answer: yes\r\n"));
	}
	/* HEAD: the same length, no body; the next answer follows at once */
	say(fd, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, got, sizeof(got), "\r\n\r\n");
	cr_assert(strstr(got, "Content-Length: 30\r\n"), "%s", got);
	cr_assert(strstr(got, "hello") == NULL);
	say(fd, "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	hear(fd, got, sizeof(got), "}\n");
	cr_assert(strstr(got, "HTTP/1.1 405 "), "%s", got);
	say(fd, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, got, sizeof(got), "}\n");
	cr_assert(strstr(got, "HTTP/1.1 404 Not Found\r\n") == got, "%s", got);
	cr_assert(strstr(got, "{\"error\":\"no such page\"}\n"));
	say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nsome ");
	usleep(20000);
	say(fd, "bytes!");
	hear(fd, got, sizeof(got), "some bytes!");
	cr_assert(strstr(got, "HTTP/1.1 200"), "%s", got);
	say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, got, sizeof(got), "late");
	cr_assert(strstr(got, "\r\n\r\nlate"), "%s", got);
	say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	hear(fd, got, sizeof(got), NULL);
	cr_assert(strstr(got, "Connection: close\r\n"), "%s", got);
	close(fd);
	fd = dial(f);
	say(fd, "GET /abort HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_assert_eq(hear(fd, got, sizeof(got), NULL), 0);
	close(fd);
}

Test(http_server, ordinary_requests)
{
	struct fixture f;
	run(&f, (struct lc_http_server_options){0}, ordinary_script);
}

static void pipeline_script(void *arg)
{
	struct fixture *f = arg;
	char got[8192];
	int fd = dial(f);
	say(fd, "GET /hello?name=first HTTP/1.1\r\nHost: x\r\n\r\n"
		"GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
		"GET /hello?name=third HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	hear(fd, got, sizeof(got), NULL);
	char *first = strstr(got, "hello first"), *second = strstr(got, "late"),
	     *third = strstr(got, "hello third");
	/* libwebsockets 4.3 hangs up on who does not wait for an answer: that is fine, a part is
	 * not. */
	bool none = got[0] == '\0';
	cr_assert(none || (first != NULL && second > first && third > second), "%s", got);
	close(fd);
}

Test(http_server, pipelined_requests_are_answered_in_order)
{
	struct fixture f;
	run(&f, (struct lc_http_server_options){0}, pipeline_script);
}

static void big_script(void *arg)
{
	struct fixture *f = arg;
	char *got = malloc(5 << 20);
	int fd = dial(f);
	say(fd, "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	size_t len = hear(fd, got, 5 << 20, NULL);
	char *body = strstr(got, "\r\n\r\n");
	cr_assert_not_null(body);
	cr_assert_eq(len - (size_t)(body + 4 - got), 4000000);
	for (int i = 0; i < 500000; i += 1777) {
		cr_assert_eq(atoi(body + 4 + i * 8), i);
	}
	close(fd);
	fd = dial(f);
	say(fd, "GET /stream?short HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, got, 5 << 20, "0\r\n\r\n");
	cr_assert(strstr(got, "Transfer-Encoding: chunked\r\n"));
	cr_assert(strstr(got, "\r\n\r\n12\r\ndata: 1\n\ndata: 2\n\n\r\n0\r\n\r\n"), "%s", got);
	/* the connection is kept behind a stream that ended */
	say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, got, 5 << 20, "empty=0\n");
	cr_assert(strstr(got, "200 OK"));
	close(fd);
	fd = dial(f);
	say(fd, "GET /stream?short HTTP/1.0\r\n\r\n");
	hear(fd, got, 5 << 20, NULL);
	cr_assert(strstr(got, "chunked") == NULL && strstr(got, "\r\n\r\ndata: 1\n\ndata: 2\n\n"),
		"%s", got);
	close(fd);
	free(got);
}

Test(http_server, long_answers_and_streams)
{
	struct fixture f;
	run(&f, (struct lc_http_server_options){0}, big_script);
}

static void expect_refused(struct fixture *f, const char *request, const char *status)
{
	char got[4096];
	int fd = dial(f);
	say(fd, request);
	hear(fd, got, sizeof(got), NULL);
	cr_assert(got[0] == '\0' || strstr(got, status) != NULL, "%.80s: %s", request, got);
	close(fd);
}

static void hostile_script(void *arg)
{
	struct fixture *f = arg;
	static char long_header[40000];
	sprintf(long_header, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Test-Key: %030000d\r\n\r\n", 7);
	expect_refused(f, long_header, " 4");
	sprintf(long_header, "GET /%030000d HTTP/1.1\r\nHost: x\r\n\r\n", 7);
	expect_refused(f, long_header, " 4");
	expect_refused(
		f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nabc", " 413 ");
	expect_refused(f,
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		" 411 ");
	expect_refused(f, "POST /echo HTTP/1.1\r\nHost: x\r\n\r\n", " 411 ");
	expect_refused(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", " 4");
	expect_refused(f, "GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", " 4");
	expect_refused(f, "BREW /pot HTTP/1.1\r\n\r\n", " 4");
	expect_refused(f, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not http\r\n\r\n", " 4");
	expect_refused(f,
		"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", " 4");
	expect_refused(f,
		"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: tea\r\nConnection: Upgrade\r\n\r\n", " 4");
	/* and it still works */
	char got[4096];
	int fd = dial(f);
	say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, got, sizeof(got), "empty=0\n");
	cr_assert(strstr(got, "200 OK"));
	close(fd);
}

Test(http_server, hostile_requests_are_refused)
{
	struct fixture f;
	run(&f,
		(struct lc_http_server_options){
			.max_body_bytes = 1000, .request_timeout_ms = 500, .idle_timeout_ms = 500},
		hostile_script);
}

static void slow_script(void *arg)
{
	struct fixture *f = arg;
	/* never a byte, half a header, half a body, a kept connection without a next request */
	int quiet = dial(f), half = dial(f), body = dial(f), kept = dial(f);
	char got[4096];
	say(half, "GET /hello HTTP/1.1\r\nHo");
	say(body, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab");
	say(kept, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(kept, got, sizeof(got), "empty=0\n");
	cr_assert(closed_by_peer(quiet));
	cr_assert(closed_by_peer(half));
	cr_assert(closed_by_peer(body));
	cr_assert(closed_by_peer(kept));
	close(quiet), close(half), close(body), close(kept);
}

Test(http_server, slow_loris_is_closed)
{
	struct fixture f;
	setup(&f,
		(struct lc_http_server_options){.request_timeout_ms = 300, .idle_timeout_ms = 400});
	lc_loop_job(f.loop, slow_script, on_script_done, &f);
	lc_loop_run(f.loop);
	lc_loop_destroy(f.loop);
	lc_metrics_destroy(f.metrics);
	lc_log_destroy(f.log);
}

/* The owner is told soon: not only when the server is taken down. */
static void wait_for(volatile int *count, int n)
{
	for (int i = 0; i < 2000 && *count != n; i++) {
		usleep(10000);
	}
	cr_assert_eq(*count, n);
}

static void slow_reader_script(void *arg)
{
	struct fixture *f = arg;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int small = 4096;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port)};
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	/* it reads nothing; the server gives up and says so to its owner */
	wait_for(&f->gone, 1);
	close(fd);
}

Test(http_server, slow_reader_is_bounded_and_dropped)
{
	struct fixture f;
	run(&f,
		(struct lc_http_server_options){
			.max_pending_bytes = STREAM_PENDING, .write_timeout_ms = 300},
		slow_reader_script);
	cr_assert_eq(f.gone, 1);
	cr_assert_leq(f.stream_queued, STREAM_PENDING);
	cr_assert_gt(f.stream_queued, STREAM_PENDING - 128 * 1024);
}

static void gone_script(void *arg)
{
	struct fixture *f = arg;
	int fd = dial(f);
	say(fd, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(&f->unanswered, 1);
	close(fd);
	wait_for(&f->gone, 1);
	/* still unanswered when the server is destroyed */
	fd = dial(f);
	say(fd, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(&f->unanswered, 2);
}

Test(http_server, owner_hears_of_clients_that_leave)
{
	struct fixture f;
	run(&f, (struct lc_http_server_options){0}, gone_script);
	cr_assert_eq(f.gone, 2);
}

static void limit_script(void *arg)
{
	struct fixture *f = arg;
	int fds[8];
	int refused = 0;
	for (int i = 0; i < 8; i++) {
		fds[i] = dial(f);
		usleep(20000);
	}
	for (int i = 7; i >= 0; i--) {
		char got[1024];
		say(fds[i], "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
		refused += hear(fds[i], got, sizeof(got), NULL) == 0;
		close(fds[i]);
	}
	cr_assert_eq(refused, 5);
}

/* Clients that say nothing do not keep a health check out, and one that is being answered stays. */
static void starving_script(void *arg)
{
	struct fixture *f = arg;
	char got[1024];
	int busy = dial(f), idle[6];
	say(busy, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 6; i++) {
		idle[i] = dial(f);
		usleep(10000);
	}
	hear(busy, got, sizeof(got), "late");
	cr_assert(strstr(got, "late") != NULL, "the one that was being answered: %s", got);
	for (int i = 0; i < 4; i++) {
		int fd = dial(f);
		say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		hear(fd, got, sizeof(got), "empty=0\n");
		cr_assert(strstr(got, "200 OK") != NULL, "%d: %s", i, got);
		close(fd);
	}
	cr_assert(closed_by_peer(idle[0]));
	for (int i = 0; i < 6; i++) {
		close(idle[i]);
	}
	close(busy);
}

Test(http_server, who_only_waits_gives_way)
{
	struct fixture f;
	run(&f, (struct lc_http_server_options){.max_connections = 3}, starving_script);
}

Test(http_server, connections_are_limited)
{
	struct fixture f;
	run(&f, (struct lc_http_server_options){.max_connections = 3}, limit_script);
}

static void loopback_script(void *arg)
{
	struct fixture *f = arg;
	struct ifaddrs *all;
	cr_assert_eq(getifaddrs(&all), 0);
	for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET) {
			continue;
		}
		char ip[INET_ADDRSTRLEN];
		struct sockaddr_in *in = (struct sockaddr_in *)(void *)i->ifa_addr;
		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		int fd = dial_to(ip, f->port);
		cr_assert_eq(fd >= 0, strcmp(ip, "127.0.0.1") == 0, "%s", ip);
		close(fd);
	}
	/* all of 127/8 is this host's, yet only the address asked for is bound */
	cr_assert_lt(dial_to("127.0.0.2", f->port), 0);
	freeifaddrs(all);
}

Test(http_server, bound_to_loopback_only)
{
	const char *addresses[] = {"127.0.0.1:0", ":0"};
	for (int i = 0; i < 2; i++) {
		struct fixture f;
		run(&f, (struct lc_http_server_options){.address = addresses[i]}, loopback_script);
	}
}

#define UPGRADE(path)                                                                       \
	"GET " path " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

/* A masked client frame with a mask of zeros. */
static void say_frame(int fd, unsigned char first, const char *text)
{
	size_t len = strlen(text);
	unsigned char frame[14 + 70000] = {first, 0x80, 0};
	size_t at = 2;
	if (len < 126) {
		frame[1] = (unsigned char)(0x80 | len);
	} else {
		frame[1] = 0x80 | 126;
		frame[2] = (unsigned char)(len >> 8);
		frame[3] = (unsigned char)len;
		at = 4;
	}
	memset(frame + at, 0, 4);
	memcpy(frame + at + 4, text, len);
	cr_assert_eq(send(fd, frame, at + 4 + len, MSG_NOSIGNAL), (ssize_t)(at + 4 + len));
}

static void ws_script(void *arg)
{
	struct fixture *f = arg;
	char got[4096];
	int fd = dial(f);
	say(fd, UPGRADE("/ws"));
	hear(fd, got, sizeof(got), "welcome");
	cr_assert(strstr(got, "HTTP/1.1 101 "), "%s", got);
	cr_assert(strcasestr(got, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "%s", got);
	say_frame(fd, 0x81, "hello");
	hear(fd, got, sizeof(got), "hello");
	cr_assert_eq((unsigned char)got[0], 0x81);
	say_frame(fd, 0x01, "frag");
	say_frame(fd, 0x80, "mented");
	hear(fd, got, sizeof(got), "fragmented");
	say_frame(fd, 0x81, "bye");
	size_t len = hear(fd, got, sizeof(got), "as you wish");
	cr_assert(len > 4 && (unsigned char)got[0] == 0x88, "%zu", len);
	cr_assert_eq((unsigned char)got[2] * 256 + (unsigned char)got[3], 4001);
	close(fd);
	/* a message over the limit */
	fd = dial(f);
	say(fd, UPGRADE("/ws"));
	hear(fd, got, sizeof(got), "welcome");
	char big[5001];
	memset(big, 'y', 5000);
	big[5000] = '\0';
	say_frame(fd, 0x81, big);
	len = hear(fd, got, sizeof(got), NULL);
	cr_assert(len < 200, "%zu", len);
	close(fd);
	/* refused with a status and a header */
	fd = dial(f);
	say(fd, UPGRADE("/other"));
	hear(fd, got, sizeof(got), NULL);
	cr_assert(strstr(got, "HTTP/1.1 429 Too Many Requests\r\n") == got, "%s", got);
	cr_assert(strstr(got, "Retry-After: 7\r\n"));
	close(fd);
	/* still open when the server goes */
	fd = dial(f);
	say(fd, UPGRADE("/ws"));
	hear(fd, got, sizeof(got), "welcome");
}

Test(http_server, websockets)
{
	struct fixture f;
	run(&f, (struct lc_http_server_options){.max_message_bytes = 4000}, ws_script);
	cr_assert_eq(f.opened, 3);
	cr_assert_eq(f.closed, 3);
}

static void held_script(void *arg)
{
	struct fixture *f = arg;
	int fd = dial(f);
	say(fd, UPGRADE("/ws"));
	struct timeval wait = {.tv_usec = 300000};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	char byte;
	cr_assert_eq(recv(fd, &byte, 1, 0), -1);
	cr_assert(errno == EAGAIN);
	close(fd);
}

Test(http_server, held_connections_hear_nothing)
{
	struct fixture f;
	setup(&f, (struct lc_http_server_options){0});
	lc_http_server_hold(f.server, true);
	lc_loop_job(f.loop, held_script, on_script_done, &f);
	lc_loop_run(f.loop);
	cr_assert_eq(f.destroyed, 1);
	lc_loop_destroy(f.loop);
	lc_metrics_destroy(f.metrics);
	lc_log_destroy(f.log);
}

Test(http_server, bad_options_are_refused)
{
	struct fixture f;
	setup(&f, (struct lc_http_server_options){0});
	char taken[32];
	snprintf(taken, sizeof(taken), "127.0.0.1:%d", f.port);
	const struct {
		const char *address, *cert;
		enum lc_err rc;
	} cases[] = {{"127.0.0.1", NULL, LC_ERR_INVALID}, {"127.0.0.1:x", NULL, LC_ERR_INVALID},
		{"127.0.0.1:70000", NULL, LC_ERR_INVALID}, {":", NULL, LC_ERR_INVALID},
		{"203.0.113.7:0", NULL, LC_ERR_IO}, {taken, NULL, LC_ERR_IO},
		{"127.0.0.1:0", "/nowhere.pem", LC_ERR_INVALID}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_http_server *server = NULL;
		struct lc_error err = {0};
		struct lc_http_server_options options = {.address = cases[i].address,
			.tls_cert = cases[i].cert,
			.on_request = on_request,
			.arg = &f};
		enum lc_err rc = lc_http_server_create(f.loop, &options, &server, &err);
		cr_assert_eq(rc, cases[i].rc, "%s: %d", cases[i].address, rc);
		cr_assert_null(server);
		cr_assert(err.text[0] != '\0');
	}
	lc_http_server_destroy(NULL, on_destroyed, &f);
	cr_assert_eq(f.destroyed, 0);
	on_script_done(&f, false);
	lc_loop_run(f.loop);
	lc_loop_destroy(f.loop);
	lc_metrics_destroy(f.metrics);
	lc_log_destroy(f.log);
}

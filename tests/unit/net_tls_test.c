/* That both clients verify certificates: against `openssl s_server`, with a certificate for
 * "localhost" made by the test. The server speaks HTTP and not WebSocket, so an upgrade that is
 * answered with 200 shows that TLS was fine. */
#include "livecore/http_client.h"
#include "livecore/ws_client.h"

#include "loop_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct tls_server {
	char dir[64], cert[96], key[96];
	pid_t pid;
	int port;
	FILE *out;
};

static void start_openssl(struct tls_server *server)
{
	int fds[2];
	cr_assert_eq(pipe(fds), 0);
	server->pid = fork();
	cr_assert_neq(server->pid, -1);
	if (server->pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(STDERR_FILENO); /* it tells of each refused handshake */
		close(fds[0]);
		execlp("openssl", "openssl", "s_server", "-4", "-accept", "0", "-cert",
			server->cert, "-key", server->key, "-www", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	server->out = fdopen(fds[0], "r");
	char line[200];
	while (server->port == 0 && fgets(line, sizeof line, server->out)) {
		const char *colon = strrchr(line, ':');
		if (strncmp(line, "ACCEPT", 6) == 0 && colon) {
			server->port = atoi(colon + 1);
		}
	}
	cr_assert_gt(server->port, 0, "openssl s_server did not start");
}

static void tls_server_open(struct tls_server *server)
{
	char command[600];
	*server = (struct tls_server){.dir = "/tmp/livecore-tls-XXXXXX"};
	cr_assert_not_null(mkdtemp(server->dir));
	snprintf(server->cert, sizeof server->cert, "%s/cert.pem", server->dir);
	snprintf(server->key, sizeof server->key, "%s/key.pem", server->dir);
	snprintf(command, sizeof command,
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
		"-subj /CN=localhost "
		"-addext subjectAltName=DNS:localhost -keyout %s -out %s 2>/dev/null",
		server->key, server->cert);
	cr_assert_eq(system(command), 0);
	start_openssl(server);
}

static void tls_server_close(struct tls_server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	fclose(server->out);
	unlink(server->cert);
	unlink(server->key);
	rmdir(server->dir);
}

static void on_flag(void *arg)
{
	*(bool *)arg = true;
}

struct ended {
	bool done;
	enum lc_err code;
	int status;
	char text[256];
};

static void on_ws_message(void *arg, struct lc_ws *ws, const void *data, size_t len, bool binary,
	int64_t received_wall_ns)
{
	(void)arg, (void)ws, (void)data, (void)len, (void)binary, (void)received_wall_ns;
	cr_assert_fail();
}

static void on_ws_close(void *arg, const struct lc_ws_closed *closed)
{
	struct ended *ended = arg;
	ended->done = true;
	ended->code = closed->err.code;
	ended->status = closed->http_status;
	snprintf(ended->text, sizeof ended->text, "%s", closed->err.text);
}

static void on_http_end(void *arg, const struct lc_http_answer *answer)
{
	struct ended *ended = arg;
	ended->done = true;
	ended->code = answer->err.code;
	ended->status = answer->status;
	snprintf(ended->text, sizeof ended->text, "%s", answer->err.text);
}

static const struct {
	const char *host;
	bool with_ca;
	bool good;
} cases[] = {
	{"localhost", true, true},
	{"127.0.0.1", true, false},
	{"localhost", false, false},
};

Test(net_tls, websocket_certificates_are_verified)
{
	struct fixture f;
	struct tls_server server;
	struct lc_ws_hub *hub;
	struct lc_error err = {0};
	fixture_open(&f);
	tls_server_open(&server);
	cr_assert_eq(lc_ws_hub_create(f.loop, &hub, &err), LC_OK);
	static const struct lc_ws_handler handler = {
		.on_message = on_ws_message, .on_close = on_ws_close};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char url[64];
		struct ended ended = {0};
		struct lc_ws *ws;
		snprintf(url, sizeof url, "wss://%s:%d/", cases[i].host, server.port);
		const struct lc_ws_options options = {
			.url = url, .ca_file = cases[i].with_ca ? server.cert : NULL};
		cr_assert_eq(lc_ws_connect(hub, &options, &handler, &ended, &ws, &err), LC_OK, "%s",
			err.text);
		run_until(&f, &ended.done);
		cr_assert_eq(ended.code, cases[i].good ? LC_ERR_REFUSED : LC_ERR_PROTOCOL,
			"%zu: %d %s", i, ended.code, ended.text);
		cr_assert_eq(ended.status, cases[i].good ? 200 : 0, "%zu: %s", i, ended.text);
	}
	bool gone = false;
	lc_ws_hub_destroy(hub, on_flag, &gone);
	run_until(&f, &gone);
	tls_server_close(&server);
	fixture_close(&f);
}

Test(net_tls, http_certificates_are_verified)
{
	struct fixture f;
	struct tls_server server;
	struct lc_error err = {0};
	fixture_open(&f);
	tls_server_open(&server);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char url[64];
		bool gone = false;
		struct ended ended = {0};
		struct lc_http *http;
		const struct lc_http_client_options options = {
			.ca_file = cases[i].with_ca ? server.cert : NULL};
		cr_assert_eq(lc_http_create(f.loop, &options, &http, &err), LC_OK);
		snprintf(url, sizeof url, "https://%s:%d/", cases[i].host, server.port);
		const struct lc_http_options get = {.url = url, .timeout_ms = 5000};
		cr_assert_eq(lc_http_send(http, &get, on_http_end, &ended, NULL, &err), LC_OK);
		run_until(&f, &ended.done);
		cr_assert_eq(ended.code, cases[i].good ? LC_OK : LC_ERR_PROTOCOL, "%zu: %d %s", i,
			ended.code, ended.text);
		cr_assert_eq(ended.status, cases[i].good ? 200 : 0);
		lc_http_destroy(http, on_flag, &gone);
		run_until(&f, &gone);
	}
	tls_server_close(&server);
	fixture_close(&f);
}

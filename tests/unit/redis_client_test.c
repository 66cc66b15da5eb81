#include "livecore/redis.h"

#include "tcp_server.h"

#include <stdio.h>

struct rig {
	struct fixture loop;
	struct tcp_server server;
	struct lc_redis *redis;
	bool up, down, answered;
	int downs, answers;
	char why[256], text[64];
	enum lc_err code;
	/* What the server says to the nth command of a connection; NULL: nothing. */
	const char *replies[8];
};

static void on_state(void *arg, bool up, const char *why)
{
	struct rig *rig = arg;
	rig->up = up;
	rig->down |= !up;
	rig->downs += !up;
	snprintf(rig->why, sizeof rig->why, "%s", why);
}

static void on_answer(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct rig *rig = arg;
	size_t len;
	const char *text = lc_redis_reply_text(reply, &len);
	rig->answered = true;
	rig->answers++;
	rig->code = err ? err->code : LC_OK;
	snprintf(rig->text, sizeof rig->text, "%.*s", (int)len, text ? text : "");
	if (lc_redis_reply_count(reply) == 2) {
		text = lc_redis_reply_text(lc_redis_reply_item(reply, 1), &len);
		snprintf(rig->text, sizeof rig->text, "%.*s", (int)len, text);
	}
}

/* One reply to each command; hiredis sends several in one piece. */
static void script(struct tcp_conn *conn)
{
	struct rig *rig = conn->server->arg;
	for (const char *at = conn->in; (at = strstr(at, "*")) != NULL; at++) {
		if (conn->stage < 8 && rig->replies[conn->stage]) {
			conn_puts(conn, rig->replies[conn->stage]);
		}
		conn->stage++;
	}
	conn_consume(conn, conn->in_len);
}

static void rig_open(struct rig *rig, const char *password, int64_t db)
{
	char address[32], user[] = "", word[32];
	fixture_open(&rig->loop);
	tcp_server_open(&rig->server, &rig->loop, script, rig);
	snprintf(address, sizeof address, "127.0.0.1:%d", rig->server.port);
	snprintf(word, sizeof word, "%s", password);
	const struct lc_redis_config config = {
		.address = address, .username = user, .password = word, .db = db, .timeout = 300};
	struct lc_error err;
	cr_assert_eq(
		lc_redis_create(rig->loop.loop, &config, on_state, rig, &rig->redis, &err), LC_OK);
}

static void rig_close(struct rig *rig)
{
	lc_redis_destroy(rig->redis);
	tcp_server_close(&rig->server);
	fixture_close(&rig->loop);
}

static void ask(struct rig *rig)
{
	const char *words[] = {"GET", "k"};
	rig->answered = false;
	cr_assert_eq(lc_redis_command(rig->redis, words, 2, on_answer, rig), LC_OK);
	cr_assert_not(rig->answered, "never from inside the call");
	run_until(&rig->loop, &rig->answered);
}

Test(redis_client, answers)
{
	struct rig rig = {.replies = {"+PONG\r\n", "$3\r\nabc\r\n", "$-1\r\n", "-ERR wrong\r\n",
				  "*2\r\n$1\r\n0\r\n$2\r\nxy\r\n"}};
	const char *words[] = {"GET", "k"};
	rig_open(&rig, "", 0);
	cr_assert_eq(lc_redis_command(rig.redis, words, 2, on_answer, &rig), LC_ERR_AGAIN);
	run_until(&rig.loop, &rig.up);
	ask(&rig);
	cr_assert(rig.code == LC_OK && !strcmp(rig.text, "abc"));
	ask(&rig);
	cr_assert(rig.code == LC_OK && !strcmp(rig.text, ""));
	ask(&rig);
	cr_assert_eq(rig.code, LC_ERR_REFUSED);
	cr_assert(lc_redis_up(rig.redis));
	ask(&rig);
	cr_assert(rig.code == LC_OK && !strcmp(rig.text, "xy"));
	rig_close(&rig);
}

/* What must end in a sentence about why, whatever the server does. */
Test(redis_client, greetings_that_fail)
{
	static const struct {
		const char *password, *replies[4], *why;
		int64_t db;
	} cases[] = {
		{"not-a-secret", {"-ERR unknown command 'AUTH' 'not-a-secret'\r\n", "+PONG\r\n"},
			"refuses redis.username"},
		{"", {"-NOAUTH Authentication required.\r\n"},
			"set redis.username and redis.password"},
		{"", {"-ERR DB index is out of range\r\n", "+PONG\r\n"}, "redis.db", 99},
		{"", {"-LOADING Redis is loading\r\n"}, "LOADING"},
		{"", {NULL}, "no answer within 300 ms"},
		{"", {"?nonsense\r\n"}, "Protocol error"},
		{"", {"*1000000\r\n"}, "memory"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig rig = {.up = false};
		memcpy(rig.replies, cases[i].replies, sizeof cases[i].replies);
		rig_open(&rig, cases[i].password, cases[i].db);
		run_until(&rig.loop, &rig.down);
		cr_assert(strstr(rig.why, cases[i].why), "%zu: %s", i, rig.why);
		cr_assert_not(strstr(rig.why, "not-a-secret"));
		cr_assert_str_eq(lc_redis_why(rig.redis), rig.why);
		rig_close(&rig);
	}
}

Test(redis_client, login_and_db)
{
	struct rig rig = {.replies = {"+OK\r\n", "+OK\r\n", "+PONG\r\n"}};
	rig_open(&rig, "not-a-secret", 3);
	run_until(&rig.loop, &rig.up);
	rig_close(&rig);
}

/* A server that stops answering costs what is in flight, and nothing more. */
Test(redis_client, hangs_and_comes_back)
{
	struct rig rig = {.replies = {"+PONG\r\n"}};
	const char *words[] = {"GET", "k"};
	rig_open(&rig, "", 0);
	run_until(&rig.loop, &rig.up);
	for (int i = 0; i < LC_REDIS_IN_FLIGHT_MAX; i++) {
		cr_assert_eq(lc_redis_command(rig.redis, words, 2, on_answer, &rig), LC_OK);
	}
	cr_assert_eq(lc_redis_command(rig.redis, words, 2, on_answer, &rig), LC_ERR_FULL);
	run_until(&rig.loop, &rig.down);
	cr_assert_eq(rig.answers, LC_REDIS_IN_FLIGHT_MAX);
	cr_assert_eq(rig.code, LC_ERR_TIMEOUT);
	run_until(&rig.loop, &rig.up);
	cr_assert_eq(rig.downs, 1);
	cr_assert_eq(rig.server.accepted, 2);
	rig_close(&rig);
}

Test(redis_client, refused)
{
	struct rig rig = {.up = false};
	rig_open(&rig, "", 0);
	tcp_server_close(&rig.server);
	run_until(&rig.loop, &rig.down);
	cr_assert(strstr(rig.why, "Connection refused"), "%s", rig.why);
	lc_redis_destroy(rig.redis);
	fixture_close(&rig.loop);
}

/* In every state, also with commands in flight. */
Test(redis_client, destroyed_at_any_time)
{
	for (int turns = 0; turns < 12; turns++) {
		struct rig rig = {.replies = {"+PONG\r\n"}};
		const char *words[] = {"GET", "k"};
		rig_open(&rig, "", 0);
		for (int i = 0; i < turns; i++) {
			uv_run(lc_loop_uv(rig.loop.loop), UV_RUN_NOWAIT);
			(void)lc_redis_command(rig.redis, words, 2, on_answer, &rig);
		}
		int answers = rig.answers;
		rig_close(&rig);
		cr_assert_eq(rig.answers, answers);
	}
}

Test(redis_client, addresses)
{
	static const char *const good[] = {"h", "h:1", "10.0.0.1:6379", "[::1]:6379", "[::1]"};
	static const char *const bad[] = {":6379", "h:0", "h:65536", "h:x", "::1", "[::1", "[::1]x",
		"a b", "redis://h:1", "u@h", "h:"};
	struct lc_error err;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		cr_assert_eq(
			lc_redis_section.settings[0].check(good[i], &err), LC_OK, "%s", good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_assert_neq(
			lc_redis_section.settings[0].check(bad[i], &err), LC_OK, "%s", bad[i]);
	}
}

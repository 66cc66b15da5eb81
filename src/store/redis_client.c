#include "livecore/redis.h"

#include "livecore/backoff.h"
#include "livecore/list.h"
#include "store/redis_settings.h"
#include "store/redis_poll.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_NS (LC_NS_PER_S / 4)
#define BACKOFF_MAX_NS (5 * LC_NS_PER_S)
#define BACKOFF_HEALTHY_NS (10 * LC_NS_PER_S)
#define WORDS_MAX 64

enum state { AWAY, RESOLVING, GREETING, UP };

struct command {
	struct lc_list node;
	lc_redis_cb cb;
	void *arg;
	int64_t deadline_ns; /* monotonic */
};

struct lc_redis {
	struct lc_loop *loop; /* borrowed */
	char host[256];
	int port;
	char *username, *password; /* owned; may be "" */
	int64_t db, timeout_ms;
	lc_redis_state_cb changed;
	void *arg;
	enum state state;
	struct lc_resolve *resolve;        /* owned while it runs */
	redisAsyncContext *ac;             /* hiredis frees it by itself when the connection ends */
	struct lc_timer *retry, *deadline; /* owned */
	struct lc_backoff backoff;
	struct lc_list commands; /* in flight, oldest first */
	size_t in_flight;
	int calling; /* depth of callbacks to the owner */
	bool told;   /* the owner and the log know of the state */
	char why[256];
	double *up;
	uint64_t *failures;
};

/* --- going away --- */

static void answer(struct lc_redis *redis, struct command *command, const redisReply *reply,
	const struct lc_error *err)
{
	lc_list_remove(&command->node);
	redis->in_flight--;
	redis->calling++;
	if (command->cb) {
		command->cb(command->arg, (const struct lc_redis_reply *)(const void *)reply, err);
	}
	redis->calling--;
	free(command);
}

/* hiredis answers everything in flight with nothing when a context goes; by then the context does
 * not know us any more. */
static void let_go(struct lc_redis *redis)
{
	redisAsyncContext *ac = redis->ac;
	redis->ac = NULL;
	if (ac) {
		ac->data = NULL;
	}
}

static void say_away(struct lc_redis *redis)
{
	if (redis->told) {
		return;
	}
	redis->told = true;
	lc_log(lc_loop_log(redis->loop), LC_LOG_WARN, "redis", "away", LC_S("reason", redis->why));
	if (redis->changed) {
		redis->calling++;
		redis->changed(redis->arg, false, redis->why);
		redis->calling--;
	}
}

/* The one way down, whatever happened; the context was let go. */
static void __attribute__((format(printf, 3, 4)))
go_away(struct lc_redis *redis, enum lc_err code, const char *format, ...)
{
	char text[160];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	struct lc_error err;
	lc_error_set(&err, code, "Redis at %.64s:%d: %s", redis->host, redis->port, text);
	if (redis->state == UP || strcmp(redis->why, err.text) != 0) {
		redis->told = false;
	}
	redis->state = AWAY;
	snprintf(redis->why, sizeof redis->why, "%s", err.text);
	*redis->up = 0;
	++*redis->failures;
	lc_timer_stop(redis->deadline);
	int64_t wait_ns = lc_backoff_down(
		&redis->backoff, lc_loop_random(redis->loop), lc_loop_mono_ns(redis->loop));
	lc_timer_start(redis->retry, wait_ns / LC_NS_PER_MS + 1, 0);
	while (!lc_list_empty(&redis->commands)) {
		answer(redis, container_of(redis->commands.next, struct command, node), NULL, &err);
	}
	say_away(redis);
}

static void __attribute__((format(printf, 3, 4)))
cut(struct lc_redis *redis, enum lc_err code, const char *format, ...)
{
	char text[160];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	redisAsyncContext *ac = redis->ac;
	let_go(redis);
	if (ac) {
		redisAsyncFree(ac); /* later, when this is a callback of its own */
	}
	go_away(redis, code, "%s", text);
}

/* --- commands --- */

static void on_reply(redisAsyncContext *ac, void *raw, void *arg)
{
	struct lc_redis *redis = ac->data;
	const redisReply *reply = raw;
	struct lc_error err;
	if (!redis) {
		return; /* the command was answered when we let the context go */
	}
	if (!reply) { /* hiredis is ending the connection */
		char why[sizeof ac->c.errstr];
		snprintf(why, sizeof why, "%s", ac->c.errstr);
		let_go(redis);
		go_away(redis, LC_ERR_CLOSED, "%s", why[0] ? why : "the answer is too large");
		return;
	}
	struct command *command = arg;
	if (reply->type == REDIS_REPLY_ERROR) {
		lc_error_set(&err, LC_ERR_REFUSED, "Redis answered: %.*s",
			(int)(reply->len < 200 ? reply->len : 200), reply->str);
		answer(redis, command, NULL, &err);
	} else {
		answer(redis, command, reply, NULL);
	}
}

static enum lc_err send(
	struct lc_redis *redis, const char *const *words, size_t count, lc_redis_cb cb, void *arg)
{
	size_t lens[WORDS_MAX], total = 0;
	const char *copy[WORDS_MAX];
	assert(count > 0 && count <= WORDS_MAX);
	for (size_t i = 0; i < count; i++) {
		copy[i] = words[i];
		lens[i] = strlen(words[i]);
		total += lens[i];
	}
	if (total > LC_REDIS_COMMAND_MAX) {
		return LC_ERR_TOO_LARGE;
	}
	struct command *command = calloc(1, sizeof *command);
	if (!command) {
		return LC_ERR_NOMEM;
	}
	*command = (struct command){.cb = cb, .arg = arg};
	command->deadline_ns = lc_loop_mono_ns(redis->loop) + redis->timeout_ms * LC_NS_PER_MS;
	if (redisAsyncCommandArgv(redis->ac, on_reply, command, (int)count, copy, lens) !=
		REDIS_OK) {
		free(command);
		return LC_ERR_AGAIN;
	}
	lc_list_append(&redis->commands, &command->node);
	redis->in_flight++;
	if (!lc_timer_active(redis->deadline)) {
		lc_timer_start(redis->deadline, redis->timeout_ms, 0);
	}
	return LC_OK;
}

static void on_deadline(void *arg)
{
	struct lc_redis *redis = arg;
	if (redis->state != UP) {
		if (redis->resolve) {
			lc_resolve_cancel(redis->resolve);
			redis->resolve = NULL;
		}
		cut(redis, LC_ERR_TIMEOUT, "no answer within %lld ms",
			(long long)redis->timeout_ms);
		return;
	}
	if (lc_list_empty(&redis->commands)) {
		return;
	}
	const struct command *oldest = container_of(redis->commands.next, struct command, node);
	int64_t left_ns = oldest->deadline_ns - lc_loop_mono_ns(redis->loop);
	if (left_ns > 0) {
		lc_timer_start(redis->deadline, left_ns / LC_NS_PER_MS + 1, 0);
		return;
	}
	cut(redis, LC_ERR_TIMEOUT, "no answer within %lld ms", (long long)redis->timeout_ms);
}

/* --- coming up: look-up, connection, login --- */

static void on_greeted(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct lc_redis *redis = arg;
	(void)reply;
	if (redis->state != GREETING) {
		return; /* it went away in between */
	}
	if (err) {
		bool auth = strstr(err->text, "NOAUTH") || strstr(err->text, "WRONGPASS");
		cut(redis, auth ? LC_ERR_AUTH : LC_ERR_REFUSED, "%s",
			auth ? "it wants another login: set redis.username and redis.password"
			     : err->text);
		return;
	}
	redis->state = UP;
	redis->why[0] = '\0';
	redis->told = true;
	*redis->up = 1;
	lc_timer_stop(redis->deadline);
	lc_backoff_up(&redis->backoff, lc_loop_mono_ns(redis->loop));
	lc_log(lc_loop_log(redis->loop), LC_LOG_INFO, "redis", "connected",
		LC_S("host", redis->host), LC_I("port", redis->port));
	if (redis->changed) {
		redis->calling++;
		redis->changed(redis->arg, true, "");
		redis->calling--;
	}
}

static void on_selected(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct lc_redis *redis = arg;
	(void)reply;
	if (err && redis->state == GREETING) {
		cut(redis, LC_ERR_REFUSED, "%s (redis.db)", err->text);
	}
}

/* Some servers say a command that they do not know with its words, so the answer to AUTH is not
 * repeated. */
static void on_login(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct lc_redis *redis = arg;
	(void)reply;
	if (err && redis->state == GREETING) {
		cut(redis, LC_ERR_AUTH, "it refuses redis.username and redis.password");
	}
}

static enum lc_err greet(struct lc_redis *redis)
{
	char db[24];
	snprintf(db, sizeof db, "%lld", (long long)redis->db);
	const char *login[] = {"AUTH", redis->username, redis->password};
	const char *old_login[] = {"AUTH", redis->password};
	const char *select[] = {"SELECT", db}, *ping[] = {"PING"};
	enum lc_err rc = LC_OK;
	if (redis->password[0]) {
		bool named = redis->username[0] != '\0';
		rc = send(redis, named ? login : old_login, named ? 3 : 2, on_login, redis);
	}
	if (rc == LC_OK && redis->db != 0) {
		rc = send(redis, select, 2, on_selected, redis);
	}
	return rc ? rc : send(redis, ping, 1, on_greeted, redis);
}

static void on_connected(const redisAsyncContext *ac, int status)
{
	struct lc_redis *redis = ac->data;
	if (!redis) {
		return;
	}
	if (status != REDIS_OK) {
		char why[sizeof ac->c.errstr];
		snprintf(why, sizeof why, "%s", ac->c.errstr);
		let_go(redis);
		go_away(redis, LC_ERR_REFUSED, "%s", why);
	}
}

static void on_disconnected(const redisAsyncContext *ac, int status)
{
	struct lc_redis *redis = ac->data;
	if (redis) {
		char why[sizeof ac->c.errstr];
		snprintf(why, sizeof why, "%s", ac->c.errstr);
		let_go(redis);
		go_away(redis, LC_ERR_CLOSED, "%s",
			status != REDIS_OK && why[0] ? why : "the connection was closed");
	}
}

static void connect_to(struct lc_redis *redis, const char *address)
{
	/* A numeric address: no look-up. */
	redisAsyncContext *ac = redisAsyncConnect(address, redis->port);
	if (!ac || ac->err ||
		redis_poll_attach(ac, lc_loop_uv(redis->loop), LC_REDIS_REPLY_MAX,
			LC_REDIS_ITEMS_MAX) != REDIS_OK) {
		char why[128];
		snprintf(why, sizeof why, "%s", ac && ac->err ? ac->errstr : "out of memory");
		if (ac) {
			redisAsyncFree(ac);
		}
		go_away(redis, LC_ERR_IO, "%s", why);
		return;
	}
	redis->ac = ac;
	ac->data = redis;
	redisAsyncSetConnectCallback(ac, on_connected);
	redisAsyncSetDisconnectCallback(ac, on_disconnected);
	/* The greeting waits in the context until the connection is there. */
	redis->state = GREETING;
	if (greet(redis) != LC_OK) {
		cut(redis, LC_ERR_NOMEM, "out of memory");
	}
}

static void on_resolved(
	void *arg, const char (*addresses)[46], size_t count, const struct lc_error *err)
{
	struct lc_redis *redis = arg;
	redis->resolve = NULL;
	if (count == 0) {
		go_away(redis, err->code, "%s", err->text);
		return;
	}
	/* Another address each time, so that one that is dead does not keep us away. */
	unsigned failures = lc_backoff_failures(&redis->backoff, lc_loop_mono_ns(redis->loop));
	connect_to(redis, addresses[failures % count]);
}

static void on_retry(void *arg)
{
	struct lc_redis *redis = arg;
	redis->state = RESOLVING;
	lc_timer_start(redis->deadline, redis->timeout_ms, 0);
	enum lc_err rc = lc_resolve_start(
		redis->loop, redis->host, on_resolved, redis, &redis->resolve);
	if (rc != LC_OK) {
		redis->resolve = NULL;
		go_away(redis, rc, "%s", lc_err_text(rc));
	}
}

/* --- public --- */

static enum lc_err make_parts(struct lc_redis *redis, const struct lc_redis_config *config)
{
	struct lc_metrics *metrics = lc_loop_metrics(redis->loop);
	redis->username = strdup(config->username);
	redis->password = strdup(config->password);
	if (!redis->username || !redis->password ||
		lc_timer_create(redis->loop, on_retry, redis, &redis->retry) != LC_OK ||
		lc_timer_create(redis->loop, on_deadline, redis, &redis->deadline) != LC_OK) {
		return LC_ERR_NOMEM;
	}
	lc_backoff_init(&redis->backoff, BACKOFF_FIRST_NS, BACKOFF_MAX_NS, BACKOFF_HEALTHY_NS);
	redis->up = lc_metrics_gauge(metrics, "livecore_redis_up", "", "1 when Redis answers");
	redis->failures = lc_metrics_counter(metrics, "livecore_redis_failures_total", "",
		"connections to Redis that failed or ended");
	return LC_OK;
}

enum lc_err lc_redis_create(struct lc_loop *loop, const struct lc_redis_config *config,
	lc_redis_state_cb state, void *arg, struct lc_redis **out, struct lc_error *err)
{
	struct lc_redis *redis = calloc(1, sizeof *redis);
	if (!redis) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	redis->loop = loop;
	redis->db = config->db;
	redis->timeout_ms = config->timeout;
	redis->changed = state;
	redis->arg = arg;
	lc_list_init(&redis->commands);
	snprintf(redis->why, sizeof redis->why, "not reached yet");
	enum lc_err rc = redis_address_parse(
		config->address, redis->host, sizeof redis->host, &redis->port);
	if (rc != LC_OK) {
		lc_error_set(err, rc, "redis.address: \"%.100s\" is no address: write HOST:PORT",
			config->address);
	} else if (make_parts(redis, config) != LC_OK) {
		rc = lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	if (rc != LC_OK) {
		lc_redis_destroy(redis);
		return rc;
	}
	lc_timer_start(redis->retry, 0, 0);
	*out = redis;
	return LC_OK;
}

void lc_redis_destroy(struct lc_redis *redis)
{
	if (!redis) {
		return;
	}
	assert(redis->calling == 0);
	if (redis->resolve) {
		lc_resolve_cancel(redis->resolve);
	}
	redisAsyncContext *ac = redis->ac;
	let_go(redis);
	if (ac) {
		redisAsyncFree(ac);
	}
	lc_list_each (node, &redis->commands) {
		free(container_of(node, struct command, node));
	}
	lc_timer_destroy(redis->retry);
	lc_timer_destroy(redis->deadline);
	free(redis->username);
	free(redis->password);
	free(redis);
}

bool lc_redis_up(const struct lc_redis *redis)
{
	return redis->state == UP;
}

const char *lc_redis_why(const struct lc_redis *redis)
{
	return redis->why;
}

enum lc_err lc_redis_command(
	struct lc_redis *redis, const char *const *words, size_t count, lc_redis_cb cb, void *arg)
{
	if (redis->state != UP) {
		return LC_ERR_AGAIN;
	}
	return redis->in_flight >= LC_REDIS_IN_FLIGHT_MAX ? LC_ERR_FULL
							  : send(redis, words, count, cb, arg);
}

static const redisReply *raw_reply(const struct lc_redis_reply *reply)
{
	return (const redisReply *)(const void *)reply;
}

const char *lc_redis_reply_text(const struct lc_redis_reply *reply, size_t *len)
{
	const redisReply *raw = raw_reply(reply);
	bool text = raw && (raw->type == REDIS_REPLY_STRING || raw->type == REDIS_REPLY_STATUS);
	*len = text ? (size_t)raw->len : 0;
	return text ? raw->str : NULL;
}

size_t lc_redis_reply_count(const struct lc_redis_reply *reply)
{
	const redisReply *raw = raw_reply(reply);
	return raw && raw->type == REDIS_REPLY_ARRAY ? raw->elements : 0;
}

const struct lc_redis_reply *lc_redis_reply_item(const struct lc_redis_reply *reply, size_t index)
{
	assert(index < lc_redis_reply_count(reply));
	return (const struct lc_redis_reply *)(const void *)raw_reply(reply)->element[index];
}

bool lc_redis_reply_failed(const struct lc_redis_reply *reply)
{
	return raw_reply(reply)->type == REDIS_REPLY_ERROR;
}

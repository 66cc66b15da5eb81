/* One connection to a Redis server (hiredis on the loop): it is kept up with backoff, logs in, and
 * carries commands. Loop thread. It never blocks, never queues what cannot be sent now, and never
 * says a secret; no TLS: Redis is meant to be near. A server that does not answer within
 * redis.timeout counts as away, so one that hangs costs what is in flight and no more. */
#pragma once

#include "livecore/config.h"
#include "livecore/error.h"
#include "livecore/loop.h"

#include <stddef.h>

struct lc_redis_config {
	char *address;             /* "host:port", "[v6]:port" or "host"; "" : no Redis */
	char *username, *password; /* secrets; "" : not sent */
	int64_t db;
	int64_t timeout; /* ms */
};

extern const struct lc_section lc_redis_section; /* struct lc_redis_config */

#define LC_REDIS_IN_FLIGHT_MAX 256
#define LC_REDIS_COMMAND_MAX ((size_t)1 << 20) /* bytes of one command's words */
#define LC_REDIS_REPLY_MAX ((size_t)16 << 20)  /* bytes; a larger answer ends the connection */
#define LC_REDIS_ITEMS_MAX 65536               /* items of one array; more end the connection */

struct lc_redis;
struct lc_redis_reply;

/* up: commands are taken from now on. Not up: why, one sentence. Called on a change only (of the
 * reason too), never from inside a call into this module. */
typedef void (*lc_redis_state_cb)(void *arg, bool up, const char *why);

/* Begins to connect. config is not kept. state may be NULL. LC_ERR_INVALID: address is none (or
 * ""); err says so. */
enum lc_err lc_redis_create(struct lc_loop *loop, const struct lc_redis_config *config,
	lc_redis_state_cb state, void *arg, struct lc_redis **out, struct lc_error *err);
/* Closes at once. Commands that were not answered never will be. Not from inside a callback of this
 * module. NULL is fine. */
void lc_redis_destroy(struct lc_redis *redis);

bool lc_redis_up(const struct lc_redis *redis);
/* Why it is not up, or "". Valid until the loop turns. */
const char *lc_redis_why(const struct lc_redis *redis);

/* Called exactly once unless the client is destroyed before, never from inside lc_redis_command().
 * err is NULL when the server did it, and reply is then its answer, valid during the call.
 * LC_ERR_REFUSED: the server answered with an error; other codes: the connection is lost, and
 * whether the command was done is not known. */
typedef void (*lc_redis_cb)(
	void *arg, const struct lc_redis_reply *reply, const struct lc_error *err);

/* Sends words[0..count) as one command; they are copied. cb may be NULL. LC_ERR_AGAIN: not
 * connected now; LC_ERR_FULL: too much is in flight; LC_ERR_TOO_LARGE. Then cb is not called. */
enum lc_err lc_redis_command(
	struct lc_redis *redis, const char *const *words, size_t count, lc_redis_cb cb, void *arg);

/* The text of a string, status or nil answer (nil and others: NULL with len 0). Not NUL-terminated
 * by contract. */
const char *lc_redis_reply_text(const struct lc_redis_reply *reply, size_t *len);
/* The items of an array; 0 for every other answer. */
size_t lc_redis_reply_count(const struct lc_redis_reply *reply);
const struct lc_redis_reply *lc_redis_reply_item(const struct lc_redis_reply *reply, size_t index);
/* The item of an EXEC's answer is an error. */
bool lc_redis_reply_failed(const struct lc_redis_reply *reply);

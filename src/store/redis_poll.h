/* hiredis on the libuv loop. The adapter that comes with hiredis never reports a refused
 * connection: libuv says it as an error of the poll, which that adapter passes over. This one hands
 * it on, and bounds what an answer may hold. Loop thread. */
#pragma once

#include <hiredis/async.h>
#include <stddef.h>

struct uv_loop_s;

/* Attaches a context that was just made; call before its callbacks are set. The context frees what
 * is made here when it is freed. */
int redis_poll_attach(
	redisAsyncContext *ac, struct uv_loop_s *loop, size_t max_bytes, size_t max_items);

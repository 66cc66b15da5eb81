#include "store/redis_poll.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#if HIREDIS_MAJOR >= 1
#define ITEMS size_t
#else
#define ITEMS int
#endif

struct redis_poll {
	uv_poll_t poll;
	redisAsyncContext *ac; /* borrowed; NULL once it was freed */
	int events;
	size_t max_bytes, max_items;
	redisReplyObjectFunctions functions; /* hiredis's own, but for createArray */
	void *(*create_array)(const redisReadTask *task, ITEMS count);
};

static void *on_array(const redisReadTask *task, ITEMS count)
{
	struct redis_poll *poll = task->privdata;
	/* It allocates for what is announced, not for what came. */
	return (size_t)count <= poll->max_items ? poll->create_array(task, count) : NULL;
}

static void on_event(uv_poll_t *handle, int status, int events)
{
	struct redis_poll *poll = handle->data;
	if (status != 0) {
		/* A connection that failed: hiredis asks the socket why. libuv has stopped the
		 * poll. */
		if (poll->ac->c.flags & REDIS_CONNECTED) {
			redisAsyncHandleRead(poll->ac);
		} else {
			redisAsyncHandleWrite(poll->ac);
		}
		return;
	}
	if (events & UV_READABLE) {
		if (poll->ac->c.reader->len > poll->max_bytes) {
			redisAsyncFree(poll->ac);
			return;
		}
		redisAsyncHandleRead(poll->ac);
	}
	if (poll->ac && (events & UV_WRITABLE)) {
		redisAsyncHandleWrite(poll->ac);
	}
}

static void watch(struct redis_poll *poll, int events)
{
	poll->events = events;
	if (events) {
		uv_poll_start(&poll->poll, events, on_event);
	} else {
		uv_poll_stop(&poll->poll);
	}
}

static void on_add_read(void *arg)
{
	struct redis_poll *poll = arg;
	watch(poll, poll->events | UV_READABLE);
}

static void on_del_read(void *arg)
{
	struct redis_poll *poll = arg;
	watch(poll, poll->events & ~UV_READABLE);
}

static void on_add_write(void *arg)
{
	struct redis_poll *poll = arg;
	watch(poll, poll->events | UV_WRITABLE);
}

static void on_del_write(void *arg)
{
	struct redis_poll *poll = arg;
	watch(poll, poll->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_cleanup(void *arg)
{
	struct redis_poll *poll = arg;
	poll->ac = NULL;
	uv_close((uv_handle_t *)&poll->poll, on_closed);
}

int redis_poll_attach(
	redisAsyncContext *ac, struct uv_loop_s *loop, size_t max_bytes, size_t max_items)
{
	struct redis_poll *poll = calloc(1, sizeof *poll);
	if (!poll || uv_poll_init(loop, &poll->poll, ac->c.fd) != 0) {
		free(poll);
		return REDIS_ERR;
	}
	poll->poll.data = poll;
	poll->ac = ac;
	poll->max_bytes = max_bytes;
	poll->max_items = max_items;
	poll->functions = *ac->c.reader->fn;
	poll->create_array = poll->functions.createArray;
	poll->functions.createArray = on_array;
	ac->c.reader->fn = &poll->functions;
	ac->c.reader->privdata = poll;
	ac->ev.data = poll;
	ac->ev.addRead = on_add_read;
	ac->ev.delRead = on_del_read;
	ac->ev.addWrite = on_add_write;
	ac->ev.delWrite = on_del_write;
	ac->ev.cleanup = on_cleanup;
	return REDIS_OK;
}

#include "livecore/child.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define LINE_MAX_BYTES 4096
#define TERM_MS 1000 /* to end after SIGTERM; then it is killed */

struct lc_child {
	uv_process_t process;
	uv_pipe_t input, output;
	uv_timer_t patience;
	struct lc_child_handler handler;
	void *arg;
	char line[LINE_MAX_BYTES];
	size_t len;
	int open; /* handles that are not closed yet */
	bool running, destroyed;
	void (*done)(void *arg);
	void *done_arg;
};

static void on_closed(uv_handle_t *handle)
{
	struct lc_child *child = handle->data;
	if (--child->open > 0) {
		return;
	}
	void (*done)(void *) = child->done;
	void *arg = child->done_arg;
	free(child);
	if (done) {
		done(arg);
	}
}

static void close_handle(void *handle)
{
	if (!uv_is_closing(handle)) {
		uv_close(handle, on_closed);
	}
}

static void close_pipes(struct lc_child *child)
{
	close_handle(&child->input);
	close_handle(&child->output);
}

static void close_all(struct lc_child *child)
{
	close_pipes(child);
	close_handle(&child->patience);
	close_handle(&child->process);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct lc_child *child = handle->data;
	(void)suggested;
	*buf = uv_buf_init(child->line + child->len, (unsigned)(LINE_MAX_BYTES - 1 - child->len));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct lc_child *child = stream->data;
	(void)buf;
	if (nread < 0) {
		uv_read_stop(stream);
		return;
	}
	child->len += (size_t)nread;
	char *end;
	while (!child->destroyed && (end = memchr(child->line, '\n', child->len)) != NULL) {
		*end = '\0';
		child->handler.line(child->arg, child->line);
		size_t used = (size_t)(end + 1 - child->line);
		memmove(child->line, end + 1, child->len - used);
		child->len -= used;
	}
	if (child->len == LINE_MAX_BYTES - 1) {
		child->len = 0; /* no line of ours is so long */
	}
}

static void on_child_exit(uv_process_t *process, int64_t status, int signo)
{
	struct lc_child *child = process->data;
	child->running = false;
	if (child->destroyed) {
		close_all(child);
	} else if (child->handler.exited) {
		child->handler.exited(child->arg, status, signo);
	}
}

static void on_impatient(uv_timer_t *timer)
{
	struct lc_child *child = timer->data;
	uv_process_kill(&child->process, SIGKILL);
}

static int spawn(struct lc_loop *loop, struct lc_child *child, const char *const *args)
{
	uv_stdio_container_t stdio[3] = {
		{.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_READABLE_PIPE),
			.data.stream = (uv_stream_t *)&child->input},
		{.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE),
			.data.stream = (uv_stream_t *)&child->output},
		{.flags = UV_INHERIT_FD, .data.fd = 2},
	};
	uv_process_options_t options = {.file = args[0],
		.exit_cb = on_child_exit,
		.stdio = stdio,
		.stdio_count = 3,
		.flags = UV_PROCESS_DETACHED};
	/* libuv does not write to them, but does not say const. */
	memcpy(&options.args, &args, sizeof args);
	return uv_spawn(lc_loop_uv(loop), &child->process, &options);
}

enum lc_err lc_child_start(struct lc_loop *loop, const char *const *args,
	const struct lc_child_handler *handler, void *arg, struct lc_child **out,
	struct lc_error *err)
{
	struct lc_child *child = calloc(1, sizeof *child);
	if (!child) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	child->handler = *handler;
	child->arg = arg;
	child->process.data = child->input.data = child->output.data = child->patience.data = child;
	uv_timer_init(lc_loop_uv(loop), &child->patience);
	uv_pipe_init(lc_loop_uv(loop), &child->input, 0);
	uv_pipe_init(lc_loop_uv(loop), &child->output, 0);
	child->open = 4;
	int rc = spawn(loop, child, args);
	if (rc != 0) {
		child->destroyed = true;
		close_all(child);
		return lc_error_set(
			err, LC_ERR_IO, "cannot start %s: %s", args[0], uv_strerror(rc));
	}
	child->running = true;
	uv_read_start((uv_stream_t *)&child->output, on_alloc, on_read);
	*out = child;
	return LC_OK;
}

void lc_child_destroy(struct lc_child *child, void (*done)(void *arg), void *arg)
{
	if (!child) {
		return;
	}
	child->destroyed = true;
	child->done = done;
	child->done_arg = arg;
	if (!child->running) {
		close_all(child);
		return;
	}
	/* It is waited for: nobody else would, and it would stay as a zombie. */
	close_pipes(child);
	uv_process_kill(&child->process, SIGTERM);
	uv_timer_start(&child->patience, on_impatient, TERM_MS, 0);
}

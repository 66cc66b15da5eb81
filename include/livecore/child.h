/* A child process whose standard output is read line by line and which ends with us: its standard
 * input is a pipe that closes when we die. Loop thread. For the demo's simulators; nothing else
 * starts processes. */
#pragma once

#include "livecore/loop.h"

struct lc_child;

struct lc_child_handler {
	/* One line of its standard output, without the newline. */
	void (*line)(void *arg, const char *text);
	/* It ended by itself or was killed. Not called after lc_child_destroy(). */
	void (*exited)(void *arg, int64_t status, int signo);
};

/* args[0] is the program's path, ended by NULL. It runs in a session of its own, so that a Ctrl-C
 * in our terminal does not reach it. Its standard error is ours. Errors: LC_ERR_IO with err,
 * LC_ERR_NOMEM. */
enum lc_err lc_child_start(struct lc_loop *loop, const char *const *args,
	const struct lc_child_handler *handler, void *arg, struct lc_child **out,
	struct lc_error *err);

/* Sends SIGTERM, and SIGKILL when it does not end within a second; done (may be NULL) is called
 * once, later, when it has ended and the loop holds nothing of it any more. */
void lc_child_destroy(struct lc_child *child, void (*done)(void *arg), void *arg);

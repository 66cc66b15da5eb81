#include "bus_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#define LEAVE_MS 3000 /* a client that does not end by then is left to itself */
#define IDLE_MS 1000

struct event_port {
	uv_poll_t poll;
	struct lc_timer *idle;
	rd_kafka_queue_t *queue; /* owned */
	void (*on_ready)(void *arg);
	void *arg;
	int fd;
	int holders; /* the poll handle, and a client left behind: librdkafka writes to fd */
};

/* A client on its way out. */
struct take_down {
	struct lc_loop *loop;
	rd_kafka_t *rk;
	struct event_port *port;
	void (*done)(void *arg);
	void *arg;
	struct lc_timer *late;
	bool left; /* done() was called; the thread goes on by itself */
};

static void wake_fd(int fd)
{
	uint64_t one = 1;
	/* It fails only when the counter is full, and then the loop is woken anyway. */
	while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	struct event_port *port = poll->data;
	uint64_t count;
	while (read(port->fd, &count, sizeof count) < 0 && errno == EINTR) {
	}
	port->on_ready(port->arg);
}

static void on_idle(void *arg)
{
	struct event_port *port = arg;
	port->on_ready(port->arg);
}

static void let_go(struct event_port *port)
{
	if (--port->holders == 0) {
		close(port->fd);
		free(port);
	}
}

static void on_closed(uv_handle_t *handle)
{
	let_go(handle->data);
}

enum lc_err event_port_create(struct lc_loop *loop, rd_kafka_queue_t *queue,
	void (*on_ready)(void *arg), void *arg, struct event_port **out)
{
	struct event_port *port = calloc(1, sizeof *port);
	if (!port) {
		return LC_ERR_NOMEM;
	}
	port->holders = 1;
	port->queue = queue;
	port->on_ready = on_ready;
	port->arg = arg;
	port->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (port->fd < 0) {
		goto free_port;
	}
	if (lc_timer_create(loop, on_idle, port, &port->idle)) {
		goto close_fd;
	}
	if (uv_poll_init(lc_loop_uv(loop), &port->poll, port->fd)) {
		goto destroy_timer;
	}
	port->poll.data = port;
	uv_poll_start(&port->poll, UV_READABLE, on_poll);
	lc_timer_start(port->idle, IDLE_MS, IDLE_MS);
	static const uint64_t one = 1;
	rd_kafka_queue_io_event_enable(queue, port->fd, &one, sizeof one);
	wake_fd(port->fd); /* what came before the line above was not told */
	*out = port;
	return LC_OK;
destroy_timer:
	lc_timer_destroy(port->idle);
close_fd:
	close(port->fd);
free_port:
	free(port);
	return LC_ERR_IO;
}

rd_kafka_queue_t *event_port_queue(struct event_port *port)
{
	return port->queue;
}

void event_port_again(struct event_port *port)
{
	wake_fd(port->fd);
}

static void work_take_down(void *arg)
{
	struct take_down *down = arg;
	/* Readers are in no group: there is nothing to leave, and so nothing to wait for. */
	rd_kafka_destroy_flags(down->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void on_taken_down(void *arg, bool cancelled)
{
	struct take_down *down = arg;
	if (cancelled) {
		work_take_down(down);
	}
	lc_timer_destroy(down->late);
	/* Only now: librdkafka's threads wrote to the port's descriptor until they were joined. */
	if (down->left && down->port) {
		let_go(down->port);
	} else if (down->port) {
		uv_close((uv_handle_t *)&down->port->poll, on_closed);
	}
	if (!down->left && down->done) {
		down->done(down->arg);
	}
	free(down);
}

/* A broker's thread that waits for a resolver that does not answer cannot be joined for minutes. It
 * has no connection then, so nothing can come of it any more. */
static void on_late(void *arg)
{
	struct take_down *down = arg;
	lc_log(lc_loop_log(down->loop), LC_LOG_WARN, "kafka", "client_left_behind",
		LC_S("reason", "its threads do not end: does the resolver of names answer?"));
	down->left = true;
	lc_timer_destroy(down->late);
	down->late = NULL;
	if (down->port) {
		down->port->holders = 2;
		uv_close((uv_handle_t *)&down->port->poll, on_closed);
	}
	if (down->done) {
		down->done(down->arg);
	}
}

static void port_detach(struct event_port *port)
{
	uv_poll_stop(&port->poll);
	lc_timer_destroy(port->idle);
	rd_kafka_queue_io_event_enable(port->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(port->queue);
}

void kafka_take_down(struct lc_loop *loop, rd_kafka_t *rk, struct event_port *port,
	void (*done)(void *arg), void *arg)
{
	if (port) {
		port_detach(port);
	}
	struct take_down *down = malloc(sizeof *down);
	struct take_down fallback = {
		.loop = loop, .rk = rk, .port = port, .done = done, .arg = arg};
	if (down) {
		*down = fallback;
		/* Without memory for the timer it is waited for, as long as it takes. */
		if (!lc_timer_create(loop, on_late, down, &down->late)) {
			lc_timer_start(down->late, LEAVE_MS, 0);
		}
		if (!lc_loop_job(loop, work_take_down, on_taken_down, down)) {
			return;
		}
		lc_timer_destroy(down->late);
		free(down);
	}
	/* No memory for a job: a few milliseconds on the loop are the lesser evil. */
	work_take_down(&fallback);
	if (port) {
		uv_close((uv_handle_t *)&port->poll, on_closed);
	}
	if (done) {
		done(arg);
	}
}

void kafka_log_event(struct lc_loop *loop, rd_kafka_event_t *event)
{
	const char *facility = NULL, *text = NULL;
	int level = 7;
	if (rd_kafka_event_log(event, &facility, &text, &level)) {
		return;
	}
	enum lc_log_level ours = level <= 3 ? LC_LOG_WARN : level <= 5 ? LC_LOG_INFO : LC_LOG_DEBUG;
	/* kafka.properties go to every kind of client, and each ignores some; failures come as
	 * error events too, and are logged there. */
	if (facility && (!strcmp(facility, "CONFWARN") || !strcmp(facility, "FAIL"))) {
		ours = LC_LOG_DEBUG;
	}
	lc_log(lc_loop_log(loop), ours, "kafka", "librdkafka", LC_S("facility", facility),
		LC_S("text", text));
}

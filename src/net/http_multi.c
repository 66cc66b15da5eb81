#include "http_priv.h"

#include <stdlib.h>

/* One socket of curl's, watched by the loop. */
struct sock {
	struct lc_list node;
	uv_poll_t poll;
	struct lc_http *http; /* borrowed: waits for this to be closed */
	curl_socket_t fd;
};

static void collect_ended(struct lc_http *http)
{
	int left;
	for (CURLMsg *msg; (msg = curl_multi_info_read(http->multi, &left));) {
		if (msg->msg == CURLMSG_DONE) {
			struct lc_http_request *request;
			curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&request);
			lc_http_end(request, LC_OK, msg->data.result);
		}
	}
}

static void act(struct lc_http *http, curl_socket_t fd, int mask)
{
	int running;
	curl_multi_socket_action(http->multi, fd, mask, &running);
	collect_ended(http);
}

static void on_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct sock *sock = container_of(poll, struct sock, poll);
	int mask = status < 0 ? CURL_CSELECT_ERR : 0;
	mask |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
	mask |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	act(sock->http, sock->fd, mask);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct lc_http *http = arg;
	(void)multi;
	if (timeout_ms < 0) {
		lc_timer_stop(http->timer);
	} else {
		lc_timer_start(http->timer, timeout_ms, 0);
	}
	return 0;
}

/* The last of it: nothing of curl's is left and every poll handle is closed. */
static void finish_destroy(struct lc_http *http)
{
	void (*done)(void *) = http->on_destroyed;
	void *arg = http->on_destroyed_arg;
	lc_timer_destroy(http->timer);
	lc_drain_destroy(http->drain);
	free(http->ca_file);
	free(http->user_agent);
	free(http);
	curl_global_cleanup();
	if (done) {
		done(arg);
	}
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct sock *sock = handle->data;
	struct lc_http *http = sock->http;
	free(sock);
	http->polls--;
	if (http->multi_gone && http->polls == 0) {
		finish_destroy(http);
	}
}

static void unwatch(struct sock *sock)
{
	lc_list_remove(&sock->node);
	uv_close((uv_handle_t *)&sock->poll, on_poll_closed);
}

static struct sock *watch(struct lc_http *http, curl_socket_t fd)
{
	struct sock *sock = calloc(1, sizeof *sock);
	if (!sock) {
		return NULL;
	}
	if (uv_poll_init_socket(lc_loop_uv(http->loop), &sock->poll, fd)) {
		free(sock);
		return NULL;
	}
	sock->poll.data = sock;
	sock->http = http;
	sock->fd = fd;
	http->polls++;
	lc_list_append(&http->socks, &sock->node);
	curl_multi_assign(http->multi, fd, sock);
	return sock;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct lc_http *http = arg;
	struct sock *sock = socket_arg;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (sock) {
			curl_multi_assign(http->multi, fd, NULL);
			unwatch(sock);
		}
		return 0;
	}
	if (!sock && !(sock = watch(http, fd))) {
		return -1;
	}
	int events = what == CURL_POLL_IN    ? UV_READABLE
		     : what == CURL_POLL_OUT ? UV_WRITABLE
					     : UV_READABLE | UV_WRITABLE;
	return uv_poll_start(&sock->poll, events, on_poll) ? -1 : 0;
}

/* One answer a turn: what a caller does with a body may take a while. */
static bool answer_one(struct lc_http *http)
{
	if (lc_list_empty(&http->ended)) {
		return false;
	}
	struct lc_http_request *request = container_of(
		http->ended.next, struct lc_http_request, node);
	lc_list_remove(&request->node);
	curl_multi_remove_handle(http->multi, request->easy);
	if (!request->cancelled) {
		lc_buf_putc(&request->body, '\0');
		bool whole = !request->body.failed;
		request->answer.body = whole ? request->body.data : "";
		request->answer.body_len = whole ? request->body.len - 1 : 0;
		request->handler.on_end(request->arg, &request->answer);
	}
	lc_http_request_free(request);
	return !lc_list_empty(&http->ended);
}

/* Going on may hand data over at once, so it is done here and not inside lc_http_resume(). */
static void resume_streams(struct lc_http *http)
{
	lc_list_each (node, &http->active) {
		struct lc_http_request *request = container_of(node, struct lc_http_request, node);
		if (request->curl_paused && !request->paused) {
			request->curl_paused = false;
			curl_easy_pause(request->easy, CURLPAUSE_CONT);
			break; /* the callback may have changed the list; the next one has its turn
				  at once */
		}
	}
}

static bool resume_wanted(struct lc_http *http)
{
	lc_list_each (node, &http->active) {
		struct lc_http_request *request = container_of(node, struct lc_http_request, node);
		if (request->curl_paused && !request->paused) {
			return true;
		}
	}
	return false;
}

static void close_multi(struct lc_http *http)
{
	curl_multi_cleanup(http->multi);
	http->multi_gone = true;
	/* curl does not promise to let go of every socket one by one here. */
	lc_list_each (node, &http->socks) {
		unwatch(container_of(node, struct sock, node));
	}
	if (http->polls == 0) {
		finish_destroy(http);
	}
}

static bool on_drain(void *arg)
{
	struct lc_http *http = arg;
	resume_streams(http);
	collect_ended(http);
	if (answer_one(http) || resume_wanted(http)) {
		return true;
	}
	if (http->destroying && !http->multi_gone && lc_list_empty(&http->active) &&
		lc_list_empty(&http->ended)) {
		close_multi(http);
	}
	return false;
}

enum lc_err lc_http_multi_open(struct lc_http *http, long max_host_connections)
{
	http->multi = curl_multi_init();
	if (!http->multi) {
		return LC_ERR_NOMEM;
	}
	enum lc_err err = lc_timer_create(http->loop, on_timer, http, &http->timer);
	if (err == LC_OK) {
		err = lc_drain_create(http->loop, on_drain, http, &http->drain);
	}
	if (err != LC_OK) {
		lc_timer_destroy(http->timer);
		curl_multi_cleanup(http->multi);
		return err;
	}
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, max_host_connections);
	return LC_OK;
}

void lc_http_end(struct lc_http_request *request, enum lc_err err, CURLcode result)
{
	if (request->ended) {
		return;
	}
	request->ended = true;
	if (err != LC_OK) {
		request->own_err = err;
	}
	if (request->idle) {
		lc_timer_stop(request->idle);
	}
	lc_http_transfer_finish(request, result);
	lc_list_remove(&request->node);
	lc_list_append(&request->http->ended, &request->node);
	lc_drain_wake(request->http->drain);
}

void lc_http_request_free(struct lc_http_request *request)
{
	lc_timer_destroy(request->idle);
	curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->headers);
	lc_buf_finish(&request->body);
	free(request);
}

#include "livecore/http_client.h"

#include "http_priv.h"
#include "livecore/url.h"

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_BODY_BYTES (16u * 1024 * 1024)
#define DEFAULT_MAX_HOST_CONNECTIONS 8

static char *copy_text(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* A directory of authorities named by hash, of which OpenSSL opens the one it needs. curl would
 * rather read the file with all of them, which takes 50 ms of the loop at the first connection. */
static bool is_hashed(const char *path)
{
	DIR *dir = path ? opendir(path) : NULL;
	bool found = false;
	for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
		found = strlen(entry->d_name) == 10 &&
			strspn(entry->d_name, "0123456789abcdef") == 8 &&
			strcmp(entry->d_name + 8, ".0") == 0;
	}
	if (dir) {
		closedir(dir);
	}
	return found;
}

static enum lc_err check_options(
	const struct lc_http *http, const struct lc_http_options *options, struct lc_error *err)
{
	if (http->destroying) {
		return lc_error_set(err, LC_ERR_CLOSED, "the HTTP client is being destroyed");
	}
	struct lc_url url;
	enum lc_err code = lc_url_parse(options->url, &url, err);
	if (code == LC_OK && url.websocket) {
		code = lc_error_set(
			err, LC_ERR_INVALID, "a URL for HTTP begins with http:// or https://");
	}
	return code;
}

static struct lc_http_request *new_request(struct lc_http *http,
	const struct lc_http_stream_handler *handler, void *arg, size_t max_body_bytes)
{
	struct lc_http_request *request = calloc(1, sizeof *request);
	if (!request) {
		return NULL;
	}
	lc_list_init(&request->node);
	request->http = http;
	request->handler = *handler;
	request->arg = arg;
	request->stream = handler->on_data != NULL;
	request->answer.retry_after_s = -1;
	request->received_wall_ns = lc_loop_wall_ns(http->loop);
	size_t limit = max_body_bytes ? max_body_bytes : DEFAULT_MAX_BODY_BYTES;
	lc_buf_init(&request->body, limit + 1);
	request->easy = curl_easy_init();
	if (!request->easy) {
		lc_http_request_free(request);
		return NULL;
	}
	return request;
}

static enum lc_err start(struct lc_http *http, const struct lc_http_options *options,
	const struct lc_http_stream_handler *handler, void *arg, struct lc_http_request **out,
	struct lc_error *err)
{
	enum lc_err code = check_options(http, options, err);
	if (code != LC_OK) {
		return code;
	}
	struct lc_http_request *request = new_request(http, handler, arg, options->max_body_bytes);
	if (!request) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	code = lc_http_transfer_setup(request, options);
	if (code == LC_OK && curl_multi_add_handle(http->multi, request->easy)) {
		code = LC_ERR_NOMEM;
	}
	if (code != LC_OK) {
		lc_http_request_free(request);
		return lc_error_set(err, code, "cannot start a request: %s",
			code == LC_ERR_INVALID ? "a header has a line break" : lc_err_text(code));
	}
	lc_list_append(&http->active, &request->node);
	if (request->idle) {
		lc_timer_start(request->idle, request->idle_timeout_ms, 0);
	}
	if (out) {
		*out = request;
	}
	return LC_OK;
}

const char *lc_http_library_version(void)
{
	return curl_version();
}

enum lc_err lc_http_create(struct lc_loop *loop, const struct lc_http_client_options *options,
	struct lc_http **out, struct lc_error *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
		return lc_error_set(err, LC_ERR_IO, "libcurl cannot be initialised");
	}
	struct lc_http *http = calloc(1, sizeof *http);
	if (!http) {
		goto global;
	}
	http->loop = loop;
	lc_list_init(&http->active);
	lc_list_init(&http->ended);
	lc_list_init(&http->socks);
	http->ca_file = copy_text(options ? options->ca_file : NULL);
	http->user_agent = copy_text(
		options && options->user_agent ? options->user_agent : "livecore/" LC_VERSION);
	if (!http->user_agent || (options && options->ca_file && !http->ca_file)) {
		goto strings;
	}
	http->hashed_authorities = is_hashed(curl_version_info(CURLVERSION_NOW)->capath);
	long max = options ? options->max_host_connections : 0;
	if (lc_http_multi_open(http, max > 0 ? max : DEFAULT_MAX_HOST_CONNECTIONS) != LC_OK) {
		goto strings;
	}
	*out = http;
	return LC_OK;
strings:
	free(http->ca_file);
	free(http->user_agent);
	free(http);
global:
	curl_global_cleanup();
	return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
}

void lc_http_destroy(struct lc_http *http, void (*done)(void *arg), void *arg)
{
	if (!http) {
		return;
	}
	assert(!http->destroying);
	http->destroying = true;
	http->on_destroyed = done;
	http->on_destroyed_arg = arg;
	lc_list_each (node, &http->active) {
		lc_http_end(container_of(node, struct lc_http_request, node), LC_ERR_CANCELLED,
			CURLE_OK);
	}
	lc_drain_wake(http->drain);
}

enum lc_err lc_http_send(struct lc_http *http, const struct lc_http_options *options,
	lc_http_done_cb done, void *arg, struct lc_http_request **out, struct lc_error *err)
{
	const struct lc_http_stream_handler handler = {.on_end = done};
	return start(http, options, &handler, arg, out, err);
}

enum lc_err lc_http_stream(struct lc_http *http, const struct lc_http_options *options,
	const struct lc_http_stream_handler *handler, void *arg, struct lc_http_request **out,
	struct lc_error *err)
{
	assert(handler->on_data && handler->on_end);
	return start(http, options, handler, arg, out, err);
}

void lc_http_pause(struct lc_http_request *request)
{
	request->paused = true; /* curl learns it when it has the next bytes */
	if (request->idle) {
		lc_timer_stop(request->idle);
	}
}

void lc_http_resume(struct lc_http_request *request)
{
	if (!request->paused) {
		return;
	}
	request->paused = false;
	if (request->idle && !request->ended) {
		lc_timer_start(request->idle, request->idle_timeout_ms, 0);
	}
	if (request->curl_paused) {
		lc_drain_wake(request->http->drain);
	}
}

void lc_http_cancel(struct lc_http_request *request)
{
	if (request) {
		request->cancelled = true;
		lc_http_end(request, LC_ERR_CANCELLED, CURLE_OK);
	}
}

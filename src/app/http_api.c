#include "app/http_api.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define METRICS_MAX (4 * 1024 * 1024)
#define SERIES_A_STEP 100

struct lc_api {
	struct lc_loop *loop;
	struct lc_manager *manager; /* borrowed; NULL before it is made and once it is gone */
	bool began;                 /* there was a manager */
	/* Of a role without a manager; may be NULL. */
	enum lc_ready (*ready)(void *arg, struct lc_buf *out);
	void *ready_arg;
	struct lc_http_server *server;
	double *cpu, *resident, *started, *open_fds, *max_fds; /* process figures */
	void (*done)(void *arg);
	void *done_arg;
};

/* One rendering of /metrics, in slices. */
struct rendering {
	struct lc_exchange *exchange;
	struct lc_metrics *metrics;
	struct lc_slice *slice;
	struct lc_buf page;
	size_t cursor;
};

/* --- process figures --- */

static double resident_bytes(void)
{
	char text[128];
	unsigned long long pages = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	if (fd >= 0) {
		close(fd);
	}
	text[len > 0 ? len : 0] = '\0';
	if (sscanf(text, "%*u %llu", &pages) != 1) {
		return 0;
	}
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Without the one that reads the list. */
static double open_descriptors(void)
{
	DIR *list = opendir("/proc/self/fd");
	double count = 0;
	if (!list) {
		return 0;
	}
	for (const struct dirent *entry = readdir(list); entry; entry = readdir(list)) {
		count += entry->d_name[0] != '.';
	}
	closedir(list);
	return count - 1;
}

static void update_process_figures(struct lc_api *api)
{
	struct rusage usage;
	struct rlimit files = {0};
	getrusage(RUSAGE_SELF, &usage);
	*api->cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	*api->resident = resident_bytes();
	*api->open_fds = open_descriptors();
	getrlimit(RLIMIT_NOFILE, &files);
	*api->max_fds = (double)files.rlim_cur;
}

static void make_process_figures(struct lc_api *api)
{
	struct lc_metrics *metrics = lc_loop_metrics(api->loop);
	api->cpu = lc_metrics_total(
		metrics, "process_cpu_seconds_total", "", "user and system CPU time");
	api->open_fds = lc_metrics_gauge(
		metrics, "process_open_fds", "", "file descriptors that are open");
	api->max_fds = lc_metrics_gauge(
		metrics, "process_max_fds", "", "file descriptors that may be open");
	api->resident = lc_metrics_gauge(
		metrics, "process_resident_memory_bytes", "", "resident memory");
	api->started = lc_metrics_gauge(
		metrics, "process_start_time_seconds", "", "start of the process since 1970");
	*api->started = (double)lc_loop_wall_ns(api->loop) / 1e9;
	*lc_metrics_gauge(metrics, "livecore_build_info", "version=\"" LC_VERSION "\"",
		"always 1; the labels tell") = 1;
}

/* --- /metrics --- */

static void free_rendering(struct rendering *rendering)
{
	lc_buf_finish(&rendering->page);
	free(rendering);
}

static void on_client_gone(void *arg)
{
	struct rendering *rendering = arg;
	lc_slice_cancel(rendering->slice);
	free_rendering(rendering);
}

static bool on_render_step(void *arg)
{
	struct rendering *rendering = arg;
	return lc_metrics_render(
		       rendering->metrics, &rendering->cursor, SERIES_A_STEP, &rendering->page) &&
	       !rendering->page.failed;
}

static void on_rendered(void *arg)
{
	struct rendering *rendering = arg;
	const struct lc_response response = {
		.status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8"};
	if (rendering->page.failed) {
		lc_exchange_fail(rendering->exchange, 500, "the metrics do not fit into memory");
	} else {
		lc_exchange_respond_buf(rendering->exchange, &response, &rendering->page);
	}
	free_rendering(rendering);
}

static void serve_metrics(struct lc_api *api, struct lc_exchange *exchange)
{
	struct rendering *rendering = calloc(1, sizeof *rendering);
	if (!rendering) {
		lc_exchange_fail(exchange, 503, "out of memory");
		return;
	}
	if (api->manager) {
		lc_manager_gauges(api->manager);
	}
	update_process_figures(api);
	rendering->exchange = exchange;
	rendering->metrics = lc_loop_metrics(api->loop);
	lc_buf_init(&rendering->page, METRICS_MAX);
	if (lc_slice_start(api->loop, "metrics", on_render_step, on_rendered, rendering,
		    &rendering->slice) != LC_OK) {
		lc_exchange_fail(exchange, 503, "out of memory");
		free_rendering(rendering);
		return;
	}
	lc_exchange_on_gone(exchange, on_client_gone, rendering);
}

/* --- health and status --- */

static void respond_json(struct lc_exchange *exchange, int status, struct lc_buf *body)
{
	static const char *const headers[] = {"Cache-Control: no-store", NULL};
	const struct lc_response response = {
		.status = status, .content_type = "application/json", .headers = headers};
	lc_buf_putc(body, '\n');
	lc_exchange_respond_buf(exchange, &response, body);
}

static void serve_live(struct lc_api *api, struct lc_exchange *exchange)
{
	struct lc_buf body;
	struct lc_loop_watch watch = lc_loop_watch(api->loop);
	lc_buf_init(&body, 4096);
	lc_buf_printf(&body, "{\"status\":\"live\",\"loop_lag_ms\":%.3f,\"turns\":%llu}",
		(double)watch.lag_ns / 1e6, (unsigned long long)watch.turns);
	respond_json(exchange, 200, &body);
	lc_buf_finish(&body);
}

static enum lc_ready ask_ready(struct lc_api *api, struct lc_buf *out)
{
	return api->manager ? lc_manager_ready(api->manager, out) : api->ready(api->ready_arg, out);
}

static void serve_ready(struct lc_api *api, struct lc_exchange *exchange)
{
	struct lc_buf body;
	lc_buf_init(&body, 64 * 1024);
	enum lc_ready ready = ask_ready(api, &body);
	respond_json(exchange, ready == LC_NOT_READY ? 503 : 200, &body);
	lc_buf_finish(&body);
}

static void serve_health(struct lc_api *api, struct lc_exchange *exchange)
{
	struct lc_buf body;
	lc_buf_init(&body, 64 * 1024);
	lc_buf_puts(&body, "{\"live\":true,\"ready\":");
	enum lc_ready ready = ask_ready(api, &body);
	lc_buf_putc(&body, '}');
	respond_json(exchange, ready == LC_NOT_READY ? 503 : 200, &body);
	lc_buf_finish(&body);
}

static void serve_status(struct lc_api *api, struct lc_exchange *exchange)
{
	struct lc_buf body;
	lc_buf_init(&body, 1024 * 1024);
	lc_manager_status(api->manager, &body);
	respond_json(exchange, 200, &body);
	lc_buf_finish(&body);
}

static const struct {
	const char *path;
	void (*serve)(struct lc_api *api, struct lc_exchange *exchange);
	enum { NOBODY, ROLE, MANAGER } needs;
} routes[] = {
	{"/metrics", serve_metrics, NOBODY},
	{"/livez", serve_live, NOBODY},
	{"/readyz", serve_ready, ROLE},
	{"/healthz", serve_health, ROLE},
	{"/health", serve_health, ROLE},
	{"/api/v1/status", serve_status, MANAGER},
};

static void refuse_method(struct lc_exchange *exchange)
{
	static const char *const headers[] = {"Allow: GET, HEAD", NULL};
	static const char text[] = "{\"error\":\"only GET and HEAD\"}\n";
	const struct lc_response response = {.status = 405,
		.content_type = "application/json",
		.headers = headers,
		.body = text,
		.body_len = sizeof text - 1};
	lc_exchange_respond(exchange, &response);
}

static void on_request(void *arg, struct lc_exchange *exchange)
{
	struct lc_api *api = arg;
	const struct lc_request *request = lc_exchange_request(exchange);
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (strcmp(routes[i].path, request->path) != 0) {
			continue;
		}
		if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
			refuse_method(exchange);
		} else if (!api->manager && routes[i].needs != NOBODY &&
			   !(routes[i].needs == ROLE && api->ready && !api->began)) {
			lc_exchange_fail(exchange, 503,
				api->began ? "stopping" : "there is no manager here, or not yet");
		} else {
			routes[i].serve(api, exchange);
		}
		return;
	}
	lc_exchange_fail(exchange, 404,
		"there are /metrics, /livez, /readyz, /healthz, /health and /api/v1/status");
}

enum lc_err lc_api_create(
	struct lc_loop *loop, const char *address, struct lc_api **out, struct lc_error *err)
{
	struct lc_api *api = calloc(1, sizeof *api);
	if (!api) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	api->loop = loop;
	const struct lc_http_server_options options = {
		.address = address, .on_request = on_request, .arg = api};
	enum lc_err rc = lc_http_server_create(loop, &options, &api->server, err);
	if (rc != LC_OK) {
		free(api);
		return rc;
	}
	make_process_figures(api);
	*out = api;
	return LC_OK;
}

int lc_api_port(const struct lc_api *api)
{
	return lc_http_server_port(api->server);
}

void lc_api_attach(struct lc_api *api, struct lc_manager *manager)
{
	api->manager = manager;
	api->began = true;
}

void lc_api_detach(struct lc_api *api)
{
	if (api) {
		api->manager = NULL;
	}
}

void lc_api_set_ready(
	struct lc_api *api, enum lc_ready (*ready)(void *arg, struct lc_buf *out), void *arg)
{
	api->ready = ready;
	api->ready_arg = arg;
}

static void on_server_gone(void *arg)
{
	struct lc_api *api = arg;
	void (*done)(void *) = api->done;
	void *done_arg = api->done_arg;
	free(api);
	done(done_arg);
}

void lc_api_destroy(struct lc_api *api, void (*done)(void *arg), void *arg)
{
	if (!api) {
		return;
	}
	api->done = done;
	api->done_arg = arg;
	lc_http_server_destroy(api->server, on_server_gone, api);
}

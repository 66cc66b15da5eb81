#include "ws_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct vhost {
	struct lc_list node;
	struct lws_vhost *lws; /* borrowed from lws: it goes with the context */
	bool tls;
	char *ca_file; /* owned; NULL: the system's authorities */
};

static const struct lws_protocols protocols[] = {
	{.name = WS_PROTOCOL_NAME, .callback = lc_ws_event, .rx_buffer_size = WS_READ_BYTES},
	{0},
};

#if LWS_LIBRARY_VERSION_NUMBER < 4003000
/* In 4.1.6 an uncompressed message or pong on a connection with deflate is handed over again and
 * again, for ever: the client's parser does not count as consumed what the extension says it leaves
 * alone. (The server's parser does, and so does 4.3.) Many servers leave short messages
 * uncompressed. The two types are the library's private ones. */
#define LEFT_ALONE 5
struct rx_buffers {
	struct lws_tokens in, out;
};

static int on_deflate(struct lws_context *context, const struct lws_extension *extension,
	struct lws *wsi, enum lws_extension_callback_reasons reason, void *user, void *in,
	size_t len)
{
	int rc = lws_extension_callback_pm_deflate(context, extension, wsi, reason, user, in, len);
	if (reason == LWS_EXT_CB_PAYLOAD_RX && rc == LEFT_ALONE) {
		((struct rx_buffers *)in)->in.len = 0;
	}
	return rc;
}
#else
#define on_deflate lws_extension_callback_pm_deflate
#endif

static const struct lws_extension extensions[] = {
	{"permessage-deflate", on_deflate, "permessage-deflate; client_max_window_bits"},
	{0},
};

struct handle_walk {
	struct lc_ws_hub *hub;
	size_t seen, skip;
	bool found;
};

static void on_count(uv_handle_t *handle, void *arg)
{
	struct handle_walk *walk = arg;
	(void)handle;
	walk->seen++;
}

/* libuv walks handles in the order they were made, so lws's own are those after `skip`. */
static void on_collect(uv_handle_t *handle, void *arg)
{
	struct handle_walk *walk = arg;
	struct lc_ws_hub *hub = walk->hub;
	uv_handle_type type = uv_handle_get_type(handle);
	bool its_own = walk->seen++ >= walk->skip && (type == UV_TIMER || type == UV_IDLE);
	if (its_own && hub->handle_count < WS_LWS_HANDLES) {
		hub->handles[hub->handle_count++] = handle;
	}
}

static void on_search(uv_handle_t *handle, void *arg)
{
	struct handle_walk *walk = arg;
	for (size_t i = 0; i < walk->hub->handle_count; i++) {
		walk->found |= walk->hub->handles[i] == handle;
	}
}

static bool create_context(struct lc_ws_hub *hub)
{
	void *loops[] = {lc_loop_uv(hub->loop)};
	const struct lws_context_creation_info info = {
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
		.foreign_loops = loops,
		.pcontext = &hub->context,
		.pt_serv_buf_size = WS_READ_BYTES,
		.fd_limit_per_thread = 1024,
		.max_http_header_data = 16384,
		.timeout_secs = 30, /* for what we have let go of; our own timers are shorter */
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};
	struct handle_walk walk = {.hub = hub};
	uv_walk(loops[0], on_count, &walk);
	walk.skip = walk.seen;
	walk.seen = 0;
	hub->context = lws_create_context(&info);
	uv_walk(loops[0], on_collect, &walk);
	return hub->context != NULL;
}

static void free_hub(struct lc_ws_hub *hub)
{
	lc_list_each (node, &hub->vhosts) {
		struct vhost *vhost = container_of(node, struct vhost, node);
		free(vhost->ca_file);
		free(vhost);
	}
	lc_drain_destroy(hub->drain);
	free(hub);
}

/* lws needs a second call to free its context, and crashes when it comes before the last of its
 * handles has been closed by the loop: its code is unloaded with the context. Returns true when the
 * context is gone. */
static bool context_gone(struct lc_ws_hub *hub)
{
	struct handle_walk walk = {.hub = hub};
	uv_walk(lc_loop_uv(hub->loop), on_search, &walk);
	if (walk.found) {
		hub->turns_since_closed = 0;
		return false;
	}
	/* Two turns more for what libuv closes one turn later. */
	if (hub->turns_since_closed++ < 2) {
		return false;
	}
	lws_context_destroy(hub->context);
	return hub->context == NULL;
}

static bool advance_destroy(struct lc_ws_hub *hub)
{
	if (hub->turns_since_closed < 0) {
		hub->turns_since_closed = 0;
		lws_context_destroy(hub->context);
		return true;
	}
	if (!context_gone(hub)) {
		return true;
	}
	void (*done)(void *) = hub->on_destroyed;
	void *arg = hub->on_destroyed_arg;
	free_hub(hub);
	if (done) {
		done(arg);
	}
	return false;
}

static void close_one(struct lc_ws_hub *hub)
{
	struct lc_ws *ws = container_of(hub->ended.next, struct lc_ws, node);
	lc_list_remove(&ws->node);
	ws->handler.on_close(ws->arg, &ws->closed);
	lc_ws_free(ws);
}

static bool on_drain(void *arg)
{
	struct lc_ws_hub *hub = arg;
	if (!lc_list_empty(&hub->ended)) {
		close_one(hub);
		return !lc_list_empty(&hub->ended) || hub->destroying;
	}
	return hub->destroying && lc_list_empty(&hub->live) && advance_destroy(hub);
}

const char *lc_ws_library_version(void)
{
	return lws_get_library_version();
}

enum lc_err lc_ws_hub_create(struct lc_loop *loop, struct lc_ws_hub **out, struct lc_error *err)
{
	struct lc_ws_hub *hub = calloc(1, sizeof *hub);
	if (!hub) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	hub->loop = loop;
	hub->turns_since_closed = -1;
	lc_list_init(&hub->vhosts);
	lc_list_init(&hub->live);
	lc_list_init(&hub->ended);
	if (lc_drain_create(loop, on_drain, hub, &hub->drain) != LC_OK) {
		free(hub);
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	lws_set_log_level(0, NULL); /* it would write to stderr past our log */
	if (!create_context(hub)) {
		free_hub(hub);
		return lc_error_set(err, LC_ERR_UNSUPPORTED,
			"libwebsockets cannot start; is the package libwebsockets-evlib-uv "
			"installed?");
	}
	/* Reading the system's authorities takes 50 ms and more: now, and not in a turn of the
	 * running loop. Should it fail, the connection that needs them says so. */
	struct lws_vhost *vhost;
	lc_ws_vhost(hub, true, NULL, &vhost, NULL);
	*out = hub;
	return LC_OK;
}

void lc_ws_hub_destroy(struct lc_ws_hub *hub, void (*done)(void *arg), void *arg)
{
	if (!hub) {
		return;
	}
	assert(!hub->destroying);
	hub->destroying = true;
	hub->on_destroyed = done;
	hub->on_destroyed_arg = arg;
	lc_list_each (node, &hub->live) {
		lc_ws_abort(container_of(node, struct lc_ws, node));
	}
	lc_drain_wake(hub->drain);
}

static bool same_file(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct lws_vhost *create_vhost(struct lc_ws_hub *hub, bool tls, const char *ca_file)
{
	/* The system's authorities are loaded unless others are named, and then only those
	 * count. */
	uint64_t no_system = !tls || ca_file ? LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS : 0;
	const struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.extensions = extensions,
		.vhost_name = !tls      ? "plain"
			      : ca_file ? ca_file
					: "system",
		.options = (tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0) | no_system,
		.client_ssl_ca_filepath = ca_file,
		.connect_timeout_secs = 3600, /* our own timers are shorter */
	};
	return lws_create_vhost(hub->context, &info);
}

static struct vhost *find_vhost(struct lc_ws_hub *hub, bool tls, const char *ca_file)
{
	lc_list_each (node, &hub->vhosts) {
		struct vhost *known = container_of(node, struct vhost, node);
		if (known->tls == tls && same_file(known->ca_file, ca_file)) {
			return known;
		}
	}
	return NULL;
}

enum lc_err lc_ws_vhost(struct lc_ws_hub *hub, bool tls, const char *ca_file,
	struct lws_vhost **out, struct lc_error *err)
{
	ca_file = tls ? ca_file : NULL;
	struct vhost *vhost = find_vhost(hub, tls, ca_file);
	if (vhost) {
		*out = vhost->lws;
		return LC_OK;
	}
	vhost = calloc(1, sizeof *vhost);
	if (!vhost) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	vhost->tls = tls;
	vhost->ca_file = ca_file ? strdup(ca_file) : NULL;
	vhost->lws = ca_file && !vhost->ca_file ? NULL : create_vhost(hub, tls, ca_file);
	if (!vhost->lws) {
		free(vhost->ca_file);
		free(vhost);
		return lc_error_set(err, LC_ERR_INVALID, "cannot load the authorities in %s",
			ca_file ? ca_file : "the system's store");
	}
	lc_list_append(&hub->vhosts, &vhost->node);
	*out = vhost->lws;
	return LC_OK;
}

void lc_ws_wake_lws(struct lc_ws_hub *hub)
{
	lws_cancel_service(hub->context);
}

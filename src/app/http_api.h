/* The manager's HTTP endpoints: /metrics, /livez, /readyz, /healthz, /health and /api/v1/status.
 * Loop thread. Read only: nothing here changes anything. */
#pragma once

#include "livecore/http_server.h"
#include "livecore/manager.h"

struct lc_api;

/* Listens on http.address. err says what to do. */
enum lc_err lc_api_create(
	struct lc_loop *loop, const char *address, struct lc_api **out, struct lc_error *err);
int lc_api_port(const struct lc_api *api);
/* From now on it is asked; borrowed until lc_api_detach(). */
void lc_api_attach(struct lc_api *api, struct lc_manager *manager);
/* The manager is gone: everything but /livez and /metrics answers 503. */
void lc_api_detach(struct lc_api *api);
/* A role without a manager, or one that begins: what /readyz and /healthz say. Appends
 * one JSON object. */
void lc_api_set_ready(
	struct lc_api *api, enum lc_ready (*ready)(void *arg, struct lc_buf *out), void *arg);
/* done is called once, later. NULL: nothing happens, done is not called. */
void lc_api_destroy(struct lc_api *api, void (*done)(void *arg), void *arg);

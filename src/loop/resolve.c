#include "loop_priv.h"

#include <stdlib.h>
#include <string.h>

struct lc_resolve {
	uv_getaddrinfo_t uv;
	struct lc_timer *numeric; /* owned: answers for a host that is an address already */
	lc_resolve_cb cb;
	void *arg;
	bool cancelled;
	char host[256];
};

static size_t collect(const struct addrinfo *list, char (*out)[46])
{
	size_t count = 0;
	for (const struct addrinfo *ai = list; ai && count < LC_RESOLVE_MAX; ai = ai->ai_next) {
		int rc = UV_EAFNOSUPPORT;
		if (ai->ai_family == AF_INET) {
			rc = uv_ip4_name((const struct sockaddr_in *)(const void *)ai->ai_addr,
				out[count], 46);
		} else if (ai->ai_family == AF_INET6) {
			rc = uv_ip6_name((const struct sockaddr_in6 *)(const void *)ai->ai_addr,
				out[count], 46);
		}
		count += rc == 0;
	}
	return count;
}

static void on_addresses(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct lc_resolve *resolve = container_of(req, struct lc_resolve, uv);
	if (!resolve->cancelled) {
		char addresses[LC_RESOLVE_MAX][46];
		struct lc_error err = {.code = LC_OK};
		size_t count = status == 0 ? collect(list, addresses) : 0;
		if (count == 0) {
			lc_error_set(&err, LC_ERR_NOT_FOUND, "cannot look up %s: %s", resolve->host,
				status ? uv_strerror(status) : "no usable address");
		}
		resolve->cb(resolve->arg, addresses, count, &err);
	}
	uv_freeaddrinfo(list);
	free(resolve);
}

static void on_numeric(void *arg)
{
	struct lc_resolve *resolve = arg;
	char addresses[1][46];
	struct lc_error err = {.code = LC_OK};
	memcpy(addresses[0], resolve->host, sizeof addresses[0]);
	lc_timer_destroy(resolve->numeric);
	resolve->numeric = NULL;
	resolve->cb(resolve->arg, addresses, 1, &err);
	free(resolve);
}

static bool is_numeric(const char *host)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	return strlen(host) < 46 &&
	       (uv_ip4_addr(host, 0, &v4) == 0 || uv_ip6_addr(host, 0, &v6) == 0);
}

/* An address needs no thread of the pool, which other look-ups may have filled. */
static enum lc_err start_numeric(struct lc_loop *loop, struct lc_resolve *resolve)
{
	enum lc_err err = lc_timer_create(loop, on_numeric, resolve, &resolve->numeric);
	if (err == LC_OK) {
		lc_timer_start(resolve->numeric, 0, 0);
	}
	return err;
}

static enum lc_err start_lookup(struct lc_loop *loop, struct lc_resolve *resolve)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	int rc = uv_getaddrinfo(&loop->uv, &resolve->uv, on_addresses, resolve->host, NULL, &hints);
	if (rc == 0) {
		return LC_OK;
	}
	/* A name that IDNA refuses is the world's fault, and is told before anything starts. */
	return rc == UV_ENOMEM ? LC_ERR_NOMEM : LC_ERR_INVALID;
}

enum lc_err lc_resolve_start(struct lc_loop *loop, const char *host, lc_resolve_cb cb, void *arg,
	struct lc_resolve **out)
{
	size_t len = strlen(host);
	struct lc_resolve *resolve = NULL;
	if (len == 0 || len >= sizeof resolve->host) {
		return LC_ERR_INVALID;
	}
	resolve = calloc(1, sizeof *resolve);
	if (!resolve) {
		return LC_ERR_NOMEM;
	}
	memcpy(resolve->host, host, len);
	resolve->cb = cb;
	resolve->arg = arg;
	enum lc_err err = is_numeric(host) ? start_numeric(loop, resolve)
					   : start_lookup(loop, resolve);
	if (err != LC_OK) {
		free(resolve);
		return err;
	}
	*out = resolve;
	return LC_OK;
}

void lc_resolve_cancel(struct lc_resolve *resolve)
{
	if (!resolve) {
		return;
	}
	if (resolve->numeric) {
		lc_timer_destroy(resolve->numeric);
		free(resolve);
		return;
	}
	/* Whether or not the pool still lets go of it, on_addresses() comes later and frees it. */
	resolve->cancelled = true;
	uv_cancel((uv_req_t *)&resolve->uv);
}

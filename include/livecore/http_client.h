/* HTTP/1.1 client on the loop: requests with a whole answer, and streams (server-sent events). Loop
 * thread only. Connections are kept and used again; names are looked up off the loop; TLS
 * certificates are always verified; redirects are never followed (a vendor that redirects has
 * changed, and a person should know); the environment's proxies are ignored. It retries nothing:
 * that is the caller's policy. No callback comes from inside a call of this header. */
#pragma once

#include "livecore/error.h"
#include "livecore/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lc_http;
struct lc_http_request; /* one transfer in flight */

struct lc_http_client_options {
	const char *ca_file;    /* PEM, instead of the system's authorities; NULL: the system's */
	const char *user_agent; /* NULL: "livecore/VERSION" */
	long max_host_connections; /* to one host at a time, more wait their turn; 0: 8 */
};

/* "libcurl/7.88.1 OpenSSL/3.0.22 …", as loaded. Static storage. */
const char *lc_http_library_version(void);

enum lc_err lc_http_create(struct lc_loop *loop, const struct lc_http_client_options *options,
	struct lc_http **out, struct lc_error *err);
/* Ends every transfer (each is answered, with LC_ERR_CANCELLED), then frees the client. done (may
 * be NULL) is called once, later, when the loop holds nothing of it any more. NULL http: nothing
 * happens, done is not called. */
void lc_http_destroy(struct lc_http *http, void (*done)(void *arg), void *arg);

/* Everything is copied. */
struct lc_http_options {
	const char *method;         /* NULL: GET without a body, POST with one */
	const char *url;            /* http:// or https:// */
	const char *const *headers; /* "Name: value" lines, ended by NULL; or NULL */
	const void *body;
	size_t body_len;
	int64_t connect_timeout_ms; /* look-up, TCP and TLS; 0: 10,000 */
	int64_t timeout_ms;         /* the whole transfer; 0: 30,000. A stream has none */
	int64_t idle_timeout_ms; /* a stream only: the longest silence, before headers too; 0: none
				  */
	size_t max_body_bytes;   /* inflated; 0: 16 MB. A stream has none */
	bool no_gzip;            /* do not offer gzip */
};

/* How a transfer ended. err.code:
 *   LC_OK            an HTTP answer came, whatever its status
 *   LC_ERR_NOT_FOUND the name could not be looked up
 *   LC_ERR_REFUSED   TCP was refused or the host unreachable
 *   LC_ERR_TIMEOUT   connect_timeout_ms, timeout_ms or idle_timeout_ms
 *   LC_ERR_PROTOCOL  TLS could not be agreed on or verified, or the answer is not HTTP
 *   LC_ERR_END       closed or reset without one byte of an answer (a vendor's ban looks so)
 *   LC_ERR_CLOSED    closed or reset in the middle of an answer
 *   LC_ERR_TOO_LARGE the body is longer than max_body_bytes, or the headers than 64 KB
 *   LC_ERR_CANCELLED the client is being destroyed
 *   LC_ERR_NOMEM, LC_ERR_IO
 */
struct lc_http_answer {
	struct lc_error err;
	int status;             /* 0 when no status line came */
	int retry_after_s;      /* Retry-After in seconds, -1 when absent or a date */
	char content_type[128]; /* "" when absent; cut */
	const char *body; /* borrowed for the call; inflated; NUL-terminated for convenience; never
			     NULL */
	size_t body_len;  /* 0 for a stream */
	int64_t received_wall_ns; /* when its last bytes were read, by the loop's clock */
	bool reused;              /* over a connection that was open already */
	char address[46];         /* the peer's, "" when not connected */
};

/* Called exactly once for each request that returned LC_OK, unless it is cancelled. The request is
 * gone when it returns. */
typedef void (*lc_http_done_cb)(void *arg, const struct lc_http_answer *answer);

/* out may be NULL when the caller never cancels. LC_ERR_INVALID (with *err) and LC_ERR_NOMEM: done
 * is not called. */
enum lc_err lc_http_send(struct lc_http *http, const struct lc_http_options *options,
	lc_http_done_cb done, void *arg, struct lc_http_request **out, struct lc_error *err);

struct lc_http_stream_handler {
	/* The headers are complete. May be NULL. */
	void (*on_headers)(
		void *arg, struct lc_http_request *request, int status, const char *content_type);
	/* Body bytes, inflated, borrowed for the call. */
	void (*on_data)(void *arg, struct lc_http_request *request, const void *data, size_t len,
		int64_t received_wall_ns);
	/* Exactly once, unless cancelled; the request is gone when it returns. */
	lc_http_done_cb on_end;
};

/* Like lc_http_send(), with the body handed over as it comes. */
enum lc_err lc_http_stream(struct lc_http *http, const struct lc_http_options *options,
	const struct lc_http_stream_handler *handler, void *arg, struct lc_http_request **out,
	struct lc_error *err);
/* Stops and resumes reading a stream; its idle timeout stands still meanwhile. At most 64 KB that
 * had been read already come after a pause. */
void lc_http_pause(struct lc_http_request *request);
void lc_http_resume(struct lc_http_request *request);

/* Ends a transfer; no callback of it comes any more. Allowed in its own on_headers and on_data, not
 * in its on_end. */
void lc_http_cancel(struct lc_http_request *request);

/* A URL's parts, for the four schemes that livecore dials. Any thread; never allocates, never looks
 * a name up. Stricter than RFC 3986 on purpose: user info and fragments are refused (secrets do not
 * belong in URLs that are logged), and so is every control character, so that a URL cannot smuggle
 * a header. */
#pragma once

#include "livecore/error.h"

#include <stdbool.h>
#include <stdint.h>

#define LC_URL_HOST_MAX 254  /* with the NUL */
#define LC_URL_PATH_MAX 4096 /* with the NUL */

enum lc_url_scheme { LC_URL_WS, LC_URL_WSS, LC_URL_HTTP, LC_URL_HTTPS };

struct lc_url {
	enum lc_url_scheme scheme;
	bool tls;                   /* wss, https */
	bool websocket;             /* ws, wss */
	bool ipv6_literal;          /* host came in brackets */
	uint16_t port;              /* given, or the scheme's own (80, 443) */
	char host[LC_URL_HOST_MAX]; /* lower case, without brackets */
	char path[LC_URL_PATH_MAX]; /* with the query; begins with a slash */
};

/* LC_ERR_INVALID or LC_ERR_TOO_LARGE with a sentence in *err (may be NULL); *out is then undefined.
 */
enum lc_err lc_url_parse(const char *text, struct lc_url *out, struct lc_error *err);

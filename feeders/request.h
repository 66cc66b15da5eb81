/* What feeders that send HTTP requests to public servers have in common: the lines that a browser
 * would send, the server's address, and the checks of such settings. Any thread; keeps nothing. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"

#define LC_REQUEST_MAX_TEXT 512    /* of a setting that goes into a header or a query */
#define LC_REQUEST_MAX_SECRET 1024 /* of a key or a token: a JWT may be long */

struct lc_request_headers {
	char user_agent[LC_REQUEST_MAX_TEXT + 16], referer[LC_REQUEST_MAX_TEXT + 16];
	const char *lines[4]; /* ended by NULL */
};

/* A text that is empty is not sent. */
void lc_request_headers(
	const char *user_agent, const char *referer, struct lc_request_headers *out);

/* Appends a server's address without the slashes at its end. */
void lc_request_address(const char *url, struct lc_buf *out);

/* Checks of settings. An address is http:// or https:// and has no query; a line can be sent in a
 * header; a secret is at most LC_REQUEST_MAX_SECRET bytes without spaces. */
enum lc_err lc_request_check_address(const char *text, struct lc_error *err);
enum lc_err lc_request_check_line(const char *text, struct lc_error *err);
enum lc_err lc_request_check_secret(const char *text, struct lc_error *err);

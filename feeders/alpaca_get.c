#include "alpaca_priv.h"

#include <stdio.h>
#include <string.h>

#define LIMITED_MS 30000 /* after a 429 without Retry-After */
#define MAX_WAIT_S 3600

void lc_alpaca_put_url(
	const struct lc_alpaca_settings *settings, const char *path, struct lc_buf *url)
{
	const char *base = settings->data_url;
	size_t len = strlen(base);
	lc_buf_append(url, base, len > 0 && base[len - 1] == '/' ? len - 1 : len);
	lc_buf_puts(url, path);
}

bool lc_alpaca_feed_is_known(const char *feed)
{
	static const char *const known[] = {"iex", "sip", "delayed_sip", "boats", "overnight"};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(feed, known[i]) == 0) {
			return true;
		}
	}
	return false;
}

enum lc_err lc_alpaca_get(struct lc_feeder *feeder, const struct lc_alpaca_settings *settings,
	const char *url, lc_http_done_cb done, void *arg, struct lc_http_request **out)
{
	struct lc_alpaca_auth_headers auth;
	char lines[2][sizeof(auth.value[0]) + 32];
	const char *headers[] = {NULL, NULL, NULL};
	lc_alpaca_auth_fill(settings, &auth);
	for (size_t i = 0; i < auth.count; i++) {
		snprintf(lines[i], sizeof(lines[i]), "%s: %s", auth.name[i], auth.value[i]);
		headers[i] = lines[i];
	}
	struct lc_http_options options = {
		.url = url,
		.headers = headers,
		.timeout_ms = settings->snapshot_ms,
		.connect_timeout_ms = settings->connect_ms,
		.max_body_bytes = LC_ALPACA_MAX_BODY,
	};
	*out = NULL;
	return lc_http_send(feeder->env.http, &options, done, arg, out, NULL);
}

int64_t lc_alpaca_limited_ms(int retry_after_s)
{
	if (retry_after_s < 0) {
		return LIMITED_MS;
	}
	int64_t seconds = retry_after_s < 1 ? 1 : retry_after_s;
	return (seconds < MAX_WAIT_S ? seconds : MAX_WAIT_S) * 1000;
}

#include "alpaca_priv.h"

#include "alpaca_rest.h"

#include <stdio.h>
#include <string.h>

#define LIMITED_MS 30000 /* after a 429 without Retry-After */
#define MAX_WAIT_S 3600

void lc_alpaca_put_url(
	const struct lc_alpaca_settings *settings, const char *path, struct lc_buf *url)
{
	lc_request_address(settings->data_url, url);
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

void lc_alpaca_describe(struct lc_json_parser *parser, const struct lc_http_answer *answer,
	char out[LC_ALPACA_WHY_MAX])
{
	const struct lc_value *root;
	struct lc_text said = {"", 0};
	if (lc_json_parse(parser, answer->body, answer->body_len, answer->body_len, &root, NULL) ==
		LC_OK) {
		lc_alpaca_rest_error(root, &said);
	}
	snprintf(out, LC_ALPACA_WHY_MAX, "HTTP status %d%s%.*s", answer->status,
		said.len > 0 ? ": " : "", said.len < 100 ? (int)said.len : 100, said.data);
}

int64_t lc_alpaca_limited_ms(int retry_after_s)
{
	if (retry_after_s < 0) {
		return LIMITED_MS;
	}
	int64_t seconds = retry_after_s < 1 ? 1 : retry_after_s;
	return (seconds < MAX_WAIT_S ? seconds : MAX_WAIT_S) * 1000;
}

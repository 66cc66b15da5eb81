/* What the files of the Alpaca feeder share: its settings, and the requests for the last prices of
 * newly followed symbols. Loop thread. */
#pragma once

#include "livecore/buf.h"
#include "livecore/config.h"
#include "livecore/feeder.h"
#include "livecore/http_client.h"
#include "livecore/json.h"
#include "request.h"

#include <stdbool.h>
#include <stdint.h>

enum lc_alpaca_encoding { LC_ALPACA_JSON, LC_ALPACA_MSGPACK };
enum lc_alpaca_auth { LC_ALPACA_AUTH_MESSAGE, LC_ALPACA_AUTH_HEADERS };

/* The section `alpaca`; strings are the configuration's. */
struct lc_alpaca_settings {
	bool enabled, compression, trades, quotes, statuses, snapshots, allow_insecure;
	int encoding, auth;
	char *url, *data_url, *key, *secret, *ca_file;
	int64_t max_symbols, max_message_bytes, symbol_limit, snapshot_batch;
	int64_t ping_ms, pong_ms, connect_ms, reply_ms, snapshot_ms;
	int64_t rest_page;
	double rest_rate;
};

#define LC_ALPACA_MAX_MESSAGE 1048576 /* the most that max_message may say */

extern const struct lc_section lc_alpaca_section;

/* Can a session be tried with these? err says which setting is missing or wrong, and what to do. */
enum lc_err lc_alpaca_settings_check(
	const struct lc_alpaca_settings *settings, struct lc_error *err);

/* The feed's label from the stream's URL ("iex", "sip", "delayed_sip", …): the last part of its
 * path, cut to fit. */
void lc_alpaca_feed_label(const char *url, char *out, size_t size);

/* The request headers that authenticate: "APCA-API-KEY-ID" and its secret, or a bearer token when
 * the key is the literal `oauth` or `access_token`. */
struct lc_alpaca_auth_headers {
	const char *name[2]; /* static */
	char value[2][LC_REQUEST_MAX_SECRET + 16];
	size_t count;
};
void lc_alpaca_auth_fill(
	const struct lc_alpaca_settings *settings, struct lc_alpaca_auth_headers *out);

/* --- requests to data_url (alpaca_get.c) --- */

#define LC_ALPACA_MAX_BODY (8 * 1024 * 1024)
/* Appends the base of data_url and a path. */
void lc_alpaca_put_url(
	const struct lc_alpaca_settings *settings, const char *path, struct lc_buf *url);
/* Is the stream's feed one that the endpoints know? A plan without SIP is refused the default. */
bool lc_alpaca_feed_is_known(const char *feed);
/* A GET with the key in its headers. Errors: those of lc_http_send(); *out is NULL then. */
enum lc_err lc_alpaca_get(struct lc_feeder *feeder, const struct lc_alpaca_settings *settings,
	const char *url, lc_http_done_cb done, void *arg, struct lc_http_request **out);
#define LC_ALPACA_WHY_MAX 160
/* What an answer that is no success says, for a person: "HTTP status 400: invalid symbol: X". The
 * parser's last value is gone then. */
void lc_alpaca_describe(struct lc_json_parser *parser, const struct lc_http_answer *answer,
	char out[LC_ALPACA_WHY_MAX]);
/* How long to wait after a 429. */
int64_t lc_alpaca_limited_ms(int retry_after_s);

/* --- the last prices of newly followed symbols (/v2/stocks/snapshots), one request at once --- */

struct lc_alpaca_reference;

/* feeder is borrowed: answers go to its host's reference(). wants says whether a symbol is followed
 * still. */
enum lc_err lc_alpaca_reference_create(struct lc_feeder *feeder,
	bool (*wants)(struct lc_feeder *feeder, uint32_t symbol), struct lc_alpaca_reference **out);
void lc_alpaca_reference_destroy(struct lc_alpaca_reference *reference);
/* The settings of the session that begins; borrowed until the next call. feed goes into the
 * request. */
void lc_alpaca_reference_begin(struct lc_alpaca_reference *reference,
	const struct lc_alpaca_settings *settings, const char *feed);
/* Queues a symbol; when memory has run out it is passed over. */
void lc_alpaca_reference_add(struct lc_alpaca_reference *reference, uint32_t symbol);
/* Asks for what is queued, unless a request or a pause is under way. */
void lc_alpaca_reference_flush(struct lc_alpaca_reference *reference);
/* Forgets the queue and cancels the request. */
void lc_alpaca_reference_cancel(struct lc_alpaca_reference *reference);

/* --- what was missed (/v2/stocks/trades and bars), one request at once (alpaca_backfill.c) --- */

#define LC_ALPACA_BACKFILL_SYMBOLS 100 /* of one backfill: a URL of less than 2 KB */

struct lc_alpaca_backfill;

/* feeder is borrowed: answers go to its host. */
enum lc_err lc_alpaca_backfill_create(struct lc_feeder *feeder, struct lc_alpaca_backfill **out);
void lc_alpaca_backfill_destroy(struct lc_alpaca_backfill *backfill);
/* settings and feed are borrowed until it ends. */
enum lc_err lc_alpaca_backfill_start(struct lc_alpaca_backfill *backfill,
	const struct lc_alpaca_settings *settings, const char *feed, bool delayed,
	const struct lc_backfill *request);
/* Other settings from now on. */
void lc_alpaca_backfill_configure(
	struct lc_alpaca_backfill *backfill, const struct lc_alpaca_settings *settings);
void lc_alpaca_backfill_cancel(struct lc_alpaca_backfill *backfill);

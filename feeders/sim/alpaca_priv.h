/* What the files of the Alpaca simulator share. */
#pragma once

#include "sim_priv.h"

enum channel {
	CH_TRADES,
	CH_QUOTES,
	CH_BARS,
	CH_UPDATED,
	CH_DAILY,
	CH_STATUSES,
	CH_LULDS,
	CH_IMBALANCES,
	CHANNELS,
};

/* A message being written, as JSON or msgpack, from one sequence of calls. */
struct enc {
	struct lc_buf *out;
	bool msgpack, first;
};

/* alpaca_msg.c. Every map begins with T. fields: how many follow, T included. */
void enc_begin(struct enc *enc, const char *type, unsigned fields);
void enc_end(struct enc *enc);
void enc_str(struct enc *enc, const char *key, const char *value);
void enc_int(struct enc *enc, const char *key, int64_t value);
void enc_price(struct enc *enc, const char *key, int64_t value);
void enc_time(struct enc *enc, const char *key, int64_t time_ns);
/* Comma-separated words; "" is an empty list. */
void enc_list(struct enc *enc, const char *key, const char *words);
void enc_list_begin(struct enc *enc, const char *key, size_t count);
void enc_list_item(struct enc *enc, const char *word, bool first);
void enc_list_end(struct enc *enc);
/* The head and tail of the array around count messages. */
void enc_array(struct lc_buf *out, bool msgpack, size_t count);
void enc_array_end(struct lc_buf *out, bool msgpack);

struct trade {
	const char *symbol;
	int64_t id, price, size, time_ns;
	char exchange[2], tape[2];
	const char *conditions; /* comma-separated */
};
void enc_trade(struct enc *enc, const struct trade *trade, bool extra);
void enc_quote(struct enc *enc, const struct sim_symbol *symbol, int64_t time_ns);
void enc_bar(struct enc *enc, const char *type, const struct sim_symbol *symbol,
	const struct sim_bar *bar);
/* One rare message: c x s l i u d, or one of an unknown type. */
void enc_rare(struct enc *enc, unsigned which, const struct sim_symbol *symbol,
	const struct trade *trade);
void enc_status(struct enc *enc, const struct sim_symbol *symbol, bool resume, int64_t time_ns);

struct bench;

struct session {
	struct lc_list node;
	struct sim *sim;
	struct lc_ws_peer *peer;
	char feed[32];
	bool msgpack, crypto, authed, closing;
	char key[128];
	int64_t auth_deadline_ns; /* 0: none */
	uint16_t *mask;           /* per symbol, bits of channels */
	size_t mask_size;
	uint16_t all; /* channels with "*" */
	size_t pairs; /* trades and quotes */
	struct lc_buf batch;
	size_t batch_count;
	struct lc_buf frame;
	struct lc_buf drip; /* bytes to be written one at a time */
	struct bench *bench;
};

struct alpaca {
	struct sim_ring history;
	int64_t *linger_until_ns; /* owned; by symbol: it trades on although nobody follows */
	int64_t linger_look_ns;   /* monotonic; INT64_MAX: none lingers */
	struct lc_list sessions;
	struct sim_symbol **active; /* symbols with at least one follower of trades or quotes */
	uint16_t *active_mask;      /* the union of the sessions' bits */
	size_t active_count, active_capacity, next;
	bool stale; /* the two above have to be made again */
	int64_t trade_id;
	int64_t last_minute;
	struct lc_buf message; /* scratch */
};

/* alpaca_session.c */
/* A message alone in its array; code 0: none. */
void session_control(struct session *session, const char *type, int code, const char *text);
void session_error(struct session *session, int code);
/* A fault keeps the session from saying or hearing anything. */
bool session_held_back(const struct session *session);
void session_send_batch(struct session *session);
/* Appends what is in alpaca->message to the session's batch, or does nothing while it is muted. */
void session_add(struct session *session, size_t messages);

/* alpaca_subs.c */
bool session_follows(const struct session *session, const struct sim_symbol *symbol, unsigned bit);
void session_hear(void *arg, struct lc_ws_peer *peer, const void *data, size_t len, bool binary);

/* alpaca_auth.c */
void session_authenticate(struct session *session, const char *key, const char *secret);
/* Credentials in the upgrade's headers are kept until the session is open. */
void session_take_headers(struct session *session, const struct lc_exchange *exchange);

/* alpaca_feed.c */
void feed_turn(struct sim *sim, int64_t mono_ns, int64_t wall_ns);
void feed_halt(struct sim *sim, bool resume);

/* alpaca_bench.c: --rate max. Frames are built once; ids and times are written into them anew for
 * each pass. */
void bench_wake(struct session *session);
void bench_drained(struct session *session);
void bench_destroy(struct bench *bench);

/* alpaca_history.c: the trades that were made, whether or not anybody heard them, newest 200,000 */
struct sim_ring history_empty(void);
void history_add(
	struct sim_ring *history, const struct sim_symbol *symbol, const struct trade *trade);
/* The trade was cancelled, or corrected by another one. */
void history_withdraw(struct sim_ring *history, const struct sim_symbol *symbol, int64_t id,
	const struct trade *instead);
/* /v2/stocks/trades and /v2/stocks/bars. */
void history_serve(struct sim *sim, struct lc_exchange *exchange, bool bars);

/* alpaca_rest.c */
void rest_request(struct sim *sim, struct lc_exchange *exchange);
void rest_message(struct lc_exchange *exchange, int status, const char *message);

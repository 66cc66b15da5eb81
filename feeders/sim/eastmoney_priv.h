/* What the files of the EastMoney simulator share. */
#pragma once

#include "sim_priv.h"

#define EM_MOST_ROWS 2000
#define EM_MOST_FIELDS 160

/* One request's wishes, also kept by a stream. */
struct em_query {
	bool single;       /* stock/…: dictionary 2.5; else a list: 2.4 */
	bool decimal;      /* fltt=2 */
	bool null_missing; /* invt=3 */
	uint16_t fields[EM_MOST_FIELDS];
	size_t field_count;
	struct sim_symbol *rows[EM_MOST_ROWS];
	size_t row_count;
};

/* Reads secid(s), fields, fltt and invt. False: a parameter is missing (rc 102). */
bool em_query_read(
	struct sim *sim, const struct lc_exchange *exchange, bool single, struct em_query *out);
/* The symbol of "1.600000", or NULL when there is none such. */
struct sim_symbol *em_symbol(struct sim *sim, const char *secid, size_t len);

/* Appends the value of one field as JSON. */
void em_put_value(const struct em_query *query, const struct sim_symbol *symbol, unsigned field,
	struct lc_buf *out);
/* Appends {"f2":…}. known (one word a field; may be NULL) holds hashes of what was said last: only
 * what differs is put, and remembered. Returns how many fields were put. */
size_t em_put_row(const struct em_query *query, const struct sim_symbol *symbol, uint32_t *known,
	struct lc_buf *out);

/* One event stream. */
struct em_stream {
	struct lc_list node;
	struct sim *sim;
	struct lc_exchange *exchange;
	struct em_query query;
	uint32_t *known; /* what was said last: query.field_count a row */
	int64_t interval_ns, next_ns, last_said_ns;
	bool first;
};

/* One client of the WebSocket. */
struct em_ws {
	struct lc_list node;
	struct sim *sim;
	struct lc_ws_peer *peer;
	bool follows[SIM_SYMBOLS_MAX];
	bool remove; /* while a message is read */
	size_t named;
};

struct eastmoney {
	struct lc_list streams, sockets;
	int64_t followed_until_ns[SIM_SYMBOLS_MAX]; /* INT64_MAX: by a stream or a socket */
	struct sim_ring history;
	struct lc_buf text; /* scratch */
	struct em_query query;
};

/* eastmoney.c */
void em_put_head(struct sim *sim, struct lc_buf *out, int rc, int rt, bool full);
/* em_put_row() for who asked for it: counted, and with a price of 0 when a fault says so. */
size_t em_say_row(struct sim *sim, const struct em_query *query, struct sim_symbol *symbol,
	uint32_t *known, struct lc_buf *out);
/* socket: said on the WebSocket, in its own units. */
void em_count(struct sim *sim, const struct sim_symbol *symbol, bool socket);
/* The symbols of a query tick until then (monotonic; INT64_MAX: for a stream or a socket). */
void em_follow(struct sim *sim, const struct em_query *query, int64_t until_ns);
/* Streams and sockets may have left: what they followed is followed no more. */
void em_refollow(struct sim *sim);

/* eastmoney_sse.c */
void em_sse_serve(struct sim *sim, struct lc_exchange *exchange, bool single);
/* force: now, whatever the interval. */
void em_sse_turn(struct sim *sim, int64_t mono_ns, bool force);
void em_sse_fault(struct sim *sim, const struct sim_fault *fault);

/* eastmoney_ws.c */
void em_ws_serve(struct sim *sim, struct lc_exchange *exchange);
void em_ws_tick(struct sim *sim, const struct sim_symbol *symbol);
void em_ws_fault(struct sim *sim, const struct sim_fault *fault);

/* eastmoney_history.c: the trades of today, newest 200,000: /api/qt/stock/details/get */
struct sim_ring em_history_empty(void);
/* The symbol's last trade. */
void em_history_add(struct sim_ring *history, const struct sim_symbol *symbol, int64_t time_ns);
/* Appends the answer's `data` for the newest `most` rows of a symbol; 0: all. */
void em_history_put(const struct sim_ring *history, const struct sim_symbol *symbol, size_t most,
	struct lc_buf *out);

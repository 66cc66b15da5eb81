/* What is known of each symbol's present: last eligible price, best level, the session's open,
 * high and low, previous close, halt. Updated as ticks leave the queue, so that what a message
 * carries is what was published before it. Pure; loop thread. */
#pragma once

#include "livecore/market.h"

struct lc_last_value;

/* What one symbol's row of a table shows; has tells which decimals are known (enum
 * lc_tick_field). */
struct lc_last {
	uint32_t has;
	int32_t day; /* trading date of open, high, low */
	bool known;  /* the row is in use; true in every row that is handed out */
	bool halted;
	bool delayed;
	bool session_known; /* open, high and low are those of the whole session so far */
	bool before_open;   /* seen before the session, so that its first trade is the open */
	uint8_t source;
	uint8_t market; /* enum lc_market */
	char exchange[4], feed[12];
	int64_t event_ns;         /* of the last tick or reference that was taken in */
	int64_t received_ns;      /* its arrival; 0: only a reference came */
	int64_t received_mono_ns; /* the same by the monotonic clock, which no tape moves */
	int64_t price_event_ns;
	uint64_t trade_id; /* of the trade that made the price; LC_HAS_TRADE_ID */
	struct lc_decimal price, prev_close;
	struct lc_decimal open, high, low;
	struct lc_decimal bid, ask, bid_volume, ask_volume;
	struct lc_decimal volume, amount; /* the session's, where snapshots give it */
};

enum lc_err lc_last_value_create(
	const struct lc_symbols *symbols, struct lc_calendar *calendar, struct lc_last_value **out);
void lc_last_value_destroy(struct lc_last_value *values);

/* Room for symbols with an index below count. LC_ERR_NOMEM. Ticks of symbols without room are
 * passed on unchanged. */
enum lc_err lc_last_value_reserve(struct lc_last_value *values, size_t count);

/* A tick leaves the queue: takes it in, and completes it in place with what it does not carry
 * itself (a quote's price, the session's open, high and low, the previous close).
 * LC_ERR_NOT_FOUND: a quote or snapshot for which no price is known; it must not be published. */
enum lc_err lc_last_value_apply(struct lc_last_value *values, struct lc_tick *tick);
/* The vendor's answer about a newly followed symbol. Never replaces what is newer. */
void lc_last_value_reference(struct lc_last_value *values, const struct lc_reference *reference);
/* The symbol was left: its value is forgotten. */
void lc_last_value_forget(struct lc_last_value *values, uint32_t symbol);

/* The row of a symbol, or NULL when nothing is known. Valid until the next reserve. */
const struct lc_last *lc_last_value_get(const struct lc_last_value *values, uint32_t symbol);

/* The last value as a message of its own: a quote with volume 0, flag refresh and seq 0, with
 * its old times. LC_ERR_NOT_FOUND when no price is known. */
enum lc_err lc_last_value_refresh(
	const struct lc_last_value *values, uint32_t symbol, struct lc_tick *out);

/* Alpaca's stream messages, from a parsed value (JSON and msgpack are alike here) to a tick or a
 * control message. Pure: any thread, no state, never allocates. It never looks symbols up and never
 * reads a clock. Field names and meanings: the vendor's real-time stock data page and, for `o`, the
 * crypto page. */
#pragma once

#include "livecore/error.h"
#include "livecore/market.h"
#include "livecore/tick.h"
#include "livecore/value.h"

#include <stdbool.h>
#include <stdint.h>

enum lc_alpaca_type {
	LC_ALPACA_TRADE,        /* t: tick */
	LC_ALPACA_QUOTE,        /* q: tick */
	LC_ALPACA_CORRECTION,   /* c: tick */
	LC_ALPACA_CANCEL,       /* x: tick */
	LC_ALPACA_STATUS,       /* s: tick */
	LC_ALPACA_BAR,          /* b: bar */
	LC_ALPACA_UPDATED_BAR,  /* u: bar */
	LC_ALPACA_DAILY_BAR,    /* d: bar */
	LC_ALPACA_LULD,         /* l: band */
	LC_ALPACA_IMBALANCE,    /* i: price */
	LC_ALPACA_ORDERBOOK,    /* o: levels */
	LC_ALPACA_SUCCESS,      /* success: text */
	LC_ALPACA_ERROR,        /* error: code, text */
	LC_ALPACA_SUBSCRIPTION, /* subscription: lc_alpaca_channel() of the item */
	LC_ALPACA_UNKNOWN,
	LC_ALPACA_TYPES
};

/* Quote sizes are round lots of 100 before this time (2025-11-03 in New York) and shares since. */
#define LC_ALPACA_SHARES_SINCE_NS (INT64_C(1762146000) * 1000000000)

struct lc_alpaca_bar {
	struct lc_decimal open, high, low, close, volume;
	struct lc_decimal vwap; /* only with has_vwap */
	uint64_t trades;        /* only with has_trades */
	bool has_vwap, has_trades;
};

/* One element of a frame. Which member of u is filled follows from the type. */
struct lc_alpaca_msg {
	enum lc_alpaca_type type;
	struct lc_text symbol; /* into the frame; absent in control messages */
	int64_t time_ns;       /* 0 in control messages */
	bool withdrawn;        /* REST: a trade that was taken back or replaced since */
	/* A trade condition nobody knows, the first time it is seen; else NULL. Into u.tick. */
	const char *unknown_condition;
	union {
		/* Complete but for symbol, source, feed, delayed, received times and seq. */
		struct lc_tick tick;
		struct lc_alpaca_bar bar;
		struct { /* limit up, limit down */
			struct lc_decimal up, down;
		} band;
		struct lc_decimal price;
		struct {
			uint32_t bids, asks;
			bool full; /* replaces the book */
		} levels;
		struct {
			int64_t code;        /* of an error */
			struct lc_text text; /* msg, into the frame */
		} control;
	} u;
};

/* Reads one element; seen remembers the conditions that were not known. Errors, with *reason a
 * static string for the count of bad input:
 *   LC_ERR_UNSUPPORTED  a type that is not known ("unknown_type"); msg->type says so
 *   LC_ERR_INVALID      no object, or a field missing or of the wrong kind ("malformed"); a time
 *     is missing ("no_time") */
enum lc_err lc_alpaca_parse(const struct lc_value *item, struct lc_conditions_seen *seen,
	struct lc_alpaca_msg *msg, const char **reason);

/* The same for an element of the REST answers, which carry neither type nor symbol: type says what
 * it is (t, q, or a bar). */
enum lc_err lc_alpaca_parse_as(enum lc_alpaca_type type, const struct lc_value *item,
	struct lc_conditions_seen *seen, struct lc_alpaca_msg *msg, const char **reason);

/* Whether messages of this type fill u.tick. */
static inline bool lc_alpaca_is_tick(enum lc_alpaca_type type)
{
	return type <= LC_ALPACA_STATUS;
}

/* What a trading status code means for trading: the codes of tapes A and B (2, 3) and of C and O
 * (H, P, T, Q) do not overlap. Q resumes quoting only: trading goes on with T. */
enum lc_status_action lc_alpaca_status_action(struct lc_text code);

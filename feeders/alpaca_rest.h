/* Alpaca's REST answers about market data, from a parsed value: pages of trades, quotes and bars,
 * latest ones, and snapshots. Pure; any thread; never allocates. Texts point into the answer. */
#pragma once

#include "alpaca_wire.h"
#include "livecore/feeder.h"

/* One trade, quote or bar; msg->symbol is set. */
typedef void (*lc_alpaca_item_cb)(void *arg, const struct lc_alpaca_msg *msg);

struct lc_alpaca_page {
	size_t items, bad;   /* how many were read, and how many could not be */
	struct lc_text next; /* next_page_token, opaque; absent on the last page */
};

/* Reads {"trades"|"quotes"|"bars": …}: a map from symbol to a list or to one item, or, with
 * "symbol" beside it, a list. LC_ERR_INVALID when it is none of these (the dead v1 form is not). */
enum lc_err lc_alpaca_rest_page(const struct lc_value *root, struct lc_conditions_seen *seen,
	lc_alpaca_item_cb item, void *arg, struct lc_alpaca_page *page);

/* One symbol's snapshot as the reference of lc_feeder_host; symbol is left to the caller. */
typedef void (*lc_alpaca_snapshot_cb)(
	void *arg, struct lc_text symbol, const struct lc_reference *reference);

/* Reads {SYM: {latestTrade, dailyBar, prevDailyBar, …} | null}. A symbol without a price is passed
 * over. The price is the latest trade's when its conditions let it be the last price, else the day
 * bar's close. A day bar of an earlier day than the latest trade's gives the previous close, not
 * the session's open, high and low. *bad counts symbols that could not be read. LC_ERR_INVALID when
 * root is no object. */
enum lc_err lc_alpaca_rest_snapshots(const struct lc_value *root, struct lc_conditions_seen *seen,
	lc_alpaca_snapshot_cb snapshot, void *arg, size_t *bad);

/* {"code":40410000,"message":"resource not found"}: the sentence for a log line. LC_ERR_INVALID
 * when it is none. */
enum lc_err lc_alpaca_rest_error(const struct lc_value *root, struct lc_text *message);

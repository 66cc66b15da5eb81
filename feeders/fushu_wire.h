/* What a FuShu server answers, as snapshot ticks. Pure: no I/O, no clock, any one thread. The
 * protocol is the old system's own and known in two shapes, both read here, row by row:
 *	{"data":[{"code":"00700","price":…,"volume":…,"amount":…}]}
 *	{"data":[{"symbol":"00700.HK","price":…,"volume":…,"timestamp":"…","bid_price":…, …}]} */
#pragma once

#include "livecore/json.h"
#include "livecore/symbol.h"
#include "livecore/tick.h"

/* symbol: canonical as far as the server told, not yet looked up. tick: all but symbol, source and
 * times of receipt; without LC_HAS_EVENT_TIME the server gave no time. Both are valid for the
 * call. */
typedef void (*lc_fushu_row_cb)(
	void *arg, const char *symbol, size_t len, const struct lc_tick *tick);

/* zone: of times without one (Asia/Hong_Kong). *bad_rows (may be NULL): rows without symbol or
 * price. Errors: those of lc_json_parse(); LC_ERR_PROTOCOL when there is no `data` array. */
enum lc_err lc_fushu_parse(struct lc_json_parser *json, const char *data, size_t len,
	const struct lc_zone *zone, lc_fushu_row_cb on_row, void *arg, size_t *bad_rows,
	struct lc_error *err);

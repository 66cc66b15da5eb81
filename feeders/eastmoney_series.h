/* EastMoney's series: the rows of text in details (trades of today), kline (bars) and trends2
 * (minutes of some days). Their numbers are decimals whatever fltt says. Pure: no I/O, no clock,
 * allocates nothing itself. */
#pragma once

#include "livecore/json.h"
#include "livecore/zone.h"

enum lc_eastmoney_series_kind {
	LC_EASTMONEY_NO_SERIES, /* data is null, or holds none of the three */
	LC_EASTMONEY_DETAILS,
	LC_EASTMONEY_KLINES,
	LC_EASTMONEY_TRENDS,
};

/* What stands around the rows. Texts point into the parsed input. */
struct lc_eastmoney_series {
	int64_t rc;
	bool full; /* false: rows to be appended (a delta of a stream), or a history answer */
	enum lc_eastmoney_series_kind kind;
	struct lc_text code;          /* absent in a delta */
	struct lc_decimal prev_price; /* prePrice, preKPrice or preClose */
	bool has_prev_price;
	size_t rows;
};

/* row: borrowed for the call. */
typedef void (*lc_eastmoney_series_cb)(
	void *arg, const struct lc_eastmoney_series *series, struct lc_text row);

/* Reads one answer, in a JSONP wrapper or not. Errors: those of lc_json_parse(); LC_ERR_PROTOCOL:
 * JSON without `data`. */
enum lc_err lc_eastmoney_series_parse(struct lc_json_parser *json, const char *data, size_t len,
	struct lc_eastmoney_series *out, lc_eastmoney_series_cb on_row, void *arg,
	struct lc_error *err);

/* A row of details: "09:30:03,11.19,8879,369,1". Rows are sums over about 3 s. */
struct lc_eastmoney_detail {
	int32_t second; /* of the day, Beijing */
	struct lc_decimal price, lots;
	int64_t trades; /* 0: indicative, before the opening auction; not to be summed */
	uint8_t side;   /* 2 bought, 1 sold, 4 neither */
};

/* A row of kline or trends: time, open, CLOSE, high, low, volume, amount, and more columns. A
 * minute is stamped with its end, by Beijing's clock. */
struct lc_eastmoney_bar {
	struct lc_civil time;
	bool has_minute;                                          /* false: a day or longer */
	struct lc_decimal open, close, high, low, volume, amount; /* volume: lots in China */
};

/* LC_ERR_INVALID for every other text. */
enum lc_err lc_eastmoney_detail_parse(struct lc_text row, struct lc_eastmoney_detail *out);
enum lc_err lc_eastmoney_bar_parse(struct lc_text row, struct lc_eastmoney_bar *out);

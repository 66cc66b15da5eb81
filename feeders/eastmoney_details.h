/* EastMoney's details: today's trades of one symbol, as rows of text. Their numbers are decimals
 * whatever fltt says. Pure: no I/O, no clock, allocates nothing itself. */
#pragma once

#include "livecore/json.h"

/* row: borrowed for the call. */
typedef void (*lc_eastmoney_detail_cb)(void *arg, struct lc_text row);

/* Reads one answer, in a JSONP wrapper or not, and gives its rows; *rows is how many. An answer
 * whose data is null or holds no details has none. Errors: those of lc_json_parse();
 * LC_ERR_PROTOCOL: JSON without `data`. */
enum lc_err lc_eastmoney_details_parse(struct lc_json_parser *json, const char *data, size_t len,
	lc_eastmoney_detail_cb on_row, void *arg, size_t *rows, struct lc_error *err);

/* A row: "09:30:03,11.19,8879,369,1". Rows are sums over about 3 s. */
struct lc_eastmoney_detail {
	int32_t second; /* of the day, Beijing */
	struct lc_decimal price, lots;
	int64_t trades; /* 0: indicative, before the opening auction; not to be summed */
	uint8_t side;   /* 2 bought, 1 sold, 4 neither */
};

/* LC_ERR_INVALID for every other text. */
enum lc_err lc_eastmoney_detail_parse(struct lc_text row, struct lc_eastmoney_detail *out);

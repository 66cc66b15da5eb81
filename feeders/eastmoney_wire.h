/* What EastMoney's push2 servers send, as rows and ticks. Pure: no I/O, no clock, any one thread;
 * it allocates nothing itself. The field numbers are not documented by the vendor: they are those
 * its own pages use, and they mean different things in lists (ulist, clist) and in stock/get.
 *
 * A row keeps the values as they were sent. With fltt=1, which livecore asks for, prices are
 * integers to be divided by 10^decimals; with fltt=2 they are decimals already. Missing is the
 * text "-", null, or, of a price or a time, zero. */
#pragma once

#include "livecore/json.h"
#include "livecore/symbol.h"
#include "livecore/tick.h"

#define LC_EASTMONEY_CODE_MAX 16   /* bytes of a code, with the NUL */
#define LC_EASTMONEY_SECID_MAX 24  /* bytes of "106.BRK_B", with the NUL */
#define LC_EASTMONEY_MAX_ROWS 2000 /* of one payload; a row beyond is refused */
#define LC_EASTMONEY_US_MARKETS 3
#define LC_EASTMONEY_US_FIRST 105 /* NASDAQ; 106 NYSE; 107 AMEX and NYSE Arca */
#define LC_EASTMONEY_HK 116       /* prefix of a secid */
#define LC_EASTMONEY_HK_LIST 128  /* Hong Kong in list filters and in dlmkts */

/* The fields asked for. f107 and f292: the market's state; f152 goes with f1. */
#define LC_EASTMONEY_FIELDS "f1,f2,f5,f6,f12,f13,f15,f16,f17,f18,f31,f32,f107,f124,f152,f292"

/* The values of a row; in brackets the field numbers in lists and in stock/get. */
enum lc_eastmoney_field {
	LC_EM_LAST,                  /* (f2, f43) */
	LC_EM_HIGH,                  /* (f15, f44) */
	LC_EM_LOW,                   /* (f16, f45) */
	LC_EM_OPEN,                  /* (f17, f46) */
	LC_EM_PREV_CLOSE,            /* (f18, f60) */
	LC_EM_BID,                   /* (f31, f19) */
	LC_EM_ASK,                   /* (f32, f39) */
	LC_EM_LIMIT_UP,              /* (-, f51) */
	LC_EM_LIMIT_DOWN,            /* (-, f52) */
	LC_EM_PRICES,                /* those above are prices, those below are not */
	LC_EM_VOLUME = LC_EM_PRICES, /* (f5, f47) lots in China, else shares */
	LC_EM_AMOUNT,                /* (f6, f48) */
	LC_EM_BID_VOLUME,            /* (-, f20) as volume */
	LC_EM_ASK_VOLUME,            /* (-, f40) */
	LC_EM_VALUES,
	/* What follows is not in value[], but has a bit in `given`. */
	LC_EM_CODE = LC_EM_VALUES, /* (f12, f57) */
	LC_EM_MARKET,              /* (f13, f107) */
	LC_EM_DECIMALS,            /* (f1, f59) */
	LC_EM_TIME,                /* (f124, f86) */
	LC_EM_STATE,               /* (f107 and f292, f292) */
};

#define LC_EM_BIT(field) (UINT32_C(1) << (field))

struct lc_eastmoney_row {
	uint32_t given; /* LC_EM_BIT(enum lc_eastmoney_field): the payload named it */
	uint32_t known; /* … and it has a value */
	struct lc_decimal value[LC_EM_VALUES]; /* as sent */
	int64_t time_s;                        /* unix seconds */
	uint16_t market;                       /* the part of a secid before the point */
	uint8_t decimals;
	/* 1 opening auction, 2 trading, 3 midday break, 4 closing auction, 5 closed, 6 suspended,
	 * … 14 halted in session … 19 */
	uint8_t state;
	char code[LC_EASTMONEY_CODE_MAX];
};

/* What stands around the rows. */
struct lc_eastmoney_answer {
	int64_t rc; /* 0 ok; 100 and 102: nothing known of what was asked */
	bool full;  /* every requested field is there, unless has_data is false (a keep-alive) */
	bool has_data;
	bool delayed_hk, delayed_us; /* named in dlmkts: 128 and 105-107 */
	size_t rows, bad_rows; /* bad: no object, or a position beyond LC_EASTMONEY_MAX_ROWS */
};

/* position: of an array its index, of an object its key ("0", "1", …), of a single instrument 0. */
typedef void (*lc_eastmoney_row_cb)(void *arg, const struct lc_eastmoney_answer *answer,
	uint32_t position, const struct lc_eastmoney_row *row);

/* Reads one payload, in a JSONP wrapper or not: a list when data has `diff`, else one instrument.
 * on_row may be NULL. Errors: those of lc_json_parse(); LC_ERR_PROTOCOL: JSON, but no envelope. */
enum lc_err lc_eastmoney_parse(struct lc_json_parser *json, const char *data, size_t len,
	struct lc_eastmoney_answer *answer, lc_eastmoney_row_cb on_row, void *arg,
	struct lc_error *err);

/* Takes the content of CALLBACK({...}); out of its wrapper; other text is left as it is. */
struct lc_text lc_eastmoney_unwrap(const char *data, size_t len);

/* Brings what is cached of an instrument up to date: full replaces it, a delta overwrites the
 * fields it names. True when a value or the state changed; a new time alone is no change. */
bool lc_eastmoney_row_apply(
	struct lc_eastmoney_row *cache, const struct lc_eastmoney_row *update, bool full);

/* Parts a code of the WebSocket stand-in, "600000", "600000.SH" or "1.600000", into the row's
 * market and code: a market in the code wins over the field. False when it is none. */
bool lc_eastmoney_split_code(struct lc_eastmoney_row *row);
/* The canonical symbol from market and code; 0 is Shenzhen or Beijing by the code. LC_ERR_INVALID
 * when either is missing (never guessed: 000001 is a stock in Shenzhen and an index in Shanghai)
 * or not one of ours. */
enum lc_err lc_eastmoney_symbol(
	const struct lc_eastmoney_row *row, char out[LC_SYMBOL_MAX], size_t *len);
/* The secid of a symbol; us_market (105-107) counts for US symbols only. Returns the length. */
size_t lc_eastmoney_secid(
	const struct lc_symbol *symbol, unsigned us_market, char out[LC_EASTMONEY_SECID_MAX]);
/* The market of a secid's first part; false when it is none of ours. */
bool lc_eastmoney_market(unsigned prefix, enum lc_market *out);

/* Decimals of the row's prices: its own, else its market's (2; 3 for HK, US, funds, bonds, B
 * shares). */
int lc_eastmoney_decimals(const struct lc_eastmoney_row *row);
/* Suspended, or halted in session. */
bool lc_eastmoney_halted(const struct lc_eastmoney_row *row);

/* How a source writes its values. */
enum {
	LC_EM_SCALED = 1, /* prices are integers, to be divided by 10^decimals (fltt=1) */
	LC_EM_LOTS = 2,   /* China's volumes are lots of 100 shares */
};

/* Fills a snapshot tick from a row: kind, effect, has, event_ns (if known) and values; symbol,
 * times of receipt and source are the caller's. units: LC_EM_SCALED, LC_EM_LOTS. False when there
 * is nothing to publish: neither a last price nor a best bid or ask. */
bool lc_eastmoney_tick(const struct lc_eastmoney_row *row, unsigned units, struct lc_tick *tick);

/* Reads one message of the WebSocket stand-in: {"code","market","price","volume","amount",
 * "timestamp"}; code is bare, a secid or suffixed, and goes before `market` where it says a market.
 * Prices are not scaled; volume is in the unit it was sent. LC_ERR_PROTOCOL when code or price is
 * missing. */
enum lc_err lc_eastmoney_ws_parse(struct lc_json_parser *json, const char *data, size_t len,
	struct lc_eastmoney_row *out, struct lc_error *err);

#include "market_priv.h"

/* The weekdays on which the exchanges are closed and the days on which they close early, 2024 to
 * 2026, as yyyymmdd: Shanghai (Shenzhen and Beijing keep the same), Hong Kong and New York. From the
 * exchange_calendars project (XSHG, XHKG, XNYS; Apache-2.0), which cites the exchanges' notices; the
 * years' session counts (cn 242 243 242, hk 246 246 247, us 252 250 251) are checked by the test. */

static const int32_t cn_closed[] = {20240101, 20240209, 20240212, 20240213, 20240214, 20240215,
	20240216, 20240404, 20240405, 20240501, 20240502, 20240503, 20240610, 20240916, 20240917,
	20241001, 20241002, 20241003, 20241004, 20241007, 20250101, 20250128, 20250129, 20250130,
	20250131, 20250203, 20250204, 20250404, 20250501, 20250502, 20250505, 20250602, 20251001,
	20251002, 20251003, 20251006, 20251007, 20251008, 20260101, 20260102, 20260216, 20260217,
	20260218, 20260219, 20260220, 20260223, 20260406, 20260501, 20260504, 20260505, 20260619,
	20260925, 20261001, 20261002, 20261005, 20261006, 20261007};

static const int32_t hk_closed[] = {20240101, 20240212, 20240213, 20240329, 20240401, 20240404,
	20240501, 20240515, 20240610, 20240701, 20240906, 20240918, 20241001, 20241011, 20241225,
	20241226, 20250101, 20250129, 20250130, 20250131, 20250404, 20250418, 20250421, 20250501,
	20250505, 20250701, 20251001, 20251007, 20251029, 20251225, 20251226, 20260101, 20260217,
	20260218, 20260219, 20260403, 20260406, 20260407, 20260501, 20260525, 20260619, 20260701,
	20261001, 20261019, 20261225};

static const int32_t hk_half[] = {
	20240209, 20241224, 20241231, 20250128, 20251224, 20251231, 20260216, 20261224, 20261231};

static const int32_t us_closed[] = {20240101, 20240115, 20240219, 20240329, 20240527, 20240619,
	20240704, 20240902, 20241128, 20241225, 20250101, 20250109, 20250120, 20250217, 20250418,
	20250526, 20250619, 20250704, 20250901, 20251127, 20251225, 20260101, 20260119, 20260216,
	20260403, 20260525, 20260619, 20260703, 20260907, 20261126, 20261225};

static const int32_t us_half[] = {
	20240703, 20241129, 20241224, 20250703, 20251128, 20251224, 20261127, 20261224};

static const struct market_phase cn_day[] = {
	{HHMM(9, 15), LC_SESSION_AUCTION},
	{HHMM(9, 30), LC_SESSION_OPEN},
	{HHMM(11, 30), LC_SESSION_LUNCH},
	{HHMM(13, 0), LC_SESSION_OPEN},
	{HHMM(14, 57), LC_SESSION_AUCTION},
	/* Fixed-price trading is from 15:05; the closing batch is stamped up to some seconds past 15:00. */
	{HHMM(15, 0), LC_SESSION_POST},
	{HHMM(15, 30), LC_SESSION_CLOSED},
};

static const struct market_phase hk_day[] = {
	{HHMM(9, 0), LC_SESSION_AUCTION},
	{HHMM(9, 30), LC_SESSION_OPEN},
	{HHMM(12, 0), LC_SESSION_LUNCH},
	{HHMM(13, 0), LC_SESSION_OPEN},
	{HHMM(16, 0), LC_SESSION_AUCTION},
	{HHMM(16, 10), LC_SESSION_CLOSED},
};

static const struct market_phase hk_half_day[] = {
	{HHMM(9, 0), LC_SESSION_AUCTION},
	{HHMM(9, 30), LC_SESSION_OPEN},
	{HHMM(12, 0), LC_SESSION_AUCTION},
	{HHMM(12, 10), LC_SESSION_CLOSED},
};

static const struct market_phase us_day[] = {
	{HHMM(4, 0), LC_SESSION_PRE},
	{HHMM(9, 30), LC_SESSION_OPEN},
	{HHMM(16, 0), LC_SESSION_POST},
	{HHMM(20, 0), LC_SESSION_CLOSED},
};

/* After an early close the late session is four hours long as well. */
static const struct market_phase us_half_day[] = {
	{HHMM(4, 0), LC_SESSION_PRE},
	{HHMM(9, 30), LC_SESSION_OPEN},
	{HHMM(13, 0), LC_SESSION_POST},
	{HHMM(17, 0), LC_SESSION_CLOSED},
};

#define LIST(array) array, sizeof array / sizeof *array

const struct market_rules lc_market_rules[LC_MARKETS] = {
	[LC_MARKET_CN] = {"Asia/Shanghai", 2024, 2026, LIST(cn_day), NULL, 0, LIST(cn_closed), NULL,
		0},
	[LC_MARKET_HK] = {"Asia/Hong_Kong", 2024, 2026, LIST(hk_day), LIST(hk_half_day),
		LIST(hk_closed), LIST(hk_half)},
	[LC_MARKET_US] = {"America/New_York", 2024, 2026, LIST(us_day), LIST(us_half_day),
		LIST(us_closed), LIST(us_half)},
};

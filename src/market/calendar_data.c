#include "market_priv.h"

/* The ordinary days of the three markets. */

static const struct market_phase cn_day[] = {
	{HHMM(9, 15), LC_SESSION_AUCTION},
	{HHMM(9, 30), LC_SESSION_OPEN},
	{HHMM(11, 30), LC_SESSION_LUNCH},
	{HHMM(13, 0), LC_SESSION_OPEN},
	{HHMM(14, 57), LC_SESSION_AUCTION},
	/* Fixed-price trading is from 15:05; the closing batch is stamped up to some seconds past
	 * 15:00. */
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

static const struct market_phase us_day[] = {
	{HHMM(4, 0), LC_SESSION_PRE},
	{HHMM(9, 30), LC_SESSION_OPEN},
	{HHMM(16, 0), LC_SESSION_POST},
	{HHMM(20, 0), LC_SESSION_CLOSED},
};

static const struct market_phase cn_early[] = {{0, LC_SESSION_CLOSED}};
/* The closing auction is held after an early close too. */
static const struct market_phase hk_early[] = {{0, LC_SESSION_AUCTION}, {10, LC_SESSION_CLOSED}};
/* And the late session is four hours long as well. */
static const struct market_phase us_early[] = {{0, LC_SESSION_POST}, {240, LC_SESSION_CLOSED}};

#define LIST(array) array, sizeof array / sizeof *array

const struct market_rules lc_market_rules[LC_MARKETS] = {
	[LC_MARKET_CN] = {"Asia/Shanghai", LIST(cn_day), LIST(cn_early), lc_calendar_text_cn},
	[LC_MARKET_HK] = {"Asia/Hong_Kong", LIST(hk_day), LIST(hk_early), lc_calendar_text_hk},
	[LC_MARKET_US] = {"America/New_York", LIST(us_day), LIST(us_early), lc_calendar_text_us},
};

bool lc_phases_may_close(const struct market_rules *rules, int minute)
{
	for (int i = 0; i + 1 < rules->n_phases; i++) {
		if (rules->phases[i].session == LC_SESSION_OPEN &&
			minute > rules->phases[i].minute && minute <= rules->phases[i + 1].minute) {
			return true;
		}
	}
	return false;
}

int lc_phases_of(const struct market_rules *rules, int early, struct market_phase *phases)
{
	int count = 0;
	for (int i = 0; i < rules->n_phases && (early < 0 || rules->phases[i].minute < early);
		i++) {
		phases[count++] = rules->phases[i];
	}
	for (int i = 0; early >= 0 && i < rules->n_after_early; i++) {
		phases[count] = rules->after_early[i];
		phases[count++].minute += (int16_t)early;
	}
	return count;
}

#include "livecore/market.h"

#include "market_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { REMEMBERED = 2 };

/* One phase of one day: from <= instant < to. */
struct interval {
	int64_t from_ns, to_ns;
	enum lc_session session;
};

struct day_span {
	int64_t from_ns, to_ns;
	int32_t day;
};

/* Two of each are remembered, because around a boundary the ticks of two sources alternate. */
struct market_cache {
	struct interval phase[REMEMBERED];
	struct day_span date[REMEMBERED];
	unsigned oldest_phase, oldest_date;
};

struct lc_calendar {
	bool always_open;
	struct lc_zone *zones[LC_MARKETS]; /* owned */
	struct exceptions exceptions[LC_MARKETS];
	struct market_cache cache[LC_MARKETS];
};

/* The instant of a minute of a local day; minute 1440 is the next day's midnight. */
static int64_t local_ns(const struct lc_zone *zone, int32_t day, int minute)
{
	struct lc_civil civil = {0};
	lc_civil_from_days(day + minute / DAY_MINUTES, &civil);
	civil.hour = (uint8_t)(minute % DAY_MINUTES / 60);
	civil.minute = (uint8_t)(minute % 60);
	int64_t ns = 0;
	enum lc_err rc = lc_civil_to_ns(zone, &civil, &ns, NULL);
	assert(rc == LC_OK);
	(void)rc;
	return ns;
}

static const struct day_span *span_of(
	struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns)
{
	assert(market < LC_MARKETS);
	struct market_cache *cache = &calendar->cache[market];
	for (unsigned i = 0; i < REMEMBERED; i++) {
		if (unix_ns >= cache->date[i].from_ns && unix_ns < cache->date[i].to_ns) {
			return &cache->date[i];
		}
	}
	const struct lc_zone *zone = calendar->zones[market];
	struct lc_civil civil = lc_civil_from_ns(zone, unix_ns);
	struct day_span *span = &cache->date[cache->oldest_date];
	cache->oldest_date = (cache->oldest_date + 1) % REMEMBERED;
	span->day = lc_days_from_civil(civil.year, civil.month, civil.day);
	span->from_ns = local_ns(zone, span->day, 0);
	span->to_ns = local_ns(zone, span->day, DAY_MINUTES);
	return span;
}

/* The minute at which a day closes early, DAY_CLOSED or DAY_OPEN. */
static int early_close(const struct lc_calendar *calendar, enum lc_market market, int32_t day)
{
	if (calendar->always_open) {
		return DAY_OPEN;
	}
	const struct exception *exception = lc_exceptions_find(&calendar->exceptions[market], day);
	if (exception) {
		return exception->early;
	}
	struct lc_civil civil = {0};
	lc_civil_from_days(day, &civil);
	return civil.weekday == 0 || civil.weekday == 6 ? DAY_CLOSED : DAY_OPEN;
}

/* Narrows a whole closed day to the phase that holds at the instant. */
static void find_phase(const struct lc_calendar *calendar, enum lc_market market, int32_t day,
	int64_t unix_ns, struct interval *phase)
{
	int early = early_close(calendar, market, day);
	if (early == DAY_CLOSED) {
		return;
	}
	struct market_phase phases[PHASES_MAX];
	int count = lc_phases_of(&lc_market_rules[market], early, phases);
	for (int i = 0; i < count; i++) {
		int64_t from_ns = local_ns(calendar->zones[market], day, phases[i].minute);
		if (from_ns > unix_ns) {
			phase->to_ns = from_ns;
			return;
		}
		phase->from_ns = from_ns;
		phase->session = (enum lc_session)phases[i].session;
	}
}

static const struct interval *phase_of(
	struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns)
{
	assert(market < LC_MARKETS);
	struct market_cache *cache = &calendar->cache[market];
	for (unsigned i = 0; i < REMEMBERED; i++) {
		if (unix_ns >= cache->phase[i].from_ns && unix_ns < cache->phase[i].to_ns) {
			return &cache->phase[i];
		}
	}
	const struct day_span *span = span_of(calendar, market, unix_ns);
	struct interval *phase = &cache->phase[cache->oldest_phase];
	cache->oldest_phase = (cache->oldest_phase + 1) % REMEMBERED;
	*phase = (struct interval){span->from_ns, span->to_ns, LC_SESSION_CLOSED};
	if (calendar->always_open) {
		phase->session = LC_SESSION_OPEN;
	} else {
		find_phase(calendar, market, span->day, unix_ns, phase);
	}
	return phase;
}

const char *lc_session_name(enum lc_session session)
{
	static const char *const names[] = {"pre", "auction", "open", "lunch", "post", "closed"};
	return (unsigned)session < LC_SESSIONS ? names[session] : "unknown";
}

enum lc_err lc_calendar_create(bool always_open, struct lc_calendar **out, struct lc_error *err)
{
	return lc_calendar_open(always_open, NULL, NULL, out, err);
}

enum lc_err lc_calendar_open(bool always_open, const char *dir,
	const struct lc_calendar_report *report, struct lc_calendar **out, struct lc_error *err)
{
	struct lc_calendar *calendar = calloc(1, sizeof *calendar);
	if (!calendar) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	calendar->always_open = always_open;
	enum lc_err rc = LC_OK;
	for (int market = 0; market < LC_MARKETS && rc == LC_OK; market++) {
		const struct market_rules *rules = &lc_market_rules[market];
		rc = lc_zone_load(rules->zone, &calendar->zones[market], err);
		if (rc != LC_OK) {
			break;
		}
		rc = lc_calendar_text_read(&calendar->exceptions[market], rules, rules->text,
			strlen(rules->text), false, "the built-in calendar", NULL);
		assert(rc != LC_ERR_INVALID);
		if (rc != LC_OK) {
			lc_error_set(err, rc, "out of memory");
		}
	}
	if (rc == LC_OK) {
		rc = lc_calendar_overlay(calendar->exceptions, dir, report, err);
	}
	if (rc != LC_OK) {
		lc_calendar_destroy(calendar);
		return rc;
	}
	*out = calendar;
	return LC_OK;
}

enum lc_err lc_calendar_reload(struct lc_calendar *calendar, const char *dir,
	const struct lc_calendar_report *report, struct lc_error *err)
{
	struct lc_calendar *fresh = NULL;
	enum lc_err rc = lc_calendar_open(calendar->always_open, dir, report, &fresh, err);
	if (rc != LC_OK || !fresh) {
		return rc;
	}
	/* Zones are borrowed by others: they stay. What was remembered was remembered of other
	 * days. */
	for (int market = 0; market < LC_MARKETS; market++) {
		struct exceptions old = calendar->exceptions[market];
		calendar->exceptions[market] = fresh->exceptions[market];
		fresh->exceptions[market] = old;
		calendar->cache[market] = (struct market_cache){0};
	}
	lc_calendar_destroy(fresh);
	return LC_OK;
}

void lc_calendar_destroy(struct lc_calendar *calendar)
{
	if (!calendar) {
		return;
	}
	for (int market = 0; market < LC_MARKETS; market++) {
		lc_zone_destroy(calendar->zones[market]);
		free(calendar->exceptions[market].days);
	}
	free(calendar);
}

enum lc_session lc_session_at(struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns)
{
	return phase_of(calendar, market, unix_ns)->session;
}

int64_t lc_session_ends(struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns)
{
	return phase_of(calendar, market, unix_ns)->to_ns;
}

int32_t lc_trading_date(struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns)
{
	return span_of(calendar, market, unix_ns)->day;
}

int64_t lc_day_begin(
	struct lc_calendar *calendar, enum lc_market market, int64_t unix_ns, int64_t *next_ns)
{
	const struct day_span *span = span_of(calendar, market, unix_ns);
	if (next_ns) {
		*next_ns = span->to_ns;
	}
	return span->from_ns;
}

bool lc_calendar_trades_on(
	const struct lc_calendar *calendar, enum lc_market market, int32_t day, bool *half)
{
	assert(market < LC_MARKETS);
	int early = early_close(calendar, market, day);
	if (half) {
		*half = early >= 0;
	}
	return early != DAY_CLOSED;
}

bool lc_calendar_covers(const struct lc_calendar *calendar, enum lc_market market, int32_t day)
{
	assert(market < LC_MARKETS);
	const struct exceptions *exceptions = &calendar->exceptions[market];
	return calendar->always_open ||
	       (day >= exceptions->first_day && day <= exceptions->last_day);
}

int32_t lc_calendar_last_day(const struct lc_calendar *calendar, enum lc_market market)
{
	assert(market < LC_MARKETS);
	return calendar->always_open ? INT32_MAX : calendar->exceptions[market].last_day;
}

int32_t lc_calendar_days_left(struct lc_calendar *calendar, enum lc_market market, int64_t now_ns)
{
	int32_t last = lc_calendar_last_day(calendar, market);
	return last == INT32_MAX ? last : last - lc_trading_date(calendar, market, now_ns);
}

const char *lc_calendar_source(const struct lc_calendar *calendar, enum lc_market market)
{
	assert(market < LC_MARKETS);
	return calendar->exceptions[market].source;
}

void lc_calendar_day(struct lc_calendar *calendar, enum lc_market market, int32_t day,
	struct lc_calendar_day *out)
{
	const struct exception *exception = lc_exceptions_find(&calendar->exceptions[market], day);
	*out = (struct lc_calendar_day){.why = exception ? exception->why : ""};
	out->trades = lc_calendar_trades_on(calendar, market, day, &out->half);
	out->covered = lc_calendar_covers(calendar, market, day);
	out->overlaid = exception && exception->overlaid;
	int64_t at = local_ns(calendar->zones[market], day, 0);
	int64_t end = local_ns(calendar->zones[market], day, DAY_MINUTES);
	const int max = (int)(sizeof out->phase / sizeof *out->phase);
	while (at < end && out->phases < max) {
		const struct interval *phase = phase_of(calendar, market, at);
		out->phase[out->phases++] = (struct lc_calendar_phase){
			at, phase->to_ns, phase->session};
		at = phase->to_ns;
	}
}

const struct lc_zone *lc_calendar_zone(const struct lc_calendar *calendar, enum lc_market market)
{
	assert(market < LC_MARKETS);
	return calendar->zones[market];
}

#include "manager/calendars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_TEXT = 16 };

struct lc_calendars {
	struct lc_loop *loop;
	struct lc_calendar *calendar;
	struct lc_outbox *outbox;
	int32_t looked[LC_MARKETS]; /* on this local day; INT32_MIN: not yet */
};

enum lc_err lc_calendars_create(struct lc_loop *loop, struct lc_calendar *calendar,
	struct lc_outbox *outbox, struct lc_calendars **out)
{
	struct lc_calendars *calendars = calloc(1, sizeof *calendars);
	if (!calendars) {
		return LC_ERR_NOMEM;
	}
	calendars->loop = loop;
	calendars->calendar = calendar;
	calendars->outbox = outbox;
	for (int market = 0; market < LC_MARKETS; market++) {
		calendars->looked[market] = INT32_MIN;
	}
	*out = calendars;
	return LC_OK;
}

void lc_calendars_destroy(struct lc_calendars *calendars)
{
	free(calendars);
}

/* Before a tape begins it is no time at all. INT32_MAX: there is no end. */
static int32_t days_left(struct lc_calendars *calendars, enum lc_market market)
{
	int64_t now_ns = lc_loop_wall_ns(calendars->loop);
	return now_ns > 0 ? lc_calendar_days_left(calendars->calendar, market, now_ns) : INT32_MAX;
}

static void last_day(struct lc_calendars *calendars, enum lc_market market, char out[DAY_TEXT])
{
	struct lc_civil civil = {0};
	lc_civil_from_days(lc_calendar_last_day(calendars->calendar, market), &civil);
	snprintf(out, DAY_TEXT, "%04d-%02d-%02d", (int)civil.year % 10000, civil.month % 100,
		civil.day % 100);
}

static void say(struct lc_calendars *calendars, enum lc_market market, int32_t left)
{
	char last[DAY_TEXT];
	bool expired = left < 0;
	const char *name = lc_market_name(market);
	const char *source = lc_calendar_source(calendars->calendar, market);
	last_day(calendars, market, last);
	lc_log(lc_loop_log(calendars->loop), expired ? LC_LOG_ERROR : LC_LOG_WARN, "calendar",
		expired ? "expired" : "expires", LC_S("market", name), LC_S("last_day", last),
		LC_I("days_left", left), LC_S("source", source),
		LC_S("effect", expired ? "weekdays count as sessions" : NULL),
		LC_S("todo", "a newer livecore, or `covers` and its days in calendar.dir"));
	if (expired) {
		lc_event(calendars->outbox, "calendar_expired", LC_S("market", name),
			LC_S("last_day", last), LC_I("days_left", left), LC_S("source", source));
	}
}

void lc_calendars_look(struct lc_calendars *calendars)
{
	int64_t now_ns = lc_loop_wall_ns(calendars->loop);
	for (int i = 0; i < LC_MARKETS && now_ns > 0; i++) {
		enum lc_market market = (enum lc_market)i;
		int32_t today = lc_trading_date(calendars->calendar, market, now_ns);
		int32_t left = days_left(calendars, market);
		if (today != calendars->looked[i] && left < LC_CALENDAR_WARN_DAYS) {
			say(calendars, market, left);
		}
		calendars->looked[i] = today;
	}
}

enum lc_err lc_calendars_reload(
	struct lc_calendars *calendars, const char *dir, struct lc_error *err)
{
	struct lc_log *log = lc_loop_log(calendars->loop);
	enum lc_err rc = lc_calendar_reload(calendars->calendar, dir, NULL, err);
	if (rc != LC_OK) {
		return rc;
	}
	lc_log(log, LC_LOG_INFO, "calendar", "read", LC_S("dir", dir && *dir ? dir : NULL));
	for (int market = 0; market < LC_MARKETS; market++) {
		calendars->looked[market] = INT32_MIN;
	}
	lc_calendars_look(calendars);
	return LC_OK;
}

void lc_calendars_trouble(
	struct lc_calendars *calendars, enum lc_market market, char *out, size_t size)
{
	char last[DAY_TEXT];
	int32_t left = days_left(calendars, market);
	out[0] = '\0';
	if (left >= LC_CALENDAR_WARN_DAYS) {
		return;
	}
	last_day(calendars, market, last);
	if (left < 0) {
		snprintf(out, size, "the calendar ended on %s: weekdays count as sessions", last);
	} else {
		snprintf(out, size, "the calendar ends on %s, in %d days", last, left);
	}
}

void lc_calendars_status(struct lc_calendars *calendars, struct lc_buf *out)
{
	lc_buf_puts(out, ",\"calendars\":{");
	for (int i = 0; i < LC_MARKETS; i++) {
		enum lc_market market = (enum lc_market)i;
		const char *source = lc_calendar_source(calendars->calendar, market);
		char last[DAY_TEXT];
		int32_t left = days_left(calendars, market);
		lc_buf_printf(out, "%s\"%s\":{", i > 0 ? "," : "", lc_market_name(market));
		if (lc_calendar_last_day(calendars->calendar, market) != INT32_MAX) {
			last_day(calendars, market, last);
			lc_buf_printf(out, "\"last_day\":\"%s\",\"days_left\":%d,", last, left);
		}
		lc_buf_puts(out, "\"source\":");
		lc_buf_json_string(out, source, strlen(source));
		lc_buf_putc(out, '}');
	}
	lc_buf_putc(out, '}');
}

void lc_calendars_gauges(struct lc_calendars *calendars)
{
	struct lc_metrics *metrics = lc_loop_metrics(calendars->loop);
	for (int market = 0; market < LC_MARKETS; market++) {
		char label[32];
		int32_t left = days_left(calendars, (enum lc_market)market);
		if (left == INT32_MAX) {
			continue;
		}
		lc_metrics_label(
			label, sizeof label, "market", lc_market_name((enum lc_market)market));
		*lc_metrics_gauge(metrics, "livecore_calendar_days_left", label,
			"days that the market's calendar still covers; below 0 it has ended") =
			left;
		*lc_metrics_gauge(metrics, "livecore_calendar_expired", label,
			"1 when the market's calendar has ended: weekdays count as sessions") =
			left < 0;
	}
}

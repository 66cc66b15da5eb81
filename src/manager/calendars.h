/* The calendars during a manager's life: how many days they still cover, looked at once in each
 * market's day, and reading them again. From 60 days before the end it warns; after the last day
 * weekdays count as sessions, which is said every day. Loop thread. It never changes a calendar by
 * itself. */
#pragma once

#include "livecore/market.h"
#include "manager/outbox.h"

#define LC_CALENDAR_WARN_DAYS 60

struct lc_calendars;

/* Everything is borrowed. Nothing is looked at yet. */
enum lc_err lc_calendars_create(struct lc_loop *loop, struct lc_calendar *calendar,
	struct lc_outbox *outbox, struct lc_calendars **out);
void lc_calendars_destroy(struct lc_calendars *calendars);

/* At start, and every minute: says what there is to say once a market's day. */
void lc_calendars_look(struct lc_calendars *calendars);
/* Reads the overlay again, and looks at once. On an error nothing changed (errors of
 * lc_calendar_reload). */
enum lc_err lc_calendars_reload(
	struct lc_calendars *calendars, const char *dir, struct lc_error *err);

/* What is wrong with a market's calendar; "" when nothing is. */
void lc_calendars_trouble(
	struct lc_calendars *calendars, enum lc_market market, char *out, size_t size);
/* Appends ,"calendars":{…} of the status. */
void lc_calendars_status(struct lc_calendars *calendars, struct lc_buf *out);
void lc_calendars_gauges(struct lc_calendars *calendars);

/* Which time of its session a market is in. */
#include "liveness_priv.h"

#define MINUTE_NS (60 * LC_NS_PER_S)
#define HOUR_NS (60 * MINUTE_NS)
#define LOOK_AGAIN_NS MINUTE_NS /* a reload may have changed the calendar */

struct day {
	int64_t from_ns, to_ns;    /* the phase */
	int64_t open_ns, close_ns; /* of continuous trading; 0: there is none today */
	enum lc_session session, before;
};

static void look(
	struct lc_calendar *calendar, enum lc_market market, int64_t wall_ns, struct day *day)
{
	struct lc_calendar_day all;
	lc_calendar_day(calendar, market, lc_trading_date(calendar, market, wall_ns), &all);
	*day = (struct day){.from_ns = wall_ns,
		.to_ns = wall_ns + LOOK_AGAIN_NS,
		.session = LC_SESSION_CLOSED,
		.before = LC_SESSION_CLOSED};
	for (int i = 0; i < all.phases; i++) {
		const struct lc_calendar_phase *phase = &all.phase[i];
		if (phase->session == LC_SESSION_OPEN) {
			day->open_ns = day->open_ns ? day->open_ns : phase->from_ns;
			day->close_ns = phase->to_ns;
		}
		if (wall_ns >= phase->from_ns && wall_ns < phase->to_ns) {
			day->from_ns = phase->from_ns;
			day->to_ns = phase->to_ns;
			day->session = phase->session;
			day->before = i > 0 ? all.phase[i - 1].session : LC_SESSION_CLOSED;
		}
	}
}

static enum live_bucket bucket_of_pre(const struct day *day, int64_t wall_ns)
{
	int64_t left_ns = day->to_ns - wall_ns;
	return left_ns > 2 * HOUR_NS   ? BUCKET_PRE_EARLY
	       : left_ns > HOUR_NS / 2 ? BUCKET_PRE_MID
				       : BUCKET_PRE_LATE;
}

static enum live_bucket bucket_of_open(const struct day *day, int64_t wall_ns)
{
	if (day->to_ns - day->from_ns > 20 * HOUR_NS) {
		return BUCKET_MIDDAY; /* always open */
	}
	if (wall_ns < day->open_ns + 15 * MINUTE_NS) {
		return BUCKET_OPENING;
	}
	if (wall_ns >= day->close_ns - 15 * MINUTE_NS) {
		return BUCKET_CLOSING;
	}
	if (day->before == LC_SESSION_LUNCH && wall_ns < day->from_ns + 15 * MINUTE_NS) {
		return BUCKET_REOPENING;
	}
	if (wall_ns < day->open_ns + 90 * MINUTE_NS) {
		return BUCKET_MORNING;
	}
	return wall_ns >= day->close_ns - 90 * MINUTE_NS ? BUCKET_AFTERNOON : BUCKET_MIDDAY;
}

void live_plan_at(struct live_plan *plan, struct lc_calendar *calendar, enum lc_market market,
	int64_t wall_ns)
{
	struct day day;
	if (wall_ns >= plan->from_ns && wall_ns < plan->until_ns) {
		return;
	}
	look(calendar, market, wall_ns, &day);
	plan->phase_ns = day.from_ns;
	plan->from_ns = wall_ns;
	/* All borders lie on whole minutes. */
	plan->until_ns = wall_ns - wall_ns % MINUTE_NS + LOOK_AGAIN_NS;
	plan->bucket = day.session == LC_SESSION_OPEN  ? bucket_of_open(&day, wall_ns)
		       : day.session == LC_SESSION_PRE ? bucket_of_pre(&day, wall_ns)
						       : BUCKET_NONE;
}

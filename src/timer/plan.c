#include "timer/plan.h"

#include "livecore/clock.h"

#include <stdlib.h>

/* Of what was missed, so many times are looked at one by one; older ones are passed over unseen. */
enum { MISSED_MAX = 100 };

#define TEN_YEARS_NS (INT64_C(3653) * 86400 * LC_NS_PER_S)

static int64_t scheduled_after(
	const struct timer_rules *rules, const struct timer_rule *rule, int64_t after_ns)
{
	int64_t next_ns;
	if (!rule->enabled || lc_cron_next(&rule->cron, rules->zone, after_ns, &next_ns) != LC_OK) {
		return INT64_MAX;
	}
	return next_ns;
}

/* The day is the market's own at that instant: what runs at 05:00 in Shanghai belongs to New York's
 * day before. */
static bool trades(const struct timer_rule *rule, const struct lc_calendar *calendar, int64_t ns)
{
	if (rule->market < 0) {
		return true;
	}
	enum lc_market market = (enum lc_market)rule->market;
	struct lc_civil day = lc_civil_from_ns(lc_calendar_zone(calendar, market), ns);
	return lc_calendar_trades_on(
		calendar, market, lc_days_from_civil(day.year, day.month, day.day), NULL);
}

static void begin_at(struct timer_plan *plan, struct timer_plan_rule *item, int64_t ns)
{
	item->decided_ns = ns;
	item->next_ns = scheduled_after(plan->rules, item->rule, ns);
}

/* Do more than MISSED_MAX scheduled times lie in (after_ns, now_ns]? */
static bool too_many_missed(const struct timer_plan *plan, const struct timer_rule *rule,
	int64_t after_ns, int64_t now_ns)
{
	size_t count = 0;
	int64_t at_ns = scheduled_after(plan->rules, rule, after_ns);
	while (at_ns <= now_ns && count <= MISSED_MAX) {
		count++;
		at_ns = scheduled_after(plan->rules, rule, at_ns);
	}
	return count > MISSED_MAX;
}

/* Where to begin in a long time missed, so that at most MISSED_MAX times are left. */
static int64_t begin_of_missed(
	const struct timer_plan *plan, const struct timer_plan_rule *item, int64_t now_ns)
{
	int64_t low = item->decided_ns, high = now_ns;
	if (!too_many_missed(plan, item->rule, low, now_ns)) {
		return low;
	}
	while (high - low > LC_NS_PER_S) {
		int64_t middle = low + (high - low) / 2;
		if (too_many_missed(plan, item->rule, middle, now_ns)) {
			low = middle;
		} else {
			high = middle;
		}
	}
	return high;
}

/* The newest time that is due and on a trading day: when missed times are coalesced, the one that
 * fires. INT64_MIN: none. */
static int64_t newest_due(const struct timer_plan *plan, const struct timer_plan_rule *item,
	int64_t begin_ns, int64_t now_ns)
{
	int64_t newest_ns = INT64_MIN;
	int64_t at_ns = scheduled_after(plan->rules, item->rule, begin_ns);
	while (at_ns <= now_ns) {
		newest_ns = trades(item->rule, plan->calendar, at_ns) ? at_ns : newest_ns;
		at_ns = scheduled_after(plan->rules, item->rule, at_ns);
	}
	return newest_ns;
}

static enum timer_decision judge(const struct timer_plan *plan, const struct timer_plan_rule *item,
	int64_t scheduled_ns, int64_t newest_ns, int64_t now_ns)
{
	if (!trades(item->rule, plan->calendar, scheduled_ns)) {
		return TIMER_NO_TRADING;
	}
	if (now_ns - scheduled_ns > plan->rules->grace_ms * LC_NS_PER_MS) {
		return TIMER_MISSED;
	}
	return plan->rules->coalesce && scheduled_ns < newest_ns ? TIMER_COALESCED : TIMER_FIRE;
}

static void step_rule(struct timer_plan *plan, struct timer_plan_rule *item, int64_t now_ns,
	timer_decide_cb decide, void *arg)
{
	size_t index = (size_t)(item - plan->items);
	if (item->next_ns > now_ns) {
		return;
	}
	int64_t begin_ns = begin_of_missed(plan, item, now_ns);
	int64_t newest_ns = newest_due(plan, item, begin_ns, now_ns);
	int64_t at_ns = scheduled_after(plan->rules, item->rule, begin_ns);
	while (at_ns <= now_ns) {
		decide(arg, index, at_ns, judge(plan, item, at_ns, newest_ns, now_ns));
		item->decided_ns = at_ns;
		at_ns = scheduled_after(plan->rules, item->rule, at_ns);
	}
	item->next_ns = at_ns;
}

enum lc_err timer_plan_init(struct timer_plan *plan, const struct timer_rules *rules,
	const struct lc_calendar *calendar, int64_t now_ns)
{
	*plan = (struct timer_plan){.rules = rules, .calendar = calendar, .count = rules->count};
	plan->items = calloc(rules->count + 1, sizeof *plan->items);
	if (!plan->items) {
		return LC_ERR_NOMEM;
	}
	for (size_t i = 0; i < rules->count; i++) {
		plan->items[i].rule = &rules->items[i];
		begin_at(plan, &plan->items[i], now_ns);
	}
	return LC_OK;
}

void timer_plan_finish(struct timer_plan *plan)
{
	free(plan->items);
	*plan = (struct timer_plan){0};
}

void timer_plan_restore(struct timer_plan *plan, size_t index, int64_t decided_ns, int64_t now_ns)
{
	if (decided_ns - TIMER_BACK_MAX_NS <= now_ns) {
		begin_at(plan, &plan->items[index], decided_ns);
	}
}

int64_t timer_plan_step(struct timer_plan *plan, int64_t now_ns, timer_decide_cb decide, void *arg)
{
	int64_t next_ns = INT64_MAX;
	for (size_t i = 0; i < plan->count; i++) {
		step_rule(plan, &plan->items[i], now_ns, decide, arg);
		next_ns = plan->items[i].next_ns < next_ns ? plan->items[i].next_ns : next_ns;
	}
	return next_ns;
}

bool timer_plan_set_back(struct timer_plan *plan, int64_t now_ns)
{
	bool any = false;
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->items[i].decided_ns - TIMER_BACK_MAX_NS > now_ns) {
			begin_at(plan, &plan->items[i], now_ns);
			any = true;
		}
	}
	return any;
}

int64_t timer_plan_next(const struct timer_rules *rules, const struct timer_rule *rule,
	const struct lc_calendar *calendar, int64_t after_ns)
{
	int64_t last_ns = after_ns + TEN_YEARS_NS;
	int64_t at_ns = scheduled_after(rules, rule, after_ns);
	while (at_ns <= last_ns && !trades(rule, calendar, at_ns)) {
		at_ns = scheduled_after(rules, rule, at_ns);
	}
	return at_ns <= last_ns || rule->market < 0 ? at_ns : INT64_MAX;
}

/* What is due? The timer's decisions: pure, takes time, sends nothing. It keeps for each rule the
 * scheduled time up to which everything is decided, and what was missed is coalesced or skipped as
 * the rules say. Loop thread. */
#pragma once

#include "livecore/market.h"
#include "timer/rules.h"

/* A clock that was set back further than this was wrong before: what was decided by it counts no
 * more. */
#define TIMER_BACK_MAX_NS (INT64_C(3600) * 1000000000)

struct timer_plan_rule {
	const struct timer_rule *rule; /* borrowed */
	int64_t decided_ns;            /* scheduled times up to here are fired or passed over */
	int64_t next_ns;               /* the one after; INT64_MAX: none, or the rule is off */
};

struct timer_plan {
	const struct timer_rules *rules;    /* borrowed */
	const struct lc_calendar *calendar; /* borrowed */
	struct timer_plan_rule *items;      /* owned; in the rules' order */
	size_t count;
};

/* What became of a scheduled time. */
enum timer_decision {
	TIMER_FIRE,
	TIMER_MISSED,     /* later than misfire_grace */
	TIMER_COALESCED,  /* a later time of the same rule is fired for it */
	TIMER_NO_TRADING, /* the market does not trade on that day */
	TIMER_DECISIONS
};

/* Everything is decided up to now_ns. */
enum lc_err timer_plan_init(struct timer_plan *plan, const struct timer_rules *rules,
	const struct lc_calendar *calendar, int64_t now_ns);
void timer_plan_finish(struct timer_plan *plan);

/* Goes back to (or on from) where another run of the program was, for the rule at index. Times in
 * the future do not count. */
void timer_plan_restore(struct timer_plan *plan, size_t index, int64_t decided_ns, int64_t now_ns);

/* Decides everything that is due and calls decide() for it, oldest first of each rule; of times
 * missed by the thousand only the newest ones. index: of the rule. Nothing of the plan may be
 * changed in decide(). Returns when the next one is due; INT64_MAX: never. */
typedef void (*timer_decide_cb)(
	void *arg, size_t index, int64_t scheduled_ns, enum timer_decision decision);
int64_t timer_plan_step(struct timer_plan *plan, int64_t now_ns, timer_decide_cb decide, void *arg);

/* Was the clock set back so far that the plan had to begin anew? Told once. */
bool timer_plan_set_back(struct timer_plan *plan, int64_t now_ns);

/* The first time after after_ns at which the rule fires: scheduled, and on a trading day.
 * INT64_MAX: never (within ten years). */
int64_t timer_plan_next(const struct timer_rules *rules, const struct timer_rule *rule,
	const struct lc_calendar *calendar, int64_t after_ns);

#include "bars_priv.h"

/* After the closing batch, which may be stamped some seconds past 15:00, comes fixed-price
 * trading. */
#define CN_FIXED_PRICE_NS (5 * MINUTE_NS)
/* The random end of Hong Kong's closing auction may be stamped a little past its last minute. */
#define HK_TAIL_NS MINUTE_NS

struct phase {
	int64_t from_ns, to_ns;
	enum lc_session session;
};

/* The day's phases in order; at most max. */
static int read_phases(struct lc_calendar *calendar, enum lc_market market,
	const struct day_plan *plan, struct phase *phases, int max)
{
	int count = 0;
	int64_t at = plan->midnight_ns;
	while (at < plan->next_ns && count < max) {
		int64_t to = lc_session_ends(calendar, market, at);
		phases[count++] = (struct phase){at, to < plan->next_ns ? to : plan->next_ns,
			lc_session_at(calendar, market, at)};
		at = to;
	}
	return count;
}

static void add_segment(struct day_plan *plan, int64_t from_ns, int64_t to_ns, bool regular)
{
	if (plan->n_segments == SEGMENTS_MAX) {
		return;
	}
	int count = (int)((to_ns - from_ns + MINUTE_NS - 1) / MINUTE_NS);
	plan->segments[plan->n_segments++] = (struct segment){
		from_ns, to_ns, plan->slots, count, regular};
	plan->slots += count;
}

/* China's closing auction is part of the last minutes; Hong Kong's comes after them. */
static void take_phase(struct day_plan *plan, enum lc_market market, const struct phase *phase,
	bool after_open, bool extended)
{
	switch (phase->session) {
	case LC_SESSION_OPEN:
		add_segment(plan, phase->from_ns, phase->to_ns, true);
		break;
	case LC_SESSION_AUCTION:
		if (plan->slots == 0) {
			plan->begin_ns = phase->from_ns;
		} else if (market == LC_MARKET_CN && after_open) {
			struct segment *last = &plan->segments[plan->n_segments - 1];
			int more = (int)((phase->to_ns - phase->from_ns) / MINUTE_NS);
			last->to_ns = phase->to_ns;
			last->count += more;
			plan->slots += more;
		} else {
			plan->tail_ns = phase->to_ns + HK_TAIL_NS;
			plan->final_ns = phase->to_ns;
		}
		break;
	case LC_SESSION_PRE:
	case LC_SESSION_POST:
		if (extended) {
			add_segment(plan, phase->from_ns, phase->to_ns, false);
		} else if (market == LC_MARKET_CN) {
			plan->tail_ns = phase->from_ns + CN_FIXED_PRICE_NS;
			plan->final_ns = phase->to_ns + MINUTE_NS;
		}
		break;
	default:
		break;
	}
}

static int64_t regular_end(const struct day_plan *plan)
{
	int64_t end = plan->midnight_ns;
	for (int i = 0; i < plan->n_segments; i++) {
		end = plan->segments[i].regular ? plan->segments[i].to_ns : end;
	}
	return end;
}

void lc_day_plan_make(struct day_plan *plan, struct lc_calendar *calendar, enum lc_market market,
	int32_t day, bool extended, int64_t grace_ns)
{
	enum { PHASES = 16 };
	struct phase phases[PHASES];
	struct lc_civil noon = {.hour = 12};
	int64_t noon_ns = 0;
	lc_civil_from_days(day, &noon);
	noon.hour = 12;
	(void)lc_civil_to_ns(lc_calendar_zone(calendar, market), &noon, &noon_ns, NULL);
	*plan = (struct day_plan){.day = day, .final_ns = INT64_MIN, .begin_ns = INT64_MIN};
	plan->midnight_ns = lc_day_begin(calendar, market, noon_ns, &plan->next_ns);
	extended = extended && market == LC_MARKET_US;
	int count = read_phases(calendar, market, plan, phases, PHASES);
	for (int i = 0; i < count; i++) {
		bool after_open = i > 0 && phases[i - 1].session == LC_SESSION_OPEN;
		take_phase(plan, market, &phases[i], after_open, extended);
	}
	if (plan->slots == 0) {
		return;
	}
	int64_t last_ns = plan->segments[plan->n_segments - 1].to_ns;
	plan->begin_ns = plan->begin_ns == INT64_MIN ? plan->segments[0].from_ns : plan->begin_ns;
	plan->tail_ns = plan->tail_ns > last_ns ? plan->tail_ns : last_ns;
	/* In the US what is traded after the end is no part of the day; elsewhere it is. */
	plan->outside_ns = market == LC_MARKET_US ? plan->tail_ns : plan->next_ns;
	if (market != LC_MARKET_CN) {
		int64_t end = plan->final_ns > last_ns ? plan->final_ns : regular_end(plan);
		plan->final_ns = end + grace_ns;
	} else if (plan->final_ns == INT64_MIN) {
		plan->final_ns = last_ns + grace_ns;
	}
}

const struct segment *lc_day_segment(const struct day_plan *plan, int slot)
{
	const struct segment *segment = &plan->segments[0];
	for (int i = 1; i < plan->n_segments && plan->segments[i].first <= slot; i++) {
		segment = &plan->segments[i];
	}
	return segment;
}

int lc_day_slot(const struct day_plan *plan, int64_t ns)
{
	if (plan->slots == 0 || ns < plan->begin_ns || ns >= plan->outside_ns) {
		return SLOT_NONE;
	}
	if (ns >= plan->tail_ns) {
		return SLOT_OUTSIDE;
	}
	int slot = 0;
	for (int i = 0; i < plan->n_segments && ns >= plan->segments[i].from_ns; i++) {
		const struct segment *segment = &plan->segments[i];
		int64_t into = (ns - segment->from_ns) / MINUTE_NS;
		/* What is stamped after a segment's end was traded in its last minute. */
		slot = segment->first + (into < segment->count ? (int)into : segment->count - 1);
	}
	return slot;
}

int64_t lc_day_slot_start(const struct day_plan *plan, int slot)
{
	const struct segment *segment = lc_day_segment(plan, slot);
	return segment->from_ns + (slot - segment->first) * MINUTE_NS;
}

bool lc_day_overlap(
	const struct day_plan *plan, int64_t from_ns, int64_t to_ns, int *first, int *last)
{
	bool found = false;
	for (int i = 0; i < plan->n_segments; i++) {
		const struct segment *segment = &plan->segments[i];
		int64_t from = from_ns > segment->from_ns ? from_ns : segment->from_ns;
		int64_t to = to_ns < segment->to_ns - 1 ? to_ns : segment->to_ns - 1;
		if (from > to) {
			continue;
		}
		if (!found) {
			*first = segment->first + (int)((from - segment->from_ns) / MINUTE_NS);
		}
		*last = segment->first + (int)((to - segment->from_ns) / MINUTE_NS);
		found = true;
	}
	return found;
}

int lc_day_ended(const struct day_plan *plan, int64_t ns)
{
	int ended = 0;
	for (int i = 0; i < plan->n_segments; i++) {
		const struct segment *segment = &plan->segments[i];
		if (ns >= segment->to_ns) {
			ended = segment->first + segment->count;
		} else if (ns >= segment->from_ns) {
			ended = segment->first + (int)((ns - segment->from_ns) / MINUTE_NS);
		}
	}
	return ended;
}

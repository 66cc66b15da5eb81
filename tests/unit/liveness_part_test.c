#include "liveness_fixture.h"

/* Mainland China and Hong Kong on one feed: symbols 0 … 19 and 20 … 39. */
#define EACH 20

struct parts {
	struct live_fixture f;
	int asked, mute, back;
	int64_t asked_ns, mute_ns;
	enum lc_market which;
	struct lc_live_step step;
};

static void open_parts(struct parts *p, double rate_cn, double rate_hk, int64_t wall_ns)
{
	struct live_fixture *f = &p->f;
	*p = (struct parts){0};
	open_live(f, ".SH", EACH, rate_cn, wall_ns);
	for (size_t i = 0; i < EACH; i++) {
		char text[LC_SYMBOL_MAX];
		uint32_t index;
		snprintf(text, sizeof text, "%05u.HK", (unsigned)i + 1);
		cr_assert_eq(lc_symbols_intern(f->symbols, text, strlen(text), &index), LC_OK);
		f->rate[index] = rate_hk;
		f->next_ns[index] = f->mono_ns + draw_gap(f, rate_hk);
		f->count = index + 1;
	}
}

static void note_part(struct parts *p, enum lc_market market, enum lc_live_part part)
{
	p->asked += part == LC_PART_ASK_AGAIN;
	p->mute += part == LC_PART_MUTE;
	p->back += part == LC_PART_BACK;
	p->asked_ns = part == LC_PART_ASK_AGAIN ? p->f.mono_ns : p->asked_ns;
	p->mute_ns = part == LC_PART_MUTE ? p->f.mono_ns : p->mute_ns;
	p->which = part != LC_PART_FINE ? market : p->which;
}

static void go(struct parts *p, int64_t duration_ns)
{
	for (int64_t end_ns = p->f.mono_ns + duration_ns; p->f.mono_ns < end_ns;) {
		turn(&p->f);
		for (int market = 0; market < LC_MARKETS; market++) {
			struct lc_live_step step;
			enum lc_live_part part = lc_liveness_part(
				p->f.live, 0, (enum lc_market)market, &p->f.link, &step);
			note_part(p, (enum lc_market)market, part);
			p->step = part != LC_PART_FINE ? step : p->step;
		}
	}
}

static void drop_hk(struct parts *p, bool dropped)
{
	for (size_t i = EACH; i < 2 * EACH; i++) {
		p->f.dropped[i] = dropped;
	}
}

/* At 10:00 in both. */
static int64_t morning(void)
{
	return at(2026, 3, 4, 2, 0);
}

Test(liveness_part, one_market_is_asked_again_then_mute_then_back)
{
	struct parts p;
	open_parts(&p, 1, 1, morning());
	go(&p, 10 * MINUTE);
	cr_assert_eq(p.asked + p.mute + p.back + p.f.steps, 0);
	drop_hk(&p, true);
	int64_t fell_ns = p.f.mono_ns;
	go(&p, MINUTE);
	cr_assert_eq(p.asked, 1);
	cr_assert_eq(p.mute, 1);
	cr_assert_eq(p.which, LC_MARKET_HK);
	cr_assert_leq(p.asked_ns - fell_ns, 7 * SECOND, "20 ticks a second are missed in seconds");
	cr_assert_geq(p.mute_ns - p.asked_ns, 5 * SECOND, "the resubscription had its time");
	cr_assert_leq(p.mute_ns - fell_ns, 20 * SECOND);
	cr_assert_eq(p.step.verdict, LC_LIVE_MUTE);
	cr_assert_geq(p.step.silent_ns, p.step.expected_ns);
	cr_assert_eq(view_of(&p.f).mute, 1u << LC_MARKET_HK);
	go(&p, 20 * MINUTE);
	cr_assert_eq(p.f.steps, 0, "the feed itself is well");
	cr_assert_eq(p.f.asked + p.f.silent, 0, "it is one market, not twenty symbols");
	cr_assert_eq(p.asked + p.mute, 2, "said once");
	drop_hk(&p, false);
	go(&p, MINUTE);
	cr_assert_eq(p.back, 1);
	cr_assert_eq(view_of(&p.f).mute, 0);
	/* What is learned did not fade meanwhile. */
	drop_hk(&p, true);
	fell_ns = p.f.mono_ns;
	go(&p, MINUTE);
	cr_assert_eq(p.mute, 2);
	cr_assert_leq(p.asked_ns - fell_ns, 7 * SECOND);
	close_live(&p.f);
}

Test(liveness_part, a_market_that_speaks_seldom_is_left_in_peace)
{
	struct parts p;
	open_parts(&p, 1, 0.002, morning()); /* all of them together every 25 s */
	go(&p, 80 * MINUTE);
	cr_assert_eq(p.asked + p.mute + p.f.steps, 0, "%d %d %d", p.asked, p.mute, p.f.steps);
	close_live(&p.f);
}

Test(liveness_part, all_markets_together_are_the_feed)
{
	struct parts p;
	open_parts(&p, 1, 1, morning());
	go(&p, 10 * MINUTE);
	p.f.mute = true;
	go(&p, 2 * MINUTE);
	cr_assert_eq(p.asked + p.mute, 0);
	cr_assert_eq(p.f.stages[LC_STAGE_PROBE], 1);
	close_live(&p.f);
}

Test(liveness_part, a_dead_market_does_not_hide_that_the_feed_dies_nor_kills_it)
{
	struct parts p;
	open_parts(&p, 0.1, 5, morning()); /* 2 ticks a second, and 100 */
	go(&p, 20 * MINUTE);
	drop_hk(&p, true);
	go(&p, 20 * MINUTE);
	cr_assert_eq(p.mute, 1);
	cr_assert_eq(p.f.steps, 0, "what Hong Kong should say does not count against the mainland");
	p.f.mute = true;
	go(&p, 10 * MINUTE);
	cr_assert_geq(p.f.stages[LC_STAGE_PROBE], 1);
	close_live(&p.f);
}

Test(liveness_part, lunch_ends_it_and_is_no_silence)
{
	struct parts p;
	/* Hong Kong trades to 12:00, the mainland to 11:30. */
	open_parts(&p, 1, 1, at(2026, 3, 4, 3, 40));
	drop_hk(&p, false);
	go(&p, 10 * MINUTE);
	for (size_t i = 0; i < EACH; i++) {
		p.f.dropped[i] = true; /* the mainland at lunch */
	}
	go(&p, 5 * MINUTE);
	cr_assert_eq(p.asked + p.mute + p.f.steps, 0);
	close_live(&p.f);
	open_parts(&p, 1, 1, at(2026, 3, 4, 3, 10));
	go(&p, 10 * MINUTE);
	for (size_t i = 0; i < EACH; i++) {
		p.f.dropped[i] = true;
	}
	go(&p, 5 * MINUTE);
	cr_assert_eq(p.mute, 1, "before lunch it was mute");
	cr_assert_eq(p.which, LC_MARKET_CN);
	go(&p, 10 * MINUTE);
	cr_assert_eq(p.back, 1, "at lunch nothing is expected of it");
	cr_assert_eq(p.f.steps, 0);
	close_live(&p.f);
}

Test(liveness_part, polls_that_say_the_same_need_more_patience)
{
	struct parts p;
	open_parts(&p, 1, 1, morning());
	p.f.polls = true;
	p.f.link.cadence_ns = 3 * SECOND;
	go(&p, 10 * MINUTE);
	drop_hk(&p, true);
	go(&p, 7 * SECOND);
	cr_assert_eq(p.asked, 0);
	go(&p, MINUTE);
	cr_assert_eq(p.mute, 1);
	cr_assert_eq(p.step.verdict, LC_LIVE_FROZEN);
	close_live(&p.f);
}

/* Feeds and their symbols on a clock that is a number: Poisson ticks, turns every 250 ms, and a
 * vendor that does what the test says. */
#pragma once

#include "livecore/clock.h"
#include "livecore/liveness.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TURN_NS (250 * LC_NS_PER_MS)
#define SECOND LC_NS_PER_S
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define SYMBOLS_MAX 400

struct live_fixture {
	struct lc_symbols *symbols;
	struct lc_calendar *calendar;
	struct lc_liveness_config config;
	struct lc_liveness *live;
	struct lc_live_link link;
	int64_t mono_ns, wall_ns;
	uint64_t random;
	size_t count;
	double rate[SYMBOLS_MAX]; /* ticks a second */
	bool halted[SYMBOLS_MAX], dropped[SYMBOLS_MAX];
	int64_t next_ns[SYMBOLS_MAX];
	bool mute;    /* no ticks */
	bool answers; /* pings are answered */
	bool polls;   /* what did not tick is answered without news, every 3 s */
	int64_t polled_ns;
	struct lc_live_step step; /* the last one that was more than nothing */
	int stages[LC_STAGES], steps;
	int64_t stage_ns[LC_STAGES]; /* when it was last said */
	int asked, silent, back;
	uint32_t which;
};

static inline uint64_t draw(struct live_fixture *f)
{
	return xorshift(&f->random);
}

/* Until the next tick of a Poisson process. */
static inline int64_t draw_gap(struct live_fixture *f, double rate)
{
	double u = ((double)(draw(f) >> 11) + 1) / 9007199254740993.0;
	return rate > 0 ? (int64_t)(-log(u) / rate * 1e9) : INT64_MAX / 4;
}

static inline void make_live(struct live_fixture *f)
{
	const struct lc_liveness_options options = {.max_symbols = SYMBOLS_MAX,
		.feeds = 2,
		.symbols = f->symbols,
		.calendar = f->calendar,
		.config = &f->config,
		.mono_ns = f->mono_ns};
	cr_assert_eq(lc_liveness_create(&options, &f->live), LC_OK);
}

static inline int64_t at(int year, int month, int day, int hour, int minute)
{
	struct lc_civil civil = {.year = (int16_t)year,
		.month = (uint8_t)month,
		.day = (uint8_t)day,
		.hour = (uint8_t)hour,
		.minute = (uint8_t)minute};
	return ((int64_t)lc_days_from_civil(year, month, day) * 86400 + civil.hour * 3600 +
		       civil.minute * 60) *
	       SECOND;
}

/* `count` symbols of a market, each with this rate; "" : no calendar, always open. */
static inline void open_live(
	struct live_fixture *f, const char *suffix, size_t count, double rate, int64_t wall_ns)
{
	*f = (struct live_fixture){.random = 0x9e3779b97f4a7c15,
		.mono_ns = 7777 * SECOND,
		.wall_ns = wall_ns,
		.count = count,
		.answers = true};
	f->config = (struct lc_liveness_config){.enabled = true,
		.patience = 25,
		.min_silence = 5000,
		.max_silence = 300000,
		.symbol_silence = 60000,
		.grace = 10000,
		.probe_wait = 3000,
		.resubscribe_wait = 5000,
		.reconnect_wait = 30000};
	cr_assert_eq(lc_symbols_create(SYMBOLS_MAX, 1, &f->symbols), LC_OK);
	cr_assert_eq(lc_calendar_create(suffix[0] == '\0', &f->calendar, NULL), LC_OK);
	for (size_t i = 0; i < count; i++) {
		char text[LC_SYMBOL_MAX];
		uint32_t index;
		if (suffix[0] == '.') {
			snprintf(text, sizeof text,
				strcmp(suffix, ".HK") == 0 ? "%05u%s" : "6%05u%s", (unsigned)i,
				suffix);
		} else {
			snprintf(text, sizeof text, "%c%c%c", (char)('A' + i / 676 % 26),
				(char)('A' + i / 26 % 26), (char)('A' + i % 26));
		}
		cr_assert_eq(lc_symbols_intern(f->symbols, text, strlen(text), &index), LC_OK);
		f->rate[i] = rate;
		f->next_ns[i] = f->mono_ns + draw_gap(f, rate);
	}
	f->link = (struct lc_live_link){
		.connected = true, .settled = true, .reading = true, .heard_ns = f->mono_ns};
	make_live(f);
}

static inline void close_live(struct live_fixture *f)
{
	lc_liveness_destroy(f->live);
	lc_calendar_destroy(f->calendar);
	lc_symbols_destroy(f->symbols);
}

static inline void send_ticks(struct live_fixture *f)
{
	for (uint32_t i = 0; i < f->count; i++) {
		while (f->next_ns[i] <= f->mono_ns) {
			int64_t when_ns = f->next_ns[i];
			f->next_ns[i] += draw_gap(f, f->rate[i]);
			if (!f->mute && !f->halted[i] && !f->dropped[i] && f->link.connected) {
				lc_liveness_data(f->live, 0, i, f->wall_ns - (f->mono_ns - when_ns),
					when_ns);
				f->link.heard_ns = when_ns;
			}
		}
	}
	if (f->answers && f->mono_ns % (10 * SECOND) < TURN_NS) {
		f->link.heard_ns = f->mono_ns;
	}
	if (f->polls && f->mono_ns - f->polled_ns >= 3 * SECOND) {
		f->polled_ns = f->link.heard_ns = f->mono_ns;
		for (uint32_t i = 0; i < f->count; i++) {
			lc_liveness_same(f->live, 0, i, 0, f->mono_ns);
		}
	}
}

/* What the manager would do. */
static inline void follow_step(struct live_fixture *f, const struct lc_live_step *step)
{
	f->step = *step;
	f->steps++;
	f->stages[step->stage]++;
	f->stage_ns[step->stage] = f->mono_ns;
	if (step->stage == LC_STAGE_PROBE && f->answers) {
		f->link.heard_ns = f->mono_ns + 1;
	}
}

static inline void turn(struct live_fixture *f)
{
	struct lc_live_step step;
	f->mono_ns += TURN_NS;
	f->wall_ns += TURN_NS;
	send_ticks(f);
	lc_liveness_turn(f->live, f->wall_ns, f->mono_ns);
	lc_liveness_feed(f->live, 0, &f->link, &step);
	if (step.stage != LC_STAGE_NONE) {
		follow_step(f, &step);
	}
	for (uint32_t i = 0; i < f->count; i++) {
		enum lc_live_symbol verdict = lc_liveness_visit(
			f->live, i, 0, f->link.connected, f->halted[i]);
		f->asked += verdict == LC_SYMBOL_ASK_AGAIN;
		f->silent += verdict == LC_SYMBOL_SILENT;
		f->back += verdict == LC_SYMBOL_BACK;
		f->which = verdict != LC_SYMBOL_FINE ? i : f->which;
	}
}

static inline void run(struct live_fixture *f, int64_t duration_ns)
{
	for (int64_t end_ns = f->mono_ns + duration_ns; f->mono_ns < end_ns;) {
		turn(f);
	}
}

/* Until the stage is said; how long it took, or -1. */
static inline int64_t run_until(struct live_fixture *f, enum lc_live_stage stage, int64_t most_ns)
{
	int before = f->stages[stage];
	int64_t start_ns = f->mono_ns;
	while (f->stages[stage] == before && f->mono_ns - start_ns < most_ns) {
		turn(f);
	}
	return f->stages[stage] > before ? f->mono_ns - start_ns : -1;
}

/* Jumps over a time in which nothing is sent, a second at a time. */
static inline void skip_to(struct live_fixture *f, int64_t wall_ns)
{
	while (f->wall_ns < wall_ns) {
		int64_t step_ns = wall_ns - f->wall_ns < MINUTE ? wall_ns - f->wall_ns : MINUTE;
		f->mono_ns += step_ns - TURN_NS;
		f->wall_ns += step_ns - TURN_NS;
		for (size_t i = 0; i < f->count; i++) {
			f->next_ns[i] = f->mono_ns + draw_gap(f, f->rate[i]);
		}
		turn(f);
	}
}

static inline struct lc_live_view view_of(const struct live_fixture *f)
{
	struct lc_live_view view;
	lc_liveness_view(f->live, 0, &view);
	return view;
}

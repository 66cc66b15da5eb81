/* The walk that the simulators play: believable, bounded and repeatable. */
#include "../../feeders/sim/walk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S INT64_C(1000000000)

static void check_state(const struct sim_symbol *s)
{
	cr_assert_gt(s->low, 0, "%s", s->text);
	cr_assert(s->low <= s->open && s->open <= s->high, "%s", s->text);
	cr_assert(s->low <= s->last && s->last <= s->high, "%s", s->text);
	cr_assert_leq(
		llabs(s->last - s->prev_close), s->prev_close * 9 / 100 + 60000, "%s", s->text);
	cr_assert(s->bid[0] <= s->last && s->last <= s->ask[0], "%s", s->text);
	for (int i = 0; i < 5; i++) {
		cr_assert(s->bid[i] < s->ask[i]);
		cr_assert(i == 0 || s->bid[i] < s->bid[i - 1]);
		cr_assert(i == 0 || s->ask[i] > s->ask[i - 1]);
		cr_assert(s->bid_size[i] > 0 && s->ask_size[i] > 0);
	}
	cr_assert_eq(s->last % sim_symbol_tick(s, s->last), 0, "%s %ld", s->text, (long)s->last);
}

Test(sim_walk, every_known_symbol_walks_believably)
{
	struct sim_walk *walk;
	cr_assert_eq(sim_walk_create(7, &walk), LC_OK);
	for (int market = SIM_CN; market <= SIM_US; market++) {
		size_t i = 0;
		for (const char *name; (name = sim_walk_known(market, i)) != NULL; i++) {
			struct sim_symbol *s = sim_walk_symbol(walk, name);
			cr_assert_not_null(s);
			cr_assert_eq((int)s->market, market, "%s", name);
			check_state(s);
			int64_t volume = s->volume, value = s->value, moved = 0, last = s->last;
			for (int t = 0; t < 3000; t++) {
				sim_symbol_trade(s, (1000000 + t) * S);
				check_state(s);
				cr_assert_eq(s->volume, volume + s->last_size);
				cr_assert_eq(s->value, value + s->last_size * s->last);
				moved += s->last != last;
				volume = s->volume, value = s->value, last = s->last;
			}
			cr_assert_gt(moved, 500, "%s stands still", name);
		}
		cr_assert_geq(i, 40);
	}
	sim_walk_destroy(walk);
}

Test(sim_walk, same_seed_same_prices_whatever_else_walks)
{
	struct sim_walk *a, *b, *c;
	sim_walk_create(42, &a);
	sim_walk_create(42, &b);
	sim_walk_create(43, &c);
	struct sim_symbol *x = sim_walk_symbol(a, "AAPL");
	sim_symbol_trade(sim_walk_symbol(b, "MSFT"), S);
	struct sim_symbol *y = sim_walk_symbol(b, "AAPL"), *z = sim_walk_symbol(c, "AAPL");
	int differs = 0;
	for (int i = 0; i < 1000; i++) {
		sim_symbol_trade(x, i * S);
		sim_symbol_trade(y, i * S);
		sim_symbol_trade(z, i * S);
		cr_assert_eq(x->last, y->last);
		cr_assert_eq(x->volume, y->volume);
		differs += x->last != z->last;
	}
	cr_assert_gt(differs, 100);
	sim_walk_destroy(a), sim_walk_destroy(b), sim_walk_destroy(c);
}

Test(sim_walk, markets_boards_and_steps)
{
	static const struct {
		const char *text;
		enum sim_market market;
		int board, decimals;
		int64_t tick;
	} cases[] = {{"600000.SH", SIM_CN, 1, 2, 100}, {"000001.SZ", SIM_CN, 0, 2, 100},
		{"920047.BJ", SIM_CN, 0, 2, 100}, {"510300.SH", SIM_CN, 1, 3, 10},
		{"159941.SZ", SIM_CN, 0, 3, 10}, {"00700.HK", SIM_HK, 116, 3, 2000},
		{"00939.HK", SIM_HK, 116, 3, 100}, {"AAPL", SIM_US, 105, 3, 100},
		{"BRK.B", SIM_US, 106, 3, 100}, {"603000.SH", SIM_CN, 1, 2, 100},
		{"ZZZZ", SIM_US, 105, 3, 100}, {"BAC.PRL", SIM_US, 105, 3, 100}};
	struct sim_walk *walk;
	sim_walk_create(1, &walk);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sim_symbol *s = sim_walk_symbol(walk, cases[i].text);
		cr_assert_eq(s->market, cases[i].market, "%s", s->text);
		cr_assert_eq(s->vendor_board, cases[i].board, "%s", s->text);
		cr_assert_eq(s->decimals, cases[i].decimals, "%s", s->text);
		cr_assert_eq(sim_symbol_tick(s, s->prev_close), cases[i].tick, "%s", s->text);
		cr_assert_eq(sim_walk_symbol(walk, cases[i].text), s);
		cr_assert_eq(sim_walk_at(walk, s->index), s);
	}
	cr_assert_null(sim_walk_symbol(walk, ""));
	cr_assert_null(sim_walk_symbol(walk, "A-NAME-THAT-IS-TOO-LONG"));
	sim_walk_destroy(walk);
	sim_walk_destroy(NULL);
}

Test(sim_walk, bars_hold_what_was_traded_in_their_minute)
{
	struct sim_walk *walk;
	sim_walk_create(9, &walk);
	struct sim_symbol *s = sim_walk_symbol(walk, "KO");
	int64_t volume = 0, high = 0, value = 0;
	for (int i = 0; i < 60; i++) {
		sim_symbol_trade(s, 600 * S + i * S);
		volume += s->last_size;
		value += s->last_size * s->last;
		high = s->last > high ? s->last : high;
	}
	sim_symbol_trade(s, 661 * S);
	cr_assert_eq(s->last_bar.minute, 10);
	cr_assert_eq(s->last_bar.trades, 60);
	cr_assert_eq(s->last_bar.volume, volume);
	cr_assert_eq(s->last_bar.value, value);
	cr_assert_eq(s->last_bar.high, high);
	cr_assert_eq(s->bar.minute, 11);
	cr_assert_eq(s->bar.trades, 1);
	sim_walk_destroy(walk);
}

Test(sim_walk, the_table_is_bounded)
{
	struct sim_walk *walk;
	sim_walk_create(3, &walk);
	char name[16];
	for (int i = 0; i < SIM_SYMBOLS_MAX; i++) {
		snprintf(name, sizeof(name), "X%d", i);
		cr_assert_not_null(sim_walk_symbol(walk, name));
	}
	cr_assert_null(sim_walk_symbol(walk, "ONEMORE"));
	cr_assert_not_null(sim_walk_symbol(walk, "X5"));
	cr_assert_eq(sim_walk_count(walk), SIM_SYMBOLS_MAX);
	sim_walk_destroy(walk);
}

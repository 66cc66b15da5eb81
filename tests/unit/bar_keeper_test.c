/* The open day over a restart: what was kept comes back, what was left does not, and a damaged file
 * costs the day and not the start. */
#include "manager/bar_keeper.h"
#include "bar_rig.h"

#include <fcntl.h>

struct keeping {
	struct bar_rig rig;
	struct lc_bars *bars;
	struct lc_bar_keeper *keeper;
	bool ready, left;
	uint32_t left_symbol;
	size_t restored;
	int64_t saved_ns;
};

static void on_restored(void *arg, uint32_t symbol, int64_t saved_ns)
{
	struct keeping *k = arg;
	(void)symbol;
	cr_assert_not(k->ready);
	k->restored++;
	k->saved_ns = saved_ns;
}

static void on_ready(void *arg)
{
	struct keeping *k = arg;
	cr_assert_not(k->ready, "once");
	k->ready = true;
}

static bool on_holds(void *arg, uint32_t symbol)
{
	const struct keeping *k = arg;
	return !k->left || symbol != k->left_symbol;
}

static void start(struct keeping *k)
{
	static const struct lc_bar_keeper_host host = {
		.restored = on_restored, .ready = on_ready, .holds = on_holds};
	k->bars = rig_bars(&k->rig);
	k->ready = false;
	k->restored = 0;
	const struct lc_bar_keeper_setup setup = {.loop = k->rig.out.f.loop,
		.symbols = k->rig.symbols,
		.bars = k->bars,
		.dir = k->rig.dir,
		.host = &host,
		.arg = k};
	cr_assert_eq(lc_bar_keeper_create(&setup, &k->keeper), LC_OK);
	run_until(&k->rig.out.f, &k->ready);
}

static void stop(struct keeping *k)
{
	k->rig.done = false;
	lc_bar_keeper_stop(k->keeper, rig_on_done, &k->rig);
	run_until(&k->rig.out.f, &k->rig.done);
	lc_bars_destroy(k->bars);
}

static void trade(struct keeping *k, uint32_t symbol, const char *when, int64_t volume)
{
	struct lc_tick tick = rig_tick(&k->rig, symbol, when, volume);
	lc_bars_tick(k->bars, &tick);
	while (lc_bars_advance(k->bars, LC_MARKET_CN, tick.event_ns)) {
	}
}

static int64_t day_volume(struct keeping *k, uint32_t symbol)
{
	struct lc_bar day;
	int64_t now_ns = rig_at(&k->rig, "2026-03-04 14:00:00");
	enum lc_err rc = lc_bars_day(k->bars, symbol, now_ns, &day);
	return rc == LC_OK ? (int64_t)lc_decimal_to_double(day.volume) : -1;
}

static void trade_morning(struct keeping *k, const uint32_t *symbols, int count)
{
	for (int i = 0; i < count; i++) {
		cr_assert_eq(
			lc_bars_follow(k->bars, symbols[i], rig_at(&k->rig, "2026-03-04 09:00:00")),
			LC_OK);
		for (int minute = 30; minute < 60; minute++) {
			char when[32];
			snprintf(when, sizeof when, "2026-03-04 09:%02d:05", minute);
			trade(k, symbols[i], when, 100 * (minute - 29) + i);
		}
	}
}

Test(bar_keeper, a_day_comes_back)
{
	struct keeping k = {0};
	rig_open(&k.rig, 4 << 20);
	start(&k);
	cr_assert_eq(k.restored, 0u);
	const uint32_t symbols[] = {
		rig_symbol(&k.rig, "600000.SH"), rig_symbol(&k.rig, "000001.SZ")};
	trade_morning(&k, symbols, 2);
	rig_clock(&k.rig, "2026-03-04 10:00:00");
	stop(&k);
	start(&k);
	cr_assert_eq(k.restored, 2u);
	cr_assert_eq(k.saved_ns, rig_at(&k.rig, "2026-03-04 10:00:00"));
	cr_assert_eq(day_volume(&k, symbols[0]), 3000);
	cr_assert_eq(day_volume(&k, symbols[1]), 3001);
	struct lc_bar minute;
	cr_assert_eq(lc_bars_get(k.bars, symbols[0], LC_PERIOD_1M,
			     rig_at(&k.rig, "2026-03-04 09:40:00"), &minute),
		LC_OK);
	cr_assert_eq(lc_decimal_compare(minute.volume, lc_decimal_from_int(100)), 0);
	cr_assert_str_empty(lc_bar_keeper_status(k.keeper).why);
	stop(&k);
	rig_close(&k.rig);
}

Test(bar_keeper, a_symbol_that_was_left_does_not_come_back)
{
	struct keeping k = {0};
	rig_open(&k.rig, 4 << 20);
	start(&k);
	const uint32_t symbols[] = {
		rig_symbol(&k.rig, "600000.SH"), rig_symbol(&k.rig, "000001.SZ")};
	trade_morning(&k, symbols, 2);
	stop(&k);
	start(&k);
	k.left = true;
	k.left_symbol = symbols[1];
	lc_bars_unfollow(k.bars, symbols[1]);
	lc_bar_keeper_forget(k.keeper, symbols[1]);
	stop(&k);
	start(&k);
	cr_assert_eq(k.restored, 1u);
	cr_assert_eq(day_volume(&k, symbols[0]), 3000);
	cr_assert_eq(day_volume(&k, symbols[1]), -1);
	stop(&k);
	rig_close(&k.rig);
}

Test(bar_keeper, a_damaged_file_begins_anew)
{
	struct keeping k = {0};
	char path[128], rubbish[8192];
	rig_open(&k.rig, 4 << 20);
	start(&k);
	const uint32_t symbol = rig_symbol(&k.rig, "600000.SH");
	trade_morning(&k, &symbol, 1);
	stop(&k);
	snprintf(path, sizeof path, "%s/bar_state.db", k.rig.dir);
	memset(rubbish, 0x5a, sizeof rubbish);
	int fd = open(path, O_WRONLY | O_TRUNC);
	cr_assert(fd >= 0 && write(fd, rubbish, sizeof rubbish) == (ssize_t)sizeof rubbish);
	close(fd);
	start(&k);
	cr_assert_eq(k.restored, 0u);
	trade_morning(&k, &symbol, 1);
	stop(&k);
	start(&k);
	cr_assert_eq(day_volume(&k, symbol), 3000, "it is kept again");
	stop(&k);
	rig_close(&k.rig);
}

Test(bar_keeper, a_stop_while_it_loads)
{
	struct keeping k = {0};
	static const struct lc_bar_keeper_host host = {
		.restored = on_restored, .ready = on_ready, .holds = on_holds};
	rig_open(&k.rig, 4 << 20);
	k.bars = rig_bars(&k.rig);
	const struct lc_bar_keeper_setup setup = {.loop = k.rig.out.f.loop,
		.symbols = k.rig.symbols,
		.bars = k.bars,
		.dir = k.rig.dir,
		.host = &host,
		.arg = &k};
	cr_assert_eq(lc_bar_keeper_create(&setup, &k.keeper), LC_OK);
	stop(&k);
	cr_assert_not(k.ready);
	rig_close(&k.rig);
}

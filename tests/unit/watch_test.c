#include "feeds_fixture.h"

/* A turn of the watch, in which so much time has passed. */
static void turn(struct rig *rig, int64_t ms)
{
	rig_pass(ms);
	int64_t until_ns = machine_ns(CLOCK_MONOTONIC) + 260 * LC_NS_PER_MS;
	RIG_UNTIL(rig, machine_ns(CLOCK_MONOTONIC) > until_ns);
}

static void speak(struct rig *rig, int source, const uint32_t *symbols, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		rig_tick(rig, source, symbols[i]);
	}
}

/* A feed that was heard for long enough to be known: each symbol twice a second. */
static void begin(struct rig *rig, const char *more, uint32_t symbols[3])
{
	rig_open(rig);
	rig_route(rig, "eastmoney,tencent");
	rig_set(rig, "liveness.grace=1s");
	if (more) {
		rig_set(rig, more);
	}
	rig_follow_three(rig, symbols);
	for (size_t i = 0; i < 24; i++) {
		for (size_t n = 0; n < 10; n++) {
			rig_pass(500);
			speak(rig, ONE, symbols, 3);
		}
		turn(rig, 0);
	}
}

static bool stage(struct rig *rig, const char *name)
{
	while (rig_event(rig, "feed_mute")) {
		if (out_is(&rig->out, "data.stage", name)) {
			return true;
		}
	}
	return false;
}

Test(watch, a_mute_feed_goes_through_the_stages_and_comes_back)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, NULL, symbols);
	cr_assert_not(rig_event(&rig, "feed_mute"));
	cr_assert_eq(vendors[ONE].probes, 0);
	rig_pass(20000);
	RIG_UNTIL(&rig, vendors[ONE].probes == 1);
	cr_assert(stage(&rig, "probe"));
	vendors[ONE].heard_ns = lc_clock_mono_ns() + 1; /* it answers, and gives nothing */
	rig_pass(1500);
	RIG_UNTIL(&rig, stage(&rig, "resubscribe"));
	RIG_UNTIL(&rig, vendors[ONE].renewed == 3 && vendors[ONE].held == 3);
	cr_assert(
		lc_feed_gaps_is_open(&rig.manager, symbols[0]), "what it does not give is missing");
	cr_assert_eq(vendors[ONE].starts, 1);
	rig_pass(20000);
	RIG_UNTIL(&rig, stage(&rig, "reconnect"));
	RIG_UNTIL(&rig, vendors[ONE].starts == 2 && vendors[ONE].held == 3);
	cr_assert_eq(vendors[TWO].starts, 0);
	for (int i = 0; i < 30 && vendors[TWO].starts == 0; i++) {
		turn(&rig, 10000);
	}
	cr_assert(stage(&rig, "fail_over"));
	RIG_UNTIL(&rig, vendors[TWO].held == 3);
	speak(&rig, TWO, symbols, 3);
	cr_assert_eq(rig.manager.feed_of[symbols[0]], TWO);
	speak(&rig, ONE, symbols, 3);
	RIG_UNTIL(&rig, stage(&rig, "over"));
	rig_close(&rig);
}

Test(watch, switched_off_it_does_nothing)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, "liveness.enabled=false", symbols);
	for (int i = 0; i < 4; i++) {
		turn(&rig, 60000);
	}
	cr_assert_eq(vendors[ONE].probes, 0);
	cr_assert_not(rig_event(&rig, "feed_mute"));
	rig_close(&rig);
}

Test(watch, a_silent_connection_is_dead_when_a_probe_is_not_answered)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, NULL, symbols);
	rig_pass(20000);
	RIG_UNTIL(&rig, vendors[ONE].probes == 1);
	cr_assert_eq(vendors[ONE].starts, 1);
	rig_pass(4000);
	RIG_UNTIL(&rig, vendors[ONE].starts == 2);
	cr_assert_eq(vendors[ONE].renewed, 0, "no use in subscribing anew");
	cr_assert(stage(&rig, "reconnect"));
	rig_close(&rig);
}

Test(watch, a_tick_ends_it)
{
	struct rig rig;
	uint32_t symbols[3];
	begin(&rig, NULL, symbols);
	rig_pass(20000);
	RIG_UNTIL(&rig, vendors[ONE].probes == 1);
	speak(&rig, ONE, symbols, 3);
	RIG_UNTIL(&rig, stage(&rig, "over"));
	cr_assert_eq(vendors[ONE].renewed, 0);
	rig_close(&rig);
}

#include "manager/supervisor.h"

#include "livecore/list.h"
#include "loop_fixture.h"

#include <string.h>

#define SYMBOLS 64

/* A vendor's feeder that does what the test says. It answers from timers only, as the interface
 * wants. */
struct fake {
	struct lc_feeder base;
	struct fixture loop;
	struct lc_supervisor *supervisor;
	struct lc_supervisor_config config;
	/* what it is to do */
	bool unusable, refuses, mute, keeps_changes;
	struct lc_down down;
	size_t max_change;
	uint32_t limit; /* symbols from this one on are over the limit; 0: none */
	/* what it saw */
	int starts, stops, ups, downs, configures, pauses;
	int64_t down_ns, gap_ns; /* when the last session ended; from there to the next start */
	size_t held_when_down;   /* subscribed, once the supervisor knew */
	enum lc_feed_state state_when_down;
	bool open, paused;
	bool has[SYMBOLS];
	size_t n_changes, n_added, n_removed, largest;
	uint32_t added[1024];
	struct lc_timer *timer;
	enum { ANSWER_NONE, ANSWER_UP, ANSWER_DOWN } answer;
	/* what the supervisor said */
	char states[512], troubles[128], reason[256];
	int gave_up, closed;
	size_t rejected;
	bool stop_when_connecting;
};

static struct fake *fake_of(const struct lc_feeder *feeder)
{
	return feeder->env.host_data;
}

static void on_answer(void *arg)
{
	struct fake *fake = arg;
	if (fake->answer == ANSWER_UP) {
		fake->answer = ANSWER_NONE;
		fake->ups++;
		lc_supervisor_on_up(fake->supervisor);
	} else if (fake->answer == ANSWER_DOWN) {
		struct lc_down down = fake->down;
		fake->answer = ANSWER_NONE;
		fake->open = false;
		memset(fake->has, 0, sizeof fake->has);
		fake->down_ns = lc_clock_mono_ns();
		lc_supervisor_on_down(fake->supervisor, &down);
		struct lc_supervisor_status status = lc_supervisor_status(fake->supervisor);
		fake->held_when_down = status.symbols.subscribed;
		fake->state_when_down = status.state;
		fake->downs++;
	}
}

static void go_down(struct fake *fake, enum lc_down_kind kind, int64_t wait_ms, const char *text)
{
	fake->down = (struct lc_down){.kind = kind, .wait_ms = wait_ms};
	lc_error_set(&fake->down.error, LC_ERR_IO, "%s", text);
	fake->answer = ANSWER_DOWN;
	lc_timer_start(fake->timer, 0, 0);
}

static enum lc_err fake_create(
	const struct lc_feeder_env *env, struct lc_feeder **out, struct lc_error *err)
{
	(void)err;
	struct fake *fake = env->host_data;
	fake->base.env = *env;
	*out = &fake->base;
	return lc_timer_create(env->loop, on_answer, fake, &fake->timer);
}

static void fake_destroy(struct lc_feeder *feeder)
{
	cr_assert_not(fake_of(feeder)->open);
	lc_timer_destroy(fake_of(feeder)->timer);
}

static enum lc_err fake_usable(const struct lc_feeder *feeder, struct lc_error *err)
{
	return fake_of(feeder)->unusable
		       ? lc_error_set(err, LC_ERR_NOT_FOUND, "no key: set fake.key")
		       : LC_OK;
}

static void fake_start(struct lc_feeder *feeder)
{
	struct fake *fake = fake_of(feeder);
	cr_assert_not(fake->open, "a second session");
	fake->open = true;
	fake->starts++;
	fake->gap_ns = lc_clock_mono_ns() - fake->down_ns;
	if (fake->mute) {
		return;
	}
	if (fake->refuses) {
		go_down(fake, fake->down.kind, fake->down.wait_ms, "refused");
		return;
	}
	fake->answer = ANSWER_UP;
	lc_timer_start(fake->timer, 0, 0);
}

static void fake_stop(struct lc_feeder *feeder)
{
	struct fake *fake = fake_of(feeder);
	cr_assert(fake->open);
	fake->stops++;
	go_down(fake, LC_DOWN_ASKED, 0, "");
}

static void fake_change(struct lc_feeder *feeder, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	struct fake *fake = fake_of(feeder);
	fake->n_changes++;
	fake->largest = n_add + n_remove > fake->largest ? n_add + n_remove : fake->largest;
	for (size_t i = 0; i < n_remove; i++) {
		cr_assert(fake->has[remove[i]]);
		fake->has[remove[i]] = false;
		fake->n_removed++;
	}
	for (size_t i = 0; i < n_add; i++) {
		cr_assert_not(fake->has[add[i]]);
		if (fake->limit && add[i] >= fake->limit) {
			lc_supervisor_on_rejected(fake->supervisor, add[i], true, "over the limit");
			continue;
		}
		fake->has[add[i]] = true;
		fake->added[fake->n_added++ % 1024] = add[i];
	}
	if (!fake->keeps_changes) {
		lc_supervisor_on_changed(fake->supervisor);
	}
}

static size_t fake_max_change(const struct lc_feeder *feeder)
{
	return fake_of(feeder)->max_change;
}

static void fake_pause(struct lc_feeder *feeder, bool paused)
{
	fake_of(feeder)->pauses++;
	fake_of(feeder)->paused = paused;
}

static void fake_configure(struct lc_feeder *feeder, const void *config)
{
	(void)config;
	fake_of(feeder)->configures++;
}

static const struct lc_feeder_impl fake_impl = {
	.name = "fake",
	.max_change = fake_max_change,
	.create = fake_create,
	.destroy = fake_destroy,
	.usable = fake_usable,
	.start = fake_start,
	.stop = fake_stop,
	.change = fake_change,
	.pause = fake_pause,
	.configure = fake_configure,
};

/* --- the owner --- */

static void note(char *log, size_t size, const char *text)
{
	size_t len = strlen(log);
	snprintf(log + len, size - len, "%s%s", len ? " " : "", text);
}

static void on_state(void *owner, struct lc_supervisor *feed, enum lc_feed_state from,
	enum lc_feed_state to, const char *reason)
{
	struct fake *fake = owner;
	(void)feed;
	cr_assert_neq(from, to);
	note(fake->states, sizeof fake->states, lc_feed_state_name(to));
	snprintf(fake->reason, sizeof fake->reason, "%s", reason);
}

static void on_trouble(void *owner, struct lc_supervisor *feed, bool raised, const char *reason)
{
	struct fake *fake = owner;
	(void)reason;
	char text[32];
	snprintf(text, sizeof text, raised ? "raised@%d" : "over",
		(int)lc_supervisor_status(feed).failures_in_row);
	note(fake->troubles, sizeof fake->troubles, text);
}

static void on_gave_up(void *owner, struct lc_supervisor *feed, const char *reason)
{
	(void)feed;
	(void)reason;
	((struct fake *)owner)->gave_up++;
}

static void on_rejected(
	void *owner, struct lc_supervisor *feed, uint32_t symbol, bool limit, const char *reason)
{
	(void)feed;
	(void)symbol;
	cr_assert(limit);
	cr_assert_str_eq(reason, "over the limit");
	((struct fake *)owner)->rejected++;
}

static void on_closed(void *owner, struct lc_supervisor *feed)
{
	cr_assert_not(lc_supervisor_open(feed));
	((struct fake *)owner)->closed++;
}

static const struct lc_supervisor_events events = {.state = on_state,
	.trouble = on_trouble,
	.gave_up = on_gave_up,
	.rejected = on_rejected,
	.closed = on_closed};

static void set_up(struct fake *fake)
{
	struct lc_error err;
	fixture_open(&fake->loop);
	if (fake->config.backoff_min == 0) {
		fake->config = (struct lc_supervisor_config){.backoff_min = 1,
			.backoff_max = 4,
			.healthy = 50,
			.alert_after = 5,
			.connect_rate = 1000,
			.connect_burst = 1000,
			.change_rate = 10000,
			.change_burst = 10000};
	}
	const struct lc_supervisor_setup setup = {.impl = &fake_impl,
		.env = {.loop = fake->loop.loop, .host_data = fake},
		.config = &fake->config,
		.max_symbols = SYMBOLS,
		.events = &events,
		.owner = fake};
	cr_assert_eq(lc_supervisor_create(&setup, &fake->supervisor, &err), LC_OK);
}

static enum lc_feed_state state(const struct fake *fake)
{
	return lc_supervisor_status(fake->supervisor).state;
}

#define UNTIL(fake, condition)                                                           \
	do {                                                                             \
		int64_t give_up = lc_clock_mono_ns() + 60 * LC_NS_PER_S;                 \
		while (!(condition)) {                                                   \
			uv_run(lc_loop_uv((fake)->loop.loop), UV_RUN_ONCE);              \
			cr_assert_lt(lc_clock_mono_ns(), give_up, "never: " #condition); \
		}                                                                        \
	} while (0)

static void tear_down(struct fake *fake)
{
	lc_supervisor_stop(fake->supervisor, "end");
	UNTIL(fake, !lc_supervisor_open(fake->supervisor));
	lc_supervisor_destroy(fake->supervisor);
	fixture_close(&fake->loop);
}

static void follow_range(struct fake *fake, uint32_t from, uint32_t to)
{
	for (uint32_t symbol = from; symbol < to; symbol++) {
		cr_assert_eq(lc_supervisor_follow(fake->supervisor, symbol), LC_OK);
	}
}

static size_t subscribed(const struct fake *fake)
{
	return lc_supervisor_status(fake->supervisor).symbols.subscribed;
}

/* --- states --- */

Test(supervisor, connects_and_subscribes_in_order)
{
	struct fake fake = {.max_change = 4};
	set_up(&fake);
	follow_range(&fake, 0, 10);
	cr_assert_eq(state(&fake), LC_FEED_DISCONNECTED);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, subscribed(&fake) == 10);
	cr_assert_str_eq(fake.states, "CONNECTING CONNECTED");
	cr_assert_eq(fake.n_changes, 3);
	cr_assert_eq(fake.largest, 4);
	for (uint32_t i = 0; i < 10; i++) {
		cr_assert_eq(fake.added[i], i);
	}
	lc_supervisor_leave(fake.supervisor, 3);
	UNTIL(&fake, subscribed(&fake) == 9);
	cr_assert_not(fake.has[3]);
	struct lc_supervisor_status status = lc_supervisor_status(fake.supervisor);
	cr_assert_eq(status.connects, 1);
	cr_assert_eq(status.reconnects, 0);
	cr_assert_str_eq(status.reason, "");
	tear_down(&fake);
	cr_assert_eq(fake.closed, 1);
}

Test(supervisor, gives_the_whole_set_again_after_every_reconnect)
{
	struct fake fake = {.max_change = 7};
	set_up(&fake);
	follow_range(&fake, 0, 20);
	lc_supervisor_start(fake.supervisor);
	for (int session = 1; session <= 4; session++) {
		UNTIL(&fake, subscribed(&fake) == 20);
		cr_assert_eq(fake.n_added, (size_t)session * 20);
		go_down(&fake, LC_DOWN_WAIT, 5, "the vendor went away");
		UNTIL(&fake, fake.downs == session);
		cr_assert_eq(fake.held_when_down, 0, "nothing is subscribed without a session");
		cr_assert_eq(fake.state_when_down, LC_FEED_RECONNECTING);
		lc_supervisor_leave(fake.supervisor, (uint32_t)session);
		follow_range(&fake, (uint32_t)session, (uint32_t)session + 1);
	}
	UNTIL(&fake, subscribed(&fake) == 20);
	cr_assert_eq(fake.n_removed, 0);
	cr_assert_eq(fake.added[99], 4, "what was followed last comes last");
	cr_assert(strstr(fake.states, "CONNECTED RECONNECTING CONNECTING CONNECTED"));
	cr_assert_eq(lc_supervisor_status(fake.supervisor).reconnects, 4);
	tear_down(&fake);
}

Test(supervisor, alerts_after_the_fifth_failure_and_once)
{
	struct fake fake = {.refuses = true, .down = {.kind = LC_DOWN_RETRY}};
	set_up(&fake);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, fake.starts == 4); /* at most four have failed */
	cr_assert_str_eq(fake.troubles, "");
	UNTIL(&fake, fake.starts == 9);
	cr_assert_str_eq(fake.troubles, "raised@5");
	fake.refuses = false;
	UNTIL(&fake, strlen(fake.troubles) > 8);
	cr_assert_str_eq(fake.troubles, "raised@5 over");
	cr_assert_eq(state(&fake), LC_FEED_CONNECTED);
	cr_assert_eq(lc_supervisor_status(fake.supervisor).failures_in_row, 0);
	tear_down(&fake);
}

Test(supervisor, a_short_session_does_not_end_the_trouble)
{
	struct fake fake = {0};
	set_up(&fake);
	fake.config.healthy = 60000;
	lc_supervisor_configure(fake.supervisor, &fake.config, NULL, false);
	lc_supervisor_start(fake.supervisor);
	for (int i = 0; i < 6; i++) {
		UNTIL(&fake, state(&fake) == LC_FEED_CONNECTED);
		go_down(&fake, LC_DOWN_RETRY, 0, "flapping");
		UNTIL(&fake, fake.downs == i + 1);
	}
	cr_assert_str_eq(fake.troubles, "raised@5");
	tear_down(&fake);
}

Test(supervisor, retries_at_once_but_only_the_first_time)
{
	struct fake fake = {0};
	fake.config = (struct lc_supervisor_config){.backoff_min = 3600000,
		.backoff_max = 3600000,
		.healthy = 3600000,
		.alert_after = 5,
		.connect_rate = 1000,
		.connect_burst = 100,
		.change_rate = 1000,
		.change_burst = 100};
	set_up(&fake);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, state(&fake) == LC_FEED_CONNECTED);
	go_down(&fake, LC_DOWN_RETRY_NOW, 0, "slow client");
	/* A backoff would be up to an hour: it comes at once. */
	UNTIL(&fake, fake.starts == 2 && state(&fake) == LC_FEED_CONNECTED);
	go_down(&fake, LC_DOWN_RETRY_NOW, 0, "slow client");
	UNTIL(&fake, state(&fake) == LC_FEED_RECONNECTING);
	for (int i = 0; i < 20; i++) {
		uv_run(lc_loop_uv(fake.loop.loop), UV_RUN_NOWAIT);
	}
	cr_assert_eq(fake.starts, 2, "the second time it backs off");
	tear_down(&fake);
}

Test(supervisor, waits_as_long_as_the_vendor_says)
{
	struct fake fake = {0};
	set_up(&fake);
	lc_supervisor_start(fake.supervisor);
	for (int i = 0; i < 7; i++) {
		UNTIL(&fake, state(&fake) == LC_FEED_CONNECTED);
		go_down(&fake, LC_DOWN_WAIT, 30, "banned");
		UNTIL(&fake, fake.starts == i + 2);
		cr_assert_geq(fake.gap_ns, 28 * LC_NS_PER_MS);
	}
	cr_assert_str_eq(fake.troubles, "raised@5", "who asks us to wait gives nothing either");
	cr_assert_eq(lc_supervisor_status(fake.supervisor).failures_in_row, 7);
	tear_down(&fake);
}

Test(supervisor, gives_up_when_trying_is_pointless_until_it_is_started)
{
	struct fake fake = {.refuses = true, .down = {.kind = LC_DOWN_STOP}};
	set_up(&fake);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, fake.gave_up == 1);
	cr_assert_str_eq(fake.states, "CONNECTING STOPPED");
	cr_assert_str_eq(lc_supervisor_status(fake.supervisor).reason, "refused");
	follow_range(&fake, 0, 3);
	for (int i = 0; i < 20; i++) {
		uv_run(lc_loop_uv(fake.loop.loop), UV_RUN_NOWAIT);
	}
	cr_assert_eq(fake.starts, 1);
	fake.refuses = false;
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, subscribed(&fake) == 3);
	tear_down(&fake);
}

Test(supervisor, says_why_an_unusable_feeder_does_not_start)
{
	struct fake fake = {.unusable = true};
	set_up(&fake);
	lc_supervisor_start(fake.supervisor);
	cr_assert_eq(state(&fake), LC_FEED_STOPPED);
	cr_assert_str_eq(fake.reason, "no key: set fake.key");
	cr_assert_eq(fake.starts, 0);
	fake.unusable = false;
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, state(&fake) == LC_FEED_CONNECTED);
	tear_down(&fake);
}

/* --- stopping --- */

Test(supervisor, stops_while_connecting_and_starts_again)
{
	struct fake fake = {.mute = true};
	set_up(&fake);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, state(&fake) == LC_FEED_CONNECTING);
	lc_supervisor_stop(fake.supervisor, "by command");
	lc_supervisor_stop(fake.supervisor, "twice");
	cr_assert_eq(state(&fake), LC_FEED_STOPPED);
	cr_assert(lc_supervisor_open(fake.supervisor), "the vendor has not let go yet");
	/* Started while it still closes: it begins when that is done. */
	fake.mute = false;
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, state(&fake) == LC_FEED_CONNECTED);
	cr_assert_eq(fake.closed, 0);
	cr_assert_str_eq(fake.states, "CONNECTING STOPPED DISCONNECTED CONNECTING CONNECTED");
	lc_supervisor_stop(fake.supervisor, "again");
	lc_supervisor_start(fake.supervisor);
	lc_supervisor_stop(fake.supervisor, "and that counts");
	UNTIL(&fake, fake.closed == 1);
	cr_assert_eq(fake.starts, 2);
	cr_assert_eq(fake.stops, 2);
	tear_down(&fake);
}

Test(supervisor, up_after_stop_is_not_believed)
{
	struct fake fake = {.mute = true};
	set_up(&fake);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, state(&fake) == LC_FEED_CONNECTING);
	lc_supervisor_stop(fake.supervisor, "by command");
	lc_supervisor_on_up(fake.supervisor);
	lc_supervisor_on_changed(fake.supervisor);
	cr_assert_eq(state(&fake), LC_FEED_STOPPED);
	tear_down(&fake);
}

Test(supervisor, stops_while_it_waits_to_reconnect)
{
	struct fake fake = {.refuses = true, .down = {.kind = LC_DOWN_WAIT, .wait_ms = 3600000}};
	set_up(&fake);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, state(&fake) == LC_FEED_RECONNECTING);
	lc_supervisor_stop(fake.supervisor, "by command");
	cr_assert_eq(state(&fake), LC_FEED_STOPPED);
	cr_assert_eq(fake.stops, 0, "there is no session to stop");
	fake.refuses = false;
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, state(&fake) == LC_FEED_CONNECTED);
	tear_down(&fake);
}

Test(supervisor, ends_in_the_middle_of_a_change)
{
	struct fake fake = {.keeps_changes = true};
	set_up(&fake);
	follow_range(&fake, 0, 5);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, fake.n_changes == 1);
	follow_range(&fake, 5, 8);
	go_down(&fake, LC_DOWN_WAIT, 5, "cut");
	UNTIL(&fake, fake.downs == 1);
	fake.keeps_changes = false;
	UNTIL(&fake, subscribed(&fake) == 8);
	tear_down(&fake);
}

/* --- settings --- */

Test(supervisor, reconnects_with_new_settings_only_when_asked)
{
	struct fake fake = {0};
	set_up(&fake);
	follow_range(&fake, 0, 3);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, subscribed(&fake) == 3);
	lc_supervisor_configure(fake.supervisor, &fake.config, NULL, false);
	cr_assert_eq(state(&fake), LC_FEED_CONNECTED);
	lc_supervisor_configure(fake.supervisor, &fake.config, NULL, true);
	cr_assert_eq(state(&fake), LC_FEED_STOPPED);
	UNTIL(&fake, subscribed(&fake) == 3 && fake.starts == 2);
	cr_assert_eq(fake.configures, 2);
	lc_supervisor_stop(fake.supervisor, "by command");
	UNTIL(&fake, fake.closed == 1);
	lc_supervisor_configure(fake.supervisor, &fake.config, NULL, true);
	cr_assert_eq(state(&fake), LC_FEED_STOPPED, "a reload starts nothing that was stopped");
	tear_down(&fake);
}

Test(supervisor, connects_no_faster_than_allowed)
{
	struct fake fake = {.refuses = true, .down = {.kind = LC_DOWN_RETRY}};
	fake.config = (struct lc_supervisor_config){.backoff_min = 1,
		.backoff_max = 1,
		.healthy = 1000,
		.alert_after = 1000,
		.connect_rate = 50,
		.connect_burst = 2,
		.change_rate = 1000,
		.change_burst = 100};
	set_up(&fake);
	int64_t began = lc_clock_mono_ns();
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, fake.starts == 4);
	/* Reading the settings again does not fill the bucket. */
	lc_supervisor_configure(fake.supervisor, &fake.config, NULL, false);
	UNTIL(&fake, fake.starts == 8);
	cr_assert_geq(lc_clock_mono_ns() - began, (8 - 2) * 20 * LC_NS_PER_MS - LC_NS_PER_MS);
	tear_down(&fake);
}

Test(supervisor, changes_no_faster_than_allowed)
{
	struct fake fake = {.max_change = 1};
	fake.config = (struct lc_supervisor_config){.backoff_min = 1,
		.backoff_max = 1,
		.healthy = 1000,
		.alert_after = 5,
		.connect_rate = 1000,
		.connect_burst = 100,
		.change_rate = 100,
		.change_burst = 2};
	set_up(&fake);
	follow_range(&fake, 0, 10);
	int64_t began = lc_clock_mono_ns();
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, subscribed(&fake) == 10);
	cr_assert_eq(fake.n_changes, 10);
	cr_assert_geq(lc_clock_mono_ns() - began, 8 * 10 * LC_NS_PER_MS - LC_NS_PER_MS);
	tear_down(&fake);
}

Test(supervisor, collects_many_wishes_into_one_change)
{
	struct fake fake = {0};
	set_up(&fake);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, state(&fake) == LC_FEED_CONNECTED);
	follow_range(&fake, 0, SYMBOLS);
	UNTIL(&fake, subscribed(&fake) == SYMBOLS);
	cr_assert_eq(fake.n_changes, 1);
	tear_down(&fake);
}

Test(supervisor, tells_what_was_rejected_and_asks_again_when_places_are_free)
{
	struct fake fake = {.limit = 5};
	set_up(&fake);
	follow_range(&fake, 0, 8);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, subscribed(&fake) == 5);
	cr_assert_eq(fake.rejected, 3);
	cr_assert_eq(lc_supervisor_status(fake.supervisor).symbols.over_limit, 3);
	fake.limit = 6;
	lc_supervisor_leave(fake.supervisor, 0);
	UNTIL(&fake, fake.has[5]);
	cr_assert_eq(lc_supervisor_status(fake.supervisor).symbols.over_limit, 2);
	tear_down(&fake);
}

Test(supervisor, forwards_pausing_only_into_a_session)
{
	struct fake fake = {0};
	set_up(&fake);
	lc_supervisor_pause(fake.supervisor, true);
	cr_assert_eq(fake.pauses, 0);
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, state(&fake) == LC_FEED_CONNECTED);
	lc_supervisor_pause(fake.supervisor, true);
	cr_assert(fake.paused);
	lc_supervisor_pause(fake.supervisor, false);
	cr_assert_not(fake.paused);
	tear_down(&fake);
	cr_assert_eq(fake.pauses, 2);
}

/* --- standing by --- */

Test(supervisor, one_that_stands_by_connects_for_its_first_symbol)
{
	struct fake fake = {0};
	set_up(&fake);
	lc_supervisor_stand_by(fake.supervisor, true);
	lc_supervisor_start(fake.supervisor);
	cr_assert_eq(state(&fake), LC_FEED_STANDBY);
	cr_assert_str_eq(fake.states, "STANDBY");
	lc_supervisor_configure(fake.supervisor, &fake.config, NULL, true);
	cr_assert_eq(state(&fake), LC_FEED_STANDBY, "new settings are no reason to connect");
	fake.states[0] = '\0';
	follow_range(&fake, 0, 3);
	UNTIL(&fake, subscribed(&fake) == 3);
	cr_assert_str_eq(fake.states, "DISCONNECTED CONNECTING CONNECTED");
	lc_supervisor_leave(fake.supervisor, 0);
	lc_supervisor_leave(fake.supervisor, 1);
	lc_supervisor_leave(fake.supervisor, 2);
	UNTIL(&fake, subscribed(&fake) == 0);
	cr_assert_eq(state(&fake), LC_FEED_CONNECTED, "a session that is there stays");
	go_down(&fake, LC_DOWN_RETRY, 0, "it went away");
	UNTIL(&fake, fake.downs == 1);
	cr_assert_eq(state(&fake), LC_FEED_STANDBY, "and is not opened again for nothing");
	cr_assert_eq(fake.starts, 1);
	lc_supervisor_stand_by(fake.supervisor, false);
	UNTIL(&fake, state(&fake) == LC_FEED_CONNECTED);
	tear_down(&fake);
}

Test(supervisor, trouble_ends_when_nobody_needs_it)
{
	struct fake fake = {.refuses = true, .down = {.kind = LC_DOWN_RETRY}};
	set_up(&fake);
	lc_supervisor_stand_by(fake.supervisor, true);
	lc_supervisor_start(fake.supervisor);
	follow_range(&fake, 0, 1);
	UNTIL(&fake, fake.troubles[0] != 0);
	lc_supervisor_leave(fake.supervisor, 0);
	UNTIL(&fake, state(&fake) == LC_FEED_STANDBY);
	cr_assert_str_eq(fake.troubles, "raised@5 over");
	int starts = fake.starts;
	lc_supervisor_stop(fake.supervisor, "by command");
	lc_supervisor_start(fake.supervisor);
	cr_assert_eq(state(&fake), LC_FEED_STANDBY);
	cr_assert_eq(fake.starts, starts);
	tear_down(&fake);
}

/* --- for liveness --- */

Test(supervisor, subscribes_anew_and_connects_anew_when_it_is_told)
{
	struct fake fake = {.max_change = 7};
	set_up(&fake);
	follow_range(&fake, 0, 20);
	cr_assert_not(lc_supervisor_resubscribe(fake.supervisor, LC_SYMBOL_NONE));
	lc_supervisor_reconnect(fake.supervisor, "too early");
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, subscribed(&fake) == 20);
	cr_assert(lc_supervisor_resubscribe(fake.supervisor, 5));
	UNTIL(&fake, fake.n_removed == 1 && subscribed(&fake) == 20);
	cr_assert_eq(fake.n_added, 21);
	cr_assert(lc_supervisor_resubscribe(fake.supervisor, LC_SYMBOL_NONE));
	UNTIL(&fake, fake.n_removed == 21 && subscribed(&fake) == 20);
	cr_assert_eq(fake.n_added, 41);
	fake.states[0] = '\0';
	lc_supervisor_reconnect(fake.supervisor, "mute");
	lc_supervisor_reconnect(fake.supervisor, "once is enough");
	cr_assert_eq(state(&fake), LC_FEED_RECONNECTING);
	cr_assert_str_eq(lc_supervisor_status(fake.supervisor).reason, "mute");
	UNTIL(&fake, fake.starts == 2 && subscribed(&fake) == 20);
	cr_assert_str_eq(fake.states, "RECONNECTING CONNECTING CONNECTED");
	cr_assert_eq(fake.stops, 1);
	cr_assert_eq(fake.closed, 0);
	/* stopped while it is connected anew: it stays stopped, and is closed once */
	lc_supervisor_reconnect(fake.supervisor, "mute again");
	lc_supervisor_stop(fake.supervisor, "by command");
	UNTIL(&fake, fake.closed == 1);
	cr_assert_eq(fake.stops, 2);
	cr_assert_eq(fake.starts, 2);
	cr_assert_eq(state(&fake), LC_FEED_STOPPED);
	/* and with new settings meanwhile it comes back */
	lc_supervisor_start(fake.supervisor);
	UNTIL(&fake, subscribed(&fake) == 20);
	lc_supervisor_reconnect(fake.supervisor, "mute");
	lc_supervisor_configure(fake.supervisor, &fake.config, NULL, true);
	UNTIL(&fake, fake.starts == 4 && subscribed(&fake) == 20);
	tear_down(&fake);
}

/* What is dropped, and what cannot be read, is counted and said: one line a minute and reason, each
 * with an example. */
#include "feeds_fixture.h"

#include <fcntl.h>

struct said {
	struct lc_log *log;
	int ends[2];
	char text[16384];
	size_t len;
};

/* What the manager says from now on is read back. */
static void said_open(struct said *said, struct rig *rig)
{
	memset(said, 0, sizeof *said);
	cr_assert_eq(pipe2(said->ends, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(lc_log_create(said->ends[1], false, LC_LOG_INFO, &said->log), LC_OK);
	rig->manager.log = said->log;
	rig->manager.feeds[ONE].bad_input.log = said->log;
}

static void said_close(struct said *said, struct rig *rig)
{
	rig->manager.log = rig->out.f.log;
	lc_log_destroy(said->log);
	close(said->ends[0]);
	close(said->ends[1]);
}

/* How many lines hold this. */
static int lines_with(struct said *said, const char *text)
{
	ssize_t n;
	int count = 0;
	while ((n = read(said->ends[0], said->text + said->len,
			sizeof said->text - 1 - said->len)) > 0) {
		said->len += (size_t)n;
	}
	said->text[said->len] = '\0';
	for (const char *at = said->text; (at = strstr(at, text)) != NULL; at++) {
		count++;
	}
	return count;
}

static void begin(struct rig *rig, struct said *said, uint32_t symbols[3])
{
	rig_open(rig);
	rig_route(rig, "eastmoney");
	rig_follow_three(rig, symbols);
	said_open(said, rig);
}

static void give_bad_price(struct rig *rig, uint32_t symbol)
{
	struct lc_tick tick = rig_trade(rig, ONE, symbol);
	tick.price.mantissa = 0;
	rig_give(ONE, &tick);
}

Test(intake, drops_are_said_once_a_minute_each_time_with_an_example)
{
	struct rig rig;
	struct said said;
	uint32_t symbols[3];
	begin(&rig, &said, symbols);
	give_bad_price(&rig, symbols[0]);
	cr_assert_eq(
		lines_with(&said, "reason=bad_price count=1 example=AAPL"), 1, "%s", said.text);
	for (int i = 0; i < 5; i++) {
		give_bad_price(&rig, symbols[0]);
	}
	give_bad_price(&rig, symbols[1]);
	rig_pass(59000);
	lc_intake_say_counts(&rig.manager);
	cr_assert_eq(lines_with(&said, "reason=bad_price"), 1, "its minute is not over");
	rig_pass(1100);
	lc_intake_say_counts(&rig.manager);
	cr_assert_eq(lines_with(&said, "reason=bad_price count=6 example=IBM"), 1, "%s", said.text);
	rig_pass(120000);
	lc_intake_say_counts(&rig.manager);
	cr_assert_eq(lines_with(&said, "reason=bad_price"), 2, "there is nothing new to say");
	cr_assert_eq(*rig.manager.feeds[ONE].dropped[LC_DROP_BAD_PRICE].total, 7);
	said_close(&said, &rig);
	rig_close(&rig);
}

Test(intake, what_is_remarkable_is_published_counted_and_said)
{
	struct rig rig;
	struct said said;
	uint32_t symbols[3];
	begin(&rig, &said, symbols);
	for (int i = 0; i < 3; i++) {
		struct lc_tick late = rig_trade(&rig, ONE, symbols[0]);
		late.event_ns -= i * LC_NS_PER_S;
		rig_give(ONE, &late);
	}
	cr_assert_eq(*rig.manager.feeds[ONE].doubted[LC_DOUBT_LATE].total, 2);
	cr_assert_eq(
		lines_with(&said, "doubtful feeder=eastmoney reason=late"), 1, "%s", said.text);
	cr_assert_eq(lc_queue_stats(rig.manager.feeds[ONE].queue).length, 3);
	said_close(&said, &rig);
	rig_close(&rig);
}

static void give_unreadable(const char *reason, const char *sample)
{
	lc_intake_host.bad_input(&vendors[ONE].base, reason, sample, strlen(sample));
}

static uint64_t counted(struct rig *rig, const char *reason)
{
	char labels[96];
	snprintf(labels, sizeof labels, "feeder=\"eastmoney\",reason=\"%s\"", reason);
	return *lc_metrics_counter(
		rig->out.f.metrics, "livecore_feeder_bad_input_total", labels, "");
}

Test(intake, what_cannot_be_read_is_counted_and_said_by_its_reason)
{
	struct rig rig;
	struct said said;
	uint32_t symbols[3];
	begin(&rig, &said, symbols);
	give_unreadable("malformed", "{\"a");
	give_unreadable("unknown_type", "first");
	for (int i = 0; i < 9; i++) {
		give_unreadable("unknown_type", "later");
	}
	cr_assert_eq(lines_with(&said, "reason=malformed count=1"), 1, "%s", said.text);
	cr_assert_eq(lines_with(&said, "reason=unknown_type count=1 example=first"), 1,
		"another reason does not wait for the first one's minute: %s", said.text);
	rig_pass(61000);
	lc_intake_say_counts(&rig.manager);
	cr_assert_eq(
		lines_with(&said, "reason=unknown_type count=9 example=later"), 1, "%s", said.text);
	cr_assert_eq(counted(&rig, "malformed"), 1);
	cr_assert_eq(counted(&rig, "unknown_type"), 10);
	cr_assert_eq(rig.manager.feeds[ONE].bad_input.total, 11);
	said_close(&said, &rig);
	rig_close(&rig);
}

Test(intake, a_feeds_clock_and_what_is_held_are_metrics)
{
	struct rig rig;
	uint32_t symbols[3];
	rig_open(&rig);
	rig_route(&rig, "eastmoney");
	rig_follow_three(&rig, symbols);
	lc_feeds_gauges(&rig.manager);
	struct lc_metrics *metrics = rig.out.f.metrics;
	const double *offset = lc_metrics_gauge(
		metrics, "livecore_feeder_clock_offset_seconds", "feeder=\"eastmoney\"", "");
	const double *held = lc_metrics_gauge(metrics, "livecore_quotes_held", "", "");
	cr_assert_eq(*offset, 0, "nothing came yet");
	for (int i = 0; i < 20; i++) {
		struct lc_tick tick = rig_trade(&rig, ONE, symbols[0]);
		tick.event_ns -= 1500 * LC_NS_PER_MS;
		rig_give(ONE, &tick);
	}
	struct lc_tick quote = rig_trade(&rig, ONE, symbols[1]);
	quote.kind = LC_TICK_QUOTE;
	quote.has = LC_HAS_BID | LC_HAS_EVENT_TIME;
	quote.bid = quote.price;
	rig_give(ONE, &quote);
	lc_feeds_gauges(&rig.manager);
	cr_assert_float_eq(*offset, -1.5, 0.001);
	cr_assert_eq(*held, 1);
	rig_close(&rig);
}

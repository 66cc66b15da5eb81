#include "manager/interest_sync.h"

#include "manager_fixture.h"

/* A sync without a manager, on the fixture's broker. */
struct sync_rig {
	struct rig rig;
	struct lc_journal *journal;
	struct lc_outbox outbox;
	struct lc_symbols *symbols;
	struct lc_interest_sync *sync;
	int follows, leaves, refreshes;
	bool ready, stopped;
};

static void on_follow(void *arg, uint32_t symbol)
{
	(void)symbol;
	((struct sync_rig *)arg)->follows++;
}

static void on_leave(void *arg, uint32_t symbol)
{
	(void)symbol;
	((struct sync_rig *)arg)->leaves++;
}

static void on_refresh(void *arg, uint32_t symbol)
{
	(void)symbol;
	((struct sync_rig *)arg)->refreshes++;
}

static void on_ready(void *arg)
{
	((struct sync_rig *)arg)->ready = true;
}

static const struct lc_interest_sync_host host = {
	.follow = on_follow, .leave = on_leave, .refresh = on_refresh, .ready = on_ready};

static void open_sync(struct sync_rig *s, int64_t ttl_ms)
{
	struct lc_error err;
	memset(s, 0, sizeof *s);
	rig_open(&s->rig);
	rig_broker(&s->rig);
	const struct lc_topics_config *topics = lc_config_section(s->rig.own, "topics");
	const struct lc_message_context context = {.node_id = "n", .stream = "s"};
	cr_assert_eq(lc_journal_create(16 << 20, &s->journal), LC_OK);
	lc_outbox_init(&s->outbox, s->rig.loop, s->journal, &context, false);
	cr_assert_eq(lc_symbols_create(1000, 1, &s->symbols), LC_OK);
	const struct lc_interest_sync_setup setup = {.loop = s->rig.loop,
		.kafka = &s->rig.kafka,
		.topic = topics->interest,
		.group = "g",
		.state_dir = s->rig.dir,
		.symbols = s->symbols,
		.ttl_ms = ttl_ms,
		.housekeeping_ms = 20,
		.outbox = &s->outbox,
		.host = &host,
		.arg = s};
	cr_assert_eq(lc_interest_sync_create(&setup, &s->sync, &err), LC_OK, "%s", err.text);
	RIG_UNTIL(&s->rig, s->ready);
}

static void on_stopped(void *arg)
{
	((struct sync_rig *)arg)->stopped = true;
}

static void close_sync(struct sync_rig *s)
{
	lc_interest_sync_stop(s->sync, on_stopped, s);
	RIG_UNTIL(&s->rig, s->stopped);
	lc_outbox_finish(&s->outbox);
	lc_journal_destroy(s->journal);
	lc_symbols_destroy(s->symbols);
	rig_close(&s->rig);
}

Test(interest_sync, portfolios_that_fell_silent_are_forgotten)
{
	struct sync_rig s;
	open_sync(&s, 0); /* the first must not be forgotten before the second is heard */
	rig_interest(&s.rig, "p1", "add", "\"AAPL\",\"MSFT\"");
	rig_interest(&s.rig, "p2", "add", "\"MSFT\",\"IBM\"");
	RIG_UNTIL(&s.rig, s.follows == 3);
	lc_interest_sync_set_ttl(s.sync, 300);
	RIG_UNTIL(&s.rig, s.leaves == 3);
	cr_assert_eq(lc_interest_portfolios(lc_interest_sync_registry(s.sync)), 0);
	/* Reading goes on after it. */
	lc_interest_sync_set_ttl(s.sync, 0);
	rig_interest(&s.rig, "p3", "add", "\"TSLA\"");
	RIG_UNTIL(&s.rig, s.follows == 4);
	close_sync(&s);
}

Test(interest_sync, what_cannot_be_read_is_counted_and_passed_over)
{
	static const char *const texts[] = {"", "{", "[]", "{\"portfolio_id\":\"\",\"symbols\":[]}",
		"{\"portfolio_id\":\"p\"}",
		"{\"portfolio_id\":\"p\",\"symbols\":[],\"update_type\":\"swap\"}",
		"{\"portfolio_id\":\"p\",\"symbols\":[\"AAPL\"],\"timestamp\":\"noon\"}"};
	size_t count = sizeof texts / sizeof *texts;
	struct sync_rig s;
	open_sync(&s, 0);
	const struct lc_topics_config *topics = lc_config_section(s.rig.own, "topics");
	for (size_t i = 0; i < count; i++) {
		rig_publish(&s.rig, topics->interest, "p", texts[i], strlen(texts[i]));
	}
	rig_interest(&s.rig, "p", "add", "\"AAPL\",\"aapl\",\"\"");
	RIG_UNTIL(&s.rig, s.follows == 1);
	RIG_UNTIL(&s.rig, lc_interest_sync_status(s.sync).unreadable == count);
	cr_assert_eq(lc_interest_sync_status(s.sync).updates, count + 1);
	rig_interest(&s.rig, "q", "add", "\"AAPL\"");
	RIG_UNTIL(&s.rig, s.refreshes == 1);
	close_sync(&s);
}

#include "livecore/manager.h"

#include "livecore/file.h"
#include "livecore/redis.h"
#include "livecore/topics.h"
#include "manager/disk_log.h"
#include "manager/manager_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINUTE_MS 60000

/* --- who we are --- */

static enum lc_err name_node(struct lc_manager *manager, struct lc_error *err)
{
	const struct lc_node_config *node = lc_config_section(manager->config, "node");
	char host[LC_MESSAGE_ID_MAX + 1] = "";
	if (node->id[0] == '\0' && (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')) {
		return lc_error_set(err, LC_ERR_INVALID, "this host has no name: set node.id");
	}
	snprintf(manager->node_id, sizeof manager->node_id, "%s", node->id[0] ? node->id : host);
	return LC_OK;
}

/* A name for this process's life: the second it began and some randomness, in base 32. Short, since
 * every message carries it. */
static void name_stream(struct lc_manager *manager)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t value = (uint64_t)(lc_loop_wall_ns(manager->loop) / LC_NS_PER_S) << 20;
	value |= lc_loop_random(manager->loop) & 0xfffff;
	size_t len = 0;
	for (int shift = 50; shift >= 0; shift -= 5) {
		manager->stream[len++] = digits[value >> shift & 31];
	}
	manager->stream[len] = '\0';
}

/* Two processes on one directory would overwrite each other's state. A directory that cannot be
 * used at all is no reason to stay away from the market: the stores say so and do without. */
static enum lc_err lock_state_dir(struct lc_manager *manager, struct lc_error *err)
{
	enum lc_err rc = lc_file_lock(
		manager->state_dir, "state directory", &manager->state_lock, err);
	if (rc == LC_ERR_IO) {
		lc_log(manager->log, LC_LOG_ERROR, "manager", "state_dir_unusable",
			LC_S("error", err->text));
		rc = LC_OK;
	}
	return rc;
}

static enum lc_err identify(struct lc_manager *manager, struct lc_error *err)
{
	const struct lc_time_config *time = lc_config_section(manager->config, "time");
	enum lc_err rc = name_node(manager, err);
	rc = rc ? rc
		: lc_settings_state_dir(lc_config_section(manager->config, "state"),
			  manager->state_dir, sizeof manager->state_dir, err);
	rc = rc ? rc : lock_state_dir(manager, err);
	name_stream(manager);
	return rc ? rc : lc_zone_load(time->naive_zone, &manager->naive_zone, err);
}

/* --- the pure core --- */

static enum lc_err create_core(struct lc_manager *manager, struct lc_error *err)
{
	const struct lc_symbols_config *symbols = lc_config_section(manager->config, "symbols");
	const struct lc_calendar_config *calendar = lc_config_section(manager->config, "calendar");
	size_t max = (size_t)symbols->max;
	enum lc_err rc = lc_calendar_open(
		calendar->always_open, calendar->dir, NULL, &manager->calendar, err);
	if (rc != LC_OK) {
		return rc;
	}
	rc = lc_symbols_create(max, lc_loop_random(manager->loop), &manager->symbols);
	const struct lc_quality_options quality = {.symbols = manager->symbols,
		.calendar = manager->calendar,
		.seed = lc_loop_random(manager->loop),
		.symbols_at_start = max,
		.host = &lc_intake_quality_host,
		.arg = manager};
	rc = rc ? rc : lc_quality_create(&quality, &manager->quality);
	rc = rc ? rc : lc_last_value_create(manager->symbols, manager->calendar, &manager->last);
	manager->feed_of = malloc(max);
	if (rc != LC_OK || !manager->feed_of) {
		return lc_error_set(
			err, LC_ERR_NOMEM, "out of memory for %zu symbols: lower symbols.max", max);
	}
	memset(manager->feed_of, LC_NO_FEED, max);
	return LC_OK;
}

/* --- towards Kafka --- */

static void on_refused(void *arg, const struct lc_record *record, enum lc_err code, const char *why)
{
	struct lc_manager *manager = arg;
	lc_refusals_add(&manager->refusals, record, code, why, lc_loop_mono_ns(manager->loop));
	if (record->schema != LC_SCHEMA_PRICE_UPDATE) {
		return; /* an event about an event that Kafka refuses would be refused too */
	}
	/* A consumer knows a tick by when it happened. */
	int64_t at = record->event_ns ? record->event_ns : record->timestamp_ns;
	lc_gaps_missing(
		manager->gaps, LC_GAP_REFUSED, NULL, record->key, record->key_len, at, at, 1, why);
}

static void on_producer_reset(void *arg, const char *why, uint64_t resets)
{
	struct lc_manager *manager = arg;
	lc_event(&manager->outbox, "producer_reset", LC_S("reason", why), LC_U("resets", resets));
}

static void on_reachable(void *arg, bool reachable, const char *why)
{
	struct lc_manager *manager = arg;
	manager->kafka_reachable = reachable;
	snprintf(manager->kafka_reason, sizeof manager->kafka_reason, "%s", reachable ? "" : why);
	lc_topic_watch_look(manager);
}

static void on_progress(void *arg)
{
	struct lc_manager *manager = arg;
	lc_drain_wake(manager->drain);
	lc_stop_soon(manager);
}

static void fill_context(struct lc_manager *manager, struct lc_message_context *context)
{
	const struct lc_time_config *time = lc_config_section(manager->config, "time");
	*context = (struct lc_message_context){.time_format = (enum lc_time_format)time->format,
		.naive_zone = manager->naive_zone,
		.node_id = manager->node_id,
		.stream = manager->stream};
	for (int market = 0; market < LC_MARKETS; market++) {
		context->zones[market] = lc_calendar_zone(
			manager->calendar, (enum lc_market)market);
	}
}

static enum lc_err create_output(struct lc_manager *manager, struct lc_error *err)
{
	static const struct lc_sender_handlers handlers = {.refused = on_refused,
		.producer_reset = on_producer_reset,
		.reachable = on_reachable,
		.progress = on_progress};
	struct lc_message_context context;
	fill_context(manager, &context);
	enum lc_err rc = lc_disk_log_create(manager, err);
	if (rc != LC_OK) {
		return rc;
	}
	rc = lc_drain_create(manager->loop, lc_publish_drain, manager, &manager->drain);
	if (rc != LC_OK) {
		return lc_error_set(err, rc, "out of memory");
	}
	lc_outbox_init(&manager->outbox, manager->loop, manager->journal, &context,
		manager->kafka.per_market);
	const struct lc_symbols_config *symbols = lc_config_section(manager->config, "symbols");
	if (lc_gaps_create(manager->loop, (size_t)symbols->max, &manager->outbox, &manager->gaps)) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	if (lc_calendars_create(
		    manager->loop, manager->calendar, &manager->outbox, &manager->calendars)) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	lc_disk_log_begin(manager);
	lc_refusals_init(
		&manager->refusals, manager->log, lc_config_section(manager->config, "topics"));
	rc = lc_sender_create(manager->loop, manager->journal, &manager->kafka,
		lc_config_section(manager->config, "topics"), &handlers, manager, &manager->sender,
		err);
	manager->outbox.sender = manager->sender;
	snprintf(manager->kafka_reason, sizeof manager->kafka_reason, "not reached yet");
	return rc;
}

/* --- bars --- */

static void on_bars_ready(void *arg)
{
	struct lc_manager *manager = arg;
	if (manager->phase != LC_PHASE_STOPPING) {
		lc_feed_gaps_known(manager);
		lc_feeds_start(manager);
	}
}

static bool on_watched(void *arg, uint32_t symbol)
{
	return lc_feeds_watched(arg, symbol) && !lc_feed_gaps_is_open(arg, symbol);
}

static void on_bars_saved(void *arg, int64_t saved_ns)
{
	lc_feed_gaps_saved(arg, saved_ns);
}

static void on_doubt(void *arg, uint32_t symbol, int64_t start_ns)
{
	lc_feed_gaps_doubt(arg, symbol, start_ns);
}

static bool on_unwanted(void *arg, uint32_t symbol)
{
	const struct lc_manager *manager = arg;
	return manager->phase == LC_PHASE_RUNNING && manager->interest &&
	       !lc_interest_follows(lc_interest_sync_registry(manager->interest), symbol);
}

static enum lc_err create_bars(struct lc_manager *manager, struct lc_error *err)
{
	static const struct lc_bar_flow_host host = {.ready = on_bars_ready,
		.watched = on_watched,
		.unwanted = on_unwanted,
		.saved = on_bars_saved,
		.doubt = on_doubt};
	const struct lc_symbols_config *symbols = lc_config_section(manager->config, "symbols");
	const struct lc_bar_flow_setup setup = {.loop = manager->loop,
		.symbols = manager->symbols,
		.max_symbols = (size_t)symbols->max,
		.calendar = manager->calendar,
		.outbox = &manager->outbox,
		.config = lc_config_section(manager->config, "bars"),
		.store = lc_config_section(manager->config, "store"),
		.state_dir = manager->state_dir,
		.tape = manager->options.tape,
		.host = &host,
		.arg = manager};
	return lc_bar_flow_create(&setup, &manager->bars, err);
}

static enum lc_err create_feed_gaps(struct lc_manager *manager, struct lc_error *err)
{
	if (lc_feed_gaps_create(manager, &manager->feed_gaps) != LC_OK) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	const struct lc_journal_recovery *before = lc_journal_recovered(manager->journal);
	for (size_t i = 0; i < before->source_count; i++) {
		lc_feed_gaps_before(manager, before->sources[i].name,
			before->sources[i].last_event_ns, before->clean);
	}
	return LC_OK;
}

/* --- from Kafka --- */

static void on_follow(void *arg, uint32_t symbol)
{
	lc_feeds_follow(arg, symbol);
}

static void on_leave(void *arg, uint32_t symbol)
{
	lc_feeds_leave(arg, symbol);
}

static void on_refresh(void *arg, uint32_t symbol)
{
	lc_publish_refresh(arg, symbol);
}

static void on_interest_ready(void *arg)
{
	struct lc_manager *manager = arg;
	manager->phase = LC_PHASE_RUNNING;
	lc_feed_gaps_started(manager);
	if (manager->reroute_wanted) {
		manager->reroute_wanted = false;
		lc_feeds_reroute(manager);
	}
}

static const struct lc_interest_sync_host interest_host = {
	.follow = on_follow, .leave = on_leave, .refresh = on_refresh, .ready = on_interest_ready};

/* Where the followed sets are kept; NULL: in the state directory. */
static enum lc_err find_interest_redis(
	struct lc_manager *manager, const struct lc_redis_config **out, struct lc_error *err)
{
	const struct lc_interest_config *interest = lc_config_section(manager->config, "interest");
	const struct lc_redis_config *redis = lc_config_section(manager->config, "redis");
	*out = interest->store == LC_INTEREST_REDIS ? redis : NULL;
	return *out && redis->address[0] == '\0'
		       ? lc_error_set(
				 err, LC_ERR_INVALID, "interest.store is redis: set redis.address")
		       : LC_OK;
}

static enum lc_err create_input(struct lc_manager *manager, struct lc_error *err)
{
	const struct lc_topics_config *topics = lc_config_section(manager->config, "topics");
	const struct lc_interest_config *interest = lc_config_section(manager->config, "interest");
	const struct lc_control_config *control = lc_config_section(manager->config, "control");
	snprintf(manager->interest_group, sizeof manager->interest_group, "%s%s", interest->group,
		manager->node_id);
	snprintf(manager->control_group, sizeof manager->control_group, "%s%s", control->group,
		manager->node_id);
	const struct lc_redis_config *redis;
	enum lc_err rc = find_interest_redis(manager, &redis, err);
	const struct lc_interest_sync_setup interest_setup = {.loop = manager->loop,
		.kafka = &manager->kafka,
		.topic = topics->interest,
		.group = manager->interest_group,
		.state_dir = manager->state_dir,
		.node = manager->node_id,
		.redis = redis,
		.naive_zone = manager->naive_zone,
		.symbols = manager->symbols,
		.ttl_ms = interest->ttl,
		.outbox = &manager->outbox,
		.host = &interest_host,
		.arg = manager};
	const struct lc_control_setup control_setup = {.loop = manager->loop,
		.kafka = &manager->kafka,
		.topic = topics->control,
		.group = manager->control_group,
		.naive_zone = manager->naive_zone,
		.max_age_ms = control->max_age,
		.outbox = &manager->outbox,
		.actions = &lc_manager_actions,
		.owner = manager};
	rc = rc ? rc : lc_interest_sync_create(&interest_setup, &manager->interest, err);
	return rc ? rc : lc_control_create(&control_setup, &manager->control, err);
}

/* --- making it --- */

static void on_minute(void *arg)
{
	struct lc_manager *manager = arg;
	lc_intake_say_counts(manager);
	lc_refusals_say(&manager->refusals, lc_loop_mono_ns(manager->loop));
	lc_feeds_check_limits(manager);
	lc_calendars_look(manager->calendars);
	lc_topic_watch_look(manager);
}

static void say_started(struct lc_manager *manager)
{
	lc_event(&manager->outbox, "started", LC_S("role", "manager"), LC_S("version", LC_VERSION),
		LC_I("pid", getpid()));
	lc_log(manager->log, LC_LOG_INFO, "manager", "started", LC_S("version", LC_VERSION),
		LC_S("node", manager->node_id), LC_S("stream", manager->stream),
		LC_S("brokers", manager->kafka.brokers), LC_S("state", manager->state_dir));
}

static enum lc_err create_parts(struct lc_manager *manager, struct lc_error *err)
{
	enum lc_err rc = lc_stop_prepare(manager);
	rc = rc ? lc_error_set(err, rc, "out of memory") : identify(manager, err);
	rc = rc ? rc : create_core(manager, err);
	rc = rc ? rc : create_output(manager, err);
	rc = rc ? rc : lc_ws_hub_create(manager->loop, &manager->ws, err);
	rc = rc ? rc : lc_http_create(manager->loop, NULL, &manager->http, err);
	rc = rc ? rc : lc_feeds_create(manager, err);
	if (rc == LC_OK && lc_watch_create(manager, &manager->watch) != LC_OK) {
		rc = lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	rc = rc ? rc : create_bars(manager, err);
	rc = rc ? rc : create_feed_gaps(manager, err);
	rc = rc ? rc : create_input(manager, err);
	rc = rc ? rc : lc_beats_create(manager, err);
	if (rc == LC_OK &&
		lc_timer_create(manager->loop, on_minute, manager, &manager->minute) != LC_OK) {
		rc = lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	return rc;
}

enum lc_err lc_manager_create(struct lc_loop *loop, struct lc_config *config,
	const struct lc_manager_options *options, struct lc_manager **out, struct lc_error *err)
{
	struct lc_manager *manager = calloc(1, sizeof *manager);
	if (!manager) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	manager->loop = loop;
	manager->log = lc_loop_log(loop);
	manager->state_lock = -1;
	manager->options = *options;
	manager->config = manager->first_config = config;
	manager->started_ns = lc_loop_mono_ns(loop);
	manager->kafka = *(const struct lc_kafka_config *)lc_config_section(config, "kafka");
	if (options->brokers) {
		snprintf(manager->brokers, sizeof manager->brokers, "%s", options->brokers);
		manager->kafka.brokers = manager->brokers;
	}
	enum lc_err rc = create_parts(manager, err);
	if (rc != LC_OK) {
		manager->first_config = manager->config = NULL; /* it stays the caller's */
		*out = manager;
		return rc;
	}
	lc_timer_start(manager->minute, MINUTE_MS, MINUTE_MS);
	say_started(manager);
	lc_calendars_look(manager->calendars);
	if (!manager->bars) { /* else when it knows again what it knew */
		lc_feed_gaps_known(manager);
		lc_feeds_start(manager);
	}
	*out = manager;
	return LC_OK;
}

void lc_manager_free(struct lc_manager *manager)
{
	lc_feed_gaps_destroy(manager->feed_gaps);
	manager->feed_gaps = NULL;
	lc_feeds_destroy(manager);
	lc_gaps_destroy(manager->gaps);
	lc_calendars_destroy(manager->calendars);
	lc_timer_destroy(manager->minute);
	lc_timer_destroy(manager->stop_timer);
	lc_drain_destroy(manager->drain);
	lc_outbox_finish(&manager->outbox);
	lc_journal_destroy(manager->journal);
	lc_quality_destroy(manager->quality);
	lc_last_value_destroy(manager->last);
	lc_symbols_destroy(manager->symbols);
	lc_calendar_destroy(manager->calendar);
	lc_zone_destroy(manager->naive_zone);
	lc_file_unlock(manager->state_lock);
	free(manager->feed_of);
	if (manager->config != manager->first_config) {
		lc_config_destroy(manager->config);
	}
	lc_config_destroy(manager->first_config);
	free(manager);
}

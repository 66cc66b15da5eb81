/* What the manager's heartbeat says of it, and what it says when it has a twin: another live
 * process under its name, seen in Redis or by its events. */
#include "manager/manager_priv.h"

#include <inttypes.h>

static enum lc_heartbeat_state on_state(void *arg)
{
	const struct lc_manager *manager = arg;
	switch (manager->phase) {
	case LC_PHASE_LOADING:
		return LC_HEARTBEAT_STARTING;
	case LC_PHASE_STOPPING:
		return LC_HEARTBEAT_STOPPING;
	case LC_PHASE_RUNNING:
		break;
	}
	return manager->kafka_reachable ? LC_HEARTBEAT_RUNNING : LC_HEARTBEAT_ERROR;
}

static void on_stats(void *arg, struct lc_buf *members)
{
	struct lc_manager *manager = arg;
	struct lc_manager_totals totals = lc_manager_totals(manager);
	/* The first two names are those that GinkGo's own components have. */
	lc_buf_printf(members,
		"\"messages_processed\":%" PRIu64 ",\"messages_failed\":%" PRIu64
		",\"prices\":%" PRIu64 ",\"published\":%" PRIu64 ",\"acknowledged\":%" PRIu64
		",\"dropped\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",\"followed\":%" PRIu64
		",\"uptime_seconds\":%" PRId64,
		totals.ticks, totals.refused, totals.prices, totals.published, totals.acknowledged,
		totals.dropped, totals.reconnects, totals.followed,
		(lc_loop_mono_ns(manager->loop) - manager->started_ns) / LC_NS_PER_S);
}

static void on_twin(void *arg, const struct lc_heartbeat_twin *twin)
{
	struct lc_manager *manager = arg;
	lc_event(&manager->outbox, "twin", LC_S("role", "manager"), LC_S("stream", twin->stream),
		LC_S("host", twin->host), LC_I("pid", twin->pid));
}

static void on_twin_stream(void *arg, const char *stream)
{
	struct lc_manager *manager = arg;
	lc_event(&manager->outbox, "twin", LC_S("role", "manager"), LC_S("stream", stream));
}

static enum lc_err watch_twins(struct lc_manager *manager, struct lc_error *err)
{
	const struct lc_topics_config *topics = lc_config_section(manager->first_config, "topics");
	const struct lc_twins_options options = {.kafka = &manager->kafka,
		.topic = topics->events,
		.context = &manager->outbox.context,
		.role = "manager",
		.seen = on_twin_stream,
		.arg = manager};
	return lc_twins_create(manager->loop, &options, &manager->twins, err);
}

enum lc_err lc_beats_create(struct lc_manager *manager, struct lc_error *err)
{
	static const struct lc_heartbeat_host host = {
		.state = on_state, .stats = on_stats, .twin = on_twin};
	enum lc_err rc = lc_heartbeat_create(manager->loop,
		lc_config_section(manager->config, "redis"), "data_manager",
		&manager->outbox.context, &host, manager, &manager->heartbeat, err);
	return rc ? rc : watch_twins(manager, err);
}

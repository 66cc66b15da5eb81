/* Reading the configuration again: what changed is applied as each row of the table says, without
 * touching a connection that did not change. A broken file leaves everything as it is. */
#include "manager/manager_priv.h"

#include <string.h>

struct reload {
	struct lc_manager *manager;
	struct lc_buf *result; /* a JSON array of the changes */
	uint64_t live, reconnect, restart;
	bool feeder_reconnects[LC_FEEDS_MAX];
	bool routing, failover;
	/* the second pass: what differs from the configuration that this process started with */
	bool waiting;
};

static const char *const apply_names[] = {[LC_APPLY_LIVE] = "applied",
	[LC_APPLY_RECONNECT] = "reconnecting",
	[LC_APPLY_RESTART] = "waits_for_restart"};

static void change_json(const struct lc_config_change *change, struct lc_buf *out)
{
	lc_buf_puts(out, "{\"setting\":\"");
	lc_buf_printf(out, "%s.%s\",\"before\":", change->section, change->key);
	lc_buf_json_string(out, change->before, strlen(change->before));
	lc_buf_puts(out, ",\"after\":");
	lc_buf_json_string(out, change->after, strlen(change->after));
	lc_buf_printf(out, ",\"effect\":\"%s\"}", apply_names[change->apply]);
}

static void on_change(void *arg, const struct lc_config_change *change)
{
	struct reload *reload = arg;
	struct lc_manager *manager = reload->manager;
	if ((change->apply == LC_APPLY_RESTART) != reload->waiting) {
		return;
	}
	if (reload->live + reload->reconnect + reload->restart > 0) {
		lc_buf_putc(reload->result, ',');
	}
	change_json(change, reload->result);
	reload->live += change->apply == LC_APPLY_LIVE;
	reload->reconnect += change->apply == LC_APPLY_RECONNECT;
	reload->restart += change->apply == LC_APPLY_RESTART;
	reload->routing |= strcmp(change->section, "routing") == 0 ||
			   strcmp(change->section, "fushu") == 0;
	reload->failover |= strcmp(change->section, "failover") == 0;
	struct lc_feed *feed = lc_feeds_find(manager, change->section);
	if (feed && change->apply == LC_APPLY_RECONNECT) {
		reload->feeder_reconnects[feed->index] = true;
	}
	lc_log(manager->log, change->apply == LC_APPLY_RESTART ? LC_LOG_WARN : LC_LOG_INFO,
		"config", "changed", LC_S("section", change->section), LC_S("key", change->key),
		LC_S("before", change->before), LC_S("after", change->after),
		LC_S("effect", apply_names[change->apply]));
}

static void apply_log(struct lc_manager *manager)
{
	const struct lc_log_config *config = lc_config_section(manager->config, "log");
	struct lc_error err;
	lc_log_set_json(manager->log, config->format == 1);
	if (lc_log_set_levels(manager->log, config->level, &err) != LC_OK) {
		lc_log(manager->log, LC_LOG_WARN, "config", "log_level", LC_S("error", err.text));
	}
}

static void apply_feed(struct reload *reload, struct lc_feed *feed)
{
	struct lc_manager *manager = reload->manager;
	const struct lc_queue_config *queue = lc_config_section(manager->config, "queue");
	const struct lc_queue_config *first = lc_config_section(manager->first_config, "queue");
	const struct lc_queue_options options = {.capacity = (size_t)first->size,
		.policy = (enum lc_queue_policy)queue->policy,
		.drop = lc_intake_queue_drop,
		.arg = feed};
	lc_queue_configure(feed->queue, &options);
	struct lc_supervisor_status status = lc_supervisor_status(feed->supervisor);
	bool gave_up = feed->enabled && !feed->held && status.state == LC_FEED_STOPPED;
	bool was_enabled = feed->enabled;
	lc_supervisor_configure(feed->supervisor, lc_config_section(manager->config, "supervisor"),
		lc_config_section(manager->config, feed->impl->config->name),
		reload->feeder_reconnects[feed->index]);
	feed->enabled = lc_feeds_enabled(manager, feed->impl->name);
	lc_supervisor_stand_by(feed->supervisor, feed->enabled && lc_failover_stands_by(feed));
	if (was_enabled && !feed->enabled) {
		lc_supervisor_stop(feed->supervisor, "not among routing.feeders");
	} else if (feed->enabled && (!was_enabled || gave_up)) {
		lc_supervisor_start(feed->supervisor);
	}
}

static void apply(struct reload *reload)
{
	struct lc_manager *manager = reload->manager;
	const struct lc_interest_config *interest = lc_config_section(manager->config, "interest");
	const struct lc_control_config *control = lc_config_section(manager->config, "control");
	apply_log(manager);
	lc_feed_gaps_configure(manager->feed_gaps);
	lc_bar_flow_configure(manager->bars, lc_config_section(manager->config, "bars"));
	lc_watch_configure(manager->watch, lc_config_section(manager->config, "liveness"));
	for (size_t i = 0; i < manager->feed_count; i++) {
		apply_feed(reload, &manager->feeds[i]);
	}
	if (manager->interest) {
		lc_interest_sync_set_ttl(manager->interest, interest->ttl);
	}
	if (manager->control) {
		lc_control_set_max_age(manager->control, control->max_age);
	}
	if (reload->failover) {
		lc_failover_configure(manager->failover);
	}
	if (reload->routing && manager->phase == LC_PHASE_RUNNING) {
		lc_feeds_reroute(manager);
	}
	manager->reroute_wanted |= reload->routing && manager->phase == LC_PHASE_LOADING;
}

/* The first configuration stays, since what waits for a restart points into it. */
static void take_over(struct lc_manager *manager, struct lc_config *fresh)
{
	struct lc_config *old = manager->config;
	manager->config = fresh;
	manager->old_config = old != manager->first_config ? old : NULL;
}

/* The last thing that can fail: behind it all is taken over. */
static enum lc_err reload_calendars(
	struct lc_manager *manager, const struct lc_config *fresh, struct lc_buf *errors)
{
	const struct lc_calendar_config *calendar = lc_config_section(fresh, "calendar");
	struct lc_error err;
	enum lc_err rc = lc_calendars_reload(manager->calendars, calendar->dir, &err);
	if (rc == LC_OK) {
		lc_bar_flow_calendar(manager->bars);
	} else {
		bool named = rc == LC_ERR_NOT_FOUND;
		lc_buf_printf(errors, "%s%s\n", named ? "" : "calendar.dir: ", err.text);
	}
	return rc;
}

/* The new configuration, or NULL with what is wrong with it in errors. */
static struct lc_config *load(struct lc_manager *manager, struct lc_buf *errors)
{
	struct lc_config *fresh = manager->options.load(manager->options.arg, errors);
	if (fresh && reload_calendars(manager, fresh, errors) != LC_OK) {
		lc_config_destroy(fresh);
		fresh = NULL;
	}
	return fresh;
}

static enum lc_err refuse(struct lc_manager *manager, struct lc_buf *errors, struct lc_error *err)
{
	while (errors->len > 0 && errors->data[errors->len - 1] == '\n') {
		errors->len--; /* one mistake is one line of the log, and of an answer */
	}
	const char *text = lc_buf_text(errors);
	lc_log(manager->log, LC_LOG_ERROR, "config", "reload_refused", LC_S("errors", text));
	lc_event(&manager->outbox, "config_reloaded", LC_B("ok", false), LC_S("errors", text));
	return lc_error_set(err, LC_ERR_INVALID, "nothing changed: %s", text);
}

static void say_done(const struct reload *reload)
{
	struct lc_manager *manager = reload->manager;
	lc_event(&manager->outbox, "config_reloaded", LC_B("ok", true),
		LC_J("result", lc_buf_text(reload->result)));
	lc_log(manager->log, LC_LOG_INFO, "config", "reloaded", LC_U("applied", reload->live),
		LC_U("reconnecting", reload->reconnect),
		LC_U("waiting_for_restart", reload->restart));
}

enum lc_err lc_reload(struct lc_manager *manager, struct lc_buf *result, struct lc_error *err)
{
	if (manager->phase == LC_PHASE_STOPPING) {
		return lc_error_set(err, LC_ERR_CLOSED, "this process is stopping");
	}
	if (!manager->options.load) {
		return lc_error_set(err, LC_ERR_UNSUPPORTED,
			"this process was started without a configuration to read again");
	}
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	struct lc_config *fresh = load(manager, &errors);
	enum lc_err rc = fresh ? LC_OK : refuse(manager, &errors, err);
	lc_buf_finish(&errors);
	if (rc != LC_OK) {
		return rc;
	}
	struct reload reload = {.manager = manager, .result = result};
	lc_buf_puts(result, "{\"changes\":[");
	lc_config_diff(manager->config, fresh, on_change, &reload);
	reload.waiting = true; /* also what an earlier reload has said: it still waits */
	lc_config_diff(manager->first_config, fresh, on_change, &reload);
	take_over(manager, fresh);
	apply(&reload);
	lc_config_destroy(manager->old_config);
	manager->old_config = NULL;
	lc_buf_printf(result,
		"],\"applied\":%llu,\"reconnecting\":%llu,\"waiting_for_restart\":%llu}",
		(unsigned long long)reload.live, (unsigned long long)reload.reconnect,
		(unsigned long long)reload.restart);
	say_done(&reload);
	return LC_OK;
}

void lc_manager_reload(struct lc_manager *manager)
{
	struct lc_buf result;
	struct lc_error err;
	lc_buf_init(&result, 256 * 1024);
	lc_reload(manager, &result, &err);
	lc_buf_finish(&result);
}

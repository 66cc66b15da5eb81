/* What the commands of ginkgo.live.control.commands do to a manager. */
#include "manager/manager_priv.h"

#include <stdlib.h>

static enum lc_err on_heartbeat(void *owner, struct lc_buf *result, struct lc_error *err)
{
	struct lc_manager *manager = owner;
	struct lc_manager_totals totals = lc_manager_totals(manager);
	(void)err;
	lc_buf_printf(result, "{\"followed\":%llu,\"published\":%llu,\"acknowledged\":%llu}",
		(unsigned long long)totals.followed, (unsigned long long)totals.published,
		(unsigned long long)totals.acknowledged);
	return LC_OK;
}

static enum lc_err on_reload_command(void *owner, struct lc_buf *result, struct lc_error *err)
{
	return lc_reload(owner, result, err);
}

static enum lc_err on_feeder_command(
	void *owner, const char *name, bool start, struct lc_buf *result, struct lc_error *err)
{
	struct lc_manager *manager = owner;
	struct lc_feed *feed = lc_feeds_find(manager, name);
	if (!feed) {
		return lc_error_set(err, LC_ERR_NOT_FOUND, "there is no feeder \"%s\"", name);
	}
	if (start) {
		enum lc_err rc = feed->impl->usable(lc_supervisor_feeder(feed->supervisor), err);
		if (rc != LC_OK) {
			return rc;
		}
		lc_supervisor_start(feed->supervisor);
	} else {
		lc_supervisor_stop(feed->supervisor, "stopped by command");
	}
	feed->held = !start;
	if (!start) {
		lc_failover_leave(feed, "stopped by command");
	}
	lc_buf_printf(result, "{\"feeder\":\"%s\",\"state\":\"%s\"}", feed->impl->name,
		lc_feed_state_name(lc_supervisor_status(feed->supervisor).state));
	return LC_OK;
}

static void on_snapshot_done(void *arg, const char *result, const char *error)
{
	struct lc_manager *manager = arg;
	manager->snapshot = NULL;
	lc_control_answer(manager->control, result, error);
}

static enum lc_err start_snapshot(struct lc_manager *manager,
	const struct lc_control_command *command, const struct lc_text *codes, size_t count)
{
	const struct lc_bar_snapshot_setup setup = {.loop = manager->loop,
		.symbols = manager->symbols,
		.outbox = &manager->outbox,
		.bars = lc_bar_flow_bars(manager->bars),
		.store = lc_bar_flow_store(manager->bars),
		.trace_id = command->trace_id,
		.span_id = command->span_id,
		.traceparent = command->traceparent,
		.done = on_snapshot_done,
		.arg = manager};
	if (codes) {
		return lc_bar_snapshot_start_codes(&setup, codes, count, &manager->snapshot);
	}
	const struct lc_interest *interest = lc_interest_sync_registry(manager->interest);
	size_t followed = lc_interest_count(interest);
	uint32_t *symbols = malloc((followed + 1) * sizeof *symbols);
	if (!symbols) {
		return LC_ERR_NOMEM;
	}
	followed = lc_interest_list(interest, symbols, followed);
	enum lc_err rc = lc_bar_snapshot_start(&setup, symbols, followed, &manager->snapshot);
	free(symbols);
	return rc;
}

static enum lc_err on_snapshot_command(void *owner, const struct lc_control_command *command,
	const struct lc_text *codes, size_t count, struct lc_error *err)
{
	struct lc_manager *manager = owner;
	if (!manager->bars) {
		return lc_error_set(
			err, LC_ERR_UNSUPPORTED, "this manager makes no bars: bars.enabled is off");
	}
	if (start_snapshot(manager, command, codes, count) != LC_OK) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	return LC_OK;
}

const struct lc_control_actions lc_manager_actions = {.heartbeat = on_heartbeat,
	.reload = on_reload_command,
	.bar_snapshot = on_snapshot_command,
	.feeder = on_feeder_command};

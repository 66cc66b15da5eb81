#include "manager/bar_flow_priv.h"

#include <stdio.h>
#include <string.h>

static const char *const store_states[] = {
	[LC_BAR_STORE_OPENING] = "opening", [LC_BAR_STORE_UP] = "up", [LC_BAR_STORE_DOWN] = "down"};

static void store_json(const struct lc_bar_flow *flow, struct lc_buf *out)
{
	if (!flow->store) {
		lc_buf_puts(out, ",\"store\":{\"backend\":\"none\"}");
		return;
	}
	struct lc_bar_store_status status = lc_bar_store_status(flow->store);
	lc_buf_printf(out,
		",\"store\":{\"backend\":\"%s\",\"state\":\"%s\",\"server\":", status.backend,
		store_states[status.state]);
	lc_buf_json_string(out, status.server, strlen(status.server));
	lc_buf_puts(out, ",\"reason\":");
	lc_buf_json_string(out, status.why, strlen(status.why));
	lc_buf_printf(out,
		",\"written\":%llu,\"waiting\":%zu,\"spooled\":%llu,\"spool_rows\":%llu,"
		"\"spool_bytes\":%llu,\"given_up\":%llu,\"refused\":%llu}",
		(unsigned long long)status.written, status.waiting,
		(unsigned long long)status.spooled, (unsigned long long)status.spool_rows,
		(unsigned long long)status.spool_bytes, (unsigned long long)status.given_up,
		(unsigned long long)status.refused);
}

void lc_bar_flow_status(const struct lc_bar_flow *flow, struct lc_buf *out)
{
	if (!flow) {
		lc_buf_puts(out, ",\"bars\":{\"enabled\":false}");
		return;
	}
	struct lc_bars_stats stats = lc_bars_stats(flow->bars);
	struct lc_bar_keeper_status kept = {0};
	if (flow->keeper) {
		kept = lc_bar_keeper_status(flow->keeper);
	}
	lc_buf_printf(out,
		",\"bars\":{\"enabled\":true,\"symbols\":%zu,\"unseen\":%zu,\"bars\":%llu,"
		"\"revisions\":%llu,\"partials\":%llu,\"dropped\":%llu,\"restored\":%llu,"
		"\"saves\":%llu,\"save_failures\":%llu,\"memory_bytes\":%zu}",
		stats.symbols, flow->open, (unsigned long long)stats.bars,
		(unsigned long long)stats.revisions, (unsigned long long)stats.partials,
		(unsigned long long)*flow->no_room, (unsigned long long)kept.restored,
		(unsigned long long)kept.saves, (unsigned long long)kept.failures,
		stats.memory_bytes);
	store_json(flow, out);
}

void lc_bar_flow_trouble(const struct lc_bar_flow *flow, char store[256], char state[256])
{
	store[0] = state[0] = '\0';
	if (flow && flow->store) {
		struct lc_bar_store_status status = lc_bar_store_status(flow->store);
		snprintf(store, 256, "%s", status.state == LC_BAR_STORE_DOWN ? status.why : "");
	}
	if (flow && flow->keeper) {
		snprintf(state, 256, "%s", lc_bar_keeper_status(flow->keeper).why);
	}
}

void lc_bar_flow_gauges(struct lc_bar_flow *flow)
{
	if (!flow) {
		return;
	}
	struct lc_metrics *metrics = lc_loop_metrics(flow->setup.loop);
	struct lc_bars_stats stats = lc_bars_stats(flow->bars);
	*lc_metrics_gauge(metrics, "livecore_bars_memory_bytes", "",
		"memory of the open days") = (double)stats.memory_bytes;
	*lc_metrics_gauge(metrics, "livecore_bars_unseen_symbols", "",
		"followed symbols whose trades no feed shows us now") = (double)flow->open;
}

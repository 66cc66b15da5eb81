#include "manager/watch_say.h"

#include "manager/manager_priv.h"

#include <stdio.h>
#include <string.h>

#define MINUTE_NS (60 * LC_NS_PER_S)
#define COLLECT_NS (10 * LC_NS_PER_S)
#define FIRST_OF_LAST 8 /* of an event's fields, those that only the last stage has */

#define MUTE_HELP "what was done about silence; symbol: single symbols subscribed anew"

/* Tenths are enough. */
static double seconds_of(int64_t ns)
{
	int64_t tenths = ns / (100 * LC_NS_PER_MS);
	return (double)tenths / 10;
}

void lc_watch_feed_init(struct lc_watch_feed *side, struct lc_feed *feed)
{
	struct lc_metrics *metrics = lc_loop_metrics(feed->manager->loop);
	char label[64], labels[160], stage[64];
	lc_metrics_label(label, sizeof label, "feeder", feed->impl->name);
	for (int i = 0; i < LC_STAGES; i++) {
		const char *name = i == LC_WATCH_SYMBOL ? "symbol"
							: lc_live_stage_name((enum lc_live_stage)i);
		lc_metrics_label(stage, sizeof stage, "stage", name);
		snprintf(labels, sizeof labels, "%s,%s", label, stage);
		side->counted[i] = lc_metrics_counter(
			metrics, "livecore_feed_mute_total", labels, MUTE_HELP);
	}
	snprintf(labels, sizeof labels, "%s,stage=\"market\"", label);
	side->counted_markets = lc_metrics_counter(
		metrics, "livecore_feed_mute_total", labels, MUTE_HELP);
	side->mute_markets = lc_metrics_gauge(metrics, "livecore_feed_mute_markets", label,
		"markets that are silent while others of the feed are not");
	side->verdict = lc_metrics_gauge(metrics, "livecore_feed_liveness", label,
		"0 idle, 1 grace, 2 unknown, 3 flows, 4 unheard, 5 mute, 6 frozen");
	side->socket = lc_metrics_gauge(metrics, "livecore_feed_socket", label,
		"whether the connection answers: 0 unknown, 1 it does, 2 it is dead");
	side->silence = lc_metrics_gauge(metrics, "livecore_feed_silence_seconds", label,
		"time in session since data came last");
	side->expected = lc_metrics_gauge(metrics, "livecore_feed_expected_silence_seconds", label,
		"the longest silence that is taken for ordinary now");
	side->silent = lc_metrics_gauge(metrics, "livecore_feed_silent_symbols", label,
		"symbols that are silent while the feed is not");
}

/* --- stages --- */

static const char *evidence_of(const struct lc_live_step *step)
{
	switch (step->verdict) {
	case LC_LIVE_FROZEN:
		return "polls are answered, and what they say does not change";
	case LC_LIVE_UNHEARD:
		return "nothing came since it was subscribed, and nothing is known of what should";
	default:
		return step->socket == LC_SOCKET_DEAD ? "the connection does not answer"
						      : "what is followed usually says more";
	}
}

void lc_watch_why(const struct lc_live_step *step, char *out, size_t size)
{
	snprintf(out, size, "%s: no data for %.1f s, at most %.1f s are ordinary: %s",
		lc_live_subscription_name(step->verdict), seconds_of(step->silent_ns),
		seconds_of(step->expected_ns), evidence_of(step));
}

static void say_alert(struct lc_feed *feed, const struct lc_live_step *step, bool raised)
{
	lc_alert(&feed->manager->outbox, raised ? "feed_mute" : "resolved",
		raised ? LC_SEVERITY_ERROR : LC_SEVERITY_INFO, LC_S("feeder", feed->impl->name),
		LC_S("resolves", raised ? NULL : "feed_mute"),
		LC_D("expected", seconds_of(step->expected_ns)),
		LC_D("actual", seconds_of(step->silent_ns)),
		LC_S("reason", raised ? evidence_of(step) : NULL));
}

void lc_watch_say_stage(
	struct lc_feed *feed, struct lc_watch_feed *side, const struct lc_live_step *step)
{
	bool over = step->stage == LC_STAGE_OVER, last = step->stage == LC_STAGE_FAIL_OVER;
	++*side->counted[step->stage];
	lc_log(feed->manager->log, over ? LC_LOG_INFO : LC_LOG_WARN, "liveness",
		over ? "feed_speaks" : "feed_mute", LC_S("feeder", feed->impl->name),
		LC_S("stage", lc_live_stage_name(step->stage)),
		LC_S("verdict", lc_live_subscription_name(step->verdict)),
		LC_S("socket", lc_live_socket_name(step->socket)),
		LC_D("expected_s", seconds_of(step->expected_ns)),
		LC_D("silent_s", seconds_of(step->silent_ns)),
		LC_S("moved", !last         ? NULL
			      : side->moved ? "to another source"
					    : "nowhere: there is no other source"));
	struct lc_field fields[] = {LC_S("feeder", feed->impl->name),
		LC_S("stage", lc_live_stage_name(step->stage)),
		LC_S("verdict", lc_live_subscription_name(step->verdict)),
		LC_S("socket", lc_live_socket_name(step->socket)),
		LC_S("evidence", over ? NULL : evidence_of(step)),
		LC_D("expected_seconds", seconds_of(step->expected_ns)),
		LC_D("actual_seconds", seconds_of(step->silent_ns)),
		LC_U("expected_ticks", (uint64_t)step->expected_ticks), LC_B("moved", side->moved),
		LC_U("attempt", step->attempt), {.type = LC_FIELD_END}};
	if (!last) {
		fields[FIRST_OF_LAST].type = LC_FIELD_END;
	}
	lc_outbox_event(&feed->manager->outbox, "feed_mute", fields);
	if (last && !side->alerted) {
		side->alerted = true;
		say_alert(feed, step, true);
	} else if (over && side->alerted) {
		side->alerted = false;
		say_alert(feed, step, false);
	}
}

/* --- single markets --- */

static void say_market_alert(struct lc_feed *feed, struct lc_watch_feed *side,
	enum lc_market market, const struct lc_live_step *step, bool raised)
{
	unsigned bit = 1u << market;
	if (raised == !!(side->alerted_markets & bit)) {
		return;
	}
	side->alerted_markets ^= bit;
	lc_alert(&feed->manager->outbox, raised ? "feed_mute" : "resolved",
		raised ? LC_SEVERITY_ERROR : LC_SEVERITY_INFO, LC_S("feeder", feed->impl->name),
		LC_S("market", lc_market_name(market)),
		LC_S("resolves", raised ? NULL : "feed_mute"),
		LC_D("expected", seconds_of(step->expected_ns)),
		LC_D("actual", seconds_of(step->silent_ns)),
		LC_S("reason", raised ? "the other markets of the feed are not silent" : NULL));
}

void lc_watch_say_part(struct lc_feed *feed, struct lc_watch_feed *side, enum lc_market market,
	enum lc_live_part part, const struct lc_live_step *step)
{
	static const char *const stages[] = {[LC_PART_ASK_AGAIN] = "resubscribe",
		[LC_PART_MUTE] = "market",
		[LC_PART_BACK] = "over"};
	bool over = part == LC_PART_BACK;
	*side->counted_markets += !over;
	lc_log(feed->manager->log, over ? LC_LOG_INFO : LC_LOG_WARN, "liveness",
		over ? "market_speaks" : "market_mute", LC_S("feeder", feed->impl->name),
		LC_S("market", lc_market_name(market)), LC_S("stage", stages[part]),
		LC_D("expected_s", seconds_of(step->expected_ns)),
		LC_D("silent_s", seconds_of(step->silent_ns)));
	lc_event(&feed->manager->outbox, "feed_mute", LC_S("feeder", feed->impl->name),
		LC_S("market", lc_market_name(market)), LC_S("stage", stages[part]),
		LC_S("verdict", over ? NULL : lc_live_subscription_name(step->verdict)),
		LC_S("socket", lc_live_socket_name(step->socket)),
		LC_S("evidence", over ? NULL : "silent while the feed's other markets are not"),
		LC_D("expected_seconds", seconds_of(step->expected_ns)),
		LC_D("actual_seconds", seconds_of(step->silent_ns)),
		LC_U("expected_ticks", (uint64_t)step->expected_ticks));
	if (part != LC_PART_ASK_AGAIN) {
		say_market_alert(feed, side, market, step, !over);
	}
}

/* --- single symbols --- */

void lc_watch_add_silent(struct lc_feed *feed, struct lc_watch_feed *side, uint32_t symbol)
{
	if (side->found++ == 0) {
		side->told_ns = lc_loop_mono_ns(feed->manager->loop) + COLLECT_NS;
	}
	if (side->listed < LC_WATCH_LISTED) {
		side->list[side->listed++] = symbol;
	}
}

static void list_symbols(const struct lc_feed *feed, const struct lc_watch_feed *side,
	const struct lc_liveness *live, struct lc_buf *codes, struct lc_buf *symbols)
{
	for (size_t i = 0; i < side->listed; i++) {
		const char *text = lc_symbols_get(feed->manager->symbols, side->list[i])->text;
		int64_t silent_ns, expected_ns;
		lc_liveness_symbol(live, side->list[i], &silent_ns, &expected_ns);
		lc_buf_printf(codes, "%s\"%s\"", i > 0 ? "," : "[", text);
		lc_buf_printf(symbols,
			"%s{\"symbol\":\"%s\",\"expected_seconds\":%.1f,\"actual_seconds\":%.1f}",
			i > 0 ? "," : "[", text, seconds_of(expected_ns), seconds_of(silent_ns));
	}
	lc_buf_putc(codes, ']');
	lc_buf_putc(symbols, ']');
}

static void tell_silent(struct lc_feed *feed, struct lc_watch_feed *side,
	const struct lc_liveness *live, int64_t now_ns)
{
	struct lc_buf codes, symbols;
	const char *example = lc_symbols_get(feed->manager->symbols, side->list[0])->text;
	lc_buf_init(&codes, 64 * 1024);
	lc_buf_init(&symbols, 64 * 1024);
	list_symbols(feed, side, live, &codes, &symbols);
	lc_log(feed->manager->log, LC_LOG_WARN, "liveness", "symbols_silent",
		LC_S("feeder", feed->impl->name), LC_U("count", side->found),
		LC_S("example", example));
	lc_event(&feed->manager->outbox, "feed_mute", LC_S("feeder", feed->impl->name),
		LC_S("stage", "symbol"),
		LC_S("evidence", "silent while its peers are not, also when subscribed anew"),
		LC_U("count", side->found), LC_J("symbols", lc_buf_text(&symbols)));
	if (now_ns >= side->alerted_ns) {
		side->alerted_ns = now_ns + MINUTE_NS;
		side->alerted_some = true;
		lc_alert(&feed->manager->outbox, "data_missing", LC_SEVERITY_WARNING,
			LC_S("feeder", feed->impl->name), LC_U("actual", side->found),
			LC_U("expected", 0), LC_J("affected_codes", lc_buf_text(&codes)));
	}
	lc_buf_finish(&codes);
	lc_buf_finish(&symbols);
	side->found = side->listed = 0;
}

static void say_found(struct lc_feed *feed, struct lc_watch_feed *side)
{
	side->alerted_some = false;
	lc_alert(&feed->manager->outbox, "resolved", LC_SEVERITY_INFO,
		LC_S("feeder", feed->impl->name), LC_S("resolves", "data_missing"),
		LC_U("actual", 0));
}

void lc_watch_say_silent(struct lc_feed *feed, struct lc_watch_feed *side,
	const struct lc_liveness *live, int64_t now_ns)
{
	if (now_ns - side->minute_ns > MINUTE_NS) {
		side->minute_ns = now_ns;
		side->renewals = 0;
	}
	if (side->found > 0 && now_ns >= side->told_ns) {
		tell_silent(feed, side, live, now_ns);
	}
	if (!side->alerted_some || side->found > 0) {
		return;
	}
	struct lc_live_view view;
	lc_liveness_view(live, feed->index, &view);
	/* While the feed itself is away, nothing is known of its symbols. */
	if (view.silent == 0 && view.subscription == LC_LIVE_FLOWS) {
		say_found(feed, side);
	}
}

void lc_watch_end_alerts(struct lc_feed *feed, struct lc_watch_feed *side)
{
	const struct lc_live_step none = {.stage = LC_STAGE_OVER};
	if (side->alerted) {
		side->alerted = false;
		say_alert(feed, &none, false);
	}
	for (int market = 0; market < LC_MARKETS; market++) {
		say_market_alert(feed, side, (enum lc_market)market, &none, false);
	}
	if (side->alerted_some) {
		say_found(feed, side);
	}
	side->found = side->listed = 0;
}

/* --- what is shown --- */

/* "hk" or "cn, hk" */
static const char *name_markets(unsigned markets, char out[32])
{
	size_t n = 0;
	out[0] = '\0';
	for (int market = 0; market < LC_MARKETS; market++) {
		if (markets & 1u << market) {
			n += (size_t)snprintf(out + n, 32 - n, "%s%s", n > 0 ? ", " : "",
				lc_market_name((enum lc_market)market));
		}
	}
	return out;
}

void lc_watch_view_json(const struct lc_live_view *view, bool enabled, struct lc_buf *out)
{
	char markets[32];
	if (!enabled) {
		lc_buf_puts(out, ",\"liveness\":{\"enabled\":false}");
		return;
	}
	lc_buf_printf(out,
		",\"liveness\":{\"enabled\":true,\"socket\":\"%s\",\"subscription\":\"%s\","
		"\"stage\":\"%s\",\"silent_seconds\":%.1f,\"expected_seconds\":%.1f,"
		"\"expected_rate\":%.3f,\"symbols_learned\":%zu,\"symbols_silent\":%zu,"
		"\"markets_mute\":\"%s\"}",
		lc_live_socket_name(view->socket), lc_live_subscription_name(view->subscription),
		lc_live_stage_name(view->stage), seconds_of(view->silent_ns),
		seconds_of(view->expected_ns), view->rate, view->learned, view->silent,
		name_markets(view->mute, markets));
}

void lc_watch_view_trouble(const struct lc_live_view *view, char *out, size_t size)
{
	char markets[32];
	out[0] = '\0';
	if (view->stage != LC_STAGE_NONE) {
		snprintf(out, size, "%s: no data for %.1f s, at most %.1f s are ordinary (%s)",
			lc_live_subscription_name(view->subscription), seconds_of(view->silent_ns),
			seconds_of(view->expected_ns), lc_live_stage_name(view->stage));
	} else if (view->mute) {
		snprintf(out, size, "%s: mute while the feed's other markets are not",
			name_markets(view->mute, markets));
	} else if (view->silent > 0) {
		snprintf(out, size, "%zu symbols are silent while others are not", view->silent);
	}
}

void lc_watch_feed_gauges(struct lc_watch_feed *side, const struct lc_live_view *view)
{
	*side->verdict = view->subscription;
	*side->socket = view->socket;
	*side->silence = seconds_of(view->silent_ns);
	*side->expected = seconds_of(view->expected_ns);
	*side->silent = (double)view->silent;
	*side->mute_markets = __builtin_popcount(view->mute);
}

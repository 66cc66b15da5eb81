#include "manager/failover_priv.h"
#include "manager/gaps.h"

#include <stdio.h>
#include <string.h>

static const char *time_text(
	const struct lc_failover *failover, int64_t ns, char out[LC_TIME_TEXT_MAX + 1])
{
	const struct lc_message_context *context = &failover->manager->outbox.context;
	out[lc_time_format(ns, context->time_format, context->naive_zone, out)] = '\0';
	return out;
}

static const char *name_of(const struct lc_failover *failover, uint8_t index)
{
	return lc_failover_feed(failover, index)->impl->name;
}

/* --- a switch --- */

/* One switch, as it is told. */
struct tale {
	const char *from, *to, *example, *reason;
	char since[LC_TIME_TEXT_MAX + 1];
	bool returning;
};

static void begin_tale(
	const struct lc_failover *failover, uint8_t from, uint8_t to, struct tale *tale)
{
	const struct lc_failover_moved *moved = &failover->move.moved[from][to];
	bool failed = !lc_failover_good(failover, from);
	const struct lc_failover_side *side = &failover->sides[failed ? from : to];
	*tale = (struct tale){.from = name_of(failover, from),
		.to = name_of(failover, to),
		.reason = failed ? side->why : "the source before it in the route is good",
		.returning = !failed};
	if (moved->listed > 0) {
		tale->example = lc_symbols_get(failover->manager->symbols, moved->symbols[0])->text;
	}
	if (side->left_wall_ns > 0) {
		time_text(failover, side->left_wall_ns, tale->since);
	}
}

static void count_switch(
	const struct lc_failover *failover, const struct tale *tale, size_t symbols)
{
	struct lc_metrics *metrics = lc_loop_metrics(failover->manager->loop);
	char labels[160], a[72], b[72];
	lc_metrics_label(a, sizeof a, "from", tale->from);
	lc_metrics_label(b, sizeof b, "to", tale->to);
	snprintf(labels, sizeof labels, "%s,%s", a, b);
	++*lc_metrics_counter(metrics, "livecore_failover_switches_total", labels,
		"how often symbols went from one source to another");
	*lc_metrics_counter(metrics, "livecore_failover_symbols_total", labels,
		"symbols that went from one source to another") += symbols;
}

static void list_symbols(const struct lc_failover *failover, const struct lc_failover_moved *moved,
	size_t count, struct lc_buf *out)
{
	lc_buf_putc(out, '[');
	for (size_t i = 0; i < count; i++) {
		lc_buf_printf(out, "%s\"%s\"", i > 0 ? "," : "",
			lc_symbols_get(failover->manager->symbols, moved->symbols[moved->said + i])
				->text);
	}
	lc_buf_putc(out, ']');
}

/* Says the next piece, as long as an event of a gap at most. What could not be listed for want of
 * memory is in the first one's total. */
static void say_piece(
	struct lc_failover *failover, const struct tale *tale, struct lc_failover_moved *moved)
{
	size_t left = moved->listed - moved->said;
	size_t count = left < LC_GAPS_PIECE ? left : LC_GAPS_PIECE;
	struct lc_buf symbols;
	lc_buf_init(&symbols, LC_GAPS_MESSAGE_BYTES);
	list_symbols(failover, moved, count, &symbols);
	lc_event(&failover->manager->outbox, "failover", LC_S("from", tale->from),
		LC_S("to", tale->to), LC_U("count", count), LC_U("total", moved->count),
		LC_S("example", tale->example), LC_S("reason", tale->reason),
		LC_S("since", tale->since[0] ? tale->since : NULL),
		LC_B("returning", tale->returning), LC_J("symbols", lc_buf_text(&symbols)));
	lc_buf_finish(&symbols);
	moved->said = count > 0 ? moved->said + count : moved->count;
}

static void say_switch(struct lc_failover *failover, uint8_t from, uint8_t to)
{
	struct lc_failover_moved *moved = &failover->move.moved[from][to];
	struct tale tale;
	begin_tale(failover, from, to, &tale);
	if (moved->said == 0) {
		lc_log(failover->manager->log, tale.returning ? LC_LOG_INFO : LC_LOG_WARN,
			"failover", "switch", LC_S("from", tale.from), LC_S("to", tale.to),
			LC_U("symbols", moved->count), LC_S("example", tale.example),
			LC_S("reason", tale.reason));
		count_switch(failover, &tale, moved->count);
	}
	say_piece(failover, &tale, moved);
}

bool lc_failover_say_moved(struct lc_failover *failover)
{
	for (uint8_t from = 0; from < lc_failover_count(failover); from++) {
		for (uint8_t to = 0; to < lc_failover_count(failover); to++) {
			const struct lc_failover_moved *moved = &failover->move.moved[from][to];
			if (moved->said < moved->listed || (moved->count > 0 && moved->said == 0)) {
				say_switch(failover, from, to);
				return true;
			}
		}
	}
	return false;
}

/* --- no source left --- */

void lc_failover_say_alone(struct lc_failover *failover, uint8_t index)
{
	struct lc_failover_side *side = &failover->sides[index];
	struct lc_manager *manager = failover->manager;
	const char *name = lc_failover_feed(failover, index)->impl->name;
	bool alone = failover->move.stuck[index] > 0;
	if (alone == side->alone) {
		return;
	}
	side->alone = alone;
	lc_log(manager->log, alone ? LC_LOG_ERROR : LC_LOG_INFO, "failover",
		alone ? "no_source_left" : "source_found", LC_S("feeder", name),
		LC_U("symbols", failover->move.stuck[index]), LC_S("reason", side->why));
	lc_alert(&manager->outbox, alone ? "source_error" : "resolved",
		alone ? LC_SEVERITY_ERROR : LC_SEVERITY_INFO, LC_S("feeder", name),
		LC_S("resolves", alone ? NULL : "source_error"),
		LC_U("actual", failover->move.stuck[index]),
		LC_S("reason", alone ? "no source of another origin is left" : NULL),
		LC_S("cause", alone ? side->why : NULL));
}

/* --- what it says of itself --- */

static size_t count_active(const struct lc_manager *manager, uint8_t index)
{
	size_t count = lc_symbols_count(manager->symbols), active = 0;
	for (size_t symbol = 0; symbol < count; symbol++) {
		active += manager->feed_of[symbol] == index;
	}
	return active;
}

void lc_failover_status(const struct lc_feed *feed, struct lc_buf *out)
{
	const struct lc_failover *failover = feed->manager->failover;
	const struct lc_source *source = &failover->sources.items[feed->index];
	const struct lc_failover_side *side = &failover->sides[feed->index];
	char since[LC_TIME_TEXT_MAX + 1];
	lc_buf_printf(out,
		",\"source\":{\"origin\":\"%s\",\"state\":\"%s\",\"active\":%zu,\"times_left\":%"
		"llu",
		source->origin, lc_source_state_name(source->state),
		count_active(feed->manager, feed->index), (unsigned long long)source->times_left);
	if (source->state != LC_SOURCE_GOOD) {
		lc_buf_printf(out, ",\"since\":\"%s\",\"quarantine_seconds\":%lld,\"reason\":",
			time_text(failover, side->left_wall_ns, since),
			(long long)(source->quarantine_ns / LC_NS_PER_S));
		lc_buf_json_string(out, side->why, strlen(side->why));
	}
	lc_buf_putc(out, '}');
}

void lc_failover_gauges(struct lc_manager *manager)
{
	struct lc_metrics *metrics = lc_loop_metrics(manager->loop);
	for (uint8_t i = 0; i < lc_failover_count(manager->failover); i++) {
		char label[64];
		lc_metrics_label(label, sizeof label, "feeder", manager->feeds[i].impl->name);
		*lc_metrics_gauge(metrics, "livecore_feeder_source_state", label,
			"0 good, 1 left for another source, 2 healthy again and in quarantine") =
			manager->failover->sources.items[i].state;
		*lc_metrics_gauge(metrics, "livecore_feeder_symbols_active", label,
			"symbols whose ticks are taken from this feeder") = (double)
			count_active(manager, i);
	}
}

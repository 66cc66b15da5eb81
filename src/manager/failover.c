#include "manager/failover.h"

#include "livecore/sources.h"
#include "manager/manager_priv.h"
#include "manager/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 200
#define PROBES 8 /* symbols that a source which was left is still asked for */
/* A source is healthy while its probes give ticks at least so often. */
#define FRESH_NS (60 * LC_NS_PER_S)
/* A symbol that gives no tick on its new source is taken to be quiet. */
#define SETTLE_NS (10 * LC_NS_PER_S)
/* Ticks older than those published of the source before are waited out for so long. */
#define PATIENCE_NS (3 * LC_NS_PER_S)
#define SETTLED_A_LOOK 500
#define WORK_A_STEP 2000 /* symbols passed over in one slice; one that is judged counts as */
#define WORK_A_SYMBOL 10

/* Behind this position of a feed's queue stand ticks that must wait for those of another. */
struct gate {
	bool open;
	uint64_t from;
	bool waits[LC_FEEDS_MAX];
	uint64_t until[LC_FEEDS_MAX]; /* position of the other's queue */
};

/* What failover knows of a feed, beside its place among the sources. */
struct side {
	struct gate gate;
	uint32_t probes[PROBES];
	size_t n_probes;
	unsigned delayed; /* bits 1 << enum lc_market: it gave delayed prices */
	bool configured;  /* enabled, and complete in its settings */
	bool told;        /* lc_failover_recovered() */
	bool alone;       /* the alert that there is no other source was sent */
	bool was_ready;
	uint64_t ticks;   /* as of the last look */
	int64_t fresh_ns; /* when they rose last */
	int64_t begun_ns; /* when a symbol began to be followed here last */
	int64_t left_wall_ns;
	char why[200];
};

/* A pass over all symbols, in slices. */
struct move {
	struct lc_slice *slice;
	uint32_t next;
	bool again; /* something changed meanwhile */
	size_t moved[LC_FEEDS_MAX][LC_FEEDS_MAX];
	uint32_t example[LC_FEEDS_MAX][LC_FEEDS_MAX];
	size_t stuck[LC_FEEDS_MAX]; /* symbols that have no good source, by the one they are on */
};

struct lc_failover {
	struct lc_manager *manager; /* borrowed */
	struct lc_timer *timer;     /* while anything is not as it should be */
	struct lc_sources sources;  /* one a feed, same indices */
	struct side sides[LC_FEEDS_MAX];
	uint8_t *next_of; /* owned; by symbol: the feed that is to take over, or LC_NO_FEED */
	size_t pending;   /* symbols with one */
	struct move move;
};

static const struct lc_failover_config *config_of(const struct lc_manager *manager)
{
	return lc_config_section(manager->config, "failover");
}

static const struct lc_routing_config *routing_of(const struct lc_manager *manager)
{
	return lc_config_section(manager->config, "routing");
}

static struct lc_feed *feed_at(const struct lc_failover *failover, uint8_t index)
{
	return &failover->manager->feeds[index];
}

static bool is_good(const struct lc_failover *failover, uint8_t index)
{
	return failover->sources.items[index].state == LC_SOURCE_GOOD;
}

/* --- what may be used --- */

static bool configured(struct lc_feed *feed)
{
	return feed->enabled &&
	       feed->impl->usable(lc_supervisor_feeder(feed->supervisor), NULL) == LC_OK;
}

static bool stopped(const struct lc_feed *feed)
{
	return feed->held || (lc_supervisor_status(feed->supervisor).state == LC_FEED_STOPPED &&
				     !lc_supervisor_open(feed->supervisor));
}

static bool connected(const struct lc_feed *feed)
{
	return lc_supervisor_status(feed->supervisor).state == LC_FEED_CONNECTED;
}

static void look_at_feeds(struct lc_failover *failover)
{
	for (uint8_t i = 0; i < failover->sources.count; i++) {
		struct lc_feed *feed = feed_at(failover, i);
		failover->sides[i].configured = configured(feed);
		failover->sources.items[i].usable = failover->sides[i].configured && !stopped(feed);
		failover->sources.items[i].ready = connected(feed);
	}
}

static bool fushu_ready(const struct lc_failover *failover)
{
	struct lc_feed *fushu = lc_feeds_find(failover->manager, "fushu");
	return fushu && failover->sides[fushu->index].configured;
}

/* Leaves out what may not stand in: sources behind the first that give delayed prices. */
static size_t without_delayed(
	const struct lc_failover *failover, enum lc_market market, uint8_t *list, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		bool delayed = failover->sides[list[i]].delayed & 1u << market;
		if (i == 0 || !delayed || config_of(failover->manager)->allow_delayed) {
			list[kept++] = list[i];
		}
	}
	return kept;
}

/* Sources that the settings allow. */
static size_t count_configured(const struct lc_failover *failover, const uint8_t *list, size_t n)
{
	size_t count = 0;
	for (size_t i = 0; i < n; i++) {
		count += failover->sides[list[i]].configured;
	}
	return count;
}

/* The good source for a symbol; *n: how many its route has by the settings. */
static uint8_t pick(const struct lc_failover *failover, uint32_t symbol, uint8_t current,
	uint8_t *first, size_t *n)
{
	const struct lc_symbol *known = lc_symbols_get(failover->manager->symbols, symbol);
	uint8_t list[LC_ROUTE_SOURCES];
	*n = lc_route_sources(
		routing_of(failover->manager), known->text, fushu_ready(failover), list);
	*first = *n > 0 ? list[0] : LC_NO_FEED;
	size_t kept = without_delayed(failover, (enum lc_market)known->market, list, *n);
	*n = count_configured(failover, list, *n);
	return lc_sources_pick(&failover->sources, list, kept, current);
}

/* --- moving symbols --- */

static bool is_probe(const struct side *side, uint32_t symbol)
{
	for (size_t i = 0; i < side->n_probes; i++) {
		if (side->probes[i] == symbol) {
			return true;
		}
	}
	return false;
}

static void forget_probe(struct side *side, uint32_t symbol)
{
	for (size_t i = 0; i < side->n_probes; i++) {
		if (side->probes[i] == symbol) {
			side->probes[i] = side->probes[--side->n_probes];
			return;
		}
	}
}

/* A source that was left keeps a few symbols, whose ticks show when it works again. */
static void release(struct lc_failover *failover, uint8_t index, uint32_t symbol)
{
	struct side *side = &failover->sides[index];
	if (is_probe(side, symbol)) {
		return;
	}
	if (!is_good(failover, index) && side->n_probes < PROBES) {
		side->probes[side->n_probes++] = symbol;
		return;
	}
	lc_supervisor_leave(feed_at(failover, index)->supervisor, symbol);
}

static void drop_pending(struct lc_failover *failover, uint32_t symbol)
{
	uint8_t next = failover->next_of[symbol];
	if (next != LC_NO_FEED) {
		failover->next_of[symbol] = LC_NO_FEED;
		failover->pending--;
		release(failover, next, symbol);
	}
}

/* Does the feed's queue still wait for another's? */
static bool gate_is_open(struct lc_failover *failover, uint8_t index)
{
	struct gate *gate = &failover->sides[index].gate;
	for (uint8_t i = 0; gate->open && i < failover->sources.count; i++) {
		if (gate->waits[i] &&
			lc_queue_begin(feed_at(failover, i)->queue) < gate->until[i]) {
			return true;
		}
	}
	gate->open = false;
	return false;
}

/* Ticks of the new source wait for those of the old one that are queued already. */
static void close_behind(struct lc_failover *failover, uint8_t from, uint8_t to)
{
	struct gate *gate = &failover->sides[to].gate;
	uint64_t end = lc_queue_end(feed_at(failover, from)->queue);
	if (lc_queue_begin(feed_at(failover, from)->queue) >= end) {
		return;
	}
	if (!gate->open) {
		*gate = (struct gate){
			.open = true, .from = lc_queue_end(feed_at(failover, to)->queue)};
	}
	gate->waits[from] = true;
	gate->until[from] = end;
}

static void take_over(struct lc_failover *failover, uint32_t symbol)
{
	struct lc_manager *manager = failover->manager;
	uint8_t from = manager->feed_of[symbol], to = failover->next_of[symbol];
	close_behind(failover, from, to);
	failover->next_of[symbol] = LC_NO_FEED;
	failover->pending--;
	manager->feed_of[symbol] = to;
	forget_probe(&failover->sides[to], symbol);
	release(failover, from, symbol);
}

static bool begin(struct lc_failover *failover, uint32_t symbol, uint8_t to)
{
	struct lc_manager *manager = failover->manager;
	if (lc_supervisor_follow(feed_at(failover, to)->supervisor, symbol) != LC_OK) {
		lc_log(manager->log, LC_LOG_ERROR, "failover", "out_of_memory",
			LC_S("symbol", lc_symbols_get(manager->symbols, symbol)->text));
		return false;
	}
	failover->next_of[symbol] = to;
	failover->pending++;
	failover->sides[to].begun_ns = lc_loop_mono_ns(manager->loop);
	if (!is_good(failover, manager->feed_of[symbol])) {
		lc_bar_flow_lost(manager->bars, symbol);
	}
	return true;
}

/* Where should this symbol be, and is it on its way? */
static void judge(struct lc_failover *failover, uint32_t symbol)
{
	struct move *move = &failover->move;
	uint8_t active = failover->manager->feed_of[symbol], next = failover->next_of[symbol];
	uint8_t now = next != LC_NO_FEED ? next : active, first;
	size_t n;
	uint8_t want = pick(failover, symbol, now, &first, &n);
	if (want == LC_NO_FEED) {
		move->stuck[active] += n > 1;
		want = active;
	}
	if (want == now) {
		return;
	}
	drop_pending(failover, symbol);
	if (want != active && begin(failover, symbol, want)) {
		if (move->moved[active][want]++ == 0) {
			move->example[active][want] = symbol;
		}
	}
}

static bool on_move_step(void *arg)
{
	struct lc_failover *failover = arg;
	struct lc_manager *manager = failover->manager;
	size_t count = lc_symbols_count(manager->symbols);
	struct move *move = &failover->move;
	for (size_t work = 0; move->next < count && work < WORK_A_STEP; move->next++) {
		bool followed = manager->feed_of[move->next] != LC_NO_FEED;
		work += followed ? WORK_A_SYMBOL : 1;
		if (followed) {
			judge(failover, move->next);
		}
	}
	return move->next < count;
}

/* --- saying it --- */

static const char *time_text(
	const struct lc_failover *failover, int64_t ns, char out[LC_TIME_TEXT_MAX + 1])
{
	const struct lc_message_context *context = &failover->manager->outbox.context;
	out[lc_time_format(ns, context->time_format, context->naive_zone, out)] = '\0';
	return out;
}

static void count_switches(
	const struct lc_failover *failover, uint8_t from, uint8_t to, size_t symbols)
{
	struct lc_metrics *metrics = lc_loop_metrics(failover->manager->loop);
	char labels[160], a[72], b[72];
	lc_metrics_label(a, sizeof a, "from", feed_at(failover, from)->impl->name);
	lc_metrics_label(b, sizeof b, "to", feed_at(failover, to)->impl->name);
	snprintf(labels, sizeof labels, "%s,%s", a, b);
	++*lc_metrics_counter(metrics, "livecore_failover_switches_total", labels,
		"how often symbols went from one source to another");
	*lc_metrics_counter(metrics, "livecore_failover_symbols_total", labels,
		"symbols that went from one source to another") += symbols;
}

static void say_switch(struct lc_failover *failover, uint8_t from, uint8_t to)
{
	struct lc_manager *manager = failover->manager;
	const struct move *move = &failover->move;
	bool failed = !is_good(failover, from);
	const struct side *side = &failover->sides[failed ? from : to];
	const char *example = lc_symbols_get(manager->symbols, move->example[from][to])->text;
	const char *reason = failed ? side->why : "the source before it in the route is good";
	char since[LC_TIME_TEXT_MAX + 1] = "";
	if (side->left_wall_ns > 0) {
		time_text(failover, side->left_wall_ns, since);
	}
	const char *a = feed_at(failover, from)->impl->name, *b = feed_at(failover, to)->impl->name;
	lc_log(manager->log, failed ? LC_LOG_WARN : LC_LOG_INFO, "failover", "switch",
		LC_S("from", a), LC_S("to", b), LC_U("symbols", move->moved[from][to]),
		LC_S("example", example), LC_S("reason", reason));
	lc_event(&manager->outbox, "failover", LC_S("from", a), LC_S("to", b),
		LC_U("count", move->moved[from][to]), LC_S("example", example),
		LC_S("reason", reason), LC_S("since", since[0] ? since : NULL),
		LC_B("returning", !failed));
	count_switches(failover, from, to, move->moved[from][to]);
}

/* No source is left for some symbols of this feed, or there is one again. */
static void say_alone(struct lc_failover *failover, uint8_t index)
{
	struct side *side = &failover->sides[index];
	struct lc_manager *manager = failover->manager;
	const char *name = feed_at(failover, index)->impl->name;
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

static void move_all(struct lc_failover *failover);

static void drop_probes(struct lc_failover *failover, uint8_t index)
{
	struct side *side = &failover->sides[index];
	while (side->n_probes > 0) {
		uint32_t symbol = side->probes[--side->n_probes];
		if (failover->manager->feed_of[symbol] != index &&
			failover->next_of[symbol] != index) {
			lc_supervisor_leave(feed_at(failover, index)->supervisor, symbol);
		}
	}
}

static void on_move_done(void *arg)
{
	struct lc_failover *failover = arg;
	failover->move.slice = NULL;
	for (uint8_t from = 0; from < failover->sources.count; from++) {
		for (uint8_t to = 0; to < failover->sources.count; to++) {
			if (failover->move.moved[from][to] > 0) {
				say_switch(failover, from, to);
			}
		}
		say_alone(failover, from);
		if (is_good(failover, from)) {
			drop_probes(failover, from);
		}
	}
	if (failover->move.again) {
		move_all(failover);
	}
}

/* Looks at every symbol, from the next turn of the loop on. */
static void move_all(struct lc_failover *failover)
{
	struct move *move = &failover->move;
	if (move->slice) {
		move->again = true;
		return;
	}
	*move = (struct move){0};
	look_at_feeds(failover);
	/* Without memory for a slice the next look tries again. */
	move->again = lc_slice_start(failover->manager->loop, "failover", on_move_step,
			      on_move_done, failover, &move->slice) != LC_OK;
}

/* --- looking after it --- */

/* A source that was left is healthy again when it is connected and its probes give ticks. */
static void look_at_health(struct lc_failover *failover, uint8_t index, int64_t now_ns)
{
	struct side *side = &failover->sides[index];
	struct lc_feed *feed = feed_at(failover, index);
	if (*feed->ticks != side->ticks) {
		side->ticks = *feed->ticks;
		side->fresh_ns = now_ns;
	}
	bool fresh = side->told || (side->fresh_ns > 0 && now_ns - side->fresh_ns < FRESH_NS);
	lc_sources_health(&failover->sources, index, connected(feed) && fresh, now_ns);
}

/* Symbols that are quiet on their new source count as taken over when the old one fails: waiting
 * for it is no use. */
static void settle(struct lc_failover *failover, int64_t now_ns)
{
	size_t count = lc_symbols_count(failover->manager->symbols), done = 0;
	for (uint32_t symbol = 0; symbol < count && failover->pending > 0; symbol++) {
		uint8_t next = failover->next_of[symbol];
		if (next == LC_NO_FEED || is_good(failover, failover->manager->feed_of[symbol]) ||
			now_ns - failover->sides[next].begun_ns < SETTLE_NS) {
			continue;
		}
		const struct lc_supervisor *supervisor = feed_at(failover, next)->supervisor;
		if (lc_subscriptions_held(lc_supervisor_subscriptions(supervisor), symbol) &&
			!gate_is_open(failover, failover->manager->feed_of[symbol])) {
			take_over(failover, symbol);
			if (++done >= SETTLED_A_LOOK) {
				return;
			}
		}
	}
}

static void on_look(void *arg)
{
	struct lc_failover *failover = arg;
	int64_t now_ns = lc_loop_mono_ns(failover->manager->loop);
	bool changed = failover->move.again && !failover->move.slice;
	look_at_feeds(failover);
	for (uint8_t i = 0; i < failover->sources.count; i++) {
		struct side *side = &failover->sides[i];
		changed |= side->was_ready != failover->sources.items[i].ready;
		side->was_ready = failover->sources.items[i].ready;
		if (!is_good(failover, i)) {
			look_at_health(failover, i, now_ns);
		}
	}
	changed |= lc_sources_advance(&failover->sources, now_ns);
	if (changed) {
		move_all(failover);
	}
	settle(failover, now_ns);
	if (!lc_sources_troubled(&failover->sources) && failover->pending == 0 &&
		!failover->move.slice) {
		lc_timer_stop(failover->timer);
	}
}

static void look_after(struct lc_failover *failover)
{
	if (!lc_timer_active(failover->timer)) {
		lc_timer_start(failover->timer, LOOK_MS, LOOK_MS);
	}
}

/* --- what others call --- */

enum lc_err lc_failover_create(struct lc_manager *manager, struct lc_failover **out)
{
	const struct lc_symbols_config *symbols = lc_config_section(manager->config, "symbols");
	struct lc_failover *failover = calloc(1, sizeof *failover);
	if (!failover) {
		return LC_ERR_NOMEM;
	}
	failover->manager = manager;
	lc_sources_init(&failover->sources, 0, 0);
	for (size_t i = 0; i < manager->feed_count; i++) {
		lc_sources_add(&failover->sources, manager->feeds[i].impl->origin);
	}
	failover->next_of = malloc((size_t)symbols->max);
	if (!failover->next_of ||
		lc_timer_create(manager->loop, on_look, failover, &failover->timer) != LC_OK) {
		lc_failover_destroy(failover);
		return LC_ERR_NOMEM;
	}
	memset(failover->next_of, LC_NO_FEED, (size_t)symbols->max);
	lc_failover_configure(failover);
	*out = failover;
	return LC_OK;
}

void lc_failover_destroy(struct lc_failover *failover)
{
	if (!failover) {
		return;
	}
	lc_slice_cancel(failover->move.slice);
	lc_timer_destroy(failover->timer);
	free(failover->next_of);
	free(failover);
}

void lc_failover_configure(struct lc_failover *failover)
{
	const struct lc_failover_config *config = config_of(failover->manager);
	lc_sources_configure(&failover->sources, config->quarantine * LC_NS_PER_MS,
		config->quarantine_max * LC_NS_PER_MS);
	if (lc_sources_troubled(&failover->sources)) {
		move_all(failover);
	}
}

/* Does any route of this feed name a source beside it; does one name a source to go to? */
static bool has_other(struct lc_failover *failover, uint8_t index, bool *now)
{
	const struct lc_routing_config *routing = routing_of(failover->manager);
	uint8_t list[LC_ROUTE_SOURCES];
	bool other = false, ready = fushu_ready(failover);
	size_t n;
	*now = false;
	for (size_t i = 0; lc_route_at(routing, i, ready, list, &n); i++) {
		if (!memchr(list, index, n) || count_configured(failover, list, n) < 2) {
			continue;
		}
		uint8_t got = lc_sources_pick(&failover->sources, list, n, index);
		other = true;
		*now |= got != LC_NO_SOURCE && got != index;
	}
	return other;
}

bool lc_failover_leave(struct lc_feed *feed, const char *why)
{
	struct lc_failover *failover = feed->manager->failover;
	bool there_is = false;
	if (!failover || feed->manager->phase == LC_PHASE_STOPPING) {
		return false;
	}
	struct side *side = &failover->sides[feed->index];
	look_at_feeds(failover);
	if (!has_other(failover, feed->index, &there_is)) {
		return false;
	}
	int64_t now_ns = lc_loop_mono_ns(feed->manager->loop);
	bool was_good = is_good(failover, feed->index);
	if (lc_sources_leave(&failover->sources, feed->index, now_ns)) {
		side->told = false;
		side->fresh_ns = 0;
		side->ticks = *feed->ticks;
		side->left_wall_ns = was_good ? lc_loop_wall_ns(feed->manager->loop)
					      : side->left_wall_ns;
		snprintf(side->why, sizeof side->why, "%s", why);
		lc_log(feed->manager->log, LC_LOG_WARN, "failover", "left",
			LC_S("feeder", feed->impl->name), LC_S("reason", why));
		move_all(failover);
		look_after(failover);
		has_other(failover, feed->index, &there_is);
	}
	return there_is;
}

void lc_failover_recovered(struct lc_feed *feed)
{
	struct lc_failover *failover = feed->manager->failover;
	if (failover && !is_good(failover, feed->index)) {
		failover->sides[feed->index].told = true;
	}
}

void lc_failover_down(struct lc_feed *feed, const struct lc_down *why)
{
	bool trying = lc_supervisor_status(feed->supervisor).state == LC_FEED_RECONNECTING;
	if (trying && why->kind == LC_DOWN_WAIT && feed->manager->failover &&
		why->wait_ms > config_of(feed->manager)->ban_wait) {
		lc_failover_leave(feed, why->error.text);
	}
}

uint8_t lc_failover_source(struct lc_manager *manager, uint32_t symbol, uint8_t current)
{
	struct lc_failover *failover = manager->failover;
	uint8_t first;
	size_t n;
	look_at_feeds(failover);
	uint8_t got = pick(failover, symbol, current, &first, &n);
	return got != LC_NO_FEED ? got : first;
}

void lc_failover_forget(struct lc_manager *manager, uint32_t symbol)
{
	struct lc_failover *failover = manager->failover;
	drop_pending(failover, symbol);
	for (uint8_t i = 0; i < failover->sources.count; i++) {
		struct side *side = &failover->sides[i];
		if (is_probe(side, symbol)) {
			forget_probe(side, symbol);
			lc_supervisor_leave(feed_at(failover, i)->supervisor, symbol);
		}
	}
}

/* Delayed prices behind the first source of a route need leave. */
static bool refuse_delayed(
	struct lc_failover *failover, const struct lc_feed *feed, const struct lc_tick *tick)
{
	struct lc_manager *manager = failover->manager;
	unsigned bit = 1u << lc_symbols_get(manager->symbols, tick->symbol)->market;
	struct side *side = &failover->sides[feed->index];
	uint8_t list[LC_ROUTE_SOURCES];
	if (!tick->delayed) {
		side->delayed &= ~bit;
		return false;
	}
	bool known = side->delayed & bit;
	side->delayed |= bit;
	size_t n = lc_route_sources(routing_of(manager),
		lc_symbols_get(manager->symbols, tick->symbol)->text, fushu_ready(failover), list);
	if (config_of(manager)->allow_delayed || (n > 0 && list[0] == feed->index)) {
		return false;
	}
	if (!known) {
		lc_log(manager->log, LC_LOG_WARN, "failover", "delayed",
			LC_S("feeder", feed->impl->name),
			LC_S("todo",
				"to take its prices all the same, set failover.allow_delayed"));
	}
	move_all(failover);
	return true;
}

/* Never back in time, as long as waiting can mend that. */
static bool is_behind(struct lc_failover *failover, const struct lc_feed *feed,
	const struct lc_tick *tick, uint8_t active)
{
	int64_t waited_ns = tick->received_mono_ns - failover->sides[feed->index].begun_ns;
	int64_t newest_ns = lc_quality_newest(
		failover->manager->quality, tick->symbol, (enum lc_tick_kind)tick->kind);
	if (tick->event_ns >= newest_ns || tick->delayed) {
		return false;
	}
	return is_good(failover, active) ? waited_ns < SETTLE_NS : waited_ns < PATIENCE_NS;
}

bool lc_failover_takes(struct lc_feed *feed, const struct lc_tick *tick)
{
	struct lc_failover *failover = feed->manager->failover;
	uint8_t active = feed->manager->feed_of[tick->symbol];
	if (failover->next_of[tick->symbol] != feed->index ||
		gate_is_open(failover, active) || /* an order of three queues: after it */
		refuse_delayed(failover, feed, tick) || is_behind(failover, feed, tick, active)) {
		return false;
	}
	take_over(failover, tick->symbol);
	return true;
}

bool lc_failover_may_drain(const struct lc_feed *feed)
{
	struct lc_failover *failover = feed->manager->failover;
	const struct gate *gate = &failover->sides[feed->index].gate;
	return !gate->open || lc_queue_begin(feed->queue) < gate->from ||
	       !gate_is_open(failover, feed->index);
}

static bool held_by(const struct lc_failover *failover, uint8_t index, uint32_t symbol)
{
	if (index == LC_NO_FEED || !is_good(failover, index)) {
		return false;
	}
	const struct lc_feed *feed = feed_at(failover, index);
	return connected(feed) &&
	       lc_subscriptions_held(lc_supervisor_subscriptions(feed->supervisor), symbol);
}

bool lc_failover_watched(const struct lc_manager *manager, uint32_t symbol)
{
	return held_by(manager->failover, manager->feed_of[symbol], symbol) ||
	       held_by(manager->failover, manager->failover->next_of[symbol], symbol);
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
	const struct side *side = &failover->sides[feed->index];
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
	for (uint8_t i = 0; i < manager->feed_count; i++) {
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

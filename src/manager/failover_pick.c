#include "manager/failover_priv.h"
#include "manager/routes.h"

#include <string.h>

const struct lc_failover_config *lc_failover_config_of(const struct lc_manager *manager)
{
	return lc_config_section(manager->config, "failover");
}

static const struct lc_routing_config *routing_of(const struct lc_manager *manager)
{
	return lc_config_section(manager->config, "routing");
}

uint8_t lc_failover_count(const struct lc_failover *failover)
{
	return (uint8_t)failover->sources.count;
}

struct lc_feed *lc_failover_feed(const struct lc_failover *failover, uint8_t index)
{
	return &failover->manager->feeds[index];
}

bool lc_failover_good(const struct lc_failover *failover, uint8_t index)
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

bool lc_failover_connected(const struct lc_feed *feed)
{
	return lc_supervisor_status(feed->supervisor).state == LC_FEED_CONNECTED;
}

void lc_failover_look(struct lc_failover *failover)
{
	for (uint8_t i = 0; i < lc_failover_count(failover); i++) {
		struct lc_feed *feed = lc_failover_feed(failover, i);
		failover->sides[i].configured = configured(feed);
		failover->sources.items[i].usable = failover->sides[i].configured && !stopped(feed);
		failover->sources.items[i].ready = lc_failover_connected(feed);
	}
}

static bool fushu_ready(const struct lc_failover *failover)
{
	struct lc_feed *fushu = lc_feeds_find(failover->manager, "fushu");
	return fushu && failover->sides[fushu->index].configured;
}

bool lc_failover_stands_by(struct lc_feed *feed)
{
	struct lc_failover *failover = feed->manager->failover;
	lc_failover_look(failover);
	return lc_route_stands_by(routing_of(feed->manager), feed->index, fushu_ready(failover));
}

/* Leaves out what may not stand in: sources behind the first that give delayed prices. */
static size_t without_delayed(
	const struct lc_failover *failover, enum lc_market market, uint8_t *list, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		bool delayed = failover->sides[list[i]].delayed & 1u << market;
		if (i == 0 || !delayed || lc_failover_config_of(failover->manager)->allow_delayed) {
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

uint8_t lc_failover_pick(const struct lc_failover *failover, uint32_t symbol, uint8_t current,
	uint8_t *first, size_t *n)
{
	const struct lc_symbol *known = lc_symbols_get(failover->manager->symbols, symbol);
	uint8_t list[LC_ROUTE_SOURCES];
	*n = lc_route_sources(
		routing_of(failover->manager), known->text, fushu_ready(failover), list);
	*first = *n > 0 ? list[0] : LC_NO_FEED;
	size_t all = *n, kept;
	*n = count_configured(failover, list, all);
	kept = without_delayed(failover, (enum lc_market)known->market, list, all);
	return lc_sources_pick(&failover->sources, list, kept, current);
}

bool lc_failover_has_other(const struct lc_failover *failover, uint8_t index, bool *now)
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

bool lc_failover_refuses(
	struct lc_failover *failover, const struct lc_feed *feed, const struct lc_tick *tick)
{
	struct lc_manager *manager = failover->manager;
	unsigned bit = 1u << lc_symbols_get(manager->symbols, tick->symbol)->market;
	struct lc_failover_side *side = &failover->sides[feed->index];
	uint8_t list[LC_ROUTE_SOURCES];
	if (!tick->delayed) {
		side->delayed &= ~bit;
		return false;
	}
	bool known = side->delayed & bit;
	side->delayed |= bit;
	size_t n = lc_route_sources(routing_of(manager),
		lc_symbols_get(manager->symbols, tick->symbol)->text, fushu_ready(failover), list);
	if (lc_failover_config_of(manager)->allow_delayed || (n > 0 && list[0] == feed->index)) {
		return false;
	}
	if (!known) {
		lc_log(manager->log, LC_LOG_WARN, "failover", "delayed",
			LC_S("feeder", feed->impl->name),
			LC_S("todo",
				"to take its prices all the same, set failover.allow_delayed"));
	}
	lc_failover_move_all(failover);
	return true;
}

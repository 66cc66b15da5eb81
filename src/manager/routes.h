/* Which sources a symbol has, in order: the feeders that routing.routes names for it, or the
 * defaults. Pure; the routes are parsed at each look-up, a few hundred nanoseconds. */
#pragma once

#include "livecore/buf.h"
#include "manager/settings.h"

#define LC_ROUTE_SOURCES 8 /* at most, of one route */

/* Is it "PATTERN=FEEDER[,FEEDER…]", or "PATTERN=none"? For the settings' table. */
enum lc_err lc_route_check(const char *text, struct lc_error *err);
/* Is it the name of a feeder? */
enum lc_err lc_route_check_feeder(const char *text, struct lc_error *err);

/* Is the feeder among routing.feeders? */
bool lc_route_runs(const struct lc_routing_config *routing, const char *name);

/* The sources of a symbol as indices into lc_feeders; 0: nobody follows it. fushu_ready: FuShu's
 * URL is set; without it the default routes leave FuShu out. */
size_t lc_route_sources(const struct lc_routing_config *routing, const char *symbol,
	bool fushu_ready, uint8_t sources[LC_ROUTE_SOURCES]);

/* The sources of each route in turn, index from 0 on; false behind the last. */
bool lc_route_at(const struct lc_routing_config *routing, size_t index, bool fushu_ready,
	uint8_t sources[LC_ROUTE_SOURCES], size_t *count);

/* Does it stand only behind other sources that run? Then nothing is asked of it until they fail. */
bool lc_route_stands_by(const struct lc_routing_config *routing, size_t feeder, bool fushu_ready);

/* `livecore check`: a line for each route with its sources and their origins, and a warning where
 * they cannot stand in for each other. */
void lc_route_explain(
	const struct lc_routing_config *routing, bool fushu_ready, struct lc_buf *out);

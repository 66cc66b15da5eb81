#include "manager/routes.h"

#include "livecore/feeder.h"
#include "livecore/symbol.h"

#include <stdio.h>
#include <string.h>

#define PATTERN_MAX 64 /* of a route, with its NUL */
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What routes name when none are set. */
static const struct {
	const char *pattern, *sources;
} defaults[] = {
	{"*.SH", "eastmoney,tencent"},
	{"*.SZ", "eastmoney,tencent"},
	{"*.BJ", "eastmoney,tencent"},
	{"*.HK", "fushu,eastmoney,tencent"},
	{"*", "alpaca"},
};

/* One part of a list: its begin and length, without spaces around it; NULL at the end. */
static const char *next_name(const char **at, size_t *len)
{
	if (!*at) {
		return NULL;
	}
	const char *name = *at + strspn(*at, " "), *comma = strchr(name, ',');
	*len = comma ? (size_t)(comma - name) : strlen(name);
	while (*len > 0 && name[*len - 1] == ' ') {
		--*len;
	}
	*at = comma ? comma + 1 : NULL;
	return name;
}

static size_t find_feeder(const char *name, size_t len)
{
	size_t i = 0;
	while (lc_feeders[i] && (strlen(lc_feeders[i]->name) != len ||
					memcmp(lc_feeders[i]->name, name, len) != 0)) {
		i++;
	}
	return i;
}

static bool contains(const uint8_t *sources, size_t count, size_t feeder)
{
	return count > 0 && memchr(sources, (int)feeder, count) != NULL;
}

/* Names of feeders that there are not are passed over: the defaults may name such. */
static size_t read_sources(const char *text, bool fushu_ready, uint8_t sources[LC_ROUTE_SOURCES])
{
	size_t count = 0, len;
	const char *name;
	while ((name = next_name(&text, &len)) != NULL && count < LC_ROUTE_SOURCES) {
		size_t feeder = find_feeder(name, len);
		bool left_out = !fushu_ready && len == 5 && memcmp(name, "fushu", 5) == 0;
		if (lc_feeders[feeder] && !left_out && !contains(sources, count, feeder)) {
			sources[count++] = (uint8_t)feeder;
		}
	}
	return count;
}

static void feeder_names(struct lc_buf *out)
{
	for (size_t i = 0; lc_feeders[i]; i++) {
		lc_buf_printf(out, "%s%s",
			i == 0              ? ""
			: lc_feeders[i + 1] ? ", "
					    : " and ",
			lc_feeders[i]->name);
	}
}

static enum lc_err unknown_feeder(const char *name, size_t len, struct lc_error *err)
{
	struct lc_buf names;
	lc_buf_init(&names, 1024);
	feeder_names(&names);
	enum lc_err rc = lc_error_set(err, LC_ERR_INVALID,
		"there is no feeder \"%.*s\"; there are %s", (int)(len < 40 ? len : 40), name,
		lc_buf_text(&names));
	lc_buf_finish(&names);
	return rc;
}

static enum lc_err check_sources(const char *text, struct lc_error *err)
{
	uint8_t seen[LC_ROUTE_SOURCES];
	size_t count = 0, len;
	const char *name, *rest = text;
	while ((name = next_name(&rest, &len)) != NULL) {
		size_t feeder = find_feeder(name, len);
		if (!lc_feeders[feeder]) {
			return unknown_feeder(name, len, err);
		}
		if (contains(seen, count, feeder)) {
			return lc_error_set(err, LC_ERR_INVALID, "\"%s\" names %s twice", text,
				lc_feeders[feeder]->name);
		}
		if (count == LC_ROUTE_SOURCES) {
			return lc_error_set(err, LC_ERR_INVALID,
				"\"%s\" names more than %d feeders", text, LC_ROUTE_SOURCES);
		}
		seen[count++] = (uint8_t)feeder;
	}
	return LC_OK;
}

enum lc_err lc_route_check(const char *text, struct lc_error *err)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text || equals - text >= PATTERN_MAX) {
		return lc_error_set(err, LC_ERR_INVALID,
			"\"%s\" is no route: write PATTERN=FEEDER, for example *.SH=eastmoney, or "
			"\"*.SH=eastmoney,tencent\" in quotes for several sources",
			text);
	}
	return strcmp(equals + 1, "none") == 0 ? LC_OK : check_sources(equals + 1, err);
}

enum lc_err lc_route_check_feeder(const char *text, struct lc_error *err)
{
	size_t len = strlen(text);
	return lc_feeders[find_feeder(text, len)] ? LC_OK : unknown_feeder(text, len, err);
}

/* The text behind the equals sign of the route that matches, or NULL. */
static const char *match(const struct lc_routing_config *routing, const char *symbol)
{
	for (size_t i = 0; routing->routes.count == 0 && i < COUNT(defaults); i++) {
		if (lc_symbol_match(defaults[i].pattern, symbol)) {
			return defaults[i].sources;
		}
	}
	for (size_t i = 0; i < routing->routes.count; i++) {
		const char *route = routing->routes.items[i], *equals = strchr(route, '=');
		char pattern[PATTERN_MAX];
		snprintf(pattern, sizeof pattern, "%.*s", (int)(equals - route), route);
		if (lc_symbol_match(pattern, symbol)) {
			return equals + 1;
		}
	}
	return NULL;
}

size_t lc_route_sources(const struct lc_routing_config *routing, const char *symbol,
	bool fushu_ready, uint8_t sources[LC_ROUTE_SOURCES])
{
	const char *text = match(routing, symbol);
	/* A route that was written down means FuShu even without its URL: who wants the symbols is
	 * told why they do not come. */
	return text ? read_sources(text, fushu_ready || routing->routes.count > 0, sources) : 0;
}

bool lc_route_at(const struct lc_routing_config *routing, size_t index, bool fushu_ready,
	uint8_t sources[LC_ROUTE_SOURCES], size_t *count)
{
	bool given = routing->routes.count > 0;
	if (index >= (given ? routing->routes.count : COUNT(defaults))) {
		return false;
	}
	const char *text = given ? strchr(routing->routes.items[index], '=') + 1
				 : defaults[index].sources;
	*count = read_sources(text, fushu_ready || given, sources);
	return true;
}

bool lc_route_runs(const struct lc_routing_config *routing, const char *name)
{
	for (size_t i = 0; i < routing->feeders.count; i++) {
		if (strcmp(routing->feeders.items[i], name) == 0) {
			return true;
		}
	}
	return false;
}

bool lc_route_stands_by(const struct lc_routing_config *routing, size_t feeder, bool fushu_ready)
{
	uint8_t sources[LC_ROUTE_SOURCES];
	size_t count;
	bool behind = false;
	for (size_t i = 0; lc_route_at(routing, i, fushu_ready, sources, &count); i++) {
		size_t first = 0;
		while (first < count && !lc_route_runs(routing, lc_feeders[sources[first]]->name)) {
			first++;
		}
		if (first < count && sources[first] == feeder) {
			return false;
		}
		behind |= contains(sources, count, feeder);
	}
	return behind && lc_route_runs(routing, lc_feeders[feeder]->name);
}

/* --- livecore check --- */

static void explain_sources(const struct lc_routing_config *routing, const char *pattern,
	const uint8_t *sources, size_t count, struct lc_buf *out)
{
	bool other = false;
	lc_buf_printf(out, "route %s:", pattern);
	for (size_t i = 0; i < count; i++) {
		const struct lc_feeder_impl *impl = lc_feeders[sources[i]];
		lc_buf_printf(out, "%s %s (origin %s%s)", i > 0 ? ", then" : "", impl->name,
			impl->origin,
			lc_route_runs(routing, impl->name) ? "" : ", not among routing.feeders");
		other |= strcmp(impl->origin, lc_feeders[sources[0]]->origin) != 0;
	}
	lc_buf_puts(out, count == 0 ? " nobody\n" : "\n");
	if (count > 1 && !other) {
		lc_buf_printf(out,
			"warning: all sources of route %s are of the origin %s: none can stand in "
			"for another\n",
			pattern, lc_feeders[sources[0]]->origin);
	}
}

void lc_route_explain(const struct lc_routing_config *routing, bool fushu_ready, struct lc_buf *out)
{
	uint8_t sources[LC_ROUTE_SOURCES];
	size_t count;
	for (size_t i = 0; lc_route_at(routing, i, fushu_ready, sources, &count); i++) {
		bool given = routing->routes.count > 0;
		const char *route = given ? routing->routes.items[i] : defaults[i].pattern;
		char pattern[PATTERN_MAX];
		snprintf(pattern, sizeof pattern, "%.*s", (int)strcspn(route, "="), route);
		explain_sources(routing, pattern, sources, count, out);
	}
	for (size_t feeder = 0; lc_feeders[feeder]; feeder++) {
		if (lc_route_stands_by(routing, feeder, fushu_ready)) {
			lc_buf_printf(out,
				"%s stands by: nothing is asked of it until the sources before it "
				"fail\n",
				lc_feeders[feeder]->name);
		}
	}
}

#include "livecore/sources.h"

#include <assert.h>
#include <string.h>

const char *lc_source_state_name(enum lc_source_state state)
{
	static const char *const names[] = {"good", "left", "quarantine"};
	return names[state];
}

void lc_sources_init(struct lc_sources *sources, int64_t quarantine_ns, int64_t quarantine_max_ns)
{
	*sources = (struct lc_sources){0};
	lc_sources_configure(sources, quarantine_ns, quarantine_max_ns);
}

void lc_sources_configure(
	struct lc_sources *sources, int64_t quarantine_ns, int64_t quarantine_max_ns)
{
	sources->quarantine_ns = quarantine_ns;
	sources->quarantine_max_ns = quarantine_max_ns > quarantine_ns ? quarantine_max_ns
								       : quarantine_ns;
}

uint8_t lc_sources_add(struct lc_sources *sources, const char *origin)
{
	assert(sources->count < LC_SOURCES_MAX);
	sources->items[sources->count].origin = origin;
	return (uint8_t)sources->count++;
}

/* One that has just come back and fails again is to prove itself for longer. */
static int64_t next_quarantine(
	const struct lc_sources *sources, const struct lc_source *source, int64_t now_ns)
{
	bool flaps = source->times_left > 0 &&
		     now_ns - source->good_ns < sources->quarantine_max_ns;
	if (!flaps || source->quarantine_ns < sources->quarantine_ns) {
		return sources->quarantine_ns;
	}
	int64_t most = sources->quarantine_max_ns;
	return source->quarantine_ns > most / 2 ? most : source->quarantine_ns * 2;
}

bool lc_sources_leave(struct lc_sources *sources, uint8_t index, int64_t now_ns)
{
	struct lc_source *source = &sources->items[index];
	if (source->state == LC_SOURCE_LEFT) {
		return false;
	}
	if (source->state == LC_SOURCE_GOOD) {
		source->quarantine_ns = next_quarantine(sources, source, now_ns);
		source->times_left++;
	}
	source->state = LC_SOURCE_LEFT;
	return true;
}

void lc_sources_health(struct lc_sources *sources, uint8_t index, bool healthy, int64_t now_ns)
{
	struct lc_source *source = &sources->items[index];
	if (source->state == LC_SOURCE_LEFT && healthy) {
		source->state = LC_SOURCE_QUARANTINE;
		source->healthy_ns = now_ns;
	} else if (source->state == LC_SOURCE_QUARANTINE && !healthy) {
		source->state = LC_SOURCE_LEFT;
	}
}

bool lc_sources_advance(struct lc_sources *sources, int64_t now_ns)
{
	bool ended = false;
	for (size_t i = 0; i < sources->count; i++) {
		struct lc_source *source = &sources->items[i];
		if (source->state == LC_SOURCE_QUARANTINE &&
			now_ns - source->healthy_ns >= source->quarantine_ns) {
			source->state = LC_SOURCE_GOOD;
			source->good_ns = now_ns;
			ended = true;
		}
	}
	return ended;
}

bool lc_sources_troubled(const struct lc_sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		if (sources->items[i].state != LC_SOURCE_GOOD) {
			return true;
		}
	}
	return false;
}

static bool origin_fails(const struct lc_sources *sources, const char *origin)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct lc_source *source = &sources->items[i];
		if (source->state != LC_SOURCE_GOOD && strcmp(source->origin, origin) == 0) {
			return true;
		}
	}
	return false;
}

static bool good(const struct lc_sources *sources, uint8_t index)
{
	const struct lc_source *source = &sources->items[index];
	return source->usable && source->state == LC_SOURCE_GOOD &&
	       !origin_fails(sources, source->origin);
}

uint8_t lc_sources_pick(
	const struct lc_sources *sources, const uint8_t *list, size_t n, uint8_t current)
{
	uint8_t later = LC_NO_SOURCE;
	for (size_t i = 0; i < n; i++) {
		const struct lc_source *source = &sources->items[list[i]];
		bool quick = i == 0 || list[i] == current || source->ready;
		if (good(sources, list[i]) && quick) {
			return list[i];
		}
		if (good(sources, list[i]) && later == LC_NO_SOURCE) {
			later = list[i];
		}
	}
	for (size_t i = 0; i < n && later == LC_NO_SOURCE; i++) {
		const struct lc_source *source = &sources->items[list[i]];
		if (source->usable && source->state == LC_SOURCE_QUARANTINE) {
			later = list[i];
		}
	}
	return later;
}

/* Which of several sources of the same data is to be followed: the first in order that is good and
 * of whose origin (the vendor behind it) none fails. A source that failed comes back after a
 * quarantine of healthy time, which grows when it flaps. Pure; loop thread; takes monotonic time.
 * It never moves anything: it says what should be. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LC_SOURCES_MAX 16
#define LC_NO_SOURCE UINT8_MAX

enum lc_source_state {
	LC_SOURCE_GOOD,
	LC_SOURCE_LEFT,       /* it failed, and is not healthy yet */
	LC_SOURCE_QUARANTINE, /* healthy again, not for long enough */
};
const char *lc_source_state_name(enum lc_source_state state); /* "good", "left", "quarantine" */

struct lc_source {
	const char *origin; /* borrowed */
	enum lc_source_state state;
	bool usable;           /* it may be used at all: enabled, configured, not stopped */
	bool ready;            /* its session is open: using it takes no time */
	int64_t healthy_ns;    /* in quarantine: healthy since */
	int64_t good_ns;       /* when its last quarantine ended */
	int64_t quarantine_ns; /* how long this one or the last one is; 0: it never failed */
	uint64_t times_left;
};

struct lc_sources {
	struct lc_source items[LC_SOURCES_MAX];
	size_t count;
	int64_t quarantine_ns, quarantine_max_ns;
};

/* A source that fails again within quarantine_max_ns of its return waits twice as long as before,
 * at most quarantine_max_ns. */
void lc_sources_init(struct lc_sources *sources, int64_t quarantine_ns, int64_t quarantine_max_ns);
/* The same on reload; quarantines under way keep their length. */
void lc_sources_configure(
	struct lc_sources *sources, int64_t quarantine_ns, int64_t quarantine_max_ns);
/* Adds a source, good and neither usable nor ready; returns its index. At most LC_SOURCES_MAX. */
uint8_t lc_sources_add(struct lc_sources *sources, const char *origin);

/* It failed. False: that is known already. */
bool lc_sources_leave(struct lc_sources *sources, uint8_t source, int64_t now_ns);
/* Of a source that was left: does it work now? It begins or breaks off the quarantine. */
void lc_sources_health(struct lc_sources *sources, uint8_t source, bool healthy, int64_t now_ns);
/* Ends the quarantines that are over; true when one ended: what lc_sources_pick() says may have
 * changed. */
bool lc_sources_advance(struct lc_sources *sources, int64_t now_ns);
/* Is any source not good? */
bool lc_sources_troubled(const struct lc_sources *sources);

/* The source to be followed out of n in their order: good and of a good origin, one that is ready
 * (or first, or `current`) before one that is not; else one in quarantine; LC_NO_SOURCE when there
 * is none. */
uint8_t lc_sources_pick(
	const struct lc_sources *sources, const uint8_t *list, size_t n, uint8_t current);

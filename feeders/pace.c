#include "pace.h"

#include "livecore/clock.h"

void lc_pace_use(struct lc_pace *pace, int64_t interval_ms, int64_t now_ns)
{
	int64_t from_ns = pace->next_ns > now_ns ? pace->next_ns : now_ns;
	pace->next_ns = from_ns + interval_ms * LC_NS_PER_MS;
}

int64_t lc_pace_next(struct lc_pace *pace, int64_t interval_ms, bool urgent, int64_t now_ns)
{
	int64_t interval_ns = interval_ms * LC_NS_PER_MS;
	if (pace->next_ns > now_ns + 2 * interval_ns) {
		pace->next_ns = now_ns + interval_ns; /* the setting became shorter */
	}
	if (!urgent || pace->next_ns == INT64_MIN) {
		return pace->next_ns;
	}
	return pace->next_ns - interval_ns / 4 * 3;
}

#include "livecore/tick.h"

const char *lc_tick_kind_name(enum lc_tick_kind kind)
{
	static const char *const names[] = {
		"trade", "quote", "snapshot", "correction", "cancel", "status"};
	return (unsigned)kind < LC_TICK_KINDS ? names[kind] : "unknown";
}

/* What a vendor sent and nobody could read: counted by the feeder's reason, and said once a minute
 * and reason with an example. Loop thread. It never judges, and never ends a session. */
#pragma once

#include "livecore/log.h"
#include "livecore/metrics.h"

/* Kinds of bad input that one feeder tells apart; more count as the last. */
#define LC_BAD_REASONS 12
#define LC_BAD_EXAMPLE 160

struct lc_bad_reason {
	const char *name; /* static */
	uint64_t *count;
	uint64_t unsaid;
	int64_t next_ns; /* monotonic; no line before it */
	char example[LC_BAD_EXAMPLE + 1];
};

struct lc_bad_input {
	struct lc_metrics *metrics; /* borrowed */
	struct lc_log *log;         /* borrowed */
	const char *feeder;         /* static */
	uint64_t total;
	struct lc_bad_reason reasons[LC_BAD_REASONS];
	size_t count;
};

/* Makes the series of the reason that every feeder knows ("malformed"), so that it is there before
 * it rises. */
void lc_bad_input_init(struct lc_bad_input *bad, struct lc_metrics *metrics, struct lc_log *log,
	const char *feeder);
/* reason is a static string; sample is copied, cut. */
void lc_bad_input_add(struct lc_bad_input *bad, const char *reason, const char *sample, size_t len,
	int64_t now_ns);
/* Says what was counted since a reason's last line, when its minute is over. */
void lc_bad_input_say(struct lc_bad_input *bad, int64_t now_ns);

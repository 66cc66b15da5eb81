/* Records that Kafka refused for good: counted, and said once a minute and topic with the newest
 * reason and what to do about it. Loop thread. It never holds a record back: what is refused is a gap
 * (gaps.h), and this is for the person who can mend the topic. */
#pragma once

#include "livecore/journal.h"
#include "livecore/kafka.h"
#include "livecore/log.h"

#define LC_REFUSAL_REASON 160
#define LC_REFUSALS_TEXT 640 /* a topic's name, a reason and an advice */

struct lc_refused_topic {
	uint64_t unsaid;
	int64_t next_ns; /* monotonic; no line before it */
	int64_t last_ns; /* monotonic, of the newest refusal; 0: never */
	enum lc_err code;
	char reason[LC_REFUSAL_REASON];
};

struct lc_refusals {
	struct lc_log *log;                    /* borrowed */
	const struct lc_topics_config *topics; /* borrowed */
	uint64_t total;
	struct lc_refused_topic of[LC_TOPICS_OUT];
};

void lc_refusals_init(
	struct lc_refusals *refusals, struct lc_log *log, const struct lc_topics_config *topics);
/* why is Kafka's text, copied, cut. */
void lc_refusals_add(struct lc_refusals *refusals, const struct lc_record *record, enum lc_err code,
	const char *why, int64_t now_ns);
/* Says what was counted since a topic's last line, when its minute is over. */
void lc_refusals_say(struct lc_refusals *refusals, int64_t now_ns);
/* Which topic refuses, why, and what to do; "" when none did for half a minute. */
void lc_refusals_trouble(
	const struct lc_refusals *refusals, int64_t now_ns, char *out, size_t size);

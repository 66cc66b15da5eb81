#include "manager/refusals.h"

#include "livecore/clock.h"

#include <stdio.h>

#define SAY_EVERY_NS (60 * LC_NS_PER_S)
#define TROUBLE_NS (30 * LC_NS_PER_S)

static const char *topic_name(const struct lc_refusals *refusals, size_t topic)
{
	return lc_kafka_topic_name(refusals->topics, (enum lc_topic)topic);
}

static void say(struct lc_refusals *refusals, size_t topic, int64_t now_ns)
{
	struct lc_refused_topic *refused = &refusals->of[topic];
	if (refused->unsaid == 0 || now_ns < refused->next_ns) {
		return;
	}
	lc_log(refusals->log, LC_LOG_ERROR, "kafka", "records_refused",
		LC_S("topic", topic_name(refusals, topic)), LC_U("count", refused->unsaid),
		LC_S("reason", refused->reason), LC_S("advice", lc_kafka_advice(refused->code)));
	refused->unsaid = 0;
	refused->next_ns = now_ns + SAY_EVERY_NS;
}

void lc_refusals_init(
	struct lc_refusals *refusals, struct lc_log *log, const struct lc_topics_config *topics)
{
	*refusals = (struct lc_refusals){.log = log, .topics = topics};
	for (size_t i = 0; i < LC_TOPICS_OUT; i++) {
		refusals->of[i].next_ns = INT64_MIN;
	}
}

void lc_refusals_add(struct lc_refusals *refusals, const struct lc_record *record, enum lc_err code,
	const char *why, int64_t now_ns)
{
	struct lc_refused_topic *refused = &refusals->of[record->topic];
	refusals->total++;
	refused->unsaid++;
	refused->last_ns = now_ns;
	refused->code = code;
	snprintf(refused->reason, sizeof refused->reason, "%s", why);
	say(refusals, record->topic, now_ns);
}

void lc_refusals_say(struct lc_refusals *refusals, int64_t now_ns)
{
	for (size_t i = 0; i < LC_TOPICS_OUT; i++) {
		say(refusals, i, now_ns);
	}
}

void lc_refusals_trouble(const struct lc_refusals *refusals, int64_t now_ns, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < LC_TOPICS_OUT && out[0] == '\0'; i++) {
		const struct lc_refused_topic *refused = &refusals->of[i];
		if (refused->last_ns != 0 && now_ns - refused->last_ns < TROUBLE_NS) {
			char why[512];
			lc_kafka_explain(refused->code, refused->reason, why, sizeof why);
			snprintf(out, size, "%s refuses records: %s", topic_name(refusals, i), why);
		}
	}
}

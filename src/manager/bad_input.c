#include "manager/bad_input.h"

#include "livecore/clock.h"

#include <stdio.h>
#include <string.h>

#define SAY_EVERY_NS (60 * LC_NS_PER_S)

static struct lc_bad_reason *find(struct lc_bad_input *bad, const char *name)
{
	for (size_t i = 0; i < bad->count; i++) {
		if (strcmp(bad->reasons[i].name, name) == 0) {
			return &bad->reasons[i];
		}
	}
	if (bad->count == LC_BAD_REASONS) {
		return &bad->reasons[LC_BAD_REASONS - 1];
	}
	char feeder[64], reason[64], labels[160];
	struct lc_bad_reason *made = &bad->reasons[bad->count++];
	lc_metrics_label(feeder, sizeof feeder, "feeder", bad->feeder);
	lc_metrics_label(reason, sizeof reason, "reason", name);
	snprintf(labels, sizeof labels, "%s,%s", feeder, reason);
	*made = (struct lc_bad_reason){.name = name, .next_ns = INT64_MIN};
	made->count = lc_metrics_counter(bad->metrics, "livecore_feeder_bad_input_total", labels,
		"messages or parts of them that could not be read, by reason");
	return made;
}

static void say(struct lc_bad_input *bad, struct lc_bad_reason *reason, int64_t now_ns)
{
	if (reason->unsaid == 0 || now_ns < reason->next_ns) {
		return;
	}
	lc_log(bad->log, LC_LOG_WARN, "feeder", "bad_input", LC_S("feeder", bad->feeder),
		LC_S("reason", reason->name), LC_U("count", reason->unsaid),
		LC_S("example", reason->example));
	reason->unsaid = 0;
	reason->next_ns = now_ns + SAY_EVERY_NS;
}

void lc_bad_input_init(struct lc_bad_input *bad, struct lc_metrics *metrics, struct lc_log *log,
	const char *feeder)
{
	*bad = (struct lc_bad_input){.metrics = metrics, .log = log, .feeder = feeder};
	find(bad, "malformed");
}

void lc_bad_input_add(struct lc_bad_input *bad, const char *reason, const char *sample, size_t len,
	int64_t now_ns)
{
	struct lc_bad_reason *known = find(bad, reason);
	size_t cut = !sample ? 0 : len < LC_BAD_EXAMPLE ? len : LC_BAD_EXAMPLE;
	bad->total++;
	++*known->count;
	known->unsaid++;
	memcpy(known->example, sample ? sample : "", cut);
	known->example[cut] = '\0';
	say(bad, known, now_ns);
}

void lc_bad_input_say(struct lc_bad_input *bad, int64_t now_ns)
{
	for (size_t i = 0; i < bad->count; i++) {
		say(bad, &bad->reasons[i], now_ns);
	}
}

/* Cron expressions: whatever parses has a next time that lies ahead and matches, or none. */
#include "../lib/cron_matches.h"
#include "livecore/clock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct lc_cron *cron)
{
	int64_t at = INT64_C(1709164799) * LC_NS_PER_S; /* the second before 29 February 2024 */
	for (int i = 0; i < 4; i++) {
		int64_t next;
		if (lc_cron_next(cron, NULL, at, &next) != LC_OK) {
			return;
		}
		struct lc_civil civil = lc_civil_from_ns(NULL, next);
		if (next <= at || !cron_matches(cron, &civil)) {
			abort();
		}
		at = next;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[512];
	if (size >= sizeof text) {
		return 0;
	}
	memcpy(text, data, size);
	text[size] = '\0';
	for (int rules = LC_CRON_RULES; rules <= LC_CRON_MONDAY_RULES; rules++) {
		struct lc_cron cron;
		struct lc_error err;
		if (lc_cron_parse(text, (enum lc_cron_rules)rules, &cron, &err) == LC_OK) {
			walk(&cron);
		}
	}
	return 0;
}

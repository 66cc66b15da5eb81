/* Answers questions about cron expressions, for cron_test.py: a line "cron|monday TAB zone TAB
 * seconds since 1970 TAB expression" on stdin gives a line with the next five times in seconds, or
 * "invalid". */
#include "livecore/clock.h"
#include "livecore/cron.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMES = 5 };

static void answer(const char *rules, const char *zone_name, const char *after, const char *text)
{
	struct lc_zone *zone = NULL;
	struct lc_cron cron;
	struct lc_error err;
	int64_t at_ns = strtoll(after, NULL, 10) * LC_NS_PER_S;
	enum lc_cron_rules kind = strcmp(rules, "monday") == 0 ? LC_CRON_MONDAY_RULES
							       : LC_CRON_RULES;
	if (lc_zone_load(zone_name, &zone, &err) != LC_OK ||
		lc_cron_parse(text, kind, &cron, &err) != LC_OK) {
		printf("invalid: %s\n", err.text);
		lc_zone_destroy(zone);
		return;
	}
	for (int i = 0; i < TIMES && lc_cron_next(&cron, zone, at_ns, &at_ns) == LC_OK; i++) {
		printf("%s%" PRId64, i ? " " : "", at_ns / LC_NS_PER_S);
	}
	putchar('\n');
	lc_zone_destroy(zone);
}

int main(void)
{
	char line[1024];
	while (fgets(line, sizeof line, stdin)) {
		char *save, *fields[4];
		size_t count = 0;
		line[strcspn(line, "\n")] = '\0';
		for (char *at = strtok_r(line, "\t", &save); at && count < 4;
			at = strtok_r(NULL, "\t", &save)) {
			fields[count++] = at;
		}
		if (count != 4) {
			return 1;
		}
		answer(fields[0], fields[1], fields[2], fields[3]);
	}
	return 0;
}

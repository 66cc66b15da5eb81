#include "kafka_version.h"

#include <stdio.h>
#include <string.h>

enum { API_PRODUCE, API_FETCH }; /* Kafka's numbers */

/* The first release that took this Produce and this Fetch, newest first (Kafka's own
 * ProduceRequest.json and FetchRequest.json name the KIP that raised each). */
static const struct release {
	const char *name;
	int produce, fetch;
} releases[] = {{"4.1", 13, 18}, {"4.0", 12, 17}, {"3.9", 11, 17}, {"3.8", 11, 16}, {"3.7", 10, 16},
	{"3.5", 9, 15}, {"3.1", 9, 13}, {"2.8", 9, 12}, {"2.4", 8, 11}, {"2.3", 7, 11},
	{"2.1", 7, 10}, {"1.1", 5, 7}, {"0.11", 3, 5}};

void kafka_version_note(struct kafka_version *version, const char *line)
{
	int api, low, high;
	const char *at = strstr(line, "ApiKey ");
	const char *number = at ? strchr(at, '(') : NULL;
	if (!number || sscanf(number, "(%d) Versions %d..%d", &api, &low, &high) != 3) {
		return;
	}
	if (api == API_PRODUCE) {
		version->produce = high;
	} else if (api == API_FETCH) {
		version->fetch = high;
	}
}

void kafka_version_text(const struct kafka_version *version, char *out, size_t size)
{
	if (version->produce < 0 || version->fetch < 0) {
		snprintf(out, size, "it did not say what it can do");
		return;
	}
	const char *name = "before 0.11";
	for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
		if (version->produce >= releases[i].produce &&
			version->fetch >= releases[i].fetch) {
			name = releases[i].name;
			break;
		}
	}
	snprintf(out, size, "it speaks the protocol of Kafka %s (Produce %d, Fetch %d)", name,
		version->produce, version->fetch);
}

/* What a broker is, by what it says it can do. Kafka's protocol tells no version number: a broker
 * lists the requests that it takes with their versions, and each release of Apache Kafka raised
 * some of them. librdkafka says the list in its log (debug=feature) and nowhere else. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct kafka_version {
	int produce, fetch; /* highest version taken; -1: not heard */
};

/* One line of librdkafka's log; lines about other things change nothing. */
void kafka_version_note(struct kafka_version *version, const char *line);
/* "speaks the protocol of Kafka 3.9 (Produce 11, Fetch 17)", or that nothing is known. */
void kafka_version_text(const struct kafka_version *version, char *out, size_t size);

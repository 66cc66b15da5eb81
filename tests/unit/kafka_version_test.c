#include "bus/kafka_version.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "[thrd:127.0.0.1:9092/bootstrap]: 127.0.0.1:9092/bootstrap:   ";

static void hear(struct kafka_version *version, const char *what)
{
	char line[256];
	snprintf(line, sizeof line, "%s%s", prefix, what);
	kafka_version_note(version, line);
}

/* As Kafka 3.9.1 was heard. */
Test(kafka_version, by_what_it_takes)
{
	struct kafka_version version = {-1, -1};
	char text[128];
	kafka_version_text(&version, text, sizeof text);
	cr_assert(strstr(text, "did not say"), "%s", text);
	hear(&version, "Broker API support:");
	hear(&version, "ApiKey Produce (0) Versions 0..11");
	hear(&version, "ApiKey Fetch (1) Versions 0..17");
	hear(&version, "ApiKey Unknown-60? (60) Versions 0..1");
	hear(&version, "Feature MsgVer2: Produce (3..3) supported by broker");
	kafka_version_text(&version, text, sizeof text);
	cr_assert_str_eq(text, "it speaks the protocol of Kafka 3.9 (Produce 11, Fetch 17)");
}

Test(kafka_version, each_release_and_none)
{
	static const struct {
		int produce, fetch;
		const char *name;
	} cases[] = {{13, 18, "4.1"}, {20, 30, "4.1"}, {12, 17, "4.0"}, {11, 16, "3.8"},
		{10, 16, "3.7"}, {9, 15, "3.5"}, {9, 14, "3.1"}, {9, 12, "2.8"}, {9, 11, "2.4"},
		{7, 11, "2.3"}, {7, 10, "2.1"}, {3, 5, "0.11"}, {2, 5, "before 0.11"},
		{0, 0, "before 0.11"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct kafka_version version = {cases[i].produce, cases[i].fetch};
		char text[128], wanted[64];
		kafka_version_text(&version, text, sizeof text);
		snprintf(wanted, sizeof wanted, "Kafka %s (", cases[i].name);
		cr_assert(strstr(text, wanted), "%s", text);
	}
}

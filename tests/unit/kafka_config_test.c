#include "livecore/kafka.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* What the table says of a property, "name=value". */
static enum lc_err check(const char *property, struct lc_error *err)
{
	const struct lc_setting *setting = lc_kafka_section.settings;
	while (strcmp(setting->key, "properties") != 0) {
		setting++;
	}
	return setting->check(property, err);
}

Test(kafka_config, what_would_break_a_promise_is_refused_with_a_reason)
{
	static const char *const refused[][2] = {{"enable.idempotence", "repeat"},
		{"acks", "in-sync"}, {"request.required.acks", "in-sync"},
		{"message.timeout.ms", "never given up"}, {"delivery.timeout.ms", "never given up"},
		{"partitioner", "order per symbol"}, {"max.in.flight", "reorder"},
		{"max.in.flight.requests.per.connection", "reorder"},
		{"enable.gapless.guarantee", "stop all others"},
		{"bootstrap.servers", "kafka.brokers"}, {"linger.ms", "kafka.linger"},
		{"sasl.password", "kafka.password"}, {"enable.auto.commit", "after the work"},
		{"auto.offset.reset", "contract"}, {"delivery.report.only.error", "reported"}};
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		char property[80];
		struct lc_error err;
		snprintf(property, sizeof property, "%s=1", refused[i][0]);
		cr_assert_eq(check(property, &err), LC_ERR_INVALID, "%s", property);
		cr_assert(strstr(err.text, refused[i][0]) && strstr(err.text, refused[i][1]),
			"%s: %s", property, err.text);
	}
	struct lc_error err;
	cr_assert_eq(check("acks", &err), LC_ERR_INVALID, "without a value as well");
}

Test(kafka_config, librdkafka_knows_it_and_its_files_are_there)
{
	static const char *const right[] = {"security.protocol=sasl_ssl", "socket.timeout.ms=1000",
		"ssl.ca.location=/etc/passwd", "ssl.ca.location=/etc", "ssl.ca.location=probe"};
	static const char *const wrong[][2] = {{"no.such.property=1", "no.such.property"},
		{"socket.timeout.ms=many", "socket.timeout.ms"}, {"acksomething=1", "acksomething"},
		{"ssl.ca.location=/nonexistent/ca.pem", "/nonexistent/ca.pem"},
		{"ssl.key.location=/nonexistent/key.pem", "ssl.key.location"}};
	struct lc_error err;
	for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
		cr_assert_eq(check(right[i], &err), LC_OK, "%s: %s", right[i], err.text);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		cr_assert_eq(check(wrong[i][0], &err), LC_ERR_INVALID, "%s", wrong[i][0]);
		cr_assert_not_null(strstr(err.text, wrong[i][1]), "%s", err.text);
	}
}

Test(kafka_config, names_of_topics)
{
	char names[7][8] = {"m", "cn", "hk", "us", "b", "e", "n"};
	struct lc_topics_config topics = {.market_data = names[0],
		.market_data_cn = names[1],
		.market_data_hk = names[2],
		.market_data_us = names[3],
		.bars = names[4],
		.events = names[5],
		.notifications = names[6]};
	for (int i = 0; i < LC_TOPICS_OUT; i++) {
		cr_assert_str_eq(lc_kafka_topic_name(&topics, (enum lc_topic)i), names[i]);
	}
	cr_assert_eq(lc_topics_section.count, 10);
	struct lc_error err;
	for (size_t i = 0; i < lc_topics_section.count; i++) {
		const struct lc_setting *setting = &lc_topics_section.settings[i];
		cr_assert_eq(setting->check(setting->fallback, &err), LC_OK);
		cr_assert_eq(setting->check("", &err), LC_ERR_INVALID);
		cr_assert_eq(setting->check("with space", &err), LC_ERR_INVALID);
		cr_assert_eq(setting->check("..", &err), LC_ERR_INVALID);
	}
	cr_assert_not_null(strchr(lc_kafka_library_version(), '.'));
}

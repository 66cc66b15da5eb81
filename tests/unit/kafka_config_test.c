#include "livecore/kafka.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static char empty[1], brokers[] = "127.0.0.1:1", client[] = "test";

static struct lc_kafka_config settings(struct lc_pair *pairs, size_t count)
{
	return (struct lc_kafka_config){.brokers = brokers,
		.client_id = client,
		.username = empty,
		.password = empty,
		.in_flight_bytes = 32 << 20,
		.buffer_bytes = 64 << 20,
		.properties = {pairs, count}};
}

/* The text of the problems with these properties. */
static const char *problems_of(const struct lc_kafka_config *config, enum lc_err expected)
{
	static char text[4096];
	struct lc_buf buf;
	lc_buf_init(&buf, sizeof text);
	cr_assert_eq(lc_kafka_check(config, &buf), expected, "%s", lc_buf_text(&buf));
	snprintf(text, sizeof text, "%s", lc_buf_text(&buf));
	lc_buf_finish(&buf);
	return text;
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
		char name[64], value[] = "1";
		strcpy(name, refused[i][0]);
		struct lc_pair pair = {name, value};
		struct lc_kafka_config config = settings(&pair, 1);
		const char *text = problems_of(&config, LC_ERR_INVALID);
		cr_assert(strstr(text, name) && strstr(text, refused[i][1]), "%s: %s", name, text);
	}
}

Test(kafka_config, the_table_itself_refuses_them_too)
{
	for (size_t i = 0; i < lc_kafka_section.count; i++) {
		const struct lc_setting *setting = &lc_kafka_section.settings[i];
		cr_assert(setting->help && *setting->help);
		if (strcmp(setting->key, "properties")) {
			continue;
		}
		struct lc_error err;
		cr_assert_eq(setting->check("acks=1", &err), LC_ERR_INVALID);
		cr_assert_eq(setting->check("acks", &err), LC_ERR_INVALID);
		cr_assert_eq(setting->check("acksomething=1", &err), LC_ERR_INVALID);
		cr_assert_eq(setting->check("socket.timeout.ms=1000", &err), LC_OK);
		cr_assert_eq(setting->check("ssl.ca.location=/x", &err), LC_OK);
	}
}

Test(kafka_config, every_problem_is_named)
{
	char a[] = "security.protocol", a_value[] = "sasl_ssl", b[] = "no.such.property",
	     c[] = "socket.timeout.ms", word[] = "many", d[] = "acks";
	struct lc_pair good[] = {{a, a_value}};
	struct lc_kafka_config config = settings(good, 1);
	cr_assert_str_eq(problems_of(&config, LC_OK), "");
	struct lc_pair bad[] = {{a, a_value}, {b, word}, {c, word}, {d, word}};
	config = settings(bad, 4);
	config.buffer_bytes = 1 << 20;
	config.username = client;
	const char *text = problems_of(&config, LC_ERR_INVALID);
	cr_assert(strstr(text, b) && strstr(text, c) && strstr(text, d), "%s", text);
	cr_assert(strstr(text, "kafka.buffer") && strstr(text, "kafka.username"), "%s", text);
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

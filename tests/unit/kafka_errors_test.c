#include "bus/bus_priv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char refused[] = "127.0.0.1:1/1: Connect failed: Connection refused",
		  login[] = "Authentication failed";

Test(kafka_errors, the_reason_is_said_once_until_kafka_is_well)
{
	struct kafka_complaint complaint = {0};
	const char *text;
	cr_assert(kafka_complaint_note(&complaint, RD_KAFKA_RESP_ERR__TRANSPORT, refused));
	cr_assert_not(kafka_complaint_note(&complaint, RD_KAFKA_RESP_ERR__TRANSPORT, refused));
	cr_assert(kafka_complaint_note(&complaint, RD_KAFKA_RESP_ERR__AUTHENTICATION, login));
	cr_assert_not(kafka_complaint_note(&complaint, RD_KAFKA_RESP_ERR__TRANSPORT, refused),
		"also by turns");
	cr_assert_eq(
		kafka_complaint_explain(&complaint, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, &text),
		LC_ERR_CLOSED);
	cr_assert_str_eq(text, refused, "the last one");
	kafka_complaint_clear(&complaint);
	kafka_complaint_explain(&complaint, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, &text);
	cr_assert_str_neq(text, refused);
	cr_assert(kafka_complaint_note(&complaint, RD_KAFKA_RESP_ERR__TRANSPORT, refused));
}

/* Many different ones are said, and the memory of them is bounded. */
Test(kafka_errors, what_is_new_is_said)
{
	struct kafka_complaint complaint = {0};
	char text[32];
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "broker %d is down", i);
		cr_assert(kafka_complaint_note(&complaint, RD_KAFKA_RESP_ERR__TRANSPORT, text));
		cr_assert_not(kafka_complaint_note(&complaint, RD_KAFKA_RESP_ERR__TRANSPORT, text));
	}
	cr_assert(
		kafka_complaint_note(&complaint, RD_KAFKA_RESP_ERR__TRANSPORT, "broker 0 is down"));
}

Test(kafka_errors, what_a_person_can_do)
{
	cr_assert_not_null(strstr(lc_kafka_advice(LC_ERR_AUTH), "kafka.password"));
	cr_assert_not_null(strstr(lc_kafka_advice(LC_ERR_CLOSED), "kafka.brokers"));
	cr_assert_not_null(strstr(lc_kafka_advice(LC_ERR_NOT_FOUND), "livecore topics create"));
	cr_assert_not_null(strstr(lc_kafka_advice(LC_ERR_TOO_LARGE), "max.message.bytes"));
	cr_assert_not_null(strstr(lc_kafka_advice(LC_ERR_PROTOCOL), "ssl.ca.location"));
	cr_assert_str_eq(lc_kafka_advice(LC_ERR_EXISTS), "");
	char text[256];
	cr_assert_str_eq(
		lc_kafka_explain(LC_ERR_EXISTS, "it is there", text, sizeof text), "it is there");
	lc_kafka_explain(LC_ERR_AUTH, "refused", text, sizeof text);
	cr_assert_eq(strncmp(text, "refused: are kafka.username", 27), 0, "%s", text);
}

#include "bus_priv.h"

#include <stdio.h>
#include <string.h>

enum lc_err kafka_err(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return LC_OK;
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
		return LC_ERR_TIMEOUT;
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__RESOLVE:
		return LC_ERR_CLOSED;
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		return LC_ERR_AUTH;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
		return LC_ERR_TOO_LARGE;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		return LC_ERR_NOT_FOUND;
	case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
		return LC_ERR_EXISTS;
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		return LC_ERR_FULL;
	case RD_KAFKA_RESP_ERR__SSL:
		return LC_ERR_PROTOCOL;
	default:
		return LC_ERR_REFUSED;
	}
}

/* "… failed: Connection refused (after 3ms in state CONNECT, 2 identical error(s) suppressed)":
 * what is in brackets is other each time, so that equal lines would never be seen to be equal. */
void kafka_error_text(rd_kafka_event_t *event, char out[KAFKA_TEXT_MAX])
{
	snprintf(out, KAFKA_TEXT_MAX, "%s", rd_kafka_event_error_string(event));
	char *bracket = strstr(out, " (after ");
	if (bracket && strstr(bracket, "ms in state ")) {
		*bracket = '\0';
	}
}

/* FNV-1a. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = 14695981039346656037u;
	for (; *text; text++) {
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	}
	return hash;
}

static bool is_new(struct kafka_complaint *complaint, const char *text)
{
	uint64_t hash = hash_of(text);
	for (size_t i = 0; i < complaint->told_count; i++) {
		if (complaint->told[i] == hash) {
			return false;
		}
	}
	if (complaint->told_count == KAFKA_COMPLAINTS_KEPT) {
		memmove(complaint->told, complaint->told + 1,
			--complaint->told_count * sizeof *complaint->told);
	}
	complaint->told[complaint->told_count++] = hash;
	return true;
}

bool kafka_complaint_note(
	struct kafka_complaint *complaint, rd_kafka_resp_err_t code, const char *text)
{
	bool says_why = code == RD_KAFKA_RESP_ERR__TRANSPORT ||
			code == RD_KAFKA_RESP_ERR__RESOLVE || code == RD_KAFKA_RESP_ERR__SSL ||
			code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
	if (says_why) {
		complaint->code = kafka_err(code);
		snprintf(complaint->text, sizeof complaint->text, "%s", text);
	}
	return is_new(complaint, text);
}

enum lc_err kafka_complaint_explain(
	const struct kafka_complaint *complaint, rd_kafka_resp_err_t code, const char **text)
{
	bool vague = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
		     code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT;
	if (vague && complaint->code) {
		*text = complaint->text;
		return complaint->code;
	}
	*text = code ? rd_kafka_err2str(code) : "";
	return kafka_err(code);
}

const char *lc_kafka_advice(enum lc_err code)
{
	switch (code) {
	case LC_ERR_AUTH:
		return "are kafka.username and kafka.password right, and sasl.mechanism in "
		       "kafka.properties?";
	case LC_ERR_NOT_FOUND:
		return "is the topic there? (livecore topics create)";
	case LC_ERR_TOO_LARGE:
		return "is max.message.bytes of the topic large enough? (Kafka's default is 1 MB)";
	case LC_ERR_PROTOCOL:
		return "do security.protocol and ssl.ca.location in kafka.properties fit this "
		       "Kafka?";
	case LC_ERR_CLOSED:
	case LC_ERR_TIMEOUT:
		return "does Kafka run there, and may this machine reach it? (kafka.brokers, and "
		       "security.protocol in kafka.properties)";
	default:
		return "";
	}
}

const char *lc_kafka_explain(enum lc_err code, const char *text, char *out, size_t size)
{
	const char *advice = lc_kafka_advice(code);
	snprintf(out, size, "%s%s%s", text, advice[0] ? ": " : "", advice);
	return out;
}

/* A loop, settings and an embedded broker for the tests of src/bus. */
#pragma once

#include "livecore/embedded_broker.h"
#include "livecore/journal.h"
#include "livecore/kafka.h"
#include "livecore/loop.h"
#include "livecore/reader.h"
#include "livecore/sender.h"
#include "livecore/topics.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bus {
	struct lc_log *log;
	struct lc_metrics *metrics;
	struct lc_loop *loop;
	struct lc_kafka_config kafka;
	struct lc_topics_config topics;
	struct lc_embedded_broker *broker;
	char empty[1], client_id[16], address[64];
	char names[10][32];
	struct lc_timer *deadline;
};

static inline void bus_settings(struct bus *bus)
{
	strcpy(bus->client_id, "test");
	bus->kafka = (struct lc_kafka_config){
		.brokers = bus->empty,
		.client_id = bus->client_id,
		.username = bus->empty,
		.password = bus->empty,
		.linger_ms = 1,
		.batch_bytes = 256 * 1024,
		.in_flight_bytes = 32 << 20,
		.buffer_bytes = 64 << 20,
		.fetch_wait_ms = 5,
		.metadata_ms = 200,
		.replication_factor = 1,
		.retention_ms = 3600000,
	};
	static const char *const names[] = {"market", "market.cn", "market.hk", "market.us", "bars",
		"interest", "control", "update", "events", "notes"};
	char **slots[] = {&bus->topics.market_data, &bus->topics.market_data_cn,
		&bus->topics.market_data_hk, &bus->topics.market_data_us, &bus->topics.bars,
		&bus->topics.interest, &bus->topics.control, &bus->topics.data_update,
		&bus->topics.events, &bus->topics.notifications};
	for (size_t i = 0; i < 10; i++) {
		strcpy(bus->names[i], names[i]);
		*slots[i] = bus->names[i];
	}
}

/* A port nobody listens on. */
#define NO_BROKER "127.0.0.1:1"

static inline void bus_set_up(struct bus *bus, bool with_broker)
{
	memset(bus, 0, sizeof *bus);
	bus_settings(bus);
	/* BUS_TEST_LOG=1 shows what happens. */
	cr_assert_eq(lc_log_create(2, false, getenv("BUS_TEST_LOG") ? LC_LOG_TRACE : LC_LOG_OFF,
			     &bus->log),
		LC_OK);
	cr_assert_eq(lc_metrics_create(&bus->metrics), LC_OK);
	cr_assert_eq(lc_loop_create(bus->log, bus->metrics, &bus->loop), LC_OK);
	strcpy(bus->address, NO_BROKER);
	if (with_broker) {
		struct lc_error err;
		cr_assert_eq(
			lc_embedded_broker_create(&bus->kafka, &bus->topics, &bus->broker, &err),
			LC_OK);
		snprintf(bus->address, sizeof bus->address, "%s",
			lc_embedded_broker_address(bus->broker));
	}
	bus->kafka.brokers = bus->address;
}

static inline void bus_on_deadline(void *arg)
{
	cr_assert_fail("%s", (const char *)arg);
}

/* Runs the loop until somebody stops it; fails after 30 s. */
static inline void bus_run(struct bus *bus, const char *what)
{
	struct lc_timer *deadline;
	cr_assert_eq(
		lc_timer_create(bus->loop, bus_on_deadline, (void *)(uintptr_t)what, &deadline),
		LC_OK);
	lc_timer_start(deadline, 30000, 0);
	lc_loop_run(bus->loop);
	lc_timer_destroy(deadline);
}

static inline void bus_tear_down(struct bus *bus)
{
	lc_loop_destroy(bus->loop);
	lc_embedded_broker_destroy(bus->broker);
	lc_metrics_destroy(bus->metrics);
	lc_log_destroy(bus->log);
}

/* Messages of one topic, in the order of each partition, as an independent consumer reads them. */
struct bus_seen {
	int32_t partition;
	int64_t offset, timestamp_ms;
	char key[64], value[64], schema[32], traceparent[64]; /* "": none */
	bool replayed;
	size_t value_len;
};

static inline void bus_copy(char *out, size_t size, const void *data, size_t len)
{
	snprintf(out, size, "%.*s", (int)len, (const char *)data);
}

static inline bool bus_take(const rd_kafka_message_t *message, struct bus_seen *seen)
{
	rd_kafka_headers_t *headers;
	const void *value;
	size_t len;
	*seen = (struct bus_seen){.partition = message->partition,
		.offset = message->offset,
		.timestamp_ms = rd_kafka_message_timestamp(message, NULL),
		.value_len = message->len};
	bus_copy(seen->key, sizeof seen->key, message->key, message->key_len);
	bus_copy(seen->value, sizeof seen->value, message->payload, message->len);
	if (!rd_kafka_message_headers(message, &headers)) {
		if (!rd_kafka_header_get_last(headers, "schema", &value, &len)) {
			bus_copy(seen->schema, sizeof seen->schema, value, len);
		}
		if (!rd_kafka_header_get_last(headers, "traceparent", &value, &len)) {
			bus_copy(seen->traceparent, sizeof seen->traceparent, value, len);
		}
		seen->replayed = !rd_kafka_header_get_last(headers, "replayed", &value, &len);
	}
	return true;
}

/* Reads the topic from its start to its end; returns how many, at most max. */
static inline size_t bus_read_all(const char *address, const char *topic, int32_t partitions,
	struct bus_seen *seen, size_t max)
{
	char text[200];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", address, text, sizeof text);
	rd_kafka_conf_set(conf, "group.id", "checker", text, sizeof text);
	rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof text);
	rd_kafka_conf_set(conf, "fetch.wait.max.ms", "5", text, sizeof text);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	for (int32_t i = 0; i < partitions; i++) {
		rd_kafka_topic_partition_list_add(list, topic, i)
			->offset = RD_KAFKA_OFFSET_BEGINNING;
	}
	rd_kafka_assign(rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	size_t count = 0;
	for (int32_t ended = 0; ended < partitions;) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 10000);
		cr_assert(message, "the checker's consumer hears nothing");
		if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
			ended++;
		} else if (!message->err && count < max) {
			count += bus_take(message, &seen[count]);
		}
		rd_kafka_message_destroy(message);
	}
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	return count;
}

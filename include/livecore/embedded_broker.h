/* librdkafka's mock cluster on loopback, for the demo, tests and `--embedded`: a development
 * broker. It keeps about 5 MB a partition in memory, loses all of it when the process ends, and has
 * no long poll, no retention settings and no CreateTopics. It has threads of its own. */
#pragma once

#include "livecore/kafka.h"

struct lc_embedded_broker;
struct rd_kafka_mock_cluster_s;

/* Starts one broker on an ephemeral port of 127.0.0.1 with every topic of the contract. A few
 * milliseconds; blocks. */
enum lc_err lc_embedded_broker_create(const struct lc_kafka_config *config,
	const struct lc_topics_config *topics, struct lc_embedded_broker **out,
	struct lc_error *err);

/* "127.0.0.1:PORT", for kafka.brokers. Valid until destroyed. */
const char *lc_embedded_broker_address(const struct lc_embedded_broker *broker);

/* Blocks for a few milliseconds: after the loop has ended, or where that does not matter. */
void lc_embedded_broker_destroy(struct lc_embedded_broker *broker);

/* librdkafka's handle, for tests that make the broker fail. */
struct rd_kafka_mock_cluster_s *lc_embedded_broker_mock(const struct lc_embedded_broker *broker);

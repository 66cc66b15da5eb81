/* Kafka's settings: sections `kafka` and `topics`. Plain data and checks, any one thread; nothing
 * here connects. What librdkafka is given is built from them in src/bus/kafka_conf.c, for all its
 * users alike. */
#pragma once

#include "livecore/config.h"
#include "livecore/journal.h"

struct lc_kafka_config {
	char *brokers; /* "" when unset: the application decides what that means */
	char *client_id;
	char *username, *password; /* SASL; secrets */
	int64_t linger_ms;
	int64_t batch_bytes;
	int compression;         /* index into none, gzip, snappy, lz4, zstd */
	int64_t in_flight_bytes; /* handed to librdkafka and not yet reported */
	int64_t buffer_bytes;    /* of the journal's ring */
	int64_t fetch_wait_ms;   /* how long a broker may hold back an empty answer */
	int64_t metadata_ms;     /* how often partitions are looked for */
	int64_t replication_factor;
	int64_t retention_ms;
	bool create_topics;
	bool per_market;
	struct lc_pairs properties; /* as librdkafka takes them; the table has checked them */
};

struct lc_topics_config {
	char *market_data, *market_data_cn, *market_data_hk, *market_data_us;
	char *bars, *interest, *control, *data_update, *events, *notifications;
};

extern const struct lc_section lc_kafka_section;  /* struct lc_kafka_config */
extern const struct lc_section lc_topics_section; /* struct lc_topics_config */

/* The name of a topic that the journal's records go to. */
const char *lc_kafka_topic_name(const struct lc_topics_config *topics, enum lc_topic topic);

/* What a person can do about an error of Kafka's, as a question; "" when the error says it all.
 * Static storage. */
const char *lc_kafka_advice(enum lc_err code);
/* "text: advice", or the text alone; returns out. */
const char *lc_kafka_explain(enum lc_err code, const char *text, char *out, size_t size);

/* The version of librdkafka that runs, as text; static storage. */
const char *lc_kafka_library_version(void);

/* The topics of the contract: which should exist, which do, and making those that do not. Loop
 * thread; the work is a job in the pool with a client of its own. It never changes a topic that
 * exists. */
#pragma once

#include "livecore/kafka.h"
#include "livecore/loop.h"

#define LC_TOPICS_MAX 12

struct lc_topic_spec {
	const char *name;     /* borrowed from the configuration */
	int32_t partitions;   /* the contract's */
	int64_t retention_ms; /* -1: kept for ever */
};

/* What should exist with this configuration (per-market topics instead of the common one when
 * kafka.per_market). Returns the count. */
size_t lc_topics_wanted(const struct lc_kafka_config *config, const struct lc_topics_config *topics,
	struct lc_topic_spec out[LC_TOPICS_MAX]);

struct lc_topic_state {
	struct lc_topic_spec spec;
	int32_t existing;    /* partitions that exist; 0: the topic is missing */
	bool created;        /* by this call; existing is then spec.partitions */
	struct lc_error err; /* why it could not be created or seen; LC_OK otherwise */
};

struct lc_topics_result {
	/* Kafka could not be asked at all (states are then meaningless), or LC_OK. */
	struct lc_error err;
	struct lc_topic_state states[LC_TOPICS_MAX];
	size_t count;
	int32_t brokers;  /* of the cluster */
	char address[64]; /* of the broker that answered, host:port, cut */
	/* What it says of itself, for a person; Kafka tells no version number. */
	char server[128], cluster[64]; /* cluster: its id, or "" */
	int32_t controller;            /* id of the broker that leads; -1: not known */
	int64_t elapsed_ms;
};

/* Asks what exists and, with create, makes what is missing. done is called once, on the loop;
 * result is valid for the call. config and topics are borrowed until then. LC_ERR_INVALID with err
 * (settings), LC_ERR_NOMEM. */
enum lc_err lc_topics_run(struct lc_loop *loop, const struct lc_kafka_config *config,
	const struct lc_topics_config *topics, bool create, int64_t timeout_ms,
	void (*done)(void *arg, const struct lc_topics_result *result), void *arg,
	struct lc_error *err);

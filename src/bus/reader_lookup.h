/* What Kafka knows of a topic: how many partitions, where they begin and end, and where a group
 * left off. Asking blocks: it is done in the pool, by a client that stays until it is done. */
#pragma once

#include "bus_priv.h"

struct reader_lookup {
	struct lc_reader *reader; /* who asks; not touched here */
	rd_kafka_t *rk;           /* borrowed, as is topic */
	const char *topic;
	bool want_ends, want_committed; /* the latter only with the former */
	int timeout_ms;                 /* of each question */
	rd_kafka_resp_err_t code;       /* from here on the answer */
	int32_t count;
	int64_t *ends; /* owned; one a partition when want_ends */
	/* The same of where to begin: what the group committed, brought into what the partition
	 * holds; the end when it committed nothing. */
	int64_t *starts;
	bool *committed; /* owned; with want_committed: did the group say so? */
};

void reader_lookup_work(void *lookup); /* in the pool */
void reader_lookup_free(struct reader_lookup *lookup);

/* The sender's metrics, and its stopwatch: one record of 16 is timed from its tick's last byte to
 * librdkafka and to Kafka's acknowledgement. Loop thread; no allocation. */
#pragma once

#include "livecore/journal.h"
#include "livecore/loop.h"

#define SENDER_SAMPLES 8192

/* A record on its way whose acknowledgement will be timed. */
struct sender_sample {
	uint64_t id;
	int64_t received_mono_ns;
};

struct sender_metrics {
	struct lc_loop *loop; /* borrowed */
	uint64_t *produced, *acknowledged, *refused, *replayed, *resets;
	double *in_flight_messages, *in_flight_bytes, *queued, *reachable;
	struct lc_histogram *ack; /* from librdkafka on */
	struct lc_histogram *receive_to_produce, *receive_to_ack;
	/* By id; a slot that is used again loses its sample. */
	struct sender_sample samples[SENDER_SAMPLES];
};

void sender_metrics_init(struct sender_metrics *metrics, struct lc_loop *loop);
/* A record that was handed to librdkafka. */
void sender_metrics_sent(struct sender_metrics *metrics, const struct lc_record *record);
void sender_metrics_acknowledged(struct sender_metrics *metrics, uint64_t id);

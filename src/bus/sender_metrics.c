#include "sender_metrics.h"

#define SAMPLE_EVERY 16 /* records */

void sender_metrics_init(struct sender_metrics *metrics, struct lc_loop *loop)
{
	struct lc_metrics *registry = lc_loop_metrics(loop);
	metrics->loop = loop;
	metrics->produced = lc_metrics_counter(registry, "livecore_kafka_produced_total", "",
		"Records handed to librdkafka, repeats included.");
	metrics->acknowledged = lc_metrics_counter(registry, "livecore_kafka_acknowledged_total",
		"", "Records that Kafka has acknowledged.");
	metrics->refused = lc_metrics_counter(registry, "livecore_kafka_refused_total", "",
		"Records that Kafka refused for good.");
	metrics->replayed = lc_metrics_counter(registry, "livecore_kafka_replayed_total", "",
		"Records handed over again after a producer was replaced.");
	metrics->resets = lc_metrics_counter(registry, "livecore_kafka_producer_resets_total", "",
		"Producers that were replaced.");
	metrics->in_flight_messages = lc_metrics_gauge(registry,
		"livecore_kafka_in_flight_messages", "",
		"Records handed over and not yet reported.");
	metrics->in_flight_bytes = lc_metrics_gauge(registry, "livecore_kafka_in_flight_bytes", "",
		"Bytes of records handed over and not yet reported.");
	metrics->queued = lc_metrics_gauge(registry, "livecore_kafka_queued_records", "",
		"Records in the log that wait to be handed over.");
	metrics->reachable = lc_metrics_gauge(
		registry, "livecore_kafka_reachable", "", "1 when Kafka answers.");
	metrics->ack = lc_metrics_histogram(registry, "livecore_kafka_publish_to_ack_seconds", "",
		"From handing a record to librdkafka to its acknowledgement.");
	metrics->receive_to_produce = lc_metrics_histogram(registry,
		"livecore_kafka_receive_to_produce_seconds", "",
		"From a tick's last byte to librdkafka, of one tick in 16.");
	metrics->receive_to_ack = lc_metrics_histogram(registry,
		"livecore_kafka_receive_to_ack_seconds", "",
		"From a tick's last byte to Kafka's acknowledgement, of one tick in 16.");
}

static struct sender_sample *sample_of(struct sender_metrics *metrics, uint64_t id)
{
	return &metrics->samples[id / SAMPLE_EVERY % SENDER_SAMPLES];
}

void sender_metrics_sent(struct sender_metrics *metrics, const struct lc_record *record)
{
	if (record->id % SAMPLE_EVERY != 0 || record->received_mono_ns == 0 || record->replayed) {
		return;
	}
	lc_histogram_observe_ns(metrics->receive_to_produce,
		lc_loop_mono_ns(metrics->loop) - record->received_mono_ns);
	*sample_of(metrics, record->id) = (struct sender_sample){
		.id = record->id, .received_mono_ns = record->received_mono_ns};
}

void sender_metrics_acknowledged(struct sender_metrics *metrics, uint64_t id)
{
	const struct sender_sample *sample = sample_of(metrics, id);
	if (id % SAMPLE_EVERY == 0 && sample->id == id) {
		lc_histogram_observe_ns(metrics->receive_to_ack,
			lc_loop_mono_ns(metrics->loop) - sample->received_mono_ns);
	}
}

#include "livecore/embedded_broker.h"

#include "livecore/topics.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct lc_embedded_broker {
	rd_kafka_t *rk; /* the cluster's host; it talks to nobody */
	rd_kafka_mock_cluster_t *cluster;
};

/* On the cluster's threads. It has nothing to say but that it connects to nobody, and it is not
 * meant to. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk, (void)level, (void)facility, (void)text;
}

/* The mock's thread ends for good when a signal interrupts its poll() (2.0.2), and unlike librdkafka's
 * other threads it does not block signals: it inherits that they are blocked here. */
static rd_kafka_mock_cluster_t *create_deaf_cluster(rd_kafka_t *rk)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, 1);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return cluster;
}

enum lc_err lc_embedded_broker_create(const struct lc_kafka_config *config,
	const struct lc_topics_config *topics, struct lc_embedded_broker **out,
	struct lc_error *err)
{
	struct lc_embedded_broker *broker = calloc(1, sizeof *broker);
	if (!broker) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	char text[200] = "";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "client.id", "embedded-broker", text, sizeof text);
	rd_kafka_conf_set_log_cb(conf, on_log);
	broker->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
	if (!broker->rk) {
		rd_kafka_conf_destroy(conf);
		free(broker);
		return lc_error_set(err, LC_ERR_IO, "the embedded broker did not start: %s", text);
	}
	broker->cluster = create_deaf_cluster(broker->rk);
	if (!broker->cluster) {
		lc_embedded_broker_destroy(broker);
		return lc_error_set(
			err, LC_ERR_IO, "the embedded broker found no port on 127.0.0.1");
	}
	struct lc_topic_spec wanted[LC_TOPICS_MAX];
	size_t count = lc_topics_wanted(config, topics, wanted);
	for (size_t i = 0; i < count; i++) {
		/* librdkafka's mock misses a wake-up when it is asked too quickly, and then sleeps
		 * for a second (measured: every second start without this pause, one in ten with
		 * it). */
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		rd_kafka_mock_topic_create(
			broker->cluster, wanted[i].name, wanted[i].partitions, 1);
	}
	*out = broker;
	return LC_OK;
}

const char *lc_embedded_broker_address(const struct lc_embedded_broker *broker)
{
	return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

void lc_embedded_broker_destroy(struct lc_embedded_broker *broker)
{
	if (!broker) {
		return;
	}
	if (broker->cluster) {
		rd_kafka_mock_cluster_destroy(broker->cluster);
	}
	rd_kafka_destroy(broker->rk);
	free(broker);
}

struct rd_kafka_mock_cluster_s *lc_embedded_broker_mock(const struct lc_embedded_broker *broker)
{
	return broker->cluster;
}

#include "livecore/kafka.h"

#include "bus_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A configuration being built: the first failure is kept and the rest passed over. */
struct build {
	rd_kafka_conf_t *conf;
	enum lc_err code;
	struct lc_error *err;
};

static void set(struct build *build, const char *name, const char *value)
{
	char text[200];
	if (build->code) {
		return;
	}
	if (rd_kafka_conf_set(build->conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
		build->code = lc_error_set(build->err, LC_ERR_INVALID, "librdkafka: %s", text);
	}
}

static void set_int(struct build *build, const char *name, int64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRId64, value);
	set(build, name, text);
}

static void set_common(struct build *build, const struct lc_kafka_config *config)
{
	set(build, "bootstrap.servers", config->brokers);
	set(build, "client.id", config->client_id);
	set(build, "log.queue", "true");
	set(build, "log.connection.close", "false");
	/* The default backs off to 10 s, which would be added to each outage of a broker. */
	set(build, "reconnect.backoff.ms", "50");
	set(build, "reconnect.backoff.max.ms", "1000");
	set(build, "socket.keepalive.enable", "true");
	set(build, "socket.nagle.disable", "true");
	if (*config->username) {
		set(build, "sasl.username", config->username);
	}
	if (*config->password) {
		set(build, "sasl.password", config->password);
	}
}

static void set_properties(struct build *build, const struct lc_pairs *properties)
{
	for (size_t i = 0; i < properties->count && !build->code; i++) {
		const struct lc_pair *pair = &properties->items[i];
		build->code = kafka_property_allowed(pair->key, build->err);
		set(build, pair->key, pair->value);
	}
}

static void set_producer(
	struct build *build, const struct lc_kafka_config *config, int64_t batch_bytes)
{
	set(build, "enable.idempotence", "true");
	set(build, "acks", "all");
	set(build, "message.timeout.ms", "0");
	/* Java's and kafka-python's; librdkafka's own default would part the symbols
	 * differently. */
	set(build, "partitioner", "murmur2_random");
	set_int(build, "linger.ms", config->linger_ms);
	set_int(build, "batch.size", batch_bytes ? batch_bytes : config->batch_bytes);
	/* A report event is freed as a whole: thousands of messages would hold the loop. */
	set(build, "batch.num.messages", "2000");
	set(build, "compression.type", kafka_compressions[config->compression]);
	/* kafka.in_flight decides; these are only kept from deciding first. */
	set(build, "queue.buffering.max.messages", "10000000");
	set(build, "queue.buffering.max.kbytes", "2147483647");
	rd_kafka_conf_set_events(
		build->conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
}

static void set_reader(struct build *build, const struct lc_kafka_config *config, const char *group)
{
	set(build, "group.id", group ? group : config->client_id);
	/* In no group there is no session; but a commit waits so long for an absent coordinator,
	 * and destroying the client waits for the commit, at full CPU. Ours are sent again. */
	set(build, "session.timeout.ms", "1000");
	set(build, "enable.auto.commit", "false");
	set(build, "enable.auto.offset.store", "false");
	set(build, "enable.partition.eof", "true");
	/* Out of range is reported, and answered by the reader itself. */
	set(build, "auto.offset.reset", "error");
	set_int(build, "fetch.wait.max.ms", config->fetch_wait_ms);
	set(build, "fetch.error.backoff.ms", "100");
	/* A paused reader is one whose queue is not served: nothing may cut it off for that, and
	 * its buffer is small. */
	set(build, "max.poll.interval.ms", "86400000");
	set(build, "queued.min.messages", "5000");
	set(build, "queued.max.messages.kbytes", "4096");
	rd_kafka_conf_set_events(build->conf, RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_ERROR |
						      RD_KAFKA_EVENT_LOG |
						      RD_KAFKA_EVENT_OFFSET_COMMIT);
}

enum lc_err kafka_conf_build(const struct lc_kafka_config *config,
	const struct kafka_conf_options *options, rd_kafka_conf_t **out, struct lc_error *err)
{
	if (!*config->brokers) {
		return lc_error_set(err, LC_ERR_INVALID, "kafka.brokers is not set");
	}
	struct build build = {.conf = rd_kafka_conf_new(), .err = err};
	set_common(&build, config);
	/* Properties come before what is promised, so that a name not on the list of refusals still
	 * cannot undo it. */
	set_properties(&build, &config->properties);
	switch (options->role) {
	case KAFKA_SENDER:
		set_producer(&build, config, options->batch_bytes);
		break;
	case KAFKA_PUBLISHER:
		set_producer(&build, config, 0);
		set_int(&build, "message.timeout.ms", options->timeout_ms);
		/* A topic that is not there is said then, and not only when time is over. */
		set_int(&build, "topic.metadata.propagation.max.ms", options->timeout_ms / 3);
		set(&build, "linger.ms", "0");
		break;
	case KAFKA_READER:
		set_reader(&build, config, options->group);
		break;
	case KAFKA_ADMIN:
		rd_kafka_conf_set_events(build.conf, RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
		break;
	}
	if (build.code) {
		rd_kafka_conf_destroy(build.conf);
		return build.code;
	}
	*out = build.conf;
	return LC_OK;
}

enum lc_err kafka_new(
	rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out, struct lc_error *err)
{
	char text[200];
	rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		return lc_error_set(err, LC_ERR_INVALID, "kafka: %s", text);
	}
	*out = rk;
	return LC_OK;
}

int64_t kafka_patience_ms(unsigned failures)
{
	if (!failures) {
		return 1000;
	}
	return failures % 4 ? 300 : 2000;
}

const char *lc_kafka_library_version(void)
{
	return rd_kafka_version_str();
}

enum lc_err kafka_property_check(const struct lc_pair *property, struct lc_error *err)
{
	struct lc_pair copy = *property;
	struct build build = {.conf = rd_kafka_conf_new(), .err = err};
	set_properties(&build, &(struct lc_pairs){&copy, 1});
	rd_kafka_conf_destroy(build.conf);
	return build.code;
}

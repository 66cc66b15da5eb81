#include "livecore/kafka.h"

#include "bus_priv.h"
#include "livecore/file.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What kafka.properties may not touch: it would break a promise, or has a setting of its own. */
static const struct {
	const char *name, *why;
} forbidden[] = {
	{"enable.idempotence", "without it a retry can repeat or reorder records"},
	{"acks", "a record counts as sent only when all in-sync replicas have it"},
	{"request.required.acks", "a record counts as sent only when all in-sync replicas have it"},
	{"message.timeout.ms", "a record that was accepted is never given up"},
	{"delivery.timeout.ms", "a record that was accepted is never given up"},
	{"message.send.max.retries", "a record that was accepted is never given up"},
	{"retries", "a record that was accepted is never given up"},
	{"partitioner",
		"order per symbol needs the partitioner that Java and Python producers use"},
	{"partitioner_cb",
		"order per symbol needs the partitioner that Java and Python producers use"},
	{"max.in.flight", "more than five requests in flight can reorder records"},
	{"max.in.flight.requests.per.connection",
		"more than five requests in flight can reorder records"},
	{"enable.gapless.guarantee", "one refused record would stop all others"},
	{"queuing.strategy", "records are sent in the order they came"},
	{"transactional.id", "livecore does not use transactions"},
	{"delivery.report.only.error", "every record's delivery is reported to the log"},
	{"queue.buffering.max.messages", "kafka.in_flight bounds what is on its way"},
	{"queue.buffering.max.kbytes", "kafka.in_flight bounds what is on its way"},
	{"bootstrap.servers", "set kafka.brokers instead"},
	{"metadata.broker.list", "set kafka.brokers instead"},
	{"test.mock.num.brokers", "it would replace kafka.brokers by brokers in memory"},
	{"client.id", "set kafka.client_id instead"},
	{"linger.ms", "set kafka.linger instead"},
	{"queue.buffering.max.ms", "set kafka.linger instead"},
	{"batch.size", "set kafka.batch_size instead"},
	{"compression.type", "set kafka.compression instead"},
	{"compression.codec", "set kafka.compression instead"},
	{"fetch.wait.max.ms", "set kafka.fetch_wait instead"},
	{"sasl.username", "set kafka.username instead, in the secrets file"},
	{"sasl.password", "set kafka.password instead, in the secrets file"},
	{"group.id", "each reader has its own, by contract"},
	{"group.instance.id", "readers assign themselves all partitions and join no group"},
	{"enable.auto.commit", "an offset is committed after the work, never before"},
	{"auto.commit.enable", "an offset is committed after the work, never before"},
	{"enable.auto.offset.store", "an offset is committed after the work, never before"},
	{"auto.offset.reset", "where reading starts is part of the contract"},
	{"enable.partition.eof", "readers need it to know that they have caught up"},
	{"max.poll.interval.ms", "a paused reader must not be cut off"},
	{"log.queue", "librdkafka's log goes to livecore's"},
	{"statistics.interval.ms", "nothing reads them: see /metrics"},
};

const char *const kafka_compressions[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};

static enum lc_err check_topic(const char *text, struct lc_error *err)
{
	static const char legal[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(text);
	if (!len || len > 249 || strspn(text, legal) != len || !strcmp(text, ".") ||
		!strcmp(text, "..")) {
		return lc_error_set(err, LC_ERR_INVALID,
			"a topic's name is 1 to 249 letters, digits, dots, dashes and underscores");
	}
	return LC_OK;
}

/* One of the list: HOST, HOST:PORT or PROTOCOL://HOST:PORT, as librdkafka reads it. It skips what
 * it cannot read, so a misspelled broker would be missed only when the others are away. */
static bool is_broker(const char *text, size_t len)
{
	const char *scheme = memmem(text, len, "://", 3);
	if (scheme) {
		len -= (size_t)(scheme + 3 - text);
		text = scheme + 3;
	}
	const char *colon = memrchr(text, ':', len), *bracket = memrchr(text, ']', len);
	size_t host = colon && (!bracket || colon > bracket) ? (size_t)(colon - text) : len;
	if (host == 0 || strcspn(text, " \t\"'/") < len) {
		return false;
	}
	if (host == len) {
		return true;
	}
	size_t digits = strspn(text + host + 1, "0123456789");
	long port = digits > 0 && digits < 6 ? strtol(text + host + 1, NULL, 10) : 0;
	return digits == len - host - 1 && port > 0 && port <= 65535;
}

static enum lc_err check_brokers(const char *text, struct lc_error *err)
{
	for (const char *word = text;; word++) {
		word += strspn(word, " ");
		size_t len = strcspn(word, ","), used = len;
		while (used > 0 && word[used - 1] == ' ') {
			used--;
		}
		if (!is_broker(word, used)) {
			return lc_error_set(err, LC_ERR_INVALID,
				"\"%.*s\" is no broker: write HOST:PORT, or several with commas "
				"between them",
				(int)(used < 80 ? used : 80), word);
		}
		word += len;
		if (!*word) {
			return LC_OK;
		}
	}
}

enum lc_err kafka_property_allowed(const char *name, struct lc_error *err)
{
	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
		if (!strcmp(forbidden[i].name, name)) {
			return lc_error_set(err, LC_ERR_INVALID, "%s cannot be set here: %s",
				forbidden[i].name, forbidden[i].why);
		}
	}
	return LC_OK;
}

/* Certificates and keys are files: one that is not there would be found when a client is made, and
 * librdkafka's words for it name no file. */
static enum lc_err check_location(const struct lc_pair *property, struct lc_error *err)
{
	static const char suffix[] = ".location";
	size_t len = strlen(property->key);
	bool file = strncmp(property->key, "ssl.", 4) == 0 && len >= sizeof suffix &&
		    strcmp(property->key + len + 1 - sizeof suffix, suffix) == 0 &&
		    strcmp(property->value, "probe") != 0;
	struct lc_error why;
	return file && lc_file_check_exists(property->value, &why) != LC_OK
		       ? lc_error_set(err, LC_ERR_INVALID, "%.60s: %.180s", property->key, why.text)
		       : LC_OK;
}

/* text: "name=value". */
static enum lc_err check_property(const char *text, struct lc_error *err)
{
	char name[256], value[4096];
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : strlen(text);
	if (len >= sizeof name || (equals && strlen(equals + 1) >= sizeof value)) {
		return lc_error_set(err, LC_ERR_INVALID,
			"a property's name has at most 255 bytes, its value 4,095");
	}
	memcpy(name, text, len);
	name[len] = '\0';
	strcpy(value, equals ? equals + 1 : "");
	const struct lc_pair property = {.key = name, .value = value};
	enum lc_err rc = kafka_property_check(&property, err);
	return rc ? rc : check_location(&property, err);
}

#define KAFKA(member) offsetof(struct lc_kafka_config, member)
#define TOPIC(member) offsetof(struct lc_topics_config, member)

/* The defaults of linger, batch_size and compression were measured against Apache Kafka 3.9.1 (24
 * partitions, 480-byte records, librdkafka 2.0.2, broker on the same two cores, CPU of the whole
 * process a record). At 10,000 a second, linger 5 ms: none 17 us, snappy 17, lz4 19, zstd 27, gzip
 * 31; lz4 with linger 0: 30 us, 20 ms: 17. Batches hold two records then, and requests are what
 * costs. Saturated: none 3.4 us, lz4 4.7, snappy 4.6, zstd 4.9; 64 KB batches cost a quarter more
 * than 256 KB, 1 MB ones gain nothing. */
static const struct lc_setting kafka_settings[] = {
	{.key = "brokers",
		.type = LC_SET_STRING,
		.offset = KAFKA(brokers),
		.apply = LC_APPLY_RESTART,
		.check = check_brokers,
		.help = "Kafka's addresses, host:port, comma-separated"},
	{.key = "client_id",
		.type = LC_SET_STRING,
		.offset = KAFKA(client_id),
		.fallback = "livecore",
		.apply = LC_APPLY_RESTART,
		.help = "the name that brokers log and limit by"},
	{.key = "username",
		.type = LC_SET_STRING,
		.offset = KAFKA(username),
		.flags = LC_SETTING_SECRET,
		.apply = LC_APPLY_RESTART,
		.help = "SASL user; security.protocol and sasl.mechanism go into properties"},
	{.key = "password",
		.type = LC_SET_STRING,
		.offset = KAFKA(password),
		.flags = LC_SETTING_SECRET,
		.apply = LC_APPLY_RESTART,
		.help = "SASL password"},
	{.key = "linger",
		.type = LC_SET_DURATION,
		.offset = KAFKA(linger_ms),
		.fallback = "5ms",
		.max = 1000,
		.apply = LC_APPLY_RESTART,
		.help = "how long a record waits for others to share its request; 0 costs about "
			"twice the CPU"},
	{.key = "batch_size",
		.type = LC_SET_SIZE,
		.offset = KAFKA(batch_bytes),
		.fallback = "256KB",
		.min = 1024,
		.max = 1000000,
		.apply = LC_APPLY_RESTART,
		.help = "most bytes in one batch of one partition"},
	{.key = "compression",
		.type = LC_SET_ENUM,
		.offset = KAFKA(compression),
		.fallback = "none",
		.choices = kafka_compressions,
		.apply = LC_APPLY_RESTART,
		.help = "how batches are compressed; lz4 and snappy cost a tenth more CPU at "
			"10,000 records a second, a third more when saturated"},
	{.key = "in_flight",
		.type = LC_SET_SIZE,
		.offset = KAFKA(in_flight_bytes),
		.fallback = "32MB",
		.min = 1024 * 1024,
		.max = 1e9,
		.apply = LC_APPLY_RESTART,
		.help = "most bytes handed to librdkafka and not yet acknowledged"},
	{.key = "buffer",
		.type = LC_SET_SIZE,
		.offset = KAFKA(buffer_bytes),
		.fallback = "64MB",
		.min = 2.0 * 1024 * 1024,
		.max = 64e9,
		.apply = LC_APPLY_RESTART,
		.help = "memory of the log between encoder and Kafka; what does not fit waits on "
			"disk, and without journal.enabled each feeder's queue policy applies"},
	{.key = "fetch_wait",
		.type = LC_SET_DURATION,
		.offset = KAFKA(fetch_wait_ms),
		.fallback = "500ms",
		.min = 1,
		.max = 30000,
		.apply = LC_APPLY_RESTART,
		.help = "how long a broker may hold back an answer without records; the embedded "
			"one always does"},
	{.key = "metadata_interval",
		.type = LC_SET_DURATION,
		.offset = KAFKA(metadata_ms),
		.fallback = "10s",
		.min = 100,
		.max = 3600000,
		.apply = LC_APPLY_RESTART,
		.help = "how often new partitions are looked for"},
	{.key = "create_topics",
		.type = LC_SET_BOOL,
		.offset = KAFKA(create_topics),
		.fallback = "false",
		.apply = LC_APPLY_RESTART,
		.help = "make the missing topics at start"},
	{.key = "replication_factor",
		.type = LC_SET_INT,
		.offset = KAFKA(replication_factor),
		.fallback = "1",
		.min = 1,
		.max = 100,
		.apply = LC_APPLY_RESTART,
		.help = "copies of each topic that livecore creates; 3 in production"},
	{.key = "retention",
		.type = LC_SET_DURATION,
		.offset = KAFKA(retention_ms),
		.fallback = "168h",
		.min = 1000,
		.max = 1e13,
		.apply = LC_APPLY_RESTART,
		.help = "retention of topics that livecore creates; interest updates are kept for "
			"ever"},
	{.key = "per_market",
		.type = LC_SET_BOOL,
		.offset = KAFKA(per_market),
		.fallback = "false",
		.apply = LC_APPLY_RESTART,
		.help = "send market data to topics.market_data_cn, _hk and _us instead of "
			"topics.market_data"},
	{.key = "properties",
		.type = LC_SET_MAP,
		.offset = KAFKA(properties),
		.apply = LC_APPLY_RESTART,
		.check = check_property,
		.help = "any other property of librdkafka, by its own name (security.protocol, "
			"ssl.ca.location, …)"},
};

#define TOPIC_SETTING(name, text, what)                                                       \
	{                                                                                     \
		.key = #name, .type = LC_SET_STRING, .offset = TOPIC(name), .fallback = text, \
		.apply = LC_APPLY_RESTART, .check = check_topic, .help = what                 \
	}

static const struct lc_setting topics_settings[] = {
	TOPIC_SETTING(market_data, "ginkgo.live.market.data", "ticks of all markets, out"),
	TOPIC_SETTING(market_data_cn, "ginkgo.live.market.data.cn",
		"ticks of cn, out, with kafka.per_market"),
	TOPIC_SETTING(market_data_hk, "ginkgo.live.market.data.hk",
		"ticks of hk, out, with kafka.per_market"),
	TOPIC_SETTING(market_data_us, "ginkgo.live.market.data.us",
		"ticks of us, out, with kafka.per_market"),
	TOPIC_SETTING(bars, "ginkgo.live.market.bars", "bars, out"),
	TOPIC_SETTING(interest, "ginkgo.live.interest.updates", "which symbols are wanted, in"),
	TOPIC_SETTING(control, "ginkgo.live.control.commands", "commands, in; the timer writes it"),
	TOPIC_SETTING(data_update, "ginkgo.data.update", "shares of a command between workers"),
	TOPIC_SETTING(events, "ginkgo.live.system.events", "what happens to livecore, out"),
	TOPIC_SETTING(notifications, "ginkgo.notifications", "alerts and quality reports, out"),
};

const struct lc_section lc_kafka_section = {
	.name = "kafka",
	.help = "Kafka: where it is, and how records are sent",
	.settings = kafka_settings,
	.count = sizeof kafka_settings / sizeof *kafka_settings,
	.size = sizeof(struct lc_kafka_config),
};

const struct lc_section lc_topics_section = {
	.name = "topics",
	.help = "The names of the topics",
	.settings = topics_settings,
	.count = sizeof topics_settings / sizeof *topics_settings,
	.size = sizeof(struct lc_topics_config),
};

const char *lc_kafka_topic_name(const struct lc_topics_config *topics, enum lc_topic topic)
{
	switch (topic) {
	case LC_TOPIC_MARKET:
		return topics->market_data;
	case LC_TOPIC_MARKET_CN:
		return topics->market_data_cn;
	case LC_TOPIC_MARKET_HK:
		return topics->market_data_hk;
	case LC_TOPIC_MARKET_US:
		return topics->market_data_us;
	case LC_TOPIC_BARS:
		return topics->bars;
	case LC_TOPIC_EVENTS:
		return topics->events;
	case LC_TOPIC_NOTIFICATIONS:
		return topics->notifications;
	case LC_TOPICS_OUT:
		break;
	}
	return "";
}

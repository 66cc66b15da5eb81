#include "manager/setting_checks.h"

#include "livecore/kafka.h"
#include "livecore/redis.h"
#include "manager/settings.h"
#include "manager/supervisor.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NODE_ID_MAX 128

/* Every module that writes log lines; tests/checks/docs.py holds this list against the sources. */
static const char *const log_modules[] = {"app", "bars", "calendar", "config", "control", "demo",
	"failover", "feeder", "http", "interest", "journal", "kafka", "liveness", "loop", "manager",
	"outbox", "quality", "redis", "store", "timer"};

static bool is_module(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof log_modules / sizeof *log_modules; i++) {
		if (strlen(log_modules[i]) == len && memcmp(log_modules[i], name, len) == 0) {
			return true;
		}
	}
	return false;
}

enum lc_err lc_setting_check_log_level(const char *text, struct lc_error *err)
{
	enum lc_err rc = lc_log_check_levels(text, err);
	for (const char *word = text; rc == LC_OK && *word; word += *word == ',') {
		size_t len = strcspn(word, ",");
		const char *equals = memchr(word, '=', len);
		if (equals && !is_module(word, (size_t)(equals - word))) {
			return lc_error_set(err, LC_ERR_INVALID,
				"there is no module \"%.*s\" that logs; there are app, bars, "
				"calendar, config, control, demo, failover, feeder, http, "
				"interest, journal, kafka, liveness, loop, manager, outbox, "
				"quality, redis, store and timer",
				(int)(equals - word < 64 ? equals - word : 64), word);
		}
		word += len;
	}
	return rc;
}

enum lc_err lc_setting_check_node_id(const char *text, struct lc_error *err)
{
	size_t len = strlen(text);
	bool plain = len <= NODE_ID_MAX;
	for (size_t i = 0; i < len && plain; i++) {
		plain = (unsigned char)text[i] > ' ' && text[i] != 0x7f;
	}
	return plain ? LC_OK
		     : lc_error_set(err, LC_ERR_INVALID,
			       "a node's name is at most %d bytes without spaces: letters, digits, "
			       "dots, dashes",
			       NODE_ID_MAX);
}

/* What is read must be told from all else: other messages would be taken for its own. */
static bool is_read(const struct lc_setting *topic)
{
	return strcmp(topic->key, "interest") == 0 || strcmp(topic->key, "control") == 0 ||
	       strcmp(topic->key, "data_update") == 0;
}

static void check_topics(const struct lc_config *config, struct lc_buf *errors)
{
	const char *topics = lc_config_section(config, "topics");
	for (size_t i = 0; i < lc_topics_section.count; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct lc_setting *a = &lc_topics_section.settings[i],
						*b = &lc_topics_section.settings[k];
			char *const *name = (char *const *)(topics + a->offset),
				    *const *other = (char *const *)(topics + b->offset);
			char first[64], second[64], message[128];
			if ((!is_read(a) && !is_read(b)) || strcmp(*name, *other) != 0) {
				continue;
			}
			snprintf(first, sizeof first, "topics.%s", a->key);
			snprintf(second, sizeof second, "topics.%s", b->key);
			snprintf(message, sizeof message, "is the same topic as %s", second);
			lc_config_disagree(config, first, second, message, errors);
		}
	}
}

static void check_kafka(const struct lc_config *config, struct lc_buf *errors)
{
	const struct lc_kafka_config *kafka = lc_config_section(config, "kafka");
	if (kafka->buffer_bytes < kafka->in_flight_bytes) {
		lc_config_disagree(config, "kafka.buffer", "kafka.in_flight",
			"is smaller than kafka.in_flight: what is on its way stays in the buffer",
			errors);
	}
	if (!*kafka->username != !*kafka->password) {
		lc_config_disagree(config, "kafka.username", "kafka.password",
			"is set together with kafka.password or not at all", errors);
	}
}

static void check_waits(const struct lc_config *config, struct lc_buf *errors)
{
	const struct lc_supervisor_config *supervisor = lc_config_section(config, "supervisor");
	const struct lc_failover_config *failover = lc_config_section(config, "failover");
	if (supervisor->backoff_min > supervisor->backoff_max) {
		lc_config_disagree(config, "supervisor.backoff_min", "supervisor.backoff_max",
			"is longer than supervisor.backoff_max", errors);
	}
	if (failover->quarantine > failover->quarantine_max) {
		lc_config_disagree(config, "failover.quarantine", "failover.quarantine_max",
			"is longer than failover.quarantine_max", errors);
	}
}

void lc_settings_check_together(const struct lc_config *config, struct lc_buf *errors)
{
	const struct lc_interest_config *interest = lc_config_section(config, "interest");
	const struct lc_redis_config *redis = lc_config_section(config, "redis");
	if (interest->store == LC_INTEREST_REDIS && !redis->address[0]) {
		lc_config_disagree(config, "interest.store", "redis.address",
			"is redis: set redis.address", errors);
	}
	check_kafka(config, errors);
	check_topics(config, errors);
	check_waits(config, errors);
}

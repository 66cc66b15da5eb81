#include "manager/setting_checks.h"

#include "livecore/log.h"

#include <stdbool.h>
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

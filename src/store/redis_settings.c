#include "store/redis_settings.h"

#include "livecore/redis.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 6379

/* --- the address --- */

static enum lc_err parse_port(const char *text, int *port)
{
	char *end;
	long value = strtol(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < 1 || value > 65535) {
		return LC_ERR_INVALID;
	}
	*port = (int)value;
	return LC_OK;
}

enum lc_err redis_address_parse(const char *text, char *host, size_t size, int *port)
{
	const char *begin = text, *colon = strrchr(text, ':'), *end;
	if (*text == '[') {
		begin = text + 1;
		end = strchr(text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':')) {
			return LC_ERR_INVALID;
		}
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		end = colon ? colon : text + strlen(text);
	}
	size_t len = (size_t)(end - begin);
	bool bare_v6 = *text != '[' && memchr(begin, ':', len) != NULL;
	if (len == 0 || len >= size || bare_v6 || strpbrk(text, " /@")) {
		return LC_ERR_INVALID;
	}
	memcpy(host, begin, len);
	host[len] = '\0';
	*port = DEFAULT_PORT;
	return colon ? parse_port(colon + 1, port) : LC_OK;
}

static enum lc_err check_address(const char *text, struct lc_error *err)
{
	char host[256];
	int port;
	if (redis_address_parse(text, host, sizeof host, &port) != LC_OK) {
		return lc_error_set(
			err, LC_ERR_INVALID, "\"%.100s\" is no address: write HOST:PORT", text);
	}
	return LC_OK;
}

/* --- the table --- */

#define REDIS(field) offsetof(struct lc_redis_config, field)
static const struct lc_setting redis_settings[] = {
	{.key = "address",
		.type = LC_SET_STRING,
		.offset = REDIS(address),
		.fallback = "",
		.apply = LC_APPLY_RESTART,
		.check = check_address,
		.help = "host:port of the Redis that heartbeats go to; empty: none"},
	{.key = "username",
		.type = LC_SET_STRING,
		.offset = REDIS(username),
		.fallback = "",
		.apply = LC_APPLY_RESTART,
		.flags = LC_SETTING_SECRET,
		.help = "user of the login; empty: Redis's default user"},
	{.key = "password",
		.type = LC_SET_STRING,
		.offset = REDIS(password),
		.fallback = "",
		.apply = LC_APPLY_RESTART,
		.flags = LC_SETTING_SECRET,
		.help = "password of the login; empty: no login"},
	{.key = "db",
		.type = LC_SET_INT,
		.offset = REDIS(db),
		.fallback = "0",
		.min = 0,
		.max = 65535,
		.apply = LC_APPLY_RESTART,
		.help = "number of the database in Redis"},
	{.key = "timeout",
		.type = LC_SET_DURATION,
		.offset = REDIS(timeout),
		.fallback = "3s",
		.min = 10,
		.max = 60000,
		.apply = LC_APPLY_RESTART,
		.help = "a Redis that connects or answers no sooner counts as away"},
};

const struct lc_section lc_redis_section = {
	.name = "redis",
	.help = "Redis: heartbeats, and the followed sets with interest.store",
	.settings = redis_settings,
	.count = sizeof redis_settings / sizeof *redis_settings,
	.size = sizeof(struct lc_redis_config),
};

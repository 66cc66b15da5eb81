/* A table with a setting of every type, and loads of it from memory and from files, for the tests
 * of the configuration. */
#pragma once

#include "config/config_priv.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

struct kafka {
	struct lc_strings brokers;
	int64_t linger_ms, buffer_bytes, partitions;
	double ratio;
	bool enabled;
	char *client_id;
	int compression;
	struct lc_pairs properties;
	char *password;
};

struct alpaca {
	char *url, *key, *secret;
	struct lc_strings symbols, tokens;
	int64_t pin;
};

static enum lc_err check_url(const char *text, struct lc_error *err)
{
	if (strncmp(text, "ws", 2) == 0) {
		return LC_OK;
	}
	return lc_error_set(err, LC_ERR_INVALID, "\"%s\" must begin with ws:// or wss://", text);
}

static enum lc_err check_property(const char *text, struct lc_error *err)
{
	if (strncmp(text, "acks=", 5) != 0) {
		return LC_OK;
	}
	return lc_error_set(err, LC_ERR_REFUSED, "acks stays at all: remove it");
}

static enum lc_err check_symbol(const char *text, struct lc_error *err)
{
	return strlen(text) <= 10 ? LC_OK
				  : lc_error_set(err, LC_ERR_INVALID, "\"%s\" is no symbol", text);
}

static const char *const compressions[] = {"none", "lz4", "zstd", NULL};

static const struct lc_setting kafka_settings[] = {
	{"brokers", LC_SET_LIST, offsetof(struct kafka, brokers), .help = "Where Kafka is."},
	{"linger", LC_SET_DURATION, offsetof(struct kafka, linger_ms), "5ms", 0, 60000,
		.apply = LC_APPLY_RESTART, .help = "How long a batch waits."},
	{"buffer", LC_SET_SIZE, offsetof(struct kafka, buffer_bytes), "64MB", 1024, 1 << 30,
		.help = "Memory of the log."},
	{"partitions", LC_SET_INT, offsetof(struct kafka, partitions), "12", 1, 1000,
		.help = "Partitions of a new topic."},
	{"ratio", LC_SET_DOUBLE, offsetof(struct kafka, ratio), "0.5", -1, 1, .help = "A share."},
	{"enabled", LC_SET_BOOL, offsetof(struct kafka, enabled), "true", .help = "On or off."},
	{"client_id", LC_SET_STRING, offsetof(struct kafka, client_id), "live$core: x",
		.help = "What the broker's log calls us | us."},
	{"compression", LC_SET_ENUM, offsetof(struct kafka, compression), "lz4",
		.choices = compressions, .apply = LC_APPLY_RECONNECT, .help = "Of batches."},
	{"properties", LC_SET_MAP, offsetof(struct kafka, properties),
		"socket.keepalive.enable=true, a=\\b", .check = check_property,
		.help = "More for librdkafka."},
	{"password", LC_SET_STRING, offsetof(struct kafka, password), .flags = LC_SETTING_SECRET,
		.help = "SASL password."},
};

static const struct lc_setting alpaca_settings[] = {
	{"url", LC_SET_STRING, offsetof(struct alpaca, url), "wss://example.org",
		.check = check_url, .apply = LC_APPLY_RECONNECT, .help = "The stream."},
	{"key", LC_SET_STRING, offsetof(struct alpaca, key), .flags = LC_SETTING_SECRET,
		.help = "API key."},
	{"secret", LC_SET_STRING, offsetof(struct alpaca, secret), .flags = LC_SETTING_SECRET,
		.check = check_url, .help = "API secret."},
	{"symbols", LC_SET_LIST, offsetof(struct alpaca, symbols), "*.SH, \"a, b\", null",
		.check = check_symbol, .help = "Symbols."},
	{"tokens", LC_SET_LIST, offsetof(struct alpaca, tokens), .flags = LC_SETTING_SECRET,
		.help = "Tokens."},
	{"pin", LC_SET_INT, offsetof(struct alpaca, pin), .flags = LC_SETTING_SECRET,
		.help = "A number."},
};

static const struct lc_section kafka_section = {"kafka", "The bus.", kafka_settings,
	sizeof kafka_settings / sizeof *kafka_settings, sizeof(struct kafka)};
static const struct lc_section alpaca_section = {"alpaca", "A vendor.", alpaca_settings,
	sizeof alpaca_settings / sizeof *alpaca_settings, sizeof(struct alpaca)};
static const struct lc_section *const test_sections[] = {&kafka_section, &alpaca_section};
enum { TEST_SECTIONS = 2 };

/* What a load gave. Its texts are valid until release(). */
struct loaded {
	enum lc_err code;
	struct lc_config *config;
	struct lc_buf errors;
	const struct kafka *kafka;
	const struct alpaca *alpaca;
};

static UNUSED struct loaded finish_load(struct loaded loaded)
{
	if (loaded.config) {
		loaded.kafka = lc_config_section(loaded.config, "kafka");
		loaded.alpaca = lc_config_section(loaded.config, "alpaca");
	}
	return loaded;
}

static UNUSED struct loaded load_bytes(
	const char *yaml, size_t size, const char *const *vars, const char *const *sets)
{
	struct loaded loaded = {0};
	const struct lc_config_sources sources = {.environ = vars, .sets = sets};
	lc_buf_init(&loaded.errors, 64 * 1024);
	loaded.code = lc_config_load_memory(test_sections, TEST_SECTIONS, &sources, "t.yaml", yaml,
		size, &loaded.config, &loaded.errors);
	return finish_load(loaded);
}

static UNUSED struct loaded load_with(
	const char *yaml, const char *const *vars, const char *const *sets)
{
	return load_bytes(yaml, strlen(yaml), vars, sets);
}

static UNUSED struct loaded load_text(const char *yaml)
{
	return load_with(yaml, NULL, NULL);
}

static UNUSED struct loaded load_sources(const struct lc_config_sources *sources)
{
	struct loaded loaded = {0};
	lc_buf_init(&loaded.errors, 64 * 1024);
	loaded.code = lc_config_load(
		test_sections, TEST_SECTIONS, sources, &loaded.config, &loaded.errors);
	return finish_load(loaded);
}

static UNUSED void release(struct loaded *loaded)
{
	lc_config_destroy(loaded->config);
	lc_buf_finish(&loaded->errors);
}

static UNUSED void assert_good(struct loaded *loaded)
{
	cr_assert_eq(loaded->code, LC_OK, "errors: %s", lc_buf_text(&loaded->errors));
	cr_assert_eq(loaded->errors.len, 0);
	cr_assert_not_null(loaded->config);
}

/* The load failed and said exactly this. */
static UNUSED void assert_errors(struct loaded *loaded, const char *expected)
{
	cr_assert_str_eq(lc_buf_text(&loaded->errors), expected);
	cr_assert_eq(loaded->code, LC_ERR_INVALID);
	cr_assert_null(loaded->config);
}

static UNUSED void assert_error_has(struct loaded *loaded, const char *part)
{
	cr_assert_neq(loaded->code, LC_OK, "no error, but expected: %s", part);
	cr_assert_null(loaded->config);
	cr_assert_not_null(strstr(lc_buf_text(&loaded->errors), part), "expected: %s\ngot: %s",
		part, lc_buf_text(&loaded->errors));
}

/* A directory of its own for a test's files; path gets dir/name. */
static UNUSED void make_dir(char dir[32])
{
	strcpy(dir, "/tmp/lc-config-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static UNUSED void write_file(
	char *path, size_t size, const char *dir, const char *name, const char *text, unsigned mode)
{
	snprintf(path, size, "%s/%s", dir, name);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

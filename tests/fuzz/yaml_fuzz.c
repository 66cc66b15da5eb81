/* The bytes of a settings file through the whole load: YAML, variables, values, errors, and what is
 * printed of them. Opens no files: without a main file no secrets file is looked for. */
#include "config/config_priv.h"

#include <stddef.h>
#include <stdlib.h>

struct values {
	struct lc_strings list;
	struct lc_pairs map;
	int64_t number, duration, size;
	double ratio;
	bool flag;
	char *text, *secret;
	int choice;
};

static const char *const choices[] = {"none", "lz4", "zstd", NULL};

static const struct lc_setting settings[] = {
	{"list", LC_SET_LIST, offsetof(struct values, list), "a, b"},
	{"map", LC_SET_MAP, offsetof(struct values, map), "a=b"},
	{"number", LC_SET_INT, offsetof(struct values, number), "1", 1, 1000},
	{"duration", LC_SET_DURATION, offsetof(struct values, duration), "5ms", 0, 60000},
	{"size", LC_SET_SIZE, offsetof(struct values, size), "64MB"},
	{"ratio", LC_SET_DOUBLE, offsetof(struct values, ratio), "0.5"},
	{"flag", LC_SET_BOOL, offsetof(struct values, flag), "true"},
	{"text", LC_SET_STRING, offsetof(struct values, text), "x"},
	{"secret", LC_SET_STRING, offsetof(struct values, secret), .flags = LC_SETTING_SECRET},
	{"choice", LC_SET_ENUM, offsetof(struct values, choice), "lz4", .choices = choices},
};

static const struct lc_section section = {
	"a", "", settings, sizeof settings / sizeof *settings, sizeof(struct values)};
static const struct lc_section *const sections[] = {&section};

static void on_change(void *arg, const struct lc_config_change *change)
{
	(void)arg;
	(void)change;
	abort();
}

static struct lc_config *load(const uint8_t *data, size_t size)
{
	static const char *const environ[] = {"V=value", "E=", NULL};
	const struct lc_config_sources sources = {.environ = environ};
	struct lc_config *config;
	struct lc_buf errors;
	lc_buf_init(&errors, 512 * 1024);
	enum lc_err code = lc_config_load_memory(
		sections, 1, &sources, "f", (const char *)data, size, &config, &errors);
	/* Either a configuration or a reason. */
	if ((code == LC_OK) != (config != NULL) || (code == LC_OK) != (errors.len == 0)) {
		abort();
	}
	lc_buf_finish(&errors);
	return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lc_config *config = load(data, size);
	if (!config) {
		return 0;
	}
	struct lc_buf out;
	lc_buf_init(&out, 8 << 20);
	lc_config_print(config, &out);
	lc_buf_finish(&out);
	/* The same bytes give the same settings. */
	struct lc_config *again = load(data, size);
	lc_config_diff(config, again, on_change, NULL);
	lc_config_destroy(again);
	lc_config_destroy(config);
	return 0;
}

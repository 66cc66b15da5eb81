/* The YAML reader for other modules, over what settings are read with. */
#include "livecore/yaml.h"

#include "config/config_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_LIMIT = 32 * 1024 * 1024, COMPLAINT_MAX = 1024 };

struct lc_yaml {
	struct lc_config_arena arena;
	struct lc_config_report report;
	struct lc_config_place place; /* its name is in the arena */
	struct lc_yaml_node *root;
};

static struct lc_yaml *create(const char *name)
{
	struct lc_yaml *yaml = calloc(1, sizeof *yaml);
	if (!yaml) {
		return NULL;
	}
	lc_config_arena_init(&yaml->arena, ARENA_LIMIT);
	yaml->report.arena = &yaml->arena;
	yaml->place.source = LC_FROM_FILE;
	yaml->place.name = lc_config_copy(&yaml->arena, name, strlen(name));
	return yaml;
}

/* Out of memory, there may be no complaint that says so: nothing of the document is to be
 * trusted. */
static enum lc_err conclude(struct lc_yaml *yaml, bool ok, struct lc_yaml **out)
{
	if (yaml->arena.failed) {
		lc_yaml_destroy(yaml);
		return LC_ERR_NOMEM;
	}
	*out = yaml;
	return ok && yaml->report.count == 0 ? LC_OK : LC_ERR_INVALID;
}

enum lc_err lc_yaml_read_file(const char *path, struct lc_yaml **out)
{
	struct lc_yaml *yaml = create(path);
	char *data;
	size_t size;
	if (!yaml) {
		return LC_ERR_NOMEM;
	}
	bool ok = yaml->place.name &&
		  lc_config_read_file(
			  &yaml->arena, &yaml->report, yaml->place, false, &data, &size) &&
		  lc_yaml_parse(&yaml->arena, &yaml->report, yaml->place, data, size, &yaml->root);
	return conclude(yaml, ok, out);
}

enum lc_err lc_yaml_read_text(const char *name, const char *data, size_t size, struct lc_yaml **out)
{
	struct lc_yaml *yaml = create(name);
	if (!yaml) {
		return LC_ERR_NOMEM;
	}
	bool ok = yaml->place.name &&
		  lc_yaml_parse(&yaml->arena, &yaml->report, yaml->place, data, size, &yaml->root);
	return conclude(yaml, ok, out);
}

void lc_yaml_destroy(struct lc_yaml *yaml)
{
	if (yaml) {
		lc_config_arena_finish(&yaml->arena);
		free(yaml);
	}
}

const struct lc_yaml_node *lc_yaml_root(const struct lc_yaml *yaml)
{
	return yaml->root;
}

const struct lc_yaml_node *lc_yaml_get(const struct lc_yaml_node *node, const char *key)
{
	const struct lc_yaml_node *at = node && node->kind == LC_YAML_MAPPING ? node->first : NULL;
	while (at && strcmp(at->key, key) != 0) {
		at = at->next;
	}
	return at;
}

static enum lc_err read_scalar(
	const struct lc_yaml_node *node, enum lc_setting_type type, void *out, struct lc_error *err)
{
	const struct lc_setting setting = {.key = "value", .type = type};
	if (node->kind != LC_YAML_SCALAR) {
		return lc_error_set(
			err, LC_ERR_INVALID, "one value belongs here, not a list or mapping");
	}
	return lc_config_parse_scalar(&setting, node->text, out, err);
}

enum lc_err lc_yaml_bool(const struct lc_yaml_node *node, bool *out, struct lc_error *err)
{
	return read_scalar(node, LC_SET_BOOL, out, err);
}

enum lc_err lc_yaml_duration(const struct lc_yaml_node *node, int64_t *ms, struct lc_error *err)
{
	return read_scalar(node, LC_SET_DURATION, ms, err);
}

static void complain_at(
	struct lc_yaml *yaml, int line, int column, const char *format, va_list args)
{
	char text[COMPLAINT_MAX];
	struct lc_config_place place = yaml->place;
	place.line = line;
	place.column = column;
	vsnprintf(text, sizeof text, format, args);
	lc_config_complain(&yaml->report, place, "%s", text);
}

void lc_yaml_complain(
	struct lc_yaml *yaml, const struct lc_yaml_node *node, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	complain_at(yaml, node ? node->line : 0, node ? node->column : 0, format, args);
	va_end(args);
}

void lc_yaml_complain_key(
	struct lc_yaml *yaml, const struct lc_yaml_node *node, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	complain_at(yaml, node->key_line, node->key_column, format, args);
	va_end(args);
}

const char *lc_yaml_shown(const char *text, char *out, size_t size)
{
	return lc_config_shown(text, out, size);
}

const char *lc_yaml_nearest(const char *text, const char *const *names)
{
	struct lc_config_nearest nearest;
	lc_config_nearest_begin(&nearest, text);
	for (; *names; names++) {
		lc_config_nearest_offer(&nearest, *names);
	}
	return nearest.best;
}

size_t lc_yaml_error_count(const struct lc_yaml *yaml)
{
	return yaml->report.count;
}

void lc_yaml_errors(const struct lc_yaml *yaml, struct lc_buf *out)
{
	lc_config_report_write(&yaml->report, out);
}

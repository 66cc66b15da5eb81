/* From nodes of a file to settings: variables put in, secrets kept where they belong. */
#include "config/apply_priv.h"

#include <string.h>

enum { VALUE_MAX = 256 * 1024, SHOWN_MAX = 256 };

/* The target, at a node's position. */
static struct lc_config_target target_at(
	const struct lc_config_target *target, const struct lc_yaml_node *node)
{
	struct lc_config_target at = *target;
	at.place.line = node->line;
	at.place.column = node->column;
	return at;
}

/* A scalar node's text with its variables in place, in the configuration's arena; NULL after a
 * complaint. */
static const char *resolve(struct lc_config_loader *loader, const struct lc_config_target *target,
	const struct lc_yaml_node *node)
{
	struct lc_config_target at = target_at(target, node);
	bool literal = !lc_yaml_is_null(node) && !lc_config_only_references(node->text);
	if (target->secret && target->place.source == LC_FROM_FILE && literal) {
		char variable[SHOWN_MAX];
		lc_config_env_name(at.section->name, at.setting->key, variable, sizeof variable);
		at.value->wrong = true;
		lc_config_complain(&loader->report, at.place,
			"%s.%s: a secret must not stand in this file: move it to %s (chmod 600), "
			"or write ${VARIABLE}, or set %s",
			at.section->name, at.setting->key,
			loader->secrets_name ? loader->secrets_name : "secrets.yaml", variable);
		return NULL;
	}
	if (lc_yaml_is_null(node)) {
		return "";
	}
	struct lc_buf text;
	struct lc_error err = {0};
	lc_buf_init(&text, VALUE_MAX);
	if (lc_config_substitute(node->text, loader->environ, &text, &err) != LC_OK) {
		lc_config_complain_at(loader, &at, err.text);
		lc_buf_finish(&text);
		return NULL;
	}
	const char *copy = lc_config_take(&loader->config->arena, &text);
	size_t len = copy ? strlen(copy) : 0;
	if (lc_config_utf8_span(copy ? copy : "", len) < len) {
		lc_config_complain_at(loader, &at, "the value is not UTF-8");
		return NULL;
	}
	return copy;
}

static void set_sequence(struct lc_config_loader *loader, const struct lc_config_target *target,
	const struct lc_yaml_node *node)
{
	struct lc_strings list = {.items = lc_config_alloc(&loader->config->arena,
					  (node->count + 1) * sizeof *list.items)};
	size_t complaints = loader->report.count;
	for (struct lc_yaml_node *at = node->first; list.items && at; at = at->next) {
		struct lc_config_target item = target_at(target, at);
		if (at->kind != LC_YAML_SCALAR) {
			lc_config_complain_at(
				loader, &item, "an item of the list must be a text or a number");
			continue;
		}
		const char *text = resolve(loader, target, at);
		if (text && lc_config_passes_check(loader, &item, text)) {
			list.items[list.count++] = lc_config_copy(
				&loader->config->arena, text, strlen(text));
		}
	}
	if (loader->report.count == complaints && !loader->config->arena.failed) {
		memcpy(target->slot, &list, sizeof list);
		lc_config_finish_value(loader, target);
	}
}

/* Checks "key=value" as the table's check wants it. */
static bool passes_pair_check(struct lc_config_loader *loader,
	const struct lc_config_target *target, const char *key, const char *value)
{
	struct lc_buf pair;
	lc_buf_init(&pair, 2 * LC_CONFIG_FILE_MAX);
	lc_buf_puts(&pair, key);
	lc_buf_putc(&pair, '=');
	lc_buf_puts(&pair, value);
	const char *text = lc_config_take(&loader->scratch, &pair);
	return text && lc_config_passes_check(loader, target, text);
}

static void set_mapping(struct lc_config_loader *loader, const struct lc_config_target *target,
	const struct lc_yaml_node *node)
{
	struct lc_config_arena *arena = &loader->config->arena;
	struct lc_pairs map = {
		.items = lc_config_alloc(arena, (node->count + 1) * sizeof *map.items)};
	size_t complaints = loader->report.count;
	for (struct lc_yaml_node *at = node->first; map.items && at; at = at->next) {
		struct lc_config_target item = target_at(target, at);
		if (at->kind != LC_YAML_SCALAR || strchr(at->key, '=')) {
			lc_config_complain_at(
				loader, &item, "must map names (without =) to texts or numbers");
			continue;
		}
		const char *value = resolve(loader, target, at);
		if (value && passes_pair_check(loader, &item, at->key, value)) {
			char *key = lc_config_copy(arena, at->key, strlen(at->key));
			char *copy = lc_config_copy(arena, value, strlen(value));
			map.items[map.count++] = (struct lc_pair){.key = key, .value = copy};
		}
	}
	if (loader->report.count == complaints && !arena->failed) {
		memcpy(target->slot, &map, sizeof map);
		lc_config_finish_value(loader, target);
	}
}

void lc_config_apply_node(struct lc_config_loader *loader, size_t section, size_t setting,
	const struct lc_yaml_node *node, struct lc_config_place place)
{
	struct lc_config_target target = lc_config_target_of(loader, section, setting, place);
	target = target_at(&target, node);
	bool map = target.setting->type == LC_SET_MAP;
	if (lc_yaml_is_null(node)) {
		return;
	}
	if (map && node->kind == LC_YAML_MAPPING) {
		set_mapping(loader, &target, node);
	} else if (target.setting->type == LC_SET_LIST && node->kind == LC_YAML_SEQUENCE) {
		set_sequence(loader, &target, node);
	} else if (map || node->kind != LC_YAML_SCALAR) {
		static const char *const found[] = {"a text", "a list", "a mapping"};
		struct lc_buf message;
		lc_buf_init(&message, 1024);
		lc_buf_printf(&message, "must be a %s, found %s",
			map                                   ? "mapping"
			: target.setting->type == LC_SET_LIST ? "list"
							      : "single value",
			found[node->kind]);
		lc_config_complain_at(loader, &target, lc_buf_text(&message));
		lc_buf_finish(&message);
	} else {
		const char *text = resolve(loader, &target, node);
		if (text) {
			lc_config_set_text(loader, &target, text);
		}
	}
}

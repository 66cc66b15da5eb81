/* From texts and nodes to settings: names looked up, secrets kept where they belong, values stored. */
#include "config/config_priv.h"

#include <stdio.h>
#include <string.h>

enum { VALUE_MAX = 256 * 1024, SHOWN_MAX = 256 };

struct target {
	const struct lc_section *section;
	const struct lc_setting *setting;
	void *slot;
	struct lc_config_value *value;
	struct lc_config_place place;
	bool secret;
};

static struct target target_of(struct lc_config_loader *loader, size_t section, size_t setting,
	struct lc_config_place place)
{
	struct lc_config *config = loader->config;
	const struct lc_setting *row = &config->sections[section]->settings[setting];
	return (struct target){
		.section = config->sections[section],
		.setting = row,
		.slot = lc_config_slot(config, section, setting),
		.value = &config->values[section][setting],
		.place = place,
		.secret = row->flags & LC_SETTING_SECRET,
	};
}

static void complain(
	struct lc_config_loader *loader, const struct target *target, const char *message)
{
	lc_config_complain(&loader->report, target->place, "%s.%s: %s", target->section->name,
		target->setting->key, message);
}

/* What went wrong with text. A setting's own check may have quoted it: not when it is a secret. */
static void complain_value(struct lc_config_loader *loader, const struct target *target,
	const char *text, const struct lc_error *err)
{
	if (!target->secret) {
		complain(loader, target, err->text);
		return;
	}
	char head[9];
	snprintf(head, sizeof head, "%s", text);
	bool quoted = target->setting->type < LC_SET_STRING ||
		      target->setting->type == LC_SET_ENUM || strstr(err->text, head);
	complain(loader, target,
		quoted ? "the value is not valid (a secret is not shown)" : err->text);
}

/* Canonical text and origin of a value that is stored now. */
static void finish_value(struct lc_config_loader *loader, const struct target *target)
{
	struct lc_buf text;
	lc_buf_init(&text, 4 * LC_CONFIG_FILE_MAX);
	lc_config_format(target->setting, target->slot, &text);
	target->value->text = lc_config_take(&loader->config->arena, &text);
	target->value->place = target->place;
}

static bool passes_check(
	struct lc_config_loader *loader, const struct target *target, const char *text)
{
	struct lc_error err = {0};
	if (!target->setting->check || target->setting->check(text, &err) == LC_OK) {
		return true;
	}
	complain_value(loader, target, text, &err);
	return false;
}

static void set_string(
	struct lc_config_loader *loader, const struct target *target, const char *text)
{
	if (text[0] && !passes_check(loader, target, text)) {
		return;
	}
	char *copy = lc_config_copy(&loader->config->arena, text, strlen(text));
	memcpy(target->slot, &copy, sizeof copy);
	if (copy) {
		finish_value(loader, target);
	}
}

static void set_scalar(
	struct lc_config_loader *loader, const struct target *target, const char *text)
{
	struct lc_error err = {0};
	if (lc_config_parse_scalar(target->setting, text, target->slot, &err) == LC_OK) {
		finish_value(loader, target);
	} else {
		complain_value(loader, target, text, &err);
	}
}

static void set_list(
	struct lc_config_loader *loader, const struct target *target, const struct lc_strings *list)
{
	bool ok = true;
	for (size_t i = 0; i < list->count; i++) {
		ok &= passes_check(loader, target, list->items[i]);
	}
	if (ok) {
		memcpy(target->slot, list, sizeof *list);
		finish_value(loader, target);
	}
}

/* A map's default, as text: its items are key=value. */
static void set_map_text(struct lc_config_loader *loader, const struct target *target,
	const struct lc_strings *items)
{
	struct lc_config_arena *arena = &loader->config->arena;
	struct lc_pairs map = {
		.items = lc_config_alloc(arena, (items->count + 1) * sizeof *map.items)};
	for (size_t i = 0; map.items && i < items->count; i++) {
		char *equals = strchr(items->items[i], '=');
		if (!equals) {
			complain(loader, target, "an item of a mapping must be key=value");
			return;
		}
		map.items[map.count].key = lc_config_copy(
			arena, items->items[i], (size_t)(equals - items->items[i]));
		map.items[map.count++].value = lc_config_copy(
			arena, equals + 1, strlen(equals + 1));
	}
	if (!arena->failed) {
		memcpy(target->slot, &map, sizeof map);
		finish_value(loader, target);
	}
}

static void set_items(
	struct lc_config_loader *loader, const struct target *target, const char *text)
{
	struct lc_strings list;
	struct lc_error err = {0};
	enum lc_err code = lc_config_split(&loader->config->arena, text, &list, &err);
	if (code == LC_ERR_NOMEM) {
		return;
	}
	if (code != LC_OK) {
		complain_value(loader, target, text, &err);
	} else if (target->setting->type == LC_SET_LIST) {
		set_list(loader, target, &list);
	} else if (target->place.source == LC_FROM_DEFAULT) {
		set_map_text(loader, target, &list);
	} else {
		complain(loader, target, "is a mapping: it can be set in the file only");
	}
}

static void set_text(struct lc_config_loader *loader, const struct target *target, const char *text)
{
	size_t len = strlen(text);
	if (lc_config_utf8_span(text, len) < len) {
		complain(loader, target, "the value is not UTF-8");
	} else if (target->setting->type == LC_SET_STRING) {
		set_string(loader, target, text);
	} else if (target->setting->type == LC_SET_LIST || target->setting->type == LC_SET_MAP) {
		set_items(loader, target, text);
	} else {
		set_scalar(loader, target, text);
	}
}

void lc_config_apply_text(struct lc_config_loader *loader, size_t section, size_t setting,
	const char *text, struct lc_config_place place)
{
	struct target target = target_of(loader, section, setting, place);
	set_text(loader, &target, text);
}

/* The target, at a node's position. */
static struct target target_at(const struct target *target, const struct lc_yaml_node *node)
{
	struct target at = *target;
	at.place.line = node->line;
	at.place.column = node->column;
	return at;
}

/* A scalar node's text with its variables in place, in the configuration's arena; NULL after a complaint. */
static const char *resolve(struct lc_config_loader *loader, const struct target *target,
	const struct lc_yaml_node *node)
{
	struct target at = target_at(target, node);
	bool literal = !lc_yaml_is_null(node) && !lc_config_only_references(node->text);
	if (target->secret && target->place.source == LC_FROM_FILE && literal) {
		char variable[SHOWN_MAX];
		lc_config_env_name(at.section->name, at.setting->key, variable, sizeof variable);
		lc_config_complain(&loader->report, at.place,
			"%s.%s: a secret must not stand in this file: move it to %s (chmod 600), "
			"or write "
			"${VARIABLE}, or set %s",
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
		complain(loader, &at, err.text);
		lc_buf_finish(&text);
		return NULL;
	}
	const char *copy = lc_config_take(&loader->config->arena, &text);
	size_t len = copy ? strlen(copy) : 0;
	if (lc_config_utf8_span(copy ? copy : "", len) < len) {
		complain(loader, &at, "the value is not UTF-8");
		return NULL;
	}
	return copy;
}

static void set_sequence(struct lc_config_loader *loader, const struct target *target,
	const struct lc_yaml_node *node)
{
	struct lc_strings list = {.items = lc_config_alloc(&loader->config->arena,
					  (node->count + 1) * sizeof *list.items)};
	size_t complaints = loader->report.count;
	for (struct lc_yaml_node *at = node->first; list.items && at; at = at->next) {
		struct target item = target_at(target, at);
		if (at->kind != LC_YAML_SCALAR) {
			complain(loader, &item, "an item of the list must be a text or a number");
			continue;
		}
		const char *text = resolve(loader, target, at);
		if (text && passes_check(loader, &item, text)) {
			list.items[list.count++] = lc_config_copy(
				&loader->config->arena, text, strlen(text));
		}
	}
	if (loader->report.count == complaints && !loader->config->arena.failed) {
		memcpy(target->slot, &list, sizeof list);
		finish_value(loader, target);
	}
}

/* Checks "key=value" as the table's check wants it. */
static bool passes_pair_check(struct lc_config_loader *loader, const struct target *target,
	const char *key, const char *value)
{
	struct lc_buf pair;
	lc_buf_init(&pair, 2 * LC_CONFIG_FILE_MAX);
	lc_buf_puts(&pair, key);
	lc_buf_putc(&pair, '=');
	lc_buf_puts(&pair, value);
	const char *text = lc_config_take(&loader->scratch, &pair);
	return text && passes_check(loader, target, text);
}

static void set_mapping(struct lc_config_loader *loader, const struct target *target,
	const struct lc_yaml_node *node)
{
	struct lc_config_arena *arena = &loader->config->arena;
	struct lc_pairs map = {
		.items = lc_config_alloc(arena, (node->count + 1) * sizeof *map.items)};
	size_t complaints = loader->report.count;
	for (struct lc_yaml_node *at = node->first; map.items && at; at = at->next) {
		struct target item = target_at(target, at);
		if (at->kind != LC_YAML_SCALAR || strchr(at->key, '=')) {
			complain(loader, &item, "must map names (without =) to texts or numbers");
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
		finish_value(loader, target);
	}
}

void lc_config_apply_node(struct lc_config_loader *loader, size_t section, size_t setting,
	const struct lc_yaml_node *node, struct lc_config_place place)
{
	struct target target = target_of(loader, section, setting, place);
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
		complain(loader, &target, lc_buf_text(&message));
		lc_buf_finish(&message);
	} else {
		const char *text = resolve(loader, &target, node);
		if (text) {
			set_text(loader, &target, text);
		}
	}
}

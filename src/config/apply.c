/* From texts to settings: parsed, checked, stored with their origin. */
#include "config/apply_priv.h"

#include <stdio.h>
#include <string.h>

struct lc_config_target lc_config_target_of(struct lc_config_loader *loader, size_t section,
	size_t setting, struct lc_config_place place)
{
	struct lc_config *config = loader->config;
	const struct lc_setting *row = &config->sections[section]->settings[setting];
	return (struct lc_config_target){
		.section = config->sections[section],
		.setting = row,
		.slot = lc_config_slot(config, section, setting),
		.value = &config->values[section][setting],
		.place = place,
		.secret = row->flags & LC_SETTING_SECRET,
	};
}

void lc_config_complain_at(
	struct lc_config_loader *loader, const struct lc_config_target *target, const char *message)
{
	target->value->wrong = true;
	lc_config_complain(&loader->report, target->place, "%s.%s: %s", target->section->name,
		target->setting->key, message);
}

/* What went wrong with text. A setting's own check may have quoted it: not when it is a secret. */
static void complain_value(struct lc_config_loader *loader, const struct lc_config_target *target,
	const char *text, const struct lc_error *err)
{
	if (!target->secret) {
		lc_config_complain_at(loader, target, err->text);
		return;
	}
	char head[9];
	snprintf(head, sizeof head, "%s", text);
	bool quoted = target->setting->type < LC_SET_STRING ||
		      target->setting->type == LC_SET_ENUM || strstr(err->text, head);
	lc_config_complain_at(loader, target,
		quoted ? "the value is not valid (a secret is not shown)" : err->text);
}

/* Canonical text and origin of a value that is stored now. */
void lc_config_finish_value(struct lc_config_loader *loader, const struct lc_config_target *target)
{
	struct lc_buf text, shown;
	lc_buf_init(&text, 4 * LC_CONFIG_FILE_MAX);
	lc_buf_init(&shown, 4 * LC_CONFIG_FILE_MAX);
	lc_config_format(target->setting, target->slot, &text);
	lc_config_format_shown(target->setting, target->slot, &shown);
	target->value->text = lc_config_take(&loader->config->arena, &text);
	target->value->shown = lc_config_take(&loader->config->arena, &shown);
	target->value->place = target->place;
}

bool lc_config_passes_check(
	struct lc_config_loader *loader, const struct lc_config_target *target, const char *text)
{
	struct lc_error err = {0};
	if (!target->setting->check || target->setting->check(text, &err) == LC_OK) {
		return true;
	}
	complain_value(loader, target, text, &err);
	return false;
}

static void set_string(
	struct lc_config_loader *loader, const struct lc_config_target *target, const char *text)
{
	if (text[0] && !lc_config_passes_check(loader, target, text)) {
		return;
	}
	char *copy = lc_config_copy(&loader->config->arena, text, strlen(text));
	memcpy(target->slot, &copy, sizeof copy);
	if (copy) {
		lc_config_finish_value(loader, target);
	}
}

static void set_scalar(
	struct lc_config_loader *loader, const struct lc_config_target *target, const char *text)
{
	struct lc_error err = {0};
	if (lc_config_parse_scalar(target->setting, text, target->slot, &err) == LC_OK) {
		lc_config_finish_value(loader, target);
	} else {
		complain_value(loader, target, text, &err);
	}
}

static void set_list(struct lc_config_loader *loader, const struct lc_config_target *target,
	const struct lc_strings *list)
{
	bool ok = true;
	for (size_t i = 0; i < list->count; i++) {
		ok &= lc_config_passes_check(loader, target, list->items[i]);
	}
	if (ok) {
		memcpy(target->slot, list, sizeof *list);
		lc_config_finish_value(loader, target);
	}
}

/* A map's default, as text: its items are key=value. */
static void set_map_text(struct lc_config_loader *loader, const struct lc_config_target *target,
	const struct lc_strings *items)
{
	struct lc_config_arena *arena = &loader->config->arena;
	struct lc_pairs map = {
		.items = lc_config_alloc(arena, (items->count + 1) * sizeof *map.items)};
	for (size_t i = 0; map.items && i < items->count; i++) {
		char *equals = strchr(items->items[i], '=');
		if (!equals) {
			lc_config_complain_at(
				loader, target, "an item of a mapping must be key=value");
			return;
		}
		map.items[map.count].key = lc_config_copy(
			arena, items->items[i], (size_t)(equals - items->items[i]));
		map.items[map.count++].value = lc_config_copy(
			arena, equals + 1, strlen(equals + 1));
	}
	if (!arena->failed) {
		memcpy(target->slot, &map, sizeof map);
		lc_config_finish_value(loader, target);
	}
}

static void set_items(
	struct lc_config_loader *loader, const struct lc_config_target *target, const char *text)
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
		lc_config_complain_at(
			loader, target, "is a mapping: it can be set in the file only");
	}
}

void lc_config_set_text(
	struct lc_config_loader *loader, const struct lc_config_target *target, const char *text)
{
	size_t len = strlen(text);
	if (lc_config_utf8_span(text, len) < len) {
		lc_config_complain_at(loader, target, "the value is not UTF-8");
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
	struct lc_config_target target = lc_config_target_of(loader, section, setting, place);
	lc_config_set_text(loader, &target, text);
}

/* Looking up the names that a file or the command line gives, and saying what was meant. */
#include "config/config_priv.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 256 };

static const char secrets_key[] = "secrets_file";

static size_t find_section(const struct lc_config *config, const char *name, size_t len)
{
	for (size_t s = 0; s < config->count; s++) {
		const char *candidate = config->sections[s]->name;
		if (strlen(candidate) == len && memcmp(candidate, name, len) == 0) {
			return s;
		}
	}
	return config->count;
}

static size_t find_setting(const struct lc_section *section, const char *key)
{
	for (size_t i = 0; i < section->count; i++) {
		if (strcmp(section->settings[i].key, key) == 0) {
			return i;
		}
	}
	return section->count;
}

/* A setting of that very key in any section: the key may have been put in the wrong place. */
static const char *section_with(const struct lc_config *config, const char *key)
{
	for (size_t s = 0; s < config->count; s++) {
		if (find_setting(config->sections[s], key) < config->sections[s]->count) {
			return config->sections[s]->name;
		}
	}
	return NULL;
}

/* The names to choose from, where nothing is near. */
static const char *list_sections(const struct lc_config *config, struct lc_buf *buf)
{
	for (size_t s = 0; s < config->count; s++) {
		lc_buf_printf(buf, "%s%s", s > 0 ? ", " : "", config->sections[s]->name);
	}
	return lc_buf_text(buf);
}

static const char *list_settings(const struct lc_section *section, struct lc_buf *buf)
{
	for (size_t i = 0; i < section->count; i++) {
		lc_buf_printf(buf, "%s%s", i > 0 ? ", " : "", section->settings[i].key);
	}
	return lc_buf_text(buf);
}

static void complain_section(
	struct lc_config_loader *loader, const char *name, struct lc_config_place place)
{
	struct lc_config_nearest nearest;
	char shown[SHOWN_MAX];
	lc_config_shown(name, shown, sizeof shown);
	lc_config_nearest_begin(&nearest, name);
	for (size_t s = 0; s < loader->config->count; s++) {
		lc_config_nearest_offer(&nearest, loader->config->sections[s]->name);
	}
	if (place.source == LC_FROM_FILE) {
		lc_config_nearest_offer(&nearest, secrets_key);
	}
	const char *home = section_with(loader->config, name);
	if (home) {
		lc_config_complain(&loader->report, place,
			"unknown section \"%s\": did you mean %s.%s (the key belongs under %s:)?",
			shown, home, shown, home);
	} else if (nearest.best) {
		lc_config_complain(&loader->report, place,
			"unknown section \"%s\": did you mean %s?", shown, nearest.best);
	} else {
		struct lc_buf names;
		lc_buf_init(&names, 4096);
		lc_config_complain(&loader->report, place, "unknown section \"%s\": there are %s",
			shown, list_sections(loader->config, &names));
		lc_buf_finish(&names);
	}
}

static void complain_key(struct lc_config_loader *loader, const struct lc_section *section,
	const char *key, struct lc_config_place place)
{
	struct lc_config_nearest nearest;
	char shown[SHOWN_MAX];
	lc_config_shown(key, shown, sizeof shown);
	lc_config_nearest_begin(&nearest, key);
	for (size_t i = 0; i < section->count; i++) {
		lc_config_nearest_offer(&nearest, section->settings[i].key);
	}
	const char *home = section_with(loader->config, key);
	if (nearest.best) {
		lc_config_complain(&loader->report, place,
			"unknown key \"%s\" in %s: did you mean %s?", shown, section->name,
			nearest.best);
	} else if (home) {
		lc_config_complain(&loader->report, place,
			"unknown key \"%s\" in %s: did you mean %s.%s?", shown, section->name, home,
			shown);
	} else {
		struct lc_buf names;
		lc_buf_init(&names, 8192);
		lc_config_complain(&loader->report, place, "unknown key \"%s\" in %s: there are %s",
			shown, section->name, list_settings(section, &names));
		lc_buf_finish(&names);
	}
}

static struct lc_config_place at_key(struct lc_config_place place, const struct lc_yaml_node *node)
{
	place.line = node->key_line;
	place.column = node->key_column;
	return place;
}

static struct lc_config_place at_value(
	struct lc_config_place place, const struct lc_yaml_node *node)
{
	place.line = node->line;
	place.column = node->column;
	return place;
}

static void apply_setting(struct lc_config_loader *loader, size_t s,
	const struct lc_yaml_node *node, struct lc_config_place place)
{
	const struct lc_section *section = loader->config->sections[s];
	size_t i = find_setting(section, node->key);
	if (i == section->count) {
		complain_key(loader, section, node->key, at_key(place, node));
		return;
	}
	bool secret = section->settings[i].flags & LC_SETTING_SECRET;
	if (place.source == LC_FROM_SECRETS && !secret) {
		lc_config_complain(&loader->report, at_key(place, node),
			"%s.%s is not a secret: it belongs in %s", section->name, node->key,
			loader->main_name ? loader->main_name : "livecore.yaml");
		return;
	}
	lc_config_apply_node(loader, s, i, node, place);
}

static void apply_section(struct lc_config_loader *loader, const struct lc_yaml_node *node,
	struct lc_config_place place)
{
	size_t s = find_section(loader->config, node->key, strlen(node->key));
	if (s == loader->config->count) {
		complain_section(loader, node->key, at_key(place, node));
		return;
	}
	if (node->kind != LC_YAML_MAPPING && !lc_yaml_is_null(node)) {
		lc_config_complain(&loader->report, at_value(place, node),
			"%s is a section: it must hold \"key: value\" lines", node->key);
		return;
	}
	/* Only a mapping's children have keys. */
	for (const struct lc_yaml_node *at = node->first; at; at = at->next) {
		apply_setting(loader, s, at, place);
	}
}

static void apply_secrets_key(struct lc_config_loader *loader, const struct lc_yaml_node *node,
	struct lc_config_place place)
{
	if (node->kind != LC_YAML_SCALAR) {
		lc_config_complain(
			&loader->report, at_value(place, node), "%s must be a path", secrets_key);
		return;
	}
	struct lc_buf text;
	struct lc_error err = {0};
	lc_buf_init(&text, 4096);
	if (lc_config_substitute(node->text, loader->environ, &text, &err) == LC_OK) {
		loader->secrets_key = lc_config_take(&loader->scratch, &text);
		if (!loader->secrets_given) {
			loader->secrets_name = loader->secrets_key;
		}
	} else {
		lc_config_complain(&loader->report, at_value(place, node), "%s", err.text);
		lc_buf_finish(&text);
	}
}

void lc_config_apply_tree(struct lc_config_loader *loader, const struct lc_yaml_node *root,
	struct lc_config_place place)
{
	if (!root || lc_yaml_is_null(root)) {
		return;
	}
	if (root->kind != LC_YAML_MAPPING) {
		lc_config_complain(&loader->report, at_value(place, root),
			"the file must hold sections, as \"kafka:\" with indented \"key: value\" "
			"lines");
		return;
	}
	for (const struct lc_yaml_node *at = root->first; at; at = at->next) {
		if (place.source == LC_FROM_FILE && strcmp(at->key, secrets_key) == 0) {
			apply_secrets_key(loader, at, place);
		} else {
			apply_section(loader, at, place);
		}
	}
}

/* key and value are cut at the equals sign already; section is not NUL-terminated. */
static void apply_set(struct lc_config_loader *loader, const char *section, size_t section_len,
	const char *key, const char *value)
{
	struct lc_config_place place = {.source = LC_FROM_SET, .name = "--set"};
	size_t s = find_section(loader->config, section, section_len);
	if (s == loader->config->count) {
		char *name = lc_config_copy(&loader->scratch, section, section_len);
		complain_section(loader, name ? name : "", place);
		return;
	}
	const struct lc_section *found = loader->config->sections[s];
	size_t i = find_setting(found, key);
	if (i == found->count) {
		complain_key(loader, found, key, place);
	} else if (found->settings[i].flags & LC_SETTING_SECRET) {
		char variable[SHOWN_MAX];
		lc_config_env_name(found->name, key, variable, sizeof variable);
		lc_config_complain(&loader->report, place,
			"%s.%s: a secret on a command line is seen by all: use the secrets file or "
			"%s",
			found->name, key, variable);
	} else {
		lc_config_apply_text(loader, s, i, value, place);
	}
}

void lc_config_apply_sets(struct lc_config_loader *loader, const char *const *sets)
{
	for (; sets && *sets; sets++) {
		const char *equals = strchr(*sets, '=');
		const char *dot = equals ? memchr(*sets, '.', (size_t)(equals - *sets)) : NULL;
		if (!dot) {
			struct lc_config_place place = {.source = LC_FROM_SET, .name = "--set"};
			lc_config_complain(&loader->report, place, "must be section.key=value");
			continue;
		}
		char *key = lc_config_copy(&loader->scratch, dot + 1, (size_t)(equals - dot - 1));
		if (key) {
			apply_set(loader, *sets, (size_t)(dot - *sets), key, equals + 1);
		}
	}
}

/* Storing one setting: shared by what comes as text (apply.c) and as YAML (apply_node.c). */
#pragma once

#include "config/config_priv.h"

/* The setting at work, and the place that complaints name. */
struct lc_config_target {
	const struct lc_section *section;
	const struct lc_setting *setting;
	void *slot;
	struct lc_config_value *value;
	struct lc_config_place place;
	bool secret;
};

struct lc_config_target lc_config_target_of(struct lc_config_loader *loader, size_t section,
	size_t setting, struct lc_config_place place);
/* "place: section.key: message". */
void lc_config_complain_at(struct lc_config_loader *loader, const struct lc_config_target *target,
	const char *message);
/* The table's own check of a text; false after a complaint. */
bool lc_config_passes_check(
	struct lc_config_loader *loader, const struct lc_config_target *target, const char *text);
/* Parses and stores a text. */
void lc_config_set_text(
	struct lc_config_loader *loader, const struct lc_config_target *target, const char *text);
/* Canonical text and origin of a value that is stored now. */
void lc_config_finish_value(struct lc_config_loader *loader, const struct lc_config_target *target);

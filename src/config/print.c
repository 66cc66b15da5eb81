/* The effective settings, and the table in one line each. */
#include "config/config_priv.h"

#include <stdio.h>
#include <string.h>

/* Longer values do not push the origins of the others to the right. */
enum { VALUE_COLUMN_MAX = 40 };

static const char *shown_value(
	const struct lc_setting *setting, const struct lc_config_value *value)
{
	if (setting->flags & LC_SETTING_SECRET) {
		bool set = value->place.source != LC_FROM_DEFAULT && value->text[0];
		return set ? "***" : "(unset)";
	}
	return value->text[0] ? value->shown : "\"\"";
}

static size_t name_width(const struct lc_section *const *sections, size_t count)
{
	size_t width = 0;
	for (size_t s = 0; s < count; s++) {
		for (size_t i = 0; i < sections[s]->count; i++) {
			size_t len = strlen(sections[s]->name) + 1 +
				     strlen(sections[s]->settings[i].key);
			width = len > width ? len : width;
		}
	}
	return width;
}

static size_t value_width(const struct lc_config *config)
{
	size_t width = 0;
	for (size_t s = 0; s < config->count; s++) {
		for (size_t i = 0; i < config->sections[s]->count; i++) {
			size_t len = strlen(shown_value(
				&config->sections[s]->settings[i], &config->values[s][i]));
			width = len > width && len <= VALUE_COLUMN_MAX ? len : width;
		}
	}
	return width;
}

static void pad(struct lc_buf *out, size_t from, size_t width)
{
	for (size_t len = out->len - from; len < width; len++) {
		lc_buf_putc(out, ' ');
	}
}

static void put_origin(const struct lc_config_place *place, struct lc_buf *out)
{
	lc_buf_puts(out, "   (");
	lc_config_escape(out, place->name ? place->name : "default", SIZE_MAX);
	if (place->line > 0) {
		lc_buf_printf(out, ":%d", place->line);
	}
	lc_buf_puts(out, ")\n");
}

void lc_config_print(const struct lc_config *config, struct lc_buf *out)
{
	size_t names = name_width(config->sections, config->count), values = value_width(config);
	for (size_t s = 0; s < config->count; s++) {
		const struct lc_section *section = config->sections[s];
		for (size_t i = 0; i < section->count; i++) {
			const struct lc_config_value *value = &config->values[s][i];
			size_t start = out->len;
			lc_buf_printf(out, "%s.%s", section->name, section->settings[i].key);
			pad(out, start, names);
			lc_buf_puts(out, " = ");
			start = out->len;
			lc_config_escape(out, shown_value(&section->settings[i], value), SIZE_MAX);
			pad(out, start, values);
			put_origin(&value->place, out);
		}
	}
}

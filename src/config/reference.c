/* The sample file and the reference page, from the table. */
#include "config/config_priv.h"

#include <ctype.h>
#include <string.h>

enum { NAME_MAX_LEN = 256 };

static const char *apply_text(enum lc_apply apply)
{
	switch (apply) {
	case LC_APPLY_LIVE:
		return "on reload";
	case LC_APPLY_RECONNECT:
		return "on reload, by reconnecting";
	case LC_APPLY_RESTART:
		return "at restart";
	}
	return "";
}

/* Texts that YAML reads back as they are, without quotes: plain words and numbers. */
static bool is_plain(const char *text)
{
	static const char *const special[] = {"null", "Null", "NULL"};
	for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
		if (strcmp(text, special[i]) == 0) {
			return false;
		}
	}
	size_t len = strlen(text);
	if (len == 0 || !isalnum((unsigned char)text[0]) || text[len - 1] == ':') {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("_./:+-", text[i])) {
			return false;
		}
	}
	return true;
}

static void put_scalar(const char *text, struct lc_buf *out)
{
	if (is_plain(text)) {
		lc_buf_puts(out, text);
		return;
	}
	lc_buf_putc(out, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x20 || c == 0x7F) {
			lc_buf_printf(out, "\\x%02x", c);
			continue;
		}
		if (c == '"' || c == '\\') {
			lc_buf_putc(out, '\\');
		}
		/* A dollar stands for itself when it is doubled. */
		lc_buf_puts(out, c == '$' ? "$" : "");
		lc_buf_putc(out, (char)c);
	}
	lc_buf_putc(out, '"');
}

static void put_list(const struct lc_strings *list, struct lc_buf *out)
{
	lc_buf_putc(out, '[');
	for (size_t i = 0; i < list->count; i++) {
		lc_buf_puts(out, i > 0 ? ", " : "");
		put_scalar(list->items[i], out);
	}
	lc_buf_putc(out, ']');
}

static void put_map(const struct lc_pairs *map, struct lc_buf *out)
{
	if (map->count == 0) {
		lc_buf_puts(out, "{}");
	}
	for (size_t i = 0; i < map->count; i++) {
		lc_buf_puts(out, "\n    ");
		put_scalar(map->items[i].key, out);
		lc_buf_puts(out, ": ");
		put_scalar(map->items[i].value, out);
	}
}

static void put_yaml_value(
	const struct lc_setting *setting, const void *slot, const char *text, struct lc_buf *out)
{
	if (setting->type == LC_SET_LIST) {
		put_list(slot, out);
	} else if (setting->type == LC_SET_MAP) {
		put_map(slot, out);
	} else {
		put_scalar(text, out);
	}
}

static void put_yaml_setting(const struct lc_config *config, size_t s, size_t i, struct lc_buf *out)
{
	const struct lc_section *section = config->sections[s];
	const struct lc_setting *setting = &section->settings[i];
	char variable[NAME_MAX_LEN];
	lc_config_env_name(section->name, setting->key, variable, sizeof variable);
	lc_buf_printf(out, "  # %s\n  # (", setting->help ? setting->help : setting->key);
	lc_config_format_type(setting, out);
	lc_buf_printf(out, "; changes apply %s", apply_text(setting->apply));
	if (setting->type != LC_SET_MAP) {
		lc_buf_printf(out, "; %s", variable);
	}
	lc_buf_puts(out, ")\n");
	if (setting->flags & LC_SETTING_SECRET) {
		lc_buf_printf(out,
			"  # A secret: in secrets.yaml (chmod 600), or ${VARIABLE} here.\n"
			"  # %s:\n",
			setting->key);
		return;
	}
	lc_buf_printf(out, "  %s: ", setting->key);
	put_yaml_value(setting, lc_config_slot(config, s, i), config->values[s][i].text, out);
	lc_buf_putc(out, '\n');
}

/* The defaults as a configuration; NULL when memory runs out or a default does not pass its own
 * rules, which then stands in out. */
static struct lc_config *load_defaults(
	const struct lc_section *const *sections, size_t count, struct lc_buf *out)
{
	const struct lc_config_sources none = {0};
	struct lc_config *config;
	lc_config_load(sections, count, &none, &config, out);
	return config;
}

void lc_config_reference_yaml(
	const struct lc_section *const *sections, size_t count, struct lc_buf *out)
{
	struct lc_config *config = load_defaults(sections, count, out);
	if (!config) {
		return;
	}
	lc_buf_puts(out,
		"# Every setting of livecore at its default. Leave out what you do not change.\n"
		"# Values may hold ${VARIABLE} and ${VARIABLE:-default}; $$ is a dollar.\n"
		"# Durations: 500ms, 5s, 2m, 24h. Sizes: 64MB, 4KB (of 1024), plain bytes.\n\n"
		"# Where the secrets are, as seen from this file; it must be chmod 600.\n"
		"# secrets_file: secrets.yaml\n");
	for (size_t s = 0; s < count; s++) {
		lc_buf_printf(out, "\n# %s\n%s:\n", sections[s]->help ? sections[s]->help : "",
			sections[s]->name);
		for (size_t i = 0; i < sections[s]->count; i++) {
			lc_buf_puts(out, i > 0 ? "\n" : "");
			put_yaml_setting(config, s, i, out);
		}
	}
	lc_config_destroy(config);
}

/* Text for a table's cell: what would end the cell or make markup is escaped. */
static void put_cell(const char *text, struct lc_buf *out)
{
	for (; *text; text++) {
		if (strchr("|<*_\\", *text)) {
			lc_buf_putc(out, '\\');
		}
		lc_buf_putc(out, *text);
	}
}

static void put_markdown_default(
	const struct lc_setting *setting, const char *text, struct lc_buf *out)
{
	if (setting->flags & LC_SETTING_SECRET || text[0] == '\0') {
		lc_buf_puts(out, setting->flags & LC_SETTING_SECRET ? "secret" : "");
		return;
	}
	/* A bar ends a cell inside of a code span too. */
	lc_buf_putc(out, '`');
	for (; *text; text++) {
		lc_buf_puts(out, *text == '|' ? "\\" : "");
		lc_buf_putc(out, *text);
	}
	lc_buf_putc(out, '`');
}

static void put_markdown_setting(
	const struct lc_config *config, size_t s, size_t i, struct lc_buf *out)
{
	const struct lc_section *section = config->sections[s];
	const struct lc_setting *setting = &section->settings[i];
	char variable[NAME_MAX_LEN];
	lc_config_env_name(section->name, setting->key, variable, sizeof variable);
	lc_buf_printf(out, "| `%s` | ", setting->key);
	struct lc_buf type;
	lc_buf_init(&type, 4096);
	lc_config_format_type(setting, &type);
	put_cell(lc_buf_text(&type), out);
	lc_buf_finish(&type);
	lc_buf_puts(out, " | ");
	put_markdown_default(setting, config->values[s][i].text, out);
	lc_buf_puts(out, " | ");
	if (setting->type != LC_SET_MAP) {
		lc_buf_printf(out, "`%s`", variable);
	}
	lc_buf_printf(out, " | %s | ", apply_text(setting->apply));
	put_cell(setting->help ? setting->help : "", out);
	lc_buf_puts(out, " |\n");
}

void lc_config_reference_markdown(
	const struct lc_section *const *sections, size_t count, struct lc_buf *out)
{
	struct lc_config *config = load_defaults(sections, count, out);
	if (!config) {
		return;
	}
	lc_buf_puts(out,
		"# Settings\n\n"
		"Strongest first: command line (`--set section.key=value`), environment, secrets "
		"file, file, default.\nThis page is generated from the table of settings: "
		"`livecore config --reference --markdown`.\n\n"
		"- Durations: `500ms`, `5s`, `2m`, `24h`, `0`. Sizes, of 1024: `64MB`, `4KB`, "
		"plain bytes. Lists: a YAML list, or text with commas between the items, as in\n"
		"  variables; an item that holds a comma stands in double quotes.\n"
		"- In files a value may hold `${VARIABLE}` and `${VARIABLE:-default}`; `$$` is a "
		"dollar. A key without a value, and a variable that is empty, count as not set.\n"
		"- An unknown key is an error, and so is an unknown `LIVECORE_` variable. Besides "
		"those below there are `LIVECORE_CONFIG` and `LIVECORE_SECRETS`, which name\n"
		"  the files.\n"
		"- A secret stands in the secrets file (`secrets.yaml` beside the settings file, "
		"or `secrets_file:` in it), which only its owner may read, or in a variable.\n"
		"- On reload (SIGHUP, or the command `reload`) what is *on reload* is in force at "
		"once, *by reconnecting* ends the session of that feeder alone, and *at restart*\n"
		"  is said to wait.\n");
	for (size_t s = 0; s < count; s++) {
		lc_buf_printf(out, "\n## %s\n\n", sections[s]->name);
		put_cell(sections[s]->help ? sections[s]->help : "", out);
		lc_buf_puts(out, "\n\n| key | value | default | environment | a change applies | "
				 "what it does |\n"
				 "|---|---|---|---|---|---|\n");
		for (size_t i = 0; i < sections[s]->count; i++) {
			put_markdown_setting(config, s, i, out);
		}
	}
	lc_config_destroy(config);
}

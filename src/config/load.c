/* A load from all its sources, weakest first, and what its result answers. */
#include "config/config_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CONFIG_LIMIT = 32 * 1024 * 1024, SCRATCH_LIMIT = 64 * 1024 * 1024 };

static void apply_defaults(struct lc_config_loader *loader)
{
	struct lc_config_place place = {.source = LC_FROM_DEFAULT};
	struct lc_config *config = loader->config;
	for (size_t s = 0; s < config->count; s++) {
		for (size_t i = 0; i < config->sections[s]->count; i++) {
			const struct lc_setting *setting = &config->sections[s]->settings[i];
			bool text = setting->type >= LC_SET_STRING && setting->type != LC_SET_ENUM;
			/* Zero is a value for the others, whatever the range. */
			if (setting->fallback || text) {
				lc_config_apply_text(loader, s, i,
					setting->fallback ? setting->fallback : "", place);
				continue;
			}
			struct lc_buf zero;
			lc_buf_init(&zero, 256);
			lc_config_format(setting, lc_config_slot(config, s, i), &zero);
			config->values[s][i].text = lc_config_take(&config->arena, &zero);
			config->values[s][i].shown = config->values[s][i].text;
		}
	}
}

static bool create(
	struct lc_config_loader *loader, const struct lc_section *const *sections, size_t count)
{
	struct lc_config *config = calloc(1, sizeof *config);
	if (!config) {
		return false;
	}
	loader->config = config;
	struct lc_config_arena *arena = &config->arena;
	lc_config_arena_init(arena, CONFIG_LIMIT);
	config->sections = sections;
	config->count = count;
	config->structs = lc_config_alloc(arena, (count + 1) * sizeof *config->structs);
	config->values = lc_config_alloc(arena, (count + 1) * sizeof *config->values);
	for (size_t s = 0; s < count && !arena->failed; s++) {
		config->structs[s] = lc_config_alloc(arena, sections[s]->size + 1);
		config->values[s] = lc_config_alloc(
			arena, (sections[s]->count + 1) * sizeof **config->values);
	}
	return !arena->failed;
}

static void apply_bytes(struct lc_config_loader *loader, struct lc_config_place place,
	const char *data, size_t size)
{
	struct lc_yaml_node *root;
	/* Values remember the name for as long as the configuration lives. */
	const char *name = place.name ? place.name : "-";
	place.name = lc_config_copy(&loader->config->arena, name, strlen(name));
	if (place.name &&
		lc_yaml_parse(&loader->scratch, &loader->report, place, data, size, &root)) {
		lc_config_apply_tree(loader, root, place);
	}
}

static void apply_file(
	struct lc_config_loader *loader, enum lc_config_source source, const char *path)
{
	struct lc_config_place place = {.source = source, .name = path};
	char *data;
	size_t size;
	if (lc_config_read_file(&loader->scratch, &loader->report, place, source == LC_FROM_SECRETS,
		    &data, &size)) {
		apply_bytes(loader, place, data, size);
	}
}

/* path as seen from the directory of file; in scratch. */
static const char *beside(struct lc_config_loader *loader, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	struct lc_buf buf;
	lc_buf_init(&buf, 8192);
	if (path[0] != '/' && slash) {
		lc_buf_append(&buf, file, (size_t)(slash + 1 - file));
	}
	lc_buf_puts(&buf, path);
	return lc_config_take(&loader->scratch, &buf);
}

/* The secrets file to read, or NULL. *sibling: where secrets may be put, read only when it is
 * there. */
static const char *find_secrets(
	struct lc_config_loader *loader, const struct lc_config_sources *sources, bool *sibling)
{
	static const char variable[] = "LIVECORE_SECRETS";
	*sibling = false;
	const char *given = sources->secrets;
	if (!given) {
		given = lc_config_getenv(sources->environ, variable, sizeof variable - 1);
	}
	loader->secrets_given = given && given[0];
	if (loader->secrets_given) {
		return given;
	}
	if (!sources->file) {
		return NULL;
	}
	if (loader->secrets_key && loader->secrets_key[0]) {
		return beside(loader, sources->file, loader->secrets_key);
	}
	*sibling = true;
	return beside(loader, sources->file, "secrets.yaml");
}

static void apply_secrets(struct lc_config_loader *loader, const struct lc_config_sources *sources)
{
	bool sibling;
	struct stat status;
	const char *path = find_secrets(loader, sources, &sibling);
	if (!path || (sibling && stat(path, &status) < 0 && errno == ENOENT)) {
		return;
	}
	apply_file(loader, LC_FROM_SECRETS, path);
}

/* Says what was wrong, and lets go of all but a configuration that is good. */
static enum lc_err finish(
	struct lc_config_loader *loader, struct lc_config **out, struct lc_buf *errors)
{
	enum lc_err code = LC_OK;
	if (!loader->config || loader->config->arena.failed || loader->scratch.failed) {
		lc_buf_puts(errors, "configuration: out of memory, or the files are too large\n");
		code = LC_ERR_NOMEM;
	} else if (loader->report.count > 0) {
		code = LC_ERR_INVALID;
	}
	lc_config_report_write(&loader->report, errors);
	if (code == LC_OK || (code == LC_ERR_INVALID && loader->lenient)) {
		*out = loader->config;
	} else {
		lc_config_destroy(loader->config);
	}
	lc_config_arena_finish(&loader->scratch);
	return code;
}

/* data: the main file's bytes, or NULL to read sources->file. */
static enum lc_err load(const struct lc_section *const *sections, size_t count,
	const struct lc_config_sources *sources, const char *name, const char *data, size_t size,
	struct lc_config **out, struct lc_buf *errors)
{
	struct lc_config_loader loader = {
		.environ = sources->environ, .main_name = name, .lenient = sources->lenient};
	*out = NULL;
	lc_config_arena_init(&loader.scratch, SCRATCH_LIMIT);
	loader.report.arena = &loader.scratch;
	if (create(&loader, sections, count)) {
		bool sibling;
		/* For the sentence that says where a secret belongs. */
		loader.secrets_name = find_secrets(&loader, sources, &sibling);
		apply_defaults(&loader);
		if (data) {
			struct lc_config_place place = {.source = LC_FROM_FILE, .name = name};
			apply_bytes(&loader, place, data, size);
		} else if (sources->file) {
			apply_file(&loader, LC_FROM_FILE, sources->file);
		}
		apply_secrets(&loader, sources);
		lc_config_apply_environ(&loader);
		lc_config_apply_sets(&loader, sources->sets);
	}
	return finish(&loader, out, errors);
}

enum lc_err lc_config_load(const struct lc_section *const *sections, size_t count,
	const struct lc_config_sources *sources, struct lc_config **out, struct lc_buf *errors)
{
	return load(sections, count, sources, sources->file, NULL, 0, out, errors);
}

enum lc_err lc_config_load_memory(const struct lc_section *const *sections, size_t count,
	const struct lc_config_sources *sources, const char *name, const char *data, size_t size,
	struct lc_config **out, struct lc_buf *errors)
{
	return load(sections, count, sources, name, data ? data : "", size, out, errors);
}

void lc_config_destroy(struct lc_config *config)
{
	if (config) {
		lc_config_arena_finish(&config->arena);
		free(config);
	}
}

const void *lc_config_section(const struct lc_config *config, const char *name)
{
	for (size_t s = 0; s < config->count; s++) {
		if (strcmp(config->sections[s]->name, name) == 0) {
			return config->structs[s];
		}
	}
	assert(!"a section that was not loaded");
	return NULL;
}

/* "section.key" of this table; NULL when there is none. */
static const struct lc_config_value *find_value(const struct lc_config *config, const char *name)
{
	size_t len = strcspn(name, ".");
	for (size_t s = 0; s < config->count; s++) {
		const struct lc_section *section = config->sections[s];
		bool same = strlen(section->name) == len && memcmp(section->name, name, len) == 0;
		for (size_t i = 0; same && i < section->count; i++) {
			if (strcmp(section->settings[i].key, name + len + 1) == 0) {
				return &config->values[s][i];
			}
		}
	}
	assert(!"a setting that is in no table");
	return NULL;
}

void lc_config_disagree(const struct lc_config *config, const char *a, const char *b,
	const char *message, struct lc_buf *errors)
{
	const struct lc_config_value *first = find_value(config, a),
				     *second = find_value(config, b);
	if (first->wrong || second->wrong) {
		return;
	}
	bool at_second = first->place.source == LC_FROM_DEFAULT;
	lc_config_write_place(at_second ? &second->place : &first->place, errors);
	lc_buf_printf(errors, "%s: %s\n", a, message);
}

static const char *shown_change(
	const struct lc_setting *setting, const struct lc_config_value *value)
{
	bool hide = setting->flags & LC_SETTING_SECRET && value->text[0];
	return hide ? "***" : value->shown;
}

void lc_config_diff(const struct lc_config *before, const struct lc_config *after,
	void (*each)(void *arg, const struct lc_config_change *change), void *arg)
{
	assert(before->count == after->count);
	for (size_t s = 0; s < after->count; s++) {
		assert(before->sections[s]->count == after->sections[s]->count);
		for (size_t i = 0; i < after->sections[s]->count; i++) {
			const struct lc_setting *setting = &after->sections[s]->settings[i];
			const struct lc_config_value *old = &before->values[s][i],
						     *new = &after->values[s][i];
			if (strcmp(old->text, new->text) != 0) {
				const struct lc_config_change change = {
					.section = after->sections[s]->name,
					.key = setting->key,
					.before = shown_change(setting, old),
					.after = shown_change(setting, new),
					.apply = setting->apply,
				};
				each(arg, &change);
			}
		}
	}
}

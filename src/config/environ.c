/* Environment variables: inside of values, and as settings. */
#include "config/config_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NESTING_MAX = 8, ENV_NAME_MAX = 160 };

static const char prefix[] = "LIVECORE_";
/* Variables of that prefix that are not settings. */
static const char *const others[] = {"LIVECORE_CONFIG", "LIVECORE_SECRETS", "LIVECORE_ZONEINFO",
	"LIVECORE_CACHE" /* where tools/ keep what they fetched */};

const char *lc_config_getenv(const char *const *environ, const char *name, size_t len)
{
	for (; environ && *environ; environ++) {
		if (strncmp(*environ, name, len) == 0 && (*environ)[len] == '=') {
			return *environ + len + 1;
		}
	}
	return NULL;
}

/* A reference inside of text: ${name} or ${name:-fallback}. */
struct reference {
	const char *name;
	size_t name_len;
	const char *fallback; /* NULL: none */
	size_t fallback_len;
	const char *end; /* behind the closing brace */
};

/* Where the brace that closes a reference is, its fallback's own references passed over; or
 * NULL. */
static const char *find_close(const char *at, const char *end)
{
	size_t depth = 0;
	for (; at < end; at++) {
		if (at[0] == '$' && at + 1 < end && (at[1] == '{' || at[1] == '$')) {
			depth += at[1] == '{';
			at++;
		} else if (*at == '}' && depth-- == 0) {
			return at;
		}
	}
	return NULL;
}

/* at is behind "${". */
static enum lc_err read_reference(
	const char *at, const char *end, struct reference *out, struct lc_error *err)
{
	const char *close = find_close(at, end);
	if (!close) {
		return lc_error_set(
			err, LC_ERR_INVALID, "\"${\" has no closing brace (write $$ for a dollar)");
	}
	const char *name = at;
	while (at < close && (isalnum((unsigned char)*at) || *at == '_')) {
		at++;
	}
	*out = (struct reference){.name = name, .name_len = (size_t)(at - name), .end = close + 1};
	if (at < close && at[0] == ':' && at[1] == '-') {
		out->fallback = at + 2;
		out->fallback_len = (size_t)(close - at - 2);
		at = close;
	}
	if (at != close || out->name_len == 0 || isdigit((unsigned char)name[0])) {
		return lc_error_set(err, LC_ERR_INVALID,
			"\"${...}\" must be ${VARIABLE} or ${VARIABLE:-default} (write $$ for a "
			"dollar)");
	}
	return LC_OK;
}

static enum lc_err substitute(const char *text, size_t len, size_t depth,
	const char *const *environ, struct lc_buf *out, struct lc_error *err);

static enum lc_err resolve(const struct reference *reference, size_t depth,
	const char *const *environ, struct lc_buf *out, struct lc_error *err)
{
	const char *value = lc_config_getenv(environ, reference->name, reference->name_len);
	/* As in a shell: with a default, empty is as good as not set. */
	if (value && (value[0] || !reference->fallback)) {
		lc_buf_puts(out, value);
		return LC_OK;
	}
	if (!reference->fallback) {
		int len = reference->name_len > 80 ? 80 : (int)reference->name_len;
		return lc_error_set(err, LC_ERR_INVALID,
			"the variable %.*s is not set: set it, or write ${%.*s:-default}", len,
			reference->name, len, reference->name);
	}
	if (depth == NESTING_MAX) {
		return lc_error_set(err, LC_ERR_INVALID, "\"${...}\" is nested too deeply");
	}
	return substitute(
		reference->fallback, reference->fallback_len, depth + 1, environ, out, err);
}

static enum lc_err substitute(const char *text, size_t len, size_t depth,
	const char *const *environ, struct lc_buf *out, struct lc_error *err)
{
	const char *end = text + len;
	while (text < end) {
		if (text[0] != '$' || text + 1 == end || (text[1] != '$' && text[1] != '{')) {
			lc_buf_putc(out, *text++);
			continue;
		}
		if (text[1] == '$') {
			lc_buf_putc(out, '$');
			text += 2;
			continue;
		}
		struct reference reference;
		enum lc_err code = read_reference(text + 2, end, &reference, err);
		if (code == LC_OK) {
			code = resolve(&reference, depth, environ, out, err);
		}
		if (code != LC_OK) {
			return code;
		}
		text = reference.end;
	}
	return LC_OK;
}

enum lc_err lc_config_substitute(
	const char *text, const char *const *environ, struct lc_buf *out, struct lc_error *err)
{
	enum lc_err code = substitute(text, strlen(text), 0, environ, out, err);
	if (code == LC_OK && out->failed) {
		code = lc_error_set(err, LC_ERR_TOO_LARGE, "longer than %zu bytes", out->limit);
	}
	return code;
}

static bool only_references(const char *text, size_t len, size_t depth)
{
	const char *end = text + len;
	while (text < end) {
		struct reference reference = {.end = end};
		if (end - text < 2 || text[0] != '$' || text[1] != '{' || depth == NESTING_MAX ||
			read_reference(text + 2, end, &reference, NULL) != LC_OK) {
			return false;
		}
		if (reference.fallback &&
			!only_references(reference.fallback, reference.fallback_len, depth + 1)) {
			return false;
		}
		text = reference.end;
	}
	return true;
}

bool lc_config_only_references(const char *text)
{
	return only_references(text, strlen(text), 0);
}

void lc_config_env_name(const char *section, const char *key, char *out, size_t size)
{
	snprintf(out, size, "%s%s_%s", prefix, section, key);
	for (; *out; out++) {
		*out = isalnum((unsigned char)*out) ? (char)toupper((unsigned char)*out) : '_';
	}
}

static bool is_other(const char *name)
{
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (strcmp(name, others[i]) == 0) {
			return true;
		}
	}
	return false;
}

static bool find_setting(
	const struct lc_config *config, const char *name, size_t *section, size_t *setting)
{
	char candidate[ENV_NAME_MAX];
	for (size_t s = 0; s < config->count; s++) {
		for (size_t i = 0; i < config->sections[s]->count; i++) {
			lc_config_env_name(config->sections[s]->name,
				config->sections[s]->settings[i].key, candidate, sizeof candidate);
			if (strcmp(candidate, name) == 0) {
				*section = s;
				*setting = i;
				return true;
			}
		}
	}
	return false;
}

static void complain_unknown(struct lc_config_loader *loader, struct lc_config_place place)
{
	char best[ENV_NAME_MAX] = "", candidate[ENV_NAME_MAX];
	struct lc_config_nearest nearest;
	lc_config_nearest_begin(&nearest, place.name + sizeof prefix - 1);
	const struct lc_config *config = loader->config;
	for (size_t s = 0; s < config->count; s++) {
		for (size_t i = 0; i < config->sections[s]->count; i++) {
			lc_config_env_name(config->sections[s]->name,
				config->sections[s]->settings[i].key, candidate, sizeof candidate);
			nearest.best = NULL;
			lc_config_nearest_offer(&nearest, candidate + sizeof prefix - 1);
			if (nearest.best) {
				memcpy(best, candidate, sizeof best);
			}
		}
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		nearest.best = NULL;
		lc_config_nearest_offer(&nearest, others[i] + sizeof prefix - 1);
		if (nearest.best) {
			snprintf(best, sizeof best, "%s", others[i]);
		}
	}
	lc_config_complain(&loader->report, place, "no setting has this variable%s%s%s",
		best[0] ? ": did you mean " : " (LIVECORE_SECTION_KEY)", best, best[0] ? "?" : "");
}

static void apply_variable(struct lc_config_loader *loader, const char *name, const char *value)
{
	struct lc_config_place place = {.source = LC_FROM_ENVIRON, .name = name};
	size_t section, setting;
	if (!find_setting(loader->config, name, &section, &setting)) {
		complain_unknown(loader, place);
	} else if (value[0]) {
		lc_config_apply_text(loader, section, setting, value, place);
	}
}

void lc_config_apply_environ(struct lc_config_loader *loader)
{
	for (const char *const *at = loader->environ; at && *at; at++) {
		const char *equals = strchr(*at, '=');
		if (!equals || strncmp(*at, prefix, sizeof prefix - 1) != 0) {
			continue;
		}
		/* In the configuration's memory: a value remembers where it came from. */
		char *name = lc_config_copy(&loader->config->arena, *at, (size_t)(equals - *at));
		if (name && !is_other(name)) {
			apply_variable(loader, name, equals + 1);
		}
	}
}

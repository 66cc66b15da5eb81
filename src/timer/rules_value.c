#include "timer/rules_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_MIN_MS INT64_C(1000)
#define GRACE_MAX_MS (INT64_C(7) * 86400 * 1000)

char *reading_copy(struct reading *reading, const char *text)
{
	char *copy = strdup(text);
	reading->nomem |= !copy;
	return copy;
}

/* "did you mean x?", or "there are a, b, c". */
static const char *advice(const char *text, const char *const *names, char *out, size_t size)
{
	const char *nearest = lc_yaml_nearest(text, names);
	if (nearest) {
		snprintf(out, size, "did you mean %s?", nearest);
		return out;
	}
	size_t len = (size_t)snprintf(out, size, "there are");
	for (size_t i = 0; names[i] && len < size; i++) {
		len += (size_t)snprintf(out + len, size - len, "%s %s", i ? "," : "", names[i]);
	}
	return out;
}

void reading_unknown_key(struct reading *reading, const struct lc_yaml_node *node,
	const char *where, const char *const *names)
{
	char shown[READING_SHOWN_MAX], text[512];
	lc_yaml_complain_key(reading->yaml, node, "unknown key \"%s\" in %s: %s",
		lc_yaml_shown(node->key, shown, sizeof shown), where,
		advice(node->key, names, text, sizeof text));
}

void reading_unknown_value(struct reading *reading, const struct lc_yaml_node *node,
	const char *what, const char *const *names)
{
	char shown[READING_SHOWN_MAX], text[512];
	lc_yaml_complain(reading->yaml, node, "unknown %s \"%s\": %s", what,
		lc_yaml_shown(node->text, shown, sizeof shown),
		advice(node->text, names, text, sizeof text));
}

static bool is_one_of(const char *text, const char *const *names)
{
	while (*names && strcmp(text, *names) != 0) {
		names++;
	}
	return *names != NULL;
}

bool reading_mapping(struct reading *reading, const struct lc_yaml_node *node, const char *where,
	const char *const *keys)
{
	if (node->kind != LC_YAML_MAPPING) {
		lc_yaml_complain(reading->yaml, node, "%s is a mapping (key: value)", where);
		return false;
	}
	for (const struct lc_yaml_node *at = node->first; at; at = at->next) {
		if (!is_one_of(at->key, keys)) {
			reading_unknown_key(reading, at, where, keys);
		}
	}
	return true;
}

const char *reading_text(struct reading *reading, const struct lc_yaml_node *node, const char *what)
{
	if (node->kind != LC_YAML_SCALAR) {
		lc_yaml_complain(reading->yaml, node, "%s is a text, not a list or mapping", what);
	} else if (lc_yaml_is_null(node) || node->text[0] == '\0') {
		lc_yaml_complain(reading->yaml, node, "%s is empty", what);
	} else {
		return node->text;
	}
	return NULL;
}

void reading_bool(struct reading *reading, const struct lc_yaml_node *node, bool *out)
{
	struct lc_error err;
	if (node && !lc_yaml_is_null(node) && lc_yaml_bool(node, out, &err) != LC_OK) {
		lc_yaml_complain(reading->yaml, node, "%s: %s", node->key, err.text);
	}
}

static bool bare_seconds(const char *text, int64_t *ms)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 9 || text[digits]) {
		return false;
	}
	*ms = strtoll(text, NULL, 10) * 1000;
	return true;
}

void reading_grace(struct reading *reading, const struct lc_yaml_node *node, int64_t *ms)
{
	struct lc_error err;
	int64_t value;
	if (!node || lc_yaml_is_null(node)) {
		return;
	}
	bool bare = node->kind == LC_YAML_SCALAR && bare_seconds(node->text, &value);
	if (!bare && lc_yaml_duration(node, &value, &err) != LC_OK) {
		lc_yaml_complain(reading->yaml, node,
			"misfire_grace: %s (a bare number is seconds)", err.text);
	} else if (value < GRACE_MIN_MS || value > GRACE_MAX_MS) {
		lc_yaml_complain(reading->yaml, node, "misfire_grace is 1s to 168h");
	} else {
		*ms = value;
	}
}

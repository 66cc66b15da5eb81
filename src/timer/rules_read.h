/* Between the walk through a rules file (rules_read.c) and its single values (rules_value.c). */
#pragma once

#include "timer/rules.h"

enum { READING_COMMANDS_MAX = 128, READING_SHOWN_MAX = 256 };

/* One reading of a file. */
struct reading {
	struct lc_yaml *yaml;
	struct timer_rules *rules;
	const char *commands[READING_COMMANDS_MAX + 1]; /* that may be sent; ends with NULL */
	size_t command_count;
	bool nomem;
};

/* A copy of text; on no memory nomem is set. */
char *reading_copy(struct reading *reading, const char *text);

/* Complains about a key or a scalar that is none of names (ends with NULL), with the one that was
 * meant. what: "key", "command". */
void reading_unknown_key(struct reading *reading, const struct lc_yaml_node *node,
	const char *where, const char *const *names);
void reading_unknown_value(struct reading *reading, const struct lc_yaml_node *node,
	const char *what, const char *const *names);
/* Is node a mapping with no other keys than these? Complains otherwise. */
bool reading_mapping(struct reading *reading, const struct lc_yaml_node *node, const char *where,
	const char *const *keys);

/* A scalar's text, or NULL after a complaint: empty, or no scalar. */
const char *reading_text(
	struct reading *reading, const struct lc_yaml_node *node, const char *what);
/* node NULL or null: *out is left as it is. */
void reading_bool(struct reading *reading, const struct lc_yaml_node *node, bool *out);
/* A duration; a bare number is seconds, as in the old scheduler's misfire_grace_time. */
void reading_grace(struct reading *reading, const struct lc_yaml_node *node, int64_t *ms);

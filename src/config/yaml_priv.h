/* Between the events of a document (yaml.c) and the tree they build (yaml_tree.c). */
#pragma once

#include "config/config_priv.h"

#include <yaml.h>

enum { LC_YAML_ANCHORS_MAX = 100 };

struct lc_yaml_frame {
	struct lc_yaml_node *container;
	const char *key; /* of a mapping: read, and waiting for its value */
	int key_line, key_column;
};

struct lc_yaml_anchor {
	const char *name;
	const struct lc_yaml_node *node;
};

struct lc_yaml_builder {
	struct lc_config_arena *arena;
	struct lc_config_report *report;
	struct lc_config_place place;
	struct lc_yaml_node *root;
	struct lc_yaml_frame stack[LC_YAML_DEPTH_MAX];
	size_t depth, nodes, documents;
	struct lc_yaml_anchor anchors[LC_YAML_ANCHORS_MAX];
	size_t anchor_count;
	bool failed;
};

/* Complains at mark; the document is given up. */
void lc_yaml_fail(struct lc_yaml_builder *b, yaml_mark_t mark, const char *message);
/* The container that is open, or NULL. */
struct lc_yaml_frame *lc_yaml_top(struct lc_yaml_builder *b);
/* Whether the next event is a mapping's key. */
bool lc_yaml_wants_key(struct lc_yaml_builder *b);
/* NULL, and failed, when memory or the count of values is used up. */
struct lc_yaml_node *lc_yaml_node_new(
	struct lc_yaml_builder *b, enum lc_yaml_kind kind, yaml_mark_t mark);
/* Puts a node into the open container, or complains and leaves it out when its key is a
 * duplicate. */
void lc_yaml_attach(struct lc_yaml_builder *b, struct lc_yaml_node *node);
/* name may be NULL: no anchor. */
void lc_yaml_note_anchor(struct lc_yaml_builder *b, const yaml_char_t *name, yaml_mark_t mark,
	const struct lc_yaml_node *node);
/* Attaches a copy of what the anchor names. */
void lc_yaml_alias(struct lc_yaml_builder *b, const char *name, yaml_mark_t mark);

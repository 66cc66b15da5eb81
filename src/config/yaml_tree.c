/* The tree that the events build: nodes, keys, anchors and their copies. */
#include "config/yaml_priv.h"

#include <string.h>

void lc_yaml_fail(struct lc_yaml_builder *b, yaml_mark_t mark, const char *message)
{
	struct lc_config_place place = b->place;
	place.line = (int)mark.line + 1;
	place.column = (int)mark.column + 1;
	lc_config_complain(b->report, place, "%s", message);
	b->failed = true;
}

struct lc_yaml_frame *lc_yaml_top(struct lc_yaml_builder *b)
{
	return b->depth > 0 ? &b->stack[b->depth - 1] : NULL;
}

bool lc_yaml_wants_key(struct lc_yaml_builder *b)
{
	return b->depth > 0 && lc_yaml_top(b)->container->kind == LC_YAML_MAPPING &&
	       !lc_yaml_top(b)->key;
}

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u;
	for (; *text; text++) {
		h = (h ^ (unsigned char)*text) * 16777619u;
	}
	return h;
}

struct lc_yaml_node *lc_yaml_node_new(
	struct lc_yaml_builder *b, enum lc_yaml_kind kind, yaml_mark_t mark)
{
	if (++b->nodes > LC_YAML_NODES_MAX) {
		lc_yaml_fail(
			b, mark, "too many values (20,000 at most, aliases counted each time)");
		return NULL;
	}
	struct lc_yaml_node *node = lc_config_alloc(b->arena, sizeof *node);
	if (!node) {
		b->failed = true;
		return NULL;
	}
	node->kind = kind;
	node->line = (int)mark.line + 1;
	node->column = (int)mark.column + 1;
	return node;
}

static const struct lc_yaml_node *find_key(
	const struct lc_yaml_node *mapping, const char *key, uint32_t key_hash)
{
	for (const struct lc_yaml_node *at = mapping->first; at; at = at->next) {
		if (at->key_hash == key_hash && strcmp(at->key, key) == 0) {
			return at;
		}
	}
	return NULL;
}

/* Returns false when the node's key is there already: the first one stays. */
static bool take_key(
	struct lc_yaml_builder *b, struct lc_yaml_frame *frame, struct lc_yaml_node *node)
{
	node->key = frame->key;
	node->key_hash = hash(frame->key);
	node->key_line = frame->key_line;
	node->key_column = frame->key_column;
	frame->key = NULL;
	const struct lc_yaml_node *first = find_key(frame->container, node->key, node->key_hash);
	if (!first) {
		return true;
	}
	struct lc_config_place place = b->place;
	place.line = node->key_line;
	place.column = node->key_column;
	char shown[256];
	lc_config_complain(b->report, place, "duplicate key \"%s\" (first on line %d)",
		lc_config_shown(node->key, shown, sizeof shown), first->key_line);
	return false;
}

static void add_child(struct lc_yaml_node *container, struct lc_yaml_node *node)
{
	if (container->last) {
		container->last->next = node;
	} else {
		container->first = node;
	}
	container->last = node;
	container->count++;
}

void lc_yaml_attach(struct lc_yaml_builder *b, struct lc_yaml_node *node)
{
	struct lc_yaml_frame *frame = lc_yaml_top(b);
	if (!frame) {
		b->root = node;
	} else if (frame->container->kind != LC_YAML_MAPPING || take_key(b, frame, node)) {
		add_child(frame->container, node);
	}
}

void lc_yaml_note_anchor(struct lc_yaml_builder *b, const yaml_char_t *name, yaml_mark_t mark,
	const struct lc_yaml_node *node)
{
	if (!name || b->failed) {
		return;
	}
	if (b->anchor_count == LC_YAML_ANCHORS_MAX) {
		lc_yaml_fail(b, mark, "too many anchors (100 at most)");
		return;
	}
	const char *text = (const char *)name;
	char *copy = lc_config_copy(b->arena, text, strlen(text));
	if (!copy) {
		b->failed = true;
		return;
	}
	b->anchors[b->anchor_count++] = (struct lc_yaml_anchor){.name = copy, .node = node};
}

/* A copy of an anchor's node at the alias's place: nodes are in one list each. */
static struct lc_yaml_node *clone(
	struct lc_yaml_builder *b, const struct lc_yaml_node *from, yaml_mark_t mark, size_t depth)
{
	if (depth > LC_YAML_DEPTH_MAX) {
		lc_yaml_fail(b, mark, "nested too deeply through aliases (16 levels at most)");
		return NULL;
	}
	struct lc_yaml_node *node = lc_yaml_node_new(b, from->kind, mark);
	if (!node) {
		return NULL;
	}
	node->plain = from->plain;
	node->text = from->text;
	for (const struct lc_yaml_node *at = from->first; at; at = at->next) {
		struct lc_yaml_node *child = clone(b, at, mark, depth + 1);
		if (!child) {
			return NULL;
		}
		child->key = at->key;
		child->key_hash = at->key_hash;
		child->key_line = node->line;
		child->key_column = node->column;
		add_child(node, child);
	}
	return node;
}

static bool is_open(const struct lc_yaml_builder *b, const struct lc_yaml_node *node)
{
	for (size_t i = 0; i < b->depth; i++) {
		if (b->stack[i].container == node) {
			return true;
		}
	}
	return false;
}

void lc_yaml_alias(struct lc_yaml_builder *b, const char *name, yaml_mark_t mark)
{
	const struct lc_yaml_node *node = NULL;
	/* An anchor may be set again: the newest counts. */
	for (size_t i = b->anchor_count; i > 0 && !node; i--) {
		if (strcmp(b->anchors[i - 1].name, name) == 0) {
			node = b->anchors[i - 1].node;
		}
	}
	if (!node) {
		lc_yaml_fail(
			b, mark, "an alias (*name) of an anchor (&name) that is not set above");
	} else if (is_open(b, node)) {
		lc_yaml_fail(b, mark, "an alias inside of its own anchor");
	} else if (lc_yaml_wants_key(b)) {
		lc_yaml_fail(b, mark, "a key must be a plain text, not an alias");
	} else {
		struct lc_yaml_node *copy = clone(b, node, mark, b->depth);
		if (copy) {
			lc_yaml_attach(b, copy);
		}
	}
}

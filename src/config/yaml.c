/* YAML to a tree with positions, over libyaml's events: what a document may hold is bounded here. */
#include "config/config_priv.h"

#include <string.h>
#include <yaml.h>

enum { ANCHORS_MAX = 100 };

struct frame {
	struct lc_yaml_node *container;
	const char *key; /* of a mapping: read, and waiting for its value */
	int key_line, key_column;
	bool dropped; /* the container is not part of the tree: its key was a duplicate */
};

struct anchor {
	const char *name;
	const struct lc_yaml_node *node;
};

struct builder {
	struct lc_config_arena *arena;
	struct lc_config_report *report;
	struct lc_config_place place;
	struct lc_yaml_node *root;
	struct frame stack[LC_YAML_DEPTH_MAX];
	size_t depth, nodes, documents;
	struct anchor anchors[ANCHORS_MAX];
	size_t anchor_count;
	bool failed;
};

static void fail(struct builder *b, yaml_mark_t mark, const char *message)
{
	struct lc_config_place place = b->place;
	place.line = (int)mark.line + 1;
	place.column = (int)mark.column + 1;
	lc_config_complain(b->report, place, "%s", message);
	b->failed = true;
}

static struct frame *top(struct builder *b)
{
	return b->depth > 0 ? &b->stack[b->depth - 1] : NULL;
}

static bool wants_key(struct builder *b)
{
	return b->depth > 0 && top(b)->container->kind == LC_YAML_MAPPING && !top(b)->key;
}

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u;
	for (; *text; text++) {
		h = (h ^ (unsigned char)*text) * 16777619u;
	}
	return h;
}

static struct lc_yaml_node *new_node(struct builder *b, enum lc_yaml_kind kind, yaml_mark_t mark)
{
	if (++b->nodes > LC_YAML_NODES_MAX) {
		fail(b, mark, "too many values (20,000 at most, aliases counted each time)");
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
static bool take_key(struct builder *b, struct frame *frame, struct lc_yaml_node *node)
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

/* Returns whether the node is in the tree now. */
static bool attach(struct builder *b, struct lc_yaml_node *node)
{
	struct frame *frame = top(b);
	if (!frame) {
		b->root = node;
		return true;
	}
	if (frame->container->kind == LC_YAML_MAPPING && !take_key(b, frame, node)) {
		return false;
	}
	add_child(frame->container, node);
	return !frame->dropped;
}

static void note_anchor(struct builder *b, const yaml_char_t *name, yaml_mark_t mark,
	const struct lc_yaml_node *node)
{
	if (!name || b->failed) {
		return;
	}
	if (b->anchor_count == ANCHORS_MAX) {
		fail(b, mark, "too many anchors (100 at most)");
		return;
	}
	const char *text = (const char *)name;
	char *copy = lc_config_copy(b->arena, text, strlen(text));
	if (!copy) {
		b->failed = true;
		return;
	}
	b->anchors[b->anchor_count++] = (struct anchor){.name = copy, .node = node};
}

/* Only the types that YAML itself knows: they change nothing, the table gives the type. */
static void check_tag(struct builder *b, const yaml_char_t *tag, yaml_mark_t mark)
{
	static const char yaml_tags[] = "tag:yaml.org,2002:";
	if (tag && strncmp((const char *)tag, yaml_tags, sizeof yaml_tags - 1) != 0) {
		fail(b, mark, "tags (!name) have no meaning here: remove it");
	}
}

static void on_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	check_tag(b, event->data.scalar.tag, event->start_mark);
	if (memchr(text, 0, len)) {
		fail(b, event->start_mark, "a NUL byte in a text");
	}
	char *copy = lc_config_copy(b->arena, text, len);
	if (!copy || b->failed) {
		b->failed = true;
		return;
	}
	if (wants_key(b)) {
		top(b)->key = copy;
		top(b)->key_line = (int)event->start_mark.line + 1;
		top(b)->key_column = (int)event->start_mark.column + 1;
		return;
	}
	struct lc_yaml_node *node = new_node(b, LC_YAML_SCALAR, event->start_mark);
	if (!node) {
		return;
	}
	node->text = copy;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	attach(b, node);
	note_anchor(b, event->data.scalar.anchor, event->start_mark, node);
}

static void on_container(struct builder *b, enum lc_yaml_kind kind, const yaml_event_t *event,
	const yaml_char_t *anchor, const yaml_char_t *tag)
{
	check_tag(b, tag, event->start_mark);
	if (wants_key(b)) {
		fail(b, event->start_mark, "a key must be a plain text");
	} else if (b->depth == LC_YAML_DEPTH_MAX) {
		fail(b, event->start_mark, "nested too deeply (16 levels at most)");
	}
	if (b->failed) {
		return;
	}
	struct lc_yaml_node *node = new_node(b, kind, event->start_mark);
	if (!node) {
		return;
	}
	bool attached = attach(b, node);
	b->stack[b->depth++] = (struct frame){.container = node, .dropped = !attached};
	note_anchor(b, anchor, event->start_mark, node);
}

/* A copy of an anchor's node at the alias's place: nodes are in one list each. */
static struct lc_yaml_node *clone(
	struct builder *b, const struct lc_yaml_node *from, yaml_mark_t mark, size_t depth)
{
	if (depth > LC_YAML_DEPTH_MAX) {
		fail(b, mark, "nested too deeply through aliases (16 levels at most)");
		return NULL;
	}
	struct lc_yaml_node *node = new_node(b, from->kind, mark);
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

static bool is_open(const struct builder *b, const struct lc_yaml_node *node)
{
	for (size_t i = 0; i < b->depth; i++) {
		if (b->stack[i].container == node) {
			return true;
		}
	}
	return false;
}

static void on_alias(struct builder *b, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct lc_yaml_node *node = NULL;
	/* An anchor may be set again: the newest counts. */
	for (size_t i = b->anchor_count; i > 0 && !node; i--) {
		if (strcmp(b->anchors[i - 1].name, name) == 0) {
			node = b->anchors[i - 1].node;
		}
	}
	if (!node) {
		fail(b, event->start_mark,
			"an alias (*name) of an anchor (&name) that is not set above");
	} else if (is_open(b, node)) {
		fail(b, event->start_mark, "an alias inside of its own anchor");
	} else if (wants_key(b)) {
		fail(b, event->start_mark, "a key must be a plain text, not an alias");
	} else {
		struct lc_yaml_node *copy = clone(b, node, event->start_mark, b->depth);
		if (copy) {
			attach(b, copy);
		}
	}
}

static void on_document(struct builder *b, const yaml_event_t *event)
{
	if (++b->documents > 1) {
		fail(b, event->start_mark, "a second document (---): one file holds one");
	}
}

static void on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		on_document(b, event);
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(b, event);
		break;
	case YAML_ALIAS_EVENT:
		on_alias(b, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		on_container(b, LC_YAML_SEQUENCE, event, event->data.sequence_start.anchor,
			event->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		on_container(b, LC_YAML_MAPPING, event, event->data.mapping_start.anchor,
			event->data.mapping_start.tag);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		break;
	default:
		break;
	}
}

static yaml_mark_t mark_at(const char *data, size_t offset)
{
	yaml_mark_t mark = {.index = offset};
	for (size_t i = 0; i < offset; i++) {
		if (data[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)data[i] & 0xC0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

static void on_syntax_error(struct builder *b, const yaml_parser_t *parser, const char *data)
{
	char text[300];
	const char *problem = parser->problem ? parser->problem : "not YAML";
	if (parser->error == YAML_MEMORY_ERROR) {
		b->arena->failed = true;
		b->failed = true;
	} else if (parser->error == YAML_READER_ERROR) {
		/* The reader knows the offset only. */
		fail(b, mark_at(data, parser->problem_offset), problem);
	} else if (parser->context) {
		snprintf(text, sizeof text, "YAML syntax: %s (%s)", problem, parser->context);
		fail(b, parser->problem_mark, text);
	} else {
		snprintf(text, sizeof text, "YAML syntax: %s", problem);
		fail(b, parser->problem_mark, text);
	}
}

static void parse(struct builder *b, const char *data, size_t size)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser)) {
		b->arena->failed = true;
		b->failed = true;
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)data, size);
	for (bool end = false; !end && !b->failed;) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			on_syntax_error(b, &parser, data);
			break;
		}
		on_event(b, &event);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

bool lc_yaml_parse(struct lc_config_arena *arena, struct lc_config_report *report,
	struct lc_config_place place, const char *data, size_t size, struct lc_yaml_node **root)
{
	struct builder b = {.arena = arena, .report = report, .place = place};
	*root = NULL;
	if (size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
		data += 3;
		size -= 3;
	}
	size_t good = lc_config_utf8_span(data, size);
	if (size > LC_CONFIG_FILE_MAX) {
		fail(&b, (yaml_mark_t){0}, "larger than 1 MB");
	} else if (good < size) {
		fail(&b, mark_at(data, good), data[good] ? "not UTF-8" : "a NUL byte");
	} else {
		parse(&b, data, size);
	}
	if (b.failed) {
		return false;
	}
	*root = b.root;
	return true;
}

bool lc_yaml_is_null(const struct lc_yaml_node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	for (size_t i = 0; node->kind == LC_YAML_SCALAR && i < sizeof nulls / sizeof *nulls; i++) {
		if (node->plain && strcmp(node->text, nulls[i]) == 0) {
			return true;
		}
	}
	return false;
}

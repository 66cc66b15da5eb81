/* YAML to a tree with positions, over libyaml's events: what a document may hold is bounded
 * here. */
#include "config/yaml_priv.h"

#include <string.h>

/* Only the types that YAML itself knows: they change nothing, the table gives the type. */
static void check_tag(struct lc_yaml_builder *b, const yaml_char_t *tag, yaml_mark_t mark)
{
	static const char yaml_tags[] = "tag:yaml.org,2002:";
	if (tag && strncmp((const char *)tag, yaml_tags, sizeof yaml_tags - 1) != 0) {
		lc_yaml_fail(b, mark, "tags (!name) have no meaning here: remove it");
	}
}

static void on_scalar(struct lc_yaml_builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	check_tag(b, event->data.scalar.tag, event->start_mark);
	if (memchr(text, 0, len)) {
		lc_yaml_fail(b, event->start_mark, "a NUL byte in a text");
	}
	char *copy = lc_config_copy(b->arena, text, len);
	if (!copy || b->failed) {
		b->failed = true;
		return;
	}
	if (lc_yaml_wants_key(b)) {
		lc_yaml_top(b)->key = copy;
		lc_yaml_top(b)->key_line = (int)event->start_mark.line + 1;
		lc_yaml_top(b)->key_column = (int)event->start_mark.column + 1;
		return;
	}
	struct lc_yaml_node *node = lc_yaml_node_new(b, LC_YAML_SCALAR, event->start_mark);
	if (!node) {
		return;
	}
	node->text = copy;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	lc_yaml_attach(b, node);
	lc_yaml_note_anchor(b, event->data.scalar.anchor, event->start_mark, node);
}

static void on_container(struct lc_yaml_builder *b, enum lc_yaml_kind kind,
	const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	check_tag(b, tag, event->start_mark);
	if (lc_yaml_wants_key(b)) {
		lc_yaml_fail(b, event->start_mark, "a key must be a plain text");
	} else if (b->depth == LC_YAML_DEPTH_MAX) {
		lc_yaml_fail(b, event->start_mark, "nested too deeply (16 levels at most)");
	}
	if (b->failed) {
		return;
	}
	struct lc_yaml_node *node = lc_yaml_node_new(b, kind, event->start_mark);
	if (!node) {
		return;
	}
	lc_yaml_attach(b, node);
	b->stack[b->depth++] = (struct lc_yaml_frame){.container = node};
	lc_yaml_note_anchor(b, anchor, event->start_mark, node);
}

static void on_document(struct lc_yaml_builder *b, const yaml_event_t *event)
{
	if (++b->documents > 1) {
		lc_yaml_fail(b, event->start_mark, "a second document (---): one file holds one");
	}
}

static void on_event(struct lc_yaml_builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		on_document(b, event);
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(b, event);
		break;
	case YAML_ALIAS_EVENT:
		lc_yaml_alias(b, (const char *)event->data.alias.anchor, event->start_mark);
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

static yaml_mark_t mark_at(const char *data, size_t size, size_t offset)
{
	yaml_mark_t mark = {.index = offset};
	for (size_t i = 0; i < offset && i < size; i++) {
		if (data[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)data[i] & 0xC0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* The mistakes that people make, whose names in YAML say little to them. */
static const char *advice(const char *problem, const char *context)
{
	if (strstr(context, "scanning an alias") || strstr(context, "scanning an anchor")) {
		return ": a value that begins with * or & stands in quotes";
	}
	if (strstr(problem, "cannot start any token")) {
		return ": indent with spaces, not tabs; a value that begins with @, % or ` stands "
		       "in quotes";
	}
	if (strstr(problem, "mapping values are not allowed")) {
		return ": a value that holds \": \" stands in quotes; keys of a section begin in "
		       "the same column";
	}
	return "";
}

static void on_syntax_error(
	struct lc_yaml_builder *b, const yaml_parser_t *parser, const char *data, size_t size)
{
	char text[400];
	const char *problem = parser->problem ? parser->problem : "not YAML";
	const char *hint = advice(problem, parser->context ? parser->context : "");
	if (parser->error == YAML_MEMORY_ERROR) {
		b->arena->failed = true;
		b->failed = true;
	} else if (parser->error == YAML_READER_ERROR) {
		/* The reader knows the offset only. */
		lc_yaml_fail(b, mark_at(data, size, parser->problem_offset), problem);
	} else if (parser->context) {
		snprintf(text, sizeof text, "YAML syntax: %s (%s)%s", problem, parser->context,
			hint);
		lc_yaml_fail(b, parser->problem_mark, text);
	} else {
		snprintf(text, sizeof text, "YAML syntax: %s%s", problem, hint);
		lc_yaml_fail(b, parser->problem_mark, text);
	}
}

static void parse(struct lc_yaml_builder *b, const char *data, size_t size)
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
			on_syntax_error(b, &parser, data, size);
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
	struct lc_yaml_builder b = {.arena = arena, .report = report, .place = place};
	*root = NULL;
	if (size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
		data += 3;
		size -= 3;
	}
	size_t good = lc_config_utf8_span(data, size);
	if (size > LC_CONFIG_FILE_MAX) {
		lc_yaml_fail(&b, (yaml_mark_t){0}, "larger than 1 MB");
	} else if (good < size) {
		lc_yaml_fail(
			&b, mark_at(data, size, good), data[good] ? "not UTF-8" : "a NUL byte");
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

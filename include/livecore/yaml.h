/* A YAML file as a tree with positions, for files that are not settings (the timer's rules): its
 * reader walks the tree and complains at nodes, so that every mistake is told at once. Any one
 * thread. Bounded as settings are (1 MB, 16 levels, 20,000 values, UTF-8). ${VAR} means nothing
 * here. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lc_yaml_kind { LC_YAML_SCALAR, LC_YAML_SEQUENCE, LC_YAML_MAPPING };

/* A value of the file; its parent's children are a list in file order. Nodes and texts live as long
 * as the document. */
struct lc_yaml_node {
	enum lc_yaml_kind kind;
	bool plain;       /* a scalar without quotes */
	int line, column; /* from 1 */
	const char *text; /* a scalar's */
	const char *key;  /* in a mapping */
	uint32_t key_hash;
	int key_line, key_column;
	size_t count; /* children */
	struct lc_yaml_node *first, *last, *next;
};

/* A plain `~`, `null` or nothing. */
bool lc_yaml_is_null(const struct lc_yaml_node *node);

struct lc_yaml;

/* The document is there also when reading failed: it then holds what is wrong. Only LC_ERR_NOMEM
 * leaves none. LC_ERR_INVALID: the file cannot be read, or is no YAML. */
enum lc_err lc_yaml_read_file(const char *path, struct lc_yaml **out);
/* The same of bytes; name stands where a file's path does. */
enum lc_err lc_yaml_read_text(
	const char *name, const char *data, size_t size, struct lc_yaml **out);
void lc_yaml_destroy(struct lc_yaml *yaml);

/* NULL: an empty document, or one that could not be read. */
const struct lc_yaml_node *lc_yaml_root(const struct lc_yaml *yaml);
/* The value of a mapping's key, or NULL; NULL too when node is no mapping. */
const struct lc_yaml_node *lc_yaml_get(const struct lc_yaml_node *node, const char *key);

/* A scalar as settings are written: true/yes/on/1, and durations ("500ms", "5m") in ms.
 * LC_ERR_INVALID: err says what is allowed. */
enum lc_err lc_yaml_bool(const struct lc_yaml_node *node, bool *out, struct lc_error *err);
enum lc_err lc_yaml_duration(const struct lc_yaml_node *node, int64_t *ms, struct lc_error *err);

/* Complaints, at a value and at a value's key. What they quote of the file must have gone through
 * lc_yaml_shown(). node NULL: the file as a whole. */
void lc_yaml_complain(struct lc_yaml *yaml, const struct lc_yaml_node *node, const char *format,
	...) __attribute__((format(printf, 3, 4)));
void lc_yaml_complain_key(struct lc_yaml *yaml, const struct lc_yaml_node *node, const char *format,
	...) __attribute__((format(printf, 3, 4)));
/* text without control characters and not too long, in out, which it returns. */
const char *lc_yaml_shown(const char *text, char *out, size_t size);
/* The name that was meant, or NULL when none is near. names ends with NULL. */
const char *lc_yaml_nearest(const char *text, const char *const *names);

/* How many complaints there are, and all of them, one a line: `file:line:column: message`. */
size_t lc_yaml_error_count(const struct lc_yaml *yaml);
void lc_yaml_errors(const struct lc_yaml *yaml, struct lc_buf *out);

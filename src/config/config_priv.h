/* What the files of this folder share: the memory, the errors, the YAML tree and the loaded
 * values. */
#pragma once

#include "livecore/config.h"
#include "livecore/yaml.h"

#include <stdarg.h>

/* Memory that goes in one piece. Allocations are zeroed; it is wiped when it goes, as it held
 * secrets. */
struct lc_config_arena {
	struct lc_config_chunk *chunks; /* owned; the newest first */
	size_t total;                   /* bytes handed out */
	size_t limit;
	bool failed; /* an allocation did not succeed: every later one fails too */
};

void lc_config_arena_init(struct lc_config_arena *arena, size_t limit_bytes);
void lc_config_arena_finish(struct lc_config_arena *arena);
/* NULL when memory or the limit ran out. */
void *lc_config_alloc(struct lc_config_arena *arena, size_t size);
/* A copy with a NUL behind it, or NULL. */
char *lc_config_copy(struct lc_config_arena *arena, const char *text, size_t len);
/* The buffer's content as a copy; NULL when the buffer failed. Finishes the buffer. */
char *lc_config_take(struct lc_config_arena *arena, struct lc_buf *buf);

/* Weakest first. */
enum lc_config_source {
	LC_FROM_DEFAULT,
	LC_FROM_FILE,
	LC_FROM_SECRETS,
	LC_FROM_ENVIRON,
	LC_FROM_SET,
};

/* Where a value or an error is. */
struct lc_config_place {
	enum lc_config_source source;
	const char *name; /* borrowed: the path, the variable's name, or "--set" */
	int line, column; /* from 1; 0: none */
};

/* The errors of one load, by source and position. */
struct lc_config_report {
	struct lc_config_arena *arena; /* borrowed */
	struct lc_config_complaint *first;
	size_t count; /* complaints beyond LC_CONFIG_ERRORS_MAX are counted only */
};

enum { LC_CONFIG_ERRORS_MAX = 200 };

void lc_config_complain(struct lc_config_report *report, struct lc_config_place place,
	const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "file:12:3: ". */
void lc_config_write_place(const struct lc_config_place *place, struct lc_buf *out);
void lc_config_report_write(const struct lc_config_report *report, struct lc_buf *out);

/* Appends at most max bytes of text with control characters as \xNN, so that a file cannot drive
 * the terminal. */
void lc_config_escape(struct lc_buf *buf, const char *text, size_t max);
/* The same into out[size], which it returns. */
const char *lc_config_shown(const char *text, char *out, size_t size);

/* The offset of the first byte that is not UTF-8 or is NUL; size when there is none. */
size_t lc_config_utf8_span(const char *data, size_t size);

/* The candidate that is nearest to word by Damerau-Levenshtein distance, without regard to case, or
 * NULL when none is near enough to be what was meant. Call begin, then offer for each candidate. */
struct lc_config_nearest {
	const char *word;
	const char *best; /* borrowed from the candidates */
	size_t distance;
};
void lc_config_nearest_begin(struct lc_config_nearest *nearest, const char *word);
void lc_config_nearest_offer(struct lc_config_nearest *nearest, const char *candidate);

enum { LC_CONFIG_FILE_MAX = 1024 * 1024, LC_YAML_DEPTH_MAX = 16, LC_YAML_NODES_MAX = 20000 };

/* Parses data (UTF-8, checked) into a tree in arena. *root is NULL for an empty document. place
 * says the source and the name. Returns false after a complaint that leaves no tree; a duplicate
 * key is complained about and left out of the tree. */
bool lc_yaml_parse(struct lc_config_arena *arena, struct lc_config_report *report,
	struct lc_config_place place, const char *data, size_t size, struct lc_yaml_node **root);
/* Reads a regular file of at most LC_CONFIG_FILE_MAX bytes into arena. Returns false after a
 * complaint. secret: also refuses a file that others may read or write, or that is not ours or
 * root's. */
bool lc_config_read_file(struct lc_config_arena *arena, struct lc_config_report *report,
	struct lc_config_place place, bool secret, char **data, size_t *size);

/* The value of a variable in a NULL-terminated "NAME=value" array (may be NULL), or NULL. */
const char *lc_config_getenv(const char *const *environ, const char *name, size_t len);
/* Replaces ${VAR}, ${VAR:-default} and $$ in text, appending to out. LC_ERR_INVALID and a sentence
 * when a variable is not set or the syntax is broken. */
enum lc_err lc_config_substitute(
	const char *text, const char *const *environ, struct lc_buf *out, struct lc_error *err);
/* Whether text is nothing but references to variables (their defaults included): what a secret in
 * the main file must be. */
bool lc_config_only_references(const char *text);
/* LIVECORE_SECTION_KEY into out. */
void lc_config_env_name(const char *section, const char *key, char *out, size_t size);

/* Reads text as a bool, number, duration, size or choice and stores it at slot. err says what is
 * wrong, without the setting's name. */
enum lc_err lc_config_parse_scalar(
	const struct lc_setting *setting, const char *text, void *slot, struct lc_error *err);
/* Cuts comma-separated text into items; an item in double quotes may hold commas, \" and \\. */
enum lc_err lc_config_split(struct lc_config_arena *arena, const char *text, struct lc_strings *out,
	struct lc_error *err);

/* The canonical text of a value: equal values have equal texts. For people and for
 * lc_config_diff(). */
void lc_config_format(const struct lc_setting *setting, const void *slot, struct lc_buf *out);
/* The same for people's eyes: in a mapping the values of keys that name a password or a secret are
 * hidden. */
void lc_config_format_shown(const struct lc_setting *setting, const void *slot, struct lc_buf *out);
void lc_config_format_duration(int64_t ms, struct lc_buf *out);
void lc_config_format_size(int64_t bytes, struct lc_buf *out);
/* "bool", "100 to 5000", "1ms to 60s", "one of a, b": for messages and the reference. */
void lc_config_format_type(const struct lc_setting *setting, struct lc_buf *out);
void lc_config_format_range(const struct lc_setting *setting, struct lc_buf *out);
bool lc_config_has_range(const struct lc_setting *setting);

struct lc_config_value {
	const char *text;             /* canonical; a secret too */
	const char *shown;            /* as text, without the secrets of a mapping */
	struct lc_config_place place; /* its name is in the configuration's arena */
	bool wrong;                   /* one of its sources was complained of */
};

struct lc_config {
	struct lc_config_arena arena;
	const struct lc_section *const *sections; /* borrowed from the caller of the load */
	size_t count;
	void **structs;                  /* of each section, filled */
	struct lc_config_value **values; /* of each section, by setting */
};

static inline void *lc_config_slot(const struct lc_config *config, size_t section, size_t setting)
{
	return (char *)config->structs[section] +
	       config->sections[section]->settings[setting].offset;
}

/* One load at work. */
struct lc_config_loader {
	struct lc_config *config;
	struct lc_config_arena scratch; /* trees, errors, what is gone after the load */
	struct lc_config_report report;
	const char *const *environ;
	const char *main_name, *secrets_name; /* for messages; NULL: none */
	const char *secrets_key;              /* the value of secrets_file:, or NULL */
	bool secrets_given; /* from the caller or a variable, which beat secrets_file: */
	bool lenient;
};

/* Sets one setting from text or from a node, complaining at place. */
void lc_config_apply_text(struct lc_config_loader *loader, size_t section, size_t setting,
	const char *text, struct lc_config_place place);
void lc_config_apply_node(struct lc_config_loader *loader, size_t section, size_t setting,
	const struct lc_yaml_node *node, struct lc_config_place place);
/* Walks a file's tree; the names in it must be in the tables. */
void lc_config_apply_tree(struct lc_config_loader *loader, const struct lc_yaml_node *root,
	struct lc_config_place place);
/* The LIVECORE_* variables and the command line. */
void lc_config_apply_environ(struct lc_config_loader *loader);
void lc_config_apply_sets(struct lc_config_loader *loader, const char *const *sets);

/* As lc_config_load(), but the main file is given as bytes and called name. */
enum lc_err lc_config_load_memory(const struct lc_section *const *sections, size_t count,
	const struct lc_config_sources *sources, const char *name, const char *data, size_t size,
	struct lc_config **out, struct lc_buf *errors);

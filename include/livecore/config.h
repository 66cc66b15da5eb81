/* Settings: one typed table a section, from which come parsing, ranges, defaults, environment
 * names, `check`, `config`, the reference page, the sample file and what a reload may change. Loop
 * thread; loading reads files (start-up, reload, and the tools). A section's values live in a plain
 * struct of its owner; nobody else parses anything.
 *
 * Sources, strongest first: command line (`--set section.key=value`), environment
 * (LIVECORE_SECTION_KEY), secrets file, file, default. An environment variable that is empty counts
 * as not set; so does a key without a value in a file. In the files every value may hold ${VAR} and
 * ${VAR:-default}, and $$ for a dollar. Every error is collected, none stops the check. Files are
 * bounded (1 MB, 16 levels, 20,000 values) and must be UTF-8. Never logs, never keeps a file
 * open. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"
#include "livecore/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lc_setting_type {
	LC_SET_BOOL,     /* bool */
	LC_SET_INT,      /* int64_t, min … max */
	LC_SET_DOUBLE,   /* double, min … max */
	LC_SET_DURATION, /* int64_t ms; text "500ms", "5s", "2m", "24h", "0"; min … max in ms */
	LC_SET_SIZE, /* int64_t bytes; text "64MB" (1024-based), plain bytes; min … max in bytes */
	LC_SET_STRING, /* char *, owned by the configuration; "" when unset */
	LC_SET_ENUM,   /* int, an index into choices */
	LC_SET_LIST,   /* struct lc_strings; YAML sequence, or comma-separated text */
	LC_SET_MAP,    /* struct lc_pairs; YAML mapping of scalars, in file order; in files only */
};

struct lc_strings {
	char **items; /* owned by the configuration */
	size_t count;
};

struct lc_pairs {
	struct lc_pair {
		char *key, *value;
	} * items; /* owned by the configuration */
	size_t count;
};

/* How a change of a setting takes effect on reload. */
enum lc_apply {
	LC_APPLY_LIVE,      /* at once */
	LC_APPLY_RECONNECT, /* by reconnecting the feeder or client of this section */
	LC_APPLY_RESTART,   /* reported as waiting for a restart */
};

enum {
	/* Masked everywhere; taken from the secrets file or the environment. In the main file only
	 * ${VAR} is allowed for it: a literal there, or a value on the command line, is an
	 * error. */
	LC_SETTING_SECRET = 1,
};

struct lc_setting {
	const char *key;
	enum lc_setting_type type;
	size_t offset; /* in the section's struct */
	/* The default, as text (a map: "key=value, key=value"); NULL: the zero value. */
	const char *fallback;
	double min, max;            /* both 0: no range; max below min: no upper end */
	const char *const *choices; /* LC_SET_ENUM: NULL-terminated */
	enum lc_apply apply;
	unsigned flags;
	const char *help; /* one line: what it does, its unit */
	/* Further check (may be NULL) of a string that is not empty, of each item of a list, and of
	 * each "key=value" of a map: returns LC_OK or fills err with what is wrong and what to
	 * do. */
	enum lc_err (*check)(const char *text, struct lc_error *err);
};

struct lc_section {
	const char *name; /* "kafka": keys are written kafka.brokers and LIVECORE_KAFKA_BROKERS */
	const char *help; /* one line for the reference */
	const struct lc_setting *settings;
	size_t count;
	size_t size; /* sizeof the section's struct */
};

struct lc_config; /* the values of all sections with where each came from */

struct lc_config_sources {
	const char *file; /* NULL: no file (all defaults) */
	/* NULL: LIVECORE_SECRETS, else `secrets_file:` in the file (relative to it), else the
	 * file's sibling `secrets.yaml` when that exists. The file must be ours or root's and
	 * closed to all others. */
	const char *secrets;
	/* NULL-terminated "section.key=value" from the command line; may be NULL. */
	const char *const *sets;
	const char *const *environ; /* NULL-terminated "NAME=value"; NULL: no environment */
	/* What is right is kept although something is wrong: *out is set all the same, with the
	 * default in place of each value that is wrong. For who only looks. */
	bool lenient;
};

/* Finds the file to use: explicit (from --config; may be NULL), $LIVECORE_CONFIG, ./livecore.yaml,
 * ~/.config/livecore/livecore.yaml, /etc/livecore/livecore.yaml. Writes the path, or "" when there
 * is none. An explicit or $LIVECORE_CONFIG path that does not exist is LC_ERR_NOT_FOUND. */
enum lc_err lc_config_find(
	const char *explicit_path, char *path, size_t size, struct lc_error *err);

/* Reads and checks. All errors are appended to errors (one a line: `file:line:column: message`, a
 * variable's name or --set in place of the file for what came from there), and *out stays NULL when
 * there is any: LC_ERR_INVALID (see lenient), or LC_ERR_NOMEM. An error never quotes a secret.
 * errors should have room for about 64 KB; what does not fit is left out. sections is borrowed for
 * the life of the configuration. */
enum lc_err lc_config_load(const struct lc_section *const *sections, size_t count,
	const struct lc_config_sources *sources, struct lc_config **out, struct lc_buf *errors);
void lc_config_destroy(struct lc_config *config);

/* For what one setting needs of another (both as section.key): appends "place: a: message" to
 * errors. The place is a's, or b's when a has its default. Says nothing when one of the two is
 * wrong by itself, which the load has said. */
void lc_config_disagree(const struct lc_config *config, const char *a, const char *b,
	const char *message, struct lc_buf *errors);

/* The section's struct, filled. The section must be one of those loaded. Valid until the
 * configuration is destroyed. */
const void *lc_config_section(const struct lc_config *config, const char *name);

/* One change between two loads. Texts are borrowed from the configurations; secrets are "***". */
struct lc_config_change {
	const char *section, *key;
	const char *before, *after;
	enum lc_apply apply;
};
/* Calls each() for every setting whose value differs. */
void lc_config_diff(const struct lc_config *before, const struct lc_config *after,
	void (*each)(void *arg, const struct lc_config_change *change), void *arg);

/* `livecore config`: every setting, its value (secrets masked) and where it came from (default,
 * file:line, variable). */
void lc_config_print(const struct lc_config *config, struct lc_buf *out);
/* `livecore config --reference`: the full sample file, with every setting at its default and its
 * help as a comment. */
void lc_config_reference_yaml(
	const struct lc_section *const *sections, size_t count, struct lc_buf *out);
/* The reference page, docs/configuration.md. */
void lc_config_reference_markdown(
	const struct lc_section *const *sections, size_t count, struct lc_buf *out);

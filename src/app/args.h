/* Command lines: one table of options a command gives parsing, checks and --help. */
#pragma once

#include "livecore/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LC_EXIT_OK, LC_EXIT_FAILED, LC_EXIT_USAGE };

enum lc_option_kind {
	LC_OPTION_FLAG,     /* bool */
	LC_OPTION_TEXT,     /* const char *, borrowed from argv */
	LC_OPTION_DURATION, /* int64_t ms: "500ms", "10s", "2m", "1h" */
	LC_OPTION_MANY,     /* struct lc_texts: may be given several times */
};

struct lc_option {
	const char *name; /* without -- */
	enum lc_option_kind kind;
	void *target;
	const char *metavar; /* "FILE"; NULL for flags */
	const char *help;
};

#define LC_TEXTS_MAX 64
struct lc_texts {
	const char *items[LC_TEXTS_MAX + 1]; /* NULL-terminated */
	size_t count;
};

struct lc_usage {
	const char *command;   /* "watch" */
	const char *arguments; /* "[SYMBOL…]"; "" */
	const char *help;      /* what it does, some lines */
};

/* Takes options out of argv (anywhere, until --) and leaves the rest, argv[0] first, in their
 * order. Returns -1 to go on, or the exit code: --help printed the usage (0), or a mistake was said
 * on stderr (2). options ends with a NULL name. */
int lc_args_parse(
	const struct lc_usage *usage, const struct lc_option *options, int *argc, char **argv);

/* A mistake in the arguments: says it with how to get help; returns LC_EXIT_USAGE. */
int lc_args_wrong(const struct lc_usage *usage, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "500ms", "10s", "2m", "1h", "0" to ms. */
enum lc_err lc_duration_parse(const char *text, int64_t *ms);

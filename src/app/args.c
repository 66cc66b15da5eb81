#include "app/args.h"

#include "livecore/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_option(const struct lc_option *option)
{
	char left[64];
	snprintf(left, sizeof left, "--%s%s%s", option->name, option->metavar ? " " : "",
		option->metavar ? option->metavar : "");
	printf("  %-24s %s\n", left, option->help);
}

static void print_help(const struct lc_usage *usage, const struct lc_option *options)
{
	printf("usage: livecore %s%s%s%s\n\n%s\n\n", usage->command,
		options->name ? " [OPTIONS]" : "", usage->arguments[0] ? " " : "", usage->arguments,
		usage->help);
	for (const struct lc_option *option = options; option->name; option++) {
		print_option(option);
	}
	printf("  %-24s %s\n", "--help", "this text");
}

static const struct lc_option *find_option(
	const struct lc_option *options, const char *name, size_t len)
{
	for (; options->name; options++) {
		if (strlen(options->name) == len && memcmp(options->name, name, len) == 0) {
			return options;
		}
	}
	return NULL;
}

#define NAMED_MAX 32 /* options that a mistyped one is compared with */

static int unknown_option(
	const struct lc_usage *usage, const struct lc_option *options, const char *arg, size_t len)
{
	char name[64];
	const char *names[NAMED_MAX + 1] = {NULL};
	for (size_t i = 0; i < NAMED_MAX && options[i].name; i++) {
		names[i] = options[i].name;
	}
	snprintf(name, sizeof name, "%.*s", (int)len, arg + 2);
	const char *near = lc_yaml_nearest(name, names);
	return lc_args_wrong(usage, "there is no option %s%s%s%s", arg,
		near ? ": did you mean --" : "", near ? near : "", near ? "?" : "");
}

static int set_option(
	const struct lc_usage *usage, const struct lc_option *option, const char *value)
{
	struct lc_texts *many;
	switch (option->kind) {
	case LC_OPTION_FLAG:
		*(bool *)option->target = true;
		return -1;
	case LC_OPTION_TEXT:
		*(const char **)option->target = value;
		return -1;
	case LC_OPTION_DURATION:
		if (lc_duration_parse(value, option->target) != LC_OK) {
			return lc_args_wrong(usage,
				"--%s takes a time such as 500ms, 10s, 2m or 1h, not \"%s\"",
				option->name, value);
		}
		return -1;
	case LC_OPTION_MANY:
		many = option->target;
		if (many->count == LC_TEXTS_MAX) {
			return lc_args_wrong(usage, "--%s is given more than %d times",
				option->name, LC_TEXTS_MAX);
		}
		many->items[many->count++] = value;
		return -1;
	}
	return LC_EXIT_FAILED;
}

/* One argument that begins with --; *next is the one behind it and is taken as its value where it
 * needs one. */
static int take_option(const struct lc_usage *usage, const struct lc_option *options,
	const char *arg, const char *next, bool *took_next)
{
	const char *equals = strchr(arg, '=');
	size_t len = equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2;
	const struct lc_option *option = find_option(options, arg + 2, len);
	*took_next = false;
	if (!option) {
		return unknown_option(usage, options, arg, len);
	}
	if (option->kind == LC_OPTION_FLAG) {
		return equals ? lc_args_wrong(usage, "--%s takes no value", option->name)
			      : set_option(usage, option, NULL);
	}
	if (!equals && !next) {
		return lc_args_wrong(
			usage, "--%s needs a value: %s", option->name, option->metavar);
	}
	*took_next = !equals;
	return set_option(usage, option, equals ? equals + 1 : next);
}

int lc_args_parse(
	const struct lc_usage *usage, const struct lc_option *options, int *argc, char **argv)
{
	int kept = 1;
	bool only_rest = false;
	for (int i = 1; i < *argc; i++) {
		if (only_rest || strncmp(argv[i], "-", 1) != 0 || strcmp(argv[i], "-") == 0) {
			argv[kept++] = argv[i];
			continue;
		}
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(usage, options);
			return LC_EXIT_OK;
		}
		if (strcmp(argv[i], "--") == 0) {
			only_rest = true;
			continue;
		}
		if (argv[i][1] != '-') {
			return lc_args_wrong(usage, "there is no option %s", argv[i]);
		}
		bool took_next;
		int rc = take_option(
			usage, options, argv[i], i + 1 < *argc ? argv[i + 1] : NULL, &took_next);
		if (rc >= 0) {
			return rc;
		}
		i += took_next;
	}
	*argc = kept;
	argv[kept] = NULL;
	return -1;
}

int lc_args_wrong(const struct lc_usage *usage, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("livecore: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry: livecore %s --help\n", usage->command);
	return LC_EXIT_USAGE;
}

enum lc_err lc_duration_parse(const char *text, int64_t *ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}};
	char *end;
	double value = strtod(text, &end);
	/* strtod also reads "nan", "inf", hexadecimal and exponents. */
	if (end == text || end != text + strspn(text, "0123456789.") || value > 1e9) {
		return LC_ERR_INVALID;
	}
	if (*end == '\0' && value == 0) {
		*ms = 0;
		return LC_OK;
	}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcmp(end, units[i].unit) == 0) {
			*ms = (int64_t)(value * units[i].ms);
			return LC_OK;
		}
	}
	return LC_ERR_INVALID;
}

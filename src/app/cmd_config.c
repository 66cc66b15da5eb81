/* livecore config: the settings in force and where each came from; the reference in two forms. */
#include "app/commands.h"
#include "app/process.h"

#include <stdio.h>

static const struct lc_usage usage = {"config", "",
	"Prints every setting in force and where it came from (default, file:line, variable); "
	"secrets are masked."};

static void print_reference(bool markdown)
{
	size_t count;
	const struct lc_section *const *sections = lc_settings_sections(&count);
	struct lc_buf out;
	lc_buf_init(&out, 1024 * 1024);
	if (markdown) {
		lc_config_reference_markdown(sections, count, &out);
	} else {
		lc_config_reference_yaml(sections, count, &out);
	}
	fputs(lc_buf_text(&out), stdout);
	lc_buf_finish(&out);
}

static int print_effective(struct lc_process *process)
{
	int rc = lc_process_load(process);
	if (rc >= 0) {
		return rc;
	}
	struct lc_buf out;
	lc_buf_init(&out, 1024 * 1024);
	lc_config_print(process->config, &out);
	fputs(lc_buf_text(&out), stdout);
	lc_buf_finish(&out);
	return LC_EXIT_OK;
}

int lc_command_config(int argc, char **argv)
{
	struct lc_process process = {0};
	bool reference = false, markdown = false;
	const struct lc_option options[] = {
		LC_PROCESS_OPTIONS(&process),
		{"reference", LC_OPTION_FLAG, &reference, NULL,
			"instead: a whole settings file with every default and its help"},
		{"markdown", LC_OPTION_FLAG, &markdown, NULL,
			"with --reference: the page docs/configuration.md"},
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc > 1) {
		return lc_args_wrong(&usage, "config takes no arguments, not \"%s\"", argv[1]);
	}
	if (markdown && !reference) {
		return lc_args_wrong(&usage, "--markdown goes with --reference");
	}
	rc = LC_EXIT_OK;
	if (reference) {
		print_reference(markdown);
	} else {
		rc = print_effective(&process);
	}
	lc_process_finish(&process);
	return rc;
}

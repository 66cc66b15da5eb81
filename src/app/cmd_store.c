/* livecore store: the bar store and its tables. */
#include "app/commands.h"
#include "app/store_tool.h"

#include <stdio.h>
#include <string.h>

static const struct lc_usage usage = {"store", "[init]",
	"Says which bar store these settings name and whether it answers. With init, tables that "
	"are missing are made (livecore\n"
	"run does so too); what exists is never changed. Exit code 1 when it does not answer."};

static int show(struct lc_store_tool *tool)
{
	struct lc_bar_store_status status = lc_bar_store_status(tool->store);
	const struct lc_store_config *config = lc_config_section(
		tool->tool.process.config, "store");
	printf("%s%s%s: ready, ", status.backend, status.server[0] ? " " : "", status.server);
	if (status.schema > 0) {
		printf("tables of version %d, ", status.schema);
	}
	if (config->backend == LC_BARS_CLICKHOUSE) {
		printf("database %s at %s\n", config->clickhouse_database, config->clickhouse_url);
	} else if (config->backend == LC_BARS_SQLITE) {
		printf("%s/bars.db\n", tool->state_dir);
	} else {
		printf("no bars are kept\n");
	}
	return LC_EXIT_OK;
}

int lc_command_store(int argc, char **argv)
{
	struct lc_store_tool tool = {0};
	const struct lc_option options[] = {LC_PROCESS_OPTIONS(&tool.tool.process), {0}};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	bool init = argc == 2 && strcmp(argv[1], "init") == 0;
	if (argc > 2 || (argc == 2 && !init)) {
		return lc_args_wrong(
			&usage, "store takes nothing or \"init\", not \"%s\"", argv[argc - 1]);
	}
	rc = lc_store_tool_open(&tool, !init);
	rc = rc >= 0 ? rc : lc_store_tool_init(&tool);
	rc = rc >= 0 ? rc : show(&tool);
	lc_store_tool_close(&tool);
	return rc;
}

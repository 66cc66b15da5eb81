#include "app/store_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int say(const char *text)
{
	fprintf(stderr, "livecore: %s\n", text);
	return LC_EXIT_FAILED;
}

/* As the manager finds it. */
static int find_state_dir(struct lc_store_tool *tool)
{
	const struct lc_state_config *state = lc_config_section(tool->tool.process.config, "state");
	struct lc_error err;
	if (lc_settings_state_dir(state, tool->state_dir, sizeof tool->state_dir, &err) != LC_OK) {
		say(err.text);
		return LC_EXIT_USAGE;
	}
	return -1;
}

static void on_done(void *arg, const struct lc_error *err)
{
	struct lc_store_tool *tool = arg;
	tool->answered = true;
	tool->err = err ? *err : (struct lc_error){.code = LC_OK};
	lc_tool_wake(&tool->tool);
}

static void on_rows(void *arg, struct lc_bar_rows *rows, const struct lc_error *err)
{
	struct lc_store_tool *tool = arg;
	lc_bar_rows_free(tool->rows);
	tool->rows = rows;
	on_done(tool, err);
}

static void on_closed(void *arg)
{
	struct lc_store_tool *tool = arg;
	tool->answered = true;
	lc_tool_wake(&tool->tool);
}

static int wait_for_answer(struct lc_store_tool *tool)
{
	while (!tool->answered && !tool->tool.interrupted) {
		lc_tool_wait(&tool->tool, -1);
	}
	if (!tool->answered) {
		fflush(NULL);
		_Exit(130); /* its call cannot be taken back, and what it points to lives here */
	}
	return tool->err.code == LC_OK ? -1 : say(tool->err.text);
}

int lc_store_tool_open(struct lc_store_tool *tool, bool read_only)
{
	struct lc_error err;
	int rc = lc_tool_open(&tool->tool, false);
	rc = rc >= 0 ? rc : find_state_dir(tool);
	if (rc >= 0) {
		return rc;
	}
	/* "down" is said by the answer that is waited for. */
	lc_log_set_levels(lc_loop_log(tool->tool.process.loop), "error", NULL);
	const struct lc_bar_store_options options = {.loop = tool->tool.process.loop,
		.config = lc_config_section(tool->tool.process.config, "store"),
		.state_dir = tool->state_dir,
		.read_only = read_only,
		.no_spool = true};
	return lc_bar_store_open(&options, &tool->store, &err) == LC_OK ? -1 : say(err.text);
}

void lc_store_tool_close(struct lc_store_tool *tool)
{
	if (tool->store) {
		tool->answered = false;
		lc_bar_store_close(tool->store, on_closed, tool);
		while (!tool->answered) {
			lc_tool_wait(&tool->tool, -1);
		}
	}
	lc_bar_rows_free(tool->rows);
	lc_tool_close(&tool->tool);
}

int lc_store_tool_init(struct lc_store_tool *tool)
{
	tool->answered = false;
	lc_bar_store_init(tool->store, on_done, tool);
	return wait_for_answer(tool);
}

int lc_store_tool_read(struct lc_store_tool *tool, const struct lc_bar_query *query)
{
	tool->answered = false;
	enum lc_err rc = lc_bar_store_read(tool->store, query, on_rows, tool);
	return rc == LC_OK ? wait_for_answer(tool) : say(lc_err_text(rc));
}

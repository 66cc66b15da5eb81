/* A bar store for a tool: opened by the settings, its answers waited for. Loop thread. */
#pragma once

#include "app/tool.h"
#include "livecore/bar_store.h"

struct lc_store_tool {
	struct lc_tool tool;
	struct lc_bar_store *store; /* owned; NULL: not open */
	char state_dir[4096];
	struct lc_bar_rows *rows; /* owned: what was read */
	struct lc_error err;      /* of the last answer */
	bool answered;
};

/* Settings, loop and store; says on stderr what is wrong. Returns -1, or the exit code. Call
 * lc_store_tool_close() in any case. */
int lc_store_tool_open(struct lc_store_tool *tool, bool read_only);
void lc_store_tool_close(struct lc_store_tool *tool);

/* Each waits for its answer, says on stderr what went wrong, and returns -1 or the exit code. */
int lc_store_tool_init(struct lc_store_tool *tool);
int lc_store_tool_read(struct lc_store_tool *tool, const struct lc_bar_query *query);

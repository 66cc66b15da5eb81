/* `livecore status --all`: who beats in Redis, who has ended, who is missing. */
#pragma once

#include "app/tool.h"

/* Prints a table, or one line of JSON. Exit code 1 when Redis does not answer, or a component is
 * missing or in ERROR. */
int lc_status_all(struct lc_tool *tool, int64_t timeout_ms, bool json);

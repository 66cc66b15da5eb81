/* What a setting's value must be beyond its type, for `livecore check`: found before a start, not
 * at it. Any thread; nothing is opened and no name is looked up. Each returns LC_OK, or
 * LC_ERR_INVALID with what is wrong and what to write instead. */
#pragma once

#include "livecore/config.h"

/* Levels and modules: a module that does not exist would be silent for ever. */
enum lc_err lc_setting_check_log_level(const char *text, struct lc_error *err);
/* What one setting needs of another: an error a line is appended to errors, at its place. */
void lc_settings_check_together(const struct lc_config *config, struct lc_buf *errors);
/* It becomes part of group names, Redis keys and log lines. */
enum lc_err lc_setting_check_node_id(const char *text, struct lc_error *err);

/* Making a directory with all above it. Blocks: pool threads only. */
#pragma once

/* Mode 0700. 0, or -1 with errno when the last one is not there afterwards. */
int lc_make_directories(const char *dir);

/* Text that came from outside, for a terminal: control characters become '?', so that it cannot
 * steer it. Pure, any thread. */
#pragma once

#include "livecore/value.h"

#include <stdio.h>

void lc_printable_put(FILE *out, struct lc_text text);
/* Into out, which holds size bytes (at least 1); cut, with a NUL. */
void lc_printable_copy(struct lc_text text, char *out, size_t size);

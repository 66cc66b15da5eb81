/* key=value words of a command line as the params of a ControlCommand. Pure. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"
#include "livecore/log.h"

#include <stddef.h>

#define LC_PARAMS_MAX 64

struct lc_params {
	struct lc_field fields[LC_PARAMS_MAX + 1]; /* ends with LC_FIELD_END; point into texts */
	struct lc_buf texts;
};

/* What looks like a JSON number, true, false, null, list or object is sent as such; `codes`, and a
 * value with a comma, as a list; dates (keys that end in _date, YYYYMMDD on the wire) and all else
 * as text. LC_ERR_INVALID with err. Finish it in any case. */
enum lc_err lc_params_parse(
	struct lc_params *params, char **words, size_t count, struct lc_error *err);
void lc_params_finish(struct lc_params *params);

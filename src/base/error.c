#include "livecore/error.h"

#include <stdarg.h>
#include <stdio.h>

const char *lc_err_text(enum lc_err code)
{
	static const char *const texts[] = {
#define X(name, text) [name] = text,
		LC_ERRORS(X)
#undef X
	};
	return (size_t)code < sizeof texts / sizeof *texts ? texts[code] : "unknown error";
}

enum lc_err lc_error_set(struct lc_error *err, enum lc_err code, const char *format, ...)
{
	if (!err) {
		return code;
	}
	va_list args;
	va_start(args, format);
	err->code = code;
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return code;
}

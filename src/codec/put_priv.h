/* The pieces of a message that is written into a buffer known to be large enough: each writes at p
 * and returns what is behind. Pure; never allocates. */
#pragma once

#include "livecore/messages.h"

#include <string.h>

/* Appends a string literal; p moves on. The length is known when compiling, so this is a few
 * stores. */
#define PUT(p, literal) \
	((p) = (char *)memcpy((p), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

/* A field behind others, with its value: write is one of the functions below, without its first
 * argument's p. */
#define PUT_FIELD(p, name, write, ...)         \
	do {                                   \
		PUT(p, ",\"" name "\":");      \
		(p) = write((p), __VA_ARGS__); \
	} while (0)

enum { NAME_MAX_BYTES = 32 };

/* A quoted text of at most max bytes; what is longer is cut. A byte may become six. */
char *lc_put_text(char *p, const char *text, size_t max);
char *lc_put_text_or_null(char *p, const char *text);
char *lc_put_uint(char *p, uint64_t value);
char *lc_put_decimal(char *p, struct lc_decimal value);
/* null when it is not known. */
char *lc_put_known(char *p, bool known, struct lc_decimal value);
char *lc_put_time(char *p, const struct lc_message_context *context, uint8_t market, int64_t ns);

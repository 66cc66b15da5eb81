#include "app/printable.h"

static char cleaned(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
}

void lc_printable_put(FILE *out, struct lc_text text)
{
	for (size_t i = 0; i < text.len; i++) {
		fputc(cleaned(text.data[i]), out);
	}
}

void lc_printable_copy(struct lc_text text, char *out, size_t size)
{
	size_t len = text.len < size ? text.len : size - 1;
	for (size_t i = 0; i < len; i++) {
		out[i] = cleaned(text.data[i]);
	}
	out[len] = '\0';
}

#include "app/printable.h"

#include "livecore/utf8.h"

void lc_printable_put(FILE *out, struct lc_text text)
{
	for (size_t i = 0; i < text.len;) {
		size_t steers = lc_utf8_steers(text.data + i, text.len - i);
		fputc(steers ? '?' : text.data[i], out);
		i += steers ? steers : 1;
	}
}

void lc_printable_copy(struct lc_text text, char *out, size_t size)
{
	size_t len = 0;
	for (size_t i = 0; i < text.len && len < size - 1;) {
		size_t steers = lc_utf8_steers(text.data + i, text.len - i);
		out[len++] = steers ? '?' : text.data[i];
		i += steers ? steers : 1;
	}
	out[len] = '\0';
}

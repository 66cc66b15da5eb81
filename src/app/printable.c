#include "app/printable.h"

/* Bytes of what a terminal would obey and not show: a control, also as UTF-8 writes those above
 * 0x7f, or a mark that turns the direction of writing. 0: it may be shown. */
static size_t control_length(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	if (p[0] < 0x20 || p[0] == 0x7f) {
		return 1;
	}
	if (p[0] == 0xC2 && len >= 2 && p[1] >= 0x80 && p[1] < 0xA0) {
		return 2;
	}
	bool turns = p[0] == 0xE2 && len >= 3 &&
		     ((p[1] == 0x80 && p[2] >= 0xAA && p[2] <= 0xAE) ||
			     (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9));
	return turns ? 3 : 0;
}

void lc_printable_put(FILE *out, struct lc_text text)
{
	for (size_t i = 0; i < text.len;) {
		size_t control = control_length(text.data + i, text.len - i);
		fputc(control ? '?' : text.data[i], out);
		i += control ? control : 1;
	}
}

void lc_printable_copy(struct lc_text text, char *out, size_t size)
{
	size_t len = 0;
	for (size_t i = 0; i < text.len && len < size - 1;) {
		size_t control = control_length(text.data + i, text.len - i);
		out[len++] = control ? '?' : text.data[i];
		i += control ? control : 1;
	}
	out[len] = '\0';
}

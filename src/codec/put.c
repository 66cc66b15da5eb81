#include "put_priv.h"

#include <string.h>

static char *put_escaped(char *p, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	if (c == '"' || c == '\\') {
		*p++ = '\\';
		*p++ = (char)c;
	} else if (c < 0x20) {
		PUT(p, "\\u00");
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	} else {
		PUT(p, "\xef\xbf\xbd"); /* U+FFFD: the codes that stand here are ASCII */
	}
	return p;
}

/* A quoted text of at most max bytes; what is longer is cut. */
char *lc_put_text(char *p, const char *text, size_t max)
{
	*p++ = '"';
	for (size_t i = 0; i < max && text[i] != '\0'; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			*p++ = (char)c;
		} else {
			p = put_escaped(p, c);
		}
	}
	*p++ = '"';
	return p;
}

char *lc_put_text_or_null(char *p, const char *text)
{
	if (text == NULL) {
		return PUT(p, "null");
	}
	return lc_put_text(p, text, LC_MESSAGE_ID_MAX);
}

char *lc_put_uint(char *p, uint64_t value)
{
	char digits[20];
	char *d = digits + sizeof digits;
	do {
		*--d = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	size_t len = (size_t)(digits + sizeof digits - d);
	memcpy(p, d, len);
	return p + len;
}

char *lc_put_decimal(char *p, struct lc_decimal value)
{
	return p + lc_decimal_format(value, p);
}

char *lc_put_known(char *p, bool known, struct lc_decimal value)
{
	return known ? lc_put_decimal(p, value) : PUT(p, "null");
}

char *lc_put_time(char *p, const struct lc_message_context *context, uint8_t market, int64_t ns)
{
	const struct lc_zone *zone = context->time_format == LC_TIME_OFFSET ? context->zones[market]
									    : context->naive_zone;
	*p++ = '"';
	p += lc_time_format(ns, context->time_format, zone, p);
	*p++ = '"';
	return p;
}

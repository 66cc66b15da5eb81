#include "livecore/buf.h"

#include "livecore/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256

static bool grow(struct lc_buf *buf, size_t need)
{
	if (need > buf->limit) {
		return false;
	}
	size_t capacity = buf->capacity ? buf->capacity : FIRST_BYTES;
	while (capacity < need) {
		capacity = capacity > buf->limit / 2 ? buf->limit : capacity * 2;
	}
	/* One byte more than the capacity, for the NUL of lc_buf_text(). */
	char *data = realloc(buf->data, capacity + 1);
	if (!data) {
		return false;
	}
	buf->data = data;
	buf->capacity = capacity;
	return true;
}

void lc_buf_init(struct lc_buf *buf, size_t limit_bytes)
{
	*buf = (struct lc_buf){.limit = limit_bytes < SIZE_MAX / 2 ? limit_bytes : SIZE_MAX / 2};
}

void lc_buf_finish(struct lc_buf *buf)
{
	free(buf->data);
	lc_buf_init(buf, buf->limit);
}

void lc_buf_clear(struct lc_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

char *lc_buf_reserve(struct lc_buf *buf, size_t more)
{
	if (buf->failed) {
		return NULL;
	}
	size_t room = buf->capacity - buf->len;
	/* Before anything is allocated even 0 bytes need a place to point to. */
	if (more > room || !buf->data) {
		if (more > buf->limit - buf->len || !grow(buf, buf->len + more)) {
			buf->failed = true;
			return NULL;
		}
	}
	return buf->data + buf->len;
}

void lc_buf_append(struct lc_buf *buf, const void *data, size_t len)
{
	char *p = lc_buf_reserve(buf, len);
	if (p && len) {
		memcpy(p, data, len);
		buf->len += len;
	}
}

void lc_buf_puts(struct lc_buf *buf, const char *text)
{
	lc_buf_append(buf, text, strlen(text));
}

void lc_buf_putc(struct lc_buf *buf, char c)
{
	char *p = lc_buf_reserve(buf, 1);
	if (p) {
		*p = c;
		buf->len++;
	}
}

void lc_buf_uint(struct lc_buf *buf, uint64_t value)
{
	char digits[20];
	char *p = digits + sizeof digits;
	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	lc_buf_append(buf, p, (size_t)(digits + sizeof digits - p));
}

void lc_buf_int(struct lc_buf *buf, int64_t value)
{
	if (value < 0) {
		lc_buf_putc(buf, '-');
	}
	lc_buf_uint(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void lc_buf_decimal(struct lc_buf *buf, struct lc_decimal value)
{
	char text[LC_DECIMAL_TEXT_MAX];
	lc_buf_append(buf, text, lc_decimal_format(value, text));
}

void lc_buf_printf(struct lc_buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0) {
		buf->failed = true;
	}
	/* vsnprintf also writes a NUL: it goes into the byte that grow() always leaves. */
	char *p = len < 0 ? NULL : lc_buf_reserve(buf, (size_t)len);
	if (p) {
		vsnprintf(p, (size_t)len + 1, format, again);
		buf->len += (size_t)len;
	}
	va_end(again);
}

static void put_escape(struct lc_buf *buf, unsigned char c)
{
	static const char names[] = "\b\t\n\f\r\"\\";
	static const char letters[] = "btnfr\"\\";
	static const char hex[] = "0123456789abcdef";
	const char *found = c ? strchr(names, c) : NULL;
	if (found) {
		const char text[2] = {'\\', letters[found - names]};
		lc_buf_append(buf, text, sizeof text);
	} else {
		const char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
		lc_buf_append(buf, text, sizeof text);
	}
}

void lc_buf_json_string(struct lc_buf *buf, const char *text, size_t len)
{
	lc_buf_putc(buf, '"');
	size_t start = 0; /* of what is to be copied as it is */
	size_t i = 0;
	while (i < len) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			i++;
			continue;
		}
		size_t n = c < 0x80 ? 0 : lc_utf8_length(text + i, len - i);
		if (n) {
			i += n;
			continue;
		}
		lc_buf_append(buf, text + start, i - start);
		if (c < 0x80) {
			put_escape(buf, c);
		} else {
			lc_buf_puts(buf, "\xEF\xBF\xBD");
		}
		start = ++i;
	}
	lc_buf_append(buf, text + start, len - start);
	lc_buf_putc(buf, '"');
}

void lc_buf_consume(struct lc_buf *buf, size_t len)
{
	assert(len <= buf->len);
	buf->len -= len;
	if (buf->len) {
		memmove(buf->data, buf->data + len, buf->len);
	}
}

const char *lc_buf_text(struct lc_buf *buf)
{
	if (buf->failed || buf->len == 0) {
		return "";
	}
	buf->data[buf->len] = '\0';
	return buf->data;
}

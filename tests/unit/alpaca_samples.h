/* For the tests of the Alpaca feeder: the recorded samples, and any JSON value as the msgpack that
 * Alpaca would send for it. Header only. */
#pragma once

#include "livecore/buf.h"
#include "livecore/json.h"
#include "livecore/msgpack.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline char *sample_read(const char *name, size_t *len)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", LC_TEST_DATA, name);
	FILE *file = fopen(path, "rb");
	cr_assert_not_null(file, "%s", path);
	fseek(file, 0, SEEK_END);
	*len = (size_t)ftell(file);
	rewind(file);
	char *text = malloc(*len + 1);
	cr_assert_eq(fread(text, 1, *len, file), *len);
	text[*len] = '\0';
	fclose(file);
	return text;
}

static inline void put_bytes(struct lc_buf *out, unsigned type, uint64_t value, int bytes)
{
	lc_buf_putc(out, (char)type);
	for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
		lc_buf_putc(out, (char)(value >> shift & 0xff));
	}
}

static inline void msgpack_text(struct lc_buf *out, const char *text, size_t len)
{
	if (len < 32) {
		lc_buf_putc(out, (char)(0xa0 | len));
	} else {
		put_bytes(out, 0xd9, len, 1);
	}
	lc_buf_append(out, text, len);
}

static inline void msgpack_time(struct lc_buf *out, int64_t ns)
{
	uint64_t seconds = (uint64_t)(ns / 1000000000), rest = (uint64_t)(ns % 1000000000);
	if (rest == 0) {
		put_bytes(out, 0xd6, 0xff, 1);
		put_bytes(out, (unsigned)(seconds >> 24), seconds & 0xffffff, 3);
	} else {
		put_bytes(out, 0xd7, 0xff, 1);
		uint64_t both = rest << 34 | seconds;
		put_bytes(out, (unsigned)(both >> 56), both & 0xffffffffffffff, 7);
	}
}

static inline void msgpack_number(struct lc_buf *out, const struct lc_value *value)
{
	uint64_t whole;
	if (lc_value_uint(value, &whole) == LC_OK) {
		put_bytes(out, 0xcf, whole, 8);
		return;
	}
	char text[64];
	snprintf(text, sizeof(text), "%.*s", (int)value->len, value->v.text);
	double number = strtod(text, NULL);
	uint64_t bits;
	memcpy(&bits, &number, sizeof(bits));
	put_bytes(out, 0xcb, bits, 8);
}

static inline void msgpack_value(struct lc_buf *out, const struct lc_value *value, bool time)
{
	const struct lc_value *key, *item;
	int64_t ns;
	switch (value->type) {
	case LC_VALUE_BOOL:
		lc_buf_putc(out, (char)(value->v.b ? 0xc3 : 0xc2));
		break;
	case LC_VALUE_NUMBER:
		msgpack_number(out, value);
		break;
	case LC_VALUE_STRING:
		if (time && lc_value_time(value, NULL, &ns) == LC_OK) {
			msgpack_time(out, ns);
		} else {
			msgpack_text(out, value->v.text, value->len);
		}
		break;
	case LC_VALUE_ARRAY:
		put_bytes(out, 0xdc, value->len, 2);
		lc_value_each (item, value) {
			msgpack_value(out, item, false);
		}
		break;
	case LC_VALUE_OBJECT:
		put_bytes(out, 0xde, value->len, 2);
		lc_value_each_field (key, item, value) {
			msgpack_text(out, key->v.text, key->len);
			msgpack_value(out, item, lc_value_key(key) == LC_KEY1('t'));
		}
		break;
	default:
		lc_buf_putc(out, (char)0xc0);
		break;
	}
}

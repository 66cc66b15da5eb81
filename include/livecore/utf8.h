/* UTF-8, character by character: what is valid, and what a terminal would obey and not show. Pure,
 * any thread; never reads beyond len. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at text (2-4) when it is a valid one of more than one byte (RFC 3629: no
 * overlong form, no surrogate, nothing above U+10FFFF), else 0. len is what is left of the text. */
static inline size_t lc_utf8_length(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = p[0] >= 0xC2 && p[0] < 0xE0   ? 2
		   : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
		   : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
						 : 0;
	if (n == 0 || n > len) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80) {
			return 0;
		}
	}
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
		(p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) {
		return 0;
	}
	return n;
}

/* Bytes of the character at text when a terminal obeys it and does not show it, else 0: the
 * controls (C0, DEL, and C1, which are two bytes), and the marks that turn the direction of what is
 * shown behind them (U+202A-202E, U+2066-2069: three). len, at least 1: what is left of text. */
static inline size_t lc_utf8_steers(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	if (p[0] < 0x20 || p[0] == 0x7F) {
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

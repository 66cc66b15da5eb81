#include "control.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define DEEPEST 6

struct reader {
	const unsigned char *p, *end;
	sim_control_cb value;
	void *arg;
};

struct text {
	char bytes[256];
	size_t len;
};

static void text_put(struct text *text, unsigned char c)
{
	if (text->len + 1 < sizeof(text->bytes)) {
		text->bytes[text->len++] = (char)c;
	}
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && isspace(*r->p)) {
		r->p++;
	}
}

static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (r->p < r->end && *r->p == (unsigned char)c) {
		r->p++;
		return true;
	}
	return false;
}

static bool json_string(struct reader *r, struct text *text)
{
	text->len = 0;
	if (!take(r, '"')) {
		return false;
	}
	while (r->p < r->end && *r->p != '"') {
		unsigned char c = *r->p++;
		if (c < 0x20 || (c == '\\' && r->p == r->end)) {
			return false;
		}
		if (c != '\\') {
			text_put(text, c);
			continue;
		}
		c = *r->p++;
		if (c == 'u') {
			/* No symbol or key needs one: it becomes a question mark. */
			if (r->end - r->p < 4) {
				return false;
			}
			r->p += 4;
			c = '?';
		}
		text_put(text, c);
	}
	text->bytes[text->len] = '\0';
	return take(r, '"');
}

/* Numbers, true, false and null are passed over. */
static bool json_word(struct reader *r)
{
	const unsigned char *start = r->p;
	while (r->p < r->end && (isalnum(*r->p) || strchr("+-.", *r->p) != NULL)) {
		r->p++;
	}
	return r->p > start;
}

static bool json_value(struct reader *r, const char *key, int depth);

static bool json_object(struct reader *r, int depth)
{
	if (take(r, '}')) {
		return true;
	}
	do {
		struct text key;
		if (!json_string(r, &key) || !take(r, ':') || !json_value(r, key.bytes, depth)) {
			return false;
		}
	} while (take(r, ','));
	return take(r, '}');
}

static bool json_array(struct reader *r, const char *key, int depth)
{
	if (take(r, ']')) {
		return true;
	}
	do {
		if (!json_value(r, key, depth)) {
			return false;
		}
	} while (take(r, ','));
	return take(r, ']');
}

static bool json_value(struct reader *r, const char *key, int depth)
{
	if (depth == 0) {
		return false;
	}
	if (take(r, '{')) {
		return json_object(r, depth - 1);
	}
	if (take(r, '[')) {
		return json_array(r, key, depth - 1);
	}
	if (r->p < r->end && *r->p == '"') {
		struct text text;
		if (!json_string(r, &text)) {
			return false;
		}
		r->value(r->arg, key, text.bytes);
		return true;
	}
	return json_word(r);
}

bool sim_control_json(const char *data, size_t len, sim_control_cb value, void *arg)
{
	const unsigned char *bytes = (const unsigned char *)data;
	struct reader r = {bytes, bytes + len, value, arg};
	if (!json_value(&r, "", DEEPEST)) {
		return false;
	}
	skip_space(&r);
	return r.p == r.end;
}

static bool big_endian(struct reader *r, size_t bytes, uint64_t *out)
{
	*out = 0;
	if ((size_t)(r->end - r->p) < bytes) {
		return false;
	}
	for (size_t i = 0; i < bytes; i++) {
		*out = *out << 8 | *r->p++;
	}
	return true;
}

/* The length of a value of this lead byte, which has a fixed part (low bits) or a wide one. */
static bool msgpack_length(struct reader *r, unsigned char lead, unsigned char fixed_mask,
	unsigned char first, uint64_t *out)
{
	if (lead < 0xc0 || lead >= 0xe0) {
		*out = lead & fixed_mask;
		return true;
	}
	return big_endian(r, (size_t)1 << (lead - first), out);
}

static bool msgpack_string(struct reader *r, struct text *text)
{
	uint64_t len;
	unsigned char lead = r->p < r->end ? *r->p++ : 0xc1;
	bool fixed = (lead & 0xe0) == 0xa0;
	if ((!fixed && (lead < 0xd9 || lead > 0xdb)) ||
		!msgpack_length(r, lead, 0x1f, 0xd9, &len) || len > (uint64_t)(r->end - r->p)) {
		return false;
	}
	text->len = 0;
	for (uint64_t i = 0; i < len; i++) {
		text_put(text, *r->p++);
	}
	text->bytes[text->len] = '\0';
	return true;
}

static bool msgpack_value(struct reader *r, const char *key, int depth);

static bool msgpack_map(struct reader *r, uint64_t count, int depth)
{
	for (uint64_t i = 0; i < count; i++) {
		struct text key;
		if (!msgpack_string(r, &key) || !msgpack_value(r, key.bytes, depth)) {
			return false;
		}
	}
	return true;
}

/* Numbers, booleans and nil. */
static bool msgpack_skip(struct reader *r, unsigned char lead)
{
	static const unsigned char sizes[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8}; /* from 0xca */
	if (lead < 0x80 || lead >= 0xe0 || lead == 0xc0 || lead == 0xc2 || lead == 0xc3) {
		return true;
	}
	uint64_t ignored;
	return lead >= 0xca && lead <= 0xd3 && big_endian(r, sizes[lead - 0xca], &ignored);
}

static bool msgpack_value(struct reader *r, const char *key, int depth)
{
	if (depth == 0 || r->p == r->end) {
		return false;
	}
	unsigned char lead = *r->p;
	uint64_t count;
	struct text text;
	if ((lead & 0xe0) == 0xa0 || (lead >= 0xd9 && lead <= 0xdb)) {
		if (!msgpack_string(r, &text)) {
			return false;
		}
		r->value(r->arg, key, text.bytes);
		return true;
	}
	r->p++;
	if ((lead & 0xf0) == 0x80 || lead == 0xde || lead == 0xdf) {
		bool ok = lead < 0x90 ? (count = lead & 0x0f, true)
				      : big_endian(r, lead == 0xde ? 2 : 4, &count);
		return ok && msgpack_map(r, count, depth - 1);
	}
	if ((lead & 0xf0) == 0x90 || lead == 0xdc || lead == 0xdd) {
		bool ok = lead < 0xa0 ? (count = lead & 0x0f, true)
				      : big_endian(r, lead == 0xdc ? 2 : 4, &count);
		for (uint64_t i = 0; ok && i < count; i++) {
			ok = msgpack_value(r, key, depth - 1);
		}
		return ok;
	}
	return msgpack_skip(r, lead);
}

bool sim_control_msgpack(const unsigned char *data, size_t len, sim_control_cb value, void *arg)
{
	struct reader r = {data, data + len, value, arg};
	return msgpack_value(&r, "", DEEPEST) && r.p == r.end;
}

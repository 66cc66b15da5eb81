/* A parsed message as a flat array of values: what lc_json_parse() and lc_msgpack_parse() both
 * give, so that one parser reads a vendor's JSON and msgpack alike. Plain data, owned by the parser
 * that made it: it is valid until that parser's next parse, and its texts point into the input,
 * which must outlive them too. Nothing here allocates, and no function trusts what the network
 * said.
 *
 * Values lie in document order: a container is followed by what it holds; in an object every key (a
 * value of type string; in msgpack possibly of another type) is followed by its value.
 *
 *	const struct lc_value *root, *item, *key, *value;
 *	if (lc_json_parse(parser, data, len, capacity, &root, &err) != LC_OK) { … }
 *	lc_value_each(item, root) {                   // nothing when root is no array
 *		lc_value_each_field(key, value, item) {   // nothing when item is no object
 *			switch (lc_value_key(key)) {
 *			case LC_KEY1('p'): lc_value_decimal(value, &tick.price); break;
 *			case LC_KEY2('b', 'p'): lc_value_decimal(value, &tick.bid); break;
 *			case LC_KEY1('i'): lc_value_uint(value, &tick.trade_id); break;
 *			case LC_KEY1('t'): lc_value_time(value, NULL, &tick.event_ns); break;
 *			}
 *		}
 *	}
 *
 * Fields come in any order and a key may come twice; the caller lets the last one win. */
#pragma once

#include "livecore/decimal.h"
#include "livecore/error.h"
#include "livecore/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum lc_value_type {
	LC_VALUE_NULL,
	LC_VALUE_BOOL,   /* v.b */
	LC_VALUE_NUMBER, /* JSON: v.text, len bytes, not yet checked: use the functions below */
	LC_VALUE_INT,    /* msgpack, negative: v.i */
	LC_VALUE_UINT,   /* msgpack: v.u */
	LC_VALUE_FLOAT,  /* msgpack, 32 bits: v.d */
	LC_VALUE_DOUBLE, /* msgpack, 64 bits: v.d */
	LC_VALUE_STRING, /* v.text, len bytes, unescaped; JSON: valid UTF-8; msgpack: unchecked */
	LC_VALUE_BYTES,  /* msgpack bin: v.text, len bytes */
	LC_VALUE_TIME,   /* msgpack extension -1: v.i, ns since 1970 UTC */
	LC_VALUE_OTHER,  /* msgpack: any other extension, or a time beyond what v.i can say */
	LC_VALUE_ARRAY,  /* len items, v.span values with itself */
	LC_VALUE_OBJECT, /* len fields, v.span values with itself */
};

struct lc_value {
	union {
		const char *text; /* not NUL-terminated; never NULL */
		int64_t i;
		uint64_t u;
		double d;
		bool b;
		size_t span;
	} v;
	uint32_t len;
	uint8_t type; /* enum lc_value_type */
};

/* A view of bytes that belong to someone else; not NUL-terminated. An absent text has data NULL and
 * len 0. */
struct lc_text {
	const char *data;
	size_t len;
};

static inline bool lc_value_is_container(const struct lc_value *value)
{
	return value->type >= LC_VALUE_ARRAY;
}

/* The value after this one and all it holds. */
static inline const struct lc_value *lc_value_next(const struct lc_value *value)
{
	return value + (lc_value_is_container(value) ? value->v.span : 1);
}

/* Where the content of a container ends; where it begins when the value is not of that type, so
 * that loops over the wrong type run zero times. */
static inline const struct lc_value *lc_value_end(
	const struct lc_value *value, enum lc_value_type type)
{
	return value->type == type ? value + value->v.span : value + 1;
}

/* for each item of an array; the body may break and continue. */
#define lc_value_each(item, array)                                                 \
	for ((item) = (array) + 1; (item) < lc_value_end((array), LC_VALUE_ARRAY); \
		(item) = lc_value_next(item))

/* for each key and value of an object; the body may break and continue. */
#define lc_value_each_field(key, value, object)                                       \
	for ((key) = (object) + 1; (key) < lc_value_end((object), LC_VALUE_OBJECT) && \
				   ((value) = lc_value_next(key), true);              \
		(key) = lc_value_next(value))

/* A short key as a number, to switch on: its bytes, the first one highest. 0 when it is empty,
 * longer than eight bytes or not a string. */
static inline uint64_t lc_value_key(const struct lc_value *key)
{
	if (key->type != LC_VALUE_STRING || key->len > 8) {
		return 0;
	}
	uint64_t packed = 0;
	for (uint32_t i = 0; i < key->len; i++) {
		packed = packed << 8 | (uint8_t)key->v.text[i];
	}
	return packed;
}

#define LC_KEY1(a) ((uint64_t)(a))
#define LC_KEY2(a, b) (LC_KEY1(a) << 8 | (uint64_t)(b))
#define LC_KEY3(a, b, c) (LC_KEY2(a, b) << 8 | (uint64_t)(c))
#define LC_KEY4(a, b, c, d) (LC_KEY3(a, b, c) << 8 | (uint64_t)(d))

/* Is it this string? */
static inline bool lc_value_is(const struct lc_value *value, const char *text)
{
	size_t len = strlen(text);
	return value->type == LC_VALUE_STRING && value->len == len &&
	       memcmp(value->v.text, text, len) == 0;
}

/* The value of the last field of that name, or NULL (also when object is no object). Linear: for
 * rare messages. */
const struct lc_value *lc_value_find(const struct lc_value *object, const char *key);

/* The following leave *out alone and return LC_ERR_INVALID when the value is of another type. */

enum lc_err lc_value_text(const struct lc_value *value, struct lc_text *out);
enum lc_err lc_value_bool(const struct lc_value *value, bool *out);

/* A number exactly as the vendor wrote it; of a binary float the shortest decimal that reads back
 * the same. LC_ERR_INVALID also for NaN and infinities; LC_ERR_RANGE as lc_decimal_parse(). */
enum lc_err lc_value_decimal(const struct lc_value *value, struct lc_decimal *out);

/* Whole numbers of 64 bits, exactly (trade ids pass 2^53). A number with a fraction or an exponent,
 * even 1.0, is LC_ERR_INVALID; one that does not fit is LC_ERR_RANGE. */
enum lc_err lc_value_int(const struct lc_value *value, int64_t *out);
enum lc_err lc_value_uint(const struct lc_value *value, uint64_t *out);

/* A msgpack time or an ISO 8601 text (naive_zone as lc_time_parse()); numbers are refused: their
 * unit is not known. */
enum lc_err lc_value_time(
	const struct lc_value *value, const struct lc_zone *naive_zone, int64_t *unix_ns);

/* Copies a string of at most size - 1 bytes and ends it with a NUL. LC_ERR_TOO_LARGE when it is
 * longer or holds a NUL. */
enum lc_err lc_value_copy(const struct lc_value *value, char *out, size_t size);

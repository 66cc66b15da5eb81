#include "livecore/msgpack.h"

#include "codec/values_priv.h"

#include <stdlib.h>

/* mpack.h would define bool as unsigned where it is a keyword and not a macro (C23). */
#ifndef bool
#define bool bool
#endif
#include <mpack.h>

#define DEFAULT_BYTES ((size_t)16 << 20)
#define DEFAULT_VALUES ((size_t)1 << 20)
#define DEFAULT_DEPTH 32
#define MOST_DEPTH 64
#define NS_PER_S 1000000000

/* An open container. */
struct level {
	size_t index;  /* of its value */
	uint64_t left; /* values still to come in it, keys counted */
};

struct lc_msgpack_reader {
	size_t max_bytes, max_depth;
	struct lc_values values;
	struct level levels[MOST_DEPTH];
	size_t depth;
	const char *at; /* of the message being read; at + left is its end */
	size_t left;
};

static uint64_t bits(const mpack_token_t *token)
{
	return (uint64_t)token->data.value.hi << 32 | token->data.value.lo;
}

/* A negative number of 1, 2, 4 or 8 bytes; libmpack leaves the upper bits of short ones to the
 * reader. */
static int64_t negative(const mpack_token_t *token)
{
	switch (token->length) {
	case 1:
		return (int8_t)token->data.value.lo;
	case 2:
		return (int16_t)token->data.value.lo;
	case 4:
		return (int32_t)token->data.value.lo;
	default:
		return (int64_t)bits(token);
	}
}

static void set_float(struct lc_value *value, const mpack_token_t *token)
{
	if (token->length == 4) {
		float single;
		uint32_t word = token->data.value.lo;
		memcpy(&single, &word, sizeof single);
		value->type = LC_VALUE_FLOAT;
		value->v.d = single;
	} else {
		uint64_t word = bits(token);
		value->type = LC_VALUE_DOUBLE;
		memcpy(&value->v.d, &word, sizeof value->v.d);
	}
}

static uint64_t big_endian(const char *bytes, size_t len)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < len; i++) {
		sum = sum << 8 | (uint8_t)bytes[i];
	}
	return sum;
}

/* The three forms of the timestamp extension. */
static void set_time(struct lc_value *value, const char *bytes, size_t len)
{
	int64_t seconds = 0, ns;
	uint64_t fraction = 0;
	switch (len) {
	case 4:
		seconds = (int64_t)big_endian(bytes, 4);
		break;
	case 8: /* 30 bits of nanoseconds, 34 of seconds */
		fraction = big_endian(bytes, 8);
		seconds = (int64_t)(fraction & (((uint64_t)1 << 34) - 1));
		fraction >>= 34;
		break;
	case 12:
		fraction = big_endian(bytes, 4);
		seconds = (int64_t)big_endian(bytes + 4, 8);
		break;
	default:
		return;
	}
	if (fraction >= NS_PER_S || __builtin_mul_overflow(seconds, (int64_t)NS_PER_S, &ns) ||
		__builtin_add_overflow(ns, (int64_t)fraction, &ns)) {
		return;
	}
	value->type = LC_VALUE_TIME;
	value->v.i = ns;
	value->len = 0;
}

/* The bytes of a str, bin or ext, where they are. */
static enum lc_err take_bytes(
	struct lc_msgpack_reader *reader, struct lc_value *value, const mpack_token_t *token)
{
	if (token->length > reader->left) {
		return LC_ERR_INVALID;
	}
	value->type = token->type == MPACK_TOKEN_STR   ? LC_VALUE_STRING
		      : token->type == MPACK_TOKEN_BIN ? LC_VALUE_BYTES
						       : LC_VALUE_OTHER;
	value->v.text = reader->at;
	value->len = token->length;
	if (token->type == MPACK_TOKEN_EXT && (int8_t)token->data.ext_type == -1) {
		set_time(value, reader->at, token->length);
	}
	reader->at += token->length;
	reader->left -= token->length;
	return LC_OK;
}

static enum lc_err open_container(
	struct lc_msgpack_reader *reader, struct lc_value *value, const mpack_token_t *token)
{
	bool map = token->type == MPACK_TOKEN_MAP;
	uint64_t items = (uint64_t)token->length * (map ? 2 : 1);
	if (items > reader->left) {
		return LC_ERR_INVALID; /* each value takes a byte at least */
	}
	if (reader->depth == reader->max_depth) {
		return LC_ERR_TOO_LARGE;
	}
	value->type = map ? LC_VALUE_OBJECT : LC_VALUE_ARRAY;
	value->len = token->length;
	/* One more than it holds: the container itself is counted off below, like any other
	 * value. */
	reader->levels[reader->depth++] = (struct level){
		.index = (size_t)(value - reader->values.items), .left = items + 1};
	return LC_OK;
}

static enum lc_err add_value(struct lc_msgpack_reader *reader, const mpack_token_t *token)
{
	enum lc_err rc = LC_OK;
	struct lc_value *value = lc_values_add(&reader->values, &rc);
	if (value == NULL) {
		return rc;
	}
	value->len = 0;
	switch (token->type) {
	case MPACK_TOKEN_NIL:
		value->type = LC_VALUE_NULL;
		return LC_OK;
	case MPACK_TOKEN_BOOLEAN:
		value->type = LC_VALUE_BOOL;
		value->v.b = token->data.value.lo != 0;
		return LC_OK;
	case MPACK_TOKEN_UINT:
		value->type = LC_VALUE_UINT;
		value->v.u = bits(token);
		return LC_OK;
	case MPACK_TOKEN_SINT:
		value->type = LC_VALUE_INT;
		value->v.i = negative(token);
		return LC_OK;
	case MPACK_TOKEN_FLOAT:
		set_float(value, token);
		return LC_OK;
	case MPACK_TOKEN_ARRAY:
	case MPACK_TOKEN_MAP:
		return open_container(reader, value, token);
	case MPACK_TOKEN_BIN:
	case MPACK_TOKEN_STR:
	case MPACK_TOKEN_EXT:
		return take_bytes(reader, value, token);
	default:
		return LC_ERR_INVALID;
	}
}

/* Counts one value off its container, and closes what is complete. */
static void count_off(struct lc_msgpack_reader *reader)
{
	while (reader->depth > 0) {
		struct level *level = &reader->levels[reader->depth - 1];
		if (--level->left > 0) {
			return;
		}
		reader->values.items[level->index].v.span = reader->values.count - level->index;
		reader->depth--;
	}
}

/* The tokens of one byte, which are four of five in a vendor's frame: measured, a parse takes half
 * the time with them read here. False when it is another one. */
static bool read_short(struct lc_msgpack_reader *reader, mpack_token_t *token)
{
	uint8_t byte = (uint8_t)*reader->at;
	if (byte <= 0x7f) {
		token->type = MPACK_TOKEN_UINT;
		token->data.value.lo = byte;
		token->data.value.hi = 0;
	} else if (byte <= 0x8f) {
		token->type = MPACK_TOKEN_MAP;
		token->length = byte & 0x0f;
	} else if (byte <= 0x9f) {
		token->type = MPACK_TOKEN_ARRAY;
		token->length = byte & 0x0f;
	} else if (byte <= 0xbf) {
		token->type = MPACK_TOKEN_STR;
		token->length = byte & 0x1f;
	} else {
		return false;
	}
	reader->at++;
	reader->left--;
	return true;
}

static enum lc_err read_token(struct lc_msgpack_reader *reader, mpack_token_t *token)
{
	/* mpack_read() must not be called then either: it would read on. */
	if (reader->left == 0) {
		return LC_ERR_INVALID;
	}
	if (read_short(reader, token)) {
		return LC_OK;
	}
	mpack_tokbuf_t tokens;
	mpack_tokbuf_init(&tokens); /* anew each time: the bytes of strings we take ourselves */
	int rc = mpack_read(&tokens, &reader->at, &reader->left, token);
	return rc == MPACK_OK ? LC_OK : LC_ERR_INVALID;
}

static enum lc_err read_all(struct lc_msgpack_reader *reader)
{
	do {
		mpack_token_t token;
		enum lc_err rc = read_token(reader, &token);
		rc = rc == LC_OK ? add_value(reader, &token) : rc;
		if (rc != LC_OK) {
			return rc;
		}
		count_off(reader);
	} while (reader->depth > 0);
	return reader->left == 0 ? LC_OK : LC_ERR_INVALID;
}

enum lc_err lc_msgpack_reader_create(
	const struct lc_msgpack_limits *limits, struct lc_msgpack_reader **out)
{
	struct lc_msgpack_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL) {
		return LC_ERR_NOMEM;
	}
	struct lc_msgpack_limits given = {0};
	if (limits != NULL) {
		given = *limits;
	}
	reader->max_bytes = given.max_bytes != 0 ? given.max_bytes : DEFAULT_BYTES;
	reader->max_depth = given.max_depth != 0 ? given.max_depth : DEFAULT_DEPTH;
	reader->max_depth = reader->max_depth < MOST_DEPTH ? reader->max_depth : MOST_DEPTH;
	reader->values.max = given.max_values != 0 ? given.max_values : DEFAULT_VALUES;
	*out = reader;
	return LC_OK;
}

void lc_msgpack_reader_destroy(struct lc_msgpack_reader *reader)
{
	if (reader == NULL) {
		return;
	}
	free(reader->values.items);
	free(reader);
}

enum lc_err lc_msgpack_parse(struct lc_msgpack_reader *reader, const void *data, size_t len,
	const struct lc_value **root, struct lc_error *err)
{
	if (len == 0) {
		return lc_error_set(err, LC_ERR_INVALID, "msgpack: empty");
	}
	if (len > reader->max_bytes) {
		return lc_error_set(err, LC_ERR_TOO_LARGE, "msgpack: %zu bytes, at most %zu", len,
			reader->max_bytes);
	}
	reader->values.count = 0;
	reader->depth = 0;
	reader->at = data;
	reader->left = len;
	enum lc_err rc = read_all(reader);
	if (rc != LC_OK) {
		return lc_error_set(err, rc, "msgpack: %s near byte %zu of %zu", lc_err_text(rc),
			len - reader->left, len);
	}
	*root = reader->values.items;
	return LC_OK;
}

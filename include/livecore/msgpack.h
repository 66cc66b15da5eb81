/* A msgpack parser (libmpack's tokenizer) that gives the same values as the JSON parser: see
 * value.h. One reader a stream, used again for every message: it allocates only when a message has
 * more values than all before. Any one thread at a time. It never believes a length or a count in a
 * header: memory grows with the bytes that are really there. */
#pragma once

#include "livecore/error.h"
#include "livecore/value.h"

#include <stddef.h>

/* Zeros mean the default that the comment names. */
struct lc_msgpack_limits {
	size_t max_bytes;  /* of a message; 16 MB */
	size_t max_values; /* keys and containers counted too; 1,048,576 (16 bytes each) */
	size_t max_depth;  /* containers in containers; 32, at most 64 */
};

struct lc_msgpack_reader;

enum lc_err lc_msgpack_reader_create(const struct lc_msgpack_limits *limits,
	struct lc_msgpack_reader **out); /* limits may be NULL */
void lc_msgpack_reader_destroy(struct lc_msgpack_reader *reader);

/* Parses one msgpack value that fills data[0..len). Texts and bytes point into data. Extension -1
 * (timestamp, all three forms) becomes LC_VALUE_TIME. Errors: LC_ERR_INVALID (cut short, bytes left
 * over, a type byte that does not exist; *err says at which byte), LC_ERR_TOO_LARGE (a limit),
 * LC_ERR_NOMEM; *root is then undefined. err may be NULL. */
enum lc_err lc_msgpack_parse(struct lc_msgpack_reader *reader, const void *data, size_t len,
	const struct lc_value **root, struct lc_error *err);

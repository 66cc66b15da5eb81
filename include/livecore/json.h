/* The JSON parser of all vendors and of Kafka's messages (simdjson). One parser a stream or feeder,
 * used again for every message: it allocates only when a message is larger than all before. Any one
 * thread at a time. It never goes deeper than it was told, never makes more values than it was
 * told, and never converts a number: see value.h for how to read the result. */
#pragma once

#include "livecore/error.h"
#include "livecore/value.h"

#include <stddef.h>

/* Bytes that must be readable behind the input for it to be parsed in place; their content does not
 * matter. */
#define LC_JSON_PADDING 64

/* Zeros mean the default that the comment names. */
struct lc_json_limits {
	size_t max_bytes;  /* of a message; 16 MB */
	size_t max_values; /* keys and containers counted too; 1,048,576 (16 bytes each) */
	size_t max_depth;  /* containers in containers; 32, at most 64 */
};

struct lc_json_parser;

/* limits may be NULL. */
enum lc_err lc_json_parser_create(const struct lc_json_limits *limits, struct lc_json_parser **out);
void lc_json_parser_destroy(struct lc_json_parser *parser);

/* Parses one JSON array or object (a bare scalar is an error) that fills data[0..len). capacity is
 * how many bytes of data may be read (>= len): below len + LC_JSON_PADDING the input is copied
 * first. *root and all below it are valid until the next parse with this parser and while data is
 * unchanged. Errors: LC_ERR_INVALID (not JSON; *err says at which byte), LC_ERR_TOO_LARGE (a
 * limit), LC_ERR_NOMEM; *root is then undefined. err may be NULL. */
enum lc_err lc_json_parse(struct lc_json_parser *parser, const char *data, size_t len,
	size_t capacity, const struct lc_value **root, struct lc_error *err);

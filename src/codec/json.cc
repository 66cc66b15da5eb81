/* Always compiled with NDEBUG: with it defined or not simdjson's inline functions differ, and its
 * assertions cost three times the parsing. */
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

extern "C" {
#include "livecore/json.h"

#include "codec/values_priv.h"
}

#include <simdjson.h>

namespace ondemand = simdjson::ondemand;

static_assert(LC_JSON_PADDING >= simdjson::SIMDJSON_PADDING, "the padding we ask for is too short");

/* Measured: with these inlined a parse takes a fifth less. */
#define INLINED inline __attribute__((always_inline))

enum : size_t {
	DEFAULT_BYTES = (size_t)16 << 20,
	DEFAULT_VALUES = (size_t)1 << 20,
	DEFAULT_DEPTH = 32,
	MOST_DEPTH = 64,
	LARGE_BYTES = (size_t)64 << 10,
};

struct lc_json_parser {
	ondemand::parser simd;
	size_t max_bytes, max_depth = DEFAULT_DEPTH;
	struct lc_values values = {};
	char *copy = nullptr; /* owned: an input that came without padding */
	size_t copy_capacity = 0;
	uint8_t *strings = nullptr; /* owned: texts that had escapes */
	size_t strings_capacity = 0;
	/* Where the next one goes; NULL: this message had none yet. */
	uint8_t *strings_end = nullptr;
	size_t len = 0; /* of this message */

	explicit lc_json_parser(size_t bytes) noexcept : simd(bytes), max_bytes(bytes)
	{
	}
};

/* Makes a buffer of at least len bytes and the padding; its content is lost. */
template <typename byte> static bool reserve(byte **buffer, size_t *capacity, size_t len)
{
	size_t wanted = len + LC_JSON_PADDING;
	if (*capacity >= wanted) {
		return true;
	}
	wanted += wanted / 2;
	byte *bigger = static_cast<byte *>(malloc(wanted));
	if (bigger == nullptr) {
		return false;
	}
	free(*buffer);
	*buffer = bigger;
	*capacity = wanted;
	return true;
}

static __attribute__((noinline, cold)) enum lc_err unescape(
	struct lc_json_parser *parser, ondemand::raw_json_string raw, struct lc_value *value)
{
	if (parser->strings_end == nullptr) {
		/* Unescaping never makes a text longer, so this holds all of the message. */
		if (!reserve(&parser->strings, &parser->strings_capacity, parser->len)) {
			return LC_ERR_NOMEM;
		}
		parser->strings_end = parser->strings;
	}
	std::string_view text;
	if (parser->simd.unescape(raw, parser->strings_end).get(text) != simdjson::SUCCESS) {
		return LC_ERR_INVALID;
	}
	value->v.text = text.data();
	value->len = static_cast<uint32_t>(text.size());
	return LC_OK;
}

/* Texts without an escape, nearly all of them, stay where they are. A closing quote was seen by
 * simdjson's first pass. */
static INLINED enum lc_err add_string(struct lc_json_parser *parser, ondemand::raw_json_string raw)
{
	enum lc_err rc = LC_OK;
	struct lc_value *value = lc_values_add(&parser->values, &rc);
	if (value == nullptr) {
		return rc;
	}
	value->type = LC_VALUE_STRING;
	const char *end = raw.raw();
	while (*end != '"' && *end != '\\') {
		end++;
	}
	if (*end == '\\') {
		return unescape(parser, raw, value);
	}
	value->v.text = raw.raw();
	value->len = static_cast<uint32_t>(end - raw.raw());
	return LC_OK;
}

/* A number is handed over as it stands; true, false and null are compared whole: "tru" is none of
 * them. */
static INLINED enum lc_err add_scalar(struct lc_json_parser *parser, std::string_view token)
{
	size_t len = token.size();
	while (len > 0 && (unsigned char)token[len - 1] <= ' ') {
		len--;
	}
	token = token.substr(0, len);
	enum lc_err rc = LC_OK;
	struct lc_value *value = lc_values_add(&parser->values, &rc);
	if (value == nullptr || len == 0) {
		return value == nullptr ? rc : LC_ERR_INVALID;
	}
	value->len = 0;
	if (token[0] == '-' || (token[0] >= '0' && token[0] <= '9')) {
		value->type = LC_VALUE_NUMBER;
		value->v.text = token.data();
		value->len = static_cast<uint32_t>(len);
	} else if (token == "true" || token == "false") {
		value->type = LC_VALUE_BOOL;
		value->v.b = token[0] == 't';
	} else if (token == "null") {
		value->type = LC_VALUE_NULL;
	} else {
		return LC_ERR_INVALID;
	}
	return LC_OK;
}

static INLINED enum lc_err open_container(
	struct lc_json_parser *parser, enum lc_value_type type, size_t *index)
{
	enum lc_err rc = LC_OK;
	struct lc_value *value = lc_values_add(&parser->values, &rc);
	if (value == nullptr) {
		return rc;
	}
	value->type = type;
	*index = parser->values.count - 1;
	return LC_OK;
}

static void close_container(struct lc_json_parser *parser, size_t index, uint32_t items)
{
	struct lc_value *value = &parser->values.items[index];
	value->len = items;
	value->v.span = parser->values.count - index;
}

static enum lc_err add_array(struct lc_json_parser *parser, ondemand::array array, size_t depth);
static enum lc_err add_object(struct lc_json_parser *parser, ondemand::object object, size_t depth);

static INLINED enum lc_err add_value(
	struct lc_json_parser *parser, ondemand::value value, size_t depth)
{
	std::string_view token = value.raw_json_token();
	ondemand::raw_json_string raw;
	ondemand::array array;
	ondemand::object object;
	switch (token[0]) {
	case '"':
		if (value.get_raw_json_string().get(raw) != simdjson::SUCCESS) {
			return LC_ERR_INVALID;
		}
		return add_string(parser, raw);
	case '[':
		if (value.get_array().get(array) != simdjson::SUCCESS) {
			return LC_ERR_INVALID;
		}
		return add_array(parser, array, depth);
	case '{':
		if (value.get_object().get(object) != simdjson::SUCCESS) {
			return LC_ERR_INVALID;
		}
		return add_object(parser, object, depth);
	default:
		return add_scalar(parser, token);
	}
}

/* Both recurse once a level, and levels are few: see MOST_DEPTH. */
static enum lc_err add_array(struct lc_json_parser *parser, ondemand::array array, size_t depth)
{
	size_t index = 0;
	enum lc_err rc = depth >= parser->max_depth
				 ? LC_ERR_TOO_LARGE
				 : open_container(parser, LC_VALUE_ARRAY, &index);
	uint32_t items = 0;
	if (rc != LC_OK) {
		return rc;
	}
	for (auto each : array) {
		ondemand::value value;
		if (each.get(value) != simdjson::SUCCESS) {
			return LC_ERR_INVALID;
		}
		rc = add_value(parser, value, depth + 1);
		if (rc != LC_OK) {
			return rc;
		}
		items++;
	}
	close_container(parser, index, items);
	return LC_OK;
}

static enum lc_err add_object(struct lc_json_parser *parser, ondemand::object object, size_t depth)
{
	size_t index = 0;
	enum lc_err rc = depth >= parser->max_depth
				 ? LC_ERR_TOO_LARGE
				 : open_container(parser, LC_VALUE_OBJECT, &index);
	uint32_t fields = 0;
	if (rc != LC_OK) {
		return rc;
	}
	for (auto each : object) {
		ondemand::field field;
		if (std::move(each).get(field) != simdjson::SUCCESS) {
			return LC_ERR_INVALID;
		}
		rc = add_string(parser, field.key());
		if (rc == LC_OK) {
			rc = add_value(parser, field.value(), depth + 1);
		}
		if (rc != LC_OK) {
			return rc;
		}
		fields++;
	}
	close_container(parser, index, fields);
	return LC_OK;
}

/* The root is an array or an object: no vendor and no message of ours is anything else. */
static enum lc_err add_root(struct lc_json_parser *parser, ondemand::document &doc)
{
	ondemand::json_type type;
	ondemand::array array;
	ondemand::object object;
	enum lc_err rc = LC_ERR_INVALID;
	if (doc.type().get(type) != simdjson::SUCCESS) {
		return LC_ERR_INVALID;
	}
	if (type == ondemand::json_type::array && doc.get_array().get(array) == simdjson::SUCCESS) {
		rc = add_array(parser, array, 0);
	} else if (type == ondemand::json_type::object &&
		   doc.get_object().get(object) == simdjson::SUCCESS) {
		rc = add_object(parser, object, 0);
	}
	/* Only at the end of the input is there no location: anything behind the root is an
	 * error. */
	if (rc == LC_OK && doc.current_location().error() != simdjson::OUT_OF_BOUNDS) {
		rc = LC_ERR_INVALID;
	}
	return rc;
}

/* Does a message that is too deep or has too many values say so before simdjson, which would first
 * go through all of it? Only large ones are asked: the others are read faster than this tells.
 * Values are counted by what parts them, so a few too many may pass here and not later. */
static bool is_excessive(const struct lc_json_parser *parser, const char *data, size_t len)
{
	size_t depth = 0, values = 0;
	bool text = false;
	for (size_t i = 0; i < len; i++) {
		char c = data[i];
		if (text) {
			i += c == '\\';
			text = c != '"';
		} else if (c == '"') {
			text = true;
		} else if (c == '[' || c == '{') {
			depth++;
			values++;
		} else if (c == ']' || c == '}') {
			depth -= depth > 0;
		} else if (c == ',' || c == ':') {
			values++;
		}
		if (depth > parser->max_depth || values > parser->values.max) {
			return true;
		}
	}
	return false;
}

static enum lc_err describe(
	struct lc_error *err, enum lc_err rc, ondemand::document &doc, const char *data, size_t len)
{
	const char *where = nullptr;
	if (doc.current_location().get(where) != simdjson::SUCCESS || where < data ||
		where > data + len) {
		return lc_error_set(err, rc, "JSON: %s near the end, byte %zu",
			rc == LC_ERR_INVALID ? "broken" : lc_err_text(rc), len);
	}
	return lc_error_set(err, rc, "JSON: %s near byte %zu",
		rc == LC_ERR_INVALID ? "broken" : lc_err_text(rc), (size_t)(where - data));
}

extern "C" enum lc_err lc_json_parser_create(
	const struct lc_json_limits *limits, struct lc_json_parser **out)
{
	struct lc_json_limits given = {};
	if (limits != nullptr) {
		given = *limits;
	}
	size_t bytes = given.max_bytes != 0 ? given.max_bytes : DEFAULT_BYTES;
	struct lc_json_parser *parser = new (std::nothrow) lc_json_parser(bytes);
	if (parser == nullptr) {
		return LC_ERR_NOMEM;
	}
	if (given.max_depth != 0) {
		parser->max_depth = given.max_depth < MOST_DEPTH ? given.max_depth : MOST_DEPTH;
	}
	parser->values.max = given.max_values != 0 ? given.max_values : DEFAULT_VALUES;
	*out = parser;
	return LC_OK;
}

extern "C" void lc_json_parser_destroy(struct lc_json_parser *parser)
{
	if (parser == nullptr) {
		return;
	}
	free(parser->values.items);
	free(parser->copy);
	free(parser->strings);
	delete parser;
}

extern "C" enum lc_err lc_json_parse(struct lc_json_parser *parser, const char *data, size_t len,
	size_t capacity, const struct lc_value **root, struct lc_error *err)
{
	if (len > parser->max_bytes) {
		return lc_error_set(err, LC_ERR_TOO_LARGE, "JSON: %zu bytes, at most %zu", len,
			parser->max_bytes);
	}
	if (len > LARGE_BYTES && is_excessive(parser, data, len)) {
		return lc_error_set(err, LC_ERR_TOO_LARGE,
			"JSON: more than %zu values, or deeper than %zu (%zu bytes)",
			parser->values.max, parser->max_depth, len);
	}
	if (capacity < len + LC_JSON_PADDING) {
		if (!reserve(&parser->copy, &parser->copy_capacity, len)) {
			return lc_error_set(err, LC_ERR_NOMEM, "JSON: out of memory");
		}
		memcpy(parser->copy, data, len);
		memset(parser->copy + len, 0, LC_JSON_PADDING);
		data = parser->copy;
		capacity = parser->copy_capacity;
	}
	parser->values.count = 0;
	parser->strings_end = nullptr;
	parser->len = len;
	ondemand::document doc;
	simdjson::error_code code =
		parser->simd.iterate(simdjson::padded_string_view(data, len, capacity)).get(doc);
	if (code != simdjson::SUCCESS) {
		enum lc_err rc = code == simdjson::MEMALLOC ? LC_ERR_NOMEM : LC_ERR_INVALID;
		return lc_error_set(
			err, rc, "JSON: %s (%zu bytes)", simdjson::error_message(code), len);
	}
	enum lc_err rc = add_root(parser, doc);
	if (rc != LC_OK) {
		return describe(err, rc, doc, data, len);
	}
	*root = parser->values.items;
	return LC_OK;
}

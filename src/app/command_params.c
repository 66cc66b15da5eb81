#include "app/command_params.h"

#include "livecore/decimal.h"
#include "livecore/json.h"

#include <string.h>

#define TEXTS_MAX ((size_t)2 * 1024 * 1024)

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool is_scalar(const char *text, size_t len)
{
	struct lc_decimal number;
	return is_word(text, len, "true") || is_word(text, len, "false") ||
	       is_word(text, len, "null") || lc_decimal_parse(text, len, &number) == LC_OK;
}

/* Is [text] JSON? A bare text in quotes is held inside a list, as the parser takes containers
 * alone. */
static enum lc_err check_json(const char *key, const char *text, struct lc_error *err)
{
	struct lc_json_parser *parser;
	struct lc_buf wrapped;
	const struct lc_value *root;
	struct lc_error why;
	if (lc_json_parser_create(NULL, &parser) != LC_OK) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	lc_buf_init(&wrapped, TEXTS_MAX);
	lc_buf_printf(&wrapped, "[%s]", text);
	enum lc_err rc = lc_json_parse(parser, wrapped.data, wrapped.len, wrapped.len, &root, &why);
	if (rc == LC_OK && root->len != 1) {
		rc = lc_error_set(&why, LC_ERR_INVALID, "more than one value");
	}
	lc_buf_finish(&wrapped);
	lc_json_parser_destroy(parser);
	return rc ? lc_error_set(err, rc, "%.60s: its value begins like JSON but is none: %.120s",
			    key, why.text)
		  : LC_OK;
}

static void put_scalar(struct lc_buf *out, const char *text, size_t len, bool as_text)
{
	if (!as_text && is_scalar(text, len)) {
		lc_buf_append(out, text, len);
	} else {
		lc_buf_json_string(out, text, len);
	}
}

/* A,B,C */
static void put_list(struct lc_buf *out, const char *text, bool as_text)
{
	const char *separator = "[";
	for (;;) {
		size_t len = strcspn(text, ",");
		lc_buf_puts(out, separator);
		put_scalar(out, text, len, as_text);
		separator = ",";
		if (text[len] == '\0') {
			break;
		}
		text += len + 1;
	}
	lc_buf_putc(out, ']');
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static enum lc_err put_value(
	struct lc_buf *out, const char *key, const char *value, struct lc_error *err)
{
	bool codes = strcmp(key, "codes") == 0;
	if (value[0] == '[' || value[0] == '{' || value[0] == '"') {
		lc_buf_puts(out, value);
		return check_json(key, value, err);
	}
	if (codes || strchr(value, ',')) {
		put_list(out, value, codes);
	} else {
		put_scalar(out, value, strlen(value),
			ends_with(key, "_date") || strcmp(key, "code") == 0);
	}
	return LC_OK;
}

/* Appends key NUL value NUL; the fields get their pointers when the buffer moves no more. */
static enum lc_err take_word(struct lc_params *params, const char *word, struct lc_error *err)
{
	const char *equals = strchr(word, '=');
	if (!equals || equals == word) {
		return lc_error_set(err, LC_ERR_INVALID,
			"\"%.100s\" is no parameter: write key=value, for example "
			"codes=600000.SH,AAPL",
			word);
	}
	size_t at = params->texts.len;
	lc_buf_append(&params->texts, word, (size_t)(equals - word));
	lc_buf_putc(&params->texts, '\0');
	if (params->texts.failed) {
		return lc_error_set(err, LC_ERR_TOO_LARGE, "the parameters are too long");
	}
	char key[64] = "";
	if (params->texts.len - at <= sizeof key) {
		memcpy(key, params->texts.data + at, params->texts.len - at);
	}
	enum lc_err rc = put_value(&params->texts, key, equals + 1, err);
	lc_buf_putc(&params->texts, '\0');
	if (rc == LC_OK && params->texts.failed) {
		rc = lc_error_set(err, LC_ERR_TOO_LARGE, "the parameters are too long");
	}
	return rc;
}

/* Of two with one name readers take either: which is not for us to say. */
static bool given_before(char **words, size_t at)
{
	size_t len = strcspn(words[at], "=");
	for (size_t i = 0; i < at; i++) {
		if (strcspn(words[i], "=") == len && memcmp(words[i], words[at], len) == 0) {
			return true;
		}
	}
	return false;
}

enum lc_err lc_params_parse(
	struct lc_params *params, char **words, size_t count, struct lc_error *err)
{
	*params = (struct lc_params){0};
	lc_buf_init(&params->texts, TEXTS_MAX);
	if (count > LC_PARAMS_MAX) {
		return lc_error_set(err, LC_ERR_LIMIT, "more than %d parameters", LC_PARAMS_MAX);
	}
	for (size_t i = 0; i < count; i++) {
		enum lc_err rc = take_word(params, words[i], err);
		if (rc == LC_OK && given_before(words, i)) {
			rc = lc_error_set(err, LC_ERR_INVALID,
				"%.100s: this parameter is given twice", words[i]);
		}
		if (rc != LC_OK) {
			return rc;
		}
	}
	const char *text = params->texts.data;
	for (size_t i = 0; i < count; i++) {
		const char *value = text + strlen(text) + 1;
		params->fields[i] = LC_J(text, value);
		text = value + strlen(value) + 1;
	}
	return LC_OK;
}

void lc_params_finish(struct lc_params *params)
{
	lc_buf_finish(&params->texts);
}

/* From YAML to the JSON of a command. */
#include "timer/rules.h"


#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcasecmp(text, *words) == 0) {
			return true;
		}
	}
	return false;
}

/* JSON's own form of a number: no sign +, no leading zeros, digits on both sides of a point. */
static bool is_json_number(const char *text)
{
	text += *text == '-';
	if (*text == '0' && isdigit((unsigned char)text[1])) {
		return false;
	}
	size_t digits = strspn(text, "0123456789");
	text += digits;
	if (digits == 0 || digits > 30) {
		return false;
	}
	if (*text == '.') {
		digits = strspn(text + 1, "0123456789");
		if (digits == 0 || digits > 30) {
			return false;
		}
		text += digits + 1;
	}
	return *text == '\0'; /* an exponent is rather a text that looks like one */
}

static bool is_text_key(const char *key)
{
	size_t len = strlen(key);
	return strcmp(key, "code") == 0 || strcmp(key, "codes") == 0 ||
	       (len > 5 && strcmp(key + len - 5, "_date") == 0);
}

static void put_scalar(const struct lc_yaml_node *node, const char *key, struct lc_buf *out)
{
	static const char *const yes[] = {"true", "yes", "on", NULL};
	static const char *const no[] = {"false", "no", "off", NULL};
	if (lc_yaml_is_null(node)) {
		lc_buf_puts(out, "null");
	} else if (!node->plain || is_text_key(key)) {
		lc_buf_json_string(out, node->text, strlen(node->text));
	} else if (is_one_of(node->text, yes)) {
		lc_buf_puts(out, "true");
	} else if (is_one_of(node->text, no)) {
		lc_buf_puts(out, "false");
	} else if (is_json_number(node->text)) {
		lc_buf_puts(out, node->text);
	} else {
		lc_buf_json_string(out, node->text, strlen(node->text));
	}
}

/* As deep as a document may be: bounded by its reader. */
void timer_params_json(const struct lc_yaml_node *node, const char *key, struct lc_buf *out)
{
	if (node->kind == LC_YAML_SCALAR) {
		put_scalar(node, key, out);
		return;
	}
	bool mapping = node->kind == LC_YAML_MAPPING;
	const char *separator = "";
	lc_buf_putc(out, mapping ? '{' : '[');
	for (const struct lc_yaml_node *at = node->first; at; at = at->next) {
		lc_buf_puts(out, separator);
		if (mapping) {
			lc_buf_json_string(out, at->key, strlen(at->key));
			lc_buf_putc(out, ':');
		}
		timer_params_json(at, mapping ? at->key : key, out);
		separator = ",";
	}
	lc_buf_putc(out, mapping ? '}' : ']');
}

#include "livecore/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct lc_json_parser *parser;

static void set_up(void)
{
	cr_assert_eq(lc_json_parser_create(NULL, &parser), LC_OK);
}

static void tear_down(void)
{
	lc_json_parser_destroy(parser);
}

TestSuite(json, .init = set_up, .fini = tear_down);

/* Parses an exactly fitting heap copy, so that reading beyond it is seen by the sanitizer. */
static enum lc_err parse_in(
	struct lc_json_parser *p, const char *text, const struct lc_value **root)
{
	static char *kept;
	size_t len = strlen(text);
	free(kept);
	kept = malloc(len > 0 ? len : 1);
	memcpy(kept, text, len);
	struct lc_error err;
	enum lc_err rc = lc_json_parse(p, kept, len, len, root, &err);
	cr_assert(rc == LC_OK || err.code == rc);
	return rc;
}

static const struct lc_value *parsed(const char *text)
{
	const struct lc_value *root = NULL;
	cr_assert_eq(parse_in(parser, text, &root), LC_OK, "%s", text);
	return root;
}

static const struct lc_value *field(const char *text)
{
	const struct lc_value *value = lc_value_find(parsed(text), "a");
	cr_assert_not_null(value);
	return value;
}

Test(json, trades_of_a_frame)
{
	const struct lc_value *root = parsed(
		"[{\"T\":\"t\",\"S\":\"KO\",\"i\":9007199254740993,\"x\":\"V\",\"p\":68.415,\"s\":"
		"25,"
		"\"c\":[\"@\",\"I\"],\"z\":\"A\",\"t\":\"2026-03-04T15:30:00.1204Z\"},\n"
		" {\"s\" : 100 , \"p\" :\t68.42, \"S\":\"KO\", \"T\":\"t\"}\r\n]  ");
	cr_assert_eq(root->type, LC_VALUE_ARRAY);
	cr_assert_eq(root->len, 2);
	const struct lc_value *item, *key, *value;
	char text[LC_DECIMAL_TEXT_MAX];
	char seen[200] = "";
	uint64_t id = 0;
	int64_t time = 0;
	struct lc_decimal price;
	lc_value_each (item, root) {
		lc_value_each_field (key, value, item) {
			switch (lc_value_key(key)) {
			case LC_KEY1('p'):
				cr_assert_eq(lc_value_decimal(value, &price), LC_OK);
				strncat(seen, text, lc_decimal_format(price, text));
				strcat(seen, " ");
				break;
			case LC_KEY1('i'):
				cr_assert_eq(lc_value_uint(value, &id), LC_OK);
				break;
			case LC_KEY1('t'):
				cr_assert_eq(lc_value_time(value, NULL, &time), LC_OK);
				break;
			case LC_KEY1('c'):
				cr_assert_eq(value->len, 2);
				cr_assert(lc_value_is(value + 2, "I"));
				break;
			default:
				strncat(seen, value->v.text, value->len);
				strcat(seen, " ");
				break;
			}
		}
	}
	cr_assert_str_eq(seen, "t KO V 68.415 25 A 100 68.42 KO t ");
	cr_assert_eq(id, UINT64_C(9007199254740993));
	cr_assert_eq(time, INT64_C(1772638200120400000));
}

Test(json, padded_input_is_parsed_in_place)
{
	static char text[200] = "{\"a\":\"here\"}";
	const struct lc_value *root;
	cr_assert_eq(lc_json_parse(parser, text, 12, sizeof text, &root, NULL), LC_OK);
	const struct lc_value *value = lc_value_find(root, "a");
	cr_assert(value->v.text == text + 6, "copied");
	cr_assert_eq(lc_json_parse(parser, text, 12, 12 + LC_JSON_PADDING - 1, &root, NULL), LC_OK);
	value = lc_value_find(root, "a");
	cr_assert(value->v.text != text + 6 && lc_value_is(value, "here"));
}

Test(json, texts_are_unescaped)
{
	const struct {
		const char *json, *text;
	} cases[] = {
		{"{\"a\":\"\"}", ""},
		{"{\"a\":\"x\\\"y\\\\\"}", "x\"y\\"},
		{"{\"\\u0061\":\"\\u8d35\\u5dde \\ud83d\\ude00\\n\"}", "贵州 😀\n"},
		{"{\"a\":\"贵州茅台\"}", "贵州茅台"},
		{"{\"b\":\"\\t\",\"a\":\"\\/\"}", "/"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_assert(lc_value_is(field(cases[i].json), cases[i].text), "%s", cases[i].json);
	}
	const struct lc_value *root = parsed("{\"a\":\"1\\n\",\"b\":\"2\\n\",\"c\":\"3\\n\"}");
	cr_assert(lc_value_is(lc_value_find(root, "a"), "1\n"), "one buffer, three texts");
	cr_assert(lc_value_is(lc_value_find(root, "b"), "2\n"));
	cr_assert(lc_value_is(lc_value_find(root, "c"), "3\n"));
	char small[4] = "";
	cr_assert_eq(lc_value_copy(field("{\"a\":\"abc\"}"), small, sizeof small), LC_OK);
	cr_assert_str_eq(small, "abc");
	cr_assert_eq(
		lc_value_copy(field("{\"a\":\"abcd\"}"), small, sizeof small), LC_ERR_TOO_LARGE);
	cr_assert_eq(
		lc_value_copy(field("{\"a\":\"\\u0000\"}"), small, sizeof small), LC_ERR_TOO_LARGE);
	cr_assert_eq(lc_value_copy(field("{\"a\":1}"), small, sizeof small), LC_ERR_INVALID);
}

Test(json, last_of_two_fields_is_found)
{
	int64_t n = 0;
	cr_assert_eq(lc_value_int(field("{\"a\":1,\"b\":{\"a\":7},\"a\":2}"), &n), LC_OK);
	cr_assert_eq(n, 2);
	cr_assert_null(lc_value_find(parsed("[{\"a\":1}]"), "a"));
}

Test(json, scalars)
{
	bool b = false;
	cr_assert_eq(lc_value_bool(field("{\"a\": true }"), &b), LC_OK);
	cr_assert(b);
	cr_assert_eq(lc_value_bool(field("{\"a\":false}"), &b), LC_OK);
	cr_assert_not(b);
	cr_assert_eq(field("{\"a\":null}")->type, LC_VALUE_NULL);
	cr_assert_eq(lc_value_bool(field("{\"a\":1}"), &b), LC_ERR_INVALID);
	struct lc_text text;
	cr_assert_eq(lc_value_text(field("{\"a\":1}"), &text), LC_ERR_INVALID);
	int64_t ns;
	cr_assert_eq(lc_value_time(field("{\"a\":1767922200}"), NULL, &ns), LC_ERR_INVALID);
	cr_assert_eq(parsed("{}")->len, 0);
	cr_assert_eq(parsed("[]")->v.span, 1);
}

Test(json, whole_numbers_are_exact)
{
	const struct {
		const char *text;
		enum lc_err as_int, as_uint;
	} cases[] = {
		{"0", LC_OK, LC_OK},
		{"-0", LC_OK, LC_OK},
		{"9223372036854775807", LC_OK, LC_OK},
		{"9223372036854775808", LC_ERR_RANGE, LC_OK},
		{"18446744073709551615", LC_ERR_RANGE, LC_OK},
		{"18446744073709551616", LC_ERR_RANGE, LC_ERR_RANGE},
		{"99999999999999999999999999", LC_ERR_RANGE, LC_ERR_RANGE},
		{"-9223372036854775808", LC_OK, LC_ERR_RANGE},
		{"-9223372036854775809", LC_ERR_RANGE, LC_ERR_RANGE},
		{"-1", LC_OK, LC_ERR_RANGE},
		{"1.0", LC_ERR_INVALID, LC_ERR_INVALID},
		{"1e2", LC_ERR_INVALID, LC_ERR_INVALID},
		{"01", LC_ERR_INVALID, LC_ERR_INVALID},
		{"-", LC_ERR_INVALID, LC_ERR_INVALID},
		{"\"1\"", LC_ERR_INVALID, LC_ERR_INVALID},
		{"null", LC_ERR_INVALID, LC_ERR_INVALID},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char json[80];
		snprintf(json, sizeof json, "{\"a\":%s}", cases[i].text);
		int64_t s = 0;
		uint64_t u = 0;
		const struct lc_value *value = field(json);
		cr_assert_eq(lc_value_int(value, &s), cases[i].as_int, "%s", cases[i].text);
		cr_assert_eq(lc_value_uint(value, &u), cases[i].as_uint, "%s", cases[i].text);
		char back[32];
		if (cases[i].as_int == LC_OK && s != 0) {
			snprintf(back, sizeof back, "%lld", (long long)s);
			cr_assert_str_eq(back, cases[i].text);
		}
		if (cases[i].as_uint == LC_OK && u != 0) {
			snprintf(back, sizeof back, "%llu", (unsigned long long)u);
			cr_assert_str_eq(back, cases[i].text);
		}
	}
}

/* A number's text is only looked at when it is asked for; what is no number must fail there at the
 * latest. */
Test(json, what_is_no_number_never_becomes_one)
{
	const char *bad[] = {"1.", ".5", "1e", "+1", "0x10", "1.5.2", "--1", "NaN", "Infinity",
		"tru", "nul", "truex", "1a", "\"1.5\"", "[1]", "{}", "true"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char json[80];
		snprintf(json, sizeof json, "{\"a\":%s}", bad[i]);
		const struct lc_value *root;
		struct lc_decimal d;
		if (parse_in(parser, json, &root) == LC_OK) {
			cr_assert_eq(lc_value_decimal(lc_value_find(root, "a"), &d), LC_ERR_INVALID,
				"%s", bad[i]);
		}
	}
}

Test(json, broken_texts_are_refused)
{
	const char *bad[] = {"", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]",
		"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1}}", "[1] [2]", "[1] 2",
		"[1]x", "{\"a\":1}{\"a\":2}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{1:2}",
		"[\"\\x\"]", "[\"\\ud800\"]", "[\"\\u12\"]", "[\"open]", "[\"a\nb\"]", "[\"\xff\"]",
		"[\"\xc0\x80\"]", "[tru]", "[truee]", "[nul]", "[nan]", "[1}", "{\"a\":[1}]", "1",
		"\"a\"", "null", "[\"a\"\"b\"]", "[[]", "[{}", "[{]", "{\"a\":{}", "{\"a\":tru}",
		"[:]", "[1:2]", "{,}"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const struct lc_value *root;
		cr_assert_eq(parse_in(parser, bad[i], &root), LC_ERR_INVALID, "%s", bad[i]);
	}
	cr_assert_eq(parsed("[1]")->len, 1, "the parser is as new");
}

Test(json, errors_say_where)
{
	struct lc_error err;
	const struct lc_value *root;
	const char *text = "{\"a\":1,\"b\":tru,\"c\":2}";
	cr_assert_eq(lc_json_parse(parser, text, strlen(text), strlen(text), &root, &err),
		LC_ERR_INVALID);
	cr_assert(strstr(err.text, "byte") != NULL, "%s", err.text);
}

Test(json, nesting_is_bounded)
{
	struct lc_json_limits limits = {.max_depth = 3};
	struct lc_json_parser *shallow;
	const struct lc_value *root;
	cr_assert_eq(lc_json_parser_create(&limits, &shallow), LC_OK);
	cr_assert_eq(parse_in(shallow, "[{\"a\":[1]},{\"a\":[]}]", &root), LC_OK);
	cr_assert_eq(parse_in(shallow, "[{\"a\":[[]]}]", &root), LC_ERR_TOO_LARGE);
	cr_assert_eq(parse_in(shallow, "[[[{}]]]", &root), LC_ERR_TOO_LARGE);
	lc_json_parser_destroy(shallow);

	size_t depth = 100000;
	char *deep = malloc(depth * 2 + 1);
	memset(deep, '[', depth);
	memset(deep + depth, ']', depth);
	deep[depth * 2] = '\0';
	cr_assert_neq(parse_in(parser, deep, &root), LC_OK);
	deep[depth] = '\0';
	cr_assert_neq(parse_in(parser, deep, &root), LC_OK);
	free(deep);
}

/* A large message that is too deep or too wide is refused before it is parsed; what stands in texts
 * does not count. */
Test(json, large_messages_are_refused_early)
{
	enum { LARGE = 100000 };
	struct lc_json_limits limits = {.max_values = 1000};
	struct lc_json_parser *small;
	const struct lc_value *root;
	struct lc_error err;
	static char text[LARGE + LC_JSON_PADDING];
	cr_assert_eq(lc_json_parser_create(&limits, &small), LC_OK);
	memset(text, '[', LARGE);
	cr_assert_eq(lc_json_parse(small, text, LARGE, sizeof text, &root, &err), LC_ERR_TOO_LARGE);
	cr_assert(strstr(err.text, "deeper than 32"), "%s", err.text);
	for (size_t i = 1; i < LARGE; i++) {
		text[i] = i % 2 ? '0' : ',';
	}
	cr_assert_eq(lc_json_parse(small, text, LARGE, sizeof text, &root, &err), LC_ERR_TOO_LARGE);
	cr_assert(strstr(err.text, "more than 1000 values"), "%s", err.text);
	memset(text, '{', LARGE);
	memcpy(text, "[\"\\\"[[", 6);
	memcpy(text + LARGE - 6, ",[,\\\"\"", 6);
	cr_assert_neq(lc_json_parse(small, text, LARGE, sizeof text, &root, &err), LC_OK);
	memcpy(text + LARGE - 4, "\\\"\"]", 4);
	cr_assert_eq(
		lc_json_parse(small, text, LARGE, sizeof text, &root, &err), LC_OK, "%s", err.text);
	cr_assert_eq(root[1].len, (size_t)LARGE - 6);
	lc_json_parser_destroy(small);
}

Test(json, bytes_and_values_are_bounded)
{
	struct lc_json_limits limits = {.max_bytes = 20, .max_values = 4};
	struct lc_json_parser *small;
	const struct lc_value *root;
	cr_assert_eq(lc_json_parser_create(&limits, &small), LC_OK);
	cr_assert_eq(parse_in(small, "[1,2,3]", &root), LC_OK);
	cr_assert_eq(parse_in(small, "[1,2,3,4]", &root), LC_ERR_TOO_LARGE);
	cr_assert_eq(parse_in(small, "{\"a\":1,\"b\":2}", &root), LC_ERR_TOO_LARGE);
	cr_assert_eq(parse_in(small, "[1]                  ", &root), LC_ERR_TOO_LARGE);
	lc_json_parser_destroy(small);
	lc_json_parser_destroy(NULL);
}

/* Every prefix and every one-byte change of a message: nothing may crash, and no prefix may
 * pass. */
Test(json, no_prefix_passes)
{
	const char *whole =
		"[{\"T\":\"q\",\"bp\":1.5,\"c\":[\"R\",\"\\u0041\"],\"n\":null,\"f\":false}]";
	size_t len = strlen(whole);
	char text[100];
	const struct lc_value *root;
	for (size_t cut = 0; cut < len; cut++) {
		memcpy(text, whole, cut);
		text[cut] = '\0';
		cr_assert_neq(parse_in(parser, text, &root), LC_OK, "%s", text);
	}
	for (size_t at = 0; at < len; at++) {
		for (int c = 1; c < 256; c += 3) {
			memcpy(text, whole, len + 1);
			text[at] = (char)c;
			(void)parse_in(parser, text, &root);
		}
	}
}

Test(json, a_loop_over_the_wrong_type_runs_never)
{
	const struct lc_value *root = parsed("[1,{\"a\":2}]");
	const struct lc_value *key, *value;
	lc_value_each_field (key, value, root) {
		cr_assert_fail("an array has no fields");
	}
	lc_value_each (value, root + 1) {
		cr_assert_fail("a number has no items");
	}
	lc_value_each (value, root + 2) {
		cr_assert_fail("an object has no items");
	}
}

Test(json, keys_to_switch_on)
{
	const struct lc_value *root = parsed(
		"{\"f43\":1,\"\":2,\"longer than 8\":3,\"abcdefgh\":4}");
	cr_assert_eq(lc_value_key(root + 1), LC_KEY3('f', '4', '3'));
	cr_assert_eq(lc_value_key(root + 3), 0);
	cr_assert_eq(lc_value_key(root + 5), 0);
	cr_assert_eq(lc_value_key(root + 7), UINT64_C(0x6162636465666768));
	cr_assert_eq(lc_value_key(root + 2), 0, "a number is no key");
}

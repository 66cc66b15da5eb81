#include "livecore/buf.h"
#include "livecore/utf8.h"

#include <criterion/criterion.h>
#include <string.h>

static void assert_json(const char *text, size_t len, const char *expected)
{
	struct lc_buf buf;
	lc_buf_init(&buf, 1000);
	lc_buf_json_string(&buf, text, len);
	cr_assert_str_eq(lc_buf_text(&buf), expected, "%s, not %s", lc_buf_text(&buf), expected);
	lc_buf_finish(&buf);
}

Test(buf, appends_all_kinds)
{
	struct lc_buf buf;
	lc_buf_init(&buf, 1000);
	cr_assert_str_eq(lc_buf_text(&buf), "");
	lc_buf_puts(&buf, "a");
	lc_buf_putc(&buf, ' ');
	lc_buf_int(&buf, INT64_MIN);
	lc_buf_putc(&buf, ' ');
	lc_buf_uint(&buf, UINT64_MAX);
	lc_buf_putc(&buf, ' ');
	lc_buf_decimal(&buf, (struct lc_decimal){1050, -2});
	lc_buf_printf(&buf, " %03d", 7);
	lc_buf_append(&buf, NULL, 0);
	cr_assert_str_eq(lc_buf_text(&buf), "a -9223372036854775808 18446744073709551615 10.5 007");
	lc_buf_consume(&buf, 2);
	cr_assert_eq(buf.data[0], '-');
	lc_buf_consume(&buf, buf.len);
	cr_assert_str_eq(lc_buf_text(&buf), "");
	lc_buf_finish(&buf);
}

Test(buf, grows_to_its_limit_and_no_further)
{
	struct lc_buf buf;
	lc_buf_init(&buf, 1000);
	for (int i = 0; i < 1000; i++) {
		lc_buf_putc(&buf, 'x');
	}
	cr_assert(!buf.failed);
	cr_assert_eq(buf.len, 1000);
	lc_buf_putc(&buf, 'y');
	cr_assert(buf.failed);
	cr_assert_eq(buf.len, 1000);
	cr_assert_null(lc_buf_reserve(&buf, 0), "nothing after a failure");
	cr_assert_str_eq(lc_buf_text(&buf), "");
	const char *memory = buf.data;
	lc_buf_clear(&buf);
	lc_buf_puts(&buf, "again");
	cr_assert_eq(buf.data, memory, "memory is kept");
	cr_assert_str_eq(lc_buf_text(&buf), "again");
	lc_buf_printf(&buf, "%*s", 2000, "");
	cr_assert(buf.failed);
	lc_buf_finish(&buf);
}

Test(buf, absurd_sizes_fail)
{
	struct lc_buf buf;
	lc_buf_init(&buf, SIZE_MAX);
	lc_buf_putc(&buf, 'x');
	cr_assert_null(lc_buf_reserve(&buf, SIZE_MAX));
	lc_buf_clear(&buf);
	cr_assert_null(lc_buf_reserve(&buf, SIZE_MAX - 1));
	lc_buf_finish(&buf);
}

Test(buf, exactly_full_still_has_text_and_printf)
{
	struct lc_buf buf;
	lc_buf_init(&buf, 8);
	lc_buf_printf(&buf, "%s", "12345678");
	cr_assert_str_eq(lc_buf_text(&buf), "12345678");
	lc_buf_finish(&buf);
}

Test(buf, json_strings)
{
	assert_json("", 0, "\"\"");
	assert_json("plain", 5, "\"plain\"");
	assert_json("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
	assert_json("\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"");
	assert_json("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
	assert_json("平安銀行", 12, "\"平安銀行\"");
	assert_json("\xF0\x9F\x98\x80", 4, "\"\xF0\x9F\x98\x80\"");
}

Test(buf, broken_utf8_is_replaced_byte_by_byte)
{
	static const char *const broken[] = {
		"\x80", "\xC0", "\xC1", "\xF5", "\xFF", "\xC3", "\xE5"};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		assert_json(broken[i], 1, "\"\uFFFD\"");
	}
	assert_json("a\xC3z", 3, "\"a\uFFFDz\"");
	assert_json("\xC0\xAF", 2, "\"\uFFFD\uFFFD\"");
	assert_json("\xE0\x80\xAF", 3, "\"\uFFFD\uFFFD\uFFFD\"");
	assert_json("\xED\xA0\x80", 3, "\"\uFFFD\uFFFD\uFFFD\"");
	assert_json("\xF4\x90\x80\x80", 4, "\"\uFFFD\uFFFD\uFFFD\uFFFD\"");
	assert_json("\xE5\xB9\xB3", 2, "\"\uFFFD\uFFFD\"");
}

Test(utf8, what_a_terminal_obeys)
{
	static const struct {
		const char *text;
		size_t steers;
	} cases[] = {
		{"a", 0},
		{"\x1b[31m", 1},
		{"\x7f", 1},
		{"\n", 1},
		{"\xC2\x9B"
		 "31m",
			2}, /* CSI, as UTF-8 writes it */
		{"\xC2\xA0", 0},
		{"\xC2", 0}, /* cut */
		{"\xE2\x80\xAE", 3},
		{"\xE2\x81\xA6", 3},
		{"\xE2\x80\x94", 0}, /* a dash */
		{"\xE2\x80", 0},
		{"\xE4\xB8\xAD", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_eq(lc_utf8_steers(cases[i].text, strlen(cases[i].text)), cases[i].steers,
			"case %zu", i);
	}
}

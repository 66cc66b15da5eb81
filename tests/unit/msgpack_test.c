#include "livecore/json.h"
#include "livecore/msgpack.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct lc_msgpack_reader *reader;

static void set_up(void)
{
	cr_assert_eq(lc_msgpack_reader_create(NULL, &reader), LC_OK);
}

static void tear_down(void)
{
	lc_msgpack_reader_destroy(reader);
}

TestSuite(msgpack, .init = set_up, .fini = tear_down);

/* Reads an exactly fitting heap copy, so that reading beyond it is seen by the sanitizer. */
static enum lc_err read_in(
	struct lc_msgpack_reader *r, const void *bytes, size_t len, const struct lc_value **root)
{
	static char *kept;
	free(kept);
	kept = malloc(len > 0 ? len : 1);
	memcpy(kept, bytes, len);
	struct lc_error err;
	enum lc_err rc = lc_msgpack_parse(r, kept, len, root, &err);
	cr_assert(rc == LC_OK || err.code == rc);
	return rc;
}

#define READ(bytes, root) read_in(reader, (bytes), sizeof(bytes) - 1, (root))

static const struct lc_value *value_of(const char *bytes, size_t len)
{
	const struct lc_value *root = NULL;
	cr_assert_eq(read_in(reader, bytes, len, &root), LC_OK);
	return root;
}

#define VALUE(bytes) value_of((bytes), sizeof(bytes) - 1)

static const char trade[] = "\x91\x89\xa1\x54\xa1\x74\xa1\x53\xa2\x4b\x4f\xa1\x69\xce\x00\x01\x16"
			    "\x23\xa1\x78\xa1\x56\xa1\x70"
			    "\xcb\x40\x51\x1a\x8f\x5c\x28\xf5\xc3\xa1\x73\x19\xa1\x63\x92\xa1\x40"
			    "\xa1\x49\xa1\x7a\xa1\x41\xa1"
			    "\x74\xd7\xff\x1c\xb4\xa2\x00\x69\xa8\x4f\xf8";

Test(msgpack, a_trade_of_the_vendor)
{
	const struct lc_value *item = VALUE(trade) + 1;
	cr_assert_eq(item->type, LC_VALUE_OBJECT);
	cr_assert_eq(item->len, 9);
	cr_assert(lc_value_is(lc_value_find(item, "S"), "KO"));
	uint64_t id;
	int64_t ns;
	struct lc_decimal price, size;
	cr_assert_eq(lc_value_uint(lc_value_find(item, "i"), &id), LC_OK);
	cr_assert_eq(id, 71203);
	cr_assert_eq(lc_value_decimal(lc_value_find(item, "p"), &price), LC_OK);
	cr_assert_eq(lc_decimal_compare(price, (struct lc_decimal){68415, -3}), 0);
	cr_assert_eq(lc_value_decimal(lc_value_find(item, "s"), &size), LC_OK);
	cr_assert_eq(lc_decimal_compare(size, lc_decimal_from_int(25)), 0);
	cr_assert_eq(lc_value_time(lc_value_find(item, "t"), NULL, &ns), LC_OK);
	cr_assert_eq(ns, INT64_C(1772638200120400000));
	const struct lc_value *conditions = lc_value_find(item, "c");
	cr_assert_eq(conditions->len, 2);
	cr_assert(lc_value_is(conditions + 1, "@") && lc_value_is(conditions + 2, "I"));
}

Test(msgpack, integers_of_every_width)
{
	const struct {
		const char *bytes;
		size_t len;
		int64_t value;
	} cases[] = {
		{"\x00", 1, 0},
		{"\x7f", 1, 127},
		{"\xff", 1, -1},
		{"\xe0", 1, -32},
		{"\xcc\xff", 2, 255},
		{"\xcd\xff\xff", 3, 65535},
		{"\xce\xff\xff\xff\xff", 5, 4294967295},
		{"\xcf\x00\x20\x00\x00\x00\x00\x00\x01", 9, INT64_C(9007199254740993)},
		{"\xd0\x80", 2, -128},
		{"\xd0\x7f", 2, 127},
		{"\xd1\x80\x00", 3, -32768},
		{"\xd1\x7f\xff", 3, 32767},
		{"\xd2\x80\x00\x00\x00", 5, INT32_MIN},
		{"\xd2\xff\xff\xff\xfe", 5, -2},
		{"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, INT64_MIN},
		{"\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", 9, INT64_MAX},
		{"\xd3\x00\x00\x00\x00\x00\x00\x00\x05", 9, 5},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t got = 1;
		uint64_t u = 0;
		struct lc_decimal d;
		const struct lc_value *value = value_of(cases[i].bytes, cases[i].len);
		cr_assert_eq(lc_value_int(value, &got), LC_OK, "case %zu", i);
		cr_assert_eq(got, cases[i].value, "case %zu: %lld", i, (long long)got);
		cr_assert_eq(lc_value_uint(value, &u), got < 0 ? LC_ERR_RANGE : LC_OK);
		cr_assert(got < 0 || u == (uint64_t)got);
		cr_assert_eq(lc_value_decimal(value, &d), LC_OK);
	}
	int64_t s;
	const struct lc_value *most = VALUE("\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
	cr_assert_eq(lc_value_int(most, &s), LC_ERR_RANGE);
	struct lc_decimal d;
	cr_assert_eq(lc_value_decimal(most, &d), LC_OK);
	cr_assert(lc_decimal_to_double(d) > 1.8446e19);
}

Test(msgpack, floats_of_both_widths)
{
	struct lc_decimal d;
	cr_assert_eq(lc_value_decimal(VALUE("\xca\x3d\xcc\xcc\xcd"), &d), LC_OK);
	cr_assert_eq(lc_decimal_compare(d, (struct lc_decimal){1, -1}), 0, "0.1f is 0.1");
	cr_assert_eq(lc_value_decimal(VALUE("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), &d), LC_OK);
	cr_assert_eq(lc_decimal_compare(d, (struct lc_decimal){1, -1}), 0);
	cr_assert_eq(lc_value_decimal(VALUE("\xca\x7f\xc0\x00\x00"), &d), LC_ERR_INVALID, "NaN");
	cr_assert_eq(lc_value_decimal(VALUE("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), &d),
		LC_ERR_INVALID);
	int64_t n;
	cr_assert_eq(lc_value_int(VALUE("\xca\x3f\x80\x00\x00"), &n), LC_ERR_INVALID);
}

Test(msgpack, times_in_three_forms)
{
	const struct {
		const char *bytes;
		size_t len;
		bool good;
		int64_t ns;
	} cases[] = {
		{"\xd6\xff\x69\xa8\x4f\xf8", 6, true, INT64_C(1772638200000000000)},
		{"\xd7\xff\x1c\xb4\xa2\x00\x69\xa8\x4f\xf8", 10, true,
			INT64_C(1772638200120400000)},
		{"\xc7\x0c\xff\x07\x2d\x28\x80\x00\x00\x00\x00\x69\xa8\x4f\xf8", 15, true,
			INT64_C(1772638200120400000)},
		{"\xc7\x0c\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", 15, true,
			INT64_C(-1000000000)},
		{"\xc7\x0c\xff\x3b\x9a\xca\x00\x00\x00\x00\x00\x00\x00\x00\x00", 15, false, 0},
		{"\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", 15, false, 0},
		{"\xd7\xff\xff\xff\xff\xff\x00\x00\x00\x00", 10, false, 0},
		{"\xd5\xff\x00\x00", 4, false, 0},
		{"\xd6\x05\x00\x00\x00\x00", 6, false, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t ns = 0;
		const struct lc_value *value = value_of(cases[i].bytes, cases[i].len);
		enum lc_err rc = lc_value_time(value, NULL, &ns);
		cr_assert_eq(rc, cases[i].good ? LC_OK : LC_ERR_INVALID, "case %zu", i);
		cr_assert_eq(value->type, cases[i].good ? LC_VALUE_TIME : LC_VALUE_OTHER);
		cr_assert_eq(ns, cases[i].ns, "case %zu: %lld", i, (long long)ns);
	}
}

Test(msgpack, other_types)
{
	bool b;
	cr_assert_eq(VALUE("\xc0")->type, LC_VALUE_NULL);
	cr_assert_eq(lc_value_bool(VALUE("\xc3"), &b), LC_OK);
	cr_assert(b);
	cr_assert_eq(lc_value_bool(VALUE("\xc2"), &b), LC_OK);
	cr_assert_not(b);
	cr_assert(lc_value_is(VALUE("\xa0"), ""));
	cr_assert(lc_value_is(VALUE("\xd9\x02hi"), "hi"));
	cr_assert(lc_value_is(VALUE("\xda\x00\x02hi"), "hi"));
	cr_assert(lc_value_is(VALUE("\xdb\x00\x00\x00\x02hi"), "hi"));
	const struct lc_value *bytes = VALUE("\xc4\x03\x00\x01\x02");
	cr_assert_eq(bytes->type, LC_VALUE_BYTES);
	cr_assert_eq(bytes->len, 3);
	cr_assert_eq(VALUE("\x90")->v.span, 1);
	cr_assert_eq(VALUE("\x80")->v.span, 1);
	cr_assert_eq(VALUE("\xdc\x00\x01\xdd\x00\x00\x00\x00")->v.span, 2);
	cr_assert_eq(VALUE("\xde\x00\x01\xa1k\xdf\x00\x00\x00\x00")->v.span, 3);
}

Test(msgpack, containers_in_containers)
{
	const struct lc_value *root = VALUE("\x93\x82\xa1"
					    "a\x92\x01\x90\xa1"
					    "b\x80\x90\x07");
	cr_assert_eq(root->len, 3);
	const struct lc_value *item;
	int n = 0;
	uint8_t types[3];
	lc_value_each (item, root) {
		types[n++] = item->type;
	}
	cr_assert_eq(n, 3);
	cr_assert(types[0] == LC_VALUE_OBJECT && types[1] == LC_VALUE_ARRAY &&
		  types[2] == LC_VALUE_UINT);
	cr_assert_eq(lc_value_find(root + 1, "b")->type, LC_VALUE_OBJECT);
	cr_assert_eq(root->v.span, 10);
}

Test(msgpack, headers_are_not_believed)
{
	const struct lc_value *root;
	cr_assert_eq(READ("\xdd\xff\xff\xff\xff", &root), LC_ERR_INVALID, "4 G items");
	cr_assert_eq(READ("\xdf\xff\xff\xff\xff\x01\x02", &root), LC_ERR_INVALID);
	cr_assert_eq(READ("\xdb\xff\xff\xff\xffhi", &root), LC_ERR_INVALID);
	cr_assert_eq(READ("\xc6\xff\xff\xff\xff", &root), LC_ERR_INVALID);
	cr_assert_eq(READ("\xc9\xff\xff\xff\xff\xff", &root), LC_ERR_INVALID);
	cr_assert_eq(READ("\xc1", &root), LC_ERR_INVALID, "a byte that does not exist");
	cr_assert_eq(READ("\x01\x02", &root), LC_ERR_INVALID, "something left over");
	cr_assert_eq(
		READ("\x92\x91\x01", &root), LC_ERR_INVALID, "the inner one took the last byte");
	cr_assert_eq(READ("\x81\x01", &root), LC_ERR_INVALID);
	cr_assert_eq(READ("", &root), LC_ERR_INVALID);
	char deep[1000];
	memset(deep, '\x91', sizeof deep);
	cr_assert_eq(read_in(reader, deep, sizeof deep, &root), LC_ERR_TOO_LARGE);
}

Test(msgpack, limits)
{
	struct lc_msgpack_limits limits = {.max_bytes = 8, .max_values = 3, .max_depth = 2};
	struct lc_msgpack_reader *small;
	const struct lc_value *root;
	cr_assert_eq(lc_msgpack_reader_create(&limits, &small), LC_OK);
	cr_assert_eq(read_in(small, "\x91\x91\x01", 3, &root), LC_OK);
	cr_assert_eq(read_in(small, "\x91\x91\x90", 3, &root), LC_ERR_TOO_LARGE);
	cr_assert_eq(read_in(small, "\x93\x01\x02\x03", 4, &root), LC_ERR_TOO_LARGE);
	cr_assert_eq(
		read_in(small, "\xc4\x07\x00\x00\x00\x00\x00\x00\x00", 9, &root), LC_ERR_TOO_LARGE);
	lc_msgpack_reader_destroy(small);
	lc_msgpack_reader_destroy(NULL);
}

Test(msgpack, no_prefix_passes_and_no_change_crashes)
{
	const struct lc_value *root;
	size_t len = sizeof trade - 1;
	for (size_t cut = 0; cut < len; cut++) {
		cr_assert_eq(read_in(reader, trade, cut, &root), LC_ERR_INVALID, "%zu", cut);
	}
	char changed[sizeof trade];
	for (size_t at = 0; at < len; at++) {
		for (int c = 0; c < 256; c++) {
			memcpy(changed, trade, sizeof trade);
			changed[at] = (char)c;
			(void)read_in(reader, changed, len, &root);
		}
	}
}

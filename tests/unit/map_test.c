#include "livecore/map.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define KEYS 500

static size_t released;

static void count_release(void *value)
{
	(void)value;
	released++;
}

static struct lc_map *make_map(void)
{
	struct lc_map *map;
	cr_assert_eq(lc_map_create(1, &map), LC_OK);
	return map;
}

static size_t make_key(char *out, size_t size, size_t number)
{
	return (size_t)snprintf(
		out, size, "key-%zu-%.*s", number, (int)(number % 20), "abcdefghijklmnopqrst");
}

Test(map, keys_are_copied_bytes)
{
	struct lc_map *map = make_map();
	char key[] = "AAPL";
	int one = 1;
	int two = 2;
	cr_assert_eq(lc_map_put(map, key, 4, &one), LC_OK);
	memset(key, 'x', 4);
	cr_assert_eq(lc_map_get(map, "AAPL", 4), &one);
	cr_assert_null(lc_map_get(map, "AAP", 3));
	cr_assert_eq(lc_map_put(map, "", 0, &two), LC_OK);
	cr_assert_eq(lc_map_put(map, "\0", 1, &one), LC_OK);
	cr_assert_eq(lc_map_get(map, NULL, 0), &two);
	cr_assert_eq(lc_map_get(map, "\0", 1), &one);
	cr_assert_eq(lc_map_put(map, "AAPL", 4, &two), LC_OK);
	cr_assert_eq(lc_map_get(map, "AAPL", 4), &two, "replaced");
	cr_assert_eq(lc_map_count(map), 3);
	released = 0;
	lc_map_destroy(map, count_release);
	cr_assert_eq(released, 3);
	lc_map_destroy(NULL, count_release);
}

/* Against the simplest model there is: an array of what should be there. */
Test(map, behaves_like_an_array)
{
	struct lc_map *map = make_map();
	static int values[KEYS];
	static bool present[KEYS];
	uint64_t state = 5;
	size_t count = 0;
	char key[64];
	for (int step = 0; step < 50000; step++) {
		size_t i = xorshift(&state) % KEYS;
		size_t len = make_key(key, sizeof key, i);
		/* Phases that mostly fill and mostly empty: long runs come and go. */
		if (xorshift(&state) % 8 < (step / 5000 % 2 ? 2 : 6)) {
			cr_assert_eq(lc_map_put(map, key, len, &values[i]), LC_OK);
			count += !present[i];
			present[i] = true;
		} else {
			cr_assert_eq(lc_map_remove(map, key, len), present[i] ? &values[i] : NULL);
			count -= present[i];
			present[i] = false;
		}
		cr_assert_eq(lc_map_count(map), count);
		size_t probe = xorshift(&state) % KEYS;
		len = make_key(key, sizeof key, probe);
		cr_assert_eq(lc_map_get(map, key, len), present[probe] ? &values[probe] : NULL);
	}
	for (size_t i = 0; i < KEYS; i++) {
		size_t len = make_key(key, sizeof key, i);
		cr_assert_eq(lc_map_get(map, key, len), present[i] ? &values[i] : NULL);
	}
	lc_map_destroy(map, NULL);
}

Test(map, a_walk_sees_each_once_and_may_remove)
{
	struct lc_map *map = make_map();
	static int seen[KEYS];
	char text[64];
	for (size_t i = 0; i < KEYS; i++) {
		size_t text_len = make_key(text, sizeof text, i);
		cr_assert_eq(lc_map_put(map, text, text_len, &seen[i]), LC_OK);
	}
	size_t cursor = 0;
	const char *key;
	size_t len;
	for (int *value; (value = lc_map_next(map, &cursor, &key, &len));) {
		size_t number = (size_t)(value - seen);
		cr_assert_eq(make_key(text, sizeof text, number), len);
		cr_assert_arr_eq(key, text, len);
		(*value)++;
		if (number % 3 == 0) {
			cr_assert_eq(lc_map_remove(map, text, len), value);
		}
	}
	cr_assert_null(lc_map_next(map, &cursor, &key, &len), "the end stays the end");
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_eq(seen[i], 1, "entry %zu", i);
	}
	cr_assert_eq(lc_map_count(map), KEYS - (KEYS + 2) / 3);
	lc_map_destroy(map, NULL);
}

Test(map, an_empty_map_has_nothing_to_walk)
{
	struct lc_map *map = make_map();
	size_t cursor = 0;
	cr_assert_null(lc_map_next(map, &cursor, NULL, NULL));
	cr_assert_null(lc_map_remove(map, "x", 1));
	lc_map_destroy(map, NULL);
}

#include "store/interest_text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make(struct lc_saved_portfolio *portfolio, size_t count)
{
	*portfolio = (struct lc_saved_portfolio){
		.replace_ns = INT64_MIN, .latest_ns = INT64_MAX, .count = count};
	portfolio->entries = calloc(count + 1, sizeof *portfolio->entries);
	for (size_t i = 0; i < count; i++) {
		struct lc_saved_entry *entry = &portfolio->entries[i];
		snprintf(entry->symbol, sizeof entry->symbol, "%06d.SZ", (int)i % 1000000);
		entry->follow_ns = (int64_t)i * 1000003;
		entry->remove_ns = i % 2 ? INT64_MIN : -(int64_t)i;
		entry->since_ns = INT64_MAX - (int64_t)i;
	}
}

static enum lc_err feed(
	const char *text, size_t len, size_t piece, struct lc_saved_portfolio *out, bool *whole)
{
	struct interest_text_reader reader = {0};
	enum lc_err rc = LC_OK;
	*out = (struct lc_saved_portfolio){0};
	for (size_t at = 0; at < len && rc == LC_OK; at += piece) {
		rc = interest_text_feed(
			&reader, text + at, len - at < piece ? len - at : piece, out);
	}
	*whole = interest_text_whole(&reader, out);
	return rc;
}

/* However it is cut, it reads back the same. */
Test(interest_text, round_trip_in_pieces)
{
	static const size_t counts[] = {0, 1, 2, 1000}, pieces[] = {1, 7, 64, 1 << 20};
	for (size_t c = 0; c < 4; c++) {
		struct lc_saved_portfolio from, to;
		struct lc_buf text;
		size_t next = 0, rounds = 1;
		make(&from, counts[c]);
		lc_buf_init(&text, 1 << 20);
		while (interest_text_write(&from, &next, 4096 * rounds, &text)) {
			rounds++;
		}
		cr_assert(counts[c] < 1000 || rounds > 5, "in pieces");
		for (size_t p = 0; p < 4; p++) {
			bool whole;
			cr_assert_eq(feed(text.data, text.len, pieces[p], &to, &whole), LC_OK);
			cr_assert(whole);
			cr_assert_eq(to.count, from.count);
			cr_assert_eq(to.replace_ns, from.replace_ns);
			cr_assert_eq(to.latest_ns, from.latest_ns);
			for (size_t i = 0; i < to.count; i++) {
				cr_assert_eq(memcmp(&to.entries[i], &from.entries[i],
						     sizeof *to.entries),
					0);
			}
			free(to.entries);
		}
		free(from.entries);
		lc_buf_finish(&text);
	}
}

Test(interest_text, nothing_else_is_taken)
{
	static const char *const bad[] = {"2 0 0 0\n", "1 0 0\n", "1 0 0 -1\n", "1 0 0 x\n", "x\n",
		"\n", "1 0 0 1\nAAPL 1 2\n", "1 0 0 1\nAAPL 1 2 3 4\n", "1 0 0 1\n 1 2 3\n",
		"1 0 0 1\nAAPL 1 2 99999999999999999999\n", "1 0 0 0\nAAPL 1 2 3\n",
		"1 0 0 1\nSEVENTEEN_LETTERS 1 2 3\n"};
	static const char *const cut[] = {"", "1 0 0 0", "1 0 0 1\n", "1 0 0 1\nAAPL 1 2 3"};
	struct lc_saved_portfolio out;
	char long_line[400];
	bool whole;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_assert_eq(feed(bad[i], strlen(bad[i]), 3, &out, &whole), LC_ERR_INVALID, "%s",
			bad[i]);
		free(out.entries);
	}
	for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
		cr_assert_eq(feed(cut[i], strlen(cut[i]), 3, &out, &whole), LC_OK, "%s", cut[i]);
		cr_assert_not(whole, "%s", cut[i]);
		free(out.entries);
	}
	memset(long_line, '1', sizeof long_line);
	cr_assert_eq(feed(long_line, sizeof long_line, 100, &out, &whole), LC_ERR_INVALID);
}

Test(interest_text, offsets)
{
	static const char *const bad[] = {
		"0", "0:", "0:1", ":1 ", "x:1 ", "0:-1 ", "-1:0 ", "4294967296:1 ", "0:1  "};
	struct lc_saved_offset some[] = {{0, 0}, {11, INT64_MAX}};
	struct lc_saved_interest from = {.offsets = some, .offset_count = 2}, to = {0};
	struct lc_buf text;
	lc_buf_init(&text, 1000);
	interest_text_offsets(&from, &text);
	cr_assert_str_eq(lc_buf_text(&text), "0:0 11:9223372036854775807 ");
	cr_assert_eq(interest_text_read_offsets(lc_buf_text(&text), &to), LC_OK);
	cr_assert(to.offset_count == 2 && to.offsets[1].partition == 11 &&
		  to.offsets[1].next == INT64_MAX);
	free(to.offsets);
	lc_buf_finish(&text);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		to = (struct lc_saved_interest){0};
		cr_assert_eq(interest_text_read_offsets(bad[i], &to), LC_ERR_INVALID, "%s", bad[i]);
		free(to.offsets);
	}
}

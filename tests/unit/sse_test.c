#include "livecore/sse.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct seen {
	char text[8192]; /* each event as name|data; */
	size_t len;
	int stop_after; /* the callback refuses this many events on, -1: never */
};

static enum lc_err on_event(void *arg, const char *event, const char *data, size_t len)
{
	struct seen *seen = arg;
	int n = snprintf(seen->text + seen->len, sizeof seen->text - seen->len, "%s|%.*s;", event,
		(int)len, data);
	cr_assert_lt(seen->len + (size_t)n, sizeof seen->text);
	seen->len += (size_t)n;
	return seen->stop_after >= 0 && seen->stop_after-- == 0 ? LC_ERR_PROTOCOL : LC_OK;
}

/* Feeds text in pieces of at most max_piece bytes. */
static struct lc_sse_counts feed(
	const char *text, size_t max_piece, uint64_t seed, size_t max_event, struct seen *seen)
{
	*seen = (struct seen){.stop_after = -1};
	struct lc_sse *sse;
	cr_assert_eq(lc_sse_create(max_event, on_event, seen, &sse), LC_OK);
	size_t len = strlen(text);
	for (size_t at = 0; at < len;) {
		size_t piece = 1 + xorshift(&seed) % max_piece;
		piece = piece < len - at ? piece : len - at;
		cr_assert_eq(lc_sse_feed(sse, text + at, piece), LC_OK);
		at += piece;
	}
	struct lc_sse_counts counts = lc_sse_counts(sse);
	lc_sse_destroy(sse);
	return counts;
}

Test(sse, lines_fields_and_keepalives)
{
	static const struct {
		const char *in, *out;
		unsigned keepalives;
	} cases[] = {
		{"data: {\"a\":1}\n\n", "|{\"a\":1};", 0},
		{"data:x\r\n\r\ndata:y\r\n\r\n", "|x;|y;", 0},
		{"data:x\r\rdata:y\r\r", "|x;|y;", 0},
		{"data: one\ndata: two\n\n", "|one\ntwo;", 0},
		{"data:  two spaces\n\n", "| two spaces;", 0},
		{": hello\n\n\n\ndata: x\n\n", "|x;", 4},
		{"event: tick\nid: 7\nretry: 10\ndata: x\n\ndata: y\n\n", "tick|x;|y;", 0},
		{"event: nothing\n\ndata: x\n\n", "|x;", 0},
		{"data\n\n", "|;", 0},
		{"data:\ndata:\n\n", "|\n;", 0},
		{"\xef\xbb\xbf"
		 "data: bom\n\n",
			"|bom;", 0},
		{"data: cut off", "", 0},
		{"data: no blank line\n", "", 0},
		{"DATA: x\ndatax: y\n\n", "", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct seen seen;
		struct lc_sse_counts counts = feed(cases[i].in, 1000, 1, 1000, &seen);
		cr_assert_str_eq(seen.text, cases[i].out);
		cr_assert_eq(counts.keepalives, cases[i].keepalives, "%s: %ju", cases[i].in,
			(uintmax_t)counts.keepalives);
	}
}

Test(sse, any_cutting_gives_the_same_events)
{
	static const char *const words[] = {"data: ", "data:", "event: e", ": c", "\n", "\r\n",
		"\r", "\n\n", "\r\n\r\n", "abc", "{\"f43\":1058}", "id: 1", " ", ":",
		"\xef\xbb\xbf", "xxxxxxxxxxxxxxxxxxxxxxxx"};
	uint64_t seed = 42;
	for (int round = 0; round < 500; round++) {
		char text[600] = "";
		for (int i = 0; i < 24; i++) {
			strcat(text, words[xorshift(&seed) % (sizeof words / sizeof *words)]);
		}
		struct seen whole, cut;
		struct lc_sse_counts expected = feed(text, sizeof text, 1, 40, &whole);
		for (size_t max_piece = 1; max_piece < 8; max_piece++) {
			struct lc_sse_counts counts = feed(text, max_piece, seed, 40, &cut);
			cr_assert_str_eq(cut.text, whole.text, "round %d", round);
			cr_assert_eq(
				memcmp(&counts, &expected, sizeof counts), 0, "round %d", round);
		}
	}
}

Test(sse, a_long_event_is_dropped_alone)
{
	char text[1000] = "data: before\n\ndata: ";
	memset(text + strlen(text), 'x', 300);
	strcat(text, "\n\ndata: after\n\n");
	for (size_t max_piece = 1; max_piece < 600; max_piece += 97) {
		struct seen seen;
		struct lc_sse_counts counts = feed(text, max_piece, 7, 100, &seen);
		cr_assert_str_eq(seen.text, "|before;|after;");
		cr_assert_eq(counts.oversize, 1);
		cr_assert_eq(counts.events, 2);
	}
	/* Many short lines of one event pass the bound together. */
	char many[1000] = "";
	for (int i = 0; i < 20; i++) {
		strcat(many, "data: 0123456789\n");
	}
	strcat(many, "\ndata: after\n\n");
	struct seen seen;
	cr_assert_eq(feed(many, 13, 7, 100, &seen).oversize, 1);
	cr_assert_str_eq(seen.text, "|after;");
}

Test(sse, the_callback_stops_and_reset_forgets)
{
	struct seen seen = {.stop_after = 1};
	struct lc_sse *sse;
	cr_assert_eq(lc_sse_create(100, on_event, &seen, &sse), LC_OK);
	const char text[] = "data: 1\n\ndata: 2\n\ndata: 3\n\n";
	cr_assert_eq(lc_sse_feed(sse, text, strlen(text)), LC_ERR_PROTOCOL);
	cr_assert_str_eq(seen.text, "|1;|2;");
	lc_sse_reset(sse);
	cr_assert_eq(lc_sse_feed(sse, "data: half", 10), LC_OK);
	lc_sse_reset(sse);
	cr_assert_eq(lc_sse_feed(sse, "data: whole\n\n", 13), LC_OK);
	cr_assert_str_eq(seen.text, "|1;|2;|whole;");
	lc_sse_destroy(sse);
	lc_sse_destroy(NULL);
}

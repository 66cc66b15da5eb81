/* A trace as a header: what was composed is read back, and what is malformed is none. */
#include "livecore/traceparent.h"
#include "xorshift.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define HEADER "00-" TRACE "-" SPAN "-01"

static struct lc_text text_of(const char *text)
{
	return (struct lc_text){text, strlen(text)};
}

static bool composes(const char *trace_id, const char *span_id, const char *expected)
{
	char out[LC_TRACEPARENT_LEN + 1];
	bool made = lc_traceparent_compose(text_of(trace_id), text_of(span_id), out);
	cr_assert_eq(made, out[0] != '\0');
	return made == (expected != NULL) && strcmp(out, expected ? expected : "") == 0;
}

/* Copied, so that a sanitizer sees what reads behind its end. */
static bool parses(const char *data, size_t len, const char *expected)
{
	char out[LC_TRACEPARENT_LEN + 1], *copy = malloc(len + 1);
	memcpy(copy, data, len);
	copy = realloc(copy, len ? len : 1);
	bool is_one = lc_traceparent_parse(copy, len, out);
	free(copy);
	cr_assert_eq(is_one, out[0] != '\0');
	return is_one == (expected != NULL) && strcmp(out, expected ? expected : "") == 0;
}

Test(traceparent, of_ids)
{
	cr_assert(composes(TRACE, SPAN, HEADER));
	cr_assert(composes("4BF92F3577B34DA6A3CE929D0E0E4736", "00F067AA0BA902B7", HEADER));
	cr_assert(composes("4bf92f35-77b3-4da6-a3ce-929d0e0e4736", SPAN, HEADER), "a UUID");
	static const char *const bad[][2] = {
		{"", ""},
		{TRACE, ""},
		{"", SPAN},
		{TRACE "0", SPAN},
		{TRACE, SPAN "0"},
		{"00000000000000000000000000000000", SPAN},
		{TRACE, "0000000000000000"},
		{"4bf92f3577b34da6a3ce929d0e0e473g", SPAN},
		{TRACE, "00f067aa0ba902b "},
		{"4bf92f35-77b3-4da6-a3ce-929d0e0e473", SPAN},
		{"4bf92f357-7b3-4da6-a3ce-929d0e0e4736", SPAN},
		{"4bf92f35-77b3-4da6-a3ce--29d0e0e4736", SPAN},
		{"4bf92f3577b34da6a3ce929d0e0e47360000", SPAN},
		{TRACE, "00f067aa-0ba902b7"},
		{SPAN, TRACE},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_assert(composes(bad[i][0], bad[i][1], NULL), "%s %s", bad[i][0], bad[i][1]);
	}
	char out[LC_TRACEPARENT_LEN + 1];
	cr_assert_not(lc_traceparent_compose((struct lc_text){0}, (struct lc_text){0}, out));
}

Test(traceparent, of_a_header)
{
	static const struct {
		const char *header, *taken;
	} cases[] = {
		{HEADER, HEADER},
		{"00-" TRACE "-" SPAN "-00", "00-" TRACE "-" SPAN "-00"},
		{"00-" TRACE "-" SPAN "-03", "00-" TRACE "-" SPAN "-03"},
		{"00-" TRACE "-" SPAN "-fd", HEADER},
		{"01-" TRACE "-" SPAN "-01", HEADER},
		{"fe-" TRACE "-" SPAN "-01-of a later version", HEADER},
		{"cc-" TRACE "-" SPAN "-01.what", NULL},
		{"00-" TRACE "-" SPAN "-01-more", NULL},
		{"ff-" TRACE "-" SPAN "-01", NULL},
		{"0-" TRACE "-" SPAN "-001", NULL},
		{"0x-" TRACE "-" SPAN "-01", NULL},
		{"00_" TRACE "-" SPAN "-01", NULL},
		{"00-" TRACE "_" SPAN "-01", NULL},
		{"00-" TRACE "-" SPAN "_01", NULL},
		{"00-" TRACE "-" SPAN "-0A", NULL},
		{"00-" TRACE "-" SPAN "-0", NULL},
		{" " HEADER, NULL},
		{"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", NULL},
		{"00-00000000000000000000000000000000-" SPAN "-01", NULL},
		{"00-" TRACE "-0000000000000000-01", NULL},
		{"", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert(parses(cases[i].header, strlen(cases[i].header), cases[i].taken), "%s",
			cases[i].header);
	}
	char out[LC_TRACEPARENT_LEN + 1];
	cr_assert_not(lc_traceparent_parse(NULL, 0, out));
}

static void make_id(uint64_t *state, char *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		out[i] = "0123456789abcdefABCDEF"[xorshift(state) % 22];
	}
	out[0] = '1'; /* not all zeros */
	out[len] = '\0';
}

/* What was composed is read back as it is; cut short anywhere, or with a byte of it changed to
 * anything else, it is the same trace or none, and never what the header does not say. */
Test(traceparent, there_and_back)
{
	uint64_t state = 7;
	for (int round = 0; round < 2000; round++) {
		char trace_id[LC_TRACE_ID_LEN + 1], span_id[LC_SPAN_ID_LEN + 1];
		char made[LC_TRACEPARENT_LEN + 1], out[LC_TRACEPARENT_LEN + 1];
		make_id(&state, trace_id, LC_TRACE_ID_LEN);
		make_id(&state, span_id, LC_SPAN_ID_LEN);
		cr_assert(lc_traceparent_compose(text_of(trace_id), text_of(span_id), made));
		cr_assert_eq(strlen(made), LC_TRACEPARENT_LEN);
		cr_assert(parses(made, LC_TRACEPARENT_LEN, made));
		cr_assert_eq(
			strncasecmp(made + LC_TRACEPARENT_TRACE, trace_id, LC_TRACE_ID_LEN), 0);
		cr_assert_eq(strncasecmp(made + LC_TRACEPARENT_SPAN, span_id, LC_SPAN_ID_LEN), 0);
		cr_assert(parses(made, xorshift(&state) % LC_TRACEPARENT_LEN, NULL));
		char other[LC_TRACEPARENT_LEN + 1];
		memcpy(other, made, sizeof other);
		other[xorshift(&state) % LC_TRACEPARENT_LEN] = (char)xorshift(&state);
		if (lc_traceparent_parse(other, LC_TRACEPARENT_LEN, out)) {
			cr_assert_eq(memcmp(out + 2, other + 2, 51), 0);
			cr_assert(parses(out, LC_TRACEPARENT_LEN, out));
		}
	}
}

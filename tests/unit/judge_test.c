#include "judge.h"

#include "livecore/clock.h"
#include "request.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct lc_ban_settings bans = {3, 1000, 2000, 5000};

static struct lc_http_answer answer(enum lc_err code, int status, const char *type)
{
	struct lc_http_answer made = {.status = status, .retry_after_s = -1, .body = ""};
	made.err.code = code;
	snprintf(made.content_type, sizeof(made.content_type), "%s", type);
	return made;
}

Test(judge, meanings)
{
	static const struct {
		enum lc_err code;
		int status;
		const char *type;
		enum lc_meaning meaning;
	} cases[] = {
		{LC_OK, 200, "application/json", LC_MEANS_DATA},
		{LC_OK, 200, "", LC_MEANS_DATA},
		{LC_OK, 200, "Text/HTML; charset=GBK", LC_MEANS_BAN},
		{LC_OK, 403, "", LC_MEANS_BAN},
		{LC_OK, 302, "", LC_MEANS_BAN},
		{LC_OK, 304, "", LC_MEANS_SAME},
		{LC_OK, 429, "text/html", LC_MEANS_LIMIT},
		{LC_OK, 503, "", LC_MEANS_LIMIT},
		{LC_OK, 404, "", LC_MEANS_FAILURE},
		{LC_OK, 500, "", LC_MEANS_FAILURE},
		{LC_OK, 204, "", LC_MEANS_FAILURE},
		{LC_ERR_END, 0, "", LC_MEANS_CUT_OFF},
		{LC_ERR_CLOSED, 200, "", LC_MEANS_CUT_OFF},
		{LC_ERR_TIMEOUT, 0, "", LC_MEANS_FAILURE},
		{LC_ERR_REFUSED, 0, "", LC_MEANS_FAILURE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_http_answer a = answer(cases[i].code, cases[i].status, cases[i].type);
		cr_assert_eq(lc_answer_meaning(&a, true), cases[i].meaning, "%zu", i);
		bool page = strncmp(cases[i].type, "Text/HTML", 9) == 0;
		cr_assert_eq(lc_answer_meaning(&a, false), page ? LC_MEANS_DATA : cases[i].meaning,
			"%zu", i);
	}
}

Test(judge, unreadable_answers)
{
	static const struct {
		const char *body;
		enum lc_meaning meaning;
	} cases[] = {{"", LC_MEANS_CUT_OFF}, {"\r\n <!DOCTYPE html>", LC_MEANS_BAN},
		{"{}", LC_MEANS_FAILURE}, {"  ", LC_MEANS_FAILURE}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_http_answer a = answer(LC_OK, 200, "");
		a.body = cases[i].body;
		a.body_len = strlen(a.body);
		cr_assert_eq(lc_answer_unreadable(&a), cases[i].meaning, "%zu", i);
	}
}

static bool fails(struct lc_judge *judge, enum lc_meaning meaning, bool first, int64_t now_ms,
	struct lc_down *why)
{
	struct lc_http_answer a = answer(LC_OK, 500, "");
	*why = (struct lc_down){0};
	return lc_judge_failed(judge, &bans, "Vendor", "vendor", meaning, &a, "how", first,
		now_ms * LC_NS_PER_MS, why);
}

Test(judge, three_in_a_row_end_a_session)
{
	struct lc_judge judge = {0};
	struct lc_down why;
	cr_assert(fails(&judge, LC_MEANS_FAILURE, true, 0, &why), "the first answer counts");
	cr_assert(why.kind == LC_DOWN_RETRY && strstr(why.error.text, "does not answer: how"));
	lc_judge_good(&judge, 0);
	for (int round = 0; round < 3; round++) {
		cr_assert_not(fails(&judge, LC_MEANS_FAILURE, false, 0, &why));
		cr_assert_not(fails(&judge, LC_MEANS_CUT_OFF, false, 0, &why));
		lc_judge_good(&judge, 0);
	}
	cr_assert_not(fails(&judge, LC_MEANS_FAILURE, false, 0, &why));
	cr_assert_not(fails(&judge, LC_MEANS_FAILURE, false, 0, &why));
	cr_assert(fails(&judge, LC_MEANS_CUT_OFF, false, 0, &why));
	cr_assert(why.kind == LC_DOWN_RETRY && why.error.code == LC_ERR_REFUSED);
}

/* Each ban in a row is waited out longer; it is over when data flowed for long enough. */
Test(judge, bans)
{
	static const int64_t waits[] = {1000, 2000, 5000, 5000};
	struct lc_judge judge = {0};
	struct lc_down why;
	int64_t now_ms = 0;
	for (size_t i = 0; i < 4; i++) {
		cr_assert_not(fails(&judge, LC_MEANS_CUT_OFF, false, now_ms, &why));
		cr_assert_not(fails(&judge, LC_MEANS_CUT_OFF, false, now_ms, &why));
		cr_assert(fails(&judge, LC_MEANS_CUT_OFF, false, now_ms, &why));
		cr_assert(why.kind == LC_DOWN_WAIT && why.wait_ms == waits[i], "%zu", i);
		cr_assert(strstr(why.error.text, "longer vendor.poll_interval"));
		now_ms += why.wait_ms + bans.first_ms; /* not a moment longer */
		lc_judge_good(&judge, now_ms * LC_NS_PER_MS);
	}
	lc_judge_good(&judge, (now_ms + 1) * LC_NS_PER_MS);
	cr_assert(fails(&judge, LC_MEANS_BAN, false, now_ms, &why), "a page is one at once");
	cr_assert_eq(why.wait_ms, 1000);
}

Test(judge, limits)
{
	static const struct {
		int seconds;
		int64_t wait_ms;
	} cases[] = {{-1, 1000}, {0, 0}, {7, 7000}, {1000000, 3600000}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_judge judge = {0};
		struct lc_down why;
		struct lc_http_answer a = answer(LC_OK, 429, "");
		a.retry_after_s = cases[i].seconds;
		cr_assert(lc_judge_failed(&judge, &bans, "Vendor", "vendor", LC_MEANS_LIMIT, &a,
			"status 429", false, 0, &why));
		cr_assert(why.kind == LC_DOWN_WAIT && why.wait_ms == cases[i].wait_ms, "%zu", i);
	}
}

/* --- request.h --- */

Test(request, headers_and_addresses)
{
	struct lc_request_headers headers;
	struct lc_buf out;
	lc_request_headers("Agent", "https://a/", &headers);
	cr_assert_str_eq(headers.lines[0], "User-Agent: Agent");
	cr_assert_str_eq(headers.lines[1], "Referer: https://a/");
	cr_assert(headers.lines[2] && !headers.lines[3]);
	lc_request_headers("", "", &headers);
	cr_assert_str_eq(headers.lines[0], "Accept: */*");
	cr_assert_null(headers.lines[1]);
	lc_buf_init(&out, 100);
	lc_request_address("https://a/b//", &out);
	cr_assert_str_eq(lc_buf_text(&out), "https://a/b");
	lc_buf_finish(&out);
}

Test(request, checks)
{
	char line[LC_REQUEST_MAX_TEXT + 1];
	struct lc_error err;
	cr_assert_eq(lc_request_check_address("https://a/v1", &err), LC_OK);
	cr_assert_eq(lc_request_check_address("https://a/v1?x=1", &err), LC_ERR_INVALID);
	cr_assert_eq(lc_request_check_address("wss://a/", &err), LC_ERR_INVALID);
	cr_assert_neq(lc_request_check_address("a", &err), LC_OK);
	memset(line, 'x', sizeof(line));
	line[LC_REQUEST_MAX_TEXT] = '\0';
	cr_assert_eq(lc_request_check_line(line, &err), LC_ERR_TOO_LARGE);
	line[LC_REQUEST_MAX_TEXT - 1] = '\0';
	cr_assert_eq(lc_request_check_line(line, &err), LC_OK);
	cr_assert_eq(lc_request_check_line("a\r\nb", &err), LC_ERR_INVALID);
	cr_assert_eq(lc_request_check_line("\xc3\xa9", &err), LC_ERR_INVALID);
}

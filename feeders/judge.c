#include "judge.h"

#include "livecore/clock.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEAD_AFTER 3 /* failures of any kind in a row that end a session */
#define MAX_WAIT_S 3600

enum lc_meaning lc_answer_meaning(const struct lc_http_answer *answer, bool html)
{
	switch (answer->err.code) {
	case LC_OK:
		break;
	case LC_ERR_END:
	case LC_ERR_CLOSED:
		return LC_MEANS_CUT_OFF;
	default:
		return LC_MEANS_FAILURE;
	}
	if (answer->status == 429 || answer->status == 503) {
		return LC_MEANS_LIMIT;
	}
	if (answer->status == 304) {
		return LC_MEANS_SAME;
	}
	if (answer->status == 403 || (answer->status >= 300 && answer->status < 400) ||
		(html && strncasecmp(answer->content_type, "text/html", 9) == 0)) {
		return LC_MEANS_BAN;
	}
	return answer->status == 200 ? LC_MEANS_DATA : LC_MEANS_FAILURE;
}

enum lc_meaning lc_answer_unreadable(const struct lc_http_answer *answer)
{
	const char *c = answer->body;
	while (*c == ' ' || *c == '\t' || *c == '\r' || *c == '\n') {
		c++;
	}
	if (answer->body_len == 0) {
		return LC_MEANS_CUT_OFF;
	}
	return *c == '<' ? LC_MEANS_BAN : LC_MEANS_FAILURE;
}

void lc_answer_explain(enum lc_meaning meaning, struct lc_error *err)
{
	lc_error_set(err, LC_ERR_PROTOCOL,
		meaning == LC_MEANS_BAN ? "a page instead of data" : "an empty answer");
}

void lc_answer_describe(const struct lc_http_answer *answer, char *out, size_t size)
{
	if (answer->err.code != LC_OK) {
		snprintf(out, size, "%s",
			answer->err.text[0] ? answer->err.text : lc_err_text(answer->err.code));
	} else {
		snprintf(out, size, "status %d%s%s", answer->status,
			answer->content_type[0] ? ", " : "", answer->content_type);
	}
}

int64_t lc_answer_wait_ms(const struct lc_http_answer *answer, int64_t otherwise_ms)
{
	int64_t seconds = answer->retry_after_s < MAX_WAIT_S ? answer->retry_after_s : MAX_WAIT_S;
	return seconds >= 0 ? seconds * 1000 : otherwise_ms;
}

void lc_judge_good(struct lc_judge *judge, int64_t now_ns)
{
	judge->failures = judge->refusals = 0;
	if (judge->bans > 0 && now_ns > judge->forgotten_ns) {
		judge->bans = 0;
	}
}

static void ban(struct lc_judge *judge, const struct lc_ban_settings *bans, const char *vendor,
	const char *key, const char *how, int64_t now_ns, struct lc_down *why)
{
	int64_t wait_ms = judge->bans == 0   ? bans->first_ms
			  : judge->bans == 1 ? bans->second_ms
					     : bans->last_ms;
	judge->bans++;
	judge->refusals = judge->failures = 0;
	/* A ban is over when data flows for as long as its first wait. */
	judge->forgotten_ns = now_ns + (wait_ms + bans->first_ms) * LC_NS_PER_MS;
	*why = (struct lc_down){.kind = LC_DOWN_WAIT, .wait_ms = wait_ms};
	lc_error_set(&why->error, LC_ERR_LIMIT,
		"%s seems to have banned this address (%s): trying again in %g %s; fewer symbols "
		"or a longer %s.poll_interval help",
		vendor, how, (double)wait_ms / (wait_ms < 60000 ? 1000 : 60000),
		wait_ms < 60000 ? "s" : "min", key);
}

bool lc_judge_failed(struct lc_judge *judge, const struct lc_ban_settings *bans, const char *vendor,
	const char *key, enum lc_meaning meaning, const struct lc_http_answer *answer,
	const char *how, bool first, int64_t now_ns, struct lc_down *why)
{
	judge->failures++;
	judge->refusals = meaning == LC_MEANS_CUT_OFF ? judge->refusals + 1 : 0;
	if (meaning == LC_MEANS_BAN) {
		ban(judge, bans, vendor, key, how, now_ns, why);
		return true;
	}
	if (meaning == LC_MEANS_LIMIT) {
		*why = (struct lc_down){
			.kind = LC_DOWN_WAIT, .wait_ms = lc_answer_wait_ms(answer, bans->first_ms)};
		lc_error_set(&why->error, LC_ERR_LIMIT, "%s asks us to wait (%s)", vendor, how);
		return true;
	}
	if (judge->refusals >= (unsigned)bans->after) {
		char text[80];
		snprintf(text, sizeof(text), "%u connections closed without an answer",
			judge->refusals);
		ban(judge, bans, vendor, key, text, now_ns, why);
		return true;
	}
	if (!first && judge->failures < DEAD_AFTER) {
		return false;
	}
	*why = (struct lc_down){.kind = LC_DOWN_RETRY};
	lc_error_set(&why->error, answer->err.code ? answer->err.code : LC_ERR_REFUSED,
		"%s does not answer: %s", vendor, how);
	return true;
}

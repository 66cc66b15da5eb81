/* What a public server's answers mean for the session that asked: data, a failure that may pass, a
 * request to wait, or a ban, which such servers mostly do not call one. Counts failures in a row
 * and how long the bans were. Pure: takes now_ns; any one thread; sends and logs nothing. */
#pragma once

#include "livecore/feeder.h"
#include "livecore/http_client.h"

enum lc_meaning {
	LC_MEANS_DATA,
	LC_MEANS_SAME, /* 304: what a cache on the way says where nothing changed */
	LC_MEANS_FAILURE,
	LC_MEANS_CUT_OFF, /* closed without an answer: once is chance, several in a row are a ban */
	LC_MEANS_BAN,     /* 403, a redirect, or a page where data should be */
	LC_MEANS_LIMIT,   /* 429, 503 */
};

/* From the settings. The section's struct of the vendor embeds it. */
struct lc_ban_settings {
	int64_t after; /* connections cut off in a row that mean a ban */
	int64_t first_ms, second_ms, last_ms;
};

struct lc_judge {
	unsigned failures;    /* in a row, of any kind */
	unsigned refusals;    /* of these, in a row, cut off */
	unsigned bans;        /* in a row, for the length of the wait */
	int64_t forgotten_ns; /* monotonic: good answers after it make the next ban the first */
};

/* By what stands around the body. html: does the content type text/html mean a ban? (One vendor
 * calls its data so.) */
enum lc_meaning lc_answer_meaning(const struct lc_http_answer *answer, bool html);
/* Of an answer that came whole and cannot be read: a page is a ban, nothing at all a connection cut
 * off. */
enum lc_meaning lc_answer_unreadable(const struct lc_http_answer *answer);
/* Says so of such an answer. */
void lc_answer_explain(enum lc_meaning meaning, struct lc_error *err);
/* One line for the log and for the session's reason. */
void lc_answer_describe(const struct lc_http_answer *answer, char *out, size_t size);

/* How long a vendor that limits us asks us to wait: its Retry-After, an hour at most, else
 * otherwise_ms. */
int64_t lc_answer_wait_ms(const struct lc_http_answer *answer, int64_t otherwise_ms);

void lc_judge_good(struct lc_judge *judge, int64_t now_ns);

/* A failed answer: meaning is not LC_MEANS_DATA. vendor: as people call it, "EastMoney"; key: its
 * section. first: the session has had no answer yet. True: the session is over, with *why. */
bool lc_judge_failed(struct lc_judge *judge, const struct lc_ban_settings *bans, const char *vendor,
	const char *key, enum lc_meaning meaning, const struct lc_http_answer *answer,
	const char *how, bool first, int64_t now_ns, struct lc_down *why);

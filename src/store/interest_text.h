/* A portfolio and the offsets as text, for a store that keeps values: "1 REPLACE LATEST COUNT\n",
 * then a line "SYMBOL FOLLOW REMOVE SINCE" an entry; offsets are "PARTITION:NEXT " each. Written
 * and read in pieces, so that no step is long. Pure; loop thread. What is read is checked, never
 * trusted. */
#pragma once

#include "livecore/buf.h"
#include "livecore/interest_store.h"

#define INTEREST_TEXT_LINE 128 /* longer than any line */

/* Appends from entry *next on (0: the head before it) until out has `want` bytes, and moves *next;
 * true while entries are left. */
bool interest_text_write(
	const struct lc_saved_portfolio *portfolio, size_t *next, size_t want, struct lc_buf *out);
void interest_text_offsets(const struct lc_saved_interest *saved, struct lc_buf *out);

/* One portfolio being read. Zero it before the first piece. */
struct interest_text_reader {
	char line[INTEREST_TEXT_LINE]; /* a line's beginning, from the piece before */
	size_t len, promised;
	bool head;
};
/* LC_ERR_INVALID: this is not what was written. LC_ERR_NOMEM. */
enum lc_err interest_text_feed(struct interest_text_reader *reader, const char *data, size_t len,
	struct lc_saved_portfolio *portfolio);
/* All that the head promised is there. */
bool interest_text_whole(
	const struct interest_text_reader *reader, const struct lc_saved_portfolio *portfolio);
enum lc_err interest_text_read_offsets(const char *text, struct lc_saved_interest *out);

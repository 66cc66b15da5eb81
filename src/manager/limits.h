/* What cannot be followed, told to those who want it: symbols over a vendor's limit, refused by it,
 * or without a feeder. What comes within 200 ms is collected, and each portfolio gets one event a
 * feeder and reason with the list of its symbols, so that 5,000 refusals are a handful of messages.
 * Loop thread; the portfolios are gone through in slices. */
#pragma once

#include "livecore/interest.h"
#include "manager/outbox.h"

#define LC_LIMITS_MESSAGE_BYTES 480000 /* of one list; a longer one goes in pieces */

enum lc_limits_kind {
	LC_LIMITS_OVER,    /* the plan's symbol limit: event symbol_limit */
	LC_LIMITS_REFUSED, /* by the vendor, or nobody follows it: event interest_rejected */
};

struct lc_limits;

struct lc_limits_setup {
	struct lc_loop *loop;
	struct lc_symbols *symbols;
	struct lc_outbox *outbox;
	size_t max_symbols; /* bounds the symbol indices */
	/* The registry, or NULL when it is gone: then nobody is told. */
	struct lc_interest *(*interest)(void *owner);
	/* Once for each batch, when it is complete, before its events; example is one of its
	 * symbols (NULL: memory ran out). */
	void (*batch)(void *owner, const char *feeder, enum lc_limits_kind kind, const char *reason,
		size_t count, const char *example);
	void *owner;
};

/* What setup points to is borrowed. */
enum lc_err lc_limits_create(const struct lc_limits_setup *setup, struct lc_limits **out);
/* What is not told yet is forgotten. */
void lc_limits_destroy(struct lc_limits *limits);

/* feeder is a static string, NULL when the symbol has none; reason is copied, cut at 200 bytes.
 * Cheap: it may be called from anywhere. */
void lc_limits_add(struct lc_limits *limits, const char *feeder, enum lc_limits_kind kind,
	const char *reason, uint32_t symbol);

/* What one Alpaca session is subscribed to, and the messages that bring it from there to what is
 * wanted. Pure: it writes messages into a buffer and is told the answers; one message is in flight
 * at a time. Loop thread.
 *
 * A batch of symbols is asked for in one message, with all channels. Refused with 400 (a symbol the
 * vendor does not know) it is halved until the culprit is alone; refused with 405 (the plan's
 * limit) it is halved until the first symbol that does not fit is found, and those behind it are
 * refused unasked, so that the earliest followed keep their place.
 *
 * When the limit is tight, prices are worth more than statuses, so statuses are the first to go: at
 * a 405 the statuses held are given back and the batch is asked for again without them; after the
 * last batch, statuses are asked for with the room that is left, the earliest followed first. (Some
 * plans do not count them: then all come back.) */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"
#include "livecore/symbol.h"
#include "livecore/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lc_alpaca_channel {
	LC_ALPACA_STATUSES = 1,
	LC_ALPACA_TRADES = 2,
	LC_ALPACA_QUOTES = 4,
	LC_ALPACA_PRICES = LC_ALPACA_TRADES | LC_ALPACA_QUOTES,
};

struct lc_alpaca_subs_options {
	size_t max_symbols;  /* in one message, >= 1 */
	size_t max_message;  /* bytes of one message, >= 256 */
	size_t symbol_limit; /* of the plan, when it is configured; 0: none */
	unsigned channels;   /* enum lc_alpaca_channel bits; at least one of the prices */
	bool msgpack;        /* the encoding of the messages */
};

/* Called from inside reply, error and next. All may be called many times for one call. */
struct lc_alpaca_subs_events {
	/* Newly subscribed. */
	void (*accepted)(void *arg, uint32_t symbol);
	/* Refused by the vendor or by symbol_limit. reason is valid for the call. */
	void (*rejected)(void *arg, uint32_t symbol, bool limit, const char *reason);
	/* Statuses of count symbols were given up; text says why. */
	void (*statuses_lost)(void *arg, size_t count, const char *text);
};

struct lc_alpaca_subs;

/* symbols and events are borrowed. */
enum lc_err lc_alpaca_subs_create(const struct lc_symbols *symbols,
	const struct lc_alpaca_subs_events *events, void *arg, struct lc_alpaca_subs **out);
void lc_alpaca_subs_destroy(struct lc_alpaca_subs *subs);

/* A new session: nothing is subscribed. */
void lc_alpaca_subs_reset(
	struct lc_alpaca_subs *subs, const struct lc_alpaca_subs_options *options);

/* Takes a change over; the one before must be done. Symbols held already are not added again, those
 * not held not removed. LC_ERR_NOMEM: nothing is taken over. */
enum lc_err lc_alpaca_subs_change(struct lc_alpaca_subs *subs, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove);

/* Writes the next message into out (cleared first). LC_ERR_END: the change is done. LC_ERR_AGAIN: a
 * message is in flight. LC_ERR_NOMEM: out failed. */
enum lc_err lc_alpaca_subs_next(struct lc_alpaca_subs *subs, struct lc_buf *out);
/* The message in flight again, after the session authenticated anew. LC_ERR_END: none is. */
enum lc_err lc_alpaca_subs_again(struct lc_alpaca_subs *subs, struct lc_buf *out);
bool lc_alpaca_subs_in_flight(const struct lc_alpaca_subs *subs);

/* A `subscription` message came: the whole current set, where an absent channel is an empty one.
 * True when it answered the message in flight. *missing: symbols that the set lacks (rejected), or
 * still holds after an unsubscribe. */
bool lc_alpaca_subs_reply(
	struct lc_alpaca_subs *subs, const struct lc_value *item, size_t *missing);

/* Error 400, 405 or 410 came. LC_OK: what to do is known, go on with next. LC_ERR_UNSUPPORTED: the
 * feed does not offer the prices' channels (410). LC_ERR_END: no message is in flight. */
enum lc_err lc_alpaca_subs_error(struct lc_alpaca_subs *subs, int64_t code);

/* Is the symbol subscribed, or asked for? Quick: asked for each tick. */
bool lc_alpaca_subs_wants(const struct lc_alpaca_subs *subs, uint32_t symbol);

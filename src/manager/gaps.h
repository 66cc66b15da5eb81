/* What Kafka refused for good is missing for its readers: they are told which symbols and which
 * interval, in one event a second instead of one a record. Loop thread. */
#pragma once

#include "livecore/symbol.h"
#include "manager/outbox.h"

#define LC_GAPS_MESSAGE_BYTES 480000 /* of one list of symbols; a longer one goes in pieces */

struct lc_gaps;

/* Everything is borrowed. max_symbols bounds the symbol indices. */
enum lc_err lc_gaps_create(struct lc_loop *loop, const struct lc_symbols *symbols,
	size_t max_symbols, struct lc_outbox *outbox, struct lc_gaps **out);
/* What is not told yet is forgotten. */
void lc_gaps_destroy(struct lc_gaps *gaps);

/* A PriceUpdate was refused: key is its symbol, why what Kafka said (cut at 200 bytes). */
void lc_gaps_refused(
	struct lc_gaps *gaps, const char *key, size_t len, int64_t timestamp_ns, const char *why);

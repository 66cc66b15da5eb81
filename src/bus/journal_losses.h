/* What will not reach Kafka: records counted by symbol, with the first and last time. Any one
 * thread at a time. */
#pragma once

#include "livecore/buf.h"
#include "livecore/journal_file.h"

struct losses;

/* cause is a constant. */
struct losses *losses_create(const char *cause); /* NULL: out of memory */
void losses_destroy(struct losses *losses);
/* Counts a record. One that is no market data is kept as it is, up to a limit. LC_ERR_NOMEM. */
enum lc_err losses_add(struct losses *losses, const struct lc_journal_entry *entry);
/* The next symbol; false at the end. */
bool losses_next(struct losses *losses, struct lc_journal_loss *out);
/* The next record that was kept. */
const struct lc_journal_entry *losses_kept(struct losses *losses);
const char *losses_cause(const struct losses *losses);
uint64_t losses_records(const struct losses *losses); /* PriceUpdates */
uint64_t losses_others(const struct losses *losses);  /* neither counted by symbol nor kept */

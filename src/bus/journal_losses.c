#include "journal_losses.h"

#include "livecore/map.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES (4 * 1024 * 1024)

struct loss {
	uint64_t records;
	int64_t first_ns, last_ns;
};

struct losses {
	const char *cause;
	struct lc_map *symbols; /* of struct loss */
	struct lc_buf kept;
	uint64_t records, others;
	size_t cursor, kept_at;
};

struct losses *losses_create(const char *cause)
{
	struct losses *losses = calloc(1, sizeof *losses);
	/* The keys are symbols that we wrote ourselves: nobody can choose them to collide. */
	if (!losses || lc_map_create(1, &losses->symbols)) {
		free(losses);
		return NULL;
	}
	losses->cause = cause;
	lc_buf_init(&losses->kept, KEPT_BYTES);
	return losses;
}

void losses_destroy(struct losses *losses)
{
	if (losses) {
		lc_map_destroy(losses->symbols, free);
		lc_buf_finish(&losses->kept);
		free(losses);
	}
}

static struct loss *loss_of(struct losses *losses, const char *key, size_t len)
{
	struct loss *loss = lc_map_get(losses->symbols, key, len);
	if (loss) {
		return loss;
	}
	loss = calloc(1, sizeof *loss);
	if (loss && lc_map_put(losses->symbols, key, len, loss)) {
		free(loss);
		loss = NULL;
	}
	return loss;
}

enum lc_err losses_add(struct losses *losses, const struct lc_journal_entry *entry)
{
	if (entry->schema == LC_SCHEMA_PRICE_UPDATE) {
		struct loss *loss = loss_of(losses, lc_journal_entry_key(entry), entry->key_len);
		if (!loss) {
			return LC_ERR_NOMEM;
		}
		/* A consumer knows a tick by when it happened, not by when it came in. */
		int64_t at = lc_journal_entry_time(entry);
		loss->first_ns = !loss->records || at < loss->first_ns ? at : loss->first_ns;
		loss->last_ns = !loss->records || at > loss->last_ns ? at : loss->last_ns;
		loss->records++;
		losses->records++;
		return LC_OK;
	}
	bool keep = entry->schema == LC_SCHEMA_SYSTEM_EVENT ||
		    entry->schema == LC_SCHEMA_NOTIFICATION;
	if (keep && losses->kept.len + entry->size <= KEPT_BYTES) {
		lc_buf_append(&losses->kept, entry, entry->size);
		return losses->kept.failed ? LC_ERR_NOMEM : LC_OK;
	}
	losses->others++;
	return LC_OK;
}

bool losses_next(struct losses *losses, struct lc_journal_loss *out)
{
	const char *key;
	size_t len;
	const struct loss *loss = lc_map_next(losses->symbols, &losses->cursor, &key, &len);
	if (!loss) {
		return false;
	}
	*out = (struct lc_journal_loss){
		.cause = losses->cause,
		.key = key,
		.key_len = (uint32_t)len,
		.records = loss->records,
		.first_ns = loss->first_ns,
		.last_ns = loss->last_ns,
	};
	return true;
}

const struct lc_journal_entry *losses_kept(struct losses *losses)
{
	if (losses->kept_at == losses->kept.len) {
		return NULL;
	}
	const struct lc_journal_entry *entry = (const void *)(losses->kept.data + losses->kept_at);
	losses->kept_at += entry->size;
	return entry;
}

const char *losses_cause(const struct losses *losses)
{
	return losses->cause;
}

uint64_t losses_records(const struct losses *losses)
{
	return losses->records;
}

uint64_t losses_others(const struct losses *losses)
{
	return losses->others;
}

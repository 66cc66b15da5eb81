/* Saves the followed sets to Redis: WATCH, MULTI, pieces, EXEC. Another process that wrote there is
 * noticed by its mark, or by the WATCH, and wins. */
#include "store/interest_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- asking --- */

static void send_drop(struct redis_store *store)
{
	char key[INTEREST_REDIS_KEY_MAX];
	INTEREST_REDIS_SEND(store, "DEL",
		store->index < store->old_count
			? interest_redis_set_key(store, store->old[store->index], key)
			: interest_redis_ids_key(store, key));
}

static void send_set(struct redis_store *store)
{
	const struct lc_saved_portfolio *portfolio = &store->base.saved->portfolios[store->index];
	char key[INTEREST_REDIS_KEY_MAX];
	bool first = store->next == 0;
	interest_redis_set_key(store, portfolio->id, key);
	if (portfolio->gone) {
		INTEREST_REDIS_SEND(store, "DEL", key);
		return;
	}
	lc_buf_clear(&store->piece);
	bool more = interest_text_write(
		portfolio, &store->next, INTEREST_REDIS_PIECE, &store->piece);
	if (!more) {
		store->next = SIZE_MAX; /* the reply goes on to SAVE_ID */
	}
	const char *text = lc_buf_text(&store->piece);
	INTEREST_REDIS_SEND(store, first ? "SET" : "APPEND", key, text);
}

static void send_id(struct redis_store *store)
{
	const struct lc_saved_portfolio *portfolio = &store->base.saved->portfolios[store->index];
	char key[INTEREST_REDIS_KEY_MAX];
	interest_redis_ids_key(store, key);
	if (portfolio->gone) {
		INTEREST_REDIS_SEND(store, "ZREM", key, portfolio->id);
	} else {
		INTEREST_REDIS_SEND(store, "ZADD", key, "0", portfolio->id);
	}
}

/* How many portfolios there are when this save is done. */
static size_t count_after(const struct redis_store *store)
{
	const struct lc_saved_interest *saved = store->base.saved;
	size_t count = saved->complete ? 0 : lc_map_count(store->ids);
	for (size_t i = 0; i < saved->portfolio_count; i++) {
		const struct lc_saved_portfolio *p = &saved->portfolios[i];
		bool there = !saved->complete && lc_map_get(store->ids, p->id, strlen(p->id));
		count += !p->gone && !there;
		count -= p->gone && there;
	}
	return count;
}

static void send_head(struct redis_store *store)
{
	char count[24];
	snprintf(count, sizeof count, "%zu", count_after(store));
	lc_buf_clear(&store->piece);
	interest_text_offsets(store->base.saved, &store->piece);
	const char *offsets = lc_buf_text(&store->piece);
	INTEREST_REDIS_SEND(store, "HSET", store->prefix, "version", INTEREST_REDIS_VERSION,
		"writer", store->writer, "topic", store->base.saved->topic, "offsets", offsets,
		"portfolios", count);
}

void interest_redis_save_ask(struct redis_store *store)
{
	switch (store->step) {
	case SAVE_WATCH:
		INTEREST_REDIS_SEND(store, "WATCH", store->prefix);
		break;
	case SAVE_WRITER:
		INTEREST_REDIS_SEND(store, "HGET", store->prefix, "writer");
		break;
	case SAVE_OLD_IDS:
		interest_redis_send_ids(store);
		break;
	case SAVE_MULTI:
		INTEREST_REDIS_SEND(store, "MULTI");
		break;
	case SAVE_DROP:
		send_drop(store);
		break;
	case SAVE_SET:
		send_set(store);
		break;
	case SAVE_ID:
		send_id(store);
		break;
	case SAVE_HEAD:
		send_head(store);
		break;
	default: /* SAVE_EXEC */
		INTEREST_REDIS_SEND(store, "EXEC");
		break;
	}
}

/* --- replies --- */

static void changed_by_another(struct redis_store *store)
{
	interest_redis_fail(store, LC_ERR_EXISTS,
		"%s was changed by another process: give each its own node.id", store->prefix);
}

static void on_writer(struct redis_store *store, const struct lc_redis_reply *reply)
{
	size_t len;
	const char *text = lc_redis_reply_text(reply, &len);
	if (len == strlen(store->expected) && (len == 0 || !memcmp(text, store->expected, len))) {
		interest_redis_enter(store, SAVE_MULTI);
	} else {
		changed_by_another(store);
	}
}

static bool add_old(struct redis_store *store)
{
	void *items = store->old;
	char **id = interest_grow(&items, store->old_count, sizeof *id);
	if (!id) {
		return false;
	}
	store->old = (char **)items;
	*id = strdup(store->last);
	store->old_count += *id != NULL;
	return *id != NULL;
}

static void on_old_ids(struct redis_store *store, const struct lc_redis_reply *reply)
{
	bool more;
	enum lc_err rc = interest_redis_take_ids(store, reply, add_old, &more);
	if (rc == LC_ERR_INVALID) {
		interest_redis_fail(store, LC_ERR_REFUSED, "%s:portfolios holds what is not ours",
			store->prefix);
	} else if (rc != LC_OK) {
		interest_redis_fail(store, rc, "out of memory");
	} else if (more) {
		interest_redis_go(store);
	} else {
		interest_redis_enter(store, SAVE_MULTI);
	}
}

/* What is saved: portfolios, if there are any, and then the hash. */
static void enter_sets(struct redis_store *store)
{
	interest_redis_enter(store, store->base.saved->portfolio_count > 0 ? SAVE_SET : SAVE_HEAD);
}

static void on_dropped(struct redis_store *store)
{
	if (store->index++ < store->old_count) {
		interest_redis_go(store);
	} else {
		enter_sets(store);
	}
}

static void on_set_done(struct redis_store *store)
{
	if (store->base.saved->portfolios[store->index].gone || store->next == SIZE_MAX) {
		store->step = SAVE_ID;
	}
	interest_redis_go(store);
}

static void on_id_done(struct redis_store *store)
{
	if (++store->index == store->base.saved->portfolio_count) {
		interest_redis_enter(store, SAVE_HEAD);
	} else {
		store->next = 0;
		store->step = SAVE_SET;
		interest_redis_go(store);
	}
}

/* What is stored now is known, unless there was no memory for it. */
static void note_ids(struct redis_store *store)
{
	const struct lc_saved_interest *saved = store->base.saved;
	struct lc_map *fresh = NULL;
	snprintf(store->expected, sizeof store->expected, "%s", store->writer);
	bool good = !saved->complete || lc_map_create(lc_loop_random(store->loop), &fresh) == LC_OK;
	if (fresh) {
		lc_map_destroy(store->ids, NULL);
		store->ids = fresh;
	}
	for (size_t i = 0; i < saved->portfolio_count; i++) {
		const struct lc_saved_portfolio *portfolio = &saved->portfolios[i];
		if (portfolio->gone) {
			lc_map_remove(store->ids, portfolio->id, strlen(portfolio->id));
		} else {
			good &= interest_redis_note(store, portfolio->id) == LC_OK;
		}
	}
	store->known = good;
}

static void on_exec(struct redis_store *store, const struct lc_redis_reply *reply)
{
	size_t count = lc_redis_reply_count(reply);
	store->step = SAVE_WATCH; /* the transaction is over, whatever came of it */
	for (size_t i = 0; i < count; i++) {
		if (lc_redis_reply_failed(lc_redis_reply_item(reply, i))) {
			interest_redis_fail(store, LC_ERR_REFUSED, "%s holds another kind of data",
				store->prefix);
			return;
		}
	}
	if (count == 0) {
		changed_by_another(store);
		return;
	}
	note_ids(store);
	interest_redis_end(store);
}

void interest_redis_save_on(struct redis_store *store, const struct lc_redis_reply *reply)
{
	bool complete = store->base.saved->complete;
	switch (store->step) {
	case SAVE_WATCH:
		interest_redis_enter(store, complete ? SAVE_OLD_IDS : SAVE_WRITER);
		break;
	case SAVE_WRITER:
		on_writer(store, reply);
		break;
	case SAVE_OLD_IDS:
		on_old_ids(store, reply);
		break;
	case SAVE_MULTI:
		if (complete) {
			interest_redis_enter(store, SAVE_DROP);
		} else {
			enter_sets(store);
		}
		break;
	case SAVE_DROP:
		on_dropped(store);
		break;
	case SAVE_SET:
		on_set_done(store);
		break;
	case SAVE_ID:
		on_id_done(store);
		break;
	case SAVE_HEAD:
		interest_redis_enter(store, SAVE_EXEC);
		break;
	default: /* SAVE_EXEC */
		on_exec(store, reply);
		break;
	}
}

void interest_redis_free_old(struct redis_store *store)
{
	for (size_t i = 0; i < store->old_count; i++) {
		free(store->old[i]);
	}
	free(store->old);
	store->old = NULL;
	store->old_count = 0;
}

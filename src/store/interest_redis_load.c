/* Reads the followed sets back from Redis: the hash, the ids, then each portfolio's text. */
#include "store/interest_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Evicted, or changed by another hand. The topic has everything, so it counts as empty. */
static void damaged(struct redis_store *store, const char *what)
{
	lc_log(lc_loop_log(store->loop), LC_LOG_ERROR, "interest", "stored_sets_damaged",
		LC_S("key", store->prefix), LC_S("what", what));
	interest_clear(store->base.saved);
	store->known = false;
	interest_redis_end(store);
}

static void on_head(struct redis_store *store, const struct lc_redis_reply *reply)
{
	char version[16], count[24], *offsets = NULL;
	size_t len = 0;
	const char *text = lc_redis_reply_count(reply) == 5
				   ? lc_redis_reply_text(lc_redis_reply_item(reply, 2), &len)
				   : NULL;
	if (!interest_redis_item(reply, 4, store->expected, sizeof store->expected)) {
		store->expected[0] = '\0';
	}
	if (!interest_redis_item(reply, 0, version, sizeof version)) {
		store->known = true; /* nothing is stored */
		interest_redis_end(store);
	} else if (strcmp(version, INTEREST_REDIS_VERSION) != 0) {
		interest_redis_fail(store, LC_ERR_UNSUPPORTED,
			"%s is version %s, this livecore knows " INTEREST_REDIS_VERSION
			": run the newer livecore, or use another node.id",
			store->prefix, version);
	} else if (!text ||
		   !interest_redis_item(
			   reply, 1, store->base.saved->topic, sizeof store->base.saved->topic) ||
		   !interest_redis_item(reply, 3, count, sizeof count) ||
		   !(offsets = strndup(text, len)) ||
		   interest_text_read_offsets(offsets, store->base.saved) != LC_OK) {
		damaged(store, "offsets");
	} else {
		store->promised = strtoll(count, NULL, 10);
		interest_redis_enter(store, LOAD_IDS);
	}
	free(offsets);
}

static void on_all_ids(struct redis_store *store)
{
	if (store->promised != (int64_t)store->base.saved->portfolio_count) {
		damaged(store, "some portfolios are missing");
	} else if (store->base.saved->portfolio_count == 0) {
		store->known = true;
		interest_redis_end(store);
	} else {
		store->reader = (struct interest_text_reader){0};
		interest_redis_enter(store, LOAD_SET);
	}
}

static bool add_portfolio(struct redis_store *store)
{
	void *items = store->base.saved->portfolios;
	struct lc_saved_portfolio *portfolio = interest_grow(
		&items, store->base.saved->portfolio_count, sizeof *portfolio);
	if (!portfolio) {
		return false;
	}
	store->base.saved->portfolios = items;
	portfolio->id = strdup(store->last);
	store->base.saved->portfolio_count++;
	return portfolio->id && interest_redis_note(store, store->last) == LC_OK;
}

static void on_ids(struct redis_store *store, const struct lc_redis_reply *reply)
{
	bool more;
	enum lc_err rc = interest_redis_take_ids(store, reply, add_portfolio, &more);
	if (rc == LC_ERR_INVALID) {
		damaged(store, "a portfolio's name");
	} else if (rc != LC_OK) {
		interest_redis_fail(store, rc, "out of memory");
	} else if (more) {
		interest_redis_go(store);
	} else {
		on_all_ids(store);
	}
}

static void send_get_piece(struct redis_store *store)
{
	char key[INTEREST_REDIS_KEY_MAX], from[24], to[24];
	snprintf(from, sizeof from, "%zu", store->next);
	snprintf(to, sizeof to, "%zu", store->next + INTEREST_REDIS_PIECE - 1);
	INTEREST_REDIS_SEND(store, "GETRANGE",
		interest_redis_set_key(store, store->base.saved->portfolios[store->index].id, key),
		from, to);
}

static void on_piece(struct redis_store *store, const struct lc_redis_reply *reply)
{
	size_t len;
	const char *text = lc_redis_reply_text(reply, &len);
	struct lc_saved_portfolio *portfolio = &store->base.saved->portfolios[store->index];
	if (interest_text_feed(&store->reader, text, len, portfolio) != LC_OK) {
		damaged(store, portfolio->id);
	} else if (len == INTEREST_REDIS_PIECE) {
		store->next += len;
		interest_redis_go(store);
	} else if (!interest_text_whole(&store->reader, portfolio)) {
		damaged(store, portfolio->id);
	} else if (++store->index == store->base.saved->portfolio_count) {
		store->known = true;
		interest_redis_end(store);
	} else {
		store->next = 0;
		store->reader = (struct interest_text_reader){0};
		interest_redis_go(store);
	}
}

void interest_redis_load_ask(struct redis_store *store)
{
	if (store->step == LOAD_HEAD) {
		INTEREST_REDIS_SEND(store, "HMGET", store->prefix, "version", "topic", "offsets",
			"portfolios", "writer");
	} else if (store->step == LOAD_IDS) {
		interest_redis_send_ids(store);
	} else {
		send_get_piece(store);
	}
}

void interest_redis_load_on(struct redis_store *store, const struct lc_redis_reply *reply)
{
	if (store->step == LOAD_HEAD) {
		on_head(store, reply);
	} else if (store->step == LOAD_IDS) {
		on_ids(store, reply);
	} else {
		on_piece(store, reply);
	}
}
